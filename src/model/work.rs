//! One piece of content: a cluster of activities that are the same thing, with the reason for each merge.

use serde::{Deserialize, Serialize};

use super::{ActivityId, Topic};

/// Which rule of DIGEST.md section 2 joined an activity to its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeRule {
    /// The first of its work: joined to nothing.
    Alone,
    /// Rule 1: equal addresses.
    SameAddress,
    /// Rule 2: one names the other's address as canonical.
    SameCanonical,
    /// Rule 3: same builder, another host, like titles with the same numbers.
    CrossPost,
    /// Rule 4: same builder, same text.
    SameText,
    /// A recording and its article: one links to the other, and their titles have much in common.
    Companion,
    /// A person said so.
    Decision,
}

impl MergeRule {
    /// The name in tables and exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::SameAddress => "same_address",
            Self::SameCanonical => "same_canonical",
            Self::CrossPost => "cross_post",
            Self::SameText => "same_text",
            Self::Companion => "companion",
            Self::Decision => "decision",
        }
    }

    /// The rule of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Alone, Self::SameAddress, Self::SameCanonical, Self::CrossPost, Self::SameText, Self::Companion, Self::Decision]
            .into_iter()
            .find(|rule| rule.as_str() == text)
    }
}

/// One activity of a work, and why it belongs there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkMember {
    pub activity: ActivityId,
    pub rule: MergeRule,
    /// The member that it was joined to.
    pub joined_to: Option<ActivityId>,
}

/// One piece of content. Its id is its smallest activity id; nothing stores it for long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    pub id: ActivityId,
    /// The member whose address, title and summary stand for the work.
    pub primary: ActivityId,
    /// Ordered by activity id.
    pub members: Vec<WorkMember>,
    pub topic: Topic,
}
