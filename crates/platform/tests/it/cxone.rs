//! CXone's history: what is sent, and what is made of the answers.

use crate::server::{Act, Asked, Server};
use flate2::Compression;
use flate2::write::GzEncoder;
use platform::api::Remedy;
use platform::client::Timeouts;
use platform::history::HistoryError;
use platform::history::cxone::{
    Contact, Cxone, Discovery, Extraction, ExtractionState, Report, TOKEN_BELIEVED, discover,
};
use platform::secret::Secret;
use platform::token::{Grant, Tokens};
use schema::UtcMicros;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// 2025-01-06T00:00:00Z and an hour later.
const FROM: UtcMicros = UtcMicros(1_736_121_600_000_000);
const TO: UtcMicros = UtcMicros(1_736_125_200_000_000);
const HOUR: &str = "startDate=2025-01-06T00:00:00.000Z&endDate=2025-01-06T01:00:00.000Z";

async fn platform(
    answers: impl Fn(usize, &Asked) -> Act + Send + Sync + 'static,
) -> (Server, Cxone) {
    let server = Server::platform(answers).await;
    let api = Arc::new(server.api());
    (server, Cxone::new(api, 27))
}

/// Pitfall 7: a literal Z in every instant, as CXone refuses or misreads everything else.
#[tokio::test]
async fn pitfall_7_contacts_are_asked_for_in_utc_with_a_z() {
    let (server, cxone) = platform(|_, _| {
        Act::ok(r#"{"totalRecords":3,"completedContacts":[{"contactId":1},{"contactId":2}]}"#)
    })
    .await;
    let page = cxone.contacts(FROM, TO, 0, 50_000).await.unwrap();
    assert_eq!((page.records(), page.total, page.next), (2, Some(3), None));
    assert_eq!(
        server.asked()[0].line(),
        format!(
            "GET /incontactapi/services/v27.0/contacts/completed?{HOUR}&skip=0&top=10000&orderBy=contactId"
        )
    );
}

#[tokio::test]
async fn nothing_at_all_is_an_empty_page() {
    let (_server, cxone) = platform(|_, _| Act::empty()).await;
    let page = cxone.contacts(FROM, TO, 0, 10).await.unwrap();
    assert_eq!((page.records(), page.next), (0, None));
    assert!(page.body.is_empty());
    assert_eq!(cxone.contacts_total(FROM, TO).await.unwrap(), 0);
    assert_eq!(cxone.contact("7").await.unwrap(), Contact::Unknown);
    assert!(cxone.contacts_made_of("7").await.unwrap().is_empty());
    assert_eq!(
        cxone.agent_states(FROM, TO, 0, 10).await.unwrap().records(),
        0
    );
    assert!(cxone.skills_summary(FROM, TO).await.unwrap().is_empty());
    assert_eq!(cxone.report(524, FROM, TO).await.unwrap(), Report::Empty);
}

#[tokio::test]
async fn an_error_speaks_in_the_header() {
    let (_server, cxone) = platform(|_, _| {
        Act::answer(
            "400 Bad Request\r\nicStatusDescription: The date range exceeds 31 days",
            "",
        )
    })
    .await;
    let error = cxone.contacts(FROM, TO, 0, 10).await.unwrap_err();
    assert!(error.to_string().contains("The date range exceeds 31 days"));
    assert!(matches!(error, HistoryError::TooLong { .. }), "{error}");
}

#[tokio::test]
async fn states_and_single_contacts_have_their_own_paths() {
    let (server, cxone) = platform(|_, asked| {
        let path = asked.path();
        if path.contains("contacts/state-history") {
            Act::ok(r#"{"contactStateHistory":[{},{}]}"#)
        } else if path.contains("agents/state-history") {
            Act::ok(r#"{"agentStateHistory":{"entries":[{}]}}"#)
        } else if path.ends_with("contacts/7") {
            Act::ok(r#"{"contactId":{"contactId":7,"isActive":false}}"#)
        } else if path.ends_with("contacts/7/hierarchy") {
            Act::ok(r#"{"masterContactId":7,"childContacts":[{"contactId":9}]}"#)
        } else {
            Act::answer("404 Not Found", "")
        }
    })
    .await;
    assert_eq!(
        cxone
            .contact_states(FROM, TO, 4, 9)
            .await
            .unwrap()
            .records(),
        2
    );
    assert!(
        server.asked()[0]
            .path()
            .ends_with(&format!("?{HOUR}&skip=4&top=9"))
    );
    assert_eq!(
        cxone.agent_states(FROM, TO, 0, 9).await.unwrap().records(),
        1
    );
    assert!(
        matches!(cxone.contact("7").await.unwrap(), Contact::Ended(page) if page.records() == 1)
    );
    assert_eq!(cxone.contacts_made_of("7").await.unwrap(), ["9"]);
    // What is missing by its id is missing, and no error.
    assert_eq!(cxone.contact("8").await.unwrap(), Contact::Unknown);
    assert!(cxone.contacts_made_of("8").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_report_is_unpacked_or_fetched_by_its_link() {
    let own = Arc::new(std::sync::OnceLock::<String>::new());
    let base = own.clone();
    let (server, cxone) = platform(move |index, asked| {
        if asked.path().starts_with("/files") {
            return Act::ok("a,b\r\n");
        }
        match index {
            0 => Act::ok(r#"{"fileName":"r.csv","file":"YSxiDQo="}"#),
            _ => Act::ok(&format!(
                r#"{{"resultFileURL":"{}files/1"}}"#,
                base.get().unwrap()
            )),
        }
    })
    .await;
    own.set(server.url.to_string()).unwrap();
    let csv = b"a,b\r\n".to_vec();
    let found = cxone.report(524, FROM, TO).await.unwrap();
    assert_eq!(found, Report::Csv(csv.clone()));
    assert_eq!(
        server.asked()[0].line(),
        format!(
            "POST /incontactapi/services/v27.0/report-jobs/datadownload/524?{HOUR}&saveAsFile=false&includeHeaders=true"
        )
    );
    let Report::Link(link) = cxone.report(544, FROM, TO).await.unwrap() else {
        panic!("a link");
    };
    assert_eq!(cxone.report_file(&link).await.unwrap(), csv);
}

#[tokio::test]
async fn an_extraction_is_asked_for_at_its_own_pace() {
    let own = Arc::new(std::sync::OnceLock::<String>::new());
    let base = own.clone();
    let (server, cxone) = platform(move |index, asked| match index {
        0 => Act::answer("202 Accepted", r#"{"jobId":"x-1"}"#),
        1 => Act::answer(
            "403 Forbidden\r\nicStatusDescription: One call per 30 seconds",
            "",
        ),
        2 => Act::ok(r#"{"jobStatus":{"status":"RUNNING"}}"#),
        3 => Act::ok(&format!(
            r#"{{"jobStatus":{{"status":"SUCCEEDED","result":{{"url":"{}files/1"}}}}}}"#,
            base.get().unwrap()
        )),
        4 => Act::answer("403 Forbidden", "link expired"),
        5 if asked.path() == "/files/1" => Act::ok("id,x\n"),
        _ => Act::answer("404 Not Found", ""),
    })
    .await;
    own.set(server.url.to_string()).unwrap();
    let asked = Extraction {
        entity: "qm-workflows",
        version: "1",
        from: FROM,
        to: TO,
    };
    let id = cxone.submit_extraction(asked).await.unwrap();
    let first = server.asked()[0].clone();
    assert_eq!(first.line(), "POST /data-extraction/v1/jobs");
    assert!(
        first
            .body()
            .contains("\"startDate\":\"2025-01-06T00:00:00.000Z\"")
    );
    let soon = cxone.extraction(&id).await.unwrap_err();
    assert!(matches!(soon, HistoryError::TooSoon { .. }), "{soon}");
    assert!(matches!(soon.remedy(), Remedy::Wait(_)));
    assert_eq!(server.grants(), 1, "the token is not to blame");
    assert_eq!(
        cxone.extraction(&id).await.unwrap(),
        ExtractionState::Running
    );
    let ExtractionState::Ready(link) = cxone.extraction(&id).await.unwrap() else {
        panic!("a link");
    };
    let dead = cxone.extraction_file(&link).await.unwrap_err();
    assert!(matches!(dead, HistoryError::Gone { .. }), "{dead}");
    assert_eq!(cxone.extraction_file(&link).await.unwrap(), b"id,x\n");
    let gone = cxone.extraction("y").await.unwrap_err();
    assert!(matches!(gone, HistoryError::Gone { .. }), "{gone}");
}

#[tokio::test]
async fn where_the_api_is_is_found_out_in_both_ways() {
    let server = Server::start(vec![
        Act::ok(r#"{"api_endpoint":"https://api-na1.example.com","auth_endpoint":"x","area":"na1","domain":"d"}"#),
        Act::ok(r#"{"access_token":"t","token_type":"Bearer","expires_in":3600,"refresh_token":"r","resource_server_base_uri":"https://api-c42.example.com/inContactAPI/"}"#),
        Act::ok(r#"{"access_token":"t","id_token":"i","expires_in":3600}"#),
        Act::answer("404 Not Found", "no such tenant"),
    ])
    .await;
    let grant = Grant::AccessKey {
        url: server
            .url
            .join("/authentication/v1/token/access-key")
            .unwrap(),
        key_id: "key".to_owned(),
        key_secret: Secret::new("s"),
    };
    let _api = server.api();
    let document = server
        .url
        .join("/.well-known/cxone-configuration?tenantId=11+22")
        .unwrap();
    let configuration = Discovery::Configuration(document);
    let times = Timeouts::default();
    let tokens = Tokens::of(grant, times).unwrap();
    let found = |discovery, believed| discover(discovery, &tokens, times, believed);
    let by_token = &Discovery::Token;
    let document = found(&configuration, TOKEN_BELIEVED).await.unwrap();
    assert_eq!(document.as_str(), "https://api-na1.example.com/");
    let asked = server.seen(0);
    assert!(asked.starts_with("GET /.well-known/cxone-configuration?tenantId=11+22 "));
    assert!(!asked.to_ascii_lowercase().contains("authorization"));
    for _ in 0..5 {
        // What a token said that was granted a moment ago is believed.
        let base = found(by_token, TOKEN_BELIEVED).await.unwrap();
        assert_eq!(base.as_str(), "https://api-c42.example.com/");
    }
    assert_eq!(server.requests(), 2);
    let unsaid = found(by_token, Duration::ZERO).await.unwrap_err();
    assert!(
        unsaid.to_string().contains("resource_server_base_uri"),
        "{unsaid}"
    );
    let unknown = found(&configuration, TOKEN_BELIEVED).await.unwrap_err();
    assert!(unknown.to_string().contains("no such tenant"), "{unknown}");
}

fn packed(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

/// Signs of life and leases wait for the threads of the runtime: a long answer is taken apart beside them.
#[test]
fn long_answers_are_taken_apart_beside_the_runtime() {
    let page = |rows: u32| {
        let rows: Vec<String> = (0..rows)
            .map(|id| format!(r#"{{"contactId":{id},"contactStartDate":"2025-01-06T00:00:00Z"}}"#))
            .collect();
        format!(r#"{{"completedContacts":[{}]}}"#, rows.join(","))
    };
    let report = |bytes: usize| format!(r#"{{"file":"{}"}}"#, "YWFh".repeat(bytes / 3));
    let plain = |body: String| Act::ok(&body);
    let gzip =
        |body: String| Act::Answer("200 OK\r\nContent-Encoding: gzip".to_owned(), packed(&body));
    for (answer, beside) in [
        (plain(page(10)), false),
        (gzip(page(10)), false),
        (plain(report(3000)), false),
        (plain(page(5000)), true),
        (gzip(page(5000)), true),
        (plain(report(300_000)), true),
    ] {
        let threads = Arc::new(AtomicUsize::new(0));
        let started = threads.clone();
        // One thread runs everything; each other one that is started is one for what takes long.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_start(move || {
                started.fetch_add(1, Ordering::Relaxed);
            })
            .build()
            .unwrap();
        runtime.block_on(async {
            let (_server, cxone) = platform(move |_, _| answer.clone()).await;
            let page = cxone.contacts(FROM, TO, 0, 10_000).await;
            let report = cxone.report(524, FROM, TO).await;
            assert!(
                page.is_ok_and(|page| page.records() > 0) || matches!(report, Ok(Report::Csv(_)))
            );
        });
        assert_eq!(threads.load(Ordering::Relaxed) > 0, beside);
    }
}
