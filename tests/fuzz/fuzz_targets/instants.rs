//! Instants: what is read is shown as what is read again.
#![no_main]

use adapter::instant::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some(at) = parse(text) else { return };
    let shown = at.to_string();
    // An offset can lead out of the years of four digits: those are shown and not read.
    if shown.find('-') == Some(4) {
        assert_eq!(parse(&shown), Some(at), "{text} is {shown}");
    }
    assert_eq!(parse(&format!(" {text}\t")), Some(at));
});
