//! Faults that others met, each as a whole kind, through whole paths: an origin, polls, the log, and a digest.

use std::collections::BTreeSet;

use clarion::collect::discover::{self, Pasted};
use clarion::flow::{self, Wanted};
use clarion::model::{Activity, ActivityKind, CanonicalUrl, DateTrust, OutcomeCode, PollOutcome, SourceKind, SourceStatus};
use clarion::store::LogFilter;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::support::world::{World, item, outcomes, places, post, prose, rss};

/// Tuesday of week 48.
const TUESDAY: &str = "2026-11-24T12:00:00Z";
/// The cut-off of week 48, and the one after it.
const CUT_OFF: &str = "2026-11-30T06:00:00Z";
const NEXT_CUT_OFF: &str = "2026-12-07T06:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

// ---- Fetching -------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn validators_of_an_unchanged_body_are_kept() {
    let world = World::at(TUESDAY).await;
    world.feed("Ada Loam", "/feed").await;
    let body = rss(&[post("sieve", "A sieve", "Mon, 23 Nov 2026 09:00:00 GMT")]);
    for (etag, modified) in
        [("\"a\"", "Mon, 23 Nov 2026 09:00:00 GMT"), ("\"b\"", "Mon, 23 Nov 2026 09:00:00 GMT"), ("\"b\"", "Tue, 24 Nov 2026 09:00:00 GMT")]
    {
        world.origin.serve_with("/feed", 200, &format!("etag: {etag}\r\nlast-modified: {modified}\r\n"), body.clone());
        world.clock.advance(SignedDuration::from_hours(1));
        world.poll().await;
    }
    let facts = world.facts().await;
    world.clock.advance(SignedDuration::from_hours(1));
    world.poll().await;
    let asked = world.origin.arrivals();
    let sent: Vec<_> = asked.iter().map(|arrival| arrival.headers.get("if-none-match").map(String::as_str)).collect();
    assert_eq!(sent, [None, Some("\"a\""), Some("\"b\""), Some("\"b\"")]);
    assert_eq!(asked[3].headers.get("if-modified-since").map(String::as_str), Some("Tue, 24 Nov 2026 09:00:00 GMT"));
    assert_eq!((world.titles().await.len(), world.facts().await), (1, facts));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_read_whatever_its_validators_claim() {
    let world = World::at(TUESDAY).await;
    world.feed("Ada Loam", "/feed").await;
    let mut items = Vec::new();
    for title in ["One", "Two", "Three"] {
        items.push(post(title, title, "Mon, 23 Nov 2026 09:00:00 GMT"));
        world.origin.serve_with("/feed", 200, "etag: \"stuck\"\r\nlast-modified: Mon, 23 Nov 2026 09:00:00 GMT\r\n", rss(&items));
        world.poll().await;
        assert_eq!(world.titles().await.len(), items.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_is_asked_once_however_many_registered_it() {
    let world = World::at(TUESDAY).await;
    world.origin.serve("/team", rss(&[post("clay", "Clay", "Tue, 24 Nov 2026 09:00:00 GMT")]));
    let port = world.origin.port;
    let spellings = [
        format!("http://127.0.0.1:{port}/team"),
        format!("HTTP://127.0.0.1:{port}/team#top"),
        format!(" http://127.0.0.1:{port}/team?utm_source=x "),
    ];
    for (name, spelling) in ["Ada Loam", "Bo Reed", "Cy Ash"].into_iter().zip(&spellings) {
        let slug = world.builder(name).await;
        let found = flow::check_pasted(&world.ctx, spelling).await.unwrap();
        flow::add_source(&world.ctx, &slug, &found, None, None, "staff").await.unwrap();
    }
    let before = world.origin.arrivals().len();
    world.poll().await;
    assert_eq!(world.origin.arrivals().len(), before + 1);
    assert_eq!(world.activity("Clay").await.credits.len(), 3);
    let one: BTreeSet<_> = ["https://Kiln.example.org:443/feed", "https://kiln.example.org/feed", "https://kiln.example.org/feed#new"]
        .iter()
        .map(|spelling| discover::feed_locator(spelling))
        .collect();
    assert_eq!(one.len(), 1);
}

// ---- Parsing --------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_date_neither_wins_nor_becomes_now() {
    let world = World::followed(TUESDAY).await;
    let feed = |n: i32| {
        rss(&[
            item("First", "<guid>f-1</guid><pubDate>Mon, 23 Nov 2026 09:00:00 +0000</pubDate><dc:date>not yet known</dc:date>"),
            item("Second", "<guid>f-2</guid><dc:date>soon</dc:date><pubDate>Mon, 23 Nov 2026 08:00:00 +0000</pubDate>"),
            item("Third", "<guid>f-3</guid><pubDate>Invalid Date</pubDate>"),
            format!("<lastBuildDate>Tue, 24 Nov 2026 1{n}:00:00 GMT</lastBuildDate>"),
        ])
    };
    for n in 0..3 {
        world.poll_after(1, "/feed", feed(n)).await;
    }
    assert_eq!(world.titles().await, ["First", "Second", "Third"]);
    assert_eq!(world.activity("First").await.published_at, Some(at("2026-11-23T09:00:00Z")));
    assert_eq!(world.activity("Second").await.published_at, Some(at("2026-11-23T08:00:00Z")));
    let third = world.activity("Third").await;
    assert_eq!((third.published_at, third.published_trust, third.revised_at), (None, DateTrust::Unknown, None));
    assert_eq!(third.effective_at, at("2026-11-24T13:00:00Z"), "first seen, and so it stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_without_dates_is_seen_once_and_never_news_again() {
    let world = World::at(TUESDAY).await;
    world.feed("Ada Loam", "/feed").await;
    let mut facts = 0;
    for n in 0..24 {
        let mut items: Vec<String> =
            (0..8).map(|n| item(&format!("Note {n}"), &format!("<link>https://shed.example.org/{n}</link>"))).collect();
        items.push(format!("<lastBuildDate>Tue, 24 Nov 2026 {n:02}:00:00 GMT</lastBuildDate>"));
        world.poll_after(1, "/feed", rss(&items)).await;
        if n == 0 {
            facts = world.facts().await;
        }
    }
    let activities = world.activities().await;
    assert_eq!((activities.len(), world.facts().await), (8, facts));
    assert!(activities.iter().all(|activity| activity.published_at.is_none() && activity.first_seen_at == at("2026-11-24T13:00:00Z")));
    let digest = world.draft("2026-W48", CUT_OFF).await;
    assert!(digest.is_empty());
    assert_eq!(outcomes(&digest, "Note 3"), [OutcomeCode::DateMissing]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_is_empty_for_once_is_not_forgotten() {
    let world = World::at(TUESDAY).await;
    let source = world.feed("Ada Loam", "/feed").await;
    let items: Vec<String> =
        (0..9).map(|n| post(&format!("p{n}"), &format!("Piece {n}"), &format!("Mon, 23 Nov 2026 0{n}:00:00 GMT"))).collect();
    world.poll_after(1, "/feed", rss(&items)).await;
    world.poll_after(1, "/feed", rss(&[])).await;
    let polls = world.ctx.store.polls_of(source, 1).await.unwrap();
    assert_eq!(polls[0].outcome, PollOutcome::Empty);
    let again = world.poll_after(1, "/feed", rss(&items)).await;
    assert_eq!((again.new, again.changed, world.titles().await.len()), (0, 0, 9));
    assert!(world.activities().await.iter().all(|activity| !activity.left));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_item_costs_no_other_and_the_source_says_so() {
    let world = World::followed(TUESDAY).await;
    let source = world.ctx.store.sources().await.unwrap()[0].id;
    let body = r#"{"version":"https://jsonfeed.org/version/1.1","title":"Shed","items":[{"id":12,"title":"Twelve","content_text":"a"},
        null,{"id":"c","title":["x"],"content_text":"the words of c","date_published":"2026-11-24T09:00:00Z"},"x"]}"#;
    world.poll_after(1, "/feed", body).await;
    let keys: Vec<String> = world.activities().await.iter().map(|activity| activity.sightings[0].key.to_string()).collect();
    assert_eq!(keys.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(["id:12", "id:c"]));
    assert!(world.state(source).await.repairs.contains(&"2 items skipped".to_owned()));
}

// ---- Identity -------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_moves_to_https_brings_nothing_new() {
    let world = World::followed(TUESDAY).await;
    let feed = |scheme: &str| {
        let items: Vec<String> = (1..=10)
            .map(|n| {
                let link = format!("{scheme}://quarry.example.org/?p={n}");
                item(
                    &format!("Stone {n}"),
                    &format!("<guid>{link}</guid><link>{link}</link><pubDate>Mon, 23 Nov 2026 {n:02}:00:00 GMT</pubDate>"),
                )
            })
            .collect();
        rss(&items)
    };
    world.poll_after(1, "/feed", feed("http")).await;
    let ids: BTreeSet<_> = world.activities().await.into_iter().map(|activity| activity.id).collect();
    let moved = world.poll_after(1, "/feed", feed("https")).await;
    assert_eq!((moved.new, moved.changed), (0, 0));
    assert_eq!(world.activities().await.into_iter().map(|activity| activity.id).collect::<BTreeSet<_>>(), ids);
    assert_eq!(ids.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_address_is_a_revision_and_a_series_stays_one() {
    let world = World::followed(TUESDAY).await;
    let steady = [
        item("Flue diary 3", &format!("<guid>d3</guid><pubDate>Mon, 23 Nov 2026 07:00:00 GMT</pubDate>{}", prose("third", 80))),
        item("Flue diary 4", &format!("<guid>d4</guid><pubDate>Mon, 23 Nov 2026 07:00:00 GMT</pubDate>{}", prose("fourth", 80))),
    ];
    let with = |slug: &str, title: &str| {
        let link = format!("https://shed.example.org/2026/11/{slug}/");
        let body = prose("how", 120);
        let fixed = item(title, &format!("<guid>{link}</guid><link>{link}</link><pubDate>Mon, 23 Nov 2026 09:00:00 GMT</pubDate>{body}"));
        rss(&[&[fixed][..], &steady].concat())
    };
    world.poll_after(1, "/feed", with("mend-an-flue", "Mend an flue")).await;
    world.poll_after(1, "/feed", with("mend-a-flue", "Mend a flue")).await;
    assert_eq!(world.titles().await, ["Flue diary 3", "Flue diary 4", "Mend a flue"]);
    let mended = world.activity("Mend a flue").await;
    assert_eq!(
        (mended.url.as_deref(), mended.revised_at),
        (Some("https://shed.example.org/2026/11/mend-a-flue/"), Some(at("2026-11-24T14:00:00Z")))
    );
    let digest = world.draft("2026-W48", CUT_OFF).await;
    assert_eq!(outcomes(&digest, "Mend a flue").len(), 1);
    assert!(outcomes(&digest, "Mend an flue").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_stands_on_all_items_names_none_and_is_told() {
    let world = World::followed(TUESDAY).await;
    let source = world.ctx.store.sources().await.unwrap()[0].id;
    for id in ["https://shed.example.org/", "blog"] {
        let items: Vec<String> = (0..5)
            .map(|n| {
                item(
                    &format!("Shelf {n} of {}", id.len()),
                    &format!(
                        "<guid>{id}</guid><link>https://shed.example.org/{}/{n}</link><pubDate>Mon, 23 Nov 2026 0{n}:00:00 GMT</pubDate>",
                        id.len()
                    ),
                )
            })
            .collect();
        assert_eq!(world.poll_after(1, "/feed", rss(&items)).await.new, 5);
        let again = world.poll_after(1, "/feed", rss(&items.iter().rev().cloned().collect::<Vec<_>>())).await;
        assert_eq!((again.new, again.changed), (0, 0));
        assert!(world.state(source).await.repairs.contains(&"ids not unique".to_owned()), "{:?}", world.state(source).await.repairs);
    }
    assert_eq!(world.titles().await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_log_whose_entries_share_id_and_page_keeps_them_apart() {
    let world = World::followed(TUESDAY).await;
    let change = |title: &str, date: &str| {
        let page = "https://shed.example.org/changes";
        item(title, &format!("<guid>{page}</guid><link>{page}</link><pubDate>{date}</pubDate>{}", prose(title, 60)))
    };
    let mut changes =
        vec![change("Drier", "Invalid Date"), change("Warmer", "Invalid Date"), change("Wider", "Mon, 23 Nov 2026 09:00:00 GMT")];
    assert_eq!(world.poll_after(1, "/feed", rss(&changes)).await.new, 3);
    changes.insert(0, change("Taller", "Tue, 24 Nov 2026 09:00:00 GMT"));
    let next = world.poll_after(1, "/feed", rss(&changes)).await;
    assert_eq!((next.new, next.changed), (1, 0));
    assert_eq!(world.titles().await, ["Drier", "Taller", "Warmer", "Wider"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_each_link_makes_nothing_new() {
    let world = World::followed(TUESDAY).await;
    let mut facts = 0;
    for round in 0..10 {
        let items: Vec<String> = (0..20)
            .map(|n| {
                let link = format!("https://shed.example.org/a/{n}?v=t{}", round * 977 + n);
                item(&format!("Brick {n}"), &format!("<link>{link}</link><pubDate>Mon, 23 Nov 2026 {n:02}:00:00 GMT</pubDate>"))
            })
            .collect();
        world.poll_after(1, "/feed", rss(&items)).await;
        if round == 0 {
            facts = world.facts().await;
        }
    }
    let activities = world.activities().await;
    assert_eq!((activities.len(), world.facts().await), (20, facts));
    let first = world.activity("Brick 7").await;
    assert_eq!((first.url.as_deref(), first.revised_at), (Some("https://shed.example.org/a/7?v=t7"), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_that_changes_all_the_time_is_one_piece_and_featured_once() {
    let world = World::followed(TUESDAY).await;
    let feed = |n: usize| {
        rss(&[item(
            &format!("Glaze log ({n})"),
            "<guid>log</guid><link>https://shed.example.org/log</link><pubDate>Tue, 24 Nov 2026 09:00:00 GMT</pubDate>",
        )])
    };
    for n in 3..13 {
        world.poll_after(1, "/feed", feed(n)).await;
    }
    assert_eq!(world.titles().await, ["Glaze log (12)"]);
    let digest = world.draft("2026-W48", CUT_OFF).await;
    assert_eq!(places(&digest, "Glaze log (12)"), 1);
    world.publish("2026-W48").await;
    world.poll_after(1, "/feed", feed(13)).await;
    let digest = world.draft("2026-W49", NEXT_CUT_OFF).await;
    assert_eq!(
        (outcomes(&digest, "Glaze log (13)").as_slice(), places(&digest, "Glaze log (13)")),
        (&[OutcomeCode::AlreadyFeatured][..], 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn near_twins_are_counted_alike_on_every_poll() {
    let world = World::followed(TUESDAY).await;
    let twin = |n: u32| {
        let link = format!("https://shed.example.org/{n}");
        item(
            "Twice told",
            &format!("<guid>{link}</guid><link>{link}</link><pubDate>Mon, 23 Nov 2026 09:00:00 GMT</pubDate>{}", prose("twin", 90)),
        )
    };
    let mut facts = (0, String::new());
    for round in 0..20 {
        let mut items = [twin(630), twin(597)];
        if round % 2 == 1 {
            items.reverse();
        }
        world.poll_after(1, "/feed", rss(&items)).await;
        let now = (world.facts().await, world.ctx.store.derived_hash().await.unwrap());
        if round > 0 {
            assert_eq!(now, facts, "round {round}");
        }
        facts = now;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_in_two_feeds_is_one_whoever_is_asked_first() {
    for order in [["/own", "/team"], ["/team", "/own"]] {
        let world = World::at(TUESDAY).await;
        let own = world.feed("Ada Loam", "/own").await;
        let team = world.feed("Bo Reed", "/team").await;
        world.origin.serve("/own", rss(&[]));
        world.origin.serve("/team", rss(&[]));
        world.poll().await;
        let body = |guid: &str, more: &str| {
            rss(&[item(
                "Amber glaze",
                &format!(
                    "<guid>{guid}</guid><link>https://team.example.org/p/amber</link><pubDate>Mon, 23 Nov 2026 09:00:00 GMT</pubDate>{more}"
                ),
            )])
        };
        world.origin.serve("/own", body("own-1", ""));
        world.origin.serve("/team", body("team-77", "<dc:creator>Ada Loam</dc:creator>"));
        for path in order {
            world.clock.advance(SignedDuration::from_hours(1));
            world.poll_these(flow::Wanted::These(vec![if path == "/own" { own } else { team }])).await;
        }
        let activities = world.activities().await;
        assert_eq!((activities.len(), activities[0].sightings.len()), (1, 2));
        let ada = world.ctx.store.builders().await.unwrap().into_iter().find(|builder| builder.name == "Ada Loam").unwrap();
        let credited: Vec<_> = activities[0].credits.iter().map(|credit| credit.builder).collect();
        assert_eq!(credited, [ada.id]);
        assert_eq!(places(&world.draft("2026-W48", CUT_OFF).await, "Amber glaze"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_date_of_the_feed_is_none_of_its_items() {
    let world = World::at(TUESDAY).await;
    world.feed("Ada Loam", "/feed").await;
    let mut facts = 0;
    for n in 0..5 {
        let mut items: Vec<String> =
            (1..=15).map(|n| post(&format!("o{n}"), &format!("Old {n}"), &format!("{n:02} Mar 2024 09:00:00 GMT"))).collect();
        items.insert(
            0,
            format!("<lastBuildDate>Tue, 24 Nov 2026 1{n}:00:00 GMT</lastBuildDate><pubDate>Tue, 24 Nov 2026 1{n}:00:00 GMT</pubDate>"),
        );
        world.poll_after(1, "/feed", rss(&items)).await;
        if n == 0 {
            facts = world.facts().await;
        }
    }
    assert_eq!((world.titles().await.len(), world.facts().await), (15, facts));
    assert!(world.draft("2026-W48", CUT_OFF).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_piece_that_was_touched_is_no_news() {
    let world = World::at("2024-11-19T12:00:00Z").await;
    world.feed("Ada Loam", "/feed").await;
    let feed = |updated: &str, words: &str| {
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Shed</title><entry><id>e1</id><title>Both dates</title>\
             <link href=\"https://shed.example.org/1\"/><published>2021-08-08T08:00:00Z</published><updated>{updated}</updated><summary>{words}</summary></entry>\
             <entry><id>e2</id><title>One date</title><link href=\"https://shed.example.org/2\"/><updated>{updated}</updated><summary>{words}</summary></entry></feed>"
        )
    };
    world.poll_after(1, "/feed", feed("2024-11-18T08:00:00Z", "as it was")).await;
    world.clock.set(at(TUESDAY));
    world.poll_after(1, "/feed", feed("2026-11-24T08:00:00Z", "as it is now")).await;
    let (both, one) = (world.activity("Both dates").await, world.activity("One date").await);
    assert_eq!((both.published_at, one.published_at), (Some(at("2021-08-08T08:00:00Z")), Some(at("2024-11-18T08:00:00Z"))));
    assert!(both.revised_at == Some(at("2026-11-24T13:00:00Z")) && one.revised_at == both.revised_at);
    assert!(world.draft("2026-W48", CUT_OFF).await.is_empty());
}

// ---- Time -----------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn what_claims_to_be_of_the_future_stands_where_it_was_seen() {
    let world = World::followed(TUESDAY).await;
    let items = [
        post("today", "Of today", "Tue, 24 Nov 2026 09:00:00 GMT"),
        post("january", "Of January", "Thu, 14 Jan 2027 09:00:00 GMT"),
        post("far", "Of far away", "Thu, 01 Jan 2099 00:00:00 GMT"),
    ];
    world.poll_after(1, "/feed", rss(&items)).await;
    let later = post("later", "Seen later", "Tue, 24 Nov 2026 15:00:00 GMT");
    world.poll_after(4, "/feed", rss(&[&items[..], &[later]].concat())).await;
    let all = world.activities().await;
    assert_eq!(all[0].title, "Seen later", "latest first");
    for title in ["Of January", "Of far away"] {
        let future = world.activity(title).await;
        assert_eq!((future.published_trust, future.effective_at), (DateTrust::Future, at("2026-11-24T13:00:00Z")));
        assert!(future.published_at.is_some_and(|published| published > at("2027-01-01T00:00:00Z")), "the date is kept as it was given");
    }
    let digest = world.draft("2026-W48", CUT_OFF).await;
    assert_eq!((outcomes(&digest, "Of January").len(), outcomes(&digest, "Of far away").len()), (1, 1));
    world.publish("2026-W48").await;
    for (week, cut_off) in [("2026-W49", NEXT_CUT_OFF), ("2027-W02", "2027-01-18T06:00:00Z")] {
        let digest = world.draft(week, cut_off).await;
        for title in ["Of January", "Of far away"] {
            assert!(places(&digest, title) == 0 || outcomes(&digest, title) != [OutcomeCode::AlreadyFeatured]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_after_the_cut_off_waits_for_the_next() {
    let world = World::followed(TUESDAY).await;
    world.origin.serve_with("/feed", 500, "", "down");
    let first = world.draft("2026-W48", CUT_OFF).await;
    world.clock.set(at("2026-11-30T09:10:00Z"));
    world.origin.serve("/feed", rss(&[post("late", "Sunday night", "Sun, 29 Nov 2026 23:50:00 GMT")]));
    world.poll().await;
    let found = world.activity("Sunday night").await;
    assert_eq!((found.effective_at, found.first_seen_at), (at("2026-11-29T23:50:00Z"), at("2026-11-30T09:10:00Z")));
    assert_eq!(world.ctx.store.digest("2026-W48".parse().unwrap()).await.unwrap().unwrap().digest, first, "what was made stays");
    assert_eq!(places(&world.draft("2026-W49", NEXT_CUT_OFF).await, "Sunday night"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_catalogue_with_todays_date_is_no_news_and_what_comes_next_is() {
    let world = World::at(TUESDAY).await;
    world.feed("Ada Loam", "/feed").await;
    let mut items: Vec<String> =
        (0..100).map(|n| post(&format!("m{n}"), &format!("Moved {n}"), &format!("Tue, 24 Nov 2026 12:{:02}:00 GMT", n % 50))).collect();
    world.poll_after(1, "/feed", rss(&items)).await;
    items.insert(0, post("new", "Truly new", "Wed, 25 Nov 2026 10:00:00 GMT"));
    world.poll_after(24, "/feed", rss(&items)).await;
    assert_eq!(world.activities().await.iter().filter(|activity| activity.backfill).count(), 100);
    let digest = world.draft("2026-W48", CUT_OFF).await;
    let titles: Vec<&str> = digest.picks().map(|pick| pick.title.as_str()).collect();
    assert_eq!(titles, ["Truly new"]);
    assert_eq!(outcomes(&digest, "Moved 7"), [OutcomeCode::FirstImportBackfill]);
}

// ---- YouTube --------------------------------------------------------------------------------------------------------

const CHANNEL: &str = "UCkilnAndAshWorkshop0001";

fn channel(entries: &str) -> String {
    format!(
        "<feed xmlns:yt=\"http://www.youtube.com/xml/schemas/2015\" xmlns:media=\"http://search.yahoo.com/mrss/\" \
         xmlns=\"http://www.w3.org/2005/Atom\"><id>yt:channel:{CHANNEL}</id><title>Kiln and Ash</title>{entries}</feed>"
    )
}

fn video(id: &str, title: &str, link: &str, views: u32, updated: &str) -> String {
    format!(
        "<entry><id>yt:video:{id}</id><yt:videoId>{id}</yt:videoId><yt:channelId>{CHANNEL}</yt:channelId><title>{title}</title>\
         <link rel=\"alternate\" href=\"https://www.youtube.com/{link}{id}\"/><published>2026-11-24T09:00:00+00:00</published>\
         <updated>{updated}</updated><media:group><media:title>{title}</media:title><media:description>d</media:description>\
         <media:community><media:statistics views=\"{views}\"/></media:community></media:group></entry>"
    )
}

/// A world with a channel that was read once, when it held nothing.
async fn with_channel() -> (World, String) {
    let world = World::at(TUESDAY).await;
    world.source("Ada Loam", SourceKind::YoutubeChannel, CHANNEL).await;
    let path = format!("/yt?channel_id={CHANNEL}");
    world.origin.serve(&path, channel(""));
    world.poll().await;
    (world, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_video_waits_until_it_is_out() {
    let (world, path) = with_channel().await;
    let feed = |views, updated: &str| channel(&video("premiere001", "The firing", "watch?v=", views, updated));
    world.poll_after(1, &path, feed(0, "2026-11-24T09:00:00+00:00")).await;
    let announced = world.activity("The firing").await;
    assert!(announced.held_until.is_some_and(|until| until > at(CUT_OFF)));
    let digest = world.draft("2026-W48", CUT_OFF).await;
    assert_eq!(outcomes(&digest, "The firing"), [OutcomeCode::Held]);
    world.clock.set(at("2026-12-04T18:10:00Z"));
    world.poll_after(0, &path, feed(41, "2026-12-04T18:00:00+00:00")).await;
    let out = world.activity("The firing").await;
    assert_eq!((out.held_until, out.effective_at), (None, at("2026-12-04T18:10:00Z")));
    assert_eq!(world.titles().await.len(), 1);
    assert_eq!(places(&world.draft("2026-W49", NEXT_CUT_OFF).await, "The firing"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn shorts_are_told_apart_and_known_by_their_video() {
    let (world, path) = with_channel().await;
    let entries = [
        video("longvideo01", "A talk", "watch?v=", 9, "2026-11-24T09:00:00+00:00"),
        video("shortclip01", "A clip", "shorts/", 9, "2026-11-24T09:00:00+00:00"),
    ];
    world.poll_after(1, &path, channel(&entries.concat())).await;
    assert_eq!((world.activity("A talk").await.kind, world.activity("A clip").await.kind), (ActivityKind::Video, ActivityKind::Short));
    assert_eq!(world.activity("A clip").await.sightings[0].key.to_string(), "yt:shortclip01");
    let digest = world.draft("2026-W48", CUT_OFF).await;
    assert_eq!((places(&digest, "A talk"), outcomes(&digest, "A clip").as_slice()), (1, &[OutcomeCode::FilteredKind][..]));
}

#[test]
fn a_channel_registered_by_handle_is_kept_by_its_id() {
    for pasted in ["https://www.youtube.com/@kiln-and-ash", "https://youtube.com/c/KilnAndAsh/videos", "youtube:@kiln-and-ash"] {
        assert!(matches!(discover::understand(pasted), Ok(Pasted::NeedsPage { .. })), "{pasted}: a name is only a way to the id");
    }
    let page = format!("<html><link rel=\"canonical\" href=\"https://www.youtube.com/channel/{CHANNEL}\"></html>");
    assert_eq!(discover::youtube_channel_in_page(&page).as_deref(), Some(CHANNEL));
    let Ok(Pasted::Source { locator, .. }) = discover::understand(&format!("https://www.youtube.com/channel/{CHANNEL}")) else { panic!() };
    assert_eq!(locator, CHANNEL);
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_that_move_are_no_revision() {
    let (world, path) = with_channel().await;
    let mut facts = 0;
    for n in 0..48 {
        let updated = format!("2026-11-{}T{:02}:00:00+00:00", 24 + n / 24, n % 24);
        let report = world.poll_after(1, &path, channel(&video("longvideo01", "A talk", "watch?v=", 10 + 3 * n, &updated))).await;
        if n == 0 {
            facts = world.facts().await;
        } else {
            assert_eq!((report.new, report.changed), (0, 0));
        }
    }
    assert_eq!(world.activity("A talk").await.revised_at, None);
    assert_eq!(world.facts().await, facts + 2, "nothing but its counts at the ages of one and two days");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_falls_silent_is_named_before_a_digest_goes_out_and_loses_nothing() {
    let world = World::at(TUESDAY).await;
    let channels: Vec<String> = (1..=4).map(|n| format!("UC{}{n}", "k".repeat(21))).collect();
    let mut sources = Vec::new();
    for (n, channel) in channels.iter().enumerate() {
        sources.push(world.source(&format!("Ada {n}"), SourceKind::YoutubeChannel, channel).await);
        world.origin.serve(&format!("/yt?channel_id={channel}"), self::channel(""));
    }
    world.poll().await;
    let silent = async || {
        let view = flow::draft_view(&world.ctx, "2026-W48".parse().unwrap()).await.unwrap();
        view.findings.iter().filter(|finding| finding.code == "sources_silent").map(|finding| finding.text.clone()).collect::<Vec<_>>()
    };
    // For days every channel answers 404.
    for channel in &channels {
        world.origin.serve_with(&format!("/yt?channel_id={channel}"), 404, "", "");
    }
    for _ in 0..20 {
        world.clock.advance(SignedDuration::from_hours(6));
        world.poll_these(Wanted::Due).await;
    }
    for source in &sources {
        assert_eq!(world.state(*source).await.status, SourceStatus::Failing, "nobody is given up");
    }
    world.draft("2026-W48", CUT_OFF).await;
    let told = silent().await;
    assert!(told.len() == 1 && told[0].contains("may be missing") && told[0].contains("since 2026-11-24"), "{told:?}");
    // It comes back: what is still in the feeds is recorded once, with its own date.
    for (n, channel) in channels.iter().enumerate() {
        let video = video(&format!("gapvideo00{n}"), &format!("Firing {n}"), "watch?v=", 40, "2026-11-24T09:00:00+00:00");
        world.origin.serve(&format!("/yt?channel_id={channel}"), self::channel(&video));
    }
    for _ in 0..2 {
        world.clock.advance(SignedDuration::from_hours(7));
        world.poll().await;
    }
    assert_eq!(world.titles().await.len(), 4);
    assert_eq!(world.activity("Firing 2").await.published_at, Some(at("2026-11-24T09:00:00Z")));
    assert_eq!(silent().await, Vec::<String>::new());
}

// ---- GitHub ---------------------------------------------------------------------------------------------------------

const EVENTS: &str = "/gh/users/fernloam/events/public?per_page=100";

fn event(id: u32, kind: &str, actor: &str, repo: &str, payload: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"type\":\"{kind}\",\"actor\":{actor},\"repo\":{{\"id\":4000,\"name\":\"{repo}\"}},\"payload\":{payload},\
         \"public\":true,\"created_at\":\"2026-11-24T09:00:00Z\"}}"
    )
}

const FERN: &str = "{\"id\":5150,\"login\":\"fernloam\"}";

async fn with_events(events: &[String]) -> World {
    let world = World::at(TUESDAY).await;
    world.source("Fern Loam", SourceKind::GithubUser, "fernloam").await;
    world.origin.serve(EVENTS, "[]");
    world.poll().await;
    world.poll_after(1, EVENTS, format!("[{}]", events.join(","))).await;
    world
}

fn release(id: u32, tag: &str) -> String {
    format!(
        "{{\"action\":\"published\",\"release\":{{\"id\":{id},\"tag_name\":\"{tag}\",\"html_url\":\"https://github.com/fernloam/sieve/releases/tag/{tag}\"}}}}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn slim_events_and_unknown_ones_lose_no_other() {
    let world = with_events(&[
        event(1, "PushEvent", FERN, "fernloam/sieve", "{\"push_id\":3,\"ref\":\"refs/heads/main\",\"head\":\"aa\",\"before\":\"bb\"}"),
        event(2, "WedgeEvent", FERN, "fernloam/sieve", "{}"),
        "null".to_owned(),
        "{\"type\":7}".to_owned(),
        event(3, "ReleaseEvent", FERN, "fernloam/sieve", &release(77, "v2")),
    ])
    .await;
    assert_eq!(world.titles().await, ["sieve v2"], "a push tells of no commits, and is nothing to show");
    let source = world.ctx.store.sources().await.unwrap()[0].id;
    assert_eq!(world.state(source).await.repairs, ["2 items skipped"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_whose_outcome_is_not_told_is_asked_for() {
    let slim = |number: u32| {
        format!("{{\"action\":\"closed\",\"number\":{number},\"pull_request\":{{\"id\":{number}00,\"number\":{number},\"url\":\"x\"}}}}")
    };
    let events: Vec<String> = (1..=3).map(|number| event(number, "PullRequestEvent", FERN, "guild/kiln", &slim(number))).collect();
    let whole = |number: u32, merged: bool| {
        format!(
            "{{\"id\":{number}00,\"number\":{number},\"title\":\"Part {number}\",\"html_url\":\"https://github.com/guild/kiln/pull/{number}\",\
             \"merged\":{merged},\"merged_at\":{},\"user\":{FERN}}}",
            if merged { "\"2026-11-24T08:30:00Z\"" } else { "null" }
        )
    };
    let world = World::at(TUESDAY).await;
    world.source("Fern Loam", SourceKind::GithubUser, "fernloam").await;
    world.origin.serve(EVENTS, format!("[{}]", events.join(",")));
    world.origin.serve("/gh/repos/guild/kiln/pulls/1", whole(1, true));
    world.origin.serve("/gh/repos/guild/kiln/pulls/2", whole(2, false));
    world.origin.serve_with("/gh/repos/guild/kiln/pulls/3", 502, "", "");
    world.poll().await;
    assert_eq!(world.titles().await, ["Part 1"], "2 was closed unmerged; of 3 nothing is known");
    world.origin.serve("/gh/repos/guild/kiln/pulls/3", whole(3, true));
    world.clock.advance(SignedDuration::from_hours(1));
    world.poll().await;
    assert_eq!(world.titles().await, ["Part 1", "Part 3"]);
    assert_eq!(world.activity("Part 3").await.kind, ActivityKind::Contribution);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_before_the_interval_that_a_platform_names() {
    let world = World::at(TUESDAY).await;
    world.source("Fern Loam", SourceKind::GithubUser, "fernloam").await;
    let serve = |interval: u32| {
        world.origin.serve_with(EVENTS, 200, &format!("etag: \"e\"\r\nx-honest: yes\r\nx-poll-interval: {interval}\r\n"), "[]");
    };
    serve(60);
    let mut asked = Vec::new();
    for (after_s, interval) in [(0, 60), (59, 60), (2, 300), (120, 300), (181, 60)] {
        serve(interval);
        world.clock.advance(SignedDuration::from_secs(after_s));
        world.poll().await;
        asked.push(world.origin.asked(EVENTS).len());
    }
    assert_eq!(asked, [1, 1, 2, 2, 3], "a person's wish does not shorten it, and 304 names one too");
    assert_eq!(world.origin.asked(EVENTS)[2].headers.get("if-none-match").map(String::as_str), Some("\"e\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn further_pages_follow_what_is_new_and_never_the_first_pages_validators() {
    let second = EVENTS.replace("per_page=100", "per_page=100&page=2");
    let of = |id: u32, tag: &str, hour: u32| {
        event(id, "ReleaseEvent", FERN, "fernloam/sieve", &release(id, tag))
            .replace("2026-11-24T09:00:00Z", &format!("2026-11-24T{hour:02}:00:00Z"))
            .replace("fernloam/sieve", &format!("fernloam/sieve-{id}"))
    };
    let world = World::at(TUESDAY).await;
    world.source("Fern Loam", SourceKind::GithubUser, "fernloam").await;
    let serve = |etag: &str, first: &[String], others: &[String]| {
        let link = format!("link: <{}>; rel=\"next\"\r\n", world.url(&second));
        world.origin.serve_with(EVENTS, 200, &format!("etag: \"{etag}\"\r\nx-honest: yes\r\n{link}"), format!("[{}]", first.join(",")));
        world.origin.serve_with(&second, 200, "etag: \"of-page-two\"\r\nx-honest: yes\r\n", format!("[{}]", others.join(",")));
    };
    serve("a", &[of(2, "v2", 8)], &[of(1, "v1", 7)]);
    world.poll().await;
    assert_eq!((world.titles().await.len(), world.origin.asked(&second).len()), (2, 1));
    // The first page is as it was: what is behind it is not asked.
    world.clock.advance(SignedDuration::from_hours(1));
    world.poll().await;
    let paths: Vec<String> = world.origin.asked(EVENTS).into_iter().map(|arrival| arrival.path).collect();
    assert_eq!(paths, [EVENTS, &second, EVENTS]);
    // It is all new: the second is read whole, whatever was remembered of the first.
    serve("b", &[of(4, "v4", 11)], &[of(3, "v3", 10), of(2, "v2", 8)]);
    world.clock.advance(SignedDuration::from_hours(1));
    world.poll().await;
    assert_eq!(world.titles().await.len(), 4);
    assert!(world.origin.asked(&second).iter().all(|arrival| !arrival.headers.contains_key("if-none-match")));
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_accounts_and_machines_cost_nobody_anything() {
    let world = with_events(&[
        event(1, "ReleaseEvent", "null", "fernloam/sieve", &release(1, "v1")),
        event(2, "ReleaseEvent", "{\"id\":10137,\"login\":\"ghost\"}", "fernloam/sieve", &release(2, "v2")),
        event(3, "ReleaseEvent", "{\"id\":9,\"login\":\"loam-ci[bot]\"}", "fernloam/sieve", &release(3, "v3")),
        event(4, "ReleaseEvent", "{\"id\":8,\"login\":\"kiln-robot\",\"type\":\"User\"}", "fernloam/sieve", &release(4, "v4")),
        event(5, "ReleaseEvent", "{\"id\":7,\"login\":\"robotham\",\"type\":\"User\"}", "fernloam/sieve", &release(5, "v5")),
        event(6, "ReleaseEvent", FERN, "fernloam/sieve", &release(6, "v6")),
    ])
    .await;
    assert_eq!(world.titles().await, ["sieve v1", "sieve v2", "sieve v5", "sieve v6"], "machines are told by what they are, not by a word");
    let credits = |activity: Activity| activity.credits.len();
    assert_eq!((credits(world.activity("sieve v1").await), credits(world.activity("sieve v2").await)), (0, 0));
    assert_eq!((credits(world.activity("sieve v5").await), credits(world.activity("sieve v6").await)), (0, 1));
}

// ---- Medium and other hosts -----------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn replies_are_kept_but_are_no_stories() {
    let world = World::followed(TUESDAY).await;
    let medium = |id: &str, title: &str, more: &str| {
        item(
            title,
            &format!(
                "<link>https://medium.com/@adaloam/{id}?source=rss-12ab------2</link><guid isPermaLink=\"false\">https://medium.com/p/{id}</guid>\
                 <pubDate>Tue, 24 Nov 2026 09:00:00 GMT</pubDate>{more}"
            ),
        )
    };
    let story = format!("<category>clay</category>{}", prose("story", 150));
    world
        .poll_after(
            1,
            "/feed",
            rss(&[
                medium("a1", "On clay", &story),
                medium("b2", "So true", &prose("so", 4)),
                medium("c3", "No", ""),
                medium("d4", "On ash", &story.replace("story", "ash")),
            ]),
        )
        .await;
    let kinds: Vec<_> = ["On clay", "So true", "No", "On ash"].to_vec();
    let mut found = Vec::new();
    for title in kinds {
        found.push(world.activity(title).await.kind);
    }
    assert_eq!(found, [ActivityKind::Article, ActivityKind::Reply, ActivityKind::Reply, ActivityKind::Article]);
    assert_eq!(
        world.activity("On clay").await.url.as_deref(),
        Some("https://medium.com/@adaloam/a1"),
        "the way in is no part of the address"
    );
    let digest = world.draft("2026-W48", CUT_OFF).await;
    assert_eq!(outcomes(&digest, "So true"), [OutcomeCode::FilteredKind]);
    let shop = CanonicalUrl::parse("https://market.example.org/list?source=river").unwrap();
    assert_eq!(shop.as_str(), "https://market.example.org/list?source=river", "elsewhere the same word may mean something");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_stood_still_brings_its_posts_with_their_own_dates() {
    for (seen, cut_off, week, wanted) in [
        ("2026-11-28T10:00:00Z", CUT_OFF, "2026-W48", OutcomeCode::Chosen),
        ("2026-12-11T10:00:00Z", "2026-12-14T06:00:00Z", "2026-W50", OutcomeCode::LateShelf),
        ("2027-02-26T10:00:00Z", "2027-03-01T06:00:00Z", "2027-W08", OutcomeCode::DateOutside),
    ] {
        let world = World::followed(TUESDAY).await;
        world.clock.set(at(seen));
        world.origin.serve("/feed", rss(&[post("slow", "Held back", "Thu, 19 Nov 2026 09:00:00 GMT")]));
        world.poll().await;
        assert_eq!(world.activity("Held back").await.effective_at, at("2026-11-19T09:00:00Z"));
        assert_eq!(outcomes(&world.draft(week, cut_off).await, "Held back"), [wanted], "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_refuses_is_blocked_and_comes_back_by_itself() {
    let world = World::followed(TUESDAY).await;
    let source = world.ctx.store.sources().await.unwrap()[0].id;
    world.origin.serve_with("/feed", 403, "", "no");
    world.clock.advance(SignedDuration::from_hours(1));
    world.poll().await;
    assert_eq!(world.state(source).await.status, SourceStatus::Blocked);
    assert!(world.origin.arrivals().iter().all(|arrival| arrival.headers.get("user-agent").is_some_and(|agent| !agent.is_empty())));
    world.poll_after(7, "/feed", rss(&[post("back", "Back again", "Tue, 24 Nov 2026 09:00:00 GMT")])).await;
    assert_eq!((world.state(source).await.status, world.titles().await.len()), (SourceStatus::Ok, 1));
}

// ---- Order and batches ----------------------------------------------------------------------------------------------

/// What three sources show at one moment: which of eight pieces, and in which of their two tellings.
type Shown = [Vec<(u8, bool)>; 3];

fn shown_body(source: usize, shown: &[(u8, bool)]) -> String {
    let items: Vec<String> = shown
        .iter()
        .map(|(n, told_again)| {
            // Pieces 0 to 3 are shown under one address by all sources, 4 and 5 under an address of each source's own.
            let link = if *n < 4 { format!("https://shed.example.org/p/{n}") } else { format!("https://s{source}.example.org/{n}") };
            let title = format!("Firing the long kiln, part {n}{}", if *told_again { " (mended)" } else { "" });
            let more = format!(
                "<guid isPermaLink=\"false\">{source}-{n}</guid>{}<pubDate>Mon, 23 Nov 2026 0{n}:00:00 GMT</pubDate>{}",
                if *n == 7 { String::new() } else { format!("<link>{link}</link>") },
                prose(&format!("part{n}"), 70)
            );
            item(&title, &more)
        })
        .collect();
    rss(&items)
}

/// Plays the moments in a world of its own: at each, the sources are asked in that order, and what came is settled where
/// `settles` says so. Answers with all that is derived, without the numbers that the order of arrival gives.
async fn play(moments: &[Shown], orders: &[[usize; 3]], settles: &[bool]) -> (World, String) {
    let world = World::at(TUESDAY).await;
    let mut sources = Vec::new();
    for (n, name) in ["Ada Loam", "Bo Reed", "Cy Ash"].into_iter().enumerate() {
        sources.push(world.feed(name, &format!("/{n}")).await);
    }
    let mut turn = 0;
    for (moment, order) in moments.iter().zip(orders) {
        world.clock.advance(SignedDuration::from_hours(5));
        for (n, shown) in moment.iter().enumerate() {
            world.origin.serve(&format!("/{n}"), shown_body(n, shown));
        }
        for n in order {
            let wanted = flow::Wanted::These(vec![sources[*n]]);
            flow::pass(&world.ctx, &wanted, CancellationToken::new(), |_, _| {}).await.unwrap();
            if settles[turn % settles.len()] {
                flow::settle(&world.ctx).await.unwrap();
            }
            turn += 1;
        }
    }
    flow::settle(&world.ctx).await.unwrap();
    let mut lines = Vec::new();
    for row in world.ctx.store.activities(LogFilter::default()).await.unwrap() {
        let work = world.ctx.store.work_of(&row.activity.id).await.unwrap().unwrap();
        lines.push(format!("{} {}", serde_json::to_string(&row.activity).unwrap(), serde_json::to_string(&work.work).unwrap()));
    }
    lines.sort();
    (world, lines.join("\n"))
}

fn moments() -> impl Strategy<Value = Vec<Shown>> {
    let shown =
        || proptest::collection::btree_map(0_u8..8, proptest::bool::ANY, 0..6).prop_map(|shown| shown.into_iter().collect::<Vec<_>>());
    proptest::collection::vec((shown(), shown(), shown()).prop_map(|(one, two, three)| [one, two, three]), 1..4)
}

const ORDERS: [[usize; 3]; 4] = [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]];

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn neither_order_nor_batches_change_what_is_derived(
        moments in moments(),
        turns in proptest::collection::vec(0_usize..4, 3),
        settles in proptest::collection::vec(proptest::bool::ANY, 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let (plain, wanted) = play(&moments, &[ORDERS[0]; 3], &[true]).await;
            let orders: Vec<_> = turns.iter().map(|turn| ORDERS[*turn]).collect();
            let (_, found) = play(&moments, &orders, &settles).await;
            prop_assert_eq!(&found, &wanted, "in another order, in other batches");
            let (batched, _) = play(&moments, &[ORDERS[0]; 3], &settles).await;
            let hash = plain.ctx.store.derived_hash().await.unwrap();
            prop_assert_eq!(&batched.ctx.store.derived_hash().await.unwrap(), &hash, "in other batches");
            let rebuilt = flow::rebuild(&plain.ctx).await.unwrap();
            prop_assert_eq!((rebuilt.same, rebuilt.after), (true, hash), "built anew");
            Ok(())
        })?;
    }
}

// ---- Moves ----------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn ids_made_anew_on_every_request_make_no_new_works() {
    for with_link in [true, false] {
        let world = World::followed(TUESDAY).await;
        for round in 0..4 {
            let items: Vec<String> = (0..6)
                .map(|n| {
                    let link = if with_link { format!("<link>https://shed.example.org/{n}</link>") } else { String::new() };
                    let guid = format!("<guid isPermaLink=\"false\">{:x}</guid>", (round * 31 + n) * 7_919);
                    item(
                        &format!("Brick {n}"),
                        &format!("{guid}{link}<pubDate>Mon, 23 Nov 2026 {n:02}:00:00 GMT</pubDate>{}", prose(&format!("b{n}"), 60)),
                    )
                })
                .collect();
            world.poll_after(1, "/feed", rss(&items)).await;
        }
        assert_eq!(world.works().await, 6, "with link: {with_link}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_moves_to_another_domain_makes_no_new_works() {
    let world = World::followed(TUESDAY).await;
    let feed = |host: &str| {
        let items: Vec<String> = (0..6)
            .map(|n| {
                let link = format!("https://{host}/2026/piece-{n}/");
                item(
                    &format!("A piece on glaze {n}"),
                    &format!(
                        "<guid>{link}</guid><link>{link}</link><pubDate>Mon, 23 Nov 2026 {n:02}:00:00 GMT</pubDate>{}",
                        prose(&format!("g{n}"), 120)
                    ),
                )
            })
            .collect();
        rss(&items)
    };
    world.poll_after(1, "/feed", feed("old.example.org")).await;
    world.poll_after(1, "/feed", feed("new.example.net")).await;
    assert_eq!(world.works().await, 6);
    assert!(world.activities().await.iter().all(|activity| activity.url.as_deref().is_some_and(|url| url.contains("new.example.net"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_dates_everything_anew_moves_nothing() {
    let world = World::followed(TUESDAY).await;
    let feed = |day: u32| {
        let items: Vec<String> =
            (0..6).map(|n| post(&format!("p{n}"), &format!("Piece {n}"), &format!("{day:02} Nov 2026 0{n}:00:00 GMT"))).collect();
        rss(&items)
    };
    world.poll_after(1, "/feed", feed(10)).await;
    world.poll_after(7 * 24, "/feed", feed(30)).await;
    let dates: Vec<_> = world.activities().await.iter().map(|activity| activity.effective_at).collect();
    assert!(dates.len() == 6 && dates.iter().all(|date| *date < at("2026-11-11T00:00:00Z")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withdrawn_and_comes_back_is_the_same_piece() {
    let world = World::followed(TUESDAY).await;
    let (one, two) = (post("1", "One", "Mon, 23 Nov 2026 09:00:00 GMT"), post("2", "Two", "Mon, 23 Nov 2026 10:00:00 GMT"));
    world.poll_after(1, "/feed", rss(&[one.clone(), two.clone()])).await;
    let id = world.activity("Two").await.id;
    world.poll_after(1, "/feed", rss(std::slice::from_ref(&one))).await;
    assert!(world.activity("Two").await.left);
    world.poll_after(1, "/feed", rss(&[one, two])).await;
    let back = world.activity("Two").await;
    assert_eq!((back.left, back.id, world.works().await), (false, id, 2));
}
