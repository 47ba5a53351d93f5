//! What the chats have in common: messages within limits, split only between works, and a document that holds them.
//!
//! A digest is a list of blocks of text; each is whole in one message. What a chat makes live (mentions, channels,
//! commands, emoji codes) is taken apart by signs that nobody sees, and addresses are written so that they end where
//! they should.

use serde::Serialize;
use serde_json::Value;

use super::{Format, RenderError, SCHEMA, discord, slack, teams};

/// How much of a limit something uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// What is counted: `characters`.
    pub what: &'static str,
    pub used: usize,
    pub most: usize,
}

/// How much of its chat's limits a message uses, as it stands in the document of that format; nothing of other formats.
pub fn chat_use(format: Format, message: &Value) -> Vec<Used> {
    match format {
        Format::Slack => slack::used(message),
        Format::Discord => discord::used(message),
        Format::Teams => teams::used(message),
        _ => Vec::new(),
    }
}

/// The messages of a digest for one chat.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names stand in the JSON")]
pub(crate) struct Messages {
    pub(crate) schema: u32,
    pub(crate) chat: &'static str,
    pub(crate) week: String,
    /// What is posted, one after the other.
    pub(crate) messages: Vec<Value>,
    /// The same messages, one for one, for a chat that refuses the others; empty where there is one way alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fallback: Vec<Value>,
}

impl Messages {
    pub(crate) fn new(chat: &'static str, week: &str) -> Self {
        Self { schema: SCHEMA, chat, week: week.to_owned(), messages: Vec::new(), fallback: Vec::new() }
    }
}

pub(crate) fn document(messages: &Messages) -> Result<Vec<u8>, RenderError> {
    let mut text = serde_json::to_string_pretty(messages)?;
    text.push('\n');
    Ok(text.into_bytes())
}

/// Distributes blocks over messages: a block goes into the message before it while `fits` says so, else begins a new
/// one. Order is kept and no block is lost.
pub(crate) fn split<T>(blocks: Vec<T>, fits: impl Fn(&[T]) -> bool) -> Vec<Vec<T>> {
    let mut messages: Vec<Vec<T>> = Vec::new();
    for block in blocks {
        let Some(last) = messages.last_mut() else {
            messages.push(vec![block]);
            continue;
        };
        last.push(block);
        if last.len() > 1
            && !fits(last)
            && let Some(block) = last.pop()
        {
            messages.push(vec![block]);
        }
    }
    messages
}

/// What calls everybody in a chat.
const CALLS: [&str; 4] = ["everyone", "here", "channel", "all"];

/// Takes codes like `:name:` apart, which chats show as pictures, and the beginnings of dates `{{` and of mentions `<@`.
pub(crate) fn without_codes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        plain.push(c);
        let live = match c {
            ':' => chars.peek().is_some_and(|next| next.is_ascii_alphanumeric() || matches!(next, '_' | '+' | '-')),
            '{' => chars.peek() == Some(&'{'),
            '<' => chars.peek().is_some_and(|next| !next.is_whitespace()),
            _ => false,
        };
        if live {
            plain.push('\u{2060}');
        }
    }
    plain
}

/// An address between parentheses: it holds no sign that ends it early or that Markdown reads.
pub(crate) fn target(address: &str) -> String {
    let mut written = String::with_capacity(address.len());
    for (at, c) in address.char_indices() {
        match c {
            // Whoever only looks for the words must not find them either.
            '@' if CALLS.iter().any(|call| address[at + 1..].get(..call.len()).is_some_and(|word| word.eq_ignore_ascii_case(call))) => {
                written.push_str("%40");
            }
            '(' => written.push_str("%28"),
            ')' => written.push_str("%29"),
            '<' => written.push_str("%3C"),
            '>' => written.push_str("%3E"),
            '|' => written.push_str("%7C"),
            '\\' => written.push_str("%5C"),
            '*' => written.push_str("%2A"),
            '`' => written.push_str("%60"),
            c if c.is_whitespace() || c.is_control() => written.push_str("%20"),
            c => written.push(c),
        }
    }
    written
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn splitting_keeps_order_loses_nothing_and_stays_within_the_limit(lengths in prop::collection::vec(0usize..60, 0..40)) {
            let blocks: Vec<String> = lengths.iter().enumerate().map(|(at, length)| format!("{at}:{}", "x".repeat(*length))).collect();
            let size = |blocks: &[String]| blocks.iter().map(String::len).sum::<usize>();
            let messages = split(blocks.clone(), |blocks| size(blocks) <= 100);
            prop_assert_eq!(messages.concat(), blocks);
            for message in &messages {
                prop_assert!(size(message) <= 100);
            }
            for pair in messages.windows(2) {
                prop_assert!(size(&pair[0]) + pair[1][0].len() > 100, "split before it was needed");
            }
        }
    }

    #[test]
    fn every_document_has_the_shape_that_is_described() {
        use crate::render::{Format, render, sample};
        let schema: Value = serde_json::from_str(include_str!("../../docs/chat.schema.json")).unwrap();
        for digest in [sample::rich(), sample::small(), sample::empty(), sample::full(sample::HOSTILE[0])] {
            for format in [Format::Slack, Format::Discord, Format::Teams] {
                let bytes = render(&digest, &sample::context(), format).unwrap();
                let document: Value = serde_json::from_slice(&bytes).unwrap();
                crate::render::json::tests::check(&document, &schema, &schema, "");
            }
        }
    }

    #[test]
    fn codes_and_addresses_are_taken_apart() {
        assert_eq!(without_codes(":smile: {{DATE(2026)}}"), ":\u{2060}smile: {\u{2060}{DATE(2026)}}");
        assert_eq!(target("https://a.example/x_(y)|z"), "https://a.example/x_%28y%29%7Cz");
    }
}
