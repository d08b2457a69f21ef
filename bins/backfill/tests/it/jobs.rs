//! What the binary publishes, what its job says, and that nothing is lost when it is stopped or killed.

use crate::world::{LONG, START, World};
use adapter::{Outcome, Split};
use schema::{BodyFormat, EventsMessage, MetricVersion, RawMessage, UtcMicros};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use store::definitions::Status;
use tempfile::NamedTempFile;
use testkit::{Proc, eventually};

fn keys(messages: &[EventsMessage]) -> Vec<String> {
    let mut keys: Vec<String> = messages
        .iter()
        .flat_map(|message| &message.events)
        .map(|event| event.fact.key.as_str().to_owned())
        .collect();
    keys.sort();
    keys
}

fn expected(tenant: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    let mut keys: Vec<String> = numbers.map(|n| format!("e:{tenant}-{n}")).collect();
    keys.sort();
    keys
}

fn fixture(name: &str) -> PathBuf {
    testkit::workspace_root().join("tests/fixtures").join(name)
}

#[tokio::test]
async fn a_replay_publishes_its_half_open_stretch_for_its_version() {
    let world = World::new().await;
    world.log_events(1300, "acme").await;
    world.log_events(10, "other").await;
    let from = UtcMicros(START + 100_000_000).to_string();
    // An offset is as good as Z.
    let summary = world
        .summary(&[
            "replay",
            "--from",
            &from,
            "--to",
            "2024-05-15T16:20:00+02:00",
            "--metric-version",
            "2",
            "--tenant",
            "acme",
        ])
        .await;
    assert_eq!(summary["events"], 1100);
    assert_eq!(summary["facts"], 1100);
    assert_eq!(summary["state"], "done");
    assert_eq!(summary["unmapped"], 0);
    let messages = world.events().await;
    assert_eq!(
        keys(&messages),
        expected("acme", 100..1200),
        "the first instant belongs to it, the last does not"
    );
    for message in &messages {
        let job = message.job.unwrap();
        assert_eq!(job.version, MetricVersion(2));
        assert_eq!(job.id.to_string(), summary["job"]);
        assert!(
            message
                .events
                .iter()
                .all(|event| event.tenant.as_str() == "acme")
        );
    }
    let jobs = world.jobs().await;
    assert_eq!(jobs.len(), 1);
    assert_eq!(
        (
            &jobs[0]["state"],
            &jobs[0]["kind"],
            &jobs[0]["done"],
            &jobs[0]["total"]
        ),
        (&"done".into(), &"replay".into(), &1100.into(), &1100.into())
    );
    assert_eq!(jobs[0]["report"]["events"], 1100);
}

#[tokio::test]
async fn a_job_says_which_definitions_it_is_for_and_is_refused_where_there_are_none() {
    let world = World::new().await;
    world.define("hold_time", 2, Status::Retired).await;
    world.define("wrap_time", 2, Status::Draft).await;
    world.define("wrap_time", 6, Status::Draft).await;
    world.log_events(3, "acme").await;
    let mut stretch = vec![
        "replay",
        "--from",
        "2024-05-15T14:00:00Z",
        "--to",
        "2024-05-15T15:00:00Z",
        "--metric-version",
        "2",
    ];
    let summary = world.summary(&stretch).await;
    let definitions = serde_json::json!(["hold_time@2", "talk_time@2"]);
    assert_eq!(summary["definitions"], definitions);
    assert_eq!(world.jobs().await[0]["report"]["definitions"], definitions);
    *stretch.last_mut().unwrap() = "6";
    let file = fixture("genesys/conversation-details-page.json");
    let import = [
        "import",
        file.to_str().unwrap(),
        "--format",
        "genesys-details",
        "--metric-version",
        "6",
    ];
    for job in [&stretch[..], &import] {
        let (status, _, stderr) = world.run(job).await;
        assert!(!status.success());
        assert!(
            stderr.contains("no activated definition has this version")
                && stderr.contains("wrap_time@6 is a draft")
                && stderr.contains("talk_time 1, 2, 3, 4, 5"),
            "{stderr}"
        );
    }
    assert_eq!(world.jobs().await.len(), 1, "no job was begun");
}

#[tokio::test]
async fn what_maps_no_more_stops_nothing_and_is_said_with_a_failure() {
    let world = World::new().await;
    let store = world.db.store().await;
    let good = format!(
        "{{\"timestamp\":\"{}\",\"data\":{{\"event_id\":\"acme-0\",\"interaction_id\":\"i\",\"state\":\"queued\"}}}}",
        UtcMicros(START)
    );
    world
        .log_raw(&store, "acme", &[good, "{\"data\":{}}".to_owned()])
        .await;
    let (status, stdout, stderr) = world
        .run(&[
            "replay",
            "--from",
            "2024-05-01T00:00:00Z",
            "--to",
            "2024-06-01T00:00:00Z",
            "--metric-version",
            "2",
            "--output",
            "json",
        ])
        .await;
    assert!(!status.success(), "what is missing must not look done");
    assert!(
        stderr.contains("1 of 2 events could not be mapped") && stderr.contains("acme-1 of hook"),
        "{stderr}"
    );
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&summary["events"], &summary["facts"], &summary["unmapped"]),
        (&2.into(), &1.into(), &1.into())
    );
    let example = summary["unmapped_examples"][0].as_str().unwrap();
    assert!(
        example.starts_with("acme-1 of hook: data.interaction_id"),
        "{example}"
    );
}

#[tokio::test]
async fn a_stretch_of_mapped_events_is_refused_before_anything_begins_unless_its_mappings_are_given()
 {
    let world = World::new().await;
    world.log_events(3, "acme").await;
    let client = world.db.client().await;
    let mapped = "UPDATE event_log SET format = '{\"mapped\":{\"mapping\":\"shop\"}}' WHERE event_id <> 'acme-0'";
    client.execute(mapped, &[]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.toml");
    let mapping = "version = 1\n[event]\nat = { path = \"timestamp\" }\ninteraction = \"data.interaction_id\"\n\
                   state = { path = \"data.state\", other = \"keep\" }\n";
    std::fs::write(&file, mapping).unwrap();
    let stretch = [
        "replay",
        "--from",
        "2024-05-01T00:00:00Z",
        "--to",
        "2024-06-01T00:00:00Z",
        "--metric-version",
        "2",
    ];
    let (status, _, stderr) = world.run(&stretch).await;
    assert!(
        !status.success() && stderr.contains("shop (2)") && stderr.contains("--mapping shop.toml"),
        "{stderr}"
    );
    assert_eq!(world.jobs().await, [] as [Value; 0], "no job was begun");
    assert_eq!(world.events().await, []);
    // A job that was interrupted is refused in the same way, and waits for the file.
    let given = ["--mapping", file.to_str().unwrap()];
    let paged = ["--page-events", "1", "--depth-max", "1"];
    let mut job = world.spawn(&[&stretch[..], &given, &paged].concat());
    job.wait_line("a pause", LONG, |line| {
        line["message"] == "pausing until the line has caught up"
    })
    .await;
    assert!(!job.term(LONG).await.success());
    let id = world.jobs().await[0]["job"].as_str().unwrap().to_owned();
    let resume = ["replay", "--resume", &id];
    let (status, _, stderr) = world.run(&resume).await;
    assert!(
        !status.success() && stderr.contains("of shop (1)") && stderr.contains(&id),
        "{stderr}"
    );
    assert_eq!(world.jobs().await[0]["state"], "pending");
    let (status, _, stderr) = world
        .run(&[&resume[..], &given, &["--depth-max", "9"]].concat())
        .await;
    assert!(status.success(), "{stderr}");
    assert_eq!(keys(&world.events().await).len(), 3);
}

#[tokio::test]
async fn a_replay_that_finds_nothing_is_done_and_says_why_that_may_be_wrong() {
    let world = World::new().await;
    world.log_events(3, "acme").await;
    let stretch = |from, to| {
        [
            "replay",
            "--metric-version",
            "2",
            "--from",
            from,
            "--to",
            to,
        ]
    };
    let past = stretch("2023-01-01T00:00:00Z", "2023-02-01T00:00:00Z");
    let all = stretch("2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z");
    let summary = world.summary(&past).await;
    assert_eq!(
        (&summary["state"], &summary["events"]),
        (&"done".into(), &0.into())
    );
    let warning = summary["warning"].as_str().unwrap();
    assert!(warning.contains("no event from 2023-01-01"), "{warning}");
    let summary = world
        .summary(&[&all[..], &["--tenant", "nobody"]].concat())
        .await;
    let warning = summary["warning"].as_str().unwrap();
    assert!(warning.contains("an organisation nobody"), "{warning}");
    let summary = world.summary(&all).await;
    assert_eq!(
        (&summary["events"], &summary["warning"]),
        (&3.into(), &Value::Null)
    );
}

#[tokio::test]
async fn an_instant_without_a_zone_is_refused_before_anything_happens() {
    let world = World::new().await;
    let (status, _, stderr) = world
        .run(&[
            "replay",
            "--from",
            "2024-05-01T00:00:00",
            "--to",
            "2024-06-01T00:00:00Z",
            "--metric-version",
            "2",
        ])
        .await;
    assert!(!status.success());
    assert!(
        stderr.contains("--from") && stderr.contains("zone"),
        "{stderr}"
    );
    let (status, _, stderr) = world
        .run(&[
            "replay",
            "--from",
            "2024-06-01T00:00:00Z",
            "--to",
            "2024-06-01T00:00:00Z",
            "--metric-version",
            "2",
        ])
        .await;
    assert!(!status.success());
    assert!(
        stderr.contains("--from: is 2024-06-01T00:00:00.000Z"),
        "{stderr}"
    );
    assert!(world.jobs().await.is_empty());
}

/// Starts a replay that must pause for room, and waits until it does. The queue then holds three messages: of up to two the job goes on.
/// A replay that waits for room in its queue, and its job.
pub(crate) async fn paused(world: &World) -> (Proc, String) {
    let mut process = world.spawn(&[
        "replay",
        "--from",
        "2024-05-01T00:00:00Z",
        "--to",
        "2024-06-01T00:00:00Z",
        "--metric-version",
        "3",
        "--page-events",
        "100",
        "--depth-max",
        "2",
        "--lease",
        "4s",
    ]);
    let line = process
        .wait_line("replaying", LONG, |line| line["message"] == "replaying")
        .await;
    process
        .wait_line("a pause", LONG, |line| {
            line["message"] == "pausing until the line has caught up"
        })
        .await;
    let job = line["job"].as_str().unwrap().to_owned();
    (process, job)
}

#[tokio::test]
async fn a_job_pauses_while_the_queue_is_full_and_goes_on_when_it_is_not() {
    let world = World::new().await;
    world.log_events(1000, "acme").await;
    let (mut process, _) = paused(&world).await;
    let mut messages = world.events().await;
    assert_eq!(messages.len(), 3);
    while process.is_running() {
        messages.extend(world.events().await);
    }
    assert!(process.wait(LONG).await.success());
    messages.extend(world.events().await);
    assert_eq!(
        keys(&messages),
        expected("acme", 0..1000),
        "each once, nothing left out"
    );
}

#[tokio::test]
async fn a_stopped_job_goes_on_at_its_cursor() {
    let world = World::new().await;
    world.log_events(1000, "acme").await;
    let (mut process, job) = paused(&world).await;
    let status = process.term(LONG).await;
    assert!(!status.success(), "what is not done must not look done");
    assert!(
        process
            .stderr()
            .contains(&format!("backfill replay --resume {job}")),
        "{}",
        process.stderr()
    );
    let jobs = world.jobs().await;
    assert_eq!(
        (&jobs[0]["state"], &jobs[0]["done"]),
        (&"pending".into(), &300.into())
    );
    let before = world.events().await;
    let summary = world.summary(&["replay", "--resume", &job]).await;
    assert_eq!(
        (&summary["events"], &summary["metric_version"]),
        (&1000.into(), &3.into())
    );
    let after = world.events().await;
    assert_eq!(keys(&before), expected("acme", 0..300));
    assert_eq!(
        keys(&after),
        expected("acme", 300..1000),
        "nothing twice after a stop in good order"
    );
    // A job that is done is not done again.
    let (status, _, stderr) = world.run(&["replay", "--resume", &job]).await;
    assert!(!status.success() && stderr.contains("is done"), "{stderr}");
}

#[tokio::test]
async fn a_killed_job_is_taken_over_when_its_lease_has_run_out() {
    let world = World::new().await;
    world.log_events(600, "acme").await;
    let (mut process, job) = paused(&world).await;
    process.kill9();
    let before = world.events().await;
    let mut second = world.spawn(&["replay", "--resume", &job]);
    second
        .wait_line("the wait for the lease", LONG, |line| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.contains("still leased"))
        })
        .await;
    assert!(second.wait(LONG).await.success(), "{}", second.stderr());
    let all = [before, world.events().await].concat();
    let found: BTreeSet<String> = keys(&all).into_iter().collect();
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        expected("acme", 0..600)
    );
}

#[tokio::test]
async fn a_cancelled_job_stops_and_stays_cancelled() {
    let world = World::new().await;
    world.log_events(1000, "acme").await;
    let (mut process, job) = paused(&world).await;
    let (status, _, stderr) = world.run(&["cancel", &job]).await;
    assert!(status.success(), "{stderr}");
    // It learns of it at its next sign of life.
    assert!(!process.wait(LONG).await.success());
    assert!(
        process.stderr().contains("cancelled"),
        "{}",
        process.stderr()
    );
    let (_, stdout, _) = world.run(&["show", &job]).await;
    let shown: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(shown["state"], "cancelled");
}

#[tokio::test]
async fn waiting_without_anyone_who_computes_ends_and_says_so() {
    let world = World::new().await;
    world.log_events(10, "acme").await;
    let (status, stdout, stderr) = world
        .run(&[
            "replay",
            "--from",
            "2024-05-01T00:00:00Z",
            "--to",
            "2024-06-01T00:00:00Z",
            "--metric-version",
            "2",
            "--wait",
            "--wait-timeout",
            "1s",
            "--output",
            "json",
        ])
        .await;
    assert!(!status.success());
    assert!(
        stderr.contains("are ingest and compute running"),
        "{stderr}"
    );
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(summary["state"], "done", "the job itself is done");
}

#[tokio::test]
async fn an_import_publishes_the_files_records_as_deliveries() {
    let world = World::new().await;
    let details = fixture("genesys/conversation-details-page.json");
    let summary = world
        .summary(&[
            "import",
            details.to_str().unwrap(),
            "--format",
            "genesys-details",
            "--tenant",
            "acme",
            "--page-bytes",
            "4096",
        ])
        .await;
    assert_eq!(summary["records"], 7);
    let messages = world.deliveries().await;
    assert!(messages.len() > 1, "the file is larger than a page");
    let mut conversations = 0;
    for message in &messages {
        let [delivery] = &message.deliveries[..] else {
            panic!("one page a message")
        };
        assert_eq!(
            (delivery.tenant.as_str(), delivery.subscription.as_str()),
            ("acme", "import")
        );
        assert_eq!(delivery.format, BodyFormat::GenesysDetails);
        assert_eq!(delivery.job.unwrap().version, MetricVersion(1));
        match adapter::split(&delivery.format, &delivery.body) {
            Split::Items(items) => conversations += items.len(),
            Split::Unreadable { reason } => panic!("{reason}"),
        }
    }
    assert_eq!(conversations, 7);
}

#[tokio::test]
async fn an_import_that_is_repeated_brings_the_same_deliveries_under_new_messages() {
    let world = World::new().await;
    let csv = fixture("cxone/call-detail-524.csv");
    let arguments = [
        "import",
        csv.to_str().unwrap(),
        "--format",
        "cxone-call-detail",
        "--zone",
        "america/denver",
        "--metric-version",
        "4",
    ];
    let ids = |messages: &[RawMessage]| {
        messages
            .iter()
            .map(|message| (message.deliveries[0].id, message.id))
            .collect::<BTreeMap<_, _>>()
    };
    assert_eq!(world.summary(&arguments).await["records"], 7);
    let first = ids(&world.deliveries().await);
    world.summary(&arguments).await;
    let second = ids(&world.deliveries().await);
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        second.keys().collect::<Vec<_>>()
    );
    // Another job is another attempt: its repeats are counted as repeats.
    assert!(
        first
            .values()
            .all(|id| second.values().all(|other| id != other))
    );
}

#[tokio::test]
async fn answers_of_the_contacts_api_are_imported_contact_by_contact() {
    let world = World::new().await;
    let row = |id: u32| {
        format!(
            "{{\"contactId\":{id},\"masterContactId\":1,\"contactStartDate\":\"2024-05-15T14:00:00.000Z\",\"agentSeconds\":60}}"
        )
    };
    let mut file = NamedTempFile::new().unwrap();
    // A newer answer, and one in the wrapper of early versions.
    writeln!(
        file,
        "{{\"totalRecords\":2,\"completedContacts\":[{},{}]}}\n{{\"resultSet\":{{\"completedContacts\":[{}]}}}}",
        row(1),
        row(2),
        row(3)
    )
    .unwrap();
    file.flush().unwrap();
    let summary = world
        .summary(&[
            "import",
            file.path().to_str().unwrap(),
            "--format",
            "cxone-contacts",
            "--tenant",
            "acme",
        ])
        .await;
    assert_eq!(summary["records"], 3);
    let seeded = "adjusted_aht@1 handle_time@1 hold_time@1 queue_wait@1 talk_time@1 wrap_time@1";
    let seeded: Vec<&str> = seeded.split(' ').collect();
    assert_eq!(summary["definitions"], serde_json::json!(seeded));
    let messages = world.deliveries().await;
    let mut contacts = Vec::new();
    for delivery in messages.iter().flat_map(|message| &message.deliveries) {
        assert_eq!(delivery.format, BodyFormat::CxoneContacts);
        let Split::Items(items) = adapter::split(&delivery.format, &delivery.body) else {
            panic!("not readable: {delivery:?}");
        };
        for item in items {
            match adapter::map(&delivery.format, &item.raw, &adapter::Mappings::none()).unwrap() {
                Outcome::Mapped(mapped) => contacts.push(mapped.stated.subject().into_owned()),
                ignored @ Outcome::Ignored { .. } => panic!("{ignored:?}"),
            }
        }
    }
    assert_eq!(contacts, ["1"; 3], "three legs of one interaction");
}

#[tokio::test]
async fn a_stopped_import_goes_on_where_it_was() {
    let world = World::new().await;
    let event = |n: usize| {
        format!(
            "{{\"data\":{{\"event_id\":\"e{n}\",\"pad\":\"{}\"}}}}\n",
            "x".repeat(900)
        )
    };
    let mut file = NamedTempFile::new().unwrap();
    for n in 0..50 {
        file.write_all(event(n).as_bytes()).unwrap();
    }
    file.flush().unwrap();
    let path = file.path().to_str().unwrap();
    let mut process = world.spawn(&[
        "import",
        path,
        "--format",
        "genesys-webhook",
        "--page-bytes",
        "2048",
        "--depth-max",
        "3",
    ]);
    let line = process
        .wait_line("importing", LONG, |line| line["message"] == "importing")
        .await;
    let job = line["job"].as_str().unwrap().to_owned();
    process
        .wait_line("a pause", LONG, |line| {
            line["message"] == "pausing until the line has caught up"
        })
        .await;
    assert!(!process.term(LONG).await.success());
    let summary = world.summary(&["import", "--resume", &job]).await;
    assert_eq!(summary["records"], 50);
    let messages = world.deliveries().await;
    let distinct: BTreeSet<_> = messages.iter().map(|message| message.id).collect();
    assert_eq!(
        distinct.len(),
        messages.len(),
        "no page twice after a stop in good order"
    );
    let bodies: String = messages
        .iter()
        .map(|message| String::from_utf8(message.deliveries[0].body.to_vec()).unwrap())
        .collect();
    for n in 0..50 {
        assert_eq!(bodies.matches(&format!("\"e{n}\"")).count(), 1, "e{n}");
    }

    // A file that changed under a job is not gone on with.
    let mut process = world.spawn(&[
        "import",
        path,
        "--format",
        "genesys-webhook",
        "--page-bytes",
        "2048",
        "--depth-max",
        "3",
    ]);
    let line = process
        .wait_line("importing", LONG, |line| line["message"] == "importing")
        .await;
    let job = line["job"].as_str().unwrap().to_owned();
    process
        .wait_line("a pause", LONG, |line| {
            line["message"] == "pausing until the line has caught up"
        })
        .await;
    process.term(LONG).await;
    file.write_all(event(51).as_bytes()).unwrap();
    file.flush().unwrap();
    let (status, _, stderr) = world.run(&["import", "--resume", &job]).await;
    assert!(
        !status.success() && stderr.contains("when the job began"),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused_with_the_reason() {
    let world = World::new().await;
    let details = fixture("genesys/conversation-details-page.json");
    let (status, _, stderr) = world
        .run(&[
            "import",
            details.to_str().unwrap(),
            "--format",
            "cxone-call-detail",
            "--zone",
            "America/Denver",
        ])
        .await;
    assert!(!status.success());
    assert!(
        stderr.contains("this is JSON and not the report"),
        "{stderr}"
    );
    assert!(world.deliveries().await.is_empty());
    let (status, _, stderr) = world
        .run(&[
            "import",
            "nowhere.csv",
            "--format",
            "cxone-call-detail",
            "--zone",
            "Mountain",
        ])
        .await;
    assert!(!status.success());
    assert!(
        stderr.contains("nowhere.csv") && stderr.contains("--zone"),
        "every problem at once: {stderr}"
    );
}

/// The state, the reason and whether the end is known, of the newest job.
async fn newest(world: &World) -> (String, String, bool) {
    let job = world.jobs().await.swap_remove(0);
    let text = |name: &str| job[name].as_str().unwrap_or_default().to_owned();
    (text("state"), text("error"), !job["finished_at"].is_null())
}

#[tokio::test]
async fn a_job_that_can_never_be_done_has_failed_with_its_reason() {
    let world = World::new().await;
    // A text that breaks off, behind two records that are sent all the same.
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"[{\"a\":1},{\"b\":2}").unwrap();
    file.flush().unwrap();
    let path = file.path().to_str().unwrap();
    let (status, _, stderr) = world
        .run(&["import", path, "--format", "genesys-webhook"])
        .await;
    assert!(!status.success());
    assert!(
        stderr.contains("has failed") && !stderr.contains("--resume"),
        "{stderr}"
    );
    let (state, error, ended) = newest(&world).await;
    assert_eq!((state.as_str(), ended), ("failed", true));
    assert!(
        error.contains("at byte 16: the array does not end"),
        "{error}"
    );
    assert_eq!(world.deliveries().await.len(), 1);
    // A file of another kind.
    let arguments = ["import", path, "--format", "cxone-call-detail"];
    let (status, _, _) = world
        .run(&[&arguments[..], &["--zone", "America/Denver"]].concat())
        .await;
    assert!(!status.success());
    let (state, error, _) = newest(&world).await;
    assert_eq!(state, "failed");
    assert!(error.contains("contact_id"), "{error}");
    // A log of a later release.
    world.log_events(3, "acme").await;
    let client = world.db.client().await;
    client
        .execute("UPDATE event_log SET format = '\"morse\"'", &[])
        .await
        .unwrap();
    let stretch = [
        "--from",
        "2024-05-01T00:00:00Z",
        "--to",
        "2024-06-01T00:00:00Z",
    ];
    let (status, _, stderr) = world
        .run(&[&["replay", "--metric-version", "2"], &stretch[..]].concat())
        .await;
    assert!(
        !status.success() && stderr.contains("has failed"),
        "{stderr}"
    );
    let (state, error, _) = newest(&world).await;
    assert_eq!(state, "failed");
    assert!(error.contains("morse"), "{error}");
}

#[tokio::test]
async fn a_job_outlives_the_broker_connection() {
    let world = World::new().await;
    world.log_events(1000, "acme").await;
    let (proxy, url) = testkit::Proxy::before(world.broker.url(), 5672).await;
    let mut env = world.env();
    env[1] = ("KPILINE_AMQP_URL", &url);
    let arguments = [
        "replay",
        "--from",
        "2024-05-01T00:00:00Z",
        "--to",
        "2024-06-01T00:00:00Z",
        "--metric-version",
        "3",
        "--page-events",
        "100",
        "--depth-max",
        "2",
    ];
    let mut process = Proc::spawn("backfill", &arguments, &env);
    process
        .wait_line("a pause", LONG, |line| {
            line["message"] == "pausing until the line has caught up"
        })
        .await;
    proxy.cut();
    process
        .wait_line("the loss", LONG, |line| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.starts_with("the broker"))
        })
        .await;
    let mut messages = Vec::new();
    eventually(LONG, "the job ends", async || {
        messages.extend(world.events().await);
        !process.is_running()
    })
    .await;
    messages.extend(world.events().await);
    assert!(process.wait(LONG).await.success(), "{}", process.stderr());
    let found: BTreeSet<String> = keys(&messages).into_iter().collect();
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        expected("acme", 0..1000)
    );
}

#[tokio::test]
async fn probes_are_served_while_a_job_runs() {
    let world = World::new().await;
    world.log_events(1000, "acme").await;
    let (mut process, _) = paused(&world).await;
    let ready = process.wait_ready().await;
    let (status, body) = testkit::http::get(ready.ops_address(), "/metrics")
        .await
        .unwrap();
    assert_eq!(status, 200);
    assert!(
        body.contains("kpiline_backfill_jobs_active 1")
            && body.contains("kpiline_backfill_items_total 300"),
        "{body}"
    );
    process.term(LONG).await;
}
