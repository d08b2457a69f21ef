//! One request: who is it, may it come now, does a fault meet it, and what does it get.

use super::connection::Reset;
use super::{Shared, admin, control, history};
use crate::config::{Fault, ItemFault, Place};
use crate::http::{Answer, code, error, with};
use crate::ledger::{Kind, Ledger, Row};
use crate::limits::{Verdict, retry_after, whole_seconds, writes_date};
use crate::oauth::{self, Grant};
use crate::push::{self, Api};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Names an exchange.
const CORRELATION: &str = "inin-correlation-id";
/// Bound of a token request's body.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// What the first look at a push decided.
enum Gate {
    /// Refused before anything else.
    Refused(Answer),
    /// Goes on, to meet this fault.
    Open {
        fault: Fault,
        in_window: Option<usize>,
    },
}

/// Answers one request, or resets its connection.
pub(super) async fn answer(request: Request<Incoming>, shared: &Shared) -> Result<Answer, Reset> {
    // Arrival is now, before the body and before anybody else lets go of the books: this is what the platform's limit sees.
    let at = Instant::now();
    let path = request.uri().path().to_owned();
    if path.starts_with("/control/") || path == "/control" {
        return Ok(control::answer(request, shared).await);
    }
    let route = history::route(request.method(), &path, &shared.ledger().config);
    if let Some(route) = route {
        return history::answer(request, at, route, shared).await;
    }
    match (request.method(), path.as_str()) {
        (&Method::POST, "/oauth/token") => {
            token(request, at, &path, Grant::ClientCredentials, shared).await
        }
        (&Method::POST, "/authentication/v1/token/access-key") => {
            token(request, at, &path, Grant::AccessKey, shared).await
        }
        _ if admin::is_at(&path, &shared.ledger().config.admin) => {
            administer(request, at, &path, shared).await
        }
        (&Method::POST | &Method::PUT | &Method::PATCH, _) => {
            push(request, at, &path, shared).await
        }
        _ => Ok(unknown(at, &path, shared)),
    }
}

fn unknown(at: Instant, path: &str, shared: &Shared) -> Answer {
    let mut ledger = shared.ledger();
    let index = ledger.open(at, Place::Push, path);
    ledger.violate(Kind::UnknownPath, index, path);
    finish(
        &mut ledger,
        index,
        refusal(404, "HTTP 404 Not Found", index),
    )
}

async fn token(
    request: Request<Incoming>,
    at: Instant,
    path: &str,
    grant: Grant,
    shared: &Shared,
) -> Result<Answer, Reset> {
    let (index, fault) = {
        let ledger = &mut *shared.ledger();
        let index = ledger.open(at, Place::Token, path);
        let fault = ledger
            .token_faults
            .next(&ledger.config.faults, at, &mut ledger.random);
        ledger.requests[index].fault = name(&fault);
        (index, fault)
    };
    let authorization = header(&request, AUTHORIZATION.as_str());
    let body = Limited::new(request.into_body(), TOKEN_BYTES_MAX)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    if let Some(answer) = meet(&fault, index, shared).await? {
        return Ok(finish(&mut shared.ledger(), index, answer));
    }
    let url = shared.url();
    let mut ledger = shared.ledger();
    let answer = oauth::grant(&mut ledger, grant, authorization.as_deref(), &body, &url);
    Ok(finish(&mut ledger, index, answer))
}

/// A question about what is set up, or a change of it.
async fn administer(
    request: Request<Incoming>,
    at: Instant,
    path: &str,
    shared: &Shared,
) -> Result<Answer, Reset> {
    let (index, admitted, fault) = {
        let ledger = &mut *shared.ledger();
        let index = ledger.open(at, Place::Admin, path);
        let admitted = admit(ledger, index, &request);
        let fault = ledger
            .admin_faults
            .next(&ledger.config.faults, at, &mut ledger.random);
        ledger.requests[index].fault = name(&fault);
        (index, admitted, fault)
    };
    let (method, query) = (
        request.method().clone(),
        request.uri().query().unwrap_or_default().to_owned(),
    );
    let body = Limited::new(request.into_body(), TOKEN_BYTES_MAX)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let in_window = match admitted {
        Ok(in_window) => in_window,
        Err(answer) => return Ok(finish(&mut shared.ledger(), index, *answer)),
    };
    if let Some(answer) = meet(&fault, index, shared).await? {
        return Ok(finish(&mut shared.ledger(), index, answer));
    }
    let url = shared.url();
    let mut ledger = shared.ledger();
    let id = format!("{:016x}", ledger.random.bits());
    let context = format!("double-{index}");
    let asked = admin::Asked {
        method: &method,
        path,
        query: &query,
        body: &body,
        url: &url,
        fresh_id: &id,
        context: &context,
    };
    let answer = admin::answer(&mut ledger.config.admin, &asked);
    if let Some(name) = admin::defined_twice(&ledger.config.admin) {
        ledger.violate(Kind::DefinitionTwice, index, name);
    }
    if answer.status().as_u16() == 404 {
        ledger.violate(Kind::UnknownPath, index, path);
    }
    let answer = rate_headers(answer, in_window, &ledger);
    Ok(finish(&mut ledger, index, answer))
}

async fn push(
    request: Request<Incoming>,
    at: Instant,
    path: &str,
    shared: &Shared,
) -> Result<Answer, Reset> {
    let (index, gate, api) = {
        let mut ledger = shared.ledger();
        let Some(api) = Api::at(request.method(), path, &ledger.config) else {
            drop(ledger);
            return Ok(unknown(at, path, shared));
        };
        let index = ledger.open(at, Place::Push, path);
        let gate = gate(&mut ledger, index, &request);
        (index, gate, api)
    };
    let content_type = header(&request, CONTENT_TYPE.as_str()).unwrap_or_default();
    let body = body(request.into_body(), &api, shared).await;
    // Whatever becomes of the request, a client that breaks the API's bounds is to be found out.
    let rows = examine(index, &api, &content_type, body, shared).await;
    let (fault, in_window) = match gate {
        Gate::Refused(answer) => return Ok(finish(&mut shared.ledger(), index, answer)),
        Gate::Open { fault, in_window } => (fault, in_window),
    };
    let stores = matches!(
        fault,
        Fault::Status { store: true, .. }
            | Fault::Stall { store: true, .. }
            | Fault::Reset { store: true }
    );
    if stores && let Ok(rows) = &rows {
        store(&mut shared.ledger(), index, rows, &[], false);
    }
    if let Some(answer) = meet(&fault, index, shared).await? {
        return Ok(finish(&mut shared.ledger(), index, answer));
    }
    let mut ledger = shared.ledger();
    let answer = match rows {
        Err(answer) => *answer,
        Ok(rows) => {
            let items: &[ItemFault] = match &fault {
                Fault::Partial { items } => items,
                _ => &[],
            };
            if stores {
                for row in &rows {
                    ledger.acknowledge(row);
                }
            } else {
                store(&mut ledger, index, &rows, items, true);
            }
            if ledger.config.bare_answers && items.is_empty() {
                crate::http::empty(201)
            } else {
                let shuffled = ledger.config.shuffle_answers;
                push::answer(&api, &rows, items, shuffled, &mut ledger.random)
            }
        }
    };
    let answer = rate_headers(answer, in_window, &ledger);
    Ok(finish(&mut ledger, index, answer))
}

/// Token, earlier 429s, limit, fault: in this order, all at the instant of arrival.
fn gate(ledger: &mut Ledger, index: usize, request: &Request<Incoming>) -> Gate {
    ledger.requests[index].idempotency_key = header(request, "idempotency-key");
    let in_window = match admit(ledger, index, request) {
        Ok(in_window) => in_window,
        Err(answer) => return Gate::Refused(*answer),
    };
    let at = ledger.requests[index].at;
    let fault = ledger
        .push_faults
        .next(&ledger.config.faults, at, &mut ledger.random);
    ledger.requests[index].fault = name(&fault);
    Gate::Open { fault, in_window }
}

/// Token, earlier 429s, limit. How many requests of the client are in its window, or the refusal.
pub(super) fn admit(
    ledger: &mut Ledger,
    index: usize,
    request: &Request<Incoming>,
) -> Result<Option<usize>, Box<Answer>> {
    let at = ledger.requests[index].at;
    let authorization = header(request, AUTHORIZATION.as_str());
    let client = match oauth::holder(ledger, authorization.as_deref()) {
        Ok(client) => client,
        Err(reason) => {
            ledger.violate(Kind::Unauthorized, index, reason);
            return Err(Box::new(refusal(401, "Invalid login credentials.", index)));
        }
    };
    ledger.requests[index].client = Some(client.clone());
    let limit = ledger.config.limit;
    let window = ledger.windows.entry(client.clone()).or_default();
    let ignored = window.ignores(at);
    let verdict = limit.map(|limit| (limit, window.arrive(at, &limit)));
    if let Some(left) = ignored {
        let detail = format!("came back {} ms too early", left.as_millis());
        ledger.early += 1;
        ledger.violate(Kind::IgnoredRetryAfter, index, detail);
    }
    match verdict {
        Some((limit, Verdict::Refused(wait))) => {
            let nth = ledger.refusals;
            ledger.refusals += 1;
            let date = writes_date(limit.retry_after, nth);
            let answer = too_many(ledger, index, &client, wait, date);
            ledger.requests[index].fault = "limit";
            Err(Box::new(rate_headers(answer, Some(limit.requests), ledger)))
        }
        Some((_, Verdict::Allowed(count))) => Ok(Some(count)),
        None => Ok(None),
    }
}

/// A 429 in Genesys' words; remembers what the client was told. `date` says how `Retry-After` is written, if at all.
fn too_many(
    ledger: &mut Ledger,
    index: usize,
    client: &str,
    wait: Duration,
    date: Option<bool>,
) -> Answer {
    let seconds = whole_seconds(wait);
    let message =
        format!("Rate limit exceeded the maximum. Retry the request in [{seconds}] seconds");
    let answer = refusal(429, &message, index);
    let (answer, told) = match date {
        Some(as_date) => {
            let (text, told) = retry_after(wait, as_date, SystemTime::now());
            (with(answer, "retry-after", &text), told)
        }
        None => (answer, Duration::from_secs(seconds)),
    };
    ledger.tell(index, client, told);
    answer
}

async fn body(body: Incoming, api: &Api, shared: &Shared) -> Result<Bytes, (Kind, String)> {
    let most = api.bounds(&shared.ledger().config).bytes_max;
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(problem) if problem.is::<LengthLimitError>() => {
            Err((Kind::TooManyBytes, format!("more than {most} bytes")))
        }
        Err(problem) => Err((Kind::Malformed, problem.to_string())),
    }
}

/// The rows of a body, or the answer that says what is wrong with it.
async fn examine(
    index: usize,
    api: &Api,
    content_type: &str,
    body: Result<Bytes, (Kind, String)>,
    shared: &Shared,
) -> Result<Vec<Row>, Box<Answer>> {
    // Read outside the lock and beside the tasks that notice arrivals: ten thousand rows take a while.
    let config = Arc::new(shared.ledger().config.clone());
    let bytes = body.as_ref().map_or(0, Bytes::len);
    let (count, rows) = match body {
        Ok(body) => {
            let (api, config) = (api.clone(), Arc::clone(&config));
            let reading = tokio::task::spawn_blocking(move || push::rows(&api, &body, &config));
            match reading.await {
                Ok(read) => read,
                Err(problem) => (0, Err(vec![(Kind::Malformed, problem.to_string())])),
            }
        }
        Err(finding) => (0, Err(vec![finding])),
    };
    let mut ledger = shared.ledger();
    if let Some(request) = ledger.request(index) {
        request.rows = count;
        request.bytes = bytes;
    }
    if !content_type.to_ascii_lowercase().contains("json") {
        ledger.violate(Kind::ContentType, index, content_type);
        return Err(Box::new(refusal(
            415,
            "HTTP 415 Unsupported Media Type",
            index,
        )));
    }
    match rows {
        Ok(rows)
            if rows
                .iter()
                .any(|row| config.poison.contains(&row.key.interaction)) =>
        {
            Err(Box::new(refusal(
                400,
                "The request could not be understood.",
                index,
            )))
        }
        Ok(rows) => match api.unwelcome(&rows, &config) {
            Some((status, message)) => Err(Box::new(refusal(status, message, index))),
            None => Ok(rows),
        },
        Err(findings) => {
            let status = match findings.first() {
                Some((Kind::TooManyBytes, _)) => 413,
                _ => 400,
            };
            let message = findings
                .first()
                .map_or_else(String::new, |(_, detail)| detail.clone());
            for (kind, detail) in findings {
                ledger.violate(kind, index, detail);
            }
            Err(Box::new(refusal(status, &message, index)))
        }
    }
}

fn store(ledger: &mut Ledger, index: usize, rows: &[Row], items: &[ItemFault], told: bool) {
    for (position, row) in rows.iter().enumerate() {
        let fault = items.iter().find(|fault| fault.index == position);
        match fault {
            Some(ItemFault {
                status: Some(_), ..
            }) => {}
            Some(ItemFault { status: None, .. }) => ledger.store(index, row, false),
            None => ledger.store(index, row, told),
        }
    }
    if let Some(request) = ledger.request(index) {
        request.stored = true;
    }
}

/// Lets a fault happen; the answer that it is, if it is one.
pub(super) async fn meet(
    fault: &Fault,
    index: usize,
    shared: &Shared,
) -> Result<Option<Answer>, Reset> {
    match fault {
        Fault::None | Fault::Partial { .. } => Ok(None),
        Fault::Reset { .. } => Err(Reset),
        Fault::Stall { millis, .. } => {
            tokio::time::sleep(Duration::from_millis(*millis)).await;
            Ok(None)
        }
        Fault::Status {
            status: 429,
            retry_after: Some(seconds),
            as_date,
            ..
        } => {
            let mut ledger = shared.ledger();
            let wait = Duration::from_secs(*seconds);
            let client = ledger
                .request(index)
                .and_then(|request| request.client.clone())
                .unwrap_or_default();
            let answer = too_many(&mut ledger, index, &client, wait, Some(*as_date));
            Ok(Some(answer))
        }
        Fault::Status {
            status,
            retry_after: seconds,
            as_date,
            ..
        } => {
            let answer = refusal(*status, "The server said so on purpose.", index);
            Ok(Some(match seconds {
                Some(seconds) => {
                    let wait = Duration::from_secs(*seconds);
                    let (text, told) = retry_after(wait, *as_date, SystemTime::now());
                    told_on_push(&mut shared.ledger(), index, told);
                    with(answer, "retry-after", &text)
                }
                None => answer,
            }))
        }
    }
}

/// A push that was answered with `Retry-After`, whatever the status: the client should stay away until then.
fn told_on_push(ledger: &mut Ledger, index: usize, wait: Duration) {
    let client = match ledger.request(index) {
        Some(request) if request.place == Place::Push => request.client.clone(),
        _ => None,
    };
    if let Some(client) = client {
        ledger.tell(index, &client, wait);
    }
}

pub(super) fn finish(ledger: &mut Ledger, index: usize, answer: Answer) -> Answer {
    if let Some(request) = ledger.request(index) {
        request.status = answer.status().as_u16();
    }
    // Genesys names each exchange, not only those that went wrong.
    if answer.headers().contains_key(CORRELATION) {
        return answer;
    }
    with(answer, CORRELATION, &format!("double-{index}"))
}

pub(super) fn refusal(status: u16, message: &str, index: usize) -> Answer {
    error(status, code(status), message, &format!("double-{index}"))
}

pub(super) fn rate_headers(answer: Answer, in_window: Option<usize>, ledger: &Ledger) -> Answer {
    let (Some(count), Some(limit)) = (in_window, ledger.config.limit) else {
        return answer;
    };
    let answer = with(answer, "inin-ratelimit-count", &count.to_string());
    let answer = with(
        answer,
        "inin-ratelimit-allowed",
        &limit.requests.to_string(),
    );
    let reset = whole_seconds(limit.window());
    with(answer, "inin-ratelimit-reset", &reset.to_string())
}

pub(super) fn header(request: &Request<Incoming>, name: &str) -> Option<String> {
    request
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}

pub(super) const fn name(fault: &Fault) -> &'static str {
    match fault {
        Fault::None => "",
        Fault::Status { .. } => "status",
        Fault::Stall { .. } => "stall",
        Fault::Reset { .. } => "reset",
        Fault::Partial { .. } => "partial",
    }
}
