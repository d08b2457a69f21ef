//! Our numbers beside the platform's own: which agree, which do not, and why.
//!
//! - [`fn@compare`] lays a platform's figures of days (aggregates, shift reports) beside ours, cell by cell, and gives each a [`Verdict`]:
//!   equal, within a stated tolerance, explained by a stated cause, or different.
//! - [`shifts`] lays a workforce schedule's shifts beside business hours.
//! - [`zones`] says whether an agent's clock here is the clock of the platform, and if not, how they differ: by a constant time, from a
//!   change of the clocks on, or because a name is unknown.
//! - [`report`] puts all of it into one text: Markdown, CSV or JSON, the same bytes for the same findings.
//!
//! Nothing here reads a store or a clock. Instants are microseconds since 1970-01-01T00:00:00Z; days are named by the wall clock of the
//! zone that the platform cut them by. Start reading at [`compare::compare`] and [`zones::diagnose`].

pub mod compare;
mod explain;
pub mod figure;
pub mod measure;
pub mod report;
pub mod shifts;
pub mod tolerance;
pub mod zones;

pub use compare::{Cell, Verdict, compare};
pub use figure::{Native, Ours, Subject};
pub use measure::Measure;
pub use report::{Head, Line, Report};
pub use tolerance::{Policy, Tolerance};
