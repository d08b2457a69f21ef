//! What the watchdog shows in `/metrics`: in every process that watches, so that it does not matter which one leads.

use runtime::Metrics;
use runtime::metrics::Gauge;
use schema::UtcMicros;
use store::subscriptions::{Standing, State};

/// Says nothing any more of a subscription that is not watched: no rule may ring for it.
pub(super) fn forget(metrics: &Metrics, subscription: &str) {
    for state in State::ALL {
        let labels = [("subscription", subscription), ("state", state.word())];
        metrics.gauge(Gauge::SubscriptionState, &labels).set(0);
    }
    metrics
        .gauge(
            Gauge::SubscriptionLastEventSeconds,
            &[("subscription", subscription)],
        )
        .set(0);
}

/// Shows how the subscriptions are.
pub(super) fn show(metrics: &Metrics, standings: &[&Standing], now: UtcMicros) {
    for standing in standings {
        let name = standing.subscription.as_str();
        for state in State::ALL {
            let labels = [("subscription", name), ("state", state.word())];
            let is = i64::from(state == standing.state);
            metrics.gauge(Gauge::SubscriptionState, &labels).set(is);
        }
        if let Some(last) = standing.last_received_at {
            let seconds = now.since(last).0.max(0) / 1000;
            metrics
                .gauge(
                    Gauge::SubscriptionLastEventSeconds,
                    &[("subscription", name)],
                )
                .set(seconds);
        }
    }
}
