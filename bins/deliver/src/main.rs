//! The binary `deliver`.

use clap::Parser as _;
use deliver::app;
use deliver::config::{Cli, Command};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    runtime::install_crypto();
    runtime::run(async {
        match cli.command {
            None => app::serve(&cli.serve).await,
            Some(Command::Serve(args)) => app::serve(&args).await,
            Some(Command::Check(args)) => app::check(&args),
            Some(Command::Migrate(args)) => app::migrate(&args).await,
            Some(Command::Status(args)) => app::status(&args).await,
            Some(Command::Resync(args)) => app::resync(&args).await,
            Some(Command::Token(args)) => {
                app::token(&args);
                Ok(())
            }
            Some(Command::Release(args)) => app::release(&args).await,
        }
    })
}
