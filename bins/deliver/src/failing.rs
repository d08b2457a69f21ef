//! When deliveries to a target fail too often: pure. Figures of a stretch of time go in, a state comes out.

use store::sync::Figures;

/// From so many attempts on a share says something.
const ATTEMPTS_MIN: i64 = 10;
/// So many say something where all of them failed.
const FAILURES_MIN: i64 = 3;

/// Whether deliveries fail too often: of the rows that were decided, or of the requests, more than the threshold (a share, 0 to 1). To be
/// asked to slow down is no failure of either; a refused credential is one of requests alone, for no row is to blame.
///
/// One that failed too often `before` goes on doing so until half as many fail, so that it does not flicker; and where nothing was tried, for
/// as long as something waits.
#[must_use]
pub fn is_failing(before: bool, figures: &Figures, threshold: f64, waiting: bool) -> bool {
    let failed = figures.rejected + figures.unknown + figures.retried;
    let rows = figures.accepted + failed;
    if rows == 0 && figures.requests == 0 {
        return before && waiting;
    }
    let too_often = |tried: i64, failed: i64| {
        let says = tried >= ATTEMPTS_MIN || failed == tried && failed >= FAILURES_MIN;
        let most = if before { threshold / 2.0 } else { threshold };
        (before || says) && share(failed, tried) > most
    };
    too_often(rows, failed) || too_often(figures.requests, figures.failed_requests)
}

/// A share of counts, which are far below where such a division loses anything that matters. Of nothing it is nothing.
#[allow(clippy::cast_precision_loss)]
fn share(part: i64, whole: i64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(accepted: i64, failed: i64) -> Figures {
        Figures {
            requests: 20,
            accepted,
            unknown: failed,
            ..Figures::default()
        }
    }

    #[test]
    fn it_begins_over_the_threshold_and_ends_under_half_of_it() {
        let failing =
            |before, accepted, failed| is_failing(before, &rows(accepted, failed), 0.1, true);
        assert!(!failing(false, 90, 10) && failing(false, 89, 11));
        assert!(failing(true, 94, 6) && !failing(true, 95, 5));
        assert!(!failing(true, 100, 0));
    }

    #[test]
    fn a_few_failures_say_nothing_unless_nothing_else_came() {
        let few = |accepted, failed| Figures {
            requests: 2,
            accepted,
            rejected: failed,
            ..Figures::default()
        };
        let failing = |figures| is_failing(false, &figures, 0.1, true);
        assert!(!failing(few(0, 1)) && !failing(few(6, 3)));
        assert!(failing(few(0, 3)) && failing(few(7, 3)));
    }

    #[test]
    fn a_refused_credential_is_a_failure_though_no_row_is_to_blame() {
        let figures = Figures {
            requests: 4,
            failed_requests: 4,
            snoozed: 400,
            ..Figures::default()
        };
        assert!(is_failing(false, &figures, 0.1, true));
    }

    #[test]
    fn where_nothing_is_tried_it_stays_as_it_was_while_something_waits() {
        let nothing = Figures::default();
        assert!(is_failing(true, &nothing, 0.1, true));
        assert!(!is_failing(true, &nothing, 0.1, false));
        assert!(!is_failing(false, &nothing, 0.1, true));
    }

    #[test]
    fn to_be_asked_to_slow_down_is_no_failure() {
        let figures = Figures {
            requests: 100,
            snoozed: 10_000,
            ..Figures::default()
        };
        assert!(!is_failing(false, &figures, 0.1, true));
    }
}
