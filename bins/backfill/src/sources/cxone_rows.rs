//! CXone rows: completed contacts, the states of contacts, the states of agents.
//!
//! Rows come by offset from a stretch that is closed, and in an order that stays; what a stretch has more of than one page is asked for in
//! smaller stretches where the platform says how many there are. Whether the end of a range belongs to it differs, which does not
//! matter: a row that comes twice is one.

use super::parts::{Part, after, until};
use super::walk::{After, Met, Walk};
use super::{Ask, Fault, Page, Step};
use crate::platforms::{CxoneSettings, Kind};
use platform::aside::aside;
use platform::history;
use schema::BodyFormat;
use serde::{Deserialize, Serialize};

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// Contacts that have ended.
    Contacts,
    /// The states that contacts went through.
    ContactStates,
    /// The states that agents went through.
    AgentStates,
}

impl Rows {
    /// Whether a row is a record that begins once, and so can be counted.
    const fn are_counted(self) -> bool {
        matches!(self, Self::Contacts)
    }

    /// Under which is remembered what was learnt.
    const fn name(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::ContactStates => "contact-states",
            Self::AgentStates => "agent-states",
        }
    }

    const fn format(self) -> BodyFormat {
        match self {
            Self::Contacts => BodyFormat::CxoneContacts,
            Self::ContactStates => BodyFormat::CxoneContactStates,
            Self::AgentStates => BodyFormat::CxoneAgentStates,
        }
    }

    async fn page(
        self,
        ask: &Ask<'_>,
        settings: &CxoneSettings,
        part: Part,
        skip: u64,
    ) -> Result<history::Page, Fault> {
        let cxone = ask.cxone(settings).await?;
        let (Part { from, to }, top) = (part, settings.page_size);
        match self {
            Self::Contacts => ask.answer(cxone.contacts(from, to, skip, top)).await,
            Self::ContactStates => ask.answer(cxone.contact_states(from, to, skip, top)).await,
            Self::AgentStates => ask.answer(cxone.agent_states(from, to, skip, top)).await,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Piece {
    #[serde(flatten)]
    part: Part,
    /// How many rows the stretch had that this is a half of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of_rows: Option<u64>,
}

impl Piece {
    const fn whole(part: Part) -> Self {
        Self {
            part,
            of_rows: None,
        }
    }
}

/// How far a chunk is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// What is left, the first under way; none: nothing was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<Piece>>,
    walk: Walk,
    /// Records that began in the parts behind us.
    expected: i64,
}

impl Cursor {
    /// The first part is too large; `false`: it cannot be smaller, or would have no fewer rows for that: the platform may count whole days, or
    /// what it counted before.
    fn halve(&mut self, rows: Option<u64>) -> bool {
        let Some(parts) = &mut self.parts else {
            return false;
        };
        let Some(first) = parts.first() else {
            return false;
        };
        let helps = match (rows, first.of_rows) {
            (Some(rows), Some(before)) => rows < before,
            _ => true,
        };
        let Some(halves) = first.part.halves().filter(|_| helps) else {
            return false;
        };
        let half = |part| Piece {
            part,
            of_rows: rows,
        };
        parts.splice(0..1, halves.map(half));
        self.walk = Walk::default();
        true
    }
}

/// One step.
pub(super) async fn step(rows: Rows, ask: &Ask<'_>, cursor: Option<&str>) -> Result<Step, Fault> {
    let mut cursor: Cursor = super::read(cursor)?;
    let settings = settings(ask)?;
    let whole = Part {
        from: ask.chunk.from,
        to: ask.chunk.to,
    };
    if cursor.parts.is_none() {
        // The warehouse is behind, and what is read while it still fills shifts.
        if let Some(wait) = until(after(whole.to, settings.lag), ask.now) {
            return Ok(Step::Wait {
                cursor: None,
                wait,
                reason: "data",
            });
        }
        let pieces = whole.pieces(settings.span).into_iter();
        cursor.parts = Some(pieces.map(Piece::whole).collect());
    }
    let Some(part) = cursor
        .parts
        .as_ref()
        .and_then(|parts| parts.first().map(|first| first.part))
    else {
        return Ok(Step::Done {
            expected: rows.are_counted().then_some(cursor.expected),
        });
    };
    let page = match rows.page(ask, settings, part, cursor.walk.offset).await {
        Ok(page) => page,
        Err(Fault::TooMuch { why }) if cursor.halve(None) => {
            tracing::info!(why, "the platform refuses the stretch, halving it");
            return Ok(Step::Moved(super::kept(&cursor)?));
        }
        Err(fault) => return Err(fault),
    };
    let total = page.total;
    // Pages of one request do not shift.
    if total.is_some_and(|total| total > u64::from(settings.page_size)) && cursor.halve(total) {
        return Ok(Step::Moved(super::kept(&cursor)?));
    }
    let asked = settings.page_size as usize;
    let most = ask.memory.most(rows.name(), page.heads.len());
    // Where nobody says how many there are, a page is short only beside longer ones: the platform may give fewer than it is asked for.
    let full = if total.is_some() {
        asked
    } else {
        most.min(asked)
    };
    let nothing = page.heads.is_empty();
    let (heads, mut walk) = (page.heads, std::mem::take(&mut cursor.walk));
    let work = move || {
        let met = Met {
            part,
            heads: &heads,
            total,
            full,
            ordered: false,
        };
        (walk.page(met), walk)
    };
    let (after, walk) = aside(page.body.len(), work).await;
    cursor.walk = walk;
    match after {
        After::More => {}
        After::Whole => {
            let outside = (cursor.walk.offset).saturating_sub(cursor.walk.begun);
            let begun = total
                .or(cursor.walk.total)
                .map_or(cursor.walk.begun, |total| {
                    // Rows at the very end, or from before, that the platform counts as well.
                    total.saturating_sub(outside).max(cursor.walk.begun)
                });
            cursor.expected += i64::try_from(begun).unwrap_or(i64::MAX);
            cursor.walk = Walk::default();
            if let Some(parts) = &mut cursor.parts {
                parts.remove(0);
            }
        }
        After::Again => {
            tracing::info!(from = %part.from, to = %part.to, "the pages moved while they were read, reading them again");
            cursor.walk = cursor.walk.anew();
        }
    }
    let kept = super::kept(&cursor)?;
    if nothing {
        return Ok(Step::Moved(kept));
    }
    Ok(Step::Page(Page {
        format: rows.format(),
        body: page.body,
        cursor: kept,
    }))
}

pub(super) fn settings<'a>(ask: &Ask<'a>) -> Result<&'a CxoneSettings, Fault> {
    match &ask.platform.kind {
        Kind::Cxone(settings) => Ok(settings),
        Kind::Genesys(_) => Err(Fault::refused(format!(
            "{} is no CXone platform",
            ask.platform.name
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::UtcMicros;

    /// A platform that counts whole days, or says what it said before.
    #[test]
    fn a_stretch_is_not_halved_when_its_half_has_as_many_rows() {
        let day = Part {
            from: UtcMicros(0),
            to: UtcMicros(86_400_000_000),
        };
        let mut cursor = Cursor {
            parts: Some(vec![Piece::whole(day)]),
            ..Cursor::default()
        };
        assert!(cursor.halve(Some(20_000)));
        assert!(cursor.clone().halve(Some(11_000)), "it helped");
        assert!(!cursor.halve(Some(20_000)), "it did not");
        let text = super::super::kept(&cursor).unwrap();
        assert_eq!(super::super::read::<Cursor>(Some(&text)).unwrap(), cursor);
    }
}
