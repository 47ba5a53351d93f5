//! CommonMark: no tables, no raw HTML, every field escaped, so that the same file reads alike on any site.
//!
//! Sites do more than CommonMark with a text: they make links of bare addresses, mentions of `@name` and references
//! of `#1`. An escape does not stop all of these, since they look at the finished text; a word joiner (U+2060) does.

use std::fmt::Write as _;

use super::Context;
use super::prose::isolate;
use super::shown::{Shown, ShownCorrection, ShownWork};
use super::text::by_line;
use crate::model::Digest;

/// The digest as CommonMark.
pub(crate) fn document(digest: &Digest, ctx: &Context) -> String {
    let shown = Shown::of(digest, ctx);
    let mut page = String::new();
    line(&mut page, &format!("# {}: {}", field(&shown.program), shown.heading));
    if let Some(draft) = shown.draft {
        line(&mut page, &format!("*{draft}*"));
    }
    if let Some(intro) = &shown.intro {
        line(&mut page, &field(intro));
    }
    if let Some(nothing) = shown.nothing {
        line(&mut page, nothing);
    }
    if let Some(lead) = &shown.lead {
        work(&mut page, lead);
    }
    for section in &shown.sections {
        line(&mut page, &format!("## {}", field(&section.name)));
        if let Some(intro) = &section.intro {
            line(&mut page, &field(intro));
        }
        for shown in &section.works {
            work(&mut page, shown);
        }
    }
    line(&mut page, "---");
    corrections(&mut page, "Corrections", &shown.corrections, false);
    corrections(&mut page, "Corrections to earlier weeks", &shown.earlier_corrections, true);
    line(
        &mut page,
        &format!(
            "{} [How this list is made]({}) · [This week on the web]({}) · [All weeks]({})",
            shown.chosen,
            target(&format!("{}/how", shown.base)),
            target(&shown.permalink),
            target(&format!("{}/digest", shown.base))
        ),
    );
    if !shown.contact.is_empty() {
        let contact = match &shown.contact_mail {
            // In an address the joiner of `field` would be copied with it; the text of a link holds no mention.
            Some(mail) => format!("[{}]({})", field(mail).replace('\u{2060}', ""), target(&format!("mailto:{mail}"))),
            None => field(&shown.contact),
        };
        line(&mut page, &format!("Questions and corrections: {contact}"));
    }
    if !shown.postal.is_empty() {
        line(&mut page, &field(&shown.postal));
    }
    line(&mut page, &format!("{}.", field(&shown.inputs)));
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push_str("\n\n");
}

fn work(page: &mut String, work: &ShownWork) {
    let mut parts = vec![work.kind.to_uppercase()];
    parts.extend(work.length.clone());
    parts.extend(work.language.as_deref().map(field));
    let title = field(&work.title);
    // A backslash at the end of a line is a line break.
    page.push_str(&parts.join(" · "));
    page.push_str("\\\n");
    let _ = match &work.url {
        Some(url) => write!(page, "**[{title}]({})**", target(url)),
        None => write!(page, "**{title}**"),
    };
    if let Some(gloss) = &work.gloss {
        let _ = write!(page, "\\\n*{}*", field(gloss));
    }
    page.push_str("\n\n");
    if let Some(summary) = &work.summary {
        line(page, &field(summary));
    }
    let mut by = by_line(&work.builders, field);
    if let Some(date) = &work.date {
        by.push_str(if by.is_empty() { "" } else { ", " });
        by.push_str(date);
    }
    for (at, (host, address)) in work.also.iter().enumerate() {
        by.push_str(if at == 0 { ", also at " } else { ", " });
        let _ = write!(by, "[{}]({})", field(host), target(address));
    }
    line(page, &by);
}

fn corrections(page: &mut String, head: &str, corrections: &[ShownCorrection], with_week: bool) {
    if corrections.is_empty() {
        return;
    }
    line(page, &format!("## {head}"));
    for correction in corrections {
        let week = if with_week { format!("{}, ", correction.week) } else { String::new() };
        line(page, &format!("{week}{}: {}", correction.date, field(&correction.text)));
    }
}

/// A cleaned field as literal text.
pub(crate) fn field(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    let chars: Vec<char> = text.chars().collect();
    // What begins a list, a heading or a thematic break where a field begins its line (CommonMark 0.31, section 4).
    let ordinal = chars.iter().take_while(|c| c.is_ascii_digit()).count();
    for (at, &c) in chars.iter().enumerate() {
        let next = chars.get(at + 1).copied();
        let opens_line = (at == 0 && matches!(c, '-' | '+' | '=')) || (at == ordinal && ordinal > 0 && matches!(c, '.' | ')'));
        // Bare addresses are links to many sites, though not to CommonMark.
        let bare_address =
            (c == ':' && next == Some('/')) || (c == '.' && at >= 3 && chars[at - 3..at].iter().all(|w| w.eq_ignore_ascii_case(&'w')));
        if opens_line || bare_address || matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '$' | '!') {
            escaped.push('\\');
        }
        escaped.push(c);
        if matches!(c, '@' | '#' | '!' | '&') && next.is_some_and(|next| next.is_alphanumeric() || next == '_') {
            escaped.push('\u{2060}');
        }
    }
    isolate(&escaped)
}

/// An address as a link's target. It comes from the URL parser, so it holds no blank, angle bracket or control.
fn target(address: &str) -> String {
    let mut escaped = String::with_capacity(address.len() + 2);
    escaped.push('<');
    for c in address.chars() {
        match c {
            '<' => escaped.push_str("%3C"),
            '>' => escaped.push_str("%3E"),
            '\\' => escaped.push_str("%5C"),
            // `&copy;` would become a sign: character references are read in targets too.
            '&' => escaped.push_str("\\&"),
            c if c.is_whitespace() || c.is_control() => escaped.push_str("%20"),
            c => escaped.push(c),
        }
    }
    escaped.push('>');
    escaped
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;
    use crate::model::Pick;
    use crate::render::sample;

    /// Addresses of links, and everything that a field must never become.
    fn read(page: &str) -> (Vec<String>, usize, usize) {
        let (mut links, mut headings, mut bad) = (Vec::new(), 0, 0);
        for event in Parser::new_ext(page, Options::all()) {
            match event {
                Event::Start(Tag::Link { dest_url, .. }) => links.push(dest_url.to_string()),
                Event::Start(Tag::Heading { .. }) => headings += 1,
                Event::Start(
                    Tag::Image { .. } | Tag::Table(_) | Tag::HtmlBlock | Tag::CodeBlock(_) | Tag::List(_) | Tag::BlockQuote(_),
                )
                | Event::Html(_)
                | Event::InlineHtml(_)
                | Event::Code(_)
                | Event::InlineMath(_)
                | Event::FootnoteReference(_) => bad += 1,
                _ => {}
            }
        }
        (links, headings, bad)
    }

    #[test]
    fn a_field_is_never_more_than_text() {
        for hostile in [
            "evil) [win](http://bad.example",
            "a|b|c",
            "# not a heading",
            "*",
            "line 1\nline 2\n\n# three",
            "<script>x</script>",
            "[x]: http://bad.example",
            "![i](http://bad.example/i.png)",
            "`code` $x$ ~~gone~~",
            "&lt;b&gt; &copy;",
            "1. one",
            "- one",
            "---",
            "=== a",
            "> quoted",
            "ends with a backslash \\",
            "http://bad.example www.bad.example <http://bad.example>",
            "@everyone @brasslantern <@123> #1",
        ] {
            let mut digest = sample::small();
            let pick = &mut digest.sections[0].picks[0];
            *pick = Pick { title: hostile.into(), summary: Some(hostile.into()), title_gloss: Some(format!("{hostile} ")), ..pick.clone() };
            pick.builders[0].name = hostile.into();
            digest.sections[0].name = hostile.into();
            digest.intro = Some(hostile.into());
            digest.program = hostile.into();
            let page = document(&digest, &sample::context());
            let (links, headings, bad) = read(&page);
            let wanted: Vec<String> = [
                "https://digest.example/how",
                "https://digest.example/digest/2026-W47",
                "https://digest.example/digest",
                "mailto:digest@lantern.example",
            ]
            .map(str::to_owned)
            .to_vec();
            assert_eq!(links[..1], ["https://blog.example/one".to_owned()], "{hostile}: {page}");
            assert_eq!(links[1..], wanted[..], "{hostile}: {page}");
            // The week, its section, and the corrections of the sample.
            assert_eq!((headings, bad), (4, 0), "{hostile}: {page}");
            assert!(!page.contains("@everyone") && !page.contains("@brasslantern") && !page.contains("#1"), "{page}");
        }
    }

    #[test]
    fn targets_come_back_as_they_were() {
        for address in ["https://a.example/x(1)?b=1&copy;=2&c", "https://a.example/%20%3E#f"] {
            let (links, _, _) = read(&format!("[x]({})", target(address)));
            assert_eq!(links, [address]);
        }
    }

    #[test]
    fn a_rich_week() {
        insta::assert_snapshot!(document(&sample::rich(), &sample::context()));
    }
}
