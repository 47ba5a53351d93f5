//! A member of the program, as the roster tells it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The opaque id of a builder: all that log rows know of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BuilderId(pub i64);

impl fmt::Display for BuilderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

/// The stable short name of a builder in addresses and rosters: 1 to 64 of `a-z`, `0-9`, `-`, `_`, `.`,
/// beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slug(String);

/// Why a text is no slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a usable builder name: 1 to 64 of a-z, 0-9, '-', '_' and '.', beginning with a letter or digit")]
pub struct SlugError(pub String);

impl Slug {
    /// Reads a slug; upper-case ASCII letters and surrounding blanks are forgiven.
    pub fn parse(text: &str) -> Result<Self, SlugError> {
        let slug = text.trim().to_ascii_lowercase();
        let fits = (1..=64).contains(&slug.len())
            && slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
            && slug.as_bytes()[0].is_ascii_alphanumeric();
        if fits { Ok(Self(slug)) } else { Err(SlugError(text.chars().take(80).collect())) }
    }

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The switches that a builder has over their own data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct Switches {
    /// Recorded and public, but never put into a digest.
    pub not_featured: bool,
    /// No public page, and in no public list, whatever `public_record` says.
    pub not_public: bool,
    /// Their sources are not polled any more.
    pub stop_collecting: bool,
    /// Place and handles may be shown publicly.
    pub show_place: bool,
    /// The whole record is public; else everybody sees the name and what was featured.
    pub public_record: bool,
    /// Pushes to repositories are recorded too, folded to one a repository and day.
    pub pushes: bool,
}

/// A member of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builder {
    pub id: BuilderId,
    pub slug: Slug,
    /// The name as one string, NFC, never split or re-cased.
    pub name: String,
    /// Names that the roster gave before, in the order in which they were given up: what was signed with one stays theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_names: Vec<String>,
    /// Never public.
    pub email: Option<String>,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<String>,
    /// A region key of the configuration; where the roster gives none, told from the country.
    pub region: Option<String>,
    /// Category keys as the roster gives them; the first is the builder's own.
    pub categories: Vec<String>,
    /// The year or wave in which the builder joined.
    pub cohort: Option<String>,
    /// IANA time zone name.
    pub timezone: Option<String>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// Network (`x`, `bluesky`, `mastodon`, `linkedin`, `github` …) to handle.
    pub handles: BTreeMap<String, String>,
    pub active_from: Option<Timestamp>,
    pub active_to: Option<Timestamp>,
    pub switches: Switches,
    /// When the roster last did not hold this builder; `None` while it does.
    pub absent_since: Option<Timestamp>,
}

impl Builder {
    /// The builder as a roster tells it now, who was known as another before: names that were given up stay known.
    #[must_use]
    pub fn succeeding(mut self, before: &Self) -> Self {
        self.former_names.clone_from(&before.former_names);
        if self.name != before.name {
            self.former_names.push(before.name.clone());
        }
        let mut told = std::collections::BTreeSet::new();
        self.former_names.retain(|name| *name != self.name && told.insert(name.clone()));
        self
    }

    /// Whether the builder is a member at that moment.
    pub fn is_active(&self, at: Timestamp) -> bool {
        self.active_from.is_none_or(|from| from <= at) && self.active_to.is_none_or(|to| at < to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_short_and_plain() {
        for good in ["ada", "Ada-L", " o.connor_2 ", "7"] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-ada", "ada lovelace", "../etc", "şükrü", &"a".repeat(65)] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }
}
