//! Responses at the ages of the grid: by ordinary polls where they come by, else by one cheap question.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clarion::clock::ManualClock;
use clarion::daemon;
use clarion::flow::{self, EngagementReport, Wanted};
use clarion::model::{Counts, GridAge, SourceKind};
use clarion::store::Store;
use tokio_util::sync::CancellationToken;

use crate::support::site::{Site, answer};
use crate::support::world::{World, item, rss};
use crate::support::{configure, good};

const CHANNEL: &str = "UCkilnandash00000000000a";

fn article(likes: u32) -> String {
    format!(
        "{{\"id\":81,\"title\":\"Wax\",\"url\":\"https://dev.to/tallowick/wax\",\"published_at\":\"2026-11-24T09:00:00Z\",\
         \"public_reactions_count\":{likes},\"comments_count\":0,\"user\":{{\"name\":\"T\",\"username\":\"tallowick\"}}}}"
    )
}

impl World {
    fn set(&self, at: &str) {
        self.clock.set(at.parse().unwrap());
    }

    async fn count(&self) -> (u32, u32) {
        let EngagementReport { asked, sampled } = flow::engagement(&self.ctx).await.unwrap();
        (asked, sampled)
    }

    /// The counts that are known of a piece.
    async fn counts(&self, title: &str) -> BTreeMap<GridAge, Counts> {
        let activity = self.activity(title).await;
        self.ctx.store.samples_of(&activity.id).await.unwrap()
    }
}

fn likes(counts: &BTreeMap<GridAge, Counts>) -> Vec<(GridAge, Option<u64>)> {
    counts.iter().map(|(age, counts)| (*age, counts.likes)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_age_that_no_poll_met_is_asked_for_once_and_one_that_a_poll_met_never() {
    let world = World::at("2026-11-24T12:00:00Z").await;
    world.source("Tallow Ick", SourceKind::Devto, "tallowick").await;
    let (list, single) = ("/devto/articles?username=tallowick&page=1", "/devto/articles/81");
    world.origin.serve(list, format!("[{}]", article(3)));
    world.origin.serve(single, article(9));
    world.poll().await;
    world.set("2026-11-25T08:50:00Z");
    assert_eq!(world.count().await, (0, 0), "the age is not reached yet: a poll may still come by");
    world.set("2026-11-25T09:10:00Z");
    assert_eq!(world.count().await, (1, 1));
    assert_eq!(likes(&world.counts("Wax").await), [(GridAge::H24, Some(9))]);
    let facts = world.facts().await;
    assert_eq!(world.count().await, (0, 0), "once is enough");
    world.poll().await;
    assert_eq!(world.facts().await, facts, "a poll on the same age adds nothing");

    world.set("2026-11-26T08:30:00Z");
    world.poll_after(0, list, format!("[{}]", article(12))).await;
    world.set("2026-11-26T09:10:00Z");
    assert_eq!(world.count().await, (0, 0), "the poll has counted");

    // What is not there any more is asked for once, and a host that wants quiet when it has had it.
    world.set("2026-11-27T09:10:00Z");
    world.origin.serve_with(single, 404, "", "{}");
    assert_eq!(world.count().await, (1, 0));
    assert_eq!(world.count().await, (0, 0));
    world.set("2026-12-01T09:10:00Z");
    world.origin.serve_with(single, 429, "retry-after: 600\r\n", "");
    assert_eq!(world.count().await, (1, 0));
    world.origin.serve(single, article(40));
    assert_eq!(world.count().await, (0, 0), "the host asked for quiet");
    world.set("2026-12-01T09:25:00Z");
    assert_eq!(world.count().await, (1, 1));
    let wanted = [(GridAge::H24, Some(9)), (GridAge::H48, Some(12)), (GridAge::D7, Some(40))];
    assert_eq!(likes(&world.counts("Wax").await), wanted);
    assert!(flow::rebuild(&world.ctx).await.unwrap().same, "counts are facts, and a rebuild changes none");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_platform_is_asked_where_it_counts_and_what_counts_nothing_is_left_alone() {
    let world = World::at("2026-11-24T12:00:00Z").await;
    world.feed("Ada Loam", "/feed").await;
    world.source("Bo Ash", SourceKind::YoutubeChannel, CHANNEL).await;
    world.source("Cy Slip", SourceKind::GithubUser, "cyslip").await;
    world.origin.serve("/feed", rss(&[item("A note", "<guid>n</guid><pubDate>Tue, 24 Nov 2026 09:00:00 GMT</pubDate>")]));
    let video = |views: u32| {
        format!(
            "<feed xmlns:yt=\"http://www.youtube.com/xml/schemas/2015\" xmlns:media=\"http://search.yahoo.com/mrss/\" \
             xmlns=\"http://www.w3.org/2005/Atom\"><id>yt:channel:{CHANNEL}</id><title>Kiln</title><entry><id>yt:video:firing00001</id>\
             <yt:videoId>firing00001</yt:videoId><title>The firing</title>\
             <link rel=\"alternate\" href=\"https://www.youtube.com/watch?v=firing00001\"/><published>2026-11-24T09:00:00+00:00</published>\
             <media:group><media:community><media:statistics views=\"{views}\"/></media:community></media:group></entry></feed>"
        )
    };
    let channel = format!("/yt?channel_id={CHANNEL}");
    world.origin.serve_with(&channel, 200, "etag: \"1\"\r\nx-honest: yes\r\n", video(7));
    let actor =
        "\"actor\":{\"id\":5,\"login\":\"cyslip\"},\"repo\":{\"id\":8,\"name\":\"cyslip/lamp\"},\"created_at\":\"2026-11-24T09:00:00Z\"";
    let events = format!(
        "[{{\"id\":\"1\",\"type\":\"CreateEvent\",{actor},\"payload\":{{\"ref_type\":\"repository\",\"description\":null}}}},\
          {{\"id\":\"2\",\"type\":\"ReleaseEvent\",{actor},\"payload\":{{\"action\":\"published\",\"release\":{{\"id\":70,\
            \"tag_name\":\"v1\",\"name\":\"lamp v1\",\"published_at\":\"2026-11-24T09:00:00Z\"}}}}}}]"
    );
    world.origin.serve("/gh/users/cyslip/events/public?per_page=100", events);
    world.origin.serve("/gh/repos/cyslip/lamp", "{\"id\":8,\"stargazers_count\":31}");
    world.origin.serve("/gh/repos/cyslip/lamp/releases/70", "{\"id\":70,\"reactions\":{\"total_count\":4}}");
    world.poll().await;
    assert_eq!(world.titles().await, ["A note", "The firing", "lamp", "lamp v1"]);
    world.set("2026-11-26T10:00:00Z");
    assert_eq!(world.count().await, (3, 3), "a video, a repository and a release; the note's feed counts nothing");
    assert_eq!(world.counts("The firing").await[&GridAge::H48].views, Some(7), "although the feed says that nothing changed");
    assert_eq!(world.counts("lamp").await[&GridAge::H48].stars, Some(31));
    assert_eq!(world.counts("lamp v1").await[&GridAge::H48].likes, Some(4));

    // Nobody is asked on behalf of a source that is paused.
    for source in world.ctx.store.sources().await.unwrap() {
        flow::set_paused(&world.ctx, source.id, true, "staff").await.unwrap();
    }
    world.set("2026-11-27T10:00:00Z");
    assert_eq!(world.count().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_asks_by_itself() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/articles/81" => answer("200 OK", "", &article(9)),
        _ => answer("200 OK", "", &format!("[{}]", article(3))),
    });
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, &format!("[web]\nlisten = \"127.0.0.1:0\"\n[devto]\napi_url = \"{}\"\n", site.url("")));
    std::fs::write(folder.join("roster.csv"), "builder,name,kind,url\nada,Ada,devto,tallowick\n").unwrap();
    good(folder, &["registry", "import", "roster.csv"]);
    let clock = Arc::new(ManualClock::at("2026-11-24T12:00:00Z".parse().unwrap()));
    let ctx = crate::poll::context(folder, &clock).await;
    flow::pass(&ctx, &Wanted::All, CancellationToken::new(), |_, _| {}).await.unwrap();
    flow::settle(&ctx).await.unwrap();
    clock.set("2026-11-25T09:40:00Z".parse().unwrap());
    let stop = CancellationToken::new();
    let running = tokio::spawn(daemon::run(ctx, stop.clone().cancelled_owned(), |_| {}));
    let store = Store::open(&folder.join("clarion.db")).await.unwrap();
    let mut done = None;
    for _ in 0..600 {
        done = store.slots_of("engagement", 1).await.unwrap().into_iter().find(|slot| slot.state == "done");
        if done.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(done.map(|slot| slot.note).as_deref(), Some("extra questions: 1, counts kept: 1"));
    assert_eq!(site.asked("/articles/81").len(), 1);
    store.close().await.unwrap();
}
