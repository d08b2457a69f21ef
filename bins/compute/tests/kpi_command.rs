//! `compute kpi` against a real PostgreSQL: what it prints, what it refuses, and what it leaves in the database.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used)]

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
struct Said {
    error: Option<String>,
    out: String,
    remarks: String,
}

impl Said {
    fn json(&self) -> Value {
        assert_eq!(self.error, None, "{}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }

    /// The refusal.
    fn refused(&self) -> &str {
        let Some(error) = &self.error else {
            unreachable!("it was not refused: {}", self.out);
        };
        error
    }
}

async fn said(words: &[&str]) -> Said {
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
struct World {
    db: TestDb,
    applier: Applier,
    folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let db = TestDb::new().await;
        catalogue::ship(&db.store().await).await.unwrap();
        Self {
            applier: Applier::new(db.store().await),
            folder: tempfile::tempdir().unwrap(),
            db,
        }
    }

    /// The same with the calls of these numbers computed.
    async fn with_calls(numbers: std::ops::Range<usize>) -> Self {
        let world = Self::new().await;
        world.compute(numbers, None).await;
        world
    }

    async fn compute(&self, numbers: std::ops::Range<usize>, job: Option<u16>) {
        let sessions = numbers
            .map(Call::nth)
            .map(|call| planned("acme", &call.id, call.facts(), job))
            .collect();
        self.applier.apply(&Plan { sessions }).await.unwrap();
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn kpi(&self, words: &[&str]) -> Said {
        let url = ["--database-url", self.db.url()];
        said(&[words, &url].concat()).await
    }

    /// Like [`Self::kpi`], for what must be done and not refused.
    async fn done(&self, words: &[&str]) -> String {
        let said = self.kpi(words).await;
        assert_eq!(said.error, None, "{words:?}");
        said.out
    }

    async fn json(&self, words: &[&str]) -> Value {
        self.kpi(&[words, &["--output", "json"]].concat())
            .await
            .json()
    }

    async fn text(&self, sql: &str) -> String {
        let row = self.db.client().await.query_one(sql, &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    /// `1 current, 2 candidate`.
    async fn statuses(&self, name: &str) -> String {
        self.text(&format!(
            "SELECT string_agg(version || ' ' || status, ', ' ORDER BY version) FROM kpi_definitions WHERE name = '{name}'"
        ))
        .await
    }

    /// Everything that a command may write, and each row's last writer.
    async fn fingerprint(&self) -> String {
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

fn planned(tenant: &str, id: &str, facts: Vec<Fact>, job: Option<u16>) -> PlannedSession {
    PlannedSession {
        tenant: tenant.into(),
        interaction: id.into(),
        facts,
        job_versions: job.into_iter().map(MetricVersion).collect::<BTreeSet<_>>(),
    }
}

/// A version of the talk time.
fn talk(version: u16, value: &str) -> String {
    format!(
        "name = \"talk_time\"\nversion = {version}\nunit = \"seconds\"\npriority = \"normal\"\nscope = \"interaction\"\n\
         description = \"Talking.\"\nsource = \"Ours.\"\naggregations = [\"mean\", \"sum\", \"count\"]\nvalue = \"{value}\"\n"
    )
}

/// The same without calls that were wrong numbers.
fn talk_without_wrong_numbers(version: u16) -> String {
    talk(version, "interaction.talk")
        + "[[exclusions]]\nreason = \"wrong_number\"\nwhen = \"interaction.disposition == 'WRONG_NUMBER'\"\n"
}

/// The nearest double, as a value is.
#[allow(clippy::cast_precision_loss)]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

// check

#[tokio::test]
async fn check_finds_what_ships_and_the_examples_sound_without_a_database() {
    let shipped = said(&["check"]).await;
    assert_eq!(shipped.error, None, "{}", shipped.out);
    assert!(shipped.out.ends_with(": no problem\n"), "{}", shipped.out);
    let examples = workspace("deploy/config/kpi");
    let examples = said(&["check", examples.to_str().unwrap()]).await;
    assert_eq!(examples.error, None, "{}", examples.out);
    assert_eq!(
        examples.out,
        "1 definition, 1 schedule and 1 file of places: no problem\n"
    );
}

#[tokio::test]
async fn check_lists_every_problem_of_every_file_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = talk(1, "interaction.tlak + 1");
    std::fs::write(folder.path().join("a.toml"), wrong).unwrap();
    let unknown = talk(2, "interaction.talk") + "colour = \"green\"\n";
    std::fs::write(folder.path().join("b.toml"), unknown).unwrap();
    std::fs::write(folder.path().join("c.txt"), "not looked at").unwrap();
    let path = folder.path().to_str().unwrap();
    let table = said(&["check", path]).await;
    assert!(
        table.refused().contains("in 2 files"),
        "{}",
        table.refused()
    );
    let lines: Vec<&str> = table.out.lines().collect();
    assert!(lines[0].contains("a.toml:9:"), "{lines:?}");
    assert!(table.out.contains("tlak"), "{lines:?}");
    assert!(table.out.contains("b.toml:10:"), "{lines:?}");
    let csv = said(&["check", path, "--output", "csv"]).await;
    assert_eq!(csv.out.lines().next(), Some("file,line,column,message"));
    assert!(csv.error.is_some());
}

#[tokio::test]
async fn check_with_the_database_says_what_add_would_refuse() {
    let world = World::new().await;
    let same = world.done(&["show", "talk_time@1"]).await;
    let same = world.file("same.toml", &same);
    world.done(&["check", &same, "--database"]).await;
    let changed = world.file("changed.toml", &talk(1, "interaction.talk * 2"));
    assert_eq!(said(&["check", &changed]).await.error, None);
    let refused = world.kpi(&["check", &changed, "--database"]).await;
    assert_eq!(refused.refused(), "1 problem");
    assert!(
        refused.out.contains("talk_time@1") && refused.out.contains("version 2"),
        "{}",
        refused.out
    );
}

// list, show, diff, fields

#[tokio::test]
async fn list_has_every_version_with_its_status_and_rows() {
    let world = World::with_calls(0..20).await;
    let file = world.file("talk.toml", &talk(2, "interaction.talk"));
    world.done(&["add", &file]).await;
    let rows = world.json(&["list", "talk_time"]).await;
    let seen: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["version"].clone(),
                row["status"].clone(),
                row["rows"].clone(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (1.into(), "current".into(), 20.into()),
            (2.into(), "draft".into(), Value::Null),
        ]
    );
    let drafts = world.json(&["list", "--status", "draft"]).await;
    assert!(
        drafts
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["status"] == "draft")
    );
    let unknown = world.kpi(&["list", "talk_tme"]).await;
    assert_eq!(
        unknown.refused(),
        "there is no definition talk_tme; did you mean talk_time?"
    );
    let shipped = said(&["list", "--shipped", "--output", "csv"]).await;
    assert!(shipped.out.lines().count() > 20, "{}", shipped.out);
}

#[tokio::test]
async fn what_show_prints_is_a_file_of_the_same_definition() {
    let world = World::new().await;
    let text = world.done(&["show", "adjusted_aht"]).await;
    assert!(text.starts_with("# adjusted_aht@1: current"), "{text}");
    let file = world.file("shown.toml", &text);
    let same = world.done(&["diff", "adjusted_aht", &file]).await;
    assert!(same.contains("say the same"), "{same}");
    let added = world.json(&["add", &file]).await;
    assert_eq!(added[0]["result"], "was stored already");
    let whole = world.json(&["show", "adjusted_aht@1"]).await;
    assert_eq!(whole[0]["digest"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn diff_names_fields_and_changed_lines() {
    let example = workspace("deploy/config/kpi/adjusted_aht.v2.toml");
    let diff = said(&[
        "diff",
        "adjusted_aht@1",
        example.to_str().unwrap(),
        "--shipped",
    ])
    .await;
    assert_eq!(diff.error, None);
    assert!(diff.out.contains("version: 1 → 2\n"), "{}", diff.out);
    assert!(
        diff.out.contains("on_excluded: zero → absent\n"),
        "{}",
        diff.out
    );
    assert!(!diff.out.contains("aggregations"), "{}", diff.out);
}

#[tokio::test]
async fn fields_teach_what_expressions_may_use() {
    let all = said(&["fields"]).await.out;
    for word in ["queue_count", "inHours", "orZero", "journey"] {
        assert!(all.contains(word), "{word}");
    }
    let none = said(&["fields", "no_such_word"]).await;
    assert!(none.refused().contains("no_such_word"));
}

// add

#[tokio::test]
async fn add_stores_definitions_schedules_and_places_once() {
    let world = World::new().await;
    let examples = workspace("deploy/config/kpi");
    let examples = examples.to_str().unwrap();
    let first = world.json(&["add", examples]).await;
    assert_eq!(first.as_array().unwrap().len(), 3);
    assert!(
        first
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["result"] == "added")
    );
    assert_eq!(world.statuses("adjusted_aht").await, "1 current, 2 draft");
    let before = world.fingerprint().await;
    let second = world.json(&["add", examples]).await;
    assert!(
        second
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["result"] == "was stored already"),
        "{second}"
    );
    assert_eq!(world.fingerprint().await, before, "not even the generation");
    assert!(world.done(&["schedules"]).await.contains("Europe/Berlin"));
    assert!(
        world
            .done(&["schedules", "office"])
            .await
            .contains("Christmas")
    );
    assert!(world.done(&["places"]).await.contains("agent_17"));
}

#[tokio::test]
async fn one_changed_text_under_an_old_number_keeps_everything_out() {
    let world = World::new().await;
    world
        .done(&["add", &world.file("2.toml", &talk(2, "interaction.talk"))])
        .await;
    let before = world.fingerprint().await;
    let good = world.file("a.toml", &talk(3, "interaction.talk"));
    let changed = world.file("b.toml", &talk(2, "interaction.talk * 2"));
    let refused = world.kpi(&["add", &good, &changed]).await;
    assert!(
        refused.refused().contains("talk_time@2") && refused.refused().contains("version 3"),
        "{}",
        refused.refused()
    );
    assert_eq!(world.fingerprint().await, before);
    // Comments and layout are no change.
    let commented = format!("# the same\n\n{}", talk(2, "interaction.talk"));
    let same = world
        .json(&["add", &world.file("b.toml", &commented)])
        .await;
    assert_eq!(same[0]["result"], "was stored already");
    // Nor is the text that a row seeded by an early release stands for free for the taking.
    let first = world.file("1.toml", &talk(1, "interaction.talk * 3"));
    assert!(
        world
            .kpi(&["add", &first])
            .await
            .refused()
            .contains("talk_time@1")
    );
}

#[tokio::test]
async fn older_places_are_not_stored_because_they_would_not_hold() {
    let world = World::new().await;
    let places =
        |version: u16| format!("places = {version}\n[[organisation]]\nzone = \"Europe/Berlin\"\n");
    world
        .done(&["add", &world.file("p.toml", &places(3))])
        .await;
    let refused = world.kpi(&["add", &world.file("p.toml", &places(2))]).await;
    assert!(
        refused.refused().contains("version is 4"),
        "{}",
        refused.refused()
    );
}

// activate, promote, retire, rollback

#[tokio::test]
async fn a_version_lives_from_file_to_promotion_and_back_and_dashboards_switch_at_once() {
    let world = World::with_calls(0..30).await;
    let file = world.file("talk.toml", &talk(2, "interaction.talk * 2"));
    let said = world.done(&["activate", &file]).await;
    assert!(
        said.starts_with("talk_time@2: draft → candidate\n"),
        "{said}"
    );
    assert!(
        said.contains("dashboards go on seeing talk_time@1"),
        "{said}"
    );
    assert_eq!(world.statuses("talk_time").await, "1 current, 2 candidate");

    // What comes from now on has both; the past has not, and promotion is refused with what to do.
    world.compute(30..40, None).await;
    let before = world.fingerprint().await;
    let refused = world.kpi(&["promote", "talk_time@2"]).await;
    for part in [
        "of 40 rows",
        "30 belong",
        " of acme",
        "backfill replay --from",
        "--metric-version 2",
    ] {
        assert!(
            refused.refused().contains(part),
            "{part} in {}",
            refused.refused()
        );
    }
    assert_eq!(
        world.fingerprint().await,
        before,
        "a refusal writes nothing"
    );

    world.compute(0..30, Some(2)).await;
    let seen = "SELECT string_agg(DISTINCT metric_version::text, ',') || ' ' || count(*) FROM metrics_current WHERE metric_type = 'talk_time'";
    assert_eq!(world.text(seen).await, "1 40");
    let said = world.done(&["promote", "talk_time@2"]).await;
    assert!(
        said.starts_with("talk_time: dashboards saw version 1 → they see version 2\n"),
        "{said}"
    );
    assert_eq!(world.text(seen).await, "2 40");
    assert_eq!(world.statuses("talk_time").await, "1 candidate, 2 current");
    assert!(
        world
            .done(&["promote", "talk_time@2"])
            .await
            .contains("already")
    );

    let refused = world.kpi(&["retire", "talk_time@2"]).await;
    assert!(
        refused.refused().contains("what dashboards see"),
        "{}",
        refused.refused()
    );
    let said = world.done(&["rollback", "talk_time"]).await;
    assert!(
        said.contains("saw version 2 → they see version 1"),
        "{said}"
    );
    assert_eq!(world.text(seen).await, "1 40");
    let said = world.done(&["rollback", "talk_time"]).await;
    assert!(
        said.contains("saw version 1 → they see version 2"),
        "{said}"
    );

    let said = world.done(&["retire", "talk_time@1"]).await;
    assert!(
        said.starts_with("talk_time@1: candidate → retired\n"),
        "{said}"
    );
    assert!(said.contains("refused from now on"), "{said}");
    let refused = world.kpi(&["rollback", "talk_time"]).await;
    assert!(
        refused.refused().contains("talk_time@1 is retired"),
        "{}",
        refused.refused()
    );
    let said = world.done(&["activate", "talk_time@1"]).await;
    assert!(
        said.starts_with("talk_time@1: retired → candidate\n"),
        "{said}"
    );
    assert!(
        world
            .done(&["activate", "talk_time@1"])
            .await
            .contains("computed already")
    );
}

#[tokio::test]
async fn of_two_operators_who_promote_at_once_one_does_and_the_other_is_told() {
    let world = World::with_calls(0..5).await;
    for version in [2, 3] {
        let file = world.file("talk.toml", &talk(version, "interaction.talk"));
        world.done(&["activate", &file]).await;
        world.compute(0..5, Some(version)).await;
    }
    let (second, third) = tokio::join!(
        world.kpi(&["promote", "talk_time@2"]),
        world.kpi(&["promote", "talk_time@3"])
    );
    let statuses = world.statuses("talk_time").await;
    let promotions = world
        .text("SELECT string_agg(version::text, ',' ORDER BY promotion_id) FROM kpi_promotions WHERE name = 'talk_time'")
        .await;
    // Whoever began to look after the other had finished may promote, too; nobody promotes on what was looked at before.
    match (&second.error, &third.error) {
        (None, None) => assert_eq!(promotions.len(), 3, "{promotions}: {statuses}"),
        (Some(told), None) => {
            assert!(told.contains("changed by somebody else"), "{told}");
            assert_eq!(statuses, "1 candidate, 2 candidate, 3 current");
        }
        (None, Some(told)) => {
            assert!(told.contains("changed by somebody else"), "{told}");
            assert_eq!(statuses, "1 candidate, 2 current, 3 candidate");
        }
        (Some(one), Some(other)) => unreachable!("{one}; {other}"),
    }
}

#[tokio::test]
async fn a_first_version_is_not_seen_until_it_is_promoted_and_there_is_nothing_to_go_back_to() {
    let world = World::new().await;
    let text = talk(1, "interaction.talk").replace("talk_time", "chatter");
    let said = world
        .done(&["activate", &world.file("c.toml", &text)])
        .await;
    assert!(said.contains("readers see nothing of chatter"), "{said}");
    world.compute(0..3, None).await;
    let said = world.done(&["promote", "chatter@1"]).await;
    assert!(
        said.contains("saw no version → they see version 1"),
        "{said}"
    );
    let refused = world.kpi(&["rollback", "chatter"]).await;
    assert!(
        refused.refused().contains("nothing to go back to"),
        "{}",
        refused.refused()
    );
    let refused = world.kpi(&["rollback", "hold_time"]).await;
    assert!(
        refused.refused().contains("never promoted"),
        "{}",
        refused.refused()
    );
}

#[tokio::test]
async fn drafts_journeys_and_names_that_are_not_there_are_refused() {
    let world = World::new().await;
    world
        .done(&["add", &world.file("2.toml", &talk(2, "interaction.talk"))])
        .await;
    let before = world.fingerprint().await;
    for (words, part) in [
        (vec!["promote", "talk_time@2"], "is a draft"),
        (
            vec!["promote", "talk_time@9"],
            "of talk_time there are 1 (current), 2 (draft)",
        ),
        (vec!["promote", "talktime@1"], "did you mean talk_time?"),
        (vec!["retire", "talk_time@1"], "what dashboards see"),
        (vec!["rollback", "talktime"], "did you mean talk_time?"),
        (vec!["activate", "talk_time"], "write talk_time@2"),
        (
            vec!["activate", "talk_time@2", "hold_time@7"],
            "no hold_time@7",
        ),
    ] {
        let refused = world.kpi(&words).await;
        assert!(
            refused.refused().contains(part),
            "{words:?}: {}",
            refused.refused()
        );
    }
    let journey = "name = \"contacts\"\nversion = 1\nunit = \"count\"\npriority = \"normal\"\nscope = \"journey\"\n\
                   description = \"How often.\"\nsource = \"Ours.\"\naggregations = [\"mean\"]\nvalue = \"journey.contacts\"\n";
    let schedule = "schedule = \"always\"\nversion = 1\n[weekly]\neveryday = [\"00:00-24:00\"]\n";
    let refused = world
        .kpi(&["activate", &world.file("s.toml", schedule)])
        .await;
    assert!(
        refused.refused().contains("no definition"),
        "{}",
        refused.refused()
    );
    let refused = world
        .kpi(&["activate", &world.file("j.toml", journey)])
        .await;
    assert!(
        refused.refused().contains("about journeys"),
        "{}",
        refused.refused()
    );
    assert_eq!(world.fingerprint().await, before, "all or nothing");
}

#[tokio::test]
async fn promotion_names_the_targets_that_need_a_resync() {
    let world = World::new().await;
    world
        .db
        .client()
        .await
        .execute(
            "INSERT INTO sync_targets (target, tenant, platform, metrics) VALUES ('main', 'acme', 'x', ARRAY['talk_time'])",
            &[],
        )
        .await
        .unwrap();
    world
        .done(&[
            "activate",
            &world.file("2.toml", &talk(2, "interaction.talk")),
        ])
        .await;
    let said = world.done(&["promote", "talk_time@2"]).await;
    assert!(said.contains("deliver resync --target main"), "{said}");
}

// preview

#[tokio::test]
async fn preview_counts_what_changes_names_the_rule_and_writes_nothing() {
    let world = World::with_calls(0..300).await;
    let calls: Vec<Call> = (0..300).map(Call::nth).collect();
    let before = world.fingerprint().await;
    let file = world.file("talk.toml", &talk_without_wrong_numbers(2));
    let preview = world.json(&["preview", &file]).await;
    assert_eq!(world.fingerprint().await, before);

    let wrong = |call: &&Call| call.disposition == Some("WRONG_NUMBER");
    let wrong_calls: Vec<&Call> = calls.iter().filter(wrong).collect();
    assert!(!wrong_calls.is_empty());
    assert_eq!(preview["interactions"], 300);
    assert_eq!(preview["changed"], wrong_calls.len());
    assert_eq!(
        preview["changed_by_kind"]["value_to_absent"],
        wrong_calls.len()
    );
    let talk_ms: i64 = calls.iter().map(|call| call.talk).sum();
    let wrong_ms: i64 = wrong_calls.iter().map(|call| call.talk).sum();
    assert_eq!(
        preview["old"]["aggregations"]["sum"],
        seconds(talk_ms),
        "to the millisecond"
    );
    assert_eq!(
        preview["new"]["aggregations"]["sum"],
        seconds(talk_ms - wrong_ms)
    );
    assert_eq!(preview["new"]["absent"]["wrong_number"], wrong_calls.len());

    let heaviest = wrong_calls.iter().max_by_key(|call| call.talk).unwrap();
    let first = &preview["changes"][0];
    assert_eq!(first["interaction_id"], heaviest.id.as_str());
    assert_eq!(first["old"]["value"], seconds(heaviest.talk));
    assert_eq!(first["new"]["reason"], "wrong_number");
    assert_eq!(first["why"]["new"]["rule"], "wrong_number", "{first}");
    assert_eq!(
        preview["changes"].as_array().unwrap().len(),
        wrong_calls.len().min(20)
    );

    let text = world.done(&["preview", &file, "--show", "1"]).await;
    assert!(text.contains("the heaviest change"), "{text}");
    assert!(text.contains("excluded: wrong_number"), "{text}");
    let csv = world
        .done(&["preview", &file, "--show", "3", "--output", "csv"])
        .await;
    assert_eq!(csv.lines().count(), 4, "{csv}");
}

#[tokio::test]
async fn preview_compares_any_two_and_says_what_it_compares() {
    let world = World::with_calls(0..50).await;
    world
        .done(&[
            "add",
            &world.file("2.toml", &talk(2, "interaction.talk * 2")),
        ])
        .await;
    let against_current = world.json(&["preview", "talk_time"]).await;
    assert_eq!(against_current["new"]["definition"], "talk_time@2 (draft)");
    assert_eq!(
        against_current["old"]["definition"],
        "talk_time@1 (current)"
    );
    let alone = world.json(&["preview", "talk_time@1"]).await;
    assert_eq!(alone["old"], Value::Null, "beside itself nothing changes");
    let other = world
        .json(&["preview", "talk_time@1", "--against", "hold_time@1"])
        .await;
    assert_eq!(other["old"]["definition"], "hold_time@1 (current)");
    let legs = world
        .json(&["preview", "leg_talk_time@1", "--against", "talk_time@1"])
        .await;
    assert_eq!(
        legs["changed"],
        legs["changed_by_kind"]["only_new"].as_u64().unwrap() + 50
    );
}

#[tokio::test]
async fn preview_takes_half_open_ranges_tenants_and_limits() {
    let world = World::with_calls(0..40).await;
    let call = Call::nth(7);
    let stranger = Plan {
        sessions: vec![planned("globex", "int_1", call.facts(), None)],
    };
    world.applier.apply(&stranger).await.unwrap();
    let file = world.file("talk.toml", &talk(2, "interaction.talk"));
    let count = async |words: &[&str]| {
        let words = [&["preview", file.as_str()], words].concat();
        world.json(&words).await["interactions"].as_u64().unwrap()
    };
    assert_eq!(count(&[]).await, 41);
    assert_eq!(count(&["--tenant", "acme"]).await, 40);
    assert_eq!(count(&["--limit", "5"]).await, 5);
    let at = call.started_at.to_string();
    let next = schema::UtcMicros(call.started_at.0 + 1).to_string();
    assert_eq!(
        count(&["--tenant", "acme", "--from", &at, "--to", &next]).await,
        1
    );
    let earlier = (0..40)
        .map(Call::nth)
        .filter(|other| other.started_at < call.started_at);
    assert_eq!(
        count(&["--tenant", "acme", "--to", &at]).await,
        earlier.count() as u64,
        "the end does not belong to it"
    );
    let refused = world
        .kpi(&["preview", &file, "--from", &at, "--to", &at])
        .await;
    assert!(
        refused.refused().contains("is not before"),
        "{}",
        refused.refused()
    );
    let none = world.kpi(&["preview", &file, "--tenant", "nobody"]).await;
    assert!(none.remarks.contains("no interaction"), "{}", none.remarks);
}

fn event(interaction: &str, id: &str, second: u32, state: &str, talk_ms: u32) -> String {
    format!(
        r#"{{"event_type":"analytics:events:publish","timestamp":"2024-05-15T14:00:{second:02}.000Z","data":{{"event_id":"{id}","interaction_id":"{interaction}","type":"telephony:call:x","state":"{state}","disposition":"WRONG_NUMBER","metrics":{{"talk_time_ms":{talk_ms}}},"participants":[{{"id":"anna","type":"agent","timezone":"Europe/Berlin"}}]}}}}"#
    )
}

#[tokio::test]
async fn preview_and_explain_of_files_need_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let events = [
        event("i1", "e1", 1, "connected", 0),
        event("i1", "e2", 9, "completed", 7_000),
        event("i2", "e3", 2, "connected", 0),
        "not an event".to_owned(),
    ];
    std::fs::write(path("events.jsonl"), events.join("\n")).unwrap();
    std::fs::write(path("talk.toml"), talk_without_wrong_numbers(2)).unwrap();
    let (events, file) = (path("events.jsonl"), path("talk.toml"));
    let words = ["preview", &file, "--events", &events, "--output", "json"];
    let preview = said(&words).await;
    assert!(
        preview.remarks.contains("events.jsonl:4:"),
        "{}",
        preview.remarks
    );
    let preview = preview.json();
    assert_eq!(preview["interactions"], 2);
    assert_eq!(preview["passed_over"]["not_ended"], 1);
    assert_eq!(preview["changed"], 1);
    assert_eq!(
        preview["old"]["definition"],
        "talk_time@1 (of this release)"
    );

    let words = ["explain", "i1", "--events", &events, "--kpi", &file];
    let text = said(&words).await.out;
    for part in [
        "i1 of default: completed",
        "talk_time@2 = absent (wrong_number)",
        "wrong_number: true",
        "interaction.disposition",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let unknown = said(&["explain", "i9", "--events", &events]).await;
    assert!(
        unknown.refused().contains("interaction i9"),
        "{}",
        unknown.refused()
    );
}

#[tokio::test]
async fn preview_evaluates_journeys_over_all_interactions_of_a_customer() {
    let world = World::new().await;
    let mut sessions = Vec::new();
    for number in 0..12 {
        let call = Call::nth(number);
        let mut facts = call.facts();
        // Three customers with four calls each; the fourth keeps to himself.
        if number % 4 != 3 {
            facts[0].statement.details = Some(Box::new(schema::Details {
                customer_key: Some(format!("customer_{}", number % 4).as_str().into()),
                ..schema::Details::default()
            }));
        }
        sessions.push(planned("acme", &call.id, facts, None));
    }
    world.applier.apply(&Plan { sessions }).await.unwrap();
    let journey = "name = \"contacts\"\nversion = 1\nunit = \"count\"\npriority = \"normal\"\nscope = \"journey\"\n\
                   description = \"How often.\"\nsource = \"Ours.\"\naggregations = [\"mean\", \"count\"]\nvalue = \"journey.contacts\"\n";
    let preview = world
        .json(&["preview", &world.file("j.toml", journey)])
        .await;
    assert_eq!(preview["new"]["aggregations"]["count"], 3.0, "{preview}");
    assert_eq!(preview["new"]["aggregations"]["mean"], 3.0);
}

#[tokio::test]
async fn preview_of_legs_has_a_row_for_each_agents_leg() {
    let world = World::with_calls(0..50).await;
    let legs = world.json(&["preview", "leg_talk_time@1"]).await;
    let taken = (0..50)
        .map(Call::nth)
        .filter(|call| call.agent.is_some())
        .count();
    assert_eq!(legs["new"]["rows"], taken);
    assert_eq!(legs["passed_over"]["no_agent_leg"], 50 - taken);
}

// explain

#[tokio::test]
async fn explain_tells_the_rules_and_that_the_stored_row_is_what_would_be_computed() {
    let world = World::with_calls(0..3).await;
    let call = Call::nth(0);
    let words = ["explain", call.id.as_str(), "--kpi", "adjusted_aht"];
    let text = world.done(&words).await;
    for part in [
        "of acme: completed",
        "adjusted_aht@1 (current) = ",
        "outside_business_hours",
        "interaction.started_at = ",
        "source: agent",
        ", the same\n",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let json = world.json(&["explain", &call.id]).await;
    let kpis = json["kpis"].as_array().unwrap();
    assert!(kpis.len() >= 6, "all that are switched on");
    for kpi in kpis {
        assert_eq!(kpi["stored"]["same"], true, "{kpi}");
    }
    let talk = kpis
        .iter()
        .find(|kpi| kpi["definition"] == "talk_time@1")
        .unwrap();
    assert_eq!(talk["value"], seconds(call.talk));
    let csv = world.done(&["explain", &call.id, "--output", "csv"]).await;
    assert!(csv.starts_with("definition,leg,value,reason,rule,result,text,inputs\n"));
}

#[tokio::test]
async fn explain_shows_what_differs_and_what_is_not_stored() {
    let world = World::with_calls(0..2).await;
    let id = Call::nth(0).id;
    world
        .db
        .client()
        .await
        .execute(
            "UPDATE computed_metrics SET metric_value = 1 WHERE metric_type = 'talk_time'",
            &[],
        )
        .await
        .unwrap();
    let text = world.done(&["explain", &id, "--kpi", "talk_time"]).await;
    assert!(text.contains("which DIFFERS in: value"), "{text}");
    let file = world.file("talk.toml", &talk(2, "interaction.talk"));
    world.done(&["add", &file]).await;
    let text = world.done(&["explain", &id, "--kpi", "talk_time@2"]).await;
    assert!(
        text.contains("stored: nothing; this version is not computed"),
        "{text}"
    );
    world
        .db
        .client()
        .await
        .execute(
            "UPDATE computed_metrics SET leg_scope = 'ghost' WHERE metric_type = 'talk_time'",
            &[],
        )
        .await
        .unwrap();
    let text = world.done(&["explain", &id, "--kpi", "talk_time"]).await;
    assert!(
        text.contains("talk_time@1 of leg ghost: stored is 1, which would NOT be computed now"),
        "{text}"
    );
}

#[tokio::test]
async fn explain_finds_the_organisation_or_asks_for_it() {
    let world = World::with_calls(0..2).await;
    let call = Call::nth(0);
    let same_id = Plan {
        sessions: vec![
            planned("globex", &call.id, call.facts(), None),
            planned("globex", "only_here", call.facts(), None),
        ],
    };
    world.applier.apply(&same_id).await.unwrap();
    let found = world.json(&["explain", "only_here"]).await;
    assert_eq!(found["tenant"], "globex");
    let refused = world.kpi(&["explain", &call.id]).await;
    assert!(
        refused.refused().contains("--tenant") && refused.refused().contains("globex"),
        "{}",
        refused.refused()
    );
    let found = world.json(&["explain", &call.id, "--tenant", "acme"]).await;
    assert_eq!(found["tenant"], "acme");
    for words in [
        vec!["explain", "nobody"],
        vec!["explain", "x", "--tenant", "acme"],
    ] {
        let refused = world.kpi(&words).await;
        assert!(
            refused.refused().contains("no interaction"),
            "{}",
            refused.refused()
        );
    }
}

// findings, and a database that is not there

#[tokio::test]
async fn findings_list_zones_that_nobody_knows() {
    let world = World::new().await;
    assert!(world.done(&["findings"]).await.contains("every zone"));
    let mut call = Call::nth(0);
    call.agent = Some(("zoe", "Mars/Olympus"));
    let plan = Plan {
        sessions: vec![planned("acme", &call.id, call.facts(), None)],
    };
    world.applier.apply(&plan).await.unwrap();
    let found = world.json(&["findings"]).await;
    assert_eq!(found[0]["stated"], "Mars/Olympus");
    assert_eq!(found[0]["example"], call.id.as_str());
}

#[tokio::test]
async fn a_database_that_is_missing_or_of_another_release_is_named() {
    let missing = said(&["list"]).await;
    assert!(
        missing.refused().contains("--database-url"),
        "{}",
        missing.refused()
    );
    let empty = TestDb::empty().await;
    let old = said(&["list", "--database-url", empty.url()]).await;
    assert!(
        old.refused().contains("compute migrate"),
        "{}",
        old.refused()
    );
}
