//! How rarely something is counted that takes long: counting millions of waiting rows again and again would slow down those who push them.

use std::time::Duration;

/// Counting has at most one part in so many of the time.
const SHARE: u32 = 20;
/// What people look at is not older than this, whatever it costs.
pub const OLDEST: Duration = Duration::from_secs(60);

/// How long nothing is counted after a count that took so long, where nothing may be known from longer ago than `oldest`.
#[must_use]
pub fn rest_after(took: Duration, oldest: Duration) -> Duration {
    took.saturating_mul(SHARE).min(oldest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_has_a_twentieth_of_the_time_until_the_count_would_be_too_old() {
        let rest = |millis| rest_after(Duration::from_millis(millis), OLDEST);
        assert_eq!(rest(1), Duration::from_millis(20));
        assert_eq!(rest(1_000), Duration::from_secs(20));
        assert_eq!(rest(9_000), OLDEST);
    }
}
