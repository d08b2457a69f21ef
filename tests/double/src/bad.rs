//! bad.
