use super::*;
use hyper::Request;

fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn query(token: bool) -> Handshake {
    let tokens = Tokens::new(&[b"first".to_vec(), b"two words".to_vec()]);
    Handshake {
        query: Some(QueryChallenge {
            challenge: "hub.challenge".to_owned(),
            token: token.then(|| ("hub.verify_token".to_owned(), tokens)),
        }),
        ..Handshake::default()
    }
}

#[test]
fn without_a_handshake_only_the_methods_are_told() {
    let none = Handshake::default();
    let greet = |method| none.greet(&parts(method, "/x?hub.challenge=1", &[]));
    let refused = Err(Refusal::Method { allow: ALLOW_POST });
    for method in ["GET", "HEAD", "PUT", "DELETE", "TRACE"] {
        assert_eq!(greet(method), refused, "{method}");
    }
    assert_eq!(greet("OPTIONS"), Ok(Greeting::Methods(ALLOW_POST)));
    assert_eq!(
        none.challenge(b"{\"type\":\"url_verification\",\"challenge\":\"x\"}"),
        None
    );
}

#[test]
fn a_look_is_answered_as_configured() {
    for presence in [Presence::Ok, Presence::NoContent] {
        let handshake = Handshake {
            get: Some(presence),
            ..Handshake::default()
        };
        for method in ["GET", "HEAD"] {
            let greeting = handshake.greet(&parts(method, "/x", &[]));
            assert_eq!(greeting, Ok(Greeting::Here(presence)));
        }
        let refused = Err(Refusal::Method { allow: ALLOW_GET });
        assert_eq!(handshake.greet(&parts("PUT", "/x", &[])), refused);
    }
}

#[test]
fn a_challenge_in_the_query_needs_the_token() {
    let greet = |handshake: &Handshake, query: &str| {
        handshake.greet(&parts("GET", &format!("/x?{query}"), &[]))
    };
    let echo = |text: &str| Ok(Greeting::Text(text.to_owned()));
    let open = query(false);
    assert_eq!(greet(&open, "hub.challenge=1158201444"), echo("1158201444"));
    assert_eq!(
        greet(&open, "hub.mode=subscribe&hub%2Echallenge=a+%26b"),
        echo("a &b")
    );
    let guarded = query(true);
    assert_eq!(
        greet(&guarded, "hub.verify_token=two%20words&hub.challenge=7"),
        echo("7")
    );
    let long = format!("hub.verify_token=first&hub.challenge={}", "x".repeat(1025));
    for refused in [
        "",
        "hub.challenge=7",
        "hub.verify_token=three&hub.challenge=7",
        "hub.verify_token=&hub.challenge=7",
        "hub.verify_token=first&hub.verify_token=first&hub.challenge=7",
        "hub.verify_token=first",
        "hub.verify_token=first&hub.challenge=",
        "hub.verify_token=first&hub.challenge=a%0d%0ab",
        "hub.verify_token=first&hub.challenge=%ff",
        &long,
    ] {
        assert_eq!(
            greet(&guarded, refused),
            Err(Refusal::Handshake),
            "{refused}"
        );
    }
    assert!(!format!("{guarded:?}").contains("first"));
}

#[test]
fn a_challenge_in_a_body_is_told_from_a_delivery() {
    let handshake = |echo| Handshake {
        body: Some(BodyChallenge {
            member: "type".to_owned(),
            value: "url_verification".to_owned(),
            challenge: "challenge".to_owned(),
            echo,
        }),
        ..Handshake::default()
    };
    let body = br#"{"token":"t","challenge":"3eZb\"","type":"url_verification"}"#;
    let json = Greeting::Json(r#"{"challenge":"3eZb\""}"#.to_owned());
    assert_eq!(handshake(Echo::Json).challenge(body), Some(json));
    let text = Greeting::Text("3eZb\"".to_owned());
    assert_eq!(handshake(Echo::Text).challenge(body), Some(text));
    for delivery in [
        &br#"{"type":"event_callback","challenge":"x"}"#[..],
        br#"{"type":"url_verification"}"#,
        br#"{"type":"url_verification","challenge":7}"#,
        br#"[{"type":"url_verification","challenge":"x"}]"#,
        b"no json",
    ] {
        assert_eq!(handshake(Echo::Json).challenge(delivery), None);
    }
}

/// The samples of the specification's section 4 in our words.
#[test]
fn an_origin_is_permitted_by_its_name() {
    let handshake = |allowed: &[&str], per_second| Handshake {
        origin: Some(Origins {
            allowed: allowed.iter().map(|&name| name.to_owned()).collect(),
            per_second: NonZeroU32::new(per_second),
        }),
        ..Handshake::default()
    };
    let ask = |handshake: &Handshake, origin: &str, rate: bool| {
        let mut headers = vec![("webhook-request-origin", origin)];
        headers.extend(rate.then_some(("webhook-request-rate", "120")));
        handshake.greet(&parts("OPTIONS", "/x", &headers))
    };
    let permitted = |rate: Option<&str>| {
        Ok(Greeting::Origin {
            origin: "Emitter.example.com".to_owned(),
            rate: rate.map(str::to_owned),
            allow: ALLOW_POST,
        })
    };
    let listed = handshake(&["other.example", "emitter.example.com"], 2);
    assert_eq!(ask(&listed, "Emitter.example.com", false), permitted(None));
    assert_eq!(
        ask(&listed, "Emitter.example.com", true),
        permitted(Some("120"))
    );
    assert_eq!(
        ask(&listed, "stranger.example", true),
        Err(Refusal::Handshake)
    );
    let open = handshake(&["*"], 0);
    assert_eq!(
        ask(&open, "Emitter.example.com", true),
        permitted(Some("*"))
    );
    let plain = listed.greet(&parts("OPTIONS", "/x", &[]));
    assert_eq!(plain, Ok(Greeting::Methods(ALLOW_POST)));
}
