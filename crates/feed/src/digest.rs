//! What tells whether the content of an interval differs from what was sent.

use crate::table::{Cell, Table};
use sha2::{Digest as _, Sha256};
use std::fmt::{self, Write as _};

/// SHA-256 of the content of an interval, not of the bytes of a file: revision and correction are not in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Columns by name, then cells row by row, each with its kind and its length.
pub(crate) fn of(table: &Table) -> Digest {
    let mut hasher = Sha256::new();
    let mut part = |kind: u8, text: &str| {
        hasher.update([kind]);
        hasher.update(text.len().to_be_bytes());
        hasher.update(text);
    };
    part(b'i', &table.interval().start.0.to_string());
    part(b'i', &table.interval().end.0.to_string());
    let kept: Vec<usize> = table.columns_of_content().collect();
    let mut text = String::new();
    for index in &kept {
        if let Some(head) = table.heads().get(*index) {
            part(b'h', &head.field);
        }
    }
    for row in table.rows() {
        part(b'r', "");
        for cell in kept.iter().filter_map(|index| row.get(*index)) {
            text.clear();
            // Writing to a text does not fail.
            match cell {
                Cell::Null => part(b'0', ""),
                Cell::Text(text) => part(b't', text),
                Cell::Number(number) => {
                    write!(text, "{number}").unwrap_or_default();
                    part(b'n', &text);
                }
                Cell::Instant(at) => {
                    write!(text, "{}", at.0).unwrap_or_default();
                    part(b'a', &text);
                }
            }
        }
    }
    Digest(hasher.finalize().into())
}
