//! Records packed into pages: bodies that the adapter splits into exactly these records again.

use super::json::{JsonRecords, PageShape};
use super::record::{Mark, ReadError, Record};
use super::rows::Rows;
use adapter::csv_rows::COMMA;
use adapter::{Mapping, Mappings, Split};
use schema::BodyFormat;
use std::io::Read;
use std::sync::Arc;

/// The most records in a page, whatever their size.
const RECORDS_MAX: u32 = 1000;
/// Of this many blanks at its beginning a file is not looked at further.
const HEAD_MAX: usize = 64 * 1024;

/// The page shape of a platform's format: what only a record has, the names that its list may have, and an object that may be around it.
fn shape(record: &'static str, lists: &[&str], wrapper: Option<&str>) -> PageShape {
    let path = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let mut paths: Vec<Vec<String>> = lists.iter().map(|&list| path(&[list])).collect();
    if let Some(wrapper) = wrapper {
        paths.extend(lists.iter().map(|&list| path(&[wrapper, list])));
    }
    PageShape {
        record: Some(record),
        paths,
        exact: false,
    }
}

/// What is around the records of a file of this format, if anything.
fn shape_of(format: &BodyFormat, mapping: Option<&Mapping>) -> Option<PageShape> {
    Some(match format {
        // Answers of the conversation details API.
        BodyFormat::GenesysDetails => shape("conversationId", &["conversations"], None),
        // Answers of `contacts/completed` and of `contacts`; early versions of that API put all of it into one more object.
        BodyFormat::CxoneContacts => shape(
            "contactId",
            &["completedContacts", "contacts"],
            Some("resultSet"),
        ),
        // Answers of the user details API.
        BodyFormat::GenesysUserDetails => shape("userId", &["userDetails"], None),
        // Answers of `contacts/state-history`.
        BodyFormat::CxoneContactStates => {
            shape("stateIndex", &["contactStateHistory"], Some("resultSet"))
        }
        // Answers of `agents/state-history`; early versions of that API put the list into one more object.
        BodyFormat::CxoneAgentStates => shape(
            "stateIndex",
            &["agentStateHistory", "entries"],
            Some("agentStateHistory"),
        ),
        BodyFormat::Mapped { .. } => {
            let paths: Vec<Vec<String>> = mapping.map_or_else(Vec::new, |mapping| {
                mapping.wrappers().map(<[_]>::to_vec).collect()
            });
            if paths.is_empty() {
                return None;
            }
            PageShape {
                record: None,
                paths,
                exact: true,
            }
        }
        // What an answer says about its schedules as a whole is part of each, so an answer stays together here.
        BodyFormat::GenesysSchedules
        | BodyFormat::GenesysWebhook
        | BodyFormat::CxoneDigital
        | BodyFormat::CxoneCallDetail { .. }
        | BodyFormat::CxoneAgentStateLog { .. } => return None,
    })
}

/// What stands between the cells of a file that begins so, where it is rows and not JSON.
fn separator(format: &BodyFormat, mapping: Option<&Mapping>, head: &[u8]) -> Option<u8> {
    match format {
        BodyFormat::CxoneCallDetail { .. } | BodyFormat::CxoneAgentStateLog { .. } => Some(COMMA),
        BodyFormat::Mapped { .. } => mapping
            .and_then(Mapping::separator)
            .filter(|_| !adapter::mapping::is_json(head)),
        _ => None,
    }
}

/// A body for one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The bytes.
    pub body: Vec<u8>,
    /// How many records are in it.
    pub records: u32,
    /// How far into the text it reaches.
    pub position: u64,
    /// Where the next one begins.
    pub next: Mark,
}

/// Cuts a file into pages. The same file and the same size give the same pages.
pub struct Pages<R> {
    format: BodyFormat,
    mappings: Arc<Mappings>,
    records: Records<R>,
    header: Vec<u8>,
    page_bytes: usize,
    /// Read, but not in a page yet.
    held: Option<Result<Record, ReadError>>,
    /// Where what is held begins.
    before: Mark,
}

enum Records<R> {
    Json(JsonRecords<R>),
    Rows(Rows<R>),
}

impl<R: Read> Pages<R> {
    /// Begins to read; of a CSV the header, which must be the report's, or say what the mapping file needs.
    pub fn new(
        mut source: R,
        format: &BodyFormat,
        mappings: Arc<Mappings>,
        page_bytes: usize,
    ) -> Result<Self, ReadError> {
        let mapping = match format {
            BodyFormat::Mapped { mapping } => mappings.named(mapping),
            _ => None,
        };
        let head = head(&mut source)?;
        let mut header = Vec::new();
        let records = match separator(format, mapping, &head) {
            None => Records::Json(JsonRecords::new(source, head, shape_of(format, mapping))),
            Some(separator) => {
                let mut rows = Rows::new(source, head, separator);
                if let Some(first) = rows.read()? {
                    if first.broken {
                        return Err(ReadError::Structure {
                            offset: 0,
                            what: "a quote in the header is not closed",
                        });
                    }
                    // The adapter opens such an answer, but here it would pass for a header without rows.
                    if adapter::cxone_report_file::is_answer(&first.raw) {
                        return Err(ReadError::Structure {
                            offset: 0,
                            what: "this is JSON and not the report, which is CSV; of an answer around a report decode its `file` from base64 first",
                        });
                    }
                    header = first.raw;
                }
                if let Split::Unreadable { reason } =
                    adapter::split_with(format, &header, &mappings)
                {
                    return Err(ReadError::Format(reason));
                }
                Records::Rows(rows)
            }
        };
        let before = records.mark();
        Ok(Self {
            format: format.clone(),
            mappings,
            records,
            header,
            page_bytes,
            held: None,
            before,
        })
    }

    /// Reads on from a source that begins at the mark of a page of the same file.
    pub fn resume(&mut self, source: R, mark: Mark) {
        self.held = None;
        self.before = mark;
        match &mut self.records {
            Records::Json(records) => records.resume(source, mark),
            Records::Rows(rows) => rows.resume(source, mark),
        }
    }

    /// The next page; `None` at the end.
    pub fn read(&mut self) -> Result<Option<Page>, ReadError> {
        let Some(first) = self.take()? else {
            return Ok(None);
        };
        if first.broken {
            let mut page = Page {
                body: Vec::new(),
                records: 0,
                position: self.records.position(),
                next: self.records.mark(),
            };
            // A row's header goes with it, so that quarantine shows it as any other row; of JSON it is all there is.
            if matches!(self.records, Records::Rows(_)) {
                page.body = self.opening();
            }
            page.body.extend_from_slice(&first.raw);
            if matches!(self.records, Records::Rows(_)) {
                page.body.push(b'\n');
            }
            page.records = 1;
            return Ok(Some(page));
        }
        let mut page = Page {
            body: self.opening(),
            records: 0,
            position: 0,
            next: self.before,
        };
        let mut next = Some(first);
        let mut values = 0;
        while let Some(record) = next {
            let full = values > 0
                && (values >= RECORDS_MAX || page.body.len() + record.raw.len() > self.page_bytes);
            if full || record.broken {
                self.held = Some(Ok(record));
                break;
            }
            self.push(&mut page, &record.raw, values == 0);
            values += 1;
            page.position = self.records.position();
            next = match self.take() {
                Ok(next) => next,
                // What was read until then is given out first.
                Err(error) => {
                    self.held = Some(Err(error));
                    None
                }
            };
        }
        page.next = match &self.held {
            Some(_) => self.before,
            None => self.records.mark(),
        };
        if matches!(self.records, Records::Json(_)) {
            page.body.push(b']');
        }
        Ok(Some(page))
    }

    fn opening(&self) -> Vec<u8> {
        match self.records {
            Records::Json(_) => b"[".to_vec(),
            Records::Rows(_) => {
                let mut body = self.header.clone();
                body.push(b'\n');
                body
            }
        }
    }

    fn push(&self, page: &mut Page, raw: &[u8], first: bool) {
        match self.records {
            Records::Json(_) => {
                if !first {
                    page.body.push(b',');
                }
                page.body.extend_from_slice(raw);
                page.records += self.items(raw);
            }
            Records::Rows(_) => {
                page.body.extend_from_slice(raw);
                page.body.push(b'\n');
                page.records += 1;
            }
        }
    }

    /// How many items the adapter finds in a value. Mostly one; of an answer that has no list, because nothing was found, none.
    fn items(&self, raw: &[u8]) -> u32 {
        match &self.format {
            BodyFormat::GenesysDetails
            | BodyFormat::GenesysUserDetails
            | BodyFormat::GenesysSchedules
            | BodyFormat::CxoneContacts
            | BodyFormat::CxoneContactStates
            | BodyFormat::CxoneAgentStates
            | BodyFormat::Mapped { .. } => {
                match adapter::split_with(&self.format, raw, &self.mappings) {
                    Split::Items(items) => u32::try_from(items.len()).unwrap_or(u32::MAX),
                    Split::Unreadable { .. } => 1,
                }
            }
            BodyFormat::GenesysWebhook
            | BodyFormat::CxoneDigital
            | BodyFormat::CxoneCallDetail { .. }
            | BodyFormat::CxoneAgentStateLog { .. } => 1,
        }
    }

    fn take(&mut self) -> Result<Option<Record>, ReadError> {
        match self.held.take() {
            Some(held) => held.map(Some),
            None => {
                self.before = self.records.mark();
                self.records.read()
            }
        }
    }
}

impl<R: Read> Records<R> {
    fn read(&mut self) -> Result<Option<Record>, ReadError> {
        match self {
            Self::Json(records) => {
                records.forget();
                records.read()
            }
            Self::Rows(rows) => rows.read(),
        }
    }

    fn position(&self) -> u64 {
        self.mark().offset
    }

    fn mark(&self) -> Mark {
        match self {
            Self::Json(records) => records.mark(),
            Self::Rows(rows) => rows.mark(),
        }
    }
}

/// Reads until something stands there, which says what the file is. What is no text is refused by its first bytes.
fn head(source: &mut impl Read) -> Result<Vec<u8>, ReadError> {
    const NO_TEXT: [(&[u8], &str); 3] = [
        (b"\xff\xfe", "this is UTF-16; save it as UTF-8"),
        (b"\xfe\xff", "this is UTF-16; save it as UTF-8"),
        (
            b"PK\x03\x04",
            "this is a zip or a spreadsheet; unpack it, or save it as CSV",
        ),
    ];
    let mut head = Vec::new();
    let mut part = [0; 4096];
    while head.len() < 4 || (head.len() < HEAD_MAX && head.trim_ascii().is_empty()) {
        match source.read(&mut part) {
            Ok(0) => break,
            Ok(length) => head.extend_from_slice(part.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadError::of(error)),
        }
    }
    match NO_TEXT.iter().find(|(begin, _)| head.starts_with(begin)) {
        Some((_, what)) => Err(ReadError::Structure { offset: 0, what }),
        None => Ok(head),
    }
}

impl<R> std::fmt::Debug for Pages<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages")
            .field("page_bytes", &self.page_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
