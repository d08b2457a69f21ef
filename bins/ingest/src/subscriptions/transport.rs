//! What a subscription says about the way its deliveries travel.
//!
//! ```toml
//! [[subscription]]
//! # … name, path, tenant, format, max_body_bytes: the largest body as it is sent
//! max_inflated_bytes = 8388608          # the largest body once decompressed
//! form_field = "payload"                # where the JSON is in a form-encoded body
//!
//! [subscription.limits]                 # over one of these: 429 with Retry-After
//! requests_per_second = 200             # without it: as many as come
//! burst = 400                           # at once after a pause; without it: those of a second
//! requests_at_once = 100                # without it: half of --receive-inbox-max (all of it where there is one subscription)
//! memory_percent = 50                   # of --receive-memory-max; without it likewise
//!
//! [subscription.handshake]              # each is off unless it is written here
//! get = "no-content"                    # answer GET and HEAD 204; "ok": 200
//!
//! [subscription.handshake.query]        # GET ?hub.challenge=…&hub.verify_token=… is answered with the challenge
//! challenge = "hub.challenge"
//! token = "hub.verify_token"            # with `tokens`, secrets as in [subscription.signature]; without both: no token
//! tokens = [{ file = "verify-token" }]
//!
//! [subscription.handshake.body]         # a genuine POST of {"type":"url_verification","challenge":"…"} likewise
//! member = "type"                       # this is what is assumed where a member is left out
//! value = "url_verification"
//! challenge = "challenge"
//! answer = "json"                       # {"challenge":"…"}; "text": the challenge alone
//!
//! [subscription.handshake.origin]       # CloudEvents: OPTIONS with WebHook-Request-Origin
//! allowed = ["emitter.example.com"]     # or ["*"]
//! ```

use super::{BODY_BYTES_MAX, Reader, Secrets};
use crate::receive::gate::{Bounds, Rate};
use crate::receive::handshake::{
    BodyChallenge, Echo, Handshake, Origins, Presence, QueryChallenge, Tokens,
};
use runtime::toml_file::Section;
use std::num::NonZeroU32;

/// The limit of decompressed bodies where none is configured, unless more is allowed without compression.
const INFLATED_BYTES_DEFAULT: usize = 8 << 20;
const FORM_FIELD: &str = "payload";
/// The settings here, for the list of those that a subscription knows.
pub(super) const SETTINGS: [&str; 4] = ["max_inflated_bytes", "form_field", "limits", "handshake"];

/// How the deliveries of a subscription travel.
#[derive(Debug, Clone)]
pub struct Transport {
    /// The largest body once decompressed.
    pub max_inflated_bytes: usize,
    /// The field of a form that has the JSON.
    pub form_field: String,
    /// What it may take of the whole.
    pub bounds: Bounds,
    /// Its handshakes.
    pub handshake: Handshake,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            max_inflated_bytes: INFLATED_BYTES_DEFAULT,
            form_field: FORM_FIELD.to_owned(),
            bounds: Bounds::default(),
            handshake: Handshake::default(),
        }
    }
}

impl Reader<'_> {
    /// Reads the settings; what is wrong has been noted, and is then as if absent.
    pub(super) fn transport(&mut self, section: Section<'_>, max_body_bytes: usize) -> Transport {
        let max_inflated_bytes = self
            .file
            .number(section, "max_inflated_bytes", 1..BODY_BYTES_MAX + 1)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(INFLATED_BYTES_DEFAULT.max(max_body_bytes));
        let bounds = match self.file.section(section, "limits") {
            Some(limits) => self.bounds(limits),
            None => Bounds::default(),
        };
        let per_second = bounds.rate.map(|rate| rate.per_second);
        let handshake = match self.file.section(section, "handshake") {
            Some(handshake) => self.handshake(handshake, per_second),
            None => Handshake::default(),
        };
        Transport {
            max_inflated_bytes,
            form_field: self.word(section, "form_field", FORM_FIELD),
            bounds,
            handshake,
        }
    }

    fn bounds(&mut self, limits: Section<'_>) -> Bounds {
        self.file.only(
            limits,
            &[
                "requests_per_second",
                "burst",
                "requests_at_once",
                "memory_percent",
            ],
        );
        let mut whole = |key: &str, max: u64| {
            let number = self.file.number(limits, key, 1..max + 1)?;
            u32::try_from(number).ok()
        };
        let per_second = whole("requests_per_second", 1_000_000);
        let burst = whole("burst", 1_000_000);
        let size = |number: Option<u32>| number.and_then(|number| usize::try_from(number).ok());
        let at_once = size(whole("requests_at_once", 1_000_000));
        let memory_percent = size(whole("memory_percent", 100));
        if burst.is_some() && !limits.table.contains_key("requests_per_second") {
            self.file.problem(
                limits.at,
                "`burst` has a meaning only with `requests_per_second`",
            );
        }
        let rate = per_second.and_then(NonZeroU32::new).map(|per_second| Rate {
            per_second,
            burst: burst.and_then(NonZeroU32::new).unwrap_or(per_second),
        });
        Bounds {
            rate,
            at_once,
            memory_percent,
        }
    }

    fn handshake(&mut self, section: Section<'_>, per_second: Option<NonZeroU32>) -> Handshake {
        self.file.only(section, &["get", "query", "body", "origin"]);
        let get = section.table.contains_key("get").then(|| {
            let known = [
                ("no-content", Some(Presence::NoContent)),
                ("ok", Some(Presence::Ok)),
            ];
            self.choice(section, "get", &known).flatten()
        });
        let query = self.file.section(section, "query");
        let body = self.file.section(section, "body");
        let origin = self.file.section(section, "origin");
        Handshake {
            get: get.flatten(),
            query: query.and_then(|query| self.query_challenge(query)),
            body: body.map(|body| self.body_challenge(body)),
            origin: origin.and_then(|origin| self.origins(origin, per_second)),
        }
    }

    fn query_challenge(&mut self, section: Section<'_>) -> Option<QueryChallenge> {
        self.file.only(section, &["challenge", "token", "tokens"]);
        let challenge = self.file.required(section, "challenge");
        let named = section.table.contains_key("token");
        if named != section.table.contains_key("tokens") {
            self.file.problem(
                section.at,
                "`token` names the parameter and `tokens` what it may be: write both or none",
            );
            return None;
        }
        let token = if named {
            let name = self.file.required(section, "token");
            // Only *receive* answers handshakes, and only it is given secrets.
            let tokens = match self.secrets {
                Secrets::Required => self.tokens(section),
                Secrets::NotNeeded => Some(Tokens::new(&[])),
            };
            Some((name?.0.to_owned(), tokens?))
        } else {
            None
        };
        Some(QueryChallenge {
            challenge: challenge?.0.to_owned(),
            token,
        })
    }

    fn tokens(&mut self, section: Section<'_>) -> Option<Tokens> {
        let (entries, at) = self.file.array(section, "tokens")?;
        if entries.is_empty() {
            self.file
                .problem(at, "`tokens` is empty: no token would be right");
            return None;
        }
        let tokens: Vec<_> = entries.iter().map(|entry| self.secret(entry)).collect();
        let tokens: Option<Vec<_>> = tokens.into_iter().collect();
        Some(Tokens::new(&tokens?))
    }

    fn body_challenge(&mut self, section: Section<'_>) -> BodyChallenge {
        self.file
            .only(section, &["member", "value", "challenge", "answer"]);
        let known = [("json", Echo::Json), ("text", Echo::Text)];
        BodyChallenge {
            member: self.word(section, "member", "type"),
            value: self.word(section, "value", "url_verification"),
            challenge: self.word(section, "challenge", "challenge"),
            echo: self.choice(section, "answer", &known).unwrap_or_default(),
        }
    }

    fn origins(&mut self, section: Section<'_>, per_second: Option<NonZeroU32>) -> Option<Origins> {
        self.file.only(section, &["allowed"]);
        let Some((entries, at)) = self.file.array(section, "allowed") else {
            if !section.table.contains_key("allowed") {
                self.file.problem(
                    section.at,
                    "`allowed` is missing: the origins that may deliver",
                );
            }
            return None;
        };
        let mut allowed = Vec::with_capacity(entries.len());
        for entry in &entries {
            match entry.get_ref().as_str().map(str::trim) {
                Some(name) if !name.is_empty() && name.is_ascii() => {
                    allowed.push(name.to_ascii_lowercase());
                }
                _ => self.file.problem(
                    entry.span().start,
                    "an origin is the DNS name that the sender states, or \"*\" for any",
                ),
            }
        }
        if entries.is_empty() {
            self.file
                .problem(at, "`allowed` is empty: no origin could deliver");
        }
        Some(Origins {
            allowed,
            per_second,
        })
    }

    /// An optional text that is not empty.
    fn word(&mut self, section: Section<'_>, key: &str, otherwise: &str) -> String {
        if !section.table.contains_key(key) {
            return otherwise.to_owned();
        }
        let found = self.file.required(section, key);
        found.map_or(otherwise, |(text, _)| text).to_owned()
    }
}

#[cfg(test)]
mod tests;
