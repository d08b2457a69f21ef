//! What files hold, as something that can be compared: how a change is noticed without a notice.

use sha2::{Digest as _, Sha256};
use std::path::Path;

/// Changes when a file changes, appears or goes, and with the list of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of these files, as they are now. One that cannot be read counts as one that is not there.
    pub fn of<'p>(files: impl IntoIterator<Item = &'p Path>) -> Self {
        let mut hash = Sha256::new();
        for path in files {
            let name = path.as_os_str().as_encoded_bytes();
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
            match std::fs::read(path) {
                Ok(bytes) => {
                    hash.update((bytes.len() as u64).to_be_bytes());
                    hash.update(&bytes);
                }
                Err(_) => hash.update(u64::MAX.to_be_bytes()),
            }
        }
        Self(hash.finalize().into())
    }
}
