//! What tests need and production code must not have: databases and queues of their own, real processes, a network that can be
//! broken, and waiting without sleeping.
//!
//! Everything here panics with a sentence when it cannot do its work: a test that cannot be set up has failed.

#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used)]

pub mod broker;
pub mod db;
pub mod eventually;
pub mod example;
pub mod history;
pub mod http;
pub mod month;
pub mod paths;
pub mod process;
pub mod proxy;
pub mod roles;
pub mod tls;

pub use broker::TestBroker;
pub use db::TestDb;
pub use eventually::eventually;
pub use paths::{shared_dir, workspace_root};
pub use process::{Proc, Ready};
pub use proxy::Proxy;
pub use roles::TestRoles;
