//! The platform double as a program: see `platform-double --help`.

mod cli;

use clap::Parser;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    cli::run(cli::Args::parse()).await
}
