//! Our numbers beside a platform's own: what it reported ([`figures`]), whose clock it goes by ([`native_zones`]), what was planned ([`shifts`]), what
//! we have of the same days ([`ours`]), and what came of comparing them ([`runs`]).

pub mod figures;
pub mod native_zones;
pub mod ours;
pub mod runs;
pub mod shifts;

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// Whose numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Of<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The platform, as the platforms file names it.
    pub platform: &'a str,
}

impl Of<'_> {
    fn check(self) -> Result<(), StoreError> {
        no_nul("tenant", self.tenant)?;
        no_nul("platform", self.platform)
    }
}

static PLATFORMS: Sql = Sql {
    step: "list the platforms that figures were fetched from",
    text: "SELECT tenant, platform FROM native_figures UNION SELECT tenant, platform FROM wfm_shifts \
           UNION SELECT tenant, platform FROM native_zones ORDER BY 1, 2",
};

static PRUNE: [Sql; 4] = [
    Sql {
        step: "delete old native_figures",
        text: "DELETE FROM native_figures WHERE fetched_at < $1",
    },
    Sql {
        step: "delete old wfm_shifts",
        text: "DELETE FROM wfm_shifts WHERE fetched_at < $1",
    },
    Sql {
        step: "delete old native_zones",
        text: "DELETE FROM native_zones WHERE fetched_at < $1",
    },
    Sql {
        step: "delete old reconciliation_runs",
        text: "DELETE FROM reconciliation_runs WHERE run_at < $1",
    },
];

pub(crate) static STATEMENTS: &[&Sql] = &[
    &PLATFORMS,
    &PRUNE[0],
    &PRUNE[1],
    &PRUNE[2],
    &PRUNE[3],
    &figures::PUT,
    &figures::READ,
    &native_zones::PUT,
    &native_zones::READ,
    &ours::DAYS,
    &ours::CUTS,
    &ours::STATED,
    &runs::REMOVE,
    &runs::PUT,
    &runs::LINES,
    &runs::LIST,
    &runs::REPORT,
    &runs::FORGET_ZONES,
    &runs::NOTE_ZONES,
    &shifts::CLEAR,
    &shifts::PUT,
    &shifts::READ,
];

/// The (tenant, platform) that anything was fetched of, in their order.
pub async fn platforms(conn: &impl Connection) -> Result<Vec<(String, String)>, StoreError> {
    sql::query(conn, &PLATFORMS, &[])
        .await?
        .iter()
        .map(|row| Ok((sql::get(row, &PLATFORMS, 0)?, sql::get(row, &PLATFORMS, 1)?)))
        .collect()
}

/// Deletes what was fetched or compared before an instant: figures, plans, zones and runs. However long ago the days are that it is about: who asks
/// about an old year today wants to look at it tomorrow. Returns how many rows went.
pub async fn prune(conn: &impl Connection, before: UtcMicros) -> Result<u64, StoreError> {
    let mut gone = 0;
    for sql in &PRUNE {
        gone += sql::execute(conn, sql, &[&Instant(before)]).await?;
    }
    Ok(gone)
}
