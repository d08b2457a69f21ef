use super::*;
use clap::CommandFactory as _;

fn serve(arguments: &[&str]) -> Result<Config, String> {
    let cli = Cli::try_parse_from(std::iter::once("ingest").chain(arguments.iter().copied()))
        .map_err(|error| error.to_string())?;
    match cli.command {
        None => cli.serve.resolve(),
        Some(Command::Serve(args)) => args.resolve(),
        Some(Command::Receive(args)) => args.resolve(),
        Some(Command::Normalise(args)) => args.resolve(),
        Some(Command::Check(args)) => args.resolve(),
        Some(other) => panic!("{other:?}"),
    }
    .map_err(|error| error.to_string())
}

/// A folder with a good subscriptions file.
fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("subscriptions.toml");
    let text = "version = 1\n[[subscription]]\nname = \"a\"\npath = \"/a\"\ntenant = \"t\"\nformat = \"genesys-webhook\"\n[subscription.signature]\nsecrets = [\"s\"]\n";
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    (folder, file)
}

#[test]
fn the_flags_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_flag_has_its_environment_variable() {
    fn check(command: &clap::Command) {
        for argument in command.get_arguments() {
            let Some(long) = argument.get_long() else {
                continue;
            };
            if ["help", "version", "role"].contains(&long) || argument.get_env().is_none() {
                continue;
            }
            let expected = runtime::secret::env_name(&format!("--{long}"));
            assert_eq!(argument.get_env().unwrap(), expected.as_str(), "--{long}");
        }
    }
    let command = Cli::command();
    check(&command);
    command.get_subcommands().for_each(check);
}

#[test]
fn receive_needs_no_database_and_normalise_no_secrets() {
    let (_folder, file) = folder();
    let receive = [
        "receive",
        "--amqp-url",
        "amqp://h",
        "--subscriptions",
        &file,
    ];
    let config = serve(&receive).unwrap();
    assert!(config.receive.is_some() && config.normalise.is_none());
    let normalise = [
        "normalise",
        "--amqp-url",
        "amqp://h",
        "--database-url",
        "postgres://h/d",
    ];
    let config = serve(&normalise).unwrap();
    assert!(config.receive.is_none() && config.normalise.is_some());
    let both = serve(&["--amqp-url", "amqp://h", "--subscriptions", &file]).unwrap_err();
    assert!(both.contains("--database-url"), "{both}");
}

#[test]
fn a_share_of_memory_into_which_no_body_fits_is_a_problem() {
    let (_folder, file) = folder();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        format!("{text}[subscription.limits]\nmemory_percent = 1\n"),
    )
    .unwrap();
    let receive = [
        "receive",
        "--amqp-url",
        "amqp://h",
        "--subscriptions",
        &file,
    ];
    let text = serve(&receive).unwrap_err();
    assert!(text.contains("subscription `a`: may take "), "{text}");
    assert!(serve(&[&receive[..], &["--receive-memory-max", "4294967296"]].concat()).is_ok());
}

#[test]
fn every_problem_is_listed_at_once() {
    let (_folder, file) = folder();
    std::fs::write(&file, "version = 7\n").unwrap();
    let text = serve(&[
        "check",
        "--role",
        "both",
        "--subscriptions",
        &file,
        "--http-answer-timeout",
        "6s",
        "--normalise-workers",
        "9",
        "--receive-in-flight",
        "0",
        "--normalise-prefetch",
        "0",
    ])
    .unwrap_err();
    for part in [
        "--amqp-url",
        "--database-url",
        "subscriptions.toml:1: `version` is 7",
        "no [[subscription]]",
        "--http-answer-timeout",
        "--receive-in-flight",
        "--database-pool-max",
        "--normalise-prefetch",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_secret_for_customers_is_of_normalise_and_long_enough() {
    let servers = ["--amqp-url", "amqp://h", "--database-url", "postgres://h/d"];
    let normalise = |rest: &[&str]| serve(&[&["normalise"][..], &servers, rest].concat());
    let secret = "0123456789abcdef";
    let config = normalise(&["--customer-key", secret]).unwrap();
    assert!(!format!("{config:?}").contains(secret), "{config:?}");
    let found = config.normalise.unwrap().customer_secret.unwrap();
    assert_eq!(found.expose(), secret);
    assert!(
        normalise(&[])
            .unwrap()
            .normalise
            .unwrap()
            .customer_secret
            .is_none()
    );
    let short = normalise(&["--customer-key", &secret[1..]]).unwrap_err();
    assert!(short.contains("--customer-key: has 15 bytes"), "{short}");
    assert!(!short.contains(&secret[1..]), "{short}");
    let (folder, file) = folder();
    let path = folder.path().join("customer-key");
    std::fs::write(&path, format!("{secret}\n")).unwrap();
    let arguments = ["check", "--subscriptions", &file, "--customer-key-file"];
    let path = path.display().to_string();
    let config = serve(&[&arguments[..], &[&path], &servers].concat()).unwrap();
    let found = config.normalise.unwrap().customer_secret.unwrap();
    assert_eq!(found.expose(), secret);
    // A receiver needs no such secret and is not given one.
    let receive = serve(&["receive", "--customer-key", secret]).unwrap_err();
    assert!(receive.contains("unexpected argument"), "{receive}");
}

#[test]
fn files_alone_are_checked_where_no_server_is_named() {
    let (_folder, file) = folder();
    let config = serve(&["check", "--subscriptions", &file]).unwrap();
    assert_eq!(config.receive.unwrap().subscriptions.list.len(), 1);
    let unchecked = |rest: &[&str]| {
        let arguments = [&["ingest", "check"][..], rest].concat();
        match Cli::try_parse_from(arguments).unwrap().command {
            Some(Command::Check(args)) => args.unchecked(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(unchecked(&[]), ["--amqp-url", "--database-url"]);
    assert_eq!(unchecked(&["--amqp-url", "amqp://h"]), ["--database-url"]);
    assert!(unchecked(&["--role", "both"]).is_empty());
    let asked = serve(&["check", "--role", "normalise", "--subscriptions", &file]).unwrap_err();
    assert!(asked.contains("--database-url"), "{asked}");
}

#[test]
fn what_is_wrong_with_a_mapping_is_said_with_what_is_wrong_elsewhere_and_syntax_alone() {
    let (folder, file) = folder();
    let text = std::fs::read_to_string(&file).unwrap();
    let mapped = text.replace(
        "genesys-webhook\"",
        "mapped\"\nmapping = \"m.toml\"\ncolour = 1",
    );
    std::fs::write(&file, &mapped).unwrap();
    let check = || serve(&["check", "--subscriptions", &file]).unwrap_err();
    let absent = check();
    for part in [
        "subscriptions.toml:7: the mapping file ",
        "m.toml cannot be read",
        "subscriptions.toml:8: unknown setting `colour`",
    ] {
        assert!(absent.contains(part), "{part} in {absent}");
    }
    std::fs::write(folder.path().join("m.toml"), "version = 2\n").unwrap();
    let broken = check();
    assert!(
        broken.contains("m.toml:1: version") && broken.contains("`colour`"),
        "{broken}"
    );
    std::fs::write(&file, "version = 1\n[[subscription]\n").unwrap();
    let syntax = check();
    assert!(syntax.contains("subscriptions.toml:2"), "{syntax}");
    assert!(
        !syntax.contains("is missing") && !syntax.contains("no [[subscription]]"),
        "{syntax}"
    );
}

#[test]
fn mapping_files_are_checked_with_the_subscriptions() {
    let (folder, file) = folder();
    let text = std::fs::read_to_string(&file).unwrap().replace(
        "format = \"genesys-webhook\"",
        "format = \"mapped\"\nmapping = \"m.toml\"",
    );
    std::fs::write(&file, text).unwrap();
    let arguments = [
        "receive",
        "--amqp-url",
        "amqp://h",
        "--subscriptions",
        &file,
    ];
    let absent = serve(&arguments).unwrap_err();
    assert!(absent.contains("m.toml cannot be read"), "{absent}");
    std::fs::write(folder.path().join("m.toml"), "version = 1\n").unwrap();
    let bad = serve(&arguments).unwrap_err();
    assert!(bad.contains("m.toml:"), "{bad}");
}

#[test]
fn tls_needs_a_certificate_and_its_key_or_neither() {
    let (folder, file) = folder();
    let with = |rest: &[&str]| {
        let base = [
            "receive",
            "--amqp-url",
            "amqp://h",
            "--subscriptions",
            &file,
        ];
        serve(&[&base[..], rest].concat())
    };
    assert!(with(&[]).unwrap().receive.unwrap().tls.is_none());
    for (alone, missing) in [
        ("--http-tls-certificate", "--http-tls-key"),
        ("--http-tls-key", "--http-tls-certificate"),
        ("--http-tls-client-ca", "--http-tls-certificate"),
    ] {
        let text = with(&[alone, "x.pem"]).unwrap_err();
        let expected = format!("{alone}: needs {missing}");
        assert!(text.contains(&expected), "{expected} in {text}");
    }
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let path = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let certificate = path("c.pem", made.cert.pem());
    let key = path("k.pem", made.signing_key.serialize_pem());
    let good = [
        "--http-tls-certificate",
        &certificate,
        "--http-tls-key",
        &key,
    ];
    let config = with(&good).unwrap().receive.unwrap();
    assert!(config.tls.is_some());
}

#[test]
fn a_watchdog_needs_the_platforms_secrets_and_a_receiver_does_not() {
    let (_folder, file) = folder();
    let text = std::fs::read_to_string(&file).unwrap();
    let platform = "[subscription.platform]\nkind = \"genesys-eventbridge\"\nregion = \"eu-west-1\"\ndelivery_url = \"https://h/a\"\ntopics = [\"x\"]\n[subscription.platform.credentials]\nclient_id = \"c\"\nclient_secret = { env = \"NOBODY_HAS_SET_THIS\" }\n";
    std::fs::write(&file, format!("{text}{platform}")).unwrap();
    let servers = ["--amqp-url", "amqp://h", "--subscriptions", &file];
    let normalise = ["normalise", "--database-url", "postgres://h/d"];
    let with = |role: &[&str], rest: &[&str]| serve(&[role, &servers, rest].concat());
    let missing = with(&normalise, &["--watchdog-quiet-after", "1s"]).unwrap_err();
    for part in [
        "NOBODY_HAS_SET_THIS is not set (or --watchdog false)",
        "--watchdog-quiet-after: is 1s",
    ] {
        assert!(missing.contains(part), "{part} in {missing}");
    }
    let without = with(&normalise, &["--watchdog", "false"]).unwrap();
    assert!(without.normalise.unwrap().watch.is_none());
    assert!(with(&["receive"], &[]).is_ok());
    std::fs::write(&file, text).unwrap();
    let watch = with(&normalise, &[])
        .unwrap()
        .normalise
        .unwrap()
        .watch
        .unwrap();
    assert_eq!(
        (watch.subscriptions.len(), watch.quiet_after),
        (1, Duration::from_secs(3600))
    );
}
