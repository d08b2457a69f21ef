//! Data-download reports of CXone: CSV with a header line, local dates and times, ids as numbers.

use crate::csv_rows::{COMMA, Span, spans};
use crate::cxone_report_file;
use crate::duration;
use crate::error::{BodyError, ItemError};
use crate::json;
use crate::scalar::{DURATION, rounded, storable};
use crate::split::without_mark;
use crate::unfold::Allowance;
use csv::{ByteRecord, ReaderBuilder};
use schema::Millis;
use std::borrow::Cow;
use timezone::{NaiveDate, NaiveTime};

/// The rows, each with the header line before it: an item must be readable alone.
///
/// The body may be the answer around a report, too (`cxone_report_file`); one without anything in it has no rows.
pub(crate) fn split(body: &[u8], required: &[&str]) -> Result<Vec<Vec<u8>>, BodyError> {
    let Some(csv) = cxone_report_file::open(body)? else {
        return Ok(Vec::new());
    };
    let missing = |columns: &[Cow<'_, str>]| {
        let has = |name: &str| {
            columns
                .iter()
                .any(|column| column.eq_ignore_ascii_case(name))
        };
        let missing = required.iter().find(|name| !has(name));
        missing.map(|name| (*name).to_owned())
    };
    rows(&csv, COMMA, body.len(), missing)
}

/// The rows of a CSV, each with the header line before it. `missing` names a column that the header lacks; `body_bytes` is the size of
/// the body that it came in.
pub(crate) fn rows(
    csv: &[u8],
    separator: u8,
    body_bytes: usize,
    missing: impl FnOnce(&[Cow<'_, str>]) -> Option<String>,
) -> Result<Vec<Vec<u8>>, BodyError> {
    let rows = spans(without_mark(csv), separator);
    let Some((header, rows)) = rows.split_first() else {
        return Err(BodyError::Empty);
    };
    let header = header.raw;
    let mut columns = ByteRecord::new();
    // Reading bytes cannot fail: records may have any number of fields.
    let read = reader(header, separator).read_byte_record(&mut columns);
    if !read.unwrap_or(false) {
        return Err(BodyError::Empty);
    }
    let names: Vec<Cow<'_, str>> = columns
        .iter()
        .map(|column| String::from_utf8_lossy(column.trim_ascii()))
        .collect();
    if let Some(missing) = missing(&names) {
        return Err(BodyError::Header { missing });
    }
    Allowance::of(body_bytes).take(rows.len(), header.len())?;
    Ok(rows
        .iter()
        .map(|Span { raw, .. }| {
            let mut item = Vec::with_capacity(header.len() + raw.len() + 2);
            item.extend_from_slice(header);
            item.push(b'\n');
            item.extend_from_slice(raw);
            item.push(b'\n');
            item
        })
        .collect())
}

fn reader(line: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(line)
}

fn position(columns: &ByteRecord, name: &str) -> Option<usize> {
    columns
        .iter()
        .position(|column| column.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
}

/// One row with its header.
pub(crate) struct Row {
    columns: ByteRecord,
    cells: ByteRecord,
}

impl Row {
    /// Reads an item of [`split`].
    pub(crate) fn read(raw: &[u8]) -> Result<Self, ItemError> {
        Self::separated(raw, COMMA)
    }

    /// Reads an item of [`rows`].
    pub(crate) fn separated(raw: &[u8], separator: u8) -> Result<Self, ItemError> {
        let expected = "a header line and a row below it";
        let lines = spans(raw, separator);
        let [header, row] = &lines[..] else {
            return Err(ItemError::item(raw, expected));
        };
        if !header.closed || !row.closed {
            return Err(ItemError::described(
                "(row)",
                "a quote that is not closed",
                "cells whose quotes are closed".to_owned(),
            ));
        }
        let mut columns = ByteRecord::new();
        let mut cells = ByteRecord::new();
        let read = |line: &[u8], record: &mut ByteRecord| {
            reader(line, separator)
                .read_byte_record(record)
                .map_err(|_| ItemError::item(raw, expected))
        };
        read(header.raw, &mut columns)?;
        read(row.raw, &mut cells)?;
        if columns.len() != cells.len() {
            return Err(ItemError::described(
                "(row)",
                format!("{} cells", cells.len()),
                format!("{} cells, one a column", columns.len()),
            ));
        }
        Ok(Self { columns, cells })
    }

    /// The columns' names and the texts of their cells, of those that are not empty.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let filled = |(column, cell): (&'_ [u8], &'_ [u8])| {
            !column.trim_ascii().is_empty() && !cell.trim_ascii().is_empty()
        };
        let named = |bytes| String::from_utf8_lossy(<[u8]>::trim_ascii(bytes));
        self.columns
            .iter()
            .zip(&self.cells)
            .filter(move |pair| filled(*pair))
            .map(move |(column, cell)| (named(column), named(cell)))
    }

    /// The text of a cell; `None` when it is empty or the column is not there.
    pub(crate) fn text(&self, column: &str) -> Option<Cow<'_, str>> {
        let cell = self
            .cells
            .get(position(&self.columns, column)?)?
            .trim_ascii();
        if cell.is_empty() {
            return None;
        }
        Some(match String::from_utf8_lossy(cell) {
            Cow::Borrowed(text) => storable(text),
            Cow::Owned(text) => Cow::Owned(storable(&text).into_owned()),
        })
    }

    /// The text of a cell that must have one.
    pub(crate) fn needed(&self, column: &str, expected: &str) -> Result<Cow<'_, str>, ItemError> {
        self.text(column)
            .ok_or_else(|| ItemError::missing(column, expected))
    }

    /// An id. A column with empty cells turns fractional, so `7000004.0` is `7000004`.
    pub(crate) fn id(&self, column: &str) -> Option<String> {
        let text = self.text(column)?;
        let whole = text
            .strip_suffix(".0")
            .filter(|whole| !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit()));
        Some(whole.unwrap_or(&text).to_owned())
    }

    /// An id of which 0 means none.
    pub(crate) fn id_but_zero(&self, column: &str) -> Option<String> {
        self.id(column).filter(|id| id != "0")
    }

    /// Seconds, as milliseconds; as in the API they may have commas between thousands, or be ISO 8601.
    pub(crate) fn seconds(&self, column: &str) -> Result<Option<Millis>, ItemError> {
        let Some(text) = self.text(column) else {
            return Ok(None);
        };
        duration::seconds(&text)
            .or_else(|| duration::iso(&text))
            .map(Some)
            .ok_or_else(|| ItemError::new(column, &text, duration::EXPECTED))
    }

    /// Milliseconds.
    pub(crate) fn millis(&self, column: &str) -> Result<Option<Millis>, ItemError> {
        let Some(text) = self.text(column) else {
            return Ok(None);
        };
        match text.parse::<f64>() {
            Ok(millis) if millis.is_finite() => Ok(Some(Millis(rounded(millis)))),
            _ => Err(ItemError::new(column, &text, DURATION)),
        }
    }

    /// The digest of the cells that are not empty and whose column counts, by column.
    pub(crate) fn digest_of(&self, counts: impl Fn(&str) -> bool) -> [u8; 16] {
        let mut pairs: Vec<_> = self.texts().filter(|(column, _)| counts(column)).collect();
        pairs.sort();
        let mut bytes = Vec::new();
        for part in pairs.iter().flat_map(|(column, cell)| [column, cell]) {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        json::hash(&bytes)
    }

    /// The digest of the cells by column: the same whatever the order of columns, the quoting and the line ends.
    pub(crate) fn digest(&self) -> [u8; 16] {
        let mut pairs: Vec<(Vec<u8>, &[u8])> = self
            .columns
            .iter()
            .zip(&self.cells)
            .map(|(column, cell)| (column.trim_ascii().to_ascii_lowercase(), cell.trim_ascii()))
            .collect();
        pairs.sort();
        let mut bytes = Vec::new();
        for (column, cell) in pairs {
            for part in [&column[..], cell] {
                bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
                bytes.extend_from_slice(part);
            }
        }
        json::hash(&bytes)
    }
}

/// MM/DD/YYYY; one-digit months and days are met too.
pub(crate) fn parse_date(text: &str) -> Option<NaiveDate> {
    let [month, day, year] = numbers(text, '/')?;
    if !(1900..=9999).contains(&year) {
        return None;
    }
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}

/// HH:MM:SS, with or without a fraction.
pub(crate) fn parse_time(text: &str) -> Option<NaiveTime> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let [hour, minute, second] = numbers(whole, ':')?;
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(6)
        .fold(0, |micros, digit| micros * 10 + u32::from(digit - b'0'));
    NaiveTime::from_hms_micro_opt(hour, minute, second, micros)
}

fn numbers(text: &str, separator: char) -> Option<[u32; 3]> {
    let mut parts = text.split(separator);
    let mut next = || {
        let part = parts.next()?;
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    let found = [next()?, next()?, next()?];
    parts.next().is_none().then_some(found)
}
