//! What the stated zones say: the difference of two clocks is computed, not guessed.

use super::{Confidence, Evidence, Kind, Observation, Seen, Side, ZoneFinding};
use schema::UtcMicros;
use std::collections::{BTreeMap, BTreeSet};
use timezone::Zone;

/// Two clocks that agree for so long to either side of what is looked at never differ, as far as anybody can tell.
const AROUND_MICROS: i64 = 366 * 86_400 * 1_000_000;
/// Clocks of one country change at one hour of each: New York's is two hours ahead of Chicago's for an hour a year. That is no finding.
const PASSING_MICROS: i64 = 86_400 * 1_000_000;
/// What is seen is measured by instants of days and shifts: a minute more or less is no other difference.
const APART_SECONDS: u64 = 60;

/// Names that no zone has, one finding each.
pub(super) fn unknown(evidence: &Evidence) -> Vec<ZoneFinding> {
    let of = |side, list: &[super::Stated]| -> BTreeSet<(Side, String)> {
        list.iter()
            .filter(|one| Zone::parse(&one.text).is_err())
            .map(|one| (side, one.text.clone()))
            .collect()
    };
    let mut names = of(Side::Ours, &evidence.ours);
    names.extend(of(Side::Platform, &evidence.platform));
    names
        .into_iter()
        .map(|(side, text)| ZoneFinding {
            agent: evidence.agent.clone(),
            ours: (side == Side::Ours).then(|| text.clone()),
            platform: (side == Side::Platform).then(|| text.clone()),
            kind: Kind::UnknownZone { side, text },
            confidence: Confidence::Certain,
            seen: 0,
            example: None,
            fits: Vec::new(),
        })
        .collect()
}

/// Every two zones that both sides state for the same time and that differ.
pub(super) fn differing(evidence: &Evidence, from: UtcMicros, to: UtcMicros) -> Vec<ZoneFinding> {
    // One stretch for each two zones, from the first to the last time that they were stated together.
    let mut pairs: BTreeMap<(&str, &str), (UtcMicros, UtcMicros)> = BTreeMap::new();
    for ours in &evidence.ours {
        for theirs in &evidence.platform {
            let begin = ours.from.max(theirs.from).max(from);
            let end = ours.to.min(theirs.to).min(to);
            if begin >= end {
                continue;
            }
            let stretch = pairs
                .entry((&ours.text, &theirs.text))
                .or_insert((begin, end));
            *stretch = (stretch.0.min(begin), stretch.1.max(end));
        }
    }
    pairs
        .into_iter()
        .filter_map(|((ours, theirs), (begin, end))| {
            let (mine, other) = (Zone::parse(ours).ok()?, Zone::parse(theirs).ok()?);
            let kind = kind(mine, other, begin, end)?;
            let within = |one: &&Observation| begin <= one.at && one.at < end;
            let seen: Vec<_> = evidence.observed.iter().filter(within).collect();
            // A plan fits at several places of a day; where days were seen they decide.
            let days = |one: &&&Observation| one.seen == Seen::DayBoundary;
            let decides = seen.iter().any(|one| days(&one));
            let observed: Vec<_> = seen
                .into_iter()
                .filter(|one| !decides || days(&one))
                .collect();
            let agrees = |one: &&&Observation| {
                let wanted = ahead(mine, other, one.at);
                one.seconds.abs_diff(wanted) < APART_SECONDS
            };
            let agreeing: Vec<_> = observed.iter().filter(agrees).collect();
            // An example of the difference is one that shows it.
            let example = agreeing.iter().find(|one| one.seconds != 0);
            let example = example.or(agreeing.first()).map(|one| (**one).clone());
            Some(ZoneFinding {
                agent: evidence.agent.clone(),
                kind,
                ours: Some(ours.to_owned()),
                platform: Some(theirs.to_owned()),
                confidence: match (agreeing.len(), observed.len() - agreeing.len()) {
                    (0, 0) => Confidence::Likely,
                    (agree, against) if agree > against => Confidence::Certain,
                    _ => Confidence::Possible,
                },
                seen: agreeing.len(),
                example,
                fits: Vec::new(),
            })
        })
        .collect()
}

/// Seconds by which the one clock is ahead of the other at an instant.
pub(super) fn ahead(one: Zone, other: Zone, at: UtcMicros) -> i64 {
    let offset = |zone: Zone| i64::from(zone.local(at.0).offset_seconds);
    offset(one) - offset(other)
}

fn kind(one: Zone, other: Zone, from: UtcMicros, to: UtcMicros) -> Option<Kind> {
    let mut steps = steps(one, other, from, to).into_iter();
    let (_, first) = steps.next()?;
    // Where it appears out of nothing is what people noticed; else the first change.
    let rest: Vec<_> = steps.collect();
    let mut before = first;
    let mut changes = rest.into_iter().map(|(at, after)| {
        let change = (at, before, after);
        before = after;
        change
    });
    let Some(first_change) = changes.next() else {
        return match first {
            0 if ever(one, other, from, to) => Some(Kind::DeclaredDiffers),
            0 => None,
            seconds => Some(Kind::Constant { seconds }),
        };
    };
    let appears = std::iter::once(first_change)
        .chain(changes)
        .find(|(_, before, _)| *before == 0);
    let (at, before, after) = appears.unwrap_or(first_change);
    Some(Kind::AtChange { at, before, after })
}

/// The difference from each instant on at which it is another, the beginning first; without what passes within a day.
fn steps(one: Zone, other: Zone, from: UtcMicros, to: UtcMicros) -> Vec<(UtcMicros, i64)> {
    let mut edges: Vec<i64> = [one, other]
        .into_iter()
        .flat_map(|zone| zone.transitions(from.0, to.0))
        .map(|change| change.at_micros)
        .collect();
    edges.push(from.0);
    edges.sort_unstable();
    let mut steps: Vec<(UtcMicros, i64)> = edges
        .into_iter()
        .map(|at| (UtcMicros(at), ahead(one, other, UtcMicros(at))))
        .collect();
    steps.dedup_by_key(|(_, seconds)| *seconds);
    // The last goes on beyond what is looked at.
    let ends = steps.iter().skip(1).map(|(at, _)| at.0).chain([i64::MAX]);
    let ends: Vec<i64> = ends.collect();
    let mut lasting: Vec<_> = steps
        .into_iter()
        .zip(ends)
        .filter(|((at, _), end)| *at == from || end - at.0 >= PASSING_MICROS)
        .map(|(step, _)| step)
        .collect();
    lasting.dedup_by_key(|(_, seconds)| *seconds);
    lasting
}

/// Whether the clocks differ within a year of the stretch.
fn ever(one: Zone, other: Zone, from: UtcMicros, to: UtcMicros) -> bool {
    let around = (
        UtcMicros(from.0.saturating_sub(AROUND_MICROS)),
        UtcMicros(to.0.saturating_add(AROUND_MICROS)),
    );
    steps(one, other, around.0, around.1)
        .iter()
        .any(|(_, seconds)| *seconds != 0)
}
