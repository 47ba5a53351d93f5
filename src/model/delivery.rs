//! What became of sending a digest somewhere, and what people posted of it by hand.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ActivityId, BuilderId, Week};

/// Where one message to one place stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be sent.
    Planned,
    /// An attempt is under way; nothing can have arrived yet.
    Trying,
    /// An attempt is under way, and the message may have arrived.
    Offered,
    /// The other side took it.
    Sent,
    /// It may have arrived, and the place gives no way to know: a person decides.
    Doubt,
    /// Given up: refused for good, or tried for too long.
    Failed,
}

impl DeliveryState {
    const ALL: [Self; 6] = [Self::Planned, Self::Trying, Self::Offered, Self::Sent, Self::Doubt, Self::Failed];

    /// The name in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Trying => "trying",
            Self::Offered => "offered",
            Self::Sent => "sent",
            Self::Doubt => "doubt",
            Self::Failed => "failed",
        }
    }

    /// The state of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A post about a featured work that a person made on some channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amplified {
    pub week: Week,
    pub work: ActivityId,
    /// Everybody who made the work, by id.
    pub builders: Vec<BuilderId>,
    pub channel: String,
    pub url: String,
    /// Who posted or recorded it.
    pub by: String,
    pub at: Timestamp,
}
