//! The columns of a feed: what each is called at the receiver, and where it comes from.

use crate::measure::{Measure, Shown};
use crate::time_format::TimeFormat;
use timezone::Zone;
use window::Dimension;

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in the receiver's words.
    pub field: String,
    /// What is in it.
    pub source: Source,
}

/// Which edge of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeOf {
    /// Its first instant.
    Start,
    /// The first instant after it.
    End,
}

/// What a column is filled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A value of the group.
    Dimension(Dimension),
    /// An edge of the interval, by a clock.
    Time {
        /// Which.
        of: TimeOf,
        /// How it is written.
        format: TimeFormat,
        /// Whose clock.
        zone: Zone,
    },
    /// How many minutes the interval has: 1,380 or 1,500 of a day on which the clock changes.
    Minutes,
    /// 1 where the clock shows the local time of the start for the second time, else 0.
    Fold,
    /// The organisation.
    Tenant,
    /// The receiver, as the feed names it.
    Client,
    /// The feed's name.
    Feed,
    /// The zone of the feed.
    Zone,
    /// The version of the layout.
    Layout,
    /// The revision of the interval's content.
    Revision,
    /// 1 where this corrects what was sent before, else 0.
    Correction,
    /// Always this text.
    Constant(String),
    /// A figure.
    Kpi {
        /// Which of the feed's KPIs: its place in [`Definition::kpis`](crate::Definition::kpis).
        kpi: usize,
        /// What of it.
        measure: Measure,
        /// In which unit.
        shown: Shown,
        /// With how many places after the point.
        places: u8,
    },
}

impl Source {
    /// Whether it tells of the sending and not of the interval: such a column is in no digest.
    pub(crate) const fn is_of_sending(&self) -> bool {
        matches!(self, Self::Revision | Self::Correction)
    }
}
