//! What waits for each target, and what holds it back, for people and scripts.

use serde::Serialize;
use store::breakers;
use store::budgets;
use store::sync::Pending;
use store::targets::Target;

/// One target's line in the answer of `deliver status`.
#[derive(Debug, Serialize)]
pub struct Line {
    target: String,
    tenant: String,
    platform: String,
    enabled: bool,
    /// From when on values may be pushed: at_once, settled.
    not_before: &'static str,
    /// Waiting until their interaction or window has settled.
    held: i64,
    pending: i64,
    leased: i64,
    unknown: i64,
    rejected: i64,
    /// Since when the oldest row that is neither held nor rejected could have been sent, RFC 3339.
    oldest: Option<String>,
    oldest_age_seconds: Option<i64>,
}

impl Line {
    /// From the store's counts; `now` in seconds since 1970.
    #[must_use]
    pub fn new(target: Target, counts: Pending, now: i64) -> Self {
        Self {
            target: target.name,
            tenant: target.tenant,
            platform: target.platform,
            enabled: target.enabled,
            not_before: target.not_before.name(),
            held: counts.held,
            pending: counts.pending,
            leased: counts.leased,
            unknown: counts.unknown,
            rejected: counts.rejected,
            oldest: counts.oldest.map(platform::instant::rfc3339_millis),
            oldest_age_seconds: counts.oldest.map(|at| (now - at.seconds()).max(0)),
        }
    }
}

/// A platform wants nothing for a while.
#[derive(Debug, Serialize)]
pub struct Pause {
    credential: String,
    /// Absent: nothing at all.
    route: Option<String>,
    /// RFC 3339.
    until: String,
    left_seconds: u64,
    reason: String,
}

impl Pause {
    /// From the store's.
    #[must_use]
    pub fn new(pause: budgets::Pause) -> Self {
        Self {
            credential: pause.credential,
            route: pause.route,
            until: platform::instant::rfc3339_millis(pause.until),
            left_seconds: pause.left.as_secs(),
            reason: pause.reason,
        }
    }
}

/// How a platform is doing: those that had trouble ever.
#[derive(Debug, Serialize)]
pub struct Breaker {
    /// The credential, and what is asked with it.
    name: String,
    state: &'static str,
    /// Failures in a row.
    failures: i32,
    /// RFC 3339.
    since: String,
    /// When one may try, RFC 3339.
    until: Option<String>,
    reason: String,
}

impl Breaker {
    /// From the store's.
    #[must_use]
    pub fn new(breaker: breakers::Breaker) -> Self {
        Self {
            name: breaker.credential,
            state: breaker.state.as_str(),
            failures: breaker.failures,
            since: platform::instant::rfc3339_millis(breaker.since),
            until: breaker.until.map(platform::instant::rfc3339_millis),
            reason: breaker.reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{Grain, UtcMicros};
    use store::targets::NotBefore;

    #[test]
    fn an_age_is_never_negative_and_absent_where_nothing_waits() {
        let target = Target {
            name: "a".to_owned(),
            tenant: "acme".to_owned(),
            platform: "genesys-custom-report".to_owned(),
            metrics: vec![],
            versions: vec![],
            grains: vec![Grain::Interaction],
            not_before: NotBefore::AtOnce,
            enabled: true,
        };
        let counts = Pending {
            pending: 2,
            oldest: Some(UtcMicros::from_millis(5_000)),
            ..Pending::default()
        };
        let line = Line::new(target.clone(), counts, 3);
        assert_eq!(line.oldest_age_seconds, Some(0));
        assert_eq!(line.oldest.as_deref(), Some("1970-01-01T00:00:05.000Z"));
        let line = Line::new(target, Pending::default(), 3);
        assert_eq!((line.oldest, line.oldest_age_seconds), (None, None));
    }
}
