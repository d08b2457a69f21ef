//! One bearer token per credential: fetched once for all who ask, renewed ahead of its end, dropped when the platform refuses it.
//!
//! Limits count per token on some platforms, so a process never holds two of one credential: whoever has several entries that may name the
//! same one takes their [`Tokens`] from a [`Keyring`].

mod keyring;

pub use keyring::Keyring;

use crate::client::{CallError, Client, Timeouts, now};
use crate::outcome::{Answer, shorten};
use crate::retry::{Cause, Schedule};
use crate::secret::Secret;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

/// The life of a token that states none.
const UNSTATED_LIFE: Duration = Duration::from_secs(300);
/// The longest that is believed: no platform's tokens live for longer, and one that is renewed once a day costs nothing.
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);

/// How a credential is turned into a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// OAuth client credentials: a form with Basic authentication (Genesys).
    ClientCredentials {
        /// The token endpoint.
        url: Url,
        /// The client.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
    /// An access key as JSON (CXone).
    AccessKey {
        /// The token endpoint.
        url: Url,
        /// The key's id.
        key_id: String,
        /// Its secret.
        key_secret: Secret,
    },
    /// No token: headers of the request's own say who asks.
    Open {
        /// What names the credential.
        name: String,
        /// Where requests go.
        url: Url,
    },
}

impl Grant {
    /// The token endpoint.
    #[must_use]
    pub const fn url(&self) -> &Url {
        match self {
            Self::ClientCredentials { url, .. }
            | Self::AccessKey { url, .. }
            | Self::Open { url, .. } => url,
        }
    }

    /// The credential's name, the same in every process and every binary: what budgets, pauses and breakers are kept under. Client (or
    /// key, or what else names it) and host of the token endpoint; nothing of it is secret.
    #[must_use]
    pub fn credential_name(&self) -> String {
        let (url, id) = match self {
            Self::ClientCredentials { url, client_id, .. } => (url, client_id),
            Self::AccessKey { url, key_id, .. } => (url, key_id),
            Self::Open { url, name } => (url, name),
        };
        let host = url.host_str().unwrap_or_default();
        url.port().map_or_else(
            || format!("{id}@{host}"),
            |port| format!("{id}@{host}:{port}"),
        )
    }
}

/// A token as it was handed out.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// What goes into the header.
    pub token: Secret,
    /// Where the API is, if the token endpoint says so (CXone: `resource_server_base_uri`).
    pub resource_server: Option<String>,
    /// Which token this is; names it when the platform refuses it.
    generation: u64,
}

/// No token now.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The credential is refused: somebody must look.
    #[error("the token endpoint refuses the credential: {why}")]
    Refused {
        /// The platform's words.
        why: String,
    },
    /// The token endpoint asked to wait, or failed a moment ago.
    #[error("no token for another {wait:?}: {why}")]
    Later {
        /// How long not to ask.
        wait: Duration,
        /// Why.
        why: String,
    },
    /// The endpoint could not be reached.
    #[error("the token endpoint cannot be reached")]
    Call {
        /// How long not to ask.
        wait: Duration,
        /// Why.
        #[source]
        source: CallError,
    },
}

impl TokenError {
    /// How long to wait before asking again.
    #[must_use]
    pub const fn wait(&self) -> Duration {
        match self {
            Self::Refused { .. } => Duration::from_secs(60),
            Self::Later { wait, .. } | Self::Call { wait, .. } => *wait,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    generation: u64,
    failures: u32,
    not_before: Option<(Instant, String)>,
}

#[derive(Debug)]
struct Held {
    bearer: Bearer,
    granted_at: Instant,
    renew_at: Instant,
    ends_at: Instant,
}

/// The token of one credential.
#[derive(Debug)]
pub struct Tokens {
    client: Client,
    grant: Grant,
    schedule: Schedule,
    // Held across the request on purpose: whoever asks meanwhile waits for the one that is under way.
    state: Mutex<State>,
}

impl Tokens {
    /// Nothing is fetched before somebody asks.
    pub fn new(client: Client, grant: Grant) -> Self {
        Self {
            client,
            grant,
            schedule: Schedule::default(),
            state: Mutex::new(State::default()),
        }
    }

    /// The same through a client of their own. A process-wide TLS provider must have been installed.
    pub fn of(grant: Grant, timeouts: Timeouts) -> Result<Self, CallError> {
        Ok(Self::new(Client::new(grant.url(), timeouts)?, grant))
    }

    /// How they are got.
    #[must_use]
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// A good token: the one held, or a new one once four fifths of its life are over. When renewing fails, the old one is good to
    /// its end. Without a grant it is empty.
    pub async fn bearer(&self) -> Result<Bearer, TokenError> {
        if matches!(self.grant, Grant::Open { .. }) {
            return Ok(Bearer {
                token: Secret::new(""),
                resource_server: None,
                generation: 0,
            });
        }
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(held) = &state.held
            && now < held.renew_at
        {
            return Ok(held.bearer.clone());
        }
        let fetched = self.fetch(&mut state).await;
        match (fetched, &state.held) {
            (Ok(bearer), _) => Ok(bearer),
            (Err(_), Some(held)) if Instant::now() < held.ends_at => Ok(held.bearer.clone()),
            (Err(error), _) => Err(error),
        }
    }

    /// Where the API is, as the token endpoint says it (CXone: `resource_server_base_uri`). What came with the token that is held is believed
    /// so long after it was granted; then another one is fetched. While that fails, the one that is held stays good.
    pub async fn resource_server(&self, believed: Duration) -> Result<Option<String>, TokenError> {
        let mut state = self.state.lock().await;
        if let Some(held) = &state.held
            && held.granted_at.elapsed() < believed
        {
            return Ok(held.bearer.resource_server.clone());
        }
        Ok(self.fetch(&mut state).await?.resource_server)
    }

    /// The platform refused this token with a 401: it is not handed out again. A newer one that somebody fetched meanwhile stays.
    pub async fn refused(&self, bearer: &Bearer) {
        let mut state = self.state.lock().await;
        if state
            .held
            .as_ref()
            .is_some_and(|held| held.bearer.generation == bearer.generation)
        {
            state.held = None;
        }
    }

    async fn fetch(&self, state: &mut State) -> Result<Bearer, TokenError> {
        let asked_at = Instant::now();
        if let Some((not_before, why)) = &state.not_before
            && asked_at < *not_before
        {
            return Err(TokenError::Later {
                wait: *not_before - asked_at,
                why: why.clone(),
            });
        }
        let answer = match &self.grant {
            Grant::ClientCredentials {
                url,
                client_id,
                client_secret,
            } => {
                let form = [("grant_type", "client_credentials")];
                self.client
                    .post_form(url, client_id, client_secret, &form)
                    .await
            }
            Grant::AccessKey {
                url,
                key_id,
                key_secret,
            } => {
                let body = serde_json::json!({"accessKeyId": key_id, "accessKeySecret": key_secret.expose()});
                self.client.post_open(url, &body).await
            }
            Grant::Open { .. } => {
                // Nobody asks: see bearer.
                return Err(TokenError::Refused {
                    why: "there is no token endpoint".to_owned(),
                });
            }
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(source) => {
                let wait = self.back_off(state, None, "the token endpoint cannot be reached");
                return Err(TokenError::Call { wait, source });
            }
        };
        match read(&answer) {
            Reading::Token {
                token,
                life,
                resource_server,
            } => {
                state.generation += 1;
                state.failures = 0;
                state.not_before = None;
                let bearer = Bearer {
                    token,
                    resource_server,
                    generation: state.generation,
                };
                state.held = Some(Held {
                    bearer: bearer.clone(),
                    granted_at: asked_at,
                    renew_at: asked_at + life.mul_f64(0.8),
                    ends_at: asked_at + life,
                });
                Ok(bearer)
            }
            Reading::Refused(why) => {
                self.back_off(state, Some(Duration::from_secs(30)), &why);
                Err(TokenError::Refused { why })
            }
            Reading::Later(hint, why) => {
                let wait = self.back_off(state, hint, &why);
                Err(TokenError::Later { wait, why })
            }
        }
    }

    fn back_off(&self, state: &mut State, hint: Option<Duration>, why: &str) -> Duration {
        let next = self
            .schedule
            .next(state.failures, Cause::Failed, hint, rand::random());
        state.failures = next.attempt;
        state.not_before = Some((Instant::now() + next.delay, why.to_owned()));
        next.delay
    }
}

enum Reading {
    Token {
        token: Secret,
        life: Duration,
        resource_server: Option<String>,
    },
    Refused(String),
    Later(Option<Duration>, String),
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Option<Seconds>,
    #[serde(default)]
    resource_server_base_uri: Option<String>,
}

/// Seconds as a number or as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

impl Seconds {
    fn duration(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        (seconds > 0.0)
            .then(|| Duration::try_from_secs_f64(seconds).ok())
            .flatten()
    }
}

fn read(answer: &Answer) -> Reading {
    // The body of a grant holds the token: it never gets into words.
    let status = answer.status;
    if (200..300).contains(&status) {
        return match serde_json::from_slice::<Granted>(&answer.body) {
            Ok(granted) if !granted.access_token.is_empty() => Reading::Token {
                token: Secret::new(granted.access_token),
                life: granted
                    .expires_in
                    .and_then(|seconds| seconds.duration())
                    .unwrap_or(UNSTATED_LIFE)
                    .min(LONGEST_LIFE),
                resource_server: granted.resource_server_base_uri,
            },
            _ => Reading::Later(None, format!("HTTP {status} without an access_token")),
        };
    }
    let why = format!(
        "HTTP {status}: {}",
        shorten(String::from_utf8_lossy(&answer.body).trim())
    );
    match status {
        408 | 425 | 429 | 500.. => Reading::Later(answer.hint(None, now()), why),
        _ => Reading::Refused(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(expires_in: &str) -> Duration {
        let body = format!(r#"{{"access_token": "t", "expires_in": {expires_in}}}"#);
        let answer = Answer {
            status: 200,
            headers: Vec::new(),
            body: body.into_bytes(),
            platform_now: None,
        };
        match read(&answer) {
            Reading::Token { life, .. } => life,
            Reading::Refused(why) | Reading::Later(_, why) => panic!("{why}"),
        }
    }

    #[test]
    fn a_life_of_centuries_is_a_day_and_one_of_nothing_is_short() {
        assert_eq!(life("3600"), Duration::from_secs(3600));
        assert_eq!(life("\"86399\""), Duration::from_secs(86_399));
        for long in ["1e19", "1e300", "\"1e19\""] {
            assert!(life(long) <= LONGEST_LIFE, "{long}");
        }
        for none in ["0", "-1", "\"soon\""] {
            assert_eq!(life(none), UNSTATED_LIFE, "{none}");
        }
        // What is reckoned with it does not overflow.
        assert!(Instant::now() + life("1e19") > Instant::now());
    }
}
