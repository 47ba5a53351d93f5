//! Addresses: nothing panics, and a canonical address is its own canonical address.

#![no_main]

use clarion::model::CanonicalUrl;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(url) = CanonicalUrl::parse(text) else { return };
    assert!(url.as_str().starts_with("http://") || url.as_str().starts_with("https://"));
    let again = CanonicalUrl::parse(url.as_str()).expect("what was written by us can be read by us");
    assert_eq!((again.as_str(), again.key()), (url.as_str(), url.key()));
});
