//! `clarion erase`: what is left of a person who wants to be forgotten.

use std::path::Path;

use clarion::clock::Clock;
use clarion::flow::{self, Warnings, Wish};
use clarion::model::{Digest, DigestState, Edit, Mark, Slug, SourceKind, Week, Wording};
use clarion::store::RosterChange;
use jiff::SignedDuration;

use crate::support::site::{Site, answer};
use crate::support::world::{World, post, prose, rss};
use crate::support::{configure, good, json, run};

/// Whether a text stands anywhere in the files of a database.
fn holds(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let databases = files.filter(|path| path.to_string_lossy().contains("clarion.db") && !path.to_string_lossy().ends_with(".lock"));
    databases.into_iter().any(|path| std::fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()))
}

#[test]
fn nothing_of_the_person_is_left_and_neither_import_nor_feed_nor_backup_brings_them_back() {
    let item = |n: u32, author: &str| {
        let who = author.split('<').next().unwrap();
        format!(
            "<item><title>Secret of {who} {n}</title><guid isPermaLink=\"false\">g{n}</guid><link>https://team.example/{n}</link>\
             <dc:creator>{author}</dc:creator><description>Body of {who}</description><pubDate>Wed, 18 Nov 2026 10:00:00 GMT</pubDate></item>"
        )
    };
    let site = Site::start(move |asked| {
        let items = match asked.path.as_str() {
            "/zora.xml" => item(1, "Zora Quill"),
            _ => item(2, "Zora Quill") + &item(3, "Ben Bitdiddle") + &item(4, "Ben Bitdiddle</dc:creator><dc:creator>Zora Quill"),
        };
        let head = "<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel><title>Team</title>";
        answer("200 OK", "", &format!("{head}{items}</channel></rss>"))
    });
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "");
    let (own, team) = (site.url("/zora.xml"), site.url("/team.xml"));
    let roster = format!(
        "builder,name,kind,url,email\nzora-q,Zora Quill,rss,{own},zq@mail.example\nzora-q,,rss,{team},\nben,Ben Bitdiddle,rss,{team},\n"
    );
    std::fs::write(folder.join("r.csv"), &roster).unwrap();
    good(folder, &["registry", "import", "r.csv"]);
    good(folder, &["poll"]);
    assert_eq!(json(folder, &["log", "list"]).as_array().unwrap().len(), 4);
    std::fs::create_dir(folder.join("backups")).unwrap();
    good(folder, &["backup", "backups/old.db"]);

    let report = json(folder, &["erase", "zora-q", "--as", "Staff"]);
    for (name, count) in [("sources", 1), ("shared_sources", 1), ("entries", 2), ("shared_entries", 1), ("documents", 2)] {
        assert_eq!(report[name], count, "{name}: {report}");
    }
    for text in ["zora", "Zora", "zq@mail", "Secret of Zora"] {
        assert!(!holds(folder, text), "{text}");
    }
    let listed = json(folder, &["log", "list"]);
    let titles: Vec<&str> = listed.as_array().unwrap().iter().map(|row| row["title"].as_str().unwrap()).collect();
    assert_eq!(titles.len(), 2, "{titles:?}");
    assert!(listed.as_array().unwrap().iter().all(|row| row["builders"] == serde_json::json!(["ben"])), "{listed}");
    assert_eq!(json(folder, &["rebuild"])["same"], true);

    // The roster that still names them is refused for them alone; the feed that still shows their piece brings nothing.
    let again = run(folder, &["registry", "import", "r.csv"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.contains("line 2: zora-q refused: `zora-q` was erased on their own wish"), "{again:?}");
    assert!(again.out.contains("2 refused") && again.out.contains("1 unchanged"), "{again:?}");
    std::fs::write(folder.join("mail.csv"), "builder,name,kind,url,email\nquill,Z. Quill,,,ZQ@mail.example\n").unwrap();
    assert!(run(folder, &["registry", "import", "mail.csv"]).out.contains("refused"));
    good(folder, &["poll", "--all"]);
    assert_eq!(json(folder, &["log", "list"]).as_array().unwrap().len(), 2);
    run(folder, &["erase", "zora-q"]).refused(1, &["there is no builder `zora-q`"]);

    // Backups of the same folder are restored without them.
    good(folder, &["backup", "backups/new.db"]);
    assert!(folder.join("backups/clarion.erased").exists());
    let restored = good(folder, &["restore", "backups/old.db", "back"]);
    assert!(restored.contains("1 person was erased after this backup was made"), "{restored}");
    assert!(!holds(&folder.join("back"), "zq@mail") && !holds(&folder.join("back"), "Secret of Zora Quill 1"));
    configure(&folder.join("back"), "");
    assert_eq!(json(&folder.join("back"), &["log", "list"]).as_array().unwrap().len(), 2);
    assert!(run(&folder.join("back"), &["registry", "import", "../r.csv"]).out.contains("refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn published_digests_get_a_new_edition_and_drafts_are_made_again() {
    let world = World::with("2026-11-16T12:00:00Z", "[digest]\ncool_down = 0\n").await;
    for (name, path) in [("Zora Quill", "/z.xml"), ("Ben Bitdiddle", "/b.xml")] {
        world.feed(name, path).await;
    }
    let item =
        |title: &str, date: &str| post(&title.to_lowercase(), title, date).replace("</item>", &format!("{}</item>", prose("Fired", 60)));
    world.origin.serve("/z.xml", rss(&[]));
    world.origin.serve("/b.xml", rss(&[]));
    world.poll().await;
    world.origin.serve("/z.xml", rss(&[item("Zinc", "Tue, 17 Nov 2026 10:00:00 GMT")]));
    world.poll_after(26, "/b.xml", rss(&[item("Brick", "Tue, 17 Nov 2026 11:00:00 GMT")])).await;
    let draft = world.draft("2026-W47", "2026-11-23T07:00:00Z").await;
    assert_eq!(draft.picks().count(), 2);
    // What stands beside the digest speaks of them too: an edit, a word to the author, a post, a private link.
    let week = |text: &str| text.parse::<Week>().unwrap();
    let zinc = draft.picks().find(|pick| pick.title == "Zinc").unwrap().work.clone();
    let wish = Wish { by: "Edith".into(), note: None, on: None };
    let edit = Edit::Reword { work: zinc.clone(), field: Wording::Summary, text: Some("Zinc told anew".into()) };
    flow::edit(&world.ctx, week("2026-W47"), &edit, &wish).await.unwrap();
    let mark = Mark::Outdated { work: zinc.clone(), text: "Zinc is outdated".into() };
    flow::mark(&world.ctx, week("2026-W47"), mark, &wish).await.unwrap();
    flow::approve_draft(&world.ctx, week("2026-W47"), Warnings::Accept, &wish).await.unwrap();
    world.clock.advance(SignedDuration::from_hours(1));
    flow::publish(&world.ctx, week("2026-W47"), "tester").await.unwrap();
    flow::mark_posted(&world.ctx, week("2026-W47"), zinc.as_str(), "x", "https://x.example/zora-post", "Edith", None).await.unwrap();
    let zora = world.ctx.store.builder(&Slug::parse("zora-quill").unwrap()).await.unwrap().unwrap().id;
    flow::make_builder_link(&world.ctx, zora, "Edith").await.unwrap();
    world.origin.serve("/z.xml", rss(&[item("Zest", "Mon, 23 Nov 2026 10:00:00 GMT")]));
    world.poll_after(20, "/b.xml", rss(&[item("Bond", "Mon, 23 Nov 2026 11:00:00 GMT")])).await;
    world.draft("2026-W48", "2026-11-30T07:00:00Z").await;
    let intro = Edit::Intro { section: None, text: Some("A quiet week".into()) };
    flow::edit(&world.ctx, week("2026-W48"), &intro, &wish).await.unwrap();
    flow::approve_draft(&world.ctx, week("2026-W48"), Warnings::Accept, &wish).await.unwrap();

    let folder = world.ctx.store.path().parent().unwrap();
    assert!(holds(folder, "Zinc") && holds(folder, "zora-post"));
    let report = flow::erase(&world.ctx, &Slug::parse("zora-quill").unwrap(), "tester").await.unwrap();
    assert_eq!((report.erased.editions.as_slice(), report.erased.drafts.as_slice()), (&[week("2026-W47")][..], &[week("2026-W48")][..]));
    let row = world.ctx.store.digest(week("2026-W47")).await.unwrap().unwrap();
    assert_eq!(row.state, DigestState::Published);
    assert_eq!(row.digest.picks().map(|pick| pick.title.as_str()).collect::<Vec<_>>(), ["Brick", ""]);
    assert_eq!((row.edition, row.digest.picks().filter(|pick| pick.removed.is_some()).count()), (2, 1), "a tombstone in a second edition");
    for text in ["Zinc", "Zest", "Zora", "zora"] {
        assert!(!holds(folder, text), "{text}");
    }
    let bytes = world.ctx.store.sealed(week("2026-W47"), "json").await.unwrap().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("Brick") && !text.contains("Zinc") && !text.contains("zora"), "{text}");
    // The open draft is there with what editors did, and has to be approved again.
    let open = flow::draft_view(&world.ctx, week("2026-W48")).await.unwrap();
    assert_eq!((open.state, open.intro.as_deref(), open.edits.len()), (DigestState::InReview, Some("A quiet week"), 2));
    assert_eq!(open.picks.iter().map(|pick| pick.pick.title.as_str()).collect::<Vec<_>>(), ["Bond"]);
    let row = world.ctx.store.digest(week("2026-W48")).await.unwrap().unwrap();
    assert!(row.digest.outcomes.iter().all(|outcome| !outcome.title.starts_with('Z')));
    assert!(report.remains.iter().any(|line| line.contains("cannot be recalled")));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_a_mere_candidate_leaves_sealed_bytes_drafts_and_edits_as_they_are() {
    let world = World::with("2026-11-16T12:00:00Z", "[digest]\nplaces = 1\n").await;
    let names = ["Zora Quill", "Yuri Quoin", "Xena Quern"];
    let item = |name: &str| {
        let title = format!("Works of {name}");
        post(&name[..4].to_lowercase(), &title, "Tue, 17 Nov 2026 10:00:00 GMT")
            .replace("</item>", &format!("{}</item>", prose("Fired", 60)))
    };
    for name in names {
        world.feed(name, &format!("/{}", &name[..4])).await;
        world.origin.serve(&format!("/{}", &name[..4]), rss(&[]));
    }
    world.poll().await;
    for name in names {
        world.origin.serve(&format!("/{}", &name[..4]), rss(&[item(name)]));
    }
    world.clock.advance(SignedDuration::from_hours(26));
    world.poll().await;
    let draft = world.draft("2026-W47", "2026-11-23T07:00:00Z").await;
    assert_eq!((draft.picks().count(), draft.outcomes.len()), (1, 3));
    let chosen = draft.picks().next().unwrap().builders[0].name.clone();
    let others: Vec<&str> = names.into_iter().filter(|name| *name != chosen).collect();
    let slug = |name: &str| Slug::parse(&name.to_lowercase().replace(' ', "-")).unwrap();
    let week: Week = "2026-W47".parse().unwrap();
    let wish = Wish { by: "Edith".into(), note: None, on: None };
    let intro = |text: &str| Edit::Intro { section: None, text: Some(text.into()) };
    flow::edit(&world.ctx, week, &intro("One place"), &wish).await.unwrap();
    let folder = world.ctx.store.path().parent().unwrap();

    // An open draft: nothing in it moves, and editing goes on.
    let report = flow::erase(&world.ctx, &slug(others[0]), "tester").await.unwrap();
    assert!(report.erased.drafts.is_empty() && report.erased.editions.is_empty(), "{report:?}");
    assert!(!holds(folder, others[0]) && holds(folder, others[1]));
    let open = flow::draft_view(&world.ctx, week).await.unwrap();
    assert_eq!((open.intro.as_deref(), open.edits.len(), open.picks.len()), (Some("One place"), 1, 1));
    assert_eq!(open.picks[0].pick.builders[0].name, chosen);
    flow::edit(&world.ctx, week, &intro("One place, and no more"), &wish).await.unwrap();
    flow::approve_draft(&world.ctx, week, Warnings::Accept, &wish).await.unwrap();
    world.clock.advance(SignedDuration::from_hours(1));
    flow::publish(&world.ctx, week, "tester").await.unwrap();

    // A published digest: the same bytes, and nothing about the person beside them.
    let sealed = async || {
        let formats = clarion::render::Format::ALL.iter().map(|format| format.extension());
        let mut bytes = Vec::new();
        for format in formats {
            bytes.push(world.ctx.store.sealed(week, format).await.unwrap().unwrap());
        }
        bytes
    };
    let before = sealed().await;
    let report = flow::erase(&world.ctx, &slug(others[1]), "tester").await.unwrap();
    assert!(report.erased.editions.is_empty(), "{report:?}");
    assert!(!holds(folder, others[1]));
    let row = world.ctx.store.digest(week).await.unwrap().unwrap();
    assert_eq!((row.edition, row.digest.outcomes.len(), row.digest.intro.as_deref()), (1, 1, Some("One place, and no more")));
    assert!(before == sealed().await, "what was published changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_announced_against_their_word() {
    let world = World::at("2026-11-16T12:00:00Z").await;
    world.feed("Ada Loam", "/a.xml").await;
    world.origin.serve("/a.xml", rss(&[]));
    let names = ["Eve Sharp", "Finn Dale", "Gus Hoard", "Hal Stone"];
    for (day, name) in (1..).zip(names) {
        let short = &name[..3];
        world.source(name, SourceKind::Ical, &world.url(&format!("/{short}.ics"))).await;
        let event = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VEVENT\r\nUID:{short}-evening@quarry.example\r\n\
             SUMMARY:Evening of {short}\r\nURL:https://quarry.example/{short}\r\nDTSTART:2026120{day}T180000Z\r\nEND:VEVENT\r\n\
             END:VCALENDAR\r\n"
        );
        world.origin.serve(&format!("/{short}.ics"), event);
    }
    let hide = async |name: &str| {
        let slug = Slug::parse(&name.to_lowercase().replace(' ', "-")).unwrap();
        let mut builder = world.ctx.store.builder(&slug).await.unwrap().unwrap();
        builder.switches.not_public = true;
        world.ctx.store.change_roster(vec![RosterChange::Builder(Box::new(builder))], world.clock.now()).await.unwrap();
    };
    hide("Hal Stone").await;
    world.poll().await;
    let item = post("ore", "Ore", "Tue, 17 Nov 2026 10:00:00 GMT").replace("</item>", &format!("{}</item>", prose("Fired", 60)));
    world.poll_after(26, "/a.xml", rss(&[item])).await;
    let titles = |digest: &Digest| digest.coming_up.iter().map(|coming| coming.title.clone()).collect::<Vec<_>>();
    let draft = world.draft("2026-W47", "2026-11-23T07:00:00Z").await;
    assert_eq!(titles(&draft), ["Evening of Eve", "Evening of Fin", "Evening of Gus"], "Hal is not public");

    // Second thoughts during the cooling-off.
    let week: Week = "2026-W47".parse().unwrap();
    flow::approve_draft(&world.ctx, week, Warnings::Accept, &Wish::by("Edith")).await.unwrap();
    hide("Gus Hoard").await;
    let told = flow::waiting_left_out(&world.ctx).await.unwrap();
    assert!(told.len() == 1 && told[0].0 == week && told[0].1.contains("1 entry is left out"), "{told:?}");
    let view = flow::draft_view(&world.ctx, week).await.unwrap();
    assert_eq!((titles(&view.digest).len(), view.notices.len()), (2, 1), "{:?}", view.notices);
    world.clock.advance(SignedDuration::from_hours(1));
    let published = flow::publish(&world.ctx, week, "tester").await.unwrap();
    assert_eq!(titles(&published.digest), ["Evening of Eve", "Evening of Fin"]);
    let formats_with = async |text: &str| {
        let mut formats = Vec::new();
        for format in clarion::render::Format::ALL {
            let bytes = world.ctx.store.sealed(week, format.extension()).await.unwrap().unwrap();
            formats.extend(String::from_utf8_lossy(&bytes).contains(text).then(|| format.extension()));
        }
        formats
    };
    assert!(formats_with("Gus").await.is_empty() && formats_with("Hal").await.is_empty());
    assert!(!formats_with("Eve Sharp").await.is_empty());

    // Taken out by its address: readers are told, and the next week does not announce it again.
    let work = flow::find_work(&world.ctx, week, "https://quarry.example/Fin").await.unwrap();
    let removed = flow::remove(&world.ctx, week, &work, "It is not safe.", "Edith").await.unwrap();
    assert_eq!((removed.edition, titles(&removed.digest)), (2, vec!["Evening of Eve".to_owned()]));
    assert!(formats_with("Finn").await.is_empty() && !formats_with("It is not safe").await.is_empty());
    assert!(flow::remove(&world.ctx, week, &work, "Again.", "Edith").await.is_err());

    let slug = Slug::parse("eve-sharp").unwrap();
    let next = world.draft("2026-W48", "2026-11-30T07:00:00Z").await;
    assert_eq!(titles(&next), ["Evening of Eve"]);
    let report = flow::erase(&world.ctx, &slug, "tester").await.unwrap();
    assert_eq!((report.erased.editions.as_slice(), report.erased.drafts.len()), (&[week][..], 1));
    let row = world.ctx.store.digest(week).await.unwrap().unwrap();
    assert_eq!((row.edition, titles(&row.digest).len(), row.digest.picks().next().unwrap().title.as_str()), (3, 0, "Ore"));
    assert!(formats_with("Eve").await.is_empty());
    let folder = world.ctx.store.path().parent().unwrap();
    assert!(!holds(folder, "Evening of Eve") && !holds(folder, "Eve Sharp"));
}
