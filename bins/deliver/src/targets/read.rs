//! From the file's tables to targets, noting every problem on the way.

use super::{Target, kinds};
use crate::lanes::Order;
use access::entry::{Entry, GrantKind, Limits, Query, http_url};
use platform::client::Timeouts;
use platform::limit::Limit;
use platform::token::Grant;
use runtime::toml_file::secret::Secrets;
use runtime::toml_file::{Section, TomlFile};
use schema::{Grain, MetricVersion, TenantId};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use store::sync::Lane;
use store::targets::NotBefore;
use target::capability::UsualGrant;
use target::{Filter, Kind};

/// The version of the file this release reads.
const FILE_VERSION: u64 = 1;
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
        limits: Limits::default(),
        order: Order::default(),
        found: Vec::new(),
    };
    reader.order = reader.order(root);
    let without = "there is nowhere to push to";
    for section in reader
        .file
        .entries(root, FILE_VERSION, "target", &["delivery"], without)
    {
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
    order: Order,
    found: Vec<Target>,
}

impl Reader<'_> {
    fn target(&mut self, section: Section<'_>) {
        let entry = Entry {
            name: "target",
            section,
        };
        let name = self.file.own_name(section, &mut self.names);
        let tenant = self.file.plain(section, "tenant");
        let kind = self.kind(section);
        let kinds = kind.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind]);
        let own = kinds.into_iter().flat_map(kinds::settings);
        let known: Vec<&str> = SETTINGS.iter().chain(own).copied().collect();
        self.file.only(section, &known);
        if !section.table.contains_key("base_url") {
            self.file.problem(section.at, "`base_url` is missing");
        }
        let url = http_url(&mut self.file, section, "base_url", Query::Refused);
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
            name.zip(url.clone()).map(|(name, url)| Grant::Open {
                name: name.to_owned(),
                url,
            })
        } else {
            let usual = kind.map(|kind| match kind.capabilities().grant {
                UsualGrant::ClientCredentials => GrantKind::ClientCredentials,
                UsualGrant::AccessKey => GrantKind::AccessKey,
            });
            entry.grant(&mut self.file, usual, self.secrets)
        };
        let usual = kind.map(|kind| {
            let requests = kind.capabilities().requests_per_minute;
            Limit::new(requests, Duration::from_secs(60), 1)
        });
        let limit = entry.limit(&mut self.file, usual);
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
        let timeouts = entry.timeouts(&mut self.file, Timeouts::default());
        let (schedule, breaker) = entry.retry(&mut self.file);
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
            name: name.to_owned(),
            tenant: TenantId::from(tenant),
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
        self.limits
            .note(&mut self.file, entry, &target.credential(), limit);
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
            if let Some(grain) = grain.filter(|grain| taken.contains(grain)) {
                grains.insert(grain);
            } else {
                let taken: Vec<&str> = taken.iter().map(|grain| grain.name()).collect();
                self.file.problem(
                    entry.span().start,
                    format_args!("this platform takes values of: {}", taken.join(", ")),
                );
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
}
