//! Servers of a test's own, which may be stopped and killed, and processes that are started again.

use crate::harness::Setup;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use testkit::{Proc, workspace_root};

/// A private PostgreSQL and RabbitMQ; ended with the value.
pub(crate) struct Servers {
    folder: PathBuf,
    /// Whether they offer TLS, beside plain text.
    tls: bool,
}

impl Servers {
    /// Starts them in a folder of this name.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_either(name, false)
    }

    /// The same, with TLS by a private CA.
    pub(crate) fn start_with_tls(name: &str) -> Self {
        Self::start_either(name, true)
    }

    fn start_either(name: &str, tls: bool) -> Self {
        // Under .local and not a temporary folder: PostgreSQL's own user must be able to reach it.
        let local = std::env::var_os("KPILINE_LOCAL_DIR")
            .map_or_else(|| workspace_root().join(".local"), PathBuf::from);
        let servers = Self {
            folder: local.join(format!("{name}-{}", std::process::id())),
            tls,
        };
        servers.script(&["start"]);
        servers
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let script = workspace_root().join("deploy/local/services.sh");
        let mut command = Command::new("bash");
        if self.tls {
            command.env("KPILINE_LOCAL_TLS", "1");
        }
        command
            .arg(script)
            .args(arguments)
            .env("KPILINE_LOCAL_DIR", &self.folder)
            .output()
            .unwrap()
    }

    /// The folder that scripts of the same servers are to be given.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs `services.sh` and gives what it printed. Panics when it fails.
    pub(crate) fn script(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        let (said, text) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "services.sh {arguments:?}: {}: {said} {text}",
            output.status
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// A server's address, by the variable that names it.
    pub(crate) fn url(&self, variable: &str) -> String {
        let env = self.script(&["env"]);
        let line = env
            .lines()
            .find_map(|line| line.strip_prefix(&format!("export {variable}=")))
            .unwrap();
        line.trim_matches('\'').to_owned()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // A panic here while another one is on its way would hide that one.
        let output = self.command(&["destroy"]);
        if !output.status.success() {
            eprintln!(
                "the private servers under {} were not removed",
                self.folder.display()
            );
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// One of the processes, and how to start it again.
pub(crate) struct Part {
    pub(crate) binary: &'static str,
    arguments: Vec<String>,
    pub(crate) process: Proc,
}

impl Part {
    pub(crate) fn start(setup: &Setup, binary: &'static str, arguments: &[&str]) -> Self {
        let process = setup.spawn(binary, arguments);
        Self {
            binary,
            arguments: arguments
                .iter()
                .map(|&argument| argument.to_owned())
                .collect(),
            process,
        }
    }

    pub(crate) fn kill_and_restart(&mut self, setup: &Setup) {
        self.process.kill9();
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.process = setup.spawn(self.binary, &arguments);
    }
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A program of PostgreSQL's, of the newest version that is installed.
pub(crate) fn postgres_program(name: &str) -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let versions = folders.filter_map(|entry| {
        let path = entry.ok()?.path();
        let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
        let program = path.join("bin").join(name);
        program.is_file().then_some((version, program))
    });
    versions
        .max()
        .map_or_else(|| PathBuf::from(name), |(_, program)| program)
}

/// A size from the environment, for the soak.
pub(crate) fn size(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}
