//! URLs of platforms.

use runtime::toml_file::{Section, TomlFile};
use url::Url;

/// Whether a URL may have a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// It is a whole address.
    Allowed,
    /// Paths are put behind it.
    Refused,
}

/// The URL of a host: http or https, without user and fragment. `None` where the member is absent, or no such URL.
pub fn http_url(
    file: &mut TomlFile<'_>,
    section: Section<'_>,
    key: &str,
    query: Query,
) -> Option<Url> {
    let (text, at) = file.text(section, key)?;
    if text.trim().is_empty() {
        file.problem(at, format_args!("`{key}` is empty"));
        return None;
    }
    let fits = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && (query == Query::Allowed || url.query().is_none())
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let url = Url::parse(text).ok().filter(fits);
    if url.is_none() {
        let without = match query {
            Query::Allowed => "user and fragment",
            Query::Refused => "user, query and fragment",
        };
        // The text may hold a password: it is not repeated.
        file.problem(
            at,
            format_args!("`{key}` is no URL such as https://host, without {without}"),
        );
    }
    url
}
