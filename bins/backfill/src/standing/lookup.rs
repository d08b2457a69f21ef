//! Look-ups: interactions of which the platform's record is wanted, gathered into jobs. Pure.

use schema::UtcMicros;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// How requests are answered and how often they are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// When to ask once more if nobody answered.
    pub(crate) again: Duration,
    /// How often an interaction that the platform does not know is asked for.
    pub(crate) attempts: i32,
    /// The most requests taken at once for one organisation.
    pub(crate) at_once: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            again: Duration::from_secs(6 * 3600),
            attempts: 5,
            at_once: 1000,
        }
    }
}

/// An hour with no more interactions to look up than this is not fetched for them. Each of them costs two requests for two thousand bytes; the
/// hour costs one for each ten thousand contacts that began in it, nearly all of which are known already.
const FEW: usize = 10;

/// How interactions are asked about at a platform that is asked for one by its id, or for all that began in a stretch of time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ways {
    /// One by one.
    pub(crate) by_id: Vec<String>,
    /// Hours in which many of them began, with those.
    pub(crate) by_time: Vec<Stretch>,
}

/// A stretch of time, and the interactions that began in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) from: UtcMicros,
    pub(crate) to: UtcMicros,
    pub(crate) ids: Vec<String>,
}

/// Few by their ids, and those of whose beginning nothing is known; many by the hours that they began in.
pub(crate) fn ways(ids: Vec<String>, begun: Vec<(String, UtcMicros)>) -> Ways {
    let mut hours: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    let begun: HashMap<String, UtcMicros> = begun.into_iter().collect();
    let mut ways = Ways::default();
    for id in ids {
        match begun.get(&id) {
            Some(at) => hours.entry(at.0.div_euclid(HOUR)).or_default().push(id),
            None => ways.by_id.push(id),
        }
    }
    let mut crowded = BTreeMap::new();
    for (hour, ids) in hours {
        if ids.len() > FEW {
            crowded.insert(hour, ids);
        } else {
            ways.by_id.extend(ids);
        }
    }
    ways.by_time = stretches(crowded);
    ways
}

/// Whole hours, neighbours joined, none longer than a day.
fn stretches(hours: BTreeMap<i64, Vec<String>>) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::new();
    for (number, ids) in hours {
        let from = number.saturating_mul(HOUR);
        let to = from.saturating_add(HOUR);
        match all.last_mut() {
            Some(last) if last.to.0 == from && to - last.from.0 <= DAY => {
                last.to = UtcMicros(to);
                last.ids.extend(ids);
            }
            _ => all.push(Stretch {
                from: UtcMicros(from),
                to: UtcMicros(to),
                ids,
            }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_is_asked_about_once_and_many_of_an_hour_by_their_time(
            begun in proptest::collection::vec(proptest::option::weighted(0.9, 0_i64..20_000), 0..200),
        ) {
            let ids: Vec<String> = (0..begun.len()).map(|id| id.to_string()).collect();
            let known: Vec<(String, UtcMicros)> = ids
                .iter()
                .zip(&begun)
                .filter_map(|(id, at)| Some((id.clone(), UtcMicros((*at)? * 1_000_000))))
                .collect();
            let at: HashMap<&str, i64> = known.iter().map(|(id, at)| (id.as_str(), at.0)).collect();
            let of_hour = |hour: i64| at.values().filter(|at| at.div_euclid(HOUR) == hour).count();
            let found = ways(ids.clone(), known.clone());
            let mut all: Vec<&String> = found.by_id.iter().chain(found.by_time.iter().flat_map(|part| &part.ids)).collect();
            all.sort();
            let mut wanted: Vec<&String> = ids.iter().collect();
            wanted.sort();
            prop_assert_eq!(all, wanted);
            for id in &found.by_id {
                prop_assert!(at.get(id.as_str()).is_none_or(|at| of_hour(at.div_euclid(HOUR)) <= FEW));
            }
            for Stretch { from, to, ids } in &found.by_time {
                prop_assert!(to.0 - from.0 <= DAY);
                for id in ids {
                    let at = at[id.as_str()];
                    prop_assert!(from.0 <= at && at < to.0);
                    prop_assert!(of_hour(at.div_euclid(HOUR)) > FEW);
                }
            }
            prop_assert!(found.by_time.windows(2).all(|pair| pair[0].to <= pair[1].from));
        }
    }
}
