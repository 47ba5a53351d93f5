//! *This week*: where the draft stands, what is in it and why, who is next, what speaks against sending it.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::super::auth::Visitor;
use super::super::error::WebError;
use super::super::frame::{Frame, Moment, NAME, TITLE, counted};
use super::super::public::answer;
use super::super::state::AppState;
use super::{WeekPath, current_week, glance_at_links, short_id, view, week_in};
use crate::model::{
    DigestState, DraftView, Edit, EditRecord, Finding, Group, InLine, LateFind, Level, Mark, MarkRecord, Notice, PickView, ReasonTerm,
    Week, Wording,
};
use crate::render::{ShownWork, date_span, number, short};
use crate::schedule;

/// Edits that are shown without being asked for.
const LATEST: usize = 8;
/// Of works that were found late, so many are shown: the best ones.
const LATE: usize = 10;
/// Weeks that a work may be held for.
const HOLD_WEEKS: usize = 8;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct WeekQuery {
    /// The edit that was made just now.
    #[serde(default)]
    said: String,
    /// The place on the page where it was made, for edits that take a pick away.
    #[serde(default)]
    at: String,
}

/// Something that was not done, and why.
pub(crate) enum Trouble {
    /// In a sentence.
    Fault(String),
    /// Somebody else was first: what they did, and the form as it was sent.
    Clash { since: Vec<EditRecord>, fields: Vec<(String, String)> },
}

struct Tab {
    to: String,
    label: String,
    chosen: bool,
}

struct Chip {
    text: String,
    /// With their sign.
    points: String,
}

struct OtherLine {
    id: String,
    title: String,
}

struct Rewritten {
    what: &'static str,
    original: String,
}

struct Opened {
    who: String,
    at: Moment,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the pick")]
struct Row {
    id: String,
    /// For the ids of elements.
    key: String,
    position: u32,
    work: ShownWork,
    first: bool,
    last: bool,
    lead: bool,
    pinned: bool,
    chips: Vec<Chip>,
    quality: i64,
    substance: i64,
    response: i64,
    gain: i64,
    round: u32,
    gloss: String,
    summary: String,
    by_editor: bool,
    rewritten: Vec<Rewritten>,
    others: Vec<OtherLine>,
    members: Vec<OtherLine>,
    opened: Vec<Opened>,
    opened_by_me: bool,
    review: Option<String>,
    outdated: Vec<String>,
    /// The message of the edit that took away what stood here.
    said: bool,
    removed: Option<String>,
}

struct SectionBlock {
    key: String,
    name: String,
    intro: String,
    rows: Vec<Row>,
}

struct NextLine {
    id: String,
    key: String,
    title: String,
    url: Option<String>,
    by: String,
    gain: i64,
    chips: Vec<Chip>,
    fault: Option<String>,
}

/// A work that was found too late for its own week.
struct LateLine {
    id: String,
    key: String,
    title: String,
    url: Option<String>,
    by: String,
    text: String,
}

/// What one tick stands for: all findings of one kind that nobody ticked, or all that one person did.
struct CheckLine {
    id: String,
    /// What the tick names, with blanks between.
    keys: String,
    /// Each with the way to its pick.
    texts: Vec<(String, Option<String>)>,
    ticked_by: Option<String>,
}

struct EditLine {
    revision: u32,
    at: Moment,
    who: String,
    text: String,
    note: Option<String>,
    undone: bool,
    undoable: bool,
}

struct GroupLine {
    name: String,
    owed: String,
    picked: i64,
    had: i64,
    target: String,
    /// Percent of the widest bar.
    owed_bar: i64,
    picked_bar: i64,
}

struct Said {
    text: String,
    revision: u32,
    undoable: bool,
    /// Stands before the pick of that position; at the head of the page otherwise.
    inline: bool,
}

struct Clash {
    lines: Vec<EditLine>,
    fields: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "staff/week.html", whitespace = "minimize")]
#[expect(clippy::struct_excessive_bools, reason = "each asks the template a question of its own")]
pub(crate) struct WeekPage {
    frame: Frame,
    me: Visitor,
    week: String,
    name: String,
    span: String,
    tabs: Vec<Tab>,
    state_word: &'static str,
    state_tone: &'static str,
    state_text: String,
    deadline: Option<Moment>,
    collecting: bool,
    editable: bool,
    approved: bool,
    published: bool,
    revision: u32,
    counts: String,
    intro: String,
    sections: Vec<SectionBlock>,
    next: Vec<NextLine>,
    late: Vec<LateLine>,
    /// Those beyond.
    more_late: usize,
    errors: Vec<CheckLine>,
    warnings: Vec<CheckLine>,
    open_warnings: usize,
    /// Where the way to the approval stands at the head.
    to_approval: &'static str,
    /// What a tick of all open warnings names, where they are of several kinds.
    open_keys: Option<String>,
    /// The words of a tick that says of all picks that this editor opened them, where one is not ticked yet.
    unopened: Option<String>,
    notices: Vec<String>,
    latest: Vec<EditLine>,
    earlier: Vec<EditLine>,
    categories: Vec<GroupLine>,
    regions: Vec<GroupLine>,
    hold_weeks: Vec<(String, String)>,
    approve_at: Moment,
    approve_label: String,
    said: Option<Said>,
    fault: Option<String>,
    clash: Option<Clash>,
    works: Vec<OtherLine>,
    corrections: Vec<String>,
}

/// `GET /staff`
pub(crate) async fn now(State(state): State<AppState>) -> Response {
    answer(&state, async {
        let week = current_week(&state).await?;
        Ok(Redirect::to(&format!("{}/staff/week/{week}", state.base)).into_response())
    })
    .await
}

/// `GET /staff/week/{week}`
pub(crate) async fn page(
    State(state): State<AppState>,
    Extension(me): Extension<Visitor>,
    week: WeekPath,
    query: Result<Query<WeekQuery>, QueryRejection>,
) -> Response {
    answer(&state, async {
        let Query(query) = query.map_err(|_| WebError::BadRequest)?;
        let week = week_in(&state, week)?;
        show(&state, me, week, &query, None, StatusCode::OK).await
    })
    .await
}

/// The page, with what was not done where something was not.
pub(crate) async fn show(
    state: &AppState,
    me: Visitor,
    week: Week,
    query: &WeekQuery,
    trouble: Option<Trouble>,
    status: StatusCode,
) -> Result<Response, WebError> {
    let seen = view(state, week).await?;
    glance_at_links(state, &seen);
    let tabs = tabs(state, week).await?;
    let mut page = put_together(state, me, &seen, query, trouble, tabs);
    if page.published {
        let all = super::ctx(state)?.store.corrections(Timestamp::MIN, Timestamp::MAX).await?;
        page.corrections =
            all.into_iter().filter(|correction| correction.week == week).map(|correction| short(&correction.text, 600)).collect();
    }
    Ok((status, Html(page.render()?)).into_response())
}

/// The way to the draft that waits, and to the week that is running.
async fn tabs(state: &AppState, week: Week) -> Result<Vec<Tab>, WebError> {
    let running = Week::of(state.clock.now());
    let waiting = current_week(state).await?;
    let mut weeks = vec![week.previous(), week, waiting, running];
    weeks.retain(|shown| *shown <= running);
    weeks.sort_unstable();
    weeks.dedup();
    let label = |shown: Week| {
        let what = if shown == running { " (running)" } else { "" };
        format!("Week {}{what}", shown.number())
    };
    let tab = |shown: Week| Tab { to: format!("{}/staff/week/{shown}", state.base), label: label(shown), chosen: shown == week };
    Ok(weeks.into_iter().map(tab).collect())
}

fn put_together(state: &AppState, me: Visitor, seen: &DraftView, query: &WeekQuery, trouble: Option<Trouble>, tabs: Vec<Tab>) -> WeekPage {
    let now = state.clock.now();
    let week = seen.week;
    let digest = &seen.digest;
    let (state_word, state_tone) = match seen.state {
        DigestState::Collecting => ("Collecting", "plainly"),
        DigestState::Draft => ("Draft", "warn"),
        DigestState::InReview => ("In review", "warn"),
        DigestState::Approved => ("Approved", "good"),
        DigestState::Published => ("Published", "good"),
    };
    let (state_text, deadline) = state_line(state, seen);
    let said = said(seen, query);
    let at: u32 = query.at.parse().unwrap_or(0);
    let inline = said.as_ref().is_some_and(|_| (1..=u32::try_from(seen.picks.len()).unwrap_or(u32::MAX)).contains(&at));
    let said = said.map(|said| Said { inline, ..said });
    let (fault, clash) = match trouble {
        None => (None, None),
        Some(Trouble::Fault(text)) => (Some(text), None),
        Some(Trouble::Clash { since, fields }) => {
            (None, Some(Clash { lines: since.iter().map(|record| EditLine::of(record, now)).collect(), fields }))
        }
    };
    let cooling = SignedDuration::try_from(state.digest.cooling_off.0).unwrap_or(SignedDuration::ZERO);
    let approve_at = now.saturating_add(cooling).unwrap_or(now);
    let (errors, warnings): (Vec<&Finding>, Vec<&Finding>) = seen.findings.iter().partition(|finding| finding.level == Level::Error);
    let warnings = CheckLine::of_kind(&warnings, seen);
    let open: Vec<&CheckLine> = warnings.iter().filter(|line| line.ticked_by.is_none()).collect();
    let open_keys = (open.len() > 1).then(|| open.iter().map(|line| line.keys.as_str()).collect::<Vec<_>>().join(" "));
    let mut latest: Vec<EditLine> = seen.edits.iter().rev().map(|record| EditLine::of(record, now)).collect();
    let earlier = latest.split_off(latest.len().min(LATEST));
    let mut hold_weeks = Vec::new();
    let mut until = week;
    for _ in 0..HOLD_WEEKS {
        until = until.next();
        hold_weeks.push((until.to_string(), format!("Week {}", until.number())));
    }
    WeekPage {
        frame: Frame::of(state, "staff"),
        week: week.to_string(),
        name: format!("Week {}", week.number()),
        span: date_span(week),
        tabs,
        state_word,
        state_tone,
        state_text,
        deadline: Moment::maybe(deadline, now),
        collecting: seen.state == DigestState::Collecting,
        editable: seen.editable,
        approved: seen.state == DigestState::Approved,
        published: seen.state == DigestState::Published,
        revision: seen.revision,
        counts: format!(
            "{} of {} taken. {} by {} could be chosen.",
            seen.picks.len(),
            counted(u64::from(state.digest.places), "place", "places"),
            counted(u64::from(digest.eligible_works), "work", "works"),
            counted(u64::from(digest.nominees), "builder", "builders")
        ),
        intro: seen.intro.clone().unwrap_or_default(),
        sections: sections(seen, &me, if inline { at } else { 0 }, now),
        next: seen.next.iter().map(NextLine::of).collect(),
        late: seen.late_shelf.iter().take(LATE).map(LateLine::of).collect(),
        more_late: seen.late_shelf.len().saturating_sub(LATE),
        open_warnings: open.len(),
        to_approval: match (errors.is_empty(), open.is_empty()) {
            (false, _) => "See what has to be mended",
            (true, false) => "See what wants a tick",
            (true, true) => "Approve it",
        },
        open_keys,
        unopened: unopened(seen, &me),
        errors: CheckLine::of_kind(&errors, seen),
        warnings,
        notices: seen.notices.iter().map(|Notice { text, .. }| sentence(text)).collect(),
        latest,
        earlier,
        categories: groups(&digest.balance.categories),
        regions: groups(&digest.balance.regions),
        hold_weeks,
        approve_label: approve_at.strftime("%H:%M UTC").to_string(),
        approve_at: Moment::of(approve_at, now),
        said,
        fault,
        clash,
        works: seen.picks.iter().map(|pick| OtherLine { id: pick.pick.work.to_string(), title: short(&pick.pick.title, 80) }).collect(),
        corrections: Vec::new(),
        me,
    }
}

/// Where it stands in a sentence, and the instant that matters next.
fn state_line(state: &AppState, seen: &DraftView) -> (String, Option<Timestamp>) {
    let by = |who: &Option<String>| who.as_deref().map(|who| format!(" by {}", short(who, NAME))).unwrap_or_default();
    match seen.state {
        DigestState::Collecting => {
            let cut_off = state.desk.as_ref().and_then(|desk| {
                let config = &desk.ctx.config.schedule;
                let end = seen.week.end().saturating_sub(SignedDuration::from_millis(1)).ok()?;
                schedule::next_slot(&config.cut_off, &config.zone, end).ok()
            });
            ("These are the candidates as they stand now. The draft is made, and can be edited, at the cut-off".to_owned(), cut_off)
        }
        DigestState::Draft | DigestState::InReview => {
            let text = if seen.approvable {
                "Ready to be approved. Nothing goes out without an approval"
            } else {
                "Nothing goes out without an approval. Made"
            };
            (text.to_owned(), if seen.approvable { None } else { seen.made_at })
        }
        DigestState::Approved => (format!("Approved{}. It goes out", by(&seen.approved_by)), seen.publish_at),
        DigestState::Published => (format!("Approved{} and published", by(&seen.approved_by)), seen.published_at),
    }
}

/// What an editor says with one tick who opened the picks without ticking each.
fn unopened(seen: &DraftView, me: &Visitor) -> Option<String> {
    let there = seen.picks.iter().filter(|pick| pick.pick.removed.is_none());
    let open = there.clone().filter(|pick| pick.opened.iter().all(|(who, _)| *who != me.name)).count();
    match (open, there.count()) {
        (0, _) => None,
        (open, all) if open == all => Some(format!("I opened {}", counted(all as u64, "the pick", "picks"))),
        (open, _) => Some(format!("I opened the other {}", counted(open as u64, "pick", "picks"))),
    }
}

fn said(seen: &DraftView, query: &WeekQuery) -> Option<Said> {
    let revision: u32 = query.said.parse().ok()?;
    let record = seen.edits.iter().find(|record| record.revision == revision)?;
    Some(Said { text: sentence(&record.text), revision, undoable: seen.editable && is_undoable(record), inline: false })
}

fn is_undoable(record: &EditRecord) -> bool {
    record.undone_by.is_none() && !matches!(record.what, Edit::Undo { .. } | Edit::Refresh)
}

/// Words of the log as a sentence of the page.
pub(super) fn sentence(text: &str) -> String {
    let text = short(text, TITLE);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn sections(seen: &DraftView, me: &Visitor, said_at: u32, now: Timestamp) -> Vec<SectionBlock> {
    let last = seen.picks.len();
    seen.digest
        .sections
        .iter()
        .filter_map(|section| {
            let of_section: Vec<&PickView> = seen.picks.iter().filter(|pick| pick.section == section.category).collect();
            let count = of_section.len();
            let rows: Vec<Row> = of_section
                .into_iter()
                .map(|pick| {
                    Row::of(pick, count, me, pick.position == said_at || (said_at as usize > last && pick.position as usize == last), now)
                })
                .collect();
            (!rows.is_empty()).then(|| SectionBlock {
                key: section.category.clone(),
                name: short(&section.name, NAME),
                intro: section.intro.clone().unwrap_or_default(),
                rows,
            })
        })
        .collect()
}

impl Chip {
    fn of(reasons: &[crate::model::Reason]) -> Vec<Self> {
        let worded = |reason: &crate::model::Reason| {
            let text = if reason.text.trim().is_empty() { name_of(reason.term).to_owned() } else { short(&reason.text, 160) };
            Self { text, points: signed(reason.points) }
        };
        reasons.iter().map(worded).collect()
    }
}

fn name_of(term: ReasonTerm) -> &'static str {
    match term {
        ReasonTerm::Quality => "quality",
        ReasonTerm::Fresh => "new this week",
        ReasonTerm::Turn => "turn",
        ReasonTerm::Category => "category",
        ReasonTerm::Region => "region",
        ReasonTerm::NewService => "new service",
        ReasonTerm::Pinned => "pinned",
    }
}

impl Row {
    fn of(seen: &PickView, in_section: usize, me: &Visitor, said: bool, now: Timestamp) -> Self {
        let pick = &seen.pick;
        let opened: Vec<Opened> = seen.opened.iter().map(|(who, at)| Opened { who: short(who, NAME), at: Moment::of(*at, now) }).collect();
        let what = |field: &Wording| match field {
            Wording::TitleGloss => "gloss",
            Wording::Summary => "summary",
            Wording::Social(_) => "post",
        };
        let rewritten = seen
            .rewordings
            .iter()
            .filter(|rewording| !matches!(rewording.field, Wording::Social(_)))
            .map(|rewording| Rewritten {
                what: what(&rewording.field),
                original: short(rewording.original.as_deref().unwrap_or("none"), 600),
            })
            .collect();
        let members = pick
            .members
            .iter()
            .filter(|member| **member != pick.work)
            .map(|member| OtherLine { id: member.to_string(), title: format!("activity {member}") })
            .collect();
        Self {
            key: short_id(&pick.work),
            id: pick.work.to_string(),
            position: seen.position,
            work: ShownWork::of(pick),
            first: seen.place == 1,
            last: seen.place as usize == in_section,
            lead: pick.lead,
            pinned: seen.pinned,
            chips: Chip::of(&pick.reasons),
            quality: pick.quality,
            substance: pick.substance,
            response: pick.response,
            gain: pick.gain,
            round: pick.round,
            gloss: pick.title_gloss.clone().unwrap_or_default(),
            summary: pick.summary.clone().unwrap_or_default(),
            by_editor: pick.summary_source == "editor",
            rewritten,
            others: seen.others.iter().map(|other| OtherLine { id: other.work.to_string(), title: short(&other.title, 80) }).collect(),
            members,
            opened_by_me: seen.opened.iter().any(|(who, _)| *who == me.name),
            opened,
            review: seen.review.as_deref().map(|reviewer| short(reviewer, NAME)),
            outdated: seen.outdated.iter().filter_map(outdated).collect(),
            said,
            removed: pick.removed.as_deref().map(|reason| short(reason, TITLE)),
        }
    }
}

fn outdated(record: &MarkRecord) -> Option<String> {
    match &record.what {
        Mark::Outdated { text, .. } => Some(format!("{}: {}", short(&record.by, NAME), short(text, 600))),
        _ => None,
    }
}

impl NextLine {
    fn of(line: &InLine) -> Self {
        Self {
            key: short_id(&line.work),
            id: line.work.to_string(),
            title: short(&line.title, TITLE),
            url: crate::render::web_address(&line.url),
            by: short(&line.builders.join(", "), NAME),
            gain: line.gain,
            chips: Chip::of(&line.reasons),
            fault: line.fault.as_deref().map(|fault| short(fault, TITLE)),
        }
    }
}

impl LateLine {
    fn of(find: &LateFind) -> Self {
        Self {
            key: short_id(&find.work),
            id: find.work.to_string(),
            title: short(&find.title, TITLE),
            url: find.url.as_deref().and_then(crate::render::web_address),
            by: short(&find.builders.join(", "), NAME),
            text: sentence(&find.text),
        }
    }
}

impl CheckLine {
    /// Findings of one kind are told, and ticked, together.
    fn of_kind(findings: &[&Finding], seen: &DraftView) -> Vec<Self> {
        let mut lines: Vec<(&str, Self)> = Vec::new();
        for finding in findings {
            let to = finding.work.as_ref().filter(|work| seen.picks.iter().any(|pick| pick.pick.work == **work));
            let text = (sentence(&finding.text), to.map(|work| format!("#pick-{}", short_id(work))));
            let ticked_by = finding.ticked_by.as_deref().map(|who| short(who, NAME));
            match lines.iter_mut().find(|(code, line)| *code == finding.code && line.ticked_by == ticked_by) {
                Some((_, line)) => {
                    line.keys = format!("{} {}", line.keys, finding.key);
                    line.texts.push(text);
                }
                None => {
                    lines.push((&finding.code, Self { id: finding.key.clone(), keys: finding.key.clone(), texts: vec![text], ticked_by }));
                }
            }
        }
        lines.into_iter().map(|(_, line)| line).collect()
    }
}

impl EditLine {
    fn of(record: &EditRecord, now: Timestamp) -> Self {
        Self {
            revision: record.revision,
            at: Moment::of(record.at, now),
            who: short(&record.by, NAME),
            text: short(&record.text, TITLE),
            note: record.note.as_deref().map(|note| short(note, TITLE)),
            undone: record.undone_by.is_some(),
            undoable: is_undoable(record),
        }
    }
}

/// The groups that matter this week: those that are owed something, have a place, or could have one.
fn groups(all: &[Group]) -> Vec<GroupLine> {
    let widest = all.iter().map(|group| group.owed.max(1_000 * group.picked)).max().unwrap_or(0).max(1);
    let mut shown: Vec<&Group> =
        all.iter().filter(|group| group.owed > 0 || group.picked > 0 || group.supply > 0 || group.had > 0).collect();
    shown.sort_by_key(|group| (std::cmp::Reverse(group.owed), std::cmp::Reverse(group.target), group.key.clone()));
    shown
        .into_iter()
        .map(|group| GroupLine {
            name: short(&group.name, NAME),
            owed: format!("{}.{}", group.owed / 1000, group.owed % 1000 / 100),
            picked: group.picked,
            had: group.had,
            target: format!("{}.{} %", group.target / 10, group.target % 10),
            owed_bar: 100 * group.owed / widest,
            picked_bar: 100_000 * group.picked / widest,
        })
        .collect()
}

/// The points of a term with their sign.
fn signed(points: i64) -> String {
    let sign = if points < 0 { '−' } else { '+' };
    format!("{sign}{}", number(points.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_drawn_against_the_widest() {
        let group = |key: &str, owed: i64, picked: i64| Group {
            key: key.into(),
            name: key.into(),
            target: 125,
            owed,
            had: 3,
            picked,
            supply: 1_000,
        };
        let lines = groups(&[group("a", 500, 2), group("b", 1_450, 0), Group { had: 0, supply: 0, ..group("none", 0, 0) }]);
        let told: Vec<_> = lines.iter().map(|line| (line.name.as_str(), line.owed.as_str(), line.owed_bar, line.picked_bar)).collect();
        assert_eq!(told, [("b", "1.4", 72, 0), ("a", "0.5", 25, 100)]);
        assert_eq!(lines[0].target, "12.5 %");
        assert!(groups(&[]).is_empty());
    }

    #[test]
    fn words_of_the_log_become_sentences() {
        assert_eq!(sentence("dropped “Queues”"), "Dropped “Queues”");
        assert_eq!(sentence(""), "");
    }
}
