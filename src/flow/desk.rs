//! What editors see of a week: the draft with their edits laid over, who is next in line, and whether it is fit to be
//! sent. The facts that the checks ask for are gathered here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::decide::EditError;
use super::draft::{leave_out_unwilling, running};
use super::{Context, links};
use crate::config::ChannelKind;
use crate::digest::{self, CheckFacts, Clash, LinkFact, TextFault};
use crate::health;
use crate::model::{
    Activity, ActivityId, BuilderId, CanonicalUrl, Desk, Difference, Digest, DigestState, DraftView, EditRecord, Finding, Gist, LateFind,
    Level, Mark, MarkRecord, Network, Notice, Outcome, OutcomeCode, PastPick, Pick, PickView, Week,
};
use crate::render::{self, Format, RenderError};
use crate::store::{DeskRow, Head, LinkAnswer, StoreError, WorkRow};

/// In the last so many digests an address may not have been.
const SEEN_DIGESTS: u32 = 26;
/// A link that was asked within this time is not asked again before an approval.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// Links that have not answered by then count as not checked.
const PATIENCE: Duration = Duration::from_secs(10);

/// All that editors see of a week. Before its draft is made: the running candidates, which nobody can edit yet.
pub async fn draft_view(ctx: &Context, week: Week) -> Result<DraftView, EditError> {
    let Some(DeskRow { head, mut desk }) = ctx.store.desk(week).await? else { return collecting(ctx, week).await };
    if head.state != DigestState::Published {
        let gone = leave_out_unwilling(ctx, &mut desk.digest).await?;
        desk.notices.extend((gone > 0).then(|| Notice { code: "coming_up".to_owned(), work: None, text: left_out(gone) }));
    }
    let edits = ctx.store.edits(week).await?;
    let marks = ctx.store.marks(week).await?;
    let findings = findings(ctx, &desk, &marks).await?;
    let late_shelf = late_shelf(ctx, &desk.digest).await?;
    Ok(DraftView { late_shelf, ..view(&head, desk, edits, &marks, findings) })
}

/// That entries of what is coming up are not shown, in a sentence that names nobody.
pub(super) fn left_out(entries: usize) -> String {
    let what = if entries == 1 { "1 entry is".to_owned() } else { format!("{entries} entries are") };
    format!("{what} left out of \u{201c}Coming up\u{201d}: nobody who made it may be named any more")
}

/// What differs between a week's digest as it stands and the draft before its edits.
pub async fn compare_with_computed(ctx: &Context, week: Week) -> Result<Difference, EditError> {
    let row = ctx.store.desk(week).await?.ok_or(EditError::NoDraft(week))?;
    let before = ctx.store.draft_before_edits(week).await?;
    Ok(before.map(|before| digest::difference(&before, &row.desk.digest)).unwrap_or_default())
}

/// What differs between a week's digest as it stands and that of another week.
pub async fn compare_with_week(ctx: &Context, week: Week, other: Week) -> Result<Difference, EditError> {
    let row = ctx.store.desk(week).await?.ok_or(EditError::NoDraft(week))?;
    let before = ctx.store.desk(other).await?.ok_or(EditError::NoDraft(other))?;
    Ok(digest::difference(&before.desk.digest, &row.desk.digest))
}

/// What the checks find now.
pub(super) async fn findings(ctx: &Context, desk: &Desk, marks: &[MarkRecord]) -> Result<Vec<Finding>, StoreError> {
    let facts = check_facts(ctx, desk).await?;
    Ok(tokio::task::block_in_place(|| digest::check(desk, marks, &facts)))
}

fn view(head: &Head, desk: Desk, edits: Vec<EditRecord>, marks: &[MarkRecord], findings: Vec<Finding>) -> DraftView {
    let editable = matches!(head.state, DigestState::Draft | DigestState::InReview);
    let clean = findings.iter().all(|finding| finding.level == Level::Warning && finding.ticked_by.is_some());
    DraftView {
        week: head.week,
        state: head.state,
        revision: head.revision,
        draft_hash: head.draft_hash.clone(),
        edit_hash: head.edit_hash.clone(),
        made_at: Some(head.made_at),
        approved_by: head.approved_by.clone(),
        approved_at: head.approved_at,
        publish_at: head.publish_at,
        published_at: head.published_at,
        editable,
        approvable: editable && clean,
        intro: desk.digest.intro.clone(),
        picks: picks(&desk, marks),
        next: desk.next,
        late_shelf: Vec::new(),
        findings,
        notices: desk.notices,
        edits,
        digest: desk.digest,
    }
}

async fn collecting(ctx: &Context, week: Week) -> Result<DraftView, EditError> {
    let running = running(ctx, week).await?;
    let mut desk = tokio::task::block_in_place(|| digest::lay(&running.0, &running.1, &[]));
    desk.digest.keep_late_shelf();
    let late_shelf = late_shelf(ctx, &desk.digest).await?;
    Ok(DraftView {
        week,
        state: DigestState::Collecting,
        revision: 0,
        draft_hash: String::new(),
        edit_hash: None,
        made_at: None,
        approved_by: None,
        approved_at: None,
        publish_at: None,
        published_at: None,
        editable: false,
        approvable: false,
        intro: None,
        picks: picks(&desk, &[]),
        next: desk.next,
        late_shelf,
        findings: Vec::new(),
        notices: Vec::new(),
        edits: Vec::new(),
        digest: desk.digest,
    })
}

/// What lies on the late shelf of a digest, with the names of those who made it.
async fn late_shelf(ctx: &Context, digest: &Digest) -> Result<Vec<LateFind>, StoreError> {
    let late: Vec<&Outcome> = digest.outcomes.iter().filter(|outcome| outcome.code == OutcomeCode::LateShelf).collect();
    let ids: BTreeSet<BuilderId> = late.iter().flat_map(|outcome| outcome.builders.iter().copied()).collect();
    let builders = ctx.store.builders_by_id(ids.into_iter().collect()).await?;
    let names: BTreeMap<BuilderId, String> = builders.into_iter().map(|builder| (builder.id, builder.name)).collect();
    let find = |outcome: &Outcome| LateFind {
        work: outcome.work.clone(),
        title: outcome.title.clone(),
        url: outcome.url.clone(),
        builders: outcome.builders.iter().filter_map(|id| names.get(id).cloned()).collect(),
        text: outcome.text.clone(),
    };
    Ok(late.into_iter().map(find).collect())
}

fn picks(desk: &Desk, marks: &[MarkRecord]) -> Vec<PickView> {
    let mut position = 0;
    let mut views = Vec::new();
    for section in &desk.digest.sections {
        for (place, pick) in (1..).zip(&section.picks) {
            position += 1;
            views.push(PickView {
                position,
                place,
                section: section.category.clone(),
                pinned: desk.pinned.contains(&pick.work),
                rewordings: desk.rewordings.iter().filter(|rewording| rewording.work == pick.work).cloned().collect(),
                others: desk.others.get(&pick.work).cloned().unwrap_or_default(),
                opened: marks
                    .iter()
                    .filter(|mark| matches!(&mark.what, Mark::Opened { work } if pick.is_of(work)))
                    .map(|mark| (mark.by.clone(), mark.at))
                    .collect(),
                review: digest::open_review(marks, pick)
                    .map(|reviewer| reviewer.cloned().unwrap_or_else(|| "somebody who knows the topic".to_owned())),
                outdated: marks
                    .iter()
                    .filter(|mark| matches!(&mark.what, Mark::Outdated { work, .. } if pick.is_of(work)))
                    .cloned()
                    .collect(),
                pick: pick.clone(),
            });
        }
    }
    views
}

async fn check_facts(ctx: &Context, desk: &Desk) -> Result<CheckFacts, StoreError> {
    let picks: Vec<&Pick> = desk.digest.picks().collect();
    let urls: Vec<String> = picks.iter().map(|pick| pick.url.clone()).collect();
    let answers: BTreeMap<String, Vec<LinkAnswer>> = ctx.store.link_answers(urls).await?.into_iter().collect();
    let links = picks.iter().filter_map(|pick| Some((pick.work.clone(), link_fact(answers.get(&pick.url)?)?))).collect();
    let mut keys: BTreeMap<String, ActivityId> = BTreeMap::new();
    for pick in &picks {
        keys.extend(address_keys(pick).into_iter().map(|key| (key, pick.work.clone())));
    }
    let seen = ctx.store.seen_addresses(keys.keys().cloned().collect(), desk.digest.week, SEEN_DIGESTS).await?;
    let ids: Vec<BuilderId> = picks.iter().flat_map(|pick| &pick.builders).map(|builder| builder.id).collect();
    let now = ctx.clock.now();
    let willing: Vec<BuilderId> = ctx
        .store
        .builders_by_id(ids)
        .await?
        .into_iter()
        .filter(|builder| !builder.switches.not_featured && !builder.switches.not_public)
        .map(|builder| builder.id)
        .collect();
    let opted_out = picks
        .iter()
        .flat_map(|pick| pick.builders.iter().map(move |builder| (pick.work.clone(), builder)))
        .filter(|(_, builder)| !willing.contains(&builder.id))
        .map(|(work, builder)| (work, builder.name.clone()))
        .collect();
    let Credited { withdrawn, not_credited } = credited_still(ctx, &picks).await?;
    let mut texts = tokio::task::block_in_place(|| text_faults(ctx, &desk.digest, now));
    texts.extend(silences(ctx, now).await?);
    Ok(CheckFacts {
        links,
        seen: seen.into_iter().filter_map(|(key, week)| Some((keys.get(&key)?.clone(), week))).collect(),
        opted_out,
        withdrawn,
        not_credited,
        clashes: clashes(ctx, desk).await?,
        texts,
        ask_machine_written: ctx.config.editing.ask_machine_written,
    })
}

/// Picks, and builders of picks by name, that the log speaks for no longer.
struct Credited {
    withdrawn: Vec<ActivityId>,
    not_credited: Vec<(ActivityId, String)>,
}

async fn credited_still(ctx: &Context, picks: &[&Pick]) -> Result<Credited, StoreError> {
    let ids: Vec<ActivityId> = picks.iter().flat_map(|pick| pick.members.iter().cloned()).collect();
    let now = ctx.store.resolve_activities(ids).await?;
    let rows = ctx.store.works_of(now.values().cloned().collect()).await?;
    let mut credited = Credited { withdrawn: Vec::new(), not_credited: Vec::new() };
    for pick in picks.iter().filter(|pick| pick.removed.is_none()) {
        let rows: Vec<&WorkRow> = pick.members.iter().filter_map(|member| rows.get(now.get(member).unwrap_or(member))).collect();
        let mut activities = rows.iter().flat_map(|row| &row.activities).peekable();
        // What is not computed now says nothing about who made it.
        if activities.peek().is_none() {
            continue;
        }
        if activities.all(Activity::is_withdrawn) {
            credited.withdrawn.push(pick.work.clone());
            continue;
        }
        let known: BTreeSet<BuilderId> = rows.iter().flat_map(|row| row.builders()).collect();
        let lost = pick.builders.iter().filter(|builder| !known.contains(&builder.id));
        credited.not_credited.extend(lost.map(|builder| (pick.work.clone(), builder.name.clone())));
    }
    Ok(credited)
}

/// What digests of other weeks hold too: the very work, or within the cool-down its builders. Of two drafts that are both
/// open, the later one gives way.
async fn clashes(ctx: &Context, desk: &Desk) -> Result<Vec<Clash>, StoreError> {
    let week = desk.digest.week;
    let mut others = ctx.store.gists().await?;
    others.retain(|(other, ..)| *other != week);
    others.sort_by_key(|(other, ..)| *other);
    let pause = usize::try_from(super::upkeep::effective(ctx, week).config.cool_down).unwrap_or(usize::MAX);
    let before = others.partition_point(|(other, ..)| *other < week);
    let near = before.saturating_sub(pause)..others.len().min(before.saturating_add(pause));
    // What was published long before is never chosen again; only open drafts and the digests near by are worth a look.
    let mut rows: Vec<(bool, Week, Gist)> = Vec::new();
    for (index, (other, state, gist)) in others.into_iter().enumerate() {
        let settled = other < week || matches!(state, DigestState::Approved | DigestState::Published);
        let is_near = near.contains(&index);
        if settled && (is_near || state != DigestState::Published || other > week) {
            rows.push((is_near, other, gist));
        }
    }
    let mut clashes = Vec::new();
    for pick in desk.digest.picks().filter(|pick| pick.removed.is_none()) {
        let same = |other: &PastPick| other.members.iter().any(|member| pick.members.contains(member));
        if let Some((_, week, _)) = rows.iter().find(|(.., gist)| gist.picks.iter().any(same)) {
            clashes.push(Clash { work: pick.work.clone(), week: *week, builder: None });
            continue;
        }
        let held = |builder: BuilderId| {
            let has_place = |gist: &Gist| gist.picks.iter().any(|other| other.builders.contains(&builder));
            rows.iter().find(|(is_near, _, gist)| *is_near && has_place(gist)).map(|(_, week, _)| *week)
        };
        let held: Vec<Option<(Week, String)>> =
            pick.builders.iter().map(|builder| held(builder.id).map(|week| (week, builder.name.clone()))).collect();
        // A work is in cool-down only when all its builders are.
        if held.iter().all(Option::is_some)
            && let Some((week, name)) = held.into_iter().flatten().next()
        {
            clashes.push(Clash { work: pick.work.clone(), week, builder: Some(name) });
        }
    }
    Ok(clashes)
}

/// Digests that are approved and not out yet, and have a place for somebody who does not want one any more, by name.
pub async fn waiting_against_their_word(ctx: &Context) -> Result<Vec<(Week, String)>, StoreError> {
    let mut waiting = Vec::new();
    for (week, _, gist) in ctx.store.gists().await?.into_iter().filter(|(_, state, _)| *state == DigestState::Approved) {
        let ids: Vec<BuilderId> = gist.picks.iter().flat_map(|pick| pick.builders.iter().copied()).collect();
        let builders = ctx.store.builders_by_id(ids).await?;
        let unwilling = builders.into_iter().filter(|builder| builder.switches.not_featured || builder.switches.not_public);
        waiting.extend(unwilling.map(|builder| (week, builder.name)));
    }
    Ok(waiting)
}

/// Digests that are approved and not out yet, and will go out without some of what they announce; each with a sentence.
pub async fn waiting_left_out(ctx: &Context) -> Result<Vec<(Week, String)>, StoreError> {
    let mut waiting = Vec::new();
    for (week, ..) in ctx.store.gists().await?.into_iter().filter(|(_, state, _)| *state == DigestState::Approved) {
        let Some(mut row) = ctx.store.desk(week).await? else { continue };
        let gone = leave_out_unwilling(ctx, &mut row.desk.digest).await?;
        waiting.extend((gone > 0).then(|| (week, left_out(gone))));
    }
    Ok(waiting)
}

/// The keys of all addresses that a pick links to.
pub(super) fn address_keys(pick: &Pick) -> Vec<String> {
    std::iter::once(&pick.url).chain(&pick.also).filter_map(|url| CanonicalUrl::parse(url).ok()).map(|url| url.key()).collect()
}

/// What the last answers of a link say, latest first (RECORD.md section 7).
fn link_fact(answers: &[LinkAnswer]) -> Option<LinkFact> {
    let gone = |status: Option<u16>| matches!(status, Some(404 | 410));
    Some(match answers {
        [] => return None,
        [last, before]
            if gone(last.status) && gone(before.status) && last.at.duration_since(before.at) >= SignedDuration::from_hours(1) =>
        {
            LinkFact::Gone
        }
        [last, ..] => match last.status {
            Some(404 | 410) => LinkFact::Missing,
            Some(200..=299 | 304) => LinkFact::Answers,
            Some(300..=399) => LinkFact::Redirects(String::new()),
            Some(status) => LinkFact::Unknown(format!("it answers {status}")),
            None => LinkFact::Unknown("it did not answer".to_owned()),
        },
    })
}

/// Platforms that cannot be read: what was made there may be missing from the week.
async fn silences(ctx: &Context, now: Timestamp) -> Result<Vec<TextFault>, StoreError> {
    let (sources, states) = (ctx.store.sources().await?, ctx.store.source_states().await?);
    let known = sources.iter().filter_map(|source| Some((source, states.get(&source.id)?)));
    let text = |(site, since): (String, Timestamp)| {
        format!("most sources at {site} cannot be read since {}: what was made there may be missing", since.strftime("%F"))
    };
    let fault = |text| TextFault { level: Level::Warning, code: "sources_silent", work: None, text };
    Ok(health::silent_sites(known, now).into_iter().map(text).map(fault).collect())
}

/// Texts that do not fit where they should go: posts, the mail, images that say nothing to those who cannot see them.
fn text_faults(ctx: &Context, digest: &Digest, now: Timestamp) -> Vec<TextFault> {
    let mut faults = Vec::new();
    for pick in digest.picks() {
        for (name, post) in &pick.social {
            for network in Network::ALL.into_iter().filter(|network| name.is_empty() || network.as_str() == name) {
                let (counted, limit) = (render::post_length(network, post), render::post_limit(network, &ctx.config.social));
                if counted > limit {
                    faults.push(TextFault {
                        level: Level::Error,
                        code: "social_too_long",
                        work: Some(pick.work.clone()),
                        text: format!(
                            "the post for {} about “{}” counts {counted}, {limit} at most are taken",
                            network.as_str(),
                            pick.title
                        ),
                    });
                }
            }
        }
    }
    let context = super::running_context(ctx).published(now);
    let fault = |code, text: String| TextFault { level: Level::Error, code, work: None, text };
    match render::render(digest, &context, Format::Eml) {
        // How large it is is looked at below, with all that is in it.
        Ok(_) | Err(RenderError::MailTooLong { .. }) => {}
        Err(error) => faults.push(fault("cannot_be_rendered", format!("the mail: {error}"))),
    }
    match mail_bytes(ctx, digest, &context) {
        Ok(bytes) if bytes > render::MAIL_MOST => faults.push(fault(
            "mail_too_large",
            format!(
                "the mail has {bytes} bytes, {} at most are sent whole by large mail services: take works out, or shorten their summaries",
                render::MAIL_MOST
            ),
        )),
        Ok(bytes) if bytes > render::MAIL_LARGE => {
            let text = format!("the mail has {bytes} bytes; from {} on some mail programs cut it off", render::MAIL_MOST);
            faults.push(TextFault { level: Level::Warning, ..fault("mail_large", text) });
        }
        Ok(_) => {}
        Err(error) => faults.push(fault("cannot_be_rendered", format!("the mail: {error}"))),
    }
    match render::render(digest, &context, Format::Html) {
        Ok(bytes) if images_without_text(&String::from_utf8_lossy(&bytes)) => {
            faults.push(fault("image_without_text", "an image on the page has no text for those who cannot see it".to_owned()));
        }
        Ok(_) => {}
        Err(error) => faults.push(fault("cannot_be_rendered", format!("the page: {error}"))),
    }
    faults
}

/// The bytes of the largest mail of any list.
fn mail_bytes(ctx: &Context, digest: &Digest, context: &render::Context) -> Result<usize, RenderError> {
    let mut largest = render::mail_bytes(digest, context)?;
    for config in ctx.config.delivery.iter().filter(|config| config.kind == ChannelKind::Smtp && config.enabled) {
        let of_list = render::Context { unsubscribe: config.unsubscribe.clone(), utm: config.utm, ..context.clone() };
        largest = largest.max(render::mail_bytes(digest, &of_list)?);
    }
    Ok(largest)
}

fn images_without_text(html: &str) -> bool {
    html.match_indices("<img").any(|(start, _)| {
        let tag = &html[start..];
        let tag = &tag[..tag.find('>').unwrap_or(tag.len())];
        !tag.contains(" alt=")
    })
}

/// Asks the links of a draft's picks as an approval would, so that what it will warn of is seen before it is tried.
pub async fn ask_links_of(ctx: &Context, week: Week) -> Result<(), StoreError> {
    match ctx.store.desk(week).await? {
        Some(row) if matches!(row.head.state, DigestState::Draft | DigestState::InReview) => ask_links(ctx, &row.desk).await,
        _ => Ok(()),
    }
}

/// Asks the links of picks that were not asked within the last hour, all at once, and waits a little for them. A link
/// that has not answered by then stays unknown, which is a warning.
pub(super) async fn ask_links(ctx: &Context, desk: &Desk) -> Result<(), StoreError> {
    let now = ctx.clock.now();
    let urls: Vec<String> = desk.digest.picks().map(|pick| pick.url.clone()).filter(|url| !url.is_empty()).collect();
    let stale: Vec<String> = ctx
        .store
        .link_answers(urls)
        .await?
        .into_iter()
        .filter(|(_, answers)| answers.first().is_none_or(|last| now.duration_since(last.at) >= FRESH))
        .map(|(url, _)| url)
        .collect();
    let mut asked = JoinSet::new();
    for url in stale {
        let ctx = ctx.clone();
        asked.spawn(async move {
            let answer = links::ask(&ctx, &url).await;
            (url, answer)
        });
    }
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while let Ok(Some(done)) = tokio::time::timeout_at(deadline, asked.join_next()).await {
        if let Ok((url, Some(status))) = done {
            ctx.store.record_link_check(&url, status, ctx.clock.now()).await?;
        }
    }
    Ok(())
}
