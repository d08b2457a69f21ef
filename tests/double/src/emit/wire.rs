//! One kept-alive connection.

use super::{Body, EmitError, Options};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// Where bodies go, ready to be put into requests.
#[derive(Debug)]
pub(super) struct Target {
    authority: String,
    host: HeaderValue,
    path: Uri,
    header: HeaderName,
    content_type: HeaderValue,
}

impl Target {
    pub(super) fn parse(options: &Options) -> Result<Self, EmitError> {
        let bad = || EmitError::Url {
            url: options.url.clone(),
        };
        let url = url::Url::parse(&options.url).map_err(|_| bad())?;
        let host = url.host_str().filter(|_| url.scheme() == "http");
        let host = host.ok_or_else(bad)?;
        let port = url.port_or_known_default().unwrap_or(80);
        let authority = format!("{host}:{port}");
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self {
            host: HeaderValue::from_str(&authority).map_err(|_| bad())?,
            path: path.parse().map_err(|_| bad())?,
            authority,
            header: HeaderName::from_bytes(options.header.as_bytes()).map_err(|_| {
                EmitError::Header {
                    name: options.header.clone(),
                }
            })?,
            content_type: match options.framing {
                super::Framing::Lines => HeaderValue::from_static("application/x-ndjson"),
                super::Framing::Json | super::Framing::Array => {
                    HeaderValue::from_static("application/json")
                }
            },
        })
    }
}

/// A connection, and the task that drives it.
pub(super) struct Wire {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
    closing: bool,
}

impl Wire {
    pub(super) async fn connect(target: &Target) -> Option<Self> {
        let stream = TcpStream::connect(&target.authority).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        let driver = tokio::spawn(async {
            // How a connection ended is seen by whoever waits for an answer on it.
            drop(connection.await);
        });
        Some(Self {
            sender,
            driver: driver.abort_handle(),
            closing: false,
        })
    }

    /// Whether another body can go this way. One that the server has closed meanwhile is found out here, before anything of
    /// the body is sent.
    pub(super) async fn is_ready(&mut self) -> bool {
        !self.closing && self.sender.ready().await.is_ok()
    }

    /// The status, and what `Retry-After` names in seconds; `None` when the connection broke.
    pub(super) async fn post(
        &mut self,
        target: &Target,
        body: &Body,
    ) -> Option<(u16, Option<Duration>)> {
        let mut request = Request::new(Full::new(body.bytes.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.path.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, target.host.clone());
        headers.insert(CONTENT_TYPE, target.content_type.clone());
        if let Some(signature) = &body.signature {
            let value = HeaderValue::from_str(signature).ok()?;
            headers.insert(target.header.clone(), value);
        }
        let response = self.sender.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        let named = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        self.closing = response
            .headers()
            .get(CONNECTION)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
        let mut answer = response.into_body();
        while let Some(frame) = answer.frame().await {
            frame.ok()?;
        }
        Some((status, named))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
