//! A small program in a folder of its own: an origin on loopback, builders who publish there, and a clock that stands
//! still until told otherwise. Whole paths run through it, from poll to digest.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use clarion::clock::{Clock, ManualClock};
use clarion::config::Config;
use clarion::flow::{self, Context, PassReport, Wanted};
use clarion::model::{Activity, Builder, Digest, OutcomeCode, Slug, SourceId, SourceKind, SourceState, Week};
use clarion::store::{LogFilter, RosterChange, Store};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

/// What the origin answers at one address.
#[derive(Clone)]
struct Page {
    status: u16,
    headers: String,
    body: String,
}

/// One request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) path: String,
    /// What was sent along.
    pub(crate) body: String,
    /// Headers, names in lower case.
    pub(crate) headers: HashMap<String, String>,
}

/// A server on loopback that serves what it was last given.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) port: u16,
    pages: Arc<Mutex<HashMap<String, Page>>>,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
}

impl Origin {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = Self { port: listener.local_addr().unwrap().port(), pages: Arc::default(), arrivals: Arc::default() };
        let shared = origin.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || shared.answer(stream));
            }
        });
        origin
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
            let mut headers = HashMap::new();
            loop {
                let mut header = String::new();
                if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
                    break;
                }
                if let Some((name, value)) = header.split_once(':') {
                    headers.insert(name.to_lowercase(), value.trim().to_owned());
                }
            }
            let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            std::io::Read::read_exact(&mut reader, &mut body)?;
            let body = String::from_utf8_lossy(&body).into_owned();
            self.arrivals.lock().unwrap().push(Arrival { path: path.clone(), headers: headers.clone(), body });
            let missing = Page { status: 404, headers: String::new(), body: "not here".into() };
            let pages = self.pages.lock().unwrap();
            let bare = path.split_once('?').map(|(bare, _)| format!("{bare}?*"));
            let mut page = pages.get(&path).or_else(|| pages.get(&bare?)).cloned().unwrap_or(missing);
            drop(pages);
            let etag = page.headers.lines().find_map(|line| line.strip_prefix("etag: "));
            if etag.is_some() && page.headers.contains("x-honest: yes") && headers.get("if-none-match").map(String::as_str) == etag {
                (page.status, page.body) = (304, String::new());
            }
            write!(stream, "HTTP/1.1 {} X\r\n{}content-length: {}\r\n\r\n{}", page.status, page.headers, page.body.len(), page.body)?;
        }
    }

    /// Serves that body at a path from now on; a path that ends in `?*` stands for any query.
    pub(crate) fn serve(&self, path: &str, body: impl Into<String>) {
        self.serve_with(path, 200, "", body);
    }

    /// Serves a status, header lines that each end in `\r\n`, and a body. With `x-honest: yes` among the headers, a
    /// request that names the `etag` is answered with 304.
    pub(crate) fn serve_with(&self, path: &str, status: u16, headers: &str, body: impl Into<String>) {
        self.pages.lock().unwrap().insert(path.to_owned(), Page { status, headers: headers.to_owned(), body: body.into() });
    }

    /// The requests for paths that begin so.
    pub(crate) fn asked(&self, path: &str) -> Vec<Arrival> {
        self.arrivals().into_iter().filter(|arrival| arrival.path.starts_with(path)).collect()
    }

    /// All requests so far.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap().clone()
    }
}

/// The program with its surroundings.
pub(crate) struct World {
    pub(crate) ctx: Context,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) origin: Origin,
    _folder: tempfile::TempDir,
}

impl World {
    /// A world at that instant, with nobody in it. Every work is good enough for its digests.
    pub(crate) async fn at(now: &str) -> Self {
        Self::with(now, "").await
    }

    /// A world with one feed that was read once, when it held nothing: whatever comes now is news.
    pub(crate) async fn followed(now: &str) -> Self {
        let world = Self::at(now).await;
        world.feed("Ada Loam", "/feed").await;
        world.origin.serve("/feed", rss(&[]));
        world.poll().await;
        world
    }

    /// A world with a GitHub token in that file.
    pub(crate) async fn with_token(now: &str, file: &Path) -> Self {
        Self::with(now, &format!("[github]\ntoken_file = {:?}\n", file.display().to_string())).await
    }

    /// The same with further settings, in which `{port}` stands for the port of the origin.
    pub(crate) async fn with(now: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin::start();
        let port = origin.port;
        let text = format!(
            "[network]\nallow = [\"127.0.0.0/8\"]\nmin_gap = 0\n[digest]\nfloor = 0\n[github]\napi_url = \"http://127.0.0.1:{port}/gh\"\n\
             bots = [\"kiln-robot\"]\n[youtube]\nfeed_url = \"http://127.0.0.1:{port}/yt\"\n[devto]\napi_url = \"http://127.0.0.1:{port}/devto\"\n\
             [stackexchange]\napi_url = \"http://127.0.0.1:{port}/se\"\n[bluesky]\napi_url = \"http://127.0.0.1:{port}/bsky\"\n"
        );
        // Settings of a section that stands above already go to its end.
        let config = Config::parse(&merged(text, &more.replace("{port}", &port.to_string())), Path::new("world.toml")).unwrap();
        let clock = Arc::new(ManualClock::at(now.parse().unwrap()));
        let store = Store::open(&folder.path().join("clarion.db")).await.unwrap();
        let ctx = Context::new(config, store, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        Self { ctx, clock, origin, _folder: folder }
    }

    /// A builder who publishes a plain feed at that path of the origin.
    pub(crate) async fn feed(&self, name: &str, path: &str) -> SourceId {
        self.source(name, SourceKind::Rss, &self.url(path)).await
    }

    /// An address of the origin.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.origin.port)
    }

    /// A builder who publishes there; made where nobody has that name yet.
    pub(crate) async fn source(&self, name: &str, kind: SourceKind, locator: &str) -> SourceId {
        let slug = self.builder(name).await;
        let source =
            RosterChange::Source { builder: slug, kind, locator: locator.into(), url: locator.into(), author: None, filters: None };
        self.ctx.store.change_roster(vec![source], self.clock.now()).await.unwrap();
        let sources = self.ctx.store.sources().await.unwrap();
        sources.into_iter().find(|source| source.kind == kind && source.locator == locator).unwrap().id
    }

    /// Registers a place once more, under another locator.
    pub(crate) async fn source_again(&self, name: &str, kind: SourceKind, locator: &str) {
        let slug = Slug::parse(&name.to_lowercase().replace(' ', "-")).unwrap();
        let source =
            RosterChange::Source { builder: slug, kind, locator: locator.into(), url: locator.into(), author: None, filters: None };
        self.ctx.store.change_roster(vec![source], self.clock.now()).await.unwrap();
    }

    /// A builder wants pushes recorded.
    pub(crate) async fn turn_on_pushes(&self, name: &str) {
        let slug = Slug::parse(&name.to_lowercase().replace(' ', "-")).unwrap();
        let mut builder = self.ctx.store.builder(&slug).await.unwrap().unwrap();
        builder.switches.pushes = true;
        self.ctx.store.change_roster(vec![RosterChange::Builder(Box::new(builder))], self.clock.now()).await.unwrap();
    }

    /// A member of that name.
    pub(crate) async fn builder(&self, name: &str) -> Slug {
        let slug = Slug::parse(&name.to_lowercase().replace(' ', "-"));
        let slug = slug.unwrap_or_else(|_| Slug::parse(&format!("member-{}", name.len())).unwrap());
        let builder: Builder = serde_json::from_value(serde_json::json!({
            "id": 0, "slug": slug, "name": name, "categories": [], "handles": {}, "switches": {},
        }))
        .unwrap();
        self.ctx.store.change_roster(vec![RosterChange::Builder(Box::new(builder))], self.clock.now()).await.unwrap();
        slug
    }

    /// Polls everything and settles what came.
    pub(crate) async fn poll(&self) -> PassReport {
        self.poll_these(Wanted::All).await
    }

    pub(crate) async fn poll_these(&self, wanted: Wanted) -> PassReport {
        let report = flow::pass(&self.ctx, &wanted, CancellationToken::new(), |_, _| {}).await.unwrap();
        flow::settle(&self.ctx).await.unwrap();
        report
    }

    /// Serves a body at a path, and polls everything that much later.
    pub(crate) async fn poll_after(&self, hours: i64, path: &str, body: impl Into<String>) -> PassReport {
        self.origin.serve(path, body);
        self.clock.advance(SignedDuration::from_hours(hours));
        self.poll().await
    }

    /// All activities, latest first.
    pub(crate) async fn activities(&self) -> Vec<Activity> {
        let rows = self.ctx.store.activities(LogFilter::default()).await.unwrap();
        rows.into_iter().map(|row| row.activity).collect()
    }

    /// Their titles, in order of the alphabet.
    pub(crate) async fn titles(&self) -> Vec<String> {
        let mut titles: Vec<String> = self.activities().await.into_iter().map(|activity| activity.title).collect();
        titles.sort();
        titles
    }

    /// The activity with that title.
    pub(crate) async fn activity(&self, title: &str) -> Activity {
        let all = self.activities().await;
        let titles: Vec<&str> = all.iter().map(|activity| activity.title.as_str()).collect();
        all.iter().find(|activity| activity.title == title).unwrap_or_else(|| panic!("{title} is not among {titles:?}")).clone()
    }

    /// How many works there are, counted now: the counters of the store may be a moment old.
    pub(crate) async fn works(&self) -> u64 {
        let rows = self.ctx.store.activities(LogFilter::default()).await.unwrap();
        rows.into_iter().map(|row| row.work).collect::<std::collections::BTreeSet<_>>().len() as u64
    }

    /// What the world's clock shows.
    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How many facts the log holds.
    pub(crate) async fn facts(&self) -> u64 {
        self.ctx.store.counters().await.unwrap().facts
    }

    pub(crate) async fn state(&self, source: SourceId) -> SourceState {
        self.ctx.store.source_states().await.unwrap().remove(&source).unwrap()
    }

    /// The draft of a week, made at that instant.
    pub(crate) async fn draft(&self, week: &str, at: &str) -> Digest {
        self.clock.set(at.parse::<Timestamp>().unwrap());
        flow::draft(&self.ctx, week.parse::<Week>().unwrap()).await.unwrap().digest
    }

    /// Approves and publishes the draft of a week.
    pub(crate) async fn publish(&self, week: &str) {
        let week = week.parse::<Week>().unwrap();
        flow::approve(&self.ctx, week, "tester", None).await.unwrap();
        self.clock.advance(SignedDuration::from_hours(1));
        flow::publish(&self.ctx, week, "tester").await.unwrap();
    }
}

/// A configuration with further lines, each put under its section.
fn merged(mut text: String, more: &str) -> String {
    let mut section = String::new();
    for line in more.lines() {
        if line.starts_with('[') {
            section = line.to_owned();
            if !text.contains(line) {
                text.push_str(&format!("{line}\n"));
            }
        } else if let Some(at) = text.find(&section) {
            let at = text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
            text.insert_str(at, &format!("{line}\n"));
        }
    }
    text
}

/// What became of the works with that title; empty where the draft does not speak of them.
pub(crate) fn outcomes(digest: &Digest, title: &str) -> Vec<OutcomeCode> {
    digest.outcomes.iter().filter(|outcome| outcome.title == title).map(|outcome| outcome.code).collect()
}

/// How many places works with that title have.
pub(crate) fn places(digest: &Digest, title: &str) -> usize {
    digest.picks().filter(|pick| pick.title == title).count()
}

/// An RSS feed of these items.
pub(crate) fn rss(items: &[String]) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel>\
         <title>A shed by the river</title><link>https://shed.example.org/</link><description>d</description>{}</channel></rss>",
        items.concat()
    )
}

/// An item of RSS: title, further elements.
pub(crate) fn item(title: &str, more: &str) -> String {
    format!("<item><title>{title}</title>{more}</item>")
}

/// An item with its own id, link and date.
pub(crate) fn post(slug: &str, title: &str, date: &str) -> String {
    let link = format!("https://shed.example.org/{slug}");
    item(title, &format!("<guid>{link}</guid><link>{link}</link><pubDate>{date}</pubDate>"))
}

/// So many words of prose that begin with this one, as an escaped description.
pub(crate) fn prose(first: &str, count: usize) -> String {
    let words = ["loam", "sieve", "kiln", "ash", "slip", "wedge", "cone", "draft", "flue", "shelf", "glaze"];
    let text: Vec<String> = (0..count).map(|n| format!("{}{}", words[n * 7 % words.len()], n / 5)).collect();
    format!("<description>&lt;p&gt;{first} {}.&lt;/p&gt;</description>", text.join(" "))
}
