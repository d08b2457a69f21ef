//! How a replay becomes chunks: at once by the command that shows what there is, or by whoever takes it.

use crate::plan::{Piece, Way};
use crate::replay::{SLICE_EVENTS, UNCUT, slices};
use crate::wish::{Planned, Refused, Wish};
use schema::UtcMicros;
use schema::backfill::RequestError;
use std::ops::Range;
use store::{Store, StoreError};

/// A replay's chunks and the number of its events. Looks through the stretch, which takes minutes where it is long.
pub(super) async fn cut(
    store: &Store,
    wish: &Wish,
) -> Result<Result<(Planned, u64), Refused>, StoreError> {
    let stretch = match stretch(wish) {
        Ok(stretch) => stretch,
        Err(refused) => return Ok(Err(refused)),
    };
    let slices = slices(store, stretch.clone(), wish.tenant.as_deref(), SLICE_EVENTS).await?;
    let events = slices.iter().map(|slice| slice.events).sum::<i64>();
    let pieces = slices
        .into_iter()
        .map(|slice| piece(slice.range, Way::Usual));
    let planned = planned(wish, &stretch, pieces.collect());
    Ok(Ok((planned, u64::try_from(events).unwrap_or(0))))
}

/// A replay as one chunk, which the worker that takes it cuts first: who asks by a message waits for nobody to look through the log.
pub(crate) fn uncut(wish: &Wish) -> Result<Planned, Refused> {
    let stretch = stretch(wish)?;
    let whole = piece(stretch.clone(), Way::Cursor(UNCUT.to_owned()));
    Ok(planned(wish, &stretch, vec![whole]))
}

fn stretch(wish: &Wish) -> Result<Range<UtcMicros>, Refused> {
    match wish.from.zip(wish.to) {
        Some((from, to)) if from < to => Ok(from..to),
        Some((from, to)) => Err(RequestError::Backwards { from, to }.into()),
        None => Err(RequestError::HalfOpen.into()),
    }
}

fn piece(range: Range<UtcMicros>, way: Way) -> Piece {
    Piece {
        from: range.start,
        to: range.end,
        due_at: range.start,
        way,
    }
}

fn planned(wish: &Wish, stretch: &Range<UtcMicros>, pieces: Vec<Piece>) -> Planned {
    Planned {
        tenant: wish.tenant.clone(),
        params_json: serde_json::json!({"from": stretch.start, "to": stretch.end}).to_string(),
        pieces,
    }
}
