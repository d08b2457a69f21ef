//! Pages: an answer that has its records in a list, and what to do when it has none.

use crate::json;
use std::ops::Range;

/// How the pages of a format are made. Names are matched whatever their case: the platforms' older versions spell them otherwise.
pub(crate) struct Shape {
    /// Members that only a record has.
    pub(crate) record: &'static [&'static str],
    /// The names that the list of records may have.
    pub(crate) lists: &'static [&'static str],
    /// Objects that may be around the list.
    pub(crate) wrappers: &'static [&'static str],
    /// Members that only a page has: one without a list found nothing.
    pub(crate) page: &'static [&'static str],
}

impl Shape {
    /// The records of one value of a body: those of a page, or the value itself.
    pub(crate) fn open(&self, body: &[u8], span: Range<usize>) -> Vec<Range<usize>> {
        self.entered(body, span.clone(), self.wrappers.len())
            .unwrap_or_else(|| vec![span])
    }

    /// `None`: neither a page nor a record. `wrappers`: how many objects may still be around the list, so that none goes on without end.
    fn entered(
        &self,
        body: &[u8],
        span: Range<usize>,
        wrappers: usize,
    ) -> Option<Vec<Range<usize>>> {
        let value = &body[span.clone()];
        if !value.starts_with(b"{") {
            return None;
        }
        let members = json::members(value, 0)?;
        let named = |names: &[&str]| {
            names.iter().find_map(|name| {
                members
                    .iter()
                    .rev()
                    .find(|(found, _)| value[found.clone()].eq_ignore_ascii_case(name.as_bytes()))
                    .map(|(_, value)| span.start + value.start..span.start + value.end)
            })
        };
        if named(self.record).is_some() {
            return Some(vec![span]);
        }
        if let Some(list) = named(self.lists) {
            match body[list.start] {
                b'[' => return json::elements(body, list.start).ok().map(|(all, _)| all),
                _ if &body[list.clone()] == b"null" => return Some(Vec::new()),
                _ => {}
            }
        }
        match named(self.wrappers) {
            Some(inner) if body[inner.start] == b'{' => {
                return self.entered(body, inner, wrappers.checked_sub(1)?);
            }
            Some(_) => return None,
            None => {}
        }
        // An answer without results often has no list at all.
        let is_empty_page =
            named(self.lists).is_none() && (members.is_empty() || named(self.page).is_some());
        is_empty_page.then(Vec::new)
    }
}
