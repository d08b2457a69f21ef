//! The running double: listens, answers each request the way the platform would, and can be asked what it saw.

mod admin;
mod connection;
mod control;
mod history;
mod route;

use crate::config::{Admin, Config, Limit, Script};
use crate::history::{Account, Change};
use crate::ledger::{Cell, Key, Kind, Ledger, Request, Snapshot, Violation};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running double. Dropping it ends it and every connection to it.
#[derive(Debug)]
pub struct Double {
    shared: Shared,
    task: JoinHandle<()>,
}

/// What connections share.
#[derive(Debug, Clone)]
struct Shared {
    ledger: Arc<Mutex<Ledger>>,
    address: SocketAddr,
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A panic elsewhere leaves the books readable: they are what a failing test is looked at with.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Double {
    /// Starts listening.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(config: Config) -> std::io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let shared = Shared {
            address: listener.local_addr()?,
            ledger: Arc::new(Mutex::new(Ledger::new(config))),
        };
        let task = tokio::spawn(connection::accept(listener, shared.clone()));
        Ok(Self { shared, task })
    }

    /// `http://127.0.0.1:port`, without a slash at the end: login host and API host in one.
    pub fn url(&self) -> String {
        self.shared.url()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// What the platform holds: the last value of each key.
    pub fn table(&self) -> BTreeMap<Key, Cell> {
        self.shared.ledger().table.clone()
    }

    /// Every push and token request so far, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.ledger().requests.clone()
    }

    /// Everything clients did wrong so far.
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.ledger().violations.clone()
    }

    /// The violations of one kind.
    pub fn violations_of(&self, kind: Kind) -> Vec<Violation> {
        let mut violations = self.violations();
        violations.retain(|violation| violation.kind == kind);
        violations
    }

    /// Counts and sums in short.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.ledger().snapshot()
    }

    /// Tokens granted so far.
    pub fn grants(&self) -> u64 {
        self.shared.ledger().grants
    }

    /// The most pushes that arrived in any window of this length, refused ones included.
    pub fn max_requests_in_any_window(&self, window: Duration) -> usize {
        crate::limits::busiest(&self.shared.ledger().push_arrivals(), window)
    }

    /// Starts another fault script, from its beginning.
    pub fn set_faults(&self, script: Script) {
        self.shared.set_faults(script);
    }

    /// Sets another limit, or none.
    pub fn set_limit(&self, limit: Option<Limit>) {
        self.shared.ledger().config.limit = limit;
    }

    /// Names the interactions whose rows spoil the push they are in.
    pub fn set_poison(&self, interactions: Vec<String>) {
        self.shared.ledger().config.poison = interactions;
    }

    /// What the platforms have set up now.
    pub fn admin(&self) -> Admin {
        self.shared.ledger().config.admin.clone()
    }

    /// Changes what the platforms have set up, as an administrator does.
    pub fn administer(&self, change: impl FnOnce(&mut Admin)) {
        change(&mut self.shared.ledger().config.admin);
    }

    /// The books of the history calls; `None` where there is no history.
    pub fn history_account(&self) -> Option<Account> {
        self.shared.ledger().history_account()
    }

    /// Changes what the platforms tell of the past from now on.
    pub fn change_history(&self, change: &Change) {
        self.shared.change_history(change);
    }

    /// Makes every token unknown, as a revocation does.
    pub fn revoke_tokens(&self) {
        self.shared.ledger().tokens.clear();
    }

    /// Forgets table, requests, violations and idempotency keys; the fault script starts again.
    pub fn reset(&self) {
        self.shared.ledger().reset();
    }

    /// Ends it; the port is free when this returns.
    pub async fn shutdown(mut self) {
        self.task.abort();
        // The task ends by being aborted; there is nothing else to hear from it.
        drop((&mut self.task).await);
    }

    /// Runs until the task ends, which it does not do by itself.
    pub async fn run(mut self) {
        drop((&mut self.task).await);
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn set_faults(&self, script: Script) {
        let mut ledger = self.ledger();
        ledger.config.faults = script;
        ledger.push_faults = crate::faults::Follower::new(crate::config::Place::Push);
        ledger.token_faults = crate::faults::Follower::new(crate::config::Place::Token);
        ledger.admin_faults = crate::faults::Follower::new(crate::config::Place::Admin);
        ledger.history_faults = crate::faults::Follower::new(crate::config::Place::History);
    }

    fn change_history(&self, change: &Change) {
        if let Some(history) = &mut self.ledger().history {
            history.change(change);
        }
    }
}
