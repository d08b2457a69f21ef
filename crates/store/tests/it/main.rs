//! Our statements against a real PostgreSQL: one binary, one module a table or promise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[macro_use]
mod rows;

mod agents;
mod budgets;
mod budgets_shared;
mod chunks;
mod counters;
mod deadlocks;
mod deferred;
mod definitions;
mod feeds;
mod freshness;
mod interactions;
mod jobs;
mod journeys;
mod live;
mod log;
mod marks;
mod metrics;
mod migrations;
mod months;
mod plans;
mod platforms;
mod pool;
mod privacy;
mod quarantine;
mod reconciliation;
mod rights;
mod standing;
mod storm;
mod subscriptions;
mod sweep;
mod sync;
mod sync_days;
mod sync_lanes;
mod sync_settled;
mod tls;
mod upkeep;
mod window_cells;
mod window_items;
mod window_metrics;
mod windows;
mod zones;
