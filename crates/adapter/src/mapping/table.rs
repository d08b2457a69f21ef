//! The table `[csv]`: bodies and files that are CSV. A row is read as an object with a member for each of its columns.
//!
//! A member is the text of its cell; of a cell that is empty there is none. An item is a row with the header line before it, as of a
//! report: it can be read alone, and a replay reads it as it was read first. What begins with a brace or a bracket is JSON all the same.

use super::{Event, Source, Time};
use crate::error::{BodyError, ItemError};
use crate::mapping::agent_state::AgentStates;
use crate::report::{self, Row};
use crate::scalar::storable;
use crate::split::without_mark;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// What may stand between cells, as a file states it.
pub(super) const SEPARATORS: &str = "\",\", \";\", \"|\" or \"\\t\"";

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) separator: u8,
}

impl Table {
    /// The table with this separator, if it may be one.
    pub(super) fn separated_by(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [separator @ (b',' | b';' | b'|' | b'\t')] => Some(Self {
                separator: *separator,
            }),
            _ => None,
        }
    }

    /// The items of a body. `missing` names what no column of the header has.
    pub(super) fn split(
        self,
        body: &[u8],
        missing: impl FnOnce(&[Cow<'_, str>]) -> Option<String>,
    ) -> Result<Vec<Vec<u8>>, BodyError> {
        report::rows(body, self.separator, body.len(), missing)
    }

    pub(super) fn row(self, raw: &[u8]) -> Result<Row, ItemError> {
        Row::separated(raw, self.separator)
    }
}

/// Whether a body or an item, or the beginning of a file, is JSON and no row.
pub fn is_json(raw: &[u8]) -> bool {
    let first = without_mark(raw).trim_ascii_start().first();
    matches!(first, Some(b'{' | b'['))
}

/// A row as an object. Of columns with one name the last that is filled holds.
pub(super) fn object(row: &Row) -> Value {
    let members: Map<String, Value> = row
        .texts()
        .map(|(column, cell)| {
            let text = storable(&cell).into_owned();
            (column.into_owned(), Value::String(text))
        })
        .collect();
    Value::Object(members)
}

/// What every row of a file must be able to say, and which of it no column says.
pub(super) fn missing(
    event: Option<&Event>,
    agents: Option<&AgentStates>,
    columns: &[Cow<'_, str>],
) -> Option<String> {
    let lacks = |source: &Source| {
        let is_there = |column: &Cow<'_, str>| source.is_in(column);
        let found = source.default.is_some() || columns.iter().any(is_there);
        (!found).then(|| source.place())
    };
    let timed = |time: &Time| lacks(&time.source);
    let of_event = event.map(|event| {
        lacks(&event.interaction)
            .or_else(|| timed(&event.at))
            .or_else(|| lacks(&event.state.source))
    });
    let of_agents = agents.map(|states| lacks(&states.agent).or_else(|| timed(&states.at)));
    // A file may be about either.
    match (of_event, of_agents) {
        (Some(missing), None) | (None, Some(missing)) => missing,
        (Some(missing), Some(others)) => missing.filter(|_| others.is_some()),
        (None, None) => None,
    }
}
