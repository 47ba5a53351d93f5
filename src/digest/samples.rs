//! Candidates and people for the tests of this room.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Edits, Inputs, LateFinds};
use crate::config::{Category, DigestConfig};
use crate::model::{
    ActivityId, ActivityKind, BuilderId, Candidate, Credited, EarlierWork, PastDigest, PastPick, Seq, Substance, Topic, Week, WeekSupply,
};

/// Monday after 2026-W47, 06:00 UTC.
pub(super) fn cutoff() -> Timestamp {
    week().end() + SignedDuration::from_hours(6)
}

pub(super) fn week() -> Week {
    "2026-W47".parse().unwrap()
}

pub(super) fn days_before_cutoff(days: i64) -> Timestamp {
    cutoff() - SignedDuration::from_hours(24 * days)
}

pub(super) fn work_id(n: i64) -> ActivityId {
    ActivityId::of_key(&format!("work {n}"))
}

/// A good article three days old at the cut-off.
pub(super) fn candidate(n: i64, builders: &[i64]) -> Candidate {
    let at = days_before_cutoff(3);
    Candidate {
        work: work_id(n),
        members: vec![work_id(n)],
        kind: ActivityKind::Article,
        title: format!("Work {n}"),
        summary: Some("What it teaches.".into()),
        language: Some("en".into()),
        url: Some(format!("https://blog.example/{n}")),
        also: Vec::new(),
        published_at: Some(at),
        effective_at: at,
        first_seen_at: at,
        backfill: false,
        paywalled: false,
        unproven: false,
        link_gone: false,
        held_until: None,
        left: false,
        withdrawn: false,
        builders: builders.iter().copied().map(BuilderId).collect(),
        substance: substance(),
        topic: Topic { services: vec!["Lambda".into()], category: "app_dev".into(), confidence: 700, evidence: Vec::new() },
        counts: [None; 4],
        earlier: Vec::new(),
    }
}

pub(super) fn substance() -> Substance {
    Substance { words: Some(700), summary_chars: 90, canonical: Some(true), ..Substance::default() }
}

pub(super) fn earlier(counts: [Option<u64>; 4]) -> EarlierWork {
    EarlierWork { work: work_id(0), substance: substance(), topic_confidence: 700, kind: ActivityKind::Article, counts }
}

pub(super) fn builder(n: i64, region: &str) -> Credited {
    Credited {
        id: BuilderId(n),
        slug: format!("builder-{n}"),
        name: format!("Builder {n}"),
        region: region.into(),
        category: "app_dev".into(),
        country: None,
        handles: BTreeMap::new(),
        active: true,
        not_featured: false,
        not_public: false,
    }
}

pub(super) fn past_pick(works: &[i64], builders: &[i64]) -> PastPick {
    PastPick {
        members: works.iter().copied().map(work_id).collect(),
        builders: builders.iter().copied().map(BuilderId).collect(),
        category: "app_dev".into(),
        region: "western_europe".into(),
        lead: false,
    }
}

/// A published digest of a week, with nothing in it.
pub(super) fn past_week(week: Week) -> PastDigest {
    PastDigest { week, published: true, cutoff_seq: Seq(0), picks: Vec::new(), shelved: Vec::new(), cooled: Vec::new(), held: Vec::new() }
}

/// A whole set of inputs that can be borrowed from.
#[derive(Debug)]
pub(super) struct Case {
    pub week: Week,
    pub config: DigestConfig,
    pub categories: Vec<Category>,
    pub builders: BTreeMap<BuilderId, Credited>,
    pub candidates: Vec<Candidate>,
    pub history: Vec<PastDigest>,
    pub supply: BTreeMap<Week, WeekSupply>,
    pub edits: Edits,
}

impl Case {
    /// Builders 1 to `builders`, each of Western Europe, with candidates to follow.
    pub(super) fn new(builders: i64) -> Self {
        Self {
            week: week(),
            config: DigestConfig::default(),
            categories: super::builtin_categories(),
            builders: (1..=builders).map(|n| (BuilderId(n), builder(n, "western_europe"))).collect(),
            candidates: Vec::new(),
            history: Vec::new(),
            supply: BTreeMap::new(),
            edits: Edits::default(),
        }
    }

    pub(super) fn inputs(&self) -> Inputs<'_> {
        let cutoff_at = self.week.end() + SignedDuration::from_hours(6);
        Inputs {
            week: self.week,
            program: "Test",
            cutoff_at,
            cutoff_seq: Seq(1),
            late_finds: LateFinds { after: days_before_cutoff(7), until: cutoff_at },
            late: false,
            config: &self.config,
            config_hash: String::new(),
            rules_version: 1,
            categories: &self.categories,
            regions: &[],
            builders: &self.builders,
            candidates: &self.candidates,
            history: &self.history,
            supply: &self.supply,
            edits: &self.edits,
        }
    }

    pub(super) fn compose(&self) -> crate::model::Digest {
        super::compose(&self.inputs())
    }

    pub(super) fn draft(&self) -> (crate::model::Digest, crate::model::Pool) {
        super::compose_with_pool(&self.inputs())
    }
}
