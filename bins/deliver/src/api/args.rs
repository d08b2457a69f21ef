//! Flags of the read API, and what they mean once checked.

use super::session::Sessions;
use super::tokens::{self, Tokens};
use runtime::args::positive_duration;
use runtime::{Problems, Secret};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Statements of the API may take so long at most: who asks for more than that should ask for less.
const STATEMENT_MAX: Duration = Duration::from_secs(120);
/// A shorter secret could be found by trying.
const SESSION_KEY_BYTES_MIN: usize = 16;

/// Flags of the read API and the status page.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Read API and status page")]
#[expect(
    clippy::struct_field_names,
    reason = "a field's name is the flag's, and flags of one binary share a namespace"
)]
pub struct ApiArgs {
    /// The TOML file that says whose tokens may read which organisations, read again when it changes; without it neither API nor page is served
    #[arg(long, env = "KPILINE_API_TOKENS", value_name = "FILE")]
    api_tokens: Option<PathBuf>,

    /// Where the read API (/api/v1) and the status page (/) are served; port 0 takes a free one and logs it. Speaks plain HTTP: put a
    /// proxy with TLS before it wherever others can listen
    #[arg(
        long,
        env = "KPILINE_API_LISTEN",
        default_value = "127.0.0.1:9180",
        value_name = "ADDRESS:PORT"
    )]
    api_listen: SocketAddr,

    /// Whether browsers reach the page by https, through such a proxy: session cookies are then sent that way only
    #[arg(long, env = "KPILINE_API_BEHIND_TLS", default_value_t = false, action = clap::ArgAction::Set, value_name = "BOOL")]
    api_behind_tls: bool,

    /// The secret, of at least 16 bytes, that sessions of the page are signed with; the same for every replica behind one address. Without it
    /// sessions end with the process
    #[arg(
        long,
        env = "KPILINE_API_SESSION_KEY",
        hide_env_values = true,
        value_name = "TEXT"
    )]
    api_session_key: Option<Secret>,

    /// A file that holds that secret, instead of --api-session-key
    #[arg(long, env = "KPILINE_API_SESSION_KEY_FILE", value_name = "PATH")]
    api_session_key_file: Option<PathBuf>,

    /// The longest that the database may work for one request of the API
    #[arg(long, env = "KPILINE_API_STATEMENT_TIMEOUT", default_value = "10s", value_parser = positive_duration, value_name = "DURATION")]
    api_statement_timeout: Duration,

    /// The most connections to the database for the API, beside those that push
    #[arg(
        long,
        env = "KPILINE_API_DATABASE_POOL_MAX",
        default_value_t = 4,
        value_name = "NUMBER"
    )]
    api_database_pool_max: usize,
}

/// Checked settings of the API.
#[derive(Debug)]
pub struct ApiConfig {
    /// Where it is served.
    pub listen: SocketAddr,
    /// The file of tokens.
    pub file: PathBuf,
    /// What was in it.
    pub tokens: Tokens,
    /// Of people.
    pub sessions: Sessions,
    /// The longest that the database may work for one request.
    pub statement_timeout: Duration,
    /// Connections.
    pub pool_max: usize,
}

impl ApiArgs {
    /// Checks the group; `None` where no API is wanted.
    pub fn resolve(&self, problems: &mut Problems) -> Option<ApiConfig> {
        let key = Secret::from_flag_or_file(
            "--api-session-key",
            self.api_session_key.as_ref(),
            self.api_session_key_file.as_deref(),
            problems,
        );
        if key
            .as_ref()
            .is_some_and(|key| key.expose().len() < SESSION_KEY_BYTES_MIN)
        {
            problems.push(format!(
                "--api-session-key: has fewer than {SESSION_KEY_BYTES_MIN} bytes"
            ));
        }
        if self.api_statement_timeout > STATEMENT_MAX {
            problems.push(format!(
                "--api-statement-timeout: is {:?}, allowed are up to {STATEMENT_MAX:?}",
                self.api_statement_timeout
            ));
        }
        if self.api_database_pool_max == 0 {
            problems.push("--api-database-pool-max: is 0, allowed are 1 and more");
        }
        let file = self.api_tokens.clone()?;
        let tokens = match tokens::load(&file) {
            Ok(tokens) => tokens,
            Err(found) => {
                for problem in found {
                    problems.push(problem);
                }
                return None;
            }
        };
        Some(ApiConfig {
            listen: self.api_listen,
            file,
            tokens,
            sessions: Sessions::new(key.as_ref(), self.api_behind_tls),
            statement_timeout: self.api_statement_timeout,
            pool_max: self.api_database_pool_max,
        })
    }
}
