//! The stored form of a session: `{"v":1,"f":[…]}`, facts ascending by key, so that the same facts give the same bytes.
//!
//! `"s"` is the earliest instant ever stated, written only where it is not that of a fact held; `"e":true` says that an end was
//! stated once, written only where no fact held states one; `"w"` names the agents' legs that were stated once and that no fact
//! held names; `"overfull":true` stands in the place of the facts of an overfull session. Members of a later release are skipped, a later version is refused by name.

use crate::fold::Session;
use crate::timeline::ends;
use schema::{Fact, LegId, UtcMicros};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of the stored form that this release writes.
const FORM_VERSION: u16 = 1;

/// A stored session could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The text is no session.
    #[error("the stored state is no session")]
    Json(#[source] serde_json::Error),
    /// The session was written by a later release in a form that this one does not know.
    #[error(
        "stored sessions of version {found} are newer than {FORM_VERSION}, the newest this release reads"
    )]
    Version {
        /// The version found.
        found: u16,
    },
}

#[derive(Serialize)]
struct Written<'a> {
    v: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<UtcMicros>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<bool>,
    #[serde(skip_serializing_if = "<[LegId]>::is_empty")]
    w: &'a [LegId],
    #[serde(skip_serializing_if = "Option::is_none")]
    overfull: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    f: Option<&'a [Fact]>,
}

#[derive(Deserialize)]
struct Read {
    v: u16,
    #[serde(default)]
    s: Option<UtcMicros>,
    #[serde(default)]
    e: bool,
    #[serde(default)]
    w: Vec<LegId>,
    #[serde(default)]
    overfull: bool,
    #[serde(default)]
    f: Vec<Fact>,
}

impl Session {
    /// The stored form. The same facts give the same text, whatever the order they came in.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = Vec::with_capacity(64 + 160 * self.facts.len());
        #[expect(
            clippy::expect_used,
            reason = "a vector takes every write and no map key is anything but text"
        )]
        serde_json::to_writer(&mut text, self).expect("a session is always JSON");
        #[expect(clippy::expect_used, reason = "serde_json writes UTF-8")]
        String::from_utf8(text).expect("JSON is UTF-8")
    }

    /// Reads the stored form.
    pub fn from_json(text: &str) -> Result<Self, SessionError> {
        /// The one member that every version has.
        #[derive(Deserialize)]
        struct Versioned {
            v: u16,
        }
        match serde_json::from_str::<Read>(text) {
            Ok(read) if read.v <= FORM_VERSION => Ok(read.into()),
            Ok(read) => Err(SessionError::Version { found: read.v }),
            Err(error) => match serde_json::from_str::<Versioned>(text) {
                Ok(Versioned { v }) if v > FORM_VERSION => Err(SessionError::Version { found: v }),
                _ => Err(SessionError::Json(error)),
            },
        }
    }
}

impl From<Read> for Session {
    fn from(read: Read) -> Self {
        let mut session = Self {
            ended: read.e,
            overfull: read.overfull,
            ..Self::default()
        };
        session.see(read.s);
        session.facts.reserve_exact(read.f.len());
        for fact in read.f {
            // Whoever edited the row by hand may have left another order or a fact twice.
            session.insert(fact);
        }
        if !read.w.is_empty() {
            let mut withdrawn = Self::default();
            for name in read.w {
                withdrawn.withdrawn.add(name);
            }
            session.join(withdrawn);
        }
        session
    }
}

impl Serialize for Session {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let held = self.facts.iter().map(|fact| fact.at).min();
        let known = self.facts.iter().any(ends);
        Written {
            v: FORM_VERSION,
            e: (self.ended && !known).then_some(true),
            w: self.withdrawn.names(),
            s: self.earliest.filter(|earliest| Some(*earliest) != held),
            overfull: self.overfull.then_some(true),
            f: (!self.overfull).then_some(self.facts.as_slice()),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Session {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read::deserialize(deserializer)?;
        if read.v > FORM_VERSION {
            return Err(serde::de::Error::custom(SessionError::Version {
                found: read.v,
            }));
        }
        Ok(read.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_FACTS;
    use schema::{FactKey, SourceRank, Statement};

    fn fact(id: &str, at: i64) -> Fact {
        Fact {
            key: FactKey::event(id),
            at: UtcMicros(at),
            revision: None,
            rank: SourceRank::Event,
            statement: Statement::default(),
        }
    }

    #[test]
    fn the_stored_form_is_what_the_documentation_says() {
        let mut session = Session::default();
        assert_eq!(session.to_json(), r#"{"v":1,"f":[]}"#);
        session.insert(fact("b", 2));
        session.insert(fact("a", 1));
        assert_eq!(
            session.to_json(),
            r#"{"v":1,"f":[{"k":"e:a","a":1,"b":{}},{"k":"e:b","a":2,"b":{}}]}"#
        );
        for n in 0..MAX_FACTS {
            session.insert(fact(&n.to_string(), -3));
        }
        assert_eq!(session.to_json(), r#"{"v":1,"s":-3,"overfull":true}"#);
    }

    #[test]
    fn a_session_edited_by_hand_is_read_as_a_set() {
        let text =
            r#"{"f":[{"k":"e:b","a":2},{"k":"e:a","a":1},{"k":"e:b","a":2}],"v":1,"later":[]}"#;
        let session = Session::from_json(text).unwrap();
        assert_eq!(session.facts(), [fact("a", 1), fact("b", 2)]);
    }

    #[test]
    fn a_later_form_is_refused_by_name() {
        for text in [r#"{"v":2,"f":[]}"#, r#"{"v":2,"f":"packed"}"#] {
            assert!(matches!(
                Session::from_json(text),
                Err(SessionError::Version { found: 2 })
            ));
        }
        assert!(matches!(
            Session::from_json("[]"),
            Err(SessionError::Json(_))
        ));
    }
}
