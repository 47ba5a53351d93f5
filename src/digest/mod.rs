//! Composes the digest of a week: who may be in it, how good each work is, who is chosen, in what order, and why.
//!
//! In: all works that could be in it, the people behind them, earlier digests, the configuration ([`Inputs`]).
//! Out: a [`Digest`] with one outcome per work. Pure, and in integers: the same inputs in any order give the same bytes
//! on every machine. Where works come from and what becomes of the digest is for others.

mod balance;
mod builtin;
mod check;
mod edit;
mod eligible;
mod order;
#[cfg(test)]
mod properties;
mod quality;
mod reason;
#[cfg(test)]
mod samples;
mod select;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;

use crate::config::{Category, DigestConfig, Region};
use crate::model::{
    ActivityId, Balance, BuilderId, Candidate, Contender, Credited, Digest, EarlierWork, FixedPoints, Gist, OutcomeCode, PastDigest, Pick,
    Pool, ReasonTerm, Seq, Week, WeekSupply, sha256_hex,
};
use balance::Accounts;
pub use eligible::TIME_IS_OVER;
use eligible::{Past, Rules, Standing};
use reason::Words;
use select::{Entrant, Terms};

pub use builtin::{builtin_categories, builtin_regions, region_named, region_of};
pub use check::{CheckFacts, Clash, LinkFact, TextFault, check, open_review};
pub use edit::{EditRefused, Laid, difference, edit_hash, lay, try_edit};

/// The longest summary shown, in characters.
const SUMMARY_CHARS: usize = 280;

/// All that a digest is computed from.
pub struct Inputs<'a> {
    pub week: Week,
    /// The program's name.
    pub program: &'a str,
    pub cutoff_at: Timestamp,
    pub cutoff_seq: Seq,
    /// When the works of this draft's late shelf were found.
    pub late_finds: LateFinds,
    /// Made after its cut-off had passed.
    pub late: bool,
    pub config: &'a DigestConfig,
    /// From [`config_hash`].
    pub config_hash: String,
    pub rules_version: u32,
    /// All categories of the program; those in effect in the week are used.
    pub categories: &'a [Category],
    pub regions: &'a [Region],
    /// Everybody whom a candidate credits; who is missing counts as not active.
    pub builders: &'a BTreeMap<BuilderId, Credited>,
    /// In any order.
    pub candidates: &'a [Candidate],
    /// All other digests, in any order; drafts that are not published reserve their picks.
    pub history: &'a [PastDigest],
    /// The supply that earlier drafts sealed.
    pub supply: &'a BTreeMap<Week, WeekSupply>,
    pub edits: &'a Edits,
}

/// When the late finds of a draft were found: after the one instant, and at or before the other. Those of all drafts lie side
/// by side without a gap, in whatever order the drafts are made (RECORD.md section 4: one late-shelf outcome, never lost).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateFinds {
    pub after: Timestamp,
    pub until: Timestamp,
}

impl LateFinds {
    /// Those of a draft that is made now. `before` is the cut-off of the last draft before it; without one, the first draft
    /// looks back as far as a late find may lie. `later` are the starts ([`Digest::late_finds_after`]) of drafts of later weeks,
    /// which have their late finds already.
    pub fn of_new_draft(
        cutoff_at: Timestamp,
        before: Option<Timestamp>,
        later: impl IntoIterator<Item = Timestamp>,
        late_days: u32,
    ) -> Self {
        let days = SignedDuration::from_hours(24 * i64::from(late_days));
        let after = before.unwrap_or_else(|| cutoff_at.saturating_sub(days).unwrap_or(Timestamp::MIN));
        Self { after, until: later.into_iter().fold(cutoff_at, Timestamp::min) }
    }

    fn hold(self, found_at: Timestamp) -> bool {
        self.after < found_at && found_at <= self.until
    }
}

/// What editors want of a draft that is computed anew. A work is named by any of its activities.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edits {
    /// Works that are in, first come first; those beyond the number of places are left to the rules.
    pub pins: Vec<ActivityId>,
    /// Works that are out this week.
    pub drops: BTreeSet<ActivityId>,
    /// Builders who are out this week.
    pub dropped_builders: BTreeSet<BuilderId>,
    /// Works that wait until a week.
    pub holds: BTreeMap<ActivityId, Week>,
}

impl Edits {
    fn pin_of(&self, candidate: &Candidate) -> Option<usize> {
        self.pins.iter().position(|pin| names(candidate, pin))
    }

    fn drops(&self, candidate: &Candidate) -> bool {
        self.drops.iter().any(|drop| names(candidate, drop))
            || candidate.builders.iter().any(|builder| self.dropped_builders.contains(builder))
    }

    fn held_until(&self, candidate: &Candidate) -> Option<Week> {
        self.holds.iter().filter(|(held, _)| names(candidate, held)).map(|(_, until)| *until).max()
    }
}

fn names(candidate: &Candidate, activity: &ActivityId) -> bool {
    candidate.work == *activity || candidate.members.contains(activity)
}

/// Computes the digest of a week.
///
/// Each candidate gets exactly one outcome. The reasons of a pick add up to its gain. If fewer works can be chosen than
/// there are places, the digest is shorter.
pub fn compose(inputs: &Inputs<'_>) -> Digest {
    composed(inputs, |_, _, _, _| ()).0
}

/// The same, with all works that could have a place in it, for edits to be laid over.
pub fn compose_with_pool(inputs: &Inputs<'_>) -> (Digest, Pool) {
    composed(inputs, |past, words, selection, names| pool(inputs, past, words, selection, names))
}

fn composed<T>(
    inputs: &Inputs<'_>,
    beside: impl FnOnce(&Past, &Words<'_>, &select::Selection<'_>, &[(String, String)]) -> T,
) -> (Digest, T) {
    let mut candidates: Vec<&Candidate> = inputs.candidates.iter().collect();
    candidates.sort_unstable_by(|a, b| a.work.cmp(&b.work));
    let past = Past::of(inputs.week, inputs.history, inputs.config.cool_down);
    let rules = Rules::of(inputs, &past);
    let standings: Vec<Standing<'_>> = candidates.into_iter().map(|candidate| rules.judge(candidate)).collect();

    let supply = balance::supply(&standings);
    let (categories, regions) = accounts(inputs, &supply);
    let selection = select::select(inputs, &past, &standings, &categories, &regions);

    let words = Words::of(inputs, categories_in_effect(inputs.categories, inputs.week));
    let outcomes = words.outcomes(&selection);
    let mut picks: Vec<Pick> =
        (1..).zip(&selection.chosen).map(|(round, (index, terms))| pick(&words, &selection.entrants[*index], *terms, round)).collect();
    let names: Vec<(String, String)> = words.categories.iter().map(|category| (category.key.clone(), category.name.clone())).collect();
    let beside = beside(&past, &words, &selection, &names);
    order::mark_lead(inputs.config.lead_weeks, &past, |pick| select::tie(inputs.week, &pick.work), &mut picks);
    let chosen: Vec<&Pick> = picks.iter().collect();
    let balance = Balance {
        categories: balance::category_table(&categories, &words.categories, &chosen),
        regions: balance::region_table(&regions, inputs.regions, &chosen),
    };
    let digest = Digest {
        week: inputs.week,
        program: inputs.program.to_owned(),
        cutoff_at: inputs.cutoff_at,
        cutoff_seq: inputs.cutoff_seq,
        late_finds_after: inputs.late_finds.after,
        late: inputs.late,
        config_hash: inputs.config_hash.clone(),
        rules_version: inputs.rules_version,
        intro: None,
        sections: order::sections(inputs.week, &names, picks),
        coming_up: Vec::new(),
        outcomes,
        balance,
        supply,
        eligible_works: count(standings.iter().filter(|standing| standing.fault.is_none()).count()),
        nominees: count(selection.nominators),
    };
    (digest, beside)
}

/// What a pin can bring in beside the eligible: works that came out at most this long before the cut-off, and late finds.
pub const POOL_DAYS: i64 = 35;

/// Works that came out too long ago to be among the candidates of a digest, and could be pinned into it all the same. Of the
/// inputs, which are those of the digest otherwise, the candidates are the older works.
pub fn older_contenders(inputs: &Inputs<'_>, digest: &Digest) -> Vec<Contender> {
    let past = Past::of(inputs.week, inputs.history, inputs.config.cool_down);
    let rules = Rules::of(inputs, &past);
    let standings: Vec<Standing<'_>> = inputs.candidates.iter().map(|candidate| rules.judge(candidate)).collect();
    let (categories, regions) = accounts(inputs, &digest.supply);
    let entrants: Vec<Entrant<'_>> =
        standings.iter().map(|standing| select::entrant(inputs, &past, standing, &categories, &regions)).collect();
    let words = Words::of(inputs, categories_in_effect(inputs.categories, inputs.week));
    contenders(inputs, &past, &words, &entrants)
}

/// How categories and regions stand before the choice.
fn accounts(inputs: &Inputs<'_>, supply: &WeekSupply) -> (Accounts, Accounts) {
    let window = balance::window(inputs.week, inputs.history, inputs.config.balance_weeks);
    let places = inputs.config.places;
    let categories = balance::accounts(&window, inputs.supply, supply, places, |week| &week.categories, |pick| &pick.category);
    let regions = balance::accounts(&window, inputs.supply, supply, places, |week| &week.regions, |pick| &pick.region);
    (categories, regions)
}

fn pool(inputs: &Inputs<'_>, past: &Past, words: &Words<'_>, selection: &select::Selection<'_>, names: &[(String, String)]) -> Pool {
    let weights = &inputs.config.weights;
    Pool {
        week: inputs.week,
        places: inputs.config.places,
        category: weights.category,
        region: weights.region,
        new_service: weights.new_service,
        categories: names.to_vec(),
        contenders: contenders(inputs, past, words, &selection.entrants),
    }
}

/// Those who could have a place, by the rules or by a pin.
fn contenders(inputs: &Inputs<'_>, past: &Past, words: &Words<'_>, entrants: &[Entrant<'_>]) -> Vec<Contender> {
    let recent = inputs.cutoff_at.saturating_sub(SignedDuration::from_hours(24 * POOL_DAYS)).unwrap_or(Timestamp::MIN);
    let contends = |entrant: &&Entrant<'_>| match &entrant.standing.fault {
        None => true,
        Some((code, _)) => {
            let near = *code == OutcomeCode::LateShelf
                || (entrant.standing.candidate.effective_at >= recent && entrant.standing.candidate.effective_at <= inputs.cutoff_at);
            entrant.standing.pinnable && near
        }
    };
    let contender = |entrant: &Entrant<'_>| {
        let Terms { quality, fresh, turn, .. } = entrant.fixed;
        let mut place = pick(words, entrant, Terms { quality, fresh, turn, ..Terms::default() }, 0);
        place.reasons.retain(|reason| reason.term != ReasonTerm::Pinned);
        place.gain = 0;
        let led = |builder: &&Credited| past.leads_within(builder.id, inputs.config.lead_weeks);
        Contender {
            pick: place,
            credited: entrant.standing.candidate.builders.clone(),
            nominators: entrant.standing.nominators.clone(),
            fault: entrant.standing.fault.clone(),
            fixed: FixedPoints { quality, fresh, turn },
            owed: entrant.owed,
            owed_text: words.owed_texts(entrant),
            led_lately: entrant.standing.shown.iter().any(led),
        }
    };
    entrants.iter().filter(contends).map(contender).collect()
}

/// What later weeks need to know of a digest. Its picks are featured if it is published, else reserved.
pub fn past_digest(digest: &Digest, published: bool) -> PastDigest {
    let Gist { cutoff_seq, picks, shelved, cooled, held, .. } = Gist::of(digest);
    PastDigest { week: digest.week, published, cutoff_seq, picks, shelved, cooled, held }
}

/// With how many earlier works a response is compared, at most.
pub use quality::COMPARED;

/// Whether a response with these counts is compared with that earlier work: it has enough substance, and counts at an age at
/// which both were counted.
pub fn is_compared(counts: &[Option<u64>; 4], earlier: &EarlierWork, config: &DigestConfig) -> bool {
    quality::is_compared(counts, earlier, config)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn pick(words: &Words<'_>, entrant: &Entrant<'_>, terms: Terms, round: u32) -> Pick {
    let Candidate { work, members, title, summary, language, kind, url, also, published_at, substance, topic, .. } =
        entrant.standing.candidate;
    let quality = entrant.standing.quality;
    Pick {
        work: work.clone(),
        members: members.clone(),
        title: title.clone(),
        title_gloss: None,
        language: language.clone(),
        kind: *kind,
        duration_s: substance.duration_s,
        words: substance.words,
        url: url.clone().unwrap_or_default(),
        also: also.clone(),
        published_at: *published_at,
        builders: entrant.standing.shown.iter().map(|builder| (*builder).clone()).collect(),
        category: entrant.category.to_owned(),
        region: entrant.region.to_owned(),
        services: topic.services.clone(),
        summary: summary.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(shorten),
        summary_source: "author".to_owned(),
        social: BTreeMap::new(),
        removed: None,
        lead: false,
        round,
        quality: quality.points,
        substance: quality.substance,
        response: quality.response.points,
        gain: terms.gain(),
        reasons: words.reasons(entrant, terms, entrant.standing.pinned.is_some()),
    }
}

/// At most 280 characters, cut after a whole word where one ends in the last third, never inside what reads as one
/// character.
fn shorten(text: &str) -> String {
    if text.chars().count() <= SUMMARY_CHARS {
        return text.to_owned();
    }
    let (mut chars, mut end) = (0, 0);
    for grapheme in text.graphemes(true) {
        chars += grapheme.chars().count();
        if chars >= SUMMARY_CHARS {
            break;
        }
        end += grapheme.len();
    }
    let cut = &text[..end];
    let word_end = if text[end..].starts_with(char::is_whitespace) { Some(end) } else { cut.rfind(char::is_whitespace) };
    let cut = word_end.filter(|word_end| word_end * 3 >= end * 2).map_or(cut, |word_end| &cut[..word_end]);
    format!("{}…", cut.trim_end().trim_end_matches([',', ';', ':', '-', '–']))
}

/// The categories that the program has in a week, in its own order. A date that cannot be read sets no limit.
pub fn categories_in_effect(categories: &[Category], week: Week) -> Vec<&Category> {
    let date = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<Date>().ok());
    let monday = week.monday();
    categories
        .iter()
        .filter(|category| {
            date(&category.from).is_none_or(|from| from <= monday) && date(&category.until).is_none_or(|until| monday < until)
        })
        .collect()
}

/// The regions that the program has in a week, in its own order.
pub fn regions_in_effect(regions: &[Region], week: Week) -> Vec<&Region> {
    let date = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<Date>().ok());
    let monday = week.monday();
    regions
        .iter()
        .filter(|region| date(&region.from).is_none_or(|from| from <= monday) && date(&region.until).is_none_or(|until| monday < until))
        .collect()
}

/// SHA-256, in hex, of all that the configuration gives the choice: the digest's section as effective, with categories and
/// regions, and the hash of the topic dictionary (RECORD.md section 8). Keys are sorted, so their order changes nothing.
pub fn config_hash(config: &DigestConfig, categories: &[Category], regions: &[Region], dictionary_hash: &str) -> String {
    let effective = DigestConfig { categories: categories.to_vec(), regions: regions.to_vec(), ..config.clone() };
    let digest = serde_json::to_value(effective).expect("settings are plain data with text keys");
    let mut text = String::new();
    write_canonical(&serde_json::json!({ "dictionary": dictionary_hash, "digest": digest }), &mut text);
    sha256_hex(text.as_bytes())
}

/// JSON without blanks, object keys sorted.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            out.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(value, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_knows_values_and_not_their_order() {
        let config = DigestConfig::default();
        let hash = config_hash(&config, &builtin_categories(), &builtin_regions(), "d1");
        assert_eq!(hash.len(), 64);
        assert_eq!(hash, config_hash(&config, &builtin_categories(), &builtin_regions(), "d1"));
        let other = DigestConfig { places: 11, ..config.clone() };
        assert_ne!(hash, config_hash(&other, &builtin_categories(), &builtin_regions(), "d1"));
        assert_ne!(hash, config_hash(&config, &builtin_categories()[1..], &builtin_regions(), "d1"));
        assert_ne!(hash, config_hash(&config, &builtin_categories(), &builtin_regions(), "d2"));

        let mut text = String::new();
        write_canonical(&serde_json::json!({"b": [1, "é\"", null], "a": {"d": false, "c": -2}}), &mut text);
        assert_eq!(text, r#"{"a":{"c":-2,"d":false},"b":[1,"é\"",null]}"#);
    }

    #[test]
    fn categories_are_those_of_the_week() {
        let dated = |key: &str, from: Option<&str>, until: Option<&str>| Category {
            key: key.into(),
            name: key.into(),
            tags: Vec::new(),
            services: Vec::new(),
            words: Vec::new(),
            from: from.map(str::to_owned),
            until: until.map(str::to_owned),
        };
        let all = [dated("old", None, Some("2026-11-16")), dated("new", Some("2026-11-16"), None), dated("odd", Some("soon"), None)];
        let keys = |week: &str| -> Vec<String> {
            categories_in_effect(&all, week.parse().unwrap()).iter().map(|category| category.key.clone()).collect()
        };
        assert_eq!(keys("2026-W46"), ["old", "odd"]);
        assert_eq!(keys("2026-W47"), ["new", "odd"]);
    }

    #[test]
    fn long_summaries_end_after_a_word_and_never_inside_a_character() {
        let words = "word ".repeat(100);
        let short = shorten(words.trim());
        assert!(short.chars().count() <= SUMMARY_CHARS && short.ends_with("word…"), "{short}");
        let family = "👩‍👩‍👧‍👦".repeat(60);
        let short = shorten(&family);
        assert!(short.chars().count() <= SUMMARY_CHARS);
        assert_eq!(short.trim_end_matches('…').chars().count() % 7, 0, "whole families");
        assert_eq!(shorten("as it is"), "as it is");
    }
}
