//! Reads the little that is wanted of a page in one pass: rows are counted and passed over, or named by their id and beginning.

use super::heads::Head;
use super::page::Kind;
use crate::instant;
use schema::UtcMicros;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) records: usize,
    pub(super) cursor: Option<String>,
    pub(super) link: Option<String>,
    pub(super) total: Option<u64>,
    pub(super) available_to: Option<UtcMicros>,
    pub(super) polled_at: Option<UtcMicros>,
    /// Only where names are wanted.
    pub(super) heads: Vec<Head>,
}

/// The outline of a page; of a bare record too, which has no rows but a name.
pub(super) fn of(kind: Kind, body: &[u8], named: bool) -> Result<Outline, serde_json::Error> {
    let mut outline = Outline::default();
    let mut reader = serde_json::Deserializer::from_slice(without_mark(body));
    Within {
        kind,
        named,
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
    named: bool,
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
            named,
            outline,
        } = self;
        let mut own = Own::default();
        let mut listed = false;
        while let Some(Name(name)) = map.next_key()? {
            match &*name {
                name if kind.members().contains(&name) => {
                    listed = true;
                    map.next_value_seed(Rows {
                        kind,
                        named,
                        outline,
                    })?;
                }
                // CXone before v18.
                "resultSet" => {
                    listed = true;
                    map.next_value_seed(Within {
                        kind,
                        named,
                        outline,
                    })?;
                }
                "cursor" => outline.cursor = map.next_value()?,
                "_links" => {
                    let links: Option<Links> = map.next_value()?;
                    outline.link = links.and_then(|links| links.next);
                }
                "totalHits" | "totalRecords" => {
                    let number: Option<Number> = map.next_value()?;
                    outline.total = number.and_then(Number::get);
                }
                "dataAvailabilityDate" => outline.available_to = moment(&mut map)?,
                "lastPollTime" => outline.polled_at = moment(&mut map)?,
                name if named => own.member(kind, name, &mut map)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if named && !listed {
            outline.heads.extend(own.head());
        }
        Ok(())
    }
}

/// An instant that is none is none: the page is good all the same.
fn moment<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<UtcMicros>, A::Error> {
    let text = map.next_value::<Option<String>>()?;
    Ok(text.as_deref().and_then(instant::parse))
}

#[derive(Deserialize)]
struct Links {
    next: Option<String>,
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
    named: bool,
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
        if self.named {
            while let Some(own) = rows.next_element_seed(Row(self.kind))? {
                self.outline.records += 1;
                self.outline.heads.extend(own.head());
            }
        } else {
            while rows.next_element::<IgnoredAny>()?.is_some() {
                self.outline.records += 1;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            if name == "entries" {
                map.next_value_seed(Rows {
                    kind: self.kind,
                    named: self.named,
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
    id: Option<String>,
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
        let (id, starts) = kind.identity();
        if name == id {
            self.id = text(map.next_value()?);
        } else if let Some(place) = starts.iter().position(|start| *start == name) {
            let start = text(map.next_value()?).and_then(|text| instant::parse(&text));
            if let Some(start) = start
                && self.start.is_none_or(|(known, _)| place < known)
            {
                self.start = Some((place, start));
            }
        } else {
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn head(self) -> Option<Head> {
        let id = self.id.filter(|id| !id.is_empty())?;
        Some(Head {
            id,
            start: self.start.map(|(_, start)| start),
        })
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
