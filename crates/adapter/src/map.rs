//! Mapping: one item in, its facts out.

use crate::error::ItemError;
use crate::guide;
use crate::identity::CustomerIdentity;
use crate::mapping::Mappings;
use schema::{
    AgentFact, AgentRef, BodyFormat, EventId, Fact, InteractionId, Presence, Routing, TenantId,
    UtcMicros,
};
use std::borrow::Cow;

/// What an item states.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The platform's id of the event, or a deterministic one.
    pub event_id: EventId,
    /// The event's own instant: with the id and the digest it makes the log key.
    pub at: UtcMicros,
    /// The digest of the content, the same for every copy (see [`crate::digest()`]).
    pub digest: [u8; 16],
    /// What it is about, and what it states of it.
    pub stated: Stated,
}

/// What an item is about, and what it states of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Stated {
    /// Something about an interaction.
    Interaction {
        /// The interaction.
        interaction: InteractionId,
        /// At least one fact.
        facts: Vec<Fact>,
        /// Whether one of the facts is a terminal state of the interaction, or may be what its inferred end waited for.
        terminal: bool,
        /// Who the customer is, where the item tells it. Not part of a fact: there it is a keyed hash at most.
        customer: Option<CustomerIdentity>,
    },
    /// Something about an agent's time.
    Agent {
        /// The agent, with the zone where the item states it.
        agent: AgentRef,
        /// At least one fact.
        facts: Vec<AgentFact>,
    },
}

impl Stated {
    /// The interaction it is about, if it is about one.
    pub const fn interaction(&self) -> Option<&InteractionId> {
        match self {
            Self::Interaction { interaction, .. } => Some(interaction),
            Self::Agent { .. } => None,
        }
    }

    /// The facts about an interaction; of an agent there are none.
    pub fn facts(&self) -> &[Fact] {
        match self {
            Self::Interaction { facts, .. } => facts,
            Self::Agent { .. } => &[],
        }
    }

    /// Whether it states a terminal state of an interaction.
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::Interaction { terminal: true, .. })
    }

    /// The agent it is about and the facts about it, if it is about one.
    pub fn agent(&self) -> Option<(&AgentRef, &[AgentFact])> {
        match self {
            Self::Interaction { .. } => None,
            Self::Agent { agent, facts } => Some((agent, facts)),
        }
    }

    /// The texts that stand in keys of the store beside the interaction's id, each with the name of its field. None may have more than
    /// [`schema::PART_ID_BYTES_MAX`] bytes.
    pub fn key_texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let of_interaction = self
            .facts()
            .iter()
            .flat_map(|fact| fact.statement.part_ids());
        let of_agent = self.agent().into_iter().flat_map(|(agent, facts)| {
            std::iter::once(("agent_id", agent.id.as_str())).chain(facts.iter().flat_map(texts))
        });
        of_interaction.chain(of_agent)
    }

    /// Puts the customer's key, made under this secret, into each fact, and forgets who the customer is. Where nobody is named the facts
    /// stay as they are.
    pub fn key_customer(&mut self, secret: &[u8], tenant: &TenantId) {
        let Self::Interaction {
            facts, customer, ..
        } = self
        else {
            return;
        };
        let key = customer
            .take()
            .and_then(|who| crate::customer_key(secret, tenant.as_str(), who.as_str()));
        if let Some(key) = key {
            for fact in facts {
                let details = fact.statement.details.get_or_insert_default();
                details.customer_key = Some(key.clone());
            }
        }
    }

    /// Forgets who the customer is, and the key if it has one already.
    pub fn forget_customer(&mut self) {
        let Self::Interaction {
            facts, customer, ..
        } = self
        else {
            return;
        };
        *customer = None;
        for fact in facts {
            fact.statement.forget_customer();
        }
    }

    /// What the log files it under: the interaction's id, or `agent:` and the agent's.
    pub fn subject(&self) -> Cow<'_, str> {
        match self {
            Self::Interaction { interaction, .. } => Cow::Borrowed(interaction.as_str()),
            Self::Agent { agent, .. } => Cow::Owned(format!("agent:{}", agent.id)),
        }
    }
}

/// The texts of a fact about an agent: a state, a reason or a team is a group that something is counted by.
fn texts(fact: &AgentFact) -> impl Iterator<Item = (&'static str, &str)> {
    let statement = &fact.statement;
    [
        ("fact_key", Some(fact.key.as_str())),
        ("presence", statement.presence.as_ref().map(Presence::name)),
        ("routing", statement.routing.as_ref().map(Routing::name)),
        ("scheduled", statement.scheduled.as_deref()),
        ("reason", statement.reason.as_deref()),
        ("team", statement.team.as_deref()),
    ]
    .into_iter()
    .filter_map(|(field, text)| Some((field, text?)))
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It states something.
    Mapped(Mapped),
    /// It is well formed, but of a kind that nobody asked for (a heartbeat, an event about no interaction).
    Ignored {
        /// The kind, as the platform names it.
        kind: String,
    },
}

/// Maps one item of [`crate::split()`]. Pure: the same bytes give the same outcome on every lane and in every replay.
pub fn map(format: &BodyFormat, raw: &[u8], mappings: &Mappings) -> Result<Outcome, ItemError> {
    match format {
        BodyFormat::GenesysWebhook => guide::map(raw, mappings.attributes()),
        BodyFormat::GenesysDetails => crate::genesys_details::map(raw, mappings.attributes()),
        BodyFormat::CxoneCallDetail { zone } => crate::cxone_call_detail::map(raw, zone),
        BodyFormat::CxoneContacts => crate::cxone_contacts::map(raw),
        BodyFormat::CxoneContactStates => crate::cxone_contact_states::map(raw),
        BodyFormat::CxoneDigital => crate::cxone_digital::map(raw),
        BodyFormat::GenesysUserDetails => crate::genesys_user_details::map(raw),
        BodyFormat::GenesysSchedules => crate::genesys_schedules::map(raw),
        BodyFormat::CxoneAgentStates => crate::cxone_agent_states::map(raw),
        BodyFormat::CxoneAgentStateLog { zone } => crate::cxone_agent_state_log::map(raw, zone),
        BodyFormat::Mapped { mapping } => mappings.get(mapping)?.map(raw),
    }
}
