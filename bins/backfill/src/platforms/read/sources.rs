//! Sources that go on by themselves, as `follow` and `settlement` list them.

use super::Reader;
use crate::source::{Source, Vendor};
use runtime::toml_file::Section;

impl Reader<'_> {
    /// Sources of this vendor that cover a stretch of time and want to know nothing else; `usual` where nothing is said.
    pub(super) fn sources(
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
}
