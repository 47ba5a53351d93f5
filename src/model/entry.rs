//! One item as its source tells it: raw, optional, untrusted; and what one reading of a source gives.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Account, ActivityKind, Request, SourceId};

/// What names an entry within its source for ever (RECORD.md section 2, entry key).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryKey(pub String);

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that the source gives as maker of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Author {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The platform's own id or login, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// An enclosure, a `media:content` or an attachment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Media {
    pub url: String,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Bytes, as the source claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u32>,
}

/// The body of an entry: its plain text, and what the markup showed before it was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    /// Plain text, blocks parted by line breaks; at most 64 KiB.
    pub text: String,
    /// Words as Unicode counts them, of the whole body even where `text` was cut.
    pub words: u32,
    /// Characters of Chinese, Japanese and Korean scripts in the whole body.
    pub cjk_chars: u32,
    /// `<pre>` and fenced blocks.
    pub code_blocks: u32,
    pub images: u32,
    /// Absolute http(s) addresses that the body links to, in order, without repeats; at most 100.
    pub links: Vec<String>,
}

/// Responses counted by the platform at the time of reading. Absent is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub views: Option<u64>,
    /// Likes, reactions, votes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comments: Option<u64>,
    /// Stars of the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stars: Option<u64>,
}

impl Counts {
    /// What is compared: views where the platform counts them, else reactions, else stars.
    pub fn response(&self) -> Option<u64> {
        self.views.or_else(|| self.likes.map(|likes| likes.saturating_add(self.comments.unwrap_or(0)))).or(self.stars)
    }

    /// Whether the platform gave no count at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One item as its source tells it. Text fields are plain text already; judging is left to `normalize`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that a source may tell")]
pub struct Entry {
    /// The platform's own identity (`yt:…`, `devto:…`, `gh:release:…`, `medium:…`), never made up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_key: Option<String>,
    /// guid, `atom:id`, `rdf:about` or JSON Feed id, trimmed. Never an id made up by a parser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The link, absolute where a base was known. Any scheme: whoever shows it decides what becomes a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The address that the source itself calls canonical (dev.to `canonical_url` and its like).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The author's own summary or description, when it is not the whole body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<Author>,
    /// The instant that the source gives, `None` if it gives none or one that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Timestamp>,
    /// The text it was read from, at most 100 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_raw: Option<String>,
    /// The date had no zone, so UTC was taken.
    #[serde(skip_serializing_if = "is_false")]
    pub zone_assumed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    /// BCP 47 tag, of the entry or else of the feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What kind of thing the platform says that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ActivityKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u32>,
    /// Announced, but not to be seen yet: a premiere or stream before its start.
    #[serde(skip_serializing_if = "is_false")]
    pub upcoming: bool,
    /// When what is announced begins: an event's date, a premiere's hour. It counts from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// Readers of the platform have not found it useful yet (an answer without votes): held until they do.
    #[serde(skip_serializing_if = "is_false")]
    pub unproven: bool,
    /// Other entries of the same document have this link too, so it names none of them.
    #[serde(skip_serializing_if = "is_false")]
    pub link_shared: bool,
    /// Known to be behind a paywall or sign-up.
    #[serde(skip_serializing_if = "is_false")]
    pub paywalled: bool,
    /// Counts at the time of reading. They change all the time and are no change of the entry: kept as samples,
    /// never in the entry's own payload.
    #[serde(skip)]
    pub counts: Counts,
    /// What was folded into it, each by a name of its own (commits of a day); used while a poll is read, and not kept.
    #[serde(skip)]
    pub parts: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// What had to be mended before a document could be read; its name is shown to the builder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Repair(pub std::borrow::Cow<'static, str>);

/// What a feed says of how often it wants to be asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedHints {
    /// RSS `ttl` or `sy:updatePeriod`/`sy:updateFrequency`, in seconds.
    pub least_gap_s: Option<u64>,
    /// RSS `skipHours`, GMT, 0 to 23.
    pub skip_hours: Vec<u8>,
    /// RSS `skipDays`, 1 for Monday to 7 for Sunday.
    pub skip_days: Vec<u8>,
}

/// How a document ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ending {
    /// As it should, as far as can be told.
    #[default]
    Whole,
    /// Before the feed does: there may be more of it.
    Early,
    /// Within its last entry, of which not even what names it is there.
    WithinEntry,
}

/// What one document tells of one source.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own about the document")]
pub struct Reading {
    /// The source that it speaks of; `None` outside polls (`clarion parse`).
    pub source: Option<SourceId>,
    /// The title that the source gives itself.
    pub title: Option<String>,
    /// In the order of the document.
    pub entries: Vec<Entry>,
    pub repairs: Vec<Repair>,
    /// Items in the document that could not be read.
    pub skipped: u32,
    pub hints: FeedHints,
    /// More to ask before this source is read whole: further pages, or details that the list lacks.
    pub next: Vec<Request>,
    /// This only says more of entries that a document before it told: it brings none of its own.
    pub details: bool,
    /// All that there is of the source is told: what is missing has left it. Feeds tell all in any case.
    pub whole: bool,
    /// The same bytes will read otherwise as time passes: they are read again with every poll.
    pub perishable: bool,
    /// Pushes of a day that is not over were left out: for those who want pushes the same bytes will read otherwise tomorrow.
    pub open_day: bool,
    /// Platform keys of entries that the source takes back.
    pub withdrawn: Vec<String>,
    /// Where the document itself says that the source now lives.
    pub moved_to: Option<String>,
    /// What the name that was asked for stands for, where this is the answer to that.
    pub stands_for: Option<String>,
    /// The account that the answer is of, with its present name.
    pub account: Option<Account>,
    /// The newest event in it, where the platform lists events.
    pub reached: Option<Timestamp>,
    /// The platform asks, in the answer itself, not to be asked again for so many seconds.
    pub wait_s: Option<u64>,
    pub ending: Ending,
    /// Something was left out that the next poll has to ask for: validators of this answer must not be kept.
    pub incomplete: bool,
}

/// How new an entry was when it was first seen: what the backfill rule (RECORD.md section 3) decides on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Arrival {
    /// Seen on the first successful poll of its source.
    #[serde(skip_serializing_if = "is_false")]
    pub first_poll: bool,
    /// Entries of the same poll not seen before, this one included.
    pub unseen: u32,
    /// Those of them that were undated or more than 30 days old.
    pub stale: u32,
    /// Those of them dated within one hour of this one, this one included.
    pub crowd: u32,
    /// On a first poll: from when on what is dated was ordinary, the beginning of the digest's window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_start: Option<Timestamp>,
    /// Fetched by `clarion backfill`.
    #[serde(skip_serializing_if = "is_false")]
    pub fetched_back: bool,
}

/// Why a document could not be read. The text is for people: lower case, no full stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the answer is empty")]
    Empty,
    #[error("the address answers with a web page, not with a feed")]
    Html,
    #[error("this is not a feed: {0}")]
    NotAFeed(String),
    #[error("the document holds items, but none of them could be read")]
    NoneReadable,
    #[error("the answer of {platform} has an unknown shape: {detail}")]
    Shape { platform: &'static str, detail: String },
    #[error("the document was too hard to read")]
    TooHard,
}
