//! Workforce management: whose clock an agent's plan is kept by, and the plan.

use super::jobs::read;
use super::{Genesys, escaped};
use crate::api::Call;
use crate::history::{HistoryError, routes};
use crate::instant;
use schema::{Millis, UtcMicros};
use serde::Deserialize;
use serde_json::json;
use url::Url;

/// The list of units, page by page.
const PAGE_SIZE: u32 = 100;

/// A unit of workforce management, business or management unit, and its clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its id.
    pub id: String,
    /// The zone as it is written, an IANA name; `None` where the unit states none.
    pub zone: Option<String>,
}

/// One page of units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitPage {
    /// The units.
    pub units: Vec<Unit>,
    /// Whether there is another page.
    pub more: bool,
}

/// A shift of the published schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// The user.
    pub user: String,
    /// The shift's id; empty where it has none.
    pub id: String,
    /// When it begins.
    pub from: UtcMicros,
    /// When it ends: so many elapsed minutes later, whatever clocks do meanwhile.
    pub to: UtcMicros,
}

/// The published schedule of a business unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The users that the answer has a schedule of, those without a shift included.
    pub users: Vec<String>,
    /// Their shifts.
    pub shifts: Vec<Shift>,
    /// The business unit's zone, as it is written.
    pub zone: Option<String>,
}

/// What became of a search for schedules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// Here it is.
    Found(Plan),
    /// It is a file; fetch it soon, by [`Genesys::plan_file`].
    Link(Url),
    /// The platform works on it and would tell a user's own channel, which a client's credential has none of: ask for less, or again later.
    Working,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    entities: Vec<ListedUnit>,
    page_count: Option<u32>,
    next_uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedUnit {
    id: String,
    time_zone: Option<String>,
    settings: Option<Settings>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    time_zone: Option<String>,
}

#[derive(Deserialize)]
struct Members {
    #[serde(default)]
    entities: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    id: Option<String>,
    user: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    status: Option<String>,
    result: Option<Scheduled>,
    download_url: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Scheduled {
    #[serde(default)]
    agent_schedules: Vec<AgentSchedule>,
    business_unit_time_zone: Option<String>,
}

#[derive(Deserialize)]
struct AgentSchedule {
    user: Reference,
    #[serde(default)]
    shifts: Vec<ListedShift>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedShift {
    #[serde(default)]
    id: String,
    start_date: String,
    length_minutes: i64,
}

impl Genesys {
    /// One page (from 1) of the business units. `GET /api/v2/workforcemanagement/businessunits?expand=settings` [notes 7]: the zone is in
    /// `settings.timeZone`.
    pub async fn business_units(&self, page: u32) -> Result<UnitPage, HistoryError> {
        self.units("businessunits", page).await
    }

    /// One page (from 1) of the management units. `GET /api/v2/workforcemanagement/managementunits` [notes 7]; the zone is in `timeZone` or,
    /// in other editions, in `settings.timeZone`.
    pub async fn management_units(&self, page: u32) -> Result<UnitPage, HistoryError> {
        self.units("managementunits", page).await
    }

    async fn units(&self, which: &str, page: u32) -> Result<UnitPage, HistoryError> {
        let path = format!(
            "/api/v2/workforcemanagement/{which}?expand=settings&pageSize={PAGE_SIZE}&pageNumber={page}"
        );
        let answer = self
            .api
            .fetch(Call::get(routes::WORKFORCE_UNITS, &path))
            .await?;
        let listed: Listed = read(&answer.body, "the units of workforce management")?;
        let more = listed.page_count.map_or_else(
            || listed.next_uri.is_some_and(|next| !next.is_empty()),
            |pages| page < pages,
        );
        let units = listed.entities.into_iter().map(|unit| Unit {
            id: unit.id,
            zone: unit
                .settings
                .and_then(|settings| settings.time_zone)
                .or(unit.time_zone),
        });
        let units: Vec<Unit> = units.collect();
        Ok(UnitPage {
            // The server may say that there are more pages than it has.
            more: more && !units.is_empty(),
            units,
        })
    }

    /// The users of a management unit. `GET /api/v2/workforcemanagement/managementunits/{id}/users` [notes 7].
    pub async fn management_unit_users(&self, unit: &str) -> Result<Vec<String>, HistoryError> {
        let path = format!(
            "/api/v2/workforcemanagement/managementunits/{}/users",
            escaped(unit)
        );
        let answer = self
            .api
            .fetch(Call::get(routes::WORKFORCE_USERS, &path).of_history())
            .await?;
        let members: Members = read(&answer.body, "the users of a management unit")?;
        Ok(members
            .entities
            .into_iter()
            .filter_map(|member| member.user.map(|user| user.id).or(member.id))
            .collect())
    }

    /// The published schedules of a business unit in a half-open stretch of time.
    /// `POST /api/v2/workforcemanagement/businessunits/{id}/agentschedules/search` [notes 7]: starts are in UTC, lengths elapsed minutes.
    pub async fn agent_schedules(
        &self,
        unit: &str,
        from: UtcMicros,
        to: UtcMicros,
    ) -> Result<Search, HistoryError> {
        let path = format!(
            "/api/v2/workforcemanagement/businessunits/{}/agentschedules/search",
            escaped(unit)
        );
        let body = json!({
            "startDate": instant::rfc3339_millis(from),
            "endDate": instant::rfc3339_millis(to),
        });
        let answer = self
            .api
            .fetch(Call::post(routes::WORKFORCE_SCHEDULES, &path, &body).of_history())
            .await
            .map_err(HistoryError::of_stretch)?;
        search(&answer.body)
    }

    /// The file that a search led to. The link carries its own permission; one that has died is [`HistoryError::Gone`].
    pub async fn plan_file(&self, link: &Url) -> Result<Plan, HistoryError> {
        let answer = self
            .api
            .fetch_link(link, crate::api::HISTORY_MAX)
            .await
            .map_err(|error| HistoryError::of_link(error, "the schedules' file"))?;
        plan(read(&answer.body, WHAT)?)
    }
}

const WHAT: &str = "a search for schedules";

fn search(body: &[u8]) -> Result<Search, HistoryError> {
    let answered: Answered = read(body, WHAT)?;
    if let Some(result) = answered.result {
        return plan(result).map(Search::Found);
    }
    if let Some(link) = answered.download_url.filter(|link| !link.is_empty()) {
        return Url::parse(&link)
            .map(Search::Link)
            .map_err(|problem| HistoryError::unread("the schedules' link", &problem));
    }
    match answered.status.as_deref() {
        Some("Processing") => Ok(Search::Working),
        // Nothing was planned.
        Some("Complete") | None => Ok(Search::Found(Plan::default())),
        Some(other) => Err(HistoryError::shape(
            WHAT,
            format!("its status is {other:?}"),
        )),
    }
}

fn plan(result: Scheduled) -> Result<Plan, HistoryError> {
    let mut plan = Plan {
        zone: result.business_unit_time_zone,
        ..Plan::default()
    };
    for schedule in result.agent_schedules {
        for shift in schedule.shifts {
            let from = instant::parse(&shift.start_date).ok_or_else(|| {
                let problem = format!("{:?} is no instant with a zone", shift.start_date);
                HistoryError::shape(WHAT, problem)
            })?;
            plan.shifts.push(Shift {
                user: schedule.user.id.clone(),
                id: shift.id,
                from,
                to: from.plus(Millis(shift.length_minutes.saturating_mul(60_000))),
            });
        }
        plan.users.push(schedule.user.id);
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_answered_at_once_by_a_link_or_later() {
        let found = br#"{"status":"Complete","result":{"businessUnitTimeZone":"America/New_York","agentSchedules":[{"user":{"id":"u"},
            "shifts":[{"id":"s","startDate":"2025-03-09T05:30:00.000Z","lengthMinutes":540}]},{"user":{"id":"v"}}]}}"#;
        let Search::Found(plan) = search(found).unwrap() else {
            unreachable!()
        };
        assert_eq!(plan.users, ["u", "v"]);
        assert_eq!(plan.zone.as_deref(), Some("America/New_York"));
        // Nine hours pass, also in the night in which clocks are put forward.
        assert_eq!(
            plan.shifts[0].to.0 - plan.shifts[0].from.0,
            9 * 3_600_000_000
        );
        let link = br#"{"status":"Complete","downloadUrl":"https://files.example.com/x"}"#;
        assert!(matches!(search(link).unwrap(), Search::Link(_)));
        let later = br#"{"status":"Processing","operationId":"o"}"#;
        assert_eq!(search(later).unwrap(), Search::Working);
        assert!(search(br#"{"status":"Error"}"#).is_err());
        let local = br#"{"result":{"agentSchedules":[{"user":{"id":"u"},"shifts":[{"startDate":"2025-03-09T05:30:00","lengthMinutes":1}]}]}}"#;
        assert!(search(local).is_err(), "whose clock?");
    }
}
