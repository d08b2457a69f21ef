//! Records as the platforms gave them, through adapter, fold and rules: the figures must be those that the platform put into the
//! very same records, or the difference has a name here.
//!
//! The samples are not part of the repository; where they are absent, these tests say so and prove nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{Mappings, Outcome, Split};
use kpi::{MetricValue, RuleBook};
use schema::{BodyFormat, InteractionId, MetricVersion};
use serde_json::{Value, json};
use session::Session;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

type Values = BTreeMap<&'static str, MetricValue>;

/// The metrics of each interaction of a body, by name.
fn metrics(format: &BodyFormat, body: &[u8]) -> BTreeMap<InteractionId, Values> {
    let Split::Items(items) = adapter::split(format, body) else {
        panic!("a sample that cannot be split")
    };
    let mut sessions: BTreeMap<InteractionId, Session> = BTreeMap::new();
    for item in items {
        match adapter::map(format, &item.raw, &Mappings::none()).unwrap() {
            Outcome::Mapped(mapped) => {
                let session = sessions.entry(mapped.interaction).or_default();
                for fact in mapped.facts {
                    session.insert(fact);
                }
            }
            Outcome::Ignored { kind } => panic!("ignored: {kind}"),
        }
    }
    let rules = RuleBook::builtin();
    sessions
        .into_iter()
        .map(|(interaction, session)| {
            let mut values = Vec::new();
            let version = MetricVersion::FIRST;
            kpi::evaluate(
                &session.timeline(),
                rules.rules(version),
                version,
                &mut values,
            );
            (
                interaction,
                values
                    .into_iter()
                    .map(|value| (value.metric, value))
                    .collect(),
            )
        })
        .collect()
}

fn samples(folder: &str, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    // Says loudly that it is absent.
    let Some(shared) = testkit::shared_dir() else {
        return Vec::new();
    };
    let folder = shared.join("platforms").join(folder).join("samples");
    let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| wanted(&name(path)))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no such samples in {}", folder.display());
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// The conversations of a sample, read without any code of ours.
fn conversations(body: &[u8]) -> Vec<Value> {
    let value: Value = serde_json::from_slice(body).unwrap();
    match value.get("conversations") {
        Some(Value::Array(list)) => list.clone(),
        _ => vec![value],
    }
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// What the platform itself says: the sum over all sessions of the metrics with one of these names.
fn stated(conversation: &Value, purposes: &[&str], names: &[&str]) -> i64 {
    list(conversation, "participants")
        .iter()
        .filter(|participant| {
            purposes.contains(&participant["purpose"].as_str().unwrap_or_default())
        })
        .flat_map(|participant| list(participant, "sessions"))
        .flat_map(|session| list(session, "metrics"))
        .filter(|metric| names.contains(&metric["name"].as_str().unwrap_or_default()))
        .map(|metric| metric["value"].as_i64().unwrap())
        .sum()
}

#[allow(clippy::cast_possible_truncation)] // seconds of a call
fn millis(metrics: &Values, name: &str) -> Option<i64> {
    metrics[name]
        .value
        .map(|seconds| (seconds * 1000.0).round() as i64)
}

const AGENTS: [&str; 2] = ["agent", "user"];

fn check(sample: &str, conversation: &Value, metrics: &Values) {
    for (metric, platform) in [
        ("talk_time", "tTalkComplete"),
        ("hold_time", "tHeldComplete"),
        ("wrap_time", "tAcw"),
        // The platform's handle time holds contacting and dialling, and so does ours; ringing (tAlert) is in neither. An agent who
        // did not answer may still have tAcw and tHandle: both sums have them.
        ("handle_time", "tHandle"),
    ] {
        // What the platform did not state is absent here, not zero.
        let expected = Some(stated(conversation, &AGENTS, &[platform])).filter(|sum| *sum != 0);
        assert_eq!(millis(metrics, metric), expected, "{metric} of {sample}");
    }
    // Between the classic talk + hold + wrap and the platform's figure lies "contacting and dialling", and nothing else.
    let classic = stated(
        conversation,
        &AGENTS,
        &["tTalkComplete", "tHeldComplete", "tAcw"],
    );
    let dialled = stated(conversation, &AGENTS, &["tContacting", "tDialing"]);
    assert_eq!(
        stated(conversation, &AGENTS, &["tHandle"]) - classic,
        dialled,
        "an unexplained difference in {sample}"
    );
    let waited = stated(conversation, &["acd"], &["tAcd"]);
    assert_eq!(
        millis(metrics, "queue_wait").unwrap_or_default(),
        waited,
        "queue_wait of {sample}"
    );
}

fn check_file(path: &Path) {
    let body = std::fs::read(path).unwrap();
    let by_interaction = metrics(&BodyFormat::GenesysDetails, &body);
    let conversations = conversations(&body);
    assert_eq!(by_interaction.len(), conversations.len());
    for conversation in conversations {
        let id = InteractionId::new(conversation["conversationId"].as_str().unwrap());
        check(&name(path), &conversation, &by_interaction[&id]);
        println!("{}: {id} as the platform has it", name(path));
    }
}

#[test]
fn genesys_voice_conversations_have_the_platforms_own_figures() {
    for path in samples("genesys", |name| name.starts_with("conv_voice_")) {
        check_file(&path);
    }
}

#[test]
fn genesys_pages_have_the_platforms_own_figures() {
    for path in samples("genesys", |name| {
        name.starts_with("details_job_results") || name.starts_with("details_query")
    }) {
        check_file(&path);
    }
}

#[test]
fn other_genesys_records_end_as_their_legs_tell() {
    for path in samples("genesys", |name| {
        name.starts_with("conv_chat_") || name.starts_with("conv_voicemail_")
    }) {
        let body = std::fs::read(&path).unwrap();
        let by_interaction = metrics(&BodyFormat::GenesysDetails, &body);
        let (_, metrics) = by_interaction.first_key_value().unwrap();
        match name(&path).as_str() {
            // Still open, with days of one digit: nothing is emitted.
            "conv_chat_open_no_end_irregular_dates.json" => assert!(metrics.is_empty()),
            // Nobody called back in 59 days: no handling, and a wait beyond what 32 bits hold.
            "conv_voicemail_to_acd_callback_never_answered.json" => {
                assert_eq!(metrics["handle_time"].value, None);
                assert_eq!(metrics["handle_time"].metadata.outcome, Some("missed"));
                assert_eq!(millis(metrics, "queue_wait"), Some(5_097_600_919));
            }
            _ => check_file(&path),
        }
    }
}

/// The cells of a sample row by column, read without any code of ours (no cell of the samples is quoted).
fn cells<'a>(header: &'a str, row: &'a str) -> BTreeMap<&'a str, &'a str> {
    header.split(',').zip(row.split(',')).collect()
}

fn check_row(row: &BTreeMap<&str, &str>, metrics: &Values) {
    let contact = row["contact_id"];
    let seconds = |column: &str| row[column].parse::<f64>().unwrap();
    let value = |metric: &str| metrics[metric].value;
    let reached_an_agent = row["agent_no"] != "0";
    // "hold and conference are inside": Agent_Working_Time is talk here, and hold is absent rather than zero.
    let worked = reached_an_agent.then(|| seconds("Agent_Working_Time"));
    assert_eq!(value("talk_time"), worked, "talk_time of {contact}");
    assert_eq!(value("hold_time"), None, "hold_time of {contact}");
    // "after-call work is outside of the report": absent too, so handle time is working time and says what it lacks.
    assert_eq!(value("wrap_time"), None, "wrap_time of {contact}");
    assert_eq!(value("handle_time"), worked, "handle_time of {contact}");
    if reached_an_agent {
        let metadata = Value::from(&metrics["handle_time"].metadata);
        assert_eq!(metadata["not_stated"], json!(["hold", "wrap"]), "{contact}");
        assert_eq!(
            value("queue_wait"),
            Some(seconds("InQueue")),
            "queue_wait of {contact}"
        );
    } else {
        // "ended in the flow": it was never queued, so there is no wait rather than one of zero.
        assert_eq!(
            (value("queue_wait"), seconds("InQueue")),
            (None, 0.0),
            "{contact}"
        );
    }
    // The report's own whole is the sum of its parts, so nothing of a contact is outside of what is read here but the flow's time.
    let parts = ["PreQueue", "InQueue", "Agent_Working_Time", "PostQueue"].map(seconds);
    assert!(
        (seconds("Total_Time") - parts.iter().sum::<f64>()).abs() < 0.5,
        "{contact}"
    );
}

#[test]
fn cxone_call_detail_rows_have_the_reports_own_figures() {
    for path in samples("cxone", |name| {
        name.starts_with("datadownload_524_call_detail_")
    }) {
        let body = std::fs::read_to_string(&path).unwrap();
        let format = BodyFormat::CxoneCallDetail {
            zone: "America/Denver".into(),
        };
        let by_interaction = metrics(&format, body.as_bytes());
        let mut lines = body.trim_start_matches('\u{feff}').lines();
        let header = lines.next().unwrap();
        let rows: Vec<_> = lines
            .filter(|line| !line.trim().is_empty())
            .map(|line| cells(header, line))
            .collect();
        assert!(!rows.is_empty());
        // In these samples every contact is an interaction of its own.
        assert_eq!(rows.len(), by_interaction.len());
        for row in &rows {
            assert_eq!(row["contact_id"], row["master_contact_id"]);
            check_row(row, &by_interaction[&InteractionId::new(row["contact_id"])]);
        }
        println!(
            "{}: {} rows as the report has them",
            name(&path),
            rows.len()
        );
    }
}
