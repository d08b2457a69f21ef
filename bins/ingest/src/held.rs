//! The quarantine, for an operator: list, count, show, release, discard.
//!
//! Released items are published to `raw` again (those of a backfill job to `raw.history`, with the job), as new deliveries: they take
//! the same way as everything else, and are counted again. An item is marked as released in a transaction that commits after the
//! broker's confirm, so that none is lost between the two; a crash there publishes once more, and the log drops the copy.

mod args;
mod discard;
mod groups;
mod list;
mod message;
mod release;
mod settle;
mod show;

pub use args::QuarantineArgs;

use crate::config::store_config;
use args::QuarantineCommand;
use runtime::args::{OpsArgs, PostgresArgs};
use runtime::{Problems, log};
use store::{Store, StoreConfig};

/// Does what the command line says.
pub async fn run(args: QuarantineArgs) -> anyhow::Result<()> {
    match args.command {
        QuarantineCommand::List(args) => {
            let store = open(&args.postgres, &args.ops, Problems::new()).await?;
            list::run(&store, &args).await
        }
        QuarantineCommand::Show(args) => {
            let mut problems = Problems::new();
            let keys = args.raw_keys.resolve(&mut problems);
            let store = open(&args.postgres, &args.ops, problems).await?;
            show::run(&store, &args, keys.as_ref()).await
        }
        QuarantineCommand::Release(args) => {
            let mut problems = Problems::new();
            args.meant.check(&mut problems);
            let amqp = args.amqp.resolve(&mut problems);
            let keys = args.raw_keys.resolve(&mut problems);
            let store = open(&args.postgres, &args.ops, problems).await?;
            release::run(&store, &amqp, &args.meant, keys.as_ref()).await
        }
        QuarantineCommand::Discard(args) => {
            let mut problems = Problems::new();
            args.meant.check(&mut problems);
            let store = open(&args.postgres, &args.ops, problems).await?;
            discard::run(&store, &args.meant).await
        }
    }
}

async fn open(
    postgres: &PostgresArgs,
    ops: &OpsArgs,
    mut problems: Problems,
) -> anyhow::Result<Store> {
    let postgres = postgres.resolve(&mut problems);
    ops.resolve(&mut problems);
    problems.into_result()?;
    log::init(ops);
    let config = StoreConfig {
        // These commands ask about everything there is.
        whole_tables: true,
        ..store_config(&postgres, "kpiline ingest quarantine")
    };
    Ok(Store::connect(config).await?)
}
