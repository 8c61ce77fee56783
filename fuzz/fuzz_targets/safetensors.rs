//! Any bytes as a file of weights: read or refused, recognised, taken apart, and every tensor read.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| kinora::models::probe(bytes.to_vec()));
