//! Records out of a JSON text of any size, in bounded memory.
//!
//! Understood: one object, an array of them, a page that has the records in a list (under a name that the format gives), and any of
//! these one after the other, as on lines. Only strings and brackets are looked at; whether a record is JSON is for the adapter to say. What is
//! broken is given out as it stands, so that it ends in quarantine and not in nothing: in a text with one value a line that is the
//! line, else the rest of the text.

use super::record::{Mark, Place, ReadError, Record};
use std::io::Read;

/// A record larger than this is refused: it would not fit into a broker message.
pub(super) const RECORD_MAX: usize = 8 * 1024 * 1024;
const CHUNK: usize = 256 * 1024;

/// How the pages of a format are made.
#[derive(Debug, Clone)]
pub(super) struct PageShape {
    /// What only a record has: an object that begins with it is none.
    pub(super) record: Option<&'static str>,
    /// The names that lead to the list of records, from the outermost on; the first that is met holds.
    pub(super) paths: Vec<Vec<String>>,
    /// Whether a name's case matters; to the platforms' own formats it does not, as in the adapter.
    pub(super) exact: bool,
}

impl PageShape {
    fn is(&self, name: &[u8], wanted: &str) -> bool {
        if self.exact {
            name == wanted.as_bytes()
        } else {
            name.eq_ignore_ascii_case(wanted.as_bytes())
        }
    }

    /// How a name goes on that was found in the objects of a trail: whether it may have the list, and whether it may be around it.
    fn meaning(&self, trail: &[String], name: &[u8]) -> (bool, bool) {
        let fits = |path: &&Vec<String>| {
            path.starts_with(trail)
                && path
                    .get(trail.len())
                    .is_some_and(|next| self.is(name, next))
        };
        let depth = trail.len() + 1;
        let mut found = (false, false);
        for path in self.paths.iter().filter(fits) {
            found.0 |= path.len() == depth;
            found.1 |= path.len() > depth;
        }
        found
    }

    /// The name as the paths have it.
    fn spelled(&self, trail: &[String], name: &[u8]) -> Option<String> {
        let next = |path: &&Vec<String>| path.starts_with(trail) && path.len() > trail.len() + 1;
        let mut names = self
            .paths
            .iter()
            .filter(next)
            .map(|path| &path[trail.len()]);
        names.find(|next| self.is(name, next)).cloned()
    }
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
    /// Where a record of an array began that did not end.
    unended: Option<u64>,
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

/// Which line end is the end of a value that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Never,
    /// One in a text, where JSON has none.
    Quoted,
    /// Any: each line is a value.
    Line,
}

impl<R: Read> JsonRecords<R> {
    /// `head`: what was read of the source before; `pages`: which objects are not a record but a page of them.
    pub(super) fn new(source: R, head: Vec<u8>, pages: Option<PageShape>) -> Self {
        Self {
            source,
            buffer: head,
            start: 0,
            offset: 0,
            ended: false,
            place: Place::Top,
            pages,
            lines: None,
            unended: None,
        }
    }

    /// Reads on from a source that begins at the mark.
    pub(super) fn resume(&mut self, source: R, mark: Mark) {
        self.source = source;
        self.buffer.clear();
        self.start = 0;
        self.offset = mark.offset;
        self.ended = false;
        self.place = mark.place;
        self.lines = mark.lines;
        self.unended = None;
    }

    /// Where it stands; meant between records.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            offset: self.position(),
            place: self.place,
            lines: self.lines,
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
                    return Err(match self.unended {
                        None => self.error("the array does not end"),
                        Some(offset) => ReadError::Structure {
                            offset,
                            what: "a record of the array begins that does not end; what follows it was not read",
                        },
                    });
                }
                (Place::Rest { within }, Some(_)) => self.rest(within)?,
            }
        }
    }

    /// An element of an array.
    fn element(&mut self) -> Result<Record, ReadError> {
        match self.value(self.start, Stop::Never)? {
            End::At(end) if end > self.start => Ok(self.give(end, false)),
            End::At(_) => Err(self.error("a bracket closes what was not opened")),
            End::Line(_) | End::Text => {
                self.unended = Some(self.position());
                Ok(self.give(self.buffer.len(), true))
            }
        }
    }

    /// An object between values: a record, or a page, which is entered.
    fn object(&mut self) -> Result<Option<Record>, ReadError> {
        let stop = match self.lines {
            Some(true) => Stop::Line,
            Some(false) => Stop::Never,
            None => Stop::Quoted,
        };
        if let Some(shape) = self.pages.take() {
            let entered = self.enter_page(&shape, stop);
            self.pages = Some(shape);
            match entered {
                Ok(true) => return Ok(None),
                // Without an end it is no page, and may be a line that is broken.
                Ok(false) | Err(ReadError::Structure { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let mut end = self.value(self.start, stop);
        if self.lines.is_none() {
            end = self.first(end);
        }
        match end? {
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

    /// How the first value of all ends. One that does not may be a line among lines; the others are none the worse for it.
    fn first(&mut self, end: Result<End, ReadError>) -> Result<End, ReadError> {
        let line = match end {
            Ok(End::At(_)) | Err(ReadError::Io(_) | ReadError::Gzip(_) | ReadError::Format(_)) => {
                return end;
            }
            Ok(End::Line(line)) => Some(line),
            Ok(End::Text) | Err(ReadError::Structure { .. }) => {
                memchr::memchr(b'\n', &self.buffer[self.start..]).map(|line| self.start + line)
            }
        };
        if let Some(line) = line
            && self.byte(line + 1)? == Some(b'{')
        {
            self.lines = Some(true);
            return Ok(End::Line(line));
        }
        match end {
            Ok(End::Line(_)) => self.value(self.start, Stop::Never),
            other => other,
        }
    }

    /// Looks for the list of a page among the members. True when it was found and entered.
    fn enter_page(&mut self, shape: &PageShape, stop: Stop) -> Result<bool, ReadError> {
        let mut at = self.start + 1;
        let mut trail: Vec<String> = Vec::new();
        loop {
            at = self.blank(at, b",")?;
            if !trail.is_empty() && self.byte(at)? == Some(b'}') {
                // An object that might be around the list has none: the members behind it are looked at as those before it.
                trail.pop();
                at += 1;
                continue;
            }
            if self.byte(at)? != Some(b'"') {
                return Ok(false);
            }
            let name_start = at - self.start;
            let End::At(name_end) = self.value(at, stop)? else {
                return Ok(false);
            };
            let name = self
                .buffer
                .get(self.start + name_start + 1..name_end - 1)
                .unwrap_or_default();
            if shape.record.is_some_and(|record| shape.is(name, record)) {
                return Ok(false);
            }
            let (is_list, is_around) = shape.meaning(&trail, name);
            let around = shape.spelled(&trail, name);
            at = self.blank(name_end, b":")?;
            match self.byte(at)? {
                Some(b'[') if is_list => {
                    self.start = at + 1;
                    let within = u8::try_from(trail.len() + 1).unwrap_or(u8::MAX);
                    self.place = Place::Array { within };
                    return Ok(true);
                }
                Some(b'{') if is_around => {
                    trail.extend(around);
                    at += 1;
                    continue;
                }
                _ => {}
            }
            match self.value(at, stop)? {
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
                Some(_) => match self.value(self.start, Stop::Never)? {
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
    fn value(&mut self, at: usize, stop: Stop) -> Result<End, ReadError> {
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
            let stops = match stop {
                Stop::Never => false,
                Stop::Quoted => quoted,
                Stop::Line => quoted || depth > 0,
            };
            if byte == b'\n' && stops {
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
        let read = read.map_err(ReadError::of)?;
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
