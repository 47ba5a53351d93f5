//! What holds for every digest (DIGEST.md section 5), tried on random programs and random years.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::samples::{Case, builder, candidate, past_week};
use super::{LateFinds, past_digest};
use crate::model::{
    ActivityId, ActivityKind, BuilderId, Candidate, Digest, EarlierWork, Edit, EditRecord, OutcomeCode, PastDigest, Pool, Seq, Substance,
    Week, WeekSupply, Wording,
};

const BUILDERS: u8 = 9;

/// A candidate that came out so many hours before the cut-off of the sample week, and is otherwise anything.
fn any_candidate(n: i64, oldest_h: i64) -> impl Strategy<Value = Candidate> {
    let facts = (
        select(vec![None, Some(5_u32), Some(700)]),
        select(vec![None, Some(false), Some(true)]),
        select(vec![None, Some(false), Some(true)]),
        0_u32..120,
        select(vec![0_u32, 500, 700]),
    );
    let topic = (select(vec!["app_dev", "security", "ai_ml", "general"]), select(vec!["Lambda", "EKS", "IAM", ""]));
    let odds = prop::collection::vec(0_u8..20, 4);
    let counts = prop::collection::vec(0_u64..50, 9);
    let who = subsequence((1..=i64::from(BUILDERS)).collect::<Vec<_>>(), 1..=2);
    (facts, topic, odds, counts, who, 0..oldest_h, 0_i64..24 * 30).prop_map(move |(facts, topic, odds, counts, who, age_h, found_h)| {
        let mut work = candidate(n, &who);
        let (words, shows_work, cites_source, summary_chars, confidence) = facts;
        work.substance = Substance { words, shows_work, summary_chars, cites_source, ..Substance::default() };
        work.topic.confidence = confidence;
        work.topic.category = topic.0.into();
        work.topic.services = Some(topic.1.to_owned()).filter(|name| !name.is_empty()).into_iter().collect();
        work.effective_at = super::samples::cutoff() - SignedDuration::from_hours(age_h);
        work.published_at = (odds[3] > 0).then_some(work.effective_at);
        work.first_seen_at = work.effective_at + SignedDuration::from_hours(if odds[2] == 0 { found_h } else { 0 });
        work.paywalled = odds[0] == 0;
        work.backfill = odds[1] == 0;
        work.kind = if odds[1] == 1 { ActivityKind::Short } else { ActivityKind::Article };
        work.counts = [Some(counts[0]), Some(counts[0] + counts[1]), None, None];
        work.earlier = counts[2..]
            .iter()
            .map(|count| EarlierWork {
                substance: work.substance.clone(),
                topic_confidence: 700,
                ..super::samples::earlier([Some(*count), Some(*count * 2), None, Some(*count * 3)])
            })
            .collect();
        work
    })
}

fn any_case(works: std::ops::Range<i64>, oldest_h: i64) -> impl Strategy<Value = Case> {
    let people =
        prop::collection::vec((select(vec!["western_europe", "eastern_africa", "southern_asia", ""]), 0_u8..12), usize::from(BUILDERS));
    let candidates: Vec<_> = works.map(|n| any_candidate(n, oldest_h)).collect();
    (people, candidates, 1_u32..6).prop_map(|(people, candidates, places)| {
        let mut case = Case::new(0);
        case.config.places = places;
        case.builders = (1..)
            .zip(people)
            .map(|(n, (region, odd))| {
                let mut person = builder(n, region);
                (person.active, person.not_featured) = (odd != 0, odd == 1);
                (person.id, person)
            })
            .collect();
        case.candidates = candidates;
        case
    })
}

fn bytes(digest: &Digest) -> String {
    serde_json::to_string(digest).unwrap()
}

/// A work that would have been in the running at a cut-off that was missed is judged on its merits, or on the late shelf, in
/// the next draft.
fn never_lost_over_an_outage(
    case: &Case,
    first: Week,
    work: &Candidate,
    drafted: &BTreeMap<Week, BTreeMap<ActivityId, OutcomeCode>>,
) -> Result<(), TestCaseError> {
    let Some((last, _)) = drafted.last_key_value() else { return Ok(()) };
    let weeks = std::iter::successors(Some(first), |week| Some(week.next())).take_while(|week| week < last);
    for missed in weeks.filter(|week| !drafted.contains_key(week)) {
        let at = missed.end() + SignedDuration::from_hours(6);
        let age = at.duration_since(work.effective_at);
        let was_open = !age.is_negative() && age < SignedDuration::from_hours(24 * i64::from(case.config.window_days));
        // Nothing looks back further than this where no draft was made before.
        let looked_back = drafted.range(..missed).next().is_some();
        if was_open && looked_back && work.first_seen_at <= at {
            let (next, codes) = drafted.range(missed.next()..).next().expect("the last draft lies after it");
            let code = codes.get(&work.work);
            prop_assert!(
                code.is_some_and(|code| *code != OutcomeCode::DateOutside),
                "{} missed {missed}, {next} says {code:?}",
                work.title
            );
        }
    }
    Ok(())
}

/// What holds for a digest by itself.
fn check_digest(case: &Case, known: &[Candidate], digest: &Digest) {
    assert!(digest.picks().count() <= case.config.places as usize);
    let builders: Vec<BuilderId> =
        digest.picks().flat_map(|pick| known.iter().find(|work| work.work == pick.work).unwrap().builders.clone()).collect();
    assert_eq!(builders.iter().collect::<BTreeSet<_>>().len(), builders.len(), "nobody is in it twice");
    for pick in digest.picks() {
        assert_eq!(pick.reasons.iter().map(|reason| reason.points).sum::<i64>(), pick.gain, "reasons add up");
        assert!(pick.builders.iter().all(|builder| !builder.not_featured));
    }
    let outcomes: Vec<&ActivityId> = digest.outcomes.iter().map(|outcome| &outcome.work).collect();
    let works: BTreeSet<&ActivityId> = known.iter().map(|work| &work.work).collect();
    assert_eq!(outcomes.len(), works.len(), "one outcome a work");
    assert_eq!(outcomes.into_iter().collect::<BTreeSet<_>>(), works);
    for outcome in &digest.outcomes {
        let chosen = digest.picks().any(|pick| pick.work == outcome.work);
        assert_eq!(outcome.code == OutcomeCode::Chosen, chosen);
        assert!(!outcome.text.is_empty());
        if let Some(gain) = outcome.gain {
            assert_eq!(outcome.reasons.iter().map(|reason| reason.points).sum::<i64>(), gain);
        }
    }
    for groups in [&digest.balance.categories, &digest.balance.regions] {
        let live = i64::try_from(groups.iter().filter(|group| group.target > 0).count()).unwrap();
        let sum: i64 = groups.iter().map(|group| group.target).sum();
        assert!(live == 0 || (sum - 1000).abs() <= live, "targets add up to {sum} for {live} groups");
        assert!(groups.iter().all(|group| 0 <= group.owed && group.owed <= 1000 * i64::from(case.config.places)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn over_a_year_each_work_is_featured_once_and_each_builder_pauses(
        mut case in any_case(1..70, 24 * 7 * 16),
        published in prop::collection::vec(any::<bool>(), 16),
        missed in prop::collection::vec(0_u8..8, 16),
    ) {
        let all = case.candidates.clone();
        let last = case.week;
        case.week = (0..15).fold(last, |week, _| week.previous());
        let mut history: Vec<PastDigest> = Vec::new();
        let (mut featured, mut shelved, mut judged) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        let mut cutoffs: Vec<Timestamp> = Vec::new();
        let mut drafted: BTreeMap<Week, BTreeMap<ActivityId, OutcomeCode>> = BTreeMap::new();
        let first = case.week;
        for (index, published) in published.into_iter().enumerate() {
            // In some weeks no digest is made; the next one knows when the last was.
            if missed[index] == 0 {
                case.week = case.week.next();
                continue;
            }
            let cutoff_at = case.inputs().cutoff_at;
            case.candidates = all.iter().filter(|work| work.first_seen_at <= cutoff_at).cloned().collect();
            case.history.clone_from(&history);
            let late_finds = LateFinds::of_new_draft(cutoff_at, cutoffs.last().copied(), [], case.config.late_days);
            let digest = super::compose(&super::Inputs { late_finds, ..case.inputs() });
            check_digest(&case, &case.candidates, &digest);
            let cooling: BTreeSet<BuilderId> = history.iter().rev().take(4).flat_map(|past| &past.picks).flat_map(|pick| pick.builders.clone()).collect();
            for pick in digest.picks() {
                for member in &pick.members {
                    prop_assert!(featured.insert(member.clone()), "no work twice");
                }
                prop_assert!(pick.builders.iter().any(|builder| !cooling.contains(&builder.id)), "nobody in cool-down");
            }
            for outcome in &digest.outcomes {
                if outcome.code == OutcomeCode::LateShelf {
                    prop_assert!(shelved.insert(outcome.work.clone()), "on one late shelf");
                }
                judged.entry(outcome.work.clone()).or_insert_with(Vec::new).push(outcome.code);
            }
            drafted.insert(digest.week, digest.outcomes.iter().map(|outcome| (outcome.work.clone(), outcome.code)).collect());
            case.supply.insert(digest.week, digest.supply.clone());
            history.push(past_digest(&digest, published));
            cutoffs.push(cutoff_at);
            case.week = case.week.next();
        }
        // Never lost: whatever is found after the first draft is judged on its merits, or on the late shelf, at its first draft.
        for work in all.iter().filter(|work| cutoffs.first().is_some_and(|first| work.first_seen_at > *first)) {
            prop_assert_ne!(judged.get(&work.work).and_then(|codes| codes.first()), Some(&OutcomeCode::DateOutside));
        }
        for work in &all {
            never_lost_over_an_outage(&case, first, work, &drafted)?;
            // Told that it stays in the running, it does, until its window was paused as often as it may be: also by drafts that
            // did not know it yet.
            if work.first_seen_at > work.effective_at {
                continue;
            }
            let codes: Vec<OutcomeCode> = drafted.values().filter_map(|codes| codes.get(&work.work).copied()).collect();
            for (index, pair) in codes.windows(2).enumerate() {
                let pauses = codes[..=index].iter().filter(|code| **code == OutcomeCode::CoolDown).count();
                prop_assert!(
                    pair != [OutcomeCode::CoolDown, OutcomeCode::DateOutside] || pauses >= 6,
                    "{} was lost after its cool-down: {codes:?}", work.title
                );
            }
        }
    }

    #[test]
    fn the_order_of_what_is_given_changes_nothing(case in any_case(1..40, 24 * 20), at in any::<Index>(), edits in any::<bool>()) {
        let mut case = case;
        if edits {
            case.edits.pins = vec![case.candidates[0].work.clone()];
            case.edits.drops.insert(case.candidates[1].work.clone());
        }
        let first = case.compose();
        check_digest(&case, &case.candidates, &first);
        case.week = case.week.next();
        case.history = vec![past_digest(&first, true), PastDigest { published: false, ..past_week(first.week.previous()) }];
        case.supply.insert(first.week, first.supply.clone());
        let before = bytes(&case.compose());
        let middle = at.index(case.candidates.len());
        case.candidates.rotate_left(middle);
        case.candidates.reverse();
        case.history.reverse();
        prop_assert_eq!(before, bytes(&case.compose()));
    }

    #[test]
    fn only_the_order_of_counts_matters(case in any_case(1..25, 24 * 14), factor in 2_u64..1000, base in 0_u64..1000) {
        let mut case = case;
        let before = bytes(&case.compose());
        let grow = |count: &mut Option<u64>| *count = count.map(|count| count * count * factor + count + base);
        for work in &mut case.candidates {
            work.counts.iter_mut().for_each(grow);
            work.earlier.iter_mut().flat_map(|earlier| &mut earlier.counts).for_each(grow);
        }
        prop_assert_eq!(before, bytes(&case.compose()));
    }

    #[test]
    fn filler_lifts_nobody(case in any_case(1..25, 24 * 14), count in 0_u64..100, at in any::<Index>()) {
        let mut case = case;
        let before = bytes(&case.compose());
        let filler = EarlierWork {
            substance: Substance { words: Some(1), ..Substance::default() },
            topic_confidence: 0,
            ..super::samples::earlier([Some(count); 4])
        };
        for work in &mut case.candidates {
            let at = at.index(work.earlier.len() + 1);
            work.earlier.splice(at..at, std::iter::repeat_n(filler.clone(), 30));
        }
        prop_assert_eq!(before, bytes(&case.compose()));
    }

    #[test]
    fn a_pick_that_gets_better_stays(case in any_case(1..40, 24 * 14), which in any::<Index>(), step in 0_u8..4) {
        let mut case = case;
        let digest = case.compose();
        let picks: Vec<ActivityId> = digest.picks().map(|pick| pick.work.clone()).collect();
        prop_assume!(!picks.is_empty());
        let work = which.get(&picks);
        let better = case.candidates.iter_mut().find(|candidate| candidate.work == *work).unwrap();
        match step {
            0 => better.substance.shows_work = Some(true),
            1 => better.substance.cites_source = Some(true),
            2 => (better.substance.words, better.topic.confidence) = (Some(900), 700),
            _ => better.counts = better.counts.map(|count| count.map(|count| count + 40)),
        }
        prop_assert!(case.compose().picks().any(|pick| pick.work == *work));
    }

    #[test]
    fn owed_is_bounded_whatever_the_history(
        case in any_case(1..20, 24 * 14),
        past in prop::collection::vec(prop::collection::vec(select(vec!["app_dev", "security", "general", "gone"]), 0..6), 0..20),
        supply in prop::collection::btree_map(select(vec!["app_dev".to_owned(), "security".to_owned(), "gone".to_owned()]), 0_u64..u64::MAX / 2, 0..3),
    ) {
        let mut case = case;
        let mut week = case.week;
        for categories in past {
            week = week.previous();
            let pick = |category: &str| crate::model::PastPick { category: category.into(), ..super::samples::past_pick(&[], &[]) };
            case.history.push(PastDigest { picks: categories.into_iter().map(pick).collect(), ..past_week(week) });
            case.supply.insert(week, WeekSupply { categories: supply.clone(), regions: BTreeMap::new() });
        }
        check_digest(&case, &case.candidates, &case.compose());
    }

    #[test]
    fn a_draft_without_edits_is_the_draft_and_chosen_anew_it_is_the_same(case in any_case(1..40, 24 * 20), pin in any::<Option<Index>>()) {
        let mut case = case;
        if let Some(pin) = pin {
            case.edits.pins = vec![pin.get(&case.candidates).work.clone()];
        }
        let (base, pool) = case.draft();
        prop_assert_eq!(bytes(&super::lay(&base, &pool, &[]).digest), bytes(&base));
        if pin.is_none() {
            let anew = super::try_edit(&base, &pool, &[], &Edit::Refresh).unwrap();
            prop_assert_eq!(bytes(&anew.desk.digest), bytes(&base));
        }
    }

    #[test]
    fn edits_are_local_replayable_and_keep_the_rules(
        case in any_case(1..40, 24 * 20),
        wishes in prop::collection::vec(any_wish(), 1..12),
    ) {
        let (base, pool) = case.draft();
        let mut edits: Vec<EditRecord> = Vec::new();
        let mut before = super::lay(&base, &pool, &edits);
        for wish in &wishes {
            let edit = wish.edit(&case.candidates, case.week, &edits);
            let laid = match super::try_edit(&base, &pool, &edits, &edit) {
                Ok(laid) => laid,
                Err(refused) => {
                    prop_assert!(!refused.to_string().is_empty());
                    continue;
                }
            };
            keep(&mut edits, laid.edit, laid.text);
            let after = super::lay(&base, &pool, &edits);
            prop_assert_eq!(bytes(&after.digest), bytes(&laid.desk.digest), "replaying gives the same");
            check_edited(&case, &after.digest);
            let picks = |digest: &Digest| digest.picks().map(|pick| pick.work.clone()).collect::<BTreeSet<_>>();
            let (old, new) = (picks(&before.digest), picks(&after.digest));
            let work_of = |id: &ActivityId| id.clone();
            if !matches!(edit, Edit::Move { .. } | Edit::Undo { .. } | Edit::Refresh) {
                for section in &after.digest.sections {
                    let same = before.digest.sections.iter().find(|other| other.category == section.category);
                    let order = |of: &crate::model::Section, other: &crate::model::Section| -> Vec<ActivityId> {
                        let kept = |work: &ActivityId| other.picks.iter().any(|pick| pick.work == *work);
                        of.picks.iter().map(|pick| pick.work.clone()).filter(kept).collect()
                    };
                    if let Some(same) = same {
                        prop_assert_eq!(order(section, same), order(same, section), "the order of all others stays");
                    }
                }
            }
            match &edit {
                Edit::Drop { work } => {
                    prop_assert!(!new.contains(&work_of(work)));
                    prop_assert!(old.difference(&new).all(|gone| gone == work), "all others stay");
                    prop_assert!(new.difference(&old).count() <= 1, "one place is filled");
                }
                Edit::Pin { work } => {
                    prop_assert!(after.pinned.len() <= case.config.places as usize);
                    prop_assert!(old.difference(&new).all(|gone| !before.pinned.contains(gone)), "what is pinned stays");
                    let _ = work;
                }
                Edit::Reword { .. } | Edit::Move { .. } | Edit::Lead { .. } | Edit::Intro { .. } => prop_assert_eq!(&old, &new),
                _ => {}
            }
            before = after;
        }
        // All taken back, the draft is as it was computed.
        let revisions: Vec<u32> = edits.iter().filter(|record| !matches!(record.what, Edit::Undo { .. })).map(|record| record.revision).collect();
        for revision in revisions {
            if let Ok(laid) = super::try_edit(&base, &pool, &edits, &Edit::Undo { revision }) {
                keep(&mut edits, laid.edit, laid.text);
            }
        }
        prop_assert_eq!(bytes(&super::lay(&base, &pool, &edits).digest), bytes(&base));
        prop_assert_eq!(super::edit_hash(&edits), None);
    }
}

/// Something an editor may want, named by places in lists.
#[derive(Debug, Clone)]
struct Wanted {
    kind: u8,
    one: Index,
    other: Index,
    number: u8,
}

fn any_wish() -> impl Strategy<Value = Wanted> {
    (0_u8..12, any::<Index>(), any::<Index>(), 0_u8..12).prop_map(|(kind, one, other, number)| Wanted { kind, one, other, number })
}

impl Wanted {
    fn edit(&self, candidates: &[Candidate], week: Week, edits: &[EditRecord]) -> Edit {
        let work = self.one.get(candidates).work.clone();
        let with = self.other.get(candidates).work.clone();
        match self.kind {
            0 | 1 => Edit::Pin { work },
            2 | 3 => Edit::Drop { work },
            4 => Edit::DropBuilder { builder: self.one.get(candidates).builders[0] },
            5 => Edit::Hold { work, until: (0..self.number % 9).fold(week, |week, _| week.next()) },
            6 => Edit::Swap { work, with },
            7 => Edit::Reword { work, field: Wording::Summary, text: Some("Told anew.".into()) },
            8 => Edit::Move { work, place: u32::from(self.number) },
            9 => Edit::Lead { work },
            10 => Edit::Intro { section: None, text: Some("A week.".into()) },
            _ => Edit::Undo { revision: u32::try_from(self.one.index(edits.len() + 1)).unwrap() },
        }
    }
}

fn keep(edits: &mut Vec<EditRecord>, what: Edit, text: String) {
    let revision = u32::try_from(edits.len()).unwrap() + 1;
    if let Edit::Undo { revision: undone } = what
        && let Some(record) = edits.iter_mut().find(|record| record.revision == undone)
    {
        record.undone_by = Some(revision);
    }
    edits.push(EditRecord { revision, at: super::samples::cutoff(), by: "Edith".into(), what, note: None, undone_by: None, text });
}

/// What holds for a digest with edits laid over it.
fn check_edited(case: &Case, digest: &Digest) {
    check_digest(case, &case.candidates, digest);
    assert!(digest.picks().filter(|pick| pick.lead).count() <= 1);
    for groups in [&digest.balance.categories, &digest.balance.regions] {
        assert!(groups.iter().map(|group| group.picked).sum::<i64>() <= i64::try_from(digest.picks().count()).unwrap());
    }
}

/// Nobody is in it who is in one of the digests around it, on either side, unless pinned; and what it says of their turn
/// is so.
fn check_turns(case: &Case, digest: &Digest, pinned: &[ActivityId]) -> Result<(), TestCaseError> {
    let mut around: Vec<(i64, &PastDigest)> =
        case.history.iter().map(|other| (other.week.weeks_since(case.week), other)).filter(|(weeks, _)| *weeks != 0).collect();
    around.sort_by_key(|(weeks, _)| *weeks);
    let before = around.partition_point(|(weeks, _)| *weeks < 0);
    let pause = case.config.cool_down as usize;
    let near = &around[before.saturating_sub(pause)..around.len().min(before + pause)];
    let has_place = |digests: &[(i64, &PastDigest)], builder: BuilderId| {
        digests.iter().flat_map(|(_, digest)| &digest.picks).any(|pick| pick.builders.contains(&builder))
    };
    for pick in digest.picks().filter(|pick| !pinned.contains(&pick.work)) {
        let named: Vec<BuilderId> = pick.builders.iter().map(|builder| builder.id).collect();
        prop_assert!(named.iter().any(|builder| !has_place(near, *builder)), "nobody inside the cool-down");
        for reason in &pick.reasons {
            if reason.text == "never featured before" {
                prop_assert!(!named.iter().any(|builder| has_place(&around, *builder)), "nobody new who is not");
            }
        }
    }
    Ok(())
}

/// What becomes of a week: whether a draft is made, and when; what its editors want; under which settings.
#[derive(Debug, Clone)]
struct Schedule {
    missed: u8,
    published: bool,
    wishes: Vec<Wanted>,
    /// A drop in an earlier draft, before this one is made.
    second_thought: Option<(Index, Index)>,
    places: u32,
    cool_down: u32,
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let second_thought = prop::option::of((any::<Index>(), any::<Index>()));
    (0_u8..3, any::<bool>(), prop::collection::vec(any_wish(), 0..4), second_thought, 1_u32..4, 0_u32..6).prop_map(
        |(missed, published, wishes, second_thought, places, cool_down)| Schedule {
            missed,
            published,
            wishes,
            second_thought,
            places,
            cool_down,
        },
    )
}

/// A draft that can be edited still.
struct OnDesk {
    base: Digest,
    pool: Pool,
    edits: Vec<EditRecord>,
}

/// Drops a work from one of the drafts that are not out yet; another takes its place if it has none elsewhere.
fn think_again(
    (draft, place): (Index, Index),
    on_desk: &mut BTreeMap<Week, OnDesk>,
    featured: &mut BTreeMap<ActivityId, Week>,
) -> Option<Digest> {
    let count = on_desk.len().max(1);
    let (week, OnDesk { base, pool, edits }) = on_desk.iter_mut().nth(draft.index(count))?;
    let before = super::lay(base, pool, edits).digest;
    let works: Vec<ActivityId> = before.picks().map(|pick| pick.work.clone()).collect();
    let work = works.get(place.index(works.len().max(1)))?.clone();
    let laid = super::try_edit(base, pool, edits, &Edit::Drop { work }).ok()?;
    let digest = laid.desk.digest;
    let members = |digest: &Digest| digest.picks().flat_map(|pick| pick.members.clone()).collect::<Vec<_>>();
    if members(&digest).iter().any(|member| featured.get(member).is_some_and(|other| other != week)) {
        return None;
    }
    featured.retain(|_, of| of != week);
    featured.extend(members(&digest).into_iter().map(|member| (member, *week)));
    keep(edits, laid.edit, laid.text);
    Some(digest)
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::with_cases(2_000) })]

    /// Outages, settings that change, edits, drafts that never go out, missed weeks that are drafted later.
    #[test]
    fn whatever_happens_a_work_is_featured_at_most_once_and_never_lost(
        mut case in any_case(1..14, 24 * 7 * 8),
        schedules in prop::collection::vec(any_schedule(), 8),
        made_up in any::<bool>(),
    ) {
        let all = case.candidates.clone();
        let first = (0..7).fold(case.week, |week, _| week.previous());
        let weeks: Vec<Week> = std::iter::successors(Some(first), |week| Some(week.next())).take(schedules.len()).collect();
        let mut order: Vec<(Week, &Schedule)> = weeks.iter().copied().zip(&schedules).filter(|(_, schedule)| schedule.missed > 0).collect();
        if made_up {
            // Weeks that were missed are drafted by hand at the end, the newest first.
            order.extend(weeks.iter().copied().zip(&schedules).filter(|(_, schedule)| schedule.missed == 0).rev());
        }
        let mut history: Vec<PastDigest> = Vec::new();
        let mut drafts: BTreeMap<Week, Digest> = BTreeMap::new();
        let mut holds: BTreeMap<ActivityId, (Week, Week)> = BTreeMap::new();
        let (mut featured, mut shelved) = (BTreeMap::new(), BTreeSet::new());
        let mut on_desk: BTreeMap<Week, OnDesk> = BTreeMap::new();
        let mut judged: BTreeMap<ActivityId, Vec<(Week, OutcomeCode)>> = BTreeMap::new();
        for (seq, (week, schedule)) in (1..).zip(order) {
            if let Some(digest) = schedule.second_thought.and_then(|thought| think_again(thought, &mut on_desk, &mut featured)) {
                let past = history.iter_mut().find(|past| past.week == digest.week).unwrap();
                *past = past_digest(&digest, false);
                drafts.insert(digest.week, digest);
            }
            case.week = week;
            (case.config.places, case.config.cool_down) = (schedule.places, schedule.cool_down);
            let cutoff_at = case.inputs().cutoff_at;
            case.candidates = all.iter().filter(|work| work.first_seen_at <= cutoff_at).cloned().collect();
            case.history.clone_from(&history);
            case.edits.holds = holds.iter().filter(|(_, (made, _))| *made != week).map(|(work, (_, until))| (work.clone(), *until)).collect();
            let before = drafts.range(..week).next_back().map(|(_, draft)| draft.cutoff_at);
            let later = drafts.range(week.next()..).map(|(_, draft)| draft.late_finds_after);
            let late_finds = LateFinds::of_new_draft(cutoff_at, before, later, case.config.late_days);
            let (base, pool) = super::compose_with_pool(&super::Inputs { late_finds, cutoff_seq: Seq(seq), ..case.inputs() });
            let mut edits = Vec::new();
            for wish in schedule.wishes.iter().filter(|_| !case.candidates.is_empty()) {
                let edit = wish.edit(&case.candidates, week, &edits);
                if let Ok(laid) = super::try_edit(&base, &pool, &edits, &edit) {
                    keep(&mut edits, laid.edit, laid.text);
                }
            }
            let desk = super::lay(&base, &pool, &edits);
            let digest = desk.digest;
            check_edited(&case, &digest);
            check_turns(&case, &digest, &desk.pinned)?;
            for record in edits.iter().filter(|record| record.undone_by.is_none()) {
                if let Edit::Hold { work, until } = &record.what {
                    holds.insert(work.clone(), (week, *until));
                }
            }
            for pick in digest.picks() {
                for member in &pick.members {
                    let earlier = featured.insert(member.clone(), week);
                    prop_assert_eq!(earlier, None, "featured twice");
                }
            }
            for outcome in &digest.outcomes {
                if outcome.code == OutcomeCode::LateShelf {
                    prop_assert!(shelved.insert(outcome.work.clone()), "on two late shelves");
                }
                judged.entry(outcome.work.clone()).or_default().push((week, outcome.code));
            }
            // What the draft before said stays in the running, does, whatever its reason has come to since.
            for told in drafts.get(&week.previous()).into_iter().flat_map(|before| &before.outcomes) {
                if told.code == OutcomeCode::CoolDown && told.text.ends_with("it stays in the running") {
                    let outcome = digest.outcomes.iter().find(|outcome| outcome.work == told.work).map(|outcome| outcome.code);
                    prop_assert!(
                        outcome.is_some_and(|code| !matches!(code, OutcomeCode::DateOutside | OutcomeCode::LateShelf)),
                        "{} was told that it stays in the running, and is {outcome:?} a week later", told.title
                    );
                }
            }
            case.supply.insert(week, digest.supply.clone());
            history.push(past_digest(&digest, schedule.published));
            if !schedule.published {
                on_desk.insert(week, OnDesk { base, pool, edits });
            }
            drafts.insert(week, digest);
        }
        // What was found after the first draft and before the last was judged on its merits, or was on a late shelf.
        if let (Some((_, first)), Some((_, last))) = (drafts.first_key_value(), drafts.last_key_value()) {
            for work in all.iter().filter(|work| work.first_seen_at > first.cutoff_at && work.first_seen_at <= last.cutoff_at) {
                let codes = judged.get(&work.work).map(Vec::as_slice).unwrap_or_default();
                prop_assert!(codes.iter().any(|(_, code)| *code != OutcomeCode::DateOutside), "{} was lost: {codes:?}", work.title);
            }
        }
        if !made_up {
            let drafted: BTreeMap<Week, BTreeMap<ActivityId, OutcomeCode>> = drafts
                .iter()
                .map(|(week, digest)| (*week, digest.outcomes.iter().map(|outcome| (outcome.work.clone(), outcome.code)).collect()))
                .collect();
            for work in &all {
                never_lost_over_an_outage(&case, first, work, &drafted)?;
            }
        }
        // What was held is in the running again in the first draft of its week or later.
        for (work, (made, until)) in holds.iter().filter(|_| !made_up) {
            let Some(then) = drafts.keys().copied().find(|week| week >= until && week > made) else { continue };
            let code = judged[work].iter().find(|(week, _)| *week == then).map(|(_, code)| *code);
            prop_assert!(code.is_some_and(|code| code != OutcomeCode::DateOutside && code != OutcomeCode::Held), "{work}: {code:?}");
        }
    }
}
