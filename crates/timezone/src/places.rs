//! Which zone somebody works in: the zones of organisations, queues, agents, teams and sites, and the order in which they are asked. And
//! what else is written down about them: the platform of an organisation, the team of an agent.

mod read;

use crate::document::DocumentProblem;
use crate::zone::Zone;
use std::collections::HashMap;

/// One version of what is known about zones beside what the events state. Immutable.
///
/// # The document
///
/// ```toml
/// places = 1                      # its version, 1 to 32767; another text needs another version
///
/// [[organisation]]
/// zone = "Europe/Berlin"          # of every tenant that has no entry of its own
/// [[organisation]]
/// tenant = "acme"
/// zone = "America/New_York"       # may be left out where the platform is stated
/// platform = "genesys"            # optional: groups by platform are by this name
///
/// [[queue]]                       # tenant as above: an entry without one is for all tenants
/// tenant = "acme"
/// id = "support"
/// zone = "America/Chicago"
///
/// [[agent]]
/// id = "anna"
/// zone = "Europe/Madrid"
/// [[agent]]                       # moved: from this instant on (a date is its first instant in UTC)
/// id = "anna"
/// from = 2024-07-01
/// zone = "Atlantic/Canary"
/// [[agent]]                       # another team: a zone, a team or both; what is left out stays as it was
/// id = "anna"
/// from = 2024-09-01
/// team = "sales"
///
/// [[team]]                        # with a zone: that of windows by team
/// tenant = "acme"
/// id = "sales"
/// zone = "Europe/Lisbon"
///
/// [[attribute]]                   # that of windows by this attribute, such as a site
/// tenant = "acme"
/// name = "site"
/// value = "porto"
/// zone = "Europe/Lisbon"
/// ```
///
/// A tenant's own entry goes before the one for all tenants. An agent's zone written here goes before the one that the events state,
/// because somebody wrote it down to correct them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    version: u16,
    /// For those without an entry under their tenant.
    everywhere: Entries,
    tenants: HashMap<String, Entries>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Entries {
    organisation: Option<Zone>,
    platform: Option<String>,
    queues: HashMap<String, Zone>,
    agents: HashMap<String, Stays>,
    /// Also those without a zone.
    teams: HashMap<String, Option<Zone>>,
    /// By name, then by value.
    attributes: HashMap<String, HashMap<String, Zone>>,
}

/// Where an agent works. Each with the instant (µs UTC) from which it holds, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Stays {
    zones: Vec<(i64, Zone)>,
    teams: Vec<(i64, String)>,
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
    /// The team's. Only groups have it.
    Team,
    /// The attribute's, such as a site's. Only groups have it.
    Attribute,
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
    /// The zone that the events state for the agent, as they write it. A blank one counts as not stated.
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
    /// A stated name that would have decided but names no zone, and whose it is. The next source was asked instead.
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
            Self::Team => "team",
            Self::Attribute => "attribute",
            Self::Organisation => "organisation",
            Self::Default => "default",
            Self::None => "none",
        }
    }
}

impl Places {
    /// Reads the document of places. All problems at once, in the order of the text.
    pub fn read(text: &str) -> Result<Self, Vec<DocumentProblem>> {
        read::places(text)
    }

    /// Nothing is known but what the events state. Version 0.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The document's version, 1 to 32767; 0 for none.
    pub const fn version(&self) -> u16 {
        self.version
    }

    /// What groups by platform call an organisation's, where it is written down.
    pub fn platform(&self, tenant: &str) -> Option<&str> {
        self.first(tenant, |entries| entries.platform.as_deref())
    }

    /// The team that an agent is in at an instant, where that is written down. It goes before the one that events state.
    pub fn team(&self, tenant: &str, agent: &str, at_micros: i64) -> Option<&str> {
        self.first(tenant, |entries| {
            let stays = entries.agents.get(agent)?;
            held(&stays.teams, at_micros).map(String::as_str)
        })
    }

    /// The instants (µs UTC) at which the zone that is written down for an agent may become another one, ascending.
    pub fn moves(&self, tenant: &str, agent: &str) -> Vec<i64> {
        let entries = [self.tenants.get(tenant), Some(&self.everywhere)];
        let stays = entries.into_iter().flatten();
        let stays = stays.filter_map(|entries| entries.agents.get(agent));
        let mut moves: Vec<i64> = stays
            .flat_map(|stays| stays.zones.iter().map(|(from, _)| *from))
            // Where somebody has always been they did not move to.
            .filter(|from| *from > i64::MIN)
            .collect();
        moves.sort_unstable();
        moves.dedup();
        moves
    }

    /// The zone of a group: of those of its agent, team, attributes, queue and organisation the first that is known, else UTC with
    /// [`ZoneSource::None`].
    ///
    /// An agent comes with the zone that the events state, as in [`Asked::agent_stated`]; attributes by name and value, of which the first
    /// with a zone decides. `at_micros` is the instant: agents move.
    pub fn zone_of_group<'a>(
        &self,
        tenant: &str,
        agent: Option<(&str, Option<&'a str>)>,
        team: Option<&str>,
        attributes: &[(&str, &str)],
        queue: Option<&str>,
        at_micros: i64,
    ) -> Resolved<'a> {
        let asked = Asked {
            tenant,
            agent: agent.map(|(agent, _)| agent),
            agent_stated: None,
            queue,
            schedule: None,
            default: None,
            at_micros,
        };
        let stated = agent.and_then(|(_, stated)| stated);
        let (zone, unknown) = self.agent(&asked, stated);
        let found = |zone, source| Resolved {
            zone,
            source,
            unknown,
        };
        if let Some(zone) = zone {
            return found(zone, ZoneSource::Agent);
        }
        let team = self.first(tenant, |entries| *entries.teams.get(team?)?);
        if let Some(zone) = team {
            return found(zone, ZoneSource::Team);
        }
        let site = attributes.iter().find_map(|(name, value)| {
            self.first(tenant, |entries| {
                entries.attributes.get(*name)?.get(*value).copied()
            })
        });
        if let Some(zone) = site {
            return found(zone, ZoneSource::Attribute);
        }
        let rest = self.resolve(&[ZoneSource::Queue, ZoneSource::Organisation], &asked);
        found(rest.zone, rest.source)
    }

    /// The first zone that one of the sources in `order` has, else the default, else UTC with [`ZoneSource::None`].
    pub fn resolve<'a>(&self, order: &[ZoneSource], asked: &Asked<'a>) -> Resolved<'a> {
        let mut unknown = None;
        for &source in order {
            let zone = match source {
                ZoneSource::Agent => {
                    let (zone, not_known) = self.agent(asked, asked.agent_stated);
                    unknown = unknown.or(not_known);
                    zone
                }
                ZoneSource::Schedule => asked.schedule,
                ZoneSource::Queue => self.first(asked.tenant, |entries| {
                    entries.queues.get(asked.queue?).copied()
                }),
                ZoneSource::Organisation => {
                    self.first(asked.tenant, |entries| entries.organisation)
                }
                ZoneSource::Team | ZoneSource::Attribute => None,
                ZoneSource::Default | ZoneSource::None => break,
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

    /// The agent's zone, or the stated name that is none.
    fn agent<'a>(
        &self,
        asked: &Asked<'_>,
        stated: Option<&'a str>,
    ) -> (Option<Zone>, Option<(ZoneSource, &'a str)>) {
        let known = self.first(asked.tenant, |entries| {
            let stays = entries.agents.get(asked.agent?)?;
            held(&stays.zones, asked.at_micros).copied()
        });
        let stated = stated.filter(|text| !text.trim().is_empty());
        match (known, stated) {
            (None, Some(text)) => match Zone::parse(text) {
                Ok(zone) => (Some(zone), None),
                Err(_) => (None, Some((ZoneSource::Agent, text))),
            },
            (known, _) => (known, None),
        }
    }

    /// From the tenant's own entries, else from those for all tenants.
    fn first<'p, T>(&'p self, tenant: &str, find: impl Fn(&'p Entries) -> Option<T>) -> Option<T> {
        let own = self.tenants.get(tenant).and_then(&find);
        own.or_else(|| find(&self.everywhere))
    }
}

/// What holds at an instant.
fn held<T>(since: &[(i64, T)], at_micros: i64) -> Option<&T> {
    let begun = since.partition_point(|(from, _)| *from <= at_micros);
    since.get(begun.checked_sub(1)?).map(|(_, what)| what)
}
