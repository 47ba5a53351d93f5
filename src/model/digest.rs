//! A week's page as data: what may be chosen, what was chosen and why.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ActivityId, ActivityKind, BuilderId, Seq, Substance, Topic, Week};

/// An instant in a digest, RFC 3339 in UTC.
pub type DateStamp = Timestamp;

/// An earlier work of the same builder, platform and kind, to compare responses with (DIGEST.md section 4.2, E).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierWork {
    pub work: ActivityId,
    pub substance: Substance,
    pub topic_confidence: u32,
    pub kind: ActivityKind,
    /// The response count at each age of the grid, where one was stored.
    pub counts: [Option<u64>; 4],
}

/// A work as it stands before the choice, with all that the rules ask about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one work")]
pub struct Candidate {
    pub work: ActivityId,
    /// All activities of the work.
    pub members: Vec<ActivityId>,
    pub kind: ActivityKind,
    pub title: String,
    pub summary: Option<String>,
    pub language: Option<String>,
    pub url: Option<String>,
    /// Addresses of its other copies and companions.
    pub also: Vec<String>,
    pub published_at: Option<Timestamp>,
    pub effective_at: Timestamp,
    pub first_seen_at: Timestamp,
    pub backfill: bool,
    pub paywalled: bool,
    /// An answer that nobody voted for or accepted.
    #[serde(default)]
    pub unproven: bool,
    /// Its link is known to be gone (RECORD.md section 7).
    pub link_gone: bool,
    /// Announced, and not out before then: a premiere or stream.
    #[serde(default)]
    pub held_until: Option<Timestamp>,
    /// No source shows it any more.
    pub left: bool,
    /// It was entered by hand and taken back, and nothing else speaks for it.
    #[serde(default)]
    pub withdrawn: bool,
    /// Credited builders, ordered by id.
    pub builders: Vec<BuilderId>,
    pub substance: Substance,
    pub topic: Topic,
    /// The response count at each age of the grid, where one was stored.
    pub counts: [Option<u64>; 4],
    /// Earlier works to compare with, latest first; only those before this one on the same platform and of the same kind.
    pub earlier: Vec<EarlierWork>,
}

/// What the rules ask about a builder, at the cut-off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credited {
    pub id: BuilderId,
    /// The slug, for addresses.
    pub slug: String,
    pub name: String,
    /// A region key of the configuration, or empty.
    pub region: String,
    /// The builder's own category key, or empty.
    pub category: String,
    /// ISO country, for those who show their place; else `None`.
    pub country: Option<String>,
    /// Handles for networks, for those who gave them.
    pub handles: BTreeMap<String, String>,
    pub active: bool,
    pub not_featured: bool,
    pub not_public: bool,
}

/// A place in an earlier digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastPick {
    /// All activities of the picked work, at that time.
    pub members: Vec<ActivityId>,
    pub builders: Vec<BuilderId>,
    pub category: String,
    pub region: String,
    pub lead: bool,
}

/// Another digest, published or still a draft that reserves its picks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastDigest {
    pub week: Week,
    pub published: bool,
    /// Where the log ended when it was computed: tells which digests were there before which.
    pub cutoff_seq: Seq,
    pub picks: Vec<PastPick>,
    /// All activities of the works on its late shelf.
    pub shelved: Vec<ActivityId>,
    /// Those of the works that it said are in cool-down, and held: their windows were paused.
    pub cooled: Vec<ActivityId>,
    pub held: Vec<ActivityId>,
}

/// How many builders of each group had a work that could have been chosen (every rule but the cool-down), in a week;
/// in thousandths of a builder, since a builder with works in several categories counts a part for each.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WeekSupply {
    pub categories: BTreeMap<String, u64>,
    pub regions: BTreeMap<String, u64>,
}

/// What a term of the gain stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonTerm {
    Quality,
    Fresh,
    Turn,
    Category,
    Region,
    NewService,
    Pinned,
}

/// One term of a gain with its points; the terms of a pick add up to its gain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub term: ReasonTerm,
    pub points: i64,
    /// In words, for staff: `better than 14 of the author's last 18`, `never featured before`.
    pub text: String,
}

/// A place in a digest. Carries everything that outputs show, so that they need nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pick {
    pub work: ActivityId,
    pub members: Vec<ActivityId>,
    pub title: String,
    /// An editor's English gloss.
    pub title_gloss: Option<String>,
    pub language: Option<String>,
    pub kind: ActivityKind,
    pub duration_s: Option<u32>,
    pub words: Option<u32>,
    pub url: String,
    pub also: Vec<String>,
    pub published_at: Option<DateStamp>,
    pub builders: Vec<Credited>,
    pub category: String,
    pub region: String,
    pub services: Vec<String>,
    /// At most 280 characters, the author's own words unless an editor wrote it.
    pub summary: Option<String>,
    /// `author` or `editor`.
    pub summary_source: String,
    /// Posts that an editor wrote, by network; under the empty name, for all networks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub social: BTreeMap<String, String>,
    /// Set where the work was taken out of the published digest: what readers are told in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<String>,
    pub lead: bool,
    /// 1 for the pick that was chosen first.
    pub round: u32,
    pub quality: i64,
    pub substance: i64,
    pub response: i64,
    pub gain: i64,
    pub reasons: Vec<Reason>,
}

/// The picks of one category, in the order shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    pub category: String,
    /// The category's name in that week.
    pub name: String,
    /// A sentence by the editor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intro: Option<String>,
    pub picks: Vec<Pick>,
}

/// A talk or event that is still to come, shown without points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upcoming {
    pub activity: ActivityId,
    pub title: String,
    pub language: Option<String>,
    pub kind: ActivityKind,
    /// Empty where the source gives no address.
    pub url: String,
    pub starts_at: DateStamp,
    pub builders: Vec<Credited>,
}

/// Why a work is in or out: the code of DIGEST.md section 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeCode {
    Chosen,
    /// Chosen, published, and taken out of the published digest.
    Removed,
    NoPlace,
    NotNominee,
    CoolDown,
    BelowFloor,
    AlreadyFeatured,
    Reserved,
    Held,
    Dropped,
    Paywalled,
    PrivateOrGone,
    /// Entered by hand, and taken back.
    Withdrawn,
    OptedOut,
    Inactive,
    FilteredKind,
    FirstImportBackfill,
    DateMissing,
    DateOutside,
    /// Found after its window closed: on the late shelf of this draft.
    LateShelf,
}

impl OutcomeCode {
    /// The code as scripts and pages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Removed => "removed",
            Self::NoPlace => "no_place",
            Self::NotNominee => "not_nominee",
            Self::CoolDown => "cool_down",
            Self::BelowFloor => "below_floor",
            Self::AlreadyFeatured => "already_featured",
            Self::Reserved => "reserved",
            Self::Held => "held",
            Self::Dropped => "dropped",
            Self::Paywalled => "paywalled",
            Self::PrivateOrGone => "private_or_gone",
            Self::Withdrawn => "withdrawn",
            Self::OptedOut => "opted_out",
            Self::Inactive => "inactive",
            Self::FilteredKind => "filtered_kind",
            Self::FirstImportBackfill => "first_import_backfill",
            Self::DateMissing => "date_missing",
            Self::DateOutside => "date_outside",
            Self::LateShelf => "late_shelf",
        }
    }
}

/// The one outcome of a work in a draft whose window holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub work: ActivityId,
    pub members: Vec<ActivityId>,
    pub title: String,
    pub url: Option<String>,
    pub builders: Vec<BuilderId>,
    pub code: OutcomeCode,
    /// In a sentence, for staff.
    pub text: String,
    pub quality: i64,
    /// The gain in the last round, for works that were nominated and not chosen.
    pub gain: Option<i64>,
    /// Points short of the last place.
    pub short: Option<i64>,
    pub reasons: Vec<Reason>,
}

/// How one group (a category or region) stands in the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub key: String,
    pub name: String,
    /// Target share in thousandths.
    pub target: i64,
    /// Places owed at the cut-off, in thousandths of a place.
    pub owed: i64,
    /// Places in the digests of the window before this one.
    pub had: i64,
    /// Places in this digest.
    pub picked: i64,
    /// Builders with a work that could be chosen this week, in thousandths.
    pub supply: u64,
}

/// How the digest stands towards its groups.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Balance {
    pub categories: Vec<Group>,
    pub regions: Vec<Group>,
}

/// So many works of a late shelf are kept at hand.
const SHELF: usize = 100;

/// Where a digest is on its way (DIGEST.md section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestState {
    /// Before the cut-off: works are still coming in, and there is no draft.
    Collecting,
    Draft,
    InReview,
    Approved,
    Published,
}

impl DigestState {
    /// The name in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Collecting => "collecting",
            Self::Draft => "draft",
            Self::InReview => "in_review",
            Self::Approved => "approved",
            Self::Published => "published",
        }
    }
}

/// A week's digest, computed at its cut-off. Pure data: same log, same configuration, same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    pub week: Week,
    /// The program's name.
    pub program: String,
    pub cutoff_at: DateStamp,
    pub cutoff_seq: Seq,
    /// The works of its late shelf were found after this.
    pub late_finds_after: DateStamp,
    /// Made after its cut-off had passed.
    pub late: bool,
    /// SHA-256, hex (RECORD.md section 8).
    pub config_hash: String,
    pub rules_version: u32,
    /// One sentence by the editor.
    pub intro: Option<String>,
    pub sections: Vec<Section>,
    /// Talks and events of the three weeks after the cut-off, soonest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coming_up: Vec<Upcoming>,
    pub outcomes: Vec<Outcome>,
    pub balance: Balance,
    /// This week's supply, sealed with the draft.
    pub supply: WeekSupply,
    /// How many works could be chosen, and of how many builders.
    pub eligible_works: u32,
    pub nominees: u32,
}

/// What later weeks and figures ask of a digest: small, beside the digest itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gist {
    pub cutoff_at: DateStamp,
    pub cutoff_seq: Seq,
    pub late_finds_after: DateStamp,
    pub supply: WeekSupply,
    pub picks: Vec<PastPick>,
    /// All activities of the works on its late shelf.
    pub shelved: Vec<ActivityId>,
    /// Those of the works that it said are in cool-down, and held.
    #[serde(default)]
    pub cooled: Vec<ActivityId>,
    #[serde(default)]
    pub held: Vec<ActivityId>,
    /// Who had a work that could be chosen, or could but for the cool-down.
    pub could: Vec<BuilderId>,
}

impl Gist {
    /// Of a digest as it stands.
    pub fn of(digest: &Digest) -> Self {
        let past_pick = |pick: &Pick| PastPick {
            members: pick.members.clone(),
            builders: pick.builders.iter().map(|builder| builder.id).collect(),
            category: pick.category.clone(),
            region: pick.region.clone(),
            lead: pick.lead,
        };
        let could = |code| {
            matches!(
                code,
                OutcomeCode::Chosen | OutcomeCode::Removed | OutcomeCode::NoPlace | OutcomeCode::NotNominee | OutcomeCode::CoolDown
            )
        };
        let said = |code: OutcomeCode| -> Vec<ActivityId> {
            let works = digest.outcomes.iter().filter(|outcome| outcome.code == code);
            let ids: BTreeSet<ActivityId> = works.flat_map(|outcome| outcome.members.iter().chain([&outcome.work]).cloned()).collect();
            ids.into_iter().collect()
        };
        let could: BTreeSet<BuilderId> =
            digest.outcomes.iter().filter(|outcome| could(outcome.code)).flat_map(|outcome| outcome.builders.iter().copied()).collect();
        Self {
            cutoff_at: digest.cutoff_at,
            cutoff_seq: digest.cutoff_seq,
            late_finds_after: digest.late_finds_after,
            supply: digest.supply.clone(),
            picks: digest.picks().map(past_pick).collect(),
            shelved: said(OutcomeCode::LateShelf),
            cooled: said(OutcomeCode::CoolDown),
            held: said(OutcomeCode::Held),
            could: could.into_iter().collect(),
        }
    }
}

impl Pick {
    /// Whether that is its work, by the work's own id or by that of a member.
    pub fn is_of(&self, work: &ActivityId) -> bool {
        self.work == *work || self.members.contains(work)
    }

    /// Leaves nothing of it but a line for readers in its place.
    pub fn take_out(&mut self, told: String) {
        self.removed = Some(told);
        self.title.clear();
        self.url.clear();
        self.also.clear();
        self.social.clear();
        (self.title_gloss, self.summary) = (None, None);
    }
}

impl Digest {
    /// The picks in the order shown.
    pub fn picks(&self) -> impl Iterator<Item = &Pick> {
        self.sections.iter().flat_map(|section| &section.picks)
    }

    /// The lead, where there is one.
    pub fn lead(&self) -> Option<&Pick> {
        self.picks().find(|pick| pick.lead)
    }

    /// As readers see it: of a work that was taken out, the line in its place is all that is left.
    #[must_use]
    pub fn for_readers(&self) -> Self {
        let mut digest = self.clone();
        for pick in digest.sections.iter_mut().flat_map(|section| &mut section.picks) {
            let Some(told) = &pick.removed else { continue };
            pick.title.clone_from(told);
            (pick.title_gloss, pick.summary, pick.language, pick.published_at) = (None, None, None, None);
            (pick.duration_s, pick.words) = (None, None);
            pick.url.clear();
            pick.also.clear();
            pick.builders.clear();
            pick.services.clear();
            pick.social.clear();
        }
        digest
    }

    /// Whether readers see a builder in it: beside a work that has a place, or among what is coming up.
    pub fn shows(&self, builder: BuilderId) -> bool {
        let names = |credited: &[Credited]| credited.iter().any(|credited| credited.id == builder);
        self.picks().any(|pick| pick.removed.is_none() && names(&pick.builders))
            || self.coming_up.iter().any(|coming| names(&coming.builders))
    }

    /// The same without a builder: of works that nobody else shares a line is left where they stood, and nothing of why
    /// they stood there; what they alone announced is gone. `None` where it does not name them.
    pub fn without(&self, builder: BuilderId, told: &str) -> Option<Self> {
        let is_named = self.shows(builder)
            || self.picks().any(|pick| pick.builders.iter().any(|credited| credited.id == builder))
            || self.outcomes.iter().any(|outcome| outcome.builders.contains(&builder));
        if !is_named {
            return None;
        }
        let mut rest = self.clone();
        rest.keep_coming(|credited| credited.id != builder);
        for pick in rest.sections.iter_mut().flat_map(|section| &mut section.picks) {
            let was_theirs = pick.builders.iter().any(|credited| credited.id == builder);
            pick.builders.retain(|credited| credited.id != builder);
            if was_theirs && pick.builders.is_empty() {
                pick.take_out(told.to_owned());
            }
        }
        rest.outcomes.retain_mut(|outcome| {
            let was_theirs = outcome.builders.contains(&builder);
            outcome.builders.retain(|other| *other != builder);
            !was_theirs || !outcome.builders.is_empty()
        });
        Some(rest)
    }

    /// Leaves nothing where works were taken out, not even a line: for a draft that nobody read yet.
    pub fn forget_removed(&mut self) {
        for section in &mut self.sections {
            section.picks.retain(|pick| pick.removed.is_none());
        }
        self.sections.retain(|section| !section.picks.is_empty());
    }

    /// Keeps of those who announce something the ones that may be named, and what at least one of them announces. Answers
    /// how many entries are gone.
    pub fn keep_coming(&mut self, may_be_named: impl Fn(&Credited) -> bool) -> usize {
        let before = self.coming_up.len();
        self.coming_up.retain_mut(|coming| {
            coming.builders.retain(|credited| may_be_named(credited));
            !coming.builders.is_empty()
        });
        before - self.coming_up.len()
    }

    /// Forgets all outcomes but the best of its late shelf, best first: what is looked at again and again needs no more, and
    /// there are many.
    pub fn keep_late_shelf(&mut self) {
        self.outcomes.retain(|outcome| outcome.code == OutcomeCode::LateShelf);
        self.outcomes.sort_by(|one, other| (other.quality, &one.work).cmp(&(one.quality, &other.work)));
        self.outcomes.truncate(SHELF);
    }

    /// Whether the week has nothing to say.
    pub fn is_empty(&self) -> bool {
        self.picks().next().is_none()
    }
}
