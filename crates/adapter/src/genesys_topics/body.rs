//! The body of an event, read leniently: members and words whatever their case, numbers also as texts.

use crate::error::ItemError;
use crate::genesys_details;
use crate::instant;
use crate::node::scalar;
use crate::scalar::{DURATION, Scalar, storable};
use compact_str::CompactString;
use schema::{Direction, Millis, UtcMicros};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// What is said where an instant cannot be read.
pub(super) const INSTANT: &str =
    "milliseconds since 1970, or an instant like 2024-05-15T14:32:10.451Z";

/// Milliseconds of the last instant of the year 9999: beyond it no store has a place.
const LAST_MILLIS: i64 = 253_402_300_799_999;

/// The body.
pub(super) struct Body<'b>(&'b Map<String, Value>);

impl<'b> Body<'b> {
    /// `None` where it is no object.
    pub(super) fn of(value: &'b Value) -> Option<Self> {
        value.as_object().map(Self)
    }

    fn find(&self, name: &str) -> Option<&'b Value> {
        self.0.get(name).or_else(|| {
            let alike = |other: &&String| is_alike(name, other);
            let (_, value) = self.0.iter().find(|(other, _)| alike(other))?;
            Some(value)
        })
    }

    /// The scalar view of a member; nothing when it is not there.
    pub(super) fn get(&self, name: &str) -> Scalar<'b> {
        self.find(name).map_or(Scalar::Nothing, scalar)
    }

    /// The path of a member.
    pub(super) fn at(name: &str) -> String {
        format!("eventBody.{name}")
    }

    /// An id: an error where something stands there that is none.
    pub(super) fn name(&self, name: &str) -> Result<Option<String>, ItemError> {
        let found = self.get(name);
        match found.name() {
            Ok(text) => Ok(text.map(Cow::into_owned)),
            Err(()) => Err(ItemError::new(Self::at(name), &found.shown(), "text")),
        }
    }

    /// An id or a text that nothing identifies: of another shape than documented it is not there.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let found = self.get(name);
        let text = found.name().ok()??;
        (!text.trim_ascii().is_empty()).then(|| text.into_owned())
    }

    /// The first text of a list, or the one text in its place.
    pub(super) fn first(&self, name: &str) -> Option<String> {
        match self.find(name)? {
            Value::Array(texts) => texts
                .iter()
                .find_map(Value::as_str)
                .filter(|text| !text.is_empty())
                .map(|text| storable(text).into_owned()),
            _ => self.text(name),
        }
    }

    /// A word of an enumeration, in capitals and without what parts its words: `CONSULT_TRANSFER` and `consultTransfer` are
    /// `CONSULTTRANSFER`. `UNKNOWN` says nothing.
    pub(super) fn word(&self, name: &str) -> Option<String> {
        let word: String = self
            .text(name)?
            .chars()
            .filter(|char| !is_separator(*char))
            .collect::<String>()
            .to_ascii_uppercase();
        (!word.is_empty() && word != "UNKNOWN").then_some(word)
    }

    /// The medium, in lower case.
    pub(super) fn media(&self) -> Option<CompactString> {
        let media = self.text("mediaType")?.to_lowercase();
        (media != "unknown").then(|| CompactString::new(media))
    }

    /// A direction.
    pub(super) fn direction(&self, name: &str) -> Option<Direction> {
        genesys_details::direction(&self.get(name))
    }

    /// A number of milliseconds, whatever its size and sign.
    pub(super) fn millis(&self, name: &str) -> Result<Option<Millis>, ItemError> {
        let found = self.get(name);
        match found.millis() {
            Ok(millis) => Ok(millis.map(Millis)),
            Err(()) => Err(ItemError::new(Self::at(name), &found.shown(), DURATION)),
        }
    }

    /// An instant: milliseconds since 1970, or as everywhere else.
    pub(super) fn instant(&self, name: &str) -> Result<Option<UtcMicros>, ItemError> {
        let found = self.get(name);
        let written = found.text().and_then(|text| instant::parse(text));
        let counted = || match found.millis() {
            Ok(Some(millis)) if (0..=LAST_MILLIS).contains(&millis) => {
                Some(UtcMicros(millis * 1000))
            }
            _ => None,
        };
        match &found {
            Scalar::Nothing => Ok(None),
            Scalar::Text(text) if text.trim_ascii().is_empty() => Ok(None),
            _ => written
                .or_else(counted)
                .map(Some)
                .ok_or_else(|| ItemError::new(Self::at(name), &found.shown(), INSTANT)),
        }
    }

    /// A member that is an object.
    pub(super) fn object(&self, name: &str) -> Option<&'b Map<String, Value>> {
        self.find(name)?.as_object()
    }
}

const fn is_separator(char: char) -> bool {
    matches!(char, '_' | '-' | ' ')
}

/// Whether two names are one, whatever their case and what parts their words.
fn is_alike(one: &str, other: &str) -> bool {
    let letters = |name| str::chars(name).filter(|char| !is_separator(*char));
    let same = |(one, other): (char, char)| one.eq_ignore_ascii_case(&other);
    letters(one).count() == letters(other).count() && letters(one).zip(letters(other)).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_and_words_are_found_whatever_their_case() {
        let value = json!({"conversation_id": "c", "DISCONNECTTYPE": "consultTransfer", "mediaType": "VOICE", "direction": "Outbound",
            "eventTime": "1708101093254", "wrapupDurationMs": "25080", "usedRouting": "UNKNOWN"});
        let body = Body::of(&value).unwrap();
        assert_eq!(body.text("conversationId").as_deref(), Some("c"));
        assert_eq!(
            body.word("disconnectType").as_deref(),
            Some("CONSULTTRANSFER")
        );
        assert_eq!(body.word("usedRouting"), None);
        assert_eq!(body.media().as_deref(), Some("voice"));
        assert_eq!(body.direction("direction"), Some(Direction::Outbound));
        assert_eq!(
            body.instant("eventTime"),
            Ok(Some(UtcMicros(1_708_101_093_254_000)))
        );
        assert_eq!(body.millis("wrapupDurationMs"), Ok(Some(Millis(25_080))));
        assert_eq!(body.text("sessionId"), None);
    }

    #[test]
    fn an_instant_of_no_calendar_is_refused_with_its_place() {
        for wrong in [
            json!(-1),
            json!(i64::MAX),
            json!("soon"),
            json!([1]),
            json!(true),
        ] {
            let value = json!({ "eventTime": wrong });
            let error = Body::of(&value).unwrap().instant("eventTime").unwrap_err();
            assert_eq!(error.field, "eventBody.eventTime");
        }
        let value = json!({"eventTime": "2024-02-16T16:31:33.254Z"});
        assert_eq!(
            Body::of(&value).unwrap().instant("eventTime"),
            Ok(Some(UtcMicros(1_708_101_093_254_000)))
        );
    }
}
