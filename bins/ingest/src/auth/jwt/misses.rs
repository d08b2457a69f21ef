//! What tokens named and no key verified, and when it was first seen.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

/// So many are remembered. Whoever pushes others out by making up more only has them taken for new again.
const REMEMBERED_MAX: usize = 256;

/// A key's name, or a token of a key that is known or not named: of those another key may be published any time under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sight(u64);

impl Sight {
    /// By its bytes; nobody can find others that are taken for the same.
    pub(super) fn of(bytes: &[u8]) -> Self {
        static HASH: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(HASH.hash_one(bytes))
    }
}

/// The last of them.
#[derive(Debug, Default)]
pub(super) struct Misses(VecDeque<(Sight, u64)>);

impl Misses {
    /// After how many fetches were begun this was first seen: `now` for what is not remembered, which then is.
    pub(super) fn seen(&mut self, sight: Sight, now: u64) -> &mut u64 {
        let at = self.0.iter().position(|(known, _)| *known == sight);
        let entry = at.and_then(|at| self.0.remove(at)).unwrap_or((sight, now));
        self.0.truncate(REMEMBERED_MAX - 1);
        self.0.push_front(entry);
        &mut self.0[0].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sight_counts_as_long_as_it_is_remembered() {
        let mut misses = Misses::default();
        let sight = |n: usize| Sight::of(&n.to_be_bytes());
        assert_eq!(*misses.seen(sight(0), 1), 1);
        for n in 1..REMEMBERED_MAX {
            misses.seen(sight(n), 2);
        }
        assert_eq!(*misses.seen(sight(0), 3), 1, "seen, and so kept");
        misses.seen(sight(REMEMBERED_MAX), 4);
        assert_eq!(*misses.seen(sight(0), 5), 1);
        assert_eq!(*misses.seen(sight(1), 5), 5, "the oldest has made room");
        assert_eq!(misses.0.len(), REMEMBERED_MAX);
    }
}
