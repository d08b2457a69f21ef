//! The status page: for people, made on the server, of the same reading functions as the API.
//!
//! Everything but the charts works without script, and each chart has its figures in a table beneath it, from which the script draws it.
//! Whoever has a token logs in with it; the browser keeps a signed [`session`](crate::api::session), not the token.

mod assets;
mod banner;
mod delivery;
mod jobs;
mod layout;
mod login;
mod overview;
mod quality;
mod spark;
mod tiles;
mod trend;
mod visit;
mod words;

use crate::api::answer::Answer;
use crate::api::handler::Head;
use crate::api::problem::{Kind, Problem};
use crate::api::{Context, now};
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Method, Response, StatusCode};
use visit::Visit;

/// The pages that the menu has: name, address.
const PAGES: [(&str, &str); 5] = [
    ("Overview", "/"),
    ("Trends", "/trends"),
    ("Delivery", "/delivery"),
    ("Backfill", "/jobs"),
    ("Data quality", "/quality"),
];

/// The route's name, from a closed set, and its answer.
pub async fn answer(
    context: &Context,
    head: &Head<'_>,
    form: &[u8],
) -> (&'static str, Result<Answer, Problem>) {
    let path = head.uri.path();
    if let Some(name) = path.strip_prefix(assets::ROOT) {
        return (
            "asset",
            only_reading(head).and_then(|()| assets::answer(name)),
        );
    }
    let answered = match (head.method.as_str(), path) {
        ("GET" | "HEAD", "/login") => return ("login", Ok(login::form(context, head))),
        ("POST", "/login") => return ("login", login::log_in(context, head, form)),
        ("POST", "/logout") => return ("login", login::log_out(context, head)),
        _ => page(context, head).await,
    };
    // People are told in a page, and programs that ask here have asked at the wrong address.
    (
        "page",
        Ok(answered.unwrap_or_else(|problem| layout::problem(&problem))),
    )
}

async fn page(context: &Context, head: &Head<'_>) -> Result<Answer, Problem> {
    only_reading(head)?;
    let path = head.uri.path();
    if !PAGES.iter().any(|(_, address)| *address == path) {
        return Err(Problem::new(Kind::NotFound, "there is no such page"));
    }
    let Some(token) = context.sessions.find(head.headers, &context.tokens, now()) else {
        return Ok(see_other(&login::address(head.uri)));
    };
    let visit = Visit::of(context, &token, head.uri).await?;
    match path {
        "/" => overview::answer(context, &visit).await,
        "/trends" => trend::answer(context, &visit).await,
        "/delivery" => delivery::answer(context, &visit).await,
        "/jobs" => jobs::answer(context, &visit).await,
        _ => quality::answer(context, &visit).await,
    }
}

fn only_reading(head: &Head<'_>) -> Result<(), Problem> {
    if head.method == Method::GET || head.method == Method::HEAD {
        return Ok(());
    }
    Err(Problem::method("GET, HEAD"))
}

/// Sends the browser elsewhere, to ask there with GET.
fn see_other(address: &str) -> Answer {
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let headers = answer.headers_mut();
    if let Ok(address) = HeaderValue::from_str(address) {
        headers.insert(LOCATION, address);
    }
    layout::headers(headers);
    answer
}
