use super::*;
use crate::push::Finite;
use crate::retry::Cause;
use proptest::prelude::*;
use schema::MetricVersion;
use serde_json::json;

/// 2026-11-27T12:00:00Z.
const NOW: UtcMicros = UtcMicros::from_millis(1_795_780_800_000);

fn row(index: usize) -> Row {
    Row {
        tenant: "acme".into(),
        interaction: format!("int_{index}").as_str().into(),
        metric: "handle_time".to_owned(),
        version: MetricVersion(1),
        leg: None,
        revision: 1,
        value: Finite::new(1.0).unwrap(),
        timestamp: NOW,
        agent: None,
        queue: None,
    }
}

fn rows(count: usize) -> Vec<Row> {
    (0..count).map(row).collect()
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        },
    }
}

fn with_header(mut answer: Answer, name: &str, value: &str) -> Answer {
    answer.headers.push((name.to_owned(), value.to_owned()));
    answer
}

fn fates(rows: &[Row], answer: &Answer) -> Vec<Fate> {
    match read(rows, answer, NOW) {
        Verdict::Rows(fates) => fates,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_success_without_words_accepts_every_row() {
    for answer in [
        answer(200, &Value::Null),
        answer(201, &json!({})),
        answer(204, &Value::Null),
        answer(202, &json!({"jobId": "j-1"})),
        answer(200, &json!({"accepted": 3, "rejected": 0})),
        Answer {
            status: 200,
            headers: vec![],
            body: b"OK".to_vec(),
        },
    ] {
        assert_eq!(
            fates(&rows(3), &answer),
            vec![Fate::Accepted; 3],
            "{answer:?}"
        );
    }
}

/// Pitfall 107: items in another order, one throttled, one refused, one not mentioned.
#[test]
fn failures_inside_a_success_are_matched_by_key() {
    let rows = rows(100);
    let mut items: Vec<Value> = rows
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != 99)
        .map(|(index, row)| match index {
            3 => json!({"idempotency_key": row.idempotency_key(), "status": 429, "message": "slow down", "retry_after": 7}),
            50 => json!({"idempotency_key": row.idempotency_key(), "status": 400, "code": "bad.request", "message": "too long"}),
            _ => json!({"idempotency_key": row.idempotency_key(), "status": 200}),
        })
        .collect();
    items.reverse();
    let fates = fates(&rows, &answer(200, &json!({"results": items})));
    for (index, fate) in fates.iter().enumerate() {
        match index {
            3 => assert_eq!(
                *fate,
                Fate::Later(Later {
                    hint: Some(Duration::from_secs(7)),
                    cause: Cause::Snoozed,
                    why: "slow down".to_owned()
                })
            ),
            50 => assert_eq!(
                *fate,
                Fate::Rejected {
                    why: "bad.request: too long".to_owned()
                }
            ),
            99 => assert!(matches!(fate, Fate::Unknown { .. })),
            _ => assert_eq!(*fate, Fate::Accepted, "{index}"),
        }
    }
}

#[test]
fn the_answer_of_external_metrics_is_read() {
    let rows = rows(3);
    let body = json!({
        "processedEntities": [
            {"interactionId": "int_2", "metric": "handle_time", "totalValue": 1},
            {"interactionId": "int_0", "metric": "handle_time", "totalValue": 1}],
        "unprocessedEntities": [
            {"interactionId": "int_1", "metric": "handle_time", "message": "user is not active", "code": "invalid.user"}],
    });
    assert_eq!(
        fates(&rows, &answer(200, &body)),
        [
            Fate::Accepted,
            Fate::Rejected {
                why: "invalid.user: user is not active".to_owned()
            },
            Fate::Accepted,
        ]
    );
}

#[test]
fn a_list_of_failures_alone_accepts_the_rest() {
    let rows = rows(3);
    let key = rows[1].idempotency_key();
    let body =
        json!({"errorCount": 1, "errors": [{"idempotencyKey": key, "error": "no such contact"}]});
    assert_eq!(
        fates(&rows, &answer(207, &body)),
        [
            Fate::Accepted,
            Fate::Rejected {
                why: "no such contact".to_owned()
            },
            Fate::Accepted,
        ]
    );
}

#[test]
fn failures_that_name_nobody_leave_the_others_unknown() {
    let rows = rows(2);
    for body in [
        json!({"errorCount": 1}),
        json!({"errors": [{"index": 0, "error": "no such contact"}]}),
        json!({"errors": ["something went wrong"]}),
        json!({"success": false}),
    ] {
        let fates = fates(&rows, &answer(200, &body));
        assert!(
            fates
                .iter()
                .all(|fate| matches!(fate, Fate::Unknown { .. })),
            "{body} {fates:?}"
        );
    }
}

#[test]
fn a_list_of_the_taken_that_is_empty_took_none() {
    let rows = rows(2);
    let refused =
        json!({"idempotency_key": rows[0].idempotency_key(), "status": 400, "message": "x"});
    let body = json!({"processedEntities": [], "unprocessedEntities": [refused]});
    let fates = fates(&rows, &answer(200, &body));
    assert!(matches!(fates[0], Fate::Rejected { .. }));
    assert!(matches!(fates[1], Fate::Unknown { .. }));
}

#[test]
fn a_name_that_two_rows_share_names_neither() {
    let mut rows = rows(2);
    rows[1].interaction = rows[0].interaction.clone();
    rows[1].metric = "talk_time".to_owned();
    let body = json!({"errors": [{"interaction_id": "int_0", "error": "x"}]});
    let fates = fates(&rows, &answer(200, &body));
    assert!(
        fates
            .iter()
            .all(|fate| matches!(fate, Fate::Unknown { .. }))
    );
}

#[test]
fn a_success_that_cannot_be_read_is_no_confirmation() {
    for body in [&b"{\"results\": [{\"ke"[..], b"<html>please log in</html>"] {
        let answer = Answer {
            status: 200,
            headers: vec![],
            body: body.to_vec(),
        };
        assert!(matches!(
            read(&rows(2), &answer, NOW),
            Verdict::Unknown { .. }
        ));
    }
}

#[test]
fn throttling_is_heard_in_every_form() {
    let wait = |answer: &Answer| match read(&rows(1), answer, NOW) {
        Verdict::Slow { wait, .. } => wait.as_secs(),
        other => panic!("{other:?}"),
    };
    let bare = answer(429, &Value::Null);
    assert_eq!(wait(&with_header(bare.clone(), "retry-after", "42")), 42);
    let dated = with_header(bare.clone(), "date", "Fri, 27 Nov 2026 10:00:00 GMT");
    let dated = with_header(dated, "retry-after", "Fri, 27 Nov 2026 10:00:05 GMT");
    assert_eq!(wait(&dated), 5);
    let words = json!({"message": "Rate limit. Retry the request in [9] seconds", "code": "too.many.requests.retry.after"});
    assert_eq!(wait(&answer(429, &words)), 9);
    assert_eq!(
        wait(&with_header(bare.clone(), "inin-ratelimit-reset", "11")),
        11
    );
    assert_eq!(wait(&bare), UNNAMED_WAIT.as_secs());
    assert_eq!(
        wait(&with_header(bare, "retry-after", "120junk")),
        UNNAMED_WAIT.as_secs()
    );
}

#[test]
fn every_status_has_its_verdict() {
    #[derive(Debug, PartialEq)]
    enum Kind {
        Slow,
        Halve,
        Unauthorised,
        Pause,
        Broken,
        Unknown,
    }
    use Kind::{Broken, Halve, Pause, Slow, Unauthorised, Unknown};
    let table = [
        (301, Pause),
        (400, Halve),
        (401, Unauthorised),
        (403, Unauthorised),
        (404, Pause),
        (405, Pause),
        (408, Unknown),
        (409, Halve),
        (413, Halve),
        (415, Pause),
        (422, Halve),
        (425, Broken),
        (429, Slow),
        (500, Unknown),
        (501, Unknown),
        (502, Unknown),
        (503, Broken),
        (504, Unknown),
        (599, Unknown),
    ];
    for (status, expected) in table {
        let kind = match read(&rows(2), &answer(status, &Value::Null), NOW) {
            Verdict::Slow { .. } => Slow,
            Verdict::Halve { .. } => Halve,
            Verdict::Unauthorised { .. } => Unauthorised,
            Verdict::Pause { .. } => Pause,
            Verdict::Broken { .. } => Broken,
            Verdict::Unknown { .. } => Unknown,
            Verdict::Rows(fates) => panic!("{status} {fates:?}"),
        };
        assert_eq!(kind, expected, "{status}");
    }
}

/// An item's server error says no more about the item than a request's does about the request.
#[test]
fn an_item_that_failed_inside_the_platform_may_have_been_stored() {
    let rows = rows(5);
    let item = |index: usize, mut says: Value| {
        says["idempotency_key"] = json!(rows[index].idempotency_key());
        says
    };
    let items = [
        item(0, json!({"status": 500, "message": "x", "retry_after": 7})),
        item(1, json!({"status": 408, "message": "x"})),
        item(
            2,
            json!({"status": "failed", "code": "internal.server.error"}),
        ),
        item(3, json!({"status": 503, "message": "x", "retry_after": 7})),
        item(
            4,
            json!({"status": "failed", "code": "service.unavailable"}),
        ),
    ];
    let fates = fates(&rows, &answer(200, &json!({"results": items})));
    let asked = Some(Duration::from_secs(7));
    assert!(matches!(&fates[0], Fate::Unknown { hint, .. } if *hint == asked));
    assert!(matches!(&fates[1], Fate::Unknown { hint: None, .. }));
    assert!(matches!(&fates[2], Fate::Unknown { hint: None, .. }));
    assert!(matches!(&fates[3], Fate::Later(later) if later.hint == asked));
    assert!(matches!(&fates[4], Fate::Later(later) if later.cause == Cause::Failed));
}

#[test]
fn only_trouble_of_the_platform_counts_for_the_breaker() {
    let signal = |status| read(&rows(1), &answer(status, &Value::Null), NOW).signal();
    for status in [500, 502, 503, 504, 408] {
        assert_eq!(signal(status), Signal::Failure, "{status}");
    }
    for status in [400, 401, 403, 404, 413, 422, 429] {
        assert_eq!(signal(status), Signal::Neutral, "{status}");
    }
    assert_eq!(signal(200), Signal::Success);
}

#[test]
fn a_named_culprit_is_refused_and_its_neighbours_go_again_unharmed() {
    let rows = rows(3);
    let body = json!({"message": "invalid", "errors": [{"idempotency_key": rows[1].idempotency_key(), "message": "value too large"}]});
    let fates = fates(&rows, &answer(400, &body));
    assert_eq!(
        fates[1],
        Fate::Rejected {
            why: "value too large".to_owned()
        }
    );
    for index in [0, 2] {
        assert!(
            matches!(&fates[index], Fate::Later(later) if later.cause == Cause::Snoozed),
            "{fates:?}"
        );
    }
}

#[test]
fn the_platforms_words_are_kept_short_and_clean() {
    let long = "x".repeat(10_000);
    let Verdict::Halve { why } = read(&rows(1), &answer(400, &json!({"message": long})), NOW)
    else {
        panic!()
    };
    assert!(why.len() < 600);
    let described = with_header(
        answer(400, &Value::Null),
        "icstatusdescription",
        "Invalid\u{7}field",
    );
    let Verdict::Halve { why } = read(&rows(1), &described, NOW) else {
        panic!()
    };
    assert_eq!(why, "HTTP 400: Invalid field");
}

proptest! {
    #[test]
    fn every_row_has_exactly_one_fate_whatever_the_answer(
        status in 200u16..600, body in "\\PC{0,200}", count in 1usize..20,
    ) {
        let answer = Answer { status, headers: vec![("retry-after".to_owned(), body.clone())], body: body.into_bytes() };
        if let Verdict::Rows(fates) = read(&rows(count), &answer, NOW) {
            prop_assert_eq!(fates.len(), count);
        }
    }
}
