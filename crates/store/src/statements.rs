//! Every SQL statement of this crate: a test prepares each against a freshly migrated database.

pub use crate::sql::Sql;

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Sql> {
    [
        crate::agent_zones::STATEMENTS,
        crate::agents::STATEMENTS,
        crate::breakers::STATEMENTS,
        crate::budgets::STATEMENTS,
        crate::chunks::STATEMENTS,
        crate::arrivals::STATEMENTS,
        crate::comparison::STATEMENTS,
        crate::counts::STATEMENTS,
        crate::deferred::STATEMENTS,
        crate::definitions::STATEMENTS,
        crate::documents::STATEMENTS,
        crate::erasures::STATEMENTS,
        crate::event_log::STATEMENTS,
        crate::feeds::STATEMENTS,
        crate::freshness::STATEMENTS,
        crate::freshness::evidence::STATEMENTS,
        crate::history_requests::STATEMENTS,
        crate::interactions::STATEMENTS,
        crate::jobs::STATEMENTS,
        crate::journeys::STATEMENTS,
        crate::live::STATEMENTS,
        crate::marks::STATEMENTS,
        crate::metrics::STATEMENTS,
        crate::migrate::STATEMENTS,
        crate::named_leases::STATEMENTS,
        crate::notices::STATEMENTS,
        crate::platform_counts::STATEMENTS,
        crate::platform_health::STATEMENTS,
        crate::quarantine::STATEMENTS,
        crate::raw_messages::STATEMENTS,
        crate::raw_retention::STATEMENTS,
        crate::reading::STATEMENTS,
        crate::reconciliation::STATEMENTS,
        crate::retention::STATEMENTS,
        crate::standing::STATEMENTS,
        crate::status::STATEMENTS,
        crate::storm::STATEMENTS,
        crate::subscription_gaps::STATEMENTS,
        crate::subscriptions::STATEMENTS,
        crate::sweep::STATEMENTS,
        crate::sync::STATEMENTS,
        crate::targets::STATEMENTS,
        crate::upkeep::STATEMENTS,
        crate::window_cells::STATEMENTS,
        crate::window_items::STATEMENTS,
        crate::window_metrics::STATEMENTS,
        crate::window_rebuild::STATEMENTS,
        crate::zones::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Commands that take no parameters and cannot be prepared.
pub fn commands() -> impl Iterator<Item = &'static Sql> {
    crate::targets::COMMANDS.iter().copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Names of statements, as `module::NAME`: those that are defined, and those that are in a list.
    #[derive(Default)]
    struct Found {
        defined: BTreeSet<String>,
        listed: BTreeSet<String>,
    }

    fn look(found: &mut Found, folder: &Path, module: &str) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let inner = format!("{module}{stem}::");
            if path.is_dir() {
                look(found, &path, &inner);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for part in text.split("static ").skip(1) {
                if let Some((name, rest)) = part.split_once(": ") {
                    if rest.starts_with("Sql = ") {
                        found.defined.insert(format!("{inner}{name}"));
                    } else if matches!(name, "STATEMENTS" | "COMMANDS") {
                        let list = rest.split("];").next().unwrap();
                        let list = list.rsplit("&[").next().unwrap();
                        found.listed.extend(
                            list.split(',')
                                .map(|one| one.trim().trim_start_matches('&'))
                                .filter(|one| !one.is_empty())
                                .map(|one| format!("{inner}{one}")),
                        );
                    }
                }
            }
        }
    }

    /// One that is in no list is not prepared by the tests, and nobody looks whether the roles may run it. (That a running program looks would keep
    /// every statement in every binary, and what a binary does not need is how its role's rights are found.)
    #[test]
    fn every_statement_is_in_a_list() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
        let mut found = Found::default();
        look(&mut found, folder, "");
        assert!(found.defined.len() > 300, "{}", found.defined.len());
        let forgotten: Vec<&String> = found.defined.difference(&found.listed).collect();
        assert!(forgotten.is_empty(), "in no list: {forgotten:?}");
    }
}
