//! Senders who do it wrong, each in one way: what an endpoint must withstand besides honest traffic.
//!
//! They speak raw TCP, because an HTTP library would not let them. Each says what it got for an answer; [`Case::due`] says what is
//! due to it.

mod raw;

use crate::emit::{Framing, Options};
use crate::sign::Signer;
use bytes::Bytes;
use std::time::Duration;

/// One way of doing it wrong (or unusually).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Case {
    /// A signature made with another secret.
    Forged,
    /// The signature of another body.
    Replaced,
    /// No signature at all.
    Unsigned,
    /// A signature that is no signature: the right header, rubbish in it.
    Rubbish,
    /// A signed body over the size limit, announced by its length.
    Oversized,
    /// The same without an announcement: chunked.
    OversizedChunked,
    /// A body that drips in, a byte at a time, and never ends.
    SlowBody,
    /// A head that drips in and never ends.
    SlowHead,
    /// A signed body of a type nobody offered to take.
    ContentType,
    /// A good body, chunked and without a length: unusual, but right.
    Chunked,
    /// A signed body that is no JSON.
    NotJson,
    /// A signed body that is JSON to its middle.
    Truncated,
    /// A good request with the wrong method.
    Method,
    /// A path that nobody subscribed.
    Path,
}

impl Case {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Forged,
        Self::Replaced,
        Self::Unsigned,
        Self::Rubbish,
        Self::Oversized,
        Self::OversizedChunked,
        Self::SlowBody,
        Self::SlowHead,
        Self::ContentType,
        Self::Chunked,
        Self::NotJson,
        Self::Truncated,
        Self::Method,
        Self::Path,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::Replaced => "replaced",
            Self::Unsigned => "unsigned",
            Self::Rubbish => "rubbish",
            Self::Oversized => "oversized",
            Self::OversizedChunked => "oversized-chunked",
            Self::SlowBody => "slow-body",
            Self::SlowHead => "slow-head",
            Self::ContentType => "content-type",
            Self::Chunked => "chunked",
            Self::NotJson => "not-json",
            Self::Truncated => "truncated",
            Self::Method => "method",
            Self::Path => "path",
        }
    }

    /// Whether this status is due to it. 0 stands for a connection closed without an answer, which is enough for a head that
    /// never ends: there is no request yet to answer.
    #[must_use]
    pub const fn due(self, status: u16) -> bool {
        match self {
            Self::Forged | Self::Replaced | Self::Unsigned | Self::Rubbish => status == 401,
            Self::Oversized | Self::OversizedChunked => status == 413,
            Self::SlowBody => status == 408,
            Self::SlowHead => matches!(status, 0 | 408),
            Self::ContentType => status == 415,
            Self::Chunked | Self::NotJson | Self::Truncated => matches!(status, 200..=299),
            Self::Method => status == 405,
            Self::Path => status == 404,
        }
    }
}

/// What a bad sender got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status; 0 when the connection ended without an answer.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// The body.
    pub body: String,
    /// From the first byte sent to the last one received.
    pub elapsed: Duration,
}

/// The senders, aimed at one endpoint.
#[derive(Debug, Clone)]
pub struct Kit {
    /// Where the endpoint is and how an honest sender signs.
    pub options: Options,
    /// Bytes in an oversized body: more than the endpoint takes.
    pub oversized: usize,
    /// Pause between the bytes of a slow sender.
    pub drip: Duration,
    /// How long a sender waits for its answer: longer than the endpoint's own patience.
    pub patience: Duration,
}

impl Kit {
    /// A kit for this endpoint: oversized is 16 MiB, a byte drips each 100 ms, patience is 60 s.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            oversized: 16 << 20,
            drip: Duration::from_millis(100),
            patience: Duration::from_secs(60),
        }
    }

    /// Plays one case. `good` is a body that an honest sender would send.
    ///
    /// # Errors
    /// When the endpoint cannot be reached, or does not answer within the kit's patience.
    pub async fn play(&self, case: Case, good: &[u8]) -> std::io::Result<Answer> {
        let (authority, path) = self.place()?;
        let signed = |body: &[u8]| {
            let signer = self.options.signer();
            signer.map_or_else(String::new, |signer| signer.sign(body))
        };
        let mut method = "POST";
        let mut path = path;
        let mut content_type = "application/json";
        let mut body = good.to_vec();
        match case {
            Case::Oversized | Case::OversizedChunked => body = filler(self.oversized),
            Case::NotJson => body = b"It was a quiet day in the contact centre.".to_vec(),
            Case::Truncated => body.truncate(good.len() / 2),
            Case::ContentType => content_type = "application/xml",
            Case::Method => method = "PUT",
            Case::Path => path = String::from("/nobody/subscribed/this"),
            _ => {}
        }
        let signature = match case {
            Case::Unsigned => None,
            Case::Rubbish => Some("%%% not a signature %%%".to_owned()),
            Case::Replaced => Some(signed(b"{}")),
            Case::Forged => Some(
                Signer::new(
                    b"another secret",
                    self.options.encoding,
                    self.options.prefix.clone(),
                )
                .sign(&body),
            ),
            _ => Some(signed(&body)),
        };
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\ncontent-type: {content_type}\r\n"
        );
        if let Some(signature) = signature {
            head = format!("{head}{}: {signature}\r\n", self.options.header);
        }
        let chunked = matches!(case, Case::Chunked | Case::OversizedChunked);
        match case {
            _ if chunked => head.push_str("transfer-encoding: chunked\r\n\r\n"),
            // More is announced than will ever come.
            Case::SlowBody => head.push_str("content-length: 100000\r\n\r\n"),
            Case::SlowHead => head.push_str("x-drip: "),
            _ => head = format!("{head}content-length: {}\r\n\r\n", body.len()),
        }
        let parts = match case {
            _ if chunked => raw::Parts::whole(head, raw::chunks(&body)),
            Case::SlowBody | Case::SlowHead => raw::Parts::dripping(head, self.drip),
            _ => raw::Parts::whole(head, body),
        };
        raw::exchange(&authority, parts, self.patience).await
    }

    fn place(&self) -> std::io::Result<(String, String)> {
        let bad = || std::io::Error::other(format!("{:?} is no http:// address", self.options.url));
        let url = url::Url::parse(&self.options.url).map_err(|_| bad())?;
        let host = url.host_str().ok_or_else(bad)?;
        let port = url.port_or_known_default().ok_or_else(bad)?;
        Ok((format!("{host}:{port}"), url.path().to_owned()))
    }
}

/// A JSON body of about so many bytes.
fn filler(bytes: usize) -> Vec<u8> {
    let mut body = b"{\"filler\":\"".to_vec();
    body.resize(bytes.max(16), b'x');
    body.extend_from_slice(b"\"}");
    body
}

/// A damaged item: its JSON, and the field that is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged {
    /// Its place in the body.
    pub index: usize,
    /// The field that is wrong.
    pub field: &'static str,
    /// Its bytes.
    pub raw: &'static str,
}

/// Three items that are wrong in three ways: without an interaction, with an instant that is none, with a duration that is none.
const DAMAGED: [(&str, &str); 3] = [
    (
        "data.interaction_id",
        r#"{"subscription_id":"s","event_type":"analytics:events:publish","timestamp":"2024-11-02T10:00:00.000Z","data":{"event_id":"evt_damaged_1","type":"telephony:call:ended","state":"completed","metrics":{}}}"#,
    ),
    (
        "timestamp",
        r#"{"subscription_id":"s","event_type":"analytics:events:publish","timestamp":"yesterday","data":{"event_id":"evt_damaged_2","interaction_id":"int_damaged_2","type":"telephony:call:ended","state":"completed","metrics":{}}}"#,
    ),
    (
        "data.metrics.talk_time_ms",
        r#"{"subscription_id":"s","event_type":"analytics:events:publish","timestamp":"2024-11-02T10:00:00.000Z","data":{"event_id":"evt_damaged_3","interaction_id":"int_damaged_3","type":"telephony:call:ended","state":"completed","metrics":{"talk_time_ms":"a while"}}}"#,
    ),
];

/// A delivery of the given events with three damaged items among them: near the start, in the middle, and last.
#[must_use]
pub fn mixed(events: &[Bytes], framing: Framing) -> (Bytes, [Damaged; 3]) {
    let total = events.len() + DAMAGED.len();
    let places = [17.min(total - 3), total / 2, total - 1];
    let damaged = std::array::from_fn(|n| Damaged {
        index: places[n],
        field: DAMAGED[n].0,
        raw: DAMAGED[n].1,
    });
    let mut items: Vec<Bytes> = events.to_vec();
    for item in &damaged {
        let place = item.index.min(items.len());
        items.insert(place, Bytes::from_static(item.raw.as_bytes()));
    }
    let mut options = Options::to(String::new(), String::new());
    options.per_post = items.len();
    options.framing = framing;
    let body = crate::emit::Plan::new(&options, items).body(0);
    (body.map(|body| body.bytes).unwrap_or_default(), damaged)
}

#[cfg(test)]
mod tests;
