//! The platform double: plays both contact-centre platforms, so that the line can be tried without either.
//!
//! - [`Double`] answers like the platforms do: OAuth tokens, metric pushes, their limits, and faults on demand. It remembers
//!   what it was sent, and what was wrong with that.
//! - [`workload`] makes the webhook events of a contact centre, awkward cases on purpose; [`truth`] says what must come of them.
//! - [`history`] is a past that never was, told by both platforms' history calls, and the truth about it.
//! - [`depot`] takes files, plainly or as an S3-compatible store.
//! - [`emit`] sends events as signed webhooks, as fast as a core allows, with the retries of a real event bus.
//! - [`bad`] is a kit of senders who do it wrong.
//!
//! It depends on none of the crates it is used to judge: everything here is written against the platforms' documented
//! behaviour. Start reading at `config.rs` (what it can be told) and `server.rs` (what it then does).

pub mod bad;
pub mod config;
pub mod depot;
pub mod emit;
mod faults;
pub mod history;
mod http;
mod ledger;
mod limits;
mod oauth;
mod push;
mod random;
mod server;
pub mod sign;
pub mod truth;
pub mod workload;

pub use config::Config;
pub use ledger::{Cell, Key, Kind, Request, Snapshot, Violation};
pub use random::Random;
pub use server::Double;
