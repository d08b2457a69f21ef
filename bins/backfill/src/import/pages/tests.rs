use super::*;
use proptest::prelude::*;

fn pages(text: &[u8], format: &BodyFormat, page_bytes: usize) -> Vec<Page> {
    let mut pages = Pages::new(Dribble(text), format, page_bytes).unwrap();
    let mut found = Vec::new();
    while let Some(page) = pages.read().unwrap() {
        found.push(page);
    }
    found
}

/// Gives a few bytes at a time, as a pipe may.
struct Dribble<'a>(&'a [u8]);

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.0.len().min(buffer.len()).min(7);
        let (now, later) = self.0.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.0 = later;
        Ok(length)
    }
}

/// The items that the adapter makes of the pages again; an unreadable page is its whole body.
fn items(pages: &[Page], format: &BodyFormat) -> Vec<String> {
    pages
        .iter()
        .flat_map(|page| match adapter::split(format, &page.body) {
            Split::Items(items) => {
                assert_eq!(
                    items.len(),
                    page.records as usize,
                    "{}",
                    String::from_utf8_lossy(&page.body)
                );
                items
                    .iter()
                    .map(|item| String::from_utf8_lossy(&item.raw).into_owned())
                    .collect::<Vec<_>>()
            }
            Split::Unreadable { .. } => {
                assert_eq!(page.records, 1);
                vec![String::from_utf8_lossy(&page.body).into_owned()]
            }
        })
        .collect()
}

fn details(text: &str) -> Vec<String> {
    let format = BodyFormat::GenesysDetails;
    items(&pages(text.as_bytes(), &format, 40), &format)
}

fn webhook(text: &str) -> Vec<String> {
    let format = BodyFormat::GenesysWebhook;
    items(&pages(text.as_bytes(), &format, 40), &format)
}

const A: &str = r#"{"conversationId":"a","x":"]}\"["}"#;
const B: &str = r#"{"conversationId":"b","y":[{},[1]]}"#;

#[test]
fn every_shape_of_file_gives_the_same_records() {
    for text in [
        format!("{A}\n{B}\n"),
        format!("\u{feff}{A}{B}"),
        format!("[{A},{B}]"),
        format!("[\n{A} ,\n {B}\n]\n"),
        format!("[{A}]\n[{B}]"),
        format!("{{\"conversations\":[{A},{B}]}}"),
        format!(
            "{{\n \"totalHits\": 2, \"o\": {{\"conversations\":[1]}},\n \"conversations\" : [ {A}, {B} ] , \"cursor\": \"x]\", \"n\": [{{}}] }}"
        ),
        format!("{{\"conversations\":[{A}]}}\n{{\"conversations\":[{B}],\"cursor\":null}}\n"),
    ] {
        assert_eq!(details(&text), [A, B], "{text}");
    }
    assert_eq!(details("[]"), [""; 0]);
    assert_eq!(details(" "), [""; 0]);
    assert_eq!(details("{\"conversations\":[]}"), [""; 0]);
}

#[test]
fn an_answer_without_results_is_no_record() {
    let format = BodyFormat::GenesysDetails;
    for text in [
        "{\"totalHits\":0}".to_owned(),
        format!("{{\"totalHits\":0}}\n{A}\n{B}"),
    ] {
        let pages = pages(text.as_bytes(), &format, 1000);
        let counted: u32 = pages.iter().map(|page| page.records).sum();
        assert_eq!(counted as usize, items(&pages, &format).len(), "{text}");
        assert_eq!(counted > 0, text.contains(A), "{text}");
    }
}

#[test]
fn answers_of_both_contact_apis_are_opened_also_inside_the_old_wrapper() {
    let shapes = [
        (
            "{\"totalRecords\":2,\"_links\":{\"next\":\"x\"},\"completedContacts\":[",
            "],\"lastPollTime\":\"t\"}",
        ),
        ("{\"contacts\":[", "]}"),
        (
            "{\"resultSet\":{\"businessUnitId\":\"1\",\"completedContacts\":[",
            "],\"totalRecords\":\"2\"}}",
        ),
        (
            "{ \"resultSet\" : { \"_links\":{} , \"contacts\" : [ ",
            " ] } , \"x\": [1] }",
        ),
        // The wrapper without a list is looked over.
        ("{\"resultSet\":{},\"completedContacts\":[", "]}"),
    ];
    let row = |number: u32| format!("{{\"contactId\":{number},\"contacts\":[{number}]}}");
    for (before, after) in shapes {
        let answer = format!("{before}{},{}{after}", row(1), row(2));
        // Answers one after the other, as they were appended to a file.
        let text = format!("{answer}\n{before}{}{after}\n", row(3));
        let format = BodyFormat::CxoneContacts;
        let found: Vec<String> = pages(text.as_bytes(), &format, 40)
            .iter()
            .map(|page| String::from_utf8(page.body.clone()).unwrap())
            .collect();
        let wanted: Vec<String> = (1..=3).map(|number| format!("[{}]", row(number))).collect();
        assert_eq!(found, wanted, "{text}");
    }
}

#[test]
fn contacts_are_cut_as_the_adapter_splits_them() {
    let format = BodyFormat::CxoneContacts;
    for text in [
        r#"{"contactId":1,"contacts":[7]}"#,
        r#"{"resultSet":{"contactId":"1","state":"EndContact"}}"#,
        r#"{"ResultSet":{"CompletedContacts":[{"contactId":1},{"contactId":2}]}}"#,
        r#"{"totalRecords":0,"_links":{}}"#,
        r#"{"resultSet":{"totalRecords":"0"}}"#,
        r#"{"completedContacts":[]}"#,
        r#"{"completedContacts":null,"totalRecords":0}"#,
        r#"[{"contactId":1},{"contactId":2}]"#,
        "{\"contactId\":1}\n{\"completedContacts\":[{\"contactId\":2}]}\n{\"contactId\":3}",
    ] {
        let Split::Items(split) = adapter::split(&format, text.as_bytes()) else {
            panic!("{text}");
        };
        let wanted: Vec<String> = split
            .iter()
            .map(|item| String::from_utf8_lossy(&item.raw).into_owned())
            .collect();
        let pages = pages(text.as_bytes(), &format, 1000);
        let found: Vec<String> = pages
            .iter()
            .flat_map(|page| match adapter::split(&format, &page.body) {
                Split::Items(items) => {
                    assert_eq!(items.len(), page.records as usize, "{text}");
                    items
                }
                Split::Unreadable { .. } => panic!("{text}"),
            })
            .map(|item| String::from_utf8_lossy(&item.raw).into_owned())
            .collect();
        assert_eq!(found, wanted, "{text}");
    }
}

#[test]
fn answers_about_agents_are_cut_as_the_adapter_splits_them() {
    let row = |number: u32| format!(r#"{{"stateIndex":{number},"agentId":7}}"#);
    let user = |number: u32| format!(r#"{{"userId":"{number}","primaryPresence":[{{}}]}}"#);
    let answer = |number: u32| {
        format!(
            r#"{{"status":"Complete","result":{{"agentSchedules":[{{"userId":"{number}"}},{{"userId":"x"}}],"businessUnitTimeZone":"UTC"}}}}"#
        )
    };
    let log = BodyFormat::CxoneAgentStateLog { zone: "UTC".into() };
    for (format, text, count) in [
        (
            BodyFormat::CxoneAgentStates,
            format!(
                "{{\"agentStateHistory\":[{},{}],\"totalRecords\":2}}",
                row(1),
                row(2)
            ),
            2,
        ),
        (
            BodyFormat::CxoneAgentStates,
            format!(
                "{{\"businessUnitId\":1,\"agentStateHistory\":{{\"entries\":[{},{}]}}}}",
                row(1),
                row(2)
            ),
            2,
        ),
        (
            BodyFormat::CxoneAgentStates,
            format!(
                "{{\"resultSet\":{{\"agentStateHistory\":{{\"entries\":[{}]}}}}}}",
                row(1)
            ),
            1,
        ),
        (
            BodyFormat::CxoneAgentStates,
            format!("{}\n{}\n", row(1), row(2)),
            2,
        ),
        (
            BodyFormat::CxoneAgentStates,
            "{\"totalRecords\":0}".to_owned(),
            0,
        ),
        (
            BodyFormat::GenesysUserDetails,
            format!(
                "{{\"userDetails\":[{},{}],\"totalHits\":2}}",
                user(1),
                user(2)
            ),
            2,
        ),
        (
            BodyFormat::GenesysUserDetails,
            format!("[{},{}]", user(1), user(2)),
            2,
        ),
        (
            BodyFormat::GenesysUserDetails,
            "{\"totalHits\":0}".to_owned(),
            0,
        ),
        (BodyFormat::GenesysSchedules, answer(1), 2),
        (
            BodyFormat::GenesysSchedules,
            format!("{}\n{}\n", answer(1), answer(2)),
            4,
        ),
        (
            log,
            "Agent_No,Start_Date\n1,5/4/2026 8:00:00 AM\n2,5/4/2026 8:00:00 AM\n".to_owned(),
            2,
        ),
    ] {
        let Split::Items(whole) = adapter::split(&format, text.as_bytes()) else {
            panic!("{text}")
        };
        let wanted: Vec<String> = whole
            .iter()
            .map(|item| String::from_utf8_lossy(&item.raw).into_owned())
            .collect();
        assert_eq!(wanted.len(), count, "{text}");
        for bytes in [1, 40, 10_000] {
            let pages = pages(text.as_bytes(), &format, bytes);
            assert_eq!(items(&pages, &format), wanted, "{text}");
        }
    }
}

#[test]
fn a_pretty_record_is_one_record() {
    let pretty = "{\n  \"conversationId\": \"a\",\n  \"participants\": [\n    {}\n  ]\n}";
    assert_eq!(details(pretty), [pretty]);
    assert_eq!(details(&format!("[{pretty},{A}]")), [pretty, A]);
    assert_eq!(details(&format!("{pretty}\n{pretty}")), [pretty, pretty]);
}

#[test]
fn webhook_events_are_no_pages() {
    let event = r#"{"conversations":[1,2],"data":{}}"#;
    assert_eq!(webhook(&format!("{event}\n{event}")), [event, event]);
}

#[test]
fn a_broken_line_stands_alone() {
    assert_eq!(
        webhook("{\"a\":1}\n{\"b\":\n{\"c\":3}\n"),
        ["{\"a\":1}", "{\"b\":", "{\"c\":3}"]
    );
    assert_eq!(
        webhook("{\"a\":1}\n{\"b\":\"2}\n{\"c\":3}\nnonsense\n{\"d\":4}"),
        [
            "{\"a\":1}",
            "{\"b\":\"2}",
            "{\"c\":3}",
            "nonsense",
            "{\"d\":4}"
        ]
    );
    assert_eq!(webhook("{\"a\":1}\n{\"b\":"), ["{\"a\":1}", "{\"b\":"]);
}

#[test]
fn a_file_that_was_cut_off_gives_what_it_has_and_then_says_where() {
    let mut pages = Pages::new(
        &b"[{\"a\":1},{\"b\":2}"[..],
        &BodyFormat::GenesysWebhook,
        10,
    )
    .unwrap();
    assert_eq!(pages.read().unwrap().unwrap().body, b"[{\"a\":1}]");
    assert_eq!(pages.read().unwrap().unwrap().body, b"[{\"b\":2}]");
    let error = pages.read().unwrap_err().to_string();
    assert_eq!(error, "at byte 16: the array does not end");
    let mut pages =
        Pages::new(&b"[{\"a\":1},{\"b\":"[..], &BodyFormat::GenesysWebhook, 100).unwrap();
    assert_eq!(pages.read().unwrap().unwrap().body, b"[{\"a\":1}]");
    assert_eq!(pages.read().unwrap().unwrap().body, b"{\"b\":");
    assert!(pages.read().is_err());
}

#[test]
fn a_record_without_an_end_is_not_read_into_memory_whole() {
    let endless = std::io::Cursor::new(b"[{\"a\":\"").chain(std::io::repeat(b'x'));
    let mut pages = Pages::new(endless, &BodyFormat::GenesysWebhook, 100).unwrap();
    assert!(pages.read().unwrap_err().to_string().contains("8 MiB"));
}

/// The adapter opens the answer of a report's job; read as lines it would be a header without rows, and nothing imported a success.
#[test]
fn the_answer_around_a_report_is_refused_and_not_read_as_a_report_without_rows() {
    let format = BodyFormat::CxoneCallDetail {
        zone: "America/Denver".into(),
    };
    let text = br#"{"file":"Y29udGFjdF9pZCxzdGFydF9kYXRlLHN0YXJ0X3RpbWUK"}"#;
    assert_eq!(
        adapter::split(&format, text),
        Split::Items(vec![]),
        "over HTTP it is a report"
    );
    let error = Pages::new(&text[..], &format, 100).err().unwrap();
    assert!(error.is_for_good());
    assert!(error.to_string().contains("decode its `file`"), "{error}");
}

#[test]
fn states_of_contacts_and_digital_events_are_read_as_they_come() {
    let states = BodyFormat::CxoneContactStates;
    let rows = [
        r#"{"stateIndex":0,"contactId":"1"}"#,
        r#"{"stateIndex":1,"contactId":"1"}"#,
    ];
    let answer = format!(r#"{{"contactStateHistory":[{},{}]}}"#, rows[0], rows[1]);
    assert_eq!(items(&pages(answer.as_bytes(), &states, 40), &states), rows);
    let wrapped = format!(r#"{{"resultSet":{answer}}}"#);
    assert_eq!(
        items(&pages(wrapped.as_bytes(), &states, 400), &states),
        rows
    );
    let digital = BodyFormat::CxoneDigital;
    let events = r#"[{"eventType":"CaseCreated"},{"eventType":"x"}]"#;
    assert_eq!(
        items(&pages(events.as_bytes(), &digital, 10), &digital).len(),
        2
    );
}

#[test]
fn csv_pages_repeat_the_header_and_keep_quoted_line_ends() {
    let format = BodyFormat::CxoneCallDetail {
        zone: "America/Denver".into(),
    };
    let text = b"\xef\xbb\xbfcontact_id,start_date,start_time,contact_name\r\n1,d,t,\"x\r\n,\"\"y\"\r\n\r\n2,d,t,z\r\n3,d,t,z";
    let pages = pages(text, &format, 70);
    assert_eq!(pages.len(), 2);
    assert!(pages.iter().all(|page| {
        page.body
            .starts_with(b"contact_id,start_date,start_time,contact_name\n")
    }));
    let header = "contact_id,start_date,start_time,contact_name\n";
    assert_eq!(
        items(&pages, &format),
        [
            format!("{header}1,d,t,\"x\r\n,\"\"y\"\n"),
            format!("{header}2,d,t,z\n"),
            format!("{header}3,d,t,z\n"),
        ]
    );
    assert_eq!(pages[1].position, text.len() as u64);
}

#[test]
fn a_row_whose_quote_is_not_closed_stands_alone_and_the_file_goes_on() {
    let format = BodyFormat::CxoneCallDetail {
        zone: "America/Denver".into(),
    };
    let header = "contact_id,start_date,start_time,contact_name\n";
    let item = |row: &str| format!("{header}{row}\n");
    // More than a row may be lies behind the quote.
    let many = "7,d,t,5\" screen\n".repeat(80_000);
    let text = format!("{header}1,d,t,a\n2,d,\"t,b\n3,d,t,\"c\nd\"\n4,\"d,t,e\n{many}8,d,t,\"f");
    let pages = pages(text.as_bytes(), &format, 4096);
    let items = items(&pages, &format);
    assert_eq!(items.len(), 80_005);
    assert_eq!(
        items[..4],
        [
            item("1,d,t,a"),
            item("2,d,\"t,b"),
            item("3,d,t,\"c\nd\""),
            item("4,\"d,t,e")
        ]
    );
    assert!(
        items[4..80_004]
            .iter()
            .all(|row| *row == item("7,d,t,5\" screen"))
    );
    assert_eq!(items[80_004], item("8,d,t,\"f"));
    let alone = pages
        .iter()
        .filter(|page| page.records == 1 && page.body.ends_with(b"\"t,b\n"));
    assert_eq!(alone.count(), 1);
}

#[test]
fn a_row_without_an_end_is_not_read_into_memory_whole() {
    let format = BodyFormat::CxoneCallDetail {
        zone: "America/Denver".into(),
    };
    for cell in ["", "\""] {
        // The row before it is given out first.
        let head = format!("contact_id,start_date,start_time\n1,d,t\n2,d,{cell}");
        let endless = std::io::Cursor::new(head).chain(std::io::repeat(b'x'));
        let mut pages = Pages::new(endless, &format, 10).unwrap();
        assert_eq!(pages.read().unwrap().unwrap().records, 1);
        let error = pages.read().unwrap_err().to_string();
        assert!(error.contains("1 MiB"), "{error}");
    }
    assert!(Pages::new(std::io::repeat(b'x'), &format, 10).is_err());
}

#[test]
fn a_file_of_another_report_is_refused_by_its_header() {
    let format = BodyFormat::CxoneCallDetail {
        zone: "America/Denver".into(),
    };
    let error = Pages::new(&b"a,b\n1,2\n"[..], &format, 100).unwrap_err();
    assert!(error.to_string().contains("contact_id"), "{error}");
    assert!(Pages::new(&b""[..], &format, 100).is_err());
}

#[test]
fn pages_are_bounded_by_bytes_and_by_records() {
    let event = format!("{{\"a\":\"{}\"}}", "x".repeat(90));
    let text = vec![event.as_str(); 50].join("\n");
    let cut = pages(text.as_bytes(), &BodyFormat::GenesysWebhook, 1000);
    assert!(
        cut.iter().all(|page| page.body.len() <= 1001),
        "one closing bracket more"
    );
    assert_eq!(cut.iter().map(|page| page.records).sum::<u32>(), 50);
    assert!(cut.len() <= 6);
    let small = "{}\n".repeat(2500);
    let records: Vec<u32> = pages(small.as_bytes(), &BodyFormat::GenesysWebhook, 1 << 20)
        .iter()
        .map(|page| page.records)
        .collect();
    assert_eq!(records, [1000, 1000, 500]);
    // A record that is larger than a page is a page of its own.
    assert_eq!(
        pages(text.as_bytes(), &BodyFormat::GenesysWebhook, 50).len(),
        50
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_cutter_panic_or_lose_a_byte_of_a_line(text in "[\\[\\]{}\",:\\\\a1 \n]{0,80}", bytes in 1_usize..60) {
        for format in [BodyFormat::GenesysDetails, BodyFormat::CxoneContacts, BodyFormat::GenesysWebhook] {
            let mut pages = Pages::new(Dribble(text.as_bytes()), &format, bytes).unwrap();
            for _ in 0..200 {
                match pages.read() {
                    Ok(Some(page)) => {
                        prop_assert!(page.position <= text.len() as u64);
                        // --wait waits for so many. What is broken may fall into more; of an answer without results there is none.
                        let found = match adapter::split(&format, &page.body) {
                            Split::Items(items) => items.len(),
                            Split::Unreadable { .. } => 1,
                        };
                        prop_assert!(found >= page.records as usize, "{found} of {}", page.records);
                    }
                    Ok(None) | Err(_) => break,
                }
            }
        }
    }

    #[test]
    fn cutting_and_splitting_gives_the_records_back(
        texts in prop::collection::vec("\\{\"k\":(\"[a\\]\\[{}, ]{0,12}\"|[0-9]{1,5}|\\[\\{\\},\\{\\}\\])\\}", 0..40),
        bytes in 1_usize..200,
        joint in prop::sample::select(vec!["\n", "\r\n", "\n\n", ""]),
    ) {
        let format = BodyFormat::GenesysWebhook;
        let whole = texts.join(joint);
        prop_assert_eq!(items(&pages(whole.as_bytes(), &format, bytes), &format), texts.clone());
        let array = format!("[{}]", texts.join(" ,\n"));
        prop_assert_eq!(items(&pages(array.as_bytes(), &format, bytes), &format), texts);
    }
}
