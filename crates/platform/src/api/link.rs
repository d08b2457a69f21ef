//! Where a path, or a link that an answer gave, leads. Pure.

use super::ApiError;
use url::Url;

/// The URL of a path below a base, or of a link that an answer gave. The token goes to no other host.
pub(super) fn url(base: &Url, path: &str) -> Result<Url, ApiError> {
    let strange = || ApiError::Answer {
        path: path.to_owned(),
        problem: "leads to another host",
    };
    if path.starts_with("http://") || path.starts_with("https://") {
        let url = Url::parse(path).map_err(|_| strange())?;
        return if url.origin() == base.origin() {
            Ok(url)
        } else {
            Err(strange())
        };
    }
    let mut url = base.clone();
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let prefix = url.path().trim_end_matches('/').to_owned();
    // A link may repeat the base's own path.
    let full = if !prefix.is_empty() && path.starts_with(&format!("{prefix}/")) {
        path.to_owned()
    } else {
        format!("{prefix}/{}", path.trim_start_matches('/'))
    };
    url.set_path(&full);
    url.set_query(query);
    Ok(url)
}

/// What a platform hands out over TLS is not fetched without.
pub(super) fn may_be_followed(base: &Url, link: &Url) -> bool {
    link.scheme() == "https" || (link.scheme() == "http" && base.scheme() == "http")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_answers_stay_on_the_host_that_has_the_token() {
        let base = Url::parse("http://api.example.com/platform").unwrap();
        let at = |path: &str| url(&base, path).map(String::from).ok();
        let good = "http://api.example.com/platform/api/v2/x?pageNumber=2";
        assert_eq!(at("/api/v2/x?pageNumber=2").as_deref(), Some(good));
        assert_eq!(at("/platform/api/v2/x?pageNumber=2").as_deref(), Some(good));
        assert_eq!(at(good).as_deref(), Some(good));
        assert_eq!(at("https://elsewhere.example.com/api/v2/x"), None);
        assert_eq!(
            at("//elsewhere.example.com/x").as_deref(),
            Some("http://api.example.com/platform/elsewhere.example.com/x")
        );
    }

    #[test]
    fn a_link_does_not_lead_out_of_tls() {
        let parsed = |text| Url::parse(text).unwrap();
        let (plain, safe) = (
            parsed("http://a.example.com"),
            parsed("https://a.example.com"),
        );
        assert!(may_be_followed(
            &safe,
            &parsed("https://files.example.com/1")
        ));
        assert!(!may_be_followed(
            &safe,
            &parsed("http://files.example.com/1")
        ));
        assert!(may_be_followed(
            &plain,
            &parsed("http://files.example.com/1")
        ));
        assert!(!may_be_followed(&plain, &parsed("file:///etc/passwd")));
    }
}
