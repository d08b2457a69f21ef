//! Data extraction: one caller at a time, and links that die soon.

use super::super::call::{Asked, Made, Reply, instant};
use super::super::contacts;
use super::super::moment::{DAY, Moment};
use super::super::state::{Extraction, State};
use super::range::{Range, in_range};
use super::{FILES, Findings};
use crate::http::{error, json};
use crate::ledger::Kind;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn forbidden(asked: &Asked<'_>, message: &str) -> Reply {
    Reply::answer(error(403, "forbidden", message, asked.context))
}

pub(super) fn submit(asked: &Asked<'_>, state: &mut State) -> Reply {
    let mut findings = Findings::new();
    let knobs = state.past.history.extraction;
    let Ok(body) = serde_json::from_slice::<Value>(asked.body) else {
        return asked.bad("the body is no JSON");
    };
    let mut read = |name: &str| {
        let text = body[name].as_str()?;
        // A bare date is the platform's own form here, and its day is UTC's.
        let day = Moment::parse(&format!("{text}T00:00:00Z")).map(|it| it.0);
        day.or_else(|| instant(text, state, &mut findings))
    };
    let (Some(from), Some(until)) = (read("startDate"), read("endDate")) else {
        return asked.bad("startDate and endDate are needed").with(findings);
    };
    if body["entityName"].as_str().is_none_or(str::is_empty) {
        return asked.bad("entityName is missing").with(findings);
    }
    if from >= until || until - from > i64::from(knobs.days_max) * DAY {
        let message = format!("The range must be one of at most {} days.", knobs.days_max);
        return asked.bad(&message).with(findings);
    }
    if let Some(last) = state.extractions.last() {
        let passed = asked.at.saturating_duration_since(last.began);
        if passed < Duration::from_millis(knobs.run_ms) {
            findings.push((Kind::SecondExtraction, "another one is running".to_owned()));
            return forbidden(asked, "Another job of this tenant is running.").with(findings);
        }
        if passed < Duration::from_millis(knobs.between_ms) {
            let message = format!("Only one call in {} ms is allowed.", knobs.between_ms);
            findings.push((Kind::SecondExtraction, message.clone()));
            return forbidden(asked, &message).with(findings);
        }
    }
    let available = state.available(asked.at);
    let extraction = Extraction {
        id: asked.fresh_id.clone(),
        began: asked.at,
        from,
        until,
        view: state.view(available, asked.at),
        links: Vec::new(),
    };
    let asks = format!("extraction {} {from} {until}", body["entityName"]);
    state.extractions.push(extraction);
    Reply::answer(json(202, &json!({ "jobId": asked.fresh_id })))
        .asking(asks)
        .with(findings)
}

pub(super) fn status(asked: &Asked<'_>, state: &mut State) -> Reply {
    let knobs = state.past.history.extraction;
    let found = state
        .extractions
        .iter_mut()
        .find(|it| it.id == asked.route.id);
    let Some(extraction) = found else {
        return asked.absent();
    };
    let passed = asked.at.saturating_duration_since(extraction.began);
    if passed < Duration::from_millis(knobs.run_ms) {
        return Reply::answer(json(
            200,
            &json!({ "jobId": extraction.id, "jobStatus": { "status": "RUNNING" } }),
        ))
        .asking(format!("extraction-status {}", extraction.id));
    }
    let name = asked.fresh_id.clone();
    let until = asked.at + Duration::from_millis(knobs.link_ms);
    extraction.links.push((name.clone(), until));
    let url = format!("{}{FILES}{name}", asked.url);
    Reply::answer(json(
        200,
        &json!({
            "jobId": extraction.id,
            "jobStatus": { "status": "SUCCEEDED", "result": { "url": url } },
        }),
    ))
    .asking(format!("extraction-status {}", extraction.id))
}

pub(super) fn file(asked: &Asked<'_>, state: &State) -> Reply {
    let found = state.extractions.iter().find_map(|it| {
        let (_, until) = it.links.iter().find(|(name, _)| *name == asked.route.id)?;
        Some((it.clone(), *until))
    });
    let Some((extraction, until)) = found else {
        return asked.absent();
    };
    if asked.at > until {
        let late = vec![(Kind::LinkExpired, asked.route.id.clone())];
        return forbidden(asked, "The link has expired.").with(late);
    }
    let past = Arc::clone(&state.past);
    let id = extraction.id.clone();
    Reply::work(move || {
        let range = Range {
            from: extraction.from,
            until: extraction.until,
            updated_since: None,
            skip: 0,
            top: usize::MAX,
            inclusive: false,
            view: extraction.view,
        };
        let mut body = String::from(
            "contactId,masterContactId,agentId,skillId,mediaType,startTime,endTime,durationSeconds\n",
        );
        let mut records = 0;
        for row in in_range(&past, &range).iter().filter(|row| row.agent.is_some()) {
            let media = if row.chat { "chat" } else { "voice" };
            body.push_str(&format!(
                "{},{},{},{},{media},{},{},{:.3}\n",
                row.contact,
                row.master,
                row.agent.map_or(0, contacts::agent),
                row.skill.map_or(0, contacts::skill),
                Moment(row.start),
                Moment(row.ended_at()),
                seconds(row.total()),
            ));
            records += 1;
        }
        Made {
            content_type: "text/csv",
            ..Made::json(body, records)
        }
    })
    .asking(format!("extraction-file {id}"))
    .page(id, "file")
}

#[allow(clippy::cast_precision_loss)] // a call's length
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}
