//! How fast documents are read: our reader beside bare feed-rs, on the documents of the corpus that feed-rs reads.
//!
//! The corpus stands beside the checkout; without it there is nothing to measure. Both read all documents, in turn, and
//! the median of some runs counts.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::path::Path;
use std::time::{Duration, Instant};

use clarion::collect::read_feed;
use clarion::model::Document;
use jiff::Timestamp;

const RUNS: usize = 15;

fn documents(feeds: &Path) -> Vec<Document> {
    let groups = std::fs::read_dir(feeds).into_iter().flatten().flatten().map(|group| group.path()).filter(|group| group.is_dir());
    let files = groups.flat_map(|group| std::fs::read_dir(group).into_iter().flatten().flatten()).map(|file| file.path());
    let mut files: Vec<_> = files.filter(|path| path.is_file()).collect();
    files.sort();
    let bodies = files.iter().filter_map(|path| std::fs::read(path).ok());
    bodies.map(|bytes| Document::of_bytes("https://feeds.example/feed", bytes, Timestamp::UNIX_EPOCH)).collect()
}

fn timed(work: impl FnOnce() -> usize) -> (Duration, usize) {
    let started = Instant::now();
    let entries = work();
    (started.elapsed(), entries)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() {
    let feeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/feeds");
    let mut documents = documents(&feeds);
    let all = documents.len();
    // It panics on a few; those count as not read.
    std::panic::set_hook(Box::new(|_| {}));
    documents.retain(|document| std::panic::catch_unwind(|| feed_rs::parser::parse(document.bytes.as_slice()).is_ok()).unwrap_or(false));
    let _ = std::panic::take_hook();
    if documents.is_empty() {
        println!("skipped: no corpus in ../shared/corpus");
        return;
    }
    let bytes: usize = documents.iter().map(|document| document.bytes.len()).sum();
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    let mut counts = (0, 0);
    for _ in 0..RUNS {
        let read = |document: &Document| feed_rs::parser::parse(document.bytes.as_slice()).map_or(0, |feed| feed.entries.len());
        let (time, entries) = timed(|| documents.iter().map(read).sum());
        bare.push(time);
        counts.0 = entries;
        let read = |document: &Document| read_feed(document).map_or(0, |reading| reading.entries.len());
        let (time, entries) = timed(|| documents.iter().map(read).sum());
        ours.push(time);
        counts.1 = entries;
    }
    let (bare, ours) = (median(bare).as_secs_f64(), median(ours).as_secs_f64());
    println!("{} of {all} documents, {} KiB", documents.len(), bytes / 1024);
    println!("feed-rs  {:8.2} ms   {} entries", bare * 1e3, counts.0);
    println!("clarion  {:8.2} ms   {} entries", ours * 1e3, counts.1);
    println!("clarion reads at {:.2} times the speed of feed-rs", bare / ours);
}
