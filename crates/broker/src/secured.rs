//! TLS to the broker: the stream that the client library is given, ready.
//!
//! The library would trust the machine's roots beside those it is given. Here a named CA stands alone, and the server's certificate must bear the host's
//! name.

use crate::addresses;
use crate::error::BrokerError;
use futures_util::io::{AsyncRead, AsyncWrite};
use lapin::tcp::{AsyncTcpStream, RustlsConnector};
use lapin::uri::{AMQPScheme, AMQPUri};
use std::io;
use std::sync::Arc;

/// Roots, certificate, key: the names that the broker's own clients use.
const NAMES: [&str; 3] = ["cacertfile", "certfile", "keyfile"];

/// What a connection is wrapped in.
#[derive(Clone)]
pub(crate) struct Security(Option<RustlsConnector>);

/// Reads the URL, which names one server or several ([`addresses`]), and the files that it names.
pub(crate) fn read(url: &str) -> Result<(Vec<AMQPUri>, Security), BrokerError> {
    let asked = tls::take(url, &NAMES);
    // Else a CA would be named and not asked: the library passes over what it does not know.
    if NAMES
        .iter()
        .any(|name| asked.url.contains(&format!("{name}=")))
    {
        return Err(BrokerError::Url {
            reason: "files of certificates are named before an @: write %40 for it in their paths"
                .to_owned(),
        });
    }
    let servers = addresses::read(&asked.url)?;
    let files = asked.files();
    let encrypted = servers.iter().any(|uri| uri.scheme == AMQPScheme::AMQPS);
    let connector = match encrypted {
        false if files.is_empty() => None,
        false => {
            return Err(BrokerError::Url {
                reason: "files of certificates are named, and amqp:// is not encrypted: begin it with amqps://".to_owned(),
            });
        }
        true => {
            let config = files.client_config().map_err(BrokerError::Tls)?;
            Some(RustlsConnector::from(Arc::new(config)))
        }
    };
    Ok((servers, Security(connector)))
}

/// The same server without the library's own TLS.
pub(crate) fn plain(uri: &AMQPUri) -> AMQPUri {
    AMQPUri {
        scheme: AMQPScheme::AMQP,
        ..uri.clone()
    }
}

impl Security {
    /// The stream, encrypted where the URL says so.
    pub(crate) async fn over<S>(
        &self,
        stream: AsyncTcpStream<S>,
        uri: &AMQPUri,
    ) -> io::Result<AsyncTcpStream<S>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        match &self.0 {
            None => Ok(stream),
            Some(connector) => stream.into_rustls(connector, &uri.authority.host).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_cannot_be_read_is_not_repeated() {
        for url in [
            "amqp://user:hunter2@host:port/",
            "amqp:user:hunter2@host",
            "amqps://user:hunter2@host/?heartbeat=soon",
        ] {
            let error = read(url).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn files_are_for_encrypted_connections() {
        let error = read("amqp://host/?cacertfile=/ca.pem").err().unwrap();
        assert!(error.to_string().contains("amqps://"), "{error}");
        let error = read("amqps://host/?cacertfile=/a@b/ca.pem").err().unwrap();
        assert!(error.to_string().contains("%40"), "{error}");
        let error = read("amqps://host/?cacertfile=/absent.pem").err().unwrap();
        assert!(matches!(error, BrokerError::Tls(_)), "{error:?}");
    }
}
