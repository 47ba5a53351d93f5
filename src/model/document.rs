//! What to ask for, and what came back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a server gave us to ask "has it changed?" with; kept byte for byte (RFC 9110 section 8.8), each byte as the
/// character of that number, since a header need not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Validators {
    /// `ETag` with its quotes and `W/`.
    pub etag: Option<String>,
    /// `Last-Modified` as received.
    pub last_modified: Option<String>,
    /// The address that gave them, where redirects led there: another one is never asked with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_by: Option<String>,
}

impl Validators {
    /// Whether there is nothing to ask with.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// Which secret a request is sent with; the secret itself stays with the fetcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Auth {
    #[default]
    None,
    /// The operator's GitHub token, where there is one.
    Github,
    /// The operator's key of the YouTube Data API.
    Youtube,
    /// The token of the operator's Twitch app.
    Twitch,
}

/// One thing to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// An absolute http or https address.
    pub url: String,
    /// The `Accept` header; empty for the default of feeds.
    pub accept: &'static str,
    /// Further headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub validators: Validators,
    pub auth: Auth,
    /// The most bytes taken after decompression; `None` for the configured cap.
    pub max_bytes: Option<u64>,
    /// The platform key of the one entry that the answer tells of; `None` where it is a list.
    pub about: Option<String>,
    /// JSON that is sent along by POST; `None` for a GET.
    pub body: Option<String>,
    /// The id of the account that the answer must be of, where it is known.
    pub account: Option<String>,
    /// What is older than this was read before.
    pub after: Option<Timestamp>,
    /// Asked only where the builder wants pushes recorded.
    pub of_pushes: bool,
}

impl Request {
    /// A plain GET of that address.
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            accept: "",
            headers: Vec::new(),
            validators: Validators::default(),
            auth: Auth::None,
            max_bytes: None,
            about: None,
            body: None,
            account: None,
            after: None,
            of_pushes: false,
        }
    }
}

/// How long the answer says that it stays fresh, and how soon we may come again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Freshness {
    /// `Cache-Control: max-age` or `Expires`, in seconds.
    pub max_age_s: Option<u64>,
    /// `X-Poll-Interval`, in seconds: a least gap that even a person's wish does not shorten.
    pub poll_interval_s: Option<u64>,
}

/// What came back, whole.
#[derive(Debug, Clone)]
pub struct Document {
    /// The address that answered, after redirects.
    pub final_url: String,
    /// Set when every hop was permanent (301, 308): where the source now lives.
    pub moved_to: Option<String>,
    pub status: u16,
    pub content_type: Option<String>,
    /// The body after decompression.
    pub bytes: Vec<u8>,
    pub validators: Validators,
    pub freshness: Freshness,
    /// The `Link: <…>; rel="next"` address, resolved.
    pub next_page: Option<String>,
    pub received_at: Timestamp,
}

impl Document {
    /// A document for tests and for files: these bytes, from that address, with nothing else known.
    pub fn of_bytes(final_url: impl Into<String>, bytes: impl Into<Vec<u8>>, received_at: Timestamp) -> Self {
        Self {
            final_url: final_url.into(),
            moved_to: None,
            status: 200,
            content_type: None,
            bytes: bytes.into(),
            validators: Validators::default(),
            freshness: Freshness::default(),
            next_page: None,
            received_at,
        }
    }
}
