//! Quarter hours of UTC: what all windows are made of.

use crate::tumble::Window;
use schema::UtcMicros;
use std::ops::Range;

/// The length of a cell in microseconds.
pub const CELL_MICROS: i64 = 900_000_000;

/// Cells of one day.
pub(crate) const QUARTERS: u8 = 96;
const DAY_MICROS: i64 = 96 * CELL_MICROS;

/// A base cell: a quarter hour of UTC, by its number since 1970. Instants beyond the years ±61,000 are in the cells at the ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell(pub i32);

/// A UTC day, by its number since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Cell {
    pub(crate) const FIRST: Self = Self(i32::MIN);
    /// One less than the greatest number, so that the number after it is one too.
    pub(crate) const LAST: Self = Self(i32::MAX - 1);

    /// The one that an instant is in: at its start or after, before its end.
    pub fn of(at: UtcMicros) -> Self {
        Self(saturating(at.0.div_euclid(CELL_MICROS)))
    }

    /// Its first instant.
    pub const fn start(self) -> UtcMicros {
        // No overflow: 2^31 quarters of an hour are 61,000 years.
        UtcMicros(self.0 as i64 * CELL_MICROS)
    }

    /// The first instant after it.
    pub const fn end(self) -> UtcMicros {
        UtcMicros((self.0 as i64 + 1) * CELL_MICROS)
    }

    /// The day that it is part of.
    pub const fn day(self) -> Day {
        Day(self.0.div_euclid(QUARTERS as i32))
    }

    /// Its place in its day, 0 to 95.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub const fn quarter(self) -> u8 {
        self.0.rem_euclid(QUARTERS as i32) as u8
    }

    /// Those that `[from, to)` touches, ascending; none where `to` is not after `from`.
    pub fn range(
        from: UtcMicros,
        to: UtcMicros,
    ) -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        numbers(from, to).map(Self)
    }
}

impl Day {
    /// The one that an instant is in.
    pub fn of(at: UtcMicros) -> Self {
        Self(saturating(at.0.div_euclid(DAY_MICROS)))
    }

    /// Its first instant. Saturates.
    pub const fn start(self) -> UtcMicros {
        UtcMicros((self.0 as i64).saturating_mul(DAY_MICROS))
    }

    /// The first instant after it. Saturates.
    pub const fn end(self) -> UtcMicros {
        UtcMicros((self.0 as i64 + 1).saturating_mul(DAY_MICROS))
    }

    /// One of its cells, by its place in the day: 0 to 95, later ones are of the next day. Saturates.
    pub const fn cell(self, quarter: u8) -> Cell {
        Cell(
            self.0
                .saturating_mul(QUARTERS as i32)
                .saturating_add(quarter as i32),
        )
    }

    /// Its 96 cells, ascending.
    pub fn cells(self) -> impl DoubleEndedIterator<Item = Cell> + ExactSizeIterator {
        (0..QUARTERS).map(move |quarter| self.cell(quarter))
    }
}

/// Splits `[from, to)` at cell borders: each cell touched, with the part of the stretch that lies in it. The parts add up to the whole.
pub fn split(from: UtcMicros, to: UtcMicros) -> impl Iterator<Item = (Cell, UtcMicros, UtcMicros)> {
    let cells = numbers(from, to);
    let (first, last) = (cells.start, cells.end - 1);
    // The ends are the stretch's own, also where an instant is beyond the cells.
    cells.map(move |number| {
        let cell = Cell(number);
        let begin = if number == first { from } else { cell.start() };
        let end = if number == last { to } else { cell.end() };
        (cell, begin, end)
    })
}

/// A window as the least number of parts: whole UTC days, and the cells left over at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// Numbers of whole days, see [`Day`]; empty where the window holds none.
    pub days: Range<i32>,
    /// The cells before those days, and after them, ascending.
    pub quarters: Vec<Cell>,
}

/// Takes a window apart. One that is not on quarter hours, which [`windows`](crate::windows) never gives, is taken with all the cells
/// that it touches.
pub fn cover(window: &Window) -> Cover {
    const QUARTERS_A_DAY: i32 = QUARTERS as i32;
    let cells = numbers(window.start, window.end);
    let first = cells.start.saturating_add(QUARTERS_A_DAY - 1);
    let days = first.div_euclid(QUARTERS_A_DAY)..cells.end.div_euclid(QUARTERS_A_DAY);
    if days.is_empty() {
        return Cover {
            days: 0..0,
            quarters: cells.map(Cell).collect(),
        };
    }
    let before = cells.start..days.start * QUARTERS_A_DAY;
    let after = days.end * QUARTERS_A_DAY..cells.end;
    Cover {
        days,
        quarters: before.chain(after).map(Cell).collect(),
    }
}

/// The numbers of the cells that a stretch touches.
fn numbers(from: UtcMicros, to: UtcMicros) -> Range<i32> {
    if from >= to {
        return 0..0;
    }
    let last = Cell::of(UtcMicros(to.0 - 1));
    Cell::of(from).0..last.0 + 1
}

fn saturating(number: i64) -> i32 {
    let number = number.clamp(Cell::FIRST.0.into(), Cell::LAST.0.into());
    i32::try_from(number).unwrap_or_default()
}
