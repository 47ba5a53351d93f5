//! The whole job on the invented community: the log against the origin's truth, and the same bytes everywhere.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use clarion::clock::{Clock, ManualClock};
use clarion::config::Config;
use clarion::flow::{self, Context, Wanted};
use clarion::model::{BuilderId, CanonicalUrl, SourceId};
use clarion::rehearsal::origin::{Fault, Origin};
use clarion::rehearsal::program::Program;
use clarion::store::{LogFilter, Store};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::support::{clarion, good, json, ran, run};

#[test]
fn the_demo_gives_the_same_bytes_anywhere_and_others_for_another_seed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let demo = |dir: &str, seed: &str, zone: &str, locale: &str| {
        let args = ["demo", "--once", "--json", "--week", "2026-W10", "--dir", dir, "--seed", seed];
        let done = ran(clarion(folder).args(args).env("TZ", zone).env("LC_ALL", locale).env("USER", zone));
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{done:?}");
        let told = done.json();
        let files = told["outputs"].as_array().unwrap();
        assert_eq!(files.len(), 10);
        files.iter().map(|file| std::fs::read(folder.join(file.as_str().unwrap())).unwrap()).collect::<Vec<_>>()
    };
    let (one, two, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| demo("one", "1", "UTC", "C"));
        let two = scope.spawn(|| demo("deep/two", "1", "Pacific/Kiritimati", "tr_TR.UTF-8"));
        let other = scope.spawn(|| demo("other", "2", "UTC", "C"));
        (one.join().unwrap(), two.join().unwrap(), other.join().unwrap())
    });
    assert!(one == two, "the same seed and week gave other bytes");
    assert!(one.iter().zip(&other).all(|(one, other)| one != other), "another seed gave the same bytes");
    // The other commands work on what it left, and it is replaced only where it is the demo's own.
    let config = ["--config", "one/clarion.toml"];
    assert_eq!(json(folder, &[&["rebuild"][..], &config].concat())["same"], true);
    assert_eq!(good(folder, &[&["digest", "show", "2026-W10", "--format", "html"][..], &config].concat()).as_bytes(), one[0]);
    std::fs::create_dir(folder.join("mine")).unwrap();
    std::fs::write(folder.join("mine/letter.txt"), "dear").unwrap();
    run(folder, &["demo", "--once", "--dir", "mine"]).refused(1, &["mine", "--dir"]);
    assert_eq!(std::fs::read_dir(folder.join("mine")).unwrap().count(), 1);
}

/// What an address means, however it is spelled.
fn place(address: &str) -> String {
    CanonicalUrl::parse(address).unwrap().key()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_holds_the_truth_of_the_origin_once_whatever_went_wrong_between() {
    let folder = tempfile::tempdir().unwrap();
    let program = Arc::new(Program::new(7, "2026-W20".parse().unwrap()));
    let cut_off = program.cut_off_at();
    let clock = Arc::new(ManualClock::at(cut_off - SignedDuration::from_hours(24 * 9)));
    let origin = Origin::start(Arc::clone(&program), Arc::clone(&clock) as Arc<dyn Clock>, None).await.unwrap();
    let mut config = Config::default();
    origin.configure(&mut config);
    config.store.path = folder.path().join("clarion.db");
    let text = toml::to_string(&config).unwrap();
    std::fs::write(folder.path().join("clarion.toml"), text).unwrap();
    std::fs::write(folder.path().join("roster.csv"), origin.roster_csv()).unwrap();
    // The program runs on threads of its own, so the origin goes on answering.
    let imported = tokio::task::block_in_place(|| json(folder.path(), &["registry", "import", "roster.csv"]));
    assert_eq!(imported["refused"], 0);

    let store = Store::open(&config.store.path).await.unwrap();
    let ctx = Context::new(config, store, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let faults = [
        Fault::Status(500),
        Fault::Drop,
        Fault::Truncate(200),
        Fault::RetryAfter { status: 503, seconds: 60 },
        Fault::Body { content_type: "text/html".into(), bytes: b"<html><body>Sign in</body></html>".to_vec() },
    ];
    let mut round = 0;
    while clock.now() < cut_off {
        // Every other round something is wrong with one part of the origin.
        let path = ["/feed/a", "/feed/t", "/github", "/youtube", "/devto"][round % 5];
        if round % 2 == 1 && round < 16 {
            origin.fault_times(path, faults[round % faults.len()].clone(), 6);
        } else {
            origin.clear_faults();
        }
        flow::pass(&ctx, &Wanted::Due, CancellationToken::new(), |_, _| {}).await.unwrap();
        if round % 3 == 0 {
            flow::settle(&ctx).await.unwrap();
        }
        clock.advance(SignedDuration::from_hours(10));
        round += 1;
    }
    origin.clear_faults();
    flow::pass(&ctx, &Wanted::All, CancellationToken::new(), |_, _| {}).await.unwrap();
    flow::settle(&ctx).await.unwrap();

    let builders: HashMap<BuilderId, String> =
        ctx.store.builders().await.unwrap().into_iter().map(|builder| (builder.id, builder.slug.to_string())).collect();
    let urls: HashMap<SourceId, String> = ctx.store.sources().await.unwrap().into_iter().map(|source| (source.id, source.url)).collect();
    let rows = ctx.store.activities(LogFilter::default()).await.unwrap();
    let truth = origin.truth();
    assert!(truth.len() > 300, "{}", truth.len());
    let mut matched = BTreeSet::new();
    let mut works: HashMap<&str, &str> = HashMap::new();
    for item in &truth {
        let fitting: Vec<_> = rows
            .iter()
            .filter(|row| {
                let activity = &row.activity;
                let at = activity.url.as_deref().map(place) == Some(place(&item.address));
                at && activity.sightings.iter().any(|sighting| urls[&sighting.source] == item.source)
            })
            .collect();
        let [row] = fitting.as_slice() else { panic!("{} times: {item:?}", fitting.len()) };
        let credited: BTreeSet<&str> = row.activity.credits.iter().map(|credit| builders[&credit.builder].as_str()).collect();
        assert_eq!(credited, item.builders.iter().copied().collect(), "{item:?}");
        assert_eq!(row.activity.title, item.title, "{item:?}");
        assert_eq!(row.activity.published_at, item.published, "{item:?}");
        matched.insert(row.activity.id.clone());
        works.insert(item.address.as_str(), row.work.as_str());
    }
    let invented: Vec<_> = rows.iter().filter(|row| !matched.contains(&row.activity.id)).collect();
    assert!(invented.is_empty(), "nobody published {invented:?}");
    let copies: Vec<_> = truth.iter().filter_map(|item| Some((item.address.as_str(), item.canonical.as_deref()?))).collect();
    let told = copies.iter().filter(|(_, original)| works.contains_key(original)).count();
    assert!(told > 3, "{copies:?}");
    for (copy, original) in copies {
        assert!(works.get(original).is_none_or(|work| *work == works[copy]), "{copy} is no copy of {original}");
    }
    assert!(flow::rebuild(&ctx).await.unwrap().same);
    ctx.close().await.unwrap();
    origin.stop().await;
}
