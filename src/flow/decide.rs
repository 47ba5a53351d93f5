//! What a person wants done: checked, then logged; for pages, API and commands alike.
//!
//! An edit is laid over the draft first and kept only if it makes sense there; it carries the revision that its author
//! saw, and is refused with what happened since if somebody else was first.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Context;
use super::desk::{ask_links, draft_view, findings};
use super::draft::{DraftError, hash_of, running_with};
use super::upkeep::adopt_for;
use crate::digest::{self, EditRefused};
use crate::model::{
    ActivityId, CanonicalUrl, Contender, DecisionKind, Difference, Digest, DigestState, DraftView, Edit, EditRecord, Finding, FixedPoints,
    Level, Mark, MarkRecord, Outcome, OutcomeCode, Pick, Pool, Seq, SourceId, Week,
};
use crate::store::{
    DeskRow, DigestRow, DraftParts, Head, NewApproval, NewDraft, NewEdit, Refresh, RosterChange, Standing, StoreError, Taken,
};

/// Why something was not done to a draft.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error(transparent)]
    Refused(#[from] EditRefused),
    #[error("the draft of {week} changed meanwhile; this was thought of at revision {on}, it is at {now} now:{}", told(.since))]
    Clash {
        week: Week,
        /// The revision that was seen.
        on: u32,
        now: u32,
        /// What happened in between.
        since: Vec<EditRecord>,
    },
    #[error("{}", Standing::NoDraft(*.0))]
    NoDraft(Week),
    #[error("the draft of {week} cannot be approved:{}", listed(.findings))]
    Blocked { week: Week, findings: Vec<Finding> },
    #[error("the draft of {week} has warnings that nobody ticked:{}", listed(.findings))]
    Unticked { week: Week, findings: Vec<Finding> },
    #[error("{0}")]
    Draft(DraftError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DraftError> for EditError {
    fn from(error: DraftError) -> Self {
        match error {
            DraftError::Store(error) => Self::Store(error),
            other => Self::Draft(other),
        }
    }
}

fn told(since: &[EditRecord]) -> String {
    if since.is_empty() {
        return " look at it again".to_owned();
    }
    let lines: Vec<String> = since.iter().map(|record| format!("\n  {}. {} {}", record.revision, record.by, record.text)).collect();
    lines.concat()
}

fn listed(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(|finding| format!("\n  {} [{}] {}", finding.key, finding.code, finding.text)).collect();
    lines.concat()
}

/// Who wants something done to a draft, and on what revision of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub by: String,
    pub note: Option<String>,
    /// The revision that the person saw; `None` takes the newest.
    pub on: Option<u32>,
}

impl Wish {
    /// Of somebody who saw the newest revision.
    pub fn by(person: &str) -> Self {
        Self { by: person.to_owned(), note: None, on: None }
    }
}

/// Lays an edit over the draft of a week, and keeps it. Answers with the week as it stands then.
pub async fn edit(ctx: &Context, week: Week, edit: &Edit, wish: &Wish) -> Result<DraftView, EditError> {
    if *edit == Edit::Refresh {
        return refresh(ctx, week, None, wish).await;
    }
    let parts = parts(ctx, week).await?;
    refuse_clash(&parts, wish)?;
    let DraftParts { head, base, mut pool, edits } = parts;
    let mut brought = placed_elsewhere(ctx, &head, &pool, edit).await?;
    pool.contenders.extend(brought.iter().cloned());
    let older = older(ctx, &head, &base, &pool, edit).await?;
    pool.contenders.extend(older.iter().cloned());
    brought.extend(older);
    let laid = tokio::task::block_in_place(|| digest::try_edit(&base, &pool, &edits, edit))?;
    let beside = match &laid.edit {
        Edit::Merge { one, other } => vec![DecisionKind::Merge { one: one.clone(), other: other.clone() }],
        Edit::Split { one, other } => vec![DecisionKind::Split { one: one.clone(), other: other.clone() }],
        // A pair that a person joined and parted again is never joined by itself; a split that is taken back never was.
        Edit::Undo { revision } => match edits.iter().find(|record| record.revision == *revision).map(|record| &record.what) {
            Some(Edit::Merge { one, other }) => vec![DecisionKind::Split { one: one.clone(), other: other.clone() }],
            Some(Edit::Split { one, other }) => vec![DecisionKind::Unsplit { one: one.clone(), other: other.clone() }],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    let new = NewEdit {
        week,
        on: head.revision,
        draft: head.draft_seq,
        by: wish.by.clone(),
        at: ctx.clock.now(),
        note: note(wish.note.as_deref()),
        edit_hash: digest::edit_hash(&with(&edits, &laid.edit, ctx.clock.now())),
        edit: laid.edit,
        text: laid.text,
        desk: laid.desk,
        beside,
        brought,
    };
    match ctx.store.record_edit(new).await? {
        Taken::Done(_) => draft_view(ctx, week).await,
        Taken::Clash(now) => Err(clash(ctx, week, head.revision, now).await?),
    }
}

/// Of what a merge names, that which has its place in another digest: only to be one work with what is in this draft.
async fn placed_elsewhere(ctx: &Context, head: &Head, pool: &Pool, edit: &Edit) -> Result<Vec<Contender>, EditError> {
    let Edit::Merge { one, other } = edit else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let is_known = |work: &ActivityId| pool.contenders.iter().any(|known| known.pick.is_of(work));
    let unknown: Vec<&ActivityId> = [one, other].into_iter().filter(|work| !is_known(work)).collect();
    if unknown.is_empty() {
        return Ok(found);
    }
    let gists = ctx.store.gists().await?;
    let picked: Vec<ActivityId> = gists.iter().flat_map(|(.., gist)| &gist.picks).flat_map(|pick| pick.members.iter().cloned()).collect();
    let now = ctx.store.resolve_activities(picked).await?;
    for work in unknown {
        let Some(row) = ctx.store.work_of(work).await? else { continue };
        let members: Vec<ActivityId> = row.work.members.iter().map(|member| member.activity.clone()).collect();
        let is_of_it = |id: &ActivityId| members.contains(now.get(id).unwrap_or(id));
        let places = gists.iter().filter(|(week, ..)| *week != head.week);
        let mut places = places.filter(|(.., gist)| gist.picks.iter().any(|pick| pick.members.iter().any(is_of_it)));
        let Some((week, state, _)) = places.next() else { continue };
        let Some(digest) = ctx.store.digest(*week).await? else { continue };
        let Some(pick) = digest.digest.picks().find(|pick| pick.members.iter().any(is_of_it)) else { continue };
        let fault = if *state == DigestState::Published {
            (OutcomeCode::AlreadyFeatured, format!("it was featured before, in the digest of {week}"))
        } else {
            (OutcomeCode::Reserved, format!("the draft of {week}, not yet published, holds it"))
        };
        let title = row.primary().map_or_else(|| pick.title.clone(), |primary| primary.title.clone());
        found.push(Contender {
            pick: Pick { work: row.work.id.clone(), members, title, reasons: Vec::new(), ..pick.clone() },
            credited: row.builders().into_iter().collect(),
            nominators: Vec::new(),
            fault: Some(fault),
            fixed: FixedPoints::default(),
            owed: (0, 0),
            owed_text: (String::new(), String::new()),
            led_lately: false,
        });
    }
    Ok(found)
}

/// The works that an edit names and that came out too long before the draft to be candidates of it, as far as they can be
/// pinned all the same.
async fn older(ctx: &Context, head: &Head, base: &Digest, pool: &Pool, edit: &Edit) -> Result<Vec<Contender>, EditError> {
    let is_known = |work: &ActivityId| {
        pool.contenders.iter().any(|known| known.pick.is_of(work))
            || base.outcomes.iter().any(|known| known.work == *work || known.members.contains(work))
    };
    let mut named = Vec::new();
    for work in edit.works().into_iter().filter(|work| !is_known(work)) {
        // What came in after the draft was made is in it after a refresh.
        let row = ctx.store.work_of(work).await?;
        let first_seen = row.as_ref().and_then(|row| row.activities.iter().map(|activity| activity.first_seen_at).min());
        if first_seen.is_some_and(|first_seen| first_seen <= head.made_at) {
            named.push(work.clone());
        }
    }
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let now = running_with(ctx, head.week, named.clone()).await?;
    let (digest, now) = (&now.0, &now.1);
    let about = |work: &ActivityId, members: &[ActivityId]| named.iter().any(|named| named == work || members.contains(named));
    let brought: Vec<Contender> =
        now.contenders.iter().filter(|contender| about(&contender.pick.work, &contender.pick.members)).cloned().collect();
    let is_brought = |work: &ActivityId| brought.iter().any(|contender| contender.pick.work == *work);
    match digest.outcomes.iter().find(|outcome| about(&outcome.work, &outcome.members) && !is_brought(&outcome.work)) {
        Some(Outcome { title, text, .. }) => {
            Err(EditRefused(format!("\u{201c}{title}\u{201d} cannot have a place in this draft: {text}")).into())
        }
        None => Ok(brought),
    }
}

/// What a refresh would change.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RefreshPreview {
    pub week: Week,
    pub revision: u32,
    /// Names what was shown: a refresh with it is refused where something else would come of it by then.
    pub token: String,
    pub difference: Difference,
    /// Edits that would do nothing any more, and the like.
    pub notices: Vec<crate::model::Notice>,
}

/// What would change if the draft were computed anew, from the log as it is now.
pub async fn preview_refresh(ctx: &Context, week: Week) -> Result<RefreshPreview, EditError> {
    let DeskRow { head, desk: before } = ctx.store.desk(week).await?.ok_or(EditError::NoDraft(week))?;
    let edits = ctx.store.edits(week).await?;
    let running = running_with(ctx, week, named(&edits)).await?;
    let (digest, pool) = (&running.0, &running.1);
    let token = token_of(digest)?;
    let desk = tokio::task::block_in_place(|| digest::try_edit(digest, pool, &edits, &Edit::Refresh))?.desk;
    Ok(RefreshPreview {
        week,
        revision: head.revision,
        token,
        difference: digest::difference(&before.digest, &desk.digest),
        notices: desk.notices,
    })
}

/// Computes the draft anew from the log as it is now, and begins the choice again from the pins and drops; texts and
/// order are laid over it. With the token of a preview it is refused if something else would come of it by now.
pub async fn refresh(ctx: &Context, week: Week, token: Option<&str>, wish: &Wish) -> Result<DraftView, EditError> {
    let parts = parts(ctx, week).await?;
    refuse_clash(&parts, wish)?;
    if !matches!(parts.head.state, crate::model::DigestState::Draft | crate::model::DigestState::InReview) {
        return Err(DraftError::Settled { week, state: parts.head.state }.into());
    }
    adopt_for(ctx, week).await?;
    let (digest, pool) = Arc::unwrap_or_clone(running_with(ctx, week, named(&parts.edits)).await?);
    if token.is_some_and(|token| token_of(&digest).ok().as_deref() != Some(token)) {
        return Err(EditRefused("the log moved meanwhile: look again at what a refresh would change".to_owned()).into());
    }
    let hash = hash_of(&digest)?;
    keep_refresh(ctx, parts, digest, pool, hash, wish).await
}

/// All works that the edits of a draft name: they are looked at again, however long ago they came out.
fn named(edits: &[EditRecord]) -> Vec<ActivityId> {
    edits.iter().filter(|record| record.undone_by.is_none()).flat_map(|record| record.what.works()).cloned().collect()
}

async fn keep_refresh(
    ctx: &Context,
    parts: DraftParts,
    digest: Digest,
    pool: Pool,
    hash: String,
    wish: &Wish,
) -> Result<DraftView, EditError> {
    let DraftParts { head, edits, .. } = parts;
    let now = ctx.clock.now();
    let laid = tokio::task::block_in_place(|| digest::try_edit(&digest, &pool, &edits, &Edit::Refresh))?;
    let refresh = Refresh {
        on: head.revision,
        draft: head.draft_seq,
        by: wish.by.clone(),
        note: note(wish.note.as_deref()),
        edit_hash: digest::edit_hash(&with(&edits, &Edit::Refresh, now)),
    };
    let draft = NewDraft { digest, hash, at: now, pool, desk: laid.desk, refresh: Some(refresh) };
    match ctx.store.put_draft(draft).await? {
        Taken::Done(_) => draft_view(ctx, head.week).await,
        Taken::Clash(revision) => Err(clash(ctx, head.week, head.revision, revision).await?),
    }
}

/// Names what a computation came to, whatever the log's length.
fn token_of(digest: &Digest) -> Result<String, StoreError> {
    hash_of(&Digest { cutoff_seq: Seq(0), late: false, ..digest.clone() })
}

/// Sets a mark: "I opened it", a tick of a warning, a review asked for or done, a word to the author.
pub async fn mark(ctx: &Context, week: Week, mark: Mark, wish: &Wish) -> Result<DraftView, EditError> {
    let row = ctx.store.desk(week).await?.ok_or(EditError::NoDraft(week))?;
    let refused = |text: String| Err(EditError::Refused(EditRefused(text)));
    let picked = |work: &ActivityId| row.desk.digest.picks().find(|pick| pick.is_of(work));
    let mark = match mark {
        Mark::Accepted { key } => {
            let marks = ctx.store.marks(week).await?;
            may_tick(&findings(ctx, &row.desk, &marks).await?, &key)?;
            Mark::Accepted { key }
        }
        Mark::Outdated { work, text } => {
            let text: String = text.trim().chars().take(2_000).collect();
            if text.is_empty() {
                return refused("say what is outdated".to_owned());
            }
            Mark::Outdated { work, text }
        }
        Mark::Review { work, reviewer } => {
            let reviewer = reviewer.map(|name| name.trim().chars().take(80).collect::<String>()).filter(|name| !name.is_empty());
            let by_topic = || {
                let pick = picked(&work)?;
                let of_topic =
                    |topic: &str| *topic == pick.category || pick.services.iter().any(|service| service.eq_ignore_ascii_case(topic));
                ctx.config.editing.reviewers.iter().find(|reviewer| of_topic(&reviewer.topic)).map(|reviewer| reviewer.person.clone())
            };
            Mark::Review { reviewer: reviewer.or_else(by_topic), work }
        }
        other => other,
    };
    if let Mark::Opened { work } | Mark::Review { work, .. } | Mark::Reviewed { work } | Mark::Outdated { work, .. } = &mark
        && picked(work).is_none()
    {
        return refused(format!("{work} is not among the picks of {week}"));
    }
    let record = MarkRecord { at: ctx.clock.now(), by: wish.by.clone(), what: mark, note: note(wish.note.as_deref()) };
    ctx.store.record_mark(week, record).await?;
    draft_view(ctx, week).await
}

/// How an approval treats warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warnings {
    /// Each must have been ticked before.
    Ticked,
    /// The one who approves has them before them and accepts those that are open: they are ticked with the approval.
    Accept,
}

/// Approves the draft as its author saw it. Errors block; links that were not asked within the last hour are asked first.
/// Answers with the row, whose `publish_at` tells when the cooling-off is over.
pub async fn approve_draft(ctx: &Context, week: Week, warnings: Warnings, wish: &Wish) -> Result<DigestRow, EditError> {
    approve_with(ctx, week, warnings, Vec::new(), wish).await
}

/// The same with ticks that came with the approval. Where the draft moved since they were thought of, none of them is kept;
/// where something else still speaks against it, they are.
pub async fn approve_with(ctx: &Context, week: Week, warnings: Warnings, ticks: Vec<Mark>, wish: &Wish) -> Result<DigestRow, EditError> {
    let row = ctx.store.desk(week).await?.ok_or(EditError::NoDraft(week))?;
    if let Some(on) = wish.on.filter(|on| *on != row.head.revision) {
        return Err(clash(ctx, week, on, row.head.revision).await?);
    }
    if matches!(row.head.state, crate::model::DigestState::Draft | crate::model::DigestState::InReview) {
        ask_links(ctx, &row.desk).await?;
    }
    approve_as_is(ctx, row, warnings, ticks, wish).await
}

async fn approve_as_is(
    ctx: &Context,
    row: crate::store::DeskRow,
    warnings: Warnings,
    ticks: Vec<Mark>,
    wish: &Wish,
) -> Result<DigestRow, EditError> {
    let week = row.head.week;
    let now = ctx.clock.now();
    let marked = |what: Mark| MarkRecord { at: now, by: wish.by.clone(), what, note: None };
    let ticks: Vec<MarkRecord> = ticks.into_iter().map(marked).collect();
    let marks = [ctx.store.marks(week).await?, ticks.clone()].concat();
    let found = findings(ctx, &row.desk, &marks).await?;
    for tick in &ticks {
        if let Mark::Accepted { key } = &tick.what {
            may_tick(&found, key)?;
        }
    }
    let (errors, warned): (Vec<Finding>, Vec<Finding>) = found.into_iter().partition(|finding| finding.level == Level::Error);
    let open: Vec<Finding> = warned.into_iter().filter(|finding| finding.ticked_by.is_none()).collect();
    let is_open = matches!(row.head.state, crate::model::DigestState::Draft | crate::model::DigestState::InReview);
    let against = if !errors.is_empty() {
        Some(EditError::Blocked { week, findings: errors })
    } else if !open.is_empty() && warnings == Warnings::Ticked {
        Some(EditError::Unticked { week, findings: open.clone() })
    } else {
        None
    };
    if let Some(against) = against.filter(|_| is_open) {
        return match ctx.store.record_marks_on(week, row.head.revision, row.head.draft_hash.clone(), ticks).await? {
            Taken::Done(_) => Err(against),
            Taken::Clash(revision) => Err(clash(ctx, week, row.head.revision, revision).await?),
        };
    }
    let cooling = SignedDuration::try_from(ctx.config.digest.cooling_off.0).unwrap_or(SignedDuration::ZERO);
    let publish_at: Timestamp = now.saturating_add(cooling).unwrap_or(now);
    let approval = NewApproval {
        week,
        hash: row.head.draft_hash.clone(),
        revision: row.head.revision,
        by: wish.by.clone(),
        note: note(wish.note.as_deref()),
        now,
        publish_at,
        marks: ticks.into_iter().chain(open.into_iter().map(|finding| marked(Mark::Accepted { key: finding.key }))).collect(),
    };
    match ctx.store.approve(approval).await? {
        Taken::Done(_) => ctx.store.digest(week).await?.ok_or(EditError::NoDraft(week)),
        Taken::Clash(revision) => Err(clash(ctx, week, row.head.revision, revision).await?),
    }
}

/// Approves the draft of a week as it stands, without asking its links; open warnings are accepted with it.
pub async fn approve(ctx: &Context, week: Week, by: &str, note: Option<String>) -> Result<DigestRow, StoreError> {
    let refused = |error: EditError| match error {
        EditError::Store(error) => error,
        other => StoreError::Refused(other.to_string()),
    };
    let row = ctx.store.desk(week).await?.ok_or_else(|| refused(EditError::NoDraft(week)))?;
    approve_as_is(ctx, row, Warnings::Accept, Vec::new(), &Wish { by: by.to_owned(), note, on: None }).await.map_err(refused)
}

/// Refuses a tick of what is no warning.
fn may_tick(found: &[Finding], key: &str) -> Result<(), EditRefused> {
    match found.iter().find(|finding| finding.key == key) {
        Some(Finding { level: Level::Warning, .. }) => Ok(()),
        Some(finding) => Err(EditRefused(format!("this one blocks and cannot be ticked: {}", finding.text))),
        None => Err(EditRefused(format!("no warning `{key}` is open: look at the checks again"))),
    }
}

/// Takes an approval back before publication; the draft can be edited again.
pub async fn pull_back(ctx: &Context, week: Week, wish: &Wish) -> Result<DraftView, EditError> {
    ctx.store.pull_back(week, wish.by.clone(), note(wish.note.as_deref()), ctx.clock.now()).await?;
    draft_view(ctx, week).await
}

/// The work that a person names: by its position on the page, by the beginning of its id, or by one of its addresses.
pub async fn find_work(ctx: &Context, week: Week, named: &str) -> Result<ActivityId, EditError> {
    let named = named.trim();
    let refused = |text: String| Err(EditError::Refused(EditRefused(text)));
    let parts = parts(ctx, week).await?;
    let desk = tokio::task::block_in_place(|| digest::lay(&parts.base, &parts.pool, &parts.edits));
    if !named.is_empty() && named.len() <= 3 && named.bytes().all(|byte| byte.is_ascii_digit()) {
        let position: usize = named.parse().unwrap_or(0);
        return match position.checked_sub(1).and_then(|index| desk.digest.picks().nth(index)) {
            Some(pick) => Ok(pick.work.clone()),
            None => refused(format!("the draft of {week} has no pick {named}")),
        };
    }
    let coming = &desk.digest.coming_up;
    if named.len() >= 6 && named.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let named = named.to_ascii_lowercase();
        let known = parts.base.outcomes.iter().flat_map(|outcome| outcome.members.iter().chain([&outcome.work]));
        let known = known.chain(coming.iter().map(|coming| &coming.activity));
        let mut found: Vec<&ActivityId> = known.filter(|id| id.as_str().starts_with(&named)).collect();
        found.sort_unstable();
        found.dedup();
        return match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] => refused(format!("no work of this draft has an id that begins with {named}")),
            several => refused(format!("{} works have an id that begins with {named}: write more of it", several.len())),
        };
    }
    if let Ok(url) = CanonicalUrl::parse(named) {
        // An announcement may be gone from the log, or stand at the address of others.
        let is_there = |url_of: &str| CanonicalUrl::parse(url_of).is_ok_and(|other| other.key() == url.key());
        let has_place = desk.digest.picks().any(|pick| std::iter::once(&pick.url).chain(&pick.also).any(|url| is_there(url)));
        if let Some(coming) = coming.iter().find(|coming| !has_place && is_there(&coming.url)) {
            return Ok(coming.activity.clone());
        }
        let at = ctx.store.activities_at(&url.key()).await?;
        return match at.into_iter().next() {
            Some(activity) => Ok(activity.id),
            None => refused(format!("no work with the address {url} is in the log: `clarion explain` says why")),
        };
    }
    refused(format!(
        "`{}` names no work: give its position, the beginning of its id, or its address",
        named.chars().take(60).collect::<String>()
    ))
}

async fn parts(ctx: &Context, week: Week) -> Result<DraftParts, EditError> {
    ctx.store.draft_parts(week).await?.ok_or(EditError::NoDraft(week))
}

fn refuse_clash(parts: &DraftParts, wish: &Wish) -> Result<(), EditError> {
    match wish.on {
        Some(on) if on != parts.head.revision => Err(EditError::Clash {
            week: parts.head.week,
            on,
            now: parts.head.revision,
            since: parts.edits.iter().filter(|record| record.revision > on).cloned().collect(),
        }),
        _ => Ok(()),
    }
}

async fn clash(ctx: &Context, week: Week, on: u32, now: u32) -> Result<EditError, StoreError> {
    let since = ctx.store.edits(week).await?.into_iter().filter(|record| record.revision > on).collect();
    Ok(EditError::Clash { week, on, now, since })
}

/// The edits with one more, as far as its hash is concerned.
fn with(edits: &[EditRecord], edit: &Edit, at: Timestamp) -> Vec<EditRecord> {
    let mut edits = edits.to_vec();
    let revision = edits.last().map_or(1, |last| last.revision.saturating_add(1));
    if let Edit::Undo { revision: undone } = edit
        && let Some(record) = edits.iter_mut().find(|record| record.revision == *undone)
    {
        record.undone_by = Some(revision);
    }
    edits.push(EditRecord { revision, at, by: String::new(), what: edit.clone(), note: None, undone_by: None, text: String::new() });
    edits
}

/// A note as it is kept.
fn note(text: Option<&str>) -> Option<String> {
    text.map(|text| text.trim().chars().take(2_000).collect::<String>()).filter(|text| !text.is_empty())
}

/// Pauses a source, or lets it be polled again.
pub async fn set_paused(ctx: &Context, source: SourceId, paused: bool, by: &str) -> Result<(), StoreError> {
    ctx.store.change_roster_by(vec![RosterChange::Paused { source, paused }], by, ctx.clock.now()).await?;
    Ok(())
}
