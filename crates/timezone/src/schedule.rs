//! Opening hours: when a place works, by its own wall clock.

mod hours;
mod read;
mod spans;

use crate::document::DocumentProblem;
use crate::zone::Zone;
use chrono::NaiveDate;
use hours::{DAY_MICROS, Day, Hours, Span};
pub use spans::OffQuarter;

/// One version of one schedule. Immutable.
///
/// # The document
///
/// ```toml
/// schedule = "office"                       # its name, [a-z][a-z0-9_]{0,62}
/// version = 1                               # 1 to 32767; another text needs another version
/// zone = "Europe/Berlin"                    # optional
/// valid_from = 2024-01-01                   # optional: nothing is open on dates before …
/// valid_to = 2027-01-01                     # … nor on this date and after
///
/// [weekly]                                  # or, instead of it: round_the_clock = true
/// weekdays = ["08:00-12:00", "13:00-18:00"] # everyday, weekdays, weekend, monday … sunday
/// friday = ["22:00-06:00"]                  # a day's own hours replace those of the shorthands; ends on Saturday
///
/// [[holiday]]                               # closed
/// date = 2024-12-25
/// name = "Christmas"                        # optional
///
/// [[exception]]                             # that date has these hours and no others
/// date = 2024-12-24
/// open = ["08:00-12:00"]
///
/// [[season]]                                # from this date on, up to and without that one
/// from = 2024-07-01
/// to = 2024-09-01
/// [season.weekly]                           # replaces the whole week; or round_the_clock = true
/// everyday = ["09:00-17:00"]
/// ```
///
/// # What it means
///
/// - **A span belongs to the date on which it begins.** That date's weekday, season, holiday, exception and validity decide about the
///   whole of it. So a night shift that began on Christmas Eve runs to its end on Christmas Day, and one that would begin on Christmas
///   Day does not take place, also not its hours on the day after. Who wants the first to end at midnight gives the Eve an exception
///   that says so.
/// - **Half open.** From its beginning up to and without its end; `24:00` is the end of a date; an end before the beginning lies on the
///   next date.
/// - **An exception wins over its season, a season over the week.** One date has one holiday or one exception.
/// - **From the first instant at which the clock has reached the beginning, to the last at which it shows a time before the end.** So what
///   begins or ends at a time that the clock skips does so at the end of the gap, and what lies wholly in the gap is empty. Where it
///   shows a time twice, a span begins with the first and ends with the second: no shift is cut. (One that ends with the very
///   hour that is repeated ends before it: 20:00-01:00, where 02:00 becomes 01:00.)
/// - Spans that touch or overlap by that, or from one date into the next, count once.
///
/// The length of a span is time that passes: 22:00-06:00 has 8 hours, 7 in the night of spring and 9 in that of autumn.
///
/// # Whose clock
///
/// The zone is the caller's to choose, usually by [`Places::resolve`](crate::Places::resolve), which knows the schedule's own.
/// Instants beyond the years ±100,000 are outside of every schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    name: String,
    version: u16,
    zone: Option<Zone>,
    hours: Hours,
}

/// See [`Schedule`]; with it no sum of stretches overflows.
const INSTANT_MAX_MICROS: i64 = 100_000 * 365 * DAY_MICROS;

/// How far from a change of the clock or of the hours the plain week may not hold: the span of a date ends on the next at the latest, no
/// date is farther than 16 hours from its UTC date, and no gap is longer than a day.
const REACH_MICROS: i64 = 4 * DAY_MICROS;

/// What lies around an instant.
enum Around<'s> {
    /// Up to `until` neither the clock nor the hours change: a plain week repeats, by a constant offset.
    Calm {
        hours: &'s hours::Week,
        offset_micros: i64,
        until: i64,
    },
    /// Up to `until` spans have to be looked at one by one.
    Change { until: i64 },
}

impl Schedule {
    /// Reads a schedule's document. All problems at once, in the order of the text.
    pub fn read(text: &str) -> Result<Self, Vec<DocumentProblem>> {
        read::schedule(text)
    }

    /// Its name, `[a-z][a-z0-9_]{0,62}`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version, 1 to 32767.
    pub const fn version(&self) -> u16 {
        self.version
    }

    /// Its own zone, where it states one.
    pub const fn zone(&self) -> Option<Zone> {
        self.zone
    }

    /// Whether it is open at an instant (µs UTC), by the wall clock of `zone`.
    pub fn contains(&self, zone: Zone, at_micros: i64) -> bool {
        if at_micros.abs_diff(0) >= INSTANT_MAX_MICROS.unsigned_abs() {
            return false;
        }
        match self.around(zone, at_micros) {
            Around::Calm {
                hours,
                offset_micros,
                ..
            } => hours.contains(at_micros + offset_micros),
            Around::Change { .. } => self.opened_on(zone, at_micros).is_some(),
        }
    }

    /// How long it is open within `[from_micros, to_micros)`, in microseconds, exactly; 0 where `to` is not after `from`.
    ///
    /// Takes as long as there are changes of clock and hours within the interval, not as long as the interval.
    pub fn business_micros(&self, zone: Zone, from_micros: i64, to_micros: i64) -> i64 {
        let clamp = |instant: i64| instant.clamp(-INSTANT_MAX_MICROS, INSTANT_MAX_MICROS);
        let (mut at, to) = (clamp(from_micros), clamp(to_micros));
        if self.hours.never_closes() {
            return (to - at).max(0);
        }
        let mut open = 0;
        while at < to {
            at = match self.around(zone, at) {
                Around::Calm {
                    hours,
                    offset_micros,
                    until,
                } => {
                    let end = until.min(to);
                    open += hours.open_within(at + offset_micros, end + offset_micros);
                    end
                }
                Around::Change { until } => {
                    let end = until.min(to);
                    open += self.open_by_spans(zone, at, end);
                    end
                }
            };
        }
        open
    }

    /// The date on which the span began that is open at an instant; of several the earliest.
    pub fn opened_on(&self, zone: Zone, at_micros: i64) -> Option<NaiveDate> {
        if at_micros.abs_diff(0) >= INSTANT_MAX_MICROS.unsigned_abs() {
            return None;
        }
        self.spans_near(zone, at_micros, at_micros)
            .find(|(_, open, close)| (*open..*close).contains(&at_micros))
            .map(|(day, ..)| hours::date(day))
    }

    /// Progress is certain: `until` is after `at`.
    fn around(&self, zone: Zone, at: i64) -> Around<'_> {
        let past = at - REACH_MICROS;
        let transitions = zone.all_transitions();
        let index = transitions.partition_point(|transition| transition.at_micros <= past);
        let next = transitions.get(index);
        let change = next
            .map_or(i64::MAX, |transition| transition.at_micros)
            .min(self.hours.next_turn(past));
        if change.saturating_sub(REACH_MICROS) <= at {
            return Around::Change {
                until: change + REACH_MICROS,
            };
        }
        let offset_seconds = match (next, index.checked_sub(1).and_then(|i| transitions.get(i))) {
            (Some(next), _) => next.offset_before,
            (None, Some(last)) => last.offset_after,
            (None, None) => zone.local(at).offset_seconds,
        };
        let offset_micros = i64::from(offset_seconds) * 1_000_000;
        Around::Calm {
            hours: self.hours.week_of(hours::day_of(at + offset_micros)),
            offset_micros,
            until: change.saturating_sub(REACH_MICROS),
        }
    }

    fn open_by_spans(&self, zone: Zone, from: i64, to: i64) -> i64 {
        // The spans come by their beginnings, so what is counted already ends at one instant.
        let (mut open, mut counted) = (0, from);
        for (_, begin, end) in self.spans_near(zone, from, to) {
            let (begin, end) = (begin.max(counted), end.min(to));
            if begin < end {
                open += end - begin;
                counted = end;
            }
        }
        open
    }

    /// At least the spans that touch `[from, to]`, as date and instants, ascending by date and beginning. Dates are counted, never instants
    /// moved by 24 hours. Two dates back, one ahead: where midnight is shown twice, a date goes on after the next has begun.
    fn spans_near(&self, zone: Zone, from: i64, to: i64) -> impl Iterator<Item = (Day, i64, i64)> {
        let day = |instant| hours::number(zone.local(instant).date);
        (day(from) - 2..=day(to) + 1).flat_map(move |day| {
            let spans = self.hours.on(day).iter();
            spans.map(move |span: &Span| {
                let (open, close) = span.instants(zone, day);
                (day, open, close)
            })
        })
    }
}
