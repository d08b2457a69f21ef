use super::*;
use std::collections::VecDeque;
use std::sync::Arc;

/// Answers from a list, and remembers what it was told.
#[derive(Debug, Clone, Default)]
struct Script(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    /// How long each answer takes.
    takes: Duration,
    /// Held here until somebody lets it go.
    held: Option<Arc<tokio::sync::Notify>>,
    replies: VecDeque<Option<Reply>>,
    wanted: Vec<u32>,
    pauses: Vec<(Option<String>, Duration)>,
}

impl Script {
    fn of<R: Into<Option<Reply>>>(replies: impl IntoIterator<Item = R>) -> Self {
        let script = Self::default();
        script
            .told()
            .replies
            .extend(replies.into_iter().map(Into::into));
        script
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }
}

impl Keeper for Script {
    fn reserve<'a>(&'a self, ask: Ask<'a>) -> BoxFuture<'a, Result<Reply, KeeperError>> {
        Box::pin(async move {
            let since = Instant::now();
            let (reply, takes, held) = {
                let mut told = self.told();
                told.wanted.push(ask.want);
                (told.replies.pop_front(), told.takes, told.held.clone())
            };
            tokio::time::sleep(takes).await;
            if let Some(held) = held {
                held.notified().await;
            }
            match reply {
                Some(Some(Reply::Granted {
                    first_in,
                    count,
                    spacing,
                    ..
                })) => Ok(Reply::Granted {
                    since,
                    first_in,
                    count,
                    spacing,
                }),
                Some(Some(reply)) => Ok(reply),
                _ => Err("away".into()),
            }
        })
    }

    fn pause<'a>(
        &'a self,
        route: Option<&'a str>,
        wait: Duration,
        _why: &'a str,
    ) -> BoxFuture<'a, Result<(), KeeperError>> {
        Box::pin(async move {
            self.told().pauses.push((route.map(str::to_owned), wait));
            Ok(())
        })
    }
}

const MS: fn(u64) -> Duration = Duration::from_millis;
const PATIENT: Duration = Duration::from_secs(5);

fn granted(count: u32) -> Reply {
    Reply::Granted {
        since: Instant::now(),
        first_in: Duration::ZERO,
        count,
        spacing: MS(10),
    }
}

fn waits(ms: u64, hold: Hold) -> Reply {
    Reply::Wait {
        retry_in: MS(ms),
        hold,
    }
}

fn shared(script: &Script) -> Shared<Script> {
    let limit = Limit {
        lapse: Duration::from_secs(1),
        ..Limit::new(1000, Duration::from_secs(10), 5)
    };
    Shared::new(script.clone(), "client@login", limit).unwrap()
}

fn refused(route: &str, ms: u64) -> Throttle<'_> {
    Throttle {
        route,
        wait: MS(ms),
        whole: false,
        why: "slow down",
    }
}

#[test]
fn no_burst_is_reckoned_with_where_all_go_evenly() {
    let refill = shared(&Script::default()).refill();
    assert!(refill > MS(11) && refill < MS(12), "{refill:?}");
}

#[tokio::test]
async fn more_are_taken_at_once_by_whoever_uses_them() {
    let script = Script::of([granted(1), granted(2), granted(4), granted(8)]);
    let budget = shared(&script);
    for _ in 0..8 {
        budget.reserve("a", PATIENT).await.unwrap();
    }
    assert_eq!(script.told().wanted, [1, 2, 4, 8]);
}

#[tokio::test]
async fn the_keepers_wait_is_kept_and_one_beyond_the_patience_is_told_at_once() {
    let script = Script::of([waits(30, Hold::Busy), granted(1), waits(900, Hold::Yields)]);
    let budget = shared(&script);
    let begun = Instant::now();
    budget.reserve("a", PATIENT).await.unwrap();
    assert!(begun.elapsed() >= MS(30));
    let error = budget.reserve("a", MS(100)).await.unwrap_err();
    assert_eq!((error.wait, error.hold), (MS(900), Hold::Yields));
    // And to all the others here, without another question.
    for route in ["a", "b"] {
        let error = budget.reserve(route, MS(100)).await.unwrap_err();
        assert!(
            error.hold == Hold::Yields && error.wait > MS(700),
            "{error}"
        );
    }
    assert_eq!(script.told().wanted.len(), 3);
}

#[tokio::test]
async fn without_the_keeper_nothing_is_sent() {
    let script = Script::of([None, Some(granted(1))]);
    let budget = shared(&script);
    let error = budget.reserve("a", MS(100)).await.unwrap_err();
    assert_eq!(error.hold, Hold::Unreachable);
    let error = budget.reserve("b", MS(100)).await.unwrap_err();
    assert_eq!(error.hold, Hold::Unreachable);
    assert_eq!(script.told().wanted.len(), 1, "it is left alone meanwhile");
    budget.reserve("a", PATIENT).await.unwrap();
}

/// Pitfall 13: the route that was refused waits, by the keeper's rows also in other processes; the others go on.
#[tokio::test]
async fn pitfall_13_a_refused_route_waits_everywhere_and_the_others_go_on() {
    let script = Script::of([granted(1), granted(2), granted(1)]);
    let budget = shared(&script);
    budget.reserve("a", PATIENT).await.unwrap();
    // Two are in hand, one of them is used; the other must not go in the pause.
    budget.reserve("a", PATIENT).await.unwrap();
    budget.throttled(refused("a", 12_000)).await;
    assert!(budget.paused("a") > MS(11_000) && budget.paused("b").is_zero());
    let error = budget.reserve("a", MS(10)).await.unwrap_err();
    assert_eq!(error.hold, Hold::Paused);
    budget.reserve("b", PATIENT).await.unwrap();
    budget.throttled(refused("b", 5_000)).await;
    assert!(budget.paused("c") > MS(4_000), "it is the quota after all");
    let told = script.told();
    assert_eq!(
        told.pauses,
        [(Some("a".to_owned()), MS(12_000)), (None, MS(5_000))]
    );
}

#[tokio::test]
async fn a_pause_that_another_process_was_told_is_known_from_then_on() {
    let script = Script::of([waits(60_000, Hold::Paused)]);
    let budget = shared(&script);
    for _ in 0..3 {
        let error = budget.reserve("a", MS(10)).await.unwrap_err();
        assert_eq!(error.hold, Hold::Paused);
    }
    assert_eq!(script.told().wanted.len(), 1, "it was asked once");
}

#[tokio::test]
async fn refused_again_at_once_goes_on_at_half_the_pace() {
    let script = Script::of([granted(1), granted(1)]);
    let limit = Limit::new(6, Duration::from_secs(60), 1);
    let budget = Shared::new(script.clone(), "client@login", limit).unwrap();
    budget.reserve("a", PATIENT).await.unwrap();
    budget.throttled(refused("a", 20)).await;
    budget.reserve("a", PATIENT).await.unwrap();
    assert_eq!(
        budget
            .known()
            .held_back("a", Instant::now(), budget.refill()),
        None,
        "the full pace"
    );
    budget.throttled(refused("a", 20)).await;
    let error = budget.reserve("a", PATIENT).await.unwrap_err();
    assert!(
        error.hold == Hold::Busy && error.wait > budget.refill(),
        "{error}"
    );
    assert_eq!(
        budget
            .known()
            .held_back("b", Instant::now(), budget.refill()),
        None
    );
}

/// What a 429 stops stays stopped, whatever was on its way from the keeper when it came.
#[tokio::test]
async fn pitfall_13_a_refusal_while_the_keeper_is_asked_is_kept_to() {
    let script = Script::of([granted(1), granted(1), granted(1)]);
    let budget = Arc::new(shared(&script));
    budget.reserve("a", PATIENT).await.unwrap();
    let held = Arc::new(tokio::sync::Notify::new());
    script.told().held = Some(held.clone());
    let asking = {
        let budget = budget.clone();
        tokio::spawn(async move { budget.reserve("a", MS(20)).await })
    };
    while script.told().wanted.len() < 2 {
        tokio::task::yield_now().await;
    }
    // The keeper is told at once, though it owes an answer.
    budget.throttled(refused("a", 12_000)).await;
    assert_eq!(script.told().pauses, [(Some("a".to_owned()), MS(12_000))]);
    held.notify_one();
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(error.hold, Hold::Paused);
    assert!(budget.paused("a") > MS(11_000));
    // What comes back now was sent before, and no reason to go slower.
    budget.throttled(refused("a", 12_000)).await;
    script.told().held = None;
    budget.reserve("b", PATIENT).await.unwrap();
    assert_eq!(budget.known().paces["a"].halvings(), 0);
}

/// A slot that is void when it arrives was taken from somebody else.
#[tokio::test]
async fn a_keeper_that_answers_too_late_is_not_asked_again_at_once() {
    let script = Script::of((0..9).map(|_| granted(1)));
    let limit = Limit {
        lapse: MS(60),
        ..Limit::new(50, Duration::from_secs(10), 1)
    };
    let budget = Shared::new(script.clone(), "client@login", limit).unwrap();
    script.told().takes = MS(40);
    let begun = Instant::now();
    let error = budget.reserve("a", MS(200)).await.unwrap_err();
    assert_eq!(error.hold, Hold::Unreachable);
    let asked = script.told().wanted.len();
    assert!(asked <= 5, "asked {asked} times in {:?}", begun.elapsed());
    // Nor by anybody else here.
    budget.reserve("b", Duration::ZERO).await.unwrap_err();
    assert_eq!(script.told().wanted.len(), asked);
    script.told().takes = Duration::ZERO;
    budget.reserve("a", PATIENT).await.unwrap();
}

#[tokio::test]
async fn of_many_that_wait_one_asks() {
    let script = Script::of(
        [waits(80, Hold::Busy)]
            .into_iter()
            .chain((0..99).map(|_| granted(8))),
    );
    let limit = Limit {
        lapse: Duration::from_secs(1),
        ..Limit::new(1000, Duration::from_secs(10), 1)
    };
    let budget = Arc::new(Shared::new(script.clone(), "client@login", limit).unwrap());
    let lanes = (0..16).map(|_| {
        let budget = budget.clone();
        tokio::spawn(async move { budget.reserve("a", PATIENT).await.unwrap() })
    });
    for lane in lanes.collect::<Vec<_>>() {
        lane.await.unwrap();
    }
    let asked = script.told().wanted.len();
    assert!(asked <= 4, "asked {asked} times for sixteen");
}

#[test]
fn a_lapse_that_no_answer_is_within_is_refused() {
    let limit = Limit {
        lapse: MS(1),
        ..Limit::new(10, Duration::from_secs(10), 1)
    };
    let refused = Shared::new(Script::default(), "client@login", limit);
    assert!(matches!(refused.err(), Some(LimitError::ShortLapse { .. })));
}

#[tokio::test]
async fn a_wait_that_is_not_about_the_pace_pauses_the_route_and_halves_nothing() {
    let script = Script::of([granted(3), granted(3), granted(3)]);
    let shared = shared(&script);
    shared.slot("push", PATIENT).await.unwrap();
    for _ in 0..3 {
        shared.pause("push", MS(60), "out of service").await;
    }
    assert!(shared.paused("push") > MS(30) && shared.paused("other").is_zero());
    let error = shared.slot("push", MS(1)).await.unwrap_err();
    assert_eq!(error.hold, Hold::Paused);
    let begun = Instant::now();
    for _ in 0..3 {
        shared.slot("push", PATIENT).await.unwrap();
    }
    let took = begun.elapsed();
    assert!(
        took > MS(30) && took < MS(1_000),
        "the full pace after the pause: {took:?}"
    );
    let told = script.told();
    assert_eq!(told.pauses, vec![(Some("push".to_owned()), MS(60)); 3]);
}
