//! Asks one address, politely, and tells what came of it.
//!
//! In: a [`Request`]. Out: a [`Fetch`]. Follows redirects, sends validators and secrets where they belong, reads what
//! the headers of an answer ask of us. Knows nothing of sources, of feeds or of what is due; deciding what to do about
//! an outcome is `schedule`'s.

mod access;
mod header;
mod outcome;
mod pace;
mod robots;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use url::Url;

pub use access::{TwitchAccess, YoutubeAccess};
pub use outcome::{Fetch, FetchError, FetchOutcome};
pub use robots::Visit;

use crate::clock::Clock;
use crate::config::{BaseUrl, NetworkConfig};
use crate::model::{Auth, Document, Request};
use crate::net::{Answer, Client, NetError, Outgoing};
use pace::{LONGEST_PAUSE, Pace, Turn};
use robots::{Robots, Rules};

/// What feeds are asked for with (PLATFORMS.md section 9).
const FEEDS: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1";
const CODINGS: &str = "gzip, br, zstd, deflate";
/// How long a host is left alone after an answer was cut off.
const PARTING: Duration = Duration::from_millis(200);
/// The version of GitHub's API that the collector was written for.
const GITHUB_VERSION: &str = "2022-11-28";

/// GitHub's API, which has rules of its own.
#[derive(Debug, Clone)]
pub struct GithubAccess {
    /// Only requests to this origin are sent with the token.
    pub api_url: BaseUrl,
    pub token: Option<SecretString>,
}

/// Asks. One for the whole program: it is what knows which host was asked when.
pub struct Fetcher {
    client: Client,
    pace: Pace,
    clock: Arc<dyn Clock>,
    github: Option<Url>,
    token: Option<SecretString>,
    keys: access::Keys,
    timeout: Duration,
    min_gap: Duration,
    max_body: u64,
    max_redirects: u32,
    robots: Robots,
}

/// Where a request has come to on its way through redirects.
struct Way {
    url: Url,
    hops: u32,
    /// Every hop so far was permanent.
    permanent: bool,
    status: Option<u16>,
    bytes: u64,
    error_body: Vec<u8>,
    /// What is left of the time for the whole.
    budget: Duration,
}

/// What one hop leads to.
enum Step {
    Done(FetchOutcome),
    Onward(Url),
    /// The same again, by another version of HTTP.
    Again,
}

impl Fetcher {
    /// A fetcher that goes by the system's names and certificate authorities.
    pub fn new(network: &NetworkConfig, github: GithubAccess, clock: Arc<dyn Clock>) -> Result<Self, NetError> {
        Ok(Self::with_client(Client::new(network)?, network, github, clock))
    }

    /// A fetcher that goes through that client.
    pub fn with_client(client: Client, network: &NetworkConfig, github: GithubAccess, clock: Arc<dyn Clock>) -> Self {
        Self {
            client,
            pace: Pace::new(network.concurrency, network.min_gap.0, Arc::clone(&clock)),
            clock,
            github: Url::parse(github.api_url.as_str()).ok(),
            token: github.token,
            keys: access::Keys::default(),
            timeout: network.timeout.0,
            min_gap: network.min_gap.0,
            max_body: network.max_body.0,
            max_redirects: network.max_redirects,
            robots: Robots::default(),
        }
    }

    /// The client, for what is checked at the start or when an address is registered.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Leaves the host of that address alone until then: for what is remembered from before a restart.
    pub fn close(&self, url: &str, until: Timestamp) {
        if let Ok(url) = Url::parse(url) {
            self.pace.close(&host_key(&url), until);
        }
    }

    /// The host of that address was asked so long ago, by a process before this one: the gap counts from then.
    pub fn was_asked(&self, url: &str, ago: Duration) {
        if let (Ok(url), Some(at)) = (Url::parse(url), Instant::now().checked_sub(ago)) {
            self.pace.was_asked(&host_key(&url), at);
        }
    }

    /// Asks, following redirects. Waits for the host's turn first; the time limit counts from when it has come.
    pub async fn fetch(&self, request: &Request) -> Fetch {
        let mut elapsed = Duration::ZERO;
        let Ok(url) = Url::parse(request.url.trim()) else {
            return Fetch {
                outcome: FetchOutcome::Failed(NetError::Unreadable.into()),
                status: None,
                elapsed_ms: 0,
                bytes: 0,
                error_body: Vec::new(),
            };
        };
        let mut way = Way { url, hops: 0, permanent: true, status: None, bytes: 0, error_body: Vec::new(), budget: self.timeout };
        way.url.set_fragment(None);
        let outcome = self.follow(request, &mut way, &mut elapsed).await;
        let elapsed_ms = u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX);
        Fetch { outcome, status: way.status, elapsed_ms, bytes: way.bytes, error_body: way.error_body }
    }

    /// Whether the site lets programs read that page. Asks for its robots.txt at most once a day.
    pub async fn may_visit(&self, url: &str) -> Visit {
        let Ok(url) = Url::parse(url.trim()) else { return Visit::Unknown(NetError::Unreadable.to_string()) };
        let now = self.clock.now();
        let origin = url.origin().ascii_serialization();
        let rules = match self.robots.known(&origin, now) {
            Some(rules) => rules,
            None => match self.ask_robots(&origin).await {
                Ok(rules) => self.robots.remember(origin, rules, now),
                Err(reason) => return Visit::Unknown(reason),
            },
        };
        if rules.allow(&url) { Visit::Allowed } else { Visit::Disallowed }
    }

    async fn ask_robots(&self, origin: &str) -> Result<Rules, String> {
        let request = Request { accept: "text/plain, */*;q=0.1", ..Request::get(format!("{origin}/robots.txt")) };
        let fetched = self.fetch(&request).await;
        match fetched.outcome {
            FetchOutcome::Fetched(document) => Ok(Rules::read(&document.bytes)),
            // There are no rules (RFC 9309 section 2.3.1.3).
            FetchOutcome::Gone
            | FetchOutcome::Blocked { .. }
            | FetchOutcome::Failed(FetchError::TooManyRedirects { .. } | FetchError::BadRedirect { .. }) => Ok(Rules::default()),
            FetchOutcome::Failed(_) if fetched.status.is_some_and(|status| (400..500).contains(&status)) => Ok(Rules::default()),
            FetchOutcome::Failed(error) => Err(error.to_string()),
            FetchOutcome::Deferred { error, .. } => Err(error),
            FetchOutcome::Held { until } => Err(format!("the site asks to be left alone until {until:.0}")),
            FetchOutcome::NotModified { .. } => Err("the site answers that nothing changed, although it was not asked that".into()),
        }
    }

    async fn follow(&self, request: &Request, way: &mut Way, elapsed: &mut Duration) -> FetchOutcome {
        loop {
            // What cannot be asked takes no turn.
            if let Err(error) = self.client.guard().check(&way.url) {
                return FetchOutcome::Failed(error.into());
            }
            let host = host_key(&way.url);
            let waiting = Instant::now();
            let mut turn = match self.pace.turn(&host).await {
                Ok(turn) => turn,
                Err(until) => return FetchOutcome::Held { until },
            };
            if way.hops > 0 {
                // A queue is no fault of this request, the gap that it brings about itself is part of it.
                way.budget = way.budget.saturating_sub(waiting.elapsed().min(self.min_gap));
            }
            let begun = Instant::now();
            let deadline = begun + way.budget;
            let step = self.stay(request, way, &host, &mut turn, deadline).await;
            drop(turn);
            let spent = begun.elapsed();
            *elapsed += spent;
            way.budget = way.budget.saturating_sub(spent);
            match step {
                Ok(url) => way.url = url,
                Err(outcome) => return outcome,
            }
        }
    }

    /// All that is asked of one host in a row; `Ok` is an address on another host.
    async fn stay(
        &self,
        request: &Request,
        way: &mut Way,
        host: &str,
        turn: &mut Turn<'_>,
        deadline: Instant,
    ) -> Result<Url, FetchOutcome> {
        let mut retried = false;
        loop {
            match self.ask(request, way, host, turn, deadline, retried).await {
                Step::Done(outcome) => return Err(outcome),
                Step::Onward(url) if host_key(&url) != host => return Ok(url),
                Step::Onward(url) => way.url = url,
                Step::Again => retried = true,
            }
            if let Err(error) = self.client.guard().check(&way.url) {
                return Err(FetchOutcome::Failed(error.into()));
            }
            if let Err(until) = turn.again().await {
                return Err(FetchOutcome::Held { until });
            }
        }
    }

    async fn ask(&self, request: &Request, way: &mut Way, host: &str, turn: &mut Turn<'_>, deadline: Instant, retried: bool) -> Step {
        let mut headers = self.headers(request, way);
        // Secrets are shown to none but the place that was asked first.
        if way.hops == 0
            && let Err(outcome) = self.authorize(request.auth, &way.url, &mut headers, deadline).await
        {
            return Step::Done(outcome);
        }
        let outgoing = Outgoing {
            method: if request.body.is_some() { Method::POST } else { Method::GET },
            url: &way.url,
            headers,
            body: request.body.as_ref().map(|body| body.clone().into_bytes()),
            max_bytes: request.max_bytes.unwrap_or(self.max_body),
            deadline,
        };
        let answer = match self.client.send(outgoing).await {
            Ok(answer) => answer,
            Err(error) => {
                turn.asked(Instant::now());
                way.status = None;
                if matches!(error, NetError::TooLarge { .. } | NetError::Timeout { .. }) {
                    // The server needs a moment to see that we went away; until then the request is open on its side.
                    tokio::time::sleep(PARTING).await;
                }
                return match error {
                    NetError::Http2 { .. } if !retried => Step::Again,
                    error => Step::Done(FetchOutcome::Failed(error.into())),
                };
            }
        };
        turn.asked(answer.head_at);
        way.status = Some(answer.status);
        way.bytes = answer.body.len() as u64;
        if matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
            // A question with a body is put to the address that was meant, and to no other.
            if request.body.is_some() {
                return Step::Done(FetchOutcome::Failed(FetchError::BadRedirect { host: shown_host(&way.url) }));
            }
            return self.redirect(way, &answer);
        }
        if !retried && self.forget_token(request.auth, answer.status).await {
            return Step::Again;
        }
        if answer.status >= 400 {
            way.error_body.clone_from(&answer.body);
        }
        Step::Done(self.outcome(request, way, host, turn, answer))
    }

    fn redirect(&self, way: &mut Way, answer: &Answer) -> Step {
        let failed = |error| Step::Done(FetchOutcome::Failed(error));
        let host = shown_host(&way.url);
        // Browsers and servers agree to read the bytes as UTF-8, whatever the header rules say.
        let Some(location) = answer.headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned()) else {
            return failed(FetchError::BadRedirect { host });
        };
        let Ok(mut url) = way.url.join(&location) else { return failed(FetchError::BadRedirect { host }) };
        if way.hops >= self.max_redirects {
            return failed(FetchError::TooManyRedirects { host, limit: self.max_redirects });
        }
        url.set_fragment(None);
        way.hops += 1;
        way.permanent &= matches!(answer.status, 301 | 308);
        Step::Onward(url)
    }

    fn outcome(&self, request: &Request, way: &Way, host: &str, turn: &Turn<'_>, answer: Answer) -> FetchOutcome {
        let now = self.clock.now();
        let shown = shown_host(&way.url);
        let headers = &answer.headers;
        let freshness = || header::freshness(headers, now);
        let giver = (way.hops > 0).then_some(&way.url);
        let moved_to = giver.filter(|_| way.permanent).map(Url::to_string);
        if self.is_github(&way.url)
            && let Some(outcome) = self.github_limit(host, &answer, now)
        {
            return outcome;
        }
        if way.hops == 0
            && let Some(until) = Self::platform_limit(request.auth, &answer, now)
        {
            self.pace.close(host, until);
            return FetchOutcome::Deferred { until: Some(until), error: format!("a limit of {shown} is used up ({})", answer.status) };
        }
        match answer.status {
            206 => FetchOutcome::Failed(FetchError::Status { host: shown, status: 206 }),
            200..=299 => {
                turn.welcome();
                FetchOutcome::Fetched(Document {
                    final_url: way.url.to_string(),
                    moved_to,
                    status: answer.status,
                    content_type: header::text(headers, "content-type"),
                    validators: header::validators(headers, giver),
                    freshness: freshness(),
                    next_page: header::next_page(headers, &way.url),
                    received_at: now,
                    bytes: answer.body,
                })
            }
            304 if !asks_for_change(request, way) => FetchOutcome::Failed(FetchError::UnaskedNotModified { host: shown }),
            304 => {
                turn.welcome();
                let told = header::validators(headers, giver);
                let mut validators = request.validators.clone();
                validators.etag = told.etag.or(validators.etag);
                validators.last_modified = told.last_modified.or(validators.last_modified);
                FetchOutcome::NotModified { validators, freshness: freshness(), final_url: way.url.to_string(), moved_to }
            }
            410 => FetchOutcome::Gone,
            status if header::is_challenge(headers) => blocked(&shown, status, true),
            // Whoever names a time is believed, whatever the status is (RFC 9110 section 10.2.3).
            status @ (403 | 429 | 500..=599) if let Some(until) = header::retry_after(headers, now) => {
                self.pace.close(host, until);
                FetchOutcome::Deferred { until: Some(until), error: format!("{shown} asks us to wait ({status})") }
            }
            status @ (401 | 403) => blocked(&shown, status, header::is_html(headers)),
            status @ (429 | 503) => FetchOutcome::Deferred { until: None, error: format!("{shown} asks us to wait ({status})") },
            status => FetchOutcome::Failed(FetchError::Status { host: shown, status }),
        }
    }

    /// GitHub's limits (REST documentation, "rate limits" and "best practices"): they are of the token or of our
    /// address, so they hold for every source there, and none of them is a refusal.
    fn github_limit(&self, host: &str, answer: &Answer, now: Timestamp) -> Option<FetchOutcome> {
        let spent = header::text(&answer.headers, "x-ratelimit-remaining").is_some_and(|left| left == "0");
        let reset = header::text(&answer.headers, "x-ratelimit-reset")
            .and_then(|seconds| Timestamp::from_second(seconds.parse().ok()?).ok())
            .filter(|reset| spent && *reset > now)
            // Its clock and ours may differ by a little.
            .map(|reset| reset.saturating_add(SignedDuration::from_secs(1)).unwrap_or(reset).min(now + LONGEST_PAUSE));
        if !matches!(answer.status, 403 | 429) {
            // This was the last one for now: the next would be refused.
            if let Some(reset) = reset {
                self.pace.close(host, reset);
            }
            return None;
        }
        let until = header::retry_after(&answer.headers, now).or(reset);
        let told = || {
            let body = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
            body.contains("secondary rate limit") || body.contains("rate limit exceeded") || body.contains("abuse detection")
        };
        let until = match until {
            Some(until) => {
                self.pace.close(host, until);
                until
            }
            None if answer.status == 429 || spent || told() => self.pace.pause(host),
            None => return None,
        };
        Some(FetchOutcome::Deferred { until: Some(until), error: format!("a limit of {host} is used up ({})", answer.status) })
    }

    fn headers(&self, request: &Request, way: &Way) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(if request.accept.is_empty() { FEEDS } else { request.accept }));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(CODINGS));
        if asks_for_change(request, way) {
            for (name, kept) in [(IF_NONE_MATCH, &request.validators.etag), (IF_MODIFIED_SINCE, &request.validators.last_modified)] {
                if let Some(value) = kept.as_deref().and_then(header::validator) {
                    headers.insert(name, value);
                }
            }
        }
        let mut insert = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.insert(name, value);
            }
        };
        // What was meant for one host is not shown to another.
        let own = way.hops == 0 || Url::parse(request.url.trim()).is_ok_and(|first| first.origin() == way.url.origin());
        if own {
            for (name, value) in &request.headers {
                insert(HeaderName::from_static(name), value);
            }
        }
        if request.body.is_some() {
            insert(CONTENT_TYPE, "application/json");
        }
        if request.auth == Auth::Github && own && self.is_github(&way.url) {
            insert(HeaderName::from_static("x-github-api-version"), GITHUB_VERSION);
            if let Some(token) = &self.token
                && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret().trim()))
            {
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
        }
        headers
    }

    fn is_github(&self, url: &Url) -> bool {
        self.github.as_ref().is_some_and(|github| github.origin() == url.origin())
    }
}

/// Whether this stop on the way is asked "has it changed?": only the address that gave the validators knows them.
fn asks_for_change(request: &Request, way: &Way) -> bool {
    let validators = &request.validators;
    let is_their_giver = match &validators.given_by {
        Some(giver) => giver == way.url.as_str(),
        None => way.hops == 0,
    };
    is_their_giver && !validators.is_empty()
}

fn blocked(host: &str, status: u16, challenge: bool) -> FetchOutcome {
    let error = match (status, challenge) {
        (_, true) => format!(
            "{host} answers {status} with a page meant for browsers; its owner can let feed readers through by allowing our User-Agent"
        ),
        (401, _) => format!("{host} wants a log-in (401)"),
        _ => format!("{host} refuses us ({status})"),
    };
    FetchOutcome::Blocked { challenge, error }
}

/// What politeness counts by: the name without port, in lower case, without the dot of the root.
fn host_key(url: &Url) -> String {
    url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase()
}

/// The host, as sentences name it.
fn shown_host(url: &Url) -> String {
    url.host_str().unwrap_or_default().chars().take(255).collect()
}
