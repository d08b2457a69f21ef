//! What keeps going by itself, as it is: how fresh, and what it costs.

use crate::standing::{Kept, Reach, reach};
use crate::view;
use runtime::table::span;
use schema::UtcMicros;
use serde_json::{Value, json};
use std::time::Duration;
use store::jobs::{self, Job, Purpose};
use store::standing::{self, Going};
use store::{Client, sweep};

/// The heads of [`Row::cells`].
pub(crate) const HEAD: [&str; 8] = [
    "platform",
    "what",
    "source",
    "open",
    "covered to",
    "age",
    "calls in 24 h",
    "by its settings",
];

/// One thing that keeps going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    what: &'static str,
    going: Going,
    reach: Option<Reach>,
    stated: Option<Kept>,
    now: UtcMicros,
}

/// Everything that keeps going: a row for each job that has no end, and one for all jobs of a kind that come again and again.
pub(crate) async fn all(client: &Client) -> anyhow::Result<Vec<Row>> {
    let now = sweep::now(client).await?;
    let standing = jobs::standing(client).await?;
    let mut rows = Vec::new();
    for going in standing::going(client).await? {
        let job = going
            .job
            .and_then(|id| standing.iter().find(|job| job.id == id));
        rows.push(row(client, going, job, now).await?);
    }
    Ok(rows)
}

/// The row of a job that has no end; none of others.
pub(crate) async fn of_job(client: &Client, job: &Job) -> anyhow::Result<Option<Row>> {
    if !job.standing {
        return Ok(None);
    }
    let now = sweep::now(client).await?;
    let all = standing::going(client).await?;
    match all.into_iter().find(|going| going.job == Some(job.id)) {
        Some(going) => Ok(Some(row(client, going, Some(job), now).await?)),
        None => Ok(None),
    }
}

async fn row(
    client: &Client,
    going: Going,
    job: Option<&Job>,
    now: UtcMicros,
) -> anyhow::Result<Row> {
    let request = job.and_then(|job| job.request_id.as_deref());
    let (what, front) = match (going.purpose, request) {
        (Purpose::Follow, Some(request)) if request.ends_with("/again") => ("read again", None),
        (Purpose::Follow, Some(request)) if request.ends_with("/behind") => ("catch up", None),
        (Purpose::Follow, request) => ("follow", job.zip(request)),
        (Purpose::Settlement, _) => ("settlement", None),
        (Purpose::Lookup, _) => ("look-ups", None),
        (Purpose::Gap, _) => ("gaps", None),
        (Purpose::Job, _) => ("job", None),
    };
    let stated = job.and_then(|job| Kept::read(&job.params_json));
    let reach = match front {
        Some((job, request)) => {
            let overlap = stated.map_or(0, |stated| stated.overlap_seconds);
            let behind = format!("{request}/behind");
            reach(
                client,
                (job.id, &behind),
                None,
                Duration::from_secs(overlap),
            )
            .await?
        }
        // What is read once more, or comes when it comes: the newest of it that is done.
        None => going.covered_to.map(Reach::To),
    };
    Ok(Row {
        what,
        going,
        reach,
        stated,
        now,
    })
}

impl Row {
    fn covered_to(&self) -> Option<UtcMicros> {
        match self.reach {
            Some(Reach::To(at)) => Some(at),
            Some(Reach::Rests) | None => None,
        }
    }

    fn age(&self) -> Option<Duration> {
        let micros = self.now.0.saturating_sub(self.covered_to()?.0).max(0);
        Some(Duration::from_micros(micros.unsigned_abs()))
    }

    /// As a JSON object.
    pub(crate) fn json(&self) -> Value {
        json!({
            "platform": self.going.platform,
            "what": self.what,
            "source": self.going.kind,
            "job": self.going.job.map(|job| job.to_string()),
            "open_jobs": self.going.open,
            "covered_to": view::instant(self.covered_to()),
            "age_seconds": self.age().map(|age| age.as_secs()),
            "rests": self.reach == Some(Reach::Rests),
            "calls_in_24_hours": self.going.calls_last_day,
            "stated": self.stated,
        })
    }

    /// As a row of a table.
    pub(crate) fn cells(&self) -> Vec<String> {
        let none = || "-".to_owned();
        let age = match self.reach {
            Some(Reach::Rests) => "rests: deliveries come".to_owned(),
            _ => self.age().map_or_else(none, span),
        };
        let stated = self.stated.map_or_else(none, |stated| {
            format!(
                "within {}, at least {} calls a day",
                span(Duration::from_secs(stated.fresh_within_seconds)),
                stated.requests_a_day
            )
        });
        vec![
            self.going.platform.clone().unwrap_or_else(none),
            self.what.to_owned(),
            self.going.kind.clone(),
            self.going.open.to_string(),
            self.covered_to().map_or_else(none, view::short),
            age,
            self.going.calls_last_day.to_string(),
            stated,
        ]
    }
}
