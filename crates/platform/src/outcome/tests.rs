use super::*;
use proptest::prelude::*;
use serde_json::json;

/// 2026-11-27T12:00:00Z.
const NOW: UtcMicros = UtcMicros::from_millis(1_795_780_800_000);

fn answer(status: u16, body: &Value) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        },
        platform_now: None,
    }
}

fn with_header(mut answer: Answer, name: &str, value: &str) -> Answer {
    answer.headers.push((name.to_owned(), value.to_owned()));
    answer
}

/// Nothing is said of rows.
fn verdict(answer: &Answer) -> Verdict<u8> {
    read(answer, NOW, |_| None)
}

#[test]
fn every_verdict_has_one_of_the_names_and_no_name_is_nobodys() {
    let statuses = [200, 429, 400, 401, 405, 503, 500];
    let names = statuses.map(|status| {
        let answer = answer(status, &json!({}));
        read(&answer, NOW, |_| (status == 200).then(|| vec![7])).name()
    });
    assert_eq!(names, Verdict::<u8>::NAMES);
}

#[test]
fn what_is_said_of_rows_is_asked_where_they_can_be_at_fault() {
    for (status, asked) in [
        (200, true),
        (204, true),
        (301, false),
        (400, true),
        (401, false),
        (403, false),
        (404, true),
        (405, false),
        (409, true),
        (413, true),
        (422, true),
        (425, false),
        (429, false),
        (500, false),
        (503, false),
    ] {
        let verdict = read(&answer(status, &json!({"message": "x"})), NOW, |said| {
            assert_eq!(said.status, status);
            assert!(said.body.is_some() && said.words.ends_with('x'));
            Some(vec![7])
        });
        assert_eq!(
            verdict == Verdict::Rows(vec![7]),
            asked,
            "{status} {verdict:?}"
        );
    }
}

#[test]
fn a_success_of_which_nothing_can_be_said_is_no_confirmation() {
    let bodies = [&b"{\"results\": [{\"ke"[..], b"<html>please log in</html>"];
    for body in bodies {
        let answer = Answer {
            status: 200,
            headers: vec![],
            body: body.to_vec(),
            platform_now: None,
        };
        let verdict = read(&answer, NOW, |_| Some(vec![7]));
        assert!(matches!(verdict, Verdict::Unknown { .. }));
    }
    assert!(matches!(
        verdict(&answer(200, &Value::Null)),
        Verdict::Unknown { .. }
    ));
    let bare = Answer {
        status: 200,
        headers: vec![],
        body: b"OK".to_vec(),
        platform_now: None,
    };
    let verdict = read(&bare, NOW, |said| said.body.is_none().then(|| vec![7]));
    assert_eq!(verdict, Verdict::Rows(vec![7]));
}

#[test]
fn throttling_is_heard_in_every_form() {
    let wait = |answer: &Answer| match verdict(answer) {
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
        let kind = match verdict(&answer(status, &Value::Null)) {
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

#[test]
fn only_trouble_of_the_platform_counts_for_the_breaker() {
    let signal = |status| verdict(&answer(status, &Value::Null)).signal();
    for status in [500, 502, 503, 504, 408] {
        assert_eq!(signal(status), Signal::Failure, "{status}");
    }
    for status in [400, 401, 403, 404, 413, 422, 429] {
        assert_eq!(signal(status), Signal::Neutral, "{status}");
    }
    let taken = read(&answer(200, &Value::Null), NOW, |_| Some(vec![7]));
    assert_eq!(taken.signal(), Signal::Success);
}

#[test]
fn the_platforms_words_are_kept_short_and_clean() {
    let long = "x".repeat(10_000);
    let Verdict::Halve { why } = verdict(&answer(400, &json!({"message": long}))) else {
        panic!()
    };
    assert!(why.len() < 600);
    let described = with_header(
        answer(400, &Value::Null),
        "icstatusdescription",
        "Invalid\u{7}field",
    );
    let Verdict::Halve { why } = verdict(&described) else {
        panic!()
    };
    assert_eq!(why, "HTTP 400: Invalid field");
}

proptest! {
    #[test]
    fn every_answer_has_a_verdict(status in 200_u16..600, body in "\\PC{0,200}") {
        let answer = Answer { status, headers: vec![("retry-after".to_owned(), body.clone())], body: body.into_bytes(), platform_now: None };
        let verdict = read(&answer, NOW, |_| Some(vec![7]));
        let of_rows = matches!(verdict, Verdict::Rows(_) | Verdict::Unknown { .. });
        prop_assert!(status >= 300 || of_rows);
    }
}
