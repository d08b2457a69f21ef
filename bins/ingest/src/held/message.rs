//! The message that brings an item back to where it failed.

use crate::normalise::message::Stage;
use crate::raw_bytes::opened;
use anyhow::Context as _;
use broker::{Outgoing, Queue};
use bytes::Bytes;
use runtime::seal::SealKeys;
use schema::{BodyFormat, DeliveryId, ENVELOPE_VERSION, MessageId, RawDelivery, RawMessage};
use store::quarantine::Held;
use uuid::Uuid;

/// What compute calls itself in the quarantine; its items are whole messages of facts.
const COMPUTE: &str = "compute";
/// What backfill calls itself there; its items are requests for jobs that it could not grant.
const BACKFILL: &str = "backfill";

/// The message for an item. What was an item of a delivery is a delivery of its own from now on.
///
/// `keys` are needed where its bytes are sealed.
pub(super) fn message(item: Held, keys: Option<&SealKeys>) -> anyhow::Result<Outgoing> {
    let body = Bytes::from(opened(
        item.raw,
        keys,
        &item.tenant,
        &item.subscription,
        item.delivery_id,
    )?);
    let correlation = item.correlation;
    let whole = |queue, body, correlation| Outgoing {
        queue,
        body,
        message_id: Uuid::now_v7(),
        correlation,
    };
    match item.stage.as_str() {
        // A later release may read what this one could not.
        stage if stage == Stage::Envelope.as_str() => {
            let of_job = RawMessage::decode(&body)
                .is_ok_and(|message| message.deliveries.iter().any(|found| found.job.is_some()));
            return Ok(whole(raw_queue(of_job), body, correlation));
        }
        // Nobody waits for it: the history lane is good enough.
        stage if stage == COMPUTE || stage == Stage::Publish.as_str() => {
            return Ok(whole(Queue::EventsHistory, body, correlation));
        }
        // Under its own id: refused again it is held under the same number.
        BACKFILL => {
            return Ok(Outgoing {
                message_id: item.delivery_id.0,
                ..whole(Queue::BackfillJobs, body, correlation)
            });
        }
        _ => {}
    }
    let format: BodyFormat = serde_json::from_str(&item.format)
        .with_context(|| format!("item {} has the format {}", item.id, item.format))?;
    let id = MessageId::generate();
    let message = RawMessage {
        v: ENVELOPE_VERSION,
        id,
        deliveries: vec![RawDelivery {
            id: DeliveryId::generate(),
            subscription: item.subscription.as_str().into(),
            tenant: item.tenant.as_str().into(),
            format,
            correlation: correlation.as_str().into(),
            // It came when it came: no news of the sender, and what is plausible is judged against that.
            received_at: item.received_at,
            job: item.job,
            body,
        }],
    };
    Ok(Outgoing {
        queue: raw_queue(item.job.is_some()),
        body: message.encode()?,
        message_id: id.0,
        correlation,
    })
}

/// Fresh events never wait for what a backfill job brought.
fn raw_queue(of_job: bool) -> Queue {
    if of_job {
        Queue::RawHistory
    } else {
        Queue::Raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::UtcMicros;
    use store::quarantine::Status;
    use store::raw::Raw;

    /// An item that this stage holds.
    fn held(stage: &str, format: &str, raw: &[u8]) -> Held {
        let received_at = UtcMicros::from_millis(1_715_783_600_000);
        Held {
            id: 1,
            tenant: "acme".to_owned(),
            subscription: "one".to_owned(),
            delivery_id: DeliveryId::generate(),
            item_index: 0,
            stage: stage.to_owned(),
            format: format.to_owned(),
            reason: "what".to_owned(),
            field: None,
            value: None,
            expected: None,
            raw: Raw::Plain(raw.to_vec()),
            received_at,
            correlation: "c".to_owned(),
            job: None,
            status: Status::Released,
            held_at: received_at,
            settled_at: None,
        }
    }

    #[test]
    fn what_is_released_was_received_when_it_came() {
        let held = held(Stage::Map.as_str(), "\"genesys_webhook\"", b"{}");
        let (delivery_id, received_at) = (held.delivery_id, held.received_at);
        let outgoing = message(held, None).unwrap();
        let sent = RawMessage::decode(&outgoing.body).unwrap();
        assert_eq!(sent.deliveries[0].received_at, received_at);
        assert_ne!(sent.deliveries[0].id, delivery_id);
    }

    #[test]
    fn a_request_for_a_job_goes_back_to_its_queue_as_it_came() {
        let held = held("backfill", "job_request", b"{\"source\":\"replay\"}");
        let id = held.delivery_id.0;
        let outgoing = message(held, None).unwrap();
        assert_eq!(outgoing.queue, Queue::BackfillJobs);
        assert_eq!(&outgoing.body[..], b"{\"source\":\"replay\"}");
        assert_eq!(outgoing.message_id, id);
    }
}
