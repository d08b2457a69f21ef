//! Details jobs: submitted, ready after a while, fetched page by page, sometimes failed or expired.

use super::books::IntervalAccount;
use super::moment::Moment;
use super::past::{Matching, View};
use crate::config::Jobs;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::{Duration, Instant};

/// What a job's results are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Conversations,
    Users,
}

impl Subject {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Conversations => "conversations",
            Self::Users => "users",
        }
    }
}

/// What is in store for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    Fails,
    /// After its first page.
    Expires,
}

/// A job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) subject: Subject,
    /// As it was asked for.
    pub(crate) interval: String,
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) matching: Matching,
    /// What the platform knew when it was submitted.
    pub(crate) view: View,
    /// How often a job for its interval had failed or expired before, without the client's doing.
    pub(crate) generation: u32,
    submitted: Instant,
    submitted_at: Moment,
    fate: Fate,
    page_handed_out: bool,
    deleted: bool,
}

/// The jobs so far.
#[derive(Debug, Default)]
pub(crate) struct Board {
    jobs: Vec<Job>,
}

/// What a job is asked to be about.
#[derive(Debug, Clone)]
pub(crate) struct Submission {
    pub(crate) subject: Subject,
    pub(crate) interval: String,
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) matching: Matching,
    pub(crate) view: View,
}

impl Job {
    fn ready_after(&self, knobs: &Jobs) -> Duration {
        Duration::from_millis(knobs.queued_ms + knobs.pending_ms)
    }

    /// Its state at an instant, in the platform's word.
    pub(crate) fn state(&self, at: Instant, knobs: &Jobs) -> &'static str {
        let lasted = at.saturating_duration_since(self.submitted);
        let ready = self.ready_after(knobs);
        if self.deleted {
            "CANCELLED"
        } else if lasted < Duration::from_millis(knobs.queued_ms) {
            "QUEUED"
        } else if lasted < ready {
            "PENDING"
        } else if self.fate == Fate::Fails {
            "FAILED"
        } else if (self.fate == Fate::Expires && self.page_handed_out)
            || lasted >= ready + Duration::from_millis(knobs.kept_ms)
        {
            "EXPIRED"
        } else {
            "FULFILLED"
        }
    }

    fn is_under_way(&self, at: Instant, knobs: &Jobs) -> bool {
        matches!(self.state(at, knobs), "QUEUED" | "PENDING")
    }

    /// The answer to a question about it.
    pub(crate) fn status(&self, at: Instant, knobs: &Jobs) -> serde_json::Value {
        let state = self.state(at, knobs);
        let mut status = serde_json::json!({ "state": state, "submissionDate": self.submitted_at });
        let ready = i64::try_from(self.ready_after(knobs).as_millis()).unwrap_or(0);
        let kept = i64::try_from(knobs.kept_ms).unwrap_or(0);
        if matches!(state, "FULFILLED" | "EXPIRED" | "FAILED") {
            status["completionDate"] = serde_json::json!(self.submitted_at.plus(ready));
            status["expirationDate"] = serde_json::json!(self.submitted_at.plus(ready + kept));
        }
        if state == "FAILED" {
            status["errorMessage"] = serde_json::json!("The job failed. Please submit it again.");
        }
        status
    }
}

impl Board {
    /// Submits one, if there is room; else how long until there is.
    pub(crate) fn submit(
        &mut self,
        asked: Submission,
        id: String,
        (at, now): (Instant, Moment),
        knobs: &Jobs,
    ) -> Result<&Job, Duration> {
        let under_way: Vec<&Job> = self
            .jobs
            .iter()
            .filter(|job| job.is_under_way(at, knobs))
            .collect();
        if knobs.at_once.is_some_and(|most| under_way.len() >= most) {
            let ready = under_way.iter().map(|job| job.submitted + job.ready_after(knobs));
            return Err(ready.min().map_or(Duration::from_secs(1), |ready| {
                ready.saturating_duration_since(at)
            }));
        }
        let nth = self.jobs.len() as u64 + 1;
        let falls_on = |every: u64| every > 0 && nth.is_multiple_of(every);
        let generation = self
            .jobs
            .iter()
            .filter(|job| job.subject == asked.subject && job.interval == asked.interval)
            .filter(|job| matches!(job.state(at, knobs), "FAILED" | "EXPIRED"))
            .count();
        self.jobs.push(Job {
            id,
            subject: asked.subject,
            interval: asked.interval,
            from: asked.from,
            until: asked.until,
            matching: asked.matching,
            view: asked.view,
            generation: u32::try_from(generation).unwrap_or(u32::MAX),
            submitted: at,
            submitted_at: now,
            fate: if falls_on(knobs.fail_every) {
                Fate::Fails
            } else if falls_on(knobs.expire_every) {
                Fate::Expires
            } else {
                Fate::Good
            },
            page_handed_out: false,
            deleted: false,
        });
        Ok(&self.jobs[self.jobs.len() - 1])
    }

    pub(crate) fn get(&self, subject: Subject, id: &str) -> Option<&Job> {
        let found = self.jobs.iter().rev().find(|job| job.id == id)?;
        (found.subject == subject).then_some(found)
    }

    /// Remembers that a page of it was handed out.
    pub(crate) fn handed_out(&mut self, id: &str) {
        if let Some(job) = self.jobs.iter_mut().rev().find(|job| job.id == id) {
            job.page_handed_out = true;
        }
    }

    pub(crate) fn delete(&mut self, subject: Subject, id: &str) -> bool {
        let found = self.jobs.iter_mut().rev().find(|job| job.id == id);
        let Some(job) = found.filter(|job| job.subject == subject) else {
            return false;
        };
        job.deleted = true;
        true
    }

    /// Jobs by interval.
    pub(crate) fn account(&self) -> Vec<IntervalAccount> {
        let mut all: Vec<IntervalAccount> = Vec::new();
        for job in &self.jobs {
            let subject = job.subject.name();
            let lost = u64::from(job.fate == Fate::Fails)
                + u64::from(job.fate == Fate::Expires && job.page_handed_out);
            let known = all
                .iter_mut()
                .find(|it| it.subject == subject && it.interval == job.interval);
            match known {
                Some(known) => {
                    known.submitted += 1;
                    known.lost += lost;
                }
                None => all.push(IntervalAccount {
                    subject,
                    interval: job.interval.clone(),
                    submitted: 1,
                    lost,
                }),
            }
        }
        all
    }
}

/// The cursor that goes on with this record. It is text that must be written into a URL with care.
pub(crate) fn cursor(job: &str, from: u64) -> String {
    STANDARD.encode(format!("{job}>{from}?~"))
}

/// Where a cursor goes on; `None` when it is none of this job's.
pub(crate) fn position(job: &str, cursor: &str) -> Option<u64> {
    let text = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
    let (of, from) = text.strip_suffix("?~")?.split_once('>')?;
    (of == job).then(|| from.parse().ok())?
}
