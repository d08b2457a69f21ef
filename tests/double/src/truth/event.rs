//! One of the guide's events, as far as the truth needs it.

use chrono::DateTime;
use serde::Deserialize;

/// What one event states about its interaction. Two that are equal are copies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Statement {
    pub(super) event_id: String,
    pub(super) at: i64,
    pub(super) updated_at: Option<i64>,
    pub(super) state: String,
    pub(super) is_terminal: bool,
    /// The agent's zone, `UTC` for an agent who names none; absent without an agent.
    pub(super) agent_zone: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) disposition: Option<String>,
    pub(super) durations: Durations,
}

/// `data.metrics`: milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names)] // the guide's names
pub(super) struct Durations {
    pub(super) talk_time_ms: Option<i64>,
    pub(super) hold_time_ms: Option<i64>,
    pub(super) wrap_time_ms: Option<i64>,
    pub(super) queue_wait_ms: Option<i64>,
}

#[derive(Deserialize)]
struct Envelope {
    timestamp: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    event_id: String,
    interaction_id: String,
    state: String,
    updated_at: Option<String>,
    disposition: Option<String>,
    #[serde(default)]
    metrics: Durations,
    #[serde(default)]
    participants: Vec<Participant>,
}

#[derive(Deserialize)]
struct Participant {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    timezone: Option<String>,
}

impl Statement {
    /// Interaction and statement; `None` for what is no such event.
    pub(super) fn read(line: &[u8]) -> Option<(String, Self)> {
        let Envelope { timestamp, data } = serde_json::from_slice(line).ok()?;
        let updated_at = match data.updated_at {
            Some(text) => Some(micros(&text)?),
            None => None,
        };
        let agent = data.participants.into_iter().find(|it| it.kind == "agent");
        let (agent, agent_zone) = match agent {
            Some(agent) => (
                Some(agent.id),
                Some(agent.timezone.unwrap_or_else(|| "UTC".to_owned())),
            ),
            None => (None, None),
        };
        Some((
            data.interaction_id,
            Self {
                event_id: data.event_id,
                at: micros(&timestamp)?,
                updated_at,
                is_terminal: ["completed", "abandoned", "missed"].contains(&data.state.as_str()),
                state: data.state,
                agent_zone,
                agent,
                disposition: data.disposition,
                durations: data.metrics,
            },
        ))
    }
}

fn micros(text: &str) -> Option<i64> {
    let instant = DateTime::parse_from_rfc3339(text).ok()?;
    Some(instant.timestamp_micros())
}
