//! Where a platform's API is, as far as it is known, and when that is found out.
//!
//! To find it out is a request like any other: none is made while the breaker keeps them back, and while nothing is found, or what was found
//! does not answer, the next one is a while away, however many chunks there are.

use super::breaker::Shared as Breaker;
use crate::platforms::Base;
use crate::sources::outcome::Fault;
use platform::api::{Api, ApiError};
use platform::client::{CallError, Timeouts};
use platform::history::HistoryError;
use platform::history::cxone::{DiscoveryError, TOKEN_BELIEVED, discover};
use platform::retry::{Cause, Schedule};
use platform::token::Tokens;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use url::Url;

/// How long a base URL that was found out is used.
const BASE_FOR: Duration = Duration::from_secs(3600);
/// A base URL that was found out is not asked for again sooner, whatever becomes of the calls there.
const AGAIN: Duration = TOKEN_BELIEVED;

/// Where it is.
#[derive(Debug)]
pub(super) struct Place {
    base: Base,
    stated: Url,
    tokens: Arc<Tokens>,
    timeouts: Timeouts,
    schedule: Schedule,
    again: Duration,
    /// Whether a call found nobody where it was known to be.
    moved: AtomicBool,
    // Held while it is asked for: whoever needs it meanwhile waits for the answer.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    api: Option<Arc<Api>>,
    /// From when on it is asked for again.
    until: Option<Instant>,
    /// Before when it is not.
    not_before: Option<Instant>,
    failures: u32,
}

impl Place {
    pub(super) fn new(
        base: Base,
        stated: Url,
        tokens: Arc<Tokens>,
        timeouts: Timeouts,
        schedule: Schedule,
    ) -> Self {
        Self {
            base,
            stated,
            tokens,
            timeouts,
            schedule,
            again: AGAIN,
            moved: AtomicBool::new(false),
            known: Mutex::default(),
        }
    }

    /// A call there came to this.
    pub(super) fn heard(&self, error: &HistoryError) {
        if self.base != Base::Stated && may_have_moved(error) {
            self.moved.store(true, Ordering::Relaxed);
        }
    }

    /// The API, made by `made` where it was not known to be.
    pub(super) async fn api(
        &self,
        breaker: &Breaker,
        made: impl Fn(Url) -> Result<Api, Fault>,
    ) -> Result<Arc<Api>, Fault> {
        let mut known = self.known.lock().await;
        let now = Instant::now();
        let moved = self.moved.load(Ordering::Relaxed);
        let rests = known.not_before.filter(|at| now < *at);
        match (&known.api, rests) {
            (Some(api), _) if !moved && known.until.is_none_or(|until| now < until) => {
                return Ok(api.clone());
            }
            // It was asked for a moment ago: nobody knows better.
            (Some(api), Some(_)) => return Ok(api.clone()),
            (None, Some(at)) => {
                return Err(Fault::Later {
                    wait: at - now,
                    reason: "discovery",
                });
            }
            _ => {}
        }
        let found = self.found(breaker).await?;
        let now = Instant::now();
        let base = match found {
            Ok(base) => base,
            Err(fault) => {
                let next = self
                    .schedule
                    .next(known.failures, Cause::Failed, None, rand::random());
                known.failures = next.attempt;
                let Some(api) = known.api.clone() else {
                    known.not_before = Some(now + next.delay);
                    return Err(fault);
                };
                known.not_before = Some(now + next.delay.max(self.again));
                tracing::warn!(base = %api.base(), error = %fault, "where the platform's API is could not be found out: taken to be where it was");
                return Ok(api);
            }
        };
        known.failures = 0;
        known.not_before = Some(now + self.again);
        known.until = (self.base != Base::Stated).then(|| now + BASE_FOR);
        match &known.api {
            Some(api) if *api.base() == base => Ok(api.clone()),
            _ => {
                let api = Arc::new(made(base)?);
                known.api = Some(api.clone());
                Ok(api)
            }
        }
    }

    /// What is said now of where it is. Outside: nobody is asked now.
    async fn found(&self, breaker: &Breaker) -> Result<Result<Url, Fault>, Fault> {
        let Some(discovery) = self.base.discovery() else {
            return Ok(Ok(self.stated.clone()));
        };
        let entered = breaker.enter().await?;
        self.moved.store(false, Ordering::Relaxed);
        let found = discover(&discovery, &self.tokens, self.timeouts, self.again).await;
        // Whoever knows where the API is says nothing of how it is.
        breaker.unused(entered).await;
        Ok(found.map_err(|error| match error {
            DiscoveryError::Token(error) => super::of_api(&ApiError::Token(error)),
            DiscoveryError::Call(error) => super::of_api(&ApiError::Call(error)),
            error @ DiscoveryError::Failed { .. } => Fault::failed(error.to_string()),
            error @ DiscoveryError::Unsaid { .. } => {
                Fault::refused(format!("{error}: give base_url or discovery_url"))
            }
        }))
    }
}

/// Whether an organisation may live elsewhere by now. What is missing by its id ([`HistoryError::Gone`]) is missing, wherever it is asked for.
const fn may_have_moved(error: &HistoryError) -> bool {
    matches!(
        error,
        HistoryError::Api(ApiError::NotFound { .. } | ApiError::Call(CallError::Connect { .. }))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use double::Double;
    use double::config::{Config, Fault as Trouble, Phase, Place as At, Script};
    use platform::api::Access;
    use platform::breaker::Policy;
    use platform::budget::Budget;
    use platform::limit::{Limit, Limiter};
    use platform::secret::Secret;
    use platform::token::Grant;
    use testkit::TestDb;

    /// A platform whose token says where its API is.
    struct World {
        _database: TestDb,
        double: Double,
        tokens: Arc<Tokens>,
        breaker: Breaker,
    }

    impl World {
        async fn new() -> Self {
            runtime::install_crypto();
            let database = TestDb::new().await;
            let double = Double::start(Config::default()).await.unwrap();
            let client = double::config::Client::default();
            let grant = Grant::AccessKey {
                url: Url::parse(&double.url())
                    .unwrap()
                    .join("/authentication/v1/token/access-key")
                    .unwrap(),
                key_id: client.id,
                key_secret: Secret::new(client.secret),
            };
            let policy = Policy {
                failures: 1,
                cool_down: Duration::from_secs(60),
                longest: Duration::from_secs(60),
            };
            Self {
                breaker: Breaker::new(database.store().await, "c".to_owned(), policy),
                _database: database,
                tokens: Arc::new(Tokens::of(grant, Timeouts::default()).unwrap()),
                double,
            }
        }

        fn place(&self, again: Duration) -> Place {
            let nowhere = Url::parse("http://nowhere.invalid").unwrap();
            let schedule = Schedule {
                first: Duration::from_secs(60),
                longest: Duration::from_secs(60),
            };
            let times = Timeouts::default();
            Place {
                again,
                ..Place::new(Base::Token, nowhere, self.tokens.clone(), times, schedule)
            }
        }

        async fn api(&self, place: &Place) -> Result<Arc<Api>, Fault> {
            let made = |base| {
                let access = Access {
                    base,
                    grant: self.tokens.grant().clone(),
                    limit: Limit::new(60, Duration::from_secs(60), 1),
                    timeouts: Timeouts::default(),
                    schedule: Schedule::default(),
                };
                let budget: Arc<dyn Budget> = Arc::new(Limiter::new(access.limit).unwrap());
                Ok(Api::shared(access, self.tokens.clone(), budget).unwrap())
            };
            place.api(&self.breaker, made).await
        }

        fn token_endpoint_fails(&self) {
            let trouble = Trouble::Status {
                status: 503,
                retry_after: None,
                as_date: false,
                store: false,
            };
            let phase = Phase {
                fault: trouble,
                ..Phase::default().at(At::Token)
            };
            self.double.set_faults(Script::of([phase]));
        }

        /// Requests for a token, granted or not.
        fn asked(&self) -> usize {
            let requests = self.double.requests();
            requests.iter().filter(|one| one.place == At::Token).count()
        }
    }

    fn not_there() -> HistoryError {
        HistoryError::Api(ApiError::NotFound {
            path: "/contacts/completed".to_owned(),
            why: "HTTP 404".to_owned(),
        })
    }

    #[tokio::test]
    async fn who_finds_nobody_there_asks_where_it_is_once_a_minute_and_keeps_the_token() {
        let world = World::new().await;
        let place = world.place(AGAIN);
        let api = world.api(&place).await.unwrap();
        assert_eq!(
            api.base().as_str().trim_end_matches('/'),
            world.double.url()
        );
        for _ in 0..20 {
            place.heard(&not_there());
            assert!(Arc::ptr_eq(&world.api(&place).await.unwrap(), &api));
        }
        assert_eq!(world.asked(), 1);
        // A minute later.
        let place = world.place(Duration::ZERO);
        let api = world.api(&place).await.unwrap();
        let before = world.asked();
        assert!(Arc::ptr_eq(&world.api(&place).await.unwrap(), &api));
        assert_eq!(world.asked(), before, "nothing was amiss");
        place.heard(&not_there());
        assert!(Arc::ptr_eq(&world.api(&place).await.unwrap(), &api));
        assert_eq!(world.asked(), before + 1);
    }

    #[tokio::test]
    async fn what_is_missing_by_its_id_moves_nothing() {
        let world = World::new().await;
        let place = world.place(Duration::ZERO);
        world.api(&place).await.unwrap();
        place.heard(&HistoryError::Gone {
            what: "the extraction",
            why: "HTTP 404".to_owned(),
        });
        world.api(&place).await.unwrap();
        assert_eq!(world.asked(), 1);
    }

    #[tokio::test]
    async fn nobody_is_asked_where_it_is_while_the_breaker_is_open() {
        let world = World::new().await;
        let place = world.place(Duration::ZERO);
        let entered = world.breaker.enter().await.unwrap();
        let failed = HistoryError::Api(ApiError::Failed {
            hint: None,
            why: "HTTP 503".to_owned(),
        });
        world.breaker.heard(entered, Some(&failed)).await;
        for _ in 0..20 {
            let kept = world.api(&place).await;
            assert!(
                matches!(
                    kept,
                    Err(Fault::Later {
                        reason: "breaker",
                        ..
                    })
                ),
                "{kept:?}"
            );
        }
        assert_eq!(world.asked(), 0);
    }

    #[tokio::test]
    async fn many_who_find_nothing_out_have_asked_once() {
        let world = World::new().await;
        world.token_endpoint_fails();
        let place = world.place(AGAIN);
        for _ in 0..20 {
            let none = world.api(&place).await;
            assert!(matches!(none, Err(Fault::Later { .. })), "{none:?}");
        }
        // Nor does another entry of the same credential ask.
        assert!(world.api(&world.place(AGAIN)).await.is_err());
        assert_eq!(world.asked(), 1);
    }

    #[tokio::test]
    async fn what_was_known_is_used_while_nothing_newer_is() {
        let world = World::new().await;
        let place = world.place(Duration::ZERO);
        let api = world.api(&place).await.unwrap();
        world.token_endpoint_fails();
        for _ in 0..20 {
            place.heard(&not_there());
            assert!(Arc::ptr_eq(&world.api(&place).await.unwrap(), &api));
        }
        assert_eq!(world.asked(), 2);
        assert!(
            world.tokens.bearer().await.is_ok(),
            "the token is as good as it was"
        );
    }
}
