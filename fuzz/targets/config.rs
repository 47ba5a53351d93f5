//! Settings: nothing panics, and a fault is told in words.

#![no_main]

use std::path::Path;

use clarion::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = Config::parse(text, Path::new("clarion.toml")) {
        assert!(!error.to_string().is_empty());
    }
});
