//! A page of the log, mapped again: pure.

use super::bytes::{SealedError, WithoutBytes, opened};
use adapter::{Mappings, Outcome, Stated};
use runtime::Secret;
use runtime::seal::SealKeys;
use schema::{
    AgentEvent, BodyFormat, CorrelationId, ENVELOPE_VERSION, Event, EventsMessage, FactKey, JobRef,
    MessageId, PART_ID_BYTES_MAX, TenantId,
};
use std::collections::HashMap;
use store::event_log::StoredEvent;

/// The most facts in a message.
const FACTS_MAX: usize = 500;

/// What a page of the log became.
#[derive(Debug, Default, PartialEq)]
pub struct Page {
    /// The messages to publish.
    pub messages: Vec<EventsMessage>,
    /// How many facts they hold.
    pub facts: u64,
    /// Events of a kind that nobody asks for any more.
    pub ignored: u64,
    /// Events that cannot be mapped any more, each with what is wrong. They stay in the log.
    pub unmapped: Vec<String>,
    /// Events whose bytes are no more there.
    pub without_bytes: WithoutBytes,
}

impl Page {
    /// A message with room for so many facts, or for one where they are more than a message holds. The first of them is of this row and
    /// has this key.
    fn room(
        &mut self,
        facts: usize,
        row: &StoredEvent,
        key: &FactKey,
        job: JobRef,
    ) -> &mut EventsMessage {
        let full = self.messages.last().is_none_or(|last| {
            let held = last.events.len() + last.agents.len();
            held >= FACTS_MAX || facts <= FACTS_MAX && held + facts > FACTS_MAX
        });
        if full {
            self.messages.push(message(row, key, job));
        }
        let last = self.messages.len() - 1;
        &mut self.messages[last]
    }

    /// Puts facts into messages: those about one interaction, or one agent, side by side. Whoever computes has each in hand once a page
    /// then, and not once for each of its facts; what comes of them is the same in every order.
    fn fill(&mut self, mapped: Vec<(&StoredEvent, Stated)>, job: JobRef) {
        let mut places: HashMap<(&str, String), usize> = HashMap::new();
        let mut groups: Vec<Vec<(&StoredEvent, Stated)>> = Vec::new();
        for (row, stated) in mapped {
            let key = (row.tenant.as_str(), stated.subject().into_owned());
            let place = *places.entry(key).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => group.push((row, stated)),
                None => groups.push(vec![(row, stated)]),
            }
        }
        for group in groups {
            let mut left = group.iter().map(|(_, stated)| count(stated)).sum();
            for (row, stated) in group {
                let tenant = TenantId::new(&row.tenant);
                match stated {
                    Stated::Interaction {
                        interaction, facts, ..
                    } => {
                        for fact in facts {
                            let room = self.room(left, row, &fact.key, job);
                            room.events.push(Event {
                                tenant: tenant.clone(),
                                interaction: interaction.clone(),
                                fact,
                            });
                            self.facts += 1;
                            left -= 1;
                        }
                    }
                    Stated::Agent { agent, facts } => {
                        for fact in facts {
                            let room = self.room(left, row, &fact.key, job);
                            room.agents.push(AgentEvent {
                                tenant: tenant.clone(),
                                agent: agent.clone(),
                                fact,
                            });
                            self.facts += 1;
                            left -= 1;
                        }
                    }
                }
            }
        }
    }
}

fn count(stated: &Stated) -> usize {
    match stated {
        Stated::Interaction { facts, .. } => facts.len(),
        Stated::Agent { facts, .. } => facts.len(),
    }
}

/// Maps rows of the log again. The same rows give the same messages, ids included.
///
/// `customers`: the secret that customers' identities are hashed under; without it no fact has a customer's key. `keys`: what the rows' bytes
/// may be sealed under.
pub fn page(
    rows: &[StoredEvent],
    mappings: &Mappings,
    customers: Option<&Secret>,
    keys: Option<&SealKeys>,
    job: JobRef,
) -> Result<Page, PageError> {
    let mut page = Page::default();
    let mut found = Vec::with_capacity(rows.len());
    let mut format: Option<(&str, BodyFormat)> = None;
    for row in rows {
        // Rows of one source lie together, so the format is parsed once for many.
        let known = match format.take() {
            Some((text, parsed)) if text == row.format => (text, parsed),
            _ => {
                let parsed = serde_json::from_str(&row.format).map_err(|source| FormatError {
                    format: row.format.clone(),
                    source,
                })?;
                (row.format.as_str(), parsed)
            }
        };
        let (_, parsed) = format.insert(known);
        let raw = match opened(row, keys)? {
            Ok(raw) => raw,
            Err(gone) => {
                page.without_bytes.add(gone);
                continue;
            }
        };
        match adapter::map(parsed, &raw, mappings) {
            Ok(Outcome::Ignored { .. }) => page.ignored += 1,
            Err(error) => page
                .unmapped
                .push(format!("{} of {}: {error}", row.event_id, row.subscription)),
            Ok(Outcome::Mapped(mut mapped)) => {
                if let Some((field, id)) = too_long(&mapped.stated) {
                    let (event, source) = (&row.event_id, &row.subscription);
                    page.unmapped.push(format!(
                        "{event} of {source}: {field} has {} bytes, allowed are {PART_ID_BYTES_MAX}",
                        id.len()
                    ));
                    continue;
                }
                if let Some(secret) = customers {
                    let tenant = TenantId::new(&row.tenant);
                    let secret = secret.expose().as_bytes();
                    mapped.stated.key_customer(secret, &tenant);
                }
                found.push((row, mapped.stated));
            }
        }
    }
    page.fill(found, job);
    Ok(page)
}

/// An id that no key of the store takes. `ingest` quarantines what has one; an earlier release has logged it.
fn too_long(stated: &Stated) -> Option<(&'static str, &str)> {
    stated
        .key_texts()
        .find(|(_, id)| id.len() > PART_ID_BYTES_MAX)
}

/// An empty message, with an id of what comes first.
fn message(first: &StoredEvent, key: &FactKey, job: JobRef) -> EventsMessage {
    EventsMessage {
        v: ENVELOPE_VERSION,
        id: MessageId(adapter::stable_id(&[
            job.id.0.as_bytes(),
            first.log_key.as_bytes(),
            key.as_str().as_bytes(),
        ])),
        correlation: CorrelationId::new(format!("job-{}", job.id)),
        job: Some(job),
        events: Vec::new(),
        agents: Vec::new(),
    }
}

/// A page cannot be mapped as a whole.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A row's format is unknown.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A row's bytes are sealed under a key that is not at hand.
    #[error(transparent)]
    Sealed(#[from] SealedError),
}

/// A row of the log has a format that this release does not know.
#[derive(Debug, thiserror::Error)]
#[error("the log holds events of format {format}, which this release does not know")]
pub struct FormatError {
    format: String,
    source: serde_json::Error,
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::seal::generated;
    use schema::{DeliveryId, JobId, MetricVersion, UtcMicros};
    use store::raw::{Gone, Raw};
    use uuid::Uuid;

    fn row(number: u128, raw: &str) -> StoredEvent {
        StoredEvent {
            log_key: Uuid::from_u128(number),
            occurred_at: UtcMicros(i64::try_from(number).unwrap()),
            tenant: "acme".to_owned(),
            subscription: "hook".to_owned(),
            event_id: format!("e{number}"),
            interaction_id: "i".to_owned(),
            format: "\"genesys_webhook\"".to_owned(),
            delivery_id: DeliveryId(Uuid::nil()),
            received_at: UtcMicros(0),
            raw: Raw::Plain(raw.as_bytes().to_vec()),
        }
    }

    fn event(number: u128) -> StoredEvent {
        row(
            number,
            &format!(
                "{{\"timestamp\":\"2024-05-15T14:32:10Z\",\"data\":{{\"event_id\":\"e{number}\",\"interaction_id\":\"i{number}\",\"state\":\"queued\"}}}}"
            ),
        )
    }

    fn job() -> JobRef {
        JobRef {
            id: JobId(Uuid::from_u128(7)),
            version: MetricVersion(2),
        }
    }

    #[test]
    fn facts_go_out_in_bounded_messages_tagged_with_the_job() {
        let rows: Vec<StoredEvent> = (0..1201).map(event).collect();
        let page = page(&rows, &Mappings::none(), None, None, job()).unwrap();
        assert_eq!(page.facts, 1201);
        let sizes: Vec<usize> = page
            .messages
            .iter()
            .map(|message| message.events.len())
            .collect();
        assert_eq!(sizes, [500, 500, 201]);
        assert!(
            page.messages
                .iter()
                .all(|message| message.job == Some(job()))
        );
        assert_eq!(page.messages[0].events[3].tenant.as_str(), "acme");
        assert_eq!(page.messages[0].events[3].interaction.as_str(), "i3");
    }

    #[test]
    fn facts_of_both_kinds_share_the_bound_of_a_message() {
        let state = |number: u128| {
            row(
                number,
                &format!(
                    "{{\"topicName\":\"v2.users.u{number}.presence\",\"eventBody\":{{\"primary\":true,\"presenceDefinition\":{{\"systemPresence\":\"BUSY\"}},\"modifiedDate\":\"2024-05-15T14:32:10Z\"}}}}"
                ),
            )
        };
        let rows: Vec<StoredEvent> = (0..600)
            .map(|n| if n % 2 == 0 { event(n) } else { state(n) })
            .collect();
        let page = page(&rows, &Mappings::none(), None, None, job()).unwrap();
        assert_eq!(page.facts, 600);
        let sizes: Vec<(usize, usize)> = page
            .messages
            .iter()
            .map(|message| (message.events.len(), message.agents.len()))
            .collect();
        assert_eq!(sizes, [(250, 250), (50, 50)]);
        assert_eq!(page.messages[0].agents[0].agent.id.as_str(), "u1");
        assert_eq!(page.messages[0].agents[0].tenant.as_str(), "acme");
        assert_ne!(page.messages[0].id, page.messages[1].id);
    }

    #[test]
    fn the_same_rows_give_the_same_messages() {
        let rows: Vec<StoredEvent> = (0..700).map(event).collect();
        let once = page(&rows, &Mappings::none(), None, None, job()).unwrap();
        assert_eq!(
            once,
            page(&rows, &Mappings::none(), None, None, job()).unwrap()
        );
        assert_ne!(once.messages[0].id, once.messages[1].id);
    }

    #[test]
    fn what_maps_no_more_is_counted_and_named_and_stops_nothing() {
        let rows = [
            event(1),
            row(2, "{}"),
            row(3, "{\"topicName\":\"channel.metadata\",\"eventBody\":{}}"),
            event(4),
        ];
        let page = page(&rows, &Mappings::none(), None, None, job()).unwrap();
        assert_eq!((page.facts, page.ignored), (2, 1));
        assert_eq!(
            page.unmapped,
            ["e2 of hook: data is missing; expected an object"]
        );
    }

    #[test]
    fn an_id_that_no_key_of_the_store_takes_is_not_sent() {
        let called = |agent: &str| {
            let mut row = event(2);
            let Raw::Plain(raw) = row.raw else {
                panic!("sealed")
            };
            let raw = String::from_utf8(raw)
                .unwrap()
                .replace(
                    "\"state\"",
                    &format!(
                        "\"participants\":[{{\"id\":\"{agent}\",\"type\":\"agent\"}}],\"state\""
                    ),
                )
                .into_bytes();
            row.raw = Raw::Plain(raw);
            row
        };
        let rows = [event(1), called(&"a".repeat(501)), called(&"a".repeat(500))];
        let page = page(&rows, &Mappings::none(), None, None, job()).unwrap();
        assert_eq!(page.facts, 2);
        assert_eq!(
            page.unmapped,
            ["e2 of hook: agent_id has 501 bytes, allowed are 500"]
        );
    }

    #[test]
    fn one_record_of_the_log_may_hold_many_facts() {
        let mut details = row(
            1,
            r#"{"conversationId":"c","conversationStart":"2026-01-01T00:00:00Z","participants":[{"purpose":"acd","sessions":[{"sessionId":"s"}]}]}"#,
        );
        details.format = "\"genesys_details\"".to_owned();
        let page = page(&[event(9), details], &Mappings::none(), None, None, job()).unwrap();
        assert_eq!(page.facts, 3);
    }

    #[test]
    fn bytes_that_are_gone_are_counted_and_those_that_are_sealed_are_opened() {
        let file = generated("k").unwrap();
        let keys = SealKeys::parse("f", file.expose()).unwrap();
        let mut sealed = event(1);
        let Raw::Plain(bytes) = &sealed.raw else {
            panic!("sealed")
        };
        let place = runtime::seal::RawPlace {
            tenant: "acme",
            subscription: "hook",
            delivery: [0; 16],
        };
        let bytes = keys.sealer().unwrap().seal(&place, bytes).unwrap();
        sealed.raw = Raw::Sealed {
            key: "k".to_owned(),
            bytes,
        };
        let gone = |number, why| StoredEvent {
            raw: Raw::Gone(why),
            ..event(number)
        };
        let rows = [
            sealed,
            gone(2, Gone::Expired),
            gone(3, Gone::Erased),
            gone(4, Gone::Erased),
            event(5),
        ];
        let none = Mappings::none();
        let found = page(&rows, &none, None, Some(&keys), job()).unwrap();
        assert_eq!((found.facts, found.unmapped.len()), (2, 0));
        let (expired, erased) = (1, 2);
        assert_eq!(found.without_bytes, WithoutBytes { expired, erased });
        // The key is named, and so is what to do.
        let error = page(&rows, &none, None, None, job()).unwrap_err();
        let text = runtime::chain(&error);
        assert!(
            text.contains("event e1") && text.contains("the key k"),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_format_is_an_error_and_not_a_loss() {
        let mut strange = event(1);
        strange.format = "\"morse\"".to_owned();
        assert!(
            page(&[strange], &Mappings::none(), None, None, job())
                .unwrap_err()
                .to_string()
                .contains("morse")
        );
    }
}
