//! Interval feeds: which intervals are to be sent, what they are made of, and what was sent.
//!
//! An interval is planned once ([`plan()`]), claimed under a lease, made up of [`figures()`], written down before it is sent
//! ([`prepare`]) and settled after ([`sent`], [`failed`], [`nothing`]); a revision is one content for ever. [`touched`] finds intervals whose
//! windows are not those any more that they were made of. What a revision is and when it is due is decided elsewhere.

mod claim;
mod figures;
mod operate;
mod plan;
mod settle;

pub use claim::{Due, Last, LastState, Wanted, claim};
pub use figures::{Ask, FigureRow, figures, stamps};
pub use operate::{Delivery, Feed, Sent, Waiting, deliveries, list, replay, waiting};
pub use plan::{Known, Planned, Registered, plan, planned, register, touched};
pub use settle::{File, Lease, failed, give_back, nothing, prepare, sent};

use crate::sql::Sql;

pub(crate) static STATEMENTS: &[&Sql] = &[
    &claim::CLAIM,
    &figures::FIGURES,
    &figures::STAMPS,
    &operate::DELIVERIES,
    &operate::LIST,
    &operate::REPLAY,
    &operate::WAITING,
    &plan::LAYOUT,
    &plan::OWNER,
    &plan::PLAN,
    &plan::PLANNED,
    &plan::REGISTER,
    &plan::REMEMBER,
    &plan::TOUCHED,
    &settle::FAILED,
    &settle::GIVE_BACK,
    &settle::HOLD,
    &settle::NOTE,
    &settle::PREPARE,
    &settle::SENT,
    &settle::SETTLE,
    &settle::SUPERSEDE,
];
