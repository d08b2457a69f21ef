//! The table `[platform.genesys]`.

use super::super::GenesysSettings;
use super::Reader;
use super::spans::SPAN_MAX;
use platform::history::genesys::QUERY_PAGE_MAX;
use runtime::toml_file::Section;
use std::time::Duration;

/// What the platform refuses above.
const PAGE_MAX: u32 = 1000;
/// Far more than any organisation can have open at a time.
const JOBS_MAX: u32 = 100;
/// A details query may cover seven days without a filter.
pub(super) const QUERY_SPAN_MAX: Duration = Duration::from_secs(7 * 86_400);

impl Reader<'_> {
    pub(super) fn genesys(&mut self, section: Section<'_>) -> GenesysSettings {
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
        let page_size = count("page_size", PAGE_MAX, usual.page_size);
        let query_page_size = count("query_page_size", QUERY_PAGE_MAX, usual.query_page_size);
        let lookup_ids = count("lookup_ids", QUERY_PAGE_MAX, usual.lookup_ids);
        let jobs_at_once = count("jobs_at_once", JOBS_MAX, usual.jobs_at_once);
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
}
