//! The rows of `kpi_definitions` and `kpi_promotions` as they are given and read.

use crate::error::StoreError;
use crate::metrics::version;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{MetricVersion, UtcMicros};
use std::fmt;
use tokio_postgres::Row;

/// What is done with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Stored only.
    Draft,
    /// Computed beside the current version.
    Candidate,
    /// Computed, and what dashboards see: at most one version of a name.
    Current,
    /// No longer computed, but where a job asks for its version.
    Retired,
}

impl Status {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Candidate => "candidate",
            Self::Current => "current",
            Self::Retired => "retired",
        }
    }

    /// Whether every session that has news is evaluated under it.
    pub const fn is_switched_on(self) -> bool {
        matches!(self, Self::Candidate | Self::Current)
    }

    pub(super) fn read(text: &str) -> Result<Self, StoreError> {
        [Self::Draft, Self::Candidate, Self::Current, Self::Retired]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| StoreError::Unreadable {
                column: "kpi_definitions.status",
                value: text.to_owned(),
            })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A definition to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewDefinition<'a> {
    /// The KPI: what its rows in `computed_metrics` have as metric type.
    pub name: &'a str,
    /// The version, 1 to 32767.
    pub version: MetricVersion,
    /// The unit of its values: `seconds`, `count` …
    pub unit: &'a str,
    /// The definition's TOML.
    pub text: &'a str,
    /// SHA-256 of its content.
    pub digest: &'a [u8],
}

/// A definition as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDefinition {
    /// The KPI.
    pub name: String,
    /// The version.
    pub version: MetricVersion,
    /// The unit of its values.
    pub unit: String,
    /// The definition's TOML; empty for a row that an early release seeded.
    pub text: String,
    /// SHA-256 of its content, where there is a text.
    pub digest: Option<Vec<u8>>,
    /// What is done with it.
    pub status: Status,
    /// When it was stored.
    pub created_at: UtcMicros,
    /// When it was last switched on.
    pub activated_at: Option<UtcMicros>,
    /// The catalogue's generation in which it was last switched on; 0: since ever.
    pub activated_generation: i64,
    /// Names that activation: renewed whenever it is switched on.
    pub activation_id: i64,
    /// Names (name, version) where there are many of it: in window items and cells.
    pub definition_id: i32,
}

impl StoredDefinition {
    pub(super) fn read(row: &Row, sql: &Sql) -> Result<Self, StoreError> {
        Ok(Self {
            name: sql::get(row, sql, 0)?,
            version: version(sql::get(row, sql, 1)?)?,
            unit: sql::get(row, sql, 2)?,
            text: sql::get(row, sql, 3)?,
            digest: sql::get(row, sql, 4)?,
            status: Status::read(sql::get(row, sql, 5)?)?,
            created_at: sql::get::<Instant>(row, sql, 6)?.0,
            activated_at: sql::get::<Option<Instant>>(row, sql, 7)?.map(|at| at.0),
            activated_generation: sql::get(row, sql, 8)?,
            activation_id: sql::get(row, sql, 9)?,
            definition_id: sql::get(row, sql, 10)?,
        })
    }
}

/// What became of a versioned document that was to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// It is stored now.
    New,
    /// The same content was stored under this number already.
    Same,
    /// Other content has this number; it stays, and the new one needs another number.
    Differs {
        /// The digest of what is stored; empty where none is.
        digest: Vec<u8>,
    },
}

impl Inserted {
    /// The verdict on a document whose number is taken.
    pub(crate) fn compared(stored: Option<&[u8]>, given: &[u8]) -> Self {
        if stored == Some(given) {
            Self::Same
        } else {
            Self::Differs {
                digest: stored.unwrap_or_default().to_vec(),
            }
        }
    }
}

/// What a promotion replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promoted {
    /// The version that was current before, if one was.
    pub previous: Option<MetricVersion>,
}

/// A change of the version that dashboards see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promotion {
    /// The version that became current; none: the current one was withdrawn.
    pub version: Option<MetricVersion>,
    /// The version that was current before, if one was.
    pub previous: Option<MetricVersion>,
    /// When.
    pub at: UtcMicros,
    /// The catalogue's generation that the change made.
    pub generation: i64,
}
