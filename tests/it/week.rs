//! What may happen to a week between its draft and its readers: words taken back, second thoughts, nothing to say.

use std::path::Path;

use clarion::clock::{Clock, SystemClock};
use clarion::model::Week;
use serde_json::Value;

use crate::digest::start;
use crate::support::{clarion, configure, good, json, ran, run};

fn last_week() -> Week {
    Week::last_whole(SystemClock.now())
}

fn codes(folder: &Path, week: &str) -> Vec<(String, String)> {
    let checked: Value = serde_json::from_str(&run(folder, &["--json", "digest", "check", week]).out).unwrap();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = checked["findings"].as_array().unwrap_or_else(|| panic!("{checked}"));
    findings.iter().map(|finding| (text(finding, "level"), text(finding, "code"))).collect()
}

/// A work by hand that is good enough: a repository of the week.
fn enter(folder: &Path, builder: &str, address: &str, title: &str) {
    enter_days_before(folder, 0, builder, address, title);
}

/// The same, so many days before the week.
fn enter_days_before(folder: &Path, days: i64, builder: &str, address: &str, title: &str) {
    let day = last_week().monday().saturating_sub(jiff::Span::new().days(days)).to_string();
    let about = "How we run AWS Lambda behind Amazon SQS with DynamoDB, with all code and what it cost us in the first year of it.";
    good(folder, &["work", "add", builder, address, "--title", title, "--date", &day, "--summary", about]);
}

fn titles(folder: &Path, week: &str) -> Vec<(String, Vec<String>)> {
    let digest: Value = serde_json::from_str(&good(folder, &["digest", "show", week, "--format", "json"])).unwrap();
    let names = |work: &Value| work["builders"].as_array().unwrap().iter().map(|name| name["name"].as_str().unwrap().to_owned()).collect();
    let works = digest["sections"].as_array().unwrap().iter().flat_map(|section| section["works"].as_array().unwrap().clone());
    works.map(|work| (work["title"].as_str().unwrap().to_owned(), names(&work))).collect()
}

/// Three builders without sources, in a program whose cut-off of last week is over; answers that week.
fn three_builders(folder: &Path) -> String {
    configure(folder, "[schedule]\ncut_off = \"0 0 * * MON\"\n[digest]\nfloor = 0\n");
    let roster = "builder,name,kind,url\nada,Ada Nwosu,,\nbo,Bo Lind,,\ncy,Cy Lund,,\n";
    std::fs::write(folder.join("roster.csv"), roster).unwrap();
    good(folder, &["registry", "import", "roster.csv"]);
    last_week().to_string()
}

#[test]
fn what_was_entered_by_hand_and_taken_back_is_in_no_digest() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let week = three_builders(folder);
    enter(folder, "ada", "https://code.example/one", "AWS Lambda one");
    enter(folder, "bo", "https://code.example/two", "Amazon SQS two");
    enter(folder, "cy", "https://code.example/two", "Amazon SQS two");
    good(folder, &["work", "remove", "cy", "https://code.example/two"]);
    good(folder, &["digest", "draft", &week]);
    let drafted = titles(folder, &week);
    assert!(drafted.contains(&("AWS Lambda one".to_owned(), vec!["Ada Nwosu".to_owned()])), "{drafted:?}");
    assert!(drafted.contains(&("Amazon SQS two".to_owned(), vec!["Bo Lind".to_owned()])), "its credit went with it: {drafted:?}");
    assert!(codes(folder, &week).iter().all(|(level, _)| level == "warning"));

    good(folder, &["work", "remove", "ada", "https://code.example/one"]);
    assert!(codes(folder, &week).contains(&("error".into(), "withdrawn".into())));
    run(folder, &["digest", "approve", &week]).refused(1, &["taken back"]);
    good(folder, &["digest", "draft", &week]);
    assert_eq!(titles(folder, &week).len(), 1);
    let explained = good(folder, &["explain", "https://code.example/one"]);
    assert!(explained.contains("entered by hand, and taken back") && explained.contains("withdrawn"), "{explained}");
    run(folder, &["digest", "pin", &week, "https://code.example/one"]).refused(1, &["taken back"]);

    // Told again, it is back.
    enter(folder, "ada", "https://code.example/one", "AWS Lambda one");
    good(folder, &["digest", "draft", &week]);
    assert_eq!(titles(folder, &week).len(), 2);
}

#[test]
fn a_piece_that_is_too_old_for_the_week_is_pinned_by_its_address_and_stays_after_a_refresh() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let week = three_builders(folder);
    enter(folder, "ada", "https://code.example/one", "AWS Lambda one");
    enter_days_before(folder, 12, "bo", "https://code.example/two", "Amazon SQS two");
    enter_days_before(folder, 60, "cy", "https://code.example/three", "Amazon S3 three");
    good(folder, &["digest", "draft", &week]);
    let named = |titles: Vec<(String, Vec<String>)>| titles.into_iter().map(|(title, _)| title).collect::<Vec<_>>();
    assert_eq!(named(titles(folder, &week)), ["AWS Lambda one"]);
    good(folder, &["digest", "pin", &week, "https://code.example/two"]);
    let mut both = named(titles(folder, &week));
    both.sort();
    assert_eq!(both, ["AWS Lambda one", "Amazon SQS two"]);
    run(folder, &["digest", "pin", &week, "https://code.example/three"]).refused(1, &["Amazon S3 three", "cannot have a place"]);
    good(folder, &["digest", "refresh", &week, "--take"]);
    let mut after = named(titles(folder, &week));
    after.sort();
    assert_eq!(after, both);
}

#[test]
fn a_piece_that_is_one_with_what_was_featured_gives_its_place_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "[schedule]\ncut_off = \"0 0 * * MON\"\n[digest]\nfloor = 0\nplaces = 1\ncool_down = 0\ncooling_off = 0\n");
    let roster = "builder,name,kind,url\nada,Ada Nwosu,,\nbo,Bo Lind,,\ncy,Cy Lund,,\n";
    std::fs::write(folder.join("roster.csv"), roster).unwrap();
    good(folder, &["registry", "import", "roster.csv"]);
    let (before, week) = (last_week().previous().to_string(), last_week().to_string());
    enter_days_before(folder, 7, "ada", "https://code.example/one", "AWS Lambda one");
    good(folder, &["digest", "draft", &before]);
    good(folder, &["digest", "approve", &before]);
    good(folder, &["digest", "publish", &before]);
    enter(folder, "bo", "https://code.example/two", "Amazon SQS two");
    enter(folder, "cy", "https://code.example/three", "Amazon S3 three");
    good(folder, &["digest", "draft", &week]);
    let shown = || titles(folder, &week).into_iter().map(|(title, _)| title).collect::<Vec<_>>();
    let first = shown();
    assert_eq!(first.len(), 1);
    good(folder, &["digest", "merge", &week, "1", "https://code.example/one"]);
    let next = shown();
    assert!(next.len() == 1 && next != first, "{first:?}, then {next:?}");
    let address = if first[0].contains("two") { "https://code.example/two" } else { "https://code.example/three" };
    let explained = good(folder, &["explain", address]);
    assert!(explained.contains("one piece with") && explained.contains(&format!("featured in the digest of {before}")), "{explained}");
    // What is known to be one stays so: computed anew, and told a second time.
    good(folder, &["digest", "refresh", &week, "--take"]);
    assert_eq!(shown(), next);
    run(folder, &["digest", "pin", &week, address]).refused(1, &["cannot have a place"]);
    good(folder, &["digest", "approve", &week]);
    good(folder, &["digest", "publish", &week]);
    assert_eq!(shown(), next);
}

#[test]
fn ids_in_the_feed_stay_where_the_pages_move() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let at_host = |host: &str| {
        configure(folder, &format!("[schedule]\ncut_off = \"0 0 * * MON\"\n[digest]\ncooling_off = 0\n[web]\npublic_url = \"{host}\"\n"));
    };
    at_host("https://old.example");
    let (before, week) = (last_week().previous().to_string(), last_week().to_string());
    let publish = |week: &str| {
        good(folder, &["digest", "draft", week]);
        good(folder, &["digest", "approve", week]);
        good(folder, &["digest", "publish", week]);
    };
    publish(&before);
    at_host("https://new.example");
    good(folder, &["digest", "correct", &before, "A title was wrong."]);
    publish(&week);
    let atom = |week: &str| good(folder, &["digest", "show", week, "--format", "atom"]);
    let id = |host: &str, week: &str| {
        let week: Week = week.parse().unwrap();
        format!("<id>tag:{host},{}:{week}</id>", week.next().monday())
    };
    for week in [&before, &week] {
        assert!(atom(week).contains("<id>tag:old.example,2026:digest</id>"), "{}", atom(week));
    }
    assert!(atom(&before).contains(&id("old.example", &before)) && atom(&before).contains("https://new.example/"), "{}", atom(&before));
    assert!(atom(&week).contains(&id("new.example", &week)), "{}", atom(&week));
}

#[test]
fn a_week_with_nothing_to_say_is_published_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "[schedule]\ncut_off = \"0 0 * * MON\"\n[digest]\ncooling_off = 0\n");
    let week = last_week().to_string();
    good(folder, &["digest", "draft", &week]);
    assert_eq!(codes(folder, &week), [("warning".into(), "nothing_chosen".into())]);
    run(folder, &["digest", "approve", &week, "--strict"]).refused(1, &["nobody ticked", "readers will be told"]);
    assert_eq!(json(folder, &["digest", "approve", &week])["state"], "approved");
    assert_eq!(json(folder, &["digest", "publish", &week])["state"], "published");
    for format in ["html", "eml", "md", "txt", "json", "atom", "slack", "discord", "teams"] {
        let text = good(folder, &["digest", "show", &week, "--format", format]);
        assert!(text.contains("Nothing to report this week"), "{format}: {text}");
    }
}

#[test]
fn nobody_is_published_who_asked_not_to_be_during_the_cooling_off() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _site = start(folder, "[digest]\ncooling_off = 0\n");
    let week = last_week().to_string();
    good(folder, &["digest", "draft"]);
    good(folder, &["digest", "approve"]);
    std::fs::write(folder.join("wish.csv"), "builder,name,kind,url,not_featured\nbob,Bob Moss,,,yes\n").unwrap();
    let told = run(folder, &["registry", "import", "wish.csv"]);
    assert!(told.err.contains("Bob Moss") && told.err.contains(&week) && told.err.contains("pull-back"), "{told:?}");
    run(folder, &["digest", "publish"]).refused(1, &["Bob Moss does not want to be featured", "approval is taken back"]);
    assert!(codes(folder, &week).contains(&("error".into(), "opted_out".into())));
    run(folder, &["digest", "approve"]).refused(1, &["Bob Moss"]);
    let place = titles(folder, &week).iter().position(|(_, names)| names == &["Bob Moss".to_owned()]).unwrap() + 1;
    good(folder, &["digest", "drop", &week, &place.to_string()]);
    good(folder, &["digest", "approve"]);
    good(folder, &["digest", "publish"]);
    assert!(!good(folder, &["digest", "show"]).contains("Bob"));
}

#[test]
fn what_is_removed_goes_from_folders_lists_and_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let out = folder.join("out");
    let delivery = format!("[digest]\ncooling_off = 0\n[[delivery]]\nname = \"shelf\"\nkind = \"files\"\nfolder = \"{}\"\n", out.display());
    let site = start(folder, &delivery);
    let week = last_week().to_string();
    good(folder, &["digest", "draft"]);
    good(folder, &["digest", "approve"]);
    good(folder, &["digest", "publish"]);
    good(folder, &["digest", "send", &week]);
    let page = || std::fs::read_to_string(out.join(format!("{week}.html"))).unwrap();
    assert!(page().contains("Bob Moss"));
    let place = titles(folder, &week).iter().position(|(_, names)| names == &["Bob Moss".to_owned()]).unwrap() + 1;
    let told = run(folder, &["digest", "remove", &week, &place.to_string(), "--reason", "court order"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.err.contains("written anew") && told.err.contains("shelf"), "{told:?}");
    assert!(told.out.contains("court order") && !told.out.contains("Bob Moss"), "{told:?}");
    good(folder, &["digest", "send", &week]);
    assert!(page().contains("court order") && !page().contains("Bob Moss"));
    run(folder, &["digest", "posted", &week, &place.to_string(), "--channel", "x", "--url", "https://x.com/a/status/1"])
        .refused(1, &["taken out of the digest"]);
    assert!(!good(folder, &["digest", "ledger"]).contains("Bob"));
    let explained = good(folder, &["explain", &site.url("/bob/tables")]);
    assert!(explained.contains("[removed]") || explained.contains("was taken out of it"), "{explained}");
    assert!(!explained.contains("featured in the digest"), "{explained}");
    let view = run(folder, &["--json", "digest", "check", &week]).out;
    assert!(!codes(folder, &week).contains(&("error".into(), "title_empty".into())), "{view}");
    assert!(!view.contains("DynamoDB tables for a ferry timetable"), "{view}");
}

#[test]
fn a_mail_too_large_is_said_before_it_is_approved() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let places = 80;
    configure(folder, &format!("[schedule]\ncut_off = \"0 0 * * MON\"\n[digest]\nfloor = 0\nplaces = {places}\n"));
    let mut roster = "builder,name,kind,url\n".to_owned();
    for n in 0..places {
        roster.push_str(&format!("b{n},作者 {n},,\n"));
    }
    std::fs::write(folder.join("roster.csv"), roster).unwrap();
    good(folder, &["registry", "import", "roster.csv"]);
    let week = last_week().to_string();
    let day = last_week().monday().to_string();
    let summary = "我们把服务迁移到无服务器架构之后学到的东西。".repeat(12);
    for n in 0..places {
        let (who, address, title) = (format!("b{n}"), format!("https://code.example/{n}"), format!("无服务器架构的迁移笔记 {n}"));
        good(folder, &["work", "add", &who, &address, "--title", &title, "--date", &day, "--summary", &summary]);
    }
    good(folder, &["digest", "draft", &week]);
    assert!(codes(folder, &week).contains(&("error".into(), "mail_too_large".into())));
    run(folder, &["digest", "approve", &week]).refused(1, &["bytes", "95000"]);
    // Dropping works brings it to a warning, and then to nothing.
    let mut codes_seen = Vec::new();
    for n in 0..70 {
        good(folder, &["digest", "drop", &week, "--builder", &format!("b{n}")]);
        let mail = codes(folder, &week).into_iter().find(|(_, code)| code.starts_with("mail_"));
        if codes_seen.last() != Some(&mail) {
            codes_seen.push(mail);
        }
    }
    let seen: Vec<Option<&str>> = codes_seen.iter().map(|mail| mail.as_ref().map(|(_, code)| code.as_str())).collect();
    assert_eq!(seen, [Some("mail_too_large"), Some("mail_large"), None]);
}

#[test]
fn a_move_that_moves_nothing_is_refused_and_one_too_far_goes_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _site = start(folder, "");
    let week = last_week().to_string();
    good(folder, &["digest", "draft"]);
    let edits = || good(folder, &["digest", "edits", &week]);
    let before = edits();
    let drafted: Value = serde_json::from_str(&good(folder, &["digest", "show", &week, "--format", "json"])).unwrap();
    let sizes: Vec<usize> =
        drafted["sections"].as_array().unwrap().iter().map(|section| section["works"].as_array().unwrap().len()).collect();
    let says = if sizes[0] == 1 { "alone in its section" } else { "has place 1 of" };
    run(folder, &["digest", "move", &week, "1", if sizes[0] == 1 { "99" } else { "1" }]).refused(1, &[says]);
    assert_eq!(edits(), before, "nothing is logged");
    if sizes[0] > 1 {
        good(folder, &["digest", "move", &week, "1", "99"]);
        assert!(edits().contains("to the end of its section"), "{}", edits());
    }
}

#[test]
fn decisions_are_by_the_systems_user_where_no_variable_names_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _site = start(folder, "");
    let week = last_week().to_string();
    good(folder, &["digest", "draft"]);
    let done = ran(clarion(folder).args(["digest", "intro", &week, "A week."]).env_remove("USER").env_remove("LOGNAME"));
    assert_eq!(done.code, 0, "{done:?}");
    let edits = good(folder, &["digest", "edits", &week]);
    assert!(!edits.contains("unknown"), "{edits}");
}

#[test]
fn sizes_that_cannot_be_played_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (option, wrong) in [("--builders", "0"), ("--builders", "100000"), ("--weeks", "0"), ("--weeks", "100000")] {
        run(folder, &["simulate", option, wrong]).refused(2, &[wrong, "is not in 1..="]);
    }
    let small = good(folder, &["simulate", "--builders", "20", "--weeks", "14"]);
    assert!(small.contains("no promise is made") && !small.contains("kept"), "{small}");
}
