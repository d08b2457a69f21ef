//! One HTTP request and its answer. Never a second one: trying again is decided elsewhere, from what is known about the first.

use crate::aside::aside;
use crate::instant::http_date;
use crate::outcome::Answer;
use crate::platform_clock::PlatformClock;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use memchr::memmem;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap,
    HeaderValue,
};
use schema::UtcMicros;
use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use url::Url;

/// How long each part of a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect, TLS included.
    pub connect: Duration,
    /// Between two reads of the answer.
    pub read: Duration,
    /// From the start to the last byte.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(20),
            total: Duration::from_secs(30),
        }
    }
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates.
    Post,
    /// Replaces.
    Put,
    /// Changes in part.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// The method of this name, in capitals; of those that create or change something or read it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "GET" => Some(Self::Get),
            "POST" => Some(Self::Post),
            "PUT" => Some(Self::Put),
            "PATCH" => Some(Self::Patch),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl From<Method> for reqwest::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}

/// Bytes of an answer that are read: results of 10,000 items fit. What is longer is not read to its end.
pub const ANSWER_MAX: usize = 16 << 20;
/// So many times longer is JSON of many like records before it is compressed.
const UNPACKS_TO: usize = 10;

/// A request had no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The HTTP client could not be built (TLS roots, above all).
    #[error("the HTTP client cannot be built")]
    Build(#[source] reqwest::Error),
    /// The request could not be built: a header value that is no header value.
    #[error("the request cannot be built: {what} holds characters that no header may hold")]
    Request {
        /// Which part.
        what: &'static str,
    },
    /// No connection: nothing was sent, nothing happened.
    #[error("no connection to {host}")]
    Connect {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The answer did not come in time; the platform may have done what was asked.
    #[error("no answer from {host} in time")]
    TimedOut {
        /// The host.
        host: String,
        /// Where it waited.
        #[source]
        source: reqwest::Error,
    },
    /// The connection broke before the answer was complete; the platform may have done what was asked.
    #[error("the connection to {host} broke before the answer was complete")]
    Broken {
        /// The host.
        host: String,
        /// How.
        #[source]
        source: reqwest::Error,
    },
    /// The answer is longer than any answer to such a request.
    #[error("the answer of {host} is longer than {longest} bytes")]
    TooLong {
        /// The host.
        host: String,
        /// The bound.
        longest: usize,
    },
    /// The answer is compressed and cannot be unpacked; the platform may have done what was asked.
    #[error("the answer of {host} cannot be unpacked: {problem}")]
    Packed {
        /// The host.
        host: String,
        /// Why not.
        problem: String,
    },
}

impl CallError {
    /// Whether it is certain that the platform did nothing.
    #[must_use]
    pub const fn nothing_happened(&self) -> bool {
        match self {
            Self::Build(_) | Self::Request { .. } | Self::Connect { .. } => true,
            Self::TimedOut { .. }
            | Self::Broken { .. }
            | Self::TooLong { .. }
            | Self::Packed { .. } => false,
        }
    }

    /// Whether the platform, or the way there, is in trouble; else it is we who are.
    #[must_use]
    pub const fn is_trouble(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::TimedOut { .. } | Self::Broken { .. }
        )
    }

    /// One word for it, for counters.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Build(_) | Self::Request { .. } => "not_sent",
            Self::Connect { .. } => "no_connection",
            Self::TimedOut { .. } => "timed_out",
            Self::Broken { .. } | Self::Packed { .. } => "broken",
            Self::TooLong { .. } => "too_long",
        }
    }
}

/// A body for a target.
#[derive(Debug, Clone)]
pub struct Push<'a> {
    /// How.
    pub method: Method,
    /// Where.
    pub url: &'a Url,
    /// The bearer token; empty: none is sent, and the headers say who asks.
    pub token: &'a Secret,
    /// Headers of the target's own. Their values are kept out of every text.
    pub headers: &'a [(String, Secret)],
    /// The type of the body.
    pub content_type: &'a str,
    /// The body.
    pub body: String,
    /// Goes along for the platform's logs.
    pub request_id: &'a str,
}

/// A connection pool towards one platform host.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    clocks: Arc<Clocks>,
}

/// The clocks of the hosts that answered, beside one of ours that is never set.
#[derive(Debug)]
struct Clocks {
    origin: Instant,
    hosts: Mutex<HashMap<String, PlatformClock>>,
}

impl Clocks {
    /// What the clock of this host shows, at least, when an answer of it with this `Date` was just received.
    fn shown(&self, url: &Url, headers: &HeaderMap) -> Option<UtcMicros> {
        let date = http_date(headers.get(DATE)?.to_str().ok()?, now())?;
        let received = self.origin.elapsed();
        let host = url.host_str().unwrap_or_default();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if !hosts.contains_key(host) {
            hosts.insert(host.to_owned(), PlatformClock::default());
        }
        let clock = hosts.get_mut(host)?;
        Some(clock.observe(date, received))
    }
}

impl Client {
    /// A client for this base URL. A process-wide TLS provider must have been installed.
    pub fn new(base: &Url, timeouts: Timeouts) -> Result<Self, CallError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.read)
            .timeout(timeouts.total)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            // Shorter than any load balancer keeps an idle connection: a request on a dead one has an unknown outcome.
            .pool_idle_timeout(Duration::from_secs(20))
            .user_agent(concat!("kpiline/", env!("CARGO_PKG_VERSION")));
        if base.scheme() == "http" {
            // Without TLS no certificates are needed, and a bare machine has none.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(CallError::Build)?;
        let clocks = Clocks {
            origin: Instant::now(),
            hosts: Mutex::default(),
        };
        Ok(Self {
            http,
            clocks: Arc::new(clocks),
        })
    }

    /// Pushes a body to a target.
    pub async fn push(&self, push: Push<'_>) -> Result<Answer, CallError> {
        let id = HeaderValue::from_str(push.request_id).map_err(|_| CallError::Request {
            what: "the request id",
        })?;
        let sent = push
            .headers
            .iter()
            .map(|(_, value)| value.expose())
            .chain([push.token.expose()]);
        // What stands in the rows too is no secret, and the answer is read by it: an organisation that is also named in a header.
        let sent: Vec<&str> = sent
            .filter(|value| memmem::find(push.body.as_bytes(), value.as_bytes()).is_none())
            .collect();
        let mut request = self
            .http
            .request(push.method.into(), push.url.clone())
            .header(CONTENT_TYPE, push.content_type)
            .header(ACCEPT, "application/json")
            .header("x-request-id", id)
            .body(push.body);
        if !push.token.expose().is_empty() {
            let authorization = sensitive(format!("Bearer {}", push.token.expose()), "the token")?;
            request = request.header(AUTHORIZATION, authorization);
        }
        for (name, value) in push.headers {
            let value = sensitive(value.expose().to_owned(), "a header")?;
            request = request.header(name, value);
        }
        Ok(self
            .answer(request, push.url, ANSWER_MAX)
            .await?
            .without(&sent))
    }

    /// Sends a request of a REST API, with a bearer token and perhaps a JSON body.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        token: &Secret,
        body: Option<&serde_json::Value>,
    ) -> Result<Answer, CallError> {
        let authorization = sensitive(format!("Bearer {}", token.expose()), "the token")?;
        let mut request = self
            .http
            .request(method.into(), url.clone())
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.json(body);
        }
        Ok(self
            .answer(request, url, ANSWER_MAX)
            .await?
            .without(&[token.expose()]))
    }

    /// The same for an answer that may be long: up to `longest` bytes, which the platform may send compressed.
    pub async fn fetch(
        &self,
        method: Method,
        url: &Url,
        token: &Secret,
        body: Option<&serde_json::Value>,
        longest: usize,
    ) -> Result<Answer, CallError> {
        let authorization = sensitive(format!("Bearer {}", token.expose()), "the token")?;
        let mut request = self
            .http
            .request(method.into(), url.clone())
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json")
            .header(ACCEPT_ENCODING, "gzip");
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = unpacked(self.answer(request, url, longest).await?, url, longest).await?;
        // Records, which may be many megabytes, are no place where a platform repeats what it was sent.
        Ok(if answer.status < 300 {
            answer
        } else {
            answer.without(&[token.expose()])
        })
    }

    /// Gets a link that carries its own permission: no token goes along.
    pub async fn get_open(&self, url: &Url, longest: usize) -> Result<Answer, CallError> {
        let request = self.http.get(url.clone()).header(ACCEPT_ENCODING, "gzip");
        unpacked(self.answer(request, url, longest).await?, url, longest).await
    }

    /// Posts a body of any kind with headers of the caller's. Their values are kept out of every text.
    pub async fn post_raw(
        &self,
        url: &Url,
        headers: &[(String, Secret)],
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Answer, CallError> {
        self.send_raw(Method::Post, url, headers, content_type, body)
            .await
    }

    /// The same by any method.
    pub async fn send_raw(
        &self,
        method: Method,
        url: &Url,
        headers: &[(String, Secret)],
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Answer, CallError> {
        let mut request = self
            .http
            .request(method.into(), url.clone())
            .header(CONTENT_TYPE, content_type);
        if body.is_empty() {
            // The client leaves it out then, and receivers of files insist on it.
            request = request.header(CONTENT_LENGTH, 0);
        }
        for (name, value) in headers {
            let value = sensitive(value.expose().to_owned(), "a header")?;
            request = request.header(name, value);
        }
        let sent: Vec<&str> = headers.iter().map(|(_, value)| value.expose()).collect();
        let answer = self.answer(request.body(body), url, ANSWER_MAX).await?;
        Ok(answer.without(&sent))
    }

    /// Posts a form with Basic authentication.
    pub(crate) async fn post_form(
        &self,
        url: &Url,
        user: &str,
        password: &Secret,
        form: &[(&str, &str)],
    ) -> Result<Answer, CallError> {
        let request = self
            .http
            .post(url.clone())
            .basic_auth(user, Some(password.expose()))
            .header(ACCEPT, "application/json")
            .form(form);
        let basic = STANDARD.encode(format!("{user}:{}", password.expose()));
        Ok(self
            .answer(request, url, ANSWER_MAX)
            .await?
            .without(&[password.expose(), &basic]))
    }

    /// Posts JSON without authentication.
    pub(crate) async fn post_open(
        &self,
        url: &Url,
        body: &serde_json::Value,
    ) -> Result<Answer, CallError> {
        let request = self
            .http
            .post(url.clone())
            .header(ACCEPT, "application/json")
            .json(body);
        // What stands in such a body is who asks.
        let sent: Vec<&str> = body
            .as_object()
            .into_iter()
            .flat_map(|members| members.values())
            .filter_map(serde_json::Value::as_str)
            .collect();
        Ok(self.answer(request, url, ANSWER_MAX).await?.without(&sent))
    }

    async fn answer(
        &self,
        request: reqwest::RequestBuilder,
        url: &Url,
        longest: usize,
    ) -> Result<Answer, CallError> {
        let mut response = request.send().await.map_err(|error| classify(error, url))?;
        let mut answer = Answer {
            status: response.status().as_u16(),
            platform_now: self.clocks.shown(url, response.headers()),
            headers: response
                .headers()
                .iter()
                .filter_map(|(name, value)| {
                    // A header that is no text is none that anybody here reads.
                    Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
                })
                .collect(),
            body: Vec::new(),
        };
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| classify(error, url))?
        {
            if answer.body.len() + chunk.len() > longest {
                return Err(CallError::TooLong {
                    host: host(url),
                    longest,
                });
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }
}

/// Shorter texts are no secrets, and would be found in innocent words.
const SECRET_MIN: usize = 6;
const FORGOTTEN: &[u8] = b"[secret]";

impl Answer {
    /// The answer with what was sent in secret taken out of it: some platforms repeat a header that they did not like, and answers are kept.
    fn without(mut self, secrets: &[&str]) -> Self {
        let long = secrets.iter().filter(|secret| secret.len() >= SECRET_MIN);
        for secret in long {
            let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
            let escaped = secret.replace('/', "\\/");
            for form in [*secret, &encoded, &escaped] {
                self.body = replaced(std::mem::take(&mut self.body), form.as_bytes());
                for (_, value) in &mut self.headers {
                    if value.contains(form) {
                        *value = value.replace(form, "[secret]");
                    }
                }
            }
        }
        self
    }
}

fn replaced(text: Vec<u8>, what: &[u8]) -> Vec<u8> {
    let finder = memmem::Finder::new(what);
    if finder.find(&text).is_none() {
        return text;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut from = 0;
    for at in finder.find_iter(&text) {
        out.extend_from_slice(&text[from..at]);
        out.extend_from_slice(FORGOTTEN);
        from = at + what.len();
    }
    out.extend_from_slice(&text[from..]);
    out
}

/// Our own wall clock.
pub(crate) fn now() -> UtcMicros {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

fn sensitive(text: String, what: &'static str) -> Result<HeaderValue, CallError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| CallError::Request { what })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The answer with its body as it was before compression.
async fn unpacked(answer: Answer, url: &Url, longest: usize) -> Result<Answer, CallError> {
    let packed = answer
        .headers
        .iter()
        .any(|(name, value)| name == "content-encoding" && value.eq_ignore_ascii_case("gzip"));
    // 204 and the like have nothing to unpack.
    if !packed || answer.body.is_empty() {
        return Ok(answer);
    }
    let host = host(url);
    let bytes = answer.body.len().saturating_mul(UNPACKS_TO);
    aside(bytes, move || unpack(answer, host, longest)).await
}

/// The bound holds for what is unpacked too: a small body may unpack to a huge one.
fn unpack(mut answer: Answer, host: String, longest: usize) -> Result<Answer, CallError> {
    let most = u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(1);
    let mut body = Vec::with_capacity(answer.body.len().saturating_mul(4).min(longest));
    MultiGzDecoder::new(answer.body.as_slice())
        .take(most)
        .read_to_end(&mut body)
        .map_err(|problem| CallError::Packed {
            host: host.clone(),
            problem: problem.to_string(),
        })?;
    if body.len() > longest {
        return Err(CallError::TooLong { host, longest });
    }
    answer.body = body;
    Ok(answer)
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

fn classify(source: reqwest::Error, url: &Url) -> CallError {
    let host = host(url);
    let source = source.without_url();
    if source.is_builder() {
        CallError::Build(source)
    } else if source.is_connect() {
        CallError::Connect { host, source }
    } else if source.is_timeout() {
        CallError::TimedOut { host, source }
    } else {
        CallError::Broken { host, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_in_secret_is_not_in_the_answer() {
        let answer = Answer {
            status: 400,
            headers: vec![("x-why".to_owned(), "hunter/22 is no key".to_owned())],
            body: br#"{"a": "hunter/22", "b": "hunter%2F22", "c": "hunter\/22", "d": "short"}"#
                .to_vec(),
            platform_now: None,
        };
        let told = answer.without(&["hunter/22", "short", ""]);
        assert_eq!(told.headers[0].1, "[secret] is no key");
        assert_eq!(
            String::from_utf8(told.body).unwrap(),
            r#"{"a": "[secret]", "b": "[secret]", "c": "[secret]", "d": "short"}"#
        );
    }
}
