//! The dates of a series that fall near the present (RFC 5545 section 3.3.10).
//!
//! In: an event with its rule, and a window. Out: those of its dates that lie in the window, and those that the series
//! leaves out. Rules by the hour and finer, by week number or by day of the year give the first date alone. However a rule
//! is written, no more than a bounded number of dates is looked at, and of a whole calendar no more than its budget allows.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};

use super::component::Component;
use super::zone::{Moment, Zones, date_time, days_after};

/// The most dates of one series that are kept, that one lists, and the most turns of a rule that are looked at.
const MAX_DATES: usize = 100;
const MAX_LISTED: usize = 2_000;
const MAX_TURNS: i64 = 20_000;
/// The most numbers of one part of a rule: there are 366 days in a year.
const MAX_NUMBERS: usize = 366;

/// The days that may still be looked at for the series of one calendar.
pub(super) struct Budget(Cell<u64>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(5_000_000))
    }
}

impl Budget {
    fn spend(&self, days: u64) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(days));
        left > days
    }
}

/// The dates of a series within a window.
#[derive(Debug, Default)]
pub(super) struct Dates {
    pub dates: Vec<Moment>,
    /// Dates that the rule gives and the series takes back.
    pub left_out: Vec<Moment>,
}

/// The dates of a series.
pub(super) fn dates(event: &Component, start: &Moment, zones: &Zones, window: (Timestamp, Timestamp), budget: &Budget) -> Dates {
    let in_window = |moment: &Moment| moment.at >= window.0 && moment.at <= window.1;
    let excluded: Vec<Moment> = event.properties("EXDATE").flat_map(|property| zones.moments(property)).take(MAX_LISTED).collect();
    let keys: BTreeSet<String> = excluded.iter().map(Moment::key).collect();
    let mut found: BTreeMap<Timestamp, Moment> = BTreeMap::new();
    let rule = event.value("RRULE").and_then(|text| Rule::read(&text));
    let of_rule = match &rule {
        Some(rule) => rule.dates(start, window, budget),
        None => vec![start.clone()],
    };
    let added = event.properties("RDATE").flat_map(|property| zones.moments(property)).take(MAX_LISTED);
    for moment in of_rule.into_iter().chain(added) {
        if in_window(&moment) && !keys.contains(&moment.key()) && found.len() < MAX_DATES {
            found.insert(moment.at, moment);
        }
    }
    Dates { dates: found.into_values().collect(), left_out: excluded.into_iter().filter(in_window).take(MAX_DATES).collect() }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Every {
    Day,
    Week,
    Month,
    Year,
}

/// A rule as it is written.
#[derive(Debug)]
struct Rule {
    every: Every,
    interval: i64,
    count: Option<u32>,
    /// The last day on which a date may fall, and the last instant where one is given.
    until: Option<(Date, Option<Timestamp>)>,
    days: Vec<(Option<i8>, Weekday)>,
    month_days: Vec<i8>,
    months: Vec<i8>,
    places: Vec<i32>,
    week_start: Weekday,
}

/// The parts of a rule by their names, in upper case.
pub(super) fn parts(text: &str) -> BTreeMap<String, String> {
    let part = |part: &str| part.split_once('=').map(|(name, value)| (name.trim().to_ascii_uppercase(), value.trim().to_ascii_uppercase()));
    text.split(';').filter_map(part).collect()
}

/// `2SU`, `-1MO`, `FR`.
pub(super) fn by_day(text: &str) -> Option<(Option<i8>, Weekday)> {
    let text = text.trim();
    let (nth, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let day = match day {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    };
    match nth.trim_start_matches('+') {
        "" => Some((None, day)),
        nth => nth.parse().ok().filter(|nth| *nth != 0).map(|nth| (Some(nth), day)),
    }
}

/// The nth of such weekdays of a month, from its end where negative.
pub(super) fn nth_weekday(year: i16, month: i8, nth: i8, day: Weekday) -> Option<Date> {
    Date::new(year, month, 1).ok()?.nth_weekday_of_month(nth, day).ok()
}

impl Rule {
    fn read(text: &str) -> Option<Self> {
        let parts = parts(text);
        let numbers = |name: &str| -> Vec<i32> {
            let numbers = parts.get(name).map(|list| list.split(',').take(MAX_NUMBERS).filter_map(|number| number.trim().parse().ok()));
            numbers.map(Iterator::collect).unwrap_or_default()
        };
        let small = |name: &str| -> Vec<i8> { numbers(name).into_iter().filter_map(|number| i8::try_from(number).ok()).collect() };
        if ["BYWEEKNO", "BYYEARDAY", "BYHOUR", "BYMINUTE", "BYSECOND"].iter().any(|name| parts.contains_key(*name)) {
            return None;
        }
        let every = match parts.get("FREQ")?.as_str() {
            "DAILY" => Every::Day,
            "WEEKLY" => Every::Week,
            "MONTHLY" => Every::Month,
            "YEARLY" => Every::Year,
            _ => return None,
        };
        let until = parts.get("UNTIL").and_then(|text| date_time(text)).map(|(local, is_utc)| {
            let instant = is_utc.then(|| jiff::tz::Offset::UTC.to_timestamp(local).ok()).flatten();
            (local.date(), instant)
        });
        Some(Self {
            every,
            interval: parts
                .get("INTERVAL")
                .and_then(|text| text.parse().ok())
                .filter(|interval| (1..=10_000).contains(interval))
                .unwrap_or(1),
            count: parts.get("COUNT").and_then(|text| text.parse().ok()),
            until,
            days: parts.get("BYDAY").map(|list| list.split(',').take(MAX_NUMBERS).filter_map(by_day).collect()).unwrap_or_default(),
            month_days: small("BYMONTHDAY"),
            months: small("BYMONTH").into_iter().filter(|month| (1..=12).contains(month)).collect(),
            places: numbers("BYSETPOS"),
            week_start: parts.get("WKST").and_then(|text| by_day(text)).map_or(Weekday::Monday, |(_, day)| day),
        })
    }

    /// The dates up to the end of the window; without a count those long before it are not gone through.
    fn dates(&self, start: &Moment, window: (Timestamp, Timestamp), budget: &Budget) -> Vec<Moment> {
        let first = start.local.date();
        let mut dates = Vec::new();
        let mut counted = 0_u32;
        let first_turn = if self.count.is_some() { 0 } else { self.turns_before(first, window.0) };
        // The first date is one of the series even where the rule does not give it.
        let mut begun = first_turn > 0;
        for turn in first_turn..first_turn.saturating_add(MAX_TURNS) {
            if self.begins_after(first, turn, window.1) || !budget.spend(self.work()) {
                break;
            }
            let Some(days) = self.turn(first, turn) else { break };
            let days = days.into_iter().filter(|day| *day > first || (*day == first && !begun));
            let mut days: Vec<Date> =
                if begun { days.collect() } else { std::iter::once(first).chain(days.filter(|day| *day != first)).collect() };
            begun = true;
            days.sort_unstable();
            days.dedup();
            for day in days {
                if self.until.is_some_and(|(last, _)| day > last) || self.count.is_some_and(|count| counted >= count) {
                    return dates;
                }
                let moment = start.on(day);
                if moment.at > window.1 || self.until.is_some_and(|(_, last)| last.is_some_and(|last| moment.at > last && !start.is_day)) {
                    return dates;
                }
                counted += 1;
                if moment.at >= window.0 {
                    dates.push(moment);
                }
                if dates.len() >= MAX_DATES {
                    return dates;
                }
            }
        }
        dates
    }

    /// About how many days are looked at for one turn of the rule.
    fn work(&self) -> u64 {
        let days = match self.every {
            Every::Day => 1,
            Every::Week => 7,
            Every::Month => 31,
            Every::Year => 366,
        };
        days * (1 + self.days.len() + self.month_days.len() + self.months.len()) as u64 + self.places.len() as u64
    }

    /// Whether a turn lies whole behind an instant: a rule that gives nothing is not gone through for ever.
    fn begins_after(&self, first: Date, turn: i64, instant: Timestamp) -> bool {
        let days = match self.every {
            Every::Day => 1,
            Every::Week => 7,
            Every::Month => 28,
            Every::Year => 365,
        };
        let begin = turn.checked_mul(self.interval).and_then(|turns| turns.checked_mul(days)).and_then(|days| days_after(first, days));
        // Its days may lie before the first date's place in it, by the length of a turn at most.
        let goal = jiff::tz::Offset::UTC.to_datetime(instant).date();
        begin.is_none_or(|begin| begin > days_after(goal, days + 3).unwrap_or(Date::MAX))
    }

    /// How many turns of the rule lie whole before an instant.
    fn turns_before(&self, first: Date, instant: Timestamp) -> i64 {
        let goal = jiff::tz::Offset::UTC.to_datetime(instant).date();
        let days = i64::from(goal.since((jiff::Unit::Day, first)).map_or(0, |span| span.get_days()));
        let length = match self.every {
            Every::Day => 1,
            Every::Week => 7,
            Every::Month => 31,
            Every::Year => 366,
        };
        // Two turns less, for what lies across the edges.
        (days / (length * self.interval) - 2).max(0)
    }

    /// The days of one turn of the rule; `None` where the calendar ends.
    fn turn(&self, first: Date, turn: i64) -> Option<Vec<Date>> {
        let steps = turn.checked_mul(self.interval)?;
        let mut days = match self.every {
            Every::Day => {
                let day = days_after(first, steps)?;
                let fits = (self.month_days.is_empty() || self.month_days.iter().any(|wanted| is_month_day(day, *wanted)))
                    && (self.days.is_empty() || self.days.iter().any(|(_, weekday)| day.weekday() == *weekday));
                if fits { vec![day] } else { Vec::new() }
            }
            Every::Week => {
                let into = i64::from(first.weekday().since(self.week_start));
                let begin = days_after(first, steps.checked_mul(7)?.checked_sub(into)?)?;
                let own = [(None, first.weekday())];
                let days = if self.days.is_empty() { &own[..] } else { &self.days };
                let wanted = |day: &Date| days.iter().any(|(_, weekday)| day.weekday() == *weekday);
                (0..7).filter_map(|day| days_after(begin, day)).filter(wanted).collect()
            }
            Every::Month => {
                let months = i64::from(first.year()) * 12 + i64::from(first.month()) - 1 + steps;
                let year = i16::try_from(months.div_euclid(12)).ok()?;
                let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
                Date::new(year, month, 1).ok()?;
                self.in_month(year, month, first)
            }
            Every::Year => {
                let year = i16::try_from(i64::from(first.year()).checked_add(steps)?).ok()?;
                Date::new(year, 1, 1).ok()?;
                if self.months.is_empty() && !self.days.is_empty() && self.month_days.is_empty() {
                    self.days.iter().flat_map(|(nth, weekday)| in_year(year, *nth, *weekday)).collect()
                } else {
                    let own = [first.month()];
                    let months = if self.months.is_empty() && self.month_days.is_empty() { &own[..] } else { &self.months };
                    let all: Vec<i8> = if months.is_empty() { (1..=12).collect() } else { months.to_vec() };
                    all.into_iter().flat_map(|month| self.in_month(year, month, first)).collect()
                }
            }
        };
        days.retain(|day| self.months.is_empty() || self.months.contains(&day.month()));
        days.sort_unstable();
        days.dedup();
        if self.places.is_empty() {
            return Some(days);
        }
        let count = i32::try_from(days.len()).unwrap_or(i32::MAX);
        let place = |place: &i32| usize::try_from(if *place < 0 { count + place } else { place - 1 }).ok();
        let mut chosen: Vec<Date> = self.places.iter().filter_map(place).filter_map(|place| days.get(place).copied()).collect();
        chosen.sort_unstable();
        Some(chosen)
    }

    fn in_month(&self, year: i16, month: i8, first: Date) -> Vec<Date> {
        let Ok(begin) = Date::new(year, month, 1) else { return Vec::new() };
        let all = (1..=begin.days_in_month()).filter_map(|day| Date::new(year, month, day).ok());
        if self.days.is_empty() && self.month_days.is_empty() {
            return Date::new(year, month, first.day()).into_iter().collect();
        }
        all.filter(|day| self.month_days.is_empty() || self.month_days.iter().any(|wanted| is_month_day(*day, *wanted)))
            .filter(|day| self.days.is_empty() || self.days.iter().any(|(nth, weekday)| is_nth(*day, *nth, *weekday)))
            .collect()
    }
}

fn is_month_day(day: Date, wanted: i8) -> bool {
    day.day() == wanted || (wanted < 0 && day.day() == day.days_in_month() + wanted + 1)
}

fn is_nth(day: Date, nth: Option<i8>, weekday: Weekday) -> bool {
    day.weekday() == weekday && nth.is_none_or(|nth| nth_weekday(day.year(), day.month(), nth, weekday) == Some(day))
}

/// The nth of such weekdays of a year, or all of them.
fn in_year(year: i16, nth: Option<i8>, weekday: Weekday) -> Vec<Date> {
    let Ok(begin) = Date::new(year, 1, 1) else { return Vec::new() };
    let all: Vec<Date> =
        (0..i64::from(begin.days_in_year())).filter_map(|day| days_after(begin, day)).filter(|day| day.weekday() == weekday).collect();
    match nth {
        None => all,
        Some(nth) => {
            let place = if nth > 0 { usize::try_from(nth - 1).ok() } else { all.len().checked_sub(usize::from(nth.unsigned_abs())) };
            place.and_then(|place| all.get(place).copied()).into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::component::Calendar;
    use super::*;

    /// The dates of a series from 2026 to 2028, at most eight.
    fn play(lines: &str) -> Vec<String> {
        let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT\nEND:VCALENDAR");
        let calendar = Calendar::read(&text).unwrap();
        let zones = Zones::of(&calendar);
        let event = &calendar.events[0];
        let start = zones.moment(event.property("DTSTART").unwrap()).unwrap();
        let window = ("2026-01-01T00:00:00Z".parse().unwrap(), "2028-12-31T00:00:00Z".parse().unwrap());
        dates(event, &start, &zones, window, &Budget::default()).dates.iter().take(8).map(Moment::key).collect()
    }

    #[test]
    fn rules_give_the_dates_that_people_mean() {
        for (lines, wanted) in [
            ("DTSTART:20260105T180000Z\nRRULE:FREQ=WEEKLY;COUNT=3", "20260105T180000Z 20260112T180000Z 20260119T180000Z"),
            ("DTSTART:20251201T180000Z\nRRULE:FREQ=MONTHLY;COUNT=3", "20260101T180000Z 20260201T180000Z"),
            (
                "DTSTART:20260105T180000Z\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;UNTIL=20260122T180000Z",
                "20260105T180000Z 20260108T180000Z 20260119T180000Z 20260122T180000Z",
            ),
            (
                "DTSTART;TZID=Europe/Stockholm:20260310T190000\nRRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=4",
                "20260310T180000Z 20260317T180000Z 20260324T180000Z 20260331T170000Z",
            ),
            ("DTSTART;VALUE=DATE:20260131\nRRULE:FREQ=MONTHLY;COUNT=3", "20260131 20260331 20260531"),
            ("DTSTART;VALUE=DATE:20260130\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3", "20260130 20260131 20260228"),
            ("DTSTART:20260108T170000Z\nRRULE:FREQ=MONTHLY;BYDAY=2TH;COUNT=3", "20260108T170000Z 20260212T170000Z 20260312T170000Z"),
            ("DTSTART:20260130T170000Z\nRRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", "20260130T170000Z 20260227T170000Z"),
            ("DTSTART:20260130T170000Z\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2", "20260130T170000Z 20260227T170000Z"),
            ("DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY", "20280229"),
            ("DTSTART;VALUE=DATE:20240505\nRRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=1SU", "20260503 20270502 20280507"),
            (
                "DTSTART:20260101T100000Z\nRRULE:FREQ=DAILY;INTERVAL=3;COUNT=2\nEXDATE:20260101T100000Z\nRDATE:20260107T100000Z",
                "20260104T100000Z 20260107T100000Z",
            ),
            ("DTSTART:20260105T180000Z\nRRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=2", "20260105T180000Z 20260106T180000Z"),
            ("DTSTART:20260105T180000Z\nRRULE:FREQ=HOURLY", "20260105T180000Z"),
            ("DTSTART:20260105T180000Z\nRRULE:nonsense", "20260105T180000Z"),
            ("DTSTART:20260105T180000Z\nRRULE:FREQ=DAILY;INTERVAL=0;COUNT=0", ""),
            ("DTSTART:00010101T000000Z\nRRULE:FREQ=MONTHLY;BYDAY=5MO;BYMONTH=2;COUNT=99999", ""),
        ] {
            assert_eq!(play(lines).join(" "), wanted, "{lines}");
        }
    }

    #[test]
    fn rules_that_give_nothing_end_and_a_calendar_has_one_budget() {
        let rule = |text: &str| Rule::read(text).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:00010101T080000Z\nEND:VEVENT\nEND:VCALENDAR";
        let calendar = Calendar::read(text).unwrap();
        let start = Zones::of(&calendar).moment(calendar.events[0].property("DTSTART").unwrap()).unwrap();
        let window = (at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        let budget = Budget::default();
        for _ in 0..500 {
            assert!(rule("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30").dates(&start, window, &budget).is_empty());
            assert!(rule("FREQ=YEARLY;BYDAY=MO;BYSETPOS=500").dates(&start, window, &budget).is_empty());
        }
        assert!(budget.0.get() > 0, "without a count only what is near is looked at");
        for _ in 0..200 {
            rule("FREQ=DAILY;COUNT=999999;BYMONTHDAY=30,31").dates(&start, window, &budget);
        }
        assert_eq!(budget.0.get(), 0);
        assert!(rule("FREQ=DAILY").dates(&start, window, &budget).is_empty());
    }

    #[test]
    fn a_series_that_began_long_ago_is_read_from_near_the_present() {
        assert_eq!(play("DTSTART:19990104T180000Z\nRRULE:FREQ=WEEKLY")[0], "20260105T180000Z");
        assert_eq!(play("DTSTART:19990104T180000Z\nRRULE:FREQ=MONTHLY;INTERVAL=5").len(), 7);
        assert_eq!(play("DTSTART:20260101T180000Z\nRRULE:FREQ=DAILY").len(), 8);
    }
}
