//! Which date counts. What the source says first stays; an update moves nothing; unknown stays unknown until the source says
//! more, never now.
//!
//! Rules: RECORD.md section 3. The publication date of a piece is the earliest one that any of its sightings gave when
//! it was first told. A date more than a day after the sighting is in the future (zones and clocks differ by less); one
//! before 1995 is a server without a clock. What is announced counts from when it was out.

use jiff::{SignedDuration, Timestamp};

use super::Seen;
use crate::model::{DateTrust, Entry};

/// How far ahead of our clock a date may be without being called future.
const SLACK: SignedDuration = SignedDuration::from_hours(24);
/// How old, on later polls, an entry is that belongs to a back catalogue.
const STALE: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How many old or undated entries at once make a back catalogue (RECORD.md section 3).
const CATALOGUE: u32 = 5;
/// How many entries within one hour make the dates of a first poll worthless.
const CROWD: u32 = 5;
/// What was announced without a time is held until it is out, but no longer than this many days: a channel may have no
/// audience.
const MAX_HOLD_DAYS: i64 = 14;
/// 1995-01-01T00:00:00Z.
const FIRST_BLOGS: i64 = 788_918_400;

/// The dates of an activity.
pub(super) struct Dated {
    pub(super) published_at: Option<Timestamp>,
    pub(super) trust: DateTrust,
    pub(super) effective_at: Timestamp,
}

/// The publication date that an entry gives: its own, else, where its format knows no other, that of its last update.
pub fn published(entry: &Entry) -> Option<Timestamp> {
    entry.published.or(entry.updated)
}

/// The publication date of an entry that was told more than once: that of its first telling, since later ones may have moved.
/// Where that has none, or none that can be meant, one that was added or corrected later counts, unless it is of a time when
/// the entry had been seen already.
pub fn first_published(first: &Entry, newest: &Entry, first_seen_at: Timestamp) -> Option<Timestamp> {
    let can_be_meant = |published: &Timestamp| published.as_second() >= FIRST_BLOGS && !is_future(*published, first_seen_at);
    let stated = published(first);
    stated.filter(can_be_meant).or_else(|| published(newest).filter(can_be_meant)).or(stated)
}

/// The dates of an activity, from all its sightings.
pub(super) fn date(seen: &[&Seen<'_>], first_seen_at: Timestamp) -> Dated {
    let given = seen.iter().filter_map(|seen| Some((usable(seen)?, seen.entry.zone_assumed)));
    let (future, past): (Vec<_>, Vec<_>) = given.partition(|(published, _)| is_future(*published, first_seen_at));
    let (published_at, trust) = match (past.into_iter().min(), future.into_iter().min()) {
        (Some((published, assumed)), _) => (Some(published), if assumed { DateTrust::ZoneAssumed } else { DateTrust::Stated }),
        (None, Some((published, _))) => (Some(published), DateTrust::Future),
        (None, None) => (None, DateTrust::Unknown),
    };
    // What begins at a known time is of that time, however long before it was announced.
    if let Some(starts_at) = starts_at(seen) {
        let assumed = seen.iter().any(|seen| seen.entry.starts_at == Some(starts_at) && seen.entry.zone_assumed);
        let trust = if assumed { DateTrust::ZoneAssumed } else { DateTrust::Stated };
        return Dated { published_at: Some(starts_at), trust, effective_at: starts_at };
    }
    let known = published_at.filter(|_| trust != DateTrust::Future);
    let mut effective_at = known.map_or(first_seen_at, |published| published.min(first_seen_at));
    // A premiere counts from when it was out; a video that merely had no views in its first hours keeps its date.
    if let Some(aired) = seen.iter().filter_map(|seen| seen.aired_at).min()
        && aired.duration_since(effective_at) > SLACK
    {
        effective_at = aired;
    }
    Dated { published_at, trust, effective_at }
}

/// Until when an activity is held: until it begins, where that is known, else until it is out.
pub(super) fn held_until(seen: &[&Seen<'_>], lead: &Seen<'_>, first_seen_at: Timestamp) -> Option<Timestamp> {
    match starts_at(seen) {
        Some(starts_at) => Some(starts_at).filter(|starts_at| *starts_at > first_seen_at),
        None => lead.entry.upcoming.then(|| days_after(first_seen_at, MAX_HOLD_DAYS)),
    }
}

/// When it begins, as the first sighting that knows tells it; the newest telling counts, for events are moved.
fn starts_at(seen: &[&Seen<'_>]) -> Option<Timestamp> {
    seen.iter().find_map(|seen| seen.entry.starts_at).filter(|at| at.as_second() >= FIRST_BLOGS)
}

/// Whether a sighting brought the piece as part of a back catalogue.
pub(super) fn is_backfill(seen: &Seen<'_>) -> bool {
    let arrival = &seen.arrival;
    let stated = usable(seen).filter(|published| !is_future(*published, seen.first_seen_at));
    // What is still to come is no back catalogue.
    let published = seen.entry.starts_at.or(stated);
    if arrival.fetched_back {
        return true;
    }
    if arrival.first_poll {
        let in_window = published.is_some_and(|published| arrival.window_start.is_none_or(|start| published >= start));
        return !in_window || arrival.crowd >= CROWD;
    }
    arrival.stale >= CATALOGUE && published.is_none_or(|published| seen.first_seen_at.duration_since(published) > STALE)
}

/// That many days later, or the end of time.
fn days_after(at: Timestamp, days: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX)
}

/// The date of the first telling, if a server with a clock wrote it.
pub(super) fn usable(seen: &Seen<'_>) -> Option<Timestamp> {
    seen.first_published.filter(|published| published.as_second() >= FIRST_BLOGS)
}

fn is_future(published: Timestamp, first_seen_at: Timestamp) -> bool {
    published.duration_since(first_seen_at) > SLACK
}
