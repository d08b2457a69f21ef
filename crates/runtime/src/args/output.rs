//! How commands write what they found.

use clap::ValueEnum;
use std::io::IsTerminal as _;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

impl Output {
    /// As asked for; else text on a terminal, JSON for programs.
    #[must_use]
    pub fn or_usual(asked: Option<Self>) -> Self {
        asked.unwrap_or_else(|| {
            if std::io::stdout().is_terminal() {
                Self::Text
            } else {
                Self::Json
            }
        })
    }
}
