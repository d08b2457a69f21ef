//! How to reach RabbitMQ.

use super::{check_hosts, check_scheme, positive_duration, with_files};
use crate::{Problems, Secret};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tls::Files;

/// Longer prefixes leave too little of AMQP's 255 bytes for the queue's own name.
const PREFIX_MAX: usize = 100;

/// Flags for RabbitMQ.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "RabbitMQ")]
pub struct AmqpArgs {
    /// Where RabbitMQ is, such as amqp://user:password@host:5672/%2f or amqps://...; ?heartbeat=SECONDS is honoured. Nodes of a cluster:
    /// amqp://user:password@one:5672,two:5672,three:5672/%2f; each connection takes the first that answers
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

    /// The CA's certificates in PEM that RabbitMQ's must chain to, instead of the machine's; needs amqps:// (as cacertfile in the URL). Read again
    /// for each connection
    #[arg(long, env = "KPILINE_AMQP_CA_FILE", value_name = "PATH")]
    pub amqp_ca_file: Option<PathBuf>,

    /// Our certificate in PEM, where RabbitMQ asks for one (as certfile in the URL)
    #[arg(long, env = "KPILINE_AMQP_CLIENT_CERTIFICATE", value_name = "PATH")]
    pub amqp_client_certificate: Option<PathBuf>,

    /// Its private key in PEM (as keyfile in the URL)
    #[arg(long, env = "KPILINE_AMQP_CLIENT_KEY", value_name = "PATH")]
    pub amqp_client_key: Option<PathBuf>,

    /// What all queue names begin with; the same for all binaries of one installation
    #[arg(
        long,
        env = "KPILINE_QUEUE_PREFIX",
        default_value = "kpiline.",
        value_name = "TEXT"
    )]
    pub queue_prefix: String,

    /// Whether this process declares queues and exchanges. With false its user needs no right to: `ingest queues declare` made them, and what is
    /// missing is waited for
    #[arg(
        long,
        env = "KPILINE_DECLARE_QUEUES",
        default_value_t = true,
        action = clap::ArgAction::Set,
        value_name = "BOOL"
    )]
    pub declare_queues: bool,

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
    /// The URL, with its password and the files of certificates.
    pub url: String,
    /// What all queue names begin with.
    pub prefix: String,
    /// Whether queues and exchanges are declared, or only looked for.
    pub declare: bool,
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
            check_hosts("--amqp-url", url.expose(), problems);
        }
        let files = Files {
            ca: self.amqp_ca_file.clone(),
            certificate: self.amqp_client_certificate.clone(),
            key: self.amqp_client_key.clone(),
        };
        if !files.is_empty()
            && url
                .as_ref()
                .is_some_and(|url| url.expose().starts_with("amqp://"))
        {
            problems.push(
                "--amqp-ca-file and its kind: --amqp-url begins with amqp://, which is not encrypted; begin it with amqps://"
                    .to_owned(),
            );
        }
        let url = with_files(
            "amqp",
            url,
            ["cacertfile", "certfile", "keyfile"],
            &files,
            problems,
        );
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
            url,
            prefix: prefix.clone(),
            declare: self.declare_queues,
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
            .field("declare", &self.declare)
            .field("connect_timeout", &self.connect_timeout)
            .field("confirm_timeout", &self.confirm_timeout)
            .field("raw_max_bytes", &self.raw_max_bytes)
            .finish()
    }
}
