//! The keys that raw bytes are sealed under.

use crate::Problems;
use crate::seal::SealKeys;
use std::path::PathBuf;

/// Flags for the keys of raw bytes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Personal data")]
pub struct RawKeyArgs {
    /// A file with the keys that raw bytes (event_log, quarantine) are sealed under; without it they are kept as they came
    ///
    /// One of the keys seals, each of them opens, and what was stored without a key stays readable. Give the same file to every `ingest
    /// normalise`, and to whoever reads raw bytes: `ingest quarantine`, `ingest erase`, `backfill replay`. `ingest keys generate` makes one,
    /// `ingest keys rotate` adds a key that seals from then on.
    #[arg(long, env = "KPILINE_RAW_KEYS_FILE", value_name = "PATH")]
    pub raw_keys_file: Option<PathBuf>,
}

impl RawKeyArgs {
    /// Reads the file and checks it. `None` where none is given, which is allowed.
    pub fn resolve(&self, problems: &mut Problems) -> Option<SealKeys> {
        let path = self.raw_keys_file.as_ref()?;
        let shown = path.display().to_string();
        match std::fs::read_to_string(path) {
            Err(error) => {
                problems.push(format!("--raw-keys-file: {shown} cannot be read: {error}"));
                None
            }
            Ok(text) => SealKeys::parse(&shown, &text)
                .map_err(|found| found.into_iter().for_each(|problem| problems.push(problem)))
                .ok(),
        }
    }
}
