//! Rules 3 to 5 of DIGEST.md section 2: what is likely the same although no address says so.
//!
//! In: activities. Out: edges of cross-posts (rule 3) and of equal texts (rule 4), and pairs to show to staff (rule 5).
//! Only pieces of one builder on different hosts are ever compared, so a series on one blog stays a series. Likeness is
//! in thousandths, in integers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_segmentation::UnicodeSegmentation;

use super::{Addresses, Edge};
use crate::model::{Activity, ActivityId, ActivityKind, BuilderId, MergeRule};

/// Titles at least so alike are one work, at least so alike a suggestion.
const TITLE_SAME: u16 = 800;
const TITLE_MAYBE: u16 = 600;
/// Texts at least so alike are one work, at least so alike a suggestion.
const TEXT_SAME: u16 = 700;
const TEXT_MAYBE: u16 = 500;
/// The fewest words of a text that is compared.
const TEXT_WORDS: usize = 48;
const SHINGLE: usize = 5;
/// How far apart cross-posts are published, by their effective times.
pub(super) const APART_S: i64 = 30 * 86_400;

/// Two activities that may be one work: for a person to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub one: ActivityId,
    pub other: ActivityId,
    pub rule: MergeRule,
    /// Thousandths.
    pub score: u16,
}

/// Pairs that are too alike to be passed over and not alike enough to be merged (rule 5), best first.
pub fn suggestions(activities: &[Activity]) -> Vec<Suggestion> {
    let activities: Vec<&Activity> = activities.iter().collect();
    let addresses: Vec<Addresses> = activities.iter().map(|activity| Addresses::of(activity)).collect();
    let mut suggestions: Vec<Suggestion> = compare(&activities, &addresses)
        .into_iter()
        .filter(|likeness| !likeness.is_same())
        .map(|likeness| {
            let (one, other) = (&activities[likeness.one].id, &activities[likeness.other].id);
            let (rule, score) =
                if likeness.title >= TITLE_MAYBE { (MergeRule::CrossPost, likeness.title) } else { (MergeRule::SameText, likeness.text) };
            Suggestion { one: one.min(other).clone(), other: one.max(other).clone(), rule, score }
        })
        .collect();
    suggestions.sort_by(|one, other| (other.score, &one.one, &one.other).cmp(&(one.score, &other.one, &other.other)));
    suggestions
}

/// The edges of rules 3 and 4.
pub(super) fn edges(activities: &[&Activity], addresses: &[Addresses]) -> Vec<Edge> {
    compare(activities, addresses)
        .into_iter()
        .filter_map(|likeness| match likeness {
            Likeness { one, other, title, .. } if title >= TITLE_SAME => Some(Edge::new(MergeRule::CrossPost, title, one, other)),
            Likeness { one, other, text, .. } if text >= TEXT_SAME => Some(Edge::new(MergeRule::SameText, text, one, other)),
            _ => None,
        })
        .collect()
}

/// How alike two activities are; 0 where that may not be asked.
struct Likeness {
    one: usize,
    other: usize,
    title: u16,
    text: u16,
}

impl Likeness {
    fn is_same(&self) -> bool {
        self.title >= TITLE_SAME || self.text >= TEXT_SAME
    }
}

/// What is compared of an activity, made once and only for those that have somebody to be compared with.
struct Traits {
    numbers: Vec<String>,
    trigrams: Vec<u64>,
    words: Vec<u64>,
}

impl Traits {
    fn of(activity: &Activity) -> Self {
        let title = plain(&activity.title);
        Self { numbers: numbers(&title), trigrams: trigrams(&title), words: words(&activity.excerpt) }
    }
}

/// All pairs that may be compared, of one builder, on two hosts and near in time, that are at least worth a suggestion.
fn compare(activities: &[&Activity], addresses: &[Addresses]) -> Vec<Likeness> {
    let mut by_builder: BTreeMap<BuilderId, Vec<usize>> = BTreeMap::new();
    for (place, activity) in activities.iter().enumerate() {
        if may_be_copied(activity) && !addresses[place].host.is_empty() {
            for credit in &activity.credits {
                by_builder.entry(credit.builder).or_default().push(place);
            }
        }
    }
    let mut pairs = BTreeSet::new();
    for mut places in by_builder.into_values() {
        let host = |place: usize| addresses[place].host.as_str();
        if places.iter().all(|place| host(*place) == host(places[0])) {
            continue;
        }
        let when = |place: usize| activities[place].effective_at.as_second();
        places.sort_by_key(|place| (when(*place), *place));
        for (index, one) in places.iter().enumerate() {
            let near = places[index + 1..].iter().take_while(|other| when(**other) - when(*one) <= APART_S);
            let elsewhere = near.filter(|other| host(**other) != host(*one));
            pairs.extend(elsewhere.map(|other| (*one.min(other), *one.max(other))));
        }
    }
    let mut traits: HashMap<usize, Traits> = HashMap::new();
    for place in pairs.iter().flat_map(|(one, other)| [*one, *other]) {
        traits.entry(place).or_insert_with(|| Traits::of(activities[place]));
    }
    pairs.into_iter().filter_map(|(one, other)| likeness(one, &traits[&one], other, &traits[&other])).collect()
}

/// How alike two activities are, if that is worth a suggestion.
fn likeness(one: usize, of_one: &Traits, other: usize, of_other: &Traits) -> Option<Likeness> {
    let title = if of_one.numbers == of_other.numbers { jaccard(&of_one.trigrams, &of_other.trigrams) } else { 0 };
    let text = text_likeness(&of_one.words, &of_other.words);
    (title >= TITLE_MAYBE || text >= TEXT_MAYBE).then_some(Likeness { one, other, title, text })
}

/// Whether a kind of thing is published in several places at all.
pub(super) fn may_be_copied(activity: &Activity) -> bool {
    matches!(
        activity.kind,
        ActivityKind::Article | ActivityKind::Video | ActivityKind::Livestream | ActivityKind::PodcastEpisode | ActivityKind::Talk
    )
}

/// NFKD, marks dropped, lower case, punctuation to single blanks.
fn plain(text: &str) -> String {
    if text.is_ascii() {
        let spaced: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
        return spaced.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    }
    let folded = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    let spaced: String = folded.map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What tells the parts of a series apart: digits, months, roman numerals, numbers in words after "part" and its like.
fn numbers(title: &str) -> Vec<String> {
    const MONTHS: &[&str] = &[
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
    ];
    const ROMAN: &[&str] = &["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv"];
    const PARTS: &[&str] = &["part", "parte", "partie", "teil", "episode", "episodio", "chapter", "day", "week", "vol", "volume", "sehemu"];
    const COUNT: &[&str] =
        &["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "first", "second", "third", "final", "last"];
    let words: Vec<&str> = title.split(' ').collect();
    let mut numbers = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let after_part = index.checked_sub(1).and_then(|before| words.get(before)).is_some_and(|before| PARTS.contains(before));
        if word.chars().any(char::is_numeric) {
            // 第3回 and v2 both hold a number among letters.
            let digits: String = word.chars().map(|c| if c.is_numeric() { c } else { ' ' }).collect();
            numbers.extend(digits.split_whitespace().map(|digits| {
                let trimmed = digits.trim_start_matches('0');
                if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
            }));
        } else if MONTHS.contains(word) || (ROMAN.contains(word) && (*word != "i" || after_part)) || (after_part && COUNT.contains(word)) {
            numbers.push((*word).to_owned());
        }
    }
    numbers.sort_unstable();
    numbers
}

/// The character trigrams of a title, each packed into a number, ordered.
fn trigrams(title: &str) -> Vec<u64> {
    let chars: Vec<u64> = title.chars().map(|c| u64::from(u32::from(c))).collect();
    let mut grams: Vec<u64> = if chars.len() < 3 {
        vec![chars.iter().fold(1, |packed, c| packed << 21 | c)]
    } else {
        chars.windows(3).map(|gram| gram[0] << 42 | gram[1] << 21 | gram[2]).collect()
    };
    grams.sort_unstable();
    grams.dedup();
    grams
}

/// The words of a text, each as a hash.
fn words(text: &str) -> Vec<u64> {
    let text = plain(text);
    if text.is_ascii() { text.split_ascii_whitespace().map(hash_of).collect() } else { text.unicode_words().map(hash_of).collect() }
}

/// FNV-1a: the same on every machine and in every version.
fn hash_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Two numbers made one, well spread (the finisher of SplitMix64).
fn mix(one: u64, other: u64) -> u64 {
    let mut mixed = one.rotate_left(23) ^ other.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The runs of five words, each as a hash, ordered.
fn shingles(words: &[u64]) -> Vec<u64> {
    let mut shingles: Vec<u64> = words.windows(SHINGLE).map(|words| words.iter().fold(17, |hash, word| mix(hash, *word))).collect();
    shingles.sort_unstable();
    shingles.dedup();
    shingles
}

/// How alike two texts are, the longer one trimmed to the shorter.
fn text_likeness(one: &[u64], other: &[u64]) -> u16 {
    let length = one.len().min(other.len());
    if length < TEXT_WORDS { 0 } else { jaccard(&shingles(&one[..length]), &shingles(&other[..length])) }
}

/// The share of two ordered sets that both have, in thousandths.
fn jaccard(one: &[u64], other: &[u64]) -> u16 {
    let (mut at_one, mut at_other, mut both) = (0, 0, 0usize);
    while at_one < one.len() && at_other < other.len() {
        match one[at_one].cmp(&other[at_other]) {
            std::cmp::Ordering::Less => at_one += 1,
            std::cmp::Ordering::Greater => at_other += 1,
            std::cmp::Ordering::Equal => {
                both += 1;
                at_one += 1;
                at_other += 1;
            }
        }
    }
    let all = one.len() + other.len() - both;
    (both * 1000).checked_div(all).map_or(0, |share| u16::try_from(share).unwrap_or(1000))
}
