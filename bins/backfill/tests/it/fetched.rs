//! Workers against a platform with a past: every record is published, whatever goes wrong on the way, and no limit is exceeded.

mod pages;
mod trouble;
mod turns;
