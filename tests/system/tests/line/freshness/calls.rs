//! Calls that happen now, one behind the other, and the events that tell of them.

use crate::harness::{PATIENCE, send, sender};
use bytes::Bytes;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use testkit::eventually;

/// Calls begin so far apart, in microseconds.
const EVERY: i64 = 100_000;
/// And last so long.
const LASTS: i64 = 2_000_000;
/// How often what has happened is told.
const STEP: Duration = Duration::from_millis(100);

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

/// All calls since an instant, for ever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Calls {
    begin: i64,
}

impl Calls {
    /// From now on.
    pub(crate) fn start() -> Self {
        // On a whole step, so that each part of a minute has the same number.
        let begin = (now() / EVERY + 1) * EVERY;
        Self { begin }
    }

    /// How many have begun before an instant.
    fn begun_before(self, at: i64) -> i64 {
        ((at - self.begin).max(0) + EVERY - 1) / EVERY
    }

    /// How many began in a stretch of time, as far as it has come.
    pub(crate) fn begun_within(self, from: i64, to: i64, now: i64) -> i64 {
        let to = to.min(now);
        (self.begun_before(to) - self.begun_before(from)).max(0)
    }

    /// How many that began in a stretch had ended by an instant.
    pub(crate) fn done_of(self, from: i64, to: i64, by: i64) -> i64 {
        self.begun_within(from, to, by - LASTS + 1)
    }

    /// How many ended in a stretch, by an instant.
    pub(crate) fn ended_within(self, from: i64, to: i64, by: i64) -> i64 {
        self.begun_within(from - LASTS, to - LASTS, by - LASTS + 1)
    }

    /// When the first began.
    pub(crate) const fn begin(self) -> i64 {
        self.begin
    }

    /// The events of a stretch of time, in order.
    fn events(self, from: i64, to: i64) -> Vec<Bytes> {
        let mut events = Vec::new();
        for number in self.begun_before(from)..self.begun_before(to) {
            events.push((self.begin + number * EVERY, number, false));
        }
        let (from, to) = (from - LASTS, to - LASTS);
        for number in self.begun_before(from)..self.begun_before(to) {
            events.push((self.begin + number * EVERY + LASTS, number, true));
        }
        events.sort_unstable();
        let told = events.into_iter();
        told.map(|(at, number, ended)| event(at, number, ended))
            .collect()
    }
}

fn event(at: i64, number: i64, ended: bool) -> Bytes {
    let (kind, state) = if ended {
        ("ended", "completed")
    } else {
        ("connected", "connected")
    };
    let metrics = if ended {
        json!({"talk_time_ms": LASTS / 1000, "hold_time_ms": 0, "wrap_time_ms": 0, "queue_wait_ms": 0})
    } else {
        json!({})
    };
    let event = json!({
        "subscription_id": "s",
        "event_type": "analytics:events:publish",
        "timestamp": schema::UtcMicros(at).to_string(),
        "data": {
            "event_id": format!("evt_{number:08}_{kind}"),
            "interaction_id": format!("int_{number:08}"),
            "type": format!("telephony:call:{kind}"),
            "state": state,
            "queue_id": "queue_1",
            "metrics": metrics,
            "participants": [{"id": "agent_1", "type": "agent", "timezone": "Etc/UTC"}],
        },
    });
    Bytes::from(event.to_string())
}

/// Tells of the calls as they happen, or keeps the events to itself for a while.
pub(crate) struct Webhooks {
    calls: Calls,
    holds: Arc<AtomicBool>,
    stops: Arc<AtomicBool>,
    busy: Arc<AtomicBool>,
    told_until: Arc<AtomicI64>,
    task: tokio::task::JoinHandle<()>,
}

impl Webhooks {
    /// Posts to this address.
    pub(crate) fn start(calls: Calls, http: SocketAddr) -> Self {
        let (holds, stops) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let told_until = Arc::new(AtomicI64::new(calls.begin));
        let busy = Arc::<AtomicBool>::default();
        let (hold, stop, told) = (holds.clone(), stops.clone(), told_until.clone());
        let tells = busy.clone();
        let task = tokio::spawn(async move {
            let mut options = sender(http);
            options.per_post = 100;
            options.connections = 2;
            while !stop.load(Ordering::SeqCst) {
                // The pace of the calls: nothing is waited for.
                tokio::time::sleep(STEP).await;
                // Said before it is looked whether to hold, so that whoever holds sees one that does not.
                tells.store(true, Ordering::SeqCst);
                if hold.load(Ordering::SeqCst) {
                    tells.store(false, Ordering::SeqCst);
                    continue;
                }
                let (from, to) = (told.load(Ordering::SeqCst), now());
                let events = calls.events(from, to);
                if !events.is_empty() {
                    send(&options, events).await;
                }
                told.store(to, Ordering::SeqCst);
                tells.store(false, Ordering::SeqCst);
            }
        });
        Self {
            calls,
            holds,
            stops,
            busy,
            told_until,
            task,
        }
    }

    /// Nothing is told any more; gives the instant up to which everything was.
    pub(crate) async fn hold(&self) -> i64 {
        self.holds.store(true, Ordering::SeqCst);
        // What is under way is still told.
        eventually(PATIENCE, "nothing is told any more", async || {
            !self.busy.load(Ordering::SeqCst)
        })
        .await;
        self.told_until.load(Ordering::SeqCst)
    }

    /// Everything that was kept is told at once, and then what happens.
    pub(crate) fn go_on(&self) {
        self.holds.store(false, Ordering::SeqCst);
    }

    /// The last event is told; gives how many calls are to be known, and how many to have ended.
    pub(crate) async fn stop(self) -> (i64, i64) {
        self.stops.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
        let until = self.told_until.load(Ordering::SeqCst);
        (
            self.calls.begun_before(until),
            self.calls.begun_before(until - LASTS),
        )
    }
}
