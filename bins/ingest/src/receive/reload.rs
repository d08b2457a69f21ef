//! Reads the subscriptions file again on SIGHUP, and when it or one of its files of secrets or keys has changed: secrets are rotated
//! without a restart. A file with problems changes nothing, and is read again until it has none: what it lacks may be a file that nobody
//! knows of yet. Keys that issuers publish are kept fresh meanwhile.

use super::Limits;
use super::fit;
use super::route::{LiveRoutes, Routes};
use crate::auth::jwt;
use crate::fingerprint::Fingerprint;
use crate::subscriptions::{Secrets, Subscriptions, load};
use runtime::chain;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Reads the file, and looks at what there is before. `known` are the files of secrets that it named when it was read last.
pub fn read(
    file: &Path,
    secrets: Secrets,
    known: &[PathBuf],
) -> (Fingerprint, Result<Subscriptions, Vec<String>>) {
    let seen = fingerprint(file, known);
    match load(file, secrets) {
        // These were not looked at. Should it name yet others the next time, the next look finds that.
        Ok(read) if read.secret_files != known => {
            (fingerprint(file, &read.secret_files), load(file, secrets))
        }
        read => (seen, read),
    }
}

/// Runs until the stop. `seen` is what there was before the subscriptions were read.
pub async fn run(
    file: PathBuf,
    mut subscriptions: Subscriptions,
    mut seen: Fingerprint,
    routes: LiveRoutes,
    limits: Limits,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut problems_said = Vec::new();
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
        let looked = fingerprint(&file, &subscriptions.secret_files);
        if !asked && looked == seen && problems_said.is_empty() {
            continue;
        }
        let (before, read) = read(&file, Secrets::Required, &subscriptions.secret_files);
        let fitting = read.and_then(|read| {
            let problems = fit::problems(&read, &limits);
            if problems.is_empty() {
                Ok(read)
            } else {
                Err(problems)
            }
        });
        let read = match fitting {
            Ok(read) => read,
            Err(problems) => {
                if asked || before != seen || problems != problems_said {
                    tracing::error!(
                        problems = problems.join("; "),
                        "the subscriptions file has problems; the old subscriptions stay in force"
                    );
                }
                seen = before;
                problems_said = problems;
                continue;
            }
        };
        seen = before;
        problems_said.clear();
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
        let fresh = Routes::new(subscriptions.clone(), &limits);
        tracing::info!(
            subscriptions = fresh.len(),
            "the subscriptions were read again"
        );
        routes.replace(fresh);
    }
}

/// Of the file and of those that it named.
fn fingerprint(file: &Path, secret_files: &[PathBuf]) -> Fingerprint {
    Fingerprint::of(std::iter::once(file).chain(secret_files.iter().map(PathBuf::as_path)))
}

#[cfg(test)]
mod tests;
