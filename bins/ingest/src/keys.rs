//! `ingest keys`: makes and rotates the file of keys that raw bytes are sealed under. No secret is ever shown.

use crate::clock::now;
use anyhow::{Context as _, anyhow, bail};
use clap::Subcommand;
use runtime::args::RawKeyArgs;
use runtime::seal::{NewKeyError, SealKeys, generated, rotated};
use runtime::{Problems, Secret};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Flags of `keys`.
#[derive(Debug, clap::Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

/// The subcommands of `keys`.
#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a new file with one key, readable for its owner only; a file that is there is left as it is
    Generate {
        /// The file to make
        file: PathBuf,
        /// The key's id, which stands in every row; without it the day of today
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
    /// Add a key to --raw-keys-file, which seals from then on; the others stay, for what was sealed under them
    ///
    /// Bring the file to whoever reads raw bytes first, to `ingest normalise` then, and start each anew. A key may leave the file when no row
    /// names it any more: `SELECT DISTINCT raw_key FROM event_log` and the same of quarantine.
    Rotate {
        #[command(flatten)]
        keys: RawKeyArgs,
        /// The new key's id; without it the day of today
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
    /// List the ids of the keys; the one that seals stands first
    List {
        #[command(flatten)]
        keys: RawKeyArgs,
    },
}

/// Does what the command line says.
pub fn run(args: KeysArgs) -> anyhow::Result<()> {
    match args.command {
        KeysCommand::Generate { file, id } => {
            let id = id.unwrap_or_else(today);
            let text = generated(&id)?;
            if file.exists() {
                let file = file.display();
                bail!(
                    "{file} is there already and stays as it is; add a key with `ingest keys rotate --raw-keys-file {file}`"
                );
            }
            write_new(&file, &text)?;
            println!("{} has the key {id}", file.display());
        }
        KeysCommand::Rotate { keys, id } => {
            let (path, found) = read(&keys)?;
            let id = id.unwrap_or_else(today);
            let text = rotated(&found, &id).map_err(|error| match error {
                NewKeyError::Taken { .. } => anyhow!("{error}: give another with --id"),
                error => error.into(),
            })?;
            replace(&path, &text)?;
            println!("{} seals with the key {id} now", path.display());
            println!(
                "bring it to quarantine, erase and backfill first, then start every normalise anew"
            );
        }
        KeysCommand::List { keys } => {
            for id in read(&keys)?.1.ids() {
                println!("{id}");
            }
        }
    }
    Ok(())
}

fn read(keys: &RawKeyArgs) -> anyhow::Result<(PathBuf, SealKeys)> {
    let mut problems = Problems::new();
    if keys.raw_keys_file.is_none() {
        problems.push("--raw-keys-file (or KPILINE_RAW_KEYS_FILE): is missing");
    }
    let found = keys.resolve(&mut problems);
    problems.into_result()?;
    match (keys.raw_keys_file.clone(), found) {
        (Some(path), Some(found)) => Ok((path, found)),
        _ => bail!("no key file"),
    }
}

/// `2026-11-28`.
fn today() -> String {
    now().to_string().chars().take(10).collect()
}

/// Never over a file that is there: it may hold the only copy of a key.
fn write_new(path: &Path, text: &Secret) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    write(&mut file, path, text)
}

/// At once or not at all: beside it first, then in its place.
fn replace(path: &Path, text: &Secret) -> anyhow::Result<()> {
    // Where the file is mounted through a link, the link stays.
    let path = path
        .canonicalize()
        .with_context(|| format!("cannot find {}", path.display()))?;
    let mut beside = path.clone().into_os_string();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    write_new(&beside, text)?;
    std::fs::rename(&beside, &path)
        .with_context(|| format!("cannot put {} in its place", beside.display()))
}

fn write(file: &mut File, path: &Path, text: &Secret) -> anyhow::Result<()> {
    file.write_all(text.expose().as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn args(path: &Path) -> RawKeyArgs {
        RawKeyArgs {
            raw_keys_file: Some(path.to_owned()),
        }
    }

    #[test]
    fn a_file_is_made_for_its_owner_alone_rotated_in_place_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raw-keys.toml");
        let make = |id: &str| {
            run(KeysArgs {
                command: KeysCommand::Generate {
                    file: path.clone(),
                    id: Some(id.to_owned()),
                },
            })
        };
        make("a").unwrap();
        let before = std::fs::read_to_string(&path).unwrap();
        let error = make("b").unwrap_err().to_string();
        let advice = format!("ingest keys rotate --raw-keys-file {}", path.display());
        assert!(
            error.contains("is there already and stays as it is") && error.contains(&advice),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
        let rotate = || {
            run(KeysArgs {
                command: KeysCommand::Rotate {
                    keys: args(&path),
                    id: Some("b".to_owned()),
                },
            })
        };
        rotate().unwrap();
        let error = rotate().unwrap_err().to_string();
        assert!(error.contains("give another with --id"), "{error}");
        let keys = read(&args(&path)).unwrap().1;
        assert_eq!(keys.ids().collect::<Vec<_>>(), ["b", "a"]);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
