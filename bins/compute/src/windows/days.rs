//! Changed windows of agents' days, as targets take them: by agent and date.

use schema::{LocalDay, UtcMicros};
use store::sync::{ChangedDay, DayFigures};
use store::window_metrics::{Change, WindowRow};
use timezone::Zone;
use window::GroupKey;

/// The days that changed. What no agent did is no agent's day, and a zone that cannot be read any more has none.
///
/// When an agent moves, the windows by the old clock go where those by the new one come. Both have the same date, and what overlaps is
/// written and deleted together; so a day that is gone here, and has come there, has come.
pub(super) fn of(changes: &[Change<'_>]) -> Vec<ChangedDay> {
    changes.iter().filter_map(day).collect()
}

fn day(change: &Change<'_>) -> Option<ChangedDay> {
    match change {
        Change::Written(row) => Some(ChangedDay {
            agent_id: row.agent_id?.to_owned(),
            day: local_day(row.window_start, row.zone)?,
            metric_type: row.metric_type.to_owned(),
            metric_version: row.metric_version,
            figures: Some(figures(row)),
            value: row.value,
        }),
        Change::Removed {
            metric_type,
            metric_version,
            group_key,
            window_start,
            zone,
        } => Some(ChangedDay {
            agent_id: agent(group_key)?,
            day: local_day(*window_start, zone)?,
            metric_type: (*metric_type).to_owned(),
            metric_version: *metric_version,
            figures: None,
            value: None,
        }),
    }
}

/// The only dimension of the group.
fn agent(group_key: &str) -> Option<String> {
    let values = GroupKey::parse(group_key).ok()?.values();
    values.into_iter().next().flatten().map(String::from)
}

fn local_day(at: UtcMicros, zone: &str) -> Option<LocalDay> {
    let zone = Zone::parse(zone).ok()?;
    Some(LocalDay(zone.epoch_day(at.0)))
}

fn figures(row: &WindowRow<'_>) -> DayFigures {
    DayFigures {
        zone: row.zone.to_owned(),
        from: row.window_start,
        to: row.window_end,
        settles_at: row.settles_at,
        items: row.items,
        numerator: row.numerator,
        denominator: row.denominator,
        scale: row.scale,
        unit: row.unit.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::MetricVersion;

    /// 2024-11-03T04:00:00Z, midnight in New York on the day its clocks go back.
    const MIDNIGHT: UtcMicros = UtcMicros(1_730_606_400_000_000);

    fn removed<'a>(group_key: &'a str, zone: &str) -> Change<'a> {
        Change::Removed {
            metric_type: "leg_handle_time",
            metric_version: MetricVersion::FIRST,
            group_key,
            window_start: MIDNIGHT,
            zone: zone.to_owned(),
        }
    }

    #[test]
    fn a_day_is_that_of_the_windows_own_clock() {
        let days = of(&[
            removed(r#"["ada"]"#, "America/New_York"),
            removed(r#"["ada"]"#, "America/Los_Angeles"),
            removed(r#"["ada"]"#, "-05:00"),
        ]);
        let found: Vec<String> = days.iter().map(|day| day.day.to_string()).collect();
        assert_eq!(found, ["2024-11-03", "2024-11-02", "2024-11-02"]);
        assert!(days.iter().all(|day| day.agent_id == "ada"));
    }

    #[test]
    fn what_no_agent_did_is_nobodys_day() {
        assert_eq!(of(&[removed("[null]", "Europe/Berlin")]), []);
    }
}
