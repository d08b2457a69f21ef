//! What was not understood: quarantine, zones, and agents' clocks.

use super::banner;
use super::layout::{self, Page};
use super::visit::Visit;
use super::words::{ago, badge, count, duration, utc};
use crate::api::Context;
use crate::api::answer::Answer;
use crate::api::problem::Problem;
use crate::api::standing::Standing;
use maud::{Markup, html};

pub(super) async fn answer(context: &Context, visit: &Visit) -> Result<Answer, Problem> {
    let standing = context
        .standings
        .of(context, &visit.client, Some(visit.tenant_list()))
        .await?;
    let body = html! {
        (platforms(visit, &standing))
        (quarantine(visit, &standing))
        (zones(visit, &standing))
        (clocks(visit, &standing))
    };
    Ok(layout::page(
        visit,
        &Page {
            title: "Data quality",
            banner: banner::banner(visit, &standing),
            charts: false,
            body,
        },
    ))
}

fn platforms(visit: &Visit, standing: &Standing) -> Markup {
    html! {
        section #platforms data-live="" aria-labelledby="platforms-title" {
            h2 #platforms-title { "Platforms" }
            @if standing.platforms.is_empty() { (layout::nothing("No platform of this organisation is watched.")) }
            @else {
                div .wide tabindex="0" role="group" aria-labelledby="platforms-title" {
                    table {
                        thead { tr {
                            th scope="col" { "Platform" } th scope="col" { "State" } th scope="col" { "Since" } th scope="col" { "Why" }
                            th scope="col" { "Doubtful from" } th scope="col" .number { "Behind" } th scope="col" .number { "Missing" } th scope="col" { "Looked at" }
                        } }
                        tbody {
                            @for platform in &standing.platforms {
                                tr {
                                    th scope="row" { (platform.platform) }
                                    td { (badge(banner::tone(platform.state), platform.state.as_str())) }
                                    td { (ago(platform.since, visit.now)) }
                                    td { (platform.reason) }
                                    td { @match platform.doubtful_from { Some(at) => (utc(at)), None => "–" } }
                                    td .number { (duration(platform.lag_seconds)) }
                                    td .number { (count(platform.count_gap)) }
                                    td { (ago(platform.looked_at, visit.now)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn quarantine(visit: &Visit, standing: &Standing) -> Markup {
    html! {
        section #quarantine data-live="" aria-labelledby="quarantine-title" {
            h2 #quarantine-title { "Quarantine" }
            p .about { "Items that could not be processed rest here whole, until somebody releases or discards them: " code { "ingest quarantine list --counts" } "." }
            @if standing.quarantine.is_empty() { (layout::nothing("Nothing is held.")) }
            @else {
                div .wide tabindex="0" role="group" aria-labelledby="quarantine-title" {
                    table {
                        thead { tr {
                            th scope="col" { "Stage" } th scope="col" { "Came in by" } th scope="col" { "Field" } th scope="col" .number { "Items" }
                            th scope="col" { "First" } th scope="col" { "Last" }
                        } }
                        tbody {
                            @for held in &standing.quarantine {
                                tr {
                                    th scope="row" { (held.stage) }
                                    td { (held.subscription) }
                                    td { @match &held.field { Some(field) => code { (field) }, None => "–" } }
                                    td .number { (count(held.items)) }
                                    td { (ago(held.first, visit.now)) }
                                    td { (ago(held.last, visit.now)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn zones(visit: &Visit, standing: &Standing) -> Markup {
    html! {
        section #zones data-live="" aria-labelledby="zones-title" {
            h2 #zones-title { "Zones" }
            p .about { "Names that are no time zone. The figures concerned carry a flag and go by the next clock in line; nothing silently goes by UTC." }
            @if standing.zones.is_empty() { (layout::nothing("Every zone that was stated is known.")) }
            @else {
                div .wide tabindex="0" role="group" aria-labelledby="zones-title" {
                    table {
                        thead { tr {
                            th scope="col" { "Stated" } th scope="col" { "By the" } th scope="col" { "First met in" } th scope="col" { "First" } th scope="col" { "Last" }
                        } }
                        tbody {
                            @for finding in &standing.zones {
                                tr {
                                    th scope="row" { code { (finding.stated) } }
                                    td { (finding.source) }
                                    td { code { (finding.interaction_id) } }
                                    td { (ago(finding.first_seen, visit.now)) }
                                    td { (ago(finding.last_seen, visit.now)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Agents whose days are cut by another clock here than on the platform.
fn clocks(visit: &Visit, standing: &Standing) -> Markup {
    html! {
        section #clocks data-live="" aria-labelledby="clocks-title" {
            h2 #clocks-title { "Agents' clocks" }
            p .about { "Agents whose days begin at another instant here than on the platform, as the last reconciliation found them: " code { "deliver reconciliation show" } "." }
            @if standing.clocks.is_empty() { (layout::nothing("None is known.")) }
            @else {
                div .wide tabindex="0" role="group" aria-labelledby="clocks-title" {
                    table {
                        thead { tr {
                            th scope="col" { "Agent" } th scope="col" { "On" } th scope="col" { "How" } th scope="col" { "Here" } th scope="col" { "There" }
                            th scope="col" { "In words" } th scope="col" { "Found" }
                        } }
                        tbody {
                            @for finding in &standing.clocks {
                                tr {
                                    th scope="row" { (finding.agent_id.as_deref().unwrap_or("–")) }
                                    td { (finding.platform) }
                                    td { (how(&finding.kind)) }
                                    td { code { (finding.stated) } }
                                    td { @match &finding.platform_zone { Some(zone) => code { (zone) }, None => "–" } }
                                    td { (finding.detail.as_deref().unwrap_or("–")) }
                                    td { (ago(finding.last_seen, visit.now)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn how(kind: &str) -> &str {
    match kind {
        "declared_differs" => "other zone",
        "constant_difference" => "whole hours apart",
        "appears_at_change" => "since clocks changed",
        other => other,
    }
}
