//! Golden cases: one folder each under `tests/golden/`, to be read and checked by someone who does not read Rust.
//!
//! - `story.txt` says what happened and what must come of it;
//! - `events.json` (the guide's webhook envelopes, in the order of their delivery) or `record.json` (conversation records);
//! - `*.toml`, where the case has definitions (and `schedule.*.toml`, schedules) of its own in place of the shipped one of that name;
//! - `metrics.txt`: what every definition of the catalogue gives;
//! - `expected.json`, of the oldest cases: the six oldest metrics as the first release gave them. Nothing rewrites these files.
//!
//! Each case is folded in every order of delivery that there is (up to 40,320). `KPILINE_GOLDEN=rewrite` writes the `metrics.txt` files
//! anew; a change of them is a change of behaviour and is reviewed as one.

use adapter::{Mappings, Outcome, Split, guide};
use kpi::{Catalogue, Definition, Library, MetricValue, Scope, Subject, Unit};
use schema::{BodyFormat, Fact};
use serde_json::{Map, Value, json};
use session::Session;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use timezone::{Places, Schedule};

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
            Outcome::Mapped(mapped) => mapped.stated.facts().to_vec(),
            Outcome::Ignored { kind } => panic!("{}: {kind} is ignored", case.display()),
        }
    });
    facts.collect()
}

/// The shipped catalogue, with the case's own definitions in the place of the shipped ones of the same names.
fn catalogue(case: &Path) -> Catalogue {
    let mut own: Vec<PathBuf> = fs::read_dir(case)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    own.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let (schedules, definitions): (Vec<PathBuf>, Vec<PathBuf>) = own
        .into_iter()
        .partition(|path| name(path).starts_with("schedule."));
    let shipped = Library::shipped();
    let schedules = schedules
        .iter()
        .map(|path| Schedule::read(&fs::read_to_string(path).unwrap()).unwrap())
        .chain(
            shipped
                .schedules()
                .map(|schedule| schedule.as_ref().clone()),
        );
    let library = Library::new(schedules.collect::<Vec<_>>(), Places::empty());
    let mut all = Catalogue::shipped().definitions().to_vec();
    for path in definitions {
        let text = fs::read_to_string(&path).unwrap();
        let definition = Definition::read(&name(&path), &text, &library).unwrap();
        let place = all
            .iter()
            .position(|shipped| shipped.name() == definition.name());
        all[place.unwrap()] = Arc::new(definition);
    }
    Catalogue::new(all, library)
}

fn fold<'a>(deliveries: impl IntoIterator<Item = &'a Vec<Fact>>) -> Session {
    let mut session = Session::default();
    for fact in deliveries.into_iter().flatten() {
        session.insert(fact.clone());
    }
    session
}

fn metrics(session: &Session, catalogue: &Catalogue) -> Vec<MetricValue> {
    let timeline = session.timeline();
    let subject = Subject {
        tenant: "golden",
        interaction: "int_golden",
        timeline: &timeline,
        swept: false,
    };
    let mut values = Vec::new();
    catalogue.evaluate(&subject, &mut values);
    values
}

/// The six oldest metrics as `expected.json` has them: what all share once, then each with its seconds and what explains them.
fn oldest(values: &[MetricValue]) -> Value {
    let Some(first) = values.first() else {
        return json!("no metrics: the interaction has not ended");
    };
    let metrics: Map<String, Value> = values[..6]
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
            (value.metric.to_string(), Value::Object(shown))
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

/// Every metric as `metrics.txt` has it: a line each, the value with its unit, and what explains it.
fn readable(values: &[MetricValue]) -> String {
    let Some(first) = values.first() else {
        return "no metrics: the interaction has not ended\n".to_owned();
    };
    let name = |name: Option<&str>| name.unwrap_or("-").to_owned();
    let mut text = format!(
        "began {}, {}, first agent {}, first queue {}\n\n",
        first.timestamp,
        first.metadata.outcome.unwrap_or("no end known"),
        name(first.agent.as_ref().map(schema::AgentId::as_str)),
        name(first.queue.as_ref().map(schema::QueueId::as_str)),
    );
    for value in values {
        let unit = match value.metadata.unit {
            Unit::Seconds => "s",
            Unit::Count => "",
            Unit::Share => "of 1",
            Unit::Number => "(number)",
        };
        let shown = match value.value {
            Some(number) => format!("{number} {unit}").trim_end().to_owned(),
            None => "-".to_owned(),
        };
        let about = format!("{} {}", value.metric, leg(value));
        write!(text, "{about:<34}{shown:>10}").unwrap();
        let Value::Object(metadata) = Value::from(&value.metadata) else {
            panic!("metadata are an object");
        };
        let explains = |name: &str| name != "unit" && name != "outcome";
        for (name, why) in metadata.iter().filter(|(name, _)| explains(name)) {
            let why = match why {
                Value::String(why) => why.clone(),
                other => other.to_string(),
            };
            let why = if name == "reason" {
                why
            } else {
                format!("{name} {why}")
            };
            write!(text, "  {why}").unwrap();
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn leg(value: &MetricValue) -> &str {
    match &value.scope {
        Scope::Leg(leg) => leg.as_str(),
        Scope::Interaction | Scope::Journey => "",
    }
}

#[test]
fn every_case_gives_what_its_story_says() {
    let rewrite = std::env::var("KPILINE_GOLDEN").is_ok_and(|value| value == "rewrite");
    for case in cases() {
        let found = readable(&metrics(&fold(&deliveries(&case)), &catalogue(&case)));
        let path = case.join("metrics.txt");
        if rewrite {
            fs::write(&path, &found).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap();
        assert_eq!(found, expected, "{}", case.display());
        assert!(case.join("story.txt").exists(), "{}", case.display());
    }
}

#[test]
fn the_six_oldest_metrics_are_what_the_first_release_gave() {
    let mut compared = 0;
    for case in cases() {
        let Ok(expected) = fs::read_to_string(case.join("expected.json")) else {
            continue;
        };
        let found = oldest(&metrics(&fold(&deliveries(&case)), &catalogue(&case)));
        let expected: Value = serde_json::from_str(&expected).unwrap();
        assert_eq!(found, expected, "{}", case.display());
        compared += 1;
    }
    assert_eq!(compared, 16);
}

#[test]
fn every_case_gives_the_same_in_every_order_of_delivery() {
    for case in cases() {
        let (deliveries, catalogue) = (deliveries(&case), catalogue(&case));
        // A record is one delivery; what matters of it is the order of its facts.
        let parts: Vec<Vec<Fact>> = if deliveries.len() == 1 {
            let facts = deliveries.into_iter().flatten();
            facts.map(|fact| vec![fact]).collect()
        } else {
            deliveries
        };
        assert!(parts.len() <= 8, "{}: too many orders", case.display());
        let session = fold(&parts);
        let expected = metrics(&session, &catalogue);
        let mut orders = 0;
        permute(&mut (0..parts.len()).collect(), 0, &mut |order| {
            orders += 1;
            let other = fold(order.iter().map(|index| &parts[*index]));
            // Same session, same metrics: that evaluation is a function of the session is another test's business.
            assert_eq!(other, session, "{} in order {order:?}", case.display());
        });
        assert_eq!(orders, (1..=parts.len()).product::<usize>());
        assert_eq!(metrics(&session, &catalogue), expected);
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
