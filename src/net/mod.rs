//! The one guarded HTTP client.
//!
//! In: one request to one address. Out: one answer, whole and within its limits, or a [`NetError`] that may be shown to
//! anyone: no message holds more of an address than its host. Redirects are not followed here; who follows them comes
//! back with the next address, and it is checked like the first. Knows nothing of feeds, of politeness or of retries.

mod body;
mod guard;
mod trust;

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use reqwest::{Method, StatusCode};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use url::Url;

pub use guard::{Guard, LookUp, Resolver, SystemResolver};
pub use trust::TrustStore;

use crate::config::{Bytes, NetworkConfig};
use body::{Damage, Unpacking};
use guard::{GuardedResolver, NotAllowed};

/// One request. Redirects are answers here.
#[derive(Debug)]
pub struct Outgoing<'a> {
    pub method: Method,
    pub url: &'a Url,
    pub headers: HeaderMap,
    /// What is sent along, for webhooks.
    pub body: Option<Vec<u8>>,
    /// The most bytes that are taken, after decompression.
    pub max_bytes: u64,
    /// When the answer must be whole.
    pub deadline: Instant,
}

/// One answer. The body of a redirect is not read, that of an error only up to 64 KiB.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// When the head of the answer was here.
    pub head_at: Instant,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    #[error("this is not an address that can be asked")]
    Unreadable,
    #[error("only http and https addresses are asked, not `{0}:`")]
    Scheme(String),
    #[error("an address with a user name or password in it is not asked")]
    UserInfo,
    #[error("address not allowed: {host} is not on the public internet, and `network.allow` does not name it")]
    Refused { host: String },
    #[error("no address is known for the name {host}")]
    Dns { host: String },
    #[error("cannot connect to {host}: {detail}")]
    Connect { host: String, detail: String },
    #[error("TLS with {host}: {detail}")]
    Tls { host: String, detail: String },
    #[error("no https address can be asked: {0}; install the system's certificate authorities (ca-certificates)")]
    NoRoots(String),
    #[error("{host} did not answer in full in time")]
    Timeout { host: String },
    #[error("the answer of {host} is larger than {limit}")]
    TooLarge { host: String, limit: Bytes },
    #[error("the compressed answer of {host} is damaged")]
    Encoding { host: String },
    #[error("{host} broke the connection off: {detail}")]
    Broken { host: String, detail: String },
    #[error("{host} breaks off its HTTP/2 streams")]
    Http2 { host: String },
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(String),
}

impl NetError {
    /// Whether the fault may be our own network's: nothing was heard of the host at all.
    pub fn may_be_ours(&self) -> bool {
        matches!(self, Self::Dns { .. } | Self::Connect { .. } | Self::Timeout { .. } | Self::NoRoots(_))
    }
}

/// For how long a host that breaks HTTP/2 is asked by HTTP/1.1.
const REMEMBER_HTTP1: Duration = Duration::from_hours(24);
/// The longest that opening a connection may take, over all addresses of a name.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// So much of every answer is taken without asking for memory.
const FREE_BYTES: usize = 256 << 10;
/// So much is read of the body of an error, and for so long, to tell what kind of error it is.
const ERROR_BYTES: usize = 64 << 10;
const ERROR_PATIENCE: Duration = Duration::from_secs(5);
/// Memory is counted in pieces of this size.
const PIECE: u64 = 1 << 10;

/// The client. Cheap to share, never proxied, without cookies.
pub struct Client {
    /// For http addresses.
    plain: reqwest::Client,
    /// For https addresses. Reading the system's authorities takes longer than asking a feed, so it is done when the
    /// first such address is asked.
    secure: OnceLock<Result<Secure, NetError>>,
    user_agent: String,
    resolver: Arc<dyn Resolver>,
    guard: Arc<Guard>,
    trust: OnceLock<TrustStore>,
    /// Memory for what is larger than [`FREE_BYTES`], in pieces of a KiB. A body takes all that it may need at once,
    /// so no two can wait for each other.
    memory: Semaphore,
    pieces: u32,
    /// Hosts that broke HTTP/2, and when.
    breaks_http2: Mutex<HashMap<String, Instant>>,
}

/// What speaks TLS.
struct Secure {
    modern: reqwest::Client,
    http1: reqwest::Client,
}

impl Client {
    /// A client that asks the system for names and certificate authorities.
    pub fn new(config: &NetworkConfig) -> Result<Self, NetError> {
        Self::build(config, Arc::new(SystemResolver), OnceLock::new())
    }

    /// A client with another resolver or other authorities. The guard is the same.
    pub fn with(config: &NetworkConfig, resolver: impl Resolver + 'static, trust: TrustStore) -> Result<Self, NetError> {
        Self::build(config, Arc::new(resolver), OnceLock::from(trust))
    }

    fn build(config: &NetworkConfig, resolver: Arc<dyn Resolver>, trust: OnceLock<TrustStore>) -> Result<Self, NetError> {
        let guard = Arc::new(Guard::new(&config.allow));
        let user_agent = user_agent(&config.contact);
        let pieces = u32::try_from(config.max_in_flight.0 / PIECE).unwrap_or(u32::MAX).clamp(1, 1 << 28);
        Ok(Self {
            plain: speaker(&user_agent, &guard, &resolver, &TrustStore::of_certificates("nowhere", []), false)?,
            secure: OnceLock::new(),
            user_agent,
            resolver,
            guard,
            trust,
            memory: Semaphore::new(pieces as usize),
            pieces,
            breaks_http2: Mutex::default(),
        })
    }

    fn secure(&self) -> Result<&Secure, NetError> {
        let built = self.secure.get_or_init(|| {
            let trust = self.trust();
            if trust.roots() == 0 {
                return Err(NetError::NoRoots(trust.to_string()));
            }
            let speaker = |http2| speaker(&self.user_agent, &self.guard, &self.resolver, trust, http2);
            Ok(Secure { modern: speaker(true)?, http1: speaker(false)? })
        });
        built.as_ref().map_err(NetError::clone)
    }

    /// What is checked before a name is resolved; for refusing an address when it is registered.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The certificate authorities that this client believes. The first call reads those of the system.
    pub fn trust(&self) -> &TrustStore {
        self.trust.get_or_init(TrustStore::of_system)
    }

    /// Asks once. Where a host breaks its HTTP/2 streams, `NetError::Http2` is the answer, and HTTP/1.1 is spoken with
    /// that host for a day: who asks again at once gets through.
    pub async fn send(&self, outgoing: Outgoing<'_>) -> Result<Answer, NetError> {
        self.guard.check(outgoing.url)?;
        let host = host_of(outgoing.url);
        let deadline = outgoing.deadline;
        match tokio::time::timeout_at(deadline, self.exchange(outgoing, &host)).await {
            Ok(answer) => answer,
            Err(_) => Err(NetError::Timeout { host }),
        }
    }

    async fn exchange(&self, outgoing: Outgoing<'_>, host: &str) -> Result<Answer, NetError> {
        let client = match outgoing.url.scheme() {
            "https" if self.speaks_http1(host) => &self.secure()?.http1,
            "https" => &self.secure()?.modern,
            _ => &self.plain,
        };
        let mut request = reqwest::Request::new(outgoing.method, outgoing.url.clone());
        *request.headers_mut() = outgoing.headers;
        *request.body_mut() = outgoing.body.map(Into::into);
        let mut response = client.execute(request).await.map_err(|error| self.explain(&error, host))?;
        let head_at = Instant::now();
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let body = if status.is_success() {
            self.read_whole(response, &headers, outgoing.max_bytes, host).await?
        } else if status == StatusCode::NOT_MODIFIED || status.is_redirection() {
            Vec::new()
        } else {
            read_some(response, &headers).await
        };
        Ok(Answer { status: status.as_u16(), head_at, headers, body })
    }

    /// Takes the whole body and unpacks it, within the limit and within the memory that all bodies share.
    async fn read_whole(
        &self,
        mut response: reqwest::Response,
        headers: &HeaderMap,
        max_bytes: u64,
        host: &str,
    ) -> Result<Vec<u8>, NetError> {
        let limit = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        let too_large = || NetError::TooLarge { host: host.to_owned(), limit: Bytes(max_bytes) };
        let announced = response.content_length();
        if announced.is_some_and(|length| length > max_bytes) {
            return Err(too_large());
        }
        let encodings = encodings(headers);
        let packed = body::is_packed(&encodings);
        let mut memory: Option<SemaphorePermit<'_>> = None;
        let mut wire = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.explain(&error, host))? {
            if wire.len() + chunk.len() > limit {
                return Err(too_large());
            }
            if memory.is_none() && wire.len() + chunk.len() > FREE_BYTES {
                memory = Some(self.reserve(announced.unwrap_or(max_bytes).saturating_add(if packed { max_bytes } else { 0 })).await);
            }
            body::push(&mut wire, &chunk);
        }
        drop(response);
        if !packed {
            return Ok(wire);
        }
        let damage = |damage| match damage {
            Damage::TooLarge => too_large(),
            Damage::Broken => NetError::Encoding { host: host.to_owned() },
        };
        let mut unpacking = Unpacking::new(&wire, &encodings, limit).map_err(damage)?;
        if !unpacking.advance_to(FREE_BYTES).map_err(damage)? {
            if memory.is_none() {
                memory = Some(self.reserve(max_bytes).await);
            }
            unpacking.advance_to(usize::MAX).map_err(damage)?;
        }
        drop(memory);
        Ok(unpacking.into_bytes())
    }

    /// Waits until that much memory is free; what is more than there is at all counts as all.
    async fn reserve(&self, bytes: u64) -> SemaphorePermit<'_> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX).min(self.pieces);
        self.memory.acquire_many(pieces).await.expect("the semaphore is never closed")
    }

    fn speaks_http1(&self, host: &str) -> bool {
        let mut hosts = self.breaks_http2.lock().unwrap_or_else(PoisonError::into_inner);
        match hosts.get(host) {
            Some(since) if since.elapsed() < REMEMBER_HTTP1 => true,
            Some(_) => {
                hosts.remove(host);
                false
            }
            None => false,
        }
    }

    /// Makes of reqwest's chain of errors one that a person can act on and that holds no address.
    fn explain(&self, error: &reqwest::Error, host: &str) -> NetError {
        let host = host.to_owned();
        let mut io = None;
        let mut link: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(cause) = link {
            if cause.is::<NotAllowed>() {
                return NetError::Refused { host };
            }
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return NetError::Tls { host, detail: trust::tls_text(tls) };
            }
            // What h2 reports of the socket itself is no fault of the protocol.
            if cause.downcast_ref::<h2::Error>().is_some_and(|h2| !h2.is_io()) {
                let now = Instant::now();
                let mut hosts = self.breaks_http2.lock().unwrap_or_else(PoisonError::into_inner);
                hosts.retain(|_, since| since.elapsed() < REMEMBER_HTTP1);
                hosts.insert(host.clone(), now);
                return NetError::Http2 { host };
            }
            if let Some(found) = cause.downcast_ref::<std::io::Error>() {
                io = Some(found.kind());
                // An io::Error hides what it carries from `source`.
                if let Some(carried) = found.get_ref() {
                    link = Some(carried);
                    continue;
                }
            }
            link = cause.source();
        }
        if error.is_dns() {
            NetError::Dns { host }
        } else if error.is_timeout() {
            NetError::Timeout { host }
        } else if error.is_connect() {
            NetError::Connect { host, detail: io_text(io).to_owned() }
        } else {
            NetError::Broken { host, detail: io_text(io).to_owned() }
        }
    }
}

/// What sends requests: never proxied, without cookies, with one idle connection a host.
fn speaker(
    user_agent: &str,
    guard: &Arc<Guard>,
    resolver: &Arc<dyn Resolver>,
    trust: &TrustStore,
    http2: bool,
) -> Result<reqwest::Client, NetError> {
    let protocols: &[&[u8]] = if http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
    let resolver = GuardedResolver { guard: Arc::clone(guard), inner: Arc::clone(resolver) };
    #[expect(clippy::disallowed_methods, reason = "this is `net`")]
    let builder = reqwest::Client::builder()
        .user_agent(user_agent)
        .tls_backend_preconfigured(trust.client_config(protocols)?)
        .dns_resolver(Arc::new(resolver))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        // Bodies are unpacked in `body`, whatever reqwest was built with.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(1);
    let builder = if http2 { builder } else { builder.http1_only() };
    builder.build().map_err(|error| NetError::Setup(root_text(&error)))
}

/// The User-Agent of PLATFORMS.md section 9.
fn user_agent(contact: &str) -> String {
    let contact: String = contact.trim().chars().filter(char::is_ascii_graphic).collect();
    match contact.as_str() {
        "" => concat!("clarion/", env!("CARGO_PKG_VERSION")).to_owned(),
        contact => format!(concat!("clarion/", env!("CARGO_PKG_VERSION"), " (+{})"), contact),
    }
}

/// The host, as errors name it.
fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().chars().take(255).collect()
}

fn encodings(headers: &HeaderMap) -> Vec<&str> {
    headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect()
}

/// The beginning of an error's body, as far as it can be had.
async fn read_some(mut response: reqwest::Response, headers: &HeaderMap) -> Vec<u8> {
    let mut wire = Vec::new();
    let until = Instant::now() + ERROR_PATIENCE;
    while wire.len() < ERROR_BYTES {
        match tokio::time::timeout_at(until, response.chunk()).await {
            Ok(Ok(Some(chunk))) => body::push(&mut wire, &chunk[..chunk.len().min(ERROR_BYTES)]),
            Ok(Ok(None) | Err(_)) | Err(_) => break,
        }
    }
    let encodings = encodings(headers);
    if !body::is_packed(&encodings) {
        return wire;
    }
    let Ok(mut unpacking) = Unpacking::new(&wire, &encodings, 2 * ERROR_BYTES) else { return Vec::new() };
    // A body that is cut off or too large is good enough up to there.
    let _ = unpacking.advance_to(ERROR_BYTES);
    unpacking.into_bytes()
}

fn io_text(kind: Option<std::io::ErrorKind>) -> &'static str {
    use std::io::ErrorKind;
    match kind {
        Some(ErrorKind::ConnectionRefused) => "the connection was refused",
        Some(ErrorKind::ConnectionReset) => "the connection was reset",
        Some(ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe | ErrorKind::NotConnected) => "the connection was dropped",
        Some(ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown) => "there is no way to it",
        Some(ErrorKind::TimedOut) => "no answer in time",
        Some(ErrorKind::UnexpectedEof) => "the answer ended too early",
        Some(_) => "the connection failed",
        None => "the answer is not valid HTTP, or ended too early",
    }
}

/// The innermost message of a chain: without the address that the outer ones hold.
fn root_text(error: &dyn StdError) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_names_the_contact_if_there_is_one() {
        assert_eq!(user_agent(""), format!("clarion/{}", env!("CARGO_PKG_VERSION")));
        assert_eq!(user_agent(" https://x.example/\r\n"), format!("clarion/{} (+https://x.example/)", env!("CARGO_PKG_VERSION")));
    }
}
