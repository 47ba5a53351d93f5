//! What a date of a calendar means: a day, a moment, or a moment on the clocks of some place.
//!
//! In: properties with dates, and the time zones that the calendar describes. Out: instants. A zone is looked for by name
//! first, whatever stands before the name; else the calendar's own description counts.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

use super::component::{Calendar, Component, Property};
use super::recur::nth_weekday;

/// A date of a calendar.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    /// For a day noon in UTC, which is that day nearly everywhere.
    pub at: Timestamp,
    /// What the clock shows there.
    pub local: DateTime,
    pub place: Place,
    /// A day without an hour.
    pub is_day: bool,
    /// No place was given, so UTC was taken.
    pub zone_assumed: bool,
    /// The text that it was read from.
    pub given: String,
}

impl Moment {
    /// What names one event of a series (RFC 5545 section 3.8.4.4), whatever zone it is written in.
    pub(super) fn key(&self) -> String {
        if self.is_day {
            return self.local.date().strftime("%Y%m%d").to_string();
        }
        self.at.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    /// The same on another day.
    pub(super) fn on(&self, date: Date) -> Self {
        let local = date.to_datetime(self.local.time());
        let at = if self.is_day { noon(date) } else { self.place.instant(local) };
        Self {
            at: at.unwrap_or(self.at),
            local,
            given: local.strftime(if self.is_day { "%Y%m%d" } else { "%Y%m%dT%H%M%S" }).to_string(),
            ..self.clone()
        }
    }
}

/// Whose clocks are meant.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Known(TimeZone),
    /// By the calendar's own description.
    Described(Vec<Observance>),
}

impl Place {
    fn instant(&self, local: DateTime) -> Option<Timestamp> {
        match self {
            Self::Known(zone) => zone.to_ambiguous_timestamp(local).compatible().ok(),
            Self::Described(observances) => {
                let offset = observances.iter().filter_map(|observance| Some((observance.last_before(local)?, observance.offset))).max();
                let offset = offset.map(|(_, offset)| offset).or_else(|| observances.first().map(|first| first.before))?;
                offset.to_timestamp(local).ok()
            }
        }
    }
}

/// One part of a described zone: from each of its beginnings on, clocks stand so.
#[derive(Debug, Clone)]
pub(super) struct Observance {
    first: DateTime,
    /// Month, and which weekday of it, where it begins every year.
    yearly: Option<(i8, i8, jiff::civil::Weekday)>,
    until: Option<Date>,
    before: Offset,
    offset: Offset,
}

impl Observance {
    fn of(component: &Component) -> Option<Self> {
        let first = date_time(&component.value("DTSTART")?)?.0;
        let offset = |name: &str| component.value(name).and_then(|text| utc_offset(&text));
        let rule = component.value("RRULE").map(|rule| super::recur::parts(&rule)).unwrap_or_default();
        let yearly = rule.get("FREQ").is_some_and(|freq| freq == "YEARLY").then(|| {
            let month = rule.get("BYMONTH").and_then(|month| month.parse().ok()).unwrap_or(first.month());
            let (nth, day) =
                rule.get("BYDAY").and_then(|day| super::recur::by_day(day)).unwrap_or((Some(nth_of(first.date())), first.weekday()));
            (month, nth.unwrap_or(1), day)
        });
        let until = rule.get("UNTIL").and_then(|until| date_time(until)).map(|(at, _)| at.date());
        Some(Self { first, yearly, until, before: offset("TZOFFSETFROM")?, offset: offset("TZOFFSETTO")? })
    }

    /// When it last began at or before that moment.
    fn last_before(&self, local: DateTime) -> Option<DateTime> {
        if local < self.first {
            return None;
        }
        let Some((month, nth, day)) = self.yearly else { return Some(self.first) };
        [local.year(), local.year() - 1]
            .into_iter()
            .filter_map(|year| nth_weekday(year, month, nth, day).map(|date| date.to_datetime(self.first.time())))
            .find(|begin| *begin <= local && *begin >= self.first && self.until.is_none_or(|until| begin.date() <= until))
            .or(Some(self.first))
    }
}

fn nth_of(date: Date) -> i8 {
    (date.day() - 1) / 7 + 1
}

/// The zones of one calendar.
pub(super) struct Zones {
    described: BTreeMap<String, Vec<Observance>>,
    /// What the calendar calls its own zone: meant where a date names none.
    own: Option<TimeZone>,
}

impl Zones {
    pub(super) fn of(calendar: &Calendar) -> Self {
        let described = calendar.zones.iter().take(500).filter_map(|zone| {
            let parts: Vec<Observance> = zone.inside.iter().take(100).filter_map(Observance::of).collect();
            Some((zone.value("TZID")?.trim().to_owned(), parts)).filter(|(_, parts)| !parts.is_empty())
        });
        Self { described: described.collect(), own: calendar.text("X-WR-TIMEZONE").and_then(|name| known(&name)) }
    }

    /// Reads a property that holds one date.
    pub(super) fn moment(&self, property: &Property) -> Option<Moment> {
        self.read(property, property.value.trim())
    }

    /// Reads a property that lists dates; of periods the beginning.
    pub(super) fn moments(&self, property: &Property) -> Vec<Moment> {
        property.value.split(',').take(2_000).filter_map(|part| self.read(property, part.split('/').next()?.trim())).collect()
    }

    fn read(&self, property: &Property, text: &str) -> Option<Moment> {
        let given: String = text.chars().take(100).collect();
        if text.len() == 8 {
            let date = date_time(text)?.0.date();
            let place = Place::Known(TimeZone::UTC);
            let local = date.to_datetime(Time::midnight());
            return Some(Moment { at: noon(date)?, local, place, is_day: true, zone_assumed: true, given });
        }
        let (local, is_utc) = date_time(text)?;
        let named = property.parameter("TZID").filter(|_| !is_utc);
        let place = match named {
            Some(name) => known(name).map(Place::Known).or_else(|| self.described.get(name).cloned().map(Place::Described)),
            None if is_utc => Some(Place::Known(TimeZone::UTC)),
            None => self.own.clone().map(Place::Known),
        };
        let zone_assumed = place.is_none();
        let place = place.unwrap_or(Place::Known(TimeZone::UTC));
        Some(Moment { at: place.instant(local)?, local, place, is_day: false, zone_assumed, given })
    }
}

/// The zone of a name as calendars write it: `Europe/Oslo`, `/Europe/Oslo`, `/vendor.example/20250101/Europe/Oslo`, and
/// the names of Windows that are met most.
fn known(name: &str) -> Option<TimeZone> {
    const WINDOWS: &[(&str, &str)] = &[
        ("UTC", "UTC"),
        ("GMT Standard Time", "Europe/London"),
        ("Greenwich Standard Time", "Atlantic/Reykjavik"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Central Europe Standard Time", "Europe/Budapest"),
        ("Central European Standard Time", "Europe/Warsaw"),
        ("Romance Standard Time", "Europe/Paris"),
        ("E. Europe Standard Time", "Europe/Chisinau"),
        ("FLE Standard Time", "Europe/Kyiv"),
        ("GTB Standard Time", "Europe/Bucharest"),
        ("Turkey Standard Time", "Europe/Istanbul"),
        ("Russian Standard Time", "Europe/Moscow"),
        ("Israel Standard Time", "Asia/Jerusalem"),
        ("Egypt Standard Time", "Africa/Cairo"),
        ("South Africa Standard Time", "Africa/Johannesburg"),
        ("E. Africa Standard Time", "Africa/Nairobi"),
        ("W. Central Africa Standard Time", "Africa/Lagos"),
        ("Arab Standard Time", "Asia/Riyadh"),
        ("Arabian Standard Time", "Asia/Dubai"),
        ("Pakistan Standard Time", "Asia/Karachi"),
        ("India Standard Time", "Asia/Kolkata"),
        ("Bangladesh Standard Time", "Asia/Dhaka"),
        ("SE Asia Standard Time", "Asia/Bangkok"),
        ("China Standard Time", "Asia/Shanghai"),
        ("Singapore Standard Time", "Asia/Singapore"),
        ("Taipei Standard Time", "Asia/Taipei"),
        ("Tokyo Standard Time", "Asia/Tokyo"),
        ("Korea Standard Time", "Asia/Seoul"),
        ("AUS Eastern Standard Time", "Australia/Sydney"),
        ("New Zealand Standard Time", "Pacific/Auckland"),
        ("E. South America Standard Time", "America/Sao_Paulo"),
        ("Argentina Standard Time", "America/Argentina/Buenos_Aires"),
        ("SA Pacific Standard Time", "America/Bogota"),
        ("Eastern Standard Time", "America/New_York"),
        ("Central Standard Time", "America/Chicago"),
        ("Mountain Standard Time", "America/Denver"),
        ("US Mountain Standard Time", "America/Phoenix"),
        ("Pacific Standard Time", "America/Los_Angeles"),
    ];
    let name = name.trim().trim_start_matches('/');
    if let Ok(zone) = TimeZone::get(name) {
        return Some(zone);
    }
    if let Some((_, iana)) = WINDOWS.iter().find(|(windows, _)| windows.eq_ignore_ascii_case(name)) {
        return TimeZone::get(iana).ok();
    }
    let parts: Vec<&str> = name.split('/').collect();
    [3, 2].into_iter().filter(|count| parts.len() > *count).find_map(|count| TimeZone::get(&parts[parts.len() - count..].join("/")).ok())
}

fn noon(date: Date) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(date.at(12, 0, 0, 0)).ok()
}

/// `20261126`, `20261126T180000`, `20261126T180000Z`; whether it is UTC.
pub(super) fn date_time(text: &str) -> Option<(DateTime, bool)> {
    let text = text.trim();
    let (text, is_utc) = text.strip_suffix(['Z', 'z']).map_or((text, false), |text| (text, true));
    let (day, time) = text.split_once(['T', 't']).unwrap_or((text, "000000"));
    let digits = |text: &str, len: usize| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(day, 8) || !(digits(time, 6) || digits(time, 4)) {
        return None;
    }
    let number = |text: &str| text.parse::<i8>().ok();
    let date = Date::new(day[..4].parse().ok()?, number(&day[4..6])?, number(&day[6..])?).ok()?;
    let second = time.get(4..).filter(|second| !second.is_empty()).map_or(Some(0), number)?;
    // A leap second is the last of its minute.
    let time = Time::new(number(&time[..2])?, number(&time[2..4])?, second.min(59), 0).ok()?;
    Some((date.to_datetime(time), is_utc))
}

/// `+0200`, `-033000` (RFC 5545 section 3.3.14).
fn utc_offset(text: &str) -> Option<Offset> {
    let text = text.trim();
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.strip_prefix('+').unwrap_or(text)), |digits| (-1, digits));
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| digits.get(range).and_then(|text| text.parse::<i32>().ok());
    Offset::from_seconds(sign * (number(0..2)? * 3_600 + number(2..4)? * 60 + number(4..6).unwrap_or(0))).ok()
}

/// That many days later, if there is such a day.
pub(super) fn days_after(date: Date, days: i64) -> Option<Date> {
    date.checked_add(days.days()).ok()
}
