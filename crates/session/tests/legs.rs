//! Legs, case by case: as stated, as derived, and those that must be taken back.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "support/told.rs"]
mod told;

use schema::DurationKind::{Hold, QueueWait, Talk, Wrap};
use schema::{DurationKind, LegId, LegKind, LegOutcome, Millis, SourceRank, Transfer, UtcMicros};
use session::{DurationFact, LegView, Outcome, Session};
use told::{Told, at, leg, session};

fn millis(leg: &LegView<'_>, kind: DurationKind) -> Option<i64> {
    leg.duration(kind)?.plausible().map(|millis| millis.0)
}

fn names(session: &Session) -> Vec<String> {
    let legs = session.timeline().legs();
    legs.iter().map(|leg| leg.id.to_string()).collect()
}

/// Anna answers, holds once and transfers to Bo, who completes and wraps up.
fn transferred() -> Vec<Told> {
    vec![
        at(0).state("offered").queue("q"),
        at(2).state("queued").queue("q"),
        at(10)
            .state("connected")
            .agent("anna")
            .queue("q")
            .lasts(QueueWait, 8_000),
        at(40)
            .state("held")
            .agent("anna")
            .lasts(Hold, 5_000)
            .lasts(Talk, 30_000),
        at(45)
            .state("transferred")
            .agent("anna")
            .lasts(Talk, 31_000)
            .disposition("TRANSFER"),
        at(50).state("connected").agent("bo"),
        at(100)
            .state("completed")
            .agent("bo")
            .lasts(Talk, 81_000)
            .lasts(Hold, 5_000)
            .disposition("RESOLVED"),
        at(120).state("wrapped_up").agent("bo").lasts(Wrap, 20_000),
    ]
}

#[test]
fn each_agent_of_events_without_legs_gets_what_the_statements_grew_by() {
    let session = session(transferred());
    let timeline = session.timeline();
    let legs = timeline.legs();
    let [anna, bo] = &legs[..] else {
        panic!("{legs:?}")
    };
    assert_eq!((&*anna.id, &*bo.id), ("agent:anna", "agent:bo"));
    assert!(anna.derived && bo.derived);
    assert_eq!(
        [Talk, Hold, Wrap, QueueWait].map(|kind| millis(anna, kind)),
        [Some(31_000), Some(5_000), None, Some(8_000)]
    );
    // Bo repeats the hold: no part of it is Bo's.
    assert_eq!(
        [Talk, Hold, Wrap, QueueWait].map(|kind| millis(bo, kind)),
        [Some(50_000), Some(0), Some(20_000), None]
    );
    assert_eq!(anna.outcome, Some(LegOutcome::Transferred));
    assert_eq!(bo.outcome, Some(LegOutcome::Answered));
    assert_eq!(
        (anna.transfer, bo.transfer),
        (Some(Transfer::Unspecified), None)
    );
    let spans = |leg: &LegView<'_>| (leg.started_at, leg.answered_at, leg.ended_at);
    let second = |second: i64| UtcMicros(second * 1_000_000);
    assert_eq!(
        spans(anna),
        (second(10), Some(second(10)), Some(second(45)))
    );
    assert_eq!(spans(bo), (second(50), Some(second(50)), Some(second(120))));
    assert_eq!(
        (anna.disposition, bo.disposition),
        (Some("TRANSFER"), Some("RESOLVED"))
    );
    assert_eq!((anna.holds, bo.holds), (Some(1), Some(0)));
    assert_eq!(anna.longest_hold, Some(DurationFact::Stated(Millis(5_000))));
    assert_eq!(anna.queue.unwrap().as_str(), "q");
}

#[test]
fn where_a_statement_shrank_or_is_nobodys_no_agent_is_told_to_have_a_part_of_it() {
    let talk = |facts: Vec<Told>| {
        let session = session(facts);
        let timeline = session.timeline();
        let legs = timeline.legs();
        legs.iter().map(|leg| millis(leg, Talk)).collect::<Vec<_>>()
    };
    let anna = |second, millis| {
        at(second)
            .state("connected")
            .agent("anna")
            .lasts(Talk, millis)
    };
    let bo = |second, millis| {
        at(second)
            .state("connected")
            .agent("bo")
            .lasts(Talk, millis)
    };
    let nobody = |second, millis| at(second).state("completed").lasts(Talk, millis);
    assert_eq!(talk(vec![anna(1, 50), bo(2, 70)]), [Some(50), Some(20)]);
    assert_eq!(talk(vec![anna(1, 50), bo(2, 40)]), [None, None]);
    assert_eq!(
        talk(vec![anna(1, 50), bo(2, 70), nobody(3, 90)]),
        [None, None]
    );
    // A repetition is nobody's part and takes nothing away.
    assert_eq!(
        talk(vec![anna(1, 50), bo(2, 70), nobody(3, 70)]),
        [Some(50), Some(20)]
    );
    assert_eq!(talk(vec![anna(1, -50), bo(2, 70)]), [None, None]);
    // A record of the metric is weightier than the events, and it names nobody.
    let record = nobody(0, 60).rank(SourceRank::MetricRecord);
    assert_eq!(talk(vec![anna(1, 50), bo(2, 70), record]), [None, None]);
    // Where the weightier source names an agent, what lighter ones say of growth is nobody's part.
    let record = anna(0, 60).rank(SourceRank::MetricRecord);
    assert_eq!(talk(vec![record, bo(2, 70)]), [Some(60), None]);
    // With one agent, all of it is that agent's, downward too.
    assert_eq!(talk(vec![anna(1, 50), nobody(2, 30)]), [Some(30)]);
}

#[test]
fn an_agent_at_whom_it_only_rang_has_a_leg_that_was_not_answered() {
    let session = session([
        at(1).state("alerting").agent("away"),
        at(9).state("alerting").agent("there"),
        at(12)
            .state("connected")
            .agent("there")
            .lasts(QueueWait, 9_000),
        at(60).state("completed").lasts(Talk, 48_000),
    ]);
    let timeline = session.timeline();
    let legs = timeline.legs();
    assert_eq!(
        legs.iter().map(|leg| leg.outcome).collect::<Vec<_>>(),
        [Some(LegOutcome::NotResponding), Some(LegOutcome::Answered)]
    );
    // Only one took part, so what names nobody is that one's.
    assert_eq!(
        legs.iter().map(|leg| millis(leg, Talk)).collect::<Vec<_>>(),
        [None, Some(48_000)]
    );
    assert_eq!(timeline.agent_count(), 1);
    assert_eq!(timeline.last_agent().unwrap().id.as_str(), "there");
}

#[test]
fn the_agent_who_left_the_customer_alone_ended_when_the_next_one_was_named() {
    let session = session([
        at(1).state("connected").agent("anna"),
        at(30).state("connected").agent("bo"),
        at(60).state("completed"),
    ]);
    let timeline = session.timeline();
    let ends: Vec<_> = timeline
        .legs()
        .iter()
        .map(|leg| leg.ended_at.map(UtcMicros::seconds))
        .collect();
    assert_eq!(ends, [Some(30), Some(60)]);
}

#[test]
fn stated_legs_take_the_place_of_derived_ones() {
    let mut facts = transferred();
    facts.push(leg("s1", 10, LegKind::Agent, Some(LegOutcome::Answered)).agent("anna"));
    facts.push(leg("s0", 2, LegKind::Queue, None));
    let session = session(facts);
    assert_eq!(names(&session), ["s0", "s1"]);
    assert_eq!(
        session.timeline().withdrawn_legs(),
        [LegId::new("agent:anna"), LegId::new("agent:bo")]
    );
}

#[test]
fn of_one_leg_the_weightiest_source_counts_and_of_it_the_last() {
    let session = session([
        leg("s", 5, LegKind::Agent, Some(LegOutcome::Answered))
            .agent("anna")
            .disposition("A")
            .lasts(Talk, 50),
        leg("s", 9, LegKind::Agent, Some(LegOutcome::Transferred))
            .key("second")
            .disposition("B")
            .lasts(Talk, 60),
        leg("s", 1, LegKind::Other, Some(LegOutcome::Abandoned))
            .key("event")
            .rank(SourceRank::Event)
            .queue("q")
            .disposition("C")
            .lasts(Talk, 70),
    ]);
    let timeline = session.timeline();
    let legs = timeline.legs();
    let [leg] = &legs[..] else { panic!("{legs:?}") };
    assert_eq!(leg.kind, LegKind::Agent);
    assert_eq!(leg.outcome, Some(LegOutcome::Transferred));
    assert_eq!(leg.disposition, Some("B"));
    assert_eq!(millis(leg, Talk), Some(60));
    // Where the weightier says nothing, the lighter does.
    assert_eq!(leg.queue.unwrap().as_str(), "q");
    // A record is dated by the leg's start, an event by its own instant.
    assert_eq!(leg.started_at.seconds(), 5);
}

#[test]
fn an_end_before_the_agent_got_it_back_is_not_the_legs_end_unless_a_record_says_so() {
    let taken = leg("s", 70, LegKind::Agent, None)
        .key("from")
        .rank(SourceRank::Event)
        .state("connected");
    let given_up = |second: i64| {
        leg("s", second, LegKind::Agent, None)
            .key("until")
            .rank(SourceRank::Event)
            .with(|leg| leg.ended_at = Some(UtcMicros(second * 1_000_000)))
    };
    let stretch = |facts: Vec<Told>| {
        let session = session(facts);
        let legs = session.timeline().legs();
        let ended = legs[0].ended_at.map(UtcMicros::seconds);
        (legs[0].started_at.seconds(), ended)
    };
    assert_eq!(stretch(vec![taken.clone(), given_up(50)]), (70, None));
    assert_eq!(stretch(vec![taken.clone(), given_up(70)]), (70, Some(70)));
    assert_eq!(stretch(vec![taken.clone(), given_up(90)]), (70, Some(90)));
    let record =
        leg("s", 10, LegKind::Agent, None).with(|leg| leg.ended_at = Some(UtcMicros(60_000_000)));
    let all = vec![taken, given_up(50), record];
    assert_eq!(stretch(all), (10, Some(60)));
}

#[test]
fn events_about_a_leg_tell_by_their_states_what_a_record_would_state() {
    let on = |second, state: &str| {
        leg("s", second, LegKind::Agent, None)
            .key(state)
            .rank(SourceRank::Event)
            .state(state)
    };
    let session = session([
        on(1, "alerting"),
        on(5, "connected"),
        on(20, "held"),
        on(27, "blind_transferred"),
    ]);
    let timeline = session.timeline();
    let legs = timeline.legs();
    let leg = &legs[0];
    assert_eq!(leg.answered_at.map(UtcMicros::seconds), Some(5));
    assert_eq!(leg.ended_at.map(UtcMicros::seconds), Some(27));
    assert_eq!(leg.outcome, Some(LegOutcome::Transferred));
    assert_eq!(leg.transfer, Some(Transfer::Blind));
    assert_eq!(
        (leg.holds, leg.longest_hold),
        (Some(1), Some(DurationFact::Stated(Millis(7_000))))
    );
    assert_eq!(timeline.transfers().blind, 1);
}

#[test]
fn a_leg_that_a_revision_renames_or_gives_away_is_withdrawn_whichever_came_first() {
    let old = leg("old", 1, LegKind::Agent, None).key("k");
    let new = leg("new", 1, LegKind::Agent, None).key("k").revision(2);
    let queue = leg("old", 1, LegKind::Queue, None).key("k").revision(2);
    let first = at(1).agent("anna").key("e");
    let second = at(1).agent("bo").key("e").revision(2);
    let fresh = at(1).key("e").revision(2);
    for (before, after, gone) in [
        (&old, &new, "old"),
        (&old, &queue, "old"),
        (&first, &second, "agent:anna"),
        (&first, &fresh, "agent:anna"),
    ] {
        let straight = session([before.clone(), after.clone()]);
        let back = session([after.clone(), before.clone()]);
        assert_eq!(straight, back);
        assert_eq!(straight.timeline().withdrawn_legs(), [LegId::new(gone)]);
        assert_eq!(Session::from_json(&straight.to_json()).unwrap(), straight);
        // Stated again, it is withdrawn no more.
        let mut again = straight.clone();
        again.insert(before.clone().key("later").fact());
        assert!(again.timeline().withdrawn_legs().is_empty());
    }
    assert_eq!(
        session([old.clone(), new]).to_json().split(',').nth(1),
        Some(r#""w":["old"]"#)
    );
    assert!(!session([old]).to_json().contains(r#""w""#));
}

#[test]
fn a_session_of_the_release_before_knows_no_withdrawn_legs() {
    let text = r#"{"v":1,"f":[{"k":"e:a","a":1,"b":{"ag":{"i":"anna"}}}]}"#;
    let session = Session::from_json(text).unwrap();
    assert_eq!(names(&session), ["agent:anna"]);
    assert_eq!(session.to_json(), text);
}

#[test]
fn all_legs_of_a_session_that_grew_too_large_are_withdrawn() {
    let mut session = session([at(1).agent("anna"), leg("s", 2, LegKind::Agent, None)]);
    for n in 0..session::MAX_FACTS {
        session.insert(at(3).key(&n.to_string()).fact());
    }
    session.insert(at(4).agent("bo").fact());
    assert!(session.is_overfull());
    let timeline = session.timeline();
    assert!(timeline.legs().is_empty());
    assert_eq!(
        timeline.withdrawn_legs(),
        ["agent:anna", "agent:bo", "s"].map(LegId::new)
    );
}

/// Who answered, as each leg says it, with the talk that is theirs.
fn talked(session: &Session) -> Vec<(String, Option<LegOutcome>, Option<i64>)> {
    let timeline = session.timeline();
    let legs = timeline.legs();
    legs.iter()
        .map(|leg| (leg.id.to_string(), leg.outcome, millis(leg, Talk)))
        .collect()
}

fn part(
    agent: &str,
    outcome: LegOutcome,
    talk: Option<i64>,
) -> (String, Option<LegOutcome>, Option<i64>) {
    (format!("agent:{agent}"), Some(outcome), talk)
}

#[test]
fn legs_and_interaction_agree_on_who_answered_where_the_connection_is_not_told() {
    use LegOutcome::{Abandoned, Answered, NotResponding, Transferred};
    // It rang at one agent, and it was completed with talk.
    let rang = session([
        at(24).state("alerting").agent("chi"),
        at(43).state("completed").lasts(Talk, 8_200),
    ]);
    assert_eq!(talked(&rang), [part("chi", Answered, Some(8_200))]);
    assert_eq!(rang.timeline().outcome(), Some(Outcome::Answered));
    assert_eq!(rang.timeline().missed_alerts(), 0);
    assert_eq!(rang.timeline().agent_count(), 1);
    // An agent passed it on: somebody who did not answer cannot.
    let left = session([
        at(13)
            .state("transferred")
            .agent("anna")
            .lasts(Talk, 50_900),
        at(23).state("abandoned"),
    ]);
    assert_eq!(talked(&left), [part("anna", Transferred, Some(50_900))]);
    assert_eq!(left.timeline().outcome(), Some(Outcome::Answered));
    // Passed on, rang, and more was talked.
    let passed = |talk| {
        session([
            at(0).state("connected").agent("anna"),
            at(60)
                .state("transferred")
                .agent("anna")
                .lasts(Talk, 60_000),
            at(61).state("alerting").agent("chi"),
            at(99).state("completed").agent("chi").lasts(Talk, talk),
        ])
    };
    assert_eq!(
        talked(&passed(90_000)),
        [
            part("anna", Transferred, Some(60_000)),
            part("chi", Answered, Some(30_000))
        ]
    );
    // `connected` without a name is the agent's at whom it rang.
    let nameless = session([
        at(1).state("alerting").agent("away"),
        at(5).state("alerting").agent("there"),
        at(8).state("connected"),
        at(50).state("completed").lasts(Talk, 42_000),
    ]);
    assert_eq!(
        talked(&nameless),
        [
            part("away", NotResponding, None),
            part("there", Answered, Some(42_000))
        ]
    );
    assert_eq!(nameless.timeline().missed_alerts(), 1);
    // The customer left while it rang.
    let gone = session([
        at(5).state("alerting").agent("anna"),
        at(7).state("abandoned").lasts(Talk, 0),
    ]);
    assert_eq!(talked(&gone), [part("anna", Abandoned, None)]);
    assert_eq!(gone.timeline().first_agent(), None);
}

#[test]
fn who_answered_is_the_first_agent_and_not_one_at_whom_it_rang_before() {
    let session = session([
        at(0).state("queued"),
        at(5).state("alerting").agent("anna"),
        at(25).state("alerting").agent("bo"),
        at(28).state("connected").agent("bo"),
        at(128).state("completed").agent("bo").lasts(Talk, 100_000),
    ]);
    let timeline = session.timeline();
    let (agent, stated_at) = timeline.first_agent().unwrap();
    // As first stated, which was by the alert.
    assert_eq!((agent.id.as_str(), stated_at.seconds()), ("bo", 25));
    assert_eq!(timeline.agent_count(), 1);
    assert_eq!(timeline.missed_alerts(), 1);
}

#[test]
fn of_one_instant_the_states_tell_the_order_and_not_the_ids() {
    let passed_on = |ids: [&str; 2]| {
        session([
            at(0).state("connected").agent("anna").key("a"),
            at(60)
                .state("transferred")
                .agent("anna")
                .lasts(Talk, 60_000)
                .key(ids[0]),
            at(60)
                .state("connected")
                .agent("bo")
                .lasts(Talk, 60_000)
                .key(ids[1]),
            at(90)
                .state("completed")
                .agent("bo")
                .lasts(Talk, 90_000)
                .key("z"),
        ])
    };
    for ids in [["e0", "e2"], ["e2", "e0"]] {
        let session = passed_on(ids);
        assert_eq!(
            talked(&session),
            [
                part("anna", LegOutcome::Transferred, Some(60_000)),
                part("bo", LegOutcome::Answered, Some(30_000))
            ]
        );
        assert_eq!(session.timeline().last_agent().unwrap().id.as_str(), "bo");
    }
    for ids in [["e0", "e2"], ["e2", "e0"]] {
        let session = session([
            at(5).state("queued").key(ids[0]),
            at(5).state("alerting").agent("anna").key(ids[1]),
            at(9).state("connected").agent("anna").key("z"),
            at(10).state("completed").key("zz"),
        ]);
        assert_eq!(session.timeline().missed_alerts(), 0);
    }
}

#[test]
fn who_joins_a_conference_answered_and_was_in_it() {
    let session = session([
        at(0).state("connected").agent("anna"),
        at(50).state("conferenced").agent("bo"),
        at(90).state("completed").agent("anna"),
    ]);
    let timeline = session.timeline();
    let legs = timeline.legs();
    let seen: Vec<_> = legs
        .iter()
        .map(|leg| (leg.outcome, leg.conference))
        .collect();
    let answered = Some(LegOutcome::Answered);
    assert_eq!(seen, [(answered, false), (answered, true)]);
}

#[test]
fn an_agents_stated_leg_without_an_outcome_is_read_as_events_are() {
    let only = |told: Told| {
        let session = session([told.agent("anna"), told_end()]);
        let timeline = session.timeline();
        let legs = timeline.legs();
        (legs[0].outcome, timeline.agent_count())
    };
    let stated = || leg("s", 1, LegKind::Agent, None);
    let answered = Some(LegOutcome::Answered);
    assert_eq!(only(stated().lasts(Talk, 1)), (answered, 1));
    assert_eq!(only(stated().state("completed")), (answered, 1));
    // It dialled, and nobody took it: a part of the agent's all the same.
    assert_eq!(only(stated().lasts(DurationKind::Dialing, 9)), (None, 1));
    assert_eq!(only(stated().lasts(DurationKind::Alert, 9)), (None, 0));
}

fn told_end() -> Told {
    at(99).state("missed").key("end")
}

/// From, until and wrapped up, in seconds after the start.
fn busy(session: &Session) -> Vec<(i64, Option<i64>, Option<i64>)> {
    let timeline = session.timeline();
    let began = timeline.start().unwrap();
    let after = |at: UtcMicros| at.since(began).0 / 1000;
    let legs = timeline.legs();
    let busy = legs.iter().filter_map(|leg| leg.busy(timeline.ended_at()));
    busy.map(|busy| {
        (
            after(busy.from),
            busy.until.map(after),
            busy.wrapped_at.map(after),
        )
    })
    .collect()
}

#[test]
fn an_agent_is_busy_from_the_answer_for_as_long_as_was_handled() {
    assert_eq!(
        busy(&session(transferred())),
        [(10, Some(46), None), (50, Some(100), Some(120))],
        "31 s talk and 5 s hold; then 50 s talk and 20 s wrap-up"
    );
}

#[test]
fn who_dials_is_busy_before_the_answer() {
    let dialled = |answered: Option<i64>| {
        let ended = |leg: &mut schema::Leg| {
            leg.answered_at = answered.map(|second| UtcMicros(second * 1_000_000));
            leg.ended_at = Some(UtcMicros(60_000_000));
        };
        let told = leg("s", 10, LegKind::Agent, None)
            .agent("anna")
            .lasts(DurationKind::Contacting, 1_000)
            .lasts(DurationKind::Dialing, 4_000)
            .with(ended);
        let told = match answered {
            Some(_) => told.lasts(Talk, 30_000),
            None => told,
        };
        session([at(0).state("offered"), told, told_end()])
    };
    assert_eq!(
        busy(&dialled(Some(15))),
        [(10, Some(45), None)],
        "1 s contacting, 4 s dialling, 30 s talk: the handle time"
    );
    assert_eq!(
        busy(&dialled(Some(12))),
        [(10, Some(42), None)],
        "never before the leg"
    );
    assert_eq!(busy(&dialled(None)), [(10, Some(60), None)]);
}

#[test]
fn an_agent_whose_contact_goes_on_is_busy_without_end() {
    let mut told = transferred();
    told.truncate(4);
    assert_eq!(busy(&session(told)), [(10, None, None)]);
}

#[test]
fn an_agent_at_whom_it_only_rang_was_not_busy() {
    let told = vec![
        at(0).state("queued").queue("q"),
        at(5).state("alerting").agent("deaf"),
        at(20).state("alerting").agent("anna"),
        at(25).state("connected").agent("anna"),
        at(60).state("completed").agent("anna"),
    ];
    assert_eq!(busy(&session(told)), [(25, Some(60), None)]);
}
