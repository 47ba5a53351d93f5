//! Every kind of feed and calendar on its whole path: from a line of the roster over a poll to the log and the question "where
//! is my post?"; and what is particular about each.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use clarion::flow::{self, Told, Wanted};
use clarion::model::{ActivityKind, DateTrust, OutcomeCode, SourceKind, SourceStatus};
use jiff::{SignedDuration, Timestamp};

use crate::support::site::{Asked, Site, answer};
use crate::support::world::{World, outcomes, post, rss};
use crate::support::{configure, good, json, run};

const NOW: &str = "2026-11-19T09:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A secret in a file that nobody else can read.
fn secret(folder: &Path, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// All platforms at once, each at a path of its own.
fn platforms(asked: &Asked) -> Vec<u8> {
    let (feed, json) = ("Content-Type: application/rss+xml\r\n", "Content-Type: application/json\r\n");
    let path = asked.path.split(['?', '#']).next().unwrap();
    match path {
        "/show" => answer("200 OK", feed, include_str!("../../fixtures/podcast/show.xml")),
        "/lookup" => {
            let at_home = format!("http://{}/show", asked.header("host").unwrap());
            let body = include_str!("../../fixtures/podcast/lookup.json").replace("https://feeds.lathe.example/show", &at_home);
            answer("200 OK", json, &body)
        }
        "/feed/@bodkin" => answer("200 OK", feed, include_str!("../../fixtures/medium/stories.xml")),
        "/oakandash/videos/rss" => answer("200 OK", feed, include_str!("../../fixtures/vimeo/videos.xml")),
        "/oembed" => answer("200 OK", json, include_str!("../../fixtures/vimeo/oembed.json")),
        "/feeds/videos.xml" => answer("200 OK", feed, include_str!("../../fixtures/peertube/videos.xml")),
        "/yt" if asked.path.contains("playlist_id=PLtallowtallow") => {
            answer("200 OK", feed, include_str!("../../fixtures/youtube/channel.xml"))
        }
        "/token" if String::from_utf8_lossy(&asked.body).contains("grant_type=client_credentials") => {
            answer("200 OK", json, "{\"access_token\":\"apptoken\",\"expires_in\":5000000,\"token_type\":\"bearer\"}")
        }
        "/helix/users" | "/helix/videos" if asked.header("authorization") != Some("Bearer apptoken") => {
            answer("401 Unauthorized", json, "{}")
        }
        "/helix/users" => answer("200 OK", json, include_str!("../../fixtures/twitch/users.json")),
        "/helix/videos" => answer("200 OK", json, include_str!("../../fixtures/twitch/videos.json")),
        "/helix/streams" => answer("200 OK", json, "{\"data\":[]}"),
        "/speaker/q1w2e3r4t5" => answer("200 OK", json, include_str!("../../fixtures/sessionize/speaker.json")),
        "/group.ics" => answer("200 OK", "Content-Type: text/calendar\r\n", include_str!("../../fixtures/ical/group.ics")),
        _ => answer("404 Not Found", "", "not here"),
    }
}

#[test]
fn every_kind_goes_from_a_line_of_the_roster_to_the_log() {
    let site = Site::start(platforms);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (id, pass) = (secret(folder, "id", "client\n"), secret(folder, "word", "secret\n"));
    configure(
        folder,
        &format!(
            "[youtube]\nfeed_url = \"{yt}\"\n[podcast]\nlookup_url = \"{lookup}\"\n[vimeo]\noembed_url = \"{oembed}\"\n\
             [twitch]\napi_url = \"{helix}\"\ntoken_url = \"{token}\"\nclient_id_file = \"{id}\"\nclient_secret_file = \"{pass}\"\n\
             [sessionize]\napi_url = \"{speaker}\"\n",
            yt = site.url("/yt"),
            lookup = site.url("/lookup"),
            oembed = site.url("/oembed"),
            helix = site.url("/helix"),
            token = site.url("/token"),
            speaker = site.url("/speaker"),
        ),
    );
    // The kind as the roster gives it, the address, the kind as recorded, and a title with its kind and its address.
    let rows = [
        ("podcast", site.url("/show"), "podcast", "12: Warm bearings", "podcast_episode", "https://lathe.example/"),
        ("", "https://podcasts.apple.com/us/podcast/talking-lathe/id1699000017".into(), "podcast", "Season two is coming", "trailer", ""),
        (
            "medium",
            site.url("/feed/@bodkin"),
            "medium",
            "Awls and alarms",
            "article",
            "https://medium.com/@bodkin/awls-and-alarms-0a1b2c3d4e5f",
        ),
        ("vimeo", site.url("/oakandash/videos/rss"), "vimeo", "Mitre by lamplight", "video", "https://vimeo.com/oakandash/880000015"),
        (
            "",
            site.url("/feeds/videos.xml?videoChannelName=sluice"),
            "peertube",
            "Gates and queues",
            "video",
            "https://tube.weir.example/w/8NppK6AvXTRYWAkD9Xxj5J",
        ),
        (
            "",
            "https://www.youtube.com/playlist?list=PLtallowtallow".into(),
            "youtube_playlist",
            "Queues & candles, end to end",
            "video",
            "",
        ),
        (
            "",
            "https://www.twitch.tv/AnvilCast".into(),
            "twitch_channel",
            "Forging a pipeline",
            "livestream",
            "https://www.twitch.tv/videos/2610000003",
        ),
        ("sessionize", "q1w2e3r4t5".into(), "sessionize_speaker", "Shuttle Day", "talk", ""),
        ("", site.url("/group.ics"), "ical", "November: shuttles, threads and tea", "event", "https://weavers.example/events/410000001/"),
    ];
    let mut roster = "builder,name,kind,url\n".to_owned();
    for (n, (kind, url, ..)) in rows.iter().enumerate() {
        writeln!(roster, "b{n},Builder {n},{kind},{url}").unwrap();
    }
    std::fs::write(folder.join("roster.csv"), roster).unwrap();
    good(folder, &["registry", "import", "roster.csv"]);
    let told = good(folder, &["poll"]);
    assert!(told.starts_with("asked 9 sources: 9 read, 0 unchanged, 0 failed, 0 held back"), "{told}");
    let sources = json(folder, &["source", "list"]);
    let export = good(folder, &["log", "export", "--format", "jsonl"]);
    let lines: Vec<serde_json::Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (n, (_, _, kind, title, activity, address)) in rows.iter().enumerate() {
        let builder = format!("b{n}");
        let source = sources.as_array().unwrap().iter().find(|source| source["builders"][0] == builder.as_str()).unwrap();
        assert_eq!((source["kind"].as_str(), source["status"].as_str()), (Some(*kind), Some("ok")), "{source}");
        let line =
            lines.iter().find(|line| line["title"] == *title && line["builders"].as_array().unwrap().contains(&builder.as_str().into()));
        let line = line.unwrap_or_else(|| panic!("{title} of {builder} is missing:\n{export}"));
        assert_eq!(line["kind"], *activity, "{line}");
        if address.is_empty() {
            continue;
        }
        assert_eq!(line["url"], *address);
        let explained = json(folder, &["explain", address]);
        let seen = explained["checks"].as_array().unwrap().iter().find(|check| check["step"] == "seen").unwrap();
        assert_eq!(seen["state"], "passed", "{explained}");
    }
    // Both lines of the podcast tell the same episodes: each is one activity of both builders.
    let episode = lines.iter().filter(|line| line["title"] == "12: Warm bearings").collect::<Vec<_>>();
    assert_eq!((episode.len(), episode[0]["builders"].as_array().unwrap().len()), (1, 2), "{episode:?}");
    assert_eq!(site.asked("/lookup").len(), 1);
    assert_eq!((site.asked("/token").len(), site.asked("/helix/users").len()), (1, 1));
    // A second pass asks for what the names stand for, and finds nothing new.
    let again = good(folder, &["poll", "--all"]);
    assert!(again.contains(" 0 failed") && again.contains("0 entries new, 0 changed"), "{again}");
    assert_eq!((site.asked("/lookup").len(), site.asked("/helix/users").len()), (1, 1));
    assert!(site.asked("/").iter().all(|asked| !asked.path.contains("secret") && !asked.path.contains("apptoken")));
    assert_eq!(run(folder, &["rebuild"]).code, 0);
}

#[test]
fn what_can_only_be_entered_by_hand_says_so_and_is_taken_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "");
    let roster =
        "builder,name,kind,url\nada,Ada,,https://builder.aws.com/community/@ada\nbo,Bo,manual,https://repost.aws/questions/1\ncy,Cy,,\n";
    std::fs::write(folder.join("roster.csv"), roster).unwrap();
    let told = run(folder, &["registry", "import", "roster.csv"]);
    for wanted in ["AWS Builder Center shows no feed to the public", "works that are entered by hand need no source", "clarion work add"] {
        assert!(told.out.contains(wanted), "{told:?}");
    }
    std::fs::write(folder.join("roster.csv"), "builder,name,kind,url\nada,Ada,,\n").unwrap();
    good(folder, &["registry", "import", "roster.csv"]);
    let address = "https://builder.aws.com/content/2abc/nine-knots";
    let add =
        |title: &str, more: &[&str]| good(folder, &[&["work", "add", "ada", address, "--title", title, "--as", "rae"], more].concat());
    assert_eq!(add("Nine knots", &["--date", "2026-11-18"]), "added, marked as self-reported\n");
    assert_eq!(add("Nine knots", &["--date", "2026-11-18"]), "known already\n");
    assert_eq!(add("Nine good knots", &["--date", "2026-11-18"]), "known, and told anew\n");
    let rows = json(folder, &["log", "list"]);
    let [row] = rows.as_array().unwrap().as_slice() else { panic!("one work: {rows}") };
    assert_eq!((&row["title"], &row["self_reported"], &row["source_kind"]), (&"Nine good knots".into(), &true.into(), &"manual".into()));
    assert_eq!((&row["published_at"], &row["published_trust"]), (&"2026-11-18T12:00:00Z".into(), &"zone_assumed".into()));
    let explained = good(folder, &["explain", address]);
    assert!(explained.contains("self-reported"), "{explained}");
    assert!(good(folder, &["poll", "--all"]).starts_with("asked 0 sources"), "there is nobody to ask");
    assert!(!good(folder, &["registry", "export"]).contains("manual"), "a roster names no works");
    assert_eq!(good(folder, &["work", "remove", "ada", address]), "removed\n");
    assert_eq!(json(folder, &["log", "list"])[0]["left"], true);
    run(folder, &["work", "remove", "ada", address]).refused(1, &["nothing was entered by hand"]);
    run(folder, &["work", "add", "ada", "javascript:go()", "--title", "x"]).refused(1, &["only http and https"]);
    run(folder, &["work", "add", "zoe", address, "--title", "x"]).refused(1, &["there is no builder `zoe`"]);
    run(folder, &["work", "add", "ada", address, "--title", "x", "--kind", "poem"]).refused(2, &["`poem` is no kind"]);
    run(folder, &["work", "add", "ada", address, "--title", "x", "--date", "soon"]).refused(2, &["is no date"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_shows_what_was_entered_by_hand_goes_first_and_makes_it_no_second_work() {
    let world = World::at(NOW).await;
    let slug = world.builder("Ada Loam").await;
    let told = Told {
        address: "https://shed.example.org/glaze?utm_source=mail".into(),
        title: "My glaze".into(),
        kind: ActivityKind::Article,
        published: None,
        is_day: false,
        summary: None,
    };
    flow::enter(&world.ctx, &slug, &told, "rae").await.unwrap();
    flow::settle(&world.ctx).await.unwrap();
    let by_hand = world.activity("My glaze").await;
    assert!(by_hand.self_reported && by_hand.published_trust == DateTrust::Unknown && by_hand.credits.len() == 1);
    world.feed("Ada Loam", "/feed").await;
    world.poll_after(1, "/feed", rss(&[post("glaze", "Glaze tests", "Wed, 18 Nov 2026 10:00:00 GMT")])).await;
    let [one] = world.activities().await.try_into().unwrap();
    assert_eq!((one.title.as_str(), one.self_reported, one.id), ("Glaze tests", false, by_hand.id));
    let ahead = Told { published: Some(at("2027-03-01T00:00:00Z")), ..told };
    assert!(flow::enter(&world.ctx, &slug, &ahead, "rae").await.is_err(), "an article cannot lie ahead");
}

// ---- Podcasts and Medium --------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_show_that_begins_to_name_itself_or_changes_its_files_makes_no_new_episodes() {
    let world = World::at(NOW).await;
    let source = world.source("Runa Lathe", SourceKind::Podcast, &world.url("/show")).await;
    let whole = include_str!("../../fixtures/podcast/show.xml");
    let nameless: String = whole.lines().filter(|line| !line.contains("podcast:guid")).collect::<Vec<_>>().join("\n");
    let first = world.poll_after(0, "/show", nameless).await;
    assert_eq!(first.new, 4);
    let again = world.poll_after(3, "/show", whole.replace("cdn.lathe.example", "count.example/r/cdn.lathe.example")).await;
    assert_eq!((again.new, world.activities().await.len()), (0, 4));
    // Where it says that it moved is another site: that waits for a person.
    let state = world.state(source).await;
    assert_eq!((state.moving_to.as_deref(), state.final_url), (Some("https://audio.lathe.example/show.xml"), None));
    let trailer = world.activity("Season two is coming").await;
    assert_eq!((trailer.kind, trailer.substance.duration_s), (ActivityKind::Trailer, Some(61)));
    world.poll_after(1, "/show", whole.replace("2026 05:00:00", "2026 06:00:00")).await;
    let digest = world.draft("2026-W47", "2026-11-23T06:00:00Z").await;
    assert_ne!(outcomes(&digest, "Season two is coming"), [OutcomeCode::Chosen], "a trailer is never featured");
}

#[tokio::test(flavor = "multi_thread")]
async fn medium_is_left_alone_for_six_hours_once_it_asks_for_quiet() {
    let world = World::at(NOW).await;
    let one = world.source("Petra Bodkin", SourceKind::Medium, &world.url("/feed/@bodkin")).await;
    world.origin.serve_with("/feed/@bodkin", 429, "retry-after: 60\r\n", "");
    world.poll().await;
    let state = world.state(one).await;
    assert!(state.not_before.unwrap() >= at("2026-11-19T15:00:00Z"), "{state:?}");
    let asked = world.origin.arrivals().len();
    world.clock.advance(SignedDuration::from_hours(5));
    world.poll().await;
    assert_eq!(world.origin.arrivals().len(), asked, "nothing is asked there, whoever wishes it");
    world.clock.advance(SignedDuration::from_hours(2));
    world.origin.serve("/feed/@bodkin", include_str!("../../fixtures/medium/stories.xml"));
    world.poll().await;
    assert_eq!(world.state(one).await.status, SourceStatus::Ok);
    let kinds: Vec<ActivityKind> = [world.activity("Awls and alarms").await, world.activity("So true").await].map(|one| one.kind).into();
    assert_eq!(kinds, [ActivityKind::Article, ActivityKind::Reply]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blog_that_published_more_than_a_page_while_nobody_looked_is_read_whole() {
    let world = World::at(NOW).await;
    world.feed("Ada Loam", "/feed/").await;
    let page = |from: u32, to: u32| {
        let posts: Vec<String> =
            (from..to).rev().map(|n| post(&format!("p{n}"), &format!("Post {n}"), "Wed, 18 Nov 2026 10:00:00 GMT")).collect();
        rss(&posts).replace("<description>d</description>", "<generator>https://wordpress.org/?v=6.9</generator>")
    };
    world.origin.serve("/feed/?paged=2", page(0, 2));
    assert_eq!(world.poll_after(0, "/feed/", page(2, 4)).await.new, 2, "what was there before is left to whoever asks for it");
    world.origin.serve("/feed/?paged=2", page(4, 7));
    world.origin.serve("/feed/?paged=3", page(2, 4));
    assert_eq!(world.poll_after(24, "/feed/", page(7, 10)).await.new, 6);
    assert_eq!(world.activities().await.len(), 8);
}

// ---- YouTube --------------------------------------------------------------------------------------------------------

const CHANNEL: &str = "UCabcdefghijklmnopqrstuv";

fn list(entries: &[(&str, &str, u32)]) -> String {
    let entry = |(id, title, views): &(&str, &str, u32)| {
        format!(
            "<entry><id>yt:video:{id}</id><yt:videoId>{id}</yt:videoId><title>{title}</title><link rel=\"alternate\" \
             href=\"https://www.youtube.com/watch?v={id}\"/><published>2026-11-19T08:00:00+00:00</published><media:group>\
             <media:community><media:statistics views=\"{views}\"/></media:community></media:group></entry>"
        )
    };
    let entries: String = entries.iter().map(entry).collect();
    format!(
        "<feed xmlns:yt=\"http://www.youtube.com/xml/schemas/2015\" xmlns:media=\"http://search.yahoo.com/mrss/\" \
         xmlns=\"http://www.w3.org/2005/Atom\"><title>Kiln and Ash</title>{entries}</feed>"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn shorts_and_streams_are_told_by_the_lists_that_hold_them_and_asked_for_once() {
    let world = World::at(NOW).await;
    let feed = format!("/yt?channel_id={CHANNEL}");
    world.source("Ada Loam", SourceKind::YoutubeChannel, CHANNEL).await;
    world.poll_after(0, &feed, list(&[])).await;
    world.origin.serve("/yt?playlist_id=UUSHabcdefghijklmnopqrstuv", list(&[("shortclip01", "A clip", 9), ("olderclip99", "Long ago", 9)]));
    world.origin.serve("/yt?playlist_id=UULVabcdefghijklmnopqrstuv", list(&[("livestream1", "A stream", 9)]));
    let videos = [("shortclip01", "A clip", 9), ("livestream1", "A stream", 9), ("longvideo01", "A talk", 9)];
    assert_eq!(world.poll_after(1, &feed, list(&videos)).await.new, 3);
    let asked = world.origin.arrivals().len();
    for hours in 1..5 {
        let moved = videos.map(|(id, title, views)| (id, title, views + hours));
        let report = world.poll_after(1, &feed, list(&moved)).await;
        assert_eq!((report.new, report.changed), (0, 0));
    }
    assert_eq!(world.origin.arrivals().len(), asked + 4, "what is known is not looked up again");
    for (title, kind) in [("A clip", ActivityKind::Short), ("A stream", ActivityKind::Livestream), ("A talk", ActivityKind::Video)] {
        assert_eq!(world.activity(title).await.kind, kind, "{title}");
    }
    // The same video in a list of its own, and told otherwise: still one piece, still a Short.
    world.source("Ada Loam", SourceKind::YoutubePlaylist, "PLabcdefghij").await;
    world.origin.serve("/yt?playlist_id=PLabcdefghij", list(&[("shortclip01", "A clip", 30)]));
    world.poll_after(1, &feed, list(&[("shortclip01", "A better clip", 9), videos[1], videos[2]])).await;
    let clip = world.activity("A better clip").await;
    assert_eq!((clip.kind, clip.sightings.len(), world.activities().await.len()), (ActivityKind::Short, 2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_premiere_with_a_known_hour_is_held_until_then_and_dated_by_it() {
    let keys = tempfile::tempdir().unwrap();
    let key = secret(keys.path(), "key", "thekey");
    let more = format!("[youtube]\napi_url = \"http://127.0.0.1:{{port}}/api\"\nkey_file = \"{key}\"\n");
    let world = World::with("2026-11-24T09:00:00Z", &more).await;
    let feed = format!("/yt?channel_id={CHANNEL}");
    world.source("Ada Loam", SourceKind::YoutubeChannel, CHANNEL).await;
    world.poll_after(0, &feed, list(&[])).await;
    let details = "/api/videos?part=snippet,contentDetails,statistics,liveStreamingDetails&id=premiere001";
    let video = |live: &str| {
        format!(
            "{{\"items\":[{{\"id\":\"premiere001\",\"snippet\":{{\"liveBroadcastContent\":\"upcoming\"}},\"contentDetails\":{{\"duration\":\"P0D\"}},\"liveStreamingDetails\":{{{live}}}}}]}}"
        )
    };
    world.origin.serve(details, video("\"scheduledStartTime\":\"2026-12-01T17:00:00Z\""));
    world.poll_after(1, &feed, list(&[("premiere001", "The firing", 0)])).await;
    let keyed = |arrival: &crate::support::world::Arrival| arrival.headers.get("x-goog-api-key").is_some_and(|key| key == "thekey");
    assert_eq!(world.origin.arrivals().iter().filter(|arrival| keyed(arrival)).count(), 1, "the key goes to the interface alone");
    // It is put off by an hour, which the next poll learns.
    world.origin.serve(details, video("\"scheduledStartTime\":\"2026-12-01T18:00:00Z\""));
    world.poll_after(1, &feed, list(&[("premiere001", "The firing ", 0)])).await;
    let announced = world.activity("The firing").await;
    let tuesday = at("2026-12-01T18:00:00Z");
    assert_eq!((announced.held_until, announced.published_at, announced.effective_at), (Some(tuesday), Some(tuesday), tuesday));
    // Whoever asks is told why it stands in no draft.
    let told = flow::explain(&world.ctx, announced.url.as_deref().unwrap()).await.unwrap();
    assert_eq!((told.failed, told.code), (Some("eligible"), Some("held")));
    // It lies in the window of a later one.
    let early = world.draft("2026-W48", "2026-11-30T06:00:00Z").await;
    assert_eq!(outcomes(&early, "The firing"), []);
    // Nothing need be said for it to be out at its hour.
    let digest = world.draft("2026-W49", "2026-12-07T06:00:00Z").await;
    assert_eq!(outcomes(&digest, "The firing"), [OutcomeCode::Chosen]);
    assert_eq!(world.titles().await, ["The firing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_feeds_fail_a_key_finds_the_videos_and_without_one_no_channel_is_ever_given_up() {
    let keys = tempfile::tempdir().unwrap();
    let key = secret(keys.path(), "key", "thekey");
    let more = format!("[youtube]\napi_url = \"http://127.0.0.1:{{port}}/api\"\nkey_file = \"{key}\"\n");
    let world = World::with(NOW, &more).await;
    let source = world.source("Ada Loam", SourceKind::YoutubeChannel, CHANNEL).await;
    let uploads = "/api/playlistItems?part=snippet,contentDetails&maxResults=20&playlistId=UUabcdefghijklmnopqrstuv";
    world.origin.serve(uploads, include_str!("../../fixtures/youtube/uploads.json"));
    let report = world.poll().await;
    assert_eq!((report.new, world.state(source).await.status), (1, SourceStatus::Ok), "{report:?}");
    assert_eq!(world.titles().await, ["Queues & candles, end to end"]);

    let world = World::at(NOW).await;
    let channel = world.source("Ada Loam", SourceKind::YoutubeChannel, CHANNEL).await;
    let playlist = world.source("Ada Loam", SourceKind::YoutubePlaylist, "PLabcdefghij").await;
    for status in [404, 410, 500] {
        world.origin.serve_with(&format!("/yt?channel_id={CHANNEL}"), status, "", "");
        world.origin.serve_with("/yt?playlist_id=PLabcdefghij", status, "", "");
        for _ in 0..30 {
            world.clock.advance(SignedDuration::from_hours(8));
            world.poll_these(Wanted::Due).await;
        }
    }
    for source in [channel, playlist] {
        let state = world.state(source).await;
        assert!(state.status == SourceStatus::Failing && state.next_poll_at.is_some(), "{state:?}");
    }
}

// ---- Twitch ---------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_is_held_while_it_runs_and_a_token_that_is_over_is_fetched_anew() {
    let live = Arc::new(Mutex::new((true, "old".to_owned(), include_str!("../../fixtures/twitch/videos.json").to_owned())));
    let shared = Arc::clone(&live);
    let site = Site::start(move |asked| {
        let (is_live, token, videos) = shared.lock().unwrap().clone();
        let path = asked.path.split('?').next().unwrap();
        match path {
            "/token" => answer("200 OK", "", &format!("{{\"access_token\":\"{token}\",\"expires_in\":4000000}}")),
            _ if asked.header("authorization") != Some(&format!("Bearer {token}")) || asked.header("client-id") != Some("client") => {
                answer("401 Unauthorized", "", "{\"status\":401,\"message\":\"Invalid OAuth token\"}")
            }
            "/helix/videos" => answer("200 OK", "", &videos),
            "/helix/streams" if is_live => answer("200 OK", "", "{\"data\":[{\"id\":\"40100000003\",\"type\":\"live\"}]}"),
            "/helix/streams" => answer("200 OK", "", "{\"data\":[]}"),
            _ => answer("404 Not Found", "", ""),
        }
    });
    let keys = tempfile::tempdir().unwrap();
    let (id, pass) = (secret(keys.path(), "id", "client"), secret(keys.path(), "word", "secret"));
    let more = format!(
        "[twitch]\napi_url = \"{}\"\ntoken_url = \"{}\"\nclient_id_file = \"{id}\"\nclient_secret_file = \"{pass}\"\n",
        site.url("/helix"),
        site.url("/token")
    );
    let world = World::with("2026-11-17T19:00:00Z", &more).await;
    let source = world.source("Anvil Cast", SourceKind::TwitchChannel, "770000012").await;
    world.poll().await;
    let running = world.activity("Forging a pipeline").await;
    assert!(running.held_until.is_some() && running.substance.duration_s.is_none(), "{running:?}");
    // It grows: that is no news.
    let grown = |text: &str| text.replace("2h14m5s", "3h0m5s");
    {
        let mut live = live.lock().unwrap();
        live.2 = grown(&live.2);
    }
    world.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(world.poll().await.changed, 0);
    {
        let mut live = live.lock().unwrap();
        (live.0, live.1) = (false, "new".into());
    }
    world.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(world.poll().await.changed, 1);
    let over = world.activity("Forging a pipeline").await;
    assert_eq!((over.held_until, over.substance.duration_s, over.published_at), (None, Some(10_805), Some(at("2026-11-17T18:00:00Z"))));
    assert_eq!(site.asked("/token").len(), 2);
    // What the platform lets go stays in the log, marked.
    live.lock().unwrap().2 = "{\"data\":[]}".into();
    world.clock.advance(SignedDuration::from_hours(48));
    world.poll().await;
    assert_eq!(world.state(source).await.status, SourceStatus::Ok);
    assert_eq!(world.activities().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_app_or_with_a_wrong_one_twitch_says_what_to_do() {
    let world = World::at(NOW).await;
    let source = world.source("Anvil Cast", SourceKind::TwitchChannel, "anvilcast").await;
    world.poll().await;
    let error = world.state(source).await.error.unwrap();
    assert!(error.contains("dev.twitch.tv") && error.contains("twitch.client_id_file"), "{error}");
    let keys = tempfile::tempdir().unwrap();
    let (id, pass) = (secret(keys.path(), "id", "client"), secret(keys.path(), "word", "secret"));
    let site = Site::start(|_| answer("403 Forbidden", "", "{\"status\":403,\"message\":\"invalid client secret\"}"));
    let more = format!(
        "[twitch]\napi_url = \"{}\"\ntoken_url = \"{}\"\nclient_id_file = \"{id}\"\nclient_secret_file = \"{pass}\"\n",
        site.url("/helix"),
        site.url("/token")
    );
    let world = World::with(NOW, &more).await;
    let source = world.source("Anvil Cast", SourceKind::TwitchChannel, "anvilcast").await;
    world.poll().await;
    let state = world.state(source).await;
    assert!(state.status == SourceStatus::Blocked && state.error.unwrap().contains("does not know the app (403)"));
    assert!(site.asked("/helix").is_empty());
}

// ---- Calendars and speakers -----------------------------------------------------------------------------------------

fn calendar(events: &str) -> String {
    format!("BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n")
}

fn event(uid: &str, title: &str, more: &str) -> String {
    format!("BEGIN:VEVENT\r\nUID:{uid}@weavers.example\r\nSUMMARY:{title}\r\n{more}\r\nEND:VEVENT\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_of_their_day_and_what_is_called_off_or_vanishes_before_it_is_taken_back() {
    let world = World::at(NOW).await;
    world.source("Tova Heddle", SourceKind::Ical, &world.url("/cal")).await;
    let past = event("past-evening", "Past", "DTSTART:20261118T180000Z");
    let soon = event("soon-evening", "Soon", "DTSTART;TZID=Europe/Stockholm:20261126T180000");
    let gone = event("gone-evening", "Gone", "DTSTART:20261128T180000Z");
    let off = event("off-evening1", "Off", "DTSTART:20261127T180000Z");
    world.poll_after(0, "/cal", calendar(&[past.as_str(), &soon, &gone, &off].concat())).await;
    let announced = world.activity("Soon").await;
    let thursday = at("2026-11-26T17:00:00Z");
    assert_eq!((announced.published_at, announced.published_trust, announced.effective_at), (Some(thursday), DateTrust::Stated, thursday));
    assert_eq!((announced.held_until, announced.backfill, announced.kind), (Some(thursday), false, ActivityKind::Event));
    let called_off = off.replace("SUMMARY", "STATUS:CANCELLED\r\nSUMMARY");
    let moved = soon.replace("20261126T180000", "20261127T190000");
    let report = world.poll_after(12, "/cal", calendar(&(moved + &called_off))).await;
    assert_eq!((report.new, report.changed), (0, 1));
    let left: Vec<bool> =
        [world.activity("Past").await, world.activity("Soon").await, world.activity("Gone").await, world.activity("Off").await]
            .map(|activity| activity.left)
            .into();
    assert_eq!(left, [false, false, true, true], "what took place and is shown no more took place");
    assert_eq!(world.activity("Soon").await.published_at, Some(at("2026-11-27T18:00:00Z")));
    // Called off by mistake: it is back.
    assert_eq!(world.poll_after(12, "/cal", calendar(&off)).await.changed, 1);
    assert!(!world.activity("Off").await.left);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_brings_its_next_dates_although_the_calendar_stays_the_same() {
    let world = World::at(NOW).await;
    world.source("Tova Heddle", SourceKind::Ical, &world.url("/cal")).await;
    let series =
        calendar(&event("series-tuesday", "Loom night", "DTSTART;TZID=/Europe/Stockholm:20260106T190000\r\nRRULE:FREQ=WEEKLY;BYDAY=TU"));
    world.origin.serve_with("/cal", 200, "etag: \"1\"\r\nx-honest: yes\r\n", series);
    assert_eq!(world.poll().await.new, 4, "two weeks back, two weeks ahead");
    for _ in 0..2 {
        world.clock.advance(SignedDuration::from_hours(24 * 7));
        assert_eq!(world.poll().await.new, 1);
    }
    assert_eq!(world.activities().await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_speakers_of_one_event_gave_two_talks() {
    let more = "[sessionize]\napi_url = \"http://127.0.0.1:{port}/speaker\"\n";
    let world = World::with(NOW, more).await;
    let whole = include_str!("../../fixtures/sessionize/speaker.json");
    for (name, id) in [("Tova Heddle", "q1w2e3r4t5"), ("Petra Bodkin", "zzz999")] {
        world.source(name, SourceKind::SessionizeSpeaker, id).await;
        let first = name.split(' ').next().unwrap();
        world.origin.serve(&format!("/speaker/{id}"), whole.replace("Tova", first).replace("Heddle", name.split(' ').nth(1).unwrap()));
    }
    world.poll().await;
    let talks: Vec<_> = world.activities().await.into_iter().filter(|talk| talk.title == "LoomConf 2026").collect();
    assert_eq!(talks.len(), 2);
    assert!(talks.iter().all(|talk| talk.credits.len() == 1 && talk.held_until == Some(at("2026-12-04T12:00:00Z"))));
    let digest = world.draft("2026-W49", "2026-12-07T06:00:00Z").await;
    assert_eq!(outcomes(&digest, "LoomConf 2026").len(), 2, "two works, one of each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_shown_at_its_original_until_that_is_gone() {
    let world = World::at("2026-11-18T12:00:00Z").await;
    world.source("Ada Loam", SourceKind::Devto, "tallowick").await;
    let articles = r#"[{"id":81,"title":"Wax that lasts the winter","url":"https://dev.to/tallowick/wax-1","user":{"username":"tallowick","name":"Ada Loam"},
        "canonical_url":"https://tallow.example.org/wax/?utm_source=devto","published_at":"2026-11-17T08:00:00Z","description":"How to keep a candle."},
        {"id":82,"title":"Wicks of all kinds","url":"https://dev.to/tallowick/wicks-2","user":{"username":"tallowick","name":"Ada Loam"},
        "canonical_url":"https://tallow.example.org/","published_at":"2026-11-17T09:00:00Z","description":"Cotton, wood and paper."}]"#;
    world.origin.serve("/devto/articles?username=tallowick&page=1", articles);
    world.poll().await;
    let copy = world.activity("Wax that lasts the winter").await;
    assert_eq!(copy.link(), Some("https://tallow.example.org/wax/"));
    assert_eq!(copy.url.as_deref(), Some("https://dev.to/tallowick/wax-1"), "it is the piece on dev.to all the same");
    let other = world.activity("Wicks of all kinds").await;
    assert_eq!(other.link(), Some("https://dev.to/tallowick/wicks-2"), "a site's root is nobody's original");

    let now: Timestamp = world.clock_now();
    let open = world.ctx.store.links_to_check(now - SignedDuration::from_hours(200), now, now, 10).await.unwrap();
    assert!(open.iter().any(|url| url == "https://tallow.example.org/wax/") && open.iter().any(|url| url.ends_with("/wax-1")), "{open:?}");
    let shown = async || {
        let row = world.ctx.store.works_of(vec![copy.id.clone()]).await.unwrap().remove(&copy.id).unwrap();
        (row.link.unwrap(), row.gone)
    };
    let first = shown().await;
    assert_eq!(first, ("https://tallow.example.org/wax/".to_owned(), false));
    for hours in [1, 3] {
        let at = now + SignedDuration::from_hours(hours);
        world.ctx.store.record_link_check("https://tallow.example.org/wax/", Some(404), at).await.unwrap();
    }
    let then = shown().await;
    assert_eq!(then, ("https://dev.to/tallowick/wax-1".to_owned(), false), "the copy is still there");
}
