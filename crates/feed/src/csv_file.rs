//! Tables as CSV.

use crate::EncodeError;
use crate::table::{Cell, Kind, Table};
use crate::time_format::local;

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// With a line feed.
    Lf,
    /// With a carriage return and a line feed.
    CrLf,
}

/// How a CSV file is written: UTF-8, quoted where it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csv {
    /// What stands between fields; one ASCII character.
    pub separator: char,
    /// The decimal point of numbers.
    pub decimal: char,
    /// What an absent value is.
    pub null: String,
    /// Whether the first line names the columns.
    pub header: bool,
    /// How lines end.
    pub line_end: LineEnd,
}

impl Default for Csv {
    fn default() -> Self {
        Self {
            separator: ',',
            decimal: '.',
            null: String::new(),
            header: true,
            line_end: LineEnd::CrLf,
        }
    }
}

impl Csv {
    pub(crate) fn problem(&self) -> Option<String> {
        let separates = |c: char| c == '\t' || (c.is_ascii_graphic() && !c.is_ascii_alphanumeric());
        if !separates(self.separator) || "\"-+".contains(self.separator) {
            return Some(format!(
                "`separator` is {:?}; a tab or a sign of ASCII is needed, but no quote, plus or minus",
                self.separator
            ));
        }
        if ![',', '.'].contains(&self.decimal) {
            return Some(format!(
                "`decimal` is {:?}; a dot or a comma is needed",
                self.decimal
            ));
        }
        if self.separator == self.decimal {
            return Some("`separator` and `decimal` are one character".to_owned());
        }
        None
    }

    pub(crate) fn layout_text(&self) -> String {
        let end = match self.line_end {
            LineEnd::Lf => "lf",
            LineEnd::CrLf => "crlf",
        };
        format!(
            "separator {:?} decimal {:?} null {:?} header {} {end}",
            self.separator, self.decimal, self.null, self.header
        )
    }
}

pub(crate) fn encode(csv: &Csv, table: &Table) -> Result<Vec<u8>, EncodeError> {
    let terminator = match csv.line_end {
        LineEnd::Lf => csv::Terminator::Any(b'\n'),
        LineEnd::CrLf => csv::Terminator::CRLF,
    };
    let mut writer = csv::WriterBuilder::new()
        .delimiter(u8::try_from(csv.separator).unwrap_or(b','))
        .terminator(terminator)
        .from_writer(Vec::new());
    if csv.header {
        let fields = table.heads().iter().map(|head| head.field.as_str());
        writer.write_record(fields).map_err(EncodeError::Csv)?;
    }
    for row in table.rows() {
        for (cell, head) in row.iter().zip(table.heads()) {
            let text = text(cell, head.kind, csv);
            writer.write_field(text).map_err(EncodeError::Csv)?;
        }
        writer
            .write_record(None::<&[u8]>)
            .map_err(EncodeError::Csv)?;
    }
    writer
        .into_inner()
        .map_err(|error| EncodeError::Csv(error.into_error().into()))
}

fn text(cell: &Cell, kind: Kind, csv: &Csv) -> String {
    match (cell, kind) {
        (Cell::Null, _) => csv.null.clone(),
        (Cell::Text(text), _) => text.clone(),
        (Cell::Number(number), _) => number.text(csv.decimal),
        (Cell::Instant(at), Kind::Instant(zone)) => local(zone, *at).map_or_else(
            || at.to_string(),
            |local| local.format("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        ),
        (Cell::Instant(at), _) => at.to_string(),
    }
}
