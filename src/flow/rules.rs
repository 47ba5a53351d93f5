//! A new version of our own rules: what it gives is built beside what is served, the difference is told, and both are
//! swapped at once (RECORD.md section 1).
//!
//! Until then the rows of the old rules are served as they are; nothing is settled under two rules. Drafts that are open
//! keep the candidates that they were made with until somebody refreshes them.

use std::sync::Arc;

use super::{Context, settle};
use crate::model::FactKind;
use crate::store::{Difference, NewFact, StoreError};

/// What new rules changed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RulesReport {
    pub from: u32,
    pub to: u32,
    #[serde(flatten)]
    pub difference: Difference,
}

impl RulesReport {
    /// The counts in a sentence.
    pub fn sentence(&self) -> String {
        sentence(self.to, &self.difference)
    }
}

/// What a version of the rules changed, in a sentence.
pub fn sentence(version: u32, difference: &Difference) -> String {
    if difference.is_empty() {
        return format!("rules {version} give the same as those before");
    }
    format!(
        "rules {version}: of {} activities {} are new, {} gone and {} changed; {} belong to another work, {} works are about something else",
        difference.activities, difference.new, difference.gone, difference.changed, difference.works, difference.topics
    )
}

/// The version of the rules under which what is served was computed; `None` while nothing was adopted.
pub async fn rules_in_force(ctx: &Context) -> Result<Option<u32>, StoreError> {
    let fact = ctx.store.newest_fact(FactKind::RulesAdopted).await?;
    Ok(fact.and_then(|fact| fact.subject.parse().ok()))
}

/// Refuses a database that newer rules have worked on: what they found would be undone line by line. A new database
/// adopts the rules of this program.
pub async fn check_rules(ctx: &Context) -> Result<(), StoreError> {
    match older(ctx).await? {
        (None, _) => first_rules(ctx).await,
        _ => Ok(()),
    }
}

/// The rules in force, and whether they are older than those of this program; newer ones are refused.
async fn older(ctx: &Context) -> Result<(Option<u32>, bool), StoreError> {
    let found = rules_in_force(ctx).await?;
    match found {
        Some(found) if found > ctx.rules_version => Err(StoreError::Refused(format!(
            "the record was computed under rules {found}, and this clarion knows those up to {}: install the newer clarion again",
            ctx.rules_version
        ))),
        _ => Ok((found, found.is_some_and(|found| found < ctx.rules_version))),
    }
}

/// The first rules of a database are adopted with nothing to compare.
pub(super) async fn first_rules(ctx: &Context) -> Result<(), StoreError> {
    let subject = ctx.rules_version.to_string();
    let fact = NewFact { at: ctx.clock.now(), kind: FactKind::RulesAdopted, subject, detail: String::new(), payload: None };
    ctx.store.append(fact).await.map(|_| ())
}

/// Whether what is served waits for newer rules to be adopted.
pub(super) async fn is_served_as_is(ctx: &Context) -> Result<bool, StoreError> {
    Ok(rules_in_force(ctx).await?.is_some_and(|found| found != ctx.rules_version))
}

/// Adopts the rules of this program where the log's are older: builds beside, compares, swaps. `None`: nothing was to do.
pub async fn adopt_rules(ctx: &Context) -> Result<Option<RulesReport>, StoreError> {
    let (Some(from), true) = older(ctx).await? else { return Ok(None) };
    let to = ctx.rules_version;
    tracing::info!(from, to, "rules {to} are newer than those of the record ({from}): their answers are built beside it");
    let beside = Context { store: Arc::new(ctx.store.beside().await?), ..ctx.clone() };
    let built = async {
        settle::settle_all(&beside).await?;
        beside.store.difference().await
    }
    .await;
    beside.close().await?;
    let report = RulesReport { from, to, difference: built? };
    ctx.store.swap_in(to, report.difference.clone(), ctx.clock.now()).await?;
    tracing::info!(from, to, "adopted: {}", report.sentence());
    // What came in meanwhile follows under the new rules.
    settle::settle_all(ctx).await?;
    Ok(Some(report))
}
