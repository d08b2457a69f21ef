//! `deploy/kubernetes`, checked without a cluster: every kustomization renders, every object is valid against Kubernetes' own schemas and
//! survives being read into typed structs whole, and the rules of ours hold (`rules`). Each rule is shown a bad sample that it must name.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod binaries;
mod custom;
mod installation;
mod network;
mod readme;
mod rules;
mod schemas;
mod strict;
mod tools;
mod workload;
