use super::*;
use ::hmac::{KeyInit as _, Mac as _};
use proptest::prelude::*;
use schema::UtcMicros;
use sha2::Sha256;
use std::time::Duration;

const HEADER: HeaderName = HeaderName::from_static("x-genesys-signature");
const NOW: UtcMicros = UtcMicros(1_715_783_530_000_000);
/// Pitfall 31: odd spacing, keys in reverse order, `1.0`, an escape and a duplicate key. Signed as it comes.
const BODY: &[u8] = b"{ \"b\" : 1.0,\n \"a\":\"\\u00e9\", \"b\":2 }";

fn scheme() -> Scheme {
    Scheme::plain(HEADER)
}

fn way(scheme: Scheme, secrets: &[&str]) -> Hmac {
    let secrets: Vec<_> = secrets.iter().map(|s| s.as_bytes().to_vec()).collect();
    Hmac::new(scheme, &secrets).unwrap()
}

/// By another implementation than the one under test.
fn mac(secret: &str, body: &[u8]) -> Vec<u8> {
    let mut mac = ::hmac::Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn check(way: &Hmac, lines: &[(&'static str, &str)], body: &[u8]) -> Result<(), Reason> {
    let headers = headers(lines);
    let request = Request {
        headers: &headers,
        peer: None,
        now: NOW,
    };
    let verified = way.check(&request, Bodies::same(body));
    // What the head alone refuses, the whole refuses for the same reason.
    if let Err(reason) = way.present(&headers) {
        assert_eq!(verified, Err(reason));
    }
    verified
}

fn signed(way: &Hmac, value: &str, body: &[u8]) -> Result<(), Reason> {
    check(way, &[("x-genesys-signature", value)], body)
}

/// RFC 4231, case 2 (and RFC 2202 for SHA-1): the code agrees with the world, not only with itself.
#[test]
fn the_published_vectors_are_genuine() {
    let body = b"what do ya want for nothing?";
    for (algorithm, signature) in [
        (
            Algorithm::Sha256,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            Algorithm::Sha512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
        (Algorithm::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    ] {
        let scheme = Scheme {
            algorithm,
            ..scheme()
        };
        let way = way(scheme, &["Jefe"]);
        assert_eq!(signed(&way, signature, body), Ok(()), "{algorithm:?}");
        assert_eq!(signed(&way, &signature.to_uppercase(), body), Ok(()));
        assert_eq!(signed(&way, signature, b"else"), Err(Reason::Forged));
    }
}

/// Pitfalls 31 and 32: each algorithm and encoding over the bytes as they came. The values are Python's: `hmac.new(b's3cret', body,
/// 'sha1')` and so on, in hexadecimal and base64; `openssl dgst -sha512 -hmac s3cret` says the same.
#[test]
fn pitfalls_31_32_algorithm_prefix_and_encoding_are_configuration() {
    let cases = [
        (
            Algorithm::Sha1,
            "53f11340f2d0ebc170f9c5f1a92f2817d0687525",
            "U/ETQPLQ68Fw+cXxqS8oF9BodSU=",
        ),
        (
            Algorithm::Sha256,
            "a2c8b3b3432bcecd83575ec0860246c8dc397e4f62190d729cbda3a52cbc9ba0",
            "osizs0Mrzs2DV17AhgJGyNw5fk9iGQ1ynL2jpSy8m6A=",
        ),
        (
            Algorithm::Sha512,
            "0fdc591e8e8a5577650146cf78c48118ace8694c5143cc42e32c3854ad9931e86877a2db90a8ac6671c8c8789b69accfd00ef242cfbbd4c3c3a5f87353a3d166",
            "D9xZHo6KVXdlAUbPeMSBGKzoaUxRQ8xC4yw4VK2ZMehod6LbkKisZnHIyHibaazP0A7yQs+71MPDpfhzU6PRZg==",
        ),
    ];
    for (algorithm, hex, base64) in cases {
        let url_safe = base64.replace('+', "-").replace('/', "_").replace('=', "");
        for (encoding, value) in [
            (Encoding::Hex, hex),
            (Encoding::Base64, base64),
            (Encoding::Base64, &url_safe),
        ] {
            for prefix in ["", "sha=", "v1,"] {
                let scheme = Scheme {
                    algorithm,
                    encoding,
                    prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()),
                    ..scheme()
                };
                let way = way(scheme, &["s3cret"]);
                let value = format!("{prefix}{value}");
                assert_eq!(signed(&way, &value, BODY), Ok(()), "{value}");
                let again: serde_json::Value = serde_json::from_slice(BODY).unwrap();
                let again = again.to_string();
                let forged = signed(&way, &value, again.as_bytes());
                assert_eq!(forged, Err(Reason::Forged), "written again");
            }
        }
    }
}

#[test]
fn absent_and_blank_headers_are_unsigned() {
    let way = way(scheme(), &["s"]);
    assert_eq!(check(&way, &[], b"x"), Err(Reason::Unsigned));
    for blank in ["", "  ", " , ,"] {
        assert_eq!(
            signed(&way, blank, b"x"),
            Err(Reason::Unsigned),
            "{blank:?}"
        );
    }
    assert_eq!(signed(&way, "zz", b"x"), Err(Reason::Forged));
}

#[test]
fn a_prefix_is_required_once_configured() {
    let with = way(
        Scheme {
            prefix: Some("sha256=".into()),
            ..scheme()
        },
        &["s"],
    );
    let bare = hex::encode(mac("s", b"x"));
    assert_eq!(signed(&with, &format!("sha256={bare}"), b"x"), Ok(()));
    assert_eq!(signed(&with, &bare, b"x"), Err(Reason::Forged));
    let without = way(scheme(), &["s"]);
    let prefixed = format!("sha256={bare}");
    assert_eq!(signed(&without, &prefixed, b"x"), Err(Reason::Forged));
}

/// Pitfall 36: old, new and an unknown version in one header, separated by blanks or commas.
#[test]
fn pitfall_36_any_of_several_signatures_may_match_any_of_several_secrets() {
    let old = hex::encode(mac("old", b"x"));
    let new = hex::encode(mac("new", b"x"));
    let both = way(scheme(), &["new", "old"]);
    for value in [
        format!("{old} {new} v9,unknown"),
        format!("v0,{old},{new}"),
        format!("{old}, {new}"),
        old.clone(),
        new.clone(),
    ] {
        assert_eq!(signed(&both, &value, b"x"), Ok(()), "{value}");
    }
    let lines = [("x-genesys-signature", "v9"), ("x-genesys-signature", &new)];
    assert_eq!(check(&both, &lines, b"x"), Ok(()), "two lines");
    let after = way(scheme(), &["new"]);
    assert_eq!(signed(&after, &old, b"x"), Err(Reason::Forged));
    // Versions as others write them; of an unknown version even a right value is none.
    for (prefix, value, expected) in [
        ("v1=", format!("t=17,v0=00,v1={old},v1={new}"), Ok(())),
        ("v1=", format!("t=17,v2={new}"), Err(Reason::Forged)),
        ("v1,", format!("v1a,{new} v1,{new}"), Ok(())),
        ("v1,", format!("v2,{new}"), Err(Reason::Forged)),
    ] {
        let scheme = Scheme {
            prefix: Some(prefix.into()),
            ..scheme()
        };
        let way = way(scheme, &["new"]);
        assert_eq!(signed(&way, &value, b"x"), expected, "{value}");
    }
}

/// Many unknown tokens before ours neither hide it nor cost anything.
#[test]
fn unknown_tokens_do_not_use_up_the_signatures_that_are_looked_at() {
    let way = way(scheme(), &["s"]);
    let unknown = "v0=zz ".repeat(100);
    let value = format!("{unknown}{}", hex::encode(mac("s", b"x")));
    assert_eq!(signed(&way, &value, b"x"), Ok(()));
}

fn stamped(signed: &str, tolerance: Option<u64>) -> Scheme {
    Scheme {
        signed: Template::parse(signed).unwrap(),
        timestamp: Some(Timestamp {
            header: HeaderName::from_static("x-nexus-timestamp"),
            prefix: None,
            unit: Unit::Seconds,
            tolerance: tolerance.map(Duration::from_secs),
            future: FUTURE_DEFAULT,
        }),
        ..scheme()
    }
}

/// The schemes of others over timestamp and body. Python: `hmac.new(b's3cret', b'1715783530.' + body, 'sha256')` (as CXone Expert
/// signs), with `b'v0:1715783530:'`, and with the key `bytes(range(32))` over `b'msg_1.1715783530.' + body`.
#[test]
fn a_timestamp_and_other_headers_may_be_signed_with_the_body() {
    let at = ("x-nexus-timestamp", "1715783530");
    for (template, signature) in [
        (
            "{timestamp}.{body}",
            "18567de7898b1509d440da2ba01f3b2623e6e567a253ae2fb26e594d743e3374",
        ),
        (
            "v0:{timestamp}:{body}",
            "f6584be2b1990f0414aaad4095e93456b3781fb829fc2bdb0e86d5f1721a04a5",
        ),
    ] {
        let way = way(stamped(template, None), &["s3cret"]);
        let value = ("x-genesys-signature", signature);
        assert_eq!(check(&way, &[value, at], BODY), Ok(()), "{template}");
        let moved = ("x-nexus-timestamp", "1715783531");
        assert_eq!(check(&way, &[value, moved], BODY), Err(Reason::Forged));
        assert_eq!(check(&way, &[value], BODY), Err(Reason::Unsigned));
        assert_eq!(check(&way, &[value, at, at], BODY), Err(Reason::Forged));
    }
    let standard = Scheme {
        encoding: Encoding::Base64,
        prefix: Some("v1,".into()),
        ..stamped("{header:webhook-id}.{timestamp}.{body}", None)
    };
    let key: Vec<u8> = (0..32).collect();
    let way = Hmac::new(standard, &[key]).unwrap();
    let lines = [
        (
            "x-genesys-signature",
            "v1a,AAAA v1,C2DNBjzovLleeCgGthUiT4WBIbHW9ZHK8HOgEUx3jM0=",
        ),
        ("webhook-id", "msg_1"),
        at,
    ];
    assert_eq!(check(&way, &lines, BODY), Ok(()));
    let lines = [lines[0], ("webhook-id", "msg_2"), at];
    assert_eq!(check(&way, &lines, BODY), Err(Reason::Forged));
}

/// Pitfall 39: a redelivery 26 h later with a fresh signature is accepted, the same old signature only where no tolerance is
/// configured; a stamp four minutes ahead is another clock, ten are not.
#[test]
fn pitfall_39_freshness_is_of_the_signature_and_only_where_configured() {
    let at = |seconds: i64, tolerance| {
        let way = way(stamped("{timestamp}.{body}", tolerance), &["s"]);
        let stamp = seconds.to_string();
        let text = [stamp.as_bytes(), b".", BODY].concat();
        let signature = hex::encode(mac("s", &text));
        let lines = [
            ("x-genesys-signature", signature.as_str()),
            ("x-nexus-timestamp", &stamp),
        ];
        check(&way, &lines, BODY)
    };
    let now = NOW.seconds();
    let long_ago = now - 26 * 3600;
    assert_eq!(at(now, Some(300)), Ok(()), "fresh signature, old event");
    assert_eq!(at(long_ago, Some(300)), Err(Reason::Stale));
    assert_eq!(at(long_ago, None), Ok(()));
    assert_eq!(at(now + 240, Some(300)), Ok(()));
    assert_eq!(at(now + 600, Some(300)), Err(Reason::Stale));
    assert_eq!(
        at(now * 1000, Some(300)),
        Err(Reason::Stale),
        "in milliseconds"
    );
    // Whoever has no right signature does not learn that his timestamp was stale.
    let way = way(stamped("{timestamp}.{body}", Some(300)), &["s"]);
    let zeros = "0".repeat(64);
    let lines = [
        ("x-genesys-signature", zeros.as_str()),
        ("x-nexus-timestamp", "0"),
    ];
    assert_eq!(check(&way, &lines, BODY), Err(Reason::Forged));
}

/// Pitfall 33: of a compressed body some sign the bytes on the wire, others those within.
#[test]
fn pitfall_33_wire_or_plain_bytes_are_configuration() {
    let bodies = Bodies {
        wire: b"\x1f\x8bpacked",
        plain: BODY,
    };
    for (over, good, bad) in [
        (Over::Wire, bodies.wire, bodies.plain),
        (Over::Plain, bodies.plain, bodies.wire),
    ] {
        let way = way(Scheme { over, ..scheme() }, &["s"]);
        let verdict = |bytes: &[u8]| {
            let signature = hex::encode(mac("s", bytes));
            let headers = headers(&[("x-genesys-signature", &signature)]);
            let request = Request {
                headers: &headers,
                peer: None,
                now: NOW,
            };
            way.check(&request, bodies)
        };
        assert_eq!(verdict(good), Ok(()), "{over:?}");
        assert_eq!(verdict(bad), Err(Reason::Forged), "{over:?}");
    }
}

#[test]
fn no_secret_and_no_place_for_the_timestamp_make_no_check() {
    for secrets in [vec![], vec![vec![]], vec![b"good".to_vec(), vec![]]] {
        assert!(Hmac::new(scheme(), &secrets).is_none());
    }
    let nowhere = Scheme {
        timestamp: None,
        ..stamped("{timestamp}.{body}", None)
    };
    assert!(Hmac::new(nowhere, &[b"s".to_vec()]).is_none());
}

proptest! {
    #[test]
    fn one_changed_bit_anywhere_is_forged(
        body in proptest::collection::vec(any::<u8>(), 1..600),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
        stamp in "[0-9]{10}",
    ) {
        let way = way(stamped("{timestamp}.{body}", None), &["s"]);
        let text = [stamp.as_bytes(), b".", &body].concat();
        let signature = mac("s", &text);
        let verdict = |signature: &[u8], stamp: &str, body: &[u8]| {
            let lines = [
                ("x-genesys-signature", hex::encode(signature)),
                ("x-nexus-timestamp", stamp.to_owned()),
            ];
            let lines = lines.each_ref().map(|(name, value)| (*name, value.as_str()));
            check(&way, &lines, body)
        };
        let flipped = |bytes: &[u8]| {
            let mut other = bytes.to_vec();
            other[at.index(bytes.len())] ^= 1 << bit;
            other
        };
        prop_assert_eq!(verdict(&signature, &stamp, &body), Ok(()));
        prop_assert_eq!(verdict(&signature, &stamp, &flipped(&body)), Err(Reason::Forged));
        prop_assert_eq!(verdict(&flipped(&signature), &stamp, &body), Err(Reason::Forged));
        let other = format!("{}{}", 9 - stamp[..1].parse::<u8>().unwrap(), &stamp[1..]);
        prop_assert_eq!(verdict(&signature, &other, &body), Err(Reason::Forged));
    }

    #[test]
    fn no_header_text_panics_or_passes(value in "[ -~]{1,200}", body in proptest::collection::vec(any::<u8>(), 0..50)) {
        for encoding in [Encoding::Hex, Encoding::Base64] {
            let way = way(Scheme { encoding, ..scheme() }, &["s"]);
            prop_assert_ne!(signed(&way, &value, &body), Ok(()));
        }
    }
}
