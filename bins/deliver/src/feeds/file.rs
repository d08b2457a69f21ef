//! The feeds file: who gets which figures of which intervals, in which columns, and where.
//!
//! ```toml
//! version = 1
//!
//! [[feed]]
//! name = "wfm-voice"
//! tenant = "acme"                  # whose figures these are
//! client = "planning"              # in file names; else the tenant
//! layout = 1                       # the version of the columns: a change of them is the next number
//! by = ["queue"]                   # a row each, as KPIs' windows are by; [] is the whole organisation
//! interval = "30m"                 # 15m, 30m, 60m or day, by the receiver's clock
//! zone = "Europe/Berlin"
//! # window = "15m"                 # what intervals are made of; else windows of their own size
//! settle = "20m"                   # how long after its end an interval is sent first
//! # from = "2026-11-01T00:00:00Z"  # the first interval of a new feed; else those that begin once it has started
//! correct_every = "5m"             # how often it is looked whether anything has changed since
//! correct_for = "7d"               # for how long
//! # filter = "row.queue in ['sales', 'service']"
//! empty = "send"                   # of an interval without rows a file without rows; or "skip"
//! file = "{client}/{feed}/v{layout}/{date}/{start}_r{revision}.{ext}"
//! format = "csv"                   # or "parquet"
//! csv = { separator = ";", decimal = ",", null = "", header = true, line_end = "crlf" }
//!
//! [[feed.column]]
//! field = "Queue"                  # the receiver's name for it
//! from = "queue"
//!
//! [[feed.column]]
//! field = "Start"
//! from = "start"
//! format = "%d.%m.%Y %H:%M %:z"    # or instant, epoch_s, epoch_ms
//! # zone = "UTC"                   # else the feed's
//!
//! [[feed.column]]
//! field = "AHT"
//! kpi = "handle_time"
//! # version = 2                    # else whichever is current
//! measure = "mean"                 # value, mean, sum, count, denominator, min, max, p90 …
//! unit = "s"                       # as_stored, ms, s, min, h, hh:mm:ss, ratio, percent
//! places = 1
//!
//! [feed.sink]
//! kind = "folder"                  # or http: url, method, headers; or s3: endpoint, region, bucket, style, prefix, access_key, secret_key
//! path = "/srv/feeds"
//!
//! [feed.timeouts]                  # all optional, of requests
//! total = "30s"
//!
//! [feed.retry]                     # all optional
//! first = "1s"
//! longest = "5m"
//! ```
//!
//! Columns are also `from` agent, media, direction, team, platform, `attribute:NAME`, end, minutes, fold (1 in the hour that comes a second
//! time), tenant, client, feed, zone, layout, revision and correction; or a `constant`.

mod column;
mod read;
mod sink;
#[cfg(test)]
mod tests;

use super::Feed;
use runtime::toml_file::{self, secret::environment};
use std::path::Path;

/// Reads the file, or lists everything that is wrong with it.
pub fn load(path: &Path) -> Result<Vec<Feed>, Vec<String>> {
    let file = toml_file::open(path).map_err(|problem| vec![problem])?;
    parse(&file.name, &file.text, file.folder, &environment)
}

/// Reads the text of a file; `folder` is what relative file names start from, `variable` looks up environment variables.
pub fn parse(
    name: &str,
    text: &str,
    folder: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Feed>, Vec<String>> {
    read::feeds(name, text, folder, variable)
}
