//! From `[subscription.platform]` to [`Platform`], noting every problem on the way.

mod credentials;
mod genesys;
mod proof;
mod registration;

pub(in crate::subscriptions) use proof::ways;

use super::kinds::Kind;
use super::{Platform, QUIET_AFTER_MIN, QuietWhen, region};
use ::platform::limit::Limit;
use access::entry::{Entry, Query, http_url};
use runtime::toml_file::{Section, TomlFile};
use std::path::Path;
use std::time::Duration;
use url::Url;

/// The kinds, as the file says them.
const KINDS: [&str; 5] = [
    "guide-webhook",
    "genesys-eventbridge",
    "genesys-process-automation",
    "cxone-digital",
    "none",
];
/// What a client may use where nobody states it, neither here nor in any other file: little.
const LIMIT: Limit = Limit::new(60, Duration::from_secs(60), 1);
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
        let base_url = http_url(self.file, table, "base_url", Query::Refused)
            .or_else(|| genesys_host(domain, "api"));
        let delivery_url = http_url(self.file, table, "delivery_url", Query::Refused);
        let mut topics = self.topics(table);
        if word == "guide-webhook" && !table.table.contains_key("topics") {
            topics = vec![GUIDE_TOPIC.to_owned()];
        }
        let quiet_after = self.quiet_after(table);
        let known = [
            ("unusual", QuietWhen::Unusual),
            ("always", QuietWhen::Always),
        ];
        let quiet_when = QuietWhen::default();
        let quiet_when = self.file.choice(table, "quiet_when", &known, quiet_when);
        let credentials = self.credentials(table, word, domain);
        let entry = Entry {
            name: "subscription.platform",
            section: table,
        };
        let limit = entry.limit(self.file, Some(LIMIT));
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
            quiet_when: quiet_when?,
            credentials,
            limit: limit?,
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
}

/// A host of Genesys in the region of this domain.
fn genesys_host(domain: Option<&str>, host: &str) -> Option<Url> {
    Url::parse(&format!("https://{host}.{}", domain?)).ok()
}
