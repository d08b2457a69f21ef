//! An Alertmanager with the example's file is given alerts, and says which it holds back and whom it would tell.

use crate::support::{deploy, missing};
use serde_json::{Value, json};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use testkit::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Ended with the value.
struct Alertmanager {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = killed {
            eprintln!("the Alertmanager was not ended: {error}");
        }
    }
}

/// `None`: it is not installed.
async fn start() -> Option<Alertmanager> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let folder = tempfile::tempdir().unwrap();
    // Debian's name, and its authors'.
    for program in ["prometheus-alertmanager", "alertmanager"] {
        let started = Command::new(program)
            .arg(format!(
                "--config.file={}",
                deploy("prometheus/alertmanager.example.yml").display()
            ))
            .arg(format!("--storage.path={}", folder.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match started {
            Ok(child) => {
                let running = Alertmanager {
                    child,
                    address,
                    _folder: folder,
                };
                eventually(
                    Duration::from_secs(20),
                    "Alertmanager answers",
                    async || ask(address, "GET", "/-/ready", "").await.is_ok(),
                )
                .await;
                return Some(running);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => panic!("{program}: {error}"),
        }
    }
    missing("alertmanager");
    None
}

async fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| io::Error::other("no answer"))?;
    if head.contains(" 200 ") {
        Ok(body.to_owned())
    } else {
        Err(io::Error::other(head.to_owned()))
    }
}

/// Of each alert: its labels, whether it is held back, and who is told.
async fn standing(address: SocketAddr) -> io::Result<Vec<(Value, bool, String)>> {
    let body = ask(address, "GET", "/api/v2/alerts", "").await?;
    // It may come in pieces, each after its length in a line of its own; the longest line is the answer.
    let text = body
        .lines()
        .max_by_key(|line| line.len())
        .unwrap_or_default();
    let alerts: Vec<Value> = serde_json::from_str(text).map_err(io::Error::other)?;
    let of = |alert: Value| {
        let held = alert["status"]["state"] == "suppressed";
        let told = alert["receivers"][0]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        (alert["labels"].clone(), held, told)
    };
    Ok(alerts.into_iter().map(of).collect())
}

#[tokio::test]
async fn a_dip_is_held_back_while_numbers_are_not_live_and_what_follows_from_another_alert_is_told_once()
 {
    let Some(alertmanager) = start().await else {
        return;
    };
    let business = |tenant: &str| json!({"alertname": "ServiceLevelLow", "kpi": "business", "severity": "warning", "tenant": tenant});
    let of = |name: &str, severity: &str| json!({"alertname": name, "severity": severity});
    let platform = |name: &str, severity: &str| json!({"alertname": name, "severity": severity, "tenant": "acme", "platform": "main"});
    let target = |name: &str, target: &str| json!({"alertname": name, "severity": "critical", "target": target});
    // Labels, whether held back, who would be told.
    let wanted = [
        (platform("KpilineNumbersNotLive", "info"), false, "nobody"),
        (business("acme"), true, "business"),
        (business("beta"), false, "business"),
        (
            platform("KpilinePlatformStale", "warning"),
            false,
            "operators",
        ),
        (
            platform("KpilinePlatformSyncingForLong", "warning"),
            true,
            "operators",
        ),
        (of("KpilineBrokerBlocked", "critical"), false, "on-call"),
        (of("KpilineReceiveRefuses", "critical"), true, "on-call"),
        (of("KpilineQueueGrows", "warning"), true, "operators"),
        (of("KpilineMonthsRunOut", "critical"), false, "on-call"),
        (target("KpilineTargetPaused", "a"), false, "on-call"),
        (target("KpilineDeliverFailing", "a"), true, "on-call"),
        (target("KpilineDeliverFailing", "b"), false, "on-call"),
    ];
    let posted: Vec<Value> = wanted
        .iter()
        .map(|(labels, ..)| json!({ "labels": labels }))
        .collect();
    let posted = Value::from(posted).to_string();
    ask(alertmanager.address, "POST", "/api/v2/alerts", &posted)
        .await
        .unwrap();
    eventually(
        Duration::from_secs(30),
        "each alert stands as it should",
        async || {
            let standing = standing(alertmanager.address)
                .await
                .map_err(|error| error.to_string())?;
            for (labels, held, told) in &wanted {
                let found = standing.iter().find(|(found, ..)| found == labels);
                let Some((_, is_held, is_told)) = found else {
                    return Err(format!("{labels} is not known"));
                };
                if (is_held, is_told.as_str()) != (held, *told) {
                    return Err(format!("{labels}: held back {is_held}, told {is_told}"));
                }
            }
            Ok(())
        },
    )
    .await;
}
