//! A connection's bytes: with those already looked at put back before the rest, and a limit on how long nothing may be taken by the
//! other side.
//!
//! A sender that asks and never reads its answers would hold a connection for ever: HTTP has time limits for heads and bodies only.

use bytes::{Buf as _, Bytes, BytesMut};
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How HTTP/2 begins where nobody said so before (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream of bytes under watch.
#[derive(Debug)]
pub struct Wire<T> {
    stream: T,
    /// Read already, and not yet handed on.
    seen: Bytes,
    patience: Duration,
    /// Runs while the other side takes nothing.
    stuck: Option<Pin<Box<Sleep>>>,
}

/// What the first bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// HTTP/2 by prior knowledge.
    Http2,
    /// Something else: HTTP/1.1 has to make sense of it.
    Http1,
    /// Nothing came.
    Closed,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    /// Watches a stream whose other side may take nothing for so long.
    pub fn new(stream: T, patience: Duration) -> Self {
        Self {
            stream,
            seen: Bytes::new(),
            patience,
            stuck: None,
        }
    }

    /// Reads until it is clear which protocol is spoken. Whatever was read will be read again. Cancelling it loses nothing but the
    /// connection's beginning: only whoever gives the connection up may do so.
    pub async fn opening(&mut self) -> io::Result<Opening> {
        let mut seen = BytesMut::with_capacity(4 * 1024);
        let opening = loop {
            if self.stream.read_buf(&mut seen).await? == 0 {
                let nothing = seen.is_empty();
                break if nothing {
                    Opening::Closed
                } else {
                    Opening::Http1
                };
            }
            let common = seen.len().min(PREFACE.len());
            if seen[..common] != PREFACE[..common] {
                break Opening::Http1;
            }
            if common == PREFACE.len() {
                break Opening::Http2;
            }
        };
        self.seen = seen.freeze();
        Ok(opening)
    }

    /// Whether a write that came to nothing has done so for too long.
    fn stuck<R>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<R>> {
        let patience = self.patience;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stuck.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn watched<R>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if polled.is_pending() {
            return self.stuck(context);
        }
        self.stuck = None;
        polled
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Wire<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.seen.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, into);
        }
        let count = this.seen.len().min(into.remaining());
        into.put_slice(&this.seen[..count]);
        this.seen.advance(count);
        if this.seen.is_empty() {
            this.seen = Bytes::new(); // the buffer is not needed any more
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.watched(context, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(context, parts);
        this.watched(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(context);
        this.watched(context, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_shutdown(context);
        this.watched(context, polled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt as _, duplex};

    const PATIENCE: Duration = Duration::from_secs(10);

    async fn opening(pieces: &[&[u8]]) -> (Opening, Vec<u8>) {
        let (mut client, server) = duplex(1024);
        let mut wire = Wire::new(server, PATIENCE);
        for piece in pieces {
            client.write_all(piece).await.unwrap();
        }
        drop(client);
        let opening = wire.opening().await.unwrap();
        let mut read = Vec::new();
        wire.read_to_end(&mut read).await.unwrap();
        (opening, read)
    }

    #[tokio::test]
    async fn the_protocol_is_recognised_and_nothing_is_lost() {
        for (pieces, expected) in [
            (&[&b"POST / HTTP/1.1\r\n"[..], b"host"][..], Opening::Http1),
            (&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore"], Opening::Http2),
            (
                &[b"PRI * HT", b"TP/2.0\r\n\r\nSM\r\n", b"\r\n"],
                Opening::Http2,
            ),
            (&[b"PRI * HTTP/2.0\r\n\r\nXX"], Opening::Http1),
            (&[b"PR"], Opening::Http1),
            (&[], Opening::Closed),
        ] {
            assert_eq!(opening(pieces).await, (expected, pieces.concat()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_is_left() {
        let (_client, server) = duplex(8);
        let mut wire = Wire::new(server, PATIENCE);
        let begun = tokio::time::Instant::now();
        let written = wire.write_all(b"more than fits").await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_a_little_at_a_time_is_not() {
        let (mut client, server) = duplex(8);
        let mut wire = Wire::new(server, PATIENCE);
        let reader = tokio::spawn(async move {
            let mut read = [0; 4];
            for _ in 0..5 {
                tokio::time::sleep(PATIENCE / 2).await; // the clock is the test's
                client.read_exact(&mut read).await.unwrap();
            }
        });
        wire.write_all(b"more than fits at once").await.unwrap();
        reader.await.unwrap();
    }
}
