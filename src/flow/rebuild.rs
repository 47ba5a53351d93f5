//! All that is derived, computed anew from the facts.

use std::time::Instant;

use super::{Context, settle};
use crate::store::{Counters, StoreError};

/// What a rebuild found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RebuildReport {
    /// Whether the derived rows are the same as before.
    pub same: bool,
    /// SHA-256 of an ordered dump of the derived tables.
    pub before: String,
    pub after: String,
    pub facts: u64,
    pub counters: Counters,
    pub elapsed_ms: u64,
}

/// Drops what is derived and computes it again. What the log moved since the last settling is settled first, so that
/// the two can be compared.
pub async fn rebuild(ctx: &Context) -> Result<RebuildReport, StoreError> {
    settle(ctx).await?;
    let before = ctx.store.derived_hash().await?;
    let started = Instant::now();
    ctx.store.drop_derived().await?;
    let facts = settle(ctx).await?;
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let after = ctx.store.derived_hash().await?;
    let counters = ctx.store.counters().await?;
    Ok(RebuildReport { same: before == after, before, after, facts, counters, elapsed_ms })
}
