//! What comes of asking.
//!
//! Everything that goes wrong out there is an outcome. The sentences are for people: no part of an address but its host
//! stands in them.

use jiff::Timestamp;

use crate::model::{Document, Freshness, Validators};
use crate::net::NetError;

/// What came of one request, and what it cost.
#[derive(Debug, Clone)]
pub struct Fetch {
    pub outcome: FetchOutcome,
    /// The last HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// From the first byte sent to the last received, without the wait for the host's turn.
    pub elapsed_ms: u32,
    /// Bytes after decompression.
    pub bytes: u64,
    /// The body of an answer that was an error, as far as it was read: platforms say there what they mean.
    pub error_body: Vec<u8>,
}

/// What came of one request.
#[derive(Debug, Clone)]
pub enum FetchOutcome {
    /// A document, whole.
    Fetched(Document),
    /// 304: what we have is what there is. The validators are those to ask with next time.
    NotModified {
        validators: Validators,
        freshness: Freshness,
        /// The address that answered, after redirects.
        final_url: String,
        /// Set when every hop was permanent.
        moved_to: Option<String>,
    },
    /// The host wants quiet (429, 503, a limit of GitHub): until then, or for as long as ordinary back-off says.
    Deferred { until: Option<Timestamp>, error: String },
    /// Not asked at all: the host was told to be left alone until then.
    Held { until: Timestamp },
    /// 410.
    Gone,
    /// 401 or 403: we are not welcome. `challenge` when a protection service wants to see a browser.
    Blocked { challenge: bool, error: String },
    /// Anything else that kept us from reading it.
    Failed(FetchError),
}

/// Why nothing could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("{host} answers {status}{}", reason(*.status))]
    Status { host: String, status: u16 },
    #[error("{host} answers 304 although nothing is known of its document")]
    UnaskedNotModified { host: String },
    #[error("too many redirects: more than {limit}, the last from {host}")]
    TooManyRedirects { host: String, limit: u32 },
    #[error("{host} redirects without saying where to")]
    BadRedirect { host: String },
}

impl FetchError {
    /// Whether the fault may be our own network's rather than the source's.
    pub fn may_be_ours(&self) -> bool {
        matches!(self, Self::Net(error) if error.may_be_ours())
    }
}

/// What a status means, for those who do not know the number.
fn reason(status: u16) -> String {
    match reqwest::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()) {
        Some(reason) => format!(" ({reason})"),
        None => String::new(),
    }
}
