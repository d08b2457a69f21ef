//! What to do about a connection that TLS refused.

use rustls::{AlertDescription, CertificateError, Error};

/// The TLS library's own error somewhere below this one. I/O errors carry it inside instead of as their source.
fn cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<Error>() {
            return Some(found);
        }
        if let Some(inner) = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            && let Some(found) = cause(inner)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Whether the server is not who it should be.
#[must_use]
pub fn is_distrust(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(cause(error), Some(Error::InvalidCertificate(_)))
}

/// What is wrong and what to do, where TLS is what is wrong.
#[must_use]
pub fn advice(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    Some(match cause(error)? {
        Error::InvalidCertificate(error) => certificate(error),
        Error::InvalidMessage(_) => {
            "the server does not speak TLS on this port: name its TLS port, or switch TLS on there"
                .to_owned()
        }
        Error::AlertReceived(alert) => refused(*alert),
        Error::PeerIncompatible(_) => {
            "the server speaks no version of TLS that is safe: it needs TLS 1.2 or 1.3".to_owned()
        }
        _ => return None,
    })
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "the server's certificate is not signed by a CA that is trusted here: name the file of its CA".to_owned()
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "the server's certificate is for {}, not for {}: connect by a name that it bears, or give the server a certificate for this one",
            if presented.is_empty() {
                "no name".to_owned()
            } else {
                let names: Vec<&str> = presented.iter().map(|name| plain(name)).collect();
                names.join(", ")
            },
            expected.to_str()
        ),
        CertificateError::NotValidForName => {
            "the server's certificate is for another name: connect by a name that it bears".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired: renew it there".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: look at the clocks of both machines".to_owned()
        }
        CertificateError::Revoked => "the server's certificate was revoked: renew it there".to_owned(),
        other => format!("the server's certificate cannot be used ({other})"),
    }
}

/// The library writes names as `DnsName("localhost")`.
fn plain(name: &str) -> &str {
    let inner = name.split_once('(').map_or(name, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"')
}

fn refused(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "the server asks for a client certificate: name one and its key".to_owned()
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => format!(
            "the server does not take our client certificate ({alert:?}): it must be valid now and signed by the CA that the server trusts"
        ),
        AlertDescription::HandshakeFailure => {
            "the server ended the handshake: it may ask for a client certificate, or share no cipher with us".to_owned()
        }
        other => format!("the server ended the connection with the TLS alert {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn the_cause_is_found_however_deep_it_lies() {
        let inner = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let once = io::Error::new(io::ErrorKind::InvalidData, inner);
        let twice = io::Error::other(once);
        assert!(is_distrust(&twice));
        assert!(advice(&twice).unwrap().contains("name the file of its CA"));
        assert_eq!(advice(&io::Error::other("no TLS")), None);
    }

    #[test]
    fn names_and_dates_are_told_apart() {
        let text = |error| advice(&Error::InvalidCertificate(error)).unwrap();
        let name = text(CertificateError::NotValidForNameContext {
            expected: "db.example.com".try_into().unwrap(),
            presented: vec![
                "DnsName(\"other.example.com\")".to_owned(),
                "IpAddress(::1)".to_owned(),
            ],
        });
        assert!(
            name.contains("is for other.example.com, ::1, not for db.example.com"),
            "{name}"
        );
        assert!(text(CertificateError::Expired).contains("has expired"));
        let asked = advice(&Error::AlertReceived(AlertDescription::CertificateRequired)).unwrap();
        assert!(asked.contains("asks for a client certificate"), "{asked}");
    }
}
