//! Mapping files: any text is a mapping that maps, or a list of problems with lines.
#![no_main]

use adapter::{Mapping, Mappings};
use kpiline_fuzz::invariants::check_item;
use libfuzzer_sys::fuzz_target;
use schema::BodyFormat;

const ITEM: &[u8] =
    br#"{"id":"1","t":"2026-01-15T08:00:00","s":"End","a":{"b":[{"type":"agent","id":7}]}}"#;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Mapping::parse("m.toml", text) {
        Ok(mapping) => {
            let mappings = Mappings::none().with("m", mapping);
            let format = BodyFormat::Mapped {
                mapping: "m".into(),
            };
            // A mapping may have long names: what is bounded by the item is checked by the other targets.
            let found = adapter::map(&format, ITEM, &mappings);
            assert_eq!(found, adapter::map(&format, ITEM, &mappings));
            if text.len() < 200 {
                check_item(&format, ITEM, &mappings);
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            let lines = text.lines().count() + 1;
            for problem in problems {
                let line = problem
                    .strip_prefix("m.toml:")
                    .and_then(|rest| rest.split(':').next());
                let line: usize = line.and_then(|line| line.parse().ok()).expect(&problem);
                assert!((1..=lines).contains(&line), "{problem}");
            }
        }
    }
});
