//! Messages for Discord: an embed a category, within the limits of a message (2,000 characters of text, 10 embeds, 4,096
//! characters an embed, 6,000 over all). Split only between works. Nobody is mentioned, whatever a title says.

use serde_json::{Value, json};

use super::chat::{Messages, Used, split, target, without_codes};
use super::shown::{Shown, ShownBuilder, ShownUpcoming, ShownWork};
use super::text::by_line;
use super::{Context, markdown};
use crate::model::Digest;

const CONTENT: usize = 2_000;
const TITLE: usize = 256;
const DESCRIPTION: usize = 4_096;
const EMBEDS: usize = 10;
/// Characters of all embeds of one message.
const TOGETHER: usize = 6_000;
/// The accent of the pages, `#0F766E`.
const COLOR: u32 = 0x000F_766E;
/// Longer addresses leave no room for a work.
const ADDRESS: usize = 1_000;

/// A part of an embed: whole in one message.
struct Block {
    /// The embed's title; those in a row with the same one share it.
    section: String,
    text: String,
}

/// The digest as messages.
pub(crate) fn messages(digest: &Digest, ctx: &Context) -> Messages {
    let shown = Shown::of(digest, ctx);
    let mut written = Messages::new("discord", &shown.week);
    let groups = split(blocks(&shown), |blocks| {
        let embeds = embeds(blocks);
        embeds.len() <= EMBEDS
            && embeds.iter().map(|(title, text)| units(title) + units(text)).sum::<usize>() <= TOGETHER
            && embeds.iter().all(|(_, text)| units(text) <= DESCRIPTION)
    });
    let all = groups.len();
    for (at, group) in groups.iter().enumerate() {
        let place = if all > 1 { format!(" ({} of {all})", at + 1) } else { String::new() };
        let mut content = format!("**{}: {}**{place}", field(&shown.program), shown.heading);
        if at == 0 {
            for line in [shown.draft, shown.nothing].into_iter().flatten() {
                content.push_str(&format!("\n{line}"));
            }
            if let Some(intro) = shown.intro.as_deref().map(field).filter(|intro| units(intro) + units(&content) + 100 <= CONTENT) {
                content.push_str(&format!("\n{intro}"));
            }
        }
        let embeds: Vec<Value> = embeds(group)
            .into_iter()
            .map(|(title, text)| match title.as_str() {
                "" => json!({ "description": text, "color": COLOR }),
                title => json!({ "title": title, "description": text, "color": COLOR }),
            })
            .collect();
        written.messages.push(json!({ "content": content, "embeds": embeds, "allowed_mentions": { "parse": [] } }));
    }
    written
}

/// What a message uses of what Discord takes.
pub(super) fn used(message: &Value) -> Vec<Used> {
    let length = |text: &Value| text.as_str().map_or(0, units);
    let embeds = message["embeds"].as_array().map_or(&[][..], Vec::as_slice);
    let longest = embeds.iter().map(|embed| length(&embed["description"])).max().unwrap_or(0);
    let together = embeds.iter().map(|embed| length(&embed["title"]) + length(&embed["description"])).sum();
    vec![
        Used { what: "characters at the head", used: length(&message["content"]), most: CONTENT },
        Used { what: "boxes", used: embeds.len(), most: EMBEDS },
        Used { what: "characters in the longest box", used: longest, most: DESCRIPTION },
        Used { what: "characters in all boxes", used: together, most: TOGETHER },
    ]
}

/// Titles and texts of the embeds that these blocks make.
fn embeds(blocks: &[Block]) -> Vec<(String, String)> {
    let mut embeds: Vec<(String, String)> = Vec::new();
    for block in blocks {
        match embeds.last_mut() {
            Some((section, text)) if *section == block.section && units(text) + units(&block.text) + 2 <= DESCRIPTION => {
                text.push_str("\n\n");
                text.push_str(&block.text);
            }
            _ => embeds.push((block.section.clone(), block.text.clone())),
        }
    }
    embeds
}

/// The strictest reading of a limit in characters.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn blocks(shown: &Shown) -> Vec<Block> {
    let mut blocks: Vec<Block> = shown.lead.iter().map(|lead| Block { section: String::new(), text: work(lead) }).collect();
    for section in &shown.sections {
        // Titles of embeds are cut by names; the escaped one is at most twice as long as 120 characters.
        let name = Some(field(&section.name))
            .filter(|name| units(name) <= TITLE)
            .unwrap_or_else(|| section.name.chars().filter(|c| c.is_alphanumeric() || *c == ' ').take(100).collect());
        blocks.extend(section.works.iter().map(|shown| Block { section: name.clone(), text: work(shown) }));
    }
    blocks.extend(shown.coming_up.iter().map(|coming| Block { section: "Coming up".to_owned(), text: upcoming(coming) }));
    for correction in shown.corrections.iter().chain(&shown.earlier_corrections) {
        let text = format!("{}, {}: {}", correction.week, correction.date, field(&correction.text));
        blocks.push(Block { section: "Corrections".to_owned(), text });
    }
    let links = format!(
        "[How this list is made]({}) · [This week on the web]({})",
        target(&format!("{}/how", shown.base)),
        target(&shown.permalink)
    );
    blocks.push(Block { section: "About this list".to_owned(), text: format!("{} {links}", shown.chosen) });
    blocks
}

fn work(work: &ShownWork) -> String {
    let whole = write_work(work, true, &work.builders);
    if units(&whole) <= DESCRIPTION / 2 {
        return whole;
    }
    write_work(work, false, &work.builders[..work.builders.len().min(3)])
}

fn write_work(work: &ShownWork, all: bool, builders: &[ShownBuilder]) -> String {
    let mut text = field(&work.label());
    text.push('\n');
    text.push_str(&titled(&work.title, work.url.as_deref()));
    if let Some(gloss) = work.gloss.as_deref().filter(|_| all) {
        text.push_str(&format!("\n*{}*", field(gloss)));
    }
    if let Some(summary) = work.summary.as_deref().filter(|_| all) {
        text.push_str(&format!("\n{}", field(summary)));
    }
    let by = by_line(builders, field);
    let line = [Some(by.as_str()).filter(|by| !by.is_empty()), work.date.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
    if !line.is_empty() {
        text.push_str(&format!("\n{line}"));
    }
    text
}

fn upcoming(coming: &ShownUpcoming) -> String {
    let by = by_line(&coming.builders[..coming.builders.len().min(3)], field);
    let mut text = format!("{} · {}\n{}", coming.date, coming.kind, titled(&coming.title, coming.url.as_deref()));
    if !by.is_empty() {
        text.push_str(&format!("\n{by}"));
    }
    text
}

fn titled(title: &str, url: Option<&str>) -> String {
    match url.filter(|url| url.len() <= ADDRESS) {
        Some(url) => format!("**[{}]({})**", field(title), target(url)),
        None => format!("**{}**", field(title)),
    }
}

fn field(text: &str) -> String {
    markdown::field(&without_codes(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    fn check(digest: &Digest, ctx: &Context) -> Messages {
        let written = messages(digest, ctx);
        assert!(!written.messages.is_empty());
        for message in &written.messages {
            assert!((1..=CONTENT).contains(&units(message["content"].as_str().unwrap())));
            assert_eq!(message["allowed_mentions"], json!({ "parse": [] }));
            let embeds = message["embeds"].as_array().unwrap();
            assert!((1..=EMBEDS).contains(&embeds.len()));
            let mut together = 0;
            for embed in embeds {
                let title = units(embed["title"].as_str().unwrap_or_default());
                let text = units(embed["description"].as_str().unwrap());
                assert!(title <= TITLE && (1..=DESCRIPTION).contains(&text), "{title} {text}");
                together += title + text;
            }
            assert!(together <= TOGETHER, "{together}");
        }
        written
    }

    #[test]
    fn messages_keep_their_limits() {
        let mut long = sample::rich();
        for _ in 0..3 {
            let copy = long.sections.clone();
            long.sections.extend(copy);
        }
        assert!(check(&long, &sample::context()).messages.len() > 3);
        check(&sample::rich(), &sample::context());
        check(&sample::empty(), &sample::context());
        for hostile in sample::HOSTILE.iter().copied().chain(["*_~|<@&".repeat(60).as_str()]) {
            check(&sample::full(hostile), &sample::hostile_context(hostile));
        }
    }

    #[test]
    fn nobody_is_called_by_a_field() {
        for hostile in [
            "@everyone",
            "@here",
            "<@123>",
            "<@&123>",
            "<#123>",
            "</x:1>",
            "<t:1>",
            "[win](https://bad.example)",
            "# big",
            "-# small",
            "||x||",
        ] {
            let text = serde_json::to_string(&check(&sample::full(hostile), &sample::context())).unwrap();
            for live in ["@everyone", "@here", "\"<@", " <@", "[win](", "\\n# ", "\\n-#"] {
                assert!(!text.contains(live), "{live} in {text}");
            }
        }
    }

    #[test]
    fn a_rich_week() {
        insta::assert_json_snapshot!(messages(&sample::rich(), &sample::context()));
    }
}
