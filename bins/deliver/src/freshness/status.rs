//! A platform's state in the answer of `deliver status`.

use runtime::table::table;
use serde::Serialize;
use serde_json::value::RawValue;
use store::freshness::Platform;

/// One platform.
#[derive(Debug, Serialize)]
pub struct Line {
    tenant: String,
    platform: String,
    state: &'static str,
    /// RFC 3339.
    since: String,
    alerts_inhibited: bool,
    /// The worst cause in one word; empty: live.
    code: String,
    reason: String,
    /// From when on numbers are doubtful, RFC 3339.
    doubtful_from: Option<String>,
    lag_seconds: f64,
    count_gap: i64,
    causes: Option<Box<RawValue>>,
    /// RFC 3339.
    looked_at: String,
}

impl Line {
    /// From the store's.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        let instant = platform::instant::rfc3339_millis;
        Self {
            state: platform.state.as_str(),
            since: instant(platform.since),
            alerts_inhibited: platform.alerts_inhibited,
            code: platform.code,
            reason: platform.reason,
            doubtful_from: platform.doubtful_from.map(instant),
            lag_seconds: platform.lag_seconds,
            count_gap: platform.count_gap,
            causes: RawValue::from_string(platform.causes_json).ok(),
            looked_at: instant(platform.looked_at),
            tenant: platform.tenant,
            platform: platform.platform,
        }
    }
}

/// The platforms for people: which one, its state, since when, and why.
#[must_use]
pub fn as_text(platforms: &[Line]) -> String {
    if platforms.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = platforms
        .iter()
        .map(|line| {
            vec![
                format!("{}/{}", line.tenant, line.platform),
                line.state.to_owned(),
                line.since.clone(),
                line.reason.clone(),
            ]
        })
        .collect();
    format!(
        "\n{}",
        table(&["platform", "numbers", "since", "reason"], &rows)
    )
}
