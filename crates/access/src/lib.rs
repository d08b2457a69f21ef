//! Access to a platform's API as several binaries have it: with one credential, whose limit and whose breaker belong to all processes
//! that use it.
//!
//! Between the edges and the binaries: [`StoreKeeper`] and [`StoreBreaker`] put the protocols of `platform` on the rows of `store`, and
//! [`entry`] reads what a TOML file says of a platform (`runtime::toml_file`) into the words of `platform`. What is asked of whom, and
//! what is usual where a file says nothing, the binaries know.

pub mod entry;

mod breaker;
mod budget;

pub use breaker::StoreBreaker;
pub use budget::StoreKeeper;
