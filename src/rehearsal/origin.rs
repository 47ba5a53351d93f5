//! Serves the invented program on loopback, over real HTTP/1.1, with faults on demand.
//!
//! In: a program and a clock that tells the simulated time. Out: the answers that real places would give at that time,
//! a ledger of who asked what, and the truth: what a client that asked must hold by now.
//! Validators, 304, Retry-After and redirects follow RFC 9110; what the platforms do beside, PLATFORMS.md.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::Config;
use crate::model::SourceKind;

use super::program::{HOSTS, Item, Oddity, Piece, Program};
use super::shape;

/// What goes wrong on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An empty answer with this status.
    Status(u16),
    /// 429, 503 or 403 with `Retry-After` in seconds.
    RetryAfter { status: u16, seconds: u64 },
    /// 301, 302, 307 or 308 to another address or path.
    Redirect { status: u16, to: String },
    /// The right answer, so much later, in real time.
    Delay(Duration),
    /// No answer at all, until the origin ends.
    Hang,
    /// The connection is closed without an answer.
    Drop,
    /// The right answer's head and this many bytes of its body, then the connection is closed.
    Truncate(usize),
    /// Another body with status 200 and no validators.
    Body { content_type: String, bytes: Vec<u8> },
    /// So many bytes of blanks, never held whole in memory.
    Oversize(u64),
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The simulated time.
    pub at: Timestamp,
    /// Real time since the origin was started.
    pub after: Duration,
    /// The address that was asked.
    pub host: SocketAddr,
    /// Path and query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// What was answered; `None` where nothing was.
    pub status: Option<u16>,
}

impl Arrival {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// One item that a client was given and must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// The members whom it counts for.
    pub builders: Vec<&'static str>,
    pub kind: SourceKind,
    /// The source's address as the roster gives it.
    pub source: String,
    /// The guid, the id of a video, or the platform's number.
    pub key: String,
    pub piece: Piece,
    /// Where people read it: of a copy its own address, not the original's.
    pub address: String,
    /// The address that the place itself calls canonical, where it is another.
    pub canonical: Option<String>,
    /// The title as it was last given out.
    pub title: String,
    /// `None` where the place does not tell.
    pub published: Option<Timestamp>,
    /// Items of one number are one work.
    pub work: usize,
}

/// A running origin. It ends when it is dropped, or in order by [`Origin::stop`].
pub struct Origin {
    shared: Arc<Shared>,
    bases: Vec<String>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

struct Shared {
    program: Arc<Program>,
    clock: Arc<dyn Clock>,
    started: Instant,
    stop: CancellationToken,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Faults by the beginning of a path, and for how many requests more; the longest beginning wins.
    faults: BTreeMap<String, (Fault, Option<u32>)>,
    arrivals: Vec<Arrival>,
    /// The numbers of items that were given out, with the title last given.
    given: BTreeMap<u64, String>,
    /// Places that were busy once already.
    was_busy: HashSet<usize>,
}

impl Origin {
    /// Listens on 127.0.0.1 to 127.0.0.8, as far as the system has these addresses, on one port: the given one, or a free
    /// one. Errs where the port is taken.
    pub async fn start(program: Arc<Program>, clock: Arc<dyn Clock>, port: Option<u16>) -> io::Result<Self> {
        let listeners = listen(port).await?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared { program, clock, started: Instant::now(), stop: stop.clone(), state: Mutex::default() });
        let tasks = TaskTracker::new();
        let mut bases = Vec::new();
        for listener in listeners {
            let host = listener.local_addr()?;
            bases.push(format!("http://{host}"));
            tasks.spawn(accept(Arc::clone(&shared), listener, host, tasks.clone()));
        }
        tasks.close();
        Ok(Self { shared, bases, stop, tasks })
    }

    /// The addresses that it listens on, such as `http://127.0.0.1:8400`; the first one serves everything too.
    pub fn bases(&self) -> &[String] {
        &self.bases
    }

    /// The program that is served.
    pub fn program(&self) -> &Program {
        &self.shared.program
    }

    /// The roster whose sources lie here, in CSV.
    pub fn roster_csv(&self) -> String {
        self.shared.program.roster_csv(&self.bases)
    }

    /// Sets what a configuration needs so that this origin is polled.
    pub fn configure(&self, config: &mut Config) {
        self.shared.program.configure(config, &self.bases);
    }

    /// From now on every request whose path and query begin so meets this fault.
    pub fn fault(&self, path: &str, fault: Fault) {
        self.shared.state().faults.insert(path.to_owned(), (fault, None));
    }

    /// The next so many requests whose path and query begin so meet this fault.
    pub fn fault_times(&self, path: &str, fault: Fault, times: u32) {
        self.shared.state().faults.insert(path.to_owned(), (fault, Some(times)));
    }

    /// Nothing goes wrong on purpose any more, but for the oddities of the program itself.
    pub fn clear_faults(&self) {
        self.shared.state().faults.clear();
    }

    /// Every request so far, in order of arrival.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.shared.state().arrivals.clone()
    }

    /// Forgets the requests so far, not what was given out.
    pub fn clear_arrivals(&self) {
        self.shared.state().arrivals.clear();
    }

    /// What was given out whole so far and is something to record, by source and time of publication.
    pub fn truth(&self) -> Vec<Truth> {
        let program = &self.shared.program;
        let state = self.shared.state();
        let mut truth: Vec<Truth> = program
            .items
            .iter()
            .filter(|item| item.counts())
            .filter_map(|item| {
                let title = state.given.get(&item.number)?.clone();
                let place = &program.places[item.place];
                let owners = place.owners.iter().filter(|(owner, author)| author.is_none() || *owner == item.author);
                Some(Truth {
                    builders: owners.map(|(owner, _)| program.members[*owner].slug).collect(),
                    kind: place.kind,
                    source: program.address_of(item.place, &self.bases),
                    key: item.key.clone(),
                    piece: item.piece.clone(),
                    address: item.address.clone(),
                    canonical: item.canonical.clone(),
                    title,
                    published: item.is_dated.then_some(item.published),
                    work: item.work,
                })
            })
            .collect();
        truth.sort_by(|a, b| a.source.cmp(&b.source));
        truth
    }

    /// Ends in order: no new connections, and the answers under way are given.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault that a path meets now; one with a number of times is used up by asking.
    fn fault_of(&self, path: &str) -> Option<Fault> {
        let mut state = self.state();
        // Of beginnings of one text the longest is the last in order.
        let (start, (fault, times)) = state.faults.iter_mut().rev().find(|(start, _)| path.starts_with(start.as_str()))?;
        let fault = fault.clone();
        if let Some(times) = times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                let start = start.clone();
                state.faults.remove(&start);
            }
        }
        Some(fault)
    }
}

/// Binds one port on as many of the addresses as there are; a free one is looked for a few times, since it has to be
/// free on all of them.
async fn listen(port: Option<u16>) -> io::Result<Vec<TcpListener>> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match bind_all(port.unwrap_or(0)).await {
            Err(error) if port.is_none() && error.kind() == io::ErrorKind::AddrInUse && attempts < 20 => {}
            result => return result,
        }
    }
}

async fn bind_all(port: u16) -> io::Result<Vec<TcpListener>> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = first.local_addr()?.port();
    let mut listeners = vec![first];
    for host in 2..=HOSTS {
        let address = Ipv4Addr::new(127, 0, 0, u8::try_from(host).unwrap_or(1));
        match TcpListener::bind((address, port)).await {
            Ok(listener) => listeners.push(listener),
            // macOS and BSD have only 127.0.0.1 until told otherwise.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => break,
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, host: SocketAddr, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        // A connection that was given up before it was accepted is no reason to end.
        let Ok((stream, _)) = accepted else { continue };
        let shared = Arc::clone(&shared);
        tasks.spawn(async move {
            let service = service_fn(|request| {
                let shared = Arc::clone(&shared);
                async move { answer(&shared, &request, host).await }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => {}
                () = shared.stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
        });
    }
}

/// Closes the connection: the only error of the service.
#[derive(Debug, thiserror::Error)]
#[error("dropped on purpose")]
struct Dropped;

async fn answer(shared: &Shared, request: &Request<Incoming>, host: SocketAddr) -> Result<Response<Body>, Dropped> {
    let now = shared.clock.now();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let arrival = Arrival { at: now, after: shared.started.elapsed(), host, path: path.clone(), headers, status: None };
    let place_in_ledger = {
        let mut state = shared.state();
        state.arrivals.push(arrival.clone());
        state.arrivals.len() - 1
    };
    let result = respond(shared, &arrival, now).await;
    if let Ok(response) = &result
        && let Some(entry) = shared.state().arrivals.get_mut(place_in_ledger)
    {
        entry.status = Some(response.status().as_u16());
    }
    result
}

async fn respond(shared: &Shared, arrival: &Arrival, now: Timestamp) -> Result<Response<Body>, Dropped> {
    match shared.fault_of(&arrival.path) {
        None => {}
        Some(Fault::Delay(time)) => pause(shared, time).await,
        Some(Fault::Hang) => {
            shared.stop.cancelled().await;
            return Err(Dropped);
        }
        Some(Fault::Drop) => return Err(Dropped),
        Some(Fault::Truncate(bytes)) => {
            let reply = Reply::find(shared, arrival, now).await;
            return Ok(reply.into_response(arrival, now, Some(bytes)));
        }
        Some(Fault::Status(status)) => return Ok(Reply::of(status).into_response(arrival, now, None)),
        Some(Fault::RetryAfter { status, seconds }) => {
            return Ok(Reply::of(status).with("retry-after", &seconds.to_string()).into_response(arrival, now, None));
        }
        Some(Fault::Redirect { status, to }) => {
            return Ok(Reply::of(status).with("location", &to).into_response(arrival, now, None));
        }
        Some(Fault::Body { content_type, bytes }) => {
            let reply = Reply { bytes, ..Reply::of(200) }.with("content-type", &content_type);
            return Ok(reply.into_response(arrival, now, None));
        }
        Some(Fault::Oversize(bytes)) => {
            let mut response = Response::new(Body::new(Blanks { left: bytes }));
            response.headers_mut().insert("content-type", HeaderValue::from_static("application/xml"));
            return Ok(response);
        }
    }
    let reply = Reply::find(shared, arrival, now).await;
    if reply.status == 200 {
        let mut state = shared.state();
        state.given.extend(reply.given.iter().map(|(number, title)| (*number, title.clone())));
    }
    Ok(reply.into_response(arrival, now, None))
}

/// Waits in real time, but never longer than the origin lives.
async fn pause(shared: &Shared, time: Duration) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = shared.stop.cancelled() => {}
    }
}

/// An answer before it is put into HTTP.
struct Reply {
    status: u16,
    headers: Vec<(HeaderName, String)>,
    bytes: Vec<u8>,
    /// Whether the place gives an ETag.
    has_etag: bool,
    modified: Option<Timestamp>,
    /// The items in it, with their titles.
    given: Vec<(u64, String)>,
}

impl Reply {
    fn of(status: u16) -> Self {
        Self { status, headers: Vec::new(), bytes: Vec::new(), has_etag: false, modified: None, given: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((HeaderName::from_static(name), value.to_owned()));
        self
    }

    fn json(status: u16, text: String) -> Self {
        Self { bytes: text.into_bytes(), ..Self::of(status) }.with("content-type", "application/json; charset=utf-8")
    }

    /// What the place under this path answers at this time.
    async fn find(shared: &Shared, arrival: &Arrival, now: Timestamp) -> Self {
        let (path, query) = arrival.path.split_once('?').unwrap_or((&arrival.path, ""));
        let program = &shared.program;
        if let Some(rest) = path.strip_prefix("/github/") {
            return github(program, arrival, rest, now);
        }
        let parameter = |wanted: &str| {
            url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
        };
        if path == "/youtube/feeds/videos.xml" {
            // The real feed has no validators (PLATFORMS.md section 1).
            return match find_place(program, SourceKind::YoutubeChannel, &parameter("channel_id").unwrap_or_default()) {
                Some(place) => Self {
                    bytes: shape::youtube(program, place, now).into_bytes(),
                    given: given(program, place, now, |_| true),
                    ..Self::of(200)
                }
                .with("content-type", "text/xml; charset=UTF-8")
                .with("cache-control", "public, max-age=900"),
                None => Self::of(404),
            };
        }
        if path == "/devto/api/articles" {
            let place = find_place(program, SourceKind::Devto, &parameter("username").unwrap_or_default());
            let page = parameter("page").and_then(|page| page.parse().ok()).unwrap_or(1);
            let text = shape::devto(program, place, now, page);
            let given = place.map(|place| given(program, place, now, |_| true)).unwrap_or_default();
            return Self { has_etag: true, given, ..Self::json(200, text) };
        }
        match path.strip_prefix("/feed/").and_then(|rest| rest.split_once('/')) {
            Some((key, file)) => feed(shared, key, file, now).await,
            None => Self::of(404),
        }
    }

    /// Evaluates conditions, compresses where the client takes it, and sets the headers.
    fn into_response(self, arrival: &Arrival, now: Timestamp, truncate: Option<usize>) -> Response<Body> {
        let accepts_zstd =
            arrival.header("accept-encoding").is_some_and(|accepted| accepted.split(',').any(|coding| coding.trim() == "zstd"));
        let compressed = if accepts_zstd && self.bytes.len() > 512 { zstd::encode_all(self.bytes.as_slice(), 3).ok() } else { None };
        let etag = self.has_etag.then(|| etag_of(&self.bytes));
        let mut headers = self.headers;
        let mut add = |name: &'static str, value: String| headers.push((HeaderName::from_static(name), value));
        add("date", shape::http_date(now));
        if let Some(etag) = &etag {
            // One weak validator for both codings: it vouches for the content, not for the bytes (RFC 9110 section 8.8.3.3).
            add("etag", etag.clone());
        }
        if let Some(modified) = self.modified {
            add("last-modified", shape::http_date(modified));
        }
        let is_unchanged = self.status == 200 && is_unchanged(arrival, etag.as_deref(), self.modified);
        let (status, bytes) = match (is_unchanged, compressed) {
            (true, _) => (304, Vec::new()),
            (false, Some(compressed)) => {
                add("content-encoding", "zstd".into());
                (self.status, compressed)
            }
            (false, None) => (self.status, self.bytes),
        };
        if self.status == 200 {
            add("vary", "Accept-Encoding".into());
        }
        let length = bytes.len();
        let body = match truncate {
            Some(most) if most < length => {
                add("content-length", length.to_string());
                Body::new(Cut { left: Some(Bytes::from(bytes).slice(..most)), is_sent: false })
            }
            _ => Body::from(bytes),
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// RFC 9110 section 13.2.2: If-None-Match decides where it is sent, else If-Modified-Since does.
fn is_unchanged(arrival: &Arrival, etag: Option<&str>, modified: Option<Timestamp>) -> bool {
    if let (Some(wanted), Some(etag)) = (arrival.header("if-none-match"), etag) {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        return wanted.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag));
    }
    match (arrival.header("if-modified-since"), modified) {
        (Some(since), Some(modified)) => since == shape::http_date(modified),
        _ => false,
    }
}

fn etag_of(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let short = hash.iter().take(8).fold(0_u64, |short, byte| (short << 8) | u64::from(*byte));
    format!("W/\"{short:016x}\"")
}

fn find_place(program: &Program, kind: SourceKind, key: &str) -> Option<usize> {
    program.places.iter().position(|place| place.kind == kind && place.key.eq_ignore_ascii_case(key))
}

fn given(program: &Program, place: usize, now: Timestamp, is_in: impl Fn(&Item) -> bool) -> Vec<(u64, String)> {
    let shown = program.shown(place, now).into_iter().filter(|item| is_in(item));
    shown.map(|item| (item.number, item.title_at(now).to_owned())).collect()
}

async fn feed(shared: &Shared, key: &str, file: &str, now: Timestamp) -> Reply {
    let program = &shared.program;
    let Some(place) = find_place(program, SourceKind::Rss, key) else { return Reply::of(404) };
    let spot = &program.places[place];
    let own_file = spot.path.rsplit('/').next().unwrap_or_default();
    let moved_file = format!("new-{own_file}");
    match spot.oddity {
        Some(Oddity::Missing) => return Reply::of(404),
        Some(Oddity::BusyOnce) if shared.state().was_busy.insert(place) => return Reply::of(429).with("retry-after", "120"),
        Some(Oddity::Slow) => pause(shared, Duration::from_millis(150)).await,
        Some(Oddity::Moved) if file == own_file => {
            return Reply::of(301).with("location", &format!("/feed/{key}/{moved_file}"));
        }
        _ => {}
    }
    if file != own_file && !(spot.oddity == Some(Oddity::Moved) && file == moved_file) {
        return Reply::of(404);
    }
    let (content_type, text) = shape::feed(program, place, now);
    Reply {
        bytes: text.into_bytes(),
        has_etag: true,
        modified: Some(shape::changed_at(program, place, now)),
        given: given(program, place, now, |_| true),
        ..Reply::of(200)
    }
    .with("content-type", content_type)
}

/// What `api.github.com` answers: events of users, pull requests, repositories and their releases.
fn github(program: &Program, arrival: &Arrival, path: &str, now: Timestamp) -> Reply {
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let found = match parts[..] {
        ["users", login, "events", "public"] | ["users", login, "events"] => {
            find_place(program, SourceKind::GithubUser, login).map(|place| {
                let oldest = now.saturating_sub(jiff::SignedDuration::from_hours(30 * 24)).unwrap_or(now);
                // A short payload says nothing of a pull request: it is given with its own answer.
                let is_whole = |item: &Item| {
                    item.published >= oldest && !(matches!(item.piece, Piece::Contribution { .. }) && item.author.is_multiple_of(2))
                };
                Reply { given: given(program, place, now, is_whole), ..Reply::json(200, shape::github_events(program, place, now)) }
            })
        }
        ["repos", owner, name, "pulls", number] => program.items.iter().find_map(|item| match &item.piece {
            Piece::Contribution { repository, number: own }
                if item.is_visible(now) && *repository == format!("{owner}/{name}") && own.to_string() == number =>
            {
                let text = shape::pull_value(program, item, now).to_string();
                Some(Reply { given: vec![(item.number, item.title_at(now).to_owned())], ..Reply::json(200, text) })
            }
            _ => None,
        }),
        ["repos", owner, name, "releases"] => Some(Reply::json(200, shape::releases(program, &format!("{owner}/{name}"), now))),
        ["repos", owner, name] => {
            let repository = format!("{owner}/{name}");
            let is_known = |item: &&Item| item.is_visible(now) && shape::repository_of(item) == repository;
            program.items.iter().find(is_known).map(|item| {
                let birth = Some(item).filter(|item| matches!(item.piece, Piece::Repository { .. }));
                Reply::json(200, shape::repository_value(&repository, birth, now).to_string())
            })
        }
        ["users", login] => find_place(program, SourceKind::GithubUser, login).map(|place| {
            let id = 91_000_000 + program.places[place].owners.first().map_or(0, |(owner, _)| *owner);
            let text = serde_json::json!({ "login": login, "id": id, "type": "User", "name": program.places[place].title });
            Reply::json(200, text.to_string())
        }),
        _ => None,
    };
    let reply = found.unwrap_or_else(|| Reply::json(404, r#"{"message":"Not Found","status":"404"}"#.to_owned()));
    let limit = if arrival.header("authorization").is_some() { 5_000 } else { 60 };
    let (limit, left) = (limit.to_string(), (limit - 1).to_string());
    let reset = (now.as_second() + 3_600).to_string();
    Reply { has_etag: reply.status == 200, ..reply }
        .with("x-poll-interval", "60")
        .with("cache-control", "public, max-age=60, s-maxage=60")
        .with("x-ratelimit-limit", &limit)
        .with("x-ratelimit-remaining", &left)
        .with("x-ratelimit-reset", &reset)
        .with("x-ratelimit-resource", "core")
}

/// The beginning of a body, then an error: hyper closes the connection in the middle.
struct Cut {
    left: Option<Bytes>,
    is_sent: bool,
}

impl hyper::body::Body for Cut {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        match self.left.take() {
            Some(bytes) if !bytes.is_empty() => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            // An error throws away what is still in hyper's buffer: a pause lets it be written first.
            _ if !self.is_sent => {
                self.is_sent = true;
                ctx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(Some(Err(Dropped))),
        }
    }
}

/// So many blanks, a piece at a time.
struct Blanks {
    left: u64,
}

impl hyper::body::Body for Blanks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static PIECE: [u8; 8_192] = [b' '; 8_192];
        let size = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE.len());
        if size == 0 {
            return Poll::Ready(None);
        }
        self.left -= size as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&PIECE[..size])))))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::clock::ManualClock;

    struct Answer {
        status: u16,
        head: String,
        body: Vec<u8>,
    }

    impl Answer {
        fn header(&self, name: &str) -> Option<String> {
            self.head.lines().find_map(|line| {
                let (header, value) = line.split_once(": ")?;
                header.eq_ignore_ascii_case(name).then(|| value.to_owned())
            })
        }
    }

    async fn start() -> (Origin, Arc<ManualClock>) {
        let program = Arc::new(Program::new(1, "2026-W47".parse().unwrap()));
        let clock = Arc::new(ManualClock::at(program.cut_off_at()));
        let told: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        (Origin::start(program, told, None).await.unwrap(), clock)
    }

    async fn get(origin: &Origin, path: &str, headers: &str) -> Answer {
        let host = origin.bases()[0].trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        let end = bytes.windows(4).position(|run| run == b"\r\n\r\n").unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head, body: bytes[(end + 4).min(bytes.len())..].to_vec() }
    }

    fn path_of(origin: &Origin, fits: impl Fn(&super::super::program::Place) -> bool) -> String {
        origin.program().places.iter().find(|place| fits(place)).unwrap().path.clone()
    }

    #[tokio::test]
    async fn an_unchanged_feed_answers_304_until_something_is_published() {
        let (origin, clock) = start().await;
        let path = path_of(&origin, |place| place.kind == SourceKind::Rss && place.oddity.is_none());
        let first = get(&origin, &path, "").await;
        assert_eq!(first.status, 200);
        let (etag, modified) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
        for condition in [format!("if-none-match: {etag}\r\n"), format!("if-modified-since: {modified}\r\n")] {
            let again = get(&origin, &path, &condition).await;
            assert_eq!((again.status, again.body.len()), (304, 0), "{condition}");
            assert_eq!(again.header("etag").as_deref(), Some(etag.as_str()));
        }
        clock.advance(jiff::SignedDuration::from_hours(24 * 14));
        assert_eq!(get(&origin, &path, &format!("if-none-match: {etag}\r\n")).await.status, 200);
        assert_eq!(first.header("date").unwrap(), "Mon, 23 Nov 2026 06:00:00 GMT");
    }

    #[tokio::test]
    async fn compressed_answers_hold_the_same_bytes() {
        let (origin, _) = start().await;
        let path = path_of(&origin, |place| place.kind == SourceKind::Rss && place.oddity.is_none());
        let plain = get(&origin, &path, "").await;
        let small = get(&origin, &path, "accept-encoding: gzip, zstd\r\n").await;
        assert_eq!(small.header("content-encoding").as_deref(), Some("zstd"));
        assert_eq!(zstd::decode_all(small.body.as_slice()).unwrap(), plain.body);
    }

    #[tokio::test]
    async fn the_platforms_answer_in_their_ways() {
        let (origin, _) = start().await;
        let key = |kind| origin.program().places.iter().find(|place| place.kind == kind).unwrap().key.clone();
        let events = get(&origin, &format!("/github/users/{}/events/public?per_page=100", key(SourceKind::GithubUser)), "").await;
        assert_eq!((events.status, events.header("x-poll-interval").as_deref()), (200, Some("60")));
        let videos = get(&origin, &format!("/youtube/feeds/videos.xml?channel_id={}", key(SourceKind::YoutubeChannel)), "").await;
        assert_eq!((videos.status, videos.header("etag")), (200, None));
        assert_eq!(get(&origin, &format!("/devto/api/articles?username={}&page=1", key(SourceKind::Devto)), "").await.status, 200);
        assert_eq!(get(&origin, "/devto/api/articles?username=nobody&page=1", "").await.body, b"[]");
        assert_eq!(get(&origin, "/github/users/nobody/events/public", "").await.status, 404);
        assert_eq!(get(&origin, "/anything", "").await.status, 404);
        let pull = origin.program().items.iter().find(|item| matches!(item.piece, Piece::Contribution { .. })).unwrap();
        let Piece::Contribution { repository, number } = &pull.piece else { return };
        assert_eq!(get(&origin, &format!("/github/repos/{repository}/pulls/{number}"), "").await.status, 200);
    }

    #[tokio::test]
    async fn the_odd_places_are_odd() {
        let (origin, _) = start().await;
        let odd = |oddity| path_of(&origin, |place| place.oddity == Some(oddity));
        assert_eq!(get(&origin, &odd(Oddity::Missing), "").await.status, 404);
        let busy = get(&origin, &odd(Oddity::BusyOnce), "").await;
        assert_eq!((busy.status, busy.header("retry-after").as_deref()), (429, Some("120")));
        assert_eq!(get(&origin, &odd(Oddity::BusyOnce), "").await.status, 200);
        let moved = get(&origin, &odd(Oddity::Moved), "").await;
        assert_eq!(moved.status, 301);
        assert_eq!(get(&origin, &moved.header("location").unwrap(), "").await.status, 200);
    }

    #[tokio::test]
    async fn faults_come_on_demand_and_go() {
        let (origin, _) = start().await;
        let path = path_of(&origin, |place| place.kind == SourceKind::Rss && place.oddity.is_none());
        origin.fault("/feed/", Fault::Status(500));
        origin.fault_times(&path, Fault::RetryAfter { status: 503, seconds: 7 }, 1);
        let busy = get(&origin, &path, "").await;
        assert_eq!((busy.status, busy.header("retry-after").as_deref()), (503, Some("7")));
        assert_eq!(get(&origin, &path, "").await.status, 500);
        origin.clear_faults();
        assert!(origin.truth().is_empty(), "nothing was given out yet");

        origin.fault(&path, Fault::Truncate(100));
        let cut = get(&origin, &path, "").await;
        assert_eq!((cut.status, cut.body.len()), (200, 100));
        assert!(cut.header("content-length").unwrap().parse::<usize>().unwrap() > 100);
        origin.fault(&path, Fault::Drop);
        assert_eq!(get(&origin, &path, "").await.status, 0);
        origin.fault(&path, Fault::Oversize(100_000));
        assert!(get(&origin, &path, "").await.body.len() >= 100_000);
        origin.fault(&path, Fault::Redirect { status: 302, to: "/feed/x".into() });
        assert_eq!(get(&origin, &path, "").await.status, 302);
        origin.fault(&path, Fault::Body { content_type: "text/html".into(), bytes: b"<p>".to_vec() });
        assert_eq!(get(&origin, &path, "").await.body, b"<p>");
        assert!(origin.truth().is_empty(), "a fault gives nothing out");
        let statuses: Vec<Option<u16>> = origin.arrivals().iter().map(|arrival| arrival.status).collect();
        assert_eq!(statuses, [Some(503), Some(500), Some(200), None, Some(200), Some(302), Some(200)]);
    }

    #[tokio::test]
    async fn the_truth_is_what_was_given_out() {
        let (origin, clock) = start().await;
        let program = origin.program();
        let gone = program.items.iter().find(|item| item.gone.is_some()).unwrap();
        let place = gone.place;
        let path = program.places[place].path.clone();
        get(&origin, &path, "").await;
        let before = origin.truth();
        assert_eq!(before.len(), program.shown(place, clock.now()).len());
        assert!(before.iter().all(|truth| truth.source.ends_with(&path)));
        clock.advance(jiff::SignedDuration::from_hours(24 * 3));
        get(&origin, &path, "").await;
        assert!(!program.shown(place, clock.now()).iter().any(|item| item.number == gone.number));
        assert!(origin.truth().iter().any(|truth| truth.address == gone.address), "what was taken down is still true");
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error_and_stopping_frees_it() {
        let (origin, clock) = start().await;
        let port = origin.bases()[0].rsplit(':').next().unwrap().parse().unwrap();
        let program = Arc::clone(&origin.shared.program);
        let told: Arc<dyn Clock> = clock;
        let second = Origin::start(Arc::clone(&program), Arc::clone(&told), Some(port)).await;
        assert_eq!(second.err().map(|error| error.kind()), Some(io::ErrorKind::AddrInUse));
        origin.fault("/", Fault::Hang);
        origin.stop().await;
        assert!(Origin::start(program, told, Some(port)).await.is_ok());
    }
}
