//! What is to become of every item of a batch, as far as the bytes alone decide it. Pure.

use super::facts::{agent_bytes, text_bytes};
use super::message::{Lane, Message, Stage};
use adapter::{ItemError, Mapped, Mappings, Outcome, Split};
use runtime::Secret;
use schema::{
    AgentFact, AgentStatement, BodyFormat, DeliveryId, PART_ID_BYTES_MAX, RawDelivery, Track,
    UtcMicros,
};
use std::borrow::Cow;
use std::fmt;
use uuid::Uuid;

/// 2000-01-01T00:00:00Z: nothing older is plausible, and no partition would take it.
const EARLIEST: UtcMicros = UtcMicros(946_684_800_000_000);
/// A day in microseconds.
const DAY: i64 = 86_400 * 1_000_000;
/// How far an event may be dated after its reception.
const AHEAD_DAYS: i64 = 7;
/// How far what is planned may lie after its reception, and the end of any state that states one.
const PLANNED_DAYS: i64 = 400;
/// How far a plan itself may be dated after its reception: the log has months for so long.
const LOGGED_DAYS: i64 = 31;
/// Longer ids are no ids.
const ID_BYTES_MAX: usize = 1_000;
/// The most text of one statement. Real ones have some hundred bytes; this one can travel and be kept.
const FACT_BYTES_MAX: usize = 64 * 1024;
/// So many bad items of one delivery are refused one by one; more of them are refused together, with the body as a whole. A refusal takes
/// some hundred bytes, and the smallest item two of the body.
const REFUSED_MAX: usize = 10_000;
/// How much of a value is shown.
const VALUE_CHARS_MAX: usize = 200;

/// A delivery of the batch, with what the store needs to know about it.
#[derive(Debug)]
pub struct Origin<'a> {
    /// The index of its message in the batch.
    pub message: usize,
    /// Its lane.
    pub lane: Lane,
    /// The delivery.
    pub delivery: &'a RawDelivery,
    /// Its format as JSON text: the log keeps it, so that a replay maps the item the same way.
    pub format: Cow<'a, str>,
    /// Items in it.
    pub received: i64,
    /// Of these, of a kind nobody asked for.
    pub ignored: i64,
}

/// An item to be logged.
pub struct Item<'a> {
    /// The index of its delivery in [`Plan::origins`].
    pub origin: usize,
    /// Its position in the delivery.
    pub index: i32,
    /// Its exact bytes, or these sealed, see [`Plan::raw_key`].
    pub raw: Cow<'a, [u8]>,
    /// What it states.
    pub mapped: Mapped,
    /// The key under which the log keeps it once.
    pub key: Uuid,
}

/// Without the bytes, which are personal data.
impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("origin", &self.origin)
            .field("index", &self.index)
            .field("key", &self.key)
            .field("raw_bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

/// An item to be quarantined.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused<'a> {
    /// The index of its delivery in [`Plan::origins`].
    pub origin: usize,
    /// Its position in the delivery; -1 for the body as a whole.
    pub index: i32,
    /// Its exact bytes, or these sealed, see [`Plan::raw_key`].
    pub raw: Cow<'a, [u8]>,
    /// Where it failed.
    pub stage: Stage,
    /// A sentence.
    pub reason: String,
    /// The field, the value found there and what is allowed, where it is about one.
    pub field: Option<(String, String, String)>,
    /// How many items are refused by it: more than one where a body has too many bad ones to hold each.
    pub items: i64,
}

/// An item of a kind that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The index of its delivery in [`Plan::origins`].
    pub origin: usize,
    /// Its position in the delivery.
    pub index: i32,
    /// The kind, as the platform names it.
    pub kind: String,
}

/// Without the bytes and the value found, which may be personal.
impl fmt::Debug for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("origin", &self.origin)
            .field("index", &self.index)
            .field("stage", &self.stage)
            .field("reason", &self.reason)
            .field("raw_bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

/// What is to become of a batch.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// The deliveries.
    pub origins: Vec<Origin<'a>>,
    /// What is to be logged.
    pub items: Vec<Item<'a>>,
    /// What is to be quarantined.
    pub refused: Vec<Refused<'a>>,
    /// What is only counted.
    pub ignored: Vec<Ignored>,
    /// The key that all raw bytes in it are sealed under, once they are.
    pub raw_key: Option<String>,
}

/// Splits and maps a batch. `storable` says whether the store keeps events of an instant at all.
pub fn plan<'a>(
    messages: &'a [Message],
    mappings: &Mappings,
    storable: &dyn Fn(UtcMicros) -> bool,
) -> Plan<'a> {
    let mut plan = Plan::default();
    let mut formats: Vec<(&BodyFormat, String)> = Vec::new();
    for (message, content) in messages.iter().enumerate() {
        for delivery in &content.deliveries {
            let format = format_text(&mut formats, &delivery.format);
            plan.origins.push(Origin {
                message,
                lane: content.lane,
                delivery,
                format,
                received: 0,
                ignored: 0,
            });
            match &content.whole {
                Some(whole) => plan.whole(whole.stage, whole.reason.clone()),
                None => plan.delivery(mappings, storable),
            }
        }
    }
    plan
}

/// The JSON text of a format; batches have very few different ones.
fn format_text<'a>(
    known: &mut Vec<(&'a BodyFormat, String)>,
    format: &'a BodyFormat,
) -> Cow<'a, str> {
    match format {
        BodyFormat::GenesysWebhook => Cow::Borrowed("\"genesys_webhook\""),
        BodyFormat::GenesysDetails => Cow::Borrowed("\"genesys_details\""),
        BodyFormat::CxoneContacts => Cow::Borrowed("\"cxone_contacts\""),
        BodyFormat::GenesysUserDetails => Cow::Borrowed("\"genesys_user_details\""),
        BodyFormat::GenesysSchedules => Cow::Borrowed("\"genesys_schedules\""),
        BodyFormat::CxoneContactStates => Cow::Borrowed("\"cxone_contact_states\""),
        BodyFormat::CxoneDigital => Cow::Borrowed("\"cxone_digital\""),
        BodyFormat::CxoneAgentStates => Cow::Borrowed("\"cxone_agent_states\""),
        BodyFormat::CxoneCallDetail { .. }
        | BodyFormat::CxoneAgentStateLog { .. }
        | BodyFormat::Mapped { .. } => {
            if let Some((_, text)) = known.iter().find(|(found, _)| *found == format) {
                return Cow::Owned(text.clone());
            }
            // A unit-or-text enum always has a JSON text.
            let text = serde_json::to_string(format).unwrap_or_default();
            known.push((format, text.clone()));
            Cow::Owned(text)
        }
    }
}

impl<'a> Plan<'a> {
    /// The newest delivery goes to quarantine as one item.
    fn whole(&mut self, stage: Stage, reason: String) {
        let origin = self.origins.len().saturating_sub(1);
        let Some(last) = self.origins.last_mut() else {
            return;
        };
        last.received = 1;
        self.refused.push(Refused {
            origin,
            index: -1,
            raw: Cow::Borrowed(&last.delivery.body),
            stage,
            reason,
            field: None,
            items: 1,
        });
    }

    /// Splits and maps the newest delivery.
    fn delivery(&mut self, mappings: &Mappings, storable: &dyn Fn(UtcMicros) -> bool) {
        let origin = self.origins.len().saturating_sub(1);
        let Some(last) = self.origins.last() else {
            return;
        };
        let delivery: &'a RawDelivery = last.delivery;
        let items = match adapter::split_with(&delivery.format, &delivery.body, mappings) {
            Split::Items(items) => items,
            Split::Unreadable { reason } => {
                return self.whole(Stage::Split, reason.to_string());
            }
        };
        let before = self.refused.len();
        // Those beyond the bound, or all once there are so many.
        let mut together = 0;
        let mut ignored = 0;
        let received = i64::try_from(items.len()).unwrap_or(i64::MAX);
        for item in items {
            let index = i32::try_from(item.index).unwrap_or(i32::MAX);
            let outcome = adapter::map(&delivery.format, &item.raw, mappings)
                .and_then(|outcome| acceptable(outcome, delivery.received_at, storable));
            match outcome {
                Ok(Outcome::Ignored { kind }) => {
                    ignored += 1;
                    self.ignored.push(Ignored {
                        origin,
                        index,
                        kind,
                    });
                }
                Ok(Outcome::Mapped(mapped)) => {
                    let key = adapter::log_key(
                        &delivery.subscription,
                        &mapped.event_id,
                        mapped.at,
                        &mapped.digest,
                    );
                    self.items.push(Item {
                        origin,
                        index,
                        raw: item.raw,
                        mapped,
                        key,
                    });
                }
                Err(_) if together > 0 => together += 1,
                Err(error) => self.refused.push(Refused {
                    origin,
                    index,
                    raw: item.raw,
                    stage: Stage::Map,
                    reason: shortened(&error.to_string(), 3 * VALUE_CHARS_MAX),
                    field: Some((error.field, error.value, error.expected)),
                    items: 1,
                }),
            }
            if self.refused.len() - before > REFUSED_MAX {
                together = i64::try_from(self.refused.len() - before).unwrap_or(i64::MAX);
                self.refused.truncate(before + 1);
            }
        }
        if together > 0
            && let Some(first) = self.refused.get_mut(before)
        {
            // What can be read has been taken out of it; released, it is a copy.
            let reason = format!(
                "{together} of its {received} items cannot be read; the first, at {}: {}",
                first.index, first.reason
            );
            *first = Refused {
                origin,
                index: -1,
                raw: Cow::Borrowed(&delivery.body),
                stage: Stage::Split,
                reason: shortened(&reason, 3 * VALUE_CHARS_MAX),
                field: None,
                items: together,
            };
        }
        if let Some(last) = self.origins.last_mut() {
            last.received = received;
            last.ignored = ignored;
        }
    }

    /// Puts a key, made under this secret, in the place of each customer's identity.
    pub fn key_customers(&mut self, secret: &Secret) {
        for item in &mut self.items {
            if let Some(origin) = self.origins.get(item.origin) {
                let secret = secret.expose().as_bytes();
                let stated = &mut item.mapped.stated;
                stated.key_customer(secret, &origin.delivery.tenant);
            }
        }
    }

    /// An item that the store refused, turned into one for quarantine.
    pub fn refuse(item: &Item<'a>, reason: &str) -> Refused<'a> {
        Refused {
            origin: item.origin,
            index: item.index,
            raw: item.raw.clone(),
            stage: Stage::Store,
            reason: shortened(reason, 3 * VALUE_CHARS_MAX),
            field: None,
            items: 1,
        }
    }

    /// The delivery that an item came in.
    pub fn delivery_of(&self, item: &Item<'_>) -> Option<DeliveryId> {
        self.origins.get(item.origin).map(|found| found.delivery.id)
    }
}

/// Instants that no partition takes, ids that no table takes and texts that no message takes are found here, not by the database or
/// the broker.
fn acceptable(
    outcome: Outcome,
    received_at: UtcMicros,
    storable: &dyn Fn(UtcMicros) -> bool,
) -> Result<Outcome, ItemError> {
    let Outcome::Mapped(mapped) = &outcome else {
        return Ok(outcome);
    };
    check_instants(mapped, received_at, storable)?;
    check_texts(mapped)?;
    Ok(outcome)
}

fn check_instants(
    mapped: &Mapped,
    received_at: UtcMicros,
    storable: &dyn Fn(UtcMicros) -> bool,
) -> Result<(), ItemError> {
    let of_agent = mapped.stated.agent().map_or(&[][..], |(_, facts)| facts);
    let within = |at: UtcMicros, days: i64| {
        at >= EARLIEST && at <= UtcMicros(received_at.0.saturating_add(days * DAY))
    };
    let planned = !of_agent.is_empty() && of_agent.iter().all(is_plan);
    let (logged, begins) = if planned {
        (LOGGED_DAYS, PLANNED_DAYS)
    } else {
        (AHEAD_DAYS, AHEAD_DAYS)
    };
    // Each fact may make the session's first instant, whatever else came in its batch.
    let facts = mapped.stated.facts().iter().map(|fact| fact.at);
    let mut kept = std::iter::once(mapped.at).chain(facts);
    if let Some(at) = kept.find(|at| !within(*at, logged) || !storable(*at)) {
        return Err(implausible("timestamp", at, logged));
    }
    // Facts about agents lie in no month of the store.
    let mut stated = of_agent.iter().map(|fact| fact.at);
    if let Some(at) = stated.find(|at| !within(*at, begins)) {
        return Err(implausible("timestamp", at, begins));
    }
    let mut ends = of_agent.iter().filter_map(|fact| fact.until);
    match ends.find(|until| !within(*until, PLANNED_DAYS)) {
        Some(until) => Err(implausible("until", until, PLANNED_DAYS)),
        None => Ok(()),
    }
}

fn implausible(field: &str, at: UtcMicros, days: i64) -> ItemError {
    ItemError::described(
        field,
        format!("{} ms since 1970", at.millis()),
        format!("an instant from the year 2000 to {days} days after reception"),
    )
}

/// What is planned lies ahead; everything else has happened.
fn is_plan(fact: &AgentFact) -> bool {
    let AgentStatement {
        presence, routing, ..
    } = &fact.statement;
    fact.statement.states(Track::Schedule) && presence.is_none() && routing.is_none()
}

fn check_texts(mapped: &Mapped) -> Result<(), ItemError> {
    let event = ("event_id", mapped.event_id.as_str(), ID_BYTES_MAX);
    let interaction = mapped.stated.interaction();
    let interaction = interaction.map(|id| ("interaction_id", id.as_str(), ID_BYTES_MAX));
    let parts = mapped.stated.key_texts();
    let parts = parts.map(|(field, id)| (field, id, PART_ID_BYTES_MAX));
    for (field, id, most) in std::iter::once(event).chain(interaction).chain(parts) {
        if id.len() > most || id.contains('\0') {
            return Err(ItemError::new(
                field,
                id,
                format!("at most {most} bytes, without U+0000"),
            ));
        }
    }
    let sizes = mapped.stated.facts().iter().map(text_bytes);
    let of_agent = mapped
        .stated
        .agent()
        .map_or(0, |(agent, _)| agent_bytes(agent));
    match sizes
        .chain([of_agent])
        .find(|bytes| *bytes > FACT_BYTES_MAX)
    {
        Some(bytes) => Err(ItemError::described(
            "(item)",
            format!("{bytes} bytes of text in one statement"),
            format!("at most {FACT_BYTES_MAX}"),
        )),
        None => Ok(()),
    }
}

/// At most so many characters.
fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests;
