//! One line for an error and all its causes.

use std::error::Error;

/// The error and its sources, joined by `: `. A source that its parent already prints is not repeated.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let part = source.to_string();
        if !text.ends_with(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    fn layers(texts: &[&'static str]) -> Layer {
        Layer {
            text: texts[0],
            source: (texts.len() > 1).then(|| Box::new(layers(&texts[1..]))),
        }
    }

    #[test]
    fn causes_follow_their_effect() {
        assert_eq!(chain(&layers(&["a", "b", "c"])), "a: b: c");
    }

    #[test]
    fn a_cause_that_is_already_printed_is_not_repeated() {
        assert_eq!(chain(&layers(&["failed: disk", "disk"])), "failed: disk");
    }
}
