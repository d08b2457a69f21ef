//! A call of a history API, taken apart, and what it is answered with.

use super::moment::Moment;
use super::state::State;
use crate::http::{Answer, error};
use crate::ledger::Kind;
use std::collections::HashMap;
use std::time::Instant;

/// Which call it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The short name, in accounts and limits.
    pub(crate) name: &'static str,
    /// The id in its path, or what stands for one.
    pub(crate) id: String,
    /// Whether it needs a token.
    pub(crate) token: bool,
    /// The permission that it needs.
    pub(crate) permission: Option<&'static str>,
    /// Whether it is one of CXone's, whose refusals look different.
    pub(crate) cxone: bool,
}

impl Route {
    pub(crate) fn new(name: &'static str, permission: Option<&'static str>) -> Self {
        Self {
            name,
            id: String::new(),
            token: true,
            permission,
            cxone: false,
        }
    }

    pub(crate) fn of(self, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..self
        }
    }
}

/// A call, taken apart.
pub(crate) struct Asked<'a> {
    pub(crate) route: &'a Route,
    pub(crate) path: &'a str,
    pub(crate) query: HashMap<String, String>,
    /// The query as it came.
    pub(crate) raw_query: &'a str,
    pub(crate) body: &'a [u8],
    /// The double's own URL.
    pub(crate) url: &'a str,
    /// An id for what is created.
    pub(crate) fresh_id: String,
    /// The id under which the platform remembers this exchange.
    pub(crate) context: &'a str,
    /// When it arrived.
    pub(crate) at: Instant,
}

impl Asked<'_> {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.parameter(name)?.parse().ok()
    }

    /// 400 in these words.
    pub(crate) fn bad(&self, message: &str) -> Reply {
        Reply::answer(error(400, "bad.request", message, self.context))
    }

    pub(crate) fn absent(&self) -> Reply {
        Reply::answer(error(404, "not found", "HTTP 404 Not Found", self.context))
    }
}

/// A body that is made while nothing is locked.
pub(crate) struct Made {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) content_type: &'static str,
    /// The records in it.
    pub(crate) records: usize,
}

impl Made {
    pub(crate) const fn json(body: String, records: usize) -> Self {
        Self {
            status: 200,
            body,
            content_type: "application/json",
            records,
        }
    }
}

pub(crate) enum Content {
    Answer(Answer),
    Work(Box<dyn FnOnce() -> Made + Send>),
}

/// What a call is answered with.
pub(crate) struct Reply {
    pub(crate) content: Content,
    /// What it asks for, when that is not the call word by word.
    pub(crate) asks: Option<String>,
    /// The set and the page that it hands out.
    pub(crate) page: Option<(String, String)>,
    /// What the client did wrong.
    pub(crate) findings: Vec<(Kind, String)>,
}

impl Reply {
    pub(crate) fn answer(answer: Answer) -> Self {
        Self {
            content: Content::Answer(answer),
            asks: None,
            page: None,
            findings: Vec::new(),
        }
    }

    pub(crate) fn work(make: impl FnOnce() -> Made + Send + 'static) -> Self {
        Self {
            content: Content::Work(Box::new(make)),
            asks: None,
            page: None,
            findings: Vec::new(),
        }
    }

    pub(crate) fn asking(self, asks: String) -> Self {
        Self {
            asks: Some(asks),
            ..self
        }
    }

    pub(crate) fn page(self, set: impl Into<String>, page: impl Into<String>) -> Self {
        Self {
            page: Some((set.into(), page.into())),
            ..self
        }
    }

    pub(crate) fn with(mut self, findings: Vec<(Kind, String)>) -> Self {
        self.findings.extend(findings);
        self
    }
}

/// Reads an instant as the platform does: without a zone, in the account's; that is remembered.
pub(crate) fn instant(
    text: &str,
    state: &State,
    findings: &mut Vec<(Kind, String)>,
) -> Option<i64> {
    if let Some(moment) = Moment::parse(text) {
        return Some(moment.0);
    }
    let moment = Moment::parse_local(text, &state.past.history.account_zone)?;
    findings.push((Kind::NoZone, format!("{text:?} has no zone")));
    Some(moment.0)
}
