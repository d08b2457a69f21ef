//! One connection from its first byte to its last: TLS where it is configured, HTTP/1.1 or HTTP/2, time limits, the drain at a stop, the end
//! of one in which nothing is genuine.

use super::Limits;
use super::answer::refused_raw;
use super::decision::Refusal;
use super::handler::{Endpoint, Handler};
use super::tls::{Encryption, HTTP2};
use super::wire::{Opening, Wire};
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use runtime::Metrics;
use runtime::chain;
use runtime::metrics::{Counter, CounterHandle};
use std::future::{Future as _, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The largest request head, and the largest piece in which a body is read: memory before anything is known about the sender.
const BUFFER_MAX: usize = 64 * 1024;
/// How long a last word to a connection may take.
pub(super) const LAST_WORD: Duration = Duration::from_secs(1);
/// Requests at once on one HTTP/2 connection. Refused streams are tried again by every client, so few are no loss.
const STREAMS_MAX: u32 = 128;
/// The fields of one HTTP/2 request, as their standard counts them.
const HEADER_LIST_MAX: u32 = 16 * 1024;
/// Bytes of bodies that an HTTP/2 connection may have sent and nobody has read: what it costs before a request is admitted.
const WINDOW: u32 = 256 * 1024;
/// Streams reset by the sender that may wait to be noticed, and streams reset because of the sender's errors, before the whole connection
/// is ended: a flood of resets (CVE-2023-44487 and its kin) stays cheap.
const RESETS_PENDING_MAX: usize = 20;
const RESETS_OF_ERRORS_MAX: usize = 64;
/// At a stop, how long a connection of HTTP/1.1 waits for one more request, whose answer says that it ends. Closed at once, it would cross
/// a request that is on its way, and the sender could not tell whether that was taken.
const ONE_MORE: Duration = Duration::from_secs(1);
/// How often an HTTP/2 connection is asked whether somebody is still there, and how long the answer may take.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(10);

/// How connections are served.
#[derive(Debug)]
pub struct Connections {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    encryption: Option<Encryption>,
    header_timeout: Duration,
    write_timeout: Duration,
    handshakes: Handshakes,
}

#[derive(Debug)]
struct Handshakes {
    done: CounterHandle,
    failed: CounterHandle,
    late: CounterHandle,
}

impl Connections {
    /// With these limits.
    pub fn new(encryption: Option<Encryption>, limits: &Limits, metrics: &Metrics) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(BUFFER_MAX);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADER_LIST_MAX)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_send_buf_size(BUFFER_MAX)
            .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
            .max_local_error_reset_streams(RESETS_OF_ERRORS_MAX)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG);
        let handshake =
            |outcome| metrics.counter(Counter::IngestTlsHandshakes, &[("outcome", outcome)]);
        Self {
            http1,
            http2,
            encryption,
            header_timeout: limits.header_timeout,
            write_timeout: limits.body_timeout,
            handshakes: Handshakes {
                done: handshake("done"),
                failed: handshake("failed"),
                late: handshake("late"),
            },
        }
    }

    /// Whether connections begin with TLS: nothing can be said to one that has not got so far.
    pub fn encrypted(&self) -> bool {
        self.encryption.is_some()
    }

    /// Serves one connection to its end.
    pub async fn serve(
        &self,
        stream: TcpStream,
        handler: Arc<Handler>,
        peer: IpAddr,
        stop: CancellationToken,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %chain(&error), "a connection ended before it was served");
            return;
        }
        let endpoint = Endpoint {
            handler,
            peer,
            streak: Arc::default(),
            stop: stop.clone(),
        };
        let mut wire = Wire::new(stream, self.write_timeout);
        let Some(encryption) = &self.encryption else {
            match self.opening(&mut wire, &stop).await {
                Some(Opening::Http2) => self.http2(wire, endpoint, stop).await,
                Some(Opening::Http1) => self.http1(wire, endpoint, stop).await,
                Some(Opening::Closed) | None => {}
            }
            return;
        };
        let handshake = encryption.live.acceptor().accept(wire);
        let stream = tokio::select! {
            biased;
            () = stop.cancelled() => return, // there is no request yet
            shaken = timeout(encryption.handshake_timeout, handshake) => match shaken {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    self.handshakes.failed.inc();
                    tracing::debug!(error = %chain(&error), %peer, "a TLS handshake failed");
                    return;
                }
                Err(_) => {
                    self.handshakes.late.inc();
                    return;
                }
            },
        };
        self.handshakes.done.inc();
        if stream.get_ref().1.alpn_protocol() == Some(HTTP2) {
            self.http2(stream, endpoint, stop).await;
        } else {
            self.http1(stream, endpoint, stop).await;
        }
    }

    /// Which protocol a connection begins with; `None` where it is over already.
    async fn opening(
        &self,
        wire: &mut Wire<TcpStream>,
        stop: &CancellationToken,
    ) -> Option<Opening> {
        let opening = tokio::select! {
            biased;
            opening = timeout(self.header_timeout, wire.opening()) => opening,
            () = stop.cancelled() => return None, // idle, as after a request
        };
        match opening {
            Ok(Ok(opening)) => Some(opening),
            Ok(Err(error)) => {
                tracing::debug!(error = %chain(&error), "a connection ended early");
                None
            }
            // Silent, or the beginning of HTTP/2 and no more: there is no request to answer.
            Err(_) => None,
        }
    }

    async fn http1<S>(&self, stream: S, endpoint: Endpoint, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let handler = Arc::clone(&endpoint.handler);
        let mut connection = self.http1.serve_connection(TokioIo::new(stream), endpoint);
        let mut stopping = pin!(async {
            stop.cancelled().await;
            sleep(ONE_MORE).await;
        });
        let mut asked = false;
        let served = poll_fn(|context| {
            if !asked && stopping.as_mut().poll(context).is_ready() {
                asked = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            connection.poll_without_shutdown(context)
        })
        .await;
        let parts = connection.into_parts();
        let mut stream = parts.io.into_inner();
        match served {
            // hyper ends a slow head without a word. An idle connection has sent nothing, and is told nothing.
            Err(error) if error.is_timeout() && !parts.read_buf.is_empty() => {
                handler.count(&Refusal::TooSlow);
                last_word(stream, &Refusal::TooSlow).await;
                return;
            }
            Err(error) => {
                tracing::debug!(error = %chain(&error), "a connection ended early");
            }
            Ok(()) => {}
        }
        if let Err(error) = stream.shutdown().await {
            tracing::trace!(error = %chain(&error), "a connection was already closed");
        }
    }

    /// HTTP/2 has no time limit of its own for a connection without a request: it is what HTTP/1.1 has for a head.
    async fn http2<S>(&self, stream: S, endpoint: Endpoint, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let requests = Arc::new(Requests::default());
        let streak = Arc::clone(&endpoint.streak);
        let watched = Watched {
            endpoint,
            requests: Arc::clone(&requests),
        };
        let mut connection = pin!(self.http2.serve_connection(TokioIo::new(stream), watched));
        let step = (self.header_timeout / 8).min(LAST_WORD);
        let mut look = interval(step.max(Duration::from_millis(10)));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut idle_since = Instant::now();
        let mut begun = 0;
        let mut asked = false;
        loop {
            tokio::select! {
                served = connection.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(error = %chain(&error), "a connection ended early");
                    }
                    return;
                }
                () = async { tokio::select! { () = stop.cancelled() => {}, () = streak.over() => {} } }, if !asked => {
                    asked = true;
                    connection.as_mut().graceful_shutdown();
                    idle_since = Instant::now();
                }
                now = look.tick() => {
                    let before = std::mem::replace(&mut begun, requests.begun.load(Ordering::Relaxed));
                    if begun != before || requests.open.load(Ordering::Relaxed) > 0 {
                        idle_since = now;
                    } else if asked && now.saturating_duration_since(idle_since) >= LAST_WORD {
                        return; // every answer is out, and the other side does not hang up
                    } else if !asked && now.saturating_duration_since(idle_since) >= self.header_timeout {
                        asked = true;
                        connection.as_mut().graceful_shutdown();
                        idle_since = now;
                    }
                }
            }
        }
    }
}

/// The endpoint of one HTTP/2 connection, which counts its requests.
#[derive(Debug)]
struct Watched {
    endpoint: Endpoint,
    requests: Arc<Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    begun: AtomicUsize,
    open: AtomicUsize,
}

/// One open request.
struct Open(Arc<Requests>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<R> Service<R> for Watched
where
    Endpoint: Service<R>,
    <Endpoint as Service<R>>::Future: Send + 'static,
{
    type Response = <Endpoint as Service<R>>::Response;
    type Error = <Endpoint as Service<R>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: R) -> Self::Future {
        self.requests.begun.fetch_add(1, Ordering::Relaxed);
        self.requests.open.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(&self.requests));
        let answer = self.endpoint.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(open);
            answer
        })
    }
}

/// Writes a refusal to a connection without hyper and closes it.
pub(super) async fn last_word<S: AsyncWrite + Unpin>(mut stream: S, refusal: &Refusal) {
    let bytes = refused_raw(refusal);
    let word = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    };
    match timeout(LAST_WORD, word).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = %chain(&error), "could not say a last word"),
        Err(_) => tracing::debug!("could not say a last word in time"),
    }
}
