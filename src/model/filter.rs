//! Which entries of a source count for a builder, and by which names entries call their makers.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ActivityKind, Author, Builder};
use crate::text::{collapse, fold};

/// The most values of one filter.
const MAX_VALUES: usize = 40;
/// The most characters of one value.
const MAX_VALUE: usize = 120;

/// Which entries of a source count for the builder who claims it. Filters that are empty let everything pass; of those
/// that are set, all must.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Filters {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_kinds: Vec<ActivityKind>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_kinds: Vec<ActivityKind>,
    /// Categories or tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_tags: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_tags: Vec<String>,
    /// Words or phrases of title, summary or text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_words: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_words: Vec<String>,
    /// Beginnings of the path of the entry's address, whole segments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_paths: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_paths: Vec<String>,
}

impl Filters {
    /// The names of the filters, in rosters and on the command line.
    pub const NAMES: &'static [&'static str] =
        &["only_kinds", "not_kinds", "only_tags", "not_tags", "only_words", "not_words", "only_paths", "not_paths"];

    /// The filter of that name, other spellings forgiven.
    pub fn named(name: &str) -> Option<&'static str> {
        let plain: String = name.trim().chars().map(|c| if matches!(c, ' ' | '-') { '_' } else { c.to_ascii_lowercase() }).collect();
        let (sense, what) = plain.split_once('_')?;
        let sense = match sense {
            "only" => "only",
            "not" | "no" | "without" => "not",
            _ => return None,
        };
        let what = match what {
            "kind" | "kinds" => "kinds",
            "tag" | "tags" | "category" | "categories" => "tags",
            "word" | "words" | "keyword" | "keywords" => "words",
            "path" | "paths" => "paths",
            _ => return None,
        };
        Self::NAMES.iter().copied().find(|name| *name == format!("{sense}_{what}"))
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sets a filter to a list parted by semicolons, or empties it; or says in a sentence why not.
    pub fn set(&mut self, name: &str, list: Option<&str>) -> Result<(), String> {
        let mut values: Vec<String> = Vec::new();
        for value in list.unwrap_or_default().split(';').map(collapse).filter(|value| !value.is_empty()) {
            if value.chars().count() > MAX_VALUE {
                return Err(format!("a value of {name} is longer than {MAX_VALUE} characters"));
            }
            if !values.contains(&value) {
                values.push(value);
            }
        }
        if values.len() > MAX_VALUES {
            return Err(format!("{name} holds more than {MAX_VALUES} values"));
        }
        let slot = match name {
            "only_kinds" | "not_kinds" => {
                let kinds = values.iter().map(|value| kind(value)).collect::<Result<Vec<_>, _>>()?;
                *(if name == "only_kinds" { &mut self.only_kinds } else { &mut self.not_kinds }) = kinds;
                return Ok(());
            }
            "only_tags" => &mut self.only_tags,
            "not_tags" => &mut self.not_tags,
            "only_words" => &mut self.only_words,
            "not_words" => &mut self.not_words,
            "only_paths" => &mut self.only_paths,
            "not_paths" => &mut self.not_paths,
            other => return Err(format!("there is no filter `{other}`; known are {}", Self::NAMES.join(", "))),
        };
        *slot = values;
        Ok(())
    }

    /// The list that [`Filters::set`] takes; `None` where the filter is empty.
    pub fn get(&self, name: &str) -> Option<String> {
        let kinds = |kinds: &[ActivityKind]| kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(";");
        let list = match name {
            "only_kinds" => kinds(&self.only_kinds),
            "not_kinds" => kinds(&self.not_kinds),
            "only_tags" => self.only_tags.join(";"),
            "not_tags" => self.not_tags.join(";"),
            "only_words" => self.only_words.join(";"),
            "not_words" => self.not_words.join(";"),
            "only_paths" => self.only_paths.join(";"),
            "not_paths" => self.not_paths.join(";"),
            _ => String::new(),
        };
        (!list.is_empty()).then_some(list)
    }
}

impl fmt::Display for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set: Vec<String> = Self::NAMES.iter().filter_map(|name| Some(format!("{name}={}", self.get(name)?))).collect();
        f.write_str(&set.join(" "))
    }
}

fn kind(text: &str) -> Result<ActivityKind, String> {
    let plain = text.to_ascii_lowercase().replace([' ', '-'], "_");
    let singular = match plain.as_str() {
        "replies" | "responses" | "response" => "reply",
        "repositories" => "repository",
        "episode" | "episodes" | "podcast" | "podcasts" => "podcast_episode",
        "live" | "stream" | "streams" => "livestream",
        other => other,
    };
    let found = ActivityKind::parse(singular).or_else(|| ActivityKind::parse(singular.strip_suffix('s')?));
    found.ok_or_else(|| {
        let known: Vec<_> = ActivityKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("`{text}` is no kind of work; known are {}", known.join(", "))
    })
}

/// Why an entry counts for nobody although a source that is claimed shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Filtered {
    /// `only_tags`, `not_kinds` …, or `author`.
    pub filter: String,
    /// What the filter asks for.
    pub asks: String,
}

impl Filtered {
    /// The reason code (DIGEST.md section 9).
    pub fn code(&self) -> &'static str {
        match self.filter.as_str() {
            "only_kinds" | "not_kinds" => "filtered_kind",
            "only_tags" | "not_tags" => "filtered_tag",
            "only_words" | "not_words" => "filtered_word",
            "only_paths" | "not_paths" => "filtered_path",
            _ => "filtered_author",
        }
    }
}

/// The names by which an entry may call a person: the folded name, the account, the account in the profile's address.
/// What calls one and the same person shares at least one with [`names_of_builder`].
pub fn names_of_author(author: &Author) -> Vec<String> {
    let account = author.url.as_deref().and_then(|url| {
        let url = url::Url::parse(url).ok()?;
        url.path_segments()?.rfind(|segment| !segment.is_empty()).map(str::to_owned)
    });
    names([Some(author.name.as_str()), author.id.as_deref(), account.as_deref()].into_iter().flatten())
}

/// The names by which entries may call a builder.
pub fn names_of_builder(builder: &Builder) -> Vec<String> {
    let called = std::iter::once(&builder.name).chain(&builder.former_names).chain(builder.handles.values());
    names(called.map(String::as_str))
}

fn names<'a>(told: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = told.map(|name| fold(name.trim().trim_start_matches('@'))).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_as_they_are_written() {
        let mut filters = Filters::default();
        for (name, list) in [("No Kinds", "Shorts; replies"), ("only-categories", "AWS;aws lambda;AWS"), ("only_path", "/ada/")] {
            filters.set(Filters::named(name).unwrap(), Some(list)).unwrap();
        }
        assert_eq!(filters.to_string(), "not_kinds=short;reply only_tags=AWS;aws lambda only_paths=/ada/");
        let mut again = Filters::default();
        for name in Filters::NAMES {
            again.set(name, filters.get(name).as_deref()).unwrap();
        }
        assert_eq!(again, filters);
        assert!(filters.set("not_kinds", Some("sonnet")).unwrap_err().contains("podcast_episode"));
        assert!(filters.set("only_words", Some(&"x".repeat(121))).is_err());
        filters.set("not_kinds", None).unwrap();
        assert_eq!(filters.get("not_kinds"), None);
        assert_eq!(Filters::named("author"), None);
    }
}
