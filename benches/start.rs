//! A log of 100,000 activities: how soon the daemon is ready on it, how fast its pages are, how long a draft and a rebuild
//! take.
//!
//! `cargo bench --bench start`. Fills a database through the store as polls do, drafts and publishes twelve weeks, then runs
//! the program itself on it, and reads its pages as a member of staff. `ACTIVITIES=1000000` makes it larger;
//! `CLARION_BENCH_LOG=FOLDER` keeps what was filled there, and takes it the next time. Nothing here fails on a slow machine.

#![expect(clippy::print_stdout, reason = "figures are what a bench is for")]

mod measure;
mod program;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clarion::clock::{Clock, ManualClock, SystemClock};
use clarion::config::Config;
use clarion::flow::{self, Context};
use clarion::model::Week;
use clarion::store::Store;
use jiff::SignedDuration;

const STARTS: usize = 5;
const VISITS: u32 = 40;
const PAST_WEEKS: usize = 12;
const DRAFTS: usize = 5;
const PASSWORD: &str = "a long way to the harbor";

/// The processor time that a process has had so far, to a hundredth of a second; it is the same on a busy machine.
fn cpu_of(process: u32) -> Duration {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = status.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Starts the daemon, answers how long until it said where its pages are, and runs `visit` on that address.
fn serve(config: &Path, visit: impl FnOnce(&str, u32)) -> (Duration, u64) {
    let started = Instant::now();
    let mut daemon = clarion(config, &["serve"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the daemon starts");
    let mut lines = BufReader::new(daemon.stderr.take().expect("it was asked for")).lines();
    let address = loop {
        let line = lines.next().expect("the daemon says that it is ready").expect("it writes text");
        if let Some((_, address)) = line.split_once("ready http://") {
            break address.trim_end_matches('/').to_owned();
        }
    };
    let ready = started.elapsed();
    let drain = std::thread::spawn(move || lines.for_each(drop));
    visit(&address, daemon.id());
    let peak = measure::peak_of(&daemon);
    let stopped = Command::new("kill").arg("-TERM").arg(daemon.id().to_string()).status();
    if !stopped.is_ok_and(|status| status.success()) {
        let _ = daemon.kill();
    }
    let _ = daemon.wait();
    let _ = drain.join();
    (ready, peak)
}

fn clarion(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clarion"));
    command.arg("--config").arg(config).args(arguments);
    command
}

/// Who reads: where the daemon listens, and with which session.
struct Reader<'a> {
    address: &'a str,
    cookie: String,
}

impl Reader<'_> {
    fn ask(&self, request: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).expect("the daemon listens");
        stream.write_all(request.as_bytes()).expect("the request is sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the answer is whole");
        answer
    }

    /// Signs in, and keeps the session.
    fn sign_in<'a>(address: &'a str, name: &str) -> Reader<'a> {
        let mut reader = Reader { address, cookie: String::new() };
        let form = format!("name={name}&password={}", PASSWORD.replace(' ', "+"));
        let answer = reader.ask(&format!(
            "POST /sign-in HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            form.len()
        ));
        let head = String::from_utf8_lossy(&answer).into_owned();
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a session is opened");
        cookie.split(';').next().unwrap_or_default().clone_into(&mut reader.cookie);
        reader
    }

    /// How long a page took, and how many bytes it has.
    fn get(&self, path: &str, encoding: &str) -> (Duration, usize) {
        let Reader { address, cookie } = self;
        let started = Instant::now();
        let answer = self.ask(&format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\naccept-encoding: {encoding}\r\nconnection: close\r\n\r\n"
        ));
        let elapsed = started.elapsed();
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{path} answers {}", String::from_utf8_lossy(&answer[..answer.len().min(200)]));
        let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(0, |at| at + 4);
        (elapsed, answer.len() - head)
    }
}

fn visit_pages(address: &str, process: u32, week: Week, builders: usize) {
    let reader = Reader::sign_in(address, "Edith");
    let next = week.next();
    let pages = [
        "/".to_owned(),
        "/digest".into(),
        format!("/digest/{}", week.previous()),
        "/builders".into(),
        "/builders?q=42".into(),
        "/builders/b0".into(),
        "/builders/b*".into(),
        "/operator".into(),
        format!("/staff/week/{week}"),
        format!("/staff/week/{next}"),
        format!("/staff/week/{week}/refresh"),
        format!("/staff/week/{week}/posts"),
        format!("/staff/week/{week}/preview/mail-light"),
        format!("/staff/compare?week={week}"),
        "/staff/archive".into(),
        "/staff/archive?q=lambda".into(),
        "/staff/balance".into(),
        "/staff/balance?weeks=52".into(),
        "/staff/balance.csv?weeks=52".into(),
        "/staff/reply?url=https://blog-3.example/999999-nothing".into(),
        "/staff/audit".into(),
        "/account".into(),
    ];
    for page in &pages {
        let visits: u32 = if std::env::var_os("QUICK").is_some() { 8 } else { VISITS };
        let path = |n: u32| page.replace('*', &(n as usize * 11 % builders).to_string());
        let mut bytes = 0;
        let before = cpu_of(process);
        let mut times: Vec<Duration> = (0..visits)
            .map(|n| {
                let (elapsed, size) = reader.get(&path(n), "identity");
                bytes = bytes.max(size);
                elapsed
            })
            .collect();
        let busy = cpu_of(process).saturating_sub(before).as_secs_f64() * 1e3 / f64::from(visits);
        let (_, packed) = reader.get(&path(0), "gzip");
        times.sort_unstable();
        let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
        println!(
            "page {page:<44} median {:>6.1} ms, p95 {:>6.1} ms, processor {busy:>5.1} ms, at most {:>6.1} KB, packed {:>5.1} KB",
            at(50),
            at(95),
            kilobytes(bytes),
            kilobytes(packed)
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn kilobytes(bytes: usize) -> f64 {
    bytes as f64 / 1e3
}

async fn timed(runs: usize, mut run: impl AsyncFnMut()) -> String {
    let mut times = Vec::new();
    let before = cpu_of(std::process::id());
    for _ in 0..runs {
        let started = Instant::now();
        run().await;
        times.push(started.elapsed());
    }
    let busy = cpu_of(std::process::id()).saturating_sub(before).as_millis() / runs as u128;
    let worst = times.iter().max().map_or(0.0, Duration::as_secs_f64) * 1e3;
    format!("{:.0} ms, at worst {worst:.0} ms; {busy} ms of processor time each", measure::median(times) * 1e3)
}

/// Drafts, approves and publishes a week, as of the Monday after it.
async fn publish(ctx: &Context, clock: &ManualClock, week: Week) {
    clock.set(week.end() + SignedDuration::from_hours(8));
    let started = Instant::now();
    let looked_at = flow::draft(ctx, week).await.expect("it is drafted").digest.outcomes.len();
    println!("draft of {week}: {:.0} ms, {looked_at} works looked at", started.elapsed().as_secs_f64() * 1e3);
    flow::approve(ctx, week, "Edith", None).await.expect("it is approved");
    clock.advance(SignedDuration::from_hours(2));
    flow::publish(ctx, week, "Edith").await.expect("it is published");
}

#[tokio::main]
async fn main() {
    let activities: usize = std::env::var("ACTIVITIES").ok().and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let scratch = tempfile::tempdir().expect("a folder");
    let folder = std::env::var_os("CLARION_BENCH_LOG").map_or_else(|| scratch.path().to_owned(), PathBuf::from);
    std::fs::create_dir_all(&folder).expect("the folder is there");
    let path = folder.join("clarion.toml");
    std::fs::write(&path, "[store]\npath = \"clarion.db\"\n[web]\nlisten = \"127.0.0.1:0\"\n").expect("the configuration is written");
    let config = Config::load(&path).expect("it parses");
    let store = Store::open(&config.store.path).await.expect("the database opens");
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let ctx = Context::new(config, store, clock.clone()).expect("the context is built");
    let filled = folder.join(format!("filled-{activities}"));
    if !filled.exists() {
        let started = Instant::now();
        program::fill(&ctx, activities).await;
        let recorded = started.elapsed();
        let started = Instant::now();
        flow::settle(&ctx).await.expect("the log is settled");
        println!("{activities} entries: recorded in {:.1} s, settled in {:.1} s", recorded.as_secs_f64(), started.elapsed().as_secs_f64());
        std::fs::write(&filled, "").expect("it is marked as filled");
    }
    let week = Week::last_whole(SystemClock.now());
    if std::env::var_os("FILL_ONLY").is_some() {
        return ctx.close().await.expect("the database closes");
    }
    if ctx.store.digest_states().await.expect("the weeks are read").is_empty() {
        let mut past = vec![week.previous()];
        past.extend((1..PAST_WEEKS).scan(week.previous(), |week, _| {
            *week = week.previous();
            Some(*week)
        }));
        for week in past.into_iter().rev() {
            publish(&ctx, &clock, week).await;
        }
        clock.set(SystemClock.now());
        flow::draft(&ctx, week).await.expect("it is drafted");
        let mut adding = clarion(&path, &["user", "add", "Edith", "--role", "staff", "--role", "operator", "--password-file", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the command starts");
        writeln!(adding.stdin.take().expect("it was asked for"), "{PASSWORD}").expect("it reads");
        assert!(adding.wait().expect("it ends").success());
    }
    clock.set(SystemClock.now());
    let took = timed(DRAFTS, async || drop(flow::draft(&ctx, week).await.expect("it is drafted"))).await;
    println!("draft of {week}: {took}");
    let took = timed(DRAFTS, async || drop(flow::preview(&ctx, week.next()).await.expect("it is computed"))).await;
    println!("preview of {}: {took}", week.next());
    ctx.close().await.expect("the database closes");
    if std::env::var_os("DRAFT_ONLY").is_some() {
        return;
    }

    let mut readies = Vec::new();
    let mut peak = 0;
    for start in 0..STARTS {
        let visit = |address: &str, process: u32| {
            if start == 0 {
                visit_pages(address, process, week, program::builders_of(activities));
            }
        };
        let (ready, most) = serve(&path, visit);
        readies.push(ready);
        peak = peak.max(most);
    }
    println!("start to ready: {:.3} s; peak memory of the daemon {} MiB", measure::median(readies), peak >> 10);
    if std::env::var_os("QUICK").is_some() {
        return;
    }
    let took = measure::run(&mut clarion(&path, &["rebuild"]));
    println!("rebuild: {:.1} s, peak memory {} MiB", took.elapsed.as_secs_f64(), took.peak_kib >> 10);
}
