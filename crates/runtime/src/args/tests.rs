use super::*;
use crate::Problems;
use clap::{CommandFactory as _, Parser};

/// All groups together, as a binary has them.
#[derive(Debug, Parser)]
struct All {
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    amqp: AmqpArgs,
    #[command(flatten)]
    ops: OpsArgs,
}

fn parse(arguments: &[&str]) -> All {
    All::try_parse_from(std::iter::once("test").chain(arguments.iter().copied())).unwrap()
}

fn problems(arguments: &[&str]) -> Vec<String> {
    let all = parse(arguments);
    let mut problems = Problems::new();
    all.postgres.resolve(&mut problems);
    all.amqp.resolve(&mut problems);
    all.ops.resolve(&mut problems);
    problems.list().to_vec()
}

#[test]
fn the_definition_is_sound() {
    All::command().debug_assert();
}

#[test]
fn every_flag_has_the_variable_of_its_name() {
    for argument in All::command().get_arguments() {
        let Some(long) = argument.get_long() else {
            continue;
        };
        if long == "help" {
            continue;
        }
        let variable = argument.get_env().unwrap().to_str().unwrap();
        assert_eq!(variable, crate::secret::env_name(long));
    }
}

#[test]
fn what_is_missing_is_listed_at_once() {
    let found = problems(&[]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("--database-url (or KPILINE_DATABASE_URL"));
    assert!(found[1].starts_with("--amqp-url (or KPILINE_AMQP_URL"));
}

#[test]
fn wrong_values_are_named_and_passwords_are_not() {
    let found = problems(&[
        "--database-url=mysql://u:hunter2@h/d",
        "--amqp-url=http://u:hunter2@h",
        "--database-pool-max=0",
        "--queue-prefix=a b",
        "--log-level=loud",
    ]);
    assert_eq!(found.len(), 5, "{found:?}");
    assert!(!found.iter().any(|text| text.contains("hunter2")));
    assert!(found[3].contains("\"a b\""), "{found:?}");
}

#[test]
fn defaults_and_settings() {
    let all = parse(&[
        "--database-url=postgres://u:hunter2@h/d",
        "--amqp-url=amqp://u:hunter2@h",
        "--raw-queue-max-bytes=0",
    ]);
    let mut problems = Problems::new();
    let postgres = all.postgres.resolve(&mut problems);
    let amqp = all.amqp.resolve(&mut problems);
    assert!(problems.is_empty());
    assert_eq!(postgres.pool_max, 8);
    assert_eq!(amqp.prefix, "kpiline.");
    assert_eq!(amqp.raw_max_bytes, None);
    let default = "127.0.0.1:9101".parse().unwrap();
    assert_eq!(all.ops.or_default(default), default);
    assert!(!format!("{postgres:?} {amqp:?} {all:?}").contains("hunter2"));
}

#[test]
fn durations_are_human_and_never_zero() {
    assert_eq!(positive_duration("250ms"), Ok(Duration::from_millis(250)));
    assert!(positive_duration("0s").is_err());
    assert!(positive_duration("10").unwrap_err().contains("30s"));
}
