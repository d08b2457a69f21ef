//! From the file's tables to targets, noting every problem on the way.

use super::Target;
use platform::breaker;
use platform::client::Timeouts;
use platform::limit::Limit;
use platform::push::Adapter;
use platform::retry::Schedule;
use platform::secret::Secret;
use platform::token::Grant;
use runtime::toml_file::access::Secrets;
use runtime::toml_file::{Section, TomlFile};
use schema::{Grain, MetricVersion, TenantId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use store::targets::NotBefore;
use url::Url;

/// The version of the file this release reads.
const FILE_VERSION: u64 = 1;
const NAME_BYTES_MAX: usize = 128;
/// Metric versions are 16 bit, and start at 1.
const METRIC_VERSION_MAX: u64 = 32_767;

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
    found: Vec<Target>,
}

impl Reader<'_> {
    fn root(&mut self, root: Section<'_>) {
        self.file.only(root, &["version", "target"]);
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
        self.file.only(
            section,
            &[
                "name",
                "tenant",
                "platform",
                "base_url",
                "path",
                "metrics",
                "versions",
                "batch_max",
                "not_before",
                "credentials",
                "rate",
                "timeouts",
                "retry",
            ],
        );
        let name = self.name(section);
        let tenant = self.tenant(section);
        let adapter = self.adapter(section);
        let url = self.url(section, adapter);
        let metrics = self.metrics(section);
        let versions = self.versions(section);
        let not_before = self.not_before(section);
        let most = adapter.map_or(usize::MAX, Adapter::max_rows);
        let batch_max = self
            .file
            .number(section, "batch_max", 1..(most as u64).saturating_add(1))
            .and_then(|rows| usize::try_from(rows).ok())
            .unwrap_or(most);
        let grant = self.grant(section, adapter);
        let limit = self.limit(section, adapter);
        let timeouts = self.timeouts(section);
        let (schedule, breaker) = self.retry(section);
        let (
            Some(name),
            Some(tenant),
            Some(adapter),
            Some(url),
            Some(metrics),
            Some(grant),
            Some(limit),
        ) = (name, tenant, adapter, url, metrics, grant, limit)
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
            grains: vec![Grain::Interaction, Grain::Leg],
            not_before,
            batch_max,
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

    fn adapter(&mut self, section: Section<'_>) -> Option<Adapter> {
        let (text, at) = self.file.required(section, "platform")?;
        let adapter = Adapter::parse(text);
        if adapter.is_none() {
            let known: Vec<_> = Adapter::ALL.iter().map(|adapter| adapter.name()).collect();
            self.file.problem(
                at,
                format_args!("`platform` is `{text}`; known are {}", known.join(", ")),
            );
        }
        adapter
    }

    fn url(&mut self, section: Section<'_>, adapter: Option<Adapter>) -> Option<Url> {
        let base = self.http_url(section, "base_url");
        let path = match self.file.text(section, "path") {
            Some((path, at)) => {
                if !path.starts_with('/') {
                    self.file
                        .problem(at, format_args!("`path` is `{path}`; it begins with /"));
                    return None;
                }
                path
            }
            None => adapter?.default_path(),
        };
        let mut url = base?;
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}{path}"));
        Some(url)
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

    fn not_before(&mut self, section: Section<'_>) -> NotBefore {
        let Some((text, at)) = self.file.text(section, "not_before") else {
            return NotBefore::default();
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

    fn grant(&mut self, section: Section<'_>, adapter: Option<Adapter>) -> Option<Grant> {
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
        let kind = match self.file.text(credentials, "grant") {
            Some((kind @ ("client-credentials" | "access-key"), _)) => Some(kind),
            Some((other, at)) => {
                self.file.problem(
                    at,
                    format_args!("`grant` is `{other}`; known are client-credentials, access-key"),
                );
                None
            }
            None => adapter.map(|adapter| match adapter {
                Adapter::GenesysCustomReport => "client-credentials",
                Adapter::CxoneImport => "access-key",
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

    fn limit(&mut self, section: Section<'_>, adapter: Option<Adapter>) -> Option<Limit> {
        let usual = Limit::new(
            adapter?.default_requests_per_minute(),
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
