//! What pages show: read from the store, ready to be put into words.
//!
//! Plain data without judgment; sentences and sorting belong to whoever shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{ActivityId, ActivityKind, Digest, OutcomeCode, SourceId, SourceKind, SourceStatus, Switches, Week};

/// A mistake in a published digest, put right in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    pub week: Week,
    pub at: Timestamp,
    pub text: String,
}

/// The front page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HomeView {
    /// The latest published digest.
    pub latest: Option<Digest>,
    /// Published digests, latest first, with or without the one above; a few suffice.
    pub digests: Vec<DigestSummary>,
    pub builders: u64,
    pub sources: u64,
    pub activities: u64,
}

/// A published digest in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestSummary {
    pub week: Week,
    pub published_at: Option<Timestamp>,
    pub works: u32,
    pub builders: u32,
    /// The title of the work that leads, as its author wrote it, and its language.
    pub lead: Option<String>,
    pub lead_language: Option<String>,
    pub corrected: bool,
}

/// A builder in the public list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuilderRow {
    pub slug: String,
    pub name: String,
    /// The name of the builder's own category; like the next three only where whoever asks sees the record.
    pub category: Option<String>,
    pub activities: Option<u64>,
    pub latest_at: Option<Timestamp>,
    /// ISO country, for those who show their place.
    pub country: Option<String>,
    /// Places in published digests.
    pub featured: u64,
    /// Has no public page, and stands in this list for those who look after the program.
    pub not_public: bool,
}

/// How far whoever asks may look into the record of a builder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sight {
    /// As far as the builder lets everybody: the name and what was featured, or the whole record.
    #[default]
    Public,
    /// On the operator's own machine, where nobody can sign in yet: the whole record of whoever has a public page.
    Machine,
    /// The builder, staff and operators: everything.
    Inside,
}

impl Sight {
    /// Whether that builder is there at all for whoever asks.
    pub fn finds(self, switches: Switches) -> bool {
        self == Self::Inside || !switches.not_public
    }

    /// Whether whoever asks sees the whole record of that builder.
    pub fn sees_record(self, switches: Switches) -> bool {
        self.finds(switches) && (self != Self::Public || switches.public_record)
    }
}

/// What of a builder's record is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordQuery {
    pub kind: Option<ActivityKind>,
    pub sight: Sight,
    /// How many items of the timeline to leave out, and to give.
    pub skip: u64,
    pub take: u64,
}

/// The page of a builder, as far as whoever asks may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuilderView {
    Record(Box<BuilderRecordView>),
    Featured(FeaturedView),
}

/// What everybody sees of a builder: the name, and what stands in published digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeaturedView {
    pub slug: String,
    pub name: String,
    /// ISO country, for those who show their place.
    pub country: Option<String>,
    /// How many works there are in all.
    pub found: u64,
    /// Latest first.
    pub works: Vec<FeaturedWork>,
}

/// A work as a published digest shows it to its readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeaturedWork {
    pub week: Week,
    pub title: String,
    pub language: Option<String>,
    pub kind: ActivityKind,
    pub url: String,
}

/// A builder's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuilderRecordView {
    pub slug: String,
    pub name: String,
    pub category: Option<String>,
    /// ISO country, for those who show their place.
    pub country: Option<String>,
    /// The zone in which days are counted.
    pub timezone: Option<String>,
    /// In all, whatever was asked for.
    pub activities: u64,
    /// Days with at least one activity, in all.
    pub days: u64,
    /// Places in published digests.
    pub featured: u64,
    pub kinds: BTreeMap<ActivityKind, u64>,
    /// Today in the builder's zone.
    pub today: Date,
    /// Activities a day, in the builder's zone, for the last 53 weeks; days without are left out.
    pub calendar: BTreeMap<Date, u32>,
    pub sources: Vec<SourceRow>,
    /// How many items the timeline has with the kind that was asked for.
    pub found: u64,
    /// Latest first.
    pub timeline: Vec<TimelineItem>,
    /// Where the program posted about works of theirs, latest first.
    pub amplified: Vec<AmplifiedView>,
    /// What staff told them in private, latest first; only where whoever asks may see it.
    pub words: Vec<WordView>,
}

/// A private word of staff about a work: something in it is outdated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordView {
    pub title: String,
    pub text: String,
    pub at: Timestamp,
}

/// A post of the program about a builder's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmplifiedView {
    pub week: Week,
    pub title: String,
    pub language: Option<String>,
    pub channel: String,
    pub url: String,
    pub at: Timestamp,
}

/// One activity in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineItem {
    pub activity: ActivityId,
    pub kind: ActivityKind,
    pub title: String,
    pub language: Option<String>,
    pub url: Option<String>,
    /// The effective time.
    pub at: Timestamp,
    /// The day of it in the builder's zone.
    pub day: Date,
    /// Whether the source told the date, or first seen stands in.
    pub dated: bool,
    pub backfill: bool,
    pub sightings: Vec<SightingView>,
    /// The other activities of its work, with the rule that joined them, in words.
    pub merged: Vec<MergedView>,
    /// The name of its category, and what spoke for it.
    pub category: Option<String>,
    pub evidence: Vec<String>,
    pub services: Vec<String>,
    /// What came of it, the latest draft last.
    pub outcomes: Vec<(Week, OutcomeCode)>,
}

/// Where and when an activity was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SightingView {
    pub source_kind: SourceKind,
    /// The source's own title, or its address.
    pub source: String,
    pub first_seen_at: Timestamp,
    pub left_at: Option<Timestamp>,
}

/// Another activity of the same work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedView {
    pub title: String,
    pub url: Option<String>,
    pub rule: super::MergeRule,
}

/// A source as pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    pub id: SourceId,
    pub kind: SourceKind,
    /// The title that it gives itself.
    pub title: Option<String>,
    /// Masked: what only its owner should know is not in it.
    pub url: String,
    /// Slug and name of each builder who claims it.
    pub owners: Vec<(String, String)>,
    pub status: SourceStatus,
    pub paused: bool,
    /// Left the roster.
    pub left: bool,
    /// What is wrong, in a sentence.
    pub error: Option<String>,
    pub failing_since: Option<Timestamp>,
    pub failures: u32,
    pub last_poll_at: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    pub last_new_at: Option<Timestamp>,
    pub next_poll_at: Option<Timestamp>,
    /// Its host asked for quiet until then.
    pub quiet_until: Option<Timestamp>,
    pub entries: u64,
    /// Repairs that its last document needed.
    pub repairs: Vec<String>,
}

/// The operator's page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperatorView {
    pub sources: Vec<SourceRow>,
    /// Hosts that asked for quiet.
    pub hosts: Vec<HostRow>,
    /// Timed tasks.
    pub tasks: Vec<TaskRow>,
    pub entries: u64,
    pub activities: u64,
    pub works: u64,
    /// The last line of the log, and the last one that derived rows speak of.
    pub log_seq: i64,
    pub settled_seq: i64,
    pub database_bytes: u64,
    /// Writes waiting.
    pub queue: u64,
}

/// A host that asked for quiet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRow {
    pub host: String,
    pub until: Timestamp,
}

/// A timed task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRow {
    pub name: String,
    pub last_at: Option<Timestamp>,
    pub elapsed_ms: Option<u64>,
    /// What came of the last run, in a few words.
    pub outcome: Option<String>,
    /// Whether the last run failed.
    pub failed: bool,
    pub next_at: Option<Timestamp>,
}

/// Whether the daemon can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthView {
    /// What keeps it from being ready, each in a sentence without names or addresses; empty when ready.
    pub problems: Vec<String>,
}
