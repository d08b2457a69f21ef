//! Splitting: one body in, its items out, each with its exact bytes.

use crate::error::BodyError;
use crate::json;
use crate::page::Shape;
use crate::unfold::Allowance;
use schema::BodyFormat;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// A body, split.
#[derive(Debug, Clone, PartialEq)]
pub enum Split<'a> {
    /// Its items; none for an empty array.
    Items(Vec<Item<'a>>),
    /// It cannot be split: the whole body is one bad item.
    Unreadable {
        /// Why.
        reason: BodyError,
    },
}

/// One item of a body.
#[derive(Clone, PartialEq)]
pub struct Item<'a> {
    /// Its place in the body, from 0.
    pub index: usize,
    /// Its bytes as they came. Of a CSV the header line and the row's line, of an answer with schedules what it says about all of them
    /// too: an item can always be mapped alone, later.
    pub raw: Cow<'a, [u8]>,
}

/// Without the bytes, which are personal data.
impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item {} of {} bytes", self.index, self.raw.len())
    }
}

/// Splits a body. A damaged item stays an item, and fails when it is mapped; only a body whose items cannot be told apart is
/// unreadable. Pages such as `{"conversations": […]}` of [`BodyFormat::GenesysDetails`] or `{"completedContacts": […]}` of
/// [`BodyFormat::CxoneContacts`] are opened.
pub fn split<'a>(format: &BodyFormat, body: &'a [u8]) -> Split<'a> {
    let body = without_mark(body);
    let items = match format {
        BodyFormat::GenesysWebhook | BodyFormat::CxoneDigital | BodyFormat::Mapped { .. } => {
            values(body).map(|spans| borrowed(body, spans))
        }
        BodyFormat::GenesysDetails => pages(body, &crate::genesys_details::PAGE),
        BodyFormat::GenesysUserDetails => pages(body, &crate::genesys_user_details::PAGE),
        BodyFormat::CxoneContacts => pages(body, &crate::cxone_contacts::PAGE),
        BodyFormat::CxoneContactStates => pages(body, &crate::cxone_contact_states::PAGE),
        BodyFormat::CxoneAgentStates => pages(body, &crate::cxone_agent_states::PAGE),
        BodyFormat::GenesysSchedules => values(body).and_then(|spans| {
            let mut allowance = Allowance::of(body.len());
            let opened = spans
                .into_iter()
                .map(|span| crate::genesys_schedules::open(body, span, &mut allowance));
            Ok(opened.collect::<Result<Vec<_>, _>>()?.concat())
        }),
        BodyFormat::CxoneCallDetail { .. } => crate::cxone_call_detail::split(body).map(owned),
        BodyFormat::CxoneAgentStateLog { .. } => {
            crate::cxone_agent_state_log::split(body).map(owned)
        }
    };
    match items {
        Ok(items) => Split::Items(
            items
                .into_iter()
                .enumerate()
                .map(|(index, raw)| Item { index, raw })
                .collect(),
        ),
        Err(reason) => Split::Unreadable { reason },
    }
}

/// The records of the pages of a body.
fn pages<'a>(body: &'a [u8], shape: &Shape) -> Result<Vec<Cow<'a, [u8]>>, BodyError> {
    let spans = values(body)?;
    let records = spans
        .into_iter()
        .flat_map(|span| shape.open(body, span))
        .collect();
    Ok(borrowed(body, records))
}

fn borrowed(body: &[u8], spans: Vec<Range<usize>>) -> Vec<Cow<'_, [u8]>> {
    spans
        .into_iter()
        .map(|span| Cow::Borrowed(&body[span]))
        .collect()
}

fn owned<'a>(rows: Vec<Vec<u8>>) -> Vec<Cow<'a, [u8]>> {
    rows.into_iter().map(Cow::Owned).collect()
}

/// The body without a byte order mark.
pub(crate) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// The values of a body: the one object, the elements of an array, or one value a line.
fn values(body: &[u8]) -> Result<Vec<Range<usize>>, BodyError> {
    let start = json::skip_blank(body, 0);
    match body.get(start) {
        None => return Err(BodyError::Empty),
        Some(b'{' | b'[') => {}
        Some(_) => return Err(BodyError::neither(body, start)),
    }
    let end = json::skip_value(body, start);
    if end.is_some_and(|end| json::skip_blank(body, end) == body.len()) {
        return opened(body, start);
    }
    lines(body).unwrap_or_else(|| stream(body, start))
}

/// The elements of an array, or the value itself.
fn opened(body: &[u8], start: usize) -> Result<Vec<Range<usize>>, BodyError> {
    if body[start] == b'[' {
        return json::elements(body, start)
            .map(|(elements, _)| elements)
            .map_err(|at| BodyError::not_json(body, at));
    }
    let end = json::skip_value(body, start).ok_or_else(|| BodyError::unended(body, start))?;
    Ok(std::iter::once(start..end).collect())
}

/// One value a line. A line that is broken stands alone; at least one must be whole, else the lines mean nothing.
fn lines(body: &[u8]) -> Option<Result<Vec<Range<usize>>, BodyError>> {
    let mut found = Vec::new();
    let mut whole = false;
    let mut at = 0;
    for line in body.split(|byte| *byte == b'\n') {
        let span = trimmed(line, at);
        at += line.len() + 1;
        if span.is_empty() {
            continue;
        }
        let is_whole = matches!(body[span.start], b'{' | b'[')
            && json::skip_value(&body[..span.end], span.start) == Some(span.end);
        whole |= is_whole;
        if is_whole && body[span.start] == b'[' {
            match opened(&body[..span.end], span.start) {
                Ok(elements) => found.extend(elements),
                Err(_) => found.push(span),
            }
        } else {
            found.push(span);
        }
    }
    (whole && at > 0).then_some(Ok(found))
}

fn trimmed(line: &[u8], at: usize) -> Range<usize> {
    let start = json::skip_blank(line, 0);
    let length = line[start..].trim_ascii_end().len();
    at + start..at + start + length
}

/// Values one after the other on one line.
fn stream(body: &[u8], start: usize) -> Result<Vec<Range<usize>>, BodyError> {
    let mut found = Vec::new();
    let mut at = start;
    while at < body.len() {
        if !matches!(body[at], b'{' | b'[') {
            return Err(BodyError::not_json(body, at));
        }
        let end = json::skip_value(body, at).ok_or_else(|| BodyError::unended(body, at))?;
        found.extend(opened(&body[..end], at)?);
        at = json::skip_blank(body, end);
    }
    Ok(found)
}
