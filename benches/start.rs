//! A log of 100,000 activities: how soon the daemon is ready on it, how fast its pages are, how long a rebuild takes.
//!
//! `cargo bench --bench start`. Fills a database through the store as polls do, then runs the program itself on it.
//! `ACTIVITIES=20000` makes it smaller. Nothing here fails on a slow machine.

#![expect(clippy::print_stdout, reason = "figures are what a bench is for")]

mod measure;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clarion::clock::SystemClock;
use clarion::config::Config;
use clarion::flow::{self, Context};
use clarion::model::{Arrival, Builder, Content, Entry, EntryKey, Poll, PollOutcome, Slug, SourceId, SourceKind, SourceState, sha256_hex};
use clarion::store::{NewEntry, PollRecord, RosterChange, Store};
use jiff::{SignedDuration, Timestamp};

const BUILDERS: usize = 500;
const ENTRIES_A_POLL: usize = 50;
const STARTS: usize = 5;
const VISITS: usize = 40;

const WORDS: &[&str] = &[
    "queue",
    "lambda",
    "table",
    "stream",
    "index",
    "cache",
    "deploy",
    "rollback",
    "alarm",
    "bucket",
    "policy",
    "token",
    "model",
    "prompt",
    "cluster",
    "node",
    "replica",
    "shard",
    "budget",
    "trace",
    "metric",
    "log",
    "event",
    "rule",
    "retry",
    "timeout",
    "latency",
    "region",
    "zone",
    "backup",
    "restore",
    "migration",
    "schema",
    "query",
    "plan",
    "cost",
    "team",
    "review",
    "test",
];

/// Words that differ from piece to piece and are the same in every run.
fn prose(seed: usize, count: usize) -> String {
    let mut state = seed as u64 + 1;
    let word = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        WORDS[(state >> 33) as usize % WORDS.len()]
    };
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

fn entry(builder: usize, n: usize, now: Timestamp) -> Entry {
    let at = now.saturating_sub(SignedDuration::from_mins(i64::try_from(n * 1_561 + builder).unwrap_or(0))).unwrap_or(now);
    Entry {
        id: Some(format!("https://blog-{builder}.example/{n}")),
        link: Some(format!("https://blog-{builder}.example/{n}-{}", prose(n, 3).replace(' ', "-"))),
        title: Some(format!("How a {} taught us to {}", prose(builder + n, 2), prose(builder * 7 + n, 4))),
        summary: Some(prose(builder * 31 + n, 30)),
        content: Some(Content { text: prose(builder * 57 + n, 250), words: 250, ..Content::default() }),
        published: Some(at),
        categories: vec!["aws".into(), "serverless".into()],
        language: Some("en".into()),
        ..Entry::default()
    }
}

async fn fill(ctx: &Context, activities: usize) {
    let now = ctx.clock.now();
    let mut changes = Vec::new();
    for n in 0..BUILDERS {
        let slug = Slug::parse(&format!("b{n}")).expect("a slug");
        let builder: Builder = serde_json::from_value(serde_json::json!({
            "id": 0, "slug": slug, "name": format!("Builder {n}"), "categories": [], "handles": {}, "switches": {},
        }))
        .expect("a builder");
        let url = format!("https://blog-{n}.example/feed");
        changes.push(RosterChange::Builder(Box::new(builder)));
        changes.push(RosterChange::Source { builder: slug, kind: SourceKind::Rss, locator: url.clone(), url, author: None, filters: None });
    }
    ctx.store.change_roster(changes, now).await.expect("the roster is taken");
    let sources: Vec<SourceId> = ctx.store.sources().await.expect("the sources are read").iter().map(|source| source.id).collect();
    let mut made = 0;
    for round in 0.. {
        for (builder, source) in sources.iter().enumerate() {
            let wanted = ENTRIES_A_POLL.min(activities - made);
            if wanted == 0 {
                return;
            }
            made += wanted;
            let new = (0..wanted).map(|place| {
                let entry = entry(builder, round * ENTRIES_A_POLL + place, now);
                let key = EntryKey(entry.id.clone().unwrap_or_default());
                NewEntry {
                    fingerprint: sha256_hex(key.0.as_bytes()),
                    address: clarion::normalize::address_of(&entry),
                    key,
                    arrival: Arrival::default(),
                    entry,
                }
            });
            let at = now + SignedDuration::from_secs(i64::try_from(round).unwrap_or(0));
            let read = u32::try_from(wanted).expect("small");
            let outcome = PollOutcome::Read { entries: read, new: read, changed: 0, left: 0 };
            let state = SourceState {
                next_poll_at: Some(now + SignedDuration::from_hours(24)),
                last_success_at: Some(at),
                last_full_at: Some(at),
                ..SourceState::default()
            };
            let record = PollRecord {
                poll: Poll { source: *source, at, outcome, status: Some(200), elapsed_ms: 5, bytes: 40_000 },
                state,
                new: new.collect(),
                changed: Vec::new(),
                left: Vec::new(),
                samples: Vec::new(),
                new_samples: Vec::new(),
                evidence: Vec::new(),
            };
            ctx.store.record_poll(record).await.expect("the poll is recorded");
        }
    }
}

/// Starts the daemon, answers how long until it said where its pages are, and runs `visit` on that address.
fn serve(config: &Path, visit: impl FnOnce(&str)) -> (Duration, u64) {
    let started = Instant::now();
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_clarion"))
        .arg("--config")
        .arg(config)
        .arg("serve")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the daemon starts");
    let mut lines = BufReader::new(daemon.stderr.take().expect("it was asked for")).lines();
    let address = loop {
        let line = lines.next().expect("the daemon says that it is ready").expect("it writes text");
        if let Some((_, address)) = line.split_once("ready http://") {
            break address.trim_end_matches('/').to_owned();
        }
    };
    let ready = started.elapsed();
    let drain = std::thread::spawn(move || lines.for_each(drop));
    visit(&address);
    let peak = measure::peak_of(&daemon);
    let stopped = Command::new("kill").arg("-TERM").arg(daemon.id().to_string()).status();
    if !stopped.is_ok_and(|status| status.success()) {
        let _ = daemon.kill();
    }
    let _ = daemon.wait();
    let _ = drain.join();
    (ready, peak)
}

fn get(address: &str, path: &str) -> Duration {
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).expect("the daemon listens");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").expect("the request is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the answer is whole");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{path} answers {}", String::from_utf8_lossy(&answer[..answer.len().min(200)]));
    started.elapsed()
}

fn visit_pages(address: &str) {
    for (name, path) in [("/builders/{slug}", "/builders/b"), ("/builders", ""), ("/operator", ""), ("/", "")] {
        let mut times: Vec<Duration> = (0..VISITS)
            .map(|n| if path.is_empty() { get(address, name) } else { get(address, &format!("{path}{}", n * 11 % BUILDERS)) })
            .collect();
        times.sort_unstable();
        let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
        println!("page {name:<18} median {:.1} ms, p95 {:.1} ms", at(50), at(95));
    }
}

#[tokio::main]
async fn main() {
    let activities: usize = std::env::var("ACTIVITIES").ok().and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path().join("clarion.toml");
    std::fs::write(&path, "[store]\npath = \"clarion.db\"\n[web]\nlisten = \"127.0.0.1:0\"\n").expect("the configuration is written");
    let config = Config::load(&path).expect("it parses");
    let store = Store::open(&config.store.path).await.expect("a fresh database opens");
    let ctx = Context::new(config, store, Arc::new(SystemClock)).expect("the context is built");
    let started = Instant::now();
    fill(&ctx, activities).await;
    let recorded = started.elapsed();
    let started = Instant::now();
    flow::settle(&ctx).await.expect("the log is settled");
    println!("{activities} entries: recorded in {:.1} s, settled in {:.1} s", recorded.as_secs_f64(), started.elapsed().as_secs_f64());
    let week = clarion::model::Week::last_whole(ctx.clock.now());
    let started = Instant::now();
    let drafted = flow::draft(&ctx, week).await.map(|row| row.digest.outcomes.len());
    println!("draft of {week}: {:.2} s, {drafted:?} works looked at", started.elapsed().as_secs_f64());
    ctx.close().await.expect("the database closes");

    let mut readies = Vec::new();
    let mut peak = 0;
    for start in 0..STARTS {
        let visit = |address: &str| {
            if start == 0 {
                visit_pages(address);
            }
        };
        let (ready, most) = serve(&path, visit);
        readies.push(ready);
        peak = peak.max(most);
    }
    println!("start to ready: {:.3} s; peak memory of the daemon {} MiB", measure::median(readies), peak >> 10);
    let took = measure::run(Command::new(env!("CARGO_BIN_EXE_clarion")).arg("--config").arg(&path).arg("rebuild"));
    println!("rebuild: {:.1} s, peak memory {} MiB", took.elapsed.as_secs_f64(), took.peak_kib >> 10);
}
