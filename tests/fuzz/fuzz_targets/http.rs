//! Requests as they come in from the network, any bytes.
#![no_main]

use kpiline_fuzz::exchange::exchange;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| exchange(bytes));
