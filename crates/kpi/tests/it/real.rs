//! Real conversations through the whole catalogue: `tests/real_samples.txt` has each sample's values beside what the platform itself
//! states in the very same file, for a person to compare.
//!
//! The samples are not part of the repository; where they are absent, this says so and proves nothing. `KPILINE_GOLDEN=rewrite` writes
//! the table anew; a change of it is a change of behaviour and is reviewed as one.

use crate::call::SHIPPED;
use adapter::{Mappings, Outcome, Split, Stated};
use kpi::{MetricValue, Scope, Subject, Unit};
use schema::{BodyFormat, InteractionId};
use serde_json::Value;
use session::Session;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn samples() -> Option<Vec<PathBuf>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("KPILINE_SHARED")
        .map_or_else(|| here.join("../../../shared"), PathBuf::from);
    let folder = shared.join("platforms/genesys/samples");
    if !folder.is_dir() {
        eprintln!(
            "SKIPPED: shared samples absent (no ../shared beside the workspace, and KPILINE_SHARED names no folder)"
        );
        return None;
    }
    let mut found = Vec::new();
    for folder in [folder.clone(), folder.join("constructed")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let wanted = ["conv_", "details_job_results", "details_query"]
                .iter()
                .any(|beginning| name.starts_with(beginning));
            let is_json = path
                .extension()
                .is_some_and(|extension| extension == "json");
            if wanted && is_json {
                found.push(path);
            }
        }
    }
    found.sort();
    Some(found)
}

fn sessions(body: &[u8]) -> BTreeMap<InteractionId, Session> {
    let Split::Items(items) = adapter::split(&BodyFormat::GenesysDetails, body) else {
        panic!("a sample that cannot be split")
    };
    let mut sessions: BTreeMap<InteractionId, Session> = BTreeMap::new();
    for item in items {
        match adapter::map(&BodyFormat::GenesysDetails, &item.raw, &Mappings::none()).unwrap() {
            Outcome::Mapped(mapped) => {
                let Stated::Interaction {
                    interaction, facts, ..
                } = mapped.stated
                else {
                    panic!("not about an interaction")
                };
                let session = sessions.entry(interaction).or_default();
                for fact in facts {
                    session.insert(fact);
                }
            }
            Outcome::Ignored { kind } => panic!("ignored: {kind}"),
        }
    }
    sessions
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// The conversations of a sample in order of their ids, read without any code of ours.
fn conversations(body: &[u8]) -> BTreeMap<String, Value> {
    let value: Value = serde_json::from_slice(body).unwrap();
    let all = match value.get("conversations") {
        Some(Value::Array(list)) => list.clone(),
        _ => vec![value],
    };
    let named = all.into_iter();
    named
        .map(|one| (one["conversationId"].as_str().unwrap().to_owned(), one))
        .collect()
}

/// What the platform states, summed over all sessions by the participants' purpose and the metric's name: times in seconds.
fn stated(conversation: &Value) -> String {
    let mut sums: BTreeMap<(String, String), i64> = BTreeMap::new();
    for participant in list(conversation, "participants") {
        let purpose = participant["purpose"].as_str().unwrap_or("?");
        for session in list(participant, "sessions") {
            for metric in list(session, "metrics") {
                let name = metric["name"].as_str().unwrap().to_owned();
                let sum = sums.entry((purpose.to_owned(), name)).or_default();
                *sum += metric["value"].as_i64().unwrap_or_default();
            }
        }
    }
    let mut text = String::new();
    for ((purpose, name), sum) in sums {
        if name.starts_with('t') {
            let (seconds, millis) = (sum / 1000, sum % 1000);
            writeln!(text, "    {purpose:<10}{name:<24}{seconds}.{millis:03} s").unwrap();
        } else {
            writeln!(text, "    {purpose:<10}{name:<24}{sum}").unwrap();
        }
    }
    for name in ["conversationStart", "conversationEnd"] {
        let at = conversation[name].as_str().unwrap_or("-");
        writeln!(text, "    {name:<34}{at}").unwrap();
    }
    text
}

fn shown(row: &MetricValue) -> Option<String> {
    let unit = match row.metadata.unit {
        Unit::Seconds => " s",
        Unit::Count | Unit::Number => "",
        Unit::Share => " of 1",
    };
    Some(format!("{}{unit}", row.value?))
}

/// The rows that have a value, then the names of those that have none, by reason.
fn measured(interaction: &InteractionId, session: &Session) -> String {
    let timeline = session.timeline();
    let subject = Subject {
        tenant: "acme",
        interaction: interaction.as_str(),
        timeline: &timeline,
        swept: false,
    };
    let mut rows = Vec::new();
    SHIPPED.evaluate(&subject, &mut rows);
    if rows.is_empty() {
        return "    no rows: the conversation has not ended\n".to_owned();
    }
    let mut legs: BTreeMap<&Scope, usize> = BTreeMap::new();
    for row in &rows {
        let number = legs.len();
        legs.entry(&row.scope).or_insert(number);
    }
    let (mut text, mut absent) = (String::new(), BTreeMap::<String, Vec<String>>::new());
    for row in &rows {
        // Ids of the samples are not quoted: legs are counted.
        let name = match row.scope {
            Scope::Interaction | Scope::Journey => row.metric.to_string(),
            Scope::Leg(_) => format!("{} {}", row.metric, legs[&row.scope]),
        };
        if let Some(value) = shown(row) {
            writeln!(text, "    {name:<34}{value}").unwrap();
        } else {
            let reason = row.metadata.reason.as_ref().unwrap();
            absent.entry(reason.to_string()).or_default().push(name);
        }
    }
    for (reason, names) in absent {
        writeln!(text, "    {reason}: {}", names.join(", ")).unwrap();
    }
    text
}

#[test]
fn real_conversations_give_the_values_of_the_table() {
    let Some(samples) = samples() else { return };
    let mut found = String::from(
        "Each real sample through the catalogue: what we give, then what the platform states in the same file. Legs are counted.\n",
    );
    for path in samples {
        let body = fs::read(&path).unwrap();
        let (sessions, conversations) = (sessions(&body), conversations(&body));
        assert_eq!(sessions.len(), conversations.len());
        for (place, (interaction, session)) in sessions.iter().enumerate() {
            let name = path.file_name().unwrap().to_string_lossy();
            let platform = stated(&conversations[interaction.as_str()]);
            let ours = measured(interaction, session);
            write!(
                found,
                "\n{name}, conversation {}\n  ours\n{ours}  the platform's\n{platform}",
                place + 1
            )
            .unwrap();
        }
    }
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_samples.txt");
    if std::env::var("KPILINE_GOLDEN").is_ok_and(|value| value == "rewrite") {
        fs::write(&table, &found).unwrap();
    }
    assert_eq!(found, fs::read_to_string(&table).unwrap());
}
