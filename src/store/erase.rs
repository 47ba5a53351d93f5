//! A person's data, taken out for good: texts, entries, documents and places go; the log's lines stay, with opaque ids.
//!
//! What is kept is a keyed hash of what named the person, so that a later import can refuse them without knowing them
//! (RECORD.md section 10). What is freed is overwritten, and the file is packed anew.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use super::digests::Sealing;
use super::log::{self, NewFact, append};
use super::sqlite::{Durability, Extent};
use super::{Store, StoreError, erased_weeks, registry, settled, to_millis};
use crate::model::{Author, Builder, Byline, Decision, DecisionKind, Digest, FactKind, Week, hex, names_of_author, names_of_builder};

/// Whom to erase, and what follows for published digests.
#[derive(Debug, Clone)]
pub struct Erasing {
    pub builder: Builder,
    pub by: String,
    pub at: Timestamp,
    /// The line that stands where their works stood in published digests.
    pub told: String,
    /// New editions of the published digests that name the person, each with the digest as it is shown in them.
    pub editions: Vec<(Sealing, Digest)>,
}

/// What erasing took out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Sources that only this person had registered.
    pub sources: u64,
    /// Sources that others registered too: they stay.
    pub shared_sources: u64,
    pub entries: u64,
    /// Entries by several people: the person's name was taken out, the rest stays.
    pub shared_entries: u64,
    pub texts: u64,
    pub documents: u64,
    pub links: u64,
    /// Weeks whose open draft showed the person: it stands without them and has to be computed anew, and approved.
    pub drafts: Vec<Week>,
    /// Published weeks that have a new edition.
    pub editions: Vec<Week>,
    /// What a backup needs to know to be restored without the person.
    #[serde(skip)]
    pub record: Option<ErasureRecord>,
}

/// One erasure, as the file beside the backups tells it: nothing in it names anybody to whoever does not know them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRecord {
    pub at: Timestamp,
    /// The secret of the hashes, in hex.
    pub key: String,
    pub hashes: Vec<String>,
}

/// HMAC-SHA256 (RFC 2104), in hex.
fn keyed(key: &[u8], text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is taken");
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}

fn bytes_of(key: &str) -> Vec<u8> {
    (0..key.len() / 2).filter_map(|at| u8::from_str_radix(key.get(at * 2..at * 2 + 2)?, 16).ok()).collect()
}

/// The secret of this database, made with its first erasure.
fn secret(connection: &Connection) -> Result<String, StoreError> {
    if let Some(key) = log::meta(connection, "erasure_key")? {
        return Ok(key);
    }
    let key: Vec<u8> = connection.query_row("SELECT randomblob(32)", [], |row| row.get(0))?;
    let key = hex(&key);
    log::set_meta(connection, "erasure_key", &key)?;
    Ok(key)
}

/// What names a builder in a roster.
fn marks(builder: &Builder) -> Vec<String> {
    let email = builder.email.iter().map(|email| format!("email:{}", email.trim().to_lowercase()));
    std::iter::once(format!("slug:{}", builder.slug)).chain(email).collect()
}

/// What was erased from this database, by its secret; nothing at all in most.
pub(super) struct Erasures(Option<Vec<u8>>);

impl Erasures {
    pub(super) fn of(connection: &Connection) -> Result<Self, StoreError> {
        Ok(Self(log::meta(connection, "erasure_key")?.map(|key| bytes_of(&key))))
    }

    /// Whether any of these marks was erased.
    fn hold(&self, connection: &Connection, marks: &[String]) -> Result<bool, StoreError> {
        let Some(key) = &self.0 else { return Ok(false) };
        let mut known = connection.prepare_cached("SELECT 1 FROM erased WHERE hash = ?1")?;
        for mark in marks {
            if known.exists([keyed(key, mark)])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether somebody had this entry of a source erased.
    pub(super) fn hold_entry(&self, connection: &Connection, source: i64, key: &str, address: Option<&str>) -> Result<bool, StoreError> {
        // Most databases hold no erasure: nothing is made for them, for each entry is asked about.
        if self.0.is_none() {
            return Ok(false);
        }
        let address = address.map(|address| address_mark(source, address));
        self.hold(connection, &address.into_iter().chain([entry_mark(source, key)]).collect::<Vec<_>>())
    }
}

/// Whether a builder was erased, and is not to come back by an import.
pub(super) fn refuse_erased(connection: &Connection, builder: &Builder) -> Result<(), StoreError> {
    if Erasures::of(connection)?.hold(connection, &marks(builder))? {
        return Err(StoreError::Refused(refusal(builder.slug.as_str())));
    }
    Ok(())
}

/// Why somebody is not taken again.
fn refusal(slug: &str) -> String {
    format!("`{slug}` was erased on their own wish and is not taken again: give them another short name and mail if they ask for it")
}

/// The mark of an entry that a shared source may go on showing.
fn entry_mark(source: i64, key: &str) -> String {
    format!("entry:s{source}:{key}")
}

/// The mark of an entry at an address.
fn address_mark(source: i64, address: &str) -> String {
    format!("entry:s{source}:at:{address}")
}

fn ids(connection: &Connection, sql: &str, id: i64) -> Result<Vec<i64>, StoreError> {
    Ok(connection.prepare_cached(sql)?.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The lines of an entry that carry texts.
fn lines_of(connection: &Connection, entry: i64) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT seq FROM log WHERE kind = 'EntryChanged' AND subject = ?1")?;
    let changes = statement.query_map([format!("e{entry}")], |row| row.get::<_, i64>(0))?;
    std::iter::once(Ok(entry)).chain(changes.map(|seq| Ok(seq?))).collect()
}

pub(super) fn drop_text(connection: &Connection, seq: i64) -> Result<u64, StoreError> {
    Ok(connection.prepare_cached("DELETE FROM payload WHERE seq = ?1")?.execute([seq])? as u64)
}

/// Takes an author out of an entry that others made too.
fn drop_author(connection: &Connection, seq: i64, names: &BTreeSet<String>) -> Result<(), StoreError> {
    let body: Option<String> =
        connection.prepare_cached("SELECT body FROM payload WHERE seq = ?1")?.query_row([seq], |row| row.get(0)).optional()?;
    let Some(mut value) = body.and_then(|body| serde_json::from_str::<Value>(&body).ok()) else { return Ok(()) };
    let Some(authors) = value.pointer_mut("/entry/authors").and_then(Value::as_array_mut) else { return Ok(()) };
    let is_meant = |author: &Author| names_of_author(author).iter().any(|name| names.contains(name));
    authors.retain_mut(|value| {
        let mut author = serde_json::from_value::<Author>(value.clone()).unwrap_or_default();
        if is_meant(&author) {
            return false;
        }
        // Of several names in one byline the others stay.
        let byline = Byline::of(&author.name);
        if !byline.all_readings().iter().any(is_meant) {
            return true;
        }
        author = Author { name: byline.without(is_meant), ..Author::default() };
        match serde_json::to_value(&author) {
            Ok(rest) if !author.name.is_empty() => *value = rest,
            _ => return false,
        }
        true
    });
    connection.prepare_cached("UPDATE payload SET body = ?2 WHERE seq = ?1")?.execute(params![seq, value.to_string()])?;
    Ok(())
}

/// Drops what is known of sources as a whole.
fn drop_source(connection: &Connection, source: i64) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM evidence WHERE source = ?1",
        "DELETE FROM polls WHERE source = ?1",
        "DELETE FROM source_states WHERE source = ?1",
        "DELETE FROM source_times WHERE source = ?1",
        "DELETE FROM backfills WHERE source = ?1",
        "DELETE FROM bylines WHERE source = ?1",
        "DELETE FROM accounts WHERE source = ?1",
        "DELETE FROM owners WHERE source = ?1",
        "DELETE FROM payload WHERE seq IN (SELECT seq FROM log WHERE kind = 'RosterChanged' AND subject = 's' || ?1
           AND kind NOT IN ('EntrySeen', 'EntryChanged', 'EntryLeft', 'Sampled'))",
        "DELETE FROM sources WHERE id = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([source])?;
    }
    Ok(())
}

/// Drops what is known of the addresses of entries that go.
fn drop_links(connection: &Connection, entries: &BTreeSet<i64>, erased: &mut Erased) -> Result<(), StoreError> {
    let mut urls = BTreeSet::new();
    let mut url_of = connection.prepare_cached("SELECT url FROM activities JOIN sightings ON activity = id WHERE entry = ?1")?;
    for entry in entries {
        urls.extend(url_of.query_row([entry], |row| row.get::<_, Option<String>>(0)).optional()?.flatten());
    }
    let mut checks = connection.prepare_cached(
        "SELECT log.seq, body FROM log JOIN payload USING (seq) WHERE kind = 'LinkChecked'
           AND kind NOT IN ('EntrySeen', 'EntryChanged', 'EntryLeft', 'Sampled')",
    )?;
    let checks = checks.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?.collect::<Result<Vec<_>, _>>()?;
    for (seq, body) in checks {
        let url = serde_json::from_str::<Value>(&body).ok().and_then(|body| Some(body.get("url")?.as_str()?.to_owned()));
        if url.is_some_and(|url| urls.contains(&url)) {
            erased.texts += drop_text(connection, seq)?;
        }
    }
    for url in &urls {
        erased.links += connection.prepare_cached("DELETE FROM link_checks WHERE url = ?1")?.execute([url])? as u64;
    }
    Ok(())
}

/// Marks the addresses that an entry has and had, so that no feed brings it back under another id.
fn mark_addresses(connection: &Connection, source: i64, entry: i64, marked: &mut Vec<String>) -> Result<(), StoreError> {
    let mut addresses = connection.prepare_cached(
        "SELECT address FROM entries WHERE id = ?2 AND shared = 0 AND address IS NOT NULL
         UNION SELECT key FROM former_addresses WHERE source = ?1 AND entry = ?2",
    )?;
    for address in addresses.query_map([source, entry], |row| row.get::<_, String>(0))? {
        marked.push(address_mark(source, &address?));
    }
    Ok(())
}

fn erase(connection: &Connection, erasing: &Erasing) -> Result<Erased, StoreError> {
    let Erasing { builder, by, at, .. } = erasing;
    let id = builder.id.0;
    let mut erased = Erased::default();
    let key = secret(connection)?;
    let secret = bytes_of(&key);
    let names: BTreeSet<String> = names_of_builder(builder).into_iter().collect();
    let mut marked = marks(builder);

    let own = ids(
        connection,
        "SELECT source FROM owners o WHERE builder = ?1 AND NOT EXISTS (SELECT 1 FROM owners p WHERE p.source = o.source AND p.builder <> ?1)",
        id,
    )?;
    let shared = ids(
        connection,
        "SELECT source FROM owners o WHERE builder = ?1 AND EXISTS (SELECT 1 FROM owners p WHERE p.source = o.source AND p.builder <> ?1)",
        id,
    )?;
    let alone = "SELECT s.entry FROM credits c JOIN sightings s ON s.activity = c.activity WHERE c.builder = ?1
                   AND NOT EXISTS (SELECT 1 FROM credits d WHERE d.activity = c.activity AND d.builder <> ?1)";
    let together = "SELECT s.entry FROM credits c JOIN sightings s ON s.activity = c.activity WHERE c.builder = ?1
                      AND EXISTS (SELECT 1 FROM credits d WHERE d.activity = c.activity AND d.builder <> ?1)";
    let mut entries: BTreeSet<i64> = ids(connection, alone, id)?.into_iter().collect();
    for source in &own {
        entries.extend(ids(connection, "SELECT id FROM entries WHERE source = ?1", *source)?);
    }
    let common: Vec<i64> = ids(connection, together, id)?.into_iter().filter(|entry| !entries.contains(entry)).collect();

    drop_links(connection, &entries, &mut erased)?;
    // Entries, and the documents that held them.
    let mut sources: BTreeSet<i64> = own.iter().copied().collect();
    for entry in &entries {
        let place: Option<(i64, String)> = connection
            .prepare_cached("SELECT source, key FROM entries WHERE id = ?1")?
            .query_row([entry], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((source, key)) = place {
            if !own.contains(&source) {
                marked.push(entry_mark(source, &key));
                mark_addresses(connection, source, *entry, &mut marked)?;
            }
            connection.prepare_cached("DELETE FROM former_addresses WHERE source = ?1 AND entry = ?2")?.execute([source, *entry])?;
            sources.insert(source);
        }
        for seq in lines_of(connection, *entry)? {
            erased.texts += drop_text(connection, seq)?;
        }
        connection.prepare_cached("DELETE FROM samples WHERE entry = ?1")?.execute([entry])?;
        connection.prepare_cached("DELETE FROM entries WHERE id = ?1")?.execute([entry])?;
        erased.entries += 1;
    }
    for entry in &common {
        for seq in lines_of(connection, *entry)? {
            drop_author(connection, seq, &names)?;
        }
        sources.extend(ids(connection, "SELECT source FROM entries WHERE id = ?1", *entry)?);
        erased.shared_entries += 1;
    }
    for source in &sources {
        erased.documents += connection.prepare_cached("DELETE FROM evidence WHERE source = ?1")?.execute([source])? as u64;
    }
    own.iter().try_for_each(|source| drop_source(connection, *source))?;
    for source in &shared {
        connection.prepare_cached("DELETE FROM owners WHERE source = ?1 AND builder = ?2")?.execute([*source, id])?;
        connection
            .prepare_cached(
                "DELETE FROM payload WHERE seq IN (SELECT seq FROM log WHERE kind = 'RosterChanged' AND subject = 's' || ?1
               AND json_extract(detail, '$.builder') = ?2 AND kind NOT IN ('EntrySeen', 'EntryChanged', 'EntryLeft', 'Sampled'))",
            )?
            .execute([*source, id])?;
    }
    erased.sources = own.len() as u64;
    erased.shared_sources = shared.len() as u64;
    for name in &names {
        connection.prepare_cached("DELETE FROM bylines WHERE name = ?1")?.execute([name])?;
    }
    // The person.
    connection.execute(
        "DELETE FROM payload WHERE seq IN (SELECT seq FROM log WHERE kind = 'RosterChanged' AND subject = 'b' || ?1
           AND kind NOT IN ('EntrySeen', 'EntryChanged', 'EntryLeft', 'Sampled'))",
        [id],
    )?;
    for sql in [
        "DELETE FROM sessions WHERE link IN (SELECT hash FROM builder_links WHERE builder = ?1)",
        "DELETE FROM builder_links WHERE builder = ?1",
        "DELETE FROM builders WHERE id = ?1",
    ] {
        connection.execute(sql, [id])?;
    }
    // Whoever came by a private link is named where they came and went; what staff did about them names an opaque id.
    for name in builder.former_names.iter().map(String::as_str).chain([builder.slug.as_str(), builder.name.as_str()]) {
        connection.execute("DELETE FROM audit WHERE who = ?1 AND what GLOB 'signed_*'", [name])?;
    }
    erased_weeks::drop_from_digests(connection, erasing, &mut erased)?;

    let hashes: Vec<String> = marked.iter().map(|mark| keyed(&secret, mark)).collect();
    for hash in &hashes {
        connection.prepare_cached("INSERT OR IGNORE INTO erased (hash, at) VALUES (?1, ?2)")?.execute(params![hash, to_millis(*at)])?;
    }
    let decision = Decision { by: by.clone(), what: DecisionKind::Erase { builder: builder.id }, note: None };
    let payload = Some(serde_json::to_string(&decision)?);
    append(connection, &NewFact { at: *at, kind: FactKind::Decision, subject: builder.id.to_string(), detail: String::new(), payload })?;
    // What was derived from it is computed anew, from what is left.
    settled::drop_derived(connection)?;
    erased.record = Some(ErasureRecord { at: *at, key, hashes });
    Ok(erased)
}

impl Store {
    /// Takes a person's data out, all of it or nothing; overwrites what that frees, and packs the file anew. What is
    /// derived has to be settled again.
    pub async fn erase(&self, erasing: Erasing) -> Result<Erased, StoreError> {
        let erased = self
            .sqlite
            .write(Durability::Full, Extent::Apart, move |connection| {
                connection.pragma_update(None, "secure_delete", "ON")?;
                let done = (|| {
                    connection.execute_batch("BEGIN IMMEDIATE")?;
                    let erased = erase(connection, &erasing)?;
                    connection.execute_batch("COMMIT")?;
                    Ok::<_, StoreError>(erased)
                })();
                if done.is_err() && !connection.is_autocommit() {
                    let _ = connection.execute_batch("ROLLBACK");
                }
                let erased = done?;
                connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA secure_delete = OFF;")?;
                Ok::<_, StoreError>(erased)
            })
            .await?;
        Ok(erased)
    }

    /// Which of these short names and mail addresses were erased, each with the sentence why they are not taken.
    pub async fn erased_among(&self, people: Vec<(String, Option<String>)>) -> Result<Vec<Option<String>>, StoreError> {
        self.read(move |connection| {
            let erasures = Erasures::of(connection)?;
            people
                .into_iter()
                .map(|(slug, email)| {
                    let mail = email.iter().map(|email| format!("email:{}", email.trim().to_lowercase()));
                    let marks: Vec<String> = std::iter::once(format!("slug:{slug}")).chain(mail).collect();
                    Ok(erasures.hold(connection, &marks)?.then(|| refusal(&slug)))
                })
                .collect()
        })
        .await
    }

    /// The builders of this database whom a file of erasures names: those whom a restored backup brought back.
    pub async fn named_in(&self, records: Vec<ErasureRecord>) -> Result<Vec<Builder>, StoreError> {
        self.read(move |connection| {
            let mut builders = registry::builders(connection)?;
            builders.retain(|builder| {
                let marks = marks(builder);
                records.iter().any(|record| {
                    let key = bytes_of(&record.key);
                    marks.iter().any(|mark| record.hashes.contains(&keyed(&key, mark)))
                })
            });
            Ok(builders)
        })
        .await
    }

    /// Takes over what a file of erasures refuses, under its own key, before anything is erased here.
    pub async fn adopt_erasures(&self, records: Vec<ErasureRecord>) -> Result<(), StoreError> {
        self.write_safely(move |connection| {
            for record in &records {
                let key = log::meta(connection, "erasure_key")?;
                if key.is_none() {
                    log::set_meta(connection, "erasure_key", &record.key)?;
                }
                if key.is_none_or(|key| key == record.key) {
                    for hash in &record.hashes {
                        connection
                            .execute("INSERT OR IGNORE INTO erased (hash, at) VALUES (?1, ?2)", params![hash, to_millis(record.at)])?;
                    }
                }
            }
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_follow_the_standard() {
        // RFC 4231, test case 2.
        assert_eq!(keyed(b"Jefe", "what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(bytes_of(&hex(b"kiln")), b"kiln");
    }
}
