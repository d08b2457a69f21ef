//! Answers: a status, a JSON body, the correlation id. Which case is answered how is a table in [`super::decision`].

use super::coding;
use super::decision::{Refusal, Unavailable};
use super::gate::Limited;
use super::handshake::{Greeting, Presence};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

/// Where the correlation id comes in and goes out.
pub const CORRELATION_HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_GUESSING: HeaderValue = HeaderValue::from_static("nosniff");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");
const ACCEPTED: &[u8] = b"{\"status\":\"accepted\"}";
const NOTHING: &[u8] = b"{\"status\":\"nothing\"}";

/// The answer to a delivery that is stored.
pub fn accepted(correlation: &str) -> Response<Full<Bytes>> {
    taken(ACCEPTED, correlation)
}

/// The answer to a genuine delivery with nothing in it, of which nothing is stored.
pub fn nothing(correlation: &str) -> Response<Full<Bytes>> {
    taken(NOTHING, correlation)
}

fn taken(body: &'static [u8], correlation: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body)));
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    correlate(&mut response, correlation);
    response
}

/// The answer to a handshake.
pub fn greeted(greeting: Greeting, correlation: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    correlate(&mut response, correlation);
    let headers = response.headers_mut();
    let set = |headers: &mut hyper::HeaderMap, name, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    let mut status = StatusCode::OK;
    let mut body = None;
    match greeting {
        Greeting::Here(Presence::Ok) => {}
        Greeting::Here(Presence::NoContent) => status = StatusCode::NO_CONTENT,
        Greeting::Methods(allow) => {
            status = StatusCode::NO_CONTENT;
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        Greeting::Text(text) => {
            headers.insert(CONTENT_TYPE, TEXT);
            headers.insert(X_CONTENT_TYPE_OPTIONS, NO_GUESSING);
            body = Some(text);
        }
        Greeting::Json(text) => {
            headers.insert(CONTENT_TYPE, JSON);
            headers.insert(X_CONTENT_TYPE_OPTIONS, NO_GUESSING);
            body = Some(text);
        }
        Greeting::Origin {
            origin,
            rate,
            allow,
        } => {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
            set(headers, ALLOWED_ORIGIN, &origin);
            if let Some(rate) = rate {
                set(headers, ALLOWED_RATE, &rate);
            }
        }
    }
    *response.status_mut() = status;
    if let Some(body) = body {
        *response.body_mut() = Full::new(Bytes::from(body));
    }
    response
}

/// The answer to a delivery that is refused. `close` ends the connection with it: part of the request is still unread.
pub fn refused(refusal: &Refusal, correlation: &str, close: bool) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body(refusal)));
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    match refusal {
        Refusal::Method { allow } => {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        Refusal::ContentEncoding => {
            headers.insert(ACCEPT_ENCODING, coding::ACCEPTED);
        }
        _ => {}
    }
    if let Some(seconds) = retry_after(refusal) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    correlate(&mut response, correlation);
    response
}

/// The answer as bytes for a connection that is not hyper's any more.
pub fn refused_raw(refusal: &Refusal) -> Vec<u8> {
    let status = refusal.status();
    let body = body(refusal);
    let retry = retry_after(refusal)
        .map(|seconds| format!("retry-after: {seconds}\r\n"))
        .unwrap_or_default();
    let mut bytes = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{retry}connection: close\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

fn body(refusal: &Refusal) -> Bytes {
    let body = serde_json::json!({ "error": refusal.word(), "detail": refusal.detail() });
    Bytes::from(body.to_string())
}

/// Seconds after which to try again, where that may help. Overload passes quickly; a broker that is gone or blocked takes longer.
fn retry_after(refusal: &Refusal) -> Option<u64> {
    Some(match refusal {
        Refusal::Limited(Limited::Rate { seconds }) => *seconds,
        Refusal::Limited(Limited::AtOnce | Limited::Memory) => 1,
        Refusal::Unavailable(reason) => match reason {
            Unavailable::Overloaded | Unavailable::Stopping => 1,
            Unavailable::BrokerGone | Unavailable::NotConfirmed | Unavailable::KeysUnavailable => 5,
            Unavailable::BrokerBlocked | Unavailable::BrokerRefused => 10,
        },
        _ => return None,
    })
}

fn correlate(response: &mut Response<Full<Bytes>>, correlation: &str) {
    if let Ok(value) = HeaderValue::from_str(correlation) {
        response.headers_mut().insert(CORRELATION_HEADER, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    async fn text(response: Response<Full<Bytes>>) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_refusal_says_what_and_why_in_json() {
        for refusal in Refusal::all() {
            let response = refused(&refusal, "c-1", false);
            assert_eq!(response.status(), refusal.status());
            assert_eq!(response.headers()["x-correlation-id"], "c-1");
            let asks_again = response.headers().contains_key("retry-after");
            assert_eq!(asks_again, matches!(response.status().as_u16(), 429 | 503));
            let lists_codings = response.headers().contains_key("accept-encoding");
            assert_eq!(lists_codings, refusal == Refusal::ContentEncoding);
            let lists_methods = response.headers().contains_key("allow");
            assert_eq!(lists_methods, response.status() == 405);
            let body: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
            assert_eq!(body["error"], refusal.word());
            assert_eq!(body["detail"], refusal.detail());
        }
    }

    #[tokio::test]
    async fn a_challenge_is_sent_back_as_text_that_nobody_takes_for_markup() {
        let response = greeted(Greeting::Text("<b>7".to_owned()), "c");
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.headers()["content-type"],
            "text/plain; charset=utf-8"
        );
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(text(response).await, "<b>7");
    }

    #[test]
    fn the_raw_answer_is_framed() {
        let raw = String::from_utf8(refused_raw(&Refusal::TooSlow)).unwrap();
        let (head, body) = raw.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
            "{head}"
        );
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
    }
}
