//! What is pushed, what waits and what was refused.

use super::banner;
use super::layout::{self, Page};
use super::visit::Visit;
use super::words::{self, ago, badge, count};
use crate::api::answer::Answer;
use crate::api::problem::Problem;
use crate::api::standing::Standing;
use crate::api::{Context, cursor};
use maud::{Markup, html};
use store::breakers::State as Breaker;
use store::reading::Tenants;
use store::reading::sync::log::{Attempt, Part, page as log_page};
use store::reading::sync::refused::{Refused, page as refused_page};
use store::reading::sync::{Filter, ValueSeen};

/// Refused values of one page, and entries of the log.
const REFUSED: u32 = 25;
const LATEST: u32 = 20;

pub(super) async fn answer(context: &Context, visit: &Visit) -> Result<Answer, Problem> {
    let standing = context
        .standings
        .of(context, &visit.client, Some(visit.tenant_list()))
        .await?;
    let filter = Filter {
        tenants: Tenants::Of(visit.tenant_list()),
        target: None,
    };
    let list = format!("page refused {:?}", visit.tenant);
    let after = cursor::read::<i64>(&list, visit.chosen("cursor"))?;
    let mut refused = refused_page(&visit.client, &filter, after, REFUSED + 1).await?;
    let more = refused.len() > REFUSED as usize;
    refused.truncate(REFUSED as usize);
    let next = refused.last().filter(|_| more);
    let next = next.and_then(|row| cursor::write(&list, &row.row_id));
    let latest = log_page(&visit.client, &filter, Part::All, None, LATEST).await?;
    let body = html! {
        (targets(visit, &standing))
        (breakers(visit, &standing))
        (refusals(visit, &refused, next.as_deref()))
        (attempts(visit, &latest))
    };
    Ok(layout::page(
        visit,
        &Page {
            title: "Delivery",
            banner: banner::banner(visit, &standing),
            charts: false,
            body,
        },
    ))
}

fn targets(visit: &Visit, standing: &Standing) -> Markup {
    html! {
        section #targets data-live="" aria-labelledby="targets-title" {
            h2 #targets-title { "Targets" }
            (failing(visit, standing))
            @if standing.targets.is_empty() { (layout::nothing("Nothing is pushed anywhere for this organisation.")) }
            @else {
                div .wide tabindex="0" role="group" aria-labelledby="targets-title" {
                    table {
                        thead { tr {
                            th scope="col" { "Target" } th scope="col" { "To" } th scope="col" { "What" }
                            th scope="col" .number { "Held" } th scope="col" .number { "Waiting" } th scope="col" .number { "Being sent" } th scope="col" .number { "Unknown" }
                            th scope="col" .number { "Refused" } th scope="col" { "Oldest" }
                        } }
                        tbody {
                            @for (target, pending) in &standing.targets {
                                tr {
                                    th scope="row" {
                                        (target.name)
                                        @if !target.enabled { " " (badge("plain", "off")) }
                                        @if standing.failing(&target.name).is_some() { " " (badge("bad", "failing")) }
                                    }
                                    td { (target.platform) }
                                    td { (target.metrics.join(", ")) }
                                    td .number { (count(pending.held)) }
                                    td .number { (count(pending.pending)) }
                                    td .number { (count(pending.leased)) }
                                    td .number { (count(pending.unknown)) }
                                    td .number.bad[pending.rejected > 0] { (count(pending.rejected)) }
                                    td { @match pending.oldest { Some(at) => (ago(at, visit.now)), None => "–" } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Targets to which too many deliveries fail, in a sentence each.
fn failing(visit: &Visit, standing: &Standing) -> Markup {
    html! {
        @for health in &standing.failing {
            p { (badge("bad", "failing")) " " (health.target) ": " (count(health.failed)) " of " (count(health.tried)) " attempts failed, since "
                (ago(health.since, visit.now)) @if !health.reason.is_empty() { ": " (health.reason) } }
        }
    }
}

fn breakers(visit: &Visit, standing: &Standing) -> Markup {
    html! {
        section #breakers data-live="" aria-labelledby="breakers-title" {
            h2 #breakers-title { "Platforms" }
            @if standing.breakers.is_empty() && standing.pauses.is_empty() {
                (layout::nothing("No platform has had trouble, and none wants to be left alone."))
            }
            @if !standing.breakers.is_empty() {
                div .wide tabindex="0" role="group" aria-labelledby="breakers-title" {
                    table {
                        caption { "Breakers: whether a platform is asked at all" }
                        thead { tr { th scope="col" { "Credential" } th scope="col" { "State" } th scope="col" .number { "Failures in a row" } th scope="col" { "Since" } th scope="col" { "Last failure" } } }
                        tbody {
                            @for breaker in &standing.breakers {
                                tr {
                                    th scope="row" { (breaker.credential) }
                                    td { @match breaker.state {
                                        Breaker::Closed => (badge("good", "closed")),
                                        Breaker::Open => (badge("bad", "open")),
                                        Breaker::HalfOpen => (badge("busy", "tries")),
                                    } }
                                    td .number { (count(i64::from(breaker.failures))) }
                                    td { (ago(breaker.since, visit.now)) }
                                    td { (breaker.reason) }
                                }
                            }
                        }
                    }
                }
            }
            @if !standing.pauses.is_empty() {
                ul .plain { @for pause in &standing.pauses { li {
                    (badge("busy", "paused")) " " (pause.credential)
                    @if let Some(route) = &pause.route { " for " code { (route) } }
                    " until " (words::utc(pause.until)) @if !pause.reason.is_empty() { ": " (pause.reason) }
                } } }
            }
        }
    }
}

/// Which value, in a cell.
fn value(value: &ValueSeen) -> Markup {
    html! {
        @match (&value.interaction_id, &value.agent_id, &value.workday) {
            (Some(interaction), ..) => {
                code { (interaction) }
                @if let Some(leg) = &value.leg_scope { ", leg " code { (leg) } }
            }
            (None, Some(agent), Some(day)) => { (agent) " on " (day) }
            _ => "–",
        }
    }
}

fn refusals(visit: &Visit, refused: &[Refused], next: Option<&str>) -> Markup {
    html! {
        section #refused data-live="" aria-labelledby="refused-title" {
            h2 #refused-title { "Refused" }
            p .about { "Values that a platform did not take, with its words. They wait for a new value, or for an operator who has mended the cause." }
            @if refused.is_empty() { (layout::nothing("Nothing was refused.")) }
            @else {
                div .wide tabindex="0" role="group" aria-labelledby="refused-title" {
                    table {
                        thead { tr {
                            th scope="col" { "Of" } th scope="col" { "KPI" } th scope="col" { "Target" } th scope="col" .number { "Status" }
                            th scope="col" { "The platform says" } th scope="col" .number { "Attempts" } th scope="col" { "Queued" }
                        } }
                        tbody {
                            @for row in refused {
                                tr {
                                    th scope="row" { (value(&row.value)) }
                                    td { (row.value.metric_type) " " span .of { "version " (row.value.metric_version.0) } }
                                    td { (row.value.target) }
                                    td .number { @match row.last_status { Some(status) => (status), None => "–" } }
                                    td { (row.last_message.as_deref().unwrap_or("–")) }
                                    td .number { (row.attempt) }
                                    td { (ago(row.queued_at, visit.now)) }
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(next) = next { nav .pages aria-label="Pages of what was refused" { a rel="next" href=(visit.address("/delivery", &[("cursor", next)])) { "Older ones" } } }
        }
    }
}

fn attempts(visit: &Visit, latest: &[Attempt]) -> Markup {
    html! {
        section #attempts data-live="" aria-labelledby="attempts-title" {
            h2 #attempts-title { "Latest attempts" }
            @if latest.is_empty() { (layout::nothing("Nothing was pushed yet.")) }
            @else {
                div .wide tabindex="0" role="group" aria-labelledby="attempts-title" {
                    table {
                        thead { tr {
                            th scope="col" { "Of" } th scope="col" { "KPI" } th scope="col" { "Target" } th scope="col" { "Fate" } th scope="col" .number { "Status" }
                            th scope="col" { "Words" } th scope="col" { "When" }
                        } }
                        tbody {
                            @for row in latest {
                                tr {
                                    th scope="row" { (value(&row.value)) }
                                    td { (row.value.metric_type) " " span .of { "version " (row.value.metric_version.0) } }
                                    td { (row.value.target) }
                                    td { (badge(match row.fate.as_str() { "accepted" | "retracted" => "good", "rejected" | "expired" => "bad", "sent" => "plain", _ => "busy" }, &row.fate)) }
                                    td .number { @match row.status { Some(status) => (status), None => "–" } }
                                    td { (row.message.as_deref().unwrap_or("–")) }
                                    td { (ago(row.logged_at, visit.now)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
