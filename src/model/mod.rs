//! The vocabulary of clarion: what passes between rooms, and what is kept.
//!
//! Knows nobody: no SQL, no HTTP, no feed library. Every type that crosses from one step to another stands here, one
//! subject a file, and this is the one door to all of them.

mod account;
mod activity;
mod builder;
mod byline;
mod decision;
mod delivery;
mod desk;
mod digest;
mod document;
mod entry;
mod fact;
mod filter;
mod hash;
mod poll;
mod secret;
mod source;
mod topic;
mod url;
mod view;
mod week;
mod work;

pub use account::{AuditLine, BuilderLink, SignedIn, User, UserRole};
pub use activity::{Activity, ActivityId, ActivityKind, Basis, Credit, DateTrust, GridAge, Role, Sighting, Substance};
pub use builder::{Builder, BuilderId, Slug, SlugError, Switches};
pub use byline::Byline;
pub use decision::{Decision, DecisionKind};
pub use delivery::{Amplified, DeliveryState};
pub use desk::{
    Contender, Desk, Difference, DraftView, Edit, EditRecord, Finding, FixedPoints, InLine, LateFind, Level, Mark, MarkRecord, Network,
    Notice, PickView, Pool, Rewording, Wording, WordingError,
};
pub use digest::{
    Balance, Candidate, Credited, DateStamp, Digest, DigestState, EarlierWork, Gist, Group, Outcome, OutcomeCode, PastDigest, PastPick,
    Pick, Reason, ReasonTerm, Section, Upcoming, WeekSupply,
};
pub use document::{Auth, Document, Freshness, Request, Validators};
pub use entry::{Arrival, Author, Content, Counts, Ending, Entry, EntryKey, FeedHints, Media, ReadError, Reading, Repair};
pub use fact::{Fact, FactKind, Seq};
pub use filter::{Filtered, Filters, names_of_author, names_of_builder};
pub use hash::{hex, sha256_hex};
pub use poll::{Poll, PollOutcome};
pub use secret::{masked, masked_text};
pub use source::{Account, Ask, Owner, Source, SourceId, SourceKind, SourceState, SourceStatus, Times};
pub use topic::{Evidence, Topic};
pub use url::{CanonicalUrl, UrlError};
pub use view::{
    AmplifiedView, BuilderRecordView, BuilderRow, BuilderView, Correction, DigestSummary, FeaturedView, FeaturedWork, HealthView, HomeView,
    HostRow, MergedView, OperatorView, RecordQuery, Sight, SightingView, SourceRow, TaskRow, TimelineItem, WordView,
};
pub use week::{Week, WeekError};
pub use work::{MergeRule, Work, WorkMember};
