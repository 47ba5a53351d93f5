//! The secrets of platforms that answer registered apps alone, and what such platforms say of their limits.
//!
//! In: keys and secrets of the operator. Out: headers for requests to the one place that each is for. The token of a Twitch
//! app is fetched when it is first needed and anew when it is refused. No secret ever stands in an address.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::outcome::{FetchError, FetchOutcome};
use super::{Fetcher, header};
use crate::config::BaseUrl;
use crate::model::Auth;
use crate::net::{Answer, Outgoing};

/// The Data API of YouTube.
#[derive(Debug, Clone)]
pub struct YoutubeAccess {
    /// Only requests to this origin are sent with the key.
    pub api_url: BaseUrl,
    pub key: SecretString,
}

/// The app by which Twitch is asked.
#[derive(Debug, Clone)]
pub struct TwitchAccess {
    /// Only requests to this origin are sent with the token.
    pub api_url: BaseUrl,
    /// Where the app gets its token (client credentials flow).
    pub token_url: BaseUrl,
    pub client_id: SecretString,
    pub client_secret: SecretString,
}

/// What the fetcher knows beside GitHub's token.
#[derive(Default)]
pub(super) struct Keys {
    youtube: Option<(Url, SecretString)>,
    twitch: Option<Twitch>,
}

struct Twitch {
    api: Url,
    access: TwitchAccess,
    token: Mutex<Option<Token>>,
}

struct Token {
    text: SecretString,
    until: Timestamp,
}

/// A token is not used in its last minutes.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// The most that is taken of the answer that holds a token.
const MAX_TOKEN_ANSWER: u64 = 16 << 10;

impl Fetcher {
    /// The same fetcher, with a key for YouTube's Data API.
    #[must_use]
    pub fn with_youtube(mut self, access: YoutubeAccess) -> Self {
        self.keys.youtube = Url::parse(access.api_url.as_str()).ok().map(|url| (url, access.key));
        self
    }

    /// The same fetcher, with an app for Twitch.
    #[must_use]
    pub fn with_twitch(mut self, access: TwitchAccess) -> Self {
        self.keys.twitch = Url::parse(access.api_url.as_str()).ok().map(|api| Twitch { api, access, token: Mutex::default() });
        self
    }

    /// Adds what a request to that address is to be sent with; an outcome where there is no way to ask.
    pub(super) async fn authorize(&self, auth: Auth, url: &Url, headers: &mut HeaderMap, deadline: Instant) -> Result<(), FetchOutcome> {
        match auth {
            Auth::None | Auth::Github => Ok(()),
            Auth::Youtube => {
                if let Some((api, key)) = &self.keys.youtube
                    && api.origin() == url.origin()
                {
                    put(headers, "x-goog-api-key", key.expose_secret());
                }
                Ok(())
            }
            Auth::Twitch => {
                let Some(twitch) = &self.keys.twitch else {
                    return Err(FetchOutcome::Failed(FetchError::NoAccess {
                        platform: "Twitch",
                        remedy: "make an app at dev.twitch.tv and name its files in `twitch.client_id_file` and `twitch.client_secret_file`",
                    }));
                };
                if twitch.api.origin() == url.origin() {
                    let token = self.twitch_token(twitch, deadline).await?;
                    put(headers, "client-id", twitch.access.client_id.expose_secret());
                    put(headers, "authorization", &format!("Bearer {}", token.expose_secret()));
                }
                Ok(())
            }
        }
    }

    /// Whether a refusal may come of a token that is over; it is forgotten then, and asking once more is worth it.
    pub(super) async fn forget_token(&self, auth: Auth, status: u16) -> bool {
        match (&self.keys.twitch, auth, status) {
            (Some(twitch), Auth::Twitch, 401) => twitch.token.lock().await.take().is_some(),
            _ => false,
        }
    }

    async fn twitch_token(&self, twitch: &Twitch, deadline: Instant) -> Result<SecretString, FetchOutcome> {
        let now = self.clock.now();
        // Whoever comes meanwhile waits for this one.
        let mut held = twitch.token.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.until > now) {
            return Ok(token.text.clone());
        }
        let url =
            Url::parse(twitch.access.token_url.as_str()).map_err(|_| FetchOutcome::Failed(crate::net::NetError::Unreadable.into()))?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", twitch.access.client_id.expose_secret())
            .append_pair("client_secret", twitch.access.client_secret.expose_secret())
            .append_pair("grant_type", "client_credentials")
            .finish();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let outgoing =
            Outgoing { method: Method::POST, url: &url, headers, body: Some(form.into_bytes()), max_bytes: MAX_TOKEN_ANSWER, deadline };
        let answer = self.client.send(outgoing).await.map_err(|error| FetchOutcome::Failed(error.into()))?;
        match answer.status {
            200..=299 => {
                let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                let text = value.get("access_token").and_then(serde_json::Value::as_str).map(str::trim).filter(|text| !text.is_empty());
                let Some(text) = text else {
                    return Err(FetchOutcome::Failed(FetchError::NoAccess {
                        platform: "Twitch",
                        remedy: "the answer held no token: it is asked again later",
                    }));
                };
                let lasts = value.get("expires_in").and_then(serde_json::Value::as_i64).unwrap_or(3_600);
                let until = now.saturating_add(SignedDuration::from_secs(lasts)).unwrap_or(Timestamp::MAX);
                let token = SecretString::from(text.to_owned());
                *held = Some(Token { text: token.clone(), until: until.saturating_sub(MARGIN).unwrap_or(until) });
                Ok(token)
            }
            400 | 401 | 403 => Err(FetchOutcome::Blocked {
                challenge: false,
                error: format!(
                    "Twitch does not know the app ({}): check the files in `twitch.client_id_file` and `twitch.client_secret_file`",
                    answer.status
                ),
            }),
            429 | 503 => Err(FetchOutcome::Deferred {
                until: header::retry_after(&answer.headers, now),
                error: format!("Twitch asks us to wait before it gives a token ({})", answer.status),
            }),
            status => {
                let host = url.host_str().unwrap_or_default().to_owned();
                Err(FetchOutcome::Failed(FetchError::Status { host, status }))
            }
        }
    }

    /// What a platform's own way of telling limits says: when it may be asked again.
    pub(super) fn platform_limit(auth: Auth, answer: &Answer, now: Timestamp) -> Option<Timestamp> {
        match auth {
            // Ratelimit-Reset (Helix guide, "Rate limits"): seconds since 1970.
            Auth::Twitch if answer.status == 429 => {
                let reset = header::text(&answer.headers, "ratelimit-reset")?.parse().ok()?;
                Timestamp::from_second(reset).ok().filter(|reset| *reset > now)
            }
            // Data API, "Errors": the units of a day are given anew at midnight in California.
            Auth::Youtube if answer.status == 403 && is_quota(&answer.body) => {
                let local = now.to_zoned(TimeZone::get("America/Los_Angeles").ok()?);
                Some(local.tomorrow().ok()?.start_of_day().ok()?.timestamp())
            }
            _ => None,
        }
    }
}

fn is_quota(body: &[u8]) -> bool {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let errors = value.pointer("/error/errors").and_then(serde_json::Value::as_array);
    errors
        .into_iter()
        .flatten()
        .filter_map(|error| error.get("reason")?.as_str())
        .any(|reason| matches!(reason, "quotaExceeded" | "dailyLimitExceeded"))
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(mut value) = HeaderValue::from_str(value.trim()) {
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
}
