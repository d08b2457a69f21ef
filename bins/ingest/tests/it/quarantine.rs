//! Working off the quarantine: find, count, mend, release, discard.

use crate::line::{Line, PATIENCE, SECRET, post_to, sign};
use broker::Queue;
use serde_json::Value;
use std::path::PathBuf;
use testkit::{Proc, eventually};

/// The exit status, the output and the errors of `ingest quarantine`.
async fn quarantine(line: &Line, arguments: &[&str]) -> (bool, String, String) {
    let env = line.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let arguments = [&["quarantine"], arguments].concat();
    let (status, out, err) = Proc::run("ingest", &arguments, &env, PATIENCE).await;
    (status.success(), out, err)
}

async fn told(line: &Line, arguments: &[&str]) -> Value {
    let (good, out, err) = quarantine(line, &[arguments, &["--json"]].concat()).await;
    assert!(good, "{arguments:?}: {err}");
    serde_json::from_str(&out).unwrap()
}

/// Two mapped subscriptions, `one` and `two`, with one mapping that knows no state `Fin`.
fn subscribe(line: &Line) -> PathBuf {
    let subscription = |name: &str| {
        format!(
            "[[subscription]]\nname = \"{name}\"\npath = \"/{name}\"\ntenant = \"acme\"\nformat = \"mapped\"\nmapping = \"m.toml\"\n\
             [subscription.signature]\nsecrets = [\"{SECRET}\"]\n"
        )
    };
    let text = format!(
        "version = 1\n{}{}",
        subscription("one"),
        subscription("two")
    );
    std::fs::write(line.file(), text).unwrap();
    let mapping = line.file().with_file_name("m.toml");
    write_mapping(&mapping, "End = \"completed\"");
    mapping
}

fn write_mapping(file: &std::path::Path, values: &str) {
    let text = format!(
        "version = 1\n[event]\nid = \"id\"\nat = \"at\"\ninteraction = \"id\"\nstate = {{ path = \"what\", values = {{ {values} }} }}\n"
    );
    std::fs::write(file, text).unwrap();
}

fn item(id: &str, what: &str) -> String {
    format!(r#"{{"id":"{id}","at":"2024-11-02T10:00:00Z","what":"{what}"}}"#)
}

async fn send(http: std::net::SocketAddr, subscription: &str, body: &str) {
    let signature = sign(SECRET, body.as_bytes());
    let headers = [
        ("x-genesys-signature", signature.as_str()),
        ("x-correlation-id", subscription),
    ];
    let answer = post_to(http, &format!("/{subscription}"), &headers, body.as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mapping_could_not_read_is_released_once_it_is_mended() {
    let line = Line::new().await;
    let mapping = subscribe(&line);
    let mut ingest = line.start(&[], &[]);
    let http = ingest.wait_ready().await.http_address();
    let bad: Vec<String> = (0..5).map(|n| item(&format!("e{n}"), "Fin")).collect();
    send(
        http,
        "one",
        &format!("[{},{}]", bad.join(","), item("good", "End")),
    )
    .await;
    send(http, "two", &item("other", "Fin")).await;
    send(http, "two", "no json").await;
    let counts = line.counts_of(8).await;
    assert_eq!((counts.logged, counts.quarantined), (1, 7));

    // The states that were found do not matter, the field and what was expected of it do.
    let groups = told(&line, &["list", "--counts"]).await;
    let groups: Vec<_> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            let text = |name: &str| group[name].as_str().unwrap_or("-").to_owned();
            (
                text("subscription"),
                text("stage"),
                text("field"),
                group["items"].as_i64().unwrap(),
            )
        })
        .collect();
    let group = |subscription: &str, stage: &str, field: &str, items| {
        (
            subscription.to_owned(),
            stage.to_owned(),
            field.to_owned(),
            items,
        )
    };
    assert_eq!(
        groups,
        [
            group("one", "map", "what", 5),
            group("two", "map", "what", 1),
            group("two", "split", "-", 1),
        ]
    );
    let first = told(&line, &["list", "--subscription", "one", "--limit", "3"]).await;
    let after = first["next_after"].to_string();
    let rest = told(&line, &["list", "--subscription", "one", "--after", &after]).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 2);
    assert_eq!(rest["next_after"], Value::Null);
    for conditions in [
        &["--correlation", "two", "--reason", "what is "][..],
        &["--field", "what", "--subscription", "two"],
        &[
            "--tenant",
            "acme",
            "--since",
            "1h",
            "--stage",
            "map",
            "--subscription",
            "two",
        ],
    ] {
        let found = told(&line, &[&["list"], conditions].concat()).await;
        let reasons: Vec<_> = found["items"].as_array().unwrap().iter().collect();
        let all_of_two = reasons.iter().all(|item| item["subscription"] == "two");
        assert!(!reasons.is_empty() && all_of_two, "{conditions:?}: {found}");
    }

    // Released while the cause is still there, it is refused again, under a new number, once.
    let released = told(
        &line,
        &[
            "release",
            "--all-matching",
            "--subscription",
            "two",
            "--stage",
            "map",
        ],
    )
    .await;
    assert_eq!(released["released"], 1);
    let counts = line.counts_of(9).await;
    assert_eq!((counts.logged, counts.quarantined), (1, 8));

    ingest.term(PATIENCE).await;
    write_mapping(&mapping, "End = \"completed\", Fin = \"completed\"");
    let mut ingest = line.start(&["normalise"], &[]);
    ingest.wait_ready().await;
    let all = ["release", "--all-matching", "--field", "what"];
    let dry = told(&line, &[&all[..], &["--dry-run"]].concat()).await;
    assert_eq!(
        (&dry["matching"], &dry["dry_run"]),
        (&6.into(), &true.into())
    );
    let released = told(&line, &all).await;
    assert_eq!(
        (&released["matching"], &released["released"]),
        (&6.into(), &6.into())
    );
    let counts = line.counts_of(15).await;
    assert_eq!((counts.logged, counts.quarantined), (7, 8));
    assert_eq!(line.number("SELECT count(*) FROM event_log").await, 7);
    // What is released is released: a second time there is nothing to do.
    let (good, out, _) = quarantine(&line, &all).await;
    assert!(good && out.contains("0 of 0 items released"), "{out}");
    let past = told(&line, &["list", "--status", "released"]).await;
    assert_eq!(past["items"].as_array().unwrap().len(), 7);

    let (_, out, _) = quarantine(&line, &["discard", "--all-matching", "--stage", "split"]).await;
    assert!(out.contains("1 of 1 items discarded"), "{out}");
    assert_eq!(
        line.number("SELECT count(*) FROM quarantine WHERE status = 'held'")
            .await,
        0
    );
    assert_eq!(line.counts_of(15).await.quarantined, 8);
}

/// Waits until *normalise* has read its files again and found so many subscriptions.
async fn read_again(ingest: &mut Proc, subscriptions: u64) {
    let wanted = |line: &Value| {
        let text = line.to_string();
        text.contains("mapping files were read again")
            && text.contains(&format!("\"subscriptions\":{subscriptions}"))
    };
    ingest.wait_line("read again", PATIENCE, wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_that_is_mended_or_new_is_taken_without_a_restart_and_a_broken_one_is_not() {
    let line = Line::new().await;
    let mapping = subscribe(&line);
    let mut ingest = line.start(&[], &[]);
    let http = ingest.wait_ready().await.http_address();
    send(http, "one", &item("e1", "Fin")).await;
    assert_eq!(line.counts_of(1).await.quarantined, 1);
    write_mapping(&mapping, "End = \"completed\", Fin = \"completed\"");
    read_again(&mut ingest, 2).await;
    let released = told(&line, &["release", "--all-matching", "--field", "what"]).await;
    assert_eq!(released["released"], 1);
    assert_eq!(line.counts_of(2).await.logged, 1);

    // A subscription with a mapping of its own, without a signal either.
    write_mapping(&mapping.with_file_name("n.toml"), "Over = \"completed\"");
    let text = std::fs::read_to_string(line.file()).unwrap();
    let three = format!(
        "[[subscription]]\nname = \"three\"\npath = \"/three\"\ntenant = \"acme\"\nformat = \"mapped\"\nmapping = \"n.toml\"\n\
         [subscription.signature]\nsecrets = [\"{SECRET}\"]\n"
    );
    std::fs::write(line.file(), format!("{text}{three}")).unwrap();
    read_again(&mut ingest, 3).await;
    ingest
        .wait_line("receive has it, too", PATIENCE, |line| {
            let text = line.to_string();
            text.contains("subscriptions were read again") && text.contains("\"subscriptions\":3")
        })
        .await;
    send(http, "three", &item("e3", "Over")).await;
    assert_eq!(line.counts_of(3).await.logged, 2);
    // It is watched from then on.
    let client = line.db.client().await;
    let sql = "SELECT count(*) FROM subscription_status WHERE subscription = 'three' AND last_received_at IS NOT NULL";
    eventually(PATIENCE, "the watchdog has noted it", async || {
        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;

    std::fs::write(&mapping, "nonsense").unwrap();
    ingest
        .wait_line("told", PATIENCE, |line| {
            line.to_string().contains("the old mappings stay in force")
        })
        .await;
    send(http, "one", &item("e4", "End")).await;
    assert_eq!(line.counts_of(4).await.logged, 3);
}

/// What backfill could not grant is in the same table, and goes back to backfill.
#[tokio::test(flavor = "multi_thread")]
async fn requests_for_jobs_are_listed_by_their_stage_and_go_back_to_their_queue() {
    let line = Line::new().await;
    let client = line.db.client().await;
    let sql = "INSERT INTO quarantine (tenant, subscription, delivery_id, item_index, stage, format, reason, raw, received_at, correlation) \
               SELECT '', '', gen_random_uuid(), 0, 'backfill', 'job_request', 'the platform `x` is not known', '{}', now(), '' \
               FROM generate_series(1, 3)";
    client.batch_execute(sql).await.unwrap();
    let (good, out, err) = quarantine(&line, &["list", "--stage", "backfill"]).await;
    assert!(good && out.contains("is not known"), "{out}{err}");
    let released = told(&line, &["release", "--all-matching", "--stage", "backfill"]).await;
    assert_eq!(released["released"], 3);
    assert_eq!(line.broker.depth(Queue::BackfillJobs).await, 3);
    assert_eq!(line.broker.depth(Queue::Raw).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_at_once_needs_a_condition() {
    let line = Line::new().await;
    for verb in ["release", "discard"] {
        let (good, _, err) = quarantine(&line, &[verb, "--all-matching"]).await;
        assert!(!good && err.contains("needs a condition"), "{err}");
        let (good, _, err) = quarantine(&line, &[verb, "--stage", "map"]).await;
        assert!(!good && err.contains("<NUMBER>"), "{err}");
        let (good, _, err) = quarantine(&line, &[verb, "1", "--all-matching"]).await;
        assert!(!good && err.contains("cannot be used with"), "{err}");
    }
    let (good, _, err) = quarantine(&line, &["list", "--since", "yesterday"]).await;
    assert!(!good && err.contains("how long ago it was"), "{err}");
    let (good, _, err) = quarantine(&line, &["show", "4711"]).await;
    assert!(!good);
    assert_eq!(err, "error: no item has the number 4711");
    let (good, _, err) = quarantine(&line, &["list", "--stage", "mapp"]).await;
    assert!(!good && err.contains("possible values: envelope"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_a_schema_is_said_to_need_one() {
    let mut line = Line::new().await;
    line.db = testkit::TestDb::empty().await;
    let (good, _, err) = quarantine(&line, &["list"]).await;
    assert!(!good && err.starts_with("error: "), "{err}");
    assert!(err.contains("run `ingest migrate` first"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_of_no_held_item_is_named() {
    let line = Line::new().await;
    subscribe(&line);
    let mut ingest = line.start(&[], &[]);
    let http = ingest.wait_ready().await.http_address();
    send(http, "one", &item("e1", "Fin")).await;
    assert_eq!(line.counts_of(1).await.quarantined, 1);
    let list = told(&line, &["list"]).await;
    let number = list["items"][0]["number"].to_string();
    assert_eq!(list["items"][0]["format"], "mapped (m)");
    let (good, out, err) = quarantine(&line, &["discard", &number, "99999"]).await;
    assert!(!good && out.contains("1 of 2 items discarded"), "{out}");
    assert!(out.contains("99999: there is none"), "{out}");
    assert!(err.starts_with("error: 99999 is no held item"), "{err}");
    for verb in ["release", "discard"] {
        let (good, out, err) = quarantine(&line, &[verb, &number]).await;
        assert!(
            !good && out.contains(&format!("{number}: discarded already")),
            "{out}"
        );
        assert!(err.starts_with("error: "), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_takes_no_item_away() {
    let line = Line::new().await;
    subscribe(&line);
    let mut ingest = line.start(&[], &[]);
    let http = ingest.wait_ready().await.http_address();
    let bad: Vec<String> = (0..20).map(|n| item(&format!("e{n}"), "Fin")).collect();
    for subscription in ["one", "two"] {
        send(http, subscription, &format!("[{}]", bad.join(","))).await;
    }
    assert_eq!(line.counts_of(40).await.quarantined, 40);
    ingest.term(PATIENCE).await;

    // Room for a few messages, and nobody who takes any. The broker enforces the bound a little late: the first twenty fill the queue.
    let connection = line.broker.connect("test").await;
    connection.delete_queues().await.unwrap();
    let bound = ("KPILINE_RAW_QUEUE_MAX_BYTES", "2000".to_owned());
    let mut env = line.env();
    env.retain(|(name, _)| *name != bound.0);
    env.push(bound);
    let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let release = async |subscription: &str| {
        let arguments = [
            "quarantine",
            "release",
            "--all-matching",
            "--json",
            "--subscription",
            subscription,
        ];
        let (status, out, err) = Proc::run("ingest", &arguments, &env, PATIENCE).await;
        let told: Value = serde_json::from_str(&out).unwrap();
        let kept = told["kept"].as_array().unwrap().len();
        (
            status.success(),
            told["released"].as_i64().unwrap(),
            kept,
            err,
        )
    };
    let (_, first, kept_first, _) = release("one").await;
    let (good, second, kept, err) = release("two").await;
    assert!(!good && err.contains("stay in quarantine"), "{err}");
    assert!(kept > 0, "{second} of 20 released");
    let kept = i64::try_from(kept + kept_first).unwrap();
    assert_eq!(first + second + kept, 40);
    // What is not held any more is in the queue, and what is not in the queue is held.
    let held = "SELECT count(*) FROM quarantine WHERE status = 'held'";
    assert_eq!(line.number(held).await, kept);
    let depth = i64::from(line.broker.depth(Queue::Raw).await);
    assert_eq!(depth, first + second);
}
