//! HTTPS towards a platform whose certificate a private CA has signed: `SSL_CERT_FILE` names the roots for it.

use crate::harness::PATIENCE;
use double::{Config, Double};
use testkit::Proc;
use testkit::tls::{Authority, Begins, TlsFront};

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_behind_a_private_ca_is_spoken_to_where_its_root_is_named() {
    let double = Double::start(Config::default()).await.unwrap();
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"]);
    let front = TlsFront::before(&double.url(), Begins::AtOnce, &identity, None).await;
    let url = front
        .url(&double.url(), "localhost")
        .replacen("http://", "https://", 1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("platforms.toml");
    let text = format!(
        "version = 1\n\n[[platform]]\nname = \"double\"\ntenant = \"acme\"\nplatform = \"genesys\"\nbase_url = \"{url}\"\n\n\
         [platform.credentials]\ntoken_url = \"{url}/oauth/token\"\nclient_id = \"double-client\"\nclient_secret = {{ value = \"double-secret\" }}\n\n\
         [platform.rate]\nrequests = 600\nperiod = \"1m\"\n"
    );
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let asked = async |roots: &std::path::Path| {
        let roots = roots.display().to_string();
        let env = [
            ("KPILINE_PLATFORMS", file.as_str()),
            ("SSL_CERT_FILE", roots.as_str()),
        ];
        let (_, out, err) = Proc::run("backfill", &["check", "--online"], &env, PATIENCE).await;
        format!("{out}{err}")
    };

    let stranger = Authority::new();
    let said = asked(&stranger.ca()).await;
    assert_eq!(double.grants(), 0, "{said}");
    assert!(said.contains("certificate"), "{said}");
    let said = asked(&authority.ca()).await;
    assert!(double.grants() > 0, "{said}");
}
