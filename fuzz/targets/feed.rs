//! Documents of feeds, as XML and as JSON: nothing panics, and what is made of a document stays within bounds.

#![no_main]

use clarion::collect::read_feed;
use clarion::model::Document;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(reading) = read_feed(&Document::of_bytes("https://feeds.example/feed", bytes, Timestamp::UNIX_EPOCH)) {
        for entry in &reading.entries {
            assert!(entry.title.as_ref().is_none_or(|title| title.chars().count() <= 1_001));
            assert!(entry.categories.len() <= 100 && entry.media.len() <= 100);
            assert!(entry.id.as_ref().is_none_or(|id| !id.is_empty() && id.len() <= 2_048));
        }
    }
    let json = [b"{\"items\":[", bytes, b"]}"].concat();
    let _ = read_feed(&Document::of_bytes("", json, Timestamp::UNIX_EPOCH));
});
