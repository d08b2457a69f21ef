//! What compute cannot fold goes to the `quarantine` table, whole and with its reason; its neighbours go on.

use crate::apply::ApplyError;
use crate::clock;
use crate::plan::Alone;
use crate::shared::{Interrupted, Shared};
use broker::Delivery;
use runtime::chain;
use schema::{DeliveryId, ENVELOPE_VERSION, Event, EventsMessage, MessageId};
use store::quarantine::QuarantineRow;
use uuid::Uuid;

/// What quarantined rows of this binary are in: an [`EventsMessage`], which can be published to an events queue again.
const FORMAT: &str = "events_message";

/// Puts away a message that cannot be read, or that keeps coming back.
pub(crate) async fn put_message(
    shared: &Shared,
    delivery: &Delivery,
    reason: &str,
) -> Result<(), Interrupted> {
    tracing::warn!(
        error = reason,
        queue = delivery.queue.name(""),
        "a message goes to quarantine"
    );
    let correlation = delivery.correlation.as_deref().unwrap_or_default();
    // The broker repeats the id, so a second attempt at this message is the same row.
    let id = DeliveryId(
        delivery
            .message_id
            .unwrap_or_else(|| content_id(&delivery.body)),
    );
    put(shared, id, "", reason, &delivery.body, correlation).await
}

/// Puts away one fact that the store refuses for good.
pub(crate) async fn put_fact(
    shared: &Shared,
    alone: &Alone,
    refused: &ApplyError,
) -> Result<(), Interrupted> {
    let reason = chain(refused);
    tracing::warn!(
        error = reason,
        subject = alone.subject(),
        "a fact that the store refuses goes to quarantine"
    );
    let (mut events, mut agents) = (Vec::new(), Vec::new());
    match alone {
        Alone::Session(session) => events.extend(session.facts.iter().map(|fact| Event {
            tenant: session.tenant.clone(),
            interaction: session.interaction.clone(),
            fact: fact.clone(),
        })),
        Alone::Agent(agent) => agents.clone_from(&agent.events),
    }
    let message = EventsMessage {
        v: ENVELOPE_VERSION,
        id: MessageId::generate(),
        correlation: "quarantine".into(),
        job: alone.job(),
        events,
        agents,
    };
    // What was decoded a moment ago can be encoded; if not, the reason alone must do.
    let raw = message.encode().unwrap_or_default();
    let content = format!("{:?}{:?}", message.events, message.agents);
    let id = DeliveryId(content_id(content.as_bytes()));
    put(
        shared,
        id,
        alone.tenant().as_str(),
        &reason,
        &raw,
        "quarantine",
    )
    .await
}

async fn put(
    shared: &Shared,
    id: DeliveryId,
    tenant: &str,
    reason: &str,
    raw: &[u8],
    correlation: &str,
) -> Result<(), Interrupted> {
    let row = QuarantineRow {
        tenant,
        subscription: "",
        delivery_id: id,
        item_index: 0,
        stage: "compute",
        format: FORMAT,
        reason,
        field: None,
        value: None,
        expected: None,
        raw,
        // Facts are no personal data.
        raw_key: None,
        received_at: clock::now(),
        correlation,
        // The message in `raw` says it itself.
        job: None,
    };
    let write = || async {
        let mut client = shared.applier.store().client().await?;
        let transaction = client.transaction().await?;
        store::quarantine::insert(&transaction, std::slice::from_ref(&row)).await?;
        transaction.commit().await?;
        Ok(())
    };
    match shared.patiently(write).await? {
        Ok(()) => {
            shared.meters.quarantined.inc();
            Ok(())
        }
        // Even the quarantine refuses it: giving it back would only bring it again.
        Err(error) => Err(Interrupted::Fatal(Box::new(error))),
    }
}

/// The same content has the same id, so that repeated attempts leave one row.
fn content_id(content: &[u8]) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, content)
}
