use super::*;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

struct Made {
    folder: TempDir,
    files: Files,
}

fn made() -> Made {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let files = Files {
        certificate: write("certificate.pem", cert.pem()),
        key: write("key.pem", signing_key.serialize_pem()),
        client_ca: None,
    };
    Made { folder, files }
}

#[test]
fn good_files_offer_both_protocols() {
    let made = made();
    let config = made.files.load().unwrap();
    assert_eq!(
        config.alpn_protocols,
        [b"h2".to_vec(), b"http/1.1".to_vec()]
    );
    let with_clients = Files {
        client_ca: Some(made.files.certificate.clone()),
        ..made.files
    };
    assert!(with_clients.load().is_ok());
}

#[test]
fn every_bad_file_is_named() {
    let made = made();
    let absent = made.folder.path().join("absent");
    let empty = made.folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let bad = Files {
        certificate: empty.clone(),
        key: empty.clone(),
        client_ca: Some(absent),
    };
    let problems = bad.load().unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:?}");
    let flags = [
        "--http-tls-certificate",
        "--http-tls-key",
        "--http-tls-client-ca",
    ];
    for (problem, flag) in problems.iter().zip(flags) {
        assert!(problem.starts_with(flag), "{problem}");
    }
}

#[test]
fn a_key_of_another_certificate_is_found_out() {
    let (one, other) = (made(), made());
    let mixed = Files {
        key: other.files.key,
        ..one.files
    };
    let problems = mixed.load().unwrap_err().join("\n");
    assert!(problems.contains("cannot be used together"), "{problems}");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_written_while_the_files_are_read_is_read_too() {
    let (made, renewed) = (made(), made());
    let seen = made.files.fingerprint();
    let live = LiveTls::new(&made.files).unwrap();
    let first = live.acceptor();
    for (from, to) in [
        (&renewed.files.certificate, &made.files.certificate),
        (&renewed.files.key, &made.files.key),
    ] {
        std::fs::copy(from, to).unwrap();
    }
    let stop = CancellationToken::new();
    let reload = tokio::spawn(reload(made.files, seen, live.clone(), stop.clone()));
    tokio::time::sleep(3 * LOOK).await;
    assert!(!Arc::ptr_eq(first.config(), live.acceptor().config()));
    stop.cancel();
    reload.await.unwrap().unwrap();
}
