//! The guide's edge case 2 on paper: people of many zones over the weeks in which clocks change, a third of them under the platform's default zone.

use crate::{date, day, zone};
use reconcile::shifts::{Shift, outside};
use reconcile::zones::{Confidence, Evidence, Kind, Observation, Stated, diagnose};
use reconcile::{Measure, Native, Ours, Policy, Subject, Tolerance, Verdict, compare};
use schema::{AgentId, UtcMicros};
use std::collections::BTreeSet;
use timezone::{Days, NaiveTime, Schedule, Side, Zone};

const DEFAULT: &str = "America/New_York";
const HOMES: [&str; 10] = [
    "Europe/Berlin",
    "Europe/London",
    "Africa/Lagos",
    "America/Chicago",
    "America/Phoenix",
    "Asia/Kolkata",
    "Asia/Manila",
    "Australia/Sydney",
    "America/Sao_Paulo",
    "America/Los_Angeles",
];
const AGENTS: usize = 60;
const DAYS: u64 = 21;

fn home(agent: usize) -> Zone {
    zone(HOMES[agent % HOMES.len()])
}

/// A third, of every home some: 3 and 10 have no common factor.
fn forced(agent: usize) -> bool {
    agent.is_multiple_of(3)
}

fn used(agent: usize, wrong: bool) -> Zone {
    if wrong && forced(agent) {
        zone(DEFAULT)
    } else {
        home(agent)
    }
}

struct Replayed {
    found: BTreeSet<usize>,
    other_days: BTreeSet<usize>,
    differing: usize,
}

fn replay(wrong: bool, stated: bool) -> Replayed {
    let hours = "schedule = \"office\"\nversion = 1\n[weekly]\neveryday = [\"09:00-17:00\"]\n";
    let hours = Schedule::read(hours).unwrap();
    let first = date(2024, 10, 20);
    let (from, to) = (
        day(Zone::UTC, first).0,
        day(Zone::UTC, first + Days::new(DAYS)).0,
    );
    let workforce: Vec<Zone> = (0..AGENTS).map(home).collect();
    let (mut natives, mut ours, mut found) = (Vec::new(), Vec::new(), BTreeSet::new());
    for agent in 0..AGENTS {
        let (home, clock) = (home(agent), used(agent, wrong));
        let name = format!("agent-{agent}");
        let mut observed = Vec::new();
        for number in 0..DAYS {
            let of = first + Days::new(number);
            let (native_from, native_to) = day(home, of);
            let (our_from, our_to) = day(clock, of);
            let value = i64::try_from(agent).unwrap() * 1_000;
            natives.push(Native {
                subject: Subject::agent(&name),
                measure: Measure::Handle,
                from: native_from,
                to: native_to,
                zone: home,
                value,
                items: Some(1),
            });
            ours.push(Ours {
                subject: Subject::agent(&name),
                measure: Measure::Handle,
                from: our_from,
                to: our_to,
                zone: clock,
                value,
                items: 1,
                settled: true,
            });
            observed.push(Observation::of_days(native_from, our_from));
            let nine = NaiveTime::from_hms_opt(9, 0, 0).unwrap();
            let begin = home.resolve(of, nine, Side::Earliest);
            let shift = Shift {
                agent: AgentId::from(name.as_str()),
                from: UtcMicros(begin),
                to: UtcMicros(begin + 8 * 3_600_000_000),
            };
            let seen = outside(&shift, &hours, clock).and_then(|one| one.ahead);
            if wrong && forced(agent) {
                let apart = clock.local(begin).offset_seconds - home.local(begin).offset_seconds;
                let seen = seen.unwrap_or(0);
                // Around the clock a plan fits a day earlier as well, and the nearest is taken; a move over the night of a change is an hour off.
                let day = 86_400;
                let off = (seen - i64::from(apart)).rem_euclid(day);
                assert!([0, 3_600, day - 3_600].contains(&off), "{off}");
            } else {
                assert_eq!(seen, None);
            }
        }
        let span = |zone: Zone| {
            let text = zone.name().to_owned();
            vec![Stated { from, to, text }]
        };
        let evidence = Evidence {
            ours: span(clock),
            platform: if stated { span(home) } else { Vec::new() },
            observed,
            ..Evidence::none(AgentId::from(name.as_str()))
        };
        for one in diagnose(&evidence, from, to, &workforce) {
            assert_ne!(one.kind, Kind::DeclaredDiffers);
            if stated {
                assert_eq!(one.confidence, Confidence::Certain);
            }
            match one.kind {
                Kind::Constant { seconds } => {
                    let apart = |one: &Observation| one.seconds == seconds;
                    assert!(evidence.observed.iter().all(apart), "{seconds}");
                }
                Kind::AtChange { at, .. } => {
                    let changes = [home, clock].map(|zone| zone.transitions(from.0, to.0));
                    let mut changes = changes.iter().flatten();
                    assert!(changes.any(|change| change.at_micros == at.0), "{one:?}");
                }
                Kind::DeclaredDiffers | Kind::UnknownZone { .. } => unreachable!("{one:?}"),
            }
            found.insert(agent);
        }
    }
    let cells = compare(&natives, &ours, &Policy::new(Tolerance::GENESYS));
    let of = |cell: &reconcile::Cell| -> usize {
        let name = cell.subject.agent.as_ref().unwrap().as_str();
        name.trim_start_matches("agent-").parse().unwrap()
    };
    let other = |cell: &&reconcile::Cell| matches!(cell.verdict, Verdict::OtherDay { .. });
    Replayed {
        found,
        other_days: cells.iter().filter(other).map(of).collect(),
        differing: cells
            .iter()
            .filter(|cell| cell.verdict.is_finding())
            .count(),
    }
}

#[test]
fn with_zones_right_there_is_no_variance() {
    for stated in [true, false] {
        let replayed = replay(false, stated);
        assert_eq!(replayed.found, BTreeSet::new());
        assert_eq!(replayed.differing, 0);
    }
}

#[test]
fn every_agent_under_the_default_is_found_and_nobody_else() {
    let wanted: BTreeSet<usize> = (0..AGENTS).filter(|agent| forced(*agent)).collect();
    for stated in [true, false] {
        let replayed = replay(true, stated);
        assert_eq!(replayed.found, wanted);
        assert_eq!(replayed.other_days, wanted);
    }
}
