//! A breaker that is kept elsewhere, for all processes that ask a platform with one credential: after failures in a row nobody asks it
//! for a while, then one tries for all.
//!
//! What is about our rows, our pace or our credential says nothing of the platform's health: it neither opens nor closes it, and whoever
//! tried gives the try back. Nor does a request that was under way when the breaker turned: only the one that tries turns it back.

use super::{Signal, State};
use crate::budget::BoxFuture;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Which try it is. One whose time ran out is another than the one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Try(pub i64);

/// What the keeper says to whoever wants to send something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It may.
    Closed,
    /// It may, to see whether the platform is back.
    Try(Try),
    /// It may not.
    Open {
        /// How long from now to ask again.
        retry_in: Duration,
        /// What failed last.
        reason: String,
    },
}

/// How a breaker stands after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stands {
    /// Its state.
    pub state: State,
    /// Failures in a row.
    pub failures: u32,
    /// How long nothing is sent.
    pub left: Duration,
}

/// Keeps the breaker of one credential for all processes.
pub trait Keeper: Send + Sync + fmt::Debug {
    /// It could not be asked.
    type Error: Error + Send + Sync + 'static;

    /// Whether to send something. One that tries has so long for it.
    fn enter(&self, length: Duration) -> BoxFuture<'_, Result<Entry, Self::Error>>;

    /// The platform failed. `None`: it was no try.
    fn failed<'a>(
        &'a self,
        tried: Option<Try>,
        why: &'a str,
    ) -> BoxFuture<'a, Result<Stands, Self::Error>>;

    /// The platform did what it was asked.
    fn succeeded(&self, tried: Option<Try>) -> BoxFuture<'_, Result<State, Self::Error>>;

    /// A try said nothing: another may.
    fn released(&self, tried: Try) -> BoxFuture<'_, Result<(), Self::Error>>;
}

/// Leave to send one request. To be given to [`Shared::record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Leave {
    tried: Option<Try>,
}

impl Leave {
    /// Whether it is to see if the platform is back.
    #[must_use]
    pub const fn is_try(&self) -> bool {
        self.tried.is_some()
    }
}

/// Whether a request may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// It may.
    Granted(Leave),
    /// Not for so long.
    Wait {
        /// How long not to ask again.
        wait: Duration,
        /// What failed last.
        reason: String,
    },
}

/// The breaker of one credential, as this process sees it.
#[derive(Debug)]
pub struct Shared<K> {
    keeper: K,
    length: Duration,
    /// Ask the keeper only once something has failed.
    lazy: bool,
    /// Whether anything failed lately, here or elsewhere.
    trouble: AtomicBool,
}

impl<K: Keeper> Shared<K> {
    /// One that tries has so long for it: as long as a request and its wait for a slot take.
    pub const fn new(keeper: K, length: Duration) -> Self {
        Self {
            keeper,
            length,
            lazy: false,
            trouble: AtomicBool::new(false),
        }
    }

    /// The same, that costs nothing while all is well: it is asked for only after a failure here, or when [`Self::is_in_trouble`] says so.
    #[must_use]
    pub fn lazy(self) -> Self {
        Self { lazy: true, ..self }
    }

    /// Another process has met failures.
    pub fn is_in_trouble(&self) {
        self.trouble.store(true, Ordering::Relaxed);
    }

    /// Leave to send one request, or how long not to.
    pub async fn permit(&self) -> Result<Permission, K::Error> {
        let free = Permission::Granted(Leave { tried: None });
        if self.lazy && !self.trouble.load(Ordering::Relaxed) {
            return Ok(free);
        }
        Ok(match self.keeper.enter(self.length).await? {
            Entry::Closed => free,
            Entry::Try(number) => Permission::Granted(Leave {
                tried: Some(number),
            }),
            Entry::Open { retry_in, reason } => Permission::Wait {
                wait: retry_in,
                reason,
            },
        })
    }

    /// What a permitted request said, and how the breaker stands then; `None`: as before. A request that was not sent is
    /// [`Signal::Neutral`].
    pub async fn record(
        &self,
        leave: Leave,
        signal: Signal,
        why: &str,
    ) -> Result<Option<Stands>, K::Error> {
        match (signal, leave.tried) {
            (Signal::Success, tried) => {
                if self.lazy && !self.trouble.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                let state = self.keeper.succeeded(tried).await?;
                if state == State::Closed {
                    self.trouble.store(false, Ordering::Relaxed);
                }
                Ok(Some(Stands {
                    state,
                    failures: 0,
                    left: Duration::ZERO,
                }))
            }
            (Signal::Failure, tried) => {
                self.trouble.store(true, Ordering::Relaxed);
                self.keeper.failed(tried, why).await.map(Some)
            }
            (Signal::Neutral, Some(number)) => {
                self.keeper.released(number).await?;
                Ok(None)
            }
            (Signal::Neutral, None) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Debug, Default)]
    struct Book {
        tries: Mutex<i64>,
        told: Mutex<Vec<String>>,
    }

    impl Book {
        fn note(&self, what: String) {
            self.told.lock().unwrap().push(what);
        }
    }

    impl Keeper for &Book {
        type Error = std::io::Error;

        fn enter(&self, _: Duration) -> BoxFuture<'_, Result<Entry, Self::Error>> {
            Box::pin(async {
                let mut tries = self.tries.lock().unwrap();
                *tries += 1;
                Ok(Entry::Try(Try(*tries)))
            })
        }

        fn failed<'a>(
            &'a self,
            tried: Option<Try>,
            why: &'a str,
        ) -> BoxFuture<'a, Result<Stands, Self::Error>> {
            Box::pin(async move {
                self.note(format!("failed {tried:?} {why}"));
                Ok(Stands {
                    state: State::Open,
                    failures: 1,
                    left: Duration::from_secs(5),
                })
            })
        }

        fn succeeded(&self, tried: Option<Try>) -> BoxFuture<'_, Result<State, Self::Error>> {
            Box::pin(async move {
                self.note(format!("succeeded {tried:?}"));
                Ok(State::Closed)
            })
        }

        fn released(&self, tried: Try) -> BoxFuture<'_, Result<(), Self::Error>> {
            Box::pin(async move {
                self.note(format!("released {tried:?}"));
                Ok(())
            })
        }
    }

    async fn leave(breaker: &Shared<&Book>) -> Leave {
        match breaker.permit().await.unwrap() {
            Permission::Granted(leave) => leave,
            Permission::Wait { .. } => panic!("open"),
        }
    }

    #[tokio::test]
    async fn while_all_is_well_a_lazy_one_asks_nobody() {
        let book = Book::default();
        let breaker = Shared::new(&book, Duration::from_secs(1)).lazy();
        for _ in 0..3 {
            let leave = leave(&breaker).await;
            breaker.record(leave, Signal::Success, "").await.unwrap();
            breaker.record(leave, Signal::Neutral, "").await.unwrap();
        }
        assert_eq!(*book.tries.lock().unwrap(), 0);
        assert!(book.told.lock().unwrap().is_empty());
    }

    /// Pitfall 103: what says nothing of the platform's health gives the try back, and each try answers for itself.
    #[tokio::test]
    async fn pitfall_103_a_try_that_says_nothing_is_given_back() {
        let book = Book::default();
        let breaker = Shared::new(&book, Duration::from_secs(1)).lazy();
        let first = leave(&breaker).await;
        let stands = breaker.record(first, Signal::Failure, "503").await.unwrap();
        assert_eq!(stands.map(|stands| stands.state), Some(State::Open));
        let tries = leave(&breaker).await;
        breaker.record(tries, Signal::Neutral, "429").await.unwrap();
        let tries = leave(&breaker).await;
        breaker.record(tries, Signal::Success, "").await.unwrap();
        let after = leave(&breaker).await;
        breaker.record(after, Signal::Success, "").await.unwrap();
        let told = book.told.lock().unwrap();
        assert_eq!(
            *told,
            [
                "failed None 503",
                "released Try(1)",
                "succeeded Some(Try(2))"
            ]
        );
    }
}
