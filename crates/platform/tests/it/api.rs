//! What one credential may do, seen from the platform.

use crate::server::{Act, Asked, Server};
use flate2::Compression;
use flate2::write::GzEncoder;
use platform::api::{Api, ApiError, Call, Remedy};
use platform::breaker::{Policy, State};
use platform::budget::Hold;
use platform::client::CallError;
use platform::limit::Limit;
use platform::retry::Schedule;
use platform::watch::{Called, Turned, Watch};
use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const FORBIDDEN: &str = "403 Forbidden\r\nicStatusDescription: The token has expired";
const UNAUTHORISED: &str = "401 Unauthorized";

/// The number in the bearer token of a request.
fn token(asked: &Asked) -> usize {
    let text = asked.text.to_ascii_lowercase();
    let (_, rest) = text.split_once("bearer t").unwrap();
    rest.lines().next().unwrap().trim().parse().unwrap()
}

/// Pitfall 10: a token that dies early is renewed once, and the same page is asked for again; whether the platform says 401 or 403.
#[tokio::test]
async fn pitfall_10_a_token_that_dies_is_renewed_once_and_the_same_page_asked_again() {
    for head in [UNAUTHORISED, FORBIDDEN] {
        let server = Server::platform(move |_, asked| {
            let page = asked.path().to_owned();
            match token(asked) {
                1 if page == "/page/2" => Act::answer(head, "{}"),
                _ => Act::ok(&format!("\"{page}\"")),
            }
        })
        .await;
        let api = server.api();
        let mut bodies = Vec::new();
        for page in ["/page/1", "/page/2", "/page/3"] {
            let answer = api.fetch(Call::get("pages", page)).await.unwrap();
            bodies.push(String::from_utf8(answer.body).unwrap());
        }
        assert_eq!(
            bodies,
            ["\"/page/1\"", "\"/page/2\"", "\"/page/3\""],
            "{head}"
        );
        assert_eq!((server.grants(), server.asked().len()), (2, 4), "{head}");
    }
}

/// Pitfall 10: refused again with a fresh token, nothing is tried any more: the caller keeps its cursor, and somebody looks.
#[tokio::test]
async fn pitfall_10_a_second_refusal_in_a_row_stops() {
    for (head, status) in [(UNAUTHORISED, 401), (FORBIDDEN, 403)] {
        let server = Server::platform(move |_, _| Act::answer(head, "{}")).await;
        let alarms = Arc::new(Seen::default());
        let api = server.api().watched(alarms.clone());
        let error = api.fetch(Call::get("pages", "/page/1")).await.unwrap_err();
        assert_eq!(error.remedy(), Remedy::Credential, "{error}");
        assert_eq!((server.grants(), server.asked().len()), (2, 2));
        assert_eq!(*alarms.refused.lock().unwrap(), [status]);
        assert_eq!(
            api.breaker(),
            State::Closed,
            "pitfall 103: not its business"
        );
    }
}

#[tokio::test]
async fn a_missing_permission_costs_no_token() {
    let words = r#"{"code":"missing.permissions","message":"needs analytics:userDetail:view"}"#;
    let server = Server::platform(move |_, _| Act::answer("403 Forbidden", words)).await;
    let error = server
        .api()
        .fetch(Call::get("users", "/x"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("analytics:userDetail:view"));
    assert_eq!((server.grants(), server.asked().len()), (1, 1));
}

#[tokio::test]
async fn a_403_that_no_token_helped_against_costs_no_second_one() {
    let server = Server::platform(|_, _| Act::answer("403 Forbidden", "{}")).await;
    let api = server.api();
    for _ in 0..3 {
        api.fetch(Call::get("users", "/x")).await.unwrap_err();
    }
    assert_eq!((server.grants(), server.asked().len()), (2, 4));
    // Of another route it is a question of its own.
    api.fetch(Call::get("pages", "/y")).await.unwrap_err();
    assert_eq!(server.grants(), 3);
}

/// Pitfall 12: twenty whose tokens die at once fetch one new token between them.
#[tokio::test]
async fn pitfall_12_twenty_whose_tokens_die_at_once_fetch_one() {
    let server = Server::platform(|_, asked| match token(asked) {
        1 => Act::answer(UNAUTHORISED, "{}"),
        _ => Act::ok("{}"),
    })
    .await;
    let api = Arc::new(server.api());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let api = api.clone();
        tasks.spawn(async move { api.fetch(Call::get("pages", "/x")).await.is_ok() });
    }
    assert!(tasks.join_all().await.into_iter().all(|good| good));
    assert_eq!(server.grants(), 2);
}

/// Pitfall 12: a token endpoint that throttles is waited for, and nothing fails for good.
#[tokio::test]
async fn pitfall_12_a_throttled_token_endpoint_is_a_wait() {
    let server = Server::start(vec![Act::answer("429 Too Many\r\nRetry-After: 30", "")]).await;
    let error = server.api().fetch(Call::get("x", "/x")).await.unwrap_err();
    let Remedy::Wait(wait) = error.remedy() else {
        panic!("{error}");
    };
    assert!(wait >= Duration::from_secs(30), "{wait:?}");
}

fn throttled(headers: &str) -> Act {
    Act::answer(&format!("429 Too Many Requests\r\n{headers}"), "{}")
}

/// Pitfall 13: 180 of 300 used, and yet a 429: the route waits as long as it is told, the others go on.
#[tokio::test]
async fn pitfall_13_the_route_waits_and_the_others_go_on() {
    let server = Server::platform(|_, asked| match asked.path() {
        "/jobs" => {
            throttled("Retry-After: 12\r\ninin-ratelimit-count: 180\r\ninin-ratelimit-allowed: 300")
        }
        _ => Act::ok("{}"),
    })
    .await;
    let api = server.api().with_patience(Duration::from_millis(200));
    let error = api.fetch(Call::get("jobs", "/jobs")).await.unwrap_err();
    assert_eq!(error.remedy(), Remedy::Wait(Duration::from_secs(12)));
    let error = api.fetch(Call::get("jobs", "/jobs")).await.unwrap_err();
    let ApiError::Later { wait, hold, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(hold, Hold::Paused);
    assert!(wait > Duration::from_secs(11) && wait <= Duration::from_secs(12));
    api.fetch(Call::get("query", "/query")).await.unwrap();
    assert_eq!(server.asked().len(), 2);
}

/// Pitfall 13: where the headers say that the whole quota is used up, everything waits.
#[tokio::test]
async fn pitfall_13_a_quota_that_is_used_up_stops_everything() {
    let server = Server::platform(|_, _| {
        throttled("Retry-After: 12\r\ninin-ratelimit-count: 300\r\ninin-ratelimit-allowed: 300")
    })
    .await;
    let api = server.api().with_patience(Duration::from_millis(200));
    api.fetch(Call::get("jobs", "/jobs")).await.unwrap_err();
    let error = api.fetch(Call::get("query", "/query")).await.unwrap_err();
    assert!(
        matches!(
            error,
            ApiError::Later {
                hold: Hold::Paused,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(server.asked().len(), 1);
}

/// Pitfall 101: both forms of Retry-After, the words of the body, and junk.
#[tokio::test]
async fn pitfall_101_what_is_asked_for_is_waited_for_in_whichever_form() {
    let date = "Date: Fri, 27 Nov 2026 12:00:00 GMT\r\n";
    let say = |headers: &str, body: &str| (headers.to_owned(), body.to_owned());
    let words =
        r#"{"message":"Rate limit exceeded the maximum. Retry the request in [42] seconds"}"#;
    for ((headers, body), seconds) in [
        (say("Retry-After: 120", "{}"), 120),
        (
            say(
                &format!("{date}Retry-After: Fri, 27 Nov 2026 12:02:00 GMT"),
                "{}",
            ),
            120,
        ),
        (
            say(
                &format!("{date}Retry-After: Friday, 27-Nov-26 12:02:00 GMT"),
                "{}",
            ),
            120,
        ),
        (
            say(
                &format!("{date}Retry-After: Fri Nov 27 12:02:00 2026"),
                "{}",
            ),
            120,
        ),
        (say("Retry-After: 1.5", "{}"), 2),
        (say("Retry-After: 5\r\nRetry-After: 7", "{}"), 7),
        (say("x-nothing: 1", words), 42),
        (say("Retry-After: 120junk", words), 42),
        (say("Retry-After: -5", "{}"), 60),
        // At least the own pause.
        (say("Retry-After: 0", "{}"), 1),
        (
            say(
                &format!("{date}Retry-After: Fri, 27 Nov 2026 11:00:00 GMT"),
                "{}",
            ),
            1,
        ),
        (say("inin-ratelimit-reset: 9", "{}"), 9),
    ] {
        let head = headers.clone();
        let server = Server::platform(move |_, _| {
            Act::answer(&format!("429 Too Many Requests\r\n{head}"), &body)
        })
        .await;
        let schedule = Schedule::default();
        let api = server.api().with_schedule(schedule);
        let error = api.fetch(Call::get("x", "/x")).await.unwrap_err();
        let expected = Remedy::Wait(Duration::from_secs(seconds));
        assert_eq!(error.remedy(), expected, "{headers}");
    }
}

#[derive(Debug, Default)]
struct Seen {
    called: Mutex<Vec<(String, Option<u16>, &'static str)>>,
    states: Mutex<Vec<State>>,
    refused: Mutex<Vec<u16>>,
}

impl Watch for Seen {
    fn called(&self, call: &Called<'_>) {
        self.called
            .lock()
            .unwrap()
            .push((call.route.to_owned(), call.status, call.outcome));
    }

    fn breaker(&self, turned: &Turned<'_>) {
        self.states.lock().unwrap().push(turned.state);
    }

    fn refused(&self, _route: &str, status: u16, _why: &str) {
        self.refused.lock().unwrap().push(status);
    }
}

fn policy(failures: u32, cool_down_ms: u64) -> Policy {
    Policy {
        failures,
        cool_down: Duration::from_millis(cool_down_ms),
        longest: Duration::from_secs(60),
    }
}

/// Pitfall 103: 400 and 429 between failures hide nothing and open nothing; the open breaker says how long it stays so.
#[tokio::test]
async fn pitfall_103_failures_count_and_refusals_do_not() {
    let server = Server::platform(|index, _| match index % 3 {
        0 => Act::answer("400 Bad Request", "{}"),
        1 => throttled("Retry-After: 0"),
        _ => Act::answer("503 Service Unavailable", "{}"),
    })
    .await;
    let seen = Arc::new(Seen::default());
    let api = server
        .api()
        .watched(seen.clone())
        .with_breaker(policy(5, 30_000))
        .with_patience(Duration::from_secs(2));
    let mut sent = 0;
    let error = loop {
        match api.fetch(Call::get("x", "/x")).await.unwrap_err() {
            error @ ApiError::Later {
                hold: Hold::Breaker,
                ..
            } => break error,
            _ => sent += 1,
        }
        assert!(sent < 100);
    };
    assert_eq!(sent, 15, "the fifth 503 opens it, nothing else does");
    let Remedy::Wait(wait) = error.remedy() else {
        panic!("{error}");
    };
    assert!(wait > Duration::from_secs(29) && wait <= Duration::from_secs(30));
    assert_eq!(*seen.states.lock().unwrap(), [State::Open]);
    let called = seen.called.lock().unwrap();
    let counted = |outcome| called.iter().filter(|call| call.2 == outcome).count();
    assert_eq!(
        (counted("refused"), counted("throttled"), counted("failed")),
        (5, 5, 5)
    );
}

/// Pitfall 103: a 429 as the answer to the probe gives the probe back.
#[tokio::test]
async fn pitfall_103_a_throttled_probe_leaves_the_next_one() {
    let server = Server::platform(|index, _| match index {
        0 => Act::Reset,
        1 => throttled("Retry-After: 0"),
        _ => Act::ok("{}"),
    })
    .await;
    let seen = Arc::new(Seen::default());
    let api = server
        .api()
        .watched(seen.clone())
        .with_breaker(policy(1, 10));
    let broken = api.fetch(Call::get("x", "/x")).await.unwrap_err();
    assert_eq!(broken.remedy(), Remedy::Again(None), "{broken}");
    let throttled = api.fetch(Call::get("x", "/x")).await.unwrap_err();
    assert!(
        matches!(throttled, ApiError::Throttled { .. }),
        "{throttled}"
    );
    assert_eq!(api.breaker(), State::HalfOpen);
    api.fetch(Call::get("x", "/x")).await.unwrap();
    assert_eq!(
        *seen.states.lock().unwrap(),
        [State::Open, State::HalfOpen, State::Closed]
    );
}

/// Pitfall 105: however long the platform was down, the next request after it goes through; nothing has been given up meanwhile.
#[tokio::test]
async fn pitfall_105_an_outage_ends_by_itself() {
    let down = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_down = down.clone();
    let server = Server::platform(move |_, _| {
        if is_down.load(std::sync::atomic::Ordering::SeqCst) {
            Act::answer("503 Service Unavailable", "{}")
        } else {
            Act::ok("{}")
        }
    })
    .await;
    let breaker = Policy {
        failures: 2,
        cool_down: Duration::from_millis(1),
        longest: Duration::from_millis(20),
    };
    let api = server.api().with_breaker(breaker);
    for _ in 0..40 {
        let error = api.fetch(Call::get("x", "/x")).await.unwrap_err();
        assert!(
            matches!(error.remedy(), Remedy::Again(_) | Remedy::Wait(_)),
            "never given up: {error}"
        );
    }
    down.store(false, std::sync::atomic::Ordering::SeqCst);
    api.fetch(Call::get("x", "/x")).await.unwrap();
    assert_eq!(api.breaker(), State::Closed);
}

/// Pitfall 111: a saturated credential, seen from the platform: never more than the limit in any rolling window.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_111_never_more_than_the_limit_in_any_window() {
    let server = Server::platform(|_, _| Act::ok("{}")).await;
    let limit = Limit {
        lapse: Duration::from_millis(200),
        ..Limit::new(20, Duration::from_secs(1), 1)
    };
    let api = Arc::new(server.paced(limit));
    let until = Instant::now() + Duration::from_secs(3);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let api = api.clone();
        tasks.spawn(async move {
            while Instant::now() < until {
                api.fetch(Call::get("x", "/x")).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let at: Vec<Instant> = server.asked().iter().map(|asked| asked.at).collect();
    let most = (0..at.len())
        .map(|first| {
            at[first..]
                .iter()
                .take_while(|later| **later - at[first] <= limit.period)
                .count()
        })
        .max()
        .unwrap();
    assert!(most <= 20, "{most} in one window");
    assert!(most >= 10, "{most} in the busiest window");
}

/// Pitfall 116: 45 calls, then 429: every item is fetched once and none skipped, by four who come again as long as they are told to wait.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_116_none_is_skipped_and_the_limit_is_met_a_few_times_only() {
    let window = Mutex::new((Instant::now(), 0));
    let server = Server::platform(move |_, _| {
        let mut window = window.lock().unwrap();
        let now = Instant::now();
        if now - window.0 > Duration::from_secs(1) {
            *window = (now, 0);
        }
        window.1 += 1;
        if window.1 > 45 {
            return throttled("Retry-After: 1");
        }
        Act::ok("{}")
    })
    .await;
    let api = Arc::new(server.paced(Limit::new(6000, Duration::from_secs(60), 1)));
    let items = Arc::new(Mutex::new((0..120).collect::<Vec<u32>>()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (api, items) = (api.clone(), items.clone());
        tasks.spawn(async move {
            loop {
                let Some(item) = items.lock().unwrap().pop() else {
                    return;
                };
                let path = format!("/item/{item}");
                while let Err(error) = api.fetch(Call::get("items", &path)).await {
                    assert!(matches!(error.remedy(), Remedy::Wait(_)), "{error}");
                }
            }
        });
    }
    tasks.join_all().await;
    let mut times: HashMap<String, usize> = HashMap::new();
    for asked in server.asked() {
        *times.entry(asked.path().to_owned()).or_default() += 1;
    }
    assert_eq!(times.len(), 120, "none is skipped");
    let refused = times.values().sum::<usize>() - 120;
    assert!((1..=20).contains(&refused), "{refused} met the limit");
}

/// Many wait for one probe, as long as they have patience: they are not sent away to come again at once.
#[tokio::test]
async fn those_who_have_patience_wait_for_the_probe() {
    let server = Server::platform(|index, _| match index {
        0 => Act::answer("503 Service Unavailable", "{}"),
        _ => Act::ok("{}"),
    })
    .await;
    let api = Arc::new(
        server
            .api()
            .with_breaker(policy(1, 50))
            .with_patience(Duration::from_secs(5)),
    );
    api.fetch(Call::get("x", "/x")).await.unwrap_err();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let api = api.clone();
        tasks.spawn(async move { api.fetch(Call::get("x", "/x")).await.is_ok() });
    }
    assert!(tasks.join_all().await.into_iter().all(|good| good));
    assert_eq!(api.breaker(), State::Closed);
}

#[tokio::test]
async fn who_has_no_patience_is_told_at_once_how_long_it_takes() {
    let server = Server::platform(|_, _| Act::ok("{}")).await;
    let api = server
        .paced(Limit::new(6, Duration::from_secs(60), 1))
        .with_patience(Duration::from_millis(100));
    let begun = Instant::now();
    let error = api.fetch(Call::get("x", "/x")).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5));
    let ApiError::Later { wait, hold, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(hold, Hold::Busy);
    assert!(wait > Duration::from_secs(5), "{wait:?}");
    assert!(server.asked().is_empty());
}

fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

async fn fetched(body: Vec<u8>, longest: usize, head: &str) -> Result<Vec<u8>, ApiError> {
    let head = head.to_owned();
    let server = Server::platform(move |_, _| Act::Answer(head.clone(), body.clone())).await;
    let call = Call {
        longest,
        ..Call::get("x", "/x")
    };
    Ok(server.api().fetch(call).await?.body)
}

#[tokio::test]
async fn a_compressed_answer_is_unpacked_and_its_bound_holds_for_what_comes_out() {
    const GZIP: &str = "200 OK\r\ncontent-encoding: gzip";
    let body = b"{\"conversations\":[]}".repeat(100);
    assert_eq!(fetched(packed(&body), 1 << 20, GZIP).await.unwrap(), body);
    let bomb = packed(&vec![b' '; 4 << 20]);
    assert!(bomb.len() < 1 << 20);
    let error = fetched(bomb, 1 << 20, GZIP).await.unwrap_err();
    assert!(
        matches!(error, ApiError::Call(CallError::TooLong { .. })),
        "{error}"
    );
    let mut cut = packed(&body);
    cut.truncate(cut.len() / 2);
    let error = fetched(cut, 1 << 20, GZIP).await.unwrap_err();
    assert!(
        matches!(error, ApiError::Call(CallError::Packed { .. })),
        "{error}"
    );
    assert_eq!(error.remedy(), Remedy::Again(None));
}

#[tokio::test]
async fn a_page_of_history_may_be_longer_than_other_answers() {
    let body = vec![b' '; 17 << 20];
    let longest = Call::get("x", "/x").longest;
    let error = fetched(body.clone(), longest, "200 OK").await.unwrap_err();
    assert_eq!(error.remedy(), Remedy::Never, "{error}");
    let longest = Call::get("x", "/x").of_history().longest;
    let page = fetched(body, longest, "200 OK").await.unwrap();
    assert_eq!(page.len(), 17 << 20);
}

#[tokio::test]
async fn a_link_gets_no_token_and_another_host_never_the_apis() {
    let server = Server::platform(|_, _| Act::ok("a,b")).await;
    let elsewhere = Server::platform(|_, _| Act::ok("{}")).await;
    let api: Api = server.api();
    api.fetch(Call::get("x", "/x")).await.unwrap();
    let link = server.url.join("/file?sig=1").unwrap();
    assert_eq!(api.fetch_link(&link, 100).await.unwrap().body, b"a,b");
    let asked = server.asked();
    assert!(
        asked[0]
            .text
            .to_ascii_lowercase()
            .contains("authorization:")
    );
    assert!(
        !asked[1]
            .text
            .to_ascii_lowercase()
            .contains("authorization:")
    );
    let path = elsewhere.url.join("/x").unwrap();
    let error = api.fetch(Call::get("x", path.as_str())).await.unwrap_err();
    assert!(matches!(error, ApiError::Answer { .. }), "{error}");
    assert_eq!(elsewhere.requests(), 0);
}
