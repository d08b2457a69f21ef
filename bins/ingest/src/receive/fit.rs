//! Whether the largest body of each subscription fits into the memory that it may take. One that does not would be refused whenever it
//! comes, and told each time to come again.

use super::Limits;
use super::gate::memory_share;
use super::inflate::bytes_worst;
use crate::subscriptions::Subscriptions;

/// What is wrong, one sentence for each subscription that does not fit.
pub fn problems(subscriptions: &Subscriptions, limits: &Limits) -> Vec<String> {
    let alone = subscriptions.list.len() == 1;
    let problem = |found: &crate::subscriptions::Subscription| {
        let share = memory_share(found.transport.bounds, limits, alone);
        let needed = bytes_worst(found.max_body_bytes, found.transport.max_inflated_bytes);
        (share < needed).then(|| {
            format!(
                "subscription `{}`: may take {share} bytes of --receive-memory-max, and one body may need {needed}, its decompression included: it could never be taken; allow more with `memory_percent` or --receive-memory-max, or less with `max_body_bytes` or `max_inflated_bytes`",
                found.name.as_str()
            )
        })
    };
    subscriptions.list.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::MEMORY_MIN;
    use crate::receive::gate::tests::limits;
    use crate::subscriptions::{Secrets, parse};
    use std::fmt::Write as _;
    use std::path::Path;

    fn check(memory_max: usize, settings: &[&str]) -> Vec<String> {
        let mut text = "version = 1\n".to_owned();
        for (n, settings) in settings.iter().enumerate() {
            writeln!(
                text,
                "[[subscription]]\nname = \"s{n}\"\npath = \"/{n}\"\ntenant = \"t\"\nformat = \"genesys-webhook\"\n{settings}"
            )
            .unwrap();
        }
        let path = Path::new(".");
        let read = parse("s.toml", &text, path, Secrets::NotNeeded, &|_| None).unwrap();
        let limits = Limits {
            memory_max,
            ..limits()
        };
        problems(&read, &limits)
    }

    #[test]
    fn what_could_never_be_taken_is_said() {
        let largest = "max_body_bytes = 15728640\nmax_inflated_bytes = 15728640";
        assert_eq!(check(MEMORY_MIN, &["", ""]), Vec::<String>::new());
        assert_eq!(check(MEMORY_MIN, &[largest]), Vec::<String>::new());
        assert_eq!(check(256 << 20, &[largest, largest]), Vec::<String>::new());
        let little = "[subscription.limits]\nmemory_percent = 10";
        for (memory, settings) in [(MEMORY_MIN, ["", largest]), (256 << 20, ["", little])] {
            let found = check(memory, &settings);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].starts_with("subscription `s1`: may take "),
                "{found:?}"
            );
        }
        assert_eq!(check(512 << 20, &["", little]), Vec::<String>::new());
    }
}
