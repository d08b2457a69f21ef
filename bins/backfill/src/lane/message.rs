//! A page as messages: deliveries of `raw.history`, or of `raw` where it is followed, as an import makes them.

use crate::import::{Pages, ReadError};
use crate::sources::Page;
use adapter::{Mappings, stable_id};
use broker::{Outgoing, Queue};
use bytes::Bytes;
use schema::{
    BodyFormat, CorrelationId, DeliveryId, ENVELOPE_VERSION, JobRef, MessageId, RawDelivery,
    RawMessage, SubscriptionName, TenantId, UtcMicros,
};
use std::sync::Arc;
use store::chunks::Chunk;
use store::jobs::{Job, Lane};

/// Whose a page is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) job: &'a Job,
    pub(super) chunk: &'a Chunk,
    pub(super) tenant: &'a TenantId,
    pub(super) subscription: &'a SubscriptionName,
    pub(super) now: UtcMicros,
}

/// What a page comes to.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) messages: Vec<Outgoing>,
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// A page as bodies, each with its records.
pub(super) fn bodies(
    page: &Page,
    mappings: Arc<Mappings>,
    page_bytes: usize,
) -> Result<Vec<(Vec<u8>, u32)>, ReadError> {
    let mut pages = Pages::new(page.body.as_slice(), &page.format, mappings, page_bytes)?;
    let mut bodies = Vec::new();
    while let Some(page) = pages.read()? {
        if page.records > 0 {
            bodies.push((page.body, page.records));
        }
    }
    Ok(bodies)
}

/// Their messages. The same records are the same delivery whenever and however often they are fetched.
pub(super) fn messages(
    origin: &Origin<'_>,
    format: &BodyFormat,
    bodies: Vec<(Vec<u8>, u32)>,
) -> anyhow::Result<Cut> {
    let mut cut = Cut {
        messages: Vec::with_capacity(bodies.len()),
        records: 0,
        bytes: 0,
    };
    let shape = serde_json::to_vec(format)?;
    let correlation = format!("job-{}", origin.job.id);
    let live = origin.job.lane == Lane::Live;
    for (body, records) in bodies {
        let delivery = stable_id(&[
            origin.tenant.as_str().as_bytes(),
            origin.subscription.as_str().as_bytes(),
            &shape,
            &body,
        ]);
        // The same message again when the page is fetched again after a crash; another one when the chunk is.
        let id = MessageId(stable_id(&[
            origin.job.id.0.as_bytes(),
            &origin.chunk.number.to_be_bytes(),
            &origin.chunk.reopened.to_be_bytes(),
            delivery.as_bytes(),
        ]));
        cut.records += u64::from(records);
        cut.bytes += body.len() as u64;
        let message = RawMessage {
            v: ENVELOPE_VERSION,
            id,
            deliveries: vec![RawDelivery {
                id: DeliveryId(delivery),
                subscription: origin.subscription.clone(),
                tenant: origin.tenant.clone(),
                format: format.clone(),
                correlation: CorrelationId::new(&correlation),
                received_at: origin.now,
                // What goes on by itself is news: no version is asked for beside the switched-on ones.
                job: origin.job.asks_for_version().map(|version| JobRef {
                    id: origin.job.id,
                    version,
                }),
                body: Bytes::from(body),
            }],
        };
        cut.messages.push(Outgoing {
            queue: if live { Queue::Raw } else { Queue::RawHistory },
            body: message.encode()?,
            message_id: id.0,
            correlation: correlation.clone(),
        });
    }
    // A page may hold one record twice; the ids of one call differ.
    cut.messages.sort_by_key(|message| message.message_id);
    cut.messages.dedup_by_key(|message| message.message_id);
    Ok(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Trial;
    use schema::MetricVersion;
    use store::jobs::{Promote, Purpose};

    #[tokio::test]
    async fn only_what_somebody_asked_for_names_a_version() {
        let trial = Trial::new().await;
        trial.job(Promote::Offer).await;
        let (mut job, chunk) = trial.leased().await;
        for (purpose, lane, queue, version) in [
            (Purpose::Job, Lane::History, Queue::RawHistory, Some(2)),
            (Purpose::Settlement, Lane::History, Queue::RawHistory, None),
            (Purpose::Gap, Lane::History, Queue::RawHistory, None),
            (Purpose::Lookup, Lane::History, Queue::RawHistory, None),
            (Purpose::Follow, Lane::History, Queue::RawHistory, None),
            (Purpose::Follow, Lane::Live, Queue::Raw, None),
        ] {
            (job.purpose, job.lane) = (purpose, lane);
            let origin = Origin {
                job: &job,
                chunk: &chunk,
                tenant: &TenantId::from("acme"),
                subscription: &SubscriptionName::from("backfill-main"),
                now: UtcMicros(0),
            };
            let bodies = vec![(b"{}".to_vec(), 1)];
            let cut = messages(&origin, &BodyFormat::GenesysDetails, bodies).unwrap();
            let message = RawMessage::decode(&cut.messages[0].body).unwrap();
            let named = message.deliveries[0].job.map(|job| job.version);
            assert_eq!(
                (cut.messages[0].queue, named),
                (queue, version.map(MetricVersion)),
                "{purpose:?} {lane:?}"
            );
        }
    }
}
