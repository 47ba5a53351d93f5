//! What a person wants done: checked, then logged.

use jiff::{SignedDuration, Timestamp};

use super::Context;
use crate::model::{SourceId, Week};
use crate::store::{DigestRow, RosterChange, StoreError};

/// Approves the draft of a week as it stands; answers with the row, whose `publish_at` tells when the cooling-off is over.
pub async fn approve(ctx: &Context, week: Week, by: &str, note: Option<String>) -> Result<DigestRow, StoreError> {
    let now = ctx.clock.now();
    let missing = || StoreError::Refused(format!("there is no draft of {week} yet: make it with `clarion digest draft {week}`"));
    let row = ctx.store.digest(week).await?.ok_or_else(missing)?;
    if row.digest.is_empty() {
        return Err(StoreError::Refused(format!("the draft of {week} is empty: there is nothing to approve")));
    }
    let cooling = SignedDuration::try_from(ctx.config.digest.cooling_off.0).unwrap_or(SignedDuration::ZERO);
    let publish_at: Timestamp = now.saturating_add(cooling).unwrap_or(now);
    ctx.store.approve(week, row.draft_hash, by.to_owned(), note, now, publish_at).await?;
    ctx.store.digest(week).await?.ok_or_else(missing)
}

/// Pauses a source, or lets it be polled again.
pub async fn set_paused(ctx: &Context, source: SourceId, paused: bool) -> Result<(), StoreError> {
    ctx.store.change_roster(vec![RosterChange::Paused { source, paused }], ctx.clock.now()).await?;
    Ok(())
}
