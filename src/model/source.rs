//! Where a builder publishes, what we remember of it between polls, and one question to the outside.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BuilderId, Filters, Request, Validators};

/// The opaque id of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(pub i64);

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident => $text:literal),+ $(,)?) => {
        /// The platform that a source is on, which decides how it is asked and read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum SourceKind { $($(#[$doc])* $variant),+ }

        impl SourceKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [SourceKind] = &[$(SourceKind::$variant),+];

            /// The name used in rosters, the log and settings.
            pub fn as_str(self) -> &'static str {
                match self { $(SourceKind::$variant => $text),+ }
            }
        }
    };
}

kinds! {
    /// RSS 0.9x, 1.0, 2.0, Atom or JSON Feed at one address.
    Rss => "rss",
    /// The upload feed of a channel, known by its `UC…` id.
    YoutubeChannel => "youtube_channel",
    /// The public events of a GitHub user.
    GithubUser => "github_user",
    /// The articles of a dev.to user or organization, by the Forem API.
    Devto => "devto",
    /// The feed of a podcast, at one address; `apple:123` while its directory has not told the address yet.
    Podcast => "podcast",
    /// The feed of a Medium account or publication, at one address.
    Medium => "medium",
    /// The feed of a YouTube playlist, known by its id.
    YoutubePlaylist => "youtube_playlist",
    /// The feed of a Vimeo user or channel, at one address.
    Vimeo => "vimeo",
    /// The feed of a PeerTube channel or account, at one address.
    Peertube => "peertube",
    /// The videos of a Twitch channel, known by its login or its id.
    TwitchChannel => "twitch_channel",
    /// The events of a speaker on Sessionize, known by the id that the speaker made for the API.
    SessionizeSpeaker => "sessionize_speaker",
    /// A calendar, at one address.
    Ical => "ical",
    /// Works of one builder that somebody entered by hand: never asked.
    Manual => "manual",
    /// The new repositories of a GitHub organization, and the releases of all of them.
    GithubOrg => "github_org",
    /// The releases of one repository on GitHub.
    GithubRepo => "github_repo",
    /// The public events of a user of a GitLab site.
    GitlabUser => "gitlab_user",
    /// The releases of a project on a GitLab site.
    GitlabProject => "gitlab_project",
    /// The answers of a user on one site of Stack Exchange.
    StackExchange => "stackexchange",
    /// The posts of a Mastodon account, or one of its relatives.
    Mastodon => "mastodon",
    /// The posts of a Bluesky account.
    Bluesky => "bluesky",
    /// The pages that a site's map lists, where the site has no feed.
    Sitemap => "sitemap",
}

impl SourceKind {
    /// Whether the source is known by the address at which it is asked.
    pub fn is_address(self) -> bool {
        matches!(self, Self::Rss | Self::Podcast | Self::Medium | Self::Vimeo | Self::Peertube | Self::Ical)
    }

    /// Whether it is read at YouTube, whose feeds fail all at once and come back.
    pub fn is_youtube(self) -> bool {
        matches!(self, Self::YoutubeChannel | Self::YoutubePlaylist)
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SourceKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim().to_ascii_lowercase();
        match wanted.as_str() {
            // Spellings seen in rosters for what is read as a plain feed.
            "feed" | "atom" | "json" | "jsonfeed" | "json_feed" | "rdf" | "blog" | "hashnode" | "substack" | "ghost" | "wordpress"
            | "blogger" | "blogspot" | "qiita" | "zenn" | "note" | "velog" | "speakerdeck" => return Ok(Self::Rss),
            "youtube" => return Ok(Self::YoutubeChannel),
            "playlist" => return Ok(Self::YoutubePlaylist),
            "podcasts" => return Ok(Self::Podcast),
            "twitch" => return Ok(Self::TwitchChannel),
            "sessionize" => return Ok(Self::SessionizeSpeaker),
            "ics" | "icalendar" | "calendar" | "meetup" | "webcal" => return Ok(Self::Ical),
            "github" => return Ok(Self::GithubUser),
            "dev.to" | "forem" => return Ok(Self::Devto),
            "github_organization" => return Ok(Self::GithubOrg),
            "github_repository" | "github_releases" => return Ok(Self::GithubRepo),
            "gitlab" => return Ok(Self::GitlabUser),
            "stackoverflow" | "stack_overflow" | "stack_exchange" => return Ok(Self::StackExchange),
            "fediverse" | "activitypub" => return Ok(Self::Mastodon),
            "bsky" => return Ok(Self::Bluesky),
            "site_map" => return Ok(Self::Sitemap),
            _ => {}
        }
        Self::ALL.iter().copied().find(|kind| kind.as_str() == wanted).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("unknown kind of source `{}`; known are {}", text.trim(), known.join(", "))
        })
    }
}

/// A builder's claim to a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub builder: BuilderId,
    /// Only entries by this author count for the builder; `None` means all do.
    pub author: Option<String>,
    /// Which entries of the source count at all.
    pub filters: Filters,
}

/// One place where one or more builders publish. The same place is one source, however many registered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub id: SourceId,
    pub kind: SourceKind,
    /// What names the place: a feed's address, a channel id, a user name. Canonical for its kind, unique with it.
    pub locator: String,
    /// The address as it was given, for people.
    pub url: String,
    pub owners: Vec<Owner>,
    /// Set by a person: not polled until resumed.
    pub paused: bool,
    /// Left the roster: not polled, its record stays.
    pub left: bool,
}

/// The account behind a source, as its platform knows it for ever: names change hands, ids do not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    /// The platform's own id: GitHub's number, a DID.
    pub id: String,
    /// What it is called now: a login, a handle.
    pub name: String,
    /// The profile's address for people under that name.
    pub url: String,
}

/// What a source is like now, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceStatus {
    /// Never asked yet.
    #[default]
    New,
    /// The last answer could be read.
    Ok,
    /// Answers badly, is asked ever more seldom.
    Failing,
    /// Refuses us (401, 403, a bot challenge): asked slowly.
    Blocked,
    /// Said 410 three times over a week: not asked until a person says so.
    Gone,
}

impl SourceStatus {
    /// The name used in tables and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Ok => "ok",
            Self::Failing => "failing",
            Self::Blocked => "blocked",
            Self::Gone => "gone",
        }
    }
}

/// What is remembered of a source between polls.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceState {
    pub status: SourceStatus,
    pub validators: Validators,
    /// Where the answer came from, when permanent redirects lead elsewhere.
    pub final_url: Option<String>,
    /// A permanent redirect seen, with when it was first seen and how often since: followed for good after
    /// 3 sightings over 7 days.
    pub moving_to: Option<String>,
    pub moving_since: Option<Timestamp>,
    pub moving_seen: u32,
    pub next_poll_at: Option<Timestamp>,
    /// Never asked before this, whatever anyone wants: Retry-After, X-Poll-Interval.
    pub not_before: Option<Timestamp>,
    /// The host asked for quiet until then (429, 503, a used-up limit): holds for every source there, and for a program
    /// that was started anew.
    pub quiet_until: Option<Timestamp>,
    pub last_poll_at: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    pub last_new_at: Option<Timestamp>,
    /// When validators were last left out on purpose, to cure a server that is stuck.
    pub last_full_at: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u32,
    pub failing_since: Option<Timestamp>,
    /// Answers of 410 in a row, and since when.
    pub gone_count: u32,
    pub gone_since: Option<Timestamp>,
    /// What is wrong, in a sentence for people; `None` while nothing is.
    pub error: Option<String>,
    /// The polling interval in seconds as last computed.
    pub interval_s: u32,
    /// What the source last said of how often it wants to be asked: a least gap in seconds, hours (0 to 23, GMT) and days
    /// (1 for Monday) on which it does not want to be.
    pub least_gap_s: Option<u64>,
    pub skip_hours: Vec<u8>,
    pub skip_days: Vec<u8>,
    /// When the owner was told that something lasting is wrong; taken back when they are told that it is mended.
    pub told_at: Option<Timestamp>,
    /// Repairs that the last document needed, for the builder to see.
    pub repairs: Vec<String>,
    /// SHA-256 of the last body, hex, so that an equal 200 costs no reading.
    pub body_hash: Option<String>,
    /// Up to ten publication times of the newest entries, newest first, in seconds since 1970: they decide the interval.
    pub recent: Vec<i64>,
    /// The title that the source gives itself.
    pub title: Option<String>,
    /// What a name turned out to stand for when it was looked up: an account's id, a podcast's feed. Names change hands.
    pub stands_for: Option<String>,
    /// The account behind it, once it was told.
    pub account: Option<Account>,
    /// The newest event that was read, where a platform lists events: from there on the next poll goes on.
    pub reached: Option<Timestamp>,
    /// When it was last asked for what its ordinary answer does not tell.
    pub swept_at: Option<Timestamp>,
}

/// The times of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    pub next_poll_at: Option<Timestamp>,
    pub not_before: Option<Timestamp>,
    pub last_poll_at: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    pub interval_s: u32,
}

impl Source {
    /// A source at these addresses that is owned by nobody yet, polled and on the roster.
    pub fn new(id: SourceId, kind: SourceKind, locator: impl Into<String>, url: impl Into<String>) -> Self {
        Self { id, kind, locator: locator.into(), url: url.into(), owners: Vec::new(), paused: false, left: false }
    }
}

impl SourceState {
    /// What every poll moves, also one that brings nothing.
    pub fn times(&self) -> Times {
        Times {
            next_poll_at: self.next_poll_at,
            not_before: self.not_before,
            last_poll_at: self.last_poll_at,
            last_success_at: self.last_success_at,
            interval_s: self.interval_s,
        }
    }

    pub fn set_times(&mut self, times: Times) {
        self.next_poll_at = times.next_poll_at;
        self.not_before = times.not_before;
        self.last_poll_at = times.last_poll_at;
        self.last_success_at = times.last_success_at;
        self.interval_s = times.interval_s;
    }
}

/// One question to the outside, and the sources that its answer speaks for.
#[derive(Debug, Clone)]
pub struct Ask {
    pub kind: SourceKind,
    pub request: Request,
    /// The sources that the answer is for; most often one.
    pub sources: Vec<Arc<Source>>,
    /// 1 for the first page, and so on.
    pub page: u32,
}
