//! What the read API and the status page show: pages of rows along an index, and counts that are small whatever the tables hold.
//!
//! Every list is read in pages that begin behind a key ([`metrics::After`] and its kin), never by offset: a page costs the same wherever it
//! is, and rows that come or go meanwhile make no other row come twice or be left out. Who may see which organisation is the caller's
//! business; the functions take one tenant, or [`Tenants`].

pub mod findings;
pub mod jobs;
pub mod metrics;
pub mod quarantine;
pub mod sync;
pub mod tenants;
pub mod windows;

use crate::sql::Sql;

/// Whose rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tenants<'a> {
    /// Everybody's, and those that belong to no organisation.
    All,
    /// Those of these organisations.
    Of(&'a [String]),
    /// Those of these organisations, and those that belong to none.
    OfAndCommon(&'a [String]),
}

impl<'a> Tenants<'a> {
    /// As a parameter: NULL is everybody.
    fn param(self) -> Option<&'a [String]> {
        match self {
            Self::All => None,
            Self::Of(tenants) | Self::OfAndCommon(tenants) => Some(tenants),
        }
    }

    /// Whether what belongs to no organisation is wanted.
    const fn common(self) -> bool {
        !matches!(self, Self::Of(_))
    }
}

pub(crate) static STATEMENTS: &[&Sql] = &[
    &findings::LIST,
    &findings::CLOCKS,
    &jobs::PAGE,
    &metrics::PAGE,
    &quarantine::COUNTS,
    &sync::log::NEWEST,
    &sync::log::NEWEST_OF,
    &sync::log::REFUSALS_OF,
    &sync::log::OF_INTERACTION,
    &sync::log::REFUSALS,
    &sync::refused::REFUSED,
    &tenants::LIST,
    &windows::ALL_GROUPS,
    &windows::ONE_GROUP,
    &windows::by_zone::BY_ZONE,
    &windows::groups::GROUPS,
    &windows::recent::RECENT,
];
