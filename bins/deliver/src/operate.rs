//! What operators do with deliveries: one file a command. Each prints text for people or one JSON object for programs.

mod breaker;
mod feed;
mod reconcile;
mod reconciliation;
mod resync;
mod rows;
mod status;

pub use breaker::breaker;
pub use feed::feed;
pub use reconcile::reconcile;
pub use reconciliation::reconciliation;
pub use resync::resync;
pub use rows::{retry, skip};
pub use status::status;

use anyhow::bail;
use runtime::args::Output;
use serde_json::Value;
use std::io::Write as _;
use store::targets::{self, Target};
use store::{Client, Store, StoreConfig};

/// A connection, and the target of this name. Names the known ones where there is none.
async fn about(config: StoreConfig, name: &str) -> anyhow::Result<(Client, Target)> {
    let client = Store::connect(config).await?.client().await?;
    let known = targets::list(&client).await?;
    let names: Vec<_> = known.iter().map(|target| target.name.clone()).collect();
    match known.into_iter().find(|target| target.name == name) {
        Some(target) => Ok((client, target)),
        None => bail!(
            "--target: is {name:?}, registered are: {}",
            names.join(", ")
        ),
    }
}

/// Writes a result: the object for programs, the text for people.
fn write(output: Output, json: &Value, text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match output {
        Output::Json => writeln!(out, "{json:#}")?,
        Output::Text => write!(out, "{text}")?,
    }
    out.flush()?;
    Ok(())
}
