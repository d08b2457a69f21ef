//! The watchdog on a real database and the platforms' stand-in. The clock is the test's.

use crate::line::{Line, PATIENCE, event, message, post_signed};
use broker::Queue;
use double::config::{Admin, Client};
use double::{Config, Double};
use ingest::normalise::message::{Lane, Message};
use ingest::subscriptions::{Secrets, Subscription, parse};
use ingest::watchdog::Watch;
use ingest::watchdog::round::Round;
use ingest::watchdog::traffic::Traffic;
use runtime::Metrics;
use schema::{BodyFormat, DeliveryId, MessageId, RawDelivery, UtcMicros};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use store::subscriptions::{Standing, State};
use testkit::{Proc, TestDb, eventually};

const START: i64 = 1_715_783_400; // 2024-05-15T14:30:00Z
const QUIET_AFTER: i64 = 600;

fn at(seconds: i64) -> UtcMicros {
    UtcMicros::from_millis((START + seconds) * 1000)
}

/// One process that watches.
struct Replica {
    round: Round,
    traffic: Traffic,
    metrics: Metrics,
}

impl Replica {
    async fn new(db: &TestDb, subscriptions: &[Subscription]) -> Self {
        let (traffic, metrics) = (Traffic::default(), Metrics::new("test", "0"));
        let watch = Watch {
            subscriptions: subscriptions.to_vec(),
            quiet_after: Duration::from_secs(QUIET_AFTER.unsigned_abs()),
            check_every: Duration::from_secs(900),
        };
        let store = db.store_with(2).await;
        let round = Round::new(store, &watch, traffic.clone(), metrics.clone(), |_| None);
        Self {
            round,
            traffic,
            metrics,
        }
    }

    /// A round at this second, with nothing left to work off.
    async fn run(&mut self, seconds: i64) -> bool {
        let _waiting = self.traffic.waiting(at(seconds - 60));
        self.round.run(at(seconds)).await.unwrap()
    }

    /// A round of a process that has the database and not the broker.
    async fn run_blind(&mut self, seconds: i64) -> bool {
        self.round.run(at(seconds)).await.unwrap()
    }

    /// A round whose questions are answered, and the next one, that knows the answers.
    async fn ask(&mut self, seconds: i64) {
        self.run(seconds).await;
        self.round.answered(at(seconds)).await.unwrap();
        self.run(seconds + 3).await;
    }

    /// A delivery, received at this second, has been worked off.
    fn delivery(&self, seconds: i64) {
        let delivery = RawDelivery {
            id: DeliveryId::generate(),
            subscription: "main".into(),
            tenant: "acme".into(),
            format: BodyFormat::GenesysWebhook,
            correlation: "c".into(),
            received_at: at(seconds),
            job: None,
            body: bytes::Bytes::new(),
        };
        self.traffic.heard(&[Message {
            id: MessageId::generate(),
            lane: Lane::Live,
            deliveries: vec![delivery],
            whole: None,
        }]);
    }
}

fn subscriptions(platform: &str) -> Vec<Subscription> {
    let text = format!(
        "version = 1\n[[subscription]]\nname = \"main\"\npath = \"/a\"\ntenant = \"acme\"\nformat = \"genesys-webhook\"\n{platform}"
    );
    let read = parse("f.toml", &text, Path::new("."), Secrets::NotNeeded, &|_| {
        None
    });
    read.unwrap().list
}

async fn standing(db: &TestDb) -> Standing {
    let store = db.store().await;
    let client = store.client().await.unwrap();
    let list = store::subscriptions::list(&client).await.unwrap();
    assert_eq!(list.len(), 1);
    list.into_iter().next().unwrap()
}

/// From where to where, in seconds.
async fn gaps(db: &TestDb) -> Vec<(i64, i64)> {
    let store = db.store().await;
    let client = store.client().await.unwrap();
    let gaps = store::subscriptions::open_gaps(&client, 100).await.unwrap();
    gaps.into_iter()
        .map(|gap| (gap.from.seconds() - START, gap.to.seconds() - START))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_is_told_and_its_gap_recorded_once_by_two_replicas_and_over_a_change_of_the_lead()
{
    let db = TestDb::new().await;
    let list = subscriptions("");
    let mut one = Replica::new(&db, &list).await;
    let mut two = Replica::new(&db, &list).await;
    let both = async |one: &mut Replica, two: &mut Replica, seconds| {
        let (first, second) = tokio::join!(one.run(seconds), two.run(seconds));
        assert!(!(first && second), "one leads");
        (first, second)
    };
    // Who reports is not who decides.
    let (first, _) = both(&mut one, &mut two, 0).await;
    let (mut leader, mut follower) = if first { (one, two) } else { (two, one) };
    follower.delivery(1);
    both(&mut follower, &mut leader, 3).await;
    both(&mut follower, &mut leader, 6).await;
    let now = standing(&db).await;
    assert_eq!((now.state, now.last_received_at), (State::Ok, Some(at(1))));

    both(&mut leader, &mut follower, 602).await;
    both(&mut leader, &mut follower, 605).await;
    let now = standing(&db).await;
    assert_eq!((now.state, now.silent_from), (State::Quiet, Some(at(1))));
    let text = follower.metrics.encode();
    for line in [
        "kpiline_subscription_state{subscription=\"main\",state=\"quiet\"} 1",
        "kpiline_subscription_state{subscription=\"main\",state=\"ok\"} 0",
        "kpiline_subscription_last_event_seconds{subscription=\"main\"} 604",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    let client = db.client().await;
    let sql = "SELECT status #>> '{subscriptions,0,state}' FROM pipeline_status WHERE component = 'ingest watchdog'";
    let told: String = client.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(told, "quiet");

    // The leader dies in the middle of the silence; the other takes over and knows what it knew.
    drop(leader);
    let followed = tokio::sync::Mutex::new(follower);
    eventually(PATIENCE, "the other leads", async || {
        followed.lock().await.run(700).await
    })
    .await;
    let mut leader = followed.into_inner();
    let mut third = Replica::new(&db, &list).await;
    third.delivery(5_000);
    both(&mut third, &mut leader, 5_003).await;
    assert!(gaps(&db).await.is_empty(), "one delivery is no end");
    third.delivery(5_070);
    for second in [5_073, 5_076, 5_079] {
        both(&mut third, &mut leader, second).await;
    }
    assert_eq!(standing(&db).await.state, State::Ok);
    assert_eq!(gaps(&db).await, [(1, 5_000)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_without_the_broker_goes_by_what_others_have_worked_off() {
    let db = TestDb::new().await;
    let list = subscriptions("");
    let mut leader = Replica::new(&db, &list).await;
    let mut follower = Replica::new(&db, &list).await;
    assert!(leader.run_blind(0).await);
    follower.delivery(1);
    assert!(!follower.run(3).await);
    assert!(leader.run_blind(6).await);
    assert_eq!(standing(&db).await.state, State::Ok);
    // While nobody reaches the broker, nobody knows.
    assert!(leader.run_blind(700).await);
    follower.run_blind(703).await;
    leader.run_blind(706).await;
    assert_eq!(standing(&db).await.state, State::Ok);
    follower.run(709).await;
    assert!(leader.run_blind(712).await);
    assert_eq!(standing(&db).await.state, State::Quiet);
}

fn registered(double: &Double) -> String {
    runtime::install_crypto();
    let (url, Client { id, secret }) = (double.url(), Client::default());
    format!(
        r#"[subscription.platform]
kind = "guide-webhook"
base_url = "{url}"
delivery_url = "https://hooks.example.com/a"
topics = ["x"]
quiet_after = "1h"
[subscription.platform.registration]
path = "/api/v2/webhooks/subscriptions"
body = '{{"url": "{{url}}"}}'
[subscription.platform.credentials]
token_url = "{url}/oauth/token"
client_id = "{id}"
client_secret = "{secret}"
[subscription.platform.rate]
requests = 60000
burst = 100
"#
    )
}

fn registration(state: &str) -> Vec<Value> {
    vec![
        json!({"id": "r-1", "url": "https://hooks.example.com/a", "topics": ["x"], "state": state}),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platform_switched_off_or_deleted_is_noticed_and_the_gap_recorded() {
    let double = Double::start(Config {
        admin: Admin {
            registrations: registration("active"),
            ..Admin::default()
        },
        ..Config::default()
    })
    .await
    .unwrap();
    let db = TestDb::new().await;
    let mut replica = Replica::new(&db, &subscriptions(&registered(&double))).await;
    replica.delivery(0);
    replica.ask(1).await;
    let now = standing(&db).await;
    assert_eq!(
        (now.state, now.checked_at, now.findings.as_str()),
        (State::Ok, Some(at(1)), "")
    );

    // Long before the silence is long enough to be one.
    double.administer(|admin| admin.registrations = registration("disabled"));
    replica.ask(1_100).await;
    let now = standing(&db).await;
    assert_eq!(now.state, State::Disabled);
    assert!(
        now.reason.contains("its state is disabled"),
        "{}",
        now.reason
    );
    double.administer(|admin| admin.registrations.clear());
    replica.ask(2_200).await;
    let now = standing(&db).await;
    assert_eq!((now.state, now.silent_from), (State::Missing, Some(at(0))));

    // The platform is in trouble: what it said last holds, and why it could not be asked is noted.
    double.administer(|admin| admin.permissions = Some(Vec::new()));
    replica.ask(3_300).await;
    let now = standing(&db).await;
    assert_eq!(
        (now.state, now.checked_at),
        (State::Missing, Some(at(2_200)))
    );
    assert!(
        now.findings.contains("missing permission"),
        "{}",
        now.findings
    );

    double.administer(|admin| {
        admin.permissions = None;
        admin.registrations = registration("active");
    });
    replica.ask(4_400).await;
    assert_eq!(standing(&db).await.state, State::Quiet);
    for second in [4_500, 4_570] {
        replica.delivery(second);
        replica.run(second + 3).await;
    }
    replica.run(4_576).await;
    assert_eq!(standing(&db).await.state, State::Ok);
    assert_eq!(gaps(&db).await, [(0, 4_500)]);
    let asked = double
        .requests()
        .iter()
        .filter(|request| request.path.contains("webhooks"))
        .count();
    assert_eq!(
        asked, 5,
        "a platform is asked when its time has come, not in each round"
    );
    assert_eq!(double.grants(), 1, "with one token");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_usual_comes_from_the_counters() {
    let db = TestDb::new().await;
    let client = db.client().await;
    // At this hour of the week nothing came in the two weeks before; in all others a thousand.
    client
        .execute(
            "INSERT INTO ingest_counts (subscription, tenant, hour, shard, received, logged, duplicates, quarantined, ignored) \
             SELECT 'main', 'acme', hour, 0, n + 5, n, 5, 0, 0 FROM generate_series(\
                 '2024-05-01T00:00Z'::timestamptz, '2024-05-15T13:00Z', '1 hour') hour, \
                 LATERAL (SELECT CASE WHEN extract(hour FROM hour AT TIME ZONE 'UTC') IN (14, 15) THEN 0 ELSE 1000 END AS n) AS each",
            &[],
        )
        .await
        .unwrap();
    let mut replica = Replica::new(&db, &subscriptions("")).await;
    replica.delivery(0);
    replica.run(3).await;
    replica.run(3_600).await;
    assert_eq!(
        standing(&db).await.state,
        State::Ok,
        "half past three: as every week"
    );
    replica.run(5_500).await;
    assert_eq!(
        standing(&db).await.state,
        State::Ok,
        "a minute past four: the clocks may have been changed"
    );
    replica.run(9_100).await;
    assert_eq!(
        standing(&db).await.state,
        State::Quiet,
        "a minute past five"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_in_the_file_no_more_is_no_trouble_and_its_silence_is_remembered() {
    let db = TestDb::new().await;
    let mut replica = Replica::new(&db, &subscriptions("")).await;
    replica.delivery(0);
    replica.run(3).await;
    replica.run(700).await;
    assert_eq!(standing(&db).await.state, State::Quiet);
    let client = db.client().await;
    let sql = "SELECT count(*) FROM pipeline_health WHERE measure = 'subscription_quiet'";
    let quiet = async || client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(quiet().await, 1);
    drop(replica);

    let mut without = subscriptions("");
    without[0].name = "other".into();
    let other = tokio::sync::Mutex::new(Replica::new(&db, &without).await);
    eventually(PATIENCE, "the other leads", async || {
        other.lock().await.run(706).await
    })
    .await;
    assert_eq!(quiet().await, 0);
    let sql = "SELECT state || ': ' || reason FROM subscription_status WHERE subscription = 'main'";
    let row: String = client.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(row, "unknown: it is not in the subscriptions file");
    drop(other);

    // It comes back, and what was missing is still known.
    let again = tokio::sync::Mutex::new(Replica::new(&db, &subscriptions("")).await);
    eventually(PATIENCE, "the first leads again", async || {
        again.lock().await.run(5_000).await
    })
    .await;
    let mut again = again.into_inner();
    for second in [5_003, 5_070] {
        again.delivery(second);
        again.run(second + 3).await;
    }
    again.run(5_076).await;
    assert_eq!(gaps(&db).await, [(0, 5_003)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_delivers_seldom_leaves_a_silence_and_its_gap_is_recorded() {
    let db = TestDb::new().await;
    let client = db.client().await;
    // One event an hour, in the two weeks before: ten minutes without one are usual, four hours are not.
    client
        .execute(
            "INSERT INTO ingest_counts (subscription, tenant, hour, shard, received, logged, duplicates, quarantined, ignored) \
             SELECT 'main', 'acme', hour, 0, 1, 1, 0, 0, 0 FROM generate_series(\
                 '2024-05-01T00:00Z'::timestamptz, '2024-05-15T13:00Z', '1 hour') hour",
            &[],
        )
        .await
        .unwrap();
    let mut replica = Replica::new(&db, &subscriptions("")).await;
    replica.delivery(0);
    replica.run(3).await;
    replica.run(3_500).await;
    assert_eq!(standing(&db).await.state, State::Ok);
    replica.run(14_400).await;
    assert_eq!(standing(&db).await.state, State::Quiet);
    for second in [15_000, 18_600] {
        replica.delivery(second);
        replica.run(second + 3).await;
        // Longer than it may be quiet, and as ever.
        replica.run(second + 3_000).await;
    }
    assert_eq!(standing(&db).await.state, State::Ok);
    assert_eq!(gaps(&db).await, [(0, 15_000)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspect_delivery_is_heard_also_by_a_process_without_a_live_lane() {
    let line = Line::new().await;
    let mut ingest = line.start(&["normalise"], &[("KPILINE_NORMALISE_WORKERS", "0")]);
    ingest.wait_ready().await;
    let client = line.db.client().await;
    let rows = async |sql: &str| client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    eventually(PATIENCE, "it is watched", async || {
        rows("SELECT count(*) FROM subscription_status").await == 1
    })
    .await;
    let sent = message(MessageId::generate(), DeliveryId::generate(), &event("e-1"));
    line.publish(Queue::RawSuspect, &sent).await;
    let sql =
        "SELECT count(*) FROM subscription_status WHERE last_received_at = '2024-11-02T12:20:00Z'";
    eventually(PATIENCE, "it is heard", async || rows(sql).await == 1).await;
    // How far the queue of fresh deliveries is worked off it cannot know.
    let sql = "SELECT count(worked_off) FROM subscription_watch";
    assert_eq!(rows(sql).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_line_notes_its_deliveries_answers_probes_and_is_listed() {
    let line = Line::new().await;
    let mut ingest = line.start(&[], &[]);
    let http = ingest.wait_ready().await.http_address();
    assert_eq!(post_signed(http, event("e-1").as_bytes()).await.status, 202);
    assert_eq!(line.counts_of(1).await.logged, 1);
    let client = line.db.client().await;
    let sql = "SELECT state || ' ' || (last_received_at > now() - interval '1 minute') FROM subscription_status";
    eventually(PATIENCE, "the watchdog has noted it", async || {
        let rows = client.query(sql, &[]).await.unwrap();
        rows.iter()
            .any(|row| row.get::<_, Option<String>>(0).as_deref() == Some("ok true"))
    })
    .await;

    let file = line.file();
    let text = std::fs::read_to_string(&file).unwrap();
    let platform = format!(
        "[subscription.platform]\nkind = \"none\"\ndelivery_url = \"http://{http}/hooks/genesys\"\n"
    );
    std::fs::write(&file, format!("{text}{platform}")).unwrap();
    let run = async |arguments: &[&str]| {
        let env = line.env();
        let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (*n, v.as_str())).collect();
        Proc::run("ingest", arguments, &env, PATIENCE).await
    };
    let (status, out, err) = run(&["subscription", "verify", "--probe"]).await;
    assert!(status.success(), "{out}{err}");
    let wrong =
        "[subscription.platform.probe]\nheader = \"x-genesys-signature\"\nsecret = \"wrong\"\n";
    std::fs::write(&file, format!("{text}{platform}{wrong}")).unwrap();
    let (status, out, _) = run(&["subscription", "verify", "--probe"]).await;
    assert!(
        !status.success() && out.contains("answers HTTP 401, it does not take our own proof"),
        "{out}"
    );

    let (status, out, err) = run(&["subscription", "list"]).await;
    assert!(status.success(), "{err}");
    let row = out.lines().nth(1).unwrap();
    assert!(
        row.starts_with("genesys  acme    /hooks/genesys") && row.ends_with("ok     0"),
        "{out}"
    );
    // Probes leave nothing behind.
    assert_eq!(line.counts_of(1).await.quarantined, 0);
}
