//! The lines of a calendar, put together to events and time zones.
//!
//! In: a text. Out: properties with their parameters, in components. Broken lines cost nothing but themselves. What values
//! mean is left to others.

use std::borrow::Cow;

use crate::model::ReadError;
use crate::text::collapse;

/// The most properties of one component and of all together, and the most components.
const MAX_PROPERTIES: usize = 500;
const MAX_ALL_PROPERTIES: usize = 200_000;
const MAX_COMPONENTS: usize = 20_000;
/// The most parameters of one property, and the most bytes of its value that are read.
const MAX_PARAMETERS: usize = 20;
const MAX_VALUE: usize = 64 * 1024;
/// What is read of a calendar (RFC 5545 section 3.8, RFC 7986, and two names that are no standard); other properties are
/// passed over.
const NAMES: [&str; 25] = [
    "BEGIN",
    "END",
    "CATEGORIES",
    "DESCRIPTION",
    "DTEND",
    "DTSTAMP",
    "DTSTART",
    "EXDATE",
    "LAST-MODIFIED",
    "LOCATION",
    "METHOD",
    "NAME",
    "RDATE",
    "RECURRENCE-ID",
    "RRULE",
    "SEQUENCE",
    "STATUS",
    "SUMMARY",
    "TZID",
    "TZOFFSETFROM",
    "TZOFFSETTO",
    "UID",
    "URL",
    "X-WR-CALNAME",
    "X-WR-TIMEZONE",
];

/// One line: a name, parameters, a value as it stands.
#[derive(Debug, Clone)]
pub(super) struct Property {
    name: &'static str,
    parameters: Vec<(String, String)>,
    pub value: String,
}

impl Property {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// RFC 5545 section 3.1: `NAME;PARAMETER="a:b":value`.
    fn read(line: &str) -> Option<Self> {
        let mut quoted = false;
        let mut parts: Vec<&str> = Vec::new();
        let mut start = 0;
        let mut value = None;
        for (at, c) in line.char_indices() {
            match c {
                '"' => quoted = !quoted,
                ';' if !quoted => {
                    if parts.len() <= MAX_PARAMETERS {
                        parts.push(&line[start..at]);
                    }
                    start = at + 1;
                }
                ':' if !quoted => {
                    if parts.len() <= MAX_PARAMETERS {
                        parts.push(&line[start..at]);
                    }
                    value = Some(&line[at + 1..]);
                    break;
                }
                _ => {}
            }
        }
        let (name, parameters) = parts.split_first()?;
        let name = NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name.trim()))?;
        let parameters = parameters
            .iter()
            .filter_map(|parameter| parameter.split_once('='))
            .map(|(name, value)| (name.trim().to_ascii_uppercase(), value.trim().trim_matches('"').to_owned()))
            .collect();
        let value = value?;
        Some(Self { name, parameters, value: value[..value.floor_char_boundary(MAX_VALUE)].to_owned() })
    }
}

/// What stands between one `BEGIN` and its `END`.
#[derive(Debug, Clone, Default)]
pub(super) struct Component {
    /// In upper case.
    pub name: String,
    properties: Vec<Property>,
    pub inside: Vec<Component>,
}

impl Component {
    pub(super) fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    pub(super) fn properties<'c>(&'c self, name: &'c str) -> impl Iterator<Item = &'c Property> {
        self.properties.iter().filter(move |property| property.name == name)
    }

    /// The value of a property as text, references resolved.
    pub(super) fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.property(name).map(|property| unescape(&property.value))
    }

    /// The same in one line; `None` where nothing is left.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(|text| collapse(&text)).filter(|text| !text.is_empty())
    }

    /// The texts that a property lists.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let values = self.properties(name).flat_map(|property| split(&property.value));
        values.map(|value| collapse(&unescape(value))).filter(|value| !value.is_empty()).take(100).collect()
    }
}

/// A calendar: what it says of itself, its events and its time zones.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    own: Component,
    pub events: Vec<Component>,
    pub zones: Vec<Component>,
}

impl Calendar {
    pub(super) fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.own.value(name)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.own.text(name)
    }

    /// Takes a text apart.
    pub(super) fn read(text: &str) -> Result<Self, ReadError> {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if text.is_empty() {
            return Err(ReadError::Empty);
        }
        if text.starts_with('<') {
            return Err(ReadError::Html);
        }
        let mut calendar = Self::default();
        let mut open: Vec<Component> = Vec::new();
        let (mut found, mut count, mut properties) = (false, 0, 0);
        for line in unfolded(text) {
            let Some(property) = Property::read(&line) else { continue };
            match property.name {
                "BEGIN" => {
                    let name = property.value.trim().to_ascii_uppercase();
                    found |= name == "VCALENDAR";
                    count += 1;
                    // Deeper than any calendar goes, or more than any holds: not looked at.
                    if open.len() < 8 && count < MAX_COMPONENTS {
                        open.push(Component { name, ..Component::default() });
                    }
                }
                "END" => {
                    let name = property.value.trim().to_ascii_uppercase();
                    let Some(place) = open.iter().rposition(|component| component.name == name) else { continue };
                    // What was never ended ends here.
                    while open.len() > place {
                        if let Some(component) = open.pop() {
                            calendar.take(component, open.last_mut());
                        }
                    }
                }
                _ => {
                    let target = open.last_mut().unwrap_or(&mut calendar.own);
                    if target.properties.len() < MAX_PROPERTIES && properties < MAX_ALL_PROPERTIES {
                        properties += 1;
                        target.properties.push(property);
                    }
                }
            }
        }
        // The document ends early: what was open is as good as it is.
        while let Some(component) = open.pop() {
            calendar.take(component, open.last_mut());
        }
        if found { Ok(calendar) } else { Err(ReadError::NotAFeed("it holds no calendar".into())) }
    }

    fn take(&mut self, component: Component, parent: Option<&mut Component>) {
        match component.name.as_str() {
            "VEVENT" => self.events.push(component),
            "VTIMEZONE" => self.zones.push(component),
            "VCALENDAR" => self.own.properties.extend(component.properties),
            // The rules of a time zone; alarms and the like say nothing of an event.
            "STANDARD" | "DAYLIGHT" => {
                if let Some(parent) = parent {
                    parent.inside.push(component);
                }
            }
            _ => {}
        }
    }
}

/// Lines with their continuations, which begin with a blank (RFC 5545 section 3.1).
fn unfolded(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).peekable();
    std::iter::from_fn(move || {
        let mut line = Cow::Borrowed(lines.next()?);
        while let Some(more) = lines.peek().and_then(|next| next.strip_prefix([' ', '\t'])) {
            line.to_mut().push_str(more);
            lines.next();
        }
        Some(line)
    })
}

/// RFC 5545 section 3.3.11.
fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => text.push('\n'),
                Some(c) => text.push(c),
                None => {}
            },
            c => text.push(c),
        }
    }
    Cow::Owned(text)
}

/// The values between commas that are not escaped.
fn split(value: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in value.char_indices() {
        if c == ',' && !escaped {
            parts.push(&value[start..at]);
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(&value[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_unfolded_and_values_unescaped() {
        let text = "BEGIN:VCALENDAR\r\nX-WR-CALNAME:Loom\\, li\r\n ne\r\nBEGIN:VEVENT\nSUMMARY;LANGUAGE=en;X=\"a:b;c\":One\\; two\\\\\n\tthree\\n four\nCATEGORIES:a\\,b, c ,\nBEGIN:VALARM\nSUMMARY:no\nEND:VALARM\nnonsense\nEND:VEVENT\nEND:VCALENDAR";
        let calendar = Calendar::read(text).unwrap();
        assert_eq!(calendar.text("X-WR-CALNAME").as_deref(), Some("Loom, line"));
        let event = &calendar.events[0];
        assert_eq!(event.text("SUMMARY").as_deref(), Some("One; two\\three four"));
        assert_eq!(event.property("SUMMARY").unwrap().parameter("X"), Some("a:b;c"));
        assert_eq!(event.list("CATEGORIES"), ["a,b", "c"]);
    }

    #[test]
    fn what_is_no_calendar_is_told_apart_and_a_broken_one_gives_what_it_has() {
        assert_eq!(Calendar::read("<html>").unwrap_err(), ReadError::Html);
        assert_eq!(Calendar::read(" \r\n").unwrap_err(), ReadError::Empty);
        assert_eq!(Calendar::read("hello: you").unwrap_err().to_string(), "this is not a feed: it holds no calendar");
        let cut = Calendar::read("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nBEGIN:VEVENT\nUID:2\nEND:VCALENDAR").unwrap();
        assert_eq!(cut.events.len(), 2);
        assert!(Calendar::read(&"BEGIN:VCALENDAR\n".repeat(100_000)).unwrap().events.is_empty());
        let many = format!("BEGIN:VEVENT\nSUMMARY{}:a\nX-OTHER:b\n{}END:VEVENT\n", ";A=b".repeat(1_000), "UID:1\n".repeat(1_000));
        let calendar = Calendar::read(&format!("BEGIN:VCALENDAR\n{}", many.repeat(500))).unwrap();
        assert_eq!(calendar.events.len(), 500);
        assert_eq!(calendar.events.iter().map(|event| event.properties.len()).sum::<usize>(), MAX_ALL_PROPERTIES);
        assert_eq!(calendar.events[0].text("SUMMARY").as_deref(), Some("a"));
        assert_eq!(calendar.events[0].property("SUMMARY").unwrap().parameters.len(), MAX_PARAMETERS);
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in "(BEGIN|END|:|;|V(CALENDAR|EVENT)|\\\\|\n| |\"|a){0,60}") {
            let _ = Calendar::read(&text);
        }
    }
}
