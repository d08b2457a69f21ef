//! Passing over what could not be done, for a while.

use std::time::{Duration, Instant};

/// For so long: it is tried, and complained of, again and again, but not all the time.
const RECESS: Duration = Duration::from_secs(10);

/// Since when something is passed over.
#[derive(Debug, Default)]
pub(crate) struct Recess(Option<Instant>);

impl Recess {
    /// Whether what is passed over is to have its turn again; `any`: whether anything is. Begins when it is first asked about something.
    pub(crate) fn is_over(&mut self, any: bool) -> bool {
        if any {
            self.0.get_or_insert_with(Instant::now).elapsed() > RECESS
        } else {
            self.0 = None;
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_after_a_while_and_begins_anew_with_the_next() {
        let mut recess = Recess::default();
        assert!(!recess.is_over(true));
        recess.0 = Instant::now().checked_sub(RECESS * 2);
        assert!(recess.is_over(true));
        assert!(!recess.is_over(false), "nothing is passed over");
        assert!(!recess.is_over(true));
    }
}
