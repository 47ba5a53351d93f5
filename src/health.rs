//! What is wrong with a source, and who is told, once.
//!
//! In: what is remembered of a source, and the latest polls. Out: sentences for people, and whether this is the moment
//! to send one. Pure. Knows nothing of how anyone is told.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::model::{CanonicalUrl, Poll, PollOutcome, Source, SourceId, SourceState, SourceStatus, masked_text};

/// What is wrong with a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ailment {
    /// Since when nothing could be read; `None` where it is not about reading.
    pub since: Option<Timestamp>,
    /// What is wrong and what would mend it, in plain words: lower case, no full stop.
    pub sentence: String,
}

/// What the builder and the staff are to be told now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something lasting is wrong.
    Lasting(Ailment),
    /// It is mended, and they had been told that it was not.
    Recovered,
}

/// A whole host that fails: nothing is charged to its sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    pub host: String,
    /// The oldest of the failures in a row that show it.
    pub since: Timestamp,
    /// So many of so many polls failed.
    pub failed: usize,
    pub polls: usize,
    pub sentence: String,
}

/// A poll and the host that was asked.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    pub host: &'a str,
    pub poll: &'a Poll,
}

/// A fault is told when it has lasted this long.
const LASTING: SignedDuration = SignedDuration::from_hours(72);
/// A source that could not be read for so long may lack works.
const SILENT: SignedDuration = SignedDuration::from_hours(2);
/// The polls of a host that are looked at, and how many of its sources must be among them to speak of the host.
const LATEST: usize = 10;
const LEAST_SOURCES: usize = 3;
/// So many hosts must be out of reach, and none within, before it is our own network.
const LEAST_HOSTS: usize = 3;

/// What is wrong with a source, if anything is.
pub fn ailment(source: &Source, state: &SourceState) -> Option<Ailment> {
    let error = state.error.as_deref().unwrap_or("it cannot be read");
    let since = state.failing_since.or(state.gone_since);
    let sentence = match state.status {
        SourceStatus::Gone => {
            "the address says that it is gone for good, so it is not asked any more; a new address, or resuming it, starts it again"
                .to_owned()
        }
        SourceStatus::Blocked => format!("we are not let in: {error}"),
        SourceStatus::Failing => error.to_owned(),
        SourceStatus::New | SourceStatus::Ok if since.is_some() => error.to_owned(),
        SourceStatus::New | SourceStatus::Ok => return moving(source, state),
    };
    let sentence = match since {
        Some(since) => format!("{sentence} (since {})", day(since)),
        None => sentence,
    };
    Some(Ailment { since, sentence: masked_text(&sentence) })
}

/// Whether anyone is to be told now. Who tells them sets `told_at`, or takes it back after `Recovered`, so that each is
/// told once. While its whole host fails, a source keeps silent.
pub fn notice(source: &Source, state: &SourceState, host_fails: bool, now: Timestamp) -> Option<Notice> {
    let ill = ailment(source, state).filter(|ailment| ailment.since.is_some());
    match (ill, state.told_at) {
        (None, Some(_)) if state.status == SourceStatus::Ok => Some(Notice::Recovered),
        (Some(ailment), None) if !source.paused && !source.left && !host_fails => {
            let lasting = ailment.since.is_some_and(|since| now.duration_since(since) >= LASTING);
            (lasting || state.status == SourceStatus::Gone).then_some(Notice::Lasting(ailment))
        }
        _ => None,
    }
}

/// The hosts of which more than half of the latest polls failed, over several sources. The polls come in any order;
/// only those of the last few hours should be among them.
pub fn incidents<'a>(samples: impl IntoIterator<Item = Sample<'a>>) -> Vec<Incident> {
    let mut hosts: BTreeMap<&str, Vec<&Poll>> = BTreeMap::new();
    for sample in samples {
        if is_about_the_host(&sample.poll.outcome) {
            hosts.entry(sample.host).or_default().push(sample.poll);
        }
    }
    let mut incidents = Vec::new();
    for (host, mut polls) in hosts {
        polls.sort_by_key(|poll| std::cmp::Reverse((poll.at, poll.source)));
        polls.truncate(LATEST);
        let failing: Vec<_> = polls.iter().filter(|poll| is_failure(&poll.outcome)).collect();
        let sources: BTreeSet<SourceId> = failing.iter().map(|poll| poll.source).collect();
        if sources.len() < LEAST_SOURCES || failing.len() * 2 <= polls.len() {
            continue;
        }
        let Some(since) = failing.iter().map(|poll| poll.at).min() else { continue };
        let sentence = format!("{} of the last {} polls of {host} failed; its sources are not to blame", failing.len(), polls.len());
        incidents.push(Incident { host: host.to_owned(), since, failed: failing.len(), polls: polls.len(), sentence });
    }
    incidents
}

/// The sites of which most sources cannot be read, and since when: what their builders made there may be missing.
pub fn silent_sites<'a>(sources: impl IntoIterator<Item = (&'a Source, &'a SourceState)>, now: Timestamp) -> BTreeMap<String, Timestamp> {
    let mut sites: BTreeMap<String, (usize, Vec<Timestamp>)> = BTreeMap::new();
    for (source, state) in sources.into_iter().filter(|(source, _)| !source.paused && !source.left) {
        let site = CanonicalUrl::parse(&source.url).map_or_else(|_| source.kind.to_string(), |url| url.registrable_domain());
        let (all, silent) = sites.entry(site).or_default();
        *all += 1;
        silent.extend(state.failing_since.filter(|since| now.duration_since(*since) >= SILENT));
    }
    let most = |(all, silent): &(usize, Vec<Timestamp>)| silent.len() >= LEAST_SOURCES && silent.len() * 2 > *all;
    sites.into_iter().filter(|(_, site)| most(site)).filter_map(|(name, (_, silent))| Some((name, silent.into_iter().min()?))).collect()
}

/// Whether it is our own network that is down: several hosts were asked lately, and not one of them answered anything.
/// `silent` are hosts that were out of reach just now, and of which no poll is recorded yet.
pub fn is_offline<'a>(samples: impl IntoIterator<Item = Sample<'a>>, silent: impl IntoIterator<Item = &'a str>) -> bool {
    let mut hosts: BTreeSet<&str> = silent.into_iter().collect();
    for sample in samples {
        match (&sample.poll.outcome, sample.poll.status) {
            (PollOutcome::Held { .. }, _) => {}
            (PollOutcome::Failed { .. }, None) => {
                hosts.insert(sample.host);
            }
            _ => return false,
        }
    }
    hosts.len() >= LEAST_HOSTS
}

/// A move that clarion does not follow by itself.
fn moving(source: &Source, state: &SourceState) -> Option<Ailment> {
    let target = CanonicalUrl::parse(state.moving_to.as_deref()?).ok()?;
    let asked = CanonicalUrl::parse(state.final_url.as_deref().unwrap_or(&source.locator)).ok()?;
    if state.moving_seen < 3 || asked.same_site(&target) {
        return None;
    }
    let sentence = format!("the address moved for good to another site, {}; confirm the new address to follow it", target.host());
    Some(Ailment { since: None, sentence })
}

fn is_about_the_host(outcome: &PollOutcome) -> bool {
    !matches!(outcome, PollOutcome::Held { .. })
}

fn is_failure(outcome: &PollOutcome) -> bool {
    matches!(outcome, PollOutcome::Failed { .. } | PollOutcome::Blocked { .. } | PollOutcome::Gone | PollOutcome::Deferred { .. })
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceKind;

    fn source() -> Source {
        let url = "https://blog.example.org/feed";
        Source::new(SourceId(1), SourceKind::Rss, url, url)
    }

    fn hour(hours: i64) -> Timestamp {
        "2026-03-02T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
    }

    fn failing() -> SourceState {
        SourceState {
            status: SourceStatus::Failing,
            failing_since: Some(hour(0)),
            error: Some("blog.example.org answers 500 (Internal Server Error)".into()),
            ..SourceState::default()
        }
    }

    fn poll(source: i64, at: i64, ok: bool, status: Option<u16>) -> Poll {
        let outcome = if ok { PollOutcome::Unchanged } else { PollOutcome::Failed { error: "x".into() } };
        Poll { source: SourceId(source), at: hour(at), outcome, status, elapsed_ms: 1, bytes: 0 }
    }

    #[test]
    fn a_lasting_fault_is_told_once_and_its_end_once() {
        let mut state = failing();
        assert_eq!(notice(&source(), &state, false, hour(71)), None);
        assert_eq!(notice(&source(), &state, true, hour(72)), None);
        let Some(Notice::Lasting(ailment)) = notice(&source(), &state, false, hour(72)) else { panic!() };
        assert_eq!(ailment.sentence, "blog.example.org answers 500 (Internal Server Error) (since 2026-03-02)");
        state.told_at = Some(hour(72));
        assert_eq!(notice(&source(), &state, false, hour(200)), None);
        let mut mended = SourceState { status: SourceStatus::Ok, told_at: state.told_at, ..SourceState::default() };
        assert_eq!(notice(&source(), &mended, false, hour(201)), Some(Notice::Recovered));
        mended.told_at = None;
        assert_eq!(notice(&source(), &mended, false, hour(202)), None);
        let gone = SourceState { status: SourceStatus::Gone, ..failing() };
        assert!(matches!(notice(&source(), &gone, false, hour(1)), Some(Notice::Lasting(_))));
        assert_eq!(notice(&Source { paused: true, ..source() }, &failing(), false, hour(99)), None);
    }

    #[test]
    fn a_healthy_source_has_nothing_to_say_but_a_foreign_move() {
        let mut state = SourceState { status: SourceStatus::Ok, ..SourceState::default() };
        assert_eq!(ailment(&source(), &state), None);
        state.moving_to = Some("https://new.example.net/feed".into());
        state.moving_seen = 3;
        assert!(ailment(&source(), &state).unwrap().sentence.contains("new.example.net"));
        assert_eq!(notice(&source(), &state, false, hour(99)), None);
        state.moving_to = Some("https://www.example.org/feed".into());
        assert_eq!(ailment(&source(), &state), None);
    }

    #[test]
    fn a_platform_that_fails_is_one_incident() {
        let tube: Vec<_> = (0..20).map(|n| poll(n, n, n < 5, Some(404))).collect();
        let mixed: Vec<_> = (0..10).map(|n| poll(100 + n, n, n % 2 == 0, Some(500))).collect();
        let single: Vec<_> = (0..10).map(|n| poll(200, n, false, Some(500))).collect();
        let all = [("tube.example", &tube), ("mixed.example", &mixed), ("single.example", &single)];
        let samples = all.iter().flat_map(|(host, polls)| polls.iter().map(move |poll| Sample { host, poll }));
        let found = incidents(samples);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].host.as_str(), found[0].failed, found[0].polls, found[0].since), ("tube.example", 10, 10, hour(10)));
    }

    #[test]
    fn a_site_is_silent_when_most_of_its_sources_are() {
        let source = |id: i64, url: &str| Source::new(SourceId(id), SourceKind::Rss, url, url);
        let state = |since: Option<i64>| SourceState { failing_since: since.map(hour), ..SourceState::default() };
        let of = |site: &str, states: &[Option<i64>]| -> Vec<(Source, SourceState)> {
            (1..).zip(states).map(|(id, since)| (source(id, &format!("https://{id}.{site}/feed")), state(*since))).collect()
        };
        let all = [
            of("letters.example", &[Some(3), Some(2), Some(4), None, None]),
            of("half.example", &[Some(2), Some(2), Some(2), None, None, None]),
            of("few.example", &[Some(2), Some(2)]),
            of("just.example", &[Some(9), Some(9), Some(9)]),
        ]
        .concat();
        let found = silent_sites(all.iter().map(|(source, state)| (source, state)), hour(10));
        assert_eq!(found, BTreeMap::from([("letters.example".to_owned(), hour(2))]));
    }

    #[test]
    fn only_silence_everywhere_is_our_own_network() {
        let silent: Vec<_> = (0..3).map(|n| poll(n, 0, false, None)).collect();
        let answered = poll(9, 0, false, Some(500));
        let hosts = ["a.example", "b.example", "c.example"];
        let samples = || hosts.iter().zip(&silent).map(|(host, poll)| Sample { host, poll });
        assert!(is_offline(samples(), []));
        assert!(!is_offline(samples().take(2), []));
        assert!(!is_offline(samples().chain([Sample { host: "d.example", poll: &answered }]), []));
    }
}
