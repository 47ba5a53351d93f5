//! The dictionary of services: finds their names in texts, tags and documentation links.
//!
//! In: `services.txt`, a data file of our own. Out: services by place. Names are looked for in text that is NFKC and
//! lower case, the longest leftmost one first, at word boundaries; a letter of another script is one, for Chinese,
//! Japanese and Korean set no blanks and Arabic puts its particles right before the name.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::model::sha256_hex;
use crate::text::fold;

const DATA: &str = include_str!("services.txt");
/// What may stand before every name, and must before an ordinary word.
const MAKERS: &[&str] = &["aws", "amazon"];

/// SHA-256 of the dictionary, in hex.
pub fn dictionary_hash() -> &'static str {
    static HASH: LazyLock<String> = LazyLock::new(|| sha256_hex(DATA.as_bytes()));
    &HASH
}

/// A service of the dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: &'static str,
    /// The category that it speaks for where the configuration says nothing.
    pub(super) category: &'static str,
}

pub(super) struct Dictionary {
    pub(super) services: Vec<Service>,
    names: Phrases<Option<usize>>,
    /// Names without blanks and marks, as tags and addresses write them.
    squeezed: HashMap<String, usize>,
}

impl Dictionary {
    pub(super) fn new() -> Self {
        let mut services = Vec::new();
        let mut phrases: Vec<(String, Option<usize>)> = Vec::new();
        let mut squeezed: HashMap<String, usize> = HashMap::new();
        for line in DATA.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(others) = line.strip_prefix("- ") {
                phrases.extend(others.split(';').map(|phrase| (fold(phrase.trim()), None)));
                continue;
            }
            let mut columns = line.split('|').map(str::trim);
            let (Some(name), Some(aliases), Some(category), mark) = (columns.next(), columns.next(), columns.next(), columns.next()) else {
                continue;
            };
            let service = services.len();
            services.push(Service { name, category });
            let aliases: Vec<String> = aliases.split(';').map(|alias| fold(alias.trim())).filter(|alias| !alias.is_empty()).collect();
            let folded = fold(name);
            for spelling in spellings(&folded) {
                phrases.extend(MAKERS.iter().map(|maker| (format!("{maker} {spelling}"), Some(service))));
                if mark != Some("?") {
                    phrases.push((spelling, Some(service)));
                }
            }
            for alias in &aliases {
                phrases.extend(spellings(alias).into_iter().map(|spelling| (spelling, Some(service))));
            }
            // A service's own name goes before another one's alias.
            squeezed.insert(squeeze(&folded), service);
            for alias in aliases {
                squeezed.entry(squeeze(&alias)).or_insert(service);
            }
        }
        Self { services, names: Phrases::new(phrases), squeezed }
    }

    /// The services that a folded text names, in order, without repeats.
    pub(super) fn in_text(&self, folded: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for service in self.names.find(folded).into_iter().flatten() {
            if !found.contains(&service) {
                found.push(service);
            }
        }
        found
    }

    /// The service that a tag names: `step-functions`, `awslambda`, `S3`.
    pub(super) fn of_tag(&self, tag: &str) -> Option<usize> {
        let squeezed = squeeze(&fold(tag));
        let bare = MAKERS.iter().find_map(|maker| squeezed.strip_prefix(maker).filter(|rest| !rest.is_empty()));
        self.squeezed.get(&squeezed).or_else(|| self.squeezed.get(bare?)).copied()
    }

    /// The service that a documentation link is about: `docs.aws.amazon.com/lambda/…`, `aws.amazon.com/s3/`.
    pub(super) fn of_link(&self, link: &str) -> Option<usize> {
        let url = url::Url::parse(link).ok()?;
        let host = url.host_str()?.trim_start_matches("www.");
        if !matches!(host, "docs.aws.amazon.com" | "aws.amazon.com") {
            return None;
        }
        // The address may begin with a language: /ja_jp/lambda/.
        let mut segments = url.path_segments()?.filter(|segment| !segment.is_empty());
        let first = segments.next()?;
        let is_language = matches!(first.len(), 2 | 5) && first.as_bytes().get(2).is_none_or(|b| matches!(b, b'_' | b'-'));
        self.of_tag(first).or_else(|| if is_language { self.of_tag(segments.next()?) } else { None })
    }
}

/// Phrases that are looked for all at once, each with what it means.
pub(super) struct Phrases<T> {
    automaton: Option<AhoCorasick>,
    meanings: Vec<T>,
}

impl<T: Copy> Phrases<T> {
    /// Phrases are folded already; of equal ones the first counts.
    pub(super) fn new(phrases: Vec<(String, T)>) -> Self {
        let mut unique: BTreeMap<String, T> = BTreeMap::new();
        for (phrase, meaning) in phrases.into_iter().filter(|(phrase, _)| !phrase.is_empty()) {
            unique.entry(phrase).or_insert(meaning);
        }
        let (phrases, meanings): (Vec<String>, Vec<T>) = unique.into_iter().unzip();
        // Building fails only past limits that our own lists and a configuration do not come near.
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(phrases).ok();
        Self { automaton, meanings }
    }

    /// What the phrases of a folded text mean, in order: leftmost first, and the longest of those that begin at one place.
    pub(super) fn find(&self, folded: &str) -> Vec<T> {
        let Some(automaton) = &self.automaton else { return Vec::new() };
        let mut matches: Vec<(usize, usize, T)> = automaton
            .find_overlapping_iter(folded)
            .filter(|found| is_whole(folded, found.start(), found.end()))
            .filter_map(|found| Some((found.start(), found.end(), *self.meanings.get(found.pattern().as_usize())?)))
            .collect();
        matches.sort_by_key(|(start, end, _)| (*start, usize::MAX - end));
        let mut taken = 0;
        let mut meanings = Vec::new();
        for (start, end, meaning) in matches {
            if start >= taken {
                taken = end;
                meanings.push(meaning);
            }
        }
        meanings
    }
}

/// Letters and digits alone.
pub(super) fn squeeze(folded: &str) -> String {
    folded.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Ways to write a name: as it is, with blanks for hyphens, and in one word where it is long enough to be clear.
fn spellings(name: &str) -> Vec<String> {
    let mut spellings = vec![name.to_owned()];
    if name.contains('-') {
        spellings.push(name.replace('-', " "));
    }
    let joined = squeeze(name);
    if joined.len() >= 8 && name.contains(' ') && joined.is_ascii() {
        spellings.push(joined);
    }
    spellings
}

/// Whether a match begins and ends where words do. A plural `s` belongs to the word.
fn is_whole(text: &str, start: usize, end: usize) -> bool {
    let before = text[..start].chars().next_back();
    let mut after = text[end..].chars();
    let next = after.next();
    let free = |c: Option<char>| c.is_none_or(|c| !is_word(c));
    free(before) && (free(next) || (next == Some('s') && end - start > 2 && free(after.next())))
}

/// A letter or digit that would make one word with a Latin one beside it.
fn is_word(c: char) -> bool {
    c == '_' || (c.is_alphanumeric() && (c < '\u{370}' || ('\u{1e00}'..='\u{1eff}').contains(&c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        let dictionary = Dictionary::new();
        dictionary.in_text(&fold(text)).into_iter().map(|service| dictionary.services[service].name).collect()
    }

    #[test]
    fn every_line_of_the_dictionary_is_whole() {
        let dictionary = Dictionary::new();
        let lines = DATA.lines().filter(|line| !line.trim().is_empty() && !line.starts_with(['#', '-'])).count();
        assert_eq!(dictionary.services.len(), lines);
        assert!(lines > 200);
        let mut seen = std::collections::BTreeSet::new();
        for service in &dictionary.services {
            assert!(!service.name.is_empty() && !service.category.is_empty(), "{service:?}");
            assert!(seen.insert(service.name), "{} stands twice", service.name);
        }
        assert_eq!(dictionary_hash().len(), 64);
    }

    #[test]
    fn names_are_found_whole_and_the_longest_first() {
        for (text, wanted) in [
            ("Lambda@Edge and Lambda", vec!["Lambda@Edge", "Lambda"]),
            ("From ＬＡＭＢＤＡ to StepFunctions", vec!["Lambda", "Step Functions"]),
            ("Two Lambdas and an EC2", vec!["Lambda", "EC2"]),
            ("lambdalith, S3cret, fooS3", vec![]),
            ("Python lambda expressions", vec![]),
            ("a lambda_function variable", vec![]),
            ("EventBridge Pipes to DynamoDB", vec!["EventBridge Pipes", "DynamoDB"]),
            ("Batch your config, connect, and shield the backup", vec![]),
            ("AWS Batch, AWS Config and Amazon Connect", vec!["Batch", "Config", "Connect"]),
            ("S3とLambdaで作る", vec!["S3", "Lambda"]),
            ("Lambda를 쓰는 법", vec!["Lambda"]),
            ("كيف تستخدم Lambda وDynamoDB", vec!["Lambda", "DynamoDB"]),
            ("Amazon S3 Glacier Deep Archive", vec!["S3 Glacier", "S3 Glacier"].into_iter().take(1).collect()),
            ("SNSで話題", vec![]),
            ("route53 and X-ray", vec!["Route 53"]),
            ("AWS X-Ray traces", vec!["X-Ray"]),
        ] {
            assert_eq!(names(text), wanted, "{text}");
        }
    }

    #[test]
    fn tags_and_documentation_links_name_ordinary_words_too() {
        let dictionary = Dictionary::new();
        let name = |service: Option<usize>| service.map(|service| dictionary.services[service].name);
        for (tag, wanted) in [
            ("step-functions", Some("Step Functions")),
            ("#awslambda", Some("Lambda")),
            ("glue", Some("Glue")),
            ("aws", None),
            ("java", None),
        ] {
            assert_eq!(name(dictionary.of_tag(tag)), wanted, "{tag}");
        }
        for (link, wanted) in [
            ("https://docs.aws.amazon.com/lambda/latest/dg/welcome.html", Some("Lambda")),
            ("https://docs.aws.amazon.com/AmazonS3/latest/userguide/", Some("S3")),
            ("https://docs.aws.amazon.com/ja_jp/config/latest/x.html", Some("Config")),
            ("https://aws.amazon.com/glue/", Some("Glue")),
            ("https://aws.amazon.com/blogs/aws/x", None),
            ("https://example.org/lambda/", None),
        ] {
            assert_eq!(name(dictionary.of_link(link)), wanted, "{link}");
        }
    }
}
