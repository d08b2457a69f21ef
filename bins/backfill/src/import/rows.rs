//! Rows out of a CSV text of any size, in bounded memory. A quoted cell may hold line ends.

use super::record::{Mark, Place, ReadError, Record};
use adapter::csv_rows::{Cut, ROW_MAX, cut, trimmed};
use std::io::Read;

const CHUNK: usize = 256 * 1024;
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads rows one by one, the header first.
pub(super) struct Rows<R> {
    source: R,
    buffer: Vec<u8>,
    /// The first byte that was not given out yet.
    start: usize,
    /// Where `buffer` begins in the text.
    offset: u64,
    ended: bool,
    separator: u8,
    /// How many cells the header has, once it was read.
    columns: Option<usize>,
}

impl<R: Read> Rows<R> {
    /// `head`: what was read of the source before.
    pub(super) fn new(source: R, head: Vec<u8>, separator: u8) -> Self {
        Self {
            source,
            buffer: head,
            start: 0,
            offset: 0,
            ended: false,
            separator,
            columns: None,
        }
    }

    /// Reads on from a source that begins at the mark, behind the header, which was read before.
    pub(super) fn resume(&mut self, source: R, mark: Mark) {
        self.source = source;
        self.buffer.clear();
        self.start = 0;
        self.offset = mark.offset;
        self.ended = false;
    }

    /// Where it stands.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            offset: self.position(),
            place: Place::Top,
            lines: None,
        }
    }

    /// How many bytes were read off.
    pub(super) fn position(&self) -> u64 {
        self.offset + self.start as u64
    }

    /// The next row that is not blank; `None` at the end. A line whose quote is not closed is a broken record.
    pub(super) fn read(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            if self.start >= CHUNK {
                self.buffer.drain(..self.start);
                self.offset += self.start as u64;
                self.start = 0;
            }
            // Files that were put together have the mark between them, too.
            while self.buffer.len() - self.start < MARK.len() && self.fill()? {}
            if self.buffer[self.start..].starts_with(MARK) {
                self.start += MARK.len();
            }
            if self.start == self.buffer.len() && !self.fill()? {
                return Ok(None);
            }
            let rest = &self.buffer[self.start..];
            let (end, next, cells) = match cut(rest, self.separator, self.columns, self.ended) {
                Cut::Row { end, next, cells } => (end, next, Some(cells)),
                Cut::Unclosed { end, next } => (end, next, None),
                Cut::Undecided if rest.len() > ROW_MAX => return Err(self.too_large()),
                Cut::Undecided => {
                    self.fill()?;
                    continue;
                }
            };
            if end > ROW_MAX {
                return Err(self.too_large());
            }
            let raw = trimmed(&rest[..end], self.separator).to_vec();
            self.start += next;
            if raw.is_empty() {
                continue;
            }
            if self.columns.is_none() {
                self.columns = cells;
            }
            let broken = cells.is_none();
            return Ok(Some(Record { raw, broken }));
        }
    }

    fn too_large(&self) -> ReadError {
        ReadError::Structure {
            offset: self.position(),
            what: "a row is larger than 1 MiB, or does not end",
        }
    }

    /// Reads more. False at the end of the text.
    fn fill(&mut self) -> Result<bool, ReadError> {
        if self.ended {
            return Ok(false);
        }
        let read = self
            .source
            .by_ref()
            .take(CHUNK as u64)
            .read_to_end(&mut self.buffer)
            .map_err(ReadError::of)?;
        self.ended = read == 0;
        Ok(read > 0)
    }
}
