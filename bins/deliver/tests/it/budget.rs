//! One budget for all processes: what the platform sees of several replicas and a backfill on one credential.

use crate::world::{World, limited};
use double::config::{Config, Fault, Phase, Place, Script};
use double::{Double, Request};
use platform::client::{Client, Method, Timeouts};
use platform::limit::Limit;
use platform::secret::Secret;
use platform::token::{Grant, Tokens};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use store::Store;
use store::budgets::{self, Answer, Ask, Class};
use testkit::eventually;
use url::Url;

const SOON: Duration = Duration::from_secs(30);
const WINDOW: Duration = Duration::from_secs(2);
const LIMIT: usize = 40;

/// The pace our side keeps: the double's limit over the double's window.
const PACED: &str = r#"
rate = { requests = 40, period = "2s", lapse = "200ms" }
timeouts = { connect = "1s", read = "1s", total = "1s" }
retry = { first = "50ms", longest = "500ms", breaker_cool_down = "200ms" }
"#;

fn ours() -> Limit {
    Limit {
        requests: 40,
        period: WINDOW,
        burst: 1,
        lapse: Duration::from_millis(200),
    }
}

/// Somebody who asks for history with deliver's credential as fast as the budget lets.
struct Backfill {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Backfill {
    fn start(store: Store, double: &Double) -> Self {
        runtime::install_crypto();
        let url = Url::parse(&double.url()).unwrap();
        let grant = grant(&url);
        let credential = grant.credential_name();
        let client = Client::new(&url, Timeouts::default()).unwrap();
        let tokens = Tokens::new(client.clone(), grant);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let path = url.join("/api/v2/webhooks/subscriptions").unwrap();
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let bearer = tokens.bearer().await.unwrap();
                let ask = Ask {
                    credential: &credential,
                    route: "history",
                    class: Class::Backfill,
                    refill: ours().refill().unwrap(),
                    stated: true,
                    want: 1,
                    horizon: Duration::from_millis(100),
                };
                let conn = store.client().await.unwrap();
                let answer = budgets::reserve(&conn, &ask).await.unwrap();
                drop(conn);
                match answer {
                    Answer::Granted { first_in, .. } => {
                        let due = Instant::now() + first_in;
                        tokio::time::sleep(first_in).await;
                        if due.elapsed() < ours().lapse / 2 {
                            let sent = client.send(Method::Get, &path, &bearer.token, None);
                            drop(sent.await);
                        }
                    }
                    Answer::Wait { retry_in, .. } => tokio::time::sleep(retry_in).await,
                }
            }
        });
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
    }
}

fn grant(url: &Url) -> Grant {
    Grant::ClientCredentials {
        url: url.join("/oauth/token").unwrap(),
        client_id: "double-client".to_owned(),
        client_secret: Secret::new("double-secret"),
    }
}

/// Requests that count for the limit: all but those for tokens.
fn counted(double: &Double) -> Vec<Request> {
    let mut requests = double.requests();
    requests.retain(|request| request.place != Place::Token);
    requests
}

/// The most of those in any window. Two that are exactly a window apart are not in one.
fn busiest(requests: &[Request], window: Duration) -> usize {
    let (mut first, mut most) = (0, 0);
    for (last, request) in requests.iter().enumerate() {
        while request.at.duration_since(requests[first].at) >= window {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

/// How many arrived between two instants: pushes, and others.
fn shares(requests: &[Request], from: Instant, to: Instant) -> (usize, usize) {
    let within = |request: &&Request| request.at >= from && request.at < to;
    let pushes = |request: &&Request| request.place == Place::Push;
    let all = requests.iter().filter(within).count();
    let pushed = requests.iter().filter(within).filter(pushes).count();
    (pushed, all - pushed)
}

fn never_over(world: &World) {
    let requests = counted(&world.double);
    let most = busiest(&requests, WINDOW);
    assert!(most <= LIMIT, "{most} requests in a window of {LIMIT}");
    let refused = requests.iter().filter(|request| request.status == 429);
    assert_eq!(refused.count(), 0, "nobody was told to slow down");
    world.no_violations();
}

/// Guarantee 8 and pitfall 113: two replicas and a backfill that want all they can get. The sum stays under the limit; deliver has four
/// fifths while it has work, backfill its fifth, and all of it when deliver has none.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_113_replicas_and_a_backfill_share_one_limit_and_deliver_goes_before() {
    let config = Config {
        bare_answers: true,
        ..limited(LIMIT, WINDOW)
    };
    let mut world = World::genesys(config, PACED).await;
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 25_000, 0.0).await;
    let backfill = Backfill::start(world.store.clone(), &world.double);
    let replicas = [world.deliver().await, world.deliver().await];
    eventually(SOON, "both are at work", async || world.pushes().len() > 10).await;
    let begun = Instant::now();
    eventually(SOON, "a while has passed", async || {
        begun.elapsed() > WINDOW * 4
    })
    .await;
    let busy_until = Instant::now();
    assert!(world.waiting().await > 0, "there was work all the time");
    let (pushed, asked) = shares(&counted(&world.double), begun, busy_until);
    // How nearly each has its share is shown where only the database's clock counts (the store's tests of budgets); here the machine may
    // be busy with other tests.
    let possible = LIMIT * 4;
    assert!(
        pushed + asked >= possible / 2,
        "the limit is used: {pushed} and {asked} of {possible}"
    );
    assert!(
        pushed * 10 >= (pushed + asked) * 6,
        "deliver goes before: {pushed} to {asked}"
    );
    assert!(
        asked * 20 >= pushed + asked,
        "backfill is not starved: {pushed} to {asked}"
    );

    // Nothing left to push: backfill has it all, once it is seen that deliver wants nothing.
    for mut replica in replicas {
        // Killed, it would leave a push open whose fate the next one writes.
        replica.term(SOON).await;
    }
    let idle = Instant::now() + Duration::from_secs(3);
    eventually(SOON, "another while has passed", async || {
        Instant::now() > idle + WINDOW * 2
    })
    .await;
    let (pushed, asked) = shares(&counted(&world.double), idle, idle + WINDOW * 2);
    assert_eq!(pushed, 0);
    let possible = LIMIT * 2;
    assert!(
        asked >= possible / 2,
        "backfill has all of it: {asked} of {possible}"
    );
    backfill.stop().await;
    never_over(&world);
    world.every_push_has_a_fate().await;
}

/// Pitfall 111: processes that are killed again and again, each with slots in hand, get nothing extra.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_111_a_crash_loop_never_goes_over_the_limit() {
    let mut world = World::genesys(limited(LIMIT, WINDOW), PACED)
        .await
        .with_lease_margin("1s");
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 15_000, 0.0).await;
    let mut replicas = vec![world.deliver().await, world.deliver().await];
    for round in 0..10_usize {
        let pushed = world.pushes().len();
        eventually(SOON, "some more were pushed", async || {
            world.pushes().len() >= pushed + 5 + 3 * (round % 3)
        })
        .await;
        let mut killed = replicas.swap_remove(round % 2);
        killed.kill9();
        replicas.push(world.deliver().await);
    }
    world.drained(Duration::from_secs(60)).await;
    assert_eq!(world.double.table().len(), 15_000);
    never_over(&world);
    world.every_push_has_a_fate().await;
    drop(replicas);
}

/// Pitfall 113: from three replicas to six in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_113_scaling_out_brings_no_429() {
    let mut world = World::genesys(limited(LIMIT, WINDOW), PACED).await;
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 12_000, 0.0).await;
    let mut replicas = Vec::new();
    for wave in 1..=2 {
        for _ in 0..3 {
            replicas.push(world.deliver().await);
        }
        eventually(SOON, "they are at work", async || {
            world.pushes().len() >= 30 * wave
        })
        .await;
    }
    world.drained(Duration::from_secs(60)).await;
    world.platform_has_everything_but(&[]);
    never_over(&world);
    drop(replicas);
}

/// Two files that state different limits for one credential: the lower one holds for both, and whoever stated the higher one is told.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_limits_for_one_credential_the_lower_one_holds() {
    let mut world = World::genesys(limited(LIMIT, WINDOW), PACED).await;
    let lower = Ask {
        credential: &grant(&Url::parse(&world.double.url()).unwrap()).credential_name(),
        route: "history",
        class: Class::Backfill,
        refill: ours().refill().unwrap() * 4,
        stated: true,
        want: 1,
        horizon: Duration::from_millis(100),
    };
    let client = world.store.client().await.unwrap();
    budgets::reserve(&client, &lower).await.unwrap();
    drop(client);
    let mut process = world.deliver().await;
    world.write_many(0, 4000, 0.0).await;
    process
        .wait_line("the lower limit", SOON, |line| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.contains("the lower one holds"))
        })
        .await;
    eventually(SOON, "some were pushed", async || world.pushes().len() > 20).await;
    let most = world.double.max_requests_in_any_window(WINDOW);
    assert!(most <= LIMIT / 4, "{most} in a window of {}", LIMIT / 4);
}

/// Pitfalls 13 and 101: what one replica was told, in whichever form, all keep to, and so does one that is started meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_13_and_101_a_pause_that_one_replica_was_told_is_kept_by_all() {
    let later = |seconds, as_date| Fault::Status {
        status: 429,
        retry_after: Some(seconds),
        as_date,
        store: false,
    };
    let script = [
        Phase::requests(5, Fault::None),
        Phase::requests(1, later(3, false)),
        Phase::requests(5, Fault::None),
        Phase::requests(1, later(3, true)),
    ];
    let config = Config {
        faults: Script::of(script),
        ..limited(LIMIT, WINDOW)
    };
    let mut world = World::genesys(config, PACED).await;
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 4000, 0.0).await;
    let mut replicas = vec![world.deliver().await, world.deliver().await];
    let throttled = async || {
        let pushes = world.pushes();
        pushes.iter().filter(|push| push.status == 429).count()
    };
    eventually(SOON, "the first pause", async || throttled().await == 1).await;
    replicas.push(world.deliver().await);
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    assert_eq!(throttled().await, 2);
    // A request before its time would be one.
    world.no_violations();
    drop(replicas);
}

/// Pitfall 116: a platform that has less to give than it says, four clients, waits that vary. Nobody skips anything, and nobody keeps the
/// limit exhausted: a handful of 429s.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_116_what_is_throttled_is_repeated_and_not_skipped() {
    let mut phases = Vec::new();
    for wait in [1, 2, 1] {
        phases.push(Phase::requests(45, Fault::None));
        phases.push(Phase::requests(
            1,
            Fault::Status {
                status: 429,
                retry_after: Some(wait),
                as_date: wait == 2,
                store: false,
            },
        ));
    }
    let config = Config {
        faults: Script::of(phases),
        ..limited(LIMIT, WINDOW)
    };
    let mut world = World::genesys(config, &format!("{PACED}\nbatch_max = 10\n")).await;
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 2000, 0.0).await;
    let begun = Instant::now();
    let replicas = [
        world.deliver().await,
        world.deliver().await,
        world.deliver().await,
        world.deliver().await,
    ];
    world.drained(Duration::from_secs(60)).await;
    let took = begun.elapsed();
    world.platform_has_everything_but(&[]);
    let pushes = world.pushes();
    let refused = pushes.iter().filter(|push| push.status == 429).count();
    assert_eq!(refused, 3, "each pause was asked for once");
    assert!(
        pushes.len() <= 200 + refused + 8,
        "each ten rows once, and what was refused once more: {}",
        pushes.len()
    );
    let least = WINDOW * 5 + Duration::from_secs(4);
    assert!(took < least * 3 / 2, "{took:?} where {least:?} would do");
    world.no_violations();
    world.every_push_has_a_fate().await;
    drop(replicas);
}

/// A budget that cannot be asked is no leave to push.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_budget_cannot_be_asked_nothing_is_sent() {
    let mut world = World::genesys(limited(LIMIT, WINDOW), PACED).await;
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 300, 0.0).await;
    let client = world.db.client().await;
    client
        .batch_execute("BEGIN; LOCK TABLE rate_budgets IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let mut process = world.spawn(&["--database-statement-timeout", "500ms"], world.db.url());
    process
        .wait_line("the budget cannot be asked", SOON, |line| {
            line["message"] == "the budget cannot be asked: nothing is sent"
        })
        .await;
    assert_eq!(world.pushes().len(), 0);
    client.batch_execute("COMMIT").await.unwrap();
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    never_over(&world);
    drop(process);
}

/// Pitfall 13: who is refused twice at once goes at half its pace, and at its full pace again once all is calm.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_13_the_full_pace_comes_back_after_two_refusals_at_once() {
    let again = Fault::Status {
        status: 429,
        retry_after: Some(1),
        as_date: false,
        store: false,
    };
    let script = [
        Phase::requests(5, Fault::None),
        Phase::requests(2, again),
        Phase::requests(1, Fault::None),
    ];
    let config = Config {
        faults: Script::of(script),
        ..limited(LIMIT, WINDOW)
    };
    let mut world = World::genesys(config, &format!("{PACED}\nbatch_max = 10\n")).await;
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 700, 0.0).await;
    let process = world.deliver().await;
    world.drained(Duration::from_secs(60)).await;
    let pushes = world.pushes();
    let refused = pushes.iter().filter(|push| push.status == 429).count();
    assert_eq!(refused, 2);
    let last = &pushes[pushes.len() - 25..];
    let pace = last[24].at.duration_since(last[0].at) / 24;
    let full = ours().refill().unwrap();
    assert!(
        pace < full * 8 / 5,
        "{pace:?} from one to the next, {full:?} is the full pace"
    );
    world.no_violations();
    drop(process);
}

/// Rows that would only be given back again are not claimed: another file states a limit whose slots are further apart than the patience.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_to_wait_for_long_asks_the_database_for_nothing_meanwhile() {
    let mut world =
        World::genesys(limited(LIMIT, WINDOW), &format!("{PACED}\nbatch_max = 1\n")).await;
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 40, 0.0).await;
    let outside = world.db.client().await;
    outside
        .batch_execute(
            "CREATE SEQUENCE updates; \
             CREATE FUNCTION count_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('updates'); RETURN NULL; END $$; \
             CREATE TRIGGER updates AFTER UPDATE ON sync_queue FOR EACH STATEMENT EXECUTE FUNCTION count_update()",
        )
        .await
        .unwrap();
    let lower = Ask {
        credential: &grant(&Url::parse(&world.double.url()).unwrap()).credential_name(),
        route: "history",
        class: Class::Backfill,
        refill: Duration::from_millis(1500),
        stated: true,
        want: 1,
        horizon: Duration::from_millis(100),
    };
    let client = world.store.client().await.unwrap();
    budgets::reserve(&client, &lower).await.unwrap();
    drop(client);
    let process = world.deliver().await;
    eventually(SOON, "four were pushed", async || world.pushes().len() >= 4).await;
    let row = outside.query_one("SELECT last_value FROM updates", &[]);
    let updates: i64 = row.await.unwrap().get(0);
    assert!(
        updates < 60,
        "{updates} updates of the queue for four pushes"
    );
    drop(process);
}
