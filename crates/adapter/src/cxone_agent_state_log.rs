//! CXone data-download report 544 (Agent State Log): CSV, one line a state of an agent, as it is or in base64 in the answer of its job.
//!
//! What the states are here is in a table of its own, which the API's rows share (`cxone_state`). What each column is:
//!
//! | column | here |
//! | --- | --- |
//! | `Agent_No`, `Team_No` | agent, team |
//! | `Agent_Session_ID`, `StateIndex` | which row it is |
//! | `Start_Date`, `End_Date` | from when to when, in the business unit's local time without offset, in whole seconds |
//! | `Duration` | how long, in **milliseconds** (the other reports have seconds) |
//! | `Working` | 1 to 4: inbound, outbound, outbound consult, inbound consult. 0: none of them |
//! | `Available` | 1: available |
//! | `Outstate` (`Outstate_Code`) | else the reason of being unavailable |
//! | `Log_State` | 2: the last row of a session, after which the agent is logged out |
//!
//! A row ends at its `End_Date`, so that it meets the next one, which begins there; without it, its duration after the start, which must
//! then be one (not negative, not beyond 400 days).
//!
//! In the hour that happens twice, the side is the one with which start, end and duration fit together. Where both do, because start and
//! end lie in it, the earlier is taken, as in report 524. Rows of less than a second state nothing: the next one begins in the same
//! second. The report names no zone but the business unit's. Names and skills are not read.

use crate::agent_time::Stretch;
use crate::cxone_state::State;
use crate::derived_id;
use crate::duration;
use crate::error::{BodyError, ItemError};
use crate::map::{Mapped, Outcome, Stated};
use crate::report::{self, Row, parse_date, parse_time};
use compact_str::CompactString;
use schema::{AgentId, AgentRef, EventId, Millis, SourceRank, UtcMicros};
use std::borrow::Cow;
use timezone::{NaiveDate, NaiveTime, Side, Zone};

/// Columns without which a row says nothing.
const REQUIRED: [&str; 2] = ["Agent_No", "Start_Date"];

/// What is said where a local time cannot be read.
const LOCAL: &str = "a local time like 1/31/2019 8:29:15 PM";

/// The rows, each with the header line before it.
pub(crate) fn split(body: &[u8]) -> Result<Vec<Vec<u8>>, BodyError> {
    report::split(body, &REQUIRED)
}

/// A wall clock's time.
type Local = (NaiveDate, NaiveTime);

/// Maps one row.
pub(crate) fn map(raw: &[u8], zone: &str) -> Result<Outcome, ItemError> {
    let zone = Zone::parse(zone).map_err(|_| {
        ItemError::described("(zone)", zone, "the business unit's zone, an IANA name")
    })?;
    let row = Row::read(raw)?;
    let id = row
        .id_but_zero("Agent_No")
        .ok_or_else(|| ItemError::missing("Agent_No", "the agent's number"))?;
    let start =
        local(&row, "Start_Date")?.ok_or_else(|| ItemError::missing("Start_Date", LOCAL))?;
    let lasted = row.millis("Duration")?;
    let end = local(&row, "End_Date")?;
    if let Some(lasted) = lasted.filter(|lasted| end.is_none() && !duration::is_plausible(*lasted))
    {
        let shown = format!("{} ms", lasted.0);
        return Err(ItemError::new("Duration", &shown, duration::PLAUSIBLE));
    }
    let (at, until) = stretch(zone, start, end, lasted);
    let is_last = row.id("Log_State").as_deref() == Some("2");
    let has_length = until.is_none_or(|until| until > at);
    let reason = row
        .text("Outstate")
        .map(Cow::into_owned)
        .or_else(|| row.id_but_zero("Outstate_Code"));
    let state = state(&row)?.because(reason.as_deref(), false);
    let team = row.id_but_zero("Team_No");
    let mut facts = Vec::new();
    if has_length || state == State::LoggedOut {
        let stretch = Stretch {
            at,
            until,
            rank: SourceRank::SettledRecord,
        };
        facts.extend(state.facts(stretch, reason.as_deref(), team.as_deref()));
    }
    if is_last && state != State::LoggedOut {
        let gone = Stretch {
            at: until.unwrap_or(at),
            until: None,
            rank: SourceRank::SettledRecord,
        };
        // A last row without an end is the end itself.
        if until.is_none() {
            facts.clear();
        }
        facts.extend(State::LoggedOut.facts(gone, None, team.as_deref()));
    }
    if facts.is_empty() {
        return Ok(Outcome::Ignored {
            kind: "an agent state of less than a second".to_owned(),
        });
    }
    let event_id = match (row.id("Agent_Session_ID"), row.id("StateIndex")) {
        (Some(session), Some(index)) => format!("{session}:{index}"),
        _ => derived_id(&[&id, &at.0.to_string()]),
    };
    Ok(Outcome::Mapped(Mapped {
        event_id: EventId::new(event_id),
        at,
        digest: row.digest(),
        stated: Stated::Agent {
            agent: AgentRef {
                id: AgentId::new(id),
                zone: Some(CompactString::new(zone.name())),
            },
            facts,
        },
    }))
}

fn state(row: &Row) -> Result<State, ItemError> {
    const WORKING: &str = "a number from 0 to 4";
    match row.id("Working").as_deref() {
        None | Some("0") => {}
        Some("1" | "2" | "3" | "4") => return Ok(State::Working),
        Some(other) => return Err(ItemError::new("Working", other, WORKING)),
    }
    match row.id("Available").as_deref() {
        Some("1") => Ok(State::Available),
        None | Some("0") => Ok(State::Unavailable),
        Some(other) => Err(ItemError::new("Available", other, "0 or 1")),
    }
}

/// Start and end as instants.
fn stretch(
    zone: Zone,
    start: Local,
    end: Option<Local>,
    lasted: Option<Millis>,
) -> (UtcMicros, Option<UtcMicros>) {
    let sides = |(date, time): Local| {
        [Side::Earliest, Side::Latest].map(|side| UtcMicros(zone.resolve(date, time, side)))
    };
    let starts = sides(start);
    let Some(ends) = end.map(sides) else {
        let at = starts[0];
        return (at, lasted.map(|lasted| at.plus(lasted)));
    };
    let mut pairs = starts.map(|at| ends.map(|end| (at, end))).concat();
    // Nothing ends before it begins, whatever the duration says.
    if pairs.iter().any(|(at, end)| end >= at) {
        pairs.retain(|(at, end)| end >= at);
    }
    let misses = |(at, end): &(UtcMicros, UtcMicros)| {
        let length = end.0.saturating_sub(at.0);
        // Both ends are in whole seconds, so a second is no difference.
        lasted.map_or(0, |lasted| {
            length.abs_diff(lasted.0.saturating_mul(1000)) / 2_000_000
        })
    };
    let (at, until) = pairs
        .into_iter()
        .min_by_key(|pair| (misses(pair), *pair))
        .unwrap_or((starts[0], ends[0]));
    (at, Some(until))
}

/// A date and a time of day: `1/31/2019 8:29:15 PM`, or with 24 hours.
fn local(row: &Row, column: &str) -> Result<Option<Local>, ItemError> {
    let Some(text) = row.text(column) else {
        return Ok(None);
    };
    parse_local(&text)
        .map(Some)
        .ok_or_else(|| ItemError::new(column, &text, LOCAL))
}

fn parse_local(text: &str) -> Option<Local> {
    let mut parts = text.split_ascii_whitespace();
    let date = parse_date(parts.next()?)?;
    let clock = parts.next()?;
    let half = parts.next();
    if parts.next().is_some() {
        return None;
    }
    let Some(half) = half else {
        return Some((date, parse_time(clock)?));
    };
    let (hour, rest) = clock.split_once(':')?;
    let hour: u32 = hour.parse().ok().filter(|hour| (1..=12).contains(hour))?;
    let hour = match half {
        _ if half.eq_ignore_ascii_case("AM") => hour % 12,
        _ if half.eq_ignore_ascii_case("PM") => hour % 12 + 12,
        _ => return None,
    };
    Some((date, parse_time(&format!("{hour}:{rest}"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_are_read_with_twelve_and_with_twenty_four_hours() {
        for (text, expected) in [
            ("1/2/2019 8:29:15 PM", "2019-01-02 20:29:15"),
            ("01/02/2019 08:29:15 am", "2019-01-02 08:29:15"),
            ("12/31/2019 12:00:00 AM", "2019-12-31 00:00:00"),
            ("12/31/2019 12:00:01 PM", "2019-12-31 12:00:01"),
            ("12/31/2019  23:59:59.5", "2019-12-31 23:59:59.500"),
        ] {
            let (date, time) = parse_local(text).unwrap();
            assert_eq!(format!("{date} {time}"), expected, "{text}");
        }
        for text in [
            "",
            "1/2/2019",
            "1/2/2019 8:29",
            "1/2/2019 13:00:00 PM",
            "1/2/2019 0:00:00 AM",
            "1/2/2019 8:29:15 XM",
            "1/2/2019 8:29:15 PM x",
            "13/1/2019 8:29:15 PM",
            "2/29/2019 8:29:15 PM",
            "1/2/2019 24:00:00",
        ] {
            assert_eq!(parse_local(text), None, "{text}");
        }
    }
}
