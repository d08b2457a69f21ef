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
    admit(&head, false, &routes()).map(|_| ())
}

#[test]
fn a_good_head_is_admitted() {
    assert_eq!(decide(good()), Ok(()));
}

#[test]
fn each_spoilt_head_has_its_own_answer() {
    assert_eq!(decide(good().uri("/hooks/two")), Err(Refusal::NotFound));
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let refused = decide(good().method(method));
        assert_eq!(refused, Err(Refusal::Method { allow: ALLOW_POST }));
    }
    assert_eq!(decide(good().method("OPTIONS")), Ok(()));
    let length = |text: &str| {
        let (mut head, ()) = good().body(()).unwrap().into_parts();
        head.headers.insert("content-length", text.parse().unwrap());
        admit(&head, false, &routes()).map(|_| ())
    };
    assert_eq!(length("100"), Ok(()));
    assert_eq!(length("101"), Err(Refusal::TooLarge { limit: 100 }));
    assert_eq!(
        length("18446744073709551615"),
        Err(Refusal::TooLarge { limit: 100 })
    );
}

#[test]
fn a_content_type_is_needed_where_there_is_content() {
    let (mut head, ()) = good().body(()).unwrap().into_parts();
    head.headers.remove("content-type");
    assert_eq!(
        admit(&head, false, &routes()).err(),
        Some(Refusal::ContentType)
    );
    head.headers.insert("content-length", "0".parse().unwrap());
    assert!(
        admit(&head, false, &routes()).is_ok(),
        "a try of the connection"
    );
    head.headers.remove("content-length");
    assert!(
        admit(&head, true, &routes()).is_ok(),
        "which need not say that it has no body"
    );
    head.headers
        .insert("content-type", "text/xml".parse().unwrap());
    head.headers.insert("content-length", "1".parse().unwrap());
    assert_eq!(
        admit(&head, false, &routes()).err(),
        Some(Refusal::ContentType)
    );
}

/// Pitfall 33: a coding that cannot be undone is known before the body.
#[test]
fn a_coding_that_is_not_undone_is_refused_by_the_head() {
    for (encoding, expected) in [
        ("identity", Ok(())),
        ("gzip", Ok(())),
        ("gzip, br", Ok(())),
        ("zstd", Err(Refusal::ContentEncoding)),
        ("gzip, compress", Err(Refusal::ContentEncoding)),
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
        let waits = matches!(refusal, Refusal::Limited(_));
        assert_eq!(refusal.status() == 429, waits, "{refusal:?}");
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
