//! ingest: receives webhook deliveries and normalises them. See the library for what it does.

use clap::Parser as _;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    runtime::install_crypto();
    let cli = ingest::Cli::parse();
    runtime::run(ingest::run(cli))
}
