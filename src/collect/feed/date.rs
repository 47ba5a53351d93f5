//! Reads the dates that feeds really hold.
//!
//! The formats ask for RFC 822 (RSS 2.0) or RFC 3339 (Atom, JSON Feed). In the wild stand other orders, other languages,
//! wrong weekdays and zones by name. A text that gives no certain instant gives none: a guessed date is worse.

use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use unicode_normalization::UnicodeNormalization as _;

/// The longest text that is looked at: no date is longer.
const TEXT_MAX: usize = 100;
/// Earlier is the zero value of some program, later a slip of the pen.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2999;

/// An instant, and whether UTC was taken because the text has no zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub at: Timestamp,
    pub zone_assumed: bool,
}

/// The instant that a text means. Where the zone is missing or unknown, UTC is taken and said so; where the time of day
/// is missing, midnight.
pub(super) fn read(text: &str) -> Option<Stamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > TEXT_MAX || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    iso(text).or_else(|| words(text))
}

/// What was read of a date, before it is checked.
#[derive(Default, Clone, Copy)]
struct Parts {
    year: i16,
    month: i8,
    day: i8,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    zone: Option<i64>,
}

impl Parts {
    fn stamp(self) -> Option<Stamp> {
        let Self { year, month, day, hour, minute, second, nanosecond, zone } = self;
        if !YEARS.contains(&year) || minute > 59 || second > 60 || hour > 24 || (hour == 24 && (minute > 0 || second > 0)) {
            return None;
        }
        let midnight = Date::new(year, month, day).ok()?.to_datetime(jiff::civil::Time::midnight());
        // A leap second is the end of its minute. Hour 24 is the next midnight (ISO 8601).
        let seconds = hour * 3600 + minute * 60 + second.min(59) - zone.unwrap_or(0);
        let utc = jiff::tz::TimeZone::UTC.to_timestamp(midnight).ok()?;
        let at = utc.checked_add(SignedDuration::new(seconds, i32::try_from(nanosecond).unwrap_or(0))).ok()?;
        Some(Stamp { at, zone_assumed: zone.is_none() })
    }
}

/// ISO 8601 and its relatives: the year stands first.
fn iso(text: &str) -> Option<Stamp> {
    let bytes = text.as_bytes();
    let mut parts = Parts { month: 1, day: 1, ..Parts::default() };
    let mut at = run(bytes, 0);
    match at {
        4 => {
            parts.year = number(text, 0, 4)?;
            if let Some((day, len)) = week_date(parts.year, &text[at..]) {
                (parts.year, parts.month, parts.day) = (day.year(), day.month(), day.day());
                at += len;
            } else if matches!(bytes.get(at), Some(b'-' | b'/' | b'.')) && run(bytes, at + 1) > 0 {
                let len = run(bytes, at + 1);
                if len == 3 {
                    // The day of the year.
                    let days: i64 = number(text, at + 1, 3)?;
                    let day = Date::new(parts.year, 1, 1).ok()?.checked_add((days - 1).days()).ok()?;
                    if day.year() != parts.year || days == 0 {
                        return None;
                    }
                    (parts.month, parts.day) = (day.month(), day.day());
                    at += 4;
                } else {
                    parts.month = number(text, at + 1, len)?;
                    at += 1 + len;
                    if matches!(bytes.get(at), Some(b'-' | b'/' | b'.')) {
                        let len = run(bytes, at + 1);
                        parts.day = number(text, at + 1, len)?;
                        at += 1 + len;
                    }
                }
            } else if at < bytes.len() {
                return None;
            }
        }
        8 | 12 | 14 => {
            (parts.year, parts.month, parts.day) = (number(text, 0, 4)?, number(text, 4, 2)?, number(text, 6, 2)?);
            if at > 8 {
                (parts.hour, parts.minute) = (number(text, 8, 2)?, number(text, 10, 2)?);
                parts.second = if at > 12 { number(text, 12, 2)? } else { 0 };
            }
        }
        _ => return None,
    }
    let rest = text[at..].trim_start_matches(|c: char| c.is_whitespace() || matches!(c, 'T' | 't' | ',' | '_'));
    if rest.len() == text.len() - at && !rest.is_empty() && !rest.starts_with(['Z', 'z', '+', '-']) {
        return None;
    }
    let (time, rest) = time_of_day(rest);
    if let Some(time) = time {
        (parts.hour, parts.minute, parts.second, parts.nanosecond) = time;
    }
    let rest = rest.trim_start();
    if rest.is_empty() {
        return parts.stamp();
    }
    let (half, rest) = half_of_day(rest);
    parts.hour = half.apply(parts.hour)?;
    parts.zone = zone(rest);
    // More after the date than a zone: something else is meant, unless it is short.
    (parts.zone.is_some() || rest.len() <= 8).then(|| parts.stamp()).flatten()
}

/// The day of an ISO 8601 week date, such as `-W10-3` or `W103` behind its year, and how long it is written; Monday where no
/// day is named.
fn week_date(year: i16, text: &str) -> Option<(Date, usize)> {
    let bytes = text.as_bytes();
    let dash = usize::from(bytes.first() == Some(&b'-'));
    if !matches!(bytes.get(dash), Some(b'W' | b'w')) || run(bytes, dash + 1) < 2 {
        return None;
    }
    let week = number(text, dash + 1, 2)?;
    let at = dash + 3;
    let digit = at + usize::from(bytes.get(at) == Some(&b'-'));
    let (day, len) = if run(bytes, digit) == 1 { (number::<i8>(text, digit, 1)?, digit + 1) } else { (1, at) };
    let day = Weekday::from_monday_one_offset(day).ok()?;
    Some((ISOWeekDate::new(year, week, day).ok()?.date(), len))
}

/// How many digits stand at that place.
fn run(bytes: &[u8], from: usize) -> usize {
    bytes.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn number<T: std::str::FromStr>(text: &str, from: usize, len: usize) -> Option<T> {
    text.get(from..from + len)?.parse().ok()
}

/// Hour, minute, second, nanosecond.
type Time = (i64, i64, i64, i64);

/// The time that a text begins with, and what follows it. Hours alone are none, but for the basic form `101455`.
fn time_of_day(text: &str) -> (Option<Time>, &str) {
    let bytes = text.as_bytes();
    let hours = run(bytes, 0);
    let part = |from, len| number::<i64>(text, from, len).unwrap_or(99);
    if matches!(hours, 4 | 6) {
        let second = if hours == 6 { part(4, 2) } else { 0 };
        return (Some((part(0, 2), part(2, 2), second, 0)), &text[hours..]);
    }
    if !matches!(hours, 1 | 2) {
        return (None, text);
    }
    // Some write `10.30` or `10.30.00`.
    let has_dots = hours == 2 && bytes.get(2) == Some(&b'.') && run(bytes, 3) == 2 && part(3, 2) < 60;
    if has_dots {
        let second = if bytes.get(5) == Some(&b'.') && run(bytes, 6) == 2 { Some(part(6, 2)) } else { None };
        return (Some((part(0, 2), part(3, 2), second.unwrap_or(0), 0)), &text[if second.is_some() { 8 } else { 5 }..]);
    }
    if bytes.get(hours) != Some(&b':') || run(bytes, hours + 1) == 0 {
        // `2003-12-31T10Z`
        return if hours == 2 { (Some((part(0, 2), 0, 0, 0)), &text[hours..]) } else { (None, text) };
    }
    let minutes = run(bytes, hours + 1);
    let mut time = (part(0, hours), part(hours + 1, minutes), 0, 0);
    let mut at = hours + 1 + minutes;
    if bytes.get(at) == Some(&b':') {
        let seconds = run(bytes, at + 1);
        if seconds > 0 {
            time.2 = part(at + 1, seconds);
        }
        at += 1 + seconds;
        if matches!(bytes.get(at), Some(b'.' | b',' | b':')) && run(bytes, at + 1) > 0 {
            let digits = run(bytes, at + 1);
            time.3 = text[at + 1..at + 1 + digits]
                .bytes()
                .chain(std::iter::repeat(b'0'))
                .take(9)
                .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
            at += 1 + digits;
        }
    }
    (Some(time), &text[at..])
}

/// Which half of the day a time of twelve hours is in.
#[derive(Clone, Copy, PartialEq)]
enum Half {
    Unsaid,
    Before,
    After,
}

impl Half {
    fn apply(self, hour: i64) -> Option<i64> {
        match self {
            Self::Unsaid => Some(hour),
            _ if hour == 0 || hour > 12 => (hour <= 23).then_some(hour),
            Self::Before => Some(hour % 12),
            Self::After => Some(hour % 12 + 12),
        }
    }
}

fn half_of_day(text: &str) -> (Half, &str) {
    let trimmed = text.trim_start();
    for (name, half) in [("am", Half::Before), ("pm", Half::After), ("a.m.", Half::Before), ("p.m.", Half::After)] {
        if trimmed.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
            && !trimmed[name.len()..].starts_with(|c: char| c.is_alphanumeric())
        {
            return (half, &trimmed[name.len()..]);
        }
    }
    (Half::Unsaid, text)
}

/// The offset in seconds that a text begins with: in figures, by name, or both.
fn zone(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let first = text.chars().next()?;
    if matches!(first, '+' | '-' | '\u{2212}' | '\u{2013}') {
        return offset(&text[first.len_utf8()..], first != '+');
    }
    let len = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let name = text[..len].to_ascii_lowercase();
    let named = zone_name(&name)?;
    let rest = text[len..].trim_start();
    // `GMT+0100`, `UTC -5`: the figures say how far from there.
    if named == 0 && rest.starts_with(['+', '-']) {
        return offset(&rest[1..], rest.starts_with('-')).or(Some(0));
    }
    Some(named)
}

fn offset(text: &str, west: bool) -> Option<i64> {
    let bytes = text.as_bytes();
    let digits = run(bytes, 0);
    let (hours, minutes): (i64, i64) = match digits {
        1 | 2 if bytes.get(digits) == Some(&b':') && run(bytes, digits + 1) == 2 => {
            (number(text, 0, digits)?, number(text, digits + 1, 2)?)
        }
        1 | 2 => (number(text, 0, digits)?, 0),
        3 => (number(text, 0, 1)?, number(text, 1, 2)?),
        4 | 6 => (number(text, 0, 2)?, number(text, 2, 2)?),
        _ => return None,
    };
    // RFC 5322 section 3.3 allows up to 99 hours, although no place on Earth is that far from Greenwich.
    if minutes > 59 {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    Some(if west { -seconds } else { seconds })
}

/// Offsets by name. RFC 5322 section 4.3 defines the North American ones; the others are those in common use. Where a
/// name has two meanings, the one with more people behind it.
fn zone_name(name: &str) -> Option<i64> {
    let quarters = match name {
        "z" | "gmt" | "utc" | "ut" | "wet" | "zulu" | "uct" => 0,
        "bst" | "cet" | "west" | "met" | "mez" | "wat" => 4,
        "cest" | "eet" | "sast" | "cat" | "mest" | "mesz" => 8,
        "eest" | "msk" | "eat" | "trt" => 12,
        "irst" => 14,
        "msd" | "gst" => 16,
        "pkt" => 20,
        "ist" => 22,
        "npt" => 23,
        "bdt" => 24,
        "ict" | "wib" => 28,
        "sgt" | "hkt" | "awst" | "pht" | "myt" | "wita" => 32,
        "jst" | "kst" | "wit" => 36,
        "acst" => 38,
        "aest" => 40,
        "acdt" => 42,
        "aedt" => 44,
        "nzst" => 48,
        "nzdt" => 52,
        "brt" | "art" | "adt" => -12,
        "nst" => -14,
        "ndt" => -10,
        "ast" | "edt" => -16,
        "est" | "cdt" | "et" => -20,
        "cst" | "mdt" | "ct" => -24,
        "mst" | "pdt" | "mt" => -28,
        "pst" | "akdt" | "pt" => -32,
        "akst" => -36,
        "hst" => -40,
        _ => return None,
    };
    Some(quarters * 900)
}

/// Dates with a month by name, and dates in figures with the year last.
fn words(text: &str) -> Option<Stamp> {
    let mut parts = Parts::default();
    let text = without_comments(text);
    let text = text.as_str();
    // The time is what has a colon between figures; what follows it may be a zone.
    let time_at = text.match_indices(':').find_map(|(colon, _)| {
        let before = text[..colon].bytes().rev().take_while(u8::is_ascii_digit).count();
        (matches!(before, 1 | 2) && run(text.as_bytes(), colon + 1) > 0).then(|| colon - before)
    });
    let (date, after) = match time_at {
        Some(at) => {
            let (time, rest) = time_of_day(&text[at..]);
            (parts.hour, parts.minute, parts.second, parts.nanosecond) = time?;
            let (half, rest) = half_of_day(rest);
            // `오전`, `오후`: before and after noon, said before the time.
            let half = match (half, text[..at].contains("오후"), text[..at].contains("오전")) {
                (Half::Unsaid, true, _) => Half::After,
                (Half::Unsaid, _, true) => Half::Before,
                _ => half,
            };
            parts.hour = half.apply(parts.hour)?;
            parts.zone = zone(rest);
            (&text[..at], rest)
        }
        None => (text, ""),
    };
    let tokens = tokens(date, after, parts.zone.is_some());
    let numbers: Vec<&Figure> = tokens.figures.iter().take(4).collect();
    let month = tokens.month;
    match (month, numbers.as_slice()) {
        (Some(month), [one, other, ..]) => {
            let (day, year) = if one.len == 4 || one.value > 31 { (other, one) } else { (one, other) };
            parts.month = month;
            parts.day = i8::try_from(day.value).ok()?;
            parts.year = full_year(year)?;
        }
        // In figures alone: certain where the year is first, where points part them, where a half of the day shows
        // American habits, or where only one reading exists.
        (None, [one, two, three]) => {
            let year = if one.len == 4 { one } else { three };
            let (month, day) = if one.len == 4 {
                (two, three)
            } else if three.len != 4 {
                return None;
            } else if date.contains('.') || one.value > 12 {
                (two, one)
            } else if two.value > 12 || one.value == two.value || date.contains('/') && american(text) {
                (one, two)
            } else {
                return None;
            };
            parts.month = i8::try_from(month.value).ok()?;
            parts.day = i8::try_from(day.value).ok()?;
            parts.year = full_year(year)?;
        }
        _ => return None,
    }
    parts.stamp()
}

fn american(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("am") || lower.contains("pm")
}

/// RFC 5322 section 4.3: two digits below 50 are of this century, other two and three digits count from 1900.
fn full_year(figure: &Figure) -> Option<i16> {
    let year = i16::try_from(figure.value).ok()?;
    Some(match figure.len {
        1 | 2 if year < 50 => year + 2000,
        1..=3 => year + 1900,
        _ => year,
    })
}

/// Comments in parentheses mean nothing (RFC 5322 section 3.2.2).
fn without_comments(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' if depth > 0 => {
                    depth -= 1;
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

struct Figure {
    value: u32,
    len: usize,
}

struct Tokens {
    figures: Vec<Figure>,
    /// The last word that is a month: before it may stand a weekday that looks like one (`mar, 10 mar`).
    month: Option<i8>,
}

fn tokens(date: &str, after: &str, zoned: bool) -> Tokens {
    let mut tokens = Tokens { figures: Vec::new(), month: None };
    // What follows the time is a zone, and perhaps the year: `Mon Mar 9 04:45:26 EST 2026`.
    let after = if zoned { after.trim_start().trim_start_matches(|c: char| !c.is_whitespace()) } else { after };
    for part in [date, after] {
        let mut rest = part;
        while let Some(c) = rest.chars().next() {
            if c.is_ascii_digit() {
                let len = run(rest.as_bytes(), 0);
                let value = rest[..len].parse().unwrap_or(u32::MAX);
                tokens.figures.push(Figure { value, len });
                rest = &rest[len..];
                // `3月` names the month by its number, which stands in its place all the same.
            } else if c.is_alphabetic() {
                let len = rest.find(|c: char| !c.is_alphabetic() && !is_mark(c)).unwrap_or(rest.len());
                tokens.month = month(&rest[..len]).or(tokens.month);
                rest = &rest[len..];
            } else {
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    tokens
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// Months by name, folded to plain lower case: English, French, German, Spanish, Portuguese, Italian, Dutch, the
/// Scandinavian languages, Polish, Czech, Romanian, Hungarian, Turkish, Indonesian, Swahili, Russian, Ukrainian and Greek,
/// as their calendars print them.
fn month(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = [
        "jan january janv janvier januar janner janeiro ene enero gen gennaio januari sty stycznia styczen leden ledna ianuarie ian januarja oca ocak янв января январь січ січня ιαν ιανουαριου",
        "feb february fev fevr fevrier februar febrero fevereiro febbraio februari lut lutego luty unor unora februarie februarja sub subat pebruari фев февр февраля февраль лют лютого φεβ φεβρουαριου",
        "mar march mars marz maerz mrz marzo marco mrt maart marca marzec brezen brezna martie marc mart maret machi мар марта март бер березня μαρ μαρτιου",
        "apr april avr avril abr abril aprile kwi kwietnia kwiecien duben dubna aprilie apr nis nisan aprili апр апреля апрель квіт квітня απρ απριλιου",
        "may mai mayo maio mag maggio mei maj maja kveten kvetna mayis mei мая май трав травня μαι μαιου",
        "jun june juin juni junio junho giu giugno cze czerwca czerwiec cerven cervna iun iunie haz haziran июн июня июнь черв червня ιουν ιουνιου",
        "jul july juil juillet juli julio julho lug luglio lip lipca lipiec cervenec cervence iul iulie tem temmuz julai июл июля июль лип липня ιουλ ιουλιου",
        "aug august aout ago agosto augustus augusti sie sierpnia sierpien srpen srpna agu agustos agustus agt agosti авг августа август серп серпня αυγ αυγουστου",
        "sep sept september septembre septiembre set setembro settembre wrz wrzesnia wrzesien zari septembrie szept szeptember eyl eylul septemba сен сент сентября сентябрь вер вересня σεπ σεπτεμβριου",
        "oct october octobre okt oktober octubre out outubro ott ottobre paz pazdziernika pazdziernik rijen rijna octombrie eki ekim oktoba окт октября октябрь жовт жовтня οκτ οκτωβριου",
        "nov november novembre noviembre novembro lis listopada listopad listopadu noiembrie noi kas kasim novemba nopember ноя нояб ноября ноябрь лист листопада νοε νοεμβριου",
        "dec december decembre dez dezember dic diciembre dezembro dicembre des desember gru grudnia grudzien prosinec prosince decembrie ara aralik desemba дек декабря декабрь груд грудня δεκ δεκεμβριου",
    ];
    let folded: String = if word.is_ascii() {
        let lower = word.to_ascii_lowercase();
        // Nearly all dates are written in English.
        let english = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        if let Some(at) = english.iter().position(|name| *name == lower) {
            return i8::try_from(at + 1).ok();
        }
        lower
    } else {
        // `ı` and `ł` are letters of their own that no decomposition parts.
        let plain = |c: char| match c {
            'ı' => 'i',
            'ł' => 'l',
            'ς' => 'σ',
            _ => c,
        };
        // `й` decomposes too: its table entries are compared composed first.
        let lower = word.to_lowercase();
        if let Some(at) = MONTHS.iter().position(|names| names.split(' ').any(|name| name == lower)) {
            return i8::try_from(at + 1).ok();
        }
        lower.nfd().filter(|c| !is_mark(*c)).map(plain).collect()
    };
    if folded.len() < 3 || ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].contains(&folded.as_str()) {
        return None;
    }
    MONTHS.iter().position(|names| names.split(' ').any(|name| name == folded)).and_then(|at| i8::try_from(at + 1).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, wanted: &str) {
        let got = read(text).map(|stamp| format!("{}{}", stamp.at, if stamp.zone_assumed { " assumed" } else { "" }));
        assert_eq!(got.as_deref().unwrap_or("-"), wanted, "{text}");
    }

    #[test]
    fn the_formats_that_the_standards_ask_for() {
        for (text, wanted) in [
            ("Wed, 25 Nov 2026 09:30:00 +0100", "2026-11-25T08:30:00Z"),
            ("25 Nov 2026 09:30 GMT", "2026-11-25T09:30:00Z"),
            ("Wed, 25 Nov 26 09:30:00 EST", "2026-11-25T14:30:00Z"),
            ("2026-11-25T09:30:00Z", "2026-11-25T09:30:00Z"),
            ("2026-11-25T09:30:00.25-05:30", "2026-11-25T15:00:00.25Z"),
            ("2026-11-25t09:30:00z", "2026-11-25T09:30:00Z"),
        ] {
            check(text, wanted);
        }
    }

    #[test]
    fn spellings_outside_the_standards() {
        for (text, wanted) in [
            ("Fri, 25 Nov 2026 09:30:00 GMT", "2026-11-25T09:30:00Z"),
            ("2026-11-25 09:30:00", "2026-11-25T09:30:00Z assumed"),
            ("2026-11-25 09:30:00 +0200", "2026-11-25T07:30:00Z"),
            ("2026-11-25T09:30+02", "2026-11-25T07:30:00Z"),
            ("2026-11-25T093000+02:00", "2026-11-25T07:30:00Z"),
            ("2026-11-25", "2026-11-25T00:00:00Z assumed"),
            ("2026-11-25Z", "2026-11-25T00:00:00Z"),
            ("20261125T093000Z", "2026-11-25T09:30:00Z"),
            ("20261125", "2026-11-25T00:00:00Z assumed"),
            ("2026-329", "2026-11-25T00:00:00Z assumed"),
            ("2026-W10-3", "2026-03-04T00:00:00Z assumed"),
            ("2026W103T0930Z", "2026-03-04T09:30:00Z"),
            ("2020-W53-7", "2021-01-03T00:00:00Z assumed"),
            ("2026-W54-1", "-"),
            ("2026-11-25 09.30.15", "2026-11-25T09:30:15Z assumed"),
            ("2026-11", "2026-11-01T00:00:00Z assumed"),
            ("2026", "2026-01-01T00:00:00Z assumed"),
            ("2026/11/25 9:30 PM", "2026-11-25T21:30:00Z assumed"),
            ("November 25th, 2026 at 9:30 p.m. PST", "2026-11-26T05:30:00Z"),
            ("Wed Nov 25 09:30:00 EST 2026", "2026-11-25T14:30:00Z"),
            ("Wed Nov 25 09:30:00 2026", "2026-11-25T09:30:00Z assumed"),
            ("Wed, 25 Nov 2026 09:30:00 GMT+0100 (CET)", "2026-11-25T08:30:00Z"),
            ("25-Nov-2026 9:5:3 UTC", "2026-11-25T09:05:03Z"),
            ("Wed, 25 Nov 2026 24:00:00 GMT", "2026-11-26T00:00:00Z"),
            ("Wed, 25 Nov 2026 23:59:60 GMT", "2026-11-25T23:59:59Z"),
            ("Wed, 25 Nov 2026 09:30:00 Q", "2026-11-25T09:30:00Z assumed"),
            ("mar, 25 août 2026 09:30:00 +0200", "2026-08-25T07:30:00Z"),
            ("25. März 2026 09:30", "2026-03-25T09:30:00Z assumed"),
            ("Seg, 23 Fev 2026 09:30:00 -0300", "2026-02-23T12:30:00Z"),
            ("Чт, 25 мая 2026 09:30:00 +0300", "2026-05-25T06:30:00Z"),
            ("25 Ağustos 2026", "2026-08-25T00:00:00Z assumed"),
            ("2026年11月25日 09:30", "2026-11-25T09:30:00Z assumed"),
            ("2026-11-25 오후 9:30:00", "2026-11-25T21:30:00Z assumed"),
            ("11/25/2026 9:30:00 AM", "2026-11-25T09:30:00Z assumed"),
            ("3/4/2026 9:30:00 AM", "2026-03-04T09:30:00Z assumed"),
        ] {
            check(text, wanted);
        }
    }

    #[test]
    fn what_is_no_certain_date_gives_none() {
        for text in [
            "",
            "Invalid Date",
            "yesterday",
            "Mon, 01 Jan 0001 00:00:00 UTC",
            "0000-00-00 00:00:00",
            "31 Feb 2026",
            "2026-13-01",
            "03/04/2026",
            "26-11-25",
            "25 Nov 2026 25:00",
            "12:30",
            "version 1.2.3",
            "1e9",
        ] {
            check(text, "-");
        }
        assert!(read(&"2026-11-25 ".repeat(100_000)).is_none());
    }

    proptest! {
        #[test]
        fn any_instant_is_read_back(second in 0_i64..4_000_000_000) {
            let at = Timestamp::from_second(second).unwrap();
            let mail = jiff::fmt::rfc2822::to_string(&at.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
            prop_assert_eq!(read(&mail), Some(Stamp { at, zone_assumed: false }));
            prop_assert_eq!(read(&at.to_string()), Some(Stamp { at, zone_assumed: false }));
        }

        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,30}|[0-9:+TZa-y ,./-]{0,30}") {
            read(&text);
        }
    }
}
