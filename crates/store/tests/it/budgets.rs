//! Guarantee 8: however many processes ask, a credential's requests keep their distance.
//!
//! Most of it is shown without waiting: setting all instants of a row back is the same as time going by.

use crate::rows::db;
use std::time::Duration;
use store::budgets::{self, Answer, Ask, Class, Wait, reserve};
use store::{Client, Store};
use testkit::TestDb;

const SECOND: Duration = Duration::from_secs(1);

fn ask(class: Class) -> Ask<'static> {
    Ask {
        credential: "login.example/client",
        route: "details-jobs",
        class,
        refill: SECOND,
        stated: true,
        want: 1,
        horizon: 10 * SECOND,
    }
}

/// Lets time go by for the rows.
async fn pass(outside: &tokio_postgres::Client, by: Duration) {
    let by = format!("interval '{} milliseconds'", by.as_millis());
    outside
        .batch_execute(&format!(
            "UPDATE rate_budgets SET next_at = next_at - {by}, history_next_at = history_next_at - {by}, \
                    history_wants_until = history_wants_until - {by}, deliver_wants_until = deliver_wants_until - {by}, \
                    deliver_at = deliver_at - {by}, deliver_slot_at = deliver_slot_at - {by}; \
             UPDATE rate_pauses SET until = until - {by}"
        ))
        .await
        .unwrap();
}

/// A connection for it, that waits for no disk.
async fn outside(db: &TestDb) -> tokio_postgres::Client {
    let client = db.client().await;
    client
        .batch_execute("SET synchronous_commit = off")
        .await
        .unwrap();
    client
}

/// A budget whose first slot has come.
async fn ready(outside: &tokio_postgres::Client, client: &Client) {
    let first = reserve(client, &ask(Class::Backfill)).await.unwrap();
    assert!(matches!(first, Answer::Wait { .. }), "{first:?}");
    pass(outside, 10 * SECOND).await;
}

fn granted(answer: Answer) -> (Duration, u32) {
    match answer {
        Answer::Granted {
            first_in, count, ..
        } => (first_in, count),
        Answer::Wait { .. } => panic!("{answer:?}"),
    }
}

fn waits(answer: Answer) -> (Duration, Wait) {
    match answer {
        Answer::Wait { retry_in, reason } => (retry_in, reason),
        Answer::Granted { .. } => panic!("{answer:?}"),
    }
}

fn about(found: Duration, wanted: f64) {
    let found = found.as_secs_f64();
    assert!(
        (found - wanted).abs() < 0.5,
        "{found} is not about {wanted}"
    );
}

#[tokio::test]
async fn a_new_row_starts_empty_and_idle_time_earns_nothing() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let outside = outside(&db).await;
    let no_horizon = Ask {
        want: 10,
        horizon: Duration::ZERO,
        ..ask(Class::Deliver)
    };
    let (retry, reason) = waits(reserve(&client, &no_horizon).await.unwrap());
    assert_eq!(reason, Wait::Busy);
    about(retry, 1.0);
    let (retry, _) = waits(reserve(&client, &no_horizon).await.unwrap());
    about(retry, 1.0);
    pass(&outside, 3600 * SECOND).await;
    assert_eq!(
        granted(reserve(&client, &no_horizon).await.unwrap()),
        (Duration::ZERO, 1)
    );
    let (retry, reason) = waits(reserve(&client, &no_horizon).await.unwrap());
    assert_eq!(reason, Wait::Busy);
    about(retry, 1.0);
    // Further ahead: evenly spaced, and no further than the horizon.
    pass(&outside, 3600 * SECOND).await;
    let ahead = Ask {
        want: 100,
        ..ask(Class::Deliver)
    };
    let answer = reserve(&client, &ahead).await.unwrap();
    assert!(
        matches!(
            answer,
            Answer::Granted {
                first_in: Duration::ZERO,
                count: 11,
                spacing: SECOND,
                ..
            }
        ),
        "{answer:?}"
    );
    let (retry, reason) = waits(reserve(&client, &ahead).await.unwrap());
    assert_eq!(reason, Wait::Busy);
    about(retry, 1.0);
    pass(&outside, retry).await;
    let (first_in, count) = granted(reserve(&client, &ahead).await.unwrap());
    assert_eq!(count, 1);
    about(first_in, 10.0);
}

#[tokio::test]
async fn a_clock_that_was_set_back_stops_nobody_for_long() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let outside = outside(&db).await;
    ready(&outside, &client).await;
    outside
        .batch_execute("UPDATE rate_budgets SET next_at = now() + interval '5 hours'")
        .await
        .unwrap();
    let (retry, reason) = waits(reserve(&client, &ask(Class::Deliver)).await.unwrap());
    assert_eq!(reason, Wait::Busy);
    assert!(retry < Duration::from_secs(70), "{retry:?}");
}

/// One slot, by the database's clock in microseconds, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    at: i64,
    backfill: bool,
}

/// Asks in a transaction, so that the instant can be read before anybody else asks.
async fn slots(client: &mut Client, ask: &Ask<'_>) -> Result<Vec<Slot>, Duration> {
    let tx = client.transaction().await.unwrap();
    let answer = reserve(&tx, ask).await.unwrap();
    let (count, spacing) = match answer {
        Answer::Granted { count, spacing, .. } => (i64::from(count), spacing),
        Answer::Wait { retry_in, .. } => {
            tx.commit().await.unwrap();
            return Err(retry_in);
        }
    };
    let first = slot_at(&tx).await;
    tx.commit().await.unwrap();
    let spacing = i64::try_from(spacing.as_micros()).unwrap();
    Ok((0..count)
        .map(|number| Slot {
            at: first + number * spacing,
            backfill: ask.class == Class::Backfill,
        })
        .collect())
}

/// The first slot of the last answer.
async fn slot_at(conn: &impl store::Connection) -> i64 {
    use deadpool_postgres::GenericClient as _;
    conn.client()
        .query_one(
            "SELECT (extract(epoch FROM next_at) * 1000000)::bigint - granted * refill_us FROM rate_budgets",
            &[],
        )
        .await
        .unwrap()
        .get(0)
}

/// Never more than the limit in any rolling period.
fn keep_the_limit(slots: &[Slot], refill: Duration) {
    let refill = i64::try_from(refill.as_micros()).unwrap();
    for pair in slots.windows(2) {
        assert!(pair[1].at - pair[0].at >= refill, "{pair:?}");
    }
    let (requests, period) = (10, 10 * refill);
    for (number, slot) in slots.iter().enumerate() {
        let within = slots[number..]
            .iter()
            .take_while(|later| later.at < slot.at + period)
            .count();
        assert!(within <= requests, "{within} within one period");
    }
}

async fn until_enough(
    store: &Store,
    class: Class,
    want: u32,
    refill: Duration,
    enough: usize,
    sum: &std::sync::atomic::AtomicUsize,
) -> Vec<Slot> {
    use std::sync::atomic::Ordering::Relaxed;
    let mut client = store.client().await.unwrap();
    let mut mine = Vec::new();
    let ask = Ask {
        refill,
        want,
        horizon: 20 * refill,
        ..ask(class)
    };
    while sum.load(Relaxed) < enough {
        match slots(&mut client, &ask).await {
            Ok(slots) => {
                sum.fetch_add(slots.len(), Relaxed);
                mine.extend(slots);
            }
            // The pace that was asked for; nothing is waited for.
            Err(retry) => tokio::time::sleep(retry.min(SECOND)).await,
        }
    }
    mine
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_ask_at_once_slots_keep_their_distance() {
    let (_db, store) = db().await;
    let refill = Duration::from_millis(15);
    let sum = std::sync::atomic::AtomicUsize::new(0);
    let started = std::time::Instant::now();
    let asking = (0..8).map(|number| {
        let class = [Class::Deliver, Class::Backfill][number % 2];
        until_enough(
            &store,
            class,
            1 + u32::try_from(number).unwrap(),
            refill,
            200,
            &sum,
        )
    });
    let mut all: Vec<Slot> = futures_util::future::join_all(asking)
        .await
        .into_iter()
        .flatten()
        .collect();
    all.sort_unstable();
    assert!(all.len() >= 200);
    keep_the_limit(&all, refill);
    // And no more of them are wasted than the asking costs.
    let took = started.elapsed();
    let span = Duration::from_micros(u64::try_from(all[all.len() - 1].at - all[0].at).unwrap());
    assert!(
        span < 2 * refill * u32::try_from(all.len()).unwrap(),
        "{} slots over {span:?}, asked for within {took:?}",
        all.len()
    );
}

/// As [`slots`], where nobody else asks: without a transaction. The rows are of no worth after the test.
async fn slots_alone(client: &Client, ask: &Ask<'_>) -> Vec<Slot> {
    let Answer::Granted { count, spacing, .. } = reserve(client, ask).await.unwrap() else {
        return Vec::new();
    };
    let first = slot_at(client).await;
    let spacing = i64::try_from(spacing.as_micros()).unwrap();
    (0..i64::from(count))
        .map(|number| Slot {
            at: first + number * spacing,
            backfill: ask.class == Class::Backfill,
        })
        .collect()
}

const STEP: Duration = Duration::from_millis(500);

/// Both ask twice in each slot, one always before the other. All slots, as if the steps had taken their time.
async fn contended(first: Class, horizon: Duration, want: u32) {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let outside = outside(&db).await;
    ready(&outside, &client).await;
    let second = match first {
        Class::Deliver => Class::Backfill,
        Class::Backfill => Class::Deliver,
    };
    let mut all = Vec::new();
    for number in 0..240_i64 {
        for class in [first, second] {
            let ask = Ask {
                horizon,
                want,
                ..ask(class)
            };
            for slot in slots_alone(&client, &ask).await {
                let at = slot.at + number * i64::try_from(STEP.as_micros()).unwrap();
                all.push(Slot { at, ..slot });
            }
        }
        pass(&outside, STEP).await;
    }
    all.sort_unstable();
    keep_the_limit(&all, SECOND);
    assert!(all.len() >= 110, "{} of about 120", all.len());
    let backfill: Vec<i64> = all
        .iter()
        .filter(|slot| slot.backfill)
        .map(|slot| slot.at)
        .collect();
    let fifth = all.len() / 5;
    assert!(
        (fifth * 4 / 5..=fifth + 2).contains(&backfill.len()),
        "backfill got {} of {}",
        backfill.len(),
        all.len()
    );
    // Never two of them closer than five slots, but for those from before deliver first asked.
    let close = backfill
        .windows(2)
        .skip(usize::try_from(want).unwrap())
        .filter(|pair| pair[1] - pair[0] < 5_000_000)
        .count();
    assert_eq!(close, 0);
}

#[tokio::test]
async fn deliver_that_is_always_first_leaves_backfill_its_fifth() {
    contended(Class::Deliver, 10 * SECOND, 3).await;
}

#[tokio::test]
async fn backfill_that_is_always_first_gets_no_more_than_its_fifth() {
    contended(Class::Backfill, 10 * SECOND, 3).await;
}

#[tokio::test]
async fn without_looking_ahead_backfill_gets_its_fifth_too() {
    contended(Class::Deliver, STEP / 2, 1).await;
}

/// Who asks when, while time goes by as fast as the answers come: a second for each 203 ms of a real 300 a minute.
struct Day {
    client: Client,
    outside: tokio_postgres::Client,
    passed: Duration,
    slots: Vec<Slot>,
}

impl Day {
    const HORIZON: Duration = STEP;

    async fn ask(&mut self, class: Class) -> Result<(), Duration> {
        let ask = Ask {
            horizon: Self::HORIZON,
            ..ask(class)
        };
        match reserve(&self.client, &ask).await.unwrap() {
            Answer::Granted { .. } => {
                let at = slot_at(&self.client).await;
                self.slots.push(Slot {
                    at: at + i64::try_from(self.passed.as_micros()).unwrap(),
                    backfill: class == Class::Backfill,
                });
                Ok(())
            }
            Answer::Wait { retry_in, .. } => Err(retry_in),
        }
    }

    async fn pass_to(&mut self, instant: Duration) {
        let by = instant.saturating_sub(self.passed);
        if !by.is_zero() {
            pass(&self.outside, by).await;
            self.passed += by;
        }
    }

    fn of(&self, backfill: bool) -> usize {
        let mine = self.slots.iter().filter(|slot| slot.backfill == backfill);
        mine.count()
    }
}

/// Deliver has something to push now and then, two backfills ask for all there is.
async fn beside(every: Duration) {
    let (db, store) = db().await;
    let outside = outside(&db).await;
    let client = store.client().await.unwrap();
    ready(&outside, &client).await;
    let mut day = Day {
        client,
        outside,
        passed: Duration::ZERO,
        slots: Vec::new(),
    };
    let mut backfills = [Duration::ZERO, STEP / 3];
    let (mut news, mut deliver, mut pushed, mut longest) = (every, every, 0, Duration::ZERO);
    while day.passed < 120 * SECOND {
        let next = backfills[0].min(backfills[1]).min(deliver);
        day.pass_to(next).await;
        if deliver <= next {
            match day.ask(Class::Deliver).await {
                Ok(()) => {
                    pushed += 1;
                    longest = longest.max(next.saturating_sub(news));
                    news += every;
                    deliver = news.max(next + STEP / 10);
                }
                Err(retry) => deliver = next + retry,
            }
            continue;
        }
        let number = usize::from(backfills[1] <= next);
        backfills[number] = next
            + match day.ask(Class::Backfill).await {
                Ok(()) => STEP / 10,
                Err(retry) => retry,
            };
    }
    day.slots.sort_unstable();
    keep_the_limit(&day.slots, SECOND);
    let span = day.slots[day.slots.len() - 1].at - day.slots[0].at;
    let possible = usize::try_from(span / 1_000_000).unwrap() + 1;
    let left = possible - day.of(false);
    let backfill = day.of(true);
    assert!(
        backfill * 100 >= left * 95,
        "backfill got {backfill} of {left}, deliver {pushed}, of {possible}"
    );
    let wanted = day.passed.as_nanos() / every.as_nanos();
    assert!(u128::from(pushed + 1u32) >= wanted, "{pushed} of {wanted}");
    assert!(longest <= 2 * SECOND, "deliver waited {longest:?}");
}

#[tokio::test]
async fn backfill_has_all_that_deliver_does_not_want_beside_one_that_pushes_seldom() {
    beside(9400 * SECOND / 1000).await;
}

#[tokio::test]
async fn backfill_has_all_that_deliver_does_not_want_beside_one_that_pushes_often() {
    beside(2500 * SECOND / 1000).await;
}

#[tokio::test]
async fn a_backfill_that_died_costs_deliver_two_slots_at_most() {
    let (db, store) = db().await;
    let outside = outside(&db).await;
    let client = store.client().await.unwrap();
    ready(&outside, &client).await;
    let mut day = Day {
        client,
        outside,
        passed: Duration::ZERO,
        slots: Vec::new(),
    };
    day.ask(Class::Deliver).await.unwrap();
    // It waits for its fifth, and nobody hears of it again.
    day.ask(Class::Backfill).await.unwrap_err();
    let mut deliver = Duration::ZERO;
    while day.passed < 20 * SECOND {
        day.pass_to(deliver).await;
        deliver += match day.ask(Class::Deliver).await {
            Ok(()) => STEP / 10,
            Err(retry) => retry,
        };
    }
    let longest = day.slots.windows(2).map(|pair| pair[1].at - pair[0].at);
    let longest = longest.max().unwrap();
    assert!(longest < 2_100_000, "nobody had a slot for {longest} µs");
    assert!(day.slots.len() >= 19, "{}", day.slots.len());
}

#[tokio::test]
async fn whoever_is_refused_writes_nothing_that_was_written_before() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let outside = outside(&db).await;
    ready(&outside, &client).await;
    let row = async || {
        let row = outside
            .query_one(
                "SELECT xmin::text, xmax::text, ctid::text FROM rate_budgets",
                &[],
            )
            .await
            .unwrap();
        (0..3).map(|at| row.get(at)).collect::<Vec<String>>()
    };
    let near = |class| Ask {
        horizon: Duration::ZERO,
        ..ask(class)
    };
    granted(reserve(&client, &near(Class::Backfill)).await.unwrap());
    let before = row().await;
    for _ in 0..3 {
        waits(reserve(&client, &near(Class::Backfill)).await.unwrap());
    }
    assert_eq!(row().await, before, "nobody else is at work");
    waits(reserve(&client, &near(Class::Deliver)).await.unwrap());
    waits(reserve(&client, &near(Class::Backfill)).await.unwrap());
    let before = row().await;
    for class in [Class::Deliver, Class::Backfill, Class::Deliver] {
        waits(reserve(&client, &near(class)).await.unwrap());
    }
    assert_eq!(row().await, before, "the first of each has said it for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_was_written_while_somebody_waited_for_the_row_is_seen() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let outside = outside(&db).await;
    ready(&outside, &client).await;
    outside
        .batch_execute("BEGIN; SELECT FROM rate_budgets FOR UPDATE")
        .await
        .unwrap();
    let asking = tokio::spawn(async move { reserve(&client, &ask(Class::Deliver)).await.unwrap() });
    let other = store.client().await.unwrap();
    let watch = db.client().await;
    testkit::eventually(10 * SECOND, "it waits for the row", async || {
        let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')";
        watch.query_one(waiting, &[]).await.unwrap().get::<_, bool>(0)
    })
    .await;
    budgets::pause(
        &other,
        ask(Class::Deliver).credential,
        None,
        30 * SECOND,
        "429",
    )
    .await
    .unwrap();
    outside.batch_execute("COMMIT").await.unwrap();
    let (retry, reason) = waits(asking.await.unwrap());
    assert_eq!(reason, Wait::Paused);
    about(retry, 30.0);
}

#[tokio::test]
async fn a_default_changes_nothing_where_a_refill_is_stated() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let outside = outside(&db).await;
    let default = Ask {
        refill: 5 * SECOND,
        stated: false,
        ..ask(Class::Deliver)
    };
    let refill = async || budgets::list(&client).await.unwrap()[0].refill;
    waits(reserve(&client, &default).await.unwrap());
    assert_eq!(refill().await, 5 * SECOND, "nobody knows better");
    pass(&outside, 10 * SECOND).await;
    granted(reserve(&client, &ask(Class::Backfill)).await.unwrap());
    assert_eq!(refill().await, SECOND, "somebody does");
    pass(&outside, 10 * SECOND).await;
    granted(reserve(&client, &default).await.unwrap());
    assert_eq!(refill().await, SECOND);
    // A lower one that is stated holds.
    let lower = Ask {
        stated: true,
        ..default
    };
    reserve(&client, &lower).await.unwrap();
    assert_eq!(refill().await, 5 * SECOND);
}

#[tokio::test]
async fn a_pause_stops_all_for_as_long_as_it_lasts_and_is_never_shortened() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let outside = outside(&db).await;
    ready(&outside, &client).await;
    let other_route = Ask {
        route: "contacts",
        ..ask(Class::Deliver)
    };
    let credential = ask(Class::Deliver).credential;
    let pause = async |route, seconds, reason| {
        budgets::pause(
            &client,
            credential,
            route,
            Duration::from_secs(seconds),
            reason,
        )
        .await
        .unwrap()
    };
    let first = pause(Some("details-jobs"), 30, "Retry-After: 30").await;
    about(first.left, 30.0);
    assert_eq!(first.other_routes, 0);
    let shorter = pause(Some("details-jobs"), 2, "Retry-After: 2").await;
    about(shorter.left, 30.0);
    let (retry, reason) = waits(reserve(&client, &ask(Class::Deliver)).await.unwrap());
    assert_eq!(reason, Wait::Paused);
    about(retry, 30.0);
    // The others go on, until the second is refused and the caller pauses them all.
    granted(reserve(&client, &other_route).await.unwrap());
    assert_eq!(pause(Some("contacts"), 5, "429").await.other_routes, 1);
    pause(None, 60, "429 on two routes").await;
    let third = Ask {
        route: "anything",
        ..other_route
    };
    let (retry, reason) = waits(reserve(&client, &third).await.unwrap());
    assert_eq!(reason, Wait::Paused);
    about(retry, 60.0);
    let listed: Vec<(Option<String>, String)> = budgets::pauses(&client)
        .await
        .unwrap()
        .into_iter()
        .map(|pause| (pause.route, pause.reason))
        .collect();
    let wanted = [
        (None, "429 on two routes"),
        (Some("contacts"), "429"),
        (Some("details-jobs"), "Retry-After: 30"),
    ];
    assert_eq!(
        listed,
        wanted.map(|(route, reason)| (route.map(str::to_owned), reason.to_owned()))
    );
    // Afterwards the pace is the old one; waiting has earned nothing.
    pass(&outside, 61 * SECOND).await;
    assert_eq!(budgets::pauses(&client).await.unwrap(), []);
    let many = Ask {
        want: 50,
        horizon: Duration::ZERO,
        ..third
    };
    assert_eq!(
        granted(reserve(&client, &many).await.unwrap()),
        (Duration::ZERO, 1)
    );
    // Another credential never noticed.
    let other = Ask {
        credential: "other",
        ..ask(Class::Deliver)
    };
    pause(None, 60, "again").await;
    assert_eq!(waits(reserve(&client, &other).await.unwrap()).1, Wait::Busy);
    let over = "UPDATE rate_pauses SET until = clock_timestamp()";
    outside.batch_execute(over).await.unwrap();
    granted(
        reserve(
            &client,
            &Ask {
                horizon: 20 * SECOND,
                ..third
            },
        )
        .await
        .unwrap(),
    );
    let budgets = budgets::list(&client).await.unwrap();
    assert_eq!(budgets.len(), 2);
    assert_eq!((budgets[0].refill, budgets[0].granted), (SECOND, 1));
}
