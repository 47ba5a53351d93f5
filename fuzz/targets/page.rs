//! What a builder may paste, and pages that are searched for feeds: nothing panics.

#![no_main]

use clarion::collect::discover;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = discover::understand(text);
    let _ = discover::feed_locator(text);
    let _ = discover::youtube_channel_in_page(text);
    let _ = discover::feeds_in_page(text, "https://pages.example/");
});
