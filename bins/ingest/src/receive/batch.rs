//! Which waiting deliveries share the next broker message. Pure.

use std::collections::VecDeque;

/// Something with a size.
pub trait Weigh {
    /// Its size in bytes.
    fn size(&self) -> usize;
}

/// Takes from the front: at most `count_max` items of at most `bytes_max` bytes together, but always one where there is one.
pub fn take<T: Weigh>(waiting: &mut VecDeque<T>, count_max: usize, bytes_max: usize) -> Vec<T> {
    let mut bytes = 0_usize;
    let count = waiting
        .iter()
        .take(count_max.max(1))
        .enumerate()
        .take_while(|(index, item)| {
            bytes = bytes.saturating_add(item.size());
            *index == 0 || bytes <= bytes_max
        })
        .count();
    waiting.drain(..count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Weigh for usize {
        fn size(&self) -> usize {
            *self
        }
    }

    #[test]
    fn one_large_item_goes_alone() {
        let mut waiting = VecDeque::from([500, 1, 2]);
        assert_eq!(take(&mut waiting, 10, 100), [500]);
        assert_eq!(take(&mut waiting, 10, 100), [1, 2]);
        assert!(take(&mut waiting, 10, 100).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_reordered_or_over_the_bounds(items in proptest::collection::vec(0_usize..300, 0..200), count_max in 1_usize..50, bytes_max in 1_usize..1000) {
            let mut waiting: VecDeque<usize> = items.iter().copied().collect();
            let mut out = Vec::new();
            while !waiting.is_empty() {
                let taken = take(&mut waiting, count_max, bytes_max);
                prop_assert!(!taken.is_empty() && taken.len() <= count_max);
                prop_assert!(taken.len() == 1 || taken.iter().sum::<usize>() <= bytes_max);
                out.extend(taken);
            }
            prop_assert_eq!(out, items);
        }
    }
}
