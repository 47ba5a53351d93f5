//! One builder's page: the whole record for whoever may see it, else the name and what was featured.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use super::auth::{Visitor, sight_of};
use super::error::WebError;
use super::frame::{Frame, Moment, NAME, Pager, TITLE, counted};
use super::public::answer;
use super::sources::{self, SourceLine, kind_name};
use super::state::AppState;
use crate::model::{
    ActivityKind, BuilderRecordView, BuilderView, FeaturedView, FeaturedWork, MergeRule, MergedView, OutcomeCode, RecordQuery,
    SightingView, Slug, SourceRow, TimelineItem, Week,
};
use crate::render::{Calendar, country_name, date_span, day_of, kind_label, language_tag, month_name, number, short, web_address};

/// Items of the timeline on one page.
const ITEMS: u64 = 40;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct PageQuery {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    page: String,
}

struct Notice {
    tone: &'static str,
    text: String,
}

struct KindLine {
    key: &'static str,
    label: &'static str,
    count: String,
    /// Percent of the most frequent kind.
    share: u64,
    chosen: bool,
}

struct Month {
    name: String,
    items: Vec<Item>,
}

struct Item {
    id: String,
    day: String,
    dated: bool,
    backfill: bool,
    kind: &'static str,
    title: String,
    lang: Option<String>,
    url: Option<String>,
    outcomes: Vec<OutcomeLine>,
    seen: Vec<Seen>,
    merged: Vec<MergedLine>,
    topic: Option<String>,
}

struct OutcomeLine {
    /// The digest that holds it.
    week: Option<String>,
    text: String,
}

struct Seen {
    source: String,
    at: Moment,
    gone: bool,
}

struct MergedLine {
    title: String,
    url: Option<String>,
    why: &'static str,
}

struct AmplifiedLine {
    title: String,
    lang: Option<String>,
    channel: String,
    url: Option<String>,
    week: String,
    at: Moment,
}

struct Word {
    title: String,
    text: String,
    at: Moment,
}

#[derive(Template)]
#[template(path = "pages/builder.html", whitespace = "minimize")]
struct Record {
    frame: Frame,
    slug: String,
    name: String,
    about: String,
    notices: Vec<Notice>,
    words: Vec<Word>,
    figures: Vec<(String, &'static str)>,
    calendar: Calendar,
    calendar_text: String,
    kinds: Vec<KindLine>,
    sources: Vec<SourceLine>,
    amplified: Vec<AmplifiedLine>,
    timeline_head: String,
    filtered: bool,
    months: Vec<Month>,
    pager: Pager,
}

/// `GET /builders/{slug}`
pub(crate) async fn record(
    State(state): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    slug: Result<Path<String>, PathRejection>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Response {
    answer(&state, async {
        let Path(given) = slug.map_err(|_| WebError::BadRequest)?;
        let Query(query) = query.map_err(|_| WebError::BadRequest)?;
        let slug = Slug::parse(&given).map_err(|_| WebError::NotFound)?;
        let kind = ActivityKind::parse(&query.kind);
        let page = query.page.parse::<u64>().unwrap_or(1).clamp(1, 1 << 32);
        let sight = sight_of(&state, &visitor, Some(&slug)).await?;
        let asked = RecordQuery { kind, sight, skip: (page - 1) * ITEMS, take: ITEMS };
        let page = match state.pages.builder(&slug, asked).await?.ok_or(WebError::NotFound)? {
            BuilderView::Record(view) => put_together(&state, &view, kind, page).render()?,
            BuilderView::Featured(view) => Featured::of(&state, &view, page).render()?,
        };
        Ok(Html(page).into_response())
    })
    .await
}

struct FeaturedLine {
    title: String,
    lang: Option<String>,
    url: Option<String>,
    kind: &'static str,
    week: String,
    span: String,
}

/// What everybody sees of a builder.
#[derive(Template)]
#[template(path = "pages/featured.html", whitespace = "minimize")]
struct Featured {
    frame: Frame,
    name: String,
    place: Option<&'static str>,
    counts: String,
    works: Vec<FeaturedLine>,
    pager: Pager,
}

impl Featured {
    fn of(state: &AppState, view: &FeaturedView, page: u64) -> Self {
        let link = |page: u64| format!("{}/builders/{}?page={page}", state.base, view.slug);
        let shown = |work: &FeaturedWork| FeaturedLine {
            title: titled(&work.title),
            lang: work.language.as_deref().and_then(language_tag),
            url: web_address(&work.url),
            kind: kind_label(work.kind),
            week: work.week.to_string(),
            span: format!("week {} · {}", work.week.number(), date_span(work.week)),
        };
        Self {
            frame: Frame::of(state, ""),
            name: short(&view.name, NAME),
            place: view.country.as_deref().and_then(country_name),
            counts: counted(view.found, "work was featured", "works were featured"),
            works: view.works.iter().map(shown).collect(),
            pager: Pager::of(page, view.found, ITEMS, link),
        }
    }
}

fn put_together(state: &AppState, view: &BuilderRecordView, kind: Option<ActivityKind>, page: u64) -> Record {
    let now = state.clock.now();
    let calendar = Calendar::of(&view.calendar, view.today);
    let zone = short(view.timezone.as_deref().unwrap_or("UTC"), NAME);
    let calendar_text = format!(
        "{} on {}, counted in the zone {zone}",
        counted(calendar.activities, "activity", "activities"),
        counted(calendar.days as u64, "day", "days")
    );
    let category = view.category.as_deref().map(|category| short(category, NAME)).unwrap_or_default();
    let place = view.country.as_deref().and_then(country_name).unwrap_or_default();
    let about: Vec<&str> = [category.as_str(), place].into_iter().filter(|part| !part.is_empty()).collect();
    let link = |page: u64| {
        let kind = kind.map(|kind| format!("kind={kind}&")).unwrap_or_default();
        format!("{}/builders/{}?{kind}page={page}#timeline", state.base, view.slug)
    };
    let timeline_head = match kind {
        Some(kind) => format!("Timeline: {}", kind_label(kind)),
        None => "Timeline".to_owned(),
    };
    Record {
        frame: Frame::of(state, ""),
        slug: view.slug.clone(),
        name: short(&view.name, NAME),
        about: about.join(" · "),
        notices: view.sources.iter().filter_map(|source| notice(source, now)).collect(),
        words: view
            .words
            .iter()
            .map(|word| Word { title: short(&word.title, TITLE), text: short(&word.text, 600), at: Moment::of(word.at, now) })
            .collect(),
        figures: vec![
            (number(view.activities), if view.activities == 1 { "activity" } else { "activities" }),
            (number(view.days), if view.days == 1 { "active day" } else { "active days" }),
            (number(view.kinds.len() as u64), if view.kinds.len() == 1 { "kind" } else { "kinds" }),
            (number(view.featured), if view.featured == 1 { "time featured" } else { "times featured" }),
        ],
        calendar,
        calendar_text,
        kinds: kinds(view, kind),
        sources: view.sources.iter().map(|source| SourceLine::of(source, now)).collect(),
        amplified: view
            .amplified
            .iter()
            .map(|posted| AmplifiedLine {
                title: short(&posted.title, TITLE),
                lang: posted.language.as_deref().and_then(language_tag),
                channel: short(&posted.channel, NAME),
                url: web_address(&posted.url),
                week: posted.week.to_string(),
                at: Moment::of(posted.at, now),
            })
            .collect(),
        timeline_head,
        filtered: kind.is_some(),
        months: months(&view.timeline, now),
        pager: Pager::of(page, view.found, ITEMS, link),
    }
}

/// A notice only where something is wrong that the builder can mend.
fn notice(source: &SourceRow, now: Timestamp) -> Option<Notice> {
    let name = sources::name(source);
    let since = source.failing_since.map(|at| format!(" since {}", day_of(at))).unwrap_or_default();
    let error = source.error.as_deref().map(|error| format!(": {}", short(error, TITLE))).unwrap_or_default();
    match sources::State::of(source, now) {
        sources::State::Failing => Some(Notice { tone: "bad", text: format!("{name} has failed{since}{error}.") }),
        sources::State::Gone => Some(Notice {
            tone: "bad",
            text: format!("{name} says that it is gone for good. It is not asked any more until a person says so."),
        }),
        sources::State::Blocked => Some(Notice { tone: "warn", text: format!("{name} refuses to be read{since}{error}.") }),
        _ => None,
    }
}

fn kinds(view: &BuilderRecordView, chosen: Option<ActivityKind>) -> Vec<KindLine> {
    let most = view.kinds.values().copied().max().unwrap_or(1).max(1);
    let mut kinds: Vec<_> = view.kinds.iter().collect();
    kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(**count), **kind));
    kinds
        .into_iter()
        .map(|(kind, count)| KindLine {
            key: kind.as_str(),
            label: kind_label(*kind),
            count: number(*count),
            share: count.saturating_mul(100).div_ceil(most),
            chosen: chosen == Some(*kind),
        })
        .collect()
}

fn months(timeline: &[TimelineItem], now: Timestamp) -> Vec<Month> {
    let mut months: Vec<(Date, Month)> = Vec::new();
    for item in timeline {
        let first = item.day.first_of_month();
        let line = Item::of(item, now);
        match months.last_mut() {
            Some((month, lines)) if *month == first => lines.items.push(line),
            _ => months.push((first, Month { name: format!("{} {}", month_name(first), first.year()), items: vec![line] })),
        }
    }
    months.into_iter().map(|(_, month)| month).collect()
}

impl Item {
    fn of(item: &TimelineItem, now: Timestamp) -> Self {
        Self {
            id: item.activity.to_string(),
            day: format!("{} {}", item.day.day(), &month_name(item.day)[..3]),
            dated: item.dated,
            backfill: item.backfill,
            kind: kind_label(item.kind),
            title: titled(&item.title),
            lang: item.language.as_deref().and_then(language_tag),
            url: item.url.as_deref().and_then(web_address),
            outcomes: outcome(&item.outcomes).into_iter().collect(),
            seen: item.sightings.iter().map(|sighting| Seen::of(sighting, now)).collect(),
            merged: item.merged.iter().map(MergedLine::of).collect(),
            topic: topic(item),
        }
    }
}

impl Seen {
    fn of(sighting: &SightingView, now: Timestamp) -> Self {
        Self {
            source: format!("{}: {}", kind_name(sighting.source_kind), short(&sighting.source, NAME)),
            at: Moment::of(sighting.first_seen_at, now),
            gone: sighting.left_at.is_some(),
        }
    }
}

impl MergedLine {
    fn of(merged: &MergedView) -> Self {
        let why = match merged.rule {
            MergeRule::Alone => "they belong together",
            MergeRule::SameAddress => "the address is the same",
            MergeRule::SameCanonical => "one names the other’s address as its own",
            MergeRule::CrossPost => "same author, same title, another place",
            MergeRule::SameText => "same author, same text",
            MergeRule::Companion => "one links to the other: a recording and its article",
            MergeRule::Decision => "a person said so",
        };
        Self { title: titled(&merged.title), url: merged.url.as_deref().and_then(web_address), why }
    }
}

fn titled(title: &str) -> String {
    let title = short(title, TITLE);
    if title.is_empty() { "Untitled".to_owned() } else { title }
}

/// `Serverless (Lambda in title, tag #serverless); AWS Lambda, Amazon SQS`.
fn topic(item: &TimelineItem) -> Option<String> {
    let mut text = item.category.clone().unwrap_or_default();
    if !text.is_empty() && !item.evidence.is_empty() {
        text = format!("{text} ({})", item.evidence.join(", "));
    }
    if !item.services.is_empty() {
        let services = item.services.join(", ");
        text = if text.is_empty() { services } else { format!("{text}; {services}") };
    }
    (!text.is_empty()).then(|| short(&format!("Counts as: {text}"), TITLE))
}

/// What came of it: that it was featured, else the latest word on why not.
fn outcome(outcomes: &[(Week, OutcomeCode)]) -> Option<OutcomeLine> {
    if let Some((week, _)) = outcomes.iter().find(|(_, code)| *code == OutcomeCode::Chosen) {
        return Some(OutcomeLine { week: Some(week.to_string()), text: format!("featured in week {}", week.number()) });
    }
    let (week, code) = outcomes.iter().find(|(_, code)| *code == OutcomeCode::Removed).or(outcomes.last())?;
    let text = match code {
        OutcomeCode::Removed => format!("taken out of the digest of week {} after it was published", week.number()),
        OutcomeCode::Withdrawn => "entered by hand, and taken back".to_owned(),
        OutcomeCode::Chosen | OutcomeCode::AlreadyFeatured => "featured before".to_owned(),
        OutcomeCode::NoPlace => format!("not in week {}: every place was taken", week.number()),
        OutcomeCode::NotNominee => format!("not in week {}: another piece of the same builder was in the running", week.number()),
        OutcomeCode::CoolDown => "waiting: the builder was featured shortly before".to_owned(),
        OutcomeCode::BelowFloor => "in the record: under the least quality for a digest".to_owned(),
        OutcomeCode::Reserved => "in a draft that is not published yet".to_owned(),
        OutcomeCode::Held => "waiting: announced and not out yet, or held back by an editor".to_owned(),
        OutcomeCode::Dropped => format!("left out of week {} by an editor", week.number()),
        OutcomeCode::Paywalled => "in the record: not open to read".to_owned(),
        OutcomeCode::PrivateOrGone => "in the record: its link does not work".to_owned(),
        OutcomeCode::OptedOut => "in the record: not featured by the builder’s own choice".to_owned(),
        OutcomeCode::Inactive => "in the record: the builder was no member then".to_owned(),
        OutcomeCode::FilteredKind => "in the record: digests hold no such kind".to_owned(),
        OutcomeCode::FirstImportBackfill => "in the record: from before its source was watched".to_owned(),
        OutcomeCode::DateMissing => "in the record: its source gives no date".to_owned(),
        OutcomeCode::DateOutside => "in the record: not of the days that count".to_owned(),
        OutcomeCode::LateShelf => format!("found late: shown to the editors of week {}", week.number()),
    };
    Some(OutcomeLine { week: None, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn having_been_featured_outlasts_every_other_outcome() {
        let week = |text: &str| text.parse::<Week>().unwrap();
        let line = outcome(&[(week("2026-W46"), OutcomeCode::Chosen), (week("2026-W47"), OutcomeCode::AlreadyFeatured)]).unwrap();
        assert_eq!((line.week.as_deref(), line.text.as_str()), (Some("2026-W46"), "featured in week 46"));
        let line = outcome(&[(week("2026-W46"), OutcomeCode::CoolDown), (week("2026-W47"), OutcomeCode::NoPlace)]).unwrap();
        assert_eq!(line.text, "not in week 47: every place was taken");
        assert!(outcome(&[]).is_none());
    }
}
