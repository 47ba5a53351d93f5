//! Who may do what: roles, accounts, and what was done.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::BuilderId;

/// What somebody may see and do (PROMISES.md section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserRole {
    /// Anybody: what is published.
    Public,
    /// A builder: their own record.
    Builder,
    /// Drafts and decisions.
    Staff,
    /// Health and sources; no editorial power.
    Operator,
}

impl UserRole {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Public, Self::Builder, Self::Staff, Self::Operator];

    /// The name in tables and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Builder => "builder",
            Self::Staff => "staff",
            Self::Operator => "operator",
        }
    }

    /// The role of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// Somebody who can sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    pub name: String,
    pub roles: BTreeSet<UserRole>,
    /// Whether a password is set; without one only a proxy can sign them in.
    pub has_password: bool,
    pub created_at: Timestamp,
    /// When the password was last set.
    pub changed_at: Timestamp,
    /// When a session of theirs was last used.
    pub used_at: Option<Timestamp>,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The name in the audit log: of the account, or of the builder.
    pub name: String,
    pub roles: BTreeSet<UserRole>,
    /// Whose record a private link shows.
    pub builder: Option<BuilderId>,
    pub opened_at: Timestamp,
    pub used_at: Timestamp,
    /// What the browser calls itself.
    pub agent: String,
}

/// A private, read-only link to a builder's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuilderLink {
    pub builder: BuilderId,
    pub made_by: String,
    pub made_at: Timestamp,
    pub used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// One action: who, when, what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditLine {
    pub at: Timestamp,
    pub who: String,
    /// `signed_in`, `added_account`, or the name of a decision.
    pub what: String,
    /// What it was about: a name, a week, a source.
    pub about: String,
    /// All that a decision says beside that, as JSON.
    pub detail: Option<String>,
}
