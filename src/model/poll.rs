//! The record of one poll: operational, prunable, no fact.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::SourceId;

/// What came of a poll, for one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum PollOutcome {
    /// Read, with so many entries new, changed and left.
    Read { entries: u32, new: u32, changed: u32, left: u32 },
    /// 304, or the very bytes of last time.
    Unchanged,
    /// Read well, and holds nothing.
    Empty,
    /// 429 or 503: the host wants quiet.
    Deferred { until: Timestamp },
    /// 410.
    Gone,
    /// 401, 403, or a bot challenge.
    Blocked { error: String },
    /// Anything else that kept us from reading it, in a sentence.
    Failed { error: String },
    /// Not asked: something said not to come before then.
    Held { until: Timestamp },
}

impl PollOutcome {
    /// The name used in tables and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Read { .. } => "read",
            Self::Unchanged => "unchanged",
            Self::Empty => "empty",
            Self::Deferred { .. } => "deferred",
            Self::Gone => "gone",
            Self::Blocked { .. } => "blocked",
            Self::Failed { .. } => "failed",
            Self::Held { .. } => "held",
        }
    }
}

/// The record of one poll of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    pub source: SourceId,
    pub at: Timestamp,
    #[serde(flatten)]
    pub outcome: PollOutcome,
    /// The last HTTP status, where there was an answer.
    pub status: Option<u16>,
    pub elapsed_ms: u32,
    /// Bytes after decompression.
    pub bytes: u64,
}
