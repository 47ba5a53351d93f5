//! Answers of platforms: nothing panics.

#![no_main]

use std::sync::Arc;

use clarion::collect::Collectors;
use clarion::config::Config;
use clarion::model::{Document, Source, SourceId, SourceKind, SourceState};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let config = Config::default();
    let collectors = Collectors::new(&config);
    for kind in SourceKind::ALL.iter().copied() {
        let source = Source {
            id: SourceId(1),
            kind,
            locator: "fernloam".into(),
            url: "https://fern.example/".into(),
            owners: Vec::new(),
            paused: false,
            left: false,
        };
        let collector = collectors.get(kind);
        for ask in collector.plan(&[(Arc::new(source), SourceState::default())]) {
            let _ = collector.read(&ask, &Document::of_bytes(ask.request.url.clone(), bytes, Timestamp::UNIX_EPOCH));
        }
    }
});
