//! The clock of reception. It reaches the log, never the fold.

use schema::UtcMicros;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, by this machine's clock.
pub fn now() -> UtcMicros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
