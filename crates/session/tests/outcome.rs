//! What became of an interaction, case by case.

#![allow(
    clippy::redundant_closure_for_method_calls,
    reason = "the methods themselves are not general enough over the timeline's lifetime"
)]

#[path = "support/told.rs"]
mod told;

use schema::DurationKind::{Hold, QueueWait, Talk};
use schema::{Direction, LegKind, LegOutcome, Millis, State, Transfer, UtcMicros};
use session::{DurationFact, Outcome, Session, Status, Timeline};
use told::{Told, at, leg, session, whole};

fn told_by<T>(facts: Vec<Told>, ask: impl FnOnce(&Timeline<'_>) -> T) -> T {
    ask(&session(facts).timeline())
}

fn outcome(facts: Vec<Told>) -> Option<Outcome> {
    told_by(facts, |timeline| timeline.outcome())
}

/// Events of these states, a second apart.
fn states(names: &[&str]) -> Vec<Told> {
    (0..)
        .zip(names)
        .map(|(n, name)| at(n).state(name))
        .collect()
}

fn seconds(duration: Option<DurationFact>) -> Option<i64> {
    duration?.plausible().map(|millis| millis.0 / 1000)
}

#[test]
fn states_alone_tell_the_outcome() {
    use Outcome::{AbandonedInIvr, AbandonedInQueue, Answered, Missed, Other, SelfService};
    for (names, expected) in [
        (&["offered", "queued"][..], None),
        (
            &["offered", "queued", "connected", "completed"],
            Some(Answered),
        ),
        (&["offered", "queued", "abandoned"], Some(AbandonedInQueue)),
        (
            &["offered", "alerting", "abandoned"],
            Some(AbandonedInQueue),
        ),
        (&["offered", "abandoned"], Some(AbandonedInIvr)),
        (&["offered", "alerting", "missed"], Some(Missed)),
        (&["offered", "completed"], Some(SelfService)),
        // It waited for agents: who served it then, nobody says, and no flow claims it.
        (&["offered", "queued", "completed"], Some(Other)),
        // After-call work is of somebody, but only a name says whose.
        (
            &["queued", "abandoned", "wrapped_up"],
            Some(AbandonedInQueue),
        ),
        // Whoever talked to an agent was answered, whatever the last word is.
        (
            &["queued", "connected", "held", "abandoned"],
            Some(Answered),
        ),
        (&["connected", "missed"], Some(Answered)),
    ] {
        assert_eq!(outcome(states(names)), expected, "{names:?}");
    }
}

#[test]
fn an_agent_a_queue_or_talk_tells_where_the_states_do_not() {
    let ended = |state: &str| at(9).state(state);
    for (told, expected) in [
        (ended("completed").agent("anna"), Outcome::Answered),
        (ended("completed").lasts(Talk, 1), Outcome::Answered),
        (ended("completed").lasts(Talk, 0), Outcome::SelfService),
        (ended("completed").queue("q"), Outcome::SelfService),
        (ended("completed").lasts(QueueWait, 0), Outcome::SelfService),
        (ended("completed").lasts(QueueWait, 9), Outcome::Other),
        (
            ended("abandoned").lasts(QueueWait, 9),
            Outcome::AbandonedInQueue,
        ),
        // Talk is talk, whatever the end is called.
        (ended("abandoned").lasts(Talk, 1), Outcome::Answered),
        (
            ended("missed").agent("anna").lasts(Talk, 1),
            Outcome::Answered,
        ),
        (ended("abandoned").queue("q"), Outcome::AbandonedInQueue),
        (ended("abandoned").agent("anna"), Outcome::AbandonedInQueue),
        (ended("missed").agent("anna"), Outcome::Missed),
    ] {
        assert_eq!(outcome(vec![told.clone()]), Some(expected), "{told:?}");
    }
    // It rang at somebody, and then it was over: nobody knows who served it.
    let rang = vec![at(1).state("alerting").agent("anna"), ended("completed")];
    assert_eq!(outcome(rang), Some(Outcome::Other));
}

#[test]
fn legs_tell_the_outcome_before_states_do() {
    use LegKind::{Agent, Customer, Ivr, Queue};
    use LegOutcome::{Abandoned, Answered, FlowedOut, NotResponding, Transferred};
    type Legs = &'static [(LegKind, Option<LegOutcome>)];
    let cases: [(Legs, &str, Outcome); 14] = [
        (
            &[(Queue, Some(Answered)), (Agent, Some(Transferred))],
            "completed",
            Outcome::Answered,
        ),
        (
            &[(Queue, Some(Abandoned)), (Agent, Some(NotResponding))],
            "abandoned",
            Outcome::AbandonedInQueue,
        ),
        (
            &[(Agent, Some(Abandoned))],
            "abandoned",
            Outcome::AbandonedInQueue,
        ),
        // Left the second queue after the first one passed it on.
        (
            &[(Queue, Some(FlowedOut)), (Queue, Some(Abandoned))],
            "abandoned",
            Outcome::AbandonedInQueue,
        ),
        (
            &[(Queue, Some(FlowedOut)), (Agent, Some(NotResponding))],
            "completed",
            Outcome::FlowedOut,
        ),
        (
            &[(Customer, None), (Ivr, Some(Abandoned))],
            "completed",
            Outcome::AbandonedInIvr,
        ),
        // The queue answered, then a survey was left.
        (
            &[(Agent, Some(Answered)), (Ivr, Some(Abandoned))],
            "completed",
            Outcome::Answered,
        ),
        (&[(Agent, Some(NotResponding))], "missed", Outcome::Missed),
        (
            &[(Customer, None), (Ivr, Some(Answered))],
            "completed",
            Outcome::SelfService,
        ),
        // How it ended in the flow, nobody says.
        (
            &[(Customer, None), (Ivr, None)],
            "completed",
            Outcome::Other,
        ),
        (
            &[(Ivr, Some(Answered)), (Queue, None)],
            "completed",
            Outcome::Other,
        ),
        (&[(Agent, None)], "completed", Outcome::Other),
        (&[(Ivr, None), (Queue, None)], "completed", Outcome::Other),
        (
            &[(Ivr, None), (Queue, None)],
            "abandoned",
            Outcome::AbandonedInQueue,
        ),
    ];
    for (legs, end, expected) in cases {
        let mut facts: Vec<Told> = (0..)
            .zip(legs)
            .map(|(n, (kind, outcome))| leg(&n.to_string(), n, *kind, *outcome))
            .collect();
        facts.push(whole(end, 60));
        assert_eq!(outcome(facts), Some(expected), "{legs:?}");
    }
}

#[test]
fn who_was_only_consulted_did_not_answer_the_customer() {
    let consulted = leg("2", 5, LegKind::Agent, Some(LegOutcome::Answered))
        .agent("bo")
        .with(|leg| leg.consult = true);
    let facts = vec![
        leg("1", 1, LegKind::Agent, Some(LegOutcome::NotResponding)).agent("anna"),
        consulted,
        whole("missed", 60),
    ];
    assert_eq!(outcome(facts), Some(Outcome::Missed));
}

#[test]
fn the_state_of_the_record_keeps_its_word() {
    // Who hung up in the flow is no abandonment of the centre's: the outcome tells them apart, the state does not change.
    let session = session([
        leg("1", 1, LegKind::Ivr, Some(LegOutcome::Abandoned)),
        whole("completed", 60),
    ]);
    assert_eq!(session.timeline().status(), Status::Completed);
    assert_eq!(
        session.timeline().outcome().map(Outcome::name),
        Some("abandoned_in_ivr")
    );
    assert_eq!(Session::default().timeline().outcome(), None);
}

#[test]
fn transfers_are_counted_by_legs_or_else_by_states() {
    let by = |facts: Vec<Told>| {
        let transfers = told_by(facts, |timeline| timeline.transfers());
        (transfers.blind, transfers.consult, transfers.total())
    };
    let on = |id: &str, transfer| {
        leg(id, 1, LegKind::Agent, None).with(move |leg| leg.transfer = Some(transfer))
    };
    assert_eq!(by(states(&["connected", "completed"])), (0, 0, 0));
    let told = states(&[
        "connected",
        "transferred",
        "blind_transferred",
        "consult_transferred",
        "warm_transferred",
        "untransferred",
    ]);
    assert_eq!(by(told.clone()), (1, 2, 4));
    let mut both = told;
    both.extend([on("a", Transfer::Blind), on("b", Transfer::Unspecified)]);
    assert_eq!(by(both), (1, 0, 2));
}

#[test]
fn what_a_flow_passes_on_is_no_agents_transfer() {
    let total = |facts: Vec<Told>| told_by(facts, |timeline| timeline.transfers().total());
    let before = |transferred: Told| {
        vec![
            at(0).state("offered"),
            transferred,
            at(21).state("queued"),
            at(25).state("connected").agent("anna"),
            at(85).state("completed").agent("anna"),
        ]
    };
    assert_eq!(total(before(at(20).state("transferred"))), 0);
    assert_eq!(total(before(at(40).state("transferred"))), 1);
    assert_eq!(total(before(at(20).state("transferred").agent("anna"))), 1);
}

#[test]
fn the_same_statement_under_two_ids_counts_once() {
    let twice = |state: &str, agent: Option<&str>| {
        [at(10), at(10).later(3)].map(|told| {
            let told = told.state(state);
            match agent {
                Some(agent) => told.agent(agent),
                None => told,
            }
        })
    };
    let with = |twins: [Told; 2], rest: Vec<Told>| {
        let mut facts = twins.to_vec();
        facts.extend(rest);
        told_by(facts, |timeline| {
            (
                timeline.missed_alerts(),
                timeline.transfers().total(),
                timeline.holds(),
            )
        })
    };
    let rang = twice("alerting", Some("anna"));
    let taken = vec![at(20).state("connected").agent("anna")];
    assert_eq!(with(rang, taken).0, 0);
    assert_eq!(with(twice("missed", Some("anna")), vec![]).0, 1);
    assert_eq!(with(twice("missed", None), vec![]).0, 1);
    let sums_up = vec![at(30).state("missed")];
    assert_eq!(with(twice("missed", Some("anna")), sums_up).0, 1);
    assert_eq!(with(twice("transferred", Some("anna")), vec![]).1, 1);
    assert_eq!(with(twice("held", Some("anna")), vec![]).2, Some(1));
    // Another state in between makes it another one.
    let again = vec![
        at(11).state("connected").agent("bo"),
        at(12).state("transferred").agent("bo"),
        at(13).state("connected").agent("anna"),
        at(14).state("transferred").agent("anna"),
    ];
    assert_eq!(with(twice("transferred", Some("anna")), again).1, 3);
}

#[test]
fn it_ended_behind_the_last_of_its_life_and_a_second_copy_of_the_end_does_not_move_it() {
    let ended =
        |facts: Vec<Told>| told_by(facts, |timeline| timeline.ended_at()).map(UtcMicros::seconds);
    let interim = vec![
        at(0).state("queued"),
        at(5).state("alerting").agent("anna"),
        at(20).state("missed").agent("anna"),
        at(25).state("connected").agent("bo"),
        at(60).state("held").agent("bo"),
        at(90).state("connected").agent("bo"),
        at(128).state("completed").agent("bo"),
        at(129).state("completed").agent("bo"),
        at(140).state("wrapped_up").agent("bo"),
    ];
    assert_eq!(ended(interim), Some(128));
    // A straggler behind the end moves nothing.
    assert_eq!(
        ended(vec![at(7).state("completed"), at(9).state("held")]),
        Some(7)
    );
    assert_eq!(ended(states(&["queued", "connected"])), None);
}

#[test]
fn the_customer_was_gone_when_the_first_line_in_the_direction_of_the_interaction_ended() {
    use Direction::{Inbound, Outbound};
    let line = |id: &str, second, direction, until: Option<i64>| {
        leg(id, second, LegKind::Customer, None)
            .direction(direction)
            .with(|leg| leg.ended_at = until.map(|until| UtcMicros(until * 1_000_000)))
    };
    let left = |lines: Vec<Told>| {
        let mut facts = vec![whole("completed", 900).direction(Direction::Inbound)];
        facts.extend(lines);
        told_by(facts, |timeline| timeline.customer_left_at()).map(UtcMicros::seconds)
    };
    let stray = || line("b", 40, Outbound, Some(880));
    assert_eq!(
        left(vec![line("a", 0, Inbound, Some(60)), stray()]),
        Some(60)
    );
    assert_eq!(
        left(vec![line("a", 50, Inbound, Some(60)), stray()]),
        Some(60)
    );
    assert_eq!(left(vec![stray()]), Some(880));
    // Still open, or no line at all: the interaction's end.
    assert_eq!(left(vec![line("a", 0, Inbound, None), stray()]), Some(900));
    assert_eq!(left(vec![]), Some(900));
}

#[test]
fn it_was_over_when_the_customer_was_gone_and_the_agents_were_done() {
    use Direction::{Inbound, Outbound};
    let part = |id: &str, kind, second, until: Option<i64>| {
        leg(id, second, kind, None)
            .with(|leg| leg.ended_at = until.map(|until| UtcMicros(until * 1_000_000)))
    };
    let over = |legs: Vec<Told>| {
        let mut facts = vec![whole("completed", 900).direction(Inbound)];
        facts.extend(legs);
        told_by(facts, |timeline| {
            [timeline.over_at(), timeline.contact_ended_at()].map(|at| at.map(UtcMicros::seconds))
        })
    };
    let line = || part("a", LegKind::Customer, 0, Some(60)).direction(Inbound);
    // Whom an agent called besides may stay on the line for weeks.
    let besides = || part("b", LegKind::Customer, 40, Some(900)).direction(Outbound);
    let agent = |until| part("c", LegKind::Agent, 5, until);
    assert_eq!(over(vec![line(), besides()]), [Some(60), Some(60)]);
    assert_eq!(
        over(vec![line(), besides(), agent(Some(75))]),
        [Some(75), Some(60)],
        "wrap-up is work, and the customer may come back in it"
    );
    assert_eq!(over(vec![line(), agent(None)]), [Some(900), Some(60)]);
    assert_eq!(over(vec![line(), agent(Some(950))]), [Some(900), Some(60)]);
    assert_eq!(over(vec![]), [Some(900), Some(900)]);
    // The customer put the phone down and was called back.
    let back = part("d", LegKind::Customer, 60, Some(300))
        .direction(Outbound)
        .media("callback");
    assert_eq!(
        over(vec![line(), back, agent(Some(310))]),
        [Some(310), Some(310)]
    );
    let open = vec![at(0).state("queued"), line()];
    assert_eq!(told_by(open, |timeline| timeline.over_at()), None);
}

#[test]
fn it_was_queued_when_a_queue_a_wait_or_an_alert_says_so() {
    let queued = |told: Told| told_by(vec![told], |timeline| timeline.queued());
    assert!(queued(at(0).state("queued")) && queued(at(0).state("alerting")));
    assert!(queued(at(0).queue("q")) && queued(at(0).lasts(QueueWait, 3_200)));
    assert!(queued(leg("q", 0, LegKind::Queue, None)));
    assert!(!queued(at(0).state("completed")) && !queued(at(0).lasts(QueueWait, 0)));
    assert!(!queued(leg("i", 0, LegKind::Ivr, None)));
}

#[test]
fn holds_are_those_of_the_legs_or_else_the_held_states() {
    let of = |facts: Vec<Told>| {
        told_by(facts, |timeline| {
            (timeline.holds(), seconds(timeline.longest_hold()))
        })
    };
    let call = |holds: &[(i64, i64)]| {
        let mut facts = vec![at(0).state("connected"), at(100).state("completed")];
        for (from, until) in holds {
            facts.push(at(*from).state("held"));
            facts.push(at(*until).state("connected"));
        }
        facts
    };
    assert_eq!(of(call(&[])), (Some(0), None));
    assert_eq!(of(call(&[(5, 9), (20, 50)])), (Some(2), Some(30)));
    // Held to the end.
    assert_eq!(
        of(vec![at(0).state("held"), at(7).state("completed")]),
        (Some(1), Some(7))
    );
    // What is said of all holds together is that of a single one.
    let stated = |holds: &[(i64, i64)], millis| {
        let mut facts = call(holds);
        facts.push(at(99).state("completed").lasts(Hold, millis));
        of(facts)
    };
    assert_eq!(stated(&[(5, 9)], 2_000), (Some(1), Some(2)));
    assert_eq!(stated(&[(5, 9), (20, 50)], 34_000), (Some(2), Some(30)));
    // One of them alone is longer than all together: whoever is wrong, the longest is not known.
    assert_eq!(stated(&[(5, 9), (20, 50)], 12_000), (Some(2), None));
    // Hold time without a word of when: it is not known how often.
    assert_eq!(stated(&[], 2_000), (None, None));
    assert_eq!(of(states(&["completed"])), (None, None));
    let on = |id: &str, holds, longest| {
        leg(id, 1, LegKind::Agent, None).with(move |leg| {
            leg.holds = Some(holds);
            leg.longest_hold = Some(Millis(longest));
        })
    };
    assert_eq!(
        of(vec![on("a", 2, 3_000), on("b", 1, 9_000)]),
        (Some(3), Some(9))
    );
}

#[test]
fn it_rang_in_vain_as_often_as_no_answer_followed() {
    for (names, expected) in [
        (&["queued", "alerting", "connected"][..], 0),
        (&["alerting", "queued", "alerting", "missed"], 2),
        // The customer left while it rang: nobody missed anything.
        (&["alerting", "abandoned"], 0),
        (&["offered", "missed"], 1),
        (&["alerting", "completed"], 0),
        (&["alerting", "parked", "queued"], 1),
    ] {
        assert_eq!(
            told_by(states(names), |timeline| timeline.missed_alerts()),
            expected,
            "{names:?}"
        );
    }
    let rang = |agents: [&str; 2], taken: &str| {
        let mut facts: Vec<Told> = (0..)
            .zip(agents)
            .map(|(n, agent)| at(n).state("alerting").agent(agent))
            .collect();
        facts.push(at(9).state("connected").agent(taken));
        told_by(facts, |timeline| timeline.missed_alerts())
    };
    assert_eq!(rang(["anna", "bo"], "bo"), 1);
    assert_eq!(rang(["anna", "bo"], "chi"), 2);
    // Whom an agent consults has not missed the customer when that agent goes on.
    let consulting = vec![
        at(1).state("connected").agent("anna"),
        at(2).state("alerting").agent("bo"),
        at(3).state("held").agent("anna"),
        at(4).state("connected").agent("bo"),
    ];
    assert_eq!(told_by(consulting, |timeline| timeline.missed_alerts()), 0);
    let missed = Some(LegOutcome::NotResponding);
    let legs = vec![
        leg("a", 1, LegKind::Agent, missed),
        leg("a", 2, LegKind::Agent, missed).key("again"),
        leg("b", 3, LegKind::Agent, missed),
        leg("c", 4, LegKind::Agent, Some(LegOutcome::Answered)),
    ];
    assert_eq!(told_by(legs, |timeline| timeline.missed_alerts()), 2);
}

#[test]
fn the_customer_waited_until_leaving() {
    let after = |facts: Vec<Told>| seconds(told_by(facts, |timeline| timeline.abandoned_after()));
    let events = |wait: Option<i64>| {
        let mut end = at(50).state("abandoned");
        if let Some(wait) = wait {
            end = end.lasts(QueueWait, wait);
        }
        vec![at(0).state("offered"), at(8).state("queued"), end]
    };
    assert_eq!(after(events(Some(41_000))), Some(41));
    assert_eq!(after(events(None)), Some(42));
    // In the flow, from the very start.
    assert_eq!(
        after(vec![at(3).state("offered"), at(50).state("abandoned")]),
        Some(47)
    );
    assert_eq!(after(states(&["connected", "completed"])), None);
    // The clock goes on from queue to queue.
    let queue = |id: &str, second, outcome, wait| {
        leg(id, second, LegKind::Queue, Some(outcome)).lasts(QueueWait, wait)
    };
    let legs = |more: Vec<Told>| {
        let mut facts = vec![
            queue("1", 1, LegOutcome::FlowedOut, 9_000),
            whole("abandoned", 60),
        ];
        facts.extend(more);
        after(facts)
    };
    assert_eq!(
        legs(vec![queue("2", 10, LegOutcome::Abandoned, 7_000)]),
        Some(16)
    );
    let unstated = leg("2", 10, LegKind::Queue, Some(LegOutcome::Abandoned))
        .with(|leg| leg.ended_at = Some(UtcMicros(31_000_000)));
    assert_eq!(legs(vec![unstated]), Some(30));
    let absurd = told_by(events(Some(-5)), |timeline| timeline.abandoned_after());
    assert_eq!(absurd, Some(DurationFact::Implausible(Millis(-5))));
}

#[test]
fn the_customer_waited_until_the_first_answer_and_later_waits_are_not_in_it() {
    let after = |facts: Vec<Told>| seconds(told_by(facts, |timeline| timeline.answered_after()));
    let queue =
        |id: &str, second, wait| leg(id, second, LegKind::Queue, None).lasts(QueueWait, wait);
    let agent = |id: &str, second: i64, consult| {
        leg(id, second - 2, LegKind::Agent, Some(LegOutcome::Answered))
            .agent(id)
            .with(move |leg| {
                leg.answered_at = Some(UtcMicros(second * 1_000_000));
                leg.consult = consult;
            })
    };
    let record = |legs: Vec<Told>| {
        let mut facts = vec![whole("completed", 900)];
        facts.extend(legs);
        after(facts)
    };
    // The queue of the agent who was asked, or to whom the customer was passed on, began behind the answer.
    assert_eq!(
        record(vec![
            queue("1", 0, 7_000),
            queue("2", 7, 3_000),
            agent("anna", 10, false),
            queue("3", 50, 2_000),
            agent("bo", 52, true),
        ]),
        Some(10)
    );
    // A contact record states the wait on the agent's leg itself.
    assert_eq!(
        record(vec![
            agent("anna", 10, false).lasts(QueueWait, 8_000),
            agent("bo", 90, false).lasts(QueueWait, 5_000),
        ]),
        Some(8)
    );
    assert_eq!(record(vec![queue("1", 0, 7_000)]), None);
    // Events: what was stated by then, or by the first that says anything.
    let events = |by: [Option<i64>; 3]| {
        let lasts = |told: Told, wait: Option<i64>| match wait {
            Some(wait) => told.lasts(QueueWait, wait),
            None => told,
        };
        after(vec![
            at(0).state("queued").queue("s"),
            lasts(at(10).state("connected").agent("anna"), by[0]),
            lasts(at(70).state("transferred").agent("anna"), by[1]),
            at(71).state("queued").queue("t"),
            lasts(at(371).state("abandoned"), by[2]),
        ])
    };
    assert_eq!(events([Some(9_000), None, Some(310_000)]), Some(9));
    assert_eq!(events([None, Some(8_000), Some(310_000)]), Some(8));
    assert_eq!(events([None, None, Some(310_000)]), None);
    assert_eq!(after(states(&["queued", "abandoned"])), None);
    let only = at(5)
        .state("completed")
        .agent("anna")
        .lasts(QueueWait, 3_200);
    assert_eq!(after(vec![only]), Some(3));
}

#[test]
fn answered_is_the_first_answer_of_a_leg_or_the_first_connection() {
    let of = |facts: Vec<Told>| {
        told_by(facts, |timeline| timeline.answered_at()).map(UtcMicros::seconds)
    };
    assert_eq!(
        of(states(&["queued", "connected", "held", "connected"])),
        Some(1)
    );
    assert_eq!(of(states(&["queued", "completed"])), None);
    let answered = |id: &str, kind, second: i64, consult| {
        leg(id, 0, kind, None).with(move |leg| {
            leg.outcome = (kind == LegKind::Agent).then_some(LegOutcome::Answered);
            leg.answered_at = Some(UtcMicros(second * 1_000_000));
            leg.consult = consult;
        })
    };
    assert_eq!(
        of(vec![
            answered("q", LegKind::Queue, 4, false),
            answered("consulted", LegKind::Agent, 5, true),
            answered("b", LegKind::Agent, 9, false),
            answered("a", LegKind::Agent, 7, false),
        ]),
        Some(7)
    );
    assert_eq!(of(vec![answered("q", LegKind::Queue, 4, false)]), Some(4));
}

#[test]
fn offered_is_the_first_wait_of_a_leg_or_the_first_state_that_says_so_or_the_start() {
    let of =
        |facts: Vec<Told>| told_by(facts, |timeline| timeline.offered_at()).map(UtcMicros::seconds);
    assert_eq!(
        of(vec![
            leg("ivr", 0, LegKind::Ivr, None),
            leg("late", 9, LegKind::Queue, None),
            leg("q", 4, LegKind::Queue, None),
            at(2).state("offered"),
        ]),
        Some(4)
    );
    assert_eq!(of(states(&["connected", "queued", "offered"])), Some(1));
    assert_eq!(of(states(&["connected", "completed"])), Some(0));
    assert_eq!(of(Vec::new()), None);
}

#[test]
fn time_in_a_state_lasts_until_another_is_stated() {
    let facts = vec![
        at(0).state("queued"),
        at(4).state("queued"),
        at(10).state("connected"),
        at(12).state("queued"),
        at(15).state("completed"),
        at(40).state("wrapped_up"),
        // A record is dated by the start and states the end: no part of the history.
        whole("completed", 15),
    ];
    let session = session(facts);
    let timeline = session.timeline();
    let spent = |name: &str| seconds(Some(timeline.state_time(&State::from_name(name))));
    assert_eq!(spent("queued"), Some(13));
    assert_eq!(spent("connected"), Some(2));
    // Completed until the wrap-up was told of; nothing ends the wrap-up, and it is behind the end.
    assert_eq!(spent("completed"), Some(25));
    assert_eq!(spent("wrapped_up"), Some(0));
    assert_eq!(spent("parked"), Some(0));
}

#[test]
fn lists_name_each_once_and_only_who_took_part() {
    let session = session([
        at(1).state("alerting").agent("away").queue("q1"),
        at(2)
            .state("connected")
            .agent("anna")
            .queue("q1")
            .disposition("A"),
        at(3)
            .state("transferred")
            .agent("anna")
            .queue("q2")
            .disposition(""),
        at(4).state("connected").agent("bo").disposition("A"),
        at(5)
            .state("completed")
            .agent("anna")
            .disposition("B")
            .media("callback"),
    ]);
    let timeline = session.timeline();
    let agents: Vec<_> = timeline.agents().iter().map(|a| a.id.as_str()).collect();
    assert_eq!(agents, ["anna", "bo"]);
    assert_eq!(timeline.last_agent().map(|a| a.id.as_str()), Some("anna"));
    let queues: Vec<_> = timeline.queues().iter().map(|q| q.as_str()).collect();
    assert_eq!(queues, ["q1", "q2"]);
    assert_eq!(timeline.dispositions(), ["A", "B"]);
    assert!(timeline.callback() && !timeline.conference());
    let many: Vec<Told> = (0..100)
        .map(|n| at(n).state("connected").agent(&format!("agent {}", n % 50)))
        .collect();
    assert_eq!(told_by(many, |timeline| timeline.agent_count()), 50);
    assert!(told_by(states(&["conference"]), |timeline| timeline.conference()));
    let leg = leg("a", 1, LegKind::Agent, None).with(|leg| leg.conference = true);
    assert!(told_by(vec![leg], |timeline| timeline.conference()));
}
