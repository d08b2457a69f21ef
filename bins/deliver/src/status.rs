//! What waits for each target, for people and scripts.

use serde::Serialize;
use store::sync::Pending;
use store::targets::Target;

/// One target's line in the answer of `deliver status`.
#[derive(Debug, Serialize)]
pub struct Line {
    target: String,
    tenant: String,
    platform: String,
    enabled: bool,
    pending: i64,
    leased: i64,
    unknown: i64,
    rejected: i64,
    /// When the oldest row that is not rejected was queued, RFC 3339.
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
            pending: counts.pending,
            leased: counts.leased,
            unknown: counts.unknown,
            rejected: counts.rejected,
            oldest: counts.oldest.map(platform::instant::rfc3339_millis),
            oldest_age_seconds: counts.oldest.map(|at| (now - at.seconds()).max(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::UtcMicros;

    #[test]
    fn an_age_is_never_negative_and_absent_where_nothing_waits() {
        let target = Target {
            name: "a".to_owned(),
            tenant: "acme".to_owned(),
            platform: "genesys-custom-report".to_owned(),
            metrics: vec![],
            versions: vec![],
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
