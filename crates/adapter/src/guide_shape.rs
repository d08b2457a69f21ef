//! The shape of the guide's envelope as it is met in the field: the tables of known names, read without copying.
//!
//! Written by hand and not derived, for three reasons: a member that stands twice is no error (the last one holds), a value of
//! another type is kept to be named, and several spellings lead to one field.

use crate::scalar::Scalar;
use schema::{DurationKind, Durations, Millis};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use std::fmt;

/// The durations of `data.metrics`: name, other spelling, meaning. All in milliseconds.
pub(crate) const METRICS: [(&str, &str, DurationKind); 8] = [
    ("talk_time_ms", "talkTimeMs", DurationKind::Talk),
    ("hold_time_ms", "holdTimeMs", DurationKind::Hold),
    ("wrap_time_ms", "wrapTimeMs", DurationKind::Wrap),
    ("queue_wait_ms", "queueWaitMs", DurationKind::QueueWait),
    ("alert_time_ms", "alertTimeMs", DurationKind::Alert),
    ("dialing_time_ms", "dialingTimeMs", DurationKind::Dialing),
    (
        "contacting_time_ms",
        "contactingTimeMs",
        DurationKind::Contacting,
    ),
    ("handle_time_ms", "handleTimeMs", DurationKind::Handle),
];

/// An object, or what stands in its place. Filled where it lies: moving it about would cost as much as parsing it.
#[derive(Debug, Default)]
pub(crate) struct Part<'a, T> {
    /// What was read; meaningful when [`Part::is_object`].
    pub(crate) value: T,
    /// What stands in its place; nothing also when it is not there at all.
    pub(crate) other: Scalar<'a>,
    pub(crate) is_object: bool,
}

impl<T> Part<'_, T> {
    /// Whether neither an object nor anything else is there.
    pub(crate) fn is_nothing(&self) -> bool {
        !self.is_object && self.other == Scalar::Nothing
    }
}

/// What can be read member by member.
pub(crate) trait FromMap<'de>: Default {
    /// Reads the value of the member with this name.
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

/// The outermost object.
#[derive(Debug, Default)]
pub(crate) struct Envelope<'a> {
    pub(crate) event_type: Scalar<'a>,
    pub(crate) timestamp: Scalar<'a>,
    pub(crate) data: Part<'a, Data<'a>>,
    pub(crate) topic: Scalar<'a>,
    pub(crate) body: Option<&'a RawValue>,
    pub(crate) detail: Option<&'a RawValue>,
    /// The topic's template, where an event bus names it.
    pub(crate) detail_type: Scalar<'a>,
    /// Whether it says what its figures are grouped by: aggregates, and no event.
    pub(crate) grouped: bool,
}

/// The event proper.
#[derive(Debug, Default)]
pub(crate) struct Data<'a> {
    pub(crate) event_id: Scalar<'a>,
    pub(crate) interaction_id: Scalar<'a>,
    pub(crate) kind: Scalar<'a>,
    pub(crate) state: Scalar<'a>,
    pub(crate) queue_id: Scalar<'a>,
    pub(crate) disposition: Scalar<'a>,
    pub(crate) timestamp: Scalar<'a>,
    pub(crate) updated_at: Scalar<'a>,
    pub(crate) metrics: Part<'a, Metrics<'a>>,
    pub(crate) participants: People<'a>,
}

/// `data.metrics`.
#[derive(Debug, Default)]
pub(crate) struct Metrics<'a> {
    pub(crate) durations: Durations,
    /// The first value that is no duration, and its place in [`METRICS`].
    pub(crate) bad: Option<(usize, Scalar<'a>)>,
}

/// One of `data.participants`.
#[derive(Debug, Default)]
pub(crate) struct Participant<'a> {
    pub(crate) id: Scalar<'a>,
    pub(crate) kind: Scalar<'a>,
    pub(crate) timezone: Scalar<'a>,
}

/// `data.participants`: a list, or one participant alone.
#[derive(Debug, Default)]
pub(crate) struct People<'a> {
    /// The first agent and its place in the list.
    pub(crate) agent: Option<(usize, Participant<'a>)>,
    /// The id of the first customer.
    pub(crate) customer: Option<Scalar<'a>>,
    /// What is no participant, and its place; no place when it stands for the whole list.
    pub(crate) bad: Option<(Option<usize>, Scalar<'a>)>,
}

impl<'de> FromMap<'de> for Envelope<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "event_type" | "eventType" => self.event_type = map.next_value()?,
            "timestamp" | "Timestamp" => self.timestamp = map.next_value()?,
            "data" | "Data" => map.next_value_seed(Fill(&mut self.data))?,
            "topicName" | "topic_name" => self.topic = map.next_value()?,
            "eventBody" | "event_body" => self.body = map.next_value()?,
            "detail" => self.detail = map.next_value()?,
            "detail-type" => self.detail_type = map.next_value()?,
            "group" => {
                self.grouped = true;
                skip(map)?;
            }
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'de> FromMap<'de> for Data<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "event_id" | "eventId" | "EventId" => self.event_id = map.next_value()?,
            "interaction_id" | "interactionId" | "InteractionId" => {
                self.interaction_id = map.next_value()?;
            }
            "type" | "Type" => self.kind = map.next_value()?,
            "state" | "State" => self.state = map.next_value()?,
            "queue_id" | "queueId" | "QueueId" => self.queue_id = map.next_value()?,
            "disposition" | "Disposition" => self.disposition = map.next_value()?,
            "metrics" | "Metrics" => map.next_value_seed(Fill(&mut self.metrics))?,
            "participants" | "Participants" | "participant" => {
                map.next_value_seed(Fill(&mut self.participants))?;
            }
            "updated_at" | "updatedAt" | "update_stamp" | "updateStamp" => {
                self.updated_at = map.next_value()?;
            }
            "timestamp" | "timestamp_utc" => self.timestamp = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'de> FromMap<'de> for Metrics<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let Some(index) = METRICS
            .iter()
            .position(|(snake, camel, _)| *snake == name || *camel == name)
        else {
            return skip(map);
        };
        let value: Scalar<'de> = map.next_value()?;
        match value.millis() {
            Ok(Some(millis)) => self.durations.set(METRICS[index].2, Millis(millis)),
            Ok(None) => {}
            Err(()) => self.bad = self.bad.take().or(Some((index, value))),
        }
        Ok(())
    }
}

impl<'de> FromMap<'de> for Participant<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "id" | "Id" => self.id = map.next_value()?,
            "type" | "Type" => self.kind = map.next_value()?,
            "timezone" | "timeZone" | "time_zone" | "Timezone" => {
                self.timezone = map.next_value()?;
            }
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'a> People<'a> {
    fn add(&mut self, index: usize, part: Part<'a, Participant<'a>>) {
        if part.is_object {
            let is = |name| {
                let kind = part.value.kind.text();
                kind.is_some_and(|kind| kind.eq_ignore_ascii_case(name))
            };
            if self.agent.is_none() && is("agent") {
                self.agent = Some((index, part.value));
            } else if self.customer.is_none() && is("customer") {
                self.customer = Some(part.value.id);
            }
        } else if !part.is_nothing() && self.bad.is_none() {
            self.bad = Some((Some(index), part.other));
        }
    }

    fn wrong(&mut self, found: Scalar<'a>) {
        self.agent = None;
        self.customer = None;
        self.bad = Some((None, found));
    }
}

/// Fills what lies elsewhere.
pub(crate) struct Fill<'m, T>(pub(crate) &'m mut T);

impl<'de> DeserializeSeed<'de> for Fill<'_, People<'de>> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(PeopleVisitor(self.0))
    }
}

struct PeopleVisitor<'m, 'de>(&'m mut People<'de>);

impl<'de> Visitor<'de> for PeopleVisitor<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of participants")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        *self.0 = People::default();
        let mut index = 0;
        loop {
            let mut part = Part::default();
            if seq.next_element_seed(Fill(&mut part))?.is_none() {
                return Ok(());
            }
            self.0.add(index, part);
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let mut part = Part {
            is_object: true,
            ..Part::default()
        };
        members(&mut part.value, map)?;
        *self.0 = People::default();
        self.0.add(0, part);
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        *self.0 = People::default();
        Ok(())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        self.0.wrong(Scalar::Bool(flag));
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.0.wrong(Scalar::Int(number));
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.0
            .wrong(Scalar::Int(i64::try_from(number).unwrap_or(i64::MAX)));
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.0.wrong(Scalar::Float(number));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.wrong(Scalar::Text(text.to_owned().into()));
        Ok(())
    }
}

impl<'de, T: FromMap<'de>> DeserializeSeed<'de> for Fill<'_, Part<'de, T>> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(PartVisitor(self.0))
    }
}

struct PartVisitor<'m, 'de, T>(&'m mut Part<'de, T>);

impl<'de, T: FromMap<'de>> PartVisitor<'_, 'de, T> {
    fn other(self, found: Scalar<'de>) {
        self.0.other = found;
        self.0.is_object = false;
    }
}

impl<'de, T: FromMap<'de>> Visitor<'de> for PartVisitor<'_, 'de, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        if self.0.is_object {
            // A member that stands twice: the last one holds, whole.
            self.0.value = T::default();
        }
        self.0.is_object = true;
        self.0.other = Scalar::Nothing;
        members(&mut self.0.value, map)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.other(Scalar::Nothing);
        Ok(())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        self.other(Scalar::Bool(flag));
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.other(Scalar::Int(number));
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.other(Scalar::Int(i64::try_from(number).unwrap_or(i64::MAX)));
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.other(Scalar::Float(number));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.other(Scalar::Text(text.to_owned().into()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.other(Scalar::List);
        Ok(())
    }
}

fn members<'de, T: FromMap<'de>, A: MapAccess<'de>>(
    into: &mut T,
    mut map: A,
) -> Result<(), A::Error> {
    while let Some(Name(name)) = map.next_key()? {
        into.member(&name, &mut map)?;
    }
    Ok(())
}

/// Reads a text that is one value.
pub(crate) fn read<'de, T: FromMap<'de>>(
    text: &'de str,
) -> Result<Part<'de, T>, serde_json::Error> {
    let mut part = Part::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Fill(&mut part).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(part)
}

fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

/// A member's name; copied only when it is spelled with escapes.
struct Name<'a>(std::borrow::Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(text.into()))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(text.to_owned().into()))
            }
        }
        deserializer.deserialize_identifier(NameVisitor)
    }
}
