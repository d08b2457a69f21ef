//! KPIs as data: definitions in TOML with expressions in CEL, compiled once, evaluated on the timeline of an interaction.
//!
//! - [`definition`] is what a KPI is: name, version, unit, filter, exclusions with reasons, value. `catalogue/*.toml` ships with the crate.
//! - [`fields`](field_reference) are the words that expressions may use, one table for checking, evaluating and documenting.
//! - [`Catalogue::evaluate`] runs definitions on a [`Subject`] and gives [`MetricValue`]s; [`Catalogue::explain`] says why they are so.
//! - [`Catalogue::journey`] takes all contacts of a customer, [`AgentTimeRule::counts`] a state in which an agent spends time, and
//!   [`Definition::windows`] says in which windows of local time values add up, and for whom.
//! - [`Library`] holds what definitions refer to: schedules by name and version, and whose zone is which.
//!
//! Pure: no clock, no I/O. The rows are a function of facts, definitions and library, to the bit.

mod agent_time;
mod catalogue;
pub mod definition;
mod digest;
mod document;
mod explain;
mod fields;
mod functions;
mod journey;
mod library;
mod measure;
mod record;
mod reference;
mod scene;
mod texts;
mod trial;
pub mod value;
mod words;

pub use agent_time::AgentTimeRule;
pub use catalogue::Catalogue;
pub use definition::{Aggregation, Definition, Grain, OnExcluded, Priority, WindowRule, WindowSet};
pub use digest::content_digest;
pub use document::Problem;
pub use explain::{Explanation, Step};
pub use journey::{Journey, JourneyRule};
pub use library::{Library, Shipped, shipped_definitions, shipped_schedules};
pub use record::Subject;
pub use reference::{FieldInfo, FunctionInfo, field_reference, function_reference};
pub use value::{DigestPrefix, Metadata, MetricValue, Provenance, Reason, Scope, Unit};
