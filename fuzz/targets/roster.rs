//! Rosters in all forms: nothing panics.

#![no_main]

use clarion::registry::{self, RosterFormat};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for format in [RosterFormat::Csv, RosterFormat::Toml, RosterFormat::Opml] {
        let _ = registry::read(bytes, format);
    }
});
