//! Personal data: nowhere but in the raw bytes, and there sealed, for a time, until somebody asks.

use crate::line::{Line, PATIENCE, event, message, take_facts};
use broker::Queue;
use bytes::Bytes;
use schema::{BodyFormat, DeliveryId, EventsMessage, JobId, JobRef, MessageId, MetricVersion};
use serde_json::{Value, json};
use std::path::PathBuf;
use testkit::{Proc, eventually};
use tokio_postgres::SimpleQueryMessage;

const SECRET: &str = "0123456789abcdef";
const PHONE: &str = "+15559870123";
const NAME: &str = "Quilla Plantes";
const EMAIL: &str = "quilla.plantes@example.com";
const NOTES: &str = "asked about the leak in her cellar";
const TRACES: [&str; 4] = ["9870123", "Quilla", "quilla", "cellar"];

/// A key file of the line's own, made by the command.
async fn keys(line: &Line) -> String {
    let path = beside(line, "raw-keys.toml").display().to_string();
    let (good, out, err) = run(line, &[], &["keys", "generate", &path, "--id", "k1"]).await;
    assert!(good && out.contains("k1"), "{out}{err}");
    let secret = std::fs::read_to_string(&path).unwrap();
    let secret = secret
        .lines()
        .find(|line| line.starts_with("secret"))
        .unwrap();
    assert!(!out.contains(&secret[10..40]));
    path
}

fn beside(line: &Line, name: &str) -> PathBuf {
    line.file().with_file_name(name)
}

async fn run(
    line: &Line,
    settings: &[(&'static str, &str)],
    arguments: &[&str],
) -> (bool, String, String) {
    let mut env = line.env();
    env.extend(
        settings
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let (status, out, err) = Proc::run("ingest", arguments, &env, PATIENCE).await;
    (status.success(), out, err)
}

/// Every row of every table as text; bytes in hexadecimal.
async fn dump(line: &Line) -> String {
    let client = line.db.client().await;
    let tables = "SELECT quote_ident(relname) FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace = 'public'::regnamespace";
    let mut all = String::new();
    for table in client.query(tables, &[]).await.unwrap() {
        let table: String = table.get(0);
        let rows = format!("SELECT t::text FROM {table} t");
        for row in client.simple_query(&rows).await.unwrap() {
            if let SimpleQueryMessage::Row(row) = row {
                all.push_str(row.get(0).unwrap_or_default());
                all.push('\n');
            }
        }
    }
    all
}

fn assert_clean(what: &str, text: &str) {
    for trace in TRACES {
        assert!(!text.contains(trace), "{trace} in {what}: {text}");
        let bytes = hex::encode(trace);
        assert!(!text.contains(&bytes), "{trace} as bytes in {what}");
    }
}

fn of_format(format: BodyFormat, body: &str) -> schema::RawMessage {
    let mut sent = message(MessageId::generate(), DeliveryId::generate(), body);
    sent.deliveries[0].format = format;
    sent
}

/// Good items and broken ones with what is personal in them, in several formats; how many events they are.
fn planted() -> (Vec<schema::RawMessage>, i64) {
    let guide = |id: &str, stamp: &str, talk: &Value| {
        json!({"event_type": "analytics:events:publish", "timestamp": stamp, "notes": NOTES, "data": {"event_id": id,
            "interaction_id": format!("int_{id}"), "state": "completed", "metrics": {"talk_time_ms": talk}, "wrapUpNote": NOTES,
            "participants": [{"id": PHONE, "type": "customer", "name": NAME, "email": EMAIL}, {"id": "a", "type": "agent"}]}})
    };
    let at = "2024-11-02T10:00:00.125Z";
    let good = json!(5);
    let webhooks = json!([
        guide("good", at, &good),
        guide("phone-for-instant", PHONE, &good),
        guide("name-for-instant", NAME, &good),
        guide("mail-for-number", at, &json!(EMAIL)),
        guide("notes-for-number", at, &json!(NOTES)),
        guide("in-2090", "2090-01-01T00:00:00Z", &good),
        [NAME, PHONE],
        PHONE,
    ]);
    let details = json!({"conversationId": "c1", "conversationStart": "2024-11-02T09:00:00Z", "conversationEnd": "2024-11-02T09:05:00Z",
        "originatingDirection": "inbound", "participants": [{"participantId": "p", "participantName": NAME, "purpose": "customer",
            "attributes": {"mail": EMAIL}, "sessions": [{"sessionId": "s", "mediaType": "voice", "direction": "inbound", "ani": PHONE,
                "remoteNameDisplayable": NAME, "segments": [{"segmentStart": "2024-11-02T09:00:00Z",
                    "segmentEnd": "2024-11-02T09:05:00Z", "segmentType": "interact", "wrapUpNote": NOTES}]}]}]});
    let contact = json!({"contactId": 7_100_001, "contactStartDate": "2024-11-02T08:00:00Z", "lastUpdateTime": "2024-11-02T08:10:00Z",
        "agentId": 8001, "firstName": NAME, "fromAddr": PHONE, "agentSeconds": 5, "dispositionNotes": NOTES});
    let mut broken = contact.clone();
    broken["agentSeconds"] = json!(NOTES);
    let report = format!(
        "contact_id,contact_name,ANI_DIALNUM,start_date,start_time\n1,{NAME},{PHONE},10/31/2024,09:15:02\n2,{NAME},{PHONE},{NAME},09:15:02\n"
    );
    let messages = vec![
        of_format(BodyFormat::GenesysWebhook, &webhooks.to_string()),
        of_format(BodyFormat::GenesysWebhook, &format!("{NAME} {PHONE}")),
        of_format(BodyFormat::GenesysDetails, &details.to_string()),
        of_format(
            BodyFormat::CxoneContacts,
            &json!([contact, broken]).to_string(),
        ),
        of_format(
            BodyFormat::CxoneCallDetail {
                zone: "America/Denver".into(),
            },
            &report,
        ),
    ];
    (messages, 8 + 1 + 1 + 2)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_personal_is_nowhere_but_in_sealed_bytes() {
    let line = Line::new().await;
    let keys = keys(&line).await;
    let settings = [
        ("KPILINE_RAW_KEYS_FILE", keys.as_str()),
        ("KPILINE_CUSTOMER_KEY", SECRET),
        ("KPILINE_LOG_LEVEL", "trace"),
    ];
    let mut normalise = line.start(&["normalise"], &settings);
    let ready = normalise.wait_ready().await;
    let (messages, least) = planted();
    for message in &messages {
        line.publish(Queue::Raw, message).await;
    }
    let client = line.db.client().await;
    // A report that lacks a column it needs is one bad item, else each row is an item.
    let sql = "SELECT coalesce(sum(received), 0)::bigint FROM ingest_counts";
    eventually(PATIENCE, "all messages are counted", async || {
        let claimed = "SELECT count(*) FROM raw_messages";
        let claimed: i64 = client.query_one(claimed, &[]).await.unwrap().get(0);
        (claimed == 5).then_some(()).ok_or(claimed)
    })
    .await;
    assert!(line.number(sql).await > least);
    assert!(
        line.number("SELECT count(*) FROM event_log WHERE raw_key = 'k1'")
            .await
            >= 3
    );
    assert!(
        line.number("SELECT count(*) FROM quarantine WHERE raw_key = 'k1'")
            .await
            >= 8
    );
    let plain = "SELECT (SELECT count(*) FROM event_log WHERE raw_key IS NULL) + (SELECT count(*) FROM quarantine WHERE raw_key IS NULL)";
    assert_eq!(line.number(plain).await, 0);

    assert_clean("a table", &dump(&line).await);
    let (_connection, mut facts) = line.facts().await;
    let mut keyed = 0;
    for queue in [
        Queue::EventsTerminal,
        Queue::EventsProgress,
        Queue::EventsHistory,
    ] {
        // Taken by the consumer already, or still there: the consumer gets them all.
        let _ = line.broker.depth(queue).await;
    }
    for told in take_facts(&mut facts, 3).await {
        let shown = serde_json::to_string(&told).unwrap();
        assert_clean("a fact", &shown);
        keyed += usize::from(shown.contains("\"ck\""));
    }
    assert!(keyed >= 3, "customers are known by their keys");
    let (_, metrics) = testkit::http::get(ready.ops_address(), "/metrics")
        .await
        .unwrap();
    assert_clean("/metrics", &metrics);
    let (_, listed, told) = run(&line, &[], &["quarantine", "list"]).await;
    assert!(listed.contains("held in all"), "{listed}");
    assert_clean("a list", &format!("{listed}{told}"));
    normalise.term(PATIENCE).await;
    let logged = normalise.stderr();
    assert!(logged.contains("went to quarantine"), "{logged}");
    assert_clean("the log", &logged);
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_items_are_shown_and_released_with_the_key_and_not_without() {
    let line = Line::new().await;
    let keys = keys(&line).await;
    let with: [(&str, &str); 1] = [("KPILINE_RAW_KEYS_FILE", &keys)];
    let client = line.db.client().await;
    let sql = "ALTER TABLE event_log ADD CONSTRAINT closed CHECK (event_id <> 'held')";
    client.batch_execute(sql).await.unwrap();
    let mut normalise = line.start(&["normalise"], &with);
    normalise.wait_ready().await;
    let sent = message(
        MessageId::generate(),
        DeliveryId::generate(),
        &event("held"),
    );
    line.publish(Queue::Raw, &sent).await;
    assert_eq!(line.counts_of(1).await.quarantined, 1);
    let number = line.number("SELECT quarantine_id FROM quarantine").await;
    let number = number.to_string();
    let (good, shown, err) = run(&line, &with, &["quarantine", "show", &number]).await;
    assert!(good && shown.contains(&event("held")), "{shown}{err}");
    for command in ["show", "release"] {
        let (good, out, err) = run(&line, &[], &["quarantine", command, &number]).await;
        let said = format!("{out}{err}");
        assert!(!good && said.contains("the key k1"), "{command}: {said}");
    }
    assert_eq!(
        line.counts_of(1).await.quarantined,
        1,
        "nothing was released"
    );
    // After a rotation the old key still opens, and the new one seals.
    let (good, out, err) = run(&line, &with, &["keys", "rotate", "--id", "k2"]).await;
    assert!(good && out.contains("k2"), "{out}{err}");
    normalise.term(PATIENCE).await;
    let mut normalise = line.start(&["normalise"], &with);
    normalise.wait_ready().await;
    client
        .batch_execute("ALTER TABLE event_log DROP CONSTRAINT closed")
        .await
        .unwrap();
    let (good, out, err) = run(&line, &with, &["quarantine", "release", &number]).await;
    assert!(good && out.contains("1 of 1 items released"), "{out}{err}");
    assert_eq!(line.counts_of(2).await.logged, 1);
    assert_eq!(
        line.number("SELECT count(*) FROM event_log WHERE raw_key = 'k2'")
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_expire_after_the_retention_and_a_copy_is_still_a_copy() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    // Received in 2024.
    let body = format!("[{},{},{{\"data\":1}}]", event("a"), event("b"));
    let send = async || {
        let sent = message(MessageId::generate(), DeliveryId::generate(), &body);
        line.publish(Queue::Raw, &sent).await;
    };
    send().await;
    assert_eq!(line.counts_of(3).await.logged, 2);
    let number = line.number("SELECT quarantine_id FROM quarantine").await;
    let number = number.to_string();
    run(&line, &[], &["quarantine", "discard", &number]).await;
    line.db
        .client()
        .await
        .batch_execute("UPDATE quarantine SET settled_at = now() - interval '2 days'")
        .await
        .unwrap();
    normalise.term(PATIENCE).await;
    let mut normalise = line.start(&["normalise"], &[("KPILINE_RAW_RETENTION", "1day")]);
    normalise.wait_ready().await;
    let expired = "SELECT (SELECT count(*) FROM event_log WHERE raw IS NULL AND raw_gone = 'expired') + \
                   (SELECT count(*) FROM quarantine WHERE raw IS NULL AND raw_gone = 'expired')";
    eventually(PATIENCE, "all bytes have expired", async || {
        let found = line.number(expired).await;
        (found == 3).then_some(()).ok_or(found)
    })
    .await;
    send().await;
    assert_eq!(line.counts_of(6).await.duplicates, 2);
    assert_eq!(line.number("SELECT count(*) FROM event_log").await, 2);
}

/// An event of a customer's.
fn of_customer(id: &str, customer: &str) -> String {
    event(id).replace(
        "\"participants\":[]",
        &format!("\"participants\":[{{\"id\":\"{customer}\",\"type\":\"customer\"}}]"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_takes_what_is_a_customers_and_what_comes_again_brings_nothing_back() {
    let line = Line::new().await;
    let keys = keys(&line).await;
    let with: [(&str, &str); 2] = [
        ("KPILINE_RAW_KEYS_FILE", &keys),
        ("KPILINE_CUSTOMER_KEY", SECRET),
    ];
    let mut normalise = line.start(&["normalise"], &with);
    normalise.wait_ready().await;
    let (_connection, mut facts) = line.facts().await;
    let bad = of_customer("bad", PHONE).replace("2024-11-02T10:00:00.125Z", "soon");
    let body = format!(
        "[{},{},{},{bad}]",
        of_customer("a", PHONE),
        of_customer("b", "tel:+1 (555) 987-0123"),
        of_customer("c", "+15550000000"),
    );
    let mut sent = message(MessageId::generate(), DeliveryId::generate(), &body);
    line.publish(Queue::Raw, &sent).await;
    assert_eq!(line.counts_of(4).await.logged, 3);
    assert_eq!(take_facts(&mut facts, 3).await.len(), 3);
    // What compute makes of it.
    let client = line.db.client().await;
    let key = |identity| adapter::customer_key(SECRET.as_bytes(), "acme", identity).unwrap();
    for (id, identity) in [("a", PHONE), ("b", PHONE), ("c", "+15550000000")] {
        let key = key(identity);
        let state = json!({"v": 1, "f": [{"k": format!("e:{id}"), "a": 1, "x": {"ck": key.as_str()}, "b": {}}]});
        let sql = format!(
            "INSERT INTO interactions (tenant, interaction_id, partition_at, started_at, status, state, customer_key, facts) \
             VALUES ('acme', 'int_{id}', '2024-11-02', '2024-11-02', 'terminal', '{state}', '{}', 1)",
            key.as_str()
        );
        client.batch_execute(&sql).await.unwrap();
    }
    client
        .batch_execute(
            "INSERT INTO history_requests (tenant, interaction_id, reason) \
             SELECT 'acme', 'int_' || id, 'inferred_end' FROM unnest(ARRAY['a', 'c']) AS id",
        )
        .await
        .unwrap();
    let who = beside(&line, "who.txt");
    std::fs::write(&who, format!("{PHONE}\n")).unwrap();
    let who = who.display().to_string();
    let erase = |more: &[&str]| {
        let arguments: Vec<String> = [
            "erase",
            "--tenant",
            "acme",
            "--customer",
            &who,
            "--json",
            "--wait",
            "1s",
        ]
        .iter()
        .chain(more)
        .map(ToString::to_string)
        .collect();
        let line = &line;
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let (good, out, err) = run(line, &with, &arguments).await;
            assert_clean("what it says", &format!("{out}{err}"));
            let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
            (good, report, err)
        }
    };
    let counts = |report: &Value| {
        ["interactions", "events", "quarantined"].map(|name| report[name].as_i64().unwrap())
    };
    let (good, report, err) = erase(&["--dry-run"]).await;
    assert!(good, "{err}");
    assert_eq!(counts(&report), [2, 2, 1]);
    let gone = "SELECT (SELECT count(*) FROM event_log WHERE raw_gone = 'erased') + (SELECT count(*) FROM quarantine WHERE raw_gone = 'erased') \
                + (SELECT count(*) FROM erasures)";
    assert_eq!(line.number(gone).await, 0);

    // compute is not running: the journey cannot be dropped yet, all else is done.
    let (good, report, err) = erase(&["--by", "request 7"]).await;
    assert!(!good && err.contains("compute has not yet"), "{err}");
    assert_eq!(counts(&report), [2, 2, 1]);
    assert_eq!(report["finished"], false);
    let left = "SELECT cardinality(gone)::bigint FROM journeys";
    assert_eq!(line.number(left).await, 2);
    assert_eq!(
        line.number("SELECT count(*) FROM dirty_marks WHERE kind = 'journey'")
            .await,
        1,
        "of one customer one mark"
    );
    client
        .batch_execute("UPDATE journeys SET gone = '{}'; DELETE FROM dirty_marks")
        .await
        .unwrap();
    let (good, report, err) = erase(&["--by", "request 7"]).await;
    assert!(good, "{err}");
    assert_eq!(counts(&report), [2, 2, 1], "the proof is of both runs");
    assert_eq!(report["finished"], true);
    let asked = "SELECT count(*) FROM history_requests WHERE interaction_id = 'int_c'";
    assert_eq!(line.number(asked).await, 1, "of others stays asked");
    let asked = "SELECT count(*) FROM history_requests";
    assert_eq!(line.number(asked).await, 1);
    let whole = dump(&line).await;
    assert!(!whole.contains(key(PHONE).as_str()), "{whole}");
    assert!(
        whole.contains(key("+15550000000").as_str()),
        "others keep theirs"
    );
    assert_eq!(line.number("SELECT count(*) FROM erasures WHERE requested_by = 'request 7' AND finished_at IS NOT NULL").await, 1);
    let (good, report, err) = erase(&[]).await;
    assert!(good, "{err}");
    assert_eq!(counts(&report), [0, 0, 0], "once more finds nothing");

    // The platform sends all of it again, and so does a backfill job, whose copies are told.
    sent.id = MessageId::generate();
    sent.deliveries[0].id = DeliveryId::generate();
    line.publish(Queue::Raw, &sent).await;
    let again = line.counts_of(8).await;
    assert_eq!((again.logged, again.duplicates), (3, 3));
    let mut job = message(
        MessageId::generate(),
        DeliveryId::generate(),
        &of_customer("a", PHONE),
    );
    job.deliveries[0].job = Some(JobRef {
        id: JobId::generate(),
        version: MetricVersion(1),
    });
    line.publish(Queue::RawHistory, &job).await;
    let told = tokio::time::timeout(PATIENCE, facts.next())
        .await
        .unwrap()
        .unwrap();
    let told = EventsMessage::decode(&told.body).unwrap();
    assert_eq!(told.events.len(), 1);
    assert_eq!(told.events[0].fact.statement.details, None, "without a key");
    let erased = "SELECT count(*) FROM event_log WHERE raw_gone = 'erased' AND raw IS NULL";
    assert_eq!(line.number(erased).await, 2);
    // Also a record of it with other content, such as the answer to a request for its history, is logged without bytes and told without a key.
    let settled = of_customer("a", PHONE).replace("1200", "1300");
    let settled = message(MessageId::generate(), DeliveryId::generate(), &settled);
    line.publish(Queue::Raw, &settled).await;
    let told = tokio::time::timeout(PATIENCE, facts.next())
        .await
        .unwrap()
        .unwrap();
    let told = EventsMessage::decode(&told.body).unwrap();
    assert_eq!(told.events.len(), 1);
    assert_eq!(told.events[0].fact.statement.details, None, "without a key");
    assert_eq!(line.number(erased).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interaction_is_erased_by_its_id_and_a_held_body_of_several_is_for_somebody_to_decide() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let mut split = message(MessageId::generate(), DeliveryId::generate(), "");
    split.deliveries[0].body = Bytes::from(format!("\"int_a\" and {}", event("b")));
    line.publish(Queue::Raw, &split).await;
    let sent = message(MessageId::generate(), DeliveryId::generate(), &event("a"));
    line.publish(Queue::Raw, &sent).await;
    assert_eq!(line.counts_of(2).await.logged, 1);
    let arguments = ["erase", "--tenant", "acme", "--interaction", "int_a"];
    let (good, out, err) = run(&line, &[], &arguments).await;
    let number = line.number("SELECT quarantine_id FROM quarantine").await;
    assert!(
        !good && err.contains(&format!("discard` {number}")),
        "{err}"
    );
    assert!(out.contains("the raw bytes of 1 events"), "{out}");
    let number = number.to_string();
    run(&line, &[], &["quarantine", "discard", &number]).await;
    let (good, out, err) = run(&line, &[], &arguments).await;
    assert!(
        good && out.contains("and 1 quarantined items were erased"),
        "{out}{err}"
    );
    assert_eq!(line.number("SELECT count(*) FROM erasures").await, 1);
    // Whom it is about is never taken from the command line.
    let (good, _, err) = run(&line, &[], &["erase", "--tenant", "acme"]).await;
    assert!(!good && err.contains("--customer"), "{err}");
    let (good, _, err) = run(
        &line,
        &[],
        &["erase", "--tenant", "acme", "--customer", "-"],
    )
    .await;
    assert!(!good && err.contains("needs --customer-key"), "{err}");
}

/// Tables that name a customer or hold what came of one, and how an erasure takes it.
const ERASED: [(&str, &str); 7] = [
    ("event_log", "raw bytes, nulled"),
    ("quarantine", "raw bytes and values, nulled"),
    (
        "interactions",
        "the keyed hash, as a column and in facts, nulled",
    ),
    ("journeys", "the keyed hash, the row is deleted"),
    (
        "dirty_marks",
        "the keyed hash as a subject, until compute has worked it off; waited for",
    ),
    (
        "missed_marks",
        "the keyed hash as a subject, the row is deleted",
    ),
    (
        "erasures",
        "whom it is about, until it is finished; then a digest",
    ),
];

/// All others, each looked at: ids of platforms, agents, queues, definitions, sums, counts, what went where, what failed why. None has a
/// customer's key, identity or bytes; words of platforms (answers, errors) are cut free of personal data before they are stored.
const WITHOUT_CUSTOMERS: [&str; 57] = [
    "agent_activity",
    "agent_states",
    "agent_zones",
    "agents",
    "backfill_chunks",
    "backfill_jobs",
    "backfill_leases",
    "backfill_notices",
    "catalogue_generation",
    "computed_metrics",
    "deferred_evaluations",
    "erased_interactions",
    "feed_deliveries",
    "feed_intervals",
    "feed_layouts",
    "feeds",
    "history_requests",
    "ingest_counts",
    "interval_states",
    "kpi_definitions",
    "kpi_promotions",
    "live_interactions",
    "metric_sync_log",
    "metric_sync_requests",
    "native_figures",
    "native_zones",
    "pipeline_status",
    "places",
    "platform_breakers",
    "platform_counts",
    "platform_health",
    "platform_state_changes",
    "platform_states",
    "rate_budgets",
    "rate_pauses",
    "raw_messages",
    "raw_retention",
    "reconciliation_findings",
    "reconciliation_runs",
    "retention_log",
    "role_rights",
    "schedules",
    "schema_migrations",
    "storm_state",
    "subscription_gaps",
    "subscription_status",
    "subscription_watch",
    "sync_health",
    "sync_minutes",
    "sync_queue",
    "sync_targets",
    "wfm_shifts",
    "window_cells",
    "window_items",
    "window_metrics",
    "zone_findings",
    "zones_in_use",
];

/// A table that is new fails this: say which of the two it is, and have `ingest erase` take what names a customer.
#[tokio::test]
async fn of_every_table_it_is_known_what_an_erasure_does_with_it() {
    let line = Line::new().await;
    let client = line.db.client().await;
    let sql = "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition \
               AND relnamespace = 'public'::regnamespace ORDER BY 1";
    let rows = client.query(sql, &[]).await.unwrap();
    let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let known = ERASED.iter().map(|(table, _)| *table);
    let mut known: Vec<&str> = known.chain(WITHOUT_CUSTOMERS).collect();
    known.sort_unstable();
    assert_eq!(found, known);
    // Columns that name a customer are found by how they are called.
    let sql = "SELECT DISTINCT c.table_name::text FROM information_schema.columns c \
               JOIN information_schema.tables t USING (table_schema, table_name) \
               WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.column_name ~ 'customer|raw$' ORDER BY 1";
    for row in client.query(sql, &[]).await.unwrap() {
        let table: String = row.get(0);
        let is_month = table.starts_with("event_log_y");
        assert!(
            is_month || ERASED.iter().any(|(known, _)| *known == table),
            "{table}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_table_has_a_customers_key_after_an_erasure() {
    let line = Line::new().await;
    let client = line.db.client().await;
    let gone = adapter::customer_key(SECRET.as_bytes(), "acme", PHONE).unwrap();
    let other = adapter::customer_key(SECRET.as_bytes(), "acme", "+15550000000").unwrap();
    let (gone, other) = (gone.as_str(), other.as_str());
    for (id, key) in [("a", gone), ("b", gone), ("c", other)] {
        let state =
            json!({"v": 1, "f": [{"k": format!("e:{id}"), "a": 1, "x": {"ck": key}, "b": {}}]});
        let sql = format!(
            "INSERT INTO interactions (tenant, interaction_id, partition_at, started_at, status, state, customer_key, facts) \
             VALUES ('acme', 'int_{id}', '2024-11-02', '2024-11-02', 'terminal', '{state}', '{key}', 1); \
             INSERT INTO journeys (tenant, customer_key, contacts) VALUES ('acme', '{key}', 1) ON CONFLICT DO NOTHING; \
             INSERT INTO missed_marks (definition_id, kind, tenant, subject, from_at, to_at) \
             VALUES (1, 'journey', 'acme', '{key}', now(), now()), (1, 'journey', 'acme', '{key}@2024', now(), now()); \
             INSERT INTO quarantine (tenant, subscription, delivery_id, item_index, stage, format, reason, raw, received_at, correlation, status) \
             VALUES ('acme', 'genesys', gen_random_uuid(), 0, 'compute', '\"fact\"', 'refused', '{{\"ck\":\"{key}\"}}', now(), 't', 'discarded')"
        );
        client.batch_execute(&sql).await.unwrap();
    }
    let arguments = [
        "erase",
        "--tenant",
        "acme",
        "--hashed-customer",
        gone,
        "--json",
        "--wait",
        "1s",
    ];
    let (good, out, err) = run(&line, &[], &arguments).await;
    assert!(!good && err.contains("compute has not yet"), "{out}{err}");
    // What compute does with the marks.
    client
        .batch_execute("UPDATE journeys SET gone = '{}'; DELETE FROM dirty_marks")
        .await
        .unwrap();
    let (good, out, err) = run(&line, &[], &arguments).await;
    assert!(good, "{out}{err}");
    let whole = dump(&line).await;
    for text in [gone.to_owned(), hex::encode(gone)] {
        assert!(!whole.contains(&text), "{text}: {whole}");
    }
    let kept = format!(
        "SELECT (SELECT count(*) FROM missed_marks WHERE subject LIKE '{other}%') + (SELECT count(*) FROM journeys WHERE customer_key = '{other}') \
              + (SELECT count(*) FROM interactions WHERE customer_key = '{other}') + (SELECT count(*) FROM quarantine WHERE raw IS NOT NULL)"
    );
    assert_eq!(line.number(&kept).await, 5, "others keep theirs");
    assert_eq!(
        line.number("SELECT count(*) FROM erasures WHERE finished_at IS NOT NULL")
            .await,
        1
    );
}
