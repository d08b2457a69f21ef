//! The queues' and exchanges' arguments, in one place.

use crate::connection::Shared;
use crate::error::BrokerError;
use crate::queue::Queue;
use crate::version::{self, ServerVersion};
use futures_util::future::join_all;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ErrorKind, ExchangeKind};

/// A hint that waits behind so many others says nothing new: the oldest are dropped.
const WAKE_MAX_MESSAGES: i64 = 1000;
/// Nobody has to read notices: the oldest are dropped. Each is a job that an operator started or that comes once a day.
const NOTICES_MAX_MESSAGES: i64 = 1000;

/// Declares the queues and their exchanges, each on a channel of its own: a refusal closes the channel.
pub(crate) async fn all(shared: &Shared, queues: &[Queue]) -> Result<(), BrokerError> {
    if !shared.config.declare {
        // Each to its end: the library takes a channel that is left while the broker closes it for the end of the connection.
        let looked = join_all(queues.iter().map(|queue| look(shared, *queue))).await;
        return looked.into_iter().collect();
    }
    let version = version::ask(shared).await?;
    if version.is_none() {
        tracing::warn!("the broker does not state its version: assuming no default delivery limit");
    }
    let declared = join_all(queues.iter().map(|queue| one(shared, *queue, version))).await;
    declared.into_iter().collect()
}

async fn one(
    shared: &Shared,
    queue: Queue,
    version: Option<ServerVersion>,
) -> Result<(), BrokerError> {
    let channel = match queue_itself(shared, queue, version).await? {
        Some(channel) => channel,
        None => shared.channel().await?,
    };
    let exchange = shared.exchange_name(queue)?;
    let declared = channel.exchange_declare(
        exchange.clone(),
        ExchangeKind::Direct,
        exchange_options(false),
        FieldTable::default(),
    );
    let declared = shared.within("declaring an exchange", declared).await;
    declared.map_err(|error| refused(error, exchange.as_str()))?;
    // Whoever reads a message's path sees the queue in it.
    let name = shared.queue_name(queue)?;
    let options = QueueBindOptions { nowait: false };
    let bound = channel.queue_bind(
        name.clone(),
        exchange.clone(),
        name,
        options,
        FieldTable::default(),
    );
    let bound = shared.within("binding a queue", bound).await;
    bound.map_err(|error| refused(error, exchange.as_str()))?;
    shared.close_channel(&channel).await
}

/// Leaves the channel, where the broker did not close it.
async fn queue_itself(
    shared: &Shared,
    queue: Queue,
    version: Option<ServerVersion>,
) -> Result<Option<Channel>, BrokerError> {
    let channel = shared.channel().await?;
    let name = shared.queue_name(queue)?;
    let arguments = arguments(queue, version, shared.config.raw_max_bytes);
    let declared = channel.queue_declare(name.clone(), queue_options(false), arguments);
    match shared.within("declaring a queue", declared).await {
        Ok(_) => Ok(Some(channel)),
        Err(error) => match inequivalence(&error) {
            None => Err(refused(error, name.as_str())),
            // Only the bound differs: a changed setting must not stop a rolling update.
            Some(detail) if is_only_the_bound(&detail) => {
                tracing::warn!(
                    queue = queue.name(&shared.config.prefix),
                    detail,
                    "the queue keeps the bound it was declared with"
                );
                Ok(None)
            }
            Some(detail) => Err(BrokerError::QueueDiffers {
                name: queue.name(&shared.config.prefix),
                detail,
            }),
        },
    }
}

/// Whether queue and exchange are there, which needs no right. Whether they are bound cannot be asked: a publish is returned where they are not.
async fn look(shared: &Shared, queue: Queue) -> Result<(), BrokerError> {
    let channel = shared.channel().await?;
    let name = shared.queue_name(queue)?;
    let declared = channel.queue_declare(name.clone(), queue_options(true), FieldTable::default());
    let found = shared.within("looking for a queue", declared).await;
    found.map_err(|error| absent(error, name.as_str()))?;
    let exchange = shared.exchange_name(queue)?;
    let declared = channel.exchange_declare(
        exchange.clone(),
        ExchangeKind::Direct,
        exchange_options(true),
        FieldTable::default(),
    );
    let found = shared.within("looking for an exchange", declared).await;
    found.map_err(|error| absent(error, exchange.as_str()))?;
    shared.close_channel(&channel).await
}

fn queue_options(passive: bool) -> QueueDeclareOptions {
    QueueDeclareOptions {
        passive,
        durable: true,
        exclusive: false,
        auto_delete: false,
        nowait: false,
    }
}

fn exchange_options(passive: bool) -> ExchangeDeclareOptions {
    ExchangeDeclareOptions {
        passive,
        durable: true,
        auto_delete: false,
        internal: false,
        nowait: false,
    }
}

fn refused(error: BrokerError, name: &str) -> BrokerError {
    match error {
        BrokerError::Request { source, .. } if is(&source, AMQPSoftError::ACCESSREFUSED) => {
            BrokerError::MayNotDeclare {
                name: name.to_owned(),
                source,
            }
        }
        other => other,
    }
}

/// Says so where what was asked about is not there.
pub(crate) fn absent(error: BrokerError, name: &str) -> BrokerError {
    match &error {
        BrokerError::Request { source, .. } if is(source, AMQPSoftError::NOTFOUND) => {
            BrokerError::Missing {
                name: name.to_owned(),
            }
        }
        _ => error,
    }
}

fn is(error: &lapin::Error, soft: AMQPSoftError) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if *error.kind() == AMQPErrorKind::Soft(soft))
}

/// What makes each queue what it is.
fn arguments(queue: Queue, version: Option<ServerVersion>, raw_max: Option<u64>) -> FieldTable {
    let mut table = FieldTable::default();
    let text = |text: &str| AMQPValue::LongString(text.into());
    table.insert("x-queue-type".into(), text("quorum"));
    if version.is_some_and(ServerVersion::has_default_delivery_limit) {
        // Nothing is ever dropped for having been delivered often: quarantine decides, with a reason.
        table.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(-1));
    }
    match (queue, raw_max) {
        (Queue::Raw | Queue::RawSuspect, Some(bytes)) => {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            table.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(bytes));
            table.insert("x-overflow".into(), text("reject-publish"));
        }
        (Queue::DeliverWake, _) => keep_newest(&mut table, WAKE_MAX_MESSAGES),
        (Queue::BackfillNotices, _) => keep_newest(&mut table, NOTICES_MAX_MESSAGES),
        _ => {}
    }
    table
}

fn keep_newest(table: &mut FieldTable, messages: i64) {
    table.insert("x-max-length".into(), AMQPValue::LongLongInt(messages));
    let overflow = AMQPValue::LongString("drop-head".into());
    table.insert("x-overflow".into(), overflow);
}

/// The broker's words when a queue exists with other arguments.
fn inequivalence(error: &BrokerError) -> Option<String> {
    let BrokerError::Request { source, .. } = error else {
        return None;
    };
    let ErrorKind::ProtocolError(error) = source.kind() else {
        return None;
    };
    let precondition = AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED);
    (*error.kind() == precondition).then(|| error.get_message().to_string())
}

fn is_only_the_bound(detail: &str) -> bool {
    ["x-max-length-bytes", "x-max-length", "x-overflow"]
        .iter()
        .any(|argument| detail.contains(&format!("'{argument}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Option<ServerVersion> = Some(ServerVersion {
        major: 3,
        minor: 10,
    });
    const NEW: Option<ServerVersion> = Some(ServerVersion { major: 4, minor: 0 });

    fn has(table: &FieldTable, key: &str) -> bool {
        table.inner().contains_key(key)
    }

    #[test]
    fn the_delivery_limit_is_lifted_where_there_is_one_and_unmentioned_elsewhere() {
        for queue in Queue::ALL {
            assert!(has(&arguments(queue, NEW, None), "x-delivery-limit"));
            assert!(!has(&arguments(queue, OLD, None), "x-delivery-limit"));
            assert!(!has(&arguments(queue, None, None), "x-delivery-limit"));
        }
    }

    #[test]
    fn a_full_raw_queue_refuses_and_never_drops() {
        let table = arguments(Queue::Raw, OLD, Some(10));
        let overflow = &table.inner()["x-overflow"];
        assert_eq!(*overflow, AMQPValue::LongString("reject-publish".into()));
        assert!(!has(
            &arguments(Queue::RawHistory, OLD, Some(10)),
            "x-overflow"
        ));
    }

    #[test]
    fn only_hints_and_notices_may_be_dropped() {
        for queue in Queue::ALL {
            let table = arguments(queue, OLD, Some(10));
            let drops =
                table.inner().get("x-overflow") == Some(&AMQPValue::LongString("drop-head".into()));
            let may = matches!(queue, Queue::DeliverWake | Queue::BackfillNotices);
            assert_eq!(drops, may, "{queue}");
        }
    }

    /// Pitfalls 55 and 57: no time to live, no dead letters, and so no waiting queue in which a short delay stands behind a long one and no
    /// circle that a broker may take for endless. What has to wait waits in its process or in PostgreSQL.
    #[test]
    fn nothing_waits_or_goes_round_inside_the_broker() {
        let known = [
            "x-queue-type",
            "x-delivery-limit",
            "x-max-length",
            "x-max-length-bytes",
            "x-overflow",
        ];
        for queue in Queue::ALL {
            for version in [OLD, NEW, None] {
                for argument in arguments(queue, version, Some(10)).inner().keys() {
                    assert!(known.contains(&argument.as_str()), "{queue}: {argument}");
                }
            }
        }
    }

    #[test]
    fn a_changed_bound_is_told_from_a_wrong_kind_of_queue() {
        assert!(is_only_the_bound(
            "inequivalent arg 'x-max-length-bytes' for queue"
        ));
        assert!(!is_only_the_bound(
            "inequivalent arg 'x-queue-type' for queue"
        ));
        assert!(!is_only_the_bound(
            "inequivalent arg 'x-delivery-limit' for queue"
        ));
    }
}
