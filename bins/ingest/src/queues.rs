//! `ingest queues`: declares what the line needs at the broker, so that nobody else needs the right to.

use crate::config::broker_config;
use anyhow::Context as _;
use broker::{Broker, Queue};
use clap::Subcommand;
use runtime::args::{AmqpArgs, OpsArgs};
use runtime::{Problems, log};

/// Flags of `queues`.
#[derive(Debug, clap::Args)]
pub struct QueuesArgs {
    #[command(subcommand)]
    command: QueuesCommand,
}

/// The subcommands of `queues`.
#[derive(Debug, Subcommand)]
enum QueuesCommand {
    /// Declare all queues and their exchanges; repeatable. With --declare-queues false it only looks whether they are there
    Declare {
        #[command(flatten)]
        amqp: AmqpArgs,
        #[command(flatten)]
        ops: OpsArgs,
    },
}

/// Does what the command line says.
pub async fn run(args: QueuesArgs) -> anyhow::Result<()> {
    let QueuesCommand::Declare { amqp, ops } = args.command;
    let mut problems = Problems::new();
    let settings = amqp.resolve(&mut problems);
    ops.resolve(&mut problems);
    problems.into_result()?;
    log::init(&ops);
    let broker = Broker::connect(&broker_config(&settings, "ingest queues")).await?;
    broker
        .declare()
        .await
        .context("cannot declare the queues")?;
    println!(
        "{} queues and their exchanges are there, named {}…",
        Queue::ALL.len(),
        settings.prefix
    );
    broker.close().await?;
    Ok(())
}
