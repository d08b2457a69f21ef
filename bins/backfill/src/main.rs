//! The backfill process: parse, then hand over.

use clap::Parser as _;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    runtime::install_crypto();
    runtime::run(backfill::run(backfill::config::Cli::parse()))
}
