//! The truth: what must come of a set of the guide's events, worked out the plain way.
//!
//! All events of an interaction are at hand, so nothing is folded: for each event id the newest revision counts (`updated_at`,
//! none before any), what is left is sorted by `(timestamp, event id)`, and each question is asked of that list. The zone is that
//! of the first agent who took part (of whom more is told than that it rang), the disposition and each duration the last one stated.
//! Once a terminal state is among them the interaction has values; an excluded disposition or a start outside 08:00–18:00 of the zone
//! makes the adjusted handle time zero.

mod event;

use chrono::{DateTime, Timelike};
use chrono_tz::Tz;
use event::Statement;
use serde::Serialize;
use std::collections::BTreeMap;

/// Dispositions whose interactions count zero.
const EXCLUDED: [&str; 2] = ["IVR_SELF_SERVICE", "IVR_TRANSFER_EXTERNAL"];

/// What must come of a set of events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    /// The interactions that ended, by id.
    pub interactions: BTreeMap<String, Outcome>,
    /// Interactions without a terminal state: they have no values.
    pub open: usize,
    /// Events read, copies included.
    pub events: usize,
    /// Distinct statements among them: copies and nothing else are taken out, revisions are not.
    pub statements: usize,
    /// Lines that are no event of this kind.
    pub unreadable: usize,
}

/// The values of one interaction that ended, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The adjusted handle time; zero where the rule says so.
    pub adjusted_aht: i64,
    /// Why it is zero by rule: `excluded_disposition` or `outside_business_hours`.
    pub reason: Option<&'static str>,
    /// Talking, where stated.
    pub talk: Option<i64>,
    /// On hold, where stated.
    pub hold: Option<i64>,
    /// After-call work, where stated.
    pub wrap: Option<i64>,
    /// The sum of the three; absent when none was stated, or when all are zero and no agent took part.
    pub handle: Option<i64>,
    /// Waiting in a queue, where stated.
    pub queue_wait: Option<i64>,
    /// The zone whose hours were looked at: the first agent's, else UTC.
    pub zone: String,
    /// When it began, microseconds since 1970.
    pub start: i64,
}

/// The truth in one line: what a run is compared with at a glance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Totals {
    /// Interactions that ended.
    pub interactions: usize,
    /// Sum of the adjusted handle times, seconds.
    pub adjusted_aht_sum: f64,
    /// Interactions that did not end.
    pub open: usize,
    /// Events read, copies included.
    pub events: usize,
    /// Distinct statements among them.
    pub statements: usize,
    /// Lines that are no event.
    pub unreadable: usize,
}

impl Truth {
    /// The truth about these events, each the bytes of one JSON object, in whatever order.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut truth = Self::default();
        let mut gathered: BTreeMap<String, Vec<Statement>> = BTreeMap::new();
        for line in events {
            truth.events += 1;
            match Statement::read(line) {
                Some((interaction, statement)) => {
                    gathered.entry(interaction).or_default().push(statement);
                }
                None => truth.unreadable += 1,
            }
        }
        for (interaction, mut statements) in gathered {
            statements.sort();
            statements.dedup();
            truth.statements += statements.len();
            match outcome(&newest(statements)) {
                Some(outcome) => {
                    truth.interactions.insert(interaction, outcome);
                }
                None => truth.open += 1,
            }
        }
        truth
    }

    /// Sum of the adjusted handle times, milliseconds.
    pub fn adjusted_aht_sum(&self) -> i64 {
        self.interactions.values().map(|it| it.adjusted_aht).sum()
    }

    /// Counts and sum.
    pub fn totals(&self) -> Totals {
        Totals {
            interactions: self.interactions.len(),
            adjusted_aht_sum: seconds(self.adjusted_aht_sum()),
            open: self.open,
            events: self.events,
            statements: self.statements,
            unreadable: self.unreadable,
        }
    }

    /// One line an interaction, ascending by id, seconds with three decimals, absent values empty.
    #[allow(clippy::format_push_string)] // read by people and tests, not in a hurry
    pub fn csv(&self) -> String {
        let mut text = String::from(
            "interaction_id,adjusted_aht,handle_time,talk_time,hold_time,wrap_time,queue_wait,zone,reason\n",
        );
        for (interaction, it) in &self.interactions {
            text.push_str(interaction);
            let values = [
                Some(it.adjusted_aht),
                it.handle,
                it.talk,
                it.hold,
                it.wrap,
                it.queue_wait,
            ];
            for value in values {
                text.push(',');
                if let Some(millis) = value {
                    text.push_str(&format!("{:.3}", seconds(millis)));
                }
            }
            text.push_str(&format!(",{},{}\n", it.zone, it.reason.unwrap_or("")));
        }
        text
    }
}

/// Milliseconds as seconds.
#[allow(clippy::cast_precision_loss)] // durations of calls, and their sums, are far below 2^53 ms
pub fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}

/// Of each event id the newest revision, then all by `(timestamp, event id)`.
fn newest(statements: Vec<Statement>) -> Vec<Statement> {
    let mut by_id: BTreeMap<String, Statement> = BTreeMap::new();
    for statement in statements {
        match by_id.get(&statement.event_id) {
            Some(held) if (held.updated_at, held.at) >= (statement.updated_at, statement.at) => {}
            _ => {
                by_id.insert(statement.event_id.clone(), statement);
            }
        }
    }
    let mut timeline: Vec<Statement> = by_id.into_values().collect();
    timeline.sort_by(|a, b| (a.at, &a.event_id).cmp(&(b.at, &b.event_id)));
    timeline
}

fn outcome(timeline: &[Statement]) -> Option<Outcome> {
    if !timeline.iter().any(|statement| statement.is_terminal) {
        return None;
    }
    let start = timeline.first()?.at;
    // An agent of whom is only told that it rang, or that the call was missed, took no part.
    let took_part = |agent: &str| {
        timeline.iter().any(|statement| {
            statement.agent.as_deref() == Some(agent)
                && !["alerting", "missed", "abandoned"].contains(&statement.state.as_str())
        })
    };
    let agent_zone = timeline
        .iter()
        .filter(|statement| statement.agent.as_deref().is_some_and(took_part))
        .find_map(|statement| statement.agent_zone.clone());
    let disposition = timeline
        .iter()
        .rev()
        .find_map(|statement| statement.disposition.as_deref());
    let last = |duration: fn(&Statement) -> Option<i64>| timeline.iter().rev().find_map(duration);
    let talk = last(|it| it.durations.talk_time_ms);
    let hold = last(|it| it.durations.hold_time_ms);
    let wrap = last(|it| it.durations.wrap_time_ms);
    let stated: Vec<i64> = [talk, hold, wrap].into_iter().flatten().collect();
    let sum: i64 = stated.iter().sum();
    let zone = agent_zone.clone().unwrap_or_else(|| "UTC".to_owned());
    let reason = if disposition.is_some_and(|stated| EXCLUDED.contains(&stated)) {
        Some("excluded_disposition")
    } else if !(8..18).contains(&local_hour(start, &zone)) {
        Some("outside_business_hours")
    } else {
        None
    };
    Some(Outcome {
        adjusted_aht: if reason.is_some() { 0 } else { sum },
        reason,
        talk,
        hold,
        wrap,
        handle: (!stated.is_empty() && (sum != 0 || agent_zone.is_some())).then_some(sum),
        queue_wait: last(|it| it.durations.queue_wait_ms),
        zone,
        start,
    })
}

/// The hour on the wall where this zone is kept; UTC's for a zone that nobody knows.
fn local_hour(micros: i64, zone: &str) -> u32 {
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    DateTime::from_timestamp_micros(micros).map_or(0, |instant| instant.with_timezone(&zone).hour())
}

#[cfg(test)]
mod tests;
