//! The `Authorization` header: a scheme and its credentials (RFC 9110, section 11.4).

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

/// More lines than this in one request are ignored.
pub(super) const LINES_MAX: usize = 4;

/// The credentials under this scheme, whose name has no case.
pub(super) fn credentials<'h>(
    headers: &'h HeaderMap,
    scheme: &'static str,
) -> impl Iterator<Item = &'h [u8]> {
    headers
        .get_all(AUTHORIZATION)
        .iter()
        .take(LINES_MAX)
        .filter_map(move |value| {
            let value = value.as_bytes().trim_ascii();
            let end = value.iter().position(|byte| *byte == b' ')?;
            let (stated, rest) = value.split_at(end);
            stated
                .eq_ignore_ascii_case(scheme.as_bytes())
                .then(|| rest.trim_ascii())
                .filter(|rest| !rest.is_empty())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_has_no_case_and_its_credentials_are_taken_as_they_are() {
        let mut headers = HeaderMap::new();
        for value in [
            "bearer abc",
            "BEARER  d e",
            "Bearer",
            "Basic eDp5",
            "Bearer fifth",
        ] {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        let bearer: Vec<_> = credentials(&headers, "Bearer").collect();
        assert_eq!(bearer, [&b"abc"[..], b"d e"]);
        assert_eq!(credentials(&headers, "Basic").count(), 1);
    }
}
