//! The receiver's intervals: whole windows of the receiver's clock.

use schema::{Millis, UtcMicros};
use timezone::Zone;
use window::{Size, Window, windows};

/// More than a day of 25 hours: no interval of a feed is longer.
const LONGEST_MICROS: i64 = 26 * 3600 * 1_000_000;

/// The intervals that begin at `from` or later and ended at least `settle` ago, ascending; at most `most` of them, the earliest.
///
/// They are whole, disjoint, and follow one another without a gap: the hour that the clock shows twice is there twice, the missing one
/// never. Where `from` is amid an interval, the first one is the next.
#[must_use]
pub fn due(
    size: Size,
    zone: Zone,
    from: UtcMicros,
    now: UtcMicros,
    settle: Millis,
    most: usize,
) -> Vec<Window> {
    let latest = now.0.saturating_sub(settle.0.saturating_mul(1000));
    let enough = i64::try_from(most)
        .unwrap_or(i64::MAX)
        .saturating_add(1)
        .saturating_mul(LONGEST_MICROS);
    let to = UtcMicros(latest.min(from.0.saturating_add(enough)));
    let mut found = windows(size, zone, None, from, to);
    found.retain(|window| window.start >= from && window.end.0 <= latest);
    found.truncate(most);
    found
}

/// The intervals that begin in `[from, to)`, whether they have ended or not.
#[must_use]
pub fn whole(size: Size, zone: Zone, from: UtcMicros, to: UtcMicros) -> Vec<Window> {
    let mut found = windows(size, zone, None, from, to);
    found.retain(|window| window.start >= from);
    found
}

/// Whether the clock of a zone shows this instant's local time a second time: 1, else 0.
pub(crate) fn fold(zone: Zone, at: UtcMicros) -> i64 {
    // No clock is put back by more than a day.
    let since = at.0.saturating_sub(24 * 3600 * 1_000_000);
    let again = zone
        .transitions(since, at.0.saturating_add(1))
        .into_iter()
        .any(|change| {
            let back = i64::from(change.offset_before) - i64::from(change.offset_after);
            back > 0 && at.0 < change.at_micros.saturating_add(back * 1_000_000)
        });
    i64::from(again)
}

/// Whether the clock of a zone was ever put back since 1973, or will be: then some local times are two instants.
pub(crate) fn repeats(zone: Zone) -> bool {
    zone.transitions(0, i64::MAX)
        .iter()
        .any(|change| change.offset_after < change.offset_before)
}
