//! Which database roles the rights go to.

use crate::Problems;

/// Names of roles have 63 bytes, and the longest of ours ends in `_backfill`.
const PREFIX_MAX: usize = 50;

/// Flags about database roles, for `migrate`.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Database roles")]
pub struct RoleArgs {
    /// What the names of the binaries' database roles begin with, before _ingest, _compute and so on; installations that share a server need prefixes
    /// of their own
    #[arg(
        long,
        env = "KPILINE_ROLE_PREFIX",
        default_value = "kpiline",
        value_name = "TEXT"
    )]
    pub role_prefix: String,

    /// Make the roles that are missing, with the right to log in and without a password; needs CREATEROLE. The rights of roles that exist are
    /// brought up to date in any case
    #[arg(long, env = "KPILINE_CREATE_ROLES")]
    pub create_roles: bool,
}

impl RoleArgs {
    /// Checks the group.
    pub fn resolve(&self, problems: &mut Problems) {
        let prefix = &self.role_prefix;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let begins = prefix.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins || prefix.len() > PREFIX_MAX || !prefix.chars().all(plain) {
            problems.push(format!(
                "--role-prefix: is {prefix:?}, allowed are 1 to {PREFIX_MAX} lower-case letters, digits and '_', a letter first"
            ));
        } else if prefix.starts_with("pg_") {
            problems.push(format!(
                "--role-prefix: is {prefix:?}, but names that begin with pg_ belong to PostgreSQL"
            ));
        }
    }
}
