//! What an evaluation costs: `cargo run --release -p kpi --example catalogue_speed`.
//!
//! Prints nanoseconds an interaction for the classic rule alone, for a definition of one's own and for the whole catalogue, on an
//! everyday call of the guide's events, on one whose customer gave up, and on a call of several legs. The timeline is made anew for each,
//! and the allocator is compute's, as there. `--each` prints every shipped definition alone too, `--worst` what definitions that no
//! budget could pay for, and the catalogue, take on a session as large as may be.

// A measurement that cannot be made has failed.
#![allow(clippy::unwrap_used)]

use kpi::{Catalogue, Definition, Library, MetricValue, Subject};
use schema::{
    AgentId, AgentRef, Details, DurationKind, Fact, FactKey, Leg, LegId, LegKind, LegOutcome,
    Millis, QueueId, SourceRank, State, Statement, UtcMicros,
};
use session::Session;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// As in compute.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: u32 = 200_000;

const OWN: &str = r#"
name = "long_hold_share"
version = 1
unit = "share"
filter = 'interaction.answered && localWeekday(interaction.started_at) <= 5'
value = 'orZero(interaction.hold) > parameters.long || interaction.legs.exists(l, orZero(l.hold) > parameters.long)'
[[exclusions]]
reason = "test_call"
when = 'interaction.disposition in lists.tests'
[parameters]
long = "1m30s"
[lists]
tests = ["TEST", "TRAINING"]
"#;

fn fact(key: &str, second: i64, state: Option<State>) -> Fact {
    Fact {
        key: FactKey::event(key),
        at: UtcMicros::from_millis(1_715_781_600_000 + second * 1000),
        revision: None,
        rank: SourceRank::Event,
        statement: Statement {
            state,
            agent: Some(AgentRef {
                id: AgentId::new("8f0ea6a8-6c1c-4d6a-a2a4-9f1c4b1f7a10"),
                zone: Some("America/New_York".into()),
            }),
            queue: Some(QueueId::new("3b1c4bd4-57b2-4f0a-9e8b-0d5f8a3f2c11")),
            ..Statement::default()
        },
    }
}

/// Five events, as the guide's platform sends them.
fn everyday() -> Session {
    let mut session = Session::default();
    let mut queued = fact("1", 0, Some(State::Queued));
    queued.statement.agent = None;
    let mut ended = fact("4", 200, Some(State::Completed));
    ended.statement.disposition = Some("RESOLVED".into());
    ended.statement.durations = ended
        .statement
        .durations
        .with(DurationKind::Talk, Millis(160_000))
        .with(DurationKind::Hold, Millis(20_000))
        .with(DurationKind::QueueWait, Millis(12_000));
    let mut wrapped = fact("5", 240, Some(State::WrappedUp));
    wrapped
        .statement
        .durations
        .set(DurationKind::Wrap, Millis(40_000));
    for fact in [
        queued,
        fact("2", 12, Some(State::Connected)),
        fact("3", 90, Some(State::Held)),
        ended,
        wrapped,
    ] {
        session.insert(fact);
    }
    session
}

fn abandoned() -> Session {
    let mut session = Session::default();
    for (key, second, state) in [("1", 0, State::Queued), ("2", 60, State::Abandoned)] {
        let mut fact = fact(key, second, Some(state));
        fact.statement.agent = None;
        session.insert(fact);
    }
    session
}

/// A record of six legs.
fn several_legs() -> Session {
    let mut session = Session::default();
    let legs = [
        ("ivr", LegKind::Ivr, None),
        ("queue", LegKind::Queue, Some(LegOutcome::Answered)),
        ("rang", LegKind::Agent, Some(LegOutcome::NotResponding)),
        ("anna", LegKind::Agent, Some(LegOutcome::Transferred)),
        ("queue2", LegKind::Queue, Some(LegOutcome::Answered)),
        ("bo", LegKind::Agent, Some(LegOutcome::Answered)),
    ];
    for (place, (id, kind, outcome)) in legs.into_iter().enumerate() {
        let second = i64::try_from(place).unwrap() * 60;
        let mut fact = fact(id, second, None);
        fact.rank = SourceRank::SettledRecord;
        let mut leg = Leg::new(LegId::new(id), kind);
        leg.outcome = outcome;
        leg.ended_at = Some(UtcMicros(fact.at.0 + 60_000_000));
        fact.statement.durations = match kind {
            LegKind::Agent => [DurationKind::Talk, DurationKind::Hold, DurationKind::Wrap]
                .into_iter()
                .fold(fact.statement.durations, |all, kind| {
                    all.with(kind, Millis(20_000))
                }),
            _ => fact
                .statement
                .durations
                .with(DurationKind::QueueWait, Millis(9000)),
        };
        fact.statement.details = Some(Box::new(Details {
            leg: Some(leg),
            ..Details::default()
        }));
        session.insert(fact);
    }
    session.insert(fact("end", 400, Some(State::Completed)));
    session
}

fn nanoseconds(
    session: &Session,
    mut evaluate: impl FnMut(&Subject<'_>, &mut Vec<MetricValue>),
) -> u128 {
    let mut rows = Vec::new();
    // The median of some runs: a shared host has bad moments.
    let mut runs: Vec<u128> = (0..7)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..ROUNDS / 7 {
                rows.clear();
                let timeline = session.timeline();
                let subject = Subject {
                    tenant: "acme",
                    interaction: "8f0ea6a8-6c1c-4d6a-a2a4-9f1c4b1f7a10",
                    timeline: &timeline,
                    swept: false,
                };
                evaluate(&subject, &mut rows);
                black_box(&rows);
            }
            begun.elapsed().as_nanos() / u128::from(ROUNDS / 7)
        })
        .collect();
    runs.sort_unstable();
    runs[3]
}

/// As many facts as a session holds: a leg each, or events that name an agent each.
fn largest(with_legs: bool) -> Session {
    let mut session = Session::default();
    for place in 0..1999 {
        let id = format!("{place:04}");
        let mut fact = fact(&id, place, (!with_legs).then_some(State::Connected));
        fact.statement.agent = Some(AgentRef {
            id: AgentId::new(&id),
            zone: Some("America/New_York".into()),
        });
        if with_legs {
            let mut leg = Leg::new(LegId::new(&id), LegKind::Agent);
            leg.outcome = Some(LegOutcome::Answered);
            fact.statement.details = Some(Box::new(Details {
                leg: Some(leg),
                ..Details::default()
            }));
        }
        fact.statement
            .durations
            .set(DurationKind::Talk, Millis(place));
        session.insert(fact);
    }
    session.insert(fact("end", 2000, Some(State::Completed)));
    session
}

/// Unit and the rest of definitions that go through all legs for each leg.
const WORST: [(&str, &str); 6] = [
    ("count", "value = 'size(interaction.legs)'"),
    (
        "share",
        "value = 'interaction.legs.exists(a, interaction.legs.exists(b, localDay(a.started_at) != localDay(b.started_at)))'",
    ),
    (
        "share",
        "value = 'interaction.legs.exists(a, interaction.legs.exists(b, businessTime(a.started_at - duration(\"9000h\"), b.started_at, schedules.hours) < duration(\"1s\")))'\n[schedules]\nhours = 'eight_to_six@1'",
    ),
    (
        "share",
        "value = 'interaction.legs.exists(a, interaction.legs.exists(b, interaction.holds + interaction.missed_alerts + interaction.agent_count < 0))'",
    ),
    (
        "share",
        "scope = 'leg'\nvalue = 'interaction.legs.exists(a, localDay(a.started_at) != localDay(leg.started_at) && agentTime(a.agent, \"talk\") > stateTime(\"held\"))'",
    ),
    (
        "share",
        "value = 'interaction.legs.exists(a, interaction.legs.exists(b, a.id.matches(\"^(\\\\w{9}|\\\\d{9}|[a-c]{1,9}x)*y\") || localHour(a.started_at, \"W. Europe Standard Time\") > 25))'",
    ),
];

fn print_worst() {
    let library = Library::shipped();
    let once = |catalogue: &Catalogue, session: &Session| {
        let begun = Instant::now();
        let timeline = session.timeline();
        let subject = Subject {
            tenant: "acme",
            interaction: "largest",
            timeline: &timeline,
            swept: false,
        };
        let mut rows = Vec::new();
        catalogue.evaluate(&subject, &mut rows);
        (begun.elapsed(), rows.len())
    };
    let legs = [largest(true), largest(false)];
    for (unit, rest) in WORST {
        let text = format!("name = 'own'\nversion = 1\nunit = '{unit}'\n{rest}");
        let own = Definition::read("own.toml", &text, &library).unwrap();
        let own = Catalogue::new(vec![Arc::new(own)], library.clone());
        let [stated, derived] = [0, 1].map(|which| once(&own, &legs[which]).0);
        println!("{stated:>12.1?} {derived:>12.1?}  {rest:.90}");
    }
    let shipped = Catalogue::shipped();
    let [(stated, rows), (derived, _)] = [0, 1].map(|which| once(&shipped, &legs[which]));
    println!("{stated:>12.1?} {derived:>12.1?}  the catalogue, {rows} rows");
}

fn main() {
    if std::env::args().any(|argument| argument == "--worst") {
        println!("2,000 facts: legs stated, and derived of events");
        return print_worst();
    }
    let shipped = Catalogue::shipped();
    let library = Library::shipped();
    let own = Definition::read("own.toml", OWN, &library).map_err(|problems| {
        problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    });
    let own = Catalogue::new(vec![Arc::new(own.unwrap())], library);
    println!("ns an interaction        everyday  abandoned  six legs");
    let line = |name: &str, evaluate: &dyn Fn(&Subject<'_>, &mut Vec<MetricValue>)| {
        let [a, b, c] = [everyday(), abandoned(), several_legs()]
            .map(|session| nanoseconds(&session, evaluate));
        println!("{name:<24} {a:>8} {b:>10} {c:>9}");
    };
    line("the timeline alone", &|_, _| ());
    line("adjusted_aht", &|subject, rows| {
        shipped.evaluate_some(&[0], subject, rows);
    });
    line("one of one's own", &|subject, rows| {
        own.evaluate(subject, rows);
    });
    let all = format!("all {} shipped", shipped.definitions().len());
    line(&all, &|subject, rows| shipped.evaluate(subject, rows));
    if std::env::args().any(|argument| argument == "--each") {
        for (index, definition) in shipped.definitions().iter().enumerate() {
            line(definition.name(), &|subject, rows| {
                shipped.evaluate_some(&[index], subject, rows);
            });
        }
    }
}
