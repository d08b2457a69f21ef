//! Reads the little that is wanted of a page in one pass: each row's name and beginning, and what stands beside the rows.
//!
//! Members are found whatever their case: CXone's versions spell them differently.

use super::page::{Head, Kind};
use crate::instant;
use schema::UtcMicros;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Members that name a record, at most.
const NAMES_MAX: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) cursor: Option<String>,
    pub(super) total: Option<u64>,
    pub(super) available_to: Option<UtcMicros>,
    /// One for each record.
    pub(super) heads: Vec<Head>,
}

/// The outline of a page. `bare`: it may also be one record with nothing around it.
pub(super) fn of(kind: Kind, body: &[u8], bare: bool) -> Result<Outline, serde_json::Error> {
    let mut outline = Outline::default();
    let mut reader = serde_json::Deserializer::from_slice(without_mark(body));
    Within {
        kind,
        bare,
        outline: &mut outline,
    }
    .deserialize(&mut reader)?;
    reader.end()?;
    Ok(outline)
}

/// Without the byte order mark that some writers put before JSON.
pub(super) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// A member's name, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The object around the rows.
struct Within<'a> {
    kind: Kind,
    bare: bool,
    outline: &'a mut Outline,
}

impl<'de> DeserializeSeed<'de> for Within<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Within<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {}", self.kind.members().join(" or "))
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self {
            kind,
            bare,
            outline,
        } = self;
        let mut own = Own::default();
        let mut listed = false;
        while let Some(Name(name)) = map.next_key()? {
            if is_one_of(&name, kind.members()) {
                listed = true;
                map.next_value_seed(Rows { kind, outline })?;
            } else if is(&name, "resultSet") {
                // CXone before v18.
                listed = true;
                map.next_value_seed(Within {
                    kind,
                    bare,
                    outline,
                })?;
            } else if is(&name, "cursor") {
                outline.cursor = map.next_value()?;
            } else if is_one_of(&name, &["totalHits", "totalRecords"]) {
                let number: Option<Number> = map.next_value()?;
                outline.total = number.and_then(Number::get);
            } else if is(&name, "dataAvailabilityDate") {
                outline.available_to = moment(&mut map)?;
            } else if bare {
                own.member(kind, &name, &mut map)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if bare && !listed && own.is_named() {
            outline.heads.push(own.head(kind));
        }
        Ok(())
    }
}

fn is(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted)
}

fn is_one_of(name: &str, wanted: &[&str]) -> bool {
    wanted.iter().any(|wanted| is(name, wanted))
}

/// An instant that is none is none: the page is good all the same.
fn moment<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<UtcMicros>, A::Error> {
    let text = map.next_value::<Option<String>>()?;
    Ok(text.as_deref().and_then(instant::parse))
}

/// A number, or a number in quotes (CXone before v21).
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Whole(u64),
    Text(String),
    Other(IgnoredAny),
}

impl Number {
    fn get(self) -> Option<u64> {
        match self {
            Self::Whole(number) => Some(number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Other(_) => None,
        }
    }
}

/// The rows; or an object around them (`entries`, CXone v3).
struct Rows<'a> {
    kind: Kind,
    outline: &'a mut Outline,
}

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(own) = rows.next_element_seed(Row(self.kind))? {
            self.outline.heads.push(own.head(self.kind));
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            if is(&name, "entries") {
                map.next_value_seed(Rows {
                    kind: self.kind,
                    outline: self.outline,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// What names a record.
#[derive(Debug, Default)]
struct Own {
    /// By the place of its member in what names a record of the kind.
    id: [Option<String>; NAMES_MAX],
    /// With the place of its member in the list of those that may say it: the first one counts.
    start: Option<(usize, UtcMicros)>,
}

impl Own {
    fn member<'de, A: MapAccess<'de>>(
        &mut self,
        kind: Kind,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let (ids, starts) = kind.identity();
        let place = |list: &[&str]| list.iter().position(|wanted| is(name, wanted));
        let (id, start) = (place(ids), place(starts));
        if id.is_none() && start.is_none() {
            map.next_value::<IgnoredAny>()?;
            return Ok(());
        }
        // A member may be both: an agent's state is known by its beginning too.
        let text = text(map.next_value()?);
        if let Some(place) = start
            && let Some(start) = text.as_deref().and_then(instant::parse)
            && self.start.is_none_or(|(known, _)| place < known)
        {
            self.start = Some((place, start));
        }
        if let Some(part) = id.and_then(|place| self.id.get_mut(place)) {
            *part = text.filter(|text| !text.is_empty());
        }
        Ok(())
    }

    fn is_named(&self) -> bool {
        self.id.iter().any(Option::is_some)
    }

    fn head(self, kind: Kind) -> Head {
        let start = self.start.map(|(_, start)| start);
        if !self.is_named() {
            return Head {
                id: String::new(),
                start,
            };
        }
        let parts = kind.identity().0.len();
        let parts: Vec<String> = self
            .id
            .into_iter()
            .take(parts)
            .map(Option::unwrap_or_default)
            .collect();
        Head {
            id: parts.join("|"),
            start,
        }
    }
}

/// A text, or a number as it is written: beyond 2^53 it is none that a float could hold.
fn text(raw: &RawValue) -> Option<String> {
    let raw = raw.get();
    match raw.as_bytes().first()? {
        b'"' => serde_json::from_str(raw).ok(),
        b'0'..=b'9' => Some(raw.to_owned()),
        _ => None,
    }
}

/// One record. What is no object has no name.
struct Row(Kind);

impl<'de> DeserializeSeed<'de> for Row {
    type Value = Own;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Own, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Row {
    type Value = Own;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Own, A::Error> {
        let mut own = Own::default();
        while let Some(Name(name)) = map.next_key()? {
            own.member(self.0, &name, &mut map)?;
        }
        Ok(own)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Own, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Own::default())
    }

    fn visit_unit<E>(self) -> Result<Own, E> {
        Ok(Own::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Own, E> {
        Ok(Own::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Own, E> {
        Ok(Own::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Own, E> {
        Ok(Own::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Own, E> {
        Ok(Own::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Own, E> {
        Ok(Own::default())
    }
}
