//! The roster in OPML: every `outline` with an `xmlUrl`, at any depth.
//!
//! The builder is the nearest enclosing outline that is no feed itself, else the outline's own title. Read as a stream,
//! without entities of the document's own, so a hostile file can neither nest nor expand without bound.

use quick_xml::Reader;
use quick_xml::escape::{escape, unescape};
use quick_xml::events::{BytesStart, Event};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::model::{Builder, Slug, Source};

use super::{AuthorFilter, Fields, LineIndex, Refusal, Roster, RosterError, RosterLine, RosterSource, brief, check_pasted, field};

/// Names our own attributes, by which an export comes back as it was.
const NAMESPACE: &str = "urn:clarion:roster";

/// What an outline says of itself.
#[derive(Debug, Default)]
struct Outline {
    name: Option<String>,
    url: Option<String>,
    builder: Option<String>,
    kind: Option<String>,
    author: Option<String>,
    /// It says of itself that it is a feed.
    is_feed: bool,
}

pub(super) fn read(text: &str) -> Result<Roster, RosterError> {
    let index = LineIndex::of(text);
    let mut reader = Reader::from_str(text);
    let settings = reader.config_mut();
    settings.check_end_names = false;
    settings.allow_unmatched_ends = true;
    settings.allow_dangling_amp = true;
    let mut roster = Roster::default();
    // One place for each open element: the outline's name and slug where it is a folder.
    let mut open: Vec<Option<(String, Option<String>)>> = Vec::new();
    let mut is_opml = false;
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let line = || index.line_at(at);
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                is_opml |= is_named(&element, "opml");
                let folder = if is_named(&element, "outline") { outline(&mut roster, &element, &open, line()) } else { None };
                open.push(folder);
            }
            Ok(Event::Empty(element)) if is_named(&element, "outline") => {
                outline(&mut roster, &element, &open, line());
            }
            Ok(Event::End(_)) => {
                open.pop();
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => return Err(RosterError { line: line(), message: format!("cannot be read as OPML ({error})") }),
        }
    }
    if !is_opml {
        return Err(RosterError { line: 1, message: "the file is no OPML: its outermost element has to be `opml`".into() });
    }
    Ok(roster)
}

fn is_named(element: &BytesStart<'_>, name: &str) -> bool {
    element.local_name().as_ref().eq_ignore_ascii_case(name)
}

/// Takes one outline into the roster; returns its name and slug where it is a folder.
fn outline(
    roster: &mut Roster,
    element: &BytesStart<'_>,
    open: &[Option<(String, Option<String>)>],
    line: usize,
) -> Option<(String, Option<String>)> {
    let outline = attributes(element);
    let Some(url) = &outline.url else {
        if outline.is_feed {
            let name = outline.name.as_deref().map(|name| format!(" \u{201c}{}\u{201d}", brief(name))).unwrap_or_default();
            roster.refused.push(Refusal {
                line,
                builder: None,
                reason: format!("the feed{name} has no address: xmlUrl is missing or empty"),
            });
            return None;
        }
        return outline.name.map(|name| (name, outline.builder));
    };
    let folder = open.iter().rev().flatten().next();
    let (name, given_slug) = match folder {
        Some((name, slug)) => (Some(name.clone()), slug.clone()),
        None => (outline.name.clone(), None),
    };
    let given_slug = outline.builder.clone().or(given_slug);
    let slug = match &given_slug {
        Some(slug) => Slug::parse(slug).map_err(|error| error.to_string()),
        None => name
            .as_deref()
            .and_then(slug_of)
            .or_else(|| slug_of_host(url))
            .ok_or_else(|| "no outline around it and no title of its own gives a name that can be written in a-z and 0-9".to_owned()),
    };
    let known = slug.clone().ok();
    let read = || -> Result<RosterLine, String> {
        let builder = slug?;
        let mut fields = Fields::new();
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| builder.to_string());
        fields.insert("name", Some(field::normal("name", &name)?));
        check_pasted(url)?;
        let kind = outline.kind.as_deref().map(str::parse).transpose()?;
        Ok(RosterLine {
            line,
            builder,
            fields,
            source: Some(RosterSource { kind, url: url.clone(), author: author_of(outline.author.as_deref()), filters: Fields::new() }),
        })
    };
    match read() {
        Ok(line) => roster.lines.push(line),
        Err(reason) => roster.refused.push(Refusal { line, builder: known, reason }),
    }
    None
}

fn author_of(attribute: Option<&str>) -> AuthorFilter {
    match attribute {
        None => AuthorFilter::Unsaid,
        Some("") => AuthorFilter::Everybody,
        Some(author) => AuthorFilter::Only(author.to_owned()),
    }
}

fn attributes(element: &BytesStart<'_>) -> Outline {
    let mut outline = Outline::default();
    let (mut text, mut title) = (None, None);
    // Broken attributes are passed over; a repeated one keeps its first value.
    for attribute in element.attributes().with_checks(false).flatten() {
        // A stray ampersand in an address is common: such a value is taken as it stands.
        let value = unescape(&attribute.value).map_or_else(|_| attribute.value.to_string(), std::borrow::Cow::into_owned);
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        let key = attribute.key.as_ref().to_ascii_lowercase();
        // An empty filter says that there is none; anything else that is empty says nothing.
        if value.is_empty() && key != "clarion:author" {
            continue;
        }
        let slot = match key.as_str() {
            "type" => {
                outline.is_feed |= ["rss", "atom", "rss1", "json", "feed"].iter().any(|kind| value.eq_ignore_ascii_case(kind));
                continue;
            }
            "text" => &mut text,
            "title" => &mut title,
            "xmlurl" => &mut outline.url,
            "clarion:builder" => &mut outline.builder,
            "clarion:kind" => &mut outline.kind,
            "clarion:author" => &mut outline.author,
            _ => continue,
        };
        slot.get_or_insert(value);
    }
    outline.name = text.or(title);
    outline
}

/// A name in the letters of a slug: marks dropped, everything else a hyphen. `None` where no letter of a-z or digit is left.
fn slug_of(name: &str) -> Option<Slug> {
    let mut slug = String::new();
    for c in name.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            // Letters that do not come apart into a base letter and a mark.
            'ø' => slug.push('o'),
            'ł' => slug.push('l'),
            'đ' | 'ð' => slug.push('d'),
            'ı' => slug.push('i'),
            'ß' => slug.push_str("ss"),
            'æ' => slug.push_str("ae"),
            'œ' => slug.push_str("oe"),
            'þ' => slug.push_str("th"),
            '\'' | '\u{2019}' | '.' => {}
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(64);
    Slug::parse(slug.trim_end_matches('-')).ok()
}

/// For names in scripts that a slug cannot hold: the host of the feed.
fn slug_of_host(url: &str) -> Option<Slug> {
    let url = url::Url::parse(url).ok()?;
    let host = url.host_str()?;
    Slug::parse(host.strip_prefix("www.").unwrap_or(host)).ok()
}

/// The feeds as OPML, a folder for each builder. Made to be passed on: it tells names, places and author filters, nothing else
/// that is known of a person. Builders who are not public, and those without a feed's address, stay out.
pub fn export(builders: &[Builder], sources: &[Source]) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<opml version=\"2.0\" xmlns:clarion=\"{NAMESPACE}\">\n  <head>\n    <title>Builders</title>\n  </head>\n  <body>\n"
    );
    let places = super::plan::places_by_builder(sources);
    for builder in super::plan::present(builders) {
        let Some(own) = places.get(&builder.id).filter(|_| !builder.switches.not_public) else { continue };
        let name = escape(builder.name.as_str());
        let _ = writeln!(text, "    <outline text=\"{name}\" clarion:builder=\"{}\">", builder.slug);
        for (source, owner) in own {
            let url = escape(source.url.as_str());
            let author = owner.author.as_deref().map(|author| format!(" clarion:author=\"{}\"", escape(author))).unwrap_or_default();
            let _ =
                writeln!(text, "      <outline type=\"rss\" text=\"{url}\" xmlUrl=\"{url}\" clarion:kind=\"{}\"{author}/>", source.kind);
        }
        text.push_str("    </outline>\n");
    }
    text.push_str("  </body>\n</opml>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_at_any_depth_are_found_and_belong_to_their_folder() {
        let roster = read(
            r#"<?xml version="1.0"?>
<opml version="2.0"><head><title>x</title></head><body>
  <outline text="Cloud">
    <outline text="Şükrü Özgür" foo>
      <outline type="rss"
        text="blog" XMLURL=" https://a.example/?a=1&b=2 "/>
      <outline xmlUrl="file:///etc/passwd"/>
    </outline>
  </outline>
  <outline title="王小明" xmlUrl="https://www.wang.example/feed"></outline>
  <outline text="Tide &amp; Co." xmlUrl="https://tide.example/feed"/>
  <outline text="empty folder"/>
  <outline xmlUrl="|id"/>
</body></opml>"#,
        )
        .unwrap();
        let read: Vec<_> = roster
            .lines
            .iter()
            .map(|line| {
                (line.line, line.builder.as_str(), line.fields["name"].as_deref().unwrap(), line.source.as_ref().unwrap().url.as_str())
            })
            .collect();
        assert_eq!(
            read,
            [
                (5, "sukru-ozgur", "Şükrü Özgür", "https://a.example/?a=1&b=2"),
                (10, "wang.example", "王小明", "https://www.wang.example/feed"),
                (11, "tide-co", "Tide & Co.", "https://tide.example/feed"),
            ]
        );
        assert_eq!(roster.refused.iter().map(|refusal| refusal.line).collect::<Vec<_>>(), [7, 13]);
    }

    #[test]
    fn what_is_no_opml_is_refused_whole() {
        assert!(read("<html><body></body></html>").is_err());
        assert!(read("hello").is_err());
    }

    #[test]
    fn names_become_slugs() {
        for (name, slug) in [
            ("Nguyễn Thị Minh Khai", Some("nguyen-thi-minh-khai")),
            ("O’Connor", Some("oconnor")),
            ("Łukasz  Ørsted-ß", Some("lukasz-orsted-ss")),
            ("田中 太郎", None),
            ("🚀", None),
        ] {
            assert_eq!(slug_of(name).as_ref().map(Slug::as_str), slug, "{name}");
        }
    }
}
