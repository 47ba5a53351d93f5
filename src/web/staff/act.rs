//! What staff do to a week: each button and form of its page.
//!
//! In: the fields of a form. Out: what was done, through `flow`, and the way back to the page: to the button that was
//! used, or to the word on what was done where that button went with it. Two who edit at once are told of each other.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::auth::{Fields, Visitor};
use super::super::error::WebError;
use super::super::public::answer;
use super::super::state::AppState;
use super::preview::context_of;
use super::week::{Trouble, WeekQuery, show};
use super::{WeekPath, ctx, short_id, view, week_in};
use crate::digest::EditRefused;
use crate::flow::{self, EditError, LedgerError, Warnings, Wish};
use crate::model::{ActivityId, DraftView, Edit, Mark, Network, PickView, Week, Wording};
use crate::render;
use crate::store::StoreError;

/// Where the reader goes after something was done.
struct Back {
    /// The place on the page of what went away.
    at: Option<u32>,
    /// The element that has the focus.
    focus: String,
    /// The page, where it is not the week's own.
    page: &'static str,
}

impl Back {
    fn to(focus: impl Into<String>) -> Self {
        Self { at: None, focus: focus.into(), page: "" }
    }
}

/// What a form asks for.
enum Task {
    /// Edits, one after the other; none where nothing would change.
    Edits(Vec<Edit>),
    /// A pick and what it is one work with, as a person named that.
    Merge(ActivityId, String),
    Mark(Mark),
    Approve,
    PullBack,
    Refresh(String),
    Correct(String),
    Remove(ActivityId, String),
    Posted {
        work: ActivityId,
        channel: String,
        url: String,
    },
}

/// `POST /staff/week/{week}`
pub(crate) async fn act(
    State(state): State<AppState>,
    Extension(me): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    week: WeekPath,
) -> Response {
    answer(
        &state,
        Box::pin(async {
            let week = week_in(&state, week)?;
            let before = view(&state, week).await?;
            let context = context_of(&state, week).await?;
            let Some((task, back)) = task_of(&before, &context, &fields) else {
                let fault = "That could not be understood. Load the page again, and try once more.".to_owned();
                return trouble(&state, me, week, Trouble::Fault(fault), StatusCode::UNPROCESSABLE_ENTITY).await;
            };
            match perform(&state, &me, &before, task, &fields).await {
                Ok(done) => Ok(Redirect::to(&way_back(&state, week, &back, done)).into_response()),
                Err(EditError::Clash { since, .. }) => {
                    let kept = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "token" | "on")).cloned().collect();
                    trouble(&state, me, week, Trouble::Clash { since, fields: kept }, StatusCode::CONFLICT).await
                }
                Err(EditError::Store(error)) if !matches!(error, StoreError::Refused(_) | StoreError::Standing(_)) => Err(error.into()),
                Err(error) => {
                    let fault = for_people(&error);
                    trouble(&state, me, week, Trouble::Fault(fault), StatusCode::UNPROCESSABLE_ENTITY).await
                }
            }
        }),
    )
    .await
}

async fn trouble(state: &AppState, me: Visitor, week: Week, trouble: Trouble, status: StatusCode) -> Result<Response, WebError> {
    show(state, me, week, &WeekQuery::default(), Some(trouble), status).await
}

/// An error as a sentence.
fn for_people(error: &EditError) -> String {
    let text = match error {
        EditError::Unticked { findings, .. } => {
            let texts: Vec<&str> = findings.iter().map(|finding| finding.text.as_str()).collect();
            format!("not approved: tick these warnings first, or mend what they are about: {}", texts.join("; "))
        }
        EditError::Blocked { findings, .. } => {
            let texts: Vec<&str> = findings.iter().map(|finding| finding.text.as_str()).collect();
            format!("not approved, since something has to be mended first: {}", texts.join("; "))
        }
        other => other.to_string(),
    };
    let mut chars = text.chars();
    let sentence: String = chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect());
    if sentence.ends_with(['.', '?', '!']) { sentence } else { format!("{sentence}.") }
}

/// The address of the page after something was done.
fn way_back(state: &AppState, week: Week, back: &Back, revision: Option<u32>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(revision) = revision {
        query.append_pair("said", &revision.to_string());
    }
    if let Some(at) = back.at {
        query.append_pair("at", &at.to_string());
    }
    let query = query.finish();
    let sign = if query.is_empty() { "" } else { "?" };
    format!("{}/staff/week/{week}{}{sign}{query}#{}", state.base, back.page, back.focus)
}

/// Does it, and answers the number of the last edit that was made.
async fn perform(state: &AppState, me: &Visitor, before: &DraftView, task: Task, fields: &Fields) -> Result<Option<u32>, EditError> {
    let week = before.week;
    let ctx = ctx(state).map_err(|_| EditError::NoDraft(week))?;
    let note = Some(fields.get("note").trim().to_owned()).filter(|note| !note.is_empty());
    // A form that does not say what its author saw was not made by our page.
    let on = fields.get("on").parse().unwrap_or(u32::MAX);
    let wish = Wish { by: me.name.clone(), note, on: Some(on) };
    let of_publish = |error: crate::flow::PublishError| match error {
        crate::flow::PublishError::Store(error) => EditError::Store(error),
        other => EditError::Store(StoreError::Refused(other.to_string())),
    };
    let of_ledger = |error: LedgerError| match error {
        LedgerError::Store(error) => EditError::Store(error),
        other => EditError::Refused(EditRefused(other.to_string())),
    };
    Ok(match task {
        Task::Edits(edits) => {
            let mut on = on;
            let mut done = None;
            for edit in edits {
                let wish = Wish { on: Some(on), ..wish.clone() };
                let after = flow::edit(ctx, week, &edit, &wish).await?;
                on = after.revision;
                done = Some(on);
            }
            done
        }
        Task::Merge(one, other) => {
            let other = flow::find_work(ctx, week, &other).await?;
            Some(flow::edit(ctx, week, &Edit::Merge { one, other }, &wish).await?.revision)
        }
        Task::Mark(mark) => {
            flow::mark(ctx, week, mark, &wish).await?;
            None
        }
        Task::Approve => {
            let accepted = fields.all("accept").flat_map(|keys| keys.split(' ')).filter(|key| !key.is_empty());
            let mut ticks: Vec<Mark> = accepted.map(|key| Mark::Accepted { key: key.to_owned() }).collect();
            // Only of what was on the page that was ticked.
            if fields.get("opened") == "all" && before.revision == on {
                let unopened = before.picks.iter().filter(|pick| pick.opened.iter().all(|(who, _)| *who != me.name));
                ticks.extend(unopened.map(|pick| Mark::Opened { work: pick.pick.work.clone() }));
            }
            flow::approve_with(ctx, week, Warnings::Ticked, ticks, &wish).await?;
            None
        }
        Task::PullBack => {
            flow::pull_back(ctx, week, &wish).await?;
            None
        }
        Task::Refresh(token) => Some(flow::refresh(ctx, week, Some(&token), &wish).await?.revision),
        Task::Correct(text) => {
            flow::correct(ctx, week, &text, &me.name, wish.note).await.map_err(of_publish)?;
            None
        }
        Task::Remove(work, reason) => {
            flow::remove(ctx, week, &work, &reason, &me.name).await.map_err(of_publish)?;
            None
        }
        Task::Posted { work, channel, url } => {
            flow::mark_posted(ctx, week, work.as_str(), &channel, &url, &me.name, wish.note).await.map_err(of_ledger)?;
            None
        }
    })
}

/// What a form asks for, and where its author goes on. `None` where no page of ours has such a form.
fn task_of(before: &DraftView, context: &render::Context, fields: &Fields) -> Option<(Task, Back)> {
    let told = fields.get("do");
    let (verb, object) = told.split_once(' ').unwrap_or((told, fields.get("work")));
    let pick = before.picks.iter().find(|pick| pick.pick.work.as_str() == object);
    let work = || named(object);
    let key = |id: &str| short_id(&ActivityId(id.to_owned()));
    let stays = |verb: &str| Back::to(format!("{verb}-{}", key(object)));
    let to_pick = |id: &str| Back::to(format!("pick-{}", key(id)));
    let goes = || Back { at: pick.map(|pick| pick.position), focus: "said".to_owned(), page: "" };
    let one = |edit: Edit| Task::Edits(vec![edit]);
    Some(match verb {
        "pin" => (one(Edit::Pin { work: work()? }), if pick.is_some() { stays("pin") } else { to_pick(object) }),
        "drop" => (one(Edit::Drop { work: work()? }), goes()),
        "drop_builder" => (one(Edit::DropBuilder { builder: pick?.pick.builders.first()?.id }), goes()),
        "lead" => (one(Edit::Lead { work: work()? }), stays("lead")),
        "up" | "down" => {
            let pick = pick?;
            let place = if verb == "up" { pick.place.checked_sub(1).filter(|place| *place > 0) } else { below(before, pick) };
            (Task::Edits(place.map(|place| Edit::Move { work: pick.pick.work.clone(), place }).into_iter().collect()), stays(verb))
        }
        "hold" => (one(Edit::Hold { work: work()?, until: fields.get("until").parse().ok()? }), goes()),
        "swap" => {
            let with = named(fields.get("with"))?;
            (one(Edit::Swap { work: work()?, with: with.clone() }), to_pick(with.as_str()))
        }
        "merge" => {
            let other = Some(fields.get("other").trim().to_owned()).filter(|other| !other.is_empty())?;
            (Task::Merge(work()?, other), to_pick(object))
        }
        "split" => {
            let whole = fields.get("work");
            (one(Edit::Split { one: named(whole)?, other: work()? }), to_pick(whole))
        }
        "reword" => (Task::Edits(rewordings(pick?, fields)), stays("reword")),
        "post" => (Task::Edits(posts(before.week, context, pick?, fields)), Back { page: "/posts", ..stays("post") }),
        "posted" => {
            let task = Task::Posted { work: work()?, channel: fields.get("channel").to_owned(), url: fields.get("url").to_owned() };
            (task, Back { page: "/posts", ..stays("posted") })
        }
        "intro" => {
            let section = Some(fields.get("section").to_owned()).filter(|section| !section.is_empty());
            let focus = format!("intro-{}", section.as_deref().unwrap_or_default());
            (one(Edit::Intro { section, text: text_of(fields.get("text")) }), Back::to(focus))
        }
        "undo" => (one(Edit::Undo { revision: object.parse().ok()? }), Back::to("said")),
        "opened" => (Task::Mark(Mark::Opened { work: work()? }), stays("opened")),
        "review" => {
            let reviewer = text_of(fields.get("reviewer"));
            (Task::Mark(Mark::Review { work: work()?, reviewer }), stays("more"))
        }
        "reviewed" => (Task::Mark(Mark::Reviewed { work: work()? }), stays("more")),
        "outdated" => (Task::Mark(Mark::Outdated { work: work()?, text: fields.get("outdated").to_owned() }), stays("more")),
        "approve" => (Task::Approve, Back::to("approval")),
        "pull_back" => (Task::PullBack, Back::to("approval")),
        "refresh" => (Task::Refresh(fields.get("draft").to_owned()), Back::to("said")),
        "correct" => (Task::Correct(text_of(fields.get("text"))?), Back::to("corrections")),
        "remove" => (Task::Remove(work()?, text_of(fields.get("text"))?), Back::to("corrections")),
        _ => return None,
    })
}

/// A work as our pages name it.
fn named(text: &str) -> Option<ActivityId> {
    (text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| ActivityId(text.to_owned()))
}

fn text_of(text: &str) -> Option<String> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The place after a pick's, where its section has one.
fn below(before: &DraftView, pick: &PickView) -> Option<u32> {
    let next = pick.place + 1;
    before.picks.iter().any(|other| other.section == pick.section && other.place == next).then_some(next)
}

/// The texts of a form that differ from what stands there.
fn rewordings(pick: &PickView, fields: &Fields) -> Vec<Edit> {
    let given =
        [(Wording::TitleGloss, "gloss", pick.pick.title_gloss.as_deref()), (Wording::Summary, "summary", pick.pick.summary.as_deref())];
    given
        .into_iter()
        .filter_map(|(field, name, stands)| {
            let text = text_of(fields.get(name));
            (text.as_deref() != stands.map(str::trim).filter(|text| !text.is_empty())).then(|| Edit::Reword {
                work: pick.pick.work.clone(),
                field,
                text,
            })
        })
        .collect()
}

/// The posts of a form that differ from what would be posted.
fn posts(week: Week, context: &render::Context, pick: &PickView, fields: &Fields) -> Vec<Edit> {
    Network::ALL
        .into_iter()
        .filter_map(|network| {
            let text = text_of(fields.get(network.as_str()));
            let stands = super::posts::draft_of(context, week, &pick.pick, network);
            (text.as_deref() != Some(stands.trim())).then(|| Edit::Reword {
                work: pick.pick.work.clone(),
                field: Wording::Social(Some(network)),
                text,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_sentences() {
        let week = "2026-W47".parse().unwrap();
        assert_eq!(for_people(&EditError::NoDraft(week)), "There is no draft of 2026-W47 yet.");
        let refused = EditError::Refused(EditRefused("the pick leads already".into()));
        assert_eq!(for_people(&refused), "The pick leads already.");
    }
}
