//! Genesys Cloud's history. Facts: platform notes, sections 2 and 4; the sources are those of the public SDK and connectors.
//!
//! The asynchronous jobs are for what lies further back: they page with a cursor and never shift, but know nothing later than their
//! `dataAvailabilityDate`. The synchronous queries are for the recent rest: they count pages, a page may shift under one's hands, and
//! they refuse more than 7 days or 100,000 results.

mod aggregates;
mod jobs;
mod query;
mod users;
mod workforce;

pub use aggregates::{Aggregate, Aggregates, Stats};
pub use jobs::{JobState, JobStatus, Subject};
pub use query::{DAYS_MAX, IDS_MAX, QUERY_PAGE_MAX, Query};
pub use users::{User, UserPage};
pub use workforce::{Plan, Search, Shift, Unit, UnitPage};

use crate::api::Api;
use std::sync::Arc;

/// The history of one organisation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Genesys {
    api: Arc<Api>,
}

impl Genesys {
    /// Through an API whose base URL is `https://api.{domain}`.
    #[must_use]
    pub const fn new(api: Arc<Api>) -> Self {
        Self { api }
    }

    /// The API.
    #[must_use]
    pub const fn api(&self) -> &Arc<Api> {
        &self.api
    }
}

/// What goes into a path comes from outside: escaped, it stays one word of it.
pub(super) fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}
