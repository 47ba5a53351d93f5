//! Messages for Slack: `markdown` blocks of at most 12,000 characters a message in all, and beside each the same in
//! `mrkdwn` sections of at most 3,000, for workspaces that refuse the former. Split only between works.
//!
//! Nothing in it calls anybody: `<!channel>`, `<@U…>` and `@name` are text, and addresses are not unfolded.

use serde_json::{Value, json};

use super::chat::{Messages, Used, split, target, without_codes};
use super::prose::isolate;
use super::shown::{Shown, ShownBuilder, ShownUpcoming, ShownWork};
use super::text::by_line;
use super::{Context, markdown};
use crate::model::Digest;

/// Characters of all `markdown` blocks of one message.
const MARKDOWN: usize = 12_000;
/// Characters of one section.
const SECTION: usize = 3_000;
/// Blocks of one message.
const BLOCKS: usize = 50;

/// One part of a digest, in both ways of writing.
struct Block {
    markdown: String,
    mrkdwn: String,
}

/// The digest as messages.
pub(crate) fn messages(digest: &Digest, ctx: &Context) -> Messages {
    let shown = Shown::of(digest, ctx);
    let mut written = Messages::new("slack", &shown.week);
    let title = format!("{}: {}", shown.program, shown.heading);
    let groups = split(blocks(&shown), |blocks| {
        blocks.len() <= BLOCKS && blocks.iter().map(|block| block.markdown.encode_utf16().count() + 2).sum::<usize>() <= MARKDOWN
    });
    let all = groups.len();
    for (at, group) in groups.into_iter().enumerate() {
        let place = if all > 1 { format!(" ({} of {all})", at + 1) } else { String::new() };
        let text = literal(&format!("{title}{place}"));
        let markdown = group.iter().map(|block| block.markdown.as_str()).collect::<Vec<_>>().join("\n\n");
        let sections: Vec<Value> = group
            .iter()
            .map(|block| json!({ "type": "section", "text": { "type": "mrkdwn", "text": block.mrkdwn, "verbatim": true } }))
            .collect();
        let message = |blocks: Value| json!({ "text": text, "blocks": blocks, "unfurl_links": false, "unfurl_media": false });
        written.messages.push(message(json!([{ "type": "markdown", "text": markdown }])));
        written.fallback.push(message(Value::Array(sections)));
    }
    written
}

/// What a message uses of what Slack takes.
pub(super) fn used(message: &Value) -> Vec<Used> {
    let texts = message["blocks"].as_array().into_iter().flatten().filter_map(|block| block["text"].as_str());
    vec![Used { what: "characters", used: texts.map(|text| text.encode_utf16().count()).sum(), most: MARKDOWN }]
}

fn blocks(shown: &Shown) -> Vec<Block> {
    let mut blocks = Vec::new();
    let plain = |text: &str| Block { markdown: field(text), mrkdwn: literal(text) };
    blocks.push(Block {
        markdown: format!("# {}: {}", field(&shown.program), shown.heading),
        mrkdwn: format!("*{}: {}*", literal(&shown.program), shown.heading),
    });
    for line in [shown.draft, shown.nothing].into_iter().flatten() {
        blocks.push(plain(line));
    }
    blocks.extend(shown.intro.as_deref().map(plain));
    blocks.extend(shown.lead.as_ref().map(|lead| work(None, lead)));
    for section in &shown.sections {
        for (at, shown) in section.works.iter().enumerate() {
            // A heading stays with the first work under it.
            blocks.push(work((at == 0).then_some(section.name.as_str()), shown));
        }
    }
    for (at, coming) in shown.coming_up.iter().enumerate() {
        blocks.push(upcoming((at == 0).then_some("Coming up"), coming));
    }
    for correction in shown.corrections.iter().chain(&shown.earlier_corrections) {
        blocks.push(plain(&format!("Correction, {}, {}: {}", correction.week, correction.date, correction.text)));
    }
    let how = format!("{}/how", shown.base);
    blocks.push(Block {
        markdown: format!(
            "{} [How this list is made]({}) · [This week on the web]({})",
            shown.chosen,
            target(&how),
            target(&shown.permalink)
        ),
        mrkdwn: format!("{} {} · {}", shown.chosen, link(&how, "How this list is made"), link(&shown.permalink, "This week on the web")),
    });
    blocks
}

fn work(heading: Option<&str>, work: &ShownWork) -> Block {
    // What makes it too long goes, the least important first; addresses have 2,000 characters at most.
    for (summary, gloss, linked) in [(true, true, true), (false, true, true), (false, false, true), (false, false, false)] {
        let work = ShownWork {
            summary: work.summary.clone().filter(|_| summary),
            gloss: work.gloss.clone().filter(|_| gloss),
            url: work.url.clone().filter(|_| linked),
            ..work.clone()
        };
        let block = whole_work(heading, &work);
        if block.mrkdwn.encode_utf16().count() <= SECTION {
            return block;
        }
    }
    // Names alone can fill a section where many made one work.
    let few: Vec<ShownBuilder> = work.builders.iter().take(3).cloned().collect();
    whole_work(heading, &ShownWork { summary: None, gloss: None, url: None, builders: few, ..work.clone() })
}

fn whole_work(heading: Option<&str>, work: &ShownWork) -> Block {
    let (mut markdown, mut mrkdwn) = headed(heading);
    let label = work.label();
    markdown.push_str(&field(&label));
    mrkdwn.push_str(&literal(&label));
    push_title(&mut markdown, &mut mrkdwn, &work.title, work.url.as_deref());
    if let Some(gloss) = &work.gloss {
        markdown.push_str(&format!("\n*{}*", field(gloss)));
        mrkdwn.push_str(&format!("\n_{}_", literal(gloss)));
    }
    if let Some(summary) = &work.summary {
        markdown.push_str(&format!("\n\n{}", field(summary)));
        mrkdwn.push_str(&format!("\n{}", literal(summary)));
    }
    push_by(&mut markdown, &mut mrkdwn, &work.builders, work.date.as_deref());
    Block { markdown, mrkdwn }
}

fn upcoming(heading: Option<&str>, coming: &ShownUpcoming) -> Block {
    let (mut markdown, mut mrkdwn) = headed(heading);
    let label = format!("{} · {}", coming.date, coming.kind);
    markdown.push_str(&field(&label));
    mrkdwn.push_str(&literal(&label));
    push_title(&mut markdown, &mut mrkdwn, &coming.title, coming.url.as_deref());
    push_by(&mut markdown, &mut mrkdwn, &coming.builders[..coming.builders.len().min(5)], None);
    Block { markdown, mrkdwn }
}

fn headed(heading: Option<&str>) -> (String, String) {
    match heading {
        Some(name) => (format!("## {}\n\n", field(name)), format!("*{}*\n", literal(name))),
        None => (String::new(), String::new()),
    }
}

fn push_title(markdown: &mut String, mrkdwn: &mut String, title: &str, url: Option<&str>) {
    if let Some(url) = url {
        markdown.push_str(&format!("\n**[{}]({})**", field(title), target(url)));
        mrkdwn.push_str(&format!("\n*{}*", link(url, title)));
    } else {
        markdown.push_str(&format!("\n**{}**", field(title)));
        mrkdwn.push_str(&format!("\n*{}*", literal(title)));
    }
}

fn push_by(markdown: &mut String, mrkdwn: &mut String, builders: &[ShownBuilder], date: Option<&str>) {
    for (out, by) in [(markdown, by_line(builders, field)), (mrkdwn, by_line(builders, literal))] {
        let line = [Some(by.as_str()).filter(|by| !by.is_empty()), date].into_iter().flatten().collect::<Vec<_>>().join(", ");
        if !line.is_empty() {
            out.push('\n');
            out.push_str(&line);
        }
    }
}

/// A field in a `markdown` block.
fn field(text: &str) -> String {
    markdown::field(&without_codes(text))
}

/// A field in `mrkdwn`: the three signs that Slack reads are written as references, formatting and mentions are taken
/// apart.
fn literal(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 16);
    for c in without_codes(text).chars() {
        match c {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '*' | '_' | '~' | '`' => written.extend(['\u{2060}', c, '\u{2060}']),
            '@' | '#' => written.extend([c, '\u{2060}']),
            c => written.push(c),
        }
    }
    isolate(&written)
}

fn link(url: &str, text: &str) -> String {
    format!("<{}|{}>", target(url).replace('&', "&amp;"), literal(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    fn long_week() -> Digest {
        let mut digest = sample::rich();
        for _ in 0..2 {
            let copy = digest.sections.clone();
            digest.sections.extend(copy);
        }
        digest
    }

    #[test]
    fn messages_keep_their_limits_and_lose_no_work() {
        for (digest, least) in [(sample::rich(), 1), (long_week(), 2), (sample::empty(), 1), (sample::full(&"\"*_<@&".repeat(200)), 1)] {
            let written = messages(&digest, &sample::context());
            assert!(written.messages.len() >= least);
            assert_eq!(written.messages.len(), written.fallback.len());
            for message in &written.messages {
                let text = message["blocks"][0]["text"].as_str().unwrap();
                assert!(text.encode_utf16().count() <= MARKDOWN, "{}", text.len());
            }
            for message in &written.fallback {
                let sections = message["blocks"].as_array().unwrap();
                assert!(sections.len() <= BLOCKS);
                for section in sections {
                    let text = section["text"]["text"].as_str().unwrap();
                    assert!((1..=SECTION).contains(&text.encode_utf16().count()), "{}", text.len());
                }
            }
            let all: String = written.messages.iter().map(|message| message["blocks"][0]["text"].as_str().unwrap()).collect();
            for pick in
                digest.picks().filter(|pick| pick.title.len() < 100 && pick.title.is_ascii() && !pick.title.contains(['<', '&', '@']))
            {
                assert!(all.contains(pick.title.as_str()) || pick.title.contains(['.', '-', ':']), "{}", pick.title);
            }
        }
    }

    #[test]
    fn nobody_is_called_and_nothing_is_formatted_by_a_field() {
        for hostile in [
            "<!channel>",
            "<!here|x>",
            "<@U012>",
            "<#C012|general>",
            "@everyone",
            "<https://bad.example|win>",
            "*bold* _x_ ~y~ `z`",
            ":tada:",
        ] {
            let digest = sample::full(hostile);
            let written = messages(&digest, &sample::context());
            for message in &written.fallback {
                for section in message["blocks"].as_array().unwrap() {
                    let text = section["text"]["text"].as_str().unwrap();
                    // The only angle brackets are those of our own links.
                    for part in text.split('<').skip(1) {
                        assert!(
                            part.starts_with("https://ok.example/")
                                || part.starts_with("https://digest.example/")
                                || part.starts_with("https://meet"),
                            "{text}"
                        );
                    }
                    assert!(!text.contains("@everyone") && !text.contains("|:tada:") && !text.contains("\n:tada:"), "{text}");
                }
            }
            for message in &written.messages {
                let text = message["blocks"][0]["text"].as_str().unwrap();
                for live in ["<!", "<@", "<#", "@everyone", "[:tada:", "\n:tada:", "<https"] {
                    assert!(!text.contains(live), "{live} in {text}");
                }
            }
        }
    }

    #[test]
    fn a_rich_week() {
        insta::assert_json_snapshot!(messages(&sample::rich(), &sample::context()));
    }
}
