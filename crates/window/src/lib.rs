//! Tumbling windows of local time, and what adds up in them. Pure: no input or output, no clock.
//!
//! - A [`Cell`] is a quarter hour of UTC. Every zone's clock has been a multiple of 15 minutes from UTC since 1973, so every local
//!   [`Window`], from a quarter hour to a month or a shift, is a set of whole cells; [`windows`] lists them, [`cover`] takes one apart.
//! - A [`GroupBy`] says for whom values are added up apart, a [`GroupKey`] is one of those it finds.
//! - An [`Aggregate`] is what the values of one definition have come to: integers, so that neither the order of adding nor that of
//!   merging shows in them. [`DayCells`] are one group's aggregates of one UTC day, [`Totals`] those of a longer stretch, both packed
//!   into bytes that depend on nothing but the content.
//!
//! A window is computed by merging what its cells hold, never by adding the difference that a late fact makes.

mod aggregate;
mod cell;
mod codec;
mod counted;
mod day_cells;
mod group;
mod key;
mod size;
mod sketch;
mod totals;
mod tumble;

pub use aggregate::{Aggregate, Measure, Wants};
pub use cell::{CELL_MICROS, Cell, Cover, Day, cover, split};
pub use codec::DecodeError;
pub use counted::Counted;
pub use day_cells::DayCells;
pub use group::{Dimension, Dimensions, GroupBy, UnknownDimension};
pub use key::{GroupKey, NoGroupKey};
pub use size::Size;
pub use totals::Totals;
pub use tumble::{Window, windows};
