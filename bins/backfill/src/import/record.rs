//! What a file is made of.

/// One record's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) raw: Vec<u8>,
    /// Not whole: it goes into a page of its own, and from there to quarantine.
    pub(super) broken: bool,
}

/// A file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system says so.
    #[error("the file cannot be read")]
    Io(#[source] std::io::Error),
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
    /// Whether the same file gives the same error every time.
    pub const fn is_for_good(&self) -> bool {
        match self {
            Self::Io(_) => false,
            Self::Structure { .. } | Self::Format(_) => true,
        }
    }
}
