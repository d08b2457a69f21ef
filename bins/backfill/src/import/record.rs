//! What a file is made of.

use super::source::GzipError;
use serde::{Deserialize, Serialize};

/// One record's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) raw: Vec<u8>,
    /// Not whole: it goes into a page of its own, and from there to quarantine.
    pub(super) broken: bool,
}

/// A place between two records of a file, and all there is to know to read on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Bytes before it, of what is in the file.
    pub(super) offset: u64,
    /// Where it is in the structure of a JSON text.
    #[serde(default, skip_serializing_if = "Place::is_top")]
    pub(super) place: Place,
    /// Whether each line of a JSON text is a value, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lines: Option<bool>,
}

/// Where in the structure of a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// Between values.
    #[default]
    Top,
    /// In an array. `within` counts the objects of the page around it, whose other members follow; 0: it is no page's list.
    Array { within: u8 },
    /// Behind the list of a page, in so many objects.
    Rest { within: u8 },
}

impl Place {
    fn is_top(&self) -> bool {
        *self == Self::Top
    }
}

/// A file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system says so.
    #[error("the file cannot be read")]
    Io(#[source] std::io::Error),
    /// What it is packed in is not whole.
    #[error(transparent)]
    Gzip(GzipError),
    /// Its structure breaks, so that records cannot be told apart from here on.
    #[error("at byte {offset}: {what}")]
    Structure {
        /// Where.
        offset: u64,
        /// How.
        what: &'static str,
    },
    /// It is not of the format.
    #[error("{0}")]
    Format(#[source] adapter::BodyError),
}

impl ReadError {
    /// What a reader said.
    pub(super) fn of(error: std::io::Error) -> Self {
        match error.downcast::<GzipError>() {
            Ok(error) => Self::Gzip(error),
            Err(error) => Self::Io(error),
        }
    }

    /// Whether the same file gives the same error every time.
    pub const fn is_for_good(&self) -> bool {
        match self {
            Self::Io(_) => false,
            Self::Gzip(_) | Self::Structure { .. } | Self::Format(_) => true,
        }
    }
}
