//! What every test of feeds starts with: deliver with a feed, and windows to send.

use crate::world::{QUICK, TENANT, World};
use double::Config;
use double::depot::{Arrival, Depot, Keys};
use schema::{MetricVersion, UtcMicros};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::partitions::{Partitions, Table};
use store::window_metrics::{self, Covered, WindowRow};
use tempfile::TempDir;
use testkit::{Proc, eventually};

/// How long anything may take.
pub(crate) const SOON: Duration = Duration::from_secs(30);
const HALF: i64 = 1_800_000_000;

/// deliver with a feed, a receiver and a folder.
pub(crate) struct Feeds {
    pub(crate) world: World,
    pub(crate) depot: Depot,
    pub(crate) folder: TempDir,
    /// The end of the last half hour that is due; the next one will be in twenty minutes, which no test takes.
    end: i64,
}

/// Keys that the S3-compatible store accepts.
pub(crate) fn keys() -> Keys {
    Keys {
        access: "AKIDEXAMPLE".to_owned(),
        secret: "not+so/secret".to_owned(),
        region: "eu-central-1".to_owned(),
    }
}

impl Feeds {
    /// A feed of so many half hours that are due, to a receiver over HTTP.
    pub(crate) async fn new(count: i64, extra: &str) -> Self {
        let depot = Depot::start(None).await.unwrap();
        let sink = format!(
            "kind = \"http\"\nurl = \"{}/in/{{file}}\"\nheaders = {{ X-Key = {{ value = \"k\" }} }}",
            depot.url()
        );
        Self::with(depot, count, extra, &sink).await
    }

    /// The same with another sink.
    pub(crate) async fn with(depot: Depot, count: i64, extra: &str, sink: &str) -> Self {
        let world = World::genesys(Config::default(), QUICK)
            .await
            .with_lease_margin("2s");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_micros()).unwrap();
        let settle = (now % HALF) / 1_000_000 + 1200;
        let due = now - settle * 1_000_000;
        let feeds = Self {
            world,
            depot,
            folder: TempDir::new().unwrap(),
            end: due - due % HALF,
        };
        let text = format!(
            r#"version = 1
[[feed]]
name = "wfm"
tenant = "{TENANT}"
client = "planning"
layout = 1
by = ["queue"]
interval = "30m"
zone = "Europe/Berlin"
settle = "{settle}s"
from = "{}"
correct_every = "200ms"
{extra}
timeouts = {{ connect = "1s", read = "1s", total = "1s" }}
retry = {{ first = "50ms", longest = "300ms", breaker_failures = 50, breaker_cool_down = "100ms" }}
column = [
    {{ field = "Queue", from = "queue" }},
    {{ field = "Talk", kpi = "talk_time", version = 1, measure = "mean", unit = "s", places = 1 }},
    {{ field = "Rev", from = "revision" }},
    {{ field = "Corr", from = "correction" }},
]
[feed.sink]
{sink}
"#,
            feeds.half(-count)
        );
        std::fs::write(feeds.file(), text).unwrap();
        let partitions = Partitions::new(feeds.world.store.clone());
        let months = [feeds.half(-count), UtcMicros(now)];
        partitions
            .ensure(Table::WindowMetrics, months)
            .await
            .unwrap();
        feeds
    }

    /// When the n-th half hour begins: those that are due have negative numbers, -1 is the last.
    pub(crate) fn half(&self, n: i64) -> UtcMicros {
        UtcMicros(self.end + n * HALF)
    }

    pub(crate) fn file(&self) -> String {
        let path = self.folder.path().join("feeds.toml");
        path.to_str().unwrap().to_owned()
    }

    /// Replaces a part of the feeds file.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.file()).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(self.file(), text.replace(from, to)).unwrap();
    }

    /// Starts deliver and waits until it serves.
    pub(crate) async fn deliver(&self) -> Proc {
        let mut process = self.spawn(&[]);
        process.wait_ready().await;
        process
    }

    /// Starts deliver with these arguments.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Proc {
        let url = self.world.db.url();
        let file = self.file();
        self.world
            .spawn_with(arguments, url, &[("KPILINE_FEEDS", &file)])
    }

    /// Runs a subcommand to its end: what it wrote to stdout, as JSON.
    pub(crate) async fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let mut process = self.spawn(arguments);
        let status = process.wait(SOON).await;
        assert_eq!(status.code(), Some(0), "{}", process.stderr());
        serde_json::from_str(&process.stdout()).unwrap()
    }

    /// Windows of queues in the n-th half hour: their sums in milliseconds, of two values each.
    pub(crate) async fn write(&self, n: i64, sums: &[(&str, i64)]) {
        let keys: Vec<String> = sums
            .iter()
            .map(|(queue, _)| format!("[\"{queue}\"]"))
            .collect();
        let rows: Vec<WindowRow<'_>> = keys
            .iter()
            .zip(sums)
            .map(|(key, (queue, sum))| self.row(n, key, queue, *sum))
            .collect();
        self.put(&rows, &[]).await;
    }

    /// Takes a queue's window away.
    pub(crate) async fn remove(&self, n: i64, queue: &str) {
        let key = format!("[\"{queue}\"]");
        let gone = self.row(n, &key, queue, 0);
        let covered = Covered {
            metric_type: gone.metric_type,
            metric_version: gone.metric_version,
            group_by: gone.group_by,
            group_key: gone.group_key,
            size: gone.size,
            from: gone.window_start,
            to: gone.window_end,
        };
        self.put(&[], &[covered]).await;
    }

    async fn put(&self, rows: &[WindowRow<'_>], covered: &[Covered<'_>]) {
        let mut client = self.world.store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        window_metrics::write(&tx, TENANT, rows, covered)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    fn row<'a>(&self, n: i64, key: &'a str, queue: &'a str, sum: i64) -> WindowRow<'a> {
        WindowRow {
            metric_type: "talk_time",
            metric_version: MetricVersion::FIRST,
            group_by: "queue",
            size: "30m",
            group_key: key,
            window_start: self.half(n),
            window_end: self.half(n + 1),
            zone: "Europe/Berlin",
            zone_source: "queue",
            tzdb: "2026a",
            queue_id: Some(queue),
            media: None,
            direction: None,
            agent_id: None,
            team: None,
            platform: None,
            attributes_json: None,
            items: 2,
            numerator: sum,
            denominator: 2,
            scale: 1000,
            minimum: None,
            maximum: None,
            percentiles_json: None,
            value: None,
            unit: "seconds",
            settles_at: self.half(n + 100),
        }
    }

    /// Waits until the feed has so many intervals, and nothing of it waits.
    pub(crate) async fn settled(&self, intervals: i64) {
        let sql = "SELECT count(*) FILTER (WHERE state IN ('sent', 'empty')), count(*) FROM feed_intervals";
        eventually(SOON, "every interval is sent", async || {
            let client = self.world.db.client().await;
            let row = client.query_one(sql, &[]).await.unwrap();
            let (done, all): (i64, i64) = (row.get(0), row.get(1));
            if (done, all) == (intervals, intervals) {
                Ok(())
            } else {
                Err((done, all, self.depot.arrivals().len()))
            }
        })
        .await;
    }

    /// Waits until the receiver has kept so many files.
    pub(crate) async fn kept(&self, count: usize) {
        eventually(SOON, "so many files arrive", async || {
            let kept = kept(&self.depot.arrivals()).len();
            if kept >= count { Ok(()) } else { Err(kept) }
        })
        .await;
    }

    /// What a replica would hold, by interval: the content under the highest revision, which every copy of it has.
    pub(crate) fn held(&self) -> BTreeMap<String, (u32, String)> {
        let mut held: BTreeMap<String, (u32, String)> = BTreeMap::new();
        let mut contents: BTreeMap<(String, u32), String> = BTreeMap::new();
        for arrival in kept(&self.depot.arrivals()) {
            let start = told(&arrival, "start");
            let revision: u32 = told(&arrival, "revision").parse().unwrap();
            let body = String::from_utf8(arrival.body.to_vec()).unwrap();
            let before = contents.insert((start.clone(), revision), body.clone());
            assert!(
                before.as_ref().is_none_or(|before| *before == body),
                "revision {revision} of {start} has two contents: {before:?} and {body}"
            );
            assert_eq!(told(&arrival, "correction"), (revision > 1).to_string());
            let entry = held.entry(start).or_default();
            if revision >= entry.0 {
                *entry = (revision, body);
            }
        }
        held
    }
}

/// Those that the receiver kept.
pub(crate) fn kept(arrivals: &[Arrival]) -> Vec<Arrival> {
    arrivals
        .iter()
        .filter(|arrival| arrival.kept)
        .cloned()
        .collect()
}

/// What the receiver was told beside a file.
pub(crate) fn told(arrival: &Arrival, what: &str) -> String {
    let name = format!("x-kpiline-{what}");
    arrival.headers.get(&name).cloned().unwrap_or_default()
}
