use super::basic::Basic;
use super::bearer::Bearer;
use super::digests::Digests;
use super::header::ConstantHeader;
use super::hmac::{Hmac, Over, Scheme};
use super::*;
use hyper::header::HeaderName;

const BODY: &[u8] = b"what do ya want for nothing?";
/// RFC 4231, case 2: the key is `Jefe`.
const SIGNATURE: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

fn signature(over: Over) -> Way {
    let scheme = Scheme {
        over,
        ..Scheme::plain(HeaderName::from_static("x-signature"))
    };
    Way::Hmac(Hmac::new(scheme, &[b"Jefe".to_vec()]).unwrap())
}

fn api_key() -> Way {
    Way::Header(ConstantHeader::new(
        HeaderName::from_static("x-api-key"),
        None,
        Digests::of(&["key"]).unwrap(),
    ))
}

fn bearer() -> Way {
    Way::Bearer(Bearer::new(Digests::of(&["token"]).unwrap()))
}

fn verify(ways: &[Way], require: Require, lines: &[(&'static str, &str)]) -> Result<(), Reason> {
    let authentication = Authentication::new(ways.to_vec(), require).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    let request = Request {
        headers: &headers,
        peer: None,
        now: UtcMicros(0),
    };
    authentication.verify(&request, Bodies::same(BODY))
}

const SIGNED: (&str, &str) = ("x-signature", SIGNATURE);
const BADLY_SIGNED: (&str, &str) = ("x-signature", "00");
const KEY: (&str, &str) = ("x-api-key", "key");
const BAD_KEY: (&str, &str) = ("x-api-key", "other");
const TOKEN: (&str, &str) = ("authorization", "Bearer token");

#[test]
fn any_of_several_ways_suffices() {
    let ways = [signature(Over::Wire), api_key(), bearer()];
    for lines in [
        &[SIGNED][..],
        &[KEY],
        &[TOKEN],
        &[SIGNED, BAD_KEY],
        &[BADLY_SIGNED, KEY],
        &[BADLY_SIGNED, BAD_KEY, TOKEN],
    ] {
        assert_eq!(verify(&ways, Require::Any, lines), Ok(()), "{lines:?}");
    }
    for (lines, reason) in [
        (&[][..], Reason::Unsigned),
        (&[BADLY_SIGNED][..], Reason::Forged),
        (&[BAD_KEY], Reason::Forged),
        (&[("x-signature", &"0".repeat(64))], Reason::Forged),
    ] {
        assert_eq!(verify(&ways, Require::Any, lines), Err(reason), "{lines:?}");
    }
}

#[test]
fn all_of_several_ways_may_be_required() {
    let ways = [api_key(), signature(Over::Wire), bearer()];
    assert_eq!(verify(&ways, Require::All, &[SIGNED, KEY, TOKEN]), Ok(()));
    for (lines, reason) in [
        (&[SIGNED, KEY][..], Reason::Unsigned),
        (&[KEY, TOKEN], Reason::Unsigned),
        (&[SIGNED, TOKEN], Reason::Unsigned),
        (&[SIGNED, BAD_KEY, TOKEN], Reason::Forged),
        (&[BADLY_SIGNED, KEY, TOKEN], Reason::Forged),
        (
            &[("x-signature", &"0".repeat(64)), KEY, TOKEN],
            Reason::Forged,
        ),
        (&[], Reason::Unsigned),
    ] {
        assert_eq!(verify(&ways, Require::All, lines), Err(reason), "{lines:?}");
    }
    let two = [api_key(), bearer()];
    assert_eq!(verify(&two, Require::All, &[KEY, TOKEN]), Ok(()));
    assert_eq!(verify(&two, Require::All, &[KEY]), Err(Reason::Unsigned));
}

/// What needs no body is decided without one.
#[test]
fn the_head_decides_as_far_as_it_can() {
    let decide = |ways: &[Way], require, lines: &[(&'static str, &str)]| {
        let authentication = Authentication::new(ways.to_vec(), require).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let request = Request {
            headers: &headers,
            peer: None,
            now: UtcMicros(0),
        };
        authentication
            .decide(&request)
            .map(|admission| match admission {
                Admission::Genuine => "genuine",
                Admission::AfterBody(pending) if pending.needs_plain() => "after the plain body",
                Admission::AfterBody(_) => "after the body",
            })
    };
    let ways = [signature(Over::Wire), api_key()];
    assert_eq!(decide(&ways, Require::Any, &[KEY]), Ok("genuine"));
    assert_eq!(decide(&ways, Require::Any, &[SIGNED]), Ok("after the body"));
    assert_eq!(decide(&ways, Require::Any, &[]), Err(Reason::Unsigned));
    assert_eq!(
        decide(&ways, Require::Any, &[BADLY_SIGNED]),
        Err(Reason::Forged)
    );
    assert_eq!(
        decide(&ways, Require::All, &[SIGNED]),
        Err(Reason::Unsigned)
    );
    assert_eq!(decide(&ways, Require::All, &[KEY]), Err(Reason::Unsigned));
    assert_eq!(
        decide(&ways, Require::All, &[SIGNED, KEY]),
        Ok("after the body")
    );
    let ways = [signature(Over::Plain)];
    assert_eq!(
        decide(&ways, Require::Any, &[SIGNED]),
        Ok("after the plain body")
    );
}

#[test]
fn no_way_makes_no_check() {
    assert!(Authentication::new(Vec::new(), Require::Any).is_none());
    assert!(Authentication::new(Vec::new(), Require::All).is_none());
}

/// A planted secret of every way.
#[test]
fn debug_shows_no_secret() {
    const PLANTED: &str = "hunter2-hunter2-hunter2-hunter2-!";
    let secrets = || vec![PLANTED.as_bytes().to_vec()];
    let digests = || Digests::of(&[PLANTED]).unwrap();
    let expected = jwt::Expected {
        issuers: vec!["i".into()],
        audiences: vec!["a".into()],
        ..jwt::Expected::default()
    };
    let keys = jwt::Keys::Known(jwt::KeySet::secrets(&secrets()).unwrap());
    let header = HeaderName::from_static("x-a");
    let assertion = client_certificate::Assertion::Forwarded {
        header: header.clone(),
        from_end: 1,
    };
    let allowed = client_certificate::Allowed {
        subjects: Some(digests()),
        ..client_certificate::Allowed::default()
    };
    let proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let ways = vec![
        Way::Hmac(Hmac::new(Scheme::plain(header.clone()), &secrets()).unwrap()),
        Way::Header(ConstantHeader::new(header, None, digests())),
        Way::Basic(Basic::new(&[("user".into(), PLANTED.into())]).unwrap()),
        Way::Bearer(Bearer::new(digests())),
        Way::Jwt(jwt::Jwt::new(keys, expected).unwrap()),
        Way::ClientCertificate(
            client_certificate::ClientCertificate::new(proxies, assertion, allowed).unwrap(),
        ),
    ];
    let shown = format!("{:#?}", Authentication::new(ways, Require::Any));
    assert!(!shown.contains("hunter2"), "{shown}");
    // Nor as numbers.
    let numbers = format!("{:?}", &PLANTED.as_bytes()[..4]);
    let inner = numbers.trim_matches(['[', ']']);
    let flat: String = shown.split_whitespace().collect();
    assert!(!flat.contains(&inner.replace(' ', "")), "{shown}");
}

#[test]
fn what_is_said_to_a_stranger_says_nothing_of_the_configuration() {
    for reason in Reason::ALL {
        assert!(!reason.detail().is_empty());
        assert!(
            reason
                .label()
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        );
    }
    // Behind a right signature or token only.
    assert!(Reason::Forged < Reason::Stale && Reason::Unsigned < Reason::Forged);
}
