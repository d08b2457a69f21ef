//! One error type, and the one place where a SQLSTATE is given a meaning.

use crate::definitions::Status;
use crate::trust;
use deadpool_postgres::PoolError;
use schema::{MetricVersion, UtcMicros};
use std::fmt;
use tokio_postgres::error::SqlState;

/// What a caller should do about an error. Loops match on this and on nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Try again after a pause: the server is away, restarting, or chose us as the victim of a conflict.
    Transient,
    /// Our own connections are all in use: try again, raise no alarm.
    Saturated,
    /// The data cannot be stored, now or later: isolate the item and quarantine it.
    Rejected,
    /// Nobody but an operator can mend it: wrong configuration, missing schema, missing right.
    Fatal,
}

/// Something about PostgreSQL went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database URL cannot be read.
    #[error("the database URL is not valid: look at {why}")]
    Url {
        /// Where to look. Nothing of the URL is repeated, which may hold a password.
        why: &'static str,
    },
    /// The URL asks for what is not offered, or for two things at once.
    #[error("the database URL: {what}")]
    TlsAsked {
        /// What to change.
        what: &'static str,
    },
    /// A file of certificates or keys cannot be used.
    #[error("TLS for the database could not be set up")]
    TlsFiles(#[source] tls::TlsError),
    /// TLS refused the server, or the server refused us.
    #[error(
        "no trusted connection to the database: {advice} (our side: --database-ca-file, --database-client-certificate, --database-client-key)"
    )]
    Untrusted {
        /// What to do.
        advice: String,
        /// What the driver said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A connection could not be opened.
    #[error("no connection to the database")]
    Connect(#[source] tokio_postgres::Error),
    /// No pooled connection became free in time.
    #[error("no pooled connection became free within {within_ms} ms")]
    PoolExhausted {
        /// How long was waited.
        within_ms: u128,
    },
    /// The pool could not hand out a connection.
    #[error("the connection pool failed")]
    Pool(#[source] PoolError),
    /// A statement failed.
    #[error("could not {step}")]
    Query {
        /// What was being attempted.
        step: &'static str,
        /// What the server or the driver said.
        #[source]
        source: ServerError,
    },
    /// The server did not answer in time, although it should have ended the statement by itself. The connection is given up.
    #[error("could not {step}: no answer within {within_ms} ms")]
    Deadline {
        /// What was being attempted.
        step: &'static str,
        /// How long was waited.
        within_ms: u128,
    },
    /// An instant no partition is made for.
    #[error(
        "the instant {instant:?} (microseconds since 1970) is implausible: months from 2000-01 to about a month ahead of now are kept"
    )]
    Implausible {
        /// The instant.
        instant: UtcMicros,
    },
    /// U+0000 in a column that PostgreSQL compares.
    #[error("{column} contains U+0000, which PostgreSQL text cannot hold")]
    Nul {
        /// The column.
        column: &'static str,
    },
    /// NaN or infinity.
    #[error("{metric} of interaction {interaction} is not a finite number")]
    NotFinite {
        /// The metric.
        metric: String,
        /// The interaction.
        interaction: String,
    },
    /// NaN or infinity in a window.
    #[error("{metric} of the group {group_key} by {group_by} is not a finite number")]
    WindowNotFinite {
        /// The metric.
        metric: String,
        /// The dimensions.
        group_by: String,
        /// Their values.
        group_key: String,
    },
    /// A row that must be there is not: it went between two statements.
    #[error("could not {step}: a row vanished meanwhile")]
    Vanished {
        /// What was being attempted.
        step: &'static str,
    },
    /// A stored value is not what this release writes.
    #[error("{column} holds {value:?}, which this release does not know")]
    Unreadable {
        /// The column.
        column: &'static str,
        /// The value found.
        value: String,
    },
    /// The name of a target is taken by another organisation.
    #[error("target {target} belongs to tenant {owner}; one of tenant {tenant} needs another name")]
    OtherTenant {
        /// The target.
        target: String,
        /// The tenant it was registered for.
        owner: String,
        /// The tenant asked for now.
        tenant: String,
    },
    /// The version that dashboards see cannot be switched off.
    #[error("{name}@{version} is the current version; promote another one first")]
    CurrentVersion {
        /// The KPI.
        name: String,
        /// The version.
        version: MetricVersion,
    },
    /// Only a version that is computed can be shown.
    #[error("{name}@{version} is {}, and only a candidate can be promoted", .status.map_or("not there", Status::as_str))]
    NotCandidate {
        /// The KPI.
        name: String,
        /// The version.
        version: MetricVersion,
        /// What it is instead; none: there is no such version.
        status: Option<Status>,
    },
    /// The role that migrates may not make others.
    #[error(
        "the roles cannot be made: the role that migrates has no CREATEROLE. Give it that (ALTER ROLE … CREATEROLE), or have an administrator run deploy/postgres/roles.sql and migrate again without --create-roles"
    )]
    MayNotCreateRoles {
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// An applied migration file is not the one this binary carries.
    #[error(
        "migration {version:04} ({name}) was applied with checksum {applied}, this binary carries {carried}: an applied file must not change"
    )]
    ChecksumChanged {
        /// The number of the file.
        version: i32,
        /// The file's name.
        name: String,
        /// The checksum in the database.
        applied: String,
        /// The checksum of the embedded file.
        carried: String,
    },
    /// A migration file failed.
    #[error("migration {version:04} ({name}) failed")]
    Migration {
        /// The number of the file.
        version: i32,
        /// The file's name.
        name: &'static str,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
}

/// What the server or the driver said about a statement, without the row: the server's details of a violated constraint repeat the row's
/// values, and with them personal data.
pub struct ServerError(tokio_postgres::Error);

impl ServerError {
    /// The whole error, details included: not for a log.
    pub fn whole(&self) -> &tokio_postgres::Error {
        &self.0
    }
}

impl From<tokio_postgres::Error> for ServerError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_db_error() {
            Some(db) if *db.code() == SqlState::UNDEFINED_TABLE => write!(
                f,
                "{}: {}: the database has no schema yet, or an older one: run `ingest migrate` first",
                db.severity(),
                db.message()
            ),
            Some(db) => write!(f, "{}: {}", db.severity(), db.message()),
            None => self.0.fmt(f),
        }
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_db_error() {
            Some(db) => f
                .debug_struct("ServerError")
                .field("code", db.code())
                .field("message", &db.message())
                .finish_non_exhaustive(),
            None => self.0.fmt(f),
        }
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.0.as_db_error() {
            Some(_) => None,
            None => std::error::Error::source(&self.0),
        }
    }
}

impl StoreError {
    /// A connection could not be opened.
    pub(crate) fn connect(source: tokio_postgres::Error) -> Self {
        match trust::advice(&source) {
            Some(advice) => Self::Untrusted { advice, source },
            None => Self::Connect(source),
        }
    }

    /// The same by the pool.
    pub(crate) fn backend(source: tokio_postgres::Error) -> Self {
        match trust::advice(&source) {
            Some(advice) => Self::Untrusted { advice, source },
            None => Self::Pool(PoolError::Backend(source)),
        }
    }

    /// A statement failed.
    pub(crate) fn query(step: &'static str, source: tokio_postgres::Error) -> Self {
        Self::Query {
            step,
            source: source.into(),
        }
    }

    /// What to do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Url { .. }
            | Self::TlsAsked { .. }
            | Self::TlsFiles(_)
            | Self::Unreadable { .. }
            | Self::OtherTenant { .. }
            | Self::MayNotCreateRoles { .. }
            | Self::ChecksumChanged { .. }
            | Self::Migration { .. } => Class::Fatal,
            Self::Connect(source) | Self::Untrusted { source, .. } => classify(source),
            Self::Query { source, .. } => classify(source.whole()),
            Self::PoolExhausted { .. } => Class::Saturated,
            Self::Pool(source) => match source {
                PoolError::Backend(source) => classify(source),
                PoolError::Timeout(_) | PoolError::PostCreateHook(_) => Class::Transient,
                PoolError::Closed | PoolError::NoRuntimeSpecified => Class::Fatal,
            },
            Self::Deadline { .. } | Self::Vanished { .. } => Class::Transient,
            Self::Implausible { .. }
            | Self::Nul { .. }
            | Self::NotFinite { .. }
            | Self::WindowNotFinite { .. }
            | Self::CurrentVersion { .. }
            | Self::NotCandidate { .. } => Class::Rejected,
        }
    }

    /// Whether a row had no month to go to: retention dropped one that was known to exist. The caller rolls back, calls
    /// [`crate::partitions::Partitions::forget`] and tries again.
    pub fn is_missing_partition(&self) -> bool {
        match self {
            Self::Query { source, .. } => missing_partition(source.whole()),
            _ => false,
        }
    }

    /// Whether the statement was ended because it took too long.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        matches!(self, Self::Deadline { .. }) || self.sqlstate() == Some("57014")
    }

    /// The SQLSTATE, if the server stated one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Connect(source)
            | Self::Migration { source, .. }
            | Self::Pool(PoolError::Backend(source)) => source.code().map(SqlState::code),
            Self::Query { source, .. } => source.whole().code().map(SqlState::code),
            _ => None,
        }
    }
}

/// A check violation without a constraint's name is the router's: no partition takes the row.
fn missing_partition(error: &tokio_postgres::Error) -> bool {
    error
        .as_db_error()
        .is_some_and(|db| *db.code() == SqlState::CHECK_VIOLATION && db.constraint().is_none())
}

/// Whether the connection is of no use any more: its prepared statements cannot be relied on (a type changed under a plan, or a pooler
/// swapped sessions), or its server is none that can be written to: the primary is elsewhere now, and a new connection finds it.
pub(crate) fn spoils_connection(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(spoils)
}

fn spoils(code: &SqlState) -> bool {
    [
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INVALID_SQL_STATEMENT_NAME,
        SqlState::READ_ONLY_SQL_TRANSACTION,
    ]
    .contains(code)
}

/// What to do about an error of the driver.
pub(crate) fn classify(error: &tokio_postgres::Error) -> Class {
    let Some(code) = error.code() else {
        return without_code(error);
    };
    if missing_partition(error) {
        return Class::Transient;
    }
    classify_code(code.code())
}

/// Errors of the driver and of the network: these pass, except a type the statement does not take and a server we do not trust.
fn without_code(error: &tokio_postgres::Error) -> Class {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<tokio_postgres::types::WrongType>() || tls::is_distrust(cause) {
            return Class::Fatal;
        }
        source = cause.source();
    }
    Class::Transient
}

fn classify_code(code: &str) -> Class {
    match code {
        // Too many connections: the server's pool is full, not ours, and the remedy is the same.
        "53300" => Class::Saturated,
        // A row or key longer than an index allows is the row's fault.
        code if code.starts_with("54") => Class::Rejected,
        // cached plan must not change result type; prepared statement does not exist; lock, statement and idle time-outs;
        // read-only while a standby takes over; shutting down, starting up.
        "0A000" | "26000" | "55P03" | "55006" | "57014" | "25P03" | "25P04" | "25006" | "57P01"
        | "57P02" | "57P03" | "57P05" | "XX000" => Class::Transient,
        code => match code.get(..2).unwrap_or_default() {
            // Connection; conflict between transactions; resources; input and output.
            "08" | "40" | "53" | "58" => Class::Transient,
            // Data; constraint; raised on purpose.
            "22" | "23" | "P0" => Class::Rejected,
            _ => Class::Fatal,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, classify_code, spoils};
    use tokio_postgres::error::SqlState;

    #[test]
    fn a_connection_to_what_is_no_primary_any_more_is_given_up() {
        assert!(spoils(&SqlState::from_code("25006")));
        assert!(spoils(&SqlState::from_code("26000")));
        assert!(!spoils(&SqlState::from_code("40001")));
    }

    #[test]
    fn every_kind_of_sqlstate_has_its_class() {
        let cases = [
            (
                Class::Transient,
                &[
                    "08006", "40001", "40P01", "57P01", "57P03", "57014", "55P03", "25P03",
                    "25006", "53100", "58030", "0A000", "26000",
                ][..],
            ),
            (Class::Saturated, &["53300"][..]),
            (
                Class::Rejected,
                &["22021", "22P05", "22003", "23514", "23505", "54000"][..],
            ),
            (
                Class::Fatal,
                &["42P01", "42501", "28P01", "3D000", "42601", "XX001", ""][..],
            ),
        ];
        for (class, codes) in cases {
            for code in codes {
                assert_eq!(classify_code(code), class, "{code}");
            }
        }
    }
}
