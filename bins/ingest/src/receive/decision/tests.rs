use super::*;
use crate::receive::route::tests::routes;
use hyper::Request;
use proptest::prelude::*;

/// A request that is admitted, to be spoilt in one respect at a time.
fn good() -> hyper::http::request::Builder {
    Request::builder()
        .method("POST")
        .uri("/hooks/one?x=1")
        .header("content-type", "application/json; charset=UTF-8")
        .header("content-length", "10")
        .header("x-genesys-signature", "00")
}

fn decide(request: hyper::http::request::Builder) -> Result<(), Refusal> {
    let (head, ()) = request.body(()).unwrap().into_parts();
    admit(&head, &routes()).map(|_| ())
}

#[test]
fn a_good_head_is_admitted() {
    assert_eq!(decide(good()), Ok(()));
}

#[test]
fn each_spoilt_head_has_its_own_answer() {
    assert_eq!(decide(good().uri("/hooks/two")), Err(Refusal::NotFound));
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(decide(good().method(method)), Err(Refusal::Method));
    }
    let length = |text: &str| {
        let (mut head, ()) = good().body(()).unwrap().into_parts();
        head.headers.insert("content-length", text.parse().unwrap());
        admit(&head, &routes()).map(|_| ())
    };
    assert_eq!(length("100"), Ok(()));
    assert_eq!(length("101"), Err(Refusal::TooLarge { limit: 100 }));
    assert_eq!(
        length("18446744073709551615"),
        Err(Refusal::TooLarge { limit: 100 })
    );
}

#[test]
fn content_types_are_read_as_the_standard_says() {
    let kind = |text: &str| {
        let (mut head, ()) = good().body(()).unwrap().into_parts();
        head.headers.insert("content-type", text.parse().unwrap());
        admit(&head, &routes()).map(|_| ())
    };
    for good in [
        "application/json",
        "Application/JSON ;charset=\"utf-8\"",
        "application/x-ndjson",
        "application/json;profile=x",
    ] {
        assert_eq!(kind(good), Ok(()), "{good}");
    }
    for bad in [
        "text/plain",
        "application/jsonp",
        "application/xml",
        "application/json; charset=utf-16",
        "",
        "application/x-www-form-urlencoded",
    ] {
        assert_eq!(kind(bad), Err(Refusal::ContentType), "{bad}");
    }
    let (mut head, ()) = good().body(()).unwrap().into_parts();
    head.headers.remove("content-type");
    assert_eq!(admit(&head, &routes()).err(), Some(Refusal::ContentType));
}

#[test]
fn compressed_bodies_are_refused_clearly() {
    for (encoding, expected) in [
        ("identity", Ok(())),
        ("gzip", Err(Refusal::ContentEncoding)),
        ("br", Err(Refusal::ContentEncoding)),
        ("identity, gzip", Err(Refusal::ContentEncoding)),
    ] {
        assert_eq!(
            decide(good().header("content-encoding", encoding)),
            expected,
            "{encoding}"
        );
    }
}

#[test]
fn labels_are_unique_and_only_faults_of_ours_are_503() {
    let all = Refusal::all();
    let mut labels: Vec<_> = all.iter().map(Refusal::label).collect();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), all.len());
    for refusal in all {
        let ours = matches!(refusal, Refusal::Unavailable(_));
        assert_eq!(refusal.status().is_server_error(), ours, "{refusal:?}");
        assert!(!refusal.detail().is_empty());
    }
}

proptest! {
    #[test]
    fn no_head_panics(method in "[A-Z]{1,8}", kind in "[ -~]{0,40}", length in "[ -~]{0,25}", encoding in "[ -~]{0,12}", signature in "[ -~]{0,80}") {
        let request = Request::builder()
            .method(method.as_str())
            .uri("/hooks/one")
            .header("content-type", kind)
            .header("content-length", length)
            .header("content-encoding", encoding)
            .header("x-genesys-signature", signature);
        if let Err(refusal) = decide(request) {
            prop_assert!(refusal.status().is_client_error());
        }
    }
}
