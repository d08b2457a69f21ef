//! Whether live work waits for a lane: history makes room for it between two pages.
//!
//! Looked at before each page and before each chunk, but really only twice a second, once for all lanes of the process.

use crate::source::Source;
use runtime::chain;
use std::time::{Duration, Instant};
use store::Store;
use store::chunks::{self, Filter, LiveWork};
use tokio::sync::Mutex;

/// How long a look is good.
const GOOD_FOR: Duration = Duration::from_millis(500);
/// Lanes without work, of any process, take what is due well within this. What is free for longer finds none.
const UNTAKEN_FOR: Duration = Duration::from_secs(1);

/// What is known of the live lane.
#[derive(Debug)]
pub(crate) struct LiveLane {
    store: Store,
    /// The platforms that this process asks.
    platforms: Vec<String>,
    // Held during a look: whoever asks meanwhile has its result.
    seen: Mutex<Option<(Instant, LiveWork)>>,
}

impl LiveLane {
    pub(crate) fn new(store: Store, platforms: Vec<String>) -> Self {
        Self {
            store,
            platforms,
            seen: Mutex::new(None),
        }
    }

    /// Whether something is followed, so that a lane is kept for it.
    pub(crate) async fn is_followed(&self) -> bool {
        self.with(|seen| seen.open).await
    }

    /// Whether the lane that asks is to make room: each chunk that waits asks one lane.
    pub(crate) async fn wants_a_lane(&self) -> bool {
        self.with(|seen| {
            let wants = seen.waiting > 0;
            seen.waiting = seen.waiting.saturating_sub(1);
            wants
        })
        .await
    }

    async fn with<T>(&self, ask: impl FnOnce(&mut LiveWork) -> T) -> T {
        let mut seen = self.seen.lock().await;
        let (at, mut work) = match *seen {
            Some((at, work)) if at.elapsed() < GOOD_FOR => (at, work),
            _ => {
                let before = seen.map(|(_, work)| work).unwrap_or_default();
                (Instant::now(), self.look(before).await)
            }
        };
        let answer = ask(&mut work);
        *seen = Some((at, work));
        answer
    }

    /// Where the store does not say, a lane goes on being kept if one was, and no other makes room.
    async fn look(&self, before: LiveWork) -> LiveWork {
        let looked = async {
            let client = self.store.client().await?;
            let kinds = Source::ALL.map(Source::name);
            let taken = Filter {
                platforms: Some(&self.platforms),
                kinds: &kinds,
                ..Filter::default()
            };
            chunks::live(&client, &taken, UNTAKEN_FOR).await
        };
        looked.await.unwrap_or_else(|error| {
            tracing::debug!(error = %chain(&error), "the live lane cannot be looked at");
            LiveWork {
                waiting: 0,
                ..before
            }
        })
    }
}
