//! How to reach RabbitMQ.

use super::{check_scheme, positive_duration};
use crate::{Problems, Secret};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Longer prefixes leave too little of AMQP's 255 bytes for the queue's own name.
const PREFIX_MAX: usize = 100;

/// Flags for RabbitMQ.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "RabbitMQ")]
pub struct AmqpArgs {
    /// Where RabbitMQ is, such as amqp://user:password@host:5672/%2f or amqps://...; ?heartbeat=SECONDS is honoured
    #[arg(
        long,
        env = "KPILINE_AMQP_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub amqp_url: Option<Secret>,

    /// A file that holds the URL, instead of --amqp-url
    #[arg(long, env = "KPILINE_AMQP_URL_FILE", value_name = "PATH")]
    pub amqp_url_file: Option<PathBuf>,

    /// What all queue names begin with; the same for all binaries of one installation
    #[arg(
        long,
        env = "KPILINE_QUEUE_PREFIX",
        default_value = "kpiline.",
        value_name = "TEXT"
    )]
    pub queue_prefix: String,

    /// The longest wait for the broker to connect or to answer a request
    #[arg(long, env = "KPILINE_AMQP_CONNECT_TIMEOUT", default_value = "10s",
          value_parser = positive_duration, value_name = "DURATION")]
    pub amqp_connect_timeout: Duration,

    /// The longest wait for the broker to confirm what was published
    #[arg(long, env = "KPILINE_AMQP_CONFIRM_TIMEOUT", default_value = "10s",
          value_parser = positive_duration, value_name = "DURATION")]
    pub amqp_confirm_timeout: Duration,

    /// The most bytes the queue of raw deliveries may hold before it refuses more; the same for all binaries, 0 is no limit
    #[arg(
        long,
        env = "KPILINE_RAW_QUEUE_MAX_BYTES",
        default_value_t = 4 * 1024 * 1024 * 1024,
        value_name = "BYTES"
    )]
    pub raw_queue_max_bytes: u64,
}

/// Checked settings for RabbitMQ. `Debug` hides the URL.
#[derive(Clone, PartialEq, Eq)]
pub struct AmqpSettings {
    /// The URL, with its password.
    pub url: String,
    /// What all queue names begin with.
    pub prefix: String,
    /// The longest wait for a connection or for an answer.
    pub connect_timeout: Duration,
    /// The longest wait for confirms.
    pub confirm_timeout: Duration,
    /// The bound of the queue of raw deliveries.
    pub raw_max_bytes: Option<u64>,
}

impl AmqpArgs {
    /// Checks the group. With problems noted the value is a placeholder that must not be used.
    pub fn resolve(&self, problems: &mut Problems) -> AmqpSettings {
        let url = Secret::required(
            "--amqp-url",
            self.amqp_url.as_ref(),
            self.amqp_url_file.as_deref(),
            problems,
        );
        if let Some(url) = &url {
            check_scheme("--amqp-url", url.expose(), &["amqp", "amqps"], problems);
        }
        let prefix = &self.queue_prefix;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if prefix.is_empty() || prefix.len() > PREFIX_MAX || !prefix.chars().all(plain) {
            problems.push(format!(
                "--queue-prefix: is {prefix:?}, allowed are 1 to {PREFIX_MAX} letters, digits, '.', '-', '_' and ':'"
            ));
        } else if prefix.starts_with("amq.") {
            problems.push(format!(
                "--queue-prefix: is {prefix:?}, but names that begin with amq. belong to the broker"
            ));
        }
        AmqpSettings {
            url: url.map_or_else(String::new, |url| url.expose().to_owned()),
            prefix: prefix.clone(),
            connect_timeout: self.amqp_connect_timeout,
            confirm_timeout: self.amqp_confirm_timeout,
            raw_max_bytes: Some(self.raw_queue_max_bytes).filter(|bytes| *bytes > 0),
        }
    }
}

impl fmt::Debug for AmqpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpSettings")
            .field("url", &"***")
            .field("prefix", &self.prefix)
            .field("connect_timeout", &self.connect_timeout)
            .field("confirm_timeout", &self.confirm_timeout)
            .field("raw_max_bytes", &self.raw_max_bytes)
            .finish()
    }
}
