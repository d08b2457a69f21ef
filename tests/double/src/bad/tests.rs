//! The kit sends what it says: a plain listener looks at the bytes.

use super::*;
use crate::workload::Workload;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Plays a case against a listener that answers once it has read `enough` bytes or the whole good body; what it had read, and
/// the answer.
async fn played(case: Case, enough: usize) -> (String, Answer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let mut kit = Kit::new(Options::to(url, "secret"));
    kit.oversized = 100_000;
    kit.drip = Duration::from_millis(1);
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        let mut buffer = [0; 8_192];
        while read.len() < enough && !String::from_utf8_lossy(&read).contains("good\":true}") {
            let count = stream.read(&mut buffer).await.unwrap();
            read.extend_from_slice(&buffer[..count]);
        }
        stream
            .write_all(b"HTTP/1.1 418 Teapot\r\ncontent-length: 2\r\n\r\nno")
            .await
            .unwrap();
        String::from_utf8_lossy(&read).into_owned()
    });
    let answer = kit.play(case, b"{\"good\":true}").await.unwrap();
    (server.await.unwrap(), answer)
}

#[tokio::test]
async fn an_answer_is_read_although_the_body_never_ends() {
    let (read, answer) = played(Case::SlowBody, 250).await;
    assert_eq!((answer.status, answer.body.as_str()), (418, "no"));
    assert!(
        read.contains("content-length: 100000\r\n\r\nxxxx"),
        "{read}"
    );
    let (read, _) = played(Case::SlowHead, 250).await;
    assert!(
        read.contains("x-drip: xxxx") && !read.contains("\r\n\r\n"),
        "{read}"
    );
}

#[tokio::test]
async fn signatures_are_missing_or_wrong_as_named() {
    let honest = Options::to("", "secret")
        .signer()
        .unwrap()
        .sign(b"{\"good\":true}");
    for (case, header, genuine) in [
        (Case::Unsigned, false, false),
        (Case::Forged, true, false),
        (Case::Replaced, true, false),
        (Case::Rubbish, true, false),
        (Case::ContentType, true, true),
        (Case::Chunked, true, true),
    ] {
        let (read, _) = played(case, 10_000).await;
        assert_eq!(read.contains("x-genesys-signature: "), header, "{case:?}");
        assert_eq!(read.contains(&honest), genuine, "{case:?}");
    }
}

#[tokio::test]
async fn chunked_bodies_announce_no_length() {
    let (read, _) = played(Case::OversizedChunked, 100_000).await;
    assert!(!read.contains("content-length"));
    assert!(read.contains("\r\n\r\nfa0\r\n{\"filler\":\"xxx"));
}

#[test]
fn a_mixed_delivery_has_its_damaged_items_where_it_says() {
    let events = Workload::new(200, 3).events;
    let (body, damaged) = mixed(&events[..497], Framing::Json);
    let items: Vec<&serde_json::value::RawValue> = serde_json::from_slice(&body).unwrap();
    assert_eq!(items.len(), 500);
    for item in damaged {
        assert_eq!(items[item.index].get(), item.raw);
    }
    assert_eq!(damaged.map(|item| item.index), [17, 250, 499]);
    let (body, damaged) = mixed(&events[..497], Framing::Lines);
    let lines: Vec<&[u8]> = body.trim_ascii_end().split(|byte| *byte == b'\n').collect();
    assert_eq!(lines[damaged[2].index], damaged[2].raw.as_bytes());
}
