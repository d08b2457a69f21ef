//! The gauges of all platforms, as they stand in the store: every process shows them, so that none is missing while another one begins to look.

use runtime::Metrics;
use runtime::metrics::Gauge;
use schema::PlatformState;
use store::freshness::Platform;

/// What is shown so far.
#[derive(Debug)]
pub(super) struct Meters {
    metrics: Metrics,
    shown: Vec<Platform>,
}

impl Meters {
    pub(super) const fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            shown: Vec::new(),
        }
    }

    /// Shows these, and nothing of platforms that are gone.
    pub(super) fn show(&mut self, platforms: Vec<Platform>) {
        let gone = |shown: &&Platform| {
            !platforms
                .iter()
                .any(|one| one.tenant == shown.tenant && one.platform == shown.platform)
        };
        for shown in self.shown.iter().filter(gone) {
            self.set(&shown.tenant, &shown.platform, None);
        }
        for one in &platforms {
            self.set(&one.tenant, &one.platform, Some(one));
        }
        self.shown = platforms;
    }

    /// Nobody can look, or can say what was seen: whatever was shown last does not hold any more.
    pub(super) fn unwatched(&mut self) {
        for one in &mut self.shown {
            one.state = PlatformState::Stale;
            one.alerts_inhibited = true;
        }
        let shown = std::mem::take(&mut self.shown);
        self.show(shown);
    }

    /// One platform as it is; none: it is gone.
    fn set(&self, tenant: &str, platform: &str, now: Option<&Platform>) {
        for each in PlatformState::ALL {
            let labels = [
                ("tenant", tenant),
                ("platform", platform),
                ("state", each.as_str()),
            ];
            let is = now.is_some_and(|now| now.state == each);
            self.metrics
                .gauge(Gauge::PlatformState, &labels)
                .set(i64::from(is));
        }
        #[allow(clippy::cast_possible_truncation)] // seconds, and saturating
        let lag = now.map_or(0, |now| now.lag_seconds.round() as i64);
        let gap = now.map_or(0, |now| now.count_gap);
        let inhibited = now.is_some_and(|now| now.alerts_inhibited);
        for (gauge, value) in [
            (Gauge::PlatformLagSeconds, lag),
            (Gauge::PlatformCountGap, gap),
            (Gauge::AlertsInhibited, i64::from(inhibited)),
        ] {
            let labels = [("tenant", tenant), ("platform", platform)];
            self.metrics.gauge(gauge, &labels).set(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::UtcMicros;

    fn platform(name: &str, state: PlatformState) -> Platform {
        Platform {
            tenant: "acme".to_owned(),
            platform: name.to_owned(),
            state,
            since: UtcMicros(0),
            code: String::new(),
            reason: String::new(),
            doubtful_from: None,
            alerts_inhibited: state.inhibits_alerts(),
            lag_seconds: 2.6,
            count_gap: 7,
            causes_json: "[]".to_owned(),
            looked_at: UtcMicros(0),
        }
    }

    #[test]
    fn each_platform_is_in_one_state_and_one_that_is_gone_in_none() {
        let metrics = Metrics::new("deliver", "0");
        let mut meters = Meters::new(metrics.clone());
        let has = |line: &str| metrics.encode().lines().any(|found| found == line);
        meters.show(vec![
            platform("a", PlatformState::Live),
            platform("b", PlatformState::Syncing),
        ]);
        let state = |name: &str, state: &str, value: u8| {
            format!(
                "kpiline_platform_state{{tenant=\"acme\",platform=\"{name}\",state=\"{state}\"}} {value}"
            )
        };
        let of = |gauge: &str, name: &str, value: u8| {
            format!("kpiline_{gauge}{{tenant=\"acme\",platform=\"{name}\"}} {value}")
        };
        assert!(has(&state("a", "live", 1)) && has(&state("a", "syncing", 0)));
        assert!(has(&state("b", "live", 0)) && has(&state("b", "syncing", 1)));
        assert!(has(&of("alerts_inhibited", "a", 0)) && has(&of("alerts_inhibited", "b", 1)));
        assert!(has(&of("platform_lag_seconds", "a", 3)) && has(&of("platform_count_gap", "a", 7)));
        meters.unwatched();
        assert!(has(&state("a", "live", 0)) && has(&state("a", "stale", 1)));
        assert!(has(&of("alerts_inhibited", "a", 1)));
        meters.show(vec![platform("b", PlatformState::Live)]);
        assert!(has(&state("a", "stale", 0)) && has(&of("alerts_inhibited", "a", 0)));
        assert!(has(&state("b", "live", 1)));
    }
}
