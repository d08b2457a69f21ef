//! The first page: the KPIs of today, and what is held up.

use super::layout::{self, Page};
use super::visit::Visit;
use super::words::{self, ago, badge, count};
use super::{banner, tiles};
use crate::api::Context;
use crate::api::answer::Answer;
use crate::api::jobs::progress;
use crate::api::problem::Problem;
use crate::api::standing::Standing;
use maud::{Markup, html};
use store::breakers::State as Breaker;
use store::jobs::{Job, State};
use store::reading::jobs::page as job_page;

/// Jobs that are looked through for those under way.
const JOBS: u32 = 50;

pub(super) async fn answer(context: &Context, visit: &Visit) -> Result<Answer, Problem> {
    let kpis = context.catalogue.get(&visit.client).await?;
    let standing = context
        .standings
        .of(context, &visit.client, Some(visit.tenant_list()))
        .await?;
    let jobs = job_page(&visit.client, visit.reach(), None, None, JOBS).await?;
    let open: Vec<&Job> = jobs
        .iter()
        .filter(|job| !job.state.has_ended() && !job.standing)
        .collect();
    let body = html! {
        section #kpis data-live="" aria-labelledby="kpis-title" {
            h2 #kpis-title .unseen { "KPIs" }
            (tiles::tiles(visit, &kpis).await?)
        }
        div .panels {
            (platforms(visit, &standing))
            (delivery(visit, &standing))
            (quarantine(visit, &standing))
            (backfill(visit, &open))
            (zones(visit, &standing))
        }
    };
    Ok(layout::page(
        visit,
        &Page {
            title: "Overview",
            banner: banner::banner(visit, &standing),
            charts: false,
            body,
        },
    ))
}

/// A part of the page that leads to a page of its own.
fn panel(id: &str, title: &str, address: &str, body: &Markup) -> Markup {
    html! {
        section .panel #(id) data-live="" aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { a href=(address) { (title) } }
            (body)
        }
    }
}

fn platforms(visit: &Visit, standing: &Standing) -> Markup {
    let body = html! {
        @if standing.platforms.is_empty() { (layout::nothing("No platform is watched.")) }
        @else {
            table {
                caption .unseen { "How far the platforms' figures can be trusted" }
                thead { tr { th scope="col" { "Platform" } th scope="col" { "State" } th scope="col" { "Since" } th scope="col" .number { "Behind" } } }
                tbody {
                    @for platform in &standing.platforms {
                        tr {
                            th scope="row" { (platform.platform) }
                            td { (badge(banner::tone(platform.state), platform.state.as_str())) }
                            td { (ago(platform.since, visit.now)) }
                            td .number { (words::duration(platform.lag_seconds)) }
                        }
                    }
                }
            }
        }
    };
    panel(
        "platforms",
        "Platforms",
        &visit.address("/quality", &[]),
        &body,
    )
}

fn delivery(visit: &Visit, standing: &Standing) -> Markup {
    let troubled: Vec<_> = standing
        .breakers
        .iter()
        .filter(|breaker| breaker.state != Breaker::Closed)
        .collect();
    let body = html! {
        @if standing.targets.is_empty() { (layout::nothing("Nothing is pushed anywhere.")) }
        @else {
            table {
                caption .unseen { "What waits to be pushed, by target" }
                thead { tr { th scope="col" { "Target" } th scope="col" .number { "Waiting" } th scope="col" .number { "Refused" } th scope="col" { "Oldest" } } }
                tbody {
                    @for (target, pending) in &standing.targets {
                        tr {
                            th scope="row" {
                                (target.name)
                                @if !target.enabled { " " (badge("plain", "off")) }
                                @if standing.failing(&target.name).is_some() { " " (badge("bad", "failing")) }
                            }
                            td .number { (count(pending.pending + pending.leased + pending.unknown)) }
                            td .number.bad[pending.rejected > 0] { (count(pending.rejected)) }
                            td { @match pending.oldest { Some(at) => (ago(at, visit.now)), None => "–" } }
                        }
                    }
                }
            }
        }
        @for breaker in troubled {
            p { (badge("bad", if breaker.state == Breaker::Open { "breaker open" } else { "breaker tries" })) " " (breaker.credential) ": " (breaker.reason) }
        }
        @for pause in &standing.pauses {
            p { (badge("busy", "paused")) " " (pause.credential) " until " (words::utc(pause.until)) @if !pause.reason.is_empty() { ": " (pause.reason) } }
        }
    };
    panel(
        "delivery",
        "Delivery",
        &visit.address("/delivery", &[]),
        &body,
    )
}

fn quarantine(visit: &Visit, standing: &Standing) -> Markup {
    let body = html! {
        @if standing.quarantine.is_empty() { (layout::nothing("Nothing is held.")) }
        @else {
            p .lead { strong { (count(standing.held())) } " held" }
            table {
                caption .unseen { "What quarantine holds, the most frequent first" }
                thead { tr { th scope="col" { "Stage" } th scope="col" { "Field" } th scope="col" .number { "Items" } th scope="col" { "Last" } } }
                tbody {
                    @for held in standing.quarantine.iter().take(5) {
                        tr {
                            th scope="row" { (held.stage) }
                            td { code { (held.field.as_deref().unwrap_or("–")) } }
                            td .number { (count(held.items)) }
                            td { (ago(held.last, visit.now)) }
                        }
                    }
                }
            }
        }
    };
    panel(
        "quarantine",
        "Quarantine",
        &visit.address("/quality", &[]),
        &body,
    )
}

fn backfill(visit: &Visit, jobs: &[&Job]) -> Markup {
    let body = html! {
        @if jobs.is_empty() { (layout::nothing("No job is under way.")) }
        @else {
            ul .jobs { @for job in jobs.iter().take(6) { li {
                span { (job.kind) " · version " (job.metric_version.0) " " @if job.state != State::Running { (badge("plain", job.state.as_str())) } }
                (bar(job))
            } } }
        }
    };
    panel("backfill", "Backfill", &visit.address("/jobs", &[]), &body)
}

/// How far a job is.
pub(super) fn bar(job: &Job) -> Markup {
    let words = match job.total {
        Some(total) => format!("{} of {}", count(job.done), count(total)),
        None => count(job.done),
    };
    html! {
        span .bar {
            @if let Some(share) = progress(job) {
                progress max="1" value=(share) aria-label={ (job.kind) ": " (words) } {}
                span .number { (words::value(Some(share), "share")) }
            }
            span .of { (words) }
        }
    }
}

fn zones(visit: &Visit, standing: &Standing) -> Markup {
    let body = html! {
        @if standing.zones.is_empty() && standing.clocks.is_empty() {
            (layout::nothing("Every zone that was stated is known, and no agent's clock is known to differ from the platform's."))
        }
        @if !standing.clocks.is_empty() {
            p .lead { strong { (count(i64::try_from(standing.clocks.len()).unwrap_or(0))) } " agents whose clock is not the platform's" }
            ul .plain { @for finding in standing.clocks.iter().take(3) { li { (finding.agent_id.as_deref().unwrap_or("–")) ": " code { (finding.stated) } } } }
        }
        @if !standing.zones.is_empty() {
            p .lead { strong { (count(i64::try_from(standing.zones.len()).unwrap_or(0))) } " names that are no zone" }
            ul .plain { @for finding in standing.zones.iter().take(5) { li { code { (finding.stated) } " of the " (finding.source) } } }
        }
    };
    panel("zones", "Zones", &visit.address("/quality", &[]), &body)
}
