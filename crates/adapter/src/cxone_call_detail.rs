//! CXone data-download report 524 (Call Detail): CSV, one line a contact.
//!
//! A contact is a **leg**; `master_contact_id` is the interaction it belongs to. The report lists ended contacts only, so each row
//! states a terminal state, and the history of the legs decides for the interaction. What each column is:
//!
//! | column | here |
//! | --- | --- |
//! | `contact_id`, `master_contact_id` | leg, interaction (an empty master: the contact is its own) |
//! | `start_date`, `start_time` | the start in the business unit's local time without offset; made UTC with the zone given. In the hour that happens twice the earlier is taken |
//! | `agent_no` | the leg's last agent; 0 or nothing: it never reached one (and is no abandon for that) |
//! | `InQueue` | queue wait, of legs that were queued |
//! | `Agent_Working_Time` | talk. It **includes hold and conference**, so hold is not stated, never stated as zero |
//! | `Total_Time` | the leg's end: start plus this. After-call work lies outside of it **and is not in this report**: wrap is not stated |
//! | `abandon` | `Y`: the customer left the queue; with an `InQueue` of 0, the flow before it |
//! | `PreQueue` + `InQueue` | when the agent answered, counted from the start |
//! | `skill_no`, `disposition_code`, `media_name` | queue, disposition (0: none), medium |
//!
//! All durations are seconds, often with a fraction (`25.0`), because the report's writer turns a column with an empty cell
//! fractional; ids are read the same way. An empty cell is not stated. An agent follows the business unit's zone here: the report
//! names no other. The report knows of no holds, transfers and conferences. `PostQueue`, `Routing_Time`, `Abandon_Time` and `callback_time` are kept in the raw bytes only.
//! Names and telephone numbers are not read.

use crate::csv_rows::{Span, spans};
use crate::error::{BodyError, ItemError};
use crate::json;
use crate::map::{Mapped, Outcome, Stated};
use crate::scalar::{rounded, storable};
use crate::split::without_mark;
use compact_str::CompactString;
use csv::{ByteRecord, ReaderBuilder};
use schema::{
    AgentId, AgentRef, Details, DurationKind, Durations, EventId, Fact, FactKey, InteractionId,
    Leg, LegId, LegKind, LegOutcome, Millis, QueueId, SourceRank, State, Statement, UtcMicros,
};
use std::borrow::Cow;
use timezone::{NaiveDate, NaiveTime, Side, Zone};

/// Columns without which a row says nothing.
const REQUIRED: [&str; 3] = ["contact_id", "start_date", "start_time"];

/// The rows, each with the header line before it: an item must be readable alone.
pub(crate) fn split(body: &[u8]) -> Result<Vec<Vec<u8>>, BodyError> {
    let rows = spans(without_mark(body));
    let Some((header, rows)) = rows.split_first() else {
        return Err(BodyError::Empty);
    };
    let header = header.raw;
    let mut columns = ByteRecord::new();
    // Reading bytes cannot fail: records may have any number of fields.
    let found = reader(header)
        .read_byte_record(&mut columns)
        .unwrap_or(false);
    let missing = REQUIRED
        .iter()
        .find(|name| !found || position(&columns, name).is_none());
    if let Some(missing) = missing {
        return Err(BodyError::Header {
            missing: (*missing).to_owned(),
        });
    }
    Ok(rows
        .iter()
        .map(|Span { raw, .. }| {
            let mut item = Vec::with_capacity(header.len() + raw.len() + 2);
            item.extend_from_slice(header);
            item.push(b'\n');
            item.extend_from_slice(raw);
            item.push(b'\n');
            item
        })
        .collect())
}

fn reader(line: &[u8]) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(line)
}

fn position(columns: &ByteRecord, name: &str) -> Option<usize> {
    columns
        .iter()
        .position(|column| column.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
}

/// One row with its header.
struct Row {
    columns: ByteRecord,
    cells: ByteRecord,
}

impl Row {
    fn read(raw: &[u8]) -> Result<Self, ItemError> {
        let expected = "a header line and a row of the report";
        let lines = spans(raw);
        let [header, row] = &lines[..] else {
            return Err(ItemError::item(raw, expected));
        };
        if !header.closed || !row.closed {
            return Err(ItemError::new(
                "(row)",
                "a quote that is not closed",
                "cells whose quotes are closed".to_owned(),
            ));
        }
        let mut columns = ByteRecord::new();
        let mut cells = ByteRecord::new();
        let read = |line: &[u8], record: &mut ByteRecord| {
            reader(line)
                .read_byte_record(record)
                .map_err(|_| ItemError::item(raw, expected))
        };
        read(header.raw, &mut columns)?;
        read(row.raw, &mut cells)?;
        if columns.len() != cells.len() {
            return Err(ItemError::new(
                "(row)",
                &format!("{} cells", cells.len()),
                format!("{} cells, one a column", columns.len()),
            ));
        }
        Ok(Self { columns, cells })
    }

    /// The text of a cell; `None` when it is empty or the column is not there.
    fn text(&self, column: &str) -> Option<Cow<'_, str>> {
        let cell = self
            .cells
            .get(position(&self.columns, column)?)?
            .trim_ascii();
        if cell.is_empty() {
            return None;
        }
        Some(match String::from_utf8_lossy(cell) {
            Cow::Borrowed(text) => storable(text),
            Cow::Owned(text) => Cow::Owned(storable(&text).into_owned()),
        })
    }

    fn needed(&self, column: &str, expected: &str) -> Result<Cow<'_, str>, ItemError> {
        self.text(column)
            .ok_or_else(|| ItemError::missing(column, expected))
    }

    /// An id. A column with empty cells turns fractional, so `7000004.0` is `7000004`.
    fn id(&self, column: &str) -> Option<String> {
        let text = self.text(column)?;
        let whole = text
            .strip_suffix(".0")
            .filter(|whole| !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit()));
        Some(whole.unwrap_or(&text).to_owned())
    }

    /// An id of which 0 means none.
    fn id_but_zero(&self, column: &str) -> Option<String> {
        self.id(column).filter(|id| id != "0")
    }

    /// Seconds, as milliseconds.
    fn seconds(&self, column: &str) -> Result<Option<Millis>, ItemError> {
        let Some(text) = self.text(column) else {
            return Ok(None);
        };
        match text.parse::<f64>() {
            Ok(seconds) if seconds.is_finite() => Ok(Some(Millis(rounded(seconds * 1000.0)))),
            _ => Err(ItemError::new(column, &text, "a number of seconds")),
        }
    }

    /// When the agent's part began: the report's parts follow each other.
    fn answered_at(&self, start: UtcMicros) -> Result<Option<UtcMicros>, ItemError> {
        let (before, waited) = (self.seconds("PreQueue")?, self.seconds("InQueue")?);
        Ok(before
            .zip(waited)
            .and_then(|(before, waited)| before.checked_add(waited))
            .map(|until| start.plus(until)))
    }

    /// The start as an instant.
    fn start(&self, zone: Zone) -> Result<UtcMicros, ItemError> {
        const DATE: &str = "a date like 01/31/2020";
        const TIME: &str = "a time like 16:32:15";
        let date = self.needed("start_date", DATE)?;
        let time = self.needed("start_time", TIME)?;
        let date = parse_date(&date).ok_or_else(|| ItemError::new("start_date", &date, DATE))?;
        let time = parse_time(&time).ok_or_else(|| ItemError::new("start_time", &time, TIME))?;
        Ok(UtcMicros(zone.resolve(date, time, Side::Earliest)))
    }
}

/// MM/DD/YYYY; one-digit months and days are met too.
fn parse_date(text: &str) -> Option<NaiveDate> {
    let [month, day, year] = numbers(text, '/')?;
    if !(1900..=9999).contains(&year) {
        return None;
    }
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}

/// HH:MM:SS, with or without a fraction.
fn parse_time(text: &str) -> Option<NaiveTime> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let [hour, minute, second] = numbers(whole, ':')?;
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(6)
        .fold(0, |micros, digit| micros * 10 + u32::from(digit - b'0'));
    NaiveTime::from_hms_micro_opt(hour, minute, second, micros)
}

fn numbers(text: &str, separator: char) -> Option<[u32; 3]> {
    let mut parts = text.split(separator);
    let mut next = || {
        let part = parts.next()?;
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    let found = [next()?, next()?, next()?];
    parts.next().is_none().then_some(found)
}

/// Whether this names a zone, so that a configuration can be refused before any row is.
pub fn check_zone(zone: &str) -> Result<(), String> {
    Zone::parse(zone)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// Maps one row.
pub(crate) fn map(raw: &[u8], zone: &str) -> Result<Outcome, ItemError> {
    let zone_in_use = Zone::parse(zone)
        .map_err(|_| ItemError::new("(zone)", zone, "the business unit's zone, an IANA name"))?;
    let row = Row::read(raw)?;
    let contact = row
        .id_but_zero("contact_id")
        .ok_or_else(|| ItemError::missing("contact_id", "the contact's id"))?;
    let master = row
        .id_but_zero("master_contact_id")
        .unwrap_or_else(|| contact.clone());
    let at = row.start(zone_in_use)?;
    let agent = row.id_but_zero("agent_no");
    let abandoned = match row.text("abandon").as_deref() {
        Some("Y" | "y" | "1" | "True" | "true") => true,
        Some("N" | "n" | "0" | "False" | "false") | None => false,
        Some(other) => return Err(ItemError::new("abandon", other, "Y or N")),
    };
    let waited = row.seconds("InQueue")?;
    let kind = match waited {
        _ if agent.is_some() => LegKind::Agent,
        // Left without ever having waited in a queue: that was in the flow. Without any word on the wait, it was a queue.
        Some(Millis::ZERO) => LegKind::Ivr,
        None if !abandoned => LegKind::Ivr,
        _ => LegKind::Queue,
    };
    let mut durations = Durations::default();
    if let Some(waited) = waited.filter(|_| kind != LegKind::Ivr) {
        durations.set(DurationKind::QueueWait, waited);
    }
    if let Some(talked) = row
        .seconds("Agent_Working_Time")?
        .filter(|_| kind == LegKind::Agent)
    {
        durations.set(DurationKind::Talk, talked);
    }
    let ended_at = row.seconds("Total_Time")?.map(|lasted| at.plus(lasted));
    let statement = Statement {
        state: Some(if abandoned {
            State::Abandoned
        } else {
            State::Completed
        }),
        agent: agent.map(|id| AgentRef {
            id: AgentId::new(id),
            zone: Some(CompactString::new(zone_in_use.name())),
        }),
        queue: row.id_but_zero("skill_no").map(QueueId::new),
        disposition: row.id_but_zero("disposition_code").map(CompactString::new),
        durations,
        details: Some(Box::new(Details {
            leg: Some(Leg {
                ended_at,
                outcome: match kind {
                    _ if abandoned => Some(LegOutcome::Abandoned),
                    LegKind::Agent => Some(LegOutcome::Answered),
                    _ => None,
                },
                answered_at: row
                    .answered_at(at)?
                    .filter(|_| kind == LegKind::Agent && !abandoned),
                ..Leg::new(LegId::new(&contact), kind)
            }),
            media: row.text("media_name").map(|name| media_named(&name)),
            ended_at,
            ..Details::default()
        })),
    };
    Ok(Outcome::Mapped(Mapped {
        event_id: EventId::new(&contact),
        at,
        digest: digest(&row),
        stated: Stated::Interaction {
            interaction: InteractionId::new(&master),
            facts: vec![Fact {
                key: FactKey::leg(&contact),
                at,
                revision: None,
                rank: SourceRank::SettledRecord,
                statement,
            }],
            terminal: true,
            customer: None,
        },
    }))
}

/// The words that Genesys and the rules use.
pub(crate) fn media_named(name: &str) -> CompactString {
    match name.to_ascii_lowercase().as_str() {
        "phone call" | "call" | "phone" => CompactString::const_new("voice"),
        "e-mail" => CompactString::const_new("email"),
        other => CompactString::new(other),
    }
}

/// The digest of the cells by column: the same whatever the order of columns, the quoting and the line ends.
fn digest(row: &Row) -> [u8; 16] {
    let mut pairs: Vec<(Vec<u8>, &[u8])> = row
        .columns
        .iter()
        .zip(&row.cells)
        .map(|(column, cell)| (column.trim_ascii().to_ascii_lowercase(), cell.trim_ascii()))
        .collect();
    pairs.sort();
    let mut bytes = Vec::new();
    for (column, cell) in pairs {
        for part in [&column[..], cell] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
    }
    json::hash(&bytes)
}
