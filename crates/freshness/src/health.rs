//! What a platform's own word about its health means.
//!
//! Two shapes are read. The first is the summary of a status page as Atlassian's Statuspage serves it (`/api/v2/summary.json`, described under
//! `/api` of every such page): `components[]` with a `status` each, `scheduled_maintenances[]` with a `status` and the components they
//! are about, and `status.description`. The second is any JSON: a pointer to a value, and which values mean what.

use serde::Deserialize;
use serde_json::Value;

/// Characters of the platform's words that are kept.
const TEXT_CHARS_MAX: usize = 200;

/// How the platform says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// Nothing is said to be the matter.
    Up,
    /// Something does not work.
    Trouble,
    /// It is being maintained.
    Maintenance,
}

impl Word {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Up, Self::Trouble, Self::Maintenance];

    /// As it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Trouble => "trouble",
            Self::Maintenance => "maintenance",
        }
    }

    /// The word of this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.as_str() == text)
    }
}

/// What a platform said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What it comes to.
    pub word: Word,
    /// The platform's words, bounded and printable.
    pub text: String,
}

impl Said {
    /// The word, with the platform's own bounded.
    #[must_use]
    pub fn new(word: Word, text: &str) -> Self {
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        Self {
            word,
            text: text
                .trim()
                .chars()
                .map(printable)
                .take(TEXT_CHARS_MAX)
                .collect(),
        }
    }
}

/// How an answer is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// The summary of a status page.
    StatusPage {
        /// Only these components matter, by name; empty: all.
        components: Vec<String>,
        /// Which states of a component mean trouble.
        trouble: Vec<String>,
    },
    /// Any JSON.
    Pointer {
        /// Where the value is, RFC 6901.
        pointer: String,
        /// Values that mean maintenance.
        maintenance: Vec<String>,
        /// Values that mean trouble.
        trouble: Vec<String>,
    },
}

/// An answer that says nothing about the platform's health.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is no such JSON.
    #[error("the answer is not the JSON that it should be: {0}")]
    Shape(String),
    /// There is no value where one should be.
    #[error("the answer has no value at {0:?}")]
    Absent(String),
}

#[derive(Deserialize)]
struct Summary {
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    components: Vec<Component>,
    #[serde(default)]
    scheduled_maintenances: Vec<Planned>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct Component {
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: String,
}

#[derive(Deserialize)]
struct Planned {
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    components: Vec<Component>,
}

/// Reads the body of a good answer.
pub fn read(meaning: &Meaning, body: &[u8]) -> Result<Said, Unread> {
    match meaning {
        Meaning::StatusPage {
            components,
            trouble,
        } => status_page(&parsed(body)?, components, trouble),
        Meaning::Pointer {
            pointer,
            maintenance,
            trouble,
        } => {
            let answer: Value = parsed(body)?;
            let value = answer
                .pointer(pointer)
                .filter(|value| !value.is_null())
                .ok_or_else(|| Unread::Absent(pointer.clone()))?;
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let word = if maintenance.contains(&text) {
                Word::Maintenance
            } else if trouble.contains(&text) {
                Word::Trouble
            } else {
                Word::Up
            };
            Ok(Said::new(word, &text))
        }
    }
}

fn parsed<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Unread> {
    serde_json::from_slice(body).map_err(|error| Unread::Shape(error.to_string()))
}

fn status_page(summary: &Summary, named: &[String], trouble: &[String]) -> Result<Said, Unread> {
    if summary.status.is_none() && summary.components.is_empty() {
        return Err(Unread::Absent("/status or /components".to_owned()));
    }
    let matters = |name: &str| named.is_empty() || named.iter().any(|wanted| wanted == name);
    let under_way = |planned: &&Planned| {
        matches!(planned.status.as_str(), "in_progress" | "verifying")
            && (planned.components.is_empty()
                || planned.components.iter().any(|one| matters(&one.name)))
    };
    if let Some(planned) = summary.scheduled_maintenances.iter().find(under_way) {
        return Ok(Said::new(Word::Maintenance, &planned.name));
    }
    let mut of_ours = summary.components.iter().filter(|one| matters(&one.name));
    let line = |one: &Component| format!("{}: {}", one.name, one.status.replace('_', " "));
    let maintained = |one: &&Component| one.status == "under_maintenance";
    if let Some(one) = of_ours.clone().find(maintained) {
        return Ok(Said::new(Word::Maintenance, &line(one)));
    }
    if let Some(one) = of_ours.find(|one| trouble.contains(&one.status)) {
        return Ok(Said::new(Word::Trouble, &line(one)));
    }
    let words = summary.status.as_ref();
    Ok(Said::new(
        Word::Up,
        words.map_or("", |status| &status.description),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(components: &[&str]) -> Meaning {
        Meaning::StatusPage {
            components: components.iter().map(|name| (*name).to_owned()).collect(),
            trouble: vec!["major_outage".to_owned(), "partial_outage".to_owned()],
        }
    }

    fn said(meaning: &Meaning, body: &str) -> (Word, String) {
        let said = read(meaning, body.as_bytes()).unwrap();
        (said.word, said.text)
    }

    #[test]
    fn a_status_page_says_maintenance_by_a_plan_under_way_or_a_component() {
        let body = |planned: &str, analytics: &str, telephony: &str| {
            format!(
                r#"{{"status":{{"indicator":"minor","description":"Partially Degraded Service"}},
                    "components":[{{"name":"Analytics","status":"{analytics}"}},{{"name":"Telephony","status":"{telephony}"}}],
                    "scheduled_maintenances":[{{"name":"Database upgrade","status":"{planned}","components":[{{"name":"Analytics"}}]}}]}}"#
            )
        };
        let all = page(&[]);
        let quiet = body("scheduled", "operational", "operational");
        assert_eq!(
            said(&all, &quiet),
            (Word::Up, "Partially Degraded Service".to_owned())
        );
        for status in ["in_progress", "verifying"] {
            let now = body(status, "operational", "operational");
            assert_eq!(
                said(&all, &now),
                (Word::Maintenance, "Database upgrade".to_owned())
            );
            // A plan for what does not matter to us is none.
            assert_eq!(said(&page(&["Telephony"]), &now).0, Word::Up);
        }
        let maintained = body("completed", "under_maintenance", "operational");
        assert_eq!(
            said(&all, &maintained),
            (Word::Maintenance, "Analytics: under maintenance".to_owned())
        );
        let broken = body("completed", "operational", "major_outage");
        assert_eq!(
            said(&all, &broken),
            (Word::Trouble, "Telephony: major outage".to_owned())
        );
        assert_eq!(said(&page(&["Analytics"]), &broken).0, Word::Up);
        let degraded = body("completed", "degraded_performance", "operational");
        assert_eq!(said(&all, &degraded).0, Word::Up);
    }

    #[test]
    fn any_json_is_read_by_pointer_and_values() {
        let meaning = Meaning::Pointer {
            pointer: "/state/0/mode".to_owned(),
            maintenance: vec!["maintenance".to_owned(), "true".to_owned(), "2".to_owned()],
            trouble: vec!["down".to_owned()],
        };
        let of = |value: &str| said(&meaning, &format!(r#"{{"state":[{{"mode":{value}}}]}}"#)).0;
        assert_eq!(of("\"maintenance\""), Word::Maintenance);
        assert_eq!(of("true"), Word::Maintenance);
        assert_eq!(of("2"), Word::Maintenance);
        assert_eq!(of("\"down\""), Word::Trouble);
        assert_eq!(of("\"anything\""), Word::Up);
        for absent in [r#"{"state":[]}"#, r#"{"state":[{"mode":null}]}"#] {
            assert_eq!(
                read(&meaning, absent.as_bytes()),
                Err(Unread::Absent("/state/0/mode".to_owned()))
            );
        }
    }

    #[test]
    fn what_is_no_such_answer_says_nothing() {
        for body in ["", "<html>", "[]", "{}", r#"{"components":3}"#] {
            assert!(read(&page(&[]), body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn the_platforms_words_are_bounded_and_printable() {
        let said = Said::new(Word::Trouble, &format!(" a\nb{} ", "x".repeat(1000)));
        assert_eq!(said.text.chars().count(), 200);
        assert!(said.text.starts_with("a b"));
        for word in Word::ALL {
            assert_eq!(Word::parse(word.as_str()), Some(word));
        }
    }
}
