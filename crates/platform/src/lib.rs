//! The contact-centre platforms over HTTP: limits, status codes and tokens. What is pushed and what is said of it, item by item, whoever
//! knows the target knows (`crates/target`).
//!
//! Some of it is pure: [`outcome`] turns an answer into what became of the request, [`retry`] and [`breaker`] decide when to try again,
//! [`retry_after`] reads what a platform asked for, [`platform_clock`] how late it is there, [`redact`] makes its words fit to be kept. The rest touches the
//! network or a clock: [`client`] makes one request and never a second, [`token`] keeps one bearer token per credential,
//! [`limit`] grants requests under a credential's quota, which [`budget`] lets somebody else keep for all processes. [`api`] puts
//! these together for whoever asks a platform about itself, [`history`] for whoever fetches what it keeps of the past, and [`watch`]
//! tells what came of the requests. [`aside`] keeps long work off the threads that all of them share.
//!
//! It knows no database and no queue. Start reading at [`outcome`]: it is where the platforms differ from what one hopes.

pub mod api;
pub mod aside;
pub mod breaker;
pub mod budget;
pub mod client;
pub mod history;
pub mod instant;
pub mod limit;
pub mod outcome;
pub mod platform_clock;
pub mod redact;
pub mod retry;
pub mod retry_after;
pub mod secret;
pub mod slots;
pub mod token;
pub mod watch;
