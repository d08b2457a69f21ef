//! How far a preview is: on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::Duration;

/// A line on stderr that counts, or a bar where it is known how many there will be; nothing when stderr is no terminal.
pub(super) fn bar(total: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{bar:32} {human_pos} of up to {human_len} interactions, {per_sec}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {human_pos} interactions, {per_sec}",
        ),
    };
    // The templates are constants; were one wrong, the plain style would do.
    bar.set_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
