//! One push request: body out, verdict in. No transaction is open meanwhile.

use crate::batch::Prepared;
use crate::targets::Target;
use platform::aside::aside;
use platform::client::{CallError, Client};
use platform::outcome::{self, Verdict};
use platform::push::{Adapter, Row};
use platform::token::Bearer;
use runtime::{Shutdown, chain};
use schema::UtcMicros;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use url::Url;
use uuid::Uuid;

/// What is left of the grace period for writing down.
const GRACE_MARGIN: Duration = Duration::from_secs(5);

/// Makes the requests of one target.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    url: Url,
    adapter: Adapter,
    shutdown: Shutdown,
}

/// What came back.
#[derive(Debug)]
pub struct Answered {
    /// What became of the request.
    pub verdict: Verdict,
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// A refusal says that the credential's whole quota is used up, not that of this route.
    pub used_up: bool,
}

impl Sender {
    /// For this target.
    pub fn new(target: &Target, shutdown: Shutdown) -> Result<Self, CallError> {
        Ok(Self {
            client: Client::new(&target.url, target.timeouts)?,
            url: target.url.clone(),
            adapter: target.adapter,
            shutdown,
        })
    }

    /// Sends the rows and reads what became of them. Once begun it is finished, also during a stop; only when the grace period is
    /// nearly over the answer is waited for no longer, and the outcome is unknown.
    pub async fn send(&self, request: Uuid, rows: &[Prepared], bearer: &Bearer) -> Answered {
        let body = self.adapter.body(rows.iter().map(|row| &row.encoded));
        let id = request.to_string();
        let call = self.client.post_json(&self.url, &bearer.token, body, &id);
        let answer = tokio::select! {
            biased;
            answer = call => answer,
            () = self.grace_nearly_over() => return Answered {
                verdict: Verdict::Unknown { hint: None, why: "the process was told to stop before the answer came".to_owned() },
                status: None,
                used_up: false,
            },
        };
        match answer {
            Ok(answer) => {
                let bytes = answer.body.len();
                let sent: Vec<Row> = rows.iter().map(|row| row.row.clone()).collect();
                let (status, used_up) = (answer.status, answer.is_quota_used_up());
                let read = move || outcome::read(&sent, &answer, now());
                Answered {
                    verdict: aside(bytes, read).await,
                    status: Some(status),
                    used_up,
                }
            }
            Err(error) => Answered {
                verdict: without_answer(&error),
                status: None,
                used_up: false,
            },
        }
    }

    async fn grace_nearly_over(&self) {
        self.shutdown.requested().await;
        let grace = self.shutdown.grace();
        tokio::time::sleep(grace.saturating_sub(GRACE_MARGIN).max(grace / 2)).await;
    }
}

/// No connection: nothing happened. Anything later: nobody knows.
fn without_answer(error: &CallError) -> Verdict {
    let why = chain(error);
    if error.nothing_happened() {
        Verdict::Broken { hint: None, why }
    } else {
        Verdict::Unknown { hint: None, why }
    }
}

/// For `Retry-After` dates of platforms that send no `Date`.
fn now() -> UtcMicros {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}
