//! A platform's past through real workers: everything once, within the limit, whatever goes wrong and whoever is killed.

use crate::harness::{Line, Look};
use crate::servers::{Part, size};
use double::config::{Fault, History, Jobs, Late, Limit, Pages, Phase, Place, Script, Token};
use double::history::{Account, ClientAccount, Platform, Truth, truth};
use double::{Config, Double};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::time::{Duration, Instant};
use testkit::eventually;

/// How long a worker may take to stop.
const STOP: Duration = Duration::from_secs(30);
/// Conversations that the platform shows only after this long.
const LATE_MS: u64 = 2_000;

/// How much of a past, and how fast it may be asked.
struct Sizes {
    days: u32,
    conversations: u64,
    /// Requests in any window of [`Sizes::window`].
    requests: usize,
    window: Duration,
    page: u32,
    workers: usize,
}

impl Sizes {
    /// Those of the everyday test, or those of the environment.
    fn chosen() -> Self {
        let number = |name, usual: u64| u64::try_from(size(name, usual as usize)).unwrap();
        Self {
            days: u32::try_from(number("KPILINE_SOAK_DAYS", 4)).unwrap(),
            conversations: number("KPILINE_SOAK_CONVERSATIONS", 1_600),
            requests: size("KPILINE_SOAK_REQUESTS", 60),
            window: Duration::from_secs(number("KPILINE_SOAK_WINDOW_SECONDS", 4)),
            page: u32::try_from(number("KPILINE_SOAK_PAGE", 25)).unwrap(),
            workers: size("KPILINE_SOAK_WORKERS", 2),
        }
    }

    /// How long it may take before the test says that nothing comes of it: the calls it takes, five times over, and the line's work.
    fn patience(&self) -> Duration {
        let calls = self.conversations / u64::from(self.page) + 20 * u64::from(self.days);
        let windows = calls as f64 / self.requests as f64;
        Duration::from_secs(180)
            + self.window.mul_f64(5.0 * windows)
            + Duration::from_millis(4 * self.conversations)
    }

    fn history(&self) -> History {
        History {
            days: self.days,
            conversations: self.conversations,
            seed: 7,
            jobs: Jobs {
                queued_ms: 200,
                pending_ms: 500,
                at_once: Some(8),
                fail_every: 13,
                expire_every: 17,
                ..Jobs::default()
            },
            pages: Pages {
                repeat_cursor: true,
                overlap: 3,
                ..Pages::default()
            },
            late: Late {
                per_mille: 5,
                after_ms: Some(LATE_MS),
            },
            ..History::default()
        }
    }
}

/// The platform, a line, and the file that names the one to the other.
struct World {
    line: Line,
    double: Double,
    sizes: Sizes,
}

impl World {
    async fn new(sizes: Sizes, faults: Script, honoured_ms: Option<u64>) -> Self {
        let double = Double::start(Config {
            history: Some(sizes.history()),
            limit: Some(Limit::of(sizes.requests, sizes.window)),
            token: Token {
                honoured_ms,
                ..Token::default()
            },
            faults,
            ..Config::default()
        })
        .await
        .unwrap();
        let platforms = format!(
            "version = 1\n\n[[platform]]\nname = \"double\"\ntenant = \"acme\"\nplatform = \"genesys\"\nbase_url = \"{url}\"\n\n\
             [platform.credentials]\ntoken_url = \"{url}/oauth/token\"\nclient_id = \"double-client\"\n\
             client_secret = {{ value = \"double-secret\" }}\n\n[platform.rate]\nrequests = {}\nperiod = \"{}s\"\n\n\
             [platform.timeouts]\nread = \"2s\"\ntotal = \"20s\"\n\n[platform.retry]\nfirst = \"200ms\"\nlongest = \"2s\"\n\n\
             [platform.genesys]\npage_size = {}\njobs_at_once = 6\n",
            sizes.requests,
            sizes.window.as_secs(),
            sizes.page,
            url = double.url(),
        );
        let line = Line::start(|setup| {
            let file = setup.folder.path().join("platforms.toml");
            std::fs::write(&file, platforms).unwrap();
            setup
                .with_env("KPILINE_PLATFORMS", file.to_str().unwrap())
                .with_env("KPILINE_LEASE", "3s")
        })
        .await;
        line.setup.activate_second_version().await;
        Self {
            line,
            double,
            sizes,
        }
    }

    fn worker(&self) -> Part {
        Part::start(
            &self.line.setup,
            "backfill",
            &["worker", "--lanes", "2", "--ops-listen", "127.0.0.1:0"],
        )
    }

    /// Writes the job of the whole past under version 2, and gives its id.
    async fn begin(&self) -> String {
        let days = i64::from(self.sizes.days);
        let from = History::default().from;
        let to = from.plus(days * 86_400_000);
        let (from, to) = (from.to_string(), to.to_string());
        let arguments = [
            "start",
            "genesys-conversations",
            "--platform",
            "double",
            "--from",
            &from,
            "--to",
            &to,
            "--metric-version",
            "2",
            "--promote",
            "never",
            "--output",
            "json",
        ];
        let said = self.line.setup.run("backfill", &arguments).await;
        let said: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
        said["job"].as_str().unwrap().to_owned()
    }

    async fn done(&self, look: &Look, job: &str) {
        let state = format!("SELECT state FROM backfill_jobs WHERE job_id = '{job}'");
        eventually(self.sizes.patience(), "the job is done", async || {
            let state = look.text(&state).await;
            if state == "done" { Ok(()) } else { Err(state) }
        })
        .await;
    }

    fn account(&self) -> (Account, ClientAccount) {
        let account = self.double.history_account().unwrap();
        let client = account.clients.first().unwrap().clone();
        (account, client)
    }

    /// Every conversation once, with the platform's own figures, under both versions.
    async fn compare(&self, look: &Look) {
        let truth: Vec<Truth> =
            truth(&self.sizes.history(), Platform::Genesys, false, None).collect();
        assert_eq!(truth.len() as u64, self.sizes.conversations);
        look.0
            .batch_execute(
                "CREATE TEMP TABLE truth (id text PRIMARY KEY, ended boolean, handled boolean, handle_time bigint, talk_time bigint, \
                 hold_time bigint, wrap_time bigint)",
            )
            .await
            .unwrap();
        for part in truth.chunks(10_000) {
            let texts = |pick: fn(&Truth) -> Option<i64>| part.iter().map(pick).collect::<Vec<_>>();
            let ids: Vec<&str> = part.iter().map(|it| it.id.as_str()).collect();
            let ended: Vec<bool> = part.iter().map(|it| it.end.is_some()).collect();
            let handled: Vec<bool> = part.iter().map(|it| it.handled_legs > 0).collect();
            look.0
                .execute(
                    "INSERT INTO truth SELECT * FROM unnest($1::text[], $2::boolean[], $3::boolean[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])",
                    &[
                        &ids,
                        &ended,
                        &handled,
                        &texts(|it| it.handle_ms),
                        &texts(|it| it.talk_ms),
                        &texts(|it| it.hold_ms),
                        &texts(|it| it.wrap_ms),
                    ],
                )
                .await
                .unwrap();
        }
        let unknown = "SELECT count(*) FROM truth t FULL JOIN interactions i ON i.interaction_id = t.id \
                       WHERE t.id IS NULL OR i.interaction_id IS NULL";
        assert_eq!(
            look.number(unknown).await,
            0,
            "conversations missing or made up"
        );
        for version in [1, 2] {
            for metric in ["handle_time", "talk_time", "hold_time", "wrap_time"] {
                let differ = format!(
                    "SELECT count(*) FROM (SELECT id, {metric} AS ms FROM truth WHERE ended AND handled) t \
                     FULL JOIN (SELECT m.interaction_id AS id, round(m.metric_value::numeric * 1000)::bigint AS ms FROM computed_metrics m \
                         JOIN truth t ON t.id = m.interaction_id AND t.handled \
                         WHERE m.metric_type = '{metric}' AND m.metric_version = {version} AND m.leg_scope = '' AND m.metric_value IS NOT NULL) c USING (id) \
                     WHERE t.ms IS DISTINCT FROM c.ms"
                );
                assert_eq!(look.number(&differ).await, 0, "{metric}@{version}");
            }
        }
        let counts = look.counts().await;
        assert_eq!(counts.quarantined, 0);
        assert_eq!(
            counts.received,
            counts.logged + counts.duplicates + counts.ignored,
            "{counts:?}"
        );
    }
}

/// Refusals in both forms, failures, stalls and cut connections, again and again.
fn weather() -> Script {
    let refused = |retry_after, as_date| Fault::Status {
        status: 429,
        retry_after: Some(retry_after),
        as_date,
        store: false,
    };
    let failed = |status| Fault::Status {
        status,
        retry_after: None,
        as_date: false,
        store: false,
    };
    let history = |requests, fault| Phase::requests(requests, fault).at(Place::History);
    Script {
        repeat: true,
        ..Script::of([
            history(25, Fault::None),
            history(2, refused(1, false)),
            history(25, Fault::None),
            Phase::requests(1, refused(2, true)).on_routes(&["details-job-results"]),
            history(25, Fault::None),
            history(2, failed(503)),
            history(25, Fault::None),
            history(
                1,
                Fault::Stall {
                    millis: 2_500,
                    store: false,
                },
            ),
            history(25, Fault::None),
            history(2, Fault::Reset { store: false }),
            history(25, Fault::None),
            history(1, failed(500)),
        ])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platforms_past_is_there_once_within_its_limit_whatever_goes_wrong() {
    let world = World::new(Sizes::chosen(), weather(), Some(20_000)).await;
    let look = world.line.look().await;
    let job = world.begin().await;
    let began = Instant::now();
    let workers: Vec<Part> = (0..world.sizes.workers).map(|_| world.worker()).collect();
    world.done(&look, &job).await;
    let took = began.elapsed();
    for mut worker in workers {
        assert!(worker.process.term(STOP).await.success());
    }
    let (account, client) = world.account();
    world.compare(&look).await;
    assert!(
        client.busiest <= world.sizes.requests,
        "{} calls in a window of {}",
        client.busiest,
        world.sizes.requests
    );
    assert_eq!(client.early, 0, "calls before a pause was over");
    println!(
        "job {:.1} s; {} calls in {:.1} s, at least {:.1} s: {:.3} times; busiest window {} of {}; {} of {} pages fetched again",
        took.as_secs_f64(),
        client.calls,
        client.elapsed_ms as f64 / 1e3,
        client.minimum_ms as f64 / 1e3,
        client.ratio.unwrap_or_default(),
        client.busiest,
        world.sizes.requests,
        account.pages.repeated.len(),
        account.pages.pages,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_are_killed_fetch_at_most_a_page_a_lane_again() {
    let kills = size("KPILINE_SOAK_KILLS", 6);
    let seed = u64::try_from(size("KPILINE_SOAK_SEED", 3)).unwrap();
    let mut rng = StdRng::seed_from_u64(seed);
    let world = World::new(Sizes::chosen(), Script::default(), None).await;
    let look = world.line.look().await;
    let job = world.begin().await;
    let mut workers: Vec<Part> = (0..world.sizes.workers).map(|_| world.worker()).collect();
    let open =
        format!("SELECT count(*) FROM backfill_chunks WHERE job_id = '{job}' AND state = 'open'");
    let mut killed = 0;
    while killed < kills && look.number(&open).await > 0 {
        // The random moment itself: time passing is the point, nothing is waited for.
        tokio::time::sleep(Duration::from_millis(rng.random_range(400..1500))).await;
        let victim = rng.random_range(0..workers.len());
        workers[victim].kill_and_restart(&world.line.setup);
        killed += 1;
    }
    world.done(&look, &job).await;
    for mut worker in workers {
        assert!(worker.process.term(STOP).await.success());
    }
    let (account, client) = world.account();
    world.compare(&look).await;
    assert!(client.busiest <= world.sizes.requests);
    let again: u64 = account
        .pages
        .repeated
        .iter()
        .map(|page| page.delivered - 1)
        .sum();
    println!(
        "{killed} kills, {again} of {} pages fetched again; chunks: {}",
        account.pages.pages,
        look.text("SELECT string_agg(format('%s reopened %s expected %s arrived %s: %s', chunk, reopened, expected, arrived, last_error), '; ') FROM backfill_chunks").await
    );
    assert!(
        again <= 2 * killed as u64,
        "two lanes a worker, a page each: {again} again after {killed} kills"
    );
}
