//! The windows of a zone's clock and calendar.

use crate::cell::{CELL_MICROS, Cell};
use crate::size::Size;
use schema::UtcMicros;
use timezone::{Datelike, Days, Months, NaiveDate, NaiveTime, Schedule, Side, Zone};

/// One window: half-open, from its first instant up to and without its end. In UTC, so that an hour that the clock shows twice is two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Its first instant.
    pub start: UtcMicros,
    /// The first instant after it.
    pub end: UtcMicros,
}

/// All windows of this size, by the clock of `zone`, that overlap `[from, to)`: whole ones, ascending, disjoint.
///
/// - **15, 30 and 60 minutes** begin at full quarters, halves and hours of the wall clock (in Kathmandu at :15 of UTC), and never reach over
///   a change of its offset: the doubled hour of autumn is two windows, the missing one of spring none, and where the clock moves by half
///   an hour, as in Lord Howe, one hour is cut to 30 minutes.
/// - **Days, weeks and months** reach from the first instant of a date to the first instant of another ([`Zone::day`]); a date that was
///   skipped, as in Apia in 2011, has no window.
/// - **Shifts** are the spans of the schedule ([`Schedule::spans`]): those that overlap are one, those that touch are not. None without a
///   schedule.
///
/// Every edge is a quarter hour of UTC. Where a clock is not (before 1973, fixed offsets such as `+05:07`, and the changes at one minute
/// past midnight that North America and Gaza had until 2011), edges lie at the quarter hour before. All sizes but shifts cover the time
/// line without gap or overlap.
///
/// What it takes grows with the number of windows asked for, so the caller bounds the stretch. Beyond the years ±61,000 there are none.
pub fn windows(
    size: Size,
    zone: Zone,
    shift: Option<&Schedule>,
    from: UtcMicros,
    to: UtcMicros,
) -> Vec<Window> {
    let from = from.max(Cell::FIRST.start());
    let to = to.min(Cell::LAST.end());
    if from >= to {
        return Vec::new();
    }
    let mut found = Found {
        from,
        to,
        windows: Vec::new(),
    };
    match size {
        Size::Quarter => by_clock(1, zone, &mut found),
        Size::Half => by_clock(2, zone, &mut found),
        Size::Hour => by_clock(4, zone, &mut found),
        Size::Day => by_calendar(zone, &mut found, Some, |date| {
            date.checked_add_days(Days::new(1))
        }),
        Size::Week => by_calendar(zone, &mut found, monday, |date| {
            date.checked_add_days(Days::new(7))
        }),
        Size::Month => by_calendar(
            zone,
            &mut found,
            |date| date.with_day(1),
            |date| date.checked_add_months(Months::new(1)),
        ),
        Size::Shift => {
            // An edge may come to lie before `to` by being moved to its quarter hour.
            let until = to.0.saturating_add(CELL_MICROS);
            for (begin, end) in shift.map_or_else(Vec::new, |s| s.spans(zone, from.0, until)) {
                found.push(quarter_before(begin), quarter_before(end));
            }
        }
    }
    found.windows
}

/// What has been found, of what was asked for.
struct Found {
    from: UtcMicros,
    to: UtcMicros,
    windows: Vec<Window>,
}

impl Found {
    /// Takes a stretch that is not empty and overlaps what was asked for.
    fn push(&mut self, start: UtcMicros, end: UtcMicros) {
        if start < end && start < self.to && end > self.from {
            self.windows.push(Window { start, end });
        }
    }
}

/// Windows of 1, 2 or 4 quarters. All in whole cells: between two changes of the offset they begin at multiples of their length, moved
/// by the offset.
fn by_clock(length: i32, zone: Zone, found: &mut Found) {
    let (first, last) = (Cell::of(found.from), Cell::of(UtcMicros(found.to.0 - 1)));
    let after_all = last.0.saturating_add(length);
    // Changes that cut the first or the last window are at most one length away.
    let changes = zone.transitions(
        Cell(first.0.saturating_sub(length)).start().0,
        Cell(after_all).end().0,
    );
    let mut begin = i32::MIN;
    let mut offset = changes.first().map_or_else(
        || zone.local(found.from.0).offset_seconds,
        |c| c.offset_before,
    );
    for change in changes.iter().map(Some).chain([None]) {
        let end = change.map_or(after_all, |change| Cell::of(UtcMicros(change.at_micros)).0);
        // Edges are moved back to the quarter hour, so what is added to UTC is rounded up.
        let quarters = offset.div_euclid(900) + i32::from(offset.rem_euclid(900) != 0);
        let from = first.0.max(begin);
        let into = from.saturating_add(quarters).rem_euclid(length);
        let mut edge = from.saturating_sub(into);
        while edge < end && edge <= last.0 {
            let next = edge.saturating_add(length);
            found.push(Cell(edge.max(begin)).start(), Cell(next.min(end)).start());
            if next <= edge {
                break;
            }
            edge = next;
        }
        begin = end;
        offset = change.map_or(offset, |change| change.offset_after);
    }
}

/// Windows from the first instant of one date to that of another.
fn by_calendar(
    zone: Zone,
    found: &mut Found,
    first: impl Fn(NaiveDate) -> Option<NaiveDate>,
    next: impl Fn(NaiveDate) -> Option<NaiveDate>,
) {
    let edge = |date| quarter_before(zone.resolve(date, NaiveTime::MIN, Side::Earliest));
    // Where the clock is put back over midnight, it shows a date again after the next has begun: the day of an instant is never before
    // the date shown, so it is enough to go forward from there.
    let mut date = first(zone.local(found.from.0).date);
    let Some(mut start) = date.map(edge) else {
        return;
    };
    while start < found.to
        && let Some(following) = date.and_then(&next)
    {
        let end = edge(following).max(start);
        found.push(start, end);
        (date, start) = (Some(following), end);
    }
}

fn monday(date: NaiveDate) -> Option<NaiveDate> {
    let since = date.weekday().num_days_from_monday();
    date.checked_sub_days(Days::new(since.into()))
}

fn quarter_before(micros: i64) -> UtcMicros {
    Cell::of(UtcMicros(micros)).start()
}
