//! A platform's REST API as one credential sees it: token, quota, breaker and patience in one place, for whoever asks a platform about
//! itself, sets something up there, or fetches history.
//!
//! [`Api::call`] repeats reads where that may help. What creates or changes something is repeated only when it is certain that nothing
//! happened: the caller looks again before it creates once more. [`Api::fetch`] sends one request and hands over the answer as it came,
//! for a caller that has other work to do meanwhile: it never waits longer than its patience, and says how long it takes instead.

use crate::breaker::{Policy, Signal, State};
use crate::budget::{Budget, Hold, Throttle};
use crate::client::{Client, Timeouts, now};
use crate::limit::{Limit, Limiter};
use crate::outcome::{Answer, UNNAMED_WAIT};
use crate::retry::Schedule;
use crate::token::{Bearer, Grant, Tokens};
use crate::watch::{Called, Unwatched, Watch};
use health::Health;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use url::Url;

mod answer;
mod call;
mod error;
mod health;
mod link;
mod repeated;

pub use call::{Call, HISTORY_MAX};
pub use error::{AccessError, ApiError, Remedy};

/// A platform that wants a longer pause is left alone until the caller comes again.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest that an answer may take which is known to take long.
const SLOW: Duration = Duration::from_secs(900);
/// Slots asked for before one is used in time. More than two in a row mean that this process has no time for anything.
const SLOTS_MAX: u32 = 10;
/// How long such a process is to do something else.
const NO_TIME: Duration = Duration::from_secs(1);
/// After a 403 that a fresh token did not help against, so long no 403 of the route is blamed on the token.
const FORBIDDEN_KEEPS: Duration = Duration::from_secs(600);

/// What an API needs.
#[derive(Debug, Clone)]
pub struct Access {
    /// The API's base URL; a path in it is put before every path asked for.
    pub base: Url,
    /// The credential.
    pub grant: Grant,
    /// Its quota.
    pub limit: Limit,
    /// Bounds of one request.
    pub timeouts: Timeouts,
    /// When a request that failed goes again.
    pub schedule: Schedule,
}

/// The API of one credential. Cheap to keep: nothing is fetched before something is asked.
#[derive(Debug)]
pub struct Api {
    client: Client,
    /// For answers that take their time.
    slow: Client,
    tokens: Arc<Tokens>,
    budget: Arc<dyn Budget>,
    watch: Arc<dyn Watch>,
    health: Health,
    base: Url,
    schedule: Schedule,
    patience: Duration,
    /// Routes whose 403 is the platform's last word, with the instant until when.
    forbidden: Mutex<HashMap<String, Instant>>,
}

impl Api {
    /// An API with a budget of its own. A process-wide TLS provider must have been installed.
    pub fn new(access: Access) -> Result<Self, AccessError> {
        let limiter = Limiter::new(access.limit)?;
        Self::with_budget(access, Arc::new(limiter))
    }

    /// An API whose requests are counted elsewhere; the access's own limit is not used.
    pub fn with_budget(access: Access, budget: Arc<dyn Budget>) -> Result<Self, AccessError> {
        let tokens = Tokens::of(access.grant.clone(), access.timeouts)?;
        Self::shared(access, Arc::new(tokens), budget)
    }

    /// An API whose credential others of this process use as well: the tokens are theirs too. Neither the access's own limit nor its grant
    /// is used.
    pub fn shared(
        access: Access,
        tokens: Arc<Tokens>,
        budget: Arc<dyn Budget>,
    ) -> Result<Self, AccessError> {
        let timeouts = access.timeouts;
        Ok(Self {
            client: Client::new(&access.base, timeouts)?,
            slow: Client::new(&access.base, patient(timeouts))?,
            tokens,
            budget,
            watch: Arc::new(Unwatched),
            health: Health::new(Policy::default()),
            base: access.base,
            schedule: access.schedule,
            patience: PATIENCE,
            forbidden: Mutex::new(HashMap::new()),
        })
    }

    /// The same, watched.
    #[must_use]
    pub fn watched(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watch = watch;
        self
    }

    /// The same with another breaker.
    #[must_use]
    pub fn with_breaker(mut self, policy: Policy) -> Self {
        self.health = Health::new(policy);
        self
    }

    /// The same, for callers that wait no longer than this for leave to send something.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The same with another schedule.
    #[must_use]
    pub const fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// The breaker's state.
    #[must_use]
    pub fn breaker(&self) -> State {
        self.health.state()
    }

    /// The base URL.
    #[must_use]
    pub const fn base(&self) -> &Url {
        &self.base
    }

    /// Sends one request, a second one with a fresh token where the first was refused, and gives the good answer (2xx) as it came.
    ///
    /// It waits for its turn, but never longer than the API's patience: then it says how long that takes.
    pub async fn fetch(&self, call: Call<'_>) -> Result<Answer, ApiError> {
        let url = link::url(&self.base, call.path)?;
        let mut renewed = false;
        loop {
            let (bearer, answer) = self.once(&call, &url).await?;
            let refused = match answer.status {
                401 => true,
                403 => self.may_be_the_token(&call, &answer),
                _ => false,
            };
            if refused && !renewed {
                self.tokens.refused(&bearer).await;
                renewed = true;
                continue;
            }
            if answer.status == 403 && renewed {
                self.remember_forbidden(call.route);
            }
            return self.read(answer, &call).await;
        }
    }

    /// Gets a link of another host that carries its own permission (a report in a store): no token, no quota, no breaker.
    pub async fn fetch_link(&self, link: &Url, longest: usize) -> Result<Answer, ApiError> {
        if !link::may_be_followed(&self.base, link) {
            return Err(ApiError::Answer {
                path: "the link".to_owned(),
                problem: "leads out of TLS",
            });
        }
        let answer = self.slow.get_open(link, longest).await?;
        answer::of_link(answer, now())
    }

    /// One request, when it may be sent.
    async fn once(&self, call: &Call<'_>, url: &Url) -> Result<(Bearer, Answer), ApiError> {
        let asked = Instant::now();
        let mut slots = 0;
        loop {
            self.healthy(asked).await?;
            // The token first: a slot lapses while one is fetched.
            let bearer = self.tokens.bearer().await?;
            let slot = self.budget.reserve(call.route, self.patience).await?;
            slots += 1;
            if Instant::now() > slot.void_after {
                if slots < SLOTS_MAX {
                    continue;
                }
                // A late request might share a window with too many others.
                return Err(ApiError::Later {
                    wait: NO_TIME,
                    hold: Hold::Busy,
                    why: "each leave to send something was void before it could be used".to_owned(),
                });
            }
            let Ok(permitted) = self.health.permit(self.watch.as_ref()) else {
                // Somebody else's probe has begun meanwhile.
                continue;
            };
            let began = Instant::now();
            let client = if call.slow { &self.slow } else { &self.client };
            let answer = client
                .fetch(call.method, url, &bearer.token, call.body, call.longest)
                .await;
            let (signal, why) = match &answer {
                Ok(answer) => (
                    answer::health_of(answer.status),
                    format!("HTTP {}", answer.status),
                ),
                Err(error) if error.is_trouble() => (Signal::Failure, error.to_string()),
                Err(error) => (Signal::Neutral, error.to_string()),
            };
            permitted.record(signal, &why);
            self.watch.called(&Called {
                route: call.route,
                method: call.method,
                status: answer.as_ref().ok().map(|answer| answer.status),
                outcome: match &answer {
                    Ok(answer) => answer::outcome_of(answer.status),
                    Err(error) => error.outcome(),
                },
                took: began.elapsed(),
                bytes: answer.as_ref().map_or(0, |answer| answer.body.len()),
            });
            return Ok((bearer, answer?));
        }
    }

    /// Waits for the breaker, as far as the patience goes.
    async fn healthy(&self, asked: Instant) -> Result<(), ApiError> {
        loop {
            let left = self.health.left();
            if left.is_zero() {
                return Ok(());
            }
            if asked.elapsed().saturating_add(left) > self.patience {
                return Err(broken(left));
            }
            tokio::time::sleep(left).await;
        }
    }

    /// Whether this 403 may mean that the token has died, as CXone now and then says it.
    fn may_be_the_token(&self, call: &Call<'_>, answer: &Answer) -> bool {
        if call.forbidden_is_final || answer::names_a_permission(answer) {
            return false;
        }
        let mut forbidden = self
            .forbidden
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        forbidden.retain(|_, until| *until > now);
        !forbidden.contains_key(call.route)
    }

    fn remember_forbidden(&self, route: &str) {
        self.forbidden
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(route.to_owned(), Instant::now() + FORBIDDEN_KEEPS);
    }

    async fn read(&self, answer: Answer, call: &Call<'_>) -> Result<Answer, ApiError> {
        if (200..500).contains(&answer.status) && answer.status != 429 {
            self.budget.calm(call.route);
        }
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let path = || call.path.to_owned();
        let why = answer.words(json.as_ref());
        Err(match answer.status {
            401 => {
                self.watch.refused(call.route, 401, &why);
                ApiError::Unauthorised { why }
            }
            403 => {
                self.watch.refused(call.route, 403, &why);
                ApiError::Forbidden { why }
            }
            404 => ApiError::NotFound { path: path(), why },
            429 => {
                // Who says "later" and 0 in one breath is not asked again at once.
                let wait = answer
                    .hint(json.as_ref(), now())
                    .unwrap_or(UNNAMED_WAIT)
                    .max(self.schedule.first);
                self.budget
                    .throttled(Throttle {
                        route: call.route,
                        wait,
                        whole: answer.is_quota_used_up(),
                        why: &why,
                    })
                    .await;
                ApiError::Throttled { wait, why }
            }
            408 | 425 | 500.. => ApiError::Failed {
                hint: answer.hint(json.as_ref(), now()),
                why,
            },
            status => ApiError::Refused {
                path: path(),
                status,
                why,
            },
        })
    }
}

/// Time-outs of an answer that the platform works on before it begins to send it (reports of a month have taken 277 seconds), or that
/// takes long to send.
fn patient(timeouts: Timeouts) -> Timeouts {
    Timeouts {
        read: timeouts.read.max(SLOW / 2),
        total: timeouts.total.max(SLOW),
        ..timeouts
    }
}

fn broken(wait: Duration) -> ApiError {
    ApiError::Later {
        wait,
        hold: Hold::Breaker,
        why: "the platform failed again and again and is left alone".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn api(base: &str) -> Api {
        // In tests of this crate nobody else installs one, and a second installation changes nothing.
        drop(rustls::crypto::ring::default_provider().install_default());
        Api::new(Access {
            base: Url::parse(base).unwrap(),
            grant: Grant::ClientCredentials {
                url: Url::parse("https://login.example.com/oauth/token").unwrap(),
                client_id: "c".to_owned(),
                client_secret: Secret::new("s"),
            },
            limit: Limit::new(60, Duration::from_secs(60), 1),
            timeouts: Timeouts::default(),
            schedule: Schedule::default(),
        })
        .unwrap()
    }

    async fn read(api: &Api, status: u16, body: &str) -> Result<Value, ApiError> {
        let answer = Answer {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
            platform_now: None,
        };
        let answer = api.read(answer, &Call::get("x", "/x")).await?;
        answer::json(&answer, "/x")
    }

    #[tokio::test]
    async fn an_answer_says_whose_fault_it_was() {
        let api = api("http://api.example.com");
        assert_eq!(read(&api, 204, "").await.unwrap(), Value::Null);
        let words =
            r#"{"code":"missing.permissions","message":"you lack processautomation:trigger:add"}"#;
        let error = read(&api, 403, words).await.unwrap_err();
        assert_eq!(error.remedy(), Remedy::Credential);
        assert!(error.to_string().contains("processautomation:trigger:add"));
        assert!(matches!(
            read(&api, 401, "{}").await,
            Err(ApiError::Unauthorised { .. })
        ));
        assert!(matches!(
            read(&api, 404, "{}").await,
            Err(ApiError::NotFound { .. })
        ));
        assert!(matches!(
            read(&api, 503, "{}").await,
            Err(ApiError::Failed { .. })
        ));
        assert!(matches!(
            read(&api, 422, "{}").await,
            Err(ApiError::Refused { status: 422, .. })
        ));
        let late = r#"{"message":"Retry the request in [7] seconds"}"#;
        let Err(ApiError::Throttled { wait, .. }) = read(&api, 429, late).await else {
            panic!("throttled");
        };
        assert_eq!(wait, Duration::from_secs(7));
    }
}
