//! In and out.

use super::{layout, see_other};
use crate::api::answer::Answer;
use crate::api::handler::Head;
use crate::api::problem::{Kind, Problem};
use crate::api::{Context, now};
use hyper::header::{HeaderName, HeaderValue, SET_COOKIE};
use hyper::{StatusCode, Uri};
use maud::html;

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Where to log in, and to go back to from there.
pub(super) fn address(uri: &Uri) -> String {
    let back = uri.path_and_query().map_or("/", |path| path.as_str());
    if back == "/" {
        return "/login".to_owned();
    }
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("next", back);
    format!("/login?{}", pairs.finish())
}

/// The form.
pub(super) fn form(context: &Context, head: &Head<'_>) -> Answer {
    let next = member(head.uri.query().unwrap_or_default().as_bytes(), "next");
    if context
        .sessions
        .find(head.headers, &context.tokens, now())
        .is_some()
    {
        return see_other(&back(next.as_deref()));
    }
    asked(StatusCode::OK, next.as_deref(), None)
}

fn asked(status: StatusCode, next: Option<&str>, wrong: Option<&str>) -> Answer {
    let body = html! {
        form method="post" action="/login" {
            input type="hidden" name="next" value=(back(next));
            label for="token" { "Token" }
            input #token type="password" name="token" required autocomplete="current-password" spellcheck="false"
                aria-describedby="about" aria-invalid=[wrong.map(|_| "true")] autofocus;
            @if let Some(wrong) = wrong { p .wrong role="alert" { (wrong) } }
            p #about .about { "Whoever operates deliver gives you one. It is not kept in your browser; you stay logged in for twelve hours." }
            button type="submit" { "Log in" }
        }
    };
    layout::bare(status, "Log in", &body)
}

/// Takes a token and begins a session.
pub(super) fn log_in(context: &Context, head: &Head<'_>, form: &[u8]) -> Result<Answer, Problem> {
    own_form(head)?;
    let next = member(form, "next");
    let shown = member(form, "token").unwrap_or_default();
    match context.tokens.get().find(shown.trim(), now()) {
        Ok(token) => {
            let mut answer = see_other(&back(next.as_deref()));
            cookie(&mut answer, &context.sessions.begin(&token, now()));
            Ok(answer)
        }
        Err(_) => Ok(asked(
            StatusCode::UNAUTHORIZED,
            next.as_deref(),
            Some("This token is not known here, or has expired."),
        )),
    }
}

/// Ends a session.
pub(super) fn log_out(context: &Context, head: &Head<'_>) -> Result<Answer, Problem> {
    own_form(head)?;
    let mut answer = see_other("/login");
    cookie(&mut answer, &context.sessions.end());
    Ok(answer)
}

/// Another site's form may not log anybody in or out. Browsers say whose it was; those too old to do so keep the cookie from it.
fn own_form(head: &Head<'_>) -> Result<(), Problem> {
    match head.headers.get(SITE).map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(Problem::new(
            Kind::Forbidden,
            "this form was sent from another site",
        )),
    }
}

fn cookie(answer: &mut Answer, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        answer.headers_mut().insert(SET_COOKIE, cookie);
    }
}

fn member(form: &[u8], name: &str) -> Option<String> {
    url::form_urlencoded::parse(form)
        .find(|(member, _)| member == name)
        .map(|(_, value)| value.into_owned())
}

/// A page of this server to go back to, and never another's.
fn back(next: Option<&str>) -> String {
    let own = |next: &&str| {
        next.starts_with('/')
            && !next.starts_with("//")
            && !next.contains('\\')
            && !next.chars().any(char::is_control)
    };
    next.filter(own).unwrap_or("/").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for other in [
            "https://example.org/",
            "//example.org",
            "/\\example.org",
            "trends",
            "/a\nb",
            "",
        ] {
            assert_eq!(back(Some(other)), "/", "{other:?}");
        }
        assert_eq!(back(Some("/trends?metric=a")), "/trends?metric=a");
        assert_eq!(back(None), "/");
    }
}
