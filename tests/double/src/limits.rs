//! The limit of requests in a rolling window, as seen on arrival, and the ways a platform says "later".

use crate::config::{Limit, RetryAfter};
use chrono::{DateTime, Utc};
use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

/// One client's recent arrivals.
#[derive(Debug, Default)]
pub(crate) struct Window {
    arrivals: VecDeque<Instant>,
    /// Told to stay away: from when on it should have heard, and until when.
    told: Option<(Instant, Instant)>,
}

/// What the limit says to an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Goes on; so many in the window now, itself included.
    Allowed(usize),
    /// Too many; there is room again after this long.
    Refused(Duration),
}

impl Window {
    /// Judges an arrival and remembers it.
    pub(crate) fn arrive(&mut self, at: Instant, limit: &Limit) -> Verdict {
        while self
            .arrivals
            .front()
            .is_some_and(|first| at.duration_since(*first) >= limit.window())
        {
            self.arrivals.pop_front();
        }
        if self.arrivals.len() < limit.requests {
            self.arrivals.push_back(at);
            return Verdict::Allowed(self.arrivals.len());
        }
        if limit.refused_count {
            self.arrivals.push_back(at);
        }
        // Room comes when all but `requests - 1` of the remembered ones have left the window.
        let leaving = self.arrivals.len().saturating_sub(limit.requests);
        let wait = self
            .arrivals
            .get(leaving)
            .map_or(limit.window(), |arrival| {
                (*arrival + limit.window()).saturating_duration_since(at)
            });
        Verdict::Refused(wait)
    }

    /// Remembers that the client was told to come back after `wait`.
    pub(crate) fn tell(&mut self, at: Instant, wait: Duration, reaction: Duration) {
        let until = at + wait;
        let until = self.told.map_or(until, |(_, before)| before.max(until));
        self.told = Some((at + reaction, until));
    }

    /// Whether an arrival ignores what the client was told; the time that was left, if so.
    pub(crate) fn ignores(&mut self, at: Instant) -> Option<Duration> {
        let (from, until) = self.told?;
        if at >= until {
            self.told = None;
            return None;
        }
        (at >= from).then(|| until - at)
    }
}

/// The `Retry-After` header that says "after this long", and how long it really says: both forms have whole seconds only, and
/// round up.
pub(crate) fn retry_after(wait: Duration, as_date: bool, now: SystemTime) -> (String, Duration) {
    if as_date {
        let until = now + wait;
        let since_epoch = until
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let seconds = since_epoch.as_secs() + u64::from(since_epoch.subsec_nanos() > 0);
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let text = DateTime::<Utc>::from(until)
            .format("%a, %d %b %Y %H:%M:%S GMT")
            .to_string();
        (text, until.duration_since(now).unwrap_or_default())
    } else {
        let seconds = whole_seconds(wait);
        (seconds.to_string(), Duration::from_secs(seconds))
    }
}

/// Seconds, rounded up; at least one.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// Whether the `nth` answer (from 0) writes its `Retry-After` as a date; `None` when it writes none.
pub(crate) fn writes_date(form: RetryAfter, nth: u64) -> Option<bool> {
    match form {
        RetryAfter::Seconds => Some(false),
        RetryAfter::Date => Some(true),
        RetryAfter::Alternating => Some(nth % 2 == 1),
        RetryAfter::Absent => None,
    }
}

/// The most arrivals in any window of this length; `arrivals` ascending. Two arrivals exactly one length apart are not in one.
pub(crate) fn busiest(arrivals: &[Instant], length: Duration) -> usize {
    let (mut first, mut most) = (0, 0);
    for (last, at) in arrivals.iter().enumerate() {
        while at.duration_since(arrivals[first]) >= length && first < last {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn limit(requests: usize, refused_count: bool) -> Limit {
        Limit {
            refused_count,
            ..Limit::of(requests, MS(1_000))
        }
    }

    #[test]
    fn the_window_rolls_and_says_when_there_is_room() {
        let (start, limit) = (Instant::now(), limit(2, false));
        let mut window = Window::default();
        assert_eq!(window.arrive(start, &limit), Verdict::Allowed(1));
        assert_eq!(window.arrive(start + MS(400), &limit), Verdict::Allowed(2));
        assert_eq!(
            window.arrive(start + MS(500), &limit),
            Verdict::Refused(MS(500))
        );
        assert_eq!(
            window.arrive(start + MS(1_000), &limit),
            Verdict::Allowed(2)
        );
        assert_eq!(
            window.arrive(start + MS(1_001), &limit),
            Verdict::Refused(MS(399))
        );
    }

    #[test]
    fn refused_arrivals_may_use_up_the_allowance() {
        let (start, limit) = (Instant::now(), limit(1, true));
        let mut window = Window::default();
        assert_eq!(window.arrive(start, &limit), Verdict::Allowed(1));
        assert_eq!(
            window.arrive(start + MS(900), &limit),
            Verdict::Refused(MS(1_000))
        );
        assert_eq!(
            window.arrive(start + MS(1_100), &limit),
            Verdict::Refused(MS(1_000))
        );
        assert_eq!(
            window.arrive(start + MS(2_100), &limit),
            Verdict::Allowed(1)
        );
    }

    #[test]
    fn an_arrival_after_hearing_and_before_the_time_ignores_it() {
        let start = Instant::now();
        let mut window = Window::default();
        window.tell(start, MS(2_000), MS(100));
        assert_eq!(window.ignores(start + MS(50)), None, "was under way");
        assert_eq!(window.ignores(start + MS(500)), Some(MS(1_500)));
        assert_eq!(window.ignores(start + MS(2_000)), None);
        assert_eq!(window.ignores(start + MS(2_001)), None);
    }

    #[test]
    fn both_forms_of_retry_after_round_up() {
        // 2024-11-03T06:00:00.250Z
        let now = SystemTime::UNIX_EPOCH + MS(1_730_613_600_250);
        assert_eq!(
            retry_after(MS(1_200), false, now),
            ("2".to_owned(), MS(2_000))
        );
        assert_eq!(
            retry_after(MS(1_200), true, now),
            ("Sun, 03 Nov 2024 06:00:02 GMT".to_owned(), MS(1_750))
        );
        assert_eq!(
            retry_after(MS(750), true, now),
            ("Sun, 03 Nov 2024 06:00:01 GMT".to_owned(), MS(750))
        );
        assert_eq!(retry_after(Duration::ZERO, false, now).0, "1");
    }

    #[test]
    fn alternating_answers_write_one_form_then_the_other() {
        let forms: Vec<_> = (0..3)
            .map(|nth| writes_date(RetryAfter::Alternating, nth))
            .collect();
        assert_eq!(forms, [Some(false), Some(true), Some(false)]);
        assert_eq!(writes_date(RetryAfter::Absent, 0), None);
    }

    #[test]
    fn the_busiest_window_is_found_wherever_it_lies() {
        let start = Instant::now();
        let arrivals: Vec<Instant> = [0, 900, 950, 1_000, 1_899, 1_900]
            .map(|ms| start + MS(ms))
            .to_vec();
        // Neither whole seconds nor the first arrival bound it: 900, 950, 1000, 1899 lie within one second.
        assert_eq!(busiest(&arrivals, MS(1_000)), 4);
        assert_eq!(busiest(&arrivals, MS(1)), 1);
        assert_eq!(busiest(&[], MS(1_000)), 0);
    }
}
