//! What all pages have around them.

use super::PAGES;
use super::assets;
use super::visit::Visit;
use super::words;
use crate::api::answer::Answer;
use crate::api::problem::Problem;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use maud::{DOCTYPE, Markup, html};

/// Scripts and styles are files of this server and nothing else: neither stands in a page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// What is in the head of every answer to a browser.
pub(super) fn headers(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
}

/// A page as an answer.
pub(super) fn html(status: StatusCode, page: Markup) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(page.into_string())));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    headers(answer.headers_mut());
    answer
}

/// A page of the menu.
pub(super) struct Page<'a> {
    /// What stands above it and in the browser's title.
    pub(super) title: &'a str,
    /// What holds for everything on it.
    pub(super) banner: Markup,
    /// Whether it has charts.
    pub(super) charts: bool,
    /// What is on it.
    pub(super) body: Markup,
}

/// A whole page, for a visit.
pub(super) fn page(visit: &Visit, page: &Page<'_>) -> Answer {
    let head = head(page.title, page.charts);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            (head)
            body {
                a .skip href="#main" { "Skip to content" }
                header .top {
                    a .brand href=(visit.address("/", &[])) { (mark()) "kpiline" }
                    nav aria-label="Pages" {
                        ul {
                            @for (name, address) in PAGES {
                                li { a href=(visit.address(address, &[])) aria-current=[(address == visit.path).then_some("page")] { (name) } }
                            }
                        }
                    }
                    (tenant(visit))
                    form .out method="post" action="/logout" { button .quiet type="submit" title={ "Logged in as " (visit.token.name) } { "Log out" } }
                }
                div #banner data-live="" role="status" { (page.banner) }
                main #main tabindex="-1" {
                    h1 { (page.title) @if let Some(tenant) = &visit.tenant { span .of { (tenant) } } }
                    (page.body)
                }
                footer {
                    p {
                        span #asof data-live="" { "As of " time datetime=(visit.now) { (words::utc(visit.now)) } }
                        " · token " strong { (visit.token.name) }
                        " · " a href=(crate::api::openapi::PATH) { "API description" }
                        " · charts by " a href=(assets::address("uPlot.LICENSE")) { "uPlot" }
                    }
                    button #pause .quiet type="button" aria-pressed="false" hidden { "Pause updates" }
                }
            }
        }
    };
    html(StatusCode::OK, markup)
}

/// A page without a menu: the login, a problem.
pub(super) fn bare(status: StatusCode, title: &str, body: &Markup) -> Answer {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title, false))
            body .bare {
                main #main {
                    p .brand { (mark()) "kpiline" }
                    h1 { (title) }
                    (body)
                }
            }
        }
    };
    html(status, markup)
}

/// A problem, for people.
pub(super) fn problem(problem: &Problem) -> Answer {
    let body = html! {
        p { (problem.detail) }
        @if !problem.errors.is_empty() {
            ul { @for error in &problem.errors { li { code { (error.field) } ": " (error.allowed) } } }
        }
        p { a href="/" { "To the overview" } }
    };
    bare(problem.kind.status(), problem.kind.title(), &body)
}

fn head(title: &str, charts: bool) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · kpiline" }
            link rel="icon" type="image/svg+xml" href=(assets::address("icon.svg"));
            @if charts { link rel="stylesheet" href=(assets::address("uPlot.min.css")); }
            link rel="stylesheet" href=(assets::address("page.css"));
            @if charts { script defer src=(assets::address("uPlot.iife.min.js")) {} }
            script defer src=(assets::address("page.js")) {}
        }
    }
}

fn mark() -> Markup {
    html! {
        svg .mark viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
            path d="M1 12.5 5.5 7l3 2.5L15 3" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round";
        }
    }
}

/// Chooses the organisation, where there are several.
fn tenant(visit: &Visit) -> Markup {
    html! {
        @if visit.tenants.len() > 1 {
            form .tenant method="get" action=(visit.path) {
                label for="tenant" { "Organisation" }
                select #tenant name="tenant" {
                    @for tenant in &visit.tenants {
                        option value=(tenant) selected[visit.tenant.as_ref() == Some(tenant)] { (tenant) }
                    }
                }
                button type="submit" { "Show" }
            }
        }
    }
}

/// What stands where there is nothing to show.
pub(super) fn nothing(text: &str) -> Markup {
    html! { p .nothing { (text) } }
}
