//! Reads the subscriptions file and its mapping files again on SIGHUP, and when one of them has changed: what *receive* takes from then on
//! must be read here, and watched over. A file with problems changes nothing.

use crate::config;
use crate::fingerprint::Fingerprint;
use crate::subscriptions::{Secrets, Subscriptions};
use crate::watchdog::Watch;
use adapter::Mappings;
use runtime::Problems;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at: more often than *receive* does, because what it takes goes to quarantine until it is known here.
const LOOK: Duration = Duration::from_secs(1);

/// The mappings in force. Replaced as a whole; a batch keeps those that it began with.
#[derive(Debug, Clone)]
pub struct LiveMappings(Arc<RwLock<Arc<Mappings>>>);

impl LiveMappings {
    /// Starts with these.
    pub fn new(mappings: Mappings) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(mappings))))
    }

    /// Those in force now.
    pub fn current(&self) -> Arc<Mappings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, mappings: Mappings) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(mappings);
    }
}

/// What is read again.
#[derive(Debug, Clone)]
pub struct Files {
    /// The subscriptions file.
    pub subscriptions: PathBuf,
    /// The mapping files that it names.
    pub mappings: Vec<PathBuf>,
    /// The attributes that are kept; they are no part of the files.
    pub attributes: BTreeSet<String>,
}

impl Files {
    /// Reads all of them, or lists everything that is wrong with them.
    fn read(&self) -> Result<(Subscriptions, Mappings), Vec<String>> {
        let mut problems = Problems::new();
        let file = Some(&self.subscriptions);
        let (read, mappings) =
            config::subscriptions_and_mappings(file, Secrets::NotNeeded, &mut problems);
        if problems.is_empty() {
            Ok((read, mappings.keeping(self.attributes.clone())))
        } else {
            Err(problems.list().to_vec())
        }
    }

    /// Of all of them.
    fn fingerprint(&self) -> Fingerprint {
        let files = std::iter::once(&self.subscriptions).chain(&self.mappings);
        Fingerprint::of(files.map(PathBuf::as_path))
    }
}

/// Runs until the stop. `watched` is what the watchdog watches, if there is one.
pub async fn run(
    mut files: Files,
    mappings: LiveMappings,
    watched: Option<watch::Sender<Watch>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut seen = files.fingerprint();
    loop {
        let asked = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = hangup.recv() => true,
            () = tokio::time::sleep(LOOK) => false,
        };
        let now = files.fingerprint();
        if !asked && now == seen {
            continue;
        }
        seen = now;
        match take(&files, &mappings, watched.as_ref()) {
            Ok(named) => {
                // Written while they were read: they are read once more.
                let still = files.fingerprint() == now;
                files.mappings = named;
                if still {
                    seen = files.fingerprint();
                }
            }
            Err(problems) => tracing::error!(
                problems = problems.join("; "),
                "the subscriptions file or a mapping file has problems; the old mappings stay in force"
            ),
        }
    }
}

/// Puts what the files say in force, all of it or nothing. Returns the mapping files that are named.
fn take(
    files: &Files,
    mappings: &LiveMappings,
    watched: Option<&watch::Sender<Watch>>,
) -> Result<Vec<PathBuf>, Vec<String>> {
    let (read, fresh) = files.read()?;
    if let Some(watched) = watched {
        let watch = watched.borrow().with(read.list.clone())?;
        watched.send_replace(watch);
    }
    mappings.replace(fresh);
    tracing::info!(
        subscriptions = read.list.len(),
        mappings = read.mappings.len(),
        "the mapping files were read again"
    );
    Ok(read.mappings.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn write(folder: &Path, mapping: &str) {
        let text = "version = 1\n[[subscription]]\nname = \"a\"\npath = \"/a\"\ntenant = \"t\"\nformat = \"mapped\"\nmapping = \"m.toml\"\n[subscription.signature]\nsecrets = [{ env = \"NOT_NEEDED_HERE\" }]\n";
        std::fs::write(folder.join("s.toml"), text).unwrap();
        std::fs::write(folder.join("m.toml"), mapping).unwrap();
    }

    fn mapping(word: &str) -> String {
        format!(
            "version = 1\n[event]\nid = \"id\"\nat = \"at\"\ninteraction = \"id\"\nstate = {{ path = \"what\", values = {{ {word} = \"completed\" }} }}\n"
        )
    }

    #[test]
    fn what_the_files_say_is_in_force_whole_and_what_has_a_problem_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &mapping("End"));
        let files = Files {
            subscriptions: folder.path().join("s.toml"),
            mappings: Vec::new(),
            attributes: BTreeSet::from(["kept".to_owned()]),
        };
        let live = LiveMappings::new(Mappings::none());
        let watch = Watch {
            subscriptions: Vec::new(),
            quiet_after: Duration::from_secs(60),
            check_every: Duration::from_secs(60),
        };
        let (watched, fresh) = watch::channel(watch);
        let batch = live.current();
        let named = take(&files, &live, Some(&watched)).unwrap();
        assert_eq!(named, [folder.path().join("m.toml")]);
        assert_eq!(*batch, Mappings::none(), "a batch keeps its own");
        let first = live.current();
        assert_eq!(*first, files.read().unwrap().1);
        assert_ne!(*first, Mappings::none());
        assert_eq!(fresh.borrow().subscriptions.len(), 1);
        assert_eq!(fresh.borrow().quiet_after, Duration::from_secs(60));

        write(folder.path(), "version = 1\nnonsense = 1\n");
        let problems = take(&files, &live, Some(&watched)).unwrap_err();
        assert!(problems.join("\n").contains("m.toml"), "{problems:?}");
        assert_eq!(live.current(), first);
        write(folder.path(), &mapping("Fin"));
        take(&files, &live, None).unwrap();
        assert_ne!(live.current(), first);
    }

    #[test]
    fn a_change_of_a_mapping_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &mapping("End"));
        let files = Files {
            subscriptions: folder.path().join("s.toml"),
            mappings: vec![folder.path().join("m.toml")],
            attributes: BTreeSet::new(),
        };
        let before = files.fingerprint();
        assert_eq!(files.fingerprint(), before);
        write(folder.path(), &mapping("Fin"));
        assert_ne!(files.fingerprint(), before);
    }
}
