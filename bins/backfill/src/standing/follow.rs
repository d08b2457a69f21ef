//! Following: which stretches are to be fetched next, given how far it is and what time it is. Pure.
//!
//! The *front* takes half-open stretches that end `settle` behind now, each reaching back `overlap` into the one before. Behind it one
//! *trail* an age takes the same time once more when its rows are that old, in steps of the age, until they are final. Front and trails each
//! move one mark, from which the next stretch begins, so that nothing is left out however long nobody acted.
//!
//! What has come to be more than [`LATE`] behind is no news any more: the front leaves it to the history lane, which waits for live work, and
//! goes on with what is new.

use schema::UtcMicros;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

const SECOND: i64 = 1_000_000;
const DAY: Duration = Duration::from_secs(86_400);
/// Further behind than this is fetched as history, not as news.
pub(crate) const LATE: Duration = Duration::from_secs(3600);
/// Jumps that are remembered. What of an older one is read again was read or delivered before: it costs requests, and nothing is wrong.
const JUMPS_MAX: usize = 64;
/// How often a delivery is noted while following rests, at most.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// How a source is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pace {
    /// How often the front moves.
    pub(crate) every: Duration,
    /// How far behind now it ends.
    pub(crate) settle: Duration,
    /// How far a stretch reaches back into the one before.
    pub(crate) overlap: Duration,
    /// The ages at which rows are read again.
    pub(crate) reread: Vec<Duration>,
    /// The longest stretch, without its overlap: what is caught up with is cut into these.
    pub(crate) longest: Duration,
}

/// A stretch to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) from: UtcMicros,
    pub(crate) to: UtcMicros,
    /// The age that its rows have when they are read again; zero: they are read for the first time.
    pub(crate) age: Duration,
}

/// How far the front is: kept with its job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Front {
    /// Everything from the beginning to here is asked for.
    pub(crate) until: UtcMicros,
    /// Why nothing is added: deliveries came instead, from this instant on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rests_since: Option<UtcMicros>,
    /// While it rests: the newest delivery that is known. Whatever happens to deliveries while nobody looks, it goes on from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delivered: Option<UtcMicros>,
    /// Where it is to rest again: deliveries have what is behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rests_at: Option<UtcMicros>,
    /// What it left to others, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) jumps: Vec<Jump>,
}

/// A stretch that the front left out because it comes another way. The trails leave out what of it needs no second reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Jump {
    from: UtcMicros,
    to: UtcMicros,
    /// When it was handed to the history lane: what was as old as an age then is read at that age. None: it was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_at: Option<UtcMicros>,
}

impl Jump {
    /// Where a trail goes on that has come to its beginning.
    fn leads_to(&self, pace: &Pace, age: Duration) -> UtcMicros {
        self.read_at
            .map_or(self.to, |at| self.to.min(pace.ends(at, age)))
    }
}

/// How far the trails are, by age in seconds: kept with their job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trails {
    pub(crate) until: BTreeMap<u64, UtcMicros>,
}

impl Pace {
    fn ends(&self, now: UtcMicros, age: Duration) -> UtcMicros {
        let behind = micros(self.settle).saturating_add(micros(age));
        // Platforms take whole seconds everywhere.
        UtcMicros(
            now.0
                .saturating_sub(behind)
                .div_euclid(SECOND)
                .saturating_mul(SECOND),
        )
    }

    fn step(&self, age: Duration) -> Duration {
        age.max(self.every)
    }

    /// How old news are at most when they are fetched, if nothing is in the way.
    pub(crate) fn freshness(&self) -> Duration {
        self.settle + self.every
    }

    /// How many stretches a day begin: each is at least one call, and as many more as it has further pages.
    pub(crate) fn stretches_a_day(&self) -> u64 {
        let a_day = |step: Duration| {
            let step = step.max(Duration::from_secs(1));
            // A step longer than the longest stretch is cut.
            DAY.as_secs()
                .div_ceil(step.min(self.longest).as_secs().max(1))
        };
        let again = self.reread.iter().map(|age| a_day(self.step(*age)));
        a_day(self.every) + again.sum::<u64>()
    }
}

impl Front {
    /// Beginning here.
    pub(crate) const fn new(until: UtcMicros) -> Self {
        Self {
            until,
            rests_since: None,
            delivered: None,
            rests_at: None,
            jumps: Vec::new(),
        }
    }

    /// What is too late for the live lane, however long; the front moves behind it.
    pub(crate) fn late(&mut self, pace: &Pace, now: UtcMicros) -> Option<Stretch> {
        let (end, _) = self.ends(pace, now);
        let late = pace.ends(now, Duration::ZERO).0;
        let to = end.min(UtcMicros(late.saturating_sub(micros(LATE))));
        if self.rests_since.is_some() || less(self.until, to, pace.every) {
            return None;
        }
        let late = Stretch {
            from: UtcMicros(self.until.0.saturating_sub(micros(pace.overlap))),
            to,
            age: Duration::ZERO,
        };
        self.jump(to, Some(now));
        Some(late)
    }

    fn jump(&mut self, to: UtcMicros, read_at: Option<UtcMicros>) {
        if to <= self.until {
            return;
        }
        let from = std::mem::replace(&mut self.until, to);
        self.jumps.push(Jump { from, to, read_at });
        let more = self.jumps.len().saturating_sub(JUMPS_MAX);
        self.jumps.drain(..more);
    }

    /// The next stretches, at most `room` of them, the oldest first; the front moves behind them.
    pub(crate) fn advance(&mut self, pace: &Pace, now: UtcMicros, room: usize) -> Vec<Stretch> {
        let (end, step) = self.ends(pace, now);
        if self.rests_since.is_some() || less(self.until, end, step) {
            return Vec::new();
        }
        cut(&mut self.until, end, Duration::ZERO, pace, room)
    }

    /// Where it ends now, and how much is worth a stretch: where it is to rest anything is.
    fn ends(&self, pace: &Pace, now: UtcMicros) -> (UtcMicros, Duration) {
        let end = pace.ends(now, Duration::ZERO);
        match self.rests_at {
            Some(at) if at <= end => (at, Duration::ZERO),
            _ => (end, pace.every),
        }
    }
}

impl Trails {
    /// The next stretches to read again, at most `room` of them; never of what the front has not asked for.
    pub(crate) fn advance(
        &mut self,
        pace: &Pace,
        begin: UtcMicros,
        front: &Front,
        now: UtcMicros,
        room: usize,
    ) -> Vec<Stretch> {
        self.until
            .retain(|age, _| pace.reread.iter().any(|kept| kept.as_secs() == *age));
        let mut all = Vec::new();
        for age in &pace.reread {
            let end = pace.ends(now, *age).min(front.until);
            // An age that is new begins with what has just become so old.
            let until = self
                .until
                .entry(age.as_secs())
                .or_insert_with(|| end.max(begin));
            loop {
                for jump in &front.jumps {
                    if jump.from <= *until {
                        *until = jump.leads_to(pace, *age).max(*until);
                    }
                }
                let jumps = front.jumps.iter().map(|jump| jump.from);
                let stop = jumps.filter(|from| *from > *until).min();
                let stop = stop.filter(|from| *from < end);
                if stop.is_none() && less(*until, end, pace.step(*age)) {
                    break;
                }
                let to = stop.unwrap_or(end);
                all.extend(cut(until, to, *age, pace, room.saturating_sub(all.len())));
                if stop.is_none() || *until < to {
                    break;
                }
            }
        }
        all
    }
}

/// Whether there is less than a step to take.
fn less(until: UtcMicros, end: UtcMicros, step: Duration) -> bool {
    end.0.saturating_sub(until.0) < micros(step).max(SECOND)
}

fn cut(
    until: &mut UtcMicros,
    end: UtcMicros,
    age: Duration,
    pace: &Pace,
    room: usize,
) -> Vec<Stretch> {
    let longest = micros(pace.longest).max(SECOND);
    let mut all = Vec::new();
    while *until < end && all.len() < room {
        let to = UtcMicros(until.0.saturating_add(longest).min(end.0));
        all.push(Stretch {
            from: UtcMicros(until.0.saturating_sub(micros(pace.overlap))),
            to,
            age,
        });
        *until = to;
    }
    all
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// What is known of a subscription that delivers the same news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deliveries {
    /// Since when it delivers without a silence; none: it does not.
    pub(crate) flow_since: Option<UtcMicros>,
    /// The last delivery before the silence under way, or the last one at all.
    pub(crate) last: Option<UtcMicros>,
}

/// Where following begins the first time: so long before now, or at the last delivery since.
pub(crate) fn begins(
    since: Duration,
    overlap: Duration,
    deliveries: Option<Deliveries>,
    now: UtcMicros,
) -> UtcMicros {
    let back = |at: UtcMicros, by: Duration| UtcMicros(at.0.saturating_sub(micros(by)));
    let first = back(now, since);
    let last = deliveries.and_then(|known| known.last);
    let at = last.map_or(first, |last| back(last, overlap).max(first));
    UtcMicros(at.0.div_euclid(SECOND).saturating_mul(SECOND))
}

impl Front {
    /// Hands over to deliveries once they flow and the front has reached well behind their beginning, and takes over from them where
    /// they fell silent. Both leave an overlap, in which facts come twice and count once.
    pub(crate) fn hand_over(&mut self, pace: &Pace, deliveries: Deliveries) {
        match (self.rests_since, deliveries.flow_since) {
            (Some(rests), Some(flows)) if rests == flows => self.note(pace, deliveries.last),
            // They fell silent, and flow again: nobody looked meanwhile.
            (Some(rests), Some(_)) => self.take_over(pace, Some(self.delivered.unwrap_or(rests))),
            (Some(_), None) => self.take_over(pace, deliveries.last),
            (None, _) => {}
        }
        if self.rests_since.is_some() {
            return;
        }
        self.rests_at = deliveries.flow_since.map(|since| {
            let at = since.0.saturating_add(micros(pace.overlap));
            let seconds = at.saturating_add(SECOND - 1).div_euclid(SECOND);
            UtcMicros(seconds.saturating_mul(SECOND))
        });
        if self.rests_at.is_some_and(|at| self.until >= at) {
            self.rests_since = deliveries.flow_since;
            self.rests_at = None;
            self.delivered = None;
            self.note(pace, deliveries.last);
        }
    }

    /// Notes a delivery, now and then: from an older one on more is fetched than need be, and nothing is left out.
    fn note(&mut self, pace: &Pace, last: Option<UtcMicros>) {
        let step = micros(pace.every.max(NOTED_EVERY));
        let news = |last: &UtcMicros| {
            self.delivered
                .is_none_or(|known| last.0.saturating_sub(known.0) >= step)
        };
        if let Some(last) = last.filter(news) {
            self.delivered = Some(last);
        }
    }

    /// Goes on where deliveries ended: what lies between was delivered.
    fn take_over(&mut self, pace: &Pace, last: Option<UtcMicros>) {
        self.rests_since = None;
        self.delivered = None;
        let Some(last) = last else {
            return;
        };
        let from = last.0.saturating_sub(micros(pace.overlap));
        let from = UtcMicros(from.div_euclid(SECOND).saturating_mul(SECOND));
        self.jump(from, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn at(second: i64) -> UtcMicros {
        UtcMicros(second * SECOND)
    }

    fn pace() -> Pace {
        Pace {
            every: seconds(60),
            settle: seconds(120),
            overlap: seconds(30),
            reread: vec![seconds(300), seconds(1800), seconds(14_400)],
            longest: seconds(3600),
        }
    }

    fn stretch(from: i64, to: i64) -> Stretch {
        Stretch {
            from: at(from),
            to: at(to),
            age: Duration::ZERO,
        }
    }

    #[test]
    fn the_front_ends_behind_now_and_reaches_back() {
        let mut front = Front::new(at(10_000));
        assert_eq!(front.advance(&pace(), at(10_179), 9), []);
        assert_eq!(
            front.advance(&pace(), UtcMicros(10_180 * SECOND + 999_999), 9),
            [stretch(9_970, 10_060)]
        );
        assert_eq!(front.advance(&pace(), at(10_181), 9), []);
    }

    #[test]
    fn after_a_downtime_the_oldest_comes_first_in_bounded_stretches_and_numbers() {
        let mut front = Front::new(at(0));
        let now = at(10_120);
        assert_eq!(
            front.advance(&pace(), now, 2),
            [stretch(-30, 3600), stretch(3570, 7200)]
        );
        assert_eq!(front.advance(&pace(), now, 2), [stretch(7170, 10_000)]);
    }

    #[test]
    fn what_it_costs_and_how_fresh_it_is_follow_from_the_settings() {
        // A minute, five, thirty, and four hours in four stretches of one.
        assert_eq!(pace().stretches_a_day(), 1440 + 288 + 48 + 24);
        assert_eq!(pace().freshness(), seconds(180));
    }

    #[test]
    fn deliveries_take_over_with_an_overlap_and_give_back_where_they_fell_silent() {
        let mut front = Front::new(at(1000));
        let flows = Deliveries {
            flow_since: Some(at(990)),
            last: None,
        };
        front.hand_over(&pace(), flows);
        assert_eq!(
            front.rests_since, None,
            "not yet well behind their beginning"
        );
        front.until = at(1020);
        front.hand_over(&pace(), flows);
        assert_eq!(front.rests_since, Some(at(990)));
        assert_eq!(front.advance(&pace(), at(9000), 9), []);
        let silent = Deliveries {
            flow_since: None,
            last: Some(at(5000)),
        };
        front.hand_over(&pace(), silent);
        assert_eq!((front.rests_since, front.until), (None, at(4970)));
        assert_eq!(
            front.advance(&pace(), at(5210), 9),
            [stretch(4940, 5090)],
            "from before the last delivery on"
        );
    }

    #[test]
    fn a_silence_that_nobody_saw_is_fetched_and_no_more_than_it() {
        let mut front = Front::new(at(1020));
        let flows = |since, last| Deliveries {
            flow_since: Some(at(since)),
            last: Some(at(last)),
        };
        front.hand_over(&pace(), flows(980, 1000));
        assert_eq!(front.rests_since, Some(at(980)));
        front.hand_over(&pace(), flows(980, 5000));
        front.hand_over(&pace(), flows(980, 5030));
        assert_eq!(front.delivered, Some(at(5000)), "not at every look");
        // Silent from 5100 to 9000, and nobody looked until 20000.
        front.hand_over(&pace(), flows(9000, 20_000));
        assert_eq!((front.rests_since, front.until), (None, at(4970)));
        let now = at(20_120);
        let due = front.advance(&pace(), now, 9);
        assert_eq!(due, [stretch(4940, 8570), stretch(8540, 9030)]);
        front.hand_over(&pace(), flows(9000, 20_000));
        assert_eq!(front.rests_since, Some(at(9000)));
        assert_eq!(front.advance(&pace(), now, 9), []);
        // Marks that an older release left know no delivery: from the beginning of the flow on, then.
        let mut front = Front {
            rests_since: Some(at(980)),
            ..Front::new(at(1020))
        };
        front.hand_over(&pace(), flows(9000, 20_000));
        assert_eq!((front.rests_since, front.until), (None, at(1020)));
    }

    #[test]
    fn what_is_late_is_left_to_the_history_lane_and_trails_read_no_more_of_it_than_need_be() {
        let mut front = Front::new(at(1000));
        let mut trails = Trails::default();
        let ages = [300, 1800, 14_400];
        trails.advance(&pace(), at(0), &front, at(1000), 9);
        // Nobody acted for thirty days.
        let now = at(2_592_120);
        let late = front.late(&pace(), now);
        assert_eq!(late, Some(stretch(970, 2_588_400)));
        assert_eq!(front.late(&pace(), now), None);
        let due = front.advance(&pace(), now, 9);
        assert_eq!(due, [stretch(2_588_370, 2_592_000)]);
        let again = trails.advance(&pace(), at(0), &front, now, 99);
        let sum = |age| -> i64 {
            let of_age = again.iter().filter(|found| found.age == seconds(age));
            of_age.map(|found| found.to.0 - found.from.0).sum()
        };
        for age in ages {
            assert!(sum(age) <= 2 * 3_600 * SECOND, "{age} {again:?}");
        }
        // What was not yet so old then is still read at four hours.
        let later = UtcMicros(now.0 + 14_400 * SECOND);
        front.advance(&pace(), later, 9);
        let again = trails.advance(&pace(), at(0), &front, later, 99);
        let first = again.iter().find(|found| found.age == seconds(14_400));
        assert_eq!(
            first.map(|found| found.from),
            Some(at(2_592_000 - 14_400 - 30))
        );
    }

    #[test]
    fn what_was_delivered_is_not_read_again() {
        let mut front = Front::new(at(1020));
        let mut trails = Trails::default();
        trails.advance(&pace(), at(0), &front, at(1020), 9);
        let silent = Deliveries {
            flow_since: None,
            last: Some(at(1_000_000)),
        };
        front.rests_since = Some(at(980));
        front.hand_over(&pace(), silent);
        let now = at(1_000_200);
        assert_eq!(front.late(&pace(), now), None);
        assert_eq!(
            front.advance(&pace(), now, 9),
            [stretch(999_940, 1_000_080)]
        );
        let again = trails.advance(&pace(), at(0), &front, now, 999);
        assert!(
            again.iter().all(|found| found.to <= at(1020)),
            "what it had followed, and nothing else: {again:?}"
        );
        assert!(!again.is_empty());
    }

    #[test]
    fn it_begins_where_deliveries_ended_or_a_while_ago() {
        let last = Some(Deliveries {
            flow_since: None,
            last: Some(UtcMicros(5_000_400_000)),
        });
        let (since, overlap) = (seconds(3600), seconds(30));
        assert_eq!(begins(since, overlap, last, at(8000)), at(4970));
        assert_eq!(begins(since, overlap, None, at(9000)), at(5400));
        assert_eq!(begins(since, overlap, last, at(8570)), at(4970));
        // No further back than is said, however long ago that was.
        assert_eq!(begins(since, overlap, last, at(90_000)), at(86_400));
    }

    proptest! {
        /// Whenever it is asked, and however long nobody asked: no gap, no more overlap than configured, nothing too new or too long;
        /// and all of it is read again at each age.
        #[test]
        fn nothing_is_left_out(
            every in 1_u64..400, settle in 0_u64..1000, overlap in 0_u64..100, longest in 60_u64..5000,
            ages in proptest::collection::btree_set(1_u64..4000, 0..4),
            pauses in proptest::collection::vec((0_u64..9000, 0_usize..6), 1..60),
        ) {
            let pace = Pace {
                every: seconds(every), settle: seconds(settle), overlap: seconds(overlap), longest: seconds(longest),
                reread: ages.iter().copied().map(seconds).collect(),
            };
            let begin = at(1_000_000);
            let mut now = begin;
            let mut front = Front::new(begin);
            let mut trails = Trails::default();
            let mut fronts: Vec<(Stretch, Duration)> = Vec::new();
            let mut asked: Vec<(UtcMicros, Stretch)> = Vec::new();
            // At the end it catches up, with room for all of it.
            let caught_up = std::iter::repeat_n((1, 50_000), 2);
            for (pause, room) in pauses.into_iter().chain(caught_up) {
                now.0 += i64::try_from(pause).unwrap() * SECOND;
                if let Some(late) = front.late(&pace, now) {
                    asked.push((now, late));
                    fronts.push((late, Duration::MAX));
                }
                prop_assert!(now.0 - front.until.0 <= micros(pace.settle + LATE + pace.every + seconds(1)));
                let found = front.advance(&pace, now, room);
                prop_assert!(found.len() <= room);
                asked.extend(found.iter().map(|stretch| (now, *stretch)));
                fronts.extend(found.into_iter().map(|stretch| (stretch, pace.longest)));
                let found = trails.advance(&pace, begin, &front, now, room);
                prop_assert!(found.len() <= room);
                asked.extend(found.into_iter().map(|stretch| (now, stretch)));
            }
            let mut until = begin;
            for (stretch, longest) in &fronts {
                prop_assert_eq!(stretch.from.0, until.0 - micros(pace.overlap));
                prop_assert!(stretch.to > until && stretch.to.0 - until.0 <= micros(*longest).max(SECOND));
                prop_assert!(stretch.to.0 <= now.0 - micros(pace.settle));
                until = stretch.to;
            }
            prop_assert_eq!(until, front.until);
            prop_assert!(less(until, pace.ends(now, Duration::ZERO), pace.every));
            for age in &pace.reread {
                // Every instant that is old enough, but for less than a step, was asked for when it was that old.
                let end = pace.ends(now, *age).min(front.until).0 - micros(pace.step(*age));
                let mut covered = begin.0;
                // Trails come to a jump later than the front did.
                let mut before = covered - 1;
                while covered > before {
                    before = covered;
                    for (asked, stretch) in &asked {
                        let old_enough = asked.0 - micros(pace.settle) - micros(*age);
                        if stretch.from.0 <= covered {
                            covered = covered.max(stretch.to.0.min(old_enough));
                        }
                    }
                }
                prop_assert!(covered > end, "{covered} {end} {age:?}");
            }
        }
    }
}
