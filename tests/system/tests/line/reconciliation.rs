//! The guide's edge case 2, replayed: people of ten zones, at home and on site, over the weeks in which the clocks of Europe and America change.
//!
//! Their calls come in by signed webhook, each with the zone of its agent. What the platform reports of their days is added up here, from the same
//! calls and by their own clocks, with the double's zone data. With zones right nothing may differ; with the platform's default zone forced on a
//! third of them, those are found, all of them and nobody else, and named by what is wrong with their clocks.

use crate::harness::{Line, Look, PATIENCE};
use bytes::Bytes;
use double::history::Moment;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use testkit::eventually;

const DEFAULT_ZONE: &str = "America/New_York";
/// Some never change their clocks, some do it in one week and some in the other, one is a half hour beside the rest.
const HOMES: [&str; 10] = [
    "Europe/Berlin",
    "Europe/London",
    "Africa/Lagos",
    "America/Chicago",
    "America/Phoenix",
    "Asia/Kolkata",
    "Asia/Manila",
    "Australia/Sydney",
    "America/Sao_Paulo",
    "America/Los_Angeles",
];
const AGENTS: usize = 30;
/// 2024-10-21 to 2024-11-09.
const DATES: [&str; 20] = [
    "2024-10-21",
    "2024-10-22",
    "2024-10-23",
    "2024-10-24",
    "2024-10-25",
    "2024-10-26",
    "2024-10-27",
    "2024-10-28",
    "2024-10-29",
    "2024-10-30",
    "2024-10-31",
    "2024-11-01",
    "2024-11-02",
    "2024-11-03",
    "2024-11-04",
    "2024-11-05",
    "2024-11-06",
    "2024-11-07",
    "2024-11-08",
    "2024-11-09",
];
const AFTER: &str = "2024-11-10";
/// When calls end, by the clock of who takes them: one near midnight, where a wrong clock puts it into another day.
const ENDS: [&str; 3] = ["00:40:00", "10:05:00", "16:20:00"];
const KPIS: [&str; 4] = [
    "leg_handle_time",
    "leg_talk_time",
    "leg_hold_time",
    "leg_wrap_time",
];

fn home(agent: usize) -> &'static str {
    HOMES[agent % HOMES.len()]
}

fn name(agent: usize) -> String {
    format!("agent_{agent}")
}

/// A third, of every home some.
fn is_forced(agent: usize) -> bool {
    agent.is_multiple_of(3)
}

/// When the clock of a zone shows this.
fn at(date: &str, time: &str, zone: &str) -> Moment {
    Moment::parse_local(&format!("{date}T{time}"), zone).unwrap()
}

/// Talk, hold and wrap-up of a call, milliseconds.
fn durations(agent: usize, day: usize, call: usize) -> [i64; 3] {
    let number = i64::try_from(agent * 1_000 + day * 10 + call).unwrap();
    [
        60_000 + number * 37 % 240_000,
        number * 11 % 20_000,
        5_000 + number * 7 % 30_000,
    ]
}

fn events(forced: bool) -> Vec<Bytes> {
    let mut events = Vec::new();
    for agent in 0..AGENTS {
        let stated = if forced && is_forced(agent) {
            DEFAULT_ZONE
        } else {
            home(agent)
        };
        for (day, date) in DATES.iter().enumerate() {
            for (call, time) in ENDS.iter().enumerate() {
                let [talk, hold, wrap] = durations(agent, day, call);
                let event = json!({
                    "subscription_id": "main", "event_type": "analytics:events:publish",
                    "timestamp": at(date, time, home(agent)),
                    "data": {
                        "event_id": format!("evt_{agent}_{day}_{call}"),
                        "interaction_id": format!("int_{agent}_{day}_{call}"),
                        "type": "telephony:call:ended", "state": "completed", "queue_id": "support",
                        "metrics": { "talk_time_ms": talk, "hold_time_ms": hold, "wrap_time_ms": wrap, "queue_wait_ms": 3_000 },
                        "participants": [{ "id": name(agent), "type": "agent", "timezone": stated }],
                    },
                });
                events.push(Bytes::from(event.to_string()));
            }
        }
    }
    events
}

/// What the platform reports: each agent's days by the clock that workforce management keeps, which is the right one.
async fn report_natively(look: &Look) {
    let insert = "INSERT INTO native_figures (tenant, platform, measure, agent_id, from_at, to_at, zone, value, items) \
                  SELECT 'acme', 'main', * FROM unnest($1::text[], $2::text[], $3::text[]::timestamptz[], $4::text[]::timestamptz[], \
                                                       $5::text[], $6::bigint[], $7::bigint[])";
    let zone = "INSERT INTO native_zones (tenant, platform, agent_id, source, stated, from_at, to_at) \
                VALUES ('acme', 'main', $1, 'management_unit', $2, '2024-10-20Z', '2024-11-11Z')";
    let shift = "INSERT INTO wfm_shifts (tenant, platform, agent_id, from_at, to_at) \
                 SELECT 'acme', 'main', $1, * FROM unnest($2::text[]::timestamptz[], $3::text[]::timestamptz[])";
    for agent in 0..AGENTS {
        let (mut measures, mut begins, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let (mut values, mut items) = (Vec::new(), Vec::new());
        let (mut starts, mut stops) = (Vec::new(), Vec::new());
        let home = home(agent);
        for (day, date) in DATES.iter().enumerate() {
            let next = DATES.get(day + 1).copied().unwrap_or(AFTER);
            let calls: Vec<_> = (0..ENDS.len())
                .map(|call| durations(agent, day, call))
                .collect();
            let sum = |nth: usize| calls.iter().map(|call| call[nth]).sum::<i64>();
            let count = i64::try_from(calls.len()).unwrap();
            for (measure, value) in [
                ("handled", count),
                ("talk", sum(0)),
                ("hold", sum(1)),
                ("wrap", sum(2)),
                ("handle", sum(0) + sum(1) + sum(2)),
            ] {
                measures.push(measure);
                begins.push(text(at(date, "00:00:00", home)));
                ends.push(text(at(next, "00:00:00", home)));
                values.push(value);
                items.push(count);
            }
            starts.push(text(at(date, "09:00:00", home)));
            stops.push(text(at(date, "17:00:00", home)));
        }
        let name = name(agent);
        let (names, zones) = (vec![&name; values.len()], vec![home; values.len()]);
        look.0
            .execute(
                insert,
                &[&measures, &names, &begins, &ends, &zones, &values, &items],
            )
            .await
            .unwrap();
        look.0.execute(zone, &[&name, &home]).await.unwrap();
        look.0
            .execute(shift, &[&name, &starts, &stops])
            .await
            .unwrap();
    }
}

fn text(at: Moment) -> String {
    serde_json::to_value(at)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

/// The line with these calls in it, all computed, and what the platform reports beside them.
async fn replay(forced: bool) -> Line {
    let line = Line::start(|setup| setup).await;
    let mut activate = vec!["kpi", "activate"];
    let files: Vec<String> = KPIS
        .iter()
        .map(|kpi| {
            let file = testkit::workspace_root().join(format!("crates/kpi/catalogue/{kpi}.toml"));
            file.to_str().unwrap().to_owned()
        })
        .collect();
    activate.extend(files.iter().map(String::as_str));
    line.setup.run("compute", &activate).await;
    let hours = line.setup.folder.path().join("open.schedule.toml");
    let schedule = "schedule = \"open\"\nversion = 1\n\n[weekly]\neveryday = [\"09:00-17:00\"]\n";
    std::fs::write(&hours, schedule).unwrap();
    line.setup
        .run("compute", &["kpi", "add", hours.to_str().unwrap()])
        .await;
    let look = line.look().await;
    let events = events(forced);
    let sent = events.len() as u64;
    let mut options = line.sender();
    options.per_post = 100;
    line.send(&options, events).await;
    line.settle(&look, sent).await;
    eventually(PATIENCE, "every window is computed", async || {
        let marks = look.number("SELECT count(*) FROM dirty_marks").await;
        let days = "SELECT count(DISTINCT (agent_id, window_start)) FROM window_metrics WHERE metric_type = 'leg_handle_time' \
                    AND group_by = 'agent' AND size = 'day'";
        match (marks, look.number(days).await) {
            (0, days) if days > 0 => Ok(()),
            waits => Err(waits),
        }
    })
    .await;
    report_natively(&look).await;
    line
}

async fn reconcile(line: &Line) -> Value {
    let arguments = [
        "reconciliation",
        "run",
        "--from",
        "2024-10-20T00:00:00Z",
        "--to",
        "2024-11-11T00:00:00Z",
        "--hours",
        "open",
        "--format",
        "json",
    ];
    let text = line.setup.run("deliver", &arguments).await;
    serde_json::from_str(&text).unwrap()
}

/// How the default's clock differs from an agent's own, day by day, as the double's zone data have it: one word for all of it.
fn kind(agent: usize) -> &'static str {
    let apart: BTreeSet<i64> = DATES
        .iter()
        .map(|date| {
            let noon = |zone| at(date, "12:00:00", zone).0;
            noon(home(agent)) - noon(DEFAULT_ZONE)
        })
        .collect();
    if apart.len() == 1 {
        "constant_difference"
    } else {
        "appears_at_change"
    }
}

fn agents(report: &Value, kind: &str) -> BTreeSet<String> {
    let lines = report["lines"].as_array().unwrap();
    lines
        .iter()
        .filter(|line| line["kind"] == kind && line["finding"] == true)
        .map(|line| line["agent"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn with_zones_right_a_blended_workforce_shows_no_variance() {
    let line = replay(false).await;
    let report = reconcile(&line).await;
    assert_eq!(report["totals"]["findings"], 0, "{report:#}");
    // Every number of every agent's day is the platform's, to the digit.
    let cells = AGENTS * DATES.len() * 5;
    assert_eq!(report["totals"]["figures"], json!({ "equal": cells }));
    assert_eq!(report["totals"]["agents"], AGENTS);
    assert_eq!(report["totals"]["shifts"], AGENTS * DATES.len());
    let look = line.look().await;
    let noted = look.number("SELECT count(*) FROM zone_findings").await;
    assert_eq!(noted, 0);
}

#[tokio::test]
async fn everybody_under_the_platforms_default_zone_is_found_and_nobody_else() {
    let line = replay(true).await;
    let report = reconcile(&line).await;
    let forced: BTreeSet<String> = (0..AGENTS)
        .filter(|agent| is_forced(*agent))
        .map(name)
        .collect();
    for found in ["zone", "figure", "shift"] {
        assert_eq!(agents(&report, found), forced, "by {found}: {report:#}");
    }
    let lines = report["lines"].as_array().unwrap();
    let zones: BTreeMap<&str, &Value> = lines
        .iter()
        .filter(|line| line["kind"] == "zone")
        .map(|line| (line["agent"].as_str().unwrap(), line))
        .collect();
    for agent in (0..AGENTS).filter(|agent| is_forced(*agent)) {
        let line = zones[name(agent).as_str()];
        assert_eq!(line["verdict"], kind(agent), "{line}");
        assert_eq!(line["confidence"], "certain", "{line}");
        assert_eq!(line["our_zone"], DEFAULT_ZONE);
        assert_eq!(line["native_zone"], home(agent));
    }
    assert_eq!(zones.len(), forced.len(), "one word for each");
    // The same is in the store, and a second run changes nothing of it.
    let look = line.look().await;
    let noted = "SELECT string_agg(concat_ws('|', agent_id, kind, platform_zone, stated, ahead_seconds, since, first_seen), ';' ORDER BY agent_id) \
                 FROM zone_findings WHERE tenant = 'acme' AND platform = 'main'";
    let before = look.text(noted).await;
    assert_eq!(before.split(';').count(), forced.len());
    let again = reconcile(&line).await;
    assert_eq!(again, report);
    assert_eq!(look.text(noted).await, before);
    assert_eq!(
        look.number("SELECT count(*) FROM reconciliation_runs")
            .await,
        1
    );
    let findings = "SELECT count(*) FROM reconciliation_findings WHERE finding";
    assert_eq!(
        json!(look.number(findings).await),
        report["totals"]["findings"]
    );
    let shown = line
        .setup
        .run("deliver", &["reconciliation", "show", "--format", "json"])
        .await;
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), report);
}
