//! Which entries of a reading the log knows, whatever their source calls them now: loads what `normalize` asks for.

use std::collections::HashMap;

use super::Context;
use crate::model::{Arrival, Entry, EntryKey, Source};
use crate::normalize::{self, Found, Piece};
use crate::store::{EntryRow, Known, NewEntry, StoreError};

/// What each of these entries is, in their order.
pub(super) async fn recognize(
    ctx: &Context,
    source: &Source,
    entries: &[Entry],
    known: &HashMap<EntryKey, Known>,
) -> Result<Vec<Found>, StoreError> {
    let keys = normalize::entry_keys(source, entries);
    let mut pieces: Vec<Piece<'_>> = known
        .iter()
        .map(|(key, known)| Piece {
            id: known.id,
            key,
            address: known.address.as_deref(),
            shared: known.shared,
            former: &known.former,
            told: None,
        })
        .collect();
    let told: HashMap<i64, EntryRow> = match normalize::in_doubt(entries, &keys, &pieces) {
        doubtful if doubtful.is_empty() => HashMap::new(),
        doubtful => ctx.store.entries(doubtful).await?.into_iter().map(|row| (row.id, row)).collect(),
    };
    for piece in &mut pieces {
        piece.told = told.get(&piece.id).map(|row| &row.entry);
    }
    Ok(normalize::recognize(entries, &keys, &pieces))
}

/// A new entry as the store takes it; `None` where it is known or told again.
pub(super) fn new_entry(source: &Source, found: Found, arrival: Arrival, entry: &Entry) -> Option<NewEntry> {
    let Found::New { key, shared } = found else { return None };
    let entry = Entry { link_shared: entry.link_shared || shared, ..entry.clone() };
    Some(told_entry(source, key, arrival, entry))
}

/// An entry under its key.
pub(super) fn told_entry(source: &Source, key: EntryKey, arrival: Arrival, entry: Entry) -> NewEntry {
    NewEntry { fingerprint: normalize::fingerprint(source.kind, &entry), address: normalize::address_of(&entry), key, arrival, entry }
}
