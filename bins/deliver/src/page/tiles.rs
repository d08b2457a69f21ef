//! One tile a KPI: its value today, that of the day before, and its course over two weeks.

use super::spark;
use super::visit::Visit;
use super::words;
use crate::api::catalogue::{Kpi, Kpis};
use crate::api::problem::Problem;
use crate::api::windows::is_doubtful;
use maud::{Markup, html};
use schema::{MetricVersion, Millis};
use store::definitions::Status;
use store::freshness::{Untrusted, stretches};
use store::reading::windows::recent::recent;
use store::reading::windows::{WindowSeen, WindowState};
use timezone::Zone;

/// How far back tiles look.
const DAYS: i64 = 15;
const DAY: Millis = Millis(86_400_000);

/// The tiles of every KPI that readers see and that has windows of days of the whole organisation.
pub(super) async fn tiles(visit: &Visit, kpis: &Kpis) -> Result<Markup, Problem> {
    let Some(tenant) = &visit.tenant else {
        return Ok(super::layout::nothing(
            "No organisation has had an interaction yet.",
        ));
    };
    let mut shown: Vec<&Kpi> = kpis
        .all()
        .iter()
        .filter(|kpi| kpi.status == Status::Current && kpi.has_windows("", "day"))
        .collect();
    // Critical ones first, as they are computed first.
    shown.sort_by_key(|kpi| {
        kpi.text
            .as_ref()
            .is_none_or(|text| text.priority != "critical")
    });
    let asked: Vec<(&str, MetricVersion)> = shown
        .iter()
        .map(|kpi| (kpi.name.as_str(), kpi.version))
        .collect();
    let from = visit.now.plus(Millis(-DAYS * DAY.0));
    let limit = u32::try_from(DAYS).unwrap_or(1);
    let days = recent(
        &visit.client,
        tenant,
        &asked,
        "day",
        (from, visit.now),
        limit,
    )
    .await?;
    let untrusted = stretches(&visit.client, tenant, from, visit.now).await?;
    let (known, unknown): (Vec<_>, Vec<_>) = shown
        .into_iter()
        .zip(days)
        .partition(|(_, days)| !days.is_empty());
    Ok(html! {
        @if known.is_empty() {
            (super::layout::nothing("No KPI has a value of the last two weeks."))
        } @else {
            ul .tiles { @for (kpi, days) in &known { (tile(visit, kpi, days, &untrusted)) } }
        }
        @if !unknown.is_empty() {
            p .more {
                "No value of the last two weeks: "
                @for (at, (kpi, _)) in unknown.iter().enumerate() { @if at > 0 { ", " } (kpi.title()) }
                "."
            }
        }
    })
}

fn tile(visit: &Visit, kpi: &Kpi, days: &[WindowSeen], untrusted: &[Untrusted]) -> Markup {
    let Some(last) = days.last() else {
        return html! {};
    };
    let zone = |window: &WindowSeen| Zone::parse(&window.zone).unwrap_or(Zone::UTC);
    let name = |window: &WindowSeen| words::window(window.window_start, zone(window), "day");
    let before = days.len().checked_sub(2).and_then(|at| days.get(at));
    let values: Vec<Option<f64>> = days.iter().map(|day| day.value).collect();
    let open = last.state != WindowState::Settled;
    let address = visit.address("/trends", &[("metric", &kpi.name), ("size", "day")]);
    html! {
        li {
            a .tile href=(address) {
                span .name { (kpi.title()) }
                span .figure { (words::value(last.value, &last.unit)) }
                span .when {
                    (name(last)) " "
                    @match last.state {
                        WindowState::Open => (words::badge("busy", "open")),
                        WindowState::Settling => (words::badge("busy", "settling")),
                        WindowState::Settled => {},
                    }
                    @if is_doubtful(untrusted, last.window_start, last.window_end) { " " (words::badge("bad", "data missing")) }
                }
                @if let Some(before) = before {
                    span .before {
                        (words::value(before.value, &before.unit)) " on " (name(before))
                        @if is_doubtful(untrusted, before.window_start, before.window_end) { ", data missing" }
                    }
                }
                span .course { (spark::line(&values, open)) }
            }
        }
    }
}
