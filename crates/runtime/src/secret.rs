//! Values that must not appear in logs, help or error texts.

use crate::Problems;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A secret text. `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Call it where it is used, not before.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// From a flag, or else from the file another flag names (one trailing line break is no part of it).
    ///
    /// `name` is the flag with its dashes, such as `--database-url`; the file's flag is `name` with `-file` behind it. Both given,
    /// an unreadable file and an empty value are problems. Neither given is `None` and no problem: the caller knows whether it
    /// is required, see [`Secret::required`].
    pub fn from_flag_or_file(
        name: &str,
        flag: Option<&Self>,
        file: Option<&Path>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let secret = match (flag, file) {
            (Some(_), Some(_)) => {
                problems.push(format!(
                    "{name} and {name}-file: give one of them, not both"
                ));
                return None;
            }
            (Some(secret), None) => secret.clone(),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => {
                    let text = text.strip_suffix('\n').unwrap_or(&text);
                    Self::new(text.strip_suffix('\r').unwrap_or(text))
                }
                Err(error) => {
                    problems.push(format!("{name}-file: {}: {error}", path.display()));
                    return None;
                }
            },
            (None, None) => return None,
        };
        if secret.0.trim().is_empty() {
            problems.push(format!("{name}: is empty"));
            return None;
        }
        Some(secret)
    }

    /// As [`Secret::from_flag_or_file`], and its absence is a problem.
    pub fn required(
        name: &str,
        flag: Option<&Self>,
        file: Option<&Path>,
        problems: &mut Problems,
    ) -> Option<Self> {
        if flag.is_none() && file.is_none() {
            problems.push(format!(
                "{name} (or {}, or {name}-file): is missing",
                env_name(name)
            ));
            return None;
        }
        Self::from_flag_or_file(name, flag, file, problems)
    }
}

/// The environment variable of a flag: `--queue-prefix` is `KPILINE_QUEUE_PREFIX`.
#[must_use]
pub fn env_name(flag: &str) -> String {
    format!(
        "KPILINE_{}",
        flag.trim_start_matches('-')
            .replace('-', "_")
            .to_uppercase()
    )
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {secret}"), "*** ***");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_file_gives_the_secret_without_its_line_break() {
        let path = std::env::temp_dir().join(format!("kpiline-secret-{}", std::process::id()));
        std::fs::write(&path, "hunter 2 \r\n").unwrap();
        let mut problems = Problems::new();
        let secret = Secret::from_flag_or_file("--x", None, Some(&path), &mut problems);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(secret.unwrap().expose(), "hunter 2 ");
        assert!(problems.is_empty());
    }

    #[test]
    fn both_neither_and_empty_are_named() {
        let mut problems = Problems::new();
        let flag = Secret::new("a");
        Secret::required("--x-url", Some(&flag), Some(Path::new("f")), &mut problems);
        Secret::required("--x-url", None, None, &mut problems);
        Secret::required("--x-url", Some(&Secret::new(" ")), None, &mut problems);
        Secret::required(
            "--x-url",
            None,
            Some(Path::new("/absent/file")),
            &mut problems,
        );
        assert_eq!(problems.list().len(), 4);
        assert_eq!(
            problems.list()[1],
            "--x-url (or KPILINE_X_URL, or --x-url-file): is missing"
        );
        assert!(problems.list()[3].starts_with("--x-url-file: /absent/file: "));
    }
}
