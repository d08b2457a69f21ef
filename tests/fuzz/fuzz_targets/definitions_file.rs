//! KPI definitions: any text is a definition, or a list of problems.
#![no_main]

use kpi::{Definition, Library};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static LIBRARY: LazyLock<Library> = LazyLock::new(Library::default);

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Definition::read("d.toml", text, &LIBRARY) {
        Ok(found) => assert!(!found.name().is_empty()),
        Err(problems) => assert!(!problems.is_empty()),
    }
});
