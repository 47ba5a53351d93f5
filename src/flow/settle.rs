//! Activities, works and topics of whatever the log has moved.
//!
//! Takes the components that moved: the entries that facts speak of, with all that share an identity with them, and the
//! activities that share an address with those. Settling a part gives what settling everything gives, and how the facts
//! were batched makes no difference.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Context, pieces};
use crate::model::{Activity, ActivityId, Builder, BuilderId, DecisionKind, Seq, Source, SourceId};
use crate::normalize::{self, OwnerFacts, People, Seen};
use crate::store::{EntryRow, Moved, Place, Settled, SettledActivity, StoreError};
use crate::work::{self, Neighborhood};

/// The most entries taken at once, and the most facts. Fewer need less memory; more touch each page of the derived
/// tables less often.
const STEP: u32 = 8_000;

/// Brings all that is derived up to the end of the log, and answers how many facts that took. While newer rules wait to be
/// adopted, what there is is served as it is.
pub async fn settle(ctx: &Context) -> Result<u64, StoreError> {
    if super::rules::is_served_as_is(ctx).await? { Ok(0) } else { settle_all(ctx).await }
}

/// The same, whatever the rules of the log.
pub(super) async fn settle_all(ctx: &Context) -> Result<u64, StoreError> {
    let (start, mut last) = ctx.store.settled_and_last().await?;
    let mut after = start;
    while after < last {
        if let Some(upto) = step(ctx, after).await? {
            after = upto;
        } else {
            // Somebody else settled meanwhile: go on from where they came to.
            (after, last) = ctx.store.settled_and_last().await?;
        }
    }
    Ok((after.0 - start.0).unsigned_abs())
}

async fn step(ctx: &Context, after: Seq) -> Result<Option<Seq>, StoreError> {
    let Moved { upto, entries: moved, counted } = ctx.store.moved_after(after, STEP).await?;
    let roster = Roster::load(ctx).await?;
    let mut keys: HashMap<i64, Vec<String>> = moved.iter().map(|row| (row.id, identity_keys(row))).collect();
    let ids: HashSet<i64> = moved.iter().map(|row| row.id).collect();
    let all_keys: HashSet<String> = keys.values().flatten().cloned().collect();
    let mut rows = moved;
    if !rows.is_empty() {
        let beside = ctx.store.entries_beside(ids, all_keys).await?;
        keys.extend(beside.iter().map(|row| (row.id, identity_keys(row))));
        rows.extend(beside);
    }
    let groups = pieces::group(&rows, &keys);
    let activities: Vec<SettledActivity> = {
        let (roster, keys) = (&roster, &keys);
        tokio::task::block_in_place(|| side_by_side(&groups, |group| compute(roster, group, keys)))
    };
    let entries: Vec<i64> = rows.iter().map(|row| row.id).collect();
    drop(groups);
    drop(rows);
    let former = ctx.store.former_activities(entries).await?;
    let decisions = decisions(ctx, &activities, &former).await?;
    let beside = if activities.is_empty() { Vec::new() } else { beside(ctx, &activities, former, &decisions).await? };
    let works = tokio::task::block_in_place(|| {
        let all: Vec<&Activity> = activities.iter().map(|settled| &settled.activity).chain(&beside).collect();
        let by_id: HashMap<&ActivityId, &Activity> = all.iter().map(|activity| (&activity.id, *activity)).collect();
        let classifier = ctx.classifier();
        let mut works = work::cluster(all.iter().copied(), &decisions);
        let topics = side_by_side(&works, |work| {
            let primary = by_id.get(&work.primary)?;
            let own = primary.credits.iter().find_map(|credit| roster.own_category(credit.builder)).unwrap_or_default();
            Some(classifier.classify(primary, own))
        });
        for (work, topic) in works.iter_mut().zip(topics) {
            work.topic = topic.unwrap_or_default();
        }
        works
    });
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_unstable();
    let done = ctx.store.put_settled(Settled { after, upto, keys, activities, works, counted }).await?;
    Ok(done.then_some(upto))
}

/// What people decided of pairs, under the ids that the activities have now: a decision holds when two activities turn out
/// to be one, and the id that it names is only an alias of it.
async fn decisions(ctx: &Context, activities: &[SettledActivity], former: &HashSet<ActivityId>) -> Result<Vec<DecisionKind>, StoreError> {
    let mut decisions = ctx.store.work_decisions().await?;
    if decisions.is_empty() {
        return Ok(decisions);
    }
    let named = decisions.iter().filter_map(DecisionKind::pair).flatten().cloned();
    let mut now = ctx.store.resolve_activities(named.collect()).await?;
    // What is computed in this step is not in the store yet, and what it replaces there says nothing any more.
    for (named, id) in now.iter_mut().filter(|(_, id)| former.contains(*id)) {
        id.clone_from(named);
    }
    for settled in activities {
        let id = &settled.activity.id;
        now.extend(
            settled
                .aliases
                .iter()
                .chain([id])
                .filter(|alias| now.contains_key(alias))
                .map(|alias| (alias.clone(), id.clone()))
                .collect::<Vec<_>>(),
        );
    }
    for decision in &mut decisions {
        for id in decision.pair_mut().into_iter().flatten() {
            if let Some(now) = now.get(id) {
                id.clone_from(now);
            }
        }
    }
    Ok(decisions)
}

/// The settled activities that must be looked at again together with these: they share an address, stood in one work, were
/// called one work by a person, or are alike; directly or over others.
///
/// A merge counts also where the two stand apart: it was written before one of them was known, or another decision stood
/// against it.
async fn beside(
    ctx: &Context,
    activities: &[SettledActivity],
    former: HashSet<ActivityId>,
    decisions: &[DecisionKind],
) -> Result<Vec<Activity>, StoreError> {
    let mut merges = Merges::of(decisions);
    let mut known: HashSet<ActivityId> = activities.iter().map(|settled| settled.activity.id.clone()).chain(former).collect();
    let mut open: Vec<ActivityId> = known.iter().cloned().collect();
    let mut keys: HashSet<String> = activities.iter().flat_map(|settled| settled.addresses.iter().cloned()).collect();
    let mut places: Vec<Place> = activities.iter().filter_map(|settled| Place::of(&settled.activity, &settled.host)).collect();
    let mut found: Vec<Activity> = Vec::new();
    loop {
        // What is open is looked up with its whole work, and so with itself.
        let joined = merges.take(&open);
        open.extend(joined);
        let linked = ctx.store.activities_beside(std::mem::take(&mut open), std::mem::take(&mut keys), known.clone()).await?;
        places.extend(linked.iter().filter_map(|activity| Place::of(activity, &Neighborhood::of(activity).host)));
        known.extend(linked.iter().map(|activity| activity.id.clone()));
        let joined = merges.take(linked.iter().map(|activity| &activity.id));
        found.extend(linked);
        if !joined.is_empty() {
            open = joined;
            continue;
        }
        // What is near in time and by the same builder elsewhere, and of that what is alike.
        let near = ctx.store.activities_near(std::mem::take(&mut places), Neighborhood::APART, known.clone()).await?;
        if near.is_empty() {
            break;
        }
        let alike = tokio::task::block_in_place(|| work::alike(activities.iter().map(|settled| &settled.activity).chain(&found), &near));
        let alike: Vec<Activity> = near.into_iter().zip(alike).filter(|(_, alike)| *alike).map(|(activity, _)| activity).collect();
        if alike.is_empty() {
            break;
        }
        for activity in &alike {
            let neighborhood = Neighborhood::of(activity);
            places.extend(Place::of(activity, &neighborhood.host));
            keys.extend(neighborhood.keys);
            known.insert(activity.id.clone());
            open.push(activity.id.clone());
        }
        found.extend(alike);
    }
    found.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(found)
}

/// Which activities people called one work with which, each told once.
struct Merges<'a>(HashMap<&'a ActivityId, Vec<&'a ActivityId>>);

impl<'a> Merges<'a> {
    fn of(decisions: &'a [DecisionKind]) -> Self {
        let mut merges: HashMap<&ActivityId, Vec<&ActivityId>> = HashMap::new();
        for decision in decisions {
            if let DecisionKind::Merge { one, other } = decision {
                merges.entry(one).or_default().push(other);
                merges.entry(other).or_default().push(one);
            }
        }
        Self(merges)
    }

    /// What these are to be one work with, directly or over others, known or not; nothing where that was told before.
    fn take<'b>(&mut self, ids: impl IntoIterator<Item = &'b ActivityId>) -> Vec<ActivityId> {
        let mut waiting: Vec<&ActivityId> = ids.into_iter().filter_map(|id| self.0.remove(id)).flatten().collect();
        let mut taken = Vec::new();
        while let Some(id) = waiting.pop() {
            taken.push(id.clone());
            waiting.extend(self.0.remove(id).into_iter().flatten());
        }
        taken
    }
}

/// What the steps ask about people and places, loaded once a step.
struct Roster {
    sources: HashMap<SourceId, Source>,
    owners: HashMap<SourceId, Vec<OwnerFacts>>,
    builders: HashMap<BuilderId, Builder>,
    accounts: HashMap<SourceId, crate::model::Account>,
    people: People,
}

impl Roster {
    async fn load(ctx: &Context) -> Result<Self, StoreError> {
        let builders: HashMap<BuilderId, Builder> = ctx.store.builders().await?.into_iter().map(|builder| (builder.id, builder)).collect();
        let sources: HashMap<SourceId, Source> = ctx.store.sources().await?.into_iter().map(|source| (source.id, source)).collect();
        let owners = sources
            .values()
            .map(|source| {
                let owners = source
                    .owners
                    .iter()
                    .filter_map(|owner| {
                        let builder = builders.get(&owner.builder)?;
                        let (name, former_names) = (builder.name.clone(), builder.former_names.clone());
                        Some(OwnerFacts { owner: owner.clone(), name, former_names, handles: builder.handles.clone() })
                    })
                    .collect();
                (source.id, owners)
            })
            .collect();
        let accounts = ctx.store.accounts().await?;
        Ok(Self { sources, owners, people: People::of(builders.values()), builders, accounts })
    }

    fn own_category(&self, builder: BuilderId) -> Option<&str> {
        self.builders.get(&builder)?.categories.first().map(String::as_str)
    }
}

/// The identity keys of an entry: those of its first telling first, which name it for ever, then those of its newest one,
/// then the addresses that it had in between.
fn identity_keys(row: &EntryRow) -> Vec<String> {
    let mut keys = Vec::new();
    let first = row.first.iter().map(|(key, entry)| (key, entry));
    for (key, entry) in first.chain([(&row.key, &row.entry)]) {
        for key in normalize::identity_keys(row.source, key, entry) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    for key in &row.former {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    keys
}

/// The answers for all items in their order, computed on all cores where there are many.
fn side_by_side<T: Sync, U: Send>(items: &[T], answer: impl Fn(&T) -> U + Sync) -> Vec<U> {
    const FEW: usize = 64;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if cores == 1 || items.len() < FEW {
        return items.iter().map(answer).collect();
    }
    std::thread::scope(|scope| {
        let parts: Vec<_> =
            items.chunks(items.len().div_ceil(cores)).map(|part| scope.spawn(|| part.iter().map(&answer).collect::<Vec<U>>())).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

fn compute(roster: &Roster, group: &pieces::Group<'_>, keys: &HashMap<i64, Vec<String>>) -> SettledActivity {
    let no_owners = Vec::new();
    let seen: Vec<Seen<'_>> = group
        .rows
        .iter()
        .map(|row| Seen {
            source: row.source,
            kind: roster.sources.get(&row.source).map_or(crate::model::SourceKind::Rss, |source| source.kind),
            account: roster.accounts.get(&row.source).map(|account| account.id.as_str()),
            locator: roster.sources.get(&row.source).map_or("", |source| source.locator.as_str()),
            owners: roster.owners.get(&row.source).unwrap_or(&no_owners),
            key: &row.key,
            identity_keys: keys.get(&row.id).map_or(&[][..], Vec::as_slice),
            first_seen_at: row.first_seen_at,
            entry: &row.entry,
            first_published: normalize::first_published(
                row.first.as_ref().map_or(&row.entry, |(_, first)| first),
                &row.entry,
                row.first_seen_at,
            ),
            aired_at: row.aired_at,
            revised_at: row.changed_at,
            left_at: row.left_at,
            arrival: row.arrival,
        })
        .collect();
    let activity = Activity { id: ActivityId::of_key(&group.name), ..normalize::activity(&seen, &roster.people) };
    let aliases: BTreeSet<ActivityId> = group.also.iter().map(|key| ActivityId::of_key(key)).filter(|id| *id != activity.id).collect();
    let Neighborhood { keys: addresses, host } = Neighborhood::of(&activity);
    SettledActivity {
        entries: group.rows.iter().map(|row| row.id).collect(),
        addresses,
        host,
        aliases: aliases.into_iter().collect(),
        activity,
    }
}
