//! The dictionary of services: finds their names in texts, tags and documentation links, and holds the words of topics.
//!
//! In: `services.txt`, a data file of our own whose head tells its form. Out: services by place. Names are looked for in
//! text that is NFKC and lower case, the longest leftmost one first, at the boundaries that their script has: Chinese,
//! Japanese and Korean set no blanks, Arabic puts its particles right before a word, and a letter of another script is
//! always a boundary. A name that has another meaning too asks for company: the maker before it, a name beside it in a
//! list, or words of its trade in the text.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use unicode_normalization::UnicodeNormalization as _;

use crate::model::sha256_hex;
use crate::text::{collapse, fold};

const DATA: &str = include_str!("services.txt");
/// What may stand before every name, and must before an ordinary word.
const MAKERS: &[&str] = &["aws", "amazon"];
/// What stands between the names of a list.
const BETWEEN: &[&str] = &[
    ",", "、", "،", "・", "&", "+", "/", "→", "->", "|", "and", "or", "vs", "vs.", "y", "e", "o", "ou", "et", "und", "na", "au", "oder",
    "و", "と", "や", "和", "与", "및", "와", "과", "и", "ve", "dan", ", and", ", or",
];
/// What may follow the last name of a list without making it part of another phrase.
const AFTER: &[&str] = &[
    "to", "for", "in", "on", "with", "without", "by", "from", "at", "is", "are", "as", "into", "via", "vs", "versus", "or", "and",
    "behind", "under", "over", "can", "do", "does", "para", "com", "sem", "en", "con", "sin", "avec", "pour", "sans", "dans", "mit",
    "ohne", "in", "kwa", "na", "ya", "bila", "y", "e", "et", "und",
];

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

/// Words that speak for a category, and tags that do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicWords {
    pub(super) category: &'static str,
    pub(super) words: Vec<&'static str>,
    pub(super) are_tags: bool,
}

/// When a name counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    /// Wherever it stands.
    Clear,
    /// After the maker, in a list beside another name, as a tag, or in a documentation link.
    Ordinary,
    /// Where the rule of that place allows it.
    Ruled(usize),
}

/// What a name that means other things too asks of the text around it; the words that it asks for are in
/// [`Dictionary::company`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Rule {
    /// It is written with capitals.
    capital: bool,
    /// Words of its trade are named, and one of them is in the text.
    needs_any: bool,
    /// The maker's world is company enough.
    accepts_maker: bool,
}

/// What the text around says, read once for all of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Setting {
    /// The maker or a name that can mean nothing else is in it.
    of_maker: bool,
    /// Rules whose words of the trade are in it.
    in_favor: BTreeSet<usize>,
    /// Rules whose words of another meaning are in it.
    against: BTreeSet<usize>,
}

/// A text with the names found in it.
pub(super) struct Scan {
    pub(super) folded: String,
    /// The same before it was made lower case, byte by byte in the same places.
    cased: String,
    matches: Vec<Found<Option<(usize, Sense)>>>,
}

pub(super) struct Dictionary {
    pub(super) services: Vec<Service>,
    pub(super) topics: Vec<TopicWords>,
    names: Phrases<Option<(usize, Sense)>>,
    rules: Vec<Rule>,
    /// Words of the trade (true) and of other meanings (false), with the rules that ask for them.
    company: Phrases<usize>,
    asked_by: Vec<Vec<(usize, bool)>>,
    /// Names without blanks and marks, as tags and addresses write them, with the rule that may refuse them.
    tags: HashMap<String, (usize, Option<usize>)>,
    /// The same for names that only documentation addresses use.
    paths: HashMap<String, usize>,
}

/// The dictionary while its lines are read.
#[derive(Default)]
struct Reading {
    services: Vec<Service>,
    topics: Vec<TopicWords>,
    phrases: Vec<(String, Option<(usize, Sense)>)>,
    rules: Vec<Rule>,
    company: BTreeMap<String, Vec<(usize, bool)>>,
    own_tags: HashMap<String, (usize, Option<usize>)>,
    other_tags: HashMap<String, (usize, Option<usize>)>,
    paths: HashMap<String, usize>,
    sets: HashMap<&'static str, Vec<&'static str>>,
}

impl Reading {
    fn line(&mut self, line: &'static str) {
        if let Some(others) = line.strip_prefix("- ") {
            self.phrases.extend(listed(others).map(|phrase| (fold(phrase), None)));
        } else if let Some(set) = line.strip_prefix("= ") {
            if let Some((name, words)) = set.split_once('|') {
                self.sets.insert(name.trim(), listed(words).collect());
            }
        } else if let Some(words) = line.strip_prefix("+ ") {
            self.topic(words, false);
        } else if let Some(tags) = line.strip_prefix("% ") {
            self.topic(tags, true);
        } else if let Some(more) = line.strip_prefix("& ") {
            let (aliases, mark) = more.split_once('|').unwrap_or((more, ""));
            if let Some(service) = self.services.len().checked_sub(1) {
                self.aliases(service, aliases, mark.trim());
            }
        } else {
            self.service(line);
        }
    }

    fn topic(&mut self, line: &'static str, are_tags: bool) {
        if let Some((category, words)) = line.split_once('|') {
            self.topics.push(TopicWords { category: category.trim(), words: listed(words).collect(), are_tags });
        }
    }

    fn service(&mut self, line: &'static str) {
        let mut columns = line.splitn(4, '|').map(str::trim);
        let (Some(name), Some(aliases), Some(category)) = (columns.next(), columns.next(), columns.next()) else { return };
        let mark = columns.next().unwrap_or_default();
        let service = self.services.len();
        self.services.push(Service { name, category });
        let folded = fold(name);
        let sense = self.sense(mark);
        self.name(service, &folded, sense);
        // A word of everyday language names a service as a tag only where it is written with its maker.
        if mark != "??" {
            let rule = if let Sense::Ruled(rule) = sense { Some(rule) } else { None };
            self.own_tags.insert(squeeze(&folded), (service, rule));
        }
        for maker in MAKERS {
            self.other_tags.entry(format!("{maker}{}", squeeze(&folded))).or_insert((service, None));
        }
        self.paths.entry(squeeze(&folded)).or_insert(service);
        self.aliases(service, aliases, "");
    }

    fn aliases(&mut self, service: usize, aliases: &'static str, mark: &'static str) {
        let sense = self.sense(mark);
        let rule = if let Sense::Ruled(rule) = sense { Some(rule) } else { None };
        for alias in listed(aliases) {
            if let Some(path) = alias.strip_prefix('/') {
                self.paths.entry(squeeze(&fold(path))).or_insert(service);
                continue;
            }
            if let Some(tag) = alias.strip_prefix('#') {
                self.other_tags.entry(squeeze(&fold(tag))).or_insert((service, None));
                continue;
            }
            let folded = fold(alias);
            self.name(service, &folded, sense);
            let tag = squeeze(&folded);
            for maker in MAKERS {
                self.other_tags.entry(format!("{maker}{tag}")).or_insert((service, None));
            }
            if mark != "??" {
                self.other_tags.entry(tag).or_insert((service, rule));
            }
        }
    }

    /// Looks for a name in texts, in all ways to write it.
    fn name(&mut self, service: usize, folded: &str, sense: Sense) {
        for spelling in spellings(folded) {
            self.phrases.push((spelling, Some((service, sense))));
        }
    }

    /// The sense that a mark gives: nothing, `?`, `??`, or `^`, `~ words` and `! words` in that order.
    fn sense(&mut self, mark: &'static str) -> Sense {
        match mark {
            "" => return Sense::Clear,
            "?" | "??" => return Sense::Ordinary,
            _ => {}
        }
        let place = self.rules.len();
        let mut rule = Rule { capital: mark.starts_with('^'), ..Rule::default() };
        let mark = mark.trim_start_matches('^').trim();
        let (needs, refuses) = mark.split_once('!').unwrap_or((mark, ""));
        for (words, favors) in [(needs.trim().trim_start_matches('~'), true), (refuses, false)] {
            let words: Vec<&'static str> =
                listed(words).flat_map(|word| self.sets.get(word).cloned().unwrap_or_else(|| vec![word])).collect();
            for word in words {
                rule.needs_any |= favors;
                if word == "@aws" {
                    rule.accepts_maker = true;
                } else {
                    self.company.entry(fold(word)).or_default().push((place, favors));
                }
            }
        }
        self.rules.push(rule);
        Sense::Ruled(place)
    }
}

impl Dictionary {
    pub(super) fn new() -> Self {
        let mut reading = Reading::default();
        for line in DATA.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            reading.line(line);
        }
        let mut tags = reading.own_tags;
        // A service's own name goes before another one's alias.
        for (tag, service) in reading.other_tags {
            tags.entry(tag).or_insert(service);
        }
        let (words, asked_by): (Vec<String>, Vec<Vec<(usize, bool)>>) = reading.company.into_iter().unzip();
        Self {
            services: reading.services,
            topics: reading.topics,
            names: Phrases::new(reading.phrases),
            rules: reading.rules,
            company: Phrases::new(words.into_iter().enumerate().map(|(place, word)| (word, place)).collect()),
            asked_by,
            tags,
            paths: reading.paths,
        }
    }

    /// Finds the names in a text; which of them count is for [`Dictionary::named_in`].
    pub(super) fn scan(&self, text: &str) -> Scan {
        let folded = fold(text);
        let cased = collapse(&text.nfkc().collect::<String>());
        // Lower case is as long as upper case almost everywhere; where it is not, nothing is known of capitals.
        let cased = if cased.len() == folded.len() { cased } else { folded.clone() };
        let matches = self.names.find(&folded);
        Scan { folded, cased, matches }
    }

    /// What a whole item, its texts, tags and links, says of the world that it is about.
    pub(super) fn setting(&self, scans: &[&Scan], tags: &[String], links: &[String]) -> Setting {
        let mut setting = Setting::default();
        let tag_words: Vec<String> = tags.iter().map(|tag| fold(tag)).collect();
        for text in scans.iter().map(|scan| scan.folded.as_str()).chain(tag_words.iter().map(String::as_str)) {
            for place in self.company.all(text) {
                for (rule, favors) in self.asked_by.get(place).into_iter().flatten() {
                    let rules = if *favors { &mut setting.in_favor } else { &mut setting.against };
                    rules.insert(*rule);
                }
            }
        }
        let names_maker =
            |text: &str| MAKERS.iter().any(|maker| text.match_indices(maker).any(|(at, _)| is_whole(text, at, at + maker.len())));
        // A name that could mean something else, of which the text says nothing, is of the maker's world too.
        let is_of_maker = |scan: &Scan, found: &Found<Option<(usize, Sense)>>| match found.meaning {
            Some((_, Sense::Clear)) => true,
            Some((_, Sense::Ruled(rule))) => {
                let capital = is_capital(&scan.cased[found.start..found.end]);
                !setting.against.contains(&rule) && self.rules.get(rule).is_some_and(|rule| !rule.needs_any && (capital || !rule.capital))
            }
            _ => false,
        };
        let of_maker = scans.iter().any(|scan| names_maker(&scan.folded) || scan.matches.iter().any(|found| is_of_maker(scan, found)))
            || tag_words.iter().any(|tag| MAKERS.iter().any(|maker| tag.starts_with(maker)))
            || links.iter().any(|link| self.of_link(link).is_some());
        setting.of_maker = of_maker;
        setting
    }

    /// The services that a text names, in order, without repeats.
    pub(super) fn named_in(&self, scan: &Scan, setting: &Setting) -> Vec<usize> {
        let Scan { folded, cased, matches } = scan;
        let mut counts: Vec<bool> = matches
            .iter()
            .map(|found| match found.meaning {
                Some((_, Sense::Clear)) => true,
                Some(_) if follows_maker(&folded[..found.start]) => true,
                None | Some((_, Sense::Ordinary)) => false,
                Some((_, Sense::Ruled(rule))) => self.allows(rule, setting, &cased[found.start..found.end]),
            })
            .collect();
        // A list of names makes its ordinary words names too, from whichever end it is read.
        for forward in [true, false, true] {
            for step in 1..matches.len() {
                let (from, to) = if forward { (step - 1, step) } else { (matches.len() - step, matches.len() - step - 1) };
                let (early, late) = (&matches[from.min(to)], &matches[from.max(to)]);
                if counts[from]
                    && matches!(matches[to].meaning, Some((_, Sense::Ordinary | Sense::Ruled(_))))
                    && is_capital(&cased[matches[to].start..matches[to].end])
                    && BETWEEN.contains(&folded[early.end..late.start].trim())
                    && (to < from || ends_here(&folded[matches[to].end..]))
                {
                    counts[to] = true;
                }
            }
        }
        let mut found = Vec::new();
        for (service, _) in matches.iter().zip(counts).filter(|(_, counts)| *counts).filter_map(|(found, _)| found.meaning) {
            if !found.contains(&service) {
                found.push(service);
            }
        }
        found
    }

    fn allows(&self, rule: usize, setting: &Setting, written: &str) -> bool {
        let Some(Rule { capital, needs_any, accepts_maker }) = self.rules.get(rule) else { return false };
        let has_company = !needs_any || setting.in_favor.contains(&rule) || (*accepts_maker && setting.of_maker);
        has_company && (!capital || is_capital(written)) && (setting.of_maker || !setting.against.contains(&rule))
    }

    /// The service that a tag names: `step-functions`, `awslambda`, `S3`. A tag is deliberate: an ordinary word counts,
    /// unless the text is about what else the word means.
    pub(super) fn of_tag(&self, tag: &str, setting: &Setting) -> Option<usize> {
        let squeezed = squeeze(&fold(tag));
        let bare = MAKERS.iter().find_map(|maker| squeezed.strip_prefix(maker).filter(|rest| !rest.is_empty()));
        let (service, rule) = self.tags.get(&squeezed).or_else(|| self.tags.get(bare?)).copied()?;
        let refused = rule.is_some_and(|rule| bare.is_none() && !setting.of_maker && setting.against.contains(&rule));
        (!refused).then_some(service)
    }

    /// The service that goes by this name, whatever else the name may mean.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        let squeezed = squeeze(&fold(name));
        let bare = MAKERS.iter().find_map(|maker| squeezed.strip_prefix(maker).filter(|rest| !rest.is_empty()));
        let known = |name: &str| self.tags.get(name).map(|(service, _)| *service).or_else(|| self.paths.get(name).copied());
        known(&squeezed).or_else(|| known(bare?))
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
        self.named(first).or_else(|| if is_language { self.named(segments.next()?) } else { None })
    }
}

/// Phrases that are looked for all at once, each with what it means.
pub(super) struct Phrases<T> {
    automaton: Option<AhoCorasick>,
    meanings: Vec<T>,
}

/// One place of a text where a phrase stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<T> {
    start: usize,
    end: usize,
    pub(super) meaning: T,
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

    /// The phrases of a folded text, in order: leftmost first, and the longest of those that begin at one place.
    pub(super) fn find(&self, folded: &str) -> Vec<Found<T>> {
        let mut matches = self.everywhere(folded);
        matches.sort_by_key(|found| (found.start, usize::MAX - found.end));
        let mut taken = 0;
        matches.retain(|found| {
            let free = found.start >= taken;
            if free {
                taken = found.end;
            }
            free
        });
        matches
    }

    /// What all phrases of a folded text mean, those within others too.
    pub(super) fn all(&self, folded: &str) -> Vec<T> {
        self.everywhere(folded).into_iter().map(|found| found.meaning).collect()
    }

    fn everywhere(&self, folded: &str) -> Vec<Found<T>> {
        let Some(automaton) = &self.automaton else { return Vec::new() };
        automaton
            .find_overlapping_iter(folded)
            .filter(|found| is_whole(folded, found.start(), found.end()))
            .filter_map(|found| {
                Some(Found { start: found.start(), end: found.end(), meaning: *self.meanings.get(found.pattern().as_usize())? })
            })
            .collect()
    }
}

/// The parts of a list that semicolons part.
fn listed(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split(';').map(str::trim).filter(|part| !part.is_empty())
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
        spellings.push(name.replace(' ', "-"));
    }
    spellings
}

/// Whether every word is written with a capital; what has none, in scripts without case, is.
fn is_capital(written: &str) -> bool {
    written.split([' ', '-']).all(|word| word.chars().next().is_none_or(|c| !c.is_lowercase()))
}

/// Whether a text ends in the maker's name: `AWS Batch`, `Amazon-Connect`.
fn follows_maker(before: &str) -> bool {
    let Some(before) = before.strip_suffix([' ', '-']) else { return false };
    MAKERS.iter().any(|maker| before.ends_with(maker) && is_whole(before, before.len() - maker.len(), before.len()))
}

/// Whether a name ends a phrase: nothing follows, or what follows is no noun that it would belong to.
fn ends_here(rest: &str) -> bool {
    let rest = rest.strip_prefix('s').filter(|more| !more.starts_with(is_word)).unwrap_or(rest);
    let Some(first) = rest.trim_start().chars().next() else { return true };
    if !is_word(first) {
        return true;
    }
    let word: String = rest.trim_start().chars().take_while(|c| is_word(*c)).collect();
    AFTER.contains(&word.as_str())
}

/// Whether a match begins and ends where words do. A plural `s` belongs to the word.
fn is_whole(text: &str, start: usize, end: usize) -> bool {
    let (Some(first), Some(last)) = (text[start..end].chars().next(), text[start..end].chars().next_back()) else { return false };
    let before = text[..start].chars().next_back();
    let mut after = text[end..].chars();
    let next = after.next();
    let apart = |inner: char, outer: Option<char>| outer.is_none_or(|outer| !is_one_word(inner, outer));
    let begins = apart(first, before) || (is_arabic(first) && is_particle(&text[..start]));
    let ends = apart(last, next) || (next == Some('s') && is_word(last) && end - start > 2 && apart('s', after.next()));
    begins && ends
}

/// Whether two letters side by side are of one word: letters of one script, where the script parts its words.
fn is_one_word(one: char, other: char) -> bool {
    if is_word(one) || is_word(other) {
        return is_word(one) && is_word(other);
    }
    let parts_words =
        |c: char| c.is_alphanumeric() && matches!(c, '\u{370}'..='\u{dff}' | '\u{10a0}'..='\u{10ff}' | '\u{1200}'..='\u{139f}');
    parts_words(one) && parts_words(other)
}

/// A letter or digit that would make one word with a Latin one beside it.
fn is_word(c: char) -> bool {
    c == '_' || (c.is_alphanumeric() && (c < '\u{370}' || ('\u{1e00}'..='\u{1eff}').contains(&c)))
}

fn is_arabic(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}')
}

/// Whether a text ends in what Arabic writes right before a noun: the article, and particles of one letter.
fn is_particle(text: &str) -> bool {
    const PARTICLES: &[&str] = &["ال", "لل", "و", "وال", "ب", "بال", "ل", "ولل", "ك", "كال", "ف", "فال", "وب", "وبال", "ول"];
    let start = text.rfind(|c: char| !is_arabic(c)).map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8));
    PARTICLES.contains(&&text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        static DICTIONARY: LazyLock<Dictionary> = LazyLock::new(Dictionary::new);
        let dictionary = &*DICTIONARY;
        let scan = dictionary.scan(text);
        let setting = dictionary.setting(&[&scan], &[], &[]);
        dictionary.named_in(&scan, &setting).into_iter().map(|service| dictionary.services[service].name).collect()
    }

    #[test]
    fn every_line_of_the_dictionary_is_whole() {
        let dictionary = Dictionary::new();
        let lines = DATA.lines().filter(|line| !line.trim().is_empty() && !line.starts_with(['#', '-', '&', '=', '+', '%'])).count();
        assert_eq!(dictionary.services.len(), lines);
        assert!(lines > 300);
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
            ("route53 and x-ray films", vec!["Route 53"]),
            ("AWS IoT Device Management", vec!["IoT Device Management"]),
            ("S3, Glue, and Athena", vec!["S3", "Glue", "Athena"]),
            ("Inspector, Detective and GuardDuty at work", vec!["Inspector", "Detective", "GuardDuty"]),
            ("S3 and Batch Processing", vec!["S3"]),
            ("Aurora over the fjord, astronomy for all", vec![]),
            ("The Aurora cluster and astronomy data in S3", vec!["Aurora", "S3"]),
            ("IAM in GCP", vec![]),
            ("Moving from GCP IAM to AWS IAM roles", vec!["IAM"]),
            ("ECS for a game engine", vec![]),
            ("الأمن في IAM والشبكات في VPC", vec!["IAM", "VPC"]),
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
            ("iot", None),
            ("aws-iot", Some("IoT Core")),
        ] {
            assert_eq!(name(dictionary.of_tag(tag, &Setting::default())), wanted, "{tag}");
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

    #[test]
    fn every_service_of_the_public_sdk_is_known() {
        // Closed long ago, and words that mean something else to everybody.
        const PASSED_OVER: &[&str] = &["importexport", "machinelearning"];
        let dictionary = Dictionary::new();
        let list = include_str!("../../fixtures/topics/sdk-services.txt");
        let rows: Vec<(&str, &str)> =
            list.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" | ")).collect();
        assert!(rows.len() >= 440);
        let unknown: Vec<&str> = rows
            .iter()
            .filter(|(package, id)| !PASSED_OVER.contains(package) && dictionary.named(package).or_else(|| dictionary.named(id)).is_none())
            .map(|(package, _)| *package)
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
