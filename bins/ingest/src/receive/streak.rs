//! Requests of one connection, one after another, in which nothing was genuine.
//!
//! A connection takes a place before anybody has proved who he is. Who asks every few seconds for what is not there, or with what is not
//! right, would keep it for ever; so after some such requests the connection is ended. A sender whose credentials are wrong, or a proxy
//! that many share, connects anew and loses nothing.

use std::sync::atomic::{AtomicU32, Ordering};
use tokio_util::sync::CancellationToken;

/// So many end a connection of HTTP/1.
pub const REQUESTS_MAX: u32 = 8;
/// So many end a connection of HTTP/2, which has many at once: those that are refused are answered before those that are stored.
pub const STREAMS_MAX: u32 = 64;

/// The streak of one connection.
#[derive(Debug, Default)]
pub struct Streak {
    unproven: AtomicU32,
    over: CancellationToken,
}

impl Streak {
    /// Notes a genuine delivery.
    pub fn proven(&self) {
        self.unproven.store(0, Ordering::Relaxed);
    }

    /// Notes a request that was none, and says whether it is one too many.
    pub fn unproven(&self, max: u32) -> bool {
        let before = self.unproven.fetch_add(1, Ordering::Relaxed);
        let over = before.saturating_add(1) >= max;
        if over {
            self.over.cancel();
        }
        over
    }

    /// Waits until there was one too many.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_without_anything_genuine_between_adds_up() {
        let streak = Streak::default();
        for _ in 0..5 {
            assert!(!streak.unproven(3));
            assert!(!streak.unproven(3));
            streak.proven();
        }
        assert!(!streak.over.is_cancelled());
        assert_eq!(
            [(); 4].map(|()| streak.unproven(3)),
            [false, false, true, true]
        );
        assert!(streak.over.is_cancelled());
    }
}
