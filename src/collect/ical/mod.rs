//! Calendars (iCalendar, RFC 5545): the events of a group or a person.
//!
//! In: addresses of calendars, and what they answer. Out: events, each dated by its start, also those that are still to
//! come; of a series those that fall near the present; and what was called off. A calendar most often shows what lies
//! ahead: what it does not show any more has most often taken place. Nothing is counted: events have no counts there.

mod component;
mod recur;
mod zone;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use self::component::{Calendar, Component};
use self::zone::{Moment, Zones};
use super::json::links_in;
use super::{Collector, for_source, rss};
use crate::model::{ActivityKind, Ask, Author, Document, Entry, ReadError, Reading, Source, SourceState};
use crate::text::{collapse, cut, fold};

/// The most events that are kept of one calendar, series taken apart.
const MAX_EVENTS: usize = 5_000;
const MAX_SUMMARY: usize = 2_000;

pub(super) struct Ical {
    /// How far before and after the present a series is taken apart.
    window: SignedDuration,
}

impl Ical {
    pub(super) fn new(window_days: u32) -> Self {
        Self { window: SignedDuration::from_hours(24 * i64::from(window_days)) }
    }
}

impl Collector for Ical {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        rss::plan(sources)
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let text = String::from_utf8_lossy(&document.bytes);
        let calendar = Calendar::read(&text)?;
        let now = document.received_at;
        let window = (now.saturating_sub(self.window).unwrap_or(Timestamp::MIN), now.saturating_add(self.window).unwrap_or(Timestamp::MAX));
        Ok(for_source(ask, Reader::of(&calendar, ask.sources.first(), window).read(&calendar)))
    }
}

/// Reads the events of one calendar.
struct Reader<'a> {
    zones: Zones,
    source: Option<&'a Arc<Source>>,
    window: (Timestamp, Timestamp),
    called_off: bool,
    budget: recur::Budget,
    reading: Reading,
}

/// The changed single events of a series, by when the series has them, and the series itself.
#[derive(Default)]
struct Series<'c> {
    whole: Option<&'c Component>,
    single: BTreeMap<String, &'c Component>,
}

impl<'a> Reader<'a> {
    fn of(calendar: &Calendar, source: Option<&'a Arc<Source>>, window: (Timestamp, Timestamp)) -> Self {
        Self {
            zones: Zones::of(calendar),
            source,
            window,
            // RFC 5546 section 3.2.5: the whole message calls off what it lists.
            called_off: calendar.value("METHOD").is_some_and(|method| method.eq_ignore_ascii_case("CANCEL")),
            budget: recur::Budget::default(),
            reading: Reading { title: calendar.text("X-WR-CALNAME").or_else(|| calendar.text("NAME")), ..Reading::default() },
        }
    }

    fn read(mut self, calendar: &Calendar) -> Reading {
        let mut series: BTreeMap<String, Series<'_>> = BTreeMap::new();
        let mut order: Vec<String> = Vec::new();
        for event in &calendar.events {
            let Some(uid) = event.value("UID").map(|uid| collapse(&uid)).filter(|uid| !uid.is_empty()).or_else(|| nameless(event)) else {
                self.reading.skipped += 1;
                continue;
            };
            if !series.contains_key(&uid) {
                order.push(uid.clone());
            }
            let series = series.entry(uid).or_default();
            match event.property("RECURRENCE-ID").and_then(|property| self.zones.moment(property)) {
                Some(at) => {
                    let place = series.single.entry(at.key()).or_insert(event);
                    *place = newer(place, event);
                }
                None => series.whole = Some(series.whole.map_or(event, |whole| newer(whole, event))),
            }
        }
        for uid in order {
            if let Some(series) = series.remove(&uid) {
                self.read_series(&uid, &series);
            }
        }
        self.reading
    }

    fn read_series(&mut self, uid: &str, series: &Series<'_>) {
        let name = self.name(uid);
        let mut told: BTreeSet<String> = series.single.keys().cloned().collect();
        if let Some(whole) = series.whole {
            let repeats = whole.property("RRULE").is_some() || whole.property("RDATE").is_some();
            let start = whole.property("DTSTART").and_then(|property| self.zones.moment(property));
            match (start, repeats) {
                _ if self.is_called_off(whole) => {
                    self.reading.withdrawn.push(name.clone());
                    self.reading.withdrawn.push(format!("{name}:*"));
                    // What stands in the series is called off with it.
                    return;
                }
                (None, _) => self.reading.skipped += 1,
                (Some(start), false) => self.tell(whole, name.clone(), &start),
                (Some(start), true) => {
                    // Time alone brings the next ones of the series.
                    self.reading.perishable = true;
                    let dates = recur::dates(whole, &start, &self.zones, self.window, &self.budget);
                    for left_out in dates.left_out {
                        self.reading.withdrawn.push(format!("{name}:{}", left_out.key()));
                    }
                    for date in dates.dates {
                        if told.insert(date.key()) {
                            self.tell(whole, format!("{name}:{}", date.key()), &date);
                        }
                    }
                }
            }
        }
        for (at, event) in &series.single {
            let key = format!("{name}:{at}");
            let start = event.property("DTSTART").and_then(|property| self.zones.moment(property));
            match start {
                _ if self.is_called_off(event) => self.reading.withdrawn.push(key),
                Some(start) => self.tell(event, key, &start),
                None => self.reading.skipped += 1,
            }
        }
    }

    /// The key of an event. Some calendars number their events from 1: such a name holds within its source alone.
    fn name(&self, uid: &str) -> String {
        let is_name = uid.len() >= 16 || (uid.contains('@') && uid.len() >= 8);
        match self.source.filter(|_| !is_name) {
            Some(source) => format!("ical:{}:{uid}", source.id),
            None => format!("ical:{uid}"),
        }
    }

    fn is_called_off(&self, event: &Component) -> bool {
        self.called_off || event.value("STATUS").is_some_and(|status| status.trim().eq_ignore_ascii_case("CANCELLED"))
    }

    fn tell(&mut self, event: &Component, key: String, start: &Moment) {
        if self.reading.entries.len() >= MAX_EVENTS {
            self.reading.skipped += 1;
            return;
        }
        let description = event.text("DESCRIPTION");
        let web = |text: &str| url::Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https")).map(String::from);
        let link = event.value("URL").and_then(|url| web(&url));
        let links = description.as_deref().map(links_in).unwrap_or_default();
        let title = event.text("SUMMARY").map(|title| cut(&title, 1_000).into_owned());
        let place = event.text("LOCATION");
        let words: Vec<&str> = [title.as_deref(), description.as_deref()].into_iter().flatten().collect();
        let ends = event.property("DTEND").and_then(|property| self.zones.moment(property));
        let lasts = ends.map(|end| end.at.duration_since(start.at).as_secs()).filter(|_| !start.is_day);
        self.reading.entries.push(Entry {
            authors: self.named_in(&words.join("\n")),
            link: link.or_else(|| links.first().cloned()),
            // What names an event is its own name: its page may be that of the group, or of the whole series.
            link_shared: true,
            summary: description.or(place).map(|text| cut(&text, MAX_SUMMARY).into_owned()),
            published: Some(start.at),
            published_raw: Some(start.given.clone()),
            zone_assumed: start.zone_assumed,
            starts_at: Some(start.at),
            updated: event.property("LAST-MODIFIED").and_then(|property| self.zones.moment(property)).map(|moment| moment.at),
            categories: event.list("CATEGORIES"),
            kind: Some(ActivityKind::Event),
            duration_s: lasts.and_then(|seconds| u32::try_from(seconds).ok()).filter(|seconds| *seconds > 0),
            platform_key: Some(key),
            title,
            ..Entry::default()
        });
    }

    /// Those who claim the calendar by name and whom the event names: a guest of a group is credited only then.
    fn named_in(&self, words: &str) -> Vec<Author> {
        let Some(source) = self.source else { return Vec::new() };
        if source.owners.iter().all(|owner| owner.author.is_none()) {
            return Vec::new();
        }
        let words = fold(words);
        let asked = source.owners.iter().filter_map(|owner| owner.author.as_deref());
        let named = asked.filter(|name| !fold(name).is_empty() && words.contains(&fold(name)));
        named.map(|name| Author { name: name.to_owned(), ..Author::default() }).collect()
    }
}

/// Of two tellings of one event the later one (RFC 5546 section 2.1.5).
fn newer<'c>(one: &'c Component, other: &'c Component) -> &'c Component {
    let rank = |event: &Component| {
        let sequence = event.value("SEQUENCE").and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or_default();
        (sequence, event.value("LAST-MODIFIED").or_else(|| event.value("DTSTAMP")).unwrap_or_default().into_owned())
    };
    if rank(other) > rank(one) { other } else { one }
}

/// A name for an event that has none: when it is, and what it is called.
fn nameless(event: &Component) -> Option<String> {
    let start = event.value("DTSTART")?;
    let title = event.text("SUMMARY")?;
    Some(format!("unnamed {start} {}", cut(&fold(&title), 100)))
}

#[cfg(test)]
mod tests;
