//! The rows of `backfill_jobs` as they are given and read.

use crate::chunks::NewChunk;
use crate::error::StoreError;
use crate::metrics::version;
use crate::sql::{self, Sql};
use crate::types::{Instant, JsonText};
use schema::{JobId, MetricVersion, UtcMicros};
use tokio_postgres::Row;

/// A word of a column, or the error that names it.
pub(crate) fn word<T>(
    column: &'static str,
    text: String,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    parse(&text).ok_or(StoreError::Unreadable {
        column,
        value: text,
    })
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Waits for a worker.
    Pending,
    /// Someone has the lease, or had it and died; of a chunked job: a worker has taken a chunk.
    Running,
    /// It rests until someone lets it go on.
    Paused,
    /// All its chunks have ended, and what follows from them is under way.
    Settling,
    /// Ended well.
    Done,
    /// Ended badly; the error says why.
    Failed,
    /// An operator stopped it.
    Cancelled,
}

impl State {
    /// Whether nothing more comes of it.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Settling => "settling",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Running,
            Self::Paused,
            Self::Settling,
            Self::Done,
            Self::Failed,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $column:literal, $($(#[$of:meta])* $variant:ident $word:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$of])* $variant),*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As it is stored.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }

            /// From the word that is stored.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.as_str() == text)
            }

            fn read(text: String) -> Result<Self, StoreError> {
                word($column, text, Self::parse)
            }
        }
    };
}

words! {
    /// What a job is for.
    Purpose, "backfill_jobs.purpose",
    /// An operator or a program asked for it.
    Job "job",
    /// It keeps fetching the newest stretch of a platform that pushes nothing.
    Follow "follow",
    /// It fetches the last days anew, because platforms revise them.
    Settlement "settlement",
    /// It asks for single interactions.
    Lookup "lookup",
    /// It fetches a stretch in which a subscription did not deliver.
    Gap "gap",
}

words! {
    /// Which queues its pages go through.
    Lane, "backfill_jobs.lane",
    /// Beside live traffic and after it.
    History "history",
    /// As live traffic.
    Live "live",
}

words! {
    /// What becomes of its version once it is complete.
    Promote, "backfill_jobs.promote",
    /// An operator is told that it can be promoted.
    Offer "offer",
    /// It is promoted.
    Auto "auto",
    /// Nothing.
    Never "never",
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
    /// The stretch it is for, half-open, if it is for one.
    pub stretch: Option<(UtcMicros, UtcMicros)>,
    /// What becomes of its version.
    pub promote: Promote,
}

/// A job for any number of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewChunkedJob<'a> {
    /// Its source: `genesys-conversations`, `cxone-contacts` …
    pub kind: &'a str,
    /// The organisation; none: all.
    pub tenant: Option<&'a str>,
    /// Which entry of the platforms file it asks; none: no platform is asked.
    pub platform: Option<&'a str>,
    /// The version it is for.
    pub metric_version: MetricVersion,
    /// What to do, as a JSON object.
    pub params_json: &'a str,
    /// Where the stretch it is for begins.
    pub from: Option<UtcMicros>,
    /// Where it ends, exclusive.
    pub to: Option<UtcMicros>,
    /// The KPIs its results are wanted of; empty: all.
    pub kpis: &'a [String],
    /// What it is for.
    pub purpose: Purpose,
    /// Which queues its pages go through.
    pub lane: Lane,
    /// What becomes of its version.
    pub promote: Promote,
    /// It is given further chunks for as long as nobody cancels it, and so never settles.
    pub standing: bool,
    /// Of the message that asked for it: asked twice is one job.
    pub request_id: Option<&'a str>,
    /// Its chunks, numbered from 0 in this order. None at all, unless it is standing: it has nothing to do and settles at once.
    pub chunks: &'a [NewChunk],
}

/// What came of creating a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was created.
    New(JobId),
    /// It was asked for before; nothing was written.
    Existing(JobId),
}

impl Created {
    /// The job either way.
    pub const fn id(self) -> JobId {
        match self {
            Self::New(id) | Self::Existing(id) => id,
        }
    }
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
    /// Everything was published, and what follows from it is left: see [`settle_one`](super::settle_one).
    Settle {
        /// What is known so far, as a JSON object; the job's report takes its place.
        report_json: &'a str,
    },
    /// It goes on later, from its cursor: the worker stops in good order.
    Later,
}

impl<'a> Finish<'a> {
    pub(super) fn parts(self) -> (State, Option<&'a str>, Option<&'a str>) {
        match self {
            Self::Done { report_json } => (State::Done, report_json, None),
            Self::Failed { error } => (State::Failed, None, Some(error)),
            Self::Settle { report_json } => (State::Settling, Some(report_json), None),
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
    /// Items done; of a chunked job: chunks.
    pub done: i64,
    /// Items in all, if known; of a chunked job: the chunks it was given so far.
    pub total: Option<i64>,
    /// A JSON object, once there is one.
    pub report_json: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Which entry of the platforms file it asks.
    pub platform: Option<String>,
    /// Where the stretch it is for begins.
    pub from: Option<UtcMicros>,
    /// Where it ends, exclusive.
    pub to: Option<UtcMicros>,
    /// The KPIs its results are wanted of; empty: all.
    pub kpis: Vec<String>,
    /// What it is for.
    pub purpose: Purpose,
    /// Which queues its pages go through.
    pub lane: Lane,
    /// What becomes of its version once it is complete.
    pub promote: Promote,
    /// Worked on by any number of workers, chunk by chunk. False: by one command in the foreground.
    pub chunked: bool,
    /// It is given further chunks for as long as nobody cancels it.
    pub standing: bool,
    /// Of the message that asked for it.
    pub request_id: Option<String>,
    /// Why it is paused.
    pub paused_for: Option<String>,
    /// When it was created.
    pub created_at: UtcMicros,
    /// When a worker first took it.
    pub started_at: Option<UtcMicros>,
    /// When it was last written.
    pub updated_at: UtcMicros,
    /// When it ended.
    pub finished_at: Option<UtcMicros>,
}

impl Job {
    /// The version that is to be evaluated for what it brings, beside those that are switched on. Only a job that somebody asked for names one:
    /// what keeps going by itself brings news, as live traffic does, and must not revive a version that was retired.
    #[must_use]
    pub fn asks_for_version(&self) -> Option<MetricVersion> {
        (self.purpose == Purpose::Job).then_some(self.metric_version)
    }

    /// How many columns it has.
    pub(crate) const COLUMNS: usize = 27;

    pub(crate) fn read(row: &Row, sql: &Sql) -> Result<Self, StoreError> {
        let instant = |column| -> Result<Option<UtcMicros>, StoreError> {
            Ok(sql::get::<Option<Instant>>(row, sql, column)?.map(|at| at.0))
        };
        Ok(Self {
            id: JobId(sql::get(row, sql, 0)?),
            kind: sql::get(row, sql, 1)?,
            tenant: sql::get(row, sql, 2)?,
            metric_version: version(sql::get(row, sql, 3)?)?,
            params_json: sql::get::<JsonText>(row, sql, 4)?.0,
            state: word("backfill_jobs.state", sql::get(row, sql, 5)?, State::parse)?,
            lease_owner: sql::get(row, sql, 6)?,
            cursor_json: sql::get::<Option<JsonText>>(row, sql, 7)?.map(|text| text.0),
            done: sql::get(row, sql, 8)?,
            total: sql::get(row, sql, 9)?,
            report_json: sql::get::<Option<JsonText>>(row, sql, 10)?.map(|text| text.0),
            error: sql::get(row, sql, 11)?,
            created_at: sql::get::<Instant>(row, sql, 12)?.0,
            started_at: instant(13)?,
            finished_at: instant(14)?,
            platform: sql::get(row, sql, 15)?,
            from: instant(16)?,
            to: instant(17)?,
            kpis: sql::get(row, sql, 18)?,
            purpose: Purpose::read(sql::get(row, sql, 19)?)?,
            lane: Lane::read(sql::get(row, sql, 20)?)?,
            promote: Promote::read(sql::get(row, sql, 21)?)?,
            chunked: sql::get(row, sql, 22)?,
            standing: sql::get(row, sql, 23)?,
            request_id: sql::get(row, sql, 24)?,
            paused_for: sql::get(row, sql, 25)?,
            updated_at: sql::get::<Instant>(row, sql, 26)?.0,
        })
    }
}
