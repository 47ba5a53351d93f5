//! `clarion poll`: what comes of each kind of answer, in words that an operator can act on.

use std::fmt::Write as _;
use std::path::Path;

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
        "/page" => answer("200 OK", "Content-Type: text/html\r\n", "<!doctype html><html><head><title>Hello</title></head><body>a page</body></html>"),
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
    let paths = [
        "/fine", "/page", "/empty", "/large", "/cut", "/error", "/missing", "/gone", "/broken", "/refused", "/loop", "/inside", "/file",
        "/silent", "/nonsense", "http://127.0.0.1:9/shut",
    ];
    import(folder, &site, &paths);
    let ran = run(folder, &["poll"]);
    eprintln!("{}\n{}", ran.out, ran.err);
    assert_eq!(ran.code, 0);
    panic!();
}
