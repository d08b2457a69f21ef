//! Keys that the issuer publishes under a URL: fetched at the start, again from time to time, and when a token names a key that is not
//! known, but never more often than configured, however many such tokens somebody makes up.
//!
//! While the issuer cannot be reached the keys that are known stay good. Only what none of them can verify then has to wait. So has what
//! is seen for the first time ([`Misses`]): an issuer signs with a new key from one second to the next.

use super::keys::{KeySet, KeysError};
use super::misses::{Misses, Sight};
use runtime::chain;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use url::{Host, Url};

/// The longest a request waits for keys; the sender's patience is not much longer, and the broker needs its part.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest fetch.
const FETCH: Duration = Duration::from_secs(5);
/// The most bytes of a key set.
const SET_BYTES_MAX: usize = 1 << 20;

/// How often keys are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// In any case.
    pub refresh: Duration,
    /// At most, whatever tokens name.
    pub refresh_min: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(15 * 60),
            refresh_min: Duration::from_secs(30),
        }
    }
}

/// The keys under one URL. Clones share them.
#[derive(Debug, Clone)]
pub struct RemoteKeys(Arc<Remote>);

#[derive(Debug)]
struct Remote {
    url: Url,
    pace: Pace,
    state: RwLock<State>,
    misses: Mutex<Misses>,
    wanted: Notify,
    rounds: watch::Sender<u64>,
}

#[derive(Debug, Clone)]
struct State {
    keys: KeySet,
    tried: Option<Instant>,
    /// Whether the last try brought these keys.
    fresh: bool,
    /// Fetches that were ever begun.
    begun: u64,
    /// The last of them that brought keys; 0 before.
    brought: u64,
}

/// Why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("no answer")]
    Call(#[source] reqwest::Error),
    #[error("the answer is {0}")]
    Status(reqwest::StatusCode),
    #[error("the answer is longer than {SET_BYTES_MAX} bytes")]
    TooLong,
    #[error("the answer {0}")]
    Keys(#[from] KeysError),
}

impl RemoteKeys {
    /// No keys yet; [`keep`] fetches them.
    ///
    /// # Errors
    ///
    /// Unless the URL is https, or http to this machine: whoever can change the answer can sign for anybody.
    pub fn new(url: Url, pace: Pace) -> Result<Self, &'static str> {
        let here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && here) {
            return Err("must be https (or http to this machine)");
        }
        Ok(Self(Arc::new(Remote {
            url,
            pace,
            state: RwLock::new(State {
                keys: KeySet::empty(),
                tried: None,
                fresh: false,
                begun: 0,
                brought: 0,
            }),
            misses: Mutex::default(),
            wanted: Notify::new(),
            rounds: watch::Sender::new(0),
        })))
    }

    /// Whether these are the keys of this URL, fetched at this pace.
    pub fn is(&self, url: &Url, pace: Pace) -> bool {
        self.0.url == *url && self.0.pace == pace
    }

    /// The keys that are known.
    pub(super) fn current(&self) -> KeySet {
        self.state().keys
    }

    /// Whether what none of the keys verifies may be of one that is not known yet. Not any more once a fetch that was begun after its
    /// first sight has brought none that does, as long as no other fetch is allowed: whoever makes it up asks for one fetch each
    /// `refresh_min`, and is not told to come again for ever.
    pub(super) fn may_be_new(&self, sight: Sight) -> bool {
        let state = self.state();
        let is_answered = |seen: u64| state.brought > seen;
        let mut misses = self.0.misses.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = misses.seen(sight, state.begun);
        if !is_answered(*seen) {
            return true;
        }
        if state.fresh && self.just_tried(&state) {
            return false;
        }
        *seen = state.begun; // the answer is old: the issuer may have a new key by now
        true
    }

    /// Takes over what these have fetched, if they are of the same URL: a changed file is no reason to be without keys.
    pub fn adopt(&self, before: &[Self]) {
        if let Some(before) = before.iter().find(|keys| keys.0.url == self.0.url) {
            self.set(before.state());
        }
    }

    /// Asks for a fetch and waits for its end, at most so long. Where one has just been the next is not allowed yet: it is made as soon as
    /// it is, and nobody waits.
    pub(super) async fn look_again(&self, patience: Duration) {
        let mut rounds = self.0.rounds.subscribe();
        self.0.wanted.notify_one();
        if self.just_tried(&self.state()) {
            return;
        }
        let patience = patience.min(PATIENCE);
        if timeout(patience, rounds.changed()).await.is_err() {
            tracing::debug!(url = %self.0.url, "an issuer's keys did not come in time");
        }
    }

    fn just_tried(&self, state: &State) -> bool {
        state
            .tried
            .is_some_and(|tried| tried.elapsed() < self.0.pace.refresh_min)
    }

    fn state(&self) -> State {
        let state = self.0.state.read();
        state.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, state: State) {
        let mut old = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        *old = state;
    }

    /// Notes the beginning of a fetch.
    fn begin(&self) {
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        state.begun += 1;
    }

    /// Notes the end of the fetch that was begun last.
    fn settle(&self, fetched: Result<KeySet, FetchError>) {
        let before = self.state();
        let (keys, fresh, brought) = match fetched {
            Ok(keys) => {
                if !before.fresh {
                    tracing::info!(url = %self.0.url, "have the issuer's keys");
                }
                (keys, true, before.begun)
            }
            Err(error) => {
                tracing::warn!(url = %self.0.url, error = %chain(&error), "could not fetch an issuer's keys; those that are known stay good");
                (before.keys, false, before.brought)
            }
        };
        self.set(State {
            keys,
            tried: Some(Instant::now()),
            fresh,
            begun: before.begun,
            brought,
        });
        self.0.rounds.send_modify(|round| *round += 1);
    }

    /// As if a fetch had brought these.
    #[cfg(test)]
    pub(super) fn bring(&self, keys: KeySet) {
        self.begin();
        self.settle(Ok(keys));
    }

    /// Fetches for ever.
    async fn run(self, http: reqwest::Client) {
        let pace = self.0.pace;
        // Keys that were taken over are not fetched again at once.
        let mut due = self.state().tried.map_or(Duration::ZERO, |tried| {
            pace.refresh_min.saturating_sub(tried.elapsed())
        });
        loop {
            tokio::time::sleep(due).await;
            self.begin();
            self.settle(self.fetch(&http).await);
            due = Duration::ZERO;
            let pause = async {
                tokio::time::sleep(pace.refresh_min).await;
                self.0.wanted.notified().await;
            };
            // After a failure again as soon as is allowed.
            let longest = if self.state().fresh {
                pace.refresh
            } else {
                pace.refresh_min
            };
            if timeout(longest, pause).await.is_err() {
                tracing::trace!(url = %self.0.url, "an issuer's keys are fetched again");
            }
        }
    }

    async fn fetch(&self, http: &reqwest::Client) -> Result<KeySet, FetchError> {
        let request = http.get(self.0.url.clone()).send().await;
        let mut answer = request.map_err(|error| FetchError::Call(error.without_url()))?;
        if !answer.status().is_success() {
            return Err(FetchError::Status(answer.status()));
        }
        let mut text = Vec::new();
        while let Some(chunk) = answer
            .chunk()
            .await
            .map_err(|error| FetchError::Call(error.without_url()))?
        {
            if text.len() + chunk.len() > SET_BYTES_MAX {
                return Err(FetchError::TooLong);
            }
            text.extend_from_slice(&chunk);
        }
        Ok(KeySet::public(&text)?)
    }
}

/// Keeps all of these fresh until the set of tasks is dropped.
pub fn keep(all: &[RemoteKeys]) -> Result<JoinSet<()>, reqwest::Error> {
    let mut tasks = JoinSet::new();
    for keys in all {
        let mut builder = reqwest::Client::builder()
            .timeout(FETCH)
            // A redirect is another URL than the one that is trusted.
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .user_agent(concat!("kpiline/", env!("CARGO_PKG_VERSION")));
        if keys.0.url.scheme() == "http" {
            // Without TLS no certificates are needed, and a bare machine has none. It is this machine: no proxy may answer for it.
            builder = builder.tls_certs_only([]).no_proxy();
        }
        tasks.spawn(keys.clone().run(builder.build()?));
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(url: &str) -> Result<RemoteKeys, &'static str> {
        RemoteKeys::new(url.parse().unwrap(), Pace::default())
    }

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for url in [
            "https://issuer.example/keys",
            "http://127.0.0.1:80/keys",
            "http://[::1]/keys",
            "http://localhost/keys",
        ] {
            assert!(keys(url).is_ok(), "{url}");
        }
        for url in [
            "http://issuer.example/keys",
            "http://10.0.0.1/keys",
            "ftp://localhost/keys",
            "file:///etc/keys",
        ] {
            assert!(keys(url).is_err(), "{url}");
        }
    }

    const SET: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","y":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}]}"#;

    fn bring(keys: &RemoteKeys) {
        keys.bring(KeySet::public(SET.as_bytes()).unwrap());
    }

    async fn waited(keys: &RemoteKeys, patience: Duration) -> Duration {
        let begun = Instant::now();
        keys.look_again(patience).await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_fetch_keeps_the_keys_and_is_not_repeated_at_once() {
        let keys = keys("https://issuer.example/keys").unwrap();
        let long = Duration::from_secs(60);
        assert_eq!(waited(&keys, long).await, PATIENCE, "nobody fetches");
        let short = Duration::from_millis(500);
        assert_eq!(waited(&keys, short).await, short, "no longer than allowed");
        bring(&keys);
        assert_eq!(waited(&keys, long).await, Duration::ZERO, "just fetched");
        tokio::time::advance(Duration::from_secs(31)).await;
        keys.begin();
        keys.settle(Err(FetchError::TooLong));
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
        header.kid = Some("k".into());
        assert_eq!(keys.current().matching(&header).count(), 1);
        // Another reader of the same URL begins with them.
        let other = self::keys("https://issuer.example/keys").unwrap();
        other.adopt(&[keys]);
        assert_eq!(other.current().matching(&header).count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_known_is_new_until_a_fetch_begun_after_it_was_seen() {
        let keys = keys("https://issuer.example/keys").unwrap();
        bring(&keys);
        let (new, other) = (Sight::of(b"new"), Sight::of(b"other"));
        assert!(keys.may_be_new(new), "however lately the keys were fetched");
        // A fetch that was under way already says nothing.
        keys.begin();
        assert!(keys.may_be_new(other));
        keys.settle(Ok(KeySet::public(SET.as_bytes()).unwrap()));
        assert!(!keys.may_be_new(new), "begun after it was seen");
        assert!(keys.may_be_new(other), "begun before it was seen");
        keys.begin();
        keys.settle(Err(FetchError::TooLong));
        assert!(keys.may_be_new(other), "nobody knows");
        bring(&keys);
        assert!(!keys.may_be_new(other));
        // Later it may be new again, once.
        tokio::time::advance(Duration::from_secs(31)).await;
        assert!(keys.may_be_new(other));
        bring(&keys);
        assert!(!keys.may_be_new(other));
    }
}
