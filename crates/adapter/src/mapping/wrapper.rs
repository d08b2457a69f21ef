//! What is around the items of a body: `items = "payload.events"`.
//!
//! A path of names that leads to the list. The items are cut out with their exact bytes, so that the log keeps each alone and a replay
//! reads it as it was read first; what the wrapper says beside its list is not seen by any path.

use crate::json;
use std::ops::Range;

/// Names of members from the outermost on; the last one has the items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrapper(pub(super) Vec<String>);

impl Wrapper {
    /// The items that stand in a value, if it is such a wrapper. A lone object stands for a list of one, `null` for an empty one.
    pub(super) fn open(&self, value: &[u8]) -> Option<Vec<Range<usize>>> {
        let mut at = 0..value.len();
        for name in &self.0 {
            if value.get(at.start) != Some(&b'{') {
                return None;
            }
            let members = json::members(value, at.start)?;
            // Of members with one name the last holds, as everywhere.
            let found = members
                .iter()
                .rev()
                .find(|(found, _)| value.get(found.clone()) == Some(name.as_bytes()));
            at = found?.1.clone();
        }
        match value.get(at.start)? {
            b'[' => json::elements(value, at.start).ok().map(|(all, _)| all),
            b'{' => Some(vec![at]),
            b'n' => Some(Vec::new()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(names: &[&str], value: &str) -> Option<Vec<String>> {
        let wrapper = Wrapper(names.iter().map(|&name| name.to_owned()).collect());
        let found = wrapper.open(value.as_bytes())?;
        Some(found.into_iter().map(|at| value[at].to_owned()).collect())
    }

    #[test]
    fn the_items_of_a_wrapper_are_cut_out_as_they_are() {
        let items = |of: &[&str]| Some(of.iter().map(|&item| item.to_owned()).collect());
        let path = &["a", "b"];
        assert_eq!(
            opened(path, r#"{"x":{},"a" : {"b": [ {"n": 1.0} , 2 ]}}"#),
            items(&[r#"{"n": 1.0}"#, "2"])
        );
        assert_eq!(opened(path, r#"{"a":{"b":{}}}"#), items(&["{}"]));
        assert_eq!(opened(path, r#"{"a":{"b":null}}"#), items(&[]));
        assert_eq!(
            opened(path, r#"{"a":{"b":[1]},"a":{"b":[2]}}"#),
            items(&["2"])
        );
        for value in [
            "{}",
            "[]",
            "",
            r#"{"a":[]}"#,
            r#"{"a":{"b":"text"}}"#,
            r#"{"a":{"b":[1"#,
        ] {
            assert_eq!(opened(path, value), None, "{value}");
        }
    }
}
