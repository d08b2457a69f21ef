//! The servers that one URL names, and whose turn it is.
//!
//! `amqp://user:password@one:5672,two:5672,three/%2f` are three nodes of one cluster: the same credentials, virtual host and parameters for
//! each. A connection goes to one of them; the next one of this process begins with the next, so that connections are spread and none
//! waits for a node that was just found dead.

use crate::error::BrokerError;
use lapin::uri::AMQPUri;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a URL that cannot be read should be like.
const FORM: &str = "it is not of the form amqps://user:password@host:port/vhost, with %2F and so on for what stands for itself in a part";

/// Which server the next connection of this process tries first, counted on without end. A process begins somewhere, so that those that are
/// started together do not all go to one node.
static TURN: AtomicUsize = AtomicUsize::new(0);

/// Reads the URL: one server for each host in it, in their order.
pub(crate) fn read(url: &str) -> Result<Vec<AMQPUri>, BrokerError> {
    let (before, hosts, after) = split(url);
    hosts
        .split(',')
        .map(|host| {
            // A trailing comma would else mean this machine.
            if host.is_empty() && hosts.contains(',') {
                return Err(BrokerError::Url {
                    reason: "a host between commas is empty".to_owned(),
                });
            }
            let mut uri: AMQPUri = format!("{before}{host}{after}").parse().map_err(
                // The library's words may repeat the URL, and with it the password.
                |_: String| BrokerError::Url {
                    reason: FORM.to_owned(),
                },
            )?;
            // The library takes an address of IPv6 for this machine. Whoever connects to it, or asks a certificate for it, wants it without its
            // brackets.
            if let Some((address, _)) = host.strip_prefix('[').and_then(|it| it.split_once(']')) {
                address.clone_into(&mut uri.authority.host);
            }
            Ok(uri)
        })
        .collect()
}

/// The servers in the order in which this connection tries them.
pub(crate) fn in_turn(mut servers: Vec<AMQPUri>) -> Vec<AMQPUri> {
    if servers.len() > 1 {
        let begin = usize::try_from(std::process::id()).unwrap_or_default();
        let turn = begin.wrapping_add(TURN.fetch_add(1, Ordering::Relaxed));
        let first = turn % servers.len();
        servers.rotate_left(first);
    }
    servers
}

/// What is before the hosts, the hosts, and what is behind them. A password may hold commas, a host may not.
fn split(url: &str) -> (&str, &str, &str) {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| authority + at);
    let hosts = url[authority..end]
        .rfind('@')
        .map_or(authority, |at| authority + at + 1);
    (&url[..hosts], &url[hosts..end], &url[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Vec<(String, u16)> {
        read(url)
            .unwrap()
            .into_iter()
            .map(|uri| (uri.authority.host, uri.authority.port))
            .collect()
    }

    #[test]
    fn each_host_is_a_server_with_the_same_credentials_and_parameters() {
        let servers = read("amqps://u:p,%40ss@one:5673,two,[::1]:1/%2f?heartbeat=7").unwrap();
        let found: Vec<_> = servers
            .iter()
            .map(|uri| (uri.authority.host.as_str(), uri.authority.port))
            .collect();
        assert_eq!(found, [("one", 5673), ("two", 5671), ("::1", 1)]);
        for uri in &servers {
            assert_eq!(uri.authority.userinfo.password, "p,@ss");
            assert_eq!((uri.vhost.as_str(), uri.query.heartbeat), ("/", Some(7)));
        }
    }

    #[test]
    fn one_host_is_one_server() {
        assert_eq!(
            hosts("amqp://guest:guest@127.0.0.1:5672/%2f"),
            [("127.0.0.1".to_owned(), 5672)]
        );
        assert_eq!(hosts("amqp://h"), [("h".to_owned(), 5672)]);
    }

    #[test]
    fn an_empty_host_is_a_mistake_and_the_url_is_not_repeated() {
        for url in [
            "amqp://u:hunter2@one,/%2f",
            "amqp://u:hunter2@,one/%2f",
            "amqp://u:hunter2@one,two:x/%2f",
        ] {
            let error = read(url).unwrap_err();
            assert!(matches!(error, BrokerError::Url { .. }), "{url}");
            assert!(
                !format!("{error:?}{error}").contains("hunter2"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn every_server_is_tried_and_each_gets_its_turn_to_be_first() {
        let servers = read("amqp://a,b,c").unwrap();
        let mut first = std::collections::BTreeSet::new();
        for _ in 0..9 {
            let order = in_turn(servers.clone());
            let mut all: Vec<_> = order.iter().map(|uri| uri.authority.host.clone()).collect();
            first.insert(all[0].clone());
            all.sort_unstable();
            assert_eq!(all, ["a", "b", "c"]);
        }
        // Other tests of this process may take turns in between, but not always two of three.
        assert!(first.len() > 1, "{first:?}");
    }
}
