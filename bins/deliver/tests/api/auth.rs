//! Nobody reads without a token, and with one only what it reaches.

use crate::filled::metric;
use crate::server::{ACME, ALL, Api, OVER, TWO, tokens_file};
use deliver::api::tokens::parse;

const METRICS: &str =
    "/api/v1/metrics?metric=talk_time&from=2024-05-15T00:00:00Z&to=2024-05-16T00:00:00Z";

#[tokio::test]
async fn without_a_good_token_there_are_no_figures() {
    let api = Api::start().await;
    for path in [
        METRICS,
        "/api/v1/windows",
        "/api/v1/kpis",
        "/api/v1/status",
        "/api/v1/jobs",
        "/api/v1/sync",
        "/api/v1/sync/refused",
        "/api/v1/sync/log",
    ] {
        for (headers, words) in [
            (&[][..], "send it as"),
            (&[("Authorization", "Bearer")], "send it as"),
            (&[("Authorization", "Basic YWNtZTphY21l")], "send it as"),
            (&[("Authorization", "Bearer nobody")], "not known"),
            (&[("Authorization", "Bearer token-of-acm")], "not known"),
            (&[("Authorization", &format!("Bearer {OVER}"))], "expired"),
            (
                &[
                    ("Authorization", &format!("Bearer {ACME}")),
                    ("Authorization", "Bearer x"),
                ],
                "more than one",
            ),
            (&[("Cookie", &format!("kpiline={ACME}"))], "send it as"),
        ] {
            let answer = api.send("GET", path, headers, "").await;
            assert_eq!(answer.status, 401, "{path} {headers:?}");
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(
                answer.header("www-authenticate"),
                "Bearer realm=\"kpiline\""
            );
            assert_eq!(answer.header("cache-control"), "no-store");
            assert!(
                answer.json()["detail"].as_str().unwrap().contains(words),
                "{answer:?}"
            );
        }
    }
    // Only the description is for everybody.
    assert_eq!(
        api.send("GET", "/api/v1/openapi.json", &[], "")
            .await
            .status,
        200
    );
    api.stop().await;
}

#[tokio::test]
async fn a_token_sees_its_own_organisations_and_no_trace_of_others() {
    let api = Api::start().await;
    api.months().await;
    let mut rows: Vec<_> = (0..4).map(metric).collect();
    rows[2].tenant = "globex";
    rows[3].tenant = "initech";
    api.write_metrics(&rows).await;
    let seen = async |token: &str, tenant: &str| {
        let answer = api.get(&format!("{METRICS}{tenant}"), token).await;
        let items = answer.status == 200;
        (
            answer.status,
            items.then(|| answer.json()["items"].as_array().unwrap().len()),
        )
    };
    assert_eq!(seen(ACME, "").await, (200, Some(2)));
    assert_eq!(seen(ACME, "&tenant=acme").await, (200, Some(2)));
    assert_eq!(seen(ACME, "&tenant=globex").await, (403, None));
    assert_eq!(
        seen(ACME, "&tenant=nobody").await,
        (403, None),
        "whether there is one does not show"
    );
    assert_eq!(seen(TWO, "").await, (400, None), "one has to be named");
    assert_eq!(seen(TWO, "&tenant=globex").await, (200, Some(1)));
    assert_eq!(seen(TWO, "&tenant=initech").await, (403, None));
    assert_eq!(seen(ALL, "&tenant=initech").await, (200, Some(1)));
    assert_eq!(seen(ALL, "").await, (400, None));
    let problem = api.get(METRICS, TWO).await.json();
    assert_eq!(problem["errors"][0]["field"], "tenant");
    assert_eq!(problem["errors"][0]["allowed"], "one of acme, globex");

    api.sql(
        "INSERT INTO zone_findings (tenant, source, stated, interaction_id) VALUES ('acme', 'agent', 'Mars', 'i'), ('globex', 'agent', 'Venus', 'i'); \
         INSERT INTO sync_targets (target, tenant, platform, metrics) VALUES ('a', 'acme', 'p', '{}'), ('g', 'globex', 'p', '{}'); \
         INSERT INTO platform_breakers (credential, state) VALUES ('client@globex.example/x', 'open'); \
         INSERT INTO backfill_jobs (job_id, kind, tenant, metric_version) \
         VALUES (gen_random_uuid(), 'replay', 'acme', 1), (gen_random_uuid(), 'replay', 'globex', 1), (gen_random_uuid(), 'replay', NULL, 1)",
    )
    .await;
    for (token, query, zones, targets, breakers, jobs) in [
        (ACME, "", 1, 1, 0, 1),
        (TWO, "", 2, 2, 0, 2),
        (TWO, "?tenant=globex", 1, 1, 0, 1),
        (ALL, "", 2, 2, 1, 3),
    ] {
        let status = api.json(&format!("/api/v1/status{query}"), token).await;
        let list = api.json(&format!("/api/v1/jobs{query}"), token).await;
        let length = |value: &serde_json::Value| value.as_array().unwrap().len();
        assert_eq!(
            (
                length(&status["zone_findings"]),
                length(&status["targets"]),
                length(&status["breakers"]),
                length(&list["items"])
            ),
            (zones, targets, breakers, jobs),
            "{token} {query}"
        );
    }
    assert_eq!(
        api.get("/api/v1/status?tenant=globex", ACME).await.status,
        403
    );
    assert_eq!(
        api.get("/api/v1/jobs?tenant=globex", ACME).await.status,
        403
    );
    api.stop().await;
}

#[tokio::test]
async fn a_token_that_was_taken_out_of_the_file_is_none_from_then_on() {
    let api = Api::start().await;
    assert_eq!(api.get("/api/v1/kpis", ACME).await.status, 200);
    let without = tokens_file().replace("[\"acme\"]", "[\"globex\"]");
    api.tokens.replace(parse("tokens.toml", &without).unwrap());
    assert_eq!(
        api.get("/api/v1/status?tenant=acme", ACME).await.status,
        403
    );
    api.tokens
        .replace(parse("tokens.toml", "version = 1\n").unwrap());
    assert_eq!(api.get("/api/v1/kpis", ACME).await.status, 401);
    api.stop().await;
}

/// The connections of the API cannot write, whatever it would try.
#[tokio::test]
async fn what_serves_the_api_cannot_write() {
    let db = testkit::TestDb::new().await;
    let store = store::Store::connect(store::StoreConfig {
        read_only: true,
        ..store::StoreConfig::new(db.url(), "kpiline test api")
    })
    .await
    .unwrap();
    let client = store.client().await.unwrap();
    let error = store::status::put(&client, "a", "b", "{}")
        .await
        .unwrap_err();
    assert_eq!(error.sqlstate(), Some("25006"), "{error:?}");
}
