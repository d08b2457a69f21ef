//! Who had which conversation, asked by number, by id or by time, as the platform knows it at an instant.

use super::conversation::{Conversation, Draw, LONGEST};
use super::ids::{Ids, Of};
use super::moment::{DAY, Moment};
use super::plan::Plan;
use super::write::Telling;
use crate::config::History;

/// The past, behind everything that answers.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) history: History,
    pub(crate) ids: Ids,
    draw: Draw,
}

/// What the platform knows at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    /// Nothing that came later is known.
    pub(crate) as_of: i64,
    /// Conversations that appear late are there.
    pub(crate) late: bool,
    /// Conversations that are told otherwise later, are.
    pub(crate) revised: bool,
}

/// Which conversations an interval is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matching {
    /// Those whose life overlaps it.
    Overlap,
    /// Those that began on a UTC day which it touches.
    StartDay,
    /// Those that began in it.
    Start,
}

/// The conversations of an interval, by their numbers, in the order of their starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    from: i64,
    until: i64,
    /// Before this number only those that never end or end late can overlap.
    near: u64,
    /// From this number on all of them began in the interval.
    sure: u64,
    end: u64,
    view: View,
}

impl Past {
    pub(crate) fn new(history: &History) -> Self {
        Self {
            draw: Draw::new(history),
            ids: Ids::new(history.seed),
            history: history.clone(),
        }
    }

    pub(crate) const fn plan(&self) -> &Plan {
        self.draw.plan()
    }

    pub(crate) const fn drawing(&self) -> &Draw {
        &self.draw
    }

    pub(crate) fn draw(&self, number: u64, view: &View) -> Conversation {
        self.draw.draw(number, view.revised)
    }

    /// What is known when everything is.
    pub(crate) fn finally(&self, revised: bool) -> View {
        View {
            as_of: i64::MAX - 1,
            late: true,
            revised,
        }
    }

    /// What time it is when the double starts.
    pub(crate) fn first_now(&self) -> Moment {
        let history = &self.history;
        history.clock.now.unwrap_or_else(|| {
            let days = i64::from(history.days) + 1;
            let long = i64::try_from(history.long_ms).unwrap_or(0);
            history.from.plus(days * DAY + long)
        })
    }

    pub(crate) fn telling(&self, view: &View) -> Telling {
        Telling {
            ids: self.ids,
            as_of: view.as_of,
            attributes: false,
        }
    }

    /// Whether a conversation is there at all.
    pub(crate) fn is_there(&self, number: u64, view: &View) -> bool {
        number < self.plan().len()
            && (view.late || !self.draw.is_late(number))
            && self.plan().start_of(number) <= view.as_of
    }

    /// The number of the conversation with this id.
    pub(crate) fn number_of(&self, id: &str) -> Option<u64> {
        let number = self.ids.number(Of::Conversation, id)?;
        (number < self.plan().len()).then_some(number)
    }

    /// The conversations of a half-open interval.
    pub(crate) fn span(&self, from: i64, until: i64, matching: Matching, view: View) -> Span {
        let plan = self.plan();
        let (from, until) = match matching {
            Matching::StartDay => (
                from.div_euclid(DAY) * DAY,
                (until - 1).div_euclid(DAY) * DAY + DAY,
            ),
            Matching::Overlap | Matching::Start => (from, until),
        };
        let sure = plan.first_from(from);
        let near = match matching {
            Matching::Overlap => plan.first_from(from.saturating_sub(LONGEST)),
            Matching::StartDay | Matching::Start => sure,
        };
        Span {
            from,
            until,
            near,
            sure,
            end: plan.first_from(until.min(view.as_of.saturating_add(1))),
            view,
        }
    }

    /// The first conversation of a span from this number on.
    pub(crate) fn next(&self, span: &Span, from: u64, matching: Matching) -> Option<u64> {
        let mut number = if matching == Matching::Overlap { from } else { from.max(span.sure) };
        loop {
            if number < span.near {
                number = self.draw.next_kept(number).min(span.near);
            }
            if number >= span.end {
                return None;
            }
            if self.is_there(number, &span.view) && self.overlaps(number, span) {
                return Some(number);
            }
            number += 1;
        }
    }

    /// All of a span, one after the other.
    pub(crate) fn walk(
        &self,
        span: Span,
        matching: Matching,
    ) -> impl Iterator<Item = u64> + use<'_> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let number = self.next(&span, from, matching)?;
            from = number + 1;
            Some(number)
        })
    }

    fn overlaps(&self, number: u64, span: &Span) -> bool {
        if number >= span.sure {
            return true;
        }
        let it = self.draw(number, &span.view);
        it.start < span.until && it.end.is_none_or(|end| end >= span.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past() -> Past {
        Past::new(&History {
            days: 4,
            conversations: 4_000,
            open_every: 400,
            long_every: 300,
            ..History::default()
        })
    }

    #[test]
    fn a_span_has_exactly_those_whose_life_overlaps() {
        let past = past();
        let view = past.finally(false);
        let start = past.history.from.0;
        for (from, until) in [(0, 24), (24, 48), (71, 72), (72, 96), (95, 96), (13, 14), (-5, 0), (96, 200)] {
            let (from, until) = (start + from * 3_600_000, start + until * 3_600_000);
            let expected: Vec<u64> = (0..4_000)
                .filter(|number| {
                    let it = past.draw(*number, &view);
                    it.start < until && it.end.is_none_or(|end| end >= from)
                })
                .collect();
            let span = past.span(from, until, Matching::Overlap, view);
            let found: Vec<u64> = past.walk(span, Matching::Overlap).collect();
            assert_eq!(found, expected, "{from}..{until}");
        }
    }

    #[test]
    fn some_live_on_past_midnight_and_belong_to_both_days() {
        let past = past();
        let view = past.finally(false);
        let midnight = past.plan().day_start(1);
        let day = |from: i64| past.span(from, from + DAY, Matching::Overlap, view);
        let first: Vec<u64> = past.walk(day(midnight - DAY), Matching::Overlap).collect();
        let second: Vec<u64> = past.walk(day(midnight), Matching::Overlap).collect();
        let both = second.iter().filter(|number| first.contains(number)).count();
        assert!((3..100).contains(&both), "{both}");
    }

    #[test]
    fn what_is_late_is_not_there_before() {
        let mut history = past().history;
        history.late.per_mille = 50;
        let past = Past::new(&history);
        let mut view = past.finally(false);
        let count = |view: View| {
            let span = past.span(i64::MIN, i64::MAX, Matching::Start, view);
            past.walk(span, Matching::Start).count()
        };
        assert_eq!(count(view), 4_000);
        view.late = false;
        assert!((3_700..3_900).contains(&count(view)), "{}", count(view));
        assert!(!past.is_there(past.plan().first_of(2) + 1, &view), "at midnight");
    }
}
