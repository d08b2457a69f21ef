//! Decoded messages → what one transaction will fold: sessions and agents in ascending key order, each with its facts. Pure.
//!
//! The order is what keeps two workers from deadlocking: every transaction locks its sessions by ascending key, then its agents.

use schema::{
    AgentEvent, AgentId, EventsMessage, Fact, InteractionId, JobId, JobRef, MetricVersion, TenantId,
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What a batch wants folded.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Ascending by (tenant, interaction), each once.
    pub sessions: Vec<PlannedSession>,
    /// Ascending by (tenant, agent), each once.
    pub agents: Vec<PlannedAgent>,
}

/// One interaction's part of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedSession {
    /// The organisation.
    pub tenant: TenantId,
    /// The interaction.
    pub interaction: InteractionId,
    /// The facts to fold in. May hold copies; the fold drops them.
    pub facts: Vec<Fact>,
    /// Versions that a backfill job asked for besides the switched-on ones.
    pub job_versions: BTreeSet<MetricVersion>,
}

/// One agent's part of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedAgent {
    /// The organisation.
    pub tenant: TenantId,
    /// The agent.
    pub agent: AgentId,
    /// The facts to fold in, each with the agent as it names it. May hold copies.
    pub events: Vec<AgentEvent>,
    /// Versions that a backfill job asked for.
    pub job_versions: BTreeSet<MetricVersion>,
}

/// What stands alone after halving: one fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alone {
    /// About an interaction.
    Session(PlannedSession),
    /// About an agent.
    Agent(PlannedAgent),
}

impl Plan {
    /// Groups the events of many messages by interaction and by agent.
    pub fn of(messages: impl IntoIterator<Item = EventsMessage>) -> Self {
        let mut sessions: BTreeMap<
            (TenantId, InteractionId),
            (Vec<Fact>, BTreeSet<MetricVersion>),
        > = BTreeMap::new();
        let mut agents: BTreeMap<(TenantId, AgentId), (Vec<AgentEvent>, BTreeSet<MetricVersion>)> =
            BTreeMap::new();
        for message in messages {
            let version = message.job.map(|job| job.version);
            for event in message.events {
                let (facts, versions) = sessions
                    .entry((event.tenant, event.interaction))
                    .or_default();
                facts.push(event.fact);
                versions.extend(version);
            }
            for event in message.agents {
                let (events, versions) = agents
                    .entry((event.tenant.clone(), event.agent.id.clone()))
                    .or_default();
                events.push(event);
                versions.extend(version);
            }
        }
        let sessions = sessions
            .into_iter()
            .map(
                |((tenant, interaction), (facts, job_versions))| PlannedSession {
                    tenant,
                    interaction,
                    facts,
                    job_versions,
                },
            )
            .collect();
        let agents = agents
            .into_iter()
            .map(|((tenant, agent), (events, job_versions))| PlannedAgent {
                tenant,
                agent,
                events,
                job_versions,
            })
            .collect();
        Self { sessions, agents }
    }

    /// Facts in it.
    pub fn facts(&self) -> usize {
        let of_sessions = self.sessions.iter().map(|session| session.facts.len());
        let of_agents = self.agents.iter().map(|agent| agent.events.len());
        of_sessions.chain(of_agents).sum()
    }

    /// Whether there is nothing to fold.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.agents.is_empty()
    }

    /// Two plans that together do what this one does, or what stands alone when that is one fact.
    ///
    /// The fold is associative, so even one interaction's facts may be folded by two transactions: this is how a poisonous fact
    /// is parted from its neighbours.
    pub fn halve(mut self) -> Result<(Self, Self), Alone> {
        if !self.sessions.is_empty() && !self.agents.is_empty() {
            let agents = std::mem::take(&mut self.agents);
            let sessions = Vec::new();
            return Ok((self, Self { sessions, agents }));
        }
        if self.agents.is_empty() {
            let (first, second) =
                halves(self.sessions, PlannedSession::split).map_err(Alone::Session)?;
            Ok((Self::of_sessions(first), Self::of_sessions(second)))
        } else {
            let (first, second) = halves(self.agents, PlannedAgent::split).map_err(Alone::Agent)?;
            Ok((Self::of_agents(first), Self::of_agents(second)))
        }
    }

    fn of_sessions(sessions: Vec<PlannedSession>) -> Self {
        Self {
            sessions,
            agents: Vec::new(),
        }
    }

    fn of_agents(agents: Vec<PlannedAgent>) -> Self {
        Self {
            sessions: Vec::new(),
            agents,
        }
    }
}

/// Halves a list, or its only item; the item where that cannot be halved.
fn halves<T>(mut all: Vec<T>, split: impl Fn(&mut T) -> Option<T>) -> Result<(Vec<T>, Vec<T>), T> {
    if all.len() > 1 {
        let second = all.split_off(all.len() / 2);
        return Ok((all, second));
    }
    let Some(mut only) = all.pop() else {
        return Ok((all, Vec::new()));
    };
    match split(&mut only) {
        Some(second) => Ok((vec![only], vec![second])),
        None => Err(only),
    }
}

impl PlannedSession {
    /// Takes the second half of the facts away; `None` where there is but one.
    fn split(&mut self) -> Option<Self> {
        (self.facts.len() > 1).then(|| Self {
            facts: self.facts.split_off(self.facts.len() / 2),
            ..self.clone()
        })
    }
}

impl PlannedAgent {
    /// Takes the second half of the facts away; `None` where there is but one.
    fn split(&mut self) -> Option<Self> {
        (self.events.len() > 1).then(|| Self {
            events: self.events.split_off(self.events.len() / 2),
            ..self.clone()
        })
    }
}

impl Alone {
    /// The organisation.
    pub const fn tenant(&self) -> &TenantId {
        match self {
            Self::Session(session) => &session.tenant,
            Self::Agent(agent) => &agent.tenant,
        }
    }

    /// What it is about: the interaction's id or the agent's.
    pub fn subject(&self) -> &str {
        match self {
            Self::Session(session) => session.interaction.as_str(),
            Self::Agent(agent) => agent.agent.as_str(),
        }
    }

    /// The job to name in a message with it, where a version was asked for.
    pub fn job(&self) -> Option<JobRef> {
        let versions = match self {
            Self::Session(session) => &session.job_versions,
            Self::Agent(agent) => &agent.job_versions,
        };
        versions.last().map(|version| JobRef {
            id: JobId(Uuid::nil()),
            version: *version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{
        AgentFact, AgentRef, AgentStatement, ENVELOPE_VERSION, Event, FactKey, MessageId, Presence,
        SourceRank, Statement, UtcMicros,
    };

    fn event(interaction: &str, key: &str) -> Event {
        let fact = Fact {
            key: FactKey::event(key),
            at: UtcMicros(0),
            revision: None,
            rank: SourceRank::Event,
            statement: Statement::default(),
        };
        Event {
            tenant: "t".into(),
            interaction: interaction.into(),
            fact,
        }
    }

    fn message(job_version: Option<u16>, events: Vec<Event>) -> EventsMessage {
        let job = job_version.map(|version| JobRef {
            id: JobId::generate(),
            version: MetricVersion(version),
        });
        EventsMessage {
            v: ENVELOPE_VERSION,
            id: MessageId::generate(),
            correlation: "c".into(),
            job,
            events,
            agents: Vec::new(),
        }
    }

    #[test]
    fn sessions_come_in_ascending_order_whatever_the_order_of_arrival() {
        let plan = Plan::of([
            message(None, vec![event("c", "1"), event("a", "2")]),
            message(None, vec![event("b", "3")]),
        ]);
        let order: Vec<_> = plan
            .sessions
            .iter()
            .map(|session| session.interaction.as_str())
            .collect();
        assert_eq!(order, ["a", "b", "c"]);
    }

    #[test]
    fn a_jobs_version_goes_to_its_own_sessions_only() {
        let plan = Plan::of([
            message(Some(7), vec![event("a", "1")]),
            message(None, vec![event("a", "2"), event("b", "3")]),
        ]);
        assert_eq!(
            plan.sessions[0].job_versions,
            BTreeSet::from([MetricVersion(7)])
        );
        assert!(plan.sessions[1].job_versions.is_empty());
    }

    #[test]
    fn halving_ends_with_single_facts_and_loses_none() {
        let mut todo = vec![Plan::of([message(
            Some(2),
            vec![
                event("a", "1"),
                event("a", "2"),
                event("a", "3"),
                event("b", "4"),
            ],
        )])];
        let mut alone = Vec::new();
        while let Some(plan) = todo.pop() {
            match plan.halve() {
                Ok((first, second)) => {
                    todo.extend([first, second].into_iter().filter(|half| half.facts() > 0));
                }
                Err(Alone::Session(session)) => alone.push(session),
                Err(Alone::Agent(agent)) => panic!("{agent:?} out of nothing"),
            }
        }
        let mut keys: Vec<_> = alone
            .iter()
            .map(|session| session.facts[0].key.as_str().to_owned())
            .collect();
        keys.sort();
        assert_eq!(keys, ["e:1", "e:2", "e:3", "e:4"]);
        assert!(
            alone
                .iter()
                .all(|session| session.facts.len() == 1 && session.job_versions.len() == 1)
        );
    }

    fn state(agent: &str, key: &str) -> AgentEvent {
        AgentEvent {
            tenant: "t".into(),
            agent: AgentRef {
                id: AgentId::new(agent),
                zone: None,
            },
            fact: AgentFact {
                key: FactKey::event(key),
                at: UtcMicros(0),
                until: None,
                revision: None,
                rank: SourceRank::Event,
                statement: AgentStatement {
                    presence: Some(Presence::Available),
                    ..AgentStatement::default()
                },
            },
        }
    }

    #[test]
    fn agents_are_parted_from_sessions_and_then_from_each_other() {
        let mut both = message(Some(2), vec![event("a", "1")]);
        both.agents = vec![state("bo", "2"), state("anna", "3"), state("bo", "4")];
        let plan = Plan::of([both]);
        assert_eq!(plan.facts(), 4);
        assert_eq!(plan.agents[0].agent.as_str(), "anna");
        assert_eq!(plan.agents[1].events.len(), 2);
        let mut todo = vec![plan];
        let mut alone = Vec::new();
        while let Some(plan) = todo.pop() {
            match plan.halve() {
                Ok(halves) => {
                    todo.extend([halves.0, halves.1].into_iter().filter(|it| !it.is_empty()));
                }
                Err(one) => {
                    alone.push((one.subject().to_owned(), one.job().map(|job| job.version)));
                }
            }
        }
        alone.sort_unstable();
        let version = Some(MetricVersion(2));
        assert_eq!(
            alone,
            ["a", "anna", "bo", "bo"].map(|subject| (subject.to_owned(), version))
        );
    }
}
