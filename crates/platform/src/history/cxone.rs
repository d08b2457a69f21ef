//! CXone's history. Facts: platform notes, sections 2 to 7; the sources are the vendor's published specs and its public consumers.
//!
//! All of it is pulled, contact leg by contact leg. Rows arrive in the platform's warehouse every five minutes and change for some time
//! after (the wrap-up comes late). Paging is by `skip` over a set that must not change meanwhile: the stretch of time is closed, the
//! order fixed, and the total is looked at again after the last page.

mod contact;
mod contacts;
mod discovery;
mod extraction;
mod reports;
mod skills;
mod states;

pub use contact::Contact;
pub use contacts::{CONTACTS_PAGE_MAX, ContactQuery, Contacts};
pub use discovery::{Discovery, DiscoveryError, TOKEN_BELIEVED, discover};
pub use extraction::{EXTRACTION_DAYS_MAX, EXTRACTION_PACE, Extraction, ExtractionState};
pub use reports::Report;
pub use skills::SkillSummary;

use crate::api::Api;
use crate::instant::{rfc3339_millis, up};
use schema::UtcMicros;
use std::sync::Arc;

/// Days that one call for contacts or states looks at, as consumers respect it; the documented number is not known.
pub const DAYS_MAX: u32 = 30;

/// The history of one business unit. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cxone {
    api: Arc<Api>,
    root: String,
}

impl Cxone {
    /// Through an API whose base URL is the one that discovery gives. Names and types of members depend on the version (27 and later:
    /// `contactStartDate`, numbers as numbers), so it is pinned.
    #[must_use]
    pub fn new(api: Arc<Api>, version: u16) -> Self {
        Self {
            api,
            root: format!("/incontactapi/services/v{version}.0"),
        }
    }

    /// The API.
    #[must_use]
    pub const fn api(&self) -> &Arc<Api> {
        &self.api
    }

    pub(super) fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.root)
    }
}

/// `startDate` and `endDate` of a half-open stretch of time. A fraction of a millisecond makes it longer, never shorter; the platform may
/// or may not count the end itself.
fn stretch(from: UtcMicros, to: UtcMicros) -> String {
    format!(
        "startDate={}&endDate={}",
        rfc3339_millis(from),
        rfc3339_millis(up(to))
    )
}
