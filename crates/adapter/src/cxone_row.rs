//! A row of the CXone API as JSON. Names and types differ by the version of the API: names are matched whatever their case, numbers may
//! be text, with a comma for thousands; flags may be `"True"`.

use crate::duration;
use crate::error::ItemError;
use crate::instant;
use crate::node::scalar;
use crate::scalar::Scalar;
use schema::{Millis, UtcMicros};
use serde_json::{Map, Value};

/// Members that only an answer has, never a row.
pub(crate) const PAGE: &[&str] = &["totalRecords", "_links", "lastPollTime", "businessUnitId"];

/// One row.
pub(crate) struct Row<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Row<'a> {
    /// The first of these members that is there and says something, and its name.
    pub(crate) fn get(&self, names: &[&'static str]) -> (&'static str, Scalar<'a>) {
        for name in names {
            let found = self.0.get(*name).or_else(|| {
                self.0
                    .iter()
                    .find(|(found, _)| found.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value)
            });
            match found.map_or(Scalar::Nothing, scalar) {
                Scalar::Nothing => {}
                Scalar::Text(text) if text.trim_ascii().is_empty() => {}
                stated => return (name, stated),
            }
        }
        (names[0], Scalar::Nothing)
    }

    /// An id, of which 0 means none.
    pub(crate) fn id(&self, name: &'static str) -> Result<Option<String>, ItemError> {
        let (name, found) = self.get(&[name]);
        if let Some(whole) = whole(&found) {
            return Ok(Some(whole).filter(|id| id != "0"));
        }
        match found.name() {
            Ok(id) => Ok(id
                .map(|id| id.trim_ascii().to_owned())
                .filter(|id| id != "0")),
            Err(()) => Err(ItemError::new(name, &found.shown(), "an id")),
        }
    }

    /// A text, or a number as text.
    pub(crate) fn text(&self, names: &[&'static str]) -> Result<Option<String>, ItemError> {
        let (name, found) = self.get(names);
        if let Some(whole) = whole(&found) {
            return Ok(Some(whole));
        }
        match found.name() {
            Ok(text) => Ok(text.map(|text| text.trim_ascii().to_owned())),
            Err(()) => Err(ItemError::new(name, &found.shown(), "text")),
        }
    }

    /// A length of time: seconds, or ISO 8601.
    pub(crate) fn seconds(&self, names: &[&'static str]) -> Result<Option<Millis>, ItemError> {
        let (name, found) = self.get(names);
        duration::read(&found)
            .map_err(|()| ItemError::new(name, &found.shown(), duration::EXPECTED))
    }

    /// A length of time that something really had; what is negative or beyond 400 days is refused.
    pub(crate) fn lasted(&self, name: &'static str) -> Result<Option<Millis>, ItemError> {
        match self.seconds(&[name])? {
            Some(lasted) if !duration::is_plausible(lasted) => Err(ItemError::new(
                name,
                &self.get(&[name]).1.shown(),
                duration::PLAUSIBLE,
            )),
            lasted => Ok(lasted),
        }
    }

    /// A flag; what is none is no statement.
    pub(crate) fn flag(&self, name: &'static str) -> Option<bool> {
        match self.get(&[name]).1 {
            Scalar::Bool(flag) => Some(flag),
            Scalar::Int(number @ (0 | 1)) => Some(number == 1),
            Scalar::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "y" | "yes" => Some(true),
                "false" | "0" | "n" | "no" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// A word in lower case; what is none is no statement.
    pub(crate) fn word(&self, names: &[&'static str]) -> Option<String> {
        self.get(names)
            .1
            .text()
            .map(|text| text.trim_ascii().to_ascii_lowercase())
    }

    /// An instant.
    pub(crate) fn instant(&self, names: &[&'static str]) -> Result<Option<UtcMicros>, ItemError> {
        match self.get(names) {
            (_, Scalar::Nothing) => Ok(None),
            (name, found) => found
                .text()
                .and_then(|text| instant::parse(text))
                .map(Some)
                .ok_or_else(|| ItemError::new(name, &found.shown(), instant::EXPECTED)),
        }
    }
}

/// A whole number that a consumer between made fractional, as a column with empty places turns: `7001.0` is the id 7001. One that a
/// float does not hold exactly is none.
fn whole(found: &Scalar<'_>) -> Option<String> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    match found {
        Scalar::Float(number) if number.fract() == 0.0 && (0.0..EXACT_MAX).contains(number) => {
            Some(format!("{number:.0}"))
        }
        _ => None,
    }
}
