//! The tokens of all credentials that a process uses.

use super::{Grant, Tokens};
use crate::client::{CallError, Timeouts};
use std::sync::{Arc, Mutex, PoisonError};

/// One [`Tokens`] for each credential, for as long as the process lives: entries that name the same token endpoint, client and secret hold one
/// token, and one renewal at a time serves all of them.
#[derive(Debug, Default)]
pub struct Keyring {
    // A handful: as many as there are credentials in a file.
    all: Mutex<Vec<Arc<Tokens>>>,
}

impl Keyring {
    /// The tokens of a credential; whoever asks first says how long a request for one may take. A process-wide TLS provider must have been
    /// installed.
    pub fn tokens(&self, grant: &Grant, timeouts: Timeouts) -> Result<Arc<Tokens>, CallError> {
        // What is in it is whole at any time.
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.iter().find(|tokens| tokens.grant() == grant) {
            return Ok(known.clone());
        }
        let tokens = Arc::new(Tokens::of(grant.clone(), timeouts)?);
        all.push(tokens.clone());
        Ok(tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use url::Url;

    #[test]
    fn one_credential_has_one_token_however_many_entries_name_it() {
        // In tests of this crate nobody else installs one, and a second installation changes nothing.
        drop(rustls::crypto::ring::default_provider().install_default());
        let keyring = Keyring::default();
        let of = |path: &str, id: &str, secret: &str| {
            let grant = Grant::AccessKey {
                url: Url::parse("https://login.example.com")
                    .unwrap()
                    .join(path)
                    .unwrap(),
                key_id: id.to_owned(),
                key_secret: Secret::new(secret),
            };
            keyring.tokens(&grant, Timeouts::default()).unwrap()
        };
        let first = of("/token", "key", "s");
        assert!(Arc::ptr_eq(&first, &of("/token", "key", "s")));
        // A secret that is wrong in one entry is no reason to refuse the others.
        for other in [
            of("/token", "key", "typo"),
            of("/token", "key2", "s"),
            of("/other", "key", "s"),
        ] {
            assert!(!Arc::ptr_eq(&first, &other));
        }
    }
}
