//! "Where is my post?": the verdict that tells, and the words for it.

use clarion::flow::{self, Explanation};
use clarion::model::{Slug, SourceKind, Week};
use clarion::store::RosterChange;
use jiff::SignedDuration;

use crate::support::world::{World, item, post, prose, rss};

const TUESDAY: &str = "2026-11-24T12:00:00Z";

async fn explain(world: &World, address: &str) -> Explanation {
    flow::explain(&world.ctx, address).await.unwrap()
}

fn text<'a>(explanation: &'a Explanation, step: &str) -> &'a str {
    &explanation.checks.iter().find(|check| check.step == step).unwrap().text
}

fn told(slug: &str, title: &str, date: &str) -> String {
    let link = format!("https://shed.example.org/{slug}");
    item(title, &format!("<guid>{link}</guid><link>{link}</link><pubDate>{date}</pubDate>{}", prose(slug, 700)))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_of_the_week_that_judged_a_work_outlasts_later_drafts() {
    let world = World::followed(TUESDAY).await;
    let mut ada = world.ctx.store.builder(&Slug::parse("ada-loam").unwrap()).await.unwrap().unwrap();
    ada.switches.not_featured = true;
    world.ctx.store.change_roster(vec![RosterChange::Builder(Box::new(ada))], world.clock_now()).await.unwrap();
    world.poll_after(1, "/feed", rss(&[told("one", "Why our glaze went grey", "Mon, 23 Nov 2026 09:00:00 GMT")])).await;
    let mut week: Week = "2026-W48".parse().unwrap();
    for _ in 0..5 {
        let cut_off = week.end() + SignedDuration::from_hours(7);
        world.draft(&week.to_string(), &cut_off.to_string()).await;
        week = week.next();
    }
    let found = explain(&world, "https://shed.example.org/one").await;
    assert_eq!((found.failed, found.code), (Some("eligible"), Some("opted_out")), "{found:?}");
    let said = text(&found, "eligible");
    assert!(said.contains("in the draft of 2026-W49") && said.contains("by the cut-off of 2026-W50 its window had closed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_work_is_told_how_the_week_under_way_stands_whatever_was_drafted() {
    for drafted in [None, Some("2026-W46")] {
        let world = World::followed("2026-11-16T12:00:00Z").await;
        if let Some(week) = drafted {
            world.draft(week, "2026-11-16T13:00:00Z").await;
        }
        world.clock.set(TUESDAY.parse().unwrap());
        world.poll_after(1, "/feed", rss(&[told("fresh", "Why our glaze went grey", "Tue, 24 Nov 2026 09:00:00 GMT")])).await;
        let found = explain(&world, "https://shed.example.org/fresh").await;
        assert_eq!(found.code, None, "{drafted:?}: {found:?}");
        assert!(text(&found, "chosen").contains("as 2026-W48 stands now"), "{drafted:?}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_known_by_what_a_feed_elsewhere_shows_of_it() {
    let world = World::followed(TUESDAY).await;
    world.poll_after(1, "/feed", rss(&[post("one", "One", "Mon, 23 Nov 2026 09:00:00 GMT")])).await;
    let found = explain(&world, "https://shed.example.org/unknown").await;
    assert_eq!((found.failed, found.code), (Some("seen"), Some("not_in_feed")), "{found:?}");
    let found = explain(&world, "https://shed.example.orgs/unknown").await;
    assert_eq!(found.code, Some("no_source"));
    let found = explain(&world, "mailto:ada@shed.example.org").await;
    assert!(text(&found, "address").contains("mailto:"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_author_filter_is_told_with_whose_it_is() {
    let world = World::at(TUESDAY).await;
    let url = world.url("/feed");
    for name in ["Ada Loam", "Bo Reed"] {
        let builder: Slug = world.builder(name).await;
        let (author, filters) = (Some(name.to_owned()), None);
        let change = RosterChange::Source { builder, kind: SourceKind::Rss, locator: url.clone(), url: url.clone(), author, filters };
        world.ctx.store.change_roster(vec![change], world.clock_now()).await.unwrap();
    }
    world.origin.serve("/feed", rss(&[]));
    world.poll().await;
    let by = "<guid>1</guid><link>https://shed.example.org/1</link><dc:creator>Zed Quill</dc:creator>";
    world.poll_after(1, "/feed", rss(&[item("By another", by)])).await;
    let found = explain(&world, "https://shed.example.org/1").await;
    assert_eq!(found.code, Some("filtered_author"), "{found:?}");
    let recorded = text(&found, "recorded");
    assert!(recorded.contains("by Ada Loam (of ada-loam), by Bo Reed (of bo-reed)"), "{recorded}");
}
