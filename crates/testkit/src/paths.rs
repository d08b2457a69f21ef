//! Where things lie.

use std::path::{Path, PathBuf};

/// The root of the workspace.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here
        .ancestors()
        .nth(2)
        .expect("crates/testkit lies two below the root");
    root.to_path_buf()
}

/// The folder of shared samples: `KPILINE_SHARED`, or else `../shared` beside the workspace. `None` when it is absent; then the test
/// says so and does nothing.
#[must_use]
pub fn shared_dir() -> Option<PathBuf> {
    let path = std::env::var_os("KPILINE_SHARED")
        .map_or_else(|| workspace_root().join("../shared"), PathBuf::from);
    match path.canonicalize() {
        Ok(path) if path.is_dir() => Some(path),
        _ => {
            eprintln!(
                "SKIPPED: shared samples absent (no ../shared beside the workspace, and KPILINE_SHARED names no folder)"
            );
            None
        }
    }
}
