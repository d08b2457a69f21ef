//! What the tests have in common: a database with a compute that works on it, files, and a way to give commands.

use clap::Parser as _;
use compute::apply::Applier;
use compute::catalogue;
use compute::config::{Cli, Command};
use compute::kpi_command;
use compute::plan::{Plan, PlannedSession};
use schema::{Fact, MetricVersion};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use testkit::db::TestDb;
use testkit::history::Call;

/// What a command did: its error if it was refused, and what it printed.
pub(super) struct Said {
    pub(super) error: Option<String>,
    pub(super) out: String,
    pub(super) remarks: String,
}

impl Said {
    pub(super) fn json(&self) -> Value {
        assert_eq!(self.error, None, "{}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }

    /// The refusal.
    pub(super) fn refused(&self) -> &str {
        let Some(error) = &self.error else {
            unreachable!("it was not refused: {}", self.out);
        };
        error
    }
}

pub(super) async fn said(words: &[&str]) -> Said {
    let cli = Cli::try_parse_from(["compute", "kpi"].iter().chain(words)).unwrap();
    let Some(Command::Kpi(args)) = cli.command else {
        unreachable!("it is the command for definitions");
    };
    let (mut out, mut remarks) = (Vec::new(), Vec::new());
    let result = kpi_command::answer(&args, &mut out, &mut remarks).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said {
        error: result.err().map(|error| format!("{error:#}")),
        out: text(out),
        remarks: text(remarks),
    }
}

/// A database with what ships, a compute that works on it, and a folder for files.
pub(super) struct World {
    pub(super) db: TestDb,
    pub(super) applier: Applier,
    pub(super) folder: TempDir,
}

/// A plan of these interactions.
pub(super) fn plan(sessions: Vec<PlannedSession>) -> Plan {
    Plan {
        sessions,
        agents: Vec::new(),
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let db = TestDb::new().await;
        catalogue::ship(&db.store().await).await.unwrap();
        Self {
            applier: Applier::new(db.store().await),
            folder: tempfile::tempdir().unwrap(),
            db,
        }
    }

    /// The same with the calls of these numbers computed.
    pub(super) async fn with_calls(numbers: std::ops::Range<usize>) -> Self {
        let world = Self::new().await;
        world.compute(numbers, None).await;
        world
    }

    pub(super) async fn compute(&self, numbers: std::ops::Range<usize>, job: Option<u16>) {
        let sessions = numbers
            .map(Call::nth)
            .map(|call| planned("acme", &call.id, call.facts(), job))
            .collect();
        self.applier.apply(&plan(sessions)).await.unwrap();
    }

    pub(super) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(super) async fn kpi(&self, words: &[&str]) -> Said {
        let url = ["--database-url", self.db.url()];
        said(&[words, &url].concat()).await
    }

    /// Like [`Self::kpi`], for what must be done and not refused.
    pub(super) async fn done(&self, words: &[&str]) -> String {
        let said = self.kpi(words).await;
        assert_eq!(said.error, None, "{words:?}");
        said.out
    }

    pub(super) async fn json(&self, words: &[&str]) -> Value {
        self.kpi(&[words, &["--output", "json"]].concat())
            .await
            .json()
    }

    pub(super) async fn text(&self, sql: &str) -> String {
        let row = self.db.client().await.query_one(sql, &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    /// `1 current, 2 candidate`.
    pub(super) async fn statuses(&self, name: &str) -> String {
        self.text(&format!(
            "SELECT string_agg(version || ' ' || status, ', ' ORDER BY version) FROM kpi_definitions WHERE name = '{name}'"
        ))
        .await
    }

    /// Everything that a command may write, and each row's last writer.
    pub(super) async fn fingerprint(&self) -> String {
        self.text(
            "SELECT md5(concat_ws('|', (SELECT string_agg(m.xmin::text || m::text, ',' ORDER BY m::text) FROM computed_metrics m), \
                                       (SELECT string_agg(k.xmin::text || k::text, ',' ORDER BY k::text) FROM kpi_definitions k), \
                                       (SELECT string_agg(s::text, ',' ORDER BY s::text) FROM schedules s), \
                                       (SELECT string_agg(p::text, ',' ORDER BY p::text) FROM places p), \
                                       (SELECT generation::text FROM catalogue_generation)))",
        )
        .await
    }
}

pub(super) fn planned(
    tenant: &str,
    id: &str,
    facts: Vec<Fact>,
    job: Option<u16>,
) -> PlannedSession {
    PlannedSession {
        tenant: tenant.into(),
        interaction: id.into(),
        facts,
        job_versions: job.into_iter().map(MetricVersion).collect::<BTreeSet<_>>(),
    }
}

/// A version of the talk time.
pub(super) fn talk(version: u16, value: &str) -> String {
    format!(
        "name = \"talk_time\"\nversion = {version}\nunit = \"seconds\"\npriority = \"normal\"\nscope = \"interaction\"\n\
         description = \"Talking.\"\nsource = \"Ours.\"\naggregations = [\"mean\", \"sum\", \"count\"]\nvalue = \"{value}\"\n"
    )
}

/// The same without calls that were wrong numbers.
pub(super) fn talk_without_wrong_numbers(version: u16) -> String {
    talk(version, "interaction.talk")
        + "[[exclusions]]\nreason = \"wrong_number\"\nwhen = \"interaction.disposition == 'WRONG_NUMBER'\"\n"
}

/// The nearest double, as a value is.
#[allow(clippy::cast_precision_loss)]
pub(super) fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

pub(super) fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}
