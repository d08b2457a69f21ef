//! `show`: one item whole.

use super::args::ShowArgs;
use crate::format_words::words_of_stored;
use crate::raw_bytes::opened;
use anyhow::bail;
use runtime::seal::SealKeys;
use serde_json::{Value, json};
use std::io::Write as _;
use store::Store;
use store::quarantine::{self, Held};

pub(super) async fn run(
    store: &Store,
    args: &ShowArgs,
    keys: Option<&SealKeys>,
) -> anyhow::Result<()> {
    let number = args.number;
    let client = store.client().await?;
    let Some(item) = quarantine::find(&client, number).await? else {
        bail!("no item has the number {number}");
    };
    // What else there is to say of it is said in any case.
    let raw = opened(
        item.raw.clone(),
        keys,
        &item.tenant,
        &item.subscription,
        item.delivery_id,
    );
    let mut out = std::io::stdout().lock();
    if args.json {
        let mut shown = json(&item);
        if let Ok(bytes) = &raw {
            with_bytes(&mut shown, bytes);
        }
        writeln!(out, "{}", serde_json::to_string_pretty(&shown)?)?;
        return raw.map(drop);
    }
    let settled = item.settled_at.map(|at| format!("at {at}"));
    for (name, value) in [
        ("number", item.id.to_string()),
        (
            "status",
            format!("{} {}", item.status.as_str(), settled.unwrap_or_default()),
        ),
        ("tenant", item.tenant),
        ("subscription", item.subscription),
        ("delivery", item.delivery_id.to_string()),
        ("position", item.item_index.to_string()),
        ("stage", item.stage),
        ("format", words_of_stored(&item.format)),
        ("reason", item.reason),
        ("field", item.field.unwrap_or_default()),
        ("value", item.value.unwrap_or_default()),
        ("expected", item.expected.unwrap_or_default()),
        ("received", item.received_at.to_string()),
        ("held since", item.held_at.to_string()),
        ("correlation", item.correlation),
        (
            "job",
            item.job
                .map(|job| format!("{} (version {})", job.id, job.version.0))
                .unwrap_or_default(),
        ),
    ] {
        writeln!(out, "{}", format!("{name:<13}{value}").trim_end())?;
    }
    let raw = raw?;
    match std::str::from_utf8(&raw) {
        Ok(text) => writeln!(out, "\n{text}")?,
        Err(_) => writeln!(out, "\n(not text, in hexadecimal) {}", hex::encode(&raw))?,
    }
    Ok(())
}

/// Adds the bytes themselves.
fn with_bytes(shown: &mut Value, raw: &[u8]) {
    match std::str::from_utf8(raw) {
        Ok(text) => shown["text"] = Value::from(text),
        Err(_) => shown["hex"] = Value::from(hex::encode(raw)),
    }
}

/// An item as it is printed for other programs, without its bytes.
pub(super) fn json(item: &Held) -> Value {
    let job = item
        .job
        .map(|job| json!({ "id": job.id.to_string(), "version": job.version.0 }));
    json!({
        "number": item.id,
        "status": item.status.as_str(),
        "tenant": item.tenant,
        "subscription": item.subscription,
        "delivery": item.delivery_id.to_string(),
        "position": item.item_index,
        "stage": item.stage,
        "format": words_of_stored(&item.format),
        "reason": item.reason,
        "field": item.field,
        "value": item.value,
        "expected": item.expected,
        "received_at": item.received_at.to_string(),
        "held_at": item.held_at.to_string(),
        "settled_at": item.settled_at.map(|at| at.to_string()),
        "correlation": item.correlation,
        "job": job,
        "bytes": item.raw.stored_bytes(),
    })
}
