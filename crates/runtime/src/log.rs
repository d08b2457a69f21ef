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

/// What our own lines are about: the crates of the workspace. A level without a name is for these and for nothing else; a test compares the list with
/// the folders.
const OURS: [&str; 24] = [
    "access",
    "adapter",
    "agent",
    "backfill",
    "broker",
    "compute",
    "deliver",
    "expression",
    "feed",
    "freshness",
    "ingest",
    "kpi",
    "kpiline",
    "platform",
    "reconcile",
    "runtime",
    "schema",
    "session",
    "store",
    "target",
    "testkit",
    "timezone",
    "tls",
    "window",
];

/// The level for our own code, with every library kept quiet.
///
/// A library's debug lines hold what it sends: passwords, tokens, whole messages with personal data. So a level counts for our own crates, and
/// a library says no more than its warnings unless the level names it. lapin prints whole messages at `warn` and repeats our own errors;
/// unless the level names it, it says nothing.
fn filter(level: &str) -> EnvFilter {
    let mut directives = vec!["warn".to_owned()];
    if !level.contains("lapin") {
        directives.push("lapin=off".to_owned());
    }
    directives.push(format!("{MILESTONE}=info"));
    for part in level.split(',').map(str::trim) {
        match part.parse::<LevelFilter>() {
            Ok(bare) if !part.contains('=') => {
                // Of the libraries, what is asked of us is enough, and no more than warnings ever.
                directives[0] = bare.min(LevelFilter::WARN).to_string();
                directives.extend(OURS.map(|ours| format!("{ours}={bare}")));
            }
            _ => directives.push(part.to_owned()),
        }
    }
    EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
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

    /// A level by itself is one for our crates: what a library would print at it is nobody's choice.
    #[test]
    fn a_level_is_for_our_own_code() {
        let directives = |level: &str| -> Vec<String> {
            let text = filter(level).to_string();
            text.split(',').map(str::to_owned).collect()
        };
        for (level, libraries) in [
            ("trace", "warn"),
            ("debug", "warn"),
            ("info", "warn"),
            ("error", "error"),
            ("info,hyper=debug", "warn"),
        ] {
            let found = directives(level);
            assert!(found.contains(&libraries.to_owned()), "{level}: {found:?}");
            let own = level.split(',').next().unwrap();
            assert!(
                found.contains(&format!("store={own}")),
                "{level}: {found:?}"
            );
        }
        let found = directives("info,compute=debug");
        assert!(found.contains(&"compute=debug".to_owned()), "{found:?}");
        assert!(!found.contains(&"compute=info".to_owned()), "{found:?}");
        assert!(found.contains(&"store=info".to_owned()), "{found:?}");
    }

    #[test]
    fn every_crate_of_ours_is_heard() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        for folder in ["crates", "bins"] {
            for entry in std::fs::read_dir(format!("{root}/{folder}")).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(OURS.contains(&name.as_str()), "{name} is missing in OURS");
            }
        }
    }
}
