//! A day of metrics to both platforms, through faults of every kind and with kills of both replicas: in the end each platform has what the
//! store has, but for rows that are named with the platform's words; no limit was exceeded, and the budget was used.
//!
//! The metrics are written as compute writes them, ahead of the delivery, so that there is work until the end.

use crate::harness::{Look, Setup};
use crate::servers::{Part, size};
use double::config::{Fault, ItemFault, Limit, Phase, Script};
use double::{Cell, Config, Double, Key, Request};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use schema::{MetricVersion, UtcMicros};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use store::metrics::{MetricRow, upsert_for};
use store::partitions::{Partitions, Table};
use store::sync::Lane;
use store::{Store, StoreConfig};
use testkit::{TestBroker, TestDb, eventually};

/// 2024-05-15T00:00:00Z: the day.
const DAY: i64 = 1_715_731_200_000_000;
const DAY_MICROS: i64 = 86_400_000_000;
const METRICS: [&str; 2] = ["handle_time", "talk_time"];
/// Rows written in one transaction, about.
const CHUNK: usize = 2_000;
const MINUTES: Duration = Duration::from_secs(60);

/// One platform: its double, its target, and what it allows.
struct Platform {
    name: &'static str,
    double: Double,
    limit: Limit,
    batch: usize,
}

impl Platform {
    async fn start(name: &'static str, requests: usize, batch: usize, poison: &[String]) -> Self {
        let limit = Limit::of(requests, Duration::from_secs(10));
        let config = Config {
            limit: Some(limit),
            faults: weather(),
            poison: poison.to_vec(),
            shuffle_answers: true,
            ..Config::default()
        };
        Self {
            name,
            double: Double::start(config).await.unwrap(),
            limit,
            batch,
        }
    }

    /// Its table of the targets file.
    fn target(&self) -> String {
        let url = self.double.url();
        let token = match self.name {
            "cxone-import" => "/authentication/v1/token/access-key",
            _ => "/oauth/token",
        };
        let path = match self.name {
            "cxone-import" => format!("path = \"{}\"\n", Config::default().cxone_import_path),
            _ => String::new(),
        };
        format!(
            "[[target]]\nname = \"{name}\"\ntenant = \"acme\"\nplatform = \"{name}\"\nbase_url = \"{url}\"\n{path}\
             metrics = [\"handle_time\", \"talk_time\"]\nbatch_max = {batch}\n\
             credentials = {{ token_url = \"{url}{token}\", client_id = \"double-client\", client_secret = {{ value = \"double-secret\" }} }}\n\
             rate = {{ requests = {requests}, period = \"10s\" }}\n\
             timeouts = {{ connect = \"2s\", read = \"2s\", total = \"2s\" }}\n\
             retry = {{ first = \"100ms\", longest = \"2s\", breaker_cool_down = \"500ms\" }}\n\n",
            name = self.name,
            batch = self.batch,
            requests = self.limit.requests,
        )
    }
}

/// One request in twenty meets a fault: each kind in its turn, for ever.
fn weather() -> Script {
    let status = |status, retry_after, as_date, store| Fault::Status {
        status,
        retry_after,
        as_date,
        store,
    };
    let item = |index, status| ItemFault { index, status };
    let kinds = [
        status(429, Some(1), false, false),
        status(500, None, false, false),
        Fault::Reset { store: true },
        status(503, Some(1), true, false),
        Fault::Partial {
            items: vec![
                item(1, Some(429)),
                item(2, Some(400)),
                item(3, None),
                item(4, Some(503)),
            ],
        },
        status(504, None, false, true),
        Fault::Stall {
            millis: 3_000,
            store: true,
        },
        status(401, None, false, false),
        status(429, Some(1), true, false),
        Fault::Reset { store: false },
        status(413, None, false, false),
        status(408, None, false, false),
    ];
    let phases = kinds
        .into_iter()
        .flat_map(|fault| [Phase::requests(19, Fault::None), Phase::requests(1, fault)]);
    Script {
        repeat: true,
        ..Script::of(phases)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_metrics_reaches_both_platforms_through_faults_and_kills() {
    let metrics = size("KPILINE_SOAK_METRICS", 24_000);
    let kills = size("KPILINE_SOAK_KILLS", 5);
    let seed = u64::try_from(size("KPILINE_SOAK_SEED", 7)).unwrap();
    let mut rng = StdRng::seed_from_u64(seed);
    let interactions = metrics / METRICS.len();
    // Refused by both, without a word on which of a request they are.
    let poison: Vec<String> = (0..interactions)
        .step_by((interactions / 6).max(1))
        .map(|n| interaction(n + 3))
        .collect();
    let platforms = [
        Platform::start(
            "genesys-custom-report",
            size("KPILINE_SOAK_REQUESTS", 200),
            100,
            &poison,
        )
        .await,
        Platform::start(
            "cxone-import",
            size("KPILINE_SOAK_CXONE_REQUESTS", 200),
            size("KPILINE_SOAK_CXONE_BATCH", 100),
            &poison,
        )
        .await,
    ];

    let (db, broker) = (TestDb::new().await, TestBroker::new());
    let setup = Setup::new(db.url(), broker.url(), broker.prefix());
    let mut targets = "version = 1\n\n".to_owned();
    for platform in &platforms {
        write!(targets, "{}", platform.target()).unwrap();
    }
    let file = setup.folder.path().join("targets.toml");
    std::fs::write(&file, targets).unwrap();
    let setup = setup
        .with_env("KPILINE_TARGETS", file.to_str().unwrap())
        // A killed one's rows wait for their lease; a test need not wait as long.
        .with_env("KPILINE_DELIVER_LEASE_MARGIN", "4s");
    // Registers the targets, so that what is written is queued.
    setup.start("deliver", &["serve"]).await.process.kill9();
    let store = Store::connect(StoreConfig {
        pool_max: 4,
        ..StoreConfig::new(db.url(), "deliver_day")
    })
    .await
    .unwrap();

    let day = Day {
        store,
        interactions,
    };
    // A third first: then the rest of the day, with changes of what was there, while it is delivered.
    day.write(0, interactions / 3, 0, Lane::Live).await;
    let mut replicas = [
        Part::start(&setup, "deliver", &["serve"]),
        Part::start(&setup, "deliver", &["serve"]),
    ];
    let began = Instant::now();
    let writing = tokio::spawn(async move { day.rest().await });
    let look = Look::connect(db.url()).await;
    let watching = tokio::spawn(work_ends(
        Look::connect(db.url()).await,
        platforms.each_ref().map(|it| (it.name, it.batch)),
    ));
    for _ in 0..kills {
        // The random moment itself: time passing is the point, nothing is waited for.
        tokio::time::sleep(Duration::from_millis(rng.random_range(800..2_500))).await;
        let victim = rng.random_range(0..replicas.len());
        replicas[victim].kill_and_restart(&setup);
    }
    writing.await.unwrap();
    let patience = MINUTES * u32::try_from(3 + metrics / 20_000).unwrap();
    eventually(patience, "nothing waits any more", async || {
        // One row is enough to go on waiting: counting millions of them every time would be the heaviest work here.
        let one = "SELECT count(*) FROM (SELECT FROM sync_queue WHERE target IN ('genesys-custom-report', 'cxone-import') \
                                           AND state <> 'rejected' AND due_at >= '-infinity' LIMIT 1) s";
        match look.number(one).await {
            0 => Ok(()),
            n => Err(n),
        }
    })
    .await;
    let took = began.elapsed();
    let ends = watching.await.unwrap();
    for replica in &mut replicas {
        assert!(
            replica.process.is_running(),
            "gave up: {}",
            replica.process.stderr()
        );
    }

    let mut shares = Vec::new();
    for (platform, end) in platforms.iter().zip(ends) {
        let rejected = the_platform_has_what_the_store_has(&look, platform).await;
        let requests = platform.double.requests();
        the_limit_holds(platform, &requests);
        let violations = platform.double.violations();
        let (early, others): (Vec<_>, Vec<_>) = violations
            .iter()
            .partition(|violation| violation.kind == double::Kind::IgnoredRetryAfter);
        assert!(others.is_empty(), "{others:#?}");
        // Whoever is killed at the moment it is told to stay away can tell nobody.
        assert!(early.len() <= kills, "{early:#?}");
        let used = used(&requests, platform.limit, end);
        shares.push((platform.name, used));
        eprintln!(
            "{}: {} requests in {:.0} s, {:.1} % of the budget while there was work, {rejected} rows refused, {:?}",
            platform.name,
            requests.len(),
            took.as_secs_f64(),
            used * 100.0,
            platform.double.snapshot().pushes
        );
    }
    let open = "SELECT count(*) FROM metric_sync_log s WHERE fate = 'sent' AND NOT EXISTS ( \
                    SELECT FROM metric_sync_log f WHERE f.request_id = s.request_id AND f.fate <> 'sent' \
                      AND (f.target, f.tenant, f.interaction_id, f.metric_type) = (s.target, s.tenant, s.interaction_id, s.metric_type))";
    assert_eq!(look.number(open).await, 0, "every push has a fate");
    // Last: what is right stays right on a busy machine, and how much of the budget is used does not.
    assert!(
        shares.iter().all(|(_, used)| *used >= least()),
        "of the budgets was used: {shares:?}"
    );
}

/// The day's metrics, written as compute writes them.
struct Day {
    store: Store,
    interactions: usize,
}

impl Day {
    /// What follows the first third: new ones, of which a backfill brings a tenth, and changes of earlier ones.
    async fn rest(self) {
        let mut from = self.interactions / 3;
        while from < self.interactions {
            let to = (from + CHUNK).min(self.interactions);
            let lane = match (from / CHUNK) % 10 {
                0 => Lane::History,
                _ => Lane::Live,
            };
            self.write(from, to, 0, lane).await;
            // Their wrap-up came: some time after they were written first.
            let corrected = from - self.interactions / 4;
            self.write(corrected, corrected + (to - from) / 10, 1, Lane::Live)
                .await;
            from = to;
        }
    }

    /// Interactions of a stretch, in their nth revision. In the second one of fifty has no value any more.
    async fn write(&self, from: usize, to: usize, revision: u32, lane: Lane) {
        let partitions = Partitions::new(self.store.clone());
        let names: Vec<(usize, String)> = (from..to).map(|n| (n, interaction(n))).collect();
        for names in names.chunks(CHUNK) {
            let rows: Vec<MetricRow<'_>> = names
                .iter()
                .flat_map(|(n, name)| METRICS.map(|metric| self.row(*n, name, metric, revision)))
                .collect();
            let months = rows.iter().map(|row| row.partition_at);
            partitions
                .ensure(Table::ComputedMetrics, months)
                .await
                .unwrap();
            let mut client = self.store.client().await.unwrap();
            let tx = client.transaction().await.unwrap();
            upsert_for(&tx, &rows, lane).await.unwrap();
            tx.commit().await.unwrap();
        }
    }

    fn row<'a>(&self, n: usize, name: &'a str, metric: &'a str, revision: u32) -> MetricRow<'a> {
        let (n, all) = (
            i64::try_from(n).unwrap(),
            i64::try_from(self.interactions).unwrap(),
        );
        let at = UtcMicros(DAY + DAY_MICROS / all.max(1) * n);
        let value = f64::from(u32::try_from(n % 100_000).unwrap()) / 8.0 + f64::from(revision);
        let gone = revision > 0 && n % 50 == 0;
        MetricRow {
            tenant: "acme",
            interaction_id: name,
            metric_type: metric,
            metric_version: MetricVersion::FIRST,
            leg_scope: "",
            partition_at: at,
            timestamp_utc: at,
            agent_id: Some("agent_1"),
            queue_id: None,
            metric_value: (!gone).then_some(value),
            metadata_json: "{}",
            provenance_json: "{}",
        }
    }
}

fn interaction(n: usize) -> String {
    format!("int_{n:08}")
}

/// When each target had less than a few requests' worth of rows waiting for the first time, after there were many.
async fn work_ends(look: Look, targets: [(&'static str, usize); 2]) -> [Instant; 2] {
    let mut ends = [None; 2];
    let began = Instant::now();
    while ends.iter().any(Option::is_none) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for ((name, batch), end) in targets.iter().zip(&mut ends) {
            let sql = format!(
                "SELECT count(*) FROM (SELECT FROM sync_queue WHERE target = '{name}' AND state = 'pending' AND due_at <= now() LIMIT {}) s",
                batch * 8
            );
            let few = look.number(&sql).await < i64::try_from(batch * 8).unwrap();
            // Not before it has begun in earnest.
            if few && began.elapsed() > Duration::from_secs(3) {
                end.get_or_insert_with(Instant::now);
            }
        }
    }
    ends.map(Option::unwrap)
}

/// Which share of the requests that were possible were made, from the first on until there was little work left. What a platform asked to
/// stay away for was not possible.
fn used(requests: &[Request], limit: Limit, end: Instant) -> f64 {
    let pushes: Vec<&Request> = requests
        .iter()
        .filter(|request| request.place == double::config::Place::Push && request.at <= end)
        .collect();
    let begun = pushes[0].at;
    let mut away = Duration::ZERO;
    let mut until = begun;
    for push in pushes.iter().filter(|push| push.told_ms > 0) {
        let told = (push.at + Duration::from_millis(push.told_ms)).min(end);
        away += told.saturating_duration_since(push.at.max(until));
        until = until.max(told);
    }
    let time = end.duration_since(begun).saturating_sub(away);
    let possible = time.as_secs_f64() / limit.window().as_secs_f64() * limit.requests as f64;
    pushes.len() as f64 / possible
}

/// No window of the limit's length had more arrivals than it allows. If one had, says which, and how far apart they were.
fn the_limit_holds(platform: &Platform, requests: &[Request]) {
    let (limit, window) = (platform.limit.requests, platform.limit.window());
    let most = platform.double.max_requests_in_any_window(window);
    if most <= limit {
        return;
    }
    let mut pushes: Vec<&Request> = requests
        .iter()
        .filter(|request| request.place == double::config::Place::Push)
        .collect();
    pushes.sort_by_key(|push| push.at);
    let crowded = pushes
        .windows(limit + 1)
        .filter(|some| some[limit].at - some[0].at < window);
    let crowded: Vec<String> = crowded
        .map(|some| {
            let since = |push: &Request| (push.at - pushes[0].at).as_secs_f64();
            let apart = some.iter().map(|it| format!("{:.3}", since(it)));
            apart.collect::<Vec<_>>().join(" ")
        })
        .take(3)
        .collect();
    panic!(
        "{}: {most} requests in {window:?}, {limit} are allowed; seconds of arrival: {crowded:#?}",
        platform.name
    );
}

/// How much of the budget must be used: all but a twentieth, measured with nothing else running (`deploy/local/soak.sh deliver`); less where
/// the machine may be busy with other tests, and the processes are not optimised.
fn least() -> f64 {
    std::env::var("KPILINE_SOAK_BUDGET_SHARE").map_or(0.5, |share| share.parse().unwrap())
}

/// Compares every value, and gives how many rows are refused. Each of them is named, with words.
async fn the_platform_has_what_the_store_has(look: &Look, platform: &Platform) -> usize {
    let refused = format!(
        "SELECT interaction_id, metric_type, coalesce(last_message, '') FROM sync_queue WHERE target = '{}' AND state = 'rejected'",
        platform.name
    );
    let refused: BTreeMap<(String, String), String> = look
        .0
        .query(&refused, &[])
        .await
        .unwrap()
        .into_iter()
        .map(|row| ((row.get(0), row.get(1)), row.get(2)))
        .collect();
    assert!(refused.values().all(|words| !words.is_empty()));
    let table: BTreeMap<Key, Cell> = platform.double.table();
    let sql = "SELECT interaction_id, metric_type, metric_value FROM computed_metrics WHERE metric_version = 1";
    let mut known = 0;
    for row in look.0.query(sql, &[]).await.unwrap() {
        let (interaction, metric): (String, String) = (row.get(0), row.get(1));
        let value: Option<f64> = row.get(2);
        let key = Key {
            tenant: "acme".to_owned(),
            ..Key::of(&interaction, &metric)
        };
        let held = table.get(&key);
        known += usize::from(held.is_some());
        if refused.contains_key(&(interaction.clone(), metric.clone())) {
            continue;
        }
        let held = held.and_then(|cell| cell.value);
        assert_eq!(held, value, "{} {interaction} {metric}", platform.name);
    }
    assert_eq!(
        known,
        table.len(),
        "the platform has nothing that the store has not"
    );
    let poisoned = |words: &&String| words.contains("could not be understood");
    assert!(
        refused.values().filter(poisoned).count() >= 2 * 6,
        "{refused:?}"
    );
    refused.len()
}
