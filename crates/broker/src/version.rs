//! Which broker this is.
//!
//! The client library does not pass on what the server says of itself, so one short connection reads the server's greeting and leaves.

use crate::connection::Shared;
use crate::error::BrokerError;
use crate::secured;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use lapin::tcp::AMQPUriTcpExt as _;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

/// The greeting is well below this.
const GREETING_MAX: usize = 64 * 1024;
/// Type, channel and size of a frame.
const FRAME_HEADER: usize = 7;

/// A server's version, as far as decisions depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerVersion {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

impl ServerVersion {
    /// Since 4.0 a quorum queue drops a message after 20 deliveries unless told otherwise; before, telling it would drop them at once.
    pub(crate) const fn has_default_delivery_limit(self) -> bool {
        self.major >= 4
    }

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(['.', '-', '+']).map(str::parse);
        Some(Self {
            major: numbers.next()?.ok()?,
            minor: numbers.next()?.ok()?,
        })
    }
}

/// What servers said, by host and port. Asking leaves a warning in the server's log, so each is asked once by a process.
static KNOWN: Mutex<BTreeMap<(String, u16), Option<ServerVersion>>> = Mutex::new(BTreeMap::new());

/// Asks the server, or remembers. `None` when it does not say, or not in numbers.
pub(crate) async fn ask(shared: &Shared) -> Result<Option<ServerVersion>, BrokerError> {
    let authority = &shared.uri.authority;
    let key = (authority.host.clone(), authority.port);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(version) = known().get(&key) {
        return Ok(*version);
    }
    let doing = "asking for the broker's version";
    // Boxed and nameless, as when the connection is made.
    let asked: Pin<Box<dyn Future<Output = _> + Send + '_>> =
        Box::pin(async { greeting(shared).await.map_err(lapin::Error::from) });
    let greeting = shared.within(doing, asked).await?;
    let version = version_in(&greeting).and_then(|text| ServerVersion::parse(&text));
    known().insert(key, version);
    Ok(version)
}

async fn greeting(shared: &Shared) -> io::Result<Vec<u8>> {
    let runtime = lapin::runtime::default_runtime().map_err(io::Error::other)?;
    let stream = secured::plain(&shared.uri).connect_async(&runtime).await?;
    let mut stream = shared.security.over(stream, &shared.uri).await?;
    stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
    stream.flush().await?;
    let mut header = [0; FRAME_HEADER];
    stream.read_exact(&mut header).await?;
    let [_, _, _, size @ ..] = header;
    let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if size > GREETING_MAX {
        return Err(io::Error::other(
            "the server's greeting is no AMQP 0-9-1 frame",
        ));
    }
    let mut body = vec![0; size];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

/// The value of the server property `version`: a short string as key, then `S`, a length of four bytes, and the text.
fn version_in(greeting: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\x07versionS";
    let start = greeting.windows(KEY.len()).position(|part| part == KEY)? + KEY.len();
    let length = greeting.get(start..start + 4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let text = greeting
        .get(start + 4..)?
        .get(..usize::try_from(length).ok()?)?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_among_the_properties() {
        let greeting = b"\x00\x0a\x00\x0a\x00\x09\x00\x00\x00\x40\x07productS\x00\x00\x00\x08RabbitMQ\x07versionS\x00\x00\x00\x063.10.8";
        assert_eq!(version_in(greeting).unwrap(), "3.10.8");
        assert_eq!(version_in(&greeting[..greeting.len() - 1]), None);
        assert_eq!(version_in(b"nothing"), None);
    }

    #[test]
    fn only_the_fourth_generation_has_a_default_limit() {
        let limit = |text| {
            ServerVersion::parse(text)
                .unwrap()
                .has_default_delivery_limit()
        };
        assert!(!limit("3.10.8"));
        assert!(!limit("3.13.7"));
        assert!(limit("4.0.0-beta.1"));
        assert!(limit("4.2"));
        assert_eq!(ServerVersion::parse("unknown"), None);
    }
}
