//! The rows of `window_items` as they are given and read.

use super::packed;
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use tokio_postgres::Row;

/// Whose contribution it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// An interaction's.
    Interaction,
    /// Of an agent's time.
    Agent,
    /// Of a contact among the contacts of its customer; the subject is the interaction.
    Journey,
}

impl Source {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interaction => "interaction",
            Self::Agent => "agent",
            Self::Journey => "journey",
        }
    }
}

/// What one subject adds to one cell in one group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// The interaction or the agent.
    pub subject: String,
    /// Start of the quarter hour.
    pub cell: UtcMicros,
    /// Tells apart what one subject adds to one cell in several groups.
    pub ordinal: i16,
    /// The agent of the group; none: absent.
    pub agent_id: Option<String>,
    /// The queue.
    pub queue_id: Option<String>,
    /// The media.
    pub media: Option<String>,
    /// `inbound` or `outbound`.
    pub direction: Option<String>,
    /// The team.
    pub team: Option<String>,
    /// A JSON object, always written the same way: it is compared byte for byte.
    pub attributes: Option<String>,
    /// Definition, scaled sum and weight, ascending.
    pub measures: Vec<(i32, i64, i64)>,
}

/// An [`Item`] while its row is at hand, of what sums need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemRef<'a> {
    /// Start of the quarter hour.
    pub cell: UtcMicros,
    /// The agent of the group; none: absent.
    pub agent_id: Option<&'a str>,
    /// The queue.
    pub queue_id: Option<&'a str>,
    /// The media.
    pub media: Option<&'a str>,
    /// `inbound` or `outbound`.
    pub direction: Option<&'a str>,
    /// The team.
    pub team: Option<&'a str>,
    /// A JSON object.
    pub attributes: Option<&'a str>,
    /// Definition, scaled sum and weight, ascending.
    pub measures: &'a [(i32, i64, i64)],
}

impl Item {
    pub(super) fn no_nul(&self) -> Result<(), StoreError> {
        no_nul("subject", &self.subject)?;
        let optional = [
            ("agent_id", &self.agent_id),
            ("queue_id", &self.queue_id),
            ("media", &self.media),
            ("direction", &self.direction),
            ("team", &self.team),
            ("attributes", &self.attributes),
        ];
        for (column, text) in optional {
            no_nul(column, text.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }

    /// From the columns subject, cell, ordinal, agent, queue, media, direction, team, attributes, measures, the first of them at `at`.
    pub(super) fn read(row: &Row, sql: &Sql, at: usize) -> Result<Self, StoreError> {
        let mut measures = Vec::new();
        packed::unpack(sql::get(row, sql, at + 9)?, &mut measures)?;
        Ok(Self {
            subject: sql::get(row, sql, at)?,
            cell: sql::get::<Instant>(row, sql, at + 1)?.0,
            ordinal: sql::get(row, sql, at + 2)?,
            agent_id: sql::get(row, sql, at + 3)?,
            queue_id: sql::get(row, sql, at + 4)?,
            media: sql::get(row, sql, at + 5)?,
            direction: sql::get(row, sql, at + 6)?,
            team: sql::get(row, sql, at + 7)?,
            attributes: sql::get(row, sql, at + 8)?,
            measures,
        })
    }
}

impl<'a> ItemRef<'a> {
    /// From the columns cell, agent, queue, media, direction, team, attributes, measures.
    pub(super) fn read(
        row: &'a Row,
        sql: &Sql,
        measures: &'a mut Vec<(i32, i64, i64)>,
    ) -> Result<Self, StoreError> {
        measures.clear();
        packed::unpack(sql::get(row, sql, 7)?, measures)?;
        Ok(Self {
            cell: sql::get::<Instant>(row, sql, 0)?.0,
            agent_id: sql::get(row, sql, 1)?,
            queue_id: sql::get(row, sql, 2)?,
            media: sql::get(row, sql, 3)?,
            direction: sql::get(row, sql, 4)?,
            team: sql::get(row, sql, 5)?,
            attributes: sql::get(row, sql, 6)?,
            measures,
        })
    }
}
