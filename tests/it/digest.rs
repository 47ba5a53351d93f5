//! One week, whole: from two feeds over the log to a digest whose bytes never change, and why each post is where it is.

use std::path::Path;

use clarion::clock::{Clock, SystemClock};
use clarion::flow;
use clarion::model::Week;
use jiff::SignedDuration;

use crate::support::site::{Site, answer};
use crate::support::{configure, good, json, run};

const FORMATS: [&str; 10] = ["html", "eml", "md", "txt", "json", "atom", "slack", "discord", "teams", "social"];

/// A post that is good enough: long, on topic, with a summary and code.
fn item(site: &Site, path: &str, title: &str, days_before_end: i64) -> String {
    let at = last_week().end().saturating_sub(SignedDuration::from_hours(24 * days_before_end)).unwrap();
    let words = "The function reads from the queue, writes to the table and tells what it did. ".repeat(60);
    format!(
        "<item><title>{title}</title><link>{}</link><guid>{}</guid><pubDate>{}</pubDate>\
         <description>How a small team measured AWS Lambda with Amazon SQS and DynamoDB, what it found, and what it would do otherwise.</description>\
         <content:encoded><![CDATA[<p>{words}</p><pre><code>aws lambda invoke out.json</code></pre>]]></content:encoded></item>",
        site.url(path),
        site.url(path),
        at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    )
}

fn feed(items: &[String]) -> String {
    format!(
        "<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>A blog</title>{}</channel></rss>",
        items.concat()
    )
}

fn last_week() -> Week {
    Week::last_whole(SystemClock.now())
}

/// Ada wrote two posts in the week and one long ago, Bob wrote one, Cy's feed is gone astray.
pub(crate) fn start(folder: &Path, more: &str) -> Site {
    let shared: std::sync::Arc<std::sync::OnceLock<Site>> = std::sync::Arc::default();
    let own = std::sync::Arc::clone(&shared);
    let site = Site::start(move |asked| {
        let site = own.get().unwrap();
        match asked.path.as_str() {
            "/ada/feed" => answer(
                "200 OK",
                "",
                &feed(&[
                    item(site, "/ada/cold-starts", "Cold starts of AWS Lambda, measured", 2),
                    item(site, "/ada/queues", "Queues in front of Lambda: DynamoDB streams or SQS?", 3),
                    item(site, "/ada/ancient", "An old story of S3", 200),
                ]),
            ),
            "/bob/feed" => answer("200 OK", "", &feed(&[item(site, "/bob/tables", "DynamoDB tables for a ferry timetable", 4)])),
            _ => answer("404 Not Found", "", ""),
        }
    });
    assert!(shared.set(site.clone()).is_ok());
    // The last whole week is over from the first minute of Monday on.
    configure(folder, &format!("[schedule]\ncut_off = \"0 0 * * MON\"\n{more}"));
    let roster = format!(
        "builder,name,kind,url\nada,Ada Nwosu,rss,{}\nbob,Bob Moss,rss,{}\ncy,Cy Lund,rss,{}\n",
        site.url("/ada/feed"),
        site.url("/bob/feed"),
        site.url("/cy/feed")
    );
    std::fs::write(folder.join("roster.csv"), roster).unwrap();
    good(folder, &["registry", "import", "roster.csv"]);
    good(folder, &["poll"]);
    site
}

#[test]
fn a_week_goes_from_the_log_to_bytes_that_never_change() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    start(folder, "[digest]\ncooling_off = 0\n");
    let week = last_week().to_string();

    let lines = good(folder, &["log", "export", "--format", "jsonl"]);
    let rows: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 4);
    for row in &rows {
        for field in ["activity", "builder", "source", "source_kind", "kind", "title", "url", "published_at", "first_seen_at", "work"] {
            assert!(row[field].is_string(), "{field}: {row}");
        }
        assert_eq!((&row["source_kind"], &row["kind"]), (&"rss".into(), &"article".into()));
    }
    let csv = good(folder, &["log", "export", "--format", "csv", "--week", &week]);
    assert!(
        csv.starts_with("activity,builder,source,source_kind,kind,title,url,published_at,first_seen_at,work") && csv.lines().count() == 4
    );
    assert_eq!(json(folder, &["log", "list", "--builder", "bob"])[0]["title"], "DynamoDB tables for a ferry timetable");
    let shown: serde_json::Value = serde_json::from_str(&good(folder, &["log", "show", rows[0]["activity"].as_str().unwrap()])).unwrap();
    assert_eq!(shown["sightings"].as_array().map(Vec::len), Some(1));

    let draft = json(folder, &["digest", "draft"]);
    assert_eq!((&draft["week"], &draft["state"], &draft["picks"]), (&week.as_str().into(), &"draft".into(), &2.into()), "{draft}");
    let first = good(folder, &["digest", "show"]);
    good(folder, &["digest", "draft"]);
    assert_eq!(good(folder, &["digest", "show"]), first, "the same log gives the same draft");
    run(folder, &["digest", "publish"]).refused(1, &["not approved", "clarion digest approve"]);
    let approved = json(folder, &["digest", "approve", "--as", "Edith", "--note", "fine"]);
    assert_eq!(approved["state"], "approved");
    run(folder, &["digest", "draft"]).refused(1, &["approved already"]);
    run(folder, &["digest", "approve"]).refused(1, &["approved already"]);
    assert_eq!(json(folder, &["digest", "publish", &week])["state"], "published");
    let bytes: Vec<String> = FORMATS.iter().map(|format| good(folder, &["digest", "show", "--format", format])).collect();
    for (format, text) in FORMATS.iter().zip(&bytes) {
        assert!(text.contains("Ada Nwosu") && text.contains("Bob Moss") && !text.contains("Cy Lund"), "{format}");
    }
    // Whatever comes after it, a published digest stays as it is, and publishing again changes nothing.
    std::fs::write(folder.join("roster.csv"), "builder,name,kind,url\nada,Ada Renamed,,\nbob,,,\n").unwrap();
    good(folder, &["registry", "import", "roster.csv"]);
    configure(folder, "[program]\nname = \"Another name\"\n");
    good(folder, &["poll", "--all"]);
    good(folder, &["digest", "publish", &week]);
    run(folder, &["digest", "draft"]).refused(1, &["published already"]);
    run(folder, &["digest", "approve"]).refused(1, &["published already"]);
    let again: Vec<String> = FORMATS.iter().map(|format| good(folder, &["digest", "show", "--format", format])).collect();
    assert!(bytes == again, "published bytes changed");
    assert_eq!(json(folder, &["rebuild"])["same"], true);
}

#[test]
fn an_approval_cools_off_before_anything_goes_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    start(folder, "[digest]\ncooling_off = \"30m\"\n");
    good(folder, &["digest", "draft"]);
    let told = good(folder, &["digest", "approve"]);
    assert!(told.contains("next from 20"), "{told}");
    run(folder, &["digest", "publish"]).refused(1, &["cooling-off until 20"]);
}

#[test]
fn explain_names_the_first_check_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let site = start(folder, "[digest]\ncooling_off = 0\n");
    let failed = |path: &str| {
        let address = if path.starts_with('/') { site.url(path) } else { path.to_owned() };
        let explained = json(folder, &["explain", &address]);
        let text = good(folder, &["explain", &address]);
        let first = explained["checks"].as_array().unwrap().iter().find(|check| check["state"] == "failed").cloned();
        assert_eq!(first.as_ref().map_or(serde_json::Value::Null, |check| check["step"].clone()), explained["failed"], "{explained}");
        assert_eq!(first.is_some(), text.contains(" NO  "), "{text}");
        (
            explained["failed"].as_str().unwrap_or("nothing").to_owned(),
            first.map_or(text, |check| check["text"].as_str().unwrap().to_owned()),
        )
    };
    let (step, text) = failed("/bob/tables");
    assert!(step == "nothing" && text.contains("would have a place"), "{text}");
    good(folder, &["digest", "draft"]);
    for (path, step, says) in [
        ("/bob/tables", "nothing", "has a place in the draft of"),
        ("/ada/ancient", "eligible", "too old"),
        ("/ada/unknown", "seen", "never showed an entry with this address"),
        ("/ada/feed", "seen", "the address of the source itself"),
        ("/cy/post", "healthy", "404"),
        ("/cy/feed", "healthy", "404"),
        ("https://elsewhere.example/x", "known_source", "clarion source add"),
        ("mailto:ada@mail.example", "address", "only http and https"),
        ("file:///etc/passwd", "address", "only http and https"),
        ("https://", "address", "not an address"),
        ("", "address", "not an address"),
    ] {
        let told = failed(path);
        assert!(told.0 == step && told.1.contains(says), "{path}: {told:?}");
    }
    // Of Ada's two, as good as each other, one has a place and the other hears why not.
    let mut two = [failed("/ada/queues"), failed("/ada/cold-starts")];
    two.sort();
    assert!(two[0].0 == "eligible" && two[0].1.contains("its builder was in the digest of"), "{two:?}");
    assert!(two[1].0 == "nothing" && two[1].1.contains("has a place in the draft of"), "{two:?}");
    good(folder, &["digest", "approve"]);
    good(folder, &["digest", "publish"]);
    assert!(failed("/bob/tables").1.contains("featured in the digest of"), "{:?}", failed("/bob/tables"));
}

#[test]
fn a_backup_is_verified_and_comes_back_and_a_changed_one_never_does() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    start(folder, "");
    let before = good(folder, &["log", "export"]);
    let made = json(folder, &["backup", "copy.db"]);
    assert_eq!(made["verified"], true);
    run(folder, &["backup", "copy.db"]).refused(1, &["copy.db exists already"]);
    run(folder, &["backup", "nowhere/copy.db"]).refused(1, &["nowhere/copy.db"]);
    let whole = std::fs::read(folder.join("copy.db")).unwrap();
    assert_eq!(made["bytes"], whole.len());

    for (name, bytes) in [
        ("cut.db", whole[..whole.len() / 2].to_vec()),
        ("cut-late.db", whole[..whole.len() - 10].to_vec()),
        ("text.db", b"no database at all".to_vec()),
        ("flip.db", {
            let mut bytes = whole.clone();
            let place = bytes.windows(6).position(|piece| piece == b"tables").unwrap();
            bytes[place] ^= 1;
            bytes
        }),
    ] {
        std::fs::write(folder.join(name), bytes).unwrap();
        run(folder, &["restore", name, "back"]).refused(1, &[name, "not restored", "take another backup"]);
        assert!(!folder.join("back").exists(), "{name}");
    }
    run(folder, &["restore", "nowhere.db", "back"]).refused(1, &["there is no file nowhere.db"]);
    good(folder, &["restore", "copy.db", "back"]);
    run(folder, &["restore", "copy.db", "back"]).refused(1, &["exists already"]);
    configure(&folder.join("back"), "");
    assert_eq!(good(&folder.join("back"), &["log", "export"]), before);
    assert_eq!(json(&folder.join("back"), &["rebuild"])["same"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn until_the_cut_off_the_week_before_is_meant_where_none_is_named() {
    let world = crate::support::world::World::at("2026-11-30T03:00:00Z").await;
    let week = |text: &str| text.parse::<Week>().unwrap();
    let cut_off = "2026-11-30T06:00:00Z".parse().unwrap();
    assert_eq!(flow::default_week(&world.ctx), (week("2026-W47"), Some((week("2026-W48"), cut_off))));
    for late in ["2026-11-30T06:00:00Z", "2026-12-06T23:59:59Z"] {
        world.clock.set(late.parse().unwrap());
        assert_eq!(flow::default_week(&world.ctx), (week("2026-W48"), None));
    }
    assert_eq!(flow::draft(&world.ctx, flow::default_week(&world.ctx).0).await.unwrap().week, week("2026-W48"));
}
