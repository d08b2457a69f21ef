//! Files that are a list: a version, and a table for each of what they list, with a name of its own.

use super::{Section, TomlFile};
use std::collections::BTreeSet;

/// The longest name.
const NAME_BYTES_MAX: usize = 128;

/// Whether a text can be told from every other by looking at it: it is compared byte by byte with what other files and programs say, so what
/// nobody can see (blanks around it, control characters) must not make it another.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !text.contains(char::is_control)
}

impl TomlFile<'_> {
    /// The tables of a file that has nothing but its `version`, what it may have `beside`, and a `[[entry]]` for each of what it lists. A file that lists nothing is a
    /// problem, for the reason that `without` says.
    pub fn entries<'t>(
        &mut self,
        root: Section<'t>,
        version: u64,
        entry: &str,
        beside: &[&str],
        without: &str,
    ) -> Vec<Section<'t>> {
        let known: Vec<&str> = ["version", entry].iter().chain(beside).copied().collect();
        self.only(root, &known);
        if !root.table.contains_key("version") {
            self.problem(
                0,
                format_args!("`version` is missing; write `version = {version}`"),
            );
        }
        self.number(root, "version", version..version + 1);
        let values = self.array(root, entry).map(|(values, _)| values);
        let values = values.unwrap_or_default();
        if values.is_empty() {
            self.problem(0, format_args!("no [[{entry}]]: {without}"));
        }
        let mut tables = Vec::with_capacity(values.len());
        for value in values {
            let at = value.span().start;
            match value.get_ref().as_table() {
                Some(table) => tables.push(Section { table, at }),
                None => self.problem(at, format_args!("a [[{entry}]] is a table")),
            }
        }
        tables
    }

    /// A name that must be there and is safe in logs, labels and keys, and where it stands.
    pub fn name<'t>(&mut self, section: Section<'t>, key: &str) -> Option<(&'t str, usize)> {
        let (text, at) = self.required(section, key)?;
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
        let fits = text.len() <= NAME_BYTES_MAX && text.bytes().all(safe);
        if !fits {
            self.problem(
                at,
                format_args!("`{key}` is `{text}`; allowed are up to {NAME_BYTES_MAX} letters, digits and . _ - :"),
            );
        }
        fits.then_some((text, at))
    }

    /// The `name` of an entry, which no other has. `taken` are those that were met, and it is one of them from here on.
    pub fn own_name<'t>(
        &mut self,
        section: Section<'t>,
        taken: &mut BTreeSet<String>,
    ) -> Option<&'t str> {
        let (name, at) = self.name(section, "name")?;
        if !taken.insert(name.to_owned()) {
            self.problem(at, format_args!("the name `{name}` is taken by another"));
        }
        Some(name)
    }

    /// A text that must be there and be plain, see [`is_plain`].
    pub fn plain<'t>(&mut self, section: Section<'t>, key: &str) -> Option<&'t str> {
        let (text, at) = self.required(section, key)?;
        let plain = is_plain(text);
        if !plain {
            self.problem(
                at,
                format_args!("`{key}` is {text:?}; allowed is a text without surrounding blanks and control characters"),
            );
        }
        plain.then_some(text)
    }
}
