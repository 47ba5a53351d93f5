//! Private feeds: what makes their addresses a secret is shown nowhere, whatever goes wrong with them, but where the
//! roster itself is given back.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clarion::clock::{Clock, ManualClock, SystemClock};
use clarion::model::UserRole;

use crate::sight::{Town, addresses};
use crate::support::daemon::Daemon;
use crate::support::site::{Site, answer, rss};
use crate::support::{Ran, clarion, configure, ran};

/// As a parameter, or after a part of the path that says so; and as a part of a path that tells itself by its look.
const MARK: &str = "Mk3rQz8secretLw5T";
const RANDOM: &str = "9f8a7b6c5d4e3f2a1b0c9d8e";
/// The first in base64, at each of the three places where it may begin in something longer.
const IN_BASE64: [&str; 3] = ["TWszclF6OHNlY3JldEx3NV", "1rM3JRejhzZWNyZXRMdzVU", "NazNyUXo4c2VjcmV0THc1V"];

fn find_in(text: &str) -> Option<&'static str> {
    [MARK, RANDOM].into_iter().chain(IN_BASE64).find(|secret| text.to_lowercase().contains(&secret.to_lowercase()))
}

/// Runs a command with everything that can be told, and fails if a secret was.
#[track_caller]
fn told(folder: &Path, args: &[&str]) -> Ran {
    let ran = ran(clarion(folder).args(args).env("RUST_LOG", "trace"));
    assert_eq!(find_in(&ran.out), None, "{args:?} prints it: {}", ran.out);
    assert_eq!(find_in(&ran.err), None, "{args:?} tells it: {}", ran.err);
    assert!(!ran.err.contains("panicked"), "{args:?}: {}", ran.err);
    ran
}

/// A site where nothing but one feed goes well.
fn site() -> Site {
    Site::start(|asked| {
        let html = "<!doctype html><html><head><title>Sign in</title></head><body>Sign in</body></html>";
        match asked.path.split('?').next().unwrap_or_default() {
            "/error" => answer("500 Internal Server Error", "", &asked.path),
            "/busy" => answer("429 Too Many Requests", "", &asked.path),
            "/refused" => answer("403 Forbidden", "", &asked.path),
            "/gone" => answer("410 Gone", "", ""),
            "/moved" => answer("301 Moved Permanently", &format!("Location: /html?{}\r\n", asked.path.replace("/moved?", "x=1&")), ""),
            "/round" => answer("302 Found", &format!("Location: {}\r\n", asked.path), ""),
            "/nowhere" => answer("302 Found", &format!("Location: http://[{}\r\n", asked.path), ""),
            "/inward" => answer("302 Found", &format!("Location: http://10.0.0.1{}\r\n", asked.path), ""),
            "/html" => answer("200 OK", "Content-Type: text/html\r\n", html),
            "/large" => answer("200 OK", "", &"x".repeat(200_000)),
            "/broken" => answer("200 OK", "Content-Encoding: gzip\r\n", "no gzip at all"),
            "/short" => b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n<rss".to_vec(),
            "/silent" => Vec::new(),
            "/nonsense" => b"nonsense\r\n\r\n".to_vec(),
            path if path.starts_with("/feeds/") => {
                let own = format!("<atom:link xmlns:atom=\"http://www.w3.org/2005/Atom\" rel=\"self\" href=\"{path}\"/>");
                answer("200 OK", "", &rss("private", &["One", "Two"]).replacen("<item>", &format!("{own}<item>"), 1))
            }
            _ => answer("404 Not Found", "", &asked.path),
        }
    })
}

fn places(site: &Site) -> Vec<String> {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let parameters = [
        "/missing?token=",
        "/error?page=2&api_key=",
        "/refused?auth=",
        "/gone?key=",
        "/moved?sig=",
        "/round?signature=",
        "/nowhere?secret=",
        "/inward?password=",
        "/html?feed_token=",
        "/large?pass=",
        "/broken?apikey=",
        "/short?hmac=",
        "/silent?rsskey=",
        "/nonsense?X-Amz-Signature=",
    ];
    let mut places: Vec<String> = parameters.iter().map(|path| site.url(&format!("{path}{MARK}"))).collect();
    places.extend([site.url(&format!("/feeds/private/{MARK}/rss")), site.url(&format!("/feeds/{RANDOM}.xml"))]);
    places.extend([
        site.url(&format!("/lost/{RANDOM}/feed")),
        format!("http://{closed}/f?token={MARK}"),
        format!("http://none.invalid/private/{MARK}"),
    ]);
    // A host that asks for quiet is left alone, so this comes last.
    places.push(site.url(&format!("/busy?access_token={MARK}")));
    places
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_is_told_by_nothing_but_the_roster_itself() {
    let site = site();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "max_body = \"100KiB\"\n[log]\nformat = \"json\"\nfilter = \"trace\"\n[web]\nlisten = \"127.0.0.1:0\"\n");
    let places = places(&site);
    let mut roster = "builder,name,kind,url\nada,Ada,,\n".to_owned();
    for place in &places {
        roster.push_str(&format!("ada,,rss,{place}\n"));
    }
    std::fs::write(folder.join("roster.csv"), &roster).unwrap();
    assert!(told(folder, &["registry", "check", "roster.csv"]).out.contains("token=…"));
    assert_eq!(told(folder, &["registry", "import", "roster.csv", "--dry-run", "--json"]).code, 0);
    assert_eq!(told(folder, &["registry", "import", "roster.csv"]).code, 0);
    what_is_refused_is_not_told_either(folder);
    for all in [&["poll"][..], &["poll", "--all", "--json"], &["poll", "--all"]] {
        let polled = told(folder, all);
        assert_eq!(polled.code, 0, "{polled:?}");
    }
    let listed = told(folder, &["source", "list", "--json"]).json();
    let failed = listed.as_array().unwrap().iter().filter(|row| row["error"].is_string()).count();
    assert!(failed >= 14, "{failed} of {} went wrong: {listed:#}", places.len());
    for (at, place) in places.iter().enumerate() {
        told(folder, &["source", "check", place]);
        told(folder, &["explain", place]);
        told(folder, &["poll", place]);
        if at % 4 == 0 {
            told(folder, &["source", "add", "ada", place]);
            told(folder, &["source", "pause", place, "--json"]);
            told(folder, &["source", "resume", place]);
            told(folder, &["source", "filter", place, "not_kinds=video"]);
            told(folder, &["backfill", place]);
            told(folder, &["backfill", place, "--json"]);
        }
    }
    let shown = told(folder, &["log", "export", "--format", "jsonl"]).out;
    let rows: Vec<serde_json::Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["source"].as_str().unwrap().contains('…')), "{shown}");
    let piece = rows[0]["url"].as_str().unwrap();
    for args in [
        &["registry", "list"][..],
        &["registry", "list", "--json"],
        &["registry", "export", "--json"],
        &["registry", "import", "other.csv"],
        &["source", "list"],
        &["log", "list"],
        &["log", "list", "--json"],
        &["log", "export", "--format", "csv"],
        &["log", "export", "--format", "table"],
        &["log", "show", piece],
        &["explain", piece],
        &["explain", &site.url("/missing")],
        &["explain", &site.url("/feeds/x")],
        &["status"],
        &["status", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["rebuild", "--reread"],
        &["digest", "draft"],
        &["digest", "show"],
        &["digest", "ledger"],
        &["backup", "copy.db"],
    ] {
        told(folder, args);
    }
    // The roster alone gives it back, so that it can be imported again.
    for format in ["csv", "toml"] {
        let given = ran(clarion(folder).args(["registry", "export", "--format", format]));
        assert!(places.iter().all(|place| given.out.contains(place.as_str())), "{format}: {}", given.out);
        assert_eq!(find_in(&given.err), None);
    }

    by_the_daemon(folder);
    on_every_page(folder, piece).await;
}

#[track_caller]
fn what_is_refused_is_not_told_either(folder: &Path) {
    let refused = [
        format!("https://ada:{MARK}@feeds.example/rss"),
        format!("http://10.0.0.1/feed?token={MARK}"),
        format!("ftp://feeds.example/private/{MARK}"),
        format!("https://feeds.example:99999/?token={MARK}"),
        format!("a b?token={MARK}"),
    ];
    for place in &refused {
        std::fs::write(folder.join("other.csv"), format!("builder,name,kind,url\nada,,rss,{place}\nbo,Bo,,\n")).unwrap();
        for args in
            [&["registry", "check", "other.csv"][..], &["registry", "import", "other.csv"], &["registry", "import", "other.csv", "--json"]]
        {
            assert!(told(folder, args).out.contains("refused"), "{place}");
        }
        for args in [
            &["source", "check", place][..],
            &["source", "add", "ada", place],
            &["explain", place],
            &["explain", place, "--json"],
            &["poll", place],
            &["backfill", place],
        ] {
            told(folder, args);
        }
    }
}

/// Its lines, and its pages before anybody can sign in: they show the whole record.
fn by_the_daemon(folder: &Path) {
    let daemon = Daemon::start(folder);
    for path in ["/", "/builders", "/builders/ada", "/operator", "/metrics", "/readyz", "/healthz"] {
        let (status, head, body) = daemon.get(path);
        assert!(status == 200 && find_in(&format!("{head}{body}")).is_none(), "{path}: {head}{body}");
    }
    assert!(daemon.get("/builders/ada").2.contains("token=…"));
    assert_eq!(find_in(&daemon.told()), None, "{}", daemon.told());
    assert_eq!(daemon.terminate().0, Some(0));
}

async fn on_every_page(folder: &Path, piece: &str) {
    let clock = Arc::new(ManualClock::at(SystemClock.now() + Duration::from_mins(1)));
    let ctx = crate::poll::context(folder, &clock).await;
    let town = Town::over(&ctx);
    let (staff, operator) = (town.sign_in("Edith", UserRole::Staff).await, town.sign_in("Otto", UserRole::Operator).await);
    let builder = town.open_link("ada").await;
    let mut paths = addresses(&town.state);
    paths.extend([format!("/staff/reply?address={piece}"), "/operator?q=127".to_owned(), "/operator?state=failing".to_owned()]);
    for path in &paths {
        for cookie in [None, Some(&builder), Some(&operator), Some(&staff)] {
            let body = town.get(path, cookie.map(String::as_str)).await.body;
            assert_eq!(find_in(&body), None, "{path}: {body}");
        }
    }
    assert!(town.get("/operator", Some(&operator)).await.body.contains("token=…"));
}
