//! Decoded messages → what one transaction will fold: sessions in ascending key order, each with its facts. Pure.
//!
//! The order is what keeps two workers from deadlocking: every transaction locks its sessions by ascending key.

use schema::{EventsMessage, Fact, InteractionId, MetricVersion, TenantId};
use std::collections::{BTreeMap, BTreeSet};

/// What a batch wants folded.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Ascending by (tenant, interaction), each once.
    pub sessions: Vec<PlannedSession>,
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

impl Plan {
    /// Groups the events of many messages by interaction.
    pub fn of(messages: impl IntoIterator<Item = EventsMessage>) -> Self {
        let mut sessions: BTreeMap<
            (TenantId, InteractionId),
            (Vec<Fact>, BTreeSet<MetricVersion>),
        > = BTreeMap::new();
        for message in messages {
            let version = message.job.map(|job| job.version);
            for event in message.events {
                let (facts, versions) = sessions
                    .entry((event.tenant, event.interaction))
                    .or_default();
                facts.push(event.fact);
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
        Self { sessions }
    }

    /// Facts in it.
    pub fn facts(&self) -> usize {
        self.sessions
            .iter()
            .map(|session| session.facts.len())
            .sum()
    }

    /// Two plans that together do what this one does, or `None` when one fact stands alone.
    ///
    /// The fold is associative, so even one interaction's facts may be folded by two transactions: this is how a poisonous fact
    /// is parted from its neighbours.
    pub fn halve(mut self) -> Result<(Self, Self), PlannedSession> {
        if self.sessions.len() > 1 {
            let second = self.sessions.split_off(self.sessions.len() / 2);
            return Ok((self, Self { sessions: second }));
        }
        let Some(mut only) = self.sessions.pop() else {
            return Ok((Self::default(), Self::default()));
        };
        if only.facts.len() < 2 {
            return Err(only);
        }
        let second = PlannedSession {
            facts: only.facts.split_off(only.facts.len() / 2),
            ..only.clone()
        };
        Ok((
            Self {
                sessions: vec![only],
            },
            Self {
                sessions: vec![second],
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{
        ENVELOPE_VERSION, Event, FactKey, JobId, JobRef, MessageId, SourceRank, Statement,
        UtcMicros,
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
                Err(session) => alone.push(session),
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
}
