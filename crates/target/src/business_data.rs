//! CXone's business data: fields of a closed contact.
//!
//! `PUT business-data-manager/v1/business-data/contact/{contactId}` with an array of objects of one field each, whose values are texts,
//! flags or numbers; 204 when it was taken. Only fields that exist, only contacts that are closed, one contact a request. Putting a value
//! once more changes nothing.

use crate::adapter::{Amount, Encoded, NO_PATH, Place, Step};
use crate::decimal::Decimal;
use crate::item::Item;
use crate::path::PathTemplate;
use std::collections::BTreeMap;

/// What the target is configured to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessData {
    path: PathTemplate,
    /// By the KPI's name.
    fields: BTreeMap<String, Field>,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name on the platform, which must exist there.
    pub name: String,
    /// Its type.
    pub kind: FieldKind,
    /// Decimal places of a number or a text.
    pub precision: u8,
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldKind {
    /// A number.
    #[default]
    Number,
    /// The number, as a text.
    Text,
    /// Whether the value is anything but 0.
    Boolean,
}

impl FieldKind {
    /// All of them, for messages that list what is allowed.
    pub const ALL: [Self; 3] = [Self::Number, Self::Text, Self::Boolean];

    /// As it is configured.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Text => "text",
            Self::Boolean => "boolean",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl BusinessData {
    /// With these fields, by the names of the KPIs.
    #[must_use]
    pub const fn new(path: PathTemplate, fields: BTreeMap<String, Field>) -> Self {
        Self { path, fields }
    }

    pub(crate) fn step(&self, item: &Item) -> Step {
        let Some(value) = item.value else {
            return Step::Done;
        };
        let Some(field) = self.fields.get(&item.metric) else {
            return Step::Refused(format!("no field is configured for {}", item.metric));
        };
        let Some(path) = self.path.of(item) else {
            return Step::Refused(NO_PATH.to_owned());
        };
        let Some(number) = Decimal::of(value.get(), field.precision) else {
            return Step::Done;
        };
        let is_set = value.get() != 0.0;
        let (json, amount) = match field.kind {
            FieldKind::Number => (number.text().to_owned(), number.number()),
            FieldKind::Text => (format!("\"{number}\""), number.number()),
            FieldKind::Boolean => (is_set.to_string(), f64::from(u8::from(is_set))),
        };
        // A text: writing it cannot fail.
        let name = serde_json::to_string(&field.name).unwrap_or_default();
        Step::Send(Encoded {
            json: format!("{{{name}:{json}}}"),
            place: Place {
                path,
                head: String::new(),
            },
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
    use crate::Kind;
    use crate::adapter::{Adapter, Held, Sent};
    use crate::item::tests::{of_interaction, of_leg};
    use crate::outcome::{Answer, Fate};
    use schema::UtcMicros;

    fn adapter() -> Adapter {
        let capabilities = Kind::CxoneBusinessData.capabilities();
        let path = PathTemplate::parse(capabilities.path, capabilities.grains).unwrap();
        let field = |name: &str, kind, precision| Field {
            name: name.to_owned(),
            kind,
            precision,
        };
        let fields = [
            ("handle_time", field("HANDLE_SECONDS", FieldKind::Number, 1)),
            ("grade", field("GRADE", FieldKind::Text, 0)),
            ("held", field("WAS_HELD", FieldKind::Boolean, 0)),
        ];
        let fields = fields.map(|(metric, field)| (metric.to_owned(), field));
        Adapter::BusinessData(BusinessData::new(path, fields.into()))
    }

    fn encode(item: &Item) -> Encoded {
        match adapter().step(item, Held::Nothing, UtcMicros(0)) {
            Step::Send(encoded) => encoded,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_fields_of_a_contact_share_a_request() {
        let items =
            [("handle_time", 311.04), ("grade", 2.0), ("held", 1.0)].map(|(metric, value)| {
                encode(&Item {
                    metric: metric.to_owned(),
                    ..of_interaction("4711", value)
                })
            });
        let call = adapter().call(&items[0].place, &items);
        assert_eq!(call.method.name(), "PUT");
        assert_eq!(
            call.path,
            "/business-data-manager/v1/business-data/contact/4711"
        );
        assert_eq!(
            call.body,
            r#"[{"HANDLE_SECONDS":311},{"GRADE":"2"},{"WAS_HELD":true}]"#
        );
        let bytes: usize = items.iter().map(|item| item.json.len()).sum();
        let overhead = adapter().overhead(&items[0].place, items.len());
        assert!(call.body.len() <= bytes + overhead);
        // A leg of a written contact is the contact and its agent.
        let leg = encode(&of_leg("4700", "4711:agent", 1.0));
        assert_eq!(leg.place, items[0].place);
    }

    #[test]
    fn a_contact_that_is_not_known_is_rejected_with_words() {
        let item = of_interaction("4711", 1.0);
        let encoded = encode(&item);
        let sent = [Sent {
            item: &item,
            encoded: &encoded,
        }];
        let read = |status| {
            let answer = Answer {
                status,
                body: None,
                words: "HTTP 404: Contact not found",
            };
            adapter().read(&sent, &answer)
        };
        assert_eq!(read(204), Some(vec![Fate::Accepted]));
        for status in [400, 401, 403, 500] {
            assert_eq!(read(status), None);
        }
        let fates = read(404).unwrap();
        assert!(
            matches!(&fates[..], [Fate::Rejected { why }] if why.contains("Contact not found"))
        );
    }
}
