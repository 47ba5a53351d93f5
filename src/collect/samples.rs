//! What the tests of the collectors ask and read: a source that was never asked, and a document from somewhere.

use std::sync::Arc;

use crate::model::{Document, Source, SourceId, SourceKind, SourceState};

/// A source of that kind, with the state of one that was never asked.
pub(super) fn unasked(id: i64, kind: SourceKind, locator: &str) -> (Arc<Source>, SourceState) {
    (Arc::new(Source::new(SourceId(id), kind, locator, "")), SourceState::default())
}

/// An answer of that text.
pub(super) fn document(text: &str) -> Document {
    Document::of_bytes("https://tallow.example.org/", text, "2026-03-05T12:00:00Z".parse().unwrap())
}
