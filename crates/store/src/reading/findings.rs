//! Zone names that could not be used.

use super::Tenants;
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use crate::zones::StoredFinding;

// One row a name and source: few, whatever there is.
pub(super) static LIST: Sql = Sql {
    step: "read the newest unknown zones",
    text: "SELECT tenant, source, stated, interaction_id, first_seen, last_seen FROM zone_findings \
           WHERE platform IS NULL AND ($1::text[] IS NULL OR tenant = ANY($1)) ORDER BY last_seen DESC, tenant, source, stated LIMIT $2",
};

/// Those met last, at most `limit`.
pub async fn zones(
    conn: &impl Connection,
    tenants: Tenants<'_>,
    limit: u32,
) -> Result<Vec<StoredFinding>, StoreError> {
    let tenants = tenants.param();
    for tenant in tenants.unwrap_or_default() {
        no_nul("tenant", tenant)?;
    }
    sql::query(conn, &LIST, &[&tenants, &i64::from(limit)])
        .await?
        .iter()
        .map(|row| {
            Ok(StoredFinding {
                tenant: sql::get(row, &LIST, 0)?,
                source: sql::get(row, &LIST, 1)?,
                stated: sql::get(row, &LIST, 2)?,
                interaction_id: sql::get(row, &LIST, 3)?,
                first_seen: sql::get::<Instant>(row, &LIST, 4)?.0,
                last_seen: sql::get::<Instant>(row, &LIST, 5)?.0,
            })
        })
        .collect()
}
