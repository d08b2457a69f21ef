//! The body to try, and how it is to be read.

use super::args::TryArgs;
use crate::clock::now;
use crate::normalise::message::{Lane, Message};
use crate::receive::content::is_nothing;
use crate::subscriptions::{Secrets, Subscription};
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

/// What gzip begins with; no body of ours does.
const GZIP: &[u8] = b"\x1f\x8b";
/// The most that a body may be inflated to: more than any subscription may take.
const INFLATED_MAX: u64 = 64 << 20;

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
    /// Whether *receive* would find nothing in the body.
    pub(super) fn is_nothing(&self) -> bool {
        let [message] = &self.messages;
        let mut deliveries = message.deliveries.iter();
        deliveries.all(|delivery| is_nothing(&delivery.body, &delivery.format))
    }

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
    let (found, mappings) =
        crate::config::subscriptions_and_mappings(Some(file), Secrets::NotNeeded, &mut problems);
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
    if bytes.starts_with(GZIP) {
        bytes = inflated(&bytes).with_context(|| format!("{file}: decompress it first"))?;
    }
    Ok(Bytes::from(bytes))
}

/// A body as it came over the wire, compressed.
fn inflated(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut plain = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(bytes).take(INFLATED_MAX + 1);
    reader
        .read_to_end(&mut plain)
        .context("it is broken gzip")?;
    if plain.len() as u64 > INFLATED_MAX {
        bail!("it has more than {INFLATED_MAX} bytes inside, which no subscription takes");
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(plain).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn a_compressed_body_is_inflated_up_to_a_bound() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        std::fs::write(path, packed(b"[{}]")).unwrap();
        assert_eq!(body(path).unwrap(), "[{}]");
        let short = packed(b"[{}]");
        std::fs::write(path, &short[..short.len() - 9]).unwrap();
        assert!(
            body(path)
                .unwrap_err()
                .to_string()
                .contains("decompress it first")
        );
        let bomb = packed(&vec![b' '; usize::try_from(INFLATED_MAX).unwrap() + 1]);
        assert!(
            inflated(&bomb)
                .unwrap_err()
                .to_string()
                .contains("no subscription takes")
        );
    }
}
