//! Webhooks: a signed POST of JSON, and the incoming webhooks of Slack, Discord and Teams. All pass the one guarded
//! client; redirects are not followed.
//!
//! The signature is HMAC-SHA256 (RFC 2104) over the time in seconds, a dot, and the body, as docs/delivery.md tells.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use tokio::time::Instant;
use url::Url;

use super::{End, Parcel, read_secret, said};
use crate::config::{ChannelKind, DeliveryConfig};
use crate::model::hex;
use crate::net::{Answer, Client, NetError, Outgoing};

/// The longest that one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most that is read of an answer.
const ANSWER: u64 = 64 << 10;

/// A request that can be sent.
pub(super) struct Request<'a> {
    client: &'a Client,
    kind: ChannelKind,
    url: Url,
    secret: Option<SecretString>,
}

/// Reads the address and the secret, and asks the guard.
pub(super) fn prepare<'a>(config: &DeliveryConfig, client: &'a Client) -> Result<Request<'a>, End> {
    let address: SecretString = match (&config.url_file, &config.url) {
        (Some(file), _) => read_secret(file)?,
        (None, Some(url)) => url.clone().into(),
        (None, None) => return Err(End::later("`url` is not set")),
    };
    let mut url =
        Url::parse(address.expose_secret().trim()).map_err(|_| End::later("the channel's address is not one that can be asked"))?;
    if let Err(error) = client.guard().check(&url) {
        return Err(End::later(error.to_string()));
    }
    if config.kind == ChannelKind::Discord && !url.query_pairs().any(|(name, _)| name == "wait") {
        // With it Discord says whether the message was made, and which it is.
        url.query_pairs_mut().append_pair("wait", "true");
    }
    let secret = config.secret_file.as_deref().map(read_secret).transpose()?;
    Ok(Request { client, kind: config.kind, url, secret })
}

/// Posts the parcel; to Slack, where it refuses the form of the blocks, once more in their older form.
pub(super) async fn complete(request: Request<'_>, parcel: &Parcel) -> End {
    let end = judge(request.kind, post(&request, parcel, &parcel.body).await);
    match (&end, &parcel.fallback) {
        (End::Refused(reason), Some(fallback)) if request.kind == ChannelKind::Slack && reason.contains("invalid_") => {
            judge(request.kind, post(&request, parcel, fallback).await)
        }
        _ => end,
    }
}

async fn post(request: &Request<'_>, parcel: &Parcel, body: &[u8]) -> Result<Answer, NetError> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("accept", HeaderValue::from_static("application/json, text/plain;q=0.9, */*;q=0.1"));
    if request.kind == ChannelKind::Webhook {
        let mut add = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        add("x-clarion-event", "digest.published".to_owned());
        add("x-clarion-delivery", parcel.mark.clone());
        add("x-clarion-timestamp", parcel.at_s.to_string());
        if let Some(secret) = &request.secret {
            add("x-clarion-signature", format!("sha256={}", sign(secret.expose_secret().as_bytes(), parcel.at_s, body)));
        }
    }
    let outgoing = Outgoing {
        method: Method::POST,
        url: &request.url,
        headers,
        body: Some(body.to_vec()),
        max_bytes: ANSWER,
        deadline: Instant::now() + PATIENCE,
    };
    request.client.send(outgoing).await
}

/// HMAC-SHA256 over `timestamp.body`, hex.
pub fn sign(secret: &[u8], at_s: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(at_s.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    hex(&mac.finalize().into_bytes())
}

fn judge(kind: ChannelKind, answer: Result<Answer, NetError>) -> End {
    let answer = match answer {
        Ok(answer) => answer,
        // Nothing was sent: no name, no connection, no trust.
        Err(
            error @ (NetError::Dns { .. }
            | NetError::Connect { .. }
            | NetError::Tls { .. }
            | NetError::NoRoots(_)
            | NetError::Refused { .. }
            | NetError::Unreadable
            | NetError::Scheme(_)
            | NetError::UserInfo
            | NetError::Setup(_)),
        ) => return End::later(error.to_string()),
        // The head said that it was taken, only the rest of the answer was of no use.
        Err(error @ (NetError::TooLarge { .. } | NetError::Encoding { .. })) => return End::Accepted(error.to_string()),
        Err(error @ (NetError::Timeout { .. } | NetError::Broken { .. } | NetError::Http2 { .. })) => {
            return End::Unknown(error.to_string());
        }
    };
    let words = said(&String::from_utf8_lossy(&answer.body));
    let status = answer.status;
    // Some Teams addresses answer 200 and say in words that the message was not delivered.
    if kind == ChannelKind::Teams && words.contains("Webhook message delivery failed") {
        return End::later(words);
    }
    match status {
        200..=299 => {
            let id = if kind == ChannelKind::Discord { message_id(&answer.body) } else { None };
            End::Accepted(id.map_or_else(|| format!("answered {status}"), |id| format!("answered {status}, message {id}")))
        }
        408 | 425 | 429 | 500 | 503 => End::Later { reason: format!("answered {status}: {words}"), after: retry_after(&answer.headers) },
        // A gateway between us and the channel gave up: what was behind it may have gone on.
        502 | 504 => End::Unknown(format!("answered {status}: {words}")),
        300..=399 => End::Refused(format!("answered {status}: the address has moved, and redirects are not followed")),
        _ => End::Refused(format!("answered {status}: {words}")),
    }
}

fn message_id(body: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    answer["id"].as_str().filter(|id| id.len() <= 30 && id.bytes().all(|b| b.is_ascii_digit())).map(str::to_owned)
}

/// Whole or broken seconds; a date would need a clock and is given by none of these.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let seconds: u64 = whole.parse().ok()?;
    let more = u64::from(rest.bytes().any(|b| b != b'0'));
    Some(Duration::from_secs(seconds.saturating_add(more).min(86_400)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_hmac_of_time_and_body() {
        // RFC 4231, test case 2, is `what do ya want for nothing?` under `Jefe`; here a dot and a time stand before it, so
        // it is computed once more by the definition of RFC 2104.
        use sha2::Digest as _;
        let body = b"{\"week\":\"2026-W47\"}";
        for secret in [&b"Jefe"[..], &[0xAA; 131]] {
            let mut key = [0u8; 64];
            if secret.len() > 64 {
                key[..32].copy_from_slice(&Sha256::digest(secret));
            } else {
                key[..secret.len()].copy_from_slice(secret);
            }
            let pad = |with: u8| key.map(|byte| byte ^ with).to_vec();
            let inner = Sha256::digest([pad(0x36), b"1764064800.".to_vec(), body.to_vec()].concat());
            let outer = Sha256::digest([pad(0x5C), inner.to_vec()].concat());
            assert_eq!(sign(secret, 1_764_064_800, body), hex(&outer));
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands where an error could")]
    fn answer(status: u16, body: &str) -> Result<Answer, NetError> {
        Ok(Answer { status, head_at: Instant::now(), headers: HeaderMap::new(), body: body.as_bytes().to_vec() })
    }

    #[test]
    fn what_cannot_have_arrived_is_tried_again_and_what_may_have_is_in_doubt() {
        let kind = ChannelKind::Slack;
        assert!(matches!(judge(kind, answer(200, "ok")), End::Accepted(_)));
        assert!(matches!(judge(kind, answer(404, "no_service")), End::Refused(_)));
        assert!(matches!(judge(kind, answer(302, "")), End::Refused(_)));
        assert!(matches!(judge(kind, answer(503, "")), End::Later { .. }));
        assert!(matches!(judge(kind, answer(504, "")), End::Unknown(_)));
        let host = || "hooks.example".to_owned();
        assert!(matches!(judge(kind, Err(NetError::Connect { host: host(), detail: String::new() })), End::Later { .. }));
        assert!(matches!(judge(kind, Err(NetError::Refused { host: host() })), End::Later { .. }));
        assert!(matches!(judge(kind, Err(NetError::Timeout { host: host() })), End::Unknown(_)));
        assert!(matches!(judge(kind, Err(NetError::Broken { host: host(), detail: String::new() })), End::Unknown(_)));
        assert!(matches!(judge(ChannelKind::Teams, answer(200, "Webhook message delivery failed with error: 429")), End::Later { .. }));
        assert_eq!(judge(ChannelKind::Discord, answer(200, "{\"id\":\"123\"}")), End::Accepted("answered 200, message 123".to_owned()));
    }

    #[test]
    fn a_pause_that_was_asked_for_is_kept() {
        let after = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", HeaderValue::from_static(text));
            retry_after(&headers).map(|pause| pause.as_secs())
        };
        assert_eq!(
            [after("30"), after("0.4"), after("1.0"), after("soon"), after("99999999")],
            [Some(30), Some(1), Some(1), None, Some(86_400)]
        );
    }
}
