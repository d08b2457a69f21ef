//! Details at once: what is too recent for a job, and single conversations.

use super::{Genesys, Subject, escaped};
use crate::api::{ApiError, Call};
use crate::history::{HistoryError, Kind, Page, routes};
use crate::instant::interval;
use schema::UtcMicros;
use serde_json::json;

/// Records of one page of a query [notes 2.1: in every connector seen].
pub const QUERY_PAGE_MAX: u32 = 100;
/// Days that one query without a filter looks at [notes 2.1].
pub const DAYS_MAX: u32 = 7;
/// Ids of one multi-get. The platform's own maximum is not known; an URL with so many is still short enough for every proxy.
pub const IDS_MAX: usize = 100;

/// One page of a details query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// From, inclusive.
    pub from: UtcMicros,
    /// To, exclusive.
    pub to: UtcMicros,
    /// From 1.
    pub page: u32,
    /// At most [`QUERY_PAGE_MAX`]; a larger one is cut down to it.
    pub page_size: u32,
}

impl Genesys {
    /// One page of the details of a stretch of time; conversations in the order of their beginning.
    ///
    /// `POST /api/v2/analytics/{conversations,users}/details/query` [notes 2.1, 7]. It finds conversations that began on a UTC day which
    /// the interval touches, so there may be some from outside it. [`Page::next`] is never set; a page shorter than asked for is the last
    /// one, an absent list too. [`HistoryError::TooMany`] and [`HistoryError::TooLong`] mean: halve the stretch.
    pub async fn query(&self, subject: Subject, query: Query) -> Result<Page, HistoryError> {
        self.queried(subject, query, "asc").await
    }

    /// The same with the latest first: where the end of what is listed is nearer to what is wanted than its beginning.
    pub async fn query_backwards(
        &self,
        subject: Subject,
        query: Query,
    ) -> Result<Page, HistoryError> {
        self.queried(subject, query, "desc").await
    }

    async fn queried(
        &self,
        subject: Subject,
        query: Query,
        order: &str,
    ) -> Result<Page, HistoryError> {
        let mut body = json!({
            "interval": interval(query.from, query.to),
            "paging": {
                "pageSize": query.page_size.clamp(1, QUERY_PAGE_MAX),
                "pageNumber": query.page.max(1),
            },
            "order": order,
        });
        let (route, path) = match subject {
            Subject::Conversations => {
                body["orderBy"] = json!("conversationStart");
                (
                    routes::DETAILS_QUERY,
                    "/api/v2/analytics/conversations/details/query",
                )
            }
            Subject::Users => (routes::USERS_QUERY, "/api/v2/analytics/users/details/query"),
        };
        let call = Call::post(route, path, &body).of_history();
        let answer = self.api.fetch(call).await;
        let answer = answer.map_err(HistoryError::of_stretch)?;
        Page::read(answer, subject.kind(), "a details query").await
    }

    /// One conversation as it is now; `None` where the platform does not have it.
    /// `GET /api/v2/analytics/conversations/{id}/details` [notes 2.3]: the record alone, not a list of one.
    pub async fn conversation(&self, id: &str) -> Result<Option<Page>, HistoryError> {
        let path = format!("/api/v2/analytics/conversations/{}/details", escaped(id));
        match self
            .api
            .fetch(Call::get(routes::DETAILS_GET, &path).of_history())
            .await
        {
            Ok(answer) => {
                let what = "a conversation's details";
                let page = Page::read_one(answer, Kind::Conversations, what).await?;
                Ok((page.records() > 0).then_some(page))
            }
            Err(ApiError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Several conversations as they are now (at most [`IDS_MAX`]); those that the platform does not have are missing from the page.
    /// `None`: it has not all of them and does not say which (a 404 for the whole request); asked for one by one they tell.
    /// `GET /api/v2/analytics/conversations/details?id=a,b` [notes 2.3].
    pub async fn conversations(&self, ids: &[&str]) -> Result<Option<Page>, HistoryError> {
        if ids.is_empty() {
            return Ok(Some(Page::default()));
        }
        let ids: Vec<String> = ids.iter().map(|id| escaped(id)).collect();
        let path = format!(
            "/api/v2/analytics/conversations/details?id={}",
            ids.join(",")
        );
        match self
            .api
            .fetch(Call::get(routes::DETAILS_MULTI_GET, &path).of_history())
            .await
        {
            Ok(answer) => {
                let what = "several conversations' details";
                Page::read(answer, Kind::Conversations, what)
                    .await
                    .map(Some)
            }
            Err(ApiError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
