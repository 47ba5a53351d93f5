//! A digest as words: what every output shows, cleaned and put together once, so that all tell the same facts.
//!
//! In: a [`Digest`] and a [`Context`]. Out: a [`Shown`] of plain strings. Escaping is left to the formats.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use url::Url;

use super::prose::{clean, cut, direction};
use super::{Context, country_name, language};
use crate::model::{ActivityKind, Credited, Digest, DigestState, Pick, Week};

/// The most characters of a summary (DIGEST.md section 7).
const SUMMARY: usize = 280;
/// Longer titles are cut: no writer means them, and mail programs choke on them.
const TITLE: usize = 300;
const NAME: usize = 120;
/// Longer addresses do not survive mail programs and old browsers.
const ADDRESS: usize = 2_000;
/// Words read in a minute.
const PACE: u32 = 220;

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/// A digest as words.
#[derive(Debug, Clone)]
pub struct Shown {
    pub program: String,
    pub tagline: String,
    /// `2026-W47`.
    pub week: String,
    /// `Week 47`.
    pub week_name: String,
    /// `16–22 November 2026`.
    pub span: String,
    /// `Week 47 · 16–22 November 2026`.
    pub heading: String,
    pub intro: Option<String>,
    pub lead: Option<ShownWork>,
    /// Without the lead, and without sections that it leaves empty.
    pub sections: Vec<ShownSection>,
    /// The sentence of a week without works.
    pub nothing: Option<&'static str>,
    /// `Draft: not published yet.` while it is none.
    pub draft: Option<&'static str>,
    /// One sentence on what is inside, 40 to 90 characters.
    pub preview: String,
    /// `3 more works are on the web.` where an output could not hold all.
    pub more: Option<String>,
    /// How many were chosen out of how many.
    pub chosen: String,
    pub corrections: Vec<ShownCorrection>,
    pub earlier_corrections: Vec<ShownCorrection>,
    pub contact: String,
    /// The contact as a mail address, if it is one.
    pub contact_mail: Option<String>,
    pub postal: String,
    /// Absolute addresses of the pages, without trailing slash.
    pub base: String,
    pub permalink: String,
    /// When it went out, or the cut-off.
    pub dated_at: Timestamp,
    pub dated: String,
    /// From which inputs it was made, for those who want to check.
    pub inputs: String,
}

/// The works of one category.
#[derive(Debug, Clone)]
pub struct ShownSection {
    pub name: String,
    /// A sentence by the editor.
    pub intro: Option<String>,
    pub works: Vec<ShownWork>,
}

/// One work as words.
#[derive(Debug, Clone)]
pub struct ShownWork {
    pub id: String,
    /// `Article`.
    pub kind: &'static str,
    /// `8 min`.
    pub length: Option<String>,
    /// The language in itself: `日本語`.
    pub language: Option<String>,
    /// For a `lang` attribute.
    pub lang: Option<String>,
    /// `ltr` or `rtl`, by the title's first letter.
    pub dir: &'static str,
    pub title: String,
    pub gloss: Option<String>,
    /// `None` unless http or https.
    pub url: Option<String>,
    pub also: Vec<(String, String)>,
    pub summary: Option<String>,
    pub builders: Vec<ShownBuilder>,
    /// `18 November`.
    pub date: Option<String>,
    /// The instant in RFC 3339.
    pub instant: Option<String>,
}

/// Somebody who made a work.
#[derive(Debug, Clone)]
pub struct ShownBuilder {
    pub name: String,
    /// Only of those who show their place.
    pub place: Option<&'static str>,
    /// The slug of the public page, of those who have one.
    pub slug: Option<String>,
}

/// A correction as words.
#[derive(Debug, Clone)]
pub struct ShownCorrection {
    pub week: String,
    pub date: String,
    pub text: String,
}

impl Shown {
    /// Puts a digest into words.
    pub fn of(digest: &Digest, ctx: &Context) -> Self {
        let week = digest.week;
        let works = digest.picks().count();
        let builders: BTreeSet<_> = digest.picks().flat_map(|pick| &pick.builders).map(|builder| builder.id).collect();
        let lead = digest.lead();
        let sections: Vec<ShownSection> = digest
            .sections
            .iter()
            .map(|section| ShownSection {
                name: short(&section.name, NAME),
                intro: section.intro.as_deref().map(|intro| short(intro, 600)).filter(|intro| !intro.is_empty()),
                works: section.picks.iter().filter(|pick| !is_lead(pick, lead)).map(ShownWork::of).collect(),
            })
            .filter(|section| !section.works.is_empty())
            .collect();
        let dated_at = ctx.published_at.unwrap_or(digest.cutoff_at);
        let span = date_span(week);
        let categories = digest.sections.iter().filter(|section| !section.picks.is_empty()).count();
        let contact = short(&ctx.contact, 200);
        Self {
            program: short(if digest.program.trim().is_empty() { &ctx.program } else { &digest.program }, NAME),
            tagline: short(&ctx.tagline, 200),
            week: week.to_string(),
            week_name: format!("Week {}", week.number()),
            heading: format!("Week {} · {span}", week.number()),
            span,
            intro: digest.intro.as_deref().map(|intro| short(intro, 600)).filter(|intro| !intro.is_empty()),
            preview: preview(works, builders.len(), categories, lead.and_then(|pick| pick.builders.first())),
            lead: lead.map(ShownWork::of),
            sections,
            nothing: (works == 0).then_some("Nothing to report this week: no new work of our builders could be chosen."),
            draft: (ctx.state != DigestState::Published).then_some("Draft: not published yet."),
            more: None,
            chosen: chosen(works, digest),
            corrections: ctx.corrections.iter().map(ShownCorrection::of).collect(),
            earlier_corrections: ctx.earlier_corrections.iter().map(ShownCorrection::of).collect(),
            contact_mail: contact.parse::<lettre::Address>().ok().map(|address| address.to_string()),
            contact,
            postal: short(&ctx.postal, 300),
            base: ctx.public_url.clone(),
            permalink: format!("{}/digest/{week}", ctx.public_url),
            dated_at,
            dated: full_date(dated_at),
            inputs: format!(
                "Cut-off {}, log line {}, configuration {}, rules {}",
                instant(digest.cutoff_at),
                number(digest.cutoff_seq.0.unsigned_abs()),
                digest.config_hash.chars().filter(char::is_ascii_alphanumeric).take(12).collect::<String>(),
                digest.rules_version
            ),
        }
    }

    /// The same with only the first so many works; the others are counted.
    #[must_use]
    pub fn first(mut self, most: usize) -> Self {
        let left_out = self.works().count().saturating_sub(most);
        let mut room = most.saturating_sub(usize::from(self.lead.is_some()));
        for section in &mut self.sections {
            section.works.truncate(room);
            room -= section.works.len();
        }
        self.sections.retain(|section| !section.works.is_empty());
        if left_out > 0 {
            self.more = Some(format!("{} on the web.", counted(left_out, "more work is", "more works are")));
        }
        self
    }

    /// The works in the order shown: the lead, then the sections.
    pub fn works(&self) -> impl Iterator<Item = &ShownWork> {
        self.lead.iter().chain(self.sections.iter().flat_map(|section| &section.works))
    }
}

impl ShownWork {
    /// Puts a work into words.
    pub fn of(pick: &Pick) -> Self {
        let title = short(&pick.title, TITLE);
        let lang = pick.language.as_deref().and_then(language::tag);
        let gloss = pick.title_gloss.as_deref().map(|gloss| short(gloss, TITLE));
        Self {
            id: pick.work.to_string(),
            kind: kind_label(pick.kind),
            length: length(pick),
            language: lang.as_deref().map(language::name),
            lang,
            dir: direction(&title),
            gloss: gloss.filter(|gloss| !gloss.is_empty() && *gloss != title),
            title: if title.is_empty() { "Untitled".to_owned() } else { title },
            url: web_address(&pick.url),
            also: pick.also.iter().filter_map(|also| web_address(also)).map(|also| (host_of(&also), also)).take(3).collect(),
            summary: pick.summary.as_deref().map(|summary| short(summary, SUMMARY)).filter(|summary| !summary.is_empty()),
            builders: pick.builders.iter().map(ShownBuilder::of).collect(),
            date: pick.published_at.map(day_of),
            instant: pick.published_at.map(instant),
        }
    }

    /// `ARTICLE · 8 min · 日本語`.
    pub fn label(&self) -> String {
        [Some(self.kind.to_uppercase()), self.length.clone(), self.language.clone()].into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    /// The label's part after the kind: ` · 8 min · 日本語`.
    pub fn label_rest(&self) -> String {
        let mut rest = String::new();
        for part in [&self.length, &self.language].into_iter().flatten() {
            rest.push_str(" · ");
            rest.push_str(part);
        }
        rest
    }
}

impl ShownBuilder {
    fn of(builder: &Credited) -> Self {
        let name = short(&builder.name, NAME);
        let public = !builder.not_public && crate::model::Slug::parse(&builder.slug).is_ok();
        Self {
            name: if name.is_empty() { "Unnamed".to_owned() } else { name },
            place: builder.country.as_deref().and_then(country_name),
            slug: public.then(|| builder.slug.clone()),
        }
    }
}

impl ShownCorrection {
    fn of(correction: &crate::model::Correction) -> Self {
        Self { week: correction.week.to_string(), date: full_date(correction.at), text: short(&correction.text, 1000) }
    }
}

fn is_lead(pick: &Pick, lead: Option<&Pick>) -> bool {
    lead.is_some_and(|lead| std::ptr::eq(lead, pick))
}

/// One line that cannot reorder what stands around it, at most so many characters.
pub fn short(text: &str, most: usize) -> String {
    cut(&clean(text), most)
}

/// The address in the spelling of a browser, `None` unless it is http or https and of a length that can be followed.
pub fn web_address(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok()?;
    let fits = matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty() && url.password().is_none();
    Some(url.to_string()).filter(|address| fits && address.len() <= ADDRESS)
}

fn host_of(address: &str) -> String {
    let host = Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    host.strip_prefix("www.").map_or_else(|| host.clone(), str::to_owned)
}

/// What a kind of work is called.
pub fn kind_label(kind: ActivityKind) -> &'static str {
    match kind {
        ActivityKind::Article => "Article",
        ActivityKind::Video => "Video",
        ActivityKind::Short => "Short video",
        ActivityKind::Livestream => "Livestream",
        ActivityKind::PodcastEpisode => "Podcast",
        ActivityKind::Talk => "Talk",
        ActivityKind::Release => "Release",
        ActivityKind::Repository => "Repository",
        ActivityKind::Contribution => "Contribution",
        ActivityKind::Code => "Code",
        ActivityKind::Answer => "Answer",
        ActivityKind::Post => "Post",
        ActivityKind::Reply => "Reply",
        ActivityKind::Event => "Event",
    }
}

/// A language tag as people read it: `日本語`; `None` where it is no tag.
pub fn language_name(text: &str) -> Option<String> {
    language::tag(text).as_deref().map(language::name)
}

/// How long it takes: minutes of playing, or of reading for what is read.
fn length(pick: &Pick) -> Option<String> {
    let read = matches!(pick.kind, ActivityKind::Article | ActivityKind::Answer | ActivityKind::Post);
    let minutes = match (pick.duration_s, pick.words) {
        (Some(seconds), _) if seconds > 0 => (seconds.saturating_add(30) / 60).max(1),
        (_, Some(words)) if read && words > 0 => words.div_ceil(PACE),
        _ => return None,
    };
    Some(if minutes < 90 { format!("{minutes} min") } else { format!("{} h {:02} min", minutes / 60, minutes % 60) })
}

/// `16–22 November 2026`, `28 September – 4 October 2026`, `28 December 2026 – 3 January 2027`.
pub fn date_span(week: Week) -> String {
    let (from, to) = (week.monday(), week.sunday());
    if from.year() != to.year() {
        format!("{} {} – {} {}", day(from), from.year(), day(to), to.year())
    } else if from.month() != to.month() {
        format!("{} – {} {}", day(from), day(to), to.year())
    } else {
        format!("{}–{} {}", from.day(), day(to), to.year())
    }
}

fn day(date: Date) -> String {
    format!("{} {}", date.day(), month_name(date))
}

/// `November`.
pub fn month_name(date: Date) -> &'static str {
    MONTHS[usize::from(date.month().unsigned_abs()).clamp(1, 12) - 1]
}

/// `18 November`, in UTC.
pub fn day_of(at: Timestamp) -> String {
    day(at.to_zoned(TimeZone::UTC).date())
}

/// `18 November 2026`, in UTC.
pub(crate) fn full_date(at: Timestamp) -> String {
    let date = at.to_zoned(TimeZone::UTC).date();
    format!("{} {}", day(date), date.year())
}

/// RFC 3339 in UTC, whole seconds.
pub(crate) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `4,812`.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

pub(crate) fn counted(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {many}", number(n as u64)) }
}

/// The line that mail programs show beside the subject: 40 to 90 characters, a sentence of its own.
fn preview(works: usize, builders: usize, categories: usize, first: Option<&Credited>) -> String {
    if works == 0 {
        return "No new work of our builders could be chosen this week.".to_owned();
    }
    let mut plain = format!(
        "{} by {} in {}",
        counted(works, "work", "works"),
        counted(builders, "builder", "builders"),
        counted(categories, "category", "categories")
    );
    // A name is never cut: it is in whole, or not at all.
    if let Some(first) = first {
        let with_name = format!("{plain}, {} first.", short(&first.name, NAME));
        if (40..=90).contains(&with_name.chars().count()) {
            return with_name;
        }
    }
    plain.push_str(if plain.chars().count() < 40 { ", new this week." } else { "." });
    plain
}

fn chosen(works: usize, digest: &Digest) -> String {
    let eligible = digest.eligible_works as usize;
    if works == 0 || eligible < works {
        return "Chosen by the same rules for everyone.".to_owned();
    }
    format!(
        "Chosen from {} by {}, by the same rules for everyone.",
        counted(eligible, "work", "works"),
        counted(digest.nominees as usize, "builder", "builders")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn weeks_are_dated_in_one_or_two_months_and_years() {
        for (week, wanted) in [
            ("2026-W47", "16–22 November 2026"),
            ("2026-W40", "28 September – 4 October 2026"),
            ("2026-W53", "28 December 2026 – 3 January 2027"),
        ] {
            assert_eq!(date_span(week.parse().unwrap()), wanted);
        }
    }

    #[test]
    fn only_web_addresses_become_links() {
        for bad in [
            "javascript:MARK()",
            "JaVa\tScRiPt:MARK()",
            " javascript:MARK()",
            "data:text/html,<script>MARK()</script>",
            "vbscript:x",
            "//evil.example/x",
            "feed:javascript:MARK()",
            "blob:https://x",
            "https://user:word@ok.example/",
            "",
        ] {
            assert_eq!(web_address(bad), None, "{bad}");
        }
        assert_eq!(web_address("https://ok.example/\"onmouseover=\"x").unwrap(), "https://ok.example/%22onmouseover=%22x");
    }

    #[test]
    fn the_preview_is_a_sentence_of_40_to_90_characters() {
        let long = Credited { name: "N".repeat(90), ..sample::builder(1, "Ada") };
        let short = Credited { name: "Ö".into(), ..sample::builder(1, "Ada") };
        for (works, builders, categories) in [(0, 0, 0), (1, 1, 1), (12, 12, 9), (3, 1, 1), (12, 40, 9)] {
            for first in [Some(&long), Some(&short), None] {
                let preview = preview(works, builders, categories, first);
                assert!((40..=90).contains(&preview.chars().count()), "{preview}");
                assert!(preview.ends_with('.'), "{preview}");
            }
        }
    }

    #[test]
    fn lengths_read_as_minutes() {
        let pick = sample::rich().picks().next().unwrap().clone();
        let of = |kind, duration_s, words| length(&Pick { kind, duration_s, words, ..pick.clone() });
        assert_eq!(of(ActivityKind::Article, None, Some(1_700)).as_deref(), Some("8 min"));
        assert_eq!(of(ActivityKind::Video, Some(720), None).as_deref(), Some("12 min"));
        assert_eq!(of(ActivityKind::Livestream, Some(5_700), None).as_deref(), Some("1 h 35 min"));
        assert_eq!(of(ActivityKind::Release, None, Some(90)), None);
    }
}
