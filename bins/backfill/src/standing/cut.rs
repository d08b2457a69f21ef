//! Stretches of standing work cut into chunks, as for any other job.

use crate::plan::{Known, PlanError, Wanted, plan};
use crate::platforms::{Kind, Platform};
use crate::source::Source;
use schema::UtcMicros;
use serde_json::json;
use std::time::Duration;
use store::chunks::NewChunk;

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

/// The first cursor of a stretch that is followed, at an age: how it is fetched, where the platform has two ways.
pub(super) fn way(platform: &Platform, age: Duration) -> Option<String> {
    let query = matches!(platform.kind, Kind::Genesys(_)) && age < JOBS_FROM;
    query.then(|| json!({"way": "query"}).to_string())
}
