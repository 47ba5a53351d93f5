//! An ISO 8601 week in UTC: Monday 00:00 to Sunday 24:00, half-open.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An ISO 8601 week, written `2026-W47`. Weeks order by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Week {
    year: i16,
    number: i8,
}

/// Why a text names no week.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a week: write it as 2026-W47")]
pub struct WeekError(String);

impl Week {
    /// The week that an instant falls in, in UTC.
    pub fn of(at: Timestamp) -> Self {
        let date = at.to_zoned(TimeZone::UTC).date().iso_week_date();
        Self { year: date.year(), number: date.week() }
    }

    /// The last whole week before an instant: the one before the week that the instant is in.
    pub fn last_whole(at: Timestamp) -> Self {
        Self::of(at).previous()
    }

    /// Monday of the week.
    pub fn monday(self) -> Date {
        ISOWeekDate::new(self.year, self.number, Weekday::Monday).expect("a Week holds only weeks that exist").date()
    }

    /// Sunday of the week.
    pub fn sunday(self) -> Date {
        self.monday().saturating_add(jiff::Span::new().days(6))
    }

    /// Monday 00:00 UTC.
    pub fn start(self) -> Timestamp {
        self.monday().to_zoned(TimeZone::UTC).expect("UTC has every midnight").timestamp()
    }

    /// Monday 00:00 UTC of the next week: the first instant that is no more of this one.
    pub fn end(self) -> Timestamp {
        self.start().saturating_add(jiff::SignedDuration::from_hours(7 * 24)).expect("weeks end within the range of time")
    }

    /// The week after.
    #[must_use]
    pub fn next(self) -> Self {
        Self::of(self.end())
    }

    /// The week before.
    #[must_use]
    pub fn previous(self) -> Self {
        Self::of(self.start().saturating_sub(jiff::SignedDuration::from_hours(1)).expect("weeks begin within the range of time"))
    }

    /// How many weeks from `earlier` to this one; negative if it is later.
    pub fn weeks_since(self, earlier: Week) -> i64 {
        (self.start().as_second() - earlier.start().as_second()) / (7 * 86_400)
    }

    /// The ISO year, which is not always the calendar year.
    pub fn year(self) -> i16 {
        self.year
    }

    /// 1 to 53.
    pub fn number(self) -> i8 {
        self.number
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-W{:02}", self.year, self.number)
    }
}

impl FromStr for Week {
    type Err = WeekError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || WeekError(text.chars().take(40).collect());
        let (year, number) = text.trim().split_once("-W").or_else(|| text.trim().split_once("-w")).ok_or_else(error)?;
        let digits = |part: &str, len: usize| part.len() == len && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(number, 2) {
            return Err(error());
        }
        let year: i16 = year.parse().map_err(|_| error())?;
        let number: i8 = number.parse().map_err(|_| error())?;
        // Years outside this span cannot be meant, and keep all week arithmetic far from the ends of time.
        if !(1970..=2999).contains(&year) || ISOWeekDate::new(year, number, Weekday::Monday).is_err() {
            return Err(error());
        }
        Ok(Self { year, number })
    }
}

impl Serialize for Week {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Week {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_turn_of_the_year_belongs_to_the_week_of_its_thursday() {
        for (instant, week) in [
            ("2024-12-30T00:00:00Z", "2025-W01"),
            ("2025-12-29T00:00:00Z", "2026-W01"),
            ("2027-01-03T23:59:59Z", "2026-W53"),
            ("2027-01-04T00:00:00Z", "2027-W01"),
            ("2026-11-22T23:59:59Z", "2026-W47"),
        ] {
            assert_eq!(Week::of(at(instant)).to_string(), week, "{instant}");
        }
    }

    #[test]
    fn every_day_from_1970_to_2100_agrees_with_the_thursday_rule() {
        let mut days = 0;
        let mut day = jiff::civil::date(1970, 1, 1);
        while day.year() <= 2100 {
            // Independent rule: the week's year is its Thursday's, its number the Thursday's day of the year / 7.
            let thursday = day.saturating_add(jiff::Span::new().days(4 - i64::from(day.weekday().to_monday_one_offset())));
            let number = (thursday.day_of_year() - 1) / 7 + 1;
            let week = Week::of(day.to_zoned(TimeZone::UTC).unwrap().timestamp());
            assert_eq!((week.year(), i16::from(week.number())), (thursday.year(), number), "{day}");
            assert_eq!(week.to_string().parse::<Week>().unwrap(), week);
            assert!(week.monday() <= day && day <= week.sunday());
            days += 1;
            day = day.tomorrow().unwrap();
        }
        assert_eq!(days, 47_847);
    }

    #[test]
    fn neighbours_and_distances() {
        let week: Week = "2026-W53".parse().unwrap();
        assert_eq!(week.next().to_string(), "2027-W01");
        assert_eq!(week.next().previous(), week);
        assert_eq!("2027-W02".parse::<Week>().unwrap().weeks_since(week), 2);
    }

    #[test]
    fn what_is_no_week_is_refused() {
        for bad in ["", "2026", "2026-47", "2026-W54", "2025-W53", "2026-W00", "26-W01", "2026-W1", "0000-W01", "2026-W+1"] {
            assert!(bad.parse::<Week>().is_err(), "{bad}");
        }
    }
}
