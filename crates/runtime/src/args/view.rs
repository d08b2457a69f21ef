//! What commands have that look at things or change their course: how results are written, the store, logs.

use super::{OpsArgs, Output, PostgresArgs, PostgresSettings};
use crate::Problems;

/// What all of these have.
#[derive(Debug, Clone, clap::Args)]
pub struct ViewArgs {
    /// How results are written to stdout; without it text on a terminal, else JSON
    #[arg(long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,
    #[command(flatten)]
    postgres: PostgresArgs,
    /// Logs.
    #[command(flatten)]
    pub ops: OpsArgs,
}

impl ViewArgs {
    /// Checks everything and lists every problem at once.
    pub fn resolve(&self) -> anyhow::Result<(PostgresSettings, Output)> {
        let mut problems = Problems::new();
        let postgres = self.postgres.resolve(&mut problems);
        self.ops.resolve(&mut problems);
        problems.into_result()?;
        Ok((postgres, Output::or_usual(self.output)))
    }
}
