//! What became of values that were pushed.

pub mod log;
pub mod refused;

use super::Tenants;
use crate::columns::no_nul;
use crate::error::StoreError;
use schema::MetricVersion;

/// Whose deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter<'a> {
    /// Of these organisations.
    pub tenants: Tenants<'a>,
    /// Only to this target.
    pub target: Option<&'a str>,
}

impl Filter<'_> {
    fn check(&self) -> Result<(), StoreError> {
        for tenant in self.tenants.param().unwrap_or_default() {
            no_nul("tenant", tenant)?;
        }
        no_nul("target", self.target.unwrap_or_default())
    }
}

/// Which value it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueSeen {
    /// The target.
    pub target: String,
    /// The organisation.
    pub tenant: String,
    /// Of an interaction or leg: the interaction.
    pub interaction_id: Option<String>,
    /// The leg; absent for the interaction as a whole.
    pub leg_scope: Option<String>,
    /// Of an agent's day: the agent.
    pub agent_id: Option<String>,
    /// The agent's local day, as `2024-05-15`.
    pub workday: Option<String>,
    /// The KPI.
    pub metric_type: String,
    /// The version of its definition.
    pub metric_version: MetricVersion,
}

/// What [`ValueSeen`] is read from, first in the list of columns.
macro_rules! value {
    ($of:literal) => {
        concat!(
            $of,
            ".target, ",
            $of,
            ".tenant, ",
            $of,
            ".interaction_id, nullif(",
            $of,
            ".leg_scope, ''), ",
            $of,
            ".agent_id, ",
            $of,
            ".workday::text, ",
            $of,
            ".metric_type, ",
            $of,
            ".metric_version"
        )
    };
}
use value;

/// How many columns it has.
const VALUE_COLUMNS: usize = 8;

impl ValueSeen {
    fn read(row: &tokio_postgres::Row, sql: &crate::sql::Sql) -> Result<Self, StoreError> {
        use crate::sql::get;
        Ok(Self {
            target: get(row, sql, 0)?,
            tenant: get(row, sql, 1)?,
            interaction_id: get(row, sql, 2)?,
            leg_scope: get(row, sql, 3)?,
            agent_id: get(row, sql, 4)?,
            workday: get(row, sql, 5)?,
            metric_type: get(row, sql, 6)?,
            metric_version: crate::metrics::version(get(row, sql, 7)?)?,
        })
    }
}
