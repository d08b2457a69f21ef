//! From the file's tables to platforms, noting every problem on the way.

mod counts;
mod cxone;
mod follow;
mod genesys;
mod settlement;
mod sources;
mod spans;
mod stands_in;

use super::{Kind, Platform, Platforms};
use crate::source::Vendor;
use access::entry::{Entry, GrantKind, Limits, Query, http_url};
use platform::api::Access;
use platform::client::Timeouts;
use platform::limit::Limit;
use runtime::toml_file::secret::Secrets;
use runtime::toml_file::{Section, TomlFile};
use schema::{SubscriptionName, TenantId};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use url::Url;

/// The version of the file this release reads.
const FILE_VERSION: u64 = 1;
/// Four fifths of the 300 a minute that either platform's notes give: refusals are seen below the nominal number.
const LIMIT: Limit = Limit::new(240, Duration::from_secs(60), 1);
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
        limits: Limits::default(),
        found: Vec::new(),
        places: Vec::new(),
    };
    let without = "there is nowhere to fetch from";
    for section in reader
        .file
        .entries(root, FILE_VERSION, "platform", &[], without)
    {
        reader.platform(section);
    }
    reader.shares();
    let problems = reader.file.into_problems();
    if problems.is_empty() {
        Ok(Platforms::new(reader.found))
    } else {
        Err(problems)
    }
}

struct Reader<'a> {
    file: TomlFile<'a>,
    secrets: Secrets<'a>,
    names: BTreeSet<String>,
    limits: Limits,
    found: Vec<Platform>,
    /// Where in the file each of them is.
    places: Vec<usize>,
}

impl Reader<'_> {
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
        let entry = Entry {
            name: "platform",
            section,
        };
        let name = self.file.own_name(section, &mut self.names);
        let tenant = self.file.plain(section, "tenant");
        let vendor = self.vendor(section);
        let base = self.base_url(section, vendor);
        let subscription = if section.table.contains_key("subscription") {
            self.file
                .plain(section, "subscription")
                .map(SubscriptionName::from)
        } else {
            name.map(|name| SubscriptionName::from(format!("backfill-{name}").as_str()))
        };
        let stands_in_for = self.subscriptions(section, "stands_in_for");
        let usual = vendor.map(|vendor| match vendor {
            Vendor::Genesys => GrantKind::ClientCredentials,
            Vendor::Cxone => GrantKind::AccessKey,
        });
        let grant = entry.grant(&mut self.file, usual, self.secrets);
        let limit = entry.limit(&mut self.file, Some(LIMIT));
        let usual = Timeouts {
            total: TOTAL,
            ..Timeouts::default()
        };
        let timeouts = entry.timeouts(&mut self.file, usual);
        let (schedule, breaker) = entry.retry(&mut self.file);
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
        self.limits.note(&mut self.file, entry, &credential, limit);
        let Some(base) =
            base.or_else(|| matches!(kind, Kind::Cxone(_)).then(|| grant.url().clone()))
        else {
            return;
        };
        self.places.push(section.at);
        self.found.push(Platform {
            name: name.to_owned(),
            tenant: TenantId::from(tenant),
            kind,
            access: Access {
                base,
                grant,
                limit,
                timeouts,
                schedule,
            },
            credential,
            subscription,
            stands_in_for,
            breaker,
            follow,
            settlement,
            counts,
        });
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
            return http_url(&mut self.file, section, "base_url", Query::Refused);
        }
        if vendor == Some(Vendor::Genesys) {
            self.file.problem(section.at, "`base_url` is missing");
        }
        None
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
}
