//! When agents were busy with the legs of interactions.

use super::read::SHORT;
use super::row::{ActivityRow, Changed};
use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::Transaction;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::collections::BTreeMap;

// A row for each interaction at least: it tells the time.
pub(super) static KNOWN: Sql = Sql {
    step: "read when agents were busy with interactions",
    text: "SELECT now(), k.tenant, k.interaction_id, a.leg_id, a.agent_id, a.from_at, a.to_at, a.wrap_until \
           FROM unnest($1::text[], $2::text[]) AS k (tenant, interaction_id) \
           LEFT JOIN LATERAL (SELECT leg_id, agent_id, from_at, to_at, wrap_until FROM agent_activity a \
                              WHERE a.tenant = k.tenant AND a.interaction_id = k.interaction_id) a ON true",
};

pub(super) static UPSERT: Sql = Sql {
    step: "write when agents were busy",
    text: "INSERT INTO agent_activity (tenant, interaction_id, leg_id, agent_id, from_at, to_at, wrap_until, lasting) \
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], \
                                $7::timestamptz[], $8::boolean[]) \
           ON CONFLICT (tenant, interaction_id, leg_id) DO UPDATE SET agent_id = EXCLUDED.agent_id, from_at = EXCLUDED.from_at, \
               to_at = EXCLUDED.to_at, wrap_until = EXCLUDED.wrap_until, lasting = EXCLUDED.lasting",
};

pub(super) static REMOVE: Sql = Sql {
    step: "remove when agents were busy",
    text: "DELETE FROM agent_activity a USING unnest($1::text[], $2::text[], $3::text[]) AS k (tenant, interaction_id, leg_id) \
           WHERE a.tenant = k.tenant AND a.interaction_id = k.interaction_id AND a.leg_id = k.leg_id",
};

/// Tenant, interaction, leg.
type Key = (String, String, String);

/// What is stored of a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    agent_id: String,
    from: UtcMicros,
    to: Option<UtcMicros>,
    wrap_until: Option<UtcMicros>,
}

impl Stored {
    fn of(row: &ActivityRow<'_>) -> Self {
        Self {
            agent_id: row.agent_id.to_owned(),
            from: row.from,
            to: row.to,
            wrap_until: row.wrap_until,
        }
    }

    /// When it ended; absent while it goes on.
    fn ended_at(&self) -> Option<UtcMicros> {
        self.to.map(|to| to.max(self.wrap_until.unwrap_or(to)))
    }

    fn stretch(&self, tenant: &str, now: UtcMicros) -> Changed {
        Changed {
            tenant: tenant.to_owned(),
            agent_id: self.agent_id.clone(),
            from: self.from,
            to: self
                .ended_at()
                .unwrap_or(now)
                .max(UtcMicros(self.from.0.saturating_add(1))),
        }
    }
}

/// Writes when agents were busy with these interactions: `rows` are all there is of them, whatever else is stored of them goes. Returns
/// the stretches of time that this changes, sorted, those of one agent apart from each other; up to now where a leg is open.
///
/// The interactions must be locked. Of several rows of one leg the last holds.
pub async fn put_activity<T: AsRef<str>, I: AsRef<str>>(
    tx: &Transaction<'_>,
    interactions: &[(T, I)],
    rows: &[ActivityRow<'_>],
) -> Result<Vec<Changed>, StoreError> {
    for row in rows {
        no_nul("tenant", row.tenant)?;
        no_nul("interaction_id", row.interaction_id)?;
        no_nul("leg_id", row.leg_id)?;
        no_nul("agent_id", row.agent_id)?;
    }
    if interactions.is_empty() {
        return Ok(Vec::new());
    }
    let (now, mut known) = known(tx, interactions).await?;
    let rows = last_per_key(rows, |row| (row.tenant, row.interaction_id, row.leg_id));
    let (mut put, mut changed) = (Vec::new(), Vec::new());
    for row in rows {
        let key = (
            row.tenant.to_owned(),
            row.interaction_id.to_owned(),
            row.leg_id.to_owned(),
        );
        let new = Stored::of(row);
        let old = known.remove(&key);
        if old.as_ref() == Some(&new) {
            continue;
        }
        changed.extend(old.map(|old| old.stretch(row.tenant, now)));
        changed.push(new.stretch(row.tenant, now));
        put.push((row, new));
    }
    changed.extend(known.iter().map(|(key, gone)| gone.stretch(&key.0, now)));
    let gone: Vec<&Key> = known.keys().collect();
    if !gone.is_empty() {
        let tenant = column(&gone, |key| key.0.as_str());
        let interaction_id = column(&gone, |key| key.1.as_str());
        let leg_id = column(&gone, |key| key.2.as_str());
        sql::execute(tx, &REMOVE, &[&tenant, &interaction_id, &leg_id]).await?;
    }
    upsert(tx, &put).await?;
    Ok(Changed::united(changed))
}

async fn known<T: AsRef<str>, I: AsRef<str>>(
    tx: &Transaction<'_>,
    interactions: &[(T, I)],
) -> Result<(UtcMicros, BTreeMap<Key, Stored>), StoreError> {
    let tenants: Vec<&str> = interactions.iter().map(|key| key.0.as_ref()).collect();
    let ids: Vec<&str> = interactions.iter().map(|key| key.1.as_ref()).collect();
    for (tenant, id) in tenants.iter().zip(&ids) {
        no_nul("tenant", tenant)?;
        no_nul("interaction_id", id)?;
    }
    let mut known = BTreeMap::new();
    let mut now = UtcMicros(0);
    for row in sql::query(tx, &KNOWN, &[&tenants, &ids]).await? {
        let instant = |column| -> Result<Option<UtcMicros>, StoreError> {
            Ok(sql::get::<Option<Instant>>(&row, &KNOWN, column)?.map(|at| at.0))
        };
        now = sql::get::<Instant>(&row, &KNOWN, 0)?.0;
        let Some(leg_id) = sql::get::<Option<String>>(&row, &KNOWN, 3)? else {
            continue;
        };
        let key = (
            sql::get(&row, &KNOWN, 1)?,
            sql::get(&row, &KNOWN, 2)?,
            leg_id,
        );
        let stored = Stored {
            agent_id: sql::get(&row, &KNOWN, 4)?,
            from: sql::get::<Instant>(&row, &KNOWN, 5)?.0,
            to: instant(6)?,
            wrap_until: instant(7)?,
        };
        known.insert(key, stored);
    }
    Ok((now, known))
}

async fn upsert(
    tx: &Transaction<'_>,
    put: &[(&ActivityRow<'_>, Stored)],
) -> Result<(), StoreError> {
    if put.is_empty() {
        return Ok(());
    }
    let put: Vec<_> = put.iter().collect();
    let instant = |at: Option<UtcMicros>| at.map(Instant);
    sql::execute(
        tx,
        &UPSERT,
        &[
            &column(&put, |row| row.0.tenant),
            &column(&put, |row| row.0.interaction_id),
            &column(&put, |row| row.0.leg_id),
            &column(&put, |row| row.0.agent_id),
            &column(&put, |row| Instant(row.0.from)),
            &column(&put, |row| instant(row.0.to)),
            &column(&put, |row| instant(row.0.wrap_until)),
            &column(&put, |row| {
                let ended_at = row.1.ended_at();
                ended_at.is_none_or(|ended_at| ended_at > row.0.from.plus(SHORT))
            }),
        ],
    )
    .await?;
    Ok(())
}
