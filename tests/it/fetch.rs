//! The fetcher against servers on loopback that behave as badly as told.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clarion::clock::{Clock, ManualClock};
use clarion::config::{AddressRange, Bytes, Config, NetworkConfig, Period};
use clarion::fetch::{Fetch, FetchError, FetchOutcome, Fetcher, GithubAccess};
use clarion::model::{Auth, Request, Validators};
use clarion::net::{Client, LookUp, NetError, Resolver, SystemResolver, TrustStore};
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const FEED: &str = "<rss version=\"2.0\"><channel><title>A feed</title></channel></rss>";

// ---- A server that does as told -------------------------------------------------------------------------------------

/// What the server does with one request.
enum Reply {
    /// These bytes, as they are; the connection stays open.
    Bytes(Vec<u8>),
    /// These bytes, then the end.
    Close(Vec<u8>),
    /// These bytes, then one more every so often, for ever.
    Drip(Vec<u8>, Duration),
    /// These bytes, then more of the same for ever.
    Flood(Vec<u8>, Vec<u8>),
}

/// One request that arrived: its head in lower case names, and when it came and was answered.
#[derive(Debug, Clone)]
struct Arrival {
    head: String,
    came: Instant,
    done: Instant,
}

impl Arrival {
    fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

#[derive(Clone)]
struct Origin {
    address: SocketAddr,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    connections: Arc<AtomicUsize>,
}

impl Origin {
    async fn start(ip: &str, handler: impl Fn(&Arrival) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at(SocketAddr::new(ip.parse().unwrap(), 0), Duration::ZERO, handler).await
    }

    async fn start_at(address: SocketAddr, latency: Duration, handler: impl Fn(&Arrival) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let origin = Self { address: listener.local_addr().unwrap(), arrivals: Arc::default(), connections: Arc::default() };
        let handler = Arc::new(handler);
        let shared = origin.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (arrivals, handler) = (shared.arrivals.clone(), handler.clone());
                tokio::spawn(async move { serve(stream, latency, &arrivals, &*handler).await });
            }
        });
        origin
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve<S>(mut stream: S, latency: Duration, arrivals: &Mutex<Vec<Arrival>>, handler: &(dyn Fn(&Arrival) -> Reply + Send + Sync))
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        let now = Instant::now();
        let mut arrival = Arrival { head: String::from_utf8(buffer.drain(..end).collect()).unwrap(), came: now, done: now };
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let reply = handler(&arrival);
        arrival.done = Instant::now();
        arrivals.lock().unwrap().push(arrival);
        let sent = match reply {
            Reply::Bytes(bytes) => stream.write_all(&bytes).await,
            Reply::Close(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Reply::Drip(bytes, pause) => {
                let mut sent = stream.write_all(&bytes).await;
                while sent.is_ok() {
                    tokio::time::sleep(pause).await;
                    sent = stream.write_all(b" ").await;
                }
                sent
            }
            Reply::Flood(bytes, more) => {
                let mut sent = stream.write_all(&bytes).await;
                while sent.is_ok() {
                    sent = stream.write_all(&more).await;
                }
                sent
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

fn answer(status: u16, headers: &str, body: &[u8]) -> Reply {
    let mut bytes = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    Reply::Bytes(bytes)
}

/// A listener that no one may reach.
async fn tripwire(address: &str) -> Origin {
    Origin::start_at(address.parse().unwrap(), Duration::ZERO, |_| answer(200, "", b"SECRET")).await
}

// ---- A fetcher for tests --------------------------------------------------------------------------------------------

struct World {
    fetcher: Fetcher,
    clock: Arc<ManualClock>,
}

#[derive(Default)]
struct Names(HashMap<String, Vec<Vec<IpAddr>>>, HashMap<IpAddr, IpAddr>, AtomicUsize);

impl Resolver for Names {
    fn look_up<'a>(&'a self, name: &'a str) -> LookUp<'a> {
        let turn = self.2.fetch_add(1, Ordering::SeqCst);
        let found = self.0.get(name).map(|answers| answers[turn % answers.len()].clone());
        Box::pin(async move { found.ok_or_else(|| std::io::Error::other("no such name")) })
    }

    fn reach(&self, checked: IpAddr) -> IpAddr {
        self.1.get(&checked).copied().unwrap_or(checked)
    }
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn network(allow: &[&str]) -> NetworkConfig {
    NetworkConfig {
        allow: allow.iter().map(|range| range.parse::<AddressRange>().unwrap()).collect(),
        min_gap: Period::seconds(0),
        timeout: Period::seconds(10),
        ..NetworkConfig::default()
    }
}

fn world_with(network: &NetworkConfig, resolver: impl Resolver + 'static, api: Option<&Origin>) -> World {
    let clock = Arc::new(ManualClock::at("2026-03-09T12:00:00Z".parse().unwrap()));
    let shared: Arc<dyn Clock> = clock.clone();
    let api_url = match api {
        Some(origin) => origin.url("").parse().unwrap(),
        None => Config::default().github.api_url,
    };
    let github = GithubAccess { api_url, token: Some("MARKTOKEN".into()) };
    let client = Client::with(network, resolver, trust()).unwrap();
    World { fetcher: Fetcher::with_client(client, network, github, shared), clock }
}

fn world() -> World {
    world_with(&network(&["127.0.0.0/8"]), SystemResolver, None)
}

fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls")
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(folder().join(name)).unwrap()
}

fn trust() -> TrustStore {
    TrustStore::of_certificates("the root of the tests", [certificate("ca.pem")])
}

impl World {
    async fn get(&self, url: impl Into<String>) -> Fetch {
        self.fetcher.fetch(&Request::get(url)).await
    }
}

fn error_of(fetch: &Fetch) -> &FetchError {
    match &fetch.outcome {
        FetchOutcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

fn is_refused(fetch: &Fetch) -> bool {
    matches!(&fetch.outcome, FetchOutcome::Failed(FetchError::Net(NetError::Refused { .. })))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

// ---- Validators and plain answers -----------------------------------------------------------------------------------

#[tokio::test]
async fn validators_go_out_as_they_came_in() {
    let origin = Origin::start("127.0.0.1", |arrival| match arrival.header("if-none-match") {
        None => answer(
            200,
            "ETag: W/\"q 1\"\r\nLast-Modified: Mon, 02 Mar 2026 08:00:00 GMT\r\nCache-Control: max-age=300\r\n",
            FEED.as_bytes(),
        ),
        // S-004: an empty 304 that claims to be gzip.
        Some(_) => Reply::Bytes(
            b"HTTP/1.1 304 Not Modified\r\nContent-Encoding: gzip\r\nLast-Modified: later\r\nX-Poll-Interval: 60\r\n\r\n".to_vec(),
        ),
    })
    .await;
    let world = world();
    let mut request = Request::get(origin.url("/feed#top"));
    let FetchOutcome::Fetched(document) = world.fetcher.fetch(&request).await.outcome else { panic!() };
    assert_eq!((document.bytes, document.freshness.max_age_s, document.moved_to), (FEED.into(), Some(300), None));
    assert_eq!((document.final_url, document.received_at), (origin.url("/feed"), world.clock.now()));

    request.validators = document.validators;
    let fetch = world.fetcher.fetch(&request).await;
    let FetchOutcome::NotModified { validators, freshness, .. } = &fetch.outcome else { panic!("{fetch:?}") };
    assert_eq!(*validators, Validators { etag: Some("W/\"q 1\"".into()), last_modified: Some("later".into()), given_by: None });
    assert_eq!((freshness.poll_interval_s, fetch.status, fetch.bytes), (Some(60), Some(304), 0));

    let arrivals = origin.arrivals();
    assert_eq!(arrivals[1].header("if-none-match"), Some("W/\"q 1\""));
    assert_eq!(arrivals[1].header("if-modified-since"), Some("Mon, 02 Mar 2026 08:00:00 GMT"));
    assert!(arrivals[0].header("accept").unwrap().starts_with("application/atom+xml"));
    assert!(arrivals[0].header("user-agent").unwrap().starts_with("clarion/"));
    assert!(arrivals.iter().all(|arrival| arrival.header("cookie").is_none() && arrival.header("referer").is_none()));
    assert_eq!(origin.connections(), 1, "the connection is used again");
}

/// A target that changes answers for another document: believing its 304 would hide what it holds.
#[tokio::test]
async fn validators_are_shown_to_the_address_alone_that_gave_them() {
    let turn = Arc::new(AtomicUsize::new(0));
    let turns = Arc::clone(&turn);
    let origin = Origin::start("127.0.0.1", move |arrival| match arrival.path() {
        "/feed" => {
            let target = if turns.load(Ordering::SeqCst) < 2 { "/first" } else { "/second" };
            answer(302, &format!("Location: {target}\r\n"), b"")
        }
        _ if arrival.header("if-modified-since").is_some() || arrival.header("if-none-match").is_some() => answer(304, "", b""),
        path => answer(200, &format!("ETag: \"{path}\"\r\nLast-Modified: Mon, 02 Mar 2026 08:00:00 GMT\r\n"), FEED.as_bytes()),
    })
    .await;
    let world = world();
    let mut request = Request::get(origin.url("/feed"));
    let FetchOutcome::Fetched(document) = world.fetcher.fetch(&request).await.outcome else { panic!() };
    request.validators = document.validators;
    turn.store(1, Ordering::SeqCst);
    assert!(matches!(world.fetcher.fetch(&request).await.outcome, FetchOutcome::NotModified { .. }), "the same target is asked so");
    turn.store(2, Ordering::SeqCst);
    let FetchOutcome::Fetched(document) = world.fetcher.fetch(&request).await.outcome else { panic!("the other one is not") };
    assert_eq!(document.validators.etag.as_deref(), Some("\"/second\""));
    let asked: Vec<_> = origin
        .arrivals()
        .iter()
        .filter(|arrival| arrival.path() == "/feed")
        .map(|arrival| arrival.header("if-none-match").is_some())
        .collect();
    assert_eq!(asked, [false; 3], "what redirects never gave any");
}

#[tokio::test]
async fn every_status_has_its_outcome() {
    let origin = Origin::start("127.0.0.1", |arrival| match arrival.path() {
        "/challenge" => answer(403, "cf-mitigated: challenge\r\ncontent-type: text/html\r\n", b"<html>"),
        "/wait-403" => answer(403, "retry-after: 120\r\n", b"no"),
        "/wait-500" => answer(500, "retry-after: 120\r\n", b"no"),
        "/busy-challenge" => answer(429, "cf-mitigated: challenge\r\n", b"<html>"),
        path => answer(path[1..].parse().unwrap(), "", b"no"),
    })
    .await;
    let world = world();
    for (path, outcome) in [
        ("/410", "Gone"),
        ("/401", "Blocked { challenge: false"),
        ("/403", "Blocked { challenge: false"),
        ("/challenge", "Blocked { challenge: true"),
        ("/busy-challenge", "Blocked { challenge: true"),
        ("/404", "Failed(Status"),
        ("/500", "Failed(Status"),
        ("/206", "Failed(Status"),
        ("/304", "Failed(UnaskedNotModified"),
        ("/429", "Deferred { until: None"),
        ("/503", "Deferred { until: None"),
        ("/302", "Failed(BadRedirect"),
        ("/204", "Fetched"),
    ] {
        let fetch = world.get(origin.url(path)).await;
        assert!(format!("{:?}", fetch.outcome).starts_with(outcome), "{path}: {:?}", fetch.outcome);
    }
    for path in ["/wait-403", "/wait-500"] {
        let world = self::world();
        let first = world.get(origin.url(path)).await;
        assert!(matches!(first.outcome, FetchOutcome::Deferred { until: Some(_), .. }), "{path}: {:?}", first.outcome);
        let second = world.get(origin.url("/204")).await;
        assert!(matches!(second.outcome, FetchOutcome::Held { .. }), "{path} keeps the whole host: {:?}", second.outcome);
    }
}

// ---- Redirects ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_loop_of_redirects_ends_after_six_requests() {
    let origin = Origin::start("127.0.0.1", |arrival| match arrival.path() {
        "/feed" => answer(302, "Location: /login?next=/feed\r\n", b""),
        _ => answer(302, "Location: /feed\r\n", b""),
    })
    .await;
    let fetch = world().get(origin.url("/feed")).await;
    assert!(matches!(error_of(&fetch), FetchError::TooManyRedirects { limit: 5, .. }), "{fetch:?}");
    assert_eq!(origin.arrivals().len(), 6);
}

#[tokio::test]
async fn only_a_way_of_permanent_hops_is_a_move() {
    let origin = Origin::start("127.0.0.1", |arrival| match arrival.path() {
        "/moved" => answer(301, "Location: /again\r\n", b"moved"),
        "/again" => answer(308, "Location: feed\r\n", b""),
        "/mixed" => answer(302, "Location: /moved\r\n", b""),
        _ => answer(200, "", FEED.as_bytes()),
    })
    .await;
    let world = world();
    for (path, moved) in [("/moved", true), ("/mixed", false), ("/feed", false)] {
        let FetchOutcome::Fetched(document) = world.get(origin.url(path)).await.outcome else { panic!() };
        assert_eq!(document.moved_to, moved.then(|| origin.url("/feed")), "{path}");
        assert_eq!(document.final_url, origin.url("/feed"));
    }
}

#[tokio::test]
async fn redirects_never_lead_inside() {
    let inner = tripwire("127.0.0.2:0").await;
    let port = inner.address.port();
    let _six = tripwire(&format!("[::1]:{port}")).await;
    let target = Arc::new(Mutex::new(String::new()));
    let shown = target.clone();
    let origin = Origin::start("127.0.0.1", move |_| answer(302, &format!("Location: {}\r\n", shown.lock().unwrap()), b"")).await;
    let world = world_with(&network(&["127.0.0.1"]), SystemResolver, None);
    for location in [
        format!("http://127.0.0.2:{port}/"),
        format!("//127.0.0.2:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.2]:{port}/"),
        format!("http://2130706434:{port}/"),
        "http://169.254.169.254/latest/meta-data/".into(),
        "http://10.0.0.5/".into(),
    ] {
        target.lock().unwrap().clone_from(&location);
        let fetch = world.get(origin.url("/feed")).await;
        assert!(is_refused(&fetch), "{location}: {fetch:?}");
        assert!(!format!("{fetch:?}").contains("SECRET"));
    }
    for location in ["file:///etc/passwd", "gopher://127.0.0.1:25/", "ftp://a.example/", "data:text/xml,x", "unix:/run/x.sock"] {
        location.clone_into(&mut target.lock().unwrap());
        let fetch = world.get(origin.url("/feed")).await;
        assert!(matches!(error_of(&fetch), FetchError::Net(NetError::Scheme(_))), "{location}: {fetch:?}");
    }
    location_with_user_info(&world, &origin, &target).await;
    assert_eq!(inner.connections(), 0);
}

async fn location_with_user_info(world: &World, origin: &Origin, target: &Mutex<String>) {
    "http://u:MARK@127.0.0.1/".clone_into(&mut target.lock().unwrap());
    let fetch = world.get(origin.url("/feed")).await;
    assert!(matches!(error_of(&fetch), FetchError::Net(NetError::UserInfo)), "{fetch:?}");
    assert!(!format!("{fetch:?}").contains("MARK"));
}

// ---- The guard ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn no_spelling_of_an_inner_address_is_reached() {
    let four = tripwire("127.0.0.1:0").await;
    let port = four.address.port();
    let six = tripwire(&format!("[::1]:{port}")).await;
    let mut names = Names::default();
    names.0.insert("inner.example".into(), vec![ips(&["127.0.0.1"])]);
    names.0.insert("mixed.example".into(), vec![ips(&["93.184.215.14", "127.0.0.1"])]);
    names.0.insert("mapped.example".into(), vec![ips(&["::ffff:127.0.0.1"])]);
    let world = world_with(&network(&[]), names, None);
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0x0.0x0.0x1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "１２７.０.０.１",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "0.0.0.0",
        "0",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2001::7f00:1]",
        "localhost",
        "localhost.",
        "LocalHost",
        "a.localhost",
        "inner.example",
        "mixed.example",
        "mapped.example",
    ] {
        let fetch = world.get(format!("http://{host}:{port}/")).await;
        assert!(is_refused(&fetch), "{host}: {fetch:?}");
    }
    for bad in [format!("http://[fe80::1%25lo]:{port}/"), format!("http://u:MARK@127.0.0.1:{port}/"), format!("ftp://127.0.0.1:{port}/")] {
        assert!(matches!(error_of(&world.get(&bad).await), FetchError::Net(_)), "{bad}");
    }
    assert_eq!(four.connections() + six.connections(), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_never_followed_inside() {
    let inner = tripwire("127.0.0.1:0").await;
    let port = inner.address.port();
    let outer = Origin::start_at(format!("127.0.0.2:{port}").parse().unwrap(), Duration::ZERO, |_| {
        Reply::Close(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok".to_vec())
    })
    .await;
    let mut names = Names::default();
    names.0.insert("rebind.example".into(), vec![ips(&["203.0.113.10"]), ips(&["127.0.0.1"])]);
    names.1.insert("203.0.113.10".parse().unwrap(), "127.0.0.2".parse().unwrap());
    let world = world_with(&network(&["203.0.113.0/24"]), names, None);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..1000 {
        match world.get(format!("http://rebind.example:{port}/feed")).await.outcome {
            FetchOutcome::Fetched(document) => read += usize::from(document.bytes == b"ok"),
            FetchOutcome::Failed(FetchError::Net(NetError::Refused { .. })) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((inner.connections(), read, refused, outer.connections()), (0, 500, 500, 500));
}

#[tokio::test]
async fn dead_addresses_of_a_name_do_not_hide_the_live_one() {
    let origin = Origin::start("127.0.0.1", |_| answer(200, "", FEED.as_bytes())).await;
    let mut names = Names::default();
    names.0.insert("half.example".into(), vec![ips(&["2001:db8::1", "203.0.113.9", "203.0.113.10"])]);
    names.1.insert("203.0.113.9".parse().unwrap(), "127.0.0.9".parse().unwrap());
    names.1.insert("203.0.113.10".parse().unwrap(), "127.0.0.1".parse().unwrap());
    let world = world_with(&network(&["203.0.113.0/24", "2001:db8::/32"]), names, None);
    let begun = Instant::now();
    let fetch = world.get(format!("http://half.example:{}/", origin.address.port())).await;
    assert!(matches!(fetch.outcome, FetchOutcome::Fetched(_)), "{fetch:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

// ---- Limits ---------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn bodies_that_never_end_are_cut() {
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let nested = gzip(&bomb);
    let zstd = zstd::encode_all(&vec![b' '; 64 << 20][..], 1).unwrap();
    let origin = Origin::start("127.0.0.1", move |arrival| match arrival.path() {
        "/gzip" => answer(200, "content-encoding: gzip\r\n", &bomb),
        "/nested" => answer(200, "content-encoding: gzip\r\ncontent-encoding: gzip\r\n", &nested),
        "/zstd" => answer(200, "content-encoding: zstd\r\n", &zstd),
        "/announced" => Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec()),
        "/chunked" => {
            let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 0x10000], b"\r\n".to_vec()].concat();
            Reply::Flood(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(), chunk)
        }
        "/to-the-end" => Reply::Flood(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 0x10000]),
        "/headers" => Reply::Flood(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x-flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(1000)),
        path => panic!("{path}"),
    })
    .await;
    let world = world();
    for path in ["/gzip", "/nested", "/zstd", "/announced", "/chunked", "/to-the-end"] {
        let begun = Instant::now();
        let fetch = world.get(origin.url(path)).await;
        assert!(matches!(error_of(&fetch), FetchError::Net(NetError::TooLarge { limit: Bytes(10_485_760), .. })), "{path}: {fetch:?}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{path}: {:?}", begun.elapsed());
    }
    assert!(matches!(error_of(&world.get(origin.url("/headers")).await), FetchError::Net(NetError::Broken { .. })));
}

#[tokio::test]
async fn large_bodies_wait_for_each_other_and_all_arrive() {
    let large = vec![b'x'; 700 << 10];
    let packed = gzip(&large);
    let handler = move |arrival: &Arrival| match arrival.path() {
        "/packed" => answer(200, "content-encoding: gzip\r\n", &packed),
        _ => answer(200, "", &large),
    };
    let handler = Arc::new(handler);
    let network = NetworkConfig { max_in_flight: Bytes(1 << 20), ..network(&["127.0.0.0/8"]) };
    let world = Arc::new(world_with(&network, SystemResolver, None));
    let mut tasks = Vec::new();
    for n in 1..=8 {
        let handler = handler.clone();
        let origin = Origin::start(&format!("127.0.1.{n}"), move |arrival| handler(arrival)).await;
        let world = world.clone();
        tasks.push(tokio::spawn(async move { world.get(origin.url(if n % 2 == 0 { "/packed" } else { "/plain" })).await }));
    }
    for task in tasks {
        let fetch = task.await.unwrap();
        assert!(matches!(&fetch.outcome, FetchOutcome::Fetched(_)) && fetch.bytes == 700 << 10, "{fetch:?}");
    }
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_stretch_the_time() {
    let origin = Origin::start("127.0.0.1", |arrival| match arrival.path() {
        "/body" => Reply::Drip(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), Duration::from_millis(20)),
        "/head" => Reply::Drip(b"HTTP/1.1 200 OK\r\nx: ".to_vec(), Duration::from_millis(20)),
        path => {
            std::thread::sleep(Duration::from_millis(60));
            answer(302, &format!("location: {path}x\r\n"), b"")
        }
    })
    .await;
    let network = NetworkConfig { timeout: "250ms".parse().unwrap(), ..network(&["127.0.0.0/8"]) };
    let world = world_with(&network, SystemResolver, None);
    for path in ["/body", "/head", "/redirects"] {
        let begun = Instant::now();
        let fetch = world.get(origin.url(path)).await;
        assert!(matches!(error_of(&fetch), FetchError::Net(NetError::Timeout { .. })), "{path}: {fetch:?}");
        assert!(begun.elapsed() < Duration::from_millis(800), "{path}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn what_breaks_off_is_an_error_in_words() {
    let origin = Origin::start("127.0.0.1", |arrival| match arrival.path().split('?').next().unwrap() {
        "/short" => Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec()),
        "/silent" => Reply::Close(Vec::new()),
        "/nonsense" => Reply::Close(b"\x16\x03\x01 nonsense\r\n\r\n".to_vec()),
        _ => answer(200, "content-encoding: gzip\r\n", &gzip(FEED.as_bytes())[..30]),
    })
    .await;
    let world = world();
    for path in ["/short", "/silent", "/nonsense"] {
        let fetch = world.get(origin.url(&format!("{path}?token=MARK"))).await;
        assert!(!format!("{:?}", fetch.outcome).contains("MARK"), "{fetch:?}");
        let fetch = world.get(origin.url(path)).await;
        assert!(matches!(error_of(&fetch), FetchError::Net(NetError::Broken { .. })), "{path}: {fetch:?}");
    }
    assert!(matches!(error_of(&world.get(origin.url("/packed")).await), FetchError::Net(NetError::Encoding { .. })));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let fetch = world.get(format!("http://{closed}/MARK?key=MARK")).await;
    assert!(matches!(error_of(&fetch), FetchError::Net(NetError::Connect { .. })) && !format!("{fetch:?}").contains("MARK"), "{fetch:?}");
    let fetch = world_with(&network(&[]), Names::default(), None).get("http://none.example/MARK").await;
    assert!(matches!(error_of(&fetch), FetchError::Net(NetError::Dns { .. })) && !format!("{fetch:?}").contains("MARK"), "{fetch:?}");
}

// ---- Politeness -----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_host_that_asks_for_quiet_has_it() {
    for (header, wait) in [("1800", 1800), ("Mon, 09 Mar 2026 12:30:00 GMT", 1800), ("999999999", 86_400)] {
        let origin = Origin::start("127.0.0.1", move |arrival| match arrival.path() {
            "/first" => answer(429, &format!("Retry-After: {header}\r\n"), b""),
            _ => answer(200, "", FEED.as_bytes()),
        })
        .await;
        let world = world();
        let until: Timestamp = world.clock.now() + SignedDuration::from_secs(wait);
        let fetch = world.get(origin.url("/first")).await;
        assert!(matches!(fetch.outcome, FetchOutcome::Deferred { until: Some(told), .. } if told == until), "{header}: {fetch:?}");
        for path in ["/second", "/third"] {
            let fetch = world.get(origin.url(path)).await;
            assert!(matches!(fetch.outcome, FetchOutcome::Held { until: told } if told == until), "{fetch:?}");
        }
        assert_eq!(origin.arrivals().len(), 1);
        world.clock.set(until);
        assert!(matches!(world.get(origin.url("/second")).await.outcome, FetchOutcome::Fetched(_)));
    }
}

#[tokio::test]
async fn zero_and_nonsense_leave_the_wait_to_us() {
    let origin = Origin::start("127.0.0.1", |arrival| match arrival.path() {
        "/zero" => answer(503, "Retry-After: 0\r\n", b""),
        "/soon" => answer(503, "Retry-After: soon\r\n", b""),
        _ => answer(200, "", FEED.as_bytes()),
    })
    .await;
    let world = world();
    for path in ["/zero", "/soon"] {
        let fetch = world.get(origin.url(path)).await;
        assert!(matches!(fetch.outcome, FetchOutcome::Deferred { until: None, .. }), "{path}: {fetch:?}");
    }
    assert!(matches!(world.get(origin.url("/feed")).await.outcome, FetchOutcome::Fetched(_)));
}

#[tokio::test]
async fn one_host_is_never_asked_twice_at_once_nor_too_soon() {
    let slow = |ip: &'static str, handler: fn(&Arrival) -> Reply| {
        Origin::start_at(format!("{ip}:0").parse().unwrap(), Duration::from_millis(10), handler)
    };
    let one = slow("127.0.0.1", |_| answer(200, "", FEED.as_bytes())).await;
    let same_host = slow("127.0.0.1", |arrival| match arrival.path() {
        "/there-and-on" => answer(302, "location: /on\r\n", b""),
        _ => answer(200, "", FEED.as_bytes()),
    })
    .await;
    let port = one.address.port();
    let other = Origin::start_at("127.0.0.2:0".parse().unwrap(), Duration::from_millis(10), move |_| {
        answer(302, &format!("location: http://127.0.0.1:{port}/from-other\r\n"), b"")
    })
    .await;
    let network = NetworkConfig { min_gap: "30ms".parse().unwrap(), ..network(&["127.0.0.0/8"]) };
    let world = Arc::new(world_with(&network, SystemResolver, None));
    let urls = (0..4).flat_map(|n| [one.url(&format!("/{n}")), same_host.url("/there-and-on"), other.url(&format!("/{n}"))]);
    let tasks: Vec<_> = urls
        .map(|url| {
            let world = world.clone();
            tokio::spawn(async move { world.get(url).await })
        })
        .collect();
    for task in tasks {
        let fetch = task.await.unwrap();
        assert!(matches!(fetch.outcome, FetchOutcome::Fetched(_)), "{fetch:?}");
    }
    for (host, mut arrivals) in [("127.0.0.1", [one.arrivals(), same_host.arrivals()].concat()), ("127.0.0.2", other.arrivals())] {
        arrivals.sort_by_key(|arrival| arrival.came);
        assert_eq!(arrivals.len(), if host == "127.0.0.1" { 16 } else { 4 });
        for two in arrivals.windows(2) {
            assert!(two[1].came >= two[0].done, "two at once");
            assert!(two[1].came - two[0].came >= Duration::from_millis(30), "{:?}", two[1].came - two[0].came);
        }
    }
}

// ---- GitHub ---------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_token_is_shown_to_its_own_host_alone() {
    let stranger = Origin::start("127.0.0.2", |_| answer(200, "", b"[]")).await;
    let away = stranger.url("/taken");
    let api = Origin::start("127.0.0.1", move |arrival| match arrival.path() {
        "/away" => answer(302, &format!("location: {away}\r\n"), b""),
        "/renamed" => answer(301, "location: /user/1\r\n", b""),
        _ => answer(200, "", b"[]"),
    })
    .await;
    let world = world_with(&network(&["127.0.0.0/8"]), SystemResolver, Some(&api));
    for (url, auth) in [
        (api.url("/away"), Auth::Github),
        (api.url("/renamed"), Auth::Github),
        (api.url("/plain"), Auth::None),
        (stranger.url("/asked"), Auth::Github),
    ] {
        let request = Request { auth, headers: vec![("x-private", "MARK".into())], ..Request::get(url) };
        assert!(matches!(world.fetcher.fetch(&request).await.outcome, FetchOutcome::Fetched(_)));
    }
    let shown: Vec<_> =
        api.arrivals().iter().map(|arrival| (arrival.path().to_owned(), arrival.header("authorization").is_some())).collect();
    assert_eq!(
        shown,
        [("/away", true), ("/renamed", true), ("/user/1", true), ("/plain", false)].map(|(path, token)| (path.into(), token))
    );
    assert_eq!(api.arrivals()[0].header("authorization"), Some("Bearer MARKTOKEN"));
    assert!(api.arrivals()[0].header("x-github-api-version").is_some());
    for arrival in stranger.arrivals() {
        assert_eq!(arrival.header("authorization"), None);
        assert_eq!(arrival.header("x-private").is_some(), arrival.path() == "/asked");
    }
}

#[tokio::test]
async fn limits_of_github_are_waits_and_no_refusals() {
    let secondary = br#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#;
    let api = Origin::start("127.0.0.1", |arrival| match arrival.path() {
        "/secondary" => answer(403, "X-RateLimit-Remaining: 4100\r\n", secondary),
        "/primary" => answer(403, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1773059399\r\n", b"{}"),
        "/told" => answer(429, "Retry-After: 7\r\n", b"{}"),
        "/last" => answer(200, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1773059399\r\n", b"[]"),
        "/refused" => answer(403, "X-RateLimit-Remaining: 4100\r\n", br#"{"message":"Resource not accessible"}"#),
        _ => answer(200, "", b"[]"),
    })
    .await;
    let world = world_with(&network(&["127.0.0.0/8"]), SystemResolver, Some(&api));
    let noon = world.clock.now();
    // 12:29:59 and a second.
    let reset = noon + SignedDuration::from_secs(1800);
    let wait = |seconds| Some(noon + SignedDuration::from_secs(seconds));
    for (path, until) in [("/secondary", wait(60)), ("/primary", Some(reset)), ("/told", None)] {
        world.clock.set(noon);
        let fetch = world.get(api.url(path)).await;
        match (&fetch.outcome, until) {
            (FetchOutcome::Deferred { until: told, .. }, Some(_)) => assert_eq!(*told, until, "{path}"),
            (FetchOutcome::Held { .. }, None) => {}
            other => panic!("{path}: {other:?}"),
        }
        assert!(matches!(world.get(api.url("/x")).await.outcome, FetchOutcome::Held { .. }));
        if path == "/secondary" {
            // The next in a row waits twice as long.
            world.clock.set(noon + SignedDuration::from_secs(60));
            let fetch = world.get(api.url(path)).await;
            assert!(matches!(fetch.outcome, FetchOutcome::Deferred { until, .. } if until == wait(180)), "{fetch:?}");
            world.clock.set(noon + SignedDuration::from_secs(180));
            assert!(matches!(world.get(api.url("/x")).await.outcome, FetchOutcome::Fetched(_)));
        }
    }
    world.clock.set(reset);
    let fetch = world.get(api.url("/told")).await;
    assert!(matches!(fetch.outcome, FetchOutcome::Deferred { until: Some(until), .. } if until == reset + SignedDuration::from_secs(7)));
    let later = reset + SignedDuration::from_secs(60);
    world.clock.set(later);
    assert!(matches!(world.get(api.url("/refused")).await.outcome, FetchOutcome::Blocked { challenge: false, .. }));
    world.clock.set(noon);
    assert!(matches!(world.get(api.url("/last")).await.outcome, FetchOutcome::Fetched(_)));
    assert!(matches!(world.get(api.url("/x")).await.outcome, FetchOutcome::Held { until } if until == reset));
}

// ---- TLS and HTTP/2 -------------------------------------------------------------------------------------------------

async fn secure(chain: &[&str], protocols: &[&[u8]], handler: impl Fn(&Arrival) -> Reply + Send + Sync + 'static) -> Origin {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            chain.iter().map(|name| certificate(name)).collect(),
            PrivateKeyDer::from_pem_file(folder().join("leaf.key")).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin { address: listener.local_addr().unwrap(), arrivals: Arc::default(), connections: Arc::default() };
    let (shared, handler) = (origin.clone(), Arc::new(handler));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            shared.connections.fetch_add(1, Ordering::SeqCst);
            let (acceptor, arrivals, handler) = (acceptor.clone(), shared.arrivals.clone(), handler.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    reset_every_stream(stream).await;
                } else {
                    serve(stream, Duration::ZERO, &arrivals, &*handler).await;
                }
            });
        }
    });
    origin
}

async fn reset_every_stream(stream: tokio_rustls::server::TlsStream<TcpStream>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        respond.send_reset(h2::Reason::PROTOCOL_ERROR);
    }
}

fn secure_world() -> World {
    let mut names = Names::default();
    for name in ["feed.example", "wrong.example"] {
        names.0.insert(name.into(), vec![ips(&["203.0.113.10"])]);
    }
    names.1.insert("203.0.113.10".parse().unwrap(), "127.0.0.1".parse().unwrap());
    world_with(&network(&["203.0.113.0/24"]), names, None)
}

#[tokio::test]
async fn certificates_are_checked_and_a_missing_link_is_named() {
    let whole = secure(&["leaf.pem", "mid.pem"], &[b"http/1.1"], |_| answer(200, "", FEED.as_bytes())).await;
    let leaf_only = secure(&["leaf.pem"], &[b"http/1.1"], |_| answer(200, "", FEED.as_bytes())).await;
    let world = secure_world();
    let url = |origin: &Origin, host: &str| format!("https://{host}:{}/MARK", origin.address.port());
    let fetch = world.get(url(&whole, "feed.example")).await;
    assert!(matches!(fetch.outcome, FetchOutcome::Fetched(_)), "{fetch:?}");
    for (fetch, words) in [
        (world.get(url(&leaf_only, "feed.example")).await, ["incomplete certificate chain", "Clarion test intermediate"]),
        (world.get(url(&whole, "wrong.example")).await, ["wrong.example", "the certificate is for another name"]),
    ] {
        let error = error_of(&fetch);
        assert!(matches!(error, FetchError::Net(NetError::Tls { .. })), "{fetch:?}");
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)) && !text.contains("MARK"), "{text}");
    }
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        let _ = stream.read_u8().await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let fetch = world.get(format!("https://feed.example:{port}/")).await;
    assert!(error_of(&fetch).to_string().contains("the server does not speak TLS"), "{fetch:?}");
}

#[tokio::test]
async fn a_host_that_breaks_http2_is_asked_by_http1() {
    let origin = secure(&["leaf.pem", "mid.pem"], &[b"h2", b"http/1.1"], |_| answer(200, "", FEED.as_bytes())).await;
    let world = secure_world();
    for _ in 0..2 {
        let fetch = world.get(format!("https://feed.example:{}/feed", origin.address.port())).await;
        assert!(matches!(fetch.outcome, FetchOutcome::Fetched(_)), "{fetch:?}");
    }
    // One connection by HTTP/2, then one by HTTP/1.1 that serves both polls.
    assert_eq!((origin.connections(), origin.arrivals().len()), (2, 2));
}

#[tokio::test]
async fn without_authorities_https_says_what_to_install() {
    let network = network(&["127.0.0.0/8"]);
    let empty = TrustStore::of_certificates("an empty folder", []);
    let client = Client::with(&network, SystemResolver, empty).unwrap();
    let github = GithubAccess { api_url: Config::default().github.api_url, token: None };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
    let fetcher = Fetcher::with_client(client, &network, github, clock);
    assert_eq!(fetcher.client().trust().roots(), 0);
    let origin = Origin::start("127.0.0.1", |_| answer(200, "", FEED.as_bytes())).await;
    assert!(matches!(fetcher.fetch(&Request::get(origin.url("/"))).await.outcome, FetchOutcome::Fetched(_)));
    let fetch = fetcher.fetch(&Request::get("https://127.0.0.1/")).await;
    assert!(matches!(error_of(&fetch), FetchError::Net(NetError::NoRoots(_))), "{fetch:?}");
}
