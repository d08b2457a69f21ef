//! The table `[platform.settlement]`.

use super::super::Settlement;
use super::Reader;
use crate::source::{Source, Vendor};
use runtime::toml_file::Section;
use std::collections::BTreeSet;

impl Reader<'_> {
    pub(super) fn settlement(
        &mut self,
        section: Section<'_>,
        vendor: Option<Vendor>,
    ) -> Option<Settlement> {
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
