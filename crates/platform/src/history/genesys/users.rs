//! Who there is: history points to people who have left as well.

use super::Genesys;
use super::jobs::read;
use crate::api::Call;
use crate::history::{HistoryError, routes};
use serde::Deserialize;

/// A user of the organisation. Names stay out: they are nobody's business here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Its id.
    pub id: String,
    /// `active`, `inactive`, `deleted`.
    #[serde(default)]
    pub state: String,
}

/// One page of the users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPage {
    /// The users.
    pub users: Vec<User>,
    /// Whether there is another page.
    pub more: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    entities: Vec<User>,
    page_count: Option<u32>,
    next_uri: Option<String>,
}

impl Genesys {
    /// One page (from 1) of all users, those who have left included.
    /// `GET /api/v2/users?pageSize=&pageNumber=&state=any` [notes 4.4]: without `state` only active ones are listed.
    pub async fn users(&self, page: u32) -> Result<UserPage, HistoryError> {
        let path = format!("/api/v2/users?pageSize=100&pageNumber={page}&state=any");
        let answer = self.api.fetch(Call::get(routes::USERS_LIST, &path)).await?;
        let listed: Listed = read(&answer.body, "the list of users")?;
        let more = listed.page_count.map_or_else(
            || listed.next_uri.is_some_and(|next| !next.is_empty()),
            |pages| page < pages,
        );
        Ok(UserPage {
            // The server may say that there are more pages than it has.
            more: more && !listed.entities.is_empty(),
            users: listed.entities,
        })
    }
}
