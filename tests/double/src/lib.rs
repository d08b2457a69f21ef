//! The platform double.
