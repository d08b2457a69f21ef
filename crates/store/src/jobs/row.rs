//! The rows of `backfill_jobs` as they are given and read.

use crate::error::StoreError;
use crate::metrics::version;
use crate::sql::{self, Sql};
use crate::types::{Instant, JsonText};
use schema::{JobId, MetricVersion, UtcMicros};
use tokio_postgres::Row;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Waits for a worker.
    Pending,
    /// Someone has the lease, or had it and died.
    Running,
    /// Ended well.
    Done,
    /// Ended badly; the error says why.
    Failed,
    /// An operator stopped it.
    Cancelled,
}

impl State {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Running,
            Self::Done,
            Self::Failed,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }
}

/// A job to create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewJob<'a> {
    /// `replay`, `import`, `pull` …
    pub kind: &'a str,
    /// The organisation; none: all.
    pub tenant: Option<&'a str>,
    /// The version it is for.
    pub metric_version: MetricVersion,
    /// What to do, as a JSON object.
    pub params_json: &'a str,
    /// How many items there will be, if known.
    pub total: Option<i64>,
}

/// How a worker leaves a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish<'a> {
    /// All is done.
    Done {
        /// A JSON object, if there is something to report.
        report_json: Option<&'a str>,
    },
    /// It cannot be done.
    Failed {
        /// Why.
        error: &'a str,
    },
    /// It goes on later, from its cursor: the worker stops in good order.
    Later,
}

impl<'a> Finish<'a> {
    pub(super) fn parts(self) -> (State, Option<&'a str>, Option<&'a str>) {
        match self {
            Self::Done { report_json } => (State::Done, report_json, None),
            Self::Failed { error } => (State::Failed, None, Some(error)),
            Self::Later => (State::Pending, None, None),
        }
    }
}

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// `replay`, `import`, `pull` …
    pub kind: String,
    /// The organisation; none: all.
    pub tenant: Option<String>,
    /// The version it is for.
    pub metric_version: MetricVersion,
    /// What to do, as a JSON object.
    pub params_json: String,
    /// Where it stands.
    pub state: State,
    /// Who has or had the lease.
    pub lease_owner: Option<String>,
    /// How far it is, as JSON; the kind knows how to read it.
    pub cursor_json: Option<String>,
    /// Items done.
    pub done: i64,
    /// Items in all, if known.
    pub total: Option<i64>,
    /// A JSON object, once there is one.
    pub report_json: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was created.
    pub created_at: UtcMicros,
    /// When a worker first took it.
    pub started_at: Option<UtcMicros>,
    /// When it ended.
    pub finished_at: Option<UtcMicros>,
}

impl Job {
    pub(super) fn read(row: &Row, sql: &Sql) -> Result<Self, StoreError> {
        let state: String = sql::get(row, sql, 5)?;
        Ok(Self {
            id: JobId(sql::get(row, sql, 0)?),
            kind: sql::get(row, sql, 1)?,
            tenant: sql::get(row, sql, 2)?,
            metric_version: version(sql::get(row, sql, 3)?)?,
            params_json: sql::get::<JsonText>(row, sql, 4)?.0,
            state: State::parse(&state).ok_or(StoreError::Unreadable {
                column: "backfill_jobs.state",
                value: state,
            })?,
            lease_owner: sql::get(row, sql, 6)?,
            cursor_json: sql::get::<Option<JsonText>>(row, sql, 7)?.map(|text| text.0),
            done: sql::get(row, sql, 8)?,
            total: sql::get(row, sql, 9)?,
            report_json: sql::get::<Option<JsonText>>(row, sql, 10)?.map(|text| text.0),
            error: sql::get(row, sql, 11)?,
            created_at: sql::get::<Instant>(row, sql, 12)?.0,
            started_at: sql::get::<Option<Instant>>(row, sql, 13)?.map(|at| at.0),
            finished_at: sql::get::<Option<Instant>>(row, sql, 14)?.map(|at| at.0),
        })
    }
}
