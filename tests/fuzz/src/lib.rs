//! What holds for every input, whoever sent it. The fuzz targets assert it, and so do `crates/adapter/tests/hostile.rs` and
//! `bins/ingest/tests/it/pipe.rs`, which include these files and need nothing but cargo.

#[cfg(feature = "ingest")]
pub mod exchange;
pub mod invariants;
pub mod respell;
