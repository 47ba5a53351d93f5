//! Whether a draft is fit to be sent (DIGEST.md section 6): errors block, warnings want a tick.
//!
//! In: the desk, the marks that people set beside it, and facts from outside ([`CheckFacts`]). Out: findings, errors
//! first, in the order of the page. Nothing here is ever called accuracy: whether a work is right is for people.

use std::collections::BTreeMap;

use url::Url;

use crate::model::{ActivityId, CanonicalUrl, Desk, Finding, Level, Mark, MarkRecord, Pick, Week, sha256_hex};

/// A title longer than this asks for a second look.
const TITLE_CHARS: usize = 90;
/// A group owed so much, in thousandths of a place, should not go without.
const OWED: i64 = 2_000;

/// What a link said when it was last asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkFact {
    Answers,
    /// It leads elsewhere: to that host, where known.
    Redirects(String),
    /// 404 or 410, twice, an hour apart.
    Gone,
    /// 404 or 410, once: asked again after an hour.
    Missing,
    /// Refused, failed or not asked: says nothing.
    Unknown(String),
}

/// A text that does not fit where it should go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFault {
    pub level: Level,
    /// `social_too_long`, `mail_too_large`, `image_without_text` …
    pub code: &'static str,
    pub work: Option<ActivityId>,
    pub text: String,
}

/// What the checks ask of the world outside the draft.
#[derive(Debug, Clone, Default)]
pub struct CheckFacts {
    /// By work; one that is missing was never asked.
    pub links: BTreeMap<ActivityId, LinkFact>,
    /// The last of the recent digests with an address of the work.
    pub seen: BTreeMap<ActivityId, Week>,
    /// Builders of picks who do not want to be featured, or are members no more, by name.
    pub opted_out: Vec<(ActivityId, String)>,
    pub texts: Vec<TextFault>,
    /// The program asks whether a machine wrote it.
    pub ask_machine_written: bool,
}

/// All that speaks against sending the draft as it stands.
pub fn check(desk: &Desk, marks: &[MarkRecord], facts: &CheckFacts) -> Vec<Finding> {
    let mut findings = Findings { list: Vec::new() };
    for pick in desk.digest.picks() {
        errors_of(pick, facts, &mut findings);
        if let Some(reviewer) = open_review(marks, pick) {
            let whose = reviewer.map_or_else(|| "somebody who knows the topic".to_owned(), Clone::clone);
            findings.error("review_open", Some(pick), format!("{} waits for a review by {whose}", quoted(pick)));
        }
    }
    for notice in desk.notices.iter().filter(|notice| notice.code == "split_later") {
        findings.push(Level::Error, "refresh_wanted", notice.work.clone(), format!("{}: refresh the draft first", notice.text));
    }
    for fault in &facts.texts {
        findings.push(fault.level, fault.code, fault.work.clone(), fault.text.clone());
    }
    for pick in desk.digest.picks() {
        warnings_of(pick, facts, &mut findings);
    }
    for notice in desk.notices.iter().filter(|notice| notice.code != "split_later") {
        findings.push(Level::Warning, &notice.code, notice.work.clone(), notice.text.clone());
    }
    services(desk, &mut findings);
    groups(desk, &mut findings);
    let mut list = findings.list;
    list.sort_by_key(|finding| finding.level);
    for finding in list.iter_mut().filter(|finding| finding.level == Level::Warning) {
        finding.ticked_by =
            marks.iter().rev().find(|mark| matches!(&mark.what, Mark::Accepted { key } if *key == finding.key)).map(|mark| mark.by.clone());
    }
    list
}

/// The review that is asked for and not done: `Some` with the reviewer, where one was named.
pub fn open_review<'a>(marks: &'a [MarkRecord], pick: &Pick) -> Option<Option<&'a String>> {
    let about = |work: &ActivityId| pick.work == *work || pick.members.contains(work);
    marks.iter().rev().find_map(|mark| match &mark.what {
        Mark::Review { work, reviewer } if about(work) => Some(Some(reviewer.as_ref())),
        Mark::Reviewed { work } if about(work) => Some(None),
        _ => None,
    })?
}

fn errors_of(pick: &Pick, facts: &CheckFacts, findings: &mut Findings) {
    if facts.links.get(&pick.work) == Some(&LinkFact::Gone) {
        findings.error("link_gone", Some(pick), format!("the link of {} is gone: it answered so twice, an hour apart", quoted(pick)));
    }
    if let Some(week) = facts.seen.get(&pick.work) {
        findings.error("seen_before", Some(pick), format!("an address of {} was in the digest of {week}", quoted(pick)));
    }
    for address in std::iter::once(&pick.url).chain(&pick.also).filter(|address| tracks(address)) {
        let host = Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        findings.error("tracking_parameter", Some(pick), format!("a link of {} to {host} carries a tracking parameter", quoted(pick)));
    }
    let title = pick.title.trim();
    if title.is_empty() {
        findings.error("title_empty", Some(pick), "a pick has no title".to_owned());
    } else if is_cut(title) {
        findings.error("title_cut", Some(pick), format!("the title {} is cut off", quoted(pick)));
    }
    for (_, name) in facts.opted_out.iter().filter(|(work, _)| *work == pick.work) {
        findings.error(
            "opted_out",
            Some(pick),
            format!("{name} does not want to be featured (any more), but has a place with {}", quoted(pick)),
        );
    }
}

fn warnings_of(pick: &Pick, facts: &CheckFacts, findings: &mut Findings) {
    match facts.links.get(&pick.work) {
        Some(LinkFact::Answers | LinkFact::Gone) => {}
        Some(LinkFact::Redirects(host)) => {
            let to = if host.is_empty() { String::new() } else { format!(" to {host}") };
            findings.warning("link_redirects", Some(pick), format!("the link of {} redirects{to}", quoted(pick)));
        }
        Some(LinkFact::Missing) => findings.warning(
            "link_missing",
            Some(pick),
            format!("the link of {} answered that there is nothing; it counts as gone if it does so again in an hour", quoted(pick)),
        ),
        Some(LinkFact::Unknown(why)) => {
            findings.warning("link_unchecked", Some(pick), format!("the link of {} could not be checked: {why}", quoted(pick)));
        }
        None => findings.warning("link_unchecked", Some(pick), format!("the link of {} was not checked yet", quoted(pick))),
    }
    if pick.language.as_deref().is_none_or(|language| language.trim().is_empty() || language == "und") {
        findings.warning("language_unknown", Some(pick), format!("the language of {} is not known", quoted(pick)));
    }
    if pick.summary_source != "editor" && pick.summary.as_deref().is_some_and(is_cut) {
        findings.warning("summary_cut", Some(pick), format!("the summary of {} is only the beginning of its text", quoted(pick)));
    }
    let length = pick.title.trim().chars().count();
    if length > TITLE_CHARS {
        findings.warning("title_long", Some(pick), format!("the title {} has {length} characters", quoted(pick)));
    }
    if facts.ask_machine_written {
        let text = format!("the author of {} has not said whether a machine wrote it", quoted(pick));
        findings.warning("machine_written", Some(pick), text);
    }
}

fn services(desk: &Desk, findings: &mut Findings) {
    let mut by_service: BTreeMap<&str, Vec<&Pick>> = BTreeMap::new();
    for pick in desk.digest.picks() {
        if let Some(service) = pick.services.first() {
            by_service.entry(service).or_default().push(pick);
        }
    }
    for (service, picks) in by_service.into_iter().filter(|(_, picks)| picks.len() > 1) {
        let titles: Vec<String> = picks.iter().map(|pick| quoted(pick)).collect();
        findings.warning("same_service", None, format!("{} works are mainly on {service}: {}", picks.len(), titles.join(", ")));
    }
}

fn groups(desk: &Desk, findings: &mut Findings) {
    let balance = &desk.digest.balance;
    for group in balance.categories.iter().chain(&balance.regions).filter(|group| group.owed >= OWED && group.picked == 0) {
        let why = if group.supply == 0 { ", but nobody of it could be chosen" } else { "" };
        let text = format!("{} is owed {}.{} places and has none{why}", group.name, group.owed / 1000, group.owed % 1000 / 100);
        findings.warning("group_owed", None, text);
    }
}

/// Whether a text ends as one that was cut: in an ellipsis, with or without brackets.
fn is_cut(text: &str) -> bool {
    let text = text.trim_end().trim_end_matches([']', ')', '"', '”', '’']).trim_end();
    text.ends_with('…') || text.ends_with("...")
}

/// Whether cleaning the address takes parameters away.
fn tracks(address: &str) -> bool {
    let (Ok(raw), Ok(clean)) = (Url::parse(address), CanonicalUrl::parse(address)) else { return false };
    let kept: Vec<String> =
        Url::parse(clean.as_str()).map(|url| url.query_pairs().map(|(name, _)| name.into_owned()).collect()).unwrap_or_default();
    // Short addresses of videos become long ones: there the clean one has more.
    raw.query_pairs().any(|(name, _)| is_tracker(&name) && !kept.iter().any(|known| *known == name))
}

/// The names that are for counting readers wherever they stand; sites give `source` and `ref` other meanings too, so
/// those alone are no fault.
fn is_tracker(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("utm_")
        || name.starts_with("mc_")
        || matches!(name.as_str(), "fbclid" | "gclid" | "dclid" | "msclkid" | "igshid" | "yclid")
}

fn quoted(pick: &Pick) -> String {
    let short: String = pick.title.trim().chars().take(60).collect();
    if short.len() < pick.title.trim().len() { format!("“{}…”", short.trim_end()) } else { format!("“{short}”") }
}

struct Findings {
    list: Vec<Finding>,
}

impl Findings {
    fn error(&mut self, code: &str, pick: Option<&Pick>, text: String) {
        self.push(Level::Error, code, pick.map(|pick| pick.work.clone()), text);
    }

    fn warning(&mut self, code: &str, pick: Option<&Pick>, text: String) {
        self.push(Level::Warning, code, pick.map(|pick| pick.work.clone()), text);
    }

    fn push(&mut self, level: Level, code: &str, work: Option<ActivityId>, text: String) {
        let about = work.as_ref().map_or("", ActivityId::as_str);
        let mut key = sha256_hex(format!("{code}|{about}|{text}").as_bytes());
        key.truncate(12);
        if self.list.iter().all(|finding| finding.key != key) {
            self.list.push(Finding { level, code: code.to_owned(), work, text, key, ticked_by: None });
        }
    }
}
