//! What of a document says nothing of its entries and moves with every request: dates of building, and comments of
//! caches. Documents that differ in these alone are the same.
//!
//! In: the bytes of an answer. Out: a hash that does not depend on what is masked. Only what stands before the first
//! item and after the last one is looked at, so an entry can never be hidden. Counters of single entries stay: they are
//! no change of an entry, but they are sampled.

use sha2::{Digest as _, Sha256};

use crate::model::hex;

/// Elements of a feed, not of its items, that tell when it was built.
const BUILT: &[&str] = &["lastbuilddate", "pubdate", "updated", "modified", "dc:date", "atom:updated", "generator"];
/// The head of a document ends here at the latest.
const MAX_HEAD: usize = 64 << 10;

/// SHA-256, hex, of what a document says, whatever the moment at which it was built.
pub fn masked_hash(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    let looks_like_markup =
        bytes.iter().take(256).find(|byte| !byte.is_ascii_whitespace() && !matches!(byte, 0xEF | 0xBB | 0xBF)) == Some(&b'<');
    if !looks_like_markup {
        hash.update(bytes);
        return hex(&hash.finalize());
    }
    // Where no item is found, nothing is masked: there may be some that only a reader sees.
    let items = first_item(bytes).unwrap_or(0);
    let end = if items == 0 { bytes.len() } else { last_item(&bytes[items..]).map_or(bytes.len(), |end| items + end) };
    put_masked(&mut hash, &bytes[..items]);
    hash.update(&bytes[items..end]);
    put_masked(&mut hash, &bytes[end..]);
    hex(&hash.finalize())
}

/// Where the first item begins, whatever its namespace's prefix.
fn first_item(bytes: &[u8]) -> Option<usize> {
    let head = &bytes[..bytes.len().min(MAX_HEAD)];
    (0..head.len()).filter(|at| head[*at] == b'<').find(|at| is_item(&head[at + 1..]))
}

/// Where the last item ends.
fn last_item(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len()).rev().filter(|at| bytes[*at] == b'<').find(|at| bytes.get(at + 1) == Some(&b'/') && is_item(&bytes[at + 2..]))
}

fn is_item(name: &[u8]) -> bool {
    let local = name.iter().take(24).position(|byte| *byte == b':').map_or(name, |colon| &name[colon + 1..]);
    [name, local].into_iter().any(|name| starts_with(name, b"item") || starts_with(name, b"entry"))
}

fn starts_with(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.get(..wanted.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(wanted))
}

/// Everything but the text of elements in [`BUILT`], and but comments.
fn put_masked(hash: &mut Sha256, bytes: &[u8]) {
    let mut rest = bytes;
    // What was looked for in vain is not looked for again: hostile documents would make that slow.
    let (mut no_comment, mut no_end) = (false, false);
    while let Some(at) = rest.iter().position(|byte| *byte == b'<') {
        hash.update(&rest[..at]);
        rest = &rest[at..];
        let skipped = if rest.starts_with(b"<!--") && !no_comment {
            let end = find(rest, b"-->");
            no_comment = end.is_none();
            end.map(|end| end + 3)
        } else if !no_end && BUILT.iter().any(|name| is_element(rest, name)) {
            let end = find(&rest[1..], b"</");
            no_end = end.is_none();
            end.map(|end| end + 1)
        } else {
            None
        };
        if let Some(end) = skipped {
            rest = &rest[end..];
        } else {
            hash.update(b"<");
            rest = &rest[1..];
        }
    }
    hash.update(rest);
}

fn is_element(bytes: &[u8], name: &str) -> bool {
    starts_with(&bytes[1..], name.as_bytes()) && matches!(bytes.get(1 + name.len()), Some(b'>' | b' ' | b'\n' | b'\t' | b'\r'))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rss(built: &str, item_date: &str, tail: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><rss><channel><title>T</title><lastBuildDate>{built}</lastBuildDate>\
             <item><title>A</title><pubDate>{item_date}</pubDate></item></channel></rss>{tail}"
        )
    }

    #[test]
    fn the_moment_of_building_is_masked_and_an_item_is_not() {
        let hash = |text: String| masked_hash(text.as_bytes());
        let one = hash(rss("Mon", "Tue", "<!-- cached 3 ms -->"));
        assert_eq!(one, hash(rss("Wed", "Tue", "<!-- cached 12 ms -->")));
        assert_ne!(one, hash(rss("Mon", "Thu", "<!-- cached 3 ms -->")));
        let atom = |feed: &str, entry: &str| {
            masked_hash(format!("\u{feff} <feed><updated>{feed}</updated><entry><updated>{entry}</updated></entry></feed>").as_bytes())
        };
        assert_eq!(atom("1", "2"), atom("3", "2"));
        assert_ne!(atom("1", "2"), atom("1", "3"));
        let prefixed =
            |at: &str| masked_hash(format!("<a:feed xmlns:a='x'><a:entry><a:updated>{at}</a:updated></a:entry></a:feed>").as_bytes());
        assert_ne!(prefixed("1"), prefixed("2"));
    }

    #[test]
    fn whatever_is_no_markup_or_broken_counts_byte_for_byte() {
        for (one, other) in [("{\"updated\":1}", "{\"updated\":2}"), ("<feed><updated>1", "<feed><updated>2"), ("", " ")] {
            assert_ne!(masked_hash(one.as_bytes()), masked_hash(other.as_bytes()), "{one}");
        }
        let hostile = format!("<rss><item></item>{}", "<!-- ".repeat(400_000));
        assert_ne!(masked_hash(hostile.as_bytes()), masked_hash(hostile.trim_end().as_bytes()));
    }
}
