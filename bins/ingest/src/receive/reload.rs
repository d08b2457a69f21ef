//! Reads the subscriptions file again on SIGHUP, and when it or one of its files of secrets or keys has changed: secrets are rotated
//! without a restart. A file with problems changes nothing. Keys that issuers publish are kept fresh meanwhile.

use super::Limits;
use super::route::{LiveRoutes, Routes};
use crate::auth::jwt;
use crate::subscriptions::{Secrets, Subscriptions, load};
use runtime::chain;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Runs until the stop.
pub async fn run(
    file: PathBuf,
    mut subscriptions: Subscriptions,
    routes: LiveRoutes,
    limits: Limits,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut seen = fingerprint(&file, &subscriptions);
    let mut keeping = jwt::keep(&subscriptions.remote_keys)?;
    loop {
        let asked = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = hangup.recv() => true,
            // They run for ever: one that has ended has panicked.
            Some(ended) = keeping.join_next() => {
                ended?;
                continue;
            }
            () = tokio::time::sleep(LOOK) => false,
        };
        let now = fingerprint(&file, &subscriptions);
        if !asked && now == seen {
            continue;
        }
        seen = now;
        match load(&file, Secrets::Required) {
            Ok(read) => {
                for keys in &read.remote_keys {
                    keys.adopt(&subscriptions.remote_keys);
                }
                match jwt::keep(&read.remote_keys) {
                    Ok(fresh) => keeping = fresh,
                    Err(error) => {
                        tracing::error!(error = %chain(&error), "cannot fetch issuers' keys; the old subscriptions stay in force");
                        continue;
                    }
                }
                subscriptions = read;
                seen = fingerprint(&file, &subscriptions);
                let fresh = Routes::new(subscriptions.clone(), &limits);
                tracing::info!(
                    subscriptions = fresh.len(),
                    "the subscriptions were read again"
                );
                routes.replace(fresh);
            }
            Err(problems) => tracing::error!(
                problems = problems.join("; "),
                "the subscriptions file has problems; the old subscriptions stay in force"
            ),
        }
    }
}

/// Changes when a file changes, appears or goes.
fn fingerprint(file: &Path, subscriptions: &Subscriptions) -> [u8; 32] {
    let mut hash = Sha256::new();
    for path in std::iter::once(file).chain(subscriptions.secret_files.iter().map(PathBuf::as_path))
    {
        match std::fs::read(path) {
            Ok(bytes) => {
                hash.update((bytes.len() as u64).to_be_bytes());
                hash.update(&bytes);
            }
            Err(_) => hash.update(u64::MAX.to_be_bytes()),
        }
    }
    hash.finalize().into()
}
