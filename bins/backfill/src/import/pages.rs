//! Records packed into pages: bodies that the adapter splits into exactly these records again.

use super::json::{JsonRecords, PageShape};
use super::record::{ReadError, Record};
use super::rows::Rows;
use adapter::Split;
use schema::BodyFormat;
use std::io::Read;

/// The most records in a page, whatever their size.
const RECORDS_MAX: u32 = 1000;

/// Answers of the conversation details API.
const CONVERSATIONS: PageShape = PageShape {
    record: "conversationId",
    lists: &["conversations"],
    wrapper: None,
};
/// Answers of `contacts/completed` and of `contacts`; early versions of that API put all of it into one more object.
const CONTACTS: PageShape = PageShape {
    record: "contactId",
    lists: &["completedContacts", "contacts"],
    wrapper: Some("resultSet"),
};
/// Answers of the user details API.
const USERS: PageShape = PageShape {
    record: "userId",
    lists: &["userDetails"],
    wrapper: None,
};
/// Answers of `contacts/state-history`.
const CONTACT_STATES: PageShape = PageShape {
    record: "stateIndex",
    lists: &["contactStateHistory"],
    wrapper: Some("resultSet"),
};
/// Answers of `agents/state-history`; early versions of that API put the list into one more object.
const AGENT_STATES: PageShape = PageShape {
    record: "stateIndex",
    lists: &["agentStateHistory", "entries"],
    wrapper: Some("agentStateHistory"),
};

/// A body for one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The bytes.
    pub body: Vec<u8>,
    /// How many records are in it.
    pub records: u32,
    /// How far into the file it reaches.
    pub position: u64,
}

/// Cuts a file into pages. The same file and the same size give the same pages.
pub struct Pages<R> {
    format: BodyFormat,
    records: Records<R>,
    header: Vec<u8>,
    page_bytes: usize,
    /// Read, but not in a page yet.
    held: Option<Result<Record, ReadError>>,
}

enum Records<R> {
    Json(JsonRecords<R>),
    Rows(Rows<R>),
}

impl<R: Read> Pages<R> {
    /// Begins to read; of a CSV the header, which must be the report's.
    pub fn new(source: R, format: &BodyFormat, page_bytes: usize) -> Result<Self, ReadError> {
        let mut header = Vec::new();
        let records = match format {
            BodyFormat::GenesysDetails => {
                Records::Json(JsonRecords::new(source, Some(CONVERSATIONS)))
            }
            BodyFormat::CxoneContacts => Records::Json(JsonRecords::new(source, Some(CONTACTS))),
            BodyFormat::GenesysUserDetails => Records::Json(JsonRecords::new(source, Some(USERS))),
            BodyFormat::CxoneContactStates => {
                Records::Json(JsonRecords::new(source, Some(CONTACT_STATES)))
            }
            BodyFormat::CxoneAgentStates => {
                Records::Json(JsonRecords::new(source, Some(AGENT_STATES)))
            }
            // What an answer says about its schedules as a whole is part of each, so an answer stays together here.
            BodyFormat::GenesysSchedules
            | BodyFormat::GenesysWebhook
            | BodyFormat::CxoneDigital
            | BodyFormat::Mapped { .. } => Records::Json(JsonRecords::new(source, None)),
            BodyFormat::CxoneCallDetail { .. } | BodyFormat::CxoneAgentStateLog { .. } => {
                let mut rows = Rows::new(source);
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
                if let Split::Unreadable { reason } = adapter::split(format, &header) {
                    return Err(ReadError::Format(reason));
                }
                Records::Rows(rows)
            }
        };
        Ok(Self {
            format: format.clone(),
            records,
            header,
            page_bytes,
            held: None,
        })
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
            | BodyFormat::CxoneAgentStates => match adapter::split(&self.format, raw) {
                Split::Items(items) => u32::try_from(items.len()).unwrap_or(u32::MAX),
                Split::Unreadable { .. } => 1,
            },
            BodyFormat::GenesysWebhook
            | BodyFormat::CxoneDigital
            | BodyFormat::Mapped { .. }
            | BodyFormat::CxoneCallDetail { .. }
            | BodyFormat::CxoneAgentStateLog { .. } => 1,
        }
    }

    fn take(&mut self) -> Result<Option<Record>, ReadError> {
        match self.held.take() {
            Some(held) => held.map(Some),
            None => self.records.read(),
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
        match self {
            Self::Json(records) => records.position(),
            Self::Rows(rows) => rows.position(),
        }
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
