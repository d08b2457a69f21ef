//! From `[subscription.platform]` to [`Platform`], noting every problem on the way.

use super::kinds::{EventBridge, Fields, Kind, Registration, Trigger};
use super::secret::{Credentials, GrantKind, Proof, ProofEncoding, ProofScheme, SecretRef, Source};
use super::{Platform, QUIET_AFTER_MIN, QuietWhen, region};
use ::platform::client::Method;
use ::platform::limit::Limit;
use ::platform::secret::Secret;
use hyper::header::HeaderName;
use runtime::toml_file::{Section, TomlFile};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;
use url::Url;

/// The kinds, as the file says them.
const KINDS: [&str; 5] = [
    "guide-webhook",
    "genesys-eventbridge",
    "genesys-process-automation",
    "cxone-digital",
    "none",
];
/// The shortest that Genesys takes.
const EVENT_TTL_MIN: Duration = Duration::from_secs(10);
/// What a client may use where nobody states it, neither here nor in any other file: little.
const LIMIT: Limit = Limit::new(60, Duration::from_secs(60), 1);
const SIGNATURE_HEADER: &str = "x-genesys-signature";
/// What the guide calls the channel.
const GUIDE_TOPIC: &str = "analytics:events:publish";

/// Reads the table of a subscription, if it has one.
pub(in crate::subscriptions) fn platform(
    file: &mut TomlFile<'_>,
    folder: &Path,
    subscription: Section<'_>,
) -> Option<Platform> {
    let table = file.section(subscription, "platform")?;
    Reader { file, folder }.platform(table, subscription)
}

/// How a subscription's deliveries prove to be genuine, in words: what its signature and its other ways say, without the secrets.
pub(in crate::subscriptions) fn ways(subscription: Section<'_>) -> Option<String> {
    let signature = subscription.table.get("signature");
    let signature = signature.and_then(|table| table.get_ref().as_table());
    let signature = signature.map(|members| {
        let text = |key: &str| members.get(key).and_then(|value| value.get_ref().as_str());
        format!(
            "{} {}",
            text("scheme").unwrap_or("hmac-sha256"),
            text("header").unwrap_or(SIGNATURE_HEADER).to_lowercase()
        )
    });
    let others = subscription
        .table
        .get("auth")
        .and_then(|ways| ways.get_ref().as_array());
    let others = others.into_iter().flat_map(|ways| ways.iter());
    let others = others.filter_map(|way| {
        let members = way.get_ref().as_table()?;
        let text = |key: &str| members.get(key).and_then(|value| value.get_ref().as_str());
        Some(match text("header") {
            Some(header) => format!("{} {}", text("way")?, header.to_lowercase()),
            None => text("way")?.to_owned(),
        })
    });
    let all: Vec<String> = signature.into_iter().chain(others).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

struct Reader<'r, 'f> {
    file: &'r mut TomlFile<'f>,
    folder: &'r Path,
}

impl Reader<'_, '_> {
    fn platform(&mut self, table: Section<'_>, subscription: Section<'_>) -> Option<Platform> {
        self.file.only(
            table,
            &[
                "kind",
                "base_url",
                "region",
                "delivery_url",
                "topics",
                "quiet_after",
                "quiet_when",
                "credentials",
                "rate",
                "probe",
                "registration",
                "eventbridge",
                "trigger",
            ],
        );
        let kind = self.kind(table);
        // As it is written: of a kind that could not be read the rest is looked at all the same.
        let word = table.table.get("kind");
        let word = word.and_then(|word| word.get_ref().as_str()).unwrap_or("");
        let domain = self.region(table, word);
        let base_url = self
            .url(table, "base_url")
            .or_else(|| genesys(domain, "api"));
        let delivery_url = self.url(table, "delivery_url");
        let mut topics = self.topics(table);
        if word == "guide-webhook" && !table.table.contains_key("topics") {
            topics = vec![GUIDE_TOPIC.to_owned()];
        }
        let quiet_after = self.quiet_after(table);
        let quiet_when = self.quiet_when(table);
        let credentials = self.credentials(table, word, domain);
        let limit = self.limit(table);
        let rate = table.table.get("rate");
        let limit_is_stated = rate
            .and_then(|rate| rate.get_ref().as_table())
            .is_some_and(|rate| rate.contains_key("requests"));
        let proof = self.proof(table, subscription, word);
        let has_api = KINDS.contains(&word) && !matches!(word, "none" | "cxone-digital");
        if credentials.is_some() && base_url.is_none() && !table.table.contains_key("base_url") {
            self.file.problem(
                table.at,
                "`base_url` is missing: the credentials have nobody to ask",
            );
        }
        if has_api && delivery_url.is_none() && !table.table.contains_key("delivery_url") {
            self.file.problem(
                table.at,
                "`delivery_url` is missing: the URL that the platform posts to, as seen from outside",
            );
        }
        if has_api && topics.is_empty() && !table.table.contains_key("topics") {
            self.file.problem(
                table.at,
                "`topics` is missing: what the platform is to send",
            );
        }
        Some(Platform {
            kind: kind?,
            base_url,
            delivery_url,
            topics,
            quiet_after,
            quiet_when,
            credentials,
            limit,
            limit_is_stated,
            proof,
        })
    }

    fn kind(&mut self, table: Section<'_>) -> Option<Kind> {
        let (word, at) = self.file.required(table, "kind")?;
        for (section, of) in [
            ("registration", "guide-webhook"),
            ("eventbridge", "genesys-eventbridge"),
            ("trigger", "genesys-process-automation"),
        ] {
            if word != of && table.table.contains_key(section) {
                self.file.problem(
                    at,
                    format_args!(
                        "[subscription.platform.{section}] has a meaning only with kind = \"{of}\""
                    ),
                );
            }
        }
        match word {
            "none" => Some(Kind::None),
            "cxone-digital" => Some(Kind::CxoneDigital),
            "guide-webhook" => self.registration(table),
            "genesys-eventbridge" => Some(Kind::GenesysEventBridge(self.event_bridge(table))),
            "genesys-process-automation" => self.trigger(table),
            other => {
                let known = KINDS.join(", ");
                self.file
                    .problem(at, format_args!("`kind` is `{other}`; known are {known}"));
                None
            }
        }
    }

    fn region(&mut self, table: Section<'_>, kind: &str) -> Option<&'static str> {
        let (text, at) = self.file.text(table, "region")?;
        if !kind.starts_with("genesys-") {
            self.file.problem(
                at,
                "`region` has a meaning only with the kinds of Genesys; write `base_url`",
            );
            return None;
        }
        let domain = region::domain(text);
        if domain.is_none() {
            self.file.problem(
                at,
                format_args!(
                    "`region` is `{text}`; known are {}; else write `base_url` and `token_url`",
                    region::known()
                ),
            );
        }
        domain
    }

    fn topics(&mut self, table: Section<'_>) -> Vec<String> {
        let Some((entries, at)) = self.file.array(table, "topics") else {
            return Vec::new();
        };
        if entries.is_empty() {
            self.file
                .problem(at, "`topics` is empty: the platform would send nothing");
        }
        let mut topics = Vec::new();
        for entry in entries {
            let at = entry.span().start;
            match entry.get_ref().as_str().map(str::trim) {
                Some(topic) if !topic.is_empty() => {
                    if topics.iter().any(|known| known == topic) {
                        self.file
                            .problem(at, format_args!("the topic `{topic}` is named twice"));
                    }
                    topics.push(topic.to_owned());
                }
                _ => self.file.problem(at, "a topic is a text"),
            }
        }
        topics
    }

    fn quiet_when(&mut self, table: Section<'_>) -> QuietWhen {
        match self.file.text(table, "quiet_when") {
            None | Some(("unusual", _)) => QuietWhen::Unusual,
            Some(("always", _)) => QuietWhen::Always,
            Some((other, at)) => {
                self.file.problem(
                    at,
                    format_args!("`quiet_when` is `{other}`; known are unusual, always"),
                );
                QuietWhen::Unusual
            }
        }
    }

    fn quiet_after(&mut self, table: Section<'_>) -> Option<Duration> {
        let quiet_after = self.file.duration(table, "quiet_after")?;
        if quiet_after < QUIET_AFTER_MIN {
            let at = table.table.get("quiet_after");
            self.file.problem(
                at.map_or(table.at, |value| value.span().start),
                format_args!(
                    "`quiet_after` is {quiet_after:?}; allowed is {QUIET_AFTER_MIN:?} and more"
                ),
            );
        }
        Some(quiet_after)
    }

    fn credentials(
        &mut self,
        table: Section<'_>,
        kind: &str,
        domain: Option<&str>,
    ) -> Option<Credentials> {
        let credentials = self.file.section(table, "credentials")?;
        if matches!(kind, "none" | "cxone-digital") {
            self.file.problem(
                credentials.at,
                format_args!(
                    "kind \"{kind}\" has no API that could be asked: leave the credentials out"
                ),
            );
        }
        self.file.only(
            credentials,
            &["grant", "token_url", "client_id", "client_secret"],
        );
        let token_url = match genesys(domain, "login") {
            Some(mut url) if !credentials.table.contains_key("token_url") => {
                url.set_path("/oauth/token");
                Some(url)
            }
            _ => {
                if !credentials.table.contains_key("token_url") {
                    self.file.problem(credentials.at, "`token_url` is missing");
                }
                self.url(credentials, "token_url")
            }
        };
        let grant = match self.file.text(credentials, "grant") {
            None | Some(("client-credentials", _)) => Some(GrantKind::ClientCredentials),
            Some(("access-key", _)) => Some(GrantKind::AccessKey),
            Some((other, at)) => {
                self.file.problem(
                    at,
                    format_args!("`grant` is `{other}`; known are client-credentials, access-key"),
                );
                None
            }
        };
        let client_id = self.needed_secret(credentials, "client_id");
        let client_secret = self.needed_secret(credentials, "client_secret");
        Some(Credentials {
            grant: grant?,
            token_url: token_url?,
            client_id: client_id?,
            client_secret: client_secret?,
        })
    }

    fn limit(&mut self, table: Section<'_>) -> Limit {
        let Some(rate) = self.file.section(table, "rate") else {
            return LIMIT;
        };
        self.file
            .only(rate, &["requests", "period", "burst", "lapse"]);
        let mut count = |key: &str, usual: u32| {
            self.file
                .number(rate, key, 1..u64::from(u32::MAX))
                .and_then(|number| u32::try_from(number).ok())
                .unwrap_or(usual)
        };
        let (requests, burst) = (
            count("requests", LIMIT.requests),
            count("burst", LIMIT.burst),
        );
        let period = self.file.duration(rate, "period").unwrap_or(LIMIT.period);
        let mut limit = Limit::new(requests, period, burst);
        if let Some(lapse) = self.file.duration(rate, "lapse") {
            limit.lapse = lapse;
        }
        if let Err(error) = limit.refill() {
            self.file.problem(
                rate.at,
                format_args!("[subscription.platform.rate]: {error}"),
            );
        }
        limit
    }

    /// How a probe proves itself: as it is said there, else as the subscription's signature or the first of its other ways that a probe
    /// can take has it. What AWS sends has a constant header and no signature: there such a header goes before.
    fn proof(
        &mut self,
        table: Section<'_>,
        subscription: Section<'_>,
        kind: &str,
    ) -> Option<Proof> {
        if let Some(probe) = self.file.section(table, "probe") {
            self.file
                .only(probe, &["header", "scheme", "encoding", "prefix", "secret"]);
            let header = self.header(probe);
            let scheme = self.scheme(probe);
            let encoding = self.encoding(probe);
            let secret = self.needed_secret(probe, "secret");
            return Some(Proof {
                header: header?,
                scheme: scheme?,
                encoding: encoding?,
                prefix: self.prefix(probe),
                secret: Some(secret?),
            });
        }
        let header = |reader: &Self| reader.proof_by_way(subscription, "header");
        let first = match kind {
            "genesys-eventbridge" => header(self),
            _ => None,
        };
        first
            .or_else(|| self.proof_by_signature(subscription))
            .or_else(|| header(self))
            .or_else(|| self.proof_by_way(subscription, "bearer"))
            .or_else(|| self.proof_by_way(subscription, "hmac"))
    }

    /// By the first [[subscription.auth]] of this way, if a probe can take it. What is wrong there is said where the ways are read.
    fn proof_by_way(&self, subscription: Section<'_>, way: &str) -> Option<Proof> {
        let ways = subscription.table.get("auth")?.get_ref().as_array()?;
        let mut ways = ways.iter().filter_map(|way| way.get_ref().as_table());
        let members = ways.find(|members| {
            let of = members
                .get("way")
                .and_then(|value| value.get_ref().as_str());
            // A probe signs its body with HMAC-SHA256 and no more.
            let simple = members
                .get("algorithm")
                .and_then(|value| value.get_ref().as_str());
            let simple = simple.is_none_or(|name| name == "sha256")
                && !["signed", "timestamp", "secrets_in"]
                    .iter()
                    .any(|key| members.contains_key(*key));
            of == Some(way) && (way != "hmac" || simple)
        })?;
        let text = |key: &str| members.get(key).and_then(|value| value.get_ref().as_str());
        let first = members.get("secrets")?.get_ref().as_array()?.iter().next();
        let (header, prefix) = match way {
            "bearer" => ("authorization", "Bearer "),
            "hmac" => (
                text("header").unwrap_or(SIGNATURE_HEADER),
                text("prefix").unwrap_or_default(),
            ),
            _ => (text("header")?, text("prefix").unwrap_or_default()),
        };
        Some(Proof {
            header: header.to_lowercase(),
            scheme: match way {
                "hmac" => ProofScheme::Hmac,
                _ => ProofScheme::Static,
            },
            encoding: match text("encoding") {
                None | Some("hex") => ProofEncoding::Hex,
                Some("base64") => ProofEncoding::Base64,
                Some(_) => return None,
            },
            prefix: prefix.to_owned(),
            secret: first.and_then(|first| self.secret(first)),
        })
    }

    fn proof_by_signature(&self, subscription: Section<'_>) -> Option<Proof> {
        // What is wrong there is said where the signature is read.
        let signature = subscription.table.get("signature")?;
        let members = signature.get_ref().as_table()?;
        let text = |key: &str| members.get(key).and_then(|value| value.get_ref().as_str());
        let secret = members
            .get("secrets")
            .and_then(|value| value.get_ref().as_array())
            .and_then(|secrets| secrets.iter().next())
            .and_then(|first| self.secret(first));
        Some(Proof {
            header: text("header").unwrap_or(SIGNATURE_HEADER).to_lowercase(),
            scheme: match text("scheme") {
                None | Some("hmac-sha256") => ProofScheme::Hmac,
                Some("static") => ProofScheme::Static,
                Some(_) => return None,
            },
            encoding: match text("encoding") {
                Some("base64") => ProofEncoding::Base64,
                _ => ProofEncoding::Hex,
            },
            prefix: text("prefix").unwrap_or_default().to_owned(),
            secret,
        })
    }

    fn header(&mut self, table: Section<'_>) -> Option<String> {
        let (text, at) = self.file.required(table, "header")?;
        let name = HeaderName::from_bytes(text.as_bytes()).ok();
        if name.is_none() {
            self.file.problem(
                at,
                format_args!("`header` is `{text}`, which is no header name"),
            );
        }
        name.map(|name| name.as_str().to_owned())
    }

    fn scheme(&mut self, table: Section<'_>) -> Option<ProofScheme> {
        match self.file.text(table, "scheme") {
            None | Some(("hmac-sha256", _)) => Some(ProofScheme::Hmac),
            Some(("static", _)) => Some(ProofScheme::Static),
            Some((other, at)) => {
                self.file.problem(
                    at,
                    format_args!("`scheme` is `{other}`; known are hmac-sha256, static"),
                );
                None
            }
        }
    }

    fn encoding(&mut self, table: Section<'_>) -> Option<ProofEncoding> {
        match self.file.text(table, "encoding") {
            None | Some(("hex", _)) => Some(ProofEncoding::Hex),
            Some(("base64", _)) => Some(ProofEncoding::Base64),
            Some((other, at)) => {
                self.file.problem(
                    at,
                    format_args!("`encoding` is `{other}`; known are hex, base64"),
                );
                None
            }
        }
    }

    fn prefix(&mut self, table: Section<'_>) -> String {
        let prefix = self.file.text(table, "prefix");
        prefix.map_or_else(String::new, |(text, _)| text.to_owned())
    }

    fn registration(&mut self, table: Section<'_>) -> Option<Kind> {
        let Some(section) = self.file.section(table, "registration") else {
            if !table.table.contains_key("registration") {
                self.file.problem(
                    table.at,
                    "[subscription.platform.registration] is missing: what is posted where to register",
                );
            }
            return None;
        };
        self.file.only(
            section,
            &[
                "path",
                "method",
                "update_path",
                "update_method",
                "body",
                "secret",
                "items",
                "next",
                "id",
                "name",
                "url",
                "topics",
                "state",
                "good_states",
            ],
        );
        let path = self.file.required(section, "path").and_then(|(text, at)| {
            if !text.starts_with('/') {
                self.file
                    .problem(at, format_args!("`path` is `{text}`; it begins with /"));
                return None;
            }
            Some(text.to_owned())
        });
        let update_path = match self.file.text(section, "update_path") {
            Some((text, at)) => {
                if !text.starts_with('/') || !text.contains("{id}") {
                    self.file.problem(
                        at,
                        format_args!("`update_path` is `{text}`; it begins with / and has {{id}}"),
                    );
                }
                Some(text.to_owned())
            }
            None => path
                .as_ref()
                .map(|path| format!("{}/{{id}}", path.trim_end_matches('/'))),
        };
        let method = self.method(section, "method", Method::Post);
        let update_method = self.method(section, "update_method", Method::Put);
        let body = self.body(section);
        let secret = match section.table.get("secret") {
            Some(entry) => self.secret(entry),
            None => None,
        };
        if let Some(body) = &body
            && secret.is_none()
            && body.to_string().contains("{secret}")
            && !section.table.contains_key("secret")
        {
            self.file.problem(
                section.at,
                "`secret` is missing: the body has {secret} in it",
            );
        }
        let fields = Fields {
            id: self.pointer(section, "id", "/id"),
            name: self.pointer(section, "name", "/name"),
            url: self.pointer(section, "url", "/url"),
            topics: self.pointer(section, "topics", "/topics"),
            state: self.pointer(section, "state", "/state"),
        };
        let good_states = self.good_states(section);
        Some(Kind::GuideWebhook(Box::new(Registration {
            path: path?,
            method: method?,
            update_path: update_path?,
            update_method: update_method?,
            body: body?,
            secret,
            items: self.pointer(section, "items", "/entities"),
            next: self.pointer(section, "next", "/nextUri"),
            fields,
            good_states,
        })))
    }

    fn method(&mut self, section: Section<'_>, key: &str, usual: Method) -> Option<Method> {
        let Some((text, at)) = self.file.text(section, key) else {
            return Some(usual);
        };
        let method = Method::parse(text).filter(|method| *method != Method::Get);
        if method.is_none() {
            self.file.problem(
                at,
                format_args!("`{key}` is `{text}`; known are POST, PUT, PATCH"),
            );
        }
        method
    }

    fn body(&mut self, section: Section<'_>) -> Option<Value> {
        let (text, at) = self.file.required(section, "body")?;
        match serde_json::from_str::<Value>(text) {
            Ok(body) if body.to_string().contains("{url}") => Some(body),
            Ok(_) => {
                self.file.problem(
                    at,
                    "`body` has no {url}: the platform would not know where to post to",
                );
                None
            }
            Err(error) => {
                self.file
                    .problem(at, format_args!("`body` is no JSON: {error}"));
                None
            }
        }
    }

    /// A JSON pointer; the empty one is the answer itself.
    fn pointer(&mut self, section: Section<'_>, key: &str, usual: &str) -> String {
        match self.file.text(section, key) {
            None => usual.to_owned(),
            Some((text, at)) => {
                if !text.is_empty() && !text.starts_with('/') {
                    self.file.problem(
                        at,
                        format_args!(
                            "`{key}` is `{text}`; a JSON pointer such as {usual} is expected"
                        ),
                    );
                }
                text.to_owned()
            }
        }
    }

    fn good_states(&mut self, section: Section<'_>) -> Vec<String> {
        let Some((entries, _)) = self.file.array(section, "good_states") else {
            return ["active", "enabled", "true"].map(str::to_owned).to_vec();
        };
        let mut states = Vec::new();
        for entry in entries {
            match entry.get_ref().as_str() {
                Some(state) => states.push(state.to_lowercase()),
                None => self.file.problem(entry.span().start, "a state is a text"),
            }
        }
        states
    }

    fn event_bridge(&mut self, table: Section<'_>) -> EventBridge {
        let Some(section) = self.file.section(table, "eventbridge") else {
            return EventBridge::default();
        };
        self.file
            .only(section, &["organisation", "suffix", "account", "region"]);
        let mut text = |key: &str, fits: fn(&str) -> bool, what: &str| {
            let (text, at) = self.file.text(section, key)?;
            if !fits(text) {
                self.file
                    .problem(at, format_args!("`{key}` is `{text}`; {what} is expected"));
                return None;
            }
            Some(text.to_owned())
        };
        // They end up in commands and patterns that an operator runs.
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
        };
        let account =
            |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        EventBridge {
            organisation: text("organisation", plain, "the organisation's id"),
            suffix: text("suffix", plain, "the suffix of the event source"),
            account: text("account", account, "an AWS account of twelve digits"),
            region: text("region", plain, "an AWS region"),
        }
    }

    fn trigger(&mut self, table: Section<'_>) -> Option<Kind> {
        let Some(section) = self.file.section(table, "trigger") else {
            if !table.table.contains_key("trigger") {
                self.file.problem(
                    table.at,
                    "[subscription.platform.trigger] is missing: the workflow that posts to us",
                );
            }
            return None;
        };
        self.file.only(section, &["workflow", "event_ttl"]);
        let event_ttl = self.file.duration(section, "event_ttl");
        if event_ttl.is_some_and(|ttl| ttl < EVENT_TTL_MIN) {
            self.file.problem(
                section.at,
                format_args!(
                    "`event_ttl` is shorter than {EVENT_TTL_MIN:?}, which the platform refuses"
                ),
            );
        }
        let (workflow, _) = self.file.required(section, "workflow")?;
        Some(Kind::GenesysProcessAutomation(Trigger {
            workflow: workflow.to_owned(),
            event_ttl,
        }))
    }

    fn url(&mut self, section: Section<'_>, key: &str) -> Option<Url> {
        let (text, at) = self.file.text(section, key)?;
        match Url::parse(text) {
            Ok(url)
                if matches!(url.scheme(), "http" | "https")
                    && url.has_host()
                    && url.query().is_none()
                    && url.fragment().is_none()
                    && url.username().is_empty()
                    && url.password().is_none() =>
            {
                Some(url)
            }
            _ => {
                // The text may hold a password: it is not repeated.
                self.file.problem(
                    at,
                    format_args!(
                        "`{key}` is no URL such as https://host, without user, query and fragment"
                    ),
                );
                None
            }
        }
    }

    fn needed_secret(&mut self, section: Section<'_>, key: &str) -> Option<SecretRef> {
        let Some(entry) = section.table.get(key) else {
            self.file
                .problem(section.at, format_args!("`{key}` is missing"));
            return None;
        };
        let secret = self.secret(entry);
        if secret.is_none() {
            self.file.problem(
                entry.span().start,
                format_args!("`{key}` is a text, {{ value = … }}, {{ env = … }} or {{ file = … }}"),
            );
        }
        secret
    }

    /// Where a secret is. What is none is nothing.
    fn secret(&self, entry: &Spanned<DeValue<'_>>) -> Option<SecretRef> {
        let member = |key: &str| {
            entry
                .get_ref()
                .as_table()
                .filter(|table| table.len() == 1)
                .and_then(|table| table.get(key))
                .and_then(|value| value.get_ref().as_str())
        };
        let source = if let Some(value) = entry.get_ref().as_str().or_else(|| member("value")) {
            Source::Value(Secret::new(value))
        } else if let Some(name) = member("env") {
            Source::Env(name.to_owned())
        } else {
            Source::File(self.folder.join(member("file")?))
        };
        Some(SecretRef {
            place: self.file.place(entry.span().start),
            source,
        })
    }
}

fn genesys(domain: Option<&str>, host: &str) -> Option<Url> {
    Url::parse(&format!("https://{host}.{}", domain?)).ok()
}
