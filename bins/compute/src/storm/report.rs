//! What a replica says of itself in `pipeline_status`, and what it makes of what the others say.

use schema::UtcMicros;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::status::Status;

/// What compute's replicas are under in `pipeline_status`.
pub(super) const COMPONENT: &str = "compute";

/// One replica's last word, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    /// `calm` or `storm`: how it behaves.
    #[serde(default)]
    pub(super) mode: String,
    /// How long the messages that it took lately had waited; absent: it took none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lag_seconds: Option<f64>,
    /// How many facts a message has, about; absent: it has taken none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) facts_per_message: Option<f64>,
    /// Interactions that are still to be evaluated by some definitions, of all replicas.
    #[serde(default)]
    pub(super) deferred: i64,
    /// For how long the first of them has been; 0: there is none.
    #[serde(default)]
    pub(super) deferred_oldest_seconds: i64,
    /// Facts in the live queues, about.
    #[serde(default)]
    pub(super) waiting_facts: i64,
    /// Its release.
    #[serde(default)]
    pub(super) version: String,
}

/// What all replicas together see of the backlog.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Fleet {
    /// The mean of those who know.
    pub(super) facts_per_message: Option<f64>,
    /// The longest.
    pub(super) age: Option<Duration>,
}

impl Fleet {
    /// From what was said within so long.
    pub(super) fn of(said: &[Status], now: UtcMicros, within: Duration) -> Self {
        let within = i64::try_from(within.as_micros()).unwrap_or(i64::MAX);
        let fresh = said.iter().filter(|status| {
            status.component == COMPONENT && now.0.saturating_sub(status.updated_at.0) <= within
        });
        let (mut sum, mut known, mut age) = (0.0, 0.0, None);
        for report in fresh.filter_map(|it| serde_json::from_str::<Report>(&it.status_json).ok()) {
            if let Some(facts) = report.facts_per_message.filter(|it| it.is_finite()) {
                sum += facts;
                known += 1.0;
            }
            let lag = report.lag_seconds;
            age = age.max(lag.and_then(|lag| Duration::try_from_secs_f64(lag).ok()));
        }
        Self {
            facts_per_message: (known > 0.0).then(|| sum / known),
            age,
        }
    }

    /// How many facts so many messages hold, about: at least one each.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate: it is at least 0, and what is beyond the largest number is that"
    )]
    pub(super) fn facts_in(&self, messages: u64) -> u64 {
        let each = self.facts_per_message.unwrap_or(1.0).max(1.0);
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        (f64::from(messages) * each).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(component: &str, seconds_ago: i64, json: &str) -> Status {
        Status {
            component: component.to_owned(),
            instance: format!("{component} {seconds_ago} {json}"),
            status_json: json.to_owned(),
            updated_at: UtcMicros(-seconds_ago * 1_000_000),
        }
    }

    #[test]
    fn the_fleet_is_those_who_said_something_lately() {
        let now = UtcMicros(0);
        let said = [
            said(
                "compute",
                1,
                r#"{"lag_seconds": 3.5, "facts_per_message": 10}"#,
            ),
            said(
                "compute",
                2,
                r#"{"mode": "calm", "facts_per_message": 20, "new": []}"#,
            ),
            said("compute", 3, r#"{"lag_seconds": 1}"#),
            said(
                "compute",
                99,
                r#"{"lag_seconds": 900, "facts_per_message": 900}"#,
            ),
            said("credential", 1, r#"{"lag_seconds": 900}"#),
            said("compute", 1, "[]"),
            said("compute", 1, r#"{"lag_seconds": -4}"#),
        ];
        let fleet = Fleet::of(&said, now, Duration::from_secs(15));
        assert_eq!(
            fleet,
            Fleet {
                facts_per_message: Some(15.0),
                age: Some(Duration::from_millis(3_500)),
            }
        );
        assert_eq!(fleet.facts_in(100), 1_500);
    }

    #[test]
    fn a_message_has_a_fact_at_least() {
        assert_eq!(Fleet::default().facts_in(7), 7);
        let empty = Fleet {
            facts_per_message: Some(0.2),
            age: None,
        };
        assert_eq!(empty.facts_in(7), 7);
    }
}
