//! How events of a platform come: what is delivered, beside what is usual, and what is fetched.

use super::file::{SilentWhen, Watched};
use freshness::Feed;
use freshness::usual::{Usual, WEEKS};
use schema::UtcMicros;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use store::freshness::evidence;
use store::subscriptions::{self, State};
use store::{Client, StoreError};

/// How long what is usual is taken for known.
const USUAL_FOR: Duration = Duration::from_secs(600);
const HOUR: i64 = 3_600_000_000;

/// What is usual of each subscription, read now and then.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    usual: HashMap<(String, String), (Instant, Usual)>,
}

impl Feeds {
    /// The feeds of a platform. `worked_off`: up to when everything received is.
    pub(super) async fn of(
        &mut self,
        client: &Client,
        watched: &Watched,
        worked_off: Option<UtcMicros>,
        now: UtcMicros,
    ) -> Result<Vec<Feed>, StoreError> {
        let mut feeds = Vec::new();
        let matters = |name: &String| match &watched.subscriptions {
            None => true,
            Some(named) => named.contains(name),
        };
        let until = worked_off.map(|at| at.min(now));
        for row in evidence::feeds(client, &watched.tenant).await? {
            if !matters(&row.subscription) {
                continue;
            }
            // Nothing is said of one that ingest does not watch any more.
            let heard = row
                .news_at
                .or(row.last_received_at)
                .filter(|_| row.state != State::Unknown);
            let expected = self.expected(client, watched, &row, heard, until).await?;
            let off = matches!(row.state, State::Disabled | State::Missing);
            feeds.push(Feed::Pushed {
                off: off.then(|| format!("it is {}: {}", row.state.word(), row.reason)),
                name: row.subscription,
                heard,
                newest: row.newest_event_at,
                until,
                expected,
            });
        }
        for followed in evidence::followed(client, &watched.tenant, watched.entry()).await? {
            feeds.push(Feed::Followed {
                name: followed.source,
                until: followed.until,
                usual: followed.usual,
            });
        }
        Ok(feeds)
    }

    /// How many events were to be expected since the last one; it is only looked up where the silence is long enough to matter.
    async fn expected(
        &mut self,
        client: &Client,
        watched: &Watched,
        row: &evidence::Feed,
        heard: Option<UtcMicros>,
        until: Option<UtcMicros>,
    ) -> Result<Option<f64>, StoreError> {
        match watched.silent_when {
            SilentWhen::Always => return Ok(None),
            SilentWhen::Never => return Ok(Some(0.0)),
            SilentWhen::Unusual => {}
        }
        let (Some(heard), Some(until), Some(silence)) = (heard, until, watched.settings.silence)
        else {
            return Ok(Some(0.0));
        };
        let half = i64::try_from(silence.as_micros() / 2).unwrap_or(i64::MAX);
        if until.0.saturating_sub(heard.0) < half {
            return Ok(Some(0.0));
        }
        let (name, tenant) = (&row.subscription, &watched.tenant);
        let usual = self.usual(client, name, tenant, until).await?;
        if let Some(expected) = usual.expected(heard, until) {
            return Ok(Some(expected));
        }
        // Less than a week is known: the rate of the last hours before the silence, read anew, for it was counted since.
        let from = UtcMicros(heard.0.saturating_sub(2 * HOUR));
        let to = UtcMicros(heard.0.saturating_add(1));
        let hours = subscriptions::hours(client, name, tenant, from, to).await?;
        let recent = Usual::new(&hours);
        Ok(Some(recent.recently(row.watched_since, heard, until)))
    }

    async fn usual(
        &mut self,
        client: &Client,
        name: &str,
        tenant: &str,
        now: UtcMicros,
    ) -> Result<&Usual, StoreError> {
        let key = (name.to_owned(), tenant.to_owned());
        let known = self
            .usual
            .get(&key)
            .is_some_and(|(at, _)| at.elapsed() < USUAL_FOR);
        if !known {
            let back = (WEEKS + 1) * 7 * 24 * HOUR;
            let from = UtcMicros(now.0.saturating_sub(back));
            let hours = subscriptions::hours(client, name, tenant, from, now).await?;
            self.usual
                .insert(key.clone(), (Instant::now(), Usual::new(&hours)));
        }
        Ok(&self
            .usual
            .entry(key)
            .or_insert_with(|| (Instant::now(), Usual::default()))
            .1)
    }
}
