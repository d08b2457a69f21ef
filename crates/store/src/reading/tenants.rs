//! Which organisations there are.

use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};

// From one tenant to the next along the key of interactions: as many looks as there are tenants, however many interactions they have.
pub(super) static LIST: Sql = Sql {
    step: "list the organisations",
    text: "WITH RECURSIVE found (tenant) AS ( \
               (SELECT tenant FROM interactions ORDER BY tenant LIMIT 1) \
               UNION ALL \
               SELECT (SELECT i.tenant FROM interactions i WHERE i.tenant > found.tenant ORDER BY i.tenant LIMIT 1) \
               FROM found WHERE found.tenant IS NOT NULL \
           ) SELECT tenant FROM found WHERE tenant IS NOT NULL LIMIT $1",
};

/// Those that have had an interaction, by name, at most `limit`.
pub async fn list(conn: &impl Connection, limit: u32) -> Result<Vec<String>, StoreError> {
    sql::query(conn, &LIST, &[&i64::from(limit)])
        .await?
        .iter()
        .map(|row| sql::get(row, &LIST, 0))
        .collect()
}
