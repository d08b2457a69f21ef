//! Records out of a JSON text of any size, in bounded memory.
//!
//! Understood: one object, an array of them, a page that has the records in a list (under a name that the format gives), and any of
//! these one after the other, as on lines. Only strings and brackets are looked at; whether a record is JSON is for the adapter to say. What is
//! broken is given out as it stands, so that it ends in quarantine and not in nothing: in a text with one value a line that is the
//! line, else the rest of the text.

use super::record::{ReadError, Record};
use std::io::Read;

/// A record larger than this is refused: it would not fit into a broker message.
pub(super) const RECORD_MAX: usize = 8 * 1024 * 1024;
const CHUNK: usize = 256 * 1024;

/// Where the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between values.
    Top,
    /// In an array. `within` counts the objects of the page around it, whose other members follow; 0: it is no page's list.
    Array { within: u8 },
    /// Behind the list of a page, in so many objects.
    Rest { within: u8 },
}

/// How the pages of a format are made. Names are matched whatever their case, as the adapter does.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageShape {
    /// What only a record has: an object that begins with it is none.
    pub(super) record: &'static str,
    /// The names that the list of records may have.
    pub(super) lists: &'static [&'static str],
    /// An object that may be around the list.
    pub(super) wrapper: Option<&'static str>,
}

/// Reads records one by one.
pub(super) struct JsonRecords<R> {
    source: R,
    buffer: Vec<u8>,
    /// The first byte that was not given out yet.
    start: usize,
    /// Where `buffer` begins in the text.
    offset: u64,
    ended: bool,
    place: Place,
    /// What is a page and not a record, if the format has any.
    pages: Option<PageShape>,
    /// Whether each line is a value; known after the first value.
    lines: Option<bool>,
}

/// How a scan ended.
enum End {
    /// Behind the value.
    At(usize),
    /// The line ends before the value does.
    Line(usize),
    /// The text ends before the value does.
    Text,
}

impl<R: Read> JsonRecords<R> {
    /// `pages`: which objects are not a record but a page of them.
    pub(super) fn new(source: R, pages: Option<PageShape>) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            start: 0,
            offset: 0,
            ended: false,
            place: Place::Top,
            pages,
            lines: None,
        }
    }

    /// How many bytes were read off.
    pub(super) fn position(&self) -> u64 {
        self.offset + self.start as u64
    }

    /// The next record; `None` at the end.
    pub(super) fn read(&mut self) -> Result<Option<Record>, ReadError> {
        if self.offset == 0 && self.start == 0 {
            while self.buffer.len() < 3 && self.fill()? {}
            if self.buffer.starts_with(b"\xef\xbb\xbf") {
                self.start = 3;
            }
        }
        loop {
            let next = self.skip_blank()?;
            match (self.place, next) {
                (Place::Top, None) => return Ok(None),
                (Place::Top, Some(b'[')) => {
                    self.start += 1;
                    self.place = Place::Array { within: 0 };
                }
                (Place::Top, Some(b'{')) => {
                    if let Some(record) = self.object()? {
                        return Ok(Some(record));
                    }
                }
                (Place::Top, Some(_)) => return self.broken_line().map(Some),
                (Place::Array { within: 0 }, Some(b']')) => {
                    self.start += 1;
                    self.place = Place::Top;
                }
                (Place::Array { within }, Some(b']')) => {
                    self.start += 1;
                    self.place = Place::Rest { within };
                }
                (Place::Array { .. }, Some(b',')) => self.start += 1,
                (Place::Array { .. }, Some(_)) => return self.element().map(Some),
                // The array does not end, but all of its records are out.
                (Place::Array { .. } | Place::Rest { .. }, None) => {
                    return Err(self.error("the array does not end"));
                }
                (Place::Rest { within }, Some(_)) => self.rest(within)?,
            }
        }
    }

    /// An element of an array.
    fn element(&mut self) -> Result<Record, ReadError> {
        match self.value(self.start, false)? {
            End::At(end) if end > self.start => Ok(self.give(end, false)),
            End::At(_) => Err(self.error("a bracket closes what was not opened")),
            End::Line(_) | End::Text => Ok(self.give(self.buffer.len(), true)),
        }
    }

    /// An object between values: a record, or a page, which is entered.
    fn object(&mut self) -> Result<Option<Record>, ReadError> {
        let lines = self.lines == Some(true);
        if let Some(shape) = self.pages
            && self.enter_page(shape, lines)?
        {
            return Ok(None);
        }
        match self.value(self.start, lines)? {
            End::At(end) => {
                if self.lines.is_none() {
                    let one_line = !self.buffer[self.start..end].contains(&b'\n');
                    self.lines = Some(one_line);
                }
                Ok(Some(self.give(end, false)))
            }
            End::Line(end) => Ok(Some(self.give(end, true))),
            End::Text => Ok(Some(self.give(self.buffer.len(), true))),
        }
    }

    /// Looks for the list of a page among the members. True when it was found and entered.
    fn enter_page(&mut self, shape: PageShape, lines: bool) -> Result<bool, ReadError> {
        let mut at = self.start + 1;
        let mut within = 1;
        loop {
            at = self.blank(at, b",")?;
            if within == 2 && self.byte(at)? == Some(b'}') {
                // The wrapper has no list: the members behind it are looked at as those before it.
                within = 1;
                at += 1;
                continue;
            }
            if self.byte(at)? != Some(b'"') {
                return Ok(false);
            }
            let name_start = at - self.start;
            let End::At(name_end) = self.value(at, lines)? else {
                return Ok(false);
            };
            let name = self
                .buffer
                .get(self.start + name_start + 1..name_end - 1)
                .unwrap_or_default();
            let is = |wanted: &&str| name.eq_ignore_ascii_case(wanted.as_bytes());
            if is(&shape.record) {
                return Ok(false);
            }
            let is_list = shape.lists.iter().any(is);
            let is_wrapper = within == 1 && shape.wrapper.iter().any(is);
            at = self.blank(name_end, b":")?;
            match self.byte(at)? {
                Some(b'[') if is_list => {
                    self.start = at + 1;
                    self.place = Place::Array { within };
                    return Ok(true);
                }
                Some(b'{') if is_wrapper => {
                    within = 2;
                    at += 1;
                    continue;
                }
                _ => {}
            }
            match self.value(at, lines)? {
                End::At(end) if end > at => at = end,
                _ => return Ok(false),
            }
        }
    }

    /// The members behind the list of a page, to the end of the innermost object around it.
    fn rest(&mut self, within: u8) -> Result<(), ReadError> {
        loop {
            match self.skip_blank()? {
                None => return Err(self.error("the page does not end")),
                Some(b'}') => {
                    self.start += 1;
                    self.place = match within {
                        0 | 1 => Place::Top,
                        more => Place::Rest { within: more - 1 },
                    };
                    return Ok(());
                }
                Some(b',' | b':') => self.start += 1,
                Some(_) => match self.value(self.start, false)? {
                    End::At(end) if end > self.start => self.start = end,
                    _ => return Err(self.error("the page does not end")),
                },
            }
        }
    }

    /// What is no value, to the end of its line.
    fn broken_line(&mut self) -> Result<Record, ReadError> {
        let mut at = self.start;
        loop {
            match self.byte(at)? {
                Some(b'\n') | None => return Ok(self.give(at, true)),
                Some(_) => at += 1,
            }
            self.check_size(at)?;
        }
    }

    /// Gives out the bytes up to `end`.
    fn give(&mut self, end: usize, broken: bool) -> Record {
        let raw = self.buffer[self.start..end].trim_ascii().to_vec();
        self.start = end;
        Record { raw, broken }
    }

    /// Where the value at `at` ends. Keeps `start`, reads as much as it takes.
    fn value(&mut self, at: usize, stop_at_line: bool) -> Result<End, ReadError> {
        let mut depth = 0_usize;
        let mut quoted = false;
        let mut escaped = false;
        let mut at = at;
        let first = at;
        loop {
            self.check_size(at)?;
            let Some(byte) = self.byte(at)? else {
                // A bare word may end with the text.
                let bare = depth == 0 && !quoted && at > first;
                return Ok(if bare { End::At(at) } else { End::Text });
            };
            if byte == b'\n' && stop_at_line && (quoted || depth > 0) {
                return Ok(End::Line(at));
            }
            if quoted {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => {
                        quoted = false;
                        if depth == 0 {
                            return Ok(End::At(at + 1));
                        }
                    }
                    _ => {}
                }
            } else {
                match byte {
                    // What follows a bare word, or a bracket that nothing opened.
                    b'"' | b'{' | b'[' if depth == 0 && at > first => return Ok(End::At(at)),
                    b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' | b'}' | b']' if depth == 0 => {
                        return Ok(End::At(at));
                    }
                    b'"' => quoted = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return Ok(End::At(at + 1));
                        }
                    }
                    _ => {}
                }
            }
            at += 1;
        }
    }

    fn check_size(&self, at: usize) -> Result<(), ReadError> {
        if at - self.start > RECORD_MAX {
            return Err(self.error("a record is larger than 8 MiB, or does not end"));
        }
        Ok(())
    }

    fn error(&self, what: &'static str) -> ReadError {
        ReadError::Structure {
            offset: self.position(),
            what,
        }
    }

    /// Skips white space and gives the next byte.
    fn skip_blank(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            match self.byte(self.start)? {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.start += 1,
                other => return Ok(other),
            }
        }
    }

    /// The position of the first byte at or after `at` that is neither white space nor one of `also`.
    fn blank(&mut self, mut at: usize, also: &[u8]) -> Result<usize, ReadError> {
        while let Some(byte) = self.byte(at)? {
            if !b" \n\r\t".contains(&byte) && !also.contains(&byte) {
                break;
            }
            at += 1;
            self.check_size(at)?;
        }
        Ok(at)
    }

    /// The byte at a place in the buffer, read if need be; `None` at the end of the text.
    fn byte(&mut self, at: usize) -> Result<Option<u8>, ReadError> {
        loop {
            if let Some(byte) = self.buffer.get(at) {
                return Ok(Some(*byte));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads more. False at the end of the text.
    fn fill(&mut self) -> Result<bool, ReadError> {
        if self.ended {
            return Ok(false);
        }
        let length = self.buffer.len();
        self.buffer.resize(length + CHUNK, 0);
        let read = loop {
            match self.source.read(&mut self.buffer[length..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(length + *read.as_ref().unwrap_or(&0));
        let read = read.map_err(ReadError::Io)?;
        self.ended = read == 0;
        Ok(read > 0)
    }

    /// Forgets what was given out. Call it between records.
    pub(super) fn forget(&mut self) {
        if self.start >= CHUNK {
            self.buffer.drain(..self.start);
            self.offset += self.start as u64;
            self.start = 0;
        }
    }
}
