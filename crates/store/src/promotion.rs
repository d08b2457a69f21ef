//! Whether a candidate may be shown in place of the current version, decided in one place for whoever promotes: a person by command, or
//! a job that was told to when it is done.
//!
//! Looking takes long and keeps nobody out; it holds only while the catalogue is the one that was looked at, which [`switch`] makes sure
//! of. Whatever is computed meanwhile is computed under both versions.

use crate::definitions::{self, Coverage, Promoted, Status};
use crate::error::StoreError;
use crate::marks::{self, Kind};
use crate::pool::{Client, Connection};
use schema::MetricVersion;

/// What is marked of a time before so many seconds ago is no news under way.
pub const PAST_SECONDS: u32 = 3600;

/// What was found out about a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Dashboards see it already.
    Current,
    /// It may be shown, as long as the catalogue is of this generation.
    Ready {
        /// The generation that was looked at.
        generation: i64,
    },
    /// It may not, or not yet.
    Refused(Refusal),
}

/// Why a version is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such version.
    Missing,
    /// It is not computed: a draft, or retired.
    NotCandidate(Status),
    /// Of what the current version has, or where there is none of what ended, not all was computed.
    Incomplete {
        /// The version that dashboards see.
        current: Option<MetricVersion>,
        /// What is missing.
        coverage: Coverage,
    },
    /// Marks about the past wait to be computed, by kind.
    WindowsBehind(Vec<(Kind, i64)>),
    /// Somebody else changed the catalogue between the look and the switch.
    Changed,
}

impl Refusal {
    /// Whether it may come right by itself, by waiting.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Incomplete { .. } | Self::WindowsBehind(_) | Self::Changed => true,
            Self::Missing | Self::NotCandidate(_) => false,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such version"),
            Self::NotCandidate(status) => write!(f, "it is {status} and not computed"),
            Self::Incomplete { current, coverage } => {
                let (missing, rows) = (coverage.missing, coverage.current_rows);
                match current {
                    Some(current) => write!(
                        f,
                        "{missing} of {rows} rows of version {current} belong to interactions that it was not computed for"
                    ),
                    None => write!(
                        f,
                        "it was not computed for {missing} of {rows} interactions that ended"
                    ),
                }
            }
            Self::WindowsBehind(waiting) => {
                f.write_str("windows of the past are not computed yet:")?;
                for (n, (kind, marks)) in waiting.iter().enumerate() {
                    let comma = if n == 0 { "" } else { "," };
                    write!(f, "{comma} {marks} marks of kind {} wait", kind.as_str())?;
                }
                Ok(())
            }
            Self::Changed => f.write_str("somebody else changed the catalogue meanwhile"),
        }
    }
}

/// Whether this version may be shown. `windows`: whether it has any, so that what waits to be computed of them counts.
pub async fn look(
    conn: &impl Connection,
    name: &str,
    version: MetricVersion,
    windows: bool,
) -> Result<Verdict, StoreError> {
    let generation = definitions::generation(conn).await?;
    let all = definitions::list(conn).await?;
    let of_name = || all.iter().filter(|row| row.name == name);
    let Some(row) = of_name().find(|row| row.version == version) else {
        return Ok(Verdict::Refused(Refusal::Missing));
    };
    match row.status {
        Status::Current => return Ok(Verdict::Current),
        Status::Candidate => {}
        other => return Ok(Verdict::Refused(Refusal::NotCandidate(other))),
    }
    let current = of_name()
        .find(|row| row.status == Status::Current)
        .map(|row| row.version);
    let coverage = definitions::coverage(conn, name, current, version).await?;
    if coverage.missing > 0 {
        return Ok(Verdict::Refused(Refusal::Incomplete { current, coverage }));
    }
    if windows {
        let waiting = marks::of_the_past(conn, PAST_SECONDS).await?;
        if !waiting.is_empty() {
            return Ok(Verdict::Refused(Refusal::WindowsBehind(waiting)));
        }
    }
    Ok(Verdict::Ready { generation })
}

/// Makes dashboards see a version that [`look`] found ready, from one moment to the next.
///
/// `Err(Refusal::Changed)` inside: the catalogue is another one by now; look again.
pub async fn switch(
    client: &mut Client,
    generation: i64,
    name: &str,
    version: MetricVersion,
) -> Result<Result<Promoted, Refusal>, StoreError> {
    let tx = client.transaction().await?;
    if definitions::change(&tx).await? != generation + 1 {
        tx.rollback().await?;
        return Ok(Err(Refusal::Changed));
    }
    let promoted = definitions::promote(&tx, name, version).await?;
    tx.commit().await?;
    Ok(Ok(promoted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_is_missing_and_whether_waiting_helps() {
        let incomplete = Refusal::Incomplete {
            current: Some(MetricVersion(1)),
            coverage: Coverage {
                current_rows: 10,
                missing: 3,
                example: None,
                span: None,
            },
        };
        assert!(
            incomplete
                .to_string()
                .starts_with("3 of 10 rows of version 1 ")
        );
        let behind = Refusal::WindowsBehind(vec![(Kind::Cell, 2), (Kind::Group, 1)]);
        assert!(
            behind
                .to_string()
                .ends_with("2 marks of kind cell wait, 1 marks of kind group wait")
        );
        assert!(incomplete.may_pass() && behind.may_pass() && Refusal::Changed.may_pass());
        assert!(!Refusal::Missing.may_pass());
        assert!(!Refusal::NotCandidate(Status::Draft).may_pass());
    }
}
