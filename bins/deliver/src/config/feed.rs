//! The flags of `deliver feed`.

use super::operate::instant;
use clap::Subcommand;
use runtime::args::ViewArgs;
use schema::UtcMicros;

/// Flags of `feed`.
#[derive(Debug, Clone, clap::Args)]
pub struct FeedArgs {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: FeedCommand,
}

/// What can be done with feeds.
#[derive(Debug, Clone, Subcommand)]
pub enum FeedCommand {
    /// List the feeds that deliver was started with, and how they go.
    List(ListArgs),
    /// Show what was sent of a feed: intervals, revisions, files.
    Show(ShowArgs),
    /// Have intervals of a feed sent again: what has not changed as the same revision, what has as a correction.
    Replay(ReplayArgs),
}

/// Flags of `feed list`.
#[derive(Debug, Clone, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// Flags of `feed show`.
#[derive(Debug, Clone, clap::Args)]
pub struct ShowArgs {
    /// The feed's name, as in the feeds file that serve was started with
    #[arg(long, value_name = "NAME")]
    pub(crate) feed: String,
    /// Only intervals that begin at this instant or later, with Z or an offset; without it two days back
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    pub(crate) from: Option<UtcMicros>,
    /// Only intervals that begin before this instant
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    pub(crate) to: Option<UtcMicros>,
    /// How many files are shown, the latest first
    #[arg(long, default_value_t = 200, value_name = "COUNT")]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// Flags of `feed replay`.
#[derive(Debug, Clone, clap::Args)]
pub struct ReplayArgs {
    /// The feed's name, as in the feeds file that serve was started with
    #[arg(long, value_name = "NAME")]
    pub(crate) feed: String,
    /// Intervals that begin at this instant or later, with Z or an offset: 2026-11-01T00:00:00+01:00
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    pub(crate) from: UtcMicros,
    /// Intervals that begin before this instant, as far as they have ended
    #[arg(long, value_parser = instant, value_name = "INSTANT")]
    pub(crate) to: UtcMicros,
    /// Say how many intervals these are, and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}
