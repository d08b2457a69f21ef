//! Where an open interaction is now.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "support/told.rs"]
mod told;

use schema::LegKind;
use session::Session;
use session::phase::Phase;
use told::{Told, at, leg, session};

/// Phase, seconds since the start, queue and agent.
fn now(session: &Session) -> Option<(&'static str, i64, Option<String>, Option<String>)> {
    let timeline = session.timeline();
    let now = timeline.now()?;
    let since = now.since.since(timeline.start()?).0 / 1000;
    let queue = now.queue.map(|queue| queue.as_str().to_owned());
    let agent = now.agent.map(|agent| agent.as_str().to_owned());
    Some((now.phase.name(), since, queue, agent))
}

fn call() -> Vec<Told> {
    vec![
        at(0).state("offered"),
        at(2).state("queued").queue("sales"),
        at(10).state("alerting").agent("deaf"),
        at(20).state("queued").queue("sales"),
        at(22).state("alerting").agent("anna"),
        at(25).state("connected").agent("anna"),
        at(40).state("held").agent("anna"),
        at(50).state("transferred").agent("anna"),
        at(55).state("connected").agent("bo"),
        at(90).state("completed").agent("bo"),
    ]
}

#[test]
fn the_last_state_says_where_it_is_and_the_stretch_since_when() {
    let sales = || Some("sales".to_owned());
    let name = |name: &str| Some(name.to_owned());
    let expected = [
        Some(("other", 0, None, None)),
        Some(("waiting", 2, sales(), None)),
        Some(("alerting", 2, sales(), name("deaf"))),
        Some(("waiting", 2, sales(), None)),
        Some(("alerting", 2, sales(), name("anna"))),
        Some(("in_progress", 25, sales(), name("anna"))),
        Some(("held", 25, sales(), name("anna"))),
        Some(("waiting", 50, sales(), None)),
        Some(("in_progress", 55, sales(), name("bo"))),
        None,
    ];
    for (told, expected) in expected.into_iter().enumerate() {
        let mut call = call();
        call.truncate(told + 1);
        assert_eq!(now(&session(call)), expected, "after {} events", told + 1);
    }
}

#[test]
fn without_events_the_open_legs_say_where_it_is() {
    let queue = leg("wait", 0, LegKind::Queue, None).queue("sales");
    assert_eq!(
        now(&session(vec![queue])),
        Some(("waiting", 0, Some("sales".to_owned()), None))
    );
}

#[test]
fn of_nothing_there_is_no_phase() {
    assert_eq!(now(&Session::default()), None);
    assert_eq!(Phase::Other.name(), "other");
}
