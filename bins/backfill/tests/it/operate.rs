//! What an operator does with jobs that workers share: begins, looks, pauses, resumes, cancels, watches.

use crate::platform::{CONVERSATIONS, Past};
use crate::world::{LONG, World};
use schema::JobId;
use serde_json::Value;
use std::time::Duration;
use store::chunks::{self, Filter};
use store::jobs::{self, Finish};

async fn shown(world: &World, job: &str) -> Value {
    let (status, stdout, stderr) = world.run(&["show", job]).await;
    assert!(status.success(), "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

const DAY: i64 = 86_400_000_000;

async fn ok(world: &World, arguments: &[&str]) -> String {
    let (status, stdout, stderr) = world.run(arguments).await;
    assert!(status.success(), "{stderr}");
    stdout
}

async fn refused(world: &World, arguments: &[&str]) -> String {
    let (status, _, stderr) = world.run(arguments).await;
    assert!(!status.success());
    stderr
}

fn id(text: &str) -> JobId {
    JobId(text.parse().unwrap())
}

#[tokio::test]
async fn a_dry_run_shows_chunks_and_cost_and_writes_nothing() {
    let past = Past::new(None).await;
    let plan = past
        .started("genesys-conversations", "g", &["--dry-run"])
        .await;
    assert_eq!(plan["chunks"].as_array().unwrap().len(), 3);
    assert_eq!(plan["chunks"][1]["from"], "2025-01-07T00:00:00.000Z");
    assert_eq!(plan["chunks"][1]["way"], "usual");
    assert!(plan["available_to"].is_string());
    let estimate = &plan["estimate"];
    assert_eq!(estimate["records_by"], "the platform");
    let records = estimate["records"].as_u64().unwrap();
    // The platform counts those that go on into the stretch, too.
    assert!(
        (CONVERSATIONS / 2..CONVERSATIONS * 2).contains(&records),
        "{records}"
    );
    // A job, questions and a page or more for each of three days.
    assert!(estimate["calls"].as_u64().unwrap() >= 15);
    assert_eq!(plan["definitions"], serde_json::json!(["talk_time@2"]));
    assert_eq!(past.world.jobs().await, Vec::<Value>::new());

    let (status, text, stderr) = past
        .start("cxone-contacts", "c", &["--dry-run", "--output", "text"])
        .await;
    assert!(status.success(), "{stderr}");
    assert!(
        text.contains("CHUNK") && text.contains("by the platform") && text.contains("calls"),
        "{text}"
    );
}

#[tokio::test]
async fn a_job_is_begun_once_under_one_name_and_shows_its_chunks() {
    let past = Past::new(None).await;
    let world = &past.world;
    let named = [
        "--request-id",
        "march",
        "--promote",
        "never",
        "--kpi",
        "talk_time",
    ];
    let first = past.started("genesys-conversations", "g", &named).await;
    assert_eq!(first["existing"], false);
    let again = past.started("genesys-conversations", "g", &named).await;
    assert_eq!(
        (&again["job"], &again["existing"]),
        (&first["job"], &Value::Bool(true))
    );
    let job = first["job"].as_str().unwrap();
    let shown = shown(world, job).await;
    assert_eq!(shown["kind"], "genesys-conversations");
    assert_eq!(
        (&shown["platform"], &shown["tenant"]),
        (&Value::from("g"), &Value::from("acme"))
    );
    assert_eq!(shown["from"], "2025-01-06T00:00:00.000Z");
    assert_eq!(shown["kpis"], serde_json::json!(["talk_time"]));
    assert_eq!(
        (&shown["promote"], &shown["chunked"]),
        (&Value::from("never"), &Value::Bool(true))
    );
    let listed = shown["chunks"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|chunk| chunk["state"] == "open"));
    assert_eq!(world.jobs().await.len(), 1);
    let failed = ok(world, &["show", job, "--state", "failed"]).await;
    let failed: Value = serde_json::from_str(&failed).unwrap();
    assert_eq!(failed["chunks"], serde_json::json!([]));
    let text = ok(world, &["show", job, "--output", "text"]).await;
    assert!(text.contains("2025-01-07  2025-01-08  open"), "{text}");

    // What is not known, or cannot be, is not begun.
    let unknown = refused(world, &["show", "00000000-0000-0000-0000-000000000000"]).await;
    assert!(unknown.contains("there is no job"), "{unknown}");
    let (status, _, stderr) = past
        .start(
            "genesys-conversations",
            "g",
            &["--kpi", "talk_time,nonsense"],
        )
        .await;
    assert!(!status.success());
    assert!(stderr.contains("nonsense@2 is not activated"), "{stderr}");
    let (status, _, stderr) = past.start("cxone-contacts", "g", &[]).await;
    assert!(!status.success());
    assert!(stderr.contains("one of genesys"), "{stderr}");
}

#[tokio::test]
async fn a_job_is_paused_resumed_and_cancelled_and_status_shows_it() {
    let past = Past::new(None).await;
    let world = &past.world;
    let started = past.started("cxone-contact-states", "c", &[]).await;
    let job = started["job"].as_str().unwrap();
    let status = || async {
        let text = ok(world, &["status"]).await;
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let seen = status().await;
    assert_eq!(seen["jobs"][0]["job"], job);
    assert_eq!(seen["jobs"][0]["totals"]["open"], 3);
    assert_eq!(seen["keeps_going"], serde_json::json!([]));
    // What was asked of the platform was within the budget that all share.
    assert_eq!(seen["budgets"].as_array().unwrap().len(), 1);

    ok(world, &["pause", job, "--reason", "month's end"]).await;
    let paused = shown(world, job).await;
    assert_eq!(
        (&paused["state"], &paused["paused_for"]),
        (&Value::from("paused"), &Value::from("month's end"))
    );
    assert!(
        refused(world, &["pause", job])
            .await
            .contains("is paused and cannot be paused")
    );
    let text = ok(world, &["status", "--output", "text"]).await;
    assert!(text.contains("paused: month's end"), "{text}");
    let (ended, _, stderr) = world.run(&["watch", job]).await;
    assert_eq!(ended.code(), Some(6), "{stderr}");
    assert!(stderr.contains("is paused: month's end"), "{stderr}");

    ok(world, &["resume", job]).await;
    assert_eq!(shown(world, job).await["state"], "pending");
    assert!(
        refused(world, &["resume", job])
            .await
            .contains("is pending and cannot be resumed")
    );

    ok(world, &["cancel", job]).await;
    assert_eq!(shown(world, job).await["state"], "cancelled");
    assert!(
        refused(world, &["cancel", job])
            .await
            .contains("is cancelled")
    );
    assert_eq!(status().await["jobs"], serde_json::json!([]));
    let (status, _, stderr) = world.run(&["watch", job]).await;
    assert_eq!(status.code(), Some(5), "{stderr}");
}

#[tokio::test]
async fn a_watcher_sees_the_job_through_and_its_exit_code_says_how_it_ended() {
    let past = Past::new(None).await;
    let started = past.started("cxone-agent-states", "c", &[]).await;
    let job = started["job"].as_str().unwrap();
    let mut watcher = past.world.spawn(&["watch", job, "--every", "50ms"]);

    // Stands in for a worker: two chunks go well, one is given up.
    let store = past.world.db.store().await;
    let client = store.client().await.unwrap();
    let lease = Duration::from_secs(60);
    for number in 0..3 {
        let leased = chunks::lease(&client, "w", lease, &Filter::default()).await;
        let (job, chunk) = leased.unwrap().unwrap();
        let settled = if number == 2 {
            chunks::failed(&client, job.id, chunk.number, "w", "no such thing").await
        } else {
            chunks::done(&client, job.id, chunk.number, "w", None).await
        };
        assert!(settled.unwrap());
    }
    let settling = jobs::to_settle(&client, "w", lease).await.unwrap().unwrap();
    assert_eq!(settling.id, id(job));
    let done = Finish::Done { report_json: None };
    assert!(jobs::finish(&client, settling.id, "w", done).await.unwrap());

    assert_eq!(watcher.wait(LONG).await.code(), Some(3));
    assert!(
        watcher.stderr().contains("1 chunks were given up"),
        "{}",
        watcher.stderr()
    );
    let (_, stdout, _) = past.world.run(&["watch", job]).await;
    let last: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["state"], &last["totals"]["failed"]),
        (&Value::from("done"), &Value::from(1))
    );
}

#[tokio::test]
async fn a_missing_right_is_named_before_a_job_begins() {
    let past = Past::new(Some(&["analytics:userDetail:view", "cxone:reporting"])).await;
    let file = past.file();
    let check = ["check", "--platforms", &file, "--online"];
    let (status, stdout, stderr) = past.world.run(&check).await;
    assert_eq!(status.code(), Some(1), "{stderr}");
    let rights: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let state = |permission: &str| {
        let found = rights
            .iter()
            .find(|right| right["permission"] == permission);
        found.unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state("analytics:conversationDetail:view"), "missing");
    assert_eq!(state("analytics:conversationAggregate:view"), "missing");
    assert_eq!(state("analytics:userDetail:view"), "ok");
    assert!(rights.iter().any(|right| right["platform"] == "c"
        && right["what"] == "completed contacts"
        && right["state"] == "ok"));
    // Of what one source needs.
    let some = [&check[..], &["--source", "genesys-users,cxone-contacts"]].concat();
    ok(&past.world, &some).await;

    let (status, _, stderr) = past.start("genesys-conversations", "g", &[]).await;
    assert!(!status.success());
    assert!(
        stderr.contains("analytics:conversationDetail:view"),
        "{stderr}"
    );
    assert_eq!(past.world.jobs().await, Vec::<Value>::new());
    past.started("genesys-users", "g", &[]).await;
    // Who asks nothing learns of it later.
    past.started("genesys-conversations", "g", &["--offline"])
        .await;
    assert_eq!(past.world.jobs().await.len(), 2);
}

#[tokio::test]
async fn a_replay_that_workers_share_has_chunks_over_the_whole_stretch() {
    let world = World::new().await;
    world.log_events(50, "acme").await;
    let stretch = [
        "--from",
        "2024-05-01T00:00:00Z",
        "--to",
        "2024-06-01T00:00:00Z",
    ];
    let start = [&["start", "replay", "--metric-version", "2"], &stretch[..]].concat();
    let started: Value = serde_json::from_str(&ok(&world, &start).await).unwrap();
    assert_eq!(started["estimate"]["records"], 50);
    let job = shown(&world, started["job"].as_str().unwrap()).await;
    let listed = job["chunks"].as_array().unwrap();
    assert_eq!(listed[0]["from"], "2024-05-01T00:00:00.000Z");
    assert_eq!(listed[listed.len() - 1]["to"], "2024-06-01T00:00:00.000Z");
    // It is no job of one process.
    let taken = refused(
        &world,
        &["replay", "--resume", job["job"].as_str().unwrap()],
    )
    .await;
    assert!(taken.contains("backfill worker"), "{taken}");
}

/// A job in the foreground is paused like any other: its process ends at its next sign of life, and another goes on with it.
#[tokio::test]
async fn a_job_in_the_foreground_is_paused_and_goes_on_when_it_is_resumed() {
    let world = World::new().await;
    world.log_events(1000, "acme").await;
    let (mut process, job) = crate::jobs::paused(&world).await;
    ok(&world, &["pause", &job]).await;
    assert!(!process.wait(LONG).await.success());
    let taken = refused(&world, &["replay", "--resume", &job]).await;
    assert!(taken.contains("is paused (by an operator)"), "{taken}");
    let said = ok(&world, &["resume", &job, "--output", "text"]).await;
    assert!(said.contains(&format!("replay --resume {job}")), "{said}");
    world.drain(broker::Queue::EventsHistory).await;
    ok(&world, &["replay", "--resume", &job]).await;
    assert_eq!(shown(&world, &job).await["state"], "done");
}

#[tokio::test]
async fn files_that_workers_import_are_a_chunk_each() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, "{\"conversationId\":\"c1\"}\n").unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (one, two) = (file("one.json"), file("two.json"));
    let start = [
        "start",
        "files",
        &one,
        &two,
        "--format",
        "genesys-details",
        "--tenant",
        "acme",
        "--metric-version",
        "2",
    ];
    let started: Value = serde_json::from_str(&ok(&world, &start).await).unwrap();
    let job = shown(&world, started["job"].as_str().unwrap()).await;
    assert_eq!(
        (&job["kind"], &job["tenant"]),
        (&Value::from("files"), &Value::from("acme"))
    );
    let listed = job["chunks"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert!(
        listed.iter().all(|chunk| chunk["cursor"].is_object()),
        "{listed:#?}"
    );
    let nowhere = refused(
        &world,
        &[&start[..2], &["nowhere.json"], &start[4..]].concat(),
    )
    .await;
    assert!(nowhere.contains("nowhere.json cannot be read"), "{nowhere}");
}

#[tokio::test]
async fn conversations_are_looked_up_by_id() {
    let past = Past::new(None).await;
    let file = past.file();
    let start = [
        "start",
        "genesys-lookup",
        "--id",
        "c1,c2",
        "--platforms",
        &file,
        "--platform",
        "g",
        "--metric-version",
        "2",
    ];
    let started: Value = serde_json::from_str(&ok(&past.world, &start).await).unwrap();
    assert_eq!(started["estimate"]["calls"], 1);
    let job = shown(&past.world, started["job"].as_str().unwrap()).await;
    assert_eq!(
        job["chunks"][0]["cursor"],
        serde_json::json!({"ids": ["c1", "c2"]})
    );
}

/// What lies ahead is part of the job and due when it has settled.
#[tokio::test]
async fn a_stretch_may_end_in_the_future() {
    let past = Past::new(None).await;
    let file = past.file();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let now = i64::try_from(now.as_micros()).unwrap();
    let from = schema::UtcMicros(now - 2 * DAY).to_string();
    let to = schema::UtcMicros(now + DAY).to_string();
    let start = [
        "start",
        "cxone-contacts",
        "--platforms",
        &file,
        "--platform",
        "c",
        "--from",
        &from,
        "--to",
        &to,
        "--metric-version",
        "2",
        "--offline",
    ];
    let started: Value = serde_json::from_str(&ok(&past.world, &start).await).unwrap();
    assert!(
        started["estimate"]["not_over_before"].is_string(),
        "{started}"
    );
    let job = shown(&past.world, started["job"].as_str().unwrap()).await;
    let listed = job["chunks"].as_array().unwrap();
    let due = |chunk: &Value| chunk["due_at"].as_str().unwrap().to_owned();
    let last = listed.last().unwrap();
    assert!(due(last) > to, "{last}");
    assert!(due(&listed[0]) < to, "{}", listed[0]);
    let text = ok(
        &past.world,
        &["show", job["job"].as_str().unwrap(), "--output", "text"],
    )
    .await;
    assert!(text.contains("due in 1 d"), "{text}");
}

/// The commands as they were called before still work.
#[tokio::test]
async fn former_names_lead_to_the_same() {
    let past = Past::new(None).await;
    let started = past.started("genesys-users", "g", &[]).await;
    let job = started["job"].as_str().unwrap();
    let listed: Value = serde_json::from_str(&ok(&past.world, &["jobs", "list"]).await).unwrap();
    assert_eq!(listed["job"], job);
    ok(&past.world, &["jobs", "cancel", job]).await;
    let shown: Value =
        serde_json::from_str(&ok(&past.world, &["jobs", "show", job]).await).unwrap();
    assert_eq!(shown["state"], "cancelled");
}
