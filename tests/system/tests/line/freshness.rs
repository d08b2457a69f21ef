//! The guide's edge case 1: a platform fails over, its webhooks pause for a quarter of an hour and then come in a burst. Dashboards show a dip that
//! is none, and somebody must say so for as long as it lasts.
//!
//! Time is scaled: a minute of the story takes [`Times::minute`], or a minute in the soak. What the processes of ingest take to report what they
//! received (three seconds) is not.

mod calls;
mod platform;

use crate::harness::{Line, Look, PATIENCE, Setup, Started};
use crate::servers::size;
use calls::{Calls, Webhooks, now};
use double::Double;
use platform::Platform;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use testkit::{TestBroker, TestDb, eventually, http};
use tokio_postgres::{Client, IsolationLevel};

const SECOND: i64 = 1_000_000;
/// The dashboard of the test shows so many microseconds a bar.
const BAR: i64 = 5 * SECOND;
/// What the machine may take for its other work, where a minute is short.
const BUSY: Duration = Duration::from_secs(6);

/// How long things take.
struct Times {
    /// A minute of the story.
    minute: Duration,
    /// At the size of the real thing.
    real: bool,
}

impl Times {
    fn chosen() -> Self {
        let seconds = size("KPILINE_SOAK_MINUTE_SECONDS", 5);
        Self {
            minute: Duration::from_secs(seconds as u64),
            real: seconds >= 60,
        }
    }

    fn minutes(&self, minutes: f64) -> Duration {
        self.minute.mul_f64(minutes)
    }

    /// The freshness file: as it is by default, or so much shorter.
    fn thresholds(&self) -> String {
        if self.real {
            return String::new();
        }
        let text = |minutes: f64, least: f64| {
            let length = self.minutes(minutes).max(Duration::from_secs_f64(least));
            format!("\"{}ms\"", length.as_millis())
        };
        format!(
            "every = {}\n[thresholds]\nsilence = {}\nlate = {}\nline = {}\nwindows = {}\nstale = {}\non_after = {}\noff_after = {}\n\
             reach = \"1m\"\ngrace = {}\n",
            text(5.0 / 60.0, 0.2),
            text(20.0 / 60.0, 1.0),
            text(2.0, 8.0),
            // Of what is reported every three seconds.
            text(0.5, 10.0),
            text(1.0, 12.0),
            text(10.0, 10.0),
            text(10.0 / 60.0, 0.5),
            // Half of the longest of these two at least: what is under way when all seems well would have waited for so long.
            text(0.5, 6.0),
            text(2.0, 3.0),
        )
    }

    /// By when a banner is on.
    fn told_within(&self) -> Duration {
        if self.real {
            self.minute
        } else {
            self.minute + BUSY
        }
    }
}

/// A line with two of deliver that watch, and one of backfill that asks the platform to count.
struct World {
    line: Line,
    delivers: Vec<Started>,
    _backfill: Started,
    platform: Platform,
    _double: Double,
}

impl World {
    async fn new(times: &Times, calls: Calls) -> Self {
        let platform = Platform::start(calls).await;
        let double = Double::start(double::Config::default()).await.unwrap();
        let settle = if times.real { "30s" } else { "5s" };
        let platforms = format!(
            "version = 1\n\n[[platform]]\nname = \"main\"\ntenant = \"acme\"\nplatform = \"genesys\"\nbase_url = \"{url}\"\n\n\
             [platform.credentials]\ntoken_url = \"{url}/oauth/token\"\nclient_id = \"c\"\nclient_secret = {{ value = \"s\" }}\n\n\
             [platform.counts]\ninterval = \"1m\"\nsettle = \"{settle}\"\nagain = [\"1m\"]\n",
            url = platform.url
        );
        let watch = format!("version = 1\n{}\n{}", times.thresholds(), entry(&platform));
        let line = Line::start(|setup| {
            let file = |name: &str, text: &str| {
                let path = setup.folder.path().join(name);
                std::fs::write(&path, text).unwrap();
                path.to_str().unwrap().to_owned()
            };
            let (platforms, watch) = (
                file("platforms.toml", &platforms),
                file("freshness.toml", &watch),
            );
            setup
                .with_env("KPILINE_PLATFORMS", platforms)
                .with_env("KPILINE_FRESHNESS", watch)
                .with_target(
                    &double,
                    "genesys-custom-report",
                    &["handle_time"],
                    "[target.rate]\nrequests = 2000\nperiod = \"10s\"\n",
                )
        })
        .await;
        let backfill = line
            .setup
            .start("backfill", &["worker", "--lanes", "1"])
            .await;
        let mut delivers = Vec::new();
        for _ in 0..2 {
            delivers.push(line.setup.start("deliver", &["serve"]).await);
        }
        Self {
            line,
            delivers,
            _backfill: backfill,
            platform,
            _double: double,
        }
    }

    /// Kills the process that looks, without a word; the other one has to go on.
    async fn kill_the_watcher(&mut self, look: &Look) {
        let owner = "SELECT owner FROM backfill_leases WHERE name = 'deliver freshness'";
        let owner = look.text(owner).await;
        let pid: u32 = owner.split('/').nth(1).unwrap().parse().unwrap();
        let watching = self
            .delivers
            .iter()
            .position(|one| one.process.id() == pid)
            .unwrap();
        let mut killed = self.delivers.remove(watching);
        killed.process.kill9();
    }

    async fn gauge(&self, series: &str) -> f64 {
        let ops = self.delivers[0].ready.ops_address();
        http::metric(ops, series).await.unwrap()
    }
}

/// The platform in the freshness file.
fn entry(platform: &Platform) -> String {
    format!(
        "[[platform]]\nname = \"main\"\ntenant = \"acme\"\n[platform.health]\nurl = \"{}/status\"\npointer = \"/state/mode\"\n\
         maintenance = [\"maintenance\"]\n",
        platform.url
    )
}

/// A window of the store: begin, end, how many calls are in it.
type Window = (i64, i64, i64);

/// What somebody sees who looks at the dashboard at one instant.
struct Seen {
    at: i64,
    state: String,
    inhibited: bool,
    /// Calls by the bar in which they began.
    bars: BTreeMap<i64, i64>,
    windows: Vec<Window>,
    /// From, and to unless it is not over.
    untrusted: Vec<(i64, Option<i64>)>,
}

impl Seen {
    /// All of it as of one instant.
    async fn now(client: &mut Client) -> Option<Self> {
        let tx = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .start()
            .await
            .unwrap();
        let micros = |column: &str| format!("(extract(epoch FROM {column}) * 1000000)::bigint");
        let state = format!(
            "SELECT {}, state, alerts_inhibited FROM platform_freshness WHERE tenant = 'acme'",
            micros("now()")
        );
        let state = tx.query_opt(&state, &[]).await.unwrap()?;
        let bars = format!(
            "SELECT {} / {BAR}, count(metric_value) FROM metrics_current WHERE tenant = 'acme' AND metric_type = 'handle_time' GROUP BY 1",
            micros("timestamp_utc")
        );
        let bars = tx.query(&bars, &[]).await.unwrap();
        let windows = format!(
            "SELECT {}, {}, items FROM window_metrics_current \
             WHERE tenant = 'acme' AND metric_type = 'handle_time' AND group_by = '' AND size = '30m'",
            micros("window_start"),
            micros("window_end")
        );
        let windows = tx.query(&windows, &[]).await.unwrap();
        let untrusted = format!(
            "SELECT {}, {} FROM untrusted_stretches WHERE tenant = 'acme'",
            micros("from_at"),
            micros("to_at")
        );
        let untrusted = tx.query(&untrusted, &[]).await.unwrap();
        tx.commit().await.unwrap();
        Some(Self {
            at: state.get(0),
            state: state.get(1),
            inhibited: state.get(2),
            bars: bars.iter().map(|row| (row.get(0), row.get(1))).collect(),
            windows: windows
                .iter()
                .map(|row| (row.get(0), row.get(1), row.get(2)))
                .collect(),
            untrusted: untrusted
                .iter()
                .map(|row| (row.get(0), row.get(1)))
                .collect(),
        })
    }

    fn live(&self) -> bool {
        self.state == "live"
    }

    fn is_marked(&self, from: i64, to: i64) -> bool {
        self.untrusted
            .iter()
            .any(|(begin, end)| *begin < to && end.is_none_or(|end| end > from))
    }

    /// No bar and no window is lower than it should be without being marked. While nothing is known to be the matter with what comes now (all is
    /// well, or only an interval of the past was short), what happened a moment ago may be missing: nobody can have told of it yet.
    fn no_dip_is_unmarked(&self, calls: Calls, told_within: Duration) {
        assert_eq!(self.inhibited, !self.live());
        let told = self.at - i64::try_from(told_within.as_micros()).unwrap();
        let flows = self.untrusted.iter().all(|(_, end)| end.is_some());
        let by = if flows { told } else { self.at };
        for bar in calls.begin() / BAR..=self.at / BAR {
            let (from, to) = (bar * BAR, (bar + 1) * BAR);
            let (truth, shown) = (
                calls.done_of(from, to, by),
                self.bars.get(&bar).copied().unwrap_or(0),
            );
            assert!(
                shown >= truth || self.is_marked(from, to),
                "{shown} of {truth} calls, {} s ago, while {}: {:?}",
                (self.at - from) / SECOND,
                self.state,
                self.untrusted
            );
        }
        for (from, to, items) in &self.windows {
            let truth = calls.ended_within(*from, *to, by);
            assert!(
                *items >= truth || self.is_marked(*from, *to),
                "a window with {items} of {truth} calls, while {}: {:?}",
                self.state,
                self.untrusted
            );
        }
    }
}

/// Looks again and again until `done` says so, and every look is free of dips that are not marked.
async fn watch_until(
    client: &mut Client,
    calls: Calls,
    times: &Times,
    patience: Duration,
    what: &str,
    mut done: impl FnMut(&Seen) -> bool,
) {
    let begun = Instant::now();
    loop {
        let seen = Seen::now(client).await;
        if let Some(seen) = &seen {
            seen.no_dip_is_unmarked(calls, times.told_within());
            if done(seen) {
                return;
            }
        }
        assert!(
            begun.elapsed() < patience,
            "not within {patience:?}: {what}; it is {:?}",
            seen.map(|seen| (seen.state, seen.untrusted))
        );
        // The pace of somebody who watches a dashboard.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarter_of_an_hour_of_silence_and_a_burst_leave_no_dip_that_is_not_marked() {
    let times = Times::chosen();
    let calls = Calls::start();
    let mut world = World::new(&times, calls).await;
    let look = world.line.look().await;
    let mut client = world.line.db.client().await;
    let webhooks = Webhooks::start(calls, world.line.http);
    let since = |at: i64| Duration::from_micros(u64::try_from(now() - at).unwrap_or_default());

    // A morning like any other.
    let warm = times.minutes(2.0).max(Duration::from_secs(15));
    watch_until(
        &mut client,
        calls,
        &times,
        PATIENCE,
        "live for a while",
        |seen| seen.live() && since(calls.begin()) >= warm && seen.bars.len() >= 2,
    )
    .await;

    // Nothing comes any more. Somebody says so within a minute.
    let silent_from = webhooks.hold().await;
    let told_within = times.told_within();
    watch_until(
        &mut client,
        calls,
        &times,
        told_within,
        "the banner is on",
        |seen| !seen.live(),
    )
    .await;
    let told = since(silent_from);
    assert!(
        told <= told_within,
        "the banner came {told:?} after the last event"
    );
    println!(
        "the banner was on {told:?} after the last event; a minute is {:?}",
        times.minute
    );
    let inhibited = "kpiline_alerts_inhibited{tenant=\"acme\",platform=\"main\"}";
    for deliver in &world.delivers {
        let ops = deliver.ready.ops_address();
        eventually(PATIENCE, "every process shows it", async || {
            http::metric(ops, inhibited)
                .await
                .is_ok_and(|value| value > 0.0)
        })
        .await;
    }
    let status = world.line.setup.run("deliver", &["status"]).await;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let platform = &status["platforms"][0];
    assert_eq!(
        (&platform["platform"], &platform["alerts_inhibited"]),
        (&"main".into(), &true.into()),
        "{status}"
    );
    let reason = platform["reason"].as_str().unwrap();
    assert!(
        reason.contains("nothing new was received of main"),
        "{reason}"
    );

    // It lasts, whoever watches and is killed meanwhile; what lasts is no delay any more.
    let silence = times.minutes(15.0);
    watch_until(
        &mut client,
        calls,
        &times,
        silence,
        "five minutes",
        |seen| {
            assert!(!seen.live());
            since(silent_from) >= times.minutes(5.0)
        },
    )
    .await;
    world.kill_the_watcher(&look).await;
    let mut states: Vec<String> = Vec::new();
    watch_until(
        &mut client,
        calls,
        &times,
        silence,
        "a quarter of an hour",
        |seen| {
            assert!(!seen.live());
            if states.last() != Some(&seen.state) {
                states.push(seen.state.clone());
            }
            since(silent_from) >= silence
        },
    )
    .await;
    assert_eq!(
        states.last().map(String::as_str),
        Some("stale"),
        "{states:?}"
    );
    assert!(
        world.platform.counted() > 0,
        "the platform was asked to count"
    );
    let lag = world
        .gauge("kpiline_platform_lag_seconds{tenant=\"acme\",platform=\"main\"}")
        .await;
    assert!(lag >= times.minutes(10.0).as_secs_f64(), "{lag}");

    // Everything comes at once. The banner goes when it has been caught up with, and not before.
    let burst = Instant::now();
    webhooks.go_on();
    let patience = times.minutes(3.0) + PATIENCE;
    watch_until(
        &mut client,
        calls,
        &times,
        patience,
        "the banner is off",
        Seen::live,
    )
    .await;
    println!(
        "the banner was off {:?} after the burst began",
        burst.elapsed()
    );
    let calm = Instant::now();
    watch_until(
        &mut client,
        calls,
        &times,
        PATIENCE,
        "it stays off",
        |seen| {
            assert!(seen.live(), "it is {} again", seen.state);
            calm.elapsed() >= times.minutes(2.0).max(Duration::from_secs(10))
        },
    )
    .await;

    let (begun, ended) = webhooks.stop().await;
    eventually(
        PATIENCE,
        "everything is here, and nothing is marked",
        async || {
            let seen = Seen::now(&mut client).await.unwrap();
            let here = seen.bars.values().sum::<i64>();
            if here == ended && seen.untrusted.is_empty() {
                Ok(())
            } else {
                Err((here, ended, seen.untrusted))
            }
        },
    )
    .await;
    let known = "SELECT count(*) FROM interactions WHERE tenant = 'acme'";
    assert_eq!(look.number(known).await, begun);
    // It went off and on once.
    let changes = format!(
        "SELECT string_agg(state, ' ' ORDER BY change_id) FROM platform_state_changes WHERE at >= to_timestamp({silent_from} / 1000000.0)"
    );
    let changes = look.text(&changes).await;
    assert!(changes.ends_with(" live"), "{changes}");
    assert_eq!(changes.matches("live").count(), 1, "{changes}");
    assert!(changes.starts_with("syncing stale"), "{changes}");
    assert!(world.gauge(inhibited).await < 1.0);
    // However many processes watch, and however they come and go.
    for pair in world.platform.asked_how_it_is().windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_secs(60));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maintenance_is_told_as_long_as_the_platform_tells_of_it() {
    let calls = Calls::start();
    let platform = Platform::start(calls).await;
    let double = Double::start(double::Config::default()).await.unwrap();
    let (db, broker) = (TestDb::new().await, TestBroker::new());
    let setup = Setup::new(db.url(), broker.url(), broker.prefix());
    let file = setup.folder.path().join("freshness.toml");
    let text = format!(
        "version = 1\nevery = \"100ms\"\n[thresholds]\non_after = \"200ms\"\noff_after = \"200ms\"\n{}",
        entry(&platform)
    );
    std::fs::write(&file, text).unwrap();
    let setup = setup
        .with_env("KPILINE_FRESHNESS", file.to_str().unwrap())
        .with_target(&double, "genesys-custom-report", &["handle_time"], "");
    let deliver = setup.start("deliver", &["serve"]).await;
    let look = Look(db.client().await);
    // A minute passes.
    let minute = async || {
        let turn = "UPDATE backfill_leases SET free_at = now() WHERE name = 'health/acme/main' AND owner IS NULL";
        eventually(PATIENCE, "it was asked", async || {
            look.0.execute(turn, &[]).await.unwrap() == 1
        })
        .await;
    };
    let state = async |wanted: &str, reason: &str| {
        eventually(PATIENCE, wanted, async || {
            let now = look
                .text("SELECT coalesce(max(state || ': ' || reason), '') FROM platform_freshness")
                .await;
            if now == format!("{wanted}: {reason}") {
                Ok(())
            } else {
                Err(now)
            }
        })
        .await;
    };
    state("live", "").await;
    platform.says("maintenance");
    minute().await;
    state("maintenance", "the platform says: maintenance").await;
    let ops = deliver.ready.ops_address();
    let series = "kpiline_platform_state{tenant=\"acme\",platform=\"main\",state=\"maintenance\"}";
    eventually(PATIENCE, "the gauge says so", async || {
        http::metric(ops, series)
            .await
            .is_ok_and(|value| value > 0.0)
    })
    .await;
    // From when it was told on numbers are doubtful.
    let marked = "SELECT count(*) FROM untrusted_stretches WHERE code = 'maintenance' AND to_at IS NULL AND from_at <= now()";
    assert_eq!(look.number(marked).await, 1);
    platform.says("normal");
    minute().await;
    state("live", "").await;
    assert_eq!(
        look.number("SELECT count(*) FROM untrusted_stretches")
            .await,
        0
    );
    assert!(platform.asked_how_it_is().len() >= 3);
}
