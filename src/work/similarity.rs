//! Rules 3 to 5 of DIGEST.md section 2: what is likely the same although no address says so.
//!
//! In: activities. Out: edges of cross-posts (rule 3), of equal texts (rule 4) and of companions, and pairs to show to
//! staff (rule 5). Like titles do not join what is numbered otherwise, says another word in the place of one, or is known
//! to have another text: a series, a weekly column and a translation stay apart, at worst as a suggestion. Only pieces of one builder on different hosts are ever compared, so a series on one blog stays a series. Likeness is
//! in thousandths, in integers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use unicode_segmentation::UnicodeSegmentation;

use super::title::{self, numbers, plain};
use super::{Addresses, Edge, companion};
use crate::model::{Activity, ActivityId, ActivityKind, BuilderId, MergeRule};

/// Titles at least so alike are one work, at least so alike a suggestion.
const TITLE_SAME: u16 = 800;
const TITLE_MAYBE: u16 = 600;
/// Texts at least so alike are one work, at least so alike a suggestion.
const TEXT_SAME: u16 = 700;
const TEXT_MAYBE: u16 = 500;
/// Texts less alike than this say something else, whatever their titles.
const TEXT_OTHER: u16 = 100;
/// A recording and its article that are linked share so much of the shorter title.
const COMPANION_COMMON: u16 = 500;
/// By how much one companion must be nearer than another on its host.
const COMPANION_LEAD: u16 = 200;
/// Pieces under the title of a column are one if they came out at most so many days apart.
const NEAR_DAYS: i64 = 3;
/// How many pieces of one host may begin with the same words.
const GREETINGS: usize = 3;
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
    let likenesses = compare(&activities, &addresses);
    let same: BTreeSet<(usize, usize)> =
        told_apart(&activities, &addresses, &likenesses).into_iter().map(|edge| (edge.one, edge.other)).collect();
    let mut suggestions: Vec<Suggestion> = likenesses
        .into_iter()
        .filter(|likeness| !same.contains(&(likeness.one, likeness.other)))
        .map(|likeness| {
            let (one, other) = (&activities[likeness.one].id, &activities[likeness.other].id);
            let (rule, score) = match likeness {
                Likeness { title, .. } if title >= TITLE_MAYBE => (MergeRule::CrossPost, title),
                Likeness { text, .. } if text >= TEXT_MAYBE => (MergeRule::SameText, text),
                Likeness { common, .. } => (MergeRule::Companion, common),
            };
            Suggestion { one: one.min(other).clone(), other: one.max(other).clone(), rule, score }
        })
        .collect();
    suggestions.sort_by(|one, other| (other.score, &one.one, &one.other).cmp(&(one.score, &other.one, &other.other)));
    suggestions
}

/// The edges of rules 3 and 4 and between companions.
pub(super) fn edges(activities: &[&Activity], addresses: &[Addresses]) -> Vec<Edge> {
    told_apart(activities, addresses, &compare(activities, addresses))
}

/// Rule 4 over any distance in time: the edges between pieces that begin with the same words, on two hosts.
///
/// A beginning that one host uses for many pieces is a greeting, and names none of them.
pub(super) fn text_edges(activities: &[&Activity], addresses: &[Addresses]) -> Vec<Edge> {
    let mut with_beginning: HashMap<u64, Vec<usize>> = HashMap::new();
    for (place, activity) in activities.iter().enumerate().filter(|(place, _)| !addresses[*place].host.is_empty()) {
        for beginning in beginnings(activity) {
            with_beginning.entry(beginning).or_default().push(place);
        }
    }
    let mut pairs = BTreeSet::new();
    for places in with_beginning.into_values().filter(|places| places.len() > 1) {
        let mut on_host: HashMap<&str, usize> = HashMap::new();
        for place in &places {
            *on_host.entry(addresses[*place].host.as_str()).or_default() += 1;
        }
        if on_host.len() > 1 && on_host.values().all(|count| *count <= GREETINGS) {
            for (index, one) in places.iter().enumerate() {
                let elsewhere = places[index + 1..].iter().filter(|other| addresses[*one].host != addresses[**other].host);
                pairs.extend(elsewhere.map(|other| (*one.min(other), *one.max(other))));
            }
        }
    }
    let likely = pairs.into_iter().filter_map(|(one, other)| {
        let likeness = likeness(one, &Traits::of(activities[one]), other, &Traits::of(activities[other]));
        (likeness.text >= TEXT_SAME && !likeness.other_parts).then(|| Edge::new(MergeRule::SameText, likeness.text, one, other))
    });
    likely.collect()
}

/// The keys that pieces share which begin with the same words: what [`text_edges`] joins is settled together over them.
pub(super) fn text_keys(activity: &Activity) -> Vec<String> {
    beginnings(activity).into_iter().map(|beginning| format!("~{beginning:016x}")).collect()
}

/// The first words of a text, for each builder credited.
fn beginnings(activity: &Activity) -> Vec<u64> {
    if !may_be_copied(activity) {
        return Vec::new();
    }
    let Some(beginning) = beginning(&activity.excerpt) else { return Vec::new() };
    activity.credits.iter().map(|credit| mix(beginning, credit.builder.0.unsigned_abs())).collect()
}

/// The first [`TEXT_WORDS`] words of a text as one hash, `None` where it has fewer.
fn beginning(text: &str) -> Option<u64> {
    // A word has two bytes or more with what parts it from the next.
    if text.len() < TEXT_WORDS * 2 {
        return None;
    }
    if !text.is_ascii() {
        return words(text).get(..TEXT_WORDS).map(|first| first.iter().fold(23, |hash, word| mix(hash, *word)));
    }
    // Every text is asked this: no copy of it is made.
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let hash = |word: &str| fnv(word.bytes().map(|byte| byte.to_ascii_lowercase()));
    let (mut told, mut beginning) = (0, 23);
    for word in words.take(TEXT_WORDS) {
        told += 1;
        beginning = mix(beginning, hash(word));
    }
    (told == TEXT_WORDS).then_some(beginning)
}

/// The edges that [`edges`] gives, and those that it would give if some other piece were not there: whatever decides
/// about an edge is reached over these.
pub(super) fn possible_edges(activities: &[&Activity], addresses: &[Addresses]) -> Vec<Edge> {
    compare(activities, addresses).iter().filter_map(|likeness| likeness.edge(activities)).collect()
}

/// How alike two activities are; 0 where that may not be asked.
#[derive(Debug, Clone, Copy)]
struct Likeness {
    one: usize,
    other: usize,
    title: u16,
    /// How much of the shorter title is in the longer one.
    common: u16,
    text: u16,
    /// Both titles are numbered, and not alike.
    other_parts: bool,
    /// What is said is known of both, and is not the same.
    other_text: bool,
    link: Link,
}

/// How a recording and a text are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    None,
    /// One links to the other.
    OneWay,
    /// Each links to the other.
    BothWays,
}

impl Likeness {
    /// The edge of the first rule that joins the two.
    fn edge(&self, activities: &[&Activity]) -> Option<Edge> {
        let (one, other) = (activities[self.one], activities[self.other]);
        let same_text = self.text >= TEXT_SAME && !self.other_parts;
        let days = self.days_apart(activities);
        if self.title >= TITLE_SAME && (same_text || (!self.other_text && Self::says_the_same(one, other, days))) {
            // Of pieces with one title those belong together that came out together.
            let score = self.title - u16::try_from(days.min(APART_S / 86_400)).unwrap_or_default();
            return Some(Edge::new(MergeRule::CrossPost, score, self.one, self.other));
        }
        if same_text {
            return Some(Edge::new(MergeRule::SameText, self.text, self.one, self.other));
        }
        let companions =
            !self.other_parts && (self.link == Link::BothWays || (self.link == Link::OneWay && self.common >= COMPANION_COMMON));
        companions.then(|| Edge::new(MergeRule::Companion, self.common, self.one, self.other))
    }

    /// Whether two like titles name one piece: no word stands for another one, and a mere column came out within days.
    fn says_the_same(one: &Activity, other: &Activity, days: i64) -> bool {
        let (first, second) = (plain(&one.title), plain(&other.title));
        if first == second {
            return days <= NEAR_DAYS || !title::is_column(&first);
        }
        !title::is_column(&first) && !title::is_column(&second) && !title::differ_in_a_word(&first, &second)
    }

    fn days_apart(&self, activities: &[&Activity]) -> i64 {
        (activities[self.one].effective_at.as_second() - activities[self.other].effective_at.as_second()).abs() / 86_400
    }
}

/// For a piece, a host and a rule: the pieces on that host that the rule may join to it, with how near they are.
type Rivals<'a> = HashMap<(usize, &'a str, MergeRule), Vec<(usize, u16)>>;

/// The edges that stand when all pieces are looked at: a title that one host uses again names only what came out with it,
/// and a piece has no two companions on one host unless one is much the nearer.
fn told_apart(activities: &[&Activity], addresses: &[Addresses], likenesses: &[Likeness]) -> Vec<Edge> {
    let edges: Vec<(Edge, &Likeness)> =
        likenesses.iter().filter_map(|likeness| likeness.edge(activities).map(|edge| (edge, likeness))).collect();
    // Of each piece, those that it might be joined to on one host by one rule, the best score of all and of the others.
    let mut rivals: Rivals<'_> = HashMap::new();
    for (edge, likeness) in &edges {
        for (from, to) in [(edge.one, edge.other), (edge.other, edge.one)] {
            let nearness = if edge.rule == MergeRule::Companion { edge.score() } else { days_left(likeness, activities) };
            rivals.entry((from, addresses[to].host.as_str(), edge.rule)).or_default().push((to, nearness));
        }
    }
    edges
        .into_iter()
        .filter(|(edge, likeness)| {
            let certain = likeness.text >= TEXT_SAME || edge.rule == MergeRule::SameText;
            certain
                || [(edge.one, edge.other), (edge.other, edge.one)].into_iter().all(|(from, to)| {
                    let of_host = &rivals[&(from, addresses[to].host.as_str(), edge.rule)];
                    let own = of_host.iter().find(|(place, _)| *place == to).map_or(0, |(_, nearness)| *nearness);
                    let next = of_host.iter().filter(|(place, _)| *place != to).map(|(_, nearness)| *nearness).max();
                    let lead = if edge.rule == MergeRule::Companion { COMPANION_LEAD } else { 0 };
                    next.is_none_or(|next| own >= next.saturating_add(lead))
                })
        })
        .map(|(edge, _)| edge)
        .collect()
}

/// How near in time two pieces are: the more the nearer.
fn days_left(likeness: &Likeness, activities: &[&Activity]) -> u16 {
    let apart = (activities[likeness.one].effective_at.as_second() - activities[likeness.other].effective_at.as_second()).abs();
    u16::try_from((APART_S - apart.min(APART_S)) / 3600).unwrap_or_default()
}

/// What is compared of an activity, made once and only for those that have somebody to be compared with.
struct Traits {
    numbers: Vec<String>,
    trigrams: Vec<u64>,
    words: Vec<u64>,
    /// The runs of five words, each as a hash with the place where it stands first, ordered.
    shingles: Vec<(u64, usize)>,
}

impl Traits {
    fn of(activity: &Activity) -> Self {
        let title = plain(&activity.title);
        let words = words(&activity.excerpt);
        Self { numbers: numbers(&title), trigrams: trigrams(&title), shingles: shingles(&words), words }
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
    let mut links = BTreeMap::new();
    for mut places in by_builder.into_values() {
        let host = |place: usize| addresses[place].host.as_str();
        if places.iter().all(|place| host(*place) == host(places[0])) {
            continue;
        }
        links.extend(companion::linked(activities, addresses, &places));
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
    pairs
        .into_iter()
        .filter_map(|(one, other)| {
            let companions = companion::is_recording(activities[one]) != companion::is_recording(activities[other]);
            let link = match links.get(&(one, other)) {
                None => Link::None,
                Some(false) => Link::OneWay,
                Some(true) => Link::BothWays,
            };
            let likeness = likeness(one, &traits[&one], other, &traits[&other]);
            // A description is no article: that their texts differ says nothing.
            let likeness = Likeness { other_text: likeness.other_text && !companions, link, ..likeness };
            let linked = link != Link::None && !likeness.other_parts;
            let worth_telling = likeness.title >= TITLE_MAYBE || likeness.text >= TEXT_MAYBE || linked;
            worth_telling.then_some(likeness)
        })
        .collect()
}

/// How alike two activities are by title and text.
fn likeness(one: usize, of_one: &Traits, other: usize, of_other: &Traits) -> Likeness {
    let title = if of_one.numbers == of_other.numbers { jaccard(&of_one.trigrams, &of_other.trigrams) } else { 0 };
    let text = text_likeness(of_one, of_other);
    Likeness {
        one,
        other,
        title,
        common: share_of_shorter(&of_one.trigrams, &of_other.trigrams),
        text,
        other_parts: title::are_other_parts(&of_one.numbers, &of_other.numbers),
        other_text: of_one.words.len().min(of_other.words.len()) >= TEXT_WORDS && text < TEXT_OTHER,
        link: Link::None,
    }
}

/// Whether a kind of thing is published in several places at all. What looks like a reply is an untagged article as often
/// as not (Medium tells the two apart by nothing else).
pub(super) fn may_be_copied(activity: &Activity) -> bool {
    companion::is_recording(activity) || matches!(activity.kind, ActivityKind::Article | ActivityKind::Reply)
}

/// The character trigrams of a title, each packed into a number, ordered. Scripts without blanks are read without: there
/// a blank only stands where a comma stood.
fn trigrams(title: &str) -> Vec<u64> {
    let blanks = title.is_ascii() || !title.chars().any(title::is_cjk);
    let chars: Vec<u64> = title.chars().filter(|c| blanks || *c != ' ').map(|c| u64::from(u32::from(c))).collect();
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
    fnv(text.bytes())
}

fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Two numbers made one, well spread (the finisher of SplitMix64).
fn mix(one: u64, other: u64) -> u64 {
    let mut mixed = one.rotate_left(23) ^ other.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The runs of five words, each as a hash with the place where it stands first, ordered.
fn shingles(words: &[u64]) -> Vec<(u64, usize)> {
    let hash = |words: &[u64]| words.iter().fold(17, |hash, word| mix(hash, *word));
    let mut shingles: Vec<(u64, usize)> = words.windows(SHINGLE).map(hash).zip(0..).collect();
    shingles.sort_unstable();
    shingles.dedup_by_key(|(hash, _)| *hash);
    shingles
}

/// How alike two texts are, the longer one trimmed to the shorter, after a lead-in that only one of them has.
fn text_likeness(of_one: &Traits, of_other: &Traits) -> u16 {
    let (one, other) = (of_one.words.as_slice(), of_other.words.as_slice());
    let plain = trimmed_likeness(&of_one.shingles, &of_other.shingles, one.len().min(other.len()));
    if plain == 0 || plain >= TEXT_SAME {
        return plain;
    }
    // "This first stood on my own site": the text of the one begins somewhere in the other.
    let led_in = |text: &[u64], of: &[u64]| {
        let lead_in = of.windows(SHINGLE).position(|words| text.starts_with(words)).filter(|lead_in| *lead_in > 0)?;
        let rest = &of[lead_in..];
        Some(trimmed_likeness(&shingles(text), &shingles(rest), text.len().min(rest.len())))
    };
    [led_in(one, other), led_in(other, one)].into_iter().flatten().fold(plain, u16::max)
}

/// How alike the first so many words of two texts are: a run of words is among them if it stands there first.
fn trimmed_likeness(one: &[(u64, usize)], other: &[(u64, usize)], words: usize) -> u16 {
    if words < TEXT_WORDS {
        return 0;
    }
    let within = |(_, place): &&(u64, usize)| place + SHINGLE <= words;
    let (mut one, mut other) = (one.iter().filter(within).peekable(), other.iter().filter(within).peekable());
    let (mut both, mut all) = (0, 0);
    loop {
        let order = match (one.peek(), other.peek()) {
            (Some((one, _)), Some((other, _))) => one.cmp(other),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return share(both, all),
        };
        all += 1;
        both += usize::from(order.is_eq());
        if order.is_le() {
            one.next();
        }
        if order.is_ge() {
            other.next();
        }
    }
}

/// The share of two ordered sets that both have, in thousandths.
fn jaccard(one: &[u64], other: &[u64]) -> u16 {
    let both = in_both(one, other);
    share(both, one.len() + other.len() - both)
}

/// The share of the smaller one of two ordered sets that the other has too, in thousandths.
fn share_of_shorter(one: &[u64], other: &[u64]) -> u16 {
    share(in_both(one, other), one.len().min(other.len()))
}

fn share(part: usize, whole: usize) -> u16 {
    (part * 1000).checked_div(whole).map_or(0, |share| u16::try_from(share).unwrap_or(1000))
}

fn in_both(one: &[u64], other: &[u64]) -> usize {
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
    both
}
