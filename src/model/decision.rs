//! What a person did: who, when, what, why.

use serde::{Deserialize, Serialize};

use super::{ActivityId, BuilderId, Edit, Mark, SourceId, Week};

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum DecisionKind {
    /// The draft of that week, with that hash, may be published.
    Approve {
        week: Week,
        draft: String,
    },
    /// The approval is taken back before publication.
    PullBack {
        week: Week,
    },
    /// The approved digest of that week goes out.
    Publish {
        week: Week,
    },
    /// A message of which nobody knew whether it had arrived: it had, or it is sent again.
    SettleDelivery {
        week: Week,
        channel: String,
        part: u32,
        sent: bool,
    },
    /// A work of that week was posted there by hand.
    Posted {
        week: Week,
        work: ActivityId,
        channel: String,
        url: String,
    },
    /// Something done to the draft of that week, as its edit of that number.
    Edit {
        week: Week,
        revision: u32,
        what: Edit,
    },
    /// A mark beside the draft of that week.
    Mark {
        week: Week,
        what: Mark,
    },
    /// A mistake in the published digest of that week, put right in words.
    Correct {
        week: Week,
        text: String,
    },
    /// A work is taken out of the published digest of that week, for a reason that readers are told.
    Remove {
        week: Week,
        work: ActivityId,
        reason: String,
    },
    /// The source is not polled until resumed.
    Pause {
        source: SourceId,
    },
    Resume {
        source: SourceId,
    },
    /// Two activities are one work.
    Merge {
        one: ActivityId,
        other: ActivityId,
    },
    /// The builder's data is taken out, on their wish.
    Erase {
        builder: BuilderId,
    },
    /// Two activities are two works, whatever the rules find.
    Split {
        one: ActivityId,
        other: ActivityId,
    },
    /// The last such split of the two is taken back: what was decided before it, or the rules, count again.
    Unsplit {
        one: ActivityId,
        other: ActivityId,
    },
}

impl DecisionKind {
    /// The two activities that were joined or parted.
    pub fn pair(&self) -> Option<[&ActivityId; 2]> {
        match self {
            Self::Merge { one, other } | Self::Split { one, other } | Self::Unsplit { one, other } => Some([one, other]),
            _ => None,
        }
    }

    /// The same, to be told otherwise.
    pub fn pair_mut(&mut self) -> Option<[&mut ActivityId; 2]> {
        match self {
            Self::Merge { one, other } | Self::Split { one, other } | Self::Unsplit { one, other } => Some([one, other]),
            _ => None,
        }
    }
}

/// What a person did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who: a name of the system or of `--as`.
    pub by: String,
    #[serde(flatten)]
    pub what: DecisionKind,
    /// Why, in their own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
