//! Says what a work is about: services and one category, with the evidence.
//!
//! In: title, summary, tags and links of an activity, and its builder's own category. Out: a [`Topic`]. The rules are
//! DIGEST.md section 3: tags and services in the title weigh three points, services in the summary, words of the topic
//! and the builder's own category one. Knows nothing of works, of digests or of the store.

mod dictionary;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::Category;
use crate::model::{Activity, Evidence, Topic};

use crate::text::fold;
use dictionary::{Dictionary, Phrases, Setting, squeeze};

pub use dictionary::dictionary_hash;

const STRONG: u32 = 3;
const WEAK: u32 = 1;
/// Where nothing speaks for a category.
const GENERAL: &str = "general";

/// What classifies, built once for the categories of the program.
pub struct Classifier {
    dictionary: Dictionary,
    keys: Vec<String>,
    names: Vec<String>,
    /// Tags, squeezed, to categories.
    tags: HashMap<String, Vec<usize>>,
    /// Services, by their place in the dictionary, to categories.
    services: HashMap<usize, Vec<usize>>,
    words: Phrases<usize>,
    meanings: Vec<(String, Vec<usize>)>,
}

impl Classifier {
    /// A classifier for these categories. A service that none of them names speaks for the one of the dictionary, where
    /// the program has it.
    pub fn new(categories: &[Category]) -> Self {
        let dictionary = Dictionary::new();
        let mut tags: HashMap<String, Vec<usize>> = HashMap::new();
        let mut services: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut words: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, category) in categories.iter().enumerate() {
            for tag in &category.tags {
                add(tags.entry(squeeze(&fold(tag))).or_default(), place);
            }
            for service in category.services.iter().filter_map(|service| dictionary.named(service)) {
                add(services.entry(service).or_default(), place);
            }
            for word in &category.words {
                add(words.entry(fold(word)).or_default(), place);
            }
        }
        for topic in &dictionary.topics {
            let Some(place) = categories.iter().position(|category| category.key == topic.category) else { continue };
            for word in &topic.words {
                // What the program itself says of a tag or word goes first.
                if topic.are_tags {
                    tags.entry(squeeze(&fold(word))).or_insert_with(|| vec![place]);
                } else {
                    words.entry(fold(word)).or_insert_with(|| vec![place]);
                }
            }
        }
        for (service, entry) in dictionary.services.iter().enumerate() {
            if let Some(place) = categories.iter().position(|category| category.key == entry.category) {
                services.entry(service).or_insert_with(|| vec![place]);
            }
        }
        let meanings: Vec<(String, Vec<usize>)> = words.into_iter().collect();
        let words = Phrases::new(meanings.iter().enumerate().map(|(place, (word, _))| (word.clone(), place)).collect());
        Self {
            dictionary,
            keys: categories.iter().map(|category| category.key.clone()).collect(),
            names: categories.iter().map(|category| category.name.clone()).collect(),
            tags,
            services,
            words,
            meanings,
        }
    }

    /// What an activity is about. `own_category` is the key of its builder's own one, empty where there is none.
    pub fn classify(&self, activity: &Activity, own_category: &str) -> Topic {
        let summary = activity.summary.as_deref().unwrap_or_default();
        self.classify_text(&activity.title, summary, &activity.tags, &activity.links, own_category)
    }

    /// What a text with its tags and links is about.
    pub fn classify_text(&self, title: &str, summary: &str, tags: &[String], links: &[String], own_category: &str) -> Topic {
        let (title, summary) = (self.dictionary.scan(title), self.dictionary.scan(summary));
        let setting = self.dictionary.setting(&[&title, &summary], tags, links);
        let mut ballot = Ballot::new(self.keys.len());
        self.count_tags(tags, &setting, &mut ballot);
        let in_title = self.dictionary.named_in(&title, &setting);
        for service in &in_title {
            self.count_service(*service, "in title", STRONG, &mut ballot);
        }
        let mut beside = self.dictionary.named_in(&summary, &setting);
        let linked: Vec<usize> = links.iter().filter_map(|link| self.dictionary.of_link(link)).collect();
        for service in &linked {
            add(&mut beside, *service);
        }
        for service in beside.iter().filter(|service| !in_title.contains(service)) {
            let place = if linked.contains(service) { "in a documentation link" } else { "in summary" };
            self.count_service(*service, place, WEAK, &mut ballot);
        }
        let told: BTreeSet<usize> =
            [&title, &summary].into_iter().flat_map(|scan| self.words.find(&scan.folded)).map(|found| found.meaning).collect();
        for (word, places) in told.iter().filter_map(|place| self.meanings.get(*place)) {
            for place in places {
                ballot.count(*place, format!("\u{201c}{word}\u{201d} in the text"), WEAK);
            }
        }
        if let Some(own) = self.keys.iter().position(|key| key == own_category) {
            ballot.count(own, "the builder's own category".into(), WEAK);
        }
        self.decide(&ballot, own_category)
    }

    /// The service that goes by this name, its own or another one, under its own name.
    pub fn service_named(&self, name: &str) -> Option<&'static str> {
        self.dictionary.named(name).map(|service| self.dictionary.services[service].name)
    }

    /// The name of a category that is shown; `None` for a key that the program does not have.
    pub fn category_name(&self, key: &str) -> Option<&str> {
        self.keys.iter().position(|known| known == key).map(|place| self.names[place].as_str())
    }

    fn count_tags(&self, tags: &[String], setting: &Setting, ballot: &mut Ballot) {
        let mut told = BTreeSet::new();
        for tag in tags.iter().map(|tag| tag.trim().trim_start_matches('#')) {
            let squeezed = squeeze(&fold(tag));
            if squeezed.is_empty() || !told.insert(squeezed.clone()) {
                continue;
            }
            let service = self.dictionary.of_tag(tag, setting);
            if let Some(service) = service {
                ballot.service(service, STRONG);
            }
            let of_tag = self.tags.get(&squeezed).or_else(|| self.services.get(&service?));
            for place in of_tag.into_iter().flatten() {
                ballot.count(*place, format!("tag #{tag}"), STRONG);
            }
        }
    }

    fn count_service(&self, service: usize, place: &str, points: u32, ballot: &mut Ballot) {
        ballot.service(service, points);
        let name = self.dictionary.services[service].name;
        for category in self.services.get(&service).into_iter().flatten() {
            ballot.count(*category, format!("{name} {place}"), points);
        }
    }

    /// The category with the most points if it leads, else the builder's own, else `general`.
    fn decide(&self, ballot: &Ballot, own_category: &str) -> Topic {
        let services = ballot.services_by_weight().into_iter().map(|service| self.dictionary.services[service].name.to_owned()).collect();
        let most = ballot.points.iter().copied().max().unwrap_or_default();
        let winner = ballot.points.iter().position(|points| *points == most).filter(|_| most > 0);
        let second =
            ballot.points.iter().enumerate().filter(|(place, _)| Some(*place) != winner).map(|(_, points)| *points).max().unwrap_or(0);
        let lead = most - second.min(most);
        let own = self.keys.iter().position(|key| key == own_category);
        let chosen = winner.filter(|_| lead >= 1).or(own);
        Topic {
            services,
            category: chosen.map_or_else(|| GENERAL.to_owned(), |place| self.keys[place].clone()),
            confidence: lead * 1000 / (lead + 2),
            evidence: chosen.map(|place| ballot.evidence[place].clone()).unwrap_or_default(),
        }
    }
}

/// Points of the categories and of the services, with what gave them.
struct Ballot {
    points: Vec<u32>,
    evidence: Vec<Vec<Evidence>>,
    /// Services in the order in which they were told.
    services: Vec<(usize, u32)>,
}

impl Ballot {
    fn new(categories: usize) -> Self {
        Self { points: vec![0; categories], evidence: vec![Vec::new(); categories], services: Vec::new() }
    }

    fn count(&mut self, category: usize, what: String, points: u32) {
        self.points[category] += points;
        self.evidence[category].push(Evidence { what, points });
    }

    fn service(&mut self, service: usize, points: u32) {
        match self.services.iter_mut().find(|(known, _)| *known == service) {
            Some((_, weight)) => *weight += points,
            None => self.services.push((service, points)),
        }
    }

    /// Strongest first; of equal ones the one told first.
    fn services_by_weight(&self) -> Vec<usize> {
        let mut services = self.services.clone();
        services.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        services.into_iter().map(|(service, _)| service).collect()
    }
}

fn add(list: &mut Vec<usize>, item: usize) {
    if !list.contains(&item) {
        list.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn category(key: &str, tags: &[&str], services: &[&str], words: &[&str]) -> Category {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Category {
            key: key.into(),
            name: key.to_uppercase(),
            tags: owned(tags),
            services: owned(services),
            words: owned(words),
            from: None,
            until: None,
        }
    }

    fn classifier() -> Classifier {
        Classifier::new(&[
            category("app_dev", &["serverless"], &["Lambda", "Step Functions"], &["event-driven"]),
            category("storage", &["object-storage"], &[], &["bucket"]),
            category("security", &["security"], &["IAM", "Config"], &["least privilege"]),
        ])
    }

    fn topic(title: &str, summary: &str, tags: &[&str], links: &[&str], own: &str) -> Topic {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        classifier().classify_text(title, summary, &owned(tags), &owned(links), own)
    }

    #[test]
    fn the_evidence_adds_up_and_decides() {
        let found = topic("Lambda and S3", "An event-driven bucket with Lambda.", &["Serverless", "#serverless", "aws"], &[], "");
        assert_eq!(found.category, "app_dev");
        assert_eq!(found.services, ["Lambda", "S3"]);
        let told: Vec<_> = found.evidence.iter().map(|evidence| (evidence.what.as_str(), evidence.points)).collect();
        assert_eq!(told, [("tag #Serverless", 3), ("Lambda in title", 3), ("\u{201c}event-driven\u{201d} in the text", 1)]);
        // 7 points beside the 4 of storage (S3 in the title, "bucket"): a lead of 3 is 600 of 1000.
        assert_eq!(found.confidence, 600);
    }

    #[test]
    fn a_tie_goes_to_the_builders_own_category_and_else_to_general() {
        assert_eq!(topic("IAM for Lambda", "", &[], &[], "").category, "general");
        assert_eq!(topic("IAM for Lambda", "", &[], &[], "security").category, "security");
        assert_eq!(topic("IAM for Lambda", "", &[], &[], "storage").category, "storage", "neither of the two leads");
        let nothing = topic("A walk in the park", "", &[], &[], "");
        assert_eq!((nothing.category.as_str(), nothing.confidence, nothing.evidence.len()), ("general", 0, 0));
        assert_eq!(topic("A walk in the park", "", &[], &[], "storage").confidence, 333);
    }

    #[test]
    fn ordinary_words_count_after_the_maker_as_tag_and_in_documentation() {
        assert!(topic("Config as code", "", &[], &[], "").services.is_empty());
        for found in [
            topic("AWS Config as code", "", &[], &[], ""),
            topic("Rules as code", "", &["config"], &[], ""),
            topic("Rules as code", "", &[], &["https://docs.aws.amazon.com/config/latest/x.html"], ""),
        ] {
            assert_eq!((found.services.as_slice(), found.category.as_str()), (&["Config".to_owned()][..], "security"));
        }
    }

    #[test]
    fn services_that_no_category_names_speak_for_that_of_the_dictionary() {
        assert_eq!(topic("EBS snapshots", "", &[], &[], "").category, "storage");
        assert_eq!(topic("DynamoDB streams", "", &[], &[], "").category, "general", "the program has no such category");
    }

    #[test]
    fn a_thousand_texts_are_quick() {
        let classifier = classifier();
        let summary = "A long walk along the queue, past DynamoDB and S3, to a bucket with least privilege. ".repeat(4);
        let begun = std::time::Instant::now();
        for _ in 0..100 {
            let _ = classifier.classify_text("Lambda and S3 in one night", &summary, &["aws".into()], &[], "");
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
    }
}
