//! What was seen says, where no two zones tell: differences that keep to quarter hours are clocks, everything else is behaviour.

use super::stated::ahead;
use super::{Confidence, Evidence, Kind, Observation, Seen, ZoneFinding};
use schema::UtcMicros;
use std::collections::BTreeMap;
use timezone::Zone;

/// Every zone's offset is a multiple of this.
const QUARTER_SECONDS: i64 = 900;
/// What is farther from a quarter hour than this is somebody who came late, not a clock.
const NOISE_SECONDS: i64 = 300;
/// A person may be a quarter of an hour late each day.
const LATE_SECONDS: u64 = 1_800;
/// Fewer observations say nothing.
const SEEN_MIN: usize = 3;
/// From so many on it is likely.
const SEEN_LIKELY: usize = 5;
/// Four fifths must say the same.
const AGREE: (usize, usize) = (4, 5);
/// More zones that fit are no hint.
const FITS_MAX: usize = 3;

/// The best evidence that there is of a difference: of day boundaries, else of shifts. Where days are known to begin together, shifts that lie
/// elsewhere are planned so.
pub(super) fn read(evidence: &Evidence, workforce: &[Zone]) -> Option<ZoneFinding> {
    let kinds = [Seen::DayBoundary, Seen::ShiftAndHours, Seen::ShiftAndLogin];
    let clean: Vec<(Seen, Vec<Observation>)> = kinds
        .into_iter()
        .map(|seen| (seen, clean(&evidence.observed, seen)))
        .collect();
    let (seen, observed) = clean
        .into_iter()
        .find(|(_, observed)| observed.len() >= SEEN_MIN)?;
    let ours = zone_of(evidence);
    let kind = pattern(&observed, ours, workforce)?;
    let agrees = |one: &&Observation| one.seconds == expected(&kind, one.at);
    let agreeing: Vec<&Observation> = observed.iter().filter(agrees).collect();
    let example = agreeing.iter().find(|one| one.seconds != 0);
    let confidence = if agreeing.len() >= SEEN_LIKELY && seen == Seen::DayBoundary {
        Confidence::Likely
    } else {
        Confidence::Possible
    };
    Some(ZoneFinding {
        agent: evidence.agent.clone(),
        ours: evidence.ours.last().map(|one| one.text.clone()),
        platform: evidence.platform.last().map(|one| one.text.clone()),
        confidence,
        seen: agreeing.len(),
        example: example.map(|one| (*one).clone()),
        fits: ours.map_or_else(Vec::new, |ours| fits(ours, &agreeing, workforce)),
        kind,
    })
}

/// Observations of one kind that keep to quarter hours, rounded to them.
fn clean(observed: &[Observation], seen: Seen) -> Vec<Observation> {
    observed
        .iter()
        .filter(|one| one.seen == seen)
        .filter_map(|one| {
            let rounded = (one.seconds + QUARTER_SECONDS / 2).div_euclid(QUARTER_SECONDS);
            let seconds = rounded * QUARTER_SECONDS;
            let near = one.seconds.abs_diff(seconds) <= NOISE_SECONDS.unsigned_abs();
            let late = seen == Seen::ShiftAndLogin
                && seconds != 0
                && seconds.unsigned_abs() < LATE_SECONDS;
            (near && !late).then(|| Observation {
                seconds,
                ..one.clone()
            })
        })
        .collect()
}

fn zone_of(evidence: &Evidence) -> Option<Zone> {
    let last = evidence.ours.last()?;
    Zone::parse(&last.text).ok()
}

/// One difference throughout, or another from a change of some clock on.
///
/// Clocks that change cut the time in pieces; in each the difference has to be one. Of several changes it is the one where a difference appears
/// out of none, else the first.
fn pattern(observed: &[Observation], ours: Option<Zone>, workforce: &[Zone]) -> Option<Kind> {
    let (first, last) = (observed.first()?, observed.last()?);
    let changes = changes(ours, workforce, first.at, last.at);
    let mut pieces: Vec<(&[Observation], i64)> = Vec::new();
    let mut agreeing = 0;
    for piece in observed.chunk_by(|one, next| !changes.iter().any(|c| between(*c, one, next))) {
        let (seconds, count) = common(piece)?;
        agreeing += count;
        pieces.push((piece, seconds));
    }
    if !enough(agreeing, observed.len()) {
        return None;
    }
    let mut steps = pieces.windows(2).filter_map(|pair| {
        let [(early, before), (late, after)] = pair else {
            return None;
        };
        let (one, next) = (early.last()?, late.first()?);
        let step = (after - before).abs();
        // Our own clock comes first, where several change in one night.
        let change = changes
            .iter()
            .find(|change| between(**change, one, next) && change.1 == step)?;
        Some((step != 0).then_some(Kind::AtChange {
            at: change.0,
            before: *before,
            after: *after,
        }))
    });
    let (_, first) = *pieces.first()?;
    if pieces.iter().all(|(_, seconds)| *seconds == first) {
        return (first != 0).then_some(Kind::Constant { seconds: first });
    }
    let steps: Vec<Kind> = steps.by_ref().flatten().collect();
    let appears = |kind: &&Kind| matches!(kind, Kind::AtChange { before: 0, .. });
    steps.iter().find(appears).or(steps.first()).cloned()
}

/// Changes of our clock, then those of others: the instant, and by how many seconds.
fn changes(
    ours: Option<Zone>,
    workforce: &[Zone],
    from: UtcMicros,
    to: UtcMicros,
) -> Vec<(UtcMicros, i64)> {
    let mut others = workforce.to_vec();
    others.sort_by_key(|zone| zone.name());
    others.dedup();
    ours.into_iter()
        .chain(others)
        .flat_map(|zone| zone.transitions(from.0, to.0.saturating_add(1)))
        .map(|change| {
            let step = i64::from(change.offset_after) - i64::from(change.offset_before);
            (UtcMicros(change.at_micros), step.abs())
        })
        .collect()
}

fn between(change: (UtcMicros, i64), one: &Observation, next: &Observation) -> bool {
    one.at < change.0 && change.0 <= next.at
}

/// The difference that is seen most, and how often; of several the smallest.
fn common(observed: &[Observation]) -> Option<(i64, usize)> {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for one in observed {
        *counts.entry(one.seconds).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(seconds, count)| (*count, std::cmp::Reverse(seconds.abs()), *seconds))
}

const fn enough(agree: usize, of: usize) -> bool {
    agree * AGREE.1 >= of * AGREE.0
}

const fn expected(kind: &Kind, at: UtcMicros) -> i64 {
    match kind {
        Kind::Constant { seconds } => *seconds,
        Kind::AtChange {
            at: change,
            before,
            after,
        } => {
            if at.0 < change.0 {
                *before
            } else {
                *after
            }
        }
        Kind::UnknownZone { .. } | Kind::DeclaredDiffers => 0,
    }
}

fn fits(ours: Zone, observed: &[&Observation], workforce: &[Zone]) -> Vec<Zone> {
    let mut fitting: Vec<Zone> = workforce
        .iter()
        .copied()
        .filter(|zone| {
            observed
                .iter()
                .all(|one| ahead(ours, *zone, one.at) == one.seconds)
        })
        .collect();
    fitting.sort_by_key(|zone| zone.name());
    fitting.dedup();
    if fitting.len() > FITS_MAX {
        return Vec::new();
    }
    fitting
}
