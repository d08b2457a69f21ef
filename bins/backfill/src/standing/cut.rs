//! Stretches of standing work cut into chunks, as for any other job.

use crate::plan::{Known, PlanError, Wanted, plan};
use crate::platforms::{Kind, Platform};
use crate::source::Source;
use schema::UtcMicros;
use serde_json::json;
use std::time::Duration;
use store::chunks::NewChunk;

const DAY: i64 = 86_400_000_000;
/// Asynchronous jobs have data of a day ago; what is newer is fetched by queries.
const JOBS_FROM: Duration = Duration::from_secs(86_400);

/// The chunks of a stretch. Nobody is asked how far the platform's data reach: whoever fetches them finds out.
pub(super) fn chunks(
    platform: &Platform,
    source: Source,
    (from, to): (UtcMicros, UtcMicros),
    now: UtcMicros,
    ids: &[String],
) -> Result<Vec<NewChunk>, PlanError> {
    let wanted = Wanted {
        source,
        from,
        to,
        ids,
    };
    let known = Known {
        now,
        available_to: None,
    };
    let pieces = plan(&wanted, &platform.kind, &known)?;
    Ok(pieces.iter().map(|piece| piece.chunk(now)).collect())
}

/// The chunks of a stretch that is followed, at an age, and how they are fetched where the platform has two ways. Genesys' query lists what began on
/// the UTC days that it touches, however little of them it asks for: it is asked for one day at a time, so that what is listed of a day that
/// is over does not change meanwhile.
pub(super) fn followed(
    platform: &Platform,
    (from, to): (UtcMicros, UtcMicros),
    age: Duration,
) -> Vec<NewChunk> {
    let query = matches!(platform.kind, Kind::Genesys(_)) && age < JOBS_FROM;
    let mut chunks = Vec::new();
    let mut begin = from;
    while begin < to {
        let midnight = begin
            .0
            .div_euclid(DAY)
            .saturating_add(1)
            .saturating_mul(DAY);
        let end = if query {
            to.min(UtcMicros(midnight))
        } else {
            to
        };
        chunks.push(NewChunk {
            from: begin,
            to: end,
            due_in: Duration::ZERO,
            cursor_json: query.then(|| json!({"way": "query"}).to_string()),
        });
        begin = end;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Trial;

    #[test]
    fn a_query_touches_one_utc_day() {
        let platforms = Trial::platforms();
        let cut = |platform: &str, from: i64, to: i64, age| -> Vec<(i64, i64, bool)> {
            let platform = platforms.get(platform).unwrap();
            followed(platform, (UtcMicros(from), UtcMicros(to)), age)
                .iter()
                .map(|chunk| (chunk.from.0, chunk.to.0, chunk.cursor_json.is_some()))
                .collect()
        };
        let hours = Duration::from_secs(4 * 3600);
        let (before, after) = (DAY - 7, 2 * DAY + 7);
        assert_eq!(
            cut("main", before, after, hours),
            [
                (before, DAY, true),
                (DAY, 2 * DAY, true),
                (2 * DAY, after, true)
            ]
        );
        assert_eq!(cut("main", before, DAY, hours), [(before, DAY, true)]);
        assert_eq!(
            cut("main", before, after, JOBS_FROM),
            [(before, after, false)]
        );
        assert_eq!(cut("other", before, after, hours), [(before, after, false)]);
    }
}
