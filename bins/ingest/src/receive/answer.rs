//! Answers: a status, a JSON body, the correlation id.

use super::decision::{Refusal, Unavailable};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

/// Where the correlation id comes in and goes out.
pub const CORRELATION_HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const ACCEPTED: &[u8] = b"{\"status\":\"accepted\"}";

/// The answer to a delivery that is stored.
pub fn accepted(correlation: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(ACCEPTED)));
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    correlate(&mut response, correlation);
    response
}

/// The answer to a delivery that is refused. `close` ends the connection with it: part of the request is still unread.
pub fn refused(refusal: &Refusal, correlation: &str, close: bool) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body(refusal)));
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if let Refusal::Method = refusal {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if let Refusal::Unavailable(reason) = refusal {
        headers.insert(RETRY_AFTER, HeaderValue::from(retry_after(*reason)));
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
    let retry = match refusal {
        Refusal::Unavailable(reason) => format!("retry-after: {}\r\n", retry_after(*reason)),
        _ => String::new(),
    };
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

/// Seconds. Overload passes quickly; a broker that is gone or blocked takes longer.
fn retry_after(reason: Unavailable) -> u16 {
    match reason {
        Unavailable::Overloaded | Unavailable::Stopping => 1,
        Unavailable::BrokerGone | Unavailable::NotConfirmed | Unavailable::KeysUnavailable => 5,
        Unavailable::BrokerBlocked | Unavailable::BrokerRefused => 10,
    }
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
            assert_eq!(asks_again, response.status() == 503);
            let body: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
            assert_eq!(body["error"], refusal.word());
            assert_eq!(body["detail"], refusal.detail());
        }
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
