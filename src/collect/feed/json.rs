//! Reads JSON Feed 1.0 and 1.1 (jsonfeed.org), item by item: one bad item costs no other.
//!
//! In: the text of a document. Out: its entries. Values of a wrong type are taken for what they plainly mean (a number as
//! an id, one author instead of a list) or left out.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::date;
use super::document::{VALUE_MAX, head};
use super::item::{BODY_MAX, Base, Limits, inherit_authors, is_usable, is_web_address, language};
use super::{ENTRIES_MAX, named};
use crate::model::{Author, Ending, Entry, Media, ReadError, Reading, Repair};
use crate::text;

/// The most values that are kept of one item, of the feed itself, and of all items together.
const VALUES_MAX: u32 = 5_000;
const ALL_VALUES_MAX: u32 = 200_000;
/// The names that mean something here (jsonfeed.org, version 1.1); values under others are passed over.
const NAMES: [&str; 22] = [
    "attachments",
    "author",
    "authors",
    "content_html",
    "content_text",
    "date_modified",
    "date_published",
    "duration_in_seconds",
    "external_url",
    "feed_url",
    "home_page_url",
    "id",
    "language",
    "mime_type",
    "name",
    "size_in_bytes",
    "summary",
    "tags",
    "title",
    "url",
    "version",
    "next_url",
];
/// The most authors, tags and attachments of one entry.
const LIST_MAX: usize = 100;

/// Reads a JSON Feed.
pub(super) fn read(text: &str, address: Option<&str>) -> Result<Reading, ReadError> {
    let mut gathered = Gathered::default();
    let mut outcome = gathered.fill(text);
    let mut mended = false;
    if outcome.is_err() {
        // Only one of the two is held at a time.
        let first = std::mem::take(&mut gathered).items.len();
        outcome = gathered.fill(&mend(text));
        mended = outcome.is_ok() || gathered.items.len() > first;
        if !mended {
            gathered = Gathered::default();
            outcome = gathered.fill(text);
        }
    }
    let Gathered { feed, items, skipped, has_items } = gathered;
    let version = feed.get("version").and_then(Loose::text).unwrap_or_default();
    let known = version.rsplit_once("jsonfeed.org/version/").is_some_and(|(_, version)| matches!(version, "1" | "1.0" | "1.1"));
    // Without items there is only the version to tell a feed by.
    if !known && (!has_items || (items.is_empty() && skipped == 0 && !version.is_empty())) {
        return Err(ReadError::NotAFeed(match outcome {
            Ok(()) => "it is JSON without a list of items".to_owned(),
            Err(_) if text.starts_with('[') => "it is a list in JSON, not a feed".to_owned(),
            Err(error) => format!("it is broken JSON, {error}"),
        }));
    }
    if items.is_empty() && skipped > 0 {
        return Err(ReadError::NoneReadable);
    }
    let site = feed.get("home_page_url").or_else(|| feed.get("feed_url")).and_then(Loose::text);
    let base = Base::of(address);
    let base = if base.is_known() { base } else { Base::of(site.as_deref()) };
    let limits = Limits::default();
    let authors = authors(&feed);
    let tongue = feed.get("language").and_then(Loose::text).and_then(|tongue| language(&tongue));
    let mut entries: Vec<Entry> = items.iter().map(|item| entry(item, &base, &limits, tongue.as_deref())).collect();
    inherit_authors(authors, &mut entries);
    let mut reading = Reading { title: feed.line("title"), entries, skipped, ..Reading::default() };
    if mended {
        reading.repairs.push(named("broken JSON mended"));
    }
    if outcome.is_err() {
        reading.ending = Ending::Early;
        reading.repairs.push(named("the document ends before the feed does"));
    }
    if skipped > 0 {
        reading.repairs.push(Repair(format!("{skipped} {} skipped", if skipped == 1 { "item" } else { "items" }).into()));
    }
    Ok(reading)
}

/// Where a feed says that its older items are.
pub(super) fn next_page(text: &str) -> Option<String> {
    let mut gathered = Gathered::default();
    // What was read before the document broke off counts.
    let _ = gathered.fill(text);
    gathered.feed.get("next_url").and_then(Loose::text).map(Cow::into_owned)
}

fn entry(item: &Loose, base: &Base, limits: &Limits, tongue: Option<&str>) -> Entry {
    let text = |name| item.get(name).and_then(Loose::text).filter(|text| !text.trim().is_empty());
    let mut entry = Entry {
        id: text("id").map(|id| text::collapse(&id)).filter(|id| id.len() <= 2_048),
        title: item.line("title"),
        language: text("language").and_then(|tongue| language(&tongue)).or_else(|| tongue.map(str::to_owned)),
        ..Entry::default()
    };
    // What no browser opens is a link only where there is no other.
    let id_as_link = entry.id.clone().filter(|id| is_web_address(id)).map(Cow::Owned);
    for url in [text("url"), text("external_url"), id_as_link].into_iter().flatten() {
        let link = base.absolute(&url, limits);
        let is_usable = link.as_deref().is_some_and(is_usable);
        if is_usable || entry.link.is_none() {
            entry.link = link;
        }
        if is_usable {
            break;
        }
    }
    if let Some(raw) = text("date_published") {
        if let Some(stamp) = date::read(&raw) {
            (entry.published, entry.zone_assumed) = (Some(stamp.at), stamp.zone_assumed);
        }
        entry.published_raw = Some(text::cut(&text::collapse(raw.get(..raw.floor_char_boundary(400)).unwrap_or("")), 100).into_owned());
    }
    entry.updated = text("date_modified").and_then(|raw| date::read(&raw)).map(|stamp| stamp.at);
    entry.authors = authors(item);
    entry.categories = item
        .get("tags")
        .map_or(&[][..], Loose::list)
        .iter()
        .filter_map(|tag| Some(text::collapse(&tag.text()?)))
        .filter(|tag| !tag.is_empty())
        .take(LIST_MAX)
        .collect();
    for attachment in item.get("attachments").map_or(&[][..], Loose::list).iter().take(LIST_MAX) {
        let Some(url) = attachment.get("url").and_then(Loose::text).and_then(|url| base.absolute(&url, limits)) else { continue };
        let mime = attachment.get("mime_type").and_then(Loose::text).map(|mime| text::collapse(&mime)).filter(|mime| !mime.is_empty());
        let length = attachment.get("size_in_bytes").and_then(Loose::number).filter(|length| *length > 0);
        let duration_s = attachment.get("duration_in_seconds").and_then(Loose::number).and_then(|seconds| u32::try_from(seconds).ok());
        entry.duration_s = entry.duration_s.or(duration_s);
        entry.media.push(Media { url, mime, length, duration_s });
    }
    let body = |name| match item.get(name) {
        Some(Loose::Text(text)) => Some(head(text.trim(), BODY_MAX)).filter(|text| !text.is_empty()),
        _ => None,
    };
    let content = match (body("content_html"), body("content_text")) {
        (Some(html), _) => Some(text::html_to_content(html, base.for_content(limits))),
        (None, Some(plain)) => Some(text::text_to_content(plain)),
        _ => None,
    };
    entry.content = content.inspect(|content| limits.spend(content));
    entry.summary = text("summary").map(|summary| text::cut(&text::collapse(&summary), 2_000).into_owned());
    entry
}

/// The authors of a feed or item: version 1.1 has a list, version 1.0 one.
fn authors(value: &Loose) -> Vec<Author> {
    let author = |value: &Loose| {
        let url = value.get("url").and_then(Loose::text).filter(|url| !url.is_empty());
        let name = if matches!(value, Loose::Map(_)) { value.get("name").and_then(Loose::text) } else { value.text() };
        let url = url.map(Cow::into_owned);
        let name = name.map(|name| text::collapse(&name)).filter(|name| !name.is_empty()).or_else(|| url.clone())?;
        Some(Author { name: text::cut(&name, 300).into_owned(), url, id: None })
    };
    let list = value.get("authors").or_else(|| value.get("author"));
    let mut authors: Vec<Author> = match list {
        Some(Loose::List(list)) => list.iter().filter_map(author).take(LIST_MAX).collect(),
        Some(one) => author(one).into_iter().collect(),
        None => Vec::new(),
    };
    if authors.is_empty() {
        authors.extend(value.get("author").and_then(author));
    }
    authors
}

/// Any JSON value, loosely understood.
#[derive(Debug)]
enum Loose {
    Nothing,
    Text(String),
    Number(serde_json::Number),
    List(Vec<Loose>),
    Map(Vec<(&'static str, Loose)>),
}

impl Default for Loose {
    fn default() -> Self {
        Self::Map(Vec::new())
    }
}

impl Loose {
    fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|(key, value)| *key == name && !matches!(value, Self::Nothing)).map(|(_, value)| value)
    }

    /// As a text, of which the beginning is enough.
    fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(head(text.trim(), VALUE_MAX).into()),
            Self::Number(number) => Some(number.to_string().into()),
            _ => None,
        }
    }

    fn number(&self) -> Option<u64> {
        match self {
            Self::Text(text) => text.trim().parse().ok(),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a length with a fraction is rounded down; `as` saturates"
            )]
            Self::Number(number) => number.as_u64().or_else(|| number.as_f64().filter(|number| *number >= 0.0).map(|number| number as u64)),
            _ => None,
        }
    }

    fn list(&self) -> &[Self] {
        match self {
            Self::List(list) => list,
            Self::Nothing => &[],
            one => std::slice::from_ref(one),
        }
    }

    /// A line of plain text. JSON Feed has no markup in titles, but not all of its writers know.
    fn line(&self, name: &str) -> Option<String> {
        let line = text::plain(&self.get(name)?.text()?);
        (!line.is_empty()).then(|| text::cut(&line, 1_000).into_owned())
    }
}

fn known(key: &str) -> Option<&'static str> {
    NAMES.iter().find(|name| **name == key).copied()
}

/// Builds a [`Loose`] of at most so many values; what is beyond them is passed over.
struct LooseSeed<'c>(&'c Cell<u32>);

impl LooseSeed<'_> {
    fn spent(&self) -> bool {
        self.0.get() == 0
    }
}

impl<'de> DeserializeSeed<'de> for LooseSeed<'_> {
    type Value = Loose;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Loose, D::Error> {
        if self.spent() {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(|_| Loose::Nothing);
        }
        self.0.set(self.0.get() - 1);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LooseSeed<'_> {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Loose, E> {
        Ok(Loose::Nothing)
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Nothing)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Loose, E> {
        Ok(Loose::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Loose, E> {
        Ok(Loose::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Loose, E> {
        Ok(serde_json::Number::from_f64(number).map_or(Loose::Nothing, Loose::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Loose, E> {
        Ok(Loose::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Loose, E> {
        Ok(Loose::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Loose, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(LooseSeed(self.0))? {
            if !self.spent() {
                list.push(value);
            }
        }
        Ok(Loose::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Loose, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = access.next_key::<Cow<'de, str>>()? {
            let Some(name) = known(&key) else {
                access.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = access.next_value_seed(LooseSeed(self.0))?;
            if !self.spent() {
                map.push((name, value));
            }
        }
        Ok(Loose::Map(map))
    }
}

/// What was gathered of a feed, also when the document breaks off.
#[derive(Default)]
struct Gathered {
    feed: Loose,
    items: Vec<Loose>,
    skipped: u32,
    has_items: bool,
}

impl Gathered {
    fn fill(&mut self, text: &str) -> Result<(), serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        deserializer.deserialize_map(FeedVisitor(self))
    }
}

struct FeedVisitor<'g>(&'g mut Gathered);

impl<'de> Visitor<'de> for FeedVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let budget = Cell::new(VALUES_MAX);
        while let Some(key) = access.next_key::<Cow<'de, str>>()? {
            if key == "items" {
                access.next_value_seed(ItemsSeed(self.0))?;
                continue;
            }
            let Some(name) = known(&key) else {
                access.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = access.next_value_seed(LooseSeed(&budget))?;
            if let Loose::Map(map) = &mut self.0.feed
                && budget.get() > 0
            {
                map.push((name, value));
            }
        }
        Ok(())
    }
}

struct ItemsSeed<'g>(&'g mut Gathered);

impl<'de> DeserializeSeed<'de> for ItemsSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        self.0.has_items = true;
        let mut left = ALL_VALUES_MAX;
        loop {
            let most = if self.0.items.len() >= ENTRIES_MAX { 0 } else { VALUES_MAX.min(left) };
            let budget = Cell::new(most);
            let next = access.next_element_seed(LooseSeed(&budget))?;
            left -= most - budget.get();
            match next {
                None => return Ok(()),
                Some(item @ Loose::Map(_)) => self.0.items.push(item),
                Some(_) => self.0.skipped = self.0.skipped.checked_add(1).ok_or_else(|| A::Error::custom("too many items"))?,
            }
        }
    }
}

/// Mends what writers of JSON by hand get wrong: control characters inside strings, commas before a closing bracket,
/// backslashes before characters that need none.
fn mend(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut chars = text.chars().peekable();
    let mut in_string = false;
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            '\\' if in_string => match chars.peek() {
                Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u') => {
                    out.push(c);
                    out.extend(chars.next());
                }
                _ => out.push_str("\\\\"),
            },
            '\n' if in_string => out.push_str("\\n"),
            '\t' if in_string => out.push_str("\\t"),
            c if in_string && c < ' ' => {}
            ']' | '}' if !in_string => {
                let kept = out.trim_end();
                if kept.ends_with(',') {
                    out.truncate(kept.len() - 1);
                }
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_item_costs_no_other() {
        let reading =
            read(r#"{"version":"https://jsonfeed.org/version/1","items":[null,{"id":7,"title":"A"},"x",{"id":"b","tags":"one"}]}"#, None)
                .unwrap();
        let ids: Vec<_> = reading.entries.iter().map(|entry| entry.id.as_deref().unwrap()).collect();
        assert_eq!((ids.as_slice(), reading.skipped), (&["7", "b"][..], 2));
        assert_eq!(reading.entries[1].categories, ["one"]);
        assert_eq!(reading.repairs, [named("2 items skipped")]);
    }

    #[test]
    fn what_follows_the_items_counts_for_them() {
        let text = r#"{"items":[{"id":"1","url":"a","authors":[{"name":"Ada"},{"name":"Bo"}]},{"id":"2"}],"language":"pt-BR",
            "author":{"name":"Cy"},"home_page_url":"https://example.org/blog/"}"#;
        let reading = read(text, None).unwrap();
        assert_eq!(reading.entries[0].link.as_deref(), Some("https://example.org/blog/a"));
        assert_eq!(reading.entries[0].authors.len(), 2);
        assert_eq!(reading.entries[1].authors[0].name, "Cy");
        assert_eq!(reading.entries[1].language.as_deref(), Some("pt-BR"));
    }

    #[test]
    fn broken_json_gives_what_can_be_read() {
        let reading = read("{\"items\":[{\"id\":\"1\",\"title\":\"a\nb\\'c\",},],}", None).unwrap();
        assert_eq!(reading.entries[0].title.as_deref(), Some("a b\\'c"));
        let cut = read(r#"{"items":[{"id":"1"},{"id":"2","title":"cut o"#, None).unwrap();
        assert_eq!(cut.entries.len(), 1);
        assert_eq!(cut.repairs, [named("the document ends before the feed does")]);
        for bad in ["{}", "[1,2]", "{\"a\":", "{\"items\":3}", "{\"name\":\"x\",\"things\":[]}"] {
            assert!(matches!(read(bad, None), Err(ReadError::NotAFeed(_))), "{bad}");
        }
        assert!(matches!(read("{\"items\":[null]}", None), Err(ReadError::NoneReadable)));
    }

    #[test]
    fn hostile_json_stays_small() {
        let deep = format!("{{\"items\":[{{\"id\":1}},{}{}]}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&deep, None).unwrap().entries.len(), 1);
        let wide = format!("{{\"items\":[{{\"id\":\"1\",\"tags\":[{}1]}}]}}", "1,".repeat(500_000));
        assert!(read(&wide, None).unwrap().entries[0].categories.len() <= 100);
        let item = format!("{{\"tags\":[{}1],\"x\":[{}1]}},", "1,".repeat(4_000), "1,".repeat(9_000));
        let reading = read(&format!("{{\"items\":[{}{{\"id\":1}}]}}", item.repeat(200)), None).unwrap();
        assert!(reading.entries.len() < 100 && reading.skipped > 100, "a feed's values are few");
    }
}
