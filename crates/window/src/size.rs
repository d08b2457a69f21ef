//! How long windows are.

/// The size of a window, by the clock and the calendar of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Size {
    /// 15 minutes.
    Quarter,
    /// 30 minutes, from each full and half hour of the wall clock.
    Half,
    /// 60 minutes, from each full hour of the wall clock.
    Hour,
    /// A date: 23 to 25 hours, whatever the clock makes of it.
    Day,
    /// An ISO week, from Monday.
    Week,
    /// A month of the calendar.
    Month,
    /// A stretch for which a schedule is open.
    Shift,
}

impl Size {
    /// All of them, from the shortest.
    pub const ALL: [Self; 7] = [
        Self::Quarter,
        Self::Half,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Shift,
    ];

    /// As it is written in definitions and stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quarter => "15m",
            Self::Half => "30m",
            Self::Hour => "60m",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Shift => "shift",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.name() == name)
    }
}
