//! ingest: deliveries in, logged and normalised facts out.
//!
//! Two roles in one binary, together or apart. [`receive`] takes signed HTTP bodies, verifies them over the raw bytes, hands them to
//! the broker and answers 2xx after its confirm; it never touches PostgreSQL. [`normalise`] splits bodies into events, appends
//! each to the immutable event log once, quarantines what cannot be read, counts, and publishes the facts.
//!
//! Besides, an operator looks into the quarantine ([`held`]), makes the keys that raw bytes are sealed under ([`keys`]), and erases what is
//! stored of somebody who asks for it ([`erase`]); a CronJob drops months that are old enough ([`retention`]).
//!
//! What this binary never does: look into facts, or decide what an interaction is.
//!
//! [`subscription`] sets the platforms' side up and looks at it, and [`watchdog`] tells when a platform stops delivering.
//! [`attempt`] shows what a body would become.
//!
//! Start at [`app`] for the wiring, [`config`] for the flags, [`subscriptions`] for the file that says who may post.

pub mod app;
pub mod attempt;
pub mod auth;
pub mod clock;
mod columns;
pub mod config;
pub mod erase;
pub mod fingerprint;
mod format_words;
pub mod generations;
pub mod held;
pub mod keys;
pub mod normalise;
pub mod queues;
pub mod raw_bytes;
pub mod receive;
pub mod retention;
pub mod subscription;
pub mod subscriptions;
pub mod watchdog;

pub use app::run;
pub use config::Cli;
