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
use crate::model::{Ask, Document, Entry, ReadError, Reading, Request, Source, SourceKind, SourceState};

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

/// One question for one source, with the validators that its last answer gave.
fn ask_for(source: &Arc<Source>, state: &SourceState, request: Request) -> Ask {
    let request = Request { validators: state.validators.clone(), ..request };
    Ask { kind: source.kind, request, sources: vec![Arc::clone(source)], page: 1 }
}

/// Names the source of a reading: the one that the question was for.
fn for_source(ask: &Ask, reading: Reading) -> Vec<Reading> {
    vec![Reading { source: ask.sources.first().map(|source| source.id), ..reading }]
}
