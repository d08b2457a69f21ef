//! Raw bytes as a row holds them: as they came, sealed under a key, or gone.
//!
//! This crate seals and opens nothing. A row says by itself which of the three it is, so rows of before and after a key was given
//! lie side by side.

use crate::error::StoreError;
use crate::sql::{self, Sql};
use std::fmt;
use tokio_postgres::Row;

/// The raw bytes of a stored row.
#[derive(Clone, PartialEq, Eq)]
pub enum Raw {
    /// As they came.
    Plain(Vec<u8>),
    /// Sealed.
    Sealed {
        /// The id of the key.
        key: String,
        /// The sealed bytes.
        bytes: Vec<u8>,
    },
    /// No more there.
    Gone(Gone),
}

/// Why raw bytes are no more there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gone {
    /// Their retention is over.
    Expired,
    /// Somebody asked for it.
    Erased,
}

impl Gone {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Erased => "erased",
        }
    }
}

impl Raw {
    /// How many bytes the store keeps: those that came, or sealed ones; none where they are gone.
    pub fn stored_bytes(&self) -> usize {
        match self {
            Self::Plain(bytes) | Self::Sealed { bytes, .. } => bytes.len(),
            Self::Gone(_) => 0,
        }
    }

    /// Reads the columns `raw`, `raw_key` and `raw_gone`, which stand at these places.
    pub(crate) fn read(row: &Row, sql: &Sql, places: [usize; 3]) -> Result<Self, StoreError> {
        let [raw, key, gone] = places;
        let bytes: Option<Vec<u8>> = sql::get(row, sql, raw)?;
        let key: Option<String> = sql::get(row, sql, key)?;
        let gone: Option<String> = sql::get(row, sql, gone)?;
        match (bytes, key, gone.as_deref()) {
            (Some(bytes), None, _) => Ok(Self::Plain(bytes)),
            (Some(bytes), Some(key), _) => Ok(Self::Sealed { key, bytes }),
            (None, _, Some("expired")) => Ok(Self::Gone(Gone::Expired)),
            (None, _, Some("erased")) => Ok(Self::Gone(Gone::Erased)),
            (None, _, found) => Err(StoreError::Unreadable {
                column: "raw_gone",
                value: found.unwrap_or("NULL").to_owned(),
            }),
        }
    }
}

/// Personal data: how many bytes there are is all that is shown.
impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(bytes) => write!(f, "Plain({} bytes)", bytes.len()),
            Self::Sealed { key, bytes } => write!(f, "Sealed({} bytes under {key})", bytes.len()),
            Self::Gone(gone) => write!(f, "Gone({gone:?})"),
        }
    }
}

/// As [`Raw`]'s `Debug`, for bytes to be stored.
pub(crate) struct Length(pub(crate) usize);

impl fmt::Debug for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_not_shown() {
        let bytes = b"+15550100123".to_vec();
        let key = "2026-11".to_owned();
        for raw in [Raw::Plain(bytes.clone()), Raw::Sealed { key, bytes }] {
            let shown = format!("{raw:?}");
            assert!(
                shown.contains("12 bytes") && !shown.contains("555"),
                "{shown}"
            );
        }
    }
}
