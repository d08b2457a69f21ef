//! The secret that customers' identities are hashed under.

use crate::{Problems, Secret};
use std::path::PathBuf;

/// A shorter secret could be found by trying.
const BYTES_MIN: usize = 16;

/// Flags for the customers' keys.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Customers")]
pub struct CustomerArgs {
    /// The secret, of at least 16 bytes, that a customer's identity is hashed under (HMAC-SHA256), so that contacts of one customer are
    /// known as such and nobody sees whose they are
    ///
    /// Without it no customer has a key, and KPIs of journeys (repeat contacts, first contact resolution) have no values. Give every
    /// `ingest` and `backfill` of an installation the same one and keep it: under another secret each customer becomes a new one.
    #[arg(
        long,
        env = "KPILINE_CUSTOMER_KEY",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub customer_key: Option<Secret>,

    /// A file that holds the secret, instead of --customer-key
    #[arg(long, env = "KPILINE_CUSTOMER_KEY_FILE", value_name = "PATH")]
    pub customer_key_file: Option<PathBuf>,
}

impl CustomerArgs {
    /// Checks the group. `None` where no secret is given, which is allowed.
    pub fn resolve(&self, problems: &mut Problems) -> Option<Secret> {
        let secret = Secret::from_flag_or_file(
            "--customer-key",
            self.customer_key.as_ref(),
            self.customer_key_file.as_deref(),
            problems,
        )?;
        let bytes = secret.expose().len();
        if bytes < BYTES_MIN {
            let flag = match self.customer_key {
                Some(_) => "--customer-key",
                None => "--customer-key-file",
            };
            problems.push(format!(
                "{flag}: has {bytes} bytes, at least {BYTES_MIN} are needed; `openssl rand -hex 32` makes a good one"
            ));
            return None;
        }
        Some(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(flag: Option<&str>, file: Option<PathBuf>) -> (Option<Secret>, Vec<String>) {
        let mut problems = Problems::new();
        let args = CustomerArgs {
            customer_key: flag.map(Secret::new),
            customer_key_file: file,
        };
        assert!(!format!("{args:?}").contains("0123"), "{args:?}");
        let secret = args.resolve(&mut problems);
        (secret, problems.list().to_vec())
    }

    #[test]
    fn no_secret_is_allowed_and_a_short_one_is_not() {
        assert_eq!(resolved(None, None), (None, Vec::new()));
        let (secret, problems) = resolved(Some("0123456789abcde"), None);
        assert_eq!(secret, None);
        assert!(
            problems[0].starts_with("--customer-key: has 15 bytes"),
            "{problems:?}"
        );
        assert!(!problems[0].contains("0123"));
        let (secret, problems) = resolved(Some("0123456789abcdef"), None);
        assert_eq!(secret.unwrap().expose(), "0123456789abcdef");
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn a_file_gives_it_too_and_an_absent_one_is_named() {
        let file = std::env::temp_dir().join(format!("kpiline-customers-{}", std::process::id()));
        std::fs::write(&file, "0123456789abcdef\n").unwrap();
        let (secret, problems) = resolved(None, Some(file.clone()));
        let both = resolved(Some("0123456789abcdef"), Some(file.clone()));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(secret.unwrap().expose(), "0123456789abcdef");
        assert_eq!(problems, [""; 0]);
        assert!(both.0.is_none() && both.1.len() == 1, "{both:?}");
        let (secret, problems) = resolved(None, Some(file));
        assert!(secret.is_none());
        assert!(problems[0].starts_with("--customer-key-file: "));
    }
}
