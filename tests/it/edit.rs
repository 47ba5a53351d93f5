//! An editor's week, by commands: edits, two at once, checks, approval, pull-back, correction, removal.

use std::path::Path;

use clarion::clock::{Clock, SystemClock};
use clarion::flow::{self, EditError, Warnings, Wish};
use clarion::model::{DigestState, Edit, Level, Mark, MarkRecord, Week};
use clarion::store::Taken;
use serde_json::Value;

use crate::digest::start;
use crate::support::world::{World, post, rss};
use crate::support::{good, json, run};

fn last_week() -> String {
    Week::last_whole(SystemClock.now()).to_string()
}

fn titles(view: &Value) -> Vec<String> {
    view["picks"].as_array().unwrap().iter().map(|pick| pick["pick"]["title"].as_str().unwrap().to_owned()).collect()
}

/// The two posts of Ada: the one with a place, and the other.
fn two_of_ada(folder: &Path, week: &str) -> (String, String) {
    let view = json(folder, &["digest", "lead", week, "1"]);
    let pick = view["picks"].as_array().unwrap().iter().find(|pick| pick["pick"]["builders"][0]["name"] == "Ada Nwosu").unwrap().clone();
    let id = |value: &Value| value["work"].as_str().unwrap().to_owned();
    good(folder, &["digest", "undo", week]);
    (id(&pick["pick"]), id(&pick["others"][0]))
}

#[test]
fn edits_are_kept_with_their_author_and_can_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    start(folder, "[digest]\ncooling_off = 0\n");
    let week = &last_week();
    run(folder, &["digest", "pin", week, "1"]).refused(1, &["no draft", "clarion digest draft"]);
    for never_drafted in [week.as_str(), "2020-W01"] {
        run(folder, &["digest", "check", never_drafted]).refused(1, &["no draft"]);
        run(folder, &["--json", "digest", "check", never_drafted]).refused(1, &["no draft"]);
    }
    let draft = json(folder, &["digest", "draft"]);
    let plain = good(folder, &["digest", "show"]);
    // Two who looked at the same draft: one is taken, the other is told.
    let both: Vec<i32> = std::thread::scope(|scope| {
        let edits = ["Edith", "Otto"]
            .map(|person| scope.spawn(move || run(folder, &["digest", "drop", &last_week(), "1", "--on", "0", "--as", person]).code));
        edits.into_iter().map(|edit| edit.join().unwrap()).collect()
    });
    assert_eq!((both.iter().filter(|code| **code == 0).count(), json(folder, &["digest", "edits"]).as_array().unwrap().len()), (1, 1));
    good(folder, &["digest", "undo", week]);
    let (first, second) = two_of_ada(folder, week);
    assert_eq!(good(folder, &["digest", "show"]), plain, "an edit that was taken back leaves no trace");

    let swapped = json(folder, &["digest", "swap", week, &first, &second, "--as", "Edith", "--note", "fresher"]);
    assert_eq!((&swapped["state"], &swapped["revision"]), (&"in_review".into(), &5.into()));
    let ids: Vec<&Value> = swapped["picks"].as_array().unwrap().iter().map(|pick| &pick["pick"]["work"]).collect();
    assert!(ids.contains(&&second.clone().into()) && !ids.contains(&&first.clone().into()));
    let record = swapped["edits"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&record["by"], &record["note"], &record["what"]["edit"]), (&"Edith".into(), &"fresher".into(), &"swap".into()));

    // Whoever looked at an older revision hears what happened since, and nothing is lost.
    run(folder, &["digest", "drop", week, "1", "--on", "4"]).refused(1, &["changed meanwhile", "at 5 now", "Edith swapped"]);
    run(folder, &["digest", "draft"]).refused(1, &["has edits", "clarion digest refresh"]);

    let reworded = json(folder, &["digest", "reword", week, &second, "summary", "What she measured."]);
    let pick = reworded["picks"].as_array().unwrap().iter().find(|pick| pick["pick"]["work"] == second.as_str()).unwrap();
    assert_eq!(pick["pick"]["summary"], "What she measured.");
    assert!(pick["rewordings"][0]["original"].as_str().unwrap().starts_with("How a small team"), "{pick}");
    good(folder, &["digest", "intro", week, "A short week."]);
    let shown = good(folder, &["digest", "show"]);
    assert!(shown.contains("A short week.") && shown.contains("What she measured."), "{shown}");
    let differs = json(folder, &["digest", "diff", week]);
    assert_eq!((differs["added"].as_array().unwrap().len(), differs["removed"].as_array().unwrap().len()), (1, 1));
    let bob = json(folder, &["digest", "drop", week, "--builder", "bob"]);
    assert_eq!(bob["picks"].as_array().unwrap().len(), 1);
    good(folder, &["digest", "undo", week]);
    run(folder, &["digest", "hold", week, &second, "--until", week]).refused(1, &["one of the next 8 weeks"]);
    run(folder, &["digest", "reword", week, &second, "title"]).refused(2, &["title"]);

    let preview = json(folder, &["digest", "refresh", week]);
    let refreshed = json(folder, &["digest", "refresh", week, "--take", "--token", preview["token"].as_str().unwrap()]);
    let mut kept = titles(&refreshed);
    kept.sort();
    let mut before = titles(&reworded);
    before.sort();
    assert_eq!(kept, before, "a refresh keeps pins and words");
    assert!(good(folder, &["digest", "edits", week]).contains("computed the draft anew"));

    let approved = json(folder, &["digest", "approve", "--as", "Edith"]);
    assert_eq!(approved["state"], "approved");
    assert_ne!(approved["draft"], Value::Null);
    assert!(approved["edit_hash"].is_string() && draft["edit_hash"].is_null());
    run(folder, &["digest", "drop", week, "1"]).refused(1, &["approved", "pull-back"]);
    assert_eq!(json(folder, &["digest", "pull-back", week])["state"], "in_review");
    run(folder, &["digest", "pull-back", week]).refused(1, &["nothing to pull back"]);
    json(folder, &["digest", "approve"]);
    json(folder, &["digest", "publish"]);
    let text = good(folder, &["digest", "show"]);
    assert!(text.contains("A short week.") && text.contains("What she measured."), "{text}");
    run(folder, &["digest", "pull-back", week]).refused(1, &["published already"]);
    run(folder, &["digest", "drop", week, "1"]).refused(1, &["published already"]);
}

#[test]
fn errors_block_warnings_want_a_tick_and_a_review_holds() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let site = start(folder, "[digest]\ncooling_off = 0\n[editing]\nreviewers = [{ topic = \"Lambda\", person = \"Rae\" }]\n");
    let _ = site;
    let week = &last_week();
    good(folder, &["digest", "draft"]);
    let checked = json(folder, &["digest", "check"]);
    assert_eq!(checked["errors"], 0);
    let open: Vec<&Value> = checked["findings"].as_array().unwrap().iter().filter(|finding| finding["level"] == "warning").collect();
    assert!(open.iter().any(|finding| finding["code"] == "link_unchecked"), "{checked}");
    run(folder, &["digest", "approve", "--strict"]).refused(1, &["nobody ticked", "[link_"]);
    run(folder, &["digest", "tick", week, "feedbeef"]).refused(1, &["no warning"]);
    run(folder, &["digest", "tick", week]).refused(2, &["--opened"]);

    let reviewed = json(folder, &["digest", "review", week, "1"]);
    let waiting = reviewed["picks"][0]["review"].as_str().unwrap().to_owned();
    assert_eq!(run(folder, &["digest", "check"]).code, 1);
    run(folder, &["digest", "approve"]).refused(1, &["cannot be approved", "waits for a review", &waiting]);
    good(folder, &["digest", "review", week, "1", "--done"]);

    let ticked = json(folder, &["digest", "tick", week, "--all", "--opened", "1", "--as", "Edith"]);
    assert_eq!((&ticked["approvable"], &ticked["picks"][0]["opened"][0][0]), (&true.into(), &"Edith".into()), "{ticked}");
    let view = json(folder, &["digest", "outdated", week, "1", "The console looks different now."]);
    assert_eq!(view["picks"][0]["outdated"][0]["what"]["text"], "The console looks different now.");
    assert!(!good(folder, &["digest", "show"]).contains("console looks different"), "the word is for the author alone");
    json(folder, &["digest", "approve", "--strict"]);
}

#[test]
fn a_correction_is_an_edition_that_names_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    start(folder, "[digest]\ncooling_off = 0\n");
    let week = &last_week();
    good(folder, &["digest", "draft"]);
    run(folder, &["digest", "correct", week, "x"]).refused(1, &["not published yet"]);
    good(folder, &["digest", "approve"]);
    let first = json(folder, &["digest", "publish"]);
    assert_eq!(first["edition"], 1);
    let second = json(folder, &["digest", "correct", week, "The ferry runs on Sundays too."]);
    assert_eq!(second["edition"], 2);
    assert_ne!(first["sealed"], second["sealed"]);
    let shown: Value = serde_json::from_str(&good(folder, &["digest", "show", "--format", "json"])).unwrap();
    assert_eq!(shown["corrections"][0]["text"], "The ferry runs on Sundays too.");
    assert_eq!((&shown["inputs"]["supersedes"], &shown["edition"]), (&first["sealed"], &2.into()));
    for format in ["html", "md", "txt", "eml"] {
        assert!(good(folder, &["digest", "show", "--format", format]).contains("Sundays too"), "{format}");
    }

    run(folder, &["digest", "remove", week, "77", "--reason", "x"]).refused(1, &["no pick 77"]);
    let work = shown["sections"][0]["works"][0].clone();
    let third = json(folder, &["digest", "remove", week, "1", "--reason", "asked for by its author"]);
    assert_eq!(third["edition"], 3);
    for format in ["html", "md", "txt", "json", "eml"] {
        let text = good(folder, &["digest", "show", "--format", format]).replace("=\r\n", "");
        assert!(!text.contains(work["url"].as_str().unwrap()) && text.contains("taken out"), "{format}: {text}");
    }
    run(folder, &["digest", "remove", week, "1", "--reason", "again"]).refused(1, &["already"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_what_moved_meanwhile_keeps_none_of_its_ticks() {
    let world = World::at("2026-11-16T08:00:00Z").await;
    world.feed("Ada Loam", "/feed").await;
    world.origin.serve("/feed", rss(&[]));
    world.poll().await;
    let date = "18 Nov 2026 09:00:00 GMT";
    world.origin.serve("/feed", rss(&[post("one", "One of Ada", date)]));
    world.clock.set("2026-11-20T08:00:00Z".parse().unwrap());
    world.poll().await;
    let draft = world.draft("2026-W47", "2026-11-23T07:00:00Z").await;
    let (ctx, week) = (&world.ctx, draft.week);
    let seen = flow::draft_view(ctx, week).await.unwrap();
    let warning = seen.findings.iter().find(|finding| finding.level == Level::Warning).unwrap();
    let opened = Mark::Opened { work: seen.picks[0].pick.work.clone() };
    let ticks = vec![opened.clone(), Mark::Accepted { key: warning.key.clone() }];
    let wish = |on: u32| Wish { on: Some(on), ..Wish::by("Edith") };
    let intro = Edit::Intro { section: None, text: Some("A short week.".into()) };
    let now = flow::edit(ctx, week, &intro, &Wish::by("Otto")).await.unwrap().revision;
    let refused = flow::approve_with(ctx, week, Warnings::Ticked, ticks, &wish(seen.revision)).await;
    assert!(matches!(refused, Err(EditError::Clash { .. })), "{refused:?}");
    assert_eq!(ctx.store.marks(week).await.unwrap(), []);
    // An edit that comes between the look and the writing is noticed as well.
    let record = MarkRecord { at: world.clock_now(), by: "Edith".into(), what: opened.clone(), note: None };
    let kept = ctx.store.record_marks_on(week, seen.revision, seen.draft_hash.clone(), vec![record]).await.unwrap();
    assert!(matches!(kept, Taken::Clash(revision) if revision == now), "{kept:?}");
    // A tick of what is no warning refuses the whole; where something is still open, what was ticked stays ticked.
    let wrong = vec![opened.clone(), Mark::Accepted { key: "feedbeef".into() }];
    assert!(matches!(flow::approve_with(ctx, week, Warnings::Ticked, wrong, &wish(now)).await, Err(EditError::Refused(_))));
    assert_eq!(ctx.store.marks(week).await.unwrap(), []);
    let open = flow::approve_with(ctx, week, Warnings::Ticked, vec![opened], &wish(now)).await;
    assert!(matches!(open, Err(EditError::Unticked { .. })), "{open:?}");
    assert_eq!(ctx.store.marks(week).await.unwrap().len(), 1);
    let rest = flow::draft_view(ctx, week).await.unwrap().findings.into_iter().filter(|finding| finding.ticked_by.is_none());
    let rest: Vec<Mark> = rest.map(|finding| Mark::Accepted { key: finding.key }).collect();
    let approved = flow::approve_with(ctx, week, Warnings::Ticked, rest, &wish(now)).await.unwrap();
    assert_eq!(approved.state, DigestState::Approved);
    let told = flow::edit(ctx, week, &intro, &Wish::by("Otto")).await.unwrap_err().to_string();
    assert_eq!(told, "the digest of 2026-W47 is approved: pull it back to edit it");
}
