//! How many records a stretch holds, where no platform is asked: by the log itself, or by what earlier jobs found.

use crate::wish::Wish;
use schema::UtcMicros;
use store::{Client, chunks, jobs};

/// Jobs looked through.
const JOBS_MAX: u32 = 200;

/// By the density that the newest job of the same source and platform found.
pub(super) async fn by_earlier_jobs(
    client: &Client,
    wish: &Wish,
    (from, to): (UtcMicros, UtcMicros),
) -> anyhow::Result<(Option<u64>, &'static str)> {
    for job in jobs::list(client, JOBS_MAX).await? {
        let (true, Some(begin), Some(_)) = (
            job.chunked && job.kind == wish.source.name() && job.platform == wish.platform,
            job.from,
            job.to,
        ) else {
            continue;
        };
        let totals = chunks::totals(client, job.id).await?;
        // Chunks are begun from anywhere: only what is whole says how much it is.
        let whole = totals.chunks == totals.done && totals.records > 0;
        if let (true, Some(end)) = (whole, totals.last_done) {
            let records = u128::try_from(totals.records).unwrap_or(0);
            let length = u128::from(to.0.abs_diff(from.0));
            let seen = u128::from(end.0.abs_diff(begin.0)).max(1);
            let guess = (records * length).div_ceil(seen);
            return Ok((u64::try_from(guess).ok(), "an earlier job"));
        }
    }
    Ok((None, ""))
}
