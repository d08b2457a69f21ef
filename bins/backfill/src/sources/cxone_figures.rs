//! CXone's own figures of agents' and skills' days.
//!
//! They are not history: nothing goes into the line. They are written where the comparison finds them. Talk time has hold in it there, so it is
//! compared as part of the handle time alone [notes 13].

use super::cxone_rows::settings;
use super::zone_days::{Clocks, Cursor, ZoneDay, write};
use super::{Ask, Fault, Step};
use platform::history::cxone::{AgentPerformance, SkillSummary};
use reconcile::Measure;
use store::reconciliation::figures::FigureRow;
use timezone::Zone;

/// Older versions of the API give whole seconds.
const GRAIN_MS: i32 = 1_000;

/// One step: a day of one zone.
pub(super) async fn step(ask: &Ask<'_>, cursor: Option<&str>) -> Result<Step, Fault> {
    let mut cursor: Cursor = super::read(cursor)?;
    let settings = settings(ask)?;
    let clocks = Clocks::of(ask, settings.report_zone.unwrap_or(Zone::UTC)).await?;
    let days = cursor
        .days
        .get_or_insert_with(|| clocks.days(ask.chunk.from, ask.chunk.to));
    let Some(day) = days.first().cloned() else {
        return Ok(Step::Done { expected: None });
    };
    if let Some(wait) = day.wait(settings.lag, ask.now) {
        return Ok(Step::Wait {
            cursor: Some(super::kept(&cursor)?),
            wait,
            reason: "data",
        });
    }
    let cxone = ask.cxone(settings).await?;
    let agents = ask
        .answer(cxone.agents_performance(day.from, day.to))
        .await?;
    let skills = ask.answer(cxone.skills_summary(day.from, day.to)).await?;
    let mut rows = Vec::new();
    for agent in agents {
        if clocks.has_agent(&agent.agent, &day.zone) {
            rows.extend(of_agent(&day, &agent));
        }
    }
    for skill in skills {
        if clocks.has_queue(&skill.skill, &day.zone) {
            rows.extend(of_skill(&day, &skill));
        }
    }
    write(ask, &rows).await?;
    days.remove(0);
    Ok(Step::Moved(super::kept(&cursor)?))
}

fn of_agent(day: &ZoneDay, agent: &AgentPerformance) -> Vec<FigureRow> {
    let handle = agent
        .talk_and_hold
        .zip(agent.wrap)
        .and_then(|(talk, wrap)| talk.checked_add(wrap));
    let figures = [
        (Measure::Handled, agent.handled, None),
        (Measure::Handle, handle, agent.handled),
        (Measure::Wrap, agent.wrap, agent.handled),
        (Measure::LoggedIn, agent.logged_in, None),
    ];
    figures
        .into_iter()
        .filter_map(|(measure, value, items)| {
            let row = day.figure(measure, (&agent.agent, ""), value?, items);
            Some(FigureRow {
                grain_ms: GRAIN_MS,
                ..row
            })
        })
        .collect()
}

fn of_skill(day: &ZoneDay, skill: &SkillSummary) -> Vec<FigureRow> {
    let figures = [
        (Measure::Offered, skill.offered),
        (Measure::Abandoned, skill.abandoned),
        (Measure::Handled, skill.handled),
    ];
    figures
        .into_iter()
        .filter_map(|(measure, value)| {
            let row = day.figure(measure, ("", &skill.skill), whole(value?), None);
            Some(FigureRow {
                grain_ms: GRAIN_MS,
                ..row
            })
        })
        .collect()
}

#[allow(clippy::cast_possible_truncation)] // counts of contacts are far below 2^53
fn whole(count: f64) -> i64 {
    count.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::UtcMicros;

    #[test]
    fn handle_time_is_talk_with_hold_and_wrap_up() {
        let day = ZoneDay {
            zone: "UTC".to_owned(),
            from: UtcMicros(0),
            to: UtcMicros(1),
        };
        let agent = AgentPerformance {
            agent: "7".to_owned(),
            handled: Some(105),
            talk_and_hold: Some(27_786_150),
            wrap: Some(17_956_379),
            logged_in: None,
        };
        let rows = of_agent(&day, &agent);
        let handle = rows.iter().find(|row| row.measure == "handle").unwrap();
        // 435.643 s on the average, as the platform has it.
        assert_eq!(handle.value / 105, 435_643);
        assert!(rows.iter().all(|row| row.measure != "logged_in"));
    }
}
