use super::*;
use proptest::prelude::*;

fn pages(text: &[u8], format: &BodyFormat, page_bytes: usize) -> Vec<Page> {
    let mut pages = begin(Dribble(text), format, page_bytes).unwrap();
    let mut found = Vec::new();
    while let Some(page) = pages.read().unwrap() {
        found.push(page);
    }
    found
}

/// Begins to read a file of a format that needs no mapping.
fn begin<R: Read>(
    source: R,
    format: &BodyFormat,
    page_bytes: usize,
) -> Result<Pages<R>, ReadError> {
    Pages::new(source, format, Arc::new(Mappings::none()), page_bytes)
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
    let mut pages = begin(
        &b"[{\"a\":1},{\"b\":2}"[..],
        &BodyFormat::GenesysWebhook,
        10,
    )
    .unwrap();
    assert_eq!(pages.read().unwrap().unwrap().body, b"[{\"a\":1}]");
    assert_eq!(pages.read().unwrap().unwrap().body, b"[{\"b\":2}]");
    let error = pages.read().unwrap_err().to_string();
    assert_eq!(error, "at byte 16: the array does not end");
    let mut pages = begin(&b"[{\"a\":1},{\"b\":"[..], &BodyFormat::GenesysWebhook, 100).unwrap();
    assert_eq!(pages.read().unwrap().unwrap().body, b"[{\"a\":1}]");
    assert_eq!(pages.read().unwrap().unwrap().body, b"{\"b\":");
    assert!(pages.read().is_err());
}

#[test]
fn a_record_without_an_end_is_not_read_into_memory_whole() {
    let endless = std::io::Cursor::new(b"[{\"a\":\"").chain(std::io::repeat(b'x'));
    let mut pages = begin(endless, &BodyFormat::GenesysWebhook, 100).unwrap();
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
    let error = begin(&text[..], &format, 100).err().unwrap();
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
        let mut pages = begin(endless, &format, 10).unwrap();
        assert_eq!(pages.read().unwrap().unwrap().records, 1);
        let error = pages.read().unwrap_err().to_string();
        assert!(error.contains("1 MiB"), "{error}");
    }
    assert!(begin(std::io::repeat(b'x'), &format, 10).is_err());
}

#[test]
fn a_file_of_another_report_is_refused_by_its_header() {
    let format = BodyFormat::CxoneCallDetail {
        zone: "America/Denver".into(),
    };
    let error = begin(&b"a,b\n1,2\n"[..], &format, 100).unwrap_err();
    assert!(error.to_string().contains("contact_id"), "{error}");
    assert!(begin(&b""[..], &format, 100).is_err());
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

/// Reads a file page by page, each time anew from the mark of the page before, as a worker does that takes a chunk over.
fn handed_over(text: &[u8], format: &BodyFormat, mappings: &Arc<Mappings>, bytes: usize) -> Vec<Page> {
    let mut found: Vec<Page> = Vec::new();
    loop {
        let mut pages = Pages::new(Dribble(text), format, Arc::clone(mappings), bytes).unwrap();
        if let Some(last) = found.last() {
            // As the cursor keeps it.
            let kept = serde_json::to_string(&last.next).unwrap();
            let mark: Mark = serde_json::from_str(&kept).unwrap();
            let from = usize::try_from(mark.offset).unwrap();
            pages.resume(Dribble(&text[from..]), mark);
        }
        match pages.read() {
            Ok(Some(page)) => found.push(page),
            Ok(None) | Err(_) => return found,
        }
    }
}

fn through(text: &[u8], format: &BodyFormat, mappings: &Arc<Mappings>, bytes: usize) -> Vec<Page> {
    let mut pages = Pages::new(Dribble(text), format, Arc::clone(mappings), bytes).unwrap();
    let mut found = Vec::new();
    while let Ok(Some(page)) = pages.read() {
        found.push(page);
    }
    found
}

fn mapped(file: &str) -> (BodyFormat, Arc<Mappings>) {
    let format = BodyFormat::Mapped {
        mapping: "m".into(),
    };
    let rest = "[event]\nat = \"at\"\ninteraction = \"id\"\nstate = { path = \"state\", other = \"keep\" }\n";
    let mapping = Mapping::parse("m.toml", &format!("version = 1\n{file}{rest}")).unwrap();
    (format, Arc::new(Mappings::none().with("m", mapping)))
}

/// The items that normalise makes of the pages.
fn items_of(pages: &[Page], format: &BodyFormat, mappings: &Mappings) -> Vec<String> {
    let mut found = Vec::new();
    for page in pages {
        let Split::Items(items) = adapter::split_with(format, &page.body, mappings) else {
            panic!("{}", String::from_utf8_lossy(&page.body))
        };
        assert_eq!(items.len(), page.records as usize);
        found.extend(items.iter().map(|item| String::from_utf8_lossy(&item.raw).into_owned()));
    }
    found
}

#[test]
fn rows_of_any_file_are_cut_as_its_mapping_says() {
    let (format, mappings) = mapped("[csv]\nseparator = \";\"\n");
    let text = "\u{feff}id;at;state;note\r\n1;t;s;\"a;\r\nb\"\r\n2;t;\"s\r\n3;t;s;\r\n;;;\r\n4;t;s;x";
    let pages = through(text.as_bytes(), &format, &mappings, 45);
    let header = "id;at;state;note\n";
    assert_eq!(
        items_of(&pages, &format, &mappings),
        [
            "1;t;s;\"a;\r\nb\"",
            "2;t;\"s",
            "3;t;s;",
            ";;;",
            "4;t;s;x"
        ]
        .map(|row| format!("{header}{row}\n")),
        "a quote that is not closed costs its own row"
    );
    // JSON is JSON, whatever the mapping says of rows.
    let text = " [{\"id\":1},{\"id\":2}]";
    let pages = through(text.as_bytes(), &format, &mappings, 45);
    assert_eq!(
        items_of(&pages, &format, &mappings),
        ["{\"id\":1}", "{\"id\":2}"]
    );
    // A file of another kind is refused by its header.
    let error = Pages::new(&b"a;b\n1;2\n"[..], &format, mappings, 100).unwrap_err();
    assert!(error.to_string().contains("id"), "{error}");
}

#[test]
fn what_a_mapping_says_is_around_the_items_is_read_a_little_at_a_time() {
    let (format, mappings) = mapped("items = [\"payload.events\", \"list\"]\n");
    let item = |n: u32| format!("{{\"id\":{n},\"list\":[{n}]}}");
    let many: Vec<String> = (1..=40).map(item).collect();
    for (before, after) in [
        ("{\"list\":[", "],\"more\":{\"list\":[5]}}"),
        ("{\"payload\":{\"of\":\"x\",\"events\":[", "],\"n\":[1]},\"list\":7}"),
        ("{\"payload\":{\"events\":7},\"list\" : [ ", " ] } "),
    ] {
        let answer = format!("{before}{}{after}", many.join(" , "));
        for text in [answer.clone(), format!("{answer}\n{answer}")] {
            let pages = through(text.as_bytes(), &format, &mappings, 100);
            assert!(pages.len() > 10, "{text}");
            let bodies: Vec<String> = pages
                .iter()
                .map(|page| String::from_utf8_lossy(&page.body).into_owned())
                .collect();
            let all = bodies.join("").replace("][", ",");
            let times = text.len() / answer.len();
            assert_eq!(all, format!("[{}]", vec![many.join(","); times].join(",")));
        }
    }
    // A name's case matters here, and an object without a list is an item.
    let text = "{\"List\":[1]}\n{\"payload\":{\"events\":{\"id\":1}}}\n{\"list\":null}\n";
    let pages = through(text.as_bytes(), &format, &mappings, 1000);
    assert_eq!(
        items_of(&pages, &format, &mappings),
        ["{\"List\":[1]}", "{\"id\":1}"]
    );
}

#[test]
fn a_first_line_that_is_broken_costs_no_other_line() {
    for broken in ["{\"a\":[1", "{\"b\":\"x", "{\"conversations\":{\"c\":"] {
        let text = format!("{broken}\n{A}\n{B}\n");
        assert_eq!(webhook(&text), [broken, A, B]);
        assert_eq!(details(&text), [broken, A, B]);
    }
    // More than a record may be lies behind it.
    let many = format!("{{\"a\":[1\n{}", format!("{A}\n").repeat(300_000));
    let mut pages = begin(many.as_bytes(), &BodyFormat::GenesysDetails, 1 << 20).unwrap();
    assert_eq!(pages.read().unwrap().unwrap().body, b"{\"a\":[1");
    let mut records = 0;
    while let Some(page) = pages.read().unwrap() {
        records += page.records;
    }
    assert_eq!(records, 300_000);
}

#[test]
fn a_record_of_an_array_that_does_not_end_is_named_by_its_place() {
    let text = format!("[{A},{{\"b\":[1,{B}]");
    let mut pages = begin(text.as_bytes(), &BodyFormat::GenesysWebhook, 1000).unwrap();
    assert_eq!(pages.read().unwrap().unwrap().body, format!("[{A}]").as_bytes());
    assert_eq!(
        pages.read().unwrap().unwrap().body,
        format!("{{\"b\":[1,{B}]").as_bytes(),
        "it goes to quarantine"
    );
    let error = pages.read().unwrap_err().to_string();
    let at = A.len() + 2;
    assert!(error.starts_with(&format!("at byte {at}: a record of the array begins that does not end")), "{error}");
}

#[test]
fn what_is_no_text_is_refused_by_name() {
    let format = BodyFormat::CxoneCallDetail {
        zone: "UTC".into(),
    };
    for (bytes, said) in [
        (&b"\xff\xfec\0o\0"[..], "UTF-16"),
        (b"PK\x03\x04....", "spreadsheet"),
    ] {
        for format in [&format, &BodyFormat::GenesysWebhook] {
            let error = begin(bytes, format, 100).unwrap_err();
            assert!(error.is_for_good() && error.to_string().contains(said), "{error}");
        }
    }
}

/// Pitfall 8: one event in a thousand has no fraction of a second. Pitfall 9: offsets without a colon make rows vanish. Pitfall 29: a
/// payload differs from its documentation. Of a file none of them costs a record beside it, and what comes out adds up.
#[test]
fn pitfalls_8_9_and_29_no_record_of_a_file_is_lost_or_takes_others_with_it() {
    let event = |n: usize, at: &str| {
        format!(
            "{{\"timestamp\":\"{at}\",\"data\":{{\"event_id\":\"e{n}\",\"interaction_id\":\"i\",\"state\":\"queued\"}}}}"
        )
    };
    let forms = [
        "2024-05-15T14:32:10Z",
        "2024-05-15T14:32:10.4Z",
        "2024-05-15T14:32:10.451123456Z",
        "2025-08-15T16:42:42.922+0200",
        "2025-08-15T16:42:42+0200",
        "2025-08-15T16:42:42.922-0330",
        "2024-05-15T14:32:10+02:00",
    ];
    let mut lines: Vec<String> = forms.iter().enumerate().map(|(n, at)| event(n, at)).collect();
    // Without a zone; a list where an object is expected; another name's case; not whole.
    lines.insert(1, event(7, "2024-05-15T14:32:10"));
    lines.insert(3, "{\"timestamp\":\"2024-05-15T14:32:10Z\",\"data\":[]}".to_owned());
    lines.insert(5, "{\"Timestamp\":\"2024-05-15T14:32:10Z\",\"Data\":{}}".to_owned());
    lines.insert(7, "{\"timestamp\":".to_owned());
    let format = BodyFormat::GenesysWebhook;
    for bytes in [1, 200, 100_000] {
        let text = lines.join("\n");
        let found = items(&pages(text.as_bytes(), &format, bytes), &format);
        assert_eq!(found, lines);
        let (mut read, mut refused) = (0, Vec::new());
        for raw in &found {
            match adapter::map(&format, raw.as_bytes(), &Mappings::none()) {
                Ok(_) => read += 1,
                Err(error) => refused.push(error.field),
            }
        }
        assert_eq!(read, forms.len());
        assert_eq!(refused, ["timestamp", "data", "data", "(item)"]);
    }
}

proptest! {
    #[test]
    fn pages_are_the_same_whoever_reads_which(
        texts in prop::collection::vec("\\{\"k\":(\"[a\\]\\[{}, ]{0,12}\"|[0-9]{1,5}|\\[\\{\\},\\{\\}\\])\\}", 0..30),
        bytes in 1_usize..120,
        broken in prop::option::of(0_usize..30),
        shape in 0..4,
    ) {
        let mut texts = texts;
        if let Some(at) = broken.filter(|at| *at < texts.len()) {
            texts[at] = "{\"k\":\"".to_owned();
        }
        let text = match shape {
            0 => texts.join("\n"),
            1 => format!("[{}]", texts.join(" ,\n")),
            2 => format!("{{\"n\":[1],\"conversations\":[{}],\"m\":{{}}}}", texts.join(",")),
            _ => format!("[{}]\n[{}]", texts.join(","), texts.join(",")),
        };
        let mappings = Arc::new(Mappings::none());
        let format = BodyFormat::GenesysDetails;
        let whole = through(text.as_bytes(), &format, &mappings, bytes);
        prop_assert_eq!(handed_over(text.as_bytes(), &format, &mappings, bytes), whole);
    }

    #[test]
    fn pages_of_rows_are_the_same_whoever_reads_which(
        rows in prop::collection::vec("[a-c\"\n]{0,8}(;[a-c]{0,3}){0,3}", 0..30),
        bytes in 1_usize..120,
    ) {
        let (format, mappings) = mapped("[csv]\nseparator = \";\"\n");
        let text = format!("id;at;state\n{}", rows.join("\n"));
        let whole = through(text.as_bytes(), &format, &mappings, bytes);
        prop_assert_eq!(handed_over(text.as_bytes(), &format, &mappings, bytes), whole);
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_cutter_panic_or_lose_a_byte_of_a_line(text in "[\\[\\]{}\",:\\\\a1 \n]{0,80}", bytes in 1_usize..60) {
        for format in [BodyFormat::GenesysDetails, BodyFormat::CxoneContacts, BodyFormat::GenesysWebhook] {
            let mut pages = begin(Dribble(text.as_bytes()), &format, bytes).unwrap();
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
