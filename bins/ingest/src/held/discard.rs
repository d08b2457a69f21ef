//! `discard`: batch after batch.

use super::args::MeantArgs;
use super::settle::{begin, end};
use store::Store;
use store::quarantine;

/// Items in one transaction.
const ITEMS_MAX: u32 = 1_000;
const VERB: &str = "discarded";

pub(super) async fn run(store: &Store, meant: &MeantArgs) -> anyhow::Result<()> {
    let Some(mut task) = begin(store, meant, VERB).await? else {
        return Ok(());
    };
    let mut done = 0;
    let mut client = store.client().await?;
    loop {
        let tx = client.transaction().await?;
        let numbers = quarantine::discard_next(&tx, &task.filter, ITEMS_MAX).await?;
        tx.commit().await?;
        let Some(last) = numbers.last() else { break };
        task.filter.after = *last;
        done += i64::try_from(numbers.len())?;
    }
    end(meant, &task, VERB, done, &[])
}
