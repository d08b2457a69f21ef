use super::*;
use proptest::prelude::*;

const HEADER: HeaderName = HeaderName::from_static("x-genesys-signature");

fn verifier(encoding: Encoding, prefix: Option<&str>, secrets: &[&str]) -> Verifier {
    let secrets: Vec<Vec<u8>> = secrets.iter().map(|s| s.as_bytes().to_vec()).collect();
    Verifier::new(
        HEADER,
        Scheme::HmacSha256,
        encoding,
        prefix.map(str::to_owned),
        &secrets,
    )
    .unwrap()
}

fn mac(secret: &str, body: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(HEADER, HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// The published test vector (RFC 4231, case 2): the code agrees with the world, not only with itself.
#[test]
fn the_published_vector_is_genuine() {
    let verifier = verifier(Encoding::Hex, None, &["Jefe"]);
    let signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let body = b"what do ya want for nothing?";
    assert_eq!(
        verifier.check(&headers(&[signature]), body),
        Finding::Genuine
    );
    assert_eq!(
        verifier.check(&headers(&[&signature.to_uppercase()]), body),
        Finding::Genuine
    );
}

#[test]
fn odd_spacing_and_duplicate_keys_are_signed_as_they_came() {
    let body = br#"{ "b" : 1.0 ,  "a":"\u00e9", "b":2 }"#;
    let verifier = verifier(Encoding::Hex, None, &["s"]);
    let signature = hex::encode(mac("s", body));
    assert_eq!(
        verifier.check(&headers(&[&signature]), body),
        Finding::Genuine
    );
}

#[test]
fn absent_and_blank_headers_are_unsigned() {
    let verifier = verifier(Encoding::Hex, None, &["s"]);
    assert_eq!(verifier.check(&headers(&[]), b"x"), Finding::Unsigned);
    assert_eq!(
        verifier.check(&headers(&["", "  "]), b"x"),
        Finding::Unsigned
    );
    assert_eq!(verifier.check(&headers(&["zz"]), b"x"), Finding::Forged);
}

#[test]
fn a_prefix_is_required_once_configured() {
    let with = verifier(Encoding::Hex, Some("sha256="), &["s"]);
    let bare = hex::encode(mac("s", b"x"));
    assert_eq!(
        with.check(&headers(&[&format!("sha256={bare}")]), b"x"),
        Finding::Genuine
    );
    assert_eq!(with.check(&headers(&[&bare]), b"x"), Finding::Forged);
    let without = verifier(Encoding::Hex, None, &["s"]);
    assert_eq!(
        without.check(&headers(&[&format!("sha256={bare}")]), b"x"),
        Finding::Forged
    );
}

#[test]
fn any_of_several_signatures_may_match_any_of_several_secrets() {
    let old = hex::encode(mac("old", b"x"));
    let new = hex::encode(mac("new", b"x"));
    let both = verifier(Encoding::Hex, None, &["new", "old"]);
    for value in [
        format!("{old} {new} v9,unknown"),
        format!("v0,{old},{new}"),
        format!("{old}, {new}"),
        old.clone(),
        new.clone(),
    ] {
        assert_eq!(
            both.check(&headers(&[&value]), b"x"),
            Finding::Genuine,
            "{value}"
        );
    }
    assert_eq!(
        both.check(&headers(&["v9", &new]), b"x"),
        Finding::Genuine,
        "two header lines"
    );
    let after = verifier(Encoding::Hex, None, &["new"]);
    assert_eq!(after.check(&headers(&[&old]), b"x"), Finding::Forged);
}

#[test]
fn base64_is_read_in_all_four_spellings() {
    // A body whose MAC needs the two characters in which the alphabets differ.
    let body = (0u32..10_000)
        .map(|n| n.to_string().into_bytes())
        .find(|body| {
            let text = STANDARD.encode(mac("s", body));
            text.contains('+') && text.contains('/')
        })
        .unwrap();
    let verifier = verifier(Encoding::Base64, None, &["s"]);
    for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
        let signature = engine.encode(mac("s", &body));
        assert_eq!(
            verifier.check(&headers(&[&signature]), &body),
            Finding::Genuine,
            "{signature}"
        );
    }
}

#[test]
fn a_static_header_must_equal_a_secret() {
    let verifier = Verifier::new(
        HEADER,
        Scheme::StaticHeader,
        Encoding::Hex,
        Some("Bearer ".into()),
        &[b"first key".to_vec(), b"second".to_vec()],
    )
    .unwrap();
    assert_eq!(
        verifier.check(&headers(&["Bearer first key"]), b"any"),
        Finding::Genuine
    );
    assert_eq!(
        verifier.check(&headers(&["Bearer second"]), b""),
        Finding::Genuine
    );
    for wrong in ["Bearer", "first key", "Bearer first", "Bearer second!"] {
        assert_eq!(
            verifier.check(&headers(&[wrong]), b""),
            Finding::Forged,
            "{wrong}"
        );
    }
}

#[test]
fn no_secret_makes_no_verifier() {
    for secrets in [vec![], vec![vec![]], vec![b"good".to_vec(), vec![]]] {
        assert!(Verifier::new(HEADER, Scheme::HmacSha256, Encoding::Hex, None, &secrets).is_none());
    }
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?}", verifier(Encoding::Hex, None, &["hunter2"]));
    assert!(!shown.contains("hunter2"), "{shown}");
}

proptest! {
    #[test]
    fn one_changed_bit_anywhere_is_forged(body in proptest::collection::vec(any::<u8>(), 1..600), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let verifier = verifier(Encoding::Hex, None, &["s"]);
        let signature = hex::encode(mac("s", &body));
        prop_assert_eq!(verifier.check(&headers(&[&signature]), &body), Finding::Genuine);
        let mut other = body.clone();
        other[at.index(body.len())] ^= 1 << bit;
        prop_assert_eq!(verifier.check(&headers(&[&signature]), &other), Finding::Forged);
    }

    #[test]
    fn no_header_text_panics_or_passes(value in "[ -~]{1,200}", body in proptest::collection::vec(any::<u8>(), 0..50)) {
        for encoding in [Encoding::Hex, Encoding::Base64] {
            let finding = verifier(encoding, None, &["s"]).check(&headers(&[&value]), &body);
            prop_assert_ne!(finding, Finding::Genuine);
        }
    }
}
