//! The digest of any bytes: a function of the content, and of nothing else.
#![no_main]

use adapter::digest;
use kpiline_fuzz::respell::respelled;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let found = digest(bytes);
    assert_eq!(found, digest(bytes));
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    assert_eq!(found, digest(&respelled(bytes)));
    // Sorted, without white space, of members with one name the last: the same unless a number is spelled otherwise.
    let canonical = value.to_string();
    let again: Value = serde_json::from_str(&canonical).expect("what was written can be read");
    if again == value {
        assert_eq!(
            digest(canonical.as_bytes()),
            digest(&respelled(canonical.as_bytes()))
        );
    }
});
