//! Turns what a source answers into entries; a file per kind of source.
//!
//! In: sources that are due, and the documents that came back. Out: questions to ask, and entries as the source tells
//! them. Pure and synchronous. Knows nothing of fetching, of the log or of what entries mean.

mod devto;
pub mod discover;
mod feed;
mod github;
mod ical;
mod json;
mod medium;
mod parse;
mod peertube;
mod podcast;
mod repair;
mod rss;
mod sessionize;
mod twitch;
mod vimeo;
mod youtube;

use std::collections::HashSet;
use std::sync::Arc;

use crate::config::Config;
use crate::model::{Ask, Document, Entry, ReadError, Reading, Request, Source, SourceKind, SourceState};

pub use feed::read_feed;
pub use parse::parse_file_line;

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

    /// Whether one of [`Reading::next`] is worth asking, given what the poll told so far and the platform keys that the
    /// log knows of the source: a further page while all is new, a detail while its entry is unknown.
    fn wants(&self, request: &Request, told: &mut dyn Iterator<Item = &Entry>, known: &HashSet<String>) -> bool {
        match &request.about {
            Some(key) => !known.contains(key),
            None => told.filter_map(|entry| entry.platform_key.as_ref()).all(|key| !known.contains(key)),
        }
    }
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
}

impl Collectors {
    /// Collectors that ask at the addresses of the settings.
    pub fn new(config: &Config) -> Self {
        Self {
            rss: rss::Rss,
            youtube: youtube::Youtube::new(&config.youtube),
            github: github::Github::new(&config.github),
            devto: devto::Devto::new(&config.devto),
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

/// One question for one source, with the validators that its last answer gave.
fn ask_for(source: &Arc<Source>, state: &SourceState, request: Request) -> Ask {
    let request = Request { validators: state.validators.clone(), ..request };
    Ask { kind: source.kind, request, sources: vec![Arc::clone(source)], page: 1 }
}

/// Names the source of a reading: the one that the question was for.
fn for_source(ask: &Ask, reading: Reading) -> Vec<Reading> {
    vec![Reading { source: ask.sources.first().map(|source| source.id), ..reading }]
}
