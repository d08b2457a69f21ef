//! What holds for every input, whoever sent it. The fuzz targets assert it, and so does `crates/adapter/tests/hostile.rs`, which needs
//! nothing but cargo.

pub mod invariants;
pub mod respell;
