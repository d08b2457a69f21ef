//! What records consist of: the identities of real ones, for many seeds, and the truth they add up to.

use super::{DAY_MS, millis, small};
use double::config::History;
use double::history::{Platform, Totals, Truth, genesys_record, genesys_records, truth};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn all(history: &History) -> Vec<Value> {
    let mut records = Vec::new();
    genesys_records(history, 0..history.conversations, |record| {
        records.push(serde_json::from_str(record).unwrap());
    });
    records
}

fn sessions(record: &Value) -> Vec<(&str, &Value)> {
    let mut found = Vec::new();
    for participant in record["participants"].as_array().unwrap() {
        let purpose = participant["purpose"].as_str().unwrap();
        for session in participant["sessions"].as_array().unwrap() {
            found.push((purpose, session));
        }
    }
    found
}

fn values(session: &Value, name: &str) -> Vec<i64> {
    let metrics = session["metrics"].as_array().unwrap().iter();
    metrics
        .filter(|it| it["name"] == name)
        .map(|it| it["value"].as_i64().unwrap())
        .collect()
}

fn sum(session: &Value, name: &str) -> i64 {
    values(session, name).into_iter().sum()
}

fn histories() -> impl Iterator<Item = History> {
    (1..=4).map(|seed| History { seed, ..small() })
}

#[test]
fn handle_time_is_its_parts_and_parts_add_up() {
    for history in histories() {
        for record in all(&history) {
            for (purpose, session) in sessions(&record) {
                if !["agent", "user"].contains(&purpose) {
                    continue;
                }
                let parts = [
                    "tContacting",
                    "tDialing",
                    "tTalkComplete",
                    "tHeldComplete",
                    "tAcw",
                ];
                let parts: i64 = parts.iter().map(|name| sum(session, name)).sum();
                assert_eq!(sum(session, "tHandle"), parts, "{session}");
                assert_eq!(
                    sum(session, "tTalk"),
                    sum(session, "tTalkComplete"),
                    "{session}"
                );
                assert_eq!(
                    sum(session, "tHeld"),
                    sum(session, "tHeldComplete"),
                    "{session}"
                );
                let missed = !values(session, "tNotResponding").is_empty();
                assert!(
                    !missed || values(session, "tAnswered").is_empty(),
                    "{session}"
                );
            }
        }
    }
}

#[test]
fn a_time_to_answer_is_the_stay_in_the_queue_and_offered_is_answered_or_abandoned() {
    for history in histories() {
        for record in all(&history) {
            let of = |purpose: &str, name: &str| -> Vec<i64> {
                let mut found: Vec<i64> = sessions(&record)
                    .into_iter()
                    .filter(|(of, _)| *of == purpose)
                    .flat_map(|(_, session)| values(session, name))
                    .collect();
                found.sort_unstable();
                found
            };
            let mut ended = of("agent", "tAnswered");
            ended.extend(of("acd", "tAbandon"));
            ended.sort_unstable();
            assert_eq!(of("acd", "tAcd"), ended, "{record}");
            assert_eq!(of("acd", "nOffered").len(), ended.len(), "{record}");
        }
    }
}

#[test]
fn a_conversation_ends_with_its_last_segment_and_nothing_precedes_it() {
    for history in histories() {
        for record in all(&history) {
            let segments = sessions(&record)
                .into_iter()
                .flat_map(|(_, session)| session["segments"].as_array().unwrap());
            let (mut last, mut open) = (0, false);
            let start = millis(&record["conversationStart"]);
            for segment in segments {
                let from = millis(&segment["segmentStart"]);
                assert!(from >= start, "{record}");
                match segment.get("segmentEnd") {
                    Some(end) => {
                        assert!(millis(end) >= from, "{record}");
                        last = last.max(millis(end));
                    }
                    None => open = true,
                }
            }
            assert_eq!(record.get("conversationEnd").is_none(), open, "{record}");
            if !open {
                assert_eq!(millis(&record["conversationEnd"]), last, "{record}");
            }
            for (_, session) in sessions(&record) {
                for metric in session["metrics"].as_array().unwrap() {
                    let emitted = millis(&metric["emitDate"]);
                    assert!(open || emitted <= last, "{record}");
                    assert!(metric["value"].as_i64().unwrap() >= 0, "{record}");
                }
            }
        }
    }
}

/// The truth as the records themselves add up.
fn added_up(record: &Value) -> [Option<i64>; 5] {
    let total = |purposes: &[&str], name: &str| {
        sessions(record)
            .into_iter()
            .filter(|(purpose, _)| purposes.contains(purpose))
            .flat_map(|(_, session)| values(session, name))
            .reduce(|sum, more| sum + more)
    };
    let agents = &["agent", "user"];
    let talk = total(agents, "tTalkComplete");
    let hold = total(agents, "tHeldComplete").or(talk.map(|_| 0));
    [
        total(agents, "tHandle"),
        talk,
        hold,
        total(agents, "tAcw"),
        total(&["acd"], "tAcd"),
    ]
}

#[test]
fn the_truth_is_what_the_records_add_up_to() {
    for revised in [false, true] {
        let mut history = small();
        history.revised.per_mille = 200;
        let rows: Vec<Truth> = truth(&history, Platform::Genesys, revised, None).collect();
        assert_eq!(rows.len(), 900);
        let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
        for (number, row) in (0..).zip(&rows) {
            let record: Value =
                serde_json::from_str(&genesys_record(&history, number, revised)).unwrap();
            assert_eq!(record["conversationId"], row.id);
            let stated = [
                row.handle_ms,
                row.talk_ms,
                row.hold_ms,
                row.wrap_ms,
                row.wait_ms,
            ];
            assert_eq!(stated, added_up(&record), "{record}");
            assert_eq!(millis(&record["conversationStart"]), row.start.0);
            let end = record.get("conversationEnd").map(millis);
            assert_eq!(end, row.end.map(|it| it.0));
            *outcomes.entry(row.outcome).or_default() += 1;
        }
        for outcome in ["answered", "abandoned", "ivr", "outbound", "open"] {
            assert!(
                outcomes.get(outcome).is_some_and(|count| *count > 2),
                "{outcomes:?}"
            );
        }
    }
}

#[test]
fn a_revision_makes_the_wrap_up_longer_and_nothing_else_but_the_end() {
    let mut history = small();
    history.revised.per_mille = 1_000;
    let of = |revised| truth(&history, Platform::Genesys, revised, None).collect::<Vec<_>>();
    let mut changed = 0;
    for (before, after) in of(false).into_iter().zip(of(true)) {
        assert_eq!(
            (before.talk_ms, before.wait_ms),
            (after.talk_ms, after.wait_ms)
        );
        let more = before.wrap_ms.map(|wrap| wrap + 8_500);
        assert_eq!(after.wrap_ms, more);
        changed += usize::from(before.wrap_ms.is_some());
    }
    assert!(changed > 500, "{changed}");
}

#[test]
fn equal_configurations_make_equal_histories_of_the_size_of_real_ones() {
    let text = |history: &History| {
        let mut text = String::new();
        genesys_records(history, 0..900, |record| text.push_str(record));
        text
    };
    let (history, other) = (small(), History { seed: 2, ..small() });
    let first = text(&history);
    assert_eq!(first, text(&history));
    assert_ne!(first, text(&other));
    let mean = first.len() / 900;
    assert!((2_500..4_000).contains(&mean), "{mean} bytes");
    // Each of them alone is the same as among the others.
    assert!(first.contains(&genesys_record(&history, 437, false)));
}

#[test]
fn ids_are_all_different_and_every_kind_of_awkward_record_is_there() {
    let records = all(&small());
    let ids: BTreeSet<&str> = records
        .iter()
        .map(|it| it["conversationId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 900);
    let sessions_of = |record: &Value| {
        sessions(record)
            .into_iter()
            .map(|(_, it)| it["sessionId"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all_sessions: BTreeSet<String> = records.iter().flat_map(sessions_of).collect();
    let count: usize = records.iter().map(|it| sessions(it).len()).sum();
    assert_eq!(all_sessions.len(), count);
    let some = |what: &str| {
        let found = records
            .iter()
            .filter(|it| it.to_string().contains(what))
            .count();
        assert!(found > 0, "no {what}");
    };
    for what in [
        "nConsultTransferred",
        "nBlindTransferred",
        "tNotResponding",
        "tAbandon",
        "\"callback\"",
        "acwSkipped",
        "\"chat\"",
        "ININ-WRAP-UP-TIMEOUT",
        "tDialing",
        "00:00:00Z\"",
    ] {
        some(what);
    }
    let late = records.iter().filter(|it| {
        it.get("conversationEnd")
            .is_some_and(|end| millis(end) - millis(&it["conversationStart"]) > DAY_MS)
    });
    assert!(late.count() >= 4);
    let midnight = records.iter().filter(|it| {
        let day = |at: &Value| millis(at).div_euclid(DAY_MS);
        it.get("conversationEnd")
            .is_some_and(|end| day(end) == day(&it["conversationStart"]) + 1)
    });
    assert!(midnight.count() >= 3);
}

#[test]
fn both_platforms_tell_the_same_talk_and_hold() {
    let history = small();
    let genesys = Totals::of(truth(&history, Platform::Genesys, false, None));
    let cxone: Vec<Truth> = truth(&history, Platform::Cxone, false, None).collect();
    // Those that never end are active contacts there, so they are missing.
    assert_eq!(cxone.len(), 897);
    let cxone = Totals::of(cxone);
    assert_eq!(cxone.conversations, cxone.ended);
    assert_eq!(genesys.ended, cxone.ended);
    assert_eq!(genesys.talk_ms, cxone.talk_ms);
    assert_eq!(genesys.hold_ms, cxone.hold_ms);
    assert_eq!(genesys.wait_ms, cxone.wait_ms);
}

#[test]
fn the_command_line_says_the_same() {
    let program = env!("CARGO_BIN_EXE_platform-double");
    let run = |arguments: &[&str]| {
        let file = std::env::temp_dir().join(format!("double-history-{}.json", std::process::id()));
        let text = serde_json::to_string(&small()).unwrap();
        std::fs::write(&file, text).unwrap();
        let output = std::process::Command::new(program)
            .arg(arguments[0])
            .arg("--history")
            .arg(&file)
            .args(&arguments[1..])
            .output()
            .unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let mut expected = String::from(Truth::HEADER);
    for row in truth(&small(), Platform::Genesys, false, None) {
        row.write_csv(&mut expected);
    }
    assert_eq!(run(&["history-truth"]), expected);
    let totals = Totals::of(truth(&small(), Platform::Cxone, false, None));
    let said: Value =
        serde_json::from_str(&run(&["history-truth", "--platform", "cxone", "--totals"])).unwrap();
    assert_eq!(said, serde_json::to_value(totals).unwrap());
    let records = run(&["history-records", "--first", "5", "--count", "3"]);
    assert_eq!(records.lines().count(), 3);
    assert_eq!(
        records.lines().next(),
        Some(genesys_record(&small(), 5, false).as_str())
    );
}
