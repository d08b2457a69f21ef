//! From the file's tables to targets, noting every problem on the way.

use super::{Target, kinds};
use crate::lanes::Order;
use platform::breaker;
use platform::client::Timeouts;
use platform::limit::Limit;
use platform::retry::Schedule;
use platform::secret::Secret;
use platform::token::Grant;
use runtime::toml_file::access::Secrets;
use runtime::toml_file::{Section, TomlFile};
use schema::{Grain, MetricVersion, TenantId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use store::sync::Lane;
use store::targets::NotBefore;
use target::capability::UsualGrant;
use target::{Filter, Kind};
use url::Url;

/// The version of the file this release reads.
const FILE_VERSION: u64 = 1;
const NAME_BYTES_MAX: usize = 128;
/// Requests that may be under way where the target says nothing: enough for the rates that platforms allow, at the pace at which they
/// answer.
const CONCURRENCY: usize = 4;
/// More connections to one platform than anybody expects of one client.
const CONCURRENCY_MAX: u64 = 64;
/// Metric versions are 16 bit, and start at 1.
const METRIC_VERSION_MAX: u64 = 32_767;
/// What a target of any kind may say.
const SETTINGS: [&str; 16] = [
    "name",
    "tenant",
    "platform",
    "base_url",
    "path",
    "metrics",
    "versions",
    "grains",
    "filter",
    "batch_max",
    "concurrency",
    "not_before",
    "credentials",
    "rate",
    "timeouts",
    "retry",
];

pub(super) fn targets(
    name: &str,
    text: &str,
    folder: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Target>, Vec<String>> {
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
        order: Order::default(),
        found: Vec::new(),
    };
    reader.root(root);
    let problems = reader.file.into_problems();
    if problems.is_empty() {
        Ok(reader.found)
    } else {
        Err(problems)
    }
}

struct Reader<'a> {
    file: TomlFile<'a>,
    secrets: Secrets<'a>,
    names: BTreeSet<String>,
    limits: BTreeMap<String, Limit>,
    order: Order,
    found: Vec<Target>,
}

impl Reader<'_> {
    fn root(&mut self, root: Section<'_>) {
        self.file.only(root, &["version", "delivery", "target"]);
        self.order = self.order(root);
        if !root.table.contains_key("version") {
            self.file
                .problem(0, "`version` is missing; write `version = 1`");
        }
        self.file
            .number(root, "version", FILE_VERSION..FILE_VERSION + 1);
        match self.file.array(root, "target") {
            Some((entries, _)) if !entries.is_empty() => {
                for entry in entries {
                    let at = entry.span().start;
                    match entry.get_ref().as_table() {
                        Some(table) => self.target(Section { table, at }),
                        None => self.file.problem(at, "a [[target]] is a table"),
                    }
                }
            }
            _ => self
                .file
                .problem(0, "no [[target]]: there is nowhere to push to"),
        }
    }

    fn target(&mut self, section: Section<'_>) {
        let name = self.name(section);
        let tenant = self.tenant(section);
        let kind = self.kind(section);
        let kinds = kind.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind]);
        let own = kinds.into_iter().flat_map(kinds::settings);
        let known: Vec<&str> = SETTINGS.iter().chain(own).copied().collect();
        self.file.only(section, &known);
        let url = self.http_url(section, "base_url");
        let metrics = self.metrics(section);
        let versions = self.versions(section);
        let grains = self.grains(section, kind);
        let filter = self.filter(section);
        let not_before = self.not_before(section, kind);
        let most = kind.map_or(usize::MAX, |kind| kind.capabilities().items_max);
        let batch_max = self
            .file
            .number(section, "batch_max", 1..(most as u64).saturating_add(1))
            .and_then(|rows| usize::try_from(rows).ok())
            .unwrap_or(most);
        let concurrency = self
            .file
            .number(section, "concurrency", 1..CONCURRENCY_MAX + 1)
            .and_then(|requests| usize::try_from(requests).ok())
            .unwrap_or(CONCURRENCY);
        let headers = match kind {
            Some(Kind::Http) => kinds::headers(&mut self.file, section, self.secrets),
            _ => Vec::new(),
        };
        let open = kind == Some(Kind::Http) && !section.table.contains_key("credentials");
        let grant = if open {
            name.clone()
                .zip(url.clone())
                .map(|(name, url)| Grant::Open { name, url })
        } else {
            self.grant(section, kind)
        };
        let limit = self.limit(section, kind);
        let adapter = kind.zip(grains.as_ref()).and_then(|(kind, grains)| {
            let known = kinds::Known {
                kind,
                metrics: metrics.as_deref().unwrap_or_default(),
                versions: versions.len(),
                grains,
                batch_max,
            };
            kinds::adapter(&mut self.file, section, known)
        });
        let timeouts = self.timeouts(section);
        let (schedule, breaker) = self.retry(section);
        let (
            Some(name),
            Some(tenant),
            Some(adapter),
            Some(url),
            Some(metrics),
            Some(grains),
            Some(grant),
            Some(limit),
        ) = (name, tenant, adapter, url, metrics, grains, grant, limit)
        else {
            return; // every missing part has been noted
        };
        let target = Target {
            name,
            tenant,
            adapter,
            url,
            metrics,
            versions,
            grains,
            filter,
            not_before,
            batch_max,
            concurrency,
            order: self.order,
            headers,
            grant,
            limit,
            timeouts,
            schedule,
            breaker,
        };
        let credential = target.credential();
        if *self.limits.entry(credential).or_insert(limit) != limit {
            self.file.problem(
                section.at,
                "another target has the same credentials and another [target.rate]; the limit belongs to the credential",
            );
        }
        self.found.push(target);
    }

    /// Whose rows go first.
    fn order(&mut self, root: Section<'_>) -> Order {
        let usual = Order::default();
        let Some(section) = self.file.section(root, "delivery") else {
            return usual;
        };
        self.file.only(section, &["first", "share"]);
        let first = match self.file.text(section, "first") {
            None => usual.first,
            Some((text, at)) => Lane::parse(text).unwrap_or_else(|| {
                let known = Lane::ALL.map(Lane::name).join(", ");
                self.file
                    .problem(at, format_args!("`first` is `{text}`; known are {known}"));
                usual.first
            }),
        };
        let share = self.file.share(section, "share", Order::SHARES);
        Order {
            first,
            share: share.unwrap_or(usual.share),
        }
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
    fn tenant(&mut self, section: Section<'_>) -> Option<TenantId> {
        let (text, at) = self.file.required(section, "tenant")?;
        if text.trim() != text || text.contains(char::is_control) {
            self.file.problem(
                at,
                format_args!("`tenant` is {text:?}; allowed is a text without surrounding blanks and control characters"),
            );
            return None;
        }
        Some(text.into())
    }

    fn kind(&mut self, section: Section<'_>) -> Option<Kind> {
        let (text, at) = self.file.required(section, "platform")?;
        let kind = Kind::parse(text);
        if kind.is_none() {
            let known = Kind::ALL.map(Kind::name).join(", ");
            self.file.problem(
                at,
                format_args!("`platform` is `{text}`; known are {known}"),
            );
        }
        kind
    }

    /// What the values it wants are of; else all that the kind takes, and of anything that takes JSON not agents' days.
    fn grains(&mut self, section: Section<'_>, kind: Option<Kind>) -> Option<Vec<Grain>> {
        let taken = kind?.capabilities().grains;
        let Some((entries, at)) = self.file.array(section, "grains") else {
            let usual = match kind? {
                Kind::Http => vec![Grain::Interaction, Grain::Leg],
                _ => taken.to_vec(),
            };
            return (!section.table.contains_key("grains")).then_some(usual);
        };
        let mut grains = BTreeSet::new();
        for entry in &entries {
            let grain = entry.get_ref().as_str().and_then(Grain::parse);
            match grain.filter(|grain| taken.contains(grain)) {
                Some(grain) => {
                    grains.insert(grain);
                }
                None => {
                    let taken: Vec<&str> = taken.iter().map(|grain| grain.name()).collect();
                    self.file.problem(
                        entry.span().start,
                        format_args!("this platform takes values of: {}", taken.join(", ")),
                    );
                }
            }
        }
        if entries.is_empty() {
            self.file
                .problem(at, "`grains` is empty: nothing would be pushed");
        }
        (!grains.is_empty()).then(|| grains.into_iter().collect())
    }

    fn filter(&mut self, section: Section<'_>) -> Option<Filter> {
        let (text, at) = self.file.text(section, "filter")?;
        match Filter::compile(text) {
            Ok(filter) => Some(filter),
            Err(problems) => {
                for problem in problems {
                    self.file.problem(at, format_args!("`filter` at {problem}"));
                }
                None
            }
        }
    }

    fn http_url(&mut self, section: Section<'_>, key: &str) -> Option<Url> {
        let (text, at) = self.file.required(section, key)?;
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

    fn metrics(&mut self, section: Section<'_>) -> Option<Vec<String>> {
        let Some((entries, at)) = self.file.array(section, "metrics") else {
            if !section.table.contains_key("metrics") {
                self.file.problem(section.at, "`metrics` is missing");
            }
            return None;
        };
        if entries.is_empty() {
            self.file
                .problem(at, "`metrics` is empty: nothing would be pushed");
        }
        let mut metrics = BTreeSet::new();
        for entry in entries {
            let at = entry.span().start;
            match entry.get_ref().as_str().map(str::trim) {
                Some(metric) if !metric.is_empty() => {
                    if !metrics.insert(metric.to_owned()) {
                        self.file
                            .problem(at, format_args!("the metric `{metric}` is named twice"));
                    }
                }
                _ => self.file.problem(at, "a metric is a name, as a text"),
            }
        }
        Some(metrics.into_iter().collect())
    }

    fn versions(&mut self, section: Section<'_>) -> Vec<MetricVersion> {
        let Some((entries, at)) = self.file.array(section, "versions") else {
            return Vec::new();
        };
        if entries.is_empty() {
            self.file.problem(
                at,
                "`versions` is empty; leave it out to push whatever is current",
            );
        }
        let mut versions = BTreeSet::new();
        for entry in entries {
            let version = entry
                .get_ref()
                .as_integer()
                .and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok())
                .filter(|version| (1..=METRIC_VERSION_MAX).contains(version))
                .and_then(|version| u16::try_from(version).ok())
                .map(MetricVersion);
            match version {
                Some(version) => {
                    versions.insert(version);
                }
                None => self.file.problem(
                    entry.span().start,
                    format_args!("a version is a whole number from 1 to {METRIC_VERSION_MAX}"),
                ),
            }
        }
        versions.into_iter().collect()
    }

    fn not_before(&mut self, section: Section<'_>, kind: Option<Kind>) -> NotBefore {
        let Some((text, at)) = self.file.text(section, "not_before") else {
            return if kind.is_some_and(|kind| kind.capabilities().settled) {
                NotBefore::Settled
            } else {
                NotBefore::AtOnce
            };
        };
        NotBefore::parse(text).unwrap_or_else(|| {
            let known = NotBefore::ALL.map(NotBefore::name).join(", ");
            self.file.problem(
                at,
                format_args!("`not_before` is `{text}`; known are {known}"),
            );
            NotBefore::default()
        })
    }

    fn grant(&mut self, section: Section<'_>, kind: Option<Kind>) -> Option<Grant> {
        let Some(credentials) = self.file.section(section, "credentials") else {
            if !section.table.contains_key("credentials") {
                self.file
                    .problem(section.at, "[target.credentials] is missing");
            }
            return None;
        };
        self.file.only(
            credentials,
            &["grant", "token_url", "client_id", "client_secret"],
        );
        let url = self.http_url(credentials, "token_url");
        let id = self.file.secret(credentials, "client_id", self.secrets);
        let secret = self.file.secret(credentials, "client_secret", self.secrets);
        let grant = match self.file.text(credentials, "grant") {
            Some((kind @ ("client-credentials" | "access-key"), _)) => Some(kind),
            Some((other, at)) => {
                self.file.problem(
                    at,
                    format_args!("`grant` is `{other}`; known are client-credentials, access-key"),
                );
                None
            }
            None => kind.map(|kind| match kind.capabilities().grant {
                UsualGrant::ClientCredentials => "client-credentials",
                UsualGrant::AccessKey => "access-key",
            }),
        };
        let (url, id, secret) = (url?, id?.expose().to_owned(), secret?);
        let secret = Secret::new(secret.expose());
        Some(match grant? {
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

    fn limit(&mut self, section: Section<'_>, kind: Option<Kind>) -> Option<Limit> {
        let usual = Limit::new(
            kind?.capabilities().requests_per_minute,
            Duration::from_secs(60),
            1,
        );
        let Some((rate, at)) = self.file.rate(section) else {
            return (!section.table.contains_key("rate")).then_some(usual);
        };
        let mut limit = Limit::new(
            rate.requests.unwrap_or(usual.requests),
            rate.period.unwrap_or(usual.period),
            rate.burst.unwrap_or(usual.burst),
        );
        limit.lapse = rate.lapse.unwrap_or(limit.lapse);
        if let Err(error) = limit.refill() {
            self.file
                .problem(at, format_args!("[target.rate]: {error}"));
            return None;
        }
        Some(limit)
    }

    fn timeouts(&mut self, section: Section<'_>) -> Timeouts {
        let usual = Timeouts::default();
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
}
