//! The roster: every line accounted for, and nothing that is not http ever taken.

use clarion::flow;
use jiff::SignedDuration;

use crate::support::world::{World, post, rss};
use crate::support::{configure, good, json, run};

/// What others tried to smuggle in, and two good ones with odd spelling.
const SMUGGLED: [&str; 10] = [
    "|id",
    "exec:id",
    "filter:x:https://a.example",
    "file:///etc/passwd",
    "gopher://127.0.0.1:25/",
    "ftp://a.example",
    "\"data:text/xml,<rss/>\"",
    "unix:/run/x.sock",
    "javascript:alert(1)",
    "https://user:secret@a.example/feed",
];

#[test]
fn every_line_is_accounted_for_and_what_is_not_http_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "");
    let mut roster = "builder,name,kind,url\nada,Ada,rss,HTTP://a.example/feed\nada,,rss, https://b.example/feed \n".to_owned();
    for pasted in SMUGGLED {
        roster.push_str(&format!("ada,,rss,{pasted}\n"));
    }
    std::fs::write(folder.join("roster.csv"), &roster).unwrap();
    // A check needs no configuration.
    let checked = run(folder, &["registry", "check", "roster.csv"]);
    assert_eq!(checked.code, 1);
    // What can be taken is taken, and the exit code tells scripts that it was not all: dry or not, printed or as JSON.
    let tried = run(folder, &["registry", "import", "roster.csv", "--dry-run", "--json"]);
    assert!(tried.code == 0 && tried.err.contains("10 of 12 lines were refused; the rest would be taken"), "{tried:?}");
    let dry = tried.json();
    assert_eq!((&dry["dry_run"], &dry["added"], &dry["refused"]), (&true.into(), &2.into(), &10.into()), "{dry}");
    assert_eq!(json(folder, &["registry", "list"]), serde_json::json!([]));
    let taken = run(folder, &["registry", "import", "roster.csv"]);
    assert!(taken.code == 0 && taken.err.contains("10 of 12 lines were refused; the rest was taken"), "{taken:?}");
    let told = taken.out;
    for line in 4..14 {
        let said = told.lines().find(|said| said.starts_with(&format!("line {line}: ada "))).unwrap();
        assert!(said.contains("refused: ") && !said.contains("secret"), "{said}");
    }
    let listed = json(folder, &["registry", "list"]);
    let urls: Vec<&str> = listed[0]["sources"].as_array().unwrap().iter().map(|source| source["url"].as_str().unwrap()).collect();
    assert_eq!(urls, ["http://a.example/feed", "https://b.example/feed"]);

    // The same again, and each export in turn, change nothing.
    let again = run(folder, &["registry", "import", "roster.csv"]);
    assert!(again.code == 0 && again.out.contains("0 added, 0 changed, 2 unchanged, 10 refused"), "{again:?}");
    for format in ["csv", "toml", "opml"] {
        let name = format!("again.{format}");
        std::fs::write(folder.join(&name), good(folder, &["registry", "export", "--format", format])).unwrap();
        let again = json(folder, &["registry", "import", &name]);
        assert!(
            again["unchanged"].as_u64() >= Some(2) && again["unchanged"] == again["lines"].as_array().unwrap().len(),
            "{format}: {again}"
        );
    }
    // Who is missing from a file is named and stays.
    std::fs::write(folder.join("other.csv"), "builder,name,kind,url\ncy,Cy,,https://github.com/cy\ncy,,rss,http://a.example/feed\n")
        .unwrap();
    let other = json(folder, &["registry", "import", "other.csv"]);
    assert_eq!((&other["added"], &other["absent"]), (&2.into(), &serde_json::json!(["ada"])), "{other}");
    assert_eq!(json(folder, &["source", "list"]).as_array().map(Vec::len), Some(3), "a shared source is one source");
    assert_eq!(good(folder, &["registry", "export", "--json"]), good(folder, &["registry", "list", "--json"]));
}

#[test]
fn a_roster_that_cannot_be_read_says_where_and_nothing_of_it_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "");
    let cases: [(&str, &[u8], &[&str]); 7] = [
        ("columns.csv", b"name,url\nAda,https://a.example\n", &["line 1", "`builder`", "`kind`"]),
        ("empty.csv", b"", &["line 1", "empty"]),
        ("latin.csv", b"builder,name,kind,url\nada,Ad\xe9,rss,https://a.example/feed\n", &["line 2", "UTF-8"]),
        ("broken.toml", b"[[builder]]\nslug = \"ada\"\nname = \n", &["line 3"]),
        ("unknown.toml", b"[[builder]]\nslug = \"ada\"\nnmae = \"Ada\"\n", &["nmae"]),
        ("broken.opml", b"<opml><body><outline text=\"Ada\"", &["line 1"]),
        ("missing.csv", b"", &["missing.csv", "No such file"]),
    ];
    for (name, bytes, says) in cases {
        if name != "missing.csv" {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        let ran = run(folder, &["registry", "import", name]);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(ran.code == 1 && all.contains("line") | all.contains(name), "{name}: {ran:?}");
        assert!(says.iter().all(|part| all.contains(part)), "{name}: {ran:?}");
    }
    assert_eq!(json(folder, &["registry", "list"]), serde_json::json!([]));
}

#[test]
fn what_a_builder_pastes_becomes_a_source_or_a_sentence() {
    let site = crate::support::site::Site::start(|asked| match asked.path.as_str() {
        "/blog" => crate::support::site::answer(
            "200 OK",
            "Content-Type: text/html\r\n",
            "<html><head><link rel=\"alternate\" type=\"application/rss+xml\" href=\"/deep/own.xml\"></head><body>Blog</body></html>",
        ),
        "/deep/own.xml" => crate::support::site::answer("200 OK", "", &crate::support::site::rss("pasted", &["One", "Two"])),
        _ => crate::support::site::answer("200 OK", "Content-Type: text/html\r\n", "<html><body>Nothing here</body></html>"),
    });
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "");
    std::fs::write(folder.join("roster.csv"), "builder,name,kind,url\nada,Ada,,\n").unwrap();
    good(folder, &["registry", "import", "roster.csv"]);
    let found = json(folder, &["source", "check", &site.url("/blog")]);
    assert_eq!(
        (&found["kind"], &found["url"], &found["entries"]),
        (&"rss".into(), &site.url("/deep/own.xml").into(), &2.into()),
        "{found}"
    );
    assert_eq!(json(folder, &["source", "list"]), serde_json::json!([]), "a check stores nothing");
    assert!(good(folder, &["source", "add", "ada", &site.url("/blog")]).starts_with("added: rss"));
    assert!(good(folder, &["source", "add", "ada", &site.url("/deep/own.xml")]).starts_with("known already"));
    run(folder, &["source", "add", "ada", &site.url("/nothing")]).refused(1, &["feed"]);
    run(folder, &["source", "add", "ada", &site.url("/wrong/feed.xml")]).refused(1, &["/wrong/feed.xml", "a web page"]);
    run(folder, &["source", "add", "ada", "file:///etc/passwd"]).refused(1, &["only http and https"]);
    run(folder, &["source", "add", "bob", &site.url("/blog")]).refused(1, &["no builder `bob`"]);
    run(folder, &["source", "add", "B/b", &site.url("/blog")]).refused(2, &["B/b"]);
    run(folder, &["source", "check", "http://10.1.2.3/feed"]).refused(1, &["10.1.2.3", "network.allow"]);
    run(folder, &["source", "check", "https://me:secret@a.example/feed"]).refused(1, &["user name or password"]);
    assert!(good(folder, &["poll"]).contains("2 entries new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_looked_at_only_where_the_site_lets_programs_and_feeds_wherever_somebody_registers_them() {
    let world = World::at("2026-11-24T12:00:00Z").await;
    let rules = "User-agent: *\nDisallow: /\nAllow: /open\n\nUser-agent: other\nAllow: /\n";
    let page = "<html><head><link rel=\"alternate\" type=\"application/rss+xml\" href=\"/closed/feed.xml\"></head></html>";
    let asked = || world.origin.arrivals().len();
    world.origin.serve("/robots.txt", rules);
    world.origin.serve("/open", page);
    world.origin.serve("/closed", page);
    world.origin.serve("/closed/feed.xml", rss(&[post("a", "A sieve", "Mon, 23 Nov 2026 09:00:00 GMT")]));

    let refused = flow::check_pasted(&world.ctx, &world.url("/closed")).await.unwrap_err();
    assert!(refused.contains("robots.txt") && refused.contains("address of its feed"), "{refused}");
    assert_eq!(asked(), 1, "the page itself was not asked");
    let found = flow::check_pasted(&world.ctx, &world.url("/open")).await.unwrap();
    assert_eq!((found.url, found.entries), (world.url("/closed/feed.xml"), Some(1)), "the page names the feed, which is asked then");
    assert_eq!(asked(), 3, "the rules are known for a day");
    let found = flow::check_pasted(&world.ctx, &world.url("/closed/feed.xml")).await.unwrap();
    assert_eq!((found.entries, asked()), (Some(1), 4), "a feed's own address is what was registered");

    // Rules that cannot be had now allow nothing, those that are not there everything.
    for (status, good) in [(500, false), (429, false), (404, true), (403, true)] {
        let world = World::at("2026-11-24T12:00:00Z").await;
        world.origin.serve_with("/robots.txt", status, "", "");
        world.origin.serve("/open", page);
        world.origin.serve("/closed/feed.xml", rss(&[]));
        assert_eq!(flow::check_pasted(&world.ctx, &world.url("/open")).await.is_ok(), good, "{status}");
        assert_eq!(world.origin.arrivals().len(), if good { 3 } else { 1 }, "{status}");
    }

    // A day later they are asked anew.
    world.clock.advance(SignedDuration::from_hours(25));
    world.origin.serve("/robots.txt", "");
    assert!(flow::check_pasted(&world.ctx, &world.url("/closed")).await.is_ok());
}

/// A site that says that it runs this.
async fn site_of(software: Option<&str>) -> World {
    let world = World::at("2026-11-24T12:00:00Z").await;
    if let Some(software) = software {
        let schema = "http://nodeinfo.diaspora.software/ns/schema/2.0";
        let links = format!("{{\"links\":[{{\"rel\":\"{schema}\",\"href\":\"{}\"}}]}}", world.url("/nodeinfo/2.0"));
        world.origin.serve("/.well-known/nodeinfo", links);
        world
            .origin
            .serve("/nodeinfo/2.0", format!("{{\"version\":\"2.0\",\"software\":{{\"name\":\"{software}\",\"version\":\"7.1\"}}}}"));
    }
    world
}

const ACCOUNT: &str = "{\"id\":\"1090\",\"acct\":\"ada\",\"display_name\":\"Ada of the weir\",\"url\":\"https://weir.example/@ada\"}";
const VIDEOS: &str = "<rss><channel><title>Sluice</title></channel></rss>";

#[tokio::test(flavor = "multi_thread")]
async fn whose_profile_it_is_the_address_says_and_what_runs_there_the_site() {
    let check = async |world: &World, path: &str| flow::check_pasted(&world.ctx, &world.url(path)).await;
    let kind = |found: &Result<flow::Discovered, String>| found.as_ref().map(|found| found.kind.as_str()).map_err(Clone::clone);

    // One that runs Mastodon, whether or not its interface answers strangers.
    let world = site_of(Some("Mastodon")).await;
    let found = check(&world, "/@Ada").await;
    assert_eq!((kind(&found), found.unwrap().locator), (Ok("mastodon"), world.url("/@ada")));
    // One that does not say what it runs, and answers like it.
    let world = site_of(None).await;
    world.origin.serve("/api/v1/accounts/lookup?acct=ada", ACCOUNT);
    let found = check(&world, "/@ada").await;
    assert_eq!((kind(&found), found.unwrap().title.as_deref()), (Ok("mastodon"), Some("Ada of the weir")));

    // PeerTube, whose names are of channels and of accounts.
    let world = site_of(Some("peertube")).await;
    world.origin.serve("/feeds/videos.xml?videoChannelName=sluice", VIDEOS);
    world.origin.serve("/feeds/videos.xml?accountName=ada", VIDEOS);
    for (path, feed) in [
        ("/@sluice", "/feeds/videos.xml?videoChannelName=sluice"),
        ("/c/sluice", "/feeds/videos.xml?videoChannelName=sluice"),
        ("/@ada", "/feeds/videos.xml?accountName=ada"),
        ("/a/ada/videos", "/feeds/videos.xml?accountName=ada"),
    ] {
        let found = check(&world, path).await;
        assert_eq!((kind(&found), found.unwrap().locator), (Ok("peertube"), world.url(feed)), "{path}");
    }
    assert!(check(&world, "/@nobody").await.unwrap_err().contains("404"));

    // Another program: its page says where its feed is, whatever its name looks like.
    let world = site_of(Some("wordpress")).await;
    world.origin.serve("/@ada", "<link rel=alternate type=application/rss+xml href=/author/ada/feed>");
    world.origin.serve("/author/ada/feed", rss(&[post("a", "A sieve", "Mon, 23 Nov 2026 09:00:00 GMT")]));
    let found = check(&world, "/@ada").await;
    assert_eq!((kind(&found), found.unwrap().locator), (Ok("rss"), world.url("/author/ada/feed")));
    // A host named like a tube that is none.
    world.origin.serve("/c/ada", "<link rel=alternate type=application/rss+xml href=/author/ada/feed>");
    assert_eq!(kind(&check(&world, "/c/ada").await), Ok("rss"));

    // Medium under a name of its own: its pages name the apps that open them.
    let world = site_of(None).await;
    world.origin.serve("/@ada", "<meta property=\"al:android:app_name\" content=\"Medium\">");
    let story =
        "<item><title>A sieve</title><guid isPermaLink=\"false\">https://medium.com/p/0123456789ab</guid><category>aws</category></item>";
    world.origin.serve("/feed", rss(&[story.to_owned()]));
    let found = check(&world, "/@ada").await;
    assert_eq!((kind(&found), found.unwrap().locator), (Ok("medium"), world.url("/feed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_cannot_be_told_what_a_site_runs_a_sentence_says_so() {
    let world = site_of(None).await;
    world.origin.serve("/@ada", "<title>Ada</title>");
    let said = flow::check_pasted(&world.ctx, &world.url("/@ada")).await.unwrap_err();
    assert!(said.contains("cannot be told") && said.contains("mastodon:@name@") && said.contains("names no feed"), "{said}");
    // A site that is down says nothing either.
    let world = World::at("2026-11-24T12:00:00Z").await;
    world.origin.serve_with("/.well-known/nodeinfo", 503, "", "");
    let said = flow::check_pasted(&world.ctx, &world.url("/@ada")).await.unwrap_err();
    assert!(said.contains("cannot be told") && said.contains("503"), "{said}");
    // Nonsense is no answer.
    for nonsense in ["<html>", "{}", "{\"links\":[{\"rel\":\"x/ns/schema/2.0\",\"href\":\"/relative\"}]}", "\u{0}"] {
        let world = site_of(None).await;
        world.origin.serve("/.well-known/nodeinfo", nonsense);
        world.origin.serve("/api/v1/accounts/lookup?acct=ada", ACCOUNT);
        let found = flow::check_pasted(&world.ctx, &world.url("/@ada")).await.unwrap();
        assert_eq!(found.kind.as_str(), "mastodon", "{nonsense}");
    }
}
