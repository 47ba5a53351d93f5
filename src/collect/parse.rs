//! What a feed document says, as the line of JSON that `clarion parse --jsonl` prints for it.
//!
//! In: the bytes of a file. Out: `{"file","error","repairs","entries"}`; times in RFC 3339 and UTC, or null.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::feed::read_as_told;
use crate::model::{Document, Entry, Repair};

/// What one file holds, to be written as JSON: its entries and repairs, or why it could not be read.
#[derive(Debug, Serialize)]
pub struct FileLine {
    #[serde(serialize_with = "lines")]
    entries: Vec<Entry>,
    error: Option<String>,
    file: String,
    repairs: Vec<Repair>,
}

impl FileLine {
    /// The line of a file that could not even be opened.
    pub fn unread(file: &str, error: &std::io::Error) -> Self {
        Self { entries: Vec::new(), error: Some(error.to_string()), file: file.to_owned(), repairs: Vec::new() }
    }

    /// The line of a file that holds these bytes.
    pub fn of(file: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let document = Document::of_bytes("", bytes, Timestamp::UNIX_EPOCH);
        let (entries, repairs, error) = match read_as_told(&document) {
            Ok(reading) => (reading.entries, reading.repairs, None),
            Err(error) => (Vec::new(), Vec::new(), Some(error.to_string())),
        };
        Self { entries, error, file: file.to_owned(), repairs }
    }
}

/// What is told of an entry.
#[derive(Serialize)]
struct EntryLine<'a> {
    author: Option<&'a str>,
    categories: &'a [String],
    id: Option<&'a str>,
    link: Option<&'a str>,
    media: Vec<&'a str>,
    published: Option<Timestamp>,
    title: Option<&'a str>,
    updated: Option<Timestamp>,
}

fn lines<S: Serializer>(entries: &[Entry], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(entries.iter().map(|entry| EntryLine {
        author: entry.authors.first().map(|author| author.name.as_str()),
        categories: &entry.categories,
        id: entry.id.as_deref(),
        link: entry.link.as_deref(),
        media: entry.media.iter().map(|media| media.url.as_str()).collect(),
        published: entry.published,
        title: entry.title.as_deref(),
        updated: entry.updated,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_becomes_one_line_whatever_it_holds() {
        let good = b"<rss><channel><item><title>A &amp; B</title><pubDate>Wed, 25 Nov 2026 09:30:00 +0100</pubDate></item></channel></rss>";
        assert_eq!(
            serde_json::to_string(&FileLine::of("a.xml", good.as_slice())).unwrap(),
            "{\"entries\":[{\"author\":null,\"categories\":[],\"id\":null,\"link\":null,\"media\":[],\
             \"published\":\"2026-11-25T08:30:00Z\",\"title\":\"A & B\",\"updated\":null}],\"error\":null,\"file\":\"a.xml\",\"repairs\":[]}"
        );
        assert_eq!(FileLine::of("b.xml", b" ".as_slice()).error.as_deref(), Some("the answer is empty"));
    }
}
