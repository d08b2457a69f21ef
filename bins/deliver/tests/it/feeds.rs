//! Interval feeds: files to a receiver over HTTP, into a folder and into an S3-compatible store, whatever is killed.

mod crash;
mod files;
mod given;
mod operator;
mod sinks;
