//! The platform double as a program.
fn main() {}
