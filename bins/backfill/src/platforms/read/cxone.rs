//! The table `[platform.cxone]`.

use super::super::{Base, CxoneSettings};
use super::Reader;
use super::spans::SPAN_MAX;
use access::entry::{Query, http_url};
use platform::history::cxone::PAGE_MAX;
use runtime::toml_file::Section;
use url::Url;

impl Reader<'_> {
    pub(super) fn cxone(&mut self, section: Section<'_>, base_stated: bool) -> CxoneSettings {
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
        let page_size = self.file.count(table, "page_size", PAGE_MAX);
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
        http_url(&mut self.file, table, "discovery_url", Query::Allowed)
    }
}
