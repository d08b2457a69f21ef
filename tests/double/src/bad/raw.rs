//! Raw HTTP over TCP: whatever bytes, at whatever pace.

use super::Answer;
use std::io;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// What is sent.
pub(super) struct Parts {
    head: String,
    body: Vec<u8>,
    drip: Option<Duration>,
}

impl Parts {
    /// All at once.
    pub(super) fn whole(head: String, body: Vec<u8>) -> Self {
        Self {
            head,
            body,
            drip: None,
        }
    }

    /// The head at once, and then a byte at a time for ever.
    pub(super) fn dripping(head: String, pause: Duration) -> Self {
        Self {
            head,
            body: Vec::new(),
            drip: Some(pause),
        }
    }
}

/// The body in chunked form.
pub(super) fn chunks(body: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(body.len() + body.len() / 100 + 16);
    for chunk in body.chunks(4_000) {
        framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    framed
}

/// Sends, and reads at the same time: who refuses a body answers before all of it is there.
pub(super) async fn exchange(
    authority: &str,
    parts: Parts,
    patience: Duration,
) -> io::Result<Answer> {
    let began = Instant::now();
    let stream = TcpStream::connect(authority).await?;
    let (reader, writer) = stream.into_split();
    let sending = tokio::spawn(send(writer, parts));
    let received = tokio::time::timeout(patience, receive(reader)).await;
    sending.abort();
    let received = received.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
    let text = String::from_utf8_lossy(&received);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    Ok(Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
        elapsed: began.elapsed(),
    })
}

/// Sends until it is told to stop or nobody listens any more. Keeps its half open to the end: closing it would be an answer.
async fn send(mut writer: OwnedWriteHalf, parts: Parts) {
    let mut sent = writer.write_all(parts.head.as_bytes()).await;
    if sent.is_ok() {
        sent = writer.write_all(&parts.body).await;
    }
    while let (Ok(()), Some(pause)) = (&sent, parts.drip) {
        tokio::time::sleep(pause).await;
        sent = writer.write_all(b"x").await;
    }
    std::future::pending::<()>().await;
}

/// Everything up to the end of the connection. A reset after an answer leaves the answer.
async fn receive(mut reader: OwnedReadHalf) -> Vec<u8> {
    let mut received = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => return received,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
        }
        if is_complete(&received) {
            return received;
        }
    }
}

/// Whether head and announced body are there: not every server closes after an answer.
fn is_complete(received: &[u8]) -> bool {
    let text = String::from_utf8_lossy(received);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse::<usize>().ok())
        .is_some_and(|length| body.len() >= length)
}
