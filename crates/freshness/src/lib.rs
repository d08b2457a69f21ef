//! Whether a platform's numbers are to be trusted now: evidence in, a state and its reason out.
//!
//! Read [`evidence`] (what is known at one look), [`settings`] (what is too much of it), [`measure`] and [`reading`] (what each piece of
//! evidence speaks for), [`trigger`] (how long it has to) and [`mod@judge`] (the state that follows). [`usual`] says how much a subscription usually delivers,
//! [`tolerance`] how far two counts may be apart, [`health`] what a platform's own word means.
//!
//! Every piece of evidence has a trigger of its own, with two thresholds and a dwell each way; the state is the worst that a trigger stands
//! for. So it neither flaps nor falls back to `live` between one trouble and the next, more lag never makes a better state, and what cannot
//! be seen for a while leaves everything as it was.
//!
//! Pure: it is told what is known and when, it owns no clock and asks nobody.

pub mod evidence;
pub mod health;
pub mod judge;
pub mod measure;
pub mod reading;
pub mod settings;
pub mod tolerance;
pub mod trigger;
pub mod usual;
mod words;

pub use evidence::{Counted, Evidence, Feed, Marks, Seen, Storm};
pub use judge::{Cause, Judgement, Memory, judge};
pub use measure::Measure;
pub use settings::Settings;
pub use tolerance::Tolerance;
