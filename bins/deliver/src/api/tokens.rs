//! The tokens file: who may read which organisations. It holds digests of the tokens, never the tokens.
//!
//! ```toml
//! version = 1
//!
//! [[token]]
//! name = "wallboard"                # for the log and the page, never secret
//! sha256 = "9f86d081884c7d659a2f…"  # of the token, 64 hexadecimal digits; `deliver token` makes both
//! tenants = ["acme"]                # or ["*"]: every organisation
//! # scopes = ["read"]               # "jobs" too: may ask for backfill jobs
//! # expires = "2027-01-01T00:00:00Z"
//! ```

pub mod generate;
mod read;
pub mod reload;

use schema::UtcMicros;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use store::reading::Tenants;
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

/// One token, without the token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name.
    pub name: String,
    digest: [u8; 32],
    /// The organisations it may read.
    pub reach: Reach,
    /// It may ask for backfill jobs.
    pub jobs: bool,
    /// It is none any more from then on.
    pub expires: Option<UtcMicros>,
}

// By hand: the digest of a token that somebody made up is as good as the token.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

/// Which organisations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Every one there is.
    All,
    /// These, sorted.
    Of(Vec<String>),
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no such token.
    Unknown,
    /// It was one.
    Expired,
}

impl Token {
    /// Whose rows it may read.
    #[must_use]
    pub fn tenants(&self) -> Tenants<'_> {
        match &self.reach {
            Reach::All => Tenants::All,
            Reach::Of(tenants) => Tenants::Of(tenants),
        }
    }

    /// Whether it may read this organisation.
    #[must_use]
    pub fn covers(&self, tenant: &str) -> bool {
        match &self.reach {
            Reach::All => true,
            Reach::Of(tenants) => tenants.iter().any(|one| one == tenant),
        }
    }

    /// What a session that was begun with it is signed with, beside the key of the sessions.
    pub(super) const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    fn is_over(&self, now: UtcMicros) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// All tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens(Vec<Arc<Token>>);

impl Tokens {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The token that was shown. Its digest is compared with all of them, each to its end, so that neither how much of one was right nor
    /// which one matched shows in the time it takes.
    pub fn find(&self, shown: &str, now: UtcMicros) -> Result<Arc<Token>, Refused> {
        let digest: [u8; 32] = Sha256::digest(shown.as_bytes()).into();
        let none = u64::MAX;
        let mut found = none;
        for (index, token) in (0..).zip(&self.0) {
            let same = token.digest.as_slice().ct_eq(digest.as_slice());
            found.conditional_assign(&index, same);
        }
        let found = usize::try_from(found).ok().and_then(|at| self.0.get(at));
        Self::still(found, now)
    }

    /// The token of this name, if it is still one.
    pub fn named(&self, name: &str, now: UtcMicros) -> Result<Arc<Token>, Refused> {
        Self::still(self.0.iter().find(|token| token.name == name), now)
    }

    fn still(found: Option<&Arc<Token>>, now: UtcMicros) -> Result<Arc<Token>, Refused> {
        match found {
            None => Err(Refused::Unknown),
            Some(token) if token.is_over(now) => Err(Refused::Expired),
            Some(token) => Ok(Arc::clone(token)),
        }
    }
}

/// Those in force. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LiveTokens(Arc<RwLock<Arc<Tokens>>>);

impl LiveTokens {
    /// Beginning with these.
    #[must_use]
    pub fn new(tokens: Tokens) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(tokens))))
    }

    /// Those in force now.
    #[must_use]
    pub fn get(&self) -> Arc<Tokens> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts others in force.
    pub fn replace(&self, tokens: Tokens) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tokens);
    }
}

/// Reads the file, or lists everything that is wrong with it.
pub fn load(path: &Path) -> Result<Tokens, Vec<String>> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| vec![format!("{name}: cannot be read: {error}")])?;
    parse(&name, &text)
}

/// Reads the text of a file.
pub fn parse(name: &str, text: &str) -> Result<Tokens, Vec<String>> {
    read::tokens(name, text)
}

#[cfg(test)]
mod tests;
