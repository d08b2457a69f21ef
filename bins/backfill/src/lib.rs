//! backfill: operator jobs that put the past through the same path as the present, on the history lane.
//!
//! - [`replay`] reads the event log again and publishes its facts to `events.history`, tagged with a metric version:
//!   that of KPI definitions which were activated, or there would be nothing to compute.
//! - [`import`] cuts files of any size into pages and publishes them to `raw.history`: they are logged and mapped like deliveries.
//!
//! - [`wish`] is a job that somebody wants, by `backfill start` or by a message ([`requests`]); [`plan`] cuts it into chunks, which workers share.
//!
//! A job is a row of `backfill_jobs` with a cursor that moves only after the broker confirmed. Whatever ends the process, the job
//! goes on at its cursor (`--resume`); what was published twice changes nothing, because the line is idempotent. Live work is never
//! behind history: a job pauses while the history queues are long.
//!
//! Read [`config`] for the commands, [`platforms`] for who can be asked, then [`plan`], [`replay`] and [`import`].

mod ask;
mod check;
pub mod config;
mod definitions;
mod finish;
mod followup;
mod freshness;
pub mod import;
mod jobs;
mod lane;
mod lease;
mod line;
mod outlet;
pub mod plan;
pub mod platforms;
mod progress;
mod ready;
pub mod replay;
pub mod requests;
pub mod source;
mod sources;
mod standing;
mod start;
mod status;
mod summary;
#[cfg(test)]
mod trial;
mod view;
mod watch;
pub mod wish;
pub mod worker;

use config::{Cli, Command, Output, ViewArgs};
use runtime::args::OpsArgs;
use schema::JobId;
use store::StoreConfig;

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
        Command::Worker(args) => {
            let config = args.resolve()?;
            begin(&args.ops);
            worker::run(config, &args.ops).await
        }
        Command::Start(args) => {
            let config = args.resolve()?;
            begin(args.ops());
            start::run(&config).await
        }
        Command::Request(args) => {
            let config = args.resolve(view::now())?;
            begin(&args.ops);
            requests::publish(&config).await
        }
        Command::Status(args) => {
            let (store, output) = begin_view(&args.view)?;
            status::run(store, output).await
        }
        Command::List(args) => {
            let (store, output) = begin_view(&args.view)?;
            jobs::list(store, output, &args).await
        }
        Command::Show(args) => {
            let (store, output) = begin_view(&args.view)?;
            jobs::show(store, output, &args).await
        }
        Command::Watch(args) => {
            let (config, output) = begin_view(&args.view)?;
            let store = store::Store::connect(config).await?;
            watch::run(&store, JobId(args.job), output, args.every).await
        }
        Command::Pause(args) => {
            let (store, output) = begin_view(&args.view)?;
            jobs::pause(store, output, &args).await
        }
        Command::Resume(args) => {
            let (store, output) = begin_view(&args.view)?;
            jobs::resume(store, output, &args).await
        }
        Command::Cancel(args) => {
            let (store, output) = begin_view(&args.view)?;
            jobs::cancel(store, output, &args).await
        }
        Command::Jobs(args) => {
            let store = args.resolve()?;
            begin(&args.ops);
            jobs::former(store, args.command.as_ref()).await
        }
        Command::Check(args) => {
            let checked = args.resolve()?;
            begin(&args.ops);
            check::run(&checked).await
        }
        Command::Migrate(args) => {
            let postgres = args.resolve()?;
            begin(&args.ops);
            let roles = store::migrate::Roles {
                prefix: args.roles.role_prefix.clone(),
                create: args.roles.create_roles,
            };
            let report = store::migrate::run_with(&postgres.url, &roles).await?;
            tracing::info!(applied = ?report.applied, already = report.already, months = report.months, roles = ?report.roles, "migrated");
            Ok(())
        }
    }
}

fn begin_view(view: &ViewArgs) -> anyhow::Result<(StoreConfig, Output)> {
    let resolved = config::viewed(view)?;
    begin(&view.ops);
    Ok(resolved)
}

fn begin(ops: &OpsArgs) {
    runtime::log::init(ops);
}
