//! Works that somebody entered by hand: where a platform shows no feed, a person's word is what there is.
//!
//! Each builder has one source for them, which is never asked. What is entered is a fact like any other entry, marked as
//! self-reported; where a feed shows the same address later, the feed's telling goes first.

use jiff::Timestamp;

use super::Context;
use crate::model::{ActivityKind, Arrival, CanonicalUrl, Entry, EntryKey, Slug, Source, SourceKind};
use crate::normalize;
use crate::store::{ByHand, NewEntry, RosterChange, StoreError};
use crate::text::{collapse, cut};

/// The most characters of a title and a summary.
const MAX_TITLE: usize = 1_000;
const MAX_SUMMARY: usize = 2_000;

/// A work as somebody tells it.
#[derive(Debug, Clone)]
pub struct Told {
    pub address: String,
    pub title: String,
    pub kind: ActivityKind,
    /// When it came out or took place; unknown where nobody says.
    pub published: Option<Timestamp>,
    /// Only the day is known.
    pub is_day: bool,
    pub summary: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Entered {
    Added,
    Changed,
    /// The very same was entered before.
    Unchanged,
}

/// Enters a work of a builder; entered again, it is told anew.
pub async fn enter(ctx: &Context, builder: &Slug, told: &Told, by: &str) -> Result<Entered, StoreError> {
    let refused = |why: String| Err(StoreError::Refused(why));
    let address = match CanonicalUrl::parse(&told.address) {
        Ok(address) => address,
        Err(error) => return refused(error.to_string()),
    };
    let title = cut(&collapse(&told.title), MAX_TITLE).into_owned();
    if title.is_empty() {
        return refused("a work needs a title".into());
    }
    let now = ctx.clock.now();
    // What is announced for a known day takes place then; anything else that is still to come is a slip.
    let is_event = matches!(told.kind, ActivityKind::Talk | ActivityKind::Event | ActivityKind::Livestream);
    if told.published.is_some_and(|at| at > now + jiff::SignedDuration::from_hours(24)) && !is_event {
        return refused(format!("{} lies ahead: only talks, events and livestreams can", told.kind));
    }
    let source = source_of(ctx, builder).await?;
    let entry = Entry {
        link: Some(address.to_string()),
        title: Some(title),
        summary: told.summary.as_deref().map(|text| cut(&collapse(text), MAX_SUMMARY).into_owned()).filter(|text| !text.is_empty()),
        kind: Some(told.kind),
        published: told.published,
        zone_assumed: told.is_day,
        starts_at: told.published.filter(|_| is_event),
        ..Entry::default()
    };
    let key = EntryKey(format!("url:{}", address.key()));
    let fingerprint = normalize::fingerprint(SourceKind::Manual, &entry);
    let known = ctx.store.known_entries(source.id).await?;
    let before = known.get(&key);
    if before.is_some_and(|before| !before.left && before.fingerprint == fingerprint) {
        return Ok(Entered::Unchanged);
    }
    let known = before.map(|before| before.id);
    let entry = NewEntry { key, fingerprint, address: Some(address.key()), arrival: Arrival::default(), entry };
    ctx.store.enter(ByHand { source: source.id, known, entry: Some(entry), by: by.to_owned(), at: now }).await?;
    super::settle(ctx).await?;
    Ok(if known.is_some() { Entered::Changed } else { Entered::Added })
}

/// Takes back what was entered for a builder at that address; `false` where nothing was. Nobody is credited for it any more
/// whom nothing else credits, and a draft that has it cannot be approved so.
pub async fn withdraw(ctx: &Context, builder: &Slug, address: &str, by: &str) -> Result<bool, StoreError> {
    let address = CanonicalUrl::parse(address).map_err(|error| StoreError::Refused(error.to_string()))?;
    let key = EntryKey(format!("url:{}", address.key()));
    let source = source_of(ctx, builder).await?;
    let known = ctx.store.known_entries(source.id).await?;
    let Some(known) = known.get(&key).filter(|known| !known.left) else { return Ok(false) };
    ctx.store.enter(ByHand { source: source.id, known: Some(known.id), entry: None, by: by.to_owned(), at: ctx.clock.now() }).await?;
    // Drafts that have it learn of it at once.
    super::settle(ctx).await?;
    Ok(true)
}

/// The source of a builder's works by hand, made where it is missing.
async fn source_of(ctx: &Context, slug: &Slug) -> Result<Source, StoreError> {
    let missing = || StoreError::Refused(format!("there is no builder `{slug}`: `clarion registry list` names them"));
    let builder = ctx.store.builder(slug).await?.ok_or_else(missing)?;
    let locator = builder.id.to_string();
    let is_it = |source: &Source| source.kind == SourceKind::Manual && source.locator == locator;
    if let Some(source) = ctx.store.sources().await?.into_iter().find(is_it) {
        return Ok(source);
    }
    let url = "entered by hand".to_owned();
    let change = RosterChange::Source {
        builder: slug.clone(),
        kind: SourceKind::Manual,
        locator: locator.clone(),
        url,
        author: None,
        filters: None,
    };
    ctx.store.change_roster(vec![change], ctx.clock.now()).await?;
    ctx.store.sources().await?.into_iter().find(is_it).ok_or_else(missing)
}
