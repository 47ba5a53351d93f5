//! Killed at any instant, the log loses nothing and doubles nothing, and needs no repair by hand.
//!
//! An origin with a ledger serves feeds that change all the while. The real program polls it and is killed with -9
//! after a random time, a hundred times. It answers 304 for ever once a body was sent in full, so validators that were
//! kept without their rows would show as entries that are missing at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::clarion;

const FEEDS: usize = 40;
const HOSTS: usize = 8;
const KILLS: u64 = 100;

/// What the origin serves: so many items a feed, only ever more.
#[derive(Default)]
struct Ledger {
    items: Mutex<BTreeMap<usize, usize>>,
}

impl Ledger {
    fn feed(&self, n: usize) -> (usize, String) {
        let items = self.items.lock().unwrap().get(&n).copied().unwrap_or(3);
        let mut body = format!("<rss version=\"2.0\"><channel><title>Feed {n}</title>");
        for item in (0..items).rev() {
            write!(
                body,
                "<item><title>Entry {item} of feed {n}</title><guid isPermaLink=\"false\">{n}-{item}</guid>\
                 <link>https://f{n}.example/{item}</link><pubDate>Mon, 23 Nov 2026 10:00:00 GMT</pubDate></item>"
            )
            .unwrap();
        }
        body.push_str("</channel></rss>");
        (items, body)
    }

    fn grow(&self, seed: u64) {
        let mut items = self.items.lock().unwrap();
        for n in 0..FEEDS {
            if (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (n % 60)).is_multiple_of(4) {
                *items.entry(n).or_insert(3) += 1;
            }
        }
    }
}

fn serve(mut stream: TcpStream, ledger: &Ledger) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
        let mut etag = None;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("if-none-match")
            {
                etag = Some(value.trim().to_owned());
            }
        }
        let n: usize = path.trim_start_matches('/').trim_end_matches(".xml").parse().unwrap_or(0);
        let (items, body) = ledger.feed(n);
        let current = format!("\"{items}\"");
        if etag.as_deref() == Some(current.as_str()) {
            write!(stream, "HTTP/1.1 304 Not Modified\r\nETag: {current}\r\n\r\n")?;
        } else {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nETag: {current}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes())?;
            stream.write_all(body.as_bytes())?;
        }
    }
}

/// One port on several loopback addresses, so that politeness to one host does not make the test slow.
fn start(ledger: &Arc<Ledger>) -> u16 {
    let first = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = first.local_addr().unwrap().port();
    let mut listeners = vec![first];
    for host in 2..=HOSTS {
        listeners.push(TcpListener::bind(format!("127.0.0.{host}:{port}")).unwrap());
    }
    for listener in listeners {
        let ledger = Arc::clone(ledger);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let ledger = Arc::clone(&ledger);
                std::thread::spawn(move || serve(stream, &ledger));
            }
        });
    }
    port
}

fn write_project(folder: &Path, port: u16) {
    std::fs::write(folder.join("clarion.toml"), "[network]\nallow = [\"127.0.0.0/8\"]\nmin_gap = 0\n").unwrap();
    let mut roster = "builder,name,kind,url\n".to_owned();
    for n in 0..FEEDS {
        writeln!(roster, "b{n},Builder {n},rss,http://127.0.0.{}:{port}/{n}.xml", n % HOSTS + 1).unwrap();
    }
    std::fs::write(folder.join("roster.csv"), roster).unwrap();
    clarion(folder).args(["registry", "import", "roster.csv"]).assert().success();
}

#[test]
fn killed_a_hundred_times_nothing_is_lost_and_nothing_doubled() {
    let ledger = Arc::new(Ledger::default());
    let port = start(&ledger);
    let folder = tempfile::tempdir().unwrap();
    write_project(folder.path(), port);
    let mut seed = 20_261_125_u64;
    for round in 0..KILLS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ledger.grow(seed);
        let mut child = Command::new(env!("CARGO_BIN_EXE_clarion"))
            .args(["poll", "--all"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Most of a pass lies in its first tenths of a second; some rounds are left to go further.
        std::thread::sleep(Duration::from_millis((seed >> 33) % if round % 4 == 0 { 400 } else { 120 }));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    clarion(folder.path()).args(["poll", "--all"]).assert().success();

    let wanted: BTreeSet<(String, String)> = (0..FEEDS)
        .flat_map(|n| {
            let (items, _) = ledger.feed(n);
            (0..items).map(move |item| (format!("b{n}"), format!("Entry {item} of feed {n}")))
        })
        .collect();
    let output = clarion(folder.path()).args(["log", "export", "--format", "jsonl"]).assert().success();
    let mut held = Vec::new();
    for line in String::from_utf8(output.get_output().stdout.clone()).unwrap().lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        held.push((row["builder"].as_str().unwrap().to_owned(), row["title"].as_str().unwrap().to_owned()));
    }
    let distinct: BTreeSet<_> = held.iter().cloned().collect();
    assert_eq!(distinct.len(), held.len(), "something is recorded twice");
    assert_eq!(distinct, wanted);
    clarion(folder.path()).arg("rebuild").assert().success();
}
