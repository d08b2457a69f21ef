//! Which contacts of a customer can matter to one another. Pure.
//!
//! A *matter* is a run of contacts in which none begins later than `within` after the last end before it. A definition's chains are parts of
//! matters: it counts some contacts only. So what a contact's verdict depends on lies within its matter, and a change of one contact
//! reaches no other matter than those near the stretch of time that changed.

use schema::{Millis, UtcMicros};
use std::ops::Range;

/// When a contact was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: UtcMicros,
    /// Not before the start.
    pub(super) end: UtcMicros,
}

/// A stretch of time in which something changed, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: UtcMicros,
    pub(super) to: UtcMicros,
}

impl Stretch {
    /// Both, and what lies between them.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            from: self.from.min(other.from),
            to: self.to.max(other.to),
        }
    }

    fn contains(self, at: UtcMicros) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

/// A matter that the change reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    /// Its contacts, by place.
    pub(super) contacts: Range<usize>,
    /// It has more contacts than are evaluated together.
    pub(super) crowded: bool,
    /// The places of those whose rows may have changed.
    pub(super) write: Vec<usize>,
}

/// The matters among these contacts, which ascend by start.
fn matters(spans: impl Iterator<Item = Span>, within: Millis) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut last_end = None;
    for (place, span) in spans.enumerate() {
        let follows = last_end.is_some_and(|end: UtcMicros| span.start <= end.plus(within));
        match found.last_mut().filter(|_| follows) {
            Some(matter) => matter.end = place + 1,
            None => found.push(place..place + 1),
        }
        last_end = last_end.filter(|_| follows).max(Some(span.end));
    }
    found
}

/// The matters that a change within `stretch` reaches, and whose rows it may change. `most`: how many contacts are evaluated together.
///
/// `spans` ascend by start and hold every contact of the matters near the stretch; of a matter that reaches further than the stretch by more
/// than `most` contacts, so many beyond it are enough.
pub(super) fn reached(
    spans: &[Span],
    within: Millis,
    stretch: Stretch,
    most: usize,
) -> Vec<Reached> {
    let near = |matter: &Range<usize>| {
        let members = &spans[matter.clone()];
        let last_end = members.iter().map(|span| span.end).max();
        let starts_in_reach = members
            .first()
            .is_some_and(|first| first.start <= stretch.to.plus(within));
        starts_in_reach && last_end.is_some_and(|end| end.plus(within) >= stretch.from)
    };
    matters(spans.iter().copied(), within)
        .into_iter()
        .filter(near)
        .map(|contacts| {
            let crowded = contacts.len() > most;
            let write = if crowded {
                newly_crowded(spans, &contacts, within, stretch, most)
            } else {
                contacts.clone().collect()
            };
            Reached {
                contacts,
                crowded,
                write,
            }
        })
        .collect()
}

/// Of a crowded matter: what the change is about, and what was not crowded without it. The rest has been withheld before, so that one contact
/// more at a number that many share costs no more than itself.
fn newly_crowded(
    spans: &[Span],
    matter: &Range<usize>,
    within: Millis,
    stretch: Stretch,
    most: usize,
) -> Vec<usize> {
    let (mut write, rest): (Vec<usize>, Vec<usize>) = matter
        .clone()
        .partition(|place| stretch.contains(spans[*place].start));
    for without in matters(rest.iter().map(|place| spans[*place]), within) {
        if without.len() <= most {
            write.extend(&rest[without]);
        }
    }
    write.sort_unstable();
    write
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    fn at(hour: i64) -> UtcMicros {
        UtcMicros::from_millis(hour * HOUR)
    }

    fn span(start: i64, end: i64) -> Span {
        Span {
            start: at(start),
            end: at(end),
        }
    }

    fn stretch(from: i64, to: i64) -> Stretch {
        Stretch {
            from: at(from),
            to: at(to),
        }
    }

    fn found(spans: &[Span], within: i64, change: Stretch) -> Vec<(usize, usize)> {
        let reached = reached(spans, Millis(within * HOUR), change, 100);
        let contacts = reached.into_iter().map(|reached| reached.contacts);
        contacts.map(|matter| (matter.start, matter.end)).collect()
    }

    #[test]
    fn a_matter_ends_where_nobody_calls_for_longer_than_within() {
        let spans = [span(0, 1), span(8, 9), span(16, 17), span(25, 26)];
        // Exactly `within` later still belongs to it.
        assert_eq!(found(&spans, 7, stretch(0, 40)), [(0, 3), (3, 4)]);
        assert_eq!(found(&spans, 8, stretch(0, 40)), [(0, 4)]);
        assert_eq!(
            found(&spans, 6, stretch(0, 40)),
            [(0, 1), (1, 2), (2, 3), (3, 4)]
        );
    }

    #[test]
    fn a_long_contact_holds_together_what_is_within_it() {
        let spans = [span(0, 50), span(2, 3), span(30, 31), span(57, 58)];
        assert_eq!(found(&spans, 7, stretch(0, 60)), [(0, 4)]);
    }

    #[test]
    fn a_change_reaches_the_matters_next_to_it_and_no_further() {
        let spans = [span(0, 1), span(20, 21), span(40, 41), span(60, 61)];
        assert_eq!(found(&spans, 7, stretch(20, 21)), [(1, 2)]);
        // A contact that is not there any more, between two of them.
        assert_eq!(found(&spans, 7, stretch(28, 33)), [(1, 2), (2, 3)]);
        assert_eq!(found(&spans, 7, stretch(29, 32)), [] as [(usize, usize); 0]);
    }

    #[test]
    fn one_contact_more_of_a_crowded_matter_concerns_itself_alone() {
        let spans: Vec<Span> = (0..10).map(|n| span(n, n)).collect();
        let write = |change: Stretch, most: usize| {
            let reached = reached(&spans, Millis(7 * HOUR), change, most);
            let [only] = &reached[..] else {
                panic!("one matter")
            };
            (only.crowded, only.write.clone())
        };
        assert_eq!(write(stretch(9, 9), 20), (false, (0..10).collect()));
        assert_eq!(write(stretch(9, 9), 5), (true, vec![9]));
        // Without it there were no more than are evaluated: their verdicts go.
        assert_eq!(write(stretch(9, 9), 9), (true, (0..10).collect()));
        assert_eq!(write(stretch(5, 9), 5), (true, (0..10).collect()));
    }

    proptest! {
        #[test]
        fn every_contact_near_a_change_is_reached_with_all_that_it_can_depend_on(
            starts in prop::collection::btree_set(0_i64..200, 1..40),
            lengths in prop::collection::vec(0_i64..20, 40),
            within in 1_i64..15,
            from in 0_i64..200,
            length in 0_i64..30,
        ) {
            let spans: Vec<Span> = starts
                .iter()
                .zip(&lengths)
                .map(|(start, length)| span(*start, start + length))
                .collect();
            let change = stretch(from, from + length);
            let reached = reached(&spans, Millis(within * HOUR), change, 1000);
            for (place, one) in spans.iter().enumerate() {
                let near = one.start <= change.to.plus(Millis(within * HOUR))
                    && one.end.plus(Millis(within * HOUR)) >= change.from;
                let matter = reached.iter().find(|matter| matter.contacts.contains(&place));
                prop_assert!(!near || matter.is_some());
                let Some(matter) = matter else { continue };
                for (other_place, other) in spans.iter().enumerate() {
                    let linked = other.start <= one.end.plus(Millis(within * HOUR))
                        && one.start <= other.end.plus(Millis(within * HOUR));
                    prop_assert!(!linked || matter.contacts.contains(&other_place));
                }
            }
        }
    }
}
