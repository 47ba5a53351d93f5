//! Dates of any spelling: nothing panics, and a date that is read is one that some program can have meant.

#![no_main]

use clarion::collect::read_feed;
use clarion::model::Document;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let feed = format!("<rss><channel><item><title>x</title><pubDate>{escaped}</pubDate></item></channel></rss>");
    let Ok(reading) = read_feed(&Document::of_bytes("", feed, Timestamp::UNIX_EPOCH)) else { return };
    for at in reading.entries.iter().filter_map(|entry| entry.published) {
        let year = at.to_zoned(jiff::tz::TimeZone::UTC).year();
        assert!((1899..=3000).contains(&year), "{text:?} gave {at}");
    }
});
