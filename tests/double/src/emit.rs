//! Sends events as signed webhooks: light enough to share two cores with everything it loads, and as stubborn as a real event
//! bus when told so.
//!
//! One connection is one worker: it sends a body, waits for the answer, and goes on. With [`Retry`] a worker keeps a body until it
//! is accepted, the way an event bus retries its HTTPS target on timeouts, connection failures, 429 and 5xx, and gives up on any
//! other refusal. A body whose answer was lost is sent again; that is what at-least-once means.

mod plan;
mod wire;

pub use plan::{Body, Plan, lines};

use crate::sign::{Encoding, Signer};
use bytes::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use wire::{Target, Wire};

/// How events are put into bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// One event as the bare object, several as an array.
    #[default]
    Json,
    /// Always an array, also of one.
    Array,
    /// One event a line.
    Lines,
}

/// What to send where, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The endpoint, `http://` only.
    pub url: String,
    /// The secret to sign with; without one bodies go unsigned.
    pub secret: Option<String>,
    /// The signature's header.
    pub header: String,
    /// How the signature is written.
    pub encoding: Encoding,
    /// What stands before the signature.
    pub prefix: String,
    /// Events in a body.
    pub per_post: usize,
    /// How they are put there.
    pub framing: Framing,
    /// Bodies a second at most; without one, as fast as it goes.
    pub rate: Option<f64>,
    /// Connections, each with one body under way.
    pub connections: usize,
    /// Sends the events in an order drawn from this seed.
    pub shuffle_seed: Option<u64>,
    /// Share of the events that are sent a second time, somewhere later.
    pub duplicate_ratio: f64,
    /// Share of the events that are sent late.
    pub late_ratio: f64,
    /// How many events later at most.
    pub late_by: usize,
    /// Seed of duplicates and lateness.
    pub seed: u64,
    /// Builds and signs all bodies before the clock starts.
    pub prepare: bool,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Keeps on until accepted; without it every body is tried once.
    pub retry: Option<Retry>,
}

impl Options {
    /// One event a body, signed with this secret in `x-genesys-signature`, over eight connections, each body once.
    pub fn to(url: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            secret: Some(secret.into()),
            header: "x-genesys-signature".to_owned(),
            encoding: Encoding::Hex,
            prefix: String::new(),
            per_post: 1,
            framing: Framing::Json,
            rate: None,
            connections: 8,
            shuffle_seed: None,
            duplicate_ratio: 0.0,
            late_ratio: 0.0,
            late_by: 100,
            seed: 1,
            prepare: false,
            timeout: Duration::from_secs(5),
            retry: None,
        }
    }

    /// The signer these options describe, if they name a secret.
    pub fn signer(&self) -> Option<Signer> {
        let secret = self.secret.as_ref()?;
        Some(Signer::new(
            secret.as_bytes(),
            self.encoding,
            self.prefix.clone(),
        ))
    }
}

/// How stubborn a sender is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The first pause; each further one is twice as long, less a random part.
    pub first: Duration,
    /// The longest pause; also the most of a `Retry-After` that is heeded.
    pub longest: Duration,
    /// A body is given up when it is not accepted after this long.
    pub give_up: Duration,
}

impl Default for Retry {
    /// An event bus's manners at a test's pace: 50 ms to 2 s, for ten minutes.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(50),
            longest: Duration::from_secs(2),
            give_up: Duration::from_secs(600),
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Bodies.
    pub posts: u64,
    /// Events in them, copies included.
    pub events: u64,
    /// Bodies answered 2xx.
    pub accepted_posts: u64,
    /// Events in those.
    pub accepted_events: u64,
    /// Attempts, repetitions included.
    pub attempts: u64,
    /// Attempts by status, `timeout` and `connection`.
    pub by_status: BTreeMap<String, u64>,
    /// From the first body to the last answer.
    pub seconds: f64,
    /// Accepted events a second.
    pub events_per_second: f64,
    /// Half of the answered attempts took at most this long.
    pub latency_p50_ms: f64,
    /// All but one in a hundred did.
    pub latency_p99_ms: f64,
    /// The slowest.
    pub latency_max_ms: f64,
}

impl Summary {
    /// Whether every body was accepted.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.accepted_posts == self.posts
    }
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// The URL is no `http://` address.
    #[error("{url:?} is no http:// address that can be sent to")]
    Url {
        /// As given.
        url: String,
    },
    /// The header's name cannot stand in a request.
    #[error("{name:?} is no name of a header")]
    Header {
        /// As given.
        name: String,
    },
}

/// Sends these events, each the bytes of one JSON object, and says what came of it.
///
/// # Errors
/// Only when nothing can be sent at all; what happens to bodies under way is in the [`Summary`].
pub async fn run(options: &Options, events: Vec<Bytes>) -> Result<Summary, EmitError> {
    let target = Target::parse(options)?;
    let plan = Plan::new(options, events);
    let job = Arc::new(Job {
        target,
        plan,
        rate: options.rate,
        timeout: options.timeout,
        retry: options.retry,
        next: AtomicUsize::new(0),
        started: Instant::now(),
    });
    let workers: Vec<_> = (0..options.connections.max(1))
        .map(|number| tokio::spawn(Worker::new(Arc::clone(&job), number).work()))
        .collect();
    let mut tallies = Vec::new();
    for worker in workers {
        // A worker does not panic on what a server does; were it to, its bodies are missing from the sums.
        if let Ok(tally) = worker.await {
            tallies.push(tally);
        }
    }
    Ok(summary(&job, tallies))
}

struct Job {
    target: Target,
    plan: Plan,
    rate: Option<f64>,
    timeout: Duration,
    retry: Option<Retry>,
    next: AtomicUsize,
    started: Instant,
}

#[derive(Default)]
struct Tally {
    accepted_posts: u64,
    accepted_events: u64,
    statuses: BTreeMap<u16, u64>,
    timeouts: u64,
    broken: u64,
    micros: Vec<u32>,
}

/// What one attempt came to.
enum Attempt {
    Status(u16, Option<Duration>),
    Timeout,
    Broken,
}

struct Worker {
    job: Arc<Job>,
    wire: Option<Wire>,
    random: crate::Random,
    tally: Tally,
}

impl Worker {
    fn new(job: Arc<Job>, number: usize) -> Self {
        Self {
            job,
            wire: None,
            random: crate::Random::new(number as u64),
            tally: Tally::default(),
        }
    }

    async fn work(mut self) -> Tally {
        loop {
            let number = self.job.next.fetch_add(1, Ordering::Relaxed);
            let Some(body) = self.job.plan.body(number) else {
                return self.tally;
            };
            self.pace(number).await;
            if self.deliver(&body).await {
                self.tally.accepted_posts += 1;
                self.tally.accepted_events += body.events as u64;
            }
        }
    }

    #[allow(clippy::cast_precision_loss)] // fewer than 2^52 bodies
    async fn pace(&self, number: usize) {
        if let Some(rate) = self.job.rate {
            let due = Duration::try_from_secs_f64(number as f64 / rate).unwrap_or(Duration::MAX);
            let early = due.saturating_sub(self.job.started.elapsed());
            if !early.is_zero() {
                tokio::time::sleep(early).await;
            }
        }
    }

    /// Sends one body until it is accepted, refused for good, or given up.
    async fn deliver(&mut self, body: &Body) -> bool {
        let began = Instant::now();
        let mut pause = self.job.retry.map_or(Duration::ZERO, |retry| retry.first);
        loop {
            let named = match self.attempt(body).await {
                Attempt::Status(200..=299, _) => return true,
                Attempt::Status(429 | 500..=599, named) => named,
                Attempt::Status(..) => return false,
                Attempt::Timeout | Attempt::Broken => None,
            };
            let Some(retry) = self.job.retry else {
                return false;
            };
            if began.elapsed() >= retry.give_up {
                return false;
            }
            let drawn = pause.mul_f64(0.5 + self.random.unit() / 2.0);
            let wait = named.map_or(drawn, |named| named.max(drawn));
            tokio::time::sleep(wait.min(retry.longest)).await;
            pause = (pause * 2).min(retry.longest);
        }
    }

    async fn attempt(&mut self, body: &Body) -> Attempt {
        let began = Instant::now();
        let job = Arc::clone(&self.job);
        let exchange = async {
            if let Some(wire) = &mut self.wire
                && wire.is_ready().await
            {
                return wire.post(&job.target, body).await;
            }
            let wire = self.wire.insert(Wire::connect(&job.target).await?);
            wire.post(&job.target, body).await
        };
        let attempt = match tokio::time::timeout(job.timeout, exchange).await {
            Ok(Some((status, named))) => Attempt::Status(status, named),
            Ok(None) => Attempt::Broken,
            Err(_) => Attempt::Timeout,
        };
        match &attempt {
            Attempt::Status(status, _) => {
                *self.tally.statuses.entry(*status).or_default() += 1;
                let micros = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
                self.tally.micros.push(micros);
            }
            Attempt::Timeout => self.tally.timeouts += 1,
            Attempt::Broken => self.tally.broken += 1,
        }
        // A connection whose exchange failed is not used again: an answer may still come on it.
        if !matches!(attempt, Attempt::Status(..)) {
            self.wire = None;
        }
        attempt
    }
}

#[allow(clippy::cast_precision_loss)] // counts of events stay far below 2^52
fn summary(job: &Job, tallies: Vec<Tally>) -> Summary {
    let mut summary = Summary {
        posts: job.plan.posts() as u64,
        events: job.plan.events() as u64,
        seconds: job.started.elapsed().as_secs_f64(),
        ..Summary::default()
    };
    let mut micros = Vec::new();
    let mut count = |name: String, attempts: u64| {
        if attempts > 0 {
            summary.attempts += attempts;
            *summary.by_status.entry(name).or_default() += attempts;
        }
    };
    for tally in tallies {
        for (status, attempts) in tally.statuses {
            count(status.to_string(), attempts);
        }
        count("timeout".to_owned(), tally.timeouts);
        count("connection".to_owned(), tally.broken);
        micros.extend(tally.micros);
        summary.accepted_posts += tally.accepted_posts;
        summary.accepted_events += tally.accepted_events;
    }
    micros.sort_unstable();
    let at = |share: usize| {
        let place = (micros.len() * share / 100).min(micros.len().saturating_sub(1));
        micros
            .get(place)
            .map_or(0.0, |micros| f64::from(*micros) / 1_000.0)
    };
    summary.latency_p50_ms = at(50);
    summary.latency_p99_ms = at(99);
    summary.latency_max_ms = at(100);
    summary.events_per_second = summary.accepted_events as f64 / summary.seconds.max(1e-9);
    summary
}
