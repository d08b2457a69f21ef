//! CXone contact records: agent, hold, wrap-up and queue seconds against the record's own totals.

use crate::support::{list, name, samples, sessions};
use crate::{metrics, millis};
use schema::{BodyFormat, InteractionId, LegKind, LegOutcome};
use serde_json::{Value, json};
use session::Outcome;

const FORMAT: BodyFormat = BodyFormat::CxoneContacts;

/// The rows of a sample, read without any code of ours.
fn rows(body: &[u8]) -> Vec<Value> {
    let value: Value = serde_json::from_slice(body).unwrap();
    let inner = &value["resultSet"];
    match &inner["completedContacts"] {
        Value::Array(rows) => rows.clone(),
        _ => vec![inner.clone()],
    }
}

/// A member that is in seconds, in milliseconds; every value of these records is text.
#[allow(clippy::cast_possible_truncation)] // seconds of a call
fn stated(row: &Value, member: &str) -> i64 {
    let seconds: f64 = row[member].as_str().unwrap().parse().unwrap();
    (seconds * 1000.0).round() as i64
}

fn real() -> Vec<(String, Vec<u8>)> {
    samples("cxone/samples", |name| {
        name.starts_with("contact") && name.ends_with("_legacy_2016.json")
    })
    .into_iter()
    .map(|path| (name(&path), std::fs::read(&path).unwrap()))
    .collect()
}

fn id(row: &Value) -> InteractionId {
    InteractionId::new(row["contactId"].as_str().unwrap())
}

#[test]
fn contact_records_have_their_own_figures() {
    for (sample, body) in real() {
        let by_interaction = metrics(&FORMAT, &body);
        let rows = rows(&body);
        assert_eq!(rows.len(), by_interaction.len());
        for row in &rows {
            let metrics = &by_interaction[&id(row)];
            let stated = |member: &str| stated(row, member);
            let (agent, hold) = (stated("agentSeconds"), stated("holdSeconds"));
            let (wrap, waited) = (stated("ACWSeconds"), stated("inQueueSeconds"));
            for (metric, expected) in [
                // Hold lies inside of the agent's seconds, so talk is the rest and both add up to them.
                ("talk_time", agent - hold),
                ("hold_time", hold),
                ("wrap_time", wrap),
                ("queue_wait", waited),
                ("speed_of_answer", waited),
                // The platform's AHT: talk time with hold inside, and after-call work.
                ("handle_time", agent + wrap),
            ] {
                assert_eq!(
                    millis(metrics, metric),
                    Some(expected),
                    "{metric} of {sample}"
                );
            }
        }
        println!("{sample}: {} contacts as the platform has them", rows.len());
    }
}

#[test]
fn the_parts_of_a_contact_add_up_to_its_total_and_after_call_work_lies_outside() {
    for (sample, body) in real() {
        let sessions = sessions(&FORMAT, &body);
        for row in rows(&body) {
            let stated = |member: &str| stated(&row, member);
            let parts = [
                "preQueueSeconds",
                "inQueueSeconds",
                "agentSeconds",
                "postQueueSeconds",
                "releaseSeconds",
            ];
            let sum: i64 = parts.iter().map(|part| stated(part)).sum();
            assert_eq!(sum, stated("totalDurationSeconds"), "{sample}");

            let timeline = sessions[&id(&row)].timeline();
            let legs = timeline.legs();
            let leg = &legs[0];
            assert_eq!(leg.kind, LegKind::Agent);
            assert_eq!(leg.outcome, Some(LegOutcome::Answered));
            assert_eq!(timeline.outcome(), Some(Outcome::Answered));
            assert_eq!((leg.holds, leg.transfer), (Some(0), None));
            // Before the agent come the flow and the queue; behind the agent, nothing more of this contact.
            let (start, ended) = (leg.started_at, leg.ended_at.unwrap());
            let answered = leg.answered_at.unwrap();
            assert_eq!(
                answered.since(start).0,
                stated("preQueueSeconds") + stated("inQueueSeconds")
            );
            assert_eq!(
                ended.since(answered).0,
                stated("agentSeconds") + stated("postQueueSeconds") + stated("releaseSeconds")
            );
            // The platform last touched the contact when it ended, and after-call work went on behind that.
            let touched = adapter::instant::parse(row["lastUpdateTime"].as_str().unwrap()).unwrap();
            assert!(ended.since(touched).0.abs() < 500, "{sample}");
            // `routingTime` is in milliseconds, unlike all else: twelve seconds of the thirteen in the queue.
            let routing: i64 = row["routingTime"].as_str().unwrap().parse().unwrap();
            assert!(
                (1000..=stated("inQueueSeconds")).contains(&routing),
                "{sample}"
            );
        }
    }
}

/// A row of the current shape with plain values in place of the types.
fn row_of(shape: &Value) -> Value {
    let plain = |(member, of): (&String, &Value)| {
        let value = match of.as_str() {
            Some(of) if of.contains("UTC string") => json!("2026-05-04T10:00:00Z"),
            Some(of) if of.contains("boolean") => json!(false),
            Some(of) if of.contains("float seconds") => json!(1.5),
            Some("integer") => json!(1),
            Some(of) if of.contains("number") => json!(7),
            Some(of) if of.contains("MILLISECONDS") => json!(1500),
            Some(_) => json!("text"),
            None => of.clone(),
        };
        (member.clone(), value)
    };
    Value::Object(shape.as_object().unwrap().iter().map(plain).collect())
}

#[test]
fn a_row_of_the_current_shape_is_read_by_its_own_names() {
    for path in samples("cxone/samples", |name| {
        name == "shape_contacts_completed_v27plus.json"
    }) {
        let mut page: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let row = row_of(&list(&page, "completedContacts")[0]);
        page["completedContacts"] = json!([row]);
        let by_interaction = metrics(&FORMAT, page.to_string().as_bytes());
        let metrics = &by_interaction[&InteractionId::new("7")];
        for (metric, seconds) in [
            ("talk_time", 0.0),
            ("hold_time", 1.5),
            ("wrap_time", 1.5),
            ("queue_wait", 1.5),
            ("handle_time", 3.0),
            ("longest_hold", 1.5),
            ("holds", 1.0),
            ("conferenced", 1.0),
        ] {
            assert_eq!(metrics[metric].value, Some(seconds), "{metric}");
        }
    }
}
