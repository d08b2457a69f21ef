//! truth.
