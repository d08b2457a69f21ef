//! PostgreSQL: connections, migrations, months of partitions and every SQL statement of kpiline.
//!
//! Functions are noun first (`interactions::lock`) and take the transaction, so that the caller sees its extent; nothing here opens
//! one by itself. Batches go in as arrays, one a column, and are sorted and collapsed per key inside the function: a key twice in one
//! batch is no error and two workers cannot deadlock on their order. One statement a step, prepared once a connection.
//!
//! What this crate never does: decide about facts, convert time zones (but to compare the server's with ours, see [`zones`]), read the
//! environment, log.
//!
//! Start at [`Store`], then [`event_log`], [`interactions`], [`metrics`], [`sync`]; [`definitions`] for what is
//! evaluated; [`marks`], [`window_items`], [`window_cells`] and [`window_metrics`] for windows, in the order in which they are made; [`jobs`] and
//! [`chunks`] for backfill, [`budgets`] and [`breakers`] for what all processes that call a platform agree on.
//! [`reconciliation`] has the platforms' own figures and what came of comparing them with ours; [`freshness`] says how far the numbers are to be trusted now, [`upkeep`] what calls for somebody, and [`reading`] is what the read API and the status page show. Errors are
//! [`StoreError`] with a [`Class`].
//!
//! # U+0000
//!
//! PostgreSQL text cannot hold it. JSON documents (session state, metadata, …) are stored with U+FFFD in its place, also for
//! surrogates without a partner; a literal backslash-u0000 in a string survives. In a key (tenant, id, name) it is refused with
//! [`StoreError::Nul`], class `Rejected`, before anything is sent. Notes for people (quarantine, sync log) are replaced as JSON is.

mod columns;
mod connect;
mod error;
mod hosts;
mod json;
mod pool;
mod sql;
mod trust;
mod types;

pub mod agent_zones;
pub mod agents;
pub mod arrivals;
pub mod breakers;
pub mod budgets;
pub mod chunks;
pub mod comparison;
pub mod counts;
pub mod deferred;
pub mod definitions;
pub mod documents;
pub mod erasures;
pub mod event_log;
pub mod feeds;
pub mod freshness;
pub mod history_requests;
pub mod interactions;
pub mod jobs;
pub mod journeys;
pub mod leader;
pub mod live;
pub mod marks;
pub mod metrics;
pub mod migrate;
pub mod named_leases;
pub mod notices;
pub mod partitions;
pub mod platform_counts;
pub mod platform_health;
pub mod promotion;
pub mod quarantine;
pub mod raw;
pub mod raw_messages;
pub mod raw_retention;
pub mod reading;
pub mod reconciliation;
pub mod retention;
pub mod standing;
pub mod statements;
pub mod status;
pub mod storm;
pub mod subscription_gaps;
pub mod subscriptions;
pub mod sweep;
pub mod sync;
pub mod targets;
pub mod upkeep;
pub mod window_cells;
pub mod window_items;
pub mod window_metrics;
pub mod window_rebuild;
pub mod zones;

pub use error::{Class, ServerError, StoreError};
pub use pool::{Client, Connection, Store, StoreConfig, Transaction};
