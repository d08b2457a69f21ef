//! One request: admit, read, verify, hand over, wait for the confirm, answer.

use super::answer::{CORRELATION_HEADER, accepted, refused};
use super::batch::Weigh;
use super::budget::{Budget, Hold};
use super::decision::{Refusal, Unavailable, admit};
use super::lanes::Suspicion;
use super::route::{LiveRoutes, Route};
use super::seen::Seen;
use super::{Limits, body};
use crate::auth::{self, Admission, Bodies};
use crate::clock::now;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::EXPECT;
use hyper::http::request::Parts;
use hyper::service::Service;
use hyper::{HeaderMap, Request, Response};
use runtime::Metrics;
use runtime::metrics::{Counter, CounterHandle, Histogram, HistogramHandle};
use schema::{CorrelationId, DeliveryId, RawDelivery};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// The longest correlation id taken from a sender.
const CORRELATION_BYTES_MAX: usize = 128;

/// A verified delivery that waits for its confirm.
#[derive(Debug)]
pub struct Waiting {
    /// The delivery.
    pub delivery: RawDelivery,
    /// Told once: stored, or why not.
    pub reply: oneshot::Sender<Result<(), Unavailable>>,
    /// Its part of the memory allowance.
    pub hold: Hold,
    /// Whether the same bytes were accepted before.
    pub suspect: bool,
}

impl Suspicion for Waiting {
    fn is_suspect(&self) -> bool {
        self.suspect
    }
}

impl Weigh for Waiting {
    fn size(&self) -> usize {
        self.delivery.body.len()
    }
}

/// Everything a request needs.
#[derive(Debug)]
pub struct Handler {
    routes: LiveRoutes,
    inbox: mpsc::Sender<Waiting>,
    budget: Budget,
    seen: Seen,
    limits: Limits,
    counters: Counters,
}

#[derive(Debug)]
struct Counters {
    accepted: CounterHandle,
    suspects: CounterHandle,
    refused: Vec<(&'static str, CounterHandle)>,
    receive: HistogramHandle,
}

impl Handler {
    /// A handler that puts deliveries into this inbox.
    pub fn new(
        routes: LiveRoutes,
        inbox: mpsc::Sender<Waiting>,
        limits: Limits,
        metrics: &Metrics,
    ) -> Self {
        let counter = |word| metrics.counter(Counter::IngestDeliveries, &[("outcome", word)]);
        let counters = Counters {
            accepted: counter("accepted"),
            suspects: metrics.counter(Counter::IngestSuspects, &[]),
            refused: Refusal::all()
                .iter()
                .map(|refusal| (refusal.label(), counter(refusal.label())))
                .collect(),
            receive: metrics.histogram(Histogram::IngestReceive, &[]),
        };
        Self {
            routes,
            inbox,
            budget: Budget::new(limits.memory_max),
            seen: Seen::new(limits.seen.entries_max, limits.seen.horizon),
            limits,
            counters,
        }
    }

    /// Counts a refusal made outside a request.
    pub fn count(&self, refusal: &Refusal) {
        let label = refusal.label();
        let mut counters = self.counters.refused.iter();
        if let Some((_, counter)) = counters.find(|(name, _)| *name == label) {
            counter.inc();
        }
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let begun = Instant::now();
        let (head, mut body) = request.into_parts();
        let id = DeliveryId::generate();
        let correlation = correlation(&head.headers, id);
        match self
            .receive(begun, &head, &mut body, id, &correlation)
            .await
        {
            Ok(()) => {
                self.counters.accepted.inc();
                self.counters.receive.observe(begun.elapsed().as_secs_f64());
                accepted(correlation.as_str())
            }
            Err(refusal) => {
                self.count(&refusal);
                tracing::debug!(
                    correlation = correlation.as_str(),
                    path = head.uri.path(),
                    reason = refusal.label(),
                    "refused a delivery"
                );
                let unread = !body.is_end_stream();
                // A sender that waits for "100 Continue" has not begun: there is nothing to drain.
                if unread && refusal != Refusal::TooSlow && !head.headers.contains_key(EXPECT) {
                    tokio::spawn(body::drain(body, begun + self.limits.body_timeout));
                }
                refused(&refusal, correlation.as_str(), unread)
            }
        }
    }

    async fn receive(
        &self,
        begun: Instant,
        head: &Parts,
        body: &mut Incoming,
        id: DeliveryId,
        correlation: &CorrelationId,
    ) -> Result<(), Refusal> {
        let routes = self.routes.current();
        let route = admit(head, &routes)?;
        let asked = auth::Request {
            headers: &head.headers,
            peer: head.extensions.get().map(|Peer(address)| *address),
            now: now(),
        };
        // Who shows nothing is refused here, before a byte of his body costs memory.
        let admission = route.authentication.admit(&asked).await?;
        let mut hold = self.budget.hold();
        let deadline = begun + self.limits.body_timeout;
        let bytes = body::read(body, route.max_body_bytes, deadline, &mut hold).await?;
        if let Admission::AfterBody(pending) = admission {
            pending.verify(&asked, Bodies::same(&bytes))?;
        }
        let fingerprint = self.seen.fingerprint(&route.name, &bytes);
        let suspect = self.seen.is_known(fingerprint);
        let delivery = delivery(route, id, correlation.clone(), bytes);
        self.hand_over(delivery, hold, suspect)
            .await
            .map_err(Refusal::Unavailable)?;
        self.seen.learn(fingerprint);
        if suspect {
            self.counters.suspects.inc();
        }
        Ok(())
    }

    /// Puts a delivery into the inbox and waits for its fate, within the answer's time limit.
    async fn hand_over(
        &self,
        delivery: RawDelivery,
        hold: Hold,
        suspect: bool,
    ) -> Result<(), Unavailable> {
        let (reply, fate) = oneshot::channel();
        let waiting = Waiting {
            delivery,
            reply,
            hold,
            suspect,
        };
        self.inbox.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Unavailable::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Unavailable::Stopping,
        })?;
        match timeout_at(Instant::now() + self.limits.answer_timeout, fate).await {
            Ok(Ok(fate)) => fate,
            // The publisher ended without an answer: whether the broker has the delivery is not known.
            Ok(Err(_)) => Err(Unavailable::Stopping),
            Err(_) => Err(Unavailable::NotConfirmed),
        }
    }
}

fn delivery(route: &Route, id: DeliveryId, correlation: CorrelationId, body: Bytes) -> RawDelivery {
    RawDelivery {
        id,
        subscription: route.name.clone(),
        tenant: route.tenant.clone(),
        format: route.format.clone(),
        correlation,
        received_at: now(),
        job: None,
        body,
    }
}

/// The sender's correlation id, else the trace id of its W3C trace context, else the delivery's own id.
fn correlation(headers: &HeaderMap, id: DeliveryId) -> CorrelationId {
    let own = headers
        .get(CORRELATION_HEADER)
        .and_then(|value| value.to_str().ok())
        .map(str::trim)
        .filter(|text| !text.is_empty() && text.len() <= CORRELATION_BYTES_MAX);
    let trace = || {
        let text = headers.get("traceparent")?.to_str().ok()?;
        let trace = text.split('-').nth(1)?;
        let fits = trace.len() == 32
            && trace.bytes().all(|byte| byte.is_ascii_hexdigit())
            && trace.bytes().any(|byte| byte != b'0');
        fits.then_some(trace)
    };
    own.or_else(trace).map_or_else(
        || {
            let mut buffer = uuid::Uuid::encode_buffer();
            CorrelationId::new(&*id.0.as_hyphenated().encode_lower(&mut buffer))
        },
        CorrelationId::new,
    )
}

/// Who is at the other end of a request's connection: an extension of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The handler as hyper calls it for one connection.
#[derive(Debug, Clone)]
pub struct Endpoint(pub Arc<Handler>, pub Peer);

impl Service<Request<Incoming>> for Endpoint {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.1);
        let handler = Arc::clone(&self.0);
        Box::pin(async move { Ok(handler.answer(request).await) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn correlate(header: &'static str, value: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(header, value.parse().unwrap());
        let id = DeliveryId(uuid::Uuid::from_u128(7));
        correlation(&headers, id).as_str().to_owned()
    }

    #[test]
    fn the_correlation_id_is_the_senders_where_it_is_usable() {
        let own = "00000000-0000-0000-0000-000000000007";
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(correlate("x-correlation-id", " abc "), "abc");
        assert_eq!(correlate("x-correlation-id", ""), own);
        assert_eq!(correlate("x-correlation-id", &"x".repeat(200)), own);
        assert_eq!(
            correlate("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01")),
            trace
        );
        assert_eq!(correlate("traceparent", "00-zz-11-01"), own);
        assert_eq!(
            correlate("traceparent", &format!("00-{}-1-01", "0".repeat(32))),
            own
        );
    }
}
