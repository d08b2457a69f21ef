//! The runbook in `deploy/README.md`, held against the programs: commands are taken as written, statements run under the role they are
//! meant for, metrics and anchors exist. What a person types at three in the morning must not be a memory of an older release.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used, clippy::panic)]

mod commands;
mod names;
mod restore;
mod statements;
mod text;
