//! How platforms are asked: one token for all, renewed once when it is refused; patience where it may help, and nothing done twice.

use double::config::{Client, Fault, Phase, Place, Script};
use double::{Config, Double, Kind};
use platform::api::{Access, Api, ApiError};
use platform::client::{Method, Timeouts};
use platform::limit::Limit;
use platform::retry::Schedule;
use platform::secret::Secret;
use platform::token::Grant;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::Url;

const PATH: &str = "/api/v2/webhooks/subscriptions";

async fn world() -> (Double, Arc<Api>) {
    runtime::install_crypto();
    let double = Double::start(Config::default()).await.unwrap();
    let client = Client::default();
    let api = Api::new(Access {
        base: Url::parse(&double.url()).unwrap(),
        grant: Grant::ClientCredentials {
            url: Url::parse(&format!("{}/oauth/token", double.url())).unwrap(),
            client_id: client.id,
            client_secret: Secret::new(client.secret),
        },
        limit: Limit::new(60_000, Duration::from_secs(60), 100),
        timeouts: Timeouts::default(),
        schedule: Schedule {
            first: Duration::from_millis(10),
            longest: Duration::from_millis(50),
        },
    });
    (double, Arc::new(api.unwrap()))
}

fn fault(status: u16, retry_after: Option<u64>) -> Fault {
    Fault::Status {
        status,
        retry_after,
        as_date: false,
        store: false,
    }
}

/// How often the path was asked for.
fn asked(double: &Double) -> usize {
    let requests = double.requests();
    requests.iter().filter(|found| found.path == PATH).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_10_a_token_that_dies_is_renewed_once_and_the_same_request_goes_again() {
    let (double, api) = world().await;
    api.call(Method::Get, PATH, None).await.unwrap();
    double.revoke_tokens();
    api.call(Method::Get, PATH, None).await.unwrap();
    assert_eq!((double.grants(), asked(&double)), (2, 3));
    // Refused again with a fresh one: somebody has to look, and nothing is tried without end.
    let refused = Phase::requests(9, fault(401, None)).at(Place::Admin);
    double.set_faults(Script::of([refused]));
    let error = api.call(Method::Get, PATH, None).await.unwrap_err();
    assert!(matches!(error, ApiError::Unauthorised { .. }), "{error}");
    assert_eq!((double.grants(), asked(&double)), (3, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_12_all_who_ask_at_once_share_one_token() {
    let (double, api) = world().await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let api = Arc::clone(&api);
        asking.spawn(async move { api.call(Method::Get, PATH, None).await.is_ok() });
    }
    assert!(asking.join_all().await.into_iter().all(|good| good));
    assert_eq!((double.grants(), asked(&double)), (1, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn pitfall_13_a_wait_that_is_asked_for_is_kept() {
    let (double, api) = world().await;
    let slow = Phase::requests(1, fault(429, Some(1))).at(Place::Admin);
    double.set_faults(Script::of([slow]));
    let begun = Instant::now();
    let body = json!({"url": "https://h/x", "secret": "s"});
    api.call(Method::Post, PATH, Some(&body)).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(double.violations_of(Kind::IgnoredRetryAfter).is_empty());
    assert_eq!(double.admin().registrations.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_reads_is_repeated_and_what_changes_is_not() {
    let (double, api) = world().await;
    let broken =
        |requests| Script::of([Phase::requests(requests, fault(503, None)).at(Place::Admin)]);
    double.set_faults(broken(2));
    api.call(Method::Get, PATH, None).await.unwrap();
    assert_eq!(asked(&double), 3);
    double.set_faults(broken(1));
    let body = json!({"url": "https://h/x", "secret": "s"});
    let error = api.call(Method::Post, PATH, Some(&body)).await.unwrap_err();
    assert!(matches!(error, ApiError::Failed { .. }), "{error}");
    assert_eq!(asked(&double), 4);
    // A permission that is missing is named in the platform's words.
    double.administer(|admin| admin.permissions = Some(Vec::new()));
    let error = api.call(Method::Get, PATH, None).await.unwrap_err();
    assert!(
        error.is_refused_credential() && error.to_string().contains("integration:webhooks:write"),
        "{error}"
    );
}
