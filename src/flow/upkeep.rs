//! What is done now and then: old poll records dropped, the database checked, settings adopted.

use jiff::SignedDuration;
use serde_json::json;

use super::Context;
use crate::config::{Category, DigestConfig, Region};
use crate::digest;
use crate::model::{FactKind, Week};
use crate::store::{NewFact, StoreError};

/// What upkeep did.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct UpkeepReport {
    pub polls_dropped: u64,
    pub documents_dropped: u64,
    /// The database's own words on what is wrong with it; none if it is sound.
    pub faults: Vec<String>,
}

/// Drops old poll records and evidence, checks the database, and tells which sources have been ill for long.
pub async fn upkeep(ctx: &Context) -> Result<UpkeepReport, StoreError> {
    let keep = SignedDuration::try_from(ctx.config.store.keep_polls.0).unwrap_or(SignedDuration::MAX);
    let before = ctx.clock.now().saturating_sub(keep).unwrap_or(jiff::Timestamp::MIN);
    let dropped = ctx.store.prune_polls(before).await?;
    ctx.store.prune_slots(before).await?;
    let keep = SignedDuration::try_from(ctx.config.store.keep_evidence.0).unwrap_or(SignedDuration::MAX);
    let before = ctx.clock.now().saturating_sub(keep).unwrap_or(jiff::Timestamp::MIN);
    let pruned = ctx.store.prune_evidence(before, ctx.config.store.max_evidence.0).await?;
    let faults = ctx.store.check().await?;
    super::tell_lasting(ctx).await?;
    for fault in &faults {
        tracing::error!("the database is damaged: {fault}");
    }
    Ok(UpkeepReport { polls_dropped: dropped as u64, documents_dropped: pruned.documents, faults })
}

/// The digest's settings as they hold for one week.
pub(super) struct Effective {
    pub config: DigestConfig,
    pub categories: Vec<Category>,
    pub regions: Vec<Region>,
    pub hash: String,
}

/// What holds for a week, of all that the configuration says with its days.
pub(super) fn effective(ctx: &Context, week: Week) -> Effective {
    let config = ctx.config.digest.effective(week.monday());
    let categories: Vec<Category> = digest::categories_in_effect(&ctx.categories, week).into_iter().cloned().collect();
    let regions: Vec<Region> = digest::regions_in_effect(&ctx.regions, week).into_iter().cloned().collect();
    let hash = digest::config_hash(&config, &categories, &regions, crate::topic::dictionary_hash());
    Effective { config, categories, regions, hash }
}

/// Writes into the log under which digest settings and which rules the next draft is made, where they are not those of
/// the last one.
pub async fn adopt(ctx: &Context) -> Result<(), StoreError> {
    adopt_for(ctx, Week::last_whole(ctx.clock.now())).await
}

/// The same for the draft of a week.
pub(super) async fn adopt_for(ctx: &Context, week: Week) -> Result<(), StoreError> {
    let Effective { config, categories, regions, hash } = effective(ctx, week);
    let newest = ctx.store.newest_fact(FactKind::ConfigAdopted).await?;
    if newest.is_none_or(|fact| fact.subject != hash) {
        let effective = json!({
            "digest": config, "categories": categories, "regions": regions,
            "dictionary": crate::topic::dictionary_hash(),
        });
        let fact = NewFact {
            at: ctx.clock.now(),
            kind: FactKind::ConfigAdopted,
            subject: hash,
            detail: String::new(),
            payload: Some(effective.to_string()),
        };
        ctx.store.append(fact).await?;
    }
    // Newer rules than those of the log have to be compared first: `adopt_rules` does that.
    if ctx.store.newest_fact(FactKind::RulesAdopted).await?.is_none() {
        super::rules::first_rules(ctx).await?;
    }
    Ok(())
}
