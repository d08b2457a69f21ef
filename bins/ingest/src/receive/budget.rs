//! How many bytes of bodies may be in memory, over all connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A shared allowance. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// A part of the allowance, given back when it is dropped.
#[derive(Debug)]
pub struct Hold {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    /// An allowance of so many bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            used: Arc::new(AtomicUsize::new(0)),
            limit,
        }
    }

    /// A part of zero bytes, to be extended.
    pub fn hold(&self) -> Hold {
        Hold {
            budget: self.clone(),
            bytes: 0,
        }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Hold {
    /// Takes more bytes, or says no and leaves the part as it was.
    #[must_use]
    pub fn extend(&mut self, bytes: usize) -> bool {
        let before = self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.budget.limit {
            self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_given_back() {
        let budget = Budget::new(10);
        let mut first = budget.hold();
        assert!(first.extend(6));
        let mut second = budget.hold();
        assert!(!second.extend(5), "over the limit");
        assert!(second.extend(4));
        drop(first);
        assert_eq!(budget.used(), 4);
        assert!(second.extend(6));
        drop(second);
        assert_eq!(budget.used(), 0);
    }
}
