//! A person taken out of digests and of what stands beside them: drafts, desks, editions, messages, posts.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::desks::{decide, pool, put_desk, put_pool, put_published_desk};
use super::digests::{Sealing, put_sealing};
use super::erase::{Erased, Erasing, drop_text};
use super::{StoreError, to_millis};
use crate::model::{ActivityId, BuilderId, Credited, Decision, DecisionKind, Desk, Digest, Edit, EditRecord, Pool, Seq, Week, sha256_hex};

/// What drafts know of the person goes. Published digests in which readers see them get a new edition and lose the old
/// bytes; the bytes of others stay as they are. An open draft stays with its edits: where it shows the person, it has to be
/// computed anew, and approved again.
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
        let pool = pool(connection, Seq(seq))?;
        let in_pool = pool.as_ref().is_some_and(|pool| pool.contenders.iter().any(|contender| contender.credited.contains(&builder)));
        let rest = digest.without(builder, &erasing.told);
        let Some(state) = state else {
            // A draft that another one replaced.
            if rest.is_some() || in_pool {
                erased.texts += drop_text(connection, seq)?;
                connection.execute("DELETE FROM pools WHERE draft = ?1", [seq])?;
            }
            continue;
        };
        let Some(laid) = laid(connection, &digest)? else { continue };
        let after = laid.digest.without(builder, &erasing.told);
        if rest.is_none() && after.is_none() && !in_pool {
            continue;
        }
        let mut draft = Thinned {
            seq: Seq(seq),
            works: works_of([&digest, &laid.digest], pool.as_ref(), builder),
            shown: laid.digest.shows(builder),
            rest: rest.unwrap_or(digest),
            laid: Laid { digest: after.unwrap_or_else(|| laid.digest.clone()), ..laid },
        };
        if state != "published" {
            draft.rest.forget_removed();
            draft.laid.digest.forget_removed();
        }
        connection.execute("UPDATE payload SET body = ?2 WHERE seq = ?1", params![seq, serde_json::to_string(&draft.rest)?])?;
        if let Some(mut pool) = pool {
            pool.contenders.retain(|contender| !contender.credited.contains(&builder));
            put_pool(connection, Seq(seq), &pool)?;
        }
        match (state.as_str(), draft.shown) {
            ("published", true) => new_edition(connection, draft, erasing, erased)?,
            ("published", false) => thin_published(connection, draft.laid, &draft.works, erasing, erased)?,
            _ => thin_open(connection, draft, &state, erasing, erased)?,
        }
    }
    erased.drafts.sort();
    erased.editions.sort();
    drop_posts(connection, builder.0, erased)
}

/// A draft of which the person was taken out.
struct Thinned {
    seq: Seq,
    /// The works that the person alone made, each with all its places.
    works: BTreeSet<ActivityId>,
    /// Whether readers saw the person in it.
    shown: bool,
    /// As computed.
    rest: Digest,
    laid: Laid,
}

/// A digest with its edits laid over, as it lies on its desk.
struct Laid {
    digest: Digest,
    desk: Desk,
    revision: u32,
    edit_hash: Option<String>,
}

/// Reads the desk of a draft; as long as nobody edited it, the digest is as computed.
fn laid(connection: &Connection, computed: &Digest) -> Result<Option<Laid>, StoreError> {
    let row: Option<(String, Option<String>, u32, Option<String>)> = connection
        .query_row("SELECT desk, body, revision, edit_hash FROM desks WHERE week = ?1", [computed.week.to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((desk, body, revision, edit_hash)) = row else { return Ok(None) };
    let digest = body.map(|body| serde_json::from_str(&body)).transpose()?.unwrap_or_else(|| computed.clone());
    Ok(Some(Laid { digest, desk: serde_json::from_str(&desk)?, revision, edit_hash }))
}

fn works_of(digests: [&Digest; 2], pool: Option<&Pool>, builder: BuilderId) -> BTreeSet<ActivityId> {
    let mut works = BTreeSet::new();
    let mut add = |work: &ActivityId, members: &[ActivityId]| works.extend(members.iter().chain([work]).cloned());
    for digest in digests {
        let is_theirs = |credited: &[Credited]| credited.iter().all(|credited| credited.id == builder) && !credited.is_empty();
        digest.outcomes.iter().filter(|outcome| outcome.builders == [builder]).for_each(|outcome| add(&outcome.work, &outcome.members));
        digest.picks().filter(|pick| is_theirs(&pick.builders)).for_each(|pick| add(&pick.work, &pick.members));
        digest.coming_up.iter().filter(|coming| is_theirs(&coming.builders)).for_each(|coming| add(&coming.activity, &[]));
    }
    let contenders = pool.into_iter().flat_map(|pool| &pool.contenders);
    contenders.filter(|contender| contender.credited == [builder]).for_each(|contender| add(&contender.pick.work, &contender.pick.members));
    works
}

/// What editors see of a digest, without what speaks of the works that went.
fn thin_desk(laid: Laid, works: &BTreeSet<ActivityId>) -> Desk {
    let mut desk = laid.desk;
    desk.digest = laid.digest;
    (desk.next, desk.notices) = (Vec::new(), Vec::new());
    desk.others.clear();
    desk.pinned.retain(|work| !works.contains(work));
    desk.rewordings.retain(|rewording| !works.contains(&rewording.work));
    desk
}

/// A published digest in which readers never saw the person: what was sealed stays, what stands beside it forgets them.
fn thin_published(
    connection: &Connection,
    laid: Laid,
    works: &BTreeSet<ActivityId>,
    erasing: &Erasing,
    erased: &mut Erased,
) -> Result<(), StoreError> {
    let week = laid.digest.week;
    let mut forget = connection.prepare_cached("DELETE FROM verdicts WHERE activity = ?1 AND week = ?2")?;
    for work in works {
        forget.execute(params![work.as_str(), week.to_string()])?;
    }
    put_published_desk(connection, &thin_desk(laid, works))?;
    hush_edits(connection, week, works, erasing, erased)
}

/// A draft that is not published: its edits stay, but for words about the person. Where it shows the person, an approval
/// of it is taken back.
fn thin_open(connection: &Connection, draft: Thinned, state: &str, erasing: &Erasing, erased: &mut Erased) -> Result<(), StoreError> {
    let Thinned { works, shown, laid, .. } = draft;
    let (week, revision, edit_hash) = (laid.digest.week, laid.revision, laid.edit_hash.clone());
    put_desk(connection, week, revision, edit_hash.as_deref(), &thin_desk(laid, &works))?;
    hush_edits(connection, week, &works, erasing, erased)?;
    if !shown {
        return Ok(());
    }
    if state == "approved" {
        let note = Some("somebody in it was erased".to_owned());
        decide(connection, &Decision { by: erasing.by.clone(), what: DecisionKind::PullBack { week }, note }, week, erasing.at)?;
    }
    connection.execute(
        "UPDATE digests SET state = CASE WHEN state = 'approved' THEN 'in_review' ELSE state END,
           approved_at = NULL, approved_by = NULL, publish_at = NULL WHERE week = ?1",
        [week.to_string()],
    )?;
    erased.drafts.push(week);
    Ok(())
}

/// Seals what is left of a published digest, and thins out what editors see of it.
fn new_edition(connection: &Connection, draft: Thinned, erasing: &Erasing, erased: &mut Erased) -> Result<(), StoreError> {
    let Thinned { seq, works, mut laid, .. } = draft;
    let week = laid.digest.week;
    let made = erasing.editions.iter().find(|(sealing, _)| sealing.week == week);
    // A restored backup has nobody to render: the digest stays, its bytes go.
    let sealing = match made {
        Some((sealing, shown)) => {
            laid.digest = shown.clone();
            sealing.clone()
        }
        None => nothing(connection, week, erasing)?,
    };
    connection.execute("DELETE FROM editions WHERE week = ?1", [week.to_string()])?;
    connection.execute("DELETE FROM featured_addresses WHERE week = ?1", [week.to_string()])?;
    put_sealing(connection, seq, &sealing)?;
    thin_published(connection, laid, &works, erasing, erased)?;
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
