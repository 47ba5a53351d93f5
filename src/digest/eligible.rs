//! Who may be chosen (DIGEST.md section 4.1, RECORD.md sections 3 and 4).
//!
//! In: a candidate, the people behind it, earlier digests. Out: a [`Standing`]: eligible, or the first rule that it
//! fails. The rules are asked in one fixed order, so that a work has one reason, and always the same:
//!
//! 0. not taken back, where it was entered by hand
//! 1. not found by a first import or in a back catalogue
//! 2. out within the window, which cool-downs and holds pause (found later than that: the late shelf, below)
//! 3. of a kind that may be featured
//! 4. public, with a link that is not known to be gone
//! 5. not behind a paywall
//! 6. by somebody who is active, 7. and who has not opted out
//! 8. never featured, 9. nor reserved by an earlier draft
//! 10. not held, 11. nor dropped by an editor
//! 12. not on the late shelf
//! 13. good enough
//! 14. by somebody who is not in cool-down
//!
//! The cool-down stands last because supply counts all that passes every other rule. Whether an eligible work gets a
//! place is for `select`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Inputs;
use super::quality::{Quality, quality};
use crate::model::{ActivityId, ActivityKind, BuilderId, Candidate, Credited, OutcomeCode, PastDigest, Week};

/// The most digests by which cool-downs prolong a window.
const PAUSES: u32 = 6;

/// What is said of a work in cool-down whose window no cool-down prolongs any more.
pub const TIME_IS_OVER: &str = "its time is over with this draft";

const DAY_S: i64 = 86_400;
const WEEK_S: i64 = 7 * DAY_S;

/// What a draft recorded that pauses a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pause {
    CoolDown,
    Held,
}

/// For how long after it came out a work may be chosen, and how many cool-downs prolonged that.
#[derive(Debug, Clone, Copy)]
struct Open {
    for_s: i64,
    cool_downs: u32,
}

impl Open {
    /// After a draft that paused it at this age, which was in the running then: at least until the next.
    fn prolonged(self, age_s: i64) -> i64 {
        (self.for_s + WEEK_S).max(age_s + WEEK_S + 1)
    }

    fn pause(&mut self, pause: Pause, age_s: i64) {
        match pause {
            Pause::Held => self.for_s = self.prolonged(age_s),
            Pause::CoolDown if self.cool_downs < PAUSES => {
                self.for_s = self.prolonged(age_s);
                self.cool_downs += 1;
            }
            Pause::CoolDown => {}
        }
    }
}

/// How a candidate stands before the choice.
#[derive(Debug)]
pub(super) struct Standing<'a> {
    pub candidate: &'a Candidate,
    pub quality: Quality,
    /// The first rule that it fails, and how, in words; `None` if it may be chosen.
    pub fault: Option<(OutcomeCode, String)>,
    /// Passes every rule but the cool-down.
    pub counts_as_supply: bool,
    /// Its builders who may be featured, lowest id first. They are named with it, and its region is the first one's.
    pub shown: Vec<&'a Credited>,
    /// Those of them whose nominee it can be: active and not in cool-down.
    pub nominators: Vec<BuilderId>,
    /// Nothing speaks against it that an editor may not overrule.
    pub pinnable: bool,
    /// An editor put it in, whatever the rules say.
    pub pinned: Option<usize>,
}

/// What other digests say, made quick to ask. A missed week may be drafted after later ones, so they stand on both sides.
pub(super) struct Past {
    week: Week,
    featured: HashSet<ActivityId>,
    reserved: HashMap<ActivityId, Week>,
    /// What was on the late shelf of another draft.
    shelved: HashSet<ActivityId>,
    /// Digests before this one, oldest first, each with the builders who were in cool-down when it was made.
    cooling_then: Vec<(Week, BTreeSet<BuilderId>)>,
    /// The drafts before this one that said of a work that it is held or in cool-down, whatever became of the reason since.
    paused: HashMap<ActivityId, Vec<(Week, Pause)>>,
    /// Builders in cool-down now.
    cooling: BTreeSet<BuilderId>,
    /// The weeks nearest to this one in which a builder had a place, and led.
    nearest_place: BTreeMap<BuilderId, Week>,
    nearest_lead: BTreeMap<BuilderId, Week>,
}

impl Past {
    /// Reads the history. Drafts not yet published reserve their picks and count like digests.
    pub(super) fn of(week: Week, history: &[PastDigest], cool_down: u32) -> Self {
        let mut digests: Vec<&PastDigest> = history.iter().filter(|digest| digest.week != week).collect();
        digests.sort_by_key(|digest| (digest.week, !digest.published));
        let mut past = Self {
            week,
            featured: HashSet::new(),
            reserved: HashMap::new(),
            shelved: digests.iter().flat_map(|digest| digest.shelved.iter().cloned()).collect(),
            cooling_then: Vec::new(),
            paused: HashMap::new(),
            cooling: BTreeSet::new(),
            nearest_place: BTreeMap::new(),
            nearest_lead: BTreeMap::new(),
        };
        for digest in &digests {
            for member in digest.picks.iter().flat_map(|pick| &pick.members) {
                if digest.published {
                    past.featured.insert(member.clone());
                } else {
                    past.reserved.entry(member.clone()).or_insert(digest.week);
                }
            }
        }
        let pause = usize::try_from(cool_down).unwrap_or(usize::MAX);
        let before = digests.partition_point(|digest| digest.week < week);
        for index in 0..before {
            let then = digests[index];
            // What was made after it was not known to it, though its week be earlier.
            let known: Vec<&PastDigest> =
                digests.iter().copied().filter(|digest| digest.week < then.week || digest.cutoff_seq < then.cutoff_seq).collect();
            past.cooling_then.push((then.week, neighbors(&known, then.week, pause)));
            for (works, pause) in [(&then.cooled, Pause::CoolDown), (&then.held, Pause::Held)] {
                for work in works {
                    past.paused.entry(work.clone()).or_default().push((then.week, pause));
                }
            }
        }
        past.cooling = neighbors(&digests, week, pause);
        for digest in &digests {
            for pick in &digest.picks {
                for builder in &pick.builders {
                    keep_nearest(&mut past.nearest_place, *builder, digest.week, week);
                    if pick.lead {
                        keep_nearest(&mut past.nearest_lead, *builder, digest.week, week);
                    }
                }
            }
        }
        past
    }

    /// The week nearest to this one in which the builder has a place; of two as near, the earlier.
    pub(super) fn nearest_place(&self, builder: BuilderId) -> Option<Week> {
        self.nearest_place.get(&builder).copied()
    }

    /// Whether the builder leads a digest fewer than so many weeks before or after this one.
    pub(super) fn leads_within(&self, builder: BuilderId, weeks: i64) -> bool {
        self.nearest_lead.get(&builder).is_some_and(|led| self.week.weeks_since(*led).abs() < weeks)
    }

    /// For how long a work by these builders may be chosen: the window, and a week more for each digest that paused it. Those
    /// are the ones that recorded that it is held or in cool-down, and those at which it was out, its window had not closed
    /// yet, and all its builders were in cool-down. Of cool-downs six count at most.
    fn open(&self, candidate: &Candidate, builders: &[BuilderId], inputs: &Inputs<'_>) -> Open {
        let recorded: BTreeMap<Week, Pause> = {
            let ids = candidate.members.iter().chain([&candidate.work]);
            let mut said: Vec<(Week, Pause)> = ids.filter_map(|id| self.paused.get(id)).flatten().copied().collect();
            // Of two words of one draft the hold is the later in this order, and stands.
            said.sort_unstable();
            said.into_iter().collect()
        };
        let mut open = Open { for_s: i64::from(inputs.config.window_days) * DAY_S, cool_downs: 0 };
        for (then, cooling) in &self.cooling_then {
            let then_at = inputs.cutoff_at.as_second() - inputs.week.weeks_since(*then) * WEEK_S;
            let age_s = then_at - candidate.effective_at.as_second();
            if age_s < 0 {
                continue;
            }
            if let Some(pause) = recorded.get(then) {
                open.pause(*pause, age_s);
            } else if age_s < open.for_s && !builders.is_empty() && builders.iter().all(|builder| cooling.contains(builder)) {
                open.pause(Pause::CoolDown, age_s);
            }
        }
        open
    }
}

/// The builders with a place in one of so many digests before a week, or after it.
fn neighbors(digests: &[&PastDigest], week: Week, pause: usize) -> BTreeSet<BuilderId> {
    let before = digests.partition_point(|digest| digest.week < week);
    let after = digests.partition_point(|digest| digest.week <= week);
    let near = digests[..before].iter().rev().take(pause).chain(digests[after..].iter().take(pause));
    near.flat_map(|digest| &digest.picks).flat_map(|pick| pick.builders.iter().copied()).collect()
}

fn keep_nearest(nearest: &mut BTreeMap<BuilderId, Week>, builder: BuilderId, candidate: Week, week: Week) {
    let kept = nearest.entry(builder).or_insert(candidate);
    if (week.weeks_since(candidate).abs(), candidate) < (week.weeks_since(*kept).abs(), *kept) {
        *kept = candidate;
    }
}

/// The rules of one week, ready to be asked about any number of candidates.
pub(super) struct Rules<'a> {
    inputs: &'a Inputs<'a>,
    past: &'a Past,
    kinds: HashSet<ActivityKind>,
}

impl<'a> Rules<'a> {
    pub(super) fn of(inputs: &'a Inputs<'a>, past: &'a Past) -> Self {
        Self { inputs, past, kinds: inputs.config.kinds.iter().filter_map(|kind| ActivityKind::parse(kind)).collect() }
    }

    /// How a candidate stands.
    pub(super) fn judge(&self, candidate: &'a Candidate) -> Standing<'a> {
        let mut shown: Vec<&Credited> = candidate
            .builders
            .iter()
            .filter_map(|builder| self.inputs.builders.get(builder))
            .filter(|builder| !builder.not_featured && !builder.not_public)
            .collect();
        shown.sort_unstable_by_key(|builder| builder.id);
        shown.dedup_by_key(|builder| builder.id);
        let quality = quality(candidate, self.inputs.config, self.inputs.cutoff_at);
        let pinned = self.inputs.edits.pin_of(candidate);
        let before_cool_down = self.fault_before_cool_down(candidate, &shown, quality.points);
        let counts_as_supply = before_cool_down.is_none();
        let nominators: Vec<BuilderId> =
            shown.iter().filter(|builder| builder.active && !self.past.cooling.contains(&builder.id)).map(|builder| builder.id).collect();
        let fault = before_cool_down.or_else(|| nominators.is_empty().then(|| self.cool_down_fault(candidate, &shown)));
        let pinnable = self.may_be_pinned(candidate, &shown) && fault.as_ref().is_none_or(|(code, _)| pin_overrules(*code));
        let pinned = pinned.filter(|_| pinnable);
        Standing { candidate, quality, fault, counts_as_supply, shown, nominators, pinnable, pinned }
    }

    /// What a pin never overrules, whichever rule came first: a work is featured once, has a link, and is by somebody who
    /// wants it.
    fn may_be_pinned(&self, candidate: &Candidate, shown: &[&Credited]) -> bool {
        let taken = |id: &ActivityId| self.past.featured.contains(id) || self.past.reserved.contains_key(id);
        candidate.url.is_some()
            && !candidate.withdrawn
            && !candidate.link_gone
            && shown.iter().any(|builder| builder.active)
            && !candidate.members.iter().chain([&candidate.work]).any(taken)
    }

    /// What the active builders of a work chose, who all stay out of digests.
    fn choice_of(&self, candidate: &Candidate) -> &'static str {
        let builders = candidate.builders.iter().filter_map(|builder| self.inputs.builders.get(builder));
        let choices: BTreeSet<bool> = builders.filter(|builder| builder.active).map(|builder| builder.not_featured).collect();
        match (choices.contains(&true), choices.contains(&false)) {
            (true, true) => "its builders chose not to be featured, or not to be public",
            (false, true) => "its builders chose not to be public",
            (_, false) => "its builders chose not to be featured",
        }
    }

    /// Rules 0 to 13.
    fn fault_before_cool_down(&self, candidate: &Candidate, shown: &[&Credited], points: i64) -> Option<(OutcomeCode, String)> {
        let fault = |code, text: &str| Some((code, text.to_owned()));
        let Inputs { week, config, builders, edits, .. } = *self.inputs;
        if candidate.withdrawn {
            return fault(OutcomeCode::Withdrawn, "it was entered by hand, and taken back");
        }
        if candidate.backfill && candidate.published_at.is_none() {
            return fault(OutcomeCode::DateMissing, "its source gives no date, and it came with a first import or a back catalogue");
        }
        if candidate.backfill {
            return fault(
                OutcomeCode::FirstImportBackfill,
                "it came with a first import or a back catalogue: in the record, never in a digest",
            );
        }
        let outside = if self.hold_keeps_open(candidate) { None } else { self.window_fault(candidate, shown) };
        let late = match outside {
            Some((OutcomeCode::LateShelf, text)) => Some(text),
            Some(outside) => return Some(outside),
            None => None,
        };
        if !self.kinds.contains(&candidate.kind) {
            return Some((OutcomeCode::FilteredKind, format!("works of the kind {} are not featured", candidate.kind)));
        }
        if candidate.link_gone {
            return fault(OutcomeCode::PrivateOrGone, "its link is gone");
        }
        if candidate.url.is_none() {
            return fault(OutcomeCode::PrivateOrGone, "it has no public address");
        }
        if candidate.paywalled {
            return fault(OutcomeCode::Paywalled, "it is behind a paywall or a sign-up");
        }
        if candidate.unproven {
            return fault(OutcomeCode::BelowFloor, "nobody has voted for this answer or accepted it yet");
        }
        if !candidate.builders.iter().any(|builder| builders.get(builder).is_some_and(|builder| builder.active)) {
            return fault(OutcomeCode::Inactive, "none of its builders is an active member");
        }
        if !shown.iter().any(|builder| builder.active) {
            return fault(OutcomeCode::OptedOut, self.choice_of(candidate));
        }
        if candidate.members.iter().chain([&candidate.work]).any(|member| self.past.featured.contains(member)) {
            return fault(OutcomeCode::AlreadyFeatured, "it was featured before");
        }
        if let Some(draft) = candidate.members.iter().chain([&candidate.work]).find_map(|member| self.past.reserved.get(member)) {
            return Some((OutcomeCode::Reserved, format!("the draft of {draft}, not yet published, holds it")));
        }
        if let Some(until) = edits.held_until(candidate).filter(|until| week < *until) {
            return Some((OutcomeCode::Held, format!("held by an editor until {until}")));
        }
        if candidate.held_until.is_some_and(|until| until > self.inputs.cutoff_at) {
            return fault(OutcomeCode::Held, "it is announced, but was not out at the cut-off");
        }
        if edits.drops(candidate) {
            return fault(OutcomeCode::Dropped, "dropped by an editor this week");
        }
        if let Some(text) = late {
            return Some((OutcomeCode::LateShelf, text));
        }
        if points < config.floor {
            return Some((OutcomeCode::BelowFloor, format!("quality {points} is under the floor of {}", config.floor)));
        }
        None
    }

    /// Whether an editor's hold keeps the window open: until its week, and in the first draft of that week or later.
    fn hold_keeps_open(&self, candidate: &Candidate) -> bool {
        let Some(until) = self.inputs.edits.held_until(candidate) else { return false };
        let had_its_draft = self.past.cooling_then.iter().any(|(week, _)| *week >= until);
        candidate.effective_at <= self.inputs.cutoff_at && !had_its_draft
    }

    /// Rule 2. A work that was found only after its window had closed, or whose window closed over weeks without a draft, is
    /// a late find, once: in the first draft after.
    fn window_fault(&self, candidate: &Candidate, shown: &[&Credited]) -> Option<(OutcomeCode, String)> {
        let Inputs { cutoff_at, .. } = *self.inputs;
        let age_s = cutoff_at.as_second() - candidate.effective_at.as_second();
        if age_s < 0 {
            return Some((OutcomeCode::DateOutside, "it came out after this cut-off; the next draft holds it".to_owned()));
        }
        let open_for_s = self.open(candidate, shown).for_s;
        if age_s < open_for_s {
            return None;
        }
        if let Some(text) = self.late_text(candidate, open_for_s) {
            return Some((OutcomeCode::LateShelf, text));
        }
        Some((OutcomeCode::DateOutside, format!("it came out more than {} days before the cut-off", open_for_s / DAY_S)))
    }

    fn open(&self, candidate: &Candidate, shown: &[&Credited]) -> Open {
        let active: Vec<BuilderId> = shown.iter().filter(|builder| builder.active).map(|builder| builder.id).collect();
        self.past.open(candidate, &active, self.inputs)
    }

    /// Why a work whose window has closed is on the late shelf of this draft, if it is.
    fn late_text(&self, candidate: &Candidate, open_for_s: i64) -> Option<String> {
        let Inputs { config, late_finds, .. } = *self.inputs;
        if candidate.members.iter().chain([&candidate.work]).any(|member| self.past.shelved.contains(member)) {
            return None;
        }
        let found_after_s = candidate.first_seen_at.as_second() - candidate.effective_at.as_second();
        if late_finds.hold(candidate.first_seen_at) && found_after_s <= i64::from(config.late_days) * DAY_S {
            return Some(if found_after_s < open_for_s {
                "its window closed before a draft could hold it".to_owned()
            } else {
                format!("found {} days after it came out, when its window had closed", found_after_s / DAY_S)
            });
        }
        let missed = self.missed_draft(candidate, open_for_s)?;
        Some(format!("its window closed while no draft was made: that of {missed} would have held it"))
    }

    /// The last week since the draft before this one whose draft was never made, and would have held the work.
    fn missed_draft(&self, candidate: &Candidate, open_for_s: i64) -> Option<Week> {
        let Inputs { week, cutoff_at, late_finds, .. } = *self.inputs;
        let before = self.past.cooling_then.last().map(|(week, _)| *week);
        let known_at_s = candidate.effective_at.max(candidate.first_seen_at).as_second();
        let mut missed = week.previous();
        let mut missed_at_s = cutoff_at.as_second() - 7 * DAY_S;
        while before.is_none_or(|before| before < missed) && missed_at_s > late_finds.after.as_second() && missed_at_s >= known_at_s {
            if missed_at_s - candidate.effective_at.as_second() < open_for_s {
                return Some(missed);
            }
            (missed, missed_at_s) = (missed.previous(), missed_at_s - 7 * DAY_S);
        }
        None
    }

    fn cool_down_fault(&self, candidate: &Candidate, shown: &[&Credited]) -> (OutcomeCode, String) {
        let week = self.past.week;
        let near = shown.iter().filter(|builder| builder.active).filter_map(|builder| self.past.nearest_place(builder.id));
        let whose = if candidate.builders.len() > 1 { "its builders" } else { "its builder" };
        let were = if candidate.builders.len() > 1 { "were" } else { "was" };
        let have = if candidate.builders.len() > 1 { "have" } else { "has" };
        let why = match near.min_by_key(|near| (week.weeks_since(*near).abs(), *near)) {
            Some(near) if near > week => format!("{whose} {have} a place in the digest of {near} already"),
            Some(near) => format!("{whose} {were} in the digest of {near}"),
            None => format!("{whose} {were} in one of the last digests"),
        };
        let age_s = self.inputs.cutoff_at.as_second() - candidate.effective_at.as_second();
        let mut open = self.open(candidate, shown);
        open.pause(Pause::CoolDown, age_s);
        let then = if age_s + WEEK_S < open.for_s { "it stays in the running" } else { TIME_IS_OVER };
        (OutcomeCode::CoolDown, format!("{why}; {then}"))
    }
}

/// Whether an editor's pin counts for more than the rule: never against what was featured, is gone, or was asked for.
fn pin_overrules(code: OutcomeCode) -> bool {
    match code {
        OutcomeCode::CoolDown
        | OutcomeCode::BelowFloor
        | OutcomeCode::Held
        | OutcomeCode::Paywalled
        | OutcomeCode::FilteredKind
        | OutcomeCode::FirstImportBackfill
        | OutcomeCode::DateMissing
        | OutcomeCode::DateOutside
        | OutcomeCode::LateShelf => true,
        OutcomeCode::AlreadyFeatured
        | OutcomeCode::Reserved
        | OutcomeCode::Dropped
        | OutcomeCode::PrivateOrGone
        | OutcomeCode::Withdrawn
        | OutcomeCode::OptedOut
        | OutcomeCode::Inactive
        | OutcomeCode::Chosen
        | OutcomeCode::Removed
        | OutcomeCode::NoPlace
        | OutcomeCode::NotNominee => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::samples::{Case, candidate, days_before_cutoff, past_pick, past_week, week, work_id};
    use crate::model::{PastPick, Substance};

    /// The outcome of one candidate of builder 1 after a change to it or to the case.
    fn outcome(change: impl FnOnce(&mut Case, &mut Candidate)) -> OutcomeCode {
        let mut case = Case::new(2);
        let mut work = candidate(1, &[1]);
        change(&mut case, &mut work);
        case.candidates.push(work);
        let digest = case.compose();
        assert_eq!(digest.outcomes.len(), 1);
        digest.outcomes[0].code
    }

    fn past(weeks_ago: i64, published: bool, picks: Vec<PastPick>) -> PastDigest {
        let week = (0..weeks_ago).fold(week(), |week, _| week.previous());
        PastDigest { published, picks, ..past_week(week) }
    }

    fn came_out(work: &mut Candidate, days: i64) {
        work.effective_at = days_before_cutoff(days);
        work.published_at = Some(work.effective_at);
        work.first_seen_at = work.effective_at;
    }

    /// Featured so many weeks ago, and a digest without them in every week since.
    fn featured_weeks_ago(case: &mut Case, weeks: i64, builder: i64) {
        case.history.push(past(weeks, true, vec![past_pick(&[99], &[builder])]));
        case.history.extend((1..weeks).map(|weeks| past(weeks, true, Vec::new())));
    }

    #[test]
    fn each_rule_has_its_code() {
        type Change = fn(&mut Case, &mut Candidate);
        let rules: [(OutcomeCode, Change); 22] = [
            (OutcomeCode::Chosen, |_, _| ()),
            (OutcomeCode::DateMissing, |_, work| (work.published_at, work.backfill) = (None, true)),
            (OutcomeCode::Chosen, |_, work| work.published_at = None),
            (OutcomeCode::FirstImportBackfill, |_, work| work.backfill = true),
            (OutcomeCode::DateOutside, |_, work| came_out(work, 14)),
            (OutcomeCode::DateOutside, |_, work| came_out(work, -1)),
            (OutcomeCode::FilteredKind, |_, work| work.kind = ActivityKind::Short),
            (OutcomeCode::PrivateOrGone, |_, work| work.link_gone = true),
            (OutcomeCode::PrivateOrGone, |_, work| work.url = None),
            (OutcomeCode::Withdrawn, |_, work| work.withdrawn = true),
            (OutcomeCode::Paywalled, |_, work| work.paywalled = true),
            (OutcomeCode::BelowFloor, |_, work| work.unproven = true),
            (OutcomeCode::Inactive, |case, _| case.builders.get_mut(&BuilderId(1)).unwrap().active = false),
            (OutcomeCode::Inactive, |_, work| work.builders = vec![BuilderId(77)]),
            (OutcomeCode::OptedOut, |case, _| case.builders.get_mut(&BuilderId(1)).unwrap().not_featured = true),
            (OutcomeCode::OptedOut, |case, _| case.builders.get_mut(&BuilderId(1)).unwrap().not_public = true),
            (OutcomeCode::AlreadyFeatured, |case, _| case.history.push(past(20, true, vec![past_pick(&[1], &[2])]))),
            (OutcomeCode::Reserved, |case, _| case.history.push(past(1, false, vec![past_pick(&[1], &[1])]))),
            (OutcomeCode::Held, |case, _| case.edits.holds = [(work_id(1), week().next())].into()),
            (OutcomeCode::Held, |_, work| work.held_until = Some(work.effective_at + jiff::SignedDuration::from_hours(9_999))),
            (OutcomeCode::Dropped, |case, _| case.edits.drops = [work_id(1)].into()),
            (OutcomeCode::BelowFloor, |_, work| {
                (work.topic.confidence, work.substance) = (0, Substance { words: Some(5), canonical: Some(false), ..Substance::default() });
            }),
        ];
        for (index, (code, change)) in rules.into_iter().enumerate() {
            assert_eq!(outcome(change), code, "case {index}");
        }
    }

    #[test]
    fn any_member_that_was_featured_takes_the_work_out() {
        let code = outcome(|case, work| {
            work.members.push(work_id(50));
            case.history.push(past(30, true, vec![past_pick(&[50, 51], &[2])]));
        });
        assert_eq!(code, OutcomeCode::AlreadyFeatured);
    }

    #[test]
    fn a_work_is_in_cool_down_only_when_all_its_builders_are() {
        for (weeks, code) in [(1, OutcomeCode::CoolDown), (4, OutcomeCode::CoolDown), (5, OutcomeCode::Chosen)] {
            assert_eq!(outcome(|case, _| featured_weeks_ago(case, weeks, 1)), code, "{weeks} weeks ago");
        }
        let by_two = outcome(|case, work| {
            work.builders.push(BuilderId(2));
            featured_weeks_ago(case, 1, 1);
        });
        assert_eq!(by_two, OutcomeCode::Chosen);
        let an_unpublished_draft_counts = outcome(|case, _| case.history.push(past(2, false, vec![past_pick(&[99], &[1])])));
        assert_eq!(an_unpublished_draft_counts, OutcomeCode::CoolDown);
    }

    #[test]
    fn a_cool_down_pauses_the_window() {
        // Featured five weeks ago: the four digests since were cool-down, this one is not.
        for (days, code) in [
            (13, OutcomeCode::Chosen),
            (30, OutcomeCode::Chosen),
            (14 + 27, OutcomeCode::Chosen),
            // Older than its first week when the cool-down began, so a chance was had before it.
            (14 + 28, OutcomeCode::DateOutside),
        ] {
            let code_then = outcome(|case, work| {
                came_out(work, days);
                featured_weeks_ago(case, 5, 1);
            });
            assert_eq!(code_then, code, "{days} days old");
        }
        let without_cool_down = outcome(|case, work| {
            came_out(work, 20);
            featured_weeks_ago(case, 5, 2);
        });
        assert_eq!(without_cool_down, OutcomeCode::DateOutside);
    }

    #[test]
    fn cool_downs_prolong_a_window_by_six_weeks_at_most() {
        let code_after = |days: i64| {
            outcome(|case, work| {
                case.config.cool_down = 20;
                came_out(work, days);
                featured_weeks_ago(case, 15, 1);
            })
        };
        assert_eq!(code_after(14 + 41), OutcomeCode::CoolDown);
        assert_eq!(code_after(14 + 42), OutcomeCode::DateOutside);
    }

    #[test]
    fn what_drafts_recorded_pauses_a_window_whatever_became_of_the_reason() {
        let code = |days: i64, cooled: &[i64], held: &[i64]| {
            outcome(|case, work| {
                came_out(work, days);
                case.history = (1..=12)
                    .rev()
                    .map(|weeks| PastDigest {
                        cooled: cooled.iter().filter(|then| **then == weeks).map(|_| work_id(1)).collect(),
                        held: held.iter().filter(|then| **then == weeks).map(|_| work_id(1)).collect(),
                        ..past(weeks, true, Vec::new())
                    })
                    .collect();
            })
        };
        assert_eq!(code(20, &[], &[]), OutcomeCode::DateOutside);
        // Nobody's place speaks for a cool-down any more.
        assert_eq!(code(20, &[1], &[]), OutcomeCode::Chosen);
        assert_eq!(code(27, &[1, 2], &[]), OutcomeCode::Chosen);
        assert_eq!(code(28, &[1, 2], &[]), OutcomeCode::Chosen, "in cool-down at 21 days of 14 and 7: kept until the next draft");
        assert_eq!(code(32, &[1], &[2, 3, 4]), OutcomeCode::Chosen, "held, then in cool-down");
        assert_eq!(code(34, &[4], &[]), OutcomeCode::DateOutside);
        // Six weeks of cool-down in all; a hold has no such bound.
        assert_eq!(code(55, &[1, 2, 3, 4, 5, 6], &[]), OutcomeCode::Chosen);
        assert_eq!(code(62, &[1, 2, 3, 4, 5, 6, 7], &[]), OutcomeCode::DateOutside);
        assert_eq!(code(83, &[], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), OutcomeCode::Chosen);
    }

    #[test]
    fn only_what_stays_in_the_running_is_told_so() {
        for (days, stays) in [(13, true), (14 + 34, true), (14 + 35, false), (14 + 41, false)] {
            let mut case = Case::new(2);
            case.config.cool_down = 20;
            let mut work = candidate(1, &[1]);
            came_out(&mut work, days);
            case.candidates.push(work);
            featured_weeks_ago(&mut case, 15, 1);
            let digest = case.compose();
            assert_eq!(digest.outcomes[0].code, OutcomeCode::CoolDown, "{days} days old");
            assert_eq!(digest.outcomes[0].text.ends_with("it stays in the running"), stays, "{days}: {}", digest.outcomes[0].text);
        }
    }

    #[test]
    fn a_find_after_its_window_is_on_one_late_shelf() {
        let found = |published: i64, found: i64| {
            outcome(|_, work| {
                came_out(work, published);
                work.first_seen_at = days_before_cutoff(found);
            })
        };
        for (published, seen, code) in [
            (20, 3, OutcomeCode::LateShelf),
            (60, 3, OutcomeCode::LateShelf),
            (13, 3, OutcomeCode::Chosen),
            (70, 3, OutcomeCode::DateOutside),
            // Found before the last cut-off: that draft had it on its shelf.
            (30, 8, OutcomeCode::DateOutside),
        ] {
            assert_eq!(found(published, seen), code, "published {published}, found {seen} days before the cut-off");
        }
    }

    #[test]
    fn a_week_drafted_after_a_later_one_pauses_for_it_too() {
        let later = |weeks: i64, published: bool| {
            let week = (0..weeks).fold(week(), |week, _| week.next());
            PastDigest { published, picks: vec![past_pick(&[99], &[1])], ..past_week(week) }
        };
        for published in [true, false] {
            assert_eq!(outcome(|case, _| case.history.push(later(1, published))), OutcomeCode::CoolDown, "{published}");
        }
        // With four digests between, neither is in the other's cool-down.
        let far = outcome(|case, _| {
            case.history = (1..=4).map(|weeks| PastDigest { picks: Vec::new(), ..later(weeks, true) }).chain([later(5, true)]).collect();
        });
        assert_eq!(far, OutcomeCode::Chosen);

        let mut case = Case::new(1);
        case.config.cool_down = 0;
        case.candidates = vec![candidate(1, &[1])];
        case.history = vec![later(2, true)];
        let digest = case.compose();
        let turn = digest.picks().next().unwrap().reasons.iter().find(|reason| reason.text.contains("later")).unwrap();
        assert_eq!((turn.text.as_str(), turn.points), ("featured 2 weeks later, in 2026-W49", 150 * (2000 / 26) / 1000));
        assert!(digest.lead().is_some());
        case.history[0].picks[0].lead = true;
        assert!(case.compose().lead().is_none(), "led two weeks later");
        case.config.cool_down = 4;
        assert_eq!(case.compose().outcomes[0].text, "its builder has a place in the digest of 2026-W49 already; it stays in the running");
    }

    #[test]
    fn what_a_missed_draft_would_have_held_is_on_the_next_late_shelf() {
        // The last draft before this one was three weeks ago; two were missed.
        let after_outage = |days: i64, change: fn(&mut Case)| {
            let mut case = Case::new(2);
            let mut work = candidate(1, &[1]);
            came_out(&mut work, days);
            case.candidates.push(work);
            case.history.push(past(3, true, Vec::new()));
            change(&mut case);
            let late_finds = crate::digest::LateFinds { after: days_before_cutoff(21), until: days_before_cutoff(0) };
            let digest = crate::digest::compose(&Inputs { late_finds, ..case.inputs() });
            (digest.outcomes[0].code, digest.outcomes[0].text.clone())
        };
        let none: fn(&mut Case) = |_| ();
        assert_eq!(after_outage(13, none).0, OutcomeCode::Chosen);
        // In the running at the last draft, and at the first that was missed.
        let (code, text) = after_outage(22, none);
        assert_eq!(code, OutcomeCode::LateShelf);
        assert_eq!(text, "its window closed while no draft was made: that of 2026-W45 would have held it");
        assert!(after_outage(20, none).1.contains("before a draft could hold it"));
        // Out too long at the first that was missed: it had its drafts.
        assert_eq!(after_outage(28, none).0, OutcomeCode::DateOutside);
        // In cool-down at the last draft, so its window was open for a week longer.
        let paused: fn(&mut Case) = |case| {
            case.history[0].cutoff_seq = crate::model::Seq(9);
            case.history.insert(0, past(4, true, vec![past_pick(&[99], &[1])]));
        };
        assert_eq!(after_outage(34, paused).0, OutcomeCode::LateShelf);
        assert_eq!(after_outage(35, paused).0, OutcomeCode::DateOutside);
        // On one shelf alone.
        assert_eq!(
            after_outage(22, |case| case.history.push(PastDigest { shelved: vec![work_id(1)], ..past_week(week().next()) })).0,
            OutcomeCode::DateOutside
        );
    }

    #[test]
    fn a_pin_overrules_what_editors_may_overrule() {
        let pinned = |change: fn(&mut Case, &mut Candidate)| {
            outcome(|case, work| {
                case.edits.pins.push(work_id(1));
                change(case, work);
            })
        };
        assert_eq!(pinned(|case, _| featured_weeks_ago(case, 1, 1)), OutcomeCode::Chosen);
        assert_eq!(pinned(|_, work| work.backfill = true), OutcomeCode::Chosen);
        assert_eq!(pinned(|_, work| came_out(work, 40)), OutcomeCode::Chosen);
        assert_eq!(pinned(|_, work| work.link_gone = true), OutcomeCode::PrivateOrGone);
        assert_eq!(pinned(|_, work| work.withdrawn = true), OutcomeCode::Withdrawn);
        assert_eq!(pinned(|case, _| case.builders.get_mut(&BuilderId(1)).unwrap().not_featured = true), OutcomeCode::OptedOut);
        assert_eq!(pinned(|case, _| case.history.push(past(20, true, vec![past_pick(&[1], &[2])]))), OutcomeCode::AlreadyFeatured);
        // Nor where another rule comes first.
        let featured_and_old = pinned(|case, work| {
            came_out(work, 40);
            case.history.push(past(5, true, vec![past_pick(&[1], &[2])]));
        });
        assert_eq!(featured_and_old, OutcomeCode::DateOutside);
    }
}
