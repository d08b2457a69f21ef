//! CXone's history. Facts: platform notes, sections 2 to 7; the sources are the vendor's published specs and its public consumers.
//!
//! All of it is pulled, contact leg by contact leg. Rows arrive in the platform's warehouse every five minutes and change for some time
//! after (the wrap-up comes late). Paging is by `skip` over a set that must not change meanwhile: the stretch of time is closed, the
//! order fixed, and the total is looked at again after the last page.

mod contact;
mod contacts;
mod discovery;
mod extraction;
mod performance;
mod reports;
mod skills;
mod states;
mod workforce;

pub use contact::Contact;
pub use discovery::{Discovery, DiscoveryError, TOKEN_BELIEVED, discover};
pub use extraction::{EXTRACTION_DAYS_MAX, EXTRACTION_PACE, Extraction, ExtractionState};
pub use performance::AgentPerformance;
pub use reports::Report;
pub use skills::SkillSummary;
pub use workforce::{Agent, EXPORT_DAYS_MAX, Moment, Shift};

use crate::api::{Api, Call};
use crate::history::{HistoryError, Kind, Page};
use crate::instant::{rfc3339_millis, up};
use schema::UtcMicros;
use std::sync::Arc;

/// Rows of one page of contacts or states [notes 7].
pub const PAGE_MAX: u32 = 10_000;

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

    fn paged(&self, list: &str, from: UtcMicros, to: UtcMicros, skip: u64, top: u32) -> String {
        let (stretch, top) = (stretch(from, to), top.clamp(1, PAGE_MAX));
        self.path(&format!("{list}?{stretch}&skip={skip}&top={top}"))
    }

    async fn rows(
        &self,
        route: &str,
        path: &str,
        kind: Kind,
        what: &'static str,
    ) -> Result<Page, HistoryError> {
        let answer = self
            .api
            .fetch(Call::get(route, path).of_history())
            .await
            .map_err(HistoryError::of_stretch)?;
        Page::read(answer, kind, what).await
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
