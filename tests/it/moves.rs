//! Moves and clocks: whatever a site, a platform or a clock does, the same piece stays one work, and every date follows a
//! written rule (docs/record.md).

use std::collections::BTreeSet;

use clarion::flow::{self, Wanted};
use clarion::model::{ActivityId, CanonicalUrl, DateTrust, Decision, DecisionKind, FactKind, MergeRule, OutcomeCode, SourceKind};
use clarion::store::NewFact;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::support::world::{World, item, outcomes, post, prose, rss};

/// Tuesday of week 48.
const TUESDAY: &str = "2026-11-24T12:00:00Z";
/// The cut-off of week 48.
const CUT_OFF: &str = "2026-11-30T06:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The ids of all activities.
async fn ids(world: &World) -> BTreeSet<ActivityId> {
    world.activities().await.into_iter().map(|activity| activity.id).collect()
}

/// The rule by which the activity with that title stands in its work, and how many stand there with it.
async fn standing(world: &World, title: &str) -> (MergeRule, usize) {
    let id = world.activity(title).await.id;
    let work = world.ctx.store.work_of(&id).await.unwrap().unwrap().work;
    (work.members.iter().find(|member| member.activity == id).unwrap().rule, work.members.len())
}

/// Writes down what a person decided, and settles.
async fn decide(world: &World, what: DecisionKind) {
    write_down(world, what).await;
    flow::settle(&world.ctx).await.unwrap();
}

/// Writes down what a person decided.
async fn write_down(world: &World, what: DecisionKind) {
    let decision = Decision { by: "tester".into(), what, note: None };
    let payload = serde_json::to_string(&decision).unwrap();
    let fact =
        NewFact { at: world.clock_now(), kind: FactKind::Decision, subject: String::new(), detail: String::new(), payload: Some(payload) };
    world.ctx.store.append(fact).await.unwrap();
}

/// Three short pieces with a plain title each, under addresses that a host and a folder give.
fn short_pieces(root: &str, minute: u32) -> String {
    let titles = ["On sifting ash in the rain", "A kiln that never cools down", "Why our glaze went grey"];
    let items: Vec<String> = titles
        .iter()
        .enumerate()
        .map(|(n, title)| {
            let link = format!("{root}/piece-{n}/");
            item(title, &format!("<guid>{link}</guid><link>{link}</link><pubDate>Mon, 23 Nov 2026 0{n}:{minute:02}:00 GMT</pubDate>"))
        })
        .collect();
    rss(&items)
}

// ---- Addresses ------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn short_pieces_move_with_their_site_without_becoming_new() {
    for roots in [
        ["http://shed.example.org/2026", "https://www.shed.example.org/2026"],
        ["https://shed.example.org/2026/11", "https://shed.example.org/blog"],
        ["https://shed.example.org/2026", "https://kiln.example.net/notes"],
        ["https://adaloam.example.org/blog", "https://blog.adaloam.example.org"],
    ] {
        let world = World::followed(TUESDAY).await;
        world.poll_after(1, "/feed", short_pieces(roots[0], 0)).await;
        let before = ids(&world).await;
        world.poll_after(1, "/feed", short_pieces(roots[1], 0)).await;
        assert_eq!((world.works().await, ids(&world).await), (3, before), "{roots:?}");
        assert!(world.activities().await.iter().all(|activity| !activity.left), "{roots:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_moves_and_dates_everything_anew_makes_no_new_works() {
    let world = World::followed(TUESDAY).await;
    let feed = |root: &str, day: u32| {
        let items: Vec<String> = (0..5)
            .map(|n| {
                let link = format!("{root}/{n}");
                item(
                    &format!("A piece on slip {n}"),
                    &format!(
                        "<guid>{link}</guid><link>{link}</link><pubDate>{day:02} Nov 2026 0{n}:00:00 GMT</pubDate>{}",
                        prose(&format!("slip{n}"), 100)
                    ),
                )
            })
            .collect();
        rss(&items)
    };
    world.poll_after(1, "/feed", feed("https://shed.example.org", 23)).await;
    let dates: BTreeSet<_> = world.activities().await.iter().map(|activity| activity.effective_at).collect();
    world.poll_after(48, "/feed", feed("https://shed.example.org/new", 26)).await;
    let after: BTreeSet<_> = world.activities().await.iter().map(|activity| activity.effective_at).collect();
    assert_eq!((world.works().await, after), (5, dates), "the first date that was given stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weekly_call_with_the_same_words_is_news_every_week() {
    let world = World::followed(TUESDAY).await;
    let call = |week: u32, day: u32| {
        let link = format!("https://shed.example.org/call/{week}");
        rss(&[item(
            "Open kiln evening",
            &format!("<guid>{link}</guid><link>{link}</link><pubDate>{day:02} Nov 2026 09:00:00 GMT</pubDate>{}", prose("come", 80)),
        )])
    };
    world.poll_after(1, "/feed", call(1, 17)).await;
    world.poll_after(1, "/feed", call(2, 24)).await;
    assert_eq!((world.works().await, world.activities().await.len()), (2, 2), "one after the other under one roof is two");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blog_that_goes_to_another_platform_keeps_its_works() {
    // The old feed stands on; the new one shows the same pieces, with their dates or with those of the move.
    for dated_anew in [false, true] {
        let world = World::followed(TUESDAY).await;
        let pieces = |root: &str, date: &str| {
            let items: Vec<String> = (0..4)
                .map(|n| {
                    let link = format!("{root}/{}", ["ash", "kiln", "slip", "cone"][n]);
                    item(
                        &format!("What {} taught me about patience", ["ash", "a kiln", "slip", "a cone"][n]),
                        &format!("<guid>{link}</guid><link>{link}</link><pubDate>{date}</pubDate>{}", prose(&format!("lesson{n}"), 100)),
                    )
                })
                .collect();
            rss(&items)
        };
        world.poll_after(1, "/feed", pieces("https://shed.example.org", "Mon, 14 Sep 2026 09:00:00 GMT")).await;
        let date = if dated_anew { "Tue, 24 Nov 2026 08:00:00 GMT" } else { "Mon, 14 Sep 2026 09:00:00 GMT" };
        let new = world.feed("Ada Loam", "/new").await;
        world.origin.serve("/new", pieces("https://adaloam.hashnode.dev", date));
        world.clock.advance(SignedDuration::from_hours(1));
        world.poll_these(Wanted::These(vec![new])).await;
        assert_eq!((world.activities().await.len(), world.works().await), (8, 4), "dated anew: {dated_anew}");
        let digest = world.draft("2026-W48", CUT_OFF).await;
        assert!(digest.is_empty(), "a back catalogue floods nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_withdrawn_and_returns_elsewhere_is_the_same_work() {
    let world = World::followed(TUESDAY).await;
    let piece = |root: &str| {
        let link = format!("{root}/patience");
        item(
            "What a kiln taught me about patience",
            &format!("<guid>{link}</guid><link>{link}</link><pubDate>Mon, 23 Nov 2026 09:00:00 GMT</pubDate>{}", prose("lesson", 100)),
        )
    };
    let steady = post("steady", "A steady piece that stays", "Mon, 23 Nov 2026 08:00:00 GMT");
    world.poll_after(1, "/feed", rss(&[steady.clone(), piece("https://shed.example.org")])).await;
    world.poll_after(1, "/feed", rss(std::slice::from_ref(&steady))).await;
    assert_eq!(world.works().await, 2);
    world.poll_after(1, "/feed", rss(&[steady, piece("https://adaloam.example.net")])).await;
    assert_eq!((world.activities().await.len(), world.works().await), (3, 2), "two addresses, one work");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_account_brings_its_releases_once() {
    let world = World::at(TUESDAY).await;
    let events = |login: &str| {
        format!(
            "[{{\"id\":\"1\",\"type\":\"ReleaseEvent\",\"actor\":{{\"id\":5150,\"login\":\"{login}\"}},\"repo\":{{\"id\":4000,\"name\":\"{login}/sieve\"}},\
             \"payload\":{{\"action\":\"published\",\"release\":{{\"id\":77,\"tag_name\":\"v2\",\"html_url\":\"https://github.com/{login}/sieve/releases/tag/v2\"}}}},\
             \"public\":true,\"created_at\":\"2026-11-24T09:00:00Z\"}}]"
        )
    };
    for login in ["fernloam", "fern-loam-dev"] {
        world.source("Fern Loam", SourceKind::GithubUser, login).await;
        let path = format!("/gh/users/{login}/events/public?per_page=100");
        world.origin.serve(&path, "[]");
        world.poll().await;
        world.poll_after(1, &path, events(login)).await;
    }
    assert_eq!((world.activities().await.len(), world.works().await), (1, 1));
    assert_eq!(world.activities().await[0].sightings.len(), 2);
}

// ---- Copies and companions ------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_video_whose_description_links_the_article_is_its_companion_until_somebody_parts_them() {
    const CHANNEL: &str = "UCkilnAndAshWorkshop0001";
    let world = World::followed(TUESDAY).await;
    world.source("Ada Loam", SourceKind::YoutubeChannel, CHANNEL).await;
    let path = format!("/yt?channel_id={CHANNEL}");
    let channel = |entries: &str| {
        format!(
            "<feed xmlns:yt=\"http://www.youtube.com/xml/schemas/2015\" xmlns:media=\"http://search.yahoo.com/mrss/\" \
             xmlns=\"http://www.w3.org/2005/Atom\"><id>yt:channel:{CHANNEL}</id><title>Kiln and Ash</title>{entries}</feed>"
        )
    };
    let video = |id: &str, title: &str, words: &str| {
        format!(
            "<entry><id>yt:video:{id}</id><yt:videoId>{id}</yt:videoId><title>{title}</title>\
             <link rel=\"alternate\" href=\"https://www.youtube.com/watch?v={id}\"/><published>2026-11-24T10:00:00+00:00</published>\
             <updated>2026-11-24T10:00:00+00:00</updated><media:group><media:title>{title}</media:title>\
             <media:description>{words}</media:description><media:community><media:statistics views=\"9\"/></media:community></media:group></entry>"
        )
    };
    world.origin.serve(&path, channel(""));
    world.poll().await;
    let article = post("slow-firing", "Slow firing in a small kiln, step by step", "Mon, 23 Nov 2026 09:00:00 GMT");
    world.poll_after(1, "/feed", rss(&[article])).await;
    let words = "All of it in writing: https://shed.example.org/slow-firing?utm_source=yt and say hello.";
    let videos = [
        video("slowfiring1", "Small kiln, slow firing", words),
        video("mydesktour1", "My desk, a tour", "Last time: https://shed.example.org/slow-firing"),
    ];
    world.poll_after(1, &path, channel(&videos.concat())).await;
    assert_eq!(standing(&world, "Small kiln, slow firing").await, (MergeRule::Companion, 2));
    assert_eq!(standing(&world, "My desk, a tour").await, (MergeRule::Alone, 1), "a link alone makes no companion");
    assert_eq!(world.works().await, 2);

    let (one, other) =
        (world.activity("Small kiln, slow firing").await.id, world.activity("Slow firing in a small kiln, step by step").await.id);
    decide(&world, DecisionKind::Split { one: one.clone(), other: other.clone() }).await;
    assert_eq!(world.works().await, 3);
    // Told otherwise, rebuilt, polled again: what a person undid stays undone.
    let again = post("slow-firing", "Slow firing in a small kiln, slowly told", "Mon, 23 Nov 2026 09:00:00 GMT");
    world.poll_after(1, "/feed", rss(&[again])).await;
    let rebuilt = flow::rebuild(&world.ctx).await.unwrap();
    assert_eq!((rebuilt.same, world.works().await), (true, 3));
    decide(&world, DecisionKind::Merge { one: one.clone(), other: other.clone() }).await;
    assert_eq!(standing(&world, "Small kiln, slow firing").await.1, 2, "the later word counts");
    decide(&world, DecisionKind::Split { one: one.clone(), other: other.clone() }).await;
    decide(&world, DecisionKind::Unsplit { one, other }).await;
    assert_eq!(standing(&world, "Small kiln, slow firing").await.1, 2, "the word before it counts again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_that_is_taken_back_leaves_the_rules_to_decide() {
    let world = World::followed(TUESDAY).await;
    let copy = world.feed("Ada Loam", "/copy").await;
    world.origin.serve("/copy", rss(&[]));
    world.poll().await;
    let piece = |root: &str, title: &str| {
        let link = format!("{root}/patience");
        item(title, &format!("<guid>{link}</guid><link>{link}</link><pubDate>Mon, 23 Nov 2026 09:00:00 GMT</pubDate>"))
    };
    let title = "What a kiln taught me about patience";
    world.origin.serve("/copy", rss(&[piece("https://adaloam.example.net", title)]));
    world.poll_after(1, "/feed", rss(&[piece("https://shed.example.org", title)])).await;
    let all: Vec<ActivityId> = ids(&world).await.into_iter().collect();
    let [one, other] = all.as_slice() else { panic!("{all:?}") };
    let pair = || (one.clone(), other.clone());
    assert_eq!(world.works().await, 1);
    let (a, b) = pair();
    decide(&world, DecisionKind::Split { one: a, other: b }).await;
    assert_eq!(world.works().await, 2);
    let (a, b) = pair();
    decide(&world, DecisionKind::Unsplit { one: b, other: a }).await;
    assert_eq!(world.works().await, 1);
    assert_eq!(
        world.ctx.store.work_of(one).await.unwrap().unwrap().work.members.iter().filter(|m| m.rule == MergeRule::Decision).count(),
        0
    );
    // Rewritten, it is another piece: nobody ever said that it is the same.
    world.origin.serve("/copy", rss(&[piece("https://adaloam.example.net", "Seven tools for a small shed")]));
    world.clock.advance(SignedDuration::from_hours(1));
    world.poll_these(Wanted::These(vec![copy])).await;
    assert_eq!(world.works().await, 2);
    assert!(flow::rebuild(&world.ctx).await.unwrap().same);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_follows_an_activity_that_turns_out_to_be_another() {
    // Two sources show what looks like two pieces; then one tells an address by which they are one.
    let world = World::followed(TUESDAY).await;
    let team = world.feed("Bo Reed", "/team").await;
    world.origin.serve("/team", rss(&[]));
    world.poll().await;
    let told = |guid: &str, title: &str, link: &str| {
        item(title, &format!("<guid isPermaLink=\"false\">{guid}</guid>{link}<pubDate>Mon, 23 Nov 2026 09:00:00 GMT</pubDate>"))
    };
    let link = "<link>https://shed.example.org/amber</link>";
    let other = post("grey", "Why our glaze went grey", "Mon, 23 Nov 2026 08:00:00 GMT");
    world.poll_after(1, "/feed", rss(&[told("own-1", "Amber", link), other])).await;
    world.poll_after(1, "/team", rss(&[told("team-7", "Amber glaze at last", "")])).await;
    assert_eq!(world.works().await, 3);
    let (second, grey) = (world.activity("Amber glaze at last").await.id, world.activity("Why our glaze went grey").await.id);
    decide(&world, DecisionKind::Merge { one: second.clone(), other: grey }).await;
    assert_eq!(world.works().await, 2);
    world.origin.serve("/team", rss(&[told("team-7", "Amber glaze at last", link)]));
    world.clock.advance(SignedDuration::from_hours(1));
    world.poll_these(Wanted::These(vec![team])).await;
    assert_eq!((world.activities().await.len(), world.works().await), (2, 1), "the merge holds under the id that remains");
    assert!(!ids(&world).await.contains(&second));
    assert!(flow::rebuild(&world.ctx).await.unwrap().same);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_stands_on_two_sites_is_paired_week_by_week() {
    let world = World::followed(TUESDAY).await;
    world.feed("Ada Loam", "/letter").await;
    world.origin.serve("/letter", rss(&[]));
    world.poll().await;
    let column = |host: &str, weeks: &[u32], hour: u32| {
        let items: Vec<String> = weeks
            .iter()
            .map(|week| {
                let link = format!("https://{host}/notes-{week}");
                let day = 2 + 7 * week;
                item(
                    "Notes from the potters' shed by the river",
                    &format!("<guid>{link}</guid><link>{link}</link><pubDate>{day:02} Nov 2026 {hour:02}:00:00 GMT</pubDate>"),
                )
            })
            .collect();
        rss(&items)
    };
    world.origin.serve("/feed", column("shed.example.org", &[0, 1, 2, 3], 9));
    world.poll_after(1, "/letter", column("adaloam.substack.com", &[1, 2, 3], 15)).await;
    let mut sizes = Vec::new();
    for activity in world.activities().await {
        let work = world.ctx.store.work_of(&activity.id).await.unwrap().unwrap().work;
        sizes.push((activity.effective_at.strftime("%d").to_string(), work.members.len()));
    }
    sizes.sort();
    let wanted: Vec<(String, usize)> =
        [("02", 1), ("09", 2), ("09", 2), ("16", 2), ("16", 2), ("23", 2), ("23", 2)].map(|(day, size)| (day.to_owned(), size)).into();
    assert_eq!(sizes, wanted);
}

// ---- Decisions ------------------------------------------------------------------------------------------------------

/// The id that a piece has by its address.
fn by_address(url: &str) -> ActivityId {
    ActivityId::of_key(&CanonicalUrl::parse(url).unwrap().key())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_holds_whether_an_id_was_known_before_it_or_only_after() {
    let told = |guid: &str, title: &str, link: &str| {
        item(title, &format!("<guid isPermaLink=\"false\">{guid}</guid>{link}<pubDate>Mon, 23 Nov 2026 09:00:00 GMT</pubDate>"))
    };
    let link = "<link>https://shed.example.org/amber</link>";
    // The decision is written before the piece is known, while it has an id of its own, or when that is only an alias.
    for moment in 0..3 {
        for settled in [true, false] {
            let world = World::followed(TUESDAY).await;
            let team = world.feed("Bo Reed", "/team").await;
            world.origin.serve("/team", rss(&[]));
            world.poll().await;
            let own = ActivityId::of_key(&format!("{team}:id:team-7"));
            let merge = DecisionKind::Merge { one: own.clone(), other: by_address("https://shed.example.org/grey") };
            let decided = async |now: usize| {
                if now == moment {
                    write_down(&world, merge.clone()).await;
                    if settled {
                        flow::settle(&world.ctx).await.unwrap();
                    }
                }
            };
            let grey = post("grey", "Why our glaze went grey", "Mon, 23 Nov 2026 08:00:00 GMT");
            world.poll_after(1, "/feed", rss(&[told("own-1", "Amber", link), grey])).await;
            decided(0).await;
            world.poll_after(1, "/team", rss(&[told("team-7", "Amber glaze at last", "")])).await;
            assert!(ids(&world).await.contains(&own));
            assert_eq!(world.works().await, if moment == 0 { 2 } else { 3 }, "{moment} {settled}");
            decided(1).await;
            world.poll_after(1, "/team", rss(&[told("team-7", "Amber glaze at last", link)])).await;
            assert!(!ids(&world).await.contains(&own));
            decided(2).await;
            flow::settle(&world.ctx).await.unwrap();
            assert_eq!((world.activities().await.len(), world.works().await), (2, 1), "{moment} {settled}");
            assert!(flow::rebuild(&world.ctx).await.unwrap().same, "{moment} {settled}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_another_decision_stood_against_holds_once_that_is_taken_back() {
    let names = ["ash", "kiln", "slip"];
    for turn in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let world = World::followed(TUESDAY).await;
        let posts = names.map(|name| post(name, &format!("What {name} does"), "Mon, 23 Nov 2026 08:00:00 GMT"));
        world.poll_after(1, "/feed", rss(&posts)).await;
        let [a, b, c] = turn.map(|n: usize| by_address(&format!("https://shed.example.org/{}", names[n])));
        decide(&world, DecisionKind::Merge { one: a.clone(), other: c.clone() }).await;
        decide(&world, DecisionKind::Split { one: b.clone(), other: c.clone() }).await;
        decide(&world, DecisionKind::Merge { one: a.clone(), other: b.clone() }).await;
        assert_eq!(world.works().await, 2, "{turn:?}: one of the two merges must give way");
        decide(&world, DecisionKind::Split { one: a.clone(), other: c }).await;
        let work = world.ctx.store.work_of(&a).await.unwrap().unwrap().work;
        assert_eq!(work.members.iter().map(|member| &member.activity).collect::<BTreeSet<_>>(), BTreeSet::from([&a, &b]), "{turn:?}");
        assert!(flow::rebuild(&world.ctx).await.unwrap().same, "{turn:?}");
    }
}

/// What happens in a small world of two sources with three pieces each.
#[derive(Debug, Clone)]
enum Happening {
    /// A source tells a piece without an address, or under one of three that both use.
    Told { source: usize, piece: usize, address: Option<usize> },
    /// A person says whether two of all the ids that ever could be are one work.
    Decided { merge: bool, one: usize, other: usize },
}

fn happenings() -> impl Strategy<Value = Vec<(Happening, bool)>> {
    let told = (0_usize..2, 0_usize..3, proptest::option::weighted(0.6, 0_usize..3)).prop_map(|(source, piece, address)| Happening::Told {
        source,
        piece,
        address,
    });
    let decided =
        (proptest::bool::weighted(0.6), 0_usize..9, 0_usize..9).prop_map(|(merge, one, other)| Happening::Decided { merge, one, other });
    proptest::collection::vec((prop_oneof![told, decided], proptest::bool::ANY), 4..16)
}

/// Plays it in a world of its own, settling always or only where that is said.
async fn play(happenings: &[(Happening, bool)], always: bool) -> World {
    let world = World::at(TUESDAY).await;
    let mut sources = Vec::new();
    for (n, name) in ["Ada Loam", "Bo Reed"].into_iter().enumerate() {
        sources.push(world.feed(name, &format!("/{n}")).await);
        world.origin.serve(&format!("/{n}"), rss(&[]));
    }
    world.poll().await;
    let address = |n: usize| format!("https://shed.example.org/p/{n}");
    let mut all: Vec<ActivityId> = (0..3).map(|n| by_address(&address(n))).collect();
    all.extend((0..6).map(|n| ActivityId::of_key(&format!("{}:id:piece-{}", sources[n / 3], n % 3))));
    let mut shown = [[None; 3]; 2];
    for (happening, settles) in happenings {
        world.clock.advance(SignedDuration::from_hours(2));
        match happening {
            Happening::Told { source, piece, address: told } => {
                shown[*source][*piece] = Some(*told);
                let items: Vec<String> = (0..3)
                    .filter_map(|piece| {
                        let link = shown[*source][piece]?.map(|n| format!("<link>{}</link>", address(n))).unwrap_or_default();
                        let guid = format!("<guid isPermaLink=\"false\">piece-{piece}</guid>");
                        Some(item(
                            &format!("{source} tells of {piece}"),
                            &format!("{guid}{link}<pubDate>23 Nov 2026 08:00:00 GMT</pubDate>"),
                        ))
                    })
                    .collect();
                world.origin.serve(&format!("/{source}"), rss(&items));
                let wanted = Wanted::These(vec![sources[*source]]);
                flow::pass(&world.ctx, &wanted, CancellationToken::new(), |_, _| {}).await.unwrap();
            }
            Happening::Decided { merge, one, other } => {
                let (one, other) = (all[*one].clone(), all[*other].clone());
                let what = if *merge { DecisionKind::Merge { one, other } } else { DecisionKind::Split { one, other } };
                write_down(&world, what).await;
            }
        }
        if always || *settles {
            flow::settle(&world.ctx).await.unwrap();
        }
    }
    flow::settle(&world.ctx).await.unwrap();
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decisions_and_moving_ids_give_the_same_works_in_any_batches(happenings in happenings()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let at_once = play(&happenings, true).await;
            let now_and_then = play(&happenings, false).await;
            let hash = at_once.ctx.store.derived_hash().await.unwrap();
            let rebuilt = flow::rebuild(&at_once.ctx).await.unwrap();
            prop_assert_eq!(&rebuilt.after, &hash, "built anew");
            prop_assert_eq!(&now_and_then.ctx.store.derived_hash().await.unwrap(), &hash, "in other batches");
            Ok(())
        })?;
    }
}

// ---- Clocks ---------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn every_odd_date_follows_its_rule() {
    let world = World::followed(TUESDAY).await;
    let cases = [
        (
            "Stated",
            "<pubDate>Mon, 23 Nov 2026 09:00:00 +0300</pubDate>",
            Some("2026-11-23T06:00:00Z"),
            DateTrust::Stated,
            "2026-11-23T06:00:00Z",
        ),
        (
            "Without zone",
            "<pubDate>2026-11-23 09:00:00</pubDate>",
            Some("2026-11-23T09:00:00Z"),
            DateTrust::ZoneAssumed,
            "2026-11-23T09:00:00Z",
        ),
        ("Missing", "", None, DateTrust::Unknown, "2026-11-24T13:00:00Z"),
        ("Unreadable", "<pubDate>soon</pubDate>", None, DateTrust::Unknown, "2026-11-24T13:00:00Z"),
        ("Before the web", "<pubDate>Thu, 01 Jan 1970 00:00:00 GMT</pubDate>", None, DateTrust::Unknown, "2026-11-24T13:00:00Z"),
        ("Last day before", "<pubDate>Sat, 31 Dec 1994 23:59:59 GMT</pubDate>", None, DateTrust::Unknown, "2026-11-24T13:00:00Z"),
        (
            "Fast clock",
            "<pubDate>Tue, 24 Nov 2026 20:00:00 GMT</pubDate>",
            Some("2026-11-24T20:00:00Z"),
            DateTrust::Stated,
            "2026-11-24T13:00:00Z",
        ),
        (
            "Future",
            "<pubDate>Sun, 24 Jan 2027 20:00:00 GMT</pubDate>",
            Some("2027-01-24T20:00:00Z"),
            DateTrust::Future,
            "2026-11-24T13:00:00Z",
        ),
    ];
    let items: Vec<String> = cases.iter().map(|(title, date, ..)| item(title, &format!("<guid>{title}</guid>{date}"))).collect();
    world.poll_after(1, "/feed", rss(&items)).await;
    for (title, _, published, trust, effective) in cases {
        let found = world.activity(title).await;
        assert_eq!((found.published_at, found.published_trust, found.effective_at), (published.map(at), trust, at(effective)), "{title}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_that_drift_and_pieces_that_are_edited_stay_where_they_were() {
    let world = World::followed(TUESDAY).await;
    let feed = |day: u32, hour: u32, words: &str| {
        let link = "https://shed.example.org/drift";
        rss(&[item(
            &format!("A drifting piece {words}"),
            &format!(
                "<guid>{link}</guid><link>{link}</link><category>{words}</category><pubDate>{day:02} Nov 2026 {hour:02}:07:00 GMT</pubDate>{}",
                prose(words, 60)
            ),
        )])
    };
    world.poll_after(1, "/feed", feed(22, 9, "first")).await;
    let first = world.activities().await.remove(0);
    for (day, hour, words) in [(22, 10, "first"), (23, 11, "second"), (25, 3, "third")] {
        world.poll_after(3, "/feed", feed(day, hour, words)).await;
    }
    let all = world.activities().await;
    assert_eq!((all.len(), &all[0].id, all[0].effective_at), (1, &first.id, first.effective_at));
    assert_eq!(
        (all[0].title.as_str(), all[0].tags.as_slice(), all[0].revised_at),
        ("A drifting piece third", &["third".to_owned()][..], Some(at("2026-11-24T22:00:00Z")))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn old_and_undated_pieces_that_come_together_later_are_a_back_catalogue_and_one_alone_is_news() {
    for (count, backfill) in [(1, false), (4, false), (5, true), (9, true)] {
        let world = World::followed(TUESDAY).await;
        let items: Vec<String> = (0..count).map(|n| item(&format!("Undated {n}"), &format!("<guid>u{n}</guid>"))).collect();
        world.poll_after(1, "/feed", rss(&items)).await;
        assert!(world.activities().await.iter().all(|activity| activity.backfill == backfill), "{count}");
        let digest = world.draft("2026-W48", CUT_OFF).await;
        let code = outcomes(&digest, "Undated 0");
        assert_eq!(code == [OutcomeCode::DateMissing] || code == [OutcomeCode::FirstImportBackfill], backfill, "{count}: {code:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_is_added_or_corrected_later_counts_and_one_that_moves_does_not() {
    let world = World::followed("2026-03-03T12:00:00Z").await;
    let told = |name: &str, date: &str| {
        let date = if date.is_empty() { String::new() } else { format!("<pubDate>{date}</pubDate>") };
        item(name, &format!("<guid isPermaLink=\"false\">{name}</guid><link>https://shed.example.org/{name}</link>{date}"))
    };
    let right = "Mon, 02 Mar 2026 09:00:00 GMT";
    let later = "Thu, 05 Mar 2026 12:00:00 GMT";
    world.poll_after(0, "/feed", rss(&[told("known", right)])).await;
    let first = [told("known", right), told("added", ""), told("mended", "0000-00-00"), told("typed", "Sun, 02 Mar 2062 09:00:00 GMT")];
    world.poll_after(1, "/feed", rss(&first)).await;
    // A template that dates everything by the hour of the request says nothing of the pieces.
    world.poll_after(48, "/feed", rss(&["known", "added", "mended", "typed"].map(|name| told(name, later)))).await;
    assert_eq!(world.activity("added").await.published_at, None);
    assert_eq!(world.activity("known").await.published_at, Some(at("2026-03-02T09:00:00Z")));
    world.poll_after(1, "/feed", rss(&["known", "added", "mended", "typed"].map(|name| told(name, right)))).await;
    for name in ["known", "added", "mended", "typed"] {
        let activity = world.activity(name).await;
        assert_eq!(
            (activity.published_at, activity.effective_at),
            (Some(at("2026-03-02T09:00:00Z")), at("2026-03-02T09:00:00Z")),
            "{name}"
        );
    }
    assert!(flow::rebuild(&world.ctx).await.unwrap().same);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_is_cut_off_anywhere_leaves_nothing_behind_once_it_is_whole() {
    let told = |n: u32| {
        let at = format!("https://shed.example.org/2026/piece-{n}");
        let text = "Words on the firing of pots, one after the other, until the kiln is full.";
        item(
            &format!("A rather long title of piece {n}"),
            &format!("<link>{at}</link><description>{text}</description><guid>{at}</guid><pubDate>2{n} Nov 2026 09:00:00 GMT</pubDate>"),
        )
    };
    let whole = rss(&[told(3), told(2), told(1)]);
    let from = whole.rfind("<item>").unwrap() - 2;
    for cut in (from..whole.len() - 1).step_by(13) {
        let world = World::followed("2026-11-24T12:00:00Z").await;
        // What was known is not gone because the document ends before it.
        world.poll_after(1, "/feed", rss(&[told(2), told(1)])).await;
        world.poll_after(1, "/feed", &whole[..cut]).await;
        assert!(world.activities().await.iter().all(|activity| !activity.left), "cut at {cut}");
        world.poll_after(1, "/feed", whole.as_str()).await;
        let titles: Vec<String> = (1..=3).map(|n| format!("A rather long title of piece {n}")).collect();
        assert_eq!(world.titles().await, titles, "cut at {cut}: {:?}", &whole[from..cut]);

        let world = World::followed("2026-11-24T12:00:00Z").await;
        world.poll_after(1, "/feed", &whole[..cut]).await;
        world.poll_after(1, "/feed", whole.as_str()).await;
        assert_eq!(world.titles().await, titles, "first seen cut at {cut}: {:?}", &whole[from..cut]);
    }
}
