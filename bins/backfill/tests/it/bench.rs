//! A platform with a past, workers without the line's other binaries, and what they published.

use crate::platform;
use crate::world::{LONG, World};
use double::config::History;
use double::history::{Account, Platform, truth};
use double::{Config, Double};
use schema::{JobId, MetricVersion, RawMessage, UtcMicros};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use store::chunks::{self, Chunk, NewChunk, State};
use store::jobs::{self, Lane, NewChunkedJob, Promote, Purpose};
use tempfile::TempDir;
use testkit::{Proc, eventually};

/// 2025-01-06T00:00:00Z: where the past begins.
pub(crate) const FROM: i64 = 1_736_121_600_000_000;
const DAY: i64 = 86_400_000_000;

/// A platform with a past, the line without its other binaries, and the files that a worker needs.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) double: Double,
    pub(crate) history: History,
    pub(crate) folder: TempDir,
}

pub(crate) fn past(days: u32, conversations: u64) -> History {
    History {
        days,
        conversations,
        ..History::default()
    }
}

/// Fast enough that limits are in nobody's way.
pub(crate) fn unlimited(history: History) -> Config {
    Config {
        history: Some(history),
        ..Config::default()
    }
}

/// Chunks of a day from the beginning of the past on.
pub(crate) fn days(count: u32) -> Vec<NewChunk> {
    stretch(count, DAY)
}

/// Chunks of an hour from the beginning of the past on.
pub(crate) fn hours(count: u32) -> Vec<NewChunk> {
    stretch(count, DAY / 24)
}

fn stretch(count: u32, length: i64) -> Vec<NewChunk> {
    (0..i64::from(count))
        .map(|n| NewChunk {
            from: UtcMicros(FROM + n * length),
            to: UtcMicros(FROM + (n + 1) * length),
            due_in: Duration::ZERO,
            cursor_json: None,
        })
        .collect()
}

impl Bench {
    /// With the usual settings, and these lines more about Genesys.
    pub(crate) async fn new(config: Config, more: &str) -> Self {
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
        let usual = format!(
            r#"rate = {{ {rate} }}
retry = {{ first = "20ms", longest = "500ms" }}
timeouts = {{ connect = "2s", read = "2s", total = "4s" }}
"#
        );
        let of_cxone =
            "[platform.cxone]\nreport_zone = \"America/New_York\"\nextraction_pause = \"300ms\"\n";
        let text = format!(
            "version = 1\n{}{}{}",
            platform::genesys(&url, &format!("{usual}{more}")),
            platform::cxone(&url, &format!("{usual}{of_cxone}")),
            platform::cxone_by_token(&url, &usual),
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

    pub(crate) fn worker(&self, more: &[&str]) -> Proc {
        self.worker_with_room(more, "100000")
    }

    /// A worker that waits while `raw.history` holds more than so many messages.
    pub(crate) fn worker_with_room(&self, more: &[&str], room: &str) -> Proc {
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

    /// Writes a job about the conversations of so many days.
    pub(crate) async fn conversations(&self, count: u32) -> JobId {
        self.job("genesys-conversations", &days(count)).await
    }

    /// Writes a job of these chunks. The source says which platform it is about.
    pub(crate) async fn job(&self, kind: &str, chunks: &[NewChunk]) -> JobId {
        self.job_with(kind, &json!({}), chunks).await
    }

    /// The same with parameters.
    pub(crate) async fn job_with(&self, kind: &str, params: &Value, chunks: &[NewChunk]) -> JobId {
        self.job_on(Lane::History, kind, params, chunks).await
    }

    /// Writes a job of these chunks about one of several platforms that its source may be about.
    pub(crate) async fn job_at(&self, platform: &str, kind: &str, chunks: &[NewChunk]) -> JobId {
        let params = json!({});
        self.written((platform, Lane::History), kind, &params, chunks)
            .await
    }

    pub(crate) async fn job_on(
        &self,
        lane: Lane,
        kind: &str,
        params: &Value,
        chunks: &[NewChunk],
    ) -> JobId {
        let platform = if kind.starts_with("genesys-") {
            "g"
        } else {
            "c"
        };
        self.written((platform, lane), kind, params, chunks).await
    }

    async fn written(
        &self,
        (platform, lane): (&str, Lane),
        kind: &str,
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
        jobs::create_chunked(&client, &new).await.unwrap().id()
    }

    pub(crate) async fn chunks(&self, job: JobId) -> Vec<Chunk> {
        let store = self.world.db.store().await;
        let client = store.client().await.unwrap();
        chunks::of_job(&client, job).await.unwrap()
    }

    /// Waits until everything of a job was fetched.
    pub(crate) async fn fetched(&self, job: JobId) -> Vec<Chunk> {
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

    /// Has a worker with these settings fetch everything of a job.
    pub(crate) async fn fetch(&self, job: JobId, settings: &[&str]) -> Vec<Chunk> {
        let worker = self.worker(settings);
        let chunks = self.fetched(job).await;
        drop(worker);
        chunks
    }

    pub(crate) fn account(&self) -> Account {
        self.double.history_account().unwrap()
    }

    /// The conversations of the past that there are.
    pub(crate) fn all(&self) -> BTreeSet<String> {
        truth(&self.history, Platform::Genesys, false, None)
            .map(|row| row.id)
            .collect()
    }

    /// The first contacts of the calls of the past that are over.
    pub(crate) fn calls(&self) -> BTreeSet<String> {
        truth(&self.history, Platform::Cxone, false, None)
            .map(|row| row.id)
            .collect()
    }

    /// Takes what was published, which are all the conversations that there are.
    pub(crate) async fn took_all(&self) {
        let messages = self.world.deliveries().await;
        assert_eq!(ids(&messages), self.all());
    }

    pub(crate) fn all_is_well(&self) {
        let violations = self.double.violations();
        assert!(violations.is_empty(), "{violations:?}");
    }
}

/// What a member of each published record says.
pub(crate) fn told(messages: &[RawMessage], member: &str) -> Vec<String> {
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

/// The conversations that were published, each once.
pub(crate) fn ids(messages: &[RawMessage]) -> BTreeSet<String> {
    told(messages, "conversationId").into_iter().collect()
}

/// What was published for one job.
pub(crate) fn of_job(messages: &[RawMessage], job: JobId) -> Vec<RawMessage> {
    let of = |message: &&RawMessage| {
        let found = message.deliveries[0].job;
        found.is_some_and(|found| found.id == job)
    };
    messages.iter().filter(of).cloned().collect()
}
