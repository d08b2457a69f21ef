//! Which records were met: enough to tell that a walk over pages missed one.
//!
//! Where offsets count over data that moves, a record that goes to another page shifts the rest, and one is never seen while another comes twice:
//! the number of rows is right and the number of different ones is not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;

/// Bytes kept of an id's digest: with 10,000 ids two of them share it once in five million walks.
const BYTES: usize = 6;

/// A set of ids, small enough to be kept with the cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Distinct(BTreeSet<[u8; BYTES]>);

impl Distinct {
    /// Adds an id. `false`: it was there.
    pub(super) fn add(&mut self, id: &str) -> bool {
        let digest = adapter::stable_id(&[id.as_bytes()]);
        let mut short = [0; BYTES];
        short.copy_from_slice(&digest.as_bytes()[..BYTES]);
        self.0.insert(short)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Serialize for Distinct {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flatten().copied().collect();
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        let (ids, _) = bytes.as_chunks::<BYTES>();
        Ok(Self(ids.iter().copied().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_once_also_after_they_were_kept() {
        let mut seen = Distinct::default();
        assert!(seen.add("a") && seen.add("b") && !seen.add("a"));
        let text = serde_json::to_string(&seen).unwrap();
        let mut again: Distinct = serde_json::from_str(&text).unwrap();
        assert_eq!(again, seen);
        assert!(!again.add("b") && again.add("c"));
        assert_eq!(again.len(), 3);
    }
}
