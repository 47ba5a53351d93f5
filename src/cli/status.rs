//! `clarion status`: health at a glance.

use std::collections::BTreeMap;

use serde_json::json;

use super::Global;
use super::output;
use crate::flow;
use crate::model::{DeliveryState, Fact, FactKind, SourceStatus, masked, masked_text};
use crate::store::Difference;

pub(super) async fn run(global: &Global) -> anyhow::Result<()> {
    let ctx = global.context().await?;
    let now = ctx.clock.now();
    let counters = ctx.store.counters().await?;
    let states = ctx.store.source_states().await?;
    let sources = ctx.store.sources().await?;
    let last = match ctx.store.digest_states().await?.first() {
        Some((week, _)) => ctx.store.head(*week).await?,
        None => None,
    };
    let overdue = ctx.store.oldest_overdue(now).await?.as_secs();
    let slots = ctx.store.slots_of("cut_off", 1).await?;
    let running = match ctx.store.lock_collecting() {
        Ok(_) => None,
        Err(crate::store::StoreError::Taken(process)) => Some(process),
        Err(error) => return Err(error.into()),
    };
    let mut unsent = ctx.store.deliveries(None).await?;
    unsent.retain(|row| row.state != DeliveryState::Sent);
    let rules = ctx.store.newest_fact(FactKind::RulesAdopted).await?;
    let rules_known = ctx.rules_version;
    ctx.close().await?;
    let mut by_status: BTreeMap<&str, u32> = BTreeMap::new();
    let mut ill = Vec::new();
    for source in sources.iter().filter(|source| !source.left) {
        let state = states.get(&source.id).cloned().unwrap_or_default();
        let word = if source.paused { "paused" } else { state.status.as_str() };
        *by_status.entry(word).or_default() += 1;
        if matches!(state.status, SourceStatus::Failing | SourceStatus::Blocked | SourceStatus::Gone) {
            ill.push((source, state));
        }
    }
    if global.json {
        return output::print_json(&json!({
            "collector": running, "counters": counters, "sources": by_status, "oldest_overdue_s": overdue,
            "unsettled_facts": counters.facts - counters.settled.min(counters.facts),
            "last_digest": last.as_ref().map(|row| json!({"week": row.week, "state": row.state, "made_at": row.made_at})),
            "last_cut_off": slots.first(),
            "unsent": unsent.iter().map(|row| json!({
                "week": row.week, "channel": row.channel, "part": row.part, "state": row.state, "attempts": row.attempts, "note": row.note,
            })).collect::<Vec<_>>(),
            "rules": rules.as_ref().map(|fact| json!({
                "in_force": fact.subject, "known": rules_known, "adopted_at": fact.at, "difference": difference(fact),
            })),
            "ill": ill.iter().map(|(source, state)| json!({
                "source": source.id.to_string(), "url": masked(&source.url), "status": state.status, "since": state.failing_since,
                "error": state.error.as_deref().map(masked_text),
            })).collect::<Vec<_>>(),
        }));
    }
    let mut text = match &running {
        Some(process) => format!("collecting: process {process}\n"),
        None => "collecting: nobody (`clarion serve` or `clarion poll` does)\n".to_owned(),
    };
    let spread: Vec<_> = by_status.iter().map(|(status, count)| format!("{count} {status}")).collect();
    text.push_str(&format!("builders: {}\nsources: {}", counters.builders, counters.sources));
    if !spread.is_empty() {
        text.push_str(&format!(" ({})", spread.join(", ")));
    }
    text.push_str(&format!(
        "\nlog: {} facts, {} activities, {} works\ndatabase: {:.1} MiB, of which {:.1} MiB evidence\n",
        counters.facts,
        counters.activities,
        counters.works,
        mebibytes(counters.database_bytes),
        mebibytes(counters.evidence_bytes)
    ));
    text.push_str(&about_rules(rules.as_ref(), rules_known));
    let waiting = counters.facts - counters.settled.min(counters.facts);
    if waiting > 0 {
        text.push_str(&format!("waiting: {waiting} facts, counted in by the next command that reads the record\n"));
    }
    match last {
        Some(row) => text.push_str(&format!("last digest: {} {}\n", row.week, row.state.as_str().replace('_', " "))),
        None => text.push_str("last digest: none yet\n"),
    }
    for row in unsent.iter().take(20) {
        text.push_str(&format!("not sent: {} to {}, {}: {}\n", row.week, row.channel, row.state.as_str(), output::safe(&row.note)));
    }
    if !unsent.is_empty() {
        text.push_str("more: `clarion digest deliveries`\n");
    }
    for (source, state) in ill.iter().take(20) {
        let since = state.failing_since.map(|at| format!(" since {}", at.strftime("%Y-%m-%d"))).unwrap_or_default();
        let error = state.error.as_deref().unwrap_or("no reason recorded");
        text.push_str(&format!(
            "{} {}{since}: {} ({})\n",
            state.status.as_str(),
            source.id,
            output::safe(&masked_text(error)),
            output::safe(&masked(&source.url))
        ));
    }
    if ill.len() > 20 {
        text.push_str(&format!("and {} more: `clarion source list`\n", ill.len() - 20));
    }
    output::print(&text)
}

/// What the adoption of the rules changed, examples included.
fn difference(fact: &Fact) -> Option<Difference> {
    let found: Difference = serde_json::from_str(&fact.detail).ok()?;
    let examples = fact.payload.as_deref().and_then(|payload| serde_json::from_str(payload).ok()).unwrap_or_default();
    Some(Difference { examples, ..found })
}

/// Rules that wait, and what the last ones changed; nothing while the first ones hold.
fn about_rules(fact: Option<&Fact>, known: u32) -> String {
    let Some(fact) = fact else { return String::new() };
    let mut text = String::new();
    if fact.subject.parse::<u32>().is_ok_and(|in_force| in_force < known) {
        text.push_str(&format!(
            "rules {known} wait: what rules {} gave is served until `clarion serve`, `poll` or `rebuild` has built and compared what they give\n",
            fact.subject
        ));
    }
    if let (Some(difference), Ok(version)) = (difference(fact), fact.subject.parse()) {
        text.push_str(&format!("{}, since {}\n", flow::rules_sentence(version, &difference), fact.at.strftime("%Y-%m-%d")));
        for example in difference.examples.iter().take(10) {
            text.push_str(&format!("    {}\n", output::safe(example)));
        }
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
