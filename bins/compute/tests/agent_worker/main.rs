//! The time of agents against a real PostgreSQL: whatever the order, the batches, the workers and the crashes, the intervals are those of
//! the pure fold of all that was told, and what they add to windows is the plain sum.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used)]

mod days;
mod life;
mod workers;
mod world;
