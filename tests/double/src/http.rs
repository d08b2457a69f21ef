//! Answers in the platforms' forms.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) type Answer = Response<Full<Bytes>>;

/// An answer with a JSON body.
pub(crate) fn json(status: u16, body: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(body).unwrap_or_default();
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// An answer without a body.
pub(crate) fn empty(status: u16) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

/// The answer with one more header; a value that headers cannot carry is left out.
pub(crate) fn with(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    answer
}

/// An error in Genesys' form; CXone puts the words into a header of its own, which is there as well.
pub(crate) fn error(status: u16, code: &str, message: &str, context: &str) -> Answer {
    let body: Value = json!({
        "message": message, "code": code, "status": status, "contextId": context, "details": [], "errors": [],
    });
    let answer = with(json(status, &body), "inin-correlation-id", context);
    with(answer, "icstatusdescription", message)
}

/// The code Genesys gives an error of this status.
pub(crate) const fn code(status: u16) -> &'static str {
    match status {
        400 => "bad.request",
        401 => "bad.credentials",
        404 => "not found",
        413 => "request.entity.too.large",
        415 => "unsupported.media.type",
        429 => "too.many.requests.retry.after",
        503 => "service.unavailable",
        504 => "gateway.timeout",
        _ => "internal.server.error",
    }
}
