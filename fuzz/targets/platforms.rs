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
        let locator = match kind {
            SourceKind::StackExchange => "stackoverflow:501",
            SourceKind::GithubRepo => "fernloam/sieve",
            SourceKind::GitlabUser => "https://gitlab.com/fernloam",
            SourceKind::GitlabProject => "https://gitlab.com/fernloam/sieve",
            SourceKind::Mastodon => "https://shore.example/@fernloam",
            SourceKind::Sitemap | SourceKind::Rss => "https://fern.example/sitemap.xml",
            _ => "fernloam",
        };
        let source = Source {
            id: SourceId(1),
            kind,
            locator: locator.into(),
            url: "https://fern.example/".into(),
            owners: Vec::new(),
            paused: false,
            left: false,
        };
        let collector = collectors.get(kind);
        for ask in collector.plan(&[(Arc::new(source), SourceState::default())]) {
            let document = Document::of_bytes(ask.request.url.clone(), bytes, Timestamp::UNIX_EPOCH);
            for mut reading in collector.read(&ask, &document).into_iter().flatten() {
                collector.fold(&mut reading, Timestamp::UNIX_EPOCH);
            }
            let _ = collector.refused(&ask, 400, bytes);
        }
    }
});
