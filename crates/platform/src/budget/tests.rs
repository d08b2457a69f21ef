use super::*;
use crate::limit::Limit;

fn refused(route: &str, seconds: u64, whole: bool) -> Throttle<'_> {
    Throttle {
        route,
        wait: Duration::from_secs(seconds),
        whole,
        why: "slow down",
    }
}

/// Pitfall 13: the limit that was met is the route's, unless there is a sign that it is more.
#[test]
fn pitfall_13_one_route_waits_and_a_second_refused_one_stops_all() {
    let mut refusals = Refusals::default();
    let now = Instant::now();
    assert_eq!(refusals.scope(now, &refused("a", 12, false)), Scope::Route);
    // Requests of the same route that were on their way say nothing new.
    assert_eq!(refusals.scope(now, &refused("a", 12, false)), Scope::Route);
    let meanwhile = now + Duration::from_secs(5);
    assert_eq!(
        refusals.scope(meanwhile, &refused("b", 12, false)),
        Scope::Credential
    );
    let after = now + Duration::from_secs(30);
    assert_eq!(refusals.scope(after, &refused("b", 1, false)), Scope::Route);
    let later = now + Duration::from_secs(60);
    assert_eq!(
        refusals.scope(later, &refused("a", 1, true)),
        Scope::Credential,
        "the headers say so"
    );
}

#[tokio::test]
async fn whoever_has_no_patience_is_told_how_long_it_takes() {
    let limit = Limit::new(6, Duration::from_secs(60), 1);
    let limiter = Limiter::new(limit).unwrap();
    let error = limiter
        .reserve("a", Duration::from_millis(50))
        .await
        .unwrap_err();
    assert_eq!(error.hold, Hold::Busy);
    assert!(error.wait > Duration::from_secs(9), "{error}");
    Budget::throttled(&limiter, refused("a", 42, false)).await;
    let error = limiter
        .reserve("a", Duration::from_secs(1))
        .await
        .unwrap_err();
    assert_eq!(error.hold, Hold::Paused);
    assert!(error.wait > Duration::from_secs(41), "{error}");
}

#[tokio::test]
async fn a_slot_keeps_for_the_lapse_and_no_longer() {
    let limit = Limit {
        lapse: Duration::from_millis(30),
        ..Limit::new(1000, Duration::from_secs(1), 10)
    };
    let limiter = Limiter::new(limit).unwrap();
    let slot = limiter.reserve("a", Duration::from_secs(5)).await.unwrap();
    let left = slot.void_after.saturating_duration_since(Instant::now());
    assert!(left <= Duration::from_millis(30), "{left:?}");
}
