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

/// A pick, or a builder of it by name, that the digest of another week holds already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    pub work: ActivityId,
    pub week: Week,
    /// Who is in it with another work, so near that they should pause; `None` where it is the very same work.
    pub builder: Option<String>,
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
    /// Picks that were entered by hand and taken back since.
    pub withdrawn: Vec<ActivityId>,
    /// Builders whom nothing credits with a pick any more, by name.
    pub not_credited: Vec<(ActivityId, String)>,
    /// What a digest around this one holds too.
    pub clashes: Vec<Clash>,
    pub texts: Vec<TextFault>,
    /// The program asks whether a machine wrote it.
    pub ask_machine_written: bool,
}

/// All that speaks against sending the draft as it stands.
pub fn check(desk: &Desk, marks: &[MarkRecord], facts: &CheckFacts) -> Vec<Finding> {
    let mut findings = Findings { list: Vec::new() };
    // What was taken out after publication is no fault any more.
    let stands = || desk.digest.picks().filter(|pick| pick.removed.is_none());
    for pick in stands() {
        errors_of(pick, desk, facts, &mut findings);
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
    for pick in stands() {
        warnings_of(pick, facts, &mut findings);
    }
    for notice in desk.notices.iter().filter(|notice| notice.code != "split_later") {
        findings.push(Level::Warning, &notice.code, notice.work.clone(), notice.text.clone());
    }
    if desk.digest.is_empty() {
        findings.warning("nothing_chosen", None, "nothing has a place this week: readers will be told so".to_owned());
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
    marks.iter().rev().find_map(|mark| match &mark.what {
        Mark::Review { work, reviewer } if pick.is_of(work) => Some(Some(reviewer.as_ref())),
        Mark::Reviewed { work } if pick.is_of(work) => Some(None),
        _ => None,
    })?
}

fn errors_of(pick: &Pick, desk: &Desk, facts: &CheckFacts, findings: &mut Findings) {
    let pinned = desk.pinned.contains(&pick.work);
    let overruled = desk.notices.iter().any(|notice| notice.code == "pin_overrules" && notice.work.as_ref() == Some(&pick.work));
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
    if facts.withdrawn.contains(&pick.work) {
        let text = format!("{} was entered by hand and taken back since: refresh the draft, or drop it", quoted(pick));
        findings.error("withdrawn", Some(pick), text);
    }
    for (_, name) in facts.not_credited.iter().filter(|(work, _)| *work == pick.work) {
        let text = format!("nothing credits {name} with {} any more: refresh the draft, or drop it", quoted(pick));
        findings.error("not_credited", Some(pick), text);
    }
    for clash in facts.clashes.iter().filter(|clash| clash.work == pick.work) {
        let week = clash.week;
        match &clash.builder {
            None if facts.seen.contains_key(&pick.work) => {}
            None => findings.error("held_elsewhere", Some(pick), format!("the digest of {week} has a place for {} already", quoted(pick))),
            Some(name) if !pinned => {
                let text = format!(
                    "{name} has a place in the digest of {week} too, so {} comes too soon: refresh the draft, drop it, or pin it",
                    quoted(pick)
                );
                findings.error("cool_down", Some(pick), text);
            }
            Some(name) => {
                // What a pin overruled when it was made is told by the pin.
                if !overruled {
                    let text = format!("{name} has a place in the digest of {week} too, so {} comes too soon", quoted(pick));
                    findings.warning("cool_down", Some(pick), text);
                }
            }
        }
    }
    for (_, name) in facts.opted_out.iter().filter(|(work, _)| *work == pick.work) {
        findings.error(
            "opted_out",
            Some(pick),
            format!("{name} does not want to be featured, or to be public (any more), but has a place with {}", quoted(pick)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::lay;
    use crate::digest::samples::{Case, builder, candidate, days_before_cutoff, work_id};
    use crate::model::{Candidate, Notice};

    /// What is found of one article after a change to it, with all else well.
    fn found(change: impl FnOnce(&mut Candidate, &mut CheckFacts)) -> Vec<String> {
        let mut case = Case::new(1);
        let mut work = candidate(1, &[1]);
        let mut facts = CheckFacts { links: [(work_id(1), LinkFact::Answers)].into(), ..CheckFacts::default() };
        change(&mut work, &mut facts);
        case.candidates = vec![work];
        let (base, pool) = case.draft();
        codes(&check(&lay(&base, &pool, &[]), &[], &facts))
    }

    fn codes(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(|finding| finding.code.clone()).collect()
    }

    fn clash(builder: Option<&str>) -> Clash {
        Clash { work: work_id(1), week: "2026-W48".parse().unwrap(), builder: builder.map(str::to_owned) }
    }

    #[test]
    fn who_comes_too_soon_blocks_until_an_editor_pins_it() {
        let mut case = Case::new(1);
        case.candidates = vec![candidate(1, &[1])];
        let (base, pool) = case.draft();
        let mut desk = lay(&base, &pool, &[]);
        let links = [(work_id(1), LinkFact::Answers)].into();
        let facts = CheckFacts { links, clashes: vec![clash(Some("Ada"))], ..CheckFacts::default() };
        assert_eq!(check(&desk, &[], &facts)[0].level, Level::Error);
        desk.pinned = vec![work_id(1)];
        let pinned = check(&desk, &[], &facts);
        assert_eq!((codes(&pinned), pinned[0].level), (vec!["cool_down".to_owned()], Level::Warning));
    }

    #[test]
    fn each_fault_has_its_code() {
        type Change = fn(&mut Candidate, &mut CheckFacts);
        let rules: [(&str, Change); 26] = [
            ("", |_, _| ()),
            ("link_gone", |_, facts| facts.links = [(work_id(1), LinkFact::Gone)].into()),
            ("link_missing", |_, facts| facts.links = [(work_id(1), LinkFact::Missing)].into()),
            ("link_redirects", |_, facts| facts.links = [(work_id(1), LinkFact::Redirects(String::new()))].into()),
            ("link_unchecked", |_, facts| facts.links = [(work_id(1), LinkFact::Unknown("it answers 403".into()))].into()),
            ("link_unchecked", |_, facts| facts.links.clear()),
            ("seen_before", |_, facts| facts.seen = [(work_id(1), "2026-W40".parse().unwrap())].into()),
            ("tracking_parameter", |work, _| work.url = Some("https://blog.example/a?utm_source=mail".into())),
            ("tracking_parameter", |work, _| work.also = vec!["https://copy.example/a?id=7&fbclid=x".into()]),
            ("", |work, _| work.url = Some("https://blog.example/a?id=7&page=2".into())),
            ("title_empty", |work, _| work.title = "  ".into()),
            ("title_cut", |work, _| work.title = "How we moved to…".into()),
            ("title_cut", |work, _| work.title = "How we moved to [...]".into()),
            ("title_long", |work, _| work.title = "x".repeat(91)),
            ("", |work, _| work.title = "é".repeat(90)),
            ("language_unknown", |work, _| work.language = None),
            ("summary_cut", |work, _| work.summary = Some("It began when …".into())),
            ("opted_out", |_, facts| facts.opted_out = vec![(work_id(1), "Ada".into())]),
            ("withdrawn", |_, facts| facts.withdrawn = vec![work_id(1)]),
            ("", |_, facts| facts.withdrawn = vec![work_id(2)]),
            ("not_credited", |_, facts| facts.not_credited = vec![(work_id(1), "Ada".into())]),
            ("held_elsewhere", |_, facts| facts.clashes = vec![clash(None)]),
            ("seen_before", |_, facts| {
                facts.clashes = vec![clash(None)];
                facts.seen = [(work_id(1), "2026-W40".parse().unwrap())].into();
            }),
            ("cool_down", |_, facts| facts.clashes = vec![clash(Some("Ada"))]),
            ("machine_written", |_, facts| facts.ask_machine_written = true),
            ("mail_too_large", |_, facts| {
                facts.texts = vec![TextFault { level: Level::Error, code: "mail_too_large", work: None, text: "too large".into() }];
            }),
        ];
        for (index, (code, change)) in rules.into_iter().enumerate() {
            let wanted: Vec<String> = Some(code.to_owned()).filter(|code| !code.is_empty()).into_iter().collect();
            assert_eq!(found(change), wanted, "case {index}");
        }
    }

    #[test]
    fn errors_stand_first_and_a_tick_holds_for_what_was_read() {
        let mut case = Case::new(2);
        case.builders.insert(crate::model::BuilderId(2), builder(2, "eastern_africa"));
        case.candidates = vec![candidate(1, &[1]), candidate(2, &[2])];
        case.candidates[1].title = "Cut…".into();
        case.candidates[1].language = None;
        case.candidates[1].effective_at = days_before_cutoff(2);
        let (base, pool) = case.draft();
        let mut desk = lay(&base, &pool, &[]);
        let findings = check(&desk, &[], &CheckFacts::default());
        assert_eq!(findings.iter().map(|finding| finding.level).collect::<Vec<_>>().windows(2).filter(|pair| pair[0] > pair[1]).count(), 0);
        let same = findings.iter().find(|finding| finding.code == "same_service").unwrap();
        assert!(same.text.contains("2 works are mainly on Lambda"), "{}", same.text);
        let unknown = findings.iter().find(|finding| finding.code == "language_unknown").unwrap();
        let tick = |key: &str| MarkRecord {
            at: days_before_cutoff(0),
            by: "Edith".into(),
            what: Mark::Accepted { key: key.to_owned() },
            note: None,
        };
        let ticked = check(&desk, &[tick(&unknown.key)], &CheckFacts::default());
        let by = |findings: &[Finding], code: &str| findings.iter().find(|finding| finding.code == code).unwrap().ticked_by.clone();
        assert_eq!(by(&ticked, "language_unknown").as_deref(), Some("Edith"));
        // An error cannot be ticked away, and another title is another finding.
        let cut = findings.iter().find(|finding| finding.code == "title_cut").unwrap();
        assert_eq!(by(&check(&desk, &[tick(&cut.key)], &CheckFacts::default()), "title_cut"), None);
        for section in &mut desk.digest.sections {
            section.picks.iter_mut().for_each(|pick| pick.title.push('!'));
        }
        assert_eq!(by(&check(&desk, &[tick(&unknown.key)], &CheckFacts::default()), "language_unknown"), None);
    }

    #[test]
    fn a_review_blocks_until_it_is_done_and_a_split_until_the_refresh() {
        let mut case = Case::new(1);
        case.candidates = vec![candidate(1, &[1])];
        let (base, pool) = case.draft();
        let mut desk = lay(&base, &pool, &[]);
        let facts = CheckFacts { links: [(work_id(1), LinkFact::Answers)].into(), ..CheckFacts::default() };
        let mark = |what: Mark| MarkRecord { at: days_before_cutoff(0), by: "Edith".into(), what, note: None };
        let asked = mark(Mark::Review { work: work_id(1), reviewer: Some("Rae".into()) });
        let done = mark(Mark::Reviewed { work: work_id(1) });
        let findings = check(&desk, std::slice::from_ref(&asked), &facts);
        assert_eq!((codes(&findings), findings[0].level), (vec!["review_open".to_owned()], Level::Error));
        assert!(findings[0].text.contains("by Rae"));
        assert!(check(&desk, &[asked.clone(), done.clone()], &facts).is_empty());
        assert_eq!(codes(&check(&desk, &[asked.clone(), done, asked], &facts)), ["review_open"]);
        desk.notices.push(Notice { code: "split_later".into(), work: None, text: "split".into() });
        assert_eq!(codes(&check(&desk, &[], &facts)), ["refresh_wanted"]);
    }

    #[test]
    fn a_group_that_is_owed_two_places_and_has_none_is_told() {
        let mut case = Case::new(1);
        case.candidates = vec![candidate(1, &[1])];
        let (base, pool) = case.draft();
        let mut desk = lay(&base, &pool, &[]);
        let facts = CheckFacts { links: [(work_id(1), LinkFact::Answers)].into(), ..CheckFacts::default() };
        for (owed, picked, told) in [(2_000, 0, true), (1_999, 0, false), (2_500, 1, false)] {
            let group = &mut desk.digest.balance.categories[0];
            (group.owed, group.picked) = (owed, picked);
            assert_eq!(codes(&check(&desk, &[], &facts)) == ["group_owed"], told, "{owed} {picked}");
        }
    }
}
