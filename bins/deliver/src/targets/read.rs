//! From the file's tables to targets, noting every problem on the way.

use super::Target;
use access::entry::{Entry, GrantKind, Limits, Query, http_url};
use platform::client::Timeouts;
use platform::limit::Limit;
use platform::push::Adapter;
use runtime::toml_file::secret::Secrets;
use runtime::toml_file::{Section, TomlFile};
use schema::{MetricVersion, TenantId};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use url::Url;

/// The version of the file this release reads.
const FILE_VERSION: u64 = 1;
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
        limits: Limits::default(),
        found: Vec::new(),
    };
    let without = "there is nowhere to push to";
    for section in reader.file.entries(root, FILE_VERSION, "target", without) {
        reader.target(section);
    }
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
    limits: Limits,
    found: Vec<Target>,
}

impl Reader<'_> {
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
        let entry = Entry {
            name: "target",
            section,
        };
        let name = self.file.own_name(section, &mut self.names);
        let tenant = self.file.plain(section, "tenant");
        let adapter = self.adapter(section);
        let url = self.url(section, adapter);
        let metrics = self.metrics(section);
        let versions = self.versions(section);
        self.not_before(section);
        let most = adapter.map_or(usize::MAX, Adapter::max_rows);
        let batch_max = self
            .file
            .number(section, "batch_max", 1..(most as u64).saturating_add(1))
            .and_then(|rows| usize::try_from(rows).ok())
            .unwrap_or(most);
        let usual = adapter.map(|adapter| match adapter {
            Adapter::GenesysCustomReport => GrantKind::ClientCredentials,
            Adapter::CxoneImport => GrantKind::AccessKey,
        });
        let grant = entry.grant(&mut self.file, usual, self.secrets);
        let usual = adapter.map(|adapter| {
            let requests = adapter.default_requests_per_minute();
            Limit::new(requests, Duration::from_secs(60), 1)
        });
        let limit = entry.limit(&mut self.file, usual);
        let timeouts = entry.timeouts(&mut self.file, Timeouts::default());
        let (schedule, breaker) = entry.retry(&mut self.file);
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
            name: name.to_owned(),
            tenant: TenantId::from(tenant),
            adapter,
            url,
            metrics,
            versions,
            batch_max,
            grant,
            limit,
            timeouts,
            schedule,
            breaker,
        };
        self.limits
            .note(&mut self.file, entry, &target.credential(), limit);
        self.found.push(target);
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
        if !section.table.contains_key("base_url") {
            self.file.problem(section.at, "`base_url` is missing");
        }
        let base = http_url(&mut self.file, section, "base_url", Query::Refused);
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

    fn not_before(&mut self, section: Section<'_>) {
        if let Some((text, at)) = self.file.text(section, "not_before")
            && text != "at_once"
        {
            self.file.problem(
                at,
                format_args!("`not_before` is `{text}`; known is at_once"),
            );
        }
    }
}
