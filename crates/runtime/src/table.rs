//! Rows for people: aligned columns, one line a row, so that `grep` and `awk` work as well.

use std::fmt::Write as _;

/// Columns aligned to the left, nothing padded behind the last.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|word| word.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head: Vec<String> = head.iter().map(|word| word.to_uppercase()).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string cannot fail.
            write!(line, "{:<width$}  ", cell.replace(char::is_control, " ")).ok();
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A length of time, in the two largest units that it has.
#[must_use]
pub fn span(length: std::time::Duration) -> String {
    let seconds = length.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["a".to_owned(), "b".to_owned()],
            vec!["long".to_owned(), "c\nd".to_owned()],
        ];
        assert_eq!(table(&["x", "yy"], &rows), "X     YY\na     b\nlong  c d\n");
    }

    #[test]
    fn a_span_has_two_units() {
        let shown: Vec<_> = [7, 67, 3700, 90_061]
            .map(|seconds| span(Duration::from_secs(seconds)))
            .into();
        assert_eq!(shown, ["7 s", "1 min 7 s", "1 h 1 min", "1 d 1 h"]);
    }
}
