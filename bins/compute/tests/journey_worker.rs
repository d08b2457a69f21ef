//! Journeys against a real PostgreSQL: whatever the order, the batches, the workers and the crashes, each contact's rows are those of the
//! pure evaluation of all contacts of its customer.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used)]

use compute::apply::Applier;
use compute::catalogue::{self, Active};
use compute::journey_worker::{Drained, JourneyConfig, JourneyWorker};
use compute::plan::{Plan, PlannedSession};
use kpi::Subject;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt as _, SeedableRng};
use schema::{
    AgentRef, CustomerKey, Details, Direction, Fact, FactKey, MetricVersion, SourceRank, State,
    Statement, UtcMicros,
};
use session::Session;
use std::collections::{BTreeMap, BTreeSet};
use store::definitions::{self, Status};
use testkit::db::TestDb;

/// 2024-03-05T10:00:00Z.
const TEN: i64 = 1_709_632_800_000;
const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;

/// Long after everything here.
const LATE: i64 = 1000 * DAY;

const FCR: &str = "first_contact_resolution";

fn at(ms: i64) -> UtcMicros {
    UtcMicros::from_millis(TEN + ms)
}

/// One contact of a customer, from one instant to another (milliseconds since [`TEN`]).
#[derive(Debug, Clone)]
struct Contact {
    id: String,
    key: Option<String>,
    from: i64,
    to: Option<i64>,
    outbound: bool,
    revision: i64,
}

fn contact(id: &str, key: &str, from: i64, to: i64) -> Contact {
    Contact {
        id: id.to_owned(),
        key: Some(key.to_owned()),
        from,
        to: Some(to),
        outbound: false,
        revision: 0,
    }
}

/// One minute long, on that day.
fn on_day(id: &str, day: i64) -> Contact {
    contact(id, "k", day * DAY, day * DAY + MINUTE)
}

impl Contact {
    fn fact(&self, key: &str, ms: i64, state: State) -> Fact {
        Fact {
            key: FactKey::event(key),
            at: at(ms),
            revision: Some(at(self.revision)),
            rank: SourceRank::Event,
            statement: Statement {
                state: Some(state),
                ..Statement::default()
            },
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let mut began = self.fact("1", self.from, State::Connected);
        began.statement.agent = Some(AgentRef {
            id: "anna".into(),
            zone: None,
        });
        began.statement.queue = Some("support".into());
        let mut details = Details {
            customer_key: self.key.as_deref().map(CustomerKey::new),
            ..Details::default()
        };
        details.direction = self.outbound.then_some(Direction::Outbound);
        began.statement.details = Some(Box::new(details));
        let ended = self.to.map(|to| self.fact("2", to, State::Completed));
        [began].into_iter().chain(ended).collect()
    }

    fn session(&self) -> Session {
        let mut session = Session::default();
        for fact in self.facts() {
            session.insert(fact);
        }
        session
    }

    /// The same, stated anew.
    fn revised(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut revised = self.clone();
        revised.revision += 1;
        change(&mut revised);
        revised
    }
}

fn plan(contacts: &[Contact], job: Option<u16>) -> Plan {
    let mut sessions: BTreeMap<&str, Vec<Fact>> = BTreeMap::new();
    for contact in contacts {
        let facts = sessions.entry(&contact.id).or_default();
        facts.extend(contact.facts());
    }
    Plan {
        sessions: sessions
            .into_iter()
            .map(|(id, facts)| PlannedSession {
                tenant: "acme".into(),
                interaction: id.into(),
                facts,
                job_versions: job.into_iter().map(MetricVersion).collect(),
            })
            .collect(),
        ..Plan::default()
    }
}

struct World {
    db: TestDb,
    applier: Applier,
    worker: JourneyWorker,
}

impl World {
    /// A compute that evaluates these definitions that ship.
    async fn with(names: &[&str], contacts_max: usize) -> Self {
        let db = TestDb::new().await;
        catalogue::ship(&db.store().await).await.unwrap();
        let applier = Applier::new(db.store_with(8).await);
        let config = JourneyConfig {
            contacts_max,
            ..JourneyConfig::default()
        };
        let world = Self {
            worker: JourneyWorker::new(&applier, config),
            applier,
            db,
        };
        for name in names {
            world.set_status(name, Status::Candidate).await;
        }
        world
    }

    async fn set_status(&self, name: &str, status: Status) {
        let mut client = self.applier.store().client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        definitions::change(&tx).await.unwrap();
        definitions::set_status(&tx, name, MetricVersion(1), status)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn fold(&self, contacts: &[Contact]) {
        self.applier.apply(&plan(contacts, None)).await.unwrap();
    }

    async fn drain(&self, as_of: i64) -> Drained {
        let drained = self.worker.drain(at(as_of)).await.unwrap();
        let left = "SELECT count(*)::text FROM dirty_marks WHERE kind = 'journey'";
        assert_eq!(self.text(left).await, "0");
        drained
    }

    async fn text(&self, sql: &str) -> String {
        let row = self.db.client().await.query_one(sql, &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    /// As a later release would write them: all that are named like this.
    async fn make_unreadable(&self, named: &str) {
        let sql = "UPDATE interactions SET state = '{\"v\": 99}' WHERE interaction_id LIKE $1";
        let client = self.db.client().await;
        client.execute(sql, &[&named]).await.unwrap();
    }

    /// Until so many transactions wait for another's lock.
    async fn until_waiting(&self, many: &str) {
        let within = std::time::Duration::from_secs(20);
        testkit::eventually::eventually(within, "transactions wait", async || {
            let waits = "SELECT count(*)::text FROM pg_stat_activity \
                         WHERE datname = current_database() AND wait_event_type = 'Lock'";
            self.text(waits).await == many
        })
        .await;
    }

    /// What each contact has by one definition: the value, else the reason why there is none.
    async fn shown(&self, metric: &str) -> Vec<(String, String)> {
        let sql = "SELECT interaction_id, coalesce(metric_value::text, metadata ->> 'reason') FROM computed_metrics \
                   WHERE metric_type = $1 ORDER BY interaction_id";
        let rows = self.db.client().await.query(sql, &[&metric]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    async fn values(&self, metric: &str) -> Vec<String> {
        let shown = self.shown(metric).await.into_iter();
        shown.map(|(_, value)| value).collect()
    }

    /// Queue, scaled sum and weight of what is in windows, by contact; the marks of cells are taken away.
    async fn items(&self) -> Vec<(String, i64, i64)> {
        let client = self.db.client().await;
        let rows = client
            .query(
                "SELECT tenant, subject FROM window_items WHERE source = 'journey' ORDER BY subject",
                &[],
            )
            .await
            .unwrap();
        let keys: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let store = self.applier.store().client().await.unwrap();
        let source = store::window_items::Source::Journey;
        let items = store::window_items::of_subjects(&store, source, &keys)
            .await
            .unwrap();
        client
            .batch_execute("DELETE FROM dirty_marks")
            .await
            .unwrap();
        items
            .into_iter()
            .flat_map(|(_, item)| {
                assert_eq!(item.queue_id.as_deref(), Some("support"));
                assert_eq!(item.agent_id.as_deref(), Some("anna"));
                let subject = item.subject;
                let measures = item.measures.into_iter();
                measures.map(move |(_, sum, weight)| (subject.clone(), sum, weight))
            })
            .collect()
    }
}

#[tokio::test]
async fn contacts_on_days_0_6_and_20_are_two_matters_of_seven_days() {
    let names = [FCR, "contacts_per_issue", "repeat_contact"];
    let world = World::with(&names, 500).await;
    let calls = [on_day("a", 0), on_day("b", 6), on_day("c", 20)];
    // The last first, each for itself.
    for call in calls.iter().rev() {
        world.fold(std::slice::from_ref(call)).await;
        world.drain(LATE).await;
    }
    assert_eq!(world.values(FCR).await, ["0", "filtered", "1"]);
    assert_eq!(
        world.values("contacts_per_issue").await,
        ["2", "filtered", "1"]
    );
    assert_eq!(world.values("repeat_contact").await, ["0", "1", "0"]);
    // Nothing new: nothing is looked at, and the same facts change nothing.
    assert_eq!(world.drain(LATE).await, Drained::default());
    world.fold(&calls).await;
    assert_eq!(world.drain(LATE).await, Drained::default());
}

#[tokio::test]
async fn exactly_seven_days_after_the_end_is_still_a_repeat() {
    let world = World::with(&[FCR], 500).await;
    let second = 7 * DAY + MINUTE;
    world
        .fold(&[
            on_day("a", 0),
            contact("b", "k", second, second + MINUTE),
            contact("x", "k2", 0, MINUTE),
            contact("y", "k2", second + 1, second + MINUTE),
            // Without a customer there is no verdict.
            Contact {
                key: None,
                ..on_day("z", 0)
            },
        ])
        .await;
    world.drain(LATE).await;
    let expected = [("a", "0"), ("b", "filtered"), ("x", "1"), ("y", "1")];
    let expected: Vec<_> = expected
        .iter()
        .map(|(id, value)| ((*id).to_owned(), (*value).to_owned()))
        .collect();
    assert_eq!(world.shown(FCR).await, expected);
}

#[tokio::test]
async fn what_the_centre_began_is_no_repeat() {
    let world = World::with(&[FCR], 500).await;
    let between = Contact {
        outbound: true,
        ..on_day("b", 2)
    };
    world.fold(&[on_day("a", 0), between]).await;
    world.drain(LATE).await;
    assert_eq!(world.values(FCR).await, ["1", "filtered"]);
}

#[tokio::test]
async fn a_repeat_flips_the_verdict_of_the_contact_before_it_and_back() {
    let world = World::with(&[FCR], 500).await;
    world.fold(&[on_day("a", 0)]).await;
    world.drain(LATE).await;
    assert_eq!(world.values(FCR).await, ["1"]);
    assert_eq!(world.items().await, [("a".to_owned(), 1_000_000, 1)]);
    let repeat = on_day("b", 3);
    world.fold(std::slice::from_ref(&repeat)).await;
    let drained = world.drain(LATE).await;
    assert_eq!(
        (drained.customers, drained.written, drained.cells),
        (1, 2, 1)
    );
    assert_eq!(world.values(FCR).await, ["0", "filtered"]);
    assert_eq!(world.items().await, [("a".to_owned(), 0, 1)]);
    // It was somebody else after all.
    let other = repeat.revised(|contact| contact.key = Some("k2".to_owned()));
    world.fold(std::slice::from_ref(&other)).await;
    world.drain(LATE).await;
    assert_eq!(world.values(FCR).await, ["1", "1"]);
    // Nobody is known to have called: no verdict, and nothing in the windows.
    let nobody = other.revised(|contact| contact.key = None);
    world.fold(&[nobody]).await;
    world.drain(LATE).await;
    assert_eq!(world.values(FCR).await, ["1", "no_customer"]);
    assert_eq!(world.items().await, [("a".to_owned(), 1_000_000, 1)]);
    let gone =
        "SELECT string_agg(customer_key || gone::text, ' ' ORDER BY customer_key) FROM journeys";
    assert_eq!(world.text(gone).await, "k{} k2{}");
}

#[tokio::test]
async fn a_call_back_in_time_moves_a_contact_between_matters() {
    let world = World::with(&["contacts_per_issue"], 500).await;
    let moved = on_day("b", 30);
    world
        .fold(&[on_day("a", 0), moved.clone(), on_day("c", 33)])
        .await;
    world.drain(LATE).await;
    let metric = "contacts_per_issue";
    assert_eq!(world.values(metric).await, ["1", "2", "filtered"]);
    // It began long before it was first thought to, lasts as long as ever, and a short one lies within it.
    world
        .fold(&[
            moved.revised(|contact| contact.from = 5 * DAY),
            on_day("bb", 10),
        ])
        .await;
    world.drain(LATE).await;
    let mut expected = vec!["4", "filtered", "filtered", "filtered"];
    assert_eq!(world.values(metric).await, expected);
    // Found again from its far end, although it began weeks before and before the short one.
    world.fold(&[on_day("d", 36)]).await;
    world.drain(LATE).await;
    expected[0] = "5";
    expected.push("filtered");
    assert_eq!(world.values(metric).await, expected);
}

#[tokio::test]
async fn time_alone_makes_a_verdict_final() {
    let world = World::with(&[FCR], 500).await;
    let due = "SELECT to_char(due_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI') FROM journeys";
    world.fold(&[on_day("a", 0)]).await;
    world.drain(5 * DAY).await;
    assert_eq!(world.values(FCR).await, ["not_final"]);
    assert_eq!(world.text(due).await, "03-12 10:01");
    assert_eq!(world.items().await, []);
    assert_eq!(world.drain(7 * DAY + MINUTE - 1).await, Drained::default());
    let drained = world.drain(7 * DAY + MINUTE).await;
    assert_eq!(
        (drained.customers, drained.written, drained.cells),
        (1, 1, 1)
    );
    assert_eq!(world.values(FCR).await, ["1"]);
    assert_eq!(world.text(due).await, "");
    // Who has called again is judged at once; the other waits.
    world.fold(&[on_day("b", 20), on_day("c", 22)]).await;
    world.drain(23 * DAY).await;
    assert_eq!(world.values(FCR).await, ["1", "0", "filtered"]);
    assert_eq!(world.text(due).await, "");
    world.fold(&[on_day("d", 40), on_day("e", 50)]).await;
    world.drain(44 * DAY).await;
    assert_eq!(world.text(due).await, "04-21 10:01");
    world.drain(48 * DAY).await;
    assert_eq!(world.text(due).await, "05-01 10:01");
    assert_eq!(
        world.values(FCR).await,
        ["1", "0", "filtered", "1", "not_final"]
    );
    world.drain(LATE).await;
    assert_eq!(world.values(FCR).await, ["1", "0", "filtered", "1", "1"]);
}

#[tokio::test]
async fn a_contact_that_goes_on_has_no_verdict_and_is_a_repeat_all_the_same() {
    let world = World::with(&[FCR], 500).await;
    let open = Contact {
        to: None,
        ..on_day("b", 3)
    };
    world.fold(&[on_day("a", 0), open.clone()]).await;
    world.drain(4 * DAY).await;
    assert_eq!(world.shown(FCR).await, [("a".to_owned(), "0".to_owned())]);
    world
        .fold(&[Contact {
            to: Some(5 * DAY),
            ..open
        }])
        .await;
    world.drain(LATE).await;
    assert_eq!(world.values(FCR).await, ["0", "filtered"]);
}

#[tokio::test]
async fn a_number_that_many_share_is_no_customer() {
    let world = World::with(&["repeat_contact"], 5).await;
    let metric = "repeat_contact";
    let calls: Vec<Contact> = (0..6)
        .map(|day| on_day(&format!("call_{day}"), day))
        .collect();
    world.fold(&calls[..5]).await;
    world.drain(LATE).await;
    assert_eq!(world.values(metric).await, ["0", "1", "1", "1", "1"]);
    assert_eq!(world.items().await.len(), 5);
    world.fold(&calls[5..]).await;
    world.drain(LATE).await;
    assert_eq!(world.values(metric).await, ["too_many_contacts"; 6]);
    assert_eq!(world.items().await, []);
    // One more costs no more than itself.
    world.fold(&[on_day("call_7", 7)]).await;
    assert_eq!(world.drain(LATE).await.evaluated, 1);
    let far = on_day("far", 30);
    world.fold(&[far]).await;
    world.drain(LATE).await;
    let values = world.values(metric).await;
    assert_eq!(values[..7], ["too_many_contacts"; 7]);
    assert_eq!(values[7], "0");
    // Two of them turn out to be others': the rest is a person's again.
    let others: Vec<Contact> = calls[1..3]
        .iter()
        .map(|call| call.revised(|call| call.key = None))
        .collect();
    world.fold(&others).await;
    world.drain(LATE).await;
    assert_eq!(
        world.values(metric).await,
        ["0", "no_customer", "no_customer", "1", "1", "1", "1", "0"]
    );
}

#[tokio::test]
async fn a_job_asks_for_a_version_that_is_switched_off() {
    let world = World::with(&[FCR], 500).await;
    let calls = [on_day("a", 0), on_day("b", 6)];
    world.fold(&calls).await;
    world.drain(LATE).await;
    world.set_status("repeat_contact", Status::Candidate).await;
    world.set_status("repeat_contact", Status::Retired).await;
    world.applier.apply(&plan(&calls, Some(1))).await.unwrap();
    let drained = world.drain(LATE).await;
    assert_eq!(world.values("repeat_contact").await, ["0", "1"]);
    assert_eq!(world.values(FCR).await, ["0", "filtered"]);
    assert_eq!(drained.written, 2);
}

#[tokio::test]
async fn a_contact_that_cannot_be_read_holds_up_its_customer_alone() {
    let world = World::with(&[FCR], 500).await;
    world
        .fold(&[
            on_day("a", 0),
            on_day("b", 3),
            contact("c", "k2", 0, MINUTE),
        ])
        .await;
    world.make_unreadable("b").await;
    let drained = world.worker.drain(at(LATE)).await.unwrap();
    assert_eq!((drained.customers, drained.unreadable), (1, 1));
    assert_eq!(world.shown(FCR).await, [("c".to_owned(), "1".to_owned())]);
    let left = "SELECT string_agg(DISTINCT subject, ' ') FROM dirty_marks WHERE kind = 'journey'";
    assert_eq!(world.text(left).await, "k");
}

#[tokio::test]
async fn many_that_cannot_be_read_hide_nobody_between_them() {
    let world = World::with(&[FCR], 500).await;
    let calls: Vec<Contact> = (0..=400)
        .map(|nth| {
            let name = if nth == 200 { "readable" } else { "x" };
            let (id, from) = (format!("{name}_{nth}"), nth * MINUTE);
            contact(&id, &format!("k{nth}"), from, from + MINUTE)
        })
        .collect();
    world.fold(&calls).await;
    world.make_unreadable("x%").await;
    // In one round fit 200: from either end there are as many that cannot be read.
    let drained = world.worker.drain(at(LATE)).await.unwrap();
    assert_eq!((drained.customers, drained.unreadable), (1, 400));
    let shown = [("readable_200".to_owned(), "1".to_owned())];
    assert_eq!(world.shown(FCR).await, shown);
    let left = "SELECT count(DISTINCT subject)::text FROM dirty_marks WHERE kind = 'journey'";
    assert_eq!(world.text(left).await, "400");
}

#[tokio::test]
async fn a_contact_that_left_and_cannot_be_read_is_not_forgotten() {
    let world = World::with(&[FCR], 500).await;
    let call = on_day("a", 0);
    world.fold(std::slice::from_ref(&call)).await;
    world.drain(LATE).await;
    world
        .fold(&[call.revised(|contact| contact.key = None)])
        .await;
    world.make_unreadable("a").await;
    let drained = world.worker.drain(at(LATE)).await.unwrap();
    assert_eq!((drained.customers, drained.unreadable), (0, 1));
    let gone = "SELECT gone::text FROM journeys";
    assert_eq!(world.text(gone).await, "{a}");
}

/// What the pure evaluation gives: value or reason by contact and metric.
async fn expected(world: &World, contacts: &[Contact]) -> BTreeMap<(String, String), String> {
    let client = world.applier.store().client().await.unwrap();
    let active = Active::of(catalogue::load(&client).await.unwrap());
    let which = active.of_news(&BTreeSet::new());
    let mut by_key: BTreeMap<&str, Vec<&Contact>> = BTreeMap::new();
    for contact in contacts {
        if let Some(key) = &contact.key {
            by_key.entry(key).or_default().push(contact);
        }
    }
    let mut shown = BTreeMap::new();
    for contacts in by_key.values() {
        let sessions: Vec<Session> = contacts.iter().map(|contact| contact.session()).collect();
        let timelines: Vec<_> = sessions.iter().map(Session::timeline).collect();
        let subjects: Vec<Subject<'_>> = contacts
            .iter()
            .zip(&timelines)
            .map(|(contact, timeline)| Subject {
                tenant: "acme",
                interaction: &contact.id,
                timeline,
                swept: false,
            })
            .collect();
        let journey = active.catalogue.journey(&subjects);
        for (index, contact) in contacts.iter().enumerate() {
            let mut rows = Vec::new();
            journey.evaluate(&which, index, at(LATE), &mut rows);
            for row in rows {
                let reason = row.metadata.reason.as_ref().map(ToString::to_string);
                let value = row.value.map(|value| value.to_string());
                shown.insert(
                    (contact.id.clone(), row.metric.to_string()),
                    value.or(reason).unwrap(),
                );
            }
        }
    }
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn any_order_of_contacts_and_any_number_of_workers_end_in_the_pure_evaluation() {
    let names = [
        FCR,
        "contacts_per_issue",
        "repeat_contact",
        "first_contact_resolution_disposition",
    ];
    for seed in 0..4 {
        let mut rng = StdRng::seed_from_u64(seed);
        let world = World::with(&names, 500).await;
        let mut last = BTreeMap::new();
        let mut arrivals: Vec<Contact> = Vec::new();
        for nth in 0..60 {
            let from = rng.random_range(0..40 * DAY);
            let length = if rng.random_bool(0.1) {
                9 * DAY
            } else {
                10 * MINUTE
            };
            let mut call = contact(
                &format!("call_{nth:02}"),
                &format!("k{}", rng.random_range(0..6)),
                from,
                from + rng.random_range(0..length),
            );
            call.outbound = rng.random_bool(0.2);
            arrivals.push(call.clone());
            while rng.random_bool(0.3) {
                call = call.revised(|call| {
                    call.key = Some(format!("k{}", rng.random_range(0..6)));
                    call.from += rng.random_range(-3 * DAY..MINUTE);
                });
                arrivals.push(call.clone());
            }
            last.insert(call.id.clone(), call);
        }
        arrivals.shuffle(&mut rng);
        let mut folds = Vec::new();
        while !arrivals.is_empty() {
            let size = rng.random_range(1..=8).min(arrivals.len());
            folds.push(arrivals.drain(..size).collect::<Vec<_>>());
        }
        let crashes: Vec<u64> = (0..40).map(|_| rng.random_range(0..30_000)).collect();
        let mut workers = tokio::task::JoinSet::new();
        let applier = world.applier.clone();
        workers.spawn(async move {
            for fold in folds {
                applier.apply(&plan(&fold, None)).await.unwrap();
            }
        });
        for crashes in crashes.chunks(20) {
            let (worker, crashes) = (world.worker.clone(), crashes.to_vec());
            workers.spawn(async move {
                for crash in crashes {
                    // A crash anywhere; and what is under way is judged with what is known by then.
                    let crash = std::time::Duration::from_micros(crash);
                    let as_of = at(some_instant(crash));
                    let _cut_off = tokio::time::timeout(crash, worker.drain(as_of)).await;
                }
            });
        }
        while let Some(worker) = workers.join_next().await {
            worker.unwrap();
        }
        world.drain(LATE).await;
        let contacts: Vec<Contact> = last.into_values().collect();
        let mut shown = BTreeMap::new();
        for name in names {
            for (id, value) in world.shown(name).await {
                shown.insert((id, name.to_owned()), value);
            }
        }
        assert_eq!(shown, expected(&world, &contacts).await, "seed {seed}");
    }
}

/// Some instant among the contacts.
fn some_instant(crash: std::time::Duration) -> i64 {
    i64::try_from(crash.as_micros()).unwrap() * (50 * DAY / 30_000)
}

#[tokio::test]
async fn what_is_too_much_for_one_round_is_done_in_the_next() {
    let world = World::with(&["repeat_contact"], 10).await;
    let shared: Vec<Contact> = (0..2_500)
        .map(|nth| {
            contact(
                &format!("c{nth:04}"),
                "shared",
                nth * MINUTE,
                nth * MINUTE + 1,
            )
        })
        .collect();
    for part in shared.chunks(500) {
        world.fold(part).await;
    }
    let drained = world.drain(LATE).await;
    assert!(drained.customers > 1, "{drained:?}");
    let reasons = "SELECT string_agg(DISTINCT metadata ->> 'reason', ' ') || count(*) FROM computed_metrics \
                   WHERE metric_type = 'repeat_contact'";
    assert_eq!(world.text(reasons).await, "too_many_contacts2500");
    let remembered = "SELECT longest_ms || ' ' || coalesce(due_at::text, '-') FROM journeys";
    assert_eq!(world.text(remembered).await, "2 -");
}

#[tokio::test]
async fn a_contact_that_leaves_waits_for_its_customer_and_for_nothing_behind_it() {
    let world = World::with(&[FCR], 500).await;
    world.fold(&[on_day("a", 0)]).await;
    world.drain(LATE).await;
    // As the worker does: the customer first, and then what was found out about zones.
    let mut other = world.db.client().await;
    let tx = other.transaction().await.unwrap();
    tx.execute("UPDATE journeys SET contacts = contacts", &[])
        .await
        .unwrap();
    let moved = on_day("a", 0).revised(|contact| contact.key = Some("k2".to_owned()));
    let mut plan = plan(&[moved], None);
    for fact in &mut plan.sessions[0].facts {
        if let Some(agent) = &mut fact.statement.agent {
            agent.zone = Some("Mars/Base".into());
        }
    }
    let worker = async {
        world.until_waiting("1").await;
        let found = "INSERT INTO zone_findings (tenant, source, stated, interaction_id) VALUES ('acme', 'agent', 'Mars/Base', 'x') \
                     ON CONFLICT (tenant, source, stated) DO UPDATE SET last_seen = now()";
        tx.execute(found, &[]).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (folded, ()) = tokio::join!(world.applier.apply(&plan), worker);
    folded.unwrap();
    let findings = "SELECT string_agg(stated, ' ') FROM zone_findings";
    assert_eq!(world.text(findings).await, "Mars/Base");
}

#[tokio::test]
async fn a_contact_becomes_nobodys_before_it_becomes_anothers() {
    let world = World::with(&[FCR], 500).await;
    let (first, moved) = (contact("a", "other", 0, MINUTE), on_day("b", 0));
    world.fold(&[first.clone(), moved.clone()]).await;
    world.drain(LATE).await;
    let nobodys = moved.revised(|contact| contact.key = None);
    let longer = first.revised(|contact| contact.to = Some(2 * MINUTE));
    world.fold(&[longer, nobodys.clone()]).await;
    // The worker has found out whose contact b is, and cannot write yet, for a comes first.
    let mut other = world.db.client().await;
    let tx = other.transaction().await.unwrap();
    let hold = "SELECT 1 FROM computed_metrics WHERE interaction_id = 'a' FOR UPDATE";
    tx.execute(hold, &[]).await.unwrap();
    let found = nobodys.revised(|contact| contact.key = Some("k2".to_owned()));
    let fold = async {
        world.until_waiting("1").await;
        world.fold(&[found]).await;
    };
    let release = async {
        world.until_waiting("2").await;
        assert_eq!(world.values(FCR).await, ["1", "1"]);
        tx.commit().await.unwrap();
    };
    let (drained, (), ()) = tokio::join!(world.worker.drain(at(LATE)), fold, release);
    drained.unwrap();
    world.drain(LATE).await;
    assert_eq!(world.values(FCR).await, ["1", "1"]);
    let items = ["a", "b"].map(|id| (id.to_owned(), 1_000_000, 1));
    assert_eq!(world.items().await, items);
}

#[tokio::test]
async fn a_contact_that_left_and_is_being_folded_is_left_for_another_time() {
    let world = World::with(&[FCR], 500).await;
    let call = on_day("a", 0);
    world.fold(std::slice::from_ref(&call)).await;
    world.drain(LATE).await;
    world
        .fold(&[call.revised(|contact| contact.key = None)])
        .await;
    let mut other = world.db.client().await;
    let tx = other.transaction().await.unwrap();
    let hold = "SELECT 1 FROM interactions WHERE interaction_id = 'a' FOR UPDATE";
    tx.execute(hold, &[]).await.unwrap();
    // It does not wait: who folds may wait for the journey that it has.
    let drained = world.worker.drain(at(LATE)).await.unwrap();
    assert_eq!(drained, Drained::default());
    assert_eq!(world.values(FCR).await, ["1"]);
    tx.commit().await.unwrap();
    world.drain(LATE).await;
    assert_eq!(world.values(FCR).await, ["no_customer"]);
}

#[tokio::test]
async fn contacts_that_were_erased_are_nobodys_and_their_journey_can_go() {
    use store::marks::{Kind, Mark};
    use store::{erasures, journeys, marks};
    let world = World::with(&[FCR], 500).await;
    world
        .fold(&[
            on_day("a", 0),
            on_day("b", 3),
            contact("c", "other", 0, MINUTE),
        ])
        .await;
    world.drain(LATE).await;
    assert_eq!(world.values(FCR).await, ["0", "filtered", "1"]);
    // As `ingest erase` does.
    let mut client = world.applier.store().client().await.unwrap();
    let ids = erasures::interactions_of(&client, "acme", "k")
        .await
        .unwrap();
    assert_eq!(ids, ["a", "b"]);
    let tx = client.transaction().await.unwrap();
    let linked = erasures::linked(&tx, "acme", &ids).await.unwrap();
    let named: Vec<&str> = ids.iter().map(String::as_str).collect();
    erasures::unlink(&tx, "acme", &named).await.unwrap();
    for it in &linked {
        let left = [journeys::Left {
            tenant: "acme",
            customer_key: "k",
            interaction_id: &it.interaction_id,
        }];
        journeys::left(&tx, &left).await.unwrap();
        let touched = [Mark {
            kind: Kind::Journey,
            tenant: "acme",
            subject: "k",
            from: it.started_at.unwrap(),
            to: it.ended_at.unwrap(),
        }];
        marks::append(&tx, &touched).await.unwrap();
    }
    assert!(!erasures::drop_journey(&tx, "acme", "k").await.unwrap());
    tx.commit().await.unwrap();
    world.drain(LATE).await;
    assert_eq!(world.values(FCR).await, ["no_customer", "no_customer", "1"]);
    let tx = client.transaction().await.unwrap();
    assert!(erasures::drop_journey(&tx, "acme", "k").await.unwrap());
    tx.commit().await.unwrap();
    let left = "SELECT string_agg(customer_key, ' ') FROM journeys";
    assert_eq!(world.text(left).await, "other");
    // The sessions are as they were but for the key: a later fact folds into them.
    world
        .fold(&[on_day("a", 0).revised(|contact| {
            contact.key = None;
            contact.to = Some(5 * MINUTE);
        })])
        .await;
    world.drain(LATE).await;
    assert_eq!(world.values(FCR).await[0], "no_customer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_under_way_when_their_interaction_is_erased_bring_no_customer_back() {
    use store::erasures::{self, Subject};
    use store::marks::{Kind, Mark};
    use store::{journeys, marks};
    let world = World::with(&[FCR], 500).await;
    world.fold(&[on_day("a", 0), on_day("b", 3)]).await;
    world.drain(LATE).await;
    let mut client = world.applier.store().client().await.unwrap();
    // A fold that began before the marks were there: the erasure waits for it.
    let mut other = world.applier.store().client().await.unwrap();
    let fold = other.transaction().await.unwrap();
    let (_, erasures) = world.applier.catalogue().to_fold(&fold).await.unwrap();
    assert!(!erasures);
    let tx = client.transaction().await.unwrap();
    // The second is not folded yet.
    let ids = ["a".to_owned(), "n".to_owned()];
    let subject = Subject::Customer("k");
    erasures::begin(&tx, "acme", subject, &ids, "ann")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let waits = tokio::spawn({
        let store = world.applier.store().clone();
        async move {
            let mut client = store.client().await.unwrap();
            let tx = client.transaction().await.unwrap();
            erasures::wait_for_folds(&tx).await.unwrap();
            tx.commit().await.unwrap();
        }
    });
    world.until_waiting("1").await;
    fold.commit().await.unwrap();
    waits.await.unwrap();
    let tx = client.transaction().await.unwrap();
    erasures::unlink(&tx, "acme", &["a"]).await.unwrap();
    let left = [journeys::Left {
        tenant: "acme",
        customer_key: "k",
        interaction_id: "a",
    }];
    journeys::left(&tx, &left).await.unwrap();
    let touched = [Mark {
        kind: Kind::Journey,
        tenant: "acme",
        subject: "k",
        from: at(0),
        to: at(MINUTE),
    }];
    marks::append(&tx, &touched).await.unwrap();
    tx.commit().await.unwrap();
    // What was in the queues, and a settled record that states the customer anew.
    let settled = on_day("a", 0).revised(|contact| contact.to = Some(5 * MINUTE));
    world
        .fold(&[
            on_day("a", 0),
            on_day("n", 4),
            settled,
            on_day("b", 3),
            on_day("m", 5),
        ])
        .await;
    let named = "SELECT string_agg(interaction_id || ' ' || coalesce(customer_key, '-') || ' ' || (state::text LIKE '%\"ck\"%'), ', ' \
                 ORDER BY interaction_id) FROM interactions";
    assert_eq!(
        world.text(named).await,
        "a - false, b k true, m k true, n - false"
    );
    let ended = "SELECT extract(epoch FROM ended_at - started_at)::int::text FROM interactions WHERE interaction_id = 'a'";
    assert_eq!(world.text(ended).await, "300", "all else is folded");
    world.drain(LATE).await;
    assert_eq!(
        world.values(FCR).await,
        ["no_customer", "0", "filtered"],
        "and of the one that came without a customer nothing"
    );
}
