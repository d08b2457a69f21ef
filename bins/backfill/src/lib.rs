//! backfill: operator jobs that put the past through the same path as the present, on the history lane.
//!
//! - [`replay`] reads the event log again and publishes its facts to `events.history`, tagged with a metric version:
//!   that of KPI definitions which were activated, or there would be nothing to compute.
//! - [`import`] cuts files of any size into pages and publishes them to `raw.history`: they are logged and mapped like deliveries.
//!
//! A job is a row of `backfill_jobs` with a cursor that moves only after the broker confirmed. Whatever ends the process, the job
//! goes on at its cursor (`--resume`); what was published twice changes nothing, because the line is idempotent. Live work is never
//! behind history: a job pauses while the history queues are long.
//!
//! Read [`config`] for the commands, then [`replay`] and [`import`].

pub mod config;
mod definitions;
mod followup;
pub mod import;
mod jobs;
mod lease;
mod line;
mod outlet;
mod progress;
mod ready;
pub mod replay;
mod summary;

use config::{Cli, Command};
use runtime::args::OpsArgs;

/// Runs the command.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Replay(args) => {
            let config = args.resolve()?;
            begin(&args.common.ops);
            replay::run(&config).await
        }
        Command::Import(args) => {
            let config = args.resolve()?;
            begin(&args.common.ops);
            import::run(&config).await
        }
        Command::Jobs(args) => {
            let store = args.resolve()?;
            begin(&args.ops);
            jobs::run(store, args.command.as_ref()).await
        }
        Command::Check(args) => {
            args.resolve()?;
            println!("the configuration is sound");
            Ok(())
        }
        Command::Migrate(args) => {
            let postgres = args.resolve()?;
            begin(&args.ops);
            let report = store::migrate::run(&postgres.url).await?;
            tracing::info!(applied = ?report.applied, already = report.already, months = report.months, "migrated");
            Ok(())
        }
    }
}

fn begin(ops: &OpsArgs) {
    runtime::log::init(ops);
}
