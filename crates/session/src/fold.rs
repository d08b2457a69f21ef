//! The session as a join-semilattice: a set of facts by key, the earliest instant ever stated, and a top that absorbs.
//!
//! Five parts, each of which only grows, which is why the laws hold:
//! - facts, at most one a key, where the greater copy replaces the lesser;
//! - `earliest`, the least instant of every copy that was ever seen, losing copies included;
//! - `ended`, whether any copy ever stated an end, losing copies included: a revision may reopen an interaction, and what was
//!   emitted before must then be taken back whichever of the two came first;
//! - the agents' legs of every copy that was ever seen, of which those that no fact held names are withdrawn: what was emitted for
//!   them must be taken back, too;
//! - `overfull`, once there were more than [`MAX_FACTS`] keys or agents' legs. Which facts would survive a truncation depends on
//!   order, so none does; of the legs, all then withdrawn, the least [`MAX_FACTS`] stay known.

use crate::timeline::{Timeline, ends};
use crate::withdrawn::{Withdrawn, distinct};
use schema::{Fact, UtcMicros};
use std::cmp::Ordering;

/// The most facts a session holds. Beyond it the session is overfull: it yields no values, and says so.
pub const MAX_FACTS: usize = 2000;

/// What an insertion did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The key was not there before.
    New,
    /// A newer statement took the place of an older one.
    Revised,
    /// The same statement was there already.
    Duplicate,
    /// A newer statement was there already.
    Stale,
    /// The session holds too many facts, from now on or already.
    Overfull,
}

impl Change {
    /// Whether the facts differ from those before, so that metrics may too.
    #[must_use]
    pub const fn is_news(self) -> bool {
        matches!(self, Self::New | Self::Revised)
    }
}

/// The facts of one interaction. The empty session is [`Session::default`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    /// Ascending by key, one a key; empty once overfull.
    pub(crate) facts: Vec<Fact>,
    pub(crate) earliest: Option<UtcMicros>,
    pub(crate) ended: bool,
    pub(crate) withdrawn: Withdrawn,
    pub(crate) overfull: bool,
}

impl Session {
    /// Folds one fact in.
    pub fn insert(&mut self, fact: Fact) -> Change {
        self.see(Some(fact.at));
        self.ended |= ends(&fact);
        if self.overfull {
            self.withdrawn.add_all([&fact]);
            self.withdrawn.truncate(MAX_FACTS);
            return Change::Overfull;
        }
        // Ids mostly grow, so the place is mostly at the end.
        let place = match self.facts.last() {
            Some(last) if last.key < fact.key => Err(self.facts.len()),
            Some(_) => self
                .facts
                .binary_search_by(|probe| probe.key.cmp(&fact.key)),
            None => Err(0),
        };
        match place {
            Ok(index) => {
                let held = &mut self.facts[index];
                let (change, lost) = match precedence(&fact, held) {
                    Ordering::Greater => {
                        self.withdrawn.restate(&fact);
                        (Change::Revised, std::mem::replace(held, fact))
                    }
                    Ordering::Equal => return Change::Duplicate,
                    Ordering::Less => (Change::Stale, fact),
                };
                self.withdrawn.lose(&lost, &self.facts);
                self.bounded(change)
            }
            Err(_) if self.facts.len() == MAX_FACTS => {
                self.withdrawn.add_all([&fact]);
                self.overflow();
                Change::Overfull
            }
            Err(index) => {
                // Most sessions hold 5 to 8 facts: doubling would waste as much memory as the facts take.
                if self.facts.len() == self.facts.capacity() && self.facts.len() < 8 {
                    self.facts
                        .reserve_exact(if self.facts.is_empty() { 5 } else { 3 });
                }
                self.withdrawn.restate(&fact);
                self.facts.insert(index, fact);
                self.bounded(Change::New)
            }
        }
    }

    /// Folds another session's facts in; tells whether anything differs from before.
    pub fn join(&mut self, other: Self) -> bool {
        let withdrawn = self.withdrawn.clone();
        let before = (self.earliest, self.ended, self.overfull);
        self.see(other.earliest);
        self.ended |= other.ended;
        let mut news = false;
        if other.overfull {
            self.overflow();
        } else if self.overfull {
            self.withdrawn.add_all(&other.facts);
        } else {
            news = self.merge(other.facts);
        }
        self.withdrawn.union(other.withdrawn);
        if self.overfull {
            self.withdrawn.truncate(MAX_FACTS);
        } else {
            self.withdrawn.without(&self.facts);
            self.bounded(Change::New);
        }
        news || withdrawn != self.withdrawn || before != (self.earliest, self.ended, self.overfull)
    }

    /// The facts, ascending by key; none once overfull.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Whether there were more than [`MAX_FACTS`].
    pub const fn is_overfull(&self) -> bool {
        self.overfull
    }

    /// How many facts are held.
    pub const fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether nothing was ever folded in.
    pub const fn is_empty(&self) -> bool {
        self.facts.is_empty() && !self.overfull
    }

    /// The facts in the order of the platform's clock.
    pub fn timeline(&self) -> Timeline<'_> {
        Timeline::of(self)
    }

    pub(crate) fn see(&mut self, at: Option<UtcMicros>) {
        self.earliest = match (self.earliest, at) {
            (Some(held), Some(at)) => Some(held.min(at)),
            (held, at) => held.or(at),
        };
    }

    fn overflow(&mut self) {
        self.overfull = true;
        self.withdrawn.add_all(&std::mem::take(&mut self.facts));
        self.withdrawn.truncate(MAX_FACTS);
    }

    /// The change, unless there are now more agents' legs than a session knows.
    fn bounded(&mut self, change: Change) -> Change {
        let withdrawn = self.withdrawn.len();
        // Counting is only needed where there can be too many.
        if withdrawn > 0
            && withdrawn + self.facts.len() > MAX_FACTS
            && withdrawn + distinct(&self.facts).len() > MAX_FACTS
        {
            self.overflow();
            return Change::Overfull;
        }
        change
    }

    /// Merges two ascending runs of facts into one; tells whether anything of `theirs` was news.
    fn merge(&mut self, theirs: Vec<Fact>) -> bool {
        if self.facts.is_empty() {
            self.facts = theirs;
            return !self.facts.is_empty();
        }
        // The usual case, a few new facts into many: no rebuilding.
        if theirs.len() <= 4 {
            let mut news = false;
            for fact in theirs {
                news |= self.insert(fact).is_news();
            }
            return news;
        }
        let mut news = false;
        let mut merged = Vec::with_capacity(self.facts.len() + theirs.len());
        let mut ours = std::mem::take(&mut self.facts).into_iter().peekable();
        let mut theirs = theirs.into_iter().peekable();
        while let (Some(our), Some(their)) = (ours.peek(), theirs.peek()) {
            match our.key.cmp(&their.key) {
                Ordering::Less => merged.extend(ours.next()),
                Ordering::Greater => {
                    merged.extend(theirs.next());
                    news = true;
                }
                Ordering::Equal => {
                    let (won, lost) = match precedence(their, our) {
                        Ordering::Greater => {
                            news = true;
                            (theirs.next(), ours.next())
                        }
                        Ordering::Less => (ours.next(), theirs.next()),
                        Ordering::Equal => {
                            theirs.next();
                            (ours.next(), None)
                        }
                    };
                    merged.extend(won);
                    // Those that a fact held names are taken out again at the end of the join.
                    self.withdrawn.add_all(&lost);
                }
            }
        }
        news |= theirs.peek().is_some();
        merged.extend(ours);
        merged.extend(theirs);
        let overfull = merged.len() > MAX_FACTS;
        self.facts = merged;
        if overfull {
            self.overflow();
        }
        news
    }
}

/// Which of two copies of one fact holds: the newer revision (none is the oldest), then the weightier source, then the later
/// instant, then the greater content. A total order, so that two different copies are never equal.
fn precedence(left: &Fact, right: &Fact) -> Ordering {
    left.revision
        .cmp(&right.revision)
        .then_with(|| left.rank.cmp(&right.rank))
        .then_with(|| left.at.cmp(&right.at))
        .then_with(|| left.statement.cmp(&right.statement))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{DurationKind, FactKey, Millis, SourceRank, Statement};

    fn fact(id: &str, at: i64) -> Fact {
        Fact {
            key: FactKey::event(id),
            at: UtcMicros(at),
            revision: None,
            rank: SourceRank::Event,
            statement: Statement::default(),
        }
    }

    fn revised(id: &str, at: i64, revision: i64) -> Fact {
        Fact {
            revision: Some(UtcMicros(revision)),
            ..fact(id, at)
        }
    }

    #[test]
    fn a_revision_beats_no_revision_and_a_newer_one_beats_both() {
        let mut session = Session::default();
        assert_eq!(session.insert(fact("a", 9)), Change::New);
        assert_eq!(session.insert(revised("a", 5, 1)), Change::Revised);
        assert_eq!(session.insert(revised("a", 1, 3)), Change::Revised);
        assert_eq!(session.insert(revised("a", 8, 2)), Change::Stale);
        assert_eq!(session.insert(fact("a", 9)), Change::Stale);
        assert_eq!(session.insert(revised("a", 1, 3)), Change::Duplicate);
        assert_eq!(session.facts(), [revised("a", 1, 3)]);
    }

    #[test]
    fn without_revisions_the_weightier_source_wins_even_when_it_is_stamped_earlier() {
        let mut record = fact("a", 1);
        record.rank = SourceRank::SettledRecord;
        let mut session = Session::default();
        session.insert(fact("a", 9));
        assert_eq!(session.insert(record.clone()), Change::Revised);
        assert_eq!(session.insert(fact("a", 10)), Change::Stale);
        assert_eq!(session.facts(), [record]);
    }

    #[test]
    fn of_copies_that_differ_in_nothing_but_their_instant_the_later_wins() {
        for order in [[3, 8], [8, 3]] {
            let mut session = Session::default();
            let changes = order.map(|at| session.insert(fact("a", at)));
            assert_eq!(session.facts(), [fact("a", 8)]);
            let second = if order[0] == 3 {
                Change::Revised
            } else {
                Change::Stale
            };
            assert_eq!(changes, [Change::New, second]);
        }
    }

    #[test]
    fn a_join_is_overfull_with_one_key_too_many_and_not_before() {
        let of = |keys: std::ops::Range<usize>| {
            let mut session = Session::default();
            for n in keys {
                session.insert(fact(&n.to_string(), 7));
            }
            session
        };
        let mut full = of(0..MAX_FACTS - 3);
        assert!(full.join(of(MAX_FACTS - 20..MAX_FACTS)));
        assert_eq!(full.len(), MAX_FACTS);
        assert!(!full.join(of(0..20)), "nothing of that was news");
        assert!(full.join(of(MAX_FACTS - 20..MAX_FACTS + 1)));
        assert!(full.is_overfull());
        assert!(!full.join(of(0..20)), "it absorbs");
    }

    #[test]
    fn facts_behind_all_others_are_news_too() {
        let mut session = Session::default();
        session.insert(fact("a", 1));
        let mut later = Session::default();
        for id in ["b", "c", "d", "e", "f", "g"] {
            later.insert(fact(id, 2));
        }
        assert!(session.join(later.clone()));
        assert_eq!(session.len(), 7);
        assert!(!session.join(later));
    }

    #[test]
    fn twins_that_differ_in_content_alone_end_the_same_way_round() {
        let mut twin = fact("a", 1);
        twin.statement.durations.set(DurationKind::Talk, Millis(-5));
        let (mut one, mut two) = (Session::default(), Session::default());
        one.insert(fact("a", 1));
        one.insert(twin.clone());
        two.insert(twin);
        two.insert(fact("a", 1));
        assert_eq!(one, two);
    }

    #[test]
    fn a_losing_copy_still_counts_for_the_earliest_instant() {
        let mut session = Session::default();
        session.insert(revised("a", 50, 2));
        assert_eq!(session.insert(revised("a", 40, 1)), Change::Stale);
        assert_eq!(session.earliest, Some(UtcMicros(40)));
        assert_eq!(session.timeline().start(), Some(UtcMicros(50)));
    }

    #[test]
    fn one_fact_too_many_empties_the_session_for_good() {
        let mut session = Session::default();
        for n in 0..MAX_FACTS {
            assert_eq!(session.insert(fact(&n.to_string(), 7)), Change::New);
        }
        assert_eq!(session.insert(fact("0", 7)), Change::Duplicate);
        assert!(!session.is_overfull());
        assert_eq!(session.insert(fact("more", 3)), Change::Overfull);
        assert_eq!(session.insert(fact("0", 7)), Change::Overfull);
        assert!(session.is_overfull() && session.facts().is_empty() && !session.is_empty());
        assert_eq!(session.timeline().start(), Some(UtcMicros(3)));
    }
}
