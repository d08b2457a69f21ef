//! The path of a request, which may name what it is about.

use crate::item::{Item, Subject};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schema::Grain;

/// What may stand in a segment of a path as it is (RFC 3986, "unreserved").
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A path with the names of what a request is about in braces, such as `/conversations/{interaction}/properties`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(Name),
}

/// What may be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    /// The interaction.
    Interaction,
    /// The leg.
    Leg,
    /// The contact: of a leg its own, which its id begins with, else the interaction.
    Contact,
    /// The agent of an agent's day.
    Agent,
    /// The day of an agent's day.
    Day,
}

/// Why a text is no path of a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It must begin with a slash.
    #[error("it begins with /")]
    NoSlash,
    /// It has more in it than a path.
    #[error("it has a query or a fragment")]
    NotOnlyAPath,
    /// A brace is open, or closed, without the other.
    #[error("a brace has no other")]
    Brace,
    /// A name that nothing has.
    #[error("`{{{0}}}` is none of {{interaction}}, {{leg}}, {{contact}}, {{agent}}, {{day}}")]
    Unknown(String),
    /// A name that this grain has not.
    #[error("`{{{name}}}` is in it, and the grain {grain} has none")]
    Absent {
        /// The name.
        name: &'static str,
        /// The grain.
        grain: Grain,
    },
}

impl Name {
    const ALL: [Self; 5] = [
        Self::Interaction,
        Self::Leg,
        Self::Contact,
        Self::Agent,
        Self::Day,
    ];

    const fn text(self) -> &'static str {
        match self {
            Self::Interaction => "interaction",
            Self::Leg => "leg",
            Self::Contact => "contact",
            Self::Agent => "agent",
            Self::Day => "day",
        }
    }

    const fn is_of(self, grain: Grain) -> bool {
        match grain {
            Grain::Interaction => matches!(self, Self::Interaction | Self::Contact),
            Grain::Leg => matches!(self, Self::Interaction | Self::Contact | Self::Leg),
            Grain::AgentDay => matches!(self, Self::Agent | Self::Day),
        }
    }

    fn of(self, subject: &Subject) -> Option<String> {
        let interaction = || subject.interaction().map(|id| id.as_str().to_owned());
        match (self, subject) {
            (Self::Leg, _) => subject.leg().map(|leg| leg.as_str().to_owned()),
            // A leg of a written contact is the contact and its agent.
            (Self::Contact, Subject::Leg { leg, .. }) => {
                let contact = leg.as_str().split(':').next();
                contact.map(str::to_owned)
            }
            (Self::Interaction | Self::Contact, _) => interaction(),
            (Self::Agent, Subject::AgentDay { agent, .. }) => Some(agent.as_str().to_owned()),
            (Self::Day, Subject::AgentDay { day, .. }) => Some(day.to_string()),
            (Self::Agent | Self::Day, _) => None,
        }
    }
}

impl PathTemplate {
    /// Reads one for values of these grains.
    pub fn parse(text: &str, grains: &[Grain]) -> Result<Self, PathError> {
        if !text.starts_with('/') {
            return Err(PathError::NoSlash);
        }
        if text.contains(['?', '#']) {
            return Err(PathError::NotOnlyAPath);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(PathError::Brace)?;
            let known = Name::ALL.into_iter().find(|known| known.text() == name);
            let name = known.ok_or_else(|| PathError::Unknown(name.to_owned()))?;
            if let Some(grain) = grains.iter().find(|grain| !name.is_of(**grain)) {
                return Err(PathError::Absent {
                    name: name.text(),
                    grain: *grain,
                });
            }
            parts.extend([Part::Text(before.to_owned()), Part::Name(name)]);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        let stray = |part: &Part| matches!(part, Part::Text(text) if text.contains('}'));
        if parts.iter().any(stray) {
            return Err(PathError::Brace);
        }
        Ok(Self { parts })
    }

    /// Whether it names anything: then a request is about one subject.
    #[must_use]
    pub fn names_a_subject(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Name(_)))
    }

    /// The path of an item's request, percent-encoded. `None` where a name is empty or a dot segment: the path would lead elsewhere.
    #[must_use]
    pub fn of(&self, item: &Item) -> Option<String> {
        let mut path = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => path.push_str(text),
                Part::Name(name) => {
                    let text = name.of(&item.subject)?;
                    if matches!(text.as_str(), "" | "." | "..") {
                        return None;
                    }
                    path.extend(utf8_percent_encode(&text, SEGMENT));
                }
            }
        }
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::tests::{of_interaction, of_leg};

    #[test]
    fn a_path_names_what_the_request_is_about_and_nothing_can_leave_its_segment() {
        let grains = [Grain::Interaction, Grain::Leg];
        let path = PathTemplate::parse("/a/{interaction}/b/{contact}", &grains).unwrap();
        assert!(path.names_a_subject());
        let of = |item: &Item| path.of(item).unwrap_or_default();
        assert_eq!(of(&of_interaction("x y", 0.0)), "/a/x%20y/b/x%20y");
        assert_eq!(
            of(&of_leg("../e?q#f/é", "12:agent", 0.0)),
            "/a/..%2Fe%3Fq%23f%2F%C3%A9/b/12"
        );
        for id in ["", ".", ".."] {
            assert_eq!(path.of(&of_interaction(id, 0.0)), None, "{id:?}");
        }
        let plain = PathTemplate::parse("/rows", &Grain::ALL).unwrap();
        assert!(!plain.names_a_subject());
        assert_eq!(plain.of(&of_interaction("", 0.0)).as_deref(), Some("/rows"));
    }

    #[test]
    fn what_is_no_path_is_refused_with_words() {
        for (text, words) in [
            ("rows", "it begins with /"),
            ("/rows?x=1", "it has a query"),
            ("/{interaction", "a brace has no other"),
            ("/interaction}", "a brace has no other"),
            ("/{contract}", "`{contract}` is none of {interaction}"),
            (
                "/{leg}",
                "`{leg}` is in it, and the grain interaction has none",
            ),
        ] {
            let error = PathTemplate::parse(text, &[Grain::Interaction]).unwrap_err();
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
    }
}
