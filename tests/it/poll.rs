//! `clarion poll`: what comes of each kind of answer, in words that an operator can act on.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use clarion::clock::{Clock, ManualClock};
use clarion::config::Config;
use clarion::flow::{self, Context, Wanted};
use clarion::model::SourceStatus;
use clarion::store::Store;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::support::site::{Asked, Site, answer, rss};
use crate::support::{configure, good, json, run};

/// One builder and one feed a path.
fn import(folder: &Path, site: &Site, paths: &[&str]) {
    let mut roster = "builder,name,kind,url\n".to_owned();
    for path in paths {
        let url = if path.starts_with('/') { site.url(path) } else { (*path).to_owned() };
        let slug = path.trim_matches('/').rsplit('/').next().unwrap().split(['.', ':']).next().unwrap();
        writeln!(roster, "{slug},Builder {slug},rss,{url}").unwrap();
    }
    std::fs::write(folder.join("roster.csv"), roster).unwrap();
    good(folder, &["registry", "import", "roster.csv"]);
}

fn misbehaving(asked: &Asked) -> Vec<u8> {
    match asked.path.as_str() {
        "/page" => answer(
            "200 OK",
            "Content-Type: text/html\r\n",
            "<!doctype html><html><head><title>Hello</title></head><body>a page</body></html>",
        ),
        "/empty" => answer("200 OK", "Content-Type: application/rss+xml\r\n", ""),
        "/large" => answer("200 OK", "Content-Type: application/rss+xml\r\n", &rss("large", &["x"]).replace('x', &"x".repeat(100_000))),
        "/cut" => {
            let mut bytes = answer("200 OK", "", &rss("cut", &["One", "Two", "Three"]));
            bytes.truncate(bytes.len() - 150);
            bytes
        }
        "/error" => answer("200 OK", "Content-Type: application/json\r\n", "{\"error\":\"no such feed\"}"),
        "/missing" => answer("404 Not Found", "", ""),
        "/gone" => answer("410 Gone", "", ""),
        "/broken" => answer("500 Internal Server Error", "", "oops"),
        "/refused" => answer("403 Forbidden", "", ""),
        "/loop" => answer("302 Found", "Location: /loop\r\n", ""),
        "/inside" => answer("302 Found", "Location: http://169.254.169.254/latest/\r\n", ""),
        "/file" => answer("302 Found", "Location: file:///etc/passwd\r\n", ""),
        "/silent" => Vec::new(),
        "/nonsense" => b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(),
        _ => answer("200 OK", "Content-Type: application/rss+xml\r\n", &rss("fine", &["A good one"])),
    }
}

#[test]
fn every_kind_of_trouble_is_a_sentence_in_the_summary_and_no_failure_of_the_poll() {
    let site = Site::start(misbehaving);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "max_body = \"64KiB\"\n");
    let troubles = [
        ("/page", "a web page, not with a feed"),
        ("/empty", "the answer is empty"),
        ("/large", "larger than 64KiB"),
        ("/cut", "ended too early"),
        ("/error", "JSON without a list of items"),
        ("/missing", "404 (Not Found)"),
        ("/gone", "gone for good (410)"),
        ("/broken", "500 (Internal Server Error)"),
        ("/refused", "refuses us (403)"),
        ("/loop", "too many redirects"),
        ("/inside", "169.254.169.254 is not on the public internet"),
        ("/file", "only http and https"),
        ("/silent", "ended too early"),
        ("/nonsense", "not valid HTTP"),
        ("http://127.0.0.1:9/shut", "the connection was refused"),
    ];
    let paths: Vec<&str> = troubles.iter().map(|(path, _)| *path).chain(["/fine"]).collect();
    import(folder, &site, &paths);
    let told = run(folder, &["poll"]);
    assert_eq!((told.code, told.err.as_str()), (0, ""), "{told:?}");
    assert!(
        told.out.starts_with("asked 16 sources: 1 read, 0 unchanged, 15 failed, 0 held back; 1 entry new, 0 changed\n"),
        "{}",
        told.out
    );
    let listed = json(folder, &["source", "list"]);
    for (path, sentence) in troubles {
        let line = told.out.lines().find(|line| line.contains(&format!("{path}:"))).unwrap_or_else(|| panic!("{path}: {}", told.out));
        assert!(line.starts_with("failed") && line.contains(sentence), "{line}");
        let row = listed.as_array().unwrap().iter().find(|row| row["url"].as_str().unwrap().ends_with(path)).unwrap();
        assert!(row["error"].as_str().unwrap().contains(sentence) && row["failing_since"].is_string(), "{row}");
    }
    // Nothing is due now, and what is asked all the same is asked once each.
    assert!(good(folder, &["poll"]).starts_with("asked 0 sources"));
    let again = json(folder, &["poll", "--all"]);
    assert_eq!((again["asked"].as_u64(), again["failed"].as_array().map(Vec::len)), (Some(16), Some(15)), "{again}");
    assert_eq!(site.asked("/page").len(), 2);
    assert_eq!(json(folder, &["status"])["ill"].as_array().map(Vec::len), Some(15));
    assert_eq!(json(folder, &["log", "list"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn whoever_asks_for_quiet_gets_it_and_a_max_age_yields_to_a_person() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/aged" => answer("200 OK", "Cache-Control: max-age=86400\r\n", &rss("aged", &["An aged one"])),
        "/tagged" if asked.header("if-none-match") == Some("W/\"1\"") => answer("304 Not Modified", "ETag: W/\"1\"\r\n", ""),
        "/tagged" => answer("200 OK", "ETag: W/\"1\"\r\n", &rss("tagged", &["A tagged one"])),
        _ => answer("200 OK", "", &rss("plain", &["A plain one"])),
    });
    let busy = Site::start_on("127.0.0.2", |_| answer("429 Too Many Requests", "Retry-After: 3600\r\n", ""));
    let github = Site::start_on("127.0.0.3", |_| answer("200 OK", "X-Poll-Interval: 3600\r\nContent-Type: application/json\r\n", "[]"));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, &format!("[github]\napi_url = \"{}\"\n", github.url("")));
    import(folder, &site, &["/aged", "/tagged", "/plain", &busy.url("/busy")]);
    let roster = std::fs::read_to_string(folder.join("roster.csv")).unwrap() + "octo,Octo,,https://github.com/octo\n";
    std::fs::write(folder.join("roster.csv"), roster).unwrap();
    good(folder, &["registry", "import", "roster.csv"]);

    let first = good(folder, &["poll"]);
    assert!(first.starts_with("asked 5 sources: 4 read, 0 unchanged, 0 failed, 1 held back; 3 entries new"), "{first}");
    let github_asked = github.asked("/").len();
    for args in [&["poll", "--all"][..], &["poll", "aged", "tagged", "plain", "s4", "octo"]] {
        let told = good(folder, args);
        assert!(
            told.starts_with("asked 3 sources: 0 read, 3 unchanged, 0 failed, 2 held back; 0 entries new, 0 changed"),
            "{args:?}: {told}"
        );
        assert_eq!(told.lines().filter(|line| line.starts_with("held ") && line.contains("left alone until 20")).count(), 2, "{told}");
    }
    assert_eq!((busy.asked("/").len(), github.asked("/").len(), site.asked("/aged").len()), (1, github_asked, 3));
    assert_eq!(site.asked("/tagged").last().unwrap().header("if-none-match"), Some("W/\"1\""));
    run(folder, &["poll", "nobody"]).refused(2, &["no source is called `nobody`", "clarion source list"]);

    good(folder, &["source", "pause", "s1"]);
    assert!(good(folder, &["poll", "--all"]).starts_with("asked 2 sources"));
    good(folder, &["source", "resume", "s1"]);
    assert!(good(folder, &["poll", "--all"]).starts_with("asked 3 sources"));
}

/// A context on the folder's database, under a clock that stands still until it is told.
pub(crate) async fn context(folder: &Path, clock: &Arc<ManualClock>) -> Context {
    let config = Config::load(&folder.join("clarion.toml")).unwrap();
    let store = Store::open(&config.store.path).await.unwrap();
    Context::new(config, store, Arc::clone(clock) as Arc<dyn Clock>).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_left_alone_what_moved_is_followed_and_what_fails_is_asked_less_and_less() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/gone" => answer("410 Gone", "", ""),
        "/missing" => answer("404 Not Found", "", ""),
        "/moved" => answer("301 Moved Permanently", "Location: /new-place\r\n", ""),
        "/portal" => answer("301 Moved Permanently", "Location: /sign-in\r\n", ""),
        "/sign-in" => answer("200 OK", "Content-Type: text/html\r\n", "<!doctype html><html><body>Sign in</body></html>"),
        _ => answer("200 OK", "", &rss("plain", &["A plain one"])),
    });
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "");
    import(folder, &site, &["/gone", "/missing", "/moved", "/portal"]);
    let start: Timestamp = "2027-01-04T00:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::at(start));
    let ctx = context(folder, &clock).await;
    let day = SignedDuration::from_hours(24);
    let mut missing_by_day = Vec::new();
    let mut gone_after_ten_days = 0;
    for n in 0..60 {
        let before = site.asked("/missing").len();
        for _ in 0..8 {
            flow::pass(&ctx, &Wanted::Due, CancellationToken::new(), |_, _| {}).await.unwrap();
            clock.advance(day / 8);
        }
        missing_by_day.push(site.asked("/missing").len() - before);
        if n == 9 {
            gone_after_ten_days = site.asked("/gone").len();
        }
    }
    assert!((3..=9).contains(&gone_after_ten_days) && site.asked("/gone").len() == gone_after_ten_days, "{:?}", site.asked("/gone").len());
    assert!(missing_by_day[7..].iter().all(|asks| *asks <= 1), "{missing_by_day:?}");
    assert!(missing_by_day[32..].iter().sum::<usize>() <= 5, "{missing_by_day:?}");
    let sources = ctx.store.sources().await.unwrap();
    let states = ctx.store.source_states().await.unwrap();
    let of = |path: &str| states[&sources.iter().find(|source| source.url.ends_with(path)).unwrap().id].clone();
    assert_eq!(of("/gone").status, SourceStatus::Gone);
    assert_eq!((of("/missing").status, of("/missing").failing_since), (SourceStatus::Failing, Some(start)));
    // A new address counts once it was seen three times over seven days, and only if it leads to a feed.
    assert_eq!(of("/moved").final_url, Some(site.url("/new-place")));
    assert!(site.asked("/moved").len() < site.asked("/new-place").len());
    let portal = of("/portal");
    assert_eq!((portal.final_url, portal.status), (None, SourceStatus::Failing));
    assert!(portal.error.unwrap().contains("/sign-in"));
    ctx.close().await.unwrap();
    let row = json(folder, &["source", "list"]);
    assert_eq!((&row[0]["status"], &row[2]["final_url"]), (&"gone".into(), &site.url("/new-place").into()));
    // A person may start it again.
    good(folder, &["source", "resume", "s1"]);
    assert!(good(folder, &["poll", "s1"]).contains("gone for good (410)"));
    assert_eq!(site.asked("/gone").len(), gone_after_ten_days + 1);
}
