//! Settlement, carried out: each day that is due becomes an ordinary job.

use super::settlement::{self, Schedule};
use super::{cut, job, usual};
use crate::finish::Finishing;
use crate::platforms::{Platform, Settlement};
use store::jobs::{self, Created, NewChunkedJob, Purpose};
use store::{standing, sweep};
use timezone::NaiveTime;

pub(super) async fn all(
    finishing: &Finishing,
    platform: &Platform,
    settings: &Settlement,
) -> anyhow::Result<()> {
    let client = finishing.store.client().await?;
    let now = sweep::now(&client).await?;
    let (hour, minute) = settings.at;
    let schedule = Schedule {
        days: settings.days.clone(),
        at: NaiveTime::from_hms_opt(u32::from(hour), u32::from(minute), 0).unwrap_or_default(),
        zone: settings.zone,
    };
    let mut sources = settings.sources.clone();
    if sources.is_empty() {
        sources.push(usual(platform));
    }
    for source in sources {
        let prefix = settlement::prefix(&platform.name, source.name());
        let asked = standing::requested(&client, &prefix).await?;
        let last = asked
            .iter()
            .filter_map(|(request, _)| settlement::due_on(request))
            .max();
        for again in schedule.due(last, now) {
            let request = again.request(&platform.name, source.name());
            if asked.iter().any(|(known, _)| *known == request) {
                continue;
            }
            let chunks = cut::chunks(platform, source, (again.from, again.to), now, &[])?;
            let new = NewChunkedJob {
                from: Some(again.from),
                to: Some(again.to),
                request_id: Some(&request),
                chunks: &chunks,
                ..job(platform, source.name(), Purpose::Settlement)
            };
            if let Created::New(id) = jobs::create_chunked(&client, &new).await? {
                tracing::info!(platform = platform.name, source = source.name(), day = %again.day, days_ago = again.offset, job = %id,
                               "a day is fetched again");
            }
        }
    }
    Ok(())
}
