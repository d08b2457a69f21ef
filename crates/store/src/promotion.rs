//! Whether a candidate may be shown in place of the current version, decided in one place for whoever promotes: a person by command, or
//! a job that was told to when it is done.
//!
//! Looking takes long and keeps nobody out; it holds only while the catalogue is the one that was looked at, which [`switch`] makes sure
//! of. Whatever is computed meanwhile is computed under both versions.

use crate::definitions::{self, Coverage, Promoted, Status, StoredDefinition};
use crate::error::StoreError;
use crate::marks::{self, Kind};
use crate::pool::{Client, Connection, Transaction};
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
    /// A number with another unit, or about something else, is another KPI.
    Unlike {
        /// What was ever switched on under the name.
        other: MetricVersion,
        /// The member in which they differ.
        member: &'static str,
    },
    /// Somebody else changed the catalogue between the look and the switch.
    Changed,
}

impl Refusal {
    /// Whether it may come right by itself, by waiting.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Incomplete { .. } | Self::WindowsBehind(_) | Self::Changed => true,
            Self::Missing | Self::NotCandidate(_) | Self::Unlike { .. } => false,
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
            Self::Unlike { other, member } => {
                write!(
                    f,
                    "version {other} has another {member}: it is another KPI and needs another name"
                )
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
    if let Some(refusal) = of_name().find_map(|other| unlike(row, other)) {
        return Ok(Verdict::Refused(refusal));
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

/// Why a definition cannot be a version of what another one was ever switched on for.
fn unlike(row: &StoredDefinition, other: &StoredDefinition) -> Option<Refusal> {
    if other.version == row.version || other.status == Status::Draft {
        return None;
    }
    let member = if row.unit != other.unit {
        "unit"
    } else if scope(&row.text)? != scope(&other.text)? {
        "scope"
    } else {
        return None;
    };
    Some(Refusal::Unlike {
        other: other.version,
        member,
    })
}

/// What a definition is about, as its text says it before the first table; none: there is no text, or it says nothing.
fn scope(text: &str) -> Option<&str> {
    let head = text.lines().take_while(|line| !line.starts_with('['));
    head.filter_map(|line| line.split_once('='))
        .find(|(name, _)| name.trim() == "scope")
        .and_then(|(_, value)| value.split('"').nth(1))
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
    let outcome = switch_in(&tx, generation, name, version).await?;
    if outcome.is_ok() {
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    Ok(outcome)
}

/// As [`switch`], together with what else the transaction does. Where it was refused, roll back.
pub async fn switch_in(
    tx: &Transaction<'_>,
    generation: i64,
    name: &str,
    version: MetricVersion,
) -> Result<Result<Promoted, Refusal>, StoreError> {
    if definitions::change(tx).await? != generation + 1 {
        return Ok(Err(Refusal::Changed));
    }
    definitions::promote(tx, name, version).await.map(Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_definition_is_about_is_read_from_its_head() {
        let text = "name = \"x\"\nscope = \"leg\"   # each agent's\n[windows]\nscope = \"other\"\n";
        assert_eq!(scope(text), Some("leg"));
        for none in ["", "[windows]\nscope = \"other\"", "scopes = \"leg\""] {
            assert_eq!(scope(none), None);
        }
    }

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
