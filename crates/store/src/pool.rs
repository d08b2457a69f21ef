//! The pool, its connections and its transactions; every wait has a deadline.

use crate::connect::{self, Settings};
use crate::error::{StoreError, spoils_connection};
use crate::hosts::Hosts;
use deadpool_postgres::{
    GenericClient, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
    TimeoutType,
};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How much longer than the server's own statement timeout we wait for its answer.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

/// What a store needs to know. Plain values: reading flags and files is the binary's business.
#[derive(Clone)]
pub struct StoreConfig {
    /// `postgres://user:password@host:port/database?sslmode=…`, with commas between several hosts and ports.
    pub url: String,
    /// The most connections this process opens for its work.
    pub pool_max: usize,
    /// How long to wait for a free connection before saying [`StoreError::PoolExhausted`].
    pub acquire_timeout: Duration,
    /// How long the server may work on one statement.
    pub statement_timeout: Duration,
    /// How long a statement may wait for another transaction's lock.
    pub lock_timeout: Duration,
    /// Shown in `pg_stat_activity`.
    pub application_name: String,
    /// Whether tables may be read from end to end: for commands that ask about everything there is.
    ///
    /// Whoever works on rows as they come looks them up by index. A month that was empty when statistics were taken counts as free to be
    /// read whole, and a plan made then is kept while it fills.
    pub whole_tables: bool,
    /// Whether nothing may be written: for those who only show what there is.
    pub read_only: bool,
}

impl StoreConfig {
    /// The usual limits: 8 connections, 5 s for a connection, 30 s a statement, 10 s for a lock.
    pub fn new(url: impl Into<String>, application_name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            pool_max: 8,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
            application_name: application_name.into(),
            whole_tables: false,
            read_only: false,
        }
    }
}

impl std::fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password.
        f.debug_struct("StoreConfig")
            .field("pool_max", &self.pool_max)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("lock_timeout", &self.lock_timeout)
            .field("application_name", &self.application_name)
            .finish_non_exhaustive()
    }
}

/// PostgreSQL, as this process sees it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    settings: Arc<Settings>,
    acquire_timeout: Duration,
    deadline: Duration,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("pool", &self.pool.status())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Prepares a pool. Opens no connection: the server may be away now and come later.
    #[allow(clippy::unused_async)] // part of the contract with the binaries; a check at start may come
    pub async fn connect(config: StoreConfig) -> Result<Self, StoreError> {
        let milliseconds = |limit: Duration| limit.as_millis().to_string();
        let settings = connect::settings(
            &config.url,
            &config.application_name,
            &[
                (
                    "enable_seqscan",
                    if config.whole_tables { "on" } else { "off" }.to_owned(),
                ),
                (
                    "default_transaction_read_only",
                    if config.read_only { "on" } else { "off" }.to_owned(),
                ),
                ("statement_timeout", milliseconds(config.statement_timeout)),
                ("lock_timeout", milliseconds(config.lock_timeout)),
                (
                    "idle_in_transaction_session_timeout",
                    milliseconds(config.statement_timeout * 2),
                ),
            ],
        )?;
        let manager = Manager::from_connect(
            settings.config.clone(),
            Hosts::new(&settings, config.acquire_timeout, config.read_only),
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = Pool::builder(manager)
            .max_size(config.pool_max.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(config.acquire_timeout))
            .create_timeout(Some(config.acquire_timeout))
            .recycle_timeout(Some(config.acquire_timeout))
            .build()
            .map_err(|_| StoreError::Pool(PoolError::NoRuntimeSpecified))?;
        Ok(Self {
            pool,
            settings: Arc::new(settings),
            acquire_timeout: config.acquire_timeout,
            deadline: config.statement_timeout + ANSWER_GRACE,
        })
    }

    /// A pooled connection. Hold one at a time: waiting for a second one while holding the first can hang all workers.
    pub async fn client(&self) -> Result<Client, StoreError> {
        let object = self.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => StoreError::PoolExhausted {
                within_ms: self.acquire_timeout.as_millis(),
            },
            PoolError::Backend(source) => StoreError::backend(source),
            other => StoreError::Pool(other),
        })?;
        Ok(Client {
            object: Some(object),
            guard: Guard::new(self.deadline),
        })
    }

    /// A pooled connection for statements that may take as long as this. Given up when it is dropped: others must not inherit its patience.
    pub async fn patient(&self, statement_timeout: Duration) -> Result<Client, StoreError> {
        let mut client = self.client().await?;
        let text = format!("SET statement_timeout = {}", statement_timeout.as_millis());
        client.guard.spoilt.store(true, Ordering::Relaxed);
        client
            .guard
            .run(
                "set a statement's time",
                Connection::client(&client).batch_execute(&text),
            )
            .await?;
        client.guard.deadline = statement_timeout + ANSWER_GRACE;
        Ok(client)
    }

    /// A connection of its own, outside the pool.
    pub(crate) async fn single(&self) -> Result<tokio_postgres::Client, StoreError> {
        connect::single(&self.settings).await
    }

    /// How long to wait for the answer to one statement.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }
}

/// Ends waits, and remembers that a connection must not go back to the pool.
#[derive(Debug)]
#[doc(hidden)]
pub struct Guard {
    deadline: Duration,
    spoilt: AtomicBool,
}

impl Guard {
    fn new(deadline: Duration) -> Self {
        Self {
            deadline,
            spoilt: AtomicBool::new(false),
        }
    }

    pub(crate) async fn run<T>(
        &self,
        step: &'static str,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(source)) => {
                if spoils_connection(&source) {
                    self.spoilt.store(true, Ordering::Relaxed);
                }
                Err(StoreError::query(step, source))
            }
            Err(_) => {
                self.spoilt.store(true, Ordering::Relaxed);
                Err(StoreError::Deadline {
                    step,
                    within_ms: self.deadline.as_millis(),
                })
            }
        }
    }
}

mod sealed {
    /// Only this crate's connections count as one.
    pub trait Sealed {}
    impl Sealed for super::Client {}
    impl Sealed for super::Transaction<'_> {}
}

/// A [`Client`] or a [`Transaction`]: whatever statements can be run on.
pub trait Connection: sealed::Sealed + Sync {
    /// The driver's view of it.
    #[doc(hidden)]
    fn client(&self) -> &impl GenericClient;
    /// Its deadline.
    #[doc(hidden)]
    fn guard(&self) -> &Guard;
}

/// A pooled connection; goes back when dropped, unless it stopped answering.
pub struct Client {
    /// Always there until drop.
    object: Option<Object>,
    guard: Guard,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Begins a transaction (read committed). Dropping it rolls back.
    pub async fn transaction(&mut self) -> Result<Transaction<'_>, StoreError> {
        let Some(object) = self.object.as_mut() else {
            return Err(StoreError::Vanished {
                step: "begin a transaction",
            });
        };
        let inner = self
            .guard
            .run("begin a transaction", object.transaction())
            .await?;
        Ok(Transaction {
            inner,
            guard: &self.guard,
        })
    }
}

impl Connection for Client {
    #[allow(clippy::expect_used)] // the invariant of the field
    fn client(&self) -> &impl GenericClient {
        self.object
            .as_ref()
            .expect("a client holds its connection until it is dropped")
    }

    fn guard(&self) -> &Guard {
        &self.guard
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.guard.spoilt.load(Ordering::Relaxed)
            && let Some(object) = self.object.take()
        {
            drop(Object::take(object));
        }
    }
}

/// An open transaction; rolled back when dropped.
pub struct Transaction<'a> {
    inner: deadpool_postgres::Transaction<'a>,
    guard: &'a Guard,
}

impl std::fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

impl Transaction<'_> {
    /// Makes everything done in it durable. An error leaves it open whether it did: repeat the work, it is idempotent.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.guard.run("commit", self.inner.commit()).await
    }

    /// Undoes everything done in it.
    pub async fn rollback(self) -> Result<(), StoreError> {
        self.guard.run("roll back", self.inner.rollback()).await
    }

    /// Where the rows of a prepared COPY go.
    pub(crate) async fn copy_in(
        &self,
        statement: &tokio_postgres::Statement,
    ) -> Result<tokio_postgres::CopyInSink<bytes::Bytes>, tokio_postgres::Error> {
        self.inner.copy_in(statement).await
    }

    /// Begins a part that can be undone alone.
    pub async fn savepoint(&mut self) -> Result<Transaction<'_>, StoreError> {
        let inner = self
            .guard
            .run("set a savepoint", self.inner.transaction())
            .await?;
        Ok(Transaction {
            inner,
            guard: self.guard,
        })
    }
}

impl Connection for Transaction<'_> {
    fn client(&self) -> &impl GenericClient {
        &self.inner
    }

    fn guard(&self) -> &Guard {
        self.guard
    }
}
