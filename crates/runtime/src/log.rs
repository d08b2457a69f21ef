//! Logs: JSON lines on stderr, or text for a terminal.

use crate::args::{LogFormat, OpsArgs};
use std::net::SocketAddr;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::util::SubscriberInitExt as _;

/// The target of the lines that tools wait for. Always on, whatever the level.
const MILESTONE: &str = "kpiline::milestone";

/// Starts logging. A second call in one process changes nothing.
pub fn init(args: &OpsArgs) {
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter(&args.log_level));
    let started = match args.log_format {
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .finish()
            .try_init(),
        LogFormat::Text => builder.finish().try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was already started");
    }
}

/// The level for our own code, with the libraries kept quiet.
///
/// lapin prints whole messages at `warn` and repeats our own errors; unless the level names it, it says nothing.
fn filter(level: &str) -> EnvFilter {
    let quiet = [
        "lapin",
        "hyper",
        "hyper_util",
        "h2",
        "rustls",
        "reqwest",
        "tokio_postgres",
    ]
    .iter()
    .filter(|library| !level.contains(*library))
    .map(|library| match *library {
        "lapin" => "lapin=off".to_owned(),
        library => format!("{library}=warn"),
    });
    let mut directives: Vec<String> = quiet.collect();
    directives.push(format!("{MILESTONE}=info"));
    directives.extend(level.split(',').map(|part| part.trim().to_owned()));
    EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse_lossy(directives.join(","))
}

/// True when the text is a level or a list of `target=level` directives.
pub(crate) fn is_level(text: &str) -> bool {
    text.split(',').all(|part| match part.trim() {
        // The filter itself would take a word it does not know for the name of a module.
        word if !word.contains('=') => word.parse::<LevelFilter>().is_ok() && !word.is_empty(),
        directive => EnvFilter::builder().parse(directive).is_ok(),
    })
}

/// The one line that says this process serves. Tools and tests read the addresses from it.
pub fn ready(ops: SocketAddr, http: Option<SocketAddr>) {
    let http = http.map(tracing::field::display);
    tracing::info!(target: MILESTONE, ops_address = %ops, http_address = http, "ready");
}

/// The line that says where the probes and metrics are.
pub(crate) fn ops_listening(address: SocketAddr) {
    tracing::info!(target: MILESTONE, %address, "ops_listening");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_told_from_nonsense() {
        assert!(is_level("warn"));
        assert!(is_level("info,compute=debug"));
        assert!(!is_level(""));
        assert!(!is_level("info,"));
        assert!(!is_level("loud"));
        assert!(!is_level("compute=loud"));
    }

    #[test]
    fn milestones_stay_on_and_the_broker_library_is_off() {
        let text = filter("error").to_string();
        assert!(text.contains("kpiline::milestone=info"), "{text}");
        assert!(text.contains("lapin=off"), "{text}");
        assert!(filter("lapin=trace").to_string().contains("lapin=trace"));
    }
}
