//! How long 1,000 feeds take, beside a bare fetch of the same feeds in the same run.
//!
//! `cargo bench --bench poll`. Serves them by the origin in `../shared/origin` where that is present, and says that it
//! skips where it is not. Prints medians; nothing here fails on a slow machine. The bare fetch asks for bodies that are
//! not packed, which is fastest over loopback; clarion asks for packed ones and unpacks them. Once in this process, where the
//! pass and the settling, which a poll leaves to whoever reads the record next, are timed apart and connections stay open
//! between the passes; and once as the command beside a process that does nothing but the bare fetch, both from their start to
//! their end.

#![expect(clippy::print_stdout, reason = "figures are what a bench is for")]

mod measure;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clarion::clock::SystemClock;
use clarion::config::Config;
use clarion::flow::{self, Context, Wanted};
use clarion::model::{Slug, SourceKind};
use clarion::store::{RosterChange, Store};
use measure::median;
use tokio_util::sync::CancellationToken;

const FEEDS: usize = 1000;
const HOSTS: usize = 32;
const PORT: u16 = 8437;
const RUNS: usize = 5;

/// Holds the file of validators where this bench is started as nothing but a bare fetch.
const BARE: &str = "CLARION_BENCH_BARE";

struct Origin(Child);

impl Drop for Origin {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_origin() -> Option<Origin> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/origin/Cargo.toml");
    if !manifest.is_file() {
        return None;
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/origin");
    let built = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--manifest-path"])
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target)
        .status()
        .ok()?;
    built.success().then_some(())?;
    let mut child = Command::new(target.join("release/origin"))
        .args(["--feeds", &FEEDS.to_string(), "--hosts", &HOSTS.to_string(), "--port", &PORT.to_string(), "--warm"])
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    Some(Origin(child))
}

fn urls() -> Vec<String> {
    (0..FEEDS).map(|n| format!("http://127.0.0.{}:{PORT}/feed/{n}.xml", n % HOSTS + 1)).collect()
}

/// One lane a host, one request at a time in each: the same manners without anything else.
async fn bare(client: &reqwest::Client, etags: &mut [Option<String>]) -> Vec<Vec<u8>> {
    let mut lanes = Vec::new();
    for host in 0..HOSTS {
        let client = client.clone();
        let mine: Vec<(usize, String, Option<String>)> =
            urls().into_iter().enumerate().filter(|(n, _)| n % HOSTS == host).map(|(n, url)| (n, url, etags[n].clone())).collect();
        lanes.push(tokio::spawn(async move {
            let mut answers = Vec::new();
            for (n, url, etag) in mine {
                let mut request = client.get(url);
                if let Some(etag) = etag {
                    request = request.header("if-none-match", etag);
                }
                let answer = request.send().await.expect("the origin answers");
                let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
                answers.push((n, etag, answer.bytes().await.expect("the origin sends bodies").to_vec()));
            }
            answers
        }));
    }
    let mut bodies = vec![Vec::new(); FEEDS];
    for lane in lanes {
        for (n, etag, body) in lane.await.expect("a lane ends") {
            etags[n] = etag.or(etags[n].take());
            bodies[n] = body;
        }
    }
    bodies
}

fn bare_client() -> reqwest::Client {
    #[expect(clippy::disallowed_methods, reason = "the bare fetch is what clarion's client is compared with")]
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// This bench as a process that fetches the feeds, with the validators in that file, and does nothing else.
fn bare_command(validators: &Path) -> measure::Took {
    measure::run(Command::new(std::env::current_exe().expect("this bench has a path")).env(BARE, validators))
}

fn parse_and_store(bodies: &[Vec<u8>], path: &Path) {
    let connection = rusqlite::Connection::open(path).expect("a fresh database opens");
    connection
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE entry (id TEXT, title TEXT, link TEXT, at INTEGER, body TEXT); BEGIN")
        .expect("the table is made");
    for body in bodies {
        let Ok(feed) = feed_rs::parser::parse(body.as_slice()) else { continue };
        for entry in feed.entries {
            connection
                .prepare_cached("INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5)")
                .and_then(|mut insert| {
                    insert.execute(rusqlite::params![
                        entry.id,
                        entry.title.map(|title| title.content),
                        entry.links.first().map(|link| link.href.clone()),
                        entry.published.map(|at| at.timestamp()),
                        entry.content.and_then(|content| content.body).or(entry.summary.map(|summary| summary.content)),
                    ])
                })
                .expect("a row is stored");
        }
    }
    connection.execute_batch("COMMIT").expect("the rows are kept");
}

async fn context(folder: &Path) -> Context {
    let path = folder.join("clarion.toml");
    let text = "[network]\nallow = [\"127.0.0.0/8\"]\nmin_gap = 0\n[store]\npath = \"clarion.db\"\n";
    std::fs::write(&path, text).expect("the configuration is written");
    let config = Config::load(&path).expect("it parses");
    let store = Store::open(&config.store.path).await.expect("a fresh database opens");
    let ctx = Context::new(config, store, Arc::new(SystemClock)).expect("the context is built");
    let mut changes = Vec::new();
    for (n, url) in urls().into_iter().enumerate() {
        let slug = Slug::parse(&format!("b{n}")).expect("a slug");
        let builder: clarion::model::Builder = serde_json::from_value(serde_json::json!({
            "id": 0, "slug": slug, "name": format!("Builder {n}"), "categories": [], "handles": {}, "switches": {},
        }))
        .expect("a builder");
        changes.push(RosterChange::Builder(Box::new(builder)));
        changes.push(RosterChange::Source { builder: slug, kind: SourceKind::Rss, locator: url.clone(), url, author: None, filters: None });
    }
    ctx.store.change_roster(changes, ctx.clock.now()).await.expect("the roster is taken");
    ctx
}

/// One pass and the settling after it, timed apart.
async fn clarion_pass(ctx: &Context) -> (flow::PassReport, Duration, Duration) {
    let started = Instant::now();
    let report = flow::pass(ctx, &Wanted::All, CancellationToken::new(), |_, _| {}).await.expect("the pass is recorded");
    let passed = started.elapsed();
    flow::settle(ctx).await.expect("the log is settled");
    (report, passed, started.elapsed().saturating_sub(passed))
}

fn command(folder: &Path) -> measure::Took {
    measure::run(Command::new(env!("CARGO_BIN_EXE_clarion")).arg("--config").arg(folder.join("clarion.toml")).args(["poll", "--all"]))
}

#[tokio::main]
async fn main() {
    if let Some(validators) = std::env::var_os(BARE) {
        rustls::crypto::ring::default_provider().install_default().expect("the provider is set once");
        let validators = std::fs::read_to_string(validators).expect("the validators are there");
        let mut etags: Vec<Option<String>> = serde_json::from_str(&validators).expect("the validators are a list");
        bare(&bare_client(), &mut etags).await;
        return;
    }
    let Some(_origin) = start_origin() else {
        println!("skipped: no origin in ../shared/origin");
        return;
    };
    rustls::crypto::ring::default_provider().install_default().expect("the provider is set once");
    let scratch = tempfile::tempdir().expect("a folder");
    let path = |name: String| -> PathBuf { scratch.path().join(name) };
    let (mut bare_first, mut bare_again, mut plain, mut bare_whole) = (vec![], vec![], vec![], vec![]);
    let (mut first, mut settled, mut again) = (vec![], vec![], vec![]);
    let (mut whole_first, mut whole_again, mut peak_first, mut peak_again) = (vec![], vec![], 0, 0);
    for run in 0..RUNS {
        let client = bare_client();
        let mut etags = vec![None; FEEDS];
        let started = Instant::now();
        let bodies = bare(&client, &mut etags).await;
        bare_first.push(started.elapsed());
        let parse = Instant::now();
        parse_and_store(&bodies, &path(format!("plain-{run}.db")));
        plain.push(bare_first[run] + parse.elapsed());
        drop(bodies);
        let started = Instant::now();
        bare(&client, &mut etags).await;
        bare_again.push(started.elapsed());
        let validators = path(format!("validators-{run}.json"));
        std::fs::write(&validators, serde_json::to_vec(&etags).expect("a list")).expect("the validators are kept");
        bare_whole.push(bare_command(&validators).elapsed);

        let folder = path(format!("run-{run}"));
        std::fs::create_dir(&folder).expect("a folder");
        let ctx = context(&folder).await;
        let (report, passed, settling) = clarion_pass(&ctx).await;
        first.push(passed);
        settled.push(settling);
        let (second, passed, _) = clarion_pass(&ctx).await;
        again.push(passed);
        ctx.close().await.expect("the database closes");

        let folder = path(format!("command-{run}"));
        std::fs::create_dir(&folder).expect("a folder");
        context(&folder).await.close().await.expect("the database closes");
        let took = command(&folder);
        whole_first.push(took.elapsed);
        peak_first = took.peak_kib.max(peak_first);
        let took = command(&folder);
        whole_again.push(took.elapsed);
        peak_again = took.peak_kib.max(peak_again);
        println!("run {run}: {} new, then {} unchanged, {} failed", report.new, second.unchanged, report.failed.len());
    }
    let (bare_first, bare_again, plain, bare_whole) = (median(bare_first), median(bare_again), median(plain), median(bare_whole));
    let (first, settled, again) = (median(first), median(settled), median(again));
    let (whole_first, whole_again) = (median(whole_first), median(whole_again));
    println!("bare fetch                      first {bare_first:.3} s             unchanged {bare_again:.3} s");
    println!("bare fetch, whole process                               unchanged {bare_whole:.3} s");
    println!("bare fetch + feed-rs + SQLite   first {plain:.3} s");
    println!(
        "clarion, all facts recorded     first {first:.3} s ({:.2} x)    unchanged {again:.3} s ({:.2} x)",
        first / plain,
        again / bare_again
    );
    println!("  settling, by who reads next   first {settled:.3} s");
    println!(
        "clarion poll --all, whole       first {whole_first:.3} s ({:.2} x)    unchanged {whole_again:.3} s ({:.2} x)",
        whole_first / plain,
        whole_again / bare_whole
    );
    println!("  peak memory                   first {} MiB              unchanged {} MiB", peak_first >> 10, peak_again >> 10);
}
