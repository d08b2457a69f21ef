//! The status page as a browser without script sees it.

use crate::filled::half_hour;
use crate::server::{ACME, ALL, Answer, Api, TWO};
use schema::UtcMicros;
use store::window_metrics::WindowRow;

/// Logs in and gives the cookie.
async fn log_in(api: &Api, token: &str) -> String {
    let answer = api
        .send("POST", "/login", &[], &format!("token={token}&next=%2F"))
        .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/"),
        "{answer:?}"
    );
    answer
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned()
}

async fn see(api: &Api, path: &str, cookie: &str) -> Answer {
    api.send("GET", path, &[("Cookie", cookie)], "").await
}

#[tokio::test]
async fn people_log_in_with_a_token_and_out_again() {
    let api = Api::start().await;
    let stranger = api.send("GET", "/trends?metric=a%26b", &[], "").await;
    assert_eq!(
        (stranger.status, stranger.header("location")),
        (303, "/login?next=%2Ftrends%3Fmetric%3Da%2526b")
    );
    let form = api.send("GET", stranger.header("location"), &[], "").await;
    assert_eq!(form.status, 200);
    assert!(
        form.body
            .contains("name=\"next\" value=\"/trends?metric=a%26b\""),
        "{}",
        form.body
    );
    let wrong = api.send("POST", "/login", &[], "token=nobody").await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, ""));
    assert!(
        wrong.body.contains("role=\"alert\"") && !wrong.body.contains("nobody"),
        "{}",
        wrong.body
    );
    let elsewhere = api
        .send(
            "POST",
            "/login",
            &[],
            &format!("token={ACME}&next=https%3A%2F%2Fexample.org"),
        )
        .await;
    assert_eq!((elsewhere.status, elsewhere.header("location")), (303, "/"));
    let foreign = api
        .send(
            "POST",
            "/login",
            &[("Sec-Fetch-Site", "cross-site")],
            &format!("token={ACME}"),
        )
        .await;
    assert_eq!((foreign.status, foreign.header("set-cookie")), (403, ""));
    let cookie = log_in(&api, ACME).await;
    assert!(!cookie.contains(ACME), "the token is not in the browser");
    assert_eq!(see(&api, "/", &cookie).await.status, 200);
    assert_eq!(see(&api, "/login", &cookie).await.status, 303, "already in");
    let out = api
        .send("POST", "/logout", &[("Cookie", &cookie)], "")
        .await;
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{out:?}");
    let large = api.send("POST", "/login", &[], &"x".repeat(20_000)).await;
    assert_eq!(large.status, 413);
    api.stop().await;
}

#[tokio::test]
async fn every_page_is_whole_without_script_and_lets_none_in() {
    let api = Api::start().await;
    let cookie = log_in(&api, ACME).await;
    for path in ["/", "/trends", "/delivery", "/jobs", "/quality"] {
        let page = see(&api, path, &cookie).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, "text/html; charset=utf-8"),
            "{path}: {}",
            page.body
        );
        let policy = page.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'; script-src 'self'; style-src 'self'")
                && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(
            page.body.starts_with("<!DOCTYPE html><html lang=\"en\">")
                && page.body.ends_with("</html>"),
            "{path}"
        );
        // Nothing that the policy would keep from working.
        assert!(
            !page.body.contains(" style=")
                && !page.body.contains("<style")
                && !page.body.contains(" onclick"),
            "{path}"
        );
        for script in page.body.split("<script").skip(1) {
            assert!(
                script.starts_with(" defer src=\"/assets/") && script.contains("\"></script>"),
                "{path}: {script}"
            );
        }
        for asset in page.body.split("\"/assets/").skip(1) {
            let name = asset.split('"').next().unwrap();
            let answer = api.send("GET", &format!("/assets/{name}"), &[], "").await;
            assert_eq!(
                (answer.status, answer.header("cache-control")),
                (200, "public, max-age=31536000, immutable"),
                "{name}"
            );
        }
    }
    assert_eq!(see(&api, "/nowhere", &cookie).await.status, 404);
    assert_eq!(
        api.send("POST", "/", &[("Cookie", &cookie)], "a=b")
            .await
            .status,
        405
    );
    api.stop().await;
}

/// A page for every organisation that the token reaches, and for no other.
#[tokio::test]
async fn the_organisation_is_chosen_from_those_that_the_token_reaches() {
    let api = Api::start().await;
    api.months().await;
    api.sql(
        "INSERT INTO interactions (tenant, interaction_id, partition_at, status, state, facts) \
         SELECT t, 'i' || n, '2024-05-15Z', 'open', '{}', 0 FROM unnest(ARRAY['acme', 'globex', 'initech']) t, generate_series(1, 50) n",
    )
    .await;
    let option =
        |page: &Answer, tenant: &str| page.body.contains(&format!("<option value=\"{tenant}\""));
    let two = log_in(&api, TWO).await;
    let page = see(&api, "/", &two).await;
    assert!(
        option(&page, "acme") && option(&page, "globex") && !option(&page, "initech"),
        "{}",
        page.body
    );
    assert_eq!(see(&api, "/?tenant=initech", &two).await.status, 403);
    assert_eq!(see(&api, "/?tenant=globex", &two).await.status, 200);
    let all = log_in(&api, ALL).await;
    assert!(option(&see(&api, "/", &all).await, "initech"));
    let one = log_in(&api, ACME).await;
    assert!(
        !see(&api, "/", &one)
            .await
            .body
            .contains("<option value=\"acme\"")
    );
    api.stop().await;
}

fn day(value: f64, start: UtcMicros, end: UtcMicros) -> WindowRow<'static> {
    WindowRow {
        group_by: "",
        size: "day",
        group_key: "[]",
        queue_id: None,
        window_start: start,
        window_end: end,
        value: Some(value),
        settles_at: end,
        ..half_hour("sales", 0)
    }
}

#[tokio::test]
async fn tiles_show_today_as_open_beside_the_day_before() {
    let api = Api::start().await;
    let now = deliver::api::now();
    let partitions = store::partitions::Partitions::new(api.store.clone());
    let hours = |hours: i64| UtcMicros(now.0 + hours * 3_600_000_000);
    partitions
        .ensure(
            store::partitions::Table::WindowMetrics,
            [hours(-48), hours(24)],
        )
        .await
        .unwrap();
    api.write_windows(
        "acme",
        &[
            day(272.0, hours(-30), hours(-6)),
            day(300.0, hours(-6), hours(18)),
        ],
    )
    .await;
    let cookie = log_in(&api, ACME).await;
    let page = see(&api, "/", &cookie).await;
    for words in [
        "<span class=\"figure\">5:00</span>",
        "<span class=\"badge busy\">open</span>",
        "4:32 on ",
    ] {
        assert!(page.body.contains(words), "{words} in {}", page.body);
    }
    api.stop().await;
}

#[tokio::test]
async fn a_trend_has_its_figures_in_a_table_by_the_clock_of_the_window() {
    let api = Api::start().await;
    let now = deliver::api::now();
    // The half hours of today's UTC day so far, at least the one under way.
    let half = 1_800_000_000;
    let first = UtcMicros(now.0 - now.0 % half - 4 * half);
    let partitions = store::partitions::Partitions::new(api.store.clone());
    partitions
        .ensure(store::partitions::Table::WindowMetrics, [first, now])
        .await
        .unwrap();
    api.candidate("talk_time").await;
    let mut rows = Vec::new();
    for n in 0..5 {
        for queue in ["sales", "support"] {
            let start = UtcMicros(first.0 + n * half);
            let row = WindowRow {
                window_start: start,
                window_end: UtcMicros(start.0 + half),
                settles_at: UtcMicros(start.0 + half),
                value: Some(60.0 + f64::from(i32::try_from(n).unwrap())),
                ..half_hour(queue, 0)
            };
            rows.push(WindowRow {
                metric_version: schema::MetricVersion(2),
                value: Some(120.0),
                ..row
            });
            rows.push(row);
        }
    }
    api.write_windows("acme", &rows).await;
    let cookie = log_in(&api, ACME).await;
    let page = see(
        &api,
        "/trends?metric=talk_time&by=queue&size=30m&span=1d",
        &cookie,
    )
    .await;
    assert_eq!(page.status, 200);
    assert_eq!(page.body.matches("<tr data-t=").count(), 5, "{}", page.body);
    assert!(
        page.body.contains(">sales</th>") && page.body.contains(">support</th>"),
        "{}",
        page.body
    );
    assert_eq!(page.body.matches("data-state=\"open\"").count(), 1);
    assert!(
        page.body.contains("data-v=\"61\" title=\"of 2\">1:01</td>"),
        "{}",
        page.body
    );
    let zone = timezone::Zone::parse("Europe/Berlin")
        .unwrap()
        .local(first.0);
    assert!(
        page.body
            .contains(&format!(" {:02}:{:02}</time>", zone.hour, zone.minute)),
        "local time"
    );
    // Version against version.
    let page = see(&api, "/trends?metric=talk_time&by=queue&size=30m&span=1d&version=1&version=2&group=%5B%22sales%22%5D", &cookie).await;
    assert!(
        page.body.contains(">sales, version 1</th>")
            && page.body.contains(">sales, version 2</th>")
            && !page.body.contains(">support</th>"),
        "{}",
        page.body
    );
    assert!(page.body.contains("data-v=\"120\""));
    // By zone: a mean of sums.
    let page = see(
        &api,
        "/trends?metric=talk_time&by=zone&size=30m&span=1d",
        &cookie,
    )
    .await;
    assert!(
        page.body.contains(">Europe/Berlin</th>")
            && page.body.contains("data-v=\"150.5\" title=\"of 4\""),
        "{}",
        page.body
    );
    // What does not go together is replaced by what is nearest.
    for strange in [
        "metric=nothing",
        "metric=talk_time&by=shoe&size=never&span=ever&version=x&group=y",
        "metric=talk_time&size=15m&span=366d",
    ] {
        assert_eq!(
            see(&api, &format!("/trends?{strange}"), &cookie)
                .await
                .status,
            200,
            "{strange}"
        );
    }
    api.stop().await;
}

#[tokio::test]
async fn what_others_wrote_is_shown_as_text() {
    let api = Api::start().await;
    let nasty = "<script>alert(1)</script>&\"'";
    let quoted = nasty.replace('\'', "''");
    api.sql(&format!(
        "INSERT INTO zone_findings (tenant, source, stated, interaction_id) VALUES ('acme', 'agent', '{quoted}', '{quoted}'); \
         INSERT INTO sync_targets (target, tenant, platform, metrics) VALUES ('{quoted}', 'acme', '{quoted}', ARRAY['{quoted}']); \
         INSERT INTO backfill_jobs (job_id, kind, tenant, metric_version, state, paused_for) \
         VALUES (gen_random_uuid(), '{quoted}', 'acme', 1, 'paused', '{quoted}'); \
         INSERT INTO quarantine (tenant, subscription, delivery_id, item_index, stage, format, reason, field, raw, received_at, correlation) \
         VALUES ('acme', '{quoted}', gen_random_uuid(), 1, '{quoted}', 'f', 'r', '{quoted}', '', now(), 'c')"
    ))
    .await;
    let cookie = log_in(&api, ACME).await;
    for path in ["/", "/delivery", "/jobs", "/quality"] {
        let page = see(&api, path, &cookie).await;
        assert_eq!(page.status, 200);
        assert!(
            page.body
                .contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;"),
            "{path}: {}",
            page.body
        );
        assert!(!page.body.contains("<script>alert"), "{path}");
    }
    api.stop().await;
}
