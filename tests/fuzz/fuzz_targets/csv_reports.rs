//! Bodies of the CSV reports.
#![no_main]

use kpiline_fuzz::invariants::{check_body, csv_formats, mappings};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static MAPPINGS: LazyLock<adapter::Mappings> = LazyLock::new(mappings);

fuzz_target!(|body: &[u8]| {
    for format in csv_formats() {
        check_body(&format, body, &MAPPINGS);
    }
});
