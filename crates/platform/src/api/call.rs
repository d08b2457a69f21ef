//! One request as it is asked for.

use crate::client::{ANSWER_MAX, Method};
use serde_json::Value;

/// Bytes of an answer that carries history: a page of a thousand conversations may well be longer than any other answer.
pub const HISTORY_MAX: usize = 64 << 20;

/// One request of a platform's API.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// A short stable name of what is asked; limits of a platform's own may be on it.
    pub route: &'a str,
    /// What is done.
    pub method: Method,
    /// The path below the base URL, or a link that an answer gave.
    pub path: &'a str,
    /// The JSON body.
    pub body: Option<&'a Value>,
    /// Bytes of the answer that are read.
    pub longest: usize,
    /// A 403 says something about this request, never about the token.
    pub forbidden_is_final: bool,
    /// The answer may take minutes.
    pub slow: bool,
}

impl<'a> Call<'a> {
    /// Reads.
    #[must_use]
    pub const fn get(route: &'a str, path: &'a str) -> Self {
        Self::new(route, Method::Get, path, None)
    }

    /// Asks with a body.
    #[must_use]
    pub const fn post(route: &'a str, path: &'a str, body: &'a Value) -> Self {
        Self::new(route, Method::Post, path, Some(body))
    }

    /// Any request.
    #[must_use]
    pub const fn new(
        route: &'a str,
        method: Method,
        path: &'a str,
        body: Option<&'a Value>,
    ) -> Self {
        Self {
            route,
            method,
            path,
            body,
            longest: ANSWER_MAX,
            forbidden_is_final: false,
            slow: false,
        }
    }

    /// Its answer may be as long as a page of history.
    #[must_use]
    pub const fn of_history(self) -> Self {
        Self {
            longest: HISTORY_MAX,
            ..self
        }
    }
}

/// The route of a path that names none: its words, without query, versions and ids.
pub(super) fn route_of(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let mut route = String::new();
    for word in path.split('/') {
        // An id has digits in it (as a version and a host with a port have).
        let named = !word.is_empty() && !word.contains(|c: char| c.is_ascii_digit() || c == '.');
        if named && word != "api" {
            if !route.is_empty() {
                route.push('/');
            }
            route.push_str(word);
        }
    }
    route
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_route_whatever_its_ids_are() {
        for (path, route) in [
            ("/api/v2/integrations?pageNumber=2", "integrations"),
            (
                "/api/v2/processautomation/triggers/7f0c1b7e-aa11-4a31-8c2e-9d1e0c0f7a51",
                "processautomation/triggers",
            ),
            ("http://h.example.com/api/v2/users?x=1", "users"),
            ("", ""),
        ] {
            assert_eq!(route_of(path), route);
        }
    }
}
