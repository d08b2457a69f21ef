//! Who may do what at the broker: a user for each part of the line.
//!
//! `deploy/rabbitmq/definitions.json` has the same as the broker reads it; a test holds the two together. Looking how many messages a queue holds
//! needs no right there. Declaring does, and none of the line's users has it: `ingest queues declare` runs as [`ADMIN`].

use crate::queue::Queue;

/// The user of who declares the queues and puts messages back into them (`ingest queues declare`, `ingest quarantine release`).
pub const ADMIN: &str = "kpiline-admin";

/// What one user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// The user's name.
    pub user: &'static str,
    /// The queues it consumes.
    pub consumes: &'static [Queue],
    /// The queues it publishes to.
    pub publishes: &'static [Queue],
}

/// The users of the line.
pub const RIGHTS: [Rights; 5] = [
    Rights {
        user: "kpiline-ingest-receive",
        consumes: &[],
        publishes: &[Queue::Raw, Queue::RawSuspect],
    },
    Rights {
        user: "kpiline-ingest-normalise",
        consumes: &[Queue::Raw, Queue::RawSuspect, Queue::RawHistory],
        publishes: &[
            Queue::EventsTerminal,
            Queue::EventsProgress,
            Queue::EventsHistory,
        ],
    },
    Rights {
        user: "kpiline-compute",
        consumes: &[
            Queue::EventsTerminal,
            Queue::EventsProgress,
            Queue::EventsHistory,
        ],
        publishes: &[Queue::DeliverWake],
    },
    Rights {
        user: "kpiline-backfill",
        consumes: &[Queue::BackfillJobs],
        // What follows a source feeds the live lane.
        publishes: &[
            Queue::Raw,
            Queue::RawHistory,
            Queue::EventsHistory,
            Queue::BackfillJobs,
            Queue::BackfillNotices,
        ],
    },
    Rights {
        user: "kpiline-deliver",
        consumes: &[Queue::DeliverWake],
        // The page may ask for a backfill.
        publishes: &[Queue::BackfillJobs],
    },
];

/// The broker's three regular expressions of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patterns {
    /// What it may declare and delete.
    pub configure: String,
    /// The exchanges it may publish to.
    pub write: String,
    /// The queues it may consume.
    pub read: String,
}

impl Rights {
    /// As regular expressions, for queues of this prefix.
    #[must_use]
    pub fn patterns(&self, prefix: &str) -> Patterns {
        Patterns {
            configure: "^$".to_owned(),
            write: one_of(self.publishes.iter().map(|queue| queue.exchange(prefix))),
            read: one_of(self.consumes.iter().map(|queue| queue.name(prefix))),
        }
    }
}

/// What [`ADMIN`] may do: everything with what is ours, and nothing else.
#[must_use]
pub fn admin_patterns(prefix: &str) -> Patterns {
    let ours = format!("^{}", escaped(prefix));
    Patterns {
        configure: ours.clone(),
        write: ours.clone(),
        read: ours,
    }
}

fn one_of(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.map(|name| escaped(&name)).collect();
    if names.is_empty() {
        // Without a pattern everything would match, this matches nothing that has a name.
        "^$".to_owned()
    } else {
        format!("^({})$", names.join("|"))
    }
}

/// Prefixes are letters, digits and `.`, `-`, `_`, `:`; only the dot means something else in a pattern.
fn escaped(name: &str) -> String {
    name.replace('.', "\\.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_but_the_notices_is_published_to_and_consumed() {
        for queue in Queue::ALL {
            let consumed = RIGHTS.iter().any(|user| user.consumes.contains(&queue));
            // Whoever shows numbers reads the notices, if anybody does.
            assert_eq!(consumed, queue != Queue::BackfillNotices, "{queue}");
            let published = RIGHTS.iter().any(|user| user.publishes.contains(&queue));
            assert!(published, "{queue}");
        }
    }

    #[test]
    fn patterns_name_whole_names() {
        let compute = RIGHTS[2].patterns("kpiline.");
        assert_eq!(compute.configure, "^$");
        assert_eq!(compute.write, r"^(kpiline\.to\.deliver\.wake)$");
        assert_eq!(
            compute.read,
            r"^(kpiline\.events\.terminal|kpiline\.events\.progress|kpiline\.events\.history)$"
        );
        assert_eq!(RIGHTS[0].patterns("kpiline.").read, "^$");
        assert_eq!(admin_patterns("a.").read, r"^a\.");
    }

    /// The right to publish to an exchange of that name, and the right to consume a queue of that name, are one and the same to the broker.
    #[test]
    fn no_exchange_has_the_name_of_a_queue() {
        for queue in Queue::ALL {
            for other in Queue::ALL {
                assert_ne!(queue.exchange("p."), other.name("p."));
            }
        }
    }

    #[test]
    fn the_definitions_that_are_deployed_are_these() {
        let file = include_str!("../../../deploy/rabbitmq/definitions.json");
        let mut wanted: Vec<(String, Patterns)> = RIGHTS
            .iter()
            .map(|user| (user.user.to_owned(), user.patterns("kpiline.")))
            .collect();
        wanted.push((ADMIN.to_owned(), admin_patterns("kpiline.")));
        let json: serde_json::Value = serde_json::from_str(file).unwrap();
        let text = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap().to_owned();
        let mut found: Vec<(String, Patterns)> = json["permissions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                let patterns = Patterns {
                    configure: text(entry, "configure"),
                    write: text(entry, "write"),
                    read: text(entry, "read"),
                };
                (text(entry, "user"), patterns)
            })
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, wanted);
        // No user is in it: the import of one without a password would take the password away that it has.
        assert_eq!(json.as_object().unwrap().len(), 1);
    }
}
