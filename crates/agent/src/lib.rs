//! What an agent's time was: stated states and the legs of interactions, folded into intervals without gap or overlap.
//!
//! Facts are folded by the same laws as those of interactions: union by key, and of two statements under one key the greater holds, so
//! order, repetition and splitting cannot matter. [`intervals`] lays the tracks of the stated states over the times in which the agent
//! was busy with a leg ([`Busy`]) and cuts the time line wherever the [`State`] changes.
//!
//! - Each [`schema::Track`] goes by itself. A statement holds until the `until` it states, else until the next statement of its track,
//!   and in any case no longer than that; one with neither holds for [`Rules::open_cap`] and is unknown afterwards, flagged
//!   [`State::capped`].
//! - Of two statements of one track at one instant the greater holds, by revision stamp, kind of source, then content.
//! - The presence `offline` is never capped: who signed out stays out. It also ends what the router said up to then. The routing status
//!   `off_queue` is never capped either: a sign-out states it a moment after the presence.
//! - The reason goes with the presence it was stated with. The team holds from the statement that names it until another one does.
//! - Time of which nothing is known is an interval like any other, with nothing in it.
//!
//! Start at [`intervals`]. Nothing here knows a clock, a zone or a metric, and nothing here fails on content.

mod busy;
mod interval;
mod overlay;
mod span;
mod state;
mod tracks;

pub use busy::{Busy, BusyKind};
pub use interval::{Interval, Rules, Standing, intervals, standing};
pub use state::State;
