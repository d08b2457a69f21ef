//! The fold: what was stated about one interaction, in whatever order and however often it arrived.
//!
//! A [`Session`] is a set of facts, at most one for each [`schema::FactKey`]. Inserting is union, so order, repetition and splitting
//! cannot matter; of two copies of one fact the greater in a fixed total order wins, so arrival cannot matter either. A [`Timeline`]
//! is the same facts in the order of the platform's clock, with the questions that a metric asks: what lasted how long, what became of
//! it ([`Outcome`]), where an open one is now ([`Now`]), and whose part was what ([`LegView`]).
//!
//! A platform that has no event for an end has it inferred from its legs: provisionally, until its record comes
//! ([`Timeline::is_end_inferred`]).
//!
//! Start reading at [`fold`], then [`timeline`], [`outcome`] and [`legs`]. Nothing here knows a clock, a zone or a metric, and nothing here fails on content.

mod course;
mod end;
pub mod fold;
mod history;
pub mod json;
pub mod legs;
pub mod outcome;
mod parts;
pub mod phase;
pub mod timeline;
pub mod totals;
mod withdrawn;

pub use fold::{Change, MAX_FACTS, Session};
pub use json::SessionError;
pub use legs::{LegBusy, LegView};
pub use outcome::{Outcome, Transfers};
pub use phase::{Now, Phase};
pub use timeline::{Status, Timeline};
pub use totals::{DurationFact, IMPLAUSIBLE_MILLIS, Totals};
