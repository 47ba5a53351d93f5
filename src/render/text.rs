//! Plain text in 72 columns: a file of its own, and the plain part of the mail.
//!
//! Addresses stand whole on a line of their own. Fields in scripts written from right to left are isolated, so that
//! none can turn the line around it (UAX #9).

use super::Context;
use super::prose::{balance, isolate, wrap};
use super::shown::{Shown, ShownBuilder, ShownCorrection, ShownWork};
use crate::model::Digest;

const WIDTH: usize = 72;

/// The digest as plain text.
pub(crate) fn document(digest: &Digest, ctx: &Context) -> String {
    write(&Shown::of(digest, ctx))
}

pub(crate) fn write(shown: &Shown) -> String {
    let mut page = Page(String::new());
    page.field(&shown.program);
    page.text(&shown.heading);
    page.rule('-');
    if let Some(draft) = shown.draft {
        page.blank();
        page.text(draft);
    }
    if let Some(intro) = &shown.intro {
        page.blank();
        page.field(intro);
    }
    if let Some(nothing) = shown.nothing {
        page.blank();
        page.text(nothing);
    }
    if let Some(lead) = &shown.lead {
        page.blank();
        page.work(lead);
    }
    for section in &shown.sections {
        page.blank();
        page.blank();
        page.field(&section.name);
        page.rule('-');
        if let Some(intro) = &section.intro {
            page.field(intro);
        }
        for work in &section.works {
            page.blank();
            page.work(work);
        }
    }
    if let Some(more) = &shown.more {
        page.blank();
        page.text(more);
    }
    page.blank();
    page.rule('-');
    page.corrections("Corrections", &shown.corrections, false);
    page.corrections("Corrections to earlier weeks", &shown.earlier_corrections, true);
    page.text(&shown.chosen);
    page.address("How this list is made:", &format!("{}/how", shown.base));
    page.address("This week on the web:", &shown.permalink);
    page.address("All weeks:", &format!("{}/digest", shown.base));
    if !shown.contact.is_empty() {
        page.text(&format!("Questions and corrections: {}", isolate(&shown.contact)));
    }
    if !shown.postal.is_empty() {
        page.field(&shown.postal);
    }
    page.text(&format!("{}.", shown.inputs));
    page.0
}

/// `by Ada Lovelace (Kenya) and Grace Hopper`, every field isolated.
pub(crate) fn by_line(builders: &[ShownBuilder], field: impl Fn(&str) -> String) -> String {
    let mut line = String::new();
    for (at, builder) in builders.iter().enumerate() {
        line.push_str(match at {
            0 => "by ",
            _ if at + 1 == builders.len() => " and ",
            _ => ", ",
        });
        line.push_str(&field(&builder.name));
        if let Some(place) = builder.place {
            line.push_str(" (");
            line.push_str(place);
            line.push(')');
        }
    }
    line
}

struct Page(String);

impl Page {
    fn blank(&mut self) {
        self.0.push('\n');
    }

    fn rule(&mut self, sign: char) {
        self.0.extend(std::iter::repeat_n(sign, WIDTH));
        self.0.push('\n');
    }

    /// A field from outside, each of its lines isolated: a line is a paragraph of its own to the bidi algorithm.
    fn field(&mut self, text: &str) {
        for line in wrap(text, WIDTH) {
            self.0.push_str(&isolate(&balance(&line)));
            self.0.push('\n');
        }
    }

    fn text(&mut self, text: &str) {
        for line in wrap(text, WIDTH) {
            self.0.push_str(&line);
            self.0.push('\n');
        }
    }

    /// An address is never broken.
    fn address(&mut self, label: &str, address: &str) {
        self.text(label);
        self.0.push_str(address);
        self.0.push('\n');
    }

    fn work(&mut self, work: &ShownWork) {
        let label = [Some(work.kind.to_uppercase()), work.length.clone(), work.language.as_deref().map(isolate)];
        self.text(&label.into_iter().flatten().collect::<Vec<_>>().join(" · "));
        self.field(&work.title);
        if let Some(gloss) = &work.gloss {
            self.text(&format!("({})", isolate(gloss)));
        }
        if let Some(summary) = &work.summary {
            self.field(summary);
        }
        let mut line = by_line(&work.builders, isolate);
        if let Some(date) = &work.date {
            line.push_str(if line.is_empty() { "" } else { ", " });
            line.push_str(date);
        }
        self.text(&line);
        for address in work.url.iter().chain(work.also.iter().map(|(_, address)| address)) {
            self.0.push_str(address);
            self.0.push('\n');
        }
    }

    fn corrections(&mut self, head: &str, corrections: &[ShownCorrection], with_week: bool) {
        if corrections.is_empty() {
            return;
        }
        self.text(&format!("{head}:"));
        for correction in corrections {
            let week = if with_week { format!("{}, ", correction.week) } else { String::new() };
            self.text(&format!("{week}{}: {}", correction.date, isolate(&correction.text)));
        }
        self.blank();
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::render::sample;

    #[test]
    fn lines_fit_in_72_columns_and_addresses_are_whole() {
        let text = document(&sample::rich(), &sample::context());
        for line in text.lines() {
            assert!(line.width() <= WIDTH || line.starts_with("http"), "{line}");
        }
        let rich = sample::rich();
        for pick in rich.picks() {
            if let Some(url) = super::super::web_address(&pick.url) {
                assert!(text.lines().any(|line| line == url), "{url}");
            }
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn an_empty_week() {
        insta::assert_snapshot!(document(&sample::empty(), &sample::context()));
    }
}
