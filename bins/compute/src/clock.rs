//! The clock of this process.

use schema::UtcMicros;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now; 1970 where the clock is set before that.
pub(crate) fn now() -> UtcMicros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
