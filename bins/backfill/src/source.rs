//! Where history comes from: the kinds of jobs.

use std::fmt;

/// One way of getting history. Its name is the `kind` of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Genesys: conversation detail records. Asynchronous jobs up to the date that its data are available to, queries for what is newer.
    GenesysConversations,
    /// Genesys: when each agent's presence and routing status were what.
    GenesysUsers,
    /// Genesys: the records of conversations that are named by id.
    GenesysLookup,
    /// CXone: completed contacts.
    CxoneContacts,
    /// CXone: the states that contacts went through.
    CxoneContactStates,
    /// CXone: the states that agents went through.
    CxoneAgentStates,
    /// CXone: the records of interactions that are named by id.
    CxoneLookup,
    /// CXone: data-download reports 524 (Call Detail) and 544 (Agent State Log).
    CxoneReport,
    /// CXone: an entity of its Data Extraction API, read through a mapping.
    CxoneExtraction,
    /// Genesys: its own figures of agents' and queues' days, to compare ours with.
    GenesysFigures,
    /// Genesys: whose clock agents' plans are kept by, and their published shifts.
    GenesysShifts,
    /// CXone: its own figures of agents' and skills' days, to compare ours with.
    CxoneFigures,
    /// CXone: whose clock agents go by, and their published shifts.
    CxoneShifts,
    /// The event log.
    Replay,
    /// Export files.
    Files,
}

/// Whose API a source asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vendor {
    /// Genesys Cloud CX.
    Genesys,
    /// NICE CXone.
    Cxone,
}

impl Vendor {
    /// The word for it in files and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Genesys => "genesys",
            Self::Cxone => "cxone",
        }
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::GenesysConversations,
        Self::GenesysUsers,
        Self::GenesysLookup,
        Self::CxoneContacts,
        Self::CxoneContactStates,
        Self::CxoneAgentStates,
        Self::CxoneLookup,
        Self::CxoneReport,
        Self::CxoneExtraction,
        Self::GenesysFigures,
        Self::GenesysShifts,
        Self::CxoneFigures,
        Self::CxoneShifts,
        Self::Replay,
        Self::Files,
    ];

    /// Its name: in commands, files, messages and `backfill_jobs.kind`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GenesysConversations => "genesys-conversations",
            Self::GenesysUsers => "genesys-users",
            Self::GenesysLookup => "genesys-lookup",
            Self::CxoneContacts => "cxone-contacts",
            Self::CxoneContactStates => "cxone-contact-states",
            Self::CxoneAgentStates => "cxone-agent-states",
            Self::CxoneLookup => "cxone-lookup",
            Self::CxoneReport => "cxone-report",
            Self::CxoneExtraction => "cxone-extraction",
            Self::GenesysFigures => "genesys-figures",
            Self::GenesysShifts => "genesys-shifts",
            Self::CxoneFigures => "cxone-figures",
            Self::CxoneShifts => "cxone-shifts",
            Self::Replay => "replay",
            Self::Files => "files",
        }
    }

    /// The source of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    /// Whose API it asks; `None` where it asks nobody.
    #[must_use]
    pub const fn vendor(self) -> Option<Vendor> {
        match self {
            Self::GenesysConversations
            | Self::GenesysUsers
            | Self::GenesysLookup
            | Self::GenesysFigures
            | Self::GenesysShifts => Some(Vendor::Genesys),
            Self::CxoneContacts
            | Self::CxoneContactStates
            | Self::CxoneAgentStates
            | Self::CxoneLookup
            | Self::CxoneReport
            | Self::CxoneExtraction
            | Self::CxoneFigures
            | Self::CxoneShifts => Some(Vendor::Cxone),
            Self::Replay | Self::Files => None,
        }
    }

    /// Whether it is told ids and no stretch of time.
    #[must_use]
    pub const fn looks_up(self) -> bool {
        matches!(self, Self::GenesysLookup | Self::CxoneLookup)
    }

    /// Whether a stretch of time is all that it has to be told. A report's number, an entity and its mapping, or ids are said by whoever starts
    /// a job: nobody says them of what is followed or settled.
    #[must_use]
    pub const fn goes_on_by_itself(self) -> bool {
        match self {
            Self::GenesysConversations
            | Self::GenesysUsers
            | Self::CxoneContacts
            | Self::CxoneContactStates
            | Self::CxoneAgentStates => true,
            Self::GenesysLookup
            | Self::CxoneLookup
            | Self::CxoneReport
            | Self::CxoneExtraction
            | Self::GenesysFigures
            | Self::GenesysShifts
            | Self::CxoneFigures
            | Self::CxoneShifts
            | Self::Replay
            | Self::Files => false,
        }
    }

    /// Whether what it brings is no history: it is written beside the line, for a comparison, and nothing is computed from it.
    #[must_use]
    pub const fn stays_beside(self) -> bool {
        matches!(
            self,
            Self::GenesysFigures | Self::GenesysShifts | Self::CxoneFigures | Self::CxoneShifts
        )
    }

    /// The names of all that this holds for, for messages.
    #[must_use]
    pub fn names(holds: impl Fn(Self) -> bool) -> String {
        let names: Vec<_> = Self::ALL
            .into_iter()
            .filter(|source| holds(*source))
            .map(Self::name)
            .collect();
        names.join(", ")
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_say_whose_they_are() {
        for source in Source::ALL {
            assert_eq!(Source::parse(source.name()), Some(source));
            let vendor = source.vendor().map(Vendor::name);
            let first = source.name().split('-').next();
            assert_eq!(
                vendor,
                first.filter(|word| ["genesys", "cxone"].contains(word))
            );
        }
        assert_eq!(Source::parse("genesys"), None);
    }
}
