//! One place metrics are pushed to: what it takes, its requests as bytes, its answers as an outcome an item. Pure: no HTTP, no clock, no
//! store.
//!
//! An [`Adapter`] is a kind of target with what the configuration says about it; what kinds can and cannot do is in [`Capabilities`]. An
//! [`Item`] goes in and a [`Step`] comes out: it goes, or there is nothing to send, or it never can be. Items that go are gathered by
//! [`Encoded::place`] into a [`Call`]; of its [`Answer`] an adapter says what became of each item ([`Fate`]), or that the answer says
//! nothing of items, and then the general rules for statuses hold, which are not here.
//!
//! Neither the guide's Genesys body nor its CXone import is an interface that a public document describes in full (see the platform notes);
//! the other kinds are the platforms' real ones, and [`http`] is whatever its templates say.
//!
//! Start at [`adapter`], then a kind: [`rows`], [`external_metrics`], [`conversation_properties`], [`business_data`], [`http`]. Which items
//! are wanted at all a [`Filter`] says.

pub mod adapter;
pub mod answer;
pub mod business_data;
pub mod capability;
pub mod conversation_properties;
pub mod decimal;
pub mod external_metrics;
pub mod filter;
pub mod http;
pub mod item;
pub mod outcome;
pub mod path;
pub mod rows;

pub use adapter::{Adapter, Amount, Call, Encoded, Held, Sent, Step};
pub use capability::{Capabilities, Kind, Method, ReadBack};
pub use filter::Filter;
pub use item::{Facets, Figures, Finite, Item, Subject};
pub use outcome::{Answer, Fate, Later};
pub use path::PathTemplate;
