//! Genesys' custom properties of a conversation's segments: the only way to push a value of one leg.
//!
//! `POST …/conversations/{conversationId}/details/properties` with `{"sessionId", "targetDate", "properties": [{"propertyType", "property",
//! "value"}]}`: one session of one conversation a call. The session is our leg (Genesys' sessions are our legs); `targetDate` is an instant
//! within the segment that is tagged, which is the leg's first. Values are texts, whatever their type.

use crate::adapter::{Amount, Encoded, NO_PATH, Place, Step};
use crate::decimal::Decimal;
use crate::item::Item;
use crate::path::PathTemplate;
use crate::rows::millis;
use serde::Serialize;
use std::collections::BTreeMap;

/// What the target is configured to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationProperties {
    path: PathTemplate,
    /// By the KPI's name.
    properties: BTreeMap<String, Property>,
}

/// A property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Its name on the platform.
    pub name: String,
    /// Its type.
    pub kind: PropertyKind,
    /// Decimal places of a [`PropertyKind::Real`].
    pub precision: u8,
}

/// The type of a property, of those a number can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PropertyKind {
    /// A number.
    #[default]
    Real,
    /// A whole number: the value, rounded.
    Integer,
    /// Whether the value is anything but 0.
    Bool,
    /// The number, as a text.
    String,
}

impl PropertyKind {
    /// All of them, for messages that list what is allowed.
    pub const ALL: [Self; 4] = [Self::Real, Self::Integer, Self::Bool, Self::String];

    /// As the platform calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Integer => "integer",
            Self::Bool => "bool",
            Self::String => "string",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    property_type: &'a str,
    property: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    session_id: &'a str,
    target_date: &'a str,
}

impl ConversationProperties {
    /// With these properties, by the names of the KPIs.
    #[must_use]
    pub const fn new(path: PathTemplate, properties: BTreeMap<String, Property>) -> Self {
        Self { path, properties }
    }

    pub(crate) fn step(&self, item: &Item) -> Step {
        let (Some(value), Some(leg)) = (item.value, item.subject.leg()) else {
            return Step::Done;
        };
        let Some(property) = self.properties.get(&item.metric) else {
            return Step::Refused(format!("no property is configured for {}", item.metric));
        };
        let Some(path) = self.path.of(item) else {
            return Step::Refused(NO_PATH.to_owned());
        };
        let places = match property.kind {
            PropertyKind::Integer => 0,
            PropertyKind::Real | PropertyKind::Bool | PropertyKind::String => property.precision,
        };
        let Some(number) = Decimal::of(value.get(), places) else {
            return Step::Done;
        };
        let (text, amount) = match property.kind {
            PropertyKind::Bool if value.get() == 0.0 => ("false", 0.0),
            PropertyKind::Bool => ("true", 1.0),
            PropertyKind::Real | PropertyKind::Integer | PropertyKind::String => {
                (number.text(), number.number())
            }
        };
        let wire = Wire {
            property_type: property.kind.name(),
            property: &property.name,
            value: text,
        };
        let head = Head {
            session_id: leg.as_str(),
            target_date: &millis(item.timestamp),
        };
        // Text only: writing it cannot fail.
        let json = serde_json::to_string(&wire).unwrap_or_default();
        let head = serde_json::to_string(&head).unwrap_or_default();
        let head = head.trim_matches(['{', '}']).to_owned();
        Step::Send(Encoded {
            json,
            place: Place { path, head },
            amount: Some(Amount {
                value: amount,
                points: None,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::{Adapter, Held, Sent};
    use crate::item::tests::{of_interaction, of_leg};
    use crate::outcome::{Answer, Fate};
    use crate::{Kind, item::Finite};
    use schema::{Grain, UtcMicros};

    fn adapter() -> Adapter {
        let capabilities = Kind::GenesysConversationProperties.capabilities();
        let path = PathTemplate::parse(capabilities.path, capabilities.grains).unwrap();
        let property = |name: &str, kind, precision| Property {
            name: name.to_owned(),
            kind,
            precision,
        };
        let properties = [
            ("handle_time", property("kpi_handle", PropertyKind::Real, 1)),
            ("holds", property("kpi_holds", PropertyKind::Integer, 3)),
            ("missed", property("kpi \"missed\"", PropertyKind::Bool, 0)),
        ];
        let properties = properties.map(|(metric, property)| (metric.to_owned(), property));
        Adapter::ConversationProperties(ConversationProperties::new(path, properties.into()))
    }

    fn item(metric: &str, value: f64) -> Item {
        Item {
            metric: metric.to_owned(),
            ..of_leg("conv-1", "session-7", value)
        }
    }

    fn encode(item: &Item) -> Encoded {
        match adapter().step(item, Held::Nothing, UtcMicros(0)) {
            Step::Send(encoded) => encoded,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_of_one_session_shares_a_call() {
        let items = [
            encode(&item("handle_time", 65.77)),
            encode(&item("holds", 2.0)),
            encode(&item("missed", 1.0)),
        ];
        assert!(items.iter().all(|item| item.place == items[0].place));
        let call = adapter().call(&items[0].place, &items);
        assert_eq!(
            call.path,
            "/api/v2/analytics/conversations/conv-1/details/properties"
        );
        assert_eq!(
            call.body,
            "{\"sessionId\":\"session-7\",\"targetDate\":\"2024-05-15T14:32:10.451Z\",\"properties\":[\
             {\"propertyType\":\"real\",\"property\":\"kpi_handle\",\"value\":\"65.8\"},\
             {\"propertyType\":\"integer\",\"property\":\"kpi_holds\",\"value\":\"2\"},\
             {\"propertyType\":\"bool\",\"property\":\"kpi \\\"missed\\\"\",\"value\":\"true\"}]}"
        );
        let bytes: usize = items.iter().map(|item| item.json.len()).sum();
        let overhead = adapter().overhead(&items[0].place, items.len());
        assert!(call.body.len() <= bytes + overhead);
        let other = Item {
            subject: of_leg("conv-1", "session-8", 0.0).subject,
            ..item("holds", 1.0)
        };
        assert_ne!(encode(&other).place, items[0].place);
    }

    #[test]
    fn what_has_no_session_or_no_property_is_refused_with_words() {
        let refused = |item: &Item| match adapter().step(item, Held::Nothing, UtcMicros(0)) {
            Step::Refused(why) => why,
            other => panic!("{other:?}"),
        };
        let whole = of_interaction("conv-1", 1.0);
        assert!(refused(&whole).contains(Grain::Interaction.name()));
        assert!(refused(&item("talk_time", 1.0)).contains("talk_time"));
        let absent = Item {
            value: Finite::new(f64::NAN),
            ..item("holds", 1.0)
        };
        assert_eq!(
            adapter().step(&absent, Held::Nothing, UtcMicros(0)),
            Step::Done
        );
    }

    #[test]
    fn a_conversation_that_is_not_known_is_no_fault_of_the_target() {
        let item = item("holds", 1.0);
        let encoded = encode(&item);
        let sent = [Sent {
            item: &item,
            encoded: &encoded,
        }];
        let read = |status| {
            let answer = Answer {
                status,
                body: None,
                words: "HTTP 404: not found",
            };
            adapter().read(&sent, &answer)
        };
        assert_eq!(read(202), Some(vec![Fate::Accepted]));
        assert_eq!(read(204), Some(vec![Fate::Accepted]));
        assert_eq!(read(400), None);
        let fates = read(404).unwrap();
        let [Fate::Rejected { why }] = fates.as_slice() else {
            panic!("{fates:?}")
        };
        assert!(why.contains("HTTP 404: not found"));
    }
}
