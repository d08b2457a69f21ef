//! Calls of history APIs: token, limits, faults, then the answer, which is made while nothing is locked.

use super::Shared;
use super::connection::Reset;
use super::route::{admit, finish, header, meet, name, rate_headers, refusal};
use crate::config::{Config, Fault, Place};
use crate::history::books::Call;
use crate::history::call::{Asked, Content, Made, Reply, Route};
use crate::history::{cxone, genesys};
use crate::http::{Answer, empty, error, with};
use crate::ledger::{Kind, Ledger};
use crate::limits::{Verdict, retry_after, writes_date};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use std::time::{Duration, Instant, SystemTime};

/// Bound of a request's body (documented: 512,000 bytes).
const BYTES_MAX: usize = 512_000;

/// Which history call it is, where there is a history.
pub(super) fn route(method: &Method, path: &str, config: &Config) -> Option<Route> {
    config.history.as_ref()?;
    genesys::route(method, path).or_else(|| cxone::route(method, path))
}

/// What became of a call before anybody looked at what it asks for.
struct Opened {
    index: usize,
    call: usize,
    at: Instant,
    client: String,
    in_window: Option<usize>,
    fault: Fault,
    /// The 429s of this fault bind the route only.
    binds_route: bool,
}

/// Answers one call.
pub(super) async fn answer(
    request: Request<Incoming>,
    at: Instant,
    route: Route,
    shared: &Shared,
) -> Result<Answer, Reset> {
    let opened = open(&mut shared.ledger(), at, &route, &request);
    let (path, query) = (
        request.uri().path().to_owned(),
        request.uri().query().unwrap_or_default().to_owned(),
    );
    let body = Limited::new(request.into_body(), BYTES_MAX)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let opened = match opened {
        Ok(opened) => opened,
        Err((index, call, answer)) => {
            let answer = close(&mut shared.ledger(), index, call, *answer);
            return Ok(answer);
        }
    };
    note_question(&opened, &route, &query, &body, shared);
    if let Some(answer) = spoil(&opened, &route, shared).await? {
        let answer = close(&mut shared.ledger(), opened.index, opened.call, answer);
        return Ok(answer);
    }
    let url = shared.url();
    let reply = prepare(&opened, &route, &path, &query, &body, &url, shared);
    let (made, page) = match reply.content {
        Content::Answer(answer) => (answer, None),
        Content::Work(make) => {
            let made = tokio::task::spawn_blocking(make).await.unwrap_or(Made {
                status: 500,
                ..Made::json(String::new(), 0)
            });
            let records = made.records;
            (answer_of(made), reply.page.map(|page| (page, records)))
        }
    };
    let mut ledger = shared.ledger();
    let answer = rate_headers(made, opened.in_window, &ledger);
    if let Some(history) = &mut ledger.history
        && let Some(((set, page), records)) = page
        && answer.status().is_success()
    {
        history.books.deliver(set, page, records);
    }
    Ok(close(&mut ledger, opened.index, opened.call, answer))
}

fn open(
    ledger: &mut Ledger,
    at: Instant,
    route: &Route,
    request: &Request<Incoming>,
) -> Result<Opened, (usize, usize, Box<Answer>)> {
    let index = ledger.open(at, Place::History, route.name);
    let at_unix_ms = ledger.requests[index].at_unix_ms;
    let early = |ledger: &Ledger| ledger.early;
    let before = early(ledger);
    let authorization = header(request, AUTHORIZATION.as_str());
    let admitted = if route.token {
        admit(ledger, index, request)
    } else {
        Ok(None)
    };
    let client = ledger.requests[index].client.clone();
    let fault = ledger.requests[index].fault;
    let own = own_limit(ledger, index, route, client.as_deref(), at);
    let was_early = early(ledger) > before;
    let known = client.clone().or_else(|| {
        // Whose token it was that is no longer good.
        let token = authorization.as_deref()?.split_whitespace().nth(1)?;
        ledger.tokens.get(token).map(|(client, _)| client.clone())
    });
    let refused_token = client.is_none() && route.token;
    let books = ledger.history.as_mut().map(|history| &mut history.books);
    let call = books.map_or(0, |books| {
        books.open(Call {
            at,
            at_unix_ms,
            client: known,
            route: route.name,
            fault: if refused_token { "token" } else { fault },
            status: 0,
            early: was_early,
            asks: String::new(),
        })
    });
    let in_window = admitted.map_err(|answer| (index, call, answer))?;
    if let Err(answer) = own {
        mark(ledger, index, call, "route_limit");
        return Err((index, call, answer));
    }
    let (fault, binds_route) =
        ledger
            .history_faults
            .next_at(&ledger.config.faults, at, &mut ledger.random, route.name);
    mark(ledger, index, call, name(&fault));
    Ok(Opened {
        index,
        call,
        at,
        client: client.unwrap_or_default(),
        in_window,
        fault,
        binds_route,
    })
}

fn mark(ledger: &mut Ledger, index: usize, call: usize, fault: &'static str) {
    if let Some(request) = ledger.request(index) {
        request.fault = fault;
    }
    let books = ledger.history.as_mut().map(|history| &mut history.books);
    if let Some(call) = books.and_then(|books| books.call(call)) {
        call.fault = fault;
    }
}

/// The route's own limit, where it has one, and what the client was told about the route before.
fn own_limit(
    ledger: &mut Ledger,
    index: usize,
    route: &Route,
    client: Option<&str>,
    at: Instant,
) -> Result<(), Box<Answer>> {
    let (Some(client), Some(history)) = (client, &mut ledger.history) else {
        return Ok(());
    };
    let limit = history.past.history.route_limits.get(route.name).copied();
    let key = (client.to_owned(), route.name);
    let window = history.windows.entry(key).or_default();
    let ignored = window.ignores(at);
    let verdict = limit.map(|limit| (limit, window.arrive(at, &limit)));
    let refused = match verdict {
        Some((limit, Verdict::Refused(wait))) => Some((limit, wait)),
        _ => None,
    };
    if let Some(left) = ignored {
        let detail = format!("{} came back {} ms too early", route.name, left.as_millis());
        ledger.early += 1;
        ledger.violate(Kind::IgnoredRetryAfter, index, detail);
    }
    let Some((limit, wait)) = refused else {
        return Ok(());
    };
    let Some(history) = &mut ledger.history else {
        return Ok(());
    };
    let date = writes_date(limit.retry_after, history.refusals);
    history.refusals += 1;
    let reaction = Duration::from_millis(limit.reaction_ms);
    let answer = tell_route(ledger, index, route, client, wait, date, reaction);
    Err(Box::new(answer))
}

/// A 429 that binds one route: the rate headers say that the credential has room.
fn tell_route(
    ledger: &mut Ledger,
    index: usize,
    route: &Route,
    client: &str,
    wait: Duration,
    date: Option<bool>,
    reaction: Duration,
) -> Answer {
    let seconds = crate::limits::whole_seconds(wait);
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
    if let Some(history) = &mut ledger.history {
        let key = (client.to_owned(), route.name);
        let window = history.windows.entry(key).or_default();
        window.tell(Instant::now(), told, reaction);
        history.books.pause(client, Some(route.name), told);
    }
    let room = ledger.config.limit.map_or(1, |limit| limit.requests / 2);
    rate_headers(answer, Some(room), ledger)
}

/// Remembers what a call asks for before a fault can spoil it.
fn note_question(opened: &Opened, route: &Route, query: &str, body: &Bytes, shared: &Shared) {
    let asks = format!(
        "{} {} {query} {}",
        route.name,
        route.id,
        String::from_utf8_lossy(body)
    );
    let mut ledger = shared.ledger();
    if let Some(request) = ledger.request(opened.index) {
        request.bytes = body.len();
    }
    set_question(&mut ledger, opened.call, &asks);
}

/// Keeps what is asked for as a digest: bodies are not to pile up.
fn set_question(ledger: &mut Ledger, call: usize, asks: &str) {
    use sha2::{Digest, Sha256};
    let asks = hex::encode(&Sha256::digest(asks.as_bytes())[..16]);
    let books = ledger.history.as_mut().map(|history| &mut history.books);
    if let Some(call) = books.and_then(|books| books.call(call)) {
        call.asks = asks;
    }
}

/// Lets the fault happen, if one meets the call.
async fn spoil(opened: &Opened, route: &Route, shared: &Shared) -> Result<Option<Answer>, Reset> {
    let told = match &opened.fault {
        Fault::Status {
            status: 429,
            retry_after: Some(seconds),
            as_date,
            ..
        } if opened.binds_route => {
            let mut ledger = shared.ledger();
            let reaction =
                Duration::from_millis(ledger.config.limit.unwrap_or_default().reaction_ms);
            let wait = Duration::from_secs(*seconds);
            let answer = tell_route(
                &mut ledger,
                opened.index,
                route,
                &opened.client,
                wait,
                Some(*as_date),
                reaction,
            );
            return Ok(Some(answer));
        }
        Fault::Status {
            status,
            retry_after: Some(seconds),
            ..
        } => Some((*status, Duration::from_secs(*seconds))),
        _ => None,
    };
    let Some(answer) = meet(&opened.fault, opened.index, shared).await? else {
        return Ok(None);
    };
    let mut ledger = shared.ledger();
    let Some((status, wait)) = told else {
        return Ok(Some(answer));
    };
    let route = (status != 429).then_some(route.name);
    if let Some(history) = &mut ledger.history {
        history.books.pause(&opened.client, route, wait);
    }
    // The credential's allowance is used up, say the headers of a 429 that binds it.
    let used_up = ledger.config.limit.unwrap_or_default().requests;
    let answer = if status == 429 && ledger.config.limit.is_none() {
        let used_up = used_up.to_string();
        let answer = with(answer, "inin-ratelimit-count", &used_up);
        with(answer, "inin-ratelimit-allowed", &used_up)
    } else if status == 429 {
        rate_headers(answer, Some(used_up), &ledger)
    } else {
        answer
    };
    Ok(Some(answer))
}

/// Looks at what is asked for. The answer may be work that is still to be done.
fn prepare(
    opened: &Opened,
    route: &Route,
    path: &str,
    query: &str,
    body: &Bytes,
    url: &str,
    shared: &Shared,
) -> Reply {
    let mut guard = shared.ledger();
    let ledger = &mut *guard;
    let context = format!("double-{}", opened.index);
    if let Some(permission) = route.permission
        && !ledger.config.admin.may(permission)
    {
        return Reply::answer(if route.cxone {
            cxone::missing_permission(&context, permission)
        } else {
            let message = format!(
                "Unable to perform the requested action. You are missing the following permission(s): {permission}"
            );
            error(403, "missing.permissions", &message, &context)
        });
    }
    let (high, low) = (ledger.random.bits(), ledger.random.bits());
    let asked = Asked {
        route,
        path,
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        body,
        url,
        fresh_id: format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            high >> 16 & 0xFFFF,
            high & 0xFFF,
            low >> 52,
            low & 0xFFFF_FFFF_FFFF
        ),
        context: &context,
        at: opened.at,
    };
    let Some(history) = &mut ledger.history else {
        return Reply::answer(empty(404));
    };
    let reply = if route.cxone {
        cxone::answer(&asked, history)
    } else {
        genesys::answer(&asked, history)
    };
    for (kind, detail) in &reply.findings {
        ledger.violate(*kind, opened.index, detail.clone());
    }
    if let Some(asks) = &reply.asks {
        set_question(ledger, opened.call, asks);
    }
    reply
}

fn answer_of(made: Made) -> Answer {
    let mut answer = empty(made.status);
    if made.status != 204 {
        *answer.body_mut() = Full::new(Bytes::from(made.body));
        answer
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(made.content_type));
    }
    answer
}

fn close(ledger: &mut Ledger, index: usize, call: usize, answer: Answer) -> Answer {
    let status = answer.status().as_u16();
    let books = ledger.history.as_mut().map(|history| &mut history.books);
    if let Some(call) = books.and_then(|books| books.call(call)) {
        call.status = status;
    }
    finish(ledger, index, answer)
}
