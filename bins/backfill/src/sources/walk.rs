//! A walk over pages that are counted by offsets: what was met is compared with the total, and the walk is made again on a mismatch.
//!
//! The pages may list more than the stretch that is wanted: where they come in the order of their beginning, the walk begins at the nearer end
//! of the list and stops behind the stretch.

use super::distinct::Distinct;
use super::parts::Part;
use platform::history::Head;
use schema::UtcMicros;
use serde::{Deserialize, Serialize};

/// More different records than this are not remembered: what a platform says is more is asked for in smaller stretches.
pub(super) const RECORDS_MAX: usize = 10_000;
/// How often one walk is made again.
const AGAIN_MAX: u32 = 3;

/// Where a walk stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Walk {
    /// Whether it begins with the latest.
    #[serde(default)]
    pub(super) backwards: bool,
    /// Pages behind us.
    pub(super) pages: u32,
    /// Records behind us, repeats included: where the next page begins.
    pub(super) offset: u64,
    /// How many there are, as the platform said last.
    #[serde(default)]
    pub(super) total: Option<u64>,
    /// How many it said first. What came since then began after the stretch had closed.
    #[serde(default)]
    first_total: Option<u64>,
    /// Whether they became fewer meanwhile: what is behind them came nearer, and one may have been passed over.
    #[serde(default)]
    fell: bool,
    /// When the last record of the last page began.
    #[serde(default)]
    at: Option<UtcMicros>,
    /// Whether some came out of their order, within a page.
    #[serde(default)]
    disordered: bool,
    /// The same from page to page.
    #[serde(default)]
    jumped: bool,
    /// Which they were.
    #[serde(default)]
    seen: Distinct,
    /// Whether there were more than are remembered.
    #[serde(default)]
    many: bool,
    /// How many of them, each once, began in the stretch.
    #[serde(default)]
    pub(super) begun: u64,
    /// How often the walk was begun anew.
    #[serde(default)]
    pub(super) again: u32,
}

/// A page that was met.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met<'a> {
    /// The stretch that the walk is over.
    pub(super) part: Part,
    pub(super) heads: &'a [Head],
    /// How many records there are in all, if the platform says it.
    pub(super) total: Option<u64>,
    /// A page with fewer records than this is a short one: there may be no further one.
    pub(super) full: usize,
    /// Whether the records were asked for in the order of their beginning.
    pub(super) ordered: bool,
}

/// What is to happen behind a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum After {
    /// There is another page.
    More,
    /// It was the last one, and nothing is amiss.
    Whole,
    /// It was the last one, and something moved meanwhile: the walk is to be made again.
    Again,
}

impl Walk {
    /// From the first page on, or with the latest first.
    pub(super) fn new(backwards: bool) -> Self {
        Self {
            backwards,
            ..Self::default()
        }
    }

    /// Takes note of a page.
    pub(super) fn page(&mut self, met: Met<'_>) -> After {
        let grew = match (self.total, met.total) {
            (Some(before), Some(now)) => {
                self.fell |= now < before;
                now > before
            }
            _ => false,
        };
        self.total = met.total.or(self.total);
        self.first_total = self.first_total.or(met.total);
        self.pages += 1;
        self.offset += met.heads.len() as u64;
        let mut new = 0;
        for record in met.heads {
            if self.seen.len() >= RECORDS_MAX {
                self.many = true;
            }
            if self.many || self.seen.add(&record.id) {
                new += 1;
                self.begun += u64::from(record.start.is_some_and(|start| met.part.holds(start)));
            }
        }
        let past = met.ordered && self.is_past(met.part, met.heads);
        // A total that is too small is no reason to stop, nor is a short page while some are missing: the platform may give fewer at once than
        // it is asked for. Pages that overlap bring fewer different ones than rows.
        let short = met.heads.len() < met.full;
        let all = match self.total {
            Some(total) if self.many => self.offset >= total,
            Some(total) => self.seen.len() as u64 >= total,
            None => true,
        };
        // A page that brings nothing new would come for ever (pitfall 1), unless new ones pushed it back here.
        let nothing = met.heads.is_empty() || new == 0 && !(self.backwards && grew);
        if !(past || nothing || short && all) {
            return After::More;
        }
        if (self.fell || !past && self.is_short()) && self.again < AGAIN_MAX {
            return After::Again;
        }
        After::Whole
    }

    /// The number of the next page, from 1.
    pub(super) fn next_page(&self, size: u32) -> u32 {
        let (Some(first), Some(total), false) = (self.first_total, self.total, self.many) else {
            return self.pages + 1;
        };
        if !self.backwards {
            return self.pages + 1;
        }
        // What began meanwhile stands before everything that is behind us.
        let behind = self.seen.len() as u64 + total.saturating_sub(first);
        let page = u32::try_from(behind / u64::from(size.max(1)) + 1).unwrap_or(u32::MAX);
        page.max(self.pages + 1)
    }

    /// From the first page on once more.
    pub(super) fn anew(&self) -> Self {
        Self {
            backwards: self.backwards,
            again: self.again + 1,
            ..Self::default()
        }
    }

    /// Whether fewer were met than there were when the walk began.
    fn is_short(&self) -> bool {
        match self.first_total {
            Some(_) if self.many && (self.disordered || self.jumped) => true,
            Some(total) if self.many => self.offset < total,
            Some(total) => (self.seen.len() as u64) < total,
            None => false,
        }
    }

    /// Whether a page ends behind the stretch, and each so far was in order: what is further on is of no interest.
    fn is_past(&mut self, part: Part, heads: &[Head]) -> bool {
        let in_order = |before: &Option<UtcMicros>, next: &Option<UtcMicros>| {
            before.is_some()
                && next.is_some()
                && if self.backwards {
                    next <= before
                } else {
                    before <= next
                }
        };
        let mut starts = heads.iter().map(|head| head.start);
        let first = starts.clone().next().flatten();
        self.disordered |= !starts.clone().is_sorted_by(in_order);
        // Backwards, pages that were pushed back begin later than the one before ended.
        self.jumped |= !self.backwards && first.is_some() && first < self.at;
        self.at = starts.next_back().flatten().or(self.at);
        !self.disordered
            && self.at.is_some_and(|at| {
                if self.backwards {
                    at < part.from
                } else {
                    at >= part.to
                }
            })
    }
}

#[cfg(test)]
mod tests;
