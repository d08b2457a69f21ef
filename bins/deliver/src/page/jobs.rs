//! Backfill jobs.

use super::layout::{self, Page};
use super::visit::Visit;
use super::words::{ago, badge, count, utc};
use super::{banner, overview};
use crate::api::answer::Answer;
use crate::api::problem::Problem;
use crate::api::{Context, cursor};
use maud::{Markup, html};
use schema::{JobId, UtcMicros};
use std::collections::HashMap;
use store::chunks::{self, Totals};
use store::jobs::{Job, State};
use store::reading::jobs::page as job_page;

const PAGE: u32 = 25;

pub(super) async fn answer(context: &Context, visit: &Visit) -> Result<Answer, Problem> {
    let standing = context
        .standings
        .of(context, &visit.client, Some(visit.tenant_list()))
        .await?;
    let list = format!("page jobs {:?}", visit.tenant);
    let after = cursor::read::<(i64, uuid::Uuid)>(&list, visit.chosen("cursor"))?;
    let after = after.map(|(at, id)| (UtcMicros(at), JobId(id)));
    let mut jobs = job_page(&visit.client, visit.reach(), None, after, PAGE + 1).await?;
    let more = jobs.len() > PAGE as usize;
    jobs.truncate(PAGE as usize);
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let totals: HashMap<JobId, Totals> = chunks::totals_of(&visit.client, &ids)
        .await?
        .into_iter()
        .collect();
    let next = jobs
        .last()
        .filter(|_| more)
        .and_then(|job| cursor::write(&list, &(job.created_at.0, job.id.0)));
    let body = html! {
        section #jobs data-live="" aria-label="Jobs" {
            @if jobs.is_empty() { (layout::nothing("There is no job for this organisation.")) }
            @for job in &jobs { (one(visit, job, totals.get(&job.id))) }
        }
        @if let Some(next) = &next {
            nav .pages aria-label="Pages of jobs" { a rel="next" href=(visit.address("/jobs", &[("cursor", next)])) { "Older jobs" } }
        }
    };
    Ok(layout::page(
        visit,
        &Page {
            title: "Backfill",
            banner: banner::banner(visit, &standing),
            charts: false,
            body,
        },
    ))
}

fn one(visit: &Visit, job: &Job, totals: Option<&Totals>) -> Markup {
    let tone = match job.state {
        State::Done => "good",
        State::Failed => "bad",
        State::Cancelled | State::Pending => "plain",
        State::Running | State::Paused | State::Settling => "busy",
    };
    html! {
        article .job aria-labelledby={ "job-" (job.id.0) } {
            h2 id={ "job-" (job.id.0) } { (job.kind) @if let Some(platform) = &job.platform { " of " (platform) } " " (badge(tone, job.state.as_str())) }
            @if !job.state.has_ended() { (overview::bar(job)) }
            dl {
                div { dt { "Version" } dd { (job.metric_version.0) } }
                @if let (Some(from), Some(to)) = (job.from, job.to) { div { dt { "Stretch" } dd { (utc(from)) " to " (utc(to)) } } }
                @if !job.kpis.is_empty() { div { dt { "KPIs" } dd { (job.kpis.join(", ")) } } }
                div { dt { "Created" } dd { (ago(job.created_at, visit.now)) } }
                @if let Some(at) = job.finished_at { div { dt { "Ended" } dd { (ago(at, visit.now)) } } }
                @if let Some(totals) = totals {
                    div { dt { "Chunks" } dd {
                        (count(totals.done)) " done, " (count(totals.open + totals.fetched)) " to do"
                        @if totals.waiting > 0 { ", " (count(totals.waiting)) " waiting" }
                        @if totals.failed > 0 { ", " strong .bad { (count(totals.failed)) " failed" } }
                    } }
                    div { dt { "Records" } dd { (count(totals.records)) " in " (count(totals.calls)) " requests" } }
                }
                div { dt { "Id" } dd { code { (job.id.0) } } }
            }
            @if let Some(reason) = &job.paused_for { p { "Paused: " (reason) } }
            @if let Some(error) = &job.error { p .bad { (error) } }
        }
    }
}
