//! How long the choice among 5,000 candidates takes, and how long it takes to tell which of 5,000 activities of one builder
//! are one work.
//!
//! `cargo bench --bench digest`. The candidates are made up: 400 builders in all categories and regions, a past of ten
//! digests. So are the activities: on three hosts, every tenth a copy of the one before. Prints the median and the worst;
//! nothing here fails on a slow machine.

#![expect(clippy::print_stdout, reason = "figures are what a bench is for")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clarion::config::DigestConfig;
use clarion::digest::{self, Edits, Inputs};
use clarion::model::{
    Activity, ActivityId, ActivityKind, BuilderId, Candidate, Credited, EarlierWork, PastDigest, PastPick, Seq, Substance, Topic, Week,
};
use clarion::work;
use jiff::SignedDuration;

const CANDIDATES: usize = 5_000;
const BUILDERS: usize = 400;
const RUNS: usize = 21;

const ACTIVITIES: usize = 5_000;

/// An activity of one builder. Every tenth has the words of the one before, elsewhere.
fn activity(n: usize) -> Activity {
    let told = if n % 10 == 9 { n - 1 } else { n };
    let words = ["queue", "table", "stream", "cache", "deploy", "alarm", "bucket", "token", "cluster", "shard", "trace", "retry", "backup"];
    let text =
        |count: usize| (0..count).map(|place| words[(told / 7 + told * place * 5 + place) % words.len()]).collect::<Vec<_>>().join(" ");
    let at = jiff::Timestamp::UNIX_EPOCH + SignedDuration::from_hours(i64::try_from(told).expect("small") * 9);
    let host = ["notes.example.org", "dev.to/ada", "ada.example.net"][n % 3];
    let url = format!("https://{host}/{n}");
    serde_json::from_value(serde_json::json!({
        "id": ActivityId::of_key(&url), "kind": "article", "url": url, "canonical_url": null, "title": format!("{} {told}", text(7)),
        "summary": text(30), "language": "en", "tags": [], "published_at": at, "published_trust": "stated", "effective_at": at,
        "first_seen_at": at, "revised_at": null, "backfill": false, "paywalled": false, "left": false, "substance": Substance::default(),
        "links": [], "excerpt": text(90), "credits": [{ "builder": 1, "role": "author", "basis": "owner" }], "sightings": [],
    }))
    .expect("an activity")
}

fn resolve() {
    let activities: Vec<Activity> = (0..ACTIVITIES).map(activity).collect();
    let mut times: Vec<Duration> = Vec::new();
    let mut works = 0;
    for _ in 0..RUNS {
        let started = Instant::now();
        works = work::cluster(&activities, &[]).len();
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let at = |place: usize| times[place].as_secs_f64() * 1e3;
    println!("{ACTIVITIES} activities of one builder are {works} works: {:.1} ms, at worst {:.1} ms", at(RUNS / 2), at(RUNS - 1));
}

#[expect(clippy::too_many_lines, reason = "one measurement told from top to bottom")]
fn main() {
    resolve();
    let week: Week = "2026-W47".parse().expect("a week");
    let cutoff_at = week.end() + SignedDuration::from_hours(6);
    let (categories, regions) = (digest::builtin_categories(), digest::builtin_regions());
    let number = |n: usize| i64::try_from(n).expect("small");
    let substance = |n: usize| Substance {
        words: Some(u32::try_from(n * 37 % 2_400).expect("small")),
        shows_work: Some(n.is_multiple_of(3)),
        cites_source: Some(n.is_multiple_of(4)),
        canonical: Some(!n.is_multiple_of(9)),
        summary_chars: 120,
        ..Substance::default()
    };
    let builders: BTreeMap<BuilderId, Credited> = (0..BUILDERS)
        .map(|n| {
            let builder = Credited {
                id: BuilderId(number(n)),
                slug: format!("builder-{n}"),
                name: format!("Builder {n}"),
                region: regions[n % regions.len()].key.clone(),
                category: categories[n * 7 % categories.len()].key.clone(),
                country: None,
                handles: BTreeMap::new(),
                active: true,
                not_featured: n.is_multiple_of(50),
                not_public: false,
            };
            (builder.id, builder)
        })
        .collect();
    let candidates: Vec<Candidate> = (0..CANDIDATES)
        .map(|n| {
            let at = cutoff_at - SignedDuration::from_mins(number(n * 13 % 14_000));
            let work = ActivityId::of_key(&format!("work {n}"));
            let category = categories[n * 11 % categories.len()].key.clone();
            let counts = [Some(n as u64 % 90), Some(n as u64 % 400), None, None];
            let earlier = |m: usize| EarlierWork {
                work: ActivityId::of_key(&format!("earlier {n} {m}")),
                substance: substance(n + m),
                topic_confidence: 700,
                kind: ActivityKind::Article,
                counts: [Some(m as u64), Some(m as u64 * 9 % 100), None, None],
            };
            Candidate {
                members: vec![work.clone()],
                work,
                kind: [ActivityKind::Article, ActivityKind::Video, ActivityKind::Release, ActivityKind::Talk][n % 4],
                title: format!("What {n} deployments taught us about queues"),
                summary: Some("A summary that says in two lines what the piece is about, and for whom it was made.".into()),
                language: Some("en".into()),
                url: Some(format!("https://blog-{}.example/{n}", n % BUILDERS)),
                also: Vec::new(),
                published_at: Some(at),
                effective_at: at,
                first_seen_at: at,
                backfill: n.is_multiple_of(17),
                paywalled: n.is_multiple_of(29),
                unproven: false,
                link_gone: false,
                held_until: None,
                left: false,
                withdrawn: false,
                builders: vec![BuilderId(number(n % BUILDERS))],
                substance: substance(n),
                topic: Topic { services: vec!["Lambda".into()], category, confidence: 700, evidence: Vec::new() },
                counts,
                earlier: (1..13).map(earlier).collect(),
            }
        })
        .collect();
    let history: Vec<PastDigest> = (0..10)
        .scan(week, |week, past| {
            *week = week.previous();
            let picks = (0..10)
                .map(|n| PastPick {
                    members: vec![ActivityId::of_key(&format!("past {past} {n}"))],
                    builders: vec![BuilderId(number((past * 10 + n) % BUILDERS))],
                    category: categories[n % categories.len()].key.clone(),
                    region: regions[n % regions.len()].key.clone(),
                    lead: n == 0,
                })
                .collect();
            Some(PastDigest {
                week: *week,
                published: true,
                cutoff_seq: Seq(0),
                picks,
                shelved: Vec::new(),
                cooled: Vec::new(),
                held: Vec::new(),
            })
        })
        .collect();
    let config = DigestConfig::default();
    let mut times: Vec<Duration> = Vec::new();
    let mut picked = 0;
    for _ in 0..RUNS {
        let started = Instant::now();
        let digest = digest::compose(&Inputs {
            week,
            program: "Program",
            cutoff_at,
            cutoff_seq: Seq(1),
            late_finds: digest::LateFinds { after: cutoff_at - jiff::SignedDuration::from_hours(7 * 24), until: cutoff_at },
            late: false,
            config: &config,
            config_hash: String::new(),
            rules_version: 1,
            categories: &categories,
            regions: &regions,
            builders: &builders,
            candidates: &candidates,
            history: &history,
            supply: &BTreeMap::new(),
            edits: &Edits::default(),
        });
        times.push(started.elapsed());
        picked = digest.picks().count();
    }
    times.sort_unstable();
    let at = |place: usize| times[place].as_secs_f64() * 1e3;
    println!("{CANDIDATES} candidates, {picked} picked: {:.1} ms, at worst {:.1} ms", at(RUNS / 2), at(RUNS - 1));
}
