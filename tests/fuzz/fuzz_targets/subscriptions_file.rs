//! Subscriptions files: any text is a list of subscriptions, or of problems with lines.
#![no_main]

use ingest::subscriptions::{Secrets, parse};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for secrets in [Secrets::NotNeeded, Secrets::Required] {
        // No file is read: `file` names none under this folder.
        let folder = Path::new("/nonexistent");
        let variable = |_: &str| Some("secret".to_owned());
        match parse("s.toml", text, folder, secrets, &variable) {
            Ok(found) => assert!(!found.list.is_empty() && found.list.len() <= text.len()),
            Err(problems) => {
                assert!(!problems.is_empty());
                assert!(
                    problems
                        .iter()
                        .all(|problem| problem.starts_with("s.toml:"))
                );
            }
        }
    }
});
