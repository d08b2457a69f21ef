//! The course of one KPI: over time, by queue, agent, team or zone, one version beside another.

mod choice;
mod series;
mod view;

use super::banner;
use super::layout::{self, Page};
use super::visit::Visit;
use crate::api::Context;
use crate::api::answer::Answer;
use crate::api::problem::Problem;
use choice::Choice;
use maud::{Markup, html};
use series::Chart;

pub(super) async fn answer(context: &Context, visit: &Visit) -> Result<Answer, Problem> {
    let kpis = context.catalogue.get(&visit.client).await?;
    let standing = context
        .standings
        .of(context, &visit.client, Some(visit.tenant_list()))
        .await?;
    let body: Markup = match (Choice::of(visit, &kpis), &visit.tenant) {
        (Some(choice), Some(tenant)) => {
            let chart = Chart::read(visit, tenant, &choice).await?;
            html! {
                (view::form(visit, &kpis, &choice, &chart))
                (view::chart(&choice, &chart))
                (view::about(&choice))
            }
        }
        _ => layout::nothing("There is no KPI with windows that could be shown."),
    };
    Ok(layout::page(
        visit,
        &Page {
            title: "Trends",
            banner: banner::banner(visit, &standing),
            charts: true,
            body,
        },
    ))
}
