//! Rows of legs: whose they are, which queue they belong to, and what becomes of them when the facts change.

use crate::call::{Call, Told, at, second, shown};
use schema::{DurationKind, LegKind, LegOutcome, State};

fn leg(begins: i64, id: &str, agent: &str, talk: i64) -> Told {
    at(begins)
        .agent(agent, None)
        .lasts(DurationKind::Talk, talk * 1000)
        .leg(id, LegKind::Agent, |leg| {
            leg.outcome = Some(LegOutcome::Answered);
        })
}

#[test]
fn each_agents_leg_has_a_row_of_its_own_agent_start_and_queue() {
    let call = Call::default()
        .told(at(0).queue("first").leg("q1", LegKind::Queue, |_| ()))
        .told(leg(10, "a", "anna", 60))
        .told(at(80).queue("second").leg("q2", LegKind::Queue, |_| ()))
        .told(leg(90, "b", "bo", 30).queue("own"))
        .told(leg(95, "c", "chi", 20))
        .told(at(200).state(State::Completed));
    let rows = call.rows("leg_handle_time");
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.scope.as_str(),
                row.value,
                row.timestamp,
                row.agent.as_ref().unwrap().as_str(),
                row.queue.as_ref().unwrap().as_str(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("a", Some(60.0), second(10), "anna", "first"),
            ("b", Some(30.0), second(90), "bo", "own"),
            ("c", Some(20.0), second(95), "chi", "second"),
        ]
    );
    // By legs or by the interaction: the same work.
    assert_eq!(call.value("handle_time"), "110");
}

#[test]
fn a_leg_that_nobody_answered_has_no_handle_time_and_counts_as_missed() {
    let call = Call::default()
        .told(
            at(5)
                .agent("dee", None)
                .lasts(DurationKind::Alert, 9000)
                .leg("r", LegKind::Agent, |leg| {
                    leg.outcome = Some(LegOutcome::NotResponding);
                }),
        )
        .told(leg(20, "a", "anna", 60))
        .ended();
    let values = |metric: &str| call.rows(metric).iter().map(shown).collect::<Vec<_>>();
    assert_eq!(values("leg_handle_time"), ["absent: filtered", "60"]);
    assert_eq!(values("leg_missed"), ["1", "0"]);
    assert_eq!(call.value("missed"), "1");
}

#[test]
fn a_leg_that_is_no_agents_any_more_is_taken_back() {
    let mut call = Call::default().told(leg(10, "a", "anna", 60)).ended();
    assert_eq!(call.rows("leg_talk_time").len(), 1);
    // A revision of the same statement says that it was the customer's line.
    let mut revised = leg(10, "a", "anna", 60)
        .leg("a", LegKind::Customer, |_| ())
        .0;
    revised.key = call.session.facts()[0].key.clone();
    revised.revision = Some(second(500));
    call.session.insert(revised);
    let rows = call.rows("leg_talk_time");
    assert_eq!(
        rows.iter().map(shown).collect::<Vec<_>>(),
        ["absent: withdrawn"]
    );
    assert_eq!(rows[0].scope.as_str(), "a");
}

#[test]
fn consultations_are_work_but_no_contacts_of_their_own() {
    let call = Call::default()
        .told(leg(0, "a", "anna", 300))
        .told(leg(100, "b", "bo", 30).leg("b", LegKind::Agent, |leg| {
            leg.outcome = Some(LegOutcome::Answered);
            leg.consult = true;
        }))
        .told(at(400).state(State::Completed));
    assert_eq!(call.value("handle_time"), "330");
    assert_eq!(call.value("customer_handle_time"), "300");
    let values = |metric: &str| call.rows(metric).iter().map(shown).collect::<Vec<_>>();
    assert_eq!(values("leg_handle_time"), ["300", "30"]);
    assert_eq!(values("leg_missed"), ["0", "absent: filtered"]);
    assert_eq!(values("leg_transferred"), ["0", "absent: filtered"]);
}

/// Anna talks for 100 s, asks Bo for 30 s and hands over; he goes on for 200 s and wraps up for 20 s.
#[test]
fn a_warm_transfer_counts_the_asking_once_for_the_customer_and_twice_for_the_agents() {
    let call = Call::default()
        .told(leg(0, "a", "anna", 100).lasts(DurationKind::Hold, 30_000))
        .told(
            leg(100, "b", "bo", 230)
                .lasts(DurationKind::Wrap, 20_000)
                .leg("b", LegKind::Agent, |leg| {
                    leg.outcome = Some(LegOutcome::Answered);
                    leg.consulted = Some(schema::Millis(30_000));
                }),
        )
        .told(at(400).state(State::Completed));
    assert_eq!(call.value("handle_time"), "380");
    assert_eq!(call.value("customer_handle_time"), "350");
    let values = |metric: &str| call.rows(metric).iter().map(shown).collect::<Vec<_>>();
    assert_eq!(values("leg_handle_time"), ["130", "250"]);
}

/// Who lets it ring may be sent into wrap-up for that; it is the platform's handle time and no time of the customer's.
#[test]
fn the_wrap_up_of_an_agent_who_let_it_ring_is_handle_time_but_not_the_customers() {
    let call = Call::default()
        .told(
            at(5)
                .agent("dee", None)
                .lasts(DurationKind::Wrap, 57_000)
                .leg("r", LegKind::Agent, |leg| {
                    leg.outcome = Some(LegOutcome::NotResponding);
                }),
        )
        .told(leg(70, "a", "anna", 60).lasts(DurationKind::Wrap, 3000))
        .ended();
    assert_eq!(call.value("handle_time"), "120");
    assert_eq!(call.value("customer_handle_time"), "63");
    assert_eq!(call.value("wrap_time"), "60");
}
