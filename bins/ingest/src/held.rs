//! The quarantine, for an operator: list, show, release, discard.
//!
//! Released items are published to `raw` again (those of a backfill job to `raw.history`, with the job), as new deliveries: they take
//! the same way as everything else, and are counted again.

use crate::clock::now;
use crate::config::{broker_config, store_config};
use crate::normalise::message::Stage;
use crate::raw_bytes::opened;
use anyhow::{Context as _, bail};
use broker::{Broker, Outgoing, Queue};
use bytes::Bytes;
use clap::Subcommand;
use runtime::args::{AmqpArgs, AmqpSettings, OpsArgs, PostgresArgs, RawKeyArgs};
use runtime::seal::SealKeys;
use runtime::{Problems, log};
use schema::{BodyFormat, DeliveryId, ENVELOPE_VERSION, MessageId, RawDelivery, RawMessage};
use std::io::Write as _;
use store::Store;
use store::quarantine::{self, Held};
use uuid::Uuid;

/// Rows of one `list`.
const LIST_MAX: u32 = 10_000;

/// Flags of `quarantine`.
#[derive(Debug, clap::Args)]
pub struct QuarantineArgs {
    #[command(subcommand)]
    command: QuarantineCommand,
}

/// The subcommands of `quarantine`.
#[derive(Debug, Subcommand)]
enum QuarantineCommand {
    /// List held items, oldest first: number, tenant, subscription, stage, field, reason, correlation id
    List {
        #[command(flatten)]
        postgres: PostgresArgs,
        #[command(flatten)]
        ops: OpsArgs,
        /// Only this tenant's
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// Only items with a greater number
        #[arg(long, default_value_t = 0, value_name = "NUMBER")]
        after: i64,
        /// At most so many
        #[arg(long, default_value_t = 100, value_name = "COUNT")]
        limit: u32,
    },
    /// Show one held item whole
    Show {
        #[command(flatten)]
        postgres: PostgresArgs,
        #[command(flatten)]
        ops: OpsArgs,
        #[command(flatten)]
        raw_keys: RawKeyArgs,
        /// Its number
        number: i64,
    },
    /// Put items back to be processed again, after the cause has been removed
    Release {
        #[command(flatten)]
        postgres: PostgresArgs,
        #[command(flatten)]
        amqp: AmqpArgs,
        #[command(flatten)]
        ops: OpsArgs,
        #[command(flatten)]
        raw_keys: RawKeyArgs,
        /// Their numbers
        #[arg(required = true)]
        numbers: Vec<i64>,
    },
    /// Say that items are not wanted; the rows stay, marked
    Discard {
        #[command(flatten)]
        postgres: PostgresArgs,
        #[command(flatten)]
        ops: OpsArgs,
        /// Their numbers
        #[arg(required = true)]
        numbers: Vec<i64>,
    },
}

/// Does what the command line says.
pub async fn run(args: QuarantineArgs) -> anyhow::Result<()> {
    match args.command {
        QuarantineCommand::List {
            postgres,
            ops,
            tenant,
            after,
            limit,
        } => {
            let store = open(&postgres, &ops, Problems::new()).await?;
            list(&store, tenant.as_deref(), after, limit.min(LIST_MAX)).await
        }
        QuarantineCommand::Show {
            postgres,
            ops,
            raw_keys,
            number,
        } => {
            let mut problems = Problems::new();
            let keys = raw_keys.resolve(&mut problems);
            let store = open(&postgres, &ops, problems).await?;
            show(&store, number, keys.as_ref()).await
        }
        QuarantineCommand::Release {
            postgres,
            amqp,
            ops,
            raw_keys,
            numbers,
        } => {
            let mut problems = Problems::new();
            let keys = raw_keys.resolve(&mut problems);
            let amqp = amqp.resolve(&mut problems);
            let store = open(&postgres, &ops, problems).await?;
            release(&store, &amqp, &numbers, keys.as_ref()).await
        }
        QuarantineCommand::Discard {
            postgres,
            ops,
            numbers,
        } => {
            let store = open(&postgres, &ops, Problems::new()).await?;
            let discarded = quarantine::discard(&store.client().await?, &numbers).await?;
            println!("{discarded} of {} items discarded", numbers.len());
            Ok(())
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
    Ok(Store::connect(store_config(&postgres, "kpiline ingest quarantine")).await?)
}

async fn list(store: &Store, tenant: Option<&str>, after: i64, limit: u32) -> anyhow::Result<()> {
    let client = store.client().await?;
    let items = quarantine::list(&client, after, tenant, limit).await?;
    let held = quarantine::held(&client).await?;
    let mut out = std::io::stdout().lock();
    for item in &items {
        writeln!(
            out,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}",
            item.id,
            item.tenant,
            item.subscription,
            item.stage,
            item.field.as_deref().unwrap_or("-"),
            item.reason.replace(['\t', '\n', '\r'], " "),
            item.correlation
        )?;
    }
    writeln!(out, "{} shown, {held} held in all", items.len())?;
    Ok(())
}

async fn show(store: &Store, number: i64, keys: Option<&SealKeys>) -> anyhow::Result<()> {
    let client = store.client().await?;
    let items = quarantine::list(&client, number.saturating_sub(1), None, 1).await?;
    let Some(item) = items.into_iter().find(|item| item.id == number) else {
        bail!("no held item has the number {number}");
    };
    // What else there is to say of it is said in any case.
    let raw = opened(
        item.raw,
        keys,
        &item.tenant,
        &item.subscription,
        item.delivery_id,
    );
    let mut out = std::io::stdout().lock();
    for (name, value) in [
        ("number", item.id.to_string()),
        ("tenant", item.tenant),
        ("subscription", item.subscription),
        ("delivery", item.delivery_id.to_string()),
        ("position", item.item_index.to_string()),
        ("stage", item.stage),
        ("format", item.format),
        ("reason", item.reason),
        ("field", item.field.unwrap_or_default()),
        ("value", item.value.unwrap_or_default()),
        ("expected", item.expected.unwrap_or_default()),
        ("received", item.received_at.to_string()),
        ("correlation", item.correlation),
        (
            "job",
            item.job
                .map(|job| format!("{} (version {})", job.id, job.version.0))
                .unwrap_or_default(),
        ),
    ] {
        writeln!(out, "{name:<13}{value}")?;
    }
    let raw = raw?;
    match std::str::from_utf8(&raw) {
        Ok(text) => writeln!(out, "\n{text}")?,
        Err(_) => writeln!(out, "\n(not text, in hexadecimal) {}", hex::encode(&raw))?,
    }
    Ok(())
}

/// Publishes first and commits then: a crash between the two publishes once more, and the log drops the copy.
async fn release(
    store: &Store,
    amqp: &AmqpSettings,
    numbers: &[i64],
    keys: Option<&SealKeys>,
) -> anyhow::Result<()> {
    let broker = Broker::connect(&broker_config(amqp, "ingest quarantine")).await?;
    broker.declare().await?;
    let publisher = broker.publisher().await?;
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    let items = quarantine::release(&tx, numbers).await?;
    let released = items.len();
    let outgoing = items
        .into_iter()
        .map(|item| message(item, keys))
        .collect::<anyhow::Result<Vec<_>>>()?;
    publisher
        .publish_all(outgoing)
        .await
        .context("nothing was released: the broker did not take the items")?;
    tx.commit().await?;
    broker.close().await?;
    println!("{released} of {} items released", numbers.len());
    Ok(())
}

/// What compute calls itself in the quarantine; its items are whole messages of facts.
const COMPUTE: &str = "compute";

/// The message that brings an item back to where it failed.
fn message(item: Held, keys: Option<&SealKeys>) -> anyhow::Result<Outgoing> {
    let raw = opened(
        item.raw,
        keys,
        &item.tenant,
        &item.subscription,
        item.delivery_id,
    );
    let raw = raw.with_context(|| format!("nothing was released: item {}", item.id))?;
    let body = Bytes::from(raw);
    let correlation = item.correlation;
    let whole = |queue, body, correlation| Outgoing {
        queue,
        body,
        message_id: Uuid::now_v7(),
        correlation,
    };
    match item.stage.as_str() {
        // A later release may read what this one could not.
        stage if stage == Stage::Envelope.as_str() => {
            let of_job = RawMessage::decode(&body)
                .is_ok_and(|message| message.deliveries.iter().any(|found| found.job.is_some()));
            return Ok(whole(raw_queue(of_job), body, correlation));
        }
        // Nobody waits for it: the history lane is good enough.
        stage if stage == COMPUTE || stage == Stage::Publish.as_str() => {
            return Ok(whole(Queue::EventsHistory, body, correlation));
        }
        _ => {}
    }
    let format: BodyFormat = serde_json::from_str(&item.format)
        .with_context(|| format!("item {} has the format {}", item.id, item.format))?;
    let id = MessageId::generate();
    let message = RawMessage {
        v: ENVELOPE_VERSION,
        id,
        deliveries: vec![RawDelivery {
            id: DeliveryId::generate(),
            subscription: item.subscription.as_str().into(),
            tenant: item.tenant.as_str().into(),
            format,
            correlation: correlation.as_str().into(),
            received_at: now(),
            job: item.job,
            body,
        }],
    };
    Ok(Outgoing {
        queue: raw_queue(item.job.is_some()),
        body: message.encode()?,
        message_id: id.0,
        correlation,
    })
}

/// Fresh events never wait for what a backfill job brought.
fn raw_queue(of_job: bool) -> Queue {
    if of_job {
        Queue::RawHistory
    } else {
        Queue::Raw
    }
}
