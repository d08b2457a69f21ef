//! Agents' records, which say whose clock each goes by, and the export of their schedules.

use super::Cxone;
use super::performance::{rows, text};
use crate::api::Call;
use crate::history::{HistoryError, routes};
use crate::instant;
use schema::UtcMicros;
use serde_json::{Value, json};

/// The most days that one export covers [notes 12].
pub const EXPORT_DAYS_MAX: u16 = 7;

/// An agent, as far as clocks and plans need it. Names stay out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The ACD's number.
    pub id: String,
    /// Workforce management's id of the same person; `None`: it plans nothing for them.
    pub user: Option<String>,
    /// The zone as it is written, a display label of Windows as a rule; `None` where the agent goes by the business unit's.
    pub zone: Option<String>,
}

/// An end of a shift as the export writes it: some answers carry an offset, others are in the scheduling unit's local time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// An instant.
    At(UtcMicros),
    /// A wall clock's date and time, `2024-10-27T09:00:00`; whose, the answer does not say.
    Local(String),
}

/// A shift of the export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Its id; empty where it has none.
    pub id: String,
    /// When it begins.
    pub from: Moment,
    /// When it ends.
    pub to: Moment,
}

impl Cxone {
    /// A page of all agents. `GET agents?skip&top` [notes 11, 12]: `timeZone` counts where `useAgentTimeZone` says so.
    pub async fn agents(&self, skip: u64, top: u32) -> Result<Vec<Agent>, HistoryError> {
        const WHAT: &str = "the list of agents";
        let path = self.path(&format!("agents?skip={skip}&top={top}"));
        let answer = self
            .api
            .fetch(Call::get(routes::AGENTS_LIST, &path).of_history())
            .await?;
        if answer.body.trim_ascii().is_empty() {
            return Ok(Vec::new());
        }
        let value: Value = serde_json::from_slice(&answer.body)
            .map_err(|problem| HistoryError::unread(WHAT, &problem))?;
        let rows =
            rows(&value).ok_or_else(|| HistoryError::shape(WHAT, "there is no list in it"))?;
        Ok(rows.iter().filter_map(agent).collect())
    }

    /// The business unit's own zone, as it is written. `GET business-unit` [notes 11]: `defaultTimeZone`.
    pub async fn business_unit_zone(&self) -> Result<Option<String>, HistoryError> {
        const WHAT: &str = "the business unit";
        let path = self.path("business-unit");
        let answer = self
            .api
            .fetch(Call::get(routes::BUSINESS_UNIT, &path))
            .await?;
        if answer.body.trim_ascii().is_empty() {
            return Ok(None);
        }
        let value: Value = serde_json::from_slice(&answer.body)
            .map_err(|problem| HistoryError::unread(WHAT, &problem))?;
        let first = rows(&value).and_then(<[Value]>::first);
        Ok(first
            .into_iter()
            .chain([&value])
            .find_map(|unit| text(unit, "defaultTimeZone")))
    }

    /// The published schedule of one user on the dates `[from, to]`, written `2024-10-27`; at most [`EXPORT_DAYS_MAX`].
    /// `POST schedules/export` [notes 12].
    pub async fn schedule_export(
        &self,
        user: &str,
        from: &str,
        to: &str,
    ) -> Result<Vec<Shift>, HistoryError> {
        const WHAT: &str = "an export of schedules";
        let path = self.path("schedules/export");
        let body = json!({"startDate": from, "endDate": to, "userID": user});
        let answer = self
            .api
            .fetch(Call::post(routes::SCHEDULE_EXPORT, &path, &body).of_history())
            .await
            .map_err(HistoryError::of_stretch)?;
        if answer.body.trim_ascii().is_empty() {
            return Ok(Vec::new());
        }
        let value: Value = serde_json::from_slice(&answer.body)
            .map_err(|problem| HistoryError::unread(WHAT, &problem))?;
        shifts(&value).ok_or_else(|| {
            HistoryError::shape(
                WHAT,
                "a shift has no start or no end in the form of a date and time",
            )
        })
    }
}

fn agent(row: &Value) -> Option<Agent> {
    let own = match row.get("useAgentTimeZone") {
        Some(Value::Bool(own)) => *own,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    };
    Some(Agent {
        id: text(row, "agentId")?,
        user: text(row, "userId").or_else(|| text(row, "userID")),
        zone: text(row, "timeZone").filter(|_| own),
    })
}

fn shifts(answer: &Value) -> Option<Vec<Shift>> {
    let mut found = Vec::new();
    let schedules = answer.get("agentSchedules").and_then(Value::as_array);
    for schedule in schedules.into_iter().flatten() {
        let shifts = schedule.get("shifts").and_then(Value::as_array);
        for shift in shifts.into_iter().flatten() {
            found.push(Shift {
                id: text(shift, "id").unwrap_or_default(),
                from: moment(shift, "start")?,
                to: moment(shift, "end")?,
            });
        }
    }
    Some(found)
}

fn moment(shift: &Value, name: &str) -> Option<Moment> {
    let written = text(shift, name)?;
    if let Some(at) = instant::parse(&written) {
        return Some(Moment::At(at));
    }
    // As an instant of UTC it must be readable; whose clock it is is somebody else's to know.
    instant::parse(&format!("{written}Z"))?;
    Some(Moment::Local(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agents_own_zone_counts_where_it_is_used() {
        let used = json!({"agentId": 7, "userId": "", "timeZone": "(GMT-07:00) Arizona", "useAgentTimeZone": true});
        let found = agent(&used).unwrap();
        assert_eq!(found.zone.as_deref(), Some("(GMT-07:00) Arizona"));
        assert_eq!(found.user, None);
        let unused =
            json!({"agentId": "7", "userId": "u", "timeZone": "x", "useAgentTimeZone": "False"});
        let found = agent(&unused).unwrap();
        assert_eq!((found.zone, found.user.as_deref()), (None, Some("u")));
    }

    #[test]
    fn ends_of_shifts_are_instants_or_a_wall_clocks() {
        let of = |start: &str, end: &str| {
            shifts(
                &json!({"agentSchedules": [{"userId": "u", "shifts": [{"id": "s", "start": start, "end": end}]}]}),
            )
        };
        let found = of("2024-10-27T09:00:00+01:00", "2024-10-27T17:00:00").unwrap();
        assert!(matches!(found[0].from, Moment::At(_)));
        assert_eq!(found[0].to, Moment::Local("2024-10-27T17:00:00".to_owned()));
        assert_eq!(of("soon", "2024-10-27T17:00:00"), None);
        assert_eq!(shifts(&json!({"start": "x"})), Some(Vec::new()));
    }
}
