//! deliver: pushes changed metrics back to the platforms, in batches and within their limits.
//!
//! Work is rows with leases. One target's loop ([`pusher`]) claims due rows, those that a backfill caused first up to a share ([`lanes`]),
//! plans requests as its kind of target wants them ([`batch`], `crates/target`), sends several at a time within the budget ([`send`]), decides each row's fate ([`fate`]) and writes it down
//! ([`settle`]). A message on `deliver.wake` only says "look now" ([`wake`]). How it goes is counted ([`tally`]) and judged ([`census`]);
//! what operators do with it is in [`operate`].
//!
//! No transaction is open during a request, and no request is made of which the log does not know. So after any crash every push
//! has a known fate: accepted, rejected, or unknown and pushed again under the same key.
//!
//! Planning tools and clients get files of the windows, interval by interval ([`feeds`]).
//!
//! Beside that one process watches whether the numbers are to be trusted at all ([`freshness`]); every one shows what somebody has to see
//! to ([`upkeep`]); and, only reading, they are served, to
//! programs ([`api`]) and to people ([`page`]). What a platform itself reports is compared with ours by a command ([`reconciliation`]).

pub mod api;
pub mod app;
pub mod batch;
pub mod census;
pub mod config;
pub mod counting;
pub mod credential;
pub mod days;
pub mod definitions;
pub mod facets;
pub mod failing;
pub mod fate;
pub mod feeds;
pub mod freshness;
pub mod health;
pub mod lanes;
pub mod meters;
pub mod operate;
pub mod page;
pub mod pusher;
pub mod reconciliation;
pub mod rest;
pub mod send;
pub mod settle;
pub mod tally;
pub mod targets;
pub mod uncomputed;
pub mod upkeep;
pub mod wake;
