//! Workers against a platform with a past: every record is published, whatever goes wrong on the way, and no limit is exceeded.

use crate::world::{LONG, World};
use broker::{Outgoing, Queue};
use bytes::Bytes;
use double::config::{Client, Fault, History, Limit, Phase, Place, RetryAfter, Script};
use double::history::{Account, Platform, truth};
use double::{Config, Double};
use schema::{JobId, MetricVersion, RawMessage, UtcMicros};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use store::chunks::{self, Chunk, NewChunk, State};
use store::jobs::{self, Created, Lane, NewChunkedJob, Promote, Purpose};
use tempfile::TempDir;
use testkit::{Proc, eventually};

/// 2025-01-06T00:00:00Z: where the past begins.
const FROM: i64 = 1_736_121_600_000_000;
const DAY: i64 = 86_400_000_000;

/// A platform with a past, the line without its other binaries, and the files that a worker needs.
struct Bench {
    world: World,
    double: Double,
    history: History,
    folder: TempDir,
}

fn past(days: u32, conversations: u64) -> History {
    History {
        days,
        conversations,
        ..History::default()
    }
}

/// Fast enough that limits are in nobody's way.
fn unlimited(history: History) -> Config {
    Config {
        history: Some(history),
        ..Config::default()
    }
}

impl Bench {
    async fn new(config: Config, more: &str) -> Self {
        let history = config.history.clone().unwrap();
        let rate = config.limit.map_or_else(
            || "requests = 6000, period = \"1m\"".to_owned(),
            |limit| {
                format!(
                    "requests = {}, period = \"{}ms\"",
                    limit.requests, limit.window_ms
                )
            },
        );
        let double = Double::start(config).await.unwrap();
        let url = double.url();
        let stated = format!("base_url = \"{url}\"");
        let entry = |name: &str, kind: &str, base: &str, token: &str| {
            format!(
                r#"
[[platform]]
name = "{name}"
tenant = "acme"
platform = "{kind}"
{base}
credentials = {{ token_url = "{url}{token}", client_id = "double-client", client_secret = "double-secret" }}
rate = {{ {rate} }}
retry = {{ first = "20ms", longest = "500ms" }}
timeouts = {{ connect = "2s", read = "2s", total = "4s" }}
"#
            )
        };
        let key = "/authentication/v1/token/access-key";
        let cxone =
            "[platform.cxone]\nreport_zone = \"America/New_York\"\nextraction_pause = \"300ms\"\n";
        let text = format!(
            "version = 1\n{}{more}\n{}{cxone}{}",
            entry("g", "genesys", &stated, "/oauth/token"),
            entry("c", "cxone", &stated, key),
            // The same access key once more; the token says where its API is.
            entry("t", "cxone", "", key),
        );
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("platforms.toml"), text).unwrap();
        Self {
            world: World::new().await,
            double,
            history,
            folder,
        }
    }

    fn worker(&self, more: &[&str]) -> Proc {
        self.worker_with_room(more, "100000")
    }

    /// A worker that waits while `raw.history` holds more than so many messages.
    fn worker_with_room(&self, more: &[&str], room: &str) -> Proc {
        let file = self.folder.path().join("platforms.toml");
        let usual = [
            "worker",
            "--platforms",
            file.to_str().unwrap(),
            "--lease",
            "2s",
            "--raw-depth-max",
            room,
            "--ops-listen",
            "127.0.0.1:0",
        ];
        self.world.spawn(&[&usual[..], more].concat())
    }

    /// Writes a job of so many chunks of this length.
    async fn job(&self, kind: &str, platform: &str, params: &Value, chunks: &[NewChunk]) -> JobId {
        self.job_on(Lane::History, kind, platform, params, chunks)
            .await
    }

    async fn job_on(
        &self,
        lane: Lane,
        kind: &str,
        platform: &str,
        params: &Value,
        chunks: &[NewChunk],
    ) -> JobId {
        let store = self.world.db.store().await;
        let client = store.client().await.unwrap();
        let new = NewChunkedJob {
            kind,
            tenant: Some("acme"),
            platform: Some(platform),
            metric_version: MetricVersion(2),
            params_json: &params.to_string(),
            from: chunks.first().map(|chunk| chunk.from),
            to: chunks.last().map(|chunk| chunk.to),
            kpis: &[],
            purpose: match lane {
                Lane::History => Purpose::Job,
                Lane::Live => Purpose::Follow,
            },
            lane,
            promote: Promote::Never,
            standing: false,
            request_id: None,
            chunks,
        };
        match jobs::create_chunked(&client, &new).await.unwrap() {
            Created::New(id) | Created::Existing(id) => id,
        }
    }

    async fn chunks(&self, job: JobId) -> Vec<Chunk> {
        let store = self.world.db.store().await;
        let client = store.client().await.unwrap();
        chunks::of_job(&client, job).await.unwrap()
    }

    /// Waits until everything of a job was fetched.
    async fn fetched(&self, job: JobId) -> Vec<Chunk> {
        eventually(LONG + LONG / 2, "everything is fetched", async || {
            let chunks = self.chunks(job).await;
            if chunks.iter().all(|chunk| chunk.state != State::Open) {
                return Ok(chunks);
            }
            let shown = |chunk: &Chunk| {
                let why = chunk.last_error.clone().or(chunk.waiting_for.clone());
                format!(
                    "{} {:?} {why:?} {:?}",
                    chunk.number, chunk.state, chunk.cursor_json
                )
            };
            Err(chunks.iter().map(shown).collect::<Vec<_>>())
        })
        .await
    }

    fn account(&self) -> Account {
        self.double.history_account().unwrap()
    }

    /// The conversations of the past that there are.
    fn conversations(&self) -> BTreeSet<String> {
        truth(&self.history, Platform::Genesys, false, None)
            .map(|row| row.id)
            .collect()
    }

    /// The first contacts of the calls of the past that are over.
    fn calls(&self) -> BTreeSet<String> {
        truth(&self.history, Platform::Cxone, false, None)
            .map(|row| row.id)
            .collect()
    }

    fn all_is_well(&self) {
        let violations = self.double.violations();
        assert!(violations.is_empty(), "{violations:?}");
    }
}

fn stretch(chunks: u32, length: i64) -> Vec<NewChunk> {
    (0..i64::from(chunks))
        .map(|n| NewChunk {
            from: UtcMicros(FROM + n * length),
            to: UtcMicros(FROM + (n + 1) * length),
            due_in: Duration::ZERO,
            cursor_json: None,
        })
        .collect()
}

/// What a member of each published record says.
fn told(messages: &[RawMessage], member: &str) -> Vec<String> {
    let mut all = Vec::new();
    for delivery in messages.iter().flat_map(|message| &message.deliveries) {
        let records: Vec<Value> = serde_json::from_slice(&delivery.body).unwrap();
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        all.extend(records.iter().map(|record| text(&record[member])));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_come_by_jobs_and_each_page_once() {
    let bench = Bench::new(unlimited(past(3, 900)), "").await;
    let job = bench
        .job("genesys-conversations", "g", &json!({}), &stretch(3, DAY))
        .await;
    let mut worker = bench.worker(&["--lanes", "2"]);
    let chunks = bench.fetched(job).await;
    assert!(worker.term(LONG).await.success(), "{}", worker.stderr());
    let messages = bench.world.deliveries().await;
    let ids = told(&messages, "conversationId");
    let different: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(different, bench.conversations());
    let records: i64 = chunks.iter().map(|chunk| chunk.records).sum();
    assert_eq!(
        records,
        i64::try_from(ids.len()).unwrap(),
        "the chunks say what was published"
    );
    let expected: i64 = chunks.iter().filter_map(|chunk| chunk.expected).sum();
    assert_eq!(expected, 900, "the platform's own count of each day");
    let delivery = &messages[0].deliveries[0];
    assert_eq!(delivery.subscription.as_str(), "backfill-g");
    assert_eq!(
        delivery.job.map(|job| (job.id, job.version.0)),
        Some((job, 2))
    );
    let account = bench.account();
    assert_eq!(account.pages.repeated, Vec::new());
    let calls: i64 = chunks.iter().map(|chunk| chunk.calls).sum();
    let client = account.client().unwrap();
    assert!(
        client.calls.abs_diff(u64::try_from(calls).unwrap()) <= 1,
        "{calls} calls written of {}",
        client.calls
    );
    let counts = client.routes["aggregates-query"].calls;
    assert!(
        counts <= 2,
        "one question for all days, if no other lane asks meanwhile: {counts}"
    );
    bench.all_is_well();
}

/// A job of last week counted these days while they still filled.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_too_early_is_counted_again() {
    let bench = Bench::new(unlimited(past(2, 600)), "").await;
    let early = "INSERT INTO platform_counts (tenant, platform, measure, from_at, to_at, scope, value, fetched_at) \
                 SELECT 'acme', 'g', 'conversations', day, day + interval '1 day', '', 7, day + interval '2 days' \
                 FROM generate_series(timestamptz '2025-01-06Z', '2025-01-07Z', interval '1 day') AS day";
    bench
        .world
        .db
        .client()
        .await
        .batch_execute(early)
        .await
        .unwrap();
    let job = bench
        .job("genesys-conversations", "g", &json!({}), &stretch(2, DAY))
        .await;
    let worker = bench.worker(&["--lanes", "1"]);
    let chunks = bench.fetched(job).await;
    drop(worker);
    let expected: i64 = chunks.iter().filter_map(|chunk| chunk.expected).sum();
    assert_eq!(expected, 600);
    let account = bench.account();
    let counts = account.client().unwrap().routes["aggregates-query"].calls;
    assert_eq!(counts, 1, "what was counted since then is known");
}

/// What the platform has no data for yet is not asked of a job: a query brings it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_beyond_what_the_platform_has_data_for() {
    let mut history = past(3, 900);
    // It is three days after the end of the past, and jobs are three and a half days late: half of the third day is not there for them.
    history.clock.lag_ms = 84 * 3_600_000;
    let bench = Bench::new(unlimited(history), "").await;
    let job = bench
        .job("genesys-conversations", "g", &json!({}), &stretch(3, DAY))
        .await;
    let worker = bench.worker(&[]);
    bench.fetched(job).await;
    drop(worker);
    let messages = bench.world.deliveries().await;
    let ids: BTreeSet<String> = told(&messages, "conversationId").into_iter().collect();
    let whole = truth(
        &bench.history,
        Platform::Genesys,
        false,
        Some(double::history::Moment(i64::MAX / 2)),
    );
    let missing: Vec<_> = whole
        .map(|row| row.id)
        .filter(|id| !ids.contains(id))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(bench.account().client().unwrap().routes["details-query"].calls > 0);
    bench.all_is_well();
}

/// A query lists whole days: of a quarter of an hour in the evening only what leads to it from the nearer end is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_stretch_costs_no_whole_day() {
    let bench = Bench::new(unlimited(past(1, 4000)), "").await;
    let (from, to) = (
        FROM + 20 * 3_600_000_000,
        FROM + 20 * 3_600_000_000 + 900_000_000,
    );
    let chunk = NewChunk {
        from: UtcMicros(from),
        to: UtcMicros(to),
        due_in: Duration::ZERO,
        cursor_json: Some(json!({"way": "query"}).to_string()),
    };
    let job = bench
        .job("genesys-conversations", "g", &json!({}), &[chunk])
        .await;
    let worker = bench.worker(&["--lanes", "1"]);
    let chunks = bench.fetched(job).await;
    drop(worker);
    let messages = bench.world.deliveries().await;
    let starts = told(&messages, "conversationStart");
    let begun = starts
        .iter()
        .map(|start| adapter::instant::parse(start).unwrap().0)
        .filter(|start| (from..to).contains(start))
        .count();
    assert_eq!(
        chunks[0].expected,
        i64::try_from(begun).ok(),
        "all that the platform counts in it"
    );
    assert!(begun > 0);
    let calls = bench.account().client().unwrap().routes["details-query"].calls;
    assert!(calls <= 15, "{calls} of the 40 pages of the day");
    bench.all_is_well();
}

/// Pitfalls 1 and 5: cursors that come again, pages that overlap, pages that move.
#[tokio::test(flavor = "multi_thread")]
async fn pages_that_repeat_overlap_and_move_lose_nothing() {
    let mut history = past(2, 600);
    history.pages.repeat_cursor = true;
    history.pages.overlap = 7;
    history.pages.moves = 2;
    let bench = Bench::new(unlimited(history), "").await;
    let by_job = bench
        .job("genesys-conversations", "g", &json!({}), &stretch(2, DAY))
        .await;
    let mut query = stretch(2, DAY);
    for chunk in &mut query {
        chunk.cursor_json = Some(json!({"way": "query"}).to_string());
    }
    let by_query = bench
        .job("genesys-conversations", "g", &json!({}), &query)
        .await;
    let contacts = bench
        .job("cxone-contacts", "c", &json!({}), &stretch(2, DAY))
        .await;
    let worker = bench.worker(&["--lanes", "3"]);
    for job in [by_job, by_query, contacts] {
        bench.fetched(job).await;
    }
    drop(worker);
    let messages = bench.world.deliveries().await;
    for job in [by_job, by_query] {
        let of_job: Vec<RawMessage> = messages
            .iter()
            .filter(|message| {
                message.deliveries[0]
                    .job
                    .is_some_and(|found| found.id == job)
            })
            .cloned()
            .collect();
        let ids: BTreeSet<String> = told(&of_job, "conversationId").into_iter().collect();
        assert_eq!(ids, bench.conversations(), "job {job}");
    }
    // A cursor that came again was not followed a second time.
    let results = bench.account().client().unwrap().routes["details-job-results"].calls;
    assert!(results < 20, "{results} pages");
    bench.all_is_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_trouble_is_lived_through() {
    let status = |status, retry_after, as_date| Fault::Status {
        status,
        retry_after,
        as_date,
        store: false,
    };
    let history = |requests, fault| Phase::requests(requests, fault).at(Place::History);
    let phases = [
        history(1, Fault::None),
        history(2, status(500, None, false)),
        history(1, Fault::Reset { store: false }),
        history(2, Fault::None),
        history(1, status(503, Some(1), false)),
        Phase::requests(1, status(429, Some(1), false)).on_routes(&["details-job-results"]),
        history(2, Fault::None),
        Phase::requests(1, status(429, Some(1), true)).on_routes(&["details-job-results"]),
        history(
            1,
            Fault::Stall {
                millis: 3000,
                store: false,
            },
        ),
        Phase::requests(1, status(401, None, false)).on_routes(&["details-job-results"]),
        history(1, Fault::None),
        Phase::requests(1, status(403, None, false)).on_routes(&["details-job-results"]),
        history(1, status(504, None, false)),
    ];
    let mut past = past(3, 900);
    past.jobs.fail_every = 3;
    let config = Config {
        faults: Script::of(phases),
        ..unlimited(past)
    };
    let bench = Bench::new(config, "[platform.genesys]\npage_size = 50\n").await;
    let job = bench
        .job("genesys-conversations", "g", &json!({}), &stretch(3, DAY))
        .await;
    let worker = bench.worker(&[]);
    bench.fetched(job).await;
    drop(worker);
    let messages = bench.world.deliveries().await;
    let ids: BTreeSet<String> = told(&messages, "conversationId").into_iter().collect();
    assert_eq!(ids, bench.conversations());
    let account = bench.account();
    assert_eq!(
        account.pages.repeated,
        Vec::new(),
        "what was confirmed is not fetched again"
    );
    bench.all_is_well();
}

/// Pitfall 10: the token dies in the middle, and is renewed ahead of its end otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_dies_costs_one_request() {
    let mut config = unlimited(past(3, 900));
    config.token.honoured_ms = Some(400);
    let bench = Bench::new(config, "[platform.genesys]\npage_size = 10\n").await;
    let job = bench
        .job("genesys-conversations", "g", &json!({}), &stretch(3, DAY))
        .await;
    let worker = bench.worker(&[]);
    bench.fetched(job).await;
    drop(worker);
    let ids: BTreeSet<String> = told(&bench.world.deliveries().await, "conversationId")
        .into_iter()
        .collect();
    assert_eq!(ids, bench.conversations());
    let account = bench.account();
    assert!(account.grants > 1, "{} grants", account.grants);
    assert!(
        account.unauthorized <= account.grants * 2,
        "{} refusals for {} tokens of which two lanes share each",
        account.unauthorized,
        account.grants
    );
    assert_eq!(account.pages.repeated, Vec::new());
}

/// Pitfall 12: a token belongs to the credential, however many entries of the file name it and whoever asks it where the API is.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_12_entries_of_one_credential_share_one_token() {
    let bench = Bench::new(unlimited(past(2, 200)), "").await;
    let plain = json!({});
    let jobs = [
        bench
            .job("cxone-contacts", "c", &plain, &stretch(2, DAY))
            .await,
        bench
            .job("cxone-contacts", "t", &plain, &stretch(2, DAY))
            .await,
        bench
            .job("cxone-agent-states", "t", &plain, &stretch(2, DAY))
            .await,
    ];
    let worker = bench.worker(&["--lanes", "4"]);
    for job in jobs {
        bench.fetched(job).await;
    }
    drop(worker);
    assert_eq!(bench.account().grants, 1);
    bench.all_is_well();
}

/// Pitfall 12: while no token is to be had, chunks wait for it and ask nobody.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_12_a_token_endpoint_in_trouble_is_left_alone_by_however_many_chunks() {
    let trouble = Fault::Status {
        status: 503,
        retry_after: None,
        as_date: false,
        store: false,
    };
    let outage = Phase::lasting(Duration::from_secs(3), trouble).at(Place::Token);
    let config = Config {
        faults: Script::of([outage]),
        ..unlimited(past(1, 200))
    };
    let bench = Bench::new(config, "").await;
    let chunks = stretch(24, DAY / 24);
    let job = bench.job("cxone-contacts", "t", &json!({}), &chunks).await;
    let worker = bench.worker(&["--lanes", "4"]);
    bench.fetched(job).await;
    drop(worker);
    let asked = bench.double.requests();
    let asked = asked.iter().filter(|one| one.place == Place::Token).count();
    assert!((2..=6).contains(&asked), "{asked} requests for a token");
    bench.all_is_well();
}

/// Chunks that have a job are begun; the others are as they were planned.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_is_begun_only_with_a_place_for_its_job() {
    let mut history = past(3, 300);
    history.jobs.queued_ms = 300;
    history.jobs.pending_ms = 300;
    let bench = Bench::new(unlimited(history), "[platform.genesys]\njobs_at_once = 1\n").await;
    let job = bench
        .job("genesys-conversations", "g", &json!({}), &stretch(3, DAY))
        .await;
    let worker = bench.worker(&["--lanes", "2"]);
    let waiting = eventually(LONG, "a chunk waits for a place", async || {
        let chunks = bench.chunks(job).await;
        let waits = |chunk: &Chunk| chunk.waiting_for.as_deref() == Some("jobs");
        chunks.into_iter().find(waits)
    })
    .await;
    assert_eq!((waiting.started_at, waiting.cursor_json), (None, None));
    bench.fetched(job).await;
    drop(worker);
    let ids: BTreeSet<String> = told(&bench.world.deliveries().await, "conversationId")
        .into_iter()
        .collect();
    assert_eq!(ids, bench.conversations());
    bench.all_is_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_expire_are_asked_for_again() {
    let mut history = past(2, 600);
    history.jobs.expire_every = 2;
    history.jobs.queued_ms = 100;
    history.jobs.pending_ms = 100;
    history.jobs.at_once = Some(4);
    let bench = Bench::new(unlimited(history), "[platform.genesys]\npage_size = 50\n").await;
    let job = bench
        .job("genesys-conversations", "g", &json!({}), &stretch(2, DAY))
        .await;
    let worker = bench.worker(&[]);
    bench.fetched(job).await;
    drop(worker);
    let ids: BTreeSet<String> = told(&bench.world.deliveries().await, "conversationId")
        .into_iter()
        .collect();
    assert_eq!(ids, bench.conversations());
    let account = bench.account();
    assert!(account.jobs.iter().any(|interval| interval.lost > 0));
    for interval in &account.jobs {
        assert_eq!(interval.submitted, interval.lost + 1, "{interval:?}");
    }
    bench.all_is_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_pauses_its_job_and_no_other() {
    let mut config = unlimited(past(1, 200));
    config.admin.permissions = Some(vec!["cxone:reporting".to_owned()]);
    let bench = Bench::new(config, "").await;
    let refused = bench
        .job("genesys-conversations", "g", &json!({}), &stretch(1, DAY))
        .await;
    let other = bench
        .job("cxone-contacts", "c", &json!({}), &stretch(1, DAY))
        .await;
    let worker = bench.worker(&[]);
    bench.fetched(other).await;
    let store = bench.world.db.store().await;
    let client = store.client().await.unwrap();
    let found = eventually(LONG, "the job is paused", async || {
        let found = jobs::get(&client, refused).await.unwrap().unwrap();
        (found.state == jobs::State::Paused).then_some(found)
    })
    .await;
    let why = found.paused_for.unwrap();
    assert!(why.contains("analytics:conversationDetail:view"), "{why}");
    bench.double.administer(|admin| admin.permissions = None);
    assert!(jobs::resume(&client, refused).await.unwrap());
    bench.fetched(refused).await;
    drop(worker);
}

/// Workers of two releases are there while one takes the other's place.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_release_has_begun_is_left_to_its_workers() {
    let bench = Bench::new(unlimited(past(1, 200)), "").await;
    let newer = bench
        .job("genesys-tomorrow", "g", &json!({}), &stretch(1, DAY))
        .await;
    let job = bench
        .job("genesys-conversations", "g", &json!({}), &stretch(1, DAY))
        .await;
    let mut worker = bench.worker(&["--lanes", "1"]);
    bench.fetched(job).await;
    // Nothing else is there to do for it by now.
    assert!(worker.term(LONG).await.success(), "{}", worker.stderr());
    let store = bench.world.db.store().await;
    let client = store.client().await.unwrap();
    let found = jobs::get(&client, newer).await.unwrap().unwrap();
    assert_eq!(
        (found.state, found.paused_for),
        (jobs::State::Pending, None)
    );
    let chunk = &bench.chunks(newer).await[0];
    assert_eq!((chunk.attempt, &chunk.last_error), (0, &None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_sources_are_fetched_to_their_end() {
    let bench = Bench::new(unlimited(past(2, 600)), "").await;
    let plain = json!({});
    let mut all = Vec::new();
    for (kind, platform, params) in [
        ("genesys-users", "g", plain.clone()),
        ("cxone-contacts", "c", plain.clone()),
        ("cxone-contact-states", "c", plain.clone()),
        ("cxone-agent-states", "c", plain.clone()),
        ("cxone-report", "c", json!({"report": 524})),
        ("cxone-report", "c", json!({"report": 544})),
    ] {
        let job = bench.job(kind, platform, &params, &stretch(2, DAY)).await;
        all.push((kind, job));
    }
    let ids: Vec<String> = bench.conversations().into_iter().take(60).collect();
    let mut asked = ids.clone();
    asked.push("00000000-0000-4000-8000-000000000000".to_owned());
    let mut lookup = stretch(1, DAY);
    lookup[0].cursor_json = Some(json!({"ids": asked}).to_string());
    let lookup = bench.job("genesys-lookup", "g", &plain, &lookup).await;
    all.push(("genesys-lookup", lookup));
    let mut named: Vec<String> = bench.calls().into_iter().take(60).collect();
    named.extend(["1".to_owned(), "no-number".to_owned()]);
    let mut one_by_one = stretch(1, DAY);
    one_by_one[0].cursor_json = Some(json!({"ids": named}).to_string());
    let one_by_one = bench.job("cxone-lookup", "c", &plain, &one_by_one).await;
    all.push(("cxone-lookup", one_by_one));
    let worker = bench.worker(&["--lanes", "4"]);
    for (kind, job) in &all {
        let chunks = bench.fetched(*job).await;
        let records: i64 = chunks.iter().map(|chunk| chunk.records).sum();
        assert!(records > 0, "{kind}");
        if *kind == "cxone-contacts" {
            let expected: i64 = chunks.iter().filter_map(|chunk| chunk.expected).sum();
            assert!(
                expected > 0 && expected <= records,
                "{expected} of {records}"
            );
        }
    }
    drop(worker);
    for (job, unknown) in [
        (lookup, json!(["00000000-0000-4000-8000-000000000000"])),
        (one_by_one, json!(["1", "no-number"])),
    ] {
        let cursor = bench.chunks(job).await[0].cursor_json.clone().unwrap();
        let cursor: Value = serde_json::from_str(&cursor).unwrap();
        assert_eq!(cursor["unknown"], unknown);
    }
    let messages = bench.world.deliveries().await;
    let of = |job: JobId| -> Vec<RawMessage> {
        let of_job =
            |message: &&RawMessage| message.deliveries[0].job.map(|found| found.id) == Some(job);
        messages.iter().filter(of_job).cloned().collect()
    };
    let found: BTreeSet<String> = told(&of(lookup), "conversationId").into_iter().collect();
    assert_eq!(found, ids.into_iter().collect());
    // Each with the contacts that transfers made of it, as the list of all has them.
    let contacts = |job: JobId| {
        let messages = of(job);
        let masters = told(&messages, "masterContactId").into_iter();
        masters.zip(told(&messages, "contactId"))
    };
    let job_of = |kind: &str| all.iter().find(|(found, _)| *found == kind).unwrap().1;
    let wanted: BTreeSet<_> = contacts(job_of("cxone-contacts"))
        .filter(|(master, _)| named.contains(master))
        .collect();
    let found: Vec<_> = contacts(one_by_one).collect();
    assert!(found.len() > 60, "some were transferred");
    assert_eq!(found.len(), wanted.len(), "each once");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wanted);
    bench.all_is_well();
}

/// Pitfall 14: one call of an organisation at a time, and a link that does not live long.
#[tokio::test(flavor = "multi_thread")]
async fn extractions_take_turns() {
    let mut history = past(2, 100);
    history.extraction.between_ms = 200;
    history.extraction.run_ms = 500;
    history.extraction.link_ms = 2000;
    let bench = Bench::new(unlimited(history), "").await;
    let params = json!({"entity": "recording-interaction-metadata", "version": "1", "mapping": "extraction"});
    let job = bench
        .job("cxone-extraction", "c", &params, &stretch(2, DAY))
        .await;
    let mapping = bench.folder.path().join("extraction.toml");
    std::fs::copy(
        testkit::workspace_root().join("deploy/mappings/calls-export.toml"),
        &mapping,
    )
    .ok();
    let workers = [bench.worker(&[]), bench.worker(&[])];
    bench.fetched(job).await;
    drop(workers);
    bench.all_is_well();
}

/// Live work never waits for history: while the line is full, only what is followed goes on.
#[tokio::test(flavor = "multi_thread")]
async fn history_waits_for_the_line_and_what_is_followed_does_not() {
    let bench = Bench::new(unlimited(past(1, 100)), "").await;
    let broker = bench.world.broker.connect("test-fill").await;
    let publisher = broker.publisher().await.unwrap();
    for _ in 0..3 {
        let message = Outgoing {
            queue: Queue::RawHistory,
            body: Bytes::from_static(b"x"),
            message_id: JobId::generate().0,
            correlation: "test".to_owned(),
        };
        publisher.publish(message).await.unwrap();
    }
    let history = bench
        .job("cxone-contacts", "c", &json!({}), &stretch(1, DAY))
        .await;
    let followed = bench
        .job_on(
            Lane::Live,
            "cxone-contacts",
            "c",
            &json!({}),
            &stretch(1, DAY),
        )
        .await;
    let worker = bench.worker_with_room(&[], "2");
    bench.fetched(followed).await;
    let waiting = bench.chunks(history).await;
    assert_eq!((waiting[0].state, waiting[0].records), (State::Open, 0));
    let live = bench.world.drain(Queue::Raw).await;
    let live: Vec<RawMessage> = live
        .iter()
        .map(|body| RawMessage::decode(body).unwrap())
        .collect();
    assert!(!live.is_empty());
    assert!(
        live.iter()
            .all(|message| message.deliveries[0].job.is_none())
    );
    bench.world.drain(Queue::RawHistory).await;
    bench.fetched(history).await;
    drop(worker);
    assert!(!bench.world.deliveries().await.is_empty());
}

/// `kill -9`: at most one page of each lane is fetched twice, and nothing is missing.
#[tokio::test(flavor = "multi_thread")]
async fn killed_workers_cost_a_page_a_lane_at_most() {
    let config = Config {
        limit: Some(Limit::of(60, Duration::from_secs(2))),
        ..unlimited(past(4, 1600))
    };
    let bench = Bench::new(config, "[platform.genesys]\npage_size = 20\n").await;
    let job = bench
        .job("genesys-conversations", "g", &json!({}), &stretch(4, DAY))
        .await;
    let mut killed = 0;
    for round in 0..3 {
        let mut worker = bench.worker(&["--lanes", "2"]);
        let before: i64 = bench
            .chunks(job)
            .await
            .iter()
            .map(|chunk| chunk.pages)
            .sum();
        eventually(LONG, "some pages more", async || {
            let chunks = bench.chunks(job).await;
            let pages: i64 = chunks.iter().map(|chunk| chunk.pages).sum();
            pages >= before + 6 + round
        })
        .await;
        worker.kill9();
        killed += 2;
    }
    let worker = bench.worker(&["--lanes", "2"]);
    bench.fetched(job).await;
    drop(worker);
    let ids: BTreeSet<String> = told(&bench.world.deliveries().await, "conversationId")
        .into_iter()
        .collect();
    assert_eq!(ids, bench.conversations());
    let account = bench.account();
    let again: u64 = account
        .pages
        .repeated
        .iter()
        .map(|page| page.delivered - 1)
        .sum();
    assert!(
        again <= killed,
        "{again} pages twice, {killed} lanes killed: {:?}",
        account.pages.repeated
    );
    let client = account.client().unwrap();
    assert!(client.busiest <= 60, "{} in a window of 60", client.busiest);
}

/// Pitfall 113: three processes on one credential stay within its limit, and use it.
#[tokio::test(flavor = "multi_thread")]
async fn processes_share_the_limit_of_their_credential() {
    let config = Config {
        limit: Some(Limit {
            retry_after: RetryAfter::Seconds,
            ..Limit::of(50, Duration::from_secs(2))
        }),
        clients: vec![Client::default()],
        ..unlimited(past(4, 1600))
    };
    let bench = Bench::new(config, "[platform.genesys]\npage_size = 10\n").await;
    let job = bench
        .job("genesys-conversations", "g", &json!({}), &stretch(4, DAY))
        .await;
    let workers = [bench.worker(&[]), bench.worker(&[]), bench.worker(&[])];
    bench.fetched(job).await;
    drop(workers);
    let ids: BTreeSet<String> = told(&bench.world.deliveries().await, "conversationId")
        .into_iter()
        .collect();
    assert_eq!(ids, bench.conversations());
    let account = bench.account();
    let client = account.client().unwrap();
    assert!(client.busiest <= 50, "{} in a window of 50", client.busiest);
    assert_eq!(
        client.routes["details-job-results"].statuses.get(&429),
        None
    );
    println!(
        "fetched in {} ms, {} at least: {:?}",
        client.elapsed_ms, client.minimum_ms, client.ratio
    );
    assert_eq!(account.pages.repeated, Vec::new());
    bench.all_is_well();
}
