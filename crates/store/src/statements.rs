//! Every SQL statement of this crate: a test prepares each against a freshly migrated database.

pub use crate::sql::Sql;

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Sql> {
    [
        crate::agent_zones::STATEMENTS,
        crate::agents::STATEMENTS,
        crate::breakers::STATEMENTS,
        crate::budgets::STATEMENTS,
        crate::chunks::STATEMENTS,
        crate::arrivals::STATEMENTS,
        crate::comparison::STATEMENTS,
        crate::counts::STATEMENTS,
        crate::deferred::STATEMENTS,
        crate::definitions::STATEMENTS,
        crate::documents::STATEMENTS,
        crate::erasures::STATEMENTS,
        crate::event_log::STATEMENTS,
        crate::feeds::STATEMENTS,
        crate::freshness::STATEMENTS,
        crate::freshness::evidence::STATEMENTS,
        crate::history_requests::STATEMENTS,
        crate::interactions::STATEMENTS,
        crate::jobs::STATEMENTS,
        crate::journeys::STATEMENTS,
        crate::live::STATEMENTS,
        crate::marks::STATEMENTS,
        crate::metrics::STATEMENTS,
        crate::migrate::STATEMENTS,
        crate::named_leases::STATEMENTS,
        crate::notices::STATEMENTS,
        crate::platform_counts::STATEMENTS,
        crate::platform_health::STATEMENTS,
        crate::quarantine::STATEMENTS,
        crate::raw_messages::STATEMENTS,
        crate::raw_retention::STATEMENTS,
        crate::reading::STATEMENTS,
        crate::reconciliation::STATEMENTS,
        crate::standing::STATEMENTS,
        crate::status::STATEMENTS,
        crate::storm::STATEMENTS,
        crate::subscription_gaps::STATEMENTS,
        crate::subscriptions::STATEMENTS,
        crate::sweep::STATEMENTS,
        crate::sync::STATEMENTS,
        crate::targets::STATEMENTS,
        crate::window_cells::STATEMENTS,
        crate::window_items::STATEMENTS,
        crate::window_metrics::STATEMENTS,
        crate::window_rebuild::STATEMENTS,
        crate::zones::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Whether a statement is one of them: checked in debug builds whenever one runs, so that none is forgotten.
pub(crate) fn is_listed(sql: &Sql) -> bool {
    all().any(|listed| listed == sql)
}
