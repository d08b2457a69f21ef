//! Splitting: items with their exact bytes, and what cannot be split.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{BodyError, Mappings, Split, map, split};
use schema::BodyFormat;

fn items(format: &BodyFormat, body: &[u8]) -> Vec<String> {
    match split(format, body) {
        Split::Items(items) => {
            for (place, item) in items.iter().enumerate() {
                assert_eq!(item.index, place);
            }
            items
                .iter()
                .map(|item| String::from_utf8_lossy(&item.raw).into_owned())
                .collect()
        }
        Split::Unreadable { reason } => panic!("{reason}"),
    }
}

fn webhook(body: &str) -> Vec<String> {
    items(&BodyFormat::GenesysWebhook, body.as_bytes())
}

#[test]
fn one_object_an_array_and_lines_give_their_exact_bytes() {
    assert_eq!(webhook("{\"a\": 1.0}"), ["{\"a\": 1.0}"]);
    assert_eq!(webhook(" \r\n{\"a\":1,\"a\":2}\n\n"), ["{\"a\":1,\"a\":2}"]);
    assert_eq!(
        webhook("[{\"a\":\"]\\\"[\"} ,\n {\"b\":[1,{}]}]"),
        ["{\"a\":\"]\\\"[\"}", "{\"b\":[1,{}]}"]
    );
    assert_eq!(
        webhook("{\"a\":1}\n{\"b\":2}\r\n\r\n{\"c\":3}"),
        ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]
    );
    assert_eq!(
        webhook("[{\"a\":1}]\n[{\"b\":2},{\"c\":3}]\n"),
        ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]
    );
    assert_eq!(
        webhook("{\"a\":1}{\"b\":2} [{\"c\":3}]"),
        ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]
    );
    assert_eq!(webhook("\u{feff}{\"a\":1}"), ["{\"a\":1}"]);
    let pretty = "{\n  \"a\": [\n    {\"b\": 1}\n  ]\n}";
    assert_eq!(webhook(pretty), [pretty]);
}

#[test]
fn an_empty_array_has_no_items() {
    assert_eq!(webhook("[]"), [""; 0]);
    assert_eq!(webhook(" [ \n ] "), [""; 0]);
}

#[test]
fn pitfall_46_a_damaged_item_stands_alone() {
    // In an array, where the brackets still tell the elements apart.
    assert_eq!(
        webhook("[{\"a\":1},{\"b\":nope},{\"c\":3}]"),
        ["{\"a\":1}", "{\"b\":nope}", "{\"c\":3}"]
    );
    // In lines, whatever is wrong with one of them, the first included.
    assert_eq!(
        webhook("{\"a\":1}\n{\"b\":\n{\"c\":3}\n"),
        ["{\"a\":1}", "{\"b\":", "{\"c\":3}"]
    );
    assert_eq!(
        webhook("{\"a\":\"1}\n{\"b\":2}\nnonsense\n"),
        ["{\"a\":\"1}", "{\"b\":2}", "nonsense"]
    );
}

#[test]
fn forty_nine_of_fifty_are_mapped() {
    let event = |n: usize| {
        let interaction = if n == 20 {
            String::new()
        } else {
            format!("\"interaction_id\":\"int_{n}\",")
        };
        format!(
            "{{\"timestamp\":\"2024-05-15T14:32:10Z\",\"data\":{{{interaction}\"event_id\":\"e{n}\",\"state\":\"queued\"}}}}"
        )
    };
    let events: Vec<String> = (0..50).map(event).collect();
    for body in [format!("[{}]", events.join(",")), events.join("\n")] {
        let items = webhook(&body);
        assert_eq!(items, events);
        let bad: Vec<(usize, String)> = items
            .iter()
            .enumerate()
            .filter_map(|(n, raw)| {
                let error = map(
                    &BodyFormat::GenesysWebhook,
                    raw.as_bytes(),
                    &Mappings::none(),
                )
                .err()?;
                Some((n, error.field))
            })
            .collect();
        assert_eq!(bad, [(20, "data.interaction_id".to_owned())]);
    }
}

#[test]
fn what_has_no_items_to_tell_apart_is_unreadable_with_the_place() {
    let reason = |body: &[u8]| match split(&BodyFormat::GenesysWebhook, body) {
        Split::Unreadable { reason } => reason,
        other @ Split::Items(_) => panic!("{other:?}"),
    };
    assert_eq!(reason(b""), BodyError::Empty);
    assert_eq!(reason(b" \n"), BodyError::Empty);
    for (body, at) in [
        (&b"this is no JSON at all"[..], 0),
        (b"  <xml/>", 2),
        (b"{\"a\" 1, {\"b\":", 5),
        (b" [{\"a\":1},\n\n  {\"b\" oops", 19),
        (b"{\"a\":1} {\"b\" 2, {", 13),
        (b"[{\"a\":1} {\"b\":2}]", 9),
        (b"\xff\xfe\0", 0),
        (b"42 43", 0),
    ] {
        match reason(body) {
            BodyError::NotJson { at: found, .. } => {
                assert_eq!(found, at, "{}", String::from_utf8_lossy(body));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_body_that_ends_too_early_is_bare_or_compressed_is_said_to_be_so() {
    for (body, said) in [
        (&b"{\"a\":"[..], "the body ends at byte 5, inside an object"),
        (b"[{\"a\":1}", "the body ends at byte 8, inside an array"),
        (
            b"\xef\xbb\xbf{\"a\":\"+1555",
            "the body ends at byte 11, inside an object",
        ),
        (b"42", "the body is JSON, but neither object nor array"),
        (
            b" \"+15550100123\" ",
            "the body is JSON, but neither object nor array",
        ),
        (
            b"\x1f\x8b\x08",
            "the body is gzip, and no Content-Encoding says so",
        ),
    ] {
        match split(&BodyFormat::GenesysWebhook, body) {
            Split::Unreadable { reason } => assert_eq!(reason.to_string(), said),
            other @ Split::Items(_) => panic!("{other:?}"),
        }
    }
}

#[test]
fn pages_of_conversations_are_opened_and_an_absent_key_is_an_empty_page() {
    let details = |body: &str| items(&BodyFormat::GenesysDetails, body.as_bytes());
    let record = "{\"conversationId\":\"a\"}";
    for body in [
        record.to_owned(),
        format!("[{record}]"),
        format!("{{\"conversations\":[{record}],\"totalHits\":1}}"),
        format!("{{\"cursor\":\"x\",\"conversations\": [ {record} ] }}"),
    ] {
        assert_eq!(details(&body), [record], "{body}");
    }
    assert_eq!(
        details(&format!(
            "{{\"conversations\":[{record}]}}\n{{\"conversations\":[{record}]}}"
        )),
        [record, record]
    );
    for body in [
        "{}",
        "{\"totalHits\":0}",
        "{\"conversations\":[]}",
        "{\"conversations\":null,\"dataAvailabilityDate\":\"x\"}",
        "[]",
    ] {
        assert_eq!(details(body), [""; 0], "{body}");
    }
    // Something else is an item, and an error when it is mapped: it is not lost.
    assert_eq!(details("{\"users\":[]}"), ["{\"users\":[]}"]);
    assert_eq!(details("{\"conversations\":5}"), ["{\"conversations\":5}"]);
}

#[test]
fn every_csv_row_carries_its_header() {
    let format = BodyFormat::CxoneCallDetail {
        zone: "America/Denver".into(),
    };
    let body = "\u{feff}Contact_ID,start_date,start_time,contact_name\r\n1,01/02/2020,10:00:00,\"A \"\"B\"\"\nC\"\r\n\r\n2,01/02/2020,10:00:01,D";
    let header = "Contact_ID,start_date,start_time,contact_name";
    assert_eq!(
        items(&format, body.as_bytes()),
        [
            format!("{header}\n1,01/02/2020,10:00:00,\"A \"\"B\"\"\nC\"\n"),
            format!("{header}\n2,01/02/2020,10:00:01,D\n"),
        ]
    );
    assert_eq!(items(&format, header.as_bytes()), [""; 0]);
    let unreadable = |body: &str| match split(&format, body.as_bytes()) {
        Split::Unreadable { reason } => reason,
        other @ Split::Items(_) => panic!("{other:?}"),
    };
    assert_eq!(unreadable(""), BodyError::Empty);
    assert_eq!(
        unreadable("a,b\n1,2"),
        BodyError::Header {
            missing: "contact_id".into()
        }
    );
    assert_eq!(
        unreadable("contact_id,start_date\n1,2"),
        BodyError::Header {
            missing: "start_time".into()
        }
    );
}
