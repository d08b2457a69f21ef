//! The flags of the commands that look at jobs or change their course.

use runtime::args::ViewArgs;
use std::time::Duration;
use uuid::Uuid;

/// Flags of `status`.
#[derive(Debug, Clone, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// Flags of `list`.
#[derive(Debug, Clone, clap::Args)]
pub struct ListArgs {
    /// How many, the newest first
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// Flags of `show`.
#[derive(Debug, Clone, clap::Args)]
pub struct ShowArgs {
    /// The job
    #[arg(value_name = "JOB")]
    pub(crate) job: Uuid,
    /// Only chunks in this state
    #[arg(long, value_parser = ["open", "fetched", "done", "failed"], value_name = "STATE")]
    pub(crate) state: Option<String>,
    /// How many chunks
    #[arg(long, default_value_t = 200, value_name = "COUNT")]
    pub(crate) chunks: u32,
    /// From which chunk on
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pub(crate) from_chunk: u32,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// Flags of `pause`.
#[derive(Debug, Clone, clap::Args)]
pub struct PauseArgs {
    /// The job
    #[arg(value_name = "JOB")]
    pub(crate) job: Uuid,
    /// Why, for whoever finds it paused
    #[arg(long, default_value = "by an operator", value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// Flags of `resume`.
#[derive(Debug, Clone, clap::Args)]
pub struct ResumeArgs {
    /// The job
    #[arg(value_name = "JOB")]
    pub(crate) job: Uuid,
    /// Begin chunks that were given up again, too, and those for which a failed job came up short; a job that is not paused may be told so
    /// as well
    #[arg(long)]
    pub(crate) retry_failed: bool,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// Flags of `cancel`.
#[derive(Debug, Clone, clap::Args)]
pub struct CancelArgs {
    /// The job
    #[arg(value_name = "JOB")]
    pub(crate) job: Uuid,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// Flags of `watch`.
#[derive(Debug, Clone, clap::Args)]
pub struct WatchArgs {
    /// The job
    #[arg(value_name = "JOB")]
    pub(crate) job: Uuid,
    /// How often to look
    #[arg(long, default_value = "1s", value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    pub(crate) every: Duration,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}
