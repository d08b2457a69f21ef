//! What an agent's time was, example by example.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "support/told.rs"]
mod told;

use agent::{Busy, Interval, State, intervals, standing};
use schema::{AgentFact, AgentStatement, FactKey, Presence, Routing, SourceRank, UtcMicros};
use told::{RULES, at, interacting, presence, routing, scheduled, wrapping};

/// From, to and what is known, in milliseconds and words.
fn words(intervals: &[Interval]) -> Vec<String> {
    intervals.iter().map(word).collect()
}

fn word(interval: &Interval) -> String {
    let millis = |instant: UtcMicros| instant.since(at(0)).0;
    let state = &interval.state;
    let mut words = vec![format!("{}-{}", millis(interval.from), millis(interval.to))];
    words.extend(state.presence.as_ref().map(|it| it.name().to_owned()));
    words.extend(state.routing.as_ref().map(|it| format!("r:{}", it.name())));
    words.extend(state.scheduled.as_ref().map(|it| format!("s:{it}")));
    words.extend(state.team.as_ref().map(|it| format!("t:{it}")));
    words.extend(state.reason.as_ref().map(|it| format!("({it})")));
    for (flag, word) in [
        (state.interacting, "interacting"),
        (state.wrapping, "wrapping"),
        (state.capped, "capped"),
        (interval.open, "open"),
    ] {
        if flag {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}

/// Over 0 to 30 s, seen much later.
fn told(facts: &[AgentFact], busy: &[Busy]) -> Vec<String> {
    words(&intervals(
        facts,
        busy,
        at(0),
        at(30_000),
        at(99_000),
        &RULES,
    ))
}

#[test]
fn a_statement_holds_until_the_next_of_its_track() {
    let facts = [
        presence(1_000, Presence::OnQueue),
        routing(1_500, Routing::Idle),
        presence(3_000, Presence::Break),
        routing(3_100, Routing::OffQueue),
        presence(9_000, Presence::Offline),
    ];
    assert_eq!(
        told(&facts, &[]),
        [
            "0-1000",
            "1000-1500 on_queue",
            "1500-3000 on_queue r:idle",
            "3000-3100 break r:idle",
            "3100-9000 break r:off_queue",
            "9000-30000 offline",
        ],
        "the sign-out ends what the router said, and is never capped"
    );
}

#[test]
fn a_state_without_news_for_too_long_is_unknown_and_flagged() {
    assert_eq!(
        told(
            &[
                presence(1_000, Presence::OnQueue),
                presence(20_000, Presence::Busy)
            ],
            &[]
        ),
        [
            "0-1000",
            "1000-11000 on_queue",
            "11000-20000 capped",
            "20000-30000 busy",
        ]
    );
    assert_eq!(
        told(
            &[
                routing(1_000, Routing::Idle),
                presence(15_000, Presence::Offline)
            ],
            &[]
        ),
        [
            "0-1000",
            "1000-11000 r:idle",
            "11000-15000 capped",
            "15000-30000 offline"
        ],
        "a sign-out clears the flag"
    );
}

#[test]
fn a_night_after_a_sign_out_is_no_unknown_time() {
    // The router's word comes a moment after the presence, and nothing more until the next morning.
    assert_eq!(
        told(
            &[
                presence(1_000, Presence::OnQueue),
                routing(1_000, Routing::Idle),
                presence(3_000, Presence::Offline),
                routing(3_100, Routing::OffQueue),
                presence(25_000, Presence::Available),
                presence(27_000, Presence::OnQueue),
                routing(27_100, Routing::Idle),
            ],
            &[]
        ),
        [
            "0-1000",
            "1000-3000 on_queue r:idle",
            "3000-3100 offline",
            "3100-25000 offline r:off_queue",
            "25000-27000 available r:off_queue",
            "27000-27100 on_queue r:off_queue",
            "27100-30000 on_queue r:idle",
        ]
    );
    let night = [
        presence(3_000, Presence::Offline),
        routing(3_100, Routing::OffQueue),
    ];
    let standing = standing(&night, &[], at(90_000), &RULES);
    assert_eq!((standing.state.capped, standing.changes_at), (false, None));
}

#[test]
fn a_presence_that_nobody_ended_is_capped_whatever_the_router_said() {
    assert_eq!(
        told(
            &[
                presence(1_000, Presence::Busy),
                routing(1_000, Routing::OffQueue),
            ],
            &[]
        ),
        [
            "0-1000",
            "1000-11000 busy r:off_queue",
            "11000-30000 r:off_queue capped",
        ]
    );
}

#[test]
fn a_stated_end_holds_however_late_and_what_follows_is_unknown() {
    let until = |millis, fact: AgentFact| AgentFact {
        until: Some(at(millis)),
        ..fact
    };
    assert_eq!(
        told(
            &[
                until(18_000, presence(1_000, Presence::Meal)),
                presence(20_000, Presence::Busy)
            ],
            &[]
        ),
        [
            "0-1000",
            "1000-18000 meal",
            "18000-20000",
            "20000-30000 busy"
        ]
    );
    assert_eq!(
        told(
            &[
                until(18_000, presence(1_000, Presence::Meal)),
                until(7_000, presence(5_000, Presence::Busy))
            ],
            &[]
        ),
        ["0-1000", "1000-5000 meal", "5000-7000 busy", "7000-30000"],
        "a later statement cuts an earlier one short, and what was cut does not come back"
    );
}

#[test]
fn a_later_presence_does_not_bring_back_what_a_sign_out_ended() {
    let facts = [
        routing(1_000, Routing::Idle),
        presence(1_000, Presence::OnQueue),
        presence(2_000, Presence::Offline),
        presence(3_000, Presence::Available),
        routing(4_000, Routing::OffQueue),
        presence(5_000, Presence::Offline),
        routing(5_000, Routing::OffQueue),
        routing(6_000, Routing::OffQueue),
    ];
    assert_eq!(
        told(&facts, &[]),
        [
            "0-1000",
            "1000-2000 on_queue r:idle",
            "2000-3000 offline",
            "3000-4000 available",
            "4000-5000 available r:off_queue",
            "5000-6000 offline",
            "6000-30000 offline r:off_queue",
        ],
        "what the router says at the very instant is ended, what it says later holds"
    );
}

#[test]
fn of_two_statements_at_one_instant_the_greater_holds() {
    let mut recorded = presence(1_000, Presence::Meal);
    recorded.rank = SourceRank::SettledRecord;
    recorded.until = Some(at(4_000));
    let mut other_key = presence(1_000, Presence::Offline);
    other_key.key = FactKey::event("evt");
    let facts = [other_key, recorded, presence(1_000, Presence::Busy)];
    assert_eq!(
        told(&facts, &[]),
        ["0-1000", "1000-4000 meal", "4000-30000"]
    );
}

#[test]
fn the_reason_goes_with_its_presence_and_the_team_stays() {
    let mut facts = vec![
        presence(1_000, Presence::Break),
        presence(2_000, Presence::OnQueue),
    ];
    facts[0].statement.reason = Some("Smoke".into());
    facts[0].statement.team = Some("sales".into());
    facts.push(AgentFact {
        statement: AgentStatement {
            team: Some("".into()),
            ..AgentStatement::default()
        },
        ..routing(25_000, Routing::Idle)
    });
    assert_eq!(
        told(&facts, &[]),
        [
            "0-1000",
            "1000-2000 break t:sales (Smoke)",
            "2000-12000 on_queue t:sales",
            "12000-25000 t:sales capped",
            "25000-30000 capped",
        ]
    );
}

#[test]
fn the_plan_has_gaps_and_an_empty_statement_takes_it_back() {
    let facts = [
        scheduled(1_000, 9_000, "on_queue"),
        scheduled(3_000, 4_000, "break"),
        scheduled(4_000, 9_000, "on_queue"),
        scheduled(12_000, 20_000, "on_queue"),
        scheduled(14_000, 20_000, ""),
    ];
    assert_eq!(
        told(&facts, &[]),
        [
            "0-1000",
            "1000-3000 s:on_queue",
            "3000-4000 s:break",
            "4000-9000 s:on_queue",
            "9000-12000",
            "12000-14000 s:on_queue",
            "14000-30000",
        ]
    );
}

#[test]
fn several_contacts_at_once_are_one_busy_time() {
    let busy = [
        interacting(1_000, Some(5_000)),
        interacting(2_000, Some(3_000)),
        interacting(5_000, Some(6_000)),
        wrapping(4_000, 7_000),
        wrapping(8_000, 8_000),
    ];
    assert_eq!(
        told(&[], &busy),
        [
            "0-1000",
            "1000-4000 interacting",
            "4000-6000 interacting wrapping",
            "6000-7000 wrapping",
            "7000-30000",
        ]
    );
}

#[test]
fn an_open_contact_counts_up_to_now_or_the_cap() {
    let open = [interacting(1_000, None)];
    assert_eq!(
        told(&[], &open),
        ["0-1000", "1000-11000 interacting", "11000-30000"]
    );
    let now = intervals(&[], &open, at(0), at(30_000), at(4_000), &RULES);
    assert_eq!(words(&now), ["0-1000", "1000-4000 interacting open"]);
}

#[test]
fn nothing_is_told_beyond_now() {
    let facts = [
        presence(1_000, Presence::OnQueue),
        scheduled(6_000, 9_000, "break"),
    ];
    let told = |as_of| {
        words(&intervals(
            &facts,
            &[],
            at(0),
            at(30_000),
            at(as_of),
            &RULES,
        ))
    };
    assert_eq!(told(5_000), ["0-1000", "1000-5000 on_queue open"]);
    assert_eq!(
        told(6_000),
        ["0-1000", "1000-6000 on_queue"],
        "what ends at this very instant is not open"
    );
    assert!(told(0).is_empty());
}

#[test]
fn being_there_is_told_by_presence_else_router_and_by_work() {
    let state = |presence: Option<Presence>, routing: Option<Routing>, interacting| State {
        presence,
        routing,
        interacting,
        ..State::default()
    };
    for (state, logged_in, on_queue, known) in [
        (state(None, None, false), false, false, false),
        (state(None, None, true), true, false, true),
        (
            state(Some(Presence::Offline), None, false),
            false,
            false,
            true,
        ),
        (
            state(Some(Presence::Offline), None, true),
            true,
            false,
            true,
        ),
        // The router's last word on a contact that was over after the sign-out.
        (
            state(Some(Presence::Offline), Some(Routing::Idle), false),
            false,
            false,
            true,
        ),
        (state(Some(Presence::Meal), None, false), true, false, true),
        (
            state(Some(Presence::OnQueue), None, false),
            true,
            true,
            true,
        ),
        (
            state(None, Some(Routing::OffQueue), false),
            false,
            false,
            true,
        ),
        (
            state(None, Some(Routing::Communicating), false),
            true,
            false,
            true,
        ),
        (state(None, Some(Routing::Idle), false), true, true, true),
        (
            state(Some(Presence::Busy), Some(Routing::NotResponding), false),
            true,
            true,
            true,
        ),
    ] {
        assert_eq!(
            (state.logged_in(), state.on_queue(), state.known()),
            (logged_in, on_queue, known),
            "{state:?}"
        );
    }
}

#[test]
fn how_an_agent_stands_now() {
    let facts = [
        presence(1_000, Presence::OnQueue),
        routing(2_000, Routing::Idle),
        scheduled(0, 7_000, "on_queue"),
        scheduled(20_000, 21_000, "break"),
    ];
    let now = standing(&facts, &[interacting(4_000, None)], at(5_000), &RULES);
    assert_eq!(now.state.presence, Some(Presence::OnQueue));
    assert!(now.state.interacting);
    assert_eq!(now.since, Some(at(4_000)), "the plan is no state");
    assert_eq!(now.changes_at, Some(at(7_000)), "the planned activity ends");
    let later = standing(&facts, &[], at(15_000), &RULES);
    assert_eq!(later.since, None, "all of it was capped");
    assert_eq!(later.changes_at, Some(at(20_000)));
    let out = standing(&[presence(0, Presence::Offline)], &[], at(9), &RULES);
    assert_eq!((out.since, out.changes_at), (Some(at(0)), None));
}
