//! Reading a body within limits of size, time and memory.

use super::budget::Hold;
use super::decision::Refusal;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body;
use tokio::time::{Instant, timeout_at};

/// Bodies up to this size are copied out of the connection's read buffer, which can then be used again: a body that kept the
/// whole buffer alive while it waits would cost many times its own size.
pub(super) const COPY_MAX: usize = 16 * 1024;
/// What is read and thrown away of a refused body, so that the sender sees the answer and no reset.
const DRAIN_BYTES_MAX: usize = 32 << 20;

/// Reads the whole body. The limit counts bytes that arrived, whatever length was announced.
pub async fn read<B>(
    body: &mut B,
    limit: usize,
    deadline: Instant,
    hold: &mut Hold,
) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    let mut size = 0_usize;
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(Refusal::TooSlow),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(Refusal::Broken),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else {
            continue; // trailers say nothing about the body
        };
        size = size.saturating_add(data.len());
        if size > limit {
            return Err(Refusal::TooLarge { limit });
        }
        hold.extend(data.len())?;
        if size == data.len() {
            first = data;
            continue;
        }
        if joined.is_empty() {
            let expected = usize::try_from(body.size_hint().lower()).unwrap_or(0);
            joined.reserve(size.saturating_add(expected).min(limit));
            joined.extend_from_slice(&first);
        }
        joined.extend_from_slice(&data);
    }
    Ok(if !joined.is_empty() {
        joined.freeze()
    } else if first.len() <= COPY_MAX {
        Bytes::copy_from_slice(&first)
    } else {
        first
    })
}

/// Reads on and throws away, within bounds, what a refused sender is still sending.
pub async fn drain<B>(mut body: B, deadline: Instant)
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut size = 0_usize;
    while let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await {
        size = size.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        if size > DRAIN_BYTES_MAX {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::budget::Budget;
    use crate::receive::decision::Unavailable;
    use hyper::body::Frame;
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    /// A body that yields these pieces; after them it ends, fails or never ends.
    struct Pieces(VecDeque<&'static [u8]>, Ending);

    #[derive(Clone, Copy)]
    enum Ending {
        Well,
        Broken,
        Never,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            match (self.0.pop_front(), self.1) {
                (Some(piece), _) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece))))),
                (None, Ending::Well) => Poll::Ready(None),
                (None, Ending::Broken) => Poll::Ready(Some(Err("reset"))),
                (None, Ending::Never) => Poll::Pending,
            }
        }
    }

    async fn check(
        pieces: &[&'static [u8]],
        ending: Ending,
        budget: usize,
    ) -> Result<Bytes, Refusal> {
        let budget = Budget::new(budget);
        let mut body = Pieces(pieces.iter().copied().collect(), ending);
        let mut hold = budget.hold();
        let deadline = Instant::now() + Duration::from_secs(10);
        let read = read(&mut body, 8, deadline, &mut hold).await;
        drop(hold);
        assert_eq!(budget.used(), 0);
        read
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_are_joined_byte_for_byte() {
        assert_eq!(check(&[], Ending::Well, 99).await.unwrap(), "");
        assert_eq!(check(&[b"abc"], Ending::Well, 99).await.unwrap(), "abc");
        let joined = check(&[b"", b"ab", b"", b"cdefgh"], Ending::Well, 99).await;
        assert_eq!(joined.unwrap(), "abcdefgh");
    }

    #[tokio::test(start_paused = true)]
    async fn one_byte_too_many_is_refused_however_it_comes() {
        let limit = Refusal::TooLarge { limit: 8 };
        assert_eq!(
            check(&[b"123456789"], Ending::Well, 99).await,
            Err(limit.clone())
        );
        // Chunked and endless: refused at the ninth byte, without waiting for an end.
        assert_eq!(
            check(&[b"12345678", b"9"], Ending::Never, 99).await,
            Err(limit)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn slow_broken_and_unaffordable_bodies_differ() {
        assert_eq!(
            check(&[b"1"], Ending::Never, 99).await,
            Err(Refusal::TooSlow)
        );
        assert_eq!(
            check(&[b"1"], Ending::Broken, 99).await,
            Err(Refusal::Broken)
        );
        assert_eq!(
            check(&[b"1", b"2345"], Ending::Well, 4).await,
            Err(Refusal::Unavailable(Unavailable::Overloaded))
        );
    }
}
