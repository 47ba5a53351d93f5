//! The daemon as an operator runs it: it makes up what it missed, works beside short commands, answers, and ends in order.

use std::sync::Arc;
use std::time::Duration;

use clarion::clock::{Clock, ManualClock, SystemClock};
use clarion::flow::{self, Wanted};
use clarion::model::Week;
use clarion::store::Store;
use clarion::{daemon, schedule};
use tokio_util::sync::CancellationToken;

use crate::support::daemon::Daemon;
use crate::support::site::{Site, answer, rss};
use crate::support::{configure, good, json, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_cut_off_is_made_up_once_and_what_is_approved_goes_out_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    crate::digest::start(folder, "[digest]\ncooling_off = \"1s\"\n[web]\nlisten = \"127.0.0.1:0\"\n");
    let now = SystemClock.now();
    let week = Week::last_whole(now);
    // The daemon ran a month ago, and not since.
    let store = Store::open(&folder.join("clarion.db")).await.unwrap();
    let long_ago = now - jiff::SignedDuration::from_hours(24 * 30);
    let slot = schedule::last_slot("0 0 * * MON", "UTC", long_ago).unwrap();
    store.finish_slot("cut_off", slot, "done", "drafted then", slot).await.unwrap();
    store.close().await.unwrap();

    let daemon = Daemon::start(folder);
    let draft = daemon.wait_for("the draft is there", |_| {
        let ran = run(folder, &["digest", "show", "--json"]);
        (ran.code == 0).then(|| ran.json())
    });
    assert_eq!((&draft["week"], &draft["state"]), (&week.to_string().into(), &"draft".into()));
    assert_eq!(daemon.get("/digest/latest").0, 404, "a draft is not public");
    assert_eq!(daemon.get(&format!("/digest/{week}")).0, 404, "a draft is not public");
    good(folder, &["digest", "approve", "--as", "Edith"]);
    daemon.wait_for("the digest is out", |daemon| (daemon.get(&format!("/digest/{week}")).0 == 200).then_some(()));
    for format in ["html", "json", "md", "txt", "eml"] {
        let path = if format == "html" { format!("/digest/{week}") } else { format!("/digest/{week}.{format}") };
        let (status, _, body) = daemon.get(&path);
        assert!(status == 200 && body.contains("Ada Nwosu"), "{path}: {status}");
        assert_eq!(body, good(folder, &["digest", "show", "--format", format]), "{path}");
    }
    assert!(matches!(daemon.get("/digest/latest").0, 200 | 302 | 303 | 307));
    assert!(daemon.get("/digest/feed.atom").2.contains(&week.to_string()));
    let (code, out, took) = daemon.terminate();
    assert!(code == Some(0) && out.is_empty() && took < Duration::from_secs(10), "{code:?} {out} {took:?}");

    // Started again, nothing is made up again.
    let daemon = Daemon::start(folder);
    assert_eq!(daemon.get(&format!("/digest/{week}")).0, 200);
    assert_eq!(daemon.terminate().0, Some(0));
    let store = Store::open(&folder.join("clarion.db")).await.unwrap();
    let slots = store.slots_of("cut_off", 20).await.unwrap();
    assert!((4..=6).contains(&slots.len()), "{slots:?}");
    assert_eq!(slots.iter().filter(|slot| slot.state == "done").count(), 2, "{slots:?}");
    assert!(slots.iter().all(|slot| matches!(slot.state.as_str(), "done" | "missed")), "{slots:?}");
    store.close().await.unwrap();
}

#[test]
fn pages_and_metrics_answer_beside_an_import_and_nobody_else_collects() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/feed" => answer("200 OK", "", &rss("page", &["First &lt;b&gt;post&lt;/b&gt;", "Second post"])),
        "/hang" => {
            std::thread::sleep(Duration::from_secs(25));
            Vec::new()
        }
        _ => answer("404 Not Found", "", ""),
    });
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "[web]\nlisten = \"127.0.0.1:0\"\n");
    let daemon = Daemon::start(folder);
    for path in ["/", "/builders", "/operator", "/digest", "/digest/feed.atom", "/how", "/healthz", "/metrics"] {
        let (status, head, body) = daemon.get(path);
        assert!(status == 200 && !body.is_empty(), "{path}: {head}");
    }
    assert_eq!(daemon.get("/nothing").0, 404);
    assert_eq!(daemon.get("/builders/ada").0, 404);
    assert_eq!(daemon.get("/digest/2026-W99").0, 404);
    daemon.wait_for("it is ready", |daemon| (daemon.get("/readyz").0 == 200).then_some(()));

    // One collector alone; the others are told who it is.
    run(folder, &["serve"]).refused(1, &["another clarion", "stop it first"]);
    run(folder, &["poll"]).refused(1, &["another clarion"]);
    run(folder, &["rebuild"]).refused(1, &["another clarion"]);
    assert!(good(folder, &["status"]).starts_with("collecting: process "));

    // An import beside it is noticed, and polled.
    let roster = format!(
        "builder,name,kind,url\nada,Ada &amp; <i>Co</i>,rss,{}\nbob,Bob,rss,{}\ncy,Cy,rss,{}\n",
        site.url("/feed"),
        site.url("/missing"),
        site.url("/hang")
    );
    std::fs::write(folder.join("roster.csv"), roster).unwrap();
    good(folder, &["registry", "import", "roster.csv"]);
    daemon.wait_for("both feeds were asked", |daemon| {
        let text = daemon.get("/metrics").2;
        let counted = |outcome: &str| text.contains(&format!("clarion_polls_total{{outcome=\"{outcome}\"}} "));
        (counted("read") && counted("failed")).then_some(())
    });
    daemon.wait_for("the entries are settled", |_| (json(folder, &["log", "list"]).as_array().map(Vec::len) == Some(2)).then_some(()));
    let record = daemon.wait_for("the record is there", |daemon| {
        let (status, _, body) = daemon.get("/builders/ada");
        (status == 200 && body.contains("Second post")).then_some(body)
    });
    assert!(!record.contains("<i>Co") && !record.contains("<b>post"), "markup from outside stays text");
    assert!(daemon.get("/builders").2.contains("/builders/bob"));
    assert!(daemon.get("/operator").2.contains("404"));
    assert!(daemon.get("/metrics").2.contains("clarion_entries_new_total 2"));

    // The port is taken while it runs.
    let other = tempfile::tempdir().unwrap();
    let port = daemon.port();
    configure(other.path(), &format!("[web]\nlisten = \"127.0.0.1:{port}\"\n"));
    run(other.path(), &["serve"]).refused(1, &[&port, "web.listen"]);
    run(other.path(), &["demo", "--port", &port]).refused(1, &[&port, "--port"]);

    // A request that hangs does not hold the end.
    let (code, out, took) = daemon.terminate();
    assert!(code == Some(0) && out.is_empty() && took < Duration::from_secs(10), "{code:?} {out} {took:?}");
    assert!(good(folder, &["status"]).starts_with("collecting: nobody"));
    assert!(good(folder, &["poll", "ada"]).contains("asked 1 source"));
}

#[tokio::test(flavor = "multi_thread")]
async fn before_a_cut_off_what_was_not_read_of_late_is_asked_once_more() {
    let site = Site::start(|asked| {
        let title = asked.path.trim_matches('/').to_owned();
        answer("200 OK", "Cache-Control: max-age=86400\r\n", &rss(&title, &["One"]))
    });
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "[web]\nlisten = \"127.0.0.1:0\"\n");
    let roster = format!("builder,name,kind,url\nada,Ada,rss,{}\nbob,Bob,rss,{}\n", site.url("/ada"), site.url("/bob"));
    std::fs::write(folder.join("roster.csv"), roster).unwrap();
    good(folder, &["registry", "import", "roster.csv"]);
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let clock = Arc::new(ManualClock::at(at("2027-01-03T20:00:00Z")));
    let ctx = crate::poll::context(folder, &clock).await;
    let named = Wanted::These(ctx.store.sources().await.unwrap().iter().map(|source| source.id).collect());
    flow::pass(&ctx, &named, CancellationToken::new(), |_, _| {}).await.unwrap();
    clock.set(at("2027-01-04T03:00:00Z"));
    flow::pass(&ctx, &Wanted::These(vec![ctx.store.sources().await.unwrap()[1].id]), CancellationToken::new(), |_, _| {}).await.unwrap();
    assert_eq!((site.asked("/ada").len(), site.asked("/bob").len()), (1, 2));

    clock.set(at("2027-01-04T05:20:00Z"));
    let stop = CancellationToken::new();
    let running = tokio::spawn(daemon::run(ctx, stop.clone().cancelled_owned(), |_| {}));
    for _ in 0..600 {
        if site.asked("/ada").len() > 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!((site.asked("/ada").len(), site.asked("/bob").len()), (2, 2), "Bob's was read three hours before");
}
