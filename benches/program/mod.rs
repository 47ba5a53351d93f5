//! A program of the shape that the figures are promised for, written into a log as polls write it.
//!
//! In: how many activities. Out: their builders, with heavy-tailed posting, and all that they published at the pace of a
//! million in eight years: some 2,400 works a week. Three of eight builders have a channel that counts its views. Of the
//! last weeks everything was found within days, but for one piece in fifty, which was found long after.
//! The same in every run, but for the day on which it ends.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "draws of chance and counts that are small"
)]

use std::collections::HashMap;

use clarion::digest;
use clarion::flow::Context;
use clarion::model::{
    Arrival, Builder, Content, Counts, Entry, EntryKey, GridAge, Poll, PollOutcome, Slug, SourceId, SourceKind, SourceState, sha256_hex,
};
use clarion::store::{NewEntry, PollRecord, RosterChange};
use jiff::{SignedDuration, Timestamp};

/// Activities for each builder, on average.
const EACH: usize = 200;
/// Between two pieces of the whole program: a million in eight years.
const PACE_S: i64 = 8 * 365 * 86_400 / 1_000_000;
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;
/// Sources are asked every three days in the last so many, and every eight weeks before.
const RECENT_S: i64 = 56 * DAY_S;
const FOUND_LATE_S: i64 = 24 * DAY_S;

const WORDS: &str = "queue function table stream index cache deploy rollback alarm bucket policy token model prompt cluster node \
    replica shard budget trace metric log event rule retry timeout latency region zone backup restore migration schema query plan \
    cost team review test";
const SERVICES: &[&str] = &["AWS Lambda", "Amazon S3", "Amazon SQS", "DynamoDB", "Amazon EKS", "Amazon Bedrock", "AWS IAM", "Amazon RDS"];

/// A number that follows from a seed alone.
fn mixed(seed: usize) -> u64 {
    let mut state = (seed as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// Words that differ from piece to piece and are the same in every run.
fn prose(seed: usize, count: usize) -> String {
    let words: Vec<&str> = WORDS.split(' ').collect();
    let mut state = mixed(seed);
    let word = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        words[(state >> 33) as usize % words.len()]
    };
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

/// How many builders so many activities have.
pub(crate) fn builders_of(activities: usize) -> usize {
    (activities / EACH).max(20)
}

struct Places {
    blog: SourceId,
    channel: Option<SourceId>,
}

fn changes_of(n: usize) -> Vec<RosterChange> {
    let (categories, regions) = (digest::builtin_categories(), digest::builtin_regions());
    let region = &regions[mixed(n * 3) as usize % regions.len()];
    let slug = Slug::parse(&format!("b{n}")).expect("a slug");
    let builder: Builder = serde_json::from_value(serde_json::json!({
        "id": 0, "slug": slug, "name": format!("Builder {n}"), "handles": {}, "switches": {},
        "categories": [categories[mixed(n * 5) as usize % categories.len()].key], "country": region.countries[n % region.countries.len()],
    }))
    .expect("a builder");
    let url = format!("https://blog-{n}.example/feed");
    let source =
        |kind, locator: String, url| RosterChange::Source { builder: slug.clone(), kind, locator, url, author: None, filters: None };
    let mut changes = vec![RosterChange::Builder(Box::new(builder)), source(SourceKind::Rss, url.clone(), url)];
    if n % 8 < 3 {
        let channel = format!("UC{}", &sha256_hex(format!("channel {n}").as_bytes())[..22]);
        let url = format!("https://www.youtube.com/feeds/videos.xml?channel_id={channel}");
        changes.push(source(SourceKind::YoutubeChannel, channel, url));
    }
    changes
}

fn article(n: usize, builder: usize, at: Timestamp) -> (EntryKey, Entry) {
    let link = format!("https://blog-{builder}.example/{n}-{}", prose(n, 3).replace(' ', "-"));
    let entry = Entry {
        id: Some(format!("https://blog-{builder}.example/{n}")),
        title: Some(format!("How {} taught us to {}", SERVICES[mixed(n * 7) as usize % SERVICES.len()], prose(n * 11, 6))),
        link: Some(link),
        summary: Some(prose(n * 31, 30)),
        content: Some(Content { text: prose(n * 57, 250), words: 250, ..Content::default() }),
        published: Some(at),
        categories: vec!["aws".into(), "serverless".into()],
        language: Some("en".into()),
        ..Entry::default()
    };
    (EntryKey(entry.id.clone().unwrap_or_default()), entry)
}

fn video(n: usize, at: Timestamp) -> (EntryKey, Entry) {
    let id = sha256_hex(format!("video {n}").as_bytes())[..11].to_owned();
    let entry = Entry {
        id: Some(format!("yt:video:{id}")),
        platform_key: Some(format!("yt:{id}")),
        title: Some(format!("{} in {} minutes: {}", SERVICES[mixed(n * 7) as usize % SERVICES.len()], 5 + n % 40, prose(n * 11, 5))),
        link: Some(format!("https://www.youtube.com/watch?v={id}")),
        summary: Some(prose(n * 31, 60)),
        published: Some(at),
        duration_s: Some(300 + u32::try_from(n % 3_000).unwrap_or(0)),
        ..Entry::default()
    };
    (EntryKey(format!("yt:{id}")), entry)
}

/// Counts at the ages that a piece had reached by then.
fn samples(key: &EntryKey, n: usize, age_s: i64) -> Vec<(EntryKey, GridAge, Counts)> {
    let views = 40 + mixed(n * 13) % 5_000;
    let reached = GridAge::ALL.into_iter().filter(|age| age.hours() * HOUR_S <= age_s);
    (1..).zip(reached).map(|(times, age)| (key.clone(), age, Counts { views: Some(views * times), ..Counts::default() })).collect()
}

/// Takes the roster and records all polls, oldest first.
pub(crate) async fn fill(ctx: &Context, activities: usize) {
    let now = ctx.clock.now();
    let builders = builders_of(activities);
    ctx.store.change_roster((0..builders).flat_map(changes_of).collect(), now).await.expect("the roster is taken");
    let mut sources =
        ctx.store.sources().await.expect("the sources are read").into_iter().map(|source| (source.id, source.kind)).peekable();
    let mut places = Vec::new();
    while let Some((blog, _)) = sources.next() {
        let channel = sources.next_if(|(_, kind)| *kind == SourceKind::YoutubeChannel).map(|(id, _)| id);
        places.push(Places { blog, channel });
    }
    // How often each posts, heavy-tailed: a share of all that was posted up to each of them.
    let mut weights: Vec<f64> = (0..builders).map(|n| 1.0 / (20.0 + n as f64).powf(0.8)).collect();
    for n in 1..builders {
        weights[n] += weights[n - 1];
    }
    let whole = weights[builders - 1];

    let age_of = |n: usize| (activities - n) as i64 * PACE_S + 600;
    let found_of = |n: usize| {
        let age = age_of(n);
        let seen = if n % 50 == 7 && age > FOUND_LATE_S && age < RECENT_S { age - FOUND_LATE_S } else { age };
        let step = if seen > RECENT_S { 56 * DAY_S } else { 3 * DAY_S };
        // The end of the step, counted in seconds before now.
        (seen - 1) / step * step
    };
    let mut polls: Vec<(i64, usize)> = (0..activities).map(|n| (found_of(n), n)).collect();
    polls.sort_by_key(|(found, n)| (std::cmp::Reverse(*found), *n));
    for step in polls.chunk_by(|one, other| one.0 == other.0) {
        let found_s = step[0].0;
        let at = now - SignedDuration::from_secs(found_s);
        let mut by_source: HashMap<SourceId, Vec<(usize, EntryKey, Entry)>> = HashMap::new();
        for (_, n) in step {
            let drawn = (mixed(n * 17) >> 11) as f64 / (1_u64 << 53) as f64 * whole;
            let builder = weights.partition_point(|weight| *weight < drawn).min(builders - 1);
            let published = now - SignedDuration::from_secs(age_of(*n));
            let place = &places[builder];
            let (source, (key, entry)) = match place.channel {
                Some(channel) if n % 2 == 0 => (channel, video(*n, published)),
                _ => (place.blog, article(*n, builder, published)),
            };
            by_source.entry(source).or_default().push((*n, key, entry));
        }
        let mut by_source: Vec<_> = by_source.into_iter().collect();
        by_source.sort_by_key(|(source, _)| *source);
        for several in by_source.chunks(64) {
            // At once, so that the writer takes them together.
            let mut recording = tokio::task::JoinSet::new();
            for (source, entries) in several {
                let (store, record) = (ctx.store.clone(), record(*source, entries, at, now, found_s, age_of));
                recording.spawn(async move { store.record_poll(record).await });
            }
            for recorded in recording.join_all().await {
                recorded.expect("the poll is recorded");
            }
        }
    }
}

fn record(
    source: SourceId,
    entries: &[(usize, EntryKey, Entry)],
    at: Timestamp,
    now: Timestamp,
    found_s: i64,
    age_of: impl Fn(usize) -> i64,
) -> PollRecord {
    let count = u32::try_from(entries.len()).expect("small");
    let mut new_samples = Vec::new();
    let new = entries.iter().map(|(n, key, entry)| {
        if entry.duration_s.is_some() && found_s < 3 * 365 * DAY_S {
            new_samples.extend(samples(key, *n, age_of(*n)));
        }
        NewEntry {
            fingerprint: sha256_hex(key.0.as_bytes()),
            address: clarion::normalize::address_of(entry),
            key: key.clone(),
            arrival: Arrival { unseen: count, crowd: 1, ..Arrival::default() },
            entry: entry.clone(),
        }
    });
    let new = new.collect();
    PollRecord {
        poll: Poll {
            source,
            at,
            outcome: PollOutcome::Read { entries: count, new: count, changed: 0, left: 0 },
            status: Some(200),
            elapsed_ms: 5,
            bytes: 40_000,
        },
        // Long enough for the daemon to leave the sources alone while its pages are measured.
        state: SourceState {
            next_poll_at: Some(now + SignedDuration::from_hours(24 * 90)),
            last_success_at: Some(at),
            last_full_at: Some(at),
            ..SourceState::default()
        },
        new,
        changed: Vec::new(),
        left: Vec::new(),
        samples: Vec::new(),
        new_samples,
        evidence: Vec::new(),
    }
}
