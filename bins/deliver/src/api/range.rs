//! Stretches of time: that they go forwards, and how long they may be.

use super::problem::{Invalid, Problem};
use super::query::{Kind, Parameter, Query};
use schema::UtcMicros;

/// The first instant.
pub const FROM: Parameter = Parameter {
    name: "from",
    kind: Kind::Instant,
    required: true,
    about: "The first instant of the stretch.",
    example: Some("2026-01-01T00:00:00Z"),
};

/// The end.
pub const TO: Parameter = Parameter {
    name: "to",
    kind: Kind::Instant,
    required: true,
    about: "The end of the stretch, which does not belong to it.",
    example: Some("2026-01-02T00:00:00Z"),
};

const DAY: i64 = 86_400_000_000;

/// The stretch that was asked for, of at most so many days.
pub fn of(query: &Query, days_max: i64) -> Result<(UtcMicros, UtcMicros), Problem> {
    let (from, to) = (query.instant(&FROM), query.instant(&TO));
    let (Some(from), Some(to)) = (from, to) else {
        return Err(Problem::parameter(FROM.name, None, Kind::Instant.allowed()));
    };
    let stated = |at: UtcMicros| at.to_string();
    if from >= to {
        let allowed = format!("an instant before `to`, {to}");
        return Err(Problem::parameter(FROM.name, Some(&stated(from)), allowed));
    }
    if to.0.saturating_sub(from.0) > days_max.saturating_mul(DAY) {
        let allowed = format!("at most {days_max} days after `from`, {from}");
        return Err(Problem::parameters(vec![Invalid::new(
            TO.name,
            Some(&stated(to)),
            allowed,
        )]));
    }
    Ok((from, to))
}
