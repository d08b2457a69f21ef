//! From the file's tables to platforms, noting every problem on the way.

mod counts;

use super::{Base, CxoneSettings, Follow, GenesysSettings, Kind, Platform, Platforms, Settlement};
use crate::source::{Source, Vendor};
use platform::api::Access;
use platform::breaker;
use platform::client::Timeouts;
use platform::limit::{Limit, Limiter};
use platform::retry::Schedule;
use platform::secret::Secret;
use platform::token::Grant;
use runtime::toml_file::access::Secrets;
use runtime::toml_file::{Section, TomlFile};
use schema::{SubscriptionName, TenantId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;
use timezone::Zone;
use url::Url;

/// The version of the file this release reads.
const FILE_VERSION: u64 = 1;
const NAME_BYTES_MAX: usize = 128;
const DAY: Duration = Duration::from_secs(86_400);
/// Four fifths of the 300 a minute that either platform's notes give: refusals are seen below the nominal number.
const LIMIT: (u32, Duration) = (240, Duration::from_secs(60));
/// What the platforms refuse above.
const GENESYS_PAGE_MAX: u32 = 1000;
const GENESYS_QUERY_PAGE_MAX: u32 = 100;
const CXONE_PAGE_MAX: u32 = 10_000;
/// A details query may cover seven days without a filter.
const QUERY_SPAN_MAX: Duration = Duration::from_secs(7 * 86_400);
/// Other stretches: longer ones would be lost whole where one answer is.
const SPAN_MAX: Duration = Duration::from_secs(15 * 86_400);
/// Following begins no longer ago; what is older is fetched by `backfill start`.
const SINCE_MAX: Duration = Duration::from_secs(366 * 86_400);
const OVERLAP_MAX: Duration = Duration::from_secs(23 * 3600);
/// Platforms revise for days, not for months; settlement reads whole days again.
const REREAD_MAX: Duration = Duration::from_secs(31 * 86_400);
/// A page of history is larger than what a push is answered with, and takes its time.
const TOTAL: Duration = Duration::from_secs(120);

pub(super) fn platforms(
    name: &str,
    text: &str,
    folder: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Platforms, Vec<String>> {
    let mut file = TomlFile::new(name, text);
    let root = file.parse();
    let root = Section {
        table: root.get_ref(),
        at: 0,
    };
    let mut reader = Reader {
        file,
        secrets: Secrets { folder, variable },
        names: BTreeSet::new(),
        limits: BTreeMap::new(),
        found: Vec::new(),
        places: Vec::new(),
    };
    reader.root(root);
    reader.shares();
    let problems = reader.file.into_problems();
    if problems.is_empty() {
        Ok(Platforms::new(reader.found))
    } else {
        Err(problems)
    }
}

/// As it would be written in the file.
fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    let unit = units
        .iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    match unit {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

struct Reader<'a> {
    file: TomlFile<'a>,
    secrets: Secrets<'a>,
    names: BTreeSet<String>,
    limits: BTreeMap<String, Limit>,
    found: Vec<Platform>,
    /// Where in the file each of them is.
    places: Vec<usize>,
}

impl Reader<'_> {
    fn root(&mut self, root: Section<'_>) {
        self.file.only(root, &["version", "platform"]);
        if !root.table.contains_key("version") {
            self.file
                .problem(0, "`version` is missing; write `version = 1`");
        }
        self.file
            .number(root, "version", FILE_VERSION..FILE_VERSION + 1);
        match self.file.array(root, "platform") {
            Some((entries, _)) if !entries.is_empty() => {
                for entry in entries {
                    let at = entry.span().start;
                    match entry.get_ref().as_table() {
                        Some(table) => self.platform(Section { table, at }),
                        None => self.file.problem(at, "a [[platform]] is a table"),
                    }
                }
            }
            _ => self
                .file
                .problem(0, "no [[platform]]: there is nowhere to fetch from"),
        }
    }

    /// Of several platforms of one organisation each has to say which subscriptions it stands in for: asked of the wrong one, a gap would
    /// be closed by nothing.
    fn shares(&mut self) {
        let mut taken = BTreeSet::new();
        for index in 0..self.found.len() {
            let (one, at) = (&self.found[index], self.places[index]);
            let tenant = one.tenant.clone();
            let others = self.found.iter().filter(|other| other.tenant == tenant);
            if others.count() > 1 && one.stands_in_for.is_none() {
                let asked = one
                    .settlement
                    .as_ref()
                    .is_some_and(|settlement| settlement.gaps || settlement.lookups);
                if asked {
                    self.file.problem(
                        at,
                        format_args!(
                            "`{}` has several platforms: write which live subscriptions `{}` fetches the gaps and unfinished interactions of, \
                             such as stands_in_for = [\"events\"], or none of them, stands_in_for = []",
                            tenant.as_str(),
                            one.name
                        ),
                    );
                }
                self.found[index].stands_in_for = Some(Vec::new());
                continue;
            }
            for name in one.stands_in_for.iter().flatten() {
                if !taken.insert((tenant.clone(), name.clone())) {
                    self.file.problem(
                        at,
                        format_args!(
                            "another platform of `{}` stands in for `{}`, too",
                            tenant.as_str(),
                            name.as_str()
                        ),
                    );
                }
            }
        }
    }

    /// Names of subscriptions; none where nothing is said.
    fn subscriptions(&mut self, section: Section<'_>, key: &str) -> Option<Vec<SubscriptionName>> {
        let (entries, _) = self.file.array(section, key)?;
        let mut found = Vec::new();
        for entry in entries {
            match entry.get_ref().as_str() {
                Some(text) if !text.is_empty() && text.trim() == text && !text.contains(char::is_control) => {
                    found.push(SubscriptionName::from(text));
                }
                _ => self.file.problem(
                    entry.span().start,
                    format_args!("`{key}`: the name of a subscription is a text without surrounding blanks and control characters"),
                ),
            }
        }
        Some(found)
    }

    fn platform(&mut self, section: Section<'_>) {
        self.file.only(
            section,
            &[
                "name",
                "tenant",
                "platform",
                "base_url",
                "subscription",
                "stands_in_for",
                "credentials",
                "rate",
                "timeouts",
                "retry",
                "genesys",
                "cxone",
                "follow",
                "settlement",
                "counts",
            ],
        );
        let name = self.name(section);
        let tenant = self.plain(section, "tenant");
        let vendor = self.vendor(section);
        let base = self.base_url(section, vendor);
        let subscription = if section.table.contains_key("subscription") {
            self.plain(section, "subscription")
        } else {
            name.as_ref().map(|name| format!("backfill-{name}"))
        };
        let stands_in_for = self.subscriptions(section, "stands_in_for");
        let grant = self.grant(section, vendor);
        let limit = self.limit(section);
        let timeouts = self.timeouts(section);
        let (schedule, breaker) = self.retry(section);
        let kind = self.kind(section, vendor, base.is_some());
        let follow = self.follow(section, vendor, kind.as_ref());
        let settlement = self.settlement(section, vendor);
        let counts = self.counts(section, kind.as_ref(), follow.as_ref());
        let (Some(name), Some(tenant), Some(kind), Some(grant), Some(limit), Some(subscription)) =
            (name, tenant, kind, grant, limit, subscription)
        else {
            return; // every missing part has been noted
        };
        let credential = grant.credential_name();
        if *self.limits.entry(credential.clone()).or_insert(limit) != limit {
            self.file.problem(
                section.at,
                "another platform has the same credentials and another [platform.rate]; the limit belongs to the credential",
            );
        }
        let Some(base) =
            base.or_else(|| matches!(kind, Kind::Cxone(_)).then(|| grant.url().clone()))
        else {
            return;
        };
        self.places.push(section.at);
        self.found.push(Platform {
            name,
            tenant: TenantId::from(tenant.as_str()),
            kind,
            access: Access {
                base,
                grant,
                limit,
                timeouts,
                schedule,
            },
            credential,
            subscription: SubscriptionName::from(subscription.as_str()),
            stands_in_for,
            breaker,
            follow,
            settlement,
            counts,
        });
    }

    fn name(&mut self, section: Section<'_>) -> Option<String> {
        let (text, at) = self.file.required(section, "name")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
        if text.len() > NAME_BYTES_MAX || !text.bytes().all(plain) {
            self.file.problem(
                at,
                format_args!("`name` is `{text}`; allowed are up to {NAME_BYTES_MAX} letters, digits and . _ - :"),
            );
            return None;
        }
        if !self.names.insert(text.to_owned()) {
            self.file
                .problem(at, format_args!("the name `{text}` is taken by another"));
        }
        Some(text.to_owned())
    }

    /// Compared byte by byte with what subscriptions and imports say: what nobody can see must not make it another.
    fn plain(&mut self, section: Section<'_>, key: &str) -> Option<String> {
        let (text, at) = self.file.required(section, key)?;
        if text.trim() != text || text.contains(char::is_control) {
            self.file.problem(
                at,
                format_args!("`{key}` is {text:?}; allowed is a text without surrounding blanks and control characters"),
            );
            return None;
        }
        Some(text.to_owned())
    }

    fn vendor(&mut self, section: Section<'_>) -> Option<Vendor> {
        let (text, at) = self.file.required(section, "platform")?;
        match text {
            "genesys" => Some(Vendor::Genesys),
            "cxone" => Some(Vendor::Cxone),
            other => {
                self.file.problem(
                    at,
                    format_args!("`platform` is `{other}`; known are genesys, cxone"),
                );
                None
            }
        }
    }

    fn base_url(&mut self, section: Section<'_>, vendor: Option<Vendor>) -> Option<Url> {
        if section.table.contains_key("base_url") {
            return self.url(section, "base_url", false);
        }
        if vendor == Some(Vendor::Genesys) {
            self.file.problem(section.at, "`base_url` is missing");
        }
        None
    }

    fn url(&mut self, section: Section<'_>, key: &str, with_query: bool) -> Option<Url> {
        let (text, at) = self.file.required(section, key)?;
        match Url::parse(text) {
            Ok(url)
                if matches!(url.scheme(), "http" | "https")
                    && url.has_host()
                    && (with_query || url.query().is_none())
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

    fn grant(&mut self, section: Section<'_>, vendor: Option<Vendor>) -> Option<Grant> {
        let Some(credentials) = self.file.section(section, "credentials") else {
            if !section.table.contains_key("credentials") {
                self.file
                    .problem(section.at, "[platform.credentials] is missing");
            }
            return None;
        };
        self.file.only(
            credentials,
            &["grant", "token_url", "client_id", "client_secret"],
        );
        let url = self.url(credentials, "token_url", false);
        let id = self.file.secret(credentials, "client_id", self.secrets);
        let secret = self.file.secret(credentials, "client_secret", self.secrets);
        let kind = match self.file.text(credentials, "grant") {
            Some((kind @ ("client-credentials" | "access-key"), _)) => Some(kind),
            Some((other, at)) => {
                self.file.problem(
                    at,
                    format_args!("`grant` is `{other}`; known are client-credentials, access-key"),
                );
                None
            }
            None => vendor.map(|vendor| match vendor {
                Vendor::Genesys => "client-credentials",
                Vendor::Cxone => "access-key",
            }),
        };
        let (url, id, secret) = (url?, id?.expose().to_owned(), secret?);
        let secret = Secret::new(secret.expose());
        Some(match kind? {
            "access-key" => Grant::AccessKey {
                url,
                key_id: id,
                key_secret: secret,
            },
            _ => Grant::ClientCredentials {
                url,
                client_id: id,
                client_secret: secret,
            },
        })
    }

    fn limit(&mut self, section: Section<'_>) -> Option<Limit> {
        let (rate, at) = self.file.rate(section).unwrap_or_default();
        let mut limit = Limit::new(
            rate.requests.unwrap_or(LIMIT.0),
            rate.period.unwrap_or(LIMIT.1),
            rate.burst.unwrap_or(1),
        );
        limit.lapse = rate.lapse.unwrap_or(limit.lapse);
        if let Err(error) = Limiter::new(limit) {
            self.file
                .problem(at, format_args!("[platform.rate]: {error}"));
            return None;
        }
        Some(limit)
    }

    fn timeouts(&mut self, section: Section<'_>) -> Timeouts {
        let usual = Timeouts {
            total: TOTAL,
            ..Timeouts::default()
        };
        let Some((said, at)) = self.file.timeouts(section) else {
            return usual;
        };
        let timeouts = Timeouts {
            connect: said.connect.unwrap_or(usual.connect),
            read: said.read.unwrap_or(usual.read),
            total: said.total.unwrap_or(usual.total),
        };
        if timeouts.total < timeouts.connect {
            self.file.problem(at, "`total` is shorter than `connect`");
        }
        timeouts
    }

    fn retry(&mut self, section: Section<'_>) -> (Schedule, breaker::Policy) {
        let (mut schedule, mut policy) = (Schedule::default(), breaker::Policy::default());
        let Some((said, at)) = self.file.retry(section) else {
            return (schedule, policy);
        };
        schedule.first = said.first.unwrap_or(schedule.first);
        schedule.longest = said.longest.unwrap_or(schedule.longest);
        if schedule.longest < schedule.first {
            self.file.problem(at, "`longest` is shorter than `first`");
        }
        policy.failures = said.breaker_failures.unwrap_or(policy.failures);
        if let Some(cool_down) = said.breaker_cool_down {
            policy.cool_down = cool_down;
            policy.longest = policy.longest.max(cool_down);
        }
        (schedule, policy)
    }

    fn kind(
        &mut self,
        section: Section<'_>,
        vendor: Option<Vendor>,
        base_stated: bool,
    ) -> Option<Kind> {
        for (table, of) in [("genesys", Vendor::Genesys), ("cxone", Vendor::Cxone)] {
            if vendor.is_some_and(|vendor| vendor != of)
                && let Some(entry) = section.table.get(table)
            {
                self.file.problem(
                    entry.span().start,
                    format_args!(
                        "[platform.{table}] has a meaning only with platform = \"{table}\""
                    ),
                );
            }
        }
        Some(match vendor? {
            Vendor::Genesys => Kind::Genesys(self.genesys(section)),
            Vendor::Cxone => Kind::Cxone(self.cxone(section, base_stated)),
        })
    }

    fn genesys(&mut self, section: Section<'_>) -> GenesysSettings {
        let usual = GenesysSettings::default();
        let Some(table) = self.file.section(section, "genesys") else {
            return usual;
        };
        self.file.only(
            table,
            &[
                "page_size",
                "query_page_size",
                "lookup_ids",
                "jobs_at_once",
                "job_span",
                "query_span",
                "query_lag",
            ],
        );
        let file = &mut self.file;
        let mut count = |key, most, usual| file.count(table, key, most).unwrap_or(usual);
        let page_size = count("page_size", GENESYS_PAGE_MAX, usual.page_size);
        let query_page_size = count(
            "query_page_size",
            GENESYS_QUERY_PAGE_MAX,
            usual.query_page_size,
        );
        let lookup_ids = count("lookup_ids", GENESYS_QUERY_PAGE_MAX, usual.lookup_ids);
        let jobs_at_once = count("jobs_at_once", 100, usual.jobs_at_once);
        GenesysSettings {
            page_size,
            query_page_size,
            lookup_ids,
            jobs_at_once,
            job_span: self.span(table, "job_span", SPAN_MAX, usual.job_span),
            query_span: self.span(table, "query_span", QUERY_SPAN_MAX, usual.query_span),
            query_lag: self
                .file
                .duration(table, "query_lag")
                .unwrap_or(usual.query_lag),
        }
    }

    fn cxone(&mut self, section: Section<'_>, base_stated: bool) -> CxoneSettings {
        let usual = CxoneSettings {
            base: if base_stated {
                Base::Stated
            } else {
                Base::Token
            },
            ..CxoneSettings::default()
        };
        let Some(table) = self.file.section(section, "cxone") else {
            return usual;
        };
        self.file.only(
            table,
            &[
                "api_version",
                "page_size",
                "span",
                "report_span",
                "report_zone",
                "lag",
                "extraction_pause",
                "discovery_url",
            ],
        );
        let api_version = self
            .file
            .number(table, "api_version", 3..100)
            .and_then(|version| u16::try_from(version).ok())
            .unwrap_or(usual.api_version);
        let page_size = self.file.count(table, "page_size", CXONE_PAGE_MAX);
        let base = match self.discovery(table, base_stated) {
            Some(url) => Base::Discovery(url),
            None => usual.base,
        };
        CxoneSettings {
            api_version,
            page_size: page_size.unwrap_or(usual.page_size),
            span: self.span(table, "span", SPAN_MAX, usual.span),
            report_span: self.span(table, "report_span", SPAN_MAX, usual.report_span),
            report_zone: self.zone(table, "report_zone"),
            lag: self.file.duration(table, "lag").unwrap_or(usual.lag),
            extraction_pause: self
                .file
                .duration(table, "extraction_pause")
                .unwrap_or(usual.extraction_pause),
            base,
        }
    }

    fn discovery(&mut self, table: Section<'_>, base_stated: bool) -> Option<Url> {
        let entry = table.table.get("discovery_url")?;
        if base_stated {
            self.file.problem(
                entry.span().start,
                "`discovery_url` and `base_url`: give one of them, not both",
            );
        }
        self.url(table, "discovery_url", true)
    }

    fn zone(&mut self, table: Section<'_>, key: &str) -> Option<Zone> {
        let (text, at) = self.file.text(table, key)?;
        match Zone::parse(text) {
            Ok(zone) => Some(zone),
            Err(error) => {
                self.file.problem(at, format_args!("`{key}`: {error}"));
                None
            }
        }
    }

    /// A stretch of time that one request is for: whole seconds, since the platforms know no others everywhere.
    fn span(&mut self, table: Section<'_>, key: &str, most: Duration, usual: Duration) -> Duration {
        let Some(span) = self.file.duration(table, key) else {
            return usual;
        };
        if span > most || span < Duration::from_secs(60) || span.subsec_nanos() != 0 {
            self.wrong(
                table,
                key,
                format_args!(
                    "allowed are whole seconds, 1m to {} days",
                    most.as_secs() / DAY.as_secs()
                ),
            );
            return usual;
        }
        span
    }

    fn wrong(&mut self, table: Section<'_>, key: &str, why: std::fmt::Arguments<'_>) {
        let at = table.table.get(key);
        let at = at.map_or(table.at, |value| value.span().start);
        self.file.problem(at, format_args!("`{key}`: {why}"));
    }

    fn follow(
        &mut self,
        section: Section<'_>,
        vendor: Option<Vendor>,
        kind: Option<&Kind>,
    ) -> Option<Follow> {
        let table = self.file.section(section, "follow")?;
        self.file.only(
            table,
            &[
                "sources",
                "every",
                "settle",
                "overlap",
                "reread",
                "longest",
                "since",
                "until_webhooks",
            ],
        );
        let usual = Follow::default();
        // Genesys' queries are up to date within minutes; CXone's rows come from its warehouse.
        let settle = match kind {
            Some(Kind::Genesys(settings)) => settings.query_lag,
            Some(Kind::Cxone(settings)) => settings.lag,
            None => usual.settle,
        };
        let sources = self.sources(table, vendor, None);
        let reread = self.ages(table, "reread").unwrap_or(usual.reread);
        let until_webhooks = if table.table.contains_key("until_webhooks") {
            self.plain(table, "until_webhooks")
        } else {
            None
        };
        let file = &mut self.file;
        let mut span = |key, usual| file.duration(table, key).unwrap_or(usual);
        let follow = Follow {
            sources,
            every: span("every", usual.every),
            settle: span("settle", settle),
            overlap: span("overlap", usual.overlap),
            reread,
            longest: span("longest", usual.longest),
            until_webhooks: until_webhooks.as_deref().map(SubscriptionName::from),
            since: span("since", usual.since),
        };
        let second = Duration::from_secs(1);
        self.within(table, "every", follow.every, second..=DAY);
        self.within(table, "settle", follow.settle, Duration::ZERO..=DAY);
        self.within(
            table,
            "overlap",
            follow.overlap,
            Duration::ZERO..=OVERLAP_MAX,
        );
        let minute = Duration::from_secs(60);
        // With its overlap each stretch is one request, which the platforms take so much in at most.
        let longest = match vendor {
            Some(Vendor::Genesys) => QUERY_SPAN_MAX,
            _ => SPAN_MAX,
        };
        let longest = longest.saturating_sub(follow.overlap.min(DAY));
        self.within(table, "longest", follow.longest, minute..=longest);
        self.within(table, "since", follow.since, second..=SINCE_MAX);
        for age in &follow.reread {
            self.within(table, "reread", *age, minute..=REREAD_MAX);
        }
        Some(follow)
    }

    fn within(
        &mut self,
        table: Section<'_>,
        key: &str,
        found: Duration,
        allowed: RangeInclusive<Duration>,
    ) {
        if !allowed.contains(&found) {
            let (from, to) = allowed.into_inner();
            let (from, to) = (words(from), words(to));
            self.wrong(table, key, format_args!("allowed are {from} to {to}"));
        }
    }

    fn settlement(&mut self, section: Section<'_>, vendor: Option<Vendor>) -> Option<Settlement> {
        let table = self.file.section(section, "settlement")?;
        self.file.only(
            table,
            &[
                "sources",
                "days",
                "at",
                "zone",
                "lookups",
                "lookup_every",
                "lookup_settle",
                "gaps",
                "gap_margin",
            ],
        );
        let usual = Settlement::default();
        let main = vendor.map(|vendor| match vendor {
            Vendor::Genesys => Source::GenesysConversations,
            Vendor::Cxone => Source::CxoneContacts,
        });
        let sources = self.sources(table, vendor, main);
        let days = self.days(table).unwrap_or(usual.days);
        let at = self.time_of_day(table).unwrap_or(usual.at);
        let zone = self.zone(table, "zone").unwrap_or(usual.zone);
        let file = &mut self.file;
        let lookups = file.flag(table, "lookups").unwrap_or(usual.lookups);
        let gaps = file.flag(table, "gaps").unwrap_or(usual.gaps);
        let mut span = |key, usual| file.duration(table, key).unwrap_or(usual);
        Some(Settlement {
            sources,
            days,
            at,
            zone,
            lookups,
            lookup_every: span("lookup_every", usual.lookup_every),
            lookup_settle: span("lookup_settle", usual.lookup_settle),
            gaps,
            gap_margin: span("gap_margin", usual.gap_margin),
        })
    }

    fn time_of_day(&mut self, table: Section<'_>) -> Option<(u8, u8)> {
        let (text, at) = self.file.text(table, "at")?;
        let parsed = text.split_once(':').and_then(|(hour, minute)| {
            let number = |text: &str, most| {
                (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
                    .then(|| text.parse::<u8>().ok().filter(|number| *number < most))
                    .flatten()
            };
            Some((number(hour, 24)?, number(minute, 60)?))
        });
        if parsed.is_none() {
            self.file.problem(
                at,
                format_args!("`at` is `{text}`; write a time of day such as 03:30"),
            );
        }
        parsed
    }

    fn ages(&mut self, table: Section<'_>, key: &str) -> Option<Vec<Duration>> {
        let (entries, _) = self.file.array(table, key)?;
        let mut ages = BTreeSet::new();
        for entry in entries {
            let text = entry.get_ref().as_str().unwrap_or_default();
            match runtime::args::positive_duration(text) {
                Ok(age) => {
                    ages.insert(age);
                }
                Err(error) => self
                    .file
                    .problem(entry.span().start, format_args!("`{key}`: {error}")),
            }
        }
        Some(ages.into_iter().collect())
    }

    /// Sources of this vendor that cover a stretch of time and want to know nothing else; `usual` where nothing is said.
    fn sources(
        &mut self,
        table: Section<'_>,
        vendor: Option<Vendor>,
        usual: Option<Source>,
    ) -> Vec<Source> {
        let Some((entries, at)) = self.file.array(table, "sources") else {
            if usual.is_none() && !table.table.contains_key("sources") {
                self.file.problem(table.at, "`sources` is missing");
            }
            return usual.into_iter().collect();
        };
        if entries.is_empty() {
            self.file.problem(at, "`sources` is empty");
        }
        let fits = |source: Source| {
            source.goes_on_by_itself() && (vendor.is_none() || source.vendor() == vendor)
        };
        let mut found = Vec::new();
        for entry in entries {
            let at = entry.span().start;
            let text = entry.get_ref().as_str().unwrap_or_default();
            match Source::parse(text).filter(|source| fits(*source)) {
                Some(source) if found.contains(&source) => self
                    .file
                    .problem(at, format_args!("the source `{text}` is named twice")),
                Some(source) => found.push(source),
                None => self.file.problem(
                    at,
                    format_args!(
                        "the source `{text}` is not known here; known are {}",
                        Source::names(fits)
                    ),
                ),
            }
        }
        found
    }

    fn days(&mut self, table: Section<'_>) -> Option<Vec<u16>> {
        let (entries, at) = self.file.array(table, "days")?;
        if entries.is_empty() {
            self.file.problem(
                at,
                "`days` is empty; leave [platform.settlement] out to pull nothing again",
            );
        }
        let mut days = BTreeSet::new();
        for entry in entries {
            let day = entry
                .get_ref()
                .as_integer()
                .and_then(|number| u16::from_str_radix(number.as_str(), number.radix()).ok())
                .filter(|day| (1..=62).contains(day));
            match day {
                Some(day) => {
                    days.insert(day);
                }
                None => self
                    .file
                    .problem(entry.span().start, "a day is a whole number from 1 to 62"),
            }
        }
        Some(days.into_iter().collect())
    }
}
