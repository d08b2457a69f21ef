//! One group among those that a [`GroupBy`](crate::GroupBy) finds.

use compact_str::CompactString;
use std::borrow::Borrow;
use std::fmt::{self, Write};

/// The values of a group, in the order of its dimensions; one that is absent is a value too.
///
/// It is kept as its text, and hashes as that text does, so that a map of keys can be asked with a `&str`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey(CompactString);

/// The text is no group's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no group key: a JSON array of texts and nulls is needed, in its shortest form")]
pub struct NoGroupKey(pub String);

impl GroupKey {
    pub(crate) const fn of_text(text: CompactString) -> Self {
        Self(text)
    }

    /// Of values in the order of the dimensions.
    pub fn new<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut text = CompactString::default();
        write(&mut text, values);
        Self(text)
    }

    /// As it is stored: an array in JSON without blanks, `["support",null]`; `[]` for the organisation. One group has one text:
    /// only quotes, backslashes and control characters are escaped, by their short names where they have one.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// From [`text`](Self::text), and from nothing else that would mean the same.
    pub fn parse(text: &str) -> Result<Self, NoGroupKey> {
        let no = || NoGroupKey(text.chars().take(200).collect());
        let values = read(text).ok_or_else(no)?;
        let key = Self::new(values.iter().map(Option::as_deref));
        if key.0 == text { Ok(key) } else { Err(no()) }
    }

    /// The values, in the order of the dimensions.
    pub fn values(&self) -> Vec<Option<CompactString>> {
        read(&self.0).unwrap_or_default()
    }
}

impl Borrow<str> for GroupKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that grows.
pub(crate) trait Text: Write {
    fn append(&mut self, text: &str);
}

impl Text for String {
    fn append(&mut self, text: &str) {
        self.push_str(text);
    }
}

impl Text for CompactString {
    fn append(&mut self, text: &str) {
        self.push_str(text);
    }
}

pub(crate) fn write<'a>(text: &mut impl Text, values: impl IntoIterator<Item = Option<&'a str>>) {
    text.append("[");
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            text.append(",");
        }
        match value {
            Some(value) => quote(text, value),
            None => text.append("null"),
        }
    }
    text.append("]");
}

fn quote(text: &mut impl Text, value: &str) {
    text.append("\"");
    let mut rest = value;
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    // Almost no value has any; looked for without stopping, many bytes are compared at once.
    let escaped = value.bytes().fold(false, |any, byte| any | special(byte));
    while escaped && let Some(at) = rest.bytes().position(special) {
        let (plain, from) = rest.split_at(at);
        text.append(plain);
        let mut characters = from.chars();
        match characters.next().unwrap_or_default() {
            '"' => text.append("\\\""),
            '\\' => text.append("\\\\"),
            '\x08' => text.append("\\b"),
            '\t' => text.append("\\t"),
            '\n' => text.append("\\n"),
            '\x0c' => text.append("\\f"),
            '\r' => text.append("\\r"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let code = usize::try_from(u32::from(control)).unwrap_or_default();
                let digit = |place: usize| char::from(HEX[code >> place & 15]);
                text.append("\\u00");
                text.append(digit(4).encode_utf8(&mut [0; 4]));
                text.append(digit(0).encode_utf8(&mut [0; 4]));
            }
        }
        rest = characters.as_str();
    }
    text.append(rest);
    text.append("\"");
}

/// What [`write()`] has written; more lenient about escapes.
fn read(text: &str) -> Option<Vec<Option<CompactString>>> {
    let mut rest = text.strip_prefix('[')?.strip_suffix(']')?;
    let mut values = Vec::new();
    if rest.is_empty() {
        return Some(values);
    }
    loop {
        if let Some(after) = rest.strip_prefix("null") {
            values.push(None);
            rest = after;
        } else {
            let (value, after) = unquote(rest.strip_prefix('"')?)?;
            values.push(Some(value));
            rest = after;
        }
        if rest.is_empty() {
            return Some(values);
        }
        rest = rest.strip_prefix(',')?;
    }
}

/// The value up to the closing quote, and what follows that.
fn unquote(text: &str) -> Option<(CompactString, &str)> {
    let mut value = CompactString::default();
    let mut rest = text;
    loop {
        let (plain, from) = rest.split_at(rest.find(['"', '\\'])?);
        value.push_str(plain);
        if let Some(after) = from.strip_prefix('"') {
            return Some((value, after));
        }
        let mut escape = from.get(1..)?.chars();
        let (character, after) = match escape.next()? {
            'u' => {
                let (digits, after) = escape.as_str().split_at_checked(4)?;
                (
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?,
                    after,
                )
            }
            'b' => ('\x08', escape.as_str()),
            't' => ('\t', escape.as_str()),
            'n' => ('\n', escape.as_str()),
            'f' => ('\x0c', escape.as_str()),
            'r' => ('\r', escape.as_str()),
            itself => (itself, escape.as_str()),
        };
        value.push(character);
        rest = after;
    }
}
