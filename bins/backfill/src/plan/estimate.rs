//! What a plan will cost in calls and time.

use super::{Piece, Way};
use crate::platforms::Kind;
use crate::source::Source;
use schema::UtcMicros;
use std::time::Duration;

/// Questions about one details job's state until it is fulfilled, as a rule.
const JOB_POLLS: u64 = 3;
/// Of a report or an extraction.
const FILE_POLLS: u64 = 5;
/// Requests for the further contacts of one interaction, where it has none.
const CONTACT_OTHERS: u64 = 1;
/// By agent, by queue, and of statuses.
const FIGURES_CALLS: u64 = 3;
/// The Data Extraction API takes one call per tenant in so much time.
const EXTRACTION_EVERY: Duration = Duration::from_secs(30);

/// What is to be expected. Not more than an estimate: a day has more contacts than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Chunks.
    pub chunks: u64,
    /// Requests to the platform, tokens not counted. Without `records`: at least.
    pub calls: u64,
    /// Pages, where the number of records is known.
    pub pages: Option<u64>,
    /// Records, if known.
    pub records: Option<u64>,
    /// How long it takes at the credential's pace, if nobody else uses it. Without `records`: at least.
    pub time: Duration,
    /// When the last chunk is due: it cannot be over before.
    pub last_due: Option<UtcMicros>,
}

/// Estimates a plan. `records`: how many the whole stretch holds. `per_call`: the time from one request to the next.
#[must_use]
pub fn estimate(
    source: Source,
    kind: &Kind,
    pieces: &[Piece],
    records: Option<u64>,
    per_call: Duration,
) -> Estimate {
    let whole: i64 = pieces.iter().map(length).sum();
    let mut calls = 0_u64;
    let mut pages = 0_u64;
    for piece in pieces {
        let share = records.map(|records| match &piece.way {
            Way::Ids(ids) => ids.len() as u64,
            _ => share(records, length(piece), whole),
        });
        let cost = cost(source, kind, piece, share.unwrap_or(0));
        calls += cost.calls;
        pages += cost.pages;
    }
    let records = if source.looks_up() {
        Some(ids(pieces))
    } else {
        records
    };
    let paced = per_call.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX));
    let time = if source == Source::CxoneExtraction {
        let polite = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
        paced.max(EXTRACTION_EVERY.saturating_mul(polite))
    } else {
        paced
    };
    Estimate {
        chunks: pieces.len() as u64,
        calls,
        pages: records.map(|_| pages),
        records,
        time,
        last_due: pieces.iter().map(|piece| piece.due_at).max(),
    }
}

struct Cost {
    calls: u64,
    pages: u64,
}

/// Of one chunk with so many records.
fn cost(source: Source, kind: &Kind, piece: &Piece, records: u64) -> Cost {
    let paged = |size: u32| records.div_ceil(u64::from(size.max(1))).max(1);
    let of = |around: u64, pages: u64| Cost {
        calls: around + pages,
        pages,
    };
    match (source, kind, &piece.way) {
        // Of one clock; each further one costs as much again.
        (Source::GenesysFigures, _, _) => of(0, FIGURES_CALLS),
        (Source::CxoneFigures, _, _) => of(0, FIGURES_CALLS - 1),
        // The units; then one for each unit, or each agent.
        (Source::GenesysShifts | Source::CxoneShifts, _, _) => of(2, 1),
        (_, Kind::Genesys(settings), Way::Query) => of(0, paged(settings.query_page_size)),
        // One to submit it, some to ask how it is.
        (_, Kind::Genesys(settings), Way::Usual | Way::Cursor(_)) => {
            of(1 + JOB_POLLS, paged(settings.page_size))
        }
        (Source::CxoneExtraction, Kind::Cxone(_), _) => of(1 + FILE_POLLS, 1),
        (_, Kind::Genesys(_), Way::Ids(_)) | (Source::CxoneReport, Kind::Cxone(_), _) => of(0, 1),
        (_, Kind::Cxone(_), Way::Ids(ids)) => {
            let each = ids.len() as u64;
            of(each * CONTACT_OTHERS, each)
        }
        (_, Kind::Cxone(settings), _) => of(0, paged(settings.page_size)),
    }
}

fn ids(pieces: &[Piece]) -> u64 {
    pieces
        .iter()
        .map(|piece| match &piece.way {
            Way::Ids(ids) => ids.len() as u64,
            _ => 0,
        })
        .sum()
}

const fn length(piece: &Piece) -> i64 {
    piece.to.0.saturating_sub(piece.from.0)
}

/// As if they were spread evenly; rounded up, so that a chunk with any has a page.
fn share(records: u64, part: i64, whole: i64) -> u64 {
    let (part, whole) = (part.max(0).unsigned_abs(), whole.max(1).unsigned_abs());
    let product = u128::from(records) * u128::from(part);
    u64::try_from(product.div_ceil(u128::from(whole))).unwrap_or(u64::MAX)
}
