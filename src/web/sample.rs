//! An invented program for tests of the pages, held in memory.

#![expect(clippy::cast_possible_wrap, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "invented numbers are small")]

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};

use super::state::{Answer, AppState, Pages, PagesError};
use crate::clock::ManualClock;
use crate::config::Config;
use crate::model::{
    ActivityId, ActivityKind, AmplifiedView, BuilderRecordView, BuilderRow, BuilderView, Digest, DigestSummary, FeaturedView, FeaturedWork,
    HealthView, HomeView, HostRow, MergeRule, MergedView, OperatorView, OutcomeCode, RecordQuery, Sight, SightingView, Slug, SourceId,
    SourceKind, SourceRow, SourceStatus, TaskRow, TimelineItem, Week,
};
use crate::render::sample as digests;
use crate::render::{FeedEntry, Format, feed, render};

/// Names in many scripts (DIGEST.md section 8).
const NAMES: [&str; 9] = [
    "田中 太郎",
    "محمد العتيبي",
    "Nguyễn Thị Minh Khai",
    "Şükrü Özgür",
    "O’Connor",
    "王小明",
    "🦉",
    "Mononym",
    "Oluwaseun Adebayo-Richardson of the Very Long Family Name That Fills Ninety Characters Wide",
];

pub(crate) fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

/// The pages' data: a text of its own in every field, or the names above.
pub(crate) struct Sample {
    pub(crate) text: Option<String>,
    pub(crate) builders: usize,
    pub(crate) problems: Vec<String>,
    pub(crate) broken: bool,
}

impl Sample {
    pub(crate) fn rich() -> Self {
        Self { text: None, builders: NAMES.len(), problems: Vec::new(), broken: false }
    }

    /// With so many builders and sources.
    pub(crate) fn large(builders: usize) -> Self {
        Self { builders, ..Self::rich() }
    }

    /// The same text in every field.
    pub(crate) fn full(text: &str) -> Self {
        Self { text: Some(text.to_owned()), problems: vec![text.to_owned()], ..Self::rich() }
    }

    fn say(&self, text: &str) -> String {
        self.text.clone().unwrap_or_else(|| text.to_owned())
    }

    fn digest(&self) -> Digest {
        self.text.as_deref().map_or_else(digests::rich, digests::full)
    }

    fn name(&self, at: usize) -> String {
        self.say(NAMES[at % NAMES.len()])
    }

    fn answer<T: Send + 'static>(&self, value: T) -> Answer<'_, T> {
        let broken = self.broken;
        Box::pin(async move { if broken { Err(PagesError("SECRET disk at /srv/x is full".into())) } else { Ok(value) } })
    }

    fn summaries(&self) -> Vec<DigestSummary> {
        let mut week: Week = "2026-W47".parse().unwrap();
        let leads = ["サーバーレスで作る全国気象データの配信基盤", "How we lost a queue, and found it", "كيف خفّضنا تكلفة قواعد البيانات"];
        let languages = ["ja", "en", "ar"];
        (0..60)
            .map(|at| {
                let summary = DigestSummary {
                    week,
                    published_at: Some(week.end()),
                    works: if at == 4 { 0 } else { 12 - at % 3 },
                    builders: if at == 4 { 0 } else { 12 },
                    lead: (at != 4).then(|| self.say(leads[at as usize % 3])),
                    lead_language: Some(self.say(languages[at as usize % 3])),
                    corrected: at == 2,
                };
                week = week.previous();
                summary
            })
            .collect()
    }

    fn source(&self, at: usize) -> SourceRow {
        let hours = |n: i64| now().saturating_sub(SignedDuration::from_hours(n)).unwrap();
        let status = match at % 9 {
            2 => SourceStatus::Failing,
            5 => SourceStatus::Blocked,
            7 => SourceStatus::New,
            _ => SourceStatus::Ok,
        };
        let ill = matches!(status, SourceStatus::Failing | SourceStatus::Blocked);
        SourceRow {
            id: SourceId(at as i64 + 1),
            kind: [SourceKind::Rss, SourceKind::YoutubeChannel, SourceKind::GithubUser, SourceKind::Devto][at % 4],
            title: (!at.is_multiple_of(3)).then(|| self.say("Notes from the harbor")),
            url: self.say(&format!("https://blog-{at}.example/feed.xml")),
            owners: vec![(format!("member-{}", at + 1), self.name(at))],
            status,
            paused: at % 9 == 8,
            left: false,
            error: ill.then(|| self.say("the address answers with a web page, not with a feed")),
            failing_since: ill.then(|| hours(30 + 24 * at as i64)),
            failures: if ill { 14 } else { 0 },
            last_poll_at: (status != SourceStatus::New).then(|| hours(1)),
            last_success_at: (status != SourceStatus::New).then(|| hours(if ill { 400 } else { 1 })),
            last_new_at: (status != SourceStatus::New).then(|| hours(90)),
            next_poll_at: Some(if at % 9 == 3 { hours(5) } else { hours(-2) }),
            quiet_until: None,
            entries: 12 + 31 * at as u64,
            repairs: if at % 4 == 1 { vec![self.say("bare ampersands were escaped")] } else { Vec::new() },
        }
    }

    fn record(&self, query: RecordQuery) -> BuilderRecordView {
        let today: Date = "2026-11-25".parse().unwrap();
        let mut calendar = BTreeMap::new();
        for back in 0..371i64 {
            // A plain pattern: busier in some weeks, silent in others, one release day.
            let count = match (back * 7 + back / 11) % 13 {
                0 | 5 => 1,
                8 if back % 3 == 0 => 2,
                11 if back % 5 == 0 => 4,
                _ if back == 40 => 23,
                _ => 0,
            };
            if count > 0 {
                calendar.insert(today.saturating_sub(Span::new().days(back)), count);
            }
        }
        let kinds: BTreeMap<_, _> =
            [(ActivityKind::Article, 86), (ActivityKind::Video, 21), (ActivityKind::Release, 104), (ActivityKind::Talk, 3)].into();
        let found = query.kind.map_or(214, |kind| kinds.get(&kind).copied().unwrap_or(0));
        let timeline = (query.skip..found.min(query.skip + query.take)).map(|at| self.item(at as i64, query.kind, today)).collect();
        BuilderRecordView {
            words: Vec::new(),
            slug: "member-1".into(),
            name: self.name(0),
            category: Some(self.say("Serverless")),
            country: Some(self.say("JP")),
            timezone: Some(self.say("Asia/Tokyo")),
            activities: 214,
            days: 131,
            featured: 2,
            kinds,
            today,
            calendar,
            sources: (0..4).map(|at| self.source(at)).collect(),
            found,
            timeline,
            amplified: vec![AmplifiedView {
                week: "2026-W47".parse().unwrap(),
                title: self.say("queue-tools 2.0"),
                language: Some(self.say("en")),
                channel: self.say("mastodon"),
                url: self.say("https://social.example/@lantern/1"),
                at: now().saturating_sub(SignedDuration::from_hours(20)).unwrap(),
            }],
        }
    }

    fn featured(&self, query: RecordQuery) -> FeaturedView {
        let week: Week = "2026-W47".parse().unwrap();
        let work = |at: i64| {
            let item = self.item(at, None, "2026-11-25".parse().unwrap());
            FeaturedWork { week, title: item.title, language: item.language, kind: item.kind, url: item.url.unwrap() }
        };
        let works = (0..3i64).skip(query.skip as usize).map(work).collect();
        FeaturedView { slug: "member-1".into(), name: self.name(0), country: Some(self.say("JP")), found: 3, works }
    }

    fn item(&self, at: i64, kind: Option<ActivityKind>, today: Date) -> TimelineItem {
        let titles = [
            ("ja", "サーバーレスで作る全国気象データの配信基盤：設計から運用まで"),
            ("en", "queue-tools 2.0"),
            ("ar", "كيف خفّضنا تكلفة قواعد البيانات إلى النصف دون توقف الخدمة"),
            ("en", "What retry policies cost, measured over four years in a system that nobody wanted to touch any more"),
        ];
        let kinds = [ActivityKind::Video, ActivityKind::Release, ActivityKind::Article, ActivityKind::Talk];
        let (language, title) = titles[at as usize % 4];
        let codes = [OutcomeCode::Chosen, OutcomeCode::NotNominee, OutcomeCode::NoPlace, OutcomeCode::CoolDown];
        let day = today.saturating_sub(Span::new().days(at * 3));
        let instant = now().saturating_sub(SignedDuration::from_hours(72 * at)).unwrap();
        TimelineItem {
            activity: ActivityId::of_key(&format!("sample {at}")),
            kind: kind.unwrap_or(kinds[at as usize % 4]),
            title: self.say(title),
            language: Some(self.say(language)),
            url: Some(self.say(&format!("https://blog-1.example/posts/{at}"))),
            at: instant,
            day,
            dated: at % 5 != 3,
            backfill: at > 20,
            sightings: vec![SightingView {
                source_kind: SourceKind::Rss,
                source: self.say("Notes from the harbor"),
                first_seen_at: instant,
                left_at: (at % 6 == 5).then_some(now()),
            }],
            merged: if at % 4 == 0 {
                vec![MergedView { title: self.say(title), url: Some(self.say("https://dev.to/x")), rule: MergeRule::CrossPost }]
            } else {
                Vec::new()
            },
            category: Some(self.say("Serverless")),
            evidence: vec![self.say("Lambda in title")],
            services: vec![self.say("AWS Lambda")],
            outcomes: if at % 2 == 0 { vec![("2026-W47".parse().unwrap(), codes[at as usize / 2 % 4])] } else { Vec::new() },
        }
    }
}

impl Pages for Sample {
    fn home(&self) -> Answer<'_, HomeView> {
        self.answer(HomeView {
            latest: Some(self.digest()),
            digests: self.summaries(),
            builders: self.builders as u64,
            sources: 31,
            activities: 4_812,
        })
    }

    fn digests(&self) -> Answer<'_, Vec<DigestSummary>> {
        self.answer(self.summaries())
    }

    fn sealed(&self, week: Week, format: Format) -> Answer<'_, Option<Vec<u8>>> {
        let known = week == "2026-W47".parse().unwrap();
        self.answer(known.then(|| render(&self.digest(), &digests::context(), format).unwrap()))
    }

    fn latest(&self) -> Answer<'_, Option<Week>> {
        self.answer(Some("2026-W47".parse().unwrap()))
    }

    fn feed(&self) -> Answer<'_, String> {
        let entry = FeedEntry { digest: self.digest(), published_at: None, corrections: Vec::new() };
        self.answer(feed(&[entry], &digests::context()).unwrap())
    }

    fn builders(&self, sight: Sight) -> Answer<'_, Vec<BuilderRow>> {
        let whole = sight != Sight::Public;
        self.answer(
            (0..self.builders)
                .map(|at| BuilderRow {
                    slug: format!("member-{}", at + 1),
                    name: self.name(at),
                    category: whole.then(|| self.say(["Serverless", "Databases", "Community & Culture"][at % 3])),
                    country: (at % 2 == 0).then(|| self.say("NG")),
                    activities: whole.then_some(1_214 / (at as u64 + 1)),
                    featured: (at % 3) as u64,
                    not_public: false,
                    latest_at: (whole && at % 7 != 6).then(|| now().saturating_sub(SignedDuration::from_hours(5 * at as i64)).unwrap()),
                })
                .collect(),
        )
    }

    fn builder<'a>(&'a self, slug: &'a Slug, query: RecordQuery) -> Answer<'a, Option<BuilderView>> {
        self.answer((slug.as_str() == "member-1").then(|| match query.sight {
            Sight::Public => BuilderView::Featured(self.featured(query)),
            Sight::Machine | Sight::Inside => BuilderView::Record(Box::new(self.record(query))),
        }))
    }

    fn operator(&self) -> Answer<'_, OperatorView> {
        self.answer(OperatorView {
            sources: (0..self.builders * 2).map(|at| self.source(at)).collect(),
            hosts: vec![HostRow { host: self.say("medium.example"), until: "2026-11-25T13:10:00Z".parse().unwrap() }],
            tasks: vec![
                TaskRow {
                    name: self.say("cut-off"),
                    last_at: Some("2026-11-23T06:00:00Z".parse().unwrap()),
                    elapsed_ms: Some(412),
                    outcome: Some(self.say("drafted 2026-W47")),
                    failed: false,
                    next_at: Some("2026-11-30T06:00:00Z".parse().unwrap()),
                },
                TaskRow { name: self.say("upkeep"), last_at: None, elapsed_ms: None, outcome: None, failed: false, next_at: None },
            ],
            entries: 6_120,
            activities: 4_812,
            works: 4_377,
            log_seq: 48_120,
            settled_seq: 48_118,
            database_bytes: 50_541_363,
            queue: 0,
        })
    }

    fn health(&self) -> Answer<'_, HealthView> {
        self.answer(HealthView { problems: self.problems.clone() })
    }

    fn metrics(&self) -> Answer<'_, String> {
        self.answer("# TYPE clarion_polls_total counter\nclarion_polls_total 7\n".to_owned())
    }
}

/// The state over a sample, at a fixed time.
pub(crate) fn state(sample: Sample) -> AppState {
    let mut config = Config::default();
    let say = |text: &str| sample.text.clone().unwrap_or_else(|| text.to_owned());
    config.program.name = say("Lantern Builders");
    config.program.tagline = say("What our members made this week.");
    config.program.contact = say("digest@lantern.example");
    AppState::new(Arc::new(sample), Arc::new(ManualClock::at(now())), &config)
}
