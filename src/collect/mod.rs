//! Turns what a source answers into entries; a file per kind of source.
//!
//! In: sources that are due, and the documents that came back. Out: questions to ask, and entries as the source tells
//! them. Pure and synchronous. Knows nothing of fetching, of the log or of what entries mean.

mod feed;
mod parse;
mod repair;

use std::sync::Arc;

pub use self::feed::{Feed, read_feed};
pub use self::parse::parse_file_line;

use crate::model::{Ask, Document, ReadError, Reading, Source, SourceState};

/// How one kind of source is asked and read.
pub trait Collector: Send + Sync {
    /// The questions that answer for all of these sources, which are of the collector's kind; most often one each.
    /// Validators of the state go into the request where the address is the one that gave them.
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask>;

    /// Reads an answer: a reading for each source that it speaks of.
    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError>;
}
