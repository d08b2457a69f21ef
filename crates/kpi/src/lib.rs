//! Metrics of one interaction: a timeline and versioned rules in, named values out. Nothing else is looked at.
//!
//! Each metric has a file of its own under [`metric`], which begins with its definition in prose and ends with its edge cases as tests.
//! [`rules`] holds what an operator may change, by version. [`evaluate`] runs them all.
//!
//! What holds for every metric: seconds as the value, whole milliseconds inside; nothing before a terminal state; a value that cannot
//! be given is *absent*, with the reason in the metadata, and never zero. Same facts and same rules give the same bytes.

pub mod metric;
pub mod rules;
pub mod value;

pub use metric::{METRICS, evaluate, evaluate_only};
pub use rules::{BusinessHours, RuleBook, RuleError, Rules};
pub use value::{Metadata, MetricValue, Provenance, Reason, Scope, ZoneSource};

#[cfg(test)]
mod testing;
