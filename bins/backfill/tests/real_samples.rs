//! Records as the platforms gave them, through adapter, fold and the KPI definitions that ship: the figures must be those that the
//! platform put into the very same records, or the difference has a name here.
//!
//! The samples are not part of the repository; where they are absent, these tests say so and prove nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

#[path = "real/contacts.rs"]
mod contacts;
#[path = "real/segments.rs"]
mod segments;
#[path = "real/support.rs"]
mod support;

use kpi::{Catalogue, MetricValue, Scope, Subject};
use schema::{BodyFormat, InteractionId};
use serde_json::{Value, json};
use session::Outcome;
use std::collections::BTreeMap;
use std::path::Path;
use support::{conversations, list, name, samples, sessions};

type Values = BTreeMap<String, MetricValue>;

/// The metrics of each interaction of a body, by name.
fn metrics(format: &BodyFormat, body: &[u8]) -> BTreeMap<InteractionId, Values> {
    let catalogue = Catalogue::shipped();
    sessions(format, body)
        .into_iter()
        .map(|(interaction, session)| {
            let mut values = Vec::new();
            let subject = Subject {
                tenant: "acme",
                interaction: interaction.as_str(),
                timeline: &session.timeline(),
                swept: false,
            };
            catalogue.evaluate(&subject, &mut values);
            let values = values
                .into_iter()
                .filter(|value| value.scope == Scope::Interaction)
                .map(|value| (value.metric.to_string(), value))
                .collect();
            (interaction, values)
        })
        .collect()
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
    for path in samples("genesys/samples", |name| name.starts_with("conv_voice_")) {
        check_file(&path);
    }
}

#[test]
fn genesys_pages_have_the_platforms_own_figures() {
    for path in samples("genesys/samples", |name| {
        name.starts_with("details_job_results") || name.starts_with("details_query")
    }) {
        check_file(&path);
    }
}

#[test]
fn other_genesys_records_end_as_their_legs_tell() {
    for path in samples("genesys/samples", |name| {
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

/// What became of a conversation, as its legs tell.
#[derive(Debug, PartialEq)]
struct Told {
    outcome: Outcome,
    transfers: (u32, u32, u32),
    holds: Option<u32>,
    missed_alerts: u32,
    conference: bool,
    callback: bool,
}

impl Told {
    const fn answered(holds: u32) -> Self {
        Self {
            outcome: Outcome::Answered,
            transfers: (0, 0, 0),
            holds: Some(holds),
            missed_alerts: 0,
            conference: false,
            callback: false,
        }
    }

    const fn unanswered(outcome: Outcome) -> Self {
        Self {
            outcome,
            holds: None,
            ..Self::answered(0)
        }
    }
}

/// By sample; what is read off the records by hand.
fn told() -> [(&'static str, Told); 9] {
    let answered = Told::answered;
    [
        ("conv_chat_inbound_answered_hold_timeout.json", answered(1)),
        (
            "conv_voice_consult_transfer_two_agents_open_external_leg.json",
            // Asked for a consultation, then passed on: who was asked took over, and is no mere consultant.
            Told {
                transfers: (0, 1, 1),
                conference: true,
                ..answered(1)
            },
        ),
        (
            "conv_voice_inbound_first_agent_not_responding_acw_timeout.json",
            Told {
                missed_alerts: 1,
                ..answered(0)
            },
        ),
        (
            "conv_voice_many_holds_external_conference_legs.json",
            Told {
                conference: true,
                ..answered(5)
            },
        ),
        (
            "conv_voice_outbound_user_nonacd.json",
            Told {
                conference: true,
                ..answered(0)
            },
        ),
        (
            "conv_voicemail_to_acd_callback_never_answered.json",
            Told {
                callback: true,
                ..Told::unanswered(Outcome::Missed)
            },
        ),
        ("constructed/conv_email_inbound_answered.json", answered(0)),
        (
            "constructed/conv_voice_abandoned_in_queue.json",
            Told::unanswered(Outcome::AbandonedInQueue),
        ),
        (
            "constructed/conv_voice_ivr_only_self_service.json",
            Told::unanswered(Outcome::SelfService),
        ),
    ]
}

#[test]
fn conversations_have_the_outcome_that_their_legs_tell() {
    for (sample, expected) in told() {
        let (folder, file) = match sample.strip_prefix("constructed/") {
            Some(file) => ("genesys/samples/constructed", file),
            None => ("genesys/samples", sample),
        };
        for path in samples(folder, |name| name == file) {
            let body = std::fs::read(&path).unwrap();
            let sessions = sessions(&BodyFormat::GenesysDetails, &body);
            let (_, session) = sessions.first_key_value().unwrap();
            let timeline = session.timeline();
            let transfers = timeline.transfers();
            let found = Told {
                outcome: timeline.outcome().unwrap(),
                transfers: (transfers.blind, transfers.consult, transfers.total()),
                holds: timeline.holds(),
                missed_alerts: timeline.missed_alerts(),
                conference: timeline.conference(),
                callback: timeline.callback(),
            };
            assert_eq!(found, expected, "{sample}");
            assert!(timeline.legs().iter().all(|leg| !leg.consult), "{sample}");
            assert!(timeline.withdrawn_legs().is_empty(), "{sample}");
        }
    }
}

#[test]
fn answered_and_abandoned_waits_are_the_platforms_own() {
    let mut compared = 0;
    for (folder, file) in [
        ("genesys/samples", "conv_voice_"),
        ("genesys/samples", "conv_chat_inbound"),
        ("genesys/samples/constructed", "conv_"),
    ] {
        for path in samples(folder, |name| name.starts_with(file)) {
            let body = std::fs::read(&path).unwrap();
            for (id, metrics) in metrics(&BodyFormat::GenesysDetails, &body) {
                let conversation = &conversations(&body)[0];
                for (metric, purposes, platform) in [
                    ("speed_of_answer", &AGENTS[..], "tAnswered"),
                    ("time_to_abandon", &["acd"], "tAbandon"),
                ] {
                    let expected = Some(stated(conversation, purposes, &[platform]));
                    let expected = expected.filter(|sum| *sum != 0);
                    let found = millis(&metrics, metric);
                    assert_eq!(found, expected, "{metric} of {id} in {}", name(&path));
                    compared += usize::from(found.is_some());
                }
            }
        }
    }
    // Where the samples are at all, there are answered and abandoned ones among them.
    assert!(compared == 0 || compared >= 6, "{compared}");
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
    for path in samples("cxone/samples", |name| {
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
