//! A person taken out of digests and of what stands beside them: drafts, desks, editions, messages, posts.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::desks::{pool, put_pool, put_published_desk};
use super::digests::{Sealing, put_sealing};
use super::erase::{Erased, Erasing, drop_text};
use super::{StoreError, to_millis};
use crate::model::{ActivityId, Desk, Digest, Edit, EditRecord, Seq, Week, sha256_hex};

/// Drafts that name the person go; published digests get a new edition and lose the old bytes.
pub(super) fn drop_from_digests(connection: &Connection, erasing: &Erasing, erased: &mut Erased) -> Result<(), StoreError> {
    let builder = erasing.builder.id;
    let mut drafts = connection.prepare(
        "SELECT log.seq, body, (SELECT state FROM digests WHERE draft_seq = log.seq) FROM log JOIN payload USING (seq)
         WHERE kind = 'DraftMade' AND kind NOT IN ('EntrySeen', 'EntryChanged', 'EntryLeft', 'Sampled')",
    )?;
    let drafts = drafts
        .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    for (seq, body, state) in drafts {
        let digest: Digest = serde_json::from_str(&body)?;
        let Some(rest) = digest.without(builder, &erasing.told) else { continue };
        let works = works_of(&digest, erasing);
        if state.as_deref() == Some("published") {
            connection.execute("UPDATE payload SET body = ?2 WHERE seq = ?1", params![seq, serde_json::to_string(&rest)?])?;
            thin_pool(connection, seq, erasing)?;
            new_edition(connection, Seq(seq), rest, &works, erasing, erased)?;
        } else {
            erased.texts += drop_text(connection, seq)?;
            connection.execute("DELETE FROM pools WHERE draft = ?1", [seq])?;
            if connection.execute("DELETE FROM digests WHERE draft_seq = ?1", [seq])? > 0 {
                drop_desk(connection, digest.week, erased)?;
                erased.drafts.push(digest.week);
            }
        }
    }
    erased.drafts.sort();
    erased.editions.sort();
    drop_posts(connection, builder.0, erased)
}

/// The works that the person alone made, each with all its places.
fn works_of(digest: &Digest, erasing: &Erasing) -> BTreeSet<ActivityId> {
    let outcomes = digest.outcomes.iter().filter(|outcome| outcome.builders.contains(&erasing.builder.id));
    let picks = digest.picks().filter(|pick| pick.builders.iter().any(|credited| credited.id == erasing.builder.id));
    let of_outcomes = outcomes.flat_map(|outcome| outcome.members.iter().chain([&outcome.work]).cloned());
    of_outcomes.chain(picks.flat_map(|pick| pick.members.iter().chain([&pick.work]).cloned())).collect()
}

fn thin_pool(connection: &Connection, draft: i64, erasing: &Erasing) -> Result<(), StoreError> {
    let Some(mut pool) = pool(connection, Seq(draft))? else { return Ok(()) };
    pool.contenders.retain(|contender| !contender.credited.contains(&erasing.builder.id));
    put_pool(connection, Seq(draft), &pool)
}

/// The edits and marks of a draft that goes.
fn drop_desk(connection: &Connection, week: Week, erased: &mut Erased) -> Result<(), StoreError> {
    let week = week.to_string();
    for table in ["edits", "marks"] {
        let mut statement = connection.prepare(&format!("SELECT seq FROM {table} WHERE week = ?1"))?;
        for seq in statement.query_map([&week], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()? {
            erased.texts += drop_text(connection, seq)?;
        }
    }
    for table in ["edits", "marks", "desks"] {
        connection.execute(&format!("DELETE FROM {table} WHERE week = ?1"), [&week])?;
    }
    Ok(())
}

/// Seals what is left of a published digest, and thins out what editors see of it.
fn new_edition(
    connection: &Connection,
    draft: Seq,
    rest: Digest,
    works: &BTreeSet<ActivityId>,
    erasing: &Erasing,
    erased: &mut Erased,
) -> Result<(), StoreError> {
    let week = rest.week;
    let made = erasing.editions.iter().find(|(sealing, _)| sealing.week == week);
    // A restored backup has nobody to render: the digest stays, its bytes go.
    let (sealing, shown) = match made {
        Some((sealing, shown)) => (sealing.clone(), shown.clone()),
        None => (nothing(connection, week, erasing)?, rest),
    };
    connection.execute("DELETE FROM editions WHERE week = ?1", [week.to_string()])?;
    connection.execute("DELETE FROM featured_addresses WHERE week = ?1", [week.to_string()])?;
    put_sealing(connection, draft, &sealing)?;
    let desk: Option<String> =
        connection.query_row("SELECT desk FROM desks WHERE week = ?1", [week.to_string()], |row| row.get(0)).optional()?;
    if let Some(desk) = desk {
        let mut desk: Desk = serde_json::from_str(&desk)?;
        desk.digest = shown;
        // Nobody edits what is published.
        (desk.next, desk.notices) = (Vec::new(), Vec::new());
        desk.others.clear();
        desk.pinned.retain(|work| !works.contains(work));
        desk.rewordings.retain(|rewording| !works.contains(&rewording.work));
        for work in works {
            connection
                .prepare_cached("DELETE FROM verdicts WHERE activity = ?1 AND week = ?2")?
                .execute(params![work.as_str(), week.to_string()])?;
        }
        put_published_desk(connection, &desk)?;
    }
    hush_edits(connection, week, works, erasing, erased)?;
    // Messages that went out cannot be recalled; those that did not are not sent any more.
    connection.execute(
        "UPDATE deliveries SET body = x'', fallback = NULL,
           note = CASE WHEN state = 'sent' THEN note ELSE 'not sent: somebody in it was erased' END,
           ended_at = coalesce(ended_at, ?2), state = CASE WHEN state = 'sent' THEN state ELSE 'failed' END
         WHERE week = ?1 AND kind <> 'files'",
        params![week.to_string(), to_millis(erasing.at)],
    )?;
    erased.editions.push(week);
    Ok(())
}

fn nothing(connection: &Connection, week: Week, erasing: &Erasing) -> Result<Sealing, StoreError> {
    let follows = connection
        .query_row("SELECT edition, sealed FROM digests WHERE week = ?1", [week.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (formats, addresses) = (Vec::new(), Vec::new());
    Ok(Sealing {
        week,
        at: erasing.at,
        formats,
        hash: sha256_hex(b""),
        id_host: String::new(),
        follows,
        addresses,
        inputs: serde_json::Value::Null,
    })
}

/// Edits and marks keep that they were made, by whom and when; their words about the person go.
fn hush_edits(
    connection: &Connection,
    week: Week,
    works: &BTreeSet<ActivityId>,
    erasing: &Erasing,
    erased: &mut Erased,
) -> Result<(), StoreError> {
    let is_about = |body: &str| works.iter().any(|work| body.contains(work.as_str())) || has_words(body, &erasing.builder.name);
    let mut statement = connection.prepare("SELECT revision, seq, body FROM edits WHERE week = ?1")?;
    let edits = statement
        .query_map([week.to_string()], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    for (revision, seq, body) in edits {
        let mut record: EditRecord = serde_json::from_str(&body)?;
        if !is_about(&body) && !matches!(record.what, Edit::DropBuilder { builder } if builder == erasing.builder.id) {
            continue;
        }
        (record.text, record.note) = ("an edit of what was erased".to_owned(), None);
        if let Edit::Reword { text, .. } | Edit::Intro { text, .. } = &mut record.what {
            *text = None;
        }
        connection.execute(
            "UPDATE edits SET body = ?3 WHERE week = ?1 AND revision = ?2",
            params![week.to_string(), revision, serde_json::to_string(&record)?],
        )?;
        erased.texts += drop_text(connection, seq)?;
    }
    let mut statement = connection.prepare("SELECT seq, body FROM marks WHERE week = ?1")?;
    let marks = statement
        .query_map([week.to_string()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    for (seq, _) in marks.iter().filter(|(_, body)| is_about(body)) {
        connection.execute("DELETE FROM marks WHERE seq = ?1", [seq])?;
        erased.texts += drop_text(connection, *seq)?;
    }
    Ok(())
}

/// Whether a name stands in a text as whole words.
fn has_words(text: &str, name: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let stands_alone = |at: usize| !is_part(text[..at].chars().next_back()) && !is_part(text[at + name.len()..].chars().next());
    !name.is_empty() && text.match_indices(name).any(|(at, _)| stands_alone(at))
}

/// Posts about works of the person alone.
fn drop_posts(connection: &Connection, builder: i64, erased: &mut Erased) -> Result<(), StoreError> {
    let mut alone = connection.prepare(
        "SELECT seq FROM amplified_builders a WHERE builder = ?1
           AND NOT EXISTS (SELECT 1 FROM amplified_builders b WHERE b.seq = a.seq AND b.builder <> ?1)",
    )?;
    let alone: Vec<i64> = alone.query_map([builder], |row| row.get(0))?.collect::<Result<_, _>>()?;
    connection.execute("DELETE FROM amplified_builders WHERE builder = ?1", [builder])?;
    for seq in alone {
        connection.execute("DELETE FROM amplified WHERE seq = ?1", [seq])?;
        erased.texts += drop_text(connection, seq)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_not_found_within_other_words() {
        assert!(has_words("reworded the summary of Al: “Queues”", "Al") && has_words("Al", "Al"));
        assert!(!has_words("Also Alma, and Kal", "Al") && !has_words("anything", ""));
    }
}
