//! `try`: what a body would become, shown before anybody sends it.
//!
//! The body goes through [`crate::normalise::plan`], which is what *normalise* does with it, and ends there: nothing is stored,
//! published or counted. It needs the files of the configuration and no server, and no secret, for nothing is verified.

mod args;
mod source;
mod view;
mod view_json;
mod view_text;

pub use args::TryArgs;

use anyhow::bail;
use source::Source;
use view::View;

/// Shows what each item of the body becomes. An error when one of them is refused.
pub fn run(args: &TryArgs) -> anyhow::Result<()> {
    let source = Source::open(args).unwrap_or_else(|problem| usage(&problem));
    let view = View::of(&source);
    let mut out = std::io::stdout().lock();
    let printed = if args.json {
        view_json::print(&view, args.show_personal, &mut out)
    } else {
        view_text::print(&view, args.show_personal, &mut out)
    };
    match printed {
        // Whoever reads our output (`head`) has enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        other => other?,
    }
    match view.refused() {
        _ if view.is_nothing => Ok(()),
        0 => Ok(()),
        refused => bail!("{refused} of {} items would be refused", view.lines.len()),
    }
}

/// Ends the process as for a command line that cannot be meant: there was nothing to try.
fn usage(problem: &anyhow::Error) -> ! {
    let text = format!("{}\n", runtime::chain(problem.as_ref()));
    clap::Error::raw(clap::error::ErrorKind::ValueValidation, text).exit()
}
