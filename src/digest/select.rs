//! Who is chosen: one nominee per builder, then place by place the greatest gain (DIGEST.md sections 4.3 and 4.4).
//!
//! In: the standings of all candidates, and what each group is owed. Out: the chosen in the order of their choice, and
//! what everybody else would have gained in the last round. Nobody is twice in one digest.
//! Words for the reasons are for `reason`, the order on the page for `order`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sha2::{Digest as _, Sha256};

use super::Inputs;
use super::balance::{Accounts, is_group, need};
use super::eligible::{Past, Standing};
use crate::model::{ActivityId, BuilderId, Week};

/// The parts of a gain. They add up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Terms {
    pub quality: i64,
    pub fresh: i64,
    pub turn: i64,
    pub category: i64,
    pub region: i64,
    pub new_service: i64,
}

impl Terms {
    pub(super) fn gain(self) -> i64 {
        self.quality + self.fresh + self.turn + self.category + self.region + self.new_service
    }
}

/// A candidate with all about it that does not change from round to round.
#[derive(Debug)]
pub(super) struct Entrant<'a> {
    pub standing: &'a Standing<'a>,
    pub category: &'a str,
    pub region: &'a str,
    pub service: Option<&'a str>,
    /// The week nearest to this one in which one of its builders has a place, since a place counts for all.
    pub nearest_place: Option<Week>,
    /// What the category and the region are owed.
    pub owed: (i64, i64),
    pub fixed: Terms,
    tie: u64,
}

/// What came of the choice.
pub(super) struct Selection<'a> {
    /// Every candidate, ordered by work.
    pub entrants: Vec<Entrant<'a>>,
    /// In the order of their choice, pins first: places in `entrants`.
    pub chosen: Vec<(usize, Terms)>,
    /// Places in `entrants` of the works that somebody was nominated with.
    pub nominees: BTreeSet<usize>,
    /// How many builders have a nominee.
    pub nominators: usize,
    /// Per candidate, the terms that it had, or would have had, in the last round.
    pub last_round: Vec<Terms>,
    /// Whether a builder of each candidate has a place.
    pub builder_chosen: Vec<bool>,
}

/// The first 8 bytes of SHA-256 of `week|work id`: lower goes first, and nobody's name or id gives an advantage.
pub(super) fn tie(week: Week, work: &ActivityId) -> u64 {
    let digest = Sha256::digest(format!("{week}|{work}").as_bytes());
    digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Chooses.
pub(super) fn select<'a>(
    inputs: &'a Inputs<'a>,
    past: &Past,
    standings: &'a [Standing<'a>],
    categories: &Accounts,
    regions: &Accounts,
) -> Selection<'a> {
    let entrants: Vec<Entrant<'a>> = standings.iter().map(|standing| entrant(inputs, past, standing, categories, regions)).collect();
    let (nominees, nominators) = nominees(&entrants);
    let places = usize::try_from(inputs.config.places).unwrap_or(usize::MAX);
    let mut round = Round::new(inputs);
    let mut chosen: Vec<(usize, Terms)> = Vec::new();
    let mut before_last: Option<Round<'_>> = None;

    let mut pins: Vec<(usize, usize)> =
        entrants.iter().enumerate().filter_map(|(index, entrant)| Some((entrant.standing.pinned?, index))).collect();
    pins.sort_unstable();
    for (_, index) in pins {
        if chosen.len() < places && !round.holds_builder(&entrants[index]) {
            chosen.push((index, round.terms(&entrants[index])));
            before_last = Some(round.clone());
            round.add(&entrants[index]);
        }
    }

    let mut waiting: Vec<usize> = nominees.iter().copied().collect();
    while chosen.len() < places {
        waiting.retain(|index| !round.holds_builder(&entrants[*index]));
        let best = waiting
            .iter()
            .map(|index| (*index, round.terms(&entrants[*index])))
            .min_by_key(|(index, terms)| (-terms.gain(), entrants[*index].tie, *index));
        let Some((index, terms)) = best else { break };
        chosen.push((index, terms));
        before_last = Some(round.clone());
        round.add(&entrants[index]);
    }

    let last = before_last.unwrap_or_else(|| Round::new(inputs));
    let last_round = entrants.iter().map(|entrant| last.terms(entrant)).collect();
    let builder_chosen = entrants.iter().map(|entrant| round.holds_builder(entrant)).collect();
    Selection { entrants, chosen, nominees, nominators, last_round, builder_chosen }
}

/// A candidate as the choice looks at it.
pub(super) fn entrant<'a>(
    inputs: &Inputs<'a>,
    past: &Past,
    standing: &'a Standing<'a>,
    categories: &Accounts,
    regions: &Accounts,
) -> Entrant<'a> {
    let weights = &inputs.config.weights;
    let candidate = standing.candidate;
    let category: &str = &candidate.topic.category;
    // Of a work by several, the region of the first active one.
    let region: &str =
        standing.shown.iter().find(|builder| builder.active).or(standing.shown.first()).map_or("", |builder| builder.region.as_str());
    let places = standing.shown.iter().filter_map(|builder| past.nearest_place(builder.id));
    let nearest_place = places.min_by_key(|place| (inputs.week.weeks_since(*place).abs(), *place));
    let turn = turn(inputs.week, nearest_place, inputs.config.turn_weeks);
    let fresh = inputs.week.start() <= candidate.effective_at && candidate.effective_at < inputs.week.end();
    let owed = |accounts: &Accounts, key| accounts.get(key).map_or(0, |account| account.owed);
    Entrant {
        standing,
        category,
        region,
        service: candidate.topic.services.first().map(String::as_str),
        nearest_place,
        owed: (owed(categories, category), owed(regions, region)),
        fixed: Terms {
            quality: standing.quality.points,
            fresh: if fresh { weights.fresh } else { 0 },
            turn: weights.turn * turn / 1000,
            ..Terms::default()
        },
        tie: tie(inputs.week, &candidate.work),
    }
}

/// How far a builder's turn has come, 0 to 1000.
fn turn(week: Week, nearest_place: Option<Week>, turn_weeks: i64) -> i64 {
    nearest_place.map_or(1000, |place| (1000 * week.weeks_since(place).abs() / turn_weeks.max(1)).min(1000))
}

/// The best eligible work of each builder, by quality and freshness; and how many builders have one.
fn nominees(entrants: &[Entrant<'_>]) -> (BTreeSet<usize>, usize) {
    let rank = |index: usize| {
        let entrant = &entrants[index];
        (-(entrant.fixed.quality + entrant.fixed.fresh), entrant.tie, index)
    };
    let mut best: BTreeMap<BuilderId, usize> = BTreeMap::new();
    for (index, entrant) in entrants.iter().enumerate().filter(|(_, entrant)| entrant.standing.fault.is_none()) {
        for builder in &entrant.standing.nominators {
            let nominee = best.entry(*builder).or_insert(index);
            if rank(index) < rank(*nominee) {
                *nominee = index;
            }
        }
    }
    (best.values().copied().collect(), best.len())
}

/// The digest as it stands in a round.
#[derive(Clone)]
struct Round<'a> {
    inputs: &'a Inputs<'a>,
    categories: HashMap<&'a str, i64>,
    regions: HashMap<&'a str, i64>,
    services: HashSet<&'a str>,
    builders: HashSet<BuilderId>,
}

impl<'a> Round<'a> {
    fn new(inputs: &'a Inputs<'a>) -> Self {
        Self { inputs, categories: HashMap::new(), regions: HashMap::new(), services: HashSet::new(), builders: HashSet::new() }
    }

    fn holds_builder(&self, entrant: &Entrant<'_>) -> bool {
        entrant.standing.candidate.builders.iter().any(|builder| self.builders.contains(builder))
    }

    fn add(&mut self, entrant: &Entrant<'a>) {
        *self.categories.entry(entrant.category).or_default() += 1;
        *self.regions.entry(entrant.region).or_default() += 1;
        self.services.extend(entrant.service);
        self.builders.extend(&entrant.standing.candidate.builders);
    }

    /// What a place for it would add now.
    fn terms(&self, entrant: &Entrant<'_>) -> Terms {
        let weights = &self.inputs.config.weights;
        let members = |counts: &HashMap<&str, i64>, key: &str| counts.get(key).copied().unwrap_or(0);
        let group = |weight: i64, owed: i64, counts: &HashMap<&str, i64>, key: &str| {
            if is_group(key) { weight * need(owed, members(counts, key)) / 1000 } else { 0 }
        };
        Terms {
            category: group(weights.category, entrant.owed.0, &self.categories, entrant.category),
            region: group(weights.region, entrant.owed.1, &self.regions, entrant.region),
            new_service: entrant.service.map_or(0, |service| if self.services.contains(service) { 0 } else { weights.new_service }),
            ..entrant.fixed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::balance;
    use crate::digest::eligible::Rules;
    use crate::digest::samples::{Case, builder, candidate, past_pick, past_week, week, work_id};
    use crate::model::{Digest, OutcomeCode, PastDigest};

    fn works(digest: &Digest) -> Vec<ActivityId> {
        let mut picks: Vec<_> = digest.picks().map(|pick| (pick.round, pick.work.clone())).collect();
        picks.sort();
        picks.into_iter().map(|(_, work)| work).collect()
    }

    fn code_of(digest: &Digest, work: i64) -> OutcomeCode {
        digest.outcomes.iter().find(|outcome| outcome.work == work_id(work)).unwrap().code
    }

    #[test]
    fn a_builder_is_nominated_with_the_best_work() {
        let mut case = Case::new(1);
        case.candidates = (1..=3).map(|n| candidate(n, &[1])).collect();
        case.candidates[1].substance.shows_work = Some(true);
        let digest = case.compose();
        assert_eq!(works(&digest), [work_id(2)]);
        assert_eq!((code_of(&digest, 1), code_of(&digest, 3)), (OutcomeCode::NotNominee, OutcomeCode::NotNominee));
        assert_eq!((digest.eligible_works, digest.nominees), (3, 1));
    }

    #[test]
    fn freshness_counts_among_the_works_of_one_builder() {
        let mut case = Case::new(1);
        case.candidates = (1..=2).map(|n| candidate(n, &[1])).collect();
        case.candidates[0].effective_at = week().start() - jiff::SignedDuration::from_secs(1);
        let first = case.compose();
        assert_eq!(works(&first), [work_id(2)]);
        // Better by more than freshness gives: half of 200 and 100 points of substance.
        case.candidates[0].substance.shows_work = Some(true);
        case.candidates[0].substance.cites_source = Some(true);
        assert_eq!(works(&case.compose()), [work_id(1)]);
    }

    #[test]
    fn a_work_by_two_takes_the_place_of_both() {
        let mut case = Case::new(2);
        case.candidates = vec![candidate(1, &[1, 2]), candidate(2, &[2])];
        case.candidates[0].substance.shows_work = Some(true);
        let digest = case.compose();
        assert_eq!(works(&digest), [work_id(1)]);
        assert_eq!(code_of(&digest, 2), OutcomeCode::NotNominee);
        assert_eq!(digest.nominees, 2);
    }

    #[test]
    fn gain_terms_are_those_of_the_rules() {
        let mut case = Case::new(3);
        case.builders.insert(BuilderId(3), builder(3, "eastern_africa"));
        case.candidates = (1..=3).map(|n| candidate(n, &[n])).collect();
        case.candidates[2].topic.category = "security".into();
        case.history = vec![PastDigest { picks: vec![past_pick(&[90], &[1])], ..past_week("2026-W34".parse().unwrap()) }];
        case.config.places = 3;
        case.config.cool_down = 0;
        let digest = case.compose();
        let terms = |work: i64| -> BTreeMap<String, i64> {
            let pick = digest.picks().find(|pick| pick.work == work_id(work)).unwrap();
            assert_eq!(pick.reasons.iter().map(|reason| reason.points).sum::<i64>(), pick.gain);
            pick.reasons.iter().map(|reason| (format!("{:?}", reason.term), reason.points)).collect()
        };
        // 13 of 26 weeks since builder 1 was featured. Four places in the window, one of them of app_dev and Western
        // Europe: targets 633 and 366 of 4 places, so both groups are owed more than a place.
        assert_eq!(terms(1)["Turn"], 75);
        assert_eq!(terms(2)["Turn"], 150);
        assert_eq!(terms(2)["Fresh"], 50);
        assert_eq!((terms(3)["Region"], terms(3)["Category"]), (200, 200));
        let new: Vec<i64> = (1..=3).filter(|work| terms(*work).contains_key("NewService")).collect();
        assert_eq!(new.len(), 1, "Lambda is new once");
    }

    #[test]
    fn those_who_wait_learn_how_far_they_were() {
        let mut case = Case::new(4);
        case.config.places = 2;
        case.candidates = (1..=4).map(|n| candidate(n, &[n])).collect();
        for better in [0, 1] {
            case.candidates[better].substance.shows_work = Some(true);
        }
        case.candidates[3].substance.canonical = Some(false);
        let digest = case.compose();
        let short = |work: i64| digest.outcomes.iter().find(|outcome| outcome.work == work_id(work)).unwrap().short;
        assert_eq!(short(3), Some(50), "half of the 100 points that shown work gives beyond the unknown");
        assert_eq!(short(4), Some(100));
        assert_eq!(short(1), None);
    }

    #[test]
    fn pins_go_first_and_keep_the_number_of_places() {
        let mut case = Case::new(4);
        case.config.places = 2;
        case.candidates = (1..=4).map(|n| candidate(n, &[n])).collect();
        case.candidates[3].substance.canonical = Some(false);
        case.edits.pins = vec![work_id(4)];
        let digest = case.compose();
        assert_eq!(works(&digest)[0], work_id(4));
        assert_eq!(works(&digest).len(), 2);
    }

    #[test]
    fn the_draw_has_no_favorites() {
        // Forty works that differ in nothing but their ids, over a hundred weeks: the first half by id gets half.
        let (mut first_half, mut all) = (0, 0);
        let mut case = Case::new(40);
        case.config.places = 8;
        case.week = "2024-W01".parse().unwrap();
        for round in 0..100 {
            case.candidates = (1..=40).map(|n| candidate(n + 1000 * round, &[n])).collect();
            for candidate in &mut case.candidates {
                candidate.effective_at = case.week.start();
            }
            let digest = case.compose();
            all += digest.picks().count();
            first_half += digest.picks().filter(|pick| pick.builders[0].id.0 <= 20).count();
            case.week = case.week.next();
        }
        assert_eq!(all, 800);
        assert!((350..=450).contains(&first_half), "{first_half} of 800");
    }

    /// The value of a set: what the gains add up to, in whatever order.
    fn value(inputs: &Inputs<'_>, entrants: &[Entrant<'_>], set: impl Iterator<Item = usize>) -> i64 {
        let mut round = Round::new(inputs);
        set.map(|index| {
            let gain = round.terms(&entrants[index]).gain();
            round.add(&entrants[index]);
            gain
        })
        .sum()
    }

    #[test]
    fn greedy_is_close_to_the_best_digest_there_is() {
        let (mut ratios, mut worst) = (0, 1_000_000);
        let mut random = 7_u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let cases = 100;
        for _ in 0..cases {
            let n = 6 + next(9);
            let mut case = Case::new(0);
            case.config.places = 2 + u32::try_from(next(4)).unwrap();
            for id in 1..=i64::try_from(n).unwrap() {
                case.builders.insert(
                    BuilderId(id),
                    builder(id, ["western_europe", "eastern_africa", "southern_asia"][usize::try_from(next(3)).unwrap()]),
                );
                let mut work = candidate(id, &[id]);
                work.topic.category = ["app_dev", "security", "databases", "general"][usize::try_from(next(4)).unwrap()].into();
                work.topic.services = vec![format!("Service {}", next(4))];
                work.substance.shows_work = [None, Some(true), Some(false)][usize::try_from(next(3)).unwrap()];
                work.substance.cites_source = [None, Some(true), Some(false)][usize::try_from(next(3)).unwrap()];
                case.candidates.push(work);
            }
            let inputs = case.inputs();
            let past = Past::of(inputs.week, inputs.history, inputs.config.cool_down);
            let rules = Rules::of(&inputs, &past);
            let standings: Vec<Standing<'_>> = inputs.candidates.iter().map(|candidate| rules.judge(candidate)).collect();
            let supply = balance::supply(&standings);
            let places = inputs.config.places;
            let categories = balance::accounts(&[], inputs.supply, &supply, places, |week| &week.categories, |pick| &pick.category);
            let regions = balance::accounts(&[], inputs.supply, &supply, places, |week| &week.regions, |pick| &pick.region);
            let selection = select(&inputs, &past, &standings, &categories, &regions);
            let greedy: i64 = selection.chosen.iter().map(|(_, terms)| terms.gain()).sum();
            assert_eq!(greedy, value(&inputs, &selection.entrants, selection.chosen.iter().map(|(index, _)| *index)));
            let best = (0_u32..1 << n)
                .filter(|set| set.count_ones() == places)
                .map(|set| value(&inputs, &selection.entrants, (0..selection.entrants.len()).filter(|index| set >> index & 1 == 1)))
                .max()
                .unwrap();
            let ratio = greedy * 1_000_000 / best;
            ratios += ratio;
            worst = worst.min(ratio);
        }
        assert!(worst >= 632_000, "the worst of all was {worst} millionths");
        assert!(ratios / cases >= 980_000, "the mean was {} millionths", ratios / cases);
    }
}
