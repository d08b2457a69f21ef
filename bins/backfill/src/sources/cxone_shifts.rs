//! CXone's workforce management: whose clock each agent goes by, and the shifts that were published, agent by agent.

use super::cxone_rows::settings;
use super::genesys_shifts::replace;
use super::zone_days::Clocks;
use super::{Ask, Fault, Step};
use crate::platforms::CxoneSettings;
use platform::history::cxone::{Cxone, Moment};
use schema::UtcMicros;
use serde::{Deserialize, Serialize};
use store::reconciliation::native_zones::{self, NativeZone, Stater};
use store::reconciliation::shifts::ShiftRow;
use timezone::{NaiveDate, NaiveTime, Side, Zone};

/// Agents in one page of their list.
const PAGE: u32 = 100;
const DAY_MICROS: i64 = 86_400_000_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// How many agents were listed.
    listed: u64,
    /// Whether there are more.
    end: bool,
    /// The business unit's zone as it is written; empty: it states none. None yet: not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_zone: Option<String>,
    /// Those of the listed whose plan is still to be asked for.
    planned: Vec<Planned>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Planned {
    agent: String,
    user: String,
    /// As it is written.
    zone: Option<String>,
}

/// One step: the business unit, a page of agents, or one agent's plan.
pub(super) async fn step(ask: &Ask<'_>, cursor: Option<&str>) -> Result<Step, Fault> {
    let mut cursor: Cursor = super::read(cursor)?;
    let settings = settings(ask)?;
    let cxone = ask.cxone(settings).await?;
    let Some(unit_zone) = cursor.unit_zone.clone() else {
        let zone = ask.answer(cxone.business_unit_zone()).await?;
        cursor.unit_zone = Some(zone.unwrap_or_default());
        return Ok(Step::Moved(super::kept(&cursor)?));
    };
    if let Some(planned) = cursor.planned.pop() {
        plan(ask, &cxone, settings, &planned, &unit_zone).await?;
        return Ok(Step::Moved(super::kept(&cursor)?));
    }
    if cursor.end {
        return Ok(Step::Done { expected: None });
    }
    let agents = ask.answer(cxone.agents(cursor.listed, PAGE)).await?;
    cursor.listed += agents.len() as u64;
    cursor.end = agents.len() < PAGE as usize;
    let mut rows = Vec::new();
    for agent in agents {
        let own = agent.zone.map(|zone| (Stater::Agent, zone));
        let units = (!unit_zone.is_empty()).then(|| (Stater::BusinessUnit, unit_zone.clone()));
        // An agent who goes by a zone of their own does not go by the unit's.
        let stated = own.or(units);
        if let Some((source, stated)) = &stated {
            rows.push(NativeZone {
                agent_id: agent.id.clone(),
                source: *source,
                stated: stated.clone(),
                from: ask.chunk.from,
                to: ask.chunk.to,
            });
        }
        if let Some(user) = agent.user {
            cursor.planned.push(Planned {
                agent: agent.id,
                user,
                zone: stated.map(|(_, zone)| zone),
            });
        }
    }
    let client = ask.store.client().await.map_err(Fault::store)?;
    native_zones::put(&client, Clocks::whose(ask), &rows)
        .await
        .map_err(Fault::store)?;
    Ok(Step::Moved(super::kept(&cursor)?))
}

/// One agent's shifts that begin in the chunk. A day more is asked for at either end: the platform goes by local dates.
async fn plan(
    ask: &Ask<'_>,
    cxone: &Cxone,
    settings: &CxoneSettings,
    planned: &Planned,
    unit_zone: &str,
) -> Result<(), Fault> {
    let (from, to) = (ask.chunk.from, ask.chunk.to);
    let date = |at: i64| Zone::UTC.local(at).date.to_string();
    let (first, last) = (date(from.0 - DAY_MICROS), date(to.0 - 1 + DAY_MICROS));
    let found = ask
        .answer(cxone.schedule_export(&planned.user, &first, &last))
        .await?;
    let written = planned.zone.as_deref().unwrap_or(unit_zone);
    let zone = Zone::parse(written).ok().or(settings.report_zone);
    let mut rows = Vec::new();
    for shift in found {
        let begins = instant(&shift.from, zone, Side::Earliest);
        let ends = instant(&shift.to, zone, Side::Latest);
        let (Some(begins), Some(ends)) = (begins, ends) else {
            tracing::warn!(
                platform = ask.platform.name,
                "a shift is in local time, and no zone is known that it could be of; it is left out"
            );
            continue;
        };
        if (from..to).contains(&begins) && begins < ends {
            rows.push(ShiftRow {
                agent_id: planned.agent.clone(),
                from: begins,
                to: ends,
                shift_id: shift.id,
            });
        }
    }
    replace(ask, (from, to), std::slice::from_ref(&planned.agent), &rows).await
}

/// When a wall clock shows this; of an hour that comes twice a shift has both.
fn instant(moment: &Moment, zone: Option<Zone>, side: Side) -> Option<UtcMicros> {
    let text = match moment {
        Moment::At(at) => return Some(*at),
        Moment::Local(text) => text,
    };
    let (date, time) = text.split_once(['T', ' '])?;
    let (date, time): (NaiveDate, NaiveTime) = (date.parse().ok()?, time.parse().ok()?);
    Some(UtcMicros(zone?.resolve(date, time, side)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_ends_are_read_by_the_agents_clock() {
        let berlin = Zone::parse("Europe/Berlin").ok();
        let local = Moment::Local("2024-10-27T02:30:00".to_owned());
        let at = |side| instant(&local, berlin, side).map(|at| at.to_string());
        assert_eq!(at(Side::Earliest).unwrap(), "2024-10-27T00:30:00.000Z");
        assert_eq!(at(Side::Latest).unwrap(), "2024-10-27T01:30:00.000Z");
        assert_eq!(instant(&local, None, Side::Earliest), None);
        assert_eq!(
            instant(&Moment::At(UtcMicros(7)), None, Side::Earliest),
            Some(UtcMicros(7))
        );
    }
}
