//! What is read is what is stored, page by page.

use crate::filled::{half_hour, metric};
use crate::server::{ACME, ALL, Api};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use store::window_metrics::WindowRow;

const METRICS: &str =
    "/api/v1/metrics?metric=talk_time&from=2024-05-15T00:00:00Z&to=2024-05-16T00:00:00Z";
const WINDOWS: &str = "/api/v1/windows?metric=talk_time&size=30m&group_by=queue&from=2024-05-15T00:00:00Z&to=2024-05-16T00:00:00Z";

/// Every page of a list, as names of rows; `between` happens after the first one.
async fn pages(
    api: &Api,
    path: &str,
    name: impl Fn(&Value) -> String,
    between: impl AsyncFnOnce(),
) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut address = path.to_owned();
    let mut between = Some(between);
    loop {
        let answer = api.get(&address, ACME).await;
        assert_eq!(answer.status, 200, "{address}: {}", answer.body);
        let page = answer.json();
        pages.push(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(&name)
                .collect(),
        );
        if let Some(between) = between.take() {
            between().await;
        }
        let Some(next) = page["next"].as_str() else {
            assert_eq!(answer.header("link"), "");
            return pages;
        };
        // The same address, in the head for those who follow links.
        let link = answer.header("link");
        address = link
            .strip_prefix('<')
            .unwrap()
            .split_once('>')
            .unwrap()
            .0
            .to_owned();
        assert!(
            address.contains(&format!("cursor={next}")) && link.ends_with("; rel=\"next\""),
            "{link}"
        );
        assert!(pages.len() < 100, "the list has an end");
    }
}

#[tokio::test]
async fn a_metric_is_shown_with_what_it_comes_from() {
    let api = Api::start().await;
    api.months().await;
    let leg = crate::filled::Written {
        leg: "leg 1",
        ..metric(1)
    };
    api.write_metrics(&[metric(0), leg]).await;
    let list = api.json(METRICS, ACME).await;
    assert_eq!(
        (
            &list["tenant"],
            &list["metric"],
            &list["version"],
            &list["unit"],
            &list["next"]
        ),
        (
            &json!("acme"),
            &json!("talk_time"),
            &json!(1),
            &json!("seconds"),
            &Value::Null
        )
    );
    let row = &list["items"][0];
    assert_eq!(row["interaction_id"], "int_0000");
    assert_eq!(
        (
            &row["leg"],
            &row["value"],
            &row["settled"],
            &row["revision"]
        ),
        (&Value::Null, &Value::Null, &json!(false), &json!(1))
    );
    assert_eq!(
        (&row["at"], &row["agent"], &row["queue"]),
        (
            &json!("2024-05-15T00:00:00.000Z"),
            &json!("anna"),
            &json!("sales")
        )
    );
    assert_eq!(row["metadata"], json!({"zone": "Europe/Berlin"}));
    assert_eq!(
        (&list["items"][1]["leg"], &list["items"][1]["value"]),
        (&json!("leg 1"), &json!(101.0))
    );
    api.stop().await;
}

#[tokio::test]
async fn filters_leave_exactly_what_they_say() {
    let api = Api::start().await;
    api.months().await;
    api.candidate("talk_time").await;
    let rows: Vec<_> = (0..60).map(metric).collect();
    api.write_metrics(&rows).await;
    api.write_metrics(&[crate::filled::Written {
        version: 2,
        ..metric(3)
    }])
    .await;
    let length = async |more: &str| {
        api.json(&format!("{METRICS}{more}"), ACME).await["items"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(length("").await, 60);
    assert_eq!(length("&agent=anna").await, 20);
    assert_eq!(length("&queue=sales&agent=anna").await, 10);
    assert_eq!(length("&agent=nobody").await, 0);
    assert_eq!(length("&version=2").await, 1);
    let stretch =
        "/api/v1/metrics?metric=talk_time&from=2024-05-15T00:05:00Z&to=2024-05-15T00:10:00Z";
    let list = api.json(stretch, ACME).await;
    let items = list["items"].as_array().unwrap();
    assert_eq!(
        (
            items.len(),
            &items[0]["interaction_id"],
            &items[9]["interaction_id"]
        ),
        (10, &json!("int_0010"), &json!("int_0019"))
    );
    for (more, status, words) in [
        (
            "&version=7",
            404,
            "there is no talk_time@7; there are: 1, 2",
        ),
        ("&metric=x", 400, "see `errors`: metric"),
        ("&colour=red", 400, "see `errors`: colour"),
    ] {
        let answer = api.get(&format!("{METRICS}{more}"), ACME).await;
        assert_eq!(
            (answer.status, answer.json()["detail"].as_str().unwrap()),
            (status, words),
            "{more}"
        );
    }
    let other = METRICS.replace("talk_time", "no_such_kpi");
    assert_eq!(api.get(&other, ACME).await.status, 404);
    let long = METRICS.replace("to=2024-05-16", "to=2024-06-16");
    let problem = api.get(&long, ACME).await.json();
    assert_eq!(
        problem["errors"][0],
        json!({"field": "to", "value": "2024-06-16T00:00:00.000Z", "allowed": "at most 31 days after `from`, 2024-05-15T00:00:00.000Z"})
    );
    let backwards = METRICS.replace("to=2024-05-16", "to=2024-05-14");
    assert_eq!(
        api.get(&backwards, ACME).await.json()["errors"][0]["field"],
        "from"
    );
    api.stop().await;
}

#[tokio::test]
async fn pages_together_are_the_list_whatever_is_written_meanwhile() {
    let api = Api::start().await;
    api.months().await;
    // Several rows an instant, so that pages end within one.
    let mut rows: Vec<_> = (0..50).map(metric).collect();
    for row in &mut rows {
        row.minutes /= 5;
    }
    let leg = |n: i64, leg| crate::filled::Written {
        leg,
        minutes: n / 10,
        ..metric(n)
    };
    rows.extend([leg(7, "a"), leg(7, "b")]);
    api.write_metrics(&rows).await;
    let name = |row: &Value| {
        format!(
            "{} {}",
            row["interaction_id"].as_str().unwrap(),
            row["leg"].as_str().unwrap_or_default()
        )
    };
    let whole = pages(&api, METRICS, name, async || {}).await.concat();
    assert_eq!(whole.len(), 52);
    let pages = pages(&api, &format!("{METRICS}&limit=7"), name, async || {
        // One before what was read, one behind it, and one that was read changes.
        let row = |n: i64, minutes| crate::filled::Written {
            minutes,
            ..metric(n)
        };
        api.write_metrics(&[
            crate::filled::Written {
                interaction: "int_0000 early".to_owned(),
                ..row(0, 0)
            },
            row(901, 3),
            crate::filled::Written {
                value: Some(1.0),
                minutes: 0,
                ..metric(1)
            },
        ])
        .await;
    })
    .await;
    assert!(pages[..pages.len() - 1].iter().all(|page| page.len() == 7));
    let together = pages.concat();
    let distinct: BTreeSet<_> = together.iter().collect();
    assert_eq!(distinct.len(), together.len(), "no row twice");
    assert!(
        whole.iter().all(|row| distinct.contains(row)),
        "none left out"
    );
    assert_eq!(
        together.len(),
        53,
        "the one behind is there, the one before is not"
    );
    api.stop().await;
}

#[tokio::test]
async fn a_cursor_is_of_one_list_alone() {
    let api = Api::start().await;
    api.months().await;
    api.write_metrics(&(0..3).map(metric).collect::<Vec<_>>())
        .await;
    let page = api.json(&format!("{METRICS}&limit=1"), ACME).await;
    let cursor = page["next"].as_str().unwrap();
    for (address, token) in [
        (format!("{METRICS}&agent=anna&cursor={cursor}"), ACME),
        (format!("{METRICS}&tenant=globex&cursor={cursor}"), ALL),
        (format!("{WINDOWS}&cursor={cursor}"), ACME),
        (format!("{METRICS}&cursor=AAAA"), ACME),
        ("/api/v1/jobs?cursor=AAAA".to_owned(), ACME),
    ] {
        let answer = api.get(&address, token).await;
        assert_eq!(
            (answer.status, &answer.json()["errors"][0]["field"]),
            (400, &json!("cursor")),
            "{address}"
        );
    }
    api.stop().await;
}

#[tokio::test]
async fn windows_are_read_by_version_time_and_group() {
    let api = Api::start().await;
    api.months().await;
    api.candidate("talk_time").await;
    let mut rows: Vec<WindowRow<'_>> = Vec::new();
    for n in 0..6 {
        rows.extend([half_hour("sales", n), half_hour("support", n)]);
    }
    let second = WindowRow {
        metric_version: schema::MetricVersion(2),
        value: None,
        denominator: 0,
        ..half_hour("sales", 0)
    };
    rows.push(second);
    api.write_windows("acme", &rows).await;
    let name = |row: &Value| {
        format!(
            "{} {} {}",
            row["version"],
            &row["start"].as_str().unwrap()[11..16],
            row["group"]["queue"].as_str().unwrap()
        )
    };
    let whole = pages(&api, &format!("{WINDOWS}&versions=2,1"), name, async || {})
        .await
        .concat();
    assert_eq!(whole.len(), 13);
    assert_eq!(
        (whole[0].as_str(), whole[1].as_str(), whole[12].as_str()),
        ("1 00:00 sales", "1 00:00 support", "2 00:00 sales")
    );
    let pages = pages(
        &api,
        &format!("{WINDOWS}&versions=1,2&limit=5"),
        name,
        async || {
            api.write_windows("acme", &[half_hour("sales", 9)]).await;
        },
    )
    .await;
    let together = pages.concat();
    assert_eq!(
        together
            .iter()
            .filter(|row| row.as_str() != "1 04:30 sales")
            .collect::<Vec<_>>(),
        whole.iter().collect::<Vec<_>>()
    );
    assert_eq!(together.len(), 14);

    let list = api.json(WINDOWS, ACME).await;
    assert_eq!(
        (&list["versions"], &list["group_by"], &list["size"]),
        (&json!([1]), &json!("queue"), &json!("30m"))
    );
    let row = &list["items"][0];
    assert_eq!(row["local_start"], "2024-05-15T02:00:00+02:00");
    assert_eq!(
        (
            &row["value"],
            &row["items"],
            &row["numerator"],
            &row["denominator"],
            &row["scale"]
        ),
        (
            &json!(150.5),
            &json!(2),
            &json!(301_000),
            &json!(2),
            &json!(1000)
        )
    );
    assert_eq!(
        (
            &row["minimum"],
            &row["maximum"],
            &row["percentiles"],
            &row["state"]
        ),
        (
            &json!(10.0),
            &Value::Null,
            &json!({"p90": 12.5}),
            &json!("settled")
        )
    );
    let length = async |more: &str| {
        api.json(&format!("{WINDOWS}{more}"), ACME).await["items"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(length("&queue=support").await, 6);
    assert_eq!(length("&queue=nobody").await, 0);
    assert_eq!(length("&zone=Europe/Berlin").await, 13);
    assert_eq!(length("&zone=UTC").await, 0);
    assert_eq!(length("&versions=2&queue=sales").await, 1);
    for (more, status) in [
        ("&agent=anna", 400),
        ("&versions=9", 404),
        ("&queue=sales&versions=1,2", 200),
    ] {
        assert_eq!(
            api.get(&format!("{WINDOWS}{more}"), ACME).await.status,
            status,
            "{more}"
        );
    }
    // Nothing there, and why: such windows are not kept.
    let other = WINDOWS.replace("group_by=queue", "group_by=team");
    let problem = api.get(&other, ACME).await;
    assert_eq!(problem.status, 404);
    assert!(
        problem.json()["detail"]
            .as_str()
            .unwrap()
            .contains("it has group_by="),
        "{problem:?}"
    );
    api.stop().await;
}

#[tokio::test]
async fn definitions_say_what_they_are() {
    let api = Api::start().await;
    api.candidate("adjusted_aht").await;
    let list = api.json("/api/v1/kpis?name=adjusted_aht", ACME).await;
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(
        (&items[0]["version"], &items[0]["status"], &items[0]["unit"]),
        (&json!(1), &json!("current"), &json!("seconds"))
    );
    assert_eq!(
        (&items[1]["version"], &items[1]["status"]),
        (&json!(2), &json!("candidate"))
    );
    let definition = &items[0]["definition"];
    assert_eq!(
        (&definition["scope"], &definition["aggregations"][0]),
        (&json!("interaction"), &json!("mean"))
    );
    assert!(!definition["description"].as_str().unwrap().is_empty());
    assert!(!definition["windows"].as_array().unwrap().is_empty());
    // Changed in the store, changed here.
    api.sql("UPDATE kpi_definitions SET status = 'retired' WHERE version = 2; UPDATE catalogue_generation SET generation = generation + 1").await;
    let retired = api.json("/api/v1/kpis?status=retired", ACME).await;
    assert_eq!(retired["items"].as_array().unwrap().len(), 1);
    api.stop().await;
}

#[tokio::test]
async fn jobs_say_how_far_they_are() {
    let api = Api::start().await;
    api.sql(
        "INSERT INTO backfill_jobs (job_id, kind, tenant, metric_version, state, done, total, chunked, report, created_at) \
         SELECT gen_random_uuid(), 'genesys-conversations', 'acme', 2, CASE n % 2 WHEN 0 THEN 'running' ELSE 'done' END, n, 10, true, \
                CASE n % 2 WHEN 1 THEN '{\"gaps\": []}'::jsonb END, timestamptz '2024-05-15Z' + n * interval '1 minute' FROM generate_series(1, 9) n; \
         INSERT INTO backfill_chunks (job_id, chunk, from_at, to_at, state, records) \
         SELECT job_id, c, '2024-05-01Z', '2024-05-02Z', CASE WHEN c < done THEN 'done' ELSE 'open' END, 5 FROM backfill_jobs, generate_series(0, 9) c",
    )
    .await;
    let name = |row: &Value| row["done"].to_string();
    let whole = pages(&api, "/api/v1/jobs?limit=4", name, async || {}).await;
    assert_eq!(
        whole.concat(),
        ["9", "8", "7", "6", "5", "4", "3", "2", "1"]
    );
    let running = api.json("/api/v1/jobs?state=running&limit=1", ACME).await;
    let job = &running["items"][0];
    assert_eq!(
        (&job["progress"], &job["total"], &job["state"]),
        (&json!(0.8), &json!(10), &json!("running"))
    );
    assert_eq!(
        job["chunks"],
        json!({"open": 2, "fetched": 0, "done": 8, "failed": 0, "waiting": job["chunks"]["waiting"], "records": 50, "calls": 0})
    );
    let done = api.json("/api/v1/jobs?state=done&limit=1", ACME).await;
    assert_eq!(done["items"][0]["report"], json!({"gaps": []}));
    api.stop().await;
}

#[tokio::test]
async fn the_status_says_what_is_held_up() {
    let api = Api::start().await;
    let empty = api.json("/api/v1/status", ALL).await;
    assert_eq!(
        (
            &empty["targets"],
            &empty["quarantine"],
            &empty["storm"]["storm"]
        ),
        (&json!([]), &json!([]), &json!(false))
    );
    api.sql(
        "INSERT INTO sync_targets (target, tenant, platform, metrics) VALUES ('main', 'acme', 'genesys-custom-report', '{talk_time}'); \
         INSERT INTO sync_queue (target, tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at, revision, state, queued_at) \
         SELECT 'main', 'acme', 'i' || n, 'talk_time', 1, '', '2024-05-15Z', 1, CASE n WHEN 1 THEN 'rejected' ELSE 'pending' END, '2024-05-15Z' \
         FROM generate_series(1, 4) n; \
         INSERT INTO quarantine (tenant, subscription, delivery_id, item_index, stage, format, reason, field, raw, received_at, correlation) \
         SELECT 'acme', 'hook', gen_random_uuid(), n, 'normalise', 'f', 'no \"x\"', 'data.state', '', '2024-05-15Z', 'c' FROM generate_series(1, 3) n; \
         INSERT INTO dirty_marks (kind, tenant, from_at, to_at) VALUES ('cell', 'acme', '2024-05-15Z', '2024-05-15Z'); \
         INSERT INTO rate_pauses (credential, until, reason) VALUES ('c@h', now() + interval '1 hour', 'the platform said so')",
    )
    .await;
    let status = api.json("/api/v1/status", ALL).await;
    let target = &status["targets"][0];
    assert_eq!(
        (&target["pending"], &target["rejected"], &target["oldest"]),
        (&json!(3), &json!(1), &json!("2024-05-15T00:00:00.000Z"))
    );
    assert_eq!(status["quarantine"][0]["items"], 3);
    assert_eq!(
        (
            &status["quarantine"][0]["field"],
            &status["quarantine"][0]["stage"]
        ),
        (&json!("data.state"), &json!("normalise"))
    );
    assert_eq!(status["pauses"][0]["reason"], "the platform said so");
    assert!(
        status["marks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|marks| marks["kind"] == "cell" && marks["waiting"] == 1)
    );
    api.sql("UPDATE storm_state SET ordered_mode = 'storm', ordered_at = now()")
        .await;
    assert_eq!(
        api.json("/api/v1/status", ALL).await["storm"]["storm"],
        true
    );
    api.stop().await;
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let api = Api::start().await;
    api.months().await;
    api.write_metrics(&[metric(1)]).await;
    let first = api.get(METRICS, ACME).await;
    assert_eq!(
        (first.header("cache-control"), first.header("vary")),
        ("private, no-cache", "authorization")
    );
    let authorization = format!("Bearer {ACME}");
    let tag = first.header("etag").to_owned();
    let again = async || {
        let headers = [
            ("Authorization", authorization.as_str()),
            ("If-None-Match", tag.as_str()),
        ];
        api.send("GET", METRICS, &headers, "").await
    };
    let same = again().await;
    assert_eq!(
        (same.status, same.body.as_str(), same.header("etag")),
        (304, "", tag.as_str())
    );
    api.write_metrics(&[crate::filled::Written {
        value: Some(7.0),
        ..metric(1)
    }])
    .await;
    let changed = again().await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
    let head = api
        .send("HEAD", METRICS, &[("Authorization", &authorization)], "")
        .await;
    assert_eq!(
        (head.status, head.body.as_str(), head.header("etag")),
        (200, "", changed.header("etag"))
    );
    api.stop().await;
}

/// A month of many KPIs: a page costs a page, along an index, in the months it is in.
#[tokio::test]
async fn pages_read_along_indexes() {
    let api = Api::start().await;
    api.months().await;
    api.sql(
        "INSERT INTO computed_metrics (tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at, timestamp_utc, metric_value) \
         SELECT 'acme', 'i' || n, m, 1, '', '2024-05-15Z', timestamptz '2024-05-15Z' + n * interval '1 second', 1 \
         FROM generate_series(1, 20000) n, unnest(ARRAY['talk_time', 'hold_time']) m; \
         ANALYZE computed_metrics",
    )
    .await;
    let sql = store::statements::all()
        .find(|sql| sql.step == "read a page of metrics")
        .unwrap();
    let client = api.db.client().await;
    // As the API's connections have it.
    client
        .batch_execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
        .await
        .unwrap();
    client
        .batch_execute(&format!("PREPARE page AS {}", sql.text))
        .await
        .unwrap();
    let plan: Vec<String> = client
        .simple_query(
            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE page ('acme', 'talk_time', 1, '2024-05-15Z', '2024-05-16Z', NULL, NULL, \
             '2024-05-15 02:00:00Z', 'i7200', '', 101)",
        )
        .await
        .unwrap()
        .into_iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .collect();
    let plan = plan.join("\n");
    assert!(
        plan.contains("timestamp_utc_idx") || plan.contains("type_time"),
        "{plan}"
    );
    assert!(!plan.contains("Seq Scan on computed_metrics"), "{plan}");
    // A page and a little more: the row that a page begins behind, and those of its instant.
    let read = plan
        .lines()
        .filter(|line| line.contains("Index Scan using computed_metrics_y2024m05"))
        .count();
    assert_eq!(read, 1, "{plan}");
    let scanned: u32 = plan
        .lines()
        .find(|line| line.contains("Index Scan using computed_metrics_y2024m05"))
        .and_then(|line| {
            line.split("rows=")
                .nth(1)?
                .split(' ')
                .next()?
                .split('.')
                .next()?
                .parse()
                .ok()
        })
        .unwrap();
    assert!(scanned < 200, "{scanned} rows for a page of 101: {plan}");
    api.stop().await;
}

#[tokio::test]
async fn deliveries_are_shown_with_the_platforms_words() {
    let api = Api::start().await;
    api.sql(
        "INSERT INTO sync_targets (target, tenant, platform, metrics) VALUES ('main', 'acme', 'p', '{}'), ('other', 'globex', 'p', '{}'); \
         INSERT INTO sync_queue (target, tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at, revision, state, last_status, last_message) \
         SELECT CASE n % 3 WHEN 0 THEN 'other' ELSE 'main' END, CASE n % 3 WHEN 0 THEN 'globex' ELSE 'acme' END, 'i' || n, 'talk_time', 1, \
                CASE n WHEN 1 THEN 'leg 1' ELSE '' END, now(), 1, CASE n % 2 WHEN 0 THEN 'rejected' ELSE 'pending' END, 400, 'no such conversation' \
         FROM generate_series(1, 12) n; \
         INSERT INTO sync_queue (target, tenant, agent_id, workday, metric_type, metric_version, revision, state, last_message) \
         VALUES ('main', 'acme', 'anna', '2024-05-15', 'talk_time', 1, 1, 'rejected', 'too old'); \
         INSERT INTO metric_sync_log (target, tenant, interaction_id, metric_type, metric_version, leg_scope, revision, attempt, fate, request_id, idempotency_key, status) \
         SELECT CASE n % 3 WHEN 0 THEN 'other' ELSE 'main' END, CASE n % 3 WHEN 0 THEN 'globex' ELSE 'acme' END, 'i' || n % 4, 'talk_time', 1, '', 1, 1, \
                CASE n % 5 WHEN 0 THEN 'rejected' ELSE 'accepted' END, gen_random_uuid(), 'k', 200 FROM generate_series(1, 30) n",
    )
    .await;
    let list = api.json("/api/v1/sync", ACME).await;
    let target = &list["items"][0];
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (
            &target["target"],
            &target["rejected"],
            &target["pending"],
            &target["held"]
        ),
        (&json!("main"), &json!(5), &json!(4), &json!(0))
    );

    let of = |row: &Value| {
        let value = &row["value"];
        let interaction = value["interaction_id"].as_str().unwrap_or_default();
        format!(
            "{interaction}{}",
            value["agent"].as_str().unwrap_or_default()
        )
    };
    let refused = pages(&api, "/api/v1/sync/refused?limit=2", of, async || {}).await;
    assert_eq!(refused.concat(), ["anna", "i10", "i8", "i4", "i2"]);
    let first = &api.json("/api/v1/sync/refused", ACME).await["items"][0];
    assert_eq!(
        (
            &first["message"],
            &first["value"]["workday"],
            &first["value"]["interaction_id"]
        ),
        (&json!("too old"), &json!("2024-05-15"), &Value::Null)
    );
    assert_eq!(
        api.json("/api/v1/sync/refused?target=other", ACME).await["items"],
        json!([])
    );
    assert_eq!(
        api.json("/api/v1/sync/refused?target=other", ALL).await["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );

    let fate = |row: &Value| row["fate"].as_str().unwrap().to_owned();
    let log = pages(&api, "/api/v1/sync/log?limit=7", fate, async || {
        api.sql("INSERT INTO metric_sync_log (target, tenant, interaction_id, metric_type, metric_version, leg_scope, revision, attempt, fate, request_id, idempotency_key) \
                 VALUES ('main', 'acme', 'late', 'talk_time', 1, '', 1, 1, 'sent', gen_random_uuid(), 'k')").await;
    })
    .await;
    assert_eq!(
        log.concat().len(),
        20,
        "what came meanwhile is before the first page"
    );
    assert_eq!(
        pages(
            &api,
            "/api/v1/sync/log?fate=rejected&limit=3",
            fate,
            async || {}
        )
        .await
        .concat(),
        ["rejected"; 4]
    );
    let interaction = api.json("/api/v1/sync/log?interaction=i1", ACME).await;
    let items = interaction["items"].as_array().unwrap();
    assert!(
        !items.is_empty()
            && items
                .iter()
                .all(|row| row["value"]["interaction_id"] == "i1"
                    && row["value"]["tenant"] == "acme"),
        "{interaction}"
    );
    for path in [
        "/api/v1/sync?tenant=globex",
        "/api/v1/sync/refused?tenant=globex",
        "/api/v1/sync/log?tenant=globex",
        "/api/v1/sync/log?interaction=i1&tenant=globex",
    ] {
        assert_eq!(api.get(path, ACME).await.status, 403, "{path}");
    }
    api.stop().await;
}

#[tokio::test]
async fn a_window_in_a_doubtful_stretch_says_so_and_the_platform_says_why() {
    let api = Api::start().await;
    api.months().await;
    api.write_windows(
        "acme",
        &[
            half_hour("sales", 0),
            half_hour("sales", 1),
            half_hour("sales", 2),
        ],
    )
    .await;
    let trusted = async || {
        let list = api.json(WINDOWS, ACME).await;
        let items = list["items"].as_array().unwrap().iter();
        items
            .map(|row| row["trusted"].as_bool().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(trusted().await, [true, true, true]);
    api.sql(
        "INSERT INTO subscription_gaps (subscription, tenant, from_at, to_at) VALUES ('hook', 'acme', '2024-05-15 00:40Z', '2024-05-15 00:50Z'), \
                ('hook', 'globex', '2024-05-15 00:00Z', '2024-05-15 09:00Z'); \
         INSERT INTO platform_states (tenant, platform, state, since, code, reason, doubtful_from, causes, looked_at) \
         VALUES ('acme', 'main', 'syncing', now(), 'silent', 'nothing for 19 minutes', now() - interval '1 hour', \
                 '[{\"code\": \"silent\", \"state\": \"syncing\", \"text\": \"nothing for 19 minutes\", \"calm\": false}]', now()), \
                ('globex', 'main', 'live', now(), '', '', NULL, '[]', now())",
    )
    .await;
    assert_eq!(trusted().await, [true, false, true]);
    let status = api.json("/api/v1/status", ACME).await;
    let platforms = status["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), 1);
    assert_eq!(
        (
            &platforms[0]["state"],
            &platforms[0]["alerts_inhibited"],
            &platforms[0]["causes"][0]["code"]
        ),
        (&json!("syncing"), &json!(true), &json!("silent"))
    );
    api.stop().await;
}
