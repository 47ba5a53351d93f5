//! Turns what is known of one address into a chain of checks, the first failure marked.
//!
//! In: facts that `flow` gathered. Out: sentences with codes, in the order in which a post travels from its source to a
//! digest. Decides nothing anew: it only says what the other rooms found.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{Activity, DateTrust, OutcomeCode, Source, SourceState, SourceStatus, Week, masked, masked_text};

/// How one check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    Passed,
    /// The first of these is the answer.
    Failed,
    /// Cannot be told until the checks before it pass.
    Open,
}

/// One check of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `address`, `known_source`, `healthy`, `seen`, `dated`, `recorded`, `merged`, `eligible`, `chosen`.
    pub step: &'static str,
    pub state: CheckState,
    /// The reason code where it failed (DIGEST.md section 9).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    pub text: String,
}

/// A source that the address may belong to.
#[derive(Debug, Clone)]
pub struct SourceFacts {
    pub source: Source,
    pub state: SourceState,
    /// Slugs of its builders.
    pub builders: Vec<String>,
    /// The slug of each of its owners, in their order, where the roster still knows them.
    pub slugs: Vec<Option<String>>,
}

/// How a draft judged the work.
#[derive(Debug, Clone)]
pub struct Judged {
    pub week: Week,
    /// `false`: the week is still running, and this is how it stands now.
    pub drafted: bool,
    pub published: bool,
    pub code: OutcomeCode,
    pub text: String,
    /// The first week by whose cut-off its window had closed.
    pub closed: Option<Week>,
}

/// What is known of an address.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Why the text is no address that clarion takes.
    pub unusable: Option<String>,
    /// The canonical address.
    pub canonical: String,
    pub sources: Vec<SourceFacts>,
    /// The address is that of a source itself.
    pub is_source: bool,
    pub activity: Option<Activity>,
    /// Where the activity stands now, if the address is one that it had before.
    pub stands_at: Option<String>,
    /// Addresses of the other activities of its work, each with the reason for the merge.
    pub merged_with: Vec<(String, String)>,
    pub judged: Option<Judged>,
}

/// The checks in order.
pub fn chain(facts: &Facts) -> Vec<Check> {
    let mut chain = Chain { checks: Vec::new(), failed: false };
    match &facts.unusable {
        Some(error) => chain.fail("address", "no_source", masked_text(error)),
        None => chain.pass("address", format!("the address is {}", facts.canonical)),
    }
    known_source(&mut chain, facts);
    healthy(&mut chain, facts);
    recorded(&mut chain, facts);
    judged(&mut chain, facts);
    chain.checks
}

struct Chain {
    checks: Vec<Check>,
    failed: bool,
}

impl Chain {
    fn pass(&mut self, step: &'static str, text: String) {
        self.checks.push(Check { step, state: CheckState::Passed, code: None, text });
    }

    fn fail(&mut self, step: &'static str, code: &'static str, text: String) {
        self.failed = true;
        self.checks.push(Check { step, state: CheckState::Failed, code: Some(code), text });
    }

    fn open(&mut self, step: &'static str) {
        self.checks.push(Check { step, state: CheckState::Open, code: None, text: "cannot be told before the checks above pass".into() });
    }
}

fn known_source(chain: &mut Chain, facts: &Facts) {
    if chain.failed {
        return chain.open("known_source");
    }
    if facts.sources.is_empty() {
        let text = "no registered source is at this address's site: add one with `clarion source add BUILDER ADDRESS`".to_owned();
        return chain.fail("known_source", "no_source", text);
    }
    let names: Vec<String> = facts
        .sources
        .iter()
        .map(|facts| format!("{} ({}) of {}", facts.source.id, masked(&facts.source.url), facts.builders.join(", ")))
        .collect();
    let verb = if facts.activity.is_some() { "seen at" } else { "belongs to the site of" };
    chain.pass("known_source", format!("{verb} {}", names.join("; ")));
}

fn healthy(chain: &mut Chain, facts: &Facts) {
    if chain.failed {
        return chain.open("healthy");
    }
    let well = facts.sources.iter().find(|facts| facts.state.status == SourceStatus::Ok);
    if let Some(SourceFacts { state, source, .. }) = well {
        let when = state.last_success_at.map_or_else(|| "never".into(), when);
        return chain.pass("healthy", format!("{} was last read well on {when}", source.id));
    }
    let worst = &facts.sources[0];
    let text = match worst.state.status {
        SourceStatus::New => format!("{} has not been asked yet", worst.source.id),
        _ => format!(
            "{} {}{}: {}",
            worst.source.id,
            match worst.state.status {
                SourceStatus::Gone => "is gone",
                SourceStatus::Blocked => "refuses us",
                _ => "fails",
            },
            worst.state.failing_since.map(|since| format!(" since {}", when(since))).unwrap_or_default(),
            worst.state.error.as_deref().map_or_else(|| "no reason was recorded".to_owned(), masked_text),
        ),
    };
    // What was recorded before the source fell ill is still worth following.
    if facts.activity.is_some() {
        chain.pass("healthy", format!("the source is ill now ({text}), but this was recorded before"));
    } else {
        chain.fail("healthy", "source_failing", text);
    }
}

fn recorded(chain: &mut Chain, facts: &Facts) {
    let Some(activity) = facts.activity.as_ref().filter(|_| !chain.failed) else {
        if chain.failed {
            chain.open("seen");
        } else if facts.is_source {
            chain.fail("seen", "not_in_feed", "this is the address of the source itself, not of one of its entries".into());
        } else {
            let text = "the source never showed an entry with this address: it may be too new, filtered there, or have left the feed before we saw it";
            chain.fail("seen", "not_in_feed", text.into());
        }
        for step in ["dated", "recorded", "merged"] {
            chain.open(step);
        }
        return;
    };
    let moved = facts.stands_at.as_ref().map(|url| format!("; this was its address before, now it is {url}")).unwrap_or_default();
    let gone = match (activity.is_withdrawn(), activity.left) {
        (true, _) => "; it was entered by hand, and taken back",
        (_, true) => "; the source does not show it any more",
        _ => "",
    };
    chain.pass("seen", format!("first seen on {}{moved}{gone}", when(activity.first_seen_at)));
    match activity.published_trust {
        DateTrust::Unknown => {
            chain.pass("dated", "its source gives no date that can be read: the day on which we first saw it counts".into());
        }
        DateTrust::Future => chain.pass("dated", "its source dates it in the future: the day on which we first saw it counts".into()),
        DateTrust::Stated | DateTrust::ZoneAssumed => {
            let published = activity.published_at.map_or_else(|| "unknown".into(), when);
            chain.pass("dated", format!("published on {published}"));
        }
    }
    if let Some(filtered) = &activity.filtered {
        let name = filtered.filter.as_str();
        let asked: Vec<String> = filters_asked(facts, name);
        let text = match (name, asked.as_slice()) {
            ("author", [] | [_]) => {
                format!("kept out by the author filter{}: only entries by {} count", of_whom(facts, name), filtered.asks)
            }
            ("author", several) => format!("kept out by the author filters: only entries {} count", several.join(", ")),
            (name, [] | [_]) => {
                let of = of_whom(facts, name);
                format!("kept out by the filter `{name} = {}`{of}: change it in the roster if it should count", filtered.asks)
            }
            (name, several) => {
                format!("kept out by the filters `{name}`, {}: change them in the roster if it should count", several.join(", "))
            }
        };
        chain.fail("recorded", filtered.code(), text);
        return chain.open("merged");
    }
    let backfill = match (activity.backfill, activity.self_reported) {
        (true, _) => ", as part of a back catalogue",
        (_, true) => ", on the word of whoever entered it by hand (self-reported)",
        _ => "",
    };
    chain.pass("recorded", format!("recorded as {} {} \u{201c}{}\u{201d}{backfill}", activity.kind, activity.id, activity.title));
    if facts.merged_with.is_empty() {
        chain.pass("merged", "stands for itself: no other address is the same piece".into());
    } else {
        let others: Vec<String> = facts.merged_with.iter().map(|(url, reason)| format!("{url} ({reason})")).collect();
        chain.pass("merged", format!("one piece with {}", others.join(", ")));
    }
}

/// What each owner's filter of that name asks for.
fn asked_of<'a>(facts: &'a Facts, name: &'a str) -> impl Iterator<Item = (&'a str, String)> {
    facts.sources.iter().flat_map(|facts| facts.source.owners.iter().zip(&facts.slugs)).filter_map(move |(owner, slug)| {
        let asks = if name == "author" { owner.author.clone() } else { owner.filters.get(name) };
        Some((slug.as_deref()?, asks?))
    })
}

fn filters_asked(facts: &Facts, name: &str) -> Vec<String> {
    let by = if name == "author" { "by " } else { "" };
    let mut asked: Vec<String> = asked_of(facts, name).map(|(slug, asks)| format!("{by}{asks} (of {slug})")).collect();
    asked.sort();
    asked.dedup();
    asked
}

fn of_whom(facts: &Facts, name: &str) -> String {
    asked_of(facts, name).next().map(|(slug, _)| format!(" of {slug}")).unwrap_or_default()
}

fn judged(chain: &mut Chain, facts: &Facts) {
    if chain.failed {
        chain.open("eligible");
        return chain.open("chosen");
    }
    let Some(judged) = &facts.judged else {
        let text = "it lies in the window of no draft, nor of one to come: it is too old".to_owned();
        chain.fail("eligible", "date_outside", text);
        return chain.open("chosen");
    };
    let week = judged.week;
    let closed = judged.closed.map(|week| format!("; by the cut-off of {week} its window had closed")).unwrap_or_default();
    let place = if judged.drafted { format!("in the draft of {week}") } else { format!("as {week} stands now") };
    match judged.code {
        OutcomeCode::Chosen => {
            chain.pass("eligible", format!("could be chosen {place}"));
            let state = match (judged.drafted, judged.published) {
                (_, true) => format!("featured in the digest of {week}"),
                (true, false) => format!("has a place in the draft of {week}, which is not published yet"),
                (false, _) => format!("would have a place, {place}"),
            };
            chain.pass("chosen", state);
        }
        code @ OutcomeCode::Removed => {
            chain.pass("eligible", format!("could be chosen {place}"));
            chain.fail("chosen", code.as_str(), format!("was in the digest of {week}, and was taken out of it: {}", judged.text));
        }
        code @ (OutcomeCode::NoPlace | OutcomeCode::NotNominee) => {
            chain.pass("eligible", format!("could be chosen {place}"));
            chain.fail("chosen", code.as_str(), format!("not chosen {place}: {}{closed}", judged.text));
        }
        code => {
            chain.fail("eligible", code.as_str(), format!("could not be chosen {place}: {}{closed}", judged.text));
            chain.open("chosen");
        }
    }
}

/// An instant for people: to the minute, UTC.
fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
