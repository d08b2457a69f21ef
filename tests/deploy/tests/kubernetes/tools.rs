//! The programs that these tests run: `kubectl`, and Python with `kubernetes-validate`. `tests/deploy/setup.sh` installs them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().to_path_buf()
}

/// `deploy/kubernetes`.
pub(crate) fn folder() -> PathBuf {
    root().join("deploy/kubernetes")
}

/// `target/<profile>`: tests run from `target/<profile>/deps`.
fn profile() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_path_buf()
}

/// One of our binaries, as it was built beside these tests.
pub(crate) fn binary(name: &str) -> PathBuf {
    let path = profile().join(name);
    assert!(
        path.is_file(),
        "{name} is not built where this test is: run `cargo build -p {name}` first"
    );
    path
}

/// Where `setup.sh` puts what it installs.
fn installed() -> PathBuf {
    profile().parent().unwrap().join("kubernetes-tools")
}

/// Says loudly that something is not checked. In CI that is a failure: there the tools are installed first.
fn absent(what: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "{what} is missing; tests/deploy/setup.sh installs it"
    );
    eprintln!("SKIPPED: {what} is missing; tests/deploy/setup.sh installs it");
}

/// A `kubectl` that knows components (kustomize 5): the one that was installed for these tests, or the machine's.
pub(crate) fn kubectl() -> Option<PathBuf> {
    let ours = installed().join("kubectl/bin/kubectl");
    for candidate in [ours, PathBuf::from("kubectl")] {
        let version = Command::new(&candidate)
            .args(["version", "--client"])
            .output();
        let knows = version
            .is_ok_and(|it| String::from_utf8_lossy(&it.stdout).contains("Kustomize Version: v5"));
        if knows {
            return Some(candidate);
        }
    }
    absent("kubectl with kustomize 5");
    None
}

/// Python that finds `kubernetes-validate`.
pub(crate) fn validator() -> Option<Command> {
    let packages = installed();
    if !packages.join("kubernetes_validate").is_dir() {
        absent("kubernetes-validate");
        return None;
    }
    let python = std::env::var_os("KPILINE_PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(python);
    command.env("PYTHONPATH", packages);
    Some(command)
}

/// Runs a program with a text as its input.
pub(crate) fn piped(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // Beside the reading: either pipe may be full.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // Who does not read everything says so by its exit code.
    drop(writer.join());
    output
}
