//! `deliver feed`: what interval feeds have sent, and intervals sent again.

use super::write;
use crate::config;
use crate::config::feed::{FeedArgs, FeedCommand, ListArgs, ReplayArgs, ShowArgs};
use crate::send::now;
use anyhow::{Context as _, bail};
use platform::instant::rfc3339_millis;
use schema::UtcMicros;
use serde_json::{Value, json};
use std::fmt::Write as _;
use store::feeds::{self, Delivery, Feed};
use store::{Client, Store, StoreConfig};
use timezone::Zone;
use window::Size;

/// What is shown where nothing is said: so far back.
const SHOWN_MICROS: i64 = 2 * 86_400 * 1_000_000;
/// No more intervals are asked for again at once: a year of quarter hours is 35,040.
const REPLAY_MAX: usize = 40_000;

/// Runs the command.
pub async fn feed(args: &FeedArgs) -> anyhow::Result<()> {
    match &args.command {
        FeedCommand::List(args) => list(args).await,
        FeedCommand::Show(args) => show(args).await,
        FeedCommand::Replay(args) => replay(args).await,
    }
}

async fn list(args: &ListArgs) -> anyhow::Result<()> {
    let (config, output) = config::viewed(&args.view)?;
    let client = Store::connect(config).await?.client().await?;
    let found = feeds::list(&client).await?;
    let mut text = String::new();
    for feed in &found {
        writeln!(
            text,
            "{} of {}: {} by {}, layout {}, planned until {}, {} wait, {} fail{}",
            feed.name,
            feed.tenant,
            feed.size,
            feed.zone,
            feed.layout,
            feed.planned_until,
            feed.waiting,
            feed.failing,
            feed.error
                .as_ref()
                .map_or_else(String::new, |error| format!(": {error}")),
        )?;
    }
    let found: Vec<Value> = found.iter().map(feed_json).collect();
    write(output, &json!({ "feeds": found }), &text)
}

fn feed_json(feed: &Feed) -> Value {
    json!({
        "feed": feed.name,
        "tenant": feed.tenant,
        "interval": feed.size,
        "zone": feed.zone,
        "layout": feed.layout,
        "planned_until": rfc3339_millis(feed.planned_until),
        "waiting": feed.waiting,
        "failing": feed.failing,
        "oldest": feed.oldest.map(rfc3339_millis),
        "error": feed.error,
        "sent_at": feed.sent_at.map(rfc3339_millis),
    })
}

async fn show(args: &ShowArgs) -> anyhow::Result<()> {
    let (config, output) = config::viewed(&args.view)?;
    let (client, feed) = about(config, &args.feed).await?;
    let from = args.from.unwrap_or(UtcMicros(now().0 - SHOWN_MICROS));
    let to = args.to.unwrap_or_else(|| UtcMicros(now().0 + SHOWN_MICROS));
    let found = feeds::deliveries(&client, &args.feed, from, to, args.limit).await?;
    let mut text = String::new();
    for delivery in &found {
        writeln!(text, "{}", line(delivery))?;
    }
    let found: Vec<Value> = found.iter().map(delivery_json).collect();
    let json = json!({ "feed": feed_json(&feed), "intervals": found });
    write(output, &json, &text)
}

fn line(delivery: &Delivery) -> String {
    let file = delivery.file.as_ref().map_or_else(String::new, |file| {
        let kind = if file.is_correction {
            " (correction)"
        } else {
            ""
        };
        format!(
            ": revision {}{kind} {}, {} rows, {}",
            file.revision, file.state, file.rows, file.name
        )
    });
    let error = delivery.interval_error.as_ref();
    let error = error.map_or_else(String::new, |error| format!(": {error}"));
    format!(
        "{} {}{file}{error}",
        delivery.start, delivery.interval_state
    )
}

fn delivery_json(delivery: &Delivery) -> Value {
    let file = delivery.file.as_ref().map(|file| {
        json!({
            "revision": file.revision,
            "correction": file.is_correction,
            "layout": file.layout,
            "digest": hex::encode(&file.digest),
            "name": file.name,
            "rows": file.rows,
            "bytes": file.bytes,
            "state": file.state,
            "attempts": file.attempts,
            "sent_at": file.sent_at.map(rfc3339_millis),
            "error": file.error,
        })
    });
    json!({
        "start": rfc3339_millis(delivery.start),
        "end": rfc3339_millis(delivery.end),
        "state": delivery.interval_state,
        "wanted": delivery.wanted,
        "error": delivery.interval_error,
        "file": file,
    })
}

async fn replay(args: &ReplayArgs) -> anyhow::Result<()> {
    let (config, output) = config::viewed(&args.view)?;
    let (client, feed) = about(config, &args.feed).await?;
    let zone = Zone::parse(&feed.zone).context("the feed's zone")?;
    let Some(size) = Size::from_name(&feed.size) else {
        bail!("the feed's intervals are of an unknown size, {}", feed.size);
    };
    // Bounded before they are listed: an interval is a quarter hour at least.
    let longest = i64::try_from(REPLAY_MAX)
        .unwrap_or(i64::MAX)
        .saturating_mul(86_400_000_000);
    if args.from >= args.to || args.to.0.saturating_sub(args.from.0) > longest {
        bail!("--to: must be after --from, and not so far after it");
    }
    let mut intervals = ::feed::whole(size, zone, args.from, args.to.min(now()));
    intervals.retain(|interval| interval.end <= now());
    if intervals.len() > REPLAY_MAX {
        bail!(
            "these are {} intervals; at most {REPLAY_MAX} are sent again at once",
            intervals.len()
        );
    }
    let bounds: Vec<_> = intervals
        .iter()
        .map(|interval| (interval.start, interval.end))
        .collect();
    let queued = if args.dry_run {
        0
    } else {
        feeds::replay(&client, &args.feed, &bounds).await?
    };
    let found = bounds.len();
    let json = json!({ "feed": args.feed, "intervals": found, "queued": queued });
    let text = format!(
        "{}: {found} interval(s), {queued} will be sent\n",
        args.feed
    );
    write(output, &json, &text)
}

/// A connection, and the feed of this name. Names the known ones where there is none.
async fn about(config: StoreConfig, name: &str) -> anyhow::Result<(Client, Feed)> {
    let client = Store::connect(config).await?.client().await?;
    let known = feeds::list(&client).await?;
    let names: Vec<_> = known.iter().map(|feed| feed.name.clone()).collect();
    match known.into_iter().find(|feed| feed.name == name) {
        Some(feed) => Ok((client, feed)),
        None => bail!("--feed: is {name:?}, registered are: {}", names.join(", ")),
    }
}
