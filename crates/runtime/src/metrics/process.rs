//! What the system says of this process: time, memory, open files. The names are those that every program exports, without our prefix.
//!
//! Read from `/proc` at each scrape. Where there is none, or it says something else, a value is left out.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::fs;

/// Linux counts processor time in hundredths of a second for everybody who reads it, whatever the kernel's own clock.
const TICKS_A_SECOND: f64 = 100.0;

/// Reads at each scrape.
#[derive(Debug)]
pub(super) struct Process;

/// What was read.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<u64>,
    threads: Option<u64>,
    open_files: Option<u64>,
    open_files_max: Option<u64>,
    started_at: Option<f64>,
}

impl Reading {
    fn now() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let files = fs::read_dir("/proc/self/fd").map(Iterator::count);
        Self {
            // The folder that is being read is one of them.
            open_files: files.ok().map(|count| count.saturating_sub(1) as u64),
            ..Self::parse(
                &read("/proc/self/stat"),
                &read("/proc/self/status"),
                &read("/proc/self/limits"),
                &read("/proc/stat"),
            )
        }
    }

    fn parse(stat: &str, status: &str, limits: &str, machine: &str) -> Self {
        // The name of the program may hold blanks and brackets; what follows its last bracket has neither. The first field there is the third.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_whitespace().collect())
            .unwrap_or_default();
        let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        let began = after(machine, "btime").and_then(|text| text.parse::<f64>().ok());
        Self {
            cpu_seconds: ticks(14)
                .zip(ticks(15))
                .map(|(user, system)| (user + system) / TICKS_A_SECOND),
            resident_bytes: after(status, "VmRSS:")
                .and_then(|text| text.parse::<u64>().ok())
                .map(|kibibytes| kibibytes * 1024),
            threads: after(status, "Threads:").and_then(|text| text.parse().ok()),
            open_files: None,
            open_files_max: after(limits, "Max open files").and_then(|text| text.parse().ok()),
            started_at: began
                .zip(ticks(22))
                .map(|(began, since)| began + since / TICKS_A_SECOND),
        }
    }
}

/// The first word behind a line's beginning.
fn after<'t>(text: &'t str, beginning: &str) -> Option<&'t str> {
    text.lines()
        .find_map(|line| line.strip_prefix(beginning))?
        .split_whitespace()
        .next()
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let now = Reading::now();
        if let Some(value) = now.cpu_seconds {
            let metric = ConstCounter::new(value);
            let kind = metric.metric_type();
            metric.encode(encoder.encode_descriptor(
                "process_cpu_seconds",
                "Processor time that this process has used",
                None,
                kind,
            )?)?;
        }
        #[allow(clippy::cast_precision_loss)] // far below where it would matter
        let whole = |value: Option<u64>| value.map(|value| value as f64);
        for (name, help, value) in [
            (
                "process_resident_memory_bytes",
                "Memory of this process that is in use",
                whole(now.resident_bytes),
            ),
            (
                "process_threads",
                "Threads of this process",
                whole(now.threads),
            ),
            (
                "process_open_fds",
                "Files and connections that this process has open",
                whole(now.open_files),
            ),
            (
                "process_max_fds",
                "How many it may have open",
                whole(now.open_files_max),
            ),
            (
                "process_start_time_seconds",
                "When this process began, in seconds since 1970",
                now.started_at,
            ),
        ] {
            if let Some(value) = value {
                let metric = ConstGauge::new(value);
                let kind = metric.metric_type();
                metric.encode(encoder.encode_descriptor(name, help, None, kind)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_read_whatever_the_program_is_called() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 9 0 0 0 150 50 0 0 20 0 3 0 1000 0 0";
        let status = "Name:\ta b) c\nVmRSS:\t    2048 kB\nThreads:\t3\n";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";
        let machine = "cpu 1 2 3\nbtime 1700000000\n";
        let wanted = Reading {
            cpu_seconds: Some(2.0),
            resident_bytes: Some(2 * 1024 * 1024),
            threads: Some(3),
            open_files: None,
            open_files_max: Some(1024),
            started_at: Some(1_700_000_010.0),
        };
        assert_eq!(Reading::parse(stat, status, limits, machine), wanted);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        assert_eq!(Reading::parse("", "", "", ""), Reading::default());
        let unlimited =
            "Max open files            unlimited            unlimited            files\n";
        assert_eq!(
            Reading::parse("7 (a) S 1", "VmRSS: no kB", unlimited, "btime"),
            Reading::default()
        );
    }
}
