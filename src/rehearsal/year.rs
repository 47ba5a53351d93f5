//! The year of an invented program, run through the real digest.
//!
//! In: a size, a number of weeks, a seed, the digest's configuration. Out: how fair and how good the digests came out,
//! beside *most engaged first* and *newest first* on the same works. The shape of the roster (regions, categories) is that
//! of a public one; activity, audiences and quality are invented. The same seed gives the same figures everywhere: no
//! clock, and a generator of our own.
//!
//! The program: most members post seldom and a few daily, audiences differ a thousandfold, some join during the year, some
//! bury their audience in filler, some works are found late. Each work is by one builder and at one address.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

pub use super::figures::Figures;
use super::figures::{Place, Supply, figures, quality_is_known};
use super::number::Numbers;
use crate::config::{Category, DigestConfig, Region, Weights};
use crate::digest::{Edits, Inputs, LateFinds, compose, past_digest};
use crate::model::{
    ActivityId, ActivityKind, BuilderId, Candidate, Credited, Digest, EarlierWork, GridAge, OutcomeCode, PastDigest, Seq, Substance, Topic,
    Week, WeekSupply,
};

/// How many of the last weeks are measured.
pub const MEASURED_WEEKS: u32 = 12;

/// Shares of the regions and categories among the builders, in thousandths.
const REGIONS: [(&str, u64); 5] = [("first", 397), ("second", 370), ("third", 134), ("fourth", 77), ("fifth", 23)];
const CATEGORIES: [(&str, u64); 9] = [
    ("app_dev", 213),
    ("ai_ml", 129),
    ("devops", 125),
    ("security", 124),
    ("containers", 118),
    ("databases", 82),
    ("analytics", 71),
    ("networking", 70),
    ("iot_edge", 69),
];

/// From how many builders on a program is large: 12 places, and the promises that need many people.
const LARGE: u32 = 1_000;

/// The largest program and the longest time that are played.
pub const MOST_BUILDERS: u32 = 20_000;
pub const MOST_WEEKS: u32 = 520;
/// The smallest program, and the shortest time, that promises are made for: a full window of digests behind those measured.
pub const LEAST_BUILDERS: u32 = 200;
pub const LEAST_WEEKS: u32 = 2 * MEASURED_WEEKS;

/// Below this many builders the silent ones are spread out one by one.
const FEW: i64 = 50;

/// Weeks of works before the first digest, so that builders have earlier works to be compared with.
const WARM_UP_WEEKS: i64 = 10;

/// What to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// 1 to 20,000; what is outside is moved to the nearest.
    pub builders: u32,
    /// 1 to 520.
    pub weeks: u32,
    pub seed: u64,
    /// Categories and regions in it are not used: the invented program has its own.
    pub config: DigestConfig,
}

impl Options {
    /// The defaults at a size: 12 places, or 8 where there are fewer than 1,000 builders.
    pub fn new(builders: u32, weeks: u32, seed: u64) -> Self {
        let places = if builders < LARGE { 8 } else { 12 };
        Self { builders, weeks, seed, config: DigestConfig { places, ..DigestConfig::default() } }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new(2635, 52, 1)
    }
}

/// What came of it, three ways.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub builders: u32,
    pub weeks: u32,
    pub seed: u64,
    pub places: u32,
    /// Works that came out in those weeks.
    pub works: u32,
    /// Whether choosing by quality alone finds enough of it to compare with.
    pub quality_is_known: bool,
    pub formula: Figures,
    pub most_engaged: Figures,
    pub newest: Figures,
}

/// One promise of DIGEST.md section 5, and whether it was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// Its number there.
    pub number: u8,
    pub holds: bool,
    /// What was promised and what came out.
    pub text: String,
}

impl Report {
    /// The promises 12 to 18, as far as they are made for a program of this size: all but 12 and 14 are for large
    /// ones. None for programs smaller, or times shorter, than any promise is made for, nor where nothing was chosen.
    pub fn bounds(&self) -> Vec<Bound> {
        if self.is_empty() || self.builders < LEAST_BUILDERS || self.weeks < LEAST_WEEKS {
            return Vec::new();
        }
        let formula = &self.formula;
        let large = self.builders >= LARGE;
        let bound = |number, holds, text| Bound { number, holds, text };
        let (region, category) = if large { (5.0, 3.0) } else { (8.0, 8.0) };
        let most = if large { 2 } else { 3 };
        let mut quarters = formula.features_by_audience_quarter;
        quarters.sort_by(f64::total_cmp);
        let mut bounds = vec![
            bound(
                12,
                formula.region_gap_worst <= region && formula.category_gap_worst <= category,
                format!(
                    "largest gap of a region {} of at most {region} points, of a category {} of at most {category}",
                    formula.region_gap_worst, formula.category_gap_worst
                ),
            ),
            bound(
                14,
                formula.max_places_one_builder <= most && (!large || formula.distinct_builders_per_100 >= 93.0),
                format!(
                    "{} different builders in 100 places, at most {} places for one, of {most}",
                    formula.distinct_builders_per_100, formula.max_places_one_builder
                ),
            ),
        ];
        if large {
            bounds.push(bound(
                13,
                formula.groups_left_out == 0 && formula.least_share_of_target >= 0.5 && formula.median_share_of_target >= 0.8,
                format!(
                    "{} groups left out; shares of target at least {} of 0.5, in the middle {} of 0.8",
                    formula.groups_left_out, formula.least_share_of_target, formula.median_share_of_target
                ),
            ));
            bounds.push(bound(
                15,
                formula.gini_above_least <= 0.02,
                format!("Gini {} above the least possible, of at most 0.02", formula.gini_above_least),
            ));
            // Smaller programs have no first-timers left after some months.
            bounds.push(bound(
                16,
                formula.first_time_share >= 0.25,
                format!("{} of the places to first-timers, of at least 0.25", formula.first_time_share),
            ));
            bounds.push(bound(
                17,
                quarters[3] <= 1.5 * quarters[0],
                format!("features by audience from {} to {}, at most 1.5 times as much", quarters[0], quarters[3]),
            ));
        }
        // In a small one nearly all that is there is chosen, whatever the measure.
        bounds.push(bound(
            18,
            !large || formula.hidden_quality_share >= 0.8 && formula.hidden_quality > self.most_engaged.hidden_quality,
            format!(
                "quality {} of that of quality alone, of at least 0.8; {} against {} by engagement",
                formula.hidden_quality_share, formula.hidden_quality, self.most_engaged.hidden_quality
            ),
        ));
        bounds.sort_by_key(|bound| bound.number);
        bounds
    }
}

impl Report {
    /// Whether no work had a place in the weeks measured.
    pub fn is_empty(&self) -> bool {
        self.formula.max_places_one_builder == 0
    }
}

/// Runs the year.
pub fn simulate(options: &Options) -> Report {
    let (builders, weeks) = (options.builders.clamp(1, MOST_BUILDERS), options.weeks.clamp(1, MOST_WEEKS));
    let options = Options { builders, weeks, ..options.clone() };
    let program = Program::invent(&options);
    let formula = program.run_digest(&options.config);
    let quality_alone = Weights { fresh: 0, turn: 0, category: 0, region: 0, new_service: 0, ..options.config.weights };
    let by_quality = program.run_digest(&DigestConfig { weights: quality_alone, ..options.config.clone() });
    let places = options.config.places;
    let most_engaged = program.run_simple(&options.config, |made, at| -i64::try_from(made.latest_count(at)).unwrap_or(i64::MAX));
    let newest = program.run_simple(&options.config, |made, _| -made.candidate.effective_at.as_second());
    let judge = |weeks: &[Vec<Place>]| figures(weeks, &formula.supply, &by_quality.weeks, |builder| program.audience(builder));
    Report {
        builders: options.builders,
        weeks: options.weeks,
        seed: options.seed,
        places,
        works: u32::try_from(program.works.iter().filter(|made| made.week >= 0).count()).unwrap_or(u32::MAX),
        quality_is_known: quality_is_known(&by_quality.weeks),
        formula: judge(&formula.weeks),
        most_engaged: judge(&most_engaged),
        newest: judge(&newest),
    }
}

/// A builder of the invented program.
struct Maker {
    credited: Credited,
    category: usize,
    /// Whom a work reaches, on the whole.
    audience: u64,
    /// Works a week, in thousandths.
    rate: u64,
    /// The builder's own share of a work's hidden quality, in thousandths of a standard deviation.
    talent: i64,
    kind: ActivityKind,
    /// Whether the platform tells responses.
    counted: bool,
    /// Posts much that is nothing.
    fills: bool,
    joins: i64,
}

/// A work of the invented program.
struct Made {
    candidate: Candidate,
    /// The week in which it came out, from the first digest's.
    week: i64,
    /// Thousandths of a standard deviation.
    hidden: i64,
}

impl Made {
    /// The counts that were known at a moment.
    fn counts(&self, at: Timestamp) -> [Option<u64>; 4] {
        let age_s = at.as_second() - self.candidate.effective_at.as_second();
        GridAge::ALL.map(|grid| self.candidate.counts[grid.index()].filter(|_| age_s >= grid.hours() * 3600))
    }

    fn latest_count(&self, at: Timestamp) -> u64 {
        self.counts(at).into_iter().flatten().last().unwrap_or(0)
    }

    fn place(&self) -> Place {
        let Candidate { work, builders, topic, .. } = &self.candidate;
        Place {
            work: work.clone(),
            builders: builders.clone(),
            category: topic.category.clone(),
            region: String::new(),
            hidden: self.hidden,
        }
    }
}

struct Program {
    first_week: Week,
    weeks: u32,
    makers: Vec<Maker>,
    credited: BTreeMap<BuilderId, Credited>,
    /// In the order in which they came out.
    works: Vec<Made>,
    /// Per builder, the places of their works in `works`.
    works_of: BTreeMap<BuilderId, Vec<usize>>,
    categories: Vec<Category>,
    regions: Vec<Region>,
}

/// What came of a run of the real digest.
struct Run {
    weeks: Vec<Vec<Place>>,
    supply: Vec<Supply>,
}

impl Program {
    fn invent(options: &Options) -> Self {
        let mut random = Random::new(options.seed);
        let weeks = i64::from(options.weeks);
        let makers: Vec<Maker> =
            (1..=i64::from(options.builders)).map(|n| maker(n, i64::from(options.builders), weeks, &mut random)).collect();
        let first_week: Week = "2026-W01".parse().expect("the year 2026 has a first week");
        let mut works = Vec::new();
        let mut start = (0..WARM_UP_WEEKS).fold(first_week, |week, _| week.previous());
        for week in -WARM_UP_WEEKS..weeks {
            for maker in makers.iter().filter(|maker| maker.joins <= week) {
                for _ in 0..maker.rate / 1000 + u64::from(random.chance(maker.rate % 1000)) {
                    works.push(made(works.len(), maker, week, start, &mut random));
                }
            }
            start = start.next();
        }
        works.sort_by(|a, b| (a.candidate.effective_at, &a.candidate.work).cmp(&(b.candidate.effective_at, &b.candidate.work)));
        let mut works_of: BTreeMap<BuilderId, Vec<usize>> = BTreeMap::new();
        for (index, made) in works.iter().enumerate() {
            works_of.entry(made.candidate.builders[0]).or_default().push(index);
        }
        Self {
            first_week,
            weeks: options.weeks,
            credited: makers.iter().map(|maker| (maker.credited.id, maker.credited.clone())).collect(),
            makers,
            works,
            works_of,
            categories: CATEGORIES.iter().map(|(key, _)| category(key)).collect(),
            regions: REGIONS
                .iter()
                .map(|(key, _)| Region { key: (*key).to_owned(), name: (*key).to_owned(), countries: Vec::new(), from: None, until: None })
                .collect(),
        }
    }

    fn audience(&self, builder: BuilderId) -> u64 {
        usize::try_from(builder.0 - 1).ok().and_then(|index| self.makers.get(index)).map_or(0, |maker| maker.audience)
    }

    /// The weeks with their cut-offs: Monday 06:00 UTC after the week.
    fn cutoffs(&self) -> impl Iterator<Item = (Week, Timestamp)> {
        let mut week = self.first_week;
        (0..self.weeks).map(move |_| {
            let this = week;
            week = week.next();
            (this, later(this.end(), 6 * 3600))
        })
    }

    /// The year through the real digest.
    fn run_digest(&self, config: &DigestConfig) -> Run {
        let edits = Edits::default();
        let mut history: Vec<PastDigest> = Vec::new();
        let mut sealed: BTreeMap<Week, WeekSupply> = BTreeMap::new();
        let mut run = Run { weeks: Vec::new(), supply: Vec::new() };
        for (week, cutoff_at) in self.cutoffs() {
            let paused: BTreeSet<BuilderId> =
                history.iter().rev().take(12).flat_map(|past| &past.picks).flat_map(|pick| pick.builders.iter().copied()).collect();
            let (indices, candidates): (Vec<usize>, Vec<Candidate>) = self.candidates(config, cutoff_at, &paused).unzip();
            let digest = compose(&Inputs {
                week,
                program: "Rehearsal",
                cutoff_at,
                cutoff_seq: Seq(0),
                late_finds: LateFinds { after: cutoff_at - SignedDuration::from_hours(7 * 24), until: cutoff_at },
                late: false,
                config,
                config_hash: String::new(),
                rules_version: 1,
                categories: &self.categories,
                regions: &self.regions,
                builders: &self.credited,
                candidates: &candidates,
                history: &history,
                supply: &sealed,
                edits: &edits,
            });
            run.weeks.push(self.places(&digest, &indices));
            run.supply.push(supply_of(&digest));
            sealed.insert(week, digest.supply.clone());
            history.push(past_digest(&digest, true));
        }
        run
    }

    /// The picks of a digest in the order shown, the lead first.
    fn places(&self, digest: &Digest, indices: &[usize]) -> Vec<Place> {
        let by_id: BTreeMap<&ActivityId, usize> = indices.iter().map(|index| (&self.works[*index].candidate.work, *index)).collect();
        let mut picks: Vec<_> = digest.picks().collect();
        picks.sort_by_key(|pick| !pick.lead);
        let place = |pick: &crate::model::Pick| {
            let made = by_id.get(&pick.work).map(|index| self.works[*index].place());
            made.map(|place| Place { region: pick.region.clone(), ..place })
        };
        picks.into_iter().filter_map(place).collect()
    }

    /// What a digest looks at: all that came out within the window, or within its longest pause for those who pause, and
    /// what was found only now.
    fn candidates<'a>(
        &'a self,
        config: &DigestConfig,
        cutoff_at: Timestamp,
        paused: &'a BTreeSet<BuilderId>,
    ) -> impl Iterator<Item = (usize, Candidate)> + 'a {
        let window_s = i64::from(config.window_days) * DAY_S;
        let oldest = earlier(cutoff_at, window_s + 42 * DAY_S);
        let first = self.works.partition_point(|made| made.candidate.effective_at < oldest);
        self.works[first..].iter().enumerate().filter_map(move |(offset, made)| {
            let Candidate { effective_at, first_seen_at, ref builders, .. } = made.candidate;
            let in_window = effective_at > earlier(cutoff_at, window_s);
            let kept =
                in_window || first_seen_at > earlier(cutoff_at, 7 * DAY_S) || builders.iter().any(|builder| paused.contains(builder));
            if first_seen_at > cutoff_at || !kept {
                return None;
            }
            let index = first + offset;
            Some((index, Candidate { counts: made.counts(cutoff_at), earlier: self.earlier(index, cutoff_at), ..made.candidate.clone() }))
        })
    }

    /// The earlier works of the same builder, latest first; none where no responses are told, which nothing can be compared with.
    fn earlier(&self, index: usize, at: Timestamp) -> Vec<EarlierWork> {
        if self.works[index].candidate.counts[0].is_none() {
            return Vec::new();
        }
        let Some(own) = self.works_of.get(&self.works[index].candidate.builders[0]) else { return Vec::new() };
        let before = own.partition_point(|other| *other < index);
        let as_earlier = |other: &usize| {
            let made = &self.works[*other];
            let Candidate { substance, topic, kind, .. } = &made.candidate;
            EarlierWork {
                // The choice never asks which work it was; no id saves most of the time of a simulation.
                work: ActivityId(String::new()),
                substance: substance.clone(),
                topic_confidence: topic.confidence,
                kind: *kind,
                counts: made.counts(at),
            }
        };
        own[..before].iter().rev().take(25).map(as_earlier).collect()
    }

    /// The year by one measure alone: lowest rank first, one work a builder and week, none twice.
    fn run_simple(&self, config: &DigestConfig, rank: impl Fn(&Made, Timestamp) -> i64) -> Vec<Vec<Place>> {
        let mut used: BTreeSet<&ActivityId> = BTreeSet::new();
        let mut weeks = Vec::new();
        for (_, cutoff_at) in self.cutoffs() {
            let oldest = earlier(cutoff_at, i64::from(config.window_days) * DAY_S);
            let first = self.works.partition_point(|made| made.candidate.effective_at <= oldest);
            let mut ranked: Vec<&Made> = self.works[first..]
                .iter()
                .filter(|made| made.candidate.first_seen_at <= cutoff_at && !used.contains(&made.candidate.work))
                .filter(|made| made.candidate.builders.iter().all(|builder| !self.credited[builder].not_featured))
                .collect();
            ranked.sort_by_key(|made| (rank(made, cutoff_at), &made.candidate.work));
            let mut seen = BTreeSet::new();
            let mut places = Vec::new();
            for made in ranked {
                let builders = &made.candidate.builders;
                if places.len() == usize::try_from(config.places).unwrap_or(usize::MAX) {
                    break;
                }
                if builders.iter().all(|builder| !seen.contains(builder)) {
                    seen.extend(builders.iter().copied());
                    used.insert(&made.candidate.work);
                    places.push(Place { region: self.credited[&builders[0]].region.clone(), ..made.place() });
                }
            }
            weeks.push(places);
        }
        weeks
    }
}

/// What the week had to choose from.
fn supply_of(digest: &Digest) -> Supply {
    let available = |code| matches!(code, OutcomeCode::Chosen | OutcomeCode::NoPlace | OutcomeCode::NotNominee | OutcomeCode::CoolDown);
    let targets = |groups: &[crate::model::Group]| groups.iter().map(|group| (group.key.clone(), group.target)).collect();
    Supply {
        builders: digest
            .outcomes
            .iter()
            .filter(|outcome| available(outcome.code))
            .flat_map(|outcome| outcome.builders.iter().copied())
            .collect(),
        regions: targets(&digest.balance.regions),
        categories: targets(&digest.balance.categories),
    }
}

fn category(key: &str) -> Category {
    Category {
        key: key.to_owned(),
        name: key.to_owned(),
        tags: Vec::new(),
        services: Vec::new(),
        words: Vec::new(),
        from: None,
        until: None,
    }
}

fn maker(n: i64, builders: i64, weeks: i64, random: &mut Random) -> Maker {
    // The roster's shape is exact, and in each region the same part is silent; all else is drawn.
    let region = quota(n - 1, builders, &REGIONS);
    let category = quota(n * 7_919 % builders, builders, &CATEGORIES);
    let silent = if builders < FEW { n * 31 % 50 < 31 } else { n % 50 < 31 };
    // Most of a roster is silent; of the others, half post less than every second week and a few daily.
    let rate = if silent { random.below(3) } else { doubled(450, random.normal() * 14 / 10).min(7_000) };
    let fills = random.chance(10);
    Maker {
        credited: Credited {
            id: BuilderId(n),
            slug: format!("builder-{n}"),
            name: format!("Builder {n}"),
            region: REGIONS[region].0.to_owned(),
            category: CATEGORIES[category].0.to_owned(),
            country: None,
            handles: BTreeMap::new(),
            active: true,
            not_featured: random.chance(10),
            not_public: false,
        },
        category,
        audience: doubled(400, random.normal() * 5 / 2),
        rate: if fills { rate.max(8_000) } else { rate },
        talent: random.normal() * 4 / 10,
        kind: [ActivityKind::Article, ActivityKind::Article, ActivityKind::Video, ActivityKind::Release][random.index(4)],
        counted: random.chance(700),
        fills,
        joins: if random.chance(150) { i64::try_from(random.below(weeks.unsigned_abs())).unwrap_or(0) } else { -WARM_UP_WEEKS },
    }
}

fn made(number: usize, maker: &Maker, week: i64, start: Week, random: &mut Random) -> Made {
    // Those who fill post one real work in a dozen.
    let filler = maker.fills && !random.chance(80);
    let hidden = if filler { -2_000 } else { maker.talent + random.normal() * 9 / 10 };
    let mut likely = |base: i64, slope: i64| random.chance(u64::try_from((base + slope * hidden / 1000).clamp(20, 980)).unwrap_or(0));
    let on_topic = likely(750, 150) && !filler;
    let substance = Substance {
        words: Some(if likely(500, 280) { 900 } else { 220 }),
        cjk_chars: None,
        duration_s: Some(if likely(500, 280) { 900 } else { 120 }),
        shows_work: Some(likely(450, 280)),
        summary_chars: if likely(650, 120) { 160 } else { 30 },
        canonical: Some(likely(800, 0)),
        cites_source: Some(likely(350, 220)),
    };
    let substance = if filler {
        Substance {
            words: Some(20),
            duration_s: Some(20),
            shows_work: Some(false),
            summary_chars: 0,
            cites_source: Some(false),
            ..substance
        }
    } else {
        substance
    };
    let category = if random.chance(750) { maker.category } else { random.weighted(&CATEGORIES) };
    let service = random.below(6);
    let effective_at = later(start.start(), i64::try_from(random.below(7 * 86_400)).unwrap_or(0));
    let found_after = if random.chance(20) { random.below(30 * 86_400) } else { random.below(3 * 3600) };
    // Better works get more response, and luck gets more still.
    let all = doubled(maker.audience, hidden + random.normal() * 9 / 10);
    let id = ActivityId::of_key(&format!("rehearsal {number}"));
    let candidate = Candidate {
        members: vec![id.clone()],
        url: Some(format!("https://rehearsal.invalid/{number}")),
        work: id,
        kind: maker.kind,
        title: format!("Work {number}"),
        summary: None,
        language: None,
        also: Vec::new(),
        published_at: Some(effective_at),
        effective_at,
        first_seen_at: later(effective_at, i64::try_from(found_after).unwrap_or(0)),
        backfill: false,
        paywalled: random.chance(10),
        unproven: false,
        link_gone: random.chance(5),
        held_until: None,
        left: false,
        withdrawn: false,
        builders: vec![maker.credited.id],
        substance,
        topic: Topic {
            services: vec![format!("{}-{service}", CATEGORIES[category].0)],
            category: CATEGORIES[category].0.to_owned(),
            confidence: if on_topic { 700 } else { 500 },
            evidence: Vec::new(),
        },
        counts: [50, 70, 80, 100].map(|percent| maker.counted.then_some(all * percent / 100)),
        earlier: Vec::new(),
    };
    Made { candidate, week, hidden }
}

/// Which group the place in a row of so many falls to, when the row is divided by weight.
fn quota(place: i64, of: i64, groups: &[(&str, u64)]) -> usize {
    let all: u64 = groups.iter().map(|(_, weight)| weight).sum();
    let point = place.unsigned_abs() * all / of.unsigned_abs().max(1);
    let mut sum = 0;
    groups
        .iter()
        .position(|(_, weight)| {
            sum += weight;
            point < sum
        })
        .unwrap_or(0)
}

const DAY_S: i64 = 86_400;

fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(at)
}

fn earlier(at: Timestamp, seconds: i64) -> Timestamp {
    later(at, -seconds)
}

/// `base` times 2 to the power of so many thousandths; straight between whole powers.
fn doubled(base: u64, thousandths: i64) -> u64 {
    let whole = u32::try_from(thousandths.div_euclid(1000).unsigned_abs()).unwrap_or(0).min(20);
    let part = base * (1000 + thousandths.rem_euclid(1000).unsigned_abs());
    (if thousandths < 0 { part >> whole } else { part << whole }) / 1000
}

/// What the year draws, out of one stream.
struct Random(Numbers);

impl Random {
    fn new(seed: u64) -> Self {
        Self(Numbers::at(seed))
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.0.next() >> 16) % bound.max(1)
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    fn chance(&mut self, thousandths: u64) -> bool {
        self.below(1000) < thousandths
    }

    /// Thousandths of a standard deviation, near enough to normal: twelve even draws.
    fn normal(&mut self) -> i64 {
        let sum: u64 = (0..12).map(|_| self.below(1001)).sum();
        i64::try_from(sum).unwrap_or(0) - 6_000
    }

    fn weighted(&mut self, weights: &[(&str, u64)]) -> usize {
        let mut draw = self.below(weights.iter().map(|(_, weight)| weight).sum());
        weights
            .iter()
            .position(|(_, weight)| {
                let here = draw < *weight;
                draw = draw.saturating_sub(*weight);
                here
            })
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(builders: u32, seed: u64) {
        let report = simulate(&Options::new(builders, 52, seed));
        for bound in report.bounds() {
            assert!(bound.holds, "seed {seed}, {builders} builders: {}: {}", bound.number, bound.text);
        }
    }

    #[test]
    fn a_year_of_a_large_program_is_fair() {
        check(2635, 1);
    }

    #[test]
    fn a_year_of_a_small_program_is_fair() {
        (1..=5).for_each(|seed| check(200, seed));
    }

    #[test]
    #[ignore = "takes most of a minute"]
    fn four_more_years_of_a_large_program_are_fair() {
        (2..=5).for_each(|seed| check(2635, seed));
    }

    #[test]
    fn a_seed_gives_the_same_figures_again_and_odd_sizes_are_no_trouble() {
        let json = |options: &Options| serde_json::to_string(&simulate(options)).unwrap();
        let small = Options::new(60, 14, 9);
        assert_eq!(json(&small), json(&small));
        assert_ne!(json(&small), json(&Options { seed: 10, ..small.clone() }));
        for (builders, weeks) in [(0, 0), (1, 1), (3, 2)] {
            json(&Options::new(builders, weeks, 1));
        }
    }

    #[test]
    fn small_programs_are_played_and_promised_nothing() {
        for (builders, seed) in [(5, 1), (20, 1), (20, 2), (20, 3), (20, 4), (33, 1)] {
            let report = simulate(&Options::new(builders, 52, seed));
            assert!(report.works > 0 && !report.is_empty(), "{builders} builders, seed {seed}: {} works", report.works);
            assert!(report.bounds().is_empty());
            for figures in [&report.formula, &report.most_engaged, &report.newest] {
                assert!(figures.hidden_quality_share <= 2.0, "{builders} builders, seed {seed}: {}", figures.hidden_quality_share);
            }
        }
        let nothing = Report {
            formula: Figures { max_places_one_builder: 0, ..simulate(&Options::new(200, 1, 1)).formula },
            ..simulate(&Options::new(200, 1, 1))
        };
        assert!(nothing.bounds().is_empty());
    }

    #[test]
    fn draws_are_near_normal_and_within_their_bounds() {
        let mut random = Random::new(3);
        let draws: Vec<i64> = (0..4_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<i64>() / 4_000;
        let variance = draws.iter().map(|draw| (draw - mean) * (draw - mean)).sum::<i64>() / 4_000;
        assert!(mean.abs() < 60 && (900_000..1_100_000).contains(&variance), "{mean}, {variance}");
        assert_eq!((doubled(100, 0), doubled(100, 3_000), doubled(100, -2_000), doubled(100, 500)), (100, 800, 25, 150));
        assert!((0..1_000).all(|_| random.weighted(&[("never", 0), ("always", 1)]) == 1));
    }
}
