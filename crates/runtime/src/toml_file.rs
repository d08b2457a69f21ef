//! Reading a TOML file so that every problem is listed at once, with file and line.
//!
//! A reader asks for what it knows and takes what it gets; whatever is absent or wrong has been noted by then. At the end the
//! problems decide whether what was read may be used.
//!
//! ```
//! use runtime::toml_file::{Section, TomlFile};
//!
//! let mut file = TomlFile::new("line.toml", "name = \"\"\ncolour = \"green\"\nworkers = 0\n");
//! let root = file.parse();
//! let root = Section { table: root.get_ref(), at: 0 };
//! file.only(root, &["name", "workers"]);
//! let name = file.required(root, "name");
//! let workers = file.number(root, "workers", 1..65);
//! assert_eq!((name, workers), (None, None));
//! assert_eq!(
//!     file.into_problems(),
//!     [
//!         "line.toml:2: unknown setting `colour`; known here: name, workers",
//!         "line.toml:1: `name` is empty",
//!         "line.toml:3: `workers` is 0; allowed are 1 to 64",
//!     ]
//! );
//! ```

mod entries;
pub mod secret;
#[cfg(test)]
mod tests;

pub use entries::is_plain;

use crate::args::positive_duration;

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A file as it lay on the disk.
#[derive(Debug)]
pub struct OnDisk<'p> {
    /// Its name, for messages.
    pub name: String,
    /// All of it.
    pub text: String,
    /// What relative file names in it start from.
    pub folder: &'p Path,
}

/// Reads a file whole, or says with its name why not.
pub fn open(path: &Path) -> Result<OnDisk<'_>, String> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(OnDisk {
            name,
            text,
            folder: path.parent().unwrap_or(Path::new(".")),
        }),
        Err(error) => Err(format!("{name}: cannot be read: {error}")),
    }
}

/// A file being read, and what was found wrong with it so far.
#[derive(Debug)]
pub struct TomlFile<'a> {
    name: &'a str,
    text: &'a str,
    problems: Vec<String>,
}

/// A table of the file and where it begins.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    /// The members.
    pub table: &'a DeTable<'a>,
    /// Byte offset at which the table begins; problems about absent members point there.
    pub at: usize,
}

impl<'a> TomlFile<'a> {
    /// A file of this name (for messages) and text.
    pub fn new(name: &'a str, text: &'a str) -> Self {
        Self {
            name,
            text,
            problems: Vec::new(),
        }
    }

    /// Parses the text; syntax errors become problems and what could be read is returned.
    pub fn parse(&mut self) -> Spanned<DeTable<'a>> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            self.problem(at, error.message());
        }
        root
    }

    /// Notes a problem at a byte offset.
    pub fn problem(&mut self, at: usize, text: impl Display) {
        self.problems.push(format!("{}: {text}", self.place(at)));
    }

    /// File and line of a byte offset, for what can be found wrong only later.
    #[must_use]
    pub fn place(&self, at: usize) -> String {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = before.split(|byte| *byte == b'\n').count();
        format!("{}:{line}", self.name)
    }

    /// Whether anything was found wrong so far.
    #[must_use]
    pub fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    /// The problems, in the order found.
    pub fn into_problems(self) -> Vec<String> {
        self.problems
    }

    /// Notes every member that is not in `known`: a misspelt setting must not be silently without effect.
    pub fn only(&mut self, section: Section<'_>, known: &[&str]) {
        for key in section.table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                self.problem(
                    key.span().start,
                    format_args!(
                        "unknown setting `{}`; known here: {}",
                        key.get_ref(),
                        known.join(", ")
                    ),
                );
            }
        }
    }

    /// The text of an optional member, and where it stands.
    pub fn text<'t>(&mut self, section: Section<'t>, key: &str) -> Option<(&'t str, usize)> {
        let value = section.table.get(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(value, key, "a text");
        }
        text.map(|text| (text, value.span().start))
    }

    /// The text of a member that must be there and not be empty.
    pub fn required<'t>(&mut self, section: Section<'t>, key: &str) -> Option<(&'t str, usize)> {
        if !section.table.contains_key(key) {
            self.problem(section.at, format_args!("`{key}` is missing"));
            return None;
        }
        let (text, at) = self.text(section, key)?;
        if text.trim().is_empty() {
            self.problem(at, format_args!("`{key}` is empty"));
            return None;
        }
        Some((text, at))
    }

    /// An optional whole number within bounds.
    pub fn number(&mut self, section: Section<'_>, key: &str, allowed: Range<u64>) -> Option<u64> {
        let value = section.table.get(key)?;
        let Some(number) = value.get_ref().as_integer() else {
            self.wrong_type(value, key, "a whole number");
            return None;
        };
        match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) if allowed.contains(&number) => Some(number),
            _ => {
                self.problem(
                    value.span().start,
                    format_args!(
                        "`{key}` is {}; allowed are {} to {}",
                        number.as_str(),
                        allowed.start,
                        allowed.end - 1
                    ),
                );
                None
            }
        }
    }

    /// An optional whole number from 1 to `most`.
    pub fn count(&mut self, section: Section<'_>, key: &str, most: u32) -> Option<u32> {
        let number = self.number(section, key, 1..u64::from(most) + 1)?;
        u32::try_from(number).ok()
    }

    /// An optional number with a point, within bounds.
    pub fn share(
        &mut self,
        section: Section<'_>,
        key: &str,
        allowed: RangeInclusive<f64>,
    ) -> Option<f64> {
        let value = section.table.get(key)?;
        let Some(number) = value.get_ref().as_float() else {
            self.wrong_type(value, key, "a number such as 0.8");
            return None;
        };
        let share = number.as_str().parse().ok();
        let share = share.filter(|share| allowed.contains(share));
        if share.is_none() {
            let (least, most) = (allowed.start(), allowed.end());
            let number = number.as_str();
            self.problem(
                value.span().start,
                format_args!("`{key}` is {number}; allowed are {least} to {most}"),
            );
        }
        share
    }

    /// An optional `true` or `false`.
    pub fn flag(&mut self, section: Section<'_>, key: &str) -> Option<bool> {
        let value = section.table.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(value, key, "true or false");
        }
        flag
    }

    /// A word among those that are known, as what it stands for; `usual` where nothing is said.
    pub fn choice<T: Copy>(
        &mut self,
        section: Section<'_>,
        key: &str,
        known: &[(&str, T)],
        usual: T,
    ) -> Option<T> {
        if !section.table.contains_key(key) {
            return Some(usual);
        }
        let (word, at) = self.text(section, key)?;
        let found = known.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            self.problem(
                at,
                format_args!("`{key}` is `{word}`; known are {}", names.join(", ")),
            );
        }
        found.map(|(_, value)| *value)
    }

    /// An optional duration such as `250ms` or `1m`, longer than zero.
    pub fn duration(&mut self, section: Section<'_>, key: &str) -> Option<Duration> {
        let (text, at) = self.text(section, key)?;
        match positive_duration(text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                self.problem(at, format_args!("`{key}` is `{text}`: {error}"));
                None
            }
        }
    }

    /// An optional member that is a table.
    pub fn section<'t>(&mut self, section: Section<'t>, key: &str) -> Option<Section<'t>> {
        let value = section.table.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(value, key, "a table");
            return None;
        };
        Some(Section {
            table,
            at: value.span().start,
        })
    }

    /// The elements of an optional array.
    pub fn array<'t>(
        &mut self,
        section: Section<'t>,
        key: &str,
    ) -> Option<(Vec<&'t Spanned<DeValue<'t>>>, usize)> {
        let value = section.table.get(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(value, key, "an array");
            return None;
        };
        Some((array.iter().collect(), value.span().start))
    }

    fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, key: &str, expected: &str) {
        self.problem(
            value.span().start,
            format_args!(
                "`{key}` is of type {}; {expected} is expected",
                value.get_ref().type_str()
            ),
        );
    }
}
