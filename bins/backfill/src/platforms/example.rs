//! The example of a platforms file shows all that can be said, and what is usual.

use super::{CxoneSettings, GenesysSettings, Kind, Platforms, parse};

const EXAMPLE: &str = include_str!("../../../../deploy/config/platforms.toml");

fn read(text: &str) -> Result<Platforms, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    for name in ["genesys-client-secret", "cxone-access-key-secret"] {
        std::fs::write(folder.path().join(name), "secret").unwrap();
    }
    let variable = |_: &str| Some("set".to_owned());
    parse("platforms.toml", text, folder.path(), &variable)
}

#[test]
fn it_is_sound() {
    let found = read(EXAMPLE).unwrap();
    assert_eq!(found.names(), ["genesys-main", "cxone-main"]);
}

#[test]
fn it_shows_every_setting() {
    let wrong = testkit::example::not_shown(EXAMPLE, &[], |text| read(text).unwrap_err());
    assert_eq!(wrong, [] as [&str; 0]);
}

#[test]
fn what_it_states_is_what_holds_where_nothing_is_said() {
    let found = read(EXAMPLE).unwrap();
    let bare = |platform: &str, more: &str| {
        let text = format!(
            "version = 1\n[[platform]]\nname = \"bare\"\ntenant = \"acme\"\nplatform = \"{platform}\"\nbase_url = \"https://api.example.com\"\n\
             credentials = {{ token_url = \"https://login.example.com\", client_id = \"id\", client_secret = \"secret\" }}\n{more}\n"
        );
        let found = read(&text).unwrap();
        found.get("bare").unwrap().clone()
    };
    let genesys = found.get("genesys-main").unwrap();
    let usual = bare("genesys", "[platform.settlement]");
    assert_eq!(genesys.kind, Kind::Genesys(GenesysSettings::default()));
    assert_eq!(genesys.settlement, usual.settlement);
    assert_eq!(genesys.access.limit, usual.access.limit);

    let cxone = found.get("cxone-main").unwrap();
    let sources = "['cxone-contacts', 'cxone-contact-states', 'cxone-agent-states']";
    let usual = bare("cxone", &format!("[platform.follow]\nsources = {sources}"));
    assert_eq!(cxone.follow, usual.follow);
    assert_eq!(cxone.access.timeouts, usual.access.timeouts);
    assert_eq!(cxone.access.schedule, usual.access.schedule);
    assert_eq!(cxone.breaker, usual.breaker);
    let Kind::Cxone(stated) = &cxone.kind else {
        panic!("{cxone:?}")
    };
    let usual = CxoneSettings {
        base: stated.base.clone(),
        report_zone: stated.report_zone,
        ..CxoneSettings::default()
    };
    assert_eq!(*stated, usual);
}
