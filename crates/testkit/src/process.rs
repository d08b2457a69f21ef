//! The real binaries of the workspace, as processes that can be watched and killed.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many of its last lines a process shows when its test fails.
const LINES_SHOWN: usize = 60;
/// How long a binary may take to serve.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running binary. Killed with the value; its last log lines are shown when the test fails.
#[derive(Debug)]
pub struct Proc {
    name: String,
    child: Child,
    stderr: Lines,
    stdout: Lines,
}

/// The fields of the log line `ready`.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The whole line.
    pub fields: Value,
}

type Lines = Arc<Mutex<Output>>;

/// What one stream of a process gave so far.
#[derive(Debug, Default)]
struct Output {
    lines: Vec<String>,
    /// The stream has ended: nothing more comes.
    ended: bool,
}

impl Proc {
    /// Starts a binary from the folder in which this test was built.
    ///
    /// No `KPILINE_` variable of the caller is passed on. Logs are JSON and the ops port is a free one, unless `env` says otherwise.
    #[must_use]
    pub fn spawn(binary: &str, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        Self::spawn_path(&binary_path(binary), arguments, env)
    }

    /// As [`Proc::spawn`], for a program at a path.
    #[must_use]
    pub fn spawn_path(path: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(path);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KPILINE_") {
                command.env_remove(name);
            }
        }
        command
            .env("KPILINE_LOG_FORMAT", "json")
            .env("KPILINE_OPS_LISTEN", "127.0.0.1:0")
            .envs(env.iter().copied());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", path.display()));
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        let stdout = collect(child.stdout.take().expect("stdout is piped"));
        Self {
            name: path
                .file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy()
                .into_owned(),
            child,
            stderr,
            stdout,
        }
    }

    /// Runs a binary to its end, for subcommands that do one thing. Panics when it takes longer than `within`.
    pub async fn run(
        binary: &str,
        arguments: &[&str],
        env: &[(&str, &str)],
        within: Duration,
    ) -> (ExitStatus, String, String) {
        let mut process = Self::spawn(binary, arguments, env);
        let status = process.wait(within).await;
        (status, process.stdout(), process.stderr())
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the log line `ready`. Panics when the process ends before, or after half a minute.
    pub async fn wait_ready(&mut self) -> Ready {
        let fields = self
            .wait_line("ready", READY_WITHIN, |line| line["message"] == "ready")
            .await;
        Ready { fields }
    }

    /// Waits for a JSON log line. Panics when the process ends before one, or after `within`.
    pub async fn wait_line(
        &mut self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let stderr = Arc::clone(&self.stderr);
        let find = || {
            let lines = lock(&stderr);
            let parsed = lines
                .lines
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok());
            parsed.into_iter().find(|line| wanted(line))
        };
        let name = self.name.clone();
        crate::eventually(within, &format!("{name} logs: {what}"), async || {
            // Asked before looking: all that it wrote before its end is then found.
            let ended = self.ended();
            let found = find();
            if let Some(status) = ended {
                assert!(
                    found.is_some(),
                    "{name} ended with {status} before it logged: {what}"
                );
            }
            found
        })
        .await
    }

    /// SIGKILL, and waits for the end.
    pub fn kill9(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().expect("wait for the process");
    }

    /// SIGTERM, and waits for the end as [`Proc::wait`] does. Panics after `within`.
    pub async fn term(&mut self, within: Duration) -> ExitStatus {
        self.signal("TERM");
        self.wait(within).await
    }

    /// Sends a signal by name, such as `STOP` or `CONT`.
    pub fn signal(&self, signal: &str) {
        let command = format!("kill -{signal} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &command]).status();
        assert!(
            sent.expect("run sh").success(),
            "cannot signal {}",
            self.name
        );
    }

    /// Waits for the end and for all that it wrote. Panics after `within`.
    pub async fn wait(&mut self, within: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        crate::eventually(within, &what, async || self.ended()).await
    }

    /// How it ended, once it has and both its streams were read to their end.
    fn ended(&mut self) -> Option<ExitStatus> {
        let status = self
            .child
            .try_wait()
            .expect("ask for the process's state")?;
        (lock(&self.stdout).ended && lock(&self.stderr).ended).then_some(status)
    }

    /// True while the process runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// All that was written to stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        lock(&self.stderr).lines.join("\n")
    }

    /// All that was written to stdout. Panics before [`Proc::wait`]: the two streams are not read in step, so that a line on stderr says
    /// nothing of what has come from stdout.
    #[must_use]
    pub fn stdout(&self) -> String {
        let output = lock(&self.stdout);
        assert!(output.ended, "{} has not ended: wait for it", self.name);
        output.lines.join("\n")
    }
}

impl Ready {
    /// Where the binary serves its own HTTP. Panics when it serves none.
    #[must_use]
    pub fn http_address(&self) -> SocketAddr {
        self.address("http_address")
    }

    /// Where probes and metrics are.
    #[must_use]
    pub fn ops_address(&self) -> SocketAddr {
        self.address("ops_address")
    }

    fn address(&self, field: &str) -> SocketAddr {
        let text = self.fields[field].as_str();
        text.and_then(|text| text.parse().ok())
            .unwrap_or_else(|| panic!("no {field} in {}", self.fields))
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            let lines = &lock(&self.stderr).lines;
            let from = lines.len().saturating_sub(LINES_SHOWN);
            eprintln!("--- last lines of {} ---", self.name);
            for line in &lines[from..] {
                eprintln!("{line}");
            }
        }
    }
}

/// `target/<profile>/<binary>`; tests run from `target/<profile>/deps`.
#[must_use]
pub fn binary_path(binary: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let mut folder = test.parent().expect("a file lies in a folder");
    if folder.ends_with("deps") {
        folder = folder.parent().expect("deps lies in the profile's folder");
    }
    let path = folder.join(binary);
    assert!(
        path.is_file(),
        "{binary} is not built where this test is: run `cargo build -p {binary}` first"
    );
    path
}

fn collect(stream: impl Read + Send + 'static) -> Lines {
    let lines = Lines::default();
    let sink = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            lock(&sink).lines.push(line);
        }
        lock(&sink).ended = true;
    });
    lines
}

fn lock(lines: &Mutex<Output>) -> std::sync::MutexGuard<'_, Output> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Proc {
        Proc::spawn_path(
            Path::new("/bin/sh"),
            &["-c", script],
            &[("GREETING", "hello")],
        )
    }

    #[tokio::test]
    async fn the_ready_line_is_found_among_others() {
        let mut process = shell(
            r#"echo $GREETING; echo 'no json' >&2; echo '{"message":"ready","ops_address":"127.0.0.1:9"}' >&2; exec sleep 60"#,
        );
        let ready = process.wait_ready().await;
        assert_eq!(ready.ops_address().port(), 9);
        assert!(process.stderr().starts_with("no json\n"));
        assert!(process.is_running());
        process.kill9();
        assert!(!process.is_running());
        process.wait(SOON).await;
        assert_eq!(process.stdout(), "hello");
    }

    #[tokio::test]
    #[should_panic(expected = "has not ended")]
    async fn what_may_still_come_is_not_taken_for_all() {
        let process = shell("echo early; exec sleep 60");
        drop(process.stdout());
    }

    #[tokio::test]
    async fn a_line_just_before_the_end_is_found_too() {
        let mut process = shell(r#"echo '{"message":"ready"}' >&2"#);
        process.wait_ready().await;
        assert!(process.wait(SOON).await.success());
    }

    /// The process is gone while a child of it still writes: what is read must wait for the stream's end, not the process's.
    #[tokio::test]
    async fn the_end_comes_with_all_that_was_written() {
        let mut process = shell("(sleep 0.3; echo late; echo later >&2) & exit 0");
        assert!(process.wait(SOON).await.success());
        assert_eq!(process.stdout(), "late");
        assert_eq!(process.stderr(), "later");
    }

    #[tokio::test]
    #[should_panic(expected = "sh ended with exit status: 3 before it logged: ready")]
    async fn an_early_end_is_not_waited_out() {
        shell("exit 3").wait_ready().await;
    }

    #[tokio::test]
    async fn a_signal_is_answered_by_the_process() {
        let mut process = shell(
            r#"trap 'exit 7' TERM; echo '{"message":"ready"}' >&2; while :; do sleep 0.05; done"#,
        );
        process.wait_ready().await;
        assert_eq!(process.term(SOON).await.code(), Some(7));
    }
}
