//! compute: facts in, metrics out.
//!
//! Takes facts from the events queues, folds them into the sessions kept in PostgreSQL, evaluates the KPI definitions and writes what
//! changed. It never talks to a platform and never looks at a raw body.
//!
//! Start at [`worker`] (the loop), then [`plan`] (what a batch is turned into) and [`apply`] (the one transaction). The pure files are
//! [`batch`], [`plan`] and [`mod@derive`]. What the fold marks is computed by [`agent_worker`], [`journey_worker`] and [`windows`]. Which definitions are evaluated is [`catalogue`]'s matter; [`sweep`] does what time alone decides.
//! What happens when more waits than can be done at once is [`mod@storm`]'s.
//! [`replay_file`] is the same engine without any service, [`kpi_command`] what people do with definitions.

pub mod agent_worker;
pub mod app;
pub mod apply;
pub mod attributes;
pub mod backlog;
pub mod batch;
pub mod catalogue;
pub mod catch_up;
mod clock;
pub mod config;
pub mod definition_files;
pub mod derive;
pub mod findings;
mod intake;
pub mod items;
pub mod journey_worker;
pub mod kpi_command;
pub mod missed;
pub mod plan;
pub mod pressure;
mod quarantine;
mod recess;
pub mod replay_file;
pub mod shared;
pub mod storm;
pub mod sweep;
pub mod wake;
pub mod windows;
pub mod worker;
pub mod zone_data;

use config::{Cli, Command, MigrateArgs};

/// Runs what the command line asks for.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        None => app::serve(&cli.serve).await,
        Some(Command::Serve(args)) => app::serve(&args).await,
        Some(Command::Check(args)) => {
            args.resolve()?;
            println!("the configuration is sound");
            Ok(())
        }
        Some(Command::Migrate(args)) => migrate(&args).await,
        Some(Command::ReplayFile(args)) => replay_file::run(&args),
        Some(Command::Kpi(args)) => kpi_command::run(&args).await,
        Some(Command::Storm(args)) => storm::command::run(&args).await,
    }
}

async fn migrate(args: &MigrateArgs) -> anyhow::Result<()> {
    let mut problems = runtime::Problems::new();
    let postgres = args.postgres.resolve(&mut problems);
    args.roles.resolve(&mut problems);
    args.ops.resolve(&mut problems);
    problems.into_result()?;
    runtime::log::init(&args.ops);
    let roles = store::migrate::Roles {
        prefix: args.roles.role_prefix.clone(),
        create: args.roles.create_roles,
    };
    let report = store::migrate::run_with(&postgres.url, &roles).await?;
    println!(
        "{} migrations applied now, {} before, {} months of partitions made",
        report.applied.len(),
        report.already,
        report.months
    );
    println!("{}", report.about_roles());
    let store = store::Store::connect(store::StoreConfig::new(
        &postgres.url,
        "kpiline compute migrate",
    ))
    .await?;
    let shipped = catalogue::ship(&store).await?;
    println!(
        "{} KPI definitions and {} schedules of this release stored; `compute kpi list` shows them",
        shipped.definitions, shipped.schedules
    );
    for differing in shipped.differing {
        println!("{differing} is in the store with another text, which stays");
    }
    Ok(())
}
