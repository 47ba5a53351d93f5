//! What the readers of JSON interfaces share: taking what is there, and nothing else, out of a payload.
//!
//! Interfaces drop fields, add kinds and send nulls without notice; nothing here is strict about anything but the
//! outermost shape.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{Content, Document, ReadError};
use crate::text::{collapse, count_words};

/// The most bytes of text that an entry keeps.
const MAX_TEXT: usize = 64 * 1024;
/// The most links that an entry keeps.
const MAX_LINKS: usize = 100;
/// The longest address, and the most bytes of Markdown that are read.
const MAX_ADDRESS: usize = 4_096;
const MAX_MARKDOWN: usize = 1 << 20;

/// Reads the document as JSON.
pub(super) fn parse(document: &Document, platform: &'static str) -> Result<Value, ReadError> {
    let bytes = document.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&document.bytes);
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).ok_or(ReadError::Empty)?;
    if bytes[start] == b'<' {
        return Err(ReadError::Html);
    }
    if !is_modest(bytes) {
        return Err(ReadError::TooHard);
    }
    serde_json::from_slice(bytes).map_err(|error| ReadError::Shape { platform, detail: error.to_string() })
}

/// Reads bytes as JSON, if they are that and do not hold absurdly many values.
pub(super) fn value_of(bytes: &[u8]) -> Option<Value> {
    is_modest(bytes).then(|| serde_json::from_slice(bytes).ok()).flatten()
}

/// Whether the values of a document take a moderate room once they are read: a byte of text can stand for a hundred bytes
/// of memory. No answer of an interface comes near the bound.
fn is_modest(bytes: &[u8]) -> bool {
    const ROOM: usize = 32 << 20;
    /// About what an object and any other value take.
    const OBJECT: usize = 700;
    const VALUE: usize = 64;
    let (mut room, mut in_text, mut escaped) = (ROOM, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' => room = room.saturating_sub(OBJECT),
            b',' | b'[' => room = room.saturating_sub(VALUE),
            _ => {}
        }
    }
    room > 0
}

/// The beginning of a text, as far as it is read at all.
fn head(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

/// The list that an answer must be; an object in its place is most often an error message, which is passed on.
pub(super) fn list(value: Value, platform: &'static str) -> Result<Vec<Value>, ReadError> {
    match value {
        Value::Array(items) => Ok(items),
        other => {
            let message = text(&other, &["message"]).or_else(|| text(&other, &["error"]));
            let detail = message.map_or_else(|| "a list was expected".to_owned(), |message| message.chars().take(200).collect());
            Err(ReadError::Shape { platform, detail })
        }
    }
}

/// The value at a path of keys, unless it is null or missing.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key)).filter(|value| !value.is_null())
}

/// The text at a path: blanks collapsed, control characters dropped, `None` where nothing is left.
pub(super) fn text(value: &Value, path: &[&str]) -> Option<String> {
    let tidy = collapse(head(at(value, path)?.as_str()?, MAX_TEXT));
    (!tidy.is_empty()).then_some(tidy)
}

/// The number at a path; a text of digits counts as one.
pub(super) fn number(value: &Value, path: &[&str]) -> Option<u64> {
    let value = at(value, path)?;
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// The truth value at a path.
pub(super) fn truth(value: &Value, path: &[&str]) -> Option<bool> {
    at(value, path)?.as_bool()
}

/// The instant at a path, as RFC 3339 gives it.
pub(super) fn time(value: &Value, path: &[&str]) -> Option<Timestamp> {
    at(value, path)?.as_str()?.trim().parse().ok()
}

/// The seconds at a path, more than none.
pub(super) fn seconds(value: &Value, path: &[&str]) -> Option<u32> {
    number(value, path).and_then(|seconds| u32::try_from(seconds).ok()).filter(|seconds| *seconds > 0)
}

/// The id at a path: a number, or a text without blanks of at most 100 characters.
pub(super) fn id(value: &Value, path: &[&str]) -> Option<String> {
    let id = match at(value, path)? {
        Value::Number(number) => number.as_u64()?.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    (!id.is_empty() && id.len() <= 100 && !id.contains(|c: char| c.is_whitespace() || c.is_control())).then_some(id)
}

/// The http(s) address at a path.
pub(super) fn address(value: &Value, path: &[&str]) -> Option<String> {
    let url = url::Url::parse(Some(at(value, path)?.as_str()?.trim()).filter(|url| url.len() <= MAX_ADDRESS)?).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| url.to_string())
}

/// Text written in Markdown, as content: marks of structure dropped, code counted, links taken.
pub(super) fn markdown(source: &str) -> Option<Content> {
    let mut content = Content::default();
    let mut seen = BTreeSet::new();
    let mut fenced = false;
    for line in head(source, MAX_MARKDOWN).lines() {
        let line = line.trim_end();
        let bare = line.trim_start();
        if bare.starts_with("```") || bare.starts_with("~~~") {
            content.code_blocks += u32::from(!fenced);
            fenced = !fenced;
            continue;
        }
        let plain = if fenced { line } else { bare.trim_start_matches(['#', '>', '*', '-', '+', ' ']).trim_end() };
        if !plain.is_empty() {
            let plain: String = plain.chars().filter(|c| !c.is_control()).collect();
            let (words, cjk_chars) = count_words(&plain);
            content.words = content.words.saturating_add(words);
            content.cjk_chars = content.cjk_chars.saturating_add(cjk_chars);
            if content.text.len() + plain.len() < MAX_TEXT {
                content.text.push_str(&plain);
                content.text.push('\n');
            }
        }
        if content.links.len() < MAX_LINKS {
            for link in links_in(line) {
                if content.links.len() < MAX_LINKS && seen.insert(link.clone()) {
                    content.links.push(link);
                }
            }
        }
    }
    content.text.truncate(content.text.trim_end().len());
    (!content.text.is_empty()).then_some(content)
}

/// The http(s) addresses that stand in a text.
pub(super) fn links_in(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("http").filter(|_| links.len() < MAX_LINKS) {
        let candidate = &rest[start..];
        let end = candidate
            .find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | ')' | ']' | '`' | '|' | '\\'))
            .unwrap_or(candidate.len());
        let link = candidate[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '_']);
        if (link.starts_with("http://") || link.starts_with("https://")) && url::Url::parse(link).is_ok_and(|url| url.has_host()) {
            links.push(link.to_owned());
        }
        rest = &candidate[end.max(4)..];
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_plain_words_with_its_code_and_links_known() {
        let content = markdown("## New\n\n* a **fast** path, see <https://docs.example.org/x>.\n\n```rust\nfn main() {}\n```\n").unwrap();
        assert_eq!(content.code_blocks, 1);
        assert_eq!(content.links, ["https://docs.example.org/x"]);
        assert!(content.text.starts_with("New\na **fast** path"));
        assert_eq!(markdown("  \n \r\n"), None);
    }

    #[test]
    fn absurdly_many_values_are_not_read() {
        let of = |text: String| parse(&Document::of_bytes("", text, Timestamp::UNIX_EPOCH), "x");
        for piece in ["[],", "{},", "1,", "{\"a\":{}},", "null,"] {
            assert_eq!(of(format!("[{}1]", piece.repeat(1_000_000))), Err(ReadError::TooHard), "{piece}");
        }
        let text = "[{,\\\"".repeat(1_000_000);
        let read = of(format!("[{{\"body\":{}}}]", Value::from(text.clone()))).unwrap();
        assert_eq!(read[0]["body"], text, "what stands in a text is no value");
        assert!(super::text(&read[0], &["body"]).unwrap().len() <= MAX_TEXT);
    }

    #[test]
    fn links_end_where_prose_goes_on() {
        for (given, wanted) in [
            ("see https://a.example/x, and (http://b.example).", vec!["https://a.example/x", "http://b.example"]),
            ("https://", vec![]),
            ("httphttps://a.example/é", vec![]),
            ("[x](https://a.example/y)", vec!["https://a.example/y"]),
        ] {
            assert_eq!(links_in(given), wanted, "{given}");
        }
    }
}
