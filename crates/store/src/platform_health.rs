//! What each platform said about itself last.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::json::printable;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// What a question came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// It said something.
    Said {
        /// `up`, `trouble` or `maintenance`.
        word: &'a str,
        /// The platform's own words.
        text: &'a str,
    },
    /// It said nothing that could be read: what it said before stays.
    Failed(&'a str),
}

/// What is known of one platform's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `up`, `trouble` or `maintenance`; none: it never answered.
    pub word: Option<String>,
    /// The platform's own words.
    pub said: String,
    /// When it said so.
    pub answered_at: Option<UtcMicros>,
    /// When it was last asked.
    pub asked_at: UtcMicros,
    /// Why that question had no answer; empty: it had one.
    pub failure: String,
}

static PUT: Sql = Sql {
    step: "write what a platform says of its health",
    text: "INSERT INTO platform_health AS h (tenant, platform, word, said, answered_at, asked_at, failure) \
           VALUES ($1, $2, $3, $4, CASE WHEN $3::text IS NULL THEN NULL ELSE now() END, now(), $5) \
           ON CONFLICT (tenant, platform) DO UPDATE SET \
                  word = coalesce(EXCLUDED.word, h.word), \
                  said = CASE WHEN EXCLUDED.word IS NULL THEN h.said ELSE EXCLUDED.said END, \
                  answered_at = coalesce(EXCLUDED.answered_at, h.answered_at), \
                  asked_at = EXCLUDED.asked_at, failure = EXCLUDED.failure",
};

static GET: Sql = Sql {
    step: "read what a platform says of its health",
    text: "SELECT word, said, answered_at, asked_at, failure FROM platform_health WHERE tenant = $1 AND platform = $2",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&PUT, &GET];

/// Writes what came of a question.
pub async fn put(
    conn: &impl Connection,
    tenant: &str,
    platform: &str,
    answer: Answer<'_>,
) -> Result<(), StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("platform", platform)?;
    let (word, said, failure) = match answer {
        Answer::Said { word, text } => (Some(word), printable(text), printable("")),
        Answer::Failed(why) => (None, printable(""), printable(why)),
    };
    sql::execute(conn, &PUT, &[&tenant, &platform, &word, &said, &failure])
        .await
        .map(drop)
}

/// What is known; `None`: it was never asked.
pub async fn get(
    conn: &impl Connection,
    tenant: &str,
    platform: &str,
) -> Result<Option<Health>, StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("platform", platform)?;
    let rows = sql::query(conn, &GET, &[&tenant, &platform]).await?;
    rows.first()
        .map(|row| {
            Ok(Health {
                word: sql::get(row, &GET, 0)?,
                said: sql::get(row, &GET, 1)?,
                answered_at: sql::get::<Option<Instant>>(row, &GET, 2)?.map(|at| at.0),
                asked_at: sql::get::<Instant>(row, &GET, 3)?.0,
                failure: sql::get(row, &GET, 4)?,
            })
        })
        .transpose()
}
