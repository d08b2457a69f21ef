//! What is found out about agents' clocks.

use crate::{date, day, zone};
use proptest::prelude::*;
use reconcile::zones::{
    Confidence, Evidence, Kind, Observation, Seen, Side, Stated, ZoneFinding, diagnose,
};
use schema::{AgentId, UtcMicros};
use timezone::{Days, NaiveDate, Zone};

const HOUR: i64 = 3_600;

/// From 2024-10-20 to 2024-11-10 in UTC: Europe changes its clocks on 27 October, the United States on 3 November.
fn autumn() -> (UtcMicros, UtcMicros) {
    (
        day(Zone::UTC, date(2024, 10, 20)).0,
        day(Zone::UTC, date(2024, 11, 10)).0,
    )
}

fn stated(text: &str) -> Vec<Stated> {
    let (from, to) = autumn();
    let text = text.to_owned();
    vec![Stated { from, to, text }]
}

fn evidence(ours: &str, platform: &str) -> Evidence {
    Evidence {
        ours: stated(ours),
        platform: stated(platform),
        ..Evidence::none(AgentId::from("a"))
    }
}

/// How the days of two clocks are apart, date by date.
fn days(ours: Zone, platform: Zone, from: NaiveDate, count: u64) -> Vec<Observation> {
    (0..count)
        .map(|number| {
            let of = from + Days::new(number);
            let (mine, other) = (day(ours, of).0, day(platform, of).0);
            Observation::of_days(other, mine)
        })
        .collect()
}

fn found(evidence: &Evidence, workforce: &[Zone]) -> Vec<ZoneFinding> {
    let (from, to) = autumn();
    diagnose(evidence, from, to, workforce)
}

fn kinds(evidence: &Evidence) -> Vec<Kind> {
    found(evidence, &[])
        .into_iter()
        .map(|one| one.kind)
        .collect()
}

#[test]
fn declared_zones_tell_how_clocks_differ() {
    let at = |zone: &str, of| {
        let change = crate::zone(zone).transitions(day(Zone::UTC, of).0.0, i64::MAX);
        UtcMicros(change[0].at_micros)
    };
    let europe = at("Europe/London", date(2024, 10, 20));
    let america = at("America/New_York", date(2024, 10, 20));
    assert_eq!(
        kinds(&evidence("America/New_York", "America/Chicago")),
        [Kind::Constant { seconds: HOUR }]
    );
    // Lagos has no summer time: the same clock as London in summer, an hour apart in winter.
    assert_eq!(
        kinds(&evidence("Europe/London", "Africa/Lagos")),
        [Kind::AtChange {
            at: europe,
            before: 0,
            after: -HOUR
        }]
    );
    assert_eq!(
        kinds(&evidence("America/New_York", "America/Phoenix")),
        [Kind::AtChange {
            at: america,
            before: 3 * HOUR,
            after: 2 * HOUR
        }]
    );
    // Two changes, a week apart: the first.
    assert_eq!(
        kinds(&evidence("America/New_York", "Europe/Berlin")),
        [Kind::AtChange {
            at: europe,
            before: -6 * HOUR,
            after: -5 * HOUR
        }]
    );
    // Half hours are no whole hours.
    let kolkata = kinds(&evidence("UTC", "Asia/Kolkata"));
    assert_eq!(kolkata, [Kind::Constant { seconds: -19_800 }]);
    assert!(!kolkata[0].whole_hours());
}

#[test]
fn other_names_of_one_clock_are_no_finding_and_unknown_names_are() {
    assert_eq!(kinds(&evidence("Asia/Calcutta", "Asia/Kolkata")), []);
    assert_eq!(kinds(&evidence("Europe/Berlin", "Europe/Paris")), []);
    assert_eq!(
        kinds(&evidence("Eastern Standard Time", "America/New_York")),
        []
    );
    let unknown = found(&evidence("Mars/Base", "Europe/Paris"), &[]);
    assert_eq!(unknown.len(), 1);
    assert_eq!(
        unknown[0].kind,
        Kind::UnknownZone {
            side: Side::Ours,
            text: "Mars/Base".to_owned()
        }
    );
}

#[test]
fn clocks_that_agree_now_and_not_always_are_told_by_name() {
    // In summer, a month in which neither changes.
    let (from, to) = (
        day(Zone::UTC, date(2024, 7, 1)).0,
        day(Zone::UTC, date(2024, 8, 1)).0,
    );
    let one = |text: &str| {
        let text = text.to_owned();
        vec![Stated { from, to, text }]
    };
    let evidence = Evidence {
        ours: one("Europe/London"),
        platform: one("Africa/Lagos"),
        ..Evidence::none(AgentId::from("a"))
    };
    let found = diagnose(&evidence, from, to, &[]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind, Kind::DeclaredDiffers);
}

#[test]
fn what_is_seen_makes_it_certain_or_doubtful() {
    let (lagos, london) = (zone("Africa/Lagos"), zone("Europe/London"));
    let mut evidence = evidence("Europe/London", "Africa/Lagos");
    assert_eq!(found(&evidence, &[])[0].confidence, Confidence::Likely);
    evidence.observed = days(london, lagos, date(2024, 10, 21), 14);
    let certain = found(&evidence, &[]);
    assert_eq!(certain[0].confidence, Confidence::Certain);
    assert_eq!(certain[0].seen, 14);
    assert_eq!(certain[0].example.as_ref().unwrap().seconds, -HOUR);
    // Days that begin together say that nobody goes by what is declared.
    evidence.observed = days(lagos, lagos, date(2024, 10, 21), 14);
    assert_eq!(found(&evidence, &[])[0].confidence, Confidence::Possible);
}

#[test]
fn where_the_platform_states_nothing_days_tell() {
    let (london, lagos) = (zone("Europe/London"), zone("Africa/Lagos"));
    let workforce = [london, lagos, zone("America/New_York")];
    let mut evidence = evidence("Europe/London", "");
    evidence.platform.clear();
    evidence.observed = days(london, lagos, date(2024, 10, 21), 14);
    let seen = found(&evidence, &workforce);
    assert_eq!(seen.len(), 1);
    let Kind::AtChange { at, before, after } = seen[0].kind else {
        unreachable!("{seen:?}")
    };
    assert_eq!((before, after), (0, -HOUR));
    assert_eq!(at.to_string(), "2024-10-27T01:00:00.000Z");
    assert_eq!(seen[0].fits, [lagos]);
    evidence.observed = days(london, zone("America/New_York"), date(2024, 11, 4), 5);
    let seen = found(&evidence, &workforce);
    assert_eq!(seen[0].kind, Kind::Constant { seconds: 5 * HOUR });
    // Level days, and then nothing.
    evidence.observed = days(london, london, date(2024, 10, 21), 14);
    assert_eq!(found(&evidence, &workforce), []);
}

#[test]
fn who_comes_late_has_the_right_clock() {
    let mut evidence = evidence("Europe/London", "");
    evidence.platform.clear();
    let (from, _) = autumn();
    let late = |number: i64, seconds| Observation {
        at: UtcMicros(from.0 + number * 86_400_000_000),
        seen: Seen::ShiftAndLogin,
        seconds,
    };
    evidence.observed = (0..10).map(|n| late(n, 400 + n * 37 % 450)).collect();
    assert_eq!(found(&evidence, &[]), []);
    // A few who were an hour late once are none either.
    evidence.observed = (0..10)
        .map(|n| late(n, if n == 4 { HOUR } else { 20 }))
        .collect();
    assert_eq!(found(&evidence, &[]), []);
    evidence.observed = (0..10).map(|n| late(n, HOUR + n * 11 % 120)).collect();
    assert_eq!(
        found(&evidence, &[])[0].kind,
        Kind::Constant { seconds: HOUR }
    );
}

const ZONES: [&str; 14] = [
    "Europe/Berlin",
    "Europe/Paris",
    "Europe/London",
    "Africa/Lagos",
    "Africa/Cairo",
    "America/New_York",
    "America/Chicago",
    "America/Phoenix",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "UTC",
];

proptest! {
    /// Whenever two clocks differ at any hour it is found, whatever zones and time; when they never do it is not.
    #[test]
    fn every_difference_of_clocks_is_found(
        mine in 0..ZONES.len(),
        other in 0..ZONES.len(),
        begin in 0_u64..700,
        length in 1_u64..60,
    ) {
        let first = date(2023, 6, 1) + Days::new(begin);
        let from = day(Zone::UTC, first).0;
        let to = day(Zone::UTC, first + Days::new(length)).0;
        let one = |name: &str| vec![Stated { from, to, text: name.to_owned() }];
        let evidence = Evidence {
            ours: one(ZONES[mine]),
            platform: one(ZONES[other]),
            ..Evidence::none(AgentId::from("a"))
        };
        let (mine, other) = (zone(ZONES[mine]), zone(ZONES[other]));
        let apart = |at: i64| i64::from(mine.local(at).offset_seconds) - i64::from(other.local(at).offset_seconds);
        let hourly: Vec<i64> = (from.0..to.0).step_by(3_600_000_000).map(apart).collect();
        let differ = hourly.iter().any(|seconds| *seconds != 0);
        let found = diagnose(&evidence, from, to, &[]);
        match found.first().map(|one| &one.kind) {
            // Clocks that change at one local hour are another hour apart in between.
            Some(Kind::Constant { seconds }) => {
                prop_assert!(hourly.iter().filter(|one| *one != seconds).count() <= 2);
            }
            Some(Kind::AtChange { at, before, after }) => {
                prop_assert!(before != after && *after == apart(at.0) && hourly.contains(before));
            }
            Some(Kind::DeclaredDiffers) => prop_assert!(!differ),
            Some(Kind::UnknownZone { .. }) => prop_assert!(false),
            None => prop_assert!(!differ),
        }
    }

    /// The order of the evidence does not matter.
    #[test]
    fn order_of_evidence_does_not_matter(
        mine in 0..ZONES.len(),
        other in 0..ZONES.len(),
        turn in 0_usize..20,
        stated_too in any::<bool>(),
    ) {
        let mut evidence = evidence(ZONES[mine], ZONES[other]);
        if !stated_too {
            evidence.platform.clear();
        }
        evidence.observed = days(zone(ZONES[mine]), zone(ZONES[other]), date(2024, 10, 21), 19);
        let there = found(&evidence, &[zone(ZONES[other])]);
        let mut turned = evidence.clone();
        turned.observed.rotate_left(turn);
        turned.observed.extend(evidence.observed.clone());
        prop_assert_eq!(there, found(&turned, &[zone(ZONES[other])]));
    }

    /// Days alone find every difference that days show, also where the platform states no zone.
    #[test]
    fn days_alone_tell(mine in 0..ZONES.len(), other in 0..ZONES.len()) {
        let (mine_zone, other_zone) = (zone(ZONES[mine]), zone(ZONES[other]));
        let mut evidence = evidence(ZONES[mine], "");
        evidence.platform.clear();
        // Before either of the changes, so that there is one difference.
        evidence.observed = days(mine_zone, other_zone, date(2024, 10, 20), 7);
        let apart = evidence.observed[0].seconds;
        let steady = evidence.observed.iter().all(|one| one.seconds == apart);
        prop_assume!(steady);
        let found = found(&evidence, &[]);
        if apart == 0 {
            prop_assert!(found.is_empty());
        } else {
            prop_assert_eq!(&found[0].kind, &Kind::Constant { seconds: apart });
        }
    }
}
