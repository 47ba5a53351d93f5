//! An approved digest: rendered, sealed, and from then on unchanged.

use jiff::Timestamp;

use serde_json::json;

use super::Context;
use super::desk::{address_keys, findings, left_out};
use super::draft::leave_out_unwilling;
use crate::model::{ActivityId, Correction, DigestState, Finding, Level, OutcomeCode, Week, sha256_hex};
use crate::render::{self, Format, RenderError};
use crate::store::{DigestRow, EditionKind, NewEdition, Sealing, Standing, StoreError};

/// Who takes an approval back where nobody did.
const PROGRAM: &str = "clarion";

/// Why a digest was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("{}", Standing::NoDraft(*.0))]
    NoDraft(Week),
    #[error("{}", Standing::NotApproved(*.0))]
    NotApproved(Week),
    #[error("the digest of {week} is in its cooling-off until {until:.0}: publish it then")]
    CoolingOff { week: Week, until: Timestamp },
    #[error(
        "the digest of {week} was not published, and its approval is taken back:{}\nedit the draft, and approve it again",
        told(.findings)
    )]
    PulledBack { week: Week, findings: Vec<Finding> },
    #[error("the digest cannot be rendered: {0}")]
    Render(#[from] RenderError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the outputs of a week need whose draft is not made yet.
pub fn running_context(ctx: &Context) -> render::Context {
    render::Context { social: ctx.config.social.clone(), ..render::Context::new(&ctx.config.program, ctx.config.web.public_url.as_str()) }
}

/// What outputs need beside the digest itself, without corrections.
pub fn render_context(ctx: &Context, row: &DigestRow) -> render::Context {
    let context =
        render::Context { state: row.state, edition: row.edition.max(1), edit_hash: row.edit_hash.clone(), ..running_context(ctx) };
    match row.published_at {
        Some(at) => context.published(at),
        None => context,
    }
}

/// The same, with the corrections of this digest, and those made to others since the one before it went out.
pub async fn edition_context(ctx: &Context, row: &DigestRow) -> Result<render::Context, StoreError> {
    let now = ctx.clock.now();
    let published_at = row.published_at.unwrap_or(now);
    let before = ctx.store.published_before(published_at).await?.unwrap_or(Timestamp::MIN);
    let mut earlier_corrections = ctx.store.corrections(before, published_at).await?;
    earlier_corrections.retain(|correction| correction.week != row.week);
    let mut corrections = ctx.store.corrections(Timestamp::MIN, Timestamp::MAX).await?;
    corrections.retain(|correction| correction.week == row.week);
    let (feed_host, week_hosts) = ctx.store.id_hosts().await?;
    Ok(render::Context { corrections, earlier_corrections, feed_host, week_hosts, ..render_context(ctx, row) })
}

/// Renders every format of an approved digest and seals the bytes. Published already: nothing happens.
pub async fn publish(ctx: &Context, week: Week, by: &str) -> Result<DigestRow, PublishError> {
    let now = ctx.clock.now();
    let mut row = ctx.store.digest(week).await?.ok_or(PublishError::NoDraft(week))?;
    match row.state {
        DigestState::Published => return Ok(row),
        DigestState::Approved => {}
        DigestState::Draft | DigestState::InReview | DigestState::Collecting => return Err(PublishError::NotApproved(week)),
    }
    if let Some(until) = row.publish_at.filter(|until| *until > now) {
        return Err(PublishError::CoolingOff { week, until });
    }
    refuse_unwanted(ctx, week, now).await?;
    let gone = leave_out_unwilling(ctx, &mut row.digest).await?;
    let context = edition_context(ctx, &row).await?.published(now);
    let why = EditionKind::Publication { digest: (gone > 0).then(|| Box::new(row.digest.clone())) };
    let edition = edition(&row, &context, why, by, (gone > 0).then(|| left_out(gone)), now)?;
    ctx.store.seal(edition).await?;
    tracing::info!(week = %week, "published the digest of {week}");
    // It is out, whatever becomes of sending it: what is not planned here is planned at the next tick.
    if let Err(error) = super::plan_deliveries(ctx, week).await {
        tracing::error!(week = %week, "where the digest of {week} goes could not be planned: {error}");
    }
    ctx.store.digest(week).await?.ok_or(PublishError::NoDraft(week))
}

/// Takes the approval back where somebody in the digest does not want to be featured any more, or a work was taken back: the
/// cooling-off is for that too, and silence of editors publishes nobody against their word.
async fn refuse_unwanted(ctx: &Context, week: Week, now: Timestamp) -> Result<(), PublishError> {
    let Some(desk) = ctx.store.desk(week).await? else { return Err(PublishError::NoDraft(week)) };
    let findings: Vec<Finding> = findings(ctx, &desk.desk, &[])
        .await?
        .into_iter()
        .filter(|finding| finding.level == Level::Error && matches!(finding.code.as_str(), "opted_out" | "withdrawn"))
        .collect();
    if findings.is_empty() {
        return Ok(());
    }
    let why: Vec<&str> = findings.iter().map(|finding| finding.text.as_str()).collect();
    ctx.store.pull_back(week, PROGRAM.to_owned(), Some(why.join("; ")), now).await?;
    Err(PublishError::PulledBack { week, findings })
}

fn told(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(|finding| format!("\n  {}", finding.text)).collect();
    lines.concat()
}

/// Puts a mistake in a published digest right, in words: a new edition, which names the hash of the one before.
pub async fn correct(ctx: &Context, week: Week, text: &str, by: &str, note: Option<String>) -> Result<DigestRow, PublishError> {
    let row = published(ctx, week).await?;
    let text = sentence(text).ok_or_else(|| StoreError::Refused("say what is put right".to_owned()))?;
    let now = ctx.clock.now();
    let mut context = next_context(ctx, &row).await?;
    context.corrections.push(Correction { week, at: now, text: text.clone() });
    ctx.store.seal(edition(&row, &context, EditionKind::Correction { text }, by, note, now)?).await?;
    tracing::info!(week = %week, "corrected the digest of {week}");
    ctx.store.digest(week).await?.ok_or(PublishError::NoDraft(week))
}

/// Takes a work out of a published digest, for legal or safety reasons: a new edition has a line in its place that says
/// so, and the bytes of earlier editions go. The work was featured all the same, and is not featured again. So goes what
/// is only announced in it, and is not announced again.
pub async fn remove(ctx: &Context, week: Week, work: &ActivityId, reason: &str, by: &str) -> Result<DigestRow, PublishError> {
    let row = published(ctx, week).await?;
    let reason = sentence(reason).ok_or_else(|| StoreError::Refused("say why it is taken out: readers are told".to_owned()))?;
    let now = ctx.clock.now();
    let told = |what: &str| format!("{what} was taken out of this digest on {}: {reason}", now.strftime("%-d %B %Y"));
    let mut text = told("A work");
    let mut digest = row.digest.clone();
    let about = |id: &ActivityId, members: &[ActivityId]| id == work || members.contains(work);
    let pick = digest.sections.iter_mut().flat_map(|section| &mut section.picks).find(|pick| about(&pick.work, &pick.members));
    let work = match pick {
        Some(pick) if pick.removed.is_some() => {
            return Err(StoreError::Refused(format!("{work} was taken out of the digest of {week} already")).into());
        }
        Some(pick) => {
            pick.take_out(text.clone());
            pick.work.clone()
        }
        // What is only announced leaves no line behind; the correction tells of it.
        None => {
            let before = digest.coming_up.len();
            digest.coming_up.retain(|coming| coming.activity != *work);
            if digest.coming_up.len() == before {
                return Err(StoreError::Refused(format!("{work} is not in the digest of {week}")).into());
            }
            text = told("An entry of \u{201c}Coming up\u{201d}");
            work.clone()
        }
    };
    let about = |id: &ActivityId, members: &[ActivityId]| *id == work || members.contains(&work);
    for outcome in digest.outcomes.iter_mut().filter(|outcome| about(&outcome.work, &outcome.members)) {
        outcome.title.clear();
        outcome.url = None;
        outcome.code = OutcomeCode::Removed;
        outcome.text.clone_from(&text);
        outcome.reasons.clear();
    }
    let row = DigestRow { digest: digest.clone(), ..row };
    let mut context = next_context(ctx, &row).await?;
    context.corrections.push(Correction { week, at: now, text: text.clone() });
    let why = EditionKind::Removal { work, reason, text, digest: Box::new(digest) };
    ctx.store.seal(edition(&row, &context, why, by, None, now)?).await?;
    tracing::info!(week = %week, "took a work out of the digest of {week}");
    // What had not gone out yet goes out without it.
    if let Err(error) = super::plan_deliveries(ctx, week).await {
        tracing::error!(week = %week, "where the digest of {week} goes could not be planned again: {error}");
    }
    ctx.store.digest(week).await?.ok_or(PublishError::NoDraft(week))
}

async fn published(ctx: &Context, week: Week) -> Result<DigestRow, PublishError> {
    let row = ctx.store.digest(week).await?.ok_or(PublishError::NoDraft(week))?;
    if row.state != DigestState::Published {
        let text = format!("the digest of {week} is not published yet: edit its draft, there is nothing to put right");
        return Err(StoreError::Refused(text).into());
    }
    Ok(row)
}

pub(super) async fn next_context(ctx: &Context, row: &DigestRow) -> Result<render::Context, StoreError> {
    let context = edition_context(ctx, row).await?;
    Ok(render::Context { edition: row.edition + 1, supersedes: row.sealed.clone(), ..context })
}

/// One line of at most 1,000 characters; `None` where nothing is left of it.
fn sentence(text: &str) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).take(1_000).collect();
    Some(line).filter(|line| !line.is_empty())
}

fn edition(
    row: &DigestRow,
    context: &render::Context,
    why: EditionKind,
    by: &str,
    note: Option<String>,
    at: Timestamp,
) -> Result<NewEdition, PublishError> {
    Ok(NewEdition { sealing: sealing(row, context, at)?, by: by.to_owned(), why, note })
}

/// Renders every format; the edition's hash is over the hashes of all.
pub(super) fn sealing(row: &DigestRow, context: &render::Context, at: Timestamp) -> Result<Sealing, RenderError> {
    let formats = tokio::task::block_in_place(|| {
        let digest = row.digest.for_readers();
        Format::ALL
            .iter()
            .map(|format| {
                let bytes = render::render(&digest, context, *format)?;
                Ok((format.extension().to_owned(), sha256_hex(&bytes), bytes))
            })
            .collect::<Result<Vec<_>, RenderError>>()
    })?;
    let mut lines: Vec<String> = formats.iter().map(|(format, hash, _)| format!("{format} {hash}\n")).collect();
    lines.sort_unstable();
    Ok(Sealing {
        week: row.week,
        at,
        hash: sha256_hex(lines.concat().as_bytes()),
        id_host: context.id_host(row.week),
        formats,
        follows: (row.edition, row.sealed.clone()),
        addresses: row.digest.picks().flat_map(address_keys).collect(),
        inputs: json!({
            "cutoff_seq": row.digest.cutoff_seq, "config_hash": row.digest.config_hash, "edit_hash": row.edit_hash,
            "revision": row.revision, "draft_hash": row.draft_hash, "rules_version": row.digest.rules_version,
            "program_version": env!("CARGO_PKG_VERSION"),
        }),
    })
}
