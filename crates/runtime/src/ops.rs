//! `/healthz`, `/readyz` and `/metrics`, on a port of their own.

use crate::{Health, Metrics, chain, log};
use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A prober that opens connections and says nothing holds one of these at most this long.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTIONS_MAX: usize = 64;

/// Serves until `end` is cancelled, and answers "not ready" from the first moment of the shutdown that `health` knows.
///
/// Give it a token that is cancelled after the parts have stopped, so that probes are answered during the grace period.
pub async fn serve(
    listen: SocketAddr,
    health: Health,
    metrics: Metrics,
    end: CancellationToken,
) -> anyhow::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("--ops-listen: cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    log::ops_listening(address);
    let task = tokio::spawn(accept(listener, health, metrics, end));
    Ok((address, task))
}

async fn accept(listener: TcpListener, health: Health, metrics: Metrics, end: CancellationToken) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = end.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (health, metrics, end) = (health.clone(), metrics.clone(), end.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = end.cancelled() => {}
                        () = connection(stream, health, metrics) => {}
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: wait until some are free again.
                tracing::warn!(error = %chain(&error), "the ops port could not accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, health: Health, metrics: Metrics) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let response = answer(request.method(), request.uri().path(), &health, &metrics);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(error = %chain(&error), "an ops connection ended early");
    }
}

fn answer(
    method: &Method,
    path: &str,
    health: &Health,
    metrics: &Metrics,
) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return response(
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            "only GET\n".into(),
        );
    }
    match path {
        "/healthz" => {
            let body = serde_json::json!({ "status": "alive" });
            response(StatusCode::OK, "application/json", body.to_string())
        }
        "/readyz" => {
            let ready = health.is_ready();
            let word = match (ready, health.is_stopping()) {
                (true, _) => "ready",
                (false, true) => "stopping",
                (false, false) => "not ready",
            };
            let body = serde_json::json!({ "status": word, "components": health.components() });
            let status = if ready {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            response(status, "application/json", body.to_string())
        }
        "/metrics" => response(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            metrics.encode(),
        ),
        _ => response(
            StatusCode::NOT_FOUND,
            "text/plain",
            "there are /healthz, /readyz and /metrics\n".into(),
        ),
    }
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
