//! Where files go: an HTTP address, a folder, an S3-compatible store.

mod folder;
mod http;
mod s3;

pub use folder::FolderPlace;
pub use http::{HttpPlace, Manner};
pub use s3::S3Place;

use super::Feed;
use platform::breaker::Signal;
use platform::client::{CallError, Client};
use platform::outcome::{self, Verdict};
use runtime::chain;
use std::time::Duration;

/// A place for files, as the feeds file says.
#[derive(Debug, Clone)]
pub enum Place {
    /// Each is a request.
    Http(HttpPlace),
    /// Each is a file.
    Folder(FolderPlace),
    /// Each is an object.
    S3(S3Place),
}

/// One file that is to go.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// Its name, a relative path.
    pub name: String,
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What tells it from every other file: feed, interval and revision.
    pub key: String,
    /// What a receiver may want to know without opening it, as names and values of headers.
    pub about: Vec<(&'static str, String)>,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The receiver has it.
    Taken,
    /// It does not, or nobody knows.
    Failed {
        /// It certainly does not.
        is_absent: bool,
        /// How long it asked to wait.
        wait: Option<Duration>,
        /// The attempt does not count: it only asked to slow down.
        is_patient: bool,
        /// What happened, fit to be kept.
        why: String,
    },
}

impl Place {
    /// What files of different feeds could meet in, and what their names begin with there.
    #[must_use]
    pub fn shared(&self) -> (String, String) {
        match self {
            Self::Http(place) => (format!("http {}", place.url), String::new()),
            Self::Folder(place) => ("folder".to_owned(), format!("{}/", place.path.display())),
            Self::S3(place) => (
                format!("s3 {} {}", place.endpoint, place.bucket),
                place.prefix.clone(),
            ),
        }
    }

    /// What its breaker is known by: a receiver over HTTP has one, whichever feeds go there. A folder has none.
    #[must_use]
    pub fn breaker_name(&self) -> Option<String> {
        let host = |url: &url::Url| {
            let host = url.host_str().unwrap_or_default();
            let port = url
                .port()
                .map_or_else(String::new, |port| format!(":{port}"));
            format!("feeds {host}{port}")
        };
        match self {
            Self::Http(place) => Some(host(&place.url)),
            Self::S3(place) => Some(host(&place.endpoint)),
            Self::Folder(_) => None,
        }
    }
}

/// Sends the files of one feed.
#[derive(Debug)]
pub struct Sink {
    place: Place,
    client: Option<Client>,
}

impl Sink {
    /// Of a feed. A process-wide TLS provider must have been installed.
    pub fn new(feed: &Feed) -> Result<Self, CallError> {
        let client = match &feed.place {
            Place::Http(place) => Some(Client::new(&place.url, feed.timeouts)?),
            Place::S3(place) => Some(Client::new(&place.endpoint, feed.timeouts)?),
            Place::Folder(_) => None,
        };
        Ok(Self {
            place: feed.place.clone(),
            client,
        })
    }

    /// Sends one file, and says what that tells of the receiver's health.
    pub async fn send(&self, parcel: Parcel) -> (Fate, Signal) {
        match (&self.place, &self.client) {
            (Place::Http(place), Some(client)) => read(place.send(client, parcel).await),
            (Place::S3(place), Some(client)) => read(place.send(client, parcel).await),
            (Place::Folder(place), _) => (place.put(parcel).await, Signal::Neutral),
            (Place::Http(_) | Place::S3(_), None) => {
                (absent("there is no client"), Signal::Neutral)
            }
        }
    }
}

/// It certainly did not arrive.
fn absent(why: impl Into<String>) -> Fate {
    Fate::Failed {
        is_absent: true,
        wait: None,
        is_patient: false,
        why: why.into(),
    }
}

/// What an answer means for a file. Every 2xx has taken it.
fn read(answer: Result<outcome::Answer, CallError>) -> (Fate, Signal) {
    let answer = match answer {
        Ok(answer) if (200..300).contains(&answer.status) => return (Fate::Taken, Signal::Success),
        Ok(answer) => answer,
        Err(error) => {
            let fate = Fate::Failed {
                is_absent: error.nothing_happened(),
                wait: None,
                is_patient: false,
                why: chain(&error),
            };
            let signal = if error.is_trouble() {
                Signal::Failure
            } else {
                Signal::Neutral
            };
            return (fate, signal);
        }
    };
    let verdict: Verdict<()> = outcome::read(&answer, crate::send::now(), |_| None);
    let signal = verdict.signal();
    let failed = |is_absent, wait, is_patient, why| Fate::Failed {
        is_absent,
        wait,
        is_patient,
        why,
    };
    let fate = match verdict {
        Verdict::Rows(_) => Fate::Taken,
        Verdict::Slow { wait, why } => failed(true, Some(wait), true, why),
        Verdict::Halve { why } | Verdict::Unauthorised { why } | Verdict::Pause { why } => {
            failed(true, None, false, why)
        }
        Verdict::Broken { hint, why } => failed(true, hint, false, why),
        Verdict::Unknown { hint, why } => failed(false, hint, false, why),
    };
    (fate, signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> (Fate, Signal) {
        read(Ok(outcome::Answer {
            status,
            headers: vec![("retry-after".to_owned(), "7".to_owned())],
            body: b"<Error>no</Error>".to_vec(),
            platform_now: None,
        }))
    }

    #[test]
    fn an_answer_says_whether_the_receiver_has_the_file() {
        for status in [200, 201, 204] {
            assert_eq!(answered(status), (Fate::Taken, Signal::Success));
        }
        let seven = Some(Duration::from_secs(7));
        for (status, absent, asked, patient, expected) in [
            (301, true, None, false, Signal::Neutral),
            (400, true, None, false, Signal::Neutral),
            (403, true, None, false, Signal::Neutral),
            (429, true, seven, true, Signal::Neutral),
            (500, false, seven, false, Signal::Failure),
            (503, true, seven, false, Signal::Failure),
        ] {
            let (fate, signal) = answered(status);
            let Fate::Failed {
                is_absent,
                wait,
                is_patient,
                ..
            } = fate
            else {
                panic!("{status}: {fate:?}")
            };
            assert_eq!(
                (is_absent, wait, is_patient),
                (absent, asked, patient),
                "{status}"
            );
            assert_eq!(signal, expected, "{status}");
        }
    }
}
