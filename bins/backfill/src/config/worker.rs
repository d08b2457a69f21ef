//! The flags of `worker`, and what they mean once checked.

use super::flags::{duration, read_mappings};
use super::{broker_config, read_platforms, store_config};
use crate::finish::Settings;
use crate::platforms::Platforms;
use crate::replay::Reading;
use crate::worker::gate::Bounds;
use adapter::Mappings;
use broker::BrokerConfig;
use runtime::args::{
    AmqpArgs, AmqpSettings, AttributeArgs, CustomerArgs, OpsArgs, PostgresArgs, PostgresSettings,
    RawKeyArgs,
};
use runtime::{Problems, Secret};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::StoreConfig;
use url::Url;

/// Lanes beyond which a process does nothing but wait for its connections.
const LANES_MAX: usize = 64;

/// A day's settlement must be remembered until the next one is due, wherever its day begins.
const RETENTION_MIN: Duration = Duration::from_secs(3 * 86_400);

/// Flags of `worker`.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkerArgs {
    /// The platforms file: whose history can be fetched, from where and as whom; see `backfill check`
    #[arg(long, env = "KPILINE_PLATFORMS", value_name = "FILE")]
    platforms: Option<PathBuf>,

    /// Chunks worked on at a time. The platforms' limits are shared by all processes, so more lanes only help where answers are slow
    ///
    /// While something is followed, one of several is kept for it; where there is only one, it leaves history after a page for what is due.
    #[arg(long, env = "KPILINE_LANES", default_value_t = 3, value_name = "COUNT")]
    lanes: usize,

    /// How long a chunk stays taken without a sign of life; after a crash another lane goes on with it then
    #[arg(long, env = "KPILINE_LEASE", default_value = "30s", value_parser = duration, value_name = "DURATION")]
    lease: Duration,

    /// A mapping file that the log's events, files or extractions are read with; may be given several times
    #[arg(
        long = "mapping",
        env = "KPILINE_MAPPINGS",
        value_delimiter = ',',
        value_name = "FILE"
    )]
    mappings: Vec<PathBuf>,

    #[command(flatten)]
    attributes: AttributeArgs,

    /// The most bytes in a page; a larger single record is a page of its own
    #[arg(long, env = "KPILINE_BACKFILL_PAGE_BYTES", default_value_t = 512 * 1024, value_name = "BYTES")]
    page_bytes: usize,

    /// Events read from the log at a time
    #[arg(
        long,
        env = "KPILINE_BACKFILL_PAGE_EVENTS",
        default_value_t = 20_000,
        value_name = "COUNT"
    )]
    page_events: u32,

    /// History waits while raw.history holds more messages than this (one holds up to a page)
    #[arg(
        long,
        env = "KPILINE_BACKFILL_RAW_DEPTH_MAX",
        default_value_t = 64,
        value_name = "COUNT"
    )]
    raw_depth_max: u32,

    /// History waits while events.history holds more messages than this (one holds up to 500 events)
    #[arg(
        long,
        env = "KPILINE_BACKFILL_EVENTS_DEPTH_MAX",
        default_value_t = 200,
        value_name = "COUNT"
    )]
    events_depth_max: u32,

    /// History waits while raw, or the events queues of live work together, hold more messages than this
    #[arg(
        long,
        env = "KPILINE_LIVE_DEPTH_MAX",
        default_value_t = 100,
        value_name = "COUNT"
    )]
    live_depth_max: u32,

    /// History waits while live facts that were taken lately had waited for longer than this
    #[arg(long, env = "KPILINE_LIVE_WAIT_MAX", default_value = "5s", value_parser = duration, value_name = "DURATION")]
    live_wait_max: Duration,

    /// Where a notice is posted when a job has ended, for dashboards to be refreshed; may be given several times
    #[arg(
        long = "notify-url",
        env = "KPILINE_NOTIFY_URL",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "URL"
    )]
    notify: Vec<Secret>,

    /// What notices are signed with
    #[arg(
        long,
        env = "KPILINE_NOTIFY_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    notify_secret: Option<Secret>,

    /// A file that holds the secret, instead of --notify-secret
    #[arg(long, env = "KPILINE_NOTIFY_SECRET_FILE", value_name = "PATH")]
    notify_secret_file: Option<PathBuf>,

    /// How long jobs that have ended are kept, 3 days at least
    #[arg(long, env = "KPILINE_RETENTION", default_value = "90days", value_parser = duration, value_name = "DURATION")]
    retention: Duration,

    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    amqp: AmqpArgs,
    #[command(flatten)]
    pub(crate) ops: OpsArgs,

    // Behind the others, whose flags would else stand under its heading.
    #[command(flatten)]
    customers: CustomerArgs,
    #[command(flatten)]
    raw_keys: RawKeyArgs,
}

/// Checked settings of `worker`.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    postgres: PostgresSettings,
    amqp: AmqpSettings,
    pub(crate) platforms: Platforms,
    pub(crate) lanes: usize,
    pub(crate) lease: Duration,
    pub(crate) mappings: Mappings,
    pub(crate) reading: Reading,
    pub(crate) page_bytes: usize,
    pub(crate) bounds: Bounds,
    pub(crate) finishing: Settings,
}

impl WorkerArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<WorkerConfig> {
        let mut problems = Problems::new();
        self.ops.resolve(&mut problems);
        // Without a file there are no platforms: replays and files go all the same.
        let platforms = read_platforms(self.platforms.as_deref(), &mut problems);
        if !(1..=LANES_MAX).contains(&self.lanes) {
            problems.push(format!(
                "--lanes: is {}, allowed are 1 to {LANES_MAX}",
                self.lanes
            ));
        }
        if !(1..=3600).contains(&self.lease.as_secs()) {
            problems.push("--lease: allowed are 1s to 1h");
        }
        if !(1024..=4 * 1024 * 1024).contains(&self.page_bytes) {
            problems.push(format!(
                "--page-bytes: is {}, allowed are 1024 to 4194304",
                self.page_bytes
            ));
        }
        if !(1..=20_000).contains(&self.page_events) {
            problems.push(format!(
                "--page-events: is {}, allowed are 1 to 20000",
                self.page_events
            ));
        }
        if self.retention < RETENTION_MIN {
            problems.push("--retention: allowed is 3days and more: a job that is gone is forgotten, and its day would be settled again");
        }
        let notify_secret = Secret::from_flag_or_file(
            "--notify-secret",
            self.notify_secret.as_ref(),
            self.notify_secret_file.as_deref(),
            &mut problems,
        );
        // A URL may hold a password: neither the flag's parser, which repeats what it refuses, nor a problem here says what it is.
        let mut notify = Vec::new();
        for text in &self.notify {
            match Url::parse(text.expose()) {
                Ok(url) if matches!(url.scheme(), "http" | "https") => notify.push(url),
                Ok(url) => problems.push(format!(
                    "--notify-url: begins with {}://, and must begin with http:// or https://",
                    url.scheme()
                )),
                Err(error) => problems.push(format!("--notify-url: is no URL: {error}")),
            }
        }
        let mappings =
            read_mappings(&self.mappings, &mut problems).keeping(self.attributes.names());
        let postgres = self.postgres.resolve(&mut problems);
        let amqp = self.amqp.resolve(&mut problems);
        let customers = self.customers.resolve(&mut problems);
        let keys = self.raw_keys.resolve(&mut problems);
        problems.into_result()?;
        Ok(WorkerConfig {
            postgres,
            amqp,
            platforms,
            lanes: self.lanes,
            lease: self.lease,
            reading: Reading {
                mappings: Arc::new(mappings.clone()),
                customers,
                keys,
                page_events: self.page_events,
            },
            mappings,
            page_bytes: self.page_bytes,
            bounds: Bounds {
                history: self.raw_depth_max,
                facts: self.events_depth_max,
                live: self.live_depth_max,
                live_facts: self.live_depth_max,
                freshness: self.live_wait_max,
            },
            finishing: Settings {
                notify,
                notify_secret,
                keep: self.retention,
                ..Settings::default()
            },
        })
    }
}

impl WorkerConfig {
    pub(crate) fn store(&self) -> StoreConfig {
        StoreConfig {
            // Each lane writes by itself, and so do the tasks beside them.
            pool_max: self.postgres.pool_max.max(self.lanes / 2 + 4),
            ..store_config(&self.postgres)
        }
    }

    pub(crate) fn broker(&self) -> BrokerConfig {
        BrokerConfig {
            name: "kpiline backfill worker".to_owned(),
            ..broker_config(&self.amqp)
        }
    }
}
