//! Turns what a source answers into entries; a file per kind of source.
//!
//! In: sources that are due, and the documents that came back. Out: questions to ask, and entries as the source tells
//! them. Pure and synchronous. Knows nothing of fetching, of the log or of what entries mean.

mod devto;
pub mod discover;
mod feed;
mod github;
mod json;
mod mask;
mod parse;
mod part;
mod repair;
mod rss;
mod youtube;

use std::collections::HashSet;
use std::sync::Arc;

use crate::config::{DevtoConfig, GithubConfig, YoutubeConfig};
use crate::model::{Ask, Auth, Document, Entry, ReadError, Reading, Request, Source, SourceKind, SourceState, Validators};

pub use feed::read_feed;
pub use mask::masked_hash;
pub use parse::parse_file_line;

/// How one kind of source is asked and read.
pub trait Collector: Send + Sync {
    /// The questions that answer for all of these sources, which are of the collector's kind; most often one each.
    /// Validators of the state go into the request where the address is the one that gave them.
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask>;

    /// Reads an answer: a reading for each source that it speaks of.
    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError>;

    /// Whether one of [`Reading::next`] is worth asking, given what the poll told so far and the platform keys that the
    /// log knows of the source: a further page while all is new, a detail while its entry is unknown.
    fn wants(&self, request: &Request, told: &mut dyn Iterator<Item = &Entry>, known: &HashSet<String>) -> bool {
        match &request.about {
            Some(key) => !known.contains(key),
            None => told.filter_map(|entry| entry.platform_key.as_ref()).all(|key| !known.contains(key)),
        }
    }

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

    /// What an answer that speaks for many sources says of one of them, as a document that [`Collector::read`] takes with
    /// a question for that source alone. `None` where it cannot be cut.
    fn part(&self, document: &Document, source: &Source) -> Option<Vec<u8>> {
        part::part_of(&document.bytes, &source.locator)
    }
}

/// The collector of every kind.
pub struct Collectors {
    rss: rss::Rss,
    youtube: youtube::Youtube,
    github: github::Github,
    devto: devto::Devto,
}

impl Collectors {
    /// Collectors that ask at the addresses of the settings.
    pub fn new(github: &GithubConfig, youtube: &YoutubeConfig, devto: &DevtoConfig) -> Self {
        Self {
            rss: rss::Rss,
            youtube: youtube::Youtube::new(youtube),
            github: github::Github::new(github),
            devto: devto::Devto::new(devto),
        }
    }

    /// The collector of that kind.
    pub fn get(&self, kind: SourceKind) -> &dyn Collector {
        match kind {
            SourceKind::Rss => &self.rss,
            SourceKind::YoutubeChannel => &self.youtube,
            SourceKind::GithubUser => &self.github,
            SourceKind::Devto => &self.devto,
        }
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
    let request = Request { validators: state.validators.clone(), ..request };
    Ask { kind: source.kind, request, sources: vec![Arc::clone(source)], page: 1 }
}

/// Names the source of a reading: the one that the question was for.
fn for_source(ask: &Ask, reading: Reading) -> Vec<Reading> {
    vec![Reading { source: ask.sources.first().map(|source| source.id), ..reading }]
}
