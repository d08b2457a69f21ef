//! Files in a folder: whole, or not there.

use super::{Fate, Parcel, absent};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A folder that this process can write, often one that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderPlace {
    /// Where it is.
    pub path: PathBuf,
}

impl FolderPlace {
    /// Puts a file there: under a name of its own first, on the disk, and then under its own in one step. Whoever watches the folder never
    /// sees half a file.
    pub(super) async fn put(&self, parcel: Parcel) -> Fate {
        let target = self.path.join(&parcel.name);
        // The disk may be slow, or across a network.
        let put = tokio::task::spawn_blocking(move || place(&target, &parcel.bytes));
        match put.await {
            Ok(Ok(())) => Fate::Taken,
            Ok(Err((is_absent, error))) => Fate::Failed {
                is_absent,
                wait: None,
                is_patient: false,
                why: format!("the file cannot be written: {error}"),
            },
            Err(error) => absent(format!("the file could not be written: {error}")),
        }
    }
}

/// With each error whether the file is certainly not there.
fn place(target: &Path, bytes: &[u8]) -> Result<(), (bool, io::Error)> {
    let not_there = |error| (true, error);
    let folder = target.parent().unwrap_or(Path::new("."));
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    std::fs::create_dir_all(folder).map_err(not_there)?;
    // A dot first: those who collect files pass it over. Unlike any other process's, which may be at the same file.
    let draft = folder.join(format!(".{name}.{}", uuid::Uuid::now_v7()));
    let written = draft_of(&draft, bytes).and_then(|()| std::fs::rename(&draft, target));
    if let Err(error) = written {
        // What cannot be removed either is left: its name says what it is.
        drop(std::fs::remove_file(&draft));
        return Err((true, error));
    }
    // The name is only on the disk when its folder is.
    let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| (false, error))
}

fn draft_of(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(name: &str, bytes: &[u8]) -> Parcel {
        Parcel {
            name: name.to_owned(),
            content_type: "text/csv",
            bytes: bytes.to_vec(),
            key: String::new(),
            about: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_file_is_there_whole_and_nothing_else_is() {
        let folder = tempfile::TempDir::new().unwrap();
        let place = FolderPlace {
            path: folder.path().join("feeds"),
        };
        for bytes in [&b"a,b\r\n"[..], b"a\r\n"] {
            assert_eq!(place.put(parcel("c/d.csv", bytes)).await, Fate::Taken);
            let inside = place.path.join("c");
            assert_eq!(std::fs::read(inside.join("d.csv")).unwrap(), bytes);
            assert_eq!(std::fs::read_dir(inside).unwrap().count(), 1);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_not_there() {
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::write(folder.path().join("taken"), "a file").unwrap();
        let place = FolderPlace {
            path: folder.path().join("taken"),
        };
        let fate = place.put(parcel("c/d.csv", b"a")).await;
        assert!(
            matches!(
                fate,
                Fate::Failed {
                    is_absent: true,
                    ..
                }
            ),
            "{fate:?}"
        );
    }
}
