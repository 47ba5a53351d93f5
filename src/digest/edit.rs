//! Lays what editors did over a computed draft (DIGEST.md section 6).
//!
//! In: the draft, the works that could have a place in it, the edits in order. Out: the desk: the digest as edited, who
//! is next in line, the texts that were written anew beside the originals. Pure, so the same edits on the same draft
//! give the same digest, and an edit that is taken back leaves no trace.
//!
//! An edit is local: a drop takes one work out, keeps all others and fills one place by the rule of the choice; a pin in
//! a full digest takes the place of the pick that was added last and is not pinned. A refresh alone begins the choice
//! again, from the pins and drops. Nobody is in a digest twice, whatever is done. Whether the outcome is fit to be
//! sent is for `check`, who may edit and when for others.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::balance::{is_group, need};
use super::order;
use super::select::tie;
use crate::model::{
    ActivityId, BuilderId, Contender, Desk, Difference, Digest, Edit, EditRecord, InLine, Network, Notice, Outcome, OutcomeCode, Pick,
    Pool, Reason, ReasonTerm, Rewording, Wording, sha256_hex,
};

/// How many in line are shown.
const NEXT: usize = 10;
/// For how many weeks a work may be held at most.
const HOLD_WEEKS: i64 = 8;
/// The longest texts, in characters.
const SUMMARY_CHARS: usize = 280;
const GLOSS_CHARS: usize = 200;
const INTRO_CHARS: usize = 600;
const SOCIAL_CHARS: usize = 3_000;
/// The place of what was moved to the end: it stays there, whatever comes in later.
const LAST: u32 = u32::MAX;
/// More activities than this are never merged into one work by hand.
const MEMBERS: usize = 200;

/// Why an edit was not taken, in a sentence for the one who asked for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EditRefused(pub String);

/// An edit that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    pub desk: Desk,
    /// What was done, in words.
    pub text: String,
    /// The edit as it is kept: texts trimmed, works named by their own ids.
    pub edit: Edit,
}

/// The desk after all these edits. One that has no object any more (its work went with an edit that was taken back, or
/// with a refresh) does nothing, and a notice says so.
pub fn lay(base: &Digest, pool: &Pool, edits: &[EditRecord]) -> Desk {
    Table::after(base, pool, edits).desk()
}

/// Lays one more edit over the draft, or says why it makes no sense now.
pub fn try_edit(base: &Digest, pool: &Pool, edits: &[EditRecord], next: &Edit) -> Result<Laid, EditRefused> {
    let next = tidy(next)?;
    if let Edit::Undo { revision } = next {
        let undone = undoable(edits, revision)?;
        let text = format!("took back: {}", undone.text);
        let mut edits = edits.to_vec();
        let by = u32::try_from(edits.len()).unwrap_or(u32::MAX).saturating_add(1);
        if let Some(record) = edits.iter_mut().find(|record| record.revision == revision) {
            record.undone_by = Some(by);
        }
        return Ok(Laid { desk: lay(base, pool, &edits), text, edit: next });
    }
    if next == Edit::Refresh {
        let mut edits = edits.to_vec();
        edits.push(EditRecord {
            revision: edits.last().map_or(1, |last| last.revision.saturating_add(1)),
            at: base.cutoff_at,
            by: String::new(),
            what: Edit::Refresh,
            note: None,
            undone_by: None,
            text: String::new(),
        });
        return Ok(Laid { desk: lay(base, pool, &edits), text: "computed the draft anew".to_owned(), edit: next });
    }
    let next = match next {
        Edit::Move { work, place } => within_section(base, pool, edits, work, place)?,
        other => other,
    };
    let mut table = Table::after(base, pool, edits);
    let text = table.describe(&next);
    table.apply(&next, edits.last().map_or(1, |last| last.revision.saturating_add(1)), true)?;
    Ok(Laid { desk: table.desk(), text, edit: next })
}

/// A move to a place that its section has: beyond the last is the last. One that changes nothing is refused.
fn within_section(base: &Digest, pool: &Pool, edits: &[EditRecord], work: ActivityId, place: u32) -> Result<Edit, EditRefused> {
    let desk = lay(base, pool, edits);
    let about = |pick: &Pick| pick.is_of(&work);
    // What has no place, or place 0, is refused where the edit is laid.
    let Some(section) = desk.digest.sections.iter().find(|section| section.picks.iter().any(about)) else {
        return Ok(Edit::Move { work, place });
    };
    let all = u32::try_from(section.picks.len()).unwrap_or(u32::MAX);
    let stands = section.picks.iter().position(about).map_or(0, |index| u32::try_from(index + 1).unwrap_or(u32::MAX));
    if place.min(all) == stands {
        let title = quoted(&section.picks[section.picks.iter().position(about).unwrap_or_default()].title);
        let why = if all == 1 {
            format!("{title} is alone in its section")
        } else {
            format!("{title} has place {stands} of {all} in its section already")
        };
        return Err(EditRefused(why));
    }
    Ok(Edit::Move { work, place: if place >= all { LAST } else { place } })
}

fn undoable(edits: &[EditRecord], revision: u32) -> Result<&EditRecord, EditRefused> {
    let refused = |text: String| Err(EditRefused(text));
    match edits.iter().find(|record| record.revision == revision) {
        None => refused(format!("there is no edit {revision}")),
        Some(EditRecord { undone_by: Some(by), .. }) => refused(format!("edit {revision} was taken back already, by edit {by}")),
        Some(EditRecord { what: Edit::Undo { .. }, .. }) => {
            refused(format!("edit {revision} took another one back: make that one again instead"))
        }
        Some(EditRecord { what: Edit::Refresh, .. }) => {
            refused("a refresh cannot be taken back: the draft before it is no more".to_owned())
        }
        Some(record) => Ok(record),
    }
}

/// SHA-256, hex, over the edits that stand, in order; `None` where there are none. Who made them, when and why changes
/// nothing about the digest, so it is not in the hash.
pub fn edit_hash(edits: &[EditRecord]) -> Option<String> {
    let standing: Vec<&Edit> = edits.iter().filter(|record| stands(record)).map(|record| &record.what).collect();
    if standing.is_empty() {
        return None;
    }
    let text = serde_json::to_string(&standing).expect("edits are plain data with text keys");
    Some(sha256_hex(text.as_bytes()))
}

fn stands(record: &EditRecord) -> bool {
    record.undone_by.is_none() && !matches!(record.what, Edit::Undo { .. })
}

/// What differs from one digest to another.
pub fn difference(before: &Digest, after: &Digest) -> Difference {
    let places = |digest: &Digest| -> Vec<(ActivityId, Pick)> {
        digest.picks().filter(|pick| pick.removed.is_none()).map(|pick| (pick.work.clone(), pick.clone())).collect()
    };
    let (old, new) = (places(before), places(after));
    let same = |one: &Pick, other: &Pick| one.work == other.work || one.members.iter().any(|member| other.members.contains(member));
    let mut difference = Difference::default();
    let position = |index: usize| u32::try_from(index + 1).unwrap_or(u32::MAX);
    // Moved is what changed its order among those that stayed.
    let stayed_old: Vec<&Pick> = old.iter().map(|(_, pick)| pick).filter(|pick| new.iter().any(|(_, other)| same(pick, other))).collect();
    let stayed_new: Vec<&Pick> = new.iter().map(|(_, pick)| pick).filter(|pick| old.iter().any(|(_, other)| same(pick, other))).collect();
    for (index, (work, pick)) in new.iter().enumerate() {
        let Some(was) = old.iter().position(|(_, other)| same(pick, other)) else {
            difference.added.push((work.clone(), pick.title.clone()));
            continue;
        };
        let rank_of = |picks: &[&Pick]| picks.iter().position(|other| same(pick, other));
        if rank_of(&stayed_old) != rank_of(&stayed_new) {
            difference.moved.push((work.clone(), pick.title.clone(), position(was), position(index)));
        }
        let words = |pick: &Pick| (pick.title.clone(), pick.title_gloss.clone(), pick.summary.clone(), pick.social.clone());
        if words(pick) != words(&old[was].1) {
            difference.reworded.push((work.clone(), pick.title.clone()));
        }
    }
    for (work, pick) in &old {
        if !new.iter().any(|(_, other)| same(pick, other)) {
            difference.removed.push((work.clone(), pick.title.clone()));
        }
    }
    let lead = |digest: &Digest| digest.lead().map(|pick| pick.title.clone());
    if lead(before) != lead(after) {
        difference.lead = Some((lead(before), lead(after)));
    }
    for (old, new) in [(&before.balance.categories, &after.balance.categories), (&before.balance.regions, &after.balance.regions)] {
        let keys: BTreeSet<&str> = old.iter().chain(new.iter()).map(|group| group.key.as_str()).collect();
        for key in keys {
            let of = |groups: &[crate::model::Group]| {
                groups.iter().find(|group| group.key == key).map(|group| (group.name.clone(), group.picked))
            };
            let (was, is) = (of(old), of(new));
            let name = is.as_ref().or(was.as_ref()).map(|(name, _)| name.clone()).unwrap_or_default();
            let (was, is) = (was.map_or(0, |(_, picked)| picked), is.map_or(0, |(_, picked)| picked));
            if was != is {
                difference.shares.push((name, was, is));
            }
        }
    }
    difference
}

/// The edit with its texts trimmed and bounded.
fn tidy(edit: &Edit) -> Result<Edit, EditRefused> {
    let clean = |text: &Option<String>, most: usize, what: &str| -> Result<Option<String>, EditRefused> {
        let Some(text) = text else { return Ok(None) };
        let text: String = text.trim().chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
        let count = text.chars().count();
        if count > most {
            return Err(EditRefused(format!("the {what} has {count} characters; {most} at most are shown")));
        }
        Ok(Some(text).filter(|text| !text.is_empty()))
    };
    let one_line = |text: Option<String>| text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    Ok(match edit {
        Edit::Reword { work, field, text } => {
            let text = match field {
                Wording::TitleGloss => one_line(clean(text, GLOSS_CHARS, "gloss")?),
                Wording::Summary => one_line(clean(text, SUMMARY_CHARS, "summary")?),
                Wording::Social(_) => clean(text, SOCIAL_CHARS, "post")?,
            };
            Edit::Reword { work: work.clone(), field: field.clone(), text }
        }
        Edit::Intro { section, text } => {
            Edit::Intro { section: section.clone(), text: one_line(clean(text, INTRO_CHARS, "introduction")?) }
        }
        other => other.clone(),
    })
}

/// A contender with a place.
#[derive(Debug, Clone)]
struct Placed {
    index: usize,
    /// The parts of its gain when it was added: category, region, new service.
    moving: (i64, i64, i64),
    pinned: bool,
}

/// The draft under the hands of its editors.
struct Table<'a> {
    base: &'a Digest,
    pool: &'a Pool,
    ids: HashMap<&'a ActivityId, usize>,
    ties: Vec<u64>,
    /// In the order in which they were added.
    placed: Vec<Placed>,
    /// Works that editors took out, and how.
    out: BTreeMap<usize, (OutcomeCode, String)>,
    builders_out: BTreeSet<BuilderId>,
    /// Works that went into another.
    merged: BTreeMap<usize, usize>,
    /// Activities that went out of a work.
    split_off: BTreeSet<ActivityId>,
    texts: BTreeMap<(usize, Wording), (Option<String>, u32)>,
    intros: BTreeMap<Option<String>, Option<String>>,
    /// The order of each section in which something was moved, as it was after the last move there.
    arranged: BTreeMap<String, Vec<usize>>,
    /// What was moved, and whether to the end.
    moved: BTreeMap<usize, bool>,
    lead: Option<usize>,
    notices: Vec<Notice>,
    /// Whether the choice differs from the computed one.
    touched: bool,
}

impl<'a> Table<'a> {
    fn after(base: &'a Digest, pool: &'a Pool, edits: &[EditRecord]) -> Self {
        let mut table = Self::new(base, pool);
        let standing: Vec<&EditRecord> = edits.iter().filter(|record| stands(record)).collect();
        let fresh = standing.iter().rposition(|record| record.what == Edit::Refresh);
        if let Some(fresh) = fresh {
            table.begin_again(&standing[..fresh]);
        }
        for record in &standing[fresh.map_or(0, |fresh| fresh + 1)..] {
            if let Err(refused) = table.apply(&record.what, record.revision, false) {
                table.gone(record, &refused);
            }
        }
        let refreshed = standing.iter().filter(|record| record.what == Edit::Refresh).map(|record| record.revision).max().unwrap_or(0);
        for record in edits {
            if record.undone_by.is_some_and(|by| by > refreshed)
                && record.revision < refreshed
                && matches!(record.what, Edit::Merge { .. } | Edit::Split { .. })
            {
                table.notices.push(Notice {
                    code: "split_later".to_owned(),
                    work: None,
                    text: format!("edit {} ({}) was taken back, which this draft does not know yet", record.revision, record.text),
                });
            }
        }
        table
    }

    fn new(base: &'a Digest, pool: &'a Pool) -> Self {
        let mut ids = HashMap::new();
        for (index, contender) in pool.contenders.iter().enumerate() {
            ids.insert(&contender.pick.work, index);
            for member in &contender.pick.members {
                ids.entry(member).or_insert(index);
            }
        }
        let mut chosen: Vec<&Pick> = base.picks().collect();
        chosen.sort_by_key(|pick| pick.round);
        let term = |pick: &Pick, term| pick.reasons.iter().filter(|reason| reason.term == term).map(|reason| reason.points).sum::<i64>();
        let placed = chosen
            .into_iter()
            .filter_map(|pick| {
                Some(Placed {
                    index: *ids.get(&pick.work)?,
                    moving: (term(pick, ReasonTerm::Category), term(pick, ReasonTerm::Region), term(pick, ReasonTerm::NewService)),
                    pinned: pick.reasons.iter().any(|reason| reason.term == ReasonTerm::Pinned),
                })
            })
            .collect();
        Self {
            ties: pool.contenders.iter().map(|contender| tie(pool.week, &contender.pick.work)).collect(),
            base,
            pool,
            ids,
            placed,
            out: BTreeMap::new(),
            builders_out: BTreeSet::new(),
            merged: BTreeMap::new(),
            split_off: BTreeSet::new(),
            texts: BTreeMap::new(),
            intros: BTreeMap::new(),
            arranged: BTreeMap::new(),
            moved: BTreeMap::new(),
            lead: None,
            notices: Vec::new(),
            touched: false,
        }
    }

    /// Chooses anew: first what was pinned, then by the rule, without what was taken out. Texts and order come last: they
    /// are about what has a place.
    fn begin_again(&mut self, edits: &[&EditRecord]) {
        self.touched = true;
        self.placed.clear();
        let mut pins: Vec<&ActivityId> = Vec::new();
        let mut words: Vec<&EditRecord> = Vec::new();
        for &record in edits {
            let done = match &record.what {
                Edit::Pin { work } => {
                    pins.push(work);
                    Ok(())
                }
                Edit::Swap { work, with } => {
                    pins.retain(|pin| *pin != work);
                    pins.push(with);
                    Ok(())
                }
                Edit::Drop { work } | Edit::Hold { work, .. } => {
                    pins.retain(|pin| *pin != work);
                    self.take_out(&record.what)
                }
                Edit::DropBuilder { .. } => self.take_out(&record.what),
                // Works that were joined or parted before are so in the new draft already.
                Edit::Refresh | Edit::Merge { .. } | Edit::Split { .. } => Ok(()),
                _ => {
                    words.push(record);
                    Ok(())
                }
            };
            if let Err(refused) = done {
                self.gone(record, &refused);
            }
        }
        for pin in pins {
            if let Some(index) = self.find(pin).filter(|index| !self.is_out(*index))
                && self.placed.len() < self.places()
                && !self.holds_builder_of(index, None)
            {
                self.add(index, true);
            }
        }
        while self.placed.len() < self.places() && self.fill_one() {}
        for record in words {
            if let Err(refused) = self.apply_words(&record.what, record.revision) {
                self.gone(record, &refused);
            }
        }
    }

    fn gone(&mut self, record: &EditRecord, refused: &EditRefused) {
        self.notices.push(Notice {
            code: "no_longer_applies".to_owned(),
            work: None,
            text: format!("edit {} ({}) does nothing any more: {refused}", record.revision, record.text),
        });
    }

    fn places(&self) -> usize {
        usize::try_from(self.pool.places).unwrap_or(usize::MAX)
    }

    fn contender(&self, index: usize) -> &'a Contender {
        &self.pool.contenders[index]
    }

    fn title(&self, index: usize) -> String {
        quoted(&self.contender(index).pick.title)
    }

    fn find(&self, work: &ActivityId) -> Option<usize> {
        let mut index = *self.ids.get(work)?;
        while let Some(into) = self.merged.get(&index) {
            index = *into;
        }
        Some(index)
    }

    fn known(&self, work: &ActivityId) -> Result<usize, EditRefused> {
        let index = self.known_or_joined(work)?;
        match self.had_its_place(index) {
            Some(text) => Err(EditRefused(format!("{} cannot have a place in this draft: {text}", self.title(index)))),
            None => Ok(index),
        }
    }

    /// Why a work that stands here only to be one with others has its place in another digest.
    fn had_its_place(&self, index: usize) -> Option<&'a str> {
        match &self.contender(index).fault {
            Some((OutcomeCode::AlreadyFeatured | OutcomeCode::Reserved, text)) => Some(text),
            _ => None,
        }
    }

    fn known_or_joined(&self, work: &ActivityId) -> Result<usize, EditRefused> {
        if self.split_off.contains(work) {
            return Err(EditRefused(format!("{work} was split off: it is a work of its own once the draft is refreshed")));
        }
        self.find(work).ok_or_else(|| match self.base.outcomes.iter().find(|outcome| names(outcome, work)) {
            Some(outcome) => EditRefused(format!("{} cannot have a place in this draft: {}", quoted(&outcome.title), outcome.text)),
            None => EditRefused(format!("{work} is no work of this draft; what came in since then is in it after a refresh")),
        })
    }

    fn place_of(&self, index: usize) -> Option<usize> {
        self.placed.iter().position(|placed| placed.index == index)
    }

    fn picked(&self, work: &ActivityId) -> Result<usize, EditRefused> {
        let index = self.known(work)?;
        match self.place_of(index) {
            Some(_) => Ok(index),
            None => Err(EditRefused(format!("{} is not among the picks", self.title(index)))),
        }
    }

    fn is_out(&self, index: usize) -> bool {
        self.out.contains_key(&index)
            || self.merged.contains_key(&index)
            || self.contender(index).credited.iter().any(|builder| self.builders_out.contains(builder))
    }

    /// Whether a builder of it has a place with another work, but for one of them.
    fn holds_builder_of(&self, index: usize, but: Option<usize>) -> bool {
        self.rival_of(index, but).is_some()
    }

    /// The placed work that shares a builder with it.
    fn rival_of(&self, index: usize, but: Option<usize>) -> Option<usize> {
        let credited = &self.contender(index).credited;
        self.placed
            .iter()
            .map(|placed| placed.index)
            .filter(|other| Some(*other) != but && *other != index)
            .find(|other| self.contender(*other).credited.iter().any(|builder| credited.contains(builder)))
    }

    /// What a place for it would add beside these.
    fn moving(&self, index: usize, beside: &[Placed]) -> (i64, i64, i64) {
        let contender = self.contender(index);
        let count = |same: &dyn Fn(&Pick) -> bool| {
            i64::try_from(beside.iter().filter(|placed| same(&self.contender(placed.index).pick)).count()).unwrap_or(i64::MAX)
        };
        let group = |weight: i64, owed: i64, key: &str, members: i64| {
            if is_group(key) { weight * need(owed, members) / 1000 } else { 0 }
        };
        let pick = &contender.pick;
        let service = main_service(pick);
        (
            group(self.pool.category, contender.owed.0, &pick.category, count(&|other| other.category == pick.category)),
            group(self.pool.region, contender.owed.1, &pick.region, count(&|other| other.region == pick.region)),
            service.map_or(0, |service| if count(&|other| main_service(other) == Some(service)) > 0 { 0 } else { self.pool.new_service }),
        )
    }

    fn gain(&self, index: usize, moving: (i64, i64, i64)) -> i64 {
        let fixed = self.contender(index).fixed;
        fixed.quality + fixed.fresh + fixed.turn + moving.0 + moving.1 + moving.2
    }

    fn add(&mut self, index: usize, pinned: bool) {
        let moving = self.moving(index, &self.placed);
        self.placed.push(Placed { index, moving, pinned });
        self.touched = true;
    }

    /// The best work of each builder that may be chosen now, ordered by place in the pool.
    fn nominees(&self) -> BTreeSet<usize> {
        let rank = |index: usize| {
            let fixed = self.contender(index).fixed;
            (-(fixed.quality + fixed.fresh), self.ties[index], index)
        };
        let mut best: BTreeMap<BuilderId, usize> = BTreeMap::new();
        for (index, contender) in self.pool.contenders.iter().enumerate() {
            if contender.fault.is_some() || self.is_out(index) {
                continue;
            }
            for builder in &contender.nominators {
                let nominee = best.entry(*builder).or_insert(index);
                if rank(index) < rank(*nominee) {
                    *nominee = index;
                }
            }
        }
        best.into_values().collect()
    }

    /// Those who would have a place, best first.
    fn line(&self) -> Vec<usize> {
        let mut line: Vec<(i64, u64, usize)> = self
            .nominees()
            .into_iter()
            .filter(|index| self.place_of(*index).is_none() && !self.holds_builder_of(*index, None))
            .map(|index| (-self.gain(index, self.moving(index, &self.placed)), self.ties[index], index))
            .collect();
        line.sort_unstable();
        line.into_iter().map(|(_, _, index)| index).collect()
    }

    fn fill_one(&mut self) -> bool {
        let Some(best) = self.line().first().copied() else { return false };
        self.add(best, false);
        true
    }

    /// Does one thing. With `strict`, what changes nothing is refused too.
    fn apply(&mut self, edit: &Edit, revision: u32, strict: bool) -> Result<(), EditRefused> {
        match edit {
            Edit::Pin { work } => self.pin(work, strict),
            Edit::Drop { .. } | Edit::DropBuilder { .. } | Edit::Hold { .. } => {
                let before = self.placed.len();
                if strict {
                    self.refuse_second(edit)?;
                }
                self.take_out(edit)?;
                for _ in self.placed.len()..before {
                    self.fill_one();
                }
                Ok(())
            }
            Edit::Swap { work, with } => self.swap(work, with),
            other => self.apply_words(other, revision),
        }
    }

    fn refuse_second(&self, edit: &Edit) -> Result<(), EditRefused> {
        if let Edit::Drop { work } = edit
            && let Some((OutcomeCode::Dropped, text)) = self.out.get(&self.known(work)?)
        {
            return Err(EditRefused(format!("{} is out already: {text}", self.title(self.known(work)?))));
        }
        Ok(())
    }

    fn pin(&mut self, work: &ActivityId, strict: bool) -> Result<(), EditRefused> {
        let index = self.known(work)?;
        if let Some(place) = self.place_of(index) {
            if strict && self.placed[place].pinned {
                return Err(EditRefused(format!("{} is pinned already", self.title(index))));
            }
            self.placed[place].pinned = true;
            self.touched = true;
            return Ok(());
        }
        if self.contender(index).credited.iter().any(|builder| self.builders_out.contains(builder)) {
            return Err(EditRefused(format!("a builder of {} is out this week: take that back first", self.title(index))));
        }
        // A work that was dropped or held and is pinned later is in: the later word counts.
        if let Some(rival) = self.rival_of(index, None) {
            let place = self.place_of(rival).unwrap_or_default();
            if self.placed[place].pinned {
                return Err(EditRefused(format!(
                    "a builder of {} has a pinned place with {}: swap them instead",
                    self.title(index),
                    self.title(rival)
                )));
            }
            self.placed.remove(place);
            if let Some(second) = self.rival_of(index, None) {
                let place = self.place_of(second).unwrap_or_default();
                if self.placed[place].pinned {
                    return Err(EditRefused(format!(
                        "a builder of {} has a pinned place with {}: swap them instead",
                        self.title(index),
                        self.title(second)
                    )));
                }
                self.placed.remove(place);
            }
            if self.holds_builder_of(index, None) {
                return Err(EditRefused(format!(
                    "several builders of {} have places with other works: drop those first",
                    self.title(index)
                )));
            }
        } else if self.placed.len() >= self.places() {
            let Some(last) = self.placed.iter().rposition(|placed| !placed.pinned) else {
                return Err(EditRefused(format!("all {} places are pinned already", self.places())));
            };
            self.placed.remove(last);
        }
        self.out.remove(&index);
        self.add(index, true);
        while self.placed.len() < self.places().min(self.base.picks().count()) && self.fill_one() {}
        Ok(())
    }

    /// Takes works out, without filling their places.
    fn take_out(&mut self, edit: &Edit) -> Result<(), EditRefused> {
        match edit {
            Edit::Drop { work } => {
                let index = self.known(work)?;
                self.out.insert(index, (OutcomeCode::Dropped, "dropped by an editor this week".to_owned()));
            }
            Edit::Hold { work, until } => {
                let index = self.known(work)?;
                let weeks = until.weeks_since(self.pool.week);
                if !(1..=HOLD_WEEKS).contains(&weeks) {
                    return Err(EditRefused(format!(
                        "a work is held until one of the next {HOLD_WEEKS} weeks, from {} on; {until} is none of them",
                        self.pool.week.next()
                    )));
                }
                self.out.insert(index, (OutcomeCode::Held, format!("held by an editor until {until}")));
            }
            Edit::DropBuilder { builder } => {
                if !self.pool.contenders.iter().any(|contender| contender.credited.contains(builder)) {
                    return Err(EditRefused(format!("builder {builder} has no work that could be in this draft")));
                }
                self.builders_out.insert(*builder);
            }
            _ => {}
        }
        let out: Vec<usize> = self.placed.iter().map(|placed| placed.index).filter(|index| self.is_out(*index)).collect();
        self.placed.retain(|placed| !out.contains(&placed.index));
        self.touched = true;
        Ok(())
    }

    fn swap(&mut self, work: &ActivityId, with: &ActivityId) -> Result<(), EditRefused> {
        let (old, new) = (self.known(work)?, self.known(with)?);
        if old == new {
            return Err(EditRefused("a work cannot be swapped with itself".to_owned()));
        }
        if self.place_of(old).is_none() && self.place_of(new).is_some() {
            return Ok(());
        }
        let old = self.picked(work)?;
        if self.place_of(new).is_some() {
            return Err(EditRefused(format!("{} has a place already", self.title(new))));
        }
        let credited = &self.contender(old).credited;
        if !self.contender(new).credited.iter().any(|builder| credited.contains(builder)) {
            return Err(EditRefused(format!(
                "{} and {} are by different builders: a swap is for two works of one; drop the one and pin the other instead",
                self.title(old),
                self.title(new)
            )));
        }
        if self.contender(new).credited.iter().any(|builder| self.builders_out.contains(builder)) {
            return Err(EditRefused(format!("a builder of {} is out this week: take that back first", self.title(new))));
        }
        if let Some(rival) = self.rival_of(new, Some(old)) {
            return Err(EditRefused(format!("a builder of {} has a place with {} too", self.title(new), self.title(rival))));
        }
        let place = self.place_of(old).unwrap_or_default();
        self.out.remove(&new);
        let beside: Vec<Placed> = self.placed.iter().filter(|placed| placed.index != old).cloned().collect();
        let moving = self.moving(new, &beside);
        self.placed[place] = Placed { index: new, moving, pinned: true };
        self.touched = true;
        Ok(())
    }

    /// Edits that leave the choice as it is, or join works.
    fn apply_words(&mut self, edit: &Edit, revision: u32) -> Result<(), EditRefused> {
        match edit {
            Edit::Reword { work, field, text } => {
                let index = self.known(work)?;
                self.texts.insert((index, field.clone()), (text.clone(), revision));
            }
            Edit::Move { work, place } => {
                let index = self.picked(work)?;
                if *place == 0 {
                    return Err(EditRefused("the first place is 1".to_owned()));
                }
                self.arrange(index, *place);
            }
            Edit::Lead { work } => self.lead = Some(self.picked(work)?),
            Edit::Intro { section, text } => {
                if let Some(section) = section {
                    let known = self.placed.iter().any(|placed| self.contender(placed.index).pick.category == *section);
                    if !known {
                        return Err(EditRefused(format!("this digest has no section `{section}`")));
                    }
                }
                self.intros.insert(section.clone(), text.clone());
            }
            Edit::Merge { one, other } => self.merge(one, other)?,
            Edit::Split { one, other } => self.split(one, other)?,
            _ => {}
        }
        Ok(())
    }

    /// Puts a pick at a place of its section, and keeps the order of all others there.
    fn arrange(&mut self, index: usize, place: u32) {
        let section = &self.contender(index).pick.category;
        let mut order = self.order_of(section);
        order.retain(|other| *other != index);
        let to = usize::try_from(place).unwrap_or(usize::MAX).saturating_sub(1).min(order.len());
        order.insert(to, index);
        self.moved.insert(index, place == LAST);
        self.arranged.insert(section.clone(), order);
    }

    /// A section's picks in the order shown: the greatest gain first, but for what was moved. What came in since the last
    /// move goes where its gain puts it among those that nobody moved, and never behind what was moved to the end.
    fn order_of(&self, section: &str) -> Vec<usize> {
        let here = self.placed.iter().enumerate().filter(|(_, placed)| self.contender(placed.index).pick.category == section);
        let mut by_gain: Vec<(i64, usize, usize)> =
            here.map(|(round, placed)| (-self.gain(placed.index, placed.moving), round, placed.index)).collect();
        by_gain.sort_unstable();
        let ranks: HashMap<usize, usize> = by_gain.iter().enumerate().map(|(rank, (.., index))| (*index, rank)).collect();
        let mut order: Vec<usize> =
            self.arranged.get(section).into_iter().flatten().copied().filter(|index| ranks.contains_key(index)).collect();
        for (rank, (.., index)) in by_gain.iter().enumerate() {
            if order.contains(index) {
                continue;
            }
            let stands_under = |other: &usize| !self.moved.contains_key(other) && ranks[other] > rank;
            let last = order.len() - order.iter().rev().take_while(|other| self.moved.get(other) == Some(&true)).count();
            order.insert(order.iter().position(stands_under).unwrap_or(last), *index);
        }
        order
    }

    fn merge(&mut self, one: &ActivityId, other: &ActivityId) -> Result<(), EditRefused> {
        let (one, other) = (self.known_or_joined(one)?, self.known_or_joined(other)?);
        if one == other {
            return Err(EditRefused("they are one work already".to_owned()));
        }
        let (stays, goes) = match (self.had_its_place(one), self.had_its_place(other)) {
            (Some(text), Some(_)) => {
                return Err(EditRefused(format!("neither can have a place in this draft: of {}, {text}", self.title(one))));
            }
            // A work was featured if any of it was: what is one with it leaves the draft.
            (None, Some(_)) => (other, one),
            // The work that has a place stays, whichever was named first.
            (None, None) if self.place_of(one).is_none() && self.place_of(other).is_some() => (other, one),
            (_, None) => (one, other),
        };
        let members = self.contender(stays).pick.members.len() + self.contender(goes).pick.members.len();
        if members > MEMBERS {
            return Err(EditRefused(format!("a work of {members} activities is too large")));
        }
        let freed = self.place_of(goes);
        self.merged.insert(goes, stays);
        self.touched = true;
        if let Some(place) = freed {
            self.placed.remove(place);
            self.fill_one();
        }
        Ok(())
    }

    fn split(&mut self, one: &ActivityId, other: &ActivityId) -> Result<(), EditRefused> {
        if self.known(one)? != self.known(other)? {
            return Err(EditRefused("they are two works already".to_owned()));
        }
        if one == other {
            return Err(EditRefused("name two activities of the work".to_owned()));
        }
        let index = self.known(one)?;
        // The pick is named by its first member and shows the address of its own: that one stays.
        let goes = if self.contender(index).pick.work == *other { one } else { other };
        self.split_off.insert(goes.clone());
        self.touched = true;
        self.notices.push(Notice {
            code: "split_later".to_owned(),
            work: Some(self.contender(index).pick.work.clone()),
            text: format!("what was split off {} is a work of its own once the draft is refreshed", self.title(index)),
        });
        Ok(())
    }

    /// What an edit does, in words.
    fn describe(&self, edit: &Edit) -> String {
        let title = |work: &ActivityId| match self.find(work) {
            Some(index) => self.title(index),
            None => self
                .base
                .outcomes
                .iter()
                .find(|outcome| names(outcome, work))
                .map_or_else(|| work.to_string(), |outcome| quoted(&outcome.title)),
        };
        match edit {
            Edit::Pin { work } => format!("pinned {}", title(work)),
            Edit::Drop { work } => format!("dropped {}", title(work)),
            Edit::DropBuilder { builder } => format!("left {} out this week", self.builder_name(*builder)),
            Edit::Hold { work, until } => format!("held {} until {until}", title(work)),
            Edit::Swap { work, with } => format!("swapped {} for {}", title(work), title(with)),
            Edit::Reword { work, field, text: Some(_) } => format!("wrote the {} of {} anew", field_name(field), title(work)),
            Edit::Reword { work, field, text: None } => format!("put the {} of {} back", field_name(field), title(work)),
            Edit::Move { work, place: LAST } => format!("moved {} to the end of its section", title(work)),
            Edit::Move { work, place } => format!("moved {} to place {place} of its section", title(work)),
            Edit::Lead { work } => format!("made {} the lead", title(work)),
            Edit::Intro { section, text } => {
                let whose = section.as_deref().map_or_else(|| "the digest".to_owned(), |key| format!("the section {key}"));
                match text {
                    Some(_) => format!("wrote the introduction of {whose}"),
                    None => format!("took the introduction of {whose} away"),
                }
            }
            Edit::Merge { one, other } => format!("merged {} and {}", title(one), title(other)),
            Edit::Split { one, other } => format!("split {other} off {}", title(one)),
            Edit::Refresh => "computed the draft anew".to_owned(),
            Edit::Undo { revision } => format!("took edit {revision} back"),
        }
    }

    fn builder_name(&self, builder: BuilderId) -> String {
        let shown = self.pool.contenders.iter().flat_map(|contender| &contender.pick.builders).find(|shown| shown.id == builder);
        shown.map_or_else(|| format!("builder {builder}"), |shown| shown.name.clone())
    }

    /// The pick as it looks with all that was done to it.
    fn pick(&self, round: u32, placed: &Placed) -> (Pick, Vec<Rewording>) {
        let contender = self.contender(placed.index);
        let mut pick = contender.pick.clone();
        pick.round = round;
        pick.gain = self.gain(placed.index, placed.moving);
        pick.reasons = self.reasons(placed.index, placed.moving, placed.pinned);
        for (goes, _) in self.merged.iter().filter(|(goes, _)| self.find(&self.contender(**goes).pick.work) == Some(placed.index)) {
            let other = &self.contender(*goes).pick;
            pick.members.extend(other.members.iter().cloned());
            pick.also.extend(Some(other.url.clone()).filter(|url| !url.is_empty() && *url != pick.url));
            pick.also.extend(other.also.iter().cloned());
            for builder in &other.builders {
                if !pick.builders.iter().any(|known| known.id == builder.id) {
                    pick.builders.push(builder.clone());
                }
            }
        }
        pick.builders.sort_by_key(|builder| builder.id);
        pick.members.retain(|member| !self.split_off.contains(member));
        pick.members.sort_unstable();
        pick.members.dedup();
        pick.also.sort_unstable();
        pick.also.dedup();
        let mut rewordings = Vec::new();
        for ((index, field), (text, revision)) in &self.texts {
            let (true, Some(text)) = (*index == placed.index, text) else { continue };
            let original = match field {
                Wording::TitleGloss => pick.title_gloss.replace(text.clone()),
                Wording::Summary => {
                    "editor".clone_into(&mut pick.summary_source);
                    pick.summary.replace(text.clone())
                }
                Wording::Social(network) => {
                    let key = network.map_or("", Network::as_str).to_owned();
                    pick.social.insert(key, text.clone())
                }
            };
            let (work, field) = (pick.work.clone(), field.clone());
            rewordings.push(Rewording { work, field, original, text: text.clone(), revision: *revision });
        }
        (pick, rewordings)
    }

    fn reasons(&self, index: usize, moving: (i64, i64, i64), pinned: bool) -> Vec<Reason> {
        let contender = self.contender(index);
        let mut reasons = Vec::with_capacity(7);
        if pinned {
            reasons.push(Reason { term: ReasonTerm::Pinned, points: 0, text: "pinned by an editor".to_owned() });
        }
        reasons.extend(contender.pick.reasons.iter().cloned());
        let service = || format!("the first on {}", main_service(&contender.pick).unwrap_or_default());
        for (term, points, text) in [
            (ReasonTerm::Category, moving.0, contender.owed_text.0.clone()),
            (ReasonTerm::Region, moving.1, contender.owed_text.1.clone()),
            (ReasonTerm::NewService, moving.2, service()),
        ] {
            if points != 0 {
                reasons.push(Reason { term, points, text });
            }
        }
        reasons
    }

    fn in_line(&self, index: usize) -> InLine {
        let Pick { work, title, url, builders, category, quality, .. } = self.contender(index).pick.clone();
        let moving = self.moving(index, &self.placed);
        InLine {
            work,
            title,
            url,
            builders: builders.into_iter().map(|builder| builder.name).collect(),
            category,
            quality,
            gain: self.gain(index, moving),
            reasons: self.reasons(index, moving, false),
            fault: self.out.get(&index).or(self.contender(index).fault.as_ref()).map(|(_, text)| text.clone()),
        }
    }

    fn desk(mut self) -> Desk {
        let mut digest = self.base.clone();
        let mut rewordings = Vec::new();
        let mut picks = Vec::new();
        for (round, placed) in (1..).zip(&self.placed) {
            let (pick, texts) = self.pick(round, placed);
            rewordings.extend(texts);
            picks.push(pick);
        }
        if !self.touched {
            // As computed: rounds and all, so that a draft without edits is the draft.
            for pick in &mut picks {
                if let Some(computed) = self.base.picks().find(|computed| computed.work == pick.work) {
                    (pick.round, pick.gain) = (computed.round, computed.gain);
                    pick.reasons.clone_from(&computed.reasons);
                }
            }
        }
        self.mark_lead(&mut picks);
        digest.sections = order::sections(self.pool.week, &self.pool.categories, picks);
        for section in digest.sections.iter_mut().filter(|section| self.arranged.contains_key(&section.category)) {
            let order = self.order_of(&section.category);
            section.picks.sort_by_key(|pick| order.iter().position(|index| self.contender(*index).pick.work == pick.work));
        }
        for (section, text) in &self.intros {
            match section {
                None => digest.intro.clone_from(text),
                Some(key) => {
                    if let Some(section) = digest.sections.iter_mut().find(|section| section.category == *key) {
                        section.intro.clone_from(text);
                    }
                }
            }
        }
        if self.touched {
            self.count_groups(&mut digest);
            self.judge_again(&mut digest);
        }
        let others = self.placed.iter().map(|placed| {
            let credited = &self.contender(placed.index).credited;
            let same = |index: &usize| {
                *index != placed.index
                    && !self.merged.contains_key(index)
                    && self.had_its_place(*index).is_none()
                    && self.contender(*index).credited.iter().any(|builder| credited.contains(builder))
                    && !self.holds_builder_of(*index, Some(placed.index))
            };
            let mut others: Vec<usize> = (0..self.pool.contenders.len()).filter(same).collect();
            others.sort_by_key(|index| {
                let fixed = self.contender(*index).fixed;
                (self.contender(*index).fault.is_some(), -(fixed.quality + fixed.fresh), *index)
            });
            let others: Vec<InLine> = others.into_iter().take(NEXT).map(|index| self.in_line(index)).collect();
            (self.contender(placed.index).pick.work.clone(), others)
        });
        let others: BTreeMap<_, _> = others.filter(|(_, others)| !others.is_empty()).collect();
        let next = self.line().into_iter().take(NEXT).map(|index| self.in_line(index)).collect();
        let pinned: Vec<ActivityId> =
            self.placed.iter().filter(|placed| placed.pinned).map(|placed| self.contender(placed.index).pick.work.clone()).collect();
        let mut notices = std::mem::take(&mut self.notices);
        for placed in self.placed.iter().filter(|placed| placed.pinned) {
            let contender = self.contender(placed.index);
            if let Some((code, text)) = &contender.fault {
                notices.push(Notice {
                    code: "pin_overrules".to_owned(),
                    work: Some(contender.pick.work.clone()),
                    text: format!("{} is pinned although ({}) {text}", quoted(&contender.pick.title), code.as_str()),
                });
            }
        }
        if let Some(lead) = self.lead.filter(|lead| self.place_of(*lead).is_some() && self.contender(*lead).led_lately) {
            notices.push(Notice {
                code: "leads_again".to_owned(),
                work: Some(self.contender(lead).pick.work.clone()),
                text: format!("a builder of {} led not long ago", self.title(lead)),
            });
        }
        Desk { digest, next, others, pinned, rewordings, notices }
    }

    /// The lead that an editor chose, else the computed one while it has a place, else the best by the rule.
    fn mark_lead(&self, picks: &mut [Pick]) {
        let chosen = self.lead.filter(|lead| self.place_of(*lead).is_some()).map(|lead| self.contender(lead).pick.work.clone());
        let computed = || {
            let lead = self.base.lead().and_then(|pick| self.find(&pick.work));
            lead.filter(|lead| self.place_of(*lead).is_some()).map(|lead| self.contender(lead).pick.work.clone())
        };
        let best = || {
            self.placed
                .iter()
                .map(|placed| placed.index)
                .filter(|index| !self.contender(*index).led_lately)
                .min_by_key(|index| {
                    let fixed = self.contender(*index).fixed;
                    (-(fixed.quality + fixed.turn), self.ties[*index])
                })
                .map(|index| self.contender(index).pick.work.clone())
        };
        let lead = chosen.or_else(computed).or_else(best);
        for pick in picks {
            pick.lead = lead.as_ref() == Some(&pick.work);
        }
    }

    fn count_groups(&self, digest: &mut Digest) {
        for (groups, key_of) in [
            (&mut digest.balance.categories, (|pick: &Pick| pick.category.clone()) as fn(&Pick) -> String),
            (&mut digest.balance.regions, |pick: &Pick| pick.region.clone()),
        ] {
            let mut counts: BTreeMap<String, i64> = BTreeMap::new();
            for placed in &self.placed {
                let key = key_of(&self.contender(placed.index).pick);
                if is_group(&key) {
                    *counts.entry(key).or_default() += 1;
                }
            }
            for group in groups.iter_mut() {
                group.picked = counts.remove(&group.key).unwrap_or(0);
            }
            for (key, picked) in counts {
                let name = order::plain_name(&key);
                groups.push(crate::model::Group { key, name, target: 0, owed: 0, had: 0, picked, supply: 0 });
            }
        }
    }

    /// The outcomes of all who could have a place, as the digest stands now.
    fn judge_again(&self, digest: &mut Digest) {
        let nominees = self.nominees();
        let before_last = &self.placed[..self.placed.len().saturating_sub(1)];
        let last_gain = self.placed.last().map_or(0, |placed| self.gain(placed.index, placed.moving));
        let places: HashMap<usize, (usize, &Placed)> =
            self.placed.iter().enumerate().map(|(round, placed)| (placed.index, (round + 1, placed))).collect();
        let mut joined: BTreeMap<usize, Vec<ActivityId>> = BTreeMap::new();
        for goes in self.merged.keys() {
            if let Some(into) = self.find(&self.contender(*goes).pick.work) {
                joined.entry(into).or_default().extend(self.contender(*goes).pick.members.iter().cloned());
            }
        }
        digest.outcomes.retain_mut(|outcome| {
            let Some(index) = self.ids.get(&outcome.work).copied() else { return true };
            if let Some(into) = self.merged.get(&index) {
                // What it is one with has its place elsewhere, and where the draft has no word for that, this is it.
                let first = self.merged.iter().find(|(_, other)| *other == into).map(|(goes, _)| *goes);
                let Some((code, text)) = self.contender(*into).fault.as_ref().filter(|_| self.had_its_place(*into).is_some()) else {
                    return false;
                };
                let stands_for_it = self.base.outcomes.iter().any(|known| self.ids.get(&known.work) == Some(into));
                if stands_for_it || first != Some(index) {
                    return false;
                }
                outcome.members.extend(joined.get(into).into_iter().flatten().cloned());
                outcome.members.sort_unstable();
                outcome.members.dedup();
                (outcome.code, outcome.text) = (*code, format!("it is one work with {}: {text}", self.title(*into)));
                (outcome.gain, outcome.short, outcome.reasons) = (None, None, Vec::new());
                return true;
            }
            outcome.members.extend(joined.get(&index).into_iter().flatten().cloned());
            outcome.members.retain(|member| !self.split_off.contains(member));
            let contender = self.contender(index);
            let mut set = |code, text: String, gain: Option<i64>, short, reasons| {
                (outcome.code, outcome.text, outcome.gain, outcome.short, outcome.reasons) = (code, text, gain, short, reasons);
            };
            if let Some((round, placed)) = places.get(&index) {
                let gain = self.gain(index, placed.moving);
                let text = format!("chosen as number {round} with {gain} points");
                set(OutcomeCode::Chosen, text, Some(gain), None, self.reasons(index, placed.moving, placed.pinned));
            } else if let Some((code, text)) = self.out.get(&index) {
                set(*code, text.clone(), None, None, Vec::new());
            } else if contender.credited.iter().any(|builder| self.builders_out.contains(builder)) {
                set(OutcomeCode::Dropped, "its builder was left out by an editor this week".to_owned(), None, None, Vec::new());
            } else if let Some((code, text)) = &contender.fault {
                set(*code, text.clone(), None, None, Vec::new());
            } else {
                let moving = self.moving(index, before_last);
                let gain = self.gain(index, moving);
                let reasons = self.reasons(index, moving, false);
                if self.holds_builder_of(index, None) {
                    set(OutcomeCode::NotNominee, "its builder has a place with another work".to_owned(), Some(gain), None, reasons);
                } else if nominees.contains(&index) {
                    let short = (last_gain - gain).max(0);
                    let text = match short {
                        0 if gain == last_gain => "level with the last place, which went to another by the draw of the week".to_owned(),
                        0 => "no place was left for it".to_owned(),
                        1 => "1 point short of the last place".to_owned(),
                        _ => format!("{short} points short of the last place"),
                    };
                    set(OutcomeCode::NoPlace, text, Some(gain), Some(short), reasons);
                } else {
                    set(OutcomeCode::NotNominee, "another work of its builder stood higher".to_owned(), Some(gain), None, reasons);
                }
            }
            true
        });
    }
}

fn main_service(pick: &Pick) -> Option<&str> {
    pick.services.first().map(String::as_str)
}

fn names(outcome: &Outcome, work: &ActivityId) -> bool {
    outcome.work == *work || outcome.members.contains(work)
}

fn quoted(title: &str) -> String {
    let short: String = title.chars().take(60).collect();
    if short.len() < title.len() { format!("“{}…”", short.trim_end()) } else { format!("“{short}”") }
}

fn field_name(field: &Wording) -> String {
    match field {
        Wording::TitleGloss => "gloss".to_owned(),
        Wording::Summary => "summary".to_owned(),
        Wording::Social(None) => "post".to_owned(),
        Wording::Social(Some(network)) => format!("post for {}", network.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::samples::{Case, builder, candidate, past_pick, past_week, week, work_id};
    use crate::model::PastDigest;

    /// A draft that is laid edits over.
    struct Draft {
        base: Digest,
        pool: Pool,
        edits: Vec<EditRecord>,
    }

    impl Draft {
        fn of(case: &Case) -> Self {
            let (base, pool) = case.draft();
            Self { base, pool, edits: Vec::new() }
        }

        #[expect(clippy::needless_pass_by_value, reason = "claims read better without borrows")]
        fn edit(&mut self, edit: Edit) -> Result<Desk, String> {
            let edit = &edit;
            let laid = try_edit(&self.base, &self.pool, &self.edits, edit).map_err(|refused| refused.to_string())?;
            let revision = u32::try_from(self.edits.len()).unwrap() + 1;
            if let Edit::Undo { revision: undone } = edit {
                self.edits.iter_mut().find(|record| record.revision == *undone).unwrap().undone_by = Some(revision);
            }
            let (at, by) = (self.base.cutoff_at, "Edith".to_owned());
            self.edits.push(EditRecord { revision, at, by, what: laid.edit, note: None, undone_by: None, text: laid.text });
            assert_eq!(lay(&self.base, &self.pool, &self.edits), laid.desk, "replaying gives the same");
            Ok(laid.desk)
        }
    }

    fn works(digest: &Digest) -> Vec<ActivityId> {
        let mut picks: Vec<(u32, ActivityId)> = digest.picks().map(|pick| (pick.round, pick.work.clone())).collect();
        picks.sort();
        picks.into_iter().map(|(_, work)| work).collect()
    }

    fn sorted(digest: &Digest) -> Vec<ActivityId> {
        let mut works = works(digest);
        works.sort();
        works
    }

    /// Six builders with a work each, of which the first ones are better, and three places.
    fn case() -> Case {
        let mut case = Case::new(6);
        case.config.places = 3;
        case.candidates = (1..=6).map(|n| candidate(n, &[n])).collect();
        for work in &mut case.candidates[..3] {
            work.substance.shows_work = Some(true);
        }
        case
    }

    #[test]
    fn a_drop_fills_one_place_and_its_undo_leaves_no_trace() {
        let mut draft = Draft::of(&case());
        let before = works(&draft.base);
        let desk = draft.edit(Edit::Drop { work: before[1].clone() }).unwrap();
        let after = works(&desk.digest);
        assert_eq!((&after[0], &after[1]), (&before[0], &before[2]));
        assert_eq!(after.len(), 3);
        let outcome = desk.digest.outcomes.iter().find(|outcome| outcome.work == before[1]).unwrap();
        assert_eq!(outcome.code, OutcomeCode::Dropped);
        assert!(draft.edit(Edit::Drop { work: before[1].clone() }).unwrap_err().contains("out already"));
        let back = draft.edit(Edit::Undo { revision: 1 }).unwrap();
        assert_eq!(back.digest, draft.base);
        assert_eq!(edit_hash(&draft.edits), None);
        assert!(draft.edit(Edit::Undo { revision: 1 }).unwrap_err().contains("taken back already"));
        assert!(draft.edit(Edit::Undo { revision: 2 }).is_err());
        assert!(draft.edit(Edit::Undo { revision: 9 }).is_err());
    }

    #[test]
    fn a_pin_takes_the_place_that_was_filled_last_until_all_are_pinned() {
        let mut draft = Draft::of(&case());
        let before = works(&draft.base);
        let line: Vec<ActivityId> = lay(&draft.base, &draft.pool, &[]).next.into_iter().map(|next| next.work).collect();
        assert_eq!(line.len(), 3);
        let desk = draft.edit(Edit::Pin { work: line[2].clone() }).unwrap();
        assert_eq!(works(&desk.digest), [before[0].clone(), before[1].clone(), line[2].clone()]);
        assert_eq!(desk.pinned, [line[2].clone()]);
        for work in [&before[0], &before[1]] {
            draft.edit(Edit::Pin { work: work.clone() }).unwrap();
        }
        assert!(draft.edit(Edit::Pin { work: line[0].clone() }).unwrap_err().contains("all 3 places are pinned"));
        assert!(draft.edit(Edit::Pin { work: before[0].clone() }).unwrap_err().contains("pinned already"));
        assert!(draft.edit(Edit::Pin { work: work_id(99) }).unwrap_err().contains("no work of this draft"));
    }

    #[test]
    fn nobody_is_in_it_twice_by_a_pin_or_a_swap() {
        let mut case = case();
        case.candidates.push(candidate(7, &[1]));
        case.candidates.push(candidate(8, &[4]));
        let mut draft = Draft::of(&case);
        let desk = draft.edit(Edit::Pin { work: work_id(7) }).unwrap();
        assert!(!works(&desk.digest).contains(&work_id(1)) && works(&desk.digest).contains(&work_id(7)));
        assert_eq!(works(&desk.digest).len(), 3);
        assert!(draft.edit(Edit::Pin { work: work_id(1) }).unwrap_err().contains("swap them instead"));
        let desk = draft.edit(Edit::Swap { work: work_id(7), with: work_id(1) }).unwrap();
        assert!(works(&desk.digest).contains(&work_id(1)) && !works(&desk.digest).contains(&work_id(7)));
        assert!(desk.others[&work_id(1)].iter().any(|other| other.work == work_id(7)));
        assert!(draft.edit(Edit::Swap { work: work_id(1), with: work_id(8) }).unwrap_err().contains("different builders"));
        assert!(draft.edit(Edit::Swap { work: work_id(8), with: work_id(4) }).unwrap_err().contains("not among the picks"));
    }

    #[test]
    fn a_pin_against_a_rule_is_flagged() {
        let mut case = case();
        case.history = vec![PastDigest { picks: vec![past_pick(&[90], &[5])], ..past_week(week().previous()) }];
        let mut draft = Draft::of(&case);
        let desk = draft.edit(Edit::Pin { work: work_id(5) }).unwrap();
        assert!(works(&desk.digest).contains(&work_id(5)));
        assert_eq!(desk.notices.iter().map(|notice| notice.code.as_str()).collect::<Vec<_>>(), ["pin_overrules"]);
        // What may never be pinned is not in the pool at all.
        case.builders.get_mut(&BuilderId(6)).unwrap().not_featured = true;
        let mut draft = Draft::of(&case);
        assert!(draft.edit(Edit::Pin { work: work_id(6) }).unwrap_err().contains("chose not to be featured"));
    }

    #[test]
    fn a_builder_who_is_left_out_is_out_with_all_works() {
        let mut case = case();
        case.candidates.push(candidate(7, &[1]));
        let mut draft = Draft::of(&case);
        let desk = draft.edit(Edit::DropBuilder { builder: BuilderId(1) }).unwrap();
        assert!(!works(&desk.digest).contains(&work_id(1)) && works(&desk.digest).len() == 3);
        assert!(desk.next.iter().all(|next| next.work != work_id(7)));
        assert!(draft.edit(Edit::Pin { work: work_id(7) }).unwrap_err().contains("out this week"));
        assert!(draft.edit(Edit::DropBuilder { builder: BuilderId(77) }).is_err());
    }

    #[test]
    fn a_hold_is_for_one_of_the_next_weeks() {
        let mut draft = Draft::of(&case());
        let work = works(&draft.base)[0].clone();
        for until in ["2026-W47", "2026-W40", "2027-W10"] {
            assert!(draft.edit(Edit::Hold { work: work.clone(), until: until.parse().unwrap() }).is_err(), "{until}");
        }
        let desk = draft.edit(Edit::Hold { work: work.clone(), until: "2026-W49".parse().unwrap() }).unwrap();
        let outcome = desk.digest.outcomes.iter().find(|outcome| outcome.work == work).unwrap();
        assert_eq!((outcome.code, outcome.text.as_str()), (OutcomeCode::Held, "held by an editor until 2026-W49"));
    }

    #[test]
    fn words_keep_the_original_beside_them() {
        let mut draft = Draft::of(&case());
        let work = works(&draft.base)[0].clone();
        let reword = |text: Option<&str>| Edit::Reword { work: work.clone(), field: Wording::Summary, text: text.map(str::to_owned) };
        let desk = draft.edit(reword(Some("  Told\n shorter. "))).unwrap();
        let pick = desk.digest.picks().find(|pick| pick.work == work).unwrap();
        assert_eq!((pick.summary.as_deref(), pick.summary_source.as_str()), (Some("Told shorter."), "editor"));
        assert_eq!(desk.rewordings[0].original.as_deref(), Some("What it teaches."));
        let desk = draft.edit(reword(None)).unwrap();
        assert_eq!(desk.digest, draft.base);
        assert!(draft.edit(reword(Some(&"x".repeat(281)))).unwrap_err().contains("280 at most"));
        draft.edit(Edit::Reword { work: work.clone(), field: Wording::Social(Some(Network::X)), text: Some("Read this".into()) }).unwrap();
        let desk = draft.edit(Edit::Intro { section: None, text: Some("A good week.".into()) }).unwrap();
        assert_eq!(desk.digest.intro.as_deref(), Some("A good week."));
        assert!(draft.edit(Edit::Intro { section: Some("nowhere".into()), text: None }).unwrap_err().contains("no section"));
    }

    #[test]
    fn order_and_lead_follow_the_editor() {
        let mut draft = Draft::of(&case());
        let shown = |digest: &Digest| digest.picks().map(|pick| pick.work.clone()).collect::<Vec<_>>();
        let before = shown(&draft.base);
        let desk = draft.edit(Edit::Move { work: before[2].clone(), place: 1 }).unwrap();
        assert_eq!(shown(&desk.digest), [before[2].clone(), before[0].clone(), before[1].clone()]);
        let desk = draft.edit(Edit::Lead { work: before[1].clone() }).unwrap();
        assert_eq!(desk.digest.lead().unwrap().work, before[1]);
        assert_eq!(desk.digest.picks().filter(|pick| pick.lead).count(), 1);
        let desk = draft.edit(Edit::Drop { work: before[1].clone() }).unwrap();
        assert!(desk.digest.lead().is_some(), "another leads when the lead is dropped");
        assert!(draft.edit(Edit::Lead { work: before[1].clone() }).unwrap_err().contains("not among the picks"));
    }

    #[test]
    fn a_drop_changes_the_order_of_no_others_whatever_was_moved() {
        let shown = |digest: &Digest| digest.picks().map(|pick| pick.work.clone()).collect::<Vec<_>>();
        for (from, place) in [(0, 2), (0, 3), (0, 99), (1, 3), (2, 1), (2, 2)] {
            for dropped in 0..3 {
                let mut draft = Draft::of(&case());
                let first = shown(&draft.base);
                let before = shown(&draft.edit(Edit::Move { work: first[from].clone(), place }).unwrap().digest);
                let moved_to_the_end = before[2] == first[from];
                let after = shown(&draft.edit(Edit::Drop { work: before[dropped].clone() }).unwrap().digest);
                let stayed = |all: &[ActivityId], of: &[ActivityId]| {
                    all.iter().filter(|work| of.contains(work)).cloned().collect::<Vec<ActivityId>>()
                };
                assert_eq!(after.len(), 3);
                assert_eq!(stayed(&before, &after), stayed(&after, &before), "{from} to {place}, then {dropped} dropped");
                if moved_to_the_end && dropped != 2 {
                    assert_eq!(after[2], first[from], "what came in later does not go under it");
                }
            }
        }
    }

    #[test]
    fn a_pick_that_is_one_with_what_was_featured_leaves_and_the_next_comes_in() {
        for is_known in [false, true] {
            let mut case = case();
            if is_known {
                case.history.push(PastDigest { picks: vec![past_pick(&[50], &[50])], ..past_week("2026-W30".parse().unwrap()) });
                case.builders.insert(BuilderId(50), builder(50, "western_europe"));
                case.candidates.push(candidate(50, &[50]));
            }
            let mut draft = Draft::of(&case);
            let mut featured = draft.pool.contenders[0].clone();
            featured.pick.work = work_id(50);
            featured.pick.members = vec![work_id(50)];
            featured.nominators.clear();
            featured.fault = Some((OutcomeCode::AlreadyFeatured, "it was featured before".to_owned()));
            draft.pool.contenders.push(featured);
            let before = works(&draft.base);
            let line: Vec<ActivityId> = lay(&draft.base, &draft.pool, &[]).next.into_iter().map(|next| next.work).collect();
            let desk = draft.edit(Edit::Merge { one: before[1].clone(), other: work_id(50) }).unwrap();
            assert_eq!(works(&desk.digest), [before[0].clone(), before[2].clone(), line[0].clone()]);
            let told: Vec<&Outcome> = desk.digest.outcomes.iter().filter(|outcome| names(outcome, &before[1])).collect();
            assert_eq!((told.len(), told[0].code), (1, OutcomeCode::AlreadyFeatured));
            assert_eq!(desk.digest.outcomes.iter().filter(|outcome| names(outcome, &work_id(50))).count(), usize::from(is_known));
            for work in [&before[1], &work_id(50)] {
                assert!(draft.edit(Edit::Pin { work: work.clone() }).unwrap_err().contains("featured before"));
            }
            assert!(desk.others.values().flatten().chain(&desk.next).all(|other| other.work != work_id(50)));
            let back = draft.edit(Edit::Undo { revision: 1 }).unwrap();
            assert_eq!(back.digest, draft.base);
        }
    }

    #[test]
    fn merged_works_share_one_place_and_one_outcome() {
        let mut draft = Draft::of(&case());
        let picks = works(&draft.base);
        let desk = draft.edit(Edit::Merge { one: picks[0].clone(), other: picks[1].clone() }).unwrap();
        assert_eq!(works(&desk.digest).len(), 3);
        let pick = desk.digest.picks().find(|pick| pick.work == picks[0]).unwrap();
        assert!(pick.members.contains(&picks[1]) && pick.also.len() == 1);
        assert_eq!(desk.digest.outcomes.iter().filter(|outcome| names(outcome, &picks[1])).count(), 1);
        assert!(draft.edit(Edit::Merge { one: picks[1].clone(), other: picks[0].clone() }).unwrap_err().contains("one work already"));
        let back = draft.edit(Edit::Undo { revision: 1 }).unwrap();
        assert_eq!(back.digest, draft.base);
    }

    #[test]
    fn a_refresh_begins_again_from_the_pins_and_drops() {
        let mut case = case();
        let mut draft = Draft::of(&case);
        let picks = works(&draft.base);
        let line: Vec<ActivityId> = lay(&draft.base, &draft.pool, &[]).next.into_iter().map(|next| next.work).collect();
        draft.edit(Edit::Pin { work: line[2].clone() }).unwrap();
        draft.edit(Edit::Drop { work: picks[0].clone() }).unwrap();
        draft.edit(Edit::Reword { work: line[2].clone(), field: Wording::TitleGloss, text: Some("A gloss".into()) }).unwrap();
        // A better work came in late.
        case.builders.insert(BuilderId(7), builder(7, "eastern_africa"));
        case.candidates.push(candidate(7, &[7]));
        (draft.base, draft.pool) = case.draft();
        let desk = draft.edit(Edit::Refresh).unwrap();
        let after = works(&desk.digest);
        assert_eq!(after[0], line[2], "pins come first");
        assert!(after.contains(&work_id(7)) && !after.contains(&picks[0]));
        assert!(desk.digest.picks().any(|pick| pick.title_gloss.as_deref() == Some("A gloss")));
        // A drop before the refresh can still be taken back.
        let desk = draft.edit(Edit::Undo { revision: 2 }).unwrap();
        assert!(works(&desk.digest).contains(&picks[0]));
        assert!(draft.edit(Edit::Undo { revision: 4 }).unwrap_err().contains("refresh"));
    }

    #[test]
    fn a_refresh_keeps_the_order_the_lead_and_the_introductions() {
        let mut draft = Draft::of(&case());
        let before = works(&draft.base);
        let section = draft.base.sections[0].category.clone();
        draft.edit(Edit::Move { work: before[1].clone(), place: 1 }).unwrap();
        draft.edit(Edit::Lead { work: before[2].clone() }).unwrap();
        let desk = draft.edit(Edit::Intro { section: Some(section), text: Some("All of a kind.".into()) }).unwrap();
        let again = draft.edit(Edit::Refresh).unwrap();
        assert_eq!(again.notices, []);
        assert_eq!(works(&again.digest), works(&desk.digest));
        assert_eq!(again.digest.lead().map(|pick| &pick.work), Some(&before[2]));
        assert_eq!(again.digest.sections[0].intro, desk.digest.sections[0].intro);
    }

    #[test]
    fn an_edit_without_its_object_says_so_and_does_no_harm() {
        let mut case = case();
        case.candidates.push(candidate(7, &[1]));
        let mut draft = Draft::of(&case);
        draft.edit(Edit::Swap { work: work_id(1), with: work_id(7) }).unwrap();
        draft.edit(Edit::Move { work: work_id(7), place: 1 }).unwrap();
        let desk = draft.edit(Edit::Undo { revision: 1 }).unwrap();
        assert_eq!(sorted(&desk.digest), sorted(&draft.base));
        assert_eq!(desk.notices[0].code, "no_longer_applies");
    }

    #[test]
    fn what_differs_is_told() {
        let mut draft = Draft::of(&case());
        let before = draft.base.clone();
        let work = before.picks().next().unwrap().work.clone();
        let desk = draft.edit(Edit::Drop { work: work.clone() }).unwrap();
        let told = difference(&before, &desk.digest);
        assert_eq!((told.added.len(), told.removed.len(), told.moved.len()), (1, 1, 0));
        assert_eq!(told.removed[0].0, work);
        assert!(difference(&before, &before).is_empty());
    }
}
