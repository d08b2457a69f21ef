//! Text in aligned columns, for people.

use std::io::{self, Write};

/// Rows under a head; each column is as wide as its widest cell.
#[derive(Debug)]
pub(crate) struct Columns {
    rows: Vec<Vec<String>>,
}

impl Columns {
    /// No rows yet.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self {
            rows: vec![head.iter().map(|&name| name.to_owned()).collect()],
        }
    }

    /// One more row. Marks that would break the line are blanks; what is empty is a dash.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| match plain(&cell) {
            cell if cell.is_empty() => "-".to_owned(),
            cell => cell,
        });
        self.rows.push(cells.collect());
    }

    /// Writes them; without rows nothing, not even the head.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let [_, _, ..] = self.rows.as_slice() else {
            return Ok(());
        };
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                let filling = width + 2 - cell.chars().count();
                line.extend(std::iter::repeat_n(' ', filling));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// The text on one line: what comes from outside neither breaks it nor moves the cursor.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// At most so many characters of a text.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// `1 item`, `2 items`.
pub(crate) fn counted(count: i64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_stay_lines() {
        let mut table = Columns::new(&["A", "LONGER"]);
        let printed = |table: &Columns| {
            let mut out = Vec::new();
            table.print(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(printed(&table), "");
        table.row(["äöü".to_owned(), "x\ny\u{1b}[2J".to_owned()]);
        table.row([String::new(), "z".to_owned()]);
        assert_eq!(printed(&table), "A    LONGER\näöü  x y [2J\n-    z\n");
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(cut("äöü", 3), "äöü");
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!(counted(1, "item"), "1 item");
        assert_eq!(counted(0, "group"), "0 groups");
        assert_eq!(counted(2, "group"), "2 groups");
    }
}
