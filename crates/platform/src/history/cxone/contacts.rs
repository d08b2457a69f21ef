//! Completed contacts: one row per leg that has ended.

use super::{Cxone, stretch};
use crate::api::Call;
use crate::history::genesys::escaped;
use crate::history::{HistoryError, Kind, Page, routes};
use crate::instant::rfc3339_millis;
use schema::UtcMicros;

/// Rows of one page [notes 7].
pub const CONTACTS_PAGE_MAX: u32 = 10_000;

/// Which contacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contacts {
    /// That began in a half-open stretch of time.
    Begun {
        /// From, inclusive.
        from: UtcMicros,
        /// To, exclusive.
        to: UtcMicros,
    },
    /// That changed since. The set moves while it is paged through: only for what is read again anyway.
    Updated {
        /// Since when; not longer ago than [`super::DAYS_MAX`].
        since: UtcMicros,
    },
}

/// One page of contacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactQuery<'a> {
    /// Which.
    pub which: Contacts,
    /// How many rows to pass over.
    pub skip: u64,
    /// Rows of the page, at most [`CONTACTS_PAGE_MAX`]; a larger number is cut down to it.
    pub top: u32,
    /// The order, a stable one: `contactId`. Nothing: the platform's own.
    pub order_by: Option<&'a str>,
}

impl Cxone {
    /// One page of completed contacts. `GET contacts/completed` [notes 3, 7]: `skip` and `top`, 204 for nothing, `totalRecords`,
    /// `_links.next` (also in [`Page::next`]), `lastPollTime`.
    pub async fn contacts(&self, query: ContactQuery<'_>) -> Result<Page, HistoryError> {
        let which = match query.which {
            Contacts::Begun { from, to } => stretch(from, to),
            Contacts::Updated { since } => format!("updatedSince={}", rfc3339_millis(since)),
        };
        let mut path = self.path(&format!(
            "contacts/completed?{which}&skip={}&top={}",
            query.skip,
            query.top.clamp(1, CONTACTS_PAGE_MAX)
        ));
        if let Some(order) = query.order_by {
            path.push_str("&orderBy=");
            path.push_str(&escaped(order));
        }
        self.rows(
            routes::CONTACTS_COMPLETED,
            &path,
            Kind::Contacts,
            "completed contacts",
        )
        .await
    }

    /// The page that a page's link leads to. The link must lead to the API's own host [notes 7]; one that leads to the page it stood on
    /// is the end (pitfall 1).
    pub async fn next_contacts(&self, link: &str) -> Result<Page, HistoryError> {
        let page = self
            .rows(
                routes::CONTACTS_COMPLETED,
                link,
                Kind::Contacts,
                "completed contacts",
            )
            .await?;
        Ok(page.after(Some(link)))
    }

    /// How many contacts a stretch of time has (`totalRecords`): one row is fetched for it.
    pub async fn contacts_total(
        &self,
        from: UtcMicros,
        to: UtcMicros,
    ) -> Result<u64, HistoryError> {
        let page = self
            .contacts(ContactQuery {
                which: Contacts::Begun { from, to },
                skip: 0,
                top: 1,
                order_by: None,
            })
            .await?;
        let seen = u64::try_from(page.records()).unwrap_or(u64::MAX);
        Ok(page.total.unwrap_or(seen))
    }

    pub(super) async fn rows(
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
