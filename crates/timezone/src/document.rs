//! Documents in TOML, read so that every problem in them is named at once, each with its place.
//!
//! A reader takes the members of a table one by one; what is absent or wrong becomes a problem and the reader goes on with the next.

use crate::zone::Zone;
use chrono::NaiveDate;
use std::fmt;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::{Datetime, Offset};

/// What is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentProblem {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What is wrong and what is wanted instead.
    pub message: String,
}

impl fmt::Display for DocumentProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// The problems found so far, by the byte of the text at which each begins.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<(usize, String)>);

impl Problems {
    /// Notes a problem of what begins at a byte.
    pub(crate) fn add(&mut self, at: usize, message: impl Into<String>) {
        self.0.push((at, message.into()));
    }

    /// In the order of the text; or what was read, if there are none.
    pub(crate) fn or<T>(mut self, text: &str, read: Option<T>) -> Result<T, Vec<DocumentProblem>> {
        if let (true, Some(read)) = (self.0.is_empty(), read) {
            return Ok(read);
        }
        self.0.sort_by_key(|(at, _)| *at);
        let (mut line, mut column, mut seen) = (1, 1, 0);
        let place = |(at, message): (usize, String)| {
            for character in text.get(seen..at).unwrap_or_default().chars() {
                (line, column) = match character {
                    '\n' => (line + 1, 1),
                    _ => (line, column + 1),
                };
            }
            seen = at;
            DocumentProblem {
                line,
                column,
                message,
            }
        };
        Err(self.0.into_iter().map(place).collect())
    }
}

/// One table of a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Members<'d> {
    table: &'d DeTable<'d>,
    /// The byte at which the table begins.
    pub(crate) at: usize,
}

/// Reads a document's outermost table. Where the text is no TOML, that is all that is said about it.
pub(crate) fn read<T>(
    text: &str,
    reader: impl FnOnce(Members<'_>, &mut Problems) -> Option<T>,
) -> Result<T, Vec<DocumentProblem>> {
    let mut problems = Problems::default();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        problems.add(at, error.message());
    }
    let members = Members {
        table: table.get_ref(),
        at: table.span().start,
    };
    let read = errors
        .is_empty()
        .then(|| reader(members, &mut problems))
        .flatten();
    problems.or(text, read)
}

impl<'d> Members<'d> {
    /// Refuses every member that is not one of `known`.
    pub(crate) fn only(self, known: &[&str], problems: &mut Problems) {
        for name in self.table.keys() {
            if !known.contains(&name.get_ref().as_ref()) {
                let message = format!(
                    "unknown member `{}`; known are {}",
                    name.get_ref(),
                    known.join(", ")
                );
                problems.add(name.span().start, message);
            }
        }
    }

    /// Says that a member must be there, if it is not.
    pub(crate) fn must_have(self, name: &str, problems: &mut Problems) {
        if !self.has(name) {
            problems.add(self.at, format!("`{name}` is missing"));
        }
    }

    pub(crate) fn has(self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// A member, as `read` takes it; a problem, naming what is `wanted`, where `read` does not.
    fn member<T>(
        self,
        name: &str,
        wanted: &str,
        problems: &mut Problems,
        read: impl FnOnce(&'d DeValue<'d>) -> Option<T>,
    ) -> Option<Spanned<T>> {
        let value = self.table.get(name)?;
        let Some(read) = read(value.get_ref()) else {
            problems.add(
                value.span().start,
                format!(
                    "`{name}` must be {wanted}, not {}",
                    describe(value.get_ref())
                ),
            );
            return None;
        };
        Some(Spanned::new(value.span(), read))
    }

    pub(crate) fn text(self, name: &str, problems: &mut Problems) -> Option<Spanned<&'d str>> {
        let text = self.member(name, "a text", problems, DeValue::as_str)?;
        if text.get_ref().trim().is_empty() {
            problems.add(text.span().start, format!("`{name}` is empty"));
            return None;
        }
        Some(text)
    }

    pub(crate) fn flag(self, name: &str, problems: &mut Problems) -> Option<Spanned<bool>> {
        self.member(name, "true or false", problems, DeValue::as_bool)
    }

    /// A version, 1 to 32767.
    pub(crate) fn version(self, name: &str, problems: &mut Problems) -> Option<u16> {
        self.must_have(name, problems);
        self.member(name, "a version from 1 to 32767", problems, |value| {
            let integer = value.as_integer()?;
            let number = u16::from_str_radix(integer.as_str(), integer.radix()).ok()?;
            (1..=32_767).contains(&number).then_some(number)
        })
        .map(Spanned::into_inner)
    }

    pub(crate) fn date(self, name: &str, problems: &mut Problems) -> Option<Spanned<NaiveDate>> {
        let wanted = "a date such as 2024-12-25, without quotes";
        self.member(name, wanted, problems, |value| {
            let stated = value.as_datetime()?;
            (stated.time.is_none() && stated.offset.is_none())
                .then(|| date_of(stated))
                .flatten()
        })
    }

    /// An instant in µs: a time with its offset, or the first instant of a date in UTC.
    pub(crate) fn instant(self, name: &str, problems: &mut Problems) -> Option<Spanned<i64>> {
        let wanted = "an instant such as 2024-12-24T08:00:00Z, or a date, without quotes";
        self.member(name, wanted, problems, |value| {
            instant_of(value.as_datetime()?)
        })
    }

    pub(crate) fn zone(self, name: &str, problems: &mut Problems) -> Option<Zone> {
        let text = self.text(name, problems)?;
        Zone::parse(text.get_ref())
            .map_err(|error| problems.add(text.span().start, error.to_string()))
            .ok()
    }

    pub(crate) fn table(self, name: &str, problems: &mut Problems) -> Option<Self> {
        let table = self.member(name, "a table", problems, DeValue::as_table)?;
        Some(Self {
            at: table.span().start,
            table: table.into_inner(),
        })
    }

    /// The tables under `[[name]]`.
    pub(crate) fn tables(self, name: &str, problems: &mut Problems) -> Vec<Self> {
        let wanted = format!("tables under [[{name}]]");
        let array = self.member(name, &wanted, problems, DeValue::as_array);
        let mut tables = Vec::new();
        for item in array.iter().flat_map(|array| array.get_ref().iter()) {
            let at = item.span().start;
            match item.get_ref().as_table() {
                Some(table) => tables.push(Self { table, at }),
                None => problems.add(at, format!("`{name}` must be {wanted}")),
            }
        }
        tables
    }

    /// The texts of an array.
    pub(crate) fn texts(
        self,
        name: &str,
        problems: &mut Problems,
    ) -> Option<Spanned<Vec<Spanned<&'d str>>>> {
        let wanted = "texts in brackets";
        let array = self.member(name, wanted, problems, DeValue::as_array)?;
        let mut texts = Vec::new();
        for item in *array.get_ref() {
            match item.get_ref().as_str() {
                Some(text) => texts.push(Spanned::new(item.span(), text)),
                None => problems.add(item.span().start, format!("`{name}` must be {wanted}")),
            }
        }
        Some(Spanned::new(array.span(), texts))
    }
}

/// What a value is instead of what it should be, for people.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Float(float) => float.to_string(),
        DeValue::Datetime(datetime) => datetime.to_string(),
        DeValue::String(_) => "a text".to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn date_of(stated: &Datetime) -> Option<NaiveDate> {
    let date = stated.date?;
    NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
}

fn instant_of(stated: &Datetime) -> Option<i64> {
    let date = date_of(stated)?;
    let (Some(time), Some(offset)) = (stated.time, stated.offset) else {
        let bare = stated.time.is_none() && stated.offset.is_none();
        return bare.then(|| {
            date.and_time(chrono::NaiveTime::MIN)
                .and_utc()
                .timestamp_micros()
        });
    };
    let minutes = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    // A leap second is the second before it.
    let second = u32::from(time.second.unwrap_or(0)).min(59);
    let micro = time.nanosecond.unwrap_or(0) / 1_000;
    let local = date.and_hms_micro_opt(time.hour.into(), time.minute.into(), second, micro)?;
    Some(local.and_utc().timestamp_micros() - minutes * 60_000_000)
}
