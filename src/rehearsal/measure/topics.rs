//! Services and categories against labels: precision and recall of the services, accuracy and macro-F1 of the category.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{MeasureError, f1, lines, rounded, share};
use crate::config::Category;
use crate::topic::Classifier;

/// One item with what a person says it is about.
#[derive(Debug, Clone, Deserialize)]
struct Labelled {
    title: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    links: Vec<String>,
    #[serde(default)]
    language: Option<String>,
    /// The category of its builder, where one is known.
    #[serde(default)]
    own_category: String,
    /// Names of services, by any name that the dictionary knows.
    services: Vec<String>,
    /// The key or name of a category; `general` for none.
    category: String,
}

/// How well one category is found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CategoryFigures {
    pub category: String,
    pub items: u32,
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
}

/// An item that the rules read otherwise than the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicMiss {
    pub title: String,
    /// Services that were not found.
    pub missed: Vec<String>,
    /// Services that were found and are not there.
    pub wrong: Vec<String>,
    /// Wanted and found category, where they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<(String, String)>,
}

/// What the classifier made of the labelled items.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopicFigures {
    pub items: u32,
    pub languages: Vec<String>,
    pub services_labelled: u32,
    pub services_found: u32,
    pub services_right: u32,
    pub precision: f64,
    pub recall: f64,
    pub accuracy: f64,
    pub macro_f1: f64,
    pub categories: Vec<CategoryFigures>,
    pub misses: Vec<TopicMiss>,
}

/// Puts the items of these files through the classifier of a program with these categories.
pub fn topics(files: &[PathBuf], categories: &[Category]) -> Result<TopicFigures, MeasureError> {
    let classifier = Classifier::new(categories);
    let mut items: Vec<Labelled> = Vec::new();
    for file in files {
        items.extend(lines(file)?);
    }
    let mut figures = Counts::default();
    let mut misses = Vec::new();
    for item in &items {
        let topic = classifier.classify_text(&item.title, &item.summary, &item.tags, &item.links, &item.own_category);
        let wanted: BTreeSet<String> =
            item.services.iter().map(|name| classifier.service_named(name).map_or_else(|| name.trim().to_owned(), str::to_owned)).collect();
        let found: BTreeSet<String> = topic.services.into_iter().collect();
        let category = key_of(&item.category, categories);
        figures.labelled += count(wanted.len());
        figures.found += count(found.len());
        figures.right += count(wanted.intersection(&found).count());
        figures.category(&category, &topic.category);
        let miss = TopicMiss {
            title: item.title.clone(),
            missed: wanted.difference(&found).cloned().collect(),
            wrong: found.difference(&wanted).cloned().collect(),
            category: (category != topic.category).then_some((category, topic.category)),
        };
        if !miss.missed.is_empty() || !miss.wrong.is_empty() || miss.category.is_some() {
            misses.push(miss);
        }
    }
    let languages: BTreeSet<String> = items.iter().filter_map(|item| item.language.clone()).collect();
    Ok(figures.finish(count(items.len()), languages.into_iter().collect(), misses))
}

#[derive(Default)]
struct Counts {
    labelled: u32,
    found: u32,
    right: u32,
    same_category: u32,
    /// Of each category: labelled, found, both.
    by_category: BTreeMap<String, (u32, u32, u32)>,
}

impl Counts {
    fn category(&mut self, wanted: &str, found: &str) {
        self.by_category.entry(wanted.to_owned()).or_default().0 += 1;
        self.by_category.entry(found.to_owned()).or_default().1 += 1;
        if wanted == found {
            self.by_category.entry(wanted.to_owned()).or_default().2 += 1;
            self.same_category += 1;
        }
    }

    fn finish(self, items: u32, languages: Vec<String>, misses: Vec<TopicMiss>) -> TopicFigures {
        let mut sum = 0.0;
        let categories: Vec<CategoryFigures> = self
            .by_category
            .into_iter()
            .map(|(category, (labelled, found, both))| {
                // A category that nothing was found to be of has no precision to speak of: it counts as none.
                let precision = if found == 0 { 0.0 } else { share(both, found) };
                let recall = if labelled == 0 { 0.0 } else { share(both, labelled) };
                sum += f1(precision, recall);
                CategoryFigures {
                    category,
                    items: labelled,
                    precision: rounded(precision),
                    recall: rounded(recall),
                    f1: rounded(f1(precision, recall)),
                }
            })
            .collect();
        TopicFigures {
            items,
            languages,
            services_labelled: self.labelled,
            services_found: self.found,
            services_right: self.right,
            precision: rounded(share(self.right, self.found)),
            recall: rounded(share(self.right, self.labelled)),
            accuracy: rounded(share(self.same_category, items)),
            macro_f1: rounded(sum / f64::from(count(categories.len()).max(1))),
            categories,
            misses,
        }
    }
}

/// The key of a category that goes by key or by name.
fn key_of(category: &str, categories: &[Category]) -> String {
    let known = categories.iter().find(|known| known.key == category || known.name.eq_ignore_ascii_case(category));
    known.map_or_else(|| category.to_owned(), |known| known.key.clone())
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::builtin_categories;

    fn labelled(name: &str) -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/topics")).join(name)
    }

    /// The goals of DIGEST.md section 3.
    #[track_caller]
    fn reaches_the_goals(figures: &TopicFigures) {
        let told = format!("{:.3} {:.3} {:.3} {:.3}", figures.precision, figures.recall, figures.accuracy, figures.macro_f1);
        assert!(figures.precision >= 0.95 && figures.recall >= 0.85, "{told}");
        assert!(figures.accuracy >= 0.80 && figures.macro_f1 >= 0.70, "{told}");
    }

    #[test]
    fn labelled_items_are_many_in_many_languages_and_the_goals_are_reached() {
        let files = [labelled("worked.jsonl"), labelled("held.jsonl"), labelled("fresh.jsonl")];
        let figures = topics(&files, &builtin_categories()).unwrap();
        assert!(figures.items >= 300 && figures.languages.len() >= 6, "{} in {:?}", figures.items, figures.languages);
        reaches_the_goals(&figures);
    }

    #[test]
    fn items_that_were_labelled_when_the_rules_stood_reach_the_goals_too() {
        reaches_the_goals(&topics(&[labelled("fresh.jsonl")], &builtin_categories()).unwrap());
    }

    #[test]
    fn right_answers_are_counted_as_such_and_wrong_ones_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("items.jsonl");
        let text = r#"{"title":"Amazon S3 and AWS Glue","services":["Amazon S3","Athena"],"category":"storage"}

{"title":"A walk","services":[],"category":"general"}"#;
        std::fs::write(&file, text).unwrap();
        let figures = topics(std::slice::from_ref(&file), &builtin_categories()).unwrap();
        assert_eq!((figures.services_labelled, figures.services_found, figures.services_right), (2, 2, 1));
        assert_eq!((figures.misses.len(), figures.misses[0].missed.as_slice()), (1, &["Athena".to_owned()][..]));
        assert_eq!(figures.misses[0].wrong, ["Glue"]);
        std::fs::write(&file, "{\"title\":7}").unwrap();
        assert!(matches!(topics(&[file], &[]), Err(MeasureError::Line { line: 1, .. })));
    }
}
