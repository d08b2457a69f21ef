//! Images, where there is no container engine: the Dockerfile's steps are run in plain folders, and what comes out of them is started in a
//! changed root, as the user and with the files that the image has.

use crate::dockerfile::{context, copy, dockerfile, environment, run, stage};
use crate::support::{deploy, holds, missing, text, tool};
use deploy::{BINARIES, built};
use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use testkit::workspace_root;

/// The user of the image.
const USER: &str = "65532";

/// What changes roots: `chroot`, by `sudo` where this user is not root and may do it without being asked. `None`: nothing does.
fn chroot() -> Option<Command> {
    // Without an environment there is no PATH to find a program by.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let find = |name: &str| {
        std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())
    };
    let program = find("chroot").unwrap_or_else(|| "/usr/sbin/chroot".into());
    let id = tool(Command::new("id").arg("-u"))?;
    if id.stdout.starts_with(b"0\n") {
        return Some(Command::new(program));
    }
    let sudo = find("sudo")?;
    let may = Command::new(&sudo).args(["-n", "true"]).output().unwrap();
    may.status.success().then(|| {
        let mut command = Command::new(sudo);
        command.arg("-n").arg("--").arg(program);
        command
    })
}

/// Starts the image's program as the image does: its own root, its user, no environment. `None`: this user may not change roots.
fn started(root: &Path, arguments: &[&str]) -> Option<Output> {
    let Some(mut command) = chroot() else {
        missing("a user who may change roots: the image's program was not started");
        return None;
    };
    command
        .arg(format!("--userspec={USER}:{USER}"))
        .arg(root)
        .arg("/kpiline")
        .args(arguments)
        .env_clear();
    tool(&mut command)
}

/// Everything below a folder.
fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            below(&path, found);
        }
        found.push(path);
    }
}

/// What has to be true of the root of an image, and of the program in it.
fn examine(binary: &str, root: &Path, date: &str) {
    let mut files = Vec::new();
    below(root, &mut files);
    let mut size = 0;
    for path in &files {
        let metadata = path.symlink_metadata().unwrap();
        let mode = metadata.permissions().mode();
        assert_eq!(mode & 0o6022, 0, "{}: {mode:o}", path.display());
        assert_eq!(metadata.mtime().to_string(), date, "{}", path.display());
        size += if metadata.is_file() {
            metadata.len()
        } else {
            0
        };
    }
    let names: BTreeSet<_> = files
        .iter()
        .filter_map(|path| path.file_name())
        .map(|name| name.to_string_lossy())
        .collect();
    for absent in ["sh", "bash", "busybox", "apt", "ld.so.cache"] {
        assert!(
            !names.contains(absent),
            "{absent} is in the image of {binary}"
        );
    }
    let certificates = text(&root.join("etc/ssl/certs/ca-certificates.crt"));
    assert!(certificates.contains("BEGIN CERTIFICATE"));
    for package in ["libc6", "libgcc-s1", "ca-certificates"] {
        let note = text(&root.join("var/lib/dpkg/status.d").join(package));
        assert!(note.contains("Version: "), "{note}");
    }
    println!("{binary}: {} files, {} MiB", files.len(), size >> 20);

    let Some(version) = started(root, &["--version"]) else {
        return;
    };
    let said = String::from_utf8_lossy(&version.stdout);
    assert!(
        version.status.success() && said.starts_with(&format!("{binary} ")),
        "{binary} --version: {version:?}"
    );
    let help = started(root, &["--help"]).unwrap();
    let said = String::from_utf8_lossy(&help.stdout);
    assert!(
        help.status.success() && said.contains("Usage: "),
        "{binary} --help: {help:?}"
    );
    // Nothing is configured: `check` says what is missing, by the names of flags.
    let check = started(root, &["check"]).unwrap();
    let said = String::from_utf8_lossy(&check.stderr);
    assert!(
        check.status.code() == Some(1) && said.contains("--"),
        "{binary} check: {check:?}"
    );
}

#[test]
fn the_dockerfile_is_what_a_linter_likes() {
    let (target, _) = built();
    let linter = target.join("hadolint/bin/hadolint");
    let linter = if linter.is_file() {
        linter
    } else {
        "hadolint".into()
    };
    holds(Command::new(linter).arg(deploy("image/Dockerfile")));
}

#[test]
fn the_base_is_pinned_and_has_the_toolchain_of_the_workspace() {
    let (before, stages) = dockerfile();
    let image = before.iter().find_map(|(word, rest)| {
        (word == "ARG")
            .then(|| rest.strip_prefix("RUST_IMAGE="))
            .flatten()
    });
    let tag = image.and_then(|image| image.strip_prefix("rust:")).unwrap();
    let toolchain = text(&workspace_root().join("rust-toolchain.toml"));
    let channel = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = "))
        .unwrap();
    assert!(
        tag.starts_with(&format!("{}-", channel.trim_matches('"'))),
        "{tag} beside {channel}"
    );
    let mut known: BTreeSet<String> =
        BTreeSet::from(["${RUST_IMAGE}".to_owned(), "scratch".to_owned()]);
    for stage in &stages {
        assert!(
            known.contains(&stage.from),
            "{} is from {}",
            stage.name,
            stage.from
        );
        known.insert(stage.name.clone());
    }
}

#[test]
fn the_image_runs_as_nobody_in_particular_and_says_what_it_is() {
    let (_, stages) = dockerfile();
    let last = stages.last().unwrap();
    assert_eq!(last.from, "scratch");
    assert_eq!(last.values("USER"), [format!("{USER}:{USER}")]);
    assert_eq!(last.values("ENTRYPOINT"), ["[\"/kpiline\"]"]);
    assert!(last.values("RUN").is_empty() && last.values("CMD").is_empty());
    let labels = last.values("LABEL").join(" ");
    for label in ["title", "description", "licenses", "version", "revision"] {
        assert!(
            labels.contains(&format!("org.opencontainers.image.{label}=")),
            "{label}"
        );
    }
    // Nothing is copied into it but the root that the tests below look at.
    assert_eq!(last.values("COPY"), ["--from=builder /root-of-image /"]);
    let environment = last.values("ENV").join(" ");
    let names: Vec<&str> = environment
        .split_whitespace()
        .filter_map(|pair| pair.split('=').next())
        .collect();
    assert_eq!(names, ["KPILINE_HTTP_LISTEN", "KPILINE_OPS_LISTEN"]);
    // No step asks a network for anything but crates, and those by the lock file.
    for stage in &stages {
        for step in stage.values("RUN") {
            assert!(
                !["apt", "curl", "wget", "rustup", "cargo install"]
                    .iter()
                    .any(|word| step.contains(word)),
                "{step}"
            );
        }
    }
    for script in ["skeleton.sh", "build.sh", "root.sh"] {
        for line in text(&deploy("image").join(script))
            .lines()
            .filter(|line| line.contains("cargo build"))
        {
            assert!(line.contains("--locked"), "{script}: {line}");
        }
    }
}

/// What is not in it cannot get into a layer, or make a layer new.
#[test]
fn the_build_sees_the_sources_and_nothing_else() {
    let context = context();
    let seen = |path: &str| context.iter().any(|seen| seen == Path::new(path));
    for wanted in [
        "Cargo.lock",
        "bins/ingest/src/main.rs",
        "crates/store/Cargo.toml",
        "migrations/0001_event_log.sql",
        "deploy/image/root.sh",
        "tests/double/Cargo.toml",
        "LICENSE-MIT",
    ] {
        assert!(seen(wanted), "{wanted} is not sent to the build");
    }
    for unwanted in [
        ".git/HEAD",
        "rust-toolchain.toml",
        "deploy/compose/compose.yml",
        "README.md",
        "tests/fuzz/Cargo.toml",
        "tests/browser/seed.sql",
    ] {
        assert!(!seen(unwanted), "{unwanted} is sent to the build");
    }
    let ignored = text(&workspace_root().join(".gitignore"));
    assert!(
        ignored
            .lines()
            .any(|line| line == "/deploy/compose/secrets")
    );
}

#[test]
fn the_skeleton_is_a_workspace_of_the_same_packages_and_does_not_change_with_a_source() {
    let (_, stages) = dockerfile();
    let folder = tempfile::tempdir().unwrap();
    let (source, skeleton, again) = (
        folder.path().join("source"),
        folder.path().join("skeleton"),
        folder.path().join("again"),
    );
    copy(&context(), &source);
    let make = |to: &Path| {
        let given = [
            ("SOURCE", source.to_str().unwrap()),
            ("SKELETON", to.to_str().unwrap()),
        ];
        run(&stages, "manifests", &source, &given);
    };
    make(&skeleton);
    let main = source.join("bins/ingest/src/main.rs");
    std::fs::write(&main, format!("{}\n// A change.\n", text(&main))).unwrap();
    make(&again);
    holds(Command::new("diff").arg("-r").args([&skeleton, &again]));

    // Every member is found, with its targets.
    let packages = |root: &Path| {
        let output = Command::new("cargo")
            .args([
                "metadata",
                "--format-version",
                "1",
                "--no-deps",
                "--locked",
                "--offline",
                "--manifest-path",
            ])
            .arg(root.join("Cargo.toml"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut found = BTreeSet::new();
        for package in metadata["packages"].as_array().unwrap() {
            for target in package["targets"].as_array().unwrap() {
                let kind = target["kind"][0].as_str().unwrap();
                if ["lib", "bin"].contains(&kind) {
                    found.insert(format!(
                        "{} {kind} {}",
                        package["name"].as_str().unwrap(),
                        target["name"].as_str().unwrap()
                    ));
                }
            }
        }
        found
    };
    assert_eq!(packages(&skeleton), packages(&workspace_root()));
}

/// The steps of the last stage but one, with what the tests have built: nothing is compiled again.
#[test]
fn the_steps_of_the_build_make_a_root_in_which_each_program_starts() {
    let (_, stages) = dockerfile();
    let (target, profile) = built();
    let folder = tempfile::tempdir().unwrap();
    // The user that programs run as has to come by.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for binary in BINARIES {
        let root = folder.path().join(binary);
        let given = [
            ("BINARY", binary),
            ("PROFILE", profile.as_str()),
            ("CARGO_TARGET_DIR", target.to_str().unwrap()),
            ("RUSTFLAGS", ""),
            ("ROOT", root.to_str().unwrap()),
            ("SOURCE_DATE_EPOCH", "1700000000"),
        ];
        run(&stages, "builder", &workspace_root(), &given);
        assert_eq!(root.metadata().unwrap().mtime(), 1_700_000_000);
        examine(binary, &root, "1700000000");
    }
}

/// deploy/local/soak.sh image: all steps as they are, optimised, from copied sources, in two places; what comes of them is the same.
#[test]
fn the_whole_dockerfile_gives_the_same_twice() {
    if std::env::var_os("KPILINE_SOAK_IMAGE").is_none() {
        return;
    }
    let (_, stages) = dockerfile();
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let context = context();
    let mut digests = Vec::new();
    for place in ["here", "elsewhere"] {
        let path = |name: &str| folder.path().join(place).join(name);
        let text = |name: &str| path(name).to_str().unwrap().to_owned();
        let (source, skeleton, target) = (text("source"), text("skeleton"), text("target"));
        copy(&context, &path("source"));
        let given = [("SOURCE", source.as_str()), ("SKELETON", skeleton.as_str())];
        run(&stages, "manifests", &path("source"), &given);
        // As in the file, with the folders of this machine.
        let home = |name: &str, usual: &str| {
            std::env::var(name)
                .unwrap_or_else(|_| format!("{}/{usual}", std::env::var("HOME").unwrap()))
        };
        let flags = environment(stage(&stages, "dependencies"))["RUSTFLAGS"]
            .replace("/source", &source)
            .replace("/usr/local/cargo", &home("CARGO_HOME", ".cargo"))
            .replace("/usr/local/rustup", &home("RUSTUP_HOME", ".rustup"));
        // The skeleton is laid first and the sources over it, as COPY lays them.
        std::fs::rename(path("source"), path("copied")).unwrap();
        std::fs::rename(path("skeleton"), path("source")).unwrap();
        let given = [
            ("CARGO_TARGET_DIR", target.as_str()),
            ("RUSTFLAGS", flags.as_str()),
        ];
        run(&stages, "dependencies", &path("source"), &given);
        holds(
            Command::new("cp")
                .arg("-a")
                .arg(format!("{}/.", text("copied")))
                .arg(&source),
        );
        let binaries: &[&str] = if place == "here" {
            &BINARIES
        } else {
            &BINARIES[..1]
        };
        for binary in binaries {
            let root = text(binary);
            let given = [
                given[0],
                given[1],
                ("BINARY", *binary),
                ("ROOT", root.as_str()),
            ];
            run(&stages, "builder", &path("source"), &given);
            examine(binary, &path(binary), "0");
        }
        let summed = Command::new("sha256sum")
            .arg(path(BINARIES[0]).join("kpiline"))
            .output()
            .unwrap();
        digests.push(
            String::from_utf8(summed.stdout)
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .to_owned(),
        );
    }
    assert_eq!(digests[0], digests[1], "the same sources made two programs");
}
