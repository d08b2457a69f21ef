//! The table `[agent_state]`: items about an agent's time.

use super::{Content, Source, Span, Time, Words, read};
use crate::agent_time::{Stretch, state_name};
use crate::error::ItemError;
use crate::map::{Mapped, Stated};
use compact_str::CompactString;
use schema::{
    AgentFact, AgentId, AgentRef, AgentStatement, EventId, FactKey, Presence, Routing, SourceRank,
    Track,
};
use serde_json::Value;

/// Where an item states what of an agent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AgentStates {
    pub(super) id: Option<Source>,
    pub(super) agent: Source,
    pub(super) agent_zone: Option<Source>,
    pub(super) at: Time,
    pub(super) until: Option<Time>,
    pub(super) lasted: Option<Span>,
    pub(super) presence: Option<Words>,
    pub(super) routing: Option<Words>,
    pub(super) scheduled: Option<Words>,
    pub(super) reason: Option<Source>,
    pub(super) team: Option<Source>,
    pub(super) revision: Option<Time>,
    pub(super) per_delivery: Vec<String>,
}

impl AgentStates {
    /// The item's statement; `None` when it states nothing about an agent.
    pub(super) fn map(
        &self,
        value: &Value,
        content: Content<'_>,
    ) -> Result<Option<Mapped>, ItemError> {
        let word =
            |words: &Option<Words>| words.as_ref().map_or(Ok(None), |words| words.read(value));
        let named = |word: Option<String>| word.map(|word| state_name(&word));
        let told = |name: &String| !name.is_empty();
        let presence = named(word(&self.presence)?).filter(told);
        let routing = named(word(&self.routing)?).filter(told);
        // Empty, it states that nothing is.
        let scheduled = named(word(&self.scheduled)?);
        if presence.is_none() && routing.is_none() && scheduled.is_none() {
            return Ok(None);
        }
        let id = self.agent.needed(value, "the agent's id")?;
        let at = self.at.needed(value)?;
        let time = |time: &Option<Time>| time.as_ref().map_or(Ok(None), |time| time.read(value));
        let until = match time(&self.until)? {
            Some(until) => Some(until),
            None => match &self.lasted {
                Some(lasted) => lasted.read(value)?.map(|lasted| at.plus(lasted)),
                None => None,
            },
        };
        let stretch = Stretch {
            at,
            until,
            rank: SourceRank::Event,
        };
        let stated_id = read(self.id.as_ref(), value)?;
        let text = |source: &Option<Source>| {
            Ok::<_, ItemError>(read(source.as_ref(), value)?.map(CompactString::from))
        };
        let (reason, team) = (text(&self.reason)?, text(&self.team)?);
        let mut facts = Vec::new();
        if let Some(name) = &presence {
            let presence = Presence::from_name(name);
            facts.push(stretch.presence(presence, reason, team.clone()));
        }
        if let Some(name) = &routing {
            facts.push(stretch.routing(Routing::from_name(name)));
        }
        if let Some(name) = &scheduled {
            // An entry of a plan has an id by which an edited one is known; without it, it is known by its instant.
            let key = match &stated_id {
                Some(id) => FactKey::scheduled(id, 0),
                None => FactKey::agent_state(Track::Schedule, at),
            };
            facts.push(AgentFact {
                key,
                at,
                until,
                revision: None,
                rank: stretch.rank,
                statement: AgentStatement {
                    scheduled: Some(CompactString::new(name)),
                    ..AgentStatement::default()
                },
            });
        }
        // The team is no part of a presence: it may come with any statement.
        if let Some(first) = facts.first_mut() {
            first.statement.team = team;
        }
        let revision = time(&self.revision)?;
        for fact in &mut facts {
            fact.revision = revision;
        }
        let event_id = stated_id.unwrap_or_else(|| {
            let states = [presence, routing, scheduled].map(Option::unwrap_or_default);
            crate::derived_id(&[&id, &at.0.to_string(), &states[0], &states[1], &states[2]])
        });
        Ok(Some(Mapped {
            event_id: EventId::new(event_id),
            at,
            digest: content.digest(&self.per_delivery),
            stated: Stated::Agent {
                agent: AgentRef {
                    id: AgentId::new(id),
                    zone: text(&self.agent_zone)?,
                },
                facts,
            },
        }))
    }
}
