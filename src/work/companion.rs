//! Companions: a recording and its article that are told by a link from one to the other.
//!
//! In: pieces of one builder that stand near in time on different hosts. Out: pairs of a recording and a text, one of
//! which links to the other, with how alike their titles are. A description that lists what its author wrote before is no
//! companion of all that: titles must have much in common, or both must link to each other.

use std::collections::{BTreeMap, BTreeSet};

use super::Addresses;
use crate::model::{Activity, ActivityKind, CanonicalUrl};

/// Hosts, as parts of an address, on which recordings stand.
const RECORDING_HOSTS: &[&str] = &["youtu", "vimeo.", "twitch.", "spotify.", "podcasts.", "soundcloud.", "peertube", "/watch", "/w/"];

/// Whether a piece is to be watched or listened to.
pub(super) fn is_recording(activity: &Activity) -> bool {
    matches!(activity.kind, ActivityKind::Video | ActivityKind::Livestream | ActivityKind::PodcastEpisode | ActivityKind::Talk)
}

/// The pairs among these places in which a recording and a text are joined by a link, each with whether both link.
pub(super) fn linked(activities: &[&Activity], addresses: &[Addresses], places: &[usize]) -> BTreeMap<(usize, usize), bool> {
    let mut linked: BTreeMap<(usize, usize), bool> = BTreeMap::new();
    let (recordings, texts): (Vec<usize>, Vec<usize>) = places.iter().partition(|place| is_recording(activities[**place]));
    if recordings.is_empty() || texts.is_empty() {
        return linked;
    }
    let mut at: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for place in places {
        if let Some(own) = &addresses[*place].own {
            at.entry(own).or_default().push(*place);
        }
    }
    let mut told: BTreeSet<(usize, usize)> = BTreeSet::new();
    for place in places {
        let recording = is_recording(activities[*place]);
        let links = activities[*place].links.iter().filter(|link| recording || RECORDING_HOSTS.iter().any(|host| link.contains(host)));
        for key in links.filter_map(|link| CanonicalUrl::parse(link).ok()).map(|url| url.key()) {
            for other in at.get(key.as_str()).into_iter().flatten().filter(|other| is_recording(activities[**other]) != recording) {
                told.insert((*place, *other));
            }
        }
    }
    for (from, to) in &told {
        linked.insert((*from.min(to), *from.max(to)), told.contains(&(*to, *from)));
    }
    linked
}
