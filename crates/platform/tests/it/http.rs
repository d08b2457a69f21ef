//! The client and the tokens against a small server that answers from a script: what is certain, what is unknown, who fetches when.

use crate::server::{Act, Server, client};
use platform::client::{CallError, Method, Push};
use platform::secret::Secret;
use platform::token::{Grant, TokenError, Tokens};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use url::Url;

async fn post(server: &Server) -> Result<platform::outcome::Answer, CallError> {
    push(&server.url, "t0ken", &[]).await
}

async fn push(
    url: &Url,
    token: &str,
    headers: &[(String, Secret)],
) -> Result<platform::outcome::Answer, CallError> {
    let push = Push {
        method: Method::Post,
        url,
        token: &Secret::new(token),
        headers,
        content_type: "application/json",
        body: "{\"data\":[\"acme-corp/1\"]}".to_owned(),
        request_id: "key-1",
    };
    client(url).push(push).await
}

/// A target that knows who asks by a header of its own.
#[tokio::test]
async fn headers_go_along_and_without_a_token_none_is_sent() {
    let server = Server::start(vec![Act::answer("200 OK", "{}")]).await;
    let headers = [("X-Api-Key".to_owned(), Secret::new("k3y"))];
    push(&server.url, "", &headers).await.unwrap();
    let seen = server.seen(0).to_ascii_lowercase();
    assert!(seen.contains("x-api-key: k3y"), "{seen}");
    assert!(!seen.contains("authorization"), "{seen}");
}

/// Rows are found in an answer by what names them, even where a header names it too.
#[tokio::test]
async fn of_an_answer_only_what_was_secret_is_taken_out() {
    let told = r#"{"rows":["acme-corp/1"],"why":"k3y-of-theirs is unknown"}"#;
    let server = Server::start(vec![Act::answer("200 OK", told)]).await;
    let headers = [
        ("X-Tenant".to_owned(), Secret::new("acme-corp")),
        ("X-Api-Key".to_owned(), Secret::new("k3y-of-theirs")),
    ];
    let answer = push(&server.url, "", &headers).await.unwrap();
    assert_eq!(
        String::from_utf8_lossy(&answer.body),
        r#"{"rows":["acme-corp/1"],"why":"[secret] is unknown"}"#
    );
}

#[tokio::test]
async fn an_answer_is_handed_over_as_it_is() {
    let server = Server::start(vec![Act::answer(
        "429 Too Many\r\nRetry-After: 7\r\nRetry-After: 9",
        "{}",
    )])
    .await;
    let answer = post(&server).await.unwrap();
    assert_eq!(answer.status, 429);
    let waits: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "retry-after")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(waits, ["7", "9"], "both headers");
    let seen = server.seen(0).to_ascii_lowercase();
    assert!(seen.contains("authorization: bearer t0ken"), "{seen}");
    assert!(seen.contains("x-request-id: key-1"), "{seen}");
}

#[tokio::test]
async fn no_connection_means_that_nothing_happened() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = push(&url, "t", &[]).await.unwrap_err();
    assert!(matches!(error, CallError::Connect { .. }), "{error:?}");
    assert!(error.nothing_happened());
}

/// Pitfall 109: whoever waits in vain, or is cut off, does not know; and the client does not try a second time.
#[tokio::test]
async fn a_stall_a_reset_and_half_an_answer_are_unknown_and_not_repeated() {
    for act in [Act::Stall, Act::Reset, Act::Cut] {
        let server = Server::start(vec![act]).await;
        let error = post(&server).await.unwrap_err();
        assert!(!error.nothing_happened(), "{error:?}");
        assert_eq!(server.requests(), 1);
    }
}

fn tokens(server: &Server) -> Tokens {
    let grant = Grant::ClientCredentials {
        url: server.url.join("/oauth/token").unwrap(),
        client_id: "id".to_owned(),
        client_secret: Secret::new("s3cret"),
    };
    Tokens::new(client(&server.url), grant)
}

fn granted(token: &str, seconds: &str) -> Act {
    Act::answer(
        "200 OK",
        &format!(
            "{{\"access_token\":\"{token}\",\"token_type\":\"bearer\",\"expires_in\":{seconds}}}"
        ),
    )
}

#[tokio::test]
async fn many_who_ask_share_one_request() {
    let server = Server::start(vec![granted("a", "86399")]).await;
    let tokens = Arc::new(tokens(&server));
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.bearer().await.unwrap().token })
        })
        .collect();
    for one in asking {
        assert_eq!(one.await.unwrap(), Secret::new("a"));
    }
    assert_eq!(server.requests(), 1);
    let seen = server.seen(0);
    assert!(
        seen.contains("Basic aWQ6czNjcmV0") && seen.contains("grant_type=client_credentials"),
        "{seen}"
    );
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_by_whom_it_may_concern() {
    let server = Server::start(vec![granted("a", "\"86399\""), granted("b", "86399")]).await;
    let tokens = tokens(&server);
    let first = tokens.bearer().await.unwrap();
    tokens.refused(&first).await;
    let second = tokens.bearer().await.unwrap();
    assert_eq!(second.token, Secret::new("b"));
    // A late refusal of the first does not cost the second.
    tokens.refused(&first).await;
    assert_eq!(tokens.bearer().await.unwrap().token, Secret::new("b"));
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_ahead_and_the_old_one_used_while_that_fails() {
    let server = Server::start(vec![
        granted("a", "2"),
        Act::answer("500 Oops", ""),
        granted("b", "86399"),
    ])
    .await;
    let tokens = tokens(&server);
    let began = std::time::Instant::now();
    let mut said = Vec::new();
    while began.elapsed() < Duration::from_secs(10) {
        if let Ok(bearer) = tokens.bearer().await {
            let token = bearer.token.expose().to_owned();
            if said.last() != Some(&token) {
                said.push(token);
            }
        }
        if said.len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(said, ["a", "b"]);
    assert_eq!(
        server.requests(),
        3,
        "one grant, one failure that was not repeated at once, one grant"
    );
}

/// Where the API is, a token said when it was granted: one that is older is renewed for the question, and stays where that fails.
#[tokio::test]
async fn who_asks_where_the_api_is_costs_nobody_the_token() {
    let says = |token: &str, host: &str| {
        let body = format!(
            r#"{{"access_token":"{token}","expires_in":3600,"resource_server_base_uri":"https://{host}"}}"#
        );
        Act::ok(&body)
    };
    let server = Server::start(vec![
        says("a", "one.example.com"),
        says("b", "two.example.com"),
        Act::answer("503 Busy\r\nRetry-After: 30", ""),
    ])
    .await;
    let tokens = tokens(&server);
    assert_eq!(tokens.bearer().await.unwrap().token, Secret::new("a"));
    let minute = Duration::from_secs(60);
    let said = tokens.resource_server(minute).await.unwrap();
    assert_eq!(said.as_deref(), Some("https://one.example.com"));
    assert_eq!(server.requests(), 1, "it was granted a moment ago");
    let said = tokens.resource_server(Duration::ZERO).await.unwrap();
    assert_eq!(said.as_deref(), Some("https://two.example.com"));
    for _ in 0..5 {
        let later = tokens.resource_server(Duration::ZERO).await.unwrap_err();
        assert!(matches!(later, TokenError::Later { .. }), "{later:?}");
        assert_eq!(tokens.bearer().await.unwrap().token, Secret::new("b"));
    }
    assert_eq!(server.requests(), 3);
}

/// Pitfall 12: a token endpoint that says 429 is left alone.
#[tokio::test]
async fn pitfall_12_a_throttled_token_endpoint_is_not_asked_again() {
    let server = Server::start(vec![Act::answer("429 Too Many\r\nRetry-After: 30", "")]).await;
    let tokens = tokens(&server);
    for _ in 0..5 {
        let error = tokens.bearer().await.unwrap_err();
        assert!(matches!(error, TokenError::Later { .. }), "{error:?}");
        assert!(error.wait() > Duration::from_secs(25), "{error:?}");
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_wrong_secret_is_refused_in_the_platforms_words() {
    let server = Server::start(vec![Act::answer(
        "401 Unauthorized",
        "{\"error\":\"invalid_client\"}",
    )])
    .await;
    let error = tokens(&server).bearer().await.unwrap_err();
    assert!(matches!(error, TokenError::Refused { .. }));
    assert!(error.to_string().contains("invalid_client"));
}

#[tokio::test]
async fn an_access_key_is_asked_for_in_json() {
    let server = Server::start(vec![granted("x", "3600")]).await;
    let grant = Grant::AccessKey {
        url: server.url.clone(),
        key_id: "key".to_owned(),
        key_secret: Secret::new("s3cret"),
    };
    let tokens = Tokens::new(client(&server.url), grant);
    assert_eq!(tokens.bearer().await.unwrap().token, Secret::new("x"));
    let seen = server.seen(0);
    assert!(seen.contains("\"accessKeyId\":\"key\""), "{seen}");
    assert!(!format!("{tokens:?}").contains("s3cret"));
}
