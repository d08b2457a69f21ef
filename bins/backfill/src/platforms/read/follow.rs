//! The table `[platform.follow]`.

use super::super::{Follow, Kind};
use super::Reader;
use super::genesys::QUERY_SPAN_MAX;
use super::spans::{DAY, SPAN_MAX};
use crate::source::Vendor;
use runtime::toml_file::Section;
use schema::SubscriptionName;
use std::time::Duration;

/// Following begins no longer ago; what is older is fetched by `backfill start`.
const SINCE_MAX: Duration = Duration::from_secs(366 * 86_400);
const OVERLAP_MAX: Duration = Duration::from_secs(23 * 3600);
/// Platforms revise for days, not for months; settlement reads whole days again.
const REREAD_MAX: Duration = Duration::from_secs(31 * 86_400);

impl Reader<'_> {
    pub(super) fn follow(
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
            self.file.plain(table, "until_webhooks")
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
            until_webhooks: until_webhooks.map(SubscriptionName::from),
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
}
