//! `clarion backfill`: what was there before clarion came, page by page.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::site::{Site, answer};
use crate::support::{configure, good, json, run};

fn items(from: u32, to: u32) -> String {
    let item = |n: u32| {
        format!(
            "<item><title>Post {n}</title><guid isPermaLink=\"false\">p{n}</guid><link>https://kiln.example/{n}</link>\
             <pubDate>Fri, {:02} Mar 2024 10:00:00 GMT</pubDate></item>",
            n % 28 + 1
        )
    };
    (to..=from).rev().map(item).collect()
}

fn wordpress(items: &str) -> Vec<u8> {
    let head = "<generator>https://wordpress.org/?v=6.5</generator>";
    let text = format!("<rss version=\"2.0\"><channel><title>Kiln</title>{head}{items}</channel></rss>");
    answer("200 OK", "Content-Type: application/rss+xml\r\n", &text)
}

#[test]
fn older_pages_are_read_to_their_end_and_an_interrupted_run_goes_on() {
    static BUSY: AtomicBool = AtomicBool::new(true);
    let site = Site::start(|asked| match asked.path.as_str() {
        "/feed/" => wordpress(&items(30, 21)),
        "/feed/?paged=2" => wordpress(&items(20, 11)),
        "/feed/?paged=3" if BUSY.swap(false, Ordering::SeqCst) => answer("503 Service Unavailable", "", ""),
        "/feed/?paged=3" => wordpress(&items(10, 1)),
        _ => answer("404 Not Found", "", "nothing"),
    });
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "");
    std::fs::write(folder.join("r.csv"), format!("builder,name,kind,url\nada,Ada,rss,{}\n", site.url("/feed/"))).unwrap();
    good(folder, &["registry", "import", "r.csv"]);

    // It polls first, so that nothing new is taken for old; then the host wants quiet.
    let first = json(folder, &["backfill", "ada"]);
    assert_eq!((&first[0]["pages"], &first[0]["new"], &first[0]["done"]), (&2.into(), &10.into(), &false.into()), "{first}");
    assert_eq!(json(folder, &["log", "list"]).as_array().unwrap().len(), 20);
    let second = json(folder, &["backfill", "--all"]);
    let asked = site.asked("/feed/").len();
    assert_eq!((&second[0]["pages"], &second[0]["new"], &second[0]["done"]), (&1.into(), &10.into(), &true.into()), "{second}");
    let listed = json(folder, &["log", "list"]);
    let listed = listed.as_array().unwrap();
    assert!(listed.len() == 30 && listed.iter().all(|row| row["backfill"] == true), "{listed:?}");
    assert_eq!(site.asked("/feed/?paged=2").len(), 1, "what was read is not read again");
    assert_eq!(asked, 6, "{:?}", site.asked("/"));

    // Entries that the feed does not show any more have not left it.
    good(folder, &["poll", "--all"]);
    assert!(json(folder, &["log", "list"]).as_array().unwrap().iter().all(|row| row["left"] == false));
    let told = good(folder, &["backfill", "s1", "--since", "2024-03-20"]);
    assert!(told.contains("0 older entries") && !told.contains("paged"), "{told}");
    run(folder, &["backfill"]).refused(2, &["SOURCE"]);
    run(folder, &["backfill", "nobody"]).refused(2, &["no source is called `nobody`"]);
}

#[test]
fn archives_are_followed_and_pages_that_repeat_end_the_run() {
    let site = Site::start(|asked| {
        let entry = |n: u32| {
            format!(
                "<entry><id>urn:x:{n}</id><title>Entry {n}</title><link href=\"https://loam.example/{n}\"/><updated>2023-05-{n:02}T10:00:00Z</updated></entry>"
            )
        };
        let atom = |link: &str, entries: String| {
            let text = format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Loam</title>{link}{entries}</feed>");
            answer("200 OK", "Content-Type: application/atom+xml\r\n", &text)
        };
        match asked.path.as_str() {
            "/atom" => atom("<link rel=\"prev-archive\" href=\"/2023/5\"/>", entry(9)),
            "/2023/5" => {
                atom("<link rel=\"prev-archive\" href=\"/2023/4\"/><link rel=\"next-archive\" href=\"/atom\"/>", entry(5) + &entry(4))
            }
            "/2023/4" => atom("", entry(2)),
            // A site that claims to page and does not.
            path if path.starts_with("/same") => wordpress(&items(4, 1)),
            // JSON Feed that names the next page.
            "/json" => answer(
                "200 OK",
                "Content-Type: application/feed+json\r\n",
                "{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"J\",\"next_url\":\"/json2\",\"items\":[{\"id\":\"1\",\"title\":\"J one\"}]}",
            ),
            "/json2" => answer(
                "200 OK",
                "Content-Type: application/feed+json\r\n",
                "{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"J\",\"next_url\":\"https://elsewhere.example/\",\"items\":[{\"id\":\"2\",\"title\":\"J two\"}]}",
            ),
            path if path.starts_with("/api/articles") => {
                let page: u32 = path.rsplit('=').next().unwrap().parse().unwrap();
                let articles: Vec<String> = if page > 5 {
                    Vec::new()
                } else {
                    (0..30).map(|n| format!("{{\"id\":{},\"title\":\"A\",\"user\":{{\"username\":\"ada\"}}}}", page * 100 + n)).collect()
                };
                answer("200 OK", "Content-Type: application/json\r\n", &format!("[{}]", articles.join(",")))
            }
            _ => answer("404 Not Found", "", ""),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, &format!("[devto]\napi_url = \"{}\"\n", site.url("/api")));
    let rows: Vec<String> = ["/atom", "/same", "/json"].iter().map(|path| format!("{},N,rss,{}\n", &path[1..], site.url(path))).collect();
    let rows = rows.concat();
    std::fs::write(folder.join("r.csv"), format!("builder,name,kind,url\n{rows}dev,N,devto,https://dev.to/ada\n")).unwrap();
    good(folder, &["registry", "import", "r.csv"]);
    let reports = json(folder, &["backfill", "--all"]);
    let of = |place: usize| {
        let report = &reports[place];
        (report["pages"].as_u64().unwrap(), report["new"].as_u64().unwrap(), report["done"].as_bool().unwrap())
    };
    assert_eq!(of(0), (3, 3, true), "{reports}");
    assert_eq!(reports[0]["oldest"], "2023-05-02T10:00:00Z");
    assert_eq!(of(1), (2, 0, true), "{reports}");
    assert_eq!(of(2), (2, 1, true), "{reports}");
    // A poll reads three pages; the two that follow are older.
    assert_eq!(of(3), (6, 60, true), "{reports}");
    assert_eq!(json(folder, &["rebuild"])["same"], true);
}
