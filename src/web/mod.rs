//! What a browser sees: pages that are read, digests in their formats, health and metrics.
//!
//! In: HTTP requests, and the data that [`Pages`] reads from the store. Out: HTML that works without scripts, and the
//! sealed bytes of digests. Faces are thin: no rule about works or digests is decided here. Feed text is escaped by the
//! templates, which is the last thing done to it.
//!
//! [`serve`] runs the pages on a listener with limits on time and connections, since `axum::serve` has none.

mod audit;
mod auth;
mod builder;
mod error;
mod frame;
mod health;
mod link;
mod operator;
mod patience;
mod public;
mod routes;
#[cfg(test)]
mod sample;
mod sign_in;
mod sources;
mod staff;
mod state;
mod stored;
mod throttle;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use auth::Peer;
use routes::Routes;

pub use routes::{Access, OPERATORS, Route, SIGNED_IN, STAFF};
pub use state::{Answer, AppState, Pages, PagesError};
pub use stored::StoredPages;

/// The style sheet: what digests need, and what pages add.
const STYLE: &str = concat!(
    include_str!("../render/digest.css"),
    include_str!("assets/pages.css"),
    include_str!("assets/lists.css"),
    include_str!("assets/readers.css"),
    include_str!("assets/record.css")
);

/// The style sheet of the staff's pages; what the page of a week adds, and what all others add; and the little that scripts
/// do for them.
const STAFF_STYLE: &str = concat!(include_str!("../render/digest.css"), include_str!("assets/pages.css"), include_str!("assets/staff.css"));
const DESK_STYLE: &str = include_str!("assets/desk.css");
const OUTPUTS_STYLE: &str = concat!(include_str!("assets/lists.css"), include_str!("assets/outputs.css"));
const STAFF_SCRIPT: &str = include_str!("assets/staff.js");

/// The beginning of [`POLICY`], after which a sealed page's own style is named.
const POLICY_START: &str = "default-src 'none'; style-src 'self'";
/// The content security policy of every answer (PROMISES.md section 2).
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The most connections at once; more wait in the listener's queue.
const CONNECTIONS: usize = 2_048;
/// How long the head of a request may take, and a connection may idle between two.
const HEAD_LIMIT: Duration = Duration::from_secs(15);
/// How long an answer may take to make.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// How long a client may leave an answer unread.
const STALL_LIMIT: Duration = Duration::from_secs(25);
/// How long open requests may take after the stop sign.
const FAREWELL: Duration = Duration::from_secs(5);
/// The most bytes of a request's body: forms alone have one.
const BODY_LIMIT: usize = 64 * 1024;

/// Every route with who may use it. A route cannot be added otherwise.
fn routes(state: &AppState) -> Routes {
    Routes::new(state.clone())
        .get("/", Access::Everyone, public::home)
        .get("/digest", Access::Everyone, public::archive)
        .get("/digest/latest", Access::Everyone, public::latest)
        .get("/digest/feed.atom", Access::Everyone, public::feed)
        .get("/digest/{name}", Access::Everyone, public::digest)
        .get("/builders", Access::Personal, public::builders)
        .get("/builders/{slug}", Access::Personal, builder::record)
        .get("/how", Access::Everyone, public::how)
        .get("/healthz", Access::Everyone, health::live)
        .get("/readyz", Access::Everyone, health::ready)
        .get("/assets/style.css", Access::Everyone, public::style)
        .get("/metrics", Access::Machines, health::metrics)
        .get("/operator", OPERATORS, operator::page)
        .get("/sign-in", Access::Everyone, sign_in::page)
        .post("/sign-in", Access::Everyone, sign_in::enter)
        .get("/link/{secret}", Access::Personal, link::page)
        .post("/link/{secret}", Access::Everyone, link::enter)
        .get("/assets/staff.css", Access::Everyone, public::staff_style)
        .get("/assets/desk.css", Access::Everyone, public::desk_style)
        .get("/assets/outputs.css", Access::Everyone, public::outputs_style)
        .get("/assets/staff.js", Access::Everyone, public::staff_script)
        .get("/staff", STAFF, staff::week::now)
        .get("/staff/week/{week}", STAFF, staff::week::page)
        .post("/staff/week/{week}", STAFF, staff::act::act)
        .get("/staff/week/{week}/refresh", STAFF, staff::compare::refresh)
        .get("/staff/week/{week}/posts", STAFF, staff::posts::page)
        .get("/staff/week/{week}/preview", STAFF, staff::preview::first)
        .get("/staff/week/{week}/preview/{format}", STAFF, staff::preview::page)
        .get("/staff/week/{week}/frame/{format}", STAFF, staff::preview::framed)
        .get("/staff/compare", STAFF, staff::compare::page)
        .get("/staff/archive", STAFF, staff::archive::page)
        .get("/staff/balance", STAFF, staff::balance::page)
        .get("/staff/balance.csv", STAFF, staff::balance::csv)
        .get("/staff/reply", STAFF, staff::reply::page)
        .get("/staff/audit", OPERATORS, audit::page)
        .get("/account", SIGNED_IN, sign_in::account)
        .post("/sign-out", SIGNED_IN, sign_in::leave)
        .post("/sign-out-everywhere", SIGNED_IN, sign_in::leave_everywhere)
}

/// The table of routes: each with its method and with who may use it.
pub fn route_table(state: &AppState) -> Vec<Route> {
    routes(state).into_parts().1
}

/// Every route, with the headers and limits that hold for all.
pub fn router(state: AppState) -> Router {
    let panic_state = state.clone();
    routes(&state)
        .into_parts()
        .0
        .fallback(public::missing)
        .method_not_allowed_fallback(public::only_read)
        .with_state(state)
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_LIMIT))
        .layer(CatchPanicLayer::custom(move |_| {
            error::message(
                &panic_state,
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong",
                "The page could not be made. The fault is ours and has been noted. Please try again in a while.",
            )
        }))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(guard_headers))
}

/// Sets the headers that every answer has, whatever made it.
async fn guard_headers(request: Request<Body>, next: Next) -> Response {
    const ALWAYS: [(HeaderName, &str); 3] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let private = ["/operator", "/builders/"].iter().any(|path| request.uri().path().starts_with(path));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let caching = if private { "no-store" } else { "no-cache" };
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static(caching));
    response
}

/// Serves the pages until `stop` is ready; then lets open requests end, for five seconds at most.
///
/// Errs only if the listener itself is broken.
pub async fn serve(listener: TcpListener, state: AppState, stop: impl Future<Output = ()>) -> io::Result<()> {
    let router = router(state);
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).max_buf_size(64 * 1024);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
            listener.accept().await.map(|(stream, peer)| (stream, peer, place))
        };
        let (stream, peer, place) = tokio::select! {
            accepted = accepted => match accepted {
                Ok(accepted) => accepted,
                Err(error) if passes(&error) => continue,
                Err(error) => {
                    // Most often no file descriptors are left: wait until some connections have ended.
                    tracing::warn!(error = %error, "a connection could not be taken: {error}");
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_secs(1)) => continue,
                        () = &mut stop => break,
                    }
                }
            },
            () = &mut stop => break,
        };
        let _ = stream.set_nodelay(true);
        let io = TokioIo::new(patience::Patient::new(stream, STALL_LIMIT));
        let known = router.clone().map_request(move |mut request: Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request
        });
        let connection = graceful.watch(http.serve_connection(io, TowerToHyperService::new(known)));
        tokio::spawn(async move {
            // A client that goes away in the middle is no news.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(FAREWELL, graceful.shutdown()).await.is_err() {
        tracing::info!("some readers were cut off at the end");
    }
    Ok(())
}

/// Errors of one connection, which say nothing of the listener.
fn passes(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::http::HeaderMap;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tower::ServiceExt;

    use super::sample::Sample;
    use super::*;
    use crate::render::tests_shape as shape;

    /// Every page that readers reach, with the kind of bytes it has.
    const PAGES: [&str; 9] = [
        "/",
        "/digest",
        "/digest/2026-W47",
        "/builders",
        "/builders?q=o&page=1",
        "/builders/member-1",
        "/builders/member-1?kind=video&page=2",
        "/operator",
        "/how",
    ];
    const OTHERS: [&str; 9] = [
        "/digest/latest",
        "/digest/feed.atom",
        "/digest/2026-W47.json",
        "/digest/2026-W47.md",
        "/digest/2026-W47.txt",
        "/digest/2026-W47.eml",
        "/healthz",
        "/metrics",
        "/assets/style.css",
    ];

    async fn ask(sample: Sample, method: &str, path: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = router(sample::state(sample)).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn get_page(path: &str) -> (StatusCode, HeaderMap, String) {
        ask(Sample::rich(), "GET", path).await
    }

    #[tokio::test]
    async fn every_answer_has_the_guarding_headers() {
        for path in PAGES.iter().chain(&OTHERS).chain(&["/nothing", "/digest/%ff", "/digest/2026-W99"]) {
            for method in ["GET", "HEAD", "POST"] {
                let (_, headers, _) = ask(Sample::rich(), method, path).await;
                let policy = headers["content-security-policy"].to_str().unwrap();
                assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{path}: {policy}");
                assert!(policy.ends_with("form-action 'self'; base-uri 'none'; frame-ancestors 'none'"), "{path}: {policy}");
                assert!(!policy.contains("unsafe"), "{path}");
                assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
                assert_eq!(headers["referrer-policy"], "same-origin", "{path}");
                assert_eq!(headers["cross-origin-opener-policy"], "same-origin", "{path}");
            }
        }
    }

    #[tokio::test]
    async fn head_is_get_without_body() {
        for path in PAGES.iter().chain(&OTHERS) {
            let (status, headers, body) = get_page(path).await;
            let (head_status, head_headers, head_body) = ask(Sample::rich(), "HEAD", path).await;
            assert_eq!(status, head_status, "{path}");
            assert_eq!(headers.get("content-type"), head_headers.get("content-type"), "{path}");
            assert!(head_body.is_empty() && (!body.is_empty() || status == StatusCode::FOUND), "{path}");
        }
    }

    #[tokio::test]
    async fn pages_keep_their_budget_even_with_thousands() {
        for (style, more) in [(STYLE, ""), (STAFF_STYLE, DESK_STYLE), (STAFF_STYLE, OUTPUTS_STYLE)] {
            let bytes = style.len() + more.len();
            assert!(bytes <= 12 * 1024, "{bytes} bytes of style");
        }
        assert!(STAFF_SCRIPT.len() <= 8 * 1024, "{} bytes of script", STAFF_SCRIPT.len());
        for path in PAGES {
            let (status, headers, body) = ask(Sample::large(5_000), "GET", path).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert_eq!(headers["content-type"], "text/html; charset=utf-8", "{path}");
            assert!(body.len() <= 100 * 1024, "{path}: {} bytes", body.len());
        }
    }

    #[tokio::test]
    async fn pages_have_one_head_landmarks_and_a_skip_link() {
        for path in PAGES {
            let (_, _, body) = get_page(path).await;
            assert_eq!(body.matches("<h1").count(), 1, "{path}");
            assert_eq!(body.matches("<main id=\"main\"").count(), 1, "{path}");
            for part in ["href=\"#main\"", "<nav aria-label", "<footer", "<html lang=\"en\">", "<title>"] {
                assert!(body.contains(part), "{path} lacks {part}");
            }
            let (parts, _) = shape(&body);
            assert!(
                !parts.iter().any(|part| part.starts_with("script") || part.ends_with(" style") || part.contains(" on")),
                "{path}: {parts:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_hostile_field_adds_no_element_and_no_attribute() {
        for path in PAGES {
            let (_, _, plain) = ask(Sample::full("plain"), "GET", path).await;
            let (_, _, rich) = get_page(path).await;
            let mut known: BTreeSet<_> = shape(&plain).0.union(&shape(&rich).0).cloned().collect();
            // How somebody without a page is named.
            known.insert("b".to_owned());
            for hostile in crate::render::sample::HOSTILE {
                let (status, _, body) = ask(Sample::full(hostile), "GET", path).await;
                assert_eq!(status, StatusCode::OK, "{path}");
                let (parts, targets) = shape(&body);
                let new: Vec<_> = parts.difference(&known).collect();
                assert!(new.is_empty(), "{path} {hostile}: {new:?}");
                for target in targets {
                    let fits =
                        ["https://", "http://", "/", "#", "mailto:"].iter().any(|start| target.starts_with(start)) || target.is_empty();
                    assert!(fits && !target.starts_with("//"), "{path} {hostile}: {target}");
                }
            }
        }
    }

    /// A page as everybody sees it where pages are for others.
    async fn get_from_outside(sample: Sample, path: &str) -> String {
        let mut config = crate::config::Config::default();
        config.web.public_url = "https://digest.example".parse().unwrap();
        let state = AppState { web: Arc::new(config.web), ..sample::state(sample) };
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(state).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn what_everybody_sees_of_builders_is_as_sound() {
        for (name, path) in [("featured", "/builders/member-1"), ("builders_from_outside", "/builders")] {
            let body = get_from_outside(Sample::rich(), path).await;
            assert_eq!((body.matches("<h1").count(), body.matches("<main id=\"main\"").count()), (1, 1), "{path}");
            insta::assert_snapshot!(name, &body);
            assert!(get_from_outside(Sample::large(5_000), path).await.len() <= 100 * 1024, "{path}");
            let known = shape(&get_from_outside(Sample::full("plain"), path).await).0;
            let known: BTreeSet<_> = known.union(&shape(&body).0).cloned().collect();
            for hostile in crate::render::sample::HOSTILE {
                let (parts, targets) = shape(&get_from_outside(Sample::full(hostile), path).await);
                let new: Vec<_> = parts.difference(&known).collect();
                assert!(new.is_empty(), "{path} {hostile}: {new:?}");
                let fits = |target: &String| {
                    target.is_empty() || ["https://", "http://", "/", "#", "mailto:"].iter().any(|start| target.starts_with(start))
                };
                assert!(targets.iter().all(|target| fits(target) && !target.starts_with("//")), "{path} {hostile}: {targets:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_a_calm_404() {
        for path in [
            "/nothing",
            "/digest/2020-W01",
            "/digest/2026-W99",
            "/digest/2026-W47.pdf",
            "/builders/nobody",
            "/builders/..%2f..%2fetc",
            "/static/../clarion.toml",
            "/assets/%2e%2e/clarion.toml",
            "/assets/..%5cclarion.toml",
            "/static/%00",
            "//etc/passwd",
            "/.git/config",
            "/clarion.db",
            "/clarion.db-wal",
        ] {
            let (status, _, body) = get_page(path).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
            assert!(body.contains("There is no page at this address"), "{path}");
        }
        assert_eq!(get_page("/digest/%ff").await.0, StatusCode::BAD_REQUEST);
        let (status, headers, _) = ask(Sample::rich(), "POST", "/operator").await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(headers["allow"].to_str().unwrap().contains("GET"));
    }

    #[tokio::test]
    async fn our_own_faults_are_told_without_our_insides() {
        for path in PAGES {
            let (status, _, body) = ask(Sample { broken: true, ..Sample::rich() }, "GET", path).await;
            if path != "/how" {
                assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
            }
            assert!(!body.contains("SECRET"), "{path}");
        }
        let (status, _, body) = ask(Sample { broken: true, ..Sample::rich() }, "GET", "/readyz").await;
        assert_eq!((status, body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"));
        let (status, _, body) = ask(Sample { problems: vec!["the disk is full".into()], ..Sample::rich() }, "GET", "/readyz").await;
        assert_eq!((status, body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "the disk is full\n"));
        assert_eq!(get_page("/readyz").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_sealed_digest_is_served_as_it_is() {
        let sample = Sample::rich();
        let week = "2026-W47".parse().unwrap();
        for format in crate::render::Format::ALL {
            let sealed = sample.sealed(week, format).await.unwrap().unwrap();
            let path =
                if format == crate::render::Format::Html { "/digest/2026-W47".to_owned() } else { format!("/digest/2026-W47.{format}") };
            let (status, headers, body) = get_page(&path).await;
            assert_eq!((status, body.as_bytes()), (StatusCode::OK, sealed.as_slice()), "{path}");
            assert_eq!(headers["content-type"], format.mime(), "{path}");
            let again = Request::get(&path).header("if-none-match", &headers["etag"]).body(Body::empty()).unwrap();
            let response = router(sample::state(Sample::rich())).oneshot(again).await.unwrap();
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{path}");
        }
        let (status, headers, _) = get_page("/digest/latest").await;
        assert_eq!((status, headers["location"].to_str().unwrap()), (StatusCode::FOUND, "/digest/2026-W47"));
        let (status, headers, _) = get_page("/digest/2026-w47.html").await;
        assert_eq!((status, headers["location"].to_str().unwrap()), (StatusCode::PERMANENT_REDIRECT, "/digest/2026-W47"));
    }

    #[tokio::test]
    async fn pages_as_they_are() {
        for (name, path) in [
            ("home", "/"),
            ("archive", "/digest"),
            ("builders", "/builders"),
            ("record", "/builders/member-1?kind=talk"),
            ("operator", "/operator"),
            ("how", "/how"),
            ("not_found", "/nothing"),
        ] {
            insta::assert_snapshot!(name, get_page(path).await.2);
        }
    }

    /// Relative luminance and contrast as WCAG 2.2 defines them.
    fn contrast(one: &str, other: &str) -> f64 {
        let luminance = |color: &str| {
            let part = |at: usize| {
                let value = f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
                if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn colors_of_the_style_sheet_have_their_contrast() {
        let (light, rest) = STYLE.split_once("@media (prefers-color-scheme:dark)").unwrap();
        let dark = rest.split_once("}}").unwrap().0;
        for (scheme, sheet) in [("light", light), ("dark", dark)] {
            let token = |name: &str| sheet.split_once(&format!("--{name}:")).map(|(_, rest)| &rest[..7]).unwrap();
            for (text, ground, least) in [
                ("ink", "paper", 14.0),
                ("ink", "canvas", 12.0),
                ("muted", "paper", 4.5),
                ("muted", "canvas", 4.5),
                ("link", "paper", 4.5),
                ("link", "canvas", 4.5),
                ("visited", "paper", 4.5),
                ("accent", "paper", 4.5),
                ("paper", "accent", 4.5),
                ("control", "paper", 3.0),
                ("focus", "paper", 3.0),
                ("focus", "canvas", 3.0),
                ("good", "good-tint", 4.5),
                ("warn", "warn-tint", 4.5),
                ("bad", "bad-tint", 4.5),
                ("cal-4", "paper", 4.5),
            ] {
                let found = contrast(token(text), token(ground));
                assert!(found >= least, "{scheme}: {text} on {ground} is {found:.2}, not {least}");
            }
        }
        assert!((contrast("#000000", "#FFFFFF") - 21.0).abs() < 0.01);
    }

    async fn served() -> (std::net::SocketAddr, tokio::sync::oneshot::Sender<()>, tokio::task::JoinHandle<io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, sample::state(Sample::rich()), async {
            let _ = stopped.await;
        }));
        (address, stop, task)
    }

    #[tokio::test]
    async fn the_server_compresses_and_stops_when_told() {
        let (address, stop, task) = served().await;
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /operator HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let head = String::from_utf8_lossy(&answer[..answer.len().min(1_200)]).to_lowercase();
        assert!(head.starts_with("http/1.1 200") && head.contains("content-encoding: gzip"), "{head}");
        assert!(answer.len() <= 20 * 1024, "{} bytes", answer.len());
        // One connection is open and silent: it must not hold up the end.
        let silent = tokio::net::TcpStream::connect(address).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(8), task).await.unwrap().unwrap().unwrap();
        drop(silent);
    }

    /// `CLARION_SAMPLE_PORT=N cargo nextest run -- serves_samples --run-ignored all`, to look at them.
    #[tokio::test]
    #[ignore = "serves for looking at, until it is ended"]
    async fn serves_samples() {
        let port: u16 = std::env::var("CLARION_SAMPLE_PORT").unwrap().parse().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        serve(listener, sample::state(Sample::rich()), std::future::pending()).await.unwrap();
    }
}
