//! `deliver breaker`: whether platforms are asked, seen and turned by hand.

use super::status::{Breaker, breakers_text};
use super::write;
use crate::config::{self, BreakerArgs, BreakerCommand, OpenArgs, TurnArgs};
use anyhow::bail;
use runtime::args::{Output, ViewArgs};
use serde_json::json;
use store::breakers::{self, Memory};
use store::{Client, Store, sync};

/// Runs the command.
pub async fn breaker(args: &BreakerArgs) -> anyhow::Result<()> {
    match &args.command {
        BreakerCommand::List(view) => list(view).await,
        BreakerCommand::Open(args) => open(args).await,
        BreakerCommand::Close(args) => close(args, Memory::Kept).await,
        BreakerCommand::Reset(args) => close(args, Memory::Cleared).await,
    }
}

async fn list(view: &ViewArgs) -> anyhow::Result<()> {
    let (config, output) = config::viewed(view)?;
    let client = Store::connect(config).await?.client().await?;
    let found: Vec<Breaker> = breakers::list(&client)
        .await?
        .into_iter()
        .map(Breaker::new)
        .collect();
    let json = json!({ "breakers": found });
    write(output, &json, &breakers_text(&found))
}

async fn open(args: &OpenArgs) -> anyhow::Result<()> {
    let (client, name, output) = named(&args.turn).await?;
    let turned = breakers::open(&client, &name, args.length, &args.reason).await?;
    said(output, turned)
}

async fn close(args: &TurnArgs, memory: Memory) -> anyhow::Result<()> {
    let (client, name, output) = named(args).await?;
    match breakers::close(&client, &name, memory).await? {
        Some(turned) => said(output, turned),
        // It never had a failure: it is closed.
        None => write(
            output,
            &json!({ "name": name, "state": "closed" }),
            &format!("{name} is closed\n"),
        ),
    }
}

fn said(output: Output, turned: breakers::Breaker) -> anyhow::Result<()> {
    let shown = Breaker::new(turned);
    let text = breakers_text(std::slice::from_ref(&shown));
    write(output, &json!(shown), &text)
}

/// The breaker that is meant: by its name, or by that of a target it is of.
async fn named(args: &TurnArgs) -> anyhow::Result<(Client, String, Output)> {
    let (config, output) = config::viewed(&args.view)?;
    let client = Store::connect(config).await?.client().await?;
    let targets = sync::health(&client).await?;
    let of_target = targets.iter().find(|target| target.target == args.name);
    if let Some(target) = of_target {
        return Ok((client, target.breaker.clone(), output));
    }
    let mut known: Vec<String> = breakers::list(&client)
        .await?
        .into_iter()
        .map(|breaker| breaker.credential)
        .chain(targets.into_iter().map(|target| target.breaker))
        .collect();
    known.sort();
    known.dedup();
    if !known.contains(&args.name) {
        bail!(
            "{:?} is neither a target nor a breaker; breakers are: {}",
            args.name,
            known.join(", ")
        );
    }
    Ok((client, args.name.clone(), output))
}
