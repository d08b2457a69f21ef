//! Genesys details: conversations, and users' presence and routing status.
//!
//! Up to the date that the platform has data for, an asynchronous job brings a stretch: submitted, asked about when it is likely to be done, read
//! page by page with its cursor. What is newer a query brings, whose pages are counted from the newest state and therefore
//! only asked of a stretch that is closed. The results of a job keep for days; one that is gone is submitted again.

mod count;
mod job;
mod left;
mod query;

pub(crate) use left::{Left, left_by};

use super::parts::Part;
use super::walk::Walk;
use super::{Ask, Fault, Step};
use crate::platforms::{GenesysSettings, Kind};
use platform::history::genesys::{DAYS_MAX, Subject};
use schema::{BodyFormat, UtcMicros};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A query about more time than this is refused by the platform.
const QUERY_LONGEST: Duration = Duration::from_secs(DAYS_MAX as u64 * 86_400);
/// How long to wait for data where neither a job nor a query has them.
const NO_DATA_WAIT: Duration = Duration::from_secs(600);

/// What distinguishes one kind of details from the other.
#[derive(Debug)]
pub(super) struct Details {
    /// The name under which is remembered what was learnt.
    name: &'static str,
    subject: Subject,
    /// Whether the platform counts them.
    counted: bool,
    format: BodyFormat,
}

/// Conversations.
pub(super) static CONVERSATIONS: Details = Details {
    name: "details-jobs",
    subject: Subject::Conversations,
    counted: true,
    format: BodyFormat::GenesysDetails,
};

/// Users.
pub(super) static USERS: Details = Details {
    name: "users-jobs",
    subject: Subject::Users,
    counted: false,
    format: BodyFormat::GenesysUserDetails,
};

/// How a stretch is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum How {
    Job,
    Query,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Piece {
    #[serde(flatten)]
    part: Part,
    how: How,
    /// How many hits the stretch had that this is a half of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of_hits: Option<u64>,
}

/// What is under way with the first piece.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum At {
    #[default]
    Begin,
    Submitted {
        job: String,
        slot: u32,
        since: UtcMicros,
        asked: u32,
    },
    Reading {
        job: String,
        slot: u32,
        pages: u32,
        cursor: Option<String>,
        /// Whether this page was asked for before: its cursor led to itself.
        #[serde(default)]
        twice: bool,
        /// A cursor behind us: one that is met again leads in a circle.
        #[serde(default)]
        mark: Option<String>,
    },
    Querying(Walk),
}

/// How far a chunk is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// `query`: not by a job at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    way: Option<How>,
    /// What is left; none: nothing was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pieces: Option<Vec<Piece>>,
    at: At,
    /// Jobs in a row that came to nothing at the platform.
    failed: u32,
    /// How often the cursors of a job led nowhere.
    doubts: u32,
}

impl Cursor {
    fn kept(&self) -> Result<String, Fault> {
        super::kept(self)
    }

    /// The first piece is done.
    fn next(&mut self) {
        self.at = At::Begin;
        self.failed = 0;
        self.doubts = 0;
        if let Some(pieces) = &mut self.pieces
            && !pieces.is_empty()
        {
            pieces.remove(0);
        }
    }

    /// The first piece is too large; `false`: it cannot be smaller, or would be no smaller for that. A query may match whole UTC days
    /// however short it is.
    fn halve(&mut self, hits: Option<u64>) -> bool {
        let Some(pieces) = &mut self.pieces else {
            return false;
        };
        let Some(first) = pieces.first() else {
            return false;
        };
        let helps = match (hits, first.of_hits) {
            (Some(hits), Some(before)) => hits < before,
            _ => true,
        };
        let Some(halves) = first.part.halves().filter(|_| helps) else {
            return false;
        };
        let how = first.how;
        let half = |part| Piece {
            part,
            how,
            of_hits: hits,
        };
        pieces.splice(0..1, halves.map(half));
        self.at = At::Begin;
        true
    }

    /// How many hits the first piece has, if that is known.
    const fn hits(&self) -> Option<u64> {
        match &self.at {
            At::Querying(walk) => walk.total,
            _ => None,
        }
    }

    /// What a refusal of a stretch comes to: two smaller ones, as long as that may be the reason.
    fn refused(mut self, fault: Fault) -> Result<Step, Fault> {
        match fault {
            Fault::TooMuch { why } if self.halve(self.hits()) => {
                tracing::info!(why, "the platform refuses the stretch, halving it");
                Ok(Step::Moved(self.kept()?))
            }
            other => Err(other),
        }
    }
}

/// One step.
pub(super) async fn step(
    details: &'static Details,
    ask: &Ask<'_>,
    cursor: Option<&str>,
) -> Result<Step, Fault> {
    let cursor: Cursor = super::read(cursor)?;
    let settings = settings(ask)?;
    let Some(pieces) = &cursor.pieces else {
        return begin(details, ask, settings, cursor).await;
    };
    let Some(first) = pieces.first() else {
        return count::step(details, ask).await;
    };
    let part = first.part;
    match (&cursor.at, first.how) {
        (At::Begin, How::Job) => job::submit(details, ask, settings, cursor, part).await,
        (At::Begin, How::Query) | (At::Querying(_), _) => {
            query::page(details, ask, settings, cursor, part).await
        }
        (At::Submitted { .. }, _) => job::look(details, ask, cursor).await,
        (At::Reading { .. }, _) => job::page(details, ask, settings, cursor).await,
    }
}

fn settings<'a>(ask: &Ask<'a>) -> Result<&'a GenesysSettings, Fault> {
    match &ask.platform.kind {
        Kind::Genesys(settings) => Ok(settings),
        Kind::Cxone(_) => Err(Fault::refused(format!(
            "{} is no Genesys platform",
            ask.platform.name
        ))),
    }
}

/// Decides what a job brings and what a query does.
async fn begin(
    details: &'static Details,
    ask: &Ask<'_>,
    settings: &GenesysSettings,
    mut cursor: Cursor,
) -> Result<Step, Fault> {
    let whole = Part {
        from: ask.chunk.from,
        to: ask.chunk.to,
    };
    let available = match cursor.way {
        Some(How::Query) => whole.from,
        _ => job::available(details, ask, whole.to).await?,
    };
    let cut = available.clamp(whole.from, whole.to);
    let mut pieces = Vec::new();
    if whole.from < cut {
        pieces.push(Piece {
            part: Part { to: cut, ..whole },
            how: How::Job,
            of_hits: None,
        });
    }
    if cut < whole.to {
        let rest = Part { from: cut, ..whole };
        let length = u64::try_from(rest.to.0 - rest.from.0).unwrap_or(0);
        if Duration::from_micros(length) > QUERY_LONGEST {
            // Nothing is wrong with it but that the platform is far behind.
            return Ok(Step::Wait {
                cursor: None,
                wait: NO_DATA_WAIT,
                reason: "data",
            });
        }
        let part = |part| Piece {
            part,
            how: How::Query,
            of_hits: None,
        };
        pieces.extend(rest.pieces(settings.query_span).into_iter().map(part));
    }
    let first = pieces.first().cloned();
    cursor.pieces = Some(pieces);
    if let Some(Piece {
        part,
        how: How::Job,
        ..
    }) = first
    {
        // Begun only with a place for its job: what has one goes before what has not.
        return job::submit(details, ask, settings, cursor, part).await;
    }
    Ok(Step::Moved(cursor.kept()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_only_states_a_way_is_a_beginning() {
        let cursor: Cursor = serde_json::from_str(r#"{"way":"query"}"#).unwrap();
        assert_eq!(cursor.way, Some(How::Query));
        assert_eq!(cursor.pieces, None);
    }

    #[test]
    fn cursors_come_back_as_they_were_kept() {
        let part = Part {
            from: UtcMicros(0),
            to: UtcMicros(60_000_000),
        };
        for at in [
            At::Begin,
            At::Submitted {
                job: "j".to_owned(),
                slot: 2,
                since: UtcMicros(7),
                asked: 1,
            },
            At::Reading {
                job: "j".to_owned(),
                slot: 0,
                pages: 3,
                cursor: Some("c".to_owned()),
                twice: true,
                mark: Some("b".to_owned()),
            },
            At::Querying(Walk::default()),
        ] {
            let cursor = Cursor {
                way: None,
                pieces: Some(vec![Piece {
                    part,
                    how: How::Job,
                    of_hits: None,
                }]),
                at,
                failed: 1,
                doubts: 1,
            };
            let again: Cursor = serde_json::from_str(&cursor.kept().unwrap()).unwrap();
            assert_eq!(again, cursor);
        }
    }

    /// A platform that matches whole days finds as many in half a day.
    #[test]
    fn a_stretch_is_not_halved_when_its_half_has_as_many_hits() {
        let part = Part {
            from: UtcMicros(0),
            to: UtcMicros(86_400_000_000),
        };
        let mut cursor = Cursor {
            pieces: Some(vec![Piece {
                part,
                how: How::Query,
                of_hits: None,
            }]),
            ..Cursor::default()
        };
        assert!(cursor.halve(Some(20_000)));
        assert!(cursor.clone().halve(Some(11_000)), "it helped");
        assert!(!cursor.halve(Some(20_000)), "it did not");
    }

    #[test]
    fn a_refusal_for_its_size_halves_the_stretch_and_another_one_stops() {
        let part = Part {
            from: UtcMicros(0),
            to: UtcMicros(2_000_000),
        };
        let cursor = Cursor {
            pieces: Some(vec![Piece {
                part,
                how: How::Query,
                of_hits: None,
            }]),
            ..Cursor::default()
        };
        let large = Fault::TooMuch {
            why: "Pagination may not exceed 100000 results.".to_owned(),
        };
        let Ok(Step::Moved(text)) = cursor.clone().refused(large.clone()) else {
            panic!("halved")
        };
        let halved: Cursor = serde_json::from_str(&text).unwrap();
        assert_eq!(halved.pieces.as_deref().map(<[_]>::len), Some(2));
        // A second is not halved any more.
        assert_eq!(halved.refused(large.clone()), Err(large));
        let other = Fault::Unfit {
            why: "unknown dimension".to_owned(),
        };
        assert_eq!(cursor.refused(other.clone()), Err(other));
    }
}
