//! Cell by cell: the platform's number of a subject's day beside ours.

use crate::explain::explain;
use crate::figure::{Native, Ours, Subject, date};
use crate::{Measure, Policy};
use schema::UtcMicros;
use std::collections::{BTreeMap, BTreeSet};
use timezone::{NaiveDate, Zone};

/// What became of one comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// To the digit.
    Equal,
    /// Apart by no more than is allowed.
    Within {
        /// What is allowed.
        allowed: i64,
    },
    /// Ours leaves out, by its definition, what these parts of the platform's number add up to.
    LeftOut {
        /// The parts, and how much the platform has of each.
        parts: Vec<(Measure, i64)>,
    },
    /// The day before or after differs by as much the other way: one side dates a contact by its beginning, the other by its end.
    Neighbour {
        /// That day.
        day: NaiveDate,
    },
    /// Ours is expected to change still.
    Open,
    /// Our day of this date begins at another instant: not one number is about the same time.
    OtherDay {
        /// Seconds that our day begins after the platform's; negative: before.
        begins_later: i64,
        /// Whose clock our day goes by.
        zone: Zone,
    },
    /// The platform has a number, and we have nothing.
    OnlyNative,
    /// We have a number, and the platform, which was asked about this day, has nothing.
    OnlyOurs,
    /// Different, for no cause known here.
    Differs,
}

impl Verdict {
    /// Its word, in the store and in reports.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Within { .. } => "within_tolerance",
            Self::LeftOut { .. } => "left_out",
            Self::Neighbour { .. } => "neighbouring_day",
            Self::Open => "open",
            Self::OtherDay { .. } => "other_day",
            Self::OnlyNative => "only_native",
            Self::OnlyOurs => "only_ours",
            Self::Differs => "differs",
        }
    }

    /// Whether somebody has to look.
    #[must_use]
    pub const fn is_finding(&self) -> bool {
        matches!(
            self,
            Self::OtherDay { .. } | Self::OnlyNative | Self::OnlyOurs | Self::Differs
        )
    }
}

/// One measure of one subject on one day, on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Whose it is.
    pub subject: Subject,
    /// What it is.
    pub measure: Measure,
    /// The date, by the clock that cut the day.
    pub day: NaiveDate,
    /// The day's first instant: the platform's where it has one.
    pub from: UtcMicros,
    /// Its end, exclusive.
    pub to: UtcMicros,
    /// The clock that cut it.
    pub zone: Zone,
    /// The platform's number: a count or milliseconds.
    pub native: Option<i64>,
    /// Ours.
    pub ours: Option<i64>,
    /// What is to be thought of it.
    pub verdict: Verdict,
}

impl Cell {
    /// Ours less the platform's; where one side has nothing, as if that were 0.
    #[must_use]
    pub fn difference(&self) -> i64 {
        let side = |value: Option<i64>| value.unwrap_or(0);
        side(self.ours).saturating_sub(side(self.native))
    }
}

type Key<'a> = (&'a Subject, Measure);

/// Lays all numbers beside each other. Cells come in the order of subject, day and measure, whatever the order they were given in.
///
/// - Numbers of one stretch are compared. Where we have the same date cut at other instants, the cell is [`Verdict::OtherDay`].
/// - What neither side has, or one side has as 0 and the other not at all, is equal: platforms leave out what is 0, and so do windows.
/// - What only we have is compared where the platform was asked, which is seen from its having said something of that measure and
///   stretch for any subject of the kind.
/// - Of several numbers for one cell the last holds.
#[must_use]
pub fn compare(natives: &[Native], ours: &[Ours], policy: &Policy) -> Vec<Cell> {
    let native_at: BTreeMap<(Key<'_>, UtcMicros, UtcMicros), &Native> = natives
        .iter()
        .map(|one| (((&one.subject, one.measure), one.from, one.to), one))
        .collect();
    let ours_at: BTreeMap<(Key<'_>, UtcMicros, UtcMicros), &Ours> = ours
        .iter()
        .map(|one| (((&one.subject, one.measure), one.from, one.to), one))
        .collect();
    // In the order of their beginnings: of two days of one date, by two clocks, the later one, however they were given.
    let ours_on: BTreeMap<(Key<'_>, NaiveDate), &Ours> = ours_at
        .values()
        .map(|one| {
            let day = date(one.from, one.zone);
            (((&one.subject, one.measure), day), *one)
        })
        .collect();
    let mut cells = Vec::new();
    let mut met = BTreeSet::new();
    for ((key, from, to), native) in &native_at {
        let day = date(*from, native.zone);
        let same = ours_at.get(&(*key, *from, *to)).copied();
        let other = same.is_none().then(|| ours_on.get(&(*key, day))).flatten();
        if let Some(one) = same.or(other.copied()) {
            met.insert((*key, one.from, one.to));
        }
        cells.push(Cell {
            subject: native.subject.clone(),
            measure: native.measure,
            day,
            from: *from,
            to: *to,
            zone: native.zone,
            native: Some(native.value),
            ours: same.or(other.copied()).map(|one| one.value),
            verdict: verdict(native, same, other.copied(), policy),
        });
    }
    let asked: BTreeSet<_> = natives
        .iter()
        .map(|one| (one.subject.kind(), one.measure, one.from, one.to))
        .collect();
    for ((key, from, to), one) in &ours_at {
        let stretch = (key.0.kind(), key.1, *from, *to);
        if met.contains(&(*key, *from, *to)) || !asked.contains(&stretch) || one.value == 0 {
            continue;
        }
        cells.push(Cell {
            subject: one.subject.clone(),
            measure: one.measure,
            day: date(*from, one.zone),
            from: *from,
            to: *to,
            zone: one.zone,
            native: None,
            ours: Some(one.value),
            verdict: if one.settled {
                Verdict::OnlyOurs
            } else {
                Verdict::Open
            },
        });
    }
    cells.sort_by(|a, b| order(a).cmp(&order(b)));
    explain(&mut cells, &native_at_of(natives), policy);
    cells
}

fn order(cell: &Cell) -> (&Subject, UtcMicros, UtcMicros, Measure) {
    (&cell.subject, cell.from, cell.to, cell.measure)
}

/// What the platform says of every measure, to take its parts from.
fn native_at_of(natives: &[Native]) -> BTreeMap<(&Subject, Measure, UtcMicros, UtcMicros), i64> {
    natives
        .iter()
        .map(|one| ((&one.subject, one.measure, one.from, one.to), one.value))
        .collect()
}

/// What two numbers by themselves say; causes that lie in other cells are found afterwards.
fn verdict(native: &Native, same: Option<&Ours>, other: Option<&Ours>, policy: &Policy) -> Verdict {
    let Some(ours) = same else {
        return match other {
            Some(other) => Verdict::OtherDay {
                begins_later: other.from.0.saturating_sub(native.from.0) / 1_000_000,
                zone: other.zone,
            },
            None if native.value == 0 => Verdict::Equal,
            None => Verdict::OnlyNative,
        };
    };
    let items = ours.items.max(native.items.unwrap_or(0));
    let allowed = policy.tolerance.of(native.measure, items);
    match ours.value.abs_diff(native.value) {
        0 => Verdict::Equal,
        apart if apart <= allowed.unsigned_abs() => Verdict::Within { allowed },
        _ if !ours.settled => Verdict::Open,
        _ => Verdict::Differs,
    }
}
