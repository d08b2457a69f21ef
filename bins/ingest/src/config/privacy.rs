//! Flags about personal data at rest.

use runtime::Problems;
use runtime::args::RawKeyArgs;
use runtime::seal::SealKeys;
use std::time::Duration;

/// A shorter retention would race with redeliveries and with operators who look into what has just been quarantined.
const RETENTION_MIN: Duration = Duration::from_secs(3600);

/// Flags of *normalise* about the raw bytes of events.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Personal data")]
pub struct PrivacyArgs {
    #[command(flatten)]
    raw_keys: RawKeyArgs,

    /// How long raw bytes are kept, from 1h on (90days); without it for ever
    ///
    /// Counted from the event's own instant or from its reception, whichever is later, and in quarantine from the release or discard; held
    /// items stay whole. Rows stay, only their bytes go: copies are recognised as before, but what has expired cannot be replayed.
    #[arg(long, env = "KPILINE_RAW_RETENTION",
          value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    raw_retention: Option<Duration>,
}

/// Checked settings about personal data at rest.
#[derive(Debug, Clone, Default)]
pub struct Privacy {
    /// What raw bytes are sealed under, if they are.
    pub raw_keys: Option<SealKeys>,
    /// How long raw bytes are kept, if not for ever.
    pub raw_retention: Option<Duration>,
}

impl PrivacyArgs {
    /// Checks the group.
    pub fn resolve(&self, problems: &mut Problems) -> Privacy {
        if self.raw_retention.is_some_and(|kept| kept < RETENTION_MIN) {
            problems.push("--raw-retention: allowed are 1h and more");
        }
        Privacy {
            raw_keys: self.raw_keys.resolve(problems),
            raw_retention: self.raw_retention,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        privacy: PrivacyArgs,
    }

    fn resolved(arguments: &[&str]) -> (Privacy, Vec<String>) {
        let arguments = std::iter::once("test").chain(arguments.iter().copied());
        let mut problems = Problems::new();
        let privacy = Flags::parse_from(arguments).privacy.resolve(&mut problems);
        (privacy, problems.list().to_vec())
    }

    #[test]
    fn both_are_off_unless_given_and_every_problem_is_listed() {
        let (privacy, problems) = resolved(&[]);
        assert!(privacy.raw_keys.is_none() && privacy.raw_retention.is_none());
        assert_eq!(problems, [""; 0]);
        let (privacy, problems) = resolved(&["--raw-retention", "90days"]);
        let days = Duration::from_secs(90 * 86_400);
        assert_eq!((privacy.raw_retention, problems.len()), (Some(days), 0));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        std::fs::write(&file, "version = 1\nactive = \"a\"\n").unwrap();
        let path = file.display().to_string();
        let (_, problems) = resolved(&["--raw-retention", "30m", "--raw-keys-file", &path]);
        let problems = problems.join("\n");
        for part in [
            "--raw-retention: allowed are 1h",
            "keys.toml:",
            "no [[key]]",
        ] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
        let (_, problems) = resolved(&["--raw-keys-file", "/absent/keys.toml"]);
        assert!(
            problems[0].starts_with("--raw-keys-file: /absent"),
            "{problems:?}"
        );
    }
}
