//! What editors do with a draft, and what they see of it.
//!
//! A draft is computed once, with its [`Pool`]: all works that could have a place in it. Each [`Edit`] is laid over it,
//! in order, and numbered; what stands on the desk after the last one is a [`Desk`].

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ActivityId, BuilderId, Digest, DigestState, OutcomeCode, Pick, Reason, Week};

/// Which text of a pick an editor writes anew.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wording {
    /// An English gloss under the title, which itself stays as its author wrote it.
    TitleGloss,
    Summary,
    /// The draft of a post, for one network or, where none is named, for all.
    Social(Option<Network>),
}

/// A social network that posts are drafted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    X,
    Bluesky,
    Mastodon,
    Linkedin,
}

impl Network {
    /// Every network.
    pub const ALL: [Self; 4] = [Self::X, Self::Bluesky, Self::Mastodon, Self::Linkedin];

    /// The name in commands and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X => "x",
            Self::Bluesky => "bluesky",
            Self::Mastodon => "mastodon",
            Self::Linkedin => "linkedin",
        }
    }
}

impl fmt::Display for Wording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TitleGloss => f.write_str("title_gloss"),
            Self::Summary => f.write_str("summary"),
            Self::Social(None) => f.write_str("social"),
            Self::Social(Some(network)) => write!(f, "social:{}", network.as_str()),
        }
    }
}

/// A name that is no text of a pick.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no text of a pick: use title_gloss, summary, social, or social:x, :bluesky, :mastodon, :linkedin")]
pub struct WordingError(String);

impl FromStr for Wording {
    type Err = WordingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || WordingError(text.chars().take(40).collect());
        match text.trim().replace('-', "_").as_str() {
            "title_gloss" | "gloss" => Ok(Self::TitleGloss),
            "summary" => Ok(Self::Summary),
            "social" => Ok(Self::Social(None)),
            other => {
                let name = other.strip_prefix("social:").ok_or_else(error)?;
                let network = Network::ALL.into_iter().find(|network| network.as_str() == name).ok_or_else(error)?;
                Ok(Self::Social(Some(network)))
            }
        }
    }
}

impl Serialize for Wording {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Wording {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One thing done to a draft. A work is named by any of its activities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum Edit {
    /// The work is in; where the digest is full, the pick that was added last and is not pinned makes room.
    Pin { work: ActivityId },
    /// The work is out this week, and the next in line has its place.
    Drop { work: ActivityId },
    /// The builder is out this week, with all works.
    DropBuilder { builder: BuilderId },
    /// The work waits; it is in the running again in the first draft of that week or later.
    Hold { work: ActivityId, until: Week },
    /// Another work of the same builder has the place.
    Swap { work: ActivityId, with: ActivityId },
    /// A text is written anew; without a text the original is back.
    Reword { work: ActivityId, field: Wording, text: Option<String> },
    /// The pick has that place in its section, 1 for the first.
    Move { work: ActivityId, place: u32 },
    /// The pick leads.
    Lead { work: ActivityId },
    /// A sentence at the head of a section or, where no section is named, of the digest; without a text there is none.
    Intro { section: Option<String>, text: Option<String> },
    /// Two works are one.
    Merge { one: ActivityId, other: ActivityId },
    /// Two activities of one work are two works.
    Split { one: ActivityId, other: ActivityId },
    /// The draft was computed anew; the choice began again, from the pins and drops before.
    Refresh,
    /// An earlier edit is taken back.
    Undo { revision: u32 },
}

impl Edit {
    /// The works that it names.
    pub fn works(&self) -> Vec<&ActivityId> {
        match self {
            Self::Pin { work }
            | Self::Drop { work }
            | Self::Hold { work, .. }
            | Self::Reword { work, .. }
            | Self::Move { work, .. }
            | Self::Lead { work } => vec![work],
            Self::Swap { work, with } => vec![work, with],
            Self::Merge { one, other } | Self::Split { one, other } => vec![one, other],
            Self::DropBuilder { .. } | Self::Intro { .. } | Self::Refresh | Self::Undo { .. } => Vec::new(),
        }
    }
}

/// An edit as it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditRecord {
    /// 1 for the first edit of a week.
    pub revision: u32,
    pub at: Timestamp,
    pub by: String,
    pub what: Edit,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The edit that took this one back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<u32>,
    /// In words, with titles and names as they were: `dropped “Queues in front of Lambda”`.
    #[serde(default)]
    pub text: String,
}

/// A work that could have a place in a draft, with all that giving it one asks about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contender {
    /// The place as it would look. Its reasons are those that do not depend on who else is chosen; round and gain are 0.
    pub pick: Pick,
    /// All builders credited, those who do not want to be featured too.
    pub credited: Vec<BuilderId>,
    /// Builders whose nominee it can be.
    pub nominators: Vec<BuilderId>,
    /// The rule that keeps it out unless it is pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<(OutcomeCode, String)>,
    pub fixed: FixedPoints,
    /// What its category and region are owed, in thousandths of a place.
    pub owed: (i64, i64),
    /// Those two in words.
    pub owed_text: (String, String),
    /// One of its builders led within the weeks of the configuration.
    #[serde(default)]
    pub led_lately: bool,
}

/// The points of a gain that do not depend on who else is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FixedPoints {
    pub quality: i64,
    pub fresh: i64,
    pub turn: i64,
}

/// All works that could have a place in a draft, kept with it until it is computed anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    pub week: Week,
    pub places: u32,
    /// Points for a category and region in need, and for a new service.
    pub category: i64,
    pub region: i64,
    pub new_service: i64,
    /// Keys and names of the program's categories in that week, in the program's order.
    pub categories: Vec<(String, String)>,
    pub contenders: Vec<Contender>,
}

/// A work in line for a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InLine {
    pub work: ActivityId,
    pub title: String,
    pub url: String,
    /// Names of its builders.
    pub builders: Vec<String>,
    pub category: String,
    pub quality: i64,
    /// What it would add now.
    pub gain: i64,
    pub reasons: Vec<Reason>,
    /// Why it has no place of itself; `None` where it only waits its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// A work on the late shelf: found when its window had closed. It has a place only if it is pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateFind {
    pub work: ActivityId,
    pub title: String,
    pub url: Option<String>,
    /// Names of its builders.
    pub builders: Vec<String>,
    /// Why it is there, in a sentence.
    pub text: String,
}

/// A text that an editor wrote, beside the one that it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewording {
    pub work: ActivityId,
    pub field: Wording,
    pub original: Option<String>,
    pub text: String,
    pub revision: u32,
}

/// Something that editors should know of their edits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// `pin_overrules`, `no_longer_applies`, `leads_again`, `split_later`.
    pub code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<ActivityId>,
    pub text: String,
}

/// A draft with all its edits laid over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    pub digest: Digest,
    /// The next ten who would have a place, best first.
    pub next: Vec<InLine>,
    /// For each pick, other works of its builders that could have the place.
    pub others: BTreeMap<ActivityId, Vec<InLine>>,
    pub pinned: Vec<ActivityId>,
    pub rewordings: Vec<Rewording>,
    pub notices: Vec<Notice>,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Blocks the approval.
    Error,
    /// Wants a tick.
    Warning,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub level: Level,
    /// `link_gone`, `title_cut`, `language_unknown` …
    pub code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<ActivityId>,
    /// In a sentence.
    pub text: String,
    /// What a tick of it names: it changes with what was found, so that a tick never covers more than was read.
    pub key: String,
    /// Who ticked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticked_by: Option<String>,
}

/// A mark that a person sets beside a draft. Marks change no digest, so two people may set them at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "snake_case")]
pub enum Mark {
    /// "I opened it."
    Opened { work: ActivityId },
    /// A warning was read and is accepted.
    Accepted { key: String },
    /// Somebody who knows the topic looks at it before it goes out.
    Review { work: ActivityId, reviewer: Option<String> },
    /// The review is done.
    Reviewed { work: ActivityId },
    /// A private word to the author: something in it is outdated.
    Outdated { work: ActivityId, text: String },
}

/// A mark as it was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRecord {
    pub at: Timestamp,
    pub by: String,
    pub what: Mark,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A pick on the desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PickView {
    /// 1 for the first on the page.
    pub position: u32,
    /// 1 for the first in its section.
    pub place: u32,
    pub section: String,
    pub pick: Pick,
    pub pinned: bool,
    /// What an editor wrote, with the original beside it.
    pub rewordings: Vec<Rewording>,
    /// Other works of its builders that could have the place.
    pub others: Vec<InLine>,
    /// Who opened it, and when.
    pub opened: Vec<(String, Timestamp)>,
    /// Who is asked to review it, while the review is open.
    pub review: Option<String>,
    /// Private words to its author.
    pub outdated: Vec<MarkRecord>,
}

/// All that editors see of a week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DraftView {
    pub week: Week,
    pub state: DigestState,
    /// The number of the last edit. An edit is made on a revision, and refused if it is not the last any more.
    pub revision: u32,
    pub draft_hash: String,
    /// The hash over the edits laid over the draft.
    pub edit_hash: Option<String>,
    pub made_at: Option<Timestamp>,
    pub approved_by: Option<String>,
    pub approved_at: Option<Timestamp>,
    /// When the cooling-off is over.
    pub publish_at: Option<Timestamp>,
    pub published_at: Option<Timestamp>,
    /// Whether edits are taken now.
    pub editable: bool,
    /// Whether the approval would be taken now.
    pub approvable: bool,
    pub intro: Option<String>,
    /// In the order shown.
    pub picks: Vec<PickView>,
    pub next: Vec<InLine>,
    /// What was found too late for its own week.
    pub late_shelf: Vec<LateFind>,
    pub findings: Vec<Finding>,
    pub notices: Vec<Notice>,
    pub edits: Vec<EditRecord>,
    /// The digest as it stands; of its outcomes, those of the late shelf alone.
    pub digest: Digest,
}

/// What differs between two digests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Difference {
    /// Titles with their works.
    pub added: Vec<(ActivityId, String)>,
    pub removed: Vec<(ActivityId, String)>,
    /// From which position to which.
    pub moved: Vec<(ActivityId, String, u32, u32)>,
    pub reworded: Vec<(ActivityId, String)>,
    /// The works that lead, before and after, where they differ.
    pub lead: Option<(Option<String>, Option<String>)>,
    /// Groups whose places changed: name, places before, places after.
    pub shares: Vec<(String, i64, i64)>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
