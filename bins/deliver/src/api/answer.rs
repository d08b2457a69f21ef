//! Answers: what every one has in its head, and that nothing is sent twice that the asker has already (RFC 9110, section 13.1.2).

use super::problem::{Kind, Problem};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    IF_NONE_MATCH, LINK, REFERRER_POLICY, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Response, StatusCode};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// What hyper sends.
pub type Answer = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const NOTHING_ACTIVE: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const SAME_ORIGIN: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// How long whoever asked may keep an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Not at all.
    Never,
    /// For itself, and asks each time whether it still holds.
    Asking,
    /// For ever and for everybody: under this address there is never anything else.
    Always,
}

/// Bytes of a kind, with a tag that tells one content from another.
#[must_use]
pub fn bytes(kind: &'static str, body: impl Into<Bytes>, keep: Keep) -> Answer {
    let body = body.into();
    let tag = (keep != Keep::Never).then(|| tag(&body));
    let mut answer = Response::new(Full::new(body));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(tag) = tag {
        headers.insert(ETAG, tag);
    }
    common(headers, keep);
    answer
}

/// A value as JSON.
pub fn json<T: Serialize>(value: &T) -> Result<Answer, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer of the API cannot be written");
        Problem::new(Kind::Internal, "the answer cannot be written")
    })?;
    let mut answer = bytes("application/json", body, Keep::Asking);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CONTENT_SECURITY_POLICY, NOTHING_ACTIVE);
    // What is there differs with the token.
    headers.insert(VARY, HeaderValue::from_static("authorization"));
    Ok(answer)
}

/// Says where the next page is.
#[must_use]
pub fn with_next(mut answer: Answer, path: &str, query: &str, next: Option<&str>) -> Answer {
    let Some(next) = next else {
        return answer;
    };
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if name != "cursor" {
            pairs.append_pair(&name, &value);
        }
    }
    pairs.append_pair("cursor", next);
    let link = format!("<{path}?{}>; rel=\"next\"", pairs.finish());
    if let Ok(link) = HeaderValue::try_from(link) {
        answer.headers_mut().insert(LINK, link);
    }
    answer
}

/// A problem.
#[must_use]
pub fn problem(problem: &Problem) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(problem.body())));
    *answer.status_mut() = problem.kind.status();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, PROBLEM);
    headers.insert(CONTENT_SECURITY_POLICY, NOTHING_ACTIVE);
    common(headers, Keep::Never);
    if let Some(seconds) = problem.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.kind == Kind::Unauthorised {
        let way = HeaderValue::from_static("Bearer realm=\"kpiline\"");
        headers.insert(WWW_AUTHENTICATE, way);
    }
    if let Some(allow) = problem.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    answer
}

fn common(headers: &mut HeaderMap, keep: Keep) {
    let cache = match keep {
        Keep::Never => "no-store",
        Keep::Asking => "private, no-cache",
        Keep::Always => "public, max-age=31536000, immutable",
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(SAME_ORIGIN, HeaderValue::from_static("same-origin"));
}

/// A strong tag: equal for equal bytes.
fn tag(body: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(body);
    let short: Vec<u8> = digest.iter().take(16).copied().collect();
    HeaderValue::try_from(format!("\"{}\"", hex::encode(short)))
        .unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// The answer itself, or that the asker has it already.
#[must_use]
pub fn unless_known(answer: Answer, asked: &HeaderMap) -> Answer {
    let known = answer.status() == StatusCode::OK
        && answer.headers().get(ETAG).is_some_and(|tag| {
            let tag = tag.as_bytes();
            asked
                .get_all(IF_NONE_MATCH)
                .iter()
                .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
                .map(<[u8]>::trim_ascii)
                .any(|one| one == b"*" || one.strip_prefix(b"W/").unwrap_or(one) == tag)
        });
    if !known {
        return answer;
    }
    let (mut head, _) = answer.into_parts();
    head.status = StatusCode::NOT_MODIFIED;
    head.headers.remove(CONTENT_TYPE);
    Response::from_parts(head, Full::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(tag: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, tag.parse().unwrap());
        headers
    }

    #[test]
    fn what_the_asker_has_is_not_sent_again() {
        let answer = || bytes("text/plain", "abc", Keep::Asking);
        let tag = answer().headers()[ETAG].to_str().unwrap().to_owned();
        for known in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"x\", {tag}"),
            "*".to_owned(),
        ] {
            let answer = unless_known(answer(), &asked(&known));
            assert_eq!(answer.status(), 304, "{known}");
            assert_eq!(answer.headers()[ETAG], tag);
            assert!(!answer.headers().contains_key(CONTENT_TYPE));
        }
        assert_eq!(unless_known(answer(), &asked("\"x\"")).status(), 200);
        assert_eq!(unless_known(answer(), &HeaderMap::new()).status(), 200);
        assert_ne!(
            bytes("text/plain", "abd", Keep::Asking).headers()[ETAG],
            tag
        );
    }

    #[test]
    fn a_problem_is_kept_by_nobody() {
        let answer = problem(&Problem::new(Kind::Unauthorised, "no"));
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(unless_known(answer, &asked("*")).status(), 401);
    }

    #[test]
    fn the_next_page_is_the_same_question_with_another_cursor() {
        let answer = with_next(
            bytes("a/b", "", Keep::Never),
            "/api/v1/metrics",
            "metric=a%26b&cursor=old",
            Some("new"),
        );
        assert_eq!(
            answer.headers()[LINK],
            "</api/v1/metrics?metric=a%26b&cursor=new>; rel=\"next\""
        );
    }
}
