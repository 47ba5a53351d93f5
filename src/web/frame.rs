//! What is around every page, and the small words that all pages share: times, counts, pages of a long list.

use jiff::{SignedDuration, Timestamp};

use super::state::AppState;
use crate::render::{day_of, number, short};

/// The most characters of a name, and of a title or a sentence.
pub(crate) const NAME: usize = 120;
pub(crate) const TITLE: usize = 300;

/// The frame of a page.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) program: String,
    pub(crate) tagline: String,
    pub(crate) base: String,
    /// Which link of the header is this page.
    pub(crate) here: String,
    pub(crate) contact: String,
    pub(crate) contact_mail: Option<String>,
}

impl Frame {
    pub(crate) fn of(state: &AppState, here: &'static str) -> Self {
        let contact = short(&state.program.contact, 200);
        Self {
            program: short(&state.program.name, NAME),
            tagline: short(&state.program.tagline, 200),
            base: state.base.to_string(),
            here: here.to_owned(),
            contact_mail: contact.parse::<lettre::Address>().ok().map(|address| address.to_string()),
            contact,
        }
    }
}

/// An instant for people, with the exact one beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// `3 h ago`, `in 20 min`, `18 November 2026`.
    pub(crate) relative: String,
    /// RFC 3339.
    pub(crate) instant: String,
    /// `2026-11-18 09:30:00 UTC`.
    pub(crate) exact: String,
}

impl Moment {
    pub(crate) fn of(at: Timestamp, now: Timestamp) -> Self {
        Self {
            relative: relative(at, now),
            instant: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            exact: at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        }
    }

    pub(crate) fn maybe(at: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        at.map(|at| Self::of(at, now))
    }
}

/// How long ago, or how long until; a date beyond two weeks.
fn relative(at: Timestamp, now: Timestamp) -> String {
    let apart = now.duration_since(at);
    let (distance, past) = if apart < SignedDuration::ZERO { (-apart, false) } else { (apart, true) };
    let minutes = distance.as_secs() / 60;
    let words = match minutes {
        0 => return if past { "just now".to_owned() } else { "at once".to_owned() },
        1..=59 => format!("{minutes} min"),
        60..=2_879 => format!("{} h", minutes / 60),
        2_880..=20_159 => format!("{} days", minutes / 1_440),
        _ => return format!("{} {}", day_of(at), at.strftime("%Y")),
    };
    if past { format!("{words} ago") } else { format!("in {words}") }
}

/// `1 work`, `1,200 works`.
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {many}", number(n)) }
}

/// One page of a long list, and the ways to its neighbors.
#[derive(Debug, Clone)]
pub(crate) struct Pager {
    pub(crate) page: u64,
    pub(crate) pages: u64,
    pub(crate) newer: Option<String>,
    pub(crate) older: Option<String>,
}

impl Pager {
    /// Page `wanted` (from 1, moved into what there is) of `total` items, `size` a page; `link` makes the address of a
    /// page.
    pub(crate) fn of(wanted: u64, total: u64, size: u64, link: impl Fn(u64) -> String) -> Self {
        let pages = total.div_ceil(size).max(1);
        let page = wanted.clamp(1, pages);
        Self { page, pages, newer: (page > 1).then(|| link(page - 1)), older: (page < pages).then(|| link(page + 1)) }
    }

    /// How many items come before this page.
    pub(crate) fn skip(&self, size: u64) -> u64 {
        (self.page - 1) * size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_from_now() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        for (at, wanted) in [
            ("2026-11-25T11:59:40Z", "just now"),
            ("2026-11-25T11:15:00Z", "45 min ago"),
            ("2026-11-24T10:00:00Z", "26 h ago"),
            ("2026-11-20T12:00:00Z", "5 days ago"),
            ("2026-10-01T12:00:00Z", "1 October 2026"),
            ("2026-11-25T14:30:00Z", "in 2 h"),
            ("2026-11-25T12:00:20Z", "at once"),
        ] {
            assert_eq!(relative(at.parse().unwrap(), now), wanted);
        }
    }

    #[test]
    fn pages_that_do_not_exist_lead_to_ones_that_do() {
        let link = |page: u64| page.to_string();
        let pager = Pager::of(99, 25, 10, link);
        assert_eq!((pager.page, pager.pages, pager.skip(10)), (3, 3, 20));
        assert_eq!((pager.newer.as_deref(), pager.older.as_deref()), (Some("2"), None));
        assert_eq!(Pager::of(0, 0, 10, link).pages, 1);
    }
}
