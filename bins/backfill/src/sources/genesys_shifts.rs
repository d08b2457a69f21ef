//! Genesys' workforce management: whose clock each agent's plan is kept by, and the shifts that were published.
//!
//! The management unit's zone counts before the business unit's. A search that the platform would answer later, on a channel that only a user can
//! listen to, is asked in smaller pieces; the smallest is asked again.

use super::parts::Part;
use super::zone_days::Clocks;
use super::{Ask, Fault, Step};
use platform::history::genesys::{Genesys, Plan, Search};
use schema::UtcMicros;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::reconciliation::native_zones::{self, NativeZone, Stater};
use store::reconciliation::shifts::{self, ShiftRow};

/// A stretch this short is not halved any more.
const SHORTEST_MICROS: i64 = 86_400_000_000;
/// How long the platform is left to work on one.
const WORKING: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// Management units with a zone whose users are still to be asked for; none yet: not begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    management: Option<Vec<(String, String)>>,
    /// Business units, and what of the stretch is still to be searched in each.
    business: Vec<(String, Vec<Part>)>,
}

/// One step: the units, the users of one, or a search in one.
pub(super) async fn step(ask: &Ask<'_>, cursor: Option<&str>) -> Result<Step, Fault> {
    let mut cursor: Cursor = super::read(cursor)?;
    let genesys = ask.genesys().await?;
    let Some(management) = &mut cursor.management else {
        let cursor = units(ask, &genesys).await?;
        return Ok(Step::Moved(super::kept(&cursor)?));
    };
    if let Some((unit, zone)) = management.pop() {
        let users = ask.answer(genesys.management_unit_users(&unit)).await?;
        state(ask, &users, Stater::ManagementUnit, &zone).await?;
        return Ok(Step::Moved(super::kept(&cursor)?));
    }
    let Some((unit, parts)) = cursor.business.last_mut() else {
        return Ok(Step::Done { expected: None });
    };
    let Some(part) = parts.last().copied() else {
        cursor.business.pop();
        return Ok(Step::Moved(super::kept(&cursor)?));
    };
    let searched = ask
        .answer(genesys.agent_schedules(unit, part.from, part.to))
        .await;
    let plan = match searched {
        Ok(Search::Found(plan)) => plan,
        Ok(Search::Link(link)) => ask.file(genesys.plan_file(&link)).await?,
        Ok(Search::Working) | Err(Fault::TooMuch { .. }) => {
            let halves = part
                .halves()
                .filter(|_| part.to.0 - part.from.0 > SHORTEST_MICROS);
            let Some(halves) = halves else {
                return Ok(Step::Wait {
                    cursor: Some(super::kept(&cursor)?),
                    wait: WORKING,
                    reason: "platform",
                });
            };
            parts.pop();
            parts.extend(halves.into_iter().rev());
            return Ok(Step::Moved(super::kept(&cursor)?));
        }
        Err(fault) => return Err(fault),
    };
    planned(ask, part, plan).await?;
    parts.pop();
    Ok(Step::Moved(super::kept(&cursor)?))
}

/// Asks for the units of both kinds.
async fn units(ask: &Ask<'_>, genesys: &Genesys) -> Result<Cursor, Fault> {
    let mut cursor = Cursor {
        management: Some(Vec::new()),
        ..Cursor::default()
    };
    let whole = Part {
        from: ask.chunk.from,
        to: ask.chunk.to,
    };
    for page in 1.. {
        let found = ask.answer(genesys.business_units(page)).await?;
        let units = found.units.into_iter();
        cursor
            .business
            .extend(units.map(|unit| (unit.id, vec![whole])));
        if !found.more {
            break;
        }
    }
    for page in 1.. {
        let found = ask.answer(genesys.management_units(page)).await?;
        let zoned = found
            .units
            .into_iter()
            .filter_map(|unit| Some((unit.id, unit.zone?)));
        cursor.management.get_or_insert_default().extend(zoned);
        if !found.more {
            break;
        }
    }
    Ok(cursor)
}

/// Writes the zone that a unit states for these users.
async fn state(ask: &Ask<'_>, users: &[String], source: Stater, zone: &str) -> Result<(), Fault> {
    let rows: Vec<NativeZone> = users
        .iter()
        .map(|user| NativeZone {
            agent_id: user.clone(),
            source,
            stated: zone.to_owned(),
            from: ask.chunk.from,
            to: ask.chunk.to,
        })
        .collect();
    let client = ask.store.client().await.map_err(Fault::store)?;
    native_zones::put(&client, Clocks::whose(ask), &rows)
        .await
        .map_err(Fault::store)?;
    Ok(())
}

/// Puts a plan in the place of what was planned for the same users and time.
async fn planned(ask: &Ask<'_>, part: Part, plan: Plan) -> Result<(), Fault> {
    if let Some(zone) = &plan.zone {
        state(ask, &plan.users, Stater::BusinessUnit, zone).await?;
    }
    let rows: Vec<ShiftRow> = plan
        .shifts
        .into_iter()
        // What begins in another part is that one's.
        .filter(|shift| part.holds(shift.from) && shift.from < shift.to)
        .map(|shift| ShiftRow {
            agent_id: shift.user,
            from: shift.from,
            to: shift.to,
            shift_id: shift.id,
        })
        .collect();
    replace(ask, (part.from, part.to), &plan.users, &rows).await
}

/// In one transaction: nobody sees a plan without its shifts.
pub(super) async fn replace(
    ask: &Ask<'_>,
    stretch: (UtcMicros, UtcMicros),
    users: &[String],
    rows: &[ShiftRow],
) -> Result<(), Fault> {
    let mut client = ask.store.client().await.map_err(Fault::store)?;
    let tx = client.transaction().await.map_err(Fault::store)?;
    shifts::replace(&tx, Clocks::whose(ask), stretch, Some(users), rows)
        .await
        .map_err(Fault::store)?;
    tx.commit().await.map_err(Fault::store)
}
