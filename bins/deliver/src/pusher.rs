//! The loop of one target: rows are claimed under a lease, wait for their turn, are pushed with no transaction open, and are settled.
//!
//! These go on beside each other, so that no request waits for another's bookkeeping: one claim, `TURNS` requests that wait for their turn
//! (the next one is written down while the first waits for its slot), and as many under way as the target's `concurrency` says. What begins
//! next is decided in one place, `Pusher::begin`. Rows are claimed when they can go, not before: what waits in the database still
//! changes.

mod claim;
mod flight;
mod line;
mod turn;

pub use line::Parts;

use crate::batch::Prepared;
use line::Line;
use runtime::metrics::CounterHandle;
use runtime::{Backoff, chain};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Class, StoreError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use turn::{Clearance, Turn};
use uuid::Uuid;

/// Requests of one target that wait for their turn: one for its slot, one that is written down meanwhile.
const TURNS: usize = 2;

/// One target's loop and what it remembers between rounds.
#[derive(Debug)]
pub struct Pusher {
    line: Arc<Line>,
    store_retries: CounterHandle,
    news: watch::Receiver<u64>,
    /// There were news since the last claim began.
    heard: bool,
    /// Nobody is left who could tell news: the process is stopping.
    deaf: bool,
    poll: Duration,
    work: JoinSet<Done>,
    ready: VecDeque<Job>,
    claiming: bool,
    turning: usize,
    /// Sent, or about to be, and not settled yet.
    flying: usize,
    /// When to look for rows.
    look_at: Instant,
    trouble: Backoff,
    /// The store is in trouble: nothing new is begun before.
    quiet_until: Instant,
}

/// Rows that share a request.
#[derive(Debug)]
struct Job {
    lease: Lease,
    rows: Vec<Prepared>,
    /// A larger request with these rows was refused, and nobody knows for which of them.
    together: Option<usize>,
    /// The token was renewed for this very request.
    renewed: bool,
    /// Under this id the log has it as sent already, but it could not go yet.
    noted: Option<Uuid>,
}

/// Rows held under one lease while they are worked on.
#[derive(Debug, Clone, Copy)]
struct Lease {
    id: Uuid,
    ends: Instant,
}

/// A piece of work that has ended.
enum Done {
    Claimed(Result<claim::Found, StoreError>),
    Turned(Result<Turn, StoreError>),
    /// With what goes again at once.
    Landed(Result<Vec<Job>, StoreError>),
    GivenBack(Result<(), StoreError>),
}

impl Pusher {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let now = Instant::now();
        Self {
            store_retries: parts.store_retries.clone(),
            news: parts.news.clone(),
            poll: parts.poll,
            line: Arc::new(Line::new(parts)),
            heard: false,
            deaf: false,
            work: JoinSet::new(),
            ready: VecDeque::new(),
            claiming: false,
            turning: 0,
            flying: 0,
            look_at: now,
            trouble: Backoff::for_connections(),
            quiet_until: now,
        }
    }

    /// Runs until told to stop, and then until what is under way has ended. Only what an operator must mend in the database ends it before.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let stop = self.line.stop.clone();
        loop {
            let wake = self.begin();
            let stopping = stop.is_cancelled();
            if stopping && self.work.is_empty() {
                return Ok(());
            }
            tokio::select! {
                biased;
                Some(done) = self.work.join_next() => self.end(done?)?,
                () = stop.cancelled(), if !stopping => {}
                heard = self.news.changed(), if !stopping && !self.deaf => match heard {
                    Ok(()) => {
                        self.heard = true;
                        self.look_at = Instant::now();
                    }
                    Err(_) => self.deaf = true,
                },
                () = until(wake), if !stopping && wake.is_some() => {}
            }
        }
    }

    /// Begins whatever may begin now, and says when there may be more to begin although nothing has ended.
    fn begin(&mut self) -> Option<Instant> {
        let now = Instant::now();
        if self.line.stop.is_cancelled() {
            self.give_back();
            return None;
        }
        let rest = self.line.rest_left(now);
        if self.line.is_long(rest) {
            // What keeps them back is not the rows: until then they may change, and another may have them.
            self.give_back();
            return Some(now + rest);
        }
        if now < self.quiet_until {
            return Some(self.quiet_until);
        }
        while self.may_turn()
            && let Some(job) = self.ready.pop_front()
        {
            self.turning += 1;
            let line = Arc::clone(&self.line);
            self.work
                .spawn(async move { Done::Turned(line.turn(job).await) });
        }
        if self.claiming || !self.ready.is_empty() || !self.may_turn() {
            return None;
        }
        let due = self.look_at.max(now + rest);
        if due > now {
            return Some(due);
        }
        self.claiming = true;
        self.heard = false;
        let line = Arc::clone(&self.line);
        self.work
            .spawn(async move { Done::Claimed(line.claim().await) });
        None
    }

    /// Whether one more may wait for its turn: one more than there are places, so that the next one is ready when a place is free.
    fn may_turn(&self) -> bool {
        self.turning < TURNS && self.turning + self.flying <= self.line.target.concurrency
    }

    fn give_back(&mut self) {
        for job in self.ready.drain(..) {
            let line = Arc::clone(&self.line);
            self.work
                .spawn(async move { Done::GivenBack(line.give_back(job).await) });
        }
    }

    /// Takes note of what has ended. An error of the store that time does not mend ends the loop.
    fn end(&mut self, done: Done) -> Result<(), StoreError> {
        let ended = match done {
            Done::Claimed(found) => {
                self.claiming = false;
                found.map(|found| {
                    // What was told of meanwhile may have come too late for it.
                    if found.rows == 0 && found.put_back == 0 && !self.heard {
                        self.look_at = Instant::now() + self.poll;
                    }
                    self.ready.extend(found.jobs);
                })
            }
            Done::Turned(turn) => {
                self.turning -= 1;
                turn.map(|turn| {
                    if let Turn::Cleared(job, clearance) = turn {
                        self.send(job, clearance);
                    }
                })
            }
            Done::Landed(again) => {
                self.flying -= 1;
                again.map(|again| {
                    for job in again.into_iter().rev() {
                        self.ready.push_front(job);
                    }
                })
            }
            Done::GivenBack(given_back) => given_back,
        };
        match ended {
            Ok(()) => {
                self.trouble.reset();
                Ok(())
            }
            Err(error) if error.class() == Class::Fatal => Err(error),
            Err(error) => {
                self.store_retries.inc();
                tracing::warn!(target_name = self.line.target.name, error = %chain(&error), "the store is in trouble");
                self.quiet_until = Instant::now() + self.trouble.next_delay();
                Ok(())
            }
        }
    }

    fn send(&mut self, job: Job, clearance: Clearance) {
        self.flying += 1;
        let line = Arc::clone(&self.line);
        self.work
            .spawn(async move { Done::Landed(line.fly(job, clearance).await) });
    }
}

/// Until the instant; for ever where there is none.
async fn until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake.into()).await,
        None => std::future::pending().await,
    }
}
