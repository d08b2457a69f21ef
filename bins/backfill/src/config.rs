//! This binary's settings: the flags, and what they mean once checked.

mod flags;
mod operate;
mod start;
mod worker;

pub use flags::{
    CheckArgs, Checked, Cli, Command, CommonArgs, Format, ImportArgs, JobsArgs, JobsCommand,
    MigrateArgs, ReplayArgs,
};
pub use operate::{CancelArgs, ListArgs, PauseArgs, ResumeArgs, ShowArgs, StatusArgs, WatchArgs};
pub use start::{FilesJob, RequestArgs, RequestConfig, StartArgs, StartConfig, StartSource};

pub(crate) use start::{PromoteWord, read_platforms};

pub use runtime::args::{Output, ViewArgs};
pub use worker::{WorkerArgs, WorkerConfig};

use adapter::Mappings;
use broker::BrokerConfig;
use runtime::Secret;
use runtime::args::{AmqpSettings, PostgresArgs, PostgresSettings};
use runtime::seal::SealKeys;
use schema::backfill::Promote;
use schema::{BodyFormat, JobId, MetricVersion, SubscriptionName, TenantId, UtcMicros};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use store::StoreConfig;

/// Checked settings of every job.
#[derive(Debug, Clone)]
pub struct Common {
    /// PostgreSQL.
    pub postgres: PostgresSettings,
    /// RabbitMQ.
    pub amqp: AmqpSettings,
    /// Where probes are served, if at all.
    pub ops_listen: Option<SocketAddr>,
    /// How long to finish begun work.
    pub grace: Duration,
    /// The mapping files, and the attributes that are kept.
    pub mappings: Mappings,
    /// How long a job is ours without a sign of life.
    pub lease: Duration,
    /// Whether to wait for the line at the end, and how long at most without any movement.
    pub wait: Option<Duration>,
    /// How results are written.
    pub output: Output,
    /// The most messages in the history queue before the job pauses.
    pub depth_max: u32,
}

/// What a job is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task<T> {
    /// A new job.
    New(T),
    /// One that was interrupted.
    Resume(JobId),
}

/// Checked settings of `replay`.
#[derive(Debug, Clone)]
pub struct ReplayConfig {
    /// What every job has.
    pub common: Common,
    /// What to replay.
    pub task: Task<Stretch>,
    /// What customers' identities are hashed under, if they are.
    pub customer_secret: Option<Secret>,
    /// The keys that raw bytes may be sealed under.
    pub raw_keys: Option<SealKeys>,
    /// Events read at a time.
    pub page_events: u32,
    /// What becomes of the version at the end, of a new job.
    pub promote: Promote,
}

/// A stretch of the log and the version to compute from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The first instant.
    pub from: UtcMicros,
    /// The first instant after it.
    pub to: UtcMicros,
    /// One organisation only.
    pub tenant: Option<String>,
    /// The version.
    pub version: MetricVersion,
}

/// Checked settings of `import`.
#[derive(Debug, Clone)]
pub struct ImportConfig {
    /// What every job has.
    pub common: Common,
    /// What to import.
    pub task: Task<Files>,
    /// The most bytes in a page.
    pub page_bytes: usize,
}

/// Files to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Where they are.
    pub paths: Vec<PathBuf>,
    /// How they are to be read.
    pub format: BodyFormat,
    /// Whose they are.
    pub tenant: TenantId,
    /// The source they are filed under.
    pub subscription: SubscriptionName,
    /// The version to compute besides.
    pub version: MetricVersion,
}

/// What a command that looks at things needs.
pub(crate) fn viewed(view: &ViewArgs) -> anyhow::Result<(StoreConfig, Output)> {
    let (postgres, output) = view.resolve()?;
    Ok((store_config(&postgres), output))
}

fn store_config(postgres: &PostgresSettings) -> StoreConfig {
    StoreConfig {
        pool_max: postgres.pool_max,
        acquire_timeout: postgres.acquire_timeout,
        statement_timeout: postgres.statement_timeout,
        ..StoreConfig::new(&postgres.url, "kpiline backfill")
    }
}

fn broker_config(amqp: &AmqpSettings) -> BrokerConfig {
    BrokerConfig {
        connect_timeout: amqp.connect_timeout,
        confirm_timeout: amqp.confirm_timeout,
        raw_max_bytes: amqp.raw_max_bytes,
        declare: amqp.declare,
        ..BrokerConfig::new(&amqp.url, &amqp.prefix, "kpiline backfill")
    }
}

impl Common {
    /// What the store needs.
    pub fn store(&self) -> StoreConfig {
        store_config(&self.postgres)
    }

    /// What the broker connection needs.
    pub fn broker(&self) -> BrokerConfig {
        broker_config(&self.amqp)
    }
}

#[cfg(test)]
mod tests;
