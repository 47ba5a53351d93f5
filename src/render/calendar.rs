//! A year of days as a picture: 53 weeks by 7 days, with fixed levels.
//!
//! In: activities a day. Out: cells and labels for a template to draw. Levels are never relative to the busiest day,
//! and nothing here counts streaks or gaps (DIGEST.md section 9).

use std::collections::BTreeMap;

use jiff::Span;
use jiff::civil::Date;

use super::shown::month_name;

const WEEKS: i64 = 53;
/// A cell and the space after it.
pub(crate) const STEP: i64 = 14;

/// The picture.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Oldest first.
    pub weeks: Vec<CalendarWeek>,
    /// Where each month begins: x, and its short name.
    pub months: Vec<(i64, &'static str)>,
    pub activities: u64,
    pub days: usize,
}

/// One column.
#[derive(Debug, Clone)]
pub struct CalendarWeek {
    pub x: i64,
    /// The Monday, `16 Nov 2026`.
    pub from: String,
    pub cells: Vec<CalendarCell>,
}

/// One day.
#[derive(Debug, Clone)]
pub struct CalendarCell {
    pub y: i64,
    /// 0 to 4.
    pub level: u8,
    pub count: u32,
    /// `16 Nov 2026`.
    pub day: String,
}

impl Calendar {
    /// The 53 weeks that end with the one of `today`; later days have no cell.
    pub fn of(counts: &BTreeMap<Date, u32>, today: Date) -> Self {
        let monday = today.saturating_sub(Span::new().days(i64::from(today.weekday().to_monday_zero_offset())));
        let first = monday.saturating_sub(Span::new().days(7 * (WEEKS - 1)));
        let mut calendar = Self { weeks: Vec::new(), months: Vec::new(), activities: 0, days: 0 };
        let mut month = 0;
        for week in 0..WEEKS {
            let from = first.saturating_add(Span::new().days(7 * week));
            let x = week * STEP;
            // A label needs the room of two columns before the next one.
            if from.month() != month && week + 1 < WEEKS {
                month = from.month();
                if calendar.months.last().is_some_and(|(last, _)| x - last < 2 * STEP) {
                    calendar.months.pop();
                }
                calendar.months.push((x, short_month(from)));
            }
            let mut cells = Vec::with_capacity(7);
            for weekday in 0..7 {
                let date = from.saturating_add(Span::new().days(weekday));
                if date > today {
                    break;
                }
                let count = counts.get(&date).copied().unwrap_or(0);
                calendar.activities += u64::from(count);
                calendar.days += usize::from(count > 0);
                cells.push(CalendarCell { y: weekday * STEP, level: level(count), count, day: short_day(date) });
            }
            calendar.weeks.push(CalendarWeek { x, from: short_day(from), cells });
        }
        calendar
    }
}

fn level(count: u32) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 | 4 => 3,
        _ => 4,
    }
}

fn short_month(date: Date) -> &'static str {
    &month_name(date)[..3]
}

/// `16 Nov 2026`.
pub fn short_day(date: Date) -> String {
    format!("{} {} {}", date.day(), short_month(date), date.year())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn one_busy_day_does_not_wash_out_the_others() {
        let today = date(2026, 11, 25);
        let counts = [(date(2026, 11, 24), 400), (date(2026, 11, 25), 1), (date(2025, 11, 24), 3), (date(2020, 1, 1), 9)].into();
        let calendar = Calendar::of(&counts, today);
        assert_eq!(calendar.weeks.len(), 53);
        assert_eq!((calendar.activities, calendar.days), (404, 3), "days before the picture do not count");
        let last = calendar.weeks.last().unwrap();
        assert_eq!(last.cells.iter().map(|cell| cell.level).collect::<Vec<_>>(), [0, 4, 1], "later days have no cell");
        assert_eq!(calendar.weeks[0].cells[0].day, "24 Nov 2025");
        assert_eq!(calendar.weeks[0].cells[0].level, 3);
    }

    #[test]
    fn month_labels_do_not_touch() {
        for day in 0..400 {
            let today = date(2026, 1, 1).saturating_add(Span::new().days(day));
            let calendar = Calendar::of(&BTreeMap::new(), today);
            assert!(calendar.months.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 2 * STEP), "{today}");
        }
    }
}
