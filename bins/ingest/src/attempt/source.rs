//! The body to try, and how it is to be read.

use super::args::TryArgs;
use crate::clock::now;
use crate::normalise::message::{Lane, Message};
use crate::subscriptions::{self, Secrets, Subscription};
use adapter::{Mapping, Mappings};
use anyhow::{Context as _, bail};
use bytes::Bytes;
use runtime::Problems;
use schema::{BodyFormat, DeliveryId, MessageId, RawDelivery};
use std::io::Read as _;
use std::path::Path;

/// What stands for the subscription and the tenant of a mapping that is in no subscription.
const NOBODY: &str = "(none)";
/// The name of that mapping.
const TRIED: &str = "tried";

/// A delivery as *normalise* would receive it.
#[derive(Debug)]
pub(super) struct Source {
    /// One message with the one delivery.
    pub(super) messages: [Message; 1],
    pub(super) mappings: Mappings,
    /// Where it would come in; absent for a mapping that is in no subscription.
    pub(super) subscription: Option<Subscription>,
}

impl Source {
    /// Reads the files, or says what is wrong with them.
    pub(super) fn open(args: &TryArgs) -> anyhow::Result<Self> {
        let (subscription, mappings, file) = match (&args.mapping, &args.second) {
            (Some(mapping), _) => (None, tried(mapping)?, &args.first),
            (None, Some(file)) => {
                let (subscription, mappings) = configured(args)?;
                (Some(subscription), mappings, file)
            }
            (None, None) => bail!("a subscription and a file are needed"),
        };
        let body = body(file)?;
        let format = subscription.as_ref().map_or(
            BodyFormat::Mapped {
                mapping: TRIED.into(),
            },
            |found| found.format.clone(),
        );
        let (name, tenant) = match &subscription {
            Some(found) => (found.name.clone(), found.tenant.clone()),
            None => (NOBODY.into(), NOBODY.into()),
        };
        let delivery = RawDelivery {
            id: DeliveryId::generate(),
            subscription: name,
            tenant,
            format,
            correlation: "try".into(),
            received_at: now(),
            job: None,
            body,
        };
        Ok(Self {
            messages: [Message {
                id: MessageId::generate(),
                lane: Lane::Live,
                deliveries: vec![delivery],
                whole: None,
            }],
            mappings: mappings.keeping(args.attributes.names()),
            subscription,
        })
    }
}

/// The subscription and all mapping files of the configuration: what is wrong with any of them would keep *normalise* from starting.
fn configured(args: &TryArgs) -> anyhow::Result<(Subscription, Mappings)> {
    let Some(file) = &args.subscriptions else {
        bail!("--subscriptions (or KPILINE_SUBSCRIPTIONS): is missing");
    };
    let mut problems = Problems::new();
    let found = subscriptions::load(file, Secrets::NotNeeded).unwrap_or_else(|found| {
        for problem in found {
            problems.push(problem);
        }
        subscriptions::Subscriptions::default()
    });
    let mappings = crate::config::mappings(&found, &mut problems);
    problems.into_result()?;
    if let Some(subscription) = found.named(&args.first) {
        return Ok((subscription.clone(), mappings));
    }
    let names = found.list.iter().map(|known| known.name.as_str());
    let names: Vec<&str> = names.collect();
    bail!(
        "{} has no subscription `{}`; it has {}",
        file.display(),
        args.first,
        names.join(", ")
    )
}

fn tried(file: &Path) -> anyhow::Result<Mappings> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("{name}: cannot be read"))?;
    let mut problems = Problems::new();
    match Mapping::parse(&name, &text) {
        Ok(mapping) => return Ok(Mappings::none().with(TRIED, mapping)),
        Err(found) => {
            for problem in found {
                problems.push(problem);
            }
        }
    }
    problems.into_result()?;
    Ok(Mappings::none())
}

fn body(file: &str) -> anyhow::Result<Bytes> {
    let mut bytes = Vec::new();
    if file == "-" {
        let mut input = std::io::stdin().lock();
        input
            .read_to_end(&mut bytes)
            .context("the standard input cannot be read")?;
    } else {
        bytes = std::fs::read(file).with_context(|| format!("{file}: cannot be read"))?;
    }
    Ok(Bytes::from(bytes))
}
