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
        // What the platform did not state is absent here, not zero. Hold alone is known to be none where an agent talked: the platform
        // states every hold, and leaves it out where there was none.
        let known = metric == "hold_time" && stated(conversation, &AGENTS, &["tTalkComplete"]) != 0;
        let expected = Some(stated(conversation, &AGENTS, &[platform]));
        let expected = expected.filter(|sum| *sum != 0 || known);
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

/// Of the metrics with this name the one that was emitted first: the customer waits for the first agent once, and what is waited for
/// an agent who is consulted or takes over later is another wait.
fn stated_first(conversation: &Value, purposes: &[&str], name: &str) -> Option<i64> {
    list(conversation, "participants")
        .iter()
        .filter(|participant| {
            purposes.contains(&participant["purpose"].as_str().unwrap_or_default())
        })
        .flat_map(|participant| list(participant, "sessions"))
        .flat_map(|session| list(session, "metrics"))
        .filter(|metric| metric["name"] == name)
        .min_by_key(|metric| metric["emitDate"].as_str().unwrap())
        .map(|metric| metric["value"].as_i64().unwrap())
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
                    let expected = stated_first(conversation, purposes, platform);
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

/// What a customer and a centre would say of a conversation, in milliseconds; read off the records by hand.
struct Figures {
    conversation: &'static str,
    contact_duration: i64,
    speed_of_answer: Option<i64>,
    handle_time: Option<i64>,
    /// Less what agents only asked of each other, and the work of one who let it ring.
    customer_handle_time: Option<i64>,
    handled: i64,
    offered: i64,
    /// Alerts in vain.
    missed: i64,
    /// Of those who came through a flow.
    contained: Option<i64>,
}

/// Of every conversation among the samples that ended.
fn figures() -> [Figures; 12] {
    let answered = |conversation, contact_duration, speed_of_answer, handle_time| Figures {
        conversation,
        contact_duration,
        speed_of_answer: Some(speed_of_answer),
        handle_time: Some(handle_time),
        customer_handle_time: Some(handle_time),
        handled: 1,
        offered: 1,
        missed: 0,
        contained: Some(0),
    };
    let without_flow = |figures: Figures| Figures {
        contained: None,
        ..figures
    };
    let unanswered = |conversation, contact_duration| Figures {
        speed_of_answer: None,
        handle_time: None,
        customer_handle_time: None,
        handled: 0,
        ..answered(conversation, contact_duration, 0, 0)
    };
    [
        without_flow(answered(
            "66764a67-8fb3-4891-8925-7020c185e1bb",
            929_917,
            11_179,
            918_737,
        )),
        // The first agent consults the second for 127.835 s, with the wait of the consultation no wait of the customer's, and a line
        // to a third party stays open for 60 days.
        Figures {
            customer_handle_time: Some(6_387_077 - 127_835),
            ..answered(
                "cd1b5f3a-c7db-4dae-aaf8-7470bd1af192",
                6_131_996,
                10_389,
                6_387_077,
            )
        },
        // An agent lets it ring for 7.4 s and then has 57 s of after-call work.
        Figures {
            customer_handle_time: Some(434_894 - 57_000),
            missed: 1,
            ..answered(
                "b8ff18a1-494b-4a8f-abae-72452ecf0bc6",
                451_881,
                12_411,
                434_894,
            )
        },
        answered(
            "b649c73b-d8eb-4032-9151-613a47589bee",
            3_540_496,
            2_746,
            3_558_453,
        ),
        // An agent calls a customer.
        Figures {
            speed_of_answer: None,
            offered: 0,
            ..without_flow(answered(
                "a4ea63f2-7cb3-463f-9780-262c44b87703",
                592_414,
                0,
                73_746,
            ))
        },
        // The customer asks for a callback that never comes, and is gone: it rang at nobody.
        unanswered("462dedbc-7ddf-4396-94f2-0c0714b47490", 103_738),
        answered(
            "14d73933-41fd-4c38-b7fc-1d973889af7d",
            3_552_896,
            1_796,
            320_114,
        ),
        answered(
            "5d679cbb-fd30-46b7-b626-12513675b9bc",
            712_368,
            343,
            315_510,
        ),
        answered(
            "241fe44d-419d-4d9d-ba8e-c28d956472bc",
            57_706,
            1_829,
            26_824,
        ),
        without_flow(answered(
            "32efb2d7-d332-4dc2-8fb8-6b2ebe6d7307",
            59_700_000,
            58_799_000,
            930_000,
        )),
        unanswered("e96093ea-48e9-4e88-af83-1d4b9cdc485a", 62_480),
        Figures {
            offered: 0,
            contained: Some(1),
            ..unanswered("bae8b779-99bd-4916-9d5d-c0842cb11c9a", 130_000)
        },
    ]
}

#[test]
fn conversations_have_the_figures_that_are_read_off_them_by_hand() {
    let mut seen = std::collections::BTreeSet::new();
    for folder in ["genesys/samples", "genesys/samples/constructed"] {
        for path in samples(folder, |name| {
            name.starts_with("conv_") || name.starts_with("details_")
        }) {
            let body = std::fs::read(&path).unwrap();
            if conversations(&body).is_empty() {
                continue;
            }
            for (id, metrics) in metrics(&BodyFormat::GenesysDetails, &body) {
                if metrics.is_empty() {
                    continue; // still open
                }
                let of = |figures: &Figures| figures.conversation == id.as_str();
                let all = figures();
                let expected = all.iter().find(|figures| of(figures));
                let expected = expected.unwrap_or_else(|| panic!("no figures of {id}"));
                seen.insert(id.to_string());
                let count = |metric: &str| millis(&metrics, metric).map(|value| value / 1000);
                for (metric, found, wanted) in [
                    (
                        "contact_duration",
                        millis(&metrics, "contact_duration"),
                        Some(expected.contact_duration),
                    ),
                    (
                        "speed_of_answer",
                        millis(&metrics, "speed_of_answer"),
                        expected.speed_of_answer,
                    ),
                    (
                        "handle_time",
                        millis(&metrics, "handle_time"),
                        expected.handle_time,
                    ),
                    (
                        "customer_handle_time",
                        millis(&metrics, "customer_handle_time"),
                        expected.customer_handle_time,
                    ),
                    ("handled", count("handled"), Some(expected.handled)),
                    ("offered", count("offered"), Some(expected.offered)),
                    ("missed", count("missed"), Some(expected.missed)),
                    ("contained", count("contained"), expected.contained),
                ] {
                    assert_eq!(found, wanted, "{metric} of {id} in {}", name(&path));
                }
            }
        }
    }
    assert!(seen.is_empty() || seen.len() == figures().len(), "{seen:?}");
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
