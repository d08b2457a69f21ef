//! Access to a platform's API as several binaries have it: with one credential, whose limit and whose breaker belong to all processes
//! that use it.
//!
//! Between the edges and the binaries: [`StoreKeeper`] and [`StoreBreaker`] put the protocols of `platform` on the rows of `store`. What is
//! asked of whom the binaries know.

mod breaker;
mod budget;

pub use breaker::StoreBreaker;
pub use budget::StoreKeeper;
