//! `release`: batch after batch, published first and committed then.

use super::args::MeantArgs;
use super::message::message;
use super::settle::{Kept, begin, end};
use crate::config::broker_config;
use broker::{Broker, Class, Publisher};
use runtime::args::AmqpSettings;
use runtime::chain;
use runtime::seal::SealKeys;
use store::quarantine::{self, Held};
use store::{Store, Transaction};

/// Items in one transaction.
const ITEMS_MAX: u32 = 200;
/// Bytes of them, but for the first.
const BYTES_MAX: u64 = 4 << 20;
const VERB: &str = "released";

pub(super) async fn run(
    store: &Store,
    amqp: &AmqpSettings,
    meant: &MeantArgs,
    keys: Option<&SealKeys>,
) -> anyhow::Result<()> {
    let Some(mut task) = begin(store, meant, VERB).await? else {
        return Ok(());
    };
    let broker = Broker::connect(&broker_config(amqp, "ingest quarantine")).await?;
    broker.declare().await?;
    let publisher = broker.publisher().await?;
    let mut client = store.client().await?;
    let (mut done, mut kept) = (0, Vec::new());
    loop {
        let tx = client.transaction().await?;
        let items = quarantine::release_next(&tx, &task.filter, ITEMS_MAX, BYTES_MAX).await?;
        let Some(last) = items.last() else { break };
        task.filter.after = last.id;
        let batch = publish(&tx, &publisher, items, keys).await?;
        tx.commit().await?;
        done += batch.released;
        kept.extend(batch.kept);
        if batch.is_last {
            break;
        }
    }
    let told = end(meant, &task, VERB, done, &kept);
    broker.close().await?;
    told
}

/// What became of a batch.
struct Batch {
    released: i64,
    kept: Vec<Kept>,
    /// The broker takes nothing at the moment, so that there is no use in going on.
    is_last: bool,
}

/// Publishes the items. Those that are not confirmed are held as before; so a broker that refuses takes nothing away.
async fn publish(
    tx: &Transaction<'_>,
    publisher: &Publisher,
    items: Vec<Held>,
    keys: Option<&SealKeys>,
) -> anyhow::Result<Batch> {
    let mut batch = Batch {
        released: 0,
        kept: Vec::new(),
        is_last: false,
    };
    let (mut numbers, mut outgoing) = (Vec::new(), Vec::new());
    for item in items {
        let number = item.id;
        match message(item, keys) {
            Ok(message) => {
                numbers.push(number);
                outgoing.push(message);
            }
            Err(error) => batch.keep(number, chain(error.as_ref())),
        }
    }
    let fates = publisher.publish_each(&outgoing).await;
    for (number, fate) in numbers.into_iter().zip(fates) {
        match fate {
            Ok(()) => batch.released += 1,
            Err(error) => {
                batch.is_last |= error.class() != Class::Rejected;
                batch.keep(
                    number,
                    format!("the broker did not take it: {}", chain(&error)),
                );
            }
        }
    }
    let again: Vec<i64> = batch.kept.iter().map(|kept| kept.number).collect();
    quarantine::hold_again(tx, &again).await?;
    Ok(batch)
}

impl Batch {
    fn keep(&mut self, number: i64, why: String) {
        self.kept.push(Kept { number, why });
    }
}
