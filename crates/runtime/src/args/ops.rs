//! Logs, probes and the stop.

use super::positive_duration;
use crate::{Problems, log};
use std::net::SocketAddr;
use std::time::Duration;

/// Flags for operation.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Operation")]
pub struct OpsArgs {
    /// Where /healthz, /readyz and /metrics are served; port 0 takes a free one and logs it
    #[arg(long, env = "KPILINE_OPS_LISTEN", value_name = "ADDRESS:PORT")]
    pub ops_listen: Option<SocketAddr>,

    /// How logs are written to stderr
    #[arg(
        long,
        env = "KPILINE_LOG_FORMAT",
        value_enum,
        default_value = "json",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,

    /// error, warn, info, debug or trace, for our own code; or directives such as info,compute=debug (libraries say no more than warnings unless
    /// named, and then some print whole messages with passwords and all that is personal in them: not for production)
    #[arg(
        long,
        env = "KPILINE_LOG_LEVEL",
        default_value = "info",
        value_name = "LEVEL"
    )]
    pub log_level: String,

    /// How long to finish begun work after a signal to stop
    #[arg(long, env = "KPILINE_SHUTDOWN_GRACE", default_value = "20s",
          value_parser = positive_duration, value_name = "DURATION")]
    pub shutdown_grace: Duration,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For a terminal.
    Text,
}

impl OpsArgs {
    /// The address to listen on: the flag's, or the binary's default.
    #[must_use]
    pub fn or_default(&self, default: SocketAddr) -> SocketAddr {
        self.ops_listen.unwrap_or(default)
    }

    /// Checks the group.
    pub fn resolve(&self, problems: &mut Problems) {
        if !log::is_level(&self.log_level) {
            problems.push(format!(
                "--log-level: is {:?}, allowed are error, warn, info, debug, trace, or directives such as info,compute=debug",
                self.log_level
            ));
        }
    }
}
