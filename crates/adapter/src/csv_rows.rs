//! Where the rows of a CSV text end, and what to do about a quote that is never closed.
//!
//! The rules are those by which the cells are read afterwards: a quote opens only at the start of a cell, a doubled one inside is a
//! character, what follows the closing one is plain text. So a stray quote in the middle of a cell is a character and no more. One at
//! the start of a cell would swallow the lines behind it; its line stands alone instead, and the reading goes on at the next.

/// What stands between the cells of a report.
pub const COMMA: u8 = b',';
/// A row over several lines that is larger than this is none: a quote was not closed.
pub const ROW_MAX: usize = 1024 * 1024;
/// The same for its line ends. This also bounds how often a byte is looked at, whatever the text is made of.
pub const ROW_LINES_MAX: usize = 50;

/// The first row of a text. Places are offsets into the text; `next` is where the next row begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It ends.
    Row {
        /// Behind its last byte, before the line end.
        end: usize,
        /// Behind the line end.
        next: usize,
        /// How many cells it has.
        cells: usize,
    },
    /// It opens a quote that is not closed where it should be: this is its first line alone.
    Unclosed {
        /// Behind the line's last byte, before the line end.
        end: usize,
        /// Behind the line end.
        next: usize,
    },
    /// More of the text is needed to tell.
    Undecided,
}

#[derive(Clone, Copy)]
enum Place {
    /// Nothing but white space yet, which is trimmed off before the cells are read.
    RowStart,
    CellStart,
    Plain,
    Quoted,
    /// Behind a quote inside quotes: it closed them, or is the first of two.
    Closing,
}

/// Finds the first row, which may be blank. `ended`: there is no more text behind this.
///
/// With `columns` a row over several lines must have so many cells; with other than that, its quotes are not what they seem.
/// `separator` stands between the cells of a row.
pub fn cut(text: &[u8], separator: u8, columns: Option<usize>, ended: bool) -> Cut {
    let mut place = Place::RowStart;
    let mut cells = 1;
    let mut first_line = None;
    let mut lines = 0;
    let odd = |cells| columns.is_some_and(|columns| columns != cells);
    for (at, byte) in text.iter().enumerate() {
        if (at >= ROW_MAX || lines > ROW_LINES_MAX)
            && let Some(line) = first_line
        {
            return unclosed(line);
        }
        place = match (place, byte) {
            (Place::Quoted, b'"') => Place::Closing,
            (Place::Quoted, b'\n' | b'\r') => {
                first_line.get_or_insert(at);
                lines += usize::from(*byte == b'\n');
                Place::Quoted
            }
            (Place::Quoted, _) | (Place::Closing | Place::RowStart | Place::CellStart, b'"') => {
                Place::Quoted
            }
            (_, b'\n' | b'\r') => {
                return match first_line {
                    Some(line) if odd(cells) => unclosed(line),
                    _ => Cut::Row {
                        end: at,
                        next: at + 1,
                        cells,
                    },
                };
            }
            (_, byte) if *byte == separator => {
                cells += 1;
                Place::CellStart
            }
            (Place::RowStart, byte) if byte.is_ascii_whitespace() => Place::RowStart,
            _ => Place::Plain,
        };
    }
    match (place, first_line) {
        _ if !ended => Cut::Undecided,
        (Place::Quoted, None) => Cut::Unclosed {
            end: text.len(),
            next: text.len(),
        },
        (Place::Quoted, Some(line)) => unclosed(line),
        (_, Some(line)) if odd(cells) => unclosed(line),
        _ => Cut::Row {
            end: text.len(),
            next: text.len(),
            cells,
        },
    }
}

/// A row without the white space around it, of which a separator is none: what stands at its ends may be empty cells.
pub fn trimmed(row: &[u8], separator: u8) -> &[u8] {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() && *byte != separator;
    let start = row.iter().take_while(|byte| is_blank(byte)).count();
    let end = row.iter().rev().take_while(|byte| is_blank(byte)).count();
    row.get(start..row.len() - end).unwrap_or_default()
}

const fn unclosed(line: usize) -> Cut {
    Cut::Unclosed {
        end: line,
        next: line + 1,
    }
}

/// A row of a text: its bytes without the line end and outer white space, and whether its quotes are closed.
pub(crate) struct Span<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) closed: bool,
}

/// The rows of a whole text that are not blank. The first is the header, and says how many cells the others have.
pub(crate) fn spans(text: &[u8], separator: u8) -> Vec<Span<'_>> {
    let mut found = Vec::new();
    let mut columns = None;
    let mut rest = text;
    while !rest.is_empty() {
        let (end, next, cells) = match cut(rest, separator, columns, true) {
            Cut::Row { end, next, cells } => (end, next, Some(cells)),
            Cut::Unclosed { end, next } => (end, next, None),
            // Not of a text that has ended.
            Cut::Undecided => break,
        };
        let raw = trimmed(&rest[..end], separator);
        rest = &rest[next..];
        if raw.is_empty() {
            continue;
        }
        if found.is_empty() {
            columns = cells;
        }
        found.push(Span {
            raw,
            closed: cells.is_some(),
        });
    }
    found
}
