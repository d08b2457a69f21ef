//! A bounded memory of what was there lately, in two generations: the older one is forgotten as a whole when the younger one is full, or
//! has lived for the memory's horizon. An entry lasts for at least the horizon where there is room, and never costs a search for
//! the oldest.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;
use tokio::time::Instant;

/// Keys that are hashes already, with a value each.
///
/// The tables take about 1.2 times (8 bytes + the value's size + 1) an entry, and are not grown beyond `entries_max` entries together.
#[derive(Debug)]
pub struct Generations<V> {
    young: HashMap<u64, V, BuildHasherDefault<Already>>,
    old: HashMap<u64, V, BuildHasherDefault<Already>>,
    generation_max: usize,
    horizon: Duration,
    turned: Instant,
}

impl<V: Copy> Generations<V> {
    /// An empty memory of at most so many entries; 0 remembers nothing.
    pub fn new(entries_max: usize, horizon: Duration) -> Self {
        Self {
            young: HashMap::default(),
            old: HashMap::default(),
            generation_max: entries_max / 2,
            horizon,
            turned: Instant::now(),
        }
    }

    /// What is remembered under this key.
    pub fn get(&self, key: u64) -> Option<V> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    /// Remembers; the last value of a key counts.
    pub fn put(&mut self, key: u64, value: V) {
        if self.generation_max == 0 {
            return;
        }
        self.young.insert(key, value);
        if self.young.len() >= self.generation_max {
            self.turn();
        }
    }

    /// Forgets what is older than twice the horizon. To be called now and then: it looks at the clock.
    pub fn age(&mut self) {
        if self.turned.elapsed() >= self.horizon {
            self.turn();
        }
    }

    /// How many entries there are; one that is in both generations counts twice, as it does in memory.
    pub fn entries(&self) -> usize {
        self.young.len() + self.old.len()
    }

    fn turn(&mut self) {
        std::mem::swap(&mut self.young, &mut self.old);
        // The table stays: in a storm it is filled again at once.
        self.young.clear();
        self.turned = Instant::now();
    }
}

/// Hands a key that is a hash already to the table as it is.
#[derive(Debug, Default, Clone, Copy)]
struct Already(u64);

impl Hasher for Already {
    fn write(&mut self, bytes: &[u8]) {
        // Only `write_u64` is ever called; anything else is still spread.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn nothing_is_remembered_without_room() {
        let mut none = Generations::new(0, LONG);
        none.put(1, ());
        assert_eq!((none.get(1), none.entries()), (None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_lasts_for_the_horizon_and_is_gone_after_two() {
        let mut memory = Generations::new(100, LONG);
        memory.put(1, 'a');
        for hour in 1..=2 {
            tokio::time::advance(LONG.saturating_sub(Duration::from_secs(1))).await;
            memory.age();
            assert_eq!(memory.get(1), Some('a'), "hour {hour}");
            tokio::time::advance(Duration::from_secs(1)).await;
            memory.age();
        }
        assert_eq!(memory.get(1), None);
    }

    proptest! {
        #[test]
        fn it_is_bounded_keeps_the_last_value_and_at_least_the_newest_half(keys in proptest::collection::vec(0_u64..500, 1..2000), max in 2_usize..200) {
            let mut memory = Generations::new(max, LONG);
            for (index, key) in keys.iter().enumerate() {
                memory.put(*key, index);
                prop_assert!(memory.entries() <= max);
            }
            let newest = keys.iter().enumerate().rev().take(max / 2);
            for (index, key) in newest {
                prop_assert!(memory.get(*key).is_some_and(|found| found >= index));
            }
            for key in 0..500 {
                if let Some(found) = memory.get(key) {
                    prop_assert_eq!(keys[found], key);
                    prop_assert_eq!(keys.iter().rposition(|other| *other == key), Some(found));
                }
            }
        }
    }
}
