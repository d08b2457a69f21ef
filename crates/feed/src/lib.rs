//! Interval feeds: what a planning tool or a client's contract wants of the windows, interval by interval, as files. Pure: no input or
//! output, no clock, no environment.
//!
//! - A [`Definition`] says of which organisation, KPIs, groups and intervals, with which columns, in which format and under which names;
//!   [`problems`](Definition::problems) finds all that is wrong in one.
//! - [`due`] lists the receiver's intervals that have ended long enough ago, by the receiver's clock.
//! - [`Table::of`] lays [`Figure`]s (rows of the windows) out in the columns; [`encode`] makes a file of the table, [`Table::digest`] tells
//!   whether its content differs from what was sent before.
//! - [`FileName`] names a file: never two of one feed alike.
//! - `step` decides what to do with an interval that was made up: a revision is one content for ever.
//!
//! An interval that is made up again from the same figures has the same digest; only columns that tell of the sending itself (the
//! revision, whether it is a correction) are not in it. All figures of sums are computed exactly and rounded once.

mod column;
mod csv_file;
mod definition;
mod digest;
mod figure;
mod file_name;
mod filter;
mod interval;
mod measure;
mod number;
mod parquet_file;
mod problem;
mod step;
mod table;
mod time_format;

pub use column::{Column, Source, TimeOf};
pub use csv_file::{Csv, LineEnd};
pub use definition::{Definition, Empty, Format, Kpi};
pub use digest::Digest;
pub use figure::Figure;
pub use file_name::{FileName, Named};
pub use filter::Filter;
pub use interval::{due, whole};
pub use measure::{Measure, Shown};
pub use number::Number;
pub use problem::{Place, Problem};
pub use step::{Last, Step, step};
pub use table::{Cell, Head, Issue, Kind, Table, TableError};
pub use time_format::{TimeFormat, UnknownFormat};

/// The version of a feed's layout: a change of its columns is the next number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayoutVersion(pub u16);

/// Which content of an interval: 1 is the first that was sent, each content that differs has the next number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u32);

impl Revision {
    /// The first.
    pub const FIRST: Self = Self(1);

    /// The one after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A file could not be made of a table.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// As CSV.
    #[error("the CSV file cannot be written")]
    Csv(#[source] csv::Error),
    /// As Parquet.
    #[error("the Parquet file cannot be written")]
    Parquet(#[source] parquet::errors::ParquetError),
    /// A value does not fit its column, which a table never has.
    #[error("column {0} holds a value of another kind")]
    Kind(String),
}

/// The bytes of a file: the same for the same table and definition.
pub fn encode(definition: &Definition, table: &Table) -> Result<Vec<u8>, EncodeError> {
    match &definition.format {
        Format::Csv(csv) => csv_file::encode(csv, table),
        Format::Parquet => parquet_file::encode(table, &definition.metadata()),
    }
}
