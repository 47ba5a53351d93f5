//! A source in words: its state and what is wrong, for the builder's record and for the operator alike.

use jiff::{SignedDuration, Timestamp};

use super::frame::{Moment, NAME, TITLE};
use crate::model::{SourceKind, SourceRow, SourceStatus};
use crate::render::{number, short, web_address};

/// A source that was due this long ago is overdue.
const OVERDUE: SignedDuration = SignedDuration::from_hours(1);

/// What a source is like, worst first: the order of the operator's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Failing,
    Gone,
    Blocked,
    Overdue,
    New,
    Paused,
    Ok,
    Left,
}

impl State {
    pub(crate) const ALL: [State; 8] =
        [Self::Failing, Self::Gone, Self::Blocked, Self::Overdue, Self::New, Self::Paused, Self::Ok, Self::Left];

    pub(crate) fn of(row: &SourceRow, now: Timestamp) -> Self {
        let overdue = row.next_poll_at.is_some_and(|due| now.duration_since(due) > OVERDUE);
        match row.status {
            _ if row.left => Self::Left,
            _ if row.paused => Self::Paused,
            SourceStatus::Failing => Self::Failing,
            SourceStatus::Gone => Self::Gone,
            SourceStatus::Blocked => Self::Blocked,
            _ if overdue => Self::Overdue,
            SourceStatus::New => Self::New,
            SourceStatus::Ok => Self::Ok,
        }
    }

    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Gone => "gone",
            Self::Blocked => "blocked",
            Self::Overdue => "overdue",
            Self::New => "new",
            Self::Paused => "paused",
            Self::Ok => "ok",
            Self::Left => "left",
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Failing => "Failing",
            Self::Gone => "Gone",
            Self::Blocked => "Blocked",
            Self::Overdue => "Overdue",
            Self::New => "New",
            Self::Paused => "Paused",
            Self::Ok => "OK",
            Self::Left => "Left the roster",
        }
    }

    pub(crate) fn tone(self) -> &'static str {
        match self {
            Self::Failing | Self::Gone => "bad",
            Self::Blocked | Self::Overdue => "warn",
            Self::Ok => "good",
            Self::New | Self::Paused | Self::Left => "plainly",
        }
    }
}

/// What a kind of source is called.
pub(crate) fn kind_name(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Rss => "Feed",
        SourceKind::YoutubeChannel => "YouTube",
        SourceKind::GithubUser => "GitHub",
        SourceKind::Devto => "DEV",
        SourceKind::Podcast => "Podcast",
        SourceKind::Medium => "Medium",
        SourceKind::YoutubePlaylist => "YouTube playlist",
        SourceKind::Vimeo => "Vimeo",
        SourceKind::Peertube => "PeerTube",
        SourceKind::TwitchChannel => "Twitch",
        SourceKind::SessionizeSpeaker => "Sessionize",
        SourceKind::Ical => "Calendar",
        SourceKind::Manual => "By hand",
        SourceKind::GithubOrg => "GitHub organization",
        SourceKind::GithubRepo => "GitHub repository",
        SourceKind::GitlabUser | SourceKind::GitlabProject => "GitLab",
        SourceKind::StackExchange => "Stack Exchange",
        SourceKind::Mastodon => "Mastodon",
        SourceKind::Bluesky => "Bluesky",
        SourceKind::Sitemap => "Site map",
    }
}

/// A source as templates show it.
pub(crate) struct SourceLine {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// Empty where it is no web address: then the link goes nowhere.
    pub(crate) url: String,
    pub(crate) owners: Vec<(String, String)>,
    pub(crate) state: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) since: Option<Moment>,
    pub(crate) error: Option<String>,
    pub(crate) failures: u32,
    pub(crate) last_poll: Option<Moment>,
    pub(crate) last_success: Option<Moment>,
    pub(crate) last_new: Option<Moment>,
    pub(crate) next_poll: Option<Moment>,
    /// The next check is due already.
    pub(crate) late: bool,
    pub(crate) entries: String,
    pub(crate) repairs: Vec<String>,
}

impl SourceLine {
    pub(crate) fn of(row: &SourceRow, now: Timestamp) -> Self {
        let state = State::of(row, now);
        let asked = !matches!(state, State::Paused | State::Left | State::Gone);
        Self {
            id: row.id.to_string(),
            kind: kind_name(row.kind),
            name: name(row),
            // Where something is hidden, the address leads nowhere.
            url: web_address(&row.url).filter(|_| !row.url.contains('…')).unwrap_or_default(),
            owners: row.owners.iter().map(|(slug, name)| (slug.clone(), short(name, NAME))).collect(),
            state: state.word(),
            tone: state.tone(),
            since: Moment::maybe(row.failing_since.filter(|_| state <= State::Blocked), now),
            error: row.error.as_deref().map(|error| short(error, TITLE)),
            failures: row.failures,
            last_poll: Moment::maybe(row.last_poll_at, now),
            last_success: Moment::maybe(row.last_success_at, now),
            last_new: Moment::maybe(row.last_new_at, now),
            next_poll: Moment::maybe(row.next_poll_at.filter(|_| asked), now),
            late: row.next_poll_at.is_some_and(|due| due < now),
            entries: number(row.entries),
            repairs: row.repairs.iter().map(|repair| short(repair, TITLE)).collect(),
        }
    }
}

/// The title that the source gives itself, else its address without the scheme.
pub(crate) fn name(row: &SourceRow) -> String {
    match row.title.as_deref().map(str::trim) {
        Some(title) if !title.is_empty() => short(title, NAME),
        _ => short(row.url.trim_start_matches("https://").trim_start_matches("http://"), NAME),
    }
}
