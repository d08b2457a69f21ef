//! Bodies that a mapping file describes: the one that ships, and one with everything the language has.
#![no_main]

use kpiline_fuzz::invariants::{check_body, mapped_formats, mappings};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static MAPPINGS: LazyLock<adapter::Mappings> = LazyLock::new(mappings);

fuzz_target!(|body: &[u8]| {
    for format in mapped_formats() {
        check_body(&format, body, &MAPPINGS);
    }
});
