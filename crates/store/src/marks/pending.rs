//! What waits, grouped by what is computed together.

use super::Kind;
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// Which end comes first, by the time that the marks are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// What is going on now before the past.
    Newest,
    /// The longest past first.
    Oldest,
}

/// What is computed together: a cell, or a group, an agent or a journey over all its marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The organisation.
    pub tenant: String,
    /// The group, the agent or the customer key; empty for a cell.
    pub subject: String,
    /// The earliest start.
    pub from: UtcMicros,
    /// The latest end.
    pub to: UtcMicros,
    /// What of it is marked: ascending, neither overlapping nor touching. Between them nothing changed.
    pub stretches: Vec<(UtcMicros, UtcMicros)>,
    /// The marks, to be removed when it is computed.
    pub marks: Vec<i64>,
    /// When the longest waiting of them was written.
    pub oldest: UtcMicros,
}

// From tenant to tenant along the index, however many marks each has.
pub(super) static TENANTS: Sql = Sql {
    step: "list the tenants of dirty_marks",
    text: "WITH RECURSIVE found AS ( \
               (SELECT tenant FROM dirty_marks WHERE kind = $1 ORDER BY tenant LIMIT 1) \
               UNION ALL \
               SELECT (SELECT m.tenant FROM dirty_marks m WHERE m.kind = $1 AND m.tenant > f.tenant ORDER BY m.tenant LIMIT 1) \
               FROM found f WHERE f.tenant IS NOT NULL \
           ) SELECT tenant FROM found WHERE tenant IS NOT NULL",
};

// Of a storm a bounded number of marks is read, however many cells that is: the rest is for the next time.
macro_rules! cells {
    ($order:literal) => {
        concat!(
            "SELECT ''::text, array_agg(mark_id), ARRAY[from_at], ARRAY[max(to_at)], min(queued_at) \
             FROM (SELECT mark_id, from_at, to_at, queued_at FROM dirty_marks WHERE kind = $1 AND tenant = $2 \
                   ORDER BY from_at",
            $order,
            " LIMIT 100000) m GROUP BY from_at ORDER BY from_at",
            $order,
            " LIMIT $3"
        )
    };
}

pub(super) static NEWEST_CELLS: Sql = Sql {
    step: "read the newest marked cells",
    text: cells!(" DESC"),
};

pub(super) static OLDEST_CELLS: Sql = Sql {
    step: "read the oldest marked cells",
    text: cells!(""),
};

// The marks of those who were chosen, $1 the kind and $2 the tenant.
macro_rules! stretches {
    () => {
        " SELECT c.subject, m.marks, m.starts, m.ends, m.oldest FROM chosen c CROSS JOIN LATERAL ( \
              SELECT array_agg(mark_id) AS marks, array_agg(from_at) AS starts, array_agg(to_at) AS ends, min(queued_at) AS oldest \
              FROM (SELECT mark_id, from_at, to_at, queued_at FROM dirty_marks d \
                    WHERE d.kind = $1 AND d.tenant = $2 AND d.subject = c.subject AND d.subject <> '' LIMIT 10000) d) m \
          ORDER BY c.at"
    };
}

// Who comes first is looked for among a bounded number of marks, and of one subject a bounded number is read: the rest is for the next
// time.
macro_rules! subjects {
    ($order:literal, $extreme:literal) => {
        concat!(
            "WITH first AS MATERIALIZED (SELECT subject, from_at FROM dirty_marks WHERE kind = $1 AND tenant = $2 ORDER BY from_at",
            $order,
            " LIMIT 16 * $3::bigint), chosen AS MATERIALIZED (SELECT subject, ",
            $extreme,
            "(from_at) AS at FROM first GROUP BY subject ORDER BY at",
            $order,
            ", subject LIMIT $3)",
            stretches!(),
            $order,
            ", c.subject"
        )
    };
}

pub(super) static NEWEST_SUBJECTS: Sql = Sql {
    step: "read the newest marked subjects",
    text: subjects!(" DESC", "max"),
};

pub(super) static OLDEST_SUBJECTS: Sql = Sql {
    step: "read the oldest marked subjects",
    text: subjects!("", "min"),
};

// As above, by when the marks were written. The kind stands in it for the index's sake.
pub(super) static LONGEST_GROUPS: Sql = Sql {
    step: "read the marked groups that wait longest",
    text: concat!(
        "WITH first AS MATERIALIZED (SELECT subject, mark_id FROM dirty_marks WHERE kind = 'group' AND tenant = $2 ORDER BY mark_id \
                                     LIMIT 16 * $3::bigint), \
              chosen AS MATERIALIZED (SELECT subject, min(mark_id) AS at FROM first GROUP BY subject ORDER BY at LIMIT $3)",
        stretches!()
    ),
};

/// The tenants that have marks of this kind, ascending.
pub async fn tenants(conn: &impl Connection, kind: Kind) -> Result<Vec<String>, StoreError> {
    let rows = sql::query(conn, &TENANTS, &[&kind.as_str()]).await?;
    rows.iter().map(|row| sql::get(row, &TENANTS, 0)).collect()
}

/// Up to `limit` cells, groups, agents or journeys that have marks, each with its marks, in this order. Nothing is locked.
///
/// A subject with ten thousand marks or more comes with ten thousand of them, and all cells together with a hundred thousand; the others
/// are for the next time.
pub async fn pending(
    conn: &impl Connection,
    kind: Kind,
    tenant: Option<&str>,
    order: Order,
    limit: u32,
) -> Result<Vec<Pending>, StoreError> {
    if let Some(tenant) = tenant {
        return of_tenant(conn, kind, tenant, order, limit).await;
    }
    let mut all = Vec::new();
    for tenant in tenants(conn, kind).await? {
        all.extend(of_tenant(conn, kind, &tenant, order, limit).await?);
    }
    match order {
        Order::Newest => all.sort_by_key(|pending| {
            std::cmp::Reverse(pending.stretches.last().map(|stretch| stretch.1))
        }),
        Order::Oldest => all.sort_by_key(|pending| pending.from),
    }
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(all)
}

async fn of_tenant(
    conn: &impl Connection,
    kind: Kind,
    tenant: &str,
    order: Order,
    limit: u32,
) -> Result<Vec<Pending>, StoreError> {
    no_nul("tenant", tenant)?;
    let sql: &'static Sql = match (kind, order) {
        (Kind::Cell, Order::Newest) => &NEWEST_CELLS,
        (Kind::Cell, Order::Oldest) => &OLDEST_CELLS,
        (_, Order::Newest) => &NEWEST_SUBJECTS,
        (_, Order::Oldest) => &OLDEST_SUBJECTS,
    };
    let params: sql::Params<'_> = &[&kind.as_str(), &tenant, &i64::from(limit)];
    read(conn, tenant, sql, params).await
}

/// Up to `limit` groups that have marks, each with its marks: those first of which a mark has waited longest, so that each has its turn.
pub async fn longest_waiting_groups(
    conn: &impl Connection,
    tenant: &str,
    limit: u32,
) -> Result<Vec<Pending>, StoreError> {
    no_nul("tenant", tenant)?;
    let params: sql::Params<'_> = &[&Kind::Group.as_str(), &tenant, &i64::from(limit)];
    read(conn, tenant, &LONGEST_GROUPS, params).await
}

async fn read(
    conn: &impl Connection,
    tenant: &str,
    sql: &'static Sql,
    params: sql::Params<'_>,
) -> Result<Vec<Pending>, StoreError> {
    let rows = sql::query(conn, sql, params).await?;
    rows.iter()
        .map(|row| {
            let starts: Vec<Instant> = sql::get(row, sql, 2)?;
            let ends: Vec<Instant> = sql::get(row, sql, 3)?;
            let stretches = union(starts.iter().zip(&ends).map(|(from, to)| (from.0, to.0)));
            let (Some(first), Some(last)) = (stretches.first(), stretches.last()) else {
                return Err(StoreError::Vanished { step: sql.step });
            };
            Ok(Pending {
                tenant: tenant.to_owned(),
                subject: sql::get(row, sql, 0)?,
                from: first.0,
                to: last.1,
                stretches,
                marks: sql::get(row, sql, 1)?,
                oldest: sql::get::<Instant>(row, sql, 4)?.0,
            })
        })
        .collect()
}

fn union(stretches: impl Iterator<Item = (UtcMicros, UtcMicros)>) -> Vec<(UtcMicros, UtcMicros)> {
    let mut sorted: Vec<(UtcMicros, UtcMicros)> = stretches.collect();
    sorted.sort_unstable();
    sorted.dedup_by(|later, kept| {
        let one = later.0 <= kept.1;
        if one {
            kept.1 = kept.1.max(later.1);
        }
        one
    });
    sorted
}

#[cfg(test)]
mod tests {
    use super::union;
    use schema::UtcMicros;

    #[test]
    fn what_overlaps_or_touches_is_one_stretch() {
        let at = |from, to| (UtcMicros(from), UtcMicros(to));
        let marked = [at(5, 6), at(0, 2), at(2, 3), at(1, 1), at(8, 8), at(5, 9)];
        assert_eq!(union(marked.into_iter()), [at(0, 3), at(5, 9)]);
    }
}
