//! What a feed document says, as the line of JSON that `clarion parse --jsonl` prints for it.
//!
//! In: the bytes of a file. Out: `{"file","error","repairs","entries"}`; times in RFC 3339 and UTC, or null.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::read_feed;
use crate::model::{Document, Entry};

/// The JSON of one file: its entries and repairs, or why it could not be read.
pub fn parse_file_line(path: &str, bytes: &[u8], content_type: Option<&str>, base_url: Option<&str>) -> Value {
    let mut document = Document::of_bytes(base_url.unwrap_or_default(), bytes, Timestamp::UNIX_EPOCH);
    document.content_type = content_type.map(str::to_owned);
    match read_feed(&document) {
        Ok(reading) => json!({
            "file": path,
            "error": null,
            "repairs": reading.repairs,
            "entries": reading.entries.iter().map(entry).collect::<Vec<_>>(),
        }),
        Err(error) => json!({ "file": path, "error": error.to_string(), "repairs": [], "entries": [] }),
    }
}

fn entry(entry: &Entry) -> Value {
    json!({
        "title": entry.title,
        "link": entry.link,
        "published": entry.published,
        "updated": entry.updated,
        "author": entry.authors.first().map(|author| author.name.as_str()),
        "id": entry.id,
        "media": entry.media.iter().map(|media| media.url.as_str()).collect::<Vec<_>>(),
        "categories": entry.categories,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_becomes_one_line_whatever_it_holds() {
        let good = b"<rss><channel><item><title>A &amp; B</title><pubDate>Wed, 25 Nov 2026 09:30:00 +0100</pubDate></item></channel></rss>";
        assert_eq!(
            parse_file_line("a.xml", good, None, None).to_string(),
            "{\"entries\":[{\"author\":null,\"categories\":[],\"id\":null,\"link\":null,\"media\":[],\
             \"published\":\"2026-11-25T08:30:00Z\",\"title\":\"A & B\",\"updated\":null}],\"error\":null,\"file\":\"a.xml\",\"repairs\":[]}"
        );
        assert_eq!(parse_file_line("b.xml", b" ", None, None)["error"], "the answer is empty");
    }
}
