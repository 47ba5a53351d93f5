//! Messages for Teams: an Adaptive Card each, under the 28 KB of an incoming webhook. Split only between works.
//!
//! Text from outside stands in runs of `RichTextBlock`, which read no Markdown; without entities nobody is mentioned.

use serde_json::{Value, json};

use super::Context;
use super::chat::{Messages, Used, split, without_codes};
use super::prose::isolate;
use super::shown::{Shown, ShownUpcoming, ShownWork};
use super::text::by_line;
use crate::model::Digest;

/// Bytes of one message that an incoming webhook takes.
const TAKEN: usize = 28_000;
/// Bytes that a message is filled to: what Teams adds on its way has room.
const MOST: usize = 25_000;

/// The digest as messages.
pub(crate) fn messages(digest: &Digest, ctx: &Context) -> Messages {
    let shown = Shown::of(digest, ctx);
    let mut written = Messages::new("teams", &shown.week);
    let size = |blocks: &[Vec<Value>]| blocks.iter().map(|block| Value::Array(block.clone()).to_string().len()).sum::<usize>();
    let groups = split(blocks(&shown), |blocks| size(blocks) <= MOST - 2_000);
    let all = groups.len();
    for (at, group) in groups.into_iter().enumerate() {
        let place = if all > 1 { format!(" ({} of {all})", at + 1) } else { String::new() };
        let mut body = vec![block("Large", "Bolder", &[run(&format!("{}: {}{place}", shown.program, shown.heading))])];
        body.extend(group.into_iter().flatten());
        let open = json!([{ "type": "Action.OpenUrl", "title": "This week on the web", "url": shown.permalink }]);
        written.messages.push(json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "fallbackText": without_codes(&format!("{}: {}", shown.program, shown.heading)),
                    "msteams": { "width": "Full" },
                    "body": body,
                    "actions": open,
                }
            }]
        }));
    }
    written
}

/// What a message uses of what Teams takes.
pub(super) fn used(message: &Value) -> Vec<Used> {
    vec![Used { what: "bytes", used: message.to_string().len(), most: TAKEN }]
}

fn blocks(shown: &Shown) -> Vec<Vec<Value>> {
    let mut blocks = Vec::new();
    let plain = |text: &str| vec![block("Default", "Default", &[run(text)])];
    for line in [shown.draft, shown.nothing].into_iter().flatten() {
        blocks.push(plain(line));
    }
    blocks.extend(shown.intro.as_deref().map(plain));
    blocks.extend(shown.lead.as_ref().map(work));
    for section in &shown.sections {
        for (at, shown) in section.works.iter().enumerate() {
            let mut items = if at == 0 { vec![heading(&section.name)] } else { Vec::new() };
            items.extend(work(shown));
            blocks.push(items);
        }
    }
    for (at, coming) in shown.coming_up.iter().enumerate() {
        let mut items = if at == 0 { vec![heading("Coming up")] } else { Vec::new() };
        items.extend(upcoming(coming));
        blocks.push(items);
    }
    for correction in shown.corrections.iter().chain(&shown.earlier_corrections) {
        blocks.push(plain(&format!("Correction, {}, {}: {}", correction.week, correction.date, correction.text)));
    }
    blocks.push(vec![block(
        "Small",
        "Default",
        &[run(&shown.chosen), run(" "), linked("How this list is made", Some(&format!("{}/how", shown.base)))],
    )]);
    blocks
}

fn heading(name: &str) -> Value {
    let mut heading = block("Medium", "Bolder", &[run(name)]);
    heading["separator"] = json!(true);
    heading["spacing"] = json!("Large");
    heading
}

fn work(work: &ShownWork) -> Vec<Value> {
    let mut items = vec![block("Small", "Default", &[run(&work.label())]), title(&work.title, work.url.as_deref())];
    items.extend(work.gloss.as_deref().map(|gloss| block("Default", "Default", &[run(gloss)])));
    items.extend(work.summary.as_deref().map(|summary| block("Default", "Default", &[run(summary)])));
    let by = by_line(&work.builders[..work.builders.len().min(20)], isolate);
    let line = [Some(by.as_str()).filter(|by| !by.is_empty()), work.date.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
    if !line.is_empty() {
        items.push(block("Small", "Default", &[run(&line)]));
    }
    items
}

fn upcoming(coming: &ShownUpcoming) -> Vec<Value> {
    let mut items =
        vec![block("Small", "Default", &[run(&format!("{} · {}", coming.date, coming.kind))]), title(&coming.title, coming.url.as_deref())];
    let by = by_line(&coming.builders[..coming.builders.len().min(20)], isolate);
    if !by.is_empty() {
        items.push(block("Small", "Default", &[run(&by)]));
    }
    items
}

fn title(title: &str, url: Option<&str>) -> Value {
    block("Default", "Bolder", &[linked(title, url)])
}

/// A paragraph; size and weight are those of its runs.
fn block(size: &str, weight: &str, runs: &[Value]) -> Value {
    let inlines: Vec<Value> = runs
        .iter()
        .cloned()
        .map(|mut run| {
            run["size"] = json!(size);
            run["weight"] = json!(weight);
            run
        })
        .collect();
    json!({ "type": "RichTextBlock", "inlines": inlines })
}

fn run(text: &str) -> Value {
    json!({ "type": "TextRun", "text": without_codes(&isolate(text)) })
}

fn linked(text: &str, url: Option<&str>) -> Value {
    let mut run = run(text);
    if let Some(url) = url {
        run["selectAction"] = json!({ "type": "Action.OpenUrl", "url": url });
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn messages_keep_their_size_and_read_no_markdown() {
        let mut long = sample::rich();
        for _ in 0..2 {
            let copy = long.sections.clone();
            long.sections.extend(copy);
        }
        for (digest, least) in
            [(long, 2), (sample::rich(), 1), (sample::empty(), 1), (sample::full(&"\u{2028}\"\\<at>x</at>".repeat(80)), 1)]
        {
            let written = messages(&digest, &sample::context());
            assert!(written.messages.len() >= least);
            for message in &written.messages {
                assert!(message.to_string().len() <= TAKEN, "{} bytes", message.to_string().len());
                let card = &message["attachments"][0]["content"];
                assert!(card["msteams"].get("entities").is_none());
                for item in card["body"].as_array().unwrap() {
                    assert_eq!(item["type"], "RichTextBlock");
                }
            }
        }
    }

    #[test]
    fn a_rich_week() {
        insta::assert_json_snapshot!(messages(&sample::rich(), &sample::context()));
    }
}
