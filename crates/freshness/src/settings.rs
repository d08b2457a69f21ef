//! What is too much, and for how long.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Thresholds of one platform. Each has a lower twin: once something was too much, it has to fall below half of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// A subscription says nothing for so long; `None`: that never matters.
    pub silence: Option<Duration>,
    /// Only where so many events were to be expected meanwhile.
    pub expected: f64,
    /// Events arrive so late.
    pub late: Option<Duration>,
    /// What is received waits so long to be processed.
    pub line: Option<Duration>,
    /// So many messages wait.
    pub queue: Option<u64>,
    /// Windows of the newest time wait so long.
    pub windows: Option<Duration>,
    /// A followed source is so much further behind than as a rule.
    pub follow: Option<Duration>,
    /// Silence, waiting or lag of so long: what is here says nothing of now.
    pub stale: Option<Duration>,
    /// For how long something has to be too much.
    pub on_after: Duration,
    /// For how long it has to be little enough.
    pub off_after: Duration,
    /// How long interactions last as a rule. What is missing since an instant belongs to those, too, that began so long before it.
    pub reach: Duration,
    /// Looks that are further apart than this say nothing of the time in between.
    pub look_gap: Duration,
}

impl Default for Settings {
    /// A silence or lag of a busy platform is told within a minute: 35 seconds of it, up to 3 until the processes of ingest have said so, up to 5
    /// until it is looked, and 10 for which it has to last.
    fn default() -> Self {
        Self {
            silence: Some(Duration::from_secs(35)),
            expected: 20.0,
            late: Some(2 * MINUTE),
            line: Some(Duration::from_secs(30)),
            queue: Some(1000),
            windows: Some(MINUTE),
            follow: Some(5 * MINUTE),
            stale: Some(10 * MINUTE),
            on_after: Duration::from_secs(10),
            off_after: Duration::from_secs(30),
            reach: 30 * MINUTE,
            look_gap: Duration::from_secs(30),
        }
    }
}
