//! Parameters of requests: one table of them, by which requests are read, checked and described.

use super::cursor::CURSOR_BYTES_MAX;
use super::problem::{Invalid, Problem};
use schema::{MetricVersion, UtcMicros};
use serde_json::{Value as Json, json};
use std::borrow::Cow;
use window::{GroupBy, Size};

/// Bytes of one text: ids and names.
const TEXT_BYTES_MAX: usize = 512;
/// Versions that one request may name.
const VERSIONS_MAX: usize = 8;
/// Bytes of a whole query.
const QUERY_BYTES_MAX: usize = 16 * 1024;
/// What the store's numbers of versions end at.
const VERSION_MAX: u16 = 32_767;
/// Years that an instant may be of, so that the database knows them too.
const INSTANTS: (UtcMicros, UtcMicros) = (UtcMicros(0), UtcMicros(253_402_300_799_999_999));

/// A parameter of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// What it is, for people.
    pub about: &'static str,
    /// One that can be tried.
    pub example: Option<&'static str>,
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text without control characters: an id.
    Text,
    /// The name of a KPI.
    Kpi,
    /// An instant with a zone.
    Instant,
    /// The number of a version.
    Version,
    /// Some numbers of versions, with commas.
    Versions,
    /// Dimensions of groups, with commas; empty: the whole organisation.
    GroupBy,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A number of rows, up to that; as many as the second where it is not stated.
    Limit(u32, u32),
    /// Where an earlier page ended.
    Cursor,
}

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    Instant(UtcMicros),
    Versions(Vec<MetricVersion>),
    Number(u32),
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    values: Vec<(&'static str, Value)>,
}

/// The names of sizes, as definitions have them.
pub const SIZES: [&str; 7] = [
    Size::Quarter.name(),
    Size::Half.name(),
    Size::Hour.name(),
    Size::Day.name(),
    Size::Week.name(),
    Size::Month.name(),
    Size::Shift.name(),
];

impl Query {
    /// Reads a query by the table; everything that is wrong with it at once.
    pub fn read(text: Option<&str>, table: &'static [Parameter]) -> Result<Self, Problem> {
        let text = text.unwrap_or_default();
        if text.len() > QUERY_BYTES_MAX {
            let allowed = format!("at most {QUERY_BYTES_MAX} bytes");
            return Err(Problem::parameter("query", None, allowed));
        }
        let mut values: Vec<(&'static str, Value)> = Vec::new();
        let mut errors = Vec::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let Some(parameter) = table.iter().find(|parameter| parameter.name == name) else {
                let known: Vec<_> = table.iter().map(|parameter| parameter.name).collect();
                let allowed = format!("no such parameter; there are: {}", known.join(", "));
                errors.push(Invalid::new(&name, Some(&value), allowed));
                continue;
            };
            if values.iter().any(|(known, _)| *known == parameter.name) {
                errors.push(Invalid::new(&name, Some(&value), "once in a request"));
                continue;
            }
            match parameter.kind.read(&value) {
                Ok(value) => values.push((parameter.name, value)),
                Err(allowed) => errors.push(Invalid::new(&name, Some(&value), allowed)),
            }
        }
        for parameter in table.iter().filter(|parameter| parameter.required) {
            let named = |name: &str| name == parameter.name;
            if !values.iter().any(|(name, _)| named(name))
                && !errors.iter().any(|error| named(&error.field))
            {
                let allowed = format!("must be there: {}", parameter.kind.allowed());
                errors.push(Invalid::new(parameter.name, None, allowed));
            }
        }
        if errors.is_empty() {
            Ok(Self { values })
        } else {
            Err(Problem::parameters(errors))
        }
    }

    fn value(&self, parameter: &Parameter) -> Option<&Value> {
        let mut values = self.values.iter();
        values.find_map(|(name, value)| (*name == parameter.name).then_some(value))
    }

    /// A text, the name of a KPI, dimensions or a word.
    #[must_use]
    pub fn text(&self, parameter: &Parameter) -> Option<&str> {
        match self.value(parameter)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An instant.
    #[must_use]
    pub fn instant(&self, parameter: &Parameter) -> Option<UtcMicros> {
        match self.value(parameter)? {
            Value::Instant(at) => Some(*at),
            _ => None,
        }
    }

    /// One version or some, as they were named.
    #[must_use]
    pub fn versions(&self, parameter: &Parameter) -> &[MetricVersion] {
        match self.value(parameter) {
            Some(Value::Versions(versions)) => versions,
            _ => &[],
        }
    }

    /// How many rows.
    #[must_use]
    pub fn limit(&self, parameter: &Parameter) -> u32 {
        match (self.value(parameter), parameter.kind) {
            (Some(Value::Number(limit)), _) => *limit,
            (_, Kind::Limit(_, usual)) => usual,
            _ => 1,
        }
    }

    /// What was asked for but for where the page begins and how long it is, as one text: pages of the same list have the same.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut values: Vec<_> = self
            .values
            .iter()
            .filter(|(name, _)| !["cursor", "limit"].contains(name))
            .collect();
        values.sort_unstable_by_key(|(name, _)| *name);
        format!("{values:?}")
    }
}

impl Kind {
    fn read(self, text: &str) -> Result<Value, Cow<'static, str>> {
        let fits = match self {
            Self::Text => {
                let plain = !text.is_empty() && !text.chars().any(char::is_control);
                (plain && text.len() <= TEXT_BYTES_MAX).then(|| Value::Text(text.to_owned()))
            }
            Self::Kpi => is_kpi(text).then(|| Value::Text(text.to_owned())),
            Self::Instant => adapter::instant::parse(text)
                .filter(|at| (INSTANTS.0..=INSTANTS.1).contains(at))
                .map(Value::Instant),
            Self::Version => version(text).map(|version| Value::Versions(vec![version])),
            Self::Versions => versions(text).map(Value::Versions),
            Self::GroupBy => (text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control))
                .then(|| GroupBy::parse(text).ok())
                .flatten()
                .map(|group| Value::Text(group.text())),
            Self::OneOf(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
            Self::Limit(most, _) => text
                .parse()
                .ok()
                .filter(|limit| {
                    (1..=most).contains(limit) && text.bytes().all(|byte| byte.is_ascii_digit())
                })
                .map(Value::Number),
            Self::Cursor => (!text.is_empty() && text.len() <= CURSOR_BYTES_MAX)
                .then(|| Value::Text(text.to_owned())),
        };
        fits.ok_or_else(|| self.allowed())
    }

    /// What is allowed, in words.
    #[must_use]
    pub fn allowed(self) -> Cow<'static, str> {
        match self {
            Self::Text => format!("1 to {TEXT_BYTES_MAX} bytes without control characters").into(),
            Self::Kpi => "the name of a KPI: a lower-case letter, then up to 62 of them, digits and _".into(),
            Self::Instant => {
                "an instant with a zone, such as 2024-03-01T00:00:00Z, of the years 1970 to 9999 (a + is written %2B)".into()
            }
            Self::Version => format!("a number from 1 to {VERSION_MAX}").into(),
            Self::Versions => format!("up to {VERSIONS_MAX} different numbers from 1 to {VERSION_MAX}, with commas").into(),
            Self::GroupBy => {
                "some of agent, direction, media, platform, queue, team and attribute:NAME, with commas, or nothing for the whole organisation".into()
            }
            Self::OneOf(words) => format!("one of {}", words.join(", ")).into(),
            Self::Limit(most, _) => format!("a number from 1 to {most}").into(),
            Self::Cursor => "the `next` of an earlier page of the same list".into(),
        }
    }

    /// As JSON Schema.
    #[must_use]
    pub fn schema(self) -> Json {
        // What counts is bytes; of characters there are as many at most.
        match self {
            Self::Text => {
                json!({ "type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$" })
            }
            Self::Kpi => json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$" }),
            Self::Instant => json!({ "type": "string", "format": "date-time" }),
            Self::Version => json!({ "type": "integer", "minimum": 1, "maximum": VERSION_MAX }),
            Self::Versions => json!({
                "type": "array", "minItems": 1, "maxItems": VERSIONS_MAX, "uniqueItems": true,
                "items": { "type": "integer", "minimum": 1, "maximum": VERSION_MAX },
            }),
            Self::GroupBy => json!({
                "type": "string", "maxLength": TEXT_BYTES_MAX,
                "pattern": "^((agent|direction|media|platform|queue|team|attribute:[A-Za-z0-9_.-]{1,60})(,(agent|direction|media|platform|queue|team|attribute:[A-Za-z0-9_.-]{1,60})){0,5})?$",
            }),
            Self::OneOf(words) => json!({ "type": "string", "enum": words }),
            Self::Limit(most, usual) => {
                json!({ "type": "integer", "minimum": 1, "maximum": most, "default": usual })
            }
            Self::Cursor => {
                json!({ "type": "string", "minLength": 1, "maxLength": CURSOR_BYTES_MAX, "pattern": "^[A-Za-z0-9_-]+$" })
            }
        }
    }
}

/// Whether a definition may be called so.
fn is_kpi(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
        && text.len() <= 63
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn version(text: &str) -> Option<MetricVersion> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten()?;
    (1..=VERSION_MAX)
        .contains(&number)
        .then_some(MetricVersion(number))
}

fn versions(text: &str) -> Option<Vec<MetricVersion>> {
    let mut versions: Vec<_> = text.split(',').map(version).collect::<Option<_>>()?;
    let named = versions.len();
    versions.sort_unstable();
    versions.dedup();
    (versions.len() == named && named <= VERSIONS_MAX).then_some(versions)
}

#[cfg(test)]
mod tests;
