//! Broker messages, read. What cannot be read, or is suspected to end whoever reads it, becomes one item of its own, whole.

use crate::clock::now;
use broker::{Delivery, Queue};
use schema::{DeliveryId, MessageId, RawDelivery, RawMessage};
use sha2::{Digest as _, Sha256};
use store::{Store, StoreError, quarantine, raw_messages};
use uuid::Uuid;

/// Who waits for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Fresh events.
    Live,
    /// Backfilled ones.
    History,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id; the same on every redelivery.
    pub id: MessageId,
    /// Its lane.
    pub lane: Lane,
    /// The deliveries in it.
    pub deliveries: Vec<RawDelivery>,
    /// Set when nothing in it is to be read: every delivery goes to quarantine whole.
    pub whole: Option<Whole>,
}

/// Why a message is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// `envelope` when the delivery's body is the broker message itself, `redelivered` when it is an HTTP body.
    pub stage: Stage,
    /// The reason, for an operator.
    pub reason: String,
}

/// Where an item failed. A quarantined item's stage tells how it is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The broker message is no envelope of ours.
    Envelope,
    /// The message came back again and again, so that reading it is suspected to end the process.
    Redelivered,
    /// The body cannot be split into items.
    Split,
    /// The item cannot be mapped.
    Map,
    /// The store refuses the item.
    Store,
    /// The broker will never take the message of facts made of it: what is held is that message.
    Publish,
}

impl Stage {
    /// Its name in the quarantine table and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Redelivered => "redelivered",
            Self::Split => "split",
            Self::Map => "map",
            Self::Store => "store",
            Self::Publish => "publish",
        }
    }
}

/// What stands for the subscription and the tenant of a message that does not say.
const UNKNOWN: &str = "(unknown)";
/// The longest name of a subscription or tenant that is stored.
const NAME_BYTES_MAX: usize = 512;
/// A message that came back this often is not read any more. A restart costs one, a database outage a few.
const RETURNS_MAX: u64 = 50;

/// Reads a broker message.
pub fn read(delivery: &Delivery) -> Message {
    let lane = match delivery.queue {
        Queue::RawHistory => Lane::History,
        _ => Lane::Live,
    };
    match RawMessage::decode(&delivery.body) {
        Ok(message) if message.deliveries.iter().any(is_misnamed) => {
            let reason = "a subscription or tenant in it has no name that can be stored";
            opaque(delivery, lane, reason.to_owned())
        }
        Ok(message) => {
            let returns = delivery.delivery_count.unwrap_or(0);
            let whole = (returns >= RETURNS_MAX).then(|| Whole {
                stage: Stage::Redelivered,
                reason: format!("the message came back {returns} times"),
            });
            Message {
                id: message.id,
                lane,
                deliveries: message.deliveries,
                whole,
            }
        }
        Err(error) => opaque(delivery, lane, runtime::chain(&error)),
    }
}

/// Lets messages be read that came back often for another reason than what is in them.
///
/// One that was committed has been read before without harm; what is wrong is the broker or the network after it. Unread, it would
/// be acknowledged with its facts unpublished. Not so one that was committed to the quarantine unread.
pub async fn acquit(store: &Store, messages: &mut [Message]) -> Result<(), StoreError> {
    let mut suspects: Vec<&mut Message> = messages
        .iter_mut()
        .filter(
            |message| matches!(&message.whole, Some(whole) if whole.stage == Stage::Redelivered),
        )
        .collect();
    if suspects.is_empty() {
        return Ok(());
    }
    let client = store.client().await?;
    let ids: Vec<MessageId> = suspects.iter().map(|message| message.id).collect();
    let claimed = raw_messages::claimed(&client, &ids).await?;
    suspects.retain(|message| claimed.contains(&message.id));
    let deliveries: Vec<DeliveryId> = suspects
        .iter()
        .flat_map(|message| message.deliveries.iter().map(|delivery| delivery.id))
        .collect();
    let unread = quarantine::refused(&client, &deliveries, Stage::Redelivered.as_str()).await?;
    for message in suspects {
        if !message
            .deliveries
            .iter()
            .any(|found| unread.contains(&found.id))
        {
            message.whole = None;
        }
    }
    Ok(())
}

/// Names come from configuration; one that no table takes is a sign of a damaged or foreign message.
fn is_misnamed(delivery: &RawDelivery) -> bool {
    [delivery.subscription.as_str(), delivery.tenant.as_str()]
        .iter()
        .any(|name| name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('\0'))
}

fn opaque(delivery: &Delivery, lane: Lane, reason: String) -> Message {
    let id = delivery.message_id.unwrap_or_else(|| {
        let mut half = [0; 16];
        half.copy_from_slice(&Sha256::digest(&delivery.body)[..16]);
        Uuid::from_bytes(half)
    });
    let correlation = delivery.correlation.as_deref().unwrap_or(UNKNOWN);
    Message {
        id: MessageId(id),
        lane,
        deliveries: vec![RawDelivery {
            id: DeliveryId(id),
            subscription: UNKNOWN.into(),
            tenant: UNKNOWN.into(),
            // Not used: the stage says that this is no body.
            format: schema::BodyFormat::GenesysWebhook,
            correlation: correlation.into(),
            received_at: now(),
            job: None,
            body: delivery.body.clone(),
        }],
        whole: Some(Whole {
            stage: Stage::Envelope,
            reason,
        }),
    }
}
