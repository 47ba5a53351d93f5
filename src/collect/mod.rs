//! Turns what a source answers into entries; a file per kind of source.
//!
//! In: sources that are due, and the documents that came back. Out: questions to ask, and entries as the source tells
//! them. Pure and synchronous. Knows nothing of fetching, of the log or of what entries mean.

mod bluesky;
mod devto;
pub mod discover;
#[cfg(test)]
mod faults;
mod feed;
mod github;
mod github_repo;
mod github_search;
mod gitlab;
mod ical;
mod json;
mod mask;
mod mastodon;
mod medium;
mod parse;
mod peertube;
mod podcast;
mod profile;
mod repair;
mod rss;
#[cfg(test)]
mod samples;
mod sessionize;
mod sitemap;
mod stackexchange;
mod twitch;
mod vimeo;
mod youtube;

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::{Ask, Auth, Document, Ending, Entry, ReadError, Reading, Request, Source, SourceKind, SourceState, Validators};

pub use feed::read_feed;
pub use mask::masked_hash;
pub use parse::FileLine;

/// How one kind of source is asked and read.
pub trait Collector: Send + Sync {
    /// The questions that answer for all of these sources, which are of the collector's kind; most often one each.
    /// Validators of the state go into the request where the address is the one that gave them.
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask>;

    /// Reads an answer: a reading for each source that it speaks of.
    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError>;

    /// What to ask instead where the first question of a poll failed; `None` where there is no other way.
    fn otherwise(&self, _ask: &Ask) -> Option<Request> {
        None
    }

    /// Whether details are asked for once only, so that what they told of an entry stays true while the list, which does not
    /// tell it, is read again and again.
    fn keeps_details(&self) -> bool {
        false
    }

    /// The cheapest question that tells the counts of an entry, where the platform has one: of a single piece by its id,
    /// or of the list that it stands in. Its answer is for [`Collector::read`].
    fn count(&self, _source: &Arc<Source>, _entry: &Entry) -> Option<Request> {
        None
    }

    /// Whether one of [`Reading::next`] is worth asking, given what the poll told so far and the platform keys that the
    /// log knows of the source: a further page while all is new, a detail while its entry is unknown.
    fn wants(&self, request: &Request, told: &mut dyn Iterator<Item = &Entry>, known: &HashSet<String>) -> bool {
        match &request.about {
            Some(key) => !known.contains(key),
            None => told.filter_map(|entry| entry.platform_key.as_ref()).all(|key| !known.contains(key)),
        }
    }

    /// Questions beside those of `plan`, each for as many of these sources as one answer can serve. Their answers add
    /// entries; validators, health and schedule of the sources are left alone. By a person's wish they are asked as if they
    /// never had been.
    fn sweep(&self, _sources: &[(Arc<Source>, SourceState)], _is_wish: bool, _now: Timestamp) -> Vec<Ask> {
        Vec::new()
    }

    /// What the platform means by an answer that is an error, or by one that [`Collector::read`] refused.
    fn refused(&self, _ask: &Ask, _status: u16, _body: &[u8]) -> Meaning {
        Meaning::AsItSays
    }

    /// Brings together what one poll told of a source over several answers, once all of them are read.
    fn fold(&self, _reading: &mut Reading, _now: Timestamp) {}

    /// Where reading a source's older entries begins: most often with what polls ask for. `None` where the platform shows
    /// nothing older than that.
    fn history(&self, source: &Arc<Source>, state: &SourceState) -> Option<Request> {
        let ask = self.plan(&[(Arc::clone(source), state.clone())]).into_iter().next()?;
        Some(Request { validators: Validators::default(), ..ask.request })
    }

    /// The page of older entries that follows an answer: what its head or its reading names as the next one, on the same
    /// site.
    fn older(&self, ask: &Ask, document: &Document, readings: &[Reading]) -> Option<Request> {
        let told = readings.iter().flat_map(|reading| &reading.next).find(|request| request.about.is_none());
        told.cloned().or_else(|| page_at(ask, document, document.next_page.as_deref()?))
    }

    /// What an answer that speaks for several sources says of one of them: a document that [`Collector::read`] reads, with
    /// a question for that source alone, as it read the whole for it. `None` where it says nothing of anybody.
    fn part(&self, _ask: &Ask, _document: &Document, _source: &Source) -> Option<Vec<u8>> {
        None
    }
}

/// What a platform means by an error.
#[derive(Debug, Clone)]
pub enum Meaning {
    /// Nothing else than its status says.
    AsItSays,
    /// A limit is used up: come back after so many seconds, or after as long as back-off says.
    Wait(Option<u64>, String),
    /// The same is to be had in another way. The first question takes the place of the refused one; of a sweep, all do.
    Instead(Vec<Ask>),
    /// The account shows itself to nobody, or to no stranger.
    Closed(String),
}

/// The few that are asked together, cut to that size.
fn in_batches<T: Clone>(items: &[T], size: usize) -> impl Iterator<Item = Vec<T>> {
    items.chunks(size.max(1)).map(<[T]>::to_vec)
}

/// The collector of every kind.
pub struct Collectors {
    rss: rss::Rss,
    youtube: youtube::Youtube,
    github: github::Github,
    devto: devto::Devto,
    podcast: podcast::Podcast,
    medium: medium::Medium,
    vimeo: vimeo::Vimeo,
    peertube: peertube::Peertube,
    twitch: twitch::Twitch,
    sessionize: sessionize::Sessionize,
    ical: ical::Ical,
    manual: Manual,
    github_repo: github_repo::GithubRepo,
    gitlab: gitlab::Gitlab,
    stackexchange: stackexchange::StackExchange,
    mastodon: mastodon::Mastodon,
    bluesky: bluesky::Bluesky,
    sitemap: sitemap::Sitemap,
}

impl Collectors {
    /// Collectors that ask at the addresses of the settings.
    pub fn new(config: &Config) -> Self {
        Self {
            rss: rss::Rss,
            youtube: youtube::Youtube::new(&config.youtube),
            github: github::Github::new(&config.github).searching_every(config.schedule.github_search.default),
            devto: devto::Devto::new(&config.devto),
            github_repo: github_repo::GithubRepo::new(&config.github),
            gitlab: gitlab::Gitlab,
            stackexchange: stackexchange::StackExchange::new(&config.stackexchange),
            mastodon: mastodon::Mastodon,
            bluesky: bluesky::Bluesky::new(&config.bluesky),
            sitemap: sitemap::Sitemap,
            podcast: podcast::Podcast::new(&config.podcast),
            medium: medium::Medium::new(&config.medium),
            vimeo: vimeo::Vimeo::new(&config.vimeo),
            peertube: peertube::Peertube,
            twitch: twitch::Twitch::new(&config.twitch),
            sessionize: sessionize::Sessionize::new(&config.sessionize),
            ical: ical::Ical::new(config.digest.window_days),
            manual: Manual,
        }
    }

    /// The collector of that kind.
    pub fn get(&self, kind: SourceKind) -> &dyn Collector {
        match kind {
            SourceKind::Rss => &self.rss,
            SourceKind::YoutubeChannel | SourceKind::YoutubePlaylist => &self.youtube,
            SourceKind::GithubUser => &self.github,
            SourceKind::Devto => &self.devto,
            SourceKind::Podcast => &self.podcast,
            SourceKind::Medium => &self.medium,
            SourceKind::Vimeo => &self.vimeo,
            SourceKind::Peertube => &self.peertube,
            SourceKind::TwitchChannel => &self.twitch,
            SourceKind::SessionizeSpeaker => &self.sessionize,
            SourceKind::Ical => &self.ical,
            SourceKind::Manual => &self.manual,
            SourceKind::GithubOrg | SourceKind::GithubRepo => &self.github_repo,
            SourceKind::GitlabUser | SourceKind::GitlabProject => &self.gitlab,
            SourceKind::StackExchange => &self.stackexchange,
            SourceKind::Mastodon => &self.mastodon,
            SourceKind::Bluesky => &self.bluesky,
            SourceKind::Sitemap => &self.sitemap,
        }
    }
}

/// Works that were entered by hand: there is nobody to ask.
struct Manual;

impl Collector for Manual {
    fn plan(&self, _sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        Vec::new()
    }

    fn read(&self, ask: &Ask, _document: &Document) -> Result<Vec<Reading>, ReadError> {
        Ok(for_source(ask, Reading::default()))
    }
}

/// The same question at another address of the same site: where it was asked, or, where no secret goes with it, where the
/// answer came from.
fn page_at(ask: &Ask, document: &Document, url: &str) -> Option<Request> {
    let here = url::Url::parse(&ask.request.url).ok()?;
    let there = here.join(url).ok()?;
    let answered =
        || ask.request.auth == Auth::None && url::Url::parse(&document.final_url).is_ok_and(|url| url.origin() == there.origin());
    (there.origin() == here.origin() || answered()).then(|| Request {
        url: there.into(),
        validators: Validators::default(),
        ..ask.request.clone()
    })
}

/// One question for one source, with the validators that its last answer gave.
fn ask_for(source: &Arc<Source>, state: &SourceState, request: Request) -> Ask {
    let account = state.account.as_ref().map(|account| account.id.clone());
    let request = Request { validators: state.validators.clone(), account, after: state.reached, ..request };
    Ask { kind: source.kind, request, sources: vec![Arc::clone(source)], page: 1 }
}

/// Names the source of a reading: the one that the question was for.
///
/// Half an entry is no entry: it would stand in the record beside the whole one. It waits for the next poll.
fn for_source(ask: &Ask, mut reading: Reading) -> Vec<Reading> {
    if reading.ending == Ending::WithinEntry {
        reading.entries.pop();
        reading.incomplete = true;
    }
    vec![Reading { source: ask.sources.first().map(|source| source.id), ..reading }]
}
