//! Undoing a body's codings within limits of size, memory and time.
//!
//! The layers are decoders one behind another, each reading from the one before it: nothing but the last one's output is kept, whatever
//! the ratio. That output grows piece by piece, each piece paid for from the memory allowance before it exists, and ends at the
//! subscription's limit: a bomb costs the limit and no more. Small bodies are done on the spot; the rest of a larger one is done on a
//! thread that serves no connection, by at most as many at a time as there are processors; of one of several subscriptions by half as
//! many, because where plain bytes are signed a stranger's are inflated too. Their signature is checked there as well.

mod layers;

use super::body::COPY_MAX;
use super::budget::Hold;
use super::coding::{Coding, Codings};
use super::decision::{Refusal, Unavailable};
use bytes::Bytes;
use layers::{Reader, TooMuch};
use std::io::{self, Read as _};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// What is read from the layers at a time.
const PIECE: usize = 64 * 1024;
/// Bodies up to this size, in one simple layer, are begun on the spot: at most one piece of output, some hundred microseconds.
const ON_THE_SPOT_MAX: usize = 16 * 1024;
/// What a decoder needs besides a window of its own: tables and buffers, as senders' encoders fill them.
const DECODER_BYTES: usize = 256 * 1024;

/// Inflates bodies, so many at a time.
#[derive(Debug)]
pub struct Inflater {
    turns: Arc<Semaphore>,
}

/// Bodies inflated at a time: one for each processor, and never so few that one subscription could take all turns.
pub fn turns_max() -> usize {
    std::thread::available_parallelism().map_or(2, |processors| processors.get().max(2))
}

/// A body as it was sent.
#[derive(Debug)]
pub struct Wrapped {
    /// Its bytes.
    pub wire: Bytes,
    /// How they are wrapped.
    pub codings: Codings,
    /// The most plain bytes.
    pub limit: usize,
    /// The bytes of `wire` in the allowance.
    pub hold: Hold,
}

/// The most memory that a body of so many bytes may take while at most `limit` plain ones are made of it, or of them the field of a form:
/// itself, the decoders with one of the largest windows, and the plain bytes while their room grows. Only who wraps a body into several
/// layers of such windows needs more.
pub fn bytes_worst(wire: usize, limit: usize) -> usize {
    let end = limit.saturating_add(1);
    let mut room = PIECE.min(end);
    let mut growing = room;
    while room < end {
        let next = grown(room, limit);
        growing = room + next;
        room = next;
    }
    let inflating = layers::bytes_worst()
        .saturating_add(wire)
        .saturating_add(growing);
    inflating.max(limit.saturating_mul(2))
}

/// What comes after so much room: twice as much, and where that is all that may be needed, one byte more, which shows that it is exceeded.
fn grown(room: usize, limit: usize) -> usize {
    match room.saturating_mul(2) {
        doubled if doubled < limit => doubled,
        _ => limit.saturating_add(1),
    }
}

/// Looks at the plain bytes as soon as they are there, on the thread that made them.
pub type Check = Box<dyn FnOnce(&Bytes) -> Result<(), Refusal> + Send>;

/// One body being inflated.
struct Inflation {
    reader: Reader,
    out: Vec<u8>,
    limit: usize,
    hold: Hold,
}

/// A body on its way to another thread.
enum Begun {
    Yes(Inflation),
    No(Bytes, Hold),
}

enum Progress {
    Done,
    More,
}

impl Inflater {
    /// As many turns as there may be.
    pub fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(turns_max())),
        }
    }

    /// The plain bytes, once `check` has let them pass, with their part of the allowance. `share` are the turns of the subscription.
    /// Whoever has no turn by `due` is to come again.
    pub async fn inflate(
        &self,
        wrapped: Wrapped,
        share: &Arc<Semaphore>,
        due: Instant,
        check: Option<Check>,
    ) -> Result<(Bytes, Hold), Refusal> {
        let Wrapped {
            wire,
            codings,
            limit,
            hold,
        } = wrapped;
        let checked = move |(plain, hold): (Bytes, Hold)| {
            check.map_or(Ok(()), |check| check(&plain))?;
            Ok((plain, hold))
        };
        let mut layers = codings.layers();
        let simple = matches!(
            (layers.next(), layers.next()),
            (Some(Coding::Gzip | Coding::Deflate), None)
        );
        let size = wire.len();
        let begun = if simple && size <= ON_THE_SPOT_MAX {
            let mut inflation = Inflation::open(wire, codings, limit, hold)?;
            match inflation.go_on(PIECE)? {
                Progress::Done => return checked(inflation.finish(size)),
                Progress::More => Begun::Yes(inflation),
            }
        } else {
            Begun::No(wire, hold)
        };
        // First its own: who waits for that must not hold what others could use.
        let turns = timeout_at(due, async {
            let own = Arc::clone(share).acquire_owned().await;
            let turn = Arc::clone(&self.turns).acquire_owned().await;
            own.and_then(|own| Ok((own, turn?)))
        });
        let Ok(Ok(turns)) = turns.await else {
            return Err(Refusal::Unavailable(Unavailable::Overloaded));
        };
        let work = tokio::task::spawn_blocking(move || {
            let inflated = match begun {
                Begun::Yes(inflation) => Ok(inflation),
                Begun::No(wire, hold) => Inflation::open(wire, codings, limit, hold),
            }
            .and_then(|mut inflation| {
                inflation.go_on(usize::MAX)?;
                checked(inflation.finish(size))
            });
            drop(turns); // also of a sender that has gone away meanwhile
            inflated
        });
        match work.await {
            Ok(inflated) => inflated,
            Err(error) => {
                tracing::error!(%error, "could not inflate a body");
                Err(Refusal::Unavailable(Unavailable::Overloaded))
            }
        }
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflation {
    fn open(wire: Bytes, codings: Codings, limit: usize, mut hold: Hold) -> Result<Self, Refusal> {
        hold.extend(layers::bytes_needed(&wire, codings))?;
        let reader = layers::open(wire, codings, limit).map_err(|error| refusal(&error, limit))?;
        Ok(Self {
            reader,
            out: Vec::new(),
            limit,
            hold,
        })
    }

    /// Reads on until the end, or until there are about so many bytes.
    fn go_on(&mut self, pause: usize) -> Result<Progress, Refusal> {
        loop {
            // One byte more than allowed, to see whether there is one.
            let allowed = self.limit.saturating_add(1).saturating_sub(self.out.len());
            let piece = allowed.min(PIECE);
            self.grow(piece)?;
            let read = self
                .reader
                .by_ref()
                .take(piece as u64)
                .read_to_end(&mut self.out)
                .map_err(|error| refusal(&error, self.limit))?;
            if self.out.len() > self.limit {
                return Err(Refusal::Inflates { limit: self.limit });
            }
            if read < piece {
                return Ok(Progress::Done);
            }
            if self.out.len() >= pause {
                return Ok(Progress::More);
            }
        }
    }

    /// Makes room, and pays for it first.
    fn grow(&mut self, piece: usize) -> Result<(), Refusal> {
        let (length, room) = (self.out.len(), self.out.capacity());
        if room - length >= piece {
            return Ok(());
        }
        let wanted = grown(room, self.limit).max(length + piece);
        // While it moves, the old room is there beside the new one.
        self.hold.extend(wanted)?;
        self.out.reserve_exact(wanted - length);
        self.hold.release(room);
        Ok(())
    }

    /// The plain bytes, and their part of the allowance.
    fn finish(mut self, wire: usize) -> (Bytes, Hold) {
        let paid = self.out.capacity();
        // As small bodies are copied out of read buffers: what waits for its confirm should not cost more than itself.
        let bytes = if self.out.len() <= COPY_MAX {
            Bytes::copy_from_slice(&self.out)
        } else {
            self.out.shrink_to_fit();
            Bytes::from(std::mem::take(&mut self.out))
        };
        drop(self.reader);
        let all = self.hold.bytes();
        debug_assert!(all >= paid.saturating_add(wire));
        self.hold.release(all.saturating_sub(bytes.len()));
        (bytes, self.hold)
    }
}

/// What a failed read means: too much between two layers, or bytes that are no such coding or end too early.
fn refusal(error: &io::Error, limit: usize) -> Refusal {
    match error.get_ref() {
        Some(source) if source.is::<TooMuch>() => Refusal::Inflates { limit },
        _ => Refusal::Garbled,
    }
}

#[cfg(test)]
mod tests;
