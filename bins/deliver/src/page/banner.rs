//! What holds for every figure on a page: that data are still coming, and why.

use super::visit::Visit;
use super::words::{ago, utc};
use crate::api::standing::Standing;
use crate::api::status::is_storm;
use maud::{Markup, html};
use schema::PlatformState;
use store::freshness::Platform;

/// The banner; nothing where nothing is to be said.
pub(super) fn banner(visit: &Visit, standing: &Standing) -> Markup {
    html! {
        @for platform in standing.doubtful() { (of_platform(visit, platform)) }
        @if is_storm(&standing.storm) {
            div .banner.busy {
                p {
                    strong { "More comes in than is evaluated at once." }
                    " Critical KPIs are computed first, the others later; until then figures are not settled."
                    @if !standing.storm.reason.is_empty() { " " (sentence(&standing.storm.reason)) }
                }
                p .since { "Since " (ago(standing.storm.since, visit.now)) }
            }
        }
    }
}

fn of_platform(visit: &Visit, platform: &Platform) -> Markup {
    let (tone, words) = match platform.state {
        PlatformState::Live | PlatformState::Syncing => ("busy", "Data syncing."),
        PlatformState::Stale => ("bad", "Nothing comes in."),
        PlatformState::Maintenance => ("busy", "The platform is under maintenance."),
    };
    html! {
        div .banner.(tone) {
            p {
                strong { (words) } " " (platform.platform) ": " (sentence(&platform.reason))
                @if let Some(from) = platform.doubtful_from { " Figures from " time datetime=(from) { (utc(from)) } " on may be too small." }
            }
            p .since { "Since " (ago(platform.since, visit.now)) }
        }
    }
}

/// With an end.
fn sentence(text: &str) -> String {
    let ended = text.is_empty() || text.ends_with(['.', '!', '?']);
    format!("{text}{}", if ended { "" } else { "." })
}

/// The tone of a state.
pub(super) const fn tone(state: PlatformState) -> &'static str {
    match state {
        PlatformState::Live => "good",
        PlatformState::Syncing | PlatformState::Maintenance => "busy",
        PlatformState::Stale => "bad",
    }
}
