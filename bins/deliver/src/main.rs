//! The binary `deliver`.

use clap::Parser as _;
use deliver::config::{Cli, Command};
use deliver::{app, operate};
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
            Some(Command::Status(args)) => operate::status(&args).await,
            Some(Command::Retry(args)) => operate::retry(&args).await,
            Some(Command::Skip(args)) => operate::skip(&args).await,
            Some(Command::Resync(args)) => operate::resync(&args).await,
            Some(Command::Reconcile(args)) => operate::reconcile(&args).await,
            Some(Command::Reconciliation(args)) => operate::reconciliation(&args).await,
            Some(Command::Breaker(args)) => operate::breaker(&args).await,
            Some(Command::Feed(args)) => operate::feed(&args).await,
            Some(Command::Token(args)) => {
                app::token(&args);
                Ok(())
            }
        }
    })
}
