//! A TOML text whose parts know where they stand: problems are told with line and column, also of a place within a string.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong with a definition, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct Problem {
    /// The file, as the caller named it.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What is wrong, and what could be meant.
    pub message: String,
}

/// A text, its parsed content, and the problems found so far.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    file: &'t str,
    text: &'t str,
    problems: Vec<(usize, String)>,
}

/// A text in the document, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) value: String,
    pub(crate) span: Range<usize>,
}

impl<'t> Document<'t> {
    /// The document with its content: of a text that is no TOML only as much as can be made out, with the problems noted.
    pub(crate) fn parse(file: &'t str, text: &'t str) -> (Self, DeTable<'t>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let problems = errors.iter().map(|error| {
            let at = error.span().map_or(0, |span| span.start);
            (at, error.message().to_owned())
        });
        let document = Self {
            file,
            text,
            problems: problems.collect(),
        };
        (document, table.into_inner())
    }

    pub(crate) fn problem(&mut self, at: usize, message: impl Into<String>) {
        self.problems.push((at, message.into()));
    }

    /// A problem at a place (line and column from 1) of the value of a text.
    pub(crate) fn problem_within(&mut self, text: &Text, line: u32, column: u32, message: &str) {
        let at = offset_within(self.text, text, line, column);
        self.problem(at, message);
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// The problems in the order of the text, each once.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self
            .problems
            .iter()
            .map(|(at, message)| {
                let (line, column) = place(self.text, *at);
                Problem {
                    file: self.file.to_owned(),
                    line,
                    column,
                    message: message.clone(),
                }
            })
            .collect();
        problems.sort();
        problems.dedup();
        problems
    }

    /// A text, or a problem.
    pub(crate) fn text(&mut self, name: &str, value: &Spanned<DeValue<'t>>) -> Option<Text> {
        match value.get_ref() {
            DeValue::String(text) => Some(Text {
                value: text.clone().into_owned(),
                span: value.span(),
            }),
            other => {
                let found = type_of(other);
                self.problem(
                    value.span().start,
                    format!("`{name}` must be a string, not {found}"),
                );
                None
            }
        }
    }

    /// A table, or a problem.
    pub(crate) fn table<'v>(
        &mut self,
        name: &str,
        value: &'v Spanned<DeValue<'t>>,
    ) -> Option<&'v DeTable<'t>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            other => {
                let found = type_of(other);
                self.problem(
                    value.span().start,
                    format!("`{name}` must be a table, not {found}"),
                );
                None
            }
        }
    }

    /// The items of an array, or a problem.
    pub(crate) fn array<'v>(
        &mut self,
        name: &str,
        value: &'v Spanned<DeValue<'t>>,
    ) -> Option<Vec<&'v Spanned<DeValue<'t>>>> {
        match value.get_ref() {
            DeValue::Array(items) => Some(items.iter().collect()),
            other => {
                let found = type_of(other);
                self.problem(
                    value.span().start,
                    format!("`{name}` must be an array, not {found}"),
                );
                None
            }
        }
    }

    /// A problem for every member that nobody knows.
    pub(crate) fn known_members(&mut self, of: &str, table: &DeTable<'t>, known: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let message = format!(
                    "{of} has no member `{name}`: there are {}",
                    known.join(", ")
                );
                self.problem(key.span().start, message);
            }
        }
    }
}

/// What a value is, for messages.
pub(crate) fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a bool",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A whole number that fits 64 bits.
pub(crate) fn whole_number(value: &DeValue<'_>) -> Option<i64> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}

/// Line and column, from 1, of a byte of the text; columns count characters.
pub(crate) fn place(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
    (
        number(before.matches('\n').count()),
        number(before[line_start..].chars().count()),
    )
}

/// Where in the document the given place of a text's value stands. The start of the value where it cannot be told.
fn offset_within(document: &str, text: &Text, line: u32, column: u32) -> usize {
    let raw = document.get(text.span.clone()).unwrap_or_default();
    let decoded = decode(raw);
    let same = decoded.iter().map(|(char, _)| *char).eq(text.value.chars());
    if !same {
        return text.span.start;
    }
    let (mut at_line, mut at_column) = (1, 1);
    for (char, offset) in &decoded {
        if (at_line, at_column) == (line, column) {
            return text.span.start + offset;
        }
        if *char == '\n' {
            (at_line, at_column) = (at_line + 1, 1);
        } else {
            at_column += 1;
        }
    }
    // Just behind the end: an expression that ends too early is blamed there.
    let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") {
        3
    } else {
        1
    };
    (text.span.end - quotes.min(raw.len())).max(text.span.start)
}

/// The character that so many hexadecimal digits stand for.
fn code(chars: impl Iterator<Item = (usize, char)>, digits: usize) -> Option<char> {
    let hex: String = chars.take(digits).map(|(_, digit)| digit).collect();
    u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32)
}

/// The characters that a TOML string in the text stands for, each with its place in it.
fn decode(raw: &str) -> Vec<(char, usize)> {
    let quotes = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quotes| raw.starts_with(quotes));
    let Some(quotes) = quotes.filter(|quotes| raw.len() >= 2 * quotes.len()) else {
        return Vec::new();
    };
    let mut body = &raw[quotes.len()..raw.len() - quotes.len()];
    let mut offset = quotes.len();
    let multi_line = quotes.len() == 3;
    if multi_line
        && let Some(rest) = body
            .strip_prefix('\n')
            .or_else(|| body.strip_prefix("\r\n"))
    {
        offset += body.len() - rest.len();
        body = rest;
    }
    let mut decoded = Vec::with_capacity(body.len());
    let mut chars = body.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let here = offset + at;
        if char != '\\' || quotes.starts_with('\'') {
            decoded.push((char, here));
            continue;
        }
        let escaped = match chars.next().map(|(_, escape)| escape) {
            Some('b') => Some('\u{8}'),
            Some('t') => Some('\t'),
            Some('n') => Some('\n'),
            Some('f') => Some('\u{c}'),
            Some('r') => Some('\r'),
            Some('e') => Some('\u{1b}'),
            Some(same @ ('"' | '\\')) => Some(same),
            Some('x') => code(chars.by_ref(), 2),
            Some('u') => code(chars.by_ref(), 4),
            Some('U') => code(chars.by_ref(), 8),
            // A backslash at the end of a line joins it with what follows.
            Some(blank) if blank.is_ascii_whitespace() => {
                while chars
                    .next_if(|(_, next)| next.is_ascii_whitespace())
                    .is_some()
                {}
                None
            }
            _ => None,
        };
        decoded.extend(escaped.map(|escaped| (escaped, here)));
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of(document: &str, line: u32, column: u32) -> (u32, u32) {
        let (mut read, table) = Document::parse("f", document);
        let value = table.iter().next().unwrap().1;
        let text = read.text("v", value).unwrap();
        place(document, offset_within(document, &text, line, column))
    }

    #[test]
    fn a_place_within_a_string_is_found_in_every_kind_of_string() {
        assert_eq!(place_of("v = 'abc'", 1, 2), (1, 7));
        assert_eq!(place_of("v = \"abc\"", 1, 2), (1, 7));
        assert_eq!(place_of("v = \"a\\\"\\u00e9c\"", 1, 4), (1, 15));
        assert_eq!(place_of("v = '''\nab\n  cd'''", 2, 3), (3, 3));
        assert_eq!(place_of("v = \"\"\"ab\n  cd\"\"\"", 1, 2), (1, 9));
        assert_eq!(place_of("v = \"\"\"\r\nab\r\ncd\"\"\"", 2, 2), (3, 2));
        assert_eq!(place_of("v = \"\"\"ab \\\n   cd\"\"\"", 1, 5), (2, 5));
        assert_eq!(place_of("é = 'ü'", 1, 2), (1, 7), "just behind the end");
        assert_eq!(
            place_of("v = \"\"\"ab\"\"\"\"", 1, 4),
            (1, 11),
            "a quote at the end"
        );
    }

    #[test]
    fn a_text_that_is_no_toml_says_where() {
        let (document, _) = Document::parse("a.toml", "name = \"x\"\nversion = \n[[[");
        let problems = document.into_problems();
        assert_eq!((problems[0].line, problems[0].file.as_str()), (2, "a.toml"));
        assert!(problems.len() >= 2, "{problems:?}");
    }

    #[test]
    fn problems_come_in_the_order_of_the_text_and_once() {
        let (mut document, _) = Document::parse("a.toml", "a = 1\nb = 2\n");
        document.problem(6, "later");
        document.problem(0, "first");
        document.problem(6, "later");
        let shown: Vec<String> = document
            .into_problems()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(shown, ["a.toml:1:1: first", "a.toml:2:1: later"]);
    }
}
