//! What a decoder guarantees of every body, as assertions.

use crate::respell::respelled;
use adapter::{ItemError, Mapped, Mapping, Mappings, Outcome, Split, digest, map, split_with};
use schema::{BodyFormat, EventId, Fact, SubscriptionName, UtcMicros};
use std::borrow::Cow;

/// The mapping file that ships.
pub const SHIPPED: &str = include_str!("../../../deploy/mappings/cxone-interaction-events.toml");
/// A mapping with everything that the language has.
pub const WHOLE: &str = include_str!("whole-mapping.toml");

/// The most bytes that items which repeat a part of their body may take together: 64 times the body, or 16 MiB, and never beyond 128 MiB.
const UNFOLDED_FACTOR: usize = 64;
const UNFOLDED_ALWAYS: usize = 16 << 20;
const UNFOLDED_MOST: usize = 128 << 20;
/// What an item adds that is in no body: braces, a line end, the names of shared members.
const ITEM_EXTRA: usize = 64;
/// What a statement may say beyond the bytes it was read from: names of states, made ids, defaults.
const TEXT_EXTRA: usize = 1024;
/// The same text may stand in each fact, and one of an item's facts may need few bytes of it.
const FACTS_PER_BYTE: usize = 1;

/// The mappings that [`formats`] name.
pub fn mappings() -> Mappings {
    let parsed = |name, text| match Mapping::parse(name, text) {
        Ok(mapping) => mapping,
        Err(problems) => panic!("{problems:#?}"),
    };
    let attributes = ["brand", "site"].map(str::to_owned);
    Mappings::none()
        .with("shipped", parsed("shipped", SHIPPED))
        .with("whole", parsed("whole", WHOLE))
        .keeping(attributes.into())
}

/// Formats of JSON bodies.
pub fn json_formats() -> Vec<BodyFormat> {
    vec![
        BodyFormat::GenesysWebhook,
        BodyFormat::GenesysDetails,
        BodyFormat::GenesysUserDetails,
        BodyFormat::GenesysSchedules,
        BodyFormat::CxoneContacts,
        BodyFormat::CxoneContactStates,
        BodyFormat::CxoneDigital,
        BodyFormat::CxoneAgentStates,
    ]
}

/// Formats that a mapping file describes.
pub fn mapped_formats() -> Vec<BodyFormat> {
    ["shipped", "whole", "gone"]
        .map(|mapping| BodyFormat::Mapped {
            mapping: mapping.into(),
        })
        .into()
}

/// Formats of CSV bodies.
pub fn csv_formats() -> Vec<BodyFormat> {
    let zone = || "America/Denver".into();
    vec![
        BodyFormat::CxoneCallDetail { zone: zone() },
        BodyFormat::CxoneAgentStateLog { zone: zone() },
        BodyFormat::CxoneCallDetail {
            zone: "Nowhere/Atlantis".into(),
        },
    ]
}

/// Everything that must hold of a body in a format.
pub fn check_body(format: &BodyFormat, body: &[u8], mappings: &Mappings) {
    let found = split_with(format, body, mappings);
    assert_eq!(
        found,
        split_with(format, body, mappings),
        "splitting is a function"
    );
    match found {
        Split::Items(items) => {
            check_items(body, items.iter().map(|item| &item.raw));
            for (place, item) in items.iter().enumerate() {
                assert_eq!(item.index, place);
                check_item(format, &item.raw, mappings);
            }
        }
        Split::Unreadable { reason } => {
            let text = reason.to_string();
            assert!(text.len() < 1_000, "{text}");
        }
    }
    // A body may reach the mapping whole, too: what is quarantined is released as it is.
    check_item(format, body, mappings);
}

/// Borrowed items are pieces of the body, in order and apart; others take a bounded multiple of it.
fn check_items<'a>(body: &[u8], items: impl Iterator<Item = &'a Cow<'a, [u8]>>) {
    let start = body.as_ptr().addr();
    let (mut last, mut count, mut owned) = (start, 0, 0_usize);
    for item in items {
        count += 1;
        match item {
            Cow::Borrowed(raw) => {
                let at = raw.as_ptr().addr();
                assert!(at >= last && at + raw.len() <= start + body.len());
                last = at + raw.len();
            }
            Cow::Owned(raw) => owned += raw.len(),
        }
    }
    assert!(count <= body.len(), "{count} items of {} bytes", body.len());
    let most = (body.len() * UNFOLDED_FACTOR).clamp(UNFOLDED_ALWAYS, UNFOLDED_MOST);
    assert!(
        owned <= most + body.len() + count * ITEM_EXTRA,
        "{owned} bytes of items"
    );
}

/// Everything that must hold of one item.
pub fn check_item(format: &BodyFormat, raw: &[u8], mappings: &Mappings) {
    let outcome = map(format, raw, mappings);
    assert_eq!(outcome, map(format, raw, mappings), "mapping is a function");
    match &outcome {
        Ok(Outcome::Mapped(mapped)) => check_mapped(raw, mapped),
        Ok(Outcome::Ignored { kind }) => assert!(kind.len() <= raw.len() * 3 + TEXT_EXTRA),
        Err(error) => check_error(raw, error),
    }
    let is_csv = matches!(
        format,
        BodyFormat::CxoneCallDetail { .. } | BodyFormat::CxoneAgentStateLog { .. }
    );
    if !is_csv && serde_json::from_slice::<serde_json::Value>(raw).is_ok() {
        let other = respelled(raw);
        assert_eq!(
            digest(raw),
            digest(&other),
            "{}",
            String::from_utf8_lossy(&other)
        );
        // A refusal may quote the item.
        if outcome.is_ok() {
            assert_eq!(
                outcome,
                map(format, &other, mappings),
                "{}",
                String::from_utf8_lossy(&other)
            );
        }
    }
}

fn check_error(raw: &[u8], error: &ItemError) {
    assert!(error.value.chars().count() <= 200, "{error:?}");
    assert!(!error.value.contains('\0'), "{error:?}");
    assert!(
        !error.field.is_empty() && !error.expected.is_empty(),
        "{error:?}"
    );
    // A path is made of names of the item, each with a place in a list.
    assert!(error.field.len() <= raw.len() * 2 + TEXT_EXTRA, "{error:?}");
    assert!(
        error.expected.len() <= raw.len() + 2 * TEXT_EXTRA,
        "{error:?}"
    );
}

fn check_mapped(raw: &[u8], mapped: &Mapped) {
    let most = raw.len() * 3 + TEXT_EXTRA;
    assert!(!mapped.event_id.as_str().is_empty());
    assert!(mapped.event_id.as_str().len() <= most);
    let subscription = SubscriptionName::new("fuzz");
    let key = |at: UtcMicros, id: &EventId| adapter::log_key(&subscription, id, at, &mapped.digest);
    assert_eq!(
        key(mapped.at, &mapped.event_id),
        key(mapped.at, &mapped.event_id)
    );
    let facts = mapped.stated.facts();
    let of_agent = mapped.stated.agent().map_or(0, |(_, facts)| facts.len());
    assert!(
        !facts.is_empty() || of_agent > 0,
        "what is mapped states something"
    );
    assert!(facts.len() + of_agent <= raw.len() * FACTS_PER_BYTE);
    for fact in facts {
        assert!(
            text_bytes(fact) <= most,
            "{} bytes of text from {}",
            text_bytes(fact),
            raw.len()
        );
    }
    for (field, text) in mapped.stated.key_texts() {
        assert!(text.len() <= most, "{field}");
    }
    let terminal = facts.iter().any(|fact| {
        let state = fact.statement.state.as_ref();
        state.is_some_and(schema::State::is_terminal)
    });
    // What an end that nobody states waits for is named beforehand, too.
    let may_be_last = facts.iter().any(|fact| fact.key.is_part());
    assert!(mapped.stated.is_terminal() == terminal || (may_be_last && !terminal));
}

/// The bytes of the texts of a fact.
fn text_bytes(fact: &Fact) -> usize {
    let statement = &fact.statement;
    let ids: usize = statement.part_ids().map(|(_, id)| id.len()).sum();
    let zone = statement
        .agent
        .as_ref()
        .and_then(|agent| agent.zone.as_deref());
    let details = statement.details.as_deref();
    let attributes = details.map_or(0, |details| {
        let attributes = details.attributes.iter();
        attributes
            .map(|(name, value)| name.len() + value.len())
            .sum()
    });
    fact.key.as_str().len()
        + ids
        + zone.map_or(0, str::len)
        + statement
            .state
            .as_ref()
            .map_or(0, |state| state.name().len())
        + statement.disposition.as_deref().map_or(0, str::len)
        + attributes
}
