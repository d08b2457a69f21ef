//! What was erased, and what is left to do.

use serde_json::json;
use std::io::Write as _;
use store::erasures::Erasure;

/// What came of a request.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) dry_run: bool,
    /// The numbers of the proofs.
    pub(super) erasures: Vec<String>,
    pub(super) interactions: i64,
    pub(super) events: i64,
    pub(super) quarantined: i64,
    /// Held items with bodies of several.
    pub(super) bodies: Vec<i64>,
    /// Items of the quarantine whose key is missing.
    pub(super) unopened: Vec<i64>,
    /// compute has not taken back yet what it said of a journey.
    pub(super) journeys_wait: bool,
}

impl Report {
    pub(super) fn add(&mut self, erasure: &Erasure) {
        self.interactions += erasure.unlinked;
        self.events += erasure.events;
        self.quarantined += erasure.quarantined;
    }

    /// Whether nothing is left to do.
    pub(super) fn is_whole(&self) -> bool {
        self.bodies.is_empty() && self.unopened.is_empty() && !self.journeys_wait
    }

    pub(super) fn write(&self, as_json: bool) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        if as_json {
            let object = json!({
                "dry_run": self.dry_run,
                "erasures": self.erasures,
                "interactions": self.interactions,
                "events": self.events,
                "quarantined": self.quarantined,
                "held_bodies": self.bodies,
                "unopened": self.unopened,
                "journeys_wait": self.journeys_wait,
                "finished": !self.dry_run && self.is_whole(),
            });
            return writeln!(out, "{object}");
        }
        let verb = if self.dry_run { "would be" } else { "were" };
        writeln!(
            out,
            "{} interactions {verb} unlinked, the raw bytes of {} events and {} quarantined items {verb} erased",
            self.interactions, self.events, self.quarantined
        )?;
        if !self.erasures.is_empty() {
            writeln!(out, "proof in erasures: {}", self.erasures.join(", "))?;
        }
        Ok(())
    }

    /// An error that says what is left, if something is.
    pub(super) fn whole(&self) -> anyhow::Result<()> {
        let numbers = |ids: &[i64]| {
            let texts: Vec<String> = ids.iter().map(i64::to_string).collect();
            texts.join(" ")
        };
        let mut left = Vec::new();
        if !self.bodies.is_empty() {
            left.push(format!(
                "held bodies name them among others: `ingest quarantine release` or `discard` {}",
                numbers(&self.bodies)
            ));
        }
        if !self.unopened.is_empty() {
            left.push(format!(
                "quarantined items could not be looked through for want of their key in --raw-keys-file: {}",
                numbers(&self.unopened)
            ));
        }
        if self.journeys_wait {
            left.push(
                "compute has not yet taken back what it said of the journey (is one with --windows true running?)"
                    .to_owned(),
            );
        }
        if left.is_empty() {
            return Ok(());
        }
        anyhow::bail!("not finished; run it again then: {}", left.join("; "))
    }
}
