//! One call that starts what every serving process has.

use crate::args::OpsArgs;
use crate::{Health, Metrics, Shutdown, Tasks, chain, log, ops};
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long the line `ready` waits for components that do not stand.
const READY_WITHIN: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Whether this process is a service: its stderr is read by programs, that of a command by whoever typed it.
static SERVES: AtomicBool = AtomicBool::new(false);

/// Signals, probes, metrics and supervision of one process.
///
/// ```no_run
/// # async fn example(args: runtime::args::OpsArgs) -> anyhow::Result<()> {
/// let default = ([127, 0, 0, 1], 9102).into();
/// let service = runtime::Service::start("compute", env!("CARGO_PKG_VERSION"), &args, default, &["broker"]).await?;
/// let mut tasks = service.tasks();
/// let stop = service.shutdown.token();
/// tasks.spawn("worker", async move { stop.cancelled().await; Ok(()) });
/// service.ready(None);
/// service.run(tasks).await
/// # }
/// ```
#[derive(Debug)]
pub struct Service {
    /// The wish to stop.
    pub shutdown: Shutdown,
    /// Readiness by component.
    pub health: Health,
    /// All metrics.
    pub metrics: Metrics,
    /// Where probes and metrics are served.
    pub ops_address: SocketAddr,
    end: CancellationToken,
    ops: JoinHandle<()>,
}

impl Service {
    /// Listens for signals and serves the probes. Logging was started before, with [`log::init`].
    ///
    /// `components` are those that must stand before the process is ready.
    pub async fn start(
        binary: &'static str,
        version: &'static str,
        args: &OpsArgs,
        default_listen: SocketAddr,
        components: &[&'static str],
    ) -> anyhow::Result<Self> {
        SERVES.store(true, Ordering::Relaxed);
        let shutdown = Shutdown::listen(args.shutdown_grace)?;
        let health = Health::new(shutdown.token(), components);
        let metrics = Metrics::new(binary, version);
        let end = CancellationToken::new();
        let listen = args.or_default(default_listen);
        let (ops_address, ops) =
            ops::serve(listen, health.clone(), metrics.clone(), end.clone()).await?;
        Ok(Self {
            shutdown,
            health,
            metrics,
            ops_address,
            end,
            ops,
        })
    }

    /// An empty set of parts, bound to this process's stop.
    #[must_use]
    pub fn tasks(&self) -> Tasks {
        Tasks::new(self.shutdown.clone())
    }

    /// Logs the line `ready` once all components stand, or a few seconds after the listeners when one does not: /readyz tells
    /// which. Call it when the listeners stand.
    pub fn ready(&self, http: Option<SocketAddr>) {
        let (health, ops) = (self.health.clone(), self.ops_address);
        tokio::spawn(async move {
            let begun = Instant::now();
            while !health.is_ready() && begun.elapsed() < READY_WITHIN {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            log::ready(ops, http);
        });
    }

    /// Runs the parts to their end, then stops the probes.
    pub async fn run(self, tasks: Tasks) -> anyhow::Result<()> {
        let result = tasks.run().await;
        self.end.cancel();
        if let Err(error) = self.ops.await {
            tracing::error!(error = %chain(&error), "the ops server did not end well");
        }
        result
    }
}

/// An error that ends a command with an exit code of its own, for scripts that tell endings apart.
#[derive(Debug)]
pub struct ExitWith {
    code: u8,
    text: String,
}

impl ExitWith {
    /// Not 0, which means success, 1, which means any error, or 2, which means wrong arguments.
    #[must_use]
    pub fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code: code.max(3),
            text: text.into(),
        }
    }
}

impl fmt::Display for ExitWith {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ExitWith {}

/// Runs a binary's future on all cores and turns its result into an exit code: 0, or 1 (or that of an [`ExitWith`]) with the error as the
/// last line: of a service in its log, of a command as text.
///
/// Blocking work that does not end is left behind after one second.
pub fn run<F>(main: F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start the async runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(main);
    runtime.shutdown_timeout(Duration::from_secs(1));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A configuration problem of a service is found before it starts, and read by whoever configures it.
            if SERVES.load(Ordering::Relaxed) {
                tracing::error!(error = %chain(error.as_ref()), "ended with an error");
            } else {
                eprintln!("error: {}", chain(error.as_ref()));
            }
            error
                .downcast_ref::<ExitWith>()
                .map_or(ExitCode::FAILURE, |exit| ExitCode::from(exit.code))
        }
    }
}

/// Makes ring the TLS provider of this process. Call it first in `main`; a second call changes nothing.
pub fn install_crypto() {
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a TLS provider was already installed");
    }
}
