//! The stretches for which a schedule is open, one by one.

use super::hours::{Day, number};
use super::{INSTANT_MAX_MICROS, Schedule};
use crate::zone::Zone;

/// A schedule has an edge that is not on a quarter hour of the wall clock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schedule {schedule} has an edge at {edge}, which is no quarter hour")]
pub struct OffQuarter {
    /// The schedule's name.
    pub schedule: String,
    /// The first such edge, `08:10`.
    pub edge: String,
}

impl Schedule {
    /// The stretches, in µs UTC, for which it is open by the wall clock of `zone`, as far as they overlap `[from_micros, to_micros)`:
    /// whole ones, ascending, disjoint, each the same whatever is asked for.
    ///
    /// Spans that overlap are one stretch, be it because they reach into the next date or because the clock shows their edge twice. Spans
    /// that only touch stay two: the shifts of a place that never closes. Looks at every date in between.
    pub fn spans(&self, zone: Zone, from_micros: i64, to_micros: i64) -> Vec<(i64, i64)> {
        let clamp = |instant: i64| instant.clamp(-INSTANT_MAX_MICROS, INSTANT_MAX_MICROS);
        let (from, to) = (clamp(from_micros), clamp(to_micros));
        let mut stretches = Vec::<(i64, i64)>::new();
        if from >= to {
            return stretches;
        }
        let day_of = |instant| number(zone.local(instant).date);
        // Two dates back, one ahead: see `spans_near`. Then farther back, as long as one span reaches over the beginning of another.
        let mut day = day_of(from) - 2;
        while self.overlap_before(zone, day) {
            day -= 1;
        }
        let mut last = day_of(to) + 1;
        while day <= last {
            for (begin, end) in self.on_date(zone, day) {
                match stretches.last_mut() {
                    Some(stretch) if begin < stretch.1 => stretch.1 = stretch.1.max(end),
                    _ => stretches.push((begin, end)),
                }
                last = last.max(day_of(end) + 1);
            }
            day += 1;
            // What begins after the end joins nothing that overlaps.
            if stretches.last().is_some_and(|(begin, _)| *begin >= to) {
                break;
            }
        }
        stretches.retain(|(begin, end)| *begin < to && *end > from);
        stretches
    }

    /// Whether every edge is at a quarter hour of the wall clock, as those of windows must be; the first that is not, otherwise.
    pub fn on_quarter_hours(&self) -> Result<(), OffQuarter> {
        let off = |minute: &u16| !minute.is_multiple_of(15);
        match self.hours.edges().find(off) {
            None => Ok(()),
            Some(minute) => Err(OffQuarter {
                schedule: self.name.clone(),
                edge: format!("{:02}:{:02}", minute / 60 % 24, minute % 60),
            }),
        }
    }

    /// Whether a span of an earlier date reaches over the beginning of one of this date or later. A chain of such dates ends, because each
    /// has to begin earlier in its day than the one before.
    fn overlap_before(&self, zone: Zone, day: Day) -> bool {
        let ends = (day - 2..day).flat_map(|day| self.on_date(zone, day));
        let begins = (day..=day + 1).flat_map(|day| self.on_date(zone, day));
        match (
            ends.map(|(_, end)| end).max(),
            begins.map(|(begin, _)| begin).min(),
        ) {
            (Some(end), Some(begin)) => end > begin,
            _ => false,
        }
    }

    /// The spans that begin on a date, as instants, ascending; without those that the clock skips.
    fn on_date(&self, zone: Zone, day: Day) -> impl Iterator<Item = (i64, i64)> {
        let spans = self.hours.on(day).iter();
        spans
            .map(move |span| span.instants(zone, day))
            .filter(|(begin, end)| begin < end)
    }
}
