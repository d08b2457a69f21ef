//! The way to the database for commands: settings checked, schema looked at, no log.

use anyhow::bail;
use runtime::Problems;
use runtime::args::PostgresArgs;
use store::{Store, StoreConfig, migrate};

/// Whether a database is named at all.
pub(super) fn is_named(args: &PostgresArgs) -> bool {
    args.database_url.is_some() || args.database_url_file.is_some()
}

/// A pool on the database, once it is known that its schema is this release's.
pub(super) async fn open(args: &PostgresArgs) -> anyhow::Result<Store> {
    let mut problems = Problems::new();
    let postgres = args.resolve(&mut problems);
    problems.into_result()?;
    let store = Store::connect(StoreConfig {
        pool_max: postgres.pool_max,
        acquire_timeout: postgres.acquire_timeout,
        statement_timeout: postgres.statement_timeout,
        ..StoreConfig::new(&postgres.url, "kpiline compute kpi")
    })
    .await?;
    if !migrate::state(&store).await?.ready {
        bail!("the database's schema is not the one of this release; run `compute migrate` first");
    }
    Ok(store)
}
