//! One push request: body out, verdict in. No transaction is open meanwhile.

use crate::batch::Prepared;
use crate::fate::Verdict;
use crate::targets::Target;
use platform::aside::aside;
use platform::client::{CallError, Client, Method, Push};
use platform::outcome::{self, Said};
use platform::redact;
use platform::secret::Secret;
use platform::token::Bearer;
use runtime::{Shutdown, chain};
use schema::UtcMicros;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use target::{Adapter, Call, Fate, Later, Sent};
use url::Url;
use uuid::Uuid;

/// What is left of the grace period for writing down.
const GRACE_MARGIN: Duration = Duration::from_secs(5);

/// Makes the requests of one target.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    base: Url,
    headers: Vec<(String, Secret)>,
    shutdown: Shutdown,
}

/// One request and its answer, as the books keep them.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// When it was sent.
    pub sent_at: UtcMicros,
    /// From then to the last byte of the answer, or to when it was given up.
    pub took: Duration,
    /// Bytes of its body.
    pub bytes: usize,
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// What became of it, in a word.
    pub outcome: &'static str,
    /// The platform's own id of it.
    pub correlation: Option<String>,
    /// The answer's body without secrets and personal data, cut.
    pub answer: Option<String>,
    /// A refusal says that the credential's whole quota is used up, not that of this route.
    pub used_up: bool,
}

impl Sender {
    /// For this target.
    pub fn new(target: &Target, shutdown: Shutdown) -> Result<Self, CallError> {
        Ok(Self {
            client: Client::new(&target.url, target.timeouts)?,
            base: target.url.clone(),
            headers: target.headers.clone(),
            shutdown,
        })
    }

    /// Sends the rows' request ([`request_of`]) and reads what became of them; the rows come back with it. Once begun it is finished,
    /// also during a stop; only when the grace period is nearly over the answer is waited for no longer, and the outcome is unknown.
    pub async fn send(
        &self,
        request: Uuid,
        call: Call,
        adapter: &Arc<Adapter>,
        rows: Vec<Prepared>,
        bearer: &Bearer,
    ) -> (Verdict, Exchange, Vec<Prepared>) {
        let bytes = call.body.len();
        let id = request.to_string();
        let url = below(&self.base, &call.path);
        let push = Push {
            method: method(call.method),
            url: &url,
            token: &bearer.token,
            headers: &self.headers,
            content_type: &call.content_type,
            body: call.body,
            request_id: &id,
        };
        let (sent_at, began) = (now(), Instant::now());
        let call = self.client.push(push);
        let answer = tokio::select! {
            biased;
            answer = call => Some(answer),
            () = grace_nearly_over(&self.shutdown) => None,
        };
        let took = began.elapsed();
        let mut exchange = Exchange {
            sent_at,
            took,
            bytes,
            status: None,
            outcome: "",
            correlation: None,
            answer: None,
            used_up: false,
        };
        let (verdict, rows) = match answer {
            Some(Ok(answer)) => {
                exchange.status = Some(answer.status);
                exchange.correlation = answer.correlation().map(str::to_owned);
                exchange.used_up = answer.is_quota_used_up();
                let adapter = Arc::clone(adapter);
                let (verdict, shown, rows) = aside(answer.body.len(), move || {
                    let verdict = outcome::read(&answer, now(), |said| read(&adapter, &rows, said));
                    (verdict, redact::body(&answer.body), rows)
                })
                .await;
                exchange.answer = Some(shown);
                (verdict, rows)
            }
            Some(Err(error)) => (without_answer(&error), rows),
            None => {
                let why = "the process was told to stop before the answer came".to_owned();
                (Verdict::Unknown { hint: None, why }, rows)
            }
        };
        exchange.outcome = verdict.name();
        (verdict, exchange, rows)
    }
}

/// The request for rows of one place.
pub fn request_of(adapter: &Adapter, rows: &[Prepared]) -> Call {
    let place = rows.first().map(|row| row.encoded.place.clone());
    let items = rows.iter().map(|row| &row.encoded);
    adapter.call(&place.unwrap_or_default(), items)
}

/// Waits until the process was told to stop and has hardly any time left.
pub(crate) async fn grace_nearly_over(shutdown: &Shutdown) {
    shutdown.requested().await;
    let grace = shutdown.grace();
    tokio::time::sleep(grace.saturating_sub(GRACE_MARGIN).max(grace / 2)).await;
}

/// What the answer says of each row, fit to be kept.
fn read(adapter: &Adapter, rows: &[Prepared], said: Said<'_>) -> Option<Vec<Fate>> {
    let sent: Vec<Sent<'_>> = rows
        .iter()
        .map(|row| Sent {
            item: &row.item,
            encoded: &row.encoded,
        })
        .collect();
    let answer = target::Answer {
        status: said.status,
        body: said.body,
        words: said.words,
    };
    let fates = adapter.read(&sent, &answer)?;
    Some(fates.into_iter().map(redacted).collect())
}

/// Without what the platform repeated of secrets and personal data.
fn redacted(fate: Fate) -> Fate {
    match fate {
        Fate::Accepted => Fate::Accepted,
        Fate::Later(later) => Fate::Later(Later {
            why: redact::text(&later.why),
            ..later
        }),
        Fate::Rejected { why } => Fate::Rejected {
            why: redact::text(&why),
        },
        Fate::Unknown { hint, why } => Fate::Unknown {
            hint,
            why: redact::text(&why),
        },
    }
}

/// A path below the base URL, whose own path it is put behind.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let prefix = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{prefix}{path}"));
    url
}

const fn method(method: target::Method) -> Method {
    match method {
        target::Method::Post => Method::Post,
        target::Method::Put => Method::Put,
        target::Method::Patch => Method::Patch,
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

/// This host's clock: for `Retry-After` dates of platforms that send no `Date`, and for days that are too old.
pub(crate) fn now() -> UtcMicros {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::below;
    use url::Url;

    #[test]
    fn a_path_is_put_behind_that_of_the_base() {
        for (base, path, expected) in [
            ("https://h.test", "/a/b", "https://h.test/a/b"),
            ("https://h.test/eu/", "/a", "https://h.test/eu/a"),
            ("https://h.test/eu", "/a%2Fb", "https://h.test/eu/a%2Fb"),
        ] {
            let base = Url::parse(base).unwrap();
            assert_eq!(below(&base, path).as_str(), expected);
        }
    }
}
