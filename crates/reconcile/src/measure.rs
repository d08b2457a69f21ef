//! What is compared, by one word for both sides.

use std::fmt;

/// Something that a platform reports of an agent's or a queue's day, and that we compute too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Contacts that a queue was offered.
    Offered,
    /// Contacts that were answered.
    Answered,
    /// Contacts whose customer left the queue.
    Abandoned,
    /// Parts of contacts that an agent handled.
    Handled,
    /// Time spent talking, without hold.
    Talk,
    /// Time on hold.
    Hold,
    /// After-call work.
    Wrap,
    /// Time spent dialling out.
    Dial,
    /// Time spent reaching the other end before it rang.
    Contact,
    /// Handle time as the platform adds it up.
    Handle,
    /// Time signed in.
    LoggedIn,
    /// Time on queue.
    OnQueue,
}

impl Measure {
    /// All of them, in the order of reports: counts before times, parts before sums. The first that differs names the cause.
    pub const ALL: [Self; 12] = [
        Self::Offered,
        Self::Answered,
        Self::Abandoned,
        Self::Handled,
        Self::Talk,
        Self::Hold,
        Self::Wrap,
        Self::Dial,
        Self::Contact,
        Self::Handle,
        Self::LoggedIn,
        Self::OnQueue,
    ];

    /// Its word, in the store and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Answered => "answered",
            Self::Abandoned => "abandoned",
            Self::Handled => "handled",
            Self::Talk => "talk",
            Self::Hold => "hold",
            Self::Wrap => "wrap",
            Self::Dial => "dial",
            Self::Contact => "contact",
            Self::Handle => "handle",
            Self::LoggedIn => "logged_in",
            Self::OnQueue => "on_queue",
        }
    }

    /// The measure of this word.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == name)
    }

    /// Whether its values are milliseconds; otherwise they are counts.
    #[must_use]
    pub const fn is_time(self) -> bool {
        !matches!(
            self,
            Self::Offered | Self::Answered | Self::Abandoned | Self::Handled
        )
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Measure;

    #[test]
    fn words_lead_back() {
        for measure in Measure::ALL {
            assert_eq!(Measure::parse(measure.name()), Some(measure));
        }
        assert_eq!(Measure::parse("aht"), None);
    }
}
