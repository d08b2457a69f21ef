//! Items that repeat a part of their body, so that each can be read alone: the header line of a CSV, what an answer says about all of its
//! schedules. A body with a long shared part and many short items would take many times its size.

use crate::error::BodyError;

/// How many times the size of its body such items may take together. Real ones take up to twenty times.
const FACTOR: usize = 64;
/// What they may take in any case.
const ALWAYS: usize = 16 << 20;
/// What they may take at most, however large the body is: it is one body's share of the memory of whoever reads it. A body of 15 MiB, the
/// largest that is taken in, may still take eight times its size.
const MOST: usize = 128 << 20;

/// What the items of a body may still take.
#[derive(Debug)]
pub(crate) struct Allowance {
    most: usize,
    left: usize,
}

impl Allowance {
    /// For a body of so many bytes.
    pub(crate) const fn of(body_bytes: usize) -> Self {
        let by_size = body_bytes.saturating_mul(FACTOR);
        let most = if by_size < ALWAYS {
            ALWAYS
        } else if by_size < MOST {
            by_size
        } else {
            MOST
        };
        Self { most, left: most }
    }

    /// Takes what so many items need to repeat so many bytes; an error where it is not there.
    pub(crate) fn take(&mut self, items: usize, shared_bytes: usize) -> Result<(), BodyError> {
        let needed = items.saturating_mul(shared_bytes);
        match self.left.checked_sub(needed) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(BodyError::Unfolds {
                items,
                shared: shared_bytes,
                most: self.most,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_gone_and_nothing_overflows() {
        let mut small = Allowance::of(10);
        assert_eq!(small.take(1024, 8 * 1024), Ok(()));
        assert_eq!(small.take(1024, 8 * 1024), Ok(()));
        let error = small.take(1, 1).unwrap_err();
        assert!(error.to_string().contains("1 items"), "{error}");
        for body in [4 << 20, 15 << 20, usize::MAX] {
            let mut large = Allowance::of(body);
            assert_eq!(large.take(128, 1 << 20), Ok(()), "{body}");
            assert!(large.take(1, 1).is_err(), "{body}");
            assert!(Allowance::of(body).take(2, usize::MAX).is_err(), "{body}");
        }
        assert_eq!(Allowance::of(1 << 20).take(64, 1 << 20), Ok(()));
        assert!(Allowance::of(1 << 20).take(65, 1 << 20).is_err());
        assert!(Allowance::of(1).take(usize::MAX, usize::MAX).is_err());
    }
}
