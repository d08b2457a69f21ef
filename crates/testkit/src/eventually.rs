//! Waiting for a state instead of sleeping.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// What a check may return: `bool`, `Option` or `Result`.
pub trait Verdict {
    /// What a good verdict carries.
    type Value;
    /// The value, or the status to report when time runs out.
    fn verdict(self) -> Result<Self::Value, String>;
}

impl Verdict for bool {
    type Value = ();
    fn verdict(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("false".into()) }
    }
}

impl<T> Verdict for Option<T> {
    type Value = T;
    fn verdict(self) -> Result<T, String> {
        self.ok_or_else(|| "none".into())
    }
}

impl<T, E: Debug> Verdict for Result<T, E> {
    type Value = T;
    fn verdict(self) -> Result<T, String> {
        self.map_err(|error| format!("{error:?}"))
    }
}

/// Asks until the verdict is good, and returns what it carries. Panics with `what` and the last status after `deadline`.
///
/// A check that itself hangs is cut off at the deadline.
pub async fn eventually<V: Verdict>(
    deadline: Duration,
    what: &str,
    mut check: impl AsyncFnMut() -> V,
) -> V::Value {
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    let mut last = String::from("the check did not return");
    loop {
        let left = deadline.saturating_sub(start.elapsed());
        match tokio::time::timeout(left, check())
            .await
            .map(Verdict::verdict)
        {
            Ok(Ok(value)) => return value,
            Ok(Err(status)) => last = status,
            Err(_) => {}
        }
        assert!(
            start.elapsed() < deadline,
            "not within {deadline:?}: {what}; last status: {last}"
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_returns_what_the_check_found() {
        let mut asked = 0;
        let found = eventually(Duration::from_secs(5), "three asks", async || {
            asked += 1;
            (asked == 3).then_some(asked)
        });
        assert_eq!(found.await, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "not within 20ms: a miracle; last status: \"no\"")]
    async fn it_reports_the_last_status() {
        eventually(Duration::from_millis(20), "a miracle", async || {
            Err::<(), _>("no")
        })
        .await;
    }
}
