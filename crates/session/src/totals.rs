//! Durations: what a platform stated of each kind, weighed by source and judged.

use schema::{DurationKind, Fact, Leg, LegId, Millis, SourceRank};

/// A stated duration beyond this many milliseconds (400 days), or below zero, is no duration but a fault of the source.
pub const IMPLAUSIBLE_MILLIS: i64 = 400 * 24 * 3_600_000;

const KINDS: usize = DurationKind::ALL.len();

/// What the timeline says about one kind of duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurationFact {
    /// This long.
    Stated(Millis),
    /// A statement that counts is negative or beyond [`IMPLAUSIBLE_MILLIS`]; this is the statement.
    Implausible(Millis),
}

impl DurationFact {
    /// A duration as a source or two instants give it: implausible when it is negative or beyond [`IMPLAUSIBLE_MILLIS`].
    #[must_use]
    pub const fn judge(duration: Millis) -> Self {
        if duration.0 < 0 || duration.0 > IMPLAUSIBLE_MILLIS {
            Self::Implausible(duration)
        } else {
            Self::Stated(duration)
        }
    }

    /// The duration, when it is plausible.
    #[must_use]
    pub const fn plausible(self) -> Option<Millis> {
        match self {
            Self::Stated(duration) => Some(duration),
            Self::Implausible(_) => None,
        }
    }

    /// Both together. One that is implausible makes the whole implausible; of two such, the first is named.
    #[must_use]
    pub(crate) const fn plus(self, other: Self) -> Self {
        match (self, other) {
            // A bounded number of bounded durations: the sum fits, and saturates were it otherwise.
            (Self::Stated(one), Self::Stated(more)) => {
                Self::Stated(Millis(one.0.saturating_add(more.0)))
            }
            (Self::Stated(_), implausible) | (implausible, _) => implausible,
        }
    }
}

/// What is known of each kind of duration, of an interaction or of a leg.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals([Option<DurationFact>; KINDS]);

impl Totals {
    /// The duration of this kind; `None` when nobody stated it.
    #[must_use]
    pub const fn get(&self, kind: DurationKind) -> Option<DurationFact> {
        self.0[kind as usize]
    }

    pub(crate) fn set(&mut self, kind: DurationKind, duration: Option<DurationFact>) {
        self.0[kind as usize] = duration;
    }

    fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum = match (*sum, more) {
                (Some(sum), Some(more)) => Some(sum.plus(more)),
                (sum, more) => sum.or(more),
            };
        }
    }
}

/// Of several statements of one kind, the last one of the weightiest source.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weighed([Option<(SourceRank, Millis)>; KINDS]);

impl Weighed {
    /// Takes the next fact on the timeline.
    pub(crate) fn take(&mut self, fact: &Fact) {
        for (kind, duration) in fact.statement.durations.iter() {
            let held = &mut self.0[kind as usize];
            if held.is_none_or(|(rank, _)| rank <= fact.rank) {
                *held = Some((fact.rank, duration));
            }
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals(
            self.0
                .map(|held| held.map(|(_, duration)| DurationFact::judge(duration))),
        )
    }

    /// The source that counts for this kind.
    pub(crate) fn rank(&self, kind: DurationKind) -> Option<SourceRank> {
        self.0[kind as usize].map(|(rank, _)| rank)
    }
}

/// The facts about legs, by leg id and, of one leg, in the order of the timeline.
pub(crate) type LegFacts<'a> = Vec<(&'a Leg, &'a Fact)>;

/// The facts of each leg.
pub(crate) fn by_leg<'s, 'a>(
    facts: &'s LegFacts<'a>,
) -> impl Iterator<Item = (&'a LegId, &'s [(&'a Leg, &'a Fact)])> {
    facts
        .chunk_by(|(one, _), (next, _)| one.id == next.id)
        .map(|of_one| (&of_one[0].0.id, of_one))
}

/// The durations of one leg.
pub(crate) fn of_leg(facts: &[(&Leg, &Fact)]) -> Totals {
    let mut weighed = Weighed::default();
    for (_, fact) in facts {
        weighed.take(fact);
    }
    weighed.totals()
}

/// The durations of the interaction: of each kind what the legs add up to, or the cumulative statement where no leg states it.
pub(crate) fn of_interaction(cumulative: &Weighed, legs: &LegFacts<'_>) -> Totals {
    let mut sum = Totals::default();
    for (_, facts) in by_leg(legs) {
        sum.add(&of_leg(facts));
    }
    let cumulative = cumulative.totals();
    for (sum, cumulative) in sum.0.iter_mut().zip(cumulative.0) {
        *sum = sum.or(cumulative);
    }
    sum
}
