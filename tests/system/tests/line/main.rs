//! The whole line: the real binaries on a real PostgreSQL and RabbitMQ, between the platform double's two ends.
//!
//! Each test has its own database, queue prefix and processes. What is expected comes from the double's truth, which shares no
//! code with the product, or from the peers' reference rule where Python and the shared material are at hand.

mod flow;
mod harness;
mod kills;
mod load;
mod operation;
mod replay;
