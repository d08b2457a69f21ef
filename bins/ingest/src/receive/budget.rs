//! How many bytes of bodies may be in memory: over all connections, and of one subscription among them.

use runtime::metrics::GaugeHandle;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A shared allowance. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Account>);

#[derive(Debug)]
struct Account {
    /// Bytes in use. A gauge is an atomic number: what is counted is what is shown.
    used: GaugeHandle,
    /// The most that were ever in use at once.
    peak: GaugeHandle,
    limit: i64,
}

/// Which allowance is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// That of the process.
    All,
    /// The share of one subscription.
    Share,
}

/// A part of the allowance, given back when it is dropped.
#[derive(Debug)]
pub struct Hold {
    all: Budget,
    share: Option<Budget>,
    bytes: i64,
}

impl Budget {
    /// An allowance of so many bytes.
    pub fn new(limit: usize) -> Self {
        Self::shown(limit, GaugeHandle::default(), GaugeHandle::default())
    }

    /// An allowance of so many bytes whose use can be read on these gauges: now, and at most ever.
    pub fn shown(limit: usize, used: GaugeHandle, peak: GaugeHandle) -> Self {
        let limit = signed(limit);
        Self(Arc::new(Account { used, peak, limit }))
    }

    /// A part of zero bytes, to be extended.
    pub fn hold(&self) -> Hold {
        Hold {
            all: self.clone(),
            share: None,
            bytes: 0,
        }
    }

    /// The same, counted against a share of this allowance too.
    pub fn hold_within(&self, share: &Self) -> Hold {
        let mut hold = self.hold();
        hold.share = Some(share.clone());
        hold
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        usize::try_from(self.0.used.get()).unwrap_or(0)
    }

    /// The most bytes that were in use at once.
    pub fn peak(&self) -> usize {
        usize::try_from(self.0.peak.get()).unwrap_or(0)
    }

    fn take(&self, bytes: i64) -> bool {
        let used = self.0.used.inc_by(bytes).saturating_add(bytes);
        if used > self.0.limit {
            self.give(bytes);
            return false;
        }
        if used > self.0.peak.get() {
            self.0.peak.inner().fetch_max(used, Ordering::Relaxed);
        }
        true
    }

    fn give(&self, bytes: i64) {
        self.0.used.dec_by(bytes);
    }
}

impl Hold {
    /// Takes more bytes, or says whose allowance does not have them and leaves the part as it was.
    pub fn extend(&mut self, bytes: usize) -> Result<(), Full> {
        let bytes = signed(bytes);
        if let Some(share) = &self.share
            && !share.take(bytes)
        {
            return Err(Full::Share);
        }
        if !self.all.take(bytes) {
            if let Some(share) = &self.share {
                share.give(bytes);
            }
            return Err(Full::All);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// The bytes of this part.
    pub fn bytes(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(0)
    }

    /// Gives some bytes back early: at most those it has.
    pub fn release(&mut self, bytes: usize) {
        let bytes = signed(bytes).min(self.bytes);
        self.bytes -= bytes;
        self.all.give(bytes);
        if let Some(share) = &self.share {
            share.give(bytes);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release(usize::MAX);
    }
}

/// No sum of real sizes comes near the end of the range.
fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_or_released_is_given_back() {
        let budget = Budget::new(10);
        let mut first = budget.hold();
        assert_eq!(first.extend(6), Ok(()));
        let mut second = budget.hold();
        assert_eq!(second.extend(5), Err(Full::All), "over the limit");
        assert_eq!(second.extend(4), Ok(()));
        drop(first);
        assert_eq!(budget.used(), 4);
        assert_eq!(second.extend(6), Ok(()));
        second.release(9);
        assert_eq!(budget.used(), 1);
        second.release(9);
        drop(second);
        assert_eq!((budget.used(), budget.peak()), (0, 10));
    }

    #[test]
    fn a_share_bounds_its_own_holders_and_leaves_the_rest_to_others() {
        let all = Budget::new(10);
        let (noisy, quiet) = (Budget::new(6), Budget::new(6));
        let mut loud = all.hold_within(&noisy);
        assert_eq!(loud.extend(6), Ok(()));
        assert_eq!(loud.extend(1), Err(Full::Share));
        let mut soft = all.hold_within(&quiet);
        assert_eq!(soft.extend(4), Ok(()));
        assert_eq!(soft.extend(1), Err(Full::All));
        drop(loud);
        assert_eq!((noisy.used(), quiet.used(), all.used()), (0, 4, 4));
    }
}
