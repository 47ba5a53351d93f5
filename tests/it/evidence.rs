//! What is kept of what sources said: small, readable again, and good for better readers.

use std::path::Path;

use clarion::flow;
use clarion::model::DateTrust;

use crate::support::world::{World, post, prose, rss};

/// The database as an older reader would have left it: payloads with this text instead of that.
fn misread(path: &Path, told: &str, instead: &str) -> usize {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute("UPDATE payload SET body = replace(body, ?1, ?2) WHERE instr(body, ?1) > 0", [told, instead]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_reader_got_wrong_is_read_again_from_the_evidence_once() {
    let world = World::at("2026-11-18T12:00:00Z").await;
    let source = world.feed("Ada", "/ada.xml").await;
    let item = |title: &str, date: &str| {
        post(&title.to_lowercase()[..3], title, date).replace("</item>", &format!("{}</item>", prose("Fired", 30)))
    };
    let glazes = item("Glazes &amp; slips", "Tue, 17 Nov 2026 10:00:00 GMT");
    let kilns = item("Kilns", "Mon, 16 Nov 2026 10:00:00 GMT");
    world.origin.serve("/ada.xml", rss(&[glazes.clone(), kilns.clone()]));
    world.poll().await;
    let right = world.activity("Glazes & slips").await;
    // Another item comes, and an old one is dated anew without changing: that is no finding.
    let moved = kilns.replace("10:00:00", "10:30:00");
    let ash = item("Ash", "Wed, 18 Nov 2026 13:00:00 GMT");
    world.poll_after(3, "/ada.xml", rss(&[ash, glazes, moved])).await;

    let found = flow::reread(&world.ctx).await.unwrap();
    assert_eq!((found.sources, found.documents, found.retold.len(), found.unknown.len()), (1, 2, 0, 0), "{found:?}");
    let facts = world.facts().await;

    assert_eq!(misread(world.ctx.store.path(), "Glazes & slips", "Glazes &amp;amp; slips"), 1);
    assert_eq!(misread(world.ctx.store.path(), "2026-11-17T10:00:00Z", "2026-11-17T18:00:00Z"), 1);
    flow::rebuild(&world.ctx).await.unwrap();
    let wrong = world.activity("Glazes &amp;amp; slips").await;
    assert_eq!(wrong.published_at.unwrap().to_string(), "2026-11-17T18:00:00Z");

    let found = flow::reread(&world.ctx).await.unwrap();
    let [retold] = found.retold.as_slice() else { panic!("{found:?}") };
    assert_eq!(retold.source, source);
    let names: Vec<&str> = retold.fields.iter().map(|(name, _, _)| name.as_str()).collect();
    assert_eq!(names, ["published", "title"]);
    assert_eq!(retold.fields[1].2, "Glazes & slips");
    assert_eq!(world.facts().await, facts + 1);
    flow::settle(&world.ctx).await.unwrap();
    let again = world.activity("Glazes & slips").await;
    assert_eq!((&again.id, again.published_at, again.published_trust), (&right.id, right.published_at, DateTrust::Stated));
    assert_eq!(again.revised_at, None, "the source revised nothing");
    assert!(flow::rebuild(&world.ctx).await.unwrap().same);
    assert!(flow::reread(&world.ctx).await.unwrap().retold.is_empty(), "what was found once is not found again");

    // What no evidence is left of cannot be read again.
    misread(world.ctx.store.path(), "Kilns", "Klins");
    world.ctx.store.prune_evidence("2027-01-01T00:00:00Z".parse().unwrap(), u64::MAX).await.unwrap();
    assert_eq!(flow::reread(&world.ctx).await.unwrap().documents, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_only_a_better_reader_sees_come_with_the_next_poll() {
    let world = World::at("2026-11-18T12:00:00Z").await;
    world.feed("Ada", "/ada.xml").await;
    let two = [post("one", "One", "Tue, 17 Nov 2026 10:00:00 GMT"), post("two", "Two", "Tue, 17 Nov 2026 11:00:00 GMT")];
    world.origin.serve("/ada.xml", rss(&two));
    world.poll().await;
    // As if the older reader had not seen the second item, and both had gone by another id.
    let connection = rusqlite::Connection::open(world.ctx.store.path()).unwrap();
    connection.execute_batch("DELETE FROM entries WHERE key LIKE '%two%' COLLATE NOCASE; UPDATE entries SET key = 'hash:old';").unwrap();
    connection
        .execute("UPDATE payload SET body = json_set(body, '$.key', 'hash:old') WHERE json_extract(body, '$.entry.title') = 'One'", [])
        .unwrap();
    drop(connection);
    let found = flow::reread(&world.ctx).await.unwrap();
    assert_eq!(found.unknown.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1]);
    assert_eq!(found.retold[0].fields[0].1, "hash:old", "{found:?}");
    let report = world.poll().await;
    assert_eq!((report.read, report.new, report.changed), (1, 1, 0), "the same bytes are read all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_polls_leave_out_is_nothing_that_the_next_one_would_bring() {
    let world = World::at("2026-11-18T12:00:00Z").await;
    world.source("Fern Loam", clarion::model::SourceKind::GithubUser, "fernloam").await;
    let events = "[{\"id\":\"2\",\"type\":\"PushEvent\",\"actor\":{\"id\":5150,\"login\":\"fernloam\"},\"repo\":{\"id\":4000,\"name\":\"fernloam/sieve\"},\
         \"payload\":{\"push_id\":9,\"ref\":\"refs/heads/main\",\"head\":\"b\",\"before\":\"a\",\"commits\":[]},\"public\":true,\"created_at\":\"2026-11-17T10:00:00Z\"},\
         {\"id\":\"1\",\"type\":\"ReleaseEvent\",\"actor\":{\"id\":5150,\"login\":\"fernloam\"},\"repo\":{\"id\":4000,\"name\":\"fernloam/sieve\"},\
         \"payload\":{\"action\":\"published\",\"release\":{\"id\":77,\"tag_name\":\"v2\",\"html_url\":\"https://github.com/fernloam/sieve/releases/tag/v2\"}},\
         \"public\":true,\"created_at\":\"2026-11-17T09:00:00Z\"}]";
    world.origin.serve("/gh/users/fernloam/events/public?per_page=100", events);
    world.poll().await;
    assert_eq!(world.activities().await.len(), 1, "pushes are off");
    let found = flow::reread(&world.ctx).await.unwrap();
    assert!(found.documents > 0 && found.unknown.is_empty() && found.retold.is_empty(), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_only_says_when_it_was_built_has_not_changed() {
    let world = World::at("2026-11-18T12:00:00Z").await;
    let source = world.feed("Ada", "/ada.xml").await;
    let feed = |built: &str| {
        rss(&[post("one", "One", "Tue, 17 Nov 2026 10:00:00 GMT")]).replacen(
            "<channel>",
            &format!("<channel><lastBuildDate>{built}</lastBuildDate>"),
            1,
        )
    };
    world.origin.serve("/ada.xml", feed("Wed, 18 Nov 2026 11:00:00 GMT"));
    world.poll().await;
    let report = world.poll_after(1, "/ada.xml", feed("Wed, 18 Nov 2026 12:00:00 GMT")).await;
    assert_eq!((report.read, report.unchanged), (0, 1));
    assert_eq!(world.ctx.store.evidence_times(source).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_rules_are_built_beside_the_old_compared_and_swapped_at_once() {
    let mut world = World::at("2026-11-18T12:00:00Z").await;
    world.feed("Ada", "/ada.xml").await;
    world.origin.serve("/ada.xml", rss(&[post("one", "One", "Tue, 17 Nov 2026 10:00:00 GMT")]));
    world.poll().await;
    let draft = world.draft("2026-W47", "2026-11-23T07:00:00Z").await;
    let hash = |world: &World| {
        let store = std::sync::Arc::clone(&world.ctx.store);
        async move { store.derived_hash().await.unwrap() }
    };
    let right = hash(&world).await;
    // What older rules had made of it.
    let connection = rusqlite::Connection::open(world.ctx.store.path()).unwrap();
    connection.execute_batch("UPDATE activities SET title = 'Eno', body = json_set(body, '$.title', 'Eno')").unwrap();
    let old = hash(&world).await;
    world.ctx.rules_version += 1;

    // Old answers are served, and nothing is settled under two rules.
    world
        .poll_after(
            1,
            "/ada.xml",
            rss(&[post("two", "Two", "Mon, 23 Nov 2026 07:30:00 GMT"), post("one", "One", "Tue, 17 Nov 2026 10:00:00 GMT")]),
        )
        .await;
    assert_eq!((world.titles().await, hash(&world).await), (vec!["Eno".to_owned()], old));

    let report = flow::adopt_rules(&world.ctx).await.unwrap().unwrap();
    let difference = &report.difference;
    assert_eq!((report.from, report.to, difference.new, difference.gone, difference.changed), (1, 2, 0, 0, 1), "{report:?}");
    assert_eq!(difference.examples, ["changed: One (title)"]);
    assert_eq!(world.titles().await, ["One", "Two"], "what came meanwhile follows under the new rules");
    assert_ne!(hash(&world).await, right);
    assert_eq!(flow::rules_in_force(&world.ctx).await.unwrap(), Some(2));
    assert!(flow::adopt_rules(&world.ctx).await.unwrap().is_none(), "once is enough");
    assert!(flow::rebuild(&world.ctx).await.unwrap().same);
    let week = "2026-W47".parse().unwrap();
    let kept = world.ctx.store.digest(week).await.unwrap().unwrap().digest;
    assert_eq!((&kept.picks().next().unwrap().title, kept.rules_version), (&draft.picks().next().unwrap().title, 1));
    assert!(!world.ctx.store.path().with_extension("db.beside").exists());

    // The older program does not touch what newer rules made.
    world.ctx.rules_version -= 1;
    let refused = flow::check_rules(&world.ctx).await.unwrap_err().to_string();
    assert_eq!(refused, "the record was computed under rules 2, and this clarion knows those up to 1: install the newer clarion again");
}
