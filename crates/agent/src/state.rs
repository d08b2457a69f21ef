//! The state of an agent at an instant.

use compact_str::CompactString;
use schema::{Presence, Routing};

/// What is known of an agent at an instant. The default is: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// Whether and how the agent is there, as stated.
    pub presence: Option<Presence>,
    /// What the router thinks the agent does, as stated.
    pub routing: Option<Routing>,
    /// The organisation's own name of the presence.
    pub reason: Option<CompactString>,
    /// The activity that the plan has for this time; `None` where nothing is scheduled.
    pub scheduled: Option<CompactString>,
    /// The team the agent is in.
    pub team: Option<CompactString>,
    /// Whether the agent has a contact, by the legs of interactions.
    pub interacting: bool,
    /// Whether the agent does after-call work, by the legs of interactions. With several contacts at once both may be.
    pub wrapping: bool,
    /// Whether presence or routing is unknown because its last statement was without news for too long.
    pub capped: bool,
}

impl State {
    /// Whether the agent has a contact or its after-call work.
    #[must_use]
    pub const fn busy(&self) -> bool {
        self.interacting || self.wrapping
    }

    /// Whether the agent is logged in: as the presence says; where there is none, as the router says; and whoever is busy is.
    #[must_use]
    pub fn logged_in(&self) -> bool {
        self.busy()
            || match (&self.presence, &self.routing) {
                (Some(presence), _) => *presence != Presence::Offline,
                (None, Some(routing)) => *routing != Routing::OffQueue,
                (None, None) => false,
            }
    }

    /// Whether the agent takes contacts from queues, by presence or router. Nobody does who signed out, whatever the router still says.
    #[must_use]
    pub fn on_queue(&self) -> bool {
        let offered =
            |routing: &Routing| !matches!(routing, Routing::OffQueue | Routing::Communicating);
        match &self.presence {
            Some(Presence::OnQueue) => true,
            Some(Presence::Offline) => false,
            _ => self.routing.as_ref().is_some_and(offered),
        }
    }

    /// Whether it is known what the agent did: the plan alone does not tell.
    #[must_use]
    pub const fn known(&self) -> bool {
        self.presence.is_some() || self.routing.is_some() || self.busy()
    }
}
