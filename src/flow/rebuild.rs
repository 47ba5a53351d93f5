//! All that is derived, computed anew from the facts.

use std::time::Instant;

use super::{Context, RulesReport, adopt_rules, settle};
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
    /// What newer rules changed, where some were adopted; then `same` says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<RulesReport>,
}

/// Drops what is derived and computes it again. What the log moved since the last settling is settled first, so that
/// the two can be compared. Newer rules than those of the log are adopted instead.
pub async fn rebuild(ctx: &Context) -> Result<RebuildReport, StoreError> {
    settle(ctx).await?;
    let before = ctx.store.derived_hash().await?;
    let started = Instant::now();
    let rules = adopt_rules(ctx).await?;
    let facts = if rules.is_some() {
        ctx.store.last_seq().await?.0.unsigned_abs()
    } else {
        ctx.store.drop_derived().await?;
        settle(ctx).await?
    };
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let after = ctx.store.derived_hash().await?;
    let counters = ctx.store.counters().await?;
    Ok(RebuildReport { same: before == after, before, after, facts, counters, elapsed_ms, rules })
}
