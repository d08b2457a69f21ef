//! Golden cases: one folder each under `golden/`, to be read and checked by someone who does not read Rust.
//!
//! - `story.txt` says what happened and what must come of it;
//! - `events.json` (the guide's webhook envelopes, in the order of their delivery) or `record.json` (conversation records);
//! - `rules.toml`, where the case has rules of its own;
//! - `expected.json`: the metrics, in seconds, with what explains them.
//!
//! Each case is folded in every order of delivery that there is (up to 40,320). `KPILINE_GOLDEN=rewrite` writes the expected files
//! anew; a change of them is a change of behaviour and is reviewed as one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

use adapter::{Mappings, Outcome, Split, guide};
use kpi::{MetricValue, RuleBook, evaluate};
use schema::{BodyFormat, Fact, MetricVersion};
use serde_json::{Map, Value, json};
use session::Session;
use std::fs;
use std::path::{Path, PathBuf};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    cases
}

/// What was delivered: each delivery with its facts.
fn deliveries(case: &Path) -> Vec<Vec<Fact>> {
    let (format, name) = if case.join("record.json").exists() {
        (BodyFormat::GenesysDetails, "record.json")
    } else {
        (BodyFormat::GenesysWebhook, "events.json")
    };
    let body = fs::read(case.join(name)).unwrap();
    let Split::Items(items) = adapter::split(&format, &body) else {
        panic!("{}: {name} cannot be split", case.display());
    };
    let facts = items.into_iter().map(|item| {
        if format == BodyFormat::GenesysWebhook {
            return vec![guide::decode(&item.raw).unwrap().unwrap().1];
        }
        match adapter::map(&format, &item.raw, &Mappings::none()).unwrap() {
            Outcome::Mapped(mapped) => mapped.facts,
            Outcome::Ignored { kind } => panic!("{}: {kind} is ignored", case.display()),
        }
    });
    facts.collect()
}

fn rules(case: &Path) -> RuleBook {
    match fs::read_to_string(case.join("rules.toml")) {
        Ok(text) => RuleBook::from_toml(&text).unwrap(),
        Err(_) => RuleBook::builtin(),
    }
}

fn fold<'a>(deliveries: impl IntoIterator<Item = &'a Vec<Fact>>) -> Session {
    let mut session = Session::default();
    for fact in deliveries.into_iter().flatten() {
        session.insert(fact.clone());
    }
    session
}

fn metrics(session: &Session, book: &RuleBook) -> Vec<MetricValue> {
    let mut values = Vec::new();
    evaluate(
        &session.timeline(),
        book.rules(MetricVersion::FIRST),
        MetricVersion::FIRST,
        &mut values,
    );
    values
}

/// The metrics as `expected.json` has them: what all share once, then each with its seconds and what explains them.
fn readable(values: &[MetricValue]) -> Value {
    let Some(first) = values.first() else {
        return json!("no metrics: the interaction has not ended");
    };
    let metrics: Map<String, Value> = values
        .iter()
        .map(|value| {
            let mut shown = Map::new();
            shown.insert("seconds".into(), json!(value.value));
            let Value::Object(metadata) = Value::from(&value.metadata) else {
                panic!("metadata are an object");
            };
            assert_eq!(metadata["unit"], "s");
            let explains = |(name, _): &(String, Value)| name != "unit" && name != "outcome";
            shown.extend(metadata.into_iter().filter(explains));
            (value.metric.to_owned(), Value::Object(shown))
        })
        .collect();
    json!({
        "began": first.timestamp.to_string(),
        "outcome": first.metadata.outcome,
        "agent": first.agent,
        "queue": first.queue,
        "metrics": metrics,
    })
}

#[test]
fn every_case_gives_what_its_story_says() {
    let rewrite = std::env::var("KPILINE_GOLDEN").is_ok_and(|value| value == "rewrite");
    for case in cases() {
        let found = readable(&metrics(&fold(&deliveries(&case)), &rules(&case)));
        let path = case.join("expected.json");
        if rewrite {
            let text = serde_json::to_string_pretty(&found).unwrap();
            fs::write(&path, text + "\n").unwrap();
        }
        let expected: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(found, expected, "{}", case.display());
    }
}

#[test]
fn every_case_gives_the_same_in_every_order_of_delivery() {
    for case in cases() {
        let (deliveries, book) = (deliveries(&case), rules(&case));
        assert!(deliveries.len() <= 8, "{}: too many orders", case.display());
        let session = fold(&deliveries);
        let expected = metrics(&session, &book);
        let mut orders = 0;
        permute(&mut (0..deliveries.len()).collect(), 0, &mut |order| {
            orders += 1;
            let other = fold(order.iter().map(|index| &deliveries[*index]));
            // The session first: it says more when it fails.
            assert_eq!(other, session, "{} in order {order:?}", case.display());
            assert_eq!(
                metrics(&other, &book),
                expected,
                "{} in order {order:?}",
                case.display()
            );
        });
        assert_eq!(orders, (1..=deliveries.len()).product::<usize>());
    }
}

/// Every order of `items`.
fn permute(items: &mut Vec<usize>, fixed: usize, visit: &mut impl FnMut(&[usize])) {
    if fixed >= items.len() {
        return visit(items);
    }
    for index in fixed..items.len() {
        items.swap(fixed, index);
        permute(items, fixed + 1, visit);
        items.swap(fixed, index);
    }
}
