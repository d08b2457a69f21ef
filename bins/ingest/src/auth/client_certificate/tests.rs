use super::*;
use schema::UtcMicros;

const SHA256: &str = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";
const SHA1: &str = "A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D";

fn digests(values: &[&[u8]]) -> Option<Digests> {
    Digests::of(values)
}

fn allowed() -> Allowed {
    Allowed {
        fingerprints: digests(&[
            &fingerprint_bytes(SHA256.as_bytes()).unwrap(),
            &fingerprint_bytes(SHA1.as_bytes()).unwrap(),
        ]),
        subjects: digests(&[b"CN=bridge,O=Acme"]),
        uris: digests(&[b"spiffe://acme/bridge"]),
    }
}

fn proxies() -> Vec<IpNet> {
    vec!["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()]
}

fn nginx() -> ClientCertificate {
    let header = HeaderName::from_static;
    let assertion = Assertion::Headers {
        verified: Some((header("ssl-client-verify"), "SUCCESS".into())),
        fingerprint: Some(header("ssl-client-fingerprint")),
        subject: Some(header("ssl-client-subject-dn")),
        uri: None,
    };
    ClientCertificate::new(proxies(), assertion, allowed()).unwrap()
}

fn envoy(from_end: usize) -> ClientCertificate {
    let assertion = Assertion::Forwarded {
        header: HeaderName::from_static("x-forwarded-client-cert"),
        from_end,
    };
    ClientCertificate::new(proxies(), assertion, allowed()).unwrap()
}

fn check(
    way: &ClientCertificate,
    peer: Option<&str>,
    lines: &[(&'static str, &str)],
) -> Result<(), Reason> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    way.check(&Request {
        headers: &headers,
        peer: peer.map(|peer| peer.parse().unwrap()),
        now: UtcMicros(0),
    })
}

const PROXY: Option<&str> = Some("10.1.2.3");
const VERIFIED: (&str, &str) = ("ssl-client-verify", "SUCCESS");

#[test]
fn a_verified_certificate_is_let_in_by_fingerprint_or_subject() {
    let colons = SHA256.to_uppercase();
    for line in [
        ("ssl-client-fingerprint", SHA256),
        ("ssl-client-fingerprint", colons.as_str()),
        (
            "ssl-client-fingerprint",
            "a9993e364706816aba3e25717850c26c9cd0d89d",
        ),
        ("ssl-client-subject-dn", "CN=bridge,O=Acme"),
    ] {
        assert_eq!(
            check(&nginx(), PROXY, &[VERIFIED, line]),
            Ok(()),
            "{line:?}"
        );
    }
    for line in [
        ("ssl-client-fingerprint", "00"),
        ("ssl-client-fingerprint", &SHA256[..40]),
        ("ssl-client-subject-dn", "CN=bridge,O=Acme,C=DE"),
        ("ssl-client-subject-dn", "CN=Bridge,O=Acme"),
    ] {
        let refused = check(&nginx(), PROXY, &[VERIFIED, line]);
        assert_eq!(refused, Err(Reason::Forged), "{line:?}");
    }
}

#[test]
fn a_certificate_that_was_not_verified_is_none() {
    let line = ("ssl-client-fingerprint", SHA256);
    for verified in ["FAILED:self signed certificate", "NONE", "success", ""] {
        let lines = [("ssl-client-verify", verified), line];
        assert_eq!(
            check(&nginx(), PROXY, &lines),
            Err(Reason::Forged),
            "{verified}"
        );
    }
    assert_eq!(check(&nginx(), PROXY, &[line]), Err(Reason::Forged));
    assert_eq!(check(&nginx(), PROXY, &[VERIFIED]), Err(Reason::Unsigned));
    // Two lines: the proxy has let one of the client's pass.
    let lines = [VERIFIED, line, line];
    assert_eq!(check(&nginx(), PROXY, &lines), Err(Reason::Forged));
    let lines = [VERIFIED, VERIFIED, line];
    assert_eq!(check(&nginx(), PROXY, &lines), Err(Reason::Forged));
}

#[test]
fn only_the_proxies_are_believed() {
    let lines = [VERIFIED, ("ssl-client-fingerprint", SHA256)];
    for peer in ["10.1.255.255", "::ffff:10.1.0.1", "fd00::1"] {
        assert_eq!(check(&nginx(), Some(peer), &lines), Ok(()), "{peer}");
    }
    for peer in [None, Some("10.2.0.1"), Some("::ffff:10.2.0.1"), Some("::1")] {
        let refused = check(&nginx(), peer, &lines);
        assert_eq!(refused, Err(Reason::UntrustedPeer), "{peer:?}");
        // Not even whether an asserted certificate would be let in.
        let refused = check(&nginx(), peer, &[("ssl-client-fingerprint", "00")]);
        assert_eq!(refused, Err(Reason::UntrustedPeer));
    }
    assert_eq!(Reason::UntrustedPeer.word(), Reason::Unsigned.word());
    assert_eq!(
        check(&nginx(), Some("10.2.0.1"), &[]),
        Err(Reason::Unsigned)
    );
}

#[test]
fn of_envoys_elements_the_nearest_proxys_counts() {
    let header = "x-forwarded-client-cert";
    let good = format!("By=spiffe://edge;Hash={SHA256};Subject=\"CN=other\"");
    let other = format!("Hash={}", "0".repeat(64));
    assert_eq!(check(&envoy(1), PROXY, &[(header, &good)]), Ok(()));
    let uri = "By=spiffe://edge;URI=spiffe://acme/bridge";
    assert_eq!(check(&envoy(1), PROXY, &[(header, uri)]), Ok(()));
    let subject = "Subject=\"CN=bridge,O=Acme\"";
    assert_eq!(check(&envoy(1), PROXY, &[(header, subject)]), Ok(()));
    // The client wrote the first itself; the proxy appended.
    let appended = format!("{good},{other}");
    let refused = check(&envoy(1), PROXY, &[(header, &appended)]);
    assert_eq!(refused, Err(Reason::Forged));
    assert_eq!(check(&envoy(2), PROXY, &[(header, &appended)]), Ok(()));
    let lines = [(header, other.as_str()), (header, &good)];
    assert_eq!(check(&envoy(1), PROXY, &lines), Ok(()), "two lines are one");
    assert_eq!(check(&envoy(3), PROXY, &lines), Err(Reason::Forged));
    assert_eq!(check(&envoy(1), None, &lines), Err(Reason::UntrustedPeer));
    assert_eq!(
        check(&envoy(1), PROXY, &[(header, " ")]),
        Err(Reason::Unsigned)
    );
}

#[test]
fn nobody_to_believe_or_to_let_in_makes_no_check() {
    let assertion = || Assertion::Forwarded {
        header: HeaderName::from_static("x"),
        from_end: 1,
    };
    assert!(ClientCertificate::new(vec![], assertion(), allowed()).is_none());
    assert!(ClientCertificate::new(proxies(), assertion(), Allowed::default()).is_none());
}
