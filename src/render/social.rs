//! Drafts of posts about each work and about the whole digest, for X, Bluesky, Mastodon and LinkedIn.
//!
//! A draft says what it is, by whom, and where; people post it. Each is counted as its network counts. What is too long
//! loses its tags first, then its summary, then the end of its title; a name, a handle or an address is never cut
//! (DIGEST.md section 7). A handle stands in only for those who gave one for that network; what else could call
//! somebody or become a link is taken apart by a sign of no width.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation;
use url::Url;

use super::prose::balance;
use super::shown::{Shown, counted, short, web_address};
use super::{Context, RenderError, SCHEMA};
use crate::config::SocialConfig;
use crate::model::{Credited, Digest, Network, Pick, Upcoming};
use crate::text::{URL_LENGTH, X_LIGHT, addresses, graphemes, mastodon_length, utf16, x_length};

/// Zero width space: 1 in the count of X, a letter nowhere.
const NOTHING: char = '\u{200B}';
/// The most tags.
const TAGS: usize = 2;
/// The most graphemes of an address as shown on Bluesky, where the link is beside the text.
const SHOWN_ADDRESS: usize = 32;

/// The longest post that a network takes, in its own count.
pub fn post_limit(network: Network, config: &SocialConfig) -> usize {
    match network {
        Network::X => 280,
        Network::Bluesky => 300,
        Network::Mastodon => config.mastodon_limit as usize,
        Network::Linkedin => 3_000,
    }
}

/// How long a text is in a network's own count.
pub fn post_length(network: Network, text: &str) -> usize {
    match network {
        Network::X => x_length(text),
        Network::Bluesky => graphemes(text),
        Network::Mastodon => mastodon_length(text),
        Network::Linkedin => utf16(text),
    }
}

/// How a network counts, for a page that counts along while somebody writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counting {
    /// What one counts: `weight`, `cluster` or `unit` (of UTF-16).
    pub unit: &'static str,
    /// What an address counts, where its length does not matter.
    pub link: Option<usize>,
    /// Ranges of code points that weigh 1, where others weigh 2: `0-10ff 2000-200d`.
    pub light: Option<String>,
    /// Whether `@user@host` counts as `@user`.
    pub short_mentions: bool,
}

/// How a network counts; [`post_length`] has the last word.
pub fn counting(network: Network) -> Counting {
    let light = || X_LIGHT.map(|(first, last)| format!("{:x}-{:x}", u32::from(first), u32::from(last))).join(" ");
    match network {
        Network::X => Counting { unit: "weight", link: Some(URL_LENGTH), light: Some(light()), short_mentions: false },
        Network::Bluesky => Counting { unit: "cluster", link: None, light: None, short_mentions: false },
        Network::Mastodon => Counting { unit: "cluster", link: Some(URL_LENGTH), light: None, short_mentions: true },
        Network::Linkedin => Counting { unit: "unit", link: None, light: None, short_mentions: false },
    }
}

/// The builder's handle on a network, as it is written in a post, where they gave one that the network could have.
fn handle_on(network: Network, builder: &Credited) -> Option<String> {
    let handle = builder.handles.get(network.as_str())?.trim().trim_start_matches('@');
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let host = |text: &str| text.contains('.') && text.len() <= 253 && text.split('.').all(label);
    let fits = match network {
        Network::X => (1..=15).contains(&handle.len()) && plain(handle),
        Network::Bluesky => host(handle),
        Network::Mastodon => handle.split_once('@').is_some_and(|(user, server)| !user.is_empty() && plain(user) && host(server)),
        // A name in an address calls nobody there.
        Network::Linkedin => false,
    };
    fits.then(|| format!("@{handle}"))
}

/// A part of a post.
#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Mention(String),
    /// An address as shown, and whole.
    Link(String, String),
    Tag(String),
}

impl Part {
    fn shown(&self) -> &str {
        match self {
            Self::Text(text) | Self::Mention(text) | Self::Link(text, _) | Self::Tag(text) => text,
        }
    }
}

/// What a post is made of, before it is fitted.
struct Story<'a> {
    /// What an editor wrote for a network, or for all under the empty name; it goes out as it is.
    written: Option<&'a BTreeMap<String, String>>,
    title: String,
    gloss: Option<String>,
    summary: Option<String>,
    builders: Vec<&'a Credited>,
    url: Option<String>,
    services: &'a [String],
}

#[derive(Serialize)]
struct Document {
    schema: u32,
    week: String,
    title: String,
    url: String,
    digest: Value,
    works: Vec<Drafts>,
    coming_up: Vec<Drafts>,
}

#[derive(Serialize)]
struct Drafts {
    id: String,
    title: String,
    url: Option<String>,
    builders: Vec<String>,
    posts: Value,
}

/// All drafts of a digest, as JSON (`docs/social.schema.json`).
pub(crate) fn document(digest: &Digest, ctx: &Context) -> Result<String, RenderError> {
    let shown = Shown::of(digest, ctx);
    let whole = Story {
        written: None,
        title: format!("{}: {}", shown.program, shown.heading),
        gloss: None,
        summary: Some(shown.nothing.map_or_else(|| shown.preview.clone(), str::to_owned)),
        builders: Vec::new(),
        url: Some(shown.permalink.clone()),
        services: &[],
    };
    let document = Document {
        schema: SCHEMA,
        week: shown.week.clone(),
        title: whole.title.clone(),
        url: shown.permalink.clone(),
        digest: posts(&whole, ctx, &shown.week),
        works: digest
            .picks()
            .filter(|pick| pick.removed.is_none())
            .map(|pick| drafts(pick.work.as_str(), &of_pick(pick), ctx, &shown.week))
            .collect(),
        coming_up: digest
            .coming_up
            .iter()
            .zip(&shown.coming_up)
            .map(|(coming, words)| drafts(coming.activity.as_str(), &of_upcoming(coming, &words.date), ctx, &shown.week))
            .collect(),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// The draft about one work for one network: its text and its length.
pub fn draft(pick: &Pick, network: Network, ctx: &Context, week: &str) -> (String, usize) {
    let parts = fit(&of_pick(pick), network, ctx, week);
    let text = text_of(&parts);
    let count = post_length(network, &text);
    (text, count)
}

fn of_pick(pick: &Pick) -> Story<'_> {
    Story {
        written: Some(&pick.social),
        title: title_of(&pick.title),
        gloss: pick.title_gloss.as_deref().map(|gloss| short(gloss, 300)).filter(|gloss| !gloss.is_empty()),
        summary: pick.summary.as_deref().map(|summary| short(summary, 280)).filter(|summary| !summary.is_empty()),
        builders: pick.builders.iter().collect(),
        url: web_address(&pick.url),
        services: &pick.services,
    }
}

fn of_upcoming<'a>(coming: &'a Upcoming, date: &str) -> Story<'a> {
    Story {
        written: None,
        title: format!("{date}: {}", title_of(&coming.title)),
        gloss: None,
        summary: None,
        builders: coming.builders.iter().collect(),
        url: web_address(&coming.url),
        services: &[],
    }
}

fn title_of(title: &str) -> String {
    let title = short(title, 300);
    if title.is_empty() { "Untitled".to_owned() } else { title }
}

fn drafts(id: &str, story: &Story<'_>, ctx: &Context, week: &str) -> Drafts {
    Drafts {
        id: id.to_owned(),
        title: story.title.clone(),
        url: story.url.clone(),
        builders: story.builders.iter().map(|builder| short(&builder.name, 120)).collect(),
        posts: posts(story, ctx, week),
    }
}

fn posts(story: &Story<'_>, ctx: &Context, week: &str) -> Value {
    let mut posts = serde_json::Map::new();
    for network in Network::ALL {
        let parts = fit(story, network, ctx, week);
        let text = text_of(&parts);
        let mut post = json!({ "text": text, "count": post_length(network, &text), "limit": post_limit(network, &ctx.social) });
        match network {
            Network::Bluesky => {
                post["bytes"] = json!(text.len());
                post["bytes_limit"] = json!(3_000);
                post["facets"] = facets(&parts);
            }
            Network::Linkedin => post["api_text"] = json!(api_text(&parts)),
            Network::X | Network::Mastodon => {}
        }
        posts.insert(network.as_str().to_owned(), post);
    }
    Value::Object(posts)
}

/// The parts of a post that fits.
fn fit(story: &Story<'_>, network: Network, ctx: &Context, week: &str) -> Vec<Part> {
    let url = story.url.as_ref().map(|url| {
        let tagged = ctx.social.utm.iter().any(|name| name == network.as_str());
        if tagged { with_utm(url, network.as_str(), "social", week) } else { url.clone() }
    });
    if let Some(text) = story.written.and_then(|posts| posts.get(network.as_str()).or_else(|| posts.get(""))) {
        return parts_of(text);
    }
    let limit = post_limit(network, &ctx.social);
    let fits = |parts: &[Part]| {
        let text = text_of(parts);
        post_length(network, &text) <= limit
            && match network {
                Network::Bluesky => text.len() <= 3_000,
                Network::Linkedin => utf16(&api_text(parts)) <= limit,
                Network::X | Network::Mastodon => true,
            }
    };
    let title = quiet(&story.title);
    let compose = |title: &str, gloss: bool, summary: bool, tags: bool, named: usize| {
        let mut parts = Vec::new();
        let mut head = title.to_owned();
        if let Some(gloss) = story.gloss.as_deref().filter(|_| gloss) {
            head.push_str(&format!(" ({})", quiet(gloss)));
        }
        if let Some(summary) = story.summary.as_deref().filter(|_| summary) {
            head.push_str(&format!("\n\n{}", quiet(summary)));
        }
        parts.push(Part::Text(head));
        push_by(&mut parts, story, network, named);
        if let Some(url) = &url {
            parts.push(Part::Text("\n".to_owned()));
            parts.push(Part::Link(if network == Network::Bluesky { shown_address(url) } else { url.clone() }, url.clone()));
        }
        if tags {
            for (at, tag) in hashtags(story.services).into_iter().enumerate() {
                parts.push(Part::Text(if at == 0 { "\n".to_owned() } else { " ".to_owned() }));
                parts.push(Part::Tag(tag));
            }
        }
        parts
    };
    let all = story.builders.len();
    for (gloss, summary, tags) in [(true, true, true), (true, true, false), (true, false, false), (false, false, false)] {
        let parts = compose(&title, gloss, summary, tags, all);
        if fits(&parts) {
            return parts;
        }
    }
    for named in (1..=all.max(1)).rev() {
        if let Some(parts) =
            longest_title(&story.title, |title| Some(compose(title, false, false, false, named)).filter(|parts| fits(parts)))
        {
            return parts;
        }
    }
    // One name and an address that leave no room for a word: they stand alone.
    compose("", false, false, false, 1)
        .into_iter()
        .skip(1)
        .skip_while(|part| matches!(part, Part::Text(text) if text.trim().is_empty()))
        .collect()
}

/// The parts of a text that a person wrote: addresses and tags are live, as they are where it is pasted.
fn parts_of(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut from = 0;
    for (start, end) in addresses(text, false) {
        push_tagged(&mut parts, &text[from..start]);
        parts.push(Part::Link(text[start..end].to_owned(), text[start..end].to_owned()));
        from = end;
    }
    push_tagged(&mut parts, &text[from..]);
    parts
}

fn push_tagged(parts: &mut Vec<Part>, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find('#') {
        let free = rest[..at].chars().next_back().is_none_or(char::is_whitespace);
        let length = rest[at + 1..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len() - at - 1);
        let (before, tag) = (&rest[..at], &rest[at..=at + length]);
        if free && tag.chars().any(char::is_alphabetic) {
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Tag(tag.to_owned()));
        } else {
            parts.push(Part::Text(rest[..=at + length].to_owned()));
        }
        rest = &rest[at + 1 + length..];
    }
    parts.push(Part::Text(rest.to_owned()));
}

/// The post with the longest beginning of the title that fits, cut between graphemes and where possible between words.
fn longest_title(title: &str, compose: impl Fn(&str) -> Option<Vec<Part>>) -> Option<Vec<Part>> {
    let ends: Vec<usize> = title.grapheme_indices(true).map(|(at, grapheme)| at + grapheme.len()).collect();
    let cut = |count: usize| -> String {
        let end = ends[count - 1];
        let kept = &title[..end];
        let whole_word = title[end..].starts_with(' ') || end == title.len();
        let kept = match kept.rfind(' ') {
            Some(blank) if !whole_word && blank * 2 >= end => &kept[..blank],
            _ => kept,
        };
        let tidy =
            kept.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '-' | '–' | '—' | '.' | '…' | '、' | '。'));
        quiet(&balance(&format!("{}…", if tidy.is_empty() { kept } else { tidy })))
    };
    // The greatest count that fits; a longer beginning is never shorter when counted.
    let (mut low, mut high) = (0, ends.len().saturating_sub(1));
    while low < high {
        let middle = (low + high).div_ceil(2);
        if compose(&cut(middle)).is_some() {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    (1..=low).rev().find_map(|count| compose(&cut(count)))
}

fn push_by(parts: &mut Vec<Part>, story: &Story<'_>, network: Network, named: usize) {
    let all = story.builders.len();
    for (at, builder) in story.builders.iter().take(named).enumerate() {
        let before = match at {
            0 => "\n\nby ",
            _ if at + 1 == all => " and ",
            _ => ", ",
        };
        parts.push(Part::Text(before.to_owned()));
        parts.push(if let Some(handle) = handle_on(network, builder) {
            Part::Mention(handle)
        } else {
            let name = short(&builder.name, 120);
            Part::Text(quiet(if name.is_empty() { "Unnamed" } else { &name }))
        });
    }
    if named < all && named > 0 {
        parts.push(Part::Text(format!(" and {}", counted(all - named, "other", "others"))));
    }
}

fn text_of(parts: &[Part]) -> String {
    parts.iter().map(Part::shown).collect()
}

/// Links, tags and mentions by their UTF-8 bytes, end exclusive (`app.bsky.richtext.facet`). A mention names a handle;
/// whoever posts puts its DID there.
fn facets(parts: &[Part]) -> Value {
    let mut facets = Vec::new();
    let mut at = 0;
    for part in parts {
        let end = at + part.shown().len();
        let feature = match part {
            Part::Text(_) => None,
            Part::Link(_, url) => Some(json!({ "$type": "app.bsky.richtext.facet#link", "uri": url })),
            Part::Tag(tag) => Some(json!({ "$type": "app.bsky.richtext.facet#tag", "tag": tag.trim_start_matches('#') })),
            Part::Mention(handle) => Some(json!({ "$type": "app.bsky.richtext.facet#mention", "handle": handle.trim_start_matches('@') })),
        };
        if let Some(feature) = feature {
            facets.push(json!({ "index": { "byteStart": at, "byteEnd": end }, "features": [feature] }));
        }
        at = end;
    }
    Value::Array(facets)
}

/// The text for LinkedIn's API: every sign that its format reads is escaped, tags are templates.
fn api_text(parts: &[Part]) -> String {
    parts
        .iter()
        .map(|part| match part {
            Part::Tag(tag) => format!("{{hashtag|\\#|{}}}", escape(tag.trim_start_matches('#'))),
            other => escape(other.shown()),
        })
        .collect()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(c, '\\' | '|' | '{' | '}' | '@' | '[' | ']' | '(' | ')' | '<' | '>' | '#' | '*' | '_' | '~') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Text from outside that calls nobody, tags nothing and is no link, and reads as before.
fn quiet(text: &str) -> String {
    let mut quiet = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        quiet.push(c);
        let next = chars.peek().copied().unwrap_or(' ');
        let live = match c {
            '@' | '＠' | '#' | '＃' | '$' => next.is_alphanumeric() || next == '_',
            '.' | '。' | '．' => before.is_alphanumeric() && next.is_alphanumeric() && !next.is_ascii_digit(),
            ':' => next == '/',
            _ => false,
        };
        if live {
            quiet.push(NOTHING);
        }
        before = c;
    }
    quiet
}

/// Host and path without what everybody knows, cut with `…`: the link beside it is whole.
fn shown_address(address: &str) -> String {
    let plain = address.trim_start_matches("https://").trim_start_matches("http://").trim_start_matches("www.").trim_end_matches('/');
    if graphemes(plain) <= SHOWN_ADDRESS {
        return plain.to_owned();
    }
    plain.graphemes(true).take(SHOWN_ADDRESS - 1).chain(["…"]).collect()
}

/// At most two tags, from the services that the work is about: `Step Functions` is `#StepFunctions`.
fn hashtags(services: &[String]) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for service in services {
        let words = service.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let tag: String = words
            .map(|word| {
                let mut chars = word.chars();
                chars.next().map(|first| first.to_uppercase().chain(chars).collect::<String>()).unwrap_or_default()
            })
            .collect();
        // A tag of digits alone is none anywhere.
        if tag.chars().any(char::is_alphabetic) && graphemes(&tag) <= 40 {
            let tag = format!("#{tag}");
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
    }
    tags.truncate(TAGS);
    tags
}

/// The address with the three parameters that tell where it was followed; unchanged where it is signed, since another
/// parameter would break it.
pub(super) fn with_utm(address: &str, source: &str, medium: &str, campaign: &str) -> String {
    const SIGNS: [&str; 10] = ["sig", "signature", "token", "key", "hmac", "hash", "expires", "policy", "auth", "md5"];
    let Ok(mut url) = Url::parse(address) else { return address.to_owned() };
    let signed = url.query_pairs().any(|(name, _)| {
        let name = name.to_ascii_lowercase();
        name.starts_with("utm_")
            || name.starts_with("x-amz-")
            || name.starts_with("x-goog-")
            || SIGNS.iter().any(|sign| name == *sign || name.ends_with(&format!("_{sign}")) || name.ends_with(&format!("-{sign}")))
    });
    if signed {
        return address.to_owned();
    }
    url.query_pairs_mut()
        .append_pair("utm_source", source)
        .append_pair("utm_medium", medium)
        .append_pair("utm_campaign", &campaign.to_ascii_lowercase());
    url.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::render::sample;

    fn work(title: &str, summary: &str, names: &[&str]) -> Pick {
        let pick = sample::small().picks().next().unwrap().clone();
        let builders = names.iter().enumerate().map(|(at, name)| sample::builder(i64::try_from(at).unwrap() + 1, name)).collect();
        Pick {
            title: title.into(),
            summary: Some(summary.into()),
            url: "https://blog.example.org/one".into(),
            builders,
            services: vec!["Step Functions".into(), "Lambda@Edge".into(), "S3".into()],
            ..pick
        }
    }

    fn texts(pick: &Pick) -> Vec<(Network, String, usize)> {
        let ctx = sample::context();
        Network::ALL
            .into_iter()
            .map(|network| {
                let (text, count) = draft(pick, network, &ctx, "2026-W47");
                assert!(count <= post_limit(network, &ctx.social), "{network:?}: {count} {text}");
                assert_eq!(count, post_length(network, &text));
                (network, text, count)
            })
            .collect()
    }

    #[test]
    fn a_short_work_is_told_whole_with_two_tags() {
        for (network, text, _) in texts(&work("Retries, measured", "What four years of retries cost.", &["Ada Nwosu", "Bob"])) {
            let address = if network == Network::Bluesky { "blog.example.org/one" } else { "https://blog.example.org/one" };
            assert_eq!(
                text,
                format!(
                    "Retries, measured\n\nWhat four years of retries cost.\n\nby Ada Nwosu and Bob\n{address}\n#StepFunctions #LambdaEdge"
                )
            );
        }
    }

    #[test]
    fn what_is_too_long_loses_tags_then_summary_then_the_end_of_the_title() {
        let x = |title: &str, summary: &str| draft(&work(title, summary, &["Ada Nwosu"]), Network::X, &sample::context(), "2026-W47");
        // Title 20, two breaks, summary, two breaks and the by-line 12, a break and the address 24; the tags 27 with a break.
        let title = "t".repeat(20);
        let fixed = 20 + 2 + 2 + 12 + 24;
        let tags = 27;
        let (whole, count) = x(&title, &"s".repeat(280 - fixed - tags));
        assert!(whole.contains("#StepFunctions") && count == 280, "{count} {whole}");
        let (no_tags, count) = x(&title, &"s".repeat(280 - fixed - tags + 1));
        assert!(!no_tags.contains('#') && no_tags.contains("sss") && count == 280 - tags + 1, "{count} {no_tags}");
        let (full, count) = x(&title, &"s".repeat(280 - fixed));
        assert!(full.contains("sss") && count == 280, "{count}");
        let (no_summary, _) = x(&title, &"s".repeat(280 - fixed + 1));
        assert!(!no_summary.contains("sss") && no_summary.starts_with(&title), "{no_summary}");
        let (cut, count) = x(&"word and ".repeat(30), "");
        assert!(cut.contains("…\n\nby Ada Nwosu\nhttps://blog.example.org/one") && (260..=280).contains(&count), "{count} {cut}");
    }

    #[test]
    fn handles_stand_in_only_on_their_own_network() {
        let mut pick = work("T", "S", &["Ada Nwosu"]);
        pick.builders[0].handles = [
            ("x", "@ada_n"),
            ("mastodon", "ada@social.example"),
            ("bluesky", "ada.example.org"),
            ("linkedin", "ada-nwosu"),
            ("github", "ada"),
        ]
        .into_iter()
        .map(|(network, handle)| (network.to_owned(), handle.to_owned()))
        .collect();
        let by: Vec<String> =
            texts(&pick).into_iter().map(|(_, text, _)| text.lines().find(|line| line.starts_with("by ")).unwrap().to_owned()).collect();
        assert_eq!(by, ["by @ada_n", "by @ada.example.org", "by @ada@social.example", "by Ada Nwosu"]);
        // What the network could not have is no handle.
        pick.builders[0].handles = [("x", "not a handle"), ("mastodon", "ada"), ("bluesky", "ada"), ("linkedin", "x y")]
            .into_iter()
            .map(|(network, handle)| (network.to_owned(), handle.to_owned()))
            .collect();
        assert!(texts(&pick).iter().all(|(_, text, _)| text.contains("by Ada Nwosu")));
    }

    #[test]
    fn a_field_calls_nobody_and_is_no_link() {
        for (_, text, _) in texts(&work("@everyone see #aws on evil.com, https://bad.example.com/x", "$TSLA ASP.NET", &["@ghost"])) {
            for live in ["@everyone", "#aws", "evil.com", "https://bad", "$TSLA", "ASP.NET", "@ghost"] {
                assert!(!text.contains(live), "{live} in {text}");
            }
            let readable: String = text.chars().filter(|c| *c != NOTHING).collect();
            assert!(readable.contains("@everyone see #aws on evil.com, https://bad.example.com/x"), "{readable}");
        }
    }

    #[test]
    fn facets_point_at_the_bytes_of_links_tags_and_mentions() {
        let mut pick = work("サーバーレス 👩\u{200D}👩\u{200D}👧\u{200D}👦", "S", &["محمد"]);
        pick.builders[0].handles = [("bluesky".to_owned(), "m.example.org".to_owned())].into();
        let parts = fit(&of_pick(&pick), Network::Bluesky, &sample::context(), "2026-W47");
        let text = text_of(&parts);
        let shown: Vec<&str> = facets(&parts)
            .as_array()
            .unwrap()
            .iter()
            .map(|facet| {
                let place = |name: &str| usize::try_from(facet["index"][name].as_u64().unwrap()).unwrap();
                &text[place("byteStart")..place("byteEnd")]
            })
            .collect();
        assert_eq!(shown, ["@m.example.org", "blog.example.org/one", "#StepFunctions", "#LambdaEdge"]);
    }

    #[test]
    fn what_an_editor_wrote_goes_out_as_it_is() {
        let mut pick = work("T", "S", &["A"]);
        pick.social = [("", "For all: https://blog.example.org/one #Lambda, C# and #1"), ("x", "For X")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into();
        let written = texts(&pick);
        assert_eq!(written[0].1, "For X");
        assert!(written[1..].iter().all(|(_, text, _)| *text == pick.social[""]));
        let parts = fit(&of_pick(&pick), Network::Bluesky, &sample::context(), "2026-W47");
        let kinds: Vec<String> =
            facets(&parts).as_array().unwrap().iter().map(|facet| facet["features"][0]["$type"].as_str().unwrap().to_owned()).collect();
        assert_eq!(kinds, ["app.bsky.richtext.facet#link", "app.bsky.richtext.facet#tag"]);
    }

    #[test]
    fn linkedin_gets_an_escaped_variant_for_its_api() {
        let parts =
            fit(&of_pick(&work("a|b {c} (d) *e* _f_ ~g~ [h] <i> \\", "S", &["A"])), Network::Linkedin, &sample::context(), "2026-W47");
        let api = api_text(&parts);
        assert!(api.starts_with("a\\|b \\{c\\} \\(d\\) \\*e\\* \\_f\\_ \\~g\\~ \\[h\\] \\<i\\> \\\\"), "{api}");
        assert!(api.ends_with("{hashtag|\\#|StepFunctions} {hashtag|\\#|LambdaEdge}"), "{api}");
    }

    #[test]
    fn parameters_are_added_only_on_wish_and_never_to_a_signed_address() {
        let mut ctx = sample::context();
        assert!(!document(&sample::rich(), &ctx).unwrap().contains("utm_"));
        ctx.social.utm = vec!["mastodon".into()];
        let pick = work("T", "S", &["A"]);
        assert!(
            draft(&pick, Network::Mastodon, &ctx, "2026-W47")
                .0
                .contains("https://blog.example.org/one?utm_source=mastodon&utm_medium=social&utm_campaign=2026-w47")
        );
        assert!(!draft(&pick, Network::X, &ctx, "2026-W47").0.contains("utm_"));
        for signed in [
            "https://a.example/x?X-Amz-Signature=1",
            "https://a.example/x?access_token=1",
            "https://a.example/x?sig=1",
            "https://a.example/x?utm_source=rss",
        ] {
            assert_eq!(with_utm(signed, "x", "social", "w"), signed);
        }
    }

    proptest! {
        #[test]
        fn every_draft_fits_and_keeps_names_and_address(title in "\\PC{0,400}", summary in "\\PC{0,300}", name in "[\\p{L} ]{1,90}", count in 1usize..5) {
            let names = vec![name.as_str(); count];
            let pick = work(&title, &summary, &names);
            for (network, text, _) in texts(&pick) {
                let address = if network == Network::Bluesky { "blog.example.org/one" } else { "https://blog.example.org/one" };
                prop_assert!(text.contains(address), "{}", text);
                let name = quiet(&short(&name, 120));
                prop_assert!(name.is_empty() || text.contains(&name), "{} lacks {}", text, name);
            }
        }
    }

    #[test]
    fn a_rich_week() {
        insta::assert_snapshot!(document(&sample::rich(), &sample::context()).unwrap());
    }

    #[test]
    fn every_document_has_the_shape_that_is_described() {
        let schema: Value = serde_json::from_str(include_str!("../../docs/social.schema.json")).unwrap();
        for digest in [sample::rich(), sample::small(), sample::empty(), sample::full(sample::HOSTILE[0])] {
            let document: Value = serde_json::from_str(&document(&digest, &sample::context()).unwrap()).unwrap();
            crate::render::json::tests::check(&document, &schema, &schema, "");
        }
    }
}
