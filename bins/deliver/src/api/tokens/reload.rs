//! Reads the tokens file again on SIGHUP and when it has changed. A file with problems changes nothing.

use super::{LiveTokens, load};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Runs until the stop.
pub async fn run(file: PathBuf, live: LiveTokens, stop: CancellationToken) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    // What the process started with may have been replaced since: the first look reads it once more.
    let mut seen = None;
    loop {
        look(&file, &live, &mut seen);
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = hangup.recv() => seen = None,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Reads the file if it is not what was seen last; says whether other tokens are in force now.
pub fn look(file: &Path, live: &LiveTokens, seen: &mut Option<[u8; 32]>) -> bool {
    // A file that cannot be read is another one than any that can.
    let now = std::fs::read(file).map_or([0; 32], |bytes| Sha256::digest(bytes).into());
    if seen.replace(now) == Some(now) {
        return false;
    }
    match load(file) {
        Ok(tokens) => {
            let changed = *live.get() != tokens;
            if changed {
                tracing::info!(tokens = tokens.len(), "the API's tokens were read again");
                live.replace(tokens);
            }
            changed
        }
        Err(problems) => {
            tracing::error!(
                problems = problems.join("; "),
                "the file of the API's tokens has problems; the old ones stay in force"
            );
            false
        }
    }
}
