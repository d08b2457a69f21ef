//! Which hours a date has, and what repeats every week.

use crate::zone::{Side, Zone};
use chrono::{Datelike, NaiveDate, NaiveTime};
use std::collections::BTreeMap;

pub(super) const DAY_MICROS: i64 = 86_400_000_000;
pub(super) const WEEK_MICROS: i64 = 7 * DAY_MICROS;
const MINUTE_MICROS: i64 = 60_000_000;
pub(super) const DAY_MINUTES: u16 = 1_440;

/// A date, as days since 1970-01-01.
pub(super) type Day = i64;

/// 1970-01-01 in the calendar's own count.
const EPOCH_FROM_CE: i64 = 719_163;

pub(super) fn number(date: NaiveDate) -> Day {
    i64::from(date.num_days_from_ce()) - EPOCH_FROM_CE
}

pub(super) fn date(day: Day) -> NaiveDate {
    i32::try_from(day + EPOCH_FROM_CE)
        .ok()
        .and_then(NaiveDate::from_num_days_from_ce_opt)
        .unwrap_or_default()
}

/// The date of an instant of the wall clock.
pub(super) fn day_of(local_micros: i64) -> Day {
    local_micros.div_euclid(DAY_MICROS)
}

/// From 0 for Monday. 1970-01-01 was a Thursday.
fn weekday(day: Day) -> usize {
    usize::try_from((day + 3).rem_euclid(7)).unwrap_or_default()
}

/// One stretch of open hours, in minutes since the wall clock showed 00:00 on the date on which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// 0 to 1439.
    pub(super) open: u16,
    /// After `open`; above 1440 on the next date.
    pub(super) close: u16,
}

impl Span {
    pub(super) const WHOLE_DAY: Self = Self {
        open: 0,
        close: DAY_MINUTES,
    };

    /// From the first instant at which the wall clock has reached the beginning, to the last at which it shows a time before the end.
    /// The second is not after the first where the span lies in a gap.
    pub(super) fn instants(self, zone: Zone, day: Day) -> (i64, i64) {
        let at = |minute: u16, side| {
            let date = date(day + i64::from(minute / DAY_MINUTES));
            let second = u32::from(minute % DAY_MINUTES) * 60;
            let time = NaiveTime::from_num_seconds_from_midnight_opt(second, 0);
            zone.resolve(date, time.unwrap_or_default(), side)
        };
        let open = at(self.open, Side::Earliest);
        let (earlier, later) = (at(self.close, Side::Earliest), at(self.close, Side::Latest));
        // Where the clock is put back to just the end, it shows nothing of the span again: the first time was the end.
        let shows_again = || {
            let before = zone.local(later - 1);
            let minute = i64::from(before.minute_of_day());
            number(before.date) * 1_440 + minute < day * 1_440 + i64::from(self.close)
        };
        let close = if earlier < later && !shows_again() {
            earlier
        } else {
            later
        };
        (open, close)
    }
}

/// The hours of seven weekdays, from Monday, each ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Week {
    days: [Vec<Span>; 7],
    /// The same as stretches of the week, in µs since Monday 00:00, joined where they touch, each with how long is open before it.
    stretches: Vec<Stretch>,
    /// Open in the whole week, µs.
    total: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    begin: i64,
    end: i64,
    open_before: i64,
}

impl Week {
    /// What is open on no weekday.
    pub(super) const CLOSED: Self = Self {
        days: [const { Vec::new() }; 7],
        stretches: Vec::new(),
        total: 0,
    };

    /// `days` from Monday.
    pub(super) fn new(mut days: [Vec<Span>; 7]) -> Self {
        let mut pieces = Vec::new();
        for (spans, midnight) in days.iter_mut().zip((0..).step_by(86_400_000_000)) {
            spans.sort_unstable();
            for span in spans {
                let begin = midnight + i64::from(span.open) * MINUTE_MICROS;
                let end = midnight + i64::from(span.close) * MINUTE_MICROS;
                pieces.push((begin, end.min(WEEK_MICROS)));
                // Sunday's night ends on the Monday with which the week begins again.
                if end > WEEK_MICROS {
                    pieces.push((0, end - WEEK_MICROS));
                }
            }
        }
        pieces.sort_unstable();
        let (mut stretches, mut total) = (Vec::<Stretch>::new(), 0);
        for (begin, end) in pieces {
            match stretches.last_mut() {
                Some(last) if begin <= last.end => {
                    total += (end - last.end).max(0);
                    last.end = last.end.max(end);
                }
                _ => {
                    stretches.push(Stretch {
                        begin,
                        end,
                        open_before: total,
                    });
                    total += end - begin;
                }
            }
        }
        Self {
            days,
            stretches,
            total,
        }
    }

    /// By an instant of the wall clock.
    pub(super) fn contains(&self, local_micros: i64) -> bool {
        let (_, within) = place(local_micros);
        self.last_begun(within)
            .is_some_and(|stretch| within < stretch.end)
    }

    /// By instants of one wall clock that is not changed in between, however many weeks apart.
    pub(super) fn open_within(&self, from_local: i64, to_local: i64) -> i64 {
        let open_until = |local_micros| {
            let (week, within) = place(local_micros);
            let this_week = self.last_begun(within).map_or(0, |stretch| {
                stretch.open_before + within.min(stretch.end) - stretch.begin
            });
            week * self.total + this_week
        };
        open_until(to_local) - open_until(from_local)
    }

    fn last_begun(&self, within: i64) -> Option<&Stretch> {
        let begun = self.stretches.partition_point(|s| s.begin <= within);
        self.stretches.get(begun.checked_sub(1)?)
    }
}

/// The number of the week, from that of Monday 1970-01-05, and the µs since its Monday 00:00.
fn place(local_micros: i64) -> (i64, i64) {
    let since = local_micros - 4 * DAY_MICROS;
    (since.div_euclid(WEEK_MICROS), since.rem_euclid(WEEK_MICROS))
}

/// Dates with a week of their own, from `from` up to and without `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Season {
    pub(super) from: Day,
    pub(super) to: Day,
    pub(super) week: Week,
}

/// The hours of every date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hours {
    week: Week,
    /// Ascending, without overlap.
    seasons: Vec<Season>,
    /// Holidays and exceptions.
    dates: BTreeMap<Day, Vec<Span>>,
    valid_from: Day,
    valid_to: Day,
    /// The UTC midnights of the dates on which the hours become other than the week has led to expect. Ascending.
    turns: Vec<i64>,
}

impl Hours {
    /// `seasons` without overlap, in any order.
    pub(super) fn new(
        week: Week,
        mut seasons: Vec<Season>,
        mut dates: BTreeMap<Day, Vec<Span>>,
        valid: (Option<Day>, Option<Day>),
    ) -> Self {
        seasons.sort_by_key(|season| season.from);
        for spans in dates.values_mut() {
            spans.sort_unstable();
        }
        let edges = seasons.iter().flat_map(|season| [season.from, season.to]);
        let mut turns: Vec<i64> = edges
            .chain(dates.keys().copied())
            .chain(valid.0)
            .chain(valid.1)
            .map(|day| day * DAY_MICROS)
            .collect();
        turns.sort_unstable();
        turns.dedup();
        Self {
            week,
            seasons,
            dates,
            valid_from: valid.0.unwrap_or(Day::MIN),
            valid_to: valid.1.unwrap_or(Day::MAX),
            turns,
        }
    }

    /// The spans that begin on a date, ascending.
    pub(super) fn on(&self, day: Day) -> &[Span] {
        if !self.valid(day) {
            return &[];
        }
        match self.dates.get(&day) {
            Some(spans) => spans,
            None => &self.week_of(day).days[weekday(day)],
        }
    }

    /// The week that holds on a date, but for holidays and exceptions.
    pub(super) fn week_of(&self, day: Day) -> &Week {
        if !self.valid(day) {
            return const { &Week::CLOSED };
        }
        let begun = self.seasons.partition_point(|season| season.from <= day);
        begun
            .checked_sub(1)
            .and_then(|index| self.seasons.get(index))
            .filter(|season| day < season.to)
            .map_or(&self.week, |season| &season.week)
    }

    /// The first turn after an instant, as UTC midnight; the end of time where there is none.
    pub(super) fn next_turn(&self, after: i64) -> i64 {
        let index = self.turns.partition_point(|turn| *turn <= after);
        self.turns.get(index).copied().unwrap_or(i64::MAX)
    }

    /// The minutes at which any span of any date begins or ends.
    pub(super) fn edges(&self) -> impl Iterator<Item = u16> {
        let weeks = std::iter::once(&self.week).chain(self.seasons.iter().map(|s| &s.week));
        let weekly = weeks.flat_map(|week| week.days.iter());
        let spans = weekly.chain(self.dates.values()).flatten();
        spans.flat_map(|span| [span.open, span.close])
    }

    /// Whether it is open at every instant.
    pub(super) fn never_closes(&self) -> bool {
        self.week.total == WEEK_MICROS && self.turns.is_empty()
    }

    fn valid(&self, day: Day) -> bool {
        (self.valid_from..self.valid_to).contains(&day)
    }
}
