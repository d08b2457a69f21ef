//! What events say of legs ([`schema::FactKey::part`]) and the settled record says, too.
//!
//! A record of a leg has in it what events told of that leg up to the last instant that the record speaks of; from then on the record alone
//! speaks, also where it says nothing: that nobody passed a contact on is what it says by stating no transfer. What an event tells of a
//! later instant (the after-call work, say, that was not done yet when the record was made) stands beside it. A record of the whole that
//! knows its end names every leg, so that a leg that it does not name was none.
//!
//! The facts stay in the session, so that order cannot matter; they only have no say.

use schema::{Fact, FactKey, Millis, SourceRank, UtcMicros};
use std::collections::BTreeMap;

/// One instant, told by two clocks.
const SKEW: Millis = Millis(1_000);

/// What a record speaks for.
struct Record {
    until: UtcMicros,
}

impl Record {
    /// A leg's record: of one that has ended a little longer, for what ended it may be told with another stamp.
    fn of_leg(fact: &Fact) -> Option<(&str, Self)> {
        let leg = fact.statement.leg()?;
        let until = fact.revision?;
        let until = match leg.ended_at {
            Some(_) => until.plus(SKEW),
            None => until,
        };
        Some((leg.id.as_str(), Self { until }))
    }

    fn of_whole(fact: &Fact) -> Option<Self> {
        let ended_at = fact.statement.details.as_ref()?.ended_at?;
        (fact.key == FactKey::interaction()).then(|| Self {
            until: ended_at.plus(SKEW),
        })
    }

    /// Whether it speaks for what happened at this instant.
    fn knows(&self, at: UtcMicros) -> bool {
        at <= self.until
    }
}

/// Parts the facts into those that have a say and those that a record speaks for. `facts` hold some that tell of parts.
pub(crate) fn sift(facts: Vec<&Fact>) -> (Vec<&Fact>, Vec<&Fact>) {
    let mut legs = BTreeMap::new();
    let mut whole = None;
    for fact in &facts {
        if fact.rank == SourceRank::SettledRecord && !fact.key.is_part() {
            legs.extend(Record::of_leg(fact));
            whole = whole.or_else(|| Record::of_whole(fact));
        }
    }
    facts.into_iter().partition(|fact| {
        let Some(leg) = fact.statement.leg().filter(|_| fact.key.is_part()) else {
            return true;
        };
        // Not when it was published: what is sent again days later happened when it happened.
        let told = leg.ended_at.map_or(fact.at, |ended| ended.max(fact.at));
        let mut records = legs.get(leg.id.as_str()).into_iter().chain(&whole);
        !records.any(|record| record.knows(told))
    })
}
