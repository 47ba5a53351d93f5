//! One piece at one address, computed from the log; and what is known of where it was seen and who made it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BuilderId, CanonicalUrl, EntryKey, Filtered, SourceId};

/// The id of an activity: the first 128 bits of SHA-256 over its identity key, in hex. Fixed when first assigned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActivityId(pub String);

impl ActivityId {
    /// The id that belongs to an identity key.
    pub fn of_key(identity_key: &str) -> Self {
        let mut id = super::sha256_hex(identity_key.as_bytes());
        id.truncate(32);
        Self(id)
    }

    /// The id as text: 32 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActivityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! activity_kinds {
    ($($(#[$doc:meta])* $variant:ident => $text:literal),+ $(,)?) => {
        /// What kind of thing a builder made.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ActivityKind { $($(#[$doc])* $variant),+ }

        impl ActivityKind {
            /// Every kind.
            pub const ALL: &'static [ActivityKind] = &[$(ActivityKind::$variant),+];

            /// The name in the log, in exports and in settings.
            pub fn as_str(self) -> &'static str {
                match self { $(ActivityKind::$variant => $text),+ }
            }

            /// The kind of that name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
            }
        }
    };
}

activity_kinds! {
    Article => "article",
    Video => "video",
    /// A video of up to about three minutes, made to be watched upright.
    Short => "short",
    Livestream => "livestream",
    PodcastEpisode => "podcast_episode",
    /// The announcement of a podcast or of a season of it.
    Trailer => "trailer",
    Talk => "talk",
    Release => "release",
    Repository => "repository",
    /// A pull request merged in somebody else's repository.
    Contribution => "contribution",
    /// Pushes to a repository, folded to one a day.
    Code => "code",
    Answer => "answer",
    /// A short post on a social network.
    Post => "post",
    /// A reply to somebody's post or article.
    Reply => "reply",
    Event => "event",
}

impl fmt::Display for ActivityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far the publication date can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateTrust {
    /// The source gives an instant with its zone.
    Stated,
    /// The source gives a date without zone; UTC was taken.
    ZoneAssumed,
    /// The source gives an instant later than we saw the entry: first seen counts.
    Future,
    /// The source gives none that can be read: first seen orders it.
    Unknown,
}

impl DateTrust {
    /// The name in tables and exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::ZoneAssumed => "zone_assumed",
            Self::Future => "future",
            Self::Unknown => "unknown",
        }
    }

    /// The trust of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Stated, Self::ZoneAssumed, Self::Future, Self::Unknown].into_iter().find(|trust| trust.as_str() == text)
    }
}

/// What a builder did for an activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Author,
    CoAuthor,
    Guest,
}

impl Role {
    /// The name in tables and exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::CoAuthor => "co_author",
            Self::Guest => "guest",
        }
    }

    /// The role of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Author, Self::CoAuthor, Self::Guest].into_iter().find(|role| role.as_str() == text)
    }
}

/// Why a builder is credited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The entry names them.
    Entry,
    /// They own the source.
    Owner,
    /// The author filter of their claim to the source fits.
    Filter,
    /// A person said so.
    Decision,
}

impl Basis {
    /// The name in tables and exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Owner => "owner",
            Self::Filter => "filter",
            Self::Decision => "decision",
        }
    }

    /// The basis of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Entry, Self::Owner, Self::Filter, Self::Decision].into_iter().find(|basis| basis.as_str() == text)
    }
}

/// Who made it, in what role, and why we say so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Credit {
    pub builder: BuilderId,
    pub role: Role,
    pub basis: Basis,
}

/// Where and when an activity was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sighting {
    pub source: SourceId,
    pub key: EntryKey,
    pub first_seen_at: Timestamp,
    /// When the source stopped showing it; `None` while it does.
    pub left_at: Option<Timestamp>,
}

/// The facts that the substance checklist (DIGEST.md section 4.2) asks for; `None` where the data cannot tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Substance {
    pub words: Option<u32>,
    pub cjk_chars: Option<u32>,
    pub duration_s: Option<u32>,
    /// A code block, repository, diagram or demo.
    pub shows_work: Option<bool>,
    /// Characters of the author's own summary.
    pub summary_chars: u32,
    /// At its own canonical address (a work whose only address is a platform counts as such).
    pub canonical: Option<bool>,
    /// Cites documentation, a standard or a paper.
    pub cites_source: Option<bool>,
}

/// The ages at which responses are compared: 24 h, 48 h, 72 h, 7 d, each ± 3 h (RECORD.md section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GridAge {
    H24,
    H48,
    H72,
    D7,
}

impl GridAge {
    /// Every age, youngest first.
    pub const ALL: [GridAge; 4] = [Self::H24, Self::H48, Self::H72, Self::D7];

    /// The age in hours.
    pub fn hours(self) -> i64 {
        match self {
            Self::H24 => 24,
            Self::H48 => 48,
            Self::H72 => 72,
            Self::D7 => 168,
        }
    }

    /// The place in [`GridAge::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The grid age that an age in seconds falls on (± 3 h), if any.
    pub fn of_age_s(age_s: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|grid| (age_s - grid.hours() * 3600).abs() <= 3 * 3600)
    }
}

/// One piece at one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a finding of its own")]
pub struct Activity {
    pub id: ActivityId,
    pub kind: ActivityKind,
    /// The address for people: canonical, without trackers. `None` where the source gives no http(s) address.
    pub url: Option<String>,
    /// The address that the source calls canonical, where it is another.
    pub canonical_url: Option<String>,
    pub title: String,
    /// The author's own words, plain text, at most 600 characters.
    pub summary: Option<String>,
    /// BCP 47; `None` while unknown.
    pub language: Option<String>,
    pub tags: Vec<String>,
    pub published_at: Option<Timestamp>,
    pub published_trust: DateTrust,
    /// The earlier of published and first seen; first seen where published is unknown or in the future.
    pub effective_at: Timestamp,
    pub first_seen_at: Timestamp,
    /// The last time that the source told it otherwise.
    pub revised_at: Option<Timestamp>,
    /// Announced, but not to be seen yet: held until then.
    #[serde(default)]
    pub held_until: Option<Timestamp>,
    /// In the record, never in a digest.
    pub backfill: bool,
    pub paywalled: bool,
    /// An answer that nobody voted for or accepted: in the record, and in a digest once somebody did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproven: bool,
    /// No source shows it any more.
    pub left: bool,
    /// Nothing but somebody's word speaks for it: it was entered by hand.
    #[serde(default)]
    pub self_reported: bool,
    pub substance: Substance,
    /// Addresses that it links to, at most 20, those that say most of it first.
    pub links: Vec<String>,
    /// The beginning of the body, at most 600 characters: what texts are compared by.
    pub excerpt: String,
    pub credits: Vec<Credit>,
    /// Why it counts for nobody, where a filter says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filtered: Option<Filtered>,
    pub sightings: Vec<Sighting>,
}

impl Activity {
    /// The address that it is shown with: the canonical one where it is a copy of a page on another host, else its own
    /// (PLATFORMS.md section 3, DIGEST.md section 2). A site's root stands for everything, and so for no piece.
    pub fn link(&self) -> Option<&str> {
        let host = |address: &str| CanonicalUrl::parse(address).ok().map(|url| url.host());
        let original = self.canonical_url.as_deref().filter(|canonical| {
            let is_root = url::Url::parse(canonical).is_ok_and(|url| matches!(url.path(), "" | "/") && url.query().is_none());
            !is_root && host(canonical) != self.url.as_deref().and_then(host)
        });
        original.or(self.url.as_deref())
    }

    /// Whether it was entered by hand and taken back, and nothing else speaks for it.
    pub fn is_withdrawn(&self) -> bool {
        self.self_reported && self.left
    }
}
