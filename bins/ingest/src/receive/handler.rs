//! One request: admit, read, verify, undo what it is wrapped in, hand over, wait for the confirm, answer.
//!
//! What is published and logged is the plain body: what the sender said, without the codings and the form it travelled in. Nothing
//! downstream needs a decompressor, one event has one content digest however its sender compresses it, and what rests in the quarantine
//! can be read. The signature is checked here, over the bytes that the subscription says, and nobody checks it again.

use super::answer::{CORRELATION_HEADER, accepted, greeted, nothing, refused};
use super::batch::Weigh;
use super::budget::{Budget, Hold};
use super::coding::Class;
use super::content::{self, Content};
use super::decision::{Admitted, Post, Refusal, Unavailable, admit};
use super::gate::Seat;
use super::handshake::Greeting;
use super::inflate::{Check, Inflater, Wrapped};
use super::lanes::Suspicion;
use super::route::{LiveRoutes, Route};
use super::seen::Seen;
use super::streak::{self, Streak};
use super::{Limits, body};
use crate::auth::{self, Admission, Bodies, Pending};
use crate::clock::now;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, EXPECT, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::Service;
use hyper::{HeaderMap, Request, Response, Version};
use runtime::Metrics;
use runtime::metrics::{Counter, CounterHandle, Gauge, Histogram, HistogramHandle};
use schema::{CorrelationId, DeliveryId, RawDelivery};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

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
    /// Its place among those of its subscription.
    pub seat: Seat,
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
    inflater: Inflater,
    limits: Limits,
    counters: Counters,
}

/// What became of a request that was not refused.
enum Outcome {
    /// Stored.
    Accepted,
    /// Genuine, and nothing in it.
    Nothing,
    /// A handshake, answered.
    Greeted(Greeting),
}

#[derive(Debug)]
struct Counters {
    accepted: CounterHandle,
    suspects: CounterHandle,
    nothing: CounterHandle,
    greeted: CounterHandle,
    /// Accepted bodies by protocol (HTTP/2 last) and class of coding.
    bodies: [[CounterHandle; Class::ALL.len()]; 2],
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
            nothing: counter("nothing"),
            greeted: counter("handshake"),
            bodies: ["http1", "http2"].map(|protocol| {
                Class::ALL.map(|class| {
                    let labels = [("protocol", protocol), ("encoding", class.word())];
                    metrics.counter(Counter::IngestBodies, &labels)
                })
            }),
            refused: Refusal::all()
                .iter()
                .map(|refusal| (refusal.label(), counter(refusal.label())))
                .collect(),
            receive: metrics.histogram(Histogram::IngestReceive, &[]),
        };
        Self {
            routes,
            inbox,
            seen: Seen::new(limits.seen.entries_max, limits.seen.horizon),
            budget: Budget::shown(
                limits.memory_max,
                metrics.gauge(Gauge::ReceiveMemoryBytes, &[]),
                metrics.gauge(Gauge::ReceiveMemoryPeakBytes, &[]),
            ),
            inflater: Inflater::new(),
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

    /// Answers one request of a connection whose requests so far were these.
    pub async fn answer(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        streak: &Streak,
    ) -> Response<Full<Bytes>> {
        let begun = Instant::now();
        let (head, mut body) = request.into_parts();
        let streams = head.version >= Version::HTTP_2;
        // Whether this answer has to end the connection; one of HTTP/2 is ended below.
        let unproven = || {
            let max = if streams {
                streak::STREAMS_MAX
            } else {
                streak::REQUESTS_MAX
            };
            streak.unproven(max) && !streams
        };
        let id = DeliveryId::generate();
        let correlation = correlation(&head.headers, id);
        match self
            .receive(begun, &head, peer, &mut body, id, &correlation)
            .await
        {
            Ok(Outcome::Accepted) => {
                streak.proven();
                self.counters.accepted.inc();
                self.counters.receive.observe(begun.elapsed().as_secs_f64());
                accepted(correlation.as_str())
            }
            Ok(Outcome::Nothing) => {
                streak.proven();
                self.counters.nothing.inc();
                nothing(correlation.as_str())
            }
            Ok(Outcome::Greeted(greeting)) => {
                self.counters.greeted.inc();
                let mut answer = greeted(greeting, correlation.as_str());
                if unproven() {
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(CONNECTION, close);
                }
                answer
            }
            Err(refusal) => {
                self.count(&refusal);
                tracing::debug!(
                    correlation = correlation.as_str(),
                    path = head.uri.path(),
                    reason = refusal.label(),
                    %peer,
                    "refused a delivery"
                );
                // HTTP/2 resets the one stream that is not wanted; in HTTP/1.1 the connection has to end with the request.
                let unread = !body.is_end_stream() && !streams;
                // A sender that waits for "100 Continue" has not begun: there is nothing to drain.
                if unread && refusal != Refusal::TooSlow && !head.headers.contains_key(EXPECT) {
                    tokio::spawn(body::drain(body, begun + self.limits.body_timeout));
                }
                let ended = !refusal.is_ours() && unproven();
                refused(&refusal, correlation.as_str(), unread || ended)
            }
        }
    }

    async fn receive(
        &self,
        begun: Instant,
        head: &Parts,
        peer: IpAddr,
        body: &mut Incoming,
        id: DeliveryId,
        correlation: &CorrelationId,
    ) -> Result<Outcome, Refusal> {
        let routes = self.routes.current();
        let post = match admit(head, body.is_end_stream(), &routes)? {
            Admitted::Post(post) => post,
            Admitted::Greeting(greeting) => return Ok(Outcome::Greeted(greeting)),
        };
        let route = post.route;
        let seat = route.gate.enter(begun.into_std())?;
        let asked = auth::Request {
            headers: &head.headers,
            peer: Some(peer),
            now: now(),
        };
        // Who shows nothing is refused here, before a byte of his body costs memory.
        let keys = Instant::now();
        let admission = route
            .authentication
            .admit(&asked, self.limits.answer_timeout / 2)
            .await?;
        let waited = keys.elapsed();
        let pending = match &admission {
            Admission::Genuine => {
                route.gate.spend(begun.into_std())?;
                None
            }
            Admission::AfterBody(pending) => Some(pending),
        };
        let mut hold = self.budget.hold_within(route.gate.memory());
        let deadline = begun + self.limits.body_timeout;
        let wire = body::read(body, route.max_body_bytes, deadline, &mut hold).await?;
        let due = due(Instant::now(), self.limits.answer_timeout, waited);
        let (plain, hold) = self.open(&asked, pending, &post, wire, hold, due).await?;
        if pending.is_some() {
            route.gate.spend(Instant::now().into_std())?;
        }
        if content::is_nothing(&plain, &route.format) {
            return Ok(Outcome::Nothing);
        }
        if let Some(greeting) = route.transport.handshake.challenge(&plain) {
            return Ok(Outcome::Greeted(greeting));
        }
        let fingerprint = self.seen.fingerprint(&route.name, &plain);
        let suspect = self.seen.is_known(fingerprint);
        let delivery = delivery(route, id, correlation.clone(), plain);
        self.hand_over(delivery, (hold, seat), suspect, due)
            .await
            .map_err(Refusal::Unavailable)?;
        self.seen.learn(fingerprint);
        if suspect {
            self.counters.suspects.inc();
        }
        let protocol = usize::from(head.version >= Version::HTTP_2);
        self.counters.bodies[protocol][post.codings.class() as usize].inc();
        Ok(Outcome::Accepted)
    }

    /// Checks that a body is genuine and takes it out of what it is wrapped in; what is signed as it was sent is checked first, so that a
    /// stranger's is never decompressed.
    async fn open(
        &self,
        asked: &auth::Request<'_>,
        pending: Option<&Pending<'_>>,
        post: &Post<'_>,
        wire: Bytes,
        hold: Hold,
        due: Instant,
    ) -> Result<(Bytes, Hold), Refusal> {
        let (route, codings) = (post.route, post.codings);
        let compressed = codings.class() != Class::Identity && !wire.is_empty();
        let needs_plain = compressed && pending.is_some_and(Pending::needs_plain);
        if let Some(pending) = pending
            && !needs_plain
        {
            pending.verify(asked, Bodies::same(&wire))?;
        }
        let (plain, mut hold) = if compressed {
            let check = needs_plain.then(|| checking(asked, route, wire.clone()));
            let wrapped = Wrapped {
                wire,
                codings,
                limit: route.transport.max_inflated_bytes,
                hold,
            };
            self.inflater
                .inflate(wrapped, route.gate.inflating(), due, check)
                .await?
        } else {
            (wire, hold)
        };
        let opened = match post.content {
            Content::Json | Content::Report => plain,
            Content::Form => {
                let form = plain.len();
                hold.extend(form)?; // the field, decoded, beside the form
                let payload = content::payload(&plain, &route.transport.form_field);
                drop(plain);
                hold.release(form);
                payload
            }
        };
        Ok((opened, hold))
    }

    /// Puts a delivery into the inbox and waits for its fate until the answer is due.
    async fn hand_over(
        &self,
        delivery: RawDelivery,
        (hold, seat): (Hold, Seat),
        suspect: bool,
        due: Instant,
    ) -> Result<(), Unavailable> {
        let (reply, fate) = oneshot::channel();
        let waiting = Waiting {
            delivery,
            reply,
            hold,
            seat,
            suspect,
        };
        put(&self.inbox, waiting)?;
        match timeout_at(due, fate).await {
            Ok(Ok(fate)) => fate,
            // The publisher ended without an answer: whether the broker has the delivery is not known.
            Ok(Err(_)) => Err(Unavailable::Stopping),
            Err(_) => Err(Unavailable::NotConfirmed),
        }
    }
}

/// When the answer is due. The sender's patience begins with his last byte, which may have been there while keys were waited for.
fn due(read: Instant, answer_timeout: Duration, waited: Duration) -> Instant {
    read + answer_timeout.saturating_sub(waited)
}

/// Checks a signature over plain bytes, wherever they are made. Others of the subscription's ways may be over those sent.
fn checking(asked: &auth::Request<'_>, route: &Arc<Route>, wire: Bytes) -> Check {
    let (headers, route) = (asked.headers.clone(), Arc::clone(route));
    let (peer, now) = (asked.peer, asked.now);
    Box::new(move |plain| {
        let asked = auth::Request {
            headers: &headers,
            peer,
            now,
        };
        let bodies = Bodies { wire: &wire, plain };
        Ok(route.authentication.verify(&asked, bodies)?)
    })
}

/// Puts one into the inbox. The second half of it is for what is new: whoever repeats himself can do so once more.
fn put<T: Suspicion>(inbox: &mpsc::Sender<T>, item: T) -> Result<(), Unavailable> {
    let is_half_full = inbox.capacity().saturating_mul(2) <= inbox.max_capacity();
    if item.is_suspect() && is_half_full {
        return Err(Unavailable::Overloaded);
    }
    inbox.try_send(item).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => Unavailable::Overloaded,
        mpsc::error::TrySendError::Closed(_) => Unavailable::Stopping,
    })
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

/// The handler as hyper calls it, for one connection.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The handler.
    pub handler: Arc<Handler>,
    /// Who is at the other end: a proxy, mostly.
    pub peer: IpAddr,
    /// What came of the connection's requests so far.
    pub streak: Arc<Streak>,
    /// The wish to stop: answers say then that the connection ends.
    pub stop: CancellationToken,
}

impl Service<Request<Incoming>> for Endpoint {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (handler, peer) = (Arc::clone(&self.handler), self.peer);
        let (streak, stop) = (Arc::clone(&self.streak), self.stop.clone());
        // HTTP/2 has a word of its own for it.
        let one_by_one = request.version() < Version::HTTP_2;
        Box::pin(async move {
            let mut answer = handler.answer(request, peer, &streak).await;
            if one_by_one && stop.is_cancelled() {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(CONNECTION, close);
            }
            Ok(answer)
        })
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
    fn the_wait_for_keys_is_part_of_the_wait_for_the_answer() {
        let (read, patience) = (Instant::now(), Duration::from_secs(4));
        let seconds = |waited| due(read, patience, Duration::from_secs(waited)) - read;
        assert_eq!([0, 1, 5].map(|waited| seconds(waited).as_secs()), [4, 3, 0]);
    }

    #[test]
    fn suspects_are_refused_before_fresh_ones_are() {
        let (inbox, mut waiting) = mpsc::channel(4);
        let (fresh, suspect) = (2_usize, 1_usize);
        assert!(!fresh.is_suspect() && suspect.is_suspect());
        assert_eq!(put(&inbox, suspect), Ok(()));
        assert_eq!(put(&inbox, suspect), Ok(()));
        assert_eq!(put(&inbox, suspect), Err(Unavailable::Overloaded));
        assert_eq!(put(&inbox, fresh), Ok(()));
        assert_eq!(put(&inbox, fresh), Ok(()));
        assert_eq!(put(&inbox, fresh), Err(Unavailable::Overloaded));
        for _ in 0..3 {
            assert!(waiting.try_recv().is_ok());
        }
        assert_eq!(put(&inbox, suspect), Ok(()));
        drop(waiting);
        assert_eq!(put(&inbox, fresh), Err(Unavailable::Stopping));
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
