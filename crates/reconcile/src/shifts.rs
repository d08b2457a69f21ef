//! A workforce schedule's shifts beside business hours.
//!
//! A shift comes as instants, business hours by a wall clock. Where a shift sticks out of the hours it is looked whether the clock
//! explains it: whether moving it by whole quarter hours would put all of it inside. That is what a wrong zone looks like; what no move
//! mends is a matter of the hours or of the plan.

use schema::{AgentId, Millis, UtcMicros};
use timezone::{Schedule, Zone};

const QUARTER_MICROS: i64 = 15 * 60 * 1_000_000;
/// No two clocks of the world are farther apart: 26 hours.
const QUARTERS_MAX: i64 = 26 * 4;

/// One shift of one agent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shift {
    /// Whose.
    pub agent: AgentId,
    /// When it begins.
    pub from: UtcMicros,
    /// When it ends.
    pub to: UtcMicros,
}

/// A shift that is not wholly within business hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// The shift.
    pub shift: Shift,
    /// The schedule it was laid beside.
    pub schedule: String,
    /// The clock that the schedule was read by.
    pub zone: Zone,
    /// How much of it is outside.
    pub outside: Millis,
    /// Seconds by which our clock would have to be ahead of the one that the plan was made by, for all of it to have been planned inside; the
    /// smallest such, a later plan before an earlier one. `None`: no clock explains it.
    pub ahead: Option<i64>,
}

/// Lays a shift beside a schedule, read by the clock of `zone`. `None` where all of it is within the hours, or where it has no length.
#[must_use]
pub fn outside(shift: &Shift, schedule: &Schedule, zone: Zone) -> Option<Outside> {
    let length = shift.to.0.saturating_sub(shift.from.0);
    if length <= 0 {
        return None;
    }
    let inside = |moved: i64| {
        let from = shift.from.0.saturating_add(moved);
        schedule.business_micros(zone, from, from.saturating_add(length))
    };
    let within = inside(0);
    if within == length {
        return None;
    }
    // Nearest first: of a plan that fits at several places the least assumption.
    let moves = (1..=QUARTERS_MAX).flat_map(|quarters| [-quarters, quarters]);
    let ahead = moves
        .map(|quarters| quarters * QUARTER_MICROS)
        .find(|moved| inside(*moved) == length)
        .map(|moved| -moved / 1_000_000);
    Some(Outside {
        shift: shift.clone(),
        schedule: schedule.name().to_owned(),
        zone,
        outside: Millis((length - within) / 1_000),
        ahead,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn hours() -> Schedule {
        let text = "schedule = \"office\"\nversion = 1\n[weekly]\nweekdays = [\"09:00-17:00\"]\n";
        Schedule::read(text).unwrap()
    }

    /// On Monday, 2024-11-04, whose midnight in UTC is this.
    fn shift(from_hour: i64, to_hour: i64) -> Shift {
        const MONDAY: i64 = 1_730_678_400_000_000;
        Shift {
            agent: AgentId::from("a"),
            from: UtcMicros(MONDAY + from_hour * HOUR),
            to: UtcMicros(MONDAY + to_hour * HOUR),
        }
    }

    #[test]
    fn what_is_planned_by_another_clock_tells_which() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let hours = hours();
        // 09:00 to 17:00 in Berlin.
        assert_eq!(outside(&shift(8, 16), &hours, berlin), None);
        // The same shift by London's clock is an hour early; by New York's it begins in the night.
        let london = outside(&shift(8, 16), &hours, Zone::UTC).unwrap();
        assert_eq!(london.ahead, Some(-3_600));
        assert_eq!(london.outside, Millis(3_600_000));
        let new_york = Zone::parse("America/New_York").unwrap();
        let found = outside(&shift(8, 16), &hours, new_york).unwrap();
        assert_eq!(found.ahead, Some(-6 * 3_600));
    }

    #[test]
    fn what_no_clock_explains_says_so() {
        let found = outside(&shift(8, 18), &hours(), Zone::UTC).unwrap();
        assert_eq!((found.ahead, found.outside), (None, Millis(2 * 3_600_000)));
        assert_eq!(outside(&shift(8, 8), &hours(), Zone::UTC), None);
    }
}
