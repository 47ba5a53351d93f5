//! One line of the log.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The place of a fact in the log: 1, 2, 3 …, without gaps that mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub i64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! fact_kinds {
    ($($(#[$doc:meta])* $variant:ident => $text:literal),+ $(,)?) => {
        /// What a line of the log says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FactKind { $($(#[$doc])* $variant),+ }

        impl FactKind {
            /// Every kind.
            pub const ALL: &'static [FactKind] = &[$(FactKind::$variant),+];

            /// The name in the log.
            pub fn as_str(self) -> &'static str {
                match self { $(FactKind::$variant => $text),+ }
            }

            /// The kind of that name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
            }
        }
    };
}

fact_kinds! {
    /// An entry seen for the first time at its source.
    EntrySeen => "EntrySeen",
    /// The source tells the entry otherwise than before, or shows it again.
    EntryChanged => "EntryChanged",
    /// The source does not show the entry any more.
    EntryLeft => "EntryLeft",
    /// Engagement counts of an entry at an age of the grid.
    Sampled => "Sampled",
    /// What a link answered.
    LinkChecked => "LinkChecked",
    /// A builder or source added, changed, left.
    RosterChanged => "RosterChanged",
    /// The digest's configuration as effective, verbatim.
    ConfigAdopted => "ConfigAdopted",
    /// A new version of our own rules.
    RulesAdopted => "RulesAdopted",
    /// What a person did.
    Decision => "Decision",
    /// A draft and its inputs.
    DraftMade => "DraftMade",
    /// A published edition and its hash.
    DigestSealed => "DigestSealed",
    /// Intent and result of a sending.
    Delivery => "Delivery",
}

/// One line of the log, never rewritten. `subject` is an opaque id; names, addresses and texts stand in the erasable
/// payload beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub seq: Seq,
    pub at: Timestamp,
    pub kind: FactKind,
    /// What it is about: `s12`, `b7`, `2026-W47`, a hash.
    pub subject: String,
    /// Opaque detail as JSON; empty where there is none.
    pub detail: String,
    /// The erasable text, as JSON.
    pub payload: Option<String>,
}
