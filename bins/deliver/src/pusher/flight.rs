//! One request, from its slot to its last entry in the books.

use super::line::Line;
use super::turn::Clearance;
use super::{Job, Lease};
use crate::batch::Prepared;
use crate::fate::{self, Next, Settlement, Verdict};
use crate::send::{self, Exchange};
use platform::breaker::shared;
use platform::budget::{Budget as _, Throttle};
use std::time::{Duration, Instant};
use store::StoreError;
use store::sync::Fate;
use uuid::Uuid;

impl Line {
    /// Sends a request that was cleared, and writes down what became of it. Returns what of it goes again at once.
    pub(super) async fn fly(
        &self,
        mut job: Job,
        clearance: Clearance,
    ) -> Result<Vec<Job>, StoreError> {
        let Clearance {
            bearer,
            slot,
            permit,
            // Given up at the end: until it is written down, a request is under way.
            place: _place,
        } = clearance;
        // Put together before the last look at the slot: thousands of rows take a while.
        let call = send::request_of(self.adapter_in_hand(), &job.rows);
        if slot.is_void(Instant::now()) {
            // This process was kept from running for longer than a slot keeps.
            self.health.unused(permit).await;
            return Ok(vec![job]);
        }
        let request = job.noted.unwrap_or_else(Uuid::now_v7);
        let rows = std::mem::take(&mut job.rows);
        let (verdict, exchange, rows) = self
            .sender
            .send(request, call, self.adapter_in_hand(), rows, &bearer)
            .await;
        job.rows = rows;
        self.meters.request(&verdict, exchange.took);
        self.record(&verdict, permit, exchange.used_up, job.renewed)
            .await;
        let next = fate::decide(
            verdict,
            &job.rows,
            self.target.schedule,
            job.renewed,
            rand::random(),
        );
        let noted = match &next {
            Next::Settle(settlements) => {
                self.settle(job.lease, &job.rows, Some(&exchange), request, settlements)
                    .await
            }
            Next::Halve(why) => {
                let why = format!("halved after {why}");
                self.books
                    .passed(request, &job.rows, Some(&exchange), &why)
                    .await
            }
            Next::NewToken(why) => {
                self.credential.tokens.refused(&bearer).await;
                let why = format!("with a new token after {why}");
                self.books
                    .passed(request, &job.rows, Some(&exchange), &why)
                    .await
            }
        };
        self.or_abandon(&job, noted).await?;
        Ok(match next {
            Next::Settle(_) => Vec::new(),
            Next::Halve(_) => job.halves().into(),
            Next::NewToken(_) => vec![job.with_new_token()],
        })
    }

    /// What a verdict means for breaker, quota and rest.
    async fn record(&self, verdict: &Verdict, permit: shared::Leave, used_up: bool, renewed: bool) {
        let now = Instant::now();
        let why = match verdict {
            Verdict::Broken { why, .. } | Verdict::Unknown { why, .. } => why.as_str(),
            _ => "",
        };
        self.health.record(permit, verdict.signal(), why).await;
        if verdict.is_calm() {
            // Enough of those in a row undo what 429s in a row have done to the pace.
            self.credential.quota.calm(self.route());
        }
        let target_name = self.target.name.as_str();
        match verdict {
            Verdict::Rows(_) => {
                self.rest().accepted();
            }
            Verdict::Slow { wait, why } => {
                let throttle = Throttle {
                    route: self.route(),
                    wait: *wait,
                    whole: used_up,
                    why,
                };
                self.credential.quota.throttled(throttle).await;
                let wait_seconds = wait.as_secs_f64();
                tracing::warn!(target_name, wait_seconds, why, "throttled");
            }
            Verdict::Unauthorised { why } if renewed => {
                self.rest().refused(now);
                tracing::error!(
                    target_name,
                    why,
                    "paused: the platform refuses the credential"
                );
            }
            Verdict::Pause { why } => {
                self.rest().refused(now);
                tracing::error!(
                    target_name,
                    why,
                    "paused: the platform refuses every request"
                );
            }
            Verdict::Broken { hint, why } | Verdict::Unknown { hint, why } => {
                if let Some(wait) = hint.filter(|wait| *wait > Duration::ZERO) {
                    self.credential.quota.pause(self.route(), wait, why).await;
                }
                let wait_seconds = hint.map(|wait| wait.as_secs_f64());
                tracing::warn!(target_name, wait_seconds, why, "a push failed");
            }
            // Refused, but not for its pace; or about to go again with another token.
            Verdict::Halve { .. } | Verdict::Unauthorised { .. } => {}
        }
    }

    /// Writes down what became of each row.
    pub(super) async fn settle(
        &self,
        lease: Lease,
        rows: &[Prepared],
        exchange: Option<&Exchange>,
        request: Uuid,
        settlements: &[Settlement],
    ) -> Result<(), StoreError> {
        let held = (lease.id, lease.ends);
        let settled = self
            .books
            .settle(held, request, rows, exchange, settlements)
            .await?;
        self.meters.rows(settlements, &settled.waited);
        let target_name = self.target.name.as_str();
        let accepted = settlements
            .iter()
            .filter(|settlement| settlement.fate == Fate::Accepted)
            .count();
        let rejected = settlements
            .iter()
            .find(|settlement| settlement.fate == Fate::Rejected);
        if let Some(settlement) = rejected {
            let why = settlement.message.as_deref().unwrap_or_default();
            tracing::warn!(target_name, %request, why, "rows are parked: the platform refuses them");
        }
        let status = exchange.and_then(|exchange| exchange.status);
        let duration_ms = exchange.map(|exchange| exchange.took.as_secs_f64() * 1_000.0);
        tracing::info!(target_name, %request, rows = rows.len(), accepted, status, duration_ms, "pushed");
        Ok(())
    }
}

impl Job {
    /// The rows in two requests, to find the one that spoils them.
    fn halves(self) -> [Self; 2] {
        let mut first = self.rows;
        let second = first.split_off(first.len() / 2);
        [first, second].map(|rows| Self {
            lease: self.lease,
            together: Some(rows.len()),
            rows,
            renewed: self.renewed,
            noted: None,
        })
    }

    /// The same once more.
    fn with_new_token(self) -> Self {
        Self {
            renewed: true,
            noted: None,
            ..self
        }
    }
}
