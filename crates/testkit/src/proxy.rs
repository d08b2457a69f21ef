//! A TCP proxy that breaks the network on demand.

use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

/// What the proxy does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    /// Bytes from the client to the server are held.
    hold_requests: bool,
    /// Bytes from the server to the client are held.
    hold_answers: bool,
    /// New connections are closed at once.
    refuse: bool,
    /// Connections of an earlier generation are cut.
    generation: u64,
}

/// A proxy on a free local port. Stops with the value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    injected: broadcast::Sender<Vec<u8>>,
    accept: JoinHandle<()>,
}

impl Proxy {
    /// Forwards to this address, such as `127.0.0.1:5672`.
    pub async fn to(target: impl Into<String>) -> Self {
        let target = target.into();
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free local port");
        let address = listener.local_addr().expect("a bound port has an address");
        let (state, watched) = watch::channel(State {
            hold_requests: false,
            hold_answers: false,
            refuse: false,
            generation: 0,
        });
        let (injected, _) = broadcast::channel(16);
        let injections = injected.clone();
        let accept = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let now = *watched.borrow();
                if now.refuse {
                    continue;
                }
                let (target, watched) = (target.clone(), watched.clone());
                let injections = injections.subscribe();
                tokio::spawn(forward(client, target, watched, injections, now.generation));
            }
        });
        Self {
            address,
            state,
            injected,
            accept,
        }
    }

    /// In front of the host of a URL; returns the proxy and the URL through it.
    pub async fn before(url: &str, default_port: u16) -> (Self, String) {
        let (start, end) = host_range(url);
        let host = &url[start..end];
        let target = if host.contains(':') {
            host.to_owned()
        } else {
            format!("{host}:{default_port}")
        };
        let proxy = Self::to(target).await;
        let through = format!("{}{}{}", &url[..start], proxy.address, &url[end..]);
        (proxy, through)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts all connections. New ones are served.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }

    /// Keeps connections open but holds all bytes. New ones are accepted and held too.
    pub fn stall(&self) {
        self.state.send_modify(|state| {
            state.hold_requests = true;
            state.hold_answers = true;
        });
    }

    /// Holds only what the server answers.
    pub fn stall_answers(&self) {
        self.state.send_modify(|state| state.hold_answers = true);
    }

    /// Sends these bytes to all clients, as if the server had, also while answers are held. Only sensible
    /// between two whole answers.
    pub fn inject_answer(&self, bytes: &[u8]) {
        let clients = self.injected.send(bytes.to_vec());
        assert!(clients.is_ok(), "nobody is connected through the proxy");
    }

    /// Cuts all connections and closes new ones at once.
    pub fn refuse(&self) {
        self.state.send_modify(|state| {
            state.refuse = true;
            state.generation += 1;
        });
    }

    /// Back to normal. Held bytes flow again.
    pub fn resume(&self) {
        self.state.send_modify(|state| {
            state.hold_requests = false;
            state.hold_answers = false;
            state.refuse = false;
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accept.abort();
        self.cut();
    }
}

/// The part of a URL that names host and port.
pub(crate) fn host_range(url: &str) -> (usize, usize) {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..]
        .find(['/', '?'])
        .map_or(url.len(), |at| authority + at);
    let start = url[authority..end]
        .rfind('@')
        .map_or(authority, |at| authority + at + 1);
    (start, end)
}

async fn forward(
    client: TcpStream,
    target: String,
    watched: watch::Receiver<State>,
    injections: broadcast::Receiver<Vec<u8>>,
    generation: u64,
) {
    let mut cut = watched.clone();
    let both = async {
        let Ok(server) = TcpStream::connect(target).await else {
            return;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let requests = pump(from_client, to_server, watched.clone(), None, |s| {
            s.hold_requests
        });
        let answers = pump(from_server, to_client, watched, Some(injections), |s| {
            s.hold_answers
        });
        tokio::join!(requests, answers);
    };
    tokio::select! {
        // An error means that the proxy itself is gone.
        _ = cut.wait_for(|state| state.generation != generation) => {}
        () = both => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut watched: watch::Receiver<State>,
    mut injections: Option<broadcast::Receiver<Vec<u8>>>,
    held: fn(&State) -> bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let hold = held(&watched.borrow_and_update());
        let injected = async {
            match &mut injections {
                Some(injections) => injections.recv().await,
                None => std::future::pending().await,
            }
        };
        let written = tokio::select! {
            read = from.read(&mut buffer), if !hold => match read {
                Ok(count @ 1..) => {
                    if watched.wait_for(|state| !held(state)).await.is_err() {
                        return;
                    }
                    to.write_all(&buffer[..count]).await
                }
                Ok(_) | Err(_) => break,
            },
            Ok(bytes) = injected => to.write_all(&bytes).await,
            changed = watched.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        if written.is_err() {
            break;
        }
    }
    // The other side may still have something to say; a failure to tell it says the same.
    to.shutdown().await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Answers every byte with the same byte.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.into_split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn ask(stream: &mut TcpStream) -> Option<u8> {
        stream.write_all(b"x").await.ok()?;
        let answer = tokio::time::timeout(Duration::from_millis(300), stream.read_u8());
        answer.await.ok()?.ok()
    }

    #[tokio::test]
    async fn it_forwards_stalls_resumes_cuts_and_refuses() {
        let proxy = Proxy::to(echo().await.to_string()).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut stream).await, Some(b'x'));
        proxy.stall();
        assert_eq!(ask(&mut stream).await, None);
        proxy.resume();
        assert_eq!(stream.read_u8().await.unwrap(), b'x', "held bytes arrive");
        proxy.cut();
        assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut stream).await, Some(b'x'));
        proxy.refuse();
        assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
    }

    #[test]
    fn the_host_of_a_url_is_found() {
        let host = |url: &'static str| {
            let (start, end) = host_range(url);
            &url[start..end]
        };
        assert_eq!(
            host("amqp://guest:gu@st@127.0.0.1:5672/%2f"),
            "127.0.0.1:5672"
        );
        assert_eq!(host("postgres://host?x=a@b"), "host");
        assert_eq!(host("http://host"), "host");
    }
}
