//! A walk over pages that are counted by offsets: the total is compared with what was met, and the walk is made again on a mismatch.

use super::distinct::Distinct;
use super::parts::Part;
use platform::history::Head;
use serde::{Deserialize, Serialize};

/// More different records than this are not remembered: what a platform says is more is asked for in smaller stretches.
pub(super) const RECORDS_MAX: usize = 10_000;
/// How often one walk is made again.
const AGAIN_MAX: u32 = 3;

/// Where a walk stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Walk {
    /// Pages behind us.
    pub(super) pages: u32,
    /// Records behind us, repeats included: where the next page begins.
    pub(super) offset: u64,
    /// How many there are, as the platform said last.
    #[serde(default)]
    pub(super) total: Option<u64>,
    /// Whether it said something else on an earlier page.
    #[serde(default)]
    shifted: bool,
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
    /// Takes note of a page of the stretch that the walk is over. `size`: how many records were asked for.
    pub(super) fn page(
        &mut self,
        part: Part,
        met: &[Head],
        total: Option<u64>,
        size: u32,
    ) -> After {
        if let (Some(before), Some(now)) = (self.total, total) {
            self.shifted |= before != now;
        }
        self.total = total.or(self.total);
        self.pages += 1;
        self.offset += met.len() as u64;
        let mut new = 0;
        for record in met {
            if self.seen.len() >= RECORDS_MAX {
                self.many = true;
            }
            if self.many || self.seen.add(&record.id) {
                new += 1;
                self.begun += u64::from(record.start.is_some_and(|start| part.holds(start)));
            }
        }
        // A page that brings nothing new would come for ever (pitfall 1).
        let ends = met.is_empty()
            || new == 0
            || match self.total {
                // A total that is too small is no reason to stop; pages that overlap bring fewer different ones than rows.
                Some(total) if self.many => self.offset >= total,
                Some(total) => self.seen.len() as u64 == total,
                None => met.len() < size as usize,
            };
        if !ends {
            return After::More;
        }
        let missing = match self.total {
            Some(total) => self.offset < total || !self.many && (self.seen.len() as u64) < total,
            None => false,
        };
        if (missing || self.shifted) && self.again < AGAIN_MAX {
            return After::Again;
        }
        After::Whole
    }

    /// From the first page on once more.
    pub(super) fn anew(&self) -> Self {
        Self {
            again: self.again + 1,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::UtcMicros;

    const PART: Part = Part {
        from: UtcMicros(0),
        to: UtcMicros(1),
    };

    /// Every other one began in the stretch.
    fn met(ids: std::ops::Range<u32>) -> Vec<Head> {
        ids.map(|id| Head {
            id: id.to_string(),
            start: Some(UtcMicros(i64::from(id % 2))),
        })
        .collect()
    }

    #[test]
    fn a_walk_ends_at_the_total() {
        let mut walk = Walk::default();
        assert_eq!(walk.page(PART, &met(0..100), Some(250), 100), After::More);
        assert_eq!(walk.page(PART, &met(100..200), Some(250), 100), After::More);
        assert_eq!(
            walk.page(PART, &met(200..250), Some(250), 100),
            After::Whole
        );
        assert_eq!(walk.begun, 125);
    }

    /// Pitfall 5: a record of the first page moves to the end between two pages.
    #[test]
    fn a_record_that_moved_shows_although_the_number_of_rows_is_right() {
        let mut walk = Walk::default();
        assert_eq!(walk.page(PART, &met(0..100), Some(250), 100), After::More);
        // 0 went to the end, so that what was 100 is on the first page now and is not seen.
        assert_eq!(walk.page(PART, &met(101..201), Some(250), 100), After::More);
        let mut last = met(201..250);
        last.extend(met(0..1));
        assert_eq!(walk.page(PART, &last, Some(250), 100), After::More);
        assert_eq!(walk.page(PART, &[], Some(250), 100), After::Again);
        let mut walk = walk.anew();
        assert_eq!((walk.offset, walk.again), (0, 1));
        assert_eq!(walk.page(PART, &met(0..250), Some(250), 1000), After::Whole);
    }

    #[test]
    fn pages_that_overlap_are_walked_to_their_end() {
        let mut walk = Walk::default();
        assert_eq!(walk.page(PART, &met(0..100), Some(199), 100), After::More);
        assert_eq!(walk.page(PART, &met(95..195), Some(199), 100), After::More);
        assert_eq!(
            walk.page(PART, &met(190..199), Some(199), 100),
            After::Whole
        );
        assert_eq!(walk.begun, 100, "each once");
    }

    #[test]
    fn a_total_that_changes_meanwhile_is_a_reason_too_but_not_for_ever() {
        let mut walk = Walk::default();
        for again in 0..=AGAIN_MAX {
            assert_eq!(walk.page(PART, &met(0..100), Some(150), 100), After::More);
            let after = walk.page(PART, &met(100..151), Some(151), 100);
            let expected = if again < AGAIN_MAX {
                After::Again
            } else {
                After::Whole
            };
            assert_eq!(after, expected);
            if again < AGAIN_MAX {
                walk = walk.anew();
            }
        }
    }

    /// Pitfall 1: the last page comes again and again.
    #[test]
    fn a_page_that_brings_nothing_new_is_the_last() {
        let mut walk = Walk::default();
        assert_eq!(walk.page(PART, &met(0..100), None, 100), After::More);
        assert_eq!(walk.page(PART, &met(0..100), None, 100), After::Whole);
        assert_eq!(
            Walk::default().page(PART, &met(0..7), None, 100),
            After::Whole
        );
        assert_eq!(Walk::default().page(PART, &[], Some(0), 100), After::Whole);
    }

    #[test]
    fn a_walk_goes_on_from_what_was_kept() {
        let mut walk = Walk::default();
        walk.page(PART, &met(0..100), Some(150), 100);
        let text = serde_json::to_string(&walk).unwrap();
        let mut walk: Walk = serde_json::from_str(&text).unwrap();
        assert_eq!(
            walk.page(PART, &met(100..150), Some(150), 100),
            After::Whole
        );
    }
}
