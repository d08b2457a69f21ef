//! The smallest HTTP client: for probes and metrics in tests.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Fetches a path: the status and the body. Gives up after five seconds.
pub async fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    tokio::time::timeout(Duration::from_secs(5), fetch(address, path)).await?
}

async fn fetch(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| io::Error::other("no HTTP answer"))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("no HTTP status"))?;
    Ok((status, body.to_owned()))
}

/// The value of one series in the text of `/metrics`, such as `kpiline_ingest_events_total{result="logged"}`. Zero when it is absent.
pub async fn metric(address: SocketAddr, series: &str) -> io::Result<f64> {
    let (_, text) = get(address, "/metrics").await?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    Ok(value.map_or(0.0, |value| value.parse().unwrap_or(f64::NAN)))
}
