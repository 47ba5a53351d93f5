//! Messages for chats roughly as people will see them there: headings, what is bold or linked, boxes and buttons.
//!
//! In: a document of messages as `render` writes it. Out: lines of runs, with how much of its limits each message uses.
//! Reads no more of a chat's own ways of writing than our messages use: this is a picture of them, and nothing is sent
//! from it.

use serde_json::Value;

use crate::render::{Format, Used, chat_use, number, web_address};

/// One message.
pub(crate) struct Message {
    /// `Message 1 of 2`.
    pub(crate) name: String,
    pub(crate) counts: Vec<Count>,
    pub(crate) boxes: Vec<Box>,
    /// Text and address.
    pub(crate) buttons: Vec<(String, String)>,
}

/// How much of a limit is used.
pub(crate) struct Count {
    pub(crate) text: String,
    pub(crate) over: bool,
}

/// Lines that stand together.
pub(crate) struct Box {
    /// Whether it is set off from the message.
    pub(crate) framed: bool,
    pub(crate) lines: Vec<Line>,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The classes of its look: `large`, `medium`, `small`, with `apart`, `gap` or `ruled` where it stands off from the one before.
    pub(crate) look: String,
    pub(crate) runs: Vec<Run>,
}

/// A stretch of text that looks the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Run {
    pub(crate) text: String,
    pub(crate) bold: bool,
    pub(crate) slanted: bool,
    pub(crate) url: Option<String>,
}

impl Count {
    pub(crate) fn of(used: Used) -> Self {
        let Used { what, used, most } = used;
        Self { text: format!("{} / {} {what}", number(used as u64), number(most as u64)), over: used > most }
    }
}

/// The messages of a document; none where it is no document of a chat.
pub(crate) fn messages(format: Format, document: &str) -> Vec<Message> {
    let Ok(document) = serde_json::from_str::<Value>(document) else { return Vec::new() };
    let all = document["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let name = |at: usize| if all.len() == 1 { "The message".to_owned() } else { format!("Message {at} of {}", all.len()) };
    (1..)
        .zip(all)
        .map(|(at, message)| {
            let (boxes, buttons) = match format {
                Format::Slack => (slack(message), Vec::new()),
                Format::Discord => (discord(message), Vec::new()),
                _ => teams(message),
            };
            let counts = chat_use(format, message).into_iter().map(Count::of).collect();
            Message { name: name(at), counts, boxes, buttons }
        })
        .collect()
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn slack(message: &Value) -> Vec<Box> {
    let texts = items(message, "blocks").filter_map(|block| block["text"].as_str());
    texts.map(|text| Box { framed: false, lines: markdown(text) }).collect()
}

fn discord(message: &Value) -> Vec<Box> {
    let head = Box { framed: false, lines: markdown(message["content"].as_str().unwrap_or_default()) };
    let embeds = items(message, "embeds").map(|embed| {
        let title = embed["title"].as_str().map(|title| Line { look: "medium".to_owned(), runs: runs(title, &Run::default()) });
        let text = markdown(embed["description"].as_str().unwrap_or_default());
        Box { framed: true, lines: title.into_iter().chain(text).collect() }
    });
    std::iter::once(head).chain(embeds).collect()
}

fn teams(message: &Value) -> (Vec<Box>, Vec<(String, String)>) {
    let cards = || items(message, "attachments").map(|attachment| &attachment["content"]);
    let boxes = cards().map(|card| Box { framed: false, lines: items(card, "body").map(paragraph).collect() });
    let buttons = cards().flat_map(|card| items(card, "actions")).filter_map(|action| {
        let url = web_address(action["url"].as_str()?)?;
        Some((action["title"].as_str()?.to_owned(), url))
    });
    (boxes.collect(), buttons.collect())
}

/// A paragraph of an Adaptive Card; its size is that of its first run.
fn paragraph(block: &Value) -> Line {
    let size = match block["inlines"][0]["size"].as_str() {
        Some("Large") => "large",
        Some("Medium") => "medium",
        Some("Small") => "small",
        _ => "",
    };
    // Blocks of a card stand a little apart.
    let rule = if block["separator"] == true { "ruled " } else { "apart " };
    let run = |inline: &Value| Run {
        text: inline["text"].as_str().unwrap_or_default().to_owned(),
        bold: inline["weight"] == "Bolder",
        slanted: inline["italic"] == true,
        url: inline["selectAction"]["url"].as_str().and_then(web_address),
    };
    Line { look: format!("{rule}{size}").trim_end().to_owned(), runs: items(block, "inlines").map(run).collect() }
}

/// Lines of Markdown: headings of two levels, and paragraphs.
fn markdown(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut gap = false;
    for line in text.lines() {
        if line.trim().is_empty() {
            gap = !lines.is_empty();
            continue;
        }
        let (look, rest) = match (line.strip_prefix("# "), line.strip_prefix("## ")) {
            (Some(rest), _) => ("large", rest),
            (_, Some(rest)) => ("medium", rest),
            _ => ("", line),
        };
        let stands = if gap { "gap " } else { "" };
        lines.push(Line { look: format!("{stands}{look}").trim_end().to_owned(), runs: runs(rest, &Run::default()) });
        gap = false;
    }
    lines
}

/// The runs of a line: `**bold**`, `*slanted*`, `[linked](address)`, and a backslash before a sign that means itself.
fn runs(text: &str, look: &Run) -> Vec<Run> {
    let mut found: Vec<Run> = Vec::new();
    let mut now = Run { text: String::new(), ..look.clone() };
    let mut end = |now: &mut Run| {
        if !now.text.is_empty() {
            found.push(now.clone());
            now.text.clear();
        }
    };
    let mut links: Vec<Vec<Run>> = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if c == '\\'
            && let Some(sign) = after.chars().next().filter(char::is_ascii_punctuation)
        {
            now.text.push(sign);
            rest = &after[1..];
        } else if let Some(after) = rest.strip_prefix("**") {
            end(&mut now);
            now.bold = !now.bold;
            rest = after;
        } else if c == '*' {
            end(&mut now);
            now.slanted = !now.slanted;
            rest = after;
        } else if c == '['
            && let Some((inside, url, after)) = link(after)
        {
            end(&mut now);
            links.push(runs(inside, &Run { url: web_address(url), text: String::new(), ..now.clone() }));
            // Its place, until all is put together.
            now.text.push('\0');
            end(&mut now);
            rest = after;
        } else {
            now.text.push(c);
            rest = after;
        }
    }
    end(&mut now);
    let mut links = links.into_iter();
    found.into_iter().flat_map(|run| if run.text == "\0" { links.next().unwrap_or_default() } else { vec![run] }).collect()
}

/// What a link shows, where it leads, and what comes after it; `text` begins after its bracket.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let mut escaped = false;
    let close = text.char_indices().find_map(|(at, c)| {
        let closes = c == ']' && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at)
    })?;
    let (url, after) = text[close + 1..].strip_prefix('(')?.split_once(')')?;
    Some((&text[..close], url, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{render, sample};

    fn text_of(messages: &[Message]) -> String {
        let lines = messages.iter().flat_map(|message| &message.boxes).flat_map(|shown| &shown.lines);
        lines.map(|line| line.runs.iter().map(|run| run.text.as_str()).collect::<String>() + "\n").collect()
    }

    fn look(format: Format) -> Vec<Message> {
        messages(format, &String::from_utf8(render(&sample::rich(), &sample::context(), format).unwrap()).unwrap())
    }

    #[test]
    fn signs_that_mean_themselves_are_shown_and_others_are_read() {
        let run = |text: &str, bold, slanted, url: Option<&str>| Run { text: text.into(), bold, slanted, url: url.map(str::to_owned) };
        for (text, wanted) in [
            ("plain", vec![run("plain", false, false, None)]),
            (r"a \* b \\ c \\", vec![run(r"a * b \ c \", false, false, None)]),
            (
                "*slanted* and **bold**",
                vec![run("slanted", false, true, None), run(" and ", false, false, None), run("bold", true, false, None)],
            ),
            (
                r"**[a \] b](https://a.example/x)** by",
                vec![run("a ] b", true, false, Some("https://a.example/x")), run(" by", false, false, None)],
            ),
            ("[no link] (here)", vec![run("[no link] (here)", false, false, None)]),
            ("[x](javascript:alert)", vec![run("x", false, false, None)]),
            ("[open", vec![run("[open", false, false, None)]),
            ("ends in a \\", vec![run("ends in a \\", false, false, None)]),
        ] {
            assert_eq!(runs(text, &Run::default()), wanted, "{text}");
        }
    }

    #[test]
    fn every_chat_shows_each_title_once_with_its_link_and_stays_within_its_limits() {
        for format in [Format::Slack, Format::Discord, Format::Teams] {
            let shown = look(format);
            let text = text_of(&shown);
            for pick in sample::rich().picks().filter(|pick| pick.title.len() < 200) {
                let plain = |text: &str| text.replace(['\u{2060}', '\u{2068}', '\u{2069}', '\u{202e}', '\u{202c}'], "");
                assert_eq!(plain(&text).matches(&plain(&pick.title)).count(), 1, "{format}: {} in {text}", pick.title);
            }
            assert!(!text.contains("**") && !text.contains('\\') && !text.contains('\0'), "{format}: {text}");
            let runs = || shown.iter().flat_map(|message| &message.boxes).flat_map(|shown| &shown.lines).flat_map(|line| &line.runs);
            assert!(runs().filter(|run| run.url.is_some() && run.bold).count() > 8, "{format}");
            for count in shown.iter().flat_map(|message| &message.counts) {
                assert!(!count.over && count.text.contains(" / "), "{format}: {}", count.text);
            }
        }
        assert_eq!(look(Format::Teams)[0].buttons.len(), 1);
        assert_eq!(look(Format::Discord)[0].counts.len(), 4);
        assert!(messages(Format::Slack, "no JSON").is_empty());
    }
}
