//! Bodies of every JSON format that has an adapter of its own: splitting, mapping, digests, errors.
#![no_main]

use kpiline_fuzz::invariants::{check_body, json_formats, mappings};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static MAPPINGS: LazyLock<adapter::Mappings> = LazyLock::new(mappings);

fuzz_target!(|body: &[u8]| {
    for format in json_formats() {
        check_body(&format, body, &MAPPINGS);
    }
});
