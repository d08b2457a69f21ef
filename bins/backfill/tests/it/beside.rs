//! What a comparison needs of a platform: its own figures, plans and zones. They come as any history does, and stay beside the line.

use crate::bench::{Bench, FROM, days, past, unlimited};
use crate::world::LONG;
use double::Config;
use double::config::{History, Workforce};
use schema::UtcMicros;
use std::collections::BTreeSet;
use std::time::Duration;
use store::chunks::NewChunk;
use testkit::eventually;

const HOUR: i64 = 3_600_000_000;
const AGENTS: u32 = 12;
const DAYS: u32 = 3;

/// A platform whose people are in two zones in turn, and which answers about two days of a plan at once.
fn platform() -> Config {
    unlimited(History {
        agents: AGENTS,
        workforce: Workforce {
            business_zone: "America/New_York".to_owned(),
            zones: vec!["Europe/Berlin".to_owned(), "Asia/Kolkata".to_owned()],
            days_at_once: 2,
        },
        ..past(DAYS, 600)
    })
}

fn whole() -> Vec<NewChunk> {
    vec![NewChunk {
        from: UtcMicros(FROM),
        to: UtcMicros(FROM + i64::from(DAYS) * 24 * HOUR),
        due_in: Duration::ZERO,
        cursor_json: None,
    }]
}

async fn number(bench: &Bench, sql: &str) -> i64 {
    let client = bench.world.db.client().await;
    client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn texts(bench: &Bench, sql: &str) -> BTreeSet<String> {
    let client = bench.world.db.client().await;
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn genesys_plans_tell_by_whose_clock_figures_are_cut() {
    let bench = Bench::new(platform(), "").await;
    let plans = bench.job("genesys-shifts", &whole()).await;
    bench.fetch(plans, &["--lanes", "2"]).await;
    let stated = "SELECT source || ' ' || stated || ' ' || count(*) FROM native_zones GROUP BY source, stated";
    assert_eq!(
        texts(&bench, stated).await,
        BTreeSet::from([
            format!("business_unit America/New_York {AGENTS}"),
            format!("management_unit Asia/Kolkata {}", AGENTS / 2),
            format!("management_unit Europe/Berlin {}", AGENTS / 2),
        ])
    );
    let shifts = i64::from(AGENTS * DAYS);
    let counted = "SELECT count(*) FROM wfm_shifts WHERE to_at > from_at";
    assert_eq!(number(&bench, counted).await, shifts);
    let figures = bench.job("genesys-figures", &days(DAYS)).await;
    let chunks = bench.fetch(figures, &["--lanes", "2"]).await;
    assert!(chunks.iter().all(|chunk| chunk.calls >= 3), "{chunks:?}");
    // Each agent's days begin with its own midnight, of which three are in the stretch; queues go by UTC, for nobody says otherwise.
    let begins =
        "SELECT zone || ' ' || to_char(from_at AT TIME ZONE 'UTC', 'HH24:MI') FROM native_figures";
    assert_eq!(
        texts(&bench, begins).await,
        BTreeSet::from([
            "Asia/Kolkata 18:30".to_owned(),
            "Europe/Berlin 23:00".to_owned(),
            "UTC 00:00".to_owned(),
        ])
    );
    let twice = "SELECT count(*) FROM (SELECT FROM native_figures GROUP BY measure, agent_id, queue_id, from_at HAVING count(*) > 1) t";
    assert_eq!(number(&bench, twice).await, 0);
    // A platform's handle time is the sum of its parts, in every cell [notes 3.3].
    let odd = "SELECT count(*) FROM native_figures h WHERE h.measure = 'handle' AND h.value <> \
               (SELECT sum(p.value) FROM native_figures p WHERE p.measure IN ('talk', 'hold', 'wrap', 'dial', 'contact') \
                AND (p.agent_id, p.queue_id, p.from_at) = (h.agent_id, h.queue_id, h.from_at))";
    assert_eq!(number(&bench, odd).await, 0);
    let measures = texts(&bench, "SELECT DISTINCT measure FROM native_figures").await;
    for wanted in [
        "offered",
        "answered",
        "abandoned",
        "handled",
        "logged_in",
        "on_queue",
    ] {
        assert!(measures.contains(wanted), "{measures:?}");
    }
    assert!(
        bench.world.deliveries().await.is_empty(),
        "nothing goes into the line"
    );
    bench.all_is_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn cxone_agents_zones_plans_and_sums() {
    let bench = Bench::new(platform(), "").await;
    let plans = bench.job("cxone-shifts", &whole()).await;
    bench.fetch(plans, &["--lanes", "2"]).await;
    let stated = "SELECT source || ' ' || stated || ' ' || count(*) FROM native_zones GROUP BY source, stated";
    assert_eq!(
        texts(&bench, stated).await,
        BTreeSet::from([
            format!("agent Asia/Kolkata {}", AGENTS / 2),
            format!("agent Europe/Berlin {}", AGENTS / 2),
        ])
    );
    let shifts = i64::from(AGENTS * DAYS);
    assert_eq!(
        number(&bench, "SELECT count(*) FROM wfm_shifts").await,
        shifts
    );
    let figures = bench.job("cxone-figures", &days(DAYS)).await;
    bench.fetch(figures, &["--lanes", "2"]).await;
    let zones = texts(
        &bench,
        "SELECT DISTINCT zone FROM native_figures WHERE agent_id <> ''",
    )
    .await;
    assert_eq!(
        zones,
        BTreeSet::from(["Asia/Kolkata".to_owned(), "Europe/Berlin".to_owned()])
    );
    let skills = texts(
        &bench,
        "SELECT DISTINCT zone FROM native_figures WHERE queue_id <> ''",
    )
    .await;
    assert_eq!(skills, BTreeSet::from(["America/New_York".to_owned()]));
    let handled = number(&bench, "SELECT sum(value)::bigint FROM native_figures WHERE measure = 'handled' AND agent_id <> ''").await;
    assert!(handled > 300, "{handled}");
    bench.all_is_well();
}

/// Nothing is computed from it: the job is over at once, and no notice tells anybody to refresh.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_beside_the_line_ends_by_itself() {
    let bench = Bench::new(platform(), "").await;
    let file = bench.folder.path().join("platforms.toml");
    let arguments = [
        "start",
        "genesys-figures",
        "--platforms",
        file.to_str().unwrap(),
        "--platform",
        "g",
        "--from",
        "2025-01-06T00:00:00Z",
        "--to",
        "2025-01-08T00:00:00Z",
        "--request-id",
        "weekly",
    ];
    let (status, _, stderr) = bench.world.run(&arguments).await;
    assert!(status.success(), "{stderr}");
    let _worker = bench.worker(&["--lanes", "1"]);
    eventually(LONG, "the job is done", async || {
        let jobs = bench.world.jobs().await;
        let done = jobs.len() == 1 && jobs[0]["state"] == "done";
        done.then_some(()).ok_or(jobs)
    })
    .await;
    assert_eq!(
        number(&bench, "SELECT count(*) FROM backfill_notices").await,
        0
    );
    bench.all_is_well();
}
