//! What the timeline answers, case by case.

use schema::{
    AgentId, AgentRef, Details, DurationKind, Fact, FactKey, Leg, LegId, LegKind, LegOutcome,
    Millis, SourceRank, State, Statement, UtcMicros,
};
use session::{DurationFact, IMPLAUSIBLE_MILLIS, Session, Status};

fn session(facts: impl IntoIterator<Item = Fact>) -> Session {
    let mut session = Session::default();
    for fact in facts {
        session.insert(fact);
    }
    session
}

fn stated(key: FactKey, at: i64, statement: Statement) -> Fact {
    Fact {
        key,
        at: UtcMicros(at),
        revision: None,
        rank: SourceRank::Event,
        statement,
    }
}

fn event(id: &str, at: i64, state: State) -> Fact {
    let statement = Statement {
        state: Some(state),
        ..Statement::default()
    };
    stated(FactKey::event(id), at, statement)
}

fn agent(id: &str, at: i64, agent: &str, zone: Option<&str>) -> Fact {
    let statement = Statement {
        agent: Some(AgentRef {
            id: AgentId::new(agent),
            zone: zone.map(Into::into),
        }),
        ..Statement::default()
    };
    stated(FactKey::event(id), at, statement)
}

fn duration(key: FactKey, at: i64, kind: DurationKind, millis: i64) -> Fact {
    let mut fact = stated(key, at, Statement::default());
    fact.statement.durations.set(kind, Millis(millis));
    fact
}

fn on_leg(mut fact: Fact, leg: &str, kind: LegKind, outcome: Option<LegOutcome>) -> Fact {
    fact.rank = SourceRank::SettledRecord;
    fact.statement
        .details
        .get_or_insert_default()
        .leg
        .replace(Leg {
            outcome,
            ..Leg::new(LegId::new(leg), kind)
        });
    fact
}

fn leg(id: &str, at: i64, kind: LegKind, outcome: Option<LegOutcome>) -> Fact {
    on_leg(
        stated(FactKey::leg(id), at, Statement::default()),
        id,
        kind,
        outcome,
    )
}

/// The interaction's own record.
fn record(state: Option<State>, ended_at: Option<i64>) -> Fact {
    let statement = Statement {
        state,
        details: Some(Box::new(Details {
            ended_at: ended_at.map(UtcMicros),
            ..Details::default()
        })),
        ..Statement::default()
    };
    Fact {
        rank: SourceRank::SettledRecord,
        ..stated(FactKey::interaction(), 0, statement)
    }
}

#[test]
fn the_outcome_is_the_last_terminal_state_on_the_timeline_wherever_it_stands() {
    type Case = (&'static [(&'static str, i64, State)], Status);
    let cases: [Case; 6] = [
        (&[], Status::Open),
        (&[("1", 1, State::Connected)], Status::Open),
        // Wrap-up comes behind the terminal state and changes nothing.
        (
            &[("1", 1, State::Completed), ("2", 2, State::WrappedUp)],
            Status::Completed,
        ),
        (
            &[("1", 1, State::Missed), ("2", 2, State::Completed)],
            Status::Completed,
        ),
        (
            &[("1", 3, State::Missed), ("2", 2, State::Completed)],
            Status::Missed,
        ),
        // Of one instant, the greater key is the later.
        (
            &[("1", 1, State::Completed), ("2", 1, State::Abandoned)],
            Status::Abandoned,
        ),
    ];
    for (states, expected) in cases {
        let facts = states
            .iter()
            .map(|(id, at, state)| event(id, *at, state.clone()));
        let session = session(facts);
        assert_eq!(session.timeline().status(), expected, "{states:?}");
    }
}

#[test]
fn the_record_of_the_interaction_decides_over_events() {
    let later = event("9", 9, State::Abandoned);
    let decided = session([later.clone(), record(Some(State::Completed), Some(5))]);
    assert_eq!(decided.timeline().terminal(), Some(State::Completed));
    assert_eq!(decided.timeline().ended_at(), Some(UtcMicros(5)));
    // An open record does not reopen what an event called ended: the record may be the older picture.
    let open = session([later, record(None, None)]);
    assert_eq!(open.timeline().terminal(), Some(State::Abandoned));
    assert_eq!(open.timeline().ended_at(), Some(UtcMicros(9)));
    let unknown = session([record(None, Some(5))]);
    assert_eq!(unknown.timeline().terminal(), Some(State::Completed));
    assert_eq!(
        session([record(None, None)]).timeline().status(),
        Status::Open
    );
}

#[test]
fn an_ended_record_without_a_state_has_the_outcome_of_its_legs() {
    type Case = (&'static [(LegKind, Option<LegOutcome>)], State);
    use LegKind::{Agent, Customer, Ivr, Queue};
    use LegOutcome::{Abandoned, Answered, FlowedOut, NotResponding, Transferred};
    let cases: [Case; 6] = [
        (
            &[(Queue, Some(Answered)), (Agent, Some(Answered))],
            State::Completed,
        ),
        // Rang at one agent in vain, answered by the next.
        (
            &[
                (Queue, None),
                (Agent, Some(NotResponding)),
                (Agent, Some(Transferred)),
            ],
            State::Completed,
        ),
        // The customer left while it rang.
        (
            &[(Queue, Some(Abandoned)), (Agent, Some(NotResponding))],
            State::Abandoned,
        ),
        (&[(Agent, Some(NotResponding))], State::Missed),
        // Nobody but a flow: served by it.
        (
            &[(Customer, None), (Ivr, Some(FlowedOut))],
            State::Completed,
        ),
        (&[], State::Completed),
    ];
    for (legs, expected) in cases {
        let legs = legs
            .iter()
            .enumerate()
            .map(|(n, (kind, outcome))| leg(&n.to_string(), 1, *kind, *outcome));
        let session = session(legs.chain([record(None, Some(9))]));
        assert_eq!(session.timeline().terminal(), Some(expected));
    }
    let open = session([leg("1", 1, Agent, Some(Answered))]);
    assert_eq!(open.timeline().terminal(), None, "legs alone do not end it");
}

#[test]
fn the_first_agent_is_first_by_the_platforms_clock_and_has_the_zone_of_that_statement() {
    let session = session([
        agent("1", 5, "late", Some("Asia/Kolkata")),
        agent("3", 2, "first", None),
        agent("4", 3, "first", Some("Europe/Berlin")),
    ]);
    let timeline = session.timeline();
    let (found, at) = timeline.first_agent().unwrap();
    assert_eq!(
        (found.id.as_str(), found.zone.as_deref(), at),
        ("first", None, UtcMicros(2))
    );
}

#[test]
fn a_revision_that_takes_the_end_back_reopens_whichever_came_first() {
    let ended = event("1", 1, State::Completed);
    let mut back = event("1", 1, State::Connected);
    back.revision = Some(UtcMicros(9));
    let (mut first, mut last) = (session([ended.clone()]), session([back.clone()]));
    assert!(!first.timeline().is_reopened() && !last.timeline().is_reopened());
    first.insert(back);
    last.insert(ended.clone());
    assert_eq!(first, last);
    assert_eq!(first.to_json(), last.to_json());
    assert!(first.timeline().is_reopened());
    let stored = Session::from_json(&first.to_json()).unwrap();
    assert_eq!(stored, first);
    // A later end closes it again.
    first.insert(event("2", 2, State::Abandoned));
    assert!(!first.timeline().is_reopened());
    assert_eq!(first.timeline().status(), Status::Abandoned);
}

#[test]
fn an_agent_whose_leg_rang_in_vain_is_not_the_first_agent() {
    let missed = Some(LegOutcome::NotResponding);
    let rang = on_leg(agent("1", 1, "away", None), "leg-1", LegKind::Agent, missed);
    let answered = Some(LegOutcome::Answered);
    let took = on_leg(
        agent("2", 2, "there", None),
        "leg-2",
        LegKind::Agent,
        answered,
    );
    let both = session([rang.clone(), took]);
    assert_eq!(
        both.timeline().first_agent().unwrap().0.id.as_str(),
        "there"
    );
    assert_eq!(session([rang]).timeline().first_agent(), None);
}

#[test]
fn the_last_cumulative_statement_holds_also_downward() {
    let talk = |id, at, millis| duration(FactKey::event(id), at, DurationKind::Talk, millis);
    let read = |facts: &[Fact]| {
        session(facts.to_vec())
            .timeline()
            .duration(DurationKind::Talk)
    };
    assert_eq!(read(&[]), None);
    assert_eq!(
        read(&[talk("1", 1, 500), talk("2", 2, 300)]),
        Some(DurationFact::Stated(Millis(300)))
    );
    assert_eq!(
        read(&[talk("1", 2, 500), talk("2", 1, 300)]),
        Some(DurationFact::Stated(Millis(500)))
    );
    // A record's word is worth more than an event's, though it is dated by the start.
    let mut record = talk("0", 0, 400);
    record.rank = SourceRank::MetricRecord;
    assert_eq!(
        read(&[talk("1", 2, 500), record]),
        Some(DurationFact::Stated(Millis(400)))
    );
}

#[test]
fn an_implausible_statement_holds_until_a_later_one_repairs_it() {
    let talk = |id, at, millis| duration(FactKey::event(id), at, DurationKind::Talk, millis);
    let read = |facts: &[Fact]| {
        session(facts.to_vec())
            .timeline()
            .duration(DurationKind::Talk)
    };
    for absurd in [-1, IMPLAUSIBLE_MILLIS + 1, i64::MAX, i64::MIN + 1] {
        assert_eq!(
            read(&[talk("1", 1, 500), talk("2", 2, absurd)]),
            Some(DurationFact::Implausible(Millis(absurd)))
        );
        assert_eq!(
            read(&[talk("1", 1, absurd), talk("2", 2, 500)]),
            Some(DurationFact::Stated(Millis(500)))
        );
    }
    assert_eq!(
        read(&[talk("1", 1, IMPLAUSIBLE_MILLIS), talk("2", 0, 1)]),
        Some(DurationFact::Stated(Millis(IMPLAUSIBLE_MILLIS)))
    );
}

#[test]
fn legs_add_up_and_take_the_place_of_cumulative_statements() {
    let hold = |key, at, millis| duration(key, at, DurationKind::Hold, millis);
    let on =
        |id: &str, at, millis| on_leg(hold(FactKey::leg(id), at, millis), id, LegKind::Agent, None);
    let read = |facts: &[Fact]| {
        session(facts.to_vec())
            .timeline()
            .duration(DurationKind::Hold)
    };
    let cumulative = hold(FactKey::event("1"), 9, 70);
    assert_eq!(
        read(&[on("A", 1, 100), on("B", 2, 30), cumulative.clone()]),
        Some(DurationFact::Stated(Millis(130)))
    );
    // An event about a leg and the leg's record are one leg; the record is the weightier.
    let mut event = on("A", 8, 90);
    event.key = FactKey::event("2");
    event.rank = SourceRank::Event;
    assert_eq!(
        read(&[on("A", 1, 100), event, cumulative.clone()]),
        Some(DurationFact::Stated(Millis(100)))
    );
    // Of two statements of one weight about one leg, the later counts.
    let mut later = on("A", 5, 40);
    later.key = FactKey::event("3");
    assert_eq!(
        read(&[on("A", 1, 100), later]),
        Some(DurationFact::Stated(Millis(40)))
    );
    // Legs that say nothing of this kind leave it to the cumulative statement.
    let silent = leg("A", 1, LegKind::Agent, None);
    assert_eq!(
        read(&[silent, cumulative]),
        Some(DurationFact::Stated(Millis(70)))
    );
    assert_eq!(
        read(&[on("A", 1, 100), on("B", 2, -30)]),
        Some(DurationFact::Implausible(Millis(-30)))
    );
}
