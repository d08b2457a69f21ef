//! A platform's REST API as one credential sees it: token, quota and patience in one place, for whoever asks a platform about itself
//! (subscriptions, integrations, triggers) or sets something up there.
//!
//! Reads are repeated where that may help. What creates or changes something is repeated only when it is certain that nothing happened:
//! the caller looks again before it creates once more.

use crate::client::{CallError, Client, Method, Timeouts};
use crate::limit::{Limit, LimitError, Limiter};
use crate::outcome::{Answer, UNNAMED_WAIT};
use crate::retry::{Cause, Schedule};
use crate::token::{Grant, TokenError, Tokens};
use schema::UtcMicros;
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// How often one request is sent in all, a renewed token not counted.
const ATTEMPTS: u32 = 3;
/// A platform that wants a longer pause is left alone until the caller comes again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pages of one list. A list that goes on is a link that leads in a circle.
const PAGES_MAX: usize = 500;

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
    tokens: Tokens,
    limiter: Limiter,
    base: Url,
    schedule: Schedule,
}

/// An API that cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No HTTP client.
    #[error(transparent)]
    Client(#[from] CallError),
    /// The quota cannot be kept.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

/// A request had no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No answer at all.
    #[error(transparent)]
    Call(#[from] CallError),
    /// 401, with a fresh token too.
    #[error("the platform does not know the token: {why}")]
    Unauthorised {
        /// The platform's words.
        why: String,
    },
    /// 403: a permission is missing.
    #[error("the platform does not permit it: {why}")]
    Forbidden {
        /// The platform's words.
        why: String,
    },
    /// 404.
    #[error("the platform does not have {path}: {why}")]
    NotFound {
        /// What was asked for.
        path: String,
        /// The platform's words.
        why: String,
    },
    /// 429: the quota is used up, by whomever.
    #[error("the platform wants nothing for another {wait:?}: {why}")]
    Throttled {
        /// For how long.
        wait: Duration,
        /// The platform's words.
        why: String,
    },
    /// The platform is in trouble.
    #[error("the platform failed: {why}")]
    Failed {
        /// The platform's words.
        why: String,
    },
    /// The platform refuses the request.
    #[error("the platform refuses {path}: {why}")]
    Refused {
        /// What was asked for.
        path: String,
        /// The status.
        status: u16,
        /// The platform's words.
        why: String,
    },
    /// The answer is not what this API answers.
    #[error("the answer of {path} {problem}")]
    Answer {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl ApiError {
    /// Whether somebody has to look at the credential or its roles; waiting does not help.
    #[must_use]
    pub const fn is_refused_credential(&self) -> bool {
        matches!(
            self,
            Self::Token(TokenError::Refused { .. })
                | Self::Unauthorised { .. }
                | Self::Forbidden { .. }
        )
    }

    /// Whether another request like it may be sent: nothing can have happened, or nothing could be changed by it.
    fn again(&self, method: Method) -> bool {
        match self {
            Self::Throttled { wait, .. } => *wait <= PATIENCE,
            Self::Call(error) => method == Method::Get || error.nothing_happened(),
            Self::Failed { .. } => method == Method::Get,
            _ => false,
        }
    }
}

impl Api {
    /// An API. A process-wide TLS provider must have been installed.
    pub fn new(access: Access) -> Result<Self, AccessError> {
        let timeouts = access.timeouts;
        Ok(Self {
            client: Client::new(&access.base, timeouts)?,
            tokens: Tokens::new(Client::new(access.grant.url(), timeouts)?, access.grant),
            limiter: Limiter::new(access.limit)?,
            base: access.base,
            schedule: access.schedule,
        })
    }

    /// Sends one request, repeated where that may help, and gives the answer's JSON (null where there is no body).
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let url = self.url(path)?;
        let mut attempt = 0;
        loop {
            let error = match self.once(method, &url, path, body).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            attempt += 1;
            if attempt >= ATTEMPTS || !error.again(method) {
                return Err(error);
            }
            // A 429 has set the limiter's pause; the rest waits here.
            if !matches!(error, ApiError::Throttled { .. }) {
                let next = self
                    .schedule
                    .next(attempt - 1, Cause::Failed, None, rand::random());
                tokio::time::sleep(next.delay).await;
            }
        }
    }

    /// The elements of all pages of a list: `items` is the JSON pointer of an answer's list (`/entities`), `next` that of the link to the
    /// next page (`/nextUri`). A list that is absent is empty, as Genesys has it.
    pub async fn list(&self, path: &str, items: &str, next: &str) -> Result<Vec<Value>, ApiError> {
        let mut found = Vec::new();
        let mut page = path.to_owned();
        for _ in 0..PAGES_MAX {
            let mut answer = self.call(Method::Get, &page, None).await?;
            let link = answer
                .pointer(next)
                .and_then(Value::as_str)
                .filter(|link| !link.is_empty())
                .map(str::to_owned);
            match answer.pointer_mut(items).map(Value::take) {
                Some(Value::Array(more)) => found.extend(more),
                None | Some(Value::Null) => {}
                Some(_) => {
                    return Err(ApiError::Answer {
                        path: path.to_owned(),
                        problem: "has no list where one is expected",
                    });
                }
            }
            match link {
                Some(link) if link != page => page = link,
                _ => return Ok(found),
            }
        }
        Err(ApiError::Answer {
            path: path.to_owned(),
            problem: "has no last page",
        })
    }

    /// The URL of a path, or of a link that an answer gave. The token goes to no other host.
    fn url(&self, path: &str) -> Result<Url, ApiError> {
        let strange = || ApiError::Answer {
            path: path.to_owned(),
            problem: "leads to another host",
        };
        if path.starts_with("http://") || path.starts_with("https://") {
            let url = Url::parse(path).map_err(|_| strange())?;
            return if url.origin() == self.base.origin() {
                Ok(url)
            } else {
                Err(strange())
            };
        }
        let mut url = self.base.clone();
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let prefix = url.path().trim_end_matches('/').to_owned();
        // A link may repeat the base's own path.
        let full = if !prefix.is_empty() && path.starts_with(&format!("{prefix}/")) {
            path.to_owned()
        } else {
            format!("{prefix}/{}", path.trim_start_matches('/'))
        };
        url.set_path(&full);
        url.set_query(query);
        Ok(url)
    }

    /// One request, and a second one with a fresh token where the first was refused.
    async fn once(
        &self,
        method: Method,
        url: &Url,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let mut renewed = false;
        loop {
            // The token first: a grant of the limiter lapses while one is fetched.
            let bearer = self.tokens.bearer().await?;
            self.limiter.granted().await;
            let answer = self.client.send(method, url, &bearer.token, body).await?;
            if answer.status == 401 && !renewed {
                self.tokens.refused(&bearer).await;
                renewed = true;
                continue;
            }
            return self.read(&answer, path);
        }
    }

    fn read(&self, answer: &Answer, path: &str) -> Result<Value, ApiError> {
        let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let path = || path.to_owned();
        let why = || answer.words(json.as_ref());
        match answer.status {
            200..300 => {
                self.limiter.calm();
                if answer.body.trim_ascii().is_empty() {
                    return Ok(Value::Null);
                }
                json.ok_or_else(|| ApiError::Answer {
                    path: path(),
                    problem: "is no JSON",
                })
            }
            401 => Err(ApiError::Unauthorised { why: why() }),
            403 => Err(ApiError::Forbidden { why: why() }),
            404 => Err(ApiError::NotFound {
                path: path(),
                why: why(),
            }),
            429 => {
                let wait = answer.hint(json.as_ref(), now()).unwrap_or(UNNAMED_WAIT);
                self.limiter.throttled(wait);
                Err(ApiError::Throttled { wait, why: why() })
            }
            408 | 425 | 500.. => Err(ApiError::Failed { why: why() }),
            status => Err(ApiError::Refused {
                path: path(),
                status,
                why: why(),
            }),
        }
    }
}

fn now() -> UtcMicros {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
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
            limit: Limit {
                requests: 60,
                period: Duration::from_secs(60),
                burst: 1,
            },
            timeouts: Timeouts::default(),
            schedule: Schedule::default(),
        })
        .unwrap()
    }

    #[test]
    fn links_of_answers_stay_on_the_host_that_has_the_token() {
        let api = api("http://api.example.com/platform");
        let at = |path: &str| api.url(path).map(String::from).ok();
        let good = "http://api.example.com/platform/api/v2/x?pageNumber=2";
        assert_eq!(at("/api/v2/x?pageNumber=2").as_deref(), Some(good));
        assert_eq!(at("/platform/api/v2/x?pageNumber=2").as_deref(), Some(good));
        assert_eq!(at(good).as_deref(), Some(good));
        assert_eq!(at("https://elsewhere.example.com/api/v2/x"), None);
        assert_eq!(
            at("//elsewhere.example.com/x").as_deref(),
            Some("http://api.example.com/platform/elsewhere.example.com/x")
        );
    }

    #[test]
    fn what_may_have_been_done_is_not_sent_again() {
        let failed = ApiError::Failed { why: String::new() };
        assert!(failed.again(Method::Get) && !failed.again(Method::Post));
        let throttled = |seconds| ApiError::Throttled {
            wait: Duration::from_secs(seconds),
            why: String::new(),
        };
        assert!(throttled(5).again(Method::Post) && !throttled(600).again(Method::Get));
    }

    #[test]
    fn an_answer_says_whose_fault_it_was() {
        let api = api("http://api.example.com");
        let read = |status, body: &str| {
            let answer = Answer {
                status,
                headers: Vec::new(),
                body: body.as_bytes().to_vec(),
            };
            api.read(&answer, "/x")
        };
        assert_eq!(read(204, "").unwrap(), Value::Null);
        let words =
            r#"{"code":"missing.permissions","message":"you lack processautomation:trigger:add"}"#;
        let error = read(403, words).unwrap_err();
        assert!(error.is_refused_credential());
        assert!(error.to_string().contains("processautomation:trigger:add"));
        assert!(matches!(
            read(401, "{}"),
            Err(ApiError::Unauthorised { .. })
        ));
        assert!(matches!(read(404, "{}"), Err(ApiError::NotFound { .. })));
        assert!(matches!(read(503, "{}"), Err(ApiError::Failed { .. })));
        assert!(matches!(
            read(422, "{}"),
            Err(ApiError::Refused { status: 422, .. })
        ));
        let late = r#"{"message":"Retry the request in [7] seconds"}"#;
        let Err(ApiError::Throttled { wait, .. }) = read(429, late) else {
            panic!("throttled")
        };
        assert_eq!(wait, Duration::from_secs(7));
    }
}
