//! Facts about agents: in what state an agent is from an instant on, as a platform states it.
//!
//! The second kind of normalised event beside those about interactions. What an agent *did* with customers is not told here: that
//! comes from the legs of interactions.

use crate::fact::{AgentRef, FactKey, SourceRank};
use crate::id::TenantId;
use crate::time::UtcMicros;
use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A fact and the agent it is about: one entry of an events message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentEvent {
    /// The organisation.
    #[serde(rename = "t")]
    pub tenant: TenantId,
    /// The agent; with the zone where the source states it.
    #[serde(rename = "a")]
    pub agent: AgentRef,
    /// The fact.
    #[serde(rename = "f")]
    pub fact: AgentFact,
}

/// One statement about an agent's time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgentFact {
    /// Which statement this is: two facts with one key are two copies or two revisions of it. See [`FactKey::agent_state`].
    #[serde(rename = "k")]
    pub key: FactKey,
    /// From when on it holds, by the platform's clock.
    #[serde(rename = "a")]
    pub at: UtcMicros,
    /// Until when it held, where the source states that. Else it holds until the next statement of its track.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UtcMicros>,
    /// The platform's update stamp, where it sends one.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<UtcMicros>,
    /// What kind of source stated it.
    #[serde(rename = "s", default)]
    pub rank: SourceRank,
    /// What was stated.
    #[serde(rename = "b", default)]
    pub statement: AgentStatement,
}

impl AgentFact {
    /// Whether `self` takes the place of `other` under the same key: by revision stamp, kind of source, then a total order of content.
    #[must_use]
    pub fn supersedes(&self, other: &Self) -> bool {
        let order = |fact: &Self| (fact.revision, fact.rank);
        (order(self), self) > (order(other), other)
    }
}

/// What a fact states of an agent. Each part is a track of its own: a statement of one says nothing about the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgentStatement {
    /// Whether and how the agent is there.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<Presence>,
    /// What the router thinks the agent does.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// What the plan says: the scheduled activity in lower case (`on_queue`, `break`, `meal` …), empty for a statement that nothing is
    /// scheduled (any more).
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<CompactString>,
    /// The organisation's own name or id of the presence (a secondary presence, an out-state).
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CompactString>,
    /// The team the agent was in.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub team: Option<CompactString>,
}

/// The tracks of an agent's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Track {
    /// [`AgentStatement::presence`].
    Presence,
    /// [`AgentStatement::routing`].
    Routing,
    /// [`AgentStatement::scheduled`].
    Schedule,
}

impl Track {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Presence, Self::Routing, Self::Schedule];

    /// The name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Routing => "routing",
            Self::Schedule => "schedule",
        }
    }
}

impl AgentStatement {
    /// Whether it says something on this track.
    #[must_use]
    pub const fn states(&self, track: Track) -> bool {
        match track {
            Track::Presence => self.presence.is_some(),
            Track::Routing => self.routing.is_some(),
            Track::Schedule => self.scheduled.is_some(),
        }
    }
}

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// One of the platform's own, in lower case.
            Other(CompactString),
        }

        impl $name {
            /// The state with this name, in lower case with underscores.
            pub fn from_name(name: &str) -> Self {
                match name {
                    $($text => Self::$variant,)*
                    other => Self::Other(CompactString::new(other)),
                }
            }

            /// The name; the inverse of `from_name`.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(name) => name.as_str(),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = CompactString::deserialize(deserializer)?;
                Ok(Self::from_name(&name))
            }
        }
    };
}

states! {
    /// Whether and how an agent is there. The names are those of Genesys' system presences.
    Presence {
        /// There, and free for whatever comes.
        Available "available",
        /// Gone from the desk.
        Away "away",
        /// There, with something else to do.
        Busy "busy",
        /// On a break.
        Break "break",
        /// At a meal.
        Meal "meal",
        /// In a meeting.
        Meeting "meeting",
        /// In a training.
        Training "training",
        /// Logged in, and the machine untouched.
        Idle "idle",
        /// Taking contacts from queues.
        OnQueue "on_queue",
        /// Not logged in. This is the sign-out: it ends what was open.
        Offline "offline",
    }
}

states! {
    /// What the router thinks an agent does. The names are those of Genesys' routing statuses.
    Routing {
        /// Takes no contacts from queues.
        OffQueue "off_queue",
        /// Waits for a contact.
        Idle "idle",
        /// Has a contact (or its after-call work).
        Interacting "interacting",
        /// Talks outside of queues.
        Communicating "communicating",
        /// Let a contact ring.
        NotResponding "not_responding",
        /// Does after-call work, where the platform tells it apart.
        Wrapping "wrapping",
    }
}
