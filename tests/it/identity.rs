//! Ids that wander and addresses that change: whatever a feed does to the one while it keeps the other, each post stays the
//! piece it was (docs/record.md, "Corrections and moves").

use std::collections::BTreeMap;

use clarion::flow;
use clarion::model::Activity;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::support::world::{World, item, prose, rss};

const TUESDAY: &str = "2026-11-24T12:00:00Z";

/// How a feed makes its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// One for each post, for ever.
    Stable,
    /// By place from the newest on.
    Place,
    /// By place from the oldest shown on.
    PlaceFromOldest,
    /// Made anew on every request.
    Random,
    /// One for each post, all of them raised by two at the third poll, as an import into another system does.
    Raised,
    /// None at all.
    Missing,
}

const SCHEMES: [Scheme; 6] = [Scheme::Stable, Scheme::Place, Scheme::PlaceFromOldest, Scheme::Random, Scheme::Raised, Scheme::Missing];

/// A post as it truly is.
#[derive(Debug, Clone)]
struct Post {
    number: usize,
    title: String,
    address: String,
    date: Timestamp,
    /// As it was told first.
    first_date: Timestamp,
}

impl Post {
    fn of(number: usize) -> Self {
        let date: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        // Two posts a day, so that dates alone tell nothing where only days are given.
        let date = date + SignedDuration::from_hours(12 * i64::try_from(number).unwrap());
        Self {
            number,
            title: format!("Firing number {number} of the {} kiln", ["grey", "red", "tall", "old"][number % 4]),
            address: format!("https://shed.example.org/p/{number}"),
            date,
            first_date: date,
        }
    }
}

/// What is served: the last posts of a window, newest first, with ids by the scheme.
fn feed(posts: &[Post], window: usize, scheme: Scheme, poll: usize, with_text: bool) -> String {
    let shown: Vec<&Post> = posts.iter().rev().take(window).collect();
    let items: Vec<String> = shown
        .iter()
        .enumerate()
        .map(|(place, post)| {
            let id = match scheme {
                Scheme::Stable => Some(post.number + 1),
                Scheme::Place => Some(place + 1),
                Scheme::PlaceFromOldest => Some(shown.len() - place),
                Scheme::Random => Some(1_000_000 + poll * 1000 + (post.number * 7919) % 997),
                Scheme::Raised => Some(post.number + 1 + if poll >= 2 { 2 } else { 0 }),
                Scheme::Missing => None,
            };
            let guid = id.map(|id| format!("<guid isPermaLink=\"false\">{id}</guid>")).unwrap_or_default();
            let text = if with_text {
                prose(&format!("post{}", post.number), 60).replace("loam", &format!("loam{}", post.number))
            } else {
                String::new()
            };
            let date = post.date.strftime("%a, %d %b %Y %H:%M:%S GMT");
            item(&post.title, &format!("{guid}<link>{}</link><pubDate>{date}</pubDate>{text}", post.address))
        })
        .collect();
    rss(&items)
}

/// What happens to a feed before a poll.
#[derive(Debug, Clone)]
struct Step {
    new: usize,
    retitled: Option<usize>,
    redated: Option<usize>,
    moved: Option<usize>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = || proptest::option::weighted(0.3, 0_usize..8);
    let step = (0_usize..3, which(), which(), which()).prop_map(|(new, retitled, redated, moved)| Step { new, retitled, redated, moved });
    proptest::collection::vec(step, 2..7)
}

/// What a record must say of a post: address, title and the first date.
type Truth = BTreeMap<String, (String, Option<Timestamp>)>;

fn truth_of(activities: &[Activity]) -> Truth {
    activities.iter().map(|one| (one.url.clone().unwrap(), (one.title.clone(), one.published_at))).collect()
}

/// Follows a feed through its steps, and answers the world with what is true of every post that was ever shown.
async fn follow(steps: &[Step], scheme: Scheme, window: usize, with_text: bool, settles: bool) -> (World, Truth) {
    let world = World::followed(TUESDAY).await;
    let mut posts: Vec<Post> = (0..3).map(Post::of).collect();
    let mut truth: BTreeMap<usize, (String, String, Timestamp)> = BTreeMap::new();
    for (poll, step) in steps.iter().enumerate() {
        posts.extend((posts.len()..posts.len() + step.new).map(Post::of));
        let count = posts.len();
        if let Some(post) = step.retitled.map(|n| &mut posts[n % count]) {
            post.title.push_str(", told better");
        }
        if let Some(post) = step.redated.map(|n| &mut posts[n % count]) {
            post.date += SignedDuration::from_hours(1);
            // A post that nobody saw yet has no other date.
            if !truth.contains_key(&post.number) {
                post.first_date = post.date;
            }
        }
        // Only where ids are kept may addresses change.
        if let Some(post) = step.moved.filter(|_| scheme == Scheme::Stable).map(|n| &mut posts[n % count]) {
            post.address.push('x');
        }
        for post in posts.iter().rev().take(window) {
            let told = truth.entry(post.number).or_insert_with(|| (String::new(), String::new(), post.date));
            (told.0, told.1) = (post.address.clone(), post.title.clone());
        }
        world.origin.serve("/feed", feed(&posts, window, scheme, poll, with_text));
        world.clock.advance(SignedDuration::from_hours(5));
        if settles {
            world.poll().await;
        } else {
            flow::pass(&world.ctx, &flow::Wanted::All, tokio_util::sync::CancellationToken::new(), |_, _| {}).await.unwrap();
        }
    }
    flow::settle(&world.ctx).await.unwrap();
    (world, truth.into_values().map(|(address, title, date)| (address, (title, Some(date)))).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_post_stays_itself_while_ids_or_addresses_stay(
        steps in steps(),
        scheme in proptest::sample::select(SCHEMES.to_vec()),
        window in 3_usize..8,
        with_text in proptest::bool::ANY,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let (world, truth) = follow(&steps, scheme, window, with_text, true).await;
            let activities = world.activities().await;
            prop_assert_eq!(activities.len(), truth.len());
            prop_assert_eq!(truth_of(&activities), truth.clone());
            prop_assert_eq!(world.works().await, truth.len() as u64);
            for (address, (title, _)) in &truth {
                let explained = flow::explain(&world.ctx, address).await.unwrap();
                let recorded = explained.checks.iter().find(|check| check.step == "recorded").unwrap();
                prop_assert!(recorded.text.contains(title.as_str()), "{address}: {recorded:?}");
            }
            // In one go, built anew, and read again from the evidence: the same.
            let hash = world.ctx.store.derived_hash().await.unwrap();
            let (later, _) = follow(&steps, scheme, window, with_text, false).await;
            prop_assert_eq!(truth_of(&later.activities().await), truth.clone());
            prop_assert!(flow::rebuild(&world.ctx).await.unwrap().same);
            let reread = flow::reread(&world.ctx).await.unwrap();
            prop_assert!(reread.retold.is_empty() && reread.unknown.is_empty(), "{reread:?}");
            flow::rebuild(&world.ctx).await.unwrap();
            prop_assert_eq!(world.ctx.store.derived_hash().await.unwrap(), hash);
            Ok(())
        })?;
    }
}

fn dated(guid: &str, link: &str, title: &str, day: u32) -> String {
    item(title, &format!("<guid isPermaLink=\"false\">{guid}</guid><link>{link}</link><pubDate>{day:02} Nov 2026 09:00:00 GMT</pubDate>"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_goes_to_a_new_post_takes_nothing_from_the_old_one() {
    let world = World::followed(TUESDAY).await;
    let at = |n: u32| format!("https://shed.example.org/p/{n}");
    // A feed that shows its newest post alone, under one id.
    for n in 0..4 {
        world.poll_after(5, "/feed", rss(&[dated("latest", &at(n), &format!("Piece {n}"), 20 + n)])).await;
    }
    assert_eq!((world.activities().await.len(), world.works().await), (4, 4));
    for n in 0..4 {
        let found = world.activity(&format!("Piece {n}")).await;
        assert_eq!(found.url, Some(at(n)));
        assert_eq!(found.published_at.unwrap().to_string(), format!("2026-11-{}T09:00:00Z", 20 + n));
    }
    assert!(flow::rebuild(&world.ctx).await.unwrap().same);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_two_posts_swap_follow_their_ids() {
    let world = World::followed(TUESDAY).await;
    let (a, b) = ("https://shed.example.org/a", "https://shed.example.org/b");
    world.poll_after(1, "/feed", rss(&[dated("1", a, "On ash", 21), dated("2", b, "On slip", 22)])).await;
    let (ash, slip) = (world.activity("On ash").await.id, world.activity("On slip").await.id);
    world.poll_after(1, "/feed", rss(&[dated("1", b, "On ash", 21), dated("2", a, "On slip", 22)])).await;
    assert_eq!(world.activities().await.len(), 2);
    let (ash_now, slip_now) = (world.activity("On ash").await, world.activity("On slip").await);
    assert_eq!((ash_now.id, ash_now.url.as_deref(), slip_now.id, slip_now.url.as_deref()), (ash, Some(b), slip, Some(a)));
    // A post that is gone leaves its address to another.
    world.poll_after(1, "/feed", rss(&[dated("2", b, "On slip", 22)])).await;
    assert_eq!((world.activities().await.len(), world.works().await), (2, 2));
    assert!(flow::rebuild(&world.ctx).await.unwrap().same);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_given_again_names_the_new_post_and_keeps_the_old_one() {
    let world = World::followed(TUESDAY).await;
    let at = |name: &str| format!("https://shed.example.org/{name}");
    let other = dated("9", &at("other"), "Something else", 19);
    world.poll_after(1, "/feed", rss(&[other.clone(), dated("1", &at("call"), "The first call", 20)])).await;
    let first = world.activity("The first call").await.id;
    world.poll_after(1, "/feed", rss(&[other.clone(), dated("1", &at("call-1"), "The first call", 20)])).await;
    let later = [other, dated("1", &at("call-1"), "The first call", 20), dated("2", &at("call"), "The second call", 23)];
    world.poll_after(1, "/feed", rss(&later)).await;
    assert_eq!(world.activities().await.len(), 3);
    assert_eq!(world.activity("The first call").await.id, first);
    assert_ne!(world.activity("The second call").await.id, first);
    assert!(flow::rebuild(&world.ctx).await.unwrap().same);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_one_page_are_told_apart_by_their_ids_even_when_it_shows_one_alone() {
    let world = World::followed(TUESDAY).await;
    let entry = |n: u32| dated(&format!("v{n}"), "https://shed.example.org/changes", &format!("Version {n}"), 17 + n);
    let anchored = |n: u32| dated(&format!("v{n}"), &format!("https://shed.example.org/changes#v{n}"), &format!("Version {n}"), 17 + n);
    world.poll_after(1, "/feed", rss(&[entry(2), entry(1)])).await;
    world.poll_after(1, "/feed", rss(&[entry(3)])).await;
    world.poll_after(1, "/feed", rss(&[anchored(4)])).await;
    world.poll_after(1, "/feed", rss(&[anchored(5), anchored(4), anchored(3)])).await;
    assert_eq!(world.titles().await, (1..=5).map(|n| format!("Version {n}")).collect::<Vec<_>>());
    assert_eq!(world.works().await, 5);
    assert!(flow::rebuild(&world.ctx).await.unwrap().same);
    let reread = flow::reread(&world.ctx).await.unwrap();
    assert!(reread.retold.is_empty() && reread.unknown.is_empty(), "{reread:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_that_a_post_ever_had_is_known() {
    let world = World::followed(TUESDAY).await;
    for name in ["a", "b", "c"] {
        world.poll_after(1, "/feed", rss(&[dated("1", &format!("https://shed.example.org/{name}"), "On ash", 21)])).await;
    }
    for name in ["a", "b", "c"] {
        let explained = flow::explain(&world.ctx, &format!("shed.example.org/{name}")).await.unwrap();
        let seen = explained.checks.iter().find(|check| check.step == "seen").unwrap();
        assert!(seen.code.is_none() && (name == "c" || seen.text.contains("https://shed.example.org/c")), "{name}: {seen:?}");
        let recorded = explained.checks.iter().find(|check| check.step == "recorded").unwrap();
        assert!(recorded.text.contains("On ash"), "{name}: {recorded:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_written_anew_is_a_new_post_and_one_that_is_edited_is_not() {
    for has_ids in [true, false] {
        let world = World::followed(TUESDAY).await;
        let told = |n: usize, title: &str, day: u32, seed: &str| {
            let guid = if has_ids { format!("<guid isPermaLink=\"false\">now-{n}</guid>") } else { String::new() };
            let text = (0..30).map(|word| format!("{seed}{word}")).collect::<Vec<_>>().join(" ");
            let at = format!("<link>https://shed.example.org/now</link><pubDate>{day} Nov 2026 08:00:00 GMT</pubDate>");
            item(title, &format!("{guid}{at}<description>{text}</description>"))
        };
        world.poll_after(1, "/feed", rss(&[told(1, "Opening day at the kiln", 21, "kiln")])).await;
        world.poll_after(1, "/feed", rss(&[told(1, "Opening day at the big kiln", 21, "kiln")])).await;
        world.poll_after(1, "/feed", rss(&[told(2, "A summary of all glazes", 22, "glaze")])).await;
        world.poll_after(1, "/feed", rss(&[told(3, "Farewell to the old wheel", 23, "wheel")])).await;
        world.poll_after(1, "/feed", rss(&[told(3, "Farewell to the old wheel", 23, "wheel")])).await;
        let titles = world.titles().await;
        assert_eq!(titles, ["A summary of all glazes", "Farewell to the old wheel", "Opening day at the big kiln"], "ids: {has_ids}");
        assert!(flow::rebuild(&world.ctx).await.unwrap().same);
        let reread = flow::reread(&world.ctx).await.unwrap();
        assert!(reread.retold.is_empty(), "ids: {has_ids}: {reread:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_for_everything_and_a_token_in_every_address_name_nothing() {
    let world = World::followed(TUESDAY).await;
    let guid = |id: &str, link: String| format!("<guid isPermaLink=\"false\">{id}</guid><link>https://shed.example.org/{link}</link>");
    for kind in 0..4 {
        for poll in 0..3 {
            let post = |n: usize| match kind {
                0 => item(&format!("Version 1.{n}"), &guid("log", "log".into())),
                1 => item("Release", &guid("all", format!("v/{n}"))),
                2 => item(&format!("On firing {n}"), &format!("<link>https://shed.example.org/p/{n}?token={poll}{n}</link>")),
                _ => item(
                    &format!("On glaze {n} ({poll} comments)"),
                    &format!("<link>https://shed.example.org/g/{n}?token={poll}{n}</link><pubDate>2{n} Nov 2026 09:00:00 GMT</pubDate>"),
                ),
            };
            world.poll_after(1, "/feed", rss(&[post(0), post(1), post(2)])).await;
        }
        assert_eq!(world.activities().await.len(), 3 * (kind + 1), "{kind}: {:?}", world.titles().await);
    }
    assert!(flow::rebuild(&world.ctx).await.unwrap().same);
}
