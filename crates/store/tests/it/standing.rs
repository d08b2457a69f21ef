//! What became of a backfill, which version may be shown, and what is asked for once.

use crate::rows::{db, seen};
use schema::{JobId, MetricVersion, UtcMicros};
use std::time::Duration;
use store::arrivals::{self, Computed, Stretch};
use store::chunks::NewChunk;
use store::definitions::{self, NewDefinition, Status};
use store::jobs::{self, Lane, NewChunkedJob, Promote, Purpose, State};
use store::promotion::{self, Refusal, Verdict};
use store::{Store, standing};
use tokio_postgres::Client;

const V2: MetricVersion = MetricVersion(2);
/// 2024-05-15T14:00:00Z.
const START: i64 = 1_715_781_600_000_000;

async fn candidate(store: &Store, version: MetricVersion, status: Status) {
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    definitions::change(&tx).await.unwrap();
    let definition = NewDefinition {
        name: "talk_time",
        version,
        unit: "seconds",
        text: "value = …",
        digest: &[0; 32],
    };
    definitions::insert(&tx, &definition).await.unwrap();
    for status in [Status::Candidate, status] {
        definitions::set_status(&tx, "talk_time", version, status)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

async fn interaction(client: &Client, id: &str, seconds: i32, more: &str) {
    client
        .batch_execute(&format!(
            "INSERT INTO interactions (tenant, interaction_id, partition_at, started_at, status, state, facts) VALUES \
             ('acme', '{id}', '2024-05-15T14:00:00Z', '2024-05-15T14:00:00Z'::timestamptz + {seconds} * interval '1 second', 'terminal', '{{}}', 1); \
             UPDATE interactions SET {more} WHERE interaction_id = '{id}'"
        ))
        .await
        .unwrap();
}

async fn computed(store: &Store, names: &[&str]) -> Computed {
    computed_by(store, V2, names).await
}

async fn computed_by(
    store: &Store,
    version: impl Into<Option<MetricVersion>> + Send,
    names: &[&str],
) -> Computed {
    let client = store.client().await.unwrap();
    let tenants = ["acme".to_owned()];
    let stretch = Stretch {
        tenants: &tenants,
        from: UtcMicros(START),
        to: UtcMicros(START + 60_000_000),
    };
    arrivals::computed(&client, &stretch, version, names)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_interaction_is_computed_when_its_facts_were_evaluated_by_the_version_or_a_job_for_it() {
    let (db, store) = db().await;
    let client = db.client().await;
    candidate(&store, V2, Status::Candidate).await;
    let generation = "(SELECT activated_generation FROM kpi_definitions WHERE name = 'talk_time' AND version = 2)";
    let activation = "ARRAY[(SELECT activation_id FROM kpi_definitions WHERE name = 'talk_time' AND version = 2)]";
    interaction(
        &client,
        "by all",
        0,
        &format!("evaluated_generation = {generation}"),
    )
    .await;
    interaction(
        &client,
        "besides",
        1,
        &format!("evaluated_also = {activation}"),
    )
    .await;
    interaction(&client, "by a job", 2, "metric_versions = '{2}'").await;
    interaction(
        &client,
        "before",
        3,
        &format!("evaluated_generation = {generation} - 1"),
    )
    .await;
    interaction(&client, "never", 59, "facts = 2").await;
    interaction(&client, "open", 4, "status = 'open'").await;
    interaction(&client, "at the end", 60, "facts = 2").await;
    let found = Computed {
        interactions: 5,
        missing: 2,
        owed: 0,
    };
    assert_eq!(computed(&store, &[]).await, found);
    assert_eq!(computed(&store, &["talk_time"]).await, found);
    // Without a version: by what is switched on, whichever jobs there were.
    assert_eq!(computed_by(&store, None, &[]).await.missing, 3);
    // One that is not switched on is evaluated by jobs alone.
    candidate(&store, V2, Status::Retired).await;
    assert_eq!(computed(&store, &[]).await.missing, 4);
    assert_eq!(computed_by(&store, None, &[]).await.missing, 0);
    let conn = store.client().await.unwrap();
    assert_eq!(arrivals::tenants(&conn).await.unwrap(), ["acme"]);
}

#[tokio::test]
async fn a_version_is_ready_when_nothing_is_missing_and_switches_only_what_was_looked_at() {
    let (db, store) = db().await;
    let mut client = store.client().await.unwrap();
    let look = async |client: &store::Client| {
        promotion::look(client, "talk_time", V2, true)
            .await
            .unwrap()
    };
    assert_eq!(look(&client).await, Verdict::Refused(Refusal::Missing));
    candidate(&store, V2, Status::Retired).await;
    assert_eq!(
        look(&client).await,
        Verdict::Refused(Refusal::NotCandidate(Status::Retired))
    );
    candidate(&store, V2, Status::Candidate).await;
    let outside = db.client().await;
    let mark = "INSERT INTO dirty_marks (kind, tenant, from_at, to_at) VALUES ('cell', 'acme', '2024-05-15T14:00:00Z', '2024-05-15T14:15:00Z')";
    outside.batch_execute(mark).await.unwrap();
    assert!(matches!(
        look(&client).await,
        Verdict::Refused(Refusal::WindowsBehind(_))
    ));
    assert!(
        matches!(
            promotion::look(&client, "talk_time", V2, false)
                .await
                .unwrap(),
            Verdict::Ready { .. }
        ),
        "what has no windows does not wait for any"
    );
    outside
        .batch_execute("DELETE FROM dirty_marks")
        .await
        .unwrap();
    let Verdict::Ready { generation } = look(&client).await else {
        panic!("ready");
    };
    // Somebody changes the catalogue in between.
    candidate(&store, MetricVersion(3), Status::Candidate).await;
    let switched = promotion::switch(&mut client, generation, "talk_time", V2)
        .await
        .unwrap();
    assert_eq!(switched, Err(Refusal::Changed));
    let Verdict::Ready { generation } = look(&client).await else {
        panic!("still ready");
    };
    let switched = promotion::switch(&mut client, generation, "talk_time", V2)
        .await
        .unwrap();
    assert_eq!(switched.unwrap().previous, Some(MetricVersion(1)));
    assert_eq!(look(&client).await, Verdict::Current);
}

async fn standing_job(store: &Store) -> JobId {
    let client = store.client().await.unwrap();
    let new = NewChunkedJob {
        kind: "cxone-contacts",
        tenant: Some("acme"),
        platform: Some("main"),
        metric_version: MetricVersion(1),
        params_json: "{}",
        from: Some(UtcMicros(START)),
        to: None,
        kpis: &[],
        purpose: Purpose::Follow,
        lane: Lane::Live,
        promote: Promote::Never,
        standing: true,
        request_id: Some("follow/main/x"),
        chunks: &[],
    };
    jobs::create_chunked(&client, &new).await.unwrap().id()
}

#[tokio::test]
async fn chunks_and_marks_of_a_standing_job_are_written_together_or_not_at_all() {
    let (_db, store) = db().await;
    let job = standing_job(&store).await;
    let chunk = |second: i64| NewChunk {
        from: UtcMicros(START + second * 1_000_000),
        to: UtcMicros(START + (second + 1) * 1_000_000),
        due_in: Duration::ZERO,
        cursor_json: None,
    };
    let mut client = store.client().await.unwrap();
    for (commits, second) in [(false, 0), (true, 1), (true, 2)] {
        let tx = client.transaction().await.unwrap();
        let held = standing::lock(&tx, job).await.unwrap().unwrap();
        let marks = format!("{{\"until\":{second}}}");
        standing::extend(&tx, job, &held, &[chunk(second)], &marks)
            .await
            .unwrap();
        if commits {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
    }
    let stands = standing::stands(&client, job).await.unwrap().unwrap();
    assert_eq!(stands.state, State::Pending);
    assert_eq!(stands.earliest_open, Some(UtcMicros(START + 1_000_000)));
    assert_eq!(stands.marks_json.as_deref(), Some("{\"until\": 2}"));
    let asked = standing::requested(&client, "follow/main/").await.unwrap();
    assert_eq!(asked, [("follow/main/x".to_owned(), State::Pending)]);
    assert_eq!(
        standing::requested(&client, "follow/mai_/").await.unwrap(),
        []
    );
}

#[tokio::test]
async fn what_was_asked_for_in_vain_is_put_off_twice_as_long_each_time() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let outside = db.client().await;
    outside
        .batch_execute("INSERT INTO history_requests (tenant, interaction_id, reason) VALUES ('acme', 'i', 'inferred_end')")
        .await
        .unwrap();
    for hours in [1, 2, 4] {
        // As whoever takes it does.
        outside
            .batch_execute("UPDATE history_requests SET attempts = attempts + 1")
            .await
            .unwrap();
        standing::postpone(
            &client,
            "acme",
            &["i"],
            "unknown",
            Duration::from_secs(3600),
        )
        .await
        .unwrap();
        let waits: f64 = outside
            .query_one(
                "SELECT extract(epoch FROM due_at - now())::float8 / 3600 FROM history_requests",
                &[],
            )
            .await
            .unwrap()
            .get(0);
        assert!((waits - f64::from(hours)).abs() < 0.1, "{waits} {hours}");
    }
}

#[tokio::test]
async fn what_is_asked_for_once_is_not_forgotten_while_that_matters() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let followed = standing_job(&store).await;
    assert!(jobs::cancel(&client, followed).await.unwrap());
    let outside = db.client().await;
    outside
        .batch_execute(
            "INSERT INTO subscription_gaps (subscription, tenant, from_at, to_at) \
             SELECT 'hook', 'acme', t, t + interval '1 hour' FROM unnest(ARRAY[now(), now() + interval '1 day']) AS t; \
             UPDATE subscription_gaps SET settled_at = now() WHERE gap_id = 2; \
             INSERT INTO backfill_jobs (job_id, kind, metric_version, params, chunked, purpose, request_id, state, finished_at) \
             SELECT gen_random_uuid(), 'x', 1, '{}', true, purpose, request, 'failed', now() \
             FROM (VALUES ('gap', 'gap/1/x'), ('gap', 'gap/2/x'), ('job', 'mine')) AS of (purpose, request); \
             UPDATE backfill_jobs SET finished_at = now() - interval '1 year'",
        )
        .await
        .unwrap();
    let day = Duration::from_secs(86_400);
    assert_eq!(standing::drop_jobs(&client, day, 10).await.unwrap(), 2);
    let left = seen(&db, "SELECT request_id FROM backfill_jobs ORDER BY 1").await;
    assert_eq!(left, ["follow/main/x", "gap/1/x"]);
}
