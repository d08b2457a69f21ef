//! Completed contacts: one row per leg that has ended.

use super::Cxone;
use crate::history::{HistoryError, Kind, Page, routes};
use schema::UtcMicros;

impl Cxone {
    /// One page of the completed contacts that began in a half-open stretch of time: `skip` rows are passed over, and `top` is cut down to
    /// [`PAGE_MAX`](super::PAGE_MAX). `GET contacts/completed` [notes 3, 7]: in a stable order, 204 for nothing, `totalRecords`.
    pub async fn contacts(
        &self,
        from: UtcMicros,
        to: UtcMicros,
        skip: u64,
        top: u32,
    ) -> Result<Page, HistoryError> {
        let path = self.paged("contacts/completed", from, to, skip, top);
        self.rows(
            routes::CONTACTS_COMPLETED,
            &format!("{path}&orderBy=contactId"),
            Kind::Contacts,
            "completed contacts",
        )
        .await
    }

    /// How many contacts a stretch of time has (`totalRecords`): one row is fetched for it.
    pub async fn contacts_total(
        &self,
        from: UtcMicros,
        to: UtcMicros,
    ) -> Result<u64, HistoryError> {
        let page = self.contacts(from, to, 0, 1).await?;
        let seen = u64::try_from(page.records()).unwrap_or(u64::MAX);
        Ok(page.total.unwrap_or(seen))
    }
}
