use super::After::{Again, More, Whole};
use super::*;

/// A walk, and what all of its pages have in common.
struct Walking {
    walk: Walk,
    page: Met<'static>,
}

impl Walking {
    /// Over a stretch of which every other record of [`heads`] began, in no order.
    fn unordered() -> Self {
        Self {
            walk: Walk::default(),
            page: Met {
                part: part(0, 1),
                heads: &[],
                total: None,
                full: 100,
                ordered: false,
            },
        }
    }

    /// Over a stretch whose records come in the order of their beginning, or from the latest on.
    fn ordered(part: Part, backwards: bool) -> Self {
        let unordered = Self::unordered();
        Self {
            walk: Walk::new(backwards),
            page: Met {
                part,
                ordered: true,
                ..unordered.page
            },
        }
    }

    /// Meets a page.
    fn meets(&mut self, heads: &[Head], total: Option<u64>) -> After {
        self.walk.page(Met {
            heads,
            total,
            ..self.page
        })
    }

    /// Meets one page after the other, with what is to happen behind each.
    fn goes_through(mut self, pages: &[(Vec<Head>, u64, After)]) -> Self {
        for (number, (heads, total, expected)) in pages.iter().enumerate() {
            assert_eq!(self.meets(heads, Some(*total)), *expected, "page {number}");
        }
        self
    }

    /// From the first page on once more.
    fn anew(self) -> Self {
        Self {
            walk: self.walk.anew(),
            page: self.page,
        }
    }
}

fn part(from: i64, to: i64) -> Part {
    Part {
        from: UtcMicros(from),
        to: UtcMicros(to),
    }
}

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

#[test]
fn a_walk_ends_at_the_total() {
    let walked = Walking::unordered().goes_through(&[
        (heads(0..100), 250, More),
        (heads(100..200), 250, More),
        (heads(200..250), 250, Whole),
    ]);
    assert_eq!(walked.walk.begun, 125);
}

/// The platform calls its total approximate: a full page is followed by another.
#[test]
fn a_total_that_is_too_small_ends_no_walk() {
    Walking::unordered().goes_through(&[
        (heads(0..100), 200, More),
        (heads(100..200), 200, More),
        (heads(200..260), 200, Whole),
    ]);
}

#[test]
fn a_platform_that_gives_fewer_at_once_than_asked_for_is_walked_to_its_end() {
    Walking::unordered().goes_through(&[
        (heads(0..50), 120, More),
        (heads(50..100), 120, More),
        (heads(100..120), 120, Whole),
    ]);
    // And one that says too much is asked for the rest before it is asked for all of it anew.
    Walking::unordered().goes_through(&[(heads(0..50), 60, More), (heads(0..0), 60, Again)]);
}

/// Pitfall 5: a record of the first page moves to the end between two pages.
#[test]
fn a_record_that_moved_shows_although_the_number_of_rows_is_right() {
    let mut last = heads(201..250);
    last.extend(heads(0..1));
    let walked = Walking::unordered().goes_through(&[
        (heads(0..100), 250, More),
        // 0 went to the end, so that what was 100 is on the first page now and is not seen.
        (heads(101..201), 250, More),
        (last, 250, More),
        (heads(0..0), 250, Again),
    ]);
    let mut walked = walked.anew();
    assert_eq!((walked.walk.offset, walked.walk.again), (0, 1));
    walked.page.full = 1000;
    walked.goes_through(&[(heads(0..250), 250, Whole)]);
}

/// Pitfall 5 where there are more than are remembered: the one that moved stands where it does not belong.
#[test]
fn among_very_many_a_record_that_moved_shows_by_its_place() {
    for (last, expected) in [(0..1, Again), (12_000..12_001, Whole)] {
        let mut walking = Walking::ordered(part(0, 100_000), false);
        walking.page.full = 6000;
        walking.goes_through(&[
            (begun(0..6000), 12_000, More),
            (begun((6001..12_000).chain(last)), 12_000, More),
            (Vec::new(), 12_000, expected),
        ]);
    }
}

#[test]
fn pages_that_overlap_are_walked_to_their_end() {
    let walked = Walking::unordered().goes_through(&[
        (heads(0..100), 199, More),
        (heads(95..195), 199, More),
        (heads(190..199), 199, Whole),
    ]);
    assert_eq!(walked.walk.begun, 100, "each once");
}

#[test]
fn a_total_that_falls_meanwhile_is_a_reason_too_but_not_for_ever() {
    let falls = |after| [(heads(0..100), 151, More), (heads(100..150), 150, after)];
    let mut walking = Walking::unordered();
    for _ in 0..AGAIN_MAX {
        walking = walking.goes_through(&falls(Again)).anew();
    }
    walking.goes_through(&falls(Whole));
    // What begins meanwhile stands at the end.
    Walking::unordered().goes_through(&[(heads(0..100), 150, More), (heads(100..151), 151, Whole)]);
}

/// A platform that lists the whole day: from either end it is read as far as the stretch goes, and what begins meanwhile is no reason to
/// begin anew.
#[test]
fn of_a_list_in_order_only_what_leads_to_the_stretch_is_read() {
    let stretch = part(880, 900);
    // 930 have begun by now, 30 more until the second page is asked for.
    let walking = Walking::ordered(stretch, true).goes_through(&[(
        begun((831..931).rev().map(|at| at + 60)),
        990,
        More,
    )]);
    assert_eq!(walking.walk.next_page(100), 2);
    let walked = walking.goes_through(&[(begun((821..921).rev()), 1020, Whole)]);
    assert_eq!(walked.walk.begun, 20);
    Walking::ordered(stretch, false)
        .goes_through(&[(begun(700..800), 990, More), (begun(800..901), 990, Whole)]);
    // Nothing is concluded from a list that is in no order.
    Walking::ordered(stretch, false).goes_through(&[(begun((870..970).rev()), 990, More)]);
}

/// From the latest on, what begins meanwhile pushes back what is ahead: that is not read again, and its coming again is not the end.
#[test]
fn a_walk_backwards_goes_on_where_its_pages_were_pushed_to() {
    let first = || begun((900..1000).rev());
    // Two hundred more: the second page is the first one once more.
    let walking = Walking::ordered(part(10, 20), true)
        .goes_through(&[(first(), 1000, More), (first(), 1200, More)]);
    assert_eq!(
        walking.walk.next_page(100),
        4,
        "behind 200 new ones and 100 old ones"
    );
}

/// Pitfall 1: the last page comes again and again.
#[test]
fn a_page_that_brings_nothing_new_is_the_last() {
    let mut walking = Walking::unordered();
    assert_eq!(walking.meets(&heads(0..100), None), More);
    assert_eq!(walking.meets(&heads(0..100), None), Whole);
    assert_eq!(Walking::unordered().meets(&heads(0..7), None), Whole);
    assert_eq!(Walking::unordered().meets(&[], Some(0)), Whole);
}

#[test]
fn a_walk_goes_on_from_what_was_kept() {
    let mut walking = Walking::unordered().goes_through(&[(heads(0..100), 150, More)]);
    let text = serde_json::to_string(&walking.walk).unwrap();
    walking.walk = serde_json::from_str(&text).unwrap();
    walking.goes_through(&[(heads(100..150), 150, Whole)]);
}
