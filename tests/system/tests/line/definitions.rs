//! A KPI changes its rule, as a BI engineer does it: try out, switch on beside the old one, compute the past, promote, roll back.

use crate::harness::{Line, PATIENCE, truth};
use double::workload::Workload;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use testkit::{eventually, workspace_root};

/// The changed definition that README and demo use: excluded interactions are absent instead of zero.
fn changed() -> String {
    let path = workspace_root().join("deploy/config/kpi/adjusted_aht.v2.toml");
    path.to_str().unwrap().to_owned()
}

const REPLAY: [&str; 7] = [
    "replay",
    "--from",
    "2000-01-01T00:00:00Z",
    "--to",
    "2026-11-01T00:00:00Z",
    "--metric-version",
    "2",
];

/// Which versions readers see, and how many rows, in one look.
const SEEN: &str = "SELECT concat_ws(' ', string_agg(DISTINCT metric_version::text, ','), count(*)) \
                    FROM metrics_current WHERE metric_type = 'adjusted_aht'";

/// Every bit of version 1, down to which transaction wrote it.
const FIRST: &str = "SELECT md5(string_agg(concat_ws('|', xmin, ctid, m::text), ',' ORDER BY tenant, interaction_id, metric_type)) \
                     FROM computed_metrics m WHERE metric_version = 1";

/// Both sides of a promotion, for a reader who never stops looking: one version, every row of it, at any moment.
async fn watch(url: String, rows: i64, over: Arc<AtomicBool>) -> (u64, Vec<String>) {
    let look = crate::harness::Look::connect(&url).await;
    let (mut looks, mut odd) = (0, Vec::new());
    while !over.load(Ordering::Relaxed) {
        let seen = look.text(SEEN).await;
        if seen != format!("1 {rows}") && seen != format!("2 {rows}") {
            odd.push(seen);
        }
        looks += 1;
    }
    (looks, odd)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_rule_is_tried_out_switched_on_computed_for_the_past_promoted_and_rolled_back() {
    let line = Line::start(|setup| setup).await;
    let look = line.look().await;
    let setup = &line.setup;
    let workload = Workload::new(400, 11);
    let expected = truth(&workload.events);
    let (past, present): (Vec<_>, Vec<_>) = workload.events.into_iter().partition(|event| {
        let event: Value = serde_json::from_slice(event).unwrap();
        let id = event["data"]["interaction_id"].as_str().unwrap_or_default();
        // Of any kind of call three quarters.
        !id.ends_with(['3', '7'])
    });
    let before = truth(&past);
    let sent = line.send(&line.sender(), past).await.events;
    line.settle(&look, sent).await;
    look.wait_for(&before).await;
    let file = changed();

    // What it would have given, before anything is switched on.
    let options = ["kpi", "preview", &file, "--output", "json"];
    let preview: Value = serde_json::from_str(&setup.run("compute", &options).await).unwrap();
    let excluded = look
        .number("SELECT count(*) FROM computed_metrics WHERE metric_type = 'adjusted_aht' AND metadata ? 'reason'")
        .await;
    assert!(excluded > 0);
    assert_eq!(preview["changed"], excluded, "{preview}");
    assert!(look.values(2).await.is_empty(), "a preview writes nothing");

    // Switched on: what comes from now on has both versions, and readers go on seeing the first.
    setup.run("compute", &["kpi", "activate", &file]).await;
    let sent = sent + line.send(&line.sender(), present).await.events;
    line.settle(&look, sent).await;
    look.wait_for(&expected).await;
    let rows = look
        .number("SELECT count(*) FROM computed_metrics WHERE metric_type = 'adjusted_aht' AND metric_version = 1")
        .await;
    let computed = i64::try_from(look.values(2).await.len()).unwrap();
    assert!(0 < computed && computed < rows, "{computed} of {rows}");
    assert_eq!(look.text(SEEN).await, format!("1 {rows}"));

    // The past is missing: nobody can promote by mistake, and is told what to do.
    let mut promote = setup.spawn("compute", &["kpi", "promote", "adjusted_aht@2"]);
    assert!(!promote.wait(PATIENCE).await.success());
    let said = promote.stderr();
    assert!(said.contains("backfill replay"), "{said}");
    assert!(said.contains(&(rows - computed).to_string()), "{said}");
    assert_eq!(look.text(SEEN).await, format!("1 {rows}"));

    let first = look.text(FIRST).await;
    setup.run("backfill", &REPLAY).await;
    eventually(PATIENCE, "version 2 has every interaction", async || {
        let computed = i64::try_from(look.values(2).await.len()).unwrap();
        if computed == rows {
            Ok(())
        } else {
            Err(computed)
        }
    })
    .await;
    // As the truth has it, but for the excluded ones, which are absent.
    let reasons = look
        .number(
            "SELECT count(*) FROM computed_metrics a JOIN computed_metrics b USING (tenant, interaction_id, metric_type, leg_scope) \
             WHERE a.metric_version = 1 AND b.metric_version = 2 \
             AND b.metric_value IS DISTINCT FROM CASE WHEN a.metadata ? 'reason' THEN NULL ELSE a.metric_value END",
        )
        .await;
    assert_eq!(reasons, 0);

    let over = Arc::new(AtomicBool::new(false));
    let watching = tokio::spawn(watch(line.db.url().to_owned(), rows, over.clone()));
    for _ in 0..5 {
        setup
            .run("compute", &["kpi", "promote", "adjusted_aht@2"])
            .await;
        assert_eq!(look.text(SEEN).await, format!("2 {rows}"));
        setup
            .run("compute", &["kpi", "rollback", "adjusted_aht"])
            .await;
        assert_eq!(look.text(SEEN).await, format!("1 {rows}"));
    }
    over.store(true, Ordering::Relaxed);
    let (looks, odd) = watching.await.unwrap();
    assert!(looks > 20, "the reader hardly looked: {looks}");
    assert_eq!(odd, Vec::<String>::new(), "half a promotion was seen");
    assert_eq!(look.text(FIRST).await, first, "version 1 is as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_text_under_an_old_number_is_refused_and_nothing_changes() {
    let line = Line::start(|setup| setup).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("adjusted_aht.toml");
    let text = std::fs::read_to_string(changed()).unwrap();
    std::fs::write(&file, text.replace("version = 2", "version = 1")).unwrap();
    let migrated = line.setup.run("compute", &["migrate"]).await;
    assert!(migrated.contains("KPI definitions"), "{migrated}");
    let stored = "SELECT text FROM kpi_definitions WHERE name = 'adjusted_aht' AND version = 1";
    let look = line.look().await;
    let before = look.text(stored).await;
    for command in ["add", "activate"] {
        let path = file.to_str().unwrap();
        let mut process = line.setup.spawn("compute", &["kpi", command, path]);
        assert!(!process.wait(PATIENCE).await.success());
        let said = process.stderr();
        assert!(said.contains("adjusted_aht@1"), "{said}");
        assert!(said.contains("version"), "{said}");
    }
    assert_eq!(look.text(stored).await, before);
}
