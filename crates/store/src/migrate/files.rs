//! The migration files, compiled in.

use sha2::{Digest, Sha256};

/// One file under `migrations/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Its number.
    pub version: i32,
    /// Its name without number and ending.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// The first line of a file that must run outside a transaction.
const OUTSIDE: &str = "-- kpiline: no transaction";

impl File {
    /// SHA-256 of the text, in hex.
    pub fn checksum(&self) -> String {
        hex::encode(Sha256::digest(self.text.as_bytes()))
    }

    pub(crate) fn in_transaction(&self) -> bool {
        self.text.lines().next() != Some(OUTSIDE)
    }
}

macro_rules! files {
    ($($version:literal $name:literal $file:literal),* $(,)?) => {
        /// All files, ascending.
        pub const FILES: &[File] = &[$(File {
            version: $version,
            name: $name,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/", $file, "_", $name, ".sql")),
        }),*];
    };
}

files! {
    1 "event_log" "0001",
    2 "ingest" "0002",
    3 "interactions" "0003",
    4 "metrics" "0004",
    5 "delivery" "0005",
    6 "backfill" "0006",
    7 "pipeline_status" "0007",
    8 "months" "0008",
    9 "compression" "0009",
    10 "roles" "0010",
    11 "catalogue" "0011",
    12 "zones" "0012",
    13 "settling" "0013",
    14 "unsettle" "0014",
    15 "unsettled" "0015",
    16 "metrics_current" "0016",
    17 "catalogue_roles" "0017",
    18 "pipeline_health" "0018",
    19 "evaluated" "0019",
    20 "windows" "0020",
    21 "agents" "0021",
    22 "journeys" "0022",
    23 "live" "0023",
    24 "contacts" "0024",
    25 "agent_zones" "0025",
    26 "redeliveries" "0026",
    27 "subscriptions" "0027",
    28 "personal_data" "0028",
    29 "storm" "0029",
    30 "inferred_ends" "0030",
    31 "pipeline_health" "0031",
    32 "backfill_chunks" "0032",
    33 "pipeline_health" "0033",
    34 "interactions_begun" "0034",
    35 "event_log_history" "0035",
    36 "notices_posted" "0036",
    37 "backfill_quarantine" "0037",
    38 "platform_states" "0038",
    39 "sync_subjects" "0039",
    40 "sync_log_days" "0040",
    41 "sync_lanes" "0041",
    42 "reading" "0042",
    43 "sync_refused" "0043",
    44 "sync_log_refused" "0044",
    45 "feeds" "0045",
    46 "reconciliation" "0046",
    47 "pipeline_health" "0047",
    48 "sync_log_tenant" "0048",
    49 "sync_queue_due" "0049",
    50 "role_rights" "0050",
    51 "retention" "0051",
    52 "after_restore" "0052",
    53 "erase_missed_marks" "0053",
}

/// One checksum over all files: names a database that has exactly these applied.
pub fn checksum() -> String {
    let mut hash = Sha256::new();
    for file in FILES {
        hash.update(file.checksum().as_bytes());
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn numbers_rise_by_one_and_no_file_is_forgotten() {
        let numbers: Vec<i32> = FILES.iter().map(|file| file.version).collect();
        let wanted: Vec<i32> = (1..).take(FILES.len()).collect();
        assert_eq!(numbers, wanted);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
        let found = std::fs::read_dir(folder)
            .unwrap()
            .filter(|entry| {
                entry
                    .as_ref()
                    .unwrap()
                    .path()
                    .extension()
                    .is_some_and(|ending| ending == "sql")
            })
            .count();
        assert_eq!(found, FILES.len());
    }
}
