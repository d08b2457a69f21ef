//! Rows out of a CSV text of any size. A quoted cell may hold line ends.

use super::record::{ReadError, Record};
use std::io::BufRead;

/// A row larger than this is none: a quote is not closed.
const ROW_MAX: usize = 1024 * 1024;

/// Reads rows one by one, the header first.
pub(super) struct Rows<R> {
    source: R,
    position: u64,
}

impl<R: BufRead> Rows<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            position: 0,
        }
    }

    /// How many bytes were read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next row that is not blank; `None` at the end.
    pub(super) fn read(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            let began = self.position;
            let mut row = Vec::new();
            let mut quoted = false;
            loop {
                let known = row.len();
                let read = self
                    .source
                    .read_until(b'\n', &mut row)
                    .map_err(ReadError::Io)?;
                self.position += read as u64;
                for byte in &row[known..] {
                    quoted ^= *byte == b'"';
                }
                if read == 0 || !quoted {
                    break;
                }
                if row.len() > ROW_MAX {
                    return Err(ReadError::Structure {
                        offset: began,
                        what: "a row is larger than 1 MiB: a quote is not closed",
                    });
                }
            }
            let raw = row
                .strip_prefix(b"\xef\xbb\xbf")
                .unwrap_or(&row)
                .trim_ascii()
                .to_vec();
            if !raw.is_empty() {
                return Ok(Some(Record { raw, broken: false }));
            }
            if self.position == began {
                return Ok(None);
            }
        }
    }
}
