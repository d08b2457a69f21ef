//! Files as requests.

use super::Parcel;
use platform::client::{CallError, Client, Method};
use platform::outcome::Answer;
use platform::secret::Secret;
use url::Url;

/// How a file is given over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As a new thing each time.
    Post,
    /// Under its name.
    Put,
}

/// An address that takes files.
#[derive(Debug, Clone)]
pub struct HttpPlace {
    /// The address, its path with `{file}` where the name of the file goes, or without.
    pub url: Url,
    /// How.
    pub manner: Manner,
    /// Headers of the receiver's own, its key among them.
    pub headers: Vec<(String, Secret)>,
}

impl HttpPlace {
    pub(super) async fn send(&self, client: &Client, parcel: Parcel) -> Result<Answer, CallError> {
        let method = match self.manner {
            Manner::Post => Method::Post,
            Manner::Put => Method::Put,
        };
        let mut headers = self.headers.clone();
        headers.push(("idempotency-key".to_owned(), Secret::new(parcel.key)));
        headers.push((
            "x-kpiline-file".to_owned(),
            Secret::new(parcel.name.clone()),
        ));
        let about = parcel.about.into_iter();
        headers
            .extend(about.map(|(name, value)| (format!("x-kpiline-{name}"), Secret::new(value))));
        let url = self.address(&parcel.name);
        client
            .send_raw(method, &url, &headers, parcel.content_type, parcel.bytes)
            .await
    }

    /// Whether the address has a place for the name of the file.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.url
            .path_segments()
            .is_some_and(|mut segments| segments.any(is_file))
    }

    /// The address of a file: its name in place of `{file}`, each part of it escaped.
    fn address(&self, name: &str) -> Url {
        let mut url = self.url.clone();
        let segments: Vec<String> = url
            .path_segments()
            .map(|segments| segments.map(str::to_owned).collect())
            .unwrap_or_default();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear();
            for segment in &segments {
                if is_file(segment) {
                    path.extend(name.split('/'));
                } else {
                    path.push(segment);
                }
            }
        }
        url
    }
}

/// Whether a part of the address stands for the file's name: `{file}`, whose braces are escaped in a path.
fn is_file(segment: &str) -> bool {
    segment == "{file}" || segment.eq_ignore_ascii_case("%7Bfile%7D")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_where_the_address_says() {
        for (url, name, expected) in [
            (
                "https://h.test/in/{file}",
                "a/b%2F_1.csv",
                "https://h.test/in/a/b%252F_1.csv",
            ),
            (
                "https://h.test/{file}?v=1",
                "b.csv",
                "https://h.test/b.csv?v=1",
            ),
            ("https://h.test/upload", "b.csv", "https://h.test/upload"),
        ] {
            let place = HttpPlace {
                url: Url::parse(url).unwrap(),
                manner: Manner::Put,
                headers: Vec::new(),
            };
            assert_eq!(place.address(name).as_str(), expected);
        }
    }
}
