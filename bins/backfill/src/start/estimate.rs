//! How many records a stretch holds, where no platform is asked: by the log itself, or by what earlier jobs found.

use crate::plan::{Piece, Way};
use crate::wish::Wish;
use schema::UtcMicros;
use store::{Client, StoreError, chunks, event_log, jobs};

/// Jobs looked through.
const JOBS_MAX: u32 = 200;
/// Events of the log in one chunk of a replay: some minutes of one worker.
const SLICE_EVENTS: i64 = 100_000;
/// Shorter slices than this are not looked for: events of one second are one chunk's.
const SLICE_MIN: i64 = 1_000_000;

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

/// A stretch of the log in slices of about as many events, and how many events there are.
pub(super) async fn log_pieces(
    client: &Client,
    wish: &Wish,
    from: UtcMicros,
    to: UtcMicros,
) -> Result<(Vec<Piece>, u64), StoreError> {
    let tenant = wish.tenant.as_deref();
    let mut pieces = Vec::new();
    let mut events = 0_u64;
    // Halved until a slice is small enough: the log is indexed by time, and counting a slice reads only its part.
    let mut open = vec![(from, to)];
    while let Some((begin, end)) = open.pop() {
        let count = event_log::count(client, begin, end, tenant).await?;
        let length = end.0.saturating_sub(begin.0);
        if count > SLICE_EVENTS && length > SLICE_MIN {
            let middle = UtcMicros(begin.0 + length / 2);
            open.push((middle, end));
            open.push((begin, middle));
            continue;
        }
        events += u64::try_from(count).unwrap_or(0);
        pieces.push(Piece {
            from: begin,
            to: end,
            due_at: begin,
            way: Way::Usual,
        });
    }
    Ok((pieces, events))
}
