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
mod tests {
    use super::*;

    const PART: Part = Part {
        from: UtcMicros(0),
        to: UtcMicros(1),
    };

    /// Every other one began in the stretch.
    fn heads(ids: std::ops::Range<u32>) -> Vec<Head> {
        ids.map(|id| Head {
            id: id.to_string(),
            start: Some(UtcMicros(i64::from(id % 2))),
        })
        .collect()
    }

    /// Records that began at the instants that they are called by, in this order.
    fn begun(at: impl Iterator<Item = i64>) -> Vec<Head> {
        at.map(|at| Head {
            id: at.to_string(),
            start: Some(UtcMicros(at)),
        })
        .collect()
    }

    fn page(walk: &mut Walk, heads: &[Head], total: Option<u64>, full: usize) -> After {
        walk.page(Met {
            part: PART,
            heads,
            total,
            full,
            ordered: false,
        })
    }

    #[test]
    fn a_walk_ends_at_the_total() {
        let mut walk = Walk::default();
        assert_eq!(page(&mut walk, &heads(0..100), Some(250), 100), After::More);
        assert_eq!(
            page(&mut walk, &heads(100..200), Some(250), 100),
            After::More
        );
        assert_eq!(
            page(&mut walk, &heads(200..250), Some(250), 100),
            After::Whole
        );
        assert_eq!(walk.begun, 125);
    }

    /// The platform calls its total approximate.
    #[test]
    fn a_total_that_is_too_small_ends_no_walk() {
        let mut walk = Walk::default();
        assert_eq!(page(&mut walk, &heads(0..100), Some(200), 100), After::More);
        assert_eq!(
            page(&mut walk, &heads(100..200), Some(200), 100),
            After::More,
            "a full page"
        );
        assert_eq!(
            page(&mut walk, &heads(200..260), Some(200), 100),
            After::Whole
        );
    }

    #[test]
    fn a_platform_that_gives_fewer_at_once_than_asked_for_is_walked_to_its_end() {
        let mut walk = Walk::default();
        assert_eq!(page(&mut walk, &heads(0..50), Some(120), 100), After::More);
        assert_eq!(
            page(&mut walk, &heads(50..100), Some(120), 100),
            After::More
        );
        assert_eq!(
            page(&mut walk, &heads(100..120), Some(120), 100),
            After::Whole
        );
        // And one that says too much is asked for the rest before it is asked for all of it anew.
        let mut walk = Walk::default();
        assert_eq!(page(&mut walk, &heads(0..50), Some(60), 100), After::More);
        assert_eq!(page(&mut walk, &[], Some(60), 100), After::Again);
    }

    /// Pitfall 5: a record of the first page moves to the end between two pages.
    #[test]
    fn a_record_that_moved_shows_although_the_number_of_rows_is_right() {
        let mut walk = Walk::default();
        assert_eq!(page(&mut walk, &heads(0..100), Some(250), 100), After::More);
        // 0 went to the end, so that what was 100 is on the first page now and is not seen.
        assert_eq!(
            page(&mut walk, &heads(101..201), Some(250), 100),
            After::More
        );
        let mut last = heads(201..250);
        last.extend(heads(0..1));
        assert_eq!(page(&mut walk, &last, Some(250), 100), After::More);
        assert_eq!(page(&mut walk, &[], Some(250), 100), After::Again);
        let mut walk = walk.anew();
        assert_eq!((walk.offset, walk.again), (0, 1));
        assert_eq!(
            page(&mut walk, &heads(0..250), Some(250), 1000),
            After::Whole
        );
    }

    /// Pitfall 5 where there are more than are remembered: the one that moved stands where it does not belong.
    #[test]
    fn among_very_many_a_record_that_moved_shows_by_its_place() {
        let day = Part {
            from: UtcMicros(0),
            to: UtcMicros(100_000),
        };
        let walked = |last: Vec<Head>| {
            let mut walk = Walk::default();
            let mut met = |heads: &[Head]| {
                walk.page(Met {
                    part: day,
                    heads,
                    total: Some(12_000),
                    full: 6000,
                    ordered: true,
                })
            };
            assert_eq!(met(&begun(0..6000)), After::More);
            let mut second = begun(6001..12_000);
            second.extend(last);
            assert_eq!(met(&second), After::More);
            met(&[])
        };
        assert_eq!(walked(begun(0..1)), After::Again);
        assert_eq!(walked(begun(12_000..12_001)), After::Whole);
    }

    #[test]
    fn pages_that_overlap_are_walked_to_their_end() {
        let mut walk = Walk::default();
        assert_eq!(page(&mut walk, &heads(0..100), Some(199), 100), After::More);
        assert_eq!(
            page(&mut walk, &heads(95..195), Some(199), 100),
            After::More
        );
        assert_eq!(
            page(&mut walk, &heads(190..199), Some(199), 100),
            After::Whole
        );
        assert_eq!(walk.begun, 100, "each once");
    }

    #[test]
    fn a_total_that_falls_meanwhile_is_a_reason_too_but_not_for_ever() {
        let mut walk = Walk::default();
        for again in 0..=AGAIN_MAX {
            assert_eq!(page(&mut walk, &heads(0..100), Some(151), 100), After::More);
            let after = page(&mut walk, &heads(100..150), Some(150), 100);
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
        // What begins meanwhile stands at the end.
        let mut walk = Walk::default();
        assert_eq!(page(&mut walk, &heads(0..100), Some(150), 100), After::More);
        assert_eq!(
            page(&mut walk, &heads(100..151), Some(151), 100),
            After::Whole
        );
    }

    /// A platform that lists the whole day: from either end it is read as far as the stretch goes, and what begins meanwhile is no reason to
    /// begin anew.
    #[test]
    fn of_a_list_in_order_only_what_leads_to_the_stretch_is_read() {
        let part = Part {
            from: UtcMicros(880),
            to: UtcMicros(900),
        };
        let mut walk = Walk::new(true);
        let met = |walk: &mut Walk, heads: &[Head], total| {
            walk.page(Met {
                part,
                heads,
                total: Some(total),
                full: 100,
                ordered: true,
            })
        };
        // 930 have begun by now, 30 more until the second page is asked for.
        assert_eq!(
            met(&mut walk, &begun((831..931).rev().map(|at| at + 60)), 990),
            After::More
        );
        assert_eq!(walk.next_page(100), 2);
        let second = begun((821..921).rev());
        assert_eq!(met(&mut walk, &second, 1020), After::Whole);
        assert_eq!(walk.begun, 20);

        let mut walk = Walk::default();
        assert_eq!(met(&mut walk, &begun(700..800), 990), After::More);
        assert_eq!(met(&mut walk, &begun(800..901), 990), After::Whole);
        // Nothing is concluded from a list that is in no order.
        let mut walk = Walk::default();
        let mut odd = begun(870..970);
        odd.reverse();
        assert_eq!(met(&mut walk, &odd, 990), After::More);
    }

    /// From the latest on, what begins meanwhile pushes back what is ahead: that is not read again, and its coming again is not the end.
    #[test]
    fn a_walk_backwards_goes_on_where_its_pages_were_pushed_to() {
        let part = Part {
            from: UtcMicros(10),
            to: UtcMicros(20),
        };
        let mut walk = Walk::new(true);
        let met = |walk: &mut Walk, heads: &[Head], total| {
            walk.page(Met {
                part,
                heads,
                total: Some(total),
                full: 100,
                ordered: true,
            })
        };
        assert_eq!(met(&mut walk, &begun((900..1000).rev()), 1000), After::More);
        // Two hundred more: the second page is the first one once more.
        assert_eq!(met(&mut walk, &begun((900..1000).rev()), 1200), After::More);
        assert_eq!(
            walk.next_page(100),
            4,
            "behind 200 new ones and 100 old ones"
        );
    }

    /// Pitfall 1: the last page comes again and again.
    #[test]
    fn a_page_that_brings_nothing_new_is_the_last() {
        let mut walk = Walk::default();
        assert_eq!(page(&mut walk, &heads(0..100), None, 100), After::More);
        assert_eq!(page(&mut walk, &heads(0..100), None, 100), After::Whole);
        let end = |heads: &[Head], total| page(&mut Walk::default(), heads, total, 100);
        assert_eq!(end(&heads(0..7), None), After::Whole);
        assert_eq!(end(&[], Some(0)), After::Whole);
    }

    #[test]
    fn a_walk_goes_on_from_what_was_kept() {
        let mut walk = Walk::default();
        page(&mut walk, &heads(0..100), Some(150), 100);
        let text = serde_json::to_string(&walk).unwrap();
        let mut walk: Walk = serde_json::from_str(&text).unwrap();
        assert_eq!(
            page(&mut walk, &heads(100..150), Some(150), 100),
            After::Whole
        );
    }
}
