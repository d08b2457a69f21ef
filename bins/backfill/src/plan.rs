//! From a stretch of history to the chunks it is fetched in, and what that will cost. Pure: what is known goes in.
//!
//! Chunks are half-open and gapless, and end at whole multiples of the source's span since 1970 (UTC days and hours), so that the same
//! stretch asked for twice has the same chunks. No chunk is fetched before its data are to be had: what ends too close to now, or lies
//! ahead, is due later.

mod estimate;
#[cfg(test)]
mod tests;

pub use estimate::{Estimate, estimate};

use crate::platforms::{CxoneSettings, GenesysSettings, Kind};
use crate::source::Source;
use platform::history::cxone::{EXPORT_DAYS_MAX, EXTRACTION_DAYS_MAX};
use schema::UtcMicros;
use serde_json::json;
use std::time::Duration;
use store::chunks::NewChunk;

/// One call to the Data Extraction API covers so much at most.
const EXTRACTION_SPAN: Duration = Duration::from_secs(EXTRACTION_DAYS_MAX as u64 * 86_400);
/// Figures are of days.
const FIGURES_SPAN: Duration = Duration::from_secs(86_400);
/// One export of an agent's schedule covers a week at most, of which a day at either end is for local dates that are no UTC dates.
const SHIFTS_SPAN: Duration = Duration::from_secs((EXPORT_DAYS_MAX as u64 - 2) * 86_400);
/// Interactions in one chunk of a look-up that asks for each by itself: some minutes of requests.
const CXONE_IDS: usize = 50;
/// More chunks than anybody wants to look through: a span is too short, or the stretch no stretch.
pub const CHUNKS_MAX: usize = 50_000;

/// What is to be fetched.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Where from.
    pub source: Source,
    /// The first instant.
    pub from: UtcMicros,
    /// The end, which does not belong to it.
    pub to: UtcMicros,
    /// Interactions by id, where the source is a look-up.
    pub ids: &'a [String],
}

/// What the plan goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Now.
    pub now: UtcMicros,
    /// Up to when asynchronous jobs have data, where the platform has such a date and was asked.
    pub available_to: Option<UtcMicros>,
}

/// How a chunk is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// As the source does it.
    Usual,
    /// By a query, since no asynchronous job has these data yet.
    Query,
    /// These interactions by their ids.
    Ids(Vec<String>),
    /// From this cursor on, which the source made itself.
    Cursor(String),
}

/// A chunk to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its first instant.
    pub from: UtcMicros,
    /// Its end, exclusive.
    pub to: UtcMicros,
    /// Not before.
    pub due_at: UtcMicros,
    /// How.
    pub way: Way,
}

/// A stretch that cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nothing lies between its ends.
    #[error("the stretch from {from} to {to} is empty")]
    Empty {
        /// Its beginning.
        from: UtcMicros,
        /// Its end.
        to: UtcMicros,
    },
    /// It falls into too many.
    #[error(
        "the stretch falls into {found} chunks; {CHUNKS_MAX} are allowed: ask for less, or for longer chunks (spans in the platforms file)"
    )]
    TooMany {
        /// How many.
        found: u64,
    },
    /// A look-up of nothing.
    #[error("no ids to look up")]
    NoIds,
    /// The source is not fetched from a platform, or from another one.
    #[error("{source_name} has no chunks of time on this platform")]
    Foreign {
        /// The source.
        source_name: &'static str,
    },
}

impl Piece {
    /// The first cursor of its chunk, if it is not to begin as usual.
    #[must_use]
    pub fn cursor_json(&self) -> Option<String> {
        match &self.way {
            Way::Usual => None,
            Way::Query => Some(json!({"way": "query"}).to_string()),
            Way::Ids(ids) => Some(json!({"ids": ids}).to_string()),
            Way::Cursor(cursor) => Some(cursor.clone()),
        }
    }

    /// As the store takes it.
    #[must_use]
    pub fn chunk(&self, now: UtcMicros) -> NewChunk {
        let wait = self.due_at.0.saturating_sub(now.0).max(0);
        NewChunk {
            from: self.from,
            to: self.to,
            due_in: Duration::from_micros(u64::try_from(wait).unwrap_or(0)),
            cursor_json: self.cursor_json(),
        }
    }
}

/// Cuts a stretch into chunks.
pub fn plan(wanted: &Wanted<'_>, kind: &Kind, known: &Known) -> Result<Vec<Piece>, PlanError> {
    let Wanted {
        source, from, to, ..
    } = *wanted;
    if source.looks_up() {
        return lookups(wanted, kind, known);
    }
    if from >= to {
        return Err(PlanError::Empty { from, to });
    }
    match (source, kind) {
        (Source::GenesysConversations | Source::GenesysUsers, Kind::Genesys(settings)) => {
            details(wanted, settings, known)
        }
        (
            Source::CxoneContacts
            | Source::CxoneContactStates
            | Source::CxoneAgentStates
            | Source::CxoneReport
            | Source::CxoneExtraction,
            Kind::Cxone(settings),
        ) => cut(
            from,
            to,
            span(source, settings),
            settings.lag,
            known.now,
            &Way::Usual,
        ),
        // A day of any clock begins in one UTC day; how long it takes until it is over is seen when it is asked for.
        (Source::GenesysFigures, Kind::Genesys(GenesysSettings { query_lag: lag, .. }))
        | (Source::CxoneFigures, Kind::Cxone(CxoneSettings { lag, .. })) => {
            cut(from, to, FIGURES_SPAN, *lag, known.now, &Way::Usual)
        }
        // What is planned is known before it happens, but a plan that is over does not change any more.
        (Source::GenesysShifts, Kind::Genesys(_)) | (Source::CxoneShifts, Kind::Cxone(_)) => cut(
            from,
            to,
            SHIFTS_SPAN,
            Duration::ZERO,
            known.now,
            &Way::Usual,
        ),
        _ => Err(PlanError::Foreign {
            source_name: source.name(),
        }),
    }
}

fn span(source: Source, settings: &CxoneSettings) -> Duration {
    match source {
        Source::CxoneReport => settings.report_span,
        Source::CxoneExtraction => EXTRACTION_SPAN,
        _ => settings.span,
    }
}

/// Asynchronous jobs up to the date that they have data for, queries from there on. Where the date is not known the chunks are for jobs: who
/// fetches them asks for the date first, and takes the way that there is.
fn details(
    wanted: &Wanted<'_>,
    settings: &GenesysSettings,
    known: &Known,
) -> Result<Vec<Piece>, PlanError> {
    let edge = known
        .available_to
        .unwrap_or(wanted.to)
        .clamp(wanted.from, wanted.to);
    let lag = settings.query_lag;
    let mut pieces = cut(
        wanted.from,
        edge,
        settings.job_span,
        lag,
        known.now,
        &Way::Usual,
    )?;
    pieces.extend(cut(
        edge,
        wanted.to,
        settings.query_span,
        lag,
        known.now,
        &Way::Query,
    )?);
    few_enough(pieces.len() as u64)?;
    Ok(pieces)
}

fn lookups(wanted: &Wanted<'_>, kind: &Kind, known: &Known) -> Result<Vec<Piece>, PlanError> {
    let at_once = match (wanted.source, kind) {
        (Source::GenesysLookup, Kind::Genesys(settings)) => {
            usize::try_from(settings.lookup_ids).unwrap_or(1).max(1)
        }
        (Source::CxoneLookup, Kind::Cxone(_)) => CXONE_IDS,
        _ => {
            return Err(PlanError::Foreign {
                source_name: wanted.source.name(),
            });
        }
    };
    if wanted.ids.is_empty() {
        return Err(PlanError::NoIds);
    }
    let pieces = wanted.ids.chunks(at_once).map(|ids| Piece {
        from: wanted.from,
        to: wanted.to.max(wanted.from),
        due_at: known.now,
        way: Way::Ids(ids.to_vec()),
    });
    Ok(pieces.collect())
}

/// Half-open chunks without a gap between them; those whose end is not yet `lag` ago are due when it is.
fn cut(
    from: UtcMicros,
    to: UtcMicros,
    span: Duration,
    lag: Duration,
    now: UtcMicros,
    way: &Way,
) -> Result<Vec<Piece>, PlanError> {
    let span = micros(span).max(1);
    let length = to.0.saturating_sub(from.0).max(0);
    few_enough(u64::try_from(length / span).unwrap_or(0))?;
    let mut pieces = Vec::new();
    let mut begin = from;
    while begin < to {
        let next = begin
            .0
            .div_euclid(span)
            .saturating_add(1)
            .saturating_mul(span);
        let end = UtcMicros(next).min(to);
        pieces.push(Piece {
            from: begin,
            to: end,
            due_at: UtcMicros(end.0.saturating_add(micros(lag))).max(now),
            way: way.clone(),
        });
        begin = end;
    }
    Ok(pieces)
}

const fn few_enough(found: u64) -> Result<(), PlanError> {
    if found > CHUNKS_MAX as u64 {
        return Err(PlanError::TooMany { found });
    }
    Ok(())
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
