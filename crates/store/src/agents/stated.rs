//! How much was stated of agents' time, to compare with what a platform's history has.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

// Agent by agent, because that is how the indexes of the tracks are ordered; what states both is counted with its presence.
pub(super) static BETWEEN: Sql = Sql {
    step: "count statements about agents",
    text: "SELECT coalesce(sum(s.presence), 0)::bigint, coalesce(sum(s.routing), 0)::bigint FROM agents a \
           CROSS JOIN LATERAL (SELECT (SELECT count(*) FROM agent_states p \
                                       WHERE p.tenant = a.tenant AND p.agent_id = a.agent_id AND p.presence IS NOT NULL \
                                         AND p.at >= $2 AND p.at < $3) AS presence, \
                                      (SELECT count(*) FROM agent_states r \
                                       WHERE r.tenant = a.tenant AND r.agent_id = a.agent_id AND r.routing IS NOT NULL \
                                         AND r.at >= $2 AND r.at < $3 AND r.presence IS NULL) AS routing OFFSET 0) s \
           WHERE a.tenant = $1",
};

/// Statements about an organisation's agents that hold from an instant in a stretch on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stated {
    /// Statements of presence, with or without what the router said.
    pub presence: i64,
    /// Statements of the router alone.
    pub routing: i64,
}

/// How many statements there are from `from` on and before `to`. Those about an agent whose time was never computed yet do not count: that is
/// a matter of seconds.
pub async fn stated_between(
    conn: &impl Connection,
    tenant: &str,
    from: UtcMicros,
    to: UtcMicros,
) -> Result<Stated, StoreError> {
    no_nul("tenant", tenant)?;
    let params: sql::Params<'_> = &[&tenant, &Instant(from), &Instant(to)];
    let row = sql::query_one(conn, &BETWEEN, params).await?;
    Ok(Stated {
        presence: sql::get(&row, &BETWEEN, 0)?,
        routing: sql::get(&row, &BETWEEN, 1)?,
    })
}
