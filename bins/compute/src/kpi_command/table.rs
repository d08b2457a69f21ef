//! Rows for people and for programs: aligned columns, a JSON array, or CSV.

use super::Output;
use anyhow::Context as _;
use serde_json::{Map, Value};
use std::io::Write;
use unicode_width::UnicodeWidthStr;

/// Between two columns.
const GAP: &str = "  ";
/// What people read at once where there is no terminal to say how wide it is.
const PAGE_WIDTH: usize = 100;

/// One field of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// There is nothing to say: `-` for people, null or an empty field for programs.
    Absent,
    /// Text as it is; people see its first line.
    Text(String),
    /// A number that is counted.
    Count(u64),
    /// A number that is measured: people see three digits behind the point, programs all.
    Number(f64),
    /// A number that is a difference: people see its sign, and nothing where there is none.
    Change(f64),
}

/// Rows under a head. The head's words are the members' names in JSON.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    /// Columns whose texts are never broken into lines.
    whole: Vec<&'static str>,
}

/// How many columns there are for people to read: those of the terminal.
pub(crate) fn page_width() -> usize {
    terminal_width().unwrap_or(PAGE_WIDTH)
}

fn terminal_width() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(std::io::stdout())?;
    // Some terminals of programs say that they have none.
    Some(usize::from(width.0)).filter(|width| *width > 0)
}

impl Table {
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
            whole: Vec::new(),
        }
    }

    /// The same table; texts of this column are never broken into lines.
    pub(crate) fn with_whole(mut self, column: &'static str) -> Self {
        self.whole.push(column);
        self
    }

    /// Adds a row; it has a cell for each word of the head.
    pub(crate) fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.head.len());
        self.rows.push(row);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn write(&self, output: Output, out: &mut dyn Write) -> anyhow::Result<()> {
        match output {
            // What is read by another program (`grep`, `awk`) keeps to one line a row.
            Output::Table => {
                let width = terminal_width().unwrap_or(usize::MAX);
                out.write_all(self.text(width).as_bytes())?;
            }
            Output::Json => {
                serde_json::to_writer_pretty(&mut *out, &self.json())?;
                writeln!(out)?;
            }
            Output::Csv => self.csv(out)?,
        }
        Ok(())
    }

    /// Aligned columns, numbers to the right; nothing is padded behind the last one. Texts of several words take several lines where the
    /// table would be wider than `width`; words are never broken, so that names can be copied.
    pub(crate) fn text(&self, width: usize) -> String {
        let mut lines = vec![self.head.iter().map(|word| word.to_uppercase()).collect()];
        lines.extend(
            self.rows
                .iter()
                .map(|row| row.iter().map(Cell::shown).collect::<Vec<_>>()),
        );
        let widths = self.widths(&lines, width);
        let numeric: Vec<bool> = (0..self.head.len())
            .map(|column| self.is_numeric(column))
            .collect();
        let mut text = String::new();
        for line in &lines {
            let cells: Vec<Vec<String>> = line
                .iter()
                .zip(&widths)
                .map(|(field, width)| wrapped(field, *width))
                .collect();
            for nth in 0..cells.iter().map(Vec::len).max().unwrap_or(1) {
                let mut row = String::new();
                for (column, cell) in cells.iter().enumerate() {
                    if column > 0 {
                        row.push_str(GAP);
                    }
                    let field = cell.get(nth).map_or("", String::as_str);
                    let padding = " ".repeat(widths[column].saturating_sub(field.width()));
                    if numeric[column] {
                        row.push_str(&padding);
                        row.push_str(field);
                    } else {
                        row.push_str(field);
                        row.push_str(&padding);
                    }
                }
                text.push_str(row.trim_end());
                text.push('\n');
            }
        }
        text
    }

    /// How wide each column is: as wide as its widest field, or, where that is too much in all, the widest ones down to their longest word.
    fn widths(&self, lines: &[Vec<String>], most: usize) -> Vec<usize> {
        let widest = |column: usize, of: &dyn Fn(&str) -> usize| {
            let fields = lines.iter().map(|line| of(&line[column]));
            fields.max().unwrap_or(0)
        };
        let columns = 0..self.head.len();
        let mut widths: Vec<usize> = columns
            .clone()
            .map(|column| widest(column, &UnicodeWidthStr::width))
            .collect();
        let least: Vec<usize> = columns
            .map(|column| {
                if self.whole.contains(&self.head[column]) {
                    return widths[column];
                }
                widest(column, &|field| {
                    let words = field.split_whitespace().map(UnicodeWidthStr::width);
                    words.max().unwrap_or(0)
                })
            })
            .collect();
        let gaps = GAP.len() * self.head.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > most {
            let shrinking = widths
                .iter()
                .zip(&least)
                .enumerate()
                .filter(|(_, (width, least))| width > least)
                .max_by_key(|(_, (width, _))| **width)
                .map(|(column, _)| column);
            match shrinking {
                Some(column) => widths[column] -= 1,
                None => break,
            }
        }
        widths
    }

    pub(crate) fn json(&self) -> Value {
        let object = |row: &Vec<Cell>| -> Value {
            let members: Map<String, Value> = self
                .head
                .iter()
                .zip(row)
                .map(|(word, cell)| ((*word).to_owned(), cell.json()))
                .collect();
            Value::Object(members)
        };
        Value::Array(self.rows.iter().map(object).collect())
    }

    fn csv(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(&self.head)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(Cell::exact))?;
        }
        writer.flush().context("the output cannot be written")
    }

    fn is_numeric(&self, column: usize) -> bool {
        let mut cells = self
            .rows
            .iter()
            .map(|row| &row[column])
            .filter(|cell| **cell != Cell::Absent)
            .peekable();
        cells.peek().is_some() && cells.all(|cell| !matches!(cell, Cell::Text(_)))
    }
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn of(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Absent, |text| Self::Text(text.into()))
    }

    pub(crate) fn number(number: Option<f64>) -> Self {
        number.map_or(Self::Absent, Self::Number)
    }

    fn shown(&self) -> String {
        match self {
            Self::Absent => "-".to_owned(),
            Self::Text(text) => text.lines().next().unwrap_or_default().to_owned(),
            Self::Count(count) => count.to_string(),
            Self::Number(number) => short(*number),
            Self::Change(number) => match short(*number) {
                text if text == "0" => String::new(),
                text if text.starts_with('-') => text,
                text => format!("+{text}"),
            },
        }
    }

    fn exact(&self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Number(number) | Self::Change(number) => number.to_string(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Absent => Value::Null,
            Self::Text(text) => Value::from(text.as_str()),
            Self::Count(count) => Value::from(*count),
            Self::Number(number) | Self::Change(number) => Value::from(*number),
        }
    }
}

/// The text in lines of at most so many columns; a longer word has a line of its own. A text that fits stays as it is.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    if text.width() <= width {
        return vec![text.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// At most three digits behind the point (of what is below 1, such as a share: five), and no zeros at the end.
pub(crate) fn short(number: f64) -> String {
    let digits = if number.abs() < 1.0 { 5 } else { 3 };
    let text = format!("{number:.digits$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        return "0".to_owned();
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["name", "rows", "mean"]);
        table.push(vec![
            Cell::text("größe"),
            Cell::Count(12),
            Cell::Number(1.5),
        ]);
        table.push(vec![
            Cell::text("a, \"b\"\nsecond line"),
            Cell::Count(7),
            Cell::Absent,
        ]);
        table
    }

    #[test]
    fn columns_are_aligned_by_their_width_on_the_screen_and_numbers_to_the_right() {
        assert_eq!(
            table().text(usize::MAX),
            "NAME    ROWS  MEAN\ngröße     12   1.5\na, \"b\"     7     -\n"
        );
    }

    #[test]
    fn a_table_too_wide_has_its_longest_texts_in_lines_and_its_words_whole() {
        let mut table = Table::new(&["id", "at", "said"]).with_whole("at");
        table.push(vec![
            Cell::text("int_00000000000000000001"),
            Cell::text("Fri 10:32"),
            Cell::text("a text of several words that has to go on"),
        ]);
        assert_eq!(
            table.text(58),
            "ID                        AT         SAID\n\
             int_00000000000000000001  Fri 10:32  a text of several\n\
             \u{20}                                    words that has to go\n\
             \u{20}                                    on\n"
        );
        // It can be as narrow as it is: no word is broken.
        let narrow = table.text(10);
        assert!(
            narrow.contains("int_00000000000000000001  Fri 10:32  a text\n"),
            "{narrow}"
        );
    }

    #[test]
    fn programs_get_everything_unabridged() {
        let mut out = Vec::new();
        table().write(Output::Csv, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "name,rows,mean\ngröße,12,1.5\n\"a, \"\"b\"\"\nsecond line\",7,\n"
        );
        let json = table().json();
        assert_eq!(json[0]["mean"], 1.5);
        assert_eq!(json[1]["mean"], Value::Null);
        assert_eq!(json[1]["name"], "a, \"b\"\nsecond line");
    }

    #[test]
    fn a_table_without_rows_has_its_head_and_an_empty_array() {
        let table = Table::new(&["name"]);
        assert_eq!(table.text(usize::MAX), "NAME\n");
        assert_eq!(table.json(), serde_json::json!([]));
    }

    #[test]
    fn differences_have_their_sign() {
        let mut table = Table::new(&["change"]);
        for change in [1.5, -20.0, 0.000_001] {
            table.push(vec![Cell::Change(change)]);
        }
        assert_eq!(table.text(usize::MAX), "CHANGE\n  +1.5\n   -20\n\n");
    }

    #[test]
    fn short_numbers_have_no_needless_digits() {
        for (number, text) in [
            (0.0, "0"),
            (-0.000_001, "0"),
            (65.7, "65.7"),
            (100.0, "100"),
            (2.0 / 3.0, "0.66667"),
            (5.0 / 3.0, "1.667"),
            (-12.5, "-12.5"),
        ] {
            assert_eq!(short(number), text);
        }
    }
}
