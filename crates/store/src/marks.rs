//! Marks: what has to be computed again. Written in the transaction that changed it, deleted in the one that computed it.
//!
//! A worker reads [`pending()`], takes a [`try_lease`] on what it is about to compute, computes it from the rows, removes the marks it
//! has read and commits. A mark that came meanwhile stays. So whoever is killed leaves nothing undone, and many changes of one thing are
//! computed once.

mod missed;
mod pending;

pub use missed::{finish, miss, recover};
pub use pending::{Order, Pending, longest_waiting_groups, pending, tenants};

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// What a mark is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A quarter hour of the windows.
    Cell,
    /// Windows of a group, left until the cells in them are computed or to be computed again.
    Group,
    /// A stretch of an agent's time.
    Agent,
    /// A customer's contacts.
    Journey,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cell, Self::Group, Self::Agent, Self::Journey];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cell => "cell",
            Self::Group => "group",
            Self::Agent => "agent",
            Self::Journey => "journey",
        }
    }
}

/// A mark to append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark<'a> {
    /// What it is about.
    pub kind: Kind,
    /// The organisation.
    pub tenant: &'a str,
    /// The agent, the customer key or the group; empty for a cell.
    pub subject: &'a str,
    /// Start of the stretch that changed; of the cell.
    pub from: UtcMicros,
    /// Its end, not before its start.
    pub to: UtcMicros,
}

/// How much waits of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backlog {
    /// The kind.
    pub kind: Kind,
    /// How many marks.
    pub marks: i64,
    /// How long the oldest has waited; none: nothing waits.
    pub oldest_seconds: Option<f64>,
}

static APPEND: Sql = Sql {
    step: "append dirty_marks",
    text: "INSERT INTO dirty_marks (kind, tenant, subject, from_at, to_at) \
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])",
};

static REMOVE: Sql = Sql {
    step: "delete dirty_marks",
    text: "DELETE FROM dirty_marks WHERE mark_id = ANY ($1::bigint[])",
};

static LEASE: Sql = Sql {
    step: "lease what is marked",
    text: "SELECT pg_try_advisory_xact_lock(hashtextextended(format('kpiline.lease/%s/%s/%s', $1::text, $2::text, $3::text), 0))",
};

static BACKLOG: Sql = Sql {
    step: "count dirty_marks",
    text: "SELECT kind, count(*), extract(epoch FROM clock_timestamp() - min(queued_at))::float8 FROM dirty_marks GROUP BY kind",
};

static OF_THE_PAST: Sql = Sql {
    step: "count dirty_marks of the past",
    text: "SELECT kind, count(*) FROM dirty_marks WHERE to_at < clock_timestamp() - make_interval(secs => $1) GROUP BY kind ORDER BY kind",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &OF_THE_PAST,
    &APPEND,
    &REMOVE,
    &LEASE,
    &BACKLOG,
    &missed::MISS_REMOVED,
    &missed::MISS,
    &missed::RECOVER,
    &pending::TENANTS,
    &pending::NEWEST_CELLS,
    &pending::OLDEST_CELLS,
    &pending::NEWEST_SUBJECTS,
    &pending::OLDEST_SUBJECTS,
    &pending::LONGEST_GROUPS,
];

/// Appends marks and returns how many: of equal cells one, of stretches of one subject that overlap or touch their union.
pub async fn append(tx: &Transaction<'_>, marks: &[Mark<'_>]) -> Result<u64, StoreError> {
    for mark in marks {
        no_nul("tenant", mark.tenant)?;
        no_nul("subject", mark.subject)?;
    }
    let marks = collapsed(marks);
    if marks.is_empty() {
        return Ok(0);
    }
    let Columns(kind, tenant, subject, from, to) = Columns::of(&marks);
    sql::execute(tx, &APPEND, &[&kind, &tenant, &subject, &from, &to]).await
}

/// Kind, tenant, subject and stretch of marks.
struct Columns<'a>(
    Vec<&'a str>,
    Vec<&'a str>,
    Vec<&'a str>,
    Vec<Instant>,
    Vec<Instant>,
);

impl<'a> Columns<'a> {
    fn of(marks: &[Mark<'a>]) -> Self {
        Self(
            marks.iter().map(|mark| mark.kind.as_str()).collect(),
            marks.iter().map(|mark| mark.tenant).collect(),
            marks.iter().map(|mark| mark.subject).collect(),
            marks.iter().map(|mark| Instant(mark.from)).collect(),
            marks.iter().map(|mark| Instant(mark.to)).collect(),
        )
    }
}

fn collapsed<'a>(marks: &[Mark<'a>]) -> Vec<Mark<'a>> {
    let mut sorted = marks.to_vec();
    sorted.sort_unstable();
    sorted.dedup_by(|later, kept| {
        if (later.kind, later.tenant, later.subject) != (kept.kind, kept.tenant, kept.subject) {
            return false;
        }
        // A cell is computed by itself, so each keeps its own mark.
        let one = match later.kind {
            Kind::Cell => later.from == kept.from,
            Kind::Group | Kind::Agent | Kind::Journey => later.from <= kept.to,
        };
        if one {
            kept.to = kept.to.max(later.to);
        }
        one
    });
    sorted
}

/// Deletes marks that were read; those already gone are no error. Returns how many there were.
async fn remove(tx: &Transaction<'_>, ids: &[i64]) -> Result<u64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    sql::execute(tx, &REMOVE, &[&ids]).await
}

/// Takes the lease on a subject until the transaction ends; `false`: another transaction has it, and nobody waited.
///
/// The subject is the caller's: an agent, a customer key, a group of cells.
pub async fn try_lease(
    tx: &Transaction<'_>,
    kind: Kind,
    tenant: &str,
    subject: &str,
) -> Result<bool, StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("subject", subject)?;
    let row = sql::query_one(tx, &LEASE, &[&kind.as_str(), &tenant, &subject]).await?;
    sql::get(&row, &LEASE, 0)
}

/// How much waits that is about a time before so many seconds ago, by kind: what a backfill left to be computed, and late news. Kinds of
/// which nothing waits are left out.
pub async fn of_the_past(
    conn: &impl Connection,
    seconds: u32,
) -> Result<Vec<(Kind, i64)>, StoreError> {
    let sql = &OF_THE_PAST;
    let rows = sql::query(conn, sql, &[&f64::from(seconds)]).await?;
    let mut waiting = Vec::new();
    for row in &rows {
        let name: &str = sql::get(row, sql, 0)?;
        if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == name) {
            waiting.push((kind, sql::get(row, sql, 1)?));
        }
    }
    Ok(waiting)
}

/// How much waits, of each kind.
pub async fn backlog(conn: &impl Connection) -> Result<Vec<Backlog>, StoreError> {
    let rows = sql::query(conn, &BACKLOG, &[]).await?;
    Kind::ALL
        .into_iter()
        .map(|kind| {
            for row in &rows {
                if sql::get::<&str>(row, &BACKLOG, 0)? == kind.as_str() {
                    return Ok(Backlog {
                        kind,
                        marks: sql::get(row, &BACKLOG, 1)?,
                        oldest_seconds: sql::get(row, &BACKLOG, 2)?,
                    });
                }
            }
            Ok(Backlog {
                kind,
                marks: 0,
                oldest_seconds: None,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(kind: Kind, subject: &str, from: i64, to: i64) -> Mark<'_> {
        Mark {
            kind,
            tenant: "acme",
            subject,
            from: UtcMicros(from),
            to: UtcMicros(to),
        }
    }

    #[test]
    fn stretches_of_one_subject_become_one_and_cells_stay_apart() {
        let marks = [
            mark(Kind::Agent, "b", 0, 5),
            mark(Kind::Agent, "a", 10, 20),
            mark(Kind::Agent, "a", 0, 30),
            mark(Kind::Agent, "a", 30, 31),
            mark(Kind::Agent, "a", 32, 33),
            mark(Kind::Cell, "", 1, 2),
            mark(Kind::Cell, "", 0, 1),
            mark(Kind::Cell, "", 1, 2),
            mark(Kind::Journey, "a", 0, 5),
        ];
        assert_eq!(
            collapsed(&marks),
            [
                mark(Kind::Cell, "", 0, 1),
                mark(Kind::Cell, "", 1, 2),
                mark(Kind::Agent, "a", 0, 31),
                mark(Kind::Agent, "a", 32, 33),
                mark(Kind::Agent, "b", 0, 5),
                mark(Kind::Journey, "a", 0, 5),
            ]
        );
    }
}
